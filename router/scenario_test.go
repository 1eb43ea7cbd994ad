package router

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
)

// A scenario is a small world: routes, receivers that fail at times, mutes, and what sources report. It is run through
// Alertmanager's own code and through a Router, and what leaves both must be equal.
//
// Nothing in it depends on who is first within one instant, for Alertmanager leaves that to its goroutines. Every event
// lies a different number of milliseconds after a full second while all configured spans are full seconds, so the
// flushes of groups that different events began never meet; outages, mutes and the start delay change at odd
// microseconds, and maintenance runs at full seconds. Where siblings share log entries, the scenario is calm: their
// waits differ, their intervals do not, and no alert is old enough to make both groups speak at once.
type scenario struct {
	seed      uint64
	root      *config.Route
	receivers map[string][]Integration
	outages   []outage
	mutes     []mute
	retention time.Duration
	forget    time.Duration
	sweep     time.Duration
	delay     time.Duration
	calm      bool
	events    []event
	end       time.Duration
}

type outage struct {
	receiver    string
	integration string
	index       int
	from, until time.Duration
}

type mute struct {
	label       Label
	from, until time.Duration
}

// An event is the report of one alert. Times are relative to the beginning; absent ones are negative.
type event struct {
	at            time.Duration
	labels        Labels
	note          string
	starts, ends  time.Duration
	absentS, absE bool
	why           string
}

// began is where a synctest bubble begins, too.
var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

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

// muted reports whether alerts with these labels are muted.
func (s *scenario) muted(get func(name string) string, at time.Duration) bool {
	return slices.ContainsFunc(s.mutes, func(m mute) bool {
		return get(m.label.Name) == m.label.Value && m.from <= at && at < m.until
	})
}

// silences are the mutes.
func (s *scenario) silences() []Silence {
	var all []Silence
	for i, m := range s.mutes {
		all = append(all, Silence{
			ID:       fmt.Sprint("silence-", i),
			Matchers: []MatcherSet{{{Name: m.label.Name, Value: m.label.Value}}},
			StartsAt: began.Add(m.from), EndsAt: began.Add(m.until), UpdatedAt: began, ExpiresAt: began.Add(m.until + 120*time.Hour),
		})
	}
	return all
}

func (s *scenario) options() Options {
	return Options{
		Root:        dispatch.NewRoute(s.root, nil),
		Receivers:   s.receivers,
		Retention:   s.retention,
		ForgetEvery: s.forget,
		SweepEvery:  s.sweep,
		HoldUntil:   began.Add(s.delay),
	}
}

// vocabulary is what alerts are made of; small, so that things meet.
var vocabulary = map[string][]string{
	"alertname": {"A", "B"},
	"team":      {"x", "y"},
	"severity":  {"page", "info"},
	"instance":  {"i1", "i2", "i3"},
	"job":       {"j"},
}

var vocabularyNames = slices.Sorted(maps.Keys(vocabulary))

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// newScenario makes the world that belongs to a seed.
func newScenario(seed uint64) *scenario {
	r := rand.New(rand.NewPCG(seed, 7))
	s := &scenario{
		seed:      seed,
		retention: pick(r, 120*time.Hour, 120*time.Hour, time.Hour, 3*time.Minute),
		forget:    pick(r, 30*time.Minute, 5*time.Minute, time.Minute),
		sweep:     pick(r, 15*time.Minute, 2*time.Minute),
		end:       pick(r, 10*time.Minute, 30*time.Minute, time.Hour),
	}
	s.receivers = map[string][]Integration{}
	for _, name := range []string{"one", "two", "three"} {
		for range r.IntN(4) {
			kind := pick(r, "webhook", "slack")
			index := 0
			for _, i := range s.receivers[name] {
				if i.Name == kind {
					index++
				}
			}
			s.receivers[name] = append(s.receivers[name], Integration{kind, index, chance(r, 70)})
		}
	}
	s.root = newRoute(r, 0)
	s.root.Receiver, s.root.Continue = pick(r, "one", "two"), false
	s.root.Matchers, s.root.Match = nil, nil
	if chance(r, 20) && len(s.root.Routes) > 0 {
		twin := *s.root.Routes[0]
		s.root.Routes[0].Continue = true
		s.root.Routes = slices.Insert(s.root.Routes, 1, &twin)
	}
	s.separateTwins()
	if !s.calm && chance(r, 20) {
		s.delay = pick(r, 20*time.Second, 2*time.Minute) + 500*time.Microsecond
	}
	for name, integrations := range maps.All(s.receivers) {
		for n, i := range integrations {
			// A hash of what it is and not a draw, for a map has no order.
			if (seed+uint64(n)*3+uint64(len(name)))%5 == 0 {
				from := time.Duration(seed%9)*time.Minute + 300*time.Microsecond
				s.outages = append(s.outages, outage{name, i.Name, i.Index, from, from + time.Duration(1+seed%4)*time.Minute})
			}
		}
	}
	if chance(r, 40) {
		name := pick(r, "alertname", "team", "instance")
		from := time.Duration(r.IntN(600))*time.Second + 700*time.Microsecond
		until := from + time.Duration(30+r.IntN(600))*time.Second
		s.mutes = append(s.mutes, mute{Label{name, pick(r, vocabulary[name]...)}, from, until})
	}
	s.tellStories(r)
	return s
}

// newRoute makes a route with children.
func newRoute(r *rand.Rand, depth int) *config.Route {
	span := func(of ...time.Duration) *model.Duration {
		d := model.Duration(pick(r, of...))
		return &d
	}
	c := &config.Route{Continue: chance(r, 40)}
	if chance(r, 60) {
		c.Receiver = pick(r, "one", "two", "three")
	}
	switch r.IntN(5) {
	case 0:
		c.GroupByAll = true
	case 1:
		c.GroupBy = []model.LabelName{}
	case 2, 3:
		c.GroupBy = []model.LabelName{model.LabelName(pick(r, vocabularyNames...)), "alertname"}
	}
	if depth == 0 || chance(r, 50) {
		c.GroupWait = span(0, time.Second, 10*time.Second, 30*time.Second)
	}
	if depth == 0 || chance(r, 50) {
		c.GroupInterval = span(5*time.Second, 30*time.Second, time.Minute, 5*time.Minute)
	}
	if depth == 0 || chance(r, 50) {
		c.RepeatInterval = span(3*time.Second, time.Minute, 2*time.Minute, 5*time.Minute, time.Hour)
	}
	for range 1 + r.IntN(2) {
		name := pick(r, vocabularyNames...)
		value := pick(r, vocabulary[name]...)
		if chance(r, 20) {
			c.Match = map[string]string{name: value}
			continue
		}
		kind := labels.MatchType(r.IntN(4))
		if kind == labels.MatchRegexp || kind == labels.MatchNotRegexp {
			value += "|zz"
		}
		m, err := labels.NewMatcher(kind, name, value)
		if err != nil {
			panic(err)
		}
		c.Matchers = append(c.Matchers, m)
	}
	if depth < 3 {
		for range r.IntN(4 - depth) {
			c.Routes = append(c.Routes, newRoute(r, depth+1))
		}
	}
	return c
}

// separateTwins finds routes that share log entries, and sees to it that their groups never speak at one instant.
func (s *scenario) separateTwins() {
	type shared struct{ key, receiver string }
	var (
		configs []*config.Route
		walk    func(*config.Route)
		twins   = map[shared][]int{}
	)
	walk = func(c *config.Route) {
		configs = append(configs, c)
		for i, child := range c.Routes {
			own := *child // a twin's children must be its own
			c.Routes[i] = &own
			own.Routes = slices.Clone(own.Routes)
			walk(&own)
		}
	}
	walk(s.root)
	n := 0
	dispatch.NewRoute(s.root, nil).Walk(func(route *dispatch.Route) {
		k := shared{route.Key(), route.RouteOpts.Receiver}
		twins[k] = append(twins[k], n)
		n++
	})
	for _, places := range twins {
		if len(places) < 2 {
			continue
		}
		s.calm = true
		for i, at := range places {
			wait, interval := model.Duration(time.Duration(10+3*i)*time.Second), model.Duration(time.Minute)
			configs[at].GroupWait, configs[at].GroupInterval = &wait, &interval
		}
	}
	if !s.calm {
		return
	}
	// What their children inherit has changed; those could be twins of each other. So all in a calm world say for
	// themselves what they want, and no two want the same.
	for i, c := range configs {
		wait, interval := model.Duration(time.Duration(2+i)*time.Second), model.Duration(time.Minute)
		c.GroupWait, c.GroupInterval = &wait, &interval
	}
}

// tellStories makes up what the sources report.
func (s *scenario) tellStories(r *rand.Rand) {
	var ls []Labels
	for range 1 + r.IntN(6) {
		set := map[string]string{"alertname": pick(r, vocabulary["alertname"]...)}
		for _, name := range vocabularyNames {
			if name != "alertname" && chance(r, 75) {
				set[name] = pick(r, vocabulary[name]...)
			}
		}
		if l := LabelsOf(set); !slices.ContainsFunc(ls, l.Equal) {
			ls = append(ls, l)
		}
	}
	count := 0
	for _, l := range ls {
		for at := time.Duration(r.IntN(240)) * time.Second; at < s.end && count < 300; {
			at = s.tellStory(r, l, at, &count)
		}
	}
	slices.SortFunc(s.events, func(a, b event) int { return int(a.at - b.at) })
	s.events = slices.DeleteFunc(s.events, func(e event) bool { return e.at >= s.end })
}

// tellStory has one alert fire, be repeated, and end in some way. It returns when the next story may begin.
func (s *scenario) tellStory(r *rand.Rand, l Labels, from time.Duration, count *int) time.Duration {
	tell := func(e event) {
		*count++
		e.labels = l
		s.events = append(s.events, e)
	}
	next := func(at time.Duration) time.Duration { // its own millisecond
		return at.Truncate(time.Second) + time.Duration(*count+1)*time.Millisecond
	}
	at := next(from)
	ahead := 4 * time.Minute
	every := time.Minute
	starts := at
	if !s.calm {
		ahead = pick(r, 4*time.Minute, 4*time.Minute, 30*time.Second, 70*time.Second)
		every = pick(r, time.Minute, time.Minute, 15*time.Second)
		starts += pick(r, 0, 0, 0, -time.Second, -40*time.Second, -20*time.Minute, 15*time.Second)
	}
	note := "n0"
	absent := !s.calm && chance(r, 8)
	tell(event{at: at, note: note, starts: starts, ends: at + ahead, absE: absent, absentS: absent && chance(r, 50), why: "fires"})
	for i := range r.IntN(8) {
		at = next(at + every)
		e := event{at: at, note: note, starts: starts, ends: at + ahead, absE: absent, why: "is repeated"}
		switch {
		case chance(r, 10):
			note = fmt.Sprintf("n%d", i+1)
			e.note, e.why = note, "changes"
		case s.calm:
		case chance(r, 5):
			e.starts, e.why = at-7*time.Second, "is repeated with a later start"
		case chance(r, 5):
			e.ends, e.why = at+5*time.Second, "is repeated with an earlier end"
		case chance(r, 5):
			e.absE, e.why = true, "is repeated without an end"
		case chance(r, 3):
			e.ends, e.why = at-every/2, "is repeated out of order, as ended"
		}
		tell(e)
	}
	if chance(r, 65) {
		at = next(at + pick(r, 5*time.Second, 30*time.Second, time.Minute))
		ends := at - pick(r, 0, time.Second, 5*time.Second)
		if starts > ends {
			starts = ends
		}
		tell(event{at: at, note: note, starts: starts, ends: ends, why: "resolves"})
		if !s.calm {
			for range r.IntN(3) {
				at = next(at + every)
				tell(event{at: at, note: note, starts: starts, ends: ends, why: "is repeated as resolved"})
			}
		}
	} else {
		at += ahead
	}
	return at + pick(r, 5*time.Second, 40*time.Second, 3*time.Minute, 10*time.Minute)
}

// String is the world in words, for a failure that somebody has to understand.
func (s *scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, until %s; calm %v, delay %s, retention %s, forget %s, sweep %s\n",
		s.seed, s.end, s.calm, s.delay, s.retention, s.forget, s.sweep)
	dispatch.NewRoute(s.root, nil).Walk(func(r *dispatch.Route) {
		o := r.RouteOpts
		fmt.Fprintf(&b, "route %s continue=%v to %s by %v all=%v wait=%s interval=%s repeat=%s\n",
			r.ID(), r.Continue, o.Receiver, slices.Sorted(maps.Keys(o.GroupBy)), o.GroupByAll, o.GroupWait, o.GroupInterval, o.RepeatInterval)
	})
	fmt.Fprintf(&b, "receivers %v\noutages %v\nmutes %v\n", s.receivers, s.outages, s.mutes)
	for _, e := range s.events {
		fmt.Fprintf(&b, "%s %s %s: starts %s (absent %v) ends %s (absent %v) note %s\n",
			e.at, e.labels, e.why, e.starts, e.absentS, e.ends, e.absE, e.note)
	}
	return b.String()
}
