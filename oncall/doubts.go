package oncall

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of what a warning looks at and names.
const (
	doubtAhead = 365 * 24 * time.Hour // of an override that is longer, only its first year is looked at
	doubtNames = 3
)

// Doubts are what the maker of an override should think of again, as sentences; none is no doubt. was is the schedule
// without it, is the one with it; made are the others of run time, absences those of everybody. What lies before now is
// not looked at.
func Doubts(was, is *Schedule, o Override, now time.Time, made []Override, absences []Absence) (doubts []string) {
	start, end := is.Span(o)
	if start.Before(now) {
		start = now
	}
	if last := start.Add(doubtAhead); end.After(last) {
		end = last
	}
	changes := Diff(was, is, start, end)
	if len(changes) == 0 {
		doubts = append(doubts, is.idleness(o, was.Times(o.User, start, end)))
	}
	if text := is.crossed(o, start, end, made); text != "" {
		doubts = append(doubts, text)
	}
	for _, who := range comers(changes) {
		fresh := without(is.Times(who, start, end), was.Times(who, start, end))
		for _, c := range meet(who, fresh, away(absences, who, start, end)) {
			doubts = append(doubts, fmt.Sprintf("%s is unavailable %s%s", who, is.says(c.Start, c.End), because(c.Reason)))
		}
	}
	return append(doubts, is.gapsMade(changes)...)
}

func (s *Schedule) idleness(o Override, theirs []Stretch) string {
	if o.Kind == Replace || o.Kind == Remove {
		if len(theirs) == 0 {
			return fmt.Sprintf("it changes nothing: %s is not on call then", o.User)
		}
		return "it changes nothing: another override or layer decides"
	}
	return fmt.Sprintf("it changes nothing: %s is on call then anyway, or another override decides", o.User)
}

// crossed names the overrides of run time that act in the same time on the same people.
func (s *Schedule) crossed(o Override, start, end time.Time, made []Override) string {
	var names []string
	for _, other := range made {
		from, to := s.Span(other)
		apart := o.Layer != "" && other.Layer != "" && o.Layer != other.Layer
		if !apart && from.Before(end) && start.Before(to) {
			names = append(names, fmt.Sprintf("%s (%s, %s)", other.ID, other, s.says(from, to)))
		}
	}
	if len(names) == 0 {
		return ""
	}
	more := ""
	if n := len(names) - doubtNames; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return "it overlaps " + strings.Join(names[:min(len(names), doubtNames)], ", ") + more + "; the later one has the last word"
}

// comers are those who are on call in some change and were not before it, by name.
func comers(changes []Change) (who []string) {
	for _, c := range changes {
		for _, user := range c.Is {
			if !slices.Contains(c.Was, user) {
				who = insert(who, user)
			}
		}
	}
	return who
}

func (s *Schedule) gapsMade(changes []Change) (doubts []string) {
	for _, c := range changes {
		if len(c.Is) == 0 {
			doubts = append(doubts, "it leaves nobody on call "+s.says(c.Start, c.End))
		}
	}
	if n := len(doubts) - doubtNames; n > 0 {
		doubts = append(doubts[:doubtNames], fmt.Sprintf("it leaves %d more gaps", n))
	}
	return doubts
}

// says is a stretch of time as the schedule's people tell it.
func (s *Schedule) says(start, end time.Time) string {
	const form = "Mon 2006-01-02 15:04"
	return fmt.Sprintf("from %s to %s %s", start.In(s.spec.Zone).Format(form), end.In(s.spec.Zone).Format(form), s.spec.Zone)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}
