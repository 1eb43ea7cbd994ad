package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
)

// Nor is a reload, whether of the same configuration or of one with one more route that concerns nobody here, though it
// moves every other to another place.
func TestAReloadChangesNothing(t *testing.T) {
	reload := func(change func(*config.Route)) func(d *driver) {
		return func(d *driver) {
			root := *d.in.root
			change(&root)
			o := d.options()
			o.Root = dispatch.NewRoute(&root, nil)
			effects := d.SetRoutes(o, d.time())
			for _, fx := range effects {
				if _, stored := fx.(GroupChanged); !stored {
					t.Errorf("the reload came with %#v", fx)
				}
			}
			d.do(effects)
			stale := maps.Clone(d.disk.groups)
			for v := range d.Groups() {
				delete(stale, v.Group.ID)
			}
			if len(stale) > 0 {
				t.Errorf("these groups are on disk only: %v", stale)
			}
		}
	}
	t.Run("same", func(t *testing.T) {
		undisturbed(t, always, reload(func(*config.Route) {}))
	})
	t.Run("moved", func(t *testing.T) {
		// Siblings with one key between them may take each other's place: nobody can tell which was which.
		distinct := func(s *scenario) bool { return !s.calm }
		undisturbed(t, distinct, reload(func(root *config.Route) {
			root.Routes = slices.Insert(slices.Clone(root.Routes), 0, strangersRoute())
		}))
	})
}

// strangersRoute matches nobody.
func strangersRoute() *config.Route {
	m, err := labels.NewMatcher(labels.MatchEqual, "team", "strangers")
	if err != nil {
		panic(err)
	}
	return &config.Route{Receiver: "one", Matchers: []*labels.Matcher{m}}
}

// Whatever is loaded in place of what, all alerts are where they belong, and what comes of it can be stored and restored.
func TestAnyReloadLeavesEverythingInItsPlace(t *testing.T) {
	for seed := range uint64(150) {
		s, other := newScenario(seed), newScenario(seed+1000)
		d := newDriver(s)
		for i, e := range s.events {
			d.happen(e)
			if i%7 == 3 {
				s, other = other, s
				o := s.options()
				o.HoldUntil = time.Time{}
				d.do(d.SetRoutes(o, d.time()))
				audit(t, d.Router)
			}
		}
		d.checkpoint()
		d.crash(t, s.options())
		audit(t, d.Router)
	}
}

// What changes for whom when the routes do.
func TestAReloadMovesAlerts(t *testing.T) {
	const split = `{receiver: db, group_by: [job], group_wait: 30s, group_interval: 5m, routes: [{matchers: ['alertname="A"'], receiver: dba}]}`
	receivers := map[string]string{"db": "webhook", "dba": "webhook"}
	reload := func(d *driver, route string) {
		o := d.s.options()
		o.Root = dispatch.NewRoute(loadRoute(t, route, "db", "dba"), nil)
		d.do(d.SetRoutes(o, d.time()))
		d.until(d.now)
		audit(t, d.Router)
	}

	d := world(t, plainRoute, receivers)
	d.hear("00:00", "A", "00:00", "02:00")
	d.hear("00:00", "B", "00:00", "02:00")
	d.clock("00:02")
	d.trace()
	reload(d, split)
	expect(t, d.trace(), // the dba hear at once; the db keep their time, and hear nothing of an alert that left
		"group dba deleted=false", "left db A regrouped", "joined dba A regrouped",
		"flushed dba 00:02:00 [A] []", "notify webhook/0 00:02:00 [A]: first notification", "log webhook/0 1 0 deleted=false")
	d.clock("00:06")
	expect(t, d.trace(), "flushed db 00:05:30 [B] []")

	reload(d, plainRoute) // and back: the db know of A
	expect(t, d.trace(), "group dba deleted=true", "left dba A regrouped", "joined db A regrouped")
	d.clock("00:11")
	expect(t, d.trace(), "flushed db 00:10:30 [A B] []")

	// Before the group has spoken: the new one speaks no later than the old one would have.
	d = world(t, plainRoute, receivers)
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:00:10")
	d.trace()
	reload(d, split)
	d.clock("00:00:31")
	expect(t, d.trace(), "group db deleted=true", "group dba deleted=false", "left db A regrouped", "joined dba A regrouped",
		"flushed dba 00:00:30 [A] []", "notify webhook/0 00:00:30 [A]: first notification", "log webhook/0 1 0 deleted=false")

	// A shorter interval holds from now on; a longer one after what was promised.
	for interval, want := range map[string]string{"1m": "00:03:00", "5m": "00:05:30", "1h": "00:05:30"} {
		d = world(t, plainRoute, receivers)
		d.hear("00:00", "A", "00:00", "02:00")
		d.clock("00:02")
		reload(d, strings.Replace(plainRoute, "5m", interval, 1))
		if got := d.Due(); !got.Equal(at(want)) {
			t.Errorf("every %s: due at %s, want %s", interval, got, want)
		}
	}

	// A notification on its way finds its way back, though its receiver lost the integration that waited for it.
	d = world(t, plainRoute, map[string]string{"db": "webhook slack"})
	var sent []Notify
	d.deliver = func(n Notify) { sent = append(sent, n) }
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:00:30")
	d.do(d.Sent(sent[1].Ref, true, d.time(), nil))
	d.hear("00:01", "A", "00:00", "00:01")
	d.clock("00:05:30")
	d.do(d.Sent(sent[2].Ref, true, d.time(), nil))
	d.trace()
	o := d.s.options()
	o.Receivers = map[string][]Integration{"db": {{"slack", 0, true}}}
	d.do(d.SetRoutes(o, d.time()))
	expect(t, d.trace(), "group db deleted=true") // slack has heard, and the webhook has no say any more
	d.do(d.Sent(sent[0].Ref, true, d.time(), nil))
	expect(t, d.trace(), "log webhook/0 1 0 deleted=false")
}

// A group that a reload moves to another place is the same to whoever is still speaking for it.
func TestAReloadForgetsNoNotificationOnItsWay(t *testing.T) {
	const route = `{receiver: db, routes: [%s{matchers: ['alertname="A"'], group_wait: 30s, group_interval: 5m}]}`
	d := world(t, fmt.Sprintf(route, ""), map[string]string{"db": "webhook slack"})
	var hanging []Notify
	d.deliver = func(n Notify) { hanging = append(hanging, n) }
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:01")
	d.trace()

	o := d.s.options()
	o.Root = dispatch.NewRoute(loadRoute(t, fmt.Sprintf(route, `{matchers: ['alertname="Z"']}, `), "db"), nil)
	d.do(d.SetRoutes(o, d.time()))
	audit(t, d.Router)
	d.hear("00:02", "A", "00:00", "00:02")
	d.clock("00:06")
	expect(t, d.trace(), "group db deleted=true", "group db deleted=false",
		"stored A resolved", "left db A resolved",
		"flushed db 00:05:30 [] [A]") // both are busy
	o.Receivers = map[string][]Integration{"db": {{"slack", 0, true}}}
	d.do(d.SetRoutes(o, d.time())) // the webhook is gone, and its turn with it
	d.do(d.Sent(hanging[1].Ref, true, d.time(), nil))
	expect(t, d.trace(), "log slack/0 1 0 deleted=false", "notify slack/0 00:05:30 [A]: all alerts resolved")
	d.do(d.Sent(hanging[2].Ref, true, d.time(), nil))
	expect(t, d.trace(), "log slack/0 0 1 deleted=false", "group db deleted=true")
}

func TestTwinsStayTwoOverAReload(t *testing.T) {
	const route = `{receiver: db, routes: [%s
		{matchers: ['alertname="A"'], continue: true, group_wait: 10s},
		{matchers: ['alertname="A"'], group_wait: 20s}]}`
	d := world(t, fmt.Sprintf(route, ""), map[string]string{"db": "webhook"})
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:01")
	o := d.s.options()
	moved := fmt.Sprintf(route, `{matchers: ['alertname="Y"']}, {matchers: ['alertname="Z"']},`)
	o.Root = dispatch.NewRoute(loadRoute(t, moved, "db"), nil)
	d.do(d.SetRoutes(o, d.time()))
	audit(t, d.Router)
	d.trace()
	d.clock("00:06")
	expect(t, d.trace(), "flushed db 00:05:10 [A] []", "flushed db 00:05:20 [A] []")
}

// TestAReloadWhileThereIsNothingToTell begins the rhythm anew, as Alertmanager does: what comes after it is told a
// group_interval after the reload. Whoever waits already does not wait for longer, and however often a file is reloaded,
// the group speaks.
func TestAReloadWhileThereIsNothingToTell(t *testing.T) {
	const route = "{receiver: db, group_by: [job], group_wait: 30s, group_interval: 5m, repeat_interval: 12m}"
	flushes := func(steady bool, happen func(d *driver, reload func(at string))) []string {
		d := world(t, route, map[string]string{"db": "webhook"})
		o := d.s.options()
		o.Steady = map[string]bool{"db": steady}
		d.do(d.SetRoutes(o, d.time()))
		d.hear("00:00", "A", "00:00", "02:00")
		happen(d, func(at string) {
			d.clock(at)
			d.do(d.SetRoutes(o, d.time()))
		})
		d.clock("00:16")
		var at []string
		for _, f := range effectsOf[Flushed](d.fx) {
			at = append(at, f.At.Format("15:04:05"))
		}
		return at
	}
	nothing := func(_ *driver, reload func(string)) { reload("00:03") }
	expect(t, flushes(false, nothing), "00:00:30", "00:08:00", "00:13:00")
	expect(t, flushes(true, nothing), "00:00:30", "00:05:30", "00:10:30", "00:15:30")
	expect(t, flushes(false, func(d *driver, reload func(string)) {
		d.hear("00:02", "B", "00:02", "02:00")
		reload("00:03")
	}), "00:00:30", "00:05:30", "00:10:30", "00:15:30")
	expect(t, flushes(false, func(_ *driver, reload func(string)) {
		for m := 1; m < 16; m++ {
			reload(fmt.Sprintf("00:%02d", m))
		}
	}), "00:00:30", "00:06:00", "00:11:00", "00:16:00")
	expect(t, flushes(false, func(d *driver, reload func(string)) {
		reload("00:03")
		d.hear("00:03:01", "B", "00:03", "02:00")
		reload("00:04")
	}), "00:00:30", "00:08:00", "00:13:00")
}

// Whoever has heard the end of an alert does not have to hear it again because of a reload, though others wait for it.
func TestAReloadBringsBackNothingThatIsOver(t *testing.T) {
	const route = `{receiver: db, routes: [
		{matchers: ['alertname="A"'], receiver: fast, continue: true, group_interval: 1m},
		{matchers: ['alertname="A"'], receiver: slow, group_interval: 5m}]}`
	d := world(t, route, map[string]string{"db": "", "fast": "webhook", "slow": "webhook"})
	d.hear("00:00", "A", "00:00", "00:01")
	d.clock("00:02")
	d.trace()
	d.do(d.SetRoutes(d.options(), d.time()))
	d.clock("00:06")
	expect(t, d.trace(), "flushed slow 00:05:30 [] [A]", "notify webhook/0 00:05:30 [A]: all alerts resolved",
		"log webhook/0 0 1 deleted=false", "group slow deleted=true")
	audit(t, d.Router)
}
