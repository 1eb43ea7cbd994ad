package oncall

import (
	"errors"
	"slices"
)

// Nobody in place of a user makes an intended gap: SPEC §4.9.
const Nobody = "nobody"

// A Rotation says whose turn it is. The first turn begins at Start; nobody is on call before it: SPEC §4.5.
type Rotation struct {
	Turns   [][]string // who share each turn; an empty turn, or Nobody, is an intended hole
	Start   Civil      // in the layer's zone
	Every   Every      // how long a turn is, or
	Handoff Handoff    // when turns change
	Count   Count
}

// Count says which days make a turn of N days: SPEC §4.6.
type Count string

// Absent, it is ActiveDays for turns of days where a window names weekdays, and else CalendarDays.
const (
	CalendarDays Count = "calendar"
	ActiveDays   Count = "active_days"
)

// ParseCount reads a rotation's count.
func ParseCount(s string) (Count, error) {
	switch c := Count(s); c {
	case CalendarDays, ActiveDays:
		return c, nil
	}
	return "", errors.New("count is calendar or active_days")
}

// turns is a Rotation made ready: it turns an instant into a turn's number by arithmetic.
//
// Hand-off number i is a wall time; mapped by first, which never goes back when wall times go on, two of
// them may meet in a gap. Then the shift between them has no length, and its turn is used up: SPEC §4.3.
type turns struct {
	who   [][]string // sorted, without Nobody
	fixed bool       // all turns are alike: there is no hand-off to speak of
	start Civil
	kind  kind
	n     int64 // minutes, seconds, months or marks in a turn
	marks marks

	entries []entry // byEntry: who has which
}

type kind int

const (
	byClock   kind = iota // every n minutes of the wall clock
	byElapsed             // every n seconds
	byMonth               // every n months
	byMark                // at every nth mark
	byEntry               // as a shared calendar says
)

// marks are minutes of some days at which a turn may change: a cron expression's times, or the start's time
// of day on active days.
type marks struct {
	days    dates
	minutes []int
	skip    int64 // how many are not hand-offs: those up to the start, and with it the first active day
}

func newTurns(r Rotation, active dates, count Count) turns {
	t := turns{start: r.Start, fixed: true}
	for _, users := range r.Turns {
		who := slices.DeleteFunc(slices.Clone(users), func(u string) bool { return u == Nobody })
		slices.Sort(who)
		t.who = append(t.who, slices.Compact(who))
		t.fixed = t.fixed && slices.Equal(t.who[0], t.who[len(t.who)-1])
	}
	n := int64(r.Every.N)
	switch {
	case r.Handoff.text != "":
		t.kind, t.n = byMark, 1
		t.marks = marks{days: dates{rules: []rule{r.Handoff.days}}, minutes: r.Handoff.minutes}
		t.marks.days.counted(r.Start)
		t.marks.skip = t.marks.count(r.Start)
	case count == ActiveDays:
		t.kind, t.n = byMark, n
		t.marks = marks{days: active, minutes: []int{r.Start.minute()}}
		t.marks.days.counted(r.Start)
		t.marks.skip = t.marks.count(r.Start)
		if !t.marks.days.has(r.Start.day()) {
			t.marks.skip++ // the first active day of the first turn is still to come
		}
	case r.Every.Unit == Month:
		t.kind, t.n = byMonth, n
	case r.Every.Unit == Week:
		t.kind, t.n = byClock, n*weekMinutes
	case r.Every.Unit == Day:
		t.kind, t.n = byClock, n*dayMinutes
	case r.Every.Unit == Hour && 24%n == 0:
		t.kind, t.n = byClock, n*60
	case r.Every.Unit == Hour:
		t.kind, t.n = byElapsed, n*3600
	}
	return t
}

// number is the turn at a moment, from 0, or -1 before the start.
func (t *turns) number(n *now, zone int) int64 {
	if t.kind == byEntry {
		i, _ := t.entryAt(n.at)
		return int64(i)
	}
	m := n.moment(zone)
	if m.begun < t.start {
		return -1
	}
	switch {
	case t.fixed:
		return 0
	case t.kind == byClock:
		return int64(m.begun-t.start) / t.n
	case t.kind == byElapsed:
		return (m.at - n.clock(zone).first(t.start)) / t.n
	case t.kind == byMonth:
		return t.months(m.begun)
	default:
		return max(t.marks.count(m.begun)-t.marks.skip, 0) / t.n
	}
}

// next is when the number may change.
func (t *turns) next(n *now, zone int, number int64) int64 {
	if t.kind == byEntry {
		_, next := t.entryAt(n.at)
		return next
	}
	k := n.clock(zone)
	switch {
	case number < 0:
		return k.first(t.start)
	case t.fixed:
		return never
	case t.kind == byClock:
		return k.first(t.start + Civil((number+1)*t.n))
	case t.kind == byElapsed:
		return k.first(t.start) + (number+1)*t.n
	case t.kind == byMonth:
		return k.first(t.start.addMonths((number + 1) * t.n))
	}
	if c, ok := t.marks.after(n.moment(zone).begun); ok {
		return k.first(c)
	}
	return never
}

func (t *turns) months(c Civil) int64 {
	y, m, _ := dateOf(c.day())
	y0, m0, _ := dateOf(t.start.day())
	number := (int64(y-y0)*12 + int64(m-m0)) / t.n
	if t.start.addMonths(number*t.n) > c {
		number--
	}
	return number
}

// count is how many marks there are up to and including c, from some day on that is always the same.
func (m *marks) count(c Civil) int64 {
	n := m.days.rank(c.day()) * int64(len(m.minutes))
	if m.days.has(c.day()) {
		later, _ := slices.BinarySearch(m.minutes, c.minute()+1)
		n += int64(later)
	}
	return n
}

func (m *marks) after(c Civil) (Civil, bool) {
	if i, _ := slices.BinarySearch(m.minutes, c.minute()+1); i < len(m.minutes) && m.days.has(c.day()) {
		return Civil(c.day()*dayMinutes) + Civil(m.minutes[i]), true
	}
	day, ok := m.days.next(c.day() + 1)
	return Civil(day*dayMinutes) + Civil(m.minutes[0]), ok
}
