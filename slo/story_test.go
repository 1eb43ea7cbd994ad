package slo

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A story drives a Budget: hear at a time, or live until one, waking it whenever it is due.
type story struct {
	t    *testing.T
	o    *Objective
	b    Budget
	said []string
}

func begin(t *testing.T, s Spec) *story { return &story{t: t, o: objective(t, s)} }

func (s *story) hear(when string, in ...Input) {
	s.t.Helper()
	s.live(when)
	s.step(at(when), All(in))
}

func (s *story) live(until string) {
	s.t.Helper()
	for due := s.b.Due(); !due.IsZero() && due.Before(at(until)); due = s.b.Due() {
		s.step(due, Tick{})
	}
}

func (s *story) step(now time.Time, in Input) {
	s.t.Helper()
	before := s.b
	next, effects := s.b.Step(in, now, s.o)
	again, same := restart(s.t, before).Step(in, now, s.o)
	if !reflect.DeepEqual(effects, same) || text(s.t, again) != text(s.t, next) {
		s.t.Fatalf("at %s after a restart: %v\nwithout: %v", now, same, effects)
	}
	s.b = next
	for _, e := range effects {
		s.said = append(s.said, describe(e))
	}
}

// want compares what was said so far, and forgets it.
func (s *story) want(lines ...string) {
	s.t.Helper()
	if !slices.Equal(s.said, lines) {
		s.t.Errorf("said\n\t%s\nwant\n\t%s", strings.Join(s.said, "\n\t"), strings.Join(lines, "\n\t"))
	}
	s.said = nil
}

func describe(e Effect) string {
	clock := func(t time.Time) string {
		days := ""
		if d := int(t.Sub(at("00:00")) / (24 * time.Hour)); d > 0 {
			days = fmt.Sprintf("+%dd ", d)
		}
		return days + t.Format("15:04:05.999999999")
	}
	switch e := e.(type) {
	case Opened:
		return fmt.Sprintf("%s opened %s %s since %s", clock(e.At), e.Severity, e.Threshold, clock(e.Since))
	case Reopened:
		return fmt.Sprintf("%s reopened %s %s since %s", clock(e.At), e.Severity, e.Threshold, clock(e.Since))
	case Raised:
		return fmt.Sprintf("%s raised %s to %s %s", clock(e.At), e.From, e.Severity, e.Threshold)
	case Lowered:
		return fmt.Sprintf("%s lowered %s to %s: %s", clock(e.At), e.From, e.To, e.Reason)
	case Cleared:
		hand := ""
		if e.ByHand {
			hand = ", by hand before"
		}
		return fmt.Sprintf("%s cleared%s: %s", clock(e.At), hand, e.Reason)
	case Crossed:
		return fmt.Sprintf("%s crossed %s since %s: %s", clock(e.At), e.Threshold, clock(e.Since), e.Reason)
	case Rearmed:
		return fmt.Sprintf("%s rearmed %s: %s", clock(e.At), e.Threshold, e.Reason)
	case Annotated:
		return fmt.Sprintf("%s annotated: %s", clock(e.At), e.Reason)
	case Refused:
		return fmt.Sprintf("%s refused %s: %s", clock(e.At), e.What, e.Reason)
	}
	panic(e)
}

func fired(alert, since string) Fired { return Fired{Alert: alert, StartsAt: at(since)} }

func resolved(alert, since, end string) Resolved {
	return Resolved{Alert: alert, StartsAt: at(since), EndsAt: at(end)}
}

func TestAnOutageOfTenMinutes(t *testing.T) {
	s := begin(t, checkout)
	s.hear("12:00", fired("a", "12:00"))
	s.want()
	if due := s.b.Due(); !due.Equal(at("12:00:51.84")) {
		t.Errorf("due at %s, want when 51.84 s are bad", due)
	}
	s.hear("12:10", resolved("a", "12:00", "12:10"))
	s.want("12:00:51.84 opened sev2 page-fast since 12:00:51.84")
	s.live("+2d 00:00")
	s.want(
		"12:44:49.200000001 lowered sev2 to sev4: no threshold of sev2 was active for 5m",
		"18:14:38.400000001 cleared: no threshold was active for 5m",
	)
	if due := s.b.Due(); !due.IsZero() {
		t.Errorf("due at %s, want never", due)
	}
}

func TestWhatAVerdictSays(t *testing.T) {
	o := objective(t, checkout)
	b, _ := Budget{}.Step(Fired{Alert: "a", StartsAt: at("12:00")}, at("12:10"), o)
	_, effects := Budget{}.Step(Fired{Alert: "a", StartsAt: at("12:00")}, at("12:10"), o)
	want := []Effect{Opened{at("12:10"), Verdict{
		Threshold: "page-fast", Severity: "sev2", Since: at("12:00:51.84"), Others: []string{"page-slow"},
		Long:     Reading{time.Hour, 10 * time.Minute, 166.66666666666666},
		Short:    Reading{5 * time.Minute, 5 * time.Minute, 1000},
		Consumed: 0.23148148148148148,
		Reason:   "the error budget burns at 14.4 times its rate or more: 10m0s of the last 1h and 5m0s of the last 5m were bad",
	}}}
	if !reflect.DeepEqual(effects, want) {
		t.Errorf("got %+v\nwant %+v", effects, want)
	}
	if got := b.Active(o, at("12:10")); !slices.Equal(got, []string{"page-fast", "page-slow", "ticket-fast", "ticket-slow"}) {
		t.Errorf("active are %v", got)
	}
	if got := b.Consumed(o, at("12:10")).RatString(); got != "25/108" {
		t.Errorf("consumed is %s, want 25/108", got)
	}
	if got := o.Allowed().RatString(); got != "2592000000000" {
		t.Errorf("the budget is %s ns, want 2592 s", got)
	}
}

func TestBothWindowsMustBurn(t *testing.T) {
	s := begin(t, checkout)
	// 10 s in each 10 minutes burn at 16.7 times the rate, but in the first hour only the sixth time makes 51.84 s.
	for i := range 6 {
		from := at("12:00").Add(time.Duration(i) * 10 * time.Minute)
		s.step(from, Fired{Alert: "a", StartsAt: from})
		s.live(from.Add(10 * time.Second).Format("15:04:05"))
		s.step(from.Add(10*time.Second), Resolved{Alert: "a", StartsAt: from, EndsAt: from.Add(10 * time.Second)})
		s.live(from.Add(10 * time.Minute).Format("15:04"))
	}
	s.want("12:50:04.32 opened sev2 page-fast since 12:50:04.32")
	s.live("+1d 12:00")
	s.want("13:00:05.680000001 cleared: no threshold was active for 5m")
}

func TestAgainWithinTheReopenWindowItIsTheSame(t *testing.T) {
	s := begin(t, checkout)
	s.hear("12:00", fired("a", "12:00"))
	s.hear("12:00:52", resolved("a", "12:00", "12:00:52"))
	s.hear("12:20", fired("a", "12:20"))
	s.hear("12:20:52", resolved("a", "12:20", "12:20:52"))
	s.live("15:00")
	s.want(
		"12:00:51.84 opened sev2 page-fast since 12:00:51.84",
		"12:10:47.680000001 cleared: no threshold was active for 5m",
		"12:20:04.32 reopened sev2 page-fast since 12:20:04.32",
		"12:30:47.680000001 cleared: no threshold was active for 5m",
	)
	s.hear("15:00", fired("a", "15:00"))
	s.hear("15:00:52", resolved("a", "15:00", "15:00:52"))
	s.live("16:00")
	s.want(
		"15:00:25.6 opened sev2 page-slow since 15:00:25.6",
		"15:35:41.200000001 cleared: no threshold was active for 5m",
	)
}

func TestResolvedByHandItStaysSoUntilItWasClearOrGetsWorse(t *testing.T) {
	spec := checkout
	spec.Thresholds = []Threshold{
		{Name: "fast", BurnRate: "100", Long: time.Hour, Short: 5 * time.Minute, Severity: "sev1"}, // 6 m and 30 s
		{Name: "slow", BurnRate: "10", Long: time.Hour, Short: 5 * time.Minute, Severity: "sev3"},  // 36 s and 3 s
	}
	s := begin(t, spec)
	s.hear("12:00", fired("a", "12:00"))
	s.hear("12:01", ResolvedByHand{})
	s.live("12:05:59")
	s.want("12:00:36 opened sev3 slow since 12:00:36")
	s.live("12:06:01")
	s.want("12:06:00 reopened sev1 fast since 12:06:00")

	s.hear("12:07", ResolvedByHand{})
	s.hear("12:08", resolved("a", "12:00", "12:08"))
	s.hear("12:12:30", fired("a", "12:12:30")) // not clear for five minutes yet
	s.hear("12:12:40", resolved("a", "12:12:30", "12:12:40"))
	s.live("13:00")
	s.want("12:22:37.000000001 cleared, by hand before: no threshold was active for 5m")
	s.hear("13:00", fired("b", "13:00"))
	s.live("13:00:59")
	s.want(
		"13:00:03 reopened sev3 slow since 13:00:03",
		"13:00:30 raised sev3 to sev1 fast",
	)
	s.hear("13:01", resolved("b", "13:00", "13:01"))
	s.live("14:30")
	s.want(
		"13:08:10.000000001 lowered sev1 to sev3: no threshold of sev1 was active for 5m",
		"13:10:57.000000001 cleared: no threshold was active for 5m",
	)
}

func TestBesideWhatIsHeldAClearClassIsNewsAgain(t *testing.T) {
	spec := checkout
	spec.Thresholds = []Threshold{
		{Name: "fast", BurnRate: "100", Long: 10 * time.Minute, Short: time.Minute, Severity: "sev1"}, // 60 s and 6 s
		{Name: "slow", BurnRate: "1", Long: 24 * time.Hour, Short: 6 * time.Hour, Severity: "sev4"},   // 86.4 s and 21.6 s
	}
	s := begin(t, spec)
	s.hear("12:00", fired("a", "12:00"))
	s.hear("12:02", resolved("a", "12:00", "12:02"))
	s.hear("12:02:10", ResolvedByHand{})
	s.live("13:00") // fast is clear, slow is not
	s.hear("13:00", fired("a", "13:00"))
	s.live("13:01:01")
	s.want(
		"12:01:00 opened sev1 fast since 12:01:00",
		"13:01:00 reopened sev1 fast since 13:01:00",
	)
}

func TestABreachThatIsOverWhenItIsKnownPagesNobody(t *testing.T) {
	spec := checkout
	spec.Thresholds = Defaults()[:1] // page-fast
	s := begin(t, spec)
	s.hear("12:30", Resolved{Alert: "a", StartsAt: at("12:00"), EndsAt: at("12:10"), Received: at("12:30")})
	s.live("14:00")
	s.want()

	// Nor one that is over by the time the wake-up comes; what is clear meanwhile was so when it was.
	s = begin(t, spec)
	s.hear("12:00", Fired{Alert: "a", StartsAt: at("12:00"), EndsAt: at("12:01")})
	s.step(at("13:00"), Tick{})
	s.want()
	s.hear("13:00", fired("b", "13:00"))
	s.hear("13:02", resolved("b", "13:00", "13:02"))
	s.step(at("14:00"), Tick{})
	s.want(
		"13:00:04.32 opened sev2 page-fast since 13:00:04.32",
		"13:11:55.680000001 cleared: no threshold was active for 5m",
	)
}

func TestALateWakeUpPagesOnceAndSaysSinceWhen(t *testing.T) {
	s := begin(t, checkout)
	s.hear("12:00", fired("a", "12:00"))
	s.step(at("12:22"), Tick{})
	s.want(
		"12:22:00 opened sev2 page-fast since 12:00:51.84",
		"12:22:00 crossed half-gone since 12:21:36: 50% of the error budget is consumed: 50.9259%",
	)
	s.step(at("12:22"), Tick{})
	s.step(at("12:10"), Tick{}) // a clock that jumps back
	s.want()
}

func TestALateResolveIsAnnotatedAndDeletesNothing(t *testing.T) {
	s := begin(t, checkout)
	s.hear("12:00", fired("a", "12:00"))
	s.hear("13:00", resolved("a", "12:00", "12:00:10"))
	s.want(
		"12:00:51.84 opened sev2 page-fast since 12:00:51.84",
		"12:21:36 crossed half-gone since 12:21:36: 50% of the error budget is consumed: 50%",
		"13:00:00 annotated: what is known of the time since 2026-11-22T12:00:10Z changed: 10s of the last 30d were bad, not 1h0m0s",
		"13:00:00 cleared: no threshold was active for 5m",
		"13:00:00 rearmed half-gone: what is consumed of the error budget fell 5 points below 50%",
	)
}

func TestALateStartIsKnownFromThen(t *testing.T) {
	s := begin(t, checkout)
	s.hear("12:00", fired("a", "11:00"))
	s.want(
		"12:00:00 opened sev2 page-fast since 11:00:51.84",
		"12:00:00 crossed half-gone since 12:00:00: 50% of the error budget is consumed: 138.8888%",
	)
	s.hear("12:10", fired("b", "10:00"))
	s.want("12:10:00 annotated: what is known of the time since 2026-11-22T10:00:00Z changed: 2h10m0s of the last 30d were bad, not 1h10m0s")
}

func TestTheOrdinaryDelayOfARuleIsNotLate(t *testing.T) {
	s := begin(t, checkout)
	s.hear("12:00", fired("a", "12:00"))
	s.hear("12:03", resolved("a", "12:00", "12:02"))
	s.hear("12:06", fired("b", "12:04"))
	s.want("12:00:51.84 opened sev2 page-fast since 12:00:51.84")
	s.hear("12:08", resolved("b", "12:04", "12:05:59.999999999"))
	s.want("12:08:00 annotated: what is known of the time since 2026-11-22T12:05:59Z changed: 3m59.999999999s of the last 30d were bad, not 6m0s")
}

func TestALateWakeUpFindsTheIncidentOpenThatAnotherClassHolds(t *testing.T) {
	spec := checkout
	spec.Thresholds = []Threshold{
		{Name: "ticket", BurnRate: "10", Long: 30 * time.Minute, Short: 5 * time.Minute, Severity: "sev4"}, // 18 s and 3 s
		{Name: "page", BurnRate: "10", Long: 6 * time.Hour, Short: 2 * time.Hour, Severity: "sev2"},        // 216 s and 72 s
	}
	s := begin(t, spec)
	s.hear("12:00", Fired{Alert: "a", StartsAt: at("12:00"), EndsAt: at("12:04")})
	s.live("12:01")
	s.step(at("12:30"), Tick{}) // the page was due at 12:03:36, and the ticket was clear at 12:13:57
	s.want(
		"12:00:18 opened sev4 ticket since 12:00:18",
		"12:30:00 raised sev4 to sev2 page",
	)
}

func TestCorrections(t *testing.T) {
	spec := checkout
	spec.Thresholds = Defaults()[:1]
	s := begin(t, spec)
	s.hear("11:00", Correction{ID: "m1", From: at("12:00"), To: at("12:30")})
	s.hear("12:00", fired("a", "12:00")) // within a maintenance that was announced
	s.live("12:31")
	s.want("12:30:51.84 opened sev2 page-fast since 12:30:51.84")
	s.hear("12:40", Correction{ID: "m1", From: at("12:00"), To: at("12:40")}) // it took longer
	s.want(
		"12:40:00 annotated: what is known of the time since 2026-11-22T12:30:00Z changed: 0s of the last 30d were bad, not 10m0s",
		"12:40:00 cleared: no threshold was active for 5m",
	)
	s.live("12:41")
	s.want("12:40:51.84 reopened sev2 page-fast since 12:40:51.84")
	s.hear("12:45", Correction{ID: "m1"}) // taken back
	s.want("12:45:00 annotated: what is known of the time since 2026-11-22T12:00:00Z changed: 45m0s of the last 30d were bad, not 5m0s")
	if got := s.b.Burn(s.o, at("12:45"), time.Hour).RatString(); got != "750" {
		t.Errorf("burns at %s, want 750", got)
	}
}

func TestAnAlertWithATermEndsUnlessHeardOfAgain(t *testing.T) {
	spec := checkout
	spec.Thresholds = Defaults()[:1]
	s := begin(t, spec)
	s.hear("12:00", Fired{Alert: "a", StartsAt: at("12:00"), EndsAt: at("12:00:40")})
	if !s.b.Due().IsZero() {
		t.Errorf("due at %s, though 40 s do not breach", s.b.Due())
	}
	s.hear("12:00:30", Fired{Alert: "a", StartsAt: at("12:00"), EndsAt: at("12:01:10")})
	if !s.b.Due().Equal(at("12:00:51.84")) {
		t.Errorf("due at %s, want 12:00:51.84", s.b.Due())
	}
	s.hear("12:00:50", Expired{Alert: "a", At: at("12:00:45")})
	if got := s.b.Bad(s.o, at("12:30"), time.Hour).RatString(); got != "45000000000" {
		t.Errorf("%s ns are bad, want 45 s", got)
	}
}

func TestASourceThatForgotWhenItBeganEndsItsAlertAllTheSame(t *testing.T) {
	o := objective(t, checkout)
	bad := func(in ...Input) string {
		b, _ := Budget{}.Step(All(in), at("13:00"), o)
		return b.Bad(o, at("13:00"), time.Hour).RatString()
	}
	a := Fired{Alert: "a", StartsAt: at("12:10"), Received: at("12:10")}
	end := Resolved{Alert: "a", StartsAt: at("12:30"), EndsAt: at("12:40"), Received: at("12:40")}
	b := Fired{Alert: "b", StartsAt: at("12:50"), Received: at("12:50")}
	for _, in := range [][]Input{{a, b, end}, {end, b, a}, {b, end, a}, {a, end, b}} {
		if got := bad(in...); got != "2400000000000" {
			t.Errorf("%s ns are bad, want 40 m", got)
		}
	}
	// But not where it is heard of again afterwards.
	a.Received = at("12:45")
	gone := Resolved{Alert: "b", StartsAt: at("12:50"), EndsAt: at("12:55"), Received: at("12:55")}
	for _, in := range [][]Input{{a, end, gone}, {gone, end, a}} {
		if got := bad(in...); got != "3000000000000" {
			t.Errorf("%s ns are bad, want 50 m", got)
		}
	}
}

func TestTheClockIsSet(t *testing.T) {
	s := begin(t, checkout)
	s.hear("12:00", fired("a", "12:00"))
	s.hear("12:00:52", resolved("a", "12:00", "12:00:52"))
	s.said = nil
	due := s.b.Due()
	s.step(at("11:01"), Shifted{-time.Hour})
	if got := s.b.Due(); !got.Equal(due.Add(-time.Hour)) {
		t.Errorf("due at %s, want %s", got, due.Add(-time.Hour))
	}
	s.live("12:00")
	s.want("11:10:47.680000001 cleared: no threshold was active for 5m")
}

func TestAReloadTakesThresholdsAway(t *testing.T) {
	s := begin(t, checkout)
	s.hear("12:00", fired("a", "12:00"))
	s.live("12:30")
	s.said = nil
	spec := checkout
	spec.Thresholds = Defaults()[2:4]
	s.o = objective(t, spec)
	s.step(at("12:30"), Reloaded{})
	s.want(
		"12:30:00 rearmed half-gone: the threshold is no longer there",
		"12:30:00 lowered sev2 to sev4: no threshold of sev2 was active for 5m",
	)
	spec.Thresholds = Defaults()[4:]
	s.o = objective(t, spec)
	s.step(at("12:31"), Reloaded{})
	s.want(
		"12:31:00 cleared: no threshold was active for 5m",
		"12:31:00 crossed half-gone since 12:31:00: 50% of the error budget is consumed: 71.7592%",
	)
}

func TestBurnRateAlerts(t *testing.T) {
	s := begin(t, Spec{Name: "sloth", Source: FromBurnRates, ClearFor: 5 * time.Minute, ReopenWindow: time.Hour})
	s.hear("12:00", Fired{Alert: "ticket", StartsAt: at("12:00"), Severity: "sev4"})
	s.hear("12:10", Fired{Alert: "page", StartsAt: at("12:09:58"), Severity: "sev2"})
	s.hear("12:20", Resolved{Alert: "page", EndsAt: at("12:20"), Severity: "sev2"})
	s.hear("12:30", Resolved{Alert: "ticket", EndsAt: at("12:30"), Severity: "sev4"})
	s.live("12:34")
	s.want(
		"12:00:00 opened sev4  since 12:00:00",
		"12:10:00 raised sev4 to sev2 ",
		"12:25:00 lowered sev2 to sev4: no threshold of sev2 was active for 5m",
	)
	s.hear("12:34", Fired{Alert: "ticket", StartsAt: at("12:34"), Severity: "sev4"})
	s.hear("12:36", Expired{Alert: "ticket", At: at("12:36")})
	s.live("13:00")
	s.want("12:41:00 cleared: no threshold was active for 5m")
	s.hear("13:00", Fired{Alert: "odd", StartsAt: at("13:00"), Severity: "page"}) // no severity of ours
	s.want("13:00:00 reopened sev2  since 13:00:00")
	if got := s.b.Active(s.o, at("13:00")); !slices.Equal(got, []string{"sev2"}) {
		t.Errorf("active are %v", got)
	}
	if s.b.Spans.Len() != 1 {
		t.Errorf("%d intervals are remembered, want what is not over", s.b.Spans.Len())
	}
}

func TestTheWordsOfBurnRatesAreFitting(t *testing.T) {
	o := objective(t, Spec{Name: "sloth", Source: FromBurnRates})
	_, effects := Budget{}.Step(Fired{Alert: "a", Severity: "sev1"}, noon, o)
	want := Opened{noon, Verdict{Severity: "sev1", Since: noon, Reason: "a burn-rate alert of sev1 fires"}}
	if !reflect.DeepEqual(effects, []Effect{want}) {
		t.Errorf("got %+v", effects)
	}
}
