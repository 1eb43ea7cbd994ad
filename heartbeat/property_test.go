package heartbeat

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func anyRule(t *rapid.T) Watch {
	return Watch{
		Name:  "any",
		Every: time.Duration(rapid.IntRange(10, 100_000).Draw(t, "every")) * time.Second,
		Grace: time.Duration(rapid.IntRange(0, 100_000).Draw(t, "grace")) * time.Second,
	}
}

func late(effects []Effect) bool {
	for _, e := range effects {
		if _, ok := e.(FellLate); ok {
			return true
		}
	}
	return false
}

// One that is heard in time is never late, whatever restarts and jumps of the clock lie between, and however often
// somebody looks.
func TestNeverLateWhileItIsHeardInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := anyRule(t)
		now := start
		h, _ := Heartbeat{}.Step(rule, now)
		step := func(in Input) {
			var effects []Effect
			if h, effects = h.Step(in, now); late(effects) || h.State == Late {
				t.Fatalf("late after %T at %s: %+v", in, now.Sub(start), h)
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "beats") {
			left := rapid.Int64Range(0, int64(rule.Every+rule.Grace)-1).Draw(t, "next")
			for range rapid.IntRange(0, 3).Draw(t, "between") {
				pause := rapid.Int64Range(0, left).Draw(t, "pause")
				left -= pause
				now = now.Add(time.Duration(pause))
				switch rapid.SampledFrom([]string{"look", "restart", "unsure", "jump", "same rule"}).Draw(t, "what") {
				case "look":
					step(Elapsed{})
				case "restart":
					step(Restarted{})
				case "unsure":
					step(Restarted{Unsure: true})
				case "jump":
					by := time.Duration(rapid.Int64Range(-int64(48*time.Hour), int64(48*time.Hour)).Draw(t, "by"))
					now = now.Add(by)
					step(Shifted{By: by})
				case "same rule":
					step(rule)
				}
			}
			now = now.Add(time.Duration(left))
			step(Elapsed{})
			step(Beat{At: now})
		}
	})
}

// Without a restart it is late exactly when Every and Grace have passed since it was last heard, and not before.
func TestLateExactlyThen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := anyRule(t)
		now, last := start, start
		h, _ := Heartbeat{}.Step(rule, now)
		for range rapid.IntRange(0, 10).Draw(t, "beats") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(rule.Every+rule.Grace)-1).Draw(t, "next")))
			h, _ = h.Step(Beat{At: now}, now)
			last = now
		}
		due := last.Add(rule.Every + rule.Grace)
		if !h.Due().Equal(due) {
			t.Fatalf("due at %s, want %s", h.Due(), due)
		}
		if next, effects := h.Step(Elapsed{}, due.Add(-1)); next != h || len(effects) > 0 {
			t.Fatalf("before it is due it becomes %+v, %v", next, effects)
		}
		then, effects := h.Step(Elapsed{}, due)
		if !late(effects) || then.State != Late || !then.Due().IsZero() {
			t.Fatalf("at %s it is %+v, %v", due, then, effects)
		}
		// And it comes back with the first beat, whenever that is.
		back := due.Add(time.Duration(rapid.Int64Range(0, int64(rule.Every)).Draw(t, "back")))
		if again, effects := then.Step(Beat{At: back}, back); again.State != Fine || len(effects) != 1 || !again.Due().Equal(back.Add(rule.Every+rule.Grace)) {
			t.Fatalf("heard again it is %+v, %v", again, effects)
		}
	})
}

// A restart wakes nobody on account of the time before it: either its whole time is left, or nothing could have come
// meanwhile. And a silence does not go on for ever because of restarts.
func TestARestartIsNoSilence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := anyRule(t)
		h, _ := Heartbeat{}.Step(rule, start)
		h, _ = h.Step(Beat{At: start}, start)
		stopped := start.Add(time.Duration(rapid.Int64Range(0, int64(rule.Every+rule.Grace)-1).Draw(t, "stopped")))
		now := stopped.Add(time.Duration(rapid.Int64Range(0, int64(72*time.Hour)).Draw(t, "away")))
		h, _ = h.Step(Restarted{}, now)
		whole := h.Due().Equal(now.Add(rule.Every + rule.Grace))
		early := !now.After(start.Add(rule.Every - rule.Grace))
		if !whole && !(early && h.Due().Equal(start.Add(rule.Every+rule.Grace))) && !now.Equal(start) {
			t.Fatalf("after a restart at %s it is due at %s; every %s, grace %s", now.Sub(start), h.Due().Sub(start), rule.Every, rule.Grace)
		}
		for range 1000 {
			now = now.Add(time.Duration(rapid.Int64Range(1, int64(rule.Every+rule.Grace)).Draw(t, "next")))
			var effects []Effect
			if h, effects = h.Step(Elapsed{}, now); late(effects) {
				return
			}
			h, _ = h.Step(Restarted{}, now)
		}
		t.Fatalf("a thousand restarts hide it: %+v", h)
	})
}

func TestItIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, _ := Heartbeat{}.Step(anyRule(t), start)
		now := start
		for range rapid.IntRange(0, 10).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "next")))
			in := rapid.SampledFrom([]Input{Beat{At: now}, Fail{Said: "x"}, Elapsed{}, Restarted{}, Shifted{By: time.Minute}}).Draw(t, "in")
			h, _ = h.Step(in, now)
		}
		data, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var back Heartbeat
		if err := json.Unmarshal(data, &back); err != nil || back != h {
			t.Fatalf("%+v is read as %+v, %v", h, back, err)
		}
	})
}
