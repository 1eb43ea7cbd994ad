package router

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
	"pgregory.net/rapid"
)

// matchersOf reads matchers as they are in a configuration file, with commas between them.
func matchersOf(t testing.TB, text string) labels.Matchers {
	t.Helper()
	set, err := ParseMatchers([]string{"{" + text + "}"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	var all labels.Matchers
	for _, m := range set {
		lm, err := labels.NewMatcher(m.Type, m.Name, m.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, lm)
	}
	return all
}

// rules reads rules that are written "source > target by equal labels".
func rulesOf(t testing.TB, texts ...string) []InhibitRule {
	t.Helper()
	var rules []InhibitRule
	for n, text := range texts {
		sides, equal, _ := strings.Cut(text, " by ")
		source, target, _ := strings.Cut(sides, " > ")
		rules = append(rules, InhibitRule{fmt.Sprint("rule ", n), matchersOf(t, source), matchersOf(t, target), strings.Fields(equal)})
	}
	return rules
}

// inhibited returns a driver with these rules.
func inhibited(t *testing.T, rules ...string) *driver {
	t.Helper()
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	o := d.options()
	o.Inhibit = rulesOf(t, rules...)
	d.Router = New(o)
	return d
}

// labelled reads labels that are written "A severity=page": the name first.
func labelled(text string) Labels {
	set := map[string]string{}
	for n, word := range strings.Fields(text) {
		name, value, named := strings.Cut(word, "=")
		switch {
		case named:
			set[name] = value
		case n == 0:
			set["alertname"] = word
		}
	}
	return LabelsOf(set)
}

// tell has a source report an alert.
func (d *driver) tell(clock, alert, until string) {
	d.clock(clock)
	d.report(event{at: d.now, labels: labelled(alert), starts: d.now, ends: at(until).Sub(began)})
}

// hush is the name of the alert that keeps this one quiet, or "".
func (d *driver) hush(alert string) string {
	source := d.InhibitedBy(labelled(alert), d.time())
	_, by := d.Suppressed(labelled(alert), d.time())
	if source == nil {
		if by != nil {
			return fmt.Sprint("nobody, and by ", by)
		}
		return ""
	}
	if want := fmt.Sprintf("%016x", source.Labels.Fingerprint()); !slices.Equal(by, []string{want}) {
		return fmt.Sprintf("%s, and by %v", want, by)
	}
	return source.Name()
}

func TestWhoKeepsWhomQuiet(t *testing.T) {
	const page = `severity="page" > severity="info"`
	for _, c := range []struct {
		what   string
		rules  []string
		fire   []string
		target string
		want   string
	}{
		{"a source fires", []string{page}, []string{"S severity=page", "T severity=info"}, "T severity=info", "S"},
		{"none does", []string{page}, []string{"S severity=warn", "T severity=info"}, "T severity=info", ""},
		{"it is no target", []string{page}, []string{"S severity=page", "T severity=warn"}, "T severity=warn", ""},
		{"they agree", []string{page + " by a b"}, []string{"S severity=page a=1 b=2", "T severity=info a=1 b=2"}, "T severity=info a=1 b=2", "S"},
		{"they differ", []string{page + " by a b"}, []string{"S severity=page a=1 b=2", "T severity=info a=1 b=3"}, "T severity=info a=1 b=3", ""},
		{"values in each other's place", []string{page + " by a b"}, []string{"S severity=page a=1 b=2", "T severity=info a=2 b=1"}, "T severity=info a=2 b=1", ""},
		{"one lacks what the other has", []string{page + " by a"}, []string{"S severity=page a=1", "T severity=info"}, "T severity=info", ""},
		{"both lack it", []string{page + " by a"}, []string{"S severity=page", "T severity=info"}, "T severity=info", "S"},
		{"they differ, and have one hash", []string{page + " by a b"}, []string{"S severity=page a=1\xff2 b=3", "T severity=info a=1 b=2\xff3"}, "T severity=info a=1 b=2\xff3", ""},
		{"the same label twice", []string{page + " by a a"}, []string{"S severity=page a=1", "T severity=info a=1"}, "T severity=info a=1", "S"},
		{"nobody keeps itself quiet", []string{`a="1" > a="1"`}, []string{"T a=1"}, "T a=1", ""},
		{"nor two each other", []string{`a="1" > a="1"`}, []string{"S a=1", "T a=1"}, "T a=1", ""},
		{"a source that is no target may", []string{`a=~"1|2" > a="1"`}, []string{"S a=1", "R a=2", "T a=1"}, "T a=1", "R"},
		{"a target that is no source is kept quiet by one that is both", []string{`a="1" > b="1"`}, []string{"S a=1 b=1", "T b=1"}, "T b=1", "S"},
		{"an absent label matches what is not", []string{`a!="1" > b="1"`}, []string{"S", "T a=1 b=1"}, "T a=1 b=1", "S"},
		{"a pattern that matches nothing", []string{`a=~"1|" > b="1"`}, []string{"S", "T a=2 b=1"}, "T a=2 b=1", "S"},
		{"a rule for all", []string{` > b="1"`}, []string{"S", "T b=1"}, "T b=1", "S"},
		{"the first rule counts", []string{`x="1" > b="1"`, `a="1" > b="1"`, `a="2" > b="1"`}, []string{"R a=2", "S a=1", "T b=1"}, "T b=1", "S"},
		{"it was never heard of", []string{page}, []string{"S severity=page"}, "T severity=info", ""},
	} {
		d := inhibited(t, c.rules...)
		for n, alert := range c.fire {
			d.tell(fmt.Sprintf("00:00:%02d", n), alert, "00:30")
		}
		if got := d.hush(c.target); got != c.want {
			t.Errorf("%s: by %q, want %q", c.what, got, c.want)
		}
		audit(t, d.Router)
	}
}

// What a source kept quiet is told when its group speaks next.
func TestWhenASourceEnds(t *testing.T) {
	d := inhibited(t, `severity="page" > severity="info"`)
	d.tell("00:00", "S severity=page", "00:08")
	d.tell("00:00:01", "T severity=info", "02:00")
	d.clock("00:07")
	expect(t, d.trace(), "stored S new", "group db deleted=false", "joined db S new", "stored T new", "joined db T new inhibition",
		"flushed db 00:00:30 [S] []", "notify webhook/0 00:00:30 [S]: first notification", "log webhook/0 1 0 deleted=false",
		"flushed db 00:05:30 [S] []")
	if f := effectsOf[Flushed](d.fx); len(f) != 0 {
		t.Errorf("%v", f)
	}
	d.clock("00:11")
	expect(t, d.trace(), "stored S expired", "left db S expired", "flushed db 00:10:30 [T] [S]",
		"notify webhook/0 00:10:30 [S T]: new alerts added", "log webhook/0 1 1 deleted=false", "group db deleted=false")

	// It fires again, by two of three: as long as one does.
	d.tell("00:12", "S severity=page", "00:20")
	d.tell("00:12:01", "R severity=page", "00:14")
	d.tell("00:12:02", "Q severity=page", "00:30")
	for clock, want := range map[string]bool{"00:13": true, "00:15": true, "00:21": true} {
		d.clock(clock)
		if got := d.hush("T severity=info") != ""; got != want {
			t.Errorf("at %s it is inhibited: %v", clock, got)
		}
	}
	d.tell("00:25", "Q severity=page", "00:25") // its source says so
	if got := d.hush("T severity=info"); got != "" {
		t.Errorf("inhibited by %s, though none fires", got)
	}
	audit(t, d.Router)
}

// The clock decides whether a source fires, also before anybody noticed that it ended; a repetition keeps it at it.
func TestASourceThatIsOverdue(t *testing.T) {
	d := inhibited(t, `severity="page" > severity="info"`)
	d.tell("00:00", "S severity=page", "00:08")
	d.tell("00:00:01", "T severity=info", "02:00")
	d.tell("00:05", "S severity=page", "00:09")
	d.now = 8*time.Minute + 30*time.Second
	if got := d.hush("T severity=info"); got != "S" {
		t.Errorf("inhibited by %q, though the end was put off", got)
	}
	d.now = 9 * time.Minute
	if got := d.hush("T severity=info"); got != "" {
		t.Errorf("inhibited by %s, which ended at this instant", got)
	}
}

func TestInhibitionOverAReload(t *testing.T) {
	d := inhibited(t, `severity="page" > severity="info"`)
	d.tell("00:00", "S severity=page", "02:00")
	d.tell("00:00:01", "T severity=info", "02:00")
	d.tell("00:00:02", "E severity=other", "00:01")
	d.clock("00:02")
	o := d.options()
	reload := func(want string, rules ...string) {
		t.Helper()
		o.Inhibit = rulesOf(t, rules...)
		d.do(d.SetRoutes(o, d.time()))
		if got := d.hush("T severity=info"); got != want {
			t.Errorf("%v: inhibited by %q, want %q", rules, got, want)
		}
		audit(t, d.Router)
	}
	reload("")
	reload("S", `severity="page" > severity="info"`)
	reload("", `severity="other" > severity="info"`) // which is over
	reload("S", `severity="other" > severity="info"`, `alertname="S" > alertname="T"`)
	d.checkpoint()
	d.crash(t, o)
	if got := d.hush("T severity=info"); got != "S" {
		t.Errorf("after a restart: by %q", got)
	}
	audit(t, d.Router)
}

// Whatever alerts come and go under whatever rules, an alert is inhibited if and only if an alert that fires may inhibit
// it by the letter of a rule, and the one that is named is one of those of the first such rule.
func TestInhibitionByTheLetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []InhibitRule {
			return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) InhibitRule {
				side := func() labels.Matchers {
					var all labels.Matchers
					for _, m := range randomSet(t) {
						lm, err := labels.NewMatcher(m.Type, m.Name, m.Value)
						if err != nil {
							t.Fatal(err)
						}
						all = append(all, lm)
					}
					return all
				}
				r := InhibitRule{Source: side(), Target: side()}
				if rapid.Bool().Draw(t, "same sides") {
					r.Target = r.Source
				}
				r.Equal = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "d"}), 0, 2).Draw(t, "equal")
				return r
			}), 0, 4).Draw(t, name)
		}
		var (
			o   = Options{Root: dispatch.NewRoute(loadPlain, nil), Inhibit: draw("rules"), ForgetEvery: 10 * time.Minute}
			r   = New(o)
			now = began
		)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "later")) * time.Second)
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				r.Elapsed(now)
			case 1:
				o.Inhibit = draw("other rules")
				r.SetRoutes(o, now)
			case 2:
				by := time.Duration(rapid.IntRange(-30, 30).Draw(t, "by")) * time.Minute
				r.Shifted(by)
				now = now.Add(by)
			case 3:
				after := New(o)
				for a := range r.Alerts().All() {
					after.Alerts().Load(a)
				}
				after.Restore(State{Stopped: now}, now)
				r = after
			default:
				ends := now.Add(time.Duration(rapid.IntRange(-1, 10).Draw(t, "minutes")) * time.Minute)
				a := &Alert{Labels: randomLabels(t), StartsAt: now.Add(-10 * time.Minute), EndsAt: ends}
				if !r.Touch(a, now) {
					r.Receive([]*Alert{a}, now)
				}
				if rapid.Bool().Draw(t, "on disk") {
					r.Committed()
				}
			}
			auditInhibition(t, r)
			for target := range r.Alerts().All() {
				may := mayInhibit(r, o.Inhibit, target.Labels, now)
				_, by := r.Suppressed(target.Labels, now)
				if len(by) > 1 || len(by) != min(len(may), 1) || len(by) == 1 && !slices.Contains(may, by[0]) {
					t.Fatalf("%s is inhibited by %v, want one of %v", target.Labels, by, may)
				}
			}
		}
	})
}

func mayInhibit(r *Router, rules []InhibitRule, target Labels, now time.Time) []string {
	for _, rule := range rules {
		var found []string
		for source := range r.Alerts().All() {
			differ := slices.ContainsFunc(rule.Equal, func(name string) bool { return source.Labels.Get(name) != target.Get(name) })
			twoSided := rule.Source.Matches(upstreamLabels(target)) && rule.Target.Matches(upstreamLabels(source.Labels))
			if rule.Target.Matches(upstreamLabels(target)) && rule.Source.Matches(upstreamLabels(source.Labels)) &&
				!source.ResolvedAt(now) && !differ && !twoSided {
				found = append(found, fmt.Sprintf("%016x", source.Fingerprint()))
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// failer is a test or a property.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

// auditInhibition checks that every rule has those alerts at hand that fire and are its sources, and no other.
func auditInhibition(t failer, r *Router) {
	t.Helper()
	in := &r.inhibition
	for i, rule := range in.rules {
		count := 0
		for key, c := range rule.sources {
			if len(c.sources) == 0 || len(c.sources) != len(c.place) {
				t.Errorf("rule %d has %d sources of one key, and places for %d", i, len(c.sources), len(c.place))
			}
			for at, e := range c.sources {
				count++
				if a, _ := r.table.read(e); a.Ended || rule.key(a.Labels) != key || c.place[e] != at || !matchAll(rule.Source, a.Labels) {
					t.Errorf("rule %d takes %s for a source", i, a.Labels)
				}
			}
		}
		for e := range r.table.entries() {
			a, _ := r.table.read(e)
			source, target := matchAll(rule.Source, a.Labels), matchAll(rule.Target, a.Labels)
			if source && !a.Ended {
				count--
			}
			if (source || target) != (e.sides != nil && (slices.Contains(e.sides.source, i) || slices.Contains(e.sides.target, i))) {
				t.Errorf("rule %d and %s do not know each other", i, a.Labels)
			}
		}
		if count != 0 {
			t.Errorf("rule %d has %+d sources that it should not have", i, count)
		}
	}
}

// matchAll is what Alertmanager asks of a side of a rule.
func matchAll(ms labels.Matchers, l Labels) bool {
	return !slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return !m.Matches(l.Get(m.Name)) })
}

// Rules are put to an alert once, when it is first seen. Rules that cannot be asked prove it.
func TestRepetitionsAskNoRule(t *testing.T) {
	d := inhibited(t, `severity="page" > severity="info"`, `alertname="S" > alertname="T"`)
	d.tell("00:00", "S severity=page", "00:10")
	d.tell("00:00", "T severity=info", "00:10")
	for i := range d.inhibition.rules { // a panic if one is asked
		d.inhibition.sources.sets[i], d.inhibition.targets.sets[i] = []condition{{}}, []condition{{}}
	}
	d.tell("00:01", "S severity=page", "00:11") // a touch
	s := labelled("S severity=page")
	d.do(d.Receive([]*Alert{{Labels: s, StartsAt: at("00:00"), EndsAt: at("00:12")}}, at("00:02")))                                  // the same, the long way
	d.do(d.Receive([]*Alert{{Labels: s, StartsAt: at("00:00"), EndsAt: at("00:12"), Annotations: Labels{{"n", "1"}}}}, at("00:03"))) // a change
	if got := d.hush("T severity=info"); got != "S" {
		t.Errorf("inhibited by %q", got)
	}
	d.do(d.Receive([]*Alert{{Labels: s, StartsAt: at("00:00"), EndsAt: at("00:04")}}, at("00:04"))) // the end
	d.now = 5 * time.Minute
	if got := d.hush("T severity=info"); got != "" {
		t.Errorf("inhibited by %q", got)
	}
	d.do(d.Receive([]*Alert{{Labels: s, StartsAt: at("00:06"), EndsAt: at("00:30")}}, at("00:06"))) // and again
	d.clock("00:25")                                                                                // flushes, and the end of T
	if got := d.hush("T severity=info"); got != "S" {
		t.Errorf("inhibited by %q", got)
	}
	asked := func() (asked bool) {
		defer func() { asked = recover() != nil }()
		d.Receive([]*Alert{{Labels: labelled("N severity=page"), EndsAt: at("00:30")}}, at("00:26"))
		return false
	}
	if !asked() {
		t.Error("a new alert was not asked about: the rest of this test proves nothing")
	}
}

// Alerts on the same sides of the same rules share what is known of that.
func TestSidesAreShared(t *testing.T) {
	d := inhibited(t, `severity="page" > severity="info"`)
	for n := range 5 {
		d.tell("00:00", fmt.Sprintf("T severity=info n=%d", n), "00:10")
	}
	d.tell("00:00", "N", "00:10")
	if got := len(d.inhibition.shared); got != 1 {
		t.Errorf("%d different sides, want 1", got)
	}
}

func TestTouchWithRulesTakesNoMemory(t *testing.T) {
	d := inhibited(t, `severity="page" > severity="info" by job`, `severity="info" > severity="page"`)
	d.tell("00:00", "S severity=page", "00:10")
	d.wish(t, about("S", "00:00", "01:00"))
	a := &Alert{Labels: labelled("S severity=page"), Annotations: Labels{{"note", ""}}, StartsAt: began, EndsAt: at("00:11"), GeneratorURL: "http://prometheus/graph"}
	if n := testing.AllocsPerRun(100, func() {
		if !d.Touch(a, at("00:01")) {
			t.Error("not touched")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
