package router

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"
)

// Names and values of which the random trees and alerts are made: few, so that they meet. More names than fewDoors, and
// pairs of values of which one begins as the other.
var (
	wayNames  = []string{"alertname", "app", "cluster", "env", "job", "namespace", "region", "service", "severity", "team", "zone"}
	wayValues = []string{"a", "b", "ab", "prod", "production"}
	wayTexts  = []string{
		"", "a", "b", "ab", "a|b", "a|", "(a|b)b?", "a?b", "[ab]", "[^a]", "a.*", ".*b", ".+", ".*", "prod|production", "(?i)A|b", "prod.*|a", "a)|(?:b", "(?m)^a$",
	}
)

func drawMatcher(t *rapid.T) *labels.Matcher {
	kind := rapid.SampledFrom([]labels.MatchType{labels.MatchEqual, labels.MatchEqual, labels.MatchEqual, labels.MatchNotEqual, labels.MatchRegexp, labels.MatchNotRegexp}).Draw(t, "type")
	value := rapid.SampledFrom(append([]string{""}, wayValues...)).Draw(t, "value")
	if kind == labels.MatchRegexp || kind == labels.MatchNotRegexp {
		value = rapid.SampledFrom(wayTexts).Draw(t, "pattern")
	}
	m, err := labels.NewMatcher(kind, rapid.SampledFrom(wayNames).Draw(t, "name"), value)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// drawRoute is a route with all that is below it. Matchers are written in all the ways that a file knows.
func drawRoute(t *rapid.T, depth int) *config.Route {
	r := &config.Route{Receiver: "r", Continue: rapid.Bool().Draw(t, "continue")}
	for range rapid.IntRange(0, 2).Draw(t, "matchers") {
		switch m := drawMatcher(t); {
		case m.Type == labels.MatchEqual && rapid.Bool().Draw(t, "old"):
			if r.Match == nil {
				r.Match = map[string]string{}
			}
			r.Match[m.Name] = m.Value
		case m.Type == labels.MatchRegexp && rapid.Bool().Draw(t, "old"):
			re, err := regexp.Compile("^(?:" + m.Value + ")$")
			if err != nil {
				t.Fatal(err)
			}
			if r.MatchRE == nil {
				r.MatchRE = common.MatchRegexps{}
			}
			r.MatchRE[m.Name] = common.Regexp{Regexp: re}
		default:
			r.Matchers = append(r.Matchers, m)
		}
	}
	if depth > 1 && rapid.IntRange(0, 3).Draw(t, "wide") == 0 { // each below goes by another label
		for _, name := range wayNames {
			value := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "value")
			m, err := labels.NewMatcher(labels.MatchEqual, name, value)
			if err != nil {
				t.Fatal(err)
			}
			r.Routes = append(r.Routes, &config.Route{Receiver: "r", Continue: rapid.IntRange(0, 2).Draw(t, "continue") > 0, Matchers: common.Matchers{m}})
		}
	}
	if depth > 0 {
		for range rapid.IntRange(0, 14).Draw(t, "below") {
			if n := len(r.Routes); n > 0 && rapid.IntRange(0, 5).Draw(t, "twin") == 0 {
				twin := *r.Routes[n-1] // siblings that ask for the same
				r.Routes = append(r.Routes, &twin)
				continue
			}
			r.Routes = append(r.Routes, drawRoute(t, depth-1))
		}
	}
	return r
}

// Whatever the tree and the alert, the routes are those that Alertmanager finds, in its order, and have its IDs and keys.
func TestRoutesAreAlertmanagers(t *testing.T) {
	deepest, most := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		tree := drawRoute(t, 3)
		if rapid.IntRange(0, 9).Draw(t, "root") > 0 {
			tree.Match, tree.MatchRE, tree.Matchers = nil, nil, nil // as a file must have it
		}
		root := dispatch.NewRoute(tree, nil)
		nodes := map[*dispatch.Route]*node{}
		var order []*dispatch.Route
		plan := plant(root, func(n *node) {
			nodes[n.route] = n
			order = append(order, n.route)
		})
		var walked []*dispatch.Route
		root.Walk(func(r *dispatch.Route) {
			walked = append(walked, r)
			if n := nodes[r]; n.id != r.ID() || n.key != r.Key() {
				t.Fatalf("route %s with key %s, want %s and %s", n.id, n.key, r.ID(), r.Key())
			}
		})
		if !slices.Equal(order, walked) {
			t.Fatal("the nodes are made in another order than that of the file")
		}
		for range 20 {
			set := model.LabelSet{}
			for range rapid.IntRange(0, 6).Draw(t, "labels") {
				set[model.LabelName(rapid.SampledFrom(wayNames).Draw(t, "name"))] = model.LabelValue(rapid.SampledFrom(wayValues).Draw(t, "value"))
			}
			l := LabelsOf(set)
			want := root.Match(set)
			var got []*dispatch.Route
			for _, n := range plan.match(l, nil) {
				got = append(got, n.route)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%v goes to %v, want %v", l, routeIDs(got), routeIDs(want))
			}
			for _, n := range want {
				if by := groupedBy(&n.RouteOpts, l); !nodes[n].groupLabels(nil, l).Equal(by) {
					t.Fatalf("%v is grouped at %v by %v, want %v", l, n.ID(), nodes[n].groupLabels(nil, l), by)
				}
				deepest = max(deepest, len(nodes[n].id))
			}
			most = max(most, len(want))
		}
	})
	if most < 5 || deepest < 20 {
		t.Errorf("alerts have at most %d routes, none with an ID of more than %d bytes: the trees are too small to tell", most, deepest)
	}
}

func routeIDs(routes []*dispatch.Route) (ids []string) {
	for _, r := range routes {
		ids = append(ids, r.ID())
	}
	return ids
}

// A condition is what Alertmanager's matcher is, also of values that are no text.
func TestConditionsAreMatchers(t *testing.T) {
	values := append([]string{"", "A", "B", "abb", "bb", "aa", "a\n", "\xff", "�", "x\xff", "prod\nx", "k", "K", "K"}, wayValues...)
	texts := append([]string{"\uFFFD", "x�|a", "[�a]", "(?i)k", "[[:alpha:]]", `\Qa.b\E|ab`, "(?s)prod.*", "(a|b)(a|b)(a|b)", "a{2}", "a{1,3}", `a\b`, "(?m:a$)|b", "^a$", "ab|a|b|ab|", "(?:a|b)|(?:b|ab)"}, wayTexts...)
	for _, kind := range []labels.MatchType{labels.MatchEqual, labels.MatchNotEqual, labels.MatchRegexp, labels.MatchNotRegexp} {
		for _, text := range texts {
			m, err := labels.NewMatcher(kind, "x", text)
			if err != nil {
				t.Fatal(err)
			}
			c := newCondition(m)
			for _, v := range values {
				if got, want := c.holds(v), m.Matches(v); got != want {
					t.Errorf("%v of %q is %t, want %t", m, v, got, want)
				}
				if wants := c.wants(); m.Matches(v) && wants != nil && !slices.Contains(wants, v) {
					t.Errorf("%v matches %q, and wants one of %q", m, v, wants)
				}
			}
		}
	}
}

// What a pattern lists is known; what would be too much, or is more than a list, is not.
func TestListedValues(t *testing.T) {
	for _, c := range []struct {
		pattern string
		want    []string
	}{
		{"critical|page", []string{"critical", "page"}},
		{"svc-0|svc-1|svc-", []string{"svc-", "svc-0", "svc-1"}},
		{"(eu|us)-(west|east)-[12]", []string{"eu-east-1", "eu-east-2", "eu-west-1", "eu-west-2", "us-east-1", "us-east-2", "us-west-1", "us-west-2"}},
		{`10\.0\.0\.1:9100`, []string{"10.0.0.1:9100"}},
		{"colou?r", []string{"color", "colour"}},
		{"", []string{""}},
		{"a|", []string{"", "a"}},
		{"a.*", nil},
		{"(?i)page", nil},
		{"[a-z][a-z]", nil},
		{"a)|(?:b", nil},
		{"(?m)a$", nil},
	} {
		if got := listed(c.pattern); !slices.Equal(got, c.want) {
			t.Errorf("%s lists %q, want %q", c.pattern, got, c.want)
		}
	}
}

// To find the routes of an alert takes no memory.
func TestMatchAllocatesNothing(t *testing.T) {
	root := dispatch.NewRoute(manyRoutes(1000), nil)
	plan := plant(root, func(*node) {})
	l := benchAlerts(1)[0].Labels
	found := make([]*node, 0, 8)
	if n := testing.AllocsPerRun(100, func() { found = plan.match(l, found[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// manyRoutes is a tree as large houses have it: teams, each with its services and severities, and some patterns before them.
func manyRoutes(n int) *config.Route {
	matcher := func(kind labels.MatchType, name, value string) *labels.Matcher {
		m, err := labels.NewMatcher(kind, name, value)
		if err != nil {
			panic(err)
		}
		return m
	}
	hour := model.Duration(time.Hour)
	root := &config.Route{Receiver: "db", RepeatInterval: &hour}
	add := func(to *config.Route, on bool, ms ...*labels.Matcher) *config.Route {
		r := &config.Route{Receiver: "db", Continue: on, Matchers: ms}
		to.Routes = append(to.Routes, r)
		n--
		return r
	}
	add(root, true, matcher(labels.MatchRegexp, "severity", "critical|page"), matcher(labels.MatchNotEqual, "env", "test"))
	add(root, false, matcher(labels.MatchRegexp, "alertname", "Watchdog|InfoInhibitor"))
	for team := 0; n > 0; team++ {
		r := add(root, false, matcher(labels.MatchEqual, "namespace", fmt.Sprintf("team-%d", team)))
		for i := 0; i < 9 && n > 0; i++ {
			add(r, i%3 == 0, matcher(labels.MatchEqual, "alertname", fmt.Sprintf("Alert%d", i*5)), matcher(labels.MatchRegexp, "severity", "critical|warning"))
		}
	}
	return root
}

// BenchmarkMatch finds the routes of alerts whose routes are anywhere in the tree: as Alertmanager does, with the label set
// that it wants, and as we do.
func BenchmarkMatch(b *testing.B) {
	for _, size := range []int{50, 1000, 10_000} {
		root := dispatch.NewRoute(manyRoutes(size), nil)
		plan := plant(root, func(*node) {})
		alerts := benchAlerts(1000)
		for i, a := range alerts {
			for j := range a.Labels {
				if a.Labels[j].Name == "namespace" {
					a.Labels[j].Value = fmt.Sprintf("team-%d", i*7%(size/10+1))
				}
			}
		}
		b.Run(fmt.Sprint(size, " routes/Alertmanager"), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				root.Match(upstreamLabels(alerts[i%len(alerts)].Labels))
			}
		})
		b.Run(fmt.Sprint(size, " routes/ours"), func(b *testing.B) {
			var found []*node
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				found = plan.match(alerts[i%len(alerts)].Labels, found[:0])
			}
		})
	}
}
