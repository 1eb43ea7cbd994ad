package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/oncall"
)

// schedules reads the section (SPEC §4). What the checker lets pass is checked again by oncall.New, which knows what
// goes together.
func (l *loader) schedules() {
	l.each("schedules", &l.schedule, func(o object, name string) {
		l.cfg.ScheduleOrder = append(l.cfg.ScheduleOrder, name)
		before := l.errors
		spec, notices := l.readSchedule(o), l.readNotices(o)
		if !o.ok || l.errors > before {
			return
		}
		s, err := oncall.New(spec)
		if err != nil {
			l.problems(o, err, l.fault)
			return
		}
		l.problems(o, oncall.Problems(s.Warnings()), l.warn)
		l.cfg.Schedules[name] = s
		l.cfg.Notices[name] = notices
	})
}

func (l *loader) readSchedule(o object) oncall.Spec {
	spec := oncall.Spec{Name: o.text("name"), Zone: location(o.text("time_zone"))}
	for i, layer := range o.items("layers") {
		spec.Layers = append(spec.Layers, l.readLayer(layer, i))
	}
	for _, item := range o.items("overrides") {
		spec.Overrides = append(spec.Overrides, l.readOverride(item))
	}
	spec.Uncovered = l.readWindows(o, "uncovered")
	return spec
}

// location is nil where the checker refused the zone, and where there is none.
func location(zone string) *time.Location {
	if zone == "" {
		return nil
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil
	}
	return loc
}

func (l *loader) readLayer(o object, i int) oncall.Layer {
	layer := oncall.Layer{
		Name:           o.textOr("name", fmt.Sprintf("layer-%d", i+1)),
		Mode:           oncall.Mode(o.textOr("mode", string(oncall.ModeReplace))),
		Zone:           location(o.text("time_zone")),
		EffectiveFrom:  civil(o.text("effective_from")),
		EffectiveUntil: civil(o.text("effective_until")),
		Active:         l.readWindows(o, "active"),
		Except:         l.readWindows(o, "except"),
	}
	if o.get("calendar") != nil {
		layer.Shared = l.sharedLayer(o)
		if layer.Shared == nil {
			return layer
		}
	} else if o.node.Kind == yaml.MappingNode && lookup(o.node, "rotation") == nil {
		o.fault(o.node, "has no rotation", "add rotation: a mapping such as {key: value}, or calendar: the name of a shared calendar")
	}
	r := o.sub("rotation")
	if r.node == nil {
		return layer
	}
	layer.Rotation.Start = civil(r.text("start"))
	layer.Rotation.Count = oncall.Count(r.text("count"))
	if v := r.text("every"); v != "" {
		layer.Rotation.Every, _ = oncall.ParseEvery(v) // the checker has said what is wrong
	}
	if v := r.text("handoff"); v != "" {
		layer.Rotation.Handoff, _ = oncall.ParseHandoff(v)
	}
	users := r.get("users")
	if users == nil || users.Kind != yaml.SequenceNode {
		return layer
	}
	for _, turn := range users.Content {
		layer.Rotation.Turns = append(layer.Rotation.Turns, l.readTurn(r, turn))
	}
	return layer
}

func (l *loader) readTurn(o object, turn *yaml.Node) (who []string) {
	people := []*yaml.Node{turn}
	if turn.Kind == yaml.SequenceNode {
		people = turn.Content
	}
	for _, p := range people {
		if p.Kind != yaml.ScalarNode {
			continue
		}
		if p.Value == oncall.Nobody {
			if len(people) > 1 {
				o.fault(p, "nobody shares a turn with somebody", "remove nobody, or give it a turn of its own")
			}
			who = append(who, p.Value)
			continue
		}
		if slices.Contains(who, p.Value) {
			o.fault(p, fmt.Sprintf("user %q is in this turn twice", p.Value), "remove one")
			continue
		}
		if o.refer(p, "user", &l.user) {
			l.paged(p.Value, o.where)
			who = append(who, p.Value)
		}
	}
	return who
}

func civil(v string) oncall.Civil {
	if v == "" {
		return 0
	}
	c, err := oncall.ParseCivil(v)
	if err != nil {
		return 0
	}
	return c
}

func (l *loader) readOverride(o object) oncall.Override {
	ov := oncall.Override{Layer: o.text("layer"), From: civil(o.text("from")), To: civil(o.text("to"))}
	var kinds []string
	for _, kind := range []oncall.Kind{oncall.Replace, oncall.Take, oncall.Add, oncall.Remove} {
		n := o.get(string(kind))
		if n == nil {
			continue
		}
		kinds = append(kinds, string(kind))
		ov.Kind, ov.User = kind, n.Value
		if n.Value != oncall.Nobody && o.refer(n, "user", &l.user) && (kind == oncall.Take || kind == oncall.Add) {
			l.paged(n.Value, o.where)
		}
	}
	if with := o.get("with"); with != nil {
		ov.With = with.Value
		if with.Value != oncall.Nobody && o.refer(with, "user", &l.user) {
			l.paged(with.Value, o.where)
		}
	}
	switch {
	case len(kinds) == 0:
		o.fault(o.node, "the override does nothing", "write one of replace (and with), take, add, remove")
	case len(kinds) > 1:
		o.fault(o.node, "the override has "+strings.Join(kinds, " and "), "write one override for each")
	}
	return ov
}

// readWindows reads a list of windows; names in it are those of the file's time intervals.
func (l *loader) readWindows(o object, key string) (ws []oncall.Window) {
	list := o.get(key)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	f := o.form.of(key)
	for i, n := range list.Content {
		item := object{l, n, f.list, f.list.itemIn(join(o.where, key), n, i), o.ok}
		switch n.Kind {
		case yaml.ScalarNode:
			known, kind := l.windowNames()
			if item.refer(n, kind, known) {
				ws = append(ws, oncall.Window{Calendar: l.calendar[n.Value]})
			}
		case yaml.MappingNode:
			w, ok := l.readWindow(item)
			if ok {
				ws = append(ws, w)
			}
		}
	}
	return ws
}

// windowNames are what a window may be called, and what such things are.
func (l *loader) windowNames() (*names, string) {
	if len(l.shared.list) == 0 {
		return &l.interval, "time interval"
	}
	both := &names{vague: l.interval.vague || l.shared.vague}
	for _, n := range []names{l.interval, l.shared} {
		for _, name := range n.list {
			both.add(name, n.at[name])
		}
	}
	return both, "time interval or calendar"
}

func (l *loader) readWindow(o object) (oncall.Window, bool) {
	days := values(o.texts("days"))
	w, err := oncall.ParseWindow(days, o.text("from"), o.text("to"))
	if err != nil {
		key, _, _ := strings.Cut(err.Error(), ":")
		l.faultOf(o.here(key), o.where, err)
		return w, false
	}
	if len(days) == 0 && o.get("from") == nil && o.get("to") == nil && o.ok {
		o.warn(o.node, "an empty window is all of every day", "remove the list for always, or say days, from or to")
	}
	return w, true
}

func values(nodes []*yaml.Node) (out []string) {
	for _, n := range nodes {
		out = append(out, n.Value)
	}
	return out
}

// calendars makes the file's time intervals known to schedules and support hours. Alertmanager's loader has checked
// them; where it refused the file they are only names.
func (l *loader) calendars() {
	l.calendar = map[string]*oncall.Calendar{}
	for _, name := range l.interval.list {
		l.calendar[name] = &oncall.Calendar{Name: name}
	}
	if l.cfg.Upstream == nil {
		return
	}
	for _, t := range l.cfg.Upstream.MuteTimeIntervals {
		l.calendar[t.Name] = calendarOf(t.Name, t.TimeIntervals)
	}
	for _, t := range l.cfg.Upstream.TimeIntervals {
		l.calendar[t.Name] = calendarOf(t.Name, t.TimeIntervals)
	}
}

// problems says what oncall found, at the places it names.
func (l *loader) problems(o object, err error, say func(n *yaml.Node, message, hint string)) {
	var all oncall.Problems
	if !errors.As(err, &all) {
		l.faultOf(o.node, o.where, err)
		return
	}
	for _, p := range all {
		n, where := o.follow(p.Where)
		message, hint, _ := strings.Cut(p.What, "; ")
		say(n, join(where, message), hint)
	}
}

var stepRE = regexp.MustCompile(`^(\w+)(?:\[(\d+)\])?(?:\[(\d+)\])?$`)

// follow goes a path such as layers[1].rotation.every as far as it exists, and says it in words.
func (o object) follow(path string) (*yaml.Node, string) {
	n, f, where := o.node, o.form, o.where
	for _, step := range strings.Split(path, ".") {
		m := stepRE.FindStringSubmatch(step)
		if m == nil {
			break
		}
		next := lookup(n, m[1])
		if next == nil {
			where = join(where, m[1])
			break
		}
		n, f, where = next, f.of(m[1]), join(where, m[1])
		if m[2] == "" {
			continue
		}
		i, _ := strconv.Atoi(m[2])
		if n.Kind != yaml.SequenceNode || i >= len(n.Content) || f.list == nil {
			break
		}
		n, f = n.Content[i], f.list
		where = f.itemIn(where, n, i)
	}
	return n, where
}
