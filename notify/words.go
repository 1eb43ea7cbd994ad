package notify

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/midwatch/midwatch/excerpt"
)

// zoneOf loads a person's zone. An unknown one is UTC: no page is lost to a zone.
func zoneOf(name string) *time.Location {
	if loc, err := time.LoadLocation(name); err == nil {
		return loc
	}
	return time.UTC
}

// instant says a moment in the person's zone and in UTC: "Sun 22 Nov 04:05 CET (03:05 UTC)", and the date a second time
// where UTC has another one.
func instant(t time.Time, loc *time.Location) string {
	local, utc := t.In(loc), t.UTC()
	words := local.Format("Mon 2 Jan 15:04 MST")
	switch {
	case loc == time.UTC || local.Format("MST") == "UTC":
		return words
	case local.Format(time.DateOnly) != utc.Format(time.DateOnly):
		return words + utc.Format(" (Mon 2 Jan 15:04 UTC)")
	}
	return words + utc.Format(" (15:04 UTC)")
}

// clock is instant without the date, for a moment on the same day as now in the person's zone.
func clock(t, now time.Time, loc *time.Location) string {
	local := t.In(loc)
	if local.Format(time.DateOnly) != now.In(loc).Format(time.DateOnly) || local.Format(time.DateOnly) != t.UTC().Format(time.DateOnly) {
		return instant(t, loc)
	}
	words := local.Format("15:04 MST")
	if loc == time.UTC || local.Format("MST") == "UTC" {
		return words
	}
	return words + t.UTC().Format(" (15:04 UTC)")
}

// lasting says how long something has lasted, in its two largest units: "45s", "5m30s", "2h5m", "3d4h". Under a second
// it says nothing.
func lasting(d time.Duration) string {
	const day = 24 * time.Hour
	units := []struct {
		unit time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	var b strings.Builder
	for i, u := range units {
		if d < u.unit {
			continue
		}
		fmt.Fprintf(&b, "%d%s", d/u.unit, u.name)
		if i+1 < len(units) {
			if rest := d % u.unit / units[i+1].unit; rest > 0 {
				fmt.Fprintf(&b, "%d%s", rest, units[i+1].name)
			}
		}
		break
	}
	return b.String()
}

// count says "1 alert", "2 alerts".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// enumerate joins names as one would say them, so many and no more: "ana", "ana and bo", "ana, bo and 3 more".
func enumerate(names []string, most int) string {
	shown := names
	if len(names) > most {
		shown = append(append([]string{}, names[:most]...), fmt.Sprintf("%d more", len(names)-most))
	}
	if len(shown) < 2 {
		return strings.Join(shown, "")
	}
	return strings.Join(shown[:len(shown)-1], ", ") + " and " + shown[len(shown)-1]
}

// isolate keeps a right-to-left text from turning round what stands after it on the same line.
func isolate(s string) string {
	for _, r := range s {
		if unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko) {
			return "\u2068" + s + "\u2069"
		}
	}
	return s
}

// said is a text somebody else wrote (a title, a label), made fit for one line of a message.
func said(s string, most int) string { return isolate(excerpt.Bytes(oneLine(s), most)) }

// link says whether u can be followed: http or https, with a host, and nothing in it that would end a link early in one of
// the dialects. Anything else is shown as text, never as a link.
func link(u string) bool {
	p, err := url.Parse(u)
	return err == nil && (p.Scheme == "http" || p.Scheme == "https") && p.Host != "" && !strings.ContainsAny(u, " <>|\"'()\\")
}

// ascii replaces what is not printable ASCII, for services that take nothing else.
func ascii(s string) string {
	s = strings.ReplaceAll(s, "…", "...")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\u2068', r == '\u2069':
			return -1
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
}
