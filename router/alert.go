package router

import (
	"cmp"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// An Alert is what a source says about one thing that may be wrong. Its labels are its identity. It is immutable once
// it was handed to the router or came from it: what changes is another Alert.
type Alert struct {
	Labels      Labels `json:"labels"`
	Annotations Labels `json:"annotations,omitempty"`

	// StartsAt and EndsAt keep the zone offset that the sender wrote. An alert fires until EndsAt; a zero EndsAt is
	// for ever. In what the router hands to receivers (Notify, Flushed) a firing alert has a zero EndsAt and a
	// resolved one has not, for a message must not change its meaning while it is on its way.
	StartsAt time.Time `json:"startsAt"`
	EndsAt   time.Time `json:"endsAt"`

	UpdatedAt    time.Time `json:"updatedAt"`              // when we last heard of it; one value for all of a POST
	GeneratorURL string    `json:"generatorURL,omitempty"` // empty: none

	Timeout bool `json:"timeout,omitempty"` // EndsAt is ours: the sender gave none

	// Ended says that the end of this firing period was noticed, and reported once. The table sets it. An alert that
	// is restored without it was firing when we stopped, whatever EndsAt says by now.
	Ended bool `json:"ended,omitempty"`

	fingerprint, hash uint64 // of Labels; 0: not computed
}

// Fingerprint is the alert's public identity, see Labels.Fingerprint.
func (a *Alert) Fingerprint() uint64 {
	if a.fingerprint != 0 {
		return a.fingerprint
	}
	return a.Labels.Fingerprint()
}

// Hash is the alert's identity in the notification log, see Labels.Hash.
func (a *Alert) Hash() uint64 {
	if a.hash != 0 {
		return a.hash
	}
	return a.Labels.Hash()
}

// Name is the label alertname, or "".
func (a *Alert) Name() string { return a.Labels.Get("alertname") }

// ResolvedAt reports whether the alert has ended by t; at EndsAt it has.
func (a *Alert) ResolvedAt(t time.Time) bool { return !a.EndsAt.IsZero() && !a.EndsAt.After(t) }

// Complete fills in the times that the sender left out, as Alertmanager does. Without a start it starts now, or at its
// end where it has one; without an end it ends after resolveTimeout unless it is heard of again. UpdatedAt becomes now.
func (a *Alert) Complete(now time.Time, resolveTimeout time.Duration) {
	if a.StartsAt.IsZero() {
		a.StartsAt = a.EndsAt
		if a.EndsAt.IsZero() {
			a.StartsAt = now
		}
	}
	if a.EndsAt.IsZero() {
		a.Timeout = true
		a.EndsAt = now.Add(resolveTimeout)
	}
	a.UpdatedAt = now
}

// Merge returns the two reports of one firing period as one: the earlier start, and all else from the one that was
// heard later, but for its end. Between two ends that have passed the later counts. A report that still fires does not
// shorten an end that a sender gave; one of our own making (Timeout) it does.
func (a *Alert) Merge(o *Alert, now time.Time) *Alert {
	m := merge(a, o, now)
	return &m
}

func merge(a, o *Alert, now time.Time) Alert {
	if o.UpdatedAt.Before(a.UpdatedAt) {
		a, o = o, a
	}
	m := *o
	if a.StartsAt.Before(o.StartsAt) {
		m.StartsAt = a.StartsAt
	}
	if a.EndsAt.After(o.EndsAt) {
		if o.ResolvedAt(now) && a.ResolvedAt(now) || !o.ResolvedAt(now) && !a.Timeout {
			m.EndsAt = a.EndsAt
		}
	}
	return m
}

// overlaps reports whether in belongs to the firing period of old. Both comparisons are strict, as Alertmanager's:
// the usual re-send, with the same start and a later end, does not overlap. It replaces.
func overlaps(old, in *Alert) bool {
	return in.EndsAt.After(old.StartsAt) && in.EndsAt.Before(old.EndsAt) ||
		in.StartsAt.After(old.StartsAt) && in.StartsAt.Before(old.EndsAt)
}

// succeed returns what is to be remembered when in arrives where old was known.
func succeed(old, in *Alert, now time.Time) Alert {
	if overlaps(old, in) {
		return merge(old, in, now)
	}
	return *in
}

// compareAlerts is the order of the alerts within a notification: by job, instance, then all labels. Alerts without
// the label come last.
func compareAlerts(a, b *Alert) int {
	for _, name := range [...]string{"job", "instance"} {
		av, aok := a.Labels.lookup(name)
		bv, bok := b.Labels.lookup(name)
		if aok != bok {
			if aok {
				return -1
			}
			return 1
		}
		if c := cmp.Compare(av, bv); c != 0 {
			return c
		}
	}
	return a.Labels.Compare(b.Labels)
}

// sameTime reports whether both are the same instant, written with the same offset.
func sameTime(a, b time.Time) bool {
	if !a.Equal(b) {
		return false
	}
	_, ao := a.Zone()
	_, bo := b.Zone()
	return ao == bo
}

// Clone returns the alert in memory of its own: the copy holds nothing of a, and knows its fingerprint.
func (a *Alert) Clone() *Alert {
	size := len(a.GeneratorURL)
	for _, set := range [...]Labels{a.Labels, a.Annotations} {
		for i := range set {
			size += len(set[i].Name) + len(set[i].Value)
		}
	}
	var block strings.Builder // one for all the text: it lives as long as any part of it
	block.Grow(size)
	own := func(s string) string {
		from := block.Len()
		block.WriteString(s)
		return block.String()[from:]
	}
	c := a.copied(own, own)
	c.fingerprint, c.hash = c.Labels.Fingerprint(), 0
	return &c
}

// copied returns the alert with all its text in memory of its own.
func (a Alert) copied(text, link func(string) string) Alert {
	a.Labels = a.Labels.copied(text)
	a.Annotations = a.Annotations.copied(text)
	a.GeneratorURL = link(a.GeneratorURL)
	return a
}

func (l Labels) copied(text func(string) string) Labels {
	c := make(Labels, len(l))
	for i := range l {
		c[i] = Label{text(l[i].Name), text(l[i].Value)}
	}
	return c
}

// An interner gives equal strings one memory. It is for the engine alone. What it remembers is bounded, for annotations may
// hold a new number each minute: a string takes the place of another, and what repeats soon comes back. The zero value is
// ready.
type interner struct{ texts, links shareds }

// text returns a string of labels or annotations, link the address of something, in memory of our own.
func (in *interner) text(s string) string { return in.texts.own(s, 1<<14, longestText) }
func (in *interner) link(s string) string { return in.links.own(s, 1<<9, longestLink) }

func (in *interner) clear() { *in = interner{} }

// Beyond these lengths hardly anything repeats. So an interner remembers 4 MiB at most.
const (
	longestText = 128
	longestLink = 4 << 10 // every rule has one, and it quotes the expression
)

// shareds are strings, each at the place that its hash gives it.
type shareds []string

func (t *shareds) own(s string, places uint64, longest int) string {
	if s == "" || len(s) > longest {
		return strings.Clone(s)
	}
	if *t == nil {
		*t = make(shareds, places)
	}
	at := &(*t)[xxhash.Sum64String(s)%places]
	if *at != s {
		*at = strings.Clone(s)
	}
	return *at
}
