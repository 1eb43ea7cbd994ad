package oncall

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNewTellsAllFaultsAndWhere(t *testing.T) {
	_, err := New(Spec{
		Name: "db", Zone: time.UTC,
		Layers: []Layer{
			{Name: "a", Mode: "both", Rotation: Rotation{Turns: [][]string{{"ana"}, {"bo"}}}},
			{Name: "a", Rotation: Rotation{Turns: [][]string{{"ana"}}, Start: wall(t, "2026-01-05 09:00"), Every: Every{0, Week}}},
			{Rotation: Rotation{Start: 1, Every: Every{1, Week}, Count: ActiveDays}, Active: []Window{{From: 1440}}},
			{Name: "override", Rotation: rotation(t, "", "2026-01-05 09:00", "0 9 * * *"), EffectiveFrom: 5, EffectiveUntil: 5},
			{Name: "b", Rotation: Rotation{Turns: [][]string{{""}}, Start: 1, Every: Every{1, Week}, Handoff: rotation(t, "", "2026-01-05 09:00", "0 9 * * *").Handoff, Count: "x"}},
		},
		Overrides: []Override{
			{Kind: Take, User: "ana", From: 5, To: 4},
			{Kind: Replace, User: "ana", From: 4, To: 5},
			{Kind: Take, User: "ana", Layer: "c", From: 4, To: 5},
			{Kind: Take, User: "ana", Layer: "b", From: 4, To: 5},
			{Kind: "swap", User: "ana", From: 4, To: 5},
			{Kind: Add, User: "nobody", From: 4, To: 5},
			{Kind: Add, User: "ana", Start: time.Unix(9, 0), End: time.Unix(9, 0)},
			{Kind: Add, User: "ana", From: 4},
		},
		Uncovered: []Window{{Week: true, From: weekMinutes}},
	})
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatalf("%v is no Problems", err)
	}
	got := strings.Split(ps.Error(), "\n")
	want := []string{
		`layers[0].mode: "both" is no mode; write replace or add`,
		`layers[0].rotation.start: absent; write the local time of the first turn, such as 2026-01-05 09:00`,
		`layers[0].rotation: says not when turns change; give every or handoff`,
		`layers[1].name: a second layer named "a"`,
		`layers[1].rotation.every: a turn lasts at least 1; write Nh, Nd, Nw or Nmonth, such as 12h or 1w`,
		`layers[2].name: absent; shifts and overrides refer to a layer by its name`,
		`layers[2].rotation.count: active_days counts days; it goes only with every: Nd`,
		`layers[2].active[0]: no such window in a week`,
		`layers[3].name: "override" is what shifts call those who come from an override`,
		`layers[3].effective_until: 0001-01-01 00:05 is not after effective_from, 0001-01-01 00:05`,
		`layers[4].rotation.handoff: turns change by every or by handoff, not by both`,
		`layers[4].rotation.count: "x" is no way to count; write calendar or active_days`,
		`layers[4].rotation.users[0]: a user without a name`,
		`uncovered[0]: no such window in a week`,
		`overrides[0]: ends at 0001-01-01 00:04, not after it starts at 0001-01-01 00:05`,
		`overrides[1]: replace ana with whom? Name a user in with`,
		`overrides[2]: acts on layer "c", which does not exist; the schedule's layers are: a, override, b`,
		`overrides[4]: "swap" is no kind of override; write replace, take, add or remove`,
		`overrides[5]: nobody is no user here; to leave a place empty, remove the user`,
		`overrides[6]: ends at 1970-01-01T00:00:09Z, not after it starts at 1970-01-01T00:00:09Z`,
		`overrides[7]: needs both from and to`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := New(Spec{Name: "db"}); err == nil || err.Error() != "time_zone: absent; name an IANA zone such as Europe/Lisbon" {
		t.Errorf("without a zone: %v", err)
	}
}

func TestBecauseSaysWhyAndUntilWhen(t *testing.T) {
	spec := one(t, "Europe/Lisbon", rotation(t, "ana, bo+di", "2026-03-23 09:00", "1w"), "mon-fri 09:00 17:00", "mon-fri 17:00 22:00")
	spec.Overrides = []Override{
		{ID: "OV-7", Kind: Replace, User: "bo", With: "cy", From: wall(t, "2026-04-01 09:00"), To: wall(t, "2026-04-02 09:00")},
		{Kind: Take, User: "eva", Layer: "weekly", From: wall(t, "2026-04-03 09:00"), To: wall(t, "2026-04-03 10:00")},
	}
	s := schedule(t, spec)
	for _, c := range []struct{ at, user, want string }{
		{"2026-03-24 12:00", "ana", `turn 1 of 2 in layer "weekly", until Tue 2026-03-24 22:00 Europe/Lisbon`},
		{"2026-03-30 12:00", "bo", `turn 2 of 2 in layer "weekly", until Mon 2026-03-30 22:00 Europe/Lisbon`},
		{"2026-03-30 12:00", "ana", ""},
		{"2026-04-01 12:00", "cy", `override OV-7: cy replaces bo, until Thu 2026-04-02 09:00 Europe/Lisbon`},
		{"2026-04-01 12:00", "bo", ""},
		{"2026-04-03 08:30", "eva", `eva takes over in layer "weekly", until Fri 2026-04-03 10:00 Europe/Lisbon`},
	} {
		if got := s.Because(c.user, utc(t, c.at)); got != c.want {
			t.Errorf("%s at %s: %q, want %q", c.user, c.at, got, c.want)
		}
	}
	always := schedule(t, one(t, "Europe/Lisbon", rotation(t, "ana", "2026-03-23 09:00", "1w")))
	if got, want := always.Because("ana", utc(t, "2026-04-01 12:00")), `turn 1 of 1 in layer "weekly"`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNextChange(t *testing.T) {
	s := schedule(t, one(t, "America/New_York", rotation(t, "ana, bo", "2026-03-02 09:00", "1w")))
	for at, want := range map[string]string{
		"2025-01-01 00:00": "2026-03-02 14:00",
		"2026-03-02 13:59": "2026-03-02 14:00",
		"2026-03-02 14:00": "2026-03-09 13:00",
		"2053-09-01 08:00": "2053-09-01 13:00",
	} {
		if got := s.NextChange(utc(t, at)); got != utc(t, want) {
			t.Errorf("after %s %v, want %s", at, got, want)
		}
	}
	ends := one(t, "UTC", rotation(t, "ana, bo", "2026-03-02 09:00", "1w"))
	ends.Layers[0].EffectiveUntil = wall(t, "2026-03-03 00:00")
	if got := schedule(t, ends).NextChange(utc(t, "2026-03-03 00:00")); !got.IsZero() {
		t.Errorf("after its end %v, want never", got)
	}
}

func TestDiff(t *testing.T) {
	was := one(t, "UTC", rotation(t, "ana, bo", "2026-01-05 00:00", "1d"))
	is := one(t, "UTC", rotation(t, "ana, bo, cy", "2026-01-05 00:00", "1d"))
	is.Layers[0].EffectiveUntil = wall(t, "2026-01-08 00:00")
	got := Diff(schedule(t, was), schedule(t, is), utc(t, "2026-01-05 00:00"), utc(t, "2026-01-09 00:00"))
	want := []Change{
		{utc(t, "2026-01-07 00:00"), utc(t, "2026-01-08 00:00"), []string{"ana"}, []string{"cy"}},
		{utc(t, "2026-01-08 00:00"), utc(t, "2026-01-09 00:00"), []string{"bo"}, []string{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWarnings(t *testing.T) {
	base := func(name, users, period string, active ...string) Layer {
		return Layer{Name: name, Rotation: rotation(t, users, "2026-01-05 09:00", period), Active: windowsOf(t, active...)}
	}
	until := func(l Layer, end string) Layer {
		l.EffectiveUntil = wall(t, end)
		return l
	}
	adds := func(l Layer) Layer {
		l.Mode = ModeAdd
		return l
	}
	hidden := func(by string) string {
		return `layers[0]: never shows: there is always somebody above it, in ` + by + `; later layers win, so put it last, or give the other mode: add`
	}
	for _, c := range []struct {
		what, zone string
		layers     []Layer
		want       string
	}{
		{"nothing", "Europe/Lisbon", []Layer{base("a", "ana, bo", "1w")}, ""},
		{"no users", "Europe/Lisbon", []Layer{base("a", "", "1w")}, `layers[0].rotation.users: has no users; the layer is a hole for ever: add somebody, or remove it`},
		{"nobody's", "Europe/Lisbon", []Layer{base("a", "nobody", "1w")}, `layers[0].rotation.users: every turn is nobody's; the layer is a hole for ever: add somebody, or remove it`},
		{"48h", "Europe/Lisbon", []Layer{base("a", "ana, bo", "48h")}, `layers[0].rotation.every: 48h is elapsed time: the hand-off moves whenever the clocks of Europe/Lisbon change; write 2d to keep it at 09:00`},
		{"10h", "America/New_York", []Layer{base("a", "ana, bo", "10h")}, `layers[0].rotation.every: 10h is elapsed time: the hand-off moves whenever the clocks of America/New_York change`},
		{"48h where clocks do not change", "Asia/Kathmandu", []Layer{base("a", "ana, bo", "48h")}, ""},
		{"12h", "Europe/Lisbon", []Layer{base("a", "ana, bo", "12h")}, ""},
		{"hidden", "Europe/Lisbon", []Layer{base("a", "ana", "1w"), base("b", "bo", "1w")}, hidden(`layer "b"`)},
		{"hidden together", "Europe/Lisbon", []Layer{base("a", "ana", "1w"), base("b", "bo", "1w", "mon-fri"), base("c", "cy", "1w", "sat-sun")}, hidden("the layers together")},
		{"partly hidden", "Europe/Lisbon", []Layer{base("a", "ana", "1w"), base("b", "bo", "1w", "mon-fri")}, ""},
		{"an adding layer hides nothing", "Europe/Lisbon", []Layer{base("a", "ana", "1w"), adds(base("b", "bo", "1w"))}, ""},
		{"nor one with nobody's turns", "Europe/Lisbon", []Layer{base("a", "ana", "1w"), base("b", "bo, nobody", "1w")}, ""},
		{"nor one that ends", "Europe/Lisbon", []Layer{base("a", "ana", "1w"), until(base("b", "bo", "1w"), "2027-01-01 00:00")}, ""},
		{"unless later", "Europe/Lisbon", []Layer{until(base("a", "ana", "1w"), "2026-06-01 00:00"), until(base("b", "bo", "1w"), "2027-01-01 00:00")}, hidden(`layer "b"`)},
		{"over before its start", "Europe/Lisbon", []Layer{until(base("a", "ana", "1w"), "2026-01-01 00:00")}, `layers[0]: never shows: there is no time between its start and its end; change start or effective_until, or remove the layer`},
	} {
		var got []string
		for _, p := range schedule(t, Spec{Zone: loadZone(c.zone), Layers: c.layers}).Warnings() {
			got = append(got, p.String())
		}
		if got := strings.Join(got, "\n"); got != c.want {
			t.Errorf("%s: got %s\nwant %s", c.what, got, c.want)
		}
	}
}

func TestWarningOfAnOverrideThatChangesNothing(t *testing.T) {
	spec := one(t, "UTC", rotation(t, "ana, bo", "2026-01-05 00:00", "1w"))
	span := Override{Kind: Replace, User: "bo", With: "cy", From: wall(t, "2026-01-06 00:00"), To: wall(t, "2026-01-07 00:00")}
	useful := span
	useful.User = "ana"
	spec.Overrides = []Override{span, useful}
	want := []Problem{{"overrides[0]", "changes nothing: bo is not on call then, or a later override decides; remove it, or mend its times"}}
	if got := schedule(t, spec).Warnings(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Calendars mean what they mean to Alertmanager, minute by minute, where clocks do not change.
func TestCalendarsAreAlertmanagers(t *testing.T) {
	zone := loadZone("Asia/Kathmandu")
	check(t, 1000, 20_000, func(t *rapid.T) {
		var v Interval
		for _, w := range drawWindows(t, drawStageIn(t, []string{"UTC"}), "some") {
			if w.Calendar != nil && len(w.Calendar.Intervals) > 0 {
				v = w.Calendar.Intervals[0]
			}
		}
		for range rapid.IntRange(0, 2).Draw(t, "odd days") {
			v.MonthDays = append(v.MonthDays, Span{rapid.IntRange(-31, 31).Draw(t, "first"), rapid.IntRange(-31, 31).Draw(t, "last")})
		}
		h, err := NewHours(zone, []Window{{Calendar: &Calendar{Name: "c", Intervals: []Interval{v}}}})
		if err != nil {
			t.Fatal(err)
		}
		up := upstream(v)
		at := time.Date(2004, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 37*365*1440).Draw(t, "minute")) * time.Minute)
		for range 20 {
			open := h.Open(at)
			if want := up.ContainsTime(at.In(zone)); open != want {
				t.Fatalf("%+v at %v: %v, want %v", v, at.In(zone), open, want)
			}
			next := h.NextChange(at)
			if next.IsZero() {
				if later := at.AddDate(0, 0, rapid.IntRange(1, 4000).Draw(t, "days")); up.ContainsTime(later.In(zone)) != open {
					t.Fatalf("%+v: never changes after %v, but does before %v", v, at, later)
				}
				return
			}
			if half := at.Add(next.Sub(at) / 2); up.ContainsTime(half.In(zone)) != open || up.ContainsTime(next.Add(-time.Minute).In(zone)) != open {
				t.Fatalf("%+v: changes between %v and %v", v, at, next)
			}
			at = next
		}
	})
}

func TestHours(t *testing.T) {
	h, err := NewHours(loadZone("Europe/Lisbon"), windowsOf(t, "mon-fri 09:00 18:00"))
	if err != nil {
		t.Fatal(err)
	}
	friday := utc(t, "2026-03-27 17:00")
	if !h.Open(friday) || h.NextChange(friday) != utc(t, "2026-03-27 18:00") {
		t.Errorf("on Friday open %v until %v", h.Open(friday), h.NextChange(friday))
	}
	if evening := utc(t, "2026-03-27 18:00"); h.Open(evening) || h.NextChange(evening) != utc(t, "2026-03-30 08:00") {
		t.Errorf("after it open %v until %v", h.Open(evening), h.NextChange(evening))
	}
	always, _ := NewHours(time.UTC, nil)
	if !always.Open(friday) || !always.NextChange(friday).IsZero() {
		t.Error("without windows it is not always open")
	}
	if _, err := NewHours(time.UTC, []Window{{From: -1}}); err == nil {
		t.Error("a window before the day is accepted")
	}
}

// Thousands of overrides are found as quickly as one, and in the order of their creation.
func TestTheAgendaFindsWhatActs(t *testing.T) {
	check(t, 1000, 20_000, func(t *rapid.T) {
		var os []override
		for range rapid.IntRange(0, 40).Draw(t, "overrides") {
			start := rapid.Int64Range(0, 50).Draw(t, "start")
			os = append(os, override{start: start, end: start + rapid.Int64Range(0, 30).Draw(t, "length")})
		}
		a := newAgenda(os)
		for u := int64(-1); u < 90; u++ {
			var want []int32
			next := int64(never)
			for i, o := range os {
				if o.start <= u && u < o.end {
					want = append(want, int32(i))
				}
				for _, edge := range []int64{o.start, o.end} {
					if edge > u && o.start < o.end {
						next = min(next, edge)
					}
				}
			}
			if got := a.at(nil, os, u); !slices.Equal(got, want) || a.next(u) != next {
				t.Fatalf("at %d %v then %d, want %v then %d", u, got, a.next(u), want, next)
			}
		}
	})
}
