package web

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
)

// OnCallPage is who is on call in every schedule, and what is about to change.
type OnCallPage struct {
	Shell
	Query     string
	Matching  int // schedules that the query names
	All       int
	Schedules []OnCallRow
	More      string // the next page, from the root; empty: there is none

	Mine      []MyShift
	MoreMine  bool
	Swaps     []SwapRow
	MoreSwaps int // that are not shown
	Away      []AwayRow
	MoreAway  int
	Feeds     []FeedRow
	CanFeed   bool // an address can be made here
	AwayFrom  typedTime
	AwayTo    typedTime
}

// An OnCallRow is one schedule: who now, until when, who then, and what is amiss in the next two weeks.
type OnCallRow struct {
	Name      string
	Now       OnDuty
	Until     Moment // zero: not within what is looked at
	Then      OnDuty
	ThenTo    Moment
	Gaps      []GapRow
	MoreGaps  int
	Conflicts []ConflictRow
}

// A GapRow is when nobody is on call.
type GapRow struct {
	RotaSpan
	Declared bool
	Fill     string // where to put somebody there, from the root; empty: it is meant, or over
}

// A ConflictRow is when somebody is on call who is away.
type ConflictRow struct {
	RotaSpan
	Who    Person
	Reason string
	Stand  string // who might stand in; empty: nobody can
	Fix    string // where to override it, from the root
}

// A MyShift is one of the reader's.
type MyShift struct {
	RotaSpan
	Schedule string
	Running  bool
	Change   string // where to give it away, from the root
}

// A SwapRow is a swap that waits for an answer.
type SwapRow struct {
	ID, Schedule   string
	User, With     Person
	Gives, Takes   []RotaSpan
	Until          Moment // when it is too late
	Answer, Recant bool   // the reader may accept and decline it, or cancel it
}

// An AwayRow is an absence.
type AwayRow struct {
	RotaSpan
	ID       string
	Who      Person
	Reason   string
	FromFile bool
	Clashes  []string // the schedules in which they are on call all the same
}

// A FeedRow is a calendar feed.
type FeedRow struct {
	Number int
	Of     string // "ana", or the schedule
	ID     string
	Made   Moment
	By     string
}

// Limits of the page.
const (
	schedulesOnPage = 30                  // then comes the next page
	rotaAhead       = 14 * 24 * time.Hour // in which gaps, absences and conflicts are told
	thenAhead       = 35 * 24 * time.Hour // in which the end of a shift and who comes then are looked for
	gapsInRow       = 3
	mineOnPage      = 8
	swapsOnPage     = 20
	awayOnPage      = 30
	feedsOnPage     = 20
)

func (p *Pages) onCallPaths() {
	p.read("/oncall", p.onCall)
	p.act("/oncall/swaps/{id}/{verb}", p.settleSwap)
	p.act("/oncall/absences", p.addAbsence)
	p.act("/oncall/absences/drop", p.dropAbsence)
	p.act("/oncall/feeds", p.addFeed)
	p.act("/oncall/feeds/drop", p.dropFeed)
}

func (p *Pages) onCall(w http.ResponseWriter, r *http.Request) {
	v := &OnCallPage{Shell: p.frame(r, "oncall", "On call"), Query: r.URL.Query().Get("q")}
	v.Live = OfDuties
	if err := p.fillOnCall(r, v); err != nil {
		p.broken(w, r, "on call", err)
		return
	}
	p.show(w, r, http.StatusOK, "oncall", v)
}

func (p *Pages) fillOnCall(r *http.Request, v *OnCallPage) error {
	names := p.Engine.ScheduleNames()
	v.All = len(names)
	if q := strings.ToLower(strings.TrimSpace(v.Query)); q != "" {
		names = slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(strings.ToLower(name), q) })
	}
	v.Matching = len(names)
	skip, _ := strconv.Atoi(r.URL.Query().Get("after"))
	skip = max(0, min(skip, len(names)))
	names = names[skip:]
	if len(names) > schedulesOnPage {
		names = names[:schedulesOnPage]
		v.More = "oncall?" + url.Values{"q": {v.Query}, "after": {strconv.Itoa(skip + schedulesOnPage)}}.Encode()
	}
	for _, name := range names {
		s := p.Engine.Schedule(name)
		if s == nil {
			continue // a reload took it away just now
		}
		row, err := p.onCallRow(r.Context(), &v.Shell, s)
		if err != nil {
			return err
		}
		v.Schedules = append(v.Schedules, row)
	}
	p.fillMine(v)
	p.fillSwaps(v)
	p.fillFeeds(v)
	return p.fillAway(r.Context(), v)
}

// onCallRow is one schedule, from now on.
func (p *Pages) onCallRow(ctx context.Context, f *Shell, s *oncall.Schedule) (OnCallRow, error) {
	row := OnCallRow{Name: s.Name()}
	var then time.Time
	row.Now, row.Until, row.Then, then = p.nowAndThen(f, s)
	row.ThenTo = f.moment(then)
	for _, g := range s.Gaps(f.Now, f.Now.Add(rotaAhead)) {
		if len(row.Gaps) == gapsInRow {
			row.MoreGaps++
			continue
		}
		row.Gaps = append(row.Gaps, gapRow(f, s.Name(), g))
	}
	conflicts, err := p.Engine.Conflicts(ctx, s.Name(), f.Now, f.Now.Add(rotaAhead))
	for _, c := range conflicts[:min(len(conflicts), gapsInRow)] {
		row.Conflicts = append(row.Conflicts, p.conflictRow(f, c))
	}
	return row, err
}

// nowAndThen is who is on call now and until when, and who comes then and until when; zero: that is beyond thenAhead.
func (p *Pages) nowAndThen(f *Shell, s *oncall.Schedule) (now OnDuty, until Moment, then OnDuty, thenTo time.Time) {
	end := f.Now.Add(thenAhead)
	shifts := s.Shifts(f.Now, end)
	at := func(t time.Time) (OnDuty, time.Time) { // who is on call from then on
		for _, sh := range shifts {
			if !t.Before(sh.Start) && t.Before(sh.End) {
				return p.duty(sh.Users, false), sh.End
			}
			if sh.Start.After(t) {
				return p.duty(nil, s.At(t).Declared), sh.Start
			}
		}
		return p.duty(nil, s.At(t).Declared), end
	}
	now, change := at(f.Now)
	if !change.Before(end) {
		return now, Moment{}, OnDuty{}, time.Time{}
	}
	then, thenTo = at(change)
	if !thenTo.Before(end) {
		thenTo = time.Time{}
	}
	return now, f.moment(change), then, thenTo
}

func gapRow(f *Shell, schedule string, g oncall.Gap) GapRow {
	row := GapRow{RotaSpan: f.span(g.Start, g.End), Declared: g.Declared}
	if !g.Declared && g.End.After(f.Now) {
		row.Fill = overridePath(schedule, g.Start, g.End)
	}
	return row
}

func (p *Pages) conflictRow(f *Shell, c engine.Conflict) ConflictRow {
	return ConflictRow{
		RotaSpan: f.span(c.Start, c.End), Who: p.person(c.User), Reason: short(c.Reason, 200), Stand: c.Substitute,
		Fix: overridePath(c.Schedule, c.Start, c.End) + "&" + url.Values{"place": {c.User}, "who": {c.Substitute}}.Encode(),
	}
}

// overridePath is where somebody else takes a stretch of time, from the root.
func overridePath(schedule string, from, to time.Time) string {
	return "schedules/" + url.PathEscape(schedule) + "/override?" +
		url.Values{"from": {from.UTC().Format(time.RFC3339)}, "to": {to.UTC().Format(time.RFC3339)}}.Encode()
}

// fillMine finds the reader's next shifts.
func (p *Pages) fillMine(v *OnCallPage) {
	if v.Me == "" {
		return
	}
	for _, name := range p.Engine.ScheduleNames() {
		s := p.Engine.Schedule(name)
		if s == nil || !p.concerns(s, v.Me) {
			continue
		}
		for _, t := range s.Times(v.Me, v.Now, v.Now.Add(thenAhead)) {
			v.Mine = append(v.Mine, MyShift{
				RotaSpan: v.span(t.Start, t.End), Schedule: name, Running: !t.Start.After(v.Now),
				Change: overridePath(name, t.Start, t.End) + "&" + url.Values{"place": {v.Me}}.Encode(),
			})
		}
	}
	slices.SortStableFunc(v.Mine, func(a, b MyShift) int { return a.From.At.Compare(b.From.At) })
	if v.MoreMine = len(v.Mine) > mineOnPage; v.MoreMine {
		v.Mine = v.Mine[:mineOnPage]
	}
}

// concerns reports whether a user can be on call in a schedule: most are in few, and the others need not be asked.
func (p *Pages) concerns(s *oncall.Schedule, user string) bool {
	if _, found := slices.BinarySearch(members(s), user); found {
		return true
	}
	return slices.ContainsFunc(p.Engine.Overrides(s.Name()), func(o engine.OverrideView) bool { return o.User == user || o.With == user })
}

// fillSwaps lists those that wait, the reader's first.
func (p *Pages) fillSwaps(v *OnCallPage) {
	v.Swaps = p.openSwaps(&v.Shell, "")
	slices.SortStableFunc(v.Swaps, func(a, b SwapRow) int { return cmp.Compare(b.rank(), a.rank()) })
	if v.MoreSwaps = max(0, len(v.Swaps)-swapsOnPage); v.MoreSwaps > 0 {
		v.Swaps = v.Swaps[:swapsOnPage]
	}
}

// rank puts first what the reader can answer, and then what they asked for.
func (s SwapRow) rank() int {
	switch {
	case s.Answer:
		return 2
	case s.Recant:
		return 1
	}
	return 0
}

// openSwaps are those of a schedule, or with an empty name of all, the newest first.
func (p *Pages) openSwaps(f *Shell, schedule string) (rows []SwapRow) {
	for _, s := range p.Engine.Swaps() {
		if s.State != engine.SwapOpen || schedule != "" && s.Schedule != schedule {
			continue
		}
		row := SwapRow{
			ID: s.ID(), Schedule: s.Schedule, User: p.person(s.User), With: p.person(s.With),
			Answer: f.Me == s.With || f.Me == "", Recant: f.Me == s.User || f.Me == "",
		}
		first := s.From
		for _, side := range []struct {
			from []oncall.Stretch
			to   *[]RotaSpan
		}{{s.Gives, &row.Gives}, {s.Takes, &row.Takes}} {
			for _, t := range side.from {
				*side.to = append(*side.to, f.span(t.Start, t.End))
				if t.Start.Before(first) {
					first = t.Start
				}
			}
		}
		row.Until = f.moment(first)
		rows = append(rows, row)
	}
	return rows
}

// fillAway lists absences, with the schedules that they clash with.
func (p *Pages) fillAway(ctx context.Context, v *OnCallPage) error {
	until := v.Now.Add(4 * rotaAhead)
	var all []oncall.Absence
	for _, a := range p.Engine.Absences(false) {
		if a.Start.Before(until) {
			all = append(all, a)
		}
	}
	v.MoreAway = max(0, len(all)-awayOnPage)
	var conflicts []engine.Conflict
	if len(all) > 0 {
		var err error
		if conflicts, err = p.Engine.Conflicts(ctx, "", v.Now, v.Now.Add(rotaAhead)); err != nil {
			return err
		}
	}
	for _, a := range all[:len(all)-v.MoreAway] {
		row := AwayRow{
			RotaSpan: v.span(a.Start, a.End), ID: a.ID, Who: p.person(a.User), Reason: short(a.Reason, 200), FromFile: a.CreatedAt.IsZero(),
		}
		clash := map[string]bool{}
		for _, c := range conflicts {
			if c.User == a.User && c.Start.Before(a.End) && a.Start.Before(c.End) {
				clash[c.Schedule] = true
			}
		}
		row.Clashes = slices.Sorted(maps.Keys(clash))
		v.Away = append(v.Away, row)
	}
	tomorrow := v.Now.In(v.Zone).AddDate(0, 0, 1)
	day := time.Date(tomorrow.Year(), tomorrow.Month(), tomorrow.Day(), 0, 0, 0, 0, v.Zone)
	v.AwayFrom, v.AwayTo = typed(day, v.Zone), typed(day.AddDate(0, 0, 7), v.Zone)
	return nil
}

// fillFeeds lists the reader's calendar feeds.
func (p *Pages) fillFeeds(v *OnCallPage) {
	v.CanFeed = p.Subscribe != nil
	if v.Me != "" {
		v.Feeds = p.feeds(&v.Shell, func(f engine.CalendarFeed) bool { return f.User == v.Me })
	}
}

func (p *Pages) feeds(f *Shell, wanted func(engine.CalendarFeed) bool) (rows []FeedRow) {
	for _, feed := range slices.Backward(p.Engine.Feeds()) {
		if wanted(feed) && len(rows) < feedsOnPage {
			rows = append(rows, FeedRow{feed.Number, feed.User + feed.Schedule, feed.ID(), f.moment(feed.CreatedAt), short(feed.CreatedBy, 60)})
		}
	}
	return rows
}

// settleSwap accepts, declines or cancels a swap.
func (p *Pages) settleSwap(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	id := r.PathValue("id")
	done := p.Engine.Do(r.Context(), engine.SettleSwap{ID: id, Verb: engine.SwapVerb(r.PathValue("verb")), By: by})
	text := done.Swap.ID() + " is " + string(done.Swap.State) + "."
	if done.Swap.State == engine.SwapAccepted {
		text = done.Swap.ID() + " is accepted: the overrides are made, and " + done.Swap.User + " and " + done.Swap.With + " trade places."
	}
	to := returning(r, "oncall")
	p.rotaSettled(w, r, done, to, to, Said{Text: text})
}

func (p *Pages) addAbsence(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	user := cmp.Or(strings.TrimSpace(r.PostForm.Get("user")), by)
	zone := time.UTC
	if z, err := time.LoadLocation(p.Engine.Config().Users[user].TimeZone); err == nil {
		zone = z
	}
	to := returning(r, "oncall")
	from, errFrom := typedAt(r.PostForm, "from", zone, false)
	until, errTo := typedAt(r.PostForm, "to", zone, true)
	if err := cmp.Or(errFrom, errTo); err != nil {
		p.back(w, r, to, Said{Wrong: true, Text: upperFirst(err.Error()) + "."})
		return
	}
	done := p.Engine.Do(r.Context(), engine.AddAbsence{Absence: oncall.Absence{
		User: user, Start: from, End: until, Reason: strings.TrimSpace(r.PostForm.Get("reason")), CreatedBy: by,
	}})
	p.rotaSettled(w, r, done, to, to, Said{
		Text: user + " is away from then on: shifts in that time are marked. It changes no schedule; override those shifts, or ask for swaps.",
		Undo: "oncall/absences/drop", Fields: map[string]string{"user": user, "id": done.Absence.ID},
	})
}

func (p *Pages) dropAbsence(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	to := returning(r, "oncall")
	done := p.Engine.Do(r.Context(), engine.DropAbsence{User: r.PostForm.Get("user"), ID: r.PostForm.Get("id"), By: by})
	a := done.Absence
	p.rotaSettled(w, r, done, to, to, Said{
		Text: "The absence of " + a.User + " is removed.", Undo: "oncall/absences",
		Fields: map[string]string{"user": a.User, "from": a.Start.UTC().Format(time.RFC3339), "to": a.End.UTC().Format(time.RFC3339), "reason": a.Reason},
	})
}

// FeedPage shows a calendar's address, once: it is a secret.
type FeedPage struct {
	Shell
	Of      string
	Address string
	Back    string
	Told    string // what is amiss with it; empty: nothing
}

// feedAlarm is how long before a shift calendars remind of it, where that is asked for.
const feedAlarm = time.Hour

func (p *Pages) addFeed(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	back := returning(r, "oncall")
	if p.Subscribe == nil {
		p.back(w, r, back, Said{Wrong: true, Text: "Addresses are not made here. Use: midwatch oncall feed create."})
		return
	}
	f := engine.CalendarFeed{Schedule: r.PostForm.Get("schedule"), CreatedBy: by}
	if f.Schedule == "" {
		f.User = by
	}
	if r.PostForm.Get("remind") != "" {
		f.Alarm = feedAlarm
	}
	address, done := p.Subscribe(r.Context(), f)
	why, made := rotaRefusal(done.Err)
	if !made {
		p.back(w, r, back, Said{Wrong: true, Text: why})
		return
	}
	v := &FeedPage{Shell: p.frame(r, "oncall", "Calendar"), Of: f.User + f.Schedule, Address: address, Back: back, Told: strings.TrimSpace(why)}
	p.show(w, r, http.StatusOK, "feed", v)
}

func (p *Pages) dropFeed(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	n, _ := strconv.Atoi(r.PostForm.Get("number"))
	done := p.Engine.Do(r.Context(), engine.DropFeed{Number: n, By: by})
	to := returning(r, "oncall")
	p.rotaSettled(w, r, done, to, to, Said{Text: done.Feed.ID() + " is revoked: calendars that have its address get nothing more."})
}
