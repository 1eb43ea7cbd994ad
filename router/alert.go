package router

import (
	"cmp"
	"strings"
	"time"
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
	m := *o
	if o.UpdatedAt.Before(a.UpdatedAt) {
		m = *a
	}
	m.take(a.period().merge(o.period(), now))
	return &m
}

// A period is when an alert fires, as one report has it: what changes from report to report, while all else seldom does.
type period struct {
	starts, ends, updated time.Time
	timeout               bool
}

func (a *Alert) period() period { return period{a.StartsAt, a.EndsAt, a.UpdatedAt, a.Timeout} }

func (a *Alert) take(p period) {
	a.StartsAt, a.EndsAt, a.UpdatedAt, a.Timeout = p.starts, p.ends, p.updated, p.timeout
}

// over is Alert.ResolvedAt.
func (p *period) over(t time.Time) bool { return !p.ends.IsZero() && !p.ends.After(t) }

// merge is Alert.Merge.
func (p period) merge(o period, now time.Time) period {
	if o.updated.Before(p.updated) {
		p, o = o, p
	}
	m := o
	if p.starts.Before(o.starts) {
		m.starts = p.starts
	}
	if p.ends.After(o.ends) {
		if o.over(now) && p.over(now) || !o.over(now) && !p.timeout {
			m.ends = p.ends
		}
	}
	return m
}

// overlaps reports whether in belongs to the firing period that is known. Both comparisons are strict, as Alertmanager's:
// the usual re-send, with the same start and a later end, does not overlap. It replaces.
func (p *period) overlaps(in *period) bool {
	return in.ends.After(p.starts) && in.ends.Before(p.ends) || in.starts.After(p.starts) && in.starts.Before(p.ends)
}

// succeed returns what is to be remembered when in arrives where p was known, and whether all else is that of in, too.
func (p *period) succeed(in *period, now time.Time) (next period, text bool) {
	if !p.overlaps(in) {
		return *in, true
	}
	return p.merge(*in, now), !in.updated.Before(p.updated)
}

// shifts reports whether the two differ in their start, or in whose end it is.
func (p *period) shifts(o *period) bool {
	return p.timeout != o.timeout || !sameTime(p.starts, o.starts)
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
	c := *a
	c.Labels, c.Annotations, c.GeneratorURL = a.Labels.copied(own), a.Annotations.copied(own), own(a.GeneratorURL)
	c.fingerprint, c.hash = c.Labels.Fingerprint(), 0
	return &c
}

func (l Labels) copied(text func(string) string) Labels {
	c := make(Labels, len(l))
	for i := range l {
		c[i] = Label{text(l[i].Name), text(l[i].Value)}
	}
	return c
}
