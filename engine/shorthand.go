package engine

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"github.com/midwatch/midwatch/router"
)

// The alerts of one record are written in a shorthand: each says in what it differs from the one before it. What a POST
// brings is mostly the alerts of one rule, which have their names, most values, the link and the times in common, and differ
// in the end of a pod's name. So a record takes a fifth of what its alerts take one by one, and all that is done with its
// bytes (checksum, copy, write, fsync, folding, reading at a start) costs as much less.
//
//	alert  = what shared [shape] text… [time…]
//	what   = byte: which of the switches are on, which times are set
//	shared = byte: the times that are those of the alert before; and whether the names are
//	shape  = number of labels, their names, number of annotations, their names; absent where the names are shared
//	text…  = the values of labels and annotations, then the link, each against the same one of the alert before
//	time   = seconds since 1970, nanoseconds, seconds east of UTC; absent where it is shared
//
// Numbers are varints. A text is 0 where it is the same; else by one more than how many bytes it begins with in common, how
// many follow, and these. Where the names are not shared, values are against nothing. So is all of a record's first alert,
// whose forerunner is the zero one.

// Bits of the byte "what".
const (
	writtenTimeout = 1 << iota
	writtenEnded
	writtenStarts
	writtenEnds
	writtenUpdated
	writtenKnown = 1<<iota - 1
)

// Bits of the byte "shared".
const (
	sharedNames = 1 << iota
	sharedStarts
	sharedEnds
	sharedUpdated
	sharedKnown = 1<<iota - 1
)

// noAlert comes before the first of a record.
var noAlert router.Alert

// appendShort appends the alert as one that follows before.
func appendShort(b []byte, before, a *router.Alert) []byte {
	var what, shared byte
	if a.Timeout {
		what |= writtenTimeout
	}
	if a.Ended {
		what |= writtenEnded
	}
	names := sameNames(before.Labels, a.Labels) && sameNames(before.Annotations, a.Annotations)
	if names {
		shared |= sharedNames
	}
	times := [...]struct {
		at, before     *time.Time
		written, share byte
	}{
		{&a.StartsAt, &before.StartsAt, writtenStarts, sharedStarts},
		{&a.EndsAt, &before.EndsAt, writtenEnds, sharedEnds},
		{&a.UpdatedAt, &before.UpdatedAt, writtenUpdated, sharedUpdated},
	}
	for i := range times {
		if t := &times[i]; !t.at.IsZero() {
			what |= t.written
			if sameInstant(*t.at, *t.before) {
				shared |= t.share
			}
		}
	}
	b = append(b, what, shared)
	for i, set := range [...]router.Labels{a.Labels, a.Annotations} {
		if !names {
			b = binary.AppendUvarint(b, uint64(len(set)))
			for j := range set {
				b = appendText(b, "", set[j].Name)
			}
			for j := range set {
				b = appendText(b, "", set[j].Value)
			}
			continue
		}
		old := before.Labels
		if i > 0 {
			old = before.Annotations
		}
		for j := range set {
			b = appendText(b, old[j].Value, set[j].Value)
		}
	}
	b = appendText(b, before.GeneratorURL, a.GeneratorURL)
	for i := range times {
		if t := &times[i]; what&t.written != 0 && shared&t.share == 0 {
			_, offset := t.at.Zone()
			b = binary.AppendVarint(b, t.at.Unix())
			b = binary.AppendUvarint(b, uint64(t.at.Nanosecond()))
			b = binary.AppendVarint(b, int64(offset))
		}
	}
	return b
}

func sameNames(a, b router.Labels) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name {
			return false
		}
	}
	return true
}

// sameInstant reports whether both are the same time, written with the same offset.
func sameInstant(a, b time.Time) bool {
	if !a.Equal(b) {
		return false
	}
	_, ao := a.Zone()
	_, bo := b.Zone()
	return ao == bo
}

func appendText(b []byte, before, s string) []byte {
	if s == before {
		return append(b, 0)
	}
	n := beginning(before, s)
	b = binary.AppendUvarint(b, uint64(n)+1)
	b = binary.AppendUvarint(b, uint64(len(s)-n))
	return append(b, s[n:]...)
}

// beginning is with how many bytes both begin.
func beginning(a, b string) int {
	most, n := min(len(a), len(b)), 0
	for ; n+8 <= most; n += 8 {
		if differ := word(a[n:]) ^ word(b[n:]); differ != 0 {
			return n + bits.TrailingZeros64(differ)/8
		}
	}
	for n < most && a[n] == b[n] {
		n++
	}
	return n
}

// word is the first eight bytes.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// mostUnfolded is how many bytes of text one record's alerts may have together. We write none that comes near it: a record
// is full before.
const mostUnfolded = 64 << 20

// shorthand reads a record's alerts back. After the first fault it reads zeroes, and bad stays.
type shorthand struct {
	b        []byte
	unfolded int
	bad      bool
}

// next reads the alert that follows before. Its text is its own, or shared with before.
func (s *shorthand) next(before *router.Alert) (a router.Alert, err error) {
	what, shared := s.byte(), s.byte()
	if what&^writtenKnown != 0 || shared&^sharedKnown != 0 {
		s.bad = true
	}
	a.Timeout, a.Ended = what&writtenTimeout != 0, what&writtenEnded != 0
	a.Labels = s.set(before.Labels, shared&sharedNames != 0)
	a.Annotations = s.set(before.Annotations, shared&sharedNames != 0)
	a.GeneratorURL = s.text(before.GeneratorURL)
	for _, t := range [...]struct {
		at             *time.Time
		before         time.Time
		written, share byte
	}{
		{&a.StartsAt, before.StartsAt, writtenStarts, sharedStarts},
		{&a.EndsAt, before.EndsAt, writtenEnds, sharedEnds},
		{&a.UpdatedAt, before.UpdatedAt, writtenUpdated, sharedUpdated},
	} {
		switch {
		case what&t.written == 0:
		case shared&t.share != 0:
			*t.at = t.before
		default:
			*t.at = s.time()
		}
	}
	if s.bad {
		return router.Alert{}, errJournal
	}
	return a, nil
}

// set reads one. A set that is out of order is damage: lookups rely on the order.
func (s *shorthand) set(before router.Labels, shared bool) router.Labels {
	if !shared {
		n := s.number()
		if n > uint64(len(s.b))/2 { // a name and its value take two bytes at least
			s.bad = true
			return nil
		}
		before = make(router.Labels, n)
		for i := range before {
			before[i].Name = s.text("")
			if i > 0 && before[i].Name <= before[i-1].Name {
				s.bad = true
				return nil
			}
		}
	}
	if len(before) == 0 || s.bad {
		return nil
	}
	set := make(router.Labels, len(before))
	for i := range set {
		set[i] = router.Label{Name: before[i].Name, Value: s.text(before[i].Value)}
	}
	return set
}

func (s *shorthand) text(before string) string {
	shared := s.number()
	if shared == 0 {
		return before
	}
	shared--
	n := s.number()
	if shared > uint64(len(before)) || n > uint64(len(s.b)) {
		s.bad = true
		return ""
	}
	if s.unfolded += int(shared + n); s.unfolded > mostUnfolded {
		s.bad = true
		return ""
	}
	text := before[:shared] + string(s.b[:n])
	s.b = s.b[n:]
	return text
}

// The seconds of the years 1 to 9999, outside which an RFC 3339 time cannot lie, and the widest offset it can have.
const (
	firstSecond, lastSecond = -62135596800, 253402300799
	widestOffset            = 24 * 60 * 60
)

func (s *shorthand) time() time.Time {
	seconds, width := binary.Varint(s.b)
	s.skip(width)
	nanos := s.number()
	offset, width := binary.Varint(s.b)
	s.skip(width)
	if seconds < firstSecond || seconds > lastSecond || nanos >= 1e9 || offset <= -widestOffset || offset >= widestOffset {
		s.bad = true
		return time.Time{}
	}
	t := time.Unix(seconds, int64(nanos)).UTC()
	if offset != 0 {
		t = t.In(time.FixedZone("", int(offset)))
	}
	return t
}

func (s *shorthand) byte() byte {
	if len(s.b) == 0 {
		s.bad = true
		return 0
	}
	c := s.b[0]
	s.b = s.b[1:]
	return c
}

func (s *shorthand) number() uint64 {
	n, width := binary.Uvarint(s.b)
	s.skip(width)
	return n
}

// skip goes over what was read; a width that is not positive is a fault.
func (s *shorthand) skip(width int) {
	if width <= 0 || s.bad {
		s.bad, s.b = true, nil
		return
	}
	s.b = s.b[width:]
}

// readShort reads the alerts of a record in shorthand. With an error come those before the fault.
func readShort(record []byte) (alerts []*router.Alert, err error) {
	s, before := shorthand{b: record}, &noAlert
	for len(s.b) > 0 {
		a, err := s.next(before)
		if err != nil {
			return alerts, fmt.Errorf("%w: it is damaged after %d alerts", errJournal, len(alerts))
		}
		alerts, before = append(alerts, &a), &a
	}
	return alerts, nil
}
