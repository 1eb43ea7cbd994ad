package web

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/draw"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
)

// SchedulePage is one schedule over a stretch of time: the picture, the shifts in words, and what changes them.
type SchedulePage struct {
	Shell
	Name     string
	ZoneName string // in which all of it is shown
	Wrong    string // what is amiss with the address; empty: nothing

	OnNow  OnDuty
	Until  Moment
	Then   OnDuty
	ThenTo Moment

	From, To              string // the days, as people say them
	Lengths, Zones        []RotaChoice
	Earlier, Today, Later string // links, from the root; Today is empty where it is shown

	Wide, Phone template.HTML // the picture, twice; empty: it would be too large
	Crowded     bool          // the layers are left out
	Clocks      []string      // what changes of clocks do, in words

	Shifts     []ShiftRow
	MoreShifts int
	Recorded   Moment // from when on the past is what was written down; zero: none of it is
	Past       bool   // some of it has passed

	Layers    []LayerRow
	Overrides []OverrideRow
	MoreOver  int
	Conflicts []ConflictRow
	Swaps     []SwapRow
	Feeds     []FeedRow
	CanFeed   bool
}

// A ShiftRow is one shift or gap.
type ShiftRow struct {
	RotaSpan
	OnDuty
	Layers  string
	Past    bool
	Running bool
	Change  string // where to override it, from the root; empty: it is over
	NewWeek string // that begins with it, for those who scroll; empty: none does
}

// A LayerRow says how a layer turns.
type LayerRow struct{ Name, Says string }

// An OverrideRow is an override that is not over.
type OverrideRow struct {
	RotaSpan
	ID, Does string
	Layer    string
	By       string
	Swap     string
	FromFile bool
	Problem  string
}

// Limits of the page: it must stay small on the wire.
const (
	shiftsOnPage    = 100 // rows; a shorter stretch shows all
	overridesOnPage = 40
	weekHeads       = 10  // rows; of fewer nobody loses sight
	barsInPicture   = 180 // with more the layers are left out
	barsAtMost      = 400 // with more there is no picture: nobody could read it
	wideFigure      = 900
	phoneFigure     = 328
)

func (p *Pages) schedulePaths() {
	p.read("/schedules/{name}", p.schedule)
	p.read("/schedules/{name}/override", p.overriding)
	p.act("/schedules/{name}/override", p.override)
	p.act("/schedules/{name}/drop", p.dropOverride)
	p.act("/schedules/{name}/swap", p.requestSwap)
}

// noSchedule says that there is none of that name.
func (p *Pages) noSchedule(w http.ResponseWriter, r *http.Request) {
	p.lost(w, r, "There is no such schedule", "No schedule is called “"+short(r.PathValue("name"), 80)+"”. It may have been renamed in the configuration. The page On call lists them all.")
}

// lengths are the stretches of time that can be shown, in weeks.
var rotaLengths = []struct {
	value, text string
	weeks       int
}{{"1w", "1 week", 1}, {"2w", "2 weeks", 2}, {"4w", "4 weeks", 4}}

func (p *Pages) schedule(w http.ResponseWriter, r *http.Request) {
	s := p.Engine.Schedule(r.PathValue("name"))
	if s == nil {
		p.noSchedule(w, r)
		return
	}
	v := &SchedulePage{Shell: p.frame(r, "oncall", s.Name()), Name: s.Name()}
	v.Live = OfDuties
	status := http.StatusOK
	q := r.URL.Query()
	kind, zone := p.zoneFor(r, q.Get("zone"), s.Spec().Zone)
	v.Zone, v.ZoneName = zone, zone.String()
	length, weeks := "2w", 2
	for _, l := range rotaLengths {
		if l.value == q.Get("for") {
			length, weeks = l.value, l.weeks
		}
	}
	y, m, d := v.Now.In(zone).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, zone)
	from := today
	if text := q.Get("from"); text != "" {
		day, err := time.ParseInLocation(fieldDay, text, zone)
		switch {
		case err != nil:
			v.Wrong, status = "“"+short(text, 40)+"” is not a day; write one such as 2026-03-01. This shows today.", http.StatusBadRequest
		case day.Sub(v.Now).Abs() > mostAway:
			v.Wrong, status = "That is further away than ten years. This shows today.", http.StatusBadRequest
		default:
			from = day
		}
	}
	to := from.AddDate(0, 0, 7*weeks)
	link := func(from time.Time, length, kind string) string {
		q := url.Values{"for": {length}, "zone": {kind}}
		if !from.Equal(today) {
			q.Set("from", from.Format(fieldDay))
		}
		return "schedules/" + url.PathEscape(s.Name()) + "?" + q.Encode()
	}
	v.Earlier, v.Later = link(from.AddDate(0, 0, -7*weeks), length, kind), link(to, length, kind)
	if !from.Equal(today) {
		v.Today = link(today, length, kind)
	}
	for _, l := range rotaLengths {
		v.Lengths = append(v.Lengths, RotaChoice{link(from, l.value, kind), l.text, l.value == length})
	}
	v.Zones = p.zoneChoices(r, kind, s.Spec().Zone, func(k string) string { return link(from, length, k) })
	v.From, v.To = from.Format("Mon 2 Jan"), to.AddDate(0, 0, -1).Format("Mon 2 Jan 2006")
	if err := p.fillSchedule(r.Context(), v, s, from, to); err != nil {
		p.broken(w, r, "schedule "+s.Name(), err)
		return
	}
	p.show(w, r, status, "schedule", v)
}

// mostAway is how far from today a schedule is shown.
const mostAway = 10 * 366 * 24 * time.Hour

// zoneChoices are the zones to choose from: mine, the schedule's, UTC, each once.
func (p *Pages) zoneChoices(r *http.Request, chosen string, schedule *time.Location, link func(kind string) string) (all []RotaChoice) {
	mine := p.zoneOfReader(r)
	if mine != nil && mine.String() == schedule.String() {
		return []RotaChoice{{link(zoneMine), mine.String(), chosen != zoneUTC}, {link(zoneUTC), "UTC", chosen == zoneUTC}}
	}
	if mine != nil {
		all = append(all, RotaChoice{link(zoneMine), "mine: " + mine.String(), chosen == zoneMine})
	}
	return append(all, RotaChoice{link(zoneSchedule), "the schedule's: " + schedule.String(), chosen == zoneSchedule},
		RotaChoice{link(zoneUTC), "UTC", chosen == zoneUTC})
}

func (p *Pages) fillSchedule(ctx context.Context, v *SchedulePage, s *oncall.Schedule, from, to time.Time) error {
	var then time.Time
	v.OnNow, v.Until, v.Then, then = p.nowAndThen(&v.Shell, s)
	v.ThenTo = v.moment(then)
	shifts, since, _, err := p.Engine.Shifts(ctx, s.Name(), from, to)
	if err != nil {
		return err
	}
	gaps, _, err := p.Engine.Gaps(ctx, s.Name(), from, to)
	if err != nil {
		return err
	}
	if v.Past = from.Before(v.Now); v.Past && since.Before(v.Now) {
		v.Recorded = v.moment(since)
	}
	v.fillShifts(p.duty, shifts, gaps)
	var made []oncall.Override
	for _, o := range p.Engine.Overrides(s.Name()) {
		if !o.FromFile && o.Problem == "" {
			made = append(made, o.Override)
		}
		if o.Ends.After(v.Now) {
			v.Overrides = append(v.Overrides, p.overrideRow(&v.Shell, o))
		}
	}
	slices.SortStableFunc(v.Overrides, func(a, b OverrideRow) int { return a.From.At.Compare(b.From.At) })
	if v.MoreOver = max(0, len(v.Overrides)-overridesOnPage); v.MoreOver > 0 {
		v.Overrides = v.Overrides[:overridesOnPage]
	}
	v.paint(s, draw.Of(s, from, to, v.Zone, made...), shifts, gaps)
	conflicts, err := p.Engine.Conflicts(ctx, s.Name(), from, to)
	if err != nil {
		return err
	}
	for _, c := range conflicts[:min(len(conflicts), 10)] {
		v.Conflicts = append(v.Conflicts, p.conflictRow(&v.Shell, c))
	}
	v.Swaps = p.openSwaps(&v.Shell, s.Name())
	v.Swaps = v.Swaps[:min(len(v.Swaps), swapsOnPage)]
	v.Feeds = p.feeds(&v.Shell, func(f engine.CalendarFeed) bool { return f.Schedule == s.Name() })
	v.CanFeed = p.Subscribe != nil
	for _, l := range s.Spec().Layers {
		v.Layers = append(v.Layers, LayerRow{l.Name, layerWords(l)})
	}
	return nil
}

// fillShifts lists shifts and gaps together, in order.
func (v *SchedulePage) fillShifts(duty func(users []string, declared bool) OnDuty, shifts []oncall.Shift, gaps []oncall.Gap) {
	now := v.Now
	for _, s := range shifts {
		v.Shifts = append(v.Shifts, ShiftRow{RotaSpan: v.span(s.Start, s.End), OnDuty: duty(s.Users, false), Layers: list(s.Layers, 80)})
	}
	for _, g := range gaps {
		v.Shifts = append(v.Shifts, ShiftRow{RotaSpan: v.span(g.Start, g.End), OnDuty: duty(nil, g.Declared)})
	}
	slices.SortStableFunc(v.Shifts, func(a, b ShiftRow) int { return a.RotaSpan.From.At.Compare(b.RotaSpan.From.At) })
	if v.MoreShifts = max(0, len(v.Shifts)-shiftsOnPage); v.MoreShifts > 0 {
		v.Shifts = v.Shifts[:shiftsOnPage]
	}
	week := 0
	for i := range v.Shifts {
		row := &v.Shifts[i]
		start, end := row.RotaSpan.From.At, row.RotaSpan.To.At
		row.Past, row.Running = !end.After(now), !start.After(now) && end.After(now)
		if !row.Past {
			row.Change = overridePath(v.Name, start, end)
		}
		if _, n := start.In(v.Zone).ISOWeek(); n != week && len(v.Shifts) > weekHeads {
			row.NewWeek, week = "Week "+strconv.Itoa(n), n
		}
	}
}

// paint draws the schedule: its last row as the list has it, the past being what was recorded, and leading to overrides.
func (v *SchedulePage) paint(s *oncall.Schedule, picture draw.Picture, shifts []oncall.Shift, gaps []oncall.Gap) {
	now := v.Now
	picture.Now = now
	v.Clocks = picture.Remarks
	last := &picture.Rows[len(picture.Rows)-1]
	last.Bars = nil
	add := func(b draw.Bar) {
		if b.End.After(now) {
			b.Link = v.Root + overridePath(s.Name(), b.Start, b.End)
		}
		last.Bars = append(last.Bars, b)
	}
	for _, sh := range shifts {
		add(draw.Bar{Start: sh.Start, End: sh.End, Users: sh.Users})
	}
	for _, g := range gaps {
		add(draw.Bar{Start: g.Start, End: g.End, Declared: g.Declared})
	}
	slices.SortStableFunc(last.Bars, func(a, b draw.Bar) int { return a.Start.Compare(b.Start) })
	bars := 0
	for _, r := range picture.Rows {
		bars += len(r.Bars)
	}
	if v.Crowded = bars > barsInPicture; v.Crowded {
		bars, picture.Rows = len(last.Bars), []draw.Row{*last}
	}
	if bars > barsAtMost {
		return
	}
	v.Wide = template.HTML(picture.Figure("wide", wideFigure)) //nolint:gosec // draw escapes what it writes
	if bars > barsInPicture {
		return // on a phone it would be a smear
	}
	for i := range picture.Rows {
		for j := range picture.Rows[i].Bars {
			picture.Rows[i].Bars[j].Link = "" // they would be too small for a thumb; the list below is not
		}
	}
	v.Phone = template.HTML(picture.Figure("phone", phoneFigure)) //nolint:gosec // likewise
}

func (p *Pages) overrideRow(f *Shell, o engine.OverrideView) OverrideRow {
	return OverrideRow{
		RotaSpan: f.span(o.Begins, o.Ends), ID: o.ID, Does: o.String(), Layer: o.Layer, By: short(o.CreatedBy, 60), Swap: o.Swap,
		FromFile: o.FromFile, Problem: o.Problem,
	}
}

// layerWords says how a layer turns, as its owner wrote it.
func layerWords(l oncall.Layer) string {
	var who []string
	for _, turn := range l.Rotation.Turns {
		who = append(who, cmp.Or(strings.Join(turn, " and "), oncall.Nobody))
	}
	says := strings.Join(who, ", then ")
	if len(who) > 12 {
		says = strings.Join(who[:12], ", then ") + " and " + count(len(who)-12, "more turn")
	}
	switch {
	case l.Shared != nil:
		says = "as the shared calendar says"
	case len(who) == 0:
		says = "nobody"
	case l.Rotation.Handoff.String() != "":
		says += "; hand-offs at " + l.Rotation.Handoff.String() + " (cron)"
	case len(who) > 1:
		says += "; every " + l.Rotation.Every.String()
	}
	if l.Shared == nil {
		says += " since " + l.Rotation.Start.String()
	}
	if l.Zone != nil {
		says += ", " + l.Zone.String()
	}
	if len(l.Active) > 0 {
		says += ", within its hours"
	}
	if l.Mode == oncall.ModeAdd {
		says += "; beside those of the layers before"
	}
	return says
}

// dropOverride takes an override back.
func (p *Pages) dropOverride(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	name := r.PathValue("name")
	to := returning(r, "schedules/"+url.PathEscape(name))
	done := p.Engine.Do(r.Context(), engine.DropOverride{Schedule: name, ID: r.PostForm.Get("id"), By: by})
	s := Said{Text: "The override is taken back: " + done.Override.String() + " no more."}
	if done.Override.Start.IsZero() || done.Override.Swap != "" {
		p.rotaSettled(w, r, done, to, to, s)
		return
	}
	s.Undo, s.Fields = "schedules/"+url.PathEscape(name)+"/override", overrideFields(done.Override)
	p.rotaSettled(w, r, done, to, to, s)
}
