package oncall_test

import (
	"fmt"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// Ana and Bo take weeks. The clocks of New York change on 8 March, and Bo covers for Ana on one day.
func Example() {
	zone, _ := time.LoadLocation("America/New_York")
	start, _ := oncall.ParseCivil("2026-03-02 09:00")
	week, _ := oncall.ParseEvery("1w")
	s, err := oncall.New(oncall.Spec{
		Name: "db-primary",
		Zone: zone,
		Layers: []oncall.Layer{{
			Name:     "weekly",
			Rotation: oncall.Rotation{Turns: [][]string{{"ana"}, {"bo"}}, Start: start, Every: week},
		}},
		Overrides: []oncall.Override{{
			Kind: oncall.Replace, User: "ana", With: "bo", From: start + 24*60, To: start + 48*60,
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, shift := range s.Shifts(from, from.AddDate(0, 0, 10)) {
		fmt.Println(shift.Start.Format(time.RFC3339), shift.End.Format(time.RFC3339), shift.Users, shift.Layers)
	}
	fmt.Println(s.Because("bo", start.First(zone).AddDate(0, 0, 1)))
	// Output:
	// 2026-03-02T14:00:00Z 2026-03-03T14:00:00Z [ana] [weekly]
	// 2026-03-03T14:00:00Z 2026-03-04T14:00:00Z [bo] [override]
	// 2026-03-04T14:00:00Z 2026-03-09T13:00:00Z [ana] [weekly]
	// 2026-03-09T13:00:00Z 2026-03-12T00:00:00Z [bo] [weekly]
	// bo replaces ana, until Wed 2026-03-04 09:00 America/New_York
}
