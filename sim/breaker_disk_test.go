package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/store"
)

// bdisk is a store that outlives the engines and fails.
type bdisk struct {
	*store.Memory
	w       *breaker
	full    bool
	failIn  int  // the so manieth commit from now fails; 0: none
	before  bool // it is not done; else it is, and nobody hears of it
	written map[uint64]time.Duration
	last    uint64 // the newest event on it
	news    bool
}

func (d *bdisk) Commit(ctx context.Context, b store.Batch) error {
	if d.full {
		d.news = true
		return store.ErrFull
	}
	if d.failIn > 0 {
		if d.failIn--; d.failIn == 0 && d.before {
			return errPower
		} else if d.failIn == 0 {
			if err := d.commit(ctx, b); err != nil {
				return err
			}
			return errPower
		}
	}
	return d.commit(ctx, b)
}

func (d *bdisk) commit(ctx context.Context, b store.Batch) error {
	if d.w.plant != nil && d.w.plant.commit != nil {
		b = d.w.plant.commit(d.w, b)
	}
	if err := d.Memory.Commit(ctx, b); err != nil {
		return err
	}
	for _, kv := range b.Put {
		if seq, ok := eventSeq(kv.Key); ok {
			d.news = true
			if _, known := d.written[seq]; !known {
				d.written[seq] = d.w.elapsed
			}
			d.last = max(d.last, seq)
		}
	}
	return nil
}

func eventSeq(key string) (uint64, bool) {
	rest, ok := strings.CutPrefix(key, "event/")
	if !ok {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, "/")
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, err == nil
}

// events reads the history from the disk itself, for when nobody is there to be asked.
func (d *bdisk) events(after uint64) (list []incident.Event) {
	_, to := store.Prefix("event/")
	for item, err := range d.Scan(context.Background(), fmt.Sprintf("event/%016x", after+1), to) {
		if err != nil {
			panic(err)
		}
		var record struct {
			Value incident.Event `json:"value"`
		}
		if err := json.Unmarshal(item.Value, &record); err != nil {
			panic(err)
		}
		list = append(list, record.Value)
	}
	return list
}

// count is how many keys begin so.
func (d *bdisk) count(prefix string) (n int) {
	from, to := store.Prefix(prefix)
	for _, err := range d.Scan(context.Background(), from, to) {
		if err != nil {
			panic(err)
		}
		n++
	}
	return n
}

// identity reads it from the disk itself.
func (d *bdisk) identity(n int) incident.Identity {
	i, err := d.incident(n)
	if err != nil {
		panic(err)
	}
	return i.Identity
}

func (d *bdisk) incident(n int) (incident.Incident, error) {
	item, err := d.Get(context.Background(), fmt.Sprintf("incident/%010d", n))
	if err != nil {
		return incident.Incident{}, err
	}
	var record struct {
		Value incident.Incident `json:"value"`
	}
	return record.Value, json.Unmarshal(item.Value, &record)
}
