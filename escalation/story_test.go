package escalation

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The tests tell stories: an incident opens at 03:00, things happen at a time of day, and what the page did is a transcript.

var threeAM = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// at is a time of day in the night of the story; "+1 03:00" is a day later.
func at(clock string) time.Time {
	days := 0
	if strings.HasPrefix(clock, "+") {
		if _, err := fmt.Sscanf(clock, "+%d %s", &days, &clock); err != nil {
			panic(err)
		}
	}
	layout := "15:04:05"
	if strings.Count(clock, ":") == 1 {
		layout = "15:04"
	}
	c, err := time.Parse(layout, clock)
	if err != nil {
		panic(err)
	}
	midnight := threeAM.Truncate(24*time.Hour).AddDate(0, 0, days)
	return midnight.Add(c.Sub(c.Truncate(24 * time.Hour)))
}

func clock(t time.Time) string {
	layout := "15:04"
	if t.Second() != 0 {
		layout = "15:04:05"
	}
	if days := int(t.Sub(threeAM.Truncate(24*time.Hour)) / (24 * time.Hour)); days > 0 {
		return fmt.Sprintf("+%d %s", days, t.Format(layout))
	}
	return t.Format(layout)
}

// policy reads steps like "ana 5m", "bo,@second 10m", "#leads": people, @schedules, #receivers, and how long they have.
func policy(steps ...string) Policy {
	p := Policy{Name: "db"}
	for _, s := range steps {
		names, after, _ := strings.Cut(s, " ")
		var step Step
		if after != "" {
			d, err := time.ParseDuration(after)
			if err != nil {
				panic(err)
			}
			step.EscalateAfter = d
		}
		for _, name := range strings.Split(names, ",") {
			step.Notify = append(step.Notify, target(name))
		}
		p.Steps = append(p.Steps, step)
	}
	return p
}

func target(name string) Target {
	switch {
	case strings.HasPrefix(name, "@"):
		return Target{Schedule: name[1:]}
	case strings.HasPrefix(name, "#"):
		return Target{Receiver: name[1:]}
	}
	return Target{User: name}
}

// A world is the Roster of a story, and what becomes of what is sent in it. Everybody has a chat unless said otherwise.
type world struct {
	onCall map[string]func(time.Time) []string
	rules  map[string][]Rule // high urgency
	low    map[string][]Rule // low urgency, where it differs
	opens  string            // support hours of every day: "09:00-18:00"; empty: always
	turns  map[string]int
	fails  map[string]string // "ana.chat" or "leads" fails for good, and why
	slow   map[string]bool   // "ana.chat" has no outcome yet
}

func newWorld() *world {
	return &world{
		onCall: map[string]func(time.Time) []string{}, rules: map[string][]Rule{}, low: map[string][]Rule{},
		turns: map[string]int{}, fails: map[string]string{}, slow: map[string]bool{},
	}
}

func (w *world) OnCall(schedule string, at time.Time) ([]string, string) {
	if on := w.onCall[schedule]; on != nil {
		return on(at), "weekly layer of " + schedule
	}
	return nil, ""
}

func (w *world) Rules(user string, high bool) []Rule {
	if rules, ok := w.low[user]; ok && !high {
		return rules
	}
	if rules, ok := w.rules[user]; ok {
		return rules
	}
	return []Rule{{Via: []string{"chat"}}}
}

func (w *world) Open(_ Hours, now time.Time) (bool, time.Time) {
	if w.opens == "" {
		return true, time.Time{}
	}
	from, to, _ := strings.Cut(w.opens, "-")
	for day := now.Truncate(24 * time.Hour); ; day = day.AddDate(0, 0, 1) {
		start := day.Add(at(from).Sub(at("00:00")))
		end := day.Add(at(to).Sub(at("00:00")))
		switch {
		case now.Before(start):
			return false, start
		case now.Before(end):
			return true, end
		}
	}
}

func (w *world) Turn(policy string, step int) int { return w.turns[fmt.Sprint(policy, step)] }

func always(users ...string) func(time.Time) []string {
	return func(time.Time) []string { return users }
}

// A story drives one Page as the engine does: at every Due, and when something happens.
type story struct {
	t     *testing.T
	w     *world
	p     Page
	now   time.Time
	lines []string
	last  []Effect // of the latest step, without what its outcomes led to
}

// tell opens the incident INC-1 at 03:00, with catch_all cto.
func tell(t *testing.T, w *world, p Policy) *story {
	t.Helper()
	s := &story{t: t, w: w, now: threeAM}
	s.step(Begin{
		Incident: "INC-1", Severity: "sev2", Policy: p,
		Paging: Paging{CatchAll: Target{User: "cto"}, CatchAllEvery: 4 * time.Hour},
	})
	return s
}

// step feeds one input now, then the outcomes of what it sent.
func (s *story) step(in Input) {
	var effects []Effect
	s.p, effects = s.p.Step(in, s.now, s.w)
	for _, e := range effects {
		if line := describe(e); line != "" {
			s.lines = append(s.lines, clock(s.now)+" "+line)
		}
		if turn, ok := e.(TurnTaken); ok {
			s.w.turns[fmt.Sprint(turn.Policy, turn.Step)] += turn.Turns
		}
	}
	for _, e := range effects {
		if send, ok := e.(Send); ok {
			s.deliver(send)
		}
	}
	s.last = effects
}

func (s *story) deliver(send Send) {
	address := send.Receiver
	if send.User != "" {
		address = send.User + "." + send.Via
	}
	if s.w.slow[address] {
		return
	}
	reason, failed := s.w.fails[address]
	s.step(Outcome{Key: send.Key, OK: !failed, Reason: reason})
}

// at lets time pass up to clock, then does in. What is due at that instant comes after in.
func (s *story) at(clock string, in Input) *story {
	s.t.Helper()
	s.pass(at(clock).Add(-1))
	s.now = at(clock)
	s.step(in)
	return s
}

// until lets time pass up to and including clock.
func (s *story) until(clock string) *story {
	s.t.Helper()
	s.pass(at(clock))
	return s
}

// asleep lets time pass with nobody running, then wakes up.
func (s *story) asleep(clock string) *story {
	s.now = at(clock)
	s.step(Elapsed{})
	return s
}

func (s *story) pass(end time.Time) {
	s.t.Helper()
	for range 10_000 {
		due := s.p.Due()
		if due.IsZero() || due.After(end) {
			if end.After(s.now) {
				s.now = end
			}
			return
		}
		if due.After(s.now) {
			s.now = due
		}
		s.step(Elapsed{})
	}
	s.t.Fatalf("still due at %v after 10,000 steps", s.p.Due())
}

// want compares what happened since the last want.
func (s *story) want(transcript string) *story {
	s.t.Helper()
	want := strings.TrimSpace(strings.ReplaceAll(transcript, "\n\t\t", "\n"))
	got := strings.Join(s.lines, "\n")
	if got != want {
		s.t.Errorf("got\n%s\n\nwant\n%s", got, want)
	}
	s.lines = nil
	return s
}

// describe prints an effect as one line of a transcript.
func describe(e Effect) string {
	switch e := e.(type) {
	case Send:
		address := "#" + e.Receiver
		if e.User != "" {
			address = e.User + "." + e.Via
		}
		where := ""
		if e.Step > 0 {
			where = fmt.Sprintf(" (%d.%d)", e.Step, e.Cycle)
		}
		if e.Event == KindExpiring {
			return "warn " + address
		}
		return fmt.Sprintf("page %s%s: %s", address, where, e.Reason)
	case Happened:
		return fmt.Sprintf("%s: %s", e.Kind, e.Reason)
	case Cancel:
		return "cancel " + e.Key
	case Status:
		return "is " + string(e.To)
	case TurnTaken:
		return fmt.Sprintf("turn of %s step %d +%d", e.Policy, e.Step, e.Turns)
	}
	return fmt.Sprint(e)
}
