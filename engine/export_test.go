package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

func exported(t *testing.T, key string, value []byte) []Exported {
	t.Helper()
	all, err := Export(store.Item{Key: key, Value: value})
	if err != nil {
		t.Errorf("%s: %v", key, err)
	}
	return all
}

// Whatever was ever stored can be exported, as what it is today.
func TestEveryRecordIsExported(t *testing.T) {
	for kind := range upgrades {
		record, err := os.ReadFile(filepath.Join("testdata", "records", "v1", kind+".json"))
		if err != nil {
			t.Fatal(err)
		}
		all := exported(t, "some/key", record)
		if len(all) != 1 || all[0].Kind != kind || all[0].Key != "some/key" || !slices.Contains(ExportKinds(), kind) {
			t.Errorf("%s is exported as %+v", kind, all)
		}
		if text, err := json.Marshal(all); err != nil || strings.Contains(string(text), `"value":null`) {
			t.Errorf("%s: %s, %v", kind, text, err)
		}
	}
	for _, name := range []string{"v1", "v3"} {
		record, err := os.ReadFile(filepath.Join("testdata", "records", name, "journal.bin"))
		if err != nil {
			t.Fatal(err)
		}
		all := exported(t, prefJournal+"1", record)
		if len(all) == 0 || all[0].Kind != exportAlert && all[0].Kind != exportClock {
			t.Errorf("the journal of %s is exported as %+v", name, all)
		}
	}
}

func TestWhatHasNoEnvelopeIsExported(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	lag := router.Alert{Labels: router.Labels{{Name: "alertname", Value: "Lag"}}, StartsAt: at, EndsAt: at.Add(time.Minute), UpdatedAt: at}
	two := lag
	two.Labels = router.Labels{{Name: "alertname", Value: "Two"}}
	record, _ := appendAlerts(nil, []*router.Alert{&lag, &two})
	entry := router.LogEntry{
		LogKey:    router.LogKey{GroupKey: "{}", Receiver: "db", Integration: "slack", Index: 1},
		Timestamp: at, ExpiresAt: at.Add(time.Hour), Firing: []uint64{255},
	}
	for _, c := range []struct {
		key   string
		value []byte
		want  []string
	}{
		{prefJournal + seqKey(1), record, []string{`"alert".*"Lag"`, `"alert".*"Two"`}},
		{prefSnapshot + "1/1", record, []string{`"alert".*"Lag"`, `"alert".*"Two"`}},
		{prefJournal + seqKey(2), clockRecord(time.Hour), []string{`{"kind":"clock","key":"alert/j/0000000000000002","value":{"set_by":"1h0m0s"}}`}},
		{prefLog + "x", entry.Encode(nil), []string{`"log".*"receiver":"db".*"firing":["00000000000000ff"],"resolved":[]`}},
		{timelineKey(7, 10), []byte{}, []string{`"timeline".*{"incident":"INC-7","event":10}`}},
		{keyStoreName, []byte("00ff"), []string{`{"kind":"id","key":"meta/id","value":"00ff"}`}},
		{prefPast + "1", encode("past", pastRecord{Count: 1, Last: at, Body: packPast([]PastAlert{{Labels: lag.Labels, StartsAt: at, EndsAt: at}})}), []string{`"past".*{"labels":{"alertname":"Lag"},"startsAt":"2026-11-22T03:00:00Z"`}},
		{feedKey(1), encode("feed", CalendarFeed{Number: 1, User: "ana", Hash: "00ff"}), []string{`"feed".*"user":"ana","hash":"\u003csecret\u003e"`}},
	} {
		var got []string
		for _, e := range exported(t, c.key, c.value) {
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(text))
		}
		if !slices.EqualFunc(got, c.want, inOrder) {
			t.Errorf("%s is exported as\n%s\nwant\n%s", c.key, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// inOrder reports whether a text has the parts of a pattern, between its ".*", one after the other.
func inOrder(text, pattern string) bool {
	for part := range strings.SplitSeq(pattern, ".*") {
		_, rest, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = rest
	}
	return true
}

func TestWhatCannotBeExportedIsTold(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	lag := router.Alert{Labels: router.Labels{{Name: "alertname", Value: "Lag"}}, StartsAt: at, UpdatedAt: at}
	record, _ := appendAlerts(nil, []*router.Alert{&lag})
	for _, c := range []struct {
		key, value, want string
		read             int // what could be read all the same
	}{
		{"event/1", `{"kind":"event","ver`, "no form that this midwatch knows", 0},
		{"event/1", `{"kind":"evening","version":1,"value":1}`, `a "evening" is nothing that this midwatch knows`, 0},
		{"event/1", `{"kind":"event","version":99,"value":1}`, "newer than this midwatch knows", 0},
		{prefJournal + "1", "", "cannot be read", 0},
		{prefJournal + "1", string(record) + "\xff", "", 1},
		{prefLog + "1", "\x01", "stored log entry", 0},
		{prefTimeline + "x/1", "", "its key names no incident", 0},
		{prefTimeline + "1/x", "", "its key names no event", 0},
	} {
		all, err := Export(store.Item{Key: c.key, Value: []byte(c.value)})
		if err == nil || !strings.Contains(err.Error(), c.want) || len(all) != c.read {
			t.Errorf("%s %q: %v, %v; want %q", c.key, c.value, all, err, c.want)
		}
	}
}

// A new kind with something secret in it must not be exported by default: whoever adds a member with such a name comes by here.
func TestNoSecretIsExported(t *testing.T) {
	for kind, value := range storedKinds() {
		if kind == "feed" {
			continue
		}
		typ := reflect.TypeOf(value)
		if typ.Kind() != reflect.Struct {
			continue
		}
		for i := range typ.NumField() {
			name := strings.ToLower(typ.Field(i).Name)
			for _, word := range []string{"secret", "hash", "token", "password", "auth"} {
				if strings.Contains(name, word) {
					t.Errorf("%s.%s is exported as it is", kind, typ.Field(i).Name)
				}
			}
		}
	}
}
