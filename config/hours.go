package config

import (
	"fmt"
	"time"

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
			named := c.windows[w.Named]
			if named == nil {
				return nil, fmt.Errorf("support_hours: there is no time interval %q any more", w.Named)
			}
			windows = append(windows, oncall.Window{Calendar: named})
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
