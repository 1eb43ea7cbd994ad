package notify

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A text message holds 160 letters of the small alphabet (GSM 03.38), or 153 in each part of a longer one; with a single
// letter outside of it, 70 and 67. Some letters of the alphabet count twice.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmTwice = "\f^{}\\[~]|€"
)

// gsmNear writes what is near to a letter of the small alphabet.
var gsmNear = strings.NewReplacer(
	"…", "...", "–", "-", "—", "-", "‘", "'", "’", "'", "“", `"`, "”", `"`, "„", `"`, "•", "-", "→", "->", "\u00a0", " ", "\t", " ",
	"\u2068", "", "\u2069", "", "\u200b", "", "×", "x", "°", "o", "ł", "l", "Ł", "L", "đ", "d", "Đ", "D", "ı", "i", "œ", "oe", "Œ", "OE",
)

// gsm writes a text in the small alphabet: accents that it does not have go, and what it cannot say at all becomes a
// question mark. Where that would be more than a fifth of the letters the text is in another script: then it stays as it is.
func gsm(s string) string {
	s = gsmNear.Replace(s)
	var b strings.Builder
	lost, letters := 0, 0
	for _, r := range norm.NFC.String(s) {
		letters++
		if gsmWeight(r) > 0 {
			b.WriteRune(r)
			continue
		}
		plain := 0
		for _, part := range norm.NFD.String(string(r)) {
			if !unicode.Is(unicode.Mn, part) && gsmWeight(part) > 0 {
				b.WriteRune(part)
				plain++
			}
		}
		if plain == 0 {
			b.WriteByte('?')
			lost++
		}
	}
	if lost*5 > letters {
		return s
	}
	return b.String()
}

// gsmWeight is for how many letters one counts; 0: it is not in the alphabet.
func gsmWeight(r rune) int {
	switch {
	case strings.ContainsRune(gsmBasic, r):
		return 1
	case strings.ContainsRune(gsmTwice, r):
		return 2
	}
	return 0
}

// gsmLength counts a text as the network does, and says whether it is in the small alphabet; else it counts UTF-16 units.
func gsmLength(s string) (n int, small bool) {
	for _, r := range s {
		w := gsmWeight(r)
		if w == 0 {
			n = 0
			for _, r := range s {
				n++
				if r > 0xFFFF {
					n++
				}
			}
			return n, false
		}
		n += w
	}
	return n, true
}

// gsmCut shortens a text to so many letters as gsmLength counts them, between words where it can.
func gsmCut(s string, most int) string {
	if n, _ := gsmLength(s); n <= most {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 {
		runes = runes[:len(runes)-1]
		short := strings.TrimRight(string(runes), " ,.;:-") + "..."
		if n, _ := gsmLength(short); n <= most {
			return short
		}
	}
	return ""
}
