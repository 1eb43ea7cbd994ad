package api

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/midwatch/midwatch/router"
)

// A posting is one posted list of alerts with all the memory that it takes. Nearly every alert that arrives is a repeat
// of which nothing is kept, so the memory serves one request after the other: what a posting gave away (alerts, sets,
// strings) is only valid until it is dropped.
type posting struct {
	room   arrival
	body   bytes.Buffer
	text   []byte         // the strings that are not in the body as they are meant, one after the other
	pairs  []router.Label // the sets, one after the other
	alerts []router.Alert
	list   []*router.Alert // of alerts

	url     string // the last one, which is good: a rule's alerts share it
	written string // how it was written, with its quotes
	odd     bool   // a name of a label or annotation was written with an escape

	date  string // the last one that was read, and its midnight
	day   int64  // in seconds since 1970
	zone  *time.Location
	shift int // of zone, in seconds east of UTC
}

var postings = sync.Pool{New: func() any { return new(posting) }}

// What a posting may hold to be used again: several times what a Prometheus sends at once (64 alerts, then 256 from
// version 3 on). The memory of a larger one is left to the collector, so that one giant costs no memory for ever.
const (
	keptBytes  = 1 << 20 // of body, and of text
	keptAlerts = 2048
	keptPairs  = 32 * keptAlerts
)

// newPosting returns one that is empty.
func newPosting() *posting { return postings.Get().(*posting) } //nolint:forcetypeassert // nothing else is in there

// drop ends the life of all that the posting gave away.
func (p *posting) drop() {
	p.room.leave()
	if p.small() {
		p.body.Reset()
		postings.Put(p)
	}
}

func (p *posting) small() bool {
	return p.body.Cap() <= keptBytes && cap(p.text) <= keptBytes && cap(p.alerts) <= keptAlerts && cap(p.pairs) <= keptPairs
}

// decode is decodeAlerts. Bodies of the usual shape are scanned in one pass, into memory that is the posting's; with all
// others, and with all that are refused, encoding/json has the word.
func (p *posting) decode(body []byte) ([]*router.Alert, *fault) {
	if p.scan(body) {
		return p.list, nil
	}
	return decodeAlerts(body)
}

// scan reads the body, and reports whether it could: it then holds in list exactly what decodeAlerts returns. It says no
// to a body that decodeAlerts refuses, and to whatever is not worth its while: fields that occur twice or in another
// case, null, text that is not UTF-8, unknown fields that are lists or objects, anything behind the list. So it need not
// tell errors apart, nor count levels.
func (p *posting) scan(body []byte) bool {
	p.text, p.pairs, p.alerts, p.list = p.text[:0], p.pairs[:0], p.alerts[:0], p.list[:0]
	p.url, p.written, p.odd, p.date = "", "", false, "" // they lie in another body
	i := blank(body, 0)
	if i >= len(body) || body[i] != '[' {
		return false
	}
	if i = blank(body, i+1); i < len(body) && body[i] == ']' {
		return blank(body, i+1) == len(body)
	}
	for len(p.alerts) < maxAlerts {
		if i = p.alert(body, i); i < 0 || i >= len(body) {
			return false
		}
		if body[i] == ']' {
			for a := range p.alerts {
				p.list = append(p.list, &p.alerts[a])
			}
			return blank(body, i+1) == len(body)
		}
		if body[i] != ',' {
			return false
		}
		i = blank(body, i+1)
	}
	return false
}

// The fields of an alert, as bits: each may occur once.
const (
	fieldLabels = 1 << iota
	fieldAnnotations
	fieldStart
	fieldEnd
	fieldURL
)

// alert reads the alert at i, and what is blank behind it. Like all that follows it returns where to go on, or -1 where
// this is nothing for us.
func (p *posting) alert(b []byte, i int) int {
	if i >= len(b) || b[i] != '{' {
		return -1
	}
	before := &router.Alert{}
	if n := len(p.alerts); n > 0 {
		before = &p.alerts[n-1]
	}
	p.alerts = append(p.alerts, router.Alert{Annotations: router.Labels{}})
	a := &p.alerts[len(p.alerts)-1]
	seen := 0
	for i = blank(b, i+1); ; i = blank(b, i+1) {
		var field int
		if field, i = p.field(b, i); i < 0 || seen&field != 0 {
			return -1
		}
		seen |= field
		switch field {
		case fieldLabels:
			a.Labels, i = p.set(b, i, before.Labels)
		case fieldAnnotations:
			a.Annotations, i = p.set(b, i, before.Annotations)
		case fieldStart:
			a.StartsAt, i = p.time(b, i)
		case fieldEnd:
			a.EndsAt, i = p.time(b, i)
		case fieldURL:
			a.GeneratorURL, i = p.link(b, i)
		default:
			i = p.skip(b, i)
		}
		if i < 0 {
			return -1
		}
		if i = blank(b, i); i >= len(b) {
			return -1
		}
		if b[i] == '}' {
			break
		}
		if b[i] != ',' {
			return -1
		}
	}
	if seen&fieldLabels == 0 {
		return -1
	}
	return blank(b, i+1)
}

// field reads the name of one, and the colon. The result is 0 for one that nobody knows.
func (p *posting) field(b []byte, i int) (field, next int) {
	if i >= len(b) {
		return 0, -1
	}
	switch rest := view(b[i:]); { // as they are usually written
	case strings.HasPrefix(rest, `"labels":`):
		return fieldLabels, blank(b, i+len(`"labels":`))
	case strings.HasPrefix(rest, `"annotations":`):
		return fieldAnnotations, blank(b, i+len(`"annotations":`))
	case strings.HasPrefix(rest, `"startsAt":`):
		return fieldStart, blank(b, i+len(`"startsAt":`))
	case strings.HasPrefix(rest, `"endsAt":`):
		return fieldEnd, blank(b, i+len(`"endsAt":`))
	case strings.HasPrefix(rest, `"generatorURL":`):
		return fieldURL, blank(b, i+len(`"generatorURL":`))
	}
	name, i := p.name(b, i)
	switch name {
	case "labels":
		return fieldLabels, i
	case "annotations":
		return fieldAnnotations, i
	case "startsAt":
		return fieldStart, i
	case "endsAt":
		return fieldEnd, i
	case "generatorURL":
		return fieldURL, i
	}
	for _, known := range [...]string{"labels", "annotations", "startsAt", "endsAt", "generatorURL"} {
		if strings.EqualFold(name, known) {
			return 0, -1 // encoding/json takes it for the known one
		}
	}
	return 0, i
}

// name reads a name, and the colon.
func (p *posting) name(b []byte, i int) (string, int) {
	name, i := p.string(b, i)
	if i < 0 {
		return "", -1
	}
	if i = blank(b, i); i >= len(b) || b[i] != ':' {
		return "", -1
	}
	return name, blank(b, i+1)
}

// set reads an object of strings. Most often its names are those of the set before.
func (p *posting) set(b []byte, i int, before router.Labels) (router.Labels, int) {
	if i >= len(b) || b[i] != '{' {
		return nil, -1
	}
	if i = blank(b, i+1); i < len(b) && b[i] == '}' {
		return router.Labels{}, i + 1
	}
	if p.odd {
		before = nil
	}
	first, sorted := len(p.pairs), true
	for ; ; i = blank(b, i+1) {
		var l router.Label
		if n := len(p.pairs) - first; n < len(before) && isName(b, i, before[n].Name) {
			l.Name = before[n].Name // behind those before it in before: sorted
			i += len(l.Name) + len(`"":`)
		} else {
			before = nil // what the names are like is no longer known
			texts := len(p.text)
			if l.Name, i = p.name(b, i); i < 0 {
				return nil, -1
			}
			p.odd = p.odd || len(p.text) > texts
			if n > 0 && l.Name <= p.pairs[len(p.pairs)-1].Name {
				sorted = false
			}
		}
		if l.Value, i = p.string(b, i); i < 0 {
			return nil, -1
		}
		p.pairs = append(p.pairs, l)
		if i >= len(b) || b[i] != ',' {
			if i = blank(b, i); i >= len(b) {
				return nil, -1
			}
		}
		if b[i] == '}' {
			break
		}
		if b[i] != ',' {
			return nil, -1
		}
	}
	set := p.pairs[first:len(p.pairs):len(p.pairs)]
	if !sorted {
		slices.SortFunc(set, func(a, b router.Label) int { return strings.Compare(a.Name, b.Name) })
		for n := 1; n < len(set); n++ {
			if set[n].Name == set[n-1].Name {
				return nil, -1
			}
		}
	}
	return set, i + 1
}

// isName reports whether at i this name is written and then, at once, the colon. It must be one that needs no escape.
func isName(b []byte, i int, name string) bool {
	end := i + 1 + len(name)
	return end+1 < len(b) && b[i] == '"' && b[end] == '"' && b[end+1] == ':' && string(b[i+1:end]) == name
}

// skip reads the value of a field that nobody knows.
func (p *posting) skip(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		_, i = p.string(b, i)
		return i
	case c == '0':
		return i + 1
	case c >= '1' && c <= '9': // what is no whole number ends in a byte that cannot follow
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word)
		}
	}
	return -1
}

// blank returns where after i something is that is not blank.
func blank(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}
