package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/store"
)

// How much of the past is kept: months of a busy house, some hundred megabytes each. What is older goes a few lines at a
// time, so that nobody waits for it. Incidents themselves are kept for good, and an open one keeps its whole timeline.
const (
	keepEvents   = 1_000_000 // lines of history
	keepAttempts = 1_000_000 // lines of the delivery log
	pruneAtOnce  = store.MaxOps/2 - 1
)

// A tail is the oldest end of a log.
type tail struct {
	prefix string
	keep   uint64
	first  uint64 // nothing older is there, but for what was spared; 0: nothing at all
}

// findTails finds where the logs begin.
func findTails(ctx context.Context, s store.Store) ([]tail, error) {
	tails := []tail{{prefix: prefEvent, keep: keepEvents}, {prefix: prefAttempt, keep: keepAttempts}}
	for i := range tails {
		from, to := store.Prefix(tails[i].prefix)
		for item, err := range s.Scan(ctx, from, to) {
			if err != nil {
				return nil, fmt.Errorf("reading the store: %w", err)
			}
			tails[i].first = lineOf(item.Key)
			break
		}
	}
	return tails, nil
}

// lineOf is the number in the key of a log's line; 0: it has none.
func lineOf(key string) uint64 {
	_, rest, _ := strings.Cut(key, "/")
	rest, _, _ = strings.Cut(rest, "/")
	n, _ := strconv.ParseUint(rest, 16, 64)
	return n
}

// prune takes the next few lines off each log that is too long.
func (e *Engine) prune() error {
	for i := range e.tails {
		t := &e.tails[i]
		newest := e.core.seq
		if t.prefix == prefAttempt {
			newest = e.core.records
		}
		if t.first = max(t.first, 1); newest < t.first+t.keep || !e.unsaved.empty() {
			continue
		}
		b, next, err := e.oldest(t.prefix, t.first, newest-t.keep)
		if err == nil && len(b.Delete) > 0 {
			err = e.write(b)
		}
		switch {
		case errors.Is(err, store.ErrFull):
			continue // deleting takes room too; another time
		case err != nil:
			return err
		}
		t.first = next
	}
	return nil
}

// incidentsOf are the incidents of a stored event that is about several.
func incidentsOf(value []byte) (numbers []int) {
	var ev incident.Event
	if decode("event", value, &ev) != nil {
		return nil
	}
	for _, id := range ev.Incidents {
		if n, err := incident.ParseID(id); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// oldest are the lines from first to last as a batch that deletes them, at most pruneAtOnce, and where to go on.
func (e *Engine) oldest(prefix string, first, last uint64) (b store.Batch, next uint64, err error) {
	for item, err := range e.store.Scan(context.Background(), prefix+seqKey(first), prefix+seqKey(last+1)) {
		if err != nil {
			return b, first, fmt.Errorf("reading the store: %w", err)
		}
		if first = lineOf(item.Key); len(b.Delete) >= pruneAtOnce {
			return b, first, nil
		}
		if prefix == prefEvent {
			seq, n, err := parseEventKey(item.Key)
			if l := e.core.live[n]; err != nil || l != nil && l.incident.Open() {
				continue
			}
			if n > 0 {
				b.Delete = append(b.Delete, timelineKey(n, seq))
			} else if several := incidentsOf(item.Value); slices.ContainsFunc(several, func(m int) bool { l := e.core.live[m]; return l != nil && l.incident.Open() }) {
				continue
			} else {
				for _, m := range several {
					b.Delete = append(b.Delete, timelineKey(m, seq))
				}
			}
		}
		b.Delete = append(b.Delete, item.Key)
	}
	return b, last + 1, nil
}
