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
