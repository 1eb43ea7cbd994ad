package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/web"
)

// How far a proposed configuration is looked into, and how long that may take.
const (
	proposalAhead    = 14 * 24 * time.Hour
	proposalBack     = 7 * 24 * time.Hour
	proposalTime     = 5 * time.Second // for the comparison; a page waits for it
	proposalWait     = 3 * time.Second // for another one that is being looked at
	proposalGaps     = 1000            // schedules whose gaps are looked for: a millisecond each
	proposalRows     = 12              // of one schedule
	proposalLines    = 12              // of one part of the configuration
	proposalMoves    = 30
	proposalExamples = 3 // of one move
	memoOfRoutes     = 20_000
)

// A drafter says what proposed configurations would do. It looks at one at a time: what strangers paste must not take the
// machine from those who are to be paged.
type drafter struct {
	*daemon
	busy chan struct{}
}

func newDrafter(d *daemon) *drafter { return &drafter{d, make(chan struct{}, 1)} }

// running is the configuration that holds, for the page.
func (d *drafter) running() web.Running {
	now := d.current.Load()
	r := web.Running{File: d.source.title(), Since: now.since, Warnings: faultsOf(now.cfg.Warnings, "")}
	for _, s := range now.cfg.Shown() {
		r.Parts = append(r.Parts, web.ConfigPart{File: s.File, Text: s.Text})
	}
	return r
}

// faultsOf are faults for the page. What is in the proposed text itself needs no file's name.
func faultsOf(faults config.Faults, main string) (out []web.ConfigFault) {
	for _, f := range faults {
		one := web.ConfigFault{File: f.File, Line: f.Line, Column: f.Column, What: f.Message, Mend: f.Hint, Warning: f.Warning}
		if f.File == main {
			one.File = ""
		}
		out = append(out, one)
	}
	return out
}

// propose says what a text would do in the place of the running file. Nothing is written, and no file of the machine is read
// but those that the running configuration has read.
func (d *drafter) propose(ctx context.Context, text string) (p web.Proposal) {
	wait, cancel := context.WithTimeout(ctx, proposalWait)
	defer cancel()
	select {
	case d.busy <- struct{}{}:
		defer func() { <-d.busy }()
	case <-wait.Done():
		p.Doubt = "Midwatch is looking at another text just now. Press the button again in a few seconds."
		return p
	}
	defer func() {
		if r := recover(); r != nil {
			d.log.zap.Error("a proposed configuration could not be looked at", zap.Any("why", r), zap.Stack("where"))
			p = web.Proposal{Doubt: "This text cannot be looked at: that is a fault of Midwatch, and the log has it. Check it with midwatch config check."}
		}
	}()
	now := time.Now().UTC()
	running := d.current.Load().cfg
	opts := config.Options{Now: now, Fetch: d.almanac.known}
	cfg, faults := running.Propose([]byte(text), opts)
	if cfg != nil && len(cfg.Schedules) <= proposalGaps {
		faults = append(faults, cfg.Ahead(now)...)
	}
	p.Faults = faultsOf(faults, running.Files[0])
	if cfg == nil {
		return p
	}
	p.Good = true
	p.Holds = fmt.Sprintf("It has %s, %s, %s, %s and %s.", count(len(cfg.Upstream.Receivers), "receiver"), count(len(cfg.Users), "user"),
		count(len(cfg.Schedules), "schedule"), plural(len(cfg.Policies), "escalation policy", "escalation policies"), plural(len(cfg.SLOs), "SLO", "SLOs"))
	was, is := veiled(running, running.Main(), opts), veiled(running, []byte(text), opts)
	if was == nil || is == nil {
		p.Doubt = "What it would change cannot be told: one of the two files does not stand without its secrets. Compare them with git diff, and with midwatch oncall diff."
		return p
	}
	limited, cancelAll := context.WithTimeout(ctx, proposalTime)
	defer cancelAll()
	p.Changes = changes(was, is)
	p.From, p.To = now, now.Add(proposalAhead)
	p.Rota = rotaChanges(limited, was, is, p.From, p.To)
	p.Since = now.Add(-proposalBack)
	d.moves(limited, was, is, &p)
	if limited.Err() != nil && ctx.Err() == nil {
		p.Doubt = fmt.Sprintf("Not all was looked at: that took longer than %s. What is told below is true, but not the whole.", proposalTime)
	}
	return p
}

// veiled is a configuration without its secrets: whether two differ in them is nobody's business who reads pages. nil: it
// cannot be read so.
func veiled(running *config.Config, text []byte, opts config.Options) *config.Config {
	hidden, err := config.Conceal(text)
	if err != nil {
		return nil
	}
	cfg, _ := running.Propose(hidden, opts)
	return cfg
}

// The sections of the file, in words.
var sectionWords = map[string]string{
	"users": "Users", "schedules": "Schedules", "calendars": "Calendars", "escalation_policies": "Escalation policies",
	"incident_configs": "Receivers that open incidents", "slos": "SLOs", "severities": "Severities", "paging": "Paging",
	"heartbeats": "Heartbeats", "maintenance": "Maintenance", "chat": "Chat", "dispatch": "Dispatch", "global": "Global settings",
	"inhibit_rules": "Inhibition", "templates": "Templates", "time_intervals": "Time intervals", "mute_time_intervals": "Mute time intervals",
	"tracing": "Tracing", "event_recorder": "Event recorder",
}

// changes says in words what differs, part by part.
func changes(was, is *config.Config) (out []web.ConfigChange) {
	add := func(part string, lines ...string) {
		if len(lines) == 0 {
			return
		}
		for i := range out {
			if out[i].Part == part {
				out[i].Lines = append(out[i].Lines, lines...)
				return
			}
		}
		out = append(out, web.ConfigChange{Part: part, Lines: lines})
	}
	add("Routes", few(routeChanges(was.Upstream.Route, is.Upstream.Route))...)
	add("Receivers", receiverChanges(was.Upstream.Receivers, is.Upstream.Receivers)...)
	for _, line := range config.Diff(was, is) {
		section, said, _ := strings.Cut(line, ": ")
		kind, name, named := strings.Cut(section, " ")
		switch {
		case section == "route" || section == "receivers":
		case named && kind == "slo":
			add(sectionWords["slos"], name+": "+said)
		case named:
			add(sectionWords[kind], name+": "+said)
		case sectionWords[section] != "":
			add(sectionWords[section], strings.Split(said, ", ")...)
		default:
			add(section, said)
		}
	}
	return out
}

// few are the first of many lines.
func few(lines []string) []string {
	if len(lines) <= proposalLines {
		return lines
	}
	return append(lines[:proposalLines:proposalLines], fmt.Sprintf("and %d more", len(lines)-proposalLines))
}

func receiverChanges(was, is []amconfig.Receiver) (lines []string) {
	byName := func(all []amconfig.Receiver) map[string]amconfig.Receiver {
		out := map[string]amconfig.Receiver{}
		for _, r := range all {
			out[r.Name] = r
		}
		return out
	}
	old, new := byName(was), byName(is)
	var added, removed, changed []string
	for _, name := range slices.Sorted(maps.Keys(new)) {
		if before, ok := old[name]; !ok {
			added = append(added, name)
		} else if !reflect.DeepEqual(before, new[name]) {
			changed = append(changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, ok := new[name]; !ok {
			removed = append(removed, name)
		}
	}
	for _, part := range []struct {
		verb  string
		names []string
	}{{"added ", added}, {"removed ", removed}, {"changed ", changed}} {
		if len(part.names) > 0 {
			lines = append(lines, part.verb+strings.Join(few(part.names), " "))
		}
	}
	return lines
}

// A leaf is one route of a tree, with the way to it.
type leaf struct {
	way   string
	route *amconfig.Route
}

// leaves are the routes of a tree from top to bottom. A second route of the same way gets a number.
func leaves(root *amconfig.Route) (out []leaf) {
	times := map[string]int{}
	var walk func(r *amconfig.Route, above []string)
	walk = func(r *amconfig.Route, above []string) {
		here := above
		if own := matchersOf(r); own != "" {
			here = append(above[:len(above):len(above)], own)
		}
		way := "the root route"
		if len(here) > 0 {
			way = strings.Join(here, " › ")
		}
		if times[way]++; times[way] > 1 {
			way = fmt.Sprintf("%s (no. %d)", way, times[way])
		}
		out = append(out, leaf{way, r})
		for _, child := range r.Routes {
			walk(child, here)
		}
	}
	walk(root, nil)
	return out
}

func matchersOf(r *amconfig.Route) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.Match)) {
		all = append(all, fmt.Sprintf("%s=%q", name, r.Match[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(r.MatchRE)) {
		all = append(all, fmt.Sprintf("%s=~%q", name, r.MatchRE[name].String()))
	}
	for _, m := range r.Matchers {
		all = append(all, m.String())
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// routeChanges says which routes came, went, and are another way now.
func routeChanges(was, is *amconfig.Route) (lines []string) {
	old := map[string]*amconfig.Route{}
	for _, l := range leaves(was) {
		old[l.way] = l.route
	}
	stays := map[string]bool{}
	for _, l := range leaves(is) {
		before, ok := old[l.way]
		if !ok {
			lines = append(lines, fmt.Sprintf("added %s, to %s", l.way, orElse(l.route.Receiver, "the receiver above it")))
			continue
		}
		stays[l.way] = true
		if said := routeChange(before, l.route); said != "" {
			lines = append(lines, fmt.Sprintf("%s: %s", l.way, said))
		}
	}
	for _, l := range leaves(was) {
		if !stays[l.way] {
			lines = append(lines, fmt.Sprintf("removed %s, which went to %s", l.way, orElse(l.route.Receiver, "the receiver above it")))
		}
	}
	if len(lines) == 0 && !slices.Equal(ways(was), ways(is)) {
		lines = append(lines, "the same routes in another order")
	}
	return lines
}

func ways(r *amconfig.Route) (out []string) {
	for _, l := range leaves(r) {
		out = append(out, l.way)
	}
	return out
}

func routeChange(was, is *amconfig.Route) string {
	var parts []string
	compare := func(key, old, new string) {
		if old != new {
			parts = append(parts, fmt.Sprintf("%s %s → %s", key, orElse(old, "as above it"), orElse(new, "as above it")))
		}
	}
	compare("receiver", was.Receiver, is.Receiver)
	compare("group_by", strings.Join(was.GroupByStr, " "), strings.Join(is.GroupByStr, " "))
	for _, d := range []struct {
		key      string
		old, new fmt.Stringer
	}{{"group_wait", was.GroupWait, is.GroupWait}, {"group_interval", was.GroupInterval, is.GroupInterval}, {"repeat_interval", was.RepeatInterval, is.RepeatInterval}} {
		compare(d.key, stringOf(d.old), stringOf(d.new))
	}
	compare("mute_time_intervals", orElse(strings.Join(was.MuteTimeIntervals, " "), "none"), orElse(strings.Join(is.MuteTimeIntervals, " "), "none"))
	compare("active_time_intervals", orElse(strings.Join(was.ActiveTimeIntervals, " "), "none"), orElse(strings.Join(is.ActiveTimeIntervals, " "), "none"))
	compare("continue", fmt.Sprint(was.Continue), fmt.Sprint(is.Continue))
	if !maps.Equal(was.Labels, is.Labels) {
		parts = append(parts, "labels changed")
	}
	return strings.Join(parts, ", ")
}

// stringOf is what a pointer points to; empty: nothing.
func stringOf(s fmt.Stringer) string {
	if reflect.ValueOf(s).IsNil() {
		return ""
	}
	return s.String()
}

// rotaChanges says who would be on call differently.
func rotaChanges(ctx context.Context, was, is *config.Config, from, to time.Time) (out []web.RotaChange) {
	for _, name := range unionOf(is.ScheduleOrder, was.ScheduleOrder) {
		if ctx.Err() != nil {
			return out
		}
		d := diffSchedule(was.Schedules[name], is.Schedules[name], from, to)
		if d.Schedule = name; d.State == scheduleSame {
			continue
		}
		shown := min(len(d.Changes), proposalRows)
		out = append(out, web.RotaChange{Said: d.sentence(), Zone: d.zone, Changes: d.Changes[:shown], More: len(d.Changes) - shown})
	}
	return out
}

// destinations are whom an alert reaches by a configuration: receivers, and the policies of those that open incidents.
func destinations(cfg *config.Config, root *dispatch.Route, labels router.Labels) []string {
	var out []string
	for _, r := range root.Match(labelSet(labels)) {
		name := r.RouteOpts.Receiver
		if policy := cfg.Incidents[name].Policy; policy != "" {
			name += " (pages by " + policy + ")"
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// moves routes what fired in the last days both ways.
func (d *drafter) moves(ctx context.Context, was, is *config.Config, p *web.Proposal) {
	before, after := dispatch.NewRoute(was.Upstream.Route, nil), dispatch.NewRoute(is.Upstream.Route, nil)
	known, moves := map[uint64]*web.Move{}, map[string]*web.Move{}
	look := func(labels router.Labels) bool {
		if p.Looked%256 == 0 && ctx.Err() != nil {
			return false
		}
		p.Looked++
		id := labels.Fingerprint()
		m, met := known[id]
		if !met {
			from, to := destinations(was, before, labels), destinations(is, after, labels)
			if !slices.Equal(from, to) {
				key := fmt.Sprint(from, to)
				if m = moves[key]; m == nil {
					m = &web.Move{Was: from, Is: to}
					moves[key] = m
				}
				if len(m.Examples) < proposalExamples {
					m.Examples = append(m.Examples, labels.String())
				}
			}
			if len(known) < memoOfRoutes {
				known[id] = m
			}
		}
		if m != nil {
			m.Alerts++
		}
		return true
	}
	for s := range d.engine.Router().See(router.Ask{Now: time.Now()}) {
		if !look(s.Alert.Labels) {
			break
		}
	}
	for a, err := range d.engine.Past(ctx, p.Since) {
		if err != nil {
			if ctx.Err() == nil {
				d.log.zap.Warn("the alerts of the last days cannot be read", zap.Error(err))
				p.Doubt = "The alerts of the last 7 days could not all be read; the log says why."
			}
			break
		}
		if !look(a.Labels) {
			break
		}
	}
	for _, m := range moves {
		p.Moves = append(p.Moves, *m)
	}
	slices.SortFunc(p.Moves, func(a, b web.Move) int {
		return cmp.Or(cmp.Compare(b.Alerts, a.Alerts), cmp.Compare(fmt.Sprint(a.Was, a.Is), fmt.Sprint(b.Was, b.Is)))
	})
	p.Moves = p.Moves[:min(len(p.Moves), proposalMoves)]
}
