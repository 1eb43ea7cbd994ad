package escalation

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestNextSaysWhenAndWhom(t *testing.T) {
	w := newWorld()
	w.onCall["second"] = func(now time.Time) []string {
		if now.Before(at("03:05")) {
			return []string{"old"}
		}
		return []string{"new", "eva"}
	}
	p := policy("ana 5m", "@nowhere 5m", "@second,#leads 5m", "bo,cy 5m")
	p.Steps[3].Assign = AssignRoundRobin
	w.turns["db4"] = 3
	s := tell(t, w, p)
	next := func(when string, who ...string) {
		t.Helper()
		var want time.Time
		if when != "" {
			want = at(when)
		}
		if got := s.p.NextAt(); !got.Equal(want) {
			t.Errorf("next at %v, want %v", got, want)
		}
		if got := s.p.NextWho(w); !slices.Equal(got, who) {
			t.Errorf("next %v, want %v", got, who)
		}
	}
	next("03:05", "new", "eva", "leads") // whoever is on call then; the empty step is passed over
	s.until("03:05")
	next("03:10", "cy")
	s.until("03:10")
	next("03:15", "cto")
	s.until("03:15")
	next("07:15", "cto")
	s.at("03:20", Snooze{For: time.Hour})
	next("04:20", "ana")
	s.at("03:30", Acked{By: "ana"})
	next("")
	s.at("03:31", Resolved{})
	next("")
	s.p = Page{}
	next("")
}

func TestNextWhoAtTheEndOfAWalk(t *testing.T) {
	p := policy("ana 5m", "@nowhere 5m")
	p.Repeat = 1
	s := tell(t, newWorld(), p)
	if got, want := s.p.NextWho(s.w), []string{"ana"}; !slices.Equal(got, want) {
		t.Errorf("next %v, want %v in the second walk", got, want)
	}
	s.until("03:05")
	if got, want := s.p.NextWho(s.w), []string{"cto"}; !slices.Equal(got, want) {
		t.Errorf("next %v, want %v", got, want)
	}
}

func TestTheZeroPageWaitsForBegin(t *testing.T) {
	for _, in := range everyInput() {
		if _, ok := in.(Begin); ok {
			continue
		}
		p, effects := Page{}.Step(in, threeAM, nil)
		if !reflect.DeepEqual(p, Page{}) || len(effects) > 0 {
			t.Errorf("%T: %+v, %v", in, p, effects)
		}
	}
}

func TestNobodyKnowsTheRoster(t *testing.T) {
	_, effects := Open(Begin{Incident: "INC-1", Policy: policy("ana 5m", "@primary 5m"), Paging: Paging{CatchAll: target("cto")}}, threeAM, nil)
	var got []string
	for _, e := range effects {
		got = append(got, describe(e))
	}
	want := []string{
		"step_skipped: ana has no contact method",
		"step_skipped: nobody on call in primary",
		"policy_exhausted: walk 1 of policy db reached nobody",
		"catch_all: walk 1 of policy db reached nobody; cto has no contact method",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestAUserWhoIsGoneAfterAReloadIsNotReached(t *testing.T) {
	w := newWorld()
	w.onCall["primary"] = always("bo")
	s := tell(t, w, policy("ana 5m", "@primary 5m", "cy 5m"))
	w.rules["bo"] = nil
	s.until("03:05").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 step_skipped: bo is on call in primary and has no contact method
		03:05 page cy.chat (3.1): step 2 reached nobody: bo is on call in primary and has no contact method`)
}

func TestATurnPointerMayBeAnything(t *testing.T) {
	p := policy("ana,bo,cy 5m")
	p.Steps[0].Assign = AssignRoundRobin
	for turn, want := range map[int]string{-1: "cy", -3: "ana", 1 << 62: "bo", -1 << 63: "bo"} {
		w := newWorld()
		w.turns["db1"] = turn
		page, _ := Open(Begin{Policy: p}, threeAM, w)
		if got := page.Paged(); !slices.Equal(got, []string{want}) {
			t.Errorf("turn %d paged %v, want %s", turn, got, want)
		}
	}
}

func TestAClockSetBackDoesNotDouble(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m", "bo 5m")).until("03:05")
	s.lines = nil
	for _, back := range []string{"03:04", "02:00", "03:05"} {
		s.now = at(back)
		s.step(Elapsed{})
	}
	s.want(``)
	s.now = at("02:00")
	s.step(Escalate{By: "zoe"})
	s.until("02:05").want(`
		02:00 escalated: escalated by zoe
		02:00 page ana.chat (1.2): escalated by zoe
		02:05 page bo.chat (2.2): no acknowledgement of step 1 in 5m`)
}

func TestDeadlinesMoveWithTheClock(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	s := tell(t, w, watched("ana 10m", "bo 5m")).until("03:01")
	s.now = at("02:01") // set back by an hour
	s.step(Shifted{By: -time.Hour})
	s.lines = nil
	s.until("02:10").want(`
		02:02 page ana.phone (1.1): no acknowledgement in 2m
		02:05 page ana.email (1.1): no acknowledgement in 5m
		02:10 page bo.chat (2.1): no acknowledgement of step 1 in 10m`)
	s.at("02:11", Acked{By: "ana"}).at("02:12", Shifted{By: time.Hour})
	if got, want := s.p.Due(), at("04:06"); !got.Equal(want) {
		t.Errorf("acknowledged: due %v, want %v", got, want)
	}
	s.at("02:13", Snooze{For: time.Hour}).at("02:14", Shifted{By: time.Minute})
	if got, want := s.p.SnoozedUntil(), at("03:14"); !got.Equal(want) {
		t.Errorf("snoozed until %v, want %v", got, want)
	}
}

func TestTimesAreKeptAsTheyReadBack(t *testing.T) {
	lisbon := time.FixedZone("WEST", 3600)
	p, _ := Open(Begin{Incident: "INC-1", Policy: policy("ana 5m")}, time.Now().In(lisbon), newWorld())
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Page
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, p) {
		t.Errorf("read back\n%+v, was\n%+v", back, p)
	}
}

func TestReadersGiveCopies(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m")).at("03:01", Acked{By: "ana"})
	s.p.Acks()[0] = "eve"
	s.p.Contacts()[0].User = "eve"
	if s.p.Acks()[0] != "ana" || s.p.Contacts()[0].User != "ana" {
		t.Error("what a reader gave away changed the page")
	}
}

func TestSpansReadAsInTheFile(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", -time.Second: "0s", 30 * time.Second: "30s", 5 * time.Minute: "5m", 90 * time.Second: "1m30s", time.Hour: "1h",
		90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 24 * time.Hour: "1d", 36 * time.Hour: "36h", 14 * 24 * time.Hour: "2w", 500 * time.Millisecond: "500ms",
	} {
		if got := span(d); got != want {
			t.Errorf("%d ns: %q, want %q", d, got, want)
		}
	}
}

// everyInput is one of each kind.
func everyInput() []Input {
	p := policy("bo 1m")
	return []Input{
		Begin{Incident: "INC-1", Severity: "sev2", Policy: p},
		Elapsed{},
		Acked{By: "ana"},
		Unacked{By: "ana"},
		Resolved{},
		Reopened{Severity: "sev1"},
		SeverityRaised{Severity: "sev1"},
		Escalate{By: "ana"},
		Reassign{By: "ana", Policy: &p},
		Replace{Policy: p},
		Snooze{By: "ana", For: time.Hour},
		AddResponder{By: "ana", User: "bo"},
		StopMine{By: "bo"},
		Activity{By: "ana"},
		Outcome{Key: "INC-1/1.1/ana.chat/1"},
		Paused{},
		Resumed{},
		Shifted{By: time.Hour},
		nil,
	}
}

func BenchmarkClimb(b *testing.B) {
	w := newWorld()
	p := policy("ana,bo 5m", "cy 5m", "#leads 5m")
	p.Repeat = Forever
	page, _ := Open(Begin{Incident: "INC-1", Severity: "sev1", Policy: p}, threeAM, w)
	for b.Loop() {
		page, _ = page.Step(Elapsed{}, page.Due(), w)
	}
}

func BenchmarkWokenEarly(b *testing.B) {
	w := newWorld()
	page, _ := Open(Begin{Incident: "INC-1", Severity: "sev1", Policy: policy("ana,bo 5m")}, threeAM, w)
	for b.Loop() {
		page, _ = page.Step(Elapsed{}, threeAM, w)
	}
}
