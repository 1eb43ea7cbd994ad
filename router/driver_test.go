package router

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/inhibit"
)

// A driver stands in for the engine: it gives a Router the time and its reports, delivers what it wants delivered, and
// keeps what it wants kept.
type driver struct {
	*Router
	chronicle
	now  time.Duration
	disk disk
	fx   []Effect // all that happened

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
	d := &driver{Router: New(s.options()), chronicle: newChronicle(s), disk: disk{
		groups: map[string]Group{}, log: map[LogKey][]byte{}, silences: map[string]Silence{},
	}}
	d.Peered(true, s.wait)
	return d
}

// options are those of the configuration by now.
func (d *driver) options() Options { return d.s.optionsWith(d.in) }

func (d *driver) time() time.Time { return began.Add(d.now) }

// until lets the time pass. What was done must not be due again: an engine would spin.
func (d *driver) until(end time.Duration) {
	for due := d.Due(); !due.IsZero() && !due.After(began.Add(end)); due = d.Due() {
		d.now = max(d.now, due.Sub(began))
		d.do(d.Elapsed(d.time()))
		if again := d.Due(); !again.IsZero() && !again.After(d.time()) {
			panic(fmt.Sprintf("at %s it is due at %s", d.time(), again))
		}
	}
	d.now = end
}

// happen lets the time come to an event, and the event happen.
func (d *driver) happen(e event) {
	d.until(e.at)
	switch {
	case e.labels != nil:
		d.report(e)
		return
	case e.load != nil:
		d.in = d.s.loaded(e)
		d.do(d.SetRoutes(d.options(), d.time()))
	default:
		d.wished(e, d)
	}
	d.until(d.now)
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

func (d *driver) silence(id string) (Silence, bool) { return d.Silence(id) }

func (d *driver) set(s Silence, fresh string) (string, error) {
	s, effects, err := d.SetSilence(s, fresh, d.time())
	if err != nil {
		return "", err
	}
	d.do(effects)
	return s.ID, nil
}

func (d *driver) expire(id string) error {
	effects, err := d.ExpireSilence(id, d.time())
	d.do(effects)
	return err
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
	who := ear{n.Entry.GroupKey, n.Entry.Receiver, n.Entry.Integration, n.Entry.Index}
	ok := d.s.works(who.receiver, who.integration, who.index, d.now)
	d.notified(d.now, who, string(n.Reason), ok, d.sights(n.Alerts))
	d.do(d.Sent(n.Ref, ok, d.time(), nil))
}

func (d *driver) sights(alerts []*Alert) []sight {
	var all []sight
	for _, a := range alerts {
		all = append(all, sightOf(a.Labels.String(), a.Annotations.String(), a.StartsAt, a.EndsAt, a.UpdatedAt, d.time(), a.Timeout))
	}
	return all
}

// look writes down what the API shows.
func (d *driver) look() {
	for _, g := range d.circles() {
		d.grouped(d.now, g)
	}
	for _, s := range d.Silences() {
		d.silenced(d.now, s, string(s.State(d.time())))
	}
	for _, l := range d.s.alerts() {
		if d.Alerts().Get(l) == nil {
			continue
		}
		silencedBy, inhibitedBy := d.Suppressed(l, d.time())
		d.predicted(d.now, l.String(), silencedBy, len(inhibitedBy) > 0)
		if got := d.IsSilenced(l, d.time()); got != (len(silencedBy) > 0) {
			d.write(d.now, true, "%s is silenced: %v, by %v", l, got, silencedBy)
		}
		if may := d.inhibitors(l); len(may) > 0 != (len(inhibitedBy) > 0) || len(inhibitedBy) > 0 && !slices.Contains(may, inhibitedBy[0]) {
			d.write(d.now, true, "%s is inhibited by %v, which may be %v", l, inhibitedBy, may)
		}
	}
}

// inhibitors are the fingerprints of all alerts that may be said to inhibit this one: the sources of the first rule that
// has any.
func (d *driver) inhibitors(l Labels) []string {
	target := upstreamLabels(l)
	for _, c := range d.in.rules {
		r := inhibit.NewInhibitRule(c)
		if !r.TargetMatchers.Matches(target) {
			continue
		}
		var found []string
		for a := range d.Alerts().All() {
			source := upstreamLabels(a.Labels)
			twoSided := r.SourceMatchers.Matches(target) && r.TargetMatchers.Matches(source)
			differ := slices.ContainsFunc(c.Equal, func(name string) bool { return a.Labels.Get(name) != l.Get(name) })
			if !a.ResolvedAt(d.time()) && r.SourceMatchers.Matches(source) && !twoSided && !differ {
				found = append(found, source.Fingerprint().String())
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// circles are the groups that there are.
func (d *driver) circles() []circle {
	var all []circle
	for v := range d.Groups() {
		all = append(all, circle{v.Group.RouteID, v.Group.Key, v.Group.Receiver, d.sights(v.Alerts)})
	}
	return all
}

// muteCounts are how many alerts flushes passed over, by the reasons.
func (d *driver) muteCounts() string {
	counts := map[Mute]int{}
	for _, f := range effectsOf[Flushed](d.fx) {
		for why, n := range f.Muted {
			counts[why] += n
		}
	}
	var lines []string
	for _, why := range slices.SortedFunc(maps.Keys(counts), func(a, b Mute) int { return cmp.Compare(a, b) }) {
		lines = append(lines, fmt.Sprintf("%s %d", why, counts[why]))
	}
	return fmt.Sprint(lines)
}

// runRouter is the world as a Router has it.
func runRouter(s *scenario) *chronicle {
	d := newDriver(s)
	for _, e := range s.events {
		d.happen(e)
		if e.checked() {
			d.until(e.at + glance)
			d.look()
		}
	}
	d.until(s.end)
	d.write(s.end, false, "muted in all: %s", d.muteCounts())
	if s.reload == changing {
		d.beliefs(d.circles(), func(labels string) bool {
			silencedBy, inhibitedBy := d.Suppressed(s.labels(labels), d.time())
			return len(silencedBy)+len(inhibitedBy) > 0
		})
	}
	return &d.chronicle
}

// notifications returns what was asked to be delivered so far.
func (d *driver) notifications() []Notify { return effectsOf[Notify](d.fx) }

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
