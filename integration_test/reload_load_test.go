//go:build linux

package integration_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// crowdedConfig is as large as a company's: 50 routes, 20 inhibit rules, 11 receivers. One integration of hook-0 goes to hung,
// which has a minute to answer. changed is the same but for what must not matter.
func crowdedConfig(team, hung string, changed bool) string {
	var routes, receivers []string
	for n := range 10 {
		interval, second := "1s", ""
		if n == 0 {
			interval, second = "1m", fill(`, {url: "HUNG"}`, "HUNG", hung)
		}
		routes = append(routes, fill(crowdedRoute, "NUMBER", fmt.Sprint(n), "INTERVAL", interval))
		receivers = append(receivers, fill(crowdedReceiver, "NUMBER", fmt.Sprint(n), "TEAM", team, "SECOND", second))
	}
	if changed {
		slices.Reverse(receivers)
		routes = slices.Insert(routes, 0, "    - {receiver: default, matchers: ['team=\"none\"'], group_wait: 10m}\n")
	}
	var rules string
	for n := range 20 {
		rules += fill(crowdedRules[n%3], "NUMBER", fmt.Sprint(n), "TEAM", fmt.Sprint("team-", n%10))
	}
	return fill(crowdedRoot, "TEAM", team, "ROUTES", strings.Join(routes, ""), "RULES", rules, "RECEIVERS", strings.Join(receivers, ""))
}

const (
	crowdedRoot = `
route:
  receiver: default
  group_by: [alertname, cluster, service]
  group_wait: 2s
  group_interval: 1s
  repeat_interval: 4h
  routes:
ROUTESinhibit_rules:
RULESreceivers:
  - name: default
    webhook_configs: [{url: "TEAM"}]
RECEIVERS`

	crowdedRoute = `
    - receiver: hook-NUMBER
      matchers: ['team="team-NUMBER"']
      group_interval: INTERVAL
      routes:
        - {receiver: hook-NUMBER, matchers: ['severity="page"'], continue: true}
        - {receiver: hook-NUMBER, matchers: ['severity="critical"']}
        - {receiver: hook-NUMBER, matchers: ['service=~"svc-0[0-4].*|svc-1.*"']}
        - {receiver: hook-NUMBER, matchers: ['env!="prod"']}
`
	crowdedReceiver = `
  - name: hook-NUMBER
    webhook_configs: [{url: "TEAM"}SECOND]
`
)

// crowdedRules take turns.
var crowdedRules = []string{`
  - source_matchers: ['alertname="Crowd-0NUMBER"', 'severity="critical"']
    target_matchers: ['severity=~"warning|info"']
    equal: [cluster]
`, `
  - source_matchers: ['alertname="ClusterDown-NUMBER"']
    target_matchers: ['alertname!="ClusterDown-NUMBER"']
    equal: [cluster]
`, `
  - source_matchers: ['severity="page"', 'team="TEAM"']
    target_matchers: ['severity="info"', 'team="TEAM"']
    equal: [cluster, namespace, service]
`}

// crowd is 2,000 alerts in 100 groups, some of which inhibit others, as Prometheus sends them.
func crowd(since time.Time) []alert {
	var all []alert
	for n := range 2000 {
		g := n / 20
		a := instance(fmt.Sprintf("Crowd-%03d", g), n, since)
		maps.Copy(a.Labels, map[string]string{
			"team": fmt.Sprintf("team-%d", g%11), "cluster": fmt.Sprintf("cluster-%d", g%7), "service": fmt.Sprintf("svc-%03d", g*2),
			"namespace": "shop", "severity": []string{"page", "critical", "warning", "info"}[g%4], "env": []string{"prod", "staging"}[g%2],
		})
		a.EndsAt = time.Now().Add(5 * time.Minute)
		all = append(all, a)
	}
	down := instance("ClusterDown-4", 1, since)
	down.Labels["cluster"] = "cluster-6"
	return append(all, down)
}

// A newcomer is an alert that was first sent while the configuration was reloaded again and again.
type newcomer struct {
	group        string
	sent, stored time.Time
}

// Twenty reloads while Prometheus goes on sending, of a configuration that changes to and fro where it must not matter. Nobody hears of
// that, what is new is told in its time, and a receiver that hangs holds up nothing.
func TestReloadUnderLoad(t *testing.T) {
	const wait = 2 * time.Second // the group_wait
	// atOnce is how late something may be that must not be late. What hangs does so for six times as long.
	const atOnce = 10 * time.Second

	// What is to be told is what the real one tells.
	theirs, silent := chatter(t), chatter(t)
	silent.be(silent.hanging())
	am := newNode(t, "alertmanager", crowdedConfig(theirs.URL, silent.URL, false), "--cluster.listen-address=")
	am.launch(upstream(t, "alertmanager"))

	team, hung := chatter(t), chatter(t)
	hung.be(hung.hanging())
	m := newNode(t, "midwatch", crowdedConfig(team.URL, hung.URL, false), "--cluster.listen-address=")
	m.run(binary)
	am.ready()
	posted := time.Now()
	m.fire(crowd(posted)...)
	am.fire(crowd(time.Now())...) // what fires for longer than group_wait is told at once, a part of the group if need be
	told := alike(t, team, theirs)
	am.kill()
	var inhibited []alert
	decode(t, m.must(http.MethodGet, "/api/v2/alerts?active=false&silenced=false", ""), &inhibited)
	if len(inhibited) < 100 {
		t.Errorf("%d alerts are inhibited, which shows little", len(inhibited))
	}
	for _, s := range told {
		if late := s.At.Sub(posted.Add(wait)); late > atOnce {
			t.Errorf("%s was told %s late", s, late)
		}
	}
	if len(hung.got()) == 0 {
		t.Error("nothing hung, so nothing was shown")
	}

	load := m.resend(posted)
	var newcomers []newcomer
	var slowest time.Duration
	for round := range 20 {
		m.configure(crowdedConfig(team.URL, hung.URL, round%2 == 0))
		n := newcomer{group: fmt.Sprintf("New-%02d", round), sent: time.Now()}
		a := instance(n.group, 1, n.sent)
		a.Labels["team"] = fmt.Sprintf("team-%d", round%10) // of which 0 is told by what hangs, too
		m.fire(a)
		n.stored = time.Now()
		newcomers = append(newcomers, n)
		before := len(m.process.log.with("the configuration was reloaded"))
		began := time.Now()
		if round%3 == 0 {
			m.process.signal(t, syscall.SIGHUP)
		} else {
			m.must(http.MethodPost, "/-/reload", "")
		}
		await(t, "the reload", func() (string, bool) {
			return m.process.log.tail(5), len(m.process.log.with("the configuration was reloaded")) > before
		})
		slowest = max(slowest, time.Since(began))
	}
	var names []string
	for _, n := range newcomers {
		names = append(names, n.group+": 1 firing")
	}
	team.awaitTold(t, "what is new", names...)
	rounds := load()

	// Two flushes of a new group take longer than one of every old group.
	m.fire(instance("Later", 1, time.Now()))
	team.awaitTold(t, "a new group", "Later: 1 firing")
	m.fire(instance("Later", 2, time.Now()))
	team.awaitTold(t, "its second flush", "Later: 1 firing, 2 firing")

	said := team.tellings(t)
	extra := len(said) - len(told) - len(newcomers) - 2
	t.Logf("%d notifications of 2001 alerts, %d of them inhibited, as the real one tells", len(told), len(inhibited))
	t.Logf("20 reloads, the slowest of %s, while all were sent again %d times: %d notifications more than the %d of what was new",
		slowest.Round(time.Millisecond), rounds, extra, len(newcomers)+2)
	if extra != 0 || repeated(said) != 0 {
		t.Errorf("%d notifications too many, %d of which had been told before", extra, repeated(said))
	}
	for _, n := range newcomers {
		i := slices.IndexFunc(said, func(s telling) bool { return s.short() == n.group+": 1 firing" })
		if at := said[i].At; at.Before(n.sent.Add(wait)) || at.After(n.stored.Add(wait+atOnce)) {
			t.Errorf("%s was told %s after it was sent, want %s to %s", n.group, at.Sub(n.sent), wait, wait+atOnce)
		}
	}
}

// resend sends the crowd again and again, until the function that it returns is called, which says how often.
func (n *node) resend(since time.Time) (stop func() (rounds int)) {
	ctx, cancel := context.WithCancel(n.t.Context())
	var sending sync.WaitGroup
	var rounds int
	sending.Go(func() {
		for ; ctx.Err() == nil; rounds++ {
			for part := range slices.Chunk(crowd(since), 64) { // as Prometheus does
				status, answer, err := n.ask(http.MethodPost, "/api/v2/alerts", body(part...))
				if err != nil || status != http.StatusOK {
					n.t.Errorf("alerts sent again: %d %v %s", status, err, answer)
					return
				}
			}
		}
	})
	var once sync.Once
	stop = func() int {
		once.Do(func() { cancel(); sending.Wait() })
		return rounds
	}
	n.t.Cleanup(func() { stop() })
	return stop
}

// alike waits until both have been told the same, each thing as often, and hear nothing more. It returns what they were told.
func alike(t *testing.T, ours, theirs *endpoint) []telling {
	t.Helper()
	count := func(all []telling) map[string]int {
		n := map[string]int{}
		for _, s := range all {
			n[s.String()]++
		}
		return n
	}
	for deadline := time.Now().Add(patience); ; {
		before := len(theirs.got()) + len(ours.got())
		<-time.After(2 * time.Second) // groups speak every second, if they have something to say
		got, want := ours.tellings(t), theirs.tellings(t)
		differs := maps.Clone(count(want))
		for what, n := range count(got) {
			if differs[what] -= n; differs[what] == 0 {
				delete(differs, what)
			}
		}
		switch {
		case len(want) > 0 && len(differs) == 0 && len(got)+len(want) == before:
			return got
		case time.Now().After(deadline):
			t.Fatalf("they were not told the same; how much oftener by Alertmanager: %.5000s", pretty(differs))
		}
	}
}
