package slo

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// The compact forms begin with their version.
const (
	spansVersion  = 1
	slicesVersion = 1
)

var errText = errors.New("the stored intervals of an objective cannot be read: they are cut off or changed")

// Bits of a span's first byte; the rank is in the three above them.
const (
	bitSure = 1 << iota
	bitOpen
	bitStart // start is not from
	bitCap
	bitSettled
	rankShift = 5
)

// MarshalText writes the spans as base64 of: version, names, and for each span flags, name, and instants as
// differences, which are short.
func (s Spans) MarshalText() ([]byte, error) {
	b := make([]byte, 0, 64+24*s.n)
	b = append(b, spansVersion)
	index := map[string]uint64{}
	var names []string
	for x := range s.all() {
		if _, known := index[x.alert]; !known {
			index[x.alert] = uint64(len(names))
			names = append(names, x.alert)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, n := range names {
		b = binary.AppendUvarint(b, uint64(len(n)))
		b = append(b, n...)
	}
	b = binary.AppendUvarint(b, uint64(s.n))
	last := int64(0)
	for x := range s.all() {
		flags := x.flags()
		b = append(b, flags)
		b = binary.AppendUvarint(b, index[x.alert])
		b = appendSpan(b, x.from-last)
		b = appendSpan(b, x.heard-x.from)
		if flags&bitOpen == 0 {
			b = appendSpan(b, x.end-x.from)
		}
		if flags&bitStart != 0 {
			b = appendSpan(b, x.start-x.from)
		}
		if flags&bitCap != 0 {
			b = appendSpan(b, x.cap-x.from)
		}
		last = x.from
	}
	return base64.StdEncoding.AppendEncode(make([]byte, 0, base64.StdEncoding.EncodedLen(len(b))), b), nil
}

// appendSpan appends a difference of two instants: twice its milliseconds, and one more where nanoseconds follow. Sources
// that speak in milliseconds, as Prometheus does, make most of them short.
func appendSpan(b []byte, d int64) []byte {
	millis := floorDiv(d, int64(time.Millisecond))
	rest := d - millis*int64(time.Millisecond)
	if rest == 0 {
		return binary.AppendVarint(b, millis*2)
	}
	return binary.AppendUvarint(binary.AppendVarint(b, millis*2+1), uint64(rest))
}

// span reads what appendSpan wrote.
func (r *reader) span() int64 {
	v := r.varint()
	d := (v >> 1) * int64(time.Millisecond)
	if v&1 != 0 {
		d += int64(r.uvarint() % uint64(time.Millisecond))
	}
	return d
}

func (s *span) flags() byte {
	flags := byte(s.rank) << rankShift
	for _, f := range [...]struct {
		bit byte
		on  bool
	}{{bitSure, s.sure}, {bitOpen, s.end == never}, {bitStart, s.start != s.from}, {bitCap, s.cap != never}, {bitSettled, s.settled}} {
		if f.on {
			flags |= f.bit
		}
	}
	return flags
}

// UnmarshalJSON reads what MarshalText wrote, as a JSON text. It takes the quotes off by itself, since nothing between
// them is ever escaped: these are the most bytes of a start by far.
func (s *Spans) UnmarshalJSON(data []byte) error {
	r, err := newReader(data, spansVersion)
	if r == nil || err != nil {
		return err
	}
	// The names become parts of one string, so that many cost one allocation.
	names := make([]string, r.count(1))
	start := r.data
	for range names {
		r.skip(r.uvarint())
	}
	all := string(start[:len(start)-len(r.data)])
	in := reader{data: start}
	for i := range names {
		n := in.uvarint()
		at := len(start) - len(in.data)
		in.skip(n)
		if in.bad || r.bad {
			return errText
		}
		names[i] = all[at : at+int(n)]
	}
	list := make([]span, r.count(4))
	last := int64(0)
	for i := range list {
		x := &list[i]
		flags := r.byte()
		name := r.uvarint()
		if name >= uint64(len(names)) {
			return errText
		}
		x.alert = names[name]
		x.from = last + r.span()
		x.heard = x.from + r.span()
		x.start, x.end, x.cap = x.from, never, never
		x.sure, x.settled, x.rank = flags&bitSure != 0, flags&bitSettled != 0, int8(flags>>rankShift)
		if flags&bitOpen == 0 {
			x.end = x.from + r.span()
		}
		if flags&bitStart != 0 {
			x.start = x.from + r.span()
		}
		if flags&bitCap != 0 {
			x.cap = x.from + r.span()
		}
		if x.rank > ranks || far(x.from) || far(x.start) || far(x.heard) || x.end != never && far(x.end) || x.cap != never && far(x.cap) {
			return errText
		}
		if i > 0 && list[i-1].from >= x.from && list[i-1].order(x) > 0 {
			return errText
		}
		last = x.from
	}
	if r.bad || len(r.data) > 0 {
		return errText
	}
	*s = newSpans(list)
	return nil
}

// MarshalText writes the slices as base64 of: version, first hour, and for each hour whether it has data, and then its
// minutes.
func (s Slices) MarshalText() ([]byte, error) {
	b := []byte{slicesVersion}
	b = binary.AppendVarint(b, s.first)
	b = binary.AppendUvarint(b, uint64(len(s.hours)))
	for _, h := range s.hours {
		if h == nil {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		for _, c := range h.cells {
			b = binary.AppendUvarint(b, c.total)
			if c.total > 0 {
				b = binary.AppendUvarint(b, c.bad)
			}
		}
	}
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalJSON reads what MarshalText wrote, as a JSON text.
func (s *Slices) UnmarshalJSON(data []byte) error {
	r, err := newReader(data, slicesVersion)
	if r == nil || err != nil {
		return err
	}
	s.first = r.varint()
	s.hours = make([]*hour, r.count(1))
	for i := range s.hours {
		if r.byte() == 0 {
			continue
		}
		h := &hour{}
		for m := range h.cells {
			c := cell{total: r.uvarint()}
			if c.total > 0 {
				c.bad = r.uvarint()
			}
			if c.total > MaxCount || c.bad > c.total {
				return errText
			}
			h.cells[m] = c
		}
		h.sum()
		s.hours[i] = h
	}
	if r.bad || len(r.data) > 0 || far(s.first*hourNanos) || s.first > reach/hourNanos || s.first < -reach/hourNanos {
		return errText
	}
	return nil
}

// far tells whether no instant of ours can be n: even one that was clamped is no further off.
func far(n int64) bool { return n > reach || n < -reach-int64(MaxWindow) }

// A reader takes a compact form apart. What is not there reads as 0 and is remembered as bad.
type reader struct {
	data []byte
	bad  bool
}

// newReader reads a JSON text; of null it makes nothing.
func newReader(text []byte, version byte) (*reader, error) {
	if string(text) == "null" {
		return nil, nil
	}
	if n := len(text); n < 2 || text[0] != '"' || text[n-1] != '"' {
		return nil, errText
	}
	text = text[1 : len(text)-1]
	data, err := base64.StdEncoding.AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(text))), text)
	if err != nil || len(data) == 0 {
		return nil, errText
	}
	if data[0] != version {
		return nil, errors.New("the stored intervals of an objective are of a version that this midwatch does not know; start the newer one again")
	}
	return &reader{data: data[1:]}, nil
}

// count reads a number of things of at least size bytes each: never more than there is room for.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.data)/size) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) skip(n uint64) {
	if n > uint64(len(r.data)) {
		r.bad, r.data = true, nil
		return
	}
	r.data = r.data[n:]
}

func (r *reader) byte() byte {
	if len(r.data) == 0 {
		r.bad = true
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

func (r *reader) uvarint() uint64 {
	if len(r.data) > 0 && r.data[0] < 0x80 { // as most are
		v := r.data[0]
		r.data = r.data[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1) //nolint:gosec // zigzag, as encoding/binary has it
}
