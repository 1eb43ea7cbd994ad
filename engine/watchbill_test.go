package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

const day = 24 * time.Hour

// rota is a configuration whose one schedule has these users take turns of so many hours, from 15 November 03:00 on.
func rota(hours int, users ...string) *Config {
	return house(func(cfg *Config) {
		cfg.Schedules["weekly"] = rotaOf(hours, users...)
	})
}

func rotaOf(hours int, users ...string) *oncall.Schedule {
	start, err := oncall.ParseCivil("2026-11-15 03:00")
	if err != nil {
		panic(err)
	}
	r := oncall.Rotation{Start: start, Every: oncall.Every{N: hours, Unit: oncall.Hour}}
	for _, u := range users {
		r.Turns = append(r.Turns, []string{u})
	}
	s, err := oncall.New(oncall.Spec{Name: "weekly", Zone: time.UTC, Layers: []oncall.Layer{{Name: "base", Rotation: r}}})
	if err != nil {
		panic(err)
	}
	return s
}

// record is the history of the one schedule on the disk, a line each.
func (w *world) record() string {
	w.t.Helper()
	var b strings.Builder
	bill := w.e.core.bills["weekly"]
	for n := bill.First; n <= bill.Last && bill.Last > 0; n++ {
		l, ok := readWatch(ctx(), w.disk, "weekly", n)
		if !ok {
			w.t.Fatalf("line %d cannot be read", n)
		}
		who := strings.Join(l.Users, "+")
		switch {
		case l.Gone:
			who = "gone"
		case who == "" && l.Declared:
			who = "nobody, as planned"
		case who == "":
			who = "nobody"
		}
		fmt.Fprintf(&b, "%s %s\n", l.At.Sub(night), who)
	}
	return b.String()
}

func (w *world) reload(cfg *Config) {
	w.cfg = cfg
	w.turn(Reload{Config: cfg})
	w.settle()
}

// TestTheRecordIsOfWhatHappened: neither an override that is made or removed later, nor another file, changes who was on
// call.
func TestTheRecordIsOfWhatHappened(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.run(25 * time.Hour)
	w.overrule(oncall.Take, "bo", "", -time.Hour, 30*time.Hour)
	w.run(26 * time.Hour)
	w.turn(DropOverride{Schedule: "weekly", ID: "weekly-1", By: "ana"})
	w.run(27 * time.Hour)
	w.reload(rota(12, "ana", "cto"))
	w.run(40 * time.Hour)
	same(t, w.record(), `
0s eva
24h0m0s cy
25h0m0s bo
26h0m0s cy
27h0m0s ana
36h0m0s cto`)
	w.wantOn(map[time.Duration]string{
		-time.Hour: "cto computed", time.Hour: "eva", 25*time.Hour - 1: "cy", 25 * time.Hour: "bo", 26 * time.Hour: "cy", 28 * time.Hour: "ana", 39 * time.Hour: "cto",
		50 * time.Hour: "ana",
	})
	shifts, since, ok, err := w.e.Shifts(ctx(), "weekly", night.Add(-3*time.Hour), night.Add(48*time.Hour))
	if err != nil || !ok || !since.Equal(night) {
		t.Fatalf("recorded from %s on (%v, %v)", since, ok, err)
	}
	var got []string
	for _, s := range shifts {
		got = append(got, fmt.Sprint(s.Start.Sub(night), " ", strings.Join(s.Users, "+"), " ", strings.Join(s.Layers, "+")))
	}
	want := []string{"-3h0m0s cto base", "0s eva base", "24h0m0s cy base", "25h0m0s bo override", "26h0m0s cy base", "27h0m0s ana base", "36h0m0s cto base"}
	if !slices.Equal(got, want) || !shifts[6].End.Equal(night.Add(48*time.Hour)) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	for i := range shifts[1:] {
		if !shifts[i].End.Equal(shifts[i+1].Start) {
			t.Errorf("shift %d ends at %s, the next begins at %s", i, shifts[i].End, shifts[i+1].Start)
		}
	}
}

// TestUntilIsOfThePast tells when what was recorded ended.
func TestUntilIsOfThePast(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.run(30 * time.Hour)
	for at, want := range map[time.Duration]time.Duration{time.Hour: day, 25 * time.Hour: 2 * day, 30 * time.Hour: 2 * day, 50 * time.Hour: 3 * day} {
		duties, err := w.e.Duties(ctx(), night.Add(at))
		if err != nil || len(duties) != 1 || !duties[0].Until.Equal(night.Add(want)) {
			t.Errorf("at %s: %+v (%v), want until %s", at, duties, err, want)
		}
	}
	duties, err := w.e.Duties(ctx(), time.Time{})
	if err != nil || len(duties) != 1 || duties[0].Past || !slices.Equal(duties[0].Users, []string{"cy"}) {
		t.Errorf("now: %+v (%v)", duties, err)
	}
}

// TestTimeThatPassedUnseen is recorded as the schedule, as it was when the daemon ended, said of it. An edit made
// meanwhile holds from the start on.
func TestTimeThatPassedUnseen(t *testing.T) {
	for name, c := range map[string]struct {
		from *Config
		then *Config
		down time.Duration
		want string
	}{
		"as it was":   {house(), house(), 50 * time.Hour, "0s eva\n24h0m0s cy\n48h0m0s eva"},
		"edited":      {house(), rota(24, "ana", "bo"), 50 * time.Hour, "0s eva\n24h0m0s cy\n48h0m0s eva\n51h0m0s bo"},
		"the same":    {house(), house(), time.Hour, "0s eva"},
		"gone":        {house(), house(func(cfg *Config) { delete(cfg.Schedules, "weekly") }), 30 * time.Hour, "0s eva\n24h0m0s cy\n31h0m0s gone"},
		"for a month": {rota(24*20, "ana", "bo"), rota(24*20, "ana", "bo"), 50 * day, "0s ana\n312h0m0s bo\n792h0m0s ana"},
		"edited, for longer than was planned": {
			rota(24*20, "ana", "bo"), rota(24*10, "cy", "eva"), 70 * day, "0s ana\n312h0m0s bo\n792h0m0s cy\n1032h0m0s eva\n1272h0m0s cy\n1512h0m0s eva",
		},
		"for years": {house(), house(), 501 * day, "0s eva\n" + thirtyDays() + "12025h0m0s cy"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.from, 1)
			w.run(time.Hour)
			w.cfg = c.then
			w.crash(c.down)
			w.run(time.Hour + c.down)
			same(t, w.record(), c.want)
			w.holdRecord()
			before := w.disk.all()
			w.crash(0)
			if after := w.disk.all(); !maps.Equal(before, after) {
				t.Errorf("another start wrote more: %s", firstDifference(before, after))
			}
		})
	}
}

// thirtyDays is what had been planned when the daemon ended.
func thirtyDays() (text string) {
	for n := 1; n <= 30; n++ {
		text += fmt.Sprintf("%s %s\n", time.Duration(n)*day, []string{"eva", "cy"}[n%2])
	}
	return text
}

// TestAnEditIsPlannedFor though nobody else is on call yet: what was decided before the daemon ended holds while it is away.
func TestAnEditIsPlannedFor(t *testing.T) {
	for name, c := range map[string]struct {
		first, second, third *Config
		down                 time.Duration
		want                 string
	}{
		"for tomorrow": {house(), rota(24, "bo", "eva"), rota(24, "ana", "eva"), 30 * time.Hour, "0s eva\n24h0m0s bo\n31h0m0s ana"},
		"for later than is planned": {
			rota(24*400, "ana"), rota(24*40, "ana", "bo"), rota(24*10, "cy", "eva"), 40 * day, "0s ana\n792h0m0s cy",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.first, 1)
			w.run(30 * time.Minute)
			w.reload(c.second)
			w.run(time.Hour)
			same(t, w.record(), strings.Split(c.want, "\n")[0])
			w.cfg = c.third
			w.crash(c.down)
			w.run(time.Hour + c.down)
			same(t, w.record(), c.want)
		})
	}
}

// TestAnEditThatOvertakesTheClock comes in the very turn in which a hand-off is due. The hand-off is recorded first, by
// the schedule that held until then.
func TestAnEditThatOvertakesTheClock(t *testing.T) {
	const handoff = "0s eva\n24h0m0s cy\n"
	for name, c := range map[string]struct {
		do   func(w *world)
		want string
	}{
		"an override": {func(w *world) { w.overrule(oncall.Take, "ana", "", 0, 30*time.Hour) }, handoff + "25h0m0s ana"},
		"one that is removed": {func(w *world) {
			w.turn(DropOverride{Schedule: "weekly", ID: "weekly-1", By: "ana"})
		}, "0s eva\n24h30m0s bo\n25h0m0s cy"},
		"another file": {func(w *world) { w.reload(rota(48, "ana", "bo")) }, handoff + "25h0m0s ana"},
		"no schedule": {func(w *world) {
			w.reload(house(func(cfg *Config) { delete(cfg.Schedules, "weekly") }))
		}, handoff + "25h0m0s gone"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, house(), 1)
			if name == "one that is removed" {
				w.overrule(oncall.Take, "bo", "", 24*time.Hour+30*time.Minute, 30*time.Hour)
				c.want = strings.Replace(c.want, "0s eva\n", handoff, 1)
			}
			w.run(23 * time.Hour)
			w.elapsed = 25 * time.Hour
			c.do(w)
			same(t, w.record(), c.want)
		})
	}
}

func TestAScheduleComesAndGoes(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.run(time.Hour)
	without := house(func(cfg *Config) { delete(cfg.Schedules, "weekly") })
	w.reload(without)
	w.run(3 * time.Hour)
	w.wantOn(map[time.Duration]string{time.Minute: "eva", 2 * time.Hour: ""})
	w.crash(0)
	w.reload(house())
	w.run(4 * time.Hour)
	same(t, w.record(), "0s eva\n1h0m0s gone\n3h0m0s eva")
	w.reload(without)
	shifts, since, ok, err := w.e.Shifts(ctx(), "weekly", night.Add(-time.Hour), night.Add(5*time.Hour))
	if err != nil || !ok || !since.Equal(night) || len(shifts) != 2 || !shifts[0].End.Equal(night.Add(time.Hour)) || !shifts[1].End.Equal(night.Add(4*time.Hour)) {
		t.Errorf("%v since %s (%v, %v)", shifts, since, ok, err)
	}
	if _, _, ok, _ := w.e.Shifts(ctx(), "nope", night, night.Add(time.Hour)); ok {
		t.Error("there is a schedule that never was")
	}
}

// TestAGapIsRecorded with whether it was meant.
func TestAGapIsRecorded(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		spec := rotaOf(24, "ana").Spec()
		window := func(from, to string) []oncall.Window {
			v, err := oncall.ParseWindow(nil, from, to)
			if err != nil {
				t.Fatal(err)
			}
			return []oncall.Window{v}
		}
		spec.Layers[0].Active, spec.Uncovered = window("04:00", "06:00"), window("07:00", "08:00")
		s, err := oncall.New(spec)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Schedules["weekly"] = s
	}), 1)
	w.run(6 * time.Hour)
	same(t, w.record(), "0s nobody\n1h0m0s ana\n3h0m0s nobody\n4h0m0s nobody, as planned\n5h0m0s nobody")
}

// TestAClockThatIsSetNeitherDoublesNorReordersTheRecord: what is yet to come again is recorded when it comes.
func TestAClockThatIsSetNeitherDoublesNorReordersTheRecord(t *testing.T) {
	for name, c := range map[string]struct {
		jumps []time.Duration // one each ten hours
		want  string
	}{
		"back over a hand-off": {[]time.Duration{0, 0, -8 * time.Hour, 0}, "0s eva\n24h0m0s cy"},
		"forward over one":     {[]time.Duration{20 * time.Hour}, "0s eva\n24h0m0s cy"},
		"there and back":       {[]time.Duration{40 * day, -40 * day, 0}, "0s eva\n24h0m0s cy"},
		"to the start of time": {[]time.Duration{-10 * 365 * day, 10 * 365 * day, 0}, "-87590h0m0s nobody\n" + firstWeek() + "0s eva\n24h0m0s cy"},
		"and years ahead":      {[]time.Duration{500 * day, -500 * day, 0}, "0s eva\n24h0m0s cy"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, restarted := range []bool{false, true} {
				w := newWorld(t, house(), 1)
				for i, by := range c.jumps {
					w.run(time.Duration(i+1) * 10 * time.Hour)
					w.holdRecord()
					if restarted {
						w.jumped += by
						w.crash(0)
						w.settle()
					} else {
						w.jump(by)
					}
					w.holdRecord()
				}
				for w.wall().Before(night.Add(30 * time.Hour)) {
					w.run(w.elapsed + time.Hour)
				}
				same(t, w.record(), c.want)
				b, on := w.e.core.bills["weekly"], uint64(0)
				for key := range w.disk.all() {
					if strings.HasPrefix(key, prefWatch) {
						on++
					}
				}
				if on != b.Last-b.First+1 {
					t.Errorf("%d lines are on the disk, of which %d count", on, b.Last-b.First+1)
				}
			}
		})
	}
}

// firstWeek is from the rotation's start on.
func firstWeek() (text string) {
	for n := -7; n < 0; n++ {
		text += fmt.Sprintf("%s %s\n", time.Duration(n)*day, []string{"eva", "cy"}[(n+8)%2])
	}
	return text
}

// TestTheRecordIsKeptToItsLength drops the oldest lines; what was before the first is computed.
func TestTheRecordIsKeptToItsLength(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.run(5 * day)
	b := w.e.core.bills["weekly"]
	// As if there had been so many before.
	for n := b.First; n <= b.Last; n++ {
		l, _ := readWatch(ctx(), w.disk, "weekly", n)
		w.disk.damage(watchKey("weekly", n+keepWatches-7), string(encode("watch", l)))
		w.disk.damage(watchKey("weekly", n), "")
	}
	b.First, b.Last = 1+keepWatches-7, b.Last+keepWatches-7
	b.First -= keepWatches - 7
	w.run(8 * day)
	if b.Last-b.First != keepWatches-1 {
		t.Errorf("lines %d to %d are kept", b.First, b.Last)
	}
	w.wantOn(map[time.Duration]string{time.Hour: "eva", 25 * time.Hour: "cy", 7*day + time.Hour: "cy", -time.Hour: "cy computed"})
}

// TestADamagedRecord: a line that cannot be read is passed over, and a bill that cannot is made anew without writing over
// its lines.
func TestADamagedRecord(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.run(5*day + time.Hour)
	w.disk.damage(watchKey("weekly", 3), "{")
	w.disk.damage(prefBill+"weekly", `{"kind":"bill","version":1,"value":{"first":9,"last":2}}`)
	w.found()
	w.cfg = rota(24, "ana")
	w.crash(0)
	w.run(6 * day)
	w.wantOn(map[time.Duration]string{time.Hour: "eva", day + time.Hour: "cy", 2*day + time.Hour: "cy", 3*day + time.Hour: "cy", 4*day + time.Hour: "eva", 5*day + time.Minute: "cy", 5*day + 2*time.Hour: "ana"})
	b := w.e.core.bills["weekly"]
	if b.First != 1 || b.Last != 7 {
		t.Errorf("the lines are %d to %d", b.First, b.Last)
	}
}

// TestWhoWasOnCallIsWhoWasOnCall plays weeks of edits, overrides, reloads, restarts, downtime and clocks that are set, looks
// every few minutes who is on call, and asks again at the end.
func TestWhoWasOnCallIsWhoWasOnCall(t *testing.T) {
	files := []*Config{house(), rota(5, "ana", "bo", "cto"), rota(1, "ana", "eva"), house(func(cfg *Config) { delete(cfg.Schedules, "weekly") })}
	for seed := range nights(12) {
		r := rand.New(rand.NewPCG(seed, 21))
		w := newWorld(seeded{t, seed}, files[0], seed)
		seen := map[time.Time]string{}
		for range 150 {
			w.run(w.elapsed + time.Duration(1+r.IntN(90))*time.Minute + time.Duration(r.IntN(60))*time.Second)
			switch r.IntN(12) {
			case 0, 1:
				from := time.Duration(r.IntN(48)-24) * time.Hour
				o := oncall.Override{
					Kind: []oncall.Kind{oncall.Take, oncall.Add, oncall.Remove}[r.IntN(3)], User: []string{"ana", "bo", "cy"}[r.IntN(3)],
					Start: w.wall().Add(from), End: w.wall().Add(from + time.Duration(1+r.IntN(48))*time.Hour),
				}
				w.turn(Override{Schedule: "weekly", By: "ana", Override: o})
			case 2:
				w.turn(DropOverride{Schedule: "weekly", ID: fmt.Sprintf("weekly-%d", 1+r.IntN(5)), By: "ana"})
			case 3:
				w.reload(files[r.IntN(len(files))])
			case 4:
				w.crash(0)
			case 5:
				w.cfg = files[r.IntN(len(files))]
				w.crash(time.Duration(r.IntN(40)) * time.Hour)
				w.run(w.back)
			case 6:
				w.jump(time.Duration(r.Int64N(int64(60*time.Hour))) - 30*time.Hour)
				for at := range seen {
					if !at.Before(w.wall()) {
						delete(seen, at) // it is yet to come
					}
				}
			}
			w.settle()
			users := "no schedule"
			if s := w.e.core.schedules["weekly"]; s != nil {
				users = strings.Join(s.At(w.wall()).Users(), "+")
			}
			seen[w.wall()] = users
		}
		w.run(w.elapsed + time.Second)
		w.holdRecord()
		w.crash(0)
		for at, want := range seen {
			duties, err := w.e.Duties(ctx(), at)
			got := "no schedule"
			if err == nil && len(duties) > 0 {
				got = strings.Join(duties[0].Users, "+")
				if !duties[0].Recorded {
					got += " computed"
				}
			}
			if got != want {
				w.t.Fatalf("at %s on call was %s, and now it is said that it was %s (%v)\n%s", at.Sub(night), want, got, err, w.record())
			}
		}
		w.holdShifts()
	}
}

// seeded tells of which seed a failure is.
type seeded struct {
	*testing.T
	seed uint64
}

func (s seeded) Fatalf(format string, args ...any) {
	s.Helper()
	s.T.Fatalf("seed %d: %s", s.seed, fmt.Sprintf(format, args...))
}

// holdShifts: what is told as shifts is what is told of each instant.
func (w *world) holdShifts() {
	w.t.Helper()
	from, to := night.Add(-10*time.Hour), w.wall().Add(10*time.Hour)
	shifts, _, _, err := w.e.Shifts(ctx(), "weekly", from, to)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	for i, s := range shifts {
		if !s.Start.Before(s.End) || i > 0 && (s.Start.Before(shifts[i-1].End) || s.Start.Equal(shifts[i-1].End) && reflect.DeepEqual(s.Users, shifts[i-1].Users)) {
			w.t.Fatalf("shift %d is %+v", i, s)
		}
	}
	for at := from; at.Before(to); at = at.Add(17 * time.Minute) {
		duties, err := w.e.Duties(ctx(), at)
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		var want, got []string
		if len(duties) > 0 {
			want = duties[0].Users
		}
		for _, s := range shifts {
			if !s.Start.After(at) && s.End.After(at) {
				got = s.Users
			}
		}
		if !slices.Equal(got, want) {
			w.t.Fatalf("at %s on call was %v, and by the shifts %v", at.Sub(night), want, got)
		}
	}
}
