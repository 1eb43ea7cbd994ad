package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// An Exported is one thing that the store holds, for whoever reads it without Midwatch.
type Exported struct {
	Kind  string `json:"kind"` // one of ExportKinds
	Key   string `json:"key"`  // where it is stored; what is stored together has the same
	Value any    `json:"value"`
}

// Kinds that are not stored under their name, because there are so many of them.
const (
	exportAlert    = "alert"
	exportClock    = "clock"
	exportLog      = "log"
	exportTimeline = "timeline"
	exportID       = "id"
)

const keyStoreName = "meta/id" // the store's name, a text, which is not the engine's own

// SecretText stands in an export where a secret is stored.
const SecretText = "<secret>"

// ExportKinds are all kinds, in order.
func ExportKinds() []string {
	kinds := append(slices.Collect(maps.Keys(upgrades)), exportAlert, exportClock, exportLog, exportTimeline, exportID)
	slices.Sort(kinds)
	return kinds
}

// Export reads an item of the store, in the form of today whatever version wrote it. An item may hold many things, or none.
// With an error come those that can be read. Secrets are left out, but for those in memos: who made those knows which are.
func Export(item store.Item) ([]Exported, error) {
	one := func(kind string, value any) []Exported { return []Exported{{kind, item.Key, value}} }
	switch key := item.Key; {
	case strings.HasPrefix(key, prefJournal), strings.HasPrefix(key, prefSnapshot):
		return exportAlerts(item)
	case strings.HasPrefix(key, prefLog):
		e, err := router.DecodeLogEntry(item.Value)
		if err != nil {
			return nil, err
		}
		return one(exportLog, exportedEntry(e)), nil
	case strings.HasPrefix(key, prefTimeline):
		return exportTimelineRow(item)
	case key == keyStoreName:
		return one(exportID, string(item.Value)), nil
	}
	var e envelope
	if err := json.Unmarshal(item.Value, &e); err != nil {
		return nil, fmt.Errorf("no form that this midwatch knows: %w", err)
	}
	if _, known := upgrades[e.Kind]; !known {
		return nil, fmt.Errorf("a %q is nothing that this midwatch knows", e.Kind)
	}
	switch e.Kind {
	case "past":
		return exportPast(item)
	case "feed":
		var f CalendarFeed
		if err := decode(e.Kind, item.Value, &f); err != nil {
			return nil, err
		}
		f.Hash = SecretText
		return one(e.Kind, f), nil
	}
	var value json.RawMessage
	if err := decode(e.Kind, item.Value, &value); err != nil {
		return nil, err
	}
	return one(e.Kind, value), nil
}

// exportAlerts reads a record of the journal or of a snapshot.
func exportAlerts(item store.Item) (all []Exported, err error) {
	if by, ok := readClock(item.Value); ok {
		return []Exported{{exportClock, item.Key, map[string]string{"set_by": by.String()}}}, nil
	}
	alerts, err := readAlerts(item.Value)
	for _, a := range alerts {
		all = append(all, Exported{exportAlert, item.Key, a})
	}
	return all, err
}

func exportPast(item store.Item) (all []Exported, err error) {
	var record pastRecord
	if err := decode("past", item.Value, &record); err != nil {
		return nil, err
	}
	alerts, err := unpackPast(record.Body)
	for _, a := range alerts {
		all = append(all, Exported{"past", item.Key, struct {
			Labels   router.Labels `json:"labels"`
			StartsAt time.Time     `json:"startsAt"`
			EndsAt   time.Time     `json:"endsAt"`
		}{a.Labels, a.StartsAt, a.EndsAt}})
	}
	return all, err
}

// exportTimelineRow says which event is an incident's: the key alone does.
func exportTimelineRow(item store.Item) ([]Exported, error) {
	number, seq, _ := strings.Cut(strings.TrimPrefix(item.Key, prefTimeline), "/")
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("its key names no incident: %w", err)
	}
	event, err := strconv.ParseUint(seq, 16, 64)
	if err != nil {
		return nil, fmt.Errorf("its key names no event: %w", err)
	}
	return []Exported{{exportTimeline, item.Key, struct {
		Incident string `json:"incident"`
		Event    uint64 `json:"event"` // its seq
	}{"INC-" + strconv.Itoa(n), event}}}, nil
}

// An exportedLog is an entry of the notification log.
type exportedLog struct {
	GroupKey    string            `json:"group_key"`
	Receiver    string            `json:"receiver"`
	Integration string            `json:"integration"`
	Index       int               `json:"index"`
	At          time.Time         `json:"at"`
	ExpiresAt   time.Time         `json:"expires_at"`
	Firing      []string          `json:"firing"` // hashes of the alerts' labels
	Resolved    []string          `json:"resolved"`
	State       map[string]string `json:"state,omitempty"`
}

func exportedEntry(e router.LogEntry) exportedLog {
	hashes := func(all []uint64) []string {
		out := []string{}
		for _, h := range all {
			out = append(out, seqKey(h))
		}
		return out
	}
	return exportedLog{
		e.GroupKey, e.Receiver, e.Integration, e.Index, e.Timestamp, e.ExpiresAt, hashes(e.Firing), hashes(e.Resolved), e.State,
	}
}
