package draw

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A legend gives single letters to those who may have too little room for their names, digits to overrides, and
// colours to people. Who is on call together has a letter and a colour together.
type legend struct {
	entries []*entry // in the order of their bars
	of      map[string]*entry
}

type entry struct {
	label  string
	key    string
	colour int  // counted from 0
	used   bool // the key stands somewhere
}

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "123456789"
	noKey   = "*" // they have run out
)

func (p Picture) legend() legend {
	l := legend{of: map[string]*entry{}}
	taken, colours := map[string]bool{}, map[string]int{}
	for _, row := range p.Rows {
		for _, b := range row.Bars {
			if l.of[b.label()] != nil || len(b.Users) == 0 {
				continue
			}
			who := strings.Join(b.Users, "+")
			if _, known := colours[who]; !known {
				colours[who] = len(colours)
			}
			e := &entry{label: b.label(), key: b.freeKey(taken), colour: colours[who]}
			taken[e.key] = true
			l.of[e.label] = e
			l.entries = append(l.entries, e)
		}
	}
	return l
}

// freeKey is the initial of the first, the first letter that is free, or a digit for an override.
func (b Bar) freeKey(taken map[string]bool) string {
	wish := letters
	if first, _ := utf8.DecodeRuneInString(b.label()); strings.ContainsRune(letters, unicode.ToUpper(first)) {
		wish = string(unicode.ToUpper(first)) + letters
	}
	if b.Does != "" {
		wish = digits
	}
	for _, r := range wish {
		if !taken[string(r)] {
			return string(r)
		}
	}
	return noKey
}

// explained are the entries whose keys stand somewhere; those that have none of their own are one.
func (l legend) explained() (out []entry) {
	others := false
	for _, e := range l.entries {
		switch {
		case !e.used:
		case e.key == noKey:
			others = true
		default:
			out = append(out, *e)
		}
	}
	if others {
		out = append(out, entry{label: "others", key: noKey, colour: -1})
	}
	return out
}
