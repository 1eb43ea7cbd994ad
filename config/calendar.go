package config

import (
	"github.com/prometheus/alertmanager/timeinterval"

	"github.com/midwatch/midwatch/oncall"
)

// calendarOf puts Alertmanager's time intervals into oncall's words; the numbers are the same.
func calendarOf(name string, intervals []timeinterval.TimeInterval) *oncall.Calendar {
	c := &oncall.Calendar{Name: name}
	for _, t := range intervals {
		var v oncall.Interval
		for _, r := range t.Times {
			v.Times = append(v.Times, oncall.Span{First: r.StartMinute, Last: r.EndMinute})
		}
		for _, r := range t.Weekdays {
			v.Weekdays = append(v.Weekdays, span(r.InclusiveRange))
		}
		for _, r := range t.DaysOfMonth {
			v.MonthDays = append(v.MonthDays, span(r.InclusiveRange))
		}
		for _, r := range t.Months {
			v.Months = append(v.Months, span(r.InclusiveRange))
		}
		for _, r := range t.Years {
			v.Years = append(v.Years, span(r.InclusiveRange))
		}
		if t.Location != nil {
			v.Zone = t.Location.Location
		}
		c.Intervals = append(c.Intervals, v)
	}
	return c
}

func span(r timeinterval.InclusiveRange) oncall.Span { return oncall.Span{First: r.Begin, Last: r.End} }
