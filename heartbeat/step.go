package heartbeat

import (
	"fmt"
	"strings"
	"time"
)

// Step is what the heartbeat becomes, and what is true by it. now is not before that of the step before.
func (h Heartbeat) Step(in Input, now time.Time) (Heartbeat, []Effect) {
	switch in := in.(type) {
	case Watch:
		return h.watch(in, now)
	case Beat:
		return h.beat(in.At, now)
	case Fail:
		return h.fail(in.Said, now)
	case Elapsed:
		return h.elapsed(now)
	case Restarted:
		return h.restarted(in.Unsure, now), nil
	case Shifted:
		return h.shifted(in.By), nil
	}
	return h, nil
}

// watch takes a rule. Under another rule than before silence counts anew: what was allowed until now is held against
// nobody. One that is Late stays so, unless its silence is within what is allowed now.
func (h Heartbeat) watch(in Watch, now time.Time) (Heartbeat, []Effect) {
	same := h.Every == in.Every && h.Grace == in.Grace
	h.Name, h.Every, h.Grace, h.Patient = in.Name, in.Every, in.Grace, in.Patient
	switch {
	case in.Paused && h.State == Paused:
	case in.Paused:
		was := h.State
		h = h.become(Paused, now)
		h.Failure = ""
		if was == Late {
			return h, []Effect{Recovered{Reason: "it was paused in the configuration"}}
		}
	case h.State == "", h.State == Paused:
		h = h.become(New, now)
		h.From, h.Excused = now, 0
	case same:
	case h.State != Late:
		h.From, h.Excused = now, 0
	case h.Failure == "" && now.Before(h.From.Add(h.Every+h.Grace)):
		h = h.become(h.heardState(), now)
		return h, []Effect{Recovered{Reason: fmt.Sprintf("it may now be silent for %s", Words(h.Every+h.Grace))}}
	}
	return h, nil
}

// heardState is Fine, or New where it was never heard.
func (h Heartbeat) heardState() State {
	if h.Last.IsZero() {
		return New
	}
	return Fine
}

func (h Heartbeat) beat(at, now time.Time) (Heartbeat, []Effect) {
	if at.After(now) {
		at = now
	}
	news := at.After(h.From) || h.State == New && at.Equal(h.From) || h.Failure != "" && !at.Before(h.Since)
	if at.After(h.Last) {
		h.Last = at
	}
	if h.State == "" || h.State == Paused || !news {
		return h, nil
	}
	was, silent := h.State, at.Sub(h.From)
	failed := h.Failure != ""
	h.From, h.Failure, h.Excused = at, "", 0
	if was == Fine {
		return h, nil
	}
	h = h.become(Fine, now)
	switch {
	case was != Late:
		return h, nil
	case failed:
		return h, []Effect{Recovered{Reason: "it was heard again, and said nothing of a failure"}}
	}
	return h, []Effect{Recovered{Reason: fmt.Sprintf("it was heard again after %s", Words(silent))}}
}

func (h Heartbeat) fail(said string, now time.Time) (Heartbeat, []Effect) {
	if h.State == "" || h.State == Paused || h.Failure != "" {
		return h, nil
	}
	if said = strings.TrimSpace(said); said == "" {
		said = "no words"
	}
	h.Failure = said
	reason := "it said that it failed: " + said
	if h.State == Late {
		return h, []Effect{Worse{reason}}
	}
	return h.become(Late, now), []Effect{FellLate{"failed: " + said, reason}}
}

func (h Heartbeat) elapsed(now time.Time) (Heartbeat, []Effect) {
	due := h.Due()
	if due.IsZero() || now.Before(due) {
		return h, nil
	}
	brief := "not heard for " + Words(now.Sub(h.From))
	if h.Last.IsZero() {
		brief = "never heard in " + Words(now.Sub(h.From))
	}
	reason := fmt.Sprintf("it was %s; it is expected every %s", brief, Words(h.Every))
	if h.Grace > 0 {
		reason += fmt.Sprintf(", and may be late by %s", Words(h.Grace))
	}
	return h.become(Late, now), []Effect{FellLate{brief, reason}}
}

// restarted lets silence count anew where the restart may be its reason: nothing is late because nobody listened.
func (h Heartbeat) restarted(unsure bool, now time.Time) Heartbeat {
	if h.State != New && h.State != Fine || !now.After(h.From) {
		return h
	}
	switch {
	case unsure:
		h.From = now
	case h.Excused < MaxExcused && now.After(h.From.Add(h.Every-h.Grace)):
		// It was expected by now, give or take its grace: it may have come while nobody listened.
		h.From = now
		h.Excused++
	}
	return h
}

func (h Heartbeat) shifted(by time.Duration) Heartbeat {
	for _, t := range []*time.Time{&h.Since, &h.Last, &h.From} {
		if !t.IsZero() {
			*t = t.Add(by)
		}
	}
	return h
}

func (h Heartbeat) become(s State, now time.Time) Heartbeat {
	h.State, h.Since = s, now
	return h
}

// Words writes a stretch of time as configurations do: 1d1h, 3m, 1m30s. What is less than a second is left out.
func Words(d time.Duration) string {
	if d = d.Truncate(time.Second); d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / u.length; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.length
		}
	}
	return b.String()
}
