package engine

import (
	"context"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// A measured engine runs in a bubble with Alertmanager's metrics. Everything that is sent has the outcome of post.auto.
type measured struct {
	*shell
	reg *prometheus.Registry
}

// measure starts one. Disk is kept quiet by Node, and two alerts of a name may fire.
func measure(t *testing.T, l MetricLabels) *measured {
	t.Helper()
	cfg := house(func(c *Config) {
		equal := func(name, value string) labels.Matchers {
			return labels.Matchers{{Type: labels.MatchEqual, Name: name, Value: value}}
		}
		c.Routing.Inhibit = []router.InhibitRule{{Source: equal("alertname", "Node"), Target: equal("alertname", "Disk"), Equal: []string{"host"}}}
		c.Routing.AlertnameLimit = 2
	})
	delivered := Delivered
	m := &measured{reg: prometheus.NewRegistry(), shell: &shell{T: t, post: &postOffice{auto: &delivered}, ended: make(chan error, 1)}}
	from := time.Now()
	e, err := Start(t.Context(), Options{
		Store: store.NewMemory(), Config: cfg, Sender: m.post,
		Now: func() Instant { return Instant{Wall: time.Now(), Elapsed: time.Since(from)} },
	})
	if err != nil {
		t.Fatal(err)
	}
	m.e = e
	e.MeasureUpstream(m.reg, l)
	e.MeasureReceivers(cfg.Routing.Receivers)
	ctx, stop := context.WithCancel(t.Context())
	m.stop = stop
	t.Cleanup(stop)
	go func() { m.ended <- e.Run(ctx) }()
	synctest.Wait()
	return m
}

// values are the metrics that are not 0, by what is behind alertmanager_ and the values of their labels. Of a histogram it
// is how many were observed.
func (m *measured) values() map[string]float64 {
	m.Helper()
	families, err := m.reg.Gather()
	if err != nil {
		m.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "alertmanager_")
			for _, l := range one.GetLabel() {
				name += " " + l.GetValue()
			}
			if v := one.GetGauge().GetValue() + one.GetCounter().GetValue() + float64(one.GetHistogram().GetSampleCount()); v != 0 {
				all[name] = v
			}
		}
	}
	return all
}

func (m *measured) expect(want map[string]float64) {
	m.Helper()
	if got := m.values(); !maps.Equal(got, want) {
		for name, v := range got {
			if want[name] != v {
				m.Errorf("%s is %v, want %v", name, v, want[name])
			}
		}
		for name, v := range want {
			if _, there := got[name]; !there {
				m.Errorf("%s is missing, want %v", name, v)
			}
		}
	}
}

func (m *measured) tell(pairs ...string) {
	m.Helper()
	if err := m.fire(append(pairs, "team", "plain")...); err != nil {
		m.Fatal(err)
	}
}

func (m *measured) hush(alertname string) {
	m.Helper()
	a := m.e.Do(m.Context(), SetSilence{Silence: router.Silence{
		Matchers: []router.MatcherSet{{{Name: "alertname", Type: labels.MatchEqual, Value: alertname}}},
		StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour),
	}})
	if a.Err != nil {
		m.Fatal(a.Err)
	}
}

// TestAlertmanagersMetricsCount what receivers are told, what is kept from them and why, and what fires.
func TestAlertmanagersMetricsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := measure(t, MetricLabels{})
		m.expect(map[string]float64{"alerts_per_alert_limit": 2})
		m.hush("Noise")
		m.tell("alertname", "Node", "host", "a")
		m.tell("alertname", "Disk", "host", "a")
		m.tell("alertname", "Disk", "host", "b")
		m.tell("alertname", "Disk", "host", "c") // past the limit
		m.tell("alertname", "Noise")
		if err := m.fire("alertname", "Lag", "team", "both"); err != nil { // goes to two receivers, and is one alert
			t.Fatal(err)
		}
		m.pass(31 * time.Second)
		m.expect(map[string]float64{
			"alerts_per_alert_limit": 2, "alerts_limited_total": 1,
			"alerts active": 3, "alerts suppressed": 2, "dispatcher_aggregation_groups": 5,
			"notifications_total board": 3, "notification_requests_total board": 3, "notification_latency_seconds board": 3,
			"notifications_total hook": 3, "notification_requests_total hook": 3, "notification_latency_seconds hook": 3,
			"notifications_suppressed_total silence": 1, "notifications_suppressed_total inhibition": 1,
		})
	})
}

// TestFailedNotificationsAreCounted once, however often they were tried.
func TestFailedNotificationsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := measure(t, MetricLabels{Receivers: true})
		retry := Retry
		m.post.auto = &retry
		m.tell("alertname", "Lag")
		m.pass(31 * time.Second)
		m.pass(4 * time.Minute)
		got := m.values()
		tries := got["notification_requests_total board plain"]
		if tries < 5 || got["notification_requests_failed_total board plain"] != tries || got["notifications_total board plain"] != 1 {
			t.Errorf("while it is tried: %v", got)
		}
		if got["notifications_failed_total board other plain"] != 0 {
			t.Error("it was given up before its time")
		}
		m.pass(2 * time.Minute) // past the group_interval: it is given up, and begun again
		if got := m.values(); got["notifications_failed_total board other plain"] != 1 || got["notifications_total board plain"] != 2 {
			t.Errorf("after it was given up: %v", got)
		}
	})
}

// TestANotificationFailsForTheReasonOfItsLastAttempt, and one that arrives leaves none behind.
func TestANotificationFailsForTheReasonOfItsLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := measure(t, MetricLabels{})
		up := m.e.stats.upstream
		for i, c := range []struct {
			verdicts []Verdict
			want     string
		}{
			{[]Verdict{{Outcome: Retry, Reason: "serverError"}, {Outcome: Failed, Reason: "authError"}}, "authError"},
			{[]Verdict{{Outcome: Retry}}, "other"},
			{[]Verdict{{Outcome: Retry, Reason: "serverError"}, {Outcome: Delivered}}, ""},
		} {
			key := string(rune('a' + i))
			for n, v := range c.verdicts {
				up.attempted(Delivery{Key: key, Integration: "board", Receiver: "plain", Attempts: n}, v)
			}
			if c.want == "" {
				continue
			}
			up.happened(incident.Event{Kind: incident.PageFailed, Key: key, Receiver: "plain", Via: "board"})
			if got := m.values()["notifications_failed_total board "+c.want]; got != 1 {
				t.Errorf("%v failed for no %s: %v", c.verdicts, c.want, m.values())
			}
		}
		if len(up.why) != 0 {
			t.Errorf("reasons are left: %v", up.why)
		}
	})
}

// TestReceiversThatAreToldApartBeginAnew with each configuration, as in Alertmanager.
func TestReceiversThatAreToldApartBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := measure(t, MetricLabels{Receivers: true})
		m.tell("alertname", "Lag")
		m.pass(31 * time.Second)
		if got := m.values(); got["notifications_total board plain"] != 1 {
			t.Errorf("%v", got)
		}
		m.e.MeasureReceivers(map[string][]router.Integration{"new": {{Name: "webhook"}}})
		families, err := m.reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			n := len(f.GetMetric())
			switch f.GetName() {
			case "alertmanager_notifications_total", "alertmanager_notification_requests_total",
				"alertmanager_notification_requests_failed_total", "alertmanager_notification_latency_seconds":
				if n != 1 || f.GetMetric()[0].GetLabel()[1].GetValue() != "new" {
					t.Errorf("%s: %v", f.GetName(), f.GetMetric())
				}
			case "alertmanager_notifications_failed_total":
				if n != len(reasons) {
					t.Errorf("%s: %v", f.GetName(), f.GetMetric())
				}
			}
		}
	})
}

// TestGroupsAndNamesAreToldApart where somebody asked for it.
func TestGroupsAndNamesAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := measure(t, MetricLabels{GroupKeys: true, AlertNames: true})
		m.hush("Noise")
		for _, host := range []string{"a", "b", "c"} {
			m.tell("alertname", "Lag", "host", host)
		}
		m.tell("alertname", "Noise", "host", "a")
		m.tell("alertname", "Noise", "host", "b")
		m.expect(map[string]float64{
			"alerts_per_alert_limit": 2, "alerts_limited_total Lag": 1, "dispatcher_aggregation_groups": 2,
			`alerts {}/{team="plain"}:{alertname="Lag"} active`: 2, `alerts {}/{team="plain"}:{alertname="Noise"} suppressed`: 2,
		})
	})
}
