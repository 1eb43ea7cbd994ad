package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/midwatch/midwatch/incident"
)

// TestPatience is how long Engine.TestPage waits for outcomes: an attempt takes at most 30 s, and its outcome is committed
// before it is told.
const TestPatience = 32 * time.Second

// deliverTest is a page that is about nothing (SPEC §9).
const deliverTest = "test"

// A TestPage asks for a page that is about nothing, to see it arrive. It goes the way of every page: recorded, queued, sent
// and logged. It opens no incident, and it is attempted once, for what is asked is whether it arrives now.
type TestPage struct {
	User string
	Via  string // a contact method's name; empty: all that the user has
	By   string // who asks; empty is refused

	heard chan<- TestOutcome // where the outcomes go, with room for all of them; nil: nobody waits
}

func (TestPage) input() {}

// A TestOutcome is what became of a test page by one contact method.
type TestOutcome struct {
	Via     string
	Key     string // the delivery's
	Ended   bool   // false: there was no outcome yet when the time was over
	Verdict Verdict
}

// testPage makes the deliveries. The answer has their outcomes, none of them ended.
func (c *Core) testPage(in TestPage) Answer {
	if _, known := c.cfg.Users[in.User]; !known {
		return Answer{Err: refuse("not_found", "user", "there is no user %q; known are: %s", cut(in.User, maxName), strings.Join(slices.Sorted(maps.Keys(c.cfg.Users)), ", "))}
	}
	switch {
	case strings.TrimSpace(in.By) == "":
		return Answer{Err: refuse("invalid", "by", `say who asks: {"by":"ana"}`)}
	case utf8.RuneCountInString(in.By) > maxName:
		return Answer{Err: refuse("invalid", "by", "\"by\" is longer than %d characters", maxName)}
	}
	methods := c.cfg.Users[in.User].Methods
	var names []string
	for _, m := range methods {
		names = append(names, m.Name)
	}
	if len(names) == 0 {
		return Answer{Err: refuse("not_found", "user", "%s has no contact method; add email or contact_methods to the user and reload", in.User)}
	}
	if in.Via != "" {
		if _, known := c.cfg.Users[in.User].method(in.Via); !known {
			return Answer{Err: refuse("not_found", "via", "%s has no contact method %q; they have: %s", in.User, cut(in.Via, maxName), strings.Join(names, ", "))}
		}
		names = []string{in.Via}
	}
	for _, d := range c.deliveries {
		if d.Event == deliverTest && d.User == in.User && (in.Via == "" || d.Via == in.Via) {
			return Answer{Err: refuse("conflict", "via", "a test page to %s by %s is under way; its outcome will be in the delivery log", d.User, d.Via)}
		}
	}
	var a Answer
	n := c.numbered()
	for _, via := range names {
		d := Delivery{
			Key: fmt.Sprintf("test/%d/%s/%s", n, in.User, via), Event: deliverTest, User: in.User, Via: via, By: in.By,
			Reason: in.By + " asked for a test page", Created: c.now, GiveUp: c.now.Add(TestPatience),
		}
		c.happened(incident.Event{Kind: incident.Note, User: in.User, Via: via, By: in.By, Text: "asked for a test page"})
		c.intend(d)
		a.Tests = append(a.Tests, TestOutcome{Via: via, Key: d.Key})
	}
	return a
}

// testResult takes in what became of a test page. Whatever it is, it is the end.
func (c *Core) testResult(d *Delivery, v Verdict) {
	d.Attempts++
	ended := *d
	c.drop(d.Key)
	e := incident.Event{Kind: incident.Notification, User: ended.User, Via: ended.Via, By: ended.By, Key: ended.Key, Reason: ended.Reason}
	if v.Outcome != Delivered {
		v.Outcome = Failed
		e.Kind, e.Reason = incident.PageFailed, orElse(v.Answer, "the test page was not delivered")
	}
	c.logAttempt(ended, v)
	c.happened(e)
}

// TestPage sends a test page and waits for its outcomes, at most TestPatience, or until ctx ends: then some have not ended.
// The error is that of Do, but for ErrUnsaved, with which the page is sent all the same.
func (e *Engine) TestPage(ctx context.Context, in TestPage) ([]TestOutcome, error) {
	heard := make(chan TestOutcome, maxTested)
	in.heard = heard
	a := e.Do(ctx, in)
	if a.Err != nil && !errors.Is(a.Err, ErrUnsaved) {
		return nil, a.Err
	}
	over := time.NewTimer(TestPatience)
	defer over.Stop()
	for range a.Tests {
		select {
		case one := <-heard:
			for i := range a.Tests {
				if a.Tests[i].Key == one.Key {
					a.Tests[i] = one
				}
			}
		case <-over.C:
			return a.Tests, nil
		case <-ctx.Done():
			return a.Tests, nil
		case <-e.stopped:
			return a.Tests, nil
		}
	}
	return a.Tests, nil
}

// maxTested is for how many outcomes of one request there is room. Who has more contact methods than that hears of the rest
// by the delivery log.
const maxTested = 100

// tested remembers who waits for a test page, and tells them. It is called after the commit, and before anything is sent.
func (e *Engine) tested(in Input, a Answer) {
	switch in := in.(type) {
	case TestPage:
		for _, one := range a.Tests {
			if in.heard != nil && a.Err == nil {
				e.tests[one.Key] = testWaiter{one.Via, in.heard}
			}
		}
	case Result:
		w, waited := e.tests[in.Key]
		if !waited {
			return
		}
		delete(e.tests, in.Key)
		select {
		case w.heard <- TestOutcome{Via: w.via, Key: in.Key, Ended: true, Verdict: in.Verdict}:
		default: // more methods than there is room for
		}
	}
}

type testWaiter struct {
	via   string
	heard chan<- TestOutcome
}
