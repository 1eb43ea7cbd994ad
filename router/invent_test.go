package router

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/config"
	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
)

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
		reload:    pick(r, unchanging, unchanging, unchanging, unnoticed, changing),
		retention: pick(r, 120*time.Hour, 120*time.Hour, time.Hour, 3*time.Minute),
		forget:    pick(r, 30*time.Minute, 5*time.Minute, time.Minute),
		sweep:     pick(r, 15*time.Minute, 2*time.Minute),
		end:       pick(r, 10*time.Minute, 30*time.Minute, time.Hour),
	}
	v := inventor{Rand: r, s: s, until: s.end}
	if s.reload == changing {
		// Whoever has heard something must be able to hear the end of it, however late a group speaks.
		s.retention, s.forget = 120*time.Hour, 3*time.Hour
		s.hasty = chance(r, 50)
		s.quiet = s.end + 5*time.Minute
		s.end = s.quiet + 11*time.Minute
	}
	plain := chance(r, 30)
	s.setup = v.newSetup(!plain && chance(r, 85), !plain && chance(r, 50))
	if !s.calm && len(s.intervals) == 0 && s.reload != changing && chance(r, 20) {
		// What waited for the start is flushed with the time at which it would have been otherwise: an interval counts
		// that held then. Midwatch asks for the time that it is. And a reload waits for the start.
		s.delay = pick(r, 20*time.Second, 2*time.Minute) + 500*time.Microsecond
	}
	if chance(r, 20) {
		s.wait = 3 * time.Second // less than any interval
	}
	s.failAtTimes()
	v.tellStories()
	if !plain && chance(r, 75) {
		v.silence()
	}
	v.reload()
	slices.SortFunc(s.events, func(a, b event) int { return int(a.at - b.at) })
	s.events = slices.DeleteFunc(s.events, func(e event) bool { return e.at >= v.until })
	return s
}

// An inventor makes up what happens in a world.
type inventor struct {
	*rand.Rand
	s     *scenario
	count int           // events so far
	until time.Duration // no event is later
}

// next is an instant of its own, less than a second later or earlier.
func (v *inventor) next(at time.Duration) time.Duration {
	v.count++
	return at.Truncate(time.Second) + time.Duration(v.count)*time.Millisecond
}

func (v *inventor) tell(e event) { v.s.events = append(v.s.events, e) }

// undisturbed moves an instant out of the time in which all must be quiet, to after the end.
func (v *inventor) undisturbed(at time.Duration) time.Duration {
	if v.s.reload == changing && at > v.s.quiet {
		return at - v.s.quiet + v.s.end
	}
	return at
}

// newSetup makes a configuration, with inhibit rules or without, and with time intervals or without.
func (v *inventor) newSetup(rules, intervals bool) setup {
	c := setup{receivers: v.newReceivers()}
	if rules {
		c.rules = v.newRules()
	}
	if intervals {
		c.intervals = v.newIntervals()
	}
	for {
		c.root = v.newRoot(slices.Sorted(maps.Keys(c.intervals)))
		calm := c.separateTwins()
		if calm && v.s.reload == changing {
			continue // twins cannot be told apart when their groups all speak at once
		}
		v.s.calm = v.s.calm || calm
		if v.s.reload == changing {
			c.keepForAnHour()
		}
		return c
	}
}

func (v *inventor) newReceivers() map[string][]Integration {
	receivers := map[string][]Integration{}
	for _, name := range []string{"one", "two", "three"} {
		seen := map[string]int{}
		for range v.IntN(4) {
			kind := pick(v.Rand, "webhook", "slack")
			receivers[name] = append(receivers[name], Integration{kind, seen[kind], chance(v.Rand, 70)})
			seen[kind]++
		}
	}
	return receivers
}

func (v *inventor) newRoot(intervals []string) *config.Route {
	root := newRoute(v.Rand, 0, intervals)
	root.Receiver, root.Continue = pick(v.Rand, "one", "two"), false
	root.Matchers, root.Match = nil, nil
	root.ActiveTimeIntervals, root.MuteTimeIntervals = nil, nil
	if v.s.reload != changing && chance(v.Rand, 20) && len(root.Routes) > 0 {
		twin := *root.Routes[0]
		root.Routes[0].Continue = true
		root.Routes = slices.Insert(root.Routes, 1, &twin)
	}
	return root
}

// newRoute makes a route with children.
func newRoute(r *rand.Rand, depth int, intervals []string) *config.Route {
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
	for _, name := range intervals {
		switch r.IntN(6) {
		case 0, 1:
			c.MuteTimeIntervals = append(c.MuteTimeIntervals, name)
		case 2:
			c.ActiveTimeIntervals = append(c.ActiveTimeIntervals, name)
		}
	}
	for range 1 + r.IntN(2) {
		m := newMatcher(r)
		if chance(r, 20) {
			c.Match = map[string]string{m.Name: vocabulary[m.Name][0]}
			continue
		}
		c.Matchers = append(c.Matchers, m)
	}
	if depth < 3 {
		for range r.IntN(4 - depth) {
			c.Routes = append(c.Routes, newRoute(r, depth+1, intervals))
		}
	}
	return c
}

// newMatcher makes one of any of the four types.
func newMatcher(r *rand.Rand) *labels.Matcher {
	name := pick(r, vocabularyNames...)
	value := pick(r, vocabulary[name]...)
	kind := labels.MatchType(r.IntN(4))
	if kind == labels.MatchRegexp || kind == labels.MatchNotRegexp {
		value += "|zz"
	}
	m, err := labels.NewMatcher(kind, name, value)
	if err != nil {
		panic(err)
	}
	return m
}

// newRules makes inhibit rules, some in the old words, and some whose targets are sources as well.
func (v *inventor) newRules() []amcommoncfg.InhibitRule {
	var rules []amcommoncfg.InhibitRule
	for n := range v.IntN(5) {
		rule := amcommoncfg.InhibitRule{Name: fmt.Sprint("rule ", n)}
		rule.SourceMatch, rule.SourceMatchRE, rule.SourceMatchers = v.newSide()
		rule.TargetMatch, rule.TargetMatchRE, rule.TargetMatchers = v.newSide()
		if chance(v.Rand, 25) {
			rule.TargetMatch, rule.TargetMatchRE, rule.TargetMatchers = rule.SourceMatch, rule.SourceMatchRE, nil
		}
		for range v.IntN(3) {
			rule.Equal = append(rule.Equal, pick(v.Rand, slices.Concat(vocabularyNames, []string{"cluster"})...)) // of which nobody has one
		}
		rules = append(rules, rule)
	}
	return rules
}

func (v *inventor) newSide() (match map[string]string, re amcommoncfg.MatchRegexps, matchers amcommoncfg.Matchers) {
	for range 1 + v.IntN(2) {
		switch m := newMatcher(v.Rand); v.IntN(4) {
		case 0:
			match = map[string]string{m.Name: vocabulary[m.Name][0]}
		case 1:
			value := pick(v.Rand, vocabulary[m.Name]...) + "|zz"
			re = amcommoncfg.MatchRegexps{m.Name: {Regexp: regexp.MustCompile("^(?:" + value + ")$"), Original: value}}
		default:
			matchers = append(matchers, m)
		}
	}
	return match, re, matchers
}

// newIntervals makes time intervals that begin and end within the hour.
func (v *inventor) newIntervals() map[string][]minutes {
	minute := func(n int) int { return int(v.undisturbed(time.Duration(n)*time.Minute) / time.Minute) }
	intervals := map[string][]minutes{}
	for _, name := range []string{"lunch", "night", "deploys"} {
		for range 1 + v.IntN(2) {
			from := v.IntN(int(v.until / time.Minute))
			m := minutes{from, from + 1 + v.IntN(15)}
			if chance(v.Rand, 20) {
				m = minutes{0, 24 * 60}
			}
			intervals[name] = append(intervals[name], minutes{minute(m.from), minute(m.until)})
		}
	}
	return intervals
}

// eachRoute calls f with every route in the order of dispatch.Route.Idx. Every route becomes its own, for twins share
// theirs.
func (c *setup) eachRoute(f func(*config.Route)) {
	var walk func(*config.Route)
	walk = func(route *config.Route) {
		for i, child := range route.Routes {
			own := *child
			route.Routes[i] = &own
			own.Routes = slices.Clone(own.Routes)
			walk(&own)
		}
		f(route)
	}
	walk(c.root)
}

// keepForAnHour lets no log entry be forgotten.
func (c *setup) keepForAnHour() {
	c.eachRoute(func(route *config.Route) {
		hour := model.Duration(time.Hour)
		route.RepeatInterval = &hour
	})
}

// separateTwins finds routes that share log entries, and sees to it that their groups never speak at one instant. It
// reports whether there are any.
func (c *setup) separateTwins() (calm bool) {
	type shared struct{ key, receiver string }
	var (
		configs []*config.Route
		twins   = map[shared][]int{}
	)
	c.eachRoute(func(route *config.Route) { configs = append(configs, route) })
	dispatch.NewRoute(c.root, nil).Walk(func(route *dispatch.Route) {
		k := shared{route.Key(), route.RouteOpts.Receiver}
		twins[k] = append(twins[k], route.Idx)
	})
	for _, places := range twins {
		if len(places) < 2 {
			continue
		}
		calm = true
		for i, at := range places {
			wait, interval := model.Duration(time.Duration(10+3*i)*time.Second), model.Duration(time.Minute)
			configs[at].GroupWait, configs[at].GroupInterval = &wait, &interval
		}
	}
	if !calm {
		return false
	}
	// What their children inherit has changed; those could be twins of each other. So all in a calm world say for
	// themselves what they want, and no two want the same.
	for i, c := range configs {
		wait, interval := model.Duration(time.Duration(2+i)*time.Second), model.Duration(time.Minute)
		c.GroupWait, c.GroupInterval = &wait, &interval
	}
	return true
}

// failAtTimes makes some integrations fail for some minutes.
func (s *scenario) failAtTimes() {
	for name, integrations := range maps.All(s.receivers) {
		for n, i := range integrations {
			// A hash of what it is and not a draw, for a map has no order.
			if (s.seed+uint64(n)*3+uint64(len(name)))%5 == 0 {
				from := time.Duration(s.seed%9)*time.Minute + 300*time.Microsecond
				s.outages = append(s.outages, outage{name, i.Name, i.Index, from, from + time.Duration(1+s.seed%4)*time.Minute})
			}
		}
	}
}

// reload makes up when the configuration is loaded again, and what it is then.
func (v *inventor) reload() {
	soon := func() time.Duration { return v.next(time.Duration(v.IntN(int(v.until)))) }
	switch v.s.reload {
	case unnoticed:
		for range 1 + v.IntN(3) {
			v.tell(event{at: soon(), load: &v.s.setup})
		}
	case changing:
		other := v.newSetup(len(v.s.rules) > 0 || v.s.muted() && chance(v.Rand, 30), len(v.s.intervals) > 0)
		if chance(v.Rand, 40) {
			other.root = v.s.root
		}
		if chance(v.Rand, 60) {
			other.receivers = v.s.receivers
		}
		if chance(v.Rand, 40) {
			other.rules = v.s.rules
		}
		if chance(v.Rand, 50) {
			other.intervals = v.s.intervals
		}
		v.tell(event{at: soon(), load: &other})
	}
}

// silence makes up what silences people wish for.
func (v *inventor) silence() {
	if chance(v.Rand, 15) {
		v.s.maxSilences = 1 + v.IntN(4)
	}
	if chance(v.Rand, 10) {
		v.s.silenceSize = pick(v.Rand, 130, 150, 170)
	}
	for thread := range 1 + v.IntN(5) {
		v.silenceThread(thread + 1)
	}
	if chance(v.Rand, 20) {
		at := v.next(time.Duration(v.IntN(int(v.until))))
		e := event{at: at}
		for n := range 5 + v.IntN(20) {
			e.wishes = append(e.wishes, v.newWish(100+n, at))
		}
		v.tell(e)
	}
}

// silenceThread makes up the story of one silence, which may become several.
func (v *inventor) silenceThread(thread int) {
	at := v.next(time.Duration(v.IntN(int(v.until))))
	last := v.newWish(thread, at)
	v.tell(event{at: at, wishes: []wish{last}})
	for range v.IntN(6) {
		at = v.next(at + pick(v.Rand, 5*time.Second, 40*time.Second, 2*time.Minute, 7*time.Minute))
		if chance(v.Rand, 20) {
			v.tell(event{at: at, expire: thread})
			continue
		}
		w := v.newWish(thread, at)
		w.edit = true
		if !chance(v.Rand, 25) {
			w.sets = last.sets
		}
		switch {
		case chance(v.Rand, 60):
			w.keep = pick(v.Rand, time.Nanosecond, time.Millisecond, time.Second)
		case chance(v.Rand, 30) && last.ends > at-time.Minute: // what is forgotten by now Alertmanager does not take in
			w.starts, w.ends = last.starts, last.ends
		case chance(v.Rand, 10):
			w.unknown = true
		}
		v.tell(event{at: at, wishes: []wish{w}})
		last = w
	}
}

// newWish makes up a silence that somebody asks for at this time. Some are not what can be had.
func (v *inventor) newWish(thread int, at time.Duration) wish {
	w := wish{thread: thread, fresh: silenceID(v.count*100 + thread), starts: -1, comment: pick(v.Rand, "", "upgrade", "known")}
	for range pick(v.Rand, 1, 1, 1, 1, 2) {
		w.sets = append(w.sets, v.newSet())
	}
	w.ends = at + pick(v.Rand, 20*time.Second, 2*time.Minute, 5*time.Minute, 20*time.Minute)
	switch v.IntN(10) {
	case 0:
		w.starts = at - 90*time.Second
	case 1, 2:
		w.starts = at + pick(v.Rand, 5*time.Second, time.Minute, 4*time.Minute)
	case 3:
		w.ends = at - 40*time.Second // it is over when it begins
		w.starts = at - time.Minute
	}
	if w.starts >= 0 {
		w.starts = v.undisturbed(w.starts.Truncate(time.Second) + 600*time.Microsecond)
	}
	w.ends = v.undisturbed(w.ends.Truncate(time.Second) + 700*time.Microsecond)
	return w
}

// newSet makes what a silence must match; now and then something that is refused.
func (v *inventor) newSet() MatcherSet {
	var set MatcherSet
	for range 1 + v.IntN(2) {
		m := newMatcher(v.Rand)
		set = append(set, Matcher{m.Name, m.Type, m.Value})
	}
	switch v.IntN(60) {
	case 0:
		return MatcherSet{}
	case 1:
		set[0] = Matcher{"team", labels.MatchRegexp, "("}
	case 2:
		set = MatcherSet{{"team", labels.MatchEqual, ""}, {"job", labels.MatchRegexp, ".*"}}
	case 3:
		set = append(set, Matcher{"cluster", labels.MatchEqual, ""})
	case 4:
		set[0] = Matcher{"", labels.MatchEqual, "x"}
	case 5:
		set = append(set, Matcher{"team", labels.MatchNotEqual, ""})
	}
	return set
}

// tellStories makes up what the sources report.
func (v *inventor) tellStories() {
	var ls []Labels
	for range 1 + v.IntN(6) {
		set := map[string]string{"alertname": pick(v.Rand, vocabulary["alertname"]...)}
		for _, name := range vocabularyNames {
			if name != "alertname" && chance(v.Rand, 75) {
				set[name] = pick(v.Rand, vocabulary[name]...)
			}
		}
		if l := LabelsOf(set); !slices.ContainsFunc(ls, l.Equal) {
			ls = append(ls, l)
		}
	}
	for _, l := range ls {
		for at := time.Duration(v.IntN(240)) * time.Second; at < v.until && v.count < 300; {
			at = v.tellStory(l, at)
		}
	}
}

// tellStory has one alert fire, be repeated, and end in some way. It returns when the next story may begin.
func (v *inventor) tellStory(l Labels, from time.Duration) time.Duration {
	tell := func(e event) {
		e.labels = l
		v.tell(e)
	}
	r, calm := v.Rand, v.s.calm
	at := v.next(from)
	ahead := 4 * time.Minute
	every := time.Minute
	starts := at
	if !calm {
		ahead = pick(r, 4*time.Minute, 4*time.Minute, 30*time.Second, 70*time.Second)
		every = pick(r, time.Minute, time.Minute, 15*time.Second)
		starts += pick(r, 0, 0, 0, -time.Second, -40*time.Second, -20*time.Minute, 15*time.Second)
	}
	if v.s.reload == changing && chance(r, 40) {
		ahead = v.s.end // it fires on unless its source says that it ended
	}
	note := "n0"
	absent := !calm && chance(r, 8)
	tell(event{at: at, note: note, starts: starts, ends: at + ahead, absE: absent, absentS: absent && chance(r, 50), why: "fires"})
	for i := range r.IntN(8) {
		at = v.next(at + every)
		e := event{at: at, note: note, starts: starts, ends: at + ahead, absE: absent, why: "is repeated"}
		switch {
		case chance(r, 10):
			note = fmt.Sprintf("n%d", i+1)
			e.note, e.why = note, "changes"
		case calm:
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
		at = v.next(at + pick(r, 5*time.Second, 30*time.Second, time.Minute))
		ends := at - pick(r, 0, time.Second, 5*time.Second)
		if starts > ends {
			starts = ends
		}
		tell(event{at: at, note: note, starts: starts, ends: ends, why: "resolves"})
		if !calm {
			for range r.IntN(3) {
				at = v.next(at + every)
				tell(event{at: at, note: note, starts: starts, ends: ends, why: "is repeated as resolved"})
			}
		}
	} else {
		at += ahead
	}
	return at + pick(r, 5*time.Second, 40*time.Second, 3*time.Minute, 10*time.Minute)
}
