package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/midwatch/midwatch/router"
)

// Alerts that ended are remembered for a week, so that whoever makes a silence or changes the routes can see what that would
// have done to them. It is a convenience and no promise: they are gathered in memory and written together, with whatever is
// committed then, so a crash forgets about the last minute of them.

// A PastAlert is one firing period of an alert, over by now.
type PastAlert struct {
	Labels           router.Labels
	StartsAt, EndsAt time.Time // to the millisecond, in UTC
}

// Limits of what is remembered.
const (
	KeepPast     = 7 * 24 * time.Hour // what ended before that is forgotten
	mostPast     = 100_000            // firing periods: some 10 MB on disk, and read in some tenths of a second; the oldest go first
	mostPastText = 16 << 10           // bytes of one alert's labels: who sends more is not remembered
	pastTogether = 256                // firing periods that are written at once, without waiting
	pastPause    = time.Minute        // else so long is waited for more
	pastDrops    = 16                 // records that go in one turn
)

// ended are the alerts that ended: those that wait to be written, and the records that hold the others.
type ended struct {
	waiting []PastAlert
	wrote   time.Time // when the last record was written; zero: none was in this life
	seq     uint64    // of the newest record
	records []pastTail
	count   int // firing periods in the records
}

// A pastTail is what must be known of a record to let it go in time.
type pastTail struct {
	seq   uint64
	count int
	last  time.Time // when the last of its alerts ended
}

// pastRecord is some firing periods as they are stored.
type pastRecord struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"` // when the last of them ended
	Body  []byte    `json:"body"` // see packPast
}

// ends remembers the alert if what is stored of it is its end. It keeps the labels, which never change.
func (c *Core) ends(e router.Stored) {
	if e.Change != router.Resolved && e.Change != router.Expired {
		return
	}
	if size := textOf(e.Alert.Labels); size <= mostPastText {
		c.ended.waiting = append(c.ended.waiting, PastAlert{e.Alert.Labels, e.Alert.StartsAt, e.Alert.EndsAt})
	}
}

func textOf(l router.Labels) (size int) {
	for i := range l {
		size += len(l[i].Name) + len(l[i].Value)
	}
	return size
}

// writePast writes what waits, if it is time, as units to be committed with those of the turn, and lets go of what is too old
// or too much. A turn that commits nothing else is not worth a commit for this.
func (c *Core) writePast() (units []unit) {
	p := &c.ended
	if len(p.waiting) == 0 || len(p.waiting) < pastTogether && !p.wrote.IsZero() && c.now.Sub(p.wrote).Abs() < pastPause {
		return nil
	}
	p.wrote = c.now
	for rest := p.waiting; len(rest) > 0; {
		var some []PastAlert
		some, rest = takePast(rest)
		p.seq++
		r := pastRecord{Count: len(some), Last: lastEnd(some), Body: packPast(some)}
		p.records, p.count = append(p.records, pastTail{p.seq, r.Count, r.Last}), p.count+r.Count
		var u unit
		u.put(prefPast+seqKey(p.seq), encode("past", r))
		units = append(units, u)
	}
	if p.waiting = p.waiting[:0]; cap(p.waiting) > 4*pastTogether { // a flood's room is not kept for ever
		p.waiting = nil
	}
	clear(p.waiting[:cap(p.waiting)])
	var u unit
	for range pastDrops {
		if len(p.records) == 0 || p.count <= mostPast && c.now.Sub(p.records[0].last) <= KeepPast {
			break
		}
		u.put(prefPast+seqKey(p.records[0].seq), nil)
		p.count -= p.records[0].count
		p.records = p.records[1:]
	}
	if len(u.order) > 0 {
		units = append(units, u)
	}
	return units
}

// takePast takes as many as one record holds: it stays about as small as those of the journal.
func takePast(all []PastAlert) (some, rest []PastAlert) {
	size := 0
	for i := range all {
		if size += textOf(all[i].Labels); i > 0 && (i == pastTogether || size > 4*recordMax) { // most of the text is the same in many
			return all[:i], all[i:]
		}
	}
	return all, nil
}

func lastEnd(all []PastAlert) (last time.Time) {
	for i := range all {
		if at := all[i].EndsAt; at.After(last) {
			last = at
		}
	}
	return last.UTC()
}

// packPast writes every text once, and the alerts by the places of their texts. Starts are told from the start before.
func packPast(all []PastAlert) []byte {
	places := map[string]uint64{}
	var texts []string
	place := func(text string) uint64 {
		at, known := places[text]
		if !known {
			at = uint64(len(texts))
			places[text] = at
			texts = append(texts, text)
		}
		return at
	}
	var body []byte
	before := int64(0)
	for _, a := range all {
		start := a.StartsAt.UnixMilli()
		body = binary.AppendVarint(body, start-before)
		body = binary.AppendVarint(body, a.EndsAt.UnixMilli()-start)
		body = binary.AppendUvarint(body, uint64(len(a.Labels)))
		for _, l := range a.Labels {
			body = binary.AppendUvarint(body, place(l.Name))
			body = binary.AppendUvarint(body, place(l.Value))
		}
		before = start
	}
	packed := binary.AppendUvarint(nil, uint64(len(texts)))
	for _, text := range texts {
		packed = binary.AppendUvarint(packed, uint64(len(text)))
		packed = append(packed, text...)
	}
	return append(packed, body...)
}

var errPast = errors.New("a record of alerts that ended is damaged")

// unpackPast reads what packPast wrote. Whatever else it is given, it takes no more memory than that is long.
func unpackPast(packed []byte) ([]PastAlert, error) {
	r := unpacker{rest: string(packed)} // what is read shares its memory
	texts := make([]string, 0, r.count())
	for range cap(texts) {
		texts = append(texts, r.text())
	}
	var all []PastAlert
	before := int64(0)
	for len(r.rest) > 0 && !r.bad {
		start := before + r.varint()
		end := start + r.varint()
		labels := make(router.Labels, 0, r.count())
		for range cap(labels) {
			name, value := r.uvarint(), r.uvarint()
			if name >= uint64(len(texts)) || value >= uint64(len(texts)) ||
				len(labels) > 0 && labels[len(labels)-1].Name >= texts[name] { // lookups rely on the order
				return nil, errPast
			}
			labels = append(labels, router.Label{Name: texts[name], Value: texts[value]})
		}
		all = append(all, PastAlert{labels, time.UnixMilli(start).UTC(), time.UnixMilli(end).UTC()})
		before = start
	}
	if r.bad {
		return nil, errPast
	}
	return all, nil
}

// An unpacker takes a record apart. After the first fault it yields zeroes.
type unpacker struct {
	rest string
	bad  bool
}

func (r *unpacker) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		b := r.rest[i]
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			return v
		}
	}
	r.bad, r.rest = true, ""
	return 0
}

func (r *unpacker) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1) //nolint:gosec // as binary.Varint has it
}

// count reads how many things follow, of at least a byte each.
func (r *unpacker) count() int {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, ""
		return 0
	}
	return int(n)
}

func (r *unpacker) text() string {
	n := r.count()
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

// restorePast learns which records there are. Those that cannot be read stay, and are passed over.
func (r *restorer) restorePast() error {
	p := &r.c.ended
	return r.scan(prefPast, func(rest string, value []byte) error {
		seq, err := strconv.ParseUint(rest, 16, 64)
		if err != nil {
			return err
		}
		p.seq = max(p.seq, seq)
		var record pastRecord
		if err := decode("past", value, &record); err != nil {
			return err
		}
		p.records, p.count = append(p.records, pastTail{seq, record.Count, record.Last}), p.count+record.Count
		return nil
	})
}

// Past are the firing periods that ended since then, of the last seven days and at most so many as are kept, in about the
// order in which they ended, the oldest first. What still fires is in the router's table, and not here. An error of the store
// ends it.
func (e *Engine) Past(ctx context.Context, since time.Time) iter.Seq2[PastAlert, error] {
	return func(yield func(PastAlert, error) bool) {
		e.mu.RLock()
		p := &e.core.ended
		if oldest := e.core.now.Add(-KeepPast); since.Before(oldest) {
			since = oldest
		}
		waiting, to := slices.Clone(p.waiting), prefPast+seqKey(p.seq+1)
		from := to
		if i := slices.IndexFunc(p.records, func(t pastTail) bool { return !t.last.Before(since) }); i >= 0 {
			from = prefPast + seqKey(p.records[i].seq)
		}
		e.mu.RUnlock()
		for item, err := range e.scan(ctx, from, to) {
			if err != nil {
				yield(PastAlert{}, fmt.Errorf("reading the alerts that ended: %w", err))
				return
			}
			var record pastRecord
			if decode("past", item.Value, &record) != nil || record.Last.Before(since) {
				continue
			}
			all, err := unpackPast(record.Body)
			if err != nil {
				continue
			}
			if !givePast(all, since, yield) {
				return
			}
		}
		givePast(waiting, since, yield)
	}
}

func givePast(all []PastAlert, since time.Time, yield func(PastAlert, error) bool) bool {
	for _, a := range all {
		if !a.EndsAt.Before(since) && !yield(a, nil) {
			return false
		}
	}
	return true
}
