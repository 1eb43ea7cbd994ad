package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
	"github.com/midwatch/midwatch/store"
)

// spending is the house with an objective of 99.9 % in 30 days: bad while an alert Down fires, a budget for each cluster.
func spending(change ...func(*slo.Spec)) *Config {
	return house(func(cfg *Config) {
		spec := slo.Spec{
			Name: "checkout", Service: "shop", Objective: "99.9", Window: 30 * day, By: []string{"cluster"},
			Thresholds: []slo.Threshold{
				{Name: "page-fast", BurnRate: "14.4", Long: time.Hour, Short: 5 * time.Minute, Severity: "sev2"},
				{Name: "ticket", BurnRate: "1", Long: 3 * day, Short: 6 * time.Hour, Severity: "sev4"},
				{Name: "half-gone", BudgetConsumed: "50%", Severity: "sev4"},
			},
			ClearFor: slo.DefaultClearFor, ReopenWindow: slo.DefaultReopenWindow,
		}
		for _, f := range change {
			f(&spec)
		}
		o, err := slo.New(spec)
		if err != nil {
			panic(err)
		}
		cfg.SLOs = []SLO{{
			Objective: o, Policy: "two", Alert: "Down", Match: func(ls router.Labels) bool { return ls.Get("alertname") == "Down" },
			Annotations: map[string]string{"runbook_url": "https://runbooks.example/checkout"},
		}}
	})
}

// breaches is what history has of SLOs' incidents.
func (w *world) breaches() string {
	return w.story(incident.SLOBreached, incident.SLOCleared, incident.Opened, incident.ResolvedEvent, incident.Reopened, incident.SeverityChanged, incident.Paged)
}

// TestABudgetThatBurnsOpensAnIncident: at the very instant at which both windows burn, one for each cluster, with the
// severity of what burns; it ends when nothing burned for five minutes, whatever restarts meanwhile. Its alerts also go their
// own way.
func TestABudgetThatBurnsOpensAnIncident(t *testing.T) {
	w := newWorld(t, spending(func(s *slo.Spec) { s.Thresholds = s.Thresholds[:1] }), 1)
	w.run(time.Minute)
	w.fire("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(time.Minute + 10*time.Second)
	w.crash(30 * time.Second)
	w.run(8 * time.Minute)
	w.resolve("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(2 * time.Hour)
	same(t, w.breaches(), `
1m51.84s slo_breached INC-1 sev2
1m51.84s incident_opened INC-1 sev2
1m51.84s page INC-1 ana chat 1.1
6m51.84s page INC-1 bo mail 2.1
16m51.84s page INC-1 cto phone
17m55.680000001s slo_cleared INC-1
17m55.680000001s resolved INC-1`)
}

// TestWhatBurnsLessIsSaidQuietly: a worse threshold pages again, a lesser one changes the severity and pages nobody.
func TestWhatBurnsLessIsSaidQuietly(t *testing.T) {
	w := newWorld(t, spending(func(s *slo.Spec) {
		s.Thresholds[1] = slo.Threshold{Name: "slow", BurnRate: "6", Long: 6 * time.Hour, Short: 2 * time.Hour, Severity: "sev4"}
		s.Thresholds[0].Long, s.Thresholds[0].Short = 12*time.Hour, time.Hour // it takes longer than the slow one
	}), 1)
	w.fire("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(20 * time.Minute)
	w.resolve("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(14 * time.Hour)
	same(t, w.story(incident.SLOBreached, incident.SLOCleared, incident.SeverityChanged, incident.ResolvedEvent), `
2m9.6s slo_breached INC-1 sev4
10m22.08s slo_breached INC-1 sev2
10m22.08s severity_changed INC-1 sev2
1h24m8.160000001s severity_changed INC-1 sev4
2h24m16.800000001s slo_cleared INC-1
2h24m16.800000001s resolved INC-1
`)
}

func TestAPersonResolvesABreach(t *testing.T) {
	w := newWorld(t, spending(), 1)
	w.fire("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(2 * time.Minute)
	w.must(Action{Verb: Resolve, Incident: "INC-1", By: "ana"})
	w.run(20 * time.Minute)
	if i := w.is(1); i.Status != incident.Resolved || w.e.core.last != 1 {
		t.Errorf("resolved by hand while it burns: %+v, %d incidents", i, w.e.core.last)
	}
	w.crash(time.Second)
	w.run(21 * time.Minute)
	w.resolve("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(30 * time.Hour)
	if w.e.core.last != 1 {
		t.Errorf("%d incidents", w.e.core.last)
	}
}

// TestEachClusterHasABudget, and half of it gone is an incident of its own.
func TestEachClusterHasABudget(t *testing.T) {
	w := newWorld(t, spending(func(s *slo.Spec) { s.Thresholds = s.Thresholds[2:] }), 1)
	w.fire("alertname", "Down", "cluster", "eu", "team", "plain")
	w.fire("alertname", "Down", "cluster", "us", "team", "plain")
	w.fire("alertname", "Other", "cluster", "eu", "team", "plain")
	w.run(time.Hour)
	var got []string
	for n := 1; n <= w.e.core.last; n++ {
		i := w.is(n)
		got = append(got, i.Title+" "+i.Identity.By+" "+i.Identity.Threshold+" "+i.Labels["cluster"]+" "+i.Annotations["runbook_url"])
	}
	same(t, strings.Join(got, "\n"), `
checkout (cluster="eu"): 50% of the error budget is gone {cluster="eu"} half-gone eu https://runbooks.example/checkout
checkout (cluster="us"): 50% of the error budget is gone {cluster="us"} half-gone us https://runbooks.example/checkout`)
	v, err := w.e.Incident(ctx(), 1)
	if err != nil || len(v.Alerts) != 2 || v.Alerts[1].Labels.Get("alertname") != "Down" {
		t.Errorf("the alerts behind it: %v, %v", v.Alerts, err)
	}
}

// TestACorrectionGivesTimeBack: what was excluded counts no more, also after a restart, until the correction is taken back.
func TestACorrectionGivesTimeBack(t *testing.T) {
	w := newWorld(t, spending(func(s *slo.Spec) { s.Thresholds = s.Thresholds[:1] }), 1)
	a := w.turn(Correct{Correction: Correction{SLO: "checkout", From: night, To: night.Add(10 * time.Minute), Reason: "moving disks", CreatedBy: "ana"}})[0]
	if a.Err != nil || a.Correction.ID() != "CORR-1" {
		t.Fatalf("%+v", a)
	}
	w.fire("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(5 * time.Minute)
	w.crash(time.Second)
	w.run(10*time.Minute + 51*time.Second)
	if w.e.core.last != 0 {
		t.Fatalf("%s", w.breaches())
	}
	w.run(10*time.Minute + 52*time.Second)
	if w.e.core.last != 1 {
		t.Errorf("after the correction's end: %d incidents", w.e.core.last)
	}
	refusal(t, w.turn(Correct{Correction: Correction{SLO: "chekout", From: night, To: night.Add(1), Reason: "x"}})[0], "invalid", "slo", "known are: checkout")
	refusal(t, w.turn(Correct{Correction: Correction{SLO: "checkout", From: night, To: night, Reason: "x"}})[0], "invalid", "to", "not after it starts")
	refusal(t, w.turn(Correct{Correction: Correction{SLO: "checkout", From: night, To: night.Add(1)}})[0], "invalid", "reason", "say why")
	if a := w.turn(DropCorrection{Number: 1, By: "ana"})[0]; a.Err != nil {
		t.Error(a.Err)
	}
	refusal(t, w.turn(DropCorrection{Number: 1, By: "ana"})[0], "not_found", "id", "no correction CORR-1")
}

// TestAnSLOThatGoes takes its incidents with it, and one that comes counts what fires already.
func TestAnSLOThatGoesAndComes(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(10 * time.Minute)
	w.reload(spending())
	w.run(10*time.Minute + time.Second)
	if w.e.core.last != 1 || !w.is(1).Open() {
		t.Fatalf("an SLO that was added: %s", w.breaches())
	}
	w.reload(house())
	if w.is(1).Open() || len(w.e.core.ledger.accounts) != 0 {
		t.Errorf("an SLO that was removed: %s", w.breaches())
	}
	w.crash(time.Second)
	w.run(12 * time.Minute)
}

// TestBudgetsSurviveAnyCrash plays an hour of a burning budget with a power failure before and after every commit: the
// incident opens once, at its instant or when power is back, and ends.
func TestBudgetsSurviveAnyCrash(t *testing.T) {
	play := func(cut int, before bool) (commits int) {
		w := newWorld(t, spending(func(s *slo.Spec) { s.Thresholds = s.Thresholds[:1] }), 1)
		w.unsaved = true
		if cut > 0 {
			w.failures = []failure{{cut, before}}
		}
		start := w.disk.commits
		w.plan()
		w.fire("alertname", "Down", "cluster", "eu", "team", "plain")
		w.run(10 * time.Minute)
		w.resolve("alertname", "Down", "cluster", "eu", "team", "plain")
		w.run(3 * time.Hour)
		if w.e == nil {
			w.run(w.back + time.Minute)
		}
		if w.e.core.last != 1 || w.is(1).Open() || strings.Count(w.breaches(), "slo_breached") != 1 || strings.Count(w.breaches(), "slo_cleared") != 1 {
			t.Errorf("cut at %d, before %v:\n%s", cut, before, w.breaches())
		}
		w.holdHistory()
		return w.disk.commits - start
	}
	commits := play(0, false)
	for cut := 1; cut <= commits && !t.Failed(); cut++ {
		play(cut, true)
		play(cut, false)
	}
	t.Logf("%d power failures", 2*commits)
}

// TestAnSLOThatIsSplitOtherwise counts anew: the budgets of before go with their incidents, so that no outage has two.
func TestAnSLOThatIsSplitOtherwise(t *testing.T) {
	byZone := func(s *slo.Spec) { s.Thresholds, s.By = s.Thresholds[:1], []string{"cluster", "zone"} }
	w := newWorld(t, spending(func(s *slo.Spec) { s.Thresholds = s.Thresholds[:1] }), 1)
	w.fire("alertname", "Down", "cluster", "eu", "zone", "a", "team", "plain")
	w.fire("alertname", "Down", "cluster", "eu", "zone", "b", "team", "plain")
	w.run(2 * time.Minute)
	w.reload(spending(byZone))
	w.run(3 * time.Minute)
	var open []string
	for n := 1; n <= w.e.core.last; n++ {
		if i := w.is(n); i.Open() {
			open = append(open, i.Identity.By)
		}
	}
	slices.Sort(open)
	same(t, strings.Join(open, "\n"), `
{cluster="eu",zone="a"}
{cluster="eu",zone="b"}`)
	if got := len(w.e.core.ledger.accounts); got != 2 {
		t.Errorf("%d budgets, want those of the two zones", got)
	}
	w.crash(time.Second)
	w.run(4 * time.Minute)
	if got := len(w.e.core.ledger.accounts); got != 2 {
		t.Errorf("%d budgets after a restart", got)
	}
}

// TestABudgetInWhichNothingIsLeftGoes with the first start or reload after its window, and not before.
func TestABudgetInWhichNothingIsLeftGoes(t *testing.T) {
	w := newWorld(t, spending(func(s *slo.Spec) { s.Window, s.Thresholds = day, s.Thresholds[:1] }), 1)
	w.fire("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(10 * time.Minute)
	w.resolve("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(20 * time.Hour)
	w.crash(time.Second)
	w.run(23 * time.Hour)
	if got := len(w.e.core.ledger.accounts); got != 1 {
		t.Fatalf("%d budgets within the window", got)
	}
	w.run(25 * time.Hour)
	w.crash(time.Second)
	w.run(25*time.Hour + time.Minute)
	if got := len(w.e.core.ledger.accounts); got != 0 {
		t.Errorf("%d budgets after the window", got)
	}
	from, to := store.Prefix(prefSLO)
	for item, err := range w.disk.Scan(ctx(), from, to) {
		t.Errorf("%s is still stored, %v", item.Key, err)
	}
	w.fire("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(26 * time.Hour)
	if w.e.core.last != 2 {
		t.Errorf("%d incidents, want another one", w.e.core.last)
	}
}

// TestAStartWritesNoBudgetOfWhichThereIsNothingToSay: a large house has a hundred megabytes of them.
func TestAStartWritesNoBudgetOfWhichThereIsNothingToSay(t *testing.T) {
	w := newWorld(t, spending(func(s *slo.Spec) { s.Thresholds = s.Thresholds[:1] }), 1)
	w.fire("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(time.Minute)
	w.resolve("alertname", "Down", "cluster", "eu", "team", "plain")
	w.run(2 * time.Hour)
	writes := func() int {
		t.Helper()
		c := New(w.cfg, 1)
		problems, err := c.Restore(ctx(), w.disk, w.instant())
		if err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
		n := 0
		for _, b := range c.Turn(w.instant(), nil).Batches {
			for _, kv := range b.Put {
				if strings.HasPrefix(kv.Key, prefSLO) {
					n++
				}
			}
		}
		return n
	}
	if n := writes(); n != 0 {
		t.Errorf("%d budgets are written that are as they were", n)
	}
	w.cfg = spending(func(s *slo.Spec) {
		s.Thresholds = []slo.Threshold{{Name: "any", BudgetConsumed: "0.1%", Severity: "sev4"}}
	})
	if n := writes(); n != 1 {
		t.Errorf("%d budgets are written, want the one that has an incident now", n)
	}
}

// TestAnIncidentOfAnSLOCarriesItsNumbers: which threshold, since when, how fast, and what is left.
func TestAnIncidentOfAnSLOCarriesItsNumbers(t *testing.T) {
	w := newWorld(t, spending(), 1)
	w.elapsed += 10 * time.Minute
	down := &router.Alert{Labels: set("alertname", "Down", "cluster", "eu", "team", "plain"), StartsAt: w.wall().Add(-4 * time.Minute), EndsAt: w.wall().Add(time.Hour)}
	if !w.post(down) {
		t.Fatal("it was not taken")
	}
	w.run(11 * time.Minute)
	i := w.is(1)
	same(t, i.Annotations["description"]+"\n"+i.Annotations["budget"], `
page-fast since 2026-11-22 03:06 UTC: the error budget burns at 14.4 times its rate or more: 4m0s of the last 1h and 4m0s of the last 5m were bad
90.74% of the error budget is left; it burns 66.67 times as fast as it may over 1h, and 800 times over 5m`)
	w.run(2 * time.Hour)
	i = w.is(2)
	same(t, i.Annotations["description"]+"\n"+i.Annotations["budget"], `
half-gone since 2026-11-22 03:27 UTC: 50% of the error budget is consumed: 50%
50% of the error budget is left; it burns 0.5 times as fast as it may over 30d`)
}

// TestCountsThatAreSplitOtherwiseAreNotTakenIn: they were asked for before a reload.
func TestCountsThatAreSplitOtherwiseAreNotTakenIn(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		o, err := slo.New(slo.Spec{Name: "search", Objective: "99", Window: day, Source: slo.FromRatio, By: []string{"cluster"}})
		if err != nil {
			t.Fatal(err)
		}
		cfg.SLOs = []SLO{{Objective: o, Policy: "two"}}
	}), 1)
	minutes := []slo.Counted{{Minute: night.Add(-time.Minute), Bad: 1, Total: 2}}
	for _, labels := range []map[string]string{nil, {"zone": "a"}, {"cluster": "eu", "zone": "a"}} {
		refusal(t, w.turn(Counted{SLO: "search", Labels: labels, Minutes: minutes})[0], "invalid", "labels", "not split as the SLO")
	}
	if a := w.turn(Counted{SLO: "search", Labels: map[string]string{"cluster": "eu"}, Minutes: minutes})[0]; a.Err != nil {
		t.Error(a.Err)
	}
	if got := len(w.e.core.ledger.accounts); got != 1 {
		t.Errorf("%d budgets, want one", got)
	}
}
