package draw

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/midwatch/midwatch/oncall"
)

var update = flag.Bool("update", false, "write the pictures in testdata anew")

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := oncall.ParseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func wall(t testing.TB, s string) oncall.Civil {
	t.Helper()
	c, err := oncall.ParseCivil(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rotation reads "ana, bo+cy, nobody", a start and the length of a turn.
func rotation(t testing.TB, users, start, every string) oncall.Rotation {
	t.Helper()
	e, err := oncall.ParseEvery(every)
	if err != nil {
		t.Fatal(err)
	}
	r := oncall.Rotation{Start: wall(t, start), Every: e}
	for turn := range strings.SplitSeq(users, ", ") {
		r.Turns = append(r.Turns, strings.Split(turn, "+"))
	}
	return r
}

// daily is a window of every day, "22:00 06:00", or of some days, "mon-fri 09:00 17:00".
func window(t testing.TB, s string) oncall.Window {
	t.Helper()
	var days []string
	f := strings.Fields(s)
	if len(f) == 3 {
		days, f = f[:1], f[1:]
	}
	w, err := oncall.ParseWindow(days, f[0], f[1])
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func schedule(t testing.TB, spec oncall.Spec) *oncall.Schedule {
	t.Helper()
	s, err := oncall.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// primary has all that a picture can show.
func primary(t testing.TB) *oncall.Schedule {
	override := func(o oncall.Override, from, to string) oncall.Override {
		o.From, o.To = wall(t, from), wall(t, to)
		return o
	}
	return schedule(t, oncall.Spec{
		Name: "db-primary", Zone: zone(t, "Europe/Lisbon"),
		Layers: []oncall.Layer{
			{Name: "weekly", Rotation: rotation(t, "ana, bo, cy+di, nobody", "2026-01-05 09:00", "1w"), Active: []oncall.Window{window(t, "mon-sat 00:00 24:00")}},
			{Name: "night", Mode: oncall.ModeAdd, Rotation: rotation(t, "eva, frederick", "2026-01-05 00:00", "1w"), Active: []oncall.Window{window(t, "22:00 06:00")}},
		},
		Overrides: []oncall.Override{
			override(oncall.Override{Kind: oncall.Replace, User: "ana", With: "bo"}, "2026-10-21 09:00", "2026-10-23 09:00"),
			override(oncall.Override{Kind: oncall.Take, User: "cy"}, "2026-10-22 09:00", "2026-10-22 21:00"),
			override(oncall.Override{Kind: oncall.Remove, User: "bo", Layer: "weekly"}, "2026-10-28 09:00", "2026-10-28 21:00"),
		},
		Uncovered: []oncall.Window{window(t, "sun 00:00 12:00")},
	})
}

func weekly(t testing.TB) *oncall.Schedule {
	return schedule(t, oncall.Spec{
		Name: "weekly", Zone: zone(t, "Europe/Lisbon"),
		Layers: []oncall.Layer{{Name: "all", Rotation: rotation(t, "ana, bo, cy", "2026-01-05 09:00", "1w")}},
	})
}

// between draws a schedule from one wall time of its zone to another.
func between(t testing.TB, s *oncall.Schedule, from, to string) Picture {
	z := s.Spec().Zone
	return Of(s, wall(t, from).First(z), wall(t, to).First(z), z)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestAPictureHasLayersOverridesAndTheResult(t *testing.T) {
	p := between(t, primary(t), "2026-10-21 00:00", "2026-10-24 00:00")
	var names []string
	for _, r := range p.Rows {
		names = append(names, r.Name)
	}
	if want := []string{"weekly", "night", "overrides", "overrides", "on call"}; !slices.Equal(names, want) {
		t.Fatalf("rows %v, want %v", names, want)
	}
	if got := p.Rows[2].Bars; len(got) != 1 || got[0].Does != "bo replaces ana" || !slices.Equal(got[0].Users, []string{"bo"}) {
		t.Errorf("first override %+v", got)
	}
	if got := p.Rows[0].Bars; len(got) != 1 || !slices.Equal(got[0].Users, []string{"bo"}) {
		t.Errorf("the layer is drawn as %+v, want its rotation alone", got)
	}
}

// Overrides made at run time are in the schedule that is drawn, but not in its Spec.
func TestOverridesOfRunTimeAreDrawnWhereTheyAreGiven(t *testing.T) {
	s := weekly(t)
	from := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	made := []oncall.Override{
		{ID: "OV-1", Kind: oncall.Take, User: "cy", Start: from.Add(time.Hour), End: from.Add(48 * time.Hour)},
		{ID: "OV-2", Kind: oncall.Add, User: "di", Start: from.Add(-time.Hour), End: from}, // over by then
	}
	with, err := s.WithOverrides(made)
	if err != nil {
		t.Fatal(err)
	}
	p := Of(with, from, from.Add(24*time.Hour), time.UTC, made...)
	if len(p.Rows) != 3 || len(p.Rows[1].Bars) != 1 {
		t.Fatalf("rows %+v, want one override between the layer and the result", p.Rows)
	}
	if b := p.Rows[1].Bars[0]; b.Does != "cy takes over" || !b.Start.Equal(from.Add(time.Hour)) || !b.End.Equal(from.Add(24*time.Hour)) {
		t.Errorf("override %+v, want it cut to the picture", b)
	}
}
