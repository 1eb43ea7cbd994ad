package oncall

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Window is a recurring stretch of time, in one of three forms.
//
//   - Days, From, To: on each of Days (none named: on every day), between two minutes of the day. To not
//     after From is on the next day, so that equal means a whole day, and the zero Window is all of every day.
//   - Week: one window a week, From and To being minutes since Monday 00:00. Equal means the whole week.
//   - Calendar: the named time interval or shared calendar, and nothing else.
//
// The weekday belongs to the window's start: SPEC §4.8.
type Window struct {
	Days     Weekdays
	From, To int
	Week     bool
	Calendar *Calendar
}

// A Calendar is one of the file's time intervals, or a shared calendar: the union of its Intervals and Events.
type Calendar struct {
	Name      string
	Intervals []Interval
	Events    []Event
}

// An Interval holds where all of its fields do. An absent field holds always. Numbers are Alertmanager's:
// minutes of the day with Last exclusive, Sunday is 0, days of the month may be negative, from its end.
type Interval struct {
	Times, Weekdays, MonthDays, Months, Years []Span
	Zone                                      *time.Location // nil: that of whoever asks
}

// A Span is a range of numbers, both ends included unless said otherwise.
type Span struct{ First, Last int }

// ParseWindow reads an entry as it is written in YAML; what is absent is empty.
func ParseWindow(days []string, from, to string) (Window, error) {
	w := Window{}
	var err error
	if w.Days, err = ParseDays(days...); err != nil {
		return Window{}, fmt.Errorf("days: %w", err)
	}
	if startsWithDay(from) || startsWithDay(to) {
		if w.Days != 0 {
			return Window{}, errors.New(`days and a weekday in from or to exclude each other; write {from: "fri 18:00", to: "mon 09:00"}`)
		}
		if !startsWithDay(from) || !startsWithDay(to) {
			return Window{}, errors.New(`from and to both need a weekday or neither; write {from: "fri 18:00", to: "mon 09:00"}`)
		}
		w.Week = true
		if w.From, err = ParseWeekTime(from); err != nil {
			return Window{}, fmt.Errorf("from: %w", err)
		}
		if w.To, err = ParseWeekTime(to); err != nil {
			return Window{}, fmt.Errorf("to: %w", err)
		}
		return w, nil
	}
	w.To = dayMinutes
	if from != "" {
		if w.From, err = ParseClock(from); err != nil {
			return Window{}, fmt.Errorf("from: %w", err)
		}
	}
	if to != "" {
		if w.To, err = ParseClock(to); err != nil {
			return Window{}, fmt.Errorf("to: %w", err)
		}
	}
	if w.From == dayMinutes {
		return Window{}, errors.New(`from: "24:00" is the next day's 00:00; a window starts before it`)
	}
	return w, nil
}

func startsWithDay(s string) bool {
	return s != "" && (s[0] < '0' || s[0] > '9')
}

// String prints the entry as a person would write it.
func (w Window) String() string {
	switch {
	case w.Calendar != nil:
		return w.Calendar.Name
	case w.Week:
		return FormatWeekTime(w.From) + " to " + FormatWeekTime(w.To)
	}
	days := "every day"
	if w.Days != 0 {
		days = w.Days.String()
	}
	return days + " " + FormatClock(w.From) + " to " + FormatClock(w.To)
}

func (w Window) check() error {
	switch {
	case w.Calendar != nil:
		if w.Days != 0 || w.From != 0 || w.To != 0 || w.Week {
			return errors.New("a named time interval takes no days, from or to beside it")
		}
	case w.Week && (w.From < 0 || w.From >= weekMinutes || w.To < 0 || w.To >= weekMinutes || w.Days != 0),
		!w.Week && (w.From < 0 || w.From >= dayMinutes || w.To < 0 || w.To > dayMinutes || w.Days > everyDay):
		return errors.New("no such window in a week")
	}
	return nil
}

// starts are the days on which the window starts, in the zone of whoever asks.
func (w Window) startDays() Weekdays {
	switch {
	case w.Week:
		return 1 << (w.From / dayMinutes)
	case w.Days == 0:
		return everyDay
	}
	return w.Days
}

// spans are the window's minutes since Monday 00:00; one may run past Sunday.
func (w Window) spans() (out []Span) {
	length := int(floorMod(int64(w.To-w.From), dayMinutes))
	if length == 0 {
		length = dayMinutes
	}
	if w.Week {
		length = int(floorMod(int64(w.To-w.From), weekMinutes))
		if length == 0 {
			length = weekMinutes
		}
		return []Span{{w.From, w.From + length}}
	}
	for d := range 7 {
		if w.startDays()&(1<<d) != 0 {
			from := d*dayMinutes + w.From
			out = append(out, Span{from, from + length})
		}
	}
	return out
}

// weekly is a union of windows that recur each week: sorted minutes since Monday 00:00, apart from one
// another and within one week.
type weekly []Span

func newWeekly(ws []Window) weekly {
	var all weekly
	for _, w := range ws {
		if w.Calendar != nil {
			continue
		}
		for _, s := range w.spans() {
			if s.Last > weekMinutes {
				all = append(all, Span{0, s.Last - weekMinutes})
				s.Last = weekMinutes
			}
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Span) int { return a.First - b.First })
	var merged weekly
	for _, s := range all {
		if n := len(merged); n > 0 && s.First <= merged[n-1].Last {
			merged[n-1].Last = max(merged[n-1].Last, s.Last)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

func (w weekly) whole() bool { return len(w) == 1 && w[0] == Span{0, weekMinutes} }

// position is the index of the first span that ends after c, in c's week, which may be one too many.
func (w weekly) position(c Civil) (i int, minute int, monday Civil) {
	minute = int(floorMod(int64(c), weekMinutes))
	for i < len(w) && w[i].Last <= minute {
		i++
	}
	return i, minute, c - Civil(minute)
}

func (w weekly) has(c Civil) bool {
	i, minute, _ := w.position(c)
	return i < len(w) && w[i].First <= minute
}

func (w weekly) startAfter(c Civil) (Civil, bool) {
	if len(w) == 0 {
		return 0, false
	}
	i, minute, monday := w.position(c)
	if i < len(w) && w[i].First <= minute {
		i++
	}
	if i == len(w) {
		return monday + weekMinutes + Civil(w[0].First), true
	}
	return monday + Civil(w[i].First), true
}

func (w weekly) endAfter(c Civil) (Civil, bool) {
	if len(w) == 0 {
		return 0, false
	}
	i, _, monday := w.position(c)
	if i == len(w) {
		return monday + weekMinutes + Civil(w[0].Last), true
	}
	return monday + Civil(w[i].Last), true
}
