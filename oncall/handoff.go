package oncall

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/robfig/cron/v3"
)

// A Handoff is a five-field cron expression, read as civil time: SPEC §4.7. Zero is not given.
//
// The cron library only reads the expression. Its fields become a set of days and a list of minutes, which
// can be counted and searched in closed form and know nothing of zones.
type Handoff struct {
	text    string
	minutes []int // of the day
	days    rule
}

// ParseHandoff reads a cron expression such as "0 9 * * MON". Where day of month and weekday are both
// given, either is enough. One that never comes is an error.
func ParseHandoff(s string) (h Handoff, err error) {
	// The library panics on some inputs (TZ= without a space); a config must not end the daemon.
	defer func() {
		if r := recover(); r != nil {
			h, err = Handoff{}, fmt.Errorf("%q is not a cron expression; write five fields such as 0 9 * * MON", s)
		}
	}()
	text := strings.Join(strings.Fields(s), " ")
	switch {
	case text == "":
		return Handoff{}, errors.New("no cron expression; write five fields such as 0 9 * * MON")
	case strings.HasPrefix(text, "@"):
		return Handoff{}, fmt.Errorf("%q is not a cron expression of five fields; write one such as 0 9 * * MON", s)
	case strings.Contains(text, "TZ="):
		return Handoff{}, fmt.Errorf("%q names a zone; leave it out, since time_zone says it", s)
	}
	fields := strings.Split(text, " ")
	if len(fields) != 5 {
		return Handoff{}, fmt.Errorf("%q has %d fields; write five (minute, hour, day, month, weekday), such as 0 9 * * MON", s, len(fields))
	}
	fields[4] = sundayFirst(fields[4])
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(strings.Join(fields, " "))
	if err != nil {
		return Handoff{}, fmt.Errorf("%q: %w; write five fields such as 0 9 * * MON", s, err)
	}
	spec := parsed.(*cron.SpecSchedule)
	const star = 1 << 63
	h = Handoff{text: text, days: rule{
		weekdays:  Weekdays(spec.Dow>>1)&(everyDay>>1) | Weekdays(spec.Dow&1)<<6,
		monthDays: uint32(spec.Dom & allMonthDays),
		months:    uint16(spec.Month & allMonths),
		either:    spec.Dom&star == 0 && spec.Dow&star == 0,
	}}
	for hour := range 24 {
		for minute := range 60 {
			if spec.Hour&(1<<hour) != 0 && spec.Minute&(1<<minute) != 0 {
				h.minutes = append(h.minutes, hour*60+minute)
			}
		}
	}
	if len(h.minutes) == 0 || h.Next(1) == 0 {
		return Handoff{}, fmt.Errorf("%q never comes: no year has such a day", s)
	}
	return h, nil
}

// sundayFirst rewrites a weekday field in which Sunday is a range's end (fri-sun, 5-7) or 7, as cron allows
// and the library does not.
func sundayFirst(field string) string {
	items := strings.Split(strings.ToLower(field), ",")
	for i, item := range items {
		span, step, stepped := strings.Cut(item, "/")
		from, to, ranged := strings.Cut(span, "-")
		if !ranged {
			if from == "7" && !stepped {
				items[i] = "0"
			}
			continue
		}
		if to != "7" && to != "sun" {
			continue
		}
		if from == "0" || from == "sun" {
			if to == "7" && !stepped {
				items[i] = "0-6"
			}
			continue
		}
		first := slices.Index(dayNames[:], from) + 1
		if n, ok := digits(from); ok {
			first = n
		}
		by := 1
		if stepped {
			by, _ = digits(step)
		}
		if first < 1 || first > 7 || by < 1 {
			continue // the library says what is wrong
		}
		var days []string
		for d := first; d <= 7; d += by {
			days = append(days, fmt.Sprint(d%7))
		}
		items[i] = strings.Join(days, ",")
	}
	return strings.Join(items, ",")
}

// String prints as ParseHandoff reads.
func (h Handoff) String() string { return h.text }

// Next is the first such time after c; zero is never.
func (h Handoff) Next(c Civil) Civil {
	day := c.day()
	if i, _ := slices.BinarySearch(h.minutes, c.minute()+1); i < len(h.minutes) && h.days.has(day) {
		return Civil(day*dayMinutes) + Civil(h.minutes[i])
	}
	if day, ok := h.days.next(day + 1); ok {
		return Civil(day*dayMinutes) + Civil(h.minutes[0])
	}
	return 0
}
