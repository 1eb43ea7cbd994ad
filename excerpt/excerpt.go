// Package excerpt shortens what somebody wrote, and shows by an ellipsis that it did.
package excerpt

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	ellipsis = "…"

	// maxCluster is for how many bytes the end of an excerpt looks back for the beginning of what is drawn as one letter. A family of
	// four with skin tones has 41; marks that are piled up without end are nobody's name and may be cut.
	maxCluster = 64
)

// Bytes is s in at most so many bytes, the ellipsis among them: for records and fields that a service limits. No rune is cut, nor an
// accent from its letter. Where not even the ellipsis fits, nothing is left.
func Bytes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := most - len(ellipsis)
	if end < 0 {
		return ""
	}
	for back := 1; back < utf8.UTFMax && end > 0 && !utf8.RuneStart(s[end]); back++ {
		end--
	}
	return until(s, end)
}

// Letters is s in at most so many runes, the ellipsis among them: for what people read, whose room has nothing to do with how their
// script is coded. It ends as Bytes does.
func Letters(s string, most int) string {
	if len(s) <= most {
		return s
	}
	if most <= 0 {
		return ""
	}
	end, n := 0, 0
	for i := range s {
		if n++; n == most {
			end = i
		}
		if n > most {
			return until(s, end)
		}
	}
	return s
}

// until ends s at a rune, or where the letter begins that this rune is a part of, and without a space before the ellipsis.
func until(s string, end int) string {
	at := end
	for end-at <= maxCluster {
		if !within(s, at) {
			end = at
			break
		}
		_, size := utf8.DecodeLastRuneInString(s[:at])
		at -= size
	}
	return strings.TrimRightFunc(s[:end], unicode.IsSpace) + ellipsis
}

// within says whether the runes on both sides of a place are drawn as one: an accent and its letter, an emoji and what is joined to
// it or colours it, the two halves of a flag. It is the part of Unicode's rules (UAX #29) that shows in names and messages.
func within(s string, at int) bool {
	if at == 0 || at == len(s) {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(s[:at])
	after, _ := utf8.DecodeRuneInString(s[at:])
	switch {
	case unicode.IsSpace(before):
		return false
	case unicode.Is(unicode.M, after), after == joiner, skin(after), tag(after):
		return true
	case before == joiner:
		return unicode.Is(unicode.So, after) // between letters it only says how they are written
	case half(before) && half(after):
		halves := 0
		for rest := s[:at]; halves <= maxCluster; halves++ {
			r, size := utf8.DecodeLastRuneInString(rest)
			if !half(r) {
				break
			}
			rest = rest[:len(rest)-size]
		}
		return halves%2 == 1
	}
	return false
}

const joiner = '\u200d'

func skin(r rune) bool { return r >= 0x1F3FB && r <= 0x1F3FF }
func tag(r rune) bool  { return r >= 0xE0020 && r <= 0xE007F }
func half(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }
