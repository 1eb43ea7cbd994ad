package incident

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var anyInput = rapid.Custom(func(t *rapid.T) Input {
	severity := rapid.SampledFrom([]string{"sev1", "sev2", "sev3", "sev4", ""})
	who := rapid.SampledFrom([]string{"ana", "bo"})
	switch rapid.IntRange(0, 8).Draw(t, "what") {
	case 0:
		b := begun
		b.Severity = severity.Draw(t, "severity")
		b.AutoResolve = rapid.Bool().Draw(t, "auto_resolve")
		return b
	case 1, 2:
		return Joined{Severity: severity.Draw(t, "severity"), Count: rapid.IntRange(1, 3).Draw(t, "count"), Names: "more"}
	case 3:
		return AckedNow{By: who.Draw(t, "who")}
	case 4:
		return TriggeredAgain{}
	case 5:
		return Cleared{}
	case 6:
		return Ended{By: who.Draw(t, "who"), Reason: "fixed"}
	case 7:
		return Back{Severity: severity.Draw(t, "severity"), Reason: "again"}
	default:
		return Renamed{Policy: "web"}
	}
})

// TestPromises holds any life of an incident against what must always be so.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i, _ := Incident{}.Step(begun, three)
		started := 1
		now := three
		for _, in := range rapid.SliceOfN(anyInput, 0, 30).Draw(t, "life") {
			now = now.Add(time.Minute)
			before := stored(t, i)
			next, effects := i.Step(in, now)
			if stored(t, i) != before {
				t.Fatalf("%s changed the value it was given", name(in))
			}
			twin, again := read(t, before).Step(in, now)
			if stored(t, twin) != stored(t, next) || !reflect.DeepEqual(effects, again) {
				t.Fatalf("%s after a restart: %s %v\nwithout: %s %v", name(in), describe(twin), again, describe(next), effects)
			}
			hold(t, in, i, next, effects)
			for _, e := range effects {
				switch e.(type) {
				case StartLadder, RestartLadder:
					started++
				case StopLadder:
					started--
				}
			}
			if started != map[bool]int{true: 1, false: 0}[next.Open()] {
				t.Fatalf("%s: %s, and its ladder was started %d times more than stopped", name(in), describe(next), started)
			}
			i = next
		}
	})
}

func hold(t *rapid.T, in Input, was, is Incident, effects []Effect) {
	fatal := func(what string) {
		t.Helper()
		t.Fatalf("%s: %s: from %s\nto %s, %v", name(in), what, describe(was), describe(is), effects)
	}
	_, back := in.(Back)
	switch {
	case is.Number != was.Number, is.Identity != was.Identity, !is.OpenedAt.Equal(was.OpenedAt):
		fatal("another incident")
	case Higher(was.Severity, is.Severity) && !back:
		fatal("severity fell")
	case is.Open() != is.ResolvedAt.IsZero():
		fatal("open and resolved")
	case is.Held && (is.Open() || !is.Firing):
		fatal("held for nothing")
	case is.Status == Triggered && (is.AckedBy != "" || !is.AckedAt.IsZero()):
		fatal("triggered and acknowledged")
	case is.Status == Acked && (is.AckedBy == "" || is.AckedAt.IsZero()):
		fatal("acknowledged by nobody")
	case was.Open() && is.Open() && back && len(effects) > 0:
		fatal("reopened though open")
	case !was.Open() && is.Open() && !back:
		fatal("reopened by itself")
	case was.Open() && !is.Open() && effects[len(effects)-1] != StopLadder{}:
		fatal("resolved, and paging goes on")
	}
	for _, e := range effects {
		if h, ok := e.(Happened); ok && (h.Event.Incident != is.ID() || h.Event.At.IsZero() || h.Event.Kind == "") {
			fatal("a nameless event")
		}
	}
}

func stored(t *rapid.T, i Incident) string {
	data, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func read(t *rapid.T, data string) (i Incident) {
	if err := json.Unmarshal([]byte(data), &i); err != nil {
		t.Fatal(err)
	}
	return i
}
