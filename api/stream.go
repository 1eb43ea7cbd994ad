package api

import (
	"net/http"
	"time"
	"unicode/utf8"
)

// A stream writes JSON as it goes, so that no answer is ever whole in memory. Writing to a client that has gone does
// nothing; lost says so.
type stream struct {
	w   http.ResponseWriter
	buf []byte
	err error // of the first write that failed
}

// streamBuffer is how much is written at once: so much that what a write costs is little beside what was written.
const streamBuffer = 64 << 10

// spare is room for what is appended before somebody asks whether the buffer is full.
const spare = 4 << 10

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "application/json")
	return &stream{w: w, buf: make([]byte, 0, streamBuffer+spare)}
}

// raw writes what is JSON already.
func (s *stream) raw(text string) {
	if len(s.buf) >= streamBuffer {
		s.flush()
	}
	s.buf = append(s.buf, text...)
}

// text writes a string. escape turns <, > and & into \u escapes, as encoding/json does unless told otherwise.
func (s *stream) text(v string, escape bool) { s.buf = appendString(s.buf, v, escape) }

// instant writes a time as Alertmanager does: milliseconds, cut off, and the zone offset that the sender wrote.
func (s *stream) instant(t time.Time) {
	s.buf = append(s.buf, '"')
	s.buf = appendTime(s.buf, t)
	s.buf = append(s.buf, '"')
}

const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// appendTime appends t in timeFormat. The library is several times faster with a format that it knows, which lacks the
// fraction.
func appendTime(b []byte, t time.Time) []byte {
	const whole = len("2006-01-02T15:04:05")
	from := len(b)
	b = t.AppendFormat(b, time.RFC3339)
	if len(b) < from+whole+1 || b[from+4] != '-' || b[from+whole-3] != ':' { // a year of more than four digits
		return t.AppendFormat(b[:from], timeFormat)
	}
	ms := t.Nanosecond() / int(time.Millisecond)
	b = append(b, "0000"...)
	copy(b[from+whole+4:], b[from+whole:len(b)-4])
	b[from+whole] = '.'
	b[from+whole+1], b[from+whole+2], b[from+whole+3] = byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10) //nolint:gosec // digits
	return b
}

// fingerprint writes 16 hexadecimal digits.
func (s *stream) fingerprint(fp uint64) {
	s.buf = append(s.buf, '"')
	for shift := 60; shift >= 0; shift -= 4 {
		s.buf = append(s.buf, hexDigits[fp>>shift&0xf])
	}
	s.buf = append(s.buf, '"')
}

// texts writes an array of strings.
func (s *stream) texts(vs []string, escape bool) {
	s.raw("[")
	for i, v := range vs {
		if i > 0 {
			s.raw(",")
		}
		s.text(v, escape)
	}
	s.raw("]")
}

func (s *stream) flush() {
	if s.err == nil {
		_, s.err = s.w.Write(s.buf)
	}
	if cap(s.buf) > 2*streamBuffer { // for one long text
		s.buf = make([]byte, 0, streamBuffer+spare)
	}
	s.buf = s.buf[:0]
}

// lost reports whether there is nobody left to write for.
func (s *stream) lost() bool { return s.err != nil }

func (s *stream) end() { s.flush() }

const hexDigits = "0123456789abcdef"

// plainLength is how many bytes of v, from its start, are the same in JSON; at least so many, seen in steps of eight.
func plainLength(v string, escape bool) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(v); i += 8 {
		w := v[i : i+8]
		x := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		// A byte is zero in x^(ones*c) where it is c in x. What borrows from its neighbour only makes us look twice.
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		odd := x | (x-ones*' ')&^x | (quote-ones)&^quote | (slash-ones)&^slash
		if escape {
			angle, and := x&^(ones*('<'^'>'))^(ones*'<'), x^(ones*'&') // < and > differ in one bit
			odd |= (angle-ones)&^angle | (and-ones)&^and
		}
		if odd&tops != 0 {
			return i
		}
	}
	for i < len(v) && isPlain(v[i], escape) {
		i++
	}
	return i
}

// isPlain reports whether the byte is the same in a JSON string.
func isPlain(c byte, escape bool) bool {
	return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && (!escape || c != '<' && c != '>' && c != '&')
}

// appendString appends v as encoding/json writes a string.
func appendString(b []byte, v string, escape bool) []byte {
	b = append(b, '"')
	start := 0
	for i := plainLength(v, escape); i < len(v); {
		if c := v[i]; c < utf8.RuneSelf {
			if isPlain(c, escape) {
				i++
				continue
			}
			b = append(b, v[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\b':
				b = append(b, `\b`...)
			case '\f':
				b = append(b, `\f`...)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, `\u00`...)
				b = append(b, hexDigits[c>>4], hexDigits[c&0xf])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(v[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, v[start:i]...)
			b = append(b, `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029': // line ends to JavaScript, which JSON was once pasted into
			b = append(b, v[start:i]...)
			b = append(b, `\u202`...)
			b = append(b, hexDigits[r&0xf])
			start = i + size
		}
		i += size
	}
	b = append(b, v[start:]...)
	return append(b, '"')
}
