package oncall

import (
	"fmt"
	"testing"
	"time"
)

// six is a schedule of six layers with all that layers have.
func six(t testing.TB) Spec {
	office, nights := windowsOf(t, "mon-fri 09:00 17:00"), windowsOf(t, "daily 22:00 06:00")
	return Spec{Name: "db", Zone: loadZone("Europe/Lisbon"), Layers: []Layer{
		{Name: "base", Rotation: rotation(t, "ana, bo, cy", "2020-01-06 09:00", "1w")},
		{Name: "months", Rotation: rotation(t, "di, nobody", "2020-01-31 09:00", "1month"), Active: windowsOf(t, "fri 18:00 to mon 09:00")},
		{Name: "cron", Rotation: rotation(t, "ana, bo", "2020-01-06 09:00", "0 9 * * MON,THU"), Active: nights},
		{Name: "days", Rotation: rotation(t, "cy, di, eva", "2020-01-06 09:00", "2d"), Active: office},
		{Name: "elapsed", Rotation: rotation(t, "eva, bo", "2020-01-06 09:00", "36h"), Active: windowsOf(t, "sat 10:00 12:00")},
		{Name: "york", Mode: ModeAdd, Zone: loadZone("America/New_York"), Rotation: rotation(t, "eva", "2020-01-06 09:00", "12h"), Active: office},
	}}
}

func BenchmarkAt(b *testing.B) {
	for name, spec := range map[string]Spec{
		"one layer":  one(b, "Europe/Lisbon", rotation(b, "ana, bo, cy", "2020-01-06 09:00", "1w")),
		"six layers": six(b),
	} {
		for _, year := range []int{2026, 2076} {
			b.Run(fmt.Sprintf("%s/%d", name, year), func(b *testing.B) {
				s := schedule(b, spec)
				at := time.Date(year, 3, 1, 12, 0, 0, 0, time.UTC)
				b.ReportAllocs()
				for i := range b.N {
					s.At(at.Add(time.Duration(i%10_000) * time.Hour))
				}
			})
		}
	}
}

func BenchmarkShifts(b *testing.B) {
	for name, spec := range map[string]Spec{
		"weekly":     one(b, "Europe/Lisbon", rotation(b, "ana, bo, cy", "2020-01-06 09:00", "1w")),
		"office":     one(b, "Europe/Lisbon", rotation(b, "ana, bo, cy", "2020-01-06 09:00", "1d"), "mon-fri 09:00 17:00"),
		"six layers": six(b),
	} {
		b.Run(name+", a year", func(b *testing.B) {
			s := schedule(b, spec)
			from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n = len(s.Shifts(from, from.AddDate(1, 0, 0)))
			}
			b.ReportMetric(float64(n), "shifts")
		})
	}
}

// company is 1,000 schedules in zones around the world: half of them a plain weekly rotation, a third office hours with
// nights over them, the rest with six layers; some have overrides.
func company(b *testing.B) (all []*Schedule) {
	zones := []string{"Europe/Lisbon", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC", "Africa/Casablanca"}
	for i := range 1000 {
		zone := zones[i%len(zones)]
		var spec Spec
		switch i % 6 {
		case 0, 1, 2:
			spec = one(b, zone, rotation(b, "ana, bo, cy, di", "2020-01-06 09:00", "1w"))
		case 3, 4:
			spec = one(b, zone, rotation(b, "ana, bo, cy", "2020-01-06 09:00", "1d"), "mon-fri 09:00 17:00")
			spec.Layers = append(spec.Layers, Layer{
				Name: "nights", Rotation: rotation(b, "di, eva", "2020-01-06 17:00", "1w"), Active: windowsOf(b, "daily 17:00 09:00", "sat,sun"),
			})
		default:
			spec = six(b)
			spec.Zone = loadZone(zone)
		}
		for day := 5; day < 25 && i%4 == 0; day++ {
			spec.Overrides = append(spec.Overrides, Override{
				Kind: Replace, User: "ana", With: "bo", From: wall(b, fmt.Sprintf("2026-03-%02d 09:00", day)), To: wall(b, fmt.Sprintf("2026-03-%02d 21:00", day)),
			})
		}
		all = append(all, schedule(b, spec))
	}
	return all
}

func BenchmarkAYearOfAThousandSchedules(b *testing.B) {
	all := company(b)
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n = 0
		for _, s := range all {
			n += len(s.Shifts(from, from.AddDate(1, 0, 0)))
		}
	}
	b.ReportMetric(float64(n), "shifts")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/shift")
}

// A shift costs as much in a stretch of 16 years as in one of a month.
func BenchmarkShiftsGrowth(b *testing.B) {
	s := schedule(b, six(b))
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, months := range []int{1, 3, 12, 48, 192} {
		b.Run(fmt.Sprintf("%d months", months), func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = len(s.Shifts(from, from.AddDate(0, months, 0)))
			}
			b.ReportMetric(float64(n), "shifts")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/shift")
		})
	}
}

func BenchmarkNew(b *testing.B) {
	spec := six(b)
	b.ReportAllocs()
	for b.Loop() {
		schedule(b, spec)
	}
}

func BenchmarkTenThousandOverrides(b *testing.B) {
	s := schedule(b, six(b))
	var extra []Override
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 10_000 {
		start := from.Add(time.Duration(i) * time.Hour)
		extra = append(extra, Override{Kind: Take, User: "ana", Start: start, End: start.Add(3 * time.Hour)})
	}
	s, err := s.WithOverrides(extra)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := range b.N {
		s.At(from.Add(time.Duration(i%10_000) * time.Hour))
	}
}
