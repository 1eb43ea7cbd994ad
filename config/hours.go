package config

import (
	"fmt"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/oncall"
)

// Hours makes support hours ready to be asked. Time intervals are found by their names as they stand in this
// configuration, also for a policy that an incident has kept from an earlier one.
func (c *Config) Hours(h escalation.Hours) (*oncall.Hours, error) {
	zone, err := time.LoadLocation(h.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("support_hours: %w", err)
	}
	var windows []oncall.Window
	for _, w := range h.Active {
		if w.Named != "" {
			intervals, ok := c.interval(w.Named)
			if !ok {
				return nil, fmt.Errorf("support_hours: there is no time interval %q any more", w.Named)
			}
			windows = append(windows, oncall.Window{Calendar: calendarOf(w.Named, intervals)})
			continue
		}
		window, err := oncall.ParseWindow(w.Days, w.From, w.To)
		if err != nil {
			return nil, fmt.Errorf("support_hours: %w", err)
		}
		windows = append(windows, window)
	}
	return oncall.NewHours(zone, windows)
}

// interval finds a time interval of the file, under either of the names that Alertmanager has for the section.
func (c *Config) interval(name string) ([]timeinterval.TimeInterval, bool) {
	for _, t := range c.Upstream.TimeIntervals {
		if t.Name == name {
			return t.TimeIntervals, true
		}
	}
	for _, t := range c.Upstream.MuteTimeIntervals {
		if t.Name == name {
			return t.TimeIntervals, true
		}
	}
	return nil, false
}
