package oncall

import (
	"testing"
	"time"
)

// A turn's number is arithmetic; here it is counted, day by day for a century, and compared on some days of each week.
func TestTurnsAreCountedFarFromTheStart(t *testing.T) {
	weekday := func(d time.Time) bool { return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday }
	users := "ana, bo, cy, di, eva"
	inMay := one(t, "UTC", rotation(t, users, "1996-01-05 09:00", "7d"))
	inMay.Layers[0].Rotation.Count = ActiveDays
	inMay.Layers[0].Active = []Window{{Calendar: &Calendar{Name: "may", Intervals: []Interval{{Months: []Span{{5, 5}}, MonthDays: []Span{{-3, -1}}}}}}}
	for _, c := range []struct {
		what  string
		spec  Spec
		marks func(time.Time) bool // days on which a turn may change
		per   int
		lead  int // marks after the start that change nothing
	}{
		{"3 weekdays", one(t, "UTC", rotation(t, users, "1996-01-05 09:00", "3d"), "mon-fri"), weekday, 3, 0},
		{"Mondays", one(t, "UTC", rotation(t, users, "1996-01-05 09:00", "0 9 * * MON")), func(d time.Time) bool { return d.Weekday() == time.Monday }, 1, 0},
		{"the 13th or a Friday", one(t, "UTC", rotation(t, users, "1996-01-05 09:00", "0 9 13 * FRI")), func(d time.Time) bool { return d.Weekday() == time.Friday || d.Day() == 13 }, 1, 0},
		{"leap days", one(t, "UTC", rotation(t, users, "1996-01-05 09:00", "0 9 29 2 *")), func(d time.Time) bool { return d.Month() == 2 && d.Day() == 29 }, 1, 0},
		{"last days of May", inMay, func(d time.Time) bool { return d.Month() == 5 && d.Day() > 28 }, 7, 1},
	} {
		s := schedule(t, c.spec)
		l := &s.layers[0]
		marks := -c.lead
		for d := utc(t, "1996-01-06 09:00"); d.Year() < 2110; d = d.AddDate(0, 0, 1) {
			if c.marks(d) {
				marks++
			}
			if d.YearDay()%7 > 1 {
				continue
			}
			n := now{d.Unix(), appendZones(nil, s.zones)}
			if got, want := l.turns.number(&n, l.zone), int64(max(marks, 0)/c.per); got != want {
				t.Fatalf("%s: on %v turn %d, want %d", c.what, d, got, want)
			}
		}
	}
}

// Past its table of changes Go believes that every year has 365 days: see clock.look.
func TestTheLastDayOfALeapYearDoesNotHang(t *testing.T) {
	for _, zone := range []string{"Europe/Lisbon", "America/New_York", "Australia/Sydney"} {
		for _, year := range []string{"2028", "2040", "2096"} {
			at := utc(t, year+"-12-31 12:00")
			w := WallTime(at, loadZone(zone))
			if first, last := w.First(loadZone(zone)), w.Last(loadZone(zone)); first != at || last != at {
				t.Errorf("%s in %s is %v and %v, want %v", w, zone, first, last, at)
			}
		}
	}
}

func TestTheEndsOfTime(t *testing.T) {
	s := schedule(t, six(t))
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		s.At(at)
		s.NextChange(at)
		s.Shifts(at, at.AddDate(0, 0, 2))
	}
	if got := s.At(time.Time{}).Users(); len(got) != 0 {
		t.Errorf("in the year 1 %v are on call", got)
	}
}

// Zones counted seconds before they agreed on hours: Lisbon was 36:45 behind Greenwich until 1912.
func TestSecondsOfLocalMeanTime(t *testing.T) {
	lisbon := loadZone("Europe/Lisbon")
	at := wall(t, "1911-06-01 09:00").First(lisbon)
	if want := time.Date(1911, 6, 1, 9, 36, 45, 0, time.UTC); at != want {
		t.Fatalf("%v, want %v", at, want)
	}
	s := schedule(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo", "1911-05-31 09:00", "1d")))
	for at, want := range map[time.Time]string{at.Add(-time.Second): "ana", at: "bo"} {
		if got := s.At(at).Users(); len(got) != 1 || got[0] != want {
			t.Errorf("at %v %v, want %s", at, got, want)
		}
	}
}

func TestAtAllocatesOnlyItsAnswer(t *testing.T) {
	s := schedule(t, six(t))
	at := utc(t, "2026-03-29 01:00")
	if n := testing.AllocsPerRun(100, func() { s.At(at) }); n > 2 {
		t.Errorf("%v allocations, want the people and their layers", n)
	}
}
