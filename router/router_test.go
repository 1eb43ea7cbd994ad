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
)

// world returns a driver for the route and its receivers, each written as "webhook slack! slack": a ! after those that
// are not told of resolved alerts.
func world(t testing.TB, route string, receivers map[string]string) *driver {
	t.Helper()
	s := &scenario{setup: setup{root: loadRoute(t, route, slices.Sorted(maps.Keys(receivers))...), receivers: map[string][]Integration{}}}
	for name, kinds := range receivers {
		seen := map[string]int{}
		for _, kind := range strings.Fields(kinds) {
			kind, silent := strings.CutSuffix(kind, "!")
			s.receivers[name] = append(s.receivers[name], Integration{kind, seen[kind], !silent})
			seen[kind]++
		}
	}
	return newDriver(s)
}

func loadRoute(t testing.TB, route string, receivers ...string) *config.Route {
	t.Helper()
	text := "route: " + route + "\nreceivers:\n"
	for _, name := range receivers {
		text += "- name: " + name + "\n"
	}
	c, err := config.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	return c.Route
}

// clock lets the time pass until then.
func (d *driver) clock(clock string) { d.until(at(clock).Sub(began)) }

// hear has a source report an alert.
func (d *driver) hear(clock, name, from, until string) {
	d.clock(clock)
	d.report(event{at: d.now, labels: Labels{{"alertname", name}}, starts: at(from).Sub(began), ends: at(until).Sub(began)})
}

// silenceFor has somebody silence the alerts of a name, and returns the silence's ID.
func (d *driver) silenceFor(name, from, until string) string {
	s := Silence{Matchers: []MatcherSet{{{Name: "alertname", Value: name}}}, StartsAt: at(from), EndsAt: at(until)}
	s, effects, err := d.SetSilence(s, silenceID(len(d.Silences())+1), d.time())
	if err != nil {
		panic(err)
	}
	d.do(effects)
	return s.ID
}

// trace says what the effects are, one line each, and forgets them.
func (d *driver) trace() []string {
	var lines []string
	names := func(alerts []*Alert) string {
		var of []string
		for _, a := range alerts {
			of = append(of, a.Name())
		}
		return strings.Join(of, " ")
	}
	for _, fx := range d.fx {
		switch fx := fx.(type) {
		case Stored:
			lines = append(lines, fmt.Sprintf("stored %s %s", fx.Alert.Name(), fx.Change))
		case Refused:
			lines = append(lines, fmt.Sprintf("refused %s: %d fire", fx.Alert.Name(), fx.Limit))
		case Joined:
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("joined %s %s %s", fx.Group.Receiver, fx.Alert.Name(), fx.Change)+" "+string(fx.Muted)))
		case Left:
			lines = append(lines, fmt.Sprintf("left %s %s %s", fx.Group.Receiver, fx.Alert.Name(), fx.Change))
		case GroupChanged:
			lines = append(lines, fmt.Sprintf("group %s deleted=%v", fx.Group.Receiver, fx.Deleted))
		case LogChanged:
			lines = append(lines, fmt.Sprintf("log %s/%d %d %d deleted=%v", fx.Entry.Integration, fx.Entry.Index, len(fx.Entry.Firing), len(fx.Entry.Resolved), fx.Deleted))
		case Flushed:
			lines = append(lines, fmt.Sprintf("flushed %s %s [%s] [%s]", fx.Group.Receiver, fx.At.Format("15:04:05"), names(fx.Firing), names(fx.Resolved)))
		case SilenceChanged:
			lines = append(lines, fmt.Sprintf("silence %s %s", strings.TrimLeft(fx.Silence.ID, "0-"), fx.Action))
		case SilencesTurned:
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("turned %s %s", fx.At.Format("15:04:05"), idsOf(fx.Ended))))
		case Notify:
			lines = append(lines, fmt.Sprintf("notify %s/%d %s [%s]: %s", fx.Entry.Integration, fx.Entry.Index, fx.At.Format("15:04:05"), names(fx.Alerts), fx.Reason))
		}
	}
	d.fx = nil
	return lines
}

func idsOf(silences []Silence) string {
	var ids []string
	for _, s := range silences {
		ids = append(ids, strings.TrimLeft(s.ID, "0-"))
	}
	return strings.Join(ids, " ")
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

const plainRoute = "{receiver: db, group_by: [job], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}"

func TestTheLifeOfAnAlert(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})

	d.hear("00:01", "A", "00:01", "00:05")
	expect(t, d.trace(), "stored A new", "group db deleted=false", "joined db A new")

	d.hear("00:01:10", "B", "00:01", "00:30")
	expect(t, d.trace(), "stored B new", "joined db B new")

	d.clock("00:01:30")
	expect(t, d.trace(),
		"flushed db 00:01:30 [A B] []",
		"notify webhook/0 00:01:30 [A B]: first notification",
		"log webhook/0 2 0 deleted=false")

	d.hear("00:02", "A", "00:01", "00:06")
	expect(t, d.trace()) // a repetition is nobody's business
	d.report(event{at: d.now, labels: Labels{{"alertname", "A"}}, note: "worse", starts: time.Minute, ends: 6 * time.Minute})
	expect(t, d.trace(), "stored A changed", "joined db A changed")

	d.clock("00:06")
	expect(t, d.trace(), "stored A expired", "left db A expired")

	d.hear("00:06:15", "C", "00:06:15", "00:30")
	d.clock("00:06:30")
	expect(t, d.trace(),
		"stored C new", "joined db C new",
		"flushed db 00:06:30 [B C] [A]",
		"notify webhook/0 00:06:30 [A B C]: new alerts added",
		"log webhook/0 2 1 deleted=false",
		"group db deleted=false") // it let go of A

	d.hear("00:07", "B", "00:01", "00:07")
	d.hear("00:07", "C", "00:06:15", "00:07")
	expect(t, d.trace(), "stored B resolved", "left db B resolved", "stored C resolved", "left db C resolved")

	d.clock("00:12")
	expect(t, d.trace(),
		"flushed db 00:11:30 [] [B C]",
		"notify webhook/0 00:11:30 [B C]: all alerts resolved",
		"log webhook/0 0 2 deleted=false",
		"group db deleted=true")

	// Prometheus repeats what resolved. That begins the group again; but nobody has anything to hear.
	d.hear("00:13", "B", "00:01", "00:07")
	expect(t, d.trace(), "group db deleted=false", "flushed db 00:13:00 [] [B]", "group db deleted=true")

	d.hear("00:20", "B", "00:20", "00:24")
	expect(t, d.trace(), "stored B refired", "group db deleted=false", "joined db B refired")
	d.clock("00:23")
	expect(t, d.trace(),
		"flushed db 00:20:30 [B] []",
		"notify webhook/0 00:20:30 [B]: first notification",
		"log webhook/0 1 0 deleted=false")
}

func TestNothingIsDueWhereNothingIsKnown(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	if due := d.Due(); !due.IsZero() {
		t.Errorf("due at %s", due)
	}
	if fx := d.Elapsed(at("00:10")); len(fx) != 0 {
		t.Errorf("%v came of nothing", fx)
	}
	d.hear("00:11", "A", "00:11", "00:12")
	d.clock("01:00")
	if due := d.Due(); !due.Equal(at("01:15")) || d.Alerts().Len() != 0 {
		t.Errorf("due at %s, with %d alerts; only the log is left, to be swept each quarter of an hour", due, d.Alerts().Len())
	}
	d.clock("23:59")
	if due := d.Due(); !due.IsZero() {
		t.Errorf("due at %s, though all is forgotten", due)
	}
}

func TestAnOldAlertIsToldAtOnceIfItBeginsTheGroup(t *testing.T) {
	for _, c := range []struct {
		what     string
		started  string
		spoken   string
		earliest string
	}{
		{"it just started", "00:10", "00:10:30", ""},
		{"it started within the wait", "00:09:30", "00:10:30", ""},
		{"it started before the wait", "00:09:29", "00:10:00", ""},
		{"it will start", "00:20", "00:10:30", ""},
		{"it started long ago, but so did we not", "00:01", "00:15:00", "00:15"},
		{"we have long started", "00:01", "00:10:00", "00:05"},
	} {
		d := world(t, plainRoute, map[string]string{"db": "webhook"})
		if c.earliest != "" {
			o := d.s.options()
			o.HoldUntil = at(c.earliest)
			d.Router = New(o)
		}
		d.hear("00:10", "A", c.started, "00:50")
		d.hear("00:10:05", "old", "00:00", "00:50") // who only joins changes nothing
		d.clock("00:16")
		notified := d.notifications()
		if len(notified) == 0 || notified[0].At.Format("15:04:05") != c.spoken {
			t.Errorf("%s: told %v, want at %s", c.what, notified, c.spoken)
		}
	}
}

func TestAnEndIsNoticedBeforeWhatFollows(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	d.hear("00:00", "A", "00:00", "00:04")
	d.trace()
	a := report("A", "00:05", "00:09", "")
	a.Annotations = nil
	d.fx = d.Receive([]*Alert{a}, at("00:05")) // the engine is late, and this is the first it hears
	expect(t, d.trace(), "stored A expired", "left db A expired", "stored A refired", "joined db A refired")
}

// Group keys are public: pager services know incidents by them. Every byte counts.
func TestGroupKeys(t *testing.T) {
	labels := LabelsOf(map[string]string{"alertname": "A", "team": "x", "severity": "page", "quote": `say "hi"` + "\n"})
	for route, want := range map[string]string{
		`{receiver: db}`: `{}:{}`,
		`{receiver: db, group_by: [team, nobody]}`: `{}:{team="x"}`,
		`{receiver: db, group_by: [quote]}`:        `{}:{quote="say \"hi\"\n"}`,
		`{receiver: db, group_by: ['...']}`:        `{}:{alertname="A", quote="say \"hi\"\n", severity="page", team="x"}`,
		`{receiver: db, group_by: [team], routes: [{match: {team: x}, match_re: {severity: "pa.e"}, matchers: ['alertname!="B"']}]}`:     `{}/{alertname!="B",severity=~"^(?:pa.e)$",team="x"}:{team="x"}`,
		`{receiver: db, group_by: [team], routes: [{matchers: ['team="x"'], group_by: [], routes: [{matchers: ['severity!~"info"']}]}]}`: `{}/{team="x"}/{severity!~"info"}:{}`,
	} {
		r := New(Options{Root: dispatch.NewRoute(loadRoute(t, route, "db"), nil)})
		r.Receive([]*Alert{{Labels: labels}}, at("00:00"))
		for v := range r.Groups() {
			if v.Group.Key != want {
				t.Errorf("%s: key %s, want %s", route, v.Group.Key, want)
			}
		}
	}
}

func TestPastTheLimitAlertsAreRefused(t *testing.T) {
	o := Options{Root: dispatch.NewRoute(loadRoute(t, plainRoute, "db"), nil), AlertnameLimit: 1}
	d := world(t, plainRoute, map[string]string{"db": ""})
	d.Router = New(o)
	for _, instance := range []string{"1", "2"} {
		a := report("A", "00:00", "00:04", "")
		a.Labels = append(a.Labels, Label{"instance", instance})
		d.do(d.Receive([]*Alert{a}, at("00:00")))
	}
	expect(t, d.trace(), "stored A new", "group db deleted=false", "joined db A new", "refused A: 1 fire")
}

// Nothing is answered by Touch that is not on disk, and nothing twice by Receive that Touch could have answered.
func TestTouchWaitsForTheDisk(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	a := func() *Alert { return &Alert{Labels: Labels{{"alertname", "A"}}, StartsAt: at("00:00")} }
	d.Receive([]*Alert{a()}, at("00:00"))
	if d.Touch(a(), at("00:00")) {
		t.Error("touched before it was on disk")
	}
	d.Committed()
	if !d.Touch(a(), at("00:01")) {
		t.Error("not touched when it was")
	}
	if got := d.Alerts().Get(a().Labels).EndsAt; !got.Equal(at("00:06")) {
		t.Errorf("without an end it fires until %s, want 5 minutes from now", got)
	}
}

func TestTouchTakesNoMemory(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	d.hear("00:00", "A", "00:00", "00:04")
	a := report("A", "00:00", "00:05", "")
	a.GeneratorURL = "http://prometheus/graph"
	if n := testing.AllocsPerRun(100, func() {
		if !d.Touch(a, at("00:01")) {
			t.Error("not touched")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
