package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/provider/mem"
	amsilence "github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// An alertmanager is Alertmanager's own code, put together as its app does, without API and configuration file. It lives
// in a bubble.
type alertmanager struct {
	chronicle
	t       *testing.T
	seen    *tally
	reg     *prometheus.Registry
	log     *slog.Logger
	alerts  *mem.Alerts
	notices *nflog.Log
	stopped chan struct{}

	silences *amsilence.Silences
	silencer *amsilence.Silencer
	uuids    map[string]string // by the IDs that a Router would have given
	names    map[string]string // and back

	groups     marker.GroupMarker
	pipelines  *notify.PipelineBuilder
	dispatcher *dispatch.Dispatcher
	inhibitor  *inhibit.Inhibitor
}

// recorder records nothing.
var recorder eventrecorder.Recorder

// runUpstream is the world as Alertmanager has it. It must be called in a bubble.
func runUpstream(t *testing.T, s *scenario, seen *tally) *chronicle {
	if !time.Now().Equal(began) {
		t.Fatalf("the bubble began at %s", time.Now())
	}
	am := startUpstream(t, s, seen)
	for _, e := range s.events {
		sleepUntil(e.at)
		am.happen(e)
		synctest.Wait()
		if e.checked() {
			sleepUntil(e.at + glance)
			am.look()
		}
	}
	sleepUntil(s.end)
	am.write(s.end, false, "muted in all: %s", am.muteCounts())
	if s.reload == changing {
		am.beliefs(am.circles(), func(labels string) bool {
			status := am.predict(s.labels(labels))
			return len(status.SilencedBy)+len(status.InhibitedBy) > 0
		})
	}
	am.stop()
	return &am.chronicle
}

func sleepUntil(at time.Duration) {
	time.Sleep(time.Until(began.Add(at)))
	synctest.Wait()
}

func startUpstream(t *testing.T, s *scenario, seen *tally) *alertmanager {
	am := &alertmanager{
		chronicle: newChronicle(s), t: t, seen: seen, reg: prometheus.NewRegistry(), log: slog.New(slog.DiscardHandler),
		stopped: make(chan struct{}), uuids: map[string]string{}, names: map[string]string{}, groups: marker.NewGroupMarker(),
	}
	var err error
	if am.notices, err = nflog.New(nflog.Options{Retention: s.retention, Metrics: am.reg}); err != nil {
		t.Fatal(err)
	}
	go am.notices.Maintenance(s.sweep, "", am.stopped, nil)
	am.silences = upstreamSilences(t, s, am.reg)
	go am.silences.Maintenance(s.sweep, "", am.stopped, nil)
	am.silencer = amsilence.NewSilencer(am.silences, am.log, recorder)
	am.alerts, err = mem.NewAlerts(t.Context(), s.forget, 0, am.silencer, am.log, recorder, am.reg, featurecontrol.NoopFlags{})
	if err != nil {
		t.Fatal(err)
	}
	am.pipelines = notify.NewPipelineBuilder(am.reg, featurecontrol.NoopFlags{}, recorder)
	am.load(s.setup)
	return am
}

func upstreamSilences(t *testing.T, s *scenario, reg prometheus.Registerer) *amsilence.Silences {
	silences, err := amsilence.New(amsilence.Options{
		Retention: s.retention, Metrics: reg,
		Limits: amsilence.Limits{
			MaxSilences:         func() int { return s.maxSilences },
			MaxSilenceSizeBytes: func() int { return s.silenceSize },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return silences
}

// load takes a configuration, in the order of Alertmanager's reloader.
func (am *alertmanager) load(c setup) {
	am.in = c
	am.inhibitor.Stop()
	am.dispatcher.Stop()
	integrations := map[string][]notify.Integration{}
	for _, receiver := range []string{"one", "two", "three"} {
		integrations[receiver] = nil
		for _, i := range c.receivers[receiver] {
			n := notifier{am, receiver, i}
			integrations[receiver] = append(integrations[receiver], notify.NewIntegration(n, n, i.Name, i.Index, receiver))
		}
	}
	wait := func() time.Duration { return am.s.wait }
	timeout := func(d time.Duration) time.Duration { return max(d, notify.MinTimeout) + am.s.wait }
	am.inhibitor = inhibit.NewInhibitor(am.alerts, c.rules, am.log, recorder)
	stages := am.pipelines.New(integrations, wait, am.inhibitor, am.silencer, c.intervener(), am.groups, am.notices, nil)
	am.dispatcher = dispatch.NewDispatcher(am.alerts, dispatch.NewRoute(c.root, nil), stages, am.groups, timeout,
		30*time.Second, nil, am.log, recorder, nil, nil)
	go am.inhibitor.Run()
	am.inhibitor.WaitForLoading()
	go am.dispatcher.Run(began.Add(am.s.delay))
	am.dispatcher.WaitForLoading()
	synctest.Wait()
}

func (c *setup) intervener() *timeinterval.Intervener {
	named := map[string][]timeinterval.TimeInterval{}
	for name, spans := range c.intervals {
		for _, m := range spans {
			named[name] = append(named[name], timeinterval.TimeInterval{Times: []timeinterval.TimeRange{{StartMinute: m.from, EndMinute: m.until}}})
		}
	}
	return timeinterval.NewIntervener(named)
}

func (am *alertmanager) stop() {
	am.dispatcher.Stop()
	am.inhibitor.Stop()
	am.alerts.Close()
	close(am.stopped)
}

// happen has an event happen now.
func (am *alertmanager) happen(e event) {
	switch {
	case e.labels != nil:
		a := e.alert()
		a.Complete(time.Now(), 5*time.Minute) // as Alertmanager's API does before it puts
		if err := am.alerts.Put(am.t.Context(), upstreamAlert(a)); err != nil {
			am.t.Fatal(err)
		}
	case e.load == nil:
		for _, became := range am.wished(e, am) {
			am.seen.add(became)
		}
	default:
		am.seen.add("reload " + string(am.s.reload))
		if am.s.reload == changing {
			am.load(am.s.loaded(e))
		}
	}
}

func (am *alertmanager) silence(id string) (Silence, bool) {
	found, err := am.silences.QueryOne(am.t.Context(), amsilence.QIDs(am.uuid(id)))
	if err != nil {
		return Silence{}, false
	}
	return ourSilence(found, id), true
}

func (am *alertmanager) set(s Silence, fresh string) (string, error) {
	if s.ID != "" {
		s.ID = am.uuid(s.ID)
	}
	given := upstreamSilence(s)
	if err := am.silences.Set(am.t.Context(), given); err != nil {
		return "", err
	}
	if _, known := am.names[given.Id]; !known {
		am.names[given.Id], am.uuids[fresh] = fresh, given.Id
	}
	return am.names[given.Id], nil
}

func (am *alertmanager) expire(id string) error {
	return am.silences.Expire(am.t.Context(), am.uuid(id))
}

// uuid returns Alertmanager's ID of a silence. Nobody knows one that it did not make.
func (am *alertmanager) uuid(id string) string {
	if uuid, made := am.uuids[id]; made {
		return uuid
	}
	return id
}

// look writes down what the API shows.
func (am *alertmanager) look() {
	for _, g := range am.circles() {
		am.grouped(time.Since(began), g)
	}
	am.lookAtSilences()
	for _, l := range am.s.alerts() {
		if _, err := am.alerts.Get(upstreamLabels(l).Fingerprint()); err == nil {
			am.lookAtAlert(l)
		}
	}
}

func (am *alertmanager) lookAtSilences() {
	for _, state := range []amsilence.SilenceState{amsilence.SilenceStateActive, amsilence.SilenceStatePending, amsilence.SilenceStateExpired} {
		found, _, err := am.silences.Query(am.t.Context(), amsilence.QState(state))
		if err != nil {
			am.t.Fatal(err)
		}
		for _, s := range found {
			am.silenced(time.Since(began), ourSilence(s, am.names[s.Id]), string(state))
			am.seen.add("silence seen " + string(state))
		}
	}
}

func (am *alertmanager) lookAtAlert(l Labels) {
	status := am.predict(l)
	var silencedBy []string
	for _, uuid := range status.SilencedBy {
		silencedBy = append(silencedBy, am.names[uuid])
	}
	am.predicted(time.Since(began), l.String(), silencedBy, len(status.InhibitedBy) > 0)
	am.count(status)
}

// predict is what the API says of an alert.
func (am *alertmanager) predict(l Labels) alert.AlertStatus {
	m := marker.NewAlertMarker()
	ctx := marker.WithContext(am.t.Context(), m)
	set := upstreamLabels(l)
	if am.inhibitor != nil {
		am.inhibitor.Mutes(ctx, set)
	}
	am.silencer.Mutes(ctx, set)
	return m.Status(set.Fingerprint())
}

func (am *alertmanager) count(status alert.AlertStatus) {
	for kind, seen := range map[string]bool{
		"alert seen inhibited":               len(status.InhibitedBy) > 0,
		"alert seen silenced":                len(status.SilencedBy) > 0,
		"alert seen silenced twice":          len(status.SilencedBy) > 1,
		"alert seen silenced, and inhibited": len(status.SilencedBy) > 0 && len(status.InhibitedBy) > 0,
	} {
		if seen {
			am.seen.add(kind)
		}
	}
}

// circles are the groups that there are.
func (am *alertmanager) circles() []circle {
	everything := func(*alert.Alert, time.Time) bool { return true }
	groups, _, err := am.dispatcher.Groups(am.t.Context(), func(*dispatch.Route) bool { return true }, everything)
	if err != nil {
		am.t.Fatal(err)
	}
	var all []circle
	for _, g := range groups {
		all = append(all, circle{g.RouteID, g.GroupKey, g.Receiver, sights(g.Alerts)})
	}
	return all
}

func sights(alerts []*alert.Alert) []sight {
	var all []sight
	for _, a := range alerts {
		all = append(all, sightOf(a.Labels.String(), a.Annotations.String(), a.StartsAt, a.EndsAt, a.UpdatedAt, time.Now(), a.Timeout))
	}
	return all
}

// muteCounts are how many alerts flushes passed over, by the reasons, as the metric has them.
func (am *alertmanager) muteCounts() string {
	families, err := am.reg.Gather()
	if err != nil {
		am.t.Fatal(err)
	}
	counts := map[string]int{}
	for _, f := range families {
		if f.GetName() != "alertmanager_notifications_suppressed_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			counts[m.GetLabel()[0].GetValue()] = int(m.GetCounter().GetValue())
		}
	}
	var lines []string
	for _, why := range []string{"active_time_interval", "inhibition", "mute_time_interval", "silence"} {
		if counts[why] > 0 {
			lines = append(lines, fmt.Sprintf("%s %d", why, counts[why]))
			am.seen.add("alert muted: " + why)
		}
	}
	return fmt.Sprint(lines)
}

// A notifier writes down what Alertmanager's integration was given.
type notifier struct {
	*alertmanager
	receiver string
	Integration
}

func (n notifier) SendResolved() bool { return n.Integration.SendResolved }

func (n notifier) Notify(ctx context.Context, alerts ...*alert.Alert) (bool, error) {
	var (
		key, _    = notify.GroupKey(ctx)
		reason, _ = notify.NotificationReason(ctx)
		at        = time.Since(began)
		ok        = n.s.works(n.receiver, n.Name, n.Index, at)
	)
	n.seen.add(reason.String())
	n.notified(at, ear{key, n.receiver, n.Name, n.Index}, reason.String(), ok, sights(alerts))
	if !ok {
		return false, errors.New("unreachable")
	}
	return false, nil
}

func upstreamAlert(a *Alert) *alert.Alert {
	return &alert.Alert{
		Alert: model.Alert{
			Labels:       upstreamLabels(a.Labels),
			Annotations:  upstreamLabels(a.Annotations),
			StartsAt:     a.StartsAt,
			EndsAt:       a.EndsAt,
			GeneratorURL: a.GeneratorURL,
		},
		UpdatedAt: a.UpdatedAt,
		Timeout:   a.Timeout,
	}
}

func upstreamLabels(l Labels) model.LabelSet {
	m := model.LabelSet{}
	for _, p := range l {
		m[model.LabelName(p.Name)] = model.LabelValue(p.Value)
	}
	return m
}

var upstreamTypes = map[labels.MatchType]silencepb.Matcher_Type{
	labels.MatchEqual:     silencepb.Matcher_EQUAL,
	labels.MatchNotEqual:  silencepb.Matcher_NOT_EQUAL,
	labels.MatchRegexp:    silencepb.Matcher_REGEXP,
	labels.MatchNotRegexp: silencepb.Matcher_NOT_REGEXP,
}

func upstreamSilence(s Silence) *silencepb.Silence {
	instant := func(t time.Time) *timestamppb.Timestamp {
		if t.IsZero() {
			return nil
		}
		return timestamppb.New(t)
	}
	p := &silencepb.Silence{
		Id: s.ID, StartsAt: instant(s.StartsAt), EndsAt: instant(s.EndsAt), UpdatedAt: instant(s.UpdatedAt),
		CreatedBy: s.CreatedBy, Comment: s.Comment, Annotations: s.Annotations,
	}
	for _, set := range s.Matchers {
		var all []*silencepb.Matcher
		for _, m := range set {
			all = append(all, &silencepb.Matcher{Type: upstreamTypes[m.Type], Name: m.Name, Pattern: m.Value})
		}
		p.MatcherSets = append(p.MatcherSets, &silencepb.MatcherSet{Matchers: all})
	}
	return p
}

// ourSilence is what Alertmanager has, under the name that it has with us.
func ourSilence(p *silencepb.Silence, id string) Silence {
	s := Silence{
		ID: id, StartsAt: p.StartsAt.AsTime(), EndsAt: p.EndsAt.AsTime(), UpdatedAt: p.UpdatedAt.AsTime(),
		CreatedBy: p.CreatedBy, Comment: p.Comment, Annotations: p.Annotations,
	}
	for _, set := range p.MatcherSets {
		var all MatcherSet
		for _, m := range set.Matchers {
			for ours, theirs := range upstreamTypes {
				if theirs == m.Type {
					all = append(all, Matcher{m.Name, ours, m.Pattern})
				}
			}
		}
		s.Matchers = append(s.Matchers, all)
	}
	return s
}

// upstreamSize is how long a silence is as Alertmanager keeps it.
func upstreamSize(s *Silence) int {
	return proto.Size(&silencepb.MeshSilence{Silence: upstreamSilence(*s), ExpiresAt: timestamppb.New(s.ExpiresAt)})
}
