package config

import (
	"bytes"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/calendar"
	"github.com/midwatch/midwatch/oncall"
)

// A Calendar is a shared calendar that the file names: a file, or an address from which it is fetched.
type Calendar struct {
	Name    string
	File    string        // empty: it has an address
	URL     string        // a secret; empty: it is a file
	Refresh time.Duration // how often an address is asked again
	Events  int           // how many single events were read, those of a year before and two years ahead
}

// Limits of calendars.
const (
	DefaultRefresh = 15 * time.Minute
	MinRefresh     = time.Minute // the services that share calendars ask for patience; most renew them each hour or less
	MaxCalendars   = 200

	// Events are read from so long before to so long after the day on which the file is read. Reports look back a year,
	// and nobody plans a rota for longer than two.
	calendarBack  = 400 * 24 * time.Hour
	calendarAhead = 2 * 366 * 24 * time.Hour

	shownTitles = 3 // events that name nobody are told one by one, so many
)

// sharedCalendars reads the section. Their events may be windows, absences, and the turns of a layer.
func (l *loader) sharedCalendars() {
	l.each("calendars", &l.shared, func(o object, name string) {
		if first, again := l.interval.at[name]; again {
			o.fault(o.get("name"), fmt.Sprintf("there is a time interval %q, too", name),
				fmt.Sprintf("it is at %s:%d; windows name either, so rename one", first.file, first.at.line))
			return
		}
		c := Calendar{Name: name, Refresh: o.duration("refresh", DefaultRefresh)}
		if !o.ok || !l.findCalendar(o, &c) {
			l.events[name] = nil
			l.calendar[name] = &oncall.Calendar{Name: name}
			return
		}
		if len(l.cfg.Calendars) == MaxCalendars {
			o.fault(o.node, fmt.Sprintf("there are more than %d calendars", MaxCalendars), "share one calendar between schedules")
			return
		}
		if c.Refresh < MinRefresh {
			o.fault(o.here("refresh"), fmt.Sprintf("refresh %s is shorter than %s", o.text("refresh"), MinRefresh), "write a longer time")
		}
		events := l.readCalendar(o, &c)
		l.cfg.Calendars = append(l.cfg.Calendars, c)
		l.events[name] = events
		l.calendar[name] = &oncall.Calendar{Name: name, Events: windowsOf(events, location(o.text("time_zone")))}
		l.zones[name] = location(o.text("time_zone"))
	})
	if len(l.calendar) > 0 {
		l.cfg.windows = l.calendar
	}
}

// findCalendar reads where the calendar is.
func (l *loader) findCalendar(o object, c *Calendar) bool {
	var given []string
	for _, key := range []string{"file", "url", "url_file"} {
		if o.get(key) != nil {
			given = append(given, key)
		}
	}
	if len(given) != 1 {
		o.fault(o.node, fmt.Sprintf("has %d of file, url and url_file", len(given)), "write exactly one")
		return false
	}
	n := o.get(given[0])
	switch given[0] {
	case "file":
		c.File = l.beside(n.Value)
		return true
	case "url":
		c.URL = n.Value
	case "url_file":
		text, err := l.readFile("url_file", l.beside(n.Value))
		if l.unseen(o, "url_file", err) {
			return false
		}
		if err != nil {
			o.fault(n, fmt.Sprintf("url_file %s cannot be read: %s", n.Value, reason(err)), "name a file that holds the address alone")
			return false
		}
		c.URL = strings.TrimSpace(string(text))
	}
	if l.veiled(c.URL) {
		return true
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "webcal" {
		o.fault(n, given[0]+" is not an address", "write one that begins with https:// or webcal://")
		return false
	}
	return true
}

// beside takes a path from the file's folder.
func (l *loader) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.opts.Dir, path)
}

// readCalendar reads the events. What is wrong inside of a calendar is a warning: its owner is somebody else, and a
// configuration must not be refused because of a damaged event.
func (l *loader) readCalendar(o object, c *Calendar) []calendar.Event {
	where := o.get("name")
	data, err := l.contentOf(*c)
	if l.unseen(o, "file", err) {
		return nil
	}
	if err != nil {
		if c.File != "" {
			o.fault(o.get("file"), fmt.Sprintf("%s cannot be read: %s", c.File, reason(err)), "name a calendar file")
			return nil
		}
		o.warn(where, fmt.Sprintf("could not be fetched: %s", err), "until it is, it has no events")
		return nil
	}
	if data == nil {
		if l.opts.beside != nil {
			o.warn(where, "is not asked: what it says is not looked at", notLookedAt)
		}
		return nil // nobody looks at addresses here
	}
	now := l.opts.now()
	events, warnings, err := calendar.Read(bytes.NewReader(data), calendar.Options{From: now.Add(-calendarBack), To: now.Add(calendarAhead)})
	if err != nil {
		say := o.fault
		if c.URL != "" {
			say = o.warn
		}
		say(where, fmt.Sprintf("is not a calendar that can be read: %s", err), "")
		return nil
	}
	for _, w := range warnings {
		o.warn(where, w, "")
	}
	c.Events = len(events)
	return events
}

func (l *loader) contentOf(c Calendar) ([]byte, error) {
	if c.File != "" {
		return l.readFile("file", c.File)
	}
	if l.opts.Fetch == nil {
		return nil, nil
	}
	return l.opts.Fetch(c)
}

// now is the instant around which calendars are read.
func (o Options) now() time.Time {
	if o.Now.IsZero() {
		return time.Now()
	}
	return o.Now
}

// windowsOf are events as windows. A nil zone leaves whole days and floating times to whoever asks.
func windowsOf(events []calendar.Event, zone *time.Location) []oncall.Event {
	out := make([]oncall.Event, 0, len(events))
	for _, e := range events {
		out = append(out, windowOf(e, zone))
	}
	return out
}

func windowOf(e calendar.Event, zone *time.Location) oncall.Event {
	w := oncall.Event{Title: e.Summary, Instant: !e.Civil, From: oncall.WallTime(e.Start, time.UTC), To: oncall.WallTime(e.End, time.UTC)}
	if e.Civil && zone != nil {
		w.Instant = true
		w.From, w.To = oncall.WallTime(w.From.First(zone), time.UTC), oncall.WallTime(w.To.Last(zone), time.UTC)
	}
	return w
}

// A caller is how shared calendars may name a user, in lower case.
type caller map[string]string

// callers are all names and addresses of all users.
func (l *loader) callers() caller {
	c := caller{strings.ToLower(oncall.Nobody): oncall.Nobody}
	for _, name := range l.cfg.UserOrder {
		u := l.cfg.Users[name]
		for _, as := range append([]string{u.FullName, u.Email}, u.CalendarNames...) {
			if as != "" {
				c[strings.ToLower(strings.TrimSpace(as))] = name
			}
		}
	}
	for _, name := range l.cfg.UserOrder {
		c[strings.ToLower(name)] = name
	}
	return c
}

var betweenNames = strings.NewReplacer(
	",", "\n", ";", "\n", "&", "\n", "+", "\n", "/", "\n", ":", "\n", "(", "\n", ")", "\n", "[", "\n", "]", "\n", "|", "\n",
	" and ", "\n", " - ", "\n", " – ", "\n", " — ", "\n", " with ", "\n")

// named are the users whom an event names: in its title, by a name or an address, alone or in a list; else by its
// attendees.
func (c caller) named(e calendar.Event) (users []string) {
	add := func(text string) {
		if user := c[strings.ToLower(strings.Join(strings.Fields(text), " "))]; user != "" && !slices.Contains(users, user) {
			users = append(users, user)
		}
	}
	add(e.Summary)
	for part := range strings.SplitSeq(betweenNames.Replace(e.Summary), "\n") {
		add(part)
	}
	if len(users) == 0 {
		for _, a := range e.Attendees {
			add(a)
		}
	}
	return users
}

// sharedLayer makes the turns of a layer from a calendar.
func (l *loader) sharedLayer(o object) *oncall.Calendar {
	n := o.get("calendar")
	if !o.refer(n, "calendar", &l.shared) {
		return nil
	}
	out := &oncall.Calendar{Name: n.Value}
	callers, now := l.callers(), l.opts.now()
	var unnamed []string
	for _, e := range l.events[n.Value] {
		w := windowOf(e, l.zones[n.Value])
		if w.Who = callers.named(e); len(w.Who) == 0 && e.End.After(now) {
			unnamed = append(unnamed, fmt.Sprintf("%q on %s", e.Summary, e.Start.Format(time.DateOnly)))
		}
		for _, user := range w.Who {
			if user != oncall.Nobody {
				l.paged(user, o.where)
			}
		}
		out.Events = append(out.Events, w)
	}
	if more := len(unnamed) - shownTitles; more > 0 {
		unnamed = append(unnamed[:shownTitles], fmt.Sprintf("and %d more", more))
	}
	if len(unnamed) > 0 {
		o.warn(n, fmt.Sprintf("events of calendar %q that name no user: %s", n.Value, strings.Join(unnamed, ", ")),
			"an event's title is a user's name, full_name, email or one of their calendar_names; several with a comma between them")
	}
	return out
}

// absencesFrom are the events of a calendar as absences: all of them, or those that name the user.
func (l *loader) absencesFrom(o object, u User) (absences []oncall.Absence) {
	n := o.get("calendar")
	if !o.refer(n, "calendar", &l.shared) {
		return nil
	}
	zone := location(u.TimeZone)
	if zone == nil {
		zone = time.UTC
	}
	mine := caller{strings.ToLower(u.Name): u.Name}
	for _, as := range append([]string{u.FullName, u.Email}, u.CalendarNames...) {
		mine[strings.ToLower(strings.TrimSpace(as))] = u.Name
	}
	delete(mine, "")
	for _, e := range l.events[n.Value] {
		if o.boolean("only_mine", false) && len(mine.named(e)) == 0 {
			continue
		}
		at := windowOf(e, l.zones[n.Value]).Stretch(zone)
		if at.Start.Before(at.End) {
			absences = append(absences, oncall.Absence{Start: at.Start, End: at.End, Reason: e.Summary})
		}
	}
	return absences
}
