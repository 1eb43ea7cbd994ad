package api

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"
)

// string reads a string. Where it is written as it is meant it is not copied, but lies in the body.
func (p *posting) string(b []byte, i int) (string, int) {
	if i >= len(b) || b[i] != '"' {
		return "", -1
	}
	i++
	end := plain(b, i)
	if end < len(b) && b[end] == '"' {
		return view(b[i:end]), end + 1
	}
	return p.unescape(b, i, end)
}

// view is b as a string, without a copy: whoever changes b changes the string.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// plain returns where at or after i a byte is that ends a run of plain ones: a quote, a backslash, one below a space or
// above ASCII.
func plain(b []byte, i int) int {
	// It looks at eight bytes at once. Flipping the second bit takes the quote right behind the control characters, and
	// moves nothing else across. Each subtraction sets the high bit of a byte that is small enough; what it borrows
	// from spoils only bytes above one that was found, and the lowest counts.
	const (
		each  = 0x0101010101010101
		highs = 0x80 * each
	)
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		low, slash := (x^0x02*each)-0x21*each, (x^'\\'*each)-each
		if found := (low | slash | x) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// unescape reads on in a string that began at from and is plain up to i.
func (p *posting) unescape(b []byte, from, i int) (string, int) {
	begin, escaped := len(p.text), false
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			if !escaped {
				return view(b[from:i]), i + 1
			}
			p.text = append(p.text, b[from:i]...)
			return view(p.text[begin:len(p.text):len(p.text)]), i + 1
		case c == '\\':
			escaped = true
			p.text = append(p.text, b[from:i]...)
			if i = p.escape(b, i+1); i < 0 {
				return "", -1
			}
			from = i
		case c < ' ':
			return "", -1
		case c < utf8.RuneSelf:
			i = plain(b, i)
		default:
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 {
				return "", -1
			}
			i += size
		}
	}
	return "", -1
}

// escape reads what follows a backslash.
func (p *posting) escape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	c := b[i]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		r := hex4(b, i+1)
		if i += 5; r >= 0xd800 && r < 0xe000 { // a surrogate: the first half of a letter, the second must follow
			low := rune(-1)
			if i+1 < len(b) && b[i] == '\\' && b[i+1] == 'u' {
				low = hex4(b, i+2)
			}
			if r >= 0xdc00 || low < 0xdc00 || low >= 0xe000 {
				return -1
			}
			r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
			i += 6
		}
		if r < 0 {
			return -1
		}
		p.text = utf8.AppendRune(p.text, r)
		return i
	default:
		return -1
	}
	p.text = append(p.text, c)
	return i + 1
}

// hex4 is the number that four hexadecimal digits make, or -1.
func hex4(b []byte, i int) rune {
	if i+4 > len(b) {
		return -1
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// link reads a generatorURL, which may be empty.
func (p *posting) link(b []byte, i int) (string, int) {
	if p.written != "" && strings.HasPrefix(view(b[i:]), p.written) {
		return p.url, i + len(p.written)
	}
	text, end := p.string(b, i)
	if end < 0 || text != "" && !usualURL(text) && !validURL(text) {
		return "", -1
	}
	p.url, p.written = text, view(b[i:end])
	return text, end
}

// usualURL reports whether the text is a plain link: http or https, a host of letters, digits, dots and hyphens, maybe a
// port, then a path without escapes, and maybe a query. url.ParseRequestURI takes every one.
func usualURL(text string) bool {
	rest, ok := strings.CutPrefix(text, "http")
	if !ok {
		return false
	}
	rest = strings.TrimPrefix(rest, "s")
	if rest, ok = strings.CutPrefix(rest, "://"); !ok {
		return false
	}
	i := 0
	for i < len(rest) && urlBytes[rest[i]]&inHost != 0 {
		i++
	}
	if i == 0 {
		return false
	}
	if i < len(rest) && rest[i] == ':' {
		for i++; i < len(rest) && rest[i] >= '0' && rest[i] <= '9'; {
			i++
		}
	}
	if i < len(rest) && rest[i] != '/' {
		return false
	}
	for i < len(rest) && urlBytes[rest[i]]&inPath != 0 {
		i++
	}
	if i < len(rest) && rest[i] == '?' {
		for i++; i < len(rest) && urlBytes[rest[i]]&inQuery != 0; {
			i++
		}
	}
	return i == len(rest)
}

// Where in a usual URL a byte may stand.
const (
	inHost = 1 << iota
	inPath
	inQuery
)

var urlBytes = func() (in [256]byte) {
	for c := byte('!'); c <= '~'; c++ {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-':
			in[c] = inHost | inPath | inQuery
		case c == '/', c == '_', c == '~', c == ':', c == '@', c == ',', c == ';', c == '=', c == '+':
			in[c] = inPath | inQuery
		default:
			in[c] = inQuery // a fragment too, at which nobody looks
		}
	}
	return in
}()

// time reads a time. The zone offset is kept.
func (p *posting) time(b []byte, i int) (time.Time, int) {
	const usual = len(`"2006-01-02T15:04:05.000Z"`)
	if len(b)-i >= usual && b[i] == '"' && b[i+usual-1] == '"' {
		if t, ok := p.instant(view(b[i+1 : i+usual-1])); ok { // and so there is no other quote in it
			return t, i + usual
		}
	}
	text, i := p.string(b, i)
	if i < 0 {
		return time.Time{}, -1
	}
	if t, ok := p.instant(text); ok {
		return t, i
	}
	t, err := parseDateTime(text)
	if err != nil {
		return time.Time{}, -1
	}
	return t, i
}

// instant reads the form in which programs write times, as 2026-11-20T12:00:00.123Z: with up to nine digits of a
// second's fraction, and Z or an offset such as +02:00. It leaves to the library what is written otherwise, or is no
// time at all.
func (p *posting) instant(text string) (time.Time, bool) {
	const (
		date = len("2006-01-02")
		bare = len("2006-01-02T15:04:05")
	)
	if len(text) <= bare || text[10] != 'T' || text[13] != ':' || text[16] != ':' {
		return time.Time{}, false
	}
	if text[:date] != p.date {
		day, ok := midnight(text[:date])
		if !ok {
			return time.Time{}, false
		}
		p.date, p.day = text[:date], day
	}
	hour, minute, second := two(text, 11), two(text, 14), two(text, 17)
	if hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	at := p.day + int64(hour*3600+minute*60+second)
	rest, nano := text[bare:], 0
	if rest[0] == '.' {
		n := 1
		for ; n < len(rest) && rest[n] >= '0' && rest[n] <= '9'; n++ {
			nano = nano*10 + int(rest[n]-'0')
			if n > 9 {
				return time.Time{}, false
			}
		}
		if n == 1 || n == len(rest) {
			return time.Time{}, false
		}
		for range 10 - n {
			nano *= 10
		}
		rest = rest[n:]
	}
	if rest == "Z" {
		return time.Unix(at, int64(nano)).UTC(), true
	}
	if len(rest) != len("+07:00") || rest[0] != '+' && rest[0] != '-' || rest[3] != ':' {
		return time.Time{}, false
	}
	hour, minute = two(rest, 1), two(rest, 4)
	if hour > 23 || minute > 59 {
		return time.Time{}, false
	}
	shift := int(hour*3600 + minute*60)
	if rest[0] == '-' {
		shift = -shift
	}
	if p.zone == nil || p.shift != shift {
		p.zone, p.shift = time.UTC, shift
		if shift != 0 {
			p.zone = time.FixedZone("", shift)
		}
	}
	return time.Unix(at-int64(shift), int64(nano)).In(p.zone), true
}

// two is the number that two digits at i make; more than 99 where they are none.
func two(s string, i int) uint {
	tens, ones := uint(s[i]-'0'), uint(s[i+1]-'0')
	if tens > 9 || ones > 9 {
		return 100
	}
	return tens*10 + ones
}

// midnight is when the day of a date began, in seconds since 1970. It knows the years 1970 to 2199.
func midnight(date string) (int64, bool) {
	century, year, month, day := two(date, 0), two(date, 2), two(date, 5), two(date, 8)
	if century > 21 || year > 99 || month > 12 || day > 31 || date[4] != '-' || date[7] != '-' {
		return 0, false
	}
	t := time.Date(int(century*100+year), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	// A day that the month does not have comes out in another month.
	return t.Unix(), t.Year() >= 1970 && t.Month() == time.Month(month)
}
