package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/oncall"
)

// Diff says in a line for each section what a reload changed, such as `users: added cy, changed ana`; nothing where
// nothing did. It names things and shows no values, so no secret, but for a few changed maintenance windows: those it
// says in words, a line each. Of a few changed SLOs it says what of them changed: their budgets go on under another rule.
func Diff(old, new *Config) (lines []string) {
	add := func(line string) {
		if line != "" {
			lines = append(lines, line)
		}
	}
	add(changes("users", old.Users, new.Users, func(a, b User) bool { return reflect.DeepEqual(a, b) }))
	add(changes("schedules", noticed(old), noticed(new), sameSchedule))
	add(changes("calendars", calendarsByName(old.Calendars), calendarsByName(new.Calendars), func(a, b Calendar) bool { return a.from() == b.from() }))
	add(changes("escalation_policies", old.Policies, new.Policies, func(a, b escalation.Policy) bool { return reflect.DeepEqual(a, b) }))
	add(changes("incident_configs", old.Incidents, new.Incidents, func(a, b IncidentConfig) bool { return a == b }))
	add(changes("slos", old.SLOs, new.SLOs, func(a, b SLO) bool { return len(differs(a, b)) == 0 }))
	lines = append(lines, respecified(old, new)...)
	add(changes("severities", old.Severities, new.Severities, func(a, b string) bool { return a == b }))
	if old.Paging != new.Paging || old.ReopenWindow != new.ReopenWindow || old.BlindPolicy != new.BlindPolicy || !reflect.DeepEqual(old.DeadMan, new.DeadMan) {
		add("paging: changed")
	}
	add(changes("heartbeats", beatsByName(old.Heartbeats), beatsByName(new.Heartbeats), sameHeartbeat))
	windows := byName(new.Maintenance)
	add(changes("maintenance", byName(old.Maintenance), windows, sameMaintenance))
	lines = append(lines, moved(old.Maintenance, windows)...)
	if !reflect.DeepEqual(old.Chat, new.Chat) {
		add("chat: changed")
	}
	if old.ResolvedUnderSilence != new.ResolvedUnderSilence {
		add("dispatch: changed")
	}
	was, is := reflect.ValueOf(*old.Upstream), reflect.ValueOf(*new.Upstream)
	for i := range was.NumField() {
		key, _, _ := strings.Cut(was.Type().Field(i).Tag.Get("yaml"), ",")
		if key != "" && !reflect.DeepEqual(was.Field(i).Interface(), is.Field(i).Interface()) {
			add(key + ": changed")
		}
	}
	return lines
}

// A schedule is one with what its people are told of it.
type schedule struct {
	*oncall.Schedule
	notices Notices
}

func noticed(c *Config) map[string]schedule {
	out := map[string]schedule{}
	for name, s := range c.Schedules {
		out[name] = schedule{s, c.Notices[name]}
	}
	return out
}

// sameSchedule compares by what is printed: two loads of one zone are not always equal in memory.
func sameSchedule(a, b schedule) bool {
	return fmt.Sprint(a.Spec()) == fmt.Sprint(b.Spec()) && fmt.Sprint(a.notices) == fmt.Sprint(b.notices)
}

// differs names what of two SLOs is not the same, in the order of the file. Queries and addresses are not shown.
func differs(a, b SLO) (keys []string) {
	was, is := a.Objective.Spec(), b.Objective.Spec()
	for _, part := range []struct {
		key  string
		same bool
	}{
		{"service", was.Service == is.Service},
		{"description", a.Description == b.Description},
		{"objective", was.Objective == is.Objective},
		{"window", was.Window == is.Window},
		{"sli", was.Source == is.Source && a.Matchers.String() == b.Matchers.String() && a.Tool == b.Tool && reflect.DeepEqual(a.Prometheus, b.Prometheus)},
		{"by", slices.Equal(was.By, is.By)},
		{"thresholds", slices.Equal(a.Objective.Thresholds(), b.Objective.Thresholds())},
		{"escalation_policy", a.Policy == b.Policy},
		{"clear_for", was.ClearFor == is.ClearFor},
		{"reopen_window", was.ReopenWindow == is.ReopenWindow},
		{"runbook_url", a.RunbookURL == b.RunbookURL},
	} {
		if !part.same {
			keys = append(keys, part.key)
		}
	}
	return keys
}

// respecified says of a few SLOs what of them changed.
func respecified(old, new *Config) (lines []string) {
	for _, name := range old.SLOOrder {
		is, kept := new.SLOs[name]
		if !kept || len(lines) == few {
			continue
		}
		if keys := differs(old.SLOs[name], is); len(keys) > 0 {
			lines = append(lines, fmt.Sprintf("slo %s: changed %s", name, strings.Join(keys, ", ")))
		}
	}
	return lines
}

func calendarsByName(all []Calendar) map[string]Calendar {
	out := map[string]Calendar{}
	for _, c := range all {
		out[c.Name] = c
	}
	return out
}

// from is where a calendar is, and not what was read there.
func (c Calendar) from() Calendar {
	c.Events = 0
	return c
}

func beatsByName(all []Heartbeat) map[string]Heartbeat {
	out := map[string]Heartbeat{}
	for _, h := range all {
		out[h.Name] = h
	}
	return out
}

func sameHeartbeat(a, b Heartbeat) bool {
	if a.Matchers.String() != b.Matchers.String() {
		return false
	}
	a.Matchers, b.Matchers = nil, nil
	return reflect.DeepEqual(a, b)
}

func byName(all []Maintenance) map[string]Maintenance {
	out := map[string]Maintenance{}
	for _, m := range all {
		out[m.Name] = m
	}
	return out
}

func sameMaintenance(a, b Maintenance) bool {
	return a.String() == b.String() && a.Comment == b.Comment
}

// moved says of a few windows what they were and what they are.
func moved(old []Maintenance, new map[string]Maintenance) (lines []string) {
	for _, was := range old {
		is, kept := new[was.Name]
		if kept && was.String() != is.String() && len(lines) < few {
			lines = append(lines, fmt.Sprintf("maintenance %s: was %s; is %s", was.Name, was, is))
		}
	}
	return lines
}

func changes[V any](section string, old, new map[string]V, same func(a, b V) bool) string {
	var added, removed, changed []string
	for name, v := range new {
		switch was, ok := old[name]; {
		case !ok:
			added = append(added, name)
		case !same(was, v):
			changed = append(changed, name)
		}
	}
	for name := range old {
		if _, ok := new[name]; !ok {
			removed = append(removed, name)
		}
	}
	var parts []string
	for _, p := range []struct {
		verb  string
		names []string
	}{{"added", added}, {"removed", removed}, {"changed", changed}} {
		if len(p.names) > 0 {
			slices.Sort(p.names)
			parts = append(parts, p.verb+" "+some(p.names))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return section + ": " + strings.Join(parts, ", ")
}

const few = 8

// some names a few of many.
func some(names []string) string {
	if len(names) <= few {
		return strings.Join(names, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], " "), len(names)-few)
}
