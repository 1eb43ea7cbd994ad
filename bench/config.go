//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// A setup is what the two servers' configurations have in common, and in what one differs from the other.
type setup struct {
	sink          string        // the base of all webhooks
	wait          time.Duration // group_wait
	interval      time.Duration // group_interval
	paging        bool          // outages open incidents; Alertmanager knows none
	prompt        bool          // outages wait for nothing
	routes, rules int
	profile       string // what profiles of the taking in are called; empty: there are none
}

const (
	teams  = 10
	routes = 50 // beside those of probes and outages
	rules  = 20 // inhibit rules, of which about two thirds have something to inhibit
)

// groupWait is long enough for so many alerts to be taken in before the first group speaks: what taking in costs and what
// telling costs are then two things. It is about twice what the slower of the two needs. With -quick that is as it may be.
func (o *options) groupWait(series int) time.Duration {
	least := 4 * time.Second
	if o.quick {
		least = time.Second
	}
	return least + time.Duration(series)*120*time.Microsecond
}

// never is longer than any run.
const never = 24 * time.Hour

// yaml is the configuration: ten teams, each with a route and four below it, and rules by name, by cluster and by team.
func (c setup) yaml() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("route:")
	p("  receiver: default")
	p("  group_by: [alertname, cluster, service]")
	p("  group_wait: %s", yamlTime(c.wait))
	p("  group_interval: %s", yamlTime(c.interval))
	p("  repeat_interval: %s", yamlTime(never))
	p("  routes:")
	p(`  - {receiver: probe, matchers: ['alertname="%s"'], group_by: [probe_id], group_wait: 0s}`, probeName)
	wait := c.wait
	if c.prompt {
		wait = 0
	}
	p(`  - {receiver: outage, matchers: ['alertname="%s"'], group_by: [outage], group_wait: %s}`, outageName, yamlTime(wait))
	c.tree(p)
	p("inhibit_rules:")
	for i := range c.rules {
		switch i % 3 {
		case 0:
			p(`- {source_matchers: ['alertname="%s"', 'severity="critical"'], target_matchers: ['severity=~"warning|info"'], equal: [cluster, service]}`, alertName(i))
		case 1:
			p(`- {source_matchers: ['alertname="ClusterDown%02d"'], target_matchers: ['alertname!="ClusterDown%02d"'], equal: [cluster]}`, i, i)
		default:
			p(`- {source_matchers: ['severity="page"', 'team="team-%d"'], target_matchers: ['severity="info"', 'team="team-%d"'], equal: [cluster, namespace, service]}`, i%teams, i%teams)
		}
	}
	p("receivers:")
	p("- {name: default, webhook_configs: [{url: '%s%s'}]}", c.sink, groupPath)
	p("- {name: probe, webhook_configs: [{url: '%s%s'}]}", c.sink, probePath)
	for team := range teams {
		p("- {name: hook-%d, webhook_configs: [{url: '%s%s'}]}", team, c.sink, groupPath)
	}
	p("- name: outage")
	p("  webhook_configs: [{url: '%s%s'}]", c.sink, groupPath)
	if c.paging {
		p("  incident_configs: [{escalation_policy: everybody, title: '{{ .GroupLabels.outage }}'}]")
		p("users: [{name: ana, contact_methods: {hook: {webhook: {url: '%s%s'}}}}]", c.sink, pagePath)
		p("escalation_policies: [{name: everybody, repeat: 0, steps: [{notify: [{user: ana}], escalate_after: %s}]}]", yamlTime(never))
		p("paging: {catch_all: {user: ana}, catch_all_every: %s}", yamlTime(never))
	}
	return b.String()
}

func (c setup) tree(p func(string, ...any)) {
	below := []string{`severity="page"`, `severity=~"critical|page"`, `env!="prod"`, `service=~"svc-0.*|svc-1.*"`}
	for n := 0; n < c.routes; {
		team := n / (1 + len(below))
		p("  - receiver: hook-%d", team%teams)
		p(`    matchers: ['team="team-%d"']`, team)
		n++
		for k := 0; k < len(below) && n < c.routes; k++ {
			if k == 0 {
				p("    routes:")
			}
			p("    - {receiver: hook-%d, matchers: ['%s'], continue: %t}", (team+k+1)%teams, below[k], k == 0)
			n++
		}
	}
}

// yamlTime writes a length of time as configurations have it.
func yamlTime(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }
