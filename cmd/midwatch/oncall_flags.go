package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/oncall"
)

// scheduleArgs say which schedule and which time.
type scheduleArgs struct{ file, schedule, from, to *string }

func scheduleFlags(c *kingpin.CmdClause) scheduleArgs {
	return scheduleArgs{
		file:     c.Flag("config.file", "Configuration file.").String(),
		schedule: c.Flag("schedule", "Name of the schedule.").Required().String(),
		from:     c.Flag("from", "Beginning of the range: 2026-11-22T03:00:00Z.").Required().String(),
		to:       c.Flag("to", "End of the range.").Required().String(),
	}
}

func (a scheduleArgs) read(out *output) (s *oncall.Schedule, from, to time.Time, code int) {
	var err error
	if from, err = instantFlag("from", *a.from); err != nil {
		return nil, from, to, out.fail(exitUsage, err)
	}
	if to, err = instantFlag("to", *a.to); err != nil {
		return nil, from, to, out.fail(exitUsage, err)
	}
	if to.Before(from) {
		return nil, from, to, out.fail(exitUsage, fmt.Errorf("--to %s lies before --from %s", *a.to, *a.from))
	}
	cfg, ok := loadConfig(out, *a.file)
	if !ok {
		return nil, from, to, exitFailed
	}
	if _, err = chosen(*a.schedule, cfg.ScheduleOrder); err != nil {
		return nil, from, to, out.fail(exitNothing, err)
	}
	return cfg.Schedules[*a.schedule], from, to, exitOK
}

func instantFlag(name, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("--%s %q is not an instant; write 2026-11-22T03:00:00Z", name, text)
	}
	return t, nil
}

// atFlag reads --at, whose default is now, to the minute.
func atFlag(text string) (time.Time, error) {
	if text == "" {
		return time.Now().UTC().Truncate(time.Minute), nil
	}
	return instantFlag("at", text)
}

// chosen are the schedules that --schedule means: the one it names, or all.
func chosen(name string, known []string) ([]string, error) {
	switch {
	case name == "":
		return known, nil
	case slices.Contains(known, name):
		return []string{name}, nil
	}
	return nil, fmt.Errorf("there is no schedule %q; known are: %s", name, orElse(strings.Join(known, ", "), "none"))
}

// zoneFlag reads --time-zone, whose default is the schedule's.
func zoneFlag(name string, s *oncall.Schedule) (*time.Location, error) {
	if name == "" {
		return s.Spec().Zone, nil
	}
	zone, err := oncall.ParseZone(name)
	if err != nil {
		return nil, fmt.Errorf("--time-zone %w", err)
	}
	return zone, nil
}

// userOf says whether a configuration knows a user.
func userOf(cfg *config.Config, name string) error {
	if _, known := cfg.Users[name]; !known && name != "" {
		return fmt.Errorf("there is no user %q; known are: %s", name, orElse(strings.Join(cfg.UserOrder, ", "), "none"))
	}
	return nil
}
