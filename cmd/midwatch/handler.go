package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/matcher/compat"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/sim"
	"github.com/midwatch/midwatch/web"
)

// handler is everything that the daemon answers on HTTP.
func (d *daemon) handler() http.Handler {
	pages := web.Options{
		Engine: d.engine, Redeem: d.redeem, Version: version, Log: d.log.zap, Push: d.pusher.pages(), User: d.visitor(),
		News: &d.news, Ending: d.ending, Prefix: d.prefix, Dev: *d.flags.dev,
	}
	pages.Channels = d.outlets
	drafts := newDrafter(d)
	pages.Running, pages.Propose = drafts.running, drafts.propose
	if d.showsOutbox() {
		pages.Outbox = d.letters
	}
	pages.Subscribe = func(ctx context.Context, f engine.CalendarFeed) (string, engine.Answer) {
		return api.Subscribe(ctx, d.engine, d.courier.link, f)
	}
	d.aboutAlerts(&pages)
	measured := api.NewMetrics(d.registry)
	mux := http.NewServeMux()
	mux.Handle("/", api.New(api.Options{
		Engine:      d.engine,
		ValidName:   func(name string) bool { return compat.IsValidLabelName(model.LabelName(name)) },
		Status:      d.status,
		Receivers:   d.receivers,
		Muted:       d.muted,
		RouteLabels: d.routeLabels,
		Counts:      d.probes.doubt,
		IncidentURL: func(id string) string { return d.courier.link("incidents", id) },
		Link:        d.courier.link,
		Store:       d.courier.store,
		Simulate:    d.simulate,
		Channels:    d.channels,
		Unwell:      d.unwell,
		Heartbeat:   func(key string) (string, bool) { return d.current.Load().doorbell.whose(key) },
		Daemon:      d.facts,
		Compact:     d.compactor.asked(d.ending, d.engine),
		Push:        d.pusher.admin(),
		Pages:       web.New(pages),
		Metrics:     measured,
		Origins:     d.origins,
		Log:         d.log.zap,
		Concurrency: *d.flags.getLimit,
		Timeout:     *d.flags.timeout,
	}))
	for path, h := range d.chatter.handlers() {
		mux.Handle(path, measured.Instrument(path, h))
	}
	d.sidePaths(mux, measured)
	if d.prefix == "/" {
		return d.traced(mux)
	}
	return d.traced(d.prefixed(mux, measured))
}

// showsOutbox says whether messages may land in the outbox: only those who have no other channel are shown the page.
func (d *daemon) showsOutbox() bool { return *d.flags.demo || d.source.file == "" }

func (d *daemon) letters() []web.Message {
	var out []web.Message
	for _, l := range d.outbox.Messages() {
		m := web.Message{At: l.At, To: l.Target.User, Via: l.Target.Via, Subject: l.Subject, Body: l.Text, Link: l.AckURL}
		if m.To == "" {
			m.To, m.Via = l.Target.Receiver, l.Target.Integration
		}
		out = append(out, m)
	}
	return out
}

// redeem says what an acknowledge link allows.
func (d *daemon) redeem(token string, now time.Time) (web.Grant, error) {
	claim, err := d.signer.Verify(token, now)
	if errors.Is(err, notify.ErrExpired) {
		err = fmt.Errorf("%w: %w", web.ErrExpired, err)
	}
	if err == nil && !strings.HasSuffix(claim.Page, d.courier.key("")) {
		err = errors.New("this link is about an incident of an earlier store, which this one knows nothing of")
	}
	grant := web.Grant{Incident: claim.Incident, User: claim.User, Test: claim.Incident == testClaim}
	if several := splitIDs(claim.Incident); len(several) > 1 {
		grant.Incidents = several
	}
	return grant, err
}

func (d *daemon) status() api.Status {
	return api.Status{
		Config: d.current.Load().cfg.Original, Started: d.started, Version: api.Version{Version: upstreamVersion},
		Cluster: d.cluster(),
	}
}

func (d *daemon) receivers() []api.Receiver {
	var out []api.Receiver
	for _, r := range d.current.Load().cfg.Upstream.Receivers {
		labels := map[string]string{}
		for name, value := range r.Labels {
			labels[string(name)] = string(value)
		}
		out = append(out, api.Receiver{Name: r.Name, Labels: labels})
	}
	return out
}

// muted are the time intervals that keep a group's route silent now.
func (d *daemon) muted(routeID, _ string) []string {
	now := d.current.Load()
	route := now.routes[routeID]
	if route == nil {
		return nil // of a configuration that has just gone
	}
	_, names := mutedBy(now.intervals, route, time.Now())
	return names
}

// routeLabels renders a group's route labels over its alerts. One that cannot be rendered is left out, as in Alertmanager.
func (d *daemon) routeLabels(v router.View) map[string]string {
	alerts := make([]*alert.Alert, 0, len(v.Alerts))
	for _, a := range v.Alerts {
		alerts = append(alerts, upstreamAlert(a))
	}
	tmpl := d.current.Load().templates
	render := tmpl.RouteLabelRenderer(tmpl.Data(v.Group.Receiver, labelSet(v.Group.Labels), labelSet(v.RouteLabels), amnotify.ReasonUnknown.String(), alerts...))
	out := map[string]string{}
	for _, l := range v.RouteLabels {
		if text, err := render(l.Name); err == nil {
			out[l.Name] = text
		}
	}
	return out
}

// simulate is `midwatch simulate` against the configuration that is running.
func (d *daemon) simulate(_ context.Context, s api.Simulation) (api.Simulated, error) {
	cfg, err := dryConfig(d.current.Load().cfg)
	if err != nil {
		return api.Simulated{}, err
	}
	at := s.At
	if at.IsZero() {
		at = time.Now()
	}
	lines, err := simulate(cfg, s.Labels, at.UTC().Truncate(time.Second), s.Ahead)
	if err != nil {
		return api.Simulated{}, err
	}
	out := api.Simulated{Events: []api.SimulatedEvent{}}
	for _, l := range lines {
		out.Events = append(out.Events, simulatedEvent(l))
	}
	return out, nil
}

func simulatedEvent(l sim.Line) api.SimulatedEvent {
	return api.SimulatedEvent(l)
}
