package heartbeat

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func at(clock string) time.Time {
	d, err := time.ParseDuration(clock)
	if err != nil {
		panic(err)
	}
	return start.Add(d)
}

// watched is one that is expected every minute and may be late by two, watched from the start on.
func watched() Heartbeat {
	h, _ := Heartbeat{}.Step(Watch{Name: "prom", Every: time.Minute, Grace: 2 * time.Minute}, start)
	return h
}

// story steps a heartbeat and writes down what becomes of it.
func story(h Heartbeat, steps ...any) string {
	var b strings.Builder
	for i := 0; i < len(steps); i += 2 {
		clock := steps[i].(string)
		var effects []Effect
		h, effects = h.Step(steps[i+1].(Input), at(clock))
		fmt.Fprintf(&b, "%s %s", clock, h.State)
		if due := h.Due(); !due.IsZero() {
			fmt.Fprintf(&b, " until %s", due.Sub(start))
		}
		for _, e := range effects {
			fmt.Fprintf(&b, " %T%+v", e, e)
		}
		b.WriteByte('\n')
	}
	return strings.ReplaceAll(b.String(), "heartbeat.", "")
}

func beat(clock string) Beat { return Beat{At: at(clock)} }

func TestStories(t *testing.T) {
	daily := Watch{Name: "backup", Every: 24 * time.Hour, Grace: time.Hour}
	for _, c := range []struct {
		what  string
		steps []any
		want  string
	}{
		{"silence counts from the start, and then from each beat", []any{
			"0s", beat("0s"), "1m", beat("1m"), "3m59s", Elapsed{}, "4m", Elapsed{}, "5m", Elapsed{}, "6m", beat("6m"),
		}, `
0s fine until 3m0s
1m fine until 4m0s
3m59s fine until 4m0s
4m late FellLate{Brief:not heard for 3m Reason:it was not heard for 3m; it is expected every 1m, and may be late by 2m}
5m late
6m fine until 9m0s Recovered{Reason:it was heard again after 5m}`},
		{"one that was never heard", []any{"3m", Elapsed{}, "4m", beat("4m")}, `
3m late FellLate{Brief:never heard in 3m Reason:it was never heard in 3m; it is expected every 1m, and may be late by 2m}
4m fine until 7m0s Recovered{Reason:it was heard again after 4m}`},
		{"what was heard before, or is told again, is no news; nobody hears of what is to come", []any{
			"2m", beat("2m"), "2m30s", beat("1m"), "2m40s", beat("2m"), "3m", beat("2h"),
		}, `
2m fine until 5m0s
2m30s fine until 5m0s
2m40s fine until 5m0s
3m fine until 6m0s`},
		{"a failure is told at once, and once, and ends with the next beat", []any{
			"1m", Fail{Said: " exit status 3 "}, "2m", Fail{Said: "again"}, "9m", Elapsed{}, "10m", beat("10m"),
		}, `
1m late FellLate{Brief:failed: exit status 3 Reason:it said that it failed: exit status 3}
2m late
9m late
10m fine until 13m0s Recovered{Reason:it was heard again, and said nothing of a failure}`},
		{"a failure and a beat at one instant: the last word counts", []any{
			"1m", beat("1m"), "1m", Fail{}, "1m", beat("1m"),
		}, `
1m fine until 4m0s
1m late FellLate{Brief:failed: no words Reason:it said that it failed: no words}
1m fine until 4m0s Recovered{Reason:it was heard again, and said nothing of a failure}`},
		{"silent, and then it tells of a failure", []any{"3m", Elapsed{}, "4m", Fail{Said: "x"}, "5m", beat("4m30s")}, `
3m late FellLate{Brief:never heard in 3m Reason:it was never heard in 3m; it is expected every 1m, and may be late by 2m}
4m late Worse{Reason:it said that it failed: x}
5m fine until 7m30s Recovered{Reason:it was heard again, and said nothing of a failure}`},
		{"paused, it is not watched; then watching begins anew", []any{
			"3m",
			Elapsed{},
			"4m",
			Watch{Name: "prom", Every: time.Minute, Grace: 2 * time.Minute, Paused: true},
			"5m", beat("5m"), "6m",
			Fail{},
			"20m",
			Elapsed{},
			"30m",
			Watch{Name: "prom", Every: time.Minute, Grace: 2 * time.Minute},
			"33m",
			Elapsed{},
		}, `
3m late FellLate{Brief:never heard in 3m Reason:it was never heard in 3m; it is expected every 1m, and may be late by 2m}
4m paused Recovered{Reason:it was paused in the configuration}
5m paused
6m paused
20m paused
30m new until 33m0s
33m late FellLate{Brief:not heard for 3m Reason:it was not heard for 3m; it is expected every 1m, and may be late by 2m}`},
		{"waited for patiently, until it was heard once", []any{
			"0s", Watch{Name: "prom", Every: time.Minute, Patient: true}, "1h", Elapsed{}, "2h", beat("2h"), "2h1m", Elapsed{},
		}, `
0s new
1h new
2h fine until 2h1m0s
2h1m late FellLate{Brief:not heard for 1m Reason:it was not heard for 1m; it is expected every 1m}`},
		{"the same rule again changes nothing; another one begins anew", []any{
			"2m",
			Watch{Name: "prom", Every: time.Minute, Grace: 2 * time.Minute},
			"2m",
			Watch{Name: "prom", Every: time.Minute},
			"3m",
			Elapsed{},
		}, `
2m new until 3m0s
2m new until 3m0s
3m late FellLate{Brief:never heard in 1m Reason:it was never heard in 1m; it is expected every 1m}`},
		{"late by a rule that was too strict", []any{
			"1m", beat("1m"), "4m",
			Elapsed{},
			"5m",
			Watch{Name: "prom", Every: time.Minute, Grace: 3 * time.Minute},
			"5m",
			Watch{Name: "prom", Every: time.Minute, Grace: 9 * time.Minute},
		}, `
1m fine until 4m0s
4m late FellLate{Brief:not heard for 3m Reason:it was not heard for 3m; it is expected every 1m, and may be late by 2m}
5m late
5m fine until 11m0s Recovered{Reason:it may now be silent for 10m}`},
		{"a restart is the reason of a silence that came with it", []any{
			"1m", beat("1m"), "20m", Restarted{}, "21m", Elapsed{}, "23m", Elapsed{},
		}, `
1m fine until 4m0s
20m fine until 23m0s
21m fine until 23m0s
23m late FellLate{Brief:not heard for 3m Reason:it was not heard for 3m; it is expected every 1m, and may be late by 2m}`},
		{"a restart at noon says nothing about the job of the night", []any{
			"0s", daily, "0s", beat("0s"), "9h", Restarted{}, "10h", Restarted{}, "25h", Elapsed{},
		}, `
0s new until 25h0m0s
0s fine until 25h0m0s
9h fine until 25h0m0s
10h fine until 25h0m0s
25h late FellLate{Brief:not heard for 1d1h Reason:it was not heard for 1d1h; it is expected every 1d, and may be late by 1h}`},
		{"a restart at the hour of the job may have missed it, a few times", []any{
			"0s", daily, "0s", beat("0s"), "24h", Restarted{}, "48h", Restarted{}, "72h", Restarted{}, "96h", Restarted{}, "97h", Elapsed{},
		}, `
0s new until 25h0m0s
0s fine until 25h0m0s
24h fine until 49h0m0s
48h fine until 73h0m0s
72h fine until 97h0m0s
96h fine until 97h0m0s
97h late FellLate{Brief:not heard for 1d1h Reason:it was not heard for 1d1h; it is expected every 1d, and may be late by 1h}`},
		{"where it may have been heard without our knowing, every restart is a reason", []any{
			"0s", daily, "24h",
			Restarted{},
			"25h",
			Restarted{},
			"48h",
			Restarted{},
			"72h",
			Restarted{},
			"73h",
			Restarted{Unsure: true},
			"74h",
			Restarted{Unsure: true},
		}, `
0s new until 25h0m0s
24h new until 49h0m0s
25h new until 49h0m0s
48h new until 73h0m0s
72h new until 97h0m0s
73h new until 98h0m0s
74h new until 99h0m0s`},
		{"a restart ends nothing", []any{"3m", Elapsed{}, "4m", Restarted{Unsure: true}}, `
3m late FellLate{Brief:never heard in 3m Reason:it was never heard in 3m; it is expected every 1m, and may be late by 2m}
4m late`},
		{"the clock is set back by an hour, and forward", []any{
			"1m", beat("1m"), "-59m", Shifted{By: -time.Hour}, "-56m", Elapsed{},
		}, `
1m fine until 4m0s
-59m fine until -56m0s
-56m late FellLate{Brief:not heard for 3m Reason:it was not heard for 3m; it is expected every 1m, and may be late by 2m}`},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := watched()
			if _, own := c.steps[1].(Watch); own && c.steps[0] == "0s" {
				h = Heartbeat{}
			}
			if got, want := story(h, c.steps...), strings.TrimSpace(c.want)+"\n"; got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestTheZeroHeartbeatIsWatchedByNobody(t *testing.T) {
	for _, in := range []Input{beat("0s"), Fail{}, Elapsed{}, Restarted{Unsure: true}, Shifted{By: time.Hour}} {
		h, effects := Heartbeat{}.Step(in, start)
		if h.State != "" || !h.Due().IsZero() || len(effects) > 0 {
			t.Errorf("%T makes %+v, %v", in, h, effects)
		}
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", -time.Second: "0s", 999 * time.Millisecond: "0s", 90*time.Second + 3: "1m30s", 25 * time.Hour: "1d1h", 24 * time.Hour: "1d",
	} {
		if got := Words(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestTogether(t *testing.T) {
	one := func(name, last string, late string) Heartbeat {
		h := Heartbeat{Name: name, Every: time.Minute, Grace: 2 * time.Minute, State: Fine, Last: at(last), From: at(last)}
		if late != "" {
			h.State, h.Since = Late, at(late)
		}
		return h
	}
	slow := one("slow", "0s", "")
	slow.Every, slow.Grace = time.Hour, time.Minute
	for _, c := range []struct {
		what  string
		now   string
		all   []Heartbeat // the first of them is judged
		want  Verdict
		again string
	}{
		{"the only one there is", "3m", []Heartbeat{one("a", "0s", "3m")}, Alone, ""},
		{"the other is heard still", "3m", []Heartbeat{one("a", "0s", "3m"), one("b", "2m30s", "")}, Alone, ""},
		{"the other fell silent with it, and is not late yet", "3m", []Heartbeat{one("a", "0s", "3m"), one("b", "40s", "")}, Wait, "3m10s"},
		{"the same, and soon it is", "3m35s", []Heartbeat{one("a", "0s", "3m"), one("b", "40s", "")}, Wait, "3m40s"},
		{"both are late", "3m40s", []Heartbeat{one("a", "0s", "3m"), one("b", "40s", "3m40s")}, All, ""},
		{"two are late, and the third is heard", "3m40s", []Heartbeat{one("a", "0s", "3m"), one("b", "40s", "3m40s"), one("c", "3m", "")}, Alone, ""},
		{"one that comes too seldom to tell is waited for", "4m55s", []Heartbeat{one("a", "0s", "3m"), slow}, Wait, "5m"},
		{"and not for long", "5m", []Heartbeat{one("a", "0s", "3m"), slow}, Alone, ""},
	} {
		v, again := Together(c.all[0], c.all, at(c.now))
		want := time.Time{}
		if c.again != "" {
			want = at(c.again)
		}
		if v != c.want || !again.Equal(want) {
			t.Errorf("%s: %v, again at %v, want %v at %v", c.what, v, again.Sub(start), c.want, c.again)
		}
	}
}
