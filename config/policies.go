package config

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/oncall"
)

// policies reads the section (SPEC §5).
func (l *loader) policies() {
	l.each("escalation_policies", &l.policy, func(o object, name string) {
		l.cfg.PolicyOrder = append(l.cfg.PolicyOrder, name)
		l.cfg.Policies[name] = l.readPolicy(o)
	})
}

func (l *loader) readPolicy(o object) escalation.Policy {
	p := escalation.Policy{
		Name:       o.text("name"),
		Repeat:     o.number("repeat", DefaultRepeat),
		RepeatFrom: o.number("repeat_from", 1),
		AckTimeout: readAckTimeout(o),
	}
	if o.text("repeat") == "forever" {
		p.Repeat = escalation.Forever
	}
	for _, step := range o.items("steps") {
		p.Steps = append(p.Steps, l.readStep(step))
	}
	if n := len(p.Steps); n > 0 && p.RepeatFrom > n {
		o.fault(o.here("repeat_from"), fmt.Sprintf("repeat_from is step %d, but there are %d", p.RepeatFrom, n), fmt.Sprintf("write a number from 1 to %d", n))
	}
	l.readUrgency(o, &p)
	return p
}

func readAckTimeout(o object) map[string]time.Duration {
	table := o.get("ack_timeout")
	if table == nil || table.Kind != yaml.MappingNode || len(table.Content) == 0 {
		return nil
	}
	out := map[string]time.Duration{}
	for i := 0; i+1 < len(table.Content); i += 2 {
		key, value := table.Content[i], table.Content[i+1]
		d, err := parseDuration(value.Value)
		if err != nil {
			continue // the checker said so
		}
		if d < MinAckTimeout {
			o.fault(value, fmt.Sprintf("ack_timeout: %s: %s is shorter than 10m", key.Value, value.Value), "write at least 10m")
		}
		out[key.Value] = d
	}
	return out
}

func (l *loader) readUrgency(o object, p *escalation.Policy) {
	if u := o.text("urgency"); u != "auto" {
		p.Urgency = escalation.Urgency(u)
	}
	if u := o.text("low_urgency"); u != "escalate" {
		p.LowUrgency = escalation.LowUrgency(u)
	}
	hours := o.sub("support_hours")
	wanted := p.Urgency == escalation.UrgencySupportHours
	switch {
	case isNull(hours.node) && wanted:
		o.fault(o.here("urgency"), "urgency is support_hours, but there are none", "add support_hours: {time_zone: …, active: [ … ]}")
		return
	case isNull(hours.node):
		return
	case !wanted:
		o.warn(keyNode(o.node, "support_hours"), "support_hours is not used, since urgency is "+o.textOr("urgency", "auto"), "write urgency: support_hours, or remove it")
	}
	h := &escalation.Hours{TimeZone: hours.text("time_zone")}
	windows := l.readWindows(hours, "active")
	list := hours.get("active")
	if list == nil || list.Kind != yaml.SequenceNode {
		return
	}
	for _, n := range list.Content {
		if n.Kind == yaml.ScalarNode {
			h.Active = append(h.Active, escalation.Window{Named: n.Value})
			continue
		}
		w := object{l, n, windowForm, "", o.ok}
		h.Active = append(h.Active, escalation.Window{Days: values(w.texts("days")), From: w.text("from"), To: w.text("to")})
	}
	if zone := location(h.TimeZone); zone != nil && o.ok {
		if _, err := oncall.NewHours(zone, windows); err != nil {
			l.problems(hours, err, l.fault)
		}
	}
	if wanted {
		p.SupportHours = h
	}
}

func (l *loader) readStep(o object) escalation.Step {
	s := escalation.Step{
		EscalateAfter: o.duration("escalate_after", DefaultEscalateAfter),
		RequireAcks:   o.number("require_acks", 0),
	}
	if s.RequireAcks == 1 {
		s.RequireAcks = 0
	}
	if o.text("require_acks") == "all" {
		s.RequireAcks = escalation.AllAcks
	}
	if a := o.text("assign"); a != "all" {
		s.Assign = escalation.Assign(a)
	}
	if s.EscalateAfter < MinEscalateAfter {
		o.fault(o.here("escalate_after"), fmt.Sprintf("escalate_after is %s, shorter than %s", o.text("escalate_after"), MinEscalateAfter), "give people time to answer, such as 5m")
	}
	for _, item := range o.items("notify") {
		t, n, ok := l.readTarget(item)
		if !ok {
			continue
		}
		if slices.Contains(s.Notify, t) {
			item.fault(n, "the step has this target twice", "remove one")
			continue
		}
		s.Notify = append(s.Notify, t)
	}
	return s
}

// readTarget reads who is paged, and checks that they exist and can be reached.
func (l *loader) readTarget(o object) (t escalation.Target, n *yaml.Node, ok bool) {
	if n = o.get("user"); n != nil && o.refer(n, "user", &l.user) {
		l.paged(n.Value, o.where)
		return escalation.Target{User: n.Value}, n, true
	}
	if n = o.get("schedule"); n != nil && o.refer(n, "schedule", &l.schedule) {
		return escalation.Target{Schedule: n.Value}, n, true
	}
	if n = o.get("receiver"); n != nil && o.refer(n, "receiver", &l.receiver) {
		if !l.speaks(n.Value) {
			o.warn(n, fmt.Sprintf("receiver %q has no integration of Alertmanager's, so that nobody is told", n.Value), "add one such as slack_configs to the receiver")
		}
		return escalation.Target{Receiver: n.Value}, n, true
	}
	return t, nil, false
}

// speaks says whether a receiver has an integration; one that Alertmanager's loader refused may have.
func (l *loader) speaks(receiver string) bool {
	if l.cfg.Upstream == nil {
		return true
	}
	for i := range l.cfg.Upstream.Receivers {
		r := &l.cfg.Upstream.Receivers[i]
		if r.Name != receiver {
			continue
		}
		for _, list := range integrationLists(r) {
			if list.Len() > 0 {
				return true
			}
		}
	}
	return false
}

// paging reads the section, and says that it is missing where there is a policy (SPEC §5).
func (l *loader) paging() {
	missing := len(l.policy.list) > 0
	l.only("paging", func(o object) {
		if c := o.sub("catch_all"); !isNull(c.node) {
			missing = false
			l.cfg.Paging.CatchAll, _, _ = l.readTarget(c)
		}
		l.cfg.Paging.CatchAllEvery = o.duration("catch_all_every", DefaultCatchAllEvery)
		if l.cfg.Paging.CatchAllEvery < MinCatchAllEvery {
			o.fault(o.here("catch_all_every"), "catch_all_every is shorter than 1m", "write at least 1m")
		}
		l.cfg.ReopenWindow = o.duration("reopen_window", DefaultReopenWindow)
		l.readBlind(o)
		l.readDeadMan(o)
		if missing {
			o.fault(o.node, "there is no catch_all: a ladder that reaches nobody would end in silence", "add catch_all: {user: …}, {schedule: …} or {receiver: …}")
			missing = false
		}
	})
	if !missing {
		return
	}
	for _, s := range l.sections {
		if s.name == "escalation_policies" {
			l.file = s.file
			l.fault(s.key, "there are escalation policies but no catch_all: a ladder that reaches nobody would end in silence",
				"add paging: {catch_all: {user: …}}, {schedule: …} or {receiver: …}")
			l.file = l.opts.File
			return
		}
	}
}
