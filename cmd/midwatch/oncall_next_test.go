package main

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

const nextConfig = `
route: {receiver: oncall}
receivers: [{name: oncall, incident_configs: [{escalation_policy: db}]}]
users:
  - {name: ana, contact_methods: {hook: {webhook: {url: "http://127.0.0.1:9/ana"}}}}
  - {name: bo, contact_methods: {hook: {webhook: {url: "http://127.0.0.1:9/bo"}}}}
schedules:
  - name: primary
    time_zone: Europe/Lisbon
    layers: [{name: weekly, rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1w}}]
  - name: office
    time_zone: UTC
    layers: [{name: days, rotation: {users: [ana], start: 2026-01-05 09:00, every: 1w}, active: [{days: [mon-fri], from: "09:00", to: "17:00"}]}]
    uncovered: [{days: [sat, sun]}]
  - name: always
    time_zone: UTC
    layers: [{name: all, rotation: {users: [[ana, bo]], start: 2026-01-05 09:00, every: 1w}}]
  - name: rare
    time_zone: UTC
    layers: [{name: all, rotation: {users: [bo, ana], start: 2026-01-05 09:00, every: 7month}}]
  - name: late
    time_zone: UTC
    layers: [{name: all, rotation: {users: [bo, ana], start: 2037-01-05 09:00, every: 1w}}]
escalation_policies: [{name: db, steps: [{notify: [{schedule: primary}]}]}]
paging: {catch_all: {user: bo}}
`

// The server and its configuration file answer alike, as long as nothing was overridden. What is asked about lies in the
// future: the past is what the server wrote down.
func TestNextByServerAndByFileAreTheSame(t *testing.T) {
	m := begin(t, nextConfig)
	for _, args := range []string{
		"--at 2036-11-21T12:00:00Z",
		"--at 2036-11-22T12:00:00Z -o json", // Saturday
		"--at 2036-11-21T16:59:59Z --schedule office",
		"--at 2036-11-21T12:00:00Z --schedule late", // before anybody is on call
		"--at 2036-11-21T12:00:00Z --user ana",
		"--at 2036-11-21T12:00:00Z --user bo -o json --limit 50",
		"--at 2036-11-21T12:00:00Z --user bo --schedule always",
		"--at 2036-11-21T12:00:00Z --user bo --schedule office", // never
		"--at 2036-11-21T12:00:00Z --schedule nowhere",
	} {
		ask := func(where ...string) (string, int) {
			var stdout, stderr bytes.Buffer
			code := run(context.Background(), append(append([]string{"oncall", "next"}, strings.Fields(args)...), where...), &stdout, &stderr)
			return stdout.String(), code
		}
		got, code := ask("--url", m.url)
		want, wantCode := ask("--config.file", m.file)
		if got != want || code != wantCode {
			t.Errorf("%s: the server says, with %d,\n%s\nthe file, with %d,\n%s", args, code, got, wantCode, want)
		}
	}
}

func TestFirstChange(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	in := func(h int) time.Time { return at.Add(time.Duration(h) * time.Hour) }
	shift := func(from, to int, users ...string) oncall.Shift {
		return oncall.Shift{Start: in(from), End: in(to), Users: users}
	}
	for _, c := range []struct {
		what      string
		shifts    []oncall.Shift
		now, then []string
		change    time.Time
	}{
		{"nobody, ever", nil, []string{}, []string{}, time.Time{}},
		{"nobody, then somebody", []oncall.Shift{shift(3, 10, "ana")}, []string{}, []string{"ana"}, in(3)},
		{"one after another", []oncall.Shift{shift(0, 3, "ana"), shift(3, 10, "bo")}, []string{"ana"}, []string{"bo"}, in(3)},
		{"a gap", []oncall.Shift{shift(0, 3, "ana"), shift(5, 10, "bo")}, []string{"ana"}, []string{}, in(3)},
		{"a gap that lasts", []oncall.Shift{shift(0, 3, "ana")}, []string{"ana"}, []string{}, in(3)},
		{"no change", []oncall.Shift{shift(0, 10, "ana")}, []string{"ana"}, []string{"ana"}, time.Time{}},
	} {
		now, change, then := firstChange(c.shifts, at, in(10))
		if !reflect.DeepEqual(now, c.now) || !change.Equal(c.change) || !reflect.DeepEqual(then, c.then) {
			t.Errorf("%s: got %v, %v at %v", c.what, now, then, change)
		}
	}
}

func TestATurnGoesOnWhoeverElseComes(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	in := func(h int) time.Time { return at.Add(time.Duration(h) * time.Hour) }
	got := turnsIn([]oncall.Shift{
		{Start: in(0), End: in(2), Users: []string{"ana"}},
		{Start: in(2), End: in(3), Users: []string{"ana", "bo"}},
		{Start: in(3), End: in(4), Users: []string{"bo"}},
		{Start: in(4), End: in(5), Users: []string{"ana"}},
		{Start: in(6), End: in(7), Users: []string{"ana"}},
	}, "db", "ana", at)
	want := []turnLine{{"db", "ana", in(0), in(3), true}, {"db", "ana", in(4), in(5), false}, {"db", "ana", in(6), in(7), false}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
