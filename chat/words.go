package chat

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/midwatch/midwatch/excerpt"
)

// line joins s to one line of valid UTF-8 of at most limit bytes. What cannot be seen goes, the overrides of text direction
// too, by which a label could disguise what follows it.
func line(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = true
			continue
		}
		if hidden(r) {
			continue
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
		if b.Len() > limit {
			break
		}
	}
	return excerpt.Bytes(b.String(), limit)
}

// lines keeps the line ends of s and is otherwise as line.
func lines(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		case hidden(r):
			return -1
		}
		return r
	}, s)
	return excerpt.Bytes(strings.TrimSpace(s), limit)
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069' || r == '\uFEFF'
}

// web says whether a URL may be a link in a message: http or https with a host, and nothing that would end the link early.
func web(s string) bool {
	if s == "" || strings.ContainsAny(s, "<>|\"' \t\r\n`\\") {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// noPings takes the power from words that wake a whole channel: an alert's label may hold any.
func noPings(s string) string {
	for _, p := range []string{"@everyone", "@here", "@channel", "@all", "@room"} {
		s = strings.ReplaceAll(s, p, "@\u200b"+p[1:])
	}
	return s
}
