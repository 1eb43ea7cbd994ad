package gossip

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/midwatch/midwatch/router"
)

var night = time.Date(2026, 11, 22, 3, 0, 0, 123456789, time.UTC)

var oneSilence = router.Silence{
	ID:       "5c7e7b3e-0000-4000-8000-000000000001",
	Matchers: []router.MatcherSet{{{Name: "job", Type: labels.MatchRegexp, Value: "db.*"}}},
	StartsAt: night, EndsAt: night.AddDate(100, 0, 0), UpdatedAt: night, ExpiresAt: night.AddDate(101, 0, 0),
	CreatedBy: "ana", Comment: "disk swap", Annotations: map[string]string{router.ExpireWhenResolved: "true"},
}

var oneEntry = router.LogEntry{
	LogKey:    router.LogKey{GroupKey: `{}:{alertname="Down"}`, Receiver: "team", Integration: "slack", Index: 1},
	Timestamp: night, ExpiresAt: night.AddDate(100, 0, 0), Firing: []uint64{1, 2}, Resolved: []uint64{3},
	State: map[string]string{"threadTs": "1700000000.000100", "channelId": "C1"},
}

func TestAlertmanagerGoesOnFromOurFiles(t *testing.T) {
	dir := t.TempDir()
	if err := WriteFiles(dir, []router.Silence{oneSilence}, []router.LogEntry{oneEntry}); err != nil {
		t.Fatal(err)
	}
	silences := upstreamSilences(t, silence.Options{SnapshotFile: filepath.Join(dir, "silences")})
	got, err := silences.QueryOne(t.Context(), silence.QIDs(oneSilence.ID))
	if err != nil {
		t.Fatal(err)
	}
	matchers := []*silencepb.Matcher{{Type: silencepb.Matcher_REGEXP, Name: "job", Pattern: "db.*"}}
	equal(t, got.String(), (&silencepb.Silence{
		Id: oneSilence.ID, MatcherSets: []*silencepb.MatcherSet{{Matchers: matchers}},
		StartsAt: timestamppb.New(oneSilence.StartsAt), EndsAt: timestamppb.New(oneSilence.EndsAt), UpdatedAt: timestamppb.New(oneSilence.UpdatedAt),
		CreatedBy: "ana", Comment: "disk swap", Annotations: map[string]string{"expire_when_resolved": "true"},
	}).String())

	log := upstreamLog(t, nflog.Options{SnapshotFile: filepath.Join(dir, "nflog")})
	e := upstreamEntry(log, oneEntry.LogKey)
	if e == nil {
		t.Fatal("Alertmanager does not find the entry")
	}
	equal(t, e.FiringAlerts, []uint64{1, 2})
	equal(t, e.ResolvedAlerts, []uint64{3})
	thread, _ := nflog.NewStore(e).GetStr("threadTs")
	equal(t, thread, "1700000000.000100")
}

func TestWeGoOnFromAlertmanagersFiles(t *testing.T) {
	dir := t.TempDir()
	silences := upstreamSilences(t, silence.Options{Retention: time.Hour})
	made := &silencepb.Silence{
		MatcherSets: []*silencepb.MatcherSet{{Matchers: []*silencepb.Matcher{{Type: silencepb.Matcher_NOT_EQUAL, Name: "job", Pattern: "db"}}}},
		EndsAt:      timestamppb.New(oneSilence.EndsAt), CreatedBy: "bo", Comment: "upgrade",
	}
	if err := silences.Set(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	log := upstreamLog(t, nflog.Options{Retention: time.Hour})
	store := nflog.NewStore(nil)
	store.SetStr("threadTs", "1700000000.000100")
	if err := log.Log(wireKey(oneEntry.LogKey), oneEntry.GroupKey, []uint64{2, 1}, nil, store, 0); err != nil {
		t.Fatal(err)
	}
	snapshot(t, filepath.Join(dir, "silences"), silences.Snapshot)
	snapshot(t, filepath.Join(dir, "nflog"), log.Snapshot)

	gotSilences, gotLog, err := ReadFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, gotSilences, []router.Silence{{
		ID: made.Id, CreatedBy: "bo", Comment: "upgrade",
		Matchers: []router.MatcherSet{{{Name: "job", Type: labels.MatchNotEqual, Value: "db"}}},
		StartsAt: made.StartsAt.AsTime(), EndsAt: oneSilence.EndsAt, UpdatedAt: made.UpdatedAt.AsTime(),
		ExpiresAt: oneSilence.EndsAt.Add(time.Hour),
	}})
	logged := upstreamEntry(log, oneEntry.LogKey).Timestamp.AsTime()
	equal(t, gotLog, []router.LogEntry{{
		LogKey: oneEntry.LogKey, Timestamp: logged, ExpiresAt: logged.Add(time.Hour), Firing: []uint64{2, 1},
		State: map[string]string{"threadTs": "1700000000.000100"},
	}})
}

func TestNoFilesAreNoError(t *testing.T) {
	silences, log, err := ReadFiles(t.TempDir())
	if len(silences)+len(log) != 0 || err != nil {
		t.Errorf("got %v, %v, %v", silences, log, err)
	}
}

func TestADamagedFileGivesWhatItHas(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "silences"), append(silenceBytes(t, []router.Silence{oneSilence}), "\x05cut"...))
	put(t, filepath.Join(dir, "nflog"), logBytes(t, []router.LogEntry{oneEntry}))

	silences, log, err := ReadFiles(dir)
	equal(t, silences, []router.Silence{oneSilence})
	equal(t, log, []router.LogEntry{oneEntry})
	faultIs(t, err, filepath.Join(dir, "silences")+": record 2: it ends too soon: unexpected EOF; what follows it is lost")
}

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "silences"), []byte("old"))
	if err := os.Mkdir(filepath.Join(dir, "silences.new"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := WriteFiles(dir, []router.Silence{oneSilence}, []router.LogEntry{oneEntry})
	faultIs(t, err, "silences.new")
	equal(t, string(get(t, filepath.Join(dir, "silences"))), "old")
	equal(t, get(t, filepath.Join(dir, "nflog")), logBytes(t, []router.LogEntry{oneEntry})) // the other is none the worse

	if err := os.Remove(filepath.Join(dir, "silences.new")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "silences.new"), bytes.Repeat([]byte("what a crash left "), 1000))
	if err := WriteFiles(dir, []router.Silence{oneSilence}, nil); err != nil {
		t.Fatal(err)
	}
	equal(t, get(t, filepath.Join(dir, "silences")), silenceBytes(t, []router.Silence{oneSilence}))
	equal(t, names(t, dir), []string{"nflog", "silences"})
}

func TestAFileWithoutWhatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	err := WriteFiles(dir, []router.Silence{{ID: "\xff"}, oneSilence}, nil)
	faultIs(t, err, filepath.Join(dir, "silences")+": record 1: string field contains invalid UTF-8")
	got, _, err := ReadFiles(dir)
	if err != nil {
		t.Error(err)
	}
	equal(t, got, []router.Silence{oneSilence})
}

func TestAFileThatMayNotBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "nflog"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err := ReadFiles(dir)
	var pathError *os.PathError
	if !errors.As(err, &pathError) {
		t.Errorf("got %v, want one that names the path", err)
	}
}

func snapshot(t *testing.T, name string, write func(io.Writer) (int64, error)) {
	t.Helper()
	var out bytes.Buffer
	if _, err := write(&out); err != nil {
		t.Fatal(err)
	}
	put(t, name, out.Bytes())
}

func put(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
