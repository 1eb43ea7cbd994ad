package engine

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
)

// Trigger opens an incident by hand: somebody saw what no alert says. Whoever opened it, or anybody else, resolves it.
type Trigger struct {
	Title    string
	Text     string // more of it; may be empty
	Severity string // empty: sev2
	To       escalation.Target
	Policy   string // in place of To
	By, Via  string
}

func (Trigger) input() {}

const (
	alertManual    = "OpenedByHand" // the alert by which it is shown, routed to channels and silenced
	manualSeverity = "sev2"
	manualStep     = 15 * time.Minute // then catch_all, as after a reassignment to one user (SPEC §5.7)
)

// trigger opens the incident, and its ladder begins.
func (c *Core) trigger(in Trigger) Answer {
	title := strings.Join(strings.Fields(in.Title), " ")
	severity := orElse(in.Severity, manualSeverity)
	switch {
	case strings.TrimSpace(in.By) == "":
		return Answer{Err: refuse("invalid", "by", `say who you are: "by" is empty`)}
	case utf8.RuneCountInString(in.By) > maxName:
		return Answer{Err: refuse("invalid", "by", "\"by\" is longer than %d characters", maxName)}
	case title == "":
		return Answer{Err: refuse("invalid", "title", "the title is empty; say what is broken")}
	case utf8.RuneCountInString(in.Text) > maxText:
		return Answer{Err: refuse("invalid", "text", "the text is longer than %d characters", maxText)}
	case severity != "sev"+strconv.Itoa(incident.Rank(severity)) || incident.Rank(severity) > 5:
		return Answer{Err: refuse("invalid", "severity", "%q is no severity; they are sev1 (highest) to sev5", cut(severity, maxName))}
	}
	policy, known := c.cfg.Policies[in.Policy]
	switch {
	case in.Policy != "" && !known:
		return Answer{Err: c.unknown("policy", "to", cut(in.Policy, maxName), slices.Collect(maps.Keys(c.cfg.Policies)))}
	case in.Policy == "":
		if _, err := c.reassignment(Action{To: &in.To}); err != nil {
			return Answer{Err: err}
		}
		policy = escalation.Policy{Name: "by hand", Steps: []escalation.Step{{Notify: []escalation.Target{in.To}, EscalateAfter: manualStep}}}
	}
	c.last++
	l := newLive()
	labels := map[string]string{"alertname": alertManual, "severity": severity, "opened_by": in.By}
	annotations := map[string]string{"summary": title}
	if in.Text != "" {
		annotations["description"] = in.Text
	}
	id := incident.Identity{Manual: strconv.Itoa(c.last)}
	c.live[c.last], c.identities[id] = l, c.last
	l.incident.Number, l.incident.Labels, l.policy = c.last, labels, &policy
	l.standIn(true)
	c.acting = Action{By: in.By, Via: in.Via}
	c.become(l, incident.Begun{
		Number: c.last, Identity: id, Title: shortened(title, maxTitle), Severity: severity, Policy: policy.Name,
		Labels: labels, Annotations: annotations, Reason: "opened by hand by " + in.By,
	})
	c.acting = Action{}
	c.weigh(l)
	return Answer{Incident: l.incident}
}
