package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/oncall"
)

// Limits of what Ahead looks at and lists.
const (
	lookAhead  = 90 * 24 * time.Hour // SPEC §4.12
	fewGaps    = 3                   // of one schedule are told one by one; the rest is counted
	fewClashes = 3                   // of one absence in one schedule, likewise
	fewIdle    = 5                   // users whom nothing pages, likewise
)

// A mark is where something stands, in the file and in words.
type mark struct {
	place
	where string
}

// mark notes where schedules and users stand, for those who ask a Config that was read: `schedules/db/overrides/0`.
func (l *loader) mark() {
	for _, s := range l.sections {
		lists := map[string][]string{"schedules": {"layers", "overrides"}, "users": {"unavailable"}}[s.name]
		if lists == nil {
			continue
		}
		f := sectionForm(s.name)
		for i, item := range s.value.Content {
			o := object{l, item, f.list, f.list.itemIn(s.name, item, i), true}
			path := s.name + "/" + o.text("name")
			l.cfg.marks[path] = mark{place{s.file, at(o.here("name"))}, o.where}
			for _, list := range lists {
				for j, one := range o.items(list) {
					l.cfg.marks[fmt.Sprintf("%s/%s/%d", path, list, j)] = mark{place{s.file, at(one.node)}, one.where}
				}
			}
		}
	}
}

// ahead collects what Ahead and Against say.
type ahead struct {
	*Config
	now    time.Time
	faults Faults
}

// say adds a warning at a path, or, where the file has no such entry of its own, at what it belongs to.
func (a *ahead) say(path, hint, format string, args ...any) {
	m, known := a.marks[path]
	for ; !known && strings.Contains(path, "/"); m, known = a.marks[path] {
		path = path[:strings.LastIndexByte(path, '/')]
	}
	if slices.ContainsFunc(a.Warnings, func(f Fault) bool { return f.File == m.file && f.Line == m.at.line && f.Column == m.at.column }) {
		return // it was doubted already, for more than its time
	}
	a.faults = append(a.faults, Fault{
		File: m.file, Line: m.at.line, Column: m.at.column, Warning: true,
		Message: join(m.where, fmt.Sprintf(format, args...)), Hint: hint,
	})
}

// Ahead are the doubts that depend on when the file is looked at, as warnings: what is over, when nobody will be on
// call, and where somebody will be who is unavailable, in the next 90 days. Load does not have them.
func (c *Config) Ahead(now time.Time) Faults {
	a := &ahead{Config: c, now: now}
	for _, name := range c.ScheduleOrder {
		a.over(name, c.Schedules[name])
		a.gaps(name, c.Schedules[name])
		a.clashes(name, c.Schedules[name])
	}
	a.idle()
	return a.faults.sorted(c.Files)
}

// over tells of layers and overrides that have ended.
func (a *ahead) over(name string, s *oncall.Schedule) {
	spec := s.Spec()
	for i, l := range spec.Layers {
		if l.EffectiveUntil == 0 {
			continue
		}
		if end := l.EffectiveUntil.Last(cmp.Or(l.Zone, spec.Zone)); !end.After(a.now) {
			a.say(fmt.Sprintf("schedules/%s/layers/%d", name, i), "remove it, or set another effective_until", "is over since %s", l.EffectiveUntil)
		}
	}
	for i, o := range spec.Overrides {
		if _, end := s.Span(o); !end.After(a.now) {
			a.say(fmt.Sprintf("schedules/%s/overrides/%d", name, i), "remove it", "is over since %s", o.To)
		}
	}
}

// gaps tells when nobody will be on call that nobody declared.
func (a *ahead) gaps(name string, s *oncall.Schedule) {
	path, end := "schedules/"+name, a.now.Add(lookAhead)
	gaps := s.Undeclared(a.now, end)
	if len(gaps) == 0 {
		return
	}
	if g := gaps[0]; g.Start.Equal(a.now) && g.End.Equal(end) {
		a.say(path, "add a layer, or declare the gap with uncovered", "nobody is on call in the next %d days", days(lookAhead))
		return
	}
	var told []string
	var all time.Duration
	for i, g := range gaps {
		all += g.End.Sub(g.Start)
		if i < fewGaps {
			told = append(told, a.span(g.Start, g.End, s.Spec().Zone))
		}
	}
	text := strings.Join(told, ", ")
	if more := len(gaps) - len(told); more > 0 {
		text += fmt.Sprintf(", and %d more times", more)
	}
	a.say(path, "add a layer, or declare it with uncovered; midwatch oncall gaps lists all", "nobody is on call %s (%s of the next %d days, in %s)",
		text, hoursText(all), days(lookAhead), s.Spec().Zone)
}

// clashes tells where somebody unavailable will be on call. Each is said at the absence it comes from.
func (a *ahead) clashes(name string, s *oncall.Schedule) {
	var absences []oncall.Absence
	for _, user := range a.UserOrder {
		for _, one := range a.Users[user].Unavailable {
			one.User = user
			absences = append(absences, one)
		}
	}
	var others []*oncall.Schedule
	for _, other := range a.ScheduleOrder {
		if other != name {
			others = append(others, a.Schedules[other])
		}
	}
	type clash struct {
		told []string
		more int
	}
	at := map[string]*clash{}
	for _, c := range s.Conflicts(a.now, a.now.Add(lookAhead), absences, others) {
		i := slices.IndexFunc(a.Users[c.User].Unavailable, func(one oncall.Absence) bool { return !c.Start.Before(one.Start) && c.Start.Before(one.End) })
		path := fmt.Sprintf("users/%s/unavailable/%d", c.User, a.Users[c.User].entries[i])
		if at[path] == nil {
			at[path] = &clash{}
		}
		if len(at[path].told) == fewClashes {
			at[path].more++
			continue
		}
		text := a.span(c.Start, c.End, s.Spec().Zone)
		if c.Substitute != "" {
			text += fmt.Sprintf(" (%s could stand in)", c.Substitute)
		}
		at[path].told = append(at[path].told, text)
	}
	for path, c := range at {
		text := strings.Join(c.told, ", ")
		if c.more > 0 {
			text += fmt.Sprintf(", and %d more times", c.more)
		}
		a.say(path, "make overrides, or ask for swaps", "is on call in %s all the same, %s, in %s", name, text, s.Spec().Zone)
	}
}

// idle tells of users who can be paged and whom only people ever page. Whom a calendar will name is not known.
func (a *ahead) idle() {
	used := map[string]bool{a.Paging.CatchAll.User: true}
	for _, s := range a.Schedules {
		spec := s.Spec()
		for _, l := range spec.Layers {
			if l.Shared != nil {
				return
			}
			for _, turn := range l.Rotation.Turns {
				for _, user := range turn {
					used[user] = true
				}
			}
		}
		for _, o := range spec.Overrides {
			used[o.User], used[o.With] = true, true
		}
	}
	for _, p := range a.Policies {
		for _, step := range p.Steps {
			for _, t := range step.Notify {
				used[t.User] = true
			}
		}
	}
	if a.Paging.CatchAll == (escalation.Target{}) && len(a.Schedules) == 0 {
		return // nothing is paged at all
	}
	var idle []string
	for _, user := range a.UserOrder {
		if !used[user] && len(a.Users[user].Methods) > 0 {
			idle = append(idle, user)
		}
	}
	if len(idle) == 0 {
		return
	}
	like := "is "
	if others := idle[1:]; len(others) > fewIdle {
		like = fmt.Sprintf("is, like %d others, ", len(others))
	} else if len(others) > 0 {
		like = "is, like " + strings.Join(others, ", ") + ", "
	}
	a.say("users/"+idle[0], "add whom you forgot; who is only called in by hand may stay as is", "%sin no rotation, override, step or catch_all", like)
}

// Against tells which schedules have others on call now than by an older configuration (SPEC §4.12), as warnings.
func (c *Config) Against(old *Config, now time.Time) Faults {
	a := &ahead{Config: c, now: now}
	for _, name := range c.ScheduleOrder {
		was, is := old.Schedules[name], c.Schedules[name]
		if was == nil {
			continue
		}
		before, after := was.At(now).Users(), is.At(now).Users()
		if !slices.Equal(before, after) {
			a.say("schedules/"+name, "if that is not meant, set start so that the turn under way stays whose it is", "%s is on call now, and by the old file %s%s",
				crew(after), crew(before), because(was.Spec(), is.Spec()))
		}
	}
	return a.faults.sorted(c.Files)
}

// because names what of running rotations is another.
func because(was, is oncall.Spec) string {
	var what []string
	for _, l := range is.Layers {
		i := slices.IndexFunc(was.Layers, func(o oncall.Layer) bool { return o.Name == l.Name })
		if i < 0 {
			continue
		}
		r, o := l.Rotation, was.Layers[i].Rotation
		for _, part := range []struct {
			key   string
			moved bool
		}{
			{"users", !slices.EqualFunc(r.Turns, o.Turns, func(x, y []string) bool { return slices.Equal(x, y) })},
			{"start", r.Start != o.Start},
			{"every", r.Every != o.Every},
			{"handoff", fmt.Sprint(r.Handoff) != fmt.Sprint(o.Handoff)},
		} {
			if part.moved {
				what = append(what, fmt.Sprintf("%s of layer %q", part.key, l.Name))
			}
		}
	}
	switch len(what) {
	case 0:
		return ""
	case 1:
		return ", because " + what[0] + " changed"
	}
	return ", because " + strings.Join(what[:len(what)-1], ", ") + " and " + what[len(what)-1] + " changed"
}

func crew(users []string) string {
	if len(users) == 0 {
		return "nobody"
	}
	return strings.Join(users, " and ")
}

// span is a stretch of time by the clocks of a zone. What begins now began earlier.
func (a *ahead) span(from, to time.Time, zone *time.Location) string {
	const form = "Mon 2006-01-02 15:04"
	begin, end := from.In(zone), to.In(zone).Format(form)
	if begin.Format(time.DateOnly) == to.In(zone).Format(time.DateOnly) {
		end = to.In(zone).Format("15:04")
	}
	switch {
	case from.Equal(a.now):
		return "from now to " + to.In(zone).Format(form)
	case to.Equal(a.now.Add(lookAhead)):
		return fmt.Sprintf("from %s on", begin.Format(form))
	}
	return fmt.Sprintf("from %s to %s", begin.Format(form), end)
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }

// hoursText is a length in hours and minutes.
func hoursText(d time.Duration) string {
	d = d.Round(time.Minute)
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
}
