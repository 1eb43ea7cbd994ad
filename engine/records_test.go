package engine

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/heartbeat"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
)

var update = flag.Bool("update", false, "write those records in testdata that are not there yet; what is there is never written again")

// samples are one full value of every stored kind, as today's midwatch has it in memory after reading any version.
func samples() map[string]any {
	at := func(minute int) time.Time { return night.Add(time.Duration(minute) * time.Minute) }
	alert := &router.Alert{Labels: set("alertname", "Lag", "host", "a"), StartsAt: at(0), EndsAt: at(9)}
	page := escalation.Page{
		Incident: "INC-7", Severity: "sev2", Status: escalation.Triggered, High: true, Sent: 2, AckedBy: []string{"cy"},
		Policy: escalation.Policy{
			Name: "db", Repeat: 3, RepeatFrom: 1, AckTimeout: map[string]time.Duration{"sev2": time.Hour},
			Steps: []escalation.Step{
				{Notify: []escalation.Target{{User: "ana"}, {Schedule: "weekly"}}, EscalateAfter: 5 * time.Minute, RequireAcks: 2},
				{Notify: []escalation.Target{{Receiver: "channel"}}, EscalateAfter: 10 * time.Minute, Assign: escalation.AssignRoundRobin},
			},
		},
		Paging: escalation.Paging{CatchAll: escalation.Target{User: "cto"}, CatchAllEvery: 4 * time.Hour},
		Ladder: escalation.Ladder{Step: 1, Cycle: 1, Walk: 1, Next: at(6), Why: "no acknowledgement of step 1 in 5m", Need: 2, Asked: []string{"ana", "cy"}},
		Runs: []escalation.Run{{
			User: "ana", Event: escalation.KindPage, Origin: escalation.FromStep, Target: escalation.Target{User: "ana"}, Walk: 1, Step: 1, Cycle: 1, Reason: "step 1 of policy db began",
			Messages: []escalation.Message{{Via: "chat", Due: at(1), Done: escalation.InFlight, Key: "INC-7/1.1/ana.chat/1"}, {Via: "phone", After: 2 * time.Minute, Due: at(3)}},
		}},
		Told: []escalation.Contact{{User: "ana", Via: "chat"}},
	}
	group := &GroupMessage{notify: router.Notify{
		Ref: "0a1b-1", Group: "5f", RouteID: "{}/{team=\"db\"}/0", GroupLabels: set("alertname", "Lag"), Reason: router.First,
		At: at(1), Deadline: at(6), RepeatInterval: 4 * time.Hour, Alerts: []*router.Alert{alert},
		Entry: router.LogEntry{
			LogKey: router.LogKey{GroupKey: `{}:{alertname="Lag"}`, Receiver: "plain", Integration: "board", Index: 1},
			Firing: []uint64{3}, Resolved: []uint64{5, 8}, State: map[string]string{"ts": "1.5"},
		},
	}}
	return map[string]any{
		"format":  1,
		"alive":   at(7),
		"turn":    12,
		"current": current{Generation: 3, From: 41, Bytes: 9000},
		"member":  []uint64{1, 1 << 63},
		"group": router.Group{
			ID: "5f", RouteID: "{}/{team=\"db\"}/0", Key: `{}:{alertname="Lag"}`, Receiver: "db", Labels: set("alertname", "Lag"),
			Anchor: at(1), Interval: 5 * time.Minute, Cleared: at(0),
		},
		"incident": fullIncident(),
		"ladder":   ladderRecord{Ladder: page, Told: map[string]Notice{"ana/chat": {User: "ana", Via: "chat", Page: "INC-7/1.1/ana.chat/1"}}, Moved: -time.Hour},
		"delivery": fullDelivery(group, &DutyNote{
			Schedule: "weekly", Start: at(60), End: at(120), With: []string{"bo"}, More: 2, Why: "bo replaces ana", By: "cy",
			Changes: []DutyChange{{Schedule: "weekly", Start: at(60), End: at(90), On: true}},
		}),
		"event": incident.Event{
			Seq: 9, At: at(4), Kind: incident.Paged, Incident: "INC-7", Incidents: []string{"INC-7", "INC-8"}, User: "ana", Via: "chat", Receiver: "channel",
			By: "bo", Policy: "db", Step: 2, Cycle: 1, Severity: "sev2", Text: "well", Reason: "because", OnCall: "on call in weekly (base)", Key: "INC-7/2.1/ana.chat/3",
		},
		"attempt": fullAttempt(),
		"silence": router.Silence{
			ID:        "6f2b1c1e-52a5-4d6e-8f7e-1a2b3c4d5e6f",
			Matchers:  []router.MatcherSet{{{Name: "service", Type: labels.MatchEqual, Value: "db"}, {Name: "host", Type: labels.MatchNotRegexp, Value: "a|b"}}, {{Name: "x", Type: labels.MatchRegexp, Value: ".+"}}},
			Receivers: []router.MatcherSet{{{Name: "team", Type: labels.MatchNotEqual, Value: "x"}}},
			StartsAt:  at(1), EndsAt: at(60), UpdatedAt: at(1), ExpiresAt: at(7260), CreatedBy: "ana", Comment: "deploy <3", Annotations: map[string]string{"ticket": "T-1"},
		},
		"plan": Plan{
			Name: "weekly", Matchers: []router.MatcherSet{{{Name: "service", Type: labels.MatchEqual, Value: "batch"}}}, Cron: "0 22 * * SUN", For: 2 * time.Hour, TimeZone: "Europe/Lisbon",
			Comment: "reindex", CreatedBy: "ana", ExpireWhenResolved: true,
		},
		"override": oncall.Override{
			ID: "o1", Kind: oncall.Replace, User: "ana", With: "bo", Layer: "base", Start: at(0), End: at(60),
			CreatedBy: "cy", CreatedAt: at(-5), Swap: "SWAP-3",
		},
		"number":  uint64(17),
		"absence": oncall.Absence{ID: "ana-3", User: "ana", Start: at(0), End: at(60), Reason: "dentist <3", CreatedBy: "bo", CreatedAt: at(-5)},
		"swap": Swap{
			Number: 3, Schedule: "weekly", User: "ana", With: "bo", From: at(0), To: at(60), ForFrom: at(120), ForTo: at(240),
			Gives: []oncall.Stretch{{Start: at(10), End: at(20)}, {Start: at(30), End: at(60)}}, Takes: []oncall.Stretch{{Start: at(120), End: at(180)}},
			State: SwapAccepted, CreatedBy: "cy", CreatedAt: at(-5), ClosedBy: "bo", ClosedAt: at(-4), Overrides: []string{"weekly-1", "weekly-2"},
		},
		"slo":        accountRecord{SLO: "checkout", By: `{cluster="eu"}`, Labels: map[string]string{"cluster": "eu"}, Budget: slo.Budget{Seen: at(1), Next: at(2), Crossed: []string{"half-gone"}}, Fires: []string{"00000000000000ff"}},
		"correction": Correction{Number: 1, SLO: "checkout", From: at(0), To: at(9), Reason: "disks", CreatedBy: "ana", CreatedAt: at(1), Gone: true},
		"memo":       `{"service":"slack"}`,
		"heartbeat": heartbeatRecord{
			Beat: heartbeat.Heartbeat{
				Name: "backup", Every: 24 * time.Hour, Grace: time.Hour, Patient: true, State: heartbeat.Late, Since: at(3), Last: at(1), From: at(2),
				Failure: "exit status <1>", Excused: 2,
			},
			Source: "ping", Brief: "failed: exit status <1>", Reason: "it said that it failed: exit status <1>", Blind: true,
		},
		"past": pastRecord{Count: 2, Last: at(9), Body: packPast([]PastAlert{
			{Labels: set("alertname", "Lag", "host", "a"), StartsAt: at(0), EndsAt: at(9)}, {Labels: set("alertname", "Lag", "host", "b"), StartsAt: at(1), EndsAt: at(2)},
		})},
		"feed":  CalendarFeed{Number: 2, User: "ana", Schedule: "weekly", Hash: "00ff", Alarm: time.Hour, CreatedBy: "bo", CreatedAt: at(1)},
		"watch": Watch{At: at(0), Users: []string{"ana", "bo"}, Layers: []string{"base", "override"}, Declared: true, Gone: true},
		"bill": bill{
			First: 3, Last: 7, Now: Watch{At: at(0), Users: []string{"ana"}, Layers: []string{"base"}},
			Planned: []Watch{{At: at(60), Declared: true}, {At: at(70), Users: []string{"bo"}, Layers: []string{"base"}}}, Until: at(5000),
			Told: map[string]time.Time{"ana now": at(0), "bo 1h0m0s": at(60)},
		},
	}
}

func fullIncident() incident.Incident {
	i := firstIncident()
	i.Identity.Heartbeat = "backup"
	return i
}

// firstIncident is what version 1 had.
func firstIncident() incident.Incident {
	at := func(minute int) time.Time { return night.Add(time.Duration(minute) * time.Minute) }
	return incident.Incident{
		Number: 7, Identity: incident.Identity{Receiver: "db", GroupKey: `{}:{alertname="Lag"}`, Alert: "00000000000000ff"},
		Title: "replication lag <3>", Severity: "sev2", Status: incident.Resolved, Policy: "db",
		Labels: map[string]string{"alertname": "Lag"}, Annotations: map[string]string{"runbook_url": "https://r.example/?a=1&b=2"},
		AutoResolve: true, OpenedAt: at(1), AckedAt: at(2), AckedBy: "ana", ResolvedAt: at(3), ResolvedBy: "bo", ReopenedAt: at(2), Flapping: true,
		Firing: true, Held: true,
	}
}

func fullAttempt() Attempt {
	a := firstAttempt()
	a.Incidents = []string{"INC-7", "INC-8"}
	return a
}

// firstAttempt is what version 1 had.
func firstAttempt() Attempt {
	at := func(minute int) time.Time { return night.Add(time.Duration(minute) * time.Minute) }
	return Attempt{
		At: at(4), Key: "INC-7/2.1/ana.chat/3", Event: deliverPage, Incident: "INC-7", User: "ana", Receiver: "channel", Via: "chat", Attempt: 2,
		Outcome: "retry", Answer: "503 Service Unavailable", LatencyMS: 12.5, NextAt: at(5),
	}
}

// fullDelivery has every field set. Its group's alerts are not stored with it.
func fullDelivery(group *GroupMessage, duty *DutyNote) Delivery {
	d := secondDelivery(group, duty)
	d.By = "cy"
	return d
}

// secondDelivery is what version 2 had.
func secondDelivery(group *GroupMessage, duty *DutyNote) Delivery {
	d := firstDelivery(group)
	d.Duty, d.Parts, d.Bundle, d.State = duty, []string{"INC-7/1.1/ana.chat/1"}, "bundle/INC-7/1.1/ana.chat/1", map[string]string{"receipt": "r1"}
	return d
}

// firstDelivery is what version 1 had.
func firstDelivery(group *GroupMessage) Delivery {
	at := func(minute int) time.Time { return night.Add(time.Duration(minute) * time.Minute) }
	return Delivery{
		Key: "INC-7/2.1/channel/3/board/1", Event: deliverPage, Incident: 7, Incidents: []string{"INC-7", "INC-8"}, User: "ana", Via: "chat",
		Receiver: "channel", Integration: "board", Index: 1, Parent: "INC-7/2.1/channel/3", Policy: "db", Rung: 2, Cycle: 1, Reason: "no acknowledgement of step 1 in 5m", OnCall: "on call in weekly (base)",
		Group: group, Created: at(1), GiveUp: at(31), Next: at(2), Attempts: 2, Withdrawn: true, Reached: true,
	}
}

// earlierSamples are those of versions that had less to say, by kind and version.
func earlierSamples() map[string]map[int]any {
	today := samples()["delivery"].(Delivery)
	return map[string]map[int]any{
		"attempt":  {1: firstAttempt()},
		"incident": {1: firstIncident()},
		"delivery": {1: firstDelivery(today.Group), 2: secondDelivery(today.Group, today.Duty)},
		"override": {1: oncall.Override{ID: "o1", Kind: oncall.Replace, User: "ana", With: "bo", Layer: "base", Start: night, End: night.Add(time.Hour)}},
	}
}

// TestEveryFieldOfOldRecordsIsRead reads a full record of every kind and of every version that there ever was. The files
// of a version are written once, when it is new; if this test fails, write an upgrade, not the file.
func TestEveryFieldOfOldRecordsIsRead(t *testing.T) {
	want := samples()
	for kind := range upgrades {
		if _, ok := want[kind]; !ok {
			t.Errorf("there is no sample of a %s", kind)
		}
	}
	if *update {
		for kind, sample := range want {
			keep(t, fmt.Sprintf("testdata/records/v%d/full/%s.json", len(upgrades[kind])+1, kind), encode(kind, sample))
		}
	}
	for kind, sample := range want {
		files, err := filepath.Glob("testdata/records/v*/full/" + kind + ".json")
		if err != nil || len(files) != len(upgrades[kind])+1 {
			t.Errorf("%s has %d versions, and there are the records %v", kind, len(upgrades[kind])+1, files)
		}
		today := sample
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var e envelope
			if err := json.Unmarshal(data, &e); err != nil {
				t.Fatal(err)
			}
			sample := today
			if less, ok := earlierSamples()[kind][e.Version]; ok {
				sample = less
			}
			got := reflect.New(reflect.TypeOf(sample))
			if err := decode(kind, data, got.Interface()); err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if kind == "delivery" {
				// The alerts of its group come from the table.
				lag := sample.(Delivery).Group.notify.Alerts[0]
				got.Interface().(*Delivery).Group.revive(func(fp uint64) *router.Alert {
					if fp != lag.Fingerprint() {
						t.Errorf("%s speaks of alert %x", file, fp)
					}
					return lag
				})
			}
			if !bytes.Equal(encode(kind, got.Elem().Interface()), encode(kind, sample)) {
				t.Errorf("%s is read as\n%s\nwant\n%s", file, encode(kind, got.Elem().Interface()), encode(kind, sample))
			}
			if kind != "delivery" && !reflect.DeepEqual(got.Elem().Interface(), sample) {
				t.Errorf("%s is read as\n%+v\nwant\n%+v", file, got.Elem().Interface(), sample)
			}
		}
	}
}

func keep(t *testing.T, file string, data []byte) {
	t.Helper()
	if _, err := os.Stat(file); err == nil {
		return
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestUpgradesRunOneAfterTheOther(t *testing.T) {
	old := upgrades["turn"]
	defer func() { upgrades["turn"] = old }()
	double := func(v json.RawMessage) (json.RawMessage, error) {
		var n int
		err := json.Unmarshal(v, &n)
		return json.RawMessage(fmt.Sprint(2*n + 1)), err
	}
	upgrades["turn"] = append(upgrades["turn"], double, double)
	for version, want := range map[int]int{1: 23, 2: 11, 3: 5} {
		var n int
		if err := decode("turn", fmt.Appendf(nil, `{"kind":"turn","version":%d,"value":5}`, version), &n); err != nil || n != want {
			t.Errorf("version %d is read as %d, %v, want %d", version, n, err, want)
		}
	}
	if got := string(encode("turn", 5)); got != `{"kind":"turn","version":3,"value":5}` {
		t.Errorf("written as %s", got)
	}
}

func TestKeysStayInOrderAndInBounds(t *testing.T) {
	keys := []string{memberKey(9, 255), memberKey(9, 256), memberKey(10, 1), timelineKey(99, 1), timelineKey(100, 0)}
	if !slices.IsSorted(keys) {
		t.Errorf("%v", keys)
	}
	long := strings.Repeat("ö", 400)
	a, b := deliveryKey("INC-1/"+long+"/1"), deliveryKey("INC-1/"+long+"/2")
	if a == b || len(a) > 700 || owner(a) != 1 {
		t.Errorf("long names become %q and %q, of INC-%d", a, b, owner(a))
	}
	if seq, n, err := parseEventKey(eventKey(1<<40, 12)); seq != 1<<40 || n != 12 || err != nil {
		t.Errorf("%d, %d, %v", seq, n, err)
	}
	for _, bad := range []string{"event/", "event/1", "event/x/1", "event/1/x"} {
		if _, _, err := parseEventKey(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// TestARecordIsReadHoweverItIsWritten: as we write it, it is read where it stands; others may write it with blanks, and with
// its members in another order.
func TestARecordIsReadHoweverItIsWritten(t *testing.T) {
	for _, text := range []string{
		`{"kind":"correction","version":1,"value":{"number":7,"slo":"checkout","reason":"}"}}`,
		`{"kind": "correction", "version": 1, "value": {"number": 7, "slo": "checkout", "reason": "}"}}` + "\n",
		`{"value":{"reason":"}","number":7,"slo":"checkout"},"version":1,"kind":"correction"}`,
	} {
		var k Correction
		if err := decode("correction", []byte(text), &k); err != nil || k.Number != 7 || k.SLO != "checkout" || k.Reason != "}" {
			t.Errorf("%s: %+v, %v", text, k, err)
		}
	}
	for text, want := range map[string]string{
		`{"kind":"correction","version":1,"value":{"number":7}`:           "cannot be read",
		`{"kind":"correction","version":1,"value":{"number":"7"}}`:        "cannot be read",
		`{"kind":"correction","version":1,"value":}`:                      "cannot be read",
		`{"kind":"correction","version":2,"value":{"number":7}}`:          "newer than this midwatch knows",
		`{"kind":"slo","version":1,"value":{"number":7}}`:                 "a slo is stored where a correction belongs",
		`{"kind":"correction","version":1,"value":{"number":7}}{"a":"b"}`: "cannot be read",
	} {
		var k Correction
		if err := decode("correction", []byte(text), &k); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
