package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	amnotify "github.com/prometheus/alertmanager/notify"
)

// A Method is one way to reach one person, as the configuration has it (SPEC §3).
type Method struct {
	User, Via string
	// Receiver holds exactly one integration, with upstream's defaults applied by upstream's loader. It is not changed.
	Receiver amconfig.Receiver
	// SetByUser says which fields of the integration its owner wrote himself, by their YAML names. Nil: none.
	SetByUser func(field string) bool

	Own     Own      // one of ours in place of Receiver's
	Signing []Secret // of a webhook: signs each message by Standard Webhooks, with every secret; none: it does not
	APIURL  string   // of Pushover, whose config has no such field; empty: DefaultPushoverURL
}

// Personal builds the sender for one person's contact method. What he did not word himself carries the built-in
// templates; what he did falls back to them where it fails, or where the provider refuses it, so that no page is lost to
// a template. A webhook gets Alertmanager's body with the member "midwatch".
//
// Templates he writes find the page in .RouteLabels: midwatch_subject, midwatch_acknowledge_url, and so on.
func Personal(m Method, o Options) (Endpoint, error) {
	target := Target{User: m.User, Via: m.Via}
	name := m.User + "/" + m.Via
	fault := func(err error) (Endpoint, error) {
		return Endpoint{}, fmt.Errorf("contact method %q of %q: %w", m.Via, m.User, err)
	}
	if m.Own != nil {
		sender, err := m.Own.build(name, o)
		if err != nil {
			return fault(err)
		}
		return Endpoint{Target: target, SendResolved: m.Own.resolved(), TakesBack: takesBack(sender), Sender: sender}, nil
	}
	if n := integrations(m.Receiver); n != 1 {
		return fault(fmt.Errorf("one integration is wanted, there are %d", n))
	}
	if hooks := m.Receiver.WebhookConfigs; len(hooks) == 1 {
		hook, err := newHook(name, hooks[0], m.Signing, o)
		if err != nil {
			return fault(err)
		}
		return Endpoint{Target: target, SendResolved: hooks[0].SendResolved(), Sender: hook}, nil
	}

	worded, plain := clone(m.Receiver), clone(m.Receiver)
	worded.Name, plain.Name = name, name
	ApplyTemplates(&worded, m.SetByUser)
	ApplyTemplates(&plain, nil)
	if o.Replies {
		replyTo(worded.EmailConfigs)
		replyTo(plain.EmailConfigs)
	}
	asOurs := slices.Equal(textsOf(worded), textsOf(plain)) // before upstream's notifiers add to their configs
	if cs := worded.PushoverConfigs; len(cs) > 0 {
		sender, err := newPushover(name, m.APIURL, cs[0], plain.PushoverConfigs[0], !asOurs, o)
		if err != nil {
			return fault(err)
		}
		return Endpoint{Target: target, SendResolved: cs[0].SendResolved(), TakesBack: takesBack(sender), Sender: sender}, nil
	}
	s := &personalSender{Options: o, name: name, bare: len(worded.IncidentioConfigs) > 0, once: len(worded.SNSConfigs) > 0}
	var err error
	if s.plain, err = s.dressed(plain); err != nil {
		return fault(err)
	}
	if !asOurs {
		if s.worded, err = s.dressed(worded); err != nil {
			return fault(err)
		}
	}
	return Endpoint{Target: target, SendResolved: s.sendResolved, Sender: s}, nil
}

// takesBack says whether a sender can silence or change what it sent.
func takesBack(s Sender) bool {
	switch s.(type) {
	case *pushover, *ntfy, *matrix, *webPush:
		return true
	}
	return false
}

// A personalSender tells one person by one of upstream's integrations.
type personalSender struct {
	Options
	name         string
	bare         bool // gives the integration facts only, no finished texts
	once         bool // takes the key for that of one message: SNS drops what comes with the same key within 5 minutes
	sendResolved bool
	worded       *dressed // as the user words it; nil if he did not
	plain        *dressed // in our words
}

// A dressed is an integration with the templates it was built with.
type dressed struct {
	*integration
	templates []templateField
}

func (s *personalSender) dressed(r amconfig.Receiver) (*dressed, error) {
	build := func() (amnotify.Integration, error) {
		ns, err := receiver.BuildReceiverIntegrations(r, s.Templates, s.logger(), s.HTTP...)
		if err != nil {
			return amnotify.Integration{}, err
		}
		return ns[0], nil
	}
	first, err := build()
	if err != nil {
		return nil, err
	}
	s.sendResolved = first.SendResolved()
	return &dressed{newIntegration(first, build, r, s.logger()), templatesOf(r)}, nil
}

// Kind is the integration's name.
func (s *personalSender) Kind() string { return s.plain.name }

// Send implements Sender. One call may make two attempts: in the user's words and, where these fail for good, in ours.
func (s *personalSender) Send(ctx context.Context, m Message) (v Verdict) {
	defer mustNotPanic(&v, s.logger())
	if m.Page == nil {
		return Verdict{Outcome: Failed, Answer: "a message to " + s.name + " without a page"}
	}
	if m.Event == EventStandDown {
		return nothingToTakeBack
	}
	alerts := s.alerts(m)
	labels, err := s.labels(m, alerts)
	if err != nil {
		return Verdict{Outcome: Failed, Answer: answer(err.Error(), nil)}
	}
	if !over(m.Event) {
		m.State = nil // Slack would change the earlier message in place, and make no sound
	}
	store := storeFor(m)
	key := incidentKey(m)
	if s.once {
		key = m.Key
	}
	ctx = fill(ctx, m, s.name, key, labels, store)
	v = s.send(ctx, m, alerts)
	if v.Outcome == Delivered {
		v.State = stateOf(store, m.State)
	}
	return v
}

func (s *personalSender) send(ctx context.Context, m Message, alerts []*alert.Alert) Verdict {
	if s.worded == nil {
		return s.plain.send(ctx, alerts)
	}
	// Slack's notifier sends an empty message where a template fails, so this is found out beforehand.
	why := s.worded.broken(s.Templates, amnotify.GetTemplateData(ctx, s.Templates, alerts, s.logger()))
	if why == nil {
		v := s.worded.send(ctx, alerts)
		if v.Outcome != Failed {
			return v
		}
		why = errors.New(v.Answer)
	}
	s.logger().Warn("a page goes out in the built-in words", "to", s.name, "key", m.Key, "why", answer(why.Error(), s.worded.secrets))
	v := s.plain.send(ctx, alerts)
	if v.Outcome == Delivered {
		v.Answer = answer("in the built-in words: "+why.Error(), s.worded.secrets)
	}
	return v
}

func (s *personalSender) labels(m Message, alerts []*alert.Alert) (model.LabelSet, error) {
	labels := s.routeLabels(m, s.name, alerts)
	if s.bare {
		return asLabels(facts(m), labels), nil
	}
	f, err := forms(m, s.Templates.ExternalURL)
	return asLabels(f, labels), err
}

// alerts is what an integration is told to be firing. Services that keep incidents of their own open and close them by
// it, so it follows the event: a page fires, though its alerts may be over or, for an SLO, never were; and resolved by
// hand is resolved.
func (s *personalSender) alerts(m Message) []*alert.Alert {
	given := m.Alerts
	if len(given) == 0 {
		given = []Alert{standIn(m)}
	}
	over := m.Event == EventResolved
	firing := false
	out := make([]*alert.Alert, len(given))
	for i, a := range given {
		ends := a.EndsAt
		if over && ends.IsZero() {
			ends = endOf(a, m.At)
		}
		firing = firing || ends.IsZero()
		out[i] = amAlert(a, ends)
	}
	if !over && !firing {
		for _, a := range out {
			a.EndsAt = time.Time{}
		}
	}
	return out
}

// endOf is at, unless the alert claims to start later: an end before its start would make no sense to anybody.
func endOf(a Alert, at time.Time) time.Time {
	if at.Before(a.StartsAt) {
		return a.StartsAt
	}
	return at
}

// standIn is the alert of an incident that has none.
func standIn(m Message) Alert {
	p := m.Page
	labels := map[string]string{"alertname": cmp.Or(oneLine(p.Title), "Midwatch")}
	for k, v := range map[string]string{"incident": p.Incident, "severity": p.Severity} {
		if v != "" {
			labels[k] = v
		}
	}
	a := Alert{Labels: labels, Annotations: map[string]string{"summary": cmp.Or(oneLine(p.Title), viewOf(m).Headline)}, StartsAt: p.OpenedAt, GeneratorURL: p.IncidentURL}
	if m.Event == EventResolved {
		a.EndsAt = endOf(a, m.At)
	}
	return a
}

// incidentKey is what PagerDuty, OpsGenie and their like recognise an incident by, the same from first page to resolve.
// Group keys will not do: with one incident per alert many share one. A bundle counts for its worst incident.
func incidentKey(m Message) string {
	id := m.Page.Incident
	if id == "" && len(m.Page.Incidents) > 0 {
		id = worstFirst(m.Page.Incidents)[0].Incident
	}
	return "midwatch/" + cmp.Or(id, m.Key)
}

// integrations counts the integrations of r.
func integrations(r amconfig.Receiver) (n int) {
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice {
			n += f.Len()
		}
	}
	return n
}

// clone copies r and its configs one level deep; ApplyTemplates replaces what lies deeper and does not change it.
func clone(r amconfig.Receiver) amconfig.Receiver {
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() != reflect.Slice {
			continue
		}
		configs := reflect.MakeSlice(f.Type(), f.Len(), f.Len())
		for j := range f.Len() {
			c := reflect.New(f.Type().Elem().Elem())
			c.Elem().Set(f.Index(j).Elem())
			configs.Index(j).Set(c)
		}
		f.Set(configs)
	}
	return r
}

// mustNotPanic turns a panic of our own into a verdict: one page must not end the process that sends the others.
func mustNotPanic(v *Verdict, logger interface{ Error(string, ...any) }) {
	if p := recover(); p != nil {
		logger.Error("sending panicked", "panic", answer(fmt.Sprint(p), nil), "stack", string(debug.Stack()))
		*v = Verdict{Outcome: Failed, Answer: answer("sending panicked: "+strings.TrimSpace(fmt.Sprint(p)), nil)}
	}
}
