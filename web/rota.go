package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
)

// What the pages about who is on call share: people, zones, times that somebody types, and what became of an action.

// rotaPaths are the pages about who is on call, whom a policy pages, and how budgets stand.
func (p *Pages) rotaPaths() {
	p.onCallPaths()
	p.schedulePaths()
	p.read("/policies", p.policies)
	p.read("/policies/{name}", p.policy)
	p.sloPaths()
}

// A Pair lets a part of a template see the page, too.
type Pair struct{ Page, Of any }

// An OnDuty is somebody on call, or a gap.
type OnDuty struct {
	Who      []Person // none: a gap
	Declared bool     // the gap is meant
}

// duty says who these are.
func (p *Pages) duty(users []string, declared bool) OnDuty {
	d := OnDuty{Declared: declared}
	for _, u := range users {
		d.Who = append(d.Who, p.person(u))
	}
	return d
}

// person is a user with the name that people call them by.
func (p *Pages) person(name string) Person {
	full := p.Engine.Config().Users[name].FullName
	if full == name {
		full = ""
	}
	return Person{short(name, 60), short(full, 60)}
}

// Gap reports whether nobody is on call.
func (d OnDuty) Gap() bool { return len(d.Who) == 0 }

// A RotaChoice is one of several, for a select or a list of links.
type RotaChoice struct {
	Value, Text string
	Chosen      bool
}

// The zones in which a rota can be shown.
const (
	zoneMine     = "mine"
	zoneSchedule = "schedule"
	zoneUTC      = "utc"
)

// zoneFor is the zone that a query or form asks for, and by which name. Unasked it is the reader's, and where that is not
// known, the schedule's.
func (p *Pages) zoneFor(r *http.Request, asked string, schedule *time.Location) (kind string, zone *time.Location) {
	mine := p.zoneOfReader(r)
	switch {
	case asked == zoneUTC:
		return zoneUTC, time.UTC
	case asked != zoneSchedule && mine != nil:
		return zoneMine, mine
	}
	return zoneSchedule, schedule
}

// zoneOfReader is where whoever looks lives; nil: nobody knows.
func (p *Pages) zoneOfReader(r *http.Request) *time.Location {
	me, _ := p.me(r)
	name := p.Engine.Config().Users[me].TimeZone
	if name == "" {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil // the configuration was checked
	}
	return zone
}

// How times stand in forms.
const (
	fieldTime = "2006-01-02T15:04"
	fieldDay  = "2006-01-02"
)

// A typedTime is an instant as a form shows it: in a zone, to the minute. What the field said when it was made is kept beside
// it, so that an hour that the clocks show twice stays the one that was meant.
type typedTime struct {
	Text string // 2026-10-25T01:30
	Kept string // the instant, RFC 3339; empty: none was given
}

func typed(t time.Time, zone *time.Location) typedTime {
	return typedTime{t.In(zone).Format(fieldTime), t.UTC().Format(time.RFC3339)}
}

// typedAt reads a field and what was kept beside it. An end is the last instant that shows such a time, a start the first.
func typedAt(form url.Values, field string, zone *time.Location, end bool) (time.Time, error) {
	text := strings.TrimSpace(form.Get(field))
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	if kept, err := time.Parse(time.RFC3339, form.Get(field+"_kept")); err == nil && kept.In(zone).Format(fieldTime) == text {
		return kept.UTC(), nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", fieldTime, "2006-01-02 15:04"} {
		at, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		civil := oncall.WallTime(at, time.UTC)
		if end {
			return civil.Last(zone), nil
		}
		return civil.First(zone), nil
	}
	return time.Time{}, errors.New("write both times as a date and a time, such as 2026-03-01 09:00")
}

// A RotaSpan is a stretch of time as a page shows it.
type RotaSpan struct{ From, To Moment }

// Length is how long it is: "7 d 0 h".
func (s RotaSpan) Length() string {
	d := s.To.At.Sub(s.From.At)
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return count(int(d/(24*time.Hour)), "day")
	}
	return spell(d)
}

// Day is when it begins, with the day.
func (s RotaSpan) Day() string { return s.From.At.In(s.From.zone).Format("Mon 2 Jan 15:04") }

// End is when it ends; of what ends on the day on which it begins, without the day.
func (s RotaSpan) End() string {
	from, to := s.From.At.In(s.From.zone), s.To.At.In(s.To.zone)
	if from.YearDay() == to.YearDay() && from.Year() == to.Year() {
		return to.Format("15:04")
	}
	return to.Format("Mon 2 Jan 15:04")
}

func (s *Shell) span(from, to time.Time) RotaSpan { return RotaSpan{s.moment(from), s.moment(to)} }

// spell is a time span as short as it can be said: "4 h", "1 h 30 min".
func spell(d time.Duration) string {
	return strings.TrimSuffix(strings.TrimSuffix(length(d), " 0 min"), " 0 h")
}

// rotaRefusal is why something was not done, and whether that is final: what is only in memory was done.
func rotaRefusal(err error) (why string, done bool) {
	switch {
	case err == nil:
		return "", true
	case errors.Is(err, engine.ErrUnsaved):
		return " " + upperFirst(err.Error()) + ".", true
	}
	return upperFirst(err.Error()) + ".", false
}

// rotaSettled leads back after an action: to one page where it was done, to another where it was refused.
func (p *Pages) rotaSettled(w http.ResponseWriter, r *http.Request, done engine.Answer, good, bad string, s Said) {
	why, ok := rotaRefusal(done.Err)
	if !ok {
		p.back(w, r, bad, Said{Wrong: true, Text: why})
		return
	}
	for _, doubt := range done.Warnings {
		s.Text += " Mind that " + doubt + "."
	}
	s.Text += why
	p.back(w, r, good, s)
}

// members are the users whom the layers of a schedule name, by name.
func members(s *oncall.Schedule) []string {
	var all []string
	for _, l := range s.Spec().Layers {
		for _, turn := range l.Rotation.Turns {
			all = append(all, turn...)
		}
		if l.Shared != nil {
			for _, e := range l.Shared.Events {
				all = append(all, e.Who...)
			}
		}
	}
	all = slices.DeleteFunc(all, func(u string) bool { return u == oncall.Nobody || u == "" })
	slices.Sort(all)
	return slices.Compact(all)
}
