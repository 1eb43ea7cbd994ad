package slo

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// checkoutRatio is checkout, counted.
func checkoutRatio() Spec {
	s := checkout
	s.Source = FromRatio
	return s
}

func TestWhereEveryMinuteHasDataBurnIsTheShareOfBadEvents(t *testing.T) {
	spec := checkoutRatio()
	spec.Thresholds = []Threshold{{Name: "page-fast", BurnRate: "14.4", Long: time.Hour, Short: 5 * time.Minute, Severity: "sev2"}}
	o := objective(t, spec)
	var b Budget
	var effects []Effect
	now := noon
	for range 120 { // 1% of the events: 10 times the rate
		now = now.Add(time.Minute)
		b, effects = b.Step(Counted{Minute: now.Add(-time.Minute), Bad: 10, Total: 1000}, now, o)
		if len(effects) > 0 {
			t.Fatalf("at %s: %v", now, effects)
		}
	}
	if got := b.Burn(o, now, time.Hour).RatString(); got != "10" {
		t.Errorf("burns at %s, want 10", got)
	}
	if got := b.Burn(o, now, 30*24*time.Hour).RatString(); got != "1/36" {
		t.Errorf("over the month it burns at %s, want 1/36: time before there were counts is good", got)
	}
	// From now on 10%: 100 times the rate. After k minutes the hour has (600−10k+100k)/60,000 of bad events: 3 minutes make 14.5.
	for k := 1; ; k++ {
		now = now.Add(time.Minute)
		b, effects = b.Step(Counted{Minute: now.Add(-time.Minute), Bad: 100, Total: 1000}, now, o)
		if len(effects) > 0 {
			if k != 3 {
				t.Errorf("breached after %d minutes, want 3", k)
			}
			break
		}
	}
	want := "the error budget burns at 14.4 times its rate or more: 52.2s of the last 1h and 19.2s of the last 5m were bad"
	if got := effects[0].(Opened).Reason; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestBusyMinutesWeighMore(t *testing.T) {
	o := objective(t, checkoutRatio())
	b, _ := Budget{}.Step(All{
		Counted{Minute: noon, Bad: 0, Total: 900},
		Counted{Minute: noon.Add(time.Minute), Bad: 100, Total: 100},
		Counted{Minute: noon.Add(2 * time.Minute), Bad: 7, Total: 0}, // no data
	}, noon.Add(3*time.Minute), o)
	// A tenth of the events in two of five minutes.
	if got := b.Bad(o, noon.Add(3*time.Minute), 5*time.Minute).RatString(); got != "12000000000" {
		t.Errorf("%s ns are bad, want 12 s", got)
	}
}

func TestWhenCountsStopComingTimeGoesOnGood(t *testing.T) {
	spec := checkoutRatio()
	spec.Thresholds = []Threshold{{Name: "fast", BurnRate: "100", Long: 10 * time.Minute, Short: 5 * time.Minute, Severity: "sev2"}}
	s := begin(t, spec)
	for i := range 10 {
		from := noon.Add(time.Duration(i) * time.Minute)
		s.step(from.Add(time.Minute), Counted{Minute: from, Bad: 15, Total: 100})
	}
	s.want("12:07:00 opened sev2 fast since 12:07:00") // 15% of 7 of 10 minutes
	s.live("13:00")
	// Two minutes of grace, then the windows move on. At 12:14 three of five minutes have data: 9% of all are not enough.
	s.want("12:19:00 cleared: no threshold was active for 5m")
}

func TestAMinuteIsRevisedExcludedAndNotOfTheFuture(t *testing.T) {
	o := objective(t, checkoutRatio())
	bad := func(in ...Input) string {
		b := Budget{}
		for _, x := range in {
			b, _ = b.Step(x, noon.Add(time.Hour), o)
		}
		return b.Bad(o, noon.Add(time.Hour), time.Hour).RatString()
	}
	c := func(minute int, bad, total uint64) Counted {
		return Counted{Minute: noon.Add(time.Duration(minute)*time.Minute + 3*time.Second), Bad: bad, Total: total}
	}
	for name, x := range map[string]struct {
		want string
		in   []Input
	}{
		"one":         {"60000000000", []Input{c(1, 5, 5), c(59, 0, 0)}},
		"revised":     {"30000000000", []Input{c(1, 5, 5), c(1, 1, 2)}},
		"taken back":  {"0", []Input{c(1, 5, 5), c(1, 0, 0)}},
		"too many":    {"60000000000", []Input{c(1, 9, 5)}},
		"a huge one":  {"60000000000", []Input{c(1, 1<<63, 1<<63)}},
		"not over":    {"0", []Input{c(60, 5, 5), c(61, 5, 5)}},
		"long over":   {"0", []Input{c(-60*24*31, 5, 5)}},
		"excluded":    {"60000000000", []Input{c(1, 5, 5), c(2, 5, 5), Correction{ID: "x", From: noon.Add(90 * time.Second), To: noon.Add(100 * time.Second)}}},
		"out of line": {"120000000000", []Input{c(50, 5, 5), c(-100, 5, 5), c(1, 5, 5)}},
	} {
		if got := bad(x.in...); got != x.want {
			t.Errorf("%s: %s ns are bad, want %s", name, got, x.want)
		}
	}
}

func TestAnyWindowOfCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	o := objective(t, checkoutRatio())
	const minutes = 400
	var cells [minutes]cell
	var all All
	for m := range cells {
		cells[m] = cell{total: r.Uint64N(3) * r.Uint64N(1000)}
		cells[m].bad = r.Uint64N(cells[m].total + 1)
		all = append(all, Counted{Minute: noon.Add(time.Duration(m) * time.Minute), Bad: cells[m].bad, Total: cells[m].total})
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	b, _ := Budget{}.Step(all, noon.Add(minutes*time.Minute), o)
	for end := range minutes {
		for w := 1; w < 200; w += 1 + r.IntN(20) {
			sum, have := cell{}, int64(0)
			for m := max(0, end-w); m < end; m++ {
				sum.bad, sum.total = sum.bad+cells[m].bad, sum.total+cells[m].total
				if cells[m].total > 0 {
					have++
				}
			}
			want := new(big.Rat)
			if sum.total > 0 {
				want.SetFrac64(int64(sum.bad), int64(sum.total)).Mul(want, big.NewRat(have*minute, 1))
			}
			at := noon.Add(time.Duration(end)*time.Minute + time.Duration(r.Int64N(minute)))
			if got := b.Bad(o, at, time.Duration(w)*time.Minute); got.Cmp(want) != 0 {
				t.Fatalf("%d minutes before minute %d: %v ns are bad, want %v", w, end, got, want)
			}
		}
	}
}

// TestCountsAreTheModel plays random counts, and holds what is said against all of it computed anew every second.
func TestCountsAreTheModel(t *testing.T) {
	n := 3
	if long {
		n = 300
	}
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		spec := checkoutRatio()
		spec.Objective, spec.Window = []string{"99", "90", "75.5"}[r.IntN(3)], 90*time.Minute
		spec.ClearFor, spec.ReopenWindow = time.Duration(r.IntN(200))*time.Second, time.Duration(r.IntN(20))*time.Minute
		spec.Thresholds = []Threshold{
			{Name: "a", BurnRate: "4", Long: 10 * time.Minute, Short: 2 * time.Minute, Severity: "sev2"},
			{Name: "b", BurnRate: "1.5", Long: 70 * time.Minute, Short: 5 * time.Minute, Severity: "sev3"},
			{Name: "c", BudgetConsumed: "40%", Severity: "sev4"},
		}
		o := objective(t, spec)
		counts := map[int]cell{}
		newest := 0
		burn := func(now int, w time.Duration) *big.Rat { // in seconds from noon
			end := now / 60
			if now > newest*60 {
				end = max(newest, (now-120)/60)
				if now < 120 {
					end = newest
				}
			}
			sum, have := cell{}, int64(0)
			for m := end - int(w/time.Minute); m < end; m++ {
				c := counts[m]
				sum.bad, sum.total = sum.bad+c.bad, sum.total+c.total
				if c.total > 0 {
					have++
				}
			}
			if sum.total == 0 {
				return new(big.Rat)
			}
			share := big.NewRat(int64(sum.bad), int64(sum.total))
			share.Mul(share, big.NewRat(have*int64(time.Minute), int64(w)))
			return share.Quo(share, o.budget)
		}
		m := &model{spec: spec, in: map[string]bool{}, crossed: map[string]bool{}, resolved: -1, rate: burn, unit: int(time.Second)}
		var b Budget
		var said []string
		begin := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
		for now := 1; now < 5*3600; now++ {
			var in All
			if now%60 == 5 && r.IntN(10) > 0 && now < 4*3600 {
				minute := now/60 - 1
				if minute > 0 && r.IntN(8) == 0 {
					minute = max(0, minute-r.IntN(5))
				}
				c := cell{total: uint64(r.IntN(50))}
				if now/1200%2 == 0 && c.total > 0 {
					c.bad = r.Uint64N(c.total + 1)
				}
				if minute >= 0 {
					counts[minute] = c
					if c.total > 0 {
						newest = max(newest, minute+1)
					}
					in = append(in, Counted{Minute: begin.Add(time.Duration(minute) * time.Minute), Bad: c.bad, Total: c.total})
				}
			}
			if newest > 0 {
				newest = 0
				for minute, c := range counts {
					if c.total > 0 {
						newest = max(newest, minute+1)
					}
				}
			}
			m.live(now, nil)
			at := begin.Add(time.Duration(now) * time.Second)
			var effects []Effect
			switch {
			case len(in) > 0:
				b, effects = b.Step(in, at, o)
			case !b.Due().IsZero() && !b.Due().After(at):
				b, effects = b.Step(Tick{}, at, o)
			case r.IntN(5000) == 0:
				b = restart(t, b)
			}
			said = append(said, words(effects)...)
			if len(said) != len(m.said) {
				break
			}
		}
		for i := range m.said { // the model's seconds are the engine's nanoseconds
			at, rest, _ := strings.Cut(m.said[i], " ")
			m.said[i] = at + "000000000 " + rest
		}
		if !slices.Equal(said, m.said) {
			t.Fatalf("seed %d: %+v\nthe engine said\n%s\nthe model said\n%s", seed, spec, strings.Join(said, "\n"), strings.Join(m.said, "\n"))
		}
	}
}

// A share is compared with a need roughly at first, and to the last digit where that does not tell: right at the need, and the
// least bit beside it.
func TestAShareIsComparedExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Uint64Range(1, MaxCount).Draw(t, "total")
		bad := rapid.Uint64Range(0, total).Draw(t, "bad")
		minutes := rapid.Int64Range(1, perHour).Draw(t, "minutes")
		var s Slices
		for m := range minutes {
			s, _ = s.set(m*minute, cell{bad, total})
		}
		have := new(big.Rat).SetFrac(new(big.Int).SetUint64(bad), new(big.Int).SetUint64(total))
		have.Mul(have, new(big.Rat).SetInt64(minutes*minute))
		// 10^-40 is nothing that a float could tell.
		bit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(40), nil))
		exact := new(big.Rat).Set(have)
		switch rapid.IntRange(-1, 2).Draw(t, "beside") {
		case -1:
			exact.Sub(exact, bit)
		case 1:
			exact.Add(exact, bit)
		case 2: // anywhere
			exact.SetFrac64(rapid.Int64Range(0, minutes*minute).Draw(t, "need"), rapid.Int64Range(1, 1000).Draw(t, "of"))
		}
		if exact.Sign() < 0 {
			exact.SetInt64(0)
		}
		n := need{window: hourNanos, exact: exact, about: float(exact), above: rapid.Bool().Draw(t, "above")}
		order := have.Cmp(exact)
		want := order > 0 || order == 0 && !n.above
		if bad == 0 {
			want = false // no need is 0, unless it must be exceeded
		}
		if got := newRatio(s, nil).meets(n, hourNanos); got != want {
			t.Fatalf("%d of %d in %d minutes against %s, above %v: got %v, want %v", bad, total, minutes, exact, n.above, got, want)
		}
	})
}

func TestUpToWhenCountsAreKnown(t *testing.T) {
	o := objective(t, search)
	b, _ := Budget{}.Step(Counted{Minute: at("12:00"), Bad: 1, Total: 10}, at("12:05"), o)
	b, _ = b.Step(Counted{Minute: at("12:03")}, at("12:06"), o) // without data
	b, _ = b.Step(Reloaded{}, at("15:00"), o)
	if got := b.Known(); !got.Equal(at("12:01")) {
		t.Errorf("known up to %s, want 12:01, when the minute ends that has data", got)
	}
	if got := (Budget{}).Known(); !got.IsZero() {
		t.Errorf("the zero Budget knows up to %s", got)
	}
}

// A budget is idle when its window has left everything behind, and no incident may come back.
func TestABudgetIsIdleWhenNothingIsLeft(t *testing.T) {
	o := objective(t, checkout)
	b, _ := Budget{}.Step(Fired{Alert: "a", StartsAt: at("12:00")}, at("12:00"), o)
	b, _ = b.Step(Tick{}, b.Due(), o)
	b, _ = b.Step(Resolved{Alert: "a"}, at("12:10"), o)
	for !b.Due().IsZero() {
		if b.Idle(o) {
			t.Fatalf("idle at %s, with %+v", b.Seen, b.Breach)
		}
		b, _ = b.Step(Tick{}, b.Due(), o)
	}
	if b, _ = b.Step(Reloaded{}, at("12:09").Add(30*24*time.Hour), o); b.Idle(o) {
		t.Error("idle while the window holds a minute")
	}
	if b, _ = b.Step(Reloaded{}, at("12:16").Add(30*24*time.Hour), o); !b.Idle(o) {
		t.Errorf("not idle: %+v", b)
	}
	held, _ := Budget{}.Step(Correction{ID: "x", From: at("12:00"), To: at("13:00")}, at("12:00"), o)
	if held.Idle(o) {
		t.Error("idle with a correction")
	}
}
