package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/heartbeat"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// listening is a heartbeat of the alert Watchdog of a cluster: every minute, and two more.
func listening(name, cluster string) Heartbeat {
	return Heartbeat{
		Name: name, Every: time.Minute, Grace: 2 * time.Minute, Policy: "two", Severity: "sev2",
		Source: "cluster=" + cluster, Alert: "Watchdog",
		Match: func(l router.Labels) bool { return l.Get("alertname") == "Watchdog" && l.Get("cluster") == cluster },
	}
}

func pinged(name string) Heartbeat {
	return Heartbeat{Name: name, Every: time.Hour, Grace: 10 * time.Minute, Policy: "two", Severity: "sev3", Source: "ping"}
}

func hearing(list ...Heartbeat) *Config {
	return house(func(cfg *Config) { cfg.Heartbeats = list })
}

// watchdog makes a cluster's Prometheus send its Watchdog. It goes to a receiver that pages nobody.
func (w *world) watchdog(cluster string) {
	w.fire("alertname", "Watchdog", "cluster", cluster, "team", "plain")
}

// dies is the end of a Prometheus: it says nothing any more, not even that its alerts are over.
func (w *world) dies(cluster string) {
	i := w.find(set("alertname", "Watchdog", "cluster", cluster, "team", "plain"))
	w.sources = slices.Delete(w.sources, i, i+1)
}

func (w *world) ping(p Ping) Answer {
	answers := w.turn(p)
	if answers == nil {
		return Answer{Err: errCrash}
	}
	w.settle()
	return answers[0]
}

// hearts says of each heartbeat where it stands.
func (w *world) hearts() string {
	var out []string
	for _, v := range w.e.Heartbeats() {
		words := []string{v.Name, string(v.State)}
		if v.Incident != "" {
			words = append(words, v.Incident)
		}
		out = append(out, strings.Join(words, " "))
	}
	return strings.Join(out, ", ")
}

// reasons is the history of incidents with reasons and texts, without what was sent.
func (w *world) reasons() string {
	var b strings.Builder
	events, err := w.e.Audit(ctx(), 0, 1<<30)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	for _, e := range events {
		if e.Incident == "" || e.Kind == incident.Paged || e.Kind == incident.Notification {
			continue
		}
		fmt.Fprintf(&b, "%s %s %s %s", e.At.Sub(w.start), e.Kind, e.Incident, e.Severity)
		for _, s := range []string{e.Text, e.Reason} {
			if s != "" {
				b.WriteString(" | " + s)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestASilentPrometheusOpensAnIncident(t *testing.T) {
	w := newWorld(t, hearing(listening("prom", "main")), 1)
	w.run(90 * time.Second)
	w.watchdog("main")
	w.run(10*time.Minute + 45*time.Second)
	if got := w.hearts(); got != "prom fine" {
		t.Fatalf("while it is heard: %s", got)
	}
	w.dies("main") // last heard at 10m30s
	w.run(13*time.Minute + 29*time.Second)
	if got := w.hearts(); got != "prom fine" {
		t.Fatalf("a second before it is late: %s", got)
	}
	w.run(15 * time.Minute)
	if got := w.hearts(); got != "prom late INC-1" {
		t.Fatalf("when it is late: %s", got)
	}
	w.run(20*time.Minute + 10*time.Second)
	w.watchdog("main")
	w.run(21 * time.Minute)
	same(t, w.reasons(), `
13m30s incident_opened INC-1 sev2 | Heartbeat prom not heard for 3m | heartbeat prom: it was not heard for 3m; it is expected every 1m, and may be late by 2m
20m10s resolved INC-1  | heartbeat prom: it was heard again after 9m40s`)
	same(t, w.story(incident.Paged), `
13m30s page INC-1 ana chat 1.1
18m30s page INC-1 bo mail 2.1`)
	if got := w.hearts(); got != "prom fine" {
		t.Errorf("afterwards: %s", got)
	}
}

// A Prometheus that comes back while its alert still counts as firing sends a repeat, and of repeats nobody tells the
// engine.
func TestARepeatEndsTheIncident(t *testing.T) {
	w := newWorld(t, hearing(listening("prom", "main")), 1)
	w.watchdog("main")
	w.dies("main")
	w.run(3*time.Minute + 20*time.Second) // late since 3m; the alert fires until 4m
	if !w.post(&router.Alert{Labels: set("alertname", "Watchdog", "cluster", "main", "team", "plain"), StartsAt: night, EndsAt: w.wall().Add(4 * time.Minute)}) {
		t.Fatal("the repeat was not taken")
	}
	w.run(4 * time.Minute)
	same(t, w.story(incident.Opened, incident.ResolvedEvent), `
3m0s incident_opened INC-1 sev2
3m25s resolved INC-1`)
	if v := w.e.Heartbeats()[0]; !v.Last.Equal(night.Add(200*time.Second)) || !v.Due.Equal(night.Add(380*time.Second)) {
		t.Errorf("last heard at %s, due at %s", v.Last, v.Due)
	}
}

// An alert that resolves was heard for the last time then.
func TestAResolvedAlertIsNoBeatAnyMore(t *testing.T) {
	w := newWorld(t, hearing(listening("prom", "main")), 1)
	w.watchdog("main")
	w.run(90 * time.Second)
	w.resolve("alertname", "Watchdog", "cluster", "main", "team", "plain")
	w.run(10 * time.Minute)
	same(t, w.story(incident.Opened), "4m30s incident_opened INC-1 sev2")
}

// Nor is one that had ended before anybody heard of it.
func TestAnAlertThatIsOverIsNoBeat(t *testing.T) {
	w := newWorld(t, hearing(listening("prom", "main")), 1)
	w.run(5 * time.Minute)
	over := &router.Alert{Labels: set("alertname", "Watchdog", "cluster", "main", "team", "plain"), StartsAt: night, EndsAt: night.Add(time.Minute)}
	for range 2 {
		if !w.post(over) {
			t.Fatal("it was not taken")
		}
		w.run(w.elapsed + 3*time.Minute)
		over = &router.Alert{Labels: over.Labels, StartsAt: night, EndsAt: night.Add(2 * time.Minute)} // and now it ended later
	}
	same(t, w.story(incident.Opened, incident.ResolvedEvent), "3m0s incident_opened INC-1 sev2")
}

// Restart upon restart is no silence while the alert is heard between them.
func TestRestartsInARow(t *testing.T) {
	w := newWorld(t, hearing(listening("prom", "main")), 1)
	w.watchdog("main")
	w.run(2 * time.Minute)
	for range 4 * heartbeat.MaxExcused {
		w.crash(10 * time.Minute)
		w.run(w.elapsed + 12*time.Minute)
	}
	same(t, w.story(incident.Opened), "")
}

func TestAmongManyAlertsOneIsEnough(t *testing.T) {
	every := listening("any", "")
	every.Alert, every.Match = "", func(l router.Labels) bool { return l.Get("severity") == "none" }
	w := newWorld(t, hearing(every), 1)
	for i := range 3 * maxHeartSources {
		w.fire("alertname", fmt.Sprintf("A%d", i), "severity", "none", "team", "plain")
	}
	w.run(10 * time.Minute)
	for len(w.sources) > 1 { // all but one, which is none of those that are remembered
		w.sources = slices.Delete(w.sources, 1, 2)
	}
	w.run(30 * time.Minute)
	if got := w.hearts(); got != "any fine" {
		t.Errorf("with one left: %s", got)
	}
	w.sources = nil
	w.run(40 * time.Minute)
	same(t, w.story(incident.Opened), "33m0s incident_opened INC-1 sev2")
}

func TestAPingedHeartbeat(t *testing.T) {
	w := newWorld(t, hearing(pinged("backup"), listening("prom", "main")), 1)
	w.run(time.Hour)
	if a := w.ping(Ping{Name: "backup"}); a.Err != nil {
		t.Fatal(a.Err)
	}
	w.crash(0) // what was answered is on disk
	w.run(2*time.Hour + 10*time.Minute)
	w.run(2*time.Hour + 11*time.Minute)
	w.ping(Ping{Name: "backup", Failed: true, Said: "exit status 3\n\x1b[31mpg_dump: no space"})
	w.run(2*time.Hour + 20*time.Minute)
	w.ping(Ping{Name: "backup"})
	w.run(3 * time.Hour)
	w.ping(Ping{Name: "backup", Failed: true})
	var refused *Error
	for _, name := range []string{"prom", "nobody"} {
		if a := w.ping(Ping{Name: name}); !errors.As(a.Err, &refused) || refused.Code != "not_found" {
			t.Errorf("a ping of %s: %v", name, a.Err)
		}
	}
	got := strings.Join(slices.DeleteFunc(strings.Split(w.reasons(), "\n"), func(s string) bool { return strings.Contains(s, "heartbeat prom") || strings.Contains(s, "INC-1") }), "\n")
	same(t, got, `
2h10m0s incident_opened INC-2 sev3 | Heartbeat backup not heard for 1h10m | heartbeat backup: it was not heard for 1h10m; it is expected every 1h, and may be late by 10m
2h11m0s note INC-2  | heartbeat backup: it said that it failed: exit status 3 [31mpg_dump: no space
2h20m0s resolved INC-2  | heartbeat backup: it was heard again, and said nothing of a failure
3h0m0s incident_opened INC-3 sev3 | Heartbeat backup failed: no words | heartbeat backup: it said that it failed: no words`)
}

func TestItComesBackWithinTheReopenWindow(t *testing.T) {
	w := newWorld(t, hearing(pinged("backup")), 1)
	w.ping(Ping{Name: "backup", Failed: true})
	w.run(time.Minute)
	w.ping(Ping{Name: "backup"})
	w.run(2 * time.Minute)
	w.ping(Ping{Name: "backup", Failed: true, Said: "exit status 1"})
	same(t, w.story(incident.Opened, incident.Reopened, incident.ResolvedEvent), `
0s incident_opened INC-1 sev3
1m0s resolved INC-1
2m0s incident_reopened INC-1 sev3`)
}

// Resolved by hand while it is silent, an incident stays so until it was heard once.
func TestResolvedByHandItStaysSo(t *testing.T) {
	w := newWorld(t, hearing(pinged("backup")), 1)
	w.ping(Ping{Name: "backup", Failed: true})
	w.must(Action{Verb: Resolve, Incident: "INC-1", By: "ana"})
	w.run(30 * time.Minute)
	w.crash(0)
	w.run(40 * time.Minute)
	w.ping(Ping{Name: "backup", Failed: true})
	if got := w.story(incident.Opened, incident.Reopened); strings.Count(got, "INC") != 1 {
		t.Errorf("it did not stay resolved:\n%s", got)
	}
	w.ping(Ping{Name: "backup"})
	w.ping(Ping{Name: "backup", Failed: true})
	same(t, w.story(incident.Opened, incident.Reopened), `
0s incident_opened INC-1 sev3
40m0s incident_opened INC-2 sev3`)
}

// threeClusters are watched, heard, and 20 s apart.
func threeClusters(t *testing.T, change ...func(*Config)) *world {
	cfg := hearing(listening("prom-a", "a"), listening("prom-b", "b"), listening("prom-c", "c"), pinged("backup"))
	for _, c := range change {
		c(cfg)
	}
	w := newWorld(t, cfg, 1)
	for i, cluster := range []string{"a", "b", "c"} {
		w.run(time.Duration(i) * 20 * time.Second)
		w.watchdog(cluster)
	}
	w.run(10 * time.Minute)
	return w
}

func TestAllSilentIsOneIncident(t *testing.T) {
	w := threeClusters(t, func(cfg *Config) { cfg.BlindPolicy = "crew" })
	w.run(10*time.Minute + 30*time.Second)
	for _, cluster := range []string{"a", "b", "c"} {
		w.dies(cluster)
	}
	w.run(20 * time.Minute)
	if got := w.hearts(); got != "prom-a late INC-1, prom-b late INC-1, prom-c late INC-1, backup new" {
		t.Errorf("all silent: %s", got)
	}
	if got := w.is(1); got.Title != blindTitle || got.Severity != "sev1" || got.Policy != "crew" {
		t.Errorf("%+v", got)
	}
	w.watchdog("b")
	w.run(21 * time.Minute)
	if got := w.hearts(); got != "prom-a late INC-1, prom-b fine, prom-c late INC-1, backup new" {
		t.Errorf("one is heard again: %s", got)
	}
	w.dies("b") // and it is lost again: it joins
	w.run(25 * time.Minute)
	for _, cluster := range []string{"a", "b", "c"} {
		w.run(w.elapsed + 10*time.Second)
		w.watchdog(cluster)
	}
	same(t, w.reasons(), `
13m20s incident_opened INC-1 sev1 | Monitoring is blind: no heartbeat arrives | none of 3 heartbeats is heard: prom-a (not heard for 3m), prom-b (not heard for 3m), prom-c (not heard for 3m)
20m0s note INC-1  | heartbeat prom-b: it was heard again after 9m40s; still silent: prom-a, prom-c
24m0s note INC-1  | heartbeat prom-b: it was not heard for 3m; it is expected every 1m, and may be late by 2m | joined
25m10s note INC-1  | heartbeat prom-a: it was heard again after 15m10s; still silent: prom-b, prom-c
25m20s note INC-1  | heartbeat prom-b: it was heard again after 4m20s; still silent: prom-c
25m30s resolved INC-1  | heartbeat prom-c: it was heard again after 15m50s; it was the last`)
}

// One that is silent alone is told of at once, and the last of them makes all of them blind.
func TestOneAfterTheOther(t *testing.T) {
	w := threeClusters(t)
	w.dies("a")
	w.run(15 * time.Minute)
	w.dies("b")
	w.run(20 * time.Minute)
	w.dies("c")
	w.run(25 * time.Minute)
	if got := w.hearts(); got != "prom-a late INC-1, prom-b late INC-2, prom-c late INC-3, backup new" {
		t.Errorf("all silent: %s", got)
	}
	same(t, w.story(incident.Opened), `
13m0s incident_opened INC-1 sev2
17m20s incident_opened INC-2 sev2
22m40s incident_opened INC-3 sev1`)
	if got := w.is(3); got.Policy != "two" {
		t.Errorf("the policy is %q, want that of the first that fell silent", got.Policy)
	}
	w.watchdog("a")
	w.watchdog("b")
	w.watchdog("c")
	same(t, w.story(incident.ResolvedEvent), `
25m0s resolved INC-1
25m0s resolved INC-2
25m0s resolved INC-3`)
}

// While it is not known whether the others fell silent with it, one waits for them, and not for long.
func TestItDoesNotWaitForEver(t *testing.T) {
	w := threeClusters(t, func(cfg *Config) {
		for i := range cfg.Heartbeats {
			if cfg.Heartbeats[i].Name == "prom-c" { // nothing can be said about it before an hour has passed
				cfg.Heartbeats[i].Every, cfg.Heartbeats[i].Grace = time.Hour, 0
			}
		}
	})
	w.run(10*time.Minute + 45*time.Second)
	for _, cluster := range []string{"a", "b", "c"} {
		w.dies(cluster)
	}
	w.run(20 * time.Minute)
	same(t, w.story(incident.Opened), `
15m0s incident_opened INC-1 sev2
15m20s incident_opened INC-2 sev2`)
}

func TestNothingIsLateBecauseMidwatchWasAway(t *testing.T) {
	w := threeClusters(t)
	w.ping(Ping{Name: "backup"})
	w.crash(3 * time.Hour)
	for _, cluster := range []string{"a", "b", "c"} {
		w.dies(cluster)
	}
	w.run(3*time.Hour + 12*time.Minute + 59*time.Second)
	if got := w.story(incident.Opened); got != "" {
		t.Errorf("within 3m of the start:\n%s", got)
	}
	w.run(3*time.Hour + 13*time.Minute)
	if got := w.hearts(); got != "prom-a late INC-1, prom-b late INC-1, prom-c late INC-1, backup fine" {
		t.Errorf("then: %s", got)
	}
	w.run(4*time.Hour + 30*time.Minute) // the backup's time began anew at 3h10m
	same(t, w.story(incident.Opened), `
3h13m0s incident_opened INC-1 sev1
4h20m0s incident_opened INC-2 sev3`)
}

func TestTheClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		w := newWorld(t, hearing(listening("prom", "main"), pinged("backup")), 1)
		w.watchdog("main")
		w.ping(Ping{Name: "backup"})
		w.run(10 * time.Minute)
		w.jump(by)
		w.run(20 * time.Minute)
		w.dies("main") // last heard at 20m
		w.run(75 * time.Minute)
		var opened []string
		for _, n := range []int{1, 2} {
			opened = append(opened, w.is(n).OpenedAt.Sub(w.start.Add(w.jumped)).String())
		}
		if got := strings.Join(opened, " "); got != "23m0s 1h10m0s" {
			t.Errorf("set by %s, incidents opened at %s", by, got)
		}
	}
}

func TestSilencesHoldForHeartbeats(t *testing.T) {
	w := newWorld(t, hearing(pinged("backup"), pinged("other")), 1)
	silence := func(matcher string, length time.Duration) {
		t.Helper()
		ms, err := router.ParseMatchers([]string{matcher}, "test")
		if err != nil {
			t.Fatal(err)
		}
		a := w.turn(SetSilence{Silence: router.Silence{Matchers: []router.MatcherSet{ms}, StartsAt: w.wall(), EndsAt: w.wall().Add(length), CreatedBy: "ana", Comment: "moving house"}})
		if a[0].Err != nil {
			t.Fatal(a[0].Err)
		}
		w.settle()
	}
	silence(`heartbeat="backup"`, 30*time.Minute)
	w.ping(Ping{Name: "backup", Failed: true})
	w.run(10 * time.Minute)
	if got := w.hearts(); got != "backup late, other new" {
		t.Errorf("silenced: %s", got)
	}
	w.ping(Ping{Name: "other", Failed: true}) // this one is open when it is silenced
	silence(`alertname="HeartbeatLate"`, 15*time.Minute)
	w.run(time.Hour)
	same(t, w.story(incident.Opened, incident.Paged), `
10m0s incident_opened INC-1 sev3
10m0s page INC-1 ana chat 1.1
25m0s page INC-1 bo mail 2.1
30m0s incident_opened INC-2 sev3
30m0s page INC-2 ana chat 1.1
35m0s page INC-1 cto phone
35m0s page INC-2 bo mail 2.1
45m0s page INC-2 cto phone`)
}

func TestAReloadAddsAndRemoves(t *testing.T) {
	w := newWorld(t, hearing(pinged("backup"), pinged("moved")), 1)
	w.ping(Ping{Name: "backup", Failed: true})
	w.ping(Ping{Name: "moved", Failed: true})
	w.run(time.Minute)
	listens := listening("moved", "main")
	w.cfg = hearing(listens, pinged("new"))
	w.turn(Reload{Config: w.cfg})
	if got := w.hearts(); got != "moved new, new new" {
		t.Errorf("after the reload: %s", got)
	}
	w.crash(0)
	if got := w.hearts(); got != "moved new, new new" {
		t.Errorf("after a restart: %s", got)
	}
	listens.Paused = true
	w.cfg = hearing(listens, pinged("new"))
	w.turn(Reload{Config: w.cfg})
	w.run(time.Hour)
	if got := w.hearts(); got != "moved paused, new new" {
		t.Errorf("paused: %s", got)
	}
	same(t, w.reasons(), `
0s incident_opened INC-1 sev3 | Heartbeat backup failed: no words | heartbeat backup: it said that it failed: no words
0s incident_opened INC-2 sev3 | Heartbeat moved failed: no words | heartbeat moved: it said that it failed: no words
1m0s resolved INC-2  | heartbeat moved: it listens to something else now, by the configuration
1m0s resolved INC-1  | heartbeat backup: it is no longer in the configuration`)
}

// One that is watched from now on knows what fires already.
func TestAReloadHearsWhatFires(t *testing.T) {
	w := newWorld(t, hearing(), 1)
	w.watchdog("main")
	w.run(10 * time.Minute)
	w.turn(Reload{Config: hearing(listening("prom", "main"))})
	if got := w.hearts(); got != "prom fine" {
		t.Errorf("after the reload: %s", got)
	}
	w.dies("main")
	w.run(20 * time.Minute)
	same(t, w.story(incident.Opened), "13m0s incident_opened INC-1 sev2")
}

// What a channel, a page and the API show of such an incident is an alert of its own.
func TestTheIncidentHasAnAlertToShow(t *testing.T) {
	h := pinged("backup")
	h.Labels, h.Annotations = map[string]string{"cluster": "main"}, map[string]string{"runbook_url": "https://runbooks.example/backup"}
	w := newWorld(t, hearing(h), 1)
	var sent []Send
	w.watch = func(_ *world, s Send) { sent = append(sent, s) }
	w.ping(Ping{Name: "backup", Failed: true, Said: "exit status 1"})
	w.run(time.Minute)
	w.crash(0)
	w.ping(Ping{Name: "backup"})
	if len(sent) != 2 || len(sent[0].Alerts) != 1 || len(sent[0].Over) != 0 || len(sent[1].Over) != 1 {
		t.Fatalf("%+v", sent)
	}
	a := sent[0].Alerts[0]
	if got := a.Labels.String(); got != `{alertname="HeartbeatLate", cluster="main", heartbeat="backup", severity="sev3"}` {
		t.Errorf("labels %s", got)
	}
	if got := a.Annotations.String(); got != `{description="it said that it failed: exit status 1", runbook_url="https://runbooks.example/backup", summary="Heartbeat backup failed: exit status 1"}` {
		t.Errorf("annotations %s", got)
	}
	if !a.EndsAt.IsZero() || !sent[1].Alerts[0].EndsAt.Equal(night.Add(time.Minute)) {
		t.Errorf("it ends at %v, then at %v", a.EndsAt, sent[1].Alerts[0].EndsAt)
	}
	if v, err := w.e.Incident(ctx(), 1); err != nil || len(v.Alerts) != 1 || len(v.Over) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestHeartbeatsSurviveAnyCrash plays a night, and again with a power failure before and after each of its commits, the
// turns cut into pieces. Every incident that the night without one had is opened, about the same time, and everything is
// over in the end.
func TestHeartbeatsSurviveAnyCrash(t *testing.T) {
	whole := maxOps
	defer func() { maxOps = whole }()
	for _, ops := range []int{whole, 3} {
		maxOps = ops
		play := func(cut int, before bool) (commits int) {
			w := newWorld(t, hearing(listening("prom-a", "a"), listening("prom-b", "b"), pinged("backup")), 1)
			if cut > 0 {
				w.failures = []failure{{cut, before}}
				w.plan()
			}
			start := w.disk.commits
			at := func(d time.Duration, do func(*world)) { w.deeds = append(w.deeds, deed{at: d, do: do}) }
			var again func(p Ping) func(*world) // as curl --retry does
			again = func(p Ping) func(*world) {
				return func(w *world) {
					if w.ping(p).Err != nil {
						w.deeds = slices.Insert(w.deeds, 0, deed{at: w.elapsed + time.Second, do: again(p)})
					}
				}
			}
			at(0, func(w *world) { w.watchdog("a"); w.watchdog("b") })
			at(5*time.Minute, func(w *world) { w.dies("a"); w.dies("b") })
			at(6*time.Minute, again(Ping{Name: "backup", Failed: true, Said: "exit status 1"}))
			at(20*time.Minute, func(w *world) { w.watchdog("a") })
			at(21*time.Minute, func(w *world) { w.watchdog("b") })
			at(30*time.Minute, again(Ping{Name: "backup"}))
			w.run(40 * time.Minute)
			commits = w.disk.commits - start
			if w.e == nil { // cut short by the last commit
				w.run(w.back)
			}
			if cut > 0 && w.crashes == 0 {
				t.Fatalf("the crash at %d did not come", cut)
			}
			blind, single := 0, 0
			for n := 1; n <= w.e.core.last; n++ {
				i := w.is(n)
				if i.Open() || i.Firing {
					t.Errorf("cut at %d (before: %v, %d ops): in the end %s is %+v", cut, before, ops, i.ID(), i)
				}
				switch i.Identity.Heartbeat {
				case incident.AllHeartbeats:
					blind++
				case "backup":
					single++
				}
			}
			if blind != 1 || single != 1 {
				t.Errorf("cut at %d (before: %v, %d ops): %d blind, %d single:\n%s", cut, before, ops, blind, single, w.reasons())
			}
			for _, v := range w.e.Heartbeats() {
				if v.State != heartbeat.Fine {
					t.Errorf("cut at %d: %s is %s", cut, v.Name, v.State)
				}
			}
			return commits
		}
		n := play(0, false)
		for cut := 1; cut <= n && !t.Failed(); cut++ {
			play(cut, true)
			play(cut, false)
		}
	}
}

// A repeat of an alert costs no turn of the engine, though it is a beat.
func TestARepeatIsNoInput(t *testing.T) {
	w := newWorld(t, hearing(listening("prom", "main")), 1)
	w.watchdog("main")
	before := w.disk.commits
	for range 100 {
		a := &router.Alert{Labels: set("alertname", "Watchdog", "cluster", "main", "team", "plain"), StartsAt: night, EndsAt: w.wall().Add(4 * time.Minute)}
		w.elapsed += time.Second
		if rest := w.e.news([]*router.Alert{a}, w.wall()); rest != nil {
			t.Fatalf("a repeat is news: %v", rest.Alerts())
		}
	}
	if w.disk.commits != before {
		t.Errorf("%d commits for repeats", w.disk.commits-before)
	}
}
