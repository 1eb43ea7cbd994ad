package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

// TestOracle runs random worlds through Alertmanager's own dispatcher, alert provider, stages and notification log, in
// virtual time, and through a Router. Every notification must be the same: instant, receiver, integration, group key,
// reason, outcome, and every alert in it; and so must the groups that both show meanwhile.
//
// MIDWATCH_LONG=1 runs ten times as many. MIDWATCH_SEED=n runs one, and prints it.
func TestOracle(t *testing.T) {
	if text := os.Getenv("MIDWATCH_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s := newScenario(seed)
		t.Log(s)
		if diff := compareWorlds(t, s, &tally{}); diff != "" {
			t.Fatal(diff)
		}
		return
	}
	scenarios := 2000
	switch {
	case os.Getenv("MIDWATCH_LONG") != "":
		scenarios = 20000
	case testing.Short():
		scenarios = 200
	}
	var seen tally
	t.Run("worlds", func(t *testing.T) {
		for part := range workers {
			t.Run(strconv.Itoa(part), func(t *testing.T) {
				t.Parallel()
				for seed := part; seed < scenarios; seed += workers {
					s := newScenario(uint64(seed))
					if diff := compareWorlds(t, s, &seen); diff != "" {
						s, diff = shrink(s, diff, func(s *scenario) string { return compareWorlds(t, s, &seen) })
						t.Fatalf("MIDWATCH_SEED=%d go test -run TestOracle ./router\n%s\n%s", seed, s, diff)
					}
				}
			})
		}
	})
	t.Logf("%d worlds; notifications by reason: %v", scenarios, seen.counts)
	for _, reason := range []Reason{First, NewAlerts, NewResolved, AllResolved, RepeatInterval} {
		if seen.counts[string(reason)] == 0 {
			t.Errorf("%q occurred in none of these worlds: they prove nothing about it", reason)
		}
	}
}

// workers is how many worlds there are at a time.
const workers = 4

// A tally counts Alertmanager's notifications by their reason.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[reason]++
}

// compareWorlds returns where the two differ, or "".
func compareWorlds(t *testing.T, s *scenario, seen *tally) string {
	var theirs []string
	synctest.Test(t, func(t *testing.T) { theirs = runUpstream(t, s, seen) })
	return difference(theirs, runRouter(s))
}

// difference prints what only one of the two has.
func difference(theirs, ours []string) string {
	slices.Sort(theirs)
	slices.Sort(ours)
	if slices.Equal(theirs, ours) {
		return ""
	}
	var b strings.Builder
	for len(theirs) > 0 || len(ours) > 0 {
		switch {
		case len(ours) == 0 || len(theirs) > 0 && theirs[0] < ours[0]:
			fmt.Fprintln(&b, "only Alertmanager:", theirs[0])
			theirs = theirs[1:]
		case len(theirs) == 0 || ours[0] < theirs[0]:
			fmt.Fprintln(&b, "only Midwatch:    ", ours[0])
			ours = ours[1:]
		default:
			theirs, ours = theirs[1:], ours[1:]
		}
	}
	return b.String()
}

// shrink leaves out events, outages and mutes for as long as the two still differ.
func shrink(s *scenario, diff string, compare func(*scenario) string) (*scenario, string) {
	try := func(change func(*scenario)) bool {
		smaller := *s
		change(&smaller)
		d := compare(&smaller)
		if d == "" {
			return false
		}
		s, diff = &smaller, d
		return true
	}
	try(func(s *scenario) { s.outages = nil })
	try(func(s *scenario) { s.mutes = nil })
	try(func(s *scenario) { s.delay = 0 })
	for size := max(len(s.events)/2, 1); size > 0; size /= 2 {
		for at := 0; at+size <= len(s.events); {
			if !try(func(s *scenario) { s.events = slices.Delete(slices.Clone(s.events), at, at+size) }) {
				at += size
			}
		}
	}
	return s, diff
}

// checked says after which reports the groups are compared.
func (e event) checked() bool { return e.at/time.Millisecond%9 == 0 }

// runUpstream is the world as Alertmanager has it. It must be called in a bubble.
func runUpstream(t *testing.T, s *scenario, seen *tally) []string {
	var (
		reg      = prometheus.NewRegistry()
		logger   = slog.New(slog.DiscardHandler)
		recorder eventrecorder.Recorder
		stopped  = make(chan struct{})
		told     = &recording{s: s, seen: seen}
		metrics  = notify.NewMetrics(reg, featurecontrol.NoopFlags{})
	)
	if !time.Now().Equal(began) {
		t.Fatalf("the bubble began at %s", time.Now())
	}
	alerts, err := mem.NewAlerts(t.Context(), s.forget, 0, nil, logger, recorder, reg, featurecontrol.NoopFlags{})
	if err != nil {
		t.Fatal(err)
	}
	log, err := nflog.New(nflog.Options{Retention: s.retention, Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	go log.Maintenance(s.sweep, "", stopped, nil)

	stage := notify.RoutingStage{}
	muted := notify.NewMuteStage(notify.MuteFunc(func(_ context.Context, l model.LabelSet) bool {
		return s.muted(func(name string) string { return string(l[model.LabelName(name)]) }, time.Since(began))
	}), metrics)
	for _, receiver := range []string{"one", "two", "three"} {
		var fanout notify.FanoutStage
		for _, i := range s.receivers[receiver] {
			var (
				n    = told.notifier(receiver, i)
				in   = notify.NewIntegration(n, n, i.Name, i.Index, receiver)
				recv = &nflogpb.Receiver{GroupName: receiver, Integration: i.Name, Idx: uint32(i.Index)}
			)
			fanout = append(fanout, notify.MultiStage{
				notify.NewDedupStage(&in, log, recv),
				notify.NewRetryStage(in, receiver, metrics, recorder),
				notify.NewSetNotifiesStage(log, recv),
			})
		}
		stage[receiver] = notify.MultiStage{muted, fanout}
	}
	timeout := func(d time.Duration) time.Duration { return max(d, notify.MinTimeout) }
	d := dispatch.NewDispatcher(alerts, dispatch.NewRoute(s.root, nil), stage, marker.NewGroupMarker(), timeout,
		30*time.Second, nil, logger, recorder, nil, nil)
	go d.Run(began.Add(s.delay))
	d.WaitForLoading()
	synctest.Wait()

	for _, e := range s.events {
		time.Sleep(time.Until(began.Add(e.at)))
		now := time.Now()
		a := e.alert()
		a.Complete(now, 5*time.Minute) // as Alertmanager's API does before it puts
		if err := alerts.Put(t.Context(), upstreamAlert(a)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if e.checked() {
			told.groups(t, d)
		}
	}
	time.Sleep(time.Until(began.Add(s.end)))
	synctest.Wait()
	d.Stop()
	alerts.Close()
	close(stopped)
	return told.lines
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
	l.fill(m)
	return m
}

// recording writes down what Alertmanager's integrations were given.
type recording struct {
	s     *scenario
	seen  *tally
	mu    sync.Mutex
	lines []string
}

type notifier struct {
	*recording
	receiver string
	Integration
}

func (r *recording) notifier(receiver string, i Integration) notifier {
	return notifier{r, receiver, i}
}

func (n notifier) SendResolved() bool { return n.Integration.SendResolved }

func (n notifier) Notify(ctx context.Context, alerts ...*alert.Alert) (bool, error) {
	var (
		key, _    = notify.GroupKey(ctx)
		reason, _ = notify.NotificationReason(ctx)
		at        = time.Since(began)
		ok        = n.s.works(n.receiver, n.Name, n.Index, at)
		texts     []string
	)
	for _, a := range alerts {
		texts = append(texts, alertLine(a.Labels.String(), a.Annotations.String(), a.StartsAt, a.EndsAt, a.UpdatedAt, a.Timeout))
	}
	n.seen.add(reason.String())
	n.write(notifyLine(at, n.receiver, n.Integration, key, reason.String(), ok, texts))
	if !ok {
		return false, errors.New("unreachable")
	}
	return false, nil
}

func (r *recording) groups(t *testing.T, d *dispatch.Dispatcher) {
	groups, _, err := d.Groups(t.Context(), func(*dispatch.Route) bool { return true }, func(*alert.Alert, time.Time) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		var texts []string
		for _, a := range g.Alerts {
			texts = append(texts, alertLine(a.Labels.String(), a.Annotations.String(), a.StartsAt, a.EndsAt, a.UpdatedAt, a.Timeout))
		}
		r.write(groupLine(time.Since(began), g.RouteID, g.GroupKey, g.Receiver, texts))
	}
}

func (r *recording) write(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

func notifyLine(at time.Duration, receiver string, i Integration, key, reason string, ok bool, alerts []string) string {
	return fmt.Sprintf("%010.6f %s/%s/%d %s %q ok=%v\n    %s", at.Seconds(), receiver, i.Name, i.Index, key, reason, ok,
		strings.Join(alerts, "\n    "))
}

func groupLine(at time.Duration, routeID, key, receiver string, alerts []string) string {
	return fmt.Sprintf("%010.6f group %s %s %s\n    %s", at.Seconds(), routeID, key, receiver, strings.Join(alerts, "\n    "))
}

func alertLine(labels, annotations string, starts, ends, updated time.Time, timeout bool) string {
	status := "until " + ends.UTC().Format("15:04:05.000")
	if ends.IsZero() {
		status = "firing"
	}
	return fmt.Sprintf("%s %s since %s %s, updated %s, timeout=%v", labels, annotations, starts.UTC().Format("01-02T15:04:05.000"), status,
		updated.UTC().Format("15:04:05.000"), timeout)
}

// runRouter is the same world as a Router has it.
func runRouter(s *scenario) []string {
	d := newDriver(s)
	for _, e := range s.events {
		d.until(e.at)
		d.report(e)
		if e.checked() {
			d.groups()
		}
	}
	d.until(s.end)
	return d.lines
}
