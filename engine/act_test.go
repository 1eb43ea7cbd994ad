package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
)

func TestWhatIsRefusedSaysHowToMendIt(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.fire("alertname", "Disk")
	w.run(time.Minute)
	w.must(Action{Verb: Resolve, Incident: "INC-2", By: "ana"})
	w.fire("alertname", "Net")
	w.run(2 * time.Minute)
	before := w.story()
	for _, test := range []struct {
		a                 Action
		code, field, want string
	}{
		{Action{Verb: Acknowledge, Incident: "INC-1", By: strings.Repeat("ö", 201)}, "invalid", "by", `"by" is longer than 200 characters`},
		{Action{Verb: AddNote, Incident: "INC-1", Text: strings.Repeat("ö", 10_001)}, "invalid", "note", "the text is longer than 10000 characters"},
		{Action{Verb: AddNote, Incident: "INC-1"}, "invalid", "note", "the note is empty; write what you found"},
		{Action{Verb: AddNote, Incident: "INC-2"}, "invalid", "note", "the note is empty; write what you found"},
		{Action{Verb: Acknowledge}, "invalid", "incident", "2 incidents are open; say which one"},
		{Action{Verb: Acknowledge, Incident: "db"}, "invalid", "incident", `"db" is not an incident; incidents are called INC-1, INC-2, …`},
		{Action{Verb: Acknowledge, Incident: "INC-9"}, "not_found", "incident", "there is no incident INC-9"},
		{Action{Verb: "bless", Incident: "INC-1"}, "invalid", "verb", `nobody can "bless" an incident`},
		{Action{Verb: Unacknowledge, Incident: "INC-1"}, "conflict", "", "INC-1 is not acknowledged; there is nothing to undo"},
		{Action{Verb: Escalate, Incident: "INC-2"}, "conflict", "", "INC-2 is resolved; it opens again only if its alerts fire again"},
		{Action{Verb: Unacknowledge, Incident: "INC-2"}, "conflict", "", "INC-2 is resolved; it opens again only if its alerts fire again"},
		{Action{Verb: Snooze, Incident: "INC-1"}, "invalid", "for", "snooze for between 1s and 720h0m0s, not 0s"},
		{Action{Verb: Snooze, Incident: "INC-1", For: 31 * 24 * time.Hour}, "invalid", "for", "snooze for between 1s and 720h0m0s, not 744h0m0s"},
		{Action{Verb: AddResponder, Incident: "INC-1", User: "dan"}, "invalid", "user", `there is no user "dan"; known are: ana, bo, cto, cy, eva`},
		{Action{Verb: Reassign, Incident: "INC-1", Policy: "x"}, "invalid", "to", `there is no policy "x"; known are: crew, two`},
		{Action{Verb: Reassign, Incident: "INC-1", To: &escalation.Target{User: "dan"}}, "invalid", "to", `there is no user "dan"; known are: ana, bo, cto, cy, eva`},
		{Action{Verb: Reassign, Incident: "INC-1", To: &escalation.Target{Schedule: "x"}}, "invalid", "to", `there is no schedule "x"; known are: weekly`},
		{Action{Verb: Reassign, Incident: "INC-1", To: &escalation.Target{}}, "invalid", "to", "reassign to a user, a schedule or a policy"},
	} {
		var mine *Error
		if got := w.act(test.a); !errors.As(got.Err, &mine) || mine.Code != test.code || mine.Field != test.field || mine.Message != test.want {
			t.Errorf("%+v:\ngot  %#v\nwant %s, %s, %s", test.a.Verb, got.Err, test.code, test.field, test.want)
		}
	}
	var mine *Error
	if a := w.turn(Action{Verb: Acknowledge, Incident: "INC-1"})[0]; !errors.As(a.Err, &mine) || mine.Message != `say who you are: "by" is empty` {
		t.Errorf("by nobody: %v", a.Err)
	}
	if after := w.story(); after != before {
		t.Errorf("what is refused left a trace:\n%s", strings.TrimPrefix(after, before))
	}
}

func TestOverridesThatDoNotFit(t *testing.T) {
	w := newWorld(t, house(), 1)
	for _, test := range []struct {
		o    Override
		want string
	}{
		{Override{Schedule: "x"}, `there is no schedule "x"; known are: weekly`},
		{Override{Schedule: "weekly", Override: oncall.Override{Kind: oncall.Take, User: "ana", Layer: "x", Start: night, End: night.Add(time.Hour)}}, ""},
		{Override{Schedule: "weekly", Override: oncall.Override{Kind: oncall.Take, Start: night, End: night}}, ""},
	} {
		var mine *Error
		if a := w.turn(test.o)[0]; !errors.As(a.Err, &mine) || mine.Code != "invalid" || test.want != "" && mine.Message != test.want {
			t.Errorf("%+v: %v", test.o, a.Err)
		}
	}
	if n := len(w.e.core.overrides["weekly"].list); n > 0 {
		t.Errorf("%d of them are kept", n)
	}
}

// TestAnOverrideOfALayerThatIsGone is left out, it alone, and comes back with its layer.
func TestAnOverrideOfALayerThatIsGone(t *testing.T) {
	w := newWorld(t, house(), 1)
	hour := func(o oncall.Override) oncall.Override { o.Start, o.End = night, night.Add(time.Hour); return o }
	for _, o := range []oncall.Override{{Kind: oncall.Take, User: "bo", Layer: "base"}, {Kind: oncall.Add, User: "eva"}} {
		if a := w.turn(Override{Schedule: "weekly", Override: hour(o)})[0]; a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	on := func() []string { return w.e.OnCall(night.Add(time.Minute))[0].Answer.Users() }
	if got := on(); !slices.Equal(got, []string{"bo", "eva"}) {
		t.Errorf("on call are %v", got)
	}
	renamed := house(func(cfg *Config) { cfg.Schedules["weekly"] = weekly("weekly", "renamed") })
	w.turn(Reload{Config: renamed})
	if got := on(); !slices.Contains(got, "eva") || slices.Contains(got, "bo") {
		t.Errorf("without the layer on call are %v", got)
	}
	w.cfg = renamed
	w.crash(0)
	w.turn(Reload{Config: house()})
	if got := on(); !slices.Equal(got, []string{"bo", "eva"}) {
		t.Errorf("with the layer again on call are %v", got)
	}
}

// TestOneOfTwoTakesItBack: the other has it then, since when they both had it.
func TestOneOfTwoTakesItBack(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	w.must(Action{Verb: Acknowledge, By: "bo"})
	w.run(2 * time.Minute)
	w.must(Action{Verb: Acknowledge, By: "ana"})
	if i := w.is(1); i.AckedBy != "bo" {
		t.Errorf("it is %s's", i.AckedBy)
	}
	i := w.must(Action{Verb: Unacknowledge, By: "bo"})
	if i.Status != incident.Acked || i.AckedBy != "ana" || !i.AckedAt.Equal(night.Add(time.Minute)) {
		t.Errorf("it is %s by %s at %s", i.Status, i.AckedBy, i.AckedAt)
	}
	var mine *Error
	if a := w.act(Action{Verb: Unacknowledge, By: "eva"}); !errors.As(a.Err, &mine) || mine.Code != "conflict" || mine.Field != "by" {
		t.Errorf("eva took back what she did not give: %v", a.Err)
	}
	i = w.must(Action{Verb: Unacknowledge, By: "ana"})
	if i.Status != incident.Triggered || i.AckedBy != "" {
		t.Errorf("it is %s by %q", i.Status, i.AckedBy)
	}
}

// TestWhoAcknowledgedFirstAndAgain: after an escalation it is whoever acknowledges then who has it.
func TestWhoAcknowledgedFirstAndAgain(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	w.must(Action{Verb: Acknowledge, By: "ana"})
	w.must(Action{Verb: Acknowledge, By: "bo"})
	w.must(Action{Verb: Escalate, By: "bo"})
	if i := w.must(Action{Verb: Acknowledge, By: "ana"}); i.AckedBy != "ana" {
		t.Errorf("ana acknowledged, and it is %s's", i.AckedBy)
	}
}

func TestLateActionsOnAnIncidentOfLongAgo(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	w.resolve("alertname", "Lag")
	w.run(3 * time.Hour)
	if w.e.core.live[1] != nil {
		t.Fatal("INC-1 is still in memory")
	}
	if i := w.must(Action{Verb: Acknowledge, Incident: "inc-1", By: "ana"}); i.Status != incident.Resolved {
		t.Errorf("INC-1 is %s", i.Status)
	}
	w.must(Action{Verb: AddNote, Incident: "1", By: "ana", Text: "it was the backup"})
	timeline, _ := w.e.Timeline(ctx(), 1)
	last := timeline[len(timeline)-2:]
	if last[0].Text != "acknowledged after it was resolved" || last[1].Text != "it was the backup" {
		t.Errorf("%+v", last)
	}
}

// TestSeverityByTemplate: each alert is mapped by itself, with the labels of its group at hand, at opening and at joining
// alike; a changed annotation may raise it.
func TestSeverityByTemplate(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		ic := cfg.Incidents["two"]
		ic.Severity = func(s Subject) string {
			if len(s.Alerts) != 1 {
				t.Errorf("%d alerts are mapped at once", len(s.Alerts))
			}
			if s.GroupLabels["alertname"] == "" {
				t.Errorf("of group %v", s.GroupLabels)
			}
			return s.Alerts[0].Annotations.Get("sev")
		}
		cfg.Incidents["two"] = ic
	}), 1)
	post := func(host, sev string) {
		a := alerts("alertname", "Lag", "host", host)
		a[0].Annotations = set("sev", sev)
		w.post(a...)
	}
	post("a", "sev4")
	post("b", "sev3")
	w.run(time.Minute)
	severity := func(when, want string) {
		t.Helper()
		if i := w.is(1); i.Severity != want {
			t.Errorf("%s it is %s, want %s", when, i.Severity, want)
		}
	}
	severity("opened", "sev3")
	post("c", "sev4")
	severity("after a lower one joined", "sev3")
	post("d", "none of ours") // the table's sev2
	severity("after one joined that the template does not map", "sev2")
	w.run(2 * time.Minute)
	post("a", "sev1")
	severity("after one of them became worse", "sev1")
	post("a", "sev4")
	severity("after it became better", "sev1")
	same(t, w.story(incident.SeverityChanged), "1m0s severity_changed INC-1 sev2\n2m0s severity_changed INC-1 sev1")
}

// TestOnePostIsHeardOnce: what comes and goes in one POST, in any order, is one line, and no incident ends on the way.
func TestOnePostIsHeardOnce(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag", "host", "a")
	w.run(time.Minute)
	over := alerts("alertname", "Lag", "host", "a")
	over[0].EndsAt = w.wall()
	again := alerts("alertname", "Lag", "host", "a")
	again[0].StartsAt = w.wall()

	// It ended, and fires again.
	w.post(over[0], again[0])
	w.settle()
	if !w.is(1).Open() {
		t.Fatal("INC-1 ended though its alert fires")
	}
	// It ended, and two others fire.
	w.elapsed += time.Second
	gone := *over[0]
	gone.EndsAt = w.wall()
	w.post(&gone, alerts("alertname", "Lag", "host", "b")[0], alerts("alertname", "Lag", "host", "c")[0])
	w.settle()
	if !w.is(1).Open() {
		t.Fatal("INC-1 ended though two of its alerts fire")
	}
	same(t, w.story(incident.Note, incident.ResolvedEvent), "1m1s note INC-1")
	timeline, _ := w.e.Timeline(ctx(), 1)
	if got := timeline[len(timeline)-1].Text; got != `2 more alerts: {alertname="Lag", host="b"}, {alertname="Lag", host="c"}` {
		t.Errorf("the timeline says %s", got)
	}
}

// TestHeldThroughARestart: resolved by hand while it fires, it stays so over restarts, until its alerts were clear.
func TestHeldThroughARestart(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.onStart = (*world).holdRestart
	w.fire("alertname", "Lag", "host", "a")
	w.run(time.Minute)
	w.must(Action{Verb: Resolve, Incident: "INC-1", By: "ana"})
	w.crash(time.Minute)
	w.run(time.Hour)
	w.fire("alertname", "Lag", "host", "b")
	w.run(70 * time.Minute)
	w.crash(time.Minute)
	w.resolve("alertname", "Lag", "host", "a")
	w.run(80 * time.Minute)
	if i := w.is(1); !i.Held || w.e.core.last != 1 {
		t.Errorf("INC-1 is held: %v, and there are %d incidents", i.Held, w.e.core.last)
	}
	w.resolve("alertname", "Lag", "host", "b")
	w.run(90 * time.Minute)
	if i := w.is(1); i.Held || w.e.core.live[1] != nil {
		t.Errorf("clear at last, INC-1 is held: %v, and still remembered", i.Held)
	}
	w.fire("alertname", "Lag", "host", "a")
	w.run(100 * time.Minute)
	same(t, w.story(incident.Opened, incident.Reopened), "30s incident_opened INC-1 sev2\n1h30m30s incident_opened INC-2 sev2")
}
