package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/midwatch/midwatch/router"
)

// Alerts are not stored one row each: every turn appends those it changed to a journal, as one value, and now and
// then the whole table is folded into snapshot chunks, a chunk a turn, so that the journal can be cut. A record holds
// the merged alerts, so replaying it twice changes nothing.
//
// What only moves an alert's end (a repeat from Prometheus) is not written: an alert of which no end was written was
// firing when we stopped, and then it gets at least resolve_timeout to be heard of again, whatever its end said.
type journal struct {
	seq     uint64 // of the newest record
	bytes   int    // since the last fold
	changed map[uint64][]*router.Alert
	order   []uint64
	fold    *fold
	gen     uint64 // of the newest whole snapshot; 0: none yet
	chunks  uint64 // it has
	from    uint64 // the journal goes on after this record
	size    int    // bytes of the newest whole snapshot
	stale   []string
}

// A fold is a snapshot being written.
type fold struct {
	gen   uint64
	from  uint64 // journal records after this one are not in it
	rest  []*router.Alert
	chunk uint64
	size  int
}

// When and how the journal is folded.
const (
	foldAtLeast   = 8 << 20   // bytes of journal, and at least twice the last snapshot
	recordMax     = 512 << 10 // bytes of one journal record or chunk
	deletesATurn  = 64
	journalFormat = 1
)

// current is stored with each whole snapshot.
type current struct {
	Generation uint64 `json:"generation"`
	From       uint64 `json:"from"`
	Bytes      int    `json:"bytes"`
}

func (c *Core) note(a *router.Alert) {
	j := &c.journal
	if j.changed == nil {
		j.changed = map[uint64][]*router.Alert{}
	}
	fp := a.Fingerprint()
	same := func(b *router.Alert) bool { return a.Labels.Equal(b.Labels) }
	if i := slices.IndexFunc(j.changed[fp], same); i >= 0 {
		j.changed[fp][i] = a
		return
	}
	if len(j.changed[fp]) == 0 {
		j.order = append(j.order, fp)
	}
	j.changed[fp] = append(j.changed[fp], a)
}

// writeJournal returns what the turn changed, to be committed before all else.
func (c *Core) writeJournal() []unit {
	j := &c.journal
	var alerts []*router.Alert
	for _, fp := range j.order {
		alerts = append(alerts, j.changed[fp]...)
	}
	j.changed, j.order = nil, nil
	var units []unit
	for len(alerts) > 0 {
		var record []byte
		record, alerts = appendAlerts(alerts)
		j.seq++
		j.bytes += len(record)
		var u unit
		u.put(prefJournal+seqKey(j.seq), record)
		units = append(units, u)
	}
	if j.fold == nil && j.bytes >= max(foldAtLeast, 2*j.size) {
		j.fold = &fold{gen: j.gen + 1, from: j.seq, rest: slices.Collect(c.router.Alerts().All())}
		c.agenda.set("fold", c.now)
	}
	return units
}

// foldOn writes the next chunk of a snapshot, or cuts what the last one made needless.
func (c *Core) foldOn() {
	j := &c.journal
	c.agenda.set("fold", time.Time{})
	if f := j.fold; f != nil {
		if len(f.rest) > 0 {
			var record []byte
			for i, a := range f.rest[:min(len(f.rest), 4096)] {
				if now := c.router.Alerts().Get(a.Labels); now != nil {
					f.rest[i] = now // as it stands now
				}
			}
			record, f.rest = appendAlerts(f.rest)
			f.size += len(record)
			c.put(prefSnapshot+seqKey(f.gen)+"/"+seqKey(f.chunk), record)
			f.chunk++
			c.agenda.set("fold", c.now)
			return
		}
		c.put(keyGeneration, encode("current", current{Generation: f.gen, From: f.from, Bytes: f.size}))
		for n := range j.chunks {
			j.stale = append(j.stale, prefSnapshot+seqKey(j.gen)+"/"+seqKey(n))
		}
		for n := j.from + 1; n <= f.from; n++ {
			j.stale = append(j.stale, prefJournal+seqKey(n))
		}
		j.gen, j.chunks, j.from, j.size, j.bytes, j.fold = f.gen, f.chunk, f.from, f.size, 0, nil
	}
	n := min(len(j.stale), deletesATurn)
	for _, key := range j.stale[:n] {
		c.put(key, nil)
	}
	if j.stale = j.stale[n:]; len(j.stale) > 0 {
		c.agenda.set("fold", c.now)
	}
}

// appendAlerts writes as many of the alerts as fit into one record and returns the others.
func appendAlerts(alerts []*router.Alert) (record []byte, rest []*router.Alert) {
	record = append(record, journalFormat)
	for i, a := range alerts {
		if len(record) >= recordMax {
			return record, alerts[i:]
		}
		body := a.Encode(nil)
		record = binary.AppendUvarint(record, uint64(len(body)))
		record = append(record, body...)
	}
	return record, nil
}

var errJournal = errors.New("a journal record of alerts cannot be read")

// readAlerts reads one record.
func readAlerts(record []byte) (alerts []*router.Alert, err error) {
	if len(record) == 0 {
		return nil, errJournal
	}
	if record[0] != journalFormat {
		return nil, fmt.Errorf("%w: it has version %d", errJournal, record[0])
	}
	for rest := record[1:]; len(rest) > 0; {
		n, width := binary.Uvarint(rest)
		if width <= 0 || n > uint64(len(rest)-width) {
			return nil, errJournal
		}
		a, err := router.DecodeAlert(rest[width : width+int(n)])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errJournal, err)
		}
		alerts = append(alerts, &a)
		rest = rest[width+int(n):]
	}
	return alerts, nil
}
