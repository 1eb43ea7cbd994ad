package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
)

// breached translates what a budget says into what becomes of its incidents.
func (c *Core) breached(a *account, e slo.Effect) {
	switch e := e.(type) {
	case slo.Opened:
		c.breach(a, "", e.Verdict)
	case slo.Reopened:
		c.breach(a, "", e.Verdict)
	case slo.Crossed:
		c.breach(a, e.Threshold, e.Verdict)
	case slo.Raised:
		if l := c.breachOf(a, ""); l != nil {
			c.saySLO(l, incident.SLOBreached, e.Severity, e.Reason)
			c.become(l, incident.Worsened{Severity: e.Severity, Reason: e.Reason})
		}
	case slo.Lowered:
		if l := c.breachOf(a, ""); l != nil {
			c.become(l, incident.Eased{Severity: e.To, Reason: e.Reason})
		}
	case slo.Cleared:
		if l := c.breachOf(a, ""); l != nil {
			c.saySLO(l, incident.SLOCleared, "", e.Reason)
			c.overNow(l, e.Reason)
		}
	case slo.Rearmed:
		if l := c.breachOf(a, e.Threshold); l != nil {
			c.saySLO(l, incident.SLOCleared, "", e.Reason)
			c.overNow(l, e.Reason)
		}
	case slo.Annotated:
		for _, l := range c.breaches(a) {
			if l.incident.Open() {
				c.happened(incident.Event{Kind: incident.Note, Incident: l.incident.ID(), Text: e.Reason, Reason: "what was known changed"})
			}
		}
	case slo.Refused:
		c.ledger.refused++
		c.happened(incident.Event{Kind: incident.Note, Text: fmt.Sprintf("slo %s%s: %s was not taken in", a.name, shownBy(a.by), e.What), Reason: e.Reason})
	}
}

// breachOf is the live incident of an account; of a budget threshold, if one is named. Nil: there is none.
func (c *Core) breachOf(a *account, threshold string) *live {
	return c.live[c.identities[a.identity(threshold)]]
}

func (a *account) identity(threshold string) incident.Identity {
	return incident.Identity{SLO: a.name, By: a.by, Threshold: threshold}
}

// breaches are all live incidents of an account.
func (c *Core) breaches(a *account) (all []*live) {
	names := append([]string{""}, a.budget.Crossed...) // also of thresholds that are no longer there
	if a.rule != nil {
		for _, t := range a.rule.Objective.Thresholds() {
			if !slices.Contains(names, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	for _, name := range names {
		if l := c.breachOf(a, name); l != nil {
			all = append(all, l)
		}
	}
	return all
}

// breach opens the incident of a breach, or brings it back.
func (c *Core) breach(a *account, threshold string, v slo.Verdict) {
	title := a.name + shownBy(a.by) + ": the error budget burns too fast"
	if threshold != "" {
		title = fmt.Sprintf("%s%s: %s of the error budget is gone", a.name, shownBy(a.by), percent(v.Consumed))
	}
	labels := map[string]string{"alertname": alertBurn, labelSLO: a.name, "severity": v.Severity}
	if service := a.rule.Objective.Spec().Service; service != "" {
		labels["service"] = service
	}
	if threshold != "" {
		labels["threshold"] = threshold
	}
	maps.Copy(labels, a.labels)
	annotations := map[string]string{"summary": title, "description": verdictText(v)}
	if left := budgetLeft(v); left != "" {
		annotations["budget"] = left
	}
	maps.Copy(annotations, a.rule.Annotations)
	id := a.identity(threshold)
	l := c.live[c.identities[id]]
	number := c.last + 1
	if l != nil && !l.incident.Open() {
		number = l.incident.Number
	}
	c.happened(incident.Event{
		Kind: incident.SLOBreached, Incident: incident.ID(number), Severity: v.Severity, Text: orElse(v.Threshold, threshold), Reason: v.Reason,
	})
	behind := c.behind(a)
	switch {
	case l != nil && !l.incident.Open():
		l.moved = 0
		l.standIn(true)
		c.adopt(l, behind)
		c.become(l, incident.Back{Severity: v.Severity, Reason: v.Reason})
	case l == nil:
		c.last++
		l = newLive()
		in := incident.Begun{
			Number: c.last, Identity: id, Title: shortened(title, maxTitle), Severity: v.Severity, Policy: a.rule.Policy, Labels: labels,
			Annotations: annotations, AutoResolve: true, Reason: v.Reason,
		}
		c.live[c.last], c.identities[id] = l, c.last
		l.incident.Number, l.incident.Labels = c.last, labels
		l.standIn(true)
		c.adopt(l, behind)
		c.become(l, in)
	}
	c.weigh(l)
}

// behind are the alerts that make the time bad now.
func (c *Core) behind(a *account) (alerts []*router.Alert) {
	if a.rule.Match == nil {
		return nil
	}
	for alert := range c.router.Alerts().All() {
		if !alert.Ended && a.fires[alertID(alert)] && len(alerts) < maxAlertsBehind {
			alerts = append(alerts, alert)
		}
	}
	slices.SortFunc(alerts, func(x, y *router.Alert) int {
		return cmp.Or(x.StartsAt.Compare(y.StartsAt), cmp.Compare(x.Labels.String(), y.Labels.String()))
	})
	return alerts
}

func (c *Core) saySLO(l *live, kind, severity, reason string) {
	c.happened(incident.Event{Kind: kind, Incident: l.incident.ID(), Severity: severity, Reason: reason})
}

// overNow ends an incident whose source says that it is over.
func (c *Core) overNow(l *live, reason string) {
	l.standIn(false)
	c.become(l, incident.Cleared{Reason: reason})
	if !l.incident.Open() {
		c.allClear(l) // it was resolved by hand before, and its channels have waited for this
	}
}

// resolvedByHand lets the budget know that a person resolved its incident.
func (c *Core) resolvedByHand(l *live) {
	id := l.incident.Identity
	if id.SLO == "" || id.Threshold != "" {
		return
	}
	key := accountKey(id.SLO, id.By)
	if a := c.ledger.accounts[key]; a != nil {
		c.count(key, a, slo.ResolvedByHand{})
	}
}

// shownBy is how texts name the values of an account: " (cluster="eu")"; empty: there are none.
func shownBy(by string) string {
	if by == "{}" || by == "" {
		return ""
	}
	return " (" + strings.Trim(by, "{}") + ")"
}

func percent(share float64) string { return fmt.Sprintf("%.4g%%", share*100) }

// verdictText is why, for people: which threshold, since when, what burns, and which others do too.
func verdictText(v slo.Verdict) string {
	text := "since " + instantText(v.Since) + ": " + v.Reason
	if v.Threshold != "" {
		text = v.Threshold + " " + text
	}
	if len(v.Others) > 0 {
		text += "; also reached: " + strings.Join(v.Others, ", ")
	}
	return text
}

// budgetLeft is how much is left, and how fast it burns; empty: nothing is counted.
func budgetLeft(v slo.Verdict) string {
	if v.Long.Window == 0 {
		return ""
	}
	left := percent(1-v.Consumed) + " of the error budget is left"
	if v.Consumed >= 1 {
		left = "nothing of the error budget is left, " + percent(v.Consumed) + " is consumed"
	}
	left += fmt.Sprintf("; it burns %.4g times as fast as it may over %s", v.Long.Burn, slo.Short(v.Long.Window))
	if v.Short.Window > 0 {
		left += fmt.Sprintf(", and %.4g times over %s", v.Short.Burn, slo.Short(v.Short.Window))
	}
	return left
}
