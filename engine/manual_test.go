package engine

import (
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
)

// TestAPersonOpensAnIncident: who is asked for is paged, then the catch-all; it survives, and ends when somebody resolves it.
func TestAPersonOpensAnIncident(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.run(time.Minute)
	a := w.turn(Trigger{Title: " the  lights are out ", Text: "in all of the house", To: escalation.Target{User: "bo"}, By: "ana", Via: "slack"})[0]
	if a.Err != nil || a.Incident.ID() != "INC-1" || a.Incident.Title != "the lights are out" || a.Incident.Severity != "sev2" {
		t.Fatalf("%+v", a)
	}
	w.settle()
	w.crash(time.Minute)
	w.run(20 * time.Minute)
	w.must(Action{Verb: Resolve, Incident: "INC-1", By: "bo"})
	w.run(10 * time.Hour)
	w.crash(time.Minute)
	w.run(11 * time.Hour)
	same(t, w.story(), `
1m0s incident_opened INC-1 sev2
1m0s page INC-1 bo mail 1.1
16m0s policy_exhausted INC-1
16m0s catch_all INC-1
16m0s page INC-1 cto phone
20m0s resolved INC-1 bo`)
	if len(w.e.core.live) > 0 {
		t.Errorf("left over: %v", w.e.core.live)
	}
	policy := w.turn(Trigger{Title: "again", Policy: "two", Severity: "sev1", By: "ana"})[0]
	if policy.Incident.Policy != "two" || policy.Incident.Severity != "sev1" {
		t.Errorf("%+v", policy)
	}
	w.settle()
	v, err := w.e.Incident(ctx(), 2)
	if err != nil || v.Status != incident.Triggered || len(v.Alerts) != 1 || len(v.Over) != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	for field, in := range map[string]Trigger{
		"by": {Title: "x", To: escalation.Target{User: "bo"}}, "title": {By: "ana", To: escalation.Target{User: "bo"}},
		"to": {By: "ana", Title: "x", To: escalation.Target{User: "nemo"}}, "severity": {By: "ana", Title: "x", Severity: "bad", To: escalation.Target{User: "bo"}},
	} {
		refusal(t, w.turn(in)[0], "invalid", field, "")
	}
	refusal(t, w.turn(Trigger{By: "ana", Title: "x"})[0], "invalid", "to", "")
}
