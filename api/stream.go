package api

import (
	"bufio"
	"net/http"
	"time"
	"unicode/utf8"
)

// A stream writes JSON as it goes, so that no answer is ever whole in memory. Writing to a client that has gone does
// nothing; lost says so.
type stream struct {
	w   *bufio.Writer
	buf []byte
}

const streamBuffer = 32 << 10

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "application/json")
	return &stream{w: bufio.NewWriterSize(w, streamBuffer)}
}

// raw writes what is JSON already.
func (s *stream) raw(text string) { _, _ = s.w.WriteString(text) }

// text writes a string. escape turns <, > and & into \u escapes, as encoding/json does unless told otherwise.
func (s *stream) text(v string, escape bool) {
	s.buf = appendString(s.buf[:0], v, escape)
	_, _ = s.w.Write(s.buf)
}

// instant writes a time as Alertmanager does: milliseconds, cut off, and the zone offset that the sender wrote.
func (s *stream) instant(t time.Time) {
	s.buf = append(s.buf[:0], '"')
	s.buf = t.AppendFormat(s.buf, timeFormat)
	s.buf = append(s.buf, '"')
	_, _ = s.w.Write(s.buf)
}

const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// fingerprint writes 16 hexadecimal digits.
func (s *stream) fingerprint(fp uint64) {
	s.buf = append(s.buf[:0], '"')
	for shift := 60; shift >= 0; shift -= 4 {
		s.buf = append(s.buf, hexDigits[fp>>shift&0xf])
	}
	s.buf = append(s.buf, '"')
	_, _ = s.w.Write(s.buf)
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

// lost reports whether there is nobody left to write for.
func (s *stream) lost() bool {
	_, err := s.w.Write(nil)
	return err != nil
}

func (s *stream) end() { _ = s.w.Flush() }

const hexDigits = "0123456789abcdef"

// appendString appends v as encoding/json writes a string.
func appendString(b []byte, v string, escape bool) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(v); {
		if c := v[i]; c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && (!escape || c != '<' && c != '>' && c != '&') {
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
