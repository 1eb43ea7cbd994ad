package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/eventrecorder/eventrecorderpb"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
)

// A chronicler tells Alertmanager's event recorder what happens, in Alertmanager's words (the feature event-recorder). A
// nil one tells nobody. Repeats that say nothing new are no events here; Alertmanager records each as alertGrouped.
type chronicler struct {
	out eventrecorder.Recorder
	ctx context.Context // in which the recorder records

	mu     sync.Mutex
	router *router.Router
	routes map[string]*dispatch.Route // by their IDs
	rules  []router.InhibitRule
	rounds map[string]*roundRecord // by router.Group.ID
}

// A roundRecord is what the latest flush of a group leaves to be told later.
type roundRecord struct {
	flushes  uint64 // so far, as Alertmanager counts them
	at       time.Time
	resolved []*router.Alert
	quiet    map[uint64]struct{} // hashes of the alerts that silences and inhibition kept
}

// newChronicler begins to record, with the start.
func newChronicler(cfg eventrecorder.Config, log logging, r prometheus.Registerer) *chronicler {
	host, _ := os.Hostname() // empty where there is none, as in Alertmanager
	c := &chronicler{
		out:    eventrecorder.NewRecorderFromConfig(cfg, host, log.slog.With("component", "eventrecorder"), r),
		ctx:    eventrecorder.WithEventRecording(context.Background()),
		rounds: map[string]*roundRecord{},
	}
	c.tell(&eventrecorderpb.EventData{EventType: &eventrecorderpb.EventData_AlertmanagerStartupEvent{
		AlertmanagerStartupEvent: &eventrecorderpb.AlertmanagerStartupEvent{
			Version:      upstreamVersion,
			BuildContext: fmt.Sprintf("(midwatch=%s, go=%s, platform=%s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH),
		},
	}})
	return c
}

// close ends recording, with the end.
func (c *chronicler) close() {
	if c == nil {
		return
	}
	c.tell(&eventrecorderpb.EventData{EventType: &eventrecorderpb.EventData_AlertmanagerShutdownEvent{
		AlertmanagerShutdownEvent: &eventrecorderpb.AlertmanagerShutdownEvent{},
	}})
	_ = c.out.Close() // it always returns nil, after all outputs are closed
}

func (c *chronicler) tell(e *eventrecorderpb.EventData) {
	c.out.RecordEvent(c.ctx, func() *eventrecorderpb.EventData { return e })
}

// use takes the configuration that holds from now on.
func (c *chronicler) use(cfg *config.Config, rt *router.Router, o router.Options) {
	if c == nil {
		return
	}
	routes := map[string]*dispatch.Route{}
	o.Root.Walk(func(r *dispatch.Route) { routes[r.ID()] = r })
	c.mu.Lock()
	c.router, c.routes, c.rules = rt, routes, o.Inhibit
	c.mu.Unlock()
	c.out.ApplyConfig(cfg.Upstream.EventRecorder)
}

// observe tells what the router said.
func (c *chronicler) observe(effects []router.Effect) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range effects {
		switch e := e.(type) {
		case router.Stored:
			if e.Change == router.FirstSeen {
				c.tell(eventrecorder.NewAlertCreatedEvent(upstreamAlert(e.Alert)))
			}
		case router.Joined:
			c.tell(amnotify.NewAlertGroupedEvent(groupInfo(e.Group), upstreamAlert(e.Alert)))
		case router.Left:
			if e.Change == router.Resolved {
				c.tell(amnotify.NewAlertGroupedEvent(groupInfo(e.Group), upstreamAlert(e.Alert)))
			}
		case router.Flushed:
			c.flushed(e)
		case router.GroupChanged:
			c.cleared(e)
		case router.SilenceChanged:
			c.silenced(e)
		}
	}
}

// flushed remembers what is told once the flush is over, and tells which alerts silences and inhibition kept.
func (c *chronicler) flushed(e router.Flushed) {
	rd := c.rounds[e.Group.ID]
	if rd == nil {
		rd = &roundRecord{}
		c.rounds[e.Group.ID] = rd
	}
	*rd = roundRecord{flushes: rd.flushes + 1, at: e.At, resolved: slices.Clone(e.Resolved)}
	for _, a := range e.Others {
		if !a.EndsAt.IsZero() {
			rd.resolved = append(rd.resolved, a)
		}
		if c.kept(a, e) {
			if rd.quiet == nil {
				rd.quiet = map[uint64]struct{}{}
			}
			rd.quiet[a.Hash()] = struct{}{}
		}
	}
}

// kept tells by what an alert was kept from its receivers, and reports whether it was by a silence or by another alert.
func (c *chronicler) kept(a *router.Alert, e router.Flushed) bool {
	fp, set := model.Fingerprint(a.Fingerprint()), labelSet(a.Labels)
	if source := c.router.InhibitedBy(a.Labels, e.At); source != nil {
		c.tell(eventrecorder.NewInhibitionMutedAlertEvent(c.rule(source, a), fp, set, []model.Fingerprint{model.Fingerprint(source.Fingerprint())}))
		return true
	}
	if e.Muted[router.OutsideHours]+e.Muted[router.MutedByHours] > 0 {
		return false // the whole group is out of hours, and nobody asked for silences
	}
	ids, _ := c.router.Suppressed(a.Labels, e.At)
	for _, id := range ids {
		if s, ok := c.router.Silence(id); ok {
			c.tell(eventrecorder.NewSilenceMutedAlertEvent(silenceAsProto(&s), fp, set))
		}
	}
	return len(ids) > 0
}

// rule is the inhibition rule by which source keeps a quiet: the first that says so.
func (c *chronicler) rule(source, a *router.Alert) []*eventrecorderpb.InhibitRule {
	from, to := labelSet(source.Labels), labelSet(a.Labels)
	for _, r := range c.rules {
		equal := map[model.LabelName]struct{}{}
		agree := true
		for _, name := range r.Equal {
			equal[model.LabelName(name)] = struct{}{}
			agree = agree && source.Labels.Get(name) == a.Labels.Get(name)
		}
		if !agree || !r.Source.Matches(from) || !r.Target.Matches(to) || r.Source.Matches(to) && r.Target.Matches(from) {
			continue
		}
		return []*eventrecorderpb.InhibitRule{eventrecorder.InhibitRuleAsProto(r.Name, r.Source, r.Target, equal)}
	}
	return nil // the configuration has just changed
}

// cleared tells what has resolved once all its receivers know, which is when the group lets go of it.
func (c *chronicler) cleared(e router.GroupChanged) {
	rd := c.rounds[e.Group.ID]
	if rd == nil || !e.Deleted && !e.Group.Cleared.Equal(rd.at) {
		return
	}
	for _, a := range rd.resolved {
		c.tell(amnotify.NewAlertResolvedEvent(groupInfo(e.Group), upstreamAlert(a)))
	}
	rd.resolved = nil
	if e.Deleted {
		delete(c.rounds, e.Group.ID)
	}
}

func (c *chronicler) silenced(e router.SilenceChanged) {
	switch e.Action {
	case router.SilenceCreated:
		c.tell(eventrecorder.NewSilenceCreatedEvent(silenceAsProto(&e.Silence)))
	case router.SilenceUpdated:
		c.tell(eventrecorder.NewSilenceUpdatedEvent(silenceAsProto(&e.Silence)))
	}
}

// notified tells that a receiver was told of a group.
func (c *chronicler) notified(d engine.Delivery) {
	if d.Group == nil {
		return
	}
	n := d.Group.Notify()
	ctx := amnotify.WithGroupKey(c.ctx, n.Entry.GroupKey)
	ctx = amnotify.WithGroupLabels(ctx, labelSet(n.GroupLabels))
	ctx = amnotify.WithReceiverName(ctx, d.Receiver)
	ctx = amnotify.WithRepeatInterval(ctx, n.RepeatInterval)
	ctx = amnotify.WithNotificationReason(ctx, upstreamReason(n.Reason))
	ctx = amnotify.WithAggrGroupID(ctx, groupUUID(n.Group))
	ctx = amnotify.WithFiringAlerts(ctx, inOrder(n, n.Entry.Firing))
	ctx = amnotify.WithResolvedAlerts(ctx, inOrder(n, n.Entry.Resolved))

	c.mu.Lock()
	if r := c.routes[n.RouteID]; r != nil {
		ctx = amnotify.WithGroupMatchers(ctx, r.Matchers)
	}
	if rd := c.rounds[n.Group]; rd != nil && rd.at.Equal(n.At) {
		ctx = amnotify.WithFlushID(ctx, rd.flushes)
		ctx = amnotify.WithMutedAlerts(ctx, rd.quiet)
	}
	c.mu.Unlock()
	var sent []*alert.Alert
	for _, a := range n.Alerts {
		sent = append(sent, upstreamAlert(a))
	}
	c.tell(amnotify.NewNotificationEvent(ctx, sent, amnotify.NewIntegration(nil, nil, d.Integration, d.Index, d.Receiver)))
}

// inOrder are hashes in the order of the alerts they are of, as Alertmanager has them; in their own where not all of those
// alerts are told.
func inOrder(n router.Notify, hashes []uint64) []uint64 {
	var out []uint64
	for _, a := range n.Alerts {
		if _, in := slices.BinarySearch(hashes, a.Hash()); in {
			out = append(out, a.Hash())
		}
	}
	if len(out) < len(hashes) {
		return hashes
	}
	return out
}

// upstreamReason is Alertmanager's value for the reason, which has the same words.
func upstreamReason(r router.Reason) amnotify.NotifyReason {
	for reason := amnotify.ReasonDoNotNotify; reason < amnotify.ReasonUnknown; reason++ {
		if reason.String() == string(r) {
			return reason
		}
	}
	return amnotify.ReasonUnknown
}

func groupInfo(g router.Group) *eventrecorderpb.AlertGroupInfo {
	return &eventrecorderpb.AlertGroupInfo{
		GroupKey:     g.Key,
		GroupLabels:  eventrecorder.LabelSetAsProto(labelSet(g.Labels)),
		GroupId:      amnotify.Key(g.Key).Hash(),
		ReceiverName: g.Receiver,
	}
}

// groupUUID makes a UUID of a group's ID, which has as many digits. Unlike Alertmanager's it outlives a restart.
func groupUUID(id string) string {
	if len(id) != 32 {
		return id
	}
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

func silenceAsProto(s *router.Silence) *eventrecorderpb.Silence {
	out := &eventrecorderpb.Silence{
		Id: s.ID, CreatedBy: s.CreatedBy, Comment: s.Comment,
		StartsAt: timestamppb.New(s.StartsAt), EndsAt: timestamppb.New(s.EndsAt), UpdatedAt: timestamppb.New(s.UpdatedAt),
	}
	for _, set := range s.Matchers {
		var matchers []*eventrecorderpb.Matcher
		for _, m := range set {
			if lm, err := labels.NewMatcher(m.Type, m.Name, m.Value); err == nil { // it was compiled when it came
				matchers = append(matchers, eventrecorder.MatcherAsProto(lm))
			}
		}
		out.MatcherSets = append(out.MatcherSets, &eventrecorderpb.MatcherSet{Matchers: matchers})
	}
	if len(out.MatcherSets) > 0 {
		out.Matchers = out.MatcherSets[0].Matchers
	}
	return out
}

// A witness is a Sender that has the chronicler told of what arrived.
type witness struct {
	engine.Sender
	chronicler *chronicler
}

// Send sends.
func (w witness) Send(s engine.Send, done func(engine.Verdict)) {
	w.Sender.Send(s, func(v engine.Verdict) {
		if v.Outcome == engine.Delivered {
			w.chronicler.notified(s.Delivery)
		}
		done(v)
	})
}

// watching returns the sender, watched if there is somebody to tell.
func (c *chronicler) watching(s engine.Sender) engine.Sender {
	if c == nil {
		return s
	}
	return witness{s, c}
}
