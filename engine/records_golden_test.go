package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/heartbeat"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
)

// stored has a value of every kind, as the engine stores it.
func storedKinds() map[string]any {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	lag := &router.Alert{Labels: router.Labels{{Name: "alertname", Value: "Lag"}}, StartsAt: at, EndsAt: at.Add(time.Minute), UpdatedAt: at}
	ladder, _ := escalation.Open(escalation.Begin{
		Incident: "INC-1", Severity: "sev2",
		Policy: escalation.Policy{Name: "db", Steps: []escalation.Step{{Notify: []escalation.Target{{User: "ana"}}, EscalateAfter: 5 * time.Minute}}},
		Paging: escalation.Paging{CatchAll: escalation.Target{User: "cto"}, CatchAllEvery: 4 * time.Hour},
	}, at, nil)
	opened, _ := incident.Incident{}.Step(incident.Begun{
		Number: 1, Identity: incident.Identity{Receiver: "oncall", GroupKey: `{}:{alertname="Lag"}`}, Title: "Lag", Severity: "sev2",
		Policy: "db", Labels: map[string]string{"alertname": "Lag"}, AutoResolve: true, Reason: "1 alert fires",
	}, at)
	return map[string]any{
		"group": router.Group{
			ID: "0123", RouteID: "{}", Key: `{}:{alertname="Lag"}`, Receiver: "oncall", Labels: lag.Labels,
			Anchor: at.Add(30 * time.Second), Interval: 5 * time.Minute,
		},
		"incident": opened,
		"ladder":   ladderRecord{Ladder: ladder, Told: map[string]Notice{"ana/chat": {User: "ana", Via: "chat", Page: "INC-1/1.1/ana.chat/1"}}},
		"member":   []uint64{lag.Fingerprint(), 1 << 63},
		"delivery": Delivery{
			Key: "ref", Event: deliverGroup, Receiver: "db", Integration: "slack", Index: 1, Created: at, GiveUp: at.Add(time.Minute), Attempts: 1, Next: at.Add(time.Second),
			Group: newGroupMessage(router.Notify{
				Ref: "ref", Group: "0123", RouteID: "{}", Reason: "first notification", At: at, Deadline: at.Add(time.Minute), RepeatInterval: time.Hour, Alerts: []*router.Alert{lag},
				Entry: router.LogEntry{LogKey: router.LogKey{GroupKey: "k", Receiver: "db", Integration: "slack", Index: 1}, Firing: []uint64{7}},
			}),
		},
		"event":    incident.Event{Seq: 3, At: at, Kind: incident.Paged, Incident: "INC-1", User: "ana", Via: "chat", Policy: "db", Step: 1, Cycle: 1, Reason: "step 1 of policy db began", Key: "INC-1/1.1/ana.chat/1"},
		"attempt":  Attempt{At: at, Key: "INC-1/1.1/ana.chat/1", Event: deliverPage, Incident: "INC-1", User: "ana", Via: "chat", Attempt: 1, Outcome: "delivered", Answer: "200 OK", LatencyMS: 12.5},
		"turn":     7,
		"override": oncall.Override{ID: "o1", Kind: oncall.Take, User: "cy", Start: at, End: at.Add(time.Hour)},
		"silence": router.Silence{
			ID: "6f2b1c1e-52a5-4d6e-8f7e-1a2b3c4d5e6f", Matchers: []router.MatcherSet{{{Name: "service", Value: "db"}}},
			StartsAt: at, EndsAt: at.Add(time.Hour), UpdatedAt: at, ExpiresAt: at.Add(121 * time.Hour), CreatedBy: "ana", Comment: "deploy",
		},
		"plan":    Plan{Name: "weekly", Matchers: []router.MatcherSet{{{Name: "service", Value: "db"}}}, Cron: "0 22 * * SUN", For: 2 * time.Hour, TimeZone: "Europe/Lisbon"},
		"number":  uint64(17),
		"absence": oncall.Absence{ID: "ana-3", User: "ana", Start: at, End: at.Add(time.Hour), Reason: "dentist", CreatedBy: "ana", CreatedAt: at},
		"swap": Swap{
			Number: 1, Schedule: "weekly", User: "ana", With: "bo", From: at, To: at.Add(time.Hour), Gives: []oncall.Stretch{{Start: at, End: at.Add(time.Hour)}},
			State: SwapOpen, CreatedBy: "ana", CreatedAt: at,
		},
		"slo":        accountRecord{SLO: "checkout", By: "{}", Budget: slo.Budget{Seen: at}, Fires: []string{"00000000000000ff"}},
		"correction": Correction{Number: 1, SLO: "checkout", From: at, To: at.Add(time.Hour), Reason: "disks", CreatedBy: "ana", CreatedAt: at},
		"memo":       "42",
		"heartbeat": heartbeatRecord{
			Beat:   heartbeat.Heartbeat{Name: "prom", Every: time.Minute, Grace: 2 * time.Minute, State: heartbeat.Fine, Since: at, Last: at, From: at},
			Source: `[alertname="Watchdog"]`,
		},
		"past":    pastRecord{Count: 1, Last: at.Add(time.Minute), Body: packPast([]PastAlert{{Labels: lag.Labels, StartsAt: lag.StartsAt, EndsAt: lag.EndsAt}})},
		"feed":    CalendarFeed{Number: 1, User: "ana", Hash: "00ff", CreatedBy: "ana", CreatedAt: at},
		"watch":   Watch{At: at, Users: []string{"ana"}, Layers: []string{"base"}},
		"bill":    bill{First: 1, Last: 2, Now: Watch{At: at, Users: []string{"ana"}, Layers: []string{"base"}}, Planned: []Watch{{At: at.Add(time.Hour), Declared: true}}, Until: at.Add(48 * time.Hour)},
		"format":  layout,
		"alive":   at,
		"current": current{Generation: 2, From: 40, Bytes: 1000},
	}
}

// The records below testdata/records were written when their form was new. They must be readable for ever: when the form
// of a kind changes, it gets an upgrade and a folder of its own, and these files stay as they are.
func TestOldRecordsStayReadable(t *testing.T) {
	for kind := range upgrades {
		value, ok := storedKinds()[kind]
		if !ok {
			t.Errorf("no golden record of kind %q", kind)
			continue
		}
		name := filepath.Join("testdata", "records", "v1", kind+".json")
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, append(encode(kind, value), '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		old, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		back := reflect.New(reflect.TypeOf(value))
		if err := decode(kind, bytes.TrimSpace(old), back.Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := again(t, kind, back), encode(kind, value); !bytes.Equal(got, want) {
			t.Errorf("%s was read as\n%s\nwant\n%s", name, got, want)
		}
	}
}

// again stores what was read, with what only revive can bring back taken from the record itself.
func again(t *testing.T, kind string, back reflect.Value) []byte {
	t.Helper()
	if d, ok := back.Interface().(*Delivery); ok && d.Group != nil {
		d.Group.revive(func(fp uint64) *router.Alert {
			a := &router.Alert{Labels: router.Labels{{Name: "alertname", Value: "Lag"}}, EndsAt: time.Date(2026, 11, 22, 3, 1, 0, 0, time.UTC)}
			if a.Fingerprint() != fp {
				return nil
			}
			return a
		})
	}
	return encode(kind, back.Elem().Interface())
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	for _, c := range []struct{ what, record, want string }{
		{"of the future", `{"kind":"turn","version":9,"value":1}`, "newer than this midwatch knows (1); start the newer one again"},
		{"of another kind", `{"kind":"event","version":1,"value":{}}`, "a event is stored where a turn belongs"},
		{"of no version", `{"kind":"turn","value":1}`, "version 0"},
		{"cut off", `{"kind":"turn","ver`, "cannot be read"},
		{"with another value", `{"kind":"turn","version":1,"value":"x"}`, "cannot be read"},
	} {
		var n int
		if err := decode("turn", []byte(c.record), &n); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("a record %s: %v, want %q in it", c.what, err, c.want)
		}
	}
}

// TestJournalRecords reads records of alerts in every form there was. That of version 3 is how one is written today.
func TestJournalRecords(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	var alerts []*router.Alert
	for _, name := range []string{"A", "B", "C"} {
		alerts = append(alerts, &router.Alert{Labels: router.Labels{{Name: "alertname", Value: name}}, StartsAt: at, EndsAt: at.Add(time.Minute), UpdatedAt: at})
	}
	record, rest := appendAlerts(nil, alerts)
	if len(rest) != 0 {
		t.Fatalf("%d alerts did not fit", len(rest))
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(filepath.Join("testdata", "records", "v3", "journal.bin"), record, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, version := range []string{"v1", "v3"} {
		old, err := os.ReadFile(filepath.Join("testdata", "records", version, "journal.bin"))
		if err != nil {
			t.Fatal(err)
		}
		back, err := readAlerts(old)
		if err != nil || len(back) != 3 {
			t.Fatalf("%s: read %v (%v)", version, back, err)
		}
		for i, a := range alerts {
			if !reflect.DeepEqual(back[i], a) {
				t.Errorf("%s: read %+v, want %+v", version, back[i], a)
			}
		}
		if version == "v3" && !bytes.Equal(old, record) {
			t.Errorf("it is written as %x, and was as %x: a new form gets a new number", record, old)
		}
	}
	if _, err := readAlerts(append([]byte{journalFormat + 1}, record[1:]...)); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("a record of the future: %v", err)
	}
	for n := range record {
		if got, err := readAlerts(record[:n]); err == nil && len(got) >= 3 {
			t.Errorf("a record cut at %d of %d was read whole", n, len(record))
		}
	}
}

// FuzzStoredRecords reads what is no record of any kind, and what may be one: nothing may panic, and what is read is
// stored and read again as the same.
func FuzzStoredRecords(f *testing.F) {
	for kind, value := range storedKinds() {
		f.Add(kind, encode(kind, value))
	}
	f.Add("turn", []byte(`{"kind":"turn","version":-1,"value":null}`))
	f.Fuzz(func(t *testing.T, kind string, record []byte) {
		value, ok := storedKinds()[kind]
		if !ok {
			return
		}
		back := reflect.New(reflect.TypeOf(value))
		if decode(kind, record, back.Interface()) != nil || kind == "delivery" {
			return // a delivery's alerts come back with revive only
		}
		once := encode(kind, back.Elem().Interface())
		twice := reflect.New(reflect.TypeOf(value))
		if err := decode(kind, once, twice.Interface()); err != nil {
			t.Fatalf("what was stored cannot be read: %v", err)
		}
		if got := encode(kind, twice.Elem().Interface()); !bytes.Equal(got, once) {
			t.Errorf("%s\nwas stored again as\n%s", once, got)
		}
	})
}

// FuzzJournalRecord does the same for the journal.
func FuzzJournalRecord(f *testing.F) {
	record, _ := appendAlerts(nil, []*router.Alert{{Labels: router.Labels{{Name: "a", Value: "b"}}, StartsAt: time.Unix(1, 0)}})
	f.Add(record)
	f.Add([]byte{journalFormat})
	f.Fuzz(func(t *testing.T, record []byte) {
		alerts, err := readAlerts(record)
		if err != nil {
			return
		}
		once, rest := appendAlerts(nil, alerts)
		if len(rest) > 0 {
			return
		}
		back, err := readAlerts(once)
		if err != nil || len(back) != len(alerts) {
			t.Errorf("%d alerts came back as %d (%v)", len(alerts), len(back), err)
		}
	})
}
