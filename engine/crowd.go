package engine

import "time"

// A crowd is how many senders are likely to have their next input here in a moment: those who were answered just now, and
// those who waited meanwhile. A commit costs much the same for one POST and for four, and whoever sends much, as a Prometheus
// does at each evaluation, sends the next POST when it has the answer to the last. Without a moment of patience the first of
// them back would have a commit for itself, the others would wait for that, and so on, one commit a POST.
//
// So the loop waits for the crowd, but never for longer than a commit takes: that is what whoever is early would have waited
// for somebody else's. A lone sender is no crowd, and waits for nobody; nor does what a person does, or what is due.
type crowd struct {
	most  int           // inputs of a turn at which it is full; 0 or 1: nobody is waited for
	since time.Duration // when the last turn was over; elapsed
	cost  time.Duration // how long the last commit took
}

// longestGather bounds the patience where commits are slow: a webhook is to be there within milliseconds.
const longestGather = time.Millisecond

// served says how many inputs the turn answered that is over now, and how many wait already.
func (c *crowd) served(answered, waiting int, now time.Duration) {
	c.most, c.since = min(answered+waiting, inputsPerTurn), now
}

// committed says how long a commit took.
func (c *crowd) committed(took time.Duration) { c.cost = took }

// patience is how long to wait for the next input where there are so many; zero or less: not at all.
func (c *crowd) patience(have int, now time.Duration) time.Duration {
	if have >= c.most {
		return 0
	}
	return c.since + min(c.cost, longestGather) - now
}

// gather waits for the others of a crowd. What must not wait is not waited with.
func (e *Engine) gather(requests []request) []request {
	wait := e.crowd.patience(len(requests), e.now().Elapsed)
	if wait <= 0 || !patient(requests) {
		return requests
	}
	if due := e.core.Due(); !due.IsZero() {
		if wait = min(wait, due.Sub(e.now().Wall)); wait <= 0 {
			return requests
		}
	}
	enough := time.NewTimer(wait)
	defer enough.Stop()
	for len(requests) < e.crowd.most {
		select {
		case r := <-e.queue:
			n := len(requests)
			requests = append(requests, e.take(r)...)
			if !patient(requests[n:]) {
				return requests
			}
		case r := <-e.people:
			return append(requests, e.take(r)...)
		case <-enough.C:
			return requests
		}
	}
	return requests
}

// patient reports whether all of them may wait a moment: alerts, and what became of deliveries.
func patient(requests []request) bool {
	for _, r := range requests {
		switch r.in.(type) {
		case Alerts, Result:
		default:
			return false
		}
	}
	return true
}
