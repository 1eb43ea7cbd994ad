package escalation

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestTheLadderIsClimbedAndWalkedAgain(t *testing.T) {
	p := policy("ana 5m", "bo 10m", "#leads 1m")
	p.Repeat = 1
	p.RepeatFrom = 2
	tell(t, newWorld(), p).until("09:00").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 page bo.chat (2.1): no acknowledgement of step 1 in 5m
		03:15 page #leads (3.1): no acknowledgement of step 2 in 10m
		03:16 page bo.chat (2.2): no acknowledgement of step 3 in 1m
		03:26 page #leads (3.2): no acknowledgement of step 2 in 10m
		03:27 policy_exhausted: no acknowledgement in 2 walks of policy db
		03:27 catch_all: no acknowledgement in 2 walks of policy db
		03:27 page cto.chat: no acknowledgement in 2 walks of policy db
		07:27 catch_all: no acknowledgement in 4h since catch_all was paged
		07:27 page cto.chat: no acknowledgement in 4h since catch_all was paged`)
}

func TestWhatIsAbsentHasItsDefault(t *testing.T) {
	s := tell(t, newWorld(), policy("ana", "bo"))
	s.p.Paging.CatchAllEvery = 0
	s.until("07:30").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 page bo.chat (2.1): no acknowledgement of step 1 in 5m
		03:10 policy_exhausted: no acknowledgement in 1 walk of policy db
		03:10 catch_all: no acknowledgement in 1 walk of policy db
		03:10 page cto.chat: no acknowledgement in 1 walk of policy db
		07:10 catch_all: no acknowledgement in 4h since catch_all was paged
		07:10 page cto.chat: no acknowledgement in 4h since catch_all was paged`)
}

func TestRepeatThreeIsFourWalks(t *testing.T) {
	p := policy("ana 1m")
	p.Repeat = 3
	s := tell(t, newWorld(), p).until("03:10")
	if got := slices.IndexFunc(s.lines, func(l string) bool { return l == "03:04 policy_exhausted: no acknowledgement in 4 walks of policy db" }); got != 4 {
		t.Errorf("the end came as line %d of %q, want after 4 pages", got, s.lines)
	}
}

func TestForeverNeverEnds(t *testing.T) {
	p := policy("ana 5m")
	p.Repeat = Forever
	s := tell(t, newWorld(), p).until("+1 03:00")
	if len(s.lines) != 24*12+1 {
		t.Errorf("%d pages in a day, want one every 5m", len(s.lines))
	}
	if got, want := s.lines[len(s.lines)-1], "+1 03:00 page ana.chat (1.289): no acknowledgement of step 1 in 5m"; got != want {
		t.Errorf("last was %q, want %q", got, want)
	}
}

func TestAStepThatReachesNobodyIsLeftAtOnce(t *testing.T) {
	w := newWorld()
	w.onCall["second"] = always("bo")
	w.rules["dan"] = nil
	p := policy("@primary,dan 5m", "@second 5m")
	p.Repeat = 1
	tell(t, w, p).until("03:15").want(`
		03:00 step_skipped: nobody on call in primary, dan has no contact method
		03:00 page bo.chat (2.1): step 1 reached nobody: nobody on call in primary, dan has no contact method
		03:05 step_skipped: nobody on call in primary, dan has no contact method
		03:05 page bo.chat (2.2): step 1 reached nobody: nobody on call in primary, dan has no contact method
		03:10 policy_exhausted: no acknowledgement in 2 walks of policy db
		03:10 catch_all: no acknowledgement in 2 walks of policy db
		03:10 page cto.chat: no acknowledgement in 2 walks of policy db`)
}

func TestAWalkThatReachesNobodyEndsEvenAnEndlessLadder(t *testing.T) {
	w := newWorld()
	w.onCall["primary"] = func(now time.Time) []string {
		if now.Before(at("03:04")) {
			return []string{"ana"}
		}
		return nil
	}
	p := policy("@primary 5m", "@nowhere 5m")
	p.Repeat = Forever
	tell(t, w, p).until("05:00").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 step_skipped: nobody on call in nowhere
		03:05 step_skipped: nobody on call in primary
		03:05 step_skipped: nobody on call in nowhere
		03:05 policy_exhausted: walk 2 of policy db reached nobody
		03:05 catch_all: walk 2 of policy db reached nobody
		03:05 page cto.chat: walk 2 of policy db reached nobody`)
}

func TestAPolicyWithoutStepsPagesCatchAll(t *testing.T) {
	tell(t, newWorld(), policy()).until("03:01").want(`
		03:00 policy_exhausted: walk 1 of policy db reached nobody
		03:00 catch_all: walk 1 of policy db reached nobody
		03:00 page cto.chat: walk 1 of policy db reached nobody`)
}

func TestAStepThatNamesNobodyIsSkipped(t *testing.T) {
	p := policy("ana")
	p.Steps[0].Notify = nil
	tell(t, newWorld(), p).until("03:01").want(`
		03:00 step_skipped: it names nobody
		03:00 policy_exhausted: walk 1 of policy db reached nobody
		03:00 catch_all: walk 1 of policy db reached nobody
		03:00 page cto.chat: walk 1 of policy db reached nobody`)
}

func TestCatchAllThatReachesNobodyComesBack(t *testing.T) {
	w := newWorld()
	w.onCall["chiefs"] = func(now time.Time) []string {
		if now.Before(at("06:00")) {
			return nil
		}
		return []string{"cto"}
	}
	s := tell(t, w, policy("@nowhere 5m"))
	s.lines = nil
	s.p.Paging.CatchAll = Target{Schedule: "chiefs"}
	s.at("03:30", Reassign{By: "bo", Target: Target{Schedule: "nowhere"}}).until("08:00").want(`
		03:30 reassigned: reassigned to schedule nowhere by bo
		03:30 step_skipped: nobody on call in nowhere
		03:30 policy_exhausted: walk 1 of the reassigned ladder reached nobody
		03:30 catch_all: walk 1 of the reassigned ladder reached nobody; nobody on call in chiefs
		07:30 catch_all: no acknowledgement in 4h since catch_all was paged
		07:30 page cto.chat: no acknowledgement in 4h since catch_all was paged`)
}

func TestCatchAllMayBeAReceiver(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m"))
	s.p.Paging.CatchAll = Target{Receiver: "ops"}
	s.until("03:05").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 policy_exhausted: no acknowledgement in 1 walk of policy db
		03:05 catch_all: no acknowledgement in 1 walk of policy db
		03:05 page #ops: no acknowledgement in 1 walk of policy db`)
}

func TestAStepWhosePagesAllFailIsLeftAtOnce(t *testing.T) {
	w := newWorld()
	w.fails["ana.chat"] = "channel_not_found"
	w.fails["leads"] = "404"
	tell(t, w, policy("ana,#leads 5m", "bo 10m")).until("03:01").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page #leads (1.1): step 1 of policy db began
		03:00 step_skipped: every page of it failed for good; leads failed: 404
		03:00 page bo.chat (2.1): step 1 reached nobody: every page of it failed for good; leads failed: 404`)
}

func TestAPageThatFailsLateStillLeavesItsStep(t *testing.T) {
	w := newWorld()
	w.slow["ana.chat"] = true
	s := tell(t, w, policy("ana 5m", "bo 10m"))
	key := s.last[0].(Send).Key
	s.at("03:02", Outcome{Key: key, Reason: "gave up"}).until("03:12").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:02 step_skipped: every page of it failed for good; chat failed: gave up
		03:02 page bo.chat (2.1): step 1 reached nobody: every page of it failed for good; chat failed: gave up
		03:12 policy_exhausted: no acknowledgement in 1 walk of policy db
		03:12 catch_all: no acknowledgement in 1 walk of policy db
		03:12 page cto.chat: no acknowledgement in 1 walk of policy db`)
}

func TestALateFailureOfAnEarlierStepDecidesTheWalk(t *testing.T) {
	w := newWorld()
	w.slow["ana.chat"] = true
	p := policy("ana 5m", "@nowhere 10m")
	p.Repeat = Forever
	s := tell(t, w, p)
	key := s.last[0].(Send).Key
	s.until("03:05")
	// The walk ended while ana's page was still being tried: it might yet have reached her.
	s.at("03:06", Outcome{Key: key, Reason: "gave up"}).until("03:09").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 step_skipped: nobody on call in nowhere
		03:05 cancel INC-1/1.1/ana.chat/1
		03:05 page ana.chat (1.2): step 2 reached nobody: nobody on call in nowhere`)

	w = newWorld()
	w.slow["ana.chat"] = true
	p = policy("ana 5m", "bo 10m")
	p.Repeat = Forever
	w.fails["bo.chat"] = "404"
	s = tell(t, w, p)
	key = s.last[0].(Send).Key
	s.w.slow["bo.chat"] = true
	s.until("03:05")
	bo := s.last[0].(Send).Key
	s.at("03:06", Outcome{Key: key, Reason: "gave up"})
	s.at("03:07", Outcome{Key: bo, Reason: "404"}).until("03:08").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 page bo.chat (2.1): no acknowledgement of step 1 in 5m
		03:07 step_skipped: every page of it failed for good; chat failed: 404
		03:07 policy_exhausted: walk 1 of policy db reached nobody
		03:07 catch_all: walk 1 of policy db reached nobody
		03:07 page cto.chat: walk 1 of policy db reached nobody`)
}

func TestAPageOfTheWalkBeforeDoesNotSaveThisOne(t *testing.T) {
	w := newWorld()
	w.slow["ana.chat"], w.slow["bo.chat"] = true, true
	w.onCall["primary"] = func(now time.Time) []string {
		if now.Before(at("03:05")) {
			return []string{"ana"}
		}
		return []string{"bo"}
	}
	p := policy("@primary 5m")
	p.Repeat = Forever
	s := tell(t, w, p).until("03:05")
	s.at("03:06", Outcome{Key: "INC-1/1.1/ana.chat/1", OK: true})
	s.at("03:07", Outcome{Key: "INC-1/1.2/bo.chat/2", Reason: "404"}).want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 page bo.chat (1.2): no acknowledgement of step 1 in 5m
		03:07 step_skipped: every page of it failed for good; chat failed: 404
		03:07 policy_exhausted: walk 2 of policy db reached nobody
		03:07 catch_all: walk 2 of policy db reached nobody
		03:07 page cto.chat: walk 2 of policy db reached nobody`)
}

func TestAStepThatReachedOneOfItsPeopleKeepsItsTime(t *testing.T) {
	w := newWorld()
	w.fails["bo.chat"] = "404"
	tell(t, w, policy("ana,bo 5m", "cy 5m")).until("03:05").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page bo.chat (1.1): step 1 of policy db began
		03:05 page cy.chat (2.1): no acknowledgement of step 1 in 5m`)
}

func TestAStepThatSomebodyAnsweredKeepsItsTime(t *testing.T) {
	for _, answer := range []Input{Acked{By: "ana"}, StopMine{By: "ana"}} {
		w := newWorld()
		w.slow["ana.chat"], w.slow["bo.chat"] = true, true
		p := policy("ana,bo 5m", "cy 5m")
		p.Steps[0].RequireAcks = 2
		s := tell(t, w, p).at("03:01", AddResponder{User: "ana"}).at("03:02", answer)
		s.at("03:03", Outcome{Key: "INC-1/1.1/bo.chat/2", Reason: "404"})
		if got, want := s.p.Due(), at("03:05"); !got.Equal(want) {
			t.Errorf("%T: due %v, want %v", answer, got, want)
		}
	}
}

func TestAnEndlessLadderOfFailingPagesEnds(t *testing.T) {
	w := newWorld()
	w.fails["ana.chat"], w.fails["bo.chat"] = "404", "404"
	p := policy("ana 5m", "bo 5m")
	p.Repeat = Forever
	tell(t, w, p).until("06:00").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 step_skipped: every page of it failed for good; chat failed: 404
		03:00 page bo.chat (2.1): step 1 reached nobody: every page of it failed for good; chat failed: 404
		03:00 step_skipped: every page of it failed for good; chat failed: 404
		03:00 policy_exhausted: walk 1 of policy db reached nobody
		03:00 catch_all: walk 1 of policy db reached nobody
		03:00 page cto.chat: walk 1 of policy db reached nobody`)
}

func TestOnCallIsLookedUpWhenTheStepBegins(t *testing.T) {
	w := newWorld()
	w.onCall["primary"] = func(now time.Time) []string {
		if now.Before(at("03:05")) {
			return []string{"ana"}
		}
		return []string{"bo"} // at the hand-off instant the new person is on call
	}
	s := tell(t, w, policy("@primary 5m", "@primary 5m"))
	got := s.until("03:05").last
	s.want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 page bo.chat (2.1): no acknowledgement of step 1 in 5m`)
	want := Send{
		Key: "INC-1/2.1/bo.chat/2", Event: KindPage, User: "bo", Via: "chat", Origin: FromStep,
		Target: Target{Schedule: "primary"}, OnCall: "weekly layer of primary",
		Policy: "db", Step: 2, Cycle: 1, Reason: "no acknowledgement of step 1 in 5m",
	}
	if !slices.Equal(got, []Effect{want}) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAPersonNamedTwiceIsPagedOnce(t *testing.T) {
	w := newWorld()
	w.onCall["primary"] = always("bo", "ana")
	tell(t, w, policy("ana,@primary,ana 5m")).until("03:01").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page bo.chat (1.1): step 1 of policy db began`)
}

func TestRoundRobinTakesTurnsAndPassesOverAbsence(t *testing.T) {
	p := policy("ana,@nowhere,cy 5m")
	p.Steps[0].Assign = AssignRoundRobin
	p.Repeat = 1
	w := newWorld()
	first := tell(t, w, p).until("03:06")
	first.want(`
		03:00 turn of db step 1 +1
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 turn of db step 1 +2
		03:05 page cy.chat (1.2): no acknowledgement of step 1 in 5m`)
	tell(t, w, p).until("03:01").want(`
		03:00 turn of db step 1 +1
		03:00 page ana.chat (1.1): step 1 of policy db began`)
}

func TestRoundRobinOverNobodyTakesNoTurn(t *testing.T) {
	p := policy("@nowhere,@elsewhere 5m", "bo 5m")
	p.Steps[0].Assign = AssignRoundRobin
	w := newWorld()
	w.turns["db1"] = 7
	tell(t, w, p).until("03:01").want(`
		03:00 step_skipped: nobody on call in elsewhere, nobody on call in nowhere
		03:00 page bo.chat (2.1): step 1 reached nobody: nobody on call in elsewhere, nobody on call in nowhere`)
}

func TestAfterDowntimeOnlyTheOverdueStepRunsOnce(t *testing.T) {
	s := tell(t, newWorld(), policy("ana 5m", "bo 5m", "cy 5m"))
	s.asleep("03:31").until("03:36").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:31 page bo.chat (2.1): no acknowledgement of step 1 in 5m
		03:36 page cy.chat (3.1): no acknowledgement of step 2 in 5m`)
}

func TestManyPagesComeInPortions(t *testing.T) {
	p := policy("ana 5m", "zoe 5m")
	p.Steps[0].Notify = nil
	for i := range 250 {
		p.Steps[0].Notify = append(p.Steps[0].Notify, Target{User: fmt.Sprintf("u%03d", i)})
	}
	w := newWorld()
	page, effects := Open(Begin{Incident: "INC-1", Severity: "sev1", Policy: p}, threeAM, w)
	portions := []int{len(effects)}
	for page.Due().Equal(threeAM) {
		page, effects = page.Step(Elapsed{}, threeAM, w)
		portions = append(portions, len(effects))
	}
	if want := []int{100, 100, 50}; !slices.Equal(portions, want) {
		t.Errorf("sent %v, want %v", portions, want)
	}
	if got, want := page.Due(), at("03:05"); !got.Equal(want) {
		t.Errorf("then due at %v, want %v", got, want)
	}
}
