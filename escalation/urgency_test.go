package escalation

import (
	"testing"
	"time"
)

func TestUrgencyFollowsThePolicyOrTheSeverity(t *testing.T) {
	hours := &Hours{TimeZone: "Europe/Lisbon"}
	closed, open := newWorld(), newWorld()
	closed.opens, open.opens = "09:00-18:00", "02:00-18:00"
	for _, c := range []struct {
		urgency  Urgency
		severity string
		w        *world
		want     Urgency
	}{
		{UrgencyAuto, "sev1", nil, UrgencyHigh},
		{UrgencyAuto, "sev2", nil, UrgencyHigh},
		{UrgencyAuto, "sev3", nil, UrgencyLow},
		{UrgencyAuto, "sev4", nil, UrgencyLow},
		{UrgencyHigh, "sev4", nil, UrgencyHigh},
		{UrgencyLow, "sev1", nil, UrgencyLow},
		{UrgencySupportHours, "sev1", closed, UrgencyLow},
		{UrgencySupportHours, "sev4", open, UrgencyHigh},
	} {
		p := policy("ana 5m")
		p.Urgency, p.SupportHours = c.urgency, hours
		w := c.w
		if w == nil {
			w = newWorld()
		}
		page, _ := Open(Begin{Policy: p, Severity: c.severity}, threeAM, w)
		if got := page.Urgency(); got != c.want {
			t.Errorf("urgency %q of %s at 03:00: %s, want %s", c.urgency, c.severity, got, c.want)
		}
	}
	p := policy("ana 5m")
	p.Urgency = UrgencySupportHours
	if page, _ := Open(Begin{Policy: p, Severity: "sev4"}, threeAM, closed); page.Urgency() != UrgencyHigh {
		t.Error("support_hours without hours is low, want high: better to wake somebody")
	}
}

func TestNotifyOnlyEndsAfterTheFirstStepThatReachesSomebody(t *testing.T) {
	p := policy("@nowhere 5m", "ana 5m", "bo 5m")
	p.Urgency, p.LowUrgency, p.Repeat = UrgencyLow, LowNotifyOnly, Forever
	s := tell(t, newWorld(), p).until("+1 03:00").want(`
		03:00 step_skipped: nobody on call in nowhere
		03:00 page ana.chat (2.1): step 1 reached nobody: nobody on call in nowhere`)
	if got := s.p.NextWho(s.w); got != nil {
		t.Errorf("next %v, want nobody", got)
	}
	s.at("+1 04:00", Escalate{By: "ana"}).until("+1 05:00").want(`
		+1 04:00 escalated: escalated by ana
		+1 04:00 page bo.chat (3.1): escalated by ana`)
}

func TestNotifyOnlyThatReachesNobodyPagesCatchAll(t *testing.T) {
	w := newWorld()
	w.slow["ana.chat"] = true
	p := policy("@nowhere 5m", "ana 5m")
	p.Urgency, p.LowUrgency = UrgencyLow, LowNotifyOnly
	s := tell(t, w, p)
	s.lines = nil
	s.at("05:00", Outcome{Key: "INC-1/2.1/ana.chat/1", Reason: "404"}).until("05:01").want(`
		05:00 step_skipped: every page of it failed for good; chat failed: 404
		05:00 policy_exhausted: walk 1 of policy db reached nobody
		05:00 catch_all: walk 1 of policy db reached nobody
		05:00 page cto.chat: walk 1 of policy db reached nobody`)
}

func TestNotifyOnlyIsOnlyForLowUrgency(t *testing.T) {
	p := policy("ana 5m", "bo 5m")
	p.LowUrgency = LowNotifyOnly
	tell(t, newWorld(), p).until("03:05").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 page bo.chat (2.1): no acknowledgement of step 1 in 5m`)
}

func supportHours(steps ...string) Policy {
	p := policy(steps...)
	p.Urgency, p.SupportHours, p.LowUrgency = UrgencySupportHours, &Hours{}, LowNotifyOnly
	return p
}

func TestAnOpenLowIncidentBecomesHighWhenSupportHoursBegin(t *testing.T) {
	w := newWorld()
	w.opens = "09:00-18:00"
	w.low["ana"] = []Rule{{Via: []string{"email"}}}
	s := tell(t, w, supportHours("ana 5m", "bo 5m"))
	if got, want := s.p.Due(), at("09:00"); !got.Equal(want) {
		t.Errorf("due %v, want %v", got, want)
	}
	s.until("09:05").want(`
		03:00 page ana.email (1.1): step 1 of policy db began
		09:00 note: support hours began: urgency is high
		09:00 page ana.chat (1.1): support hours began
		09:05 page bo.chat (2.1): no acknowledgement of step 1 in 5m`)
	s.until("20:00")
	if got := s.p.Urgency(); got != UrgencyHigh {
		t.Errorf("after support hours: %s, want high: who was woken goes on being woken", got)
	}
}

func TestUrgencyDoesNotFall(t *testing.T) {
	w := newWorld()
	w.opens = "02:00-03:30"
	s := tell(t, w, supportHours("ana 5m")).at("03:40", SeverityRaised{Severity: "sev1"})
	if got := s.p.Urgency(); got != UrgencyHigh {
		t.Errorf("after support hours: %s, want high", got)
	}
	s.at("03:41", Resolved{}).at("03:42", Reopened{Severity: "sev1"})
	if got := s.p.Urgency(); got != UrgencyLow {
		t.Errorf("reopened after support hours: %s, want low", got)
	}
}

func TestSupportHoursDoNotTakeAnIncidentFromWhoHasIt(t *testing.T) {
	w := newWorld()
	w.opens = "09:00-18:00"
	s := tell(t, w, supportHours("ana 5m", "bo 5m")).at("03:01", Acked{By: "ana"})
	s.lines = nil
	s.until("09:30").want(`09:00 note: support hours began: urgency is high`)
	s.at("09:31", Unacked{By: "ana"}).want(`
		09:31 note: acknowledgement taken back by ana
		09:31 is triggered
		09:31 page ana.chat (1.1): support hours began`)
}

func TestSupportHoursDoNotEndASnooze(t *testing.T) {
	w := newWorld()
	w.opens = "09:00-18:00"
	s := tell(t, w, supportHours("ana 5m", "bo 5m")).at("03:01", Snooze{By: "ana", For: 7 * time.Hour})
	s.lines = nil
	s.until("10:06").want(`
		09:00 note: support hours began: urgency is high
		10:01 page ana.chat (1.1): the snooze by ana ended
		10:06 page bo.chat (2.1): no acknowledgement of step 1 in 5m`)
}

func TestSupportHoursAreLookedUpAgainWhenTheClockMoves(t *testing.T) {
	w := newWorld()
	w.opens = "09:00-18:00"
	s := tell(t, w, supportHours("ana 5m", "bo 5m"))
	s.lines = nil
	s.at("08:00", Shifted{By: 5 * time.Hour}).want(``)
	if got, want := s.p.Due(), at("09:00"); !got.Equal(want) {
		t.Errorf("due %v, want %v", got, want)
	}
	s.now = at("10:00")
	s.step(Shifted{By: 2 * time.Hour})
	s.want(`
		10:00 note: support hours began: urgency is high
		10:00 page ana.chat (1.1): support hours began`)
}

func TestReplaceAndReassignDecideUrgencyAnew(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m"))
	low := policy("bo 5m")
	low.Urgency = UrgencyLow
	s.at("03:01", Replace{Policy: low})
	if got := s.p.Urgency(); got != UrgencyLow {
		t.Errorf("replaced by a low policy: %s", got)
	}
	high := policy("bo 5m")
	high.Urgency = UrgencyHigh
	s.at("03:02", Reassign{Policy: &high})
	if got := s.p.Urgency(); got != UrgencyHigh {
		t.Errorf("reassigned to a high policy: %s", got)
	}
}
