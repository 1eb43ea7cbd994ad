package escalation

import (
	"slices"
	"testing"
	"time"
)

// ladderOfMethods is the example of SPEC §3: chat, phone after 2m, email after 5m.
func ladderOfMethods() []Rule {
	return []Rule{{Via: []string{"chat"}}, {Via: []string{"phone"}, After: 2 * time.Minute}, {Via: []string{"email"}, After: 5 * time.Minute}}
}

func TestRulesRunFromTheMomentOfThePageAndThroughLaterSteps(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	tell(t, w, policy("ana 1m", "bo 15m")).until("03:15").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:01 page bo.chat (2.1): no acknowledgement of step 1 in 1m
		03:02 page ana.phone (1.1): no acknowledgement in 2m
		03:05 page ana.email (1.1): no acknowledgement in 5m`)
}

func TestByDefaultEveryMethodGoesAtOnce(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = []Rule{{Via: []string{"chat", "phone"}}}
	tell(t, w, policy("ana 5m")).until("03:04").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page ana.phone (1.1): step 1 of policy db began`)
}

func TestBeingPagedAgainStartsTheRulesAnew(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	p := policy("ana 3m")
	p.Repeat = 1
	tell(t, w, p).until("03:08").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:02 page ana.phone (1.1): no acknowledgement in 2m
		03:03 page ana.chat (1.2): no acknowledgement of step 1 in 3m
		03:05 page ana.phone (1.2): no acknowledgement in 2m
		03:06 policy_exhausted: no acknowledgement in 2 walks of policy db
		03:06 catch_all: no acknowledgement in 2 walks of policy db
		03:06 page cto.chat: no acknowledgement in 2 walks of policy db
		03:08 page ana.email (1.2): no acknowledgement in 5m`)
}

func TestARuleDueWithTheNextStepIsNotLostToIt(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	p := policy("ana 5m")
	p.Repeat = 1
	tell(t, w, p).until("03:05").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:02 page ana.phone (1.1): no acknowledgement in 2m
		03:05 page ana.email (1.1): no acknowledgement in 5m
		03:05 page ana.chat (1.2): no acknowledgement of step 1 in 5m`)
}

func TestRulesAreTriedInTheOrderOfTheirTimes(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = []Rule{{Via: []string{"phone"}, After: 2 * time.Minute}, {Via: []string{"chat"}, After: -time.Minute}}
	tell(t, w, policy("ana 5m")).until("03:04").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:02 page ana.phone (1.1): no acknowledgement in 2m`)
}

func TestOverdueRulesOfOneMethodCollapse(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = []Rule{
		{Via: []string{"chat"}},
		{Via: []string{"chat", "phone"}, After: time.Minute},
		{Via: []string{"chat"}, After: 2 * time.Minute},
		{Via: []string{"phone"}, After: 20 * time.Minute},
	}
	tell(t, w, policy("ana 60m")).asleep("03:10").until("03:30").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:10 page ana.chat (1.1): no acknowledgement in 1m
		03:10 page ana.phone (1.1): no acknowledgement in 1m
		03:20 page ana.phone (1.1): no acknowledgement in 20m`)
}

func TestAnOverdueRuleGivesWayToTheStepThatPagesAgain(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = []Rule{{Via: []string{"chat"}}, {Via: []string{"chat"}, After: 2 * time.Minute}}
	p := policy("ana 5m")
	p.Repeat = 1
	tell(t, w, p).asleep("03:06").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:06 page ana.chat (1.2): no acknowledgement of step 1 in 5m`)
}

func TestWhenAMethodFailsTheNextIsTriedAtOnce(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	w.fails["ana.chat"] = "channel_not_found"
	tell(t, w, policy("ana 10m")).until("03:09").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page ana.phone (1.1): chat failed: channel_not_found
		03:05 page ana.email (1.1): no acknowledgement in 5m`)
}

func TestFailuresGoDownTheList(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = ladderOfMethods()
	w.fails["ana.chat"], w.fails["ana.phone"] = "channel_not_found", ""
	tell(t, w, policy("ana 10m")).until("03:09").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page ana.phone (1.1): chat failed: channel_not_found
		03:00 page ana.email (1.1): phone failed`)
}

func TestAMethodThatHasFailedIsNotTheNext(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = []Rule{{Via: []string{"chat"}}, {Via: []string{"chat"}, After: time.Minute}, {Via: []string{"phone", "email"}, After: 5 * time.Minute}}
	w.fails["ana.chat"] = "429"
	tell(t, w, policy("ana 10m")).until("03:09").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page ana.phone (1.1): chat failed: 429
		03:00 page ana.email (1.1): chat failed: 429
		03:01 page ana.chat (1.1): no acknowledgement in 1m`)
}

func TestWhoHasOnlyAFailedMethodIsNotWaitedFor(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = []Rule{{Via: []string{"chat"}}, {Via: []string{"chat"}, After: time.Minute}}
	w.fails["ana.chat"] = "404"
	tell(t, w, policy("ana 10m", "bo 10m")).until("03:09").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 step_skipped: every page of it failed for good; chat failed: 404
		03:00 page bo.chat (2.1): step 1 reached nobody: every page of it failed for good; chat failed: 404
		03:01 page ana.chat (1.1): no acknowledgement in 1m`)
}

func TestAMethodAlreadyTriedIsTheNext(t *testing.T) {
	w := newWorld()
	w.rules["ana"] = []Rule{{Via: []string{"chat", "phone"}}, {Via: []string{"email"}, After: 5 * time.Minute}}
	w.slow["ana.chat"], w.slow["ana.phone"] = true, true
	s := tell(t, w, policy("ana 10m"))
	chat, phone := s.last[0].(Send).Key, s.last[1].(Send).Key
	s.at("03:01", Outcome{Key: chat, Reason: "404"}) // the phone is being tried
	s.at("03:02", Outcome{Key: phone, Reason: "busy"}).until("03:09").want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:00 page ana.phone (1.1): step 1 of policy db began
		03:02 page ana.email (1.1): phone failed: busy`)
}

func TestANewerPageTakesTheQueuedOneBack(t *testing.T) {
	w := newWorld()
	w.slow["ana.chat"] = true
	p := policy("ana 5m")
	p.Repeat = 1
	s := tell(t, w, p).until("03:05")
	s.at("03:06", Outcome{Key: "INC-1/1.1/ana.chat/1", Reason: "too late to matter"})
	s.at("03:07", Resolved{}).want(`
		03:00 page ana.chat (1.1): step 1 of policy db began
		03:05 cancel INC-1/1.1/ana.chat/1
		03:05 page ana.chat (1.2): no acknowledgement of step 1 in 5m
		03:07 cancel INC-1/1.2/ana.chat/2`)
}

func TestLowUrgencyHasItsOwnRules(t *testing.T) {
	w := newWorld()
	w.low["ana"] = []Rule{{Via: []string{"email"}}}
	p := policy("ana 5m")
	p.Urgency = UrgencyLow
	tell(t, w, p).until("03:04").want(`03:00 page ana.email (1.1): step 1 of policy db began`)
}

func TestWhatIsDoneIsForgotten(t *testing.T) {
	w := newWorld()
	p := policy("ana,bo,#leads 5m")
	p.Repeat = Forever
	s := tell(t, w, p).until("+1 03:00")
	if len(s.p.Runs) != 0 {
		t.Errorf("a day later %d runs are kept, want none: %+v", len(s.p.Runs), s.p.Runs)
	}
	want := []Contact{{User: "ana", Via: "chat"}, {User: "bo", Via: "chat"}, {Receiver: "leads"}}
	if got := s.p.Contacts(); !slices.Equal(got, want) {
		t.Errorf("contacts %+v, want %+v", got, want)
	}
	if got, want := s.p.Paged(), []string{"ana", "bo"}; !slices.Equal(got, want) {
		t.Errorf("paged %v, want %v", got, want)
	}
}

func TestAnOutcomeNobodyWaitsForIsNothing(t *testing.T) {
	w := newWorld()
	s := tell(t, w, policy("ana 5m"))
	due := s.p.Due()
	for _, in := range []Outcome{{Key: "INC-1/1.1/ana.chat/1"}, {Key: "INC-1/1.1/ana.chat/1", OK: true}, {Key: "nonsense"}, {}} {
		s.at("03:01", in)
		if len(s.last) != 0 || !s.p.Due().Equal(due) {
			t.Errorf("%+v: effects %v, due %v; want none, %v", in, s.last, s.p.Due(), due)
		}
	}
}
