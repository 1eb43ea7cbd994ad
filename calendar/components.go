package calendar

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	ics "github.com/arran4/golang-ical"
)

// A line is an unfolded content line.
type line struct {
	number int // of its first physical line, from 1
	text   []byte
}

// A component is what stands between BEGIN and END.
type component struct {
	name       string
	line       int
	properties []property
	parts      []*component
	fault      error // what makes it unusable; nil: nothing
}

// A property is one line that matters here. Text is unescaped.
type property struct {
	name, value string
	line        int
	params      map[string][]string // by upper-case name
}

// wanted are the properties that are looked at, by component. Nothing else is even parsed: descriptions and the
// extensions of every vendor may be as odd as they like.
var wanted = map[string][]string{
	"VCALENDAR": {"VERSION", "CALSCALE", "METHOD"},
	"VTIMEZONE": {"TZID", "X-LIC-LOCATION"},
	"STANDARD":  {"DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE"},
	"DAYLIGHT":  {"DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE"},
	"VEVENT": {
		"UID", "SUMMARY", "STATUS", "SEQUENCE", "ATTENDEE", "DTSTART", "DTEND", "DURATION",
		"RRULE", "EXRULE", "RDATE", "EXDATE", "RECURRENCE-ID",
	},
}

// parse makes calendars out of lines. Only the outermost frame must be whole; what is broken within is the fault of
// the event or zone that it stands in.
func (in *reading) parse(lines []line) ([]*component, error) {
	var files, open []*component
	events := 0
	for _, l := range lines {
		name, ok := nameOf(l.text)
		if len(open) == 0 {
			if name != "BEGIN" || !strings.EqualFold(valueOf(l.text), "VCALENDAR") {
				return nil, notACalendar(l.number, l.text)
			}
			files = append(files, &component{name: "VCALENDAR", line: l.number})
			open = append(open, files[len(files)-1])
			continue
		}
		top := open[len(open)-1]
		switch {
		case !ok:
			in.damage(open, l.number, "this is not a line of the form NAME:VALUE; fold long text with a leading space, and write its line breaks as \\n")

		case name == "BEGIN":
			c := &component{name: strings.ToUpper(valueOf(l.text)), line: l.number}
			if c.name == "VCALENDAR" {
				return nil, fmt.Errorf("line %d: a calendar begins before the one of line %d has ended; the file is not complete, get it again", l.number, files[len(files)-1].line)
			}
			if c.name == "VEVENT" {
				if events++; events > in.MaxEvents {
					return nil, fmt.Errorf("line %d: more than %d events; share a calendar that holds only what is needed here, or one with less history", l.number, in.MaxEvents)
				}
				if i := slices.IndexFunc(open, func(c *component) bool { return c.name == "VEVENT" }); i > 0 {
					in.damage(open, l.number, "END:VEVENT is missing before this line")
					open = open[:i]
					top = open[i-1]
				}
			}
			top.parts = append(top.parts, c)
			open = append(open, c)

		case name == "END":
			what := strings.ToUpper(valueOf(l.text))
			i := len(open) - 1
			for i >= 0 && open[i].name != what {
				i--
			}
			if i < len(open)-1 {
				in.damage(open, l.number, "END:%s does not end what was begun last, which is %s", quote(what), quote(top.name))
			}
			if i >= 0 {
				open = open[:i]
			}

		case slices.Contains(wanted[top.name], name):
			p, err := parseProperty(name, l)
			if err != nil {
				in.damage(open, l.number, "%v", err)
				continue
			}
			top.properties = append(top.properties, p)
		}
	}
	if len(files) == 0 {
		return nil, errors.New("this is no calendar: it is empty; check the address or the file")
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("the calendar that begins in line %d has no END:VCALENDAR; the file is not complete, get it again", files[len(files)-1].line)
	}
	for _, f := range files {
		if err := f.acceptable(); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// acceptable refuses calendars in which the same words mean something else.
func (c *component) acceptable() error {
	if v := c.text("VERSION"); v == "1.0" {
		return fmt.Errorf("line %d: this is vCalendar 1.0, in which rules are written differently; export it as iCalendar 2.0", c.line)
	}
	if v := c.text("CALSCALE"); v != "" && !strings.EqualFold(v, "GREGORIAN") {
		return fmt.Errorf("line %d: CALSCALE is %s; only GREGORIAN can be read", c.line, quote(v))
	}
	return nil
}

// damage marks the event or zone that is open, or warns where there is none.
func (in *reading) damage(open []*component, number int, format string, args ...any) {
	for _, c := range slices.Backward(open) {
		if c.name == "VEVENT" || c.name == "VTIMEZONE" {
			if c.fault == nil {
				c.fault = fmt.Errorf("line %d: "+format, append([]any{number}, args...)...)
			}
			return
		}
	}
	in.warn(number, "", format, args...)
}

func parseProperty(name string, l line) (property, error) {
	text := strings.ToValidUTF8(name+string(l.text[len(name):]), "\ufffd")
	b, err := ics.ParseProperty(ics.ContentLine(text))
	if err != nil || b == nil {
		return property{}, fmt.Errorf("%s has parameters that cannot be read; quote those that hold : ; or ,", name)
	}
	p := property{name: name, value: b.Value, line: l.number, params: make(map[string][]string, len(b.ICalParameters))}
	for k, v := range b.ICalParameters {
		k = strings.ToUpper(k)
		p.params[k] = append(p.params[k], v...)
	}
	return p, nil
}

// nameOf is the upper-case name of a content line.
func nameOf(text []byte) (string, bool) {
	end := bytes.IndexAny(text, ";:")
	if end <= 0 {
		return "", false
	}
	for _, c := range text[:end] {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return "", false
		}
	}
	return strings.ToUpper(string(text[:end])), true
}

// valueOf is what follows the first colon: enough for BEGIN and END, which have no parameters.
func valueOf(text []byte) string {
	_, v, _ := bytes.Cut(text, []byte(":"))
	return string(bytes.TrimSpace(v))
}

func (c *component) all(name string) (found []property) {
	for _, p := range c.properties {
		if p.name == name {
			found = append(found, p)
		}
	}
	return found
}

// one is a property that may be there once; ok is false where it is not there.
func (c *component) one(name string) (p property, ok bool, err error) {
	switch found := c.all(name); len(found) {
	case 0:
		return property{}, false, nil
	case 1:
		return found[0], true, nil
	default:
		return property{}, false, fmt.Errorf("%s is there twice, in lines %d and %d; keep one", name, found[0].line, found[1].line)
	}
}

// text is the value of the first such property, or "".
func (c *component) text(name string) string {
	for _, p := range c.properties {
		if p.name == name {
			return strings.TrimSpace(p.value)
		}
	}
	return ""
}

// sequence is the revision of an event: RFC 5545, 3.8.7.4. Zero where there is none, or none that can be read.
func (c *component) sequence() int {
	n, _ := strconv.Atoi(c.text("SEQUENCE"))
	return n
}

func (p property) param(name string) string {
	if v := p.params[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// is tells whether a parameter has the value, which is no matter of case.
func (p property) is(name, value string) bool { return strings.EqualFold(p.param(name), value) }

// shown bounds what messages repeat of a file.
const shown = 60

func quote(s string) string {
	if r := []rune(s); len(r) > shown {
		s = string(r[:shown]) + "…"
	}
	return strconv.Quote(s)
}
