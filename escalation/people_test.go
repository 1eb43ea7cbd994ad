package escalation

import (
	"slices"
	"testing"
	"time"
)

func TestResolveEndsEverything(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	w.slow["ana.chat"] = true
	s := tell(t, w, policy("ana 5m", "bo 5m")).at("03:01", Resolved{})
	s.at("03:02", Acked{By: "ana"})
	for _, in := range []Input{
		Elapsed{},
		Unacked{By: "ana"},
		SeverityRaised{Severity: "sev1"},
		Escalate{By: "bo"},
		Reassign{By: "bo", Target: target("bo")},
		Replace{Policy: policy("bo 1m")},
		Snooze{For: time.Minute},
		AddResponder{User: "bo"},
		StopMine{By: "ana"},
		Activity{By: "bo"},
		Outcome{Key: "INC-1/1.1/ana.chat/1"},
		Shifted{By: time.Hour},
		Begin{Incident: "INC-2"},
		Resolved{},
	} {
		s.at("03:03", in)
	}
	s.until("12:00").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 cancel INC-1/1.1/ana.chat/1
		03:02 note: acknowledged by ana, but it was already resolved`)
	if s.p.State() != Closed || !s.p.Due().IsZero() {
		t.Errorf("state %q, due %v; want resolved, never", s.p.State(), s.p.Due())
	}
}

func TestReopenedStartsFromStepOneAndForgets(t *testing.T) {
	p := policy("ana,bo 5m", "cy 5m")
	p.Steps[0].RequireAcks = 2
	s := tell(t, newWorld(), p).at("03:01", Acked{By: "ana"}).until("03:05").at("03:06", Resolved{})
	s.lines = nil
	s.at("03:10", Reopened{Severity: "sev3"}).at("03:11", Acked{By: "bo"}).until("03:15").want(`
		03:10 page ana.chat (1.1): the incident reopened
		03:10 page bo.chat (1.1): the incident reopened
		03:11 acknowledged: acknowledged by bo; 1 of 2 acknowledgements of step 1
		03:15 page cy.chat (2.1): no acknowledgement of step 1 in 5m`)
	if got, want := s.p.Urgency(), UrgencyLow; got != want {
		t.Errorf("urgency %s, want %s: it reopened as sev3", got, want)
	}
	s.at("03:16", Reopened{Severity: "sev1"}).until("03:16").want(``) // it is open
	s.at("03:17", Resolved{}).at("03:18", Reopened{Severity: "sev2"})
	if got, want := s.p.Paged(), []string{"ana", "bo"}; !slices.Equal(got, want) {
		t.Errorf("paged since it reopened: %v, want %v", got, want)
	}
}

func TestSeverityRaisedRestartsTheLadder(t *testing.T) {
	w := newWorld()
	w.low["ana"] = []Rule{{Via: []string{"email"}}}
	p := policy("ana 5m", "bo 5m")
	s := tell(t, w, p)
	s.p.Severity, s.p.High = "sev3", false
	s.until("03:05").at("03:07", SeverityRaised{Severity: "sev2"}).until("03:12").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 page bo.chat (2.1): no acknowledgement of step 1 in 5m
		03:07 page ana.chat (1.1): severity rose to sev2
		03:12 page bo.chat (2.1): no acknowledgement of step 1 in 5m`)
	s.at("03:13", Acked{By: "bo"}).at("03:14", SeverityRaised{Severity: "sev1"}).want(`
		03:13 acknowledged: acknowledged by bo
		03:13 is acknowledged
		03:14 is triggered
		03:14 page ana.chat (1.1): severity rose to sev1`)
	s.at("03:15", Snooze{By: "bo", For: time.Hour}).at("03:16", SeverityRaised{Severity: "sev1"}).want(`
		03:15 snoozed: snoozed by bo for 1h
		03:16 page ana.chat (1.1): severity rose to sev1`)
}

func TestEscalateBeginsTheNextStepNow(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m", "bo 10m")).at("03:01", Escalate{By: "zoe"}).until("03:10").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 escalated: escalated by zoe
		03:01 page bo.chat (2.1): escalated by zoe`)
	if got, want := s.p.Due(), at("03:11"); !got.Equal(want) {
		t.Errorf("due %v, want %v: counted from the actual begin", got, want)
	}
}

func TestEscalateAfterTheLastStepIsTheFirst(t *testing.T) {
	p := policy("ana 5m", "bo 10m")
	p.RepeatFrom = 2
	tell(t, newWorld(), p).at("03:01", Escalate{}).at("03:02", Escalate{By: "zoe"}).until("03:07").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 escalated: escalated
		03:01 page bo.chat (2.1): escalated
		03:02 escalated: escalated by zoe
		03:02 page ana.chat (1.2): escalated by zoe
		03:07 page bo.chat (2.2): no acknowledgement of step 1 in 5m`)
}

func TestEscalateIntoAWalkThatReachesNobody(t *testing.T) {
	w := newWorld()
	w.onCall["primary"] = func(now time.Time) []string {
		if now.Before(at("03:01")) {
			return []string{"ana"}
		}
		return nil
	}
	p := policy("@primary 5m")
	p.Repeat = Forever
	tell(t, w, p).at("03:02", Escalate{By: "zoe"}).want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:02 escalated: escalated by zoe
		03:02 step_skipped: nobody on call in primary
		03:02 policy_exhausted: walk 2 of policy db reached nobody
		03:02 catch_all: walk 2 of policy db reached nobody
		03:02 page cto.chat: walk 2 of policy db reached nobody`)
}

func TestEscalateFromAcknowledgedSnoozedAndEnded(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m", "bo 5m")).at("03:01", Acked{By: "ana"}).at("03:02", Escalate{By: "ana"}).want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 acknowledged: acknowledged by ana
		03:01 is acknowledged
		03:02 escalated: escalated by ana
		03:02 is triggered
		03:02 page bo.chat (2.1): escalated by ana`)
	s.at("03:03", Snooze{By: "bo", For: time.Hour}).at("03:04", Escalate{By: "bo"}).want(`
		03:03 snoozed: snoozed by bo for 1h
		03:04 escalated: escalated by bo
		03:04 page ana.chat (1.2): escalated by bo`)
	s.until("03:14")
	s.lines = nil
	s.at("03:20", Escalate{By: "cto"}).until("03:25").want(`
		03:20 escalated: escalated by cto
		03:20 page ana.chat (1.1): escalated by cto
		03:25 page bo.chat (2.1): no acknowledgement of step 1 in 5m`)
}

func TestEscalateWithOverdueStepBeginsOne(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m", "bo 5m", "cy 5m"))
	s.now = at("03:08") // late
	s.step(Escalate{By: "zoe"})
	s.until("03:12").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:08 escalated: escalated by zoe
		03:08 page bo.chat (2.1): escalated by zoe`)
}

func TestReassignToAPerson(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	s := tell(t, w, watched("ana 5m", "bo 5m")).at("03:01", Acked{By: "ana"})
	s.lines = nil
	s.at("03:02", Reassign{By: "ana", Target: target("cy")}).until("03:17").want(`
		03:02 reassigned: reassigned to cy by ana
		03:02 is triggered
		03:02 page cy.chat (1.1): reassigned to cy by ana
		03:17 policy_exhausted: no acknowledgement in 1 walk of the reassigned ladder
		03:17 catch_all: no acknowledgement in 1 walk of the reassigned ladder
		03:17 page cto.chat: no acknowledgement in 1 walk of the reassigned ladder`)
	s.at("03:18", Acked{By: "cto"})
	if got, want := s.p.Due(), at("04:13"); !got.Equal(want) {
		t.Errorf("due %v, want %v: ack_timeout still holds", got, want)
	}
}

func TestReassignToAPolicyOrSchedule(t *testing.T) {
	w := newWorld()
	w.onCall["second"] = always("di", "eva")
	w.rules["ana"] = ladderOfMethods()
	other := policy("zoe 7m", "bo 7m")
	other.Name = "net"
	s := tell(t, w, policy("ana 5m")).at("03:01", Reassign{By: "ana", Policy: &other}).until("03:08").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 reassigned: reassigned to policy net by ana
		03:01 page zoe.chat (1.1): reassigned to policy net by ana
		03:08 page bo.chat (2.1): no acknowledgement of step 1 in 7m`)
	s.at("03:09", Reassign{Target: target("@second")}).until("03:10").want(`
		03:09 reassigned: reassigned to schedule second
		03:09 page di.chat (1.1): reassigned to schedule second
		03:09 page eva.chat (1.1): reassigned to schedule second`)
	due := s.p.Due()
	s.at("03:11", Reassign{By: "ana"}).want(``)
	if !s.p.Due().Equal(due) {
		t.Errorf("reassigned to nobody: due moved to %v", s.p.Due())
	}
}

func TestReassignOfANotifyOnlyIncidentEndsAtCatchAll(t *testing.T) {
	p := policy("ana 5m")
	p.Urgency, p.LowUrgency = UrgencyLow, LowNotifyOnly
	s := tell(t, newWorld(), p).at("04:00", Reassign{By: "ana", Target: target("bo")}).until("04:15")
	s.want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		04:00 reassigned: reassigned to bo by ana
		04:00 page bo.chat (1.1): reassigned to bo by ana
		04:15 policy_exhausted: no acknowledgement in 1 walk of the reassigned ladder
		04:15 catch_all: no acknowledgement in 1 walk of the reassigned ladder
		04:15 page cto.chat: no acknowledgement in 1 walk of the reassigned ladder`)
}

func TestReplaceKeepsTheStepAndTheTime(t *testing.T) {
	other := policy("x 1m", "zoe 2m", "y 2m")
	other.Name = "new"
	tell(t, newWorld(), policy("ana 5m", "bo 5m")).at("03:03", Replace{By: "cto", Policy: other}).until("03:07").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:03 note: policy db replaced by policy new by cto
		03:05 page zoe.chat (2.1): no acknowledgement of step 1 in 5m
		03:07 page y.chat (3.1): no acknowledgement of step 2 in 2m`)

	s := tell(t, newWorld(), policy("ana 5m")).until("03:05")
	s.lines = nil
	s.at("03:06", Replace{Policy: other}).until("03:07").want(`
		03:06 note: policy db replaced by policy new
		03:06 page x.chat (1.1): step 1 of policy new began
		03:07 page zoe.chat (2.1): no acknowledgement of step 1 in 1m`)
}

func TestReplaceBringsItsAckTimeout(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m")).at("03:01", Acked{By: "ana"}).at("03:02", Replace{By: "ana", Policy: watched("ana 5m")})
	if got, want := s.p.Due(), at("03:57"); !got.Equal(want) {
		t.Errorf("due %v, want %v", got, want)
	}
}

func TestReplaceByAPolicyWithoutSteps(t *testing.T) {
	p := policy("ana 5m")
	p.Repeat = Forever
	empty := policy()
	empty.Repeat = Forever
	s := tell(t, newWorld(), p).at("03:01", Replace{Policy: empty})
	s.lines = nil
	s.until("03:10").want(`
		03:05 policy_exhausted: no acknowledgement in 1 walk of policy db
		03:05 catch_all: no acknowledgement in 1 walk of policy db
		03:05 page cto.chat: no acknowledgement in 1 walk of policy db`)
}

func TestReplaceByAShorterPolicy(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m", "bo 5m", "cy 5m")).until("03:10")
	s.lines = nil
	s.at("03:11", Replace{Policy: policy("ana 5m")}).until("03:15").want(`
		03:11 note: policy db replaced by policy db
		03:15 policy_exhausted: no acknowledgement in 1 walk of policy db
		03:15 catch_all: no acknowledgement in 1 walk of policy db
		03:15 page cto.chat: no acknowledgement in 1 walk of policy db`)
}

func TestSnoozeLetsNothingPageUntilItEnds(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	s := tell(t, w, watched("ana 5m", "bo 5m")).at("03:01", Snooze{By: "ana", For: 30 * time.Minute})
	if got, want := s.p.SnoozedUntil(), at("03:31"); !got.Equal(want) {
		t.Errorf("snoozed until %v, want %v", got, want)
	}
	s.until("03:31").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 snoozed: snoozed by ana for 30m
		03:31 page ana.chat (1.1): the snooze by ana ended`)

	s.at("03:32", Acked{By: "ana"}).at("03:33", Snooze{By: "ana", For: 2 * time.Hour}).until("05:32")
	if s.p.State() != Acknowledged {
		t.Errorf("state %q, want acknowledged until the snooze ends", s.p.State())
	}
	s.until("05:33").want(`
		03:32 acknowledged: acknowledged by ana
		03:32 is acknowledged
		03:33 snoozed: snoozed by ana for 2h
		05:33 is triggered
		05:33 page ana.chat (1.1): the snooze by ana ended`)
	due := s.p.Due()
	s.at("05:34", Snooze{By: "ana", For: -time.Hour}).want(``)
	if !s.p.Due().Equal(due) {
		t.Errorf("snoozed for less than nothing: due moved to %v", s.p.Due())
	}
}

func TestASecondAckDoesNotEndASnooze(t *testing.T) {
	s := tell(t, newWorld(), watched("ana 5m")).at("03:01", Acked{By: "ana"}).at("03:02", Snooze{By: "ana", For: 3 * time.Hour})
	s.at("03:10", Acked{By: "bo"}).at("03:11", Unacked{By: "bo"})
	if got, want := s.p.Due(), at("06:02"); !got.Equal(want) {
		t.Errorf("due %v, want %v: neither the warning nor the end of the acknowledgement comes first", got, want)
	}
	s.at("03:12", Unacked{By: "ana"})
	if got, want := s.p.Due(), at("06:02"); s.p.State() != Triggered || !got.Equal(want) {
		t.Errorf("%s, due %v; want triggered, %v", s.p.State(), got, want)
	}
}

func TestAckEndsASnooze(t *testing.T) {
	tell(t, newWorld(), policy("ana 5m")).at("03:01", Snooze{By: "ana", For: time.Hour}).
		at("03:10", Acked{By: "bo"}).until("09:00").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 snoozed: snoozed by ana for 1h
		03:10 acknowledged: acknowledged by bo
		03:10 is acknowledged`)
}

func TestResponderIsPagedBesideTheLadder(t *testing.T) {
	w := newWorld()
	w.rules["di"] = ladderOfMethods()
	s := tell(t, w, watched("ana 5m")).at("03:01", Acked{By: "ana"}).at("03:30", AddResponder{By: "ana", User: "di"})
	s.until("03:32").at("03:33", StopMine{By: "di"}).until("04:00").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 acknowledged: acknowledged by ana
		03:01 is acknowledged
		03:30 note: di was added as a responder by ana
		03:30 page di.chat: added as a responder by ana
		03:32 page di.phone: no acknowledgement in 2m
		03:33 note: di stopped their own paging`)
	if got, want := s.p.Due(), at("04:28"); !got.Equal(want) {
		t.Errorf("due %v, want %v: people were at work at 03:33", got, want)
	}
	s.at("04:00", StopMine{By: "di"}).at("04:00", StopMine{By: "ana"}).want(``)
}

func TestAResponderMayAcknowledgeInstead(t *testing.T) {
	w := newWorld()
	w.rules["di"] = ladderOfMethods()
	w.rules["eva"] = ladderOfMethods()
	s := tell(t, w, policy("ana 5m")).at("03:01", Acked{By: "ana"})
	s.at("03:02", AddResponder{User: "di"}).at("03:02", AddResponder{User: "eva"})
	s.lines = nil
	s.at("03:03", Acked{By: "di"}).until("03:04").want(`
		03:03 acknowledged: acknowledged again by di
		03:04 page eva.phone: no acknowledgement in 2m`)
}

func TestAResponderIsPagedDuringASnooze(t *testing.T) {
	tell(t, newWorld(), policy("ana 5m")).at("03:01", Snooze{By: "ana", For: time.Hour}).
		at("03:02", AddResponder{By: "ana", User: "di"}).until("03:10").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 snoozed: snoozed by ana for 1h
		03:02 note: di was added as a responder by ana
		03:02 page di.chat: added as a responder by ana`)
}

func TestAResponderWhoCannotBePaged(t *testing.T) {
	w := newWorld()
	w.rules["di"] = nil
	s := tell(t, w, policy("ana 5m")).at("03:01", AddResponder{By: "ana", User: "di"}).at("03:01", AddResponder{By: "ana"})
	s.until("03:04").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 note: di cannot be added as a responder: di has no contact method`)
}

func TestAResponderWhomTheStepPagesStillCountsForIt(t *testing.T) {
	w := newWorld()
	w.slow["ana.chat"] = true
	s := tell(t, w, policy("ana 5m", "bo 5m")).at("03:01", AddResponder{By: "zoe", User: "ana"})
	s.at("03:02", Outcome{Key: "INC-1/responder/ana.chat/2", Reason: "404"}).until("03:03").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 note: ana was added as a responder by zoe
		03:01 cancel INC-1/1.1/ana.chat/1
		03:01 page ana.chat: added as a responder by zoe
		03:02 step_skipped: every page of it failed for good; chat failed: 404
		03:02 page bo.chat (2.1): step 1 reached nobody: every page of it failed for good; chat failed: 404`)
}

func TestPausedPagesNobodyAndResumedCatchesUp(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	t.Run("fell due meanwhile", func(t *testing.T) {
		s := tell(t, w, policy("ana 10m", "bo 10m")).at("03:01", Paused{Reason: "silence by ana"})
		if !s.p.Due().IsZero() || !s.p.NextAt().IsZero() || !s.p.IsPaused() {
			t.Errorf("paused: due %v, next %v, want never", s.p.Due(), s.p.NextAt())
		}
		if got, want := s.p.NextWho(w), []string{"bo"}; !slices.Equal(got, want) {
			t.Errorf("next %v, want %v", got, want)
		}
		s.at("03:02", Paused{}).at("03:30", Resumed{}).until("03:40").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 note: paging is paused: silence by ana
		03:30 note: paging goes on
		03:30 page ana.phone (1.1): no acknowledgement in 2m
		03:30 page ana.email (1.1): no acknowledgement in 5m
		03:30 page bo.chat (2.1): no acknowledgement of step 1 in 10m
		03:40 policy_exhausted: no acknowledgement in 1 walk of policy db
		03:40 catch_all: no acknowledgement in 1 walk of policy db
		03:40 page cto.chat: no acknowledgement in 1 walk of policy db`)
	})
	t.Run("not yet due", func(t *testing.T) {
		tell(t, newWorld(), policy("ana 10m", "bo 10m")).at("03:01", Paused{}).at("03:04", Resumed{}).at("03:05", Resumed{}).until("03:10").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 note: paging is paused
		03:04 note: paging goes on
		03:10 page bo.chat (2.1): no acknowledgement of step 1 in 10m`)
	})
	t.Run("resolved meanwhile", func(t *testing.T) {
		s := tell(t, w, policy("ana 10m")).at("03:01", Paused{}).at("03:02", Resolved{}).at("03:03", Resumed{}).at("03:04", Reopened{Severity: "sev2"})
		if s.p.IsPaused() {
			t.Error("the silence ended while it was resolved, yet it is still paused")
		}
		s.at("03:05", Resolved{}).at("03:06", Paused{}).at("03:07", Reopened{Severity: "sev2"})
		if !s.p.Due().IsZero() {
			t.Errorf("reopened in a silence: due %v, want never", s.p.Due())
		}
	})
	t.Run("what people do waits", func(t *testing.T) {
		s := tell(t, newWorld(), policy("ana 10m", "bo 10m")).at("03:01", Paused{})
		s.at("03:02", Escalate{By: "zoe"}).at("03:03", AddResponder{By: "zoe", User: "di"}).at("03:04", Escalate{By: "zoe"})
		s.lines = nil
		s.at("03:05", Resumed{}).want(`
		03:05 note: paging goes on
		03:05 page di.chat: added as a responder by zoe
		03:05 page bo.chat (2.1): escalated by zoe`)
	})
	t.Run("a failure waits", func(t *testing.T) {
		w := newWorld()
		w.slow["ana.chat"] = true
		s := tell(t, w, policy("ana 10m", "bo 10m")).at("03:01", Paused{})
		s.at("03:02", Outcome{Key: "INC-1/1.1/ana.chat/1", Reason: "404"}).at("03:05", Resumed{}).want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 note: paging is paused
		03:02 step_skipped: every page of it failed for good; chat failed: 404
		03:05 note: paging goes on
		03:05 page bo.chat (2.1): step 1 reached nobody: every page of it failed for good; chat failed: 404`)
	})
}
