package sim

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// A Scenario is a test of paging, as its file says (SPEC §11).
type Scenario struct {
	Config yaml.Node // a path relative to the file, or the configuration itself
	Start  time.Time
	Events []Happening
	Until  time.Duration
	Expect []Expectation // nil: the file expects nothing; empty: it expects that nothing happens
}

// A Happening is one thing that the scenario makes happen.
type Happening struct {
	At   time.Duration
	Line int
	do   func(w *World) error
}

// An Expectation is one event that must happen. Only the fields that are set are compared.
type Expectation struct {
	At     *time.Duration
	Line   int
	Fields map[string]string // by their names in JSON
}

// Limits of a scenario.
const (
	maxScenario = 1 << 20 // bytes
	maxUntil    = 10 * 366 * 24 * time.Hour
	minYear     = 1970
	maxYear     = 2200
)

// ParseScenario reads a scenario file. The error says all that is wrong with it, each with its line.
func ParseScenario(r io.Reader) (*Scenario, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxScenario+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxScenario {
		return nil, fmt.Errorf("the file is larger than %d bytes", maxScenario)
	}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty; it needs config, start, events and until")
		}
		return nil, fmt.Errorf("the file is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	p := &parser{}
	s := p.scenario(doc.Content[0])
	if len(p.faults) > 0 {
		return nil, errors.Join(p.faults...)
	}
	return s, nil
}

// Play runs the scenario and returns what happened.
func (s *Scenario) Play(cfg *engine.Config) ([]Entry, error) {
	w, err := NewWorld(cfg, s.Start, 1)
	if err != nil {
		return nil, err
	}
	for _, h := range s.Events {
		if h.At > s.Until {
			break
		}
		if err := w.Run(h.At); err != nil {
			return w.Log(), err
		}
		if err := h.do(w); err != nil {
			return w.Log(), fmt.Errorf("line %d: at %s: %w", h.Line, FormatElapsed(h.At), err)
		}
	}
	err = w.Run(s.Until)
	return w.Log(), err
}

// parser collects faults while it reads nodes.
type parser struct{ faults []error }

func (p *parser) fault(n *yaml.Node, format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, args...)))
}

// fields walks a mapping, and names every key that nobody knows.
func (p *parser) fields(n *yaml.Node, known map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.fault(n, "here belongs a mapping of names to values")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		take, ok := known[key.Value]
		switch {
		case !ok:
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			slices.Sort(names)
			p.fault(key, "nothing is called %q here; known are: %s", key.Value, strings.Join(names, ", "))
		case seen[key.Value]:
			p.fault(key, "%q stands here twice", key.Value)
		default:
			seen[key.Value] = true
			take(value)
		}
	}
}

func (p *parser) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		p.fault(n, "here belongs a single value")
		return ""
	}
	if n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// duration reads a stretch of time; jump reads one that may be negative.
func (p *parser) duration(n *yaml.Node) time.Duration {
	d := p.jump(n)
	if d < 0 {
		p.fault(n, "%q is negative; only a clock_jump may be", n.Value)
	}
	return d
}

func (p *parser) jump(n *yaml.Node) time.Duration {
	d, err := ParseElapsed(p.text(n))
	if err != nil {
		p.fault(n, "%s", err)
	}
	return d
}

func (p *parser) instant(n *yaml.Node) time.Time {
	t, err := time.Parse(time.RFC3339Nano, p.text(n))
	if err != nil {
		p.fault(n, "%q is not an instant; write 2026-11-22T03:00:00Z", n.Value)
	}
	return t
}

func (p *parser) labels(n *yaml.Node) router.Labels {
	if n.Kind != yaml.MappingNode {
		p.fault(n, "here belong labels: {alertname: …, severity: …}")
		return nil
	}
	m := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		name := p.text(key)
		if _, twice := m[name]; twice {
			p.fault(key, "%q stands here twice", name)
		}
		if name == "" {
			p.fault(key, "a label has no name")
		}
		m[name] = p.text(n.Content[i+1])
	}
	return router.LabelsOf(m)
}

// identity reads the labels that make an alert: at least one. An empty one is as good as absent.
func (p *parser) identity(n *yaml.Node) router.Labels {
	labels := slices.DeleteFunc(p.labels(n), func(l router.Label) bool { return l.Value == "" })
	if n.Kind == yaml.MappingNode && len(labels) == 0 {
		p.fault(n, "an alert without labels is none; write at least {alertname: …}")
	}
	return labels
}

func (p *parser) list(n *yaml.Node, take func(*yaml.Node)) {
	if n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.SequenceNode {
		p.fault(n, "here belongs a list")
		return
	}
	for _, item := range n.Content {
		take(item)
	}
}

func (p *parser) scenario(n *yaml.Node) *Scenario {
	s := &Scenario{}
	p.fields(n, map[string]func(*yaml.Node){
		"config": func(n *yaml.Node) { s.Config = *n },
		"start": func(n *yaml.Node) {
			if s.Start = p.instant(n); !s.Start.IsZero() && (s.Start.Year() < minYear || s.Start.Year() > maxYear) {
				p.fault(n, "start is in the year %d; it must be between %d and %d", s.Start.Year(), minYear, maxYear)
			}
		},
		"events": func(n *yaml.Node) {
			p.list(n, func(n *yaml.Node) {
				if h, ok := p.happening(n); ok {
					s.Events = append(s.Events, h)
				}
			})
		},
		"until":  func(n *yaml.Node) { s.Until = p.duration(n) },
		"expect": func(n *yaml.Node) { s.Expect = p.expectations(n) },
	})
	if s.Config.Kind == 0 {
		p.fault(n, "config is missing: a path relative to this file, or the configuration itself")
	}
	if s.Start.IsZero() {
		p.fault(n, "start is missing: the instant at which the scenario begins, as 2026-11-22T03:00:00Z")
	}
	if s.Until <= 0 || s.Until > maxUntil {
		p.fault(n, "until is missing or out of range: how long the scenario lasts, as 2h")
	}
	slices.SortStableFunc(s.Events, func(a, b Happening) int { return cmp.Compare(a.At, b.At) })
	return s
}

// happening reads one entry of events: a time, one thing that happens, and what belongs to it.
func (p *parser) happening(n *yaml.Node) (Happening, bool) {
	h := Happening{Line: n.Line}
	var timed bool
	var a engine.Action
	var labels, annotations router.Labels
	var what string
	verb := func(name string, v engine.Verb) func(*yaml.Node) {
		return func(n *yaml.Node) {
			if what != "" {
				p.fault(n, "%s and %s cannot happen in one entry; make two of them", what, name)
			}
			what, a.Verb = name, v
			a.Incident = p.text(n)
		}
	}
	only := func(name string, take func(*yaml.Node)) func(*yaml.Node) {
		return func(n *yaml.Node) {
			if what != "" {
				p.fault(n, "%s and %s cannot happen in one entry; make two of them", what, name)
			}
			what = name
			take(n)
		}
	}
	faults := len(p.faults)
	p.fields(n, map[string]func(*yaml.Node){
		"at": func(n *yaml.Node) {
			timed = true
			h.At = p.duration(n)
		},
		"by":          func(n *yaml.Node) { a.By = p.text(n) },
		"text":        func(n *yaml.Node) { a.Text = p.text(n) },
		"user":        func(n *yaml.Node) { a.User = p.text(n) },
		"for":         func(n *yaml.Node) { a.For = p.duration(n) },
		"annotations": func(n *yaml.Node) { annotations = p.labels(n) },
		"to": func(n *yaml.Node) {
			var to escalation.Target
			p.fields(n, map[string]func(*yaml.Node){
				"user":     func(n *yaml.Node) { to.User = p.text(n) },
				"schedule": func(n *yaml.Node) { to.Schedule = p.text(n) },
				"policy":   func(n *yaml.Node) { a.Policy = p.text(n) },
			})
			if to != (escalation.Target{}) {
				a.To = &to
			}
		},
		"acknowledge":   verb("acknowledge", engine.Acknowledge),
		"unacknowledge": verb("unacknowledge", engine.Unacknowledge),
		"escalate":      verb("escalate", engine.Escalate),
		"reassign":      verb("reassign", engine.Reassign),
		"snooze":        verb("snooze", engine.Snooze),
		"note":          verb("note", engine.AddNote),
		"add_responder": verb("add_responder", engine.AddResponder),
		"stop":          verb("stop", engine.StopMine),
		"fire": only("fire", func(n *yaml.Node) {
			labels = p.identity(n)
			h.do = func(w *World) error { return w.Fire(labels, annotations) }
		}),
		"resolve": only("resolve", func(n *yaml.Node) {
			if n.Kind != yaml.MappingNode {
				a.Verb, a.Incident = engine.Resolve, p.text(n)
				return
			}
			labels = p.identity(n)
			h.do = func(w *World) error { return w.Resolve(labels) }
		}),
		"vanish": only("vanish", func(n *yaml.Node) {
			labels = p.identity(n)
			h.do = func(w *World) error { w.Vanish(labels); return nil }
		}),
		"ping": only("ping", func(n *yaml.Node) {
			name := p.text(n)
			h.do = func(w *World) error { return act(w, engine.Ping{Name: name}) }
		}),
		"ping_failed": only("ping_failed", func(n *yaml.Node) {
			name := p.text(n)
			h.do = func(w *World) error { return act(w, engine.Ping{Name: name, Failed: true, Said: a.Text}) }
		}),
		"override": only("override", func(n *yaml.Node) {
			o := p.override(n)
			h.do = func(w *World) error { return act(w, o) }
		}),
		"silence": only("silence", func(n *yaml.Node) {
			set := p.matchers(n)
			h.do = func(w *World) error { return w.silence(set, a.For, a.By) }
		}),
		"expire_silence": only("expire_silence", func(n *yaml.Node) {
			set := p.matchers(n)
			h.do = func(w *World) error { return w.expireSilence(set) }
		}),
		"restart": only("restart", func(n *yaml.Node) {
			var down time.Duration
			if n.Tag != "!!null" {
				p.fields(n, map[string]func(*yaml.Node){"down_for": func(n *yaml.Node) { down = p.duration(n) }})
			}
			h.do = func(w *World) error { return w.Restart(down) }
		}),
		"fail": only("fail", func(n *yaml.Node) {
			var f failure
			p.fields(n, map[string]func(*yaml.Node){
				"user":  func(n *yaml.Node) { f.user = p.text(n) },
				"via":   func(n *yaml.Node) { f.via = p.text(n) },
				"until": func(n *yaml.Node) { f.until = p.duration(n) },
			})
			h.do = func(w *World) error { w.Fail(f.user, f.via, f.until); return nil }
		}),
		"clock_jump": only("clock_jump", func(n *yaml.Node) {
			by := p.jump(n)
			h.do = func(w *World) error { return w.Jump(by) }
		}),
	})
	if len(p.faults) > faults {
		return h, false
	}
	switch {
	case !timed:
		p.fault(n, "at is missing: how long after the start this happens, as 5m")
	case what == "silence" && a.For <= 0:
		p.fault(n, "for is missing: how long the silence lasts, as 1h")
	case what == "":
		p.fault(n, "nothing happens here; write what does, as fire: {alertname: …}")
	case h.do == nil:
		a.Via = "scenario"
		h.do = func(w *World) error { return act(w, a) }
	}
	return h, len(p.faults) == faults
}

// matchers reads one matcher, or a list of them.
func (p *parser) matchers(n *yaml.Node) router.MatcherSet {
	var texts []string
	if n.Kind == yaml.ScalarNode {
		texts = []string{p.text(n)}
	} else {
		p.list(n, func(n *yaml.Node) { texts = append(texts, p.text(n)) })
	}
	set, err := router.ParseMatchers(texts, "scenario")
	if err != nil {
		p.fault(n, "%s; write matchers as in Alertmanager: ['service=\"db\"']", err)
	} else if len(set) == 0 {
		p.fault(n, "here belong the matchers of a silence: ['service=\"db\"']")
	}
	return set
}

// silence makes a silence that begins now.
func (w *World) silence(set router.MatcherSet, length time.Duration, by string) error {
	return act(w, engine.SetSilence{By: by, Silence: router.Silence{
		Matchers: []router.MatcherSet{set}, StartsAt: w.wall(), EndsAt: w.wall().Add(length), CreatedBy: by, Comment: "scenario",
	}})
}

// expireSilence ends the silences with these matchers that are not over.
func (w *World) expireSilence(set router.MatcherSet) error {
	if w.core == nil {
		return fmt.Errorf("the daemon is down at %s", FormatElapsed(w.elapsed))
	}
	found := false
	for _, s := range w.core.Router().Silences() {
		if s.State(w.wall()) == router.SilenceExpired || len(s.Matchers) != 1 || !slices.Equal(s.Matchers[0], set) {
			continue
		}
		found = true
		if err := act(w, engine.ExpireSilence{ID: s.ID}); err != nil {
			return err
		}
	}
	if !found {
		return errors.New("no silence with these matchers holds or is to come")
	}
	return nil
}

// act does what a person does; what the engine refuses is a fault of the scenario.
func act(w *World, in engine.Input) error {
	answer, err := w.Do(in)
	if err != nil {
		return err
	}
	return answer.Err
}

func (p *parser) override(n *yaml.Node) engine.Override {
	o := engine.Override{By: "scenario"}
	kind := func(k oncall.Kind) func(*yaml.Node) {
		return func(n *yaml.Node) { o.Override.Kind, o.Override.User = k, p.text(n) }
	}
	p.fields(n, map[string]func(*yaml.Node){
		"schedule": func(n *yaml.Node) { o.Schedule = p.text(n) },
		"layer":    func(n *yaml.Node) { o.Override.Layer = p.text(n) },
		"replace":  kind(oncall.Replace),
		"take":     kind(oncall.Take),
		"add":      kind(oncall.Add),
		"remove":   kind(oncall.Remove),
		"with":     func(n *yaml.Node) { o.Override.With = p.text(n) },
		"from":     func(n *yaml.Node) { o.Override.Start = p.instant(n) },
		"to":       func(n *yaml.Node) { o.Override.End = p.instant(n) },
	})
	return o
}

var eventFields = []string{"incident", "user", "via", "receiver", "by", "policy", "step", "cycle", "severity", "text", "reason"}

func (p *parser) expectations(n *yaml.Node) []Expectation {
	out := []Expectation{}
	p.list(n, func(n *yaml.Node) {
		e := Expectation{Line: n.Line, Fields: map[string]string{}}
		known := map[string]func(*yaml.Node){
			"at": func(n *yaml.Node) { d := p.duration(n); e.At = &d },
			"event": func(n *yaml.Node) {
				e.Fields["event"] = p.text(n)
				if !slices.Contains(incident.Kinds, n.Value) {
					p.fault(n, "no event is called %q; known are: %s", n.Value, strings.Join(incident.Kinds, ", "))
				}
			},
		}
		for _, name := range eventFields {
			known[name] = func(n *yaml.Node) { e.Fields[name] = p.text(n) }
		}
		p.fields(n, known)
		if e.Fields["event"] == "" {
			p.fault(n, "event is missing: what is expected, as event: page")
		}
		out = append(out, e)
	})
	return out
}
