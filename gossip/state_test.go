package gossip

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/router"
)

// A wall hears what a state says: it stands for package cluster's channel.
type wall struct{ messages [][]byte }

func (w *wall) Broadcast(b []byte) { w.messages = append(w.messages, b) }

func newState(merge func([]router.LogEntry, bool)) (*state[router.LogEntry], *wall, *bytes.Buffer, *prometheus.Registry) {
	heard, logged, registry := &wall{}, &bytes.Buffer{}, prometheus.NewRegistry()
	return &state[router.LogEntry]{
		merge: merge, encode: EncodeLog, decode: DecodeLog,
		channel: heard, passedOn: passedOn(registry, "nflog"), left: &atomic.Bool{},
		logger: slog.New(slog.NewTextHandler(logged, nil)),
	}, heard, logged, registry
}

// counter is the value of the metric, which has no labels.
func counter(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func flood(n int) (all []router.LogEntry) {
	for i := range n {
		e := oneEntry
		e.GroupKey = fmt.Sprintf(`{}:{alertname="Flood %d"}`, i)
		all = append(all, e)
	}
	return all
}

func TestWhatSomeGotGoesOnward(t *testing.T) {
	for entries, onward := range map[int]bool{1: true, 50: false} {
		var got []any
		s, _, _, _ := newState(func(all []router.LogEntry, onward bool) { got = append(got, len(all), onward) })
		message := logBytes(t, flood(entries))
		if err := s.Merge(message); err != nil {
			t.Error(err)
		}
		equal(t, got, []any{entries, onward})
		equal(t, cluster.OversizedMessage(message), !onward)
	}
}

func TestAFewAreToldEachByItself(t *testing.T) {
	s, heard, _, registry := newState(nil)
	s.tell(flood(singles), false)
	equal(t, len(heard.messages), singles)
	for i, message := range heard.messages {
		equal(t, message, logBytes(t, flood(singles)[i:i+1]))
	}
	equal(t, counter(t, registry, "alertmanager_nflog_gossip_messages_propagated_total"), 0)
}

// TestABurstIsToldInFewMessages counts on Alertmanager to take any number of entries from one message.
func TestABurstIsToldInFewMessages(t *testing.T) {
	s, heard, _, registry := newState(nil)
	s.tell(flood(1000), true)
	if n := len(heard.messages); n < 2 || n > 4 {
		t.Errorf("got %d messages of 1000 entries, want two to four", n)
	}
	theirs := upstreamLog(t, nflog.Options{})
	for _, message := range heard.messages {
		if !cluster.OversizedMessage(message) || len(message) > packed+maxRecord {
			t.Errorf("a message of %d bytes", len(message))
		}
		if err := theirs.Merge(message); err != nil {
			t.Error(err)
		}
	}
	for _, e := range flood(1000) {
		if upstreamEntry(theirs, e.LogKey) == nil {
			t.Fatalf("Alertmanager has no %v", e.LogKey)
		}
	}
	equal(t, counter(t, registry, "alertmanager_nflog_gossip_messages_propagated_total"), 1000)
}

// TestDamageFromAPeerIsNoError since package cluster would then drop what else came with it.
func TestDamageFromAPeerIsNoError(t *testing.T) {
	var got []router.LogEntry
	s, _, logged, _ := newState(func(all []router.LogEntry, _ bool) { got = append(got, all...) })
	if err := s.Merge(append(logBytes(t, flood(1)), "\x05cut"...)); err != nil {
		t.Error(err)
	}
	equal(t, got, flood(1))
	if !strings.Contains(logged.String(), "a peer says what cannot be read") || !strings.Contains(logged.String(), "record 2: ") {
		t.Errorf("logged %q", logged)
	}
}

func TestWhatCannotBeWrittenIsLogged(t *testing.T) {
	s, heard, logged, _ := newState(nil)
	all := flood(2)
	all[0].Receiver = "\xff"
	s.tell(all, false)
	equal(t, heard.messages, [][]byte{logBytes(t, all[1:])})
	if !strings.Contains(logged.String(), "peers are not told what cannot be written") {
		t.Errorf("logged %q", logged)
	}
}
