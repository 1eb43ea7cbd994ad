package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/heartbeat"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// What is said at great length, and in scripts of all kinds.
const (
	storyVeryLong = "the replica in eu-west-1 has not applied a transaction for longer than anybody thought possible, and what was to be a short maintenance has become a long night"
)

var storyOdd = []string{"åäö-räksmörgås", "قاعدة البيانات الرئيسية", "🔥 db-7 🔥", "שרת ראשי"}

func storyAlert(s *Shell, n int, labels ...string) AlertRow {
	set := map[string]string{"alertname": "ReplicationLag", "severity": "critical", "instance": fmt.Sprintf("db-%d:9187", n)}
	for i := 0; i < len(labels); i += 2 {
		set[labels[i]] = labels[i+1]
	}
	a := router.Sight{Alert: router.Alert{
		Labels: router.LabelsOf(set), StartsAt: storyNow.Add(-time.Duration(n+1) * 7 * time.Minute),
		Annotations:  router.LabelsOf(map[string]string{"summary": fmt.Sprintf("db-%d is %d s behind", n, 40+n), "description": "It applies no transactions. Look at the disk first.", "runbook_url": "https://runbooks.example.org/lag", "dashboard": "https://grafana.example.org/d/lag"}),
		GeneratorURL: "https://prometheus.example.org/graph?g0.expr=lag",
	}}
	row := (&Pages{}).alertRow(s, &a, alertsAsk{show: map[string]bool{"active": true}}, "", nil)
	row.ID = fmt.Sprintf("a-%d", n)
	return row
}

func storyToggles(on ...string) []Toggle {
	shows := append([]Toggle(nil), alertStates...)
	for i := range shows {
		shows[i].On = strings.Contains(strings.Join(on, " "), shows[i].Name)
	}
	return shows
}

func alertStories() []Story {
	page := func(change func(v *Alerts)) func() framed {
		return func() framed {
			v := &Alerts{Shell: storyShell("alerts", "Alerts"), Shows: storyToggles("active"), Receivers: []string{"db-oncall", "web-oncall"}}
			v.Live = "alerts silences"
			change(v)
			return v
		}
	}
	group := func(v *Alerts, i, rows int) AlertGroup {
		set := router.LabelsOf(map[string]string{"alertname": "ReplicationLag", "service": fmt.Sprintf("db%d", i)})
		g := AlertGroup{
			ID: fmt.Sprintf("group-%d", i), Receiver: "db-oncall", Only: "alerts?receiver=db-oncall", Count: figure(rows, "alert"), Next: v.moment(storyNow.Add(3 * time.Minute)),
			Silence: silenceLink(set), Route: "routes#r-1",
		}
		for _, l := range set {
			g.Labels = append(g.Labels, labelChip(l, alertsAsk{}))
		}
		for n := range rows {
			row := storyAlert(&v.Shell, i*100+n, "service", fmt.Sprintf("db%d", i))
			row.ID = fmt.Sprintf("g%d-%s", i, row.ID)
			g.Rows = append(g.Rows, row)
		}
		return g
	}
	stories := []Story{
		{"alerts", "empty", page(func(v *Alerts) { v.explain(alertsAsk{}) })},
		{"alerts", "nothing-asked-for", page(func(v *Alerts) {
			v.Query, v.Hidden = `service="db"`, hiddenWords(3, false)
			v.Silence = "silences/new?matchers=service%3D%22db%22"
			v.explain(alertsAsk{set: router.MatcherSet{{Name: "service", Value: "db"}}})
		})},
		{"alerts", "error", page(func(v *Alerts) {
			v.Query, v.Wrong = "postgres", `postgres cannot be read: bad matcher format: postgres. Write matchers such as service="db".`
			v.Try = &Link{`alertname=~"(?i).*postgres.*"`, "alerts?filter=alertname%3D~%22postgres%22"}
		})},
		{"alerts", "groups", page(func(v *Alerts) {
			v.Count = "2 groups"
			v.Groups = []AlertGroup{group(v, 1, 2), group(v, 2, 1)}
			v.Groups[0].Rows[0].Incident = &Link{"INC-7", "incidents/INC-7"}
			v.Groups[1].MutedBy = "out-of-hours"
			v.Groups[1].Rows[0].Quiet = []Link{{"Silenced", "silences/6f2b1c1e"}, {"Inhibited by ClusterDown", "alerts"}}
			v.Shows = storyToggles("active", "silenced", "inhibited", "muted")
		})},
		{"alerts", "flat", page(func(v *Alerts) {
			v.Flat, v.Count, v.Query, v.Silence = true, "2 alerts", `severity="critical"`, "silences/new?matchers=severity%3D%22critical%22"
			v.Rows = []AlertRow{storyAlert(&v.Shell, 1), storyAlert(&v.Shell, 2)}
			v.Rows[1].Incident = &Link{"INC-7", "incidents/INC-7"}
		})},
		{"alerts", "odd", page(func(v *Alerts) {
			v.Flat, v.Count = true, "5 alerts"
			for i, odd := range storyOdd {
				row := storyAlert(&v.Shell, i, "alertname", odd, "host", odd, "very_long_label_name_of_somebody_who_likes_to_write_labels", strings.Repeat("x", 200))
				row.Summary = odd + " " + storyVeryLong
				v.Rows = append(v.Rows, row)
			}
			bare := storyAlert(&v.Shell, 9, "alertname", "")
			bare.Labels, bare.Summary, bare.Notes, bare.Source, bare.Runbook = nil, "", nil, "", ""
			v.Rows = append(v.Rows, bare)
		})},
		{"alerts", "many-groups", page(func(v *Alerts) {
			v.Count, v.Next, v.Hidden = "Groups from the 1st on", "alerts?from=50", hiddenWords(812, true)
			for i := range groupsPerPage {
				g := group(v, i, alertsPerGroup)
				g.Count, g.More = "20 alerts", &Link{"Show all 20 alerts", "alerts?view=flat"}
				v.Groups = append(v.Groups, g)
			}
		})},
		{"alerts", "many-alerts", page(func(v *Alerts) {
			v.Flat, v.Count, v.Paged, v.First, v.Next = true, "100,000 alerts", "100 alerts on this page", "alerts?view=flat", "alerts?from=00ff&view=flat"
			for n := range alertsAPage {
				v.Rows = append(v.Rows, storyAlert(&v.Shell, n, "cluster", "eu-west-1", "namespace", fmt.Sprintf("shop-%d", n%7), "pod", fmt.Sprintf("svc-6b8f7c9d54-%06d", n*7919), "team", "payments", "job", "kube-state-metrics"))
			}
		})},
		{"alerts", "trouble", page(func(v *Alerts) {
			v.Trouble = []string{"Nothing is being written to disk, and a restart would forget what happens meanwhile: no space left on device"}
			v.explain(alertsAsk{})
		})},
	}
	return append(append(append(stories, silenceStories()...), routeStories()...), statusStories()...)
}

func storySilence(s *Shell, n int, state router.SilenceState) SilenceRow {
	row := SilenceRow{
		ID: fmt.Sprintf("6f2b1c1e-52a5-4d6e-8f7e-%012d", n), Path: fmt.Sprintf("silences/6f2b1c1e-52a5-4d6e-8f7e-%012d", n), State: string(state),
		Matchers: [][]string{{`service="db"`, `severity=~"warning|info"`}}, Alerts: "alerts?filter=service%3D%22db%22", By: "ana", Comment: "moving the replicas to new disks",
		From: s.moment(storyNow.Add(time.Hour)), To: s.moment(storyNow.Add(4 * time.Hour)), Named: `service="db", severity=~"warning|info"`, Again: "silences/new?matchers=service%3D%22db%22",
	}
	switch state {
	case router.SilenceActive:
		row.Mutes, row.Few = "Mutes 12 alerts now", []string{"ReplicationLag", "DiskFull"}
	case router.SilenceExpired:
		row.To = s.moment(storyNow.Add(-time.Hour))
	}
	return row
}

func silenceStories() []Story {
	tabs := func(at string) []SilenceTab {
		return []SilenceTab{{"Active (2)", "silences?state=active", at == "active"}, {"To come (1)", "silences?state=pending", at == "pending"}, {"Over (312)", "silences?state=expired", at == "expired"}, {"Recurring (2)", "silences?state=recurring", at == "recurring"}}
	}
	page := func(tab string, change func(v *Silences)) func() framed {
		return func() framed {
			v := &Silences{Shell: storyShell("silences", "Silences"), Tab: tab, Tabs: tabs(tab), Spans: longer}
			v.Live = "silences alerts"
			change(v)
			return v
		}
	}
	fresh := func(change func(v *NewSilence)) func() framed {
		return func() framed {
			v := &NewSilence{Shell: storyShell("silences", "New silence"), Spans: append([]Span(nil), spans...), ZoneName: "UTC"}
			v.Spans[1].At = true
			change(v)
			return v
		}
	}
	seen := func(v *NewSilence) {
		v.Matchers, v.Comment, v.When, v.Button = "service=\"db\"\nseverity=~\"warning|info\"", "moving the replicas", "From now on, until 04:17 UTC (1 h 0 min).", "Silence 22 alerts"
		v.Keep = []Hidden{{"matchers", `service="db"`}, {"until", "2026-10-25T04:17:00Z"}}
		v.Sees = &Foresight{
			Count: 22, Now: "22 alerts", All: "alerts?filter=service%3D%22db%22", More: "and 19 more", Paused: "2 open incidents",
			Incidents: []Link{{"INC-7 replica is behind", "incidents/INC-7"}, {"INC-9 " + storyVeryLong, "incidents/INC-9"}},
			Past:      "31 alerts that fired for 2 d 4 h in all", Kept: "4 incidents would have paged nobody: 9 pages.",
			Names: []PastName{{Name: "ReplicationLag", Times: "20", For: "1 d 22 h"}, {Name: "قاعدة البيانات", Times: "11", For: "6 h 0 min"}},
		}
		for n := range 3 {
			row := storyAlert(&v.Shell, n)
			row.Notes = nil
			v.Sees.Alerts = append(v.Sees.Alerts, row)
		}
	}
	return []Story{
		{"silences", "empty", page("active", func(*Silences) {})},
		{"silences", "none-to-come", page("pending", func(*Silences) {})},
		{"silences", "none-over", page("expired", func(*Silences) {})},
		{"silences", "active", page("active", func(v *Silences) {
			v.Rows = []SilenceRow{storySilence(&v.Shell, 1, router.SilenceActive), storySilence(&v.Shell, 2, router.SilenceActive)}
			v.Rows[0].Clears, v.Rows[1].Plan = true, "weekly-reindex"
			v.Rows[1].Mutes, v.Rows[1].Few = "Mutes nothing now", nil
		})},
		{"silences", "pending", page("pending", func(v *Silences) { v.Rows = []SilenceRow{storySilence(&v.Shell, 1, router.SilencePending)} })},
		{"silences", "expired", page("expired", func(v *Silences) {
			v.Paged, v.Next = "1 to 50 of 312 silences", "silences?state=expired&from=50"
			for n := range silencesPerPage {
				v.Rows = append(v.Rows, storySilence(&v.Shell, n, router.SilenceExpired))
			}
		})},
		{"silences", "odd", page("active", func(v *Silences) {
			row := storySilence(&v.Shell, 1, router.SilenceActive)
			row.Matchers = [][]string{{`host="` + storyOdd[1] + `"`}, {`name="` + strings.Repeat("y", 100) + `"`, `emoji="🔥"`}}
			row.Alerts, row.Again, row.By, row.Comment = "", "", storyOdd[3], storyVeryLong+" "+storyOdd[0]
			v.Rows = []SilenceRow{row}
		})},
		{"silences", "recurring", page("recurring", func(v *Silences) {
			plan := engine.Plan{Name: "weekly-reindex", Matchers: []router.MatcherSet{{{Name: "service", Value: "batch"}}}, Cron: "0 22 * * SUN", For: 2 * time.Hour, TimeZone: "Europe/Lisbon", Comment: "reindexing", CreatedBy: "ana", ExpireWhenResolved: true}
			file := plan
			file.Name, file.FromFile, file.Text = "Wartung åäö", true, "every Sunday from 02:00 to 04:00 in Europe/Lisbon"
			v.Plans = []PlanRow{
				planRow(&v.Shell, engine.PlanView{Plan: plan, Next: oncall.Occurrence{From: storyNow.Add(40 * time.Hour), To: storyNow.Add(42 * time.Hour)}}),
				planRow(&v.Shell, engine.PlanView{Plan: file, Next: oncall.Occurrence{From: storyNow.Add(-time.Hour), To: storyNow.Add(time.Hour)}}),
			}
			v.Plan = &PlanForm{Zone: "UTC", For: "2h"}
		})},
		{"silences", "recurring-refused", page("recurring", func(v *Silences) {
			v.Plan = &PlanForm{Name: "x", Matchers: `a="b"`, Cron: "every day", For: "2h", Zone: "UTC", Clears: true, Wrong: "Nothing was done: cron has five fields, not 2."}
		})},
		{"silence", "active", func() framed {
			v := &OneSilence{Shell: storyShell("silences", "Silence"), Spans: longer}
			v.Row = storySilence(&v.Shell, 1, router.SilenceActive)
			v.Sees = &Foresight{Count: 1, All: "alerts", Alerts: []AlertRow{storyAlert(&v.Shell, 1)}}
			return v
		}},
		{"silence", "expired", func() framed {
			v := &OneSilence{Shell: storyShell("silences", "Silence"), Spans: longer}
			v.Row = storySilence(&v.Shell, 1, router.SilenceExpired)
			return v
		}},
		{"newsilence", "empty", fresh(func(*NewSilence) {})},
		{"newsilence", "seen", fresh(seen)},
		{"newsilence", "warned", fresh(func(v *NewSilence) {
			seen(v)
			v.Button = "Make the silence"
			v.Sees = &Foresight{Now: "0 alerts", All: "alerts", Warnings: []string{"It matches no alert that fires or fired in the last seven days. See that the names and values are right.", "It would hold for more than 30 days. By then nobody remembers it; change the alert's rule or its route instead."}}
		})},
		{"newsilence", "refused", fresh(func(v *NewSilence) {
			v.Matchers, v.Wrong, v.From = `service=`, `Service= cannot be read: expected a value.`, "2026-10-25T05:00"
		})},
	}
}

func routeStories() []Story {
	rows := func() []RouteRow {
		return []RouteRow{
			{ID: "r-1", Deep: "The first route", Receiver: "everybody", Alerts: "alerts?receiver=everybody", Counts: "3 alerts in 2 groups now", GroupBy: "grouped by alertname, cluster", Waits: "waits 30s, then at least every 5m, repeats after 4h"},
			{ID: "r-2", Depth: 1, Deep: "Below the first route", Matchers: []string{`team="db"`}, Receiver: "db-oncall", Alerts: "alerts?receiver=db-oncall", Policy: "db", Continue: true, Counts: "1 alert in 1 group now", GroupBy: "each alert for itself", Waits: "waits 30s, then at least every 5m, repeats after 4h", Hours: "is silent during out-of-hours", MutedBy: "out-of-hours"},
			{ID: "r-3", Depth: 2, Deep: "2 levels below the first route", Matchers: []string{`severity=~"critical|page"`, `host="` + storyOdd[1] + `"`}, Receiver: storyOdd[0], Alerts: "alerts", GroupBy: "all its alerts in one group", Waits: "waits 0s, then at least every 1m, repeats after 1h"},
		}
	}
	page := func(change func(v *Routes)) func() framed {
		return func() framed {
			v := &Routes{Shell: storyShell("routes", "Routes"), Rows: rows(), Paged: "3 routes"}
			change(v)
			return v
		}
	}
	return []Story{
		{"routes", "tree", page(func(*Routes) {})},
		{"routes", "error", page(func(v *Routes) { v.Text, v.Wrong = "nonsense", `Nonsense is no label; write name="value".` })},
		{"routes", "many", page(func(v *Routes) {
			v.Rows, v.Paged, v.Next = nil, "Routes 1 to 200 of 4,000", "routes?from=200"
			for n := range routesPerPage {
				row := rows()[1]
				row.ID, row.Matchers, row.Receiver = fmt.Sprintf("r-%d", n), []string{fmt.Sprintf(`team="team-%d"`, n)}, fmt.Sprintf("team-%d-oncall", n)
				v.Rows = append(v.Rows, row)
			}
		})},
		{"routes", "traced", page(func(v *Routes) {
			v.Text = "alertname=\"ReplicationLag\"\nteam=\"db\""
			v.Traced = &Traced{
				Labels: []string{`alertname="ReplicationLag"`, `team="db"`}, Fires: true, Only: "alerts?view=flat", Made: "silences/new?matchers=x",
				Takes:    []TakenBy{{Receiver: "db-oncall", Link: "routes#r-2", Group: []string{`alertname="ReplicationLag"`}, Key: `{}/{team="db"}:{alertname="ReplicationLag"}`, Next: v.moment(storyNow.Add(2 * time.Minute)), Policy: "db", MutedBy: "out-of-hours"}},
				Visits:   []VisitRow{{Receiver: "everybody", Link: "routes#r-1", Sign: "→", Verdict: "matches, and a route below takes it"}, {Depth: 1, Matchers: []string{`team="db"`}, Receiver: "db-oncall", Link: "routes#r-2", Sign: "✓", Verdict: "takes it"}, {Depth: 2, Matchers: []string{`severity="page"`}, Receiver: "pager", Link: "routes#r-3", Sign: "✗", Verdict: `does not match: wants severity="page", and the alert has no such label`}},
				Silenced: []Link{{"A silence until 04:17 UTC by ana: moving the replicas", "silences/1"}}, Inhibit: &Link{"ClusterDown, by the rule 0", "alerts"},
				Happens: []HappenRow{{"30s", v.moment(storyNow.Add(30 * time.Second)), "Incident opens, sev2", "1 alert fires, routed to db-oncall"}, {"30s", v.moment(storyNow.Add(30 * time.Second)), "Pages Ana Duarte (ana) by chat", "step 1 of policy db began"}, {"5m30s", v.moment(storyNow.Add(330 * time.Second)), "Pages bo by phone", "no acknowledgement of step 1 in 5m"}},
			}
		})},
		{"routes", "traced-to-nobody", page(func(v *Routes) {
			v.Text = "a=\"b\""
			v.Traced = &Traced{Labels: []string{`a="b"`}, Made: "silences/new?matchers=x", Takes: []TakenBy{{Receiver: "everybody", Link: "routes#r-1", Key: "{}:{}", Waits: "No such group yet: it would speak after 30s, and then at least every 5m while it has news."}}, Told: "Nobody hears of this alert: no receiver on its way sends anything or opens incidents."}
		})},
	}
}

func statusStories() []Story {
	facts := func() Facts {
		return Facts{
			Started: storyNow.Add(-50 * time.Hour), External: "https://midwatch.example.org/", Upstream: "Alertmanager 0.34.2", ConfigFile: "/etc/midwatch/midwatch.yml", ConfigLoaded: storyNow.Add(-3 * time.Hour),
			Config: "route:\n  receiver: db-oncall\nreceivers:\n- name: db-oncall\n  slack_configs:\n  - api_url: <secret>\n", StoreBytes: 48 << 20, FreeBytes: 12 << 30,
			Channels: []ChannelFacts{{Whose: "ana", By: "chat", State: "connected", LastSuccess: storyNow.Add(-10 * time.Minute)}, {Whose: "db-oncall", By: "slack", State: "unknown"}},
			Cluster:  &ClusterFacts{Name: "01JD", Status: "ready", Wanted: 1, Peers: []Fact{{Name: "01JD", Text: "10.0.0.1:9094"}, {Name: "01JE", Text: "10.0.0.2:9094"}}},
			Limits:   []Fact{{Name: "Alerts of one name", Text: "any number"}, {Name: "Silences", Text: "any number"}},
		}
	}
	page := func(f Facts, pulse engine.Pulse, beats ...engine.HeartbeatView) func() framed {
		return func() framed {
			v := &StatusPage{Shell: storyShell("status", "Status")}
			v.fill(f, pulse, beats)
			v.Process[0].Text = "Midwatch 1.2.3, go1.26" // whatever builds this
			return v
		}
	}
	fine := engine.Pulse{Received: storyNow.Add(-20 * time.Second), Committed: storyNow.Add(-21 * time.Second), Pending: 2}
	bad := facts()
	bad.Refused, bad.FreeBytes, bad.Cluster.Peers = `midwatch.yml:14: schedule "db" has nobody to rotate`, 3<<20, bad.Cluster.Peers[:1]
	bad.Channels = append(bad.Channels, ChannelFacts{Whose: storyOdd[1], By: "phone", State: "failing", LastFailure: storyNow.Add(-time.Minute), Error: "503 Service Unavailable: " + storyVeryLong, Failures: 3, Waiting: 12})
	many := facts()
	for n := range channelsShown + 20 {
		many.Channels = append(many.Channels, ChannelFacts{Whose: fmt.Sprintf("user-%d", n), By: "chat", State: "connected", LastSuccess: storyNow.Add(-time.Duration(n) * time.Minute)})
	}
	many.Config = strings.Repeat("- receiver: team-oncall\n  matchers: ['team=\"db\"']\n", 2000)
	return []Story{
		{"status", "fine", page(facts(), fine, engine.HeartbeatView{Heartbeat: engine.Heartbeat{Name: "prometheus", Every: time.Minute}, State: heartbeat.Fine, Last: storyNow.Add(-20 * time.Second)})},
		{"status", "bare", page(Facts{Started: storyNow}, engine.Pulse{})},
		{"status", "trouble", page(bad, engine.Pulse{Received: storyNow.Add(-time.Hour), Committed: storyNow.Add(-time.Hour), Backlog: 4 << 20, Trouble: "no space left on device", Lag: 90 * time.Second, Pending: 1200},
			engine.HeartbeatView{Heartbeat: engine.Heartbeat{Name: "backup " + storyOdd[2], Every: 24 * time.Hour}, State: heartbeat.Late, Reason: "it was not heard for 26 h", Incident: "INC-4"},
			engine.HeartbeatView{Heartbeat: engine.Heartbeat{Name: "old", Every: time.Hour}, State: heartbeat.Paused}, engine.HeartbeatView{Heartbeat: engine.Heartbeat{Name: "new", Every: time.Hour}, State: heartbeat.New})},
		{"status", "many", page(many, fine)},
	}
}
