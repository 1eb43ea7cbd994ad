package router

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Stored records begin with one byte that names their form. A new form gets a new number and a case of its own below;
// the old ones stay readable, and testdata keeps one record of each.
const (
	alertForm = 1
	entryForm = 1
)

// The flags of an alert's record.
const (
	flagTimeout = 1 << iota
	flagEnded
	flagStarts
	flagEnds
	flagUpdated
	flagsKnown = 1<<iota - 1
)

// Encode appends the alert's stored form to b. DecodeAlert reads it back, zone offsets and all.
func (a *Alert) Encode(b []byte) []byte {
	var flags byte
	for _, f := range [...]struct {
		set bool
		bit byte
	}{
		{a.Timeout, flagTimeout},
		{a.Ended, flagEnded},
		{!a.StartsAt.IsZero(), flagStarts},
		{!a.EndsAt.IsZero(), flagEnds},
		{!a.UpdatedAt.IsZero(), flagUpdated},
	} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, alertForm, flags)
	b = appendLabels(b, a.Labels)
	b = appendLabels(b, a.Annotations)
	b = appendText(b, a.GeneratorURL)
	for _, t := range [...]time.Time{a.StartsAt, a.EndsAt, a.UpdatedAt} {
		if !t.IsZero() {
			b = appendTime(b, t)
		}
	}
	return b
}

// DecodeAlert reads one record that Encode wrote, in this version of Midwatch or an older one. The text of the result
// is its own: b may be reused.
func DecodeAlert(b []byte) (Alert, error) {
	r := reader{b: b}
	if form := r.byte(); form != alertForm && r.err == nil {
		return Alert{}, fmt.Errorf("stored alert: form %d is not known; it was written by a newer midwatch", form)
	}
	flags := r.byte()
	if flags&^flagsKnown != 0 {
		r.fail("flags")
	}
	a := Alert{Timeout: flags&flagTimeout != 0, Ended: flags&flagEnded != 0}
	a.Labels = r.labels()
	a.Annotations = r.labels()
	a.GeneratorURL = r.text()
	for _, f := range [...]struct {
		bit byte
		at  *time.Time
	}{{flagStarts, &a.StartsAt}, {flagEnds, &a.EndsAt}, {flagUpdated, &a.UpdatedAt}} {
		if flags&f.bit != 0 {
			*f.at = r.time()
		}
	}
	if err := r.done(); err != nil {
		return Alert{}, fmt.Errorf("stored alert: %w", err)
	}
	return a, nil
}

// Encode appends the entry's stored form to b.
func (e LogEntry) Encode(b []byte) []byte {
	b = append(b, entryForm)
	b = appendText(b, e.GroupKey)
	b = appendText(b, e.Receiver)
	b = appendText(b, e.Integration)
	b = binary.AppendVarint(b, int64(e.Index))
	b = appendTime(b, e.Timestamp)
	b = appendTime(b, e.ExpiresAt)
	b = appendHashes(b, e.Firing)
	b = appendHashes(b, e.Resolved)
	return appendLabels(b, LabelsOf(e.State))
}

// DecodeLogEntry reads one record that Encode wrote.
func DecodeLogEntry(b []byte) (LogEntry, error) {
	r := reader{b: b}
	if form := r.byte(); form != entryForm && r.err == nil {
		return LogEntry{}, fmt.Errorf("stored log entry: form %d is not known; it was written by a newer midwatch", form)
	}
	e := LogEntry{LogKey: LogKey{
		GroupKey:    r.text(),
		Receiver:    r.text(),
		Integration: r.text(),
		Index:       int(r.varint()),
	}}
	e.Timestamp = r.time()
	e.ExpiresAt = r.time()
	e.Firing = r.hashes()
	e.Resolved = r.hashes()
	for _, l := range r.labels() {
		if e.State == nil {
			e.State = map[string]string{}
		}
		e.State[l.Name] = l.Value
	}
	if err := r.done(); err != nil {
		return LogEntry{}, fmt.Errorf("stored log entry: %w", err)
	}
	return e, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendLabels(b []byte, l Labels) []byte {
	b = binary.AppendUvarint(b, uint64(len(l)))
	for i := range l {
		b = appendText(b, l[i].Name)
		b = appendText(b, l[i].Value)
	}
	return b
}

func appendHashes(b []byte, hashes []uint64) []byte {
	b = binary.AppendUvarint(b, uint64(len(hashes)))
	for _, h := range hashes {
		b = binary.LittleEndian.AppendUint64(b, h)
	}
	return b
}

func appendTime(b []byte, t time.Time) []byte {
	_, offset := t.Zone()
	b = binary.AppendVarint(b, t.Unix())
	b = binary.AppendUvarint(b, uint64(t.Nanosecond()))
	return binary.AppendVarint(b, int64(offset))
}

// The seconds of the years 1 to 9999, outside which an RFC 3339 time cannot lie, and the widest offset it can have.
const (
	firstSecond, lastSecond = -62135596800, 253402300799
	widestOffset            = 24 * 60 * 60
)

// reader takes a record apart. After the first fault it yields zeroes, and err stays.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = errors.New("damaged at its " + what)
	}
	r.b = nil
}

func (r *reader) take(n uint64, what string) []byte {
	if n > uint64(len(r.b)) {
		r.fail(what)
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1, "head"); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("numbers")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("numbers")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uint64() uint64 {
	if b := r.take(8, "hashes"); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) text() string { return string(r.take(r.uvarint(), "text")) }

// count reads how many items follow, each of at least size bytes: a damaged count must not reserve memory.
func (r *reader) count(size uint64) int {
	n := r.uvarint()
	if n > uint64(len(r.b))/size {
		r.fail("counts")
		return 0
	}
	return int(n)
}

// labels reads a set. One that is out of order is damage: lookups rely on the order.
func (r *reader) labels() Labels {
	n := r.count(2)
	if n == 0 {
		return nil
	}
	l := make(Labels, 0, n)
	for range n {
		p := Label{r.text(), r.text()}
		if k := len(l); k > 0 && l[k-1].Name >= p.Name {
			r.fail("labels")
			return nil
		}
		l = append(l, p)
	}
	return l
}

func (r *reader) hashes() []uint64 {
	n := r.count(8)
	if n == 0 {
		return nil
	}
	hashes := make([]uint64, 0, n)
	for range n {
		hashes = append(hashes, r.uint64())
	}
	return hashes
}

func (r *reader) time() time.Time {
	seconds, nanos, offset := r.varint(), r.uvarint(), r.varint()
	if seconds < firstSecond || seconds > lastSecond || nanos >= 1e9 || offset <= -widestOffset || offset >= widestOffset {
		r.fail("times")
		return time.Time{}
	}
	t := time.Unix(seconds, int64(nanos)).UTC()
	if offset != 0 {
		t = t.In(time.FixedZone("", int(offset)))
	}
	return t
}

func (r *reader) done() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("end")
	}
	return r.err
}
