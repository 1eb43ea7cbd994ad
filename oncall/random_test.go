package oncall

import (
	"archive/zip"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

// MIDWATCH_LONG=1 tries 100,000 schedules instead of some hundreds.
var long = os.Getenv("MIDWATCH_LONG") != ""

const schedulesPerCheck = 16 // they share a zone and a stretch of time, and so the reference's table

// check runs a property a modest number of times, or many; -rapid.checks says otherwise.
func check(t *testing.T, modest, many int, property func(*rapid.T)) {
	t.Helper()
	if n := modest; !checksGiven() {
		if long {
			n = many
		}
		if err := flag.Set("rapid.checks", fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, property)
}

var checksGiven = sync.OnceValue(func() (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	return given
})

// zoneNames are all the zones that Go ships, or where its tree is not at hand, those with a history.
var zoneNames = sync.OnceValue(func() (names []string) {
	names = []string{
		"Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca",
		"Antarctica/Troll", "Asia/Kathmandu", "Asia/Beirut", "America/Havana", "America/Asuncion", "Asia/Gaza",
		"Atlantic/Azores", "America/Caracas", "Asia/Pyongyang", "Asia/Kolkata", "Pacific/Chatham", "Europe/Dublin",
		"Africa/Cairo", "America/Sao_Paulo", "Asia/Tehran", "Europe/Istanbul", "UTC", "Pacific/Kiritimati",
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return names
	}
	r, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return names
	}
	defer r.Close()
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, "/") && !slices.Contains(names, f.Name) && f.Name != "Factory" {
			names = append(names, f.Name)
		}
	}
	return names
})

var loadZone = func() func(string) *time.Location {
	var zones sync.Map
	return func(name string) *time.Location {
		if z, ok := zones.Load(name); ok {
			return z.(*time.Location)
		}
		z, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		zones.Store(name, z)
		return z
	}
}()

// stage is where a random schedule plays: a few days around a moment, most often a change of clocks.
type stage struct {
	zone     *time.Location
	around   Civil
	from, to time.Time
}

func drawStage(t *rapid.T) stage { return drawStageIn(t, zoneNames()) }

func drawStageIn(t *rapid.T, zones []string) stage {
	zone := loadZone(rapid.SampledFrom(zones).Draw(t, "zone"))
	at := time.Date(rapid.IntRange(2004, 2040).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")), 15, 0, 0, 0, 0, time.UTC)
	if _, change := at.In(zone).ZoneBounds(); !change.IsZero() && change.Year() < 2041 && rapid.IntRange(0, 9).Draw(t, "calm") > 0 {
		at = change
	}
	days := time.Duration(rapid.IntRange(1, 4).Draw(t, "days"))
	at = at.Truncate(time.Minute)
	return stage{zone, WallTime(at, zone), at.Add(-days * 24 * time.Hour).UTC(), at.Add(days * 24 * time.Hour).UTC()}
}

// elsewhere changes its clocks on the days that most of Europe does.
var elsewhere = loadZone("Europe/Lisbon")

var cast = []string{"ana", "bo", "cy", "di", "eva"}

func drawClock(t *rapid.T, what string) int {
	if rapid.Bool().Draw(t, what+" at night") {
		return rapid.IntRange(0, 8).Draw(t, what+" half hours") * 30
	}
	return rapid.IntRange(0, 1439).Draw(t, what)
}

// drawCivil picks a wall time near the stage's middle.
func drawCivil(t *rapid.T, s stage, days int, what string) Civil {
	day := s.around.day() + int64(rapid.IntRange(-days, days).Draw(t, what+" day"))
	return Civil(day*dayMinutes) + Civil(drawClock(t, what))
}

func drawSpans(t *rapid.T, most, low, high int, what string) (out []Span) {
	for range rapid.IntRange(0, most).Draw(t, what) {
		a := rapid.IntRange(low, high).Draw(t, what+" first")
		b := rapid.IntRange(low, high).Draw(t, what+" last")
		out = append(out, Span{min(a, b), max(a, b)})
	}
	return out
}

func drawWindows(t *rapid.T, s stage, what string) (ws []Window) {
	for range rapid.IntRange(0, 3).Draw(t, what) {
		var w Window
		switch rapid.IntRange(0, 6).Draw(t, what+" form") {
		case 0:
			w.Week = true
			w.From = rapid.IntRange(0, 6).Draw(t, "from day")*dayMinutes + drawClock(t, "from")
			w.To = rapid.IntRange(0, 6).Draw(t, "to day")*dayMinutes + drawClock(t, "to")
		case 1:
			v := Interval{
				Weekdays:  drawSpans(t, 2, 0, 6, "weekdays"),
				MonthDays: drawSpans(t, 1, 1, 31, "month days"),
				Months:    drawSpans(t, 1, 1, 12, "months"),
				Years:     drawSpans(t, 1, 2003, 2041, "years"),
			}
			for i := range v.MonthDays {
				if rapid.Bool().Draw(t, "from the end") {
					v.MonthDays[i] = Span{v.MonthDays[i].First - 32, v.MonthDays[i].Last - 32}
				}
			}
			for _, s := range drawSpans(t, 2, 0, 1440, "times") {
				if s.First < s.Last {
					v.Times = append(v.Times, s)
				}
			}
			w.Calendar = &Calendar{Name: "some-hours", Intervals: []Interval{v}}
		case 2:
			w.Calendar = &Calendar{Name: "shared", Events: drawEvents(t, s)}
		default:
			if rapid.Bool().Draw(t, "days named") {
				w.Days = Weekdays(rapid.IntRange(1, 127).Draw(t, "days"))
			}
			w.From, w.To = drawClock(t, "from"), drawClock(t, "to")
			if rapid.IntRange(0, 4).Draw(t, "whole") == 0 {
				w.From, w.To = 0, dayMinutes
			}
		}
		ws = append(ws, w)
	}
	return ws
}

// drawEvents draws some that overlap, some whole days, some that take no time, and some that name nobody.
func drawEvents(t *rapid.T, s stage) (events []Event) {
	for range rapid.IntRange(0, 6).Draw(t, "events") {
		e := Event{From: drawCivil(t, s, 5, "event"), Instant: rapid.Bool().Draw(t, "an instant")}
		if rapid.IntRange(0, 2).Draw(t, "whole days") == 0 {
			e.From -= Civil(e.From.minute())
			e.To = e.From + Civil(rapid.IntRange(1, 3).Draw(t, "days"))*dayMinutes
		} else {
			e.To = e.From + Civil(rapid.IntRange(0, 2*dayMinutes).Draw(t, "event length"))
		}
		e.Who = rapid.SliceOfNDistinct(rapid.SampledFrom(append([]string{Nobody}, cast...)), 0, 2, rapid.ID).Draw(t, "who")
		events = append(events, e)
	}
	return events
}

func drawRotation(t *rapid.T, s stage) Rotation {
	r := Rotation{}
	for range rapid.IntRange(0, 4).Draw(t, "turns") {
		turn := rapid.SliceOfNDistinct(rapid.SampledFrom(cast), 1, 2, rapid.ID).Draw(t, "turn")
		if rapid.IntRange(0, 5).Draw(t, "nobody") == 0 {
			turn = []string{Nobody}
		}
		r.Turns = append(r.Turns, turn)
	}
	r.Start = drawCivil(t, s, 8, "start")
	if rapid.IntRange(0, 3).Draw(t, "long ago") == 0 {
		r.Start -= Civil(rapid.IntRange(1, 3*365).Draw(t, "days ago")) * dayMinutes
	}
	switch rapid.IntRange(0, 6).Draw(t, "period") {
	case 0:
		r.Every = Every{rapid.SampledFrom([]int{1, 2, 3, 4, 6, 8, 12, 24}).Draw(t, "hours"), Hour}
	case 1:
		r.Every = Every{rapid.IntRange(5, 200).Draw(t, "hours"), Hour}
	case 2, 3:
		r.Every = Every{rapid.IntRange(1, 9).Draw(t, "days"), Day}
		r.Count = rapid.SampledFrom([]Count{"", "", CalendarDays, ActiveDays}).Draw(t, "count")
	case 4:
		r.Every = Every{rapid.IntRange(1, 3).Draw(t, "weeks"), Week}
	case 5:
		r.Every = Every{rapid.IntRange(1, 4).Draw(t, "months"), Month}
	case 6:
		h, err := ParseHandoff(rapid.SampledFrom([]string{
			"0 9 * * MON", "30 2 * * *", "0 */4 * * *", "*/20 1-3 * * SUN",
			"0 0 1,15 * *", "15 3 13 * FRI", "0 0 * * 1-5", "45 1 */2 * 2", "0 12 31 * *", "0 2 29 2 *", "0 0 * 4 0",
		}).Draw(t, "cron"))
		if err != nil {
			t.Fatal(err)
		}
		r.Handoff = h
	}
	return r
}

func drawSpec(t *rapid.T, s stage) Spec {
	spec := Spec{Name: "random", Zone: s.zone}
	for i := range rapid.IntRange(1, 4).Draw(t, "layers") {
		l := Layer{Name: fmt.Sprintf("layer-%d", 9-i), Active: drawWindows(t, s, "active")}
		if rapid.IntRange(0, 4).Draw(t, "shared") == 0 {
			l.Shared = &Calendar{Name: "rota", Events: drawEvents(t, s)}
		} else {
			l.Rotation = drawRotation(t, s)
		}
		if rapid.IntRange(0, 3).Draw(t, "excepted") == 0 {
			l.Except = drawWindows(t, s, "except")
		}
		if rapid.IntRange(0, 4).Draw(t, "zone of its own") == 0 {
			l.Zone = rapid.SampledFrom([]*time.Location{elsewhere, time.UTC}).Draw(t, "layer zone")
		}
		for _, w := range l.Active { // active days by other zones' clocks have a test of their own
			if w.Calendar != nil && len(w.Calendar.Intervals) > 0 && l.Rotation.Every.Unit != Day && rapid.Bool().Draw(t, "calendar elsewhere") {
				w.Calendar.Intervals[0].Zone = elsewhere
			}
		}
		l.Mode = rapid.SampledFrom([]Mode{"", ModeReplace, ModeAdd}).Draw(t, "mode")
		if rapid.IntRange(0, 3).Draw(t, "from") == 0 {
			l.EffectiveFrom = drawCivil(t, s, 5, "effective from")
		}
		if rapid.IntRange(0, 3).Draw(t, "until") == 0 {
			l.EffectiveUntil = drawCivil(t, s, 5, "effective until")
			if l.EffectiveUntil <= l.EffectiveFrom {
				l.EffectiveUntil = l.EffectiveFrom + dayMinutes
			}
		}
		spec.Layers = append(spec.Layers, l)
	}
	for range rapid.IntRange(0, 6).Draw(t, "overrides") {
		o := Override{
			Kind: rapid.SampledFrom([]Kind{Replace, Replace, Take, Add, Remove}).Draw(t, "kind"),
			User: rapid.SampledFrom(cast[:3]).Draw(t, "user"),
		}
		if o.Kind == Replace {
			o.With = rapid.SampledFrom(slices.DeleteFunc(slices.Clone(cast), func(u string) bool { return u == o.User })).Draw(t, "with")
		}
		if rapid.IntRange(0, 2).Draw(t, "scoped") == 0 {
			o.Layer = rapid.SampledFrom(spec.Layers).Draw(t, "layer").Name
		}
		o.From = drawCivil(t, s, 4, "override")
		o.To = o.From + Civil(rapid.IntRange(1, 5*dayMinutes).Draw(t, "override length"))
		if rapid.IntRange(0, 3).Draw(t, "by instants") == 0 {
			o.Start, o.End = o.From.First(time.UTC), o.To.First(time.UTC)
			o.From, o.To = 0, 0
		}
		spec.Overrides = append(spec.Overrides, o)
	}
	spec.Uncovered = drawWindows(t, s, "uncovered")
	return spec
}

func describe(s Spec) string {
	var b strings.Builder
	fmt.Fprintf(&b, "zone %s, uncovered %v\n", s.Zone, s.Uncovered)
	for _, l := range s.Layers {
		r := l.Rotation
		fmt.Fprintf(&b, "layer %s %s: %v from %s, every %q handoff %q count %q; effective %q to %q; active %v\n", l.Name, l.Mode,
			r.Turns, r.Start, r.Every, r.Handoff, r.Count, l.EffectiveFrom, l.EffectiveUntil, l.Active)
		for _, w := range l.Active {
			if w.Calendar != nil {
				fmt.Fprintf(&b, "  %+v\n", w.Calendar.Intervals)
			}
		}
	}
	for _, o := range s.Overrides {
		fmt.Fprintf(&b, "%s (layer %q) %s%v to %s%v\n", o, o.Layer, o.From, o.Start, o.To, o.End)
	}
	return b.String()
}
