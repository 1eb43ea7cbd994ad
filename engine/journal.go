package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/router"
)

// Alerts are not stored one row each: every turn appends those it changed to a journal, as one value, and now and
// then the whole table is folded into snapshot chunks, a chunk a turn, so that the journal can be cut. A record holds
// the merged alerts, so replaying it twice changes nothing.
//
// When the clock is set, that is a record too, and whoever reads the journal moves the alerts of all that came before.
//
// What only moves an alert's end (a repeat from Prometheus) is not written: an alert of which no end was written was
// firing when we stopped, and then it gets at least resolve_timeout to be heard of again, whatever its end said.
type journal struct {
	seq     uint64          // of the newest record
	bytes   int             // since the last fold began
	changed []*router.Alert // by the turn under way
	places  map[uint64]int  // in changed, by fingerprint; of two that share it the later
	room    []byte          // holds the turn's records
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
	part  int    // of the table: this one and those after it are not in it yet
	chunk uint64
	size  int
}

// How the journal is folded: in steps so small that nobody waits for one.
const (
	alertsAChunk = 1024 // and what a part of the table has more
	deletesATurn = 480
	deletesAUnit = 120 // within one batch
	foldPause    = time.Millisecond

	journalFormat = 3 // of a record of alerts, see appendShort
	plainFormat   = 1 // of one from before there was a shorthand: every alert by itself
	clockFormat   = 2 // of a record that says that the clock was set, see clockRecord
)

// recordMax is how many bytes one record of the journal or chunk of a snapshot has, and an alert. bbolt writes again what
// shares a leaf with what is new, up to five values of any size, and the journal's end shares one with the snapshot's
// beginning. Small ones keep that below what is new.
const recordMax = 8 << 10

// mostInRecord is how many alerts one record has at most: equal texts take next to nothing in it, and all in memory.
const mostInRecord = 256

// mostRoom is how many bytes are kept for the records of the next turn.
const mostRoom = 2 << 20

// foldAtLeast is at how many bytes of journal it is folded, and at least at twice the last snapshot. So many are read in a
// fraction of a second at a start, and every fold writes each alert once more: a table that grows to 100,000 alerts is not
// to be written several times over on its way. Only tests set it.
var foldAtLeast = 32 << 20

// current is stored with each whole snapshot.
type current struct {
	Generation uint64 `json:"generation"`
	From       uint64 `json:"from"`
	Bytes      int    `json:"bytes"`
}

// note has the alert written with the turn. Of one that changed several times the last word is enough; but a new one, of
// which most have but one word, is not looked up: if there are more, they come behind it.
func (c *Core) note(e router.Stored) {
	j, a := &c.journal, e.Alert
	if e.Change == router.FirstSeen {
		if len(j.places) > 0 { // it was known, and forgotten since
			delete(j.places, a.Fingerprint())
		}
		j.changed = append(j.changed, a)
		return
	}
	if j.places == nil {
		j.places = map[uint64]int{}
	}
	fp := a.Fingerprint()
	i, known := j.places[fp]
	if known && !j.changed[i].Labels.Equal(a.Labels) {
		i = slices.IndexFunc(j.changed, func(b *router.Alert) bool { return a.Labels.Equal(b.Labels) })
		known = i >= 0
	}
	if known {
		j.changed[i] = a
		return
	}
	j.places[fp] = len(j.changed)
	j.changed = append(j.changed, a)
}

// writeJournal returns what the turn changed, to be committed before all else.
func (c *Core) writeJournal() []unit {
	j := &c.journal
	j.makeRoom(j.changed)
	var units []unit
	for alerts := j.changed; len(alerts) > 0; {
		var record []byte
		record, alerts = j.record(alerts)
		j.seq++
		j.bytes += len(record)
		var u unit
		u.put(prefJournal+seqKey(j.seq), record)
		units = append(units, u)
	}
	if len(j.changed) > 4*alertsAChunk { // a flood's room is not kept for ever
		j.changed, j.places = nil, nil
	}
	clear(j.changed)
	clear(j.places)
	j.changed = j.changed[:0]
	// What an earlier fold left behind goes first: it may have the names that this one will use.
	if j.fold == nil && len(j.stale) == 0 && j.bytes >= max(foldAtLeast, 2*j.size) {
		c.foldBegins()
	}
	return units
}

// clockSet says in the journal by how much the clock was set. A fold under way has alerts from before and from after
// that, and begins anew.
func (c *Core) clockSet(by time.Duration) {
	j := &c.journal
	record := clockRecord(by)
	j.seq++
	j.bytes += len(record)
	c.put(prefJournal+seqKey(j.seq), record)
	if j.fold == nil {
		return
	}
	for n := range j.fold.chunk {
		c.put(prefSnapshot+seqKey(j.fold.gen)+"/"+seqKey(n), nil)
	}
	c.foldBegins()
}

func (c *Core) foldBegins() {
	j := &c.journal
	j.fold, j.bytes = &fold{gen: j.gen + 1, from: j.seq}, 0
	c.agenda.set("fold", c.now)
}

// foldOn writes the next chunk of a snapshot, or cuts what the last one made needless.
func (c *Core) foldOn() {
	j := &c.journal
	c.agenda.set("fold", time.Time{})
	switch {
	case j.fold != nil && j.fold.part < router.Parts:
		c.foldChunk()
	case j.fold != nil:
		c.foldEnds()
		c.cutJournal()
	default:
		c.cutJournal()
	}
	if j.fold != nil || len(j.stale) > 0 {
		c.agenda.set("fold", c.now.Add(foldPause)) // at c.now it would be in this same turn
	}
}

// foldChunk writes the alerts as they stand now. What was forgotten since the fold began is left out.
func (c *Core) foldChunk() {
	f := c.journal.fold
	var alerts []*router.Alert
	for ; f.part < router.Parts && len(alerts) < alertsAChunk; f.part++ {
		alerts = slices.AppendSeq(alerts, c.router.Alerts().Part(f.part))
	}
	c.journal.makeRoom(alerts)
	for len(alerts) > 0 {
		var record []byte
		record, alerts = c.journal.record(alerts)
		f.size += len(record)
		c.unit()
		c.put(prefSnapshot+seqKey(f.gen)+"/"+seqKey(f.chunk), record)
		f.chunk++
	}
}

// foldEnds puts the snapshot, now whole, into the place of the last one and of the journal up to it.
func (c *Core) foldEnds() {
	j, f := &c.journal, c.journal.fold
	c.put(keyGeneration, encode("current", current{Generation: f.gen, From: f.from, Bytes: f.size}))
	for n := range j.chunks {
		j.stale = append(j.stale, prefSnapshot+seqKey(j.gen)+"/"+seqKey(n))
	}
	for n := j.from + 1; n <= f.from; n++ {
		j.stale = append(j.stale, prefJournal+seqKey(n))
	}
	j.gen, j.chunks, j.from, j.size, j.fold = f.gen, f.chunk, f.from, f.size, nil
}

// cutJournal deletes a few of the keys that nobody needs any more.
func (c *Core) cutJournal() {
	j := &c.journal
	n := min(len(j.stale), deletesATurn)
	for keys := range slices.Chunk(j.stale[:n], deletesAUnit) {
		c.unit()
		for _, key := range keys {
			c.put(key, nil)
		}
	}
	j.stale = j.stale[n:]
}

// record writes alerts into one record until it is large enough, and returns the others.
func (j *journal) record(alerts []*router.Alert) (record []byte, rest []*router.Alert) {
	from := len(j.room)
	j.room, rest = appendAlerts(j.room, alerts)
	return j.room[from:len(j.room):len(j.room)], rest
}

// makeRoom makes about as much room as the records of these alerts take. Where it is not enough, what was written before
// stays where it is.
func (j *journal) makeRoom(alerts []*router.Alert) {
	const each = 128 // bytes: twice what one of many takes
	j.room = slices.Grow(j.room, each*len(alerts))
}

// written says that the store has taken what was last written: its memory may be used again.
func (j *journal) written() {
	if j.room = j.room[:0]; cap(j.room) > mostRoom {
		j.room = nil
	}
}

// appendAlerts appends one record of as many alerts as make it large enough, and returns the others.
func appendAlerts(b []byte, alerts []*router.Alert) (record []byte, rest []*router.Alert) {
	from, before := len(b), &noAlert
	b = append(b, journalFormat)
	for i, a := range alerts {
		if len(b)-from >= recordMax || i == mostInRecord {
			return b, alerts[i:]
		}
		b = appendShort(b, before, a)
		before = a
	}
	return b, nil
}

var errJournal = errors.New("a journal record of alerts cannot be read")

// readAlerts reads one record. With an error come those of its alerts that can be read.
func readAlerts(record []byte) (alerts []*router.Alert, err error) {
	if len(record) == 0 {
		return nil, errJournal
	}
	switch record[0] {
	case journalFormat:
		return readShort(record[1:])
	case plainFormat:
		return readPlain(record[1:])
	default:
		return nil, fmt.Errorf("%w: it has version %d; this midwatch knows %d", errJournal, record[0], journalFormat)
	}
}

// readPlain reads the alerts of a record in which each stands by itself. Of those that cannot be read the others are not
// worse off.
func readPlain(rest []byte) (alerts []*router.Alert, err error) {
	for len(rest) > 0 {
		n, width := binary.Uvarint(rest)
		if width <= 0 || n > uint64(len(rest)-width) {
			return alerts, errJournal
		}
		a, bad := router.DecodeAlert(rest[width : width+int(n)])
		if bad != nil {
			err = fmt.Errorf("%w: %w", errJournal, bad)
		} else {
			alerts = append(alerts, &a)
		}
		rest = rest[width+int(n):]
	}
	return alerts, err
}

// restoreJournal reads the last whole snapshot and the journal after it.
func (r *restorer) restoreJournal() error {
	j := &r.c.journal
	var cur current
	known, err := r.get(keyGeneration, "current", &cur)
	if err != nil {
		return err
	}
	j.gen, j.from, j.size, j.seq = cur.Generation, cur.From, cur.Bytes, cur.From
	whole := prefSnapshot + seqKey(j.gen) + "/"
	if err := r.scan(prefSnapshot, func(rest string, value []byte) error {
		key := prefSnapshot + rest
		switch {
		case strings.HasPrefix(key, whole):
			j.chunks++
		case known:
			j.stale = append(j.stale, key) // of a fold that a crash cut short
			return nil
		default:
			// Nobody knows which snapshot is whole. All of them, the newest last, are the best there is.
			gen, _, _ := strings.Cut(rest, "/")
			n, err := strconv.ParseUint(gen, 16, 64)
			if err != nil {
				return err
			}
			j.gen = max(j.gen, n)
		}
		return r.loadAlerts(value)
	}); err != nil {
		return err
	}
	if err := r.scan(prefJournal, func(rest string, value []byte) error {
		seq, err := strconv.ParseUint(rest, 16, 64)
		if err != nil {
			return err
		}
		if seq <= j.from {
			j.stale = append(j.stale, prefJournal+rest)
			return nil
		}
		j.seq = max(j.seq, seq)
		j.bytes += len(value)
		if by, ok := readClock(value); ok {
			r.moved += by
			return nil
		}
		return r.loadAlerts(value)
	}); err != nil {
		return err
	}
	if r.moved != 0 {
		r.c.router.Shifted(r.moved) // there are no groups yet
	}
	if len(j.stale) > 0 {
		r.c.agenda.set("fold", r.c.now)
	}
	return nil
}

// loadAlerts loads a record's alerts as the clock of the snapshot would have told their times.
func (r *restorer) loadAlerts(record []byte) error {
	alerts, err := readAlerts(record)
	for _, a := range alerts {
		a.UpdatedAt = a.UpdatedAt.Add(-r.moved)
		if !a.EndsAt.IsZero() {
			a.EndsAt = a.EndsAt.Add(-r.moved)
		}
		r.c.router.Alerts().Load(a)
	}
	if err != nil {
		r.doubt = true
		return fmt.Errorf("%w; Prometheus will repeat those that fire", err)
	}
	return nil
}
