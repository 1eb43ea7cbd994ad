package slo

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// full is a Budget that uses every field.
func full(t testing.TB) Budget {
	spec := checkout
	spec.ClearFor = time.Hour
	o := objective(t, spec)
	b, _ := Budget{}.Step(All{
		Fired{Alert: "4bf5122f344554c5", StartsAt: at("11:00"), Received: at("11:00:01.000000123")},
		Fired{Alert: "4bf5122f344554c5", StartsAt: at("11:10"), EndsAt: at("11:14"), Received: at("11:10:01")},
		Resolved{Alert: "4bf5122f344554c5", StartsAt: at("11:20"), EndsAt: at("11:30:00.5"), Received: at("11:30:01")},
		Fired{Alert: "other", StartsAt: at("12:10"), Received: at("12:00")},
		Correction{ID: "m1", From: at("11:05"), To: at("11:06")},
	}, at("12:00"), o)
	b, _ = b.Step(Tick{}, at("12:01"), o)
	b, _ = b.Step(ResolvedByHand{}, at("12:02"), o)
	spec.Source = FromRatio
	counted, _ := Budget{}.Step(All{
		Counted{Minute: at("09:59"), Bad: 300, Total: 70_000},
		Counted{Minute: at("11:59"), Bad: 1, Total: 2},
	}, at("12:02"), objective(t, spec))
	b.Slices = counted.Slices
	return b
}

func TestTheStoredForm(t *testing.T) {
	b := full(t)
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "budget.json", append(data, '\n'))
	restart(t, b)
	if got := text(t, Budget{}); got != "{}" {
		t.Errorf("a Budget that heard nothing is %s", got)
	}
}

func TestWhatIsStoredIsNotBelieved(t *testing.T) {
	for _, s := range []string{
		`""`, `"x"`, `5`, `"AQ=="`, `"Ag=="`, `"AQAB"`, `"AQEB"`, `"AQD/////DwA="`, `"AQEBYQEAAAAA"`,
		`"AQAAAA=="`, `"//////////////8="`, `"AQH//////////////wE="`,
	} {
		var spans Spans
		if err := json.Unmarshal([]byte(s), &spans); err == nil && spans.Len() > 0 {
			t.Errorf("%s is read as %d spans", s, spans.Len())
		}
		var slices Slices
		if err := json.Unmarshal([]byte(s), &slices); err == nil && !slices.IsZero() {
			t.Errorf("%s is read as %d hours", s, len(slices.hours))
		}
	}
	var b Budget
	if err := json.Unmarshal([]byte(`{"spans":null,"slices":null}`), &b); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal([]byte(`{"spans":"Ag=="}`), &b); err == nil || !strings.Contains(err.Error(), "start the newer one again") {
		t.Errorf("a later version: %v", err)
	}
}

// FuzzRead reads anything as a Budget. What can be read can be stepped, and is read back as it was stored.
func FuzzRead(f *testing.F) {
	f.Add([]byte(text(f, full(f))))
	f.Add([]byte(`{"spans":"AQABAAAAAA=="}`))
	f.Add([]byte(`{"slices":"AQAAAA=="}`))
	var os []*Objective
	for _, source := range []Source{FromAlerts, FromRatio, FromBurnRates} {
		spec := checkout
		spec.Source = source
		os = append(os, objective(f, spec))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var b Budget
		if json.Unmarshal(data, &b) != nil || len(b.Excluded) > MaxExcluded {
			return
		}
		for _, x := range b.Excluded {
			if x.To.Before(x.From) {
				return
			}
		}
		if _, err := json.Marshal(b); err != nil {
			return // a year that JSON has no words for
		}
		restart(t, b)
		for _, o := range os {
			next, _ := b.Step(Fired{Alert: "a", StartsAt: noon}, noon, o)
			restart(t, next)
			next.Step(Resolved{Alert: "a", StartsAt: noon}, noon.Add(time.Hour), o)
		}
	})
}

// remembering is a Budget that is full, of intervals in order; one without an end is open.
func remembering(each func(i int) (alert string, from, to time.Time)) Budget {
	var list []span
	for i := range MaxSpans {
		alert, from, to := each(i)
		x := span{alert: alert, start: nanos(from), from: nanos(from), end: never, cap: never, heard: nanos(from)}
		if !to.IsZero() {
			x.end, x.sure = nanos(to), true
		}
		list = append(list, x)
	}
	return Budget{Spans: newSpans(list)}
}

func TestALimitRefusesAndKeeps(t *testing.T) {
	o := objective(t, checkout)
	b := remembering(func(i int) (string, time.Time, time.Time) { return fmt.Sprintf("%05d", i), noon, time.Time{} })
	b, _ = b.Step(Reloaded{}, noon, o)
	b, effects := b.Step(Fired{Alert: "one more", StartsAt: noon}, noon, o)
	want := []Effect{Refused{noon, "one more", "10000 firing intervals are remembered already; let this objective look at fewer alerts"}}
	if len(effects) != 1 || effects[0] != want[0] || b.Spans.Len() != MaxSpans {
		t.Errorf("%d remembered, %v", b.Spans.Len(), effects)
	}
	if data := text(t, b); len(data) > 600_000 {
		t.Errorf("a full Budget takes %d bytes", len(data))
	}
	for i := range MaxExcluded {
		b, effects = b.Step(Correction{ID: fmt.Sprint(i), From: noon, To: noon.Add(1)}, noon, o)
	}
	if len(effects) > 0 {
		t.Error(effects)
	}
	b, effects = b.Step(Correction{ID: "x", From: noon, To: noon.Add(1)}, noon, o)
	if len(effects) != 1 || effects[0] != (Refused{noon, "x", "256 corrections are remembered already; take one back"}) || len(b.Excluded) != MaxExcluded {
		t.Errorf("%d remembered, %v", len(b.Excluded), effects)
	}
}

func TestAFullBudgetPutsWhatIsOverTogether(t *testing.T) {
	o := objective(t, checkout)
	b := remembering(func(i int) (string, time.Time, time.Time) { // two alerts each time, that overlap
		from := noon.Add(time.Duration(i/2) * time.Minute)
		return fmt.Sprint(i % 2), from, from.Add(time.Duration(i%2+1) * time.Second)
	})
	now := noon.Add(MaxSpans / 2 * time.Minute)
	b, _ = b.Step(Reloaded{}, now, o)
	before := b.Bad(o, now, o.spec.Window)
	b, effects := b.Step(Fired{Alert: "a"}, now, o)
	if after := b.Bad(o, now, o.spec.Window); before.Cmp(after) != 0 || b.Spans.Len() != MaxSpans/2+1 {
		t.Errorf("%d intervals, %v bad, before %v; %v", b.Spans.Len(), after, before, effects)
	}
	restart(t, b)

	// Where all are apart the shortest gaps are closed, and somebody is told.
	at := noon
	b = remembering(func(i int) (string, time.Time, time.Time) {
		from := at
		at = at.Add(time.Minute + time.Duration(i%4)*time.Second)
		return "x", from, from.Add(time.Second)
	})
	b, _ = b.Step(Reloaded{}, at, o)
	before = b.Bad(o, at, o.spec.Window)
	b, effects = b.Step(Fired{Alert: "a"}, at, o)
	added := time.Duration(MaxSpans/4) * 59 * time.Second
	want := fmt.Sprintf("more than 10000 firing intervals: the shortest gaps between them, %s in all, count as bad from now on", added)
	if len(effects) == 0 || effects[0].(Annotated).Reason != want {
		t.Errorf("%v\nwant %s", effects, want)
	}
	after := b.Bad(o, at, o.spec.Window)
	if floor(after.Sub(after, before)) != int64(added) || b.Spans.Len() > MaxSpans*3/4+1 {
		t.Errorf("%d intervals, %v more bad than before, want %v", b.Spans.Len(), after, added)
	}
}
