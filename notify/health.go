package notify

import (
	"cmp"
	"slices"
	"time"
)

// A Health is how one target has fared since the process began.
type Health struct {
	Target      Target
	Integration string    // such as "slack"; empty where the sender does not say
	LastSuccess time.Time // when an attempt last came through; zero: none did
	LastFailure time.Time // when one last failed; zero: none did
	LastError   string    // what the provider, or the network, said then; it stays when attempts come through again
	Failures    int       // attempts that failed since the last that came through
	Waiting     int       // messages that were not begun
	Busy        bool      // an attempt is under way
}

// Known says whether there was an attempt, so that something can be said of the target.
func (h Health) Known() bool { return !h.LastSuccess.IsZero() || !h.LastFailure.IsZero() }

// Connected says whether the last attempt came through.
func (h Health) Connected() bool { return !h.LastSuccess.IsZero() && h.Failures == 0 }

// record notes the outcome of an attempt.
func (h *Health) record(v Verdict, at time.Time) {
	if v.Outcome == Delivered {
		h.LastSuccess, h.Failures = at, 0
		return
	}
	h.LastFailure, h.LastError = at, v.Answer
	h.Failures++
}

// Health tells of every target that has a sender: people before receivers, in the order of their names.
func (q *Queues) Health() []Health {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]Health, 0, len(q.senders))
	for t, s := range q.senders {
		h := Health{}
		if known := q.health[t]; known != nil {
			h = *known
		}
		h.Target, h.Integration = t, kindOf(s)
		if l := q.lines[t]; l != nil {
			h.Waiting, h.Busy = l.letters.Len(), l.busy
		}
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b Health) int {
		return cmp.Or(
			cmp.Compare(b2i(a.Target.User == ""), b2i(b.Target.User == "")),
			cmp.Compare(a.Target.User, b.Target.User), cmp.Compare(a.Target.Via, b.Target.Via),
			cmp.Compare(a.Target.Receiver, b.Target.Receiver), cmp.Compare(a.Target.Integration, b.Target.Integration),
			cmp.Compare(a.Target.Index, b.Target.Index),
		)
	})
	return all
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// AllFailing says whether there were attempts, and by none of the channels that were tried the last one came through, each
// tried twice at least: nobody can be reached by what is known. A channel that was never tried says nothing.
func AllFailing(all []Health) bool {
	failing := false
	for _, h := range all {
		switch {
		case !h.Known():
		case h.Failures < failingFrom:
			return false
		default:
			failing = true
		}
	}
	return failing
}

// failingFrom is how many attempts in a row fail before a channel counts as failing: a hiccup is none.
const failingFrom = 2
