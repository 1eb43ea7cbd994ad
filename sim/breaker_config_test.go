package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/common/promslog"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

var (
	breakerUsers = []string{"ana", "bo", "cy", "di", "eva", "fay"}
	breakerZones = []string{"Europe/Lisbon", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"}

	// A world begins a day or two before clocks are changed somewhere, or on a quiet day.
	breakerStarts = []time.Time{
		time.Date(2026, 3, 6, 20, 0, 0, 0, time.UTC), time.Date(2026, 3, 27, 22, 0, 0, 0, time.UTC),
		time.Date(2026, 4, 3, 20, 0, 0, 0, time.UTC), time.Date(2026, 10, 2, 20, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 23, 22, 0, 0, 0, time.UTC), time.Date(2026, 10, 30, 20, 0, 0, 0, time.UTC),
		time.Date(2026, 6, 10, 6, 0, 0, 0, time.UTC),
	}
)

// A bhouse is a random configuration as its file would have it. What a reload may change is in settled or in later.
type bhouse struct {
	teams                int
	routing, people      string
	settled, later       string // schedules and policies, before and after the reload
	groupWait, groupTime time.Duration
	patient              bool // people hear of some pages only a while later; else some steps page in turn
}

func (h *bhouse) text(reloaded bool) string {
	if reloaded {
		return h.routing + h.people + h.later
	}
	return h.routing + h.people + h.settled
}

// one picks one of them.
func one[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// chance is true so many times in a hundred.
func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

func randomHouse(r *rand.Rand) *bhouse {
	h := &bhouse{
		teams: 1 + r.IntN(4), groupWait: one[time.Duration](r, 0, 10, 30, 60) * time.Second, groupTime: one[time.Duration](r, 1, 2, 5) * time.Minute, patient: chance(r, 50),
	}
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }

	p("route:\n  receiver: team0\n  group_by: %s\n  group_wait: %s\n  group_interval: %s\n  repeat_interval: 4h\n  routes:\n",
		one(r, "[alertname]", "[alertname]", "[alertname, host]", "[team]"), FormatElapsed(h.groupWait), FormatElapsed(h.groupTime))
	for i := range h.teams {
		p("    - {matchers: ['team=\"t%d\"'], receiver: team%d}\n", i, i)
	}
	p("receivers:\n")
	for i := range h.teams {
		hook := ""
		if chance(r, 25) {
			hook = fmt.Sprintf(", webhook_configs: [{url: 'http://board.example/%d'}]", i)
		}
		p("  - {name: team%d, incident_configs: [{escalation_policy: p%d, scope: %s, auto_resolve: %v}]%s}\n",
			i, i, one(r, "group", "group", "alert"), !chance(r, 15), hook)
	}
	p("  - name: channel\n    webhook_configs: [{url: 'http://chat.example/1'}, {url: 'http://chat.example/2', send_resolved: false}]\n")
	p("severities: {page: sev1}\n")
	p("paging:\n  catch_all: %s\n  catch_all_every: %s\n  reopen_window: %s\n",
		one(r, "{user: fay}", "{user: fay}", "{receiver: channel}"), one(r, "1h", "4h"), one(r, "5m", "15m"))
	if chance(r, 30) {
		p("maintenance:\n  - {name: weekly, matchers: ['alertname=\"%s\"'], time_zone: %s, cron: '%d %d * * *', for: 90m}\n",
			one(r, "Lag", "Disk"), one(r, breakerZones...), r.IntN(60), r.IntN(24))
	}
	h.routing = b.String()

	b.Reset()
	p("users:\n")
	for _, u := range breakerUsers {
		methods := []string{"chat", "phone", "mail"}[:1+r.IntN(3)]
		p("  - name: %s\n    contact_methods:\n", u)
		for _, m := range methods {
			p("      %s: {webhook: {url: 'http://%s.example/%s', send_resolved: %v}}\n", m, m, u, chance(r, 50))
		}
		if chance(r, 50) {
			continue // every method at once
		}
		p("    notification_rules:\n")
		for _, urgency := range []string{"high", "low"} {
			p("      %s:\n", urgency)
			after := time.Duration(0)
			if h.patient {
				after = time.Duration(r.IntN(3)/2) * time.Minute
			}
			for range 1 + r.IntN(3) {
				p("        - {via: [%s], after: %s}\n", one(r, methods...), FormatElapsed(after))
				after += time.Duration(1+r.IntN(6)) * time.Minute
			}
		}
	}
	h.people = b.String()

	h.settled = h.schedulesAndPolicies(r)
	h.later = h.schedulesAndPolicies(r)
	return h
}

func (h *bhouse) schedulesAndPolicies(r *rand.Rand) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	people := func(n int) string {
		all := append([]string(nil), breakerUsers[:5]...)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if chance(r, 15) {
			all[0] = "nobody"
		}
		return "[" + strings.Join(all[:n], ", ") + "]"
	}
	p("schedules:\n")
	for i := range 4 {
		p("  - name: s%d\n    time_zone: %s\n    layers:\n", i, one(r, breakerZones...))
		for j := range 1 + r.IntN(2) {
			p("      - name: l%d\n        rotation: {users: %s, start: 2026-01-0%d 0%d:30, every: %s}\n",
				j, people(1+r.IntN(4)), 1+r.IntN(9), r.IntN(10), one(r, "1d", "12h", "8h", "1w", "36h"))
			if chance(r, 30) {
				p("        active: [{from: \"%02d:00\", to: \"%02d:30\"}]\n", r.IntN(12), 12+r.IntN(12))
			}
			if j > 0 && chance(r, 50) {
				p("        mode: add\n")
			}
		}
	}
	target := func() string {
		switch r.IntN(10) {
		case 0:
			return "{receiver: channel}"
		case 1, 2, 3, 4:
			return fmt.Sprintf("{schedule: s%d}", r.IntN(4))
		default:
			return fmt.Sprintf("{user: %s}", one(r, breakerUsers...))
		}
	}
	p("escalation_policies:\n")
	for i := range h.teams {
		p("  - name: p%d\n    repeat: %s\n", i, one(r, "0", "1", "2", "forever"))
		steps := 1 + r.IntN(3)
		if chance(r, 30) {
			p("    repeat_from: %d\n", 1+r.IntN(steps))
		}
		p("    steps:\n")
		for range steps {
			n := 1 + r.IntN(3)
			seen := map[string]bool{}
			var targets []string
			for len(targets) < n {
				if t := target(); !seen[t] {
					seen[t] = true
					targets = append(targets, t)
				}
			}
			extra := ""
			switch r.IntN(6) {
			case 0:
				if !h.patient { // whose turn was taken could not be seen
					extra = ", assign: round_robin"
				}
			case 1:
				extra = ", require_acks: 2"
			case 2:
				extra = ", require_acks: all"
			}
			if strings.Contains(extra, "require_acks") && strings.Contains(strings.Join(targets, ""), "receiver") {
				extra = ""
			}
			if extra == ", require_acks: 2" && n < 2 {
				extra = ""
			}
			p("      - {notify: [%s], escalate_after: %s%s}\n", strings.Join(targets, ", "), one(r, "1m", "3m", "5m", "10m", "20m"), extra)
		}
		if chance(r, 40) {
			p("    ack_timeout: {sev1: 10m, sev2: %s, sev3: 1h}\n", one(r, "15m", "30m", "2h"))
		}
		switch r.IntN(6) {
		case 0:
			p("    urgency: low\n")
		case 1:
			p("    urgency: high\n")
		case 2:
			p("    urgency: support_hours\n    support_hours: {time_zone: %s, active: [{from: \"%02d:15\", to: \"%02d:45\"}]}\n",
				one(r, breakerZones...), r.IntN(12), 12+r.IntN(12))
		}
		if chance(r, 30) {
			p("    low_urgency: notify_only\n")
		}
	}
	return b.String()
}

// readHouse makes of a configuration's text what the engine decides by, as the daemon does.
func readHouse(t testing.TB, text string) *engine.Config {
	t.Helper()
	cfg, faults := config.Load([]byte(text), config.Options{File: "world", Dir: "testdata"})
	if err := faults.Err(); err != nil {
		t.Fatalf("a random configuration is refused: %v\n%s", err, text)
	}
	known := map[string]*oncall.Hours{}
	out := &engine.Config{
		Routing: router.Options{
			Root: dispatch.NewRoute(cfg.Upstream.Route, nil), Receivers: map[string][]router.Integration{},
			ResolveTimeout: time.Duration(cfg.Upstream.Global.ResolveTimeout), Steady: map[string]bool{},
		},
		Users: map[string]engine.User{}, Schedules: cfg.Schedules, Policies: cfg.Policies, Paging: cfg.Paging,
		ReopenWindow: cfg.ReopenWindow, Incidents: map[string]engine.IncidentConfig{}, Severity: cfg.Severities.Of,
		Hours: func(h escalation.Hours) (*oncall.Hours, error) {
			key := fmt.Sprint(h)
			if known[key] == nil {
				hours, err := cfg.Hours(h)
				if err != nil {
					return nil, err
				}
				known[key] = hours
			}
			return known[key], nil
		},
	}
	for _, m := range cfg.Maintenance {
		var set router.MatcherSet
		for _, lm := range m.Matchers {
			set = append(set, router.Matcher{Name: lm.Name, Type: lm.Type, Value: lm.Value})
		}
		out.Maintenance = append(out.Maintenance, engine.Plan{Name: m.Name, Matchers: []router.MatcherSet{set}, TimeZone: m.TimeZone, Text: m.Text, Windows: m.Recurrence})
	}
	for _, r := range cfg.Upstream.Receivers {
		for i, w := range r.WebhookConfigs {
			out.Routing.Receivers[r.Name] = append(out.Routing.Receivers[r.Name], router.Integration{Name: "webhook", Index: i, SendResolved: w.SendResolved()})
		}
	}
	for name, u := range cfg.Users {
		user := engine.User{Name: name, TimeZone: u.TimeZone, High: u.High, Low: u.Low, Digests: u.Digests, Notices: u.Notices}
		for _, m := range u.Methods {
			hooks := m.Receiver.WebhookConfigs
			user.Methods = append(user.Methods, engine.Method{Name: m.Name, SendResolved: len(hooks) > 0 && hooks[0].SendResolved()})
		}
		out.Users[name] = user
	}
	for receiver, ic := range cfg.Incidents {
		out.Routing.Steady[receiver] = true
		out.Incidents[receiver] = engine.IncidentConfig{
			Policy: ic.Policy, Scope: incident.Scope(ic.Scope), AutoResolve: ic.AutoResolve,
			Title: func(s engine.Subject) string { return s.Alerts[0].Name() },
		}
	}
	return out
}

func init() { compat.InitFromFlags(promslog.NewNopLogger(), featurecontrol.NoopFlags{}) }
