package config

import "go.yaml.in/yaml/v3"

// build makes values of our sections, in the order in which they name one another.
func (l *loader) build() {
	l.calendars()
	l.sharedCalendars()
	l.users()
	l.schedules()
	l.policies()
	l.paging()
	l.heartbeats()
	l.maintenance()
	l.dispatch()
	l.chat()
	l.severities()
	l.slos()
	l.sloFiles()
	l.incidents()
}

// severities replaces rows of the default table (SPEC §6).
func (l *loader) severities() {
	l.only("severities", func(o object) {
		if o.node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(o.node.Content); i += 2 {
			l.cfg.Severities[o.node.Content[i].Value] = o.node.Content[i+1].Value
		}
	})
}

// incidents reads what our keys say in the main file's receivers (SPEC §6).
func (l *loader) incidents() {
	for _, s := range l.sections {
		if s.name != "receivers" {
			continue
		}
		for i, r := range s.value.Content {
			if r.Kind == yaml.MappingNode && lookup(r, "incident_configs") != nil {
				l.readReceiver(r, i)
			}
		}
	}
}

func (l *loader) readReceiver(r *yaml.Node, i int) {
	configs := lookup(r, "incident_configs")
	where := (&form{noun: "receiver"}).itemIn("", r, i)
	name := lookup(r, "name")
	if isNull(name) || name.Kind != yaml.ScalarNode || name.Value == "" {
		l.fault(r, "missing name in receiver", "a receiver with incident_configs needs one as any other")
		name = plain("")
	}
	f := receiverKeys[0].form
	if configs.Kind != yaml.SequenceNode {
		l.check(configs, f, join(where, "incident_configs"))
		return
	}
	for i, n := range configs.Content {
		o := l.object(n, f.list, f.list.itemIn(join(where, "incident_configs"), n, i))
		if n.Kind != yaml.MappingNode {
			continue
		}
		if i > 0 {
			o.fault(n, "incidents are told apart by group and receiver, so a receiver can have one incident config",
				"put it into another receiver, and reach both with continue: true in the route")
			continue
		}
		if policy := o.get("escalation_policy"); policy != nil {
			o.refer(policy, "escalation policy", &l.policy)
		}
		l.cfg.Incidents[name.Value] = IncidentConfig{
			Policy:      o.text("escalation_policy"),
			Severity:    o.text("severity"),
			Title:       o.textOr("title", DefaultTitle),
			Scope:       Scope(o.textOr("scope", string(ScopeGroup))),
			AutoResolve: o.boolean("auto_resolve", true),
		}
	}
}
