package router

import (
	"slices"
	"time"
)

// A driver stands in for the engine: it gives a Router the time and its reports, delivers what it wants delivered, and
// keeps what it wants kept.
type driver struct {
	*Router
	s     *scenario
	now   time.Duration
	lines []string // what was delivered, and the groups that were asked for
	disk  disk
	fx    []Effect // all that happened

	// deliver, if set, takes a notification in place of delivery at once.
	deliver func(Notify)
}

// A disk is what survives a crash.
type disk struct {
	groups  map[string]Group
	log     map[LogKey][]byte
	journal [][]byte

	silences map[string]Silence
}

func newDriver(s *scenario) *driver {
	d := &driver{s: s, Router: New(s.options()), disk: disk{groups: map[string]Group{}, log: map[LogKey][]byte{}, silences: map[string]Silence{}}}
	d.do(d.MergeSilences(s.silences(), began))
	return d
}

func (d *driver) time() time.Time { return began.Add(d.now) }

// until lets the time pass.
func (d *driver) until(end time.Duration) {
	for due := d.Due(); !due.IsZero() && !due.After(began.Add(end)); due = d.Due() {
		d.now = max(d.now, due.Sub(began))
		d.do(d.Elapsed(d.time()))
	}
	d.now = end
}

// report brings an alert in the way that the API does, and the clock's business of that instant after it.
func (d *driver) report(e event) {
	a := e.alert()
	a.Complete(d.time(), 5*time.Minute)
	if d.Touch(a, d.time()) {
		return
	}
	d.do(d.Receive([]*Alert{a}, d.time()))
	d.Committed()
	d.until(d.now)
}

// do carries effects out.
func (d *driver) do(effects []Effect) {
	d.fx = append(d.fx, effects...)
	for _, fx := range effects {
		switch fx := fx.(type) {
		case Stored:
			d.disk.journal = append(d.disk.journal, fx.Alert.Encode(nil))
		case GroupChanged:
			if fx.Deleted {
				delete(d.disk.groups, fx.Group.ID)
			} else {
				d.disk.groups[fx.Group.ID] = fx.Group
			}
		case SilenceChanged:
			if fx.Action == SilenceDropped {
				delete(d.disk.silences, fx.Silence.ID)
			} else {
				d.disk.silences[fx.Silence.ID] = fx.Silence
			}
		case LogChanged:
			if fx.Deleted {
				delete(d.disk.log, fx.Entry.LogKey)
			} else {
				d.disk.log[fx.Entry.LogKey] = fx.Entry.Encode(nil)
			}
		case Notify:
			if d.deliver != nil {
				d.deliver(fx)
				continue
			}
			d.send(fx)
		}
	}
}

// checkpoint records every alert as it stands, so that what follows a restart can be compared to the instant: without
// it, what fires is merely given resolve_timeout to be heard of again.
func (d *driver) checkpoint() {
	for a := range d.Alerts().All() {
		d.disk.journal = append(d.disk.journal, a.Encode(nil))
	}
}

// send delivers a notification and reports its outcome.
func (d *driver) send(n Notify) {
	ok := d.s.works(n.Entry.Receiver, n.Entry.Integration, n.Entry.Index, d.now)
	i := Integration{Name: n.Entry.Integration, Index: n.Entry.Index}
	d.lines = append(d.lines, notifyLine(d.now, n.Entry.Receiver, i, n.Entry.GroupKey, string(n.Reason), ok, alertLines(n.Alerts)))
	d.do(d.Sent(n.Ref, ok, d.time(), nil))
}

// groups writes down which groups there are.
func (d *driver) groups() {
	for v := range d.Groups() {
		d.lines = append(d.lines, groupLine(d.now, v.Group.RouteID, v.Group.Key, v.Group.Receiver, alertLines(v.Alerts)))
	}
}

func alertLines(alerts []*Alert) []string {
	var lines []string
	for _, a := range alerts {
		lines = append(lines, alertLine(a.Labels.String(), a.Annotations.String(), a.StartsAt, a.EndsAt, a.UpdatedAt, a.Timeout))
	}
	return lines
}

// notifications returns what was asked to be delivered so far.
func (d *driver) notifications() []Notify {
	var all []Notify
	for _, fx := range d.fx {
		if n, ok := fx.(Notify); ok {
			all = append(all, n)
		}
	}
	return all
}

// effectsOf returns the effects of one kind.
func effectsOf[T Effect](effects []Effect) []T {
	var of []T
	for _, fx := range effects {
		if fx, ok := fx.(T); ok {
			of = append(of, fx)
		}
	}
	return slices.Clip(of)
}
