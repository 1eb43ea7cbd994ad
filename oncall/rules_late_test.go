package oncall

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRule8Windows(t *testing.T) {
	whole := rotation(t, "ana", "2026-01-01 00:00", "1w") // 2026-01-05 is a Monday
	for _, c := range []struct {
		what, zone string
		active     []string
		from, to   string
		want       string
	}{
		{"the weekday is the start's", "UTC", []string{"mon-fri 20:00 08:00"}, "2026-01-09 12:00", "2026-01-12 21:00", `
			2026-01-09 20:00 – 2026-01-10 08:00 ana
			2026-01-12 20:00 – 2026-01-12 21:00 ana`},
		{"ranges wrap", "UTC", []string{"sat-mon 10:00 11:00"}, "2026-01-09 00:00", "2026-01-14 00:00", `
			2026-01-10 10:00 – 2026-01-10 11:00 ana
			2026-01-11 10:00 – 2026-01-11 11:00 ana
			2026-01-12 10:00 – 2026-01-12 11:00 ana`},
		{"no from, no to", "UTC", []string{"sat,sun"}, "2026-01-09 00:00", "2026-01-14 00:00", `
			2026-01-10 00:00 – 2026-01-12 00:00 ana`},
		{"24:00", "UTC", []string{"mon 22:00 24:00"}, "2026-01-05 00:00", "2026-01-07 00:00", `
			2026-01-05 22:00 – 2026-01-06 00:00 ana`},
		{"to 00:00", "UTC", []string{"mon 22:00 00:00"}, "2026-01-05 00:00", "2026-01-07 00:00", `
			2026-01-05 22:00 – 2026-01-06 00:00 ana`},
		{"from is to: until the next day", "UTC", []string{"mon 09:00 09:00"}, "2026-01-05 00:00", "2026-01-12 00:00", `
			2026-01-05 09:00 – 2026-01-06 09:00 ana`},
		{"from is to, with its day: the week", "UTC", []string{"mon 09:00 to mon 09:00"}, "2026-01-05 00:00", "2026-01-20 00:00", `
			2026-01-05 00:00 – 2026-01-20 00:00 ana`},
		{"over a weekend", "Europe/Lisbon", []string{"fri 18:00 to mon 09:00"}, "2026-03-27 00:00", "2026-03-31 00:00", `
			2026-03-27 18:00 – 2026-03-30 08:00 ana`},
		{"adjacent and overlapping merge", "UTC", []string{"mon 09:00 12:00", "mon 12:00 13:00", "mon 11:00 14:00"}, "2026-01-05 00:00", "2026-01-06 00:00", `
			2026-01-05 09:00 – 2026-01-05 14:00 ana`},
		{"nine hours in the gap's night", "Europe/Lisbon", []string{"daily 22:00 08:00"}, "2026-03-28 12:00", "2026-03-29 12:00", `
			2026-03-28 22:00 – 2026-03-29 07:00 ana`},
		{"eleven in the fold's", "Europe/Lisbon", []string{"daily 22:00 08:00"}, "2026-10-24 12:00", "2026-10-25 12:00", `
			2026-10-24 21:00 – 2026-10-25 08:00 ana`},
		{"a quarter to", "Asia/Kathmandu", []string{"mon 09:00 10:00"}, "2026-01-05 00:00", "2026-01-06 00:00", `
			2026-01-05 03:15 – 2026-01-05 04:15 ana`},
	} {
		t.Run(c.what, func(t *testing.T) { expect(t, one(t, c.zone, whole, c.active...), c.from, c.to, c.want) })
	}
}

func TestRule8NamedIntervals(t *testing.T) {
	hours := Interval{Weekdays: []Span{{1, 5}}, Times: []Span{{9 * 60, 17 * 60}}, MonthDays: []Span{{-7, -1}}}
	spec := one(t, "America/New_York", rotation(t, "ana", "2026-01-01 00:00", "1w"))
	spec.Layers[0].Active = []Window{{Calendar: &Calendar{Name: "last-week", Intervals: []Interval{hours}}}}
	expect(t, spec, "2026-05-22 00:00", "2026-05-27 00:00", `
		2026-05-25 13:00 – 2026-05-25 21:00 ana
		2026-05-26 13:00 – 2026-05-26 21:00 ana`)

	hours.Zone = loadZone("Asia/Kathmandu") // its location wins
	spec.Layers[0].Active[0].Calendar.Intervals[0] = hours
	expect(t, spec, "2026-05-22 00:00", "2026-05-26 12:00", `
		2026-05-25 03:15 – 2026-05-25 11:15 ana
		2026-05-26 03:15 – 2026-05-26 11:15 ana`)

	// One that never comes again.
	spec.Layers[0].Active[0].Calendar.Intervals[0] = Interval{Years: []Span{{2025, 2025}}}
	s := schedule(t, spec)
	if next := s.NextChange(utc(t, "2026-02-01 00:00")); !next.IsZero() {
		t.Errorf("next change %v, want never", next)
	}
}

// layers is a weekday layer by day, a layer over it at night, and one that adds to both.
func layered(t *testing.T) Spec {
	return Spec{Name: "db", Zone: loadZone("UTC"), Layers: []Layer{
		{Name: "base", Rotation: rotation(t, "ana, bo", "2026-01-05 00:00", "1w")},
		{Name: "office", Rotation: rotation(t, "cy", "2026-01-05 00:00", "1w"), Active: windowsOf(t, "mon-fri 09:00 17:00")},
		{Name: "extra", Mode: ModeAdd, Rotation: rotation(t, "di, nobody", "2026-01-05 00:00", "1d"), Active: windowsOf(t, "daily 16:00 18:00")},
	}}
}

func TestRule9LaterWinsAndHolesFallThrough(t *testing.T) {
	expect(t, layered(t), "2026-01-05 00:00", "2026-01-07 00:00", `
		2026-01-05 00:00 – 2026-01-05 09:00 ana (base)
		2026-01-05 09:00 – 2026-01-05 16:00 cy (office)
		2026-01-05 16:00 – 2026-01-05 17:00 cy+di (office, extra)
		2026-01-05 17:00 – 2026-01-05 18:00 ana+di (base, extra)
		2026-01-05 18:00 – 2026-01-06 09:00 ana (base)
		2026-01-06 09:00 – 2026-01-06 17:00 cy (office)
		2026-01-06 17:00 – 2026-01-07 00:00 ana (base)`)
}

func TestRule9NobodyIsADeclaredGapWhereNothingShowsThrough(t *testing.T) {
	spec := one(t, "UTC", rotation(t, "ana, nobody", "2026-01-05 00:00", "1d"))
	gap := func(from, to string, declared bool) Gap { return Gap{utc(t, from), utc(t, to), declared} }
	gaps := func(spec Spec) []Gap {
		return schedule(t, spec).Gaps(utc(t, "2026-01-04 00:00"), utc(t, "2026-01-07 00:00"))
	}
	before := gap("2026-01-04 00:00", "2026-01-05 00:00", false)
	if got, want := gaps(spec), []Gap{before, gap("2026-01-06 00:00", "2026-01-07 00:00", true)}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	// A gap that an override makes is not declared, neither in ana's turn nor where bo showed through nobody's.
	spec.Layers = append([]Layer{{Name: "below", Rotation: rotation(t, "bo", "2026-01-05 00:00", "1w"), Active: windowsOf(t, "daily 00:00 12:00")}}, spec.Layers...)
	spec.Overrides = []Override{
		{Kind: Remove, User: "ana", From: wall(t, "2026-01-05 10:00"), To: wall(t, "2026-01-05 11:00")},
		{Kind: Remove, User: "bo", From: wall(t, "2026-01-06 10:00"), To: wall(t, "2026-01-06 14:00")},
	}
	if got, want := gaps(spec), []Gap{
		before, gap("2026-01-05 10:00", "2026-01-05 11:00", false),
		gap("2026-01-06 10:00", "2026-01-06 12:00", false), gap("2026-01-06 12:00", "2026-01-07 00:00", true),
	}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	// No users at all are a hole, which nobody declared.
	if got, want := gaps(one(t, "UTC", rotation(t, "", "2026-01-05 00:00", "1w"))), []Gap{gap("2026-01-04 00:00", "2026-01-07 00:00", false)}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRule10Overrides(t *testing.T) {
	day := func(kind Kind, user, with, layer string, fromTo ...string) Override {
		o := Override{Kind: kind, User: user, With: with, Layer: layer, From: wall(t, "2026-01-05 10:00"), To: wall(t, "2026-01-05 14:00")}
		if len(fromTo) > 0 {
			o.From, o.To = wall(t, "2026-01-05 "+fromTo[0]), wall(t, "2026-01-05 "+fromTo[1])
		}
		return o
	}
	shared := one(t, "UTC", rotation(t, "ana+bo", "2026-01-05 09:00", "1w"))
	for _, c := range []struct {
		what      string
		overrides []Override
		at        string
		want      string // who, from where
	}{
		{"replace", []Override{day(Replace, "ana", "cy", "")}, "11:00", "bo weekly, cy override"},
		{"replace who is not there", []Override{day(Replace, "eva", "cy", "")}, "11:00", "ana weekly, bo weekly"},
		{"replace with who is there", []Override{day(Replace, "ana", "bo", "")}, "11:00", "bo weekly override"},
		{"the place is followed: by the layers", []Override{day(Replace, "ana", "cy", ""), day(Replace, "ana", "di", "")}, "11:00", "bo weekly, di override"},
		{"the place is followed: by an earlier override", []Override{day(Replace, "ana", "cy", ""), day(Replace, "cy", "di", "")}, "11:00", "bo weekly, di override"},
		{"not by a later one", []Override{day(Replace, "cy", "di", ""), day(Replace, "ana", "cy", "")}, "11:00", "bo weekly, cy override"},
		{"take", []Override{day(Take, "cy", "", "")}, "11:00", "cy override"},
		{"take fills gaps", []Override{day(Take, "cy", "", "", "06:00", "12:00")}, "08:00", "cy override"},
		{"replace does not", []Override{day(Replace, "ana", "cy", "", "06:00", "12:00")}, "08:00", ""},
		{"who takes is alone, and follows nobody", []Override{day(Take, "cy", "", ""), day(Replace, "ana", "di", "")}, "11:00", "cy override"},
		{"who takes can be replaced", []Override{day(Take, "cy", "", ""), day(Replace, "cy", "di", "")}, "11:00", "di override"},
		{"add", []Override{day(Add, "cy", "", "")}, "11:00", "ana weekly, bo weekly, cy override"},
		{"add who is there", []Override{day(Add, "ana", "", "")}, "11:00", "ana weekly override, bo weekly"},
		{"remove", []Override{day(Remove, "ana", "", "")}, "11:00", "bo weekly"},
		{"a removed person leaves no place", []Override{day(Remove, "ana", "", ""), day(Replace, "ana", "cy", "")}, "11:00", "bo weekly"},
		{"who was replaced is not there to remove", []Override{day(Replace, "ana", "cy", ""), day(Remove, "ana", "", "")}, "11:00", "bo weekly, cy override"},
		{"the order is that of creation", []Override{day(Add, "cy", "", ""), day(Remove, "cy", "", ""), day(Take, "di", "", ""), day(Add, "eva", "", "")}, "11:00", "di override, eva override"},
		{"not before", []Override{day(Take, "cy", "", "")}, "09:59", "ana weekly, bo weekly"},
		{"from its start", []Override{day(Take, "cy", "", "")}, "10:00", "cy override"},
		{"not at its end", []Override{day(Take, "cy", "", "")}, "14:00", "ana weekly, bo weekly"},
		{"of a layer", []Override{day(Take, "cy", "", "weekly")}, "11:00", "cy override"},
	} {
		t.Run(c.what, func(t *testing.T) {
			spec := shared
			spec.Overrides = c.overrides
			if got := who(schedule(t, spec).At(utc(t, "2026-01-05 "+c.at))); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func who(a Answer) string {
	var out []string
	for _, p := range a.People {
		out = append(out, p.Name+" "+strings.Join(p.Layers, " "))
	}
	return strings.Join(out, ", ")
}

func TestRule10OverridesOfALayer(t *testing.T) {
	span := func(o Override) Override {
		o.From, o.To = wall(t, "2026-01-05 08:00"), wall(t, "2026-01-05 20:00")
		return o
	}
	spec := layered(t)
	spec.Overrides = []Override{span(Override{Kind: Remove, User: "cy", Layer: "office"}), span(Override{Kind: Replace, User: "ana", With: "eva", Layer: "office"})}
	expect(t, spec, "2026-01-05 08:00", "2026-01-05 16:00", `2026-01-05 08:00 – 2026-01-05 16:00 ana (base)`)

	spec.Overrides = []Override{span(Override{Kind: Replace, User: "ana", With: "eva", Layer: "base"})}
	expect(t, spec, "2026-01-05 07:00", "2026-01-05 18:00", `
		2026-01-05 07:00 – 2026-01-05 08:00 ana (base)
		2026-01-05 08:00 – 2026-01-05 09:00 eva (override)
		2026-01-05 09:00 – 2026-01-05 16:00 cy (office)
		2026-01-05 16:00 – 2026-01-05 17:00 cy+di (office, extra)
		2026-01-05 17:00 – 2026-01-05 18:00 di+eva (extra, override)`)

	// Taking a layer fills its holes, and an adding layer still adds.
	spec.Overrides = []Override{span(Override{Kind: Take, User: "eva", Layer: "extra"})}
	expect(t, spec, "2026-01-05 08:00", "2026-01-05 10:00", `
		2026-01-05 08:00 – 2026-01-05 09:00 ana+eva (base, override)
		2026-01-05 09:00 – 2026-01-05 10:00 cy+eva (office, override)`)

	// A place replaced in its layer is still followed in the result.
	spec.Overrides = []Override{span(Override{Kind: Replace, User: "cy", With: "eva", Layer: "office"}), span(Override{Kind: Replace, User: "cy", With: "bo"})}
	expect(t, spec, "2026-01-05 09:00", "2026-01-05 16:00", `2026-01-05 09:00 – 2026-01-05 16:00 bo (override)`)
}

func TestRule10MadeAtRunTimeComesAfterTheFile(t *testing.T) {
	spec := one(t, "Europe/Lisbon", rotation(t, "ana", "2026-01-05 09:00", "1w"))
	spec.Overrides = []Override{{Kind: Take, User: "bo", From: wall(t, "2026-07-01 00:00"), To: wall(t, "2026-07-02 00:00")}}
	s := schedule(t, spec)
	later, err := s.WithOverrides([]Override{
		{ID: "OV-1", Kind: Replace, User: "bo", With: "cy", Start: utc(t, "2026-07-01 11:00"), End: utc(t, "2026-07-01 12:00")},
		{ID: "OV-2", Kind: Add, User: "di", Layer: "gone", Start: utc(t, "2026-07-01 11:00"), End: utc(t, "2026-07-01 12:00")},
	})
	var ps Problems
	if !errors.As(err, &ps) || len(ps) != 1 || ps[0].Where != "overrides[1]" {
		t.Errorf("error %v, want one of the second override", err)
	}
	want := unindent(`
		2026-06-30 23:00 – 2026-07-01 11:00 bo (override)
		2026-07-01 11:00 – 2026-07-01 12:00 cy (override)
		2026-07-01 12:00 – 2026-07-01 23:00 bo (override)`)
	if got := say(later, utc(t, "2026-06-30 23:00"), utc(t, "2026-07-01 23:00"), true); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := who(s.At(utc(t, "2026-07-01 11:00"))); got != "bo override" {
		t.Errorf("the schedule without it says %q", got)
	}
}

func TestRule11TheSamePeopleAreOneShift(t *testing.T) {
	spec := layered(t)
	spec.Layers[1].Rotation.Turns = [][]string{{"ana"}}
	spec.Layers = spec.Layers[:2]
	expect(t, spec, "2026-01-05 00:00", "2026-01-12 12:00", `
		2026-01-05 00:00 – 2026-01-12 00:00 ana (base, office)
		2026-01-12 00:00 – 2026-01-12 09:00 bo (base)
		2026-01-12 09:00 – 2026-01-12 12:00 ana (office)`)

	// A turn of the same people after another is not a shift of its own; nor is a stretch of no length.
	expect(t, one(t, "UTC", rotation(t, "ana+bo, bo+ana, cy", "2026-01-05 00:00", "1d")), "2026-01-05 00:00", "2026-01-08 00:00", `
		2026-01-05 00:00 – 2026-01-07 00:00 ana+bo
		2026-01-07 00:00 – 2026-01-08 00:00 cy`)
	s := schedule(t, spec)
	now := utc(t, "2026-01-05 00:00")
	if got := s.Shifts(now, now); got == nil || len(got) != 0 {
		t.Errorf("%#v, want an empty list", got)
	}
	if got := s.Shifts(now, now.Add(-time.Hour)); len(got) != 0 {
		t.Errorf("%v of a stretch that runs backwards", got)
	}
}

func TestRule12DeclaredGaps(t *testing.T) {
	spec := one(t, "Europe/Lisbon", rotation(t, "ana", "2026-03-25 09:00", "1w"), "mon-fri 09:00 24:00", "tue-sat 00:00 09:00")
	spec.Uncovered = windowsOf(t, "sat,sun")
	// Saturday from 09:00 to Monday 09:00, of which Monday's hours were not declared; and what is covered
	// stays covered.
	got := schedule(t, spec).Gaps(utc(t, "2026-03-24 00:00"), utc(t, "2026-03-31 00:00"))
	want := []Gap{
		{utc(t, "2026-03-24 00:00"), utc(t, "2026-03-25 09:00"), false},
		{utc(t, "2026-03-28 09:00"), utc(t, "2026-03-29 23:00"), true},
		{utc(t, "2026-03-29 23:00"), utc(t, "2026-03-30 08:00"), false},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if got := schedule(t, spec).Undeclared(utc(t, "2026-03-24 00:00"), utc(t, "2026-03-31 00:00")); !reflect.DeepEqual(got, slices.Delete(slices.Clone(want), 1, 2)) {
		t.Errorf("undeclared %v", got)
	}
	if a := schedule(t, spec).At(utc(t, "2026-03-28 12:00")); !a.Declared || len(a.People) != 0 {
		t.Errorf("on Saturday %+v, want a declared gap", a)
	}
}
