package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/config"
	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/inhibit"
)

// A scenario is a small world: a configuration, receivers that fail at times, what sources report, and the silences that
// people make. It is run through Alertmanager's own code and through a Router, and what leaves both must be equal.
//
// Nothing in it depends on who is first within one instant, for Alertmanager leaves that to its goroutines. Every event
// lies a different number of milliseconds after a full second while all configured spans are full seconds, so the
// flushes of groups that different events began never meet. All else that changes does so where no flush can be: outages,
// the start delay and the ends of silences at odd microseconds, time intervals and maintenance at full seconds. People
// look (event.checked) a little after an event, for at the very instant at which a silence ends Alertmanager still lets
// it hold. Where siblings share log entries, the scenario is calm: their waits differ, their intervals do not, and no
// alert is old enough to make both groups speak at once.
type scenario struct {
	setup
	seed        uint64
	outages     []outage
	retention   time.Duration
	forget      time.Duration
	sweep       time.Duration
	delay       time.Duration
	wait        time.Duration // how long peers before us have to tell
	maxSilences int           // 0: any number
	silenceSize int           // bytes; 0: any
	calm        bool
	hasty       bool // groups that have nothing to tell begin their rhythm anew at a reload; only where reload is changing
	reload      reloading
	events      []event
	quiet       time.Duration // nothing happens from here on; only where reload is changing
	end         time.Duration
}

// reloading says what becomes of the configuration, and with that, what can be compared.
type reloading string

const (
	// unchanging worlds have no reloads. Everything is compared.
	unchanging reloading = "unchanging"

	// reloading unnoticed loads the same configuration again, in Midwatch only. Alertmanager flushes and regroups
	// everything when it reloads, also what it has told; Midwatch is better on purpose: for Options.Steady receivers, as
	// all are here, it goes on as if nothing had happened. So it is compared with an Alertmanager that did not reload, and everything must be equal.
	unnoticed reloading = "unnoticed"

	// changing worlds load another configuration once, in both. Until then everything is compared, and from then on
	// everything that does not depend on when groups speak: silences, and which alerts are silenced and inhibited. When
	// all has been quiet for longer than any group waits, all integrations must have been told of the same firing
	// alerts; see chronicle.beliefs. Receivers are Options.Steady in some of these worlds only.
	changing reloading = "changing"
)

// A setup is what a configuration file says.
type setup struct {
	root      *config.Route
	receivers map[string][]Integration
	rules     []amcommoncfg.InhibitRule
	intervals map[string][]minutes
}

// minutes are those of a day in [from, until).
type minutes struct{ from, until int }

func (m minutes) contains(t time.Time) bool {
	minute := t.Hour()*60 + t.Minute()
	return m.from <= minute && minute < m.until
}

// hours says what the time intervals of a route say.
func (c *setup) hours(route *dispatch.Route, now time.Time) Mute {
	within := func(name string) bool {
		return slices.ContainsFunc(c.intervals[name], func(m minutes) bool { return m.contains(now) })
	}
	switch active := route.RouteOpts.ActiveTimeIntervals; {
	case len(active) > 0 && !slices.ContainsFunc(active, within):
		return OutsideHours
	case slices.ContainsFunc(route.RouteOpts.MuteTimeIntervals, within):
		return MutedByHours
	}
	return ""
}

// inhibits are the rules as the router wants them.
func (c *setup) inhibits() []InhibitRule {
	var rules []InhibitRule
	for _, r := range c.rules {
		compiled := inhibit.NewInhibitRule(r)
		rules = append(rules, InhibitRule{r.Name, compiled.SourceMatchers, compiled.TargetMatchers, r.Equal})
	}
	return rules
}

// mutes reports whether anything in the setup can keep an alert quiet.
func (c *setup) mutes() bool { return len(c.rules)+len(c.intervals) > 0 }

type outage struct {
	receiver    string
	integration string
	index       int
	from, until time.Duration
}

// An event is the report of one alert, or whatever else is not zero: people's wishes, the end of a silence, a reload.
// Times are relative to the beginning; absent ones are negative.
type event struct {
	at            time.Duration
	labels        Labels
	note          string
	starts, ends  time.Duration
	absentS, absE bool
	why           string

	wishes []wish
	expire int // the thread whose silence is ended
	load   *setup
}

// A wish is what somebody asks for: a new silence, or another form of one that is there. Wishes of one thread are about
// one silence, whatever its ID is by now.
type wish struct {
	thread  int  // from 1
	edit    bool // the silence that the thread has come to; else a new one
	unknown bool // an ID that nobody knows
	fresh   string
	sets    []MatcherSet
	starts  time.Duration // negative: not given
	keep    time.Duration // if positive, the start stays what it is, rounded down to this
	ends    time.Duration
	comment string

	obliging bool // it is to end with the last of its alerts
}

// silence is what is wished for; known finds a silence.
func (w wish) silence(id string, known func(id string) (Silence, bool)) Silence {
	s := Silence{ID: id, Matchers: w.sets, EndsAt: began.Add(w.ends), CreatedBy: "ana", Comment: w.comment}
	if w.starts >= 0 {
		s.StartsAt = began.Add(w.starts)
	}
	if w.obliging {
		s.Annotations = map[string]string{ExpireWhenResolved: "true"}
	}
	if was, ok := known(id); ok && w.keep > 0 {
		s.StartsAt = was.StartsAt.Truncate(w.keep)
	}
	return s
}

// silenceID makes an ID of the length of a UUID.
func silenceID(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

// began is where a synctest bubble begins, too.
var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// glance is how long after an event people look at what it led to.
const glance = 250 * time.Microsecond

// checked says whether people look after the event.
func (e event) checked() bool {
	return e.labels == nil || e.at/time.Millisecond%9 == 0
}

func (e event) alert() *Alert {
	a := &Alert{
		Labels:       e.labels,
		Annotations:  Labels{{"note", e.note}},
		StartsAt:     began.Add(e.starts),
		EndsAt:       began.Add(e.ends),
		GeneratorURL: "http://prometheus/graph",
	}
	if e.absentS {
		a.StartsAt = time.Time{}
	}
	if e.absE {
		a.EndsAt = time.Time{}
	}
	return a
}

// works reports whether the integration can be reached.
func (s *scenario) works(receiver, integration string, index int, at time.Duration) bool {
	return !slices.ContainsFunc(s.outages, func(o outage) bool {
		return o.receiver == receiver && o.integration == integration && o.index == index && o.from <= at && at < o.until
	})
}

// options are the router's, with the configuration that the world begins with.
func (s *scenario) options() Options { return s.optionsWith(s.setup) }

func (s *scenario) optionsWith(c setup) Options {
	steady := map[string]bool{}
	for name := range c.receivers {
		steady[name] = !s.hasty
	}
	return Options{
		Root:           dispatch.NewRoute(c.root, nil),
		Receivers:      c.receivers,
		Steady:         steady,
		Inhibit:        c.inhibits(),
		Intervals:      c.hours,
		MaxSilences:    s.maxSilences,
		MaxSilenceSize: s.silenceSize,
		SilenceSize:    upstreamSize,
		Retention:      s.retention,
		ForgetEvery:    s.forget,
		SweepEvery:     s.sweep,
		HoldUntil:      began.Add(s.delay),
	}
}

// loaded is what the event loads.
func (s *scenario) loaded(e event) setup {
	if s.reload == unnoticed {
		return s.setup // which may be smaller by now than it was made
	}
	return *e.load
}

// alerts are the label sets of all alerts that are ever reported.
func (s *scenario) alerts() []Labels {
	var all []Labels
	for _, e := range s.events {
		if e.labels != nil && !slices.ContainsFunc(all, e.labels.Equal) {
			all = append(all, e.labels)
		}
	}
	return all
}

// labels finds those that are written so.
func (s *scenario) labels(text string) Labels {
	all := s.alerts()
	return all[slices.IndexFunc(all, func(l Labels) bool { return l.String() == text })]
}

// muted reports whether anything in the world can keep an alert quiet.
func (s *scenario) muted() bool {
	return s.mutes() || slices.ContainsFunc(s.events, func(e event) bool {
		return len(e.wishes) > 0 || e.load != nil && e.load.mutes()
	})
}

// String is the world in words, for a failure that somebody has to understand.
func (s *scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, until %s, %s; calm %v, hasty %v, delay %s, wait %s, retention %s, forget %s, sweep %s, silences %d of %d bytes\n",
		s.seed, s.end, s.reload, s.calm, s.hasty, s.delay, s.wait, s.retention, s.forget, s.sweep, s.maxSilences, s.silenceSize)
	fmt.Fprintf(&b, "%soutages %v\n", &s.setup, s.outages)
	for _, e := range s.events {
		switch {
		case e.load != nil:
			fmt.Fprintf(&b, "%s is loaded:\n%s", e.at, e.load)
		case e.expire > 0:
			fmt.Fprintf(&b, "%s silence of thread %d is ended\n", e.at, e.expire)
		case len(e.wishes) > 0:
			for _, w := range e.wishes {
				fmt.Fprintf(&b, "%s silence wished for: %+v\n", e.at, w)
			}
		default:
			fmt.Fprintf(&b, "%s %s %s: starts %s (absent %v) ends %s (absent %v) note %s\n",
				e.at, e.labels, e.why, e.starts, e.absentS, e.ends, e.absE, e.note)
		}
	}
	return b.String()
}

func (c *setup) String() string {
	var b strings.Builder
	dispatch.NewRoute(c.root, nil).Walk(func(r *dispatch.Route) {
		o := r.RouteOpts
		fmt.Fprintf(&b, "route %s continue=%v to %s by %v all=%v wait=%s interval=%s repeat=%s active %v mute %v\n",
			r.ID(), r.Continue, o.Receiver, slices.Sorted(maps.Keys(o.GroupBy)), o.GroupByAll, o.GroupWait, o.GroupInterval, o.RepeatInterval,
			o.ActiveTimeIntervals, o.MuteTimeIntervals)
	})
	for _, r := range c.inhibits() {
		fmt.Fprintf(&b, "%s inhibits %s, equal %v\n", r.Source, r.Target, r.Equal)
	}
	fmt.Fprintf(&b, "intervals %v\nreceivers %v\n", c.intervals, c.receivers)
	return b.String()
}
