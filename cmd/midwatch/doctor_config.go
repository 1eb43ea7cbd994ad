package main

import (
	"context"
	"strings"

	"github.com/midwatch/midwatch/config"
)

// config says whether the configuration can be used.
func (d *doctor) config(context.Context) (all []finding) {
	if d.file == "" {
		return []finding{doubtful("config", "run it where the file is, or give --config.file", "no configuration is at hand; mail, chat and schedules are not looked at")}
	}
	for _, f := range d.faults {
		all = append(all, faultFinding("config", f))
	}
	if d.cfg == nil {
		return all
	}
	all = append(all, good("config", "%s can be used: %s, %s, %s, %s", d.file, count(len(d.cfg.Upstream.Receivers), "receiver"), count(len(d.cfg.Users), "user"),
		count(len(d.cfg.Schedules), "schedule"), plural(len(d.cfg.Policies), "escalation policy", "escalation policies")))
	return append(all, catchAllFinding(len(d.cfg.Policies), targetWords(d.cfg.Paging.CatchAll)))
}

// catchAllFinding says who is paged where nobody else answers.
func catchAllFinding(policies int, catchAll string) finding {
	switch {
	case policies == 0:
		return doubtful("catch_all", "write escalation_policies and incident_configs (docs/quickstart.md)", "there is no escalation policy: alerts are notified as by Alertmanager, and nobody is paged until they answer")
	case catchAll == "":
		return failing("catch_all", "write paging: {catch_all: {user: …}}", "nobody is paged when a ladder ends without an answer")
	}
	return good("catch_all", "when a ladder ends without an answer, %s is paged", catchAll)
}

// schedules looks at the next 90 days, as config check does: gaps, users on call who are unavailable, users whom nothing pages.
func (d *doctor) schedules(context.Context) (all []finding) {
	if d.cfg == nil {
		return nil
	}
	for _, f := range d.cfg.Ahead(d.now()) {
		all = append(all, faultFinding("schedules", f))
	}
	if len(all) == 0 && len(d.cfg.Schedules) > 0 {
		all = append(all, good("schedules", "no undeclared gap in the next 90 days, and nobody on call is unavailable"))
	}
	return all
}

func faultFinding(check string, f config.Fault) finding {
	hint := f.Hint
	f.Hint = ""
	state := broken
	if f.Warning {
		state = doubt
	}
	return finding{Check: check, State: state, Text: strings.TrimSpace(f.String()), Mend: hint}
}
