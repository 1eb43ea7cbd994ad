package slo

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// long asks for the long form of the random proofs: 100,000 streams instead of some hundreds.
var long = os.Getenv("MIDWATCH_LONG") != ""

// The model is a second implementation of SPEC §7, as slow and as plain as can be: time is a row of nanoseconds, each good
// or bad, all of it is computed anew in every nanosecond, and rates are compared as big.Rat. It knows no curves, no
// instants solved for, no due times and no forgetting. The streams it is given are some hundred nanoseconds long, which
// the engine cannot tell from months.
type model struct {
	spec   Spec
	budget *big.Rat
	length int
	heard  []Input
	fixed  map[string]Correction

	rate func(t int, w time.Duration) *big.Rat // how it burns, if not by the row below
	unit int                                   // how many nanoseconds one of time is; 0 is 1

	good []int // good[t]: how many of the nanoseconds before t are good, as it is known now

	in       map[string]bool // severities that are not clear
	open     bool
	held     bool
	severity string
	resolved int // −1: never
	crossed  map[string]bool
	said     []string
}

// first is the model's nanosecond 0.
var first = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// beyond is after everything.
const beyond = 1_000_000

// before is how long the row of nanoseconds is before nanosecond 0, for windows that reach back.
const before = 600

func on(n int) time.Time { return first.Add(time.Duration(n)) }

func newModel(s Spec, length int) *model {
	m := &model{spec: s, length: length, fixed: map[string]Correction{}, in: map[string]bool{}, crossed: map[string]bool{}, resolved: -1}
	objective, _ := new(big.Rat).SetString(s.Objective)
	m.budget = new(big.Rat).Sub(big.NewRat(1, 1), objective.Quo(objective, big.NewRat(100, 1)))
	m.know()
	return m
}

// interval is what the model makes of all that was heard of one firing interval.
type interval struct {
	alert              string
	start              time.Time
	from, end, revised int // end: beyond, where it is open
	sure               bool
}

// know computes anew which nanoseconds are bad, from all that was heard.
func (m *model) know() {
	offset := func(t time.Time) int { return int(t.Sub(first)) }
	var all []*interval
	for _, in := range m.heard {
		var x interval
		received := 0
		switch in := in.(type) {
		case Fired:
			received = offset(in.Received)
			x = interval{alert: in.Alert, start: in.StartsAt, end: beyond}
			if !in.EndsAt.IsZero() {
				x.end = offset(in.EndsAt)
			}
		case Resolved:
			received = offset(in.Received)
			x = interval{alert: in.Alert, start: in.StartsAt, end: offset(in.EndsAt), sure: true}
		case Expired:
			received = offset(in.Received)
			x = interval{alert: in.Alert, start: in.StartsAt, end: offset(in.At), sure: true}
		}
		x.revised = received
		x.from = offset(x.start)
		x.from = max(x.from, received-int(m.spec.Window))
		x.from = min(x.from, received)
		known := false
		for _, y := range all {
			if y.alert != x.alert || !y.start.Equal(x.start) {
				continue
			}
			known = true
			y.from = min(y.from, x.from)
			later := x.revised > y.revised
			if x.revised == y.revised {
				later = x.sure && !y.sure || x.sure == y.sure && x.end > y.end
			}
			if later {
				y.end, y.sure, y.revised = x.end, x.sure, x.revised
			}
		}
		if !known {
			all = append(all, &x)
		}
	}
	bad := make([]bool, before+m.length)
	for _, x := range all {
		end := x.end
		for _, y := range all {
			// The alert ended, says a later word on another of its intervals.
			if !x.sure && y.sure && x.alert == y.alert && y.revised >= x.revised && y.end > max(x.from, y.from, offset(y.start)) {
				end = min(end, y.end)
			}
		}
		if end <= offset(x.start) {
			continue
		}
		for n := x.from; n < min(end, m.length); n++ {
			bad[before+n] = true
		}
	}
	for _, c := range m.fixed {
		for n := max(offset(c.From), -before); n < min(offset(c.To), m.length); n++ {
			bad[before+n] = false
		}
	}
	m.good = make([]int, before+m.length+1)
	for i, b := range bad {
		m.good[i+1] = m.good[i]
		if !b {
			m.good[i+1]++
		}
	}
}

// burns is bad(t,W) / (W·(1−T)).
func (m *model) burns(t int, w time.Duration) *big.Rat {
	if m.rate != nil {
		return m.rate(t, w)
	}
	bad := int(w) - (m.good[before+t] - m.good[before+t-int(w)])
	r := new(big.Rat).SetFrac64(int64(bad), int64(w))
	return r.Quo(r, m.budget)
}

func (m *model) active(x Threshold, t int) bool {
	rate, _ := new(big.Rat).SetString(x.BurnRate)
	return m.burns(t, x.Long).Cmp(rate) >= 0 && m.burns(t, x.Short).Cmp(rate) >= 0
}

// breached names the severity's first active threshold at t.
func (m *model) breached(severity string, t int) string {
	for _, x := range m.spec.Thresholds {
		if x.Severity == severity && x.BurnRate != "" && m.active(x, t) {
			return x.Name
		}
	}
	return ""
}

func (m *model) quiet(severity string, t int) bool {
	for u := t - int(m.spec.ClearFor)/max(1, m.unit); u <= t; u++ {
		if m.breached(severity, u) != "" {
			return false
		}
	}
	return true
}

var severities = []string{"sev1", "sev2", "sev3", "sev4", "sev5"}

func (m *model) say(t int, format string, args ...any) {
	m.said = append(m.said, fmt.Sprintf("%d ", t)+fmt.Sprintf(format, args...))
}

// live is nanosecond t: what arrives, then what is so.
func (m *model) live(t int, arrives []Input) {
	byHand := false
	for _, in := range arrives {
		switch in := in.(type) {
		case ResolvedByHand:
			byHand = true
		case Correction:
			m.fixed[in.ID] = in
		default:
			m.heard = append(m.heard, in)
		}
	}
	if len(arrives) > 0 {
		m.know()
	}
	if byHand && m.open {
		m.open, m.held, m.resolved = false, true, t
	}
	worst, why := "", ""
	for _, s := range slices.Backward(severities) {
		name := m.breached(s, t)
		switch {
		case name != "":
			m.in[s] = true
		case m.in[s] && m.quiet(s, t):
			m.in[s] = false
		}
		if m.in[s] {
			worst, why = s, name
		}
	}
	switch {
	case worst == "" && m.open:
		m.open, m.resolved = false, t
		m.say(t, "cleared")
	case worst == "" && m.held:
		m.held = false
		m.say(t, "cleared, by hand before")
	case worst == "":
	case m.open && worst < m.severity:
		m.say(t, "raised from %s to %s by %s", m.severity, worst, why)
		m.severity = worst
	case m.open && worst > m.severity:
		m.say(t, "lowered from %s to %s", m.severity, worst)
		m.severity = worst
	case m.held && worst > m.severity:
		m.severity = worst
	case m.open || m.held && worst == m.severity:
	case m.resolved >= 0 && t-m.resolved <= int(m.spec.ReopenWindow)/max(1, m.unit):
		m.open, m.held, m.severity = true, false, worst
		m.say(t, "reopened at %s by %s", worst, why)
	default:
		m.open, m.held, m.severity, m.resolved = true, false, worst, -1
		m.say(t, "opened at %s by %s", worst, why)
	}
	for _, x := range m.spec.Thresholds {
		if x.BudgetConsumed == "" {
			continue
		}
		part, _ := new(big.Rat).SetString(strings.TrimSuffix(x.BudgetConsumed, "%"))
		part.Quo(part, big.NewRat(100, 1))
		consumed := m.burns(t, m.spec.Window)
		below := new(big.Rat).Sub(part, big.NewRat(1, 20))
		if below.Sign() < 0 {
			below = new(big.Rat)
		}
		if m.crossed[x.Name] && consumed.Cmp(below) <= 0 {
			m.crossed[x.Name] = false
			m.say(t, "rearmed %s", x.Name)
		} else if !m.crossed[x.Name] && consumed.Cmp(part) >= 0 {
			m.crossed[x.Name] = true
			m.say(t, "crossed %s", x.Name)
		}
	}
}

// words are what the engine's effects say, as the model says it. What the model has no words for is left out.
func words(effects []Effect) []string {
	var lines []string
	say := func(at time.Time, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%d ", at.Sub(first))+fmt.Sprintf(format, args...))
	}
	for _, e := range effects {
		switch e := e.(type) {
		case Opened:
			say(e.At, "opened at %s by %s", e.Severity, e.Threshold)
		case Reopened:
			say(e.At, "reopened at %s by %s", e.Severity, e.Threshold)
		case Raised:
			say(e.At, "raised from %s to %s by %s", e.From, e.Severity, e.Threshold)
		case Lowered:
			say(e.At, "lowered from %s to %s", e.From, e.To)
		case Cleared:
			if e.ByHand {
				say(e.At, "cleared, by hand before")
			} else {
				say(e.At, "cleared")
			}
		case Crossed:
			say(e.At, "crossed %s", e.Threshold)
		case Rearmed:
			say(e.At, "rearmed %s", e.Threshold)
		case Refused:
			say(e.At, "refused %s", e.What)
		}
	}
	return lines
}

// A stream is a spec and what arrives when.
type stream struct {
	spec    Spec
	length  int
	arrives map[int][]Input
}

func ns(n int) time.Duration { return time.Duration(n) }

// invent makes up a stream.
func invent(r *rand.Rand) stream {
	s := stream{length: 150 + r.IntN(250), arrives: map[int][]Input{}}
	objectives := []string{"50", "75", "90", "66.6", "37.5", "12.345678"}
	s.spec = Spec{
		Name: "random", Objective: objectives[r.IntN(len(objectives))], Window: ns(20 + r.IntN(100)),
		ClearFor: ns(r.IntN(12)), ReopenWindow: ns(r.IntN(40)), Thresholds: []Threshold{},
	}
	s.spec.ClearFor = min(s.spec.ClearFor, s.spec.Window)
	rates := map[string][]string{
		"50": {"2", "1.9", "1", "0.5"}, "75": {"4", "3.3", "2", "1", "0.25"}, "90": {"10", "7.25", "5", "3", "1"},
		"66.6": {"2.9", "1.5", "1"}, "37.5": {"1.6", "1.2", "0.7"}, "12.345678": {"1.1", "0.6"},
	}[s.spec.Objective]
	for i := range 1 + r.IntN(4) {
		t := Threshold{Name: "t" + strconv.Itoa(i), Severity: severities[r.IntN(4)]}
		if r.IntN(4) == 0 {
			t.BudgetConsumed = []string{"3%", "30%", "50%", "99.5%", "110%"}[r.IntN(5)]
		} else {
			t.Long = ns(2 + r.IntN(int(s.spec.Window)-1))
			t.Short = ns(1 + r.IntN(int(t.Long)-1))
			t.BurnRate = rates[r.IntN(len(rates))]
		}
		s.spec.Thresholds = append(s.spec.Thresholds, t)
	}
	arrive := func(received int, in Input) {
		// All that is said late is said within a window, together: the engine forgets what was over for longer, and with it
		// what was said of it.
		at := received
		if r.IntN(3) == 0 {
			at += r.IntN(int(s.spec.Window) / 4)
		}
		if at < s.length {
			s.arrives[at] = append(s.arrives[at], in)
		}
	}
	for i := range r.IntN(10) {
		alert := string(rune('a' + r.IntN(4)))
		received := r.IntN(s.length)
		start := received - r.IntN(8)
		switch r.IntN(8) {
		case 0:
			start = received - r.IntN(200)
		case 1:
			start = received + r.IntN(12)
		}
		fired := Fired{Alert: alert, StartsAt: on(start), Received: on(received)}
		if r.IntN(3) == 0 {
			fired.EndsAt = on(start + r.IntN(40) - 3)
		}
		if r.IntN(8) > 0 {
			arrive(received, fired)
		}
		ended := false // what ended does not fire again: its source would call that another interval
		for range r.IntN(3) {
			received += r.IntN(int(s.spec.Window) / 4) // or it is forgotten meanwhile
			end := received - r.IntN(5)
			if r.IntN(5) == 0 {
				end = received - r.IntN(int(s.spec.Window)/4)
			}
			if r.IntN(9) == 0 {
				end = received + r.IntN(10)
			}
			kind := r.IntN(4)
			if kind == 1 && ended {
				kind = 2
			}
			ended = ended || kind != 1
			switch kind {
			case 0:
				arrive(received, Expired{Alert: alert, StartsAt: on(start), At: on(end), Received: on(received)})
			case 1:
				fired.EndsAt, fired.Received = on(end+r.IntN(30)), on(received)
				arrive(received, fired)
			default:
				arrive(received, Resolved{Alert: alert, StartsAt: on(start), EndsAt: on(end), Received: on(received)})
			}
		}
		if r.IntN(12) == 0 {
			from := r.IntN(s.length)
			c := Correction{ID: "c" + strconv.Itoa(i%3), From: on(from), To: on(from + r.IntN(60))}
			s.arrives[r.IntN(s.length)] = []Input{c}
		}
		if r.IntN(8) == 0 {
			n := r.IntN(s.length)
			s.arrives[n] = append(s.arrives[n], ResolvedByHand{})
		}
	}
	for _, in := range s.arrives {
		r.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
	}
	return s
}

func (s stream) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", s.spec)
	for n := range s.length {
		for _, in := range s.arrives[n] {
			text := fmt.Sprintf("%T%+v", in, in)
			b.WriteString(fmt.Sprintf("%d ", n) + strings.ReplaceAll(text, "2026-11-22 03:00:00", "") + "\n")
		}
	}
	return b.String()
}

// restart is a Budget that was stored and read back.
func restart(t testing.TB, b Budget) Budget {
	t.Helper()
	data, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var back Budget
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != string(data) {
		t.Fatalf("stored %s\nread back and stored again %s %v", data, again, err)
	}
	return back
}

// TestTheEngineIsTheModel plays random streams to both. The engine is woken when it is due and when something arrives; the
// model lives through every nanosecond. What they say must be the same, at the same nanosecond.
func TestTheEngineIsTheModel(t *testing.T) {
	n := 500
	if long {
		n = 120_000
	}
	for seed := range n {
		if only := os.Getenv("MIDWATCH_SEED"); only != "" && only != strconv.Itoa(seed) {
			continue
		}
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		s := invent(r)
		o, err := New(s.spec)
		if err != nil {
			continue // a short window that is none; the other streams are enough
		}
		m := newModel(s.spec, s.length)
		var b Budget
		var said []string
		for now := range s.length {
			m.live(now, s.arrives[now])
			var effects []Effect
			switch {
			case len(s.arrives[now]) > 0:
				b, effects = b.Step(All(s.arrives[now]), on(now), o)
			case !b.Due().IsZero() && !b.Due().After(on(now)):
				b, effects = b.Step(Tick{}, on(now), o)
			case r.IntN(50) == 0:
				b = restart(t, b)
			case r.IntN(50) == 0:
				b, effects = b.Step(Reloaded{}, on(now), o)
			}
			said = append(said, words(effects)...)
			if !slices.Equal(said, m.said) {
				t.Fatalf("seed %d: at %d\n%s\nthe engine said\n%s\nthe model said\n%s", seed, now, s, strings.Join(said, "\n"), strings.Join(m.said, "\n"))
			}
			if r.IntN(20) == 0 {
				for _, w := range append(o.Windows(), s.spec.Window) {
					if got, want := b.Burn(o, on(now), w), m.burns(now, w); got.Cmp(want) != 0 {
						t.Fatalf("seed %d: at %d the engine burns at %s over %s, the model at %s\n%s", seed, now, got, w, want, s)
					}
				}
			}
		}
	}
}
