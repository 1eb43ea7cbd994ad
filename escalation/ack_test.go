package escalation

import (
	"slices"
	"testing"
	"time"
)

func TestAckStopsTheLadderAndEverybodysRules(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	s := tell(t, w, policy("ana 1m", "bo 10m")).at("03:01:30", Acked{By: "bo"})
	if !s.p.Due().IsZero() {
		t.Errorf("due at %v, want never", s.p.Due())
	}
	s.until("09:00").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 page bo.chat (2.1): no acknowledgement of step 1 in 1m
		03:01:30 acknowledged: acknowledged by bo
		03:01:30 is acknowledged`)
	if got := s.p.State(); got != Acknowledged {
		t.Errorf("state %q", got)
	}
}

func TestAnAckAtTheDueInstantStopsTheStep(t *testing.T) {
	tell(t, newWorld(), policy("ana 5m", "bo 10m")).at("03:05", Acked{By: "ana"}).want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 acknowledged: acknowledged by ana
		03:05 is acknowledged`)
}

func TestAckTakesBackWhatIsQueued(t *testing.T) {
	w := newWorld()
	w.slow["ana.chat"], w.slow["leads"] = true, true
	tell(t, w, policy("ana,#leads 5m")).at("03:01", Acked{By: "bo"}).want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page #leads (1.1): step 1 of policy db began
		03:01 acknowledged: acknowledged by bo
		03:01 is acknowledged
		03:01 cancel INC-1/1.1/ana.chat/1
		03:01 cancel INC-1/1.1/leads/2`)
}

func TestASecondAckIsRecorded(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m")).at("03:01", Acked{By: "ana"})
	s.at("03:02", Acked{By: "bo"}).at("03:03", Acked{By: "bo"}).until("06:00").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 acknowledged: acknowledged by ana
		03:01 is acknowledged
		03:02 acknowledged: acknowledged again by bo
		03:03 acknowledged: acknowledged again by bo`)
	if got, want := s.p.Acks(), []string{"ana", "bo"}; !slices.Equal(got, want) {
		t.Errorf("acks %v, want %v", got, want)
	}
}

func TestAStepMayWantMoreThanOneAck(t *testing.T) {
	w := newWorld()
	w.rules["ana"], w.rules["bo"] = ladderOfMethods(), ladderOfMethods()
	p := policy("ana,bo 10m", "cy 10m")
	p.Steps[0].RequireAcks = 2
	s := tell(t, w, p).at("03:01", Acked{By: "ana"}).at("03:01:30", Acked{By: "ana"})
	if got := s.p.State(); got != Triggered {
		t.Errorf("after one of two: %q, want triggered", got)
	}
	s.at("03:03", Acked{By: "zoe"}).until("06:00").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page bo.chat (1.1): step 1 of policy db began
		03:01 acknowledged: acknowledged by ana; 1 of 2 acknowledgements of step 1
		03:01:30 acknowledged: acknowledged by ana; 1 of 2 acknowledgements of step 1
		03:02 page bo.phone (1.1): no acknowledgement in 2m
		03:03 acknowledged: acknowledged by zoe
		03:03 is acknowledged`)
}

func TestAcksGivenBeforeTheStepCount(t *testing.T) {
	p := policy("ana,bo 5m", "cy,ana 5m")
	p.Steps[0].RequireAcks, p.Steps[1].RequireAcks = 2, AllAcks
	tell(t, newWorld(), p).at("03:01", Acked{By: "ana"}).until("03:05").
		at("03:06", Acked{By: "bo"}).at("03:07", Acked{By: "cy"}).want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page bo.chat (1.1): step 1 of policy db began
		03:01 acknowledged: acknowledged by ana; 1 of 2 acknowledgements of step 1
		03:05 page cy.chat (2.1): no acknowledgement of step 1 in 5m
		03:05 page ana.chat (2.1): no acknowledgement of step 1 in 5m
		03:06 acknowledged: acknowledged by bo; step 2 also waits for cy
		03:07 acknowledged: acknowledged by cy
		03:07 is acknowledged`)
}

func TestAllOfAStepThatPagedOnlyAChannelIsAnybody(t *testing.T) {
	p := policy("#leads 5m")
	p.Steps[0].RequireAcks = AllAcks
	tell(t, newWorld(), p).at("03:01", Acked{By: "ana"}).want(`
		03:00 page #leads (1.1): step 1 of policy db began
		03:01 acknowledged: acknowledged by ana
		03:01 is acknowledged`)
}

func TestCatchAllNeedsOneAckWhateverTheStepsWanted(t *testing.T) {
	p := policy("ana 5m")
	p.Steps[0].RequireAcks = 3
	s := tell(t, newWorld(), p).at("03:01", Acked{By: "ana"}).until("03:05")
	s.lines = nil
	s.at("03:06", Acked{By: "cto"}).until("12:00").want(`
		03:06 acknowledged: acknowledged by cto
		03:06 is acknowledged`)
}

func TestAnAckOfAPersonWithoutANameStandsToo(t *testing.T) {
	tell(t, newWorld(), policy("#leads 5m")).at("03:01", Acked{}).until("06:00").want(`
		03:00 page #leads (1.1): step 1 of policy db began
		03:01 acknowledged: acknowledged
		03:01 is acknowledged`)
}

func TestUndoGoesOnWhereTheLadderWas(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	t.Run("not yet due", func(t *testing.T) {
		tell(t, w, policy("ana 10m", "bo 10m")).at("03:01", Acked{By: "ana"}).at("03:03", Unacked{By: "ana"}).until("03:10").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 acknowledged: acknowledged by ana
		03:01 is acknowledged
		03:03 note: acknowledgement taken back by ana
		03:03 is triggered
		03:10 page bo.chat (2.1): no acknowledgement of step 1 in 10m`)
	})
	t.Run("due meanwhile", func(t *testing.T) {
		tell(t, w, policy("ana 10m", "bo 10m")).at("03:01", Acked{By: "ana"}).at("03:13", Unacked{By: "ana"}).until("03:22").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 acknowledged: acknowledged by ana
		03:01 is acknowledged
		03:13 note: acknowledgement taken back by ana
		03:13 is triggered
		03:13 page bo.chat (2.1): no acknowledgement of step 1 in 10m`)
	})
	t.Run("while a page was queued", func(t *testing.T) {
		w := newWorld()
		w.slow["ana.chat"] = true
		s := tell(t, w, policy("ana 10m", "bo 10m")).at("03:01", Acked{By: "ana"}).at("03:02", Unacked{By: "ana"})
		s.at("03:03", Outcome{Key: "INC-1/1.1/ana.chat/1", Reason: "taken back"})
		if got, want := s.p.Due(), at("03:10"); !got.Equal(want) {
			t.Errorf("due at %v, want %v: somebody had answered step 1", got, want)
		}
	})
}

func TestUndoOfOneOfTwoAcks(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 10m")).at("03:01", Acked{By: "ana"}).at("03:02", Acked{By: "bo"})
	s.lines = nil
	s.at("03:03", Unacked{By: "zoe"}).want(``) // who did not acknowledge has nothing to take back
	s.at("03:04", Unacked{By: "ana"}).want(`03:04 note: acknowledgement taken back by ana`)
	if got := s.p.State(); got != Acknowledged {
		t.Errorf("state %q, want acknowledged: bo still has it", got)
	}
	s.at("03:05", Unacked{By: "bo"}).want(`
		03:05 note: acknowledgement taken back by bo
		03:05 is triggered`)
}

func watched(steps ...string) Policy {
	p := policy(steps...)
	p.AckTimeout = map[string]time.Duration{"sev1": 20 * time.Minute, "sev2": time.Hour}
	return p
}

func TestAnAckExpires(t *testing.T) {
	s := tell(t, newWorld(), watched("ana 5m", "bo 5m")).until("03:05").at("03:07", Acked{By: "bo"})
	if got, want := s.p.Due(), at("04:02"); !got.Equal(want) {
		t.Errorf("due at %v, want %v", got, want)
	}
	s.lines = nil
	s.until("04:12").want(`
		04:02 acknowledgement_expiring: the acknowledgement by bo expires in 5m
		04:02 warn bo.chat
		04:07 acknowledgement_expired: the acknowledgement by bo expired after 1h
		04:07 is triggered
		04:07 page ana.chat (1.1): the acknowledgement by bo expired after 1h
		04:12 page bo.chat (2.1): no acknowledgement of step 1 in 5m`)
	if got := s.p.Acks(); len(got) != 0 {
		t.Errorf("acks %v, want none: it expired", got)
	}
}

func TestTheWarningIsASendButNotAPage(t *testing.T) {
	w := newWorld()
	w.rules["bo"] = ladderOfMethods()
	w.fails["bo.chat"] = "404"
	s := tell(t, w, watched("ana 5m")).at("03:01", Acked{By: "bo"}).until("03:56")
	want := []Effect{
		Happened{Kind: KindExpiring, User: "bo", Until: at("04:01"), Reason: "the acknowledgement by bo expires in 5m"},
		Send{
			Key: "INC-1/acknowledgement/bo.chat/2", Event: KindExpiring, User: "bo", Via: "chat", Origin: FromAck,
			Policy: "db", Reason: "the acknowledgement by bo expires in 5m",
		},
	}
	if !slices.Equal(s.last, want) {
		t.Errorf("got  %+v\nwant %+v", s.last, want)
	}
	if got, want := s.p.Paged(), []string{"ana"}; !slices.Equal(got, want) {
		t.Errorf("paged %v, want %v", got, want)
	}
	// Chat failed, so the phone was tried; the e-mail, a later rule, was not needed.
	s.lines = s.lines[len(s.lines)-3:]
	s.until("04:00").want(`
		03:56 acknowledgement_expiring: the acknowledgement by bo expires in 5m
		03:56 warn bo.chat
		03:56 warn bo.phone`)
}

func TestActivityRestartsTheClockOfTheAck(t *testing.T) {
	w := newWorld()
	w.slow["ana.chat"] = true
	s := tell(t, w, watched("ana 5m")).at("03:00", Acked{By: "ana"}).until("03:56")
	s.lines = nil
	s.at("03:57", Activity{By: "ana"}).want(`03:57 cancel INC-1/acknowledgement/ana.chat/2`)
	s.until("04:55").want(`
		04:52 acknowledgement_expiring: the acknowledgement by ana expires in 5m
		04:52 warn ana.chat`)
	s.at("04:57", Activity{By: "bo"}) // at the very instant
	if got, want := s.p.Due(), at("05:52"); !got.Equal(want) {
		t.Errorf("due at %v, want %v", got, want)
	}
}

func TestTheAckTimeoutIsTheSeveritys(t *testing.T) {
	s := tell(t, newWorld(), watched("ana 5m"))
	s.p.Severity = "sev3"
	s.at("03:01", Acked{By: "ana"})
	if !s.p.Due().IsZero() {
		t.Errorf("sev3 has no timeout, but is due at %v", s.p.Due())
	}
	s.at("03:02", SeverityRaised{Severity: "sev1"}).at("03:03", Acked{By: "ana"})
	if got, want := s.p.Due(), at("03:18"); !got.Equal(want) {
		t.Errorf("sev1 due at %v, want %v", got, want)
	}
}

func TestAfterDowntimeAnAckExpiresWithoutAWarning(t *testing.T) {
	s := tell(t, newWorld(), watched("ana 5m")).at("03:00", Acked{By: "ana"})
	s.lines = nil
	s.asleep("05:00").want(`
		05:00 acknowledgement_expired: the acknowledgement by ana expired after 1h
		05:00 is triggered
		05:00 page ana.chat (1.1): the acknowledgement by ana expired after 1h`)
}

func TestAWarningNobodyCanGetIsStillRecorded(t *testing.T) {
	w := newWorld()
	w.rules["web"] = nil
	s := tell(t, w, watched("ana 5m")).at("03:00", Acked{By: "web"})
	s.lines = nil
	s.until("03:59").want(`03:55 acknowledgement_expiring: the acknowledgement by web expires in 5m`)
}
