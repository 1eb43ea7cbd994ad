package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"

	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/nflog"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
)

// Options are what all senders of a configuration share.
type Options struct {
	// Templates are upstream's defaults and the file's `templates:`, made by upstream's template.FromGlobs, with
	// ExternalURL set. Required.
	Templates *template.Template
	// Logger gets what upstream's notifiers log. Nil is silence.
	Logger *slog.Logger
	// Replies says that mails to people may be answered: each names where, Page.ReplyTo.
	Replies bool
	// Push is what web push needs. Nil: no browser can be reached.
	Push *Push
	// HTTP goes to every HTTP client: a dialer, for instance.
	HTTP []commoncfg.HTTPClientOption
}

func (o Options) logger() *slog.Logger {
	if o.Logger == nil {
		return promslog.NewNopLogger()
	}
	return o.Logger
}

// An Endpoint is one target with the sender that reaches it.
type Endpoint struct {
	Target       Target
	SendResolved bool // the integration's send_resolved: whether it wants to hear that it is over
	TakesBack    bool // it can silence or change what it sent, and wants to hear that somebody acknowledged
	Sender       Sender
}

// Receivers builds a sender for every integration of the given receivers, in upstream's order. It fails as upstream's
// start does, for instance on a token file that cannot be read, and then names every fault.
func Receivers(receivers []amconfig.Receiver, o Options) ([]Endpoint, error) {
	var endpoints []Endpoint
	var errs error
	for _, r := range receivers {
		ns, err := receiver.BuildReceiverIntegrations(r, o.Templates, o.logger(), o.HTTP...)
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("receiver %q: %w", r.Name, err))
			continue
		}
		for k, n := range ns {
			build := func() (amnotify.Integration, error) {
				again, err := receiver.BuildReceiverIntegrations(r, o.Templates, o.logger(), o.HTTP...)
				if err != nil {
					return amnotify.Integration{}, err
				}
				return again[k], nil
			}
			endpoints = append(endpoints, Endpoint{
				Target:       Target{Receiver: r.Name, Integration: n.Name(), Index: n.Index()},
				SendResolved: n.SendResolved(),
				Sender: &receiverSender{
					Options: o, receiver: r.Name, sendResolved: n.SendResolved(),
					integration: newIntegration(n, build, r, o.logger()),
				},
			})
		}
	}
	return endpoints, errs
}

// A receiverSender speaks for one integration of an Alertmanager receiver, exactly as upstream does.
type receiverSender struct {
	Options
	receiver     string
	sendResolved bool
	integration  *integration
}

// Kind is the integration's name.
func (s *receiverSender) Kind() string { return s.integration.name }

// Send implements Sender. Without send_resolved the resolved alerts are left out here, after the route labels were
// rendered, as upstream's retry stage does; with nothing left to say the message counts as delivered.
func (s *receiverSender) Send(ctx context.Context, m Message) Verdict {
	all := amAlerts(m.Alerts)
	to := all
	if !s.sendResolved {
		to = slices.DeleteFunc(slices.Clone(all), func(a *alert.Alert) bool { return a.Status() == model.AlertResolved })
		if len(to) == 0 {
			return Verdict{Outcome: Delivered, Answer: "nothing fires, and send_resolved is off"}
		}
	}
	store := storeFor(m)
	ctx = fill(ctx, m, s.receiver, m.GroupKey, s.routeLabels(m, s.receiver, all), store)
	v := s.integration.send(ctx, to)
	if v.Outcome == Delivered {
		v.State = stateOf(store, m.State)
	}
	return v
}

// fill puts into the context what upstream's dispatcher and stages put there for its notifiers. What only the stages
// read (the hashes of firing and resolved alerts, the route's id and matchers) is left out.
func fill(ctx context.Context, m Message, receiver, groupKey string, routeLabels model.LabelSet, store *nflog.Store) context.Context {
	ctx = amnotify.WithNow(ctx, m.At)
	ctx = amnotify.WithGroupKey(ctx, groupKey)
	ctx = amnotify.WithGroupLabels(ctx, labelSet(m.GroupLabels))
	ctx = amnotify.WithRouteLabels(ctx, routeLabels)
	ctx = amnotify.WithReceiverName(ctx, receiver)
	ctx = amnotify.WithRepeatInterval(ctx, m.RepeatInterval)
	ctx = amnotify.WithNotificationReason(ctx, reasonOf(m.Reason))
	return amnotify.WithNflogStore(ctx, store)
}

// routeLabels renders the route's labels as upstream's aggrGroup.renderRouteLabels does: one resolver for all, no
// notification reason, and a label that cannot be rendered is left out.
func (o Options) routeLabels(m Message, receiver string, alerts []*alert.Alert) model.LabelSet {
	rendered := make(model.LabelSet, len(m.RouteLabels))
	if len(m.RouteLabels) == 0 {
		return rendered
	}
	data := o.Templates.Data(receiver, labelSet(m.GroupLabels), labelSet(m.RouteLabels), amnotify.ReasonUnknown.String(), alerts...)
	render := o.Templates.RouteLabelRenderer(data)
	for _, name := range slices.Sorted(maps.Keys(m.RouteLabels)) {
		value, err := render(name)
		if err != nil {
			o.logger().Error("a route label could not be rendered and is left out", "receiver", receiver, "label", name, "err", err)
			continue
		}
		rendered[model.LabelName(name)] = model.LabelValue(value)
	}
	return rendered
}

// reasonOf finds upstream's notification reason by its words.
func reasonOf(words string) amnotify.NotifyReason {
	for r := amnotify.ReasonDoNotNotify; r < amnotify.ReasonUnknown; r++ {
		if r.String() == words {
			return r
		}
	}
	return amnotify.ReasonUnknown
}

// stateKeys are all that upstream's notifiers keep between messages: Slack's thread. nflog.Store cannot be listed.
var stateKeys = []string{"threadTs", "channelId"}

func storeFor(m Message) *nflog.Store {
	store := nflog.NewStore(nil)
	if reasonOf(m.Reason) == amnotify.ReasonFirstNotification {
		return store // a group that fires anew starts a new thread
	}
	for k, v := range m.State {
		store.SetStr(k, v)
	}
	return store
}

// stateOf returns what the notifier left in the store; nil if that is what was there before.
func stateOf(store *nflog.Store, before map[string]string) map[string]string {
	after := map[string]string{}
	for _, k := range stateKeys {
		if v, ok := store.GetStr(k); ok {
			after[k] = v
		}
	}
	if maps.Equal(after, before) {
		return nil
	}
	return after
}

func labelSet(labels map[string]string) model.LabelSet {
	set := make(model.LabelSet, len(labels))
	for k, v := range labels {
		set[model.LabelName(k)] = model.LabelValue(v)
	}
	return set
}

func amAlerts(alerts []Alert) []*alert.Alert {
	out := make([]*alert.Alert, len(alerts))
	for i, a := range alerts {
		out[i] = amAlert(a, a.EndsAt)
	}
	return out
}

// amAlert is a in upstream's type. Upstream compares an end with the wall clock to see whether the alert is over; where that
// clock was set back, an end that has passed would lie ahead of it.
func amAlert(a Alert, endsAt time.Time) *alert.Alert {
	if wall := time.Now(); endsAt.After(wall) {
		endsAt = wall.UTC()
	}
	return &alert.Alert{Alert: model.Alert{
		Labels: labelSet(a.Labels), Annotations: labelSet(a.Annotations),
		StartsAt: a.StartsAt, EndsAt: endsAt, GeneratorURL: a.GeneratorURL,
	}}
}
