package main

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/sim"
	"github.com/midwatch/midwatch/web"
)

// aboutAlerts gives the pages about alerts what only the process knows.
func (d *daemon) aboutAlerts(o *web.Options) {
	o.Muted = func(routeID string) []string { return d.muted(routeID, "") }
	o.Simulate = d.foresee
	o.Facts = d.standing
}

// foresee is `midwatch simulate` against the configuration that is running, for the page of routes.
func (d *daemon) foresee(_ context.Context, labels map[string]string, at time.Time) ([]web.Foreseen, error) {
	cfg, err := dryConfig(d.current.Load().cfg)
	if err != nil {
		return nil, err
	}
	lines, err := simulate(cfg, labels, at.UTC().Truncate(time.Second), simulateFor)
	if err != nil {
		return nil, err
	}
	out := make([]web.Foreseen, 0, len(lines))
	for _, l := range lines {
		out = append(out, foreseen(l))
	}
	return out, nil
}

func foreseen(l sim.Line) web.Foreseen {
	return web.Foreseen{After: l.At, At: l.Time, Event: incident.Event{
		Kind: l.Event, Incident: l.Incident, User: l.User, Via: l.Via, Receiver: l.Receiver, By: l.By, Policy: l.Policy, Step: l.Step, Cycle: l.Cycle,
		Severity: l.Severity, Text: l.Text, Reason: l.Reason,
	}}
}

// standing is what the page of status shows of the process.
func (d *daemon) standing() web.Facts {
	now, known := d.current.Load(), d.facts()
	f := web.Facts{
		Started: d.started, External: known.ExternalURL, Upstream: "Alertmanager " + upstreamVersion, ConfigFile: d.source.title(), ConfigLoaded: now.since,
		Config: now.cfg.Original, StoreBytes: known.Store.SizeBytes, FreeBytes: known.Store.FreeBytes, Limits: d.limits(),
	}
	if why := d.refused.Load(); why != nil {
		f.Refused = *why
	}
	if c := d.cluster(); c != nil {
		f.Cluster = &web.ClusterFacts{Name: c.Name, Status: c.Status, Wanted: known.Cluster.Wanted}
		for _, p := range c.Peers {
			f.Cluster.Peers = append(f.Cluster.Peers, web.Fact{Name: p.Name, Text: p.Address})
		}
	}
	for _, c := range d.channels() {
		f.Channels = append(f.Channels, channelFacts(c))
	}
	return f
}

func channelFacts(c api.Channel) web.ChannelFacts {
	f := web.ChannelFacts{
		Whose: cmp.Or(c.User, c.Receiver, c.Chat), By: cmp.Or(c.Via, c.Integration), State: c.State, LastSuccess: c.LastSuccess, LastFailure: c.LastFailure,
		Failures: c.Failures, Waiting: c.Waiting,
	}
	if c.State == api.ChannelFailing {
		f.Error = c.LastError
	}
	if c.Receiver != "" && c.Index > 0 {
		f.By += " " + strconv.Itoa(c.Index)
	}
	return f
}

// limits are those that somebody may have set, in words.
func (d *daemon) limits() []web.Fact {
	o := d.engine.Config().Routing
	number := func(n int) string {
		if n <= 0 {
			return "any number"
		}
		return strconv.Itoa(n)
	}
	size := "any"
	if o.MaxSilenceSize > 0 {
		size = strconv.Itoa(o.MaxSilenceSize) + " bytes"
	}
	return []web.Fact{
		{Name: "Alerts of one name", Text: number(o.AlertnameLimit)},
		{Name: "Silences", Text: number(o.MaxSilences)},
		{Name: "Size of a silence", Text: size},
		{Name: "Alerts without an end", Text: "fire for " + cmp.Or(o.ResolveTimeout, 5*time.Minute).String()},
		{Name: "Silences that are over", Text: "kept for " + cmp.Or(o.Retention, 120*time.Hour).String()},
	}
}
