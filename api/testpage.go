package api

import (
	"net/http"

	"github.com/midwatch/midwatch/engine"
)

// Testing is the body of POST test-page.
type Testing struct {
	By   string `json:"by"`            // who asks
	User string `json:"user"`          // who is to get it
	Via  string `json:"via,omitempty"` // by which contact method; absent: by each of them
}

// Tested is what became of a test page.
type Tested struct {
	User    string       `json:"user"`
	Results []TestResult `json:"results"` // in the order in which the user has their contact methods
}

// TestResult is what became of it by one contact method.
type TestResult struct {
	Via       string  `json:"via"`
	Key       string  `json:"key"`     // the idempotency key, as in the delivery log
	Outcome   string  `json:"outcome"` // delivered, failed, or waiting where there was no outcome in time
	Answer    string  `json:"answer,omitempty"`
	LatencyMS float64 `json:"latency_ms"`
	Retry     bool    `json:"retry,omitempty"` // it failed for now: a page would be tried again
}

// The outcomes of a test page.
const (
	TestDelivered = "delivered"
	TestFailed    = "failed"
	TestWaiting   = "waiting"
)

// postTestPage sends a page that is about nothing, and answers with its outcomes.
func (a *API) postTestPage(w http.ResponseWriter, r *http.Request) {
	select {
	case a.testing <- struct{}{}:
		defer func() { <-a.testing }()
	default:
		problem(http.StatusTooManyRequests, "too_many_requests", "", "several test pages are under way already; try again in half a minute").serve(w, r)
		return
	}
	var body Testing
	if err := readAct(w, r, &body, []string{"by", "user", "via"}); err != nil {
		a.fail(w, r, err)
		return
	}
	if body.User == "" {
		a.fail(w, r, invalid("user", `say who is to get it: {"user":"ana","by":"bo"}`))
		return
	}
	outcomes, err := a.o.Engine.TestPage(r.Context(), engine.TestPage{User: body.User, Via: body.Via, By: body.By})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := Tested{User: body.User, Results: []TestResult{}}
	for _, o := range outcomes {
		t := TestResult{Via: o.Via, Key: o.Key, Outcome: TestWaiting}
		if o.Ended {
			t.Outcome, t.Answer, t.LatencyMS = TestFailed, o.Verdict.Answer, float64(o.Verdict.Latency.Microseconds())/1000
			t.Retry = o.Verdict.Outcome == engine.Retry
			if o.Verdict.Outcome == engine.Delivered {
				t.Outcome = TestDelivered
			}
		}
		out.Results = append(out.Results, t)
	}
	answer(w, r, http.StatusOK, out)
}
