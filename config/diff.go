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
// says in words, a line each.
func Diff(old, new *Config) (lines []string) {
	add := func(line string) {
		if line != "" {
			lines = append(lines, line)
		}
	}
	add(changes("users", old.Users, new.Users, func(a, b User) bool { return reflect.DeepEqual(a, b) }))
	add(changes("schedules", old.Schedules, new.Schedules, sameSchedule))
	add(changes("escalation_policies", old.Policies, new.Policies, func(a, b escalation.Policy) bool { return reflect.DeepEqual(a, b) }))
	add(changes("incident_configs", old.Incidents, new.Incidents, func(a, b IncidentConfig) bool { return a == b }))
	add(changes("severities", old.Severities, new.Severities, func(a, b string) bool { return a == b }))
	if old.Paging != new.Paging || old.ReopenWindow != new.ReopenWindow || old.BlindPolicy != new.BlindPolicy || !reflect.DeepEqual(old.DeadMan, new.DeadMan) {
		add("paging: changed")
	}
	add(changes("heartbeats", beatsByName(old.Heartbeats), beatsByName(new.Heartbeats), sameHeartbeat))
	windows := byName(new.Maintenance)
	add(changes("maintenance", byName(old.Maintenance), windows, sameMaintenance))
	lines = append(lines, moved(old.Maintenance, windows)...)
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

// sameSchedule compares by what is printed: two loads of one zone are not always equal in memory.
func sameSchedule(a, b *oncall.Schedule) bool { return fmt.Sprint(a.Spec()) == fmt.Sprint(b.Spec()) }

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
