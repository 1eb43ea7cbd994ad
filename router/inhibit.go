package router

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/alertmanager/pkg/labels"
)

// An InhibitRule lets alerts that fire keep others quiet: while one fires that Source matches, those that Target matches
// are told to nobody, if both agree in the labels of Equal. A label that both lack is equal. An alert that matches both
// sides is not kept quiet by others that do, so two can never keep each other quiet.
type InhibitRule struct {
	Name           string // may be empty
	Source, Target labels.Matchers
	Equal          []string
}

// inhibition knows which alerts keep others quiet. It looks at an alert when it is first seen and when it begins or ends
// to fire, and never at its repetitions.
type inhibition struct {
	rules            []*rule
	sources, targets choice // of the rules
	shared           map[string]*sides

	// Reused from alert to alert.
	sides sides
	key   []byte
}

// A rule is an InhibitRule at work.
type rule struct {
	InhibitRule
	sources map[uint64]*choir // those that fire, by a hash of their equal labels
}

// A choir is the sources of one hash. It is in the order of their arrival but for those that took the place of one that
// left, and costs the same however many there are.
type choir struct {
	sources []*entry
	place   map[*entry]int
}

// sides are the rules of which an alert is a source or a target, ascending. Alerts with equal ones share them.
type sides struct{ source, target []int }

func newInhibition(rules []InhibitRule) inhibition {
	in := inhibition{shared: map[string]*sides{}}
	var sources, targets [][]condition
	for _, r := range rules {
		in.rules = append(in.rules, &rule{r, map[uint64]*choir{}})
		sources, targets = append(sources, conditionsOf(r.Source)), append(targets, conditionsOf(r.Target))
	}
	in.sources, in.targets = newChoice(sources), newChoice(targets)
	return in
}

// meet finds out on which sides of which rules the alert with these labels is, and forgets what was known of it.
func (in *inhibition) meet(e *entry, l Labels) {
	e.sides = nil
	s := &in.sides
	s.source = in.sources.match(s.source[:0], l)
	s.target = in.targets.match(s.target[:0], l)
	if len(s.source)+len(s.target) == 0 {
		return
	}
	in.key = in.key[:0]
	for _, i := range s.source {
		in.key = binary.AppendUvarint(in.key, uint64(i)+1) //nolint:gosec // an index
	}
	in.key = append(in.key, 0)
	for _, i := range s.target {
		in.key = binary.AppendUvarint(in.key, uint64(i)+1) //nolint:gosec // an index
	}
	known := in.shared[string(in.key)]
	if known == nil {
		known = &sides{slices.Clone(s.source), slices.Clone(s.target)}
		in.shared[string(in.key)] = known
	}
	e.sides = known
}

// began says that the alert fires.
func (in *inhibition) began(e *entry, l Labels) {
	if e.sides == nil {
		return
	}
	for _, i := range e.sides.source {
		r := in.rules[i]
		key := r.key(l)
		c := r.sources[key]
		if c == nil {
			c = &choir{place: map[*entry]int{}}
			r.sources[key] = c
		}
		if _, there := c.place[e]; !there {
			c.place[e] = len(c.sources)
			c.sources = append(c.sources, e)
		}
	}
}

// ceased says that the alert fires no longer.
func (in *inhibition) ceased(e *entry, l Labels) {
	if e.sides == nil {
		return
	}
	for _, i := range e.sides.source {
		r := in.rules[i]
		key := r.key(l)
		c := r.sources[key]
		if c == nil {
			continue
		}
		at, there := c.place[e]
		if !there {
			continue
		}
		last := len(c.sources) - 1
		moved := c.sources[last]
		c.sources[at], c.place[moved] = moved, at
		c.sources[last] = nil
		c.sources = c.sources[:last]
		delete(c.place, e)
		if last == 0 {
			delete(r.sources, key)
		}
	}
}

// by returns an alert that keeps this one, of these labels, quiet at now, and the rule by which it does; nil: none does. As in Alertmanager
// the first rule counts, and one source of it.
func (in *inhibition) by(t *Table, e *entry, l Labels, now time.Time) (source *entry, name string) {
	if e.sides == nil {
		return nil, ""
	}
	for _, i := range e.sides.target {
		r := in.rules[i]
		if len(r.sources) == 0 {
			continue
		}
		c := r.sources[r.key(l)]
		if c == nil {
			continue
		}
		_, twoSided := slices.BinarySearch(e.sides.source, i)
		for _, s := range c.sources {
			if p, fires := t.fires(s, now); !fires || !r.agree(p, l) {
				continue
			}
			if twoSided {
				if _, target := slices.BinarySearch(s.sides.target, i); target {
					continue
				}
			}
			return s, r.Name
		}
	}
	return nil, ""
}

// key is a hash of the labels in which source and target must agree.
func (r *rule) key(l Labels) uint64 {
	var h xxhash.Digest
	h.Reset()
	for _, name := range r.Equal {
		_, _ = h.WriteString(l.Get(name)) // never fails
		_, _ = h.Write([]byte{separator})
	}
	return h.Sum64()
}

func (r *rule) agree(p packed, l Labels) bool {
	return !slices.ContainsFunc(r.Equal, func(name string) bool { return p.get(name) != l.Get(name) })
}

// fires reports whether the entry's alert fires at now, and returns its text.
func (t *Table) fires(e *entry, now time.Time) (p packed, fires bool) {
	s := t.shard(e.key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.packed(e), e.firesAt(now)
}

// A Mute says why an alert is told to nobody, in the words of Alertmanager's metrics. The zero Mute is that it is told.
type Mute string

// The mutes, in the order in which they are asked for; the first counts.
const (
	Inhibited    Mute = "inhibition"
	OutsideHours Mute = "active_time_interval"
	MutedByHours Mute = "mute_time_interval"
	Silenced     Mute = "silence"
)

// muted says why the alert with these labels must not be told by the node's route; hours is what the route's time intervals say.
func (r *Router) muted(hours Mute, e *entry, l Labels, now time.Time) Mute {
	switch source, _ := r.inhibition.by(r.table, e, l, now); {
	case source != nil:
		return Inhibited
	case hours != "":
		return hours
	case r.silences.mute(l, now):
		return Silenced
	}
	return ""
}

// hours is what the route's time intervals say.
func (r *Router) hours(n *node, now time.Time) Mute {
	if r.opts.Intervals == nil {
		return ""
	}
	return r.opts.Intervals(n.route, now)
}

// Suppressed says because of which silences, and of which other alert, an alert is told to nobody at now: their IDs, and
// its fingerprint. Time intervals are the routes' business. One that is not in the table is not inhibited.
func (r *Router) Suppressed(l Labels, now time.Time) (silencedBy, inhibitedBy []string) {
	e := r.table.lookup(l)
	r.mu.RLock()
	defer r.mu.RUnlock()
	silencedBy = r.silences.silencedBy(l, now)
	if e != nil {
		if source, _ := r.inhibition.by(r.table, e, l, now); source != nil {
			inhibitedBy = []string{fmt.Sprintf("%016x", r.table.packed(source).fingerprint())}
		}
	}
	return silencedBy, inhibitedBy
}

// InhibitedBy returns an alert that keeps one with these labels quiet at now, or nil.
func (r *Router) InhibitedBy(l Labels, now time.Time) *Alert {
	e := r.table.lookup(l)
	if e == nil {
		return nil
	}
	r.mu.RLock()
	source, _ := r.inhibition.by(r.table, e, l, now)
	r.mu.RUnlock()
	if source == nil {
		return nil
	}
	a := new(Alert)
	r.table.readTo(a, new(page), source)
	return a
}

// IsSilenced reports whether a silence mutes alerts with these labels at now.
func (r *Router) IsSilenced(l Labels, now time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.silences.mute(l, now)
}
