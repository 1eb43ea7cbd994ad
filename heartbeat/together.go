package heartbeat

import "time"

// A Verdict says whether one that is Late is so alone, or together with all the others.
type Verdict int

const (
	Alone Verdict = iota // another one was heard after it fell silent: it is this one that has trouble
	Wait                 // all may have fallen silent together; time will tell
	All                  // all of them are Late: whoever listens is cut off, or everything is down
)

// GatherFor is how long one that fell Late waits at most for the others to do so, before it counts as alone.
// Heartbeats that end together fall Late one after the other, as far apart as they come: a minute, for Prometheus.
const GatherFor = 2 * time.Minute

// gatherEvery is how often one that waits is looked at again.
const gatherEvery = 10 * time.Second

// Together judges h, which is Late by silence, among all that are watched for the same purpose, itself included. With
// Wait comes when to ask again.
func Together(h Heartbeat, all []Heartbeat, now time.Time) (v Verdict, again time.Time) {
	if len(all) < 2 {
		return Alone, time.Time{}
	}
	end := h.Since.Add(GatherFor)
	again = now.Add(gatherEvery)
	v = All
	for _, o := range all {
		if o.State == Late {
			continue
		}
		// Had it fallen silent with h, it was last heard before h would have been heard the next time.
		if o.From.After(h.From.Add(h.Every)) || !now.Before(end) {
			return Alone, time.Time{}
		}
		v = Wait
		if due := o.Due(); !due.IsZero() && due.After(now) && due.Before(again) {
			again = due
		}
	}
	if v == All {
		return All, time.Time{}
	}
	if end.Before(again) {
		again = end
	}
	return Wait, again
}
