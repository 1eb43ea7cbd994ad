package escalation

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// rung is a step of the model: whether it reaches anybody, and how long it has.
type rung struct {
	reaches bool
	after   time.Duration
}

// expected is the ladder of SPEC §5.1 and §5.3 as a loop over its walks: what happens, and at what instant.
func expected(rungs []rung, repeat, from int, horizon time.Duration) []string {
	var lines []string
	var now time.Duration
	say := func(format string, args ...any) {
		if now <= horizon {
			lines = append(lines, fmt.Sprintf("%v ", now)+fmt.Sprintf(format, args...))
		}
	}
	for cycle, start := 1, 1; ; cycle, start = cycle+1, from {
		reached := false
		for step := start; step <= len(rungs); step++ {
			if !rungs[step-1].reaches {
				say("step_skipped %d.%d", step, cycle)
				continue
			}
			say("page %d.%d", step, cycle)
			now += rungs[step-1].after
			reached = true
		}
		if !reached || repeat != Forever && cycle > repeat || now > horizon {
			break
		}
	}
	say("policy_exhausted")
	for ; now <= horizon; now += 4 * time.Hour {
		say("catch_all")
		say("page of catch_all")
	}
	return lines
}

func TestDueTimesAreTheModels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minutes := func(name string, lo, hi int) time.Duration {
			return time.Duration(rapid.IntRange(lo, hi).Draw(t, name)) * time.Minute
		}
		var rungs []rung
		p := Policy{Name: "db"}
		for range rapid.IntRange(0, 4).Draw(t, "steps") {
			r := rung{reaches: rapid.Bool().Draw(t, "reaches"), after: minutes("after", 1, 90)}
			rungs = append(rungs, r)
			who := target("@nowhere")
			if r.reaches {
				who = target("ana")
			}
			p.Steps = append(p.Steps, Step{Notify: []Target{who}, EscalateAfter: r.after})
		}
		p.Repeat = rapid.IntRange(-1, 3).Draw(t, "repeat")
		p.RepeatFrom = 1
		if len(rungs) > 0 {
			p.RepeatFrom = rapid.IntRange(1, len(rungs)).Draw(t, "repeat from")
		}
		horizon := minutes("horizon", 0, 24*60)
		want := expected(rungs, p.Repeat, p.RepeatFrom, horizon)

		var got []string
		w := newWorld()
		page, effects := Open(Begin{
			Incident: "INC-1", Severity: "sev1", Policy: p,
			Paging: Paging{CatchAll: target("cto"), CatchAllEvery: 4 * time.Hour},
		}, threeAM, w)
		for now := threeAM; ; page, effects = page.Step(Elapsed{}, now, w) {
			for _, e := range effects {
				line := ""
				switch e := e.(type) {
				case Send:
					line = "page of catch_all"
					if e.Origin == FromStep {
						line = fmt.Sprintf("page %d.%d", e.Step, e.Cycle)
					}
				case Happened:
					line = string(e.Kind)
					if e.Step > 0 {
						line += fmt.Sprintf(" %d.%d", e.Step, e.Cycle)
					}
				case Cancel:
					continue // outcomes never come in this world
				}
				got = append(got, fmt.Sprintf("%v %s", now.Sub(threeAM), line))
			}
			if now = page.Due(); now.IsZero() || now.After(threeAM.Add(horizon)) {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got\n%q\nwant\n%q", got, want)
		}
	})
}
