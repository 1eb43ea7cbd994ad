package slo

import "time"

// historySteps is into how many steps the time is cut in which counts by the minute are looked at for active thresholds: to
// solve for each would cost more than a picture is worth.
const historySteps = 2000

// Actives are when each threshold in use is active in [from, to), by what is known now, the future being as if nothing more
// were heard; cut to it, in the order of the thresholds. Of a budget that counts events they are exact to a two-thousandth
// of the time, or a minute. What the Budget has forgotten is good.
func (b Budget) Actives(o *Objective, from, to time.Time) []Actives {
	all := []Actives{}
	if o.budget == nil || !from.Before(to) {
		return all
	}
	sig := b.signal(o)
	for _, t := range o.used {
		up, down := o.edges(t.Name)
		a := Actives{Name: t.Name, Active: []Time{}}
		for at, end := nanos(from), nanos(to); at < end; {
			start := at
			if !sig.holds(up, at) {
				if start = o.next(sig, up, at, end); start >= end {
					break
				}
			}
			if at = o.next(sig, down, start, end); at > end {
				at = end
			}
			if at <= start {
				break // no step forward is an end
			}
			a.Active = append(a.Active, Time{instant(start), instant(at)})
		}
		all = append(all, a)
	}
	return all
}

// next is when c is no longer what it is at an instant, as exactly as Actives promises; at most end.
func (o *Objective) next(sig signal, c condition, at, end int64) int64 {
	if !o.ratio() {
		return min(sig.change(c, at, end), end)
	}
	step := max(minute, (end-at)/historySteps)
	on := sig.holds(c, at)
	for at += step; at < end; at += step {
		if sig.holds(c, at) != on {
			return at
		}
	}
	return end
}
