package web

import (
	"fmt"
	"strings"
	"time"
)

// Rows of the stories.
func storyRow(s *Shell, n int, severity, status, title string) IncidentRow {
	row := IncidentRow{
		ID: fmt.Sprintf("INC-%d", n), Link: fmt.Sprintf("incidents/INC-%d", n), Title: title, Severity: severity, How: severityWord(severity), Status: status,
		Opened: s.moment(storyNow.Add(-time.Duration(n%50) * 7 * time.Minute)), Standing: "nobody has it", CanAck: status == "triggered",
	}
	switch status {
	case "triggered":
		row.Next, row.Who = s.moment(storyNow.Add(time.Duration(n%9+1)*time.Minute)), "bo, cy"
	case "acknowledged":
		row.Standing = "bo has it"
	case "resolved":
		row.Standing, row.Ended = "resolved", s.moment(storyNow.Add(-3*time.Hour))
	}
	return row
}

const (
	oddArabic = "قاعدة البيانات متأخرة عن النسخة الأصلية 🔥 db-2"
	oddLong   = "The replication lag of the primary database cluster in the region eu-north-1 has been more than three hundred and forty seconds for longer than ten minutes, and a_very_long_name_without_any_space_that_somebody_has_given_to_a_metric_total grows"
)

func nightStories() []Story {
	return append(append(nowStories(), incidentsStories()...), append(incidentStories(), deliveryStories()...)...)
}

func storyNowPage() *Now {
	v := &Now{Shell: storyShell("./", "Now")}
	v.Live = "incidents oncall deliveries"
	v.Duties = []NowDuty{{"db-primary", v.moment(storyNow.Add(-6 * time.Hour)), v.moment(storyNow.Add(6*time.Hour + 43*time.Minute))}}
	v.Teams = []NowTeam{
		{Schedule: "checkout-primary", Who: []NowPerson{{"cy", "Cy Okafor"}, {"åsa", "Åsa Öberg"}}, Until: v.moment(storyNow.Add(4 * time.Hour))},
		{Schedule: "db-primary", Who: []NowPerson{{"ana", "Ana Duarte"}}, Until: v.moment(storyNow.Add(6*time.Hour + 43*time.Minute))},
		{Schedule: "platform-weekends", Meant: true, Until: v.moment(storyNow.Add(30 * time.Hour))},
	}
	v.Health = []Sign{
		{Name: "Alerts", State: "good", Text: "last heard", At: v.moment(storyNow.Add(-12 * time.Second)), Link: "alerts"},
		{Name: "Channels", State: "good", Text: "12 work", Link: "deliveries"},
		{Name: "Heartbeats", State: "good", Text: "4 of 4 heard", Link: "status"},
		{Name: "Coverage", State: "good", Text: "no gap in the next 14 days", Link: "oncall"},
		{Name: "Store", State: "good", Text: "is being written", Link: "status"},
	}
	return v
}

func nowStories() []Story {
	return []Story{
		{"now", "quiet", func() framed {
			v := storyNowPage()
			v.headline(0, 0)
			return v
		}},
		{"now", "mine", func() framed {
			v := storyNowPage()
			v.Mine = []IncidentRow{storyRow(&v.Shell, 12, "sev1", "triggered", "Replica db-2 is 340 s behind"), storyRow(&v.Shell, 9, "sev3", "acknowledged", "Disk of db-1 is full in 4 hours")}
			v.Others = []IncidentRow{storyRow(&v.Shell, 11, "sev2", "triggered", "Checkout answers 4% with errors in eu1"), storyRow(&v.Shell, 7, "sev4", "acknowledged", "The certificate of www expires in 6 days")}
			v.headline(2, 2)
			return v
		}},
		{"now", "first-visit", func() framed {
			v := storyNowPage()
			v.Me, v.Duties = "", nil
			v.Others = []IncidentRow{storyRow(&v.Shell, 11, "sev2", "triggered", "Checkout answers 4% with errors in eu1")}
			v.headline(1, 0)
			return v
		}},
		{"now", "new-and-empty", func() framed {
			v := storyNowPage()
			v.Duties, v.Teams = nil, nil
			v.Health = []Sign{{Name: "Alerts", Text: "none heard since the start", Link: "alerts"}, {Name: "Channels", Text: "nothing was sent yet", Link: "deliveries"}, {Name: "Store", State: "good", Text: "is being written", Link: "status"}}
			v.headline(0, 0)
			return v
		}},
		{"now", "storm", func() framed {
			v := storyNowPage()
			for n := range nowMine {
				v.Mine = append(v.Mine, storyRow(&v.Shell, 4900+n, "sev2", "triggered", fmt.Sprintf("Node node-%d has not been heard of for 5 minutes", n)))
			}
			for n := range nowOthers {
				v.Others = append(v.Others, storyRow(&v.Shell, 4800+n, "sev3", "triggered", fmt.Sprintf("Disk of node-%d is full in 4 hours", n)))
			}
			v.headline(4900, 100)
			v.More = "4950 more open incidents"
			return v
		}},
		{"now", "odd", func() framed {
			v := storyNowPage()
			v.Duties, v.NextDuty = nil, &NowDuty{"kassa-jour_på-svenska", v.moment(storyNow.Add(50 * time.Hour)), v.moment(storyNow.Add(80 * time.Hour))}
			row := storyRow(&v.Shell, 123456, "sev1", "triggered", oddArabic)
			row.Who, row.Back = "نور, åsa", true
			v.Mine = []IncidentRow{row, storyRow(&v.Shell, 123455, "sev2", "triggered", oddLong)}
			asleep := storyRow(&v.Shell, 4, "sev5", "triggered", "Fjärrvärmen är kall 🥶")
			asleep.Asleep = v.moment(storyNow.Add(4 * time.Hour))
			held := storyRow(&v.Shell, 3, "unheard", "triggered", "(no title)")
			held.Paused = true
			v.Others = []IncidentRow{asleep, held}
			v.headline(4, 0)
			return v
		}},
		{"now", "trouble", func() framed {
			v := storyNowPage()
			v.Duties = nil
			v.Trouble = []string{"Nothing is being written to disk, and a restart would forget what happens meanwhile: no space left on device"}
			v.Teams[1].Who = nil
			v.Health = []Sign{
				{Name: "Alerts", State: "good", Text: "last heard", At: v.moment(storyNow.Add(-26 * time.Hour)), Link: "alerts"},
				{Name: "Channels", State: "bad", Text: "failing: ana phone, db-leads slack, bo email", Link: "deliveries?outcome=failed"},
				{Name: "Heartbeats", State: "bad", Text: "late: backup-nightly, prometheus-eu1", Link: "status"},
				{Name: "Coverage", State: "warn", Text: "gap in platform", At: v.moment(storyNow.Add(50 * time.Hour)), Link: "schedules/platform"},
				{Name: "Store", State: "bad", Text: "takes no writes: no space left on device", Link: "status"},
			}
			v.headline(0, 0)
			return v
		}},
	}
}

func storyList(show, filter string) *Incidents {
	v := &Incidents{Shell: storyShell("incidents", "Incidents"), Show: show, Filter: filter}
	v.Live, v.Self = "incidents", incidentsLink(show, filter, 0)
	v.tabs(5)
	v.Naps = v.naps()
	return v
}

func incidentsStories() []Story {
	return []Story{
		{"incidents", "usual", func() framed {
			v := storyList("open", "")
			v.Rows = []IncidentRow{
				storyRow(&v.Shell, 12, "sev1", "triggered", "Replica db-2 is 340 s behind"), storyRow(&v.Shell, 11, "sev2", "triggered", "Checkout answers 4% with errors in eu1"),
				storyRow(&v.Shell, 9, "sev3", "acknowledged", "Disk of db-1 is full in 4 hours"), storyRow(&v.Shell, 7, "sev4", "acknowledged", "The certificate of www expires in 6 days"),
			}
			return v
		}},
		{"incidents", "nothing-open", func() framed {
			v := storyList("open", "")
			v.tabs(0)
			v.Tabs = v.Tabs[3:]
			v.Try = nil
			v.empty(0)
			return v
		}},
		{"incidents", "many", func() framed {
			v := storyList("all", `severity=~"sev[12]"`)
			v.tabs(5000)
			v.Tabs = v.Tabs[3:]
			for n := range incidentsPerPage {
				v.Rows = append(v.Rows, storyRow(&v.Shell, 5000-n, []string{"sev1", "sev2"}[n%2], []string{"triggered", "acknowledged", "resolved"}[n%3], fmt.Sprintf("Node node-%d has not been heard of for %d minutes", n, n+5)))
			}
			v.Older, v.Newest = incidentsLink("all", v.Filter, 4950), incidentsLink("all", v.Filter, 0)
			return v
		}},
		{"incidents", "wrong-filter", func() framed {
			v := storyList("open", `service="db`)
			v.Wrong = `it cannot be read: 0:11: "db: missing end "`
			return v
		}},
		{"incidents", "none-match", func() framed {
			v := storyList("resolved", "replica")
			v.Short, v.Older = true, incidentsLink("resolved", "replica", 3500)
			v.empty(5)
			return v
		}},
		{"incidents", "odd", func() framed {
			v := storyList("open", `title=~".*قاعدة.*"`)
			v.Rows = []IncidentRow{storyRow(&v.Shell, 123456, "sev1", "triggered", oddArabic), storyRow(&v.Shell, 123455, "sev2", "acknowledged", oddLong), storyRow(&v.Shell, 4, "unheard", "triggered", "Fjärrvärmen är kall 🥶")}
			v.Rows[1].Standing = strings.Repeat("åsa, ", 12) + "… has it"
			v.Said = &Said{Text: "You have INC-1, INC-2. Nobody else is paged for what you have.", Undo: "incidents", Fields: map[string]string{"do": "unacknowledge", "ids": "INC-1 INC-2"}}
			return v
		}},
		{"sure", "one", func() framed {
			return &Sure{
				Shell: storyShell("incidents", "Resolve INC-1?"), Heading: "Resolve INC-1 while its alerts fire?", Post: "incidents/INC-1/resolve", Keep: []Hidden{{"back", "incidents/INC-1"}},
				Button: "Resolve it all the same", Back: "incidents/INC-1", Told: []string{"An alert of it still fires. Resolved by hand, it stays resolved until its alerts were clear once or its severity rises: nobody is paged meanwhile, and this cannot be undone.", "To have quiet while you work, acknowledge or snooze it."},
			}
		}},
	}
}

// storyIncident is an incident that nobody has yet.
func storyIncident() *Incident {
	v := &Incident{Shell: storyShell("incidents", "INC-12 Replica db-2 is 340 s behind"), Open: true, Order: "newest", OtherOrder: "incidents/INC-12?order=oldest#timeline"}
	v.Live, v.Self = "incidents deliveries", "incidents/INC-12"
	v.Row = storyRow(&v.Shell, 12, "sev2", "triggered", "Replica db-2 is 340 s behind")
	v.Row.Opened = v.moment(storyNow.Add(-4 * time.Minute))
	v.Row.Next, v.Row.Who = v.moment(storyNow.Add(time.Minute)), "bo, cy"
	v.Paged, v.PagedSoFar = true, "Ana Duarte (ana)"
	v.Runbook = "https://runbooks.example.org/replication-lag"
	v.Description = marked("The replica does not follow. **Reads may be stale.**\n\n- look at `pg_stat_replication`\n- see https://wiki.example.org/lag", descriptionMost)
	v.Why = &Chain{Who: "you", When: v.moment(storyNow.Add(-3 * time.Minute)), Via: "phone", Reason: "step 1 of policy db began", Links: []Labelled{
		{"route", `{service="db"}`, "routes#r-1"},
		{"receiver", "db-oncall", "routes?trace=x"},
		{"policy", "db", "policies/db"},
		{"step", "1", "policies/db#step-1"},
		{"schedule", "db-primary", "schedules/db-primary"},
		{"layer", "weekly", "schedules/db-primary"},
		{"", "turn 1 of 3, until Mon 2026-10-26 09:00 Europe/Lisbon", ""},
	}}
	v.AlertCount = "2 alerts, firing"
	v.Common = []Labelled{{"policy", "db", "policies/db"}, {"alertname", "ReplicationLag", "incidents?show=all"}, {"service", "db", "incidents?show=all"}}
	v.Annotations = []Labelled{{"owner", "team db", ""}}
	v.Links = []Labelled{{"dashboard_url", "https://grafana.example.org/d/lag", "https://grafana.example.org/d/lag"}}
	v.Alerts = []IncidentAlert{
		{Labels: []Labelled{{"instance", "db-2", ""}}, Text: "340 s behind", Since: v.moment(storyNow.Add(-5 * time.Minute)), Source: "https://prometheus.example.org/graph?g0.expr=x"},
		{Labels: []Labelled{{"instance", "db-3", ""}}, Text: "12 s behind", Since: v.moment(storyNow.Add(-5 * time.Minute)), Over: true},
	}
	v.Deliveries = []Told{
		{When: v.moment(storyNow.Add(-3 * time.Minute)), Who: "ana", Via: "phone", What: "page", Outcome: "delivered", Answer: "200 OK: request 5042853c", Latency: "214 ms"},
		{When: v.moment(storyNow.Add(-3*time.Minute - 2*time.Second)), Who: "ana", Via: "chat", What: "page, attempt 2", Outcome: "failed", Answer: "404 channel_not_found", Latency: "90 ms"},
		{When: v.moment(storyNow.Add(-3*time.Minute - 4*time.Second)), Who: "ana", Via: "chat", What: "page", Outcome: "retry", Answer: "503 Service Unavailable", Latency: "1.2 s", Again: v.moment(storyNow.Add(time.Second))},
	}
	v.Lines = []Line{
		{ID: "line-9", When: v.moment(storyNow.Add(-2 * time.Minute)), What: "Note by bo via the web", Text: marked("restarting **db-2**", 100), Human: true},
		{ID: "line-8", When: v.moment(storyNow.Add(-3 * time.Minute)), What: "Could not reach Ana Duarte (ana) by chat", Why: "404 channel_not_found", Bad: true},
		{ID: "line-7", When: v.moment(storyNow.Add(-3 * time.Minute)), What: "Paged Ana Duarte (ana) by phone", Why: "step 1 of policy db began", Answer: "200 OK: request 5042853c, 214 ms", Links: v.Why.Links[2:6]},
		{ID: "line-6", When: v.moment(storyNow.Add(-4 * time.Minute)), What: "Opened", Why: `2 alerts fire, routed to db-oncall: {alertname="ReplicationLag", instance="db-2"}`},
	}
	v.Naps = v.naps()
	v.People = []Person{{"ana", "Ana Duarte"}, {"bo", ""}, {"noor", "نور الهدى"}}
	v.Targets = []Targets{{"People", []Labelled{{"ana", "ana (Ana Duarte)", "user:ana"}, {"bo", "bo", "user:bo"}}}, {"Schedules", []Labelled{{"db-primary", "db-primary", "schedule:db-primary"}}}, {"Policies", []Labelled{{"db", "db", "policy:db"}}}}
	return v
}

func incidentStories() []Story {
	return []Story{
		{"incident", "triggered", func() framed { return storyIncident() }},
		{"incident", "mine", func() framed {
			v := storyIncident()
			v.Row = storyRow(&v.Shell, 12, "sev2", "acknowledged", v.Row.Title)
			v.Told = []string{"Ana Duarte (ana) acknowledged INC-12 at 03:15 UTC via the link in the page.", "Escalation has stopped: nobody else is paged for it."}
			v.MineToUndo, v.Expires = true, v.moment(storyNow.Add(58*time.Minute))
			v.Said = &Said{Text: "You have INC-12. Nobody else is paged for it.", Undo: "incidents/INC-12/unacknowledge"}
			return v
		}},
		{"incident", "others", func() framed {
			v := storyIncident()
			v.Me, v.Paged = "", false
			v.Row = storyRow(&v.Shell, 12, "sev2", "acknowledged", v.Row.Title)
			v.Told = []string{"bo acknowledged INC-12 at 03:15 UTC via the API.", "Escalation has stopped: nobody else is paged for it."}
			v.AckToo = true
			return v
		}},
		{"incident", "resolved", func() framed {
			v := storyIncident()
			v.Open, v.Paged = false, false
			v.Row = storyRow(&v.Shell, 12, "sev2", "resolved", v.Row.Title)
			v.Told = []string{"INC-12 was resolved at 03:16 UTC, when its alerts ended."}
			v.Alerts, v.AlertCount = nil, "They are over, and no longer known one by one."
			return v
		}},
		{"incident", "slo", func() framed {
			v := storyIncident()
			v.Row.Title = "checkout-availability burns its budget 14.4 times too fast"
			v.SLO = &IncidentSLO{
				Name: "checkout-availability", Link: "slos/checkout-availability", Objective: "99.9% over 30d", Left: "41.2% of the budget is left",
				Burn: []Labelled{{"5m", "20.1×", ""}, {"1h", "14.9×", ""}, {"6h", "3.2×", ""}}, Active: []string{"page-fast"},
			}
			v.Why.Links = append([]Labelled{{"SLO", "checkout-availability", "slos/checkout-availability"}}, v.Why.Links[2:]...)
			return v
		}},
		{"incident", "snoozed", func() framed {
			v := storyIncident()
			v.Row.Asleep = v.moment(storyNow.Add(4*time.Hour + 43*time.Minute))
			v.Said = &Said{Wrong: true, Text: "Nothing was done: snooze for between 1s and 720h0m0s, not 0s."}
			return v
		}},
		{"incident", "many", func() framed {
			v := storyIncident()
			v.Alerts, v.Lines, v.Deliveries = nil, nil, nil
			for n := range alertsPerPage {
				v.Alerts = append(v.Alerts, IncidentAlert{Labels: []Labelled{{"instance", fmt.Sprintf("node-%d.eu1.example.org:9100", n*37), ""}, {"job", "node", ""}}, Text: fmt.Sprintf("node-%d has not been heard of for %d minutes", n*37, n), Since: v.moment(storyNow.Add(-time.Duration(n) * time.Minute))})
			}
			for n := range linesPerPage {
				v.Lines = append(v.Lines, Line{ID: fmt.Sprintf("line-%d", 900-n), When: v.moment(storyNow.Add(-time.Duration(n) * time.Minute)), What: fmt.Sprintf("Paged user-%d by phone", n*7), Why: fmt.Sprintf("no acknowledgement of step %d in 5m", n%4+1), Answer: fmt.Sprintf("200 OK: request %08x, %d ms", n*7654321, n*3), Links: v.Why.Links[2:6]})
			}
			for n := range toldPerIncident {
				v.Deliveries = append(v.Deliveries, Told{When: v.moment(storyNow.Add(-time.Duration(n) * time.Minute)), Who: fmt.Sprintf("user-%d", n*7), Via: "phone", What: "page", Outcome: "delivered", Answer: fmt.Sprintf("200 OK: request %08x", n*7654321), Latency: "214 ms"})
			}
			v.AlertCount, v.MoreAlerts, v.MoreLines, v.MoreLog = "10000 alerts, 9876 firing", "incidents/INC-12?alerts=50#alerts", "incidents/INC-12?lines=50#timeline", "deliveries?incident=INC-12"
			v.People, v.Targets = nil, nil
			return v
		}},
		{"incident", "odd", func() framed {
			v := storyIncident()
			v.Row.Title, v.Row.Who, v.PagedSoFar = oddArabic, "nobody", "نور الهدى (noor), Åsa Öberg (åsa)"
			v.Row.Back = true
			v.Description = marked(oddLong+"\n\n> "+oddArabic+"\n\n```\n"+oddLong+"\n```\n<b>not bold</b>", descriptionMost)
			v.Common = append(v.Common, Labelled{"beskrivning_på_svenska", "överbelastad kö åäö", "incidents"}, Labelled{"السبب", "امتلاء القرص", "incidents"}, Labelled{"long", oddLong, "incidents"})
			v.Alerts[0].Labels = append(v.Alerts[0].Labels, Labelled{"المضيف", "خادم-٢", ""}, Labelled{"mount", oddLong, ""})
			v.Lines[0].Text = marked(oddArabic+"\n"+oddLong, 1000)
			v.Lines[0].What = "Note by نور الهدى (noor) via the web"
			v.Why.Who = "نور الهدى (noor)"
			return v
		}},
		{"incident", "trouble", func() framed {
			v := storyIncident()
			v.Trouble = []string{"The timeline cannot be read now; load this page again in a few seconds."}
			v.Lines, v.Deliveries, v.Why, v.Runbook, v.Description = nil, nil, nil, "", ""
			v.Row.Next, v.Row.Who = Moment{}, ""
			return v
		}},
	}
}

func deliveryStories() []Story {
	usual := func() *Deliveries {
		v := &Deliveries{Shell: storyShell("deliveries", "Deliveries"), Outcomes: []Outcome{{"", "any", true}, {"delivered", "delivered", false}, {"failed", "failed", false}, {"retry", "tried again", false}}}
		v.Live, v.Self = "deliveries", "deliveries"
		for n, t := range storyIncident().Deliveries {
			v.Rows = append(v.Rows, Delivery{Told: t, ID: fmt.Sprintf("row-%d", n), Incidents: []string{"INC-12"}})
		}
		v.Rows[0].Incidents, v.Rows[0].More = []string{"INC-12", "INC-13", "INC-14", "INC-15", "INC-16"}, 7
		return v
	}
	letters := func() *Outbox {
		v := &Outbox{Shell: storyShell("outbox", "Outbox")}
		v.Live = "deliveries"
		return v
	}
	return []Story{
		{"deliveries", "usual", func() framed { return usual() }},
		{"deliveries", "empty", func() framed {
			v := usual()
			v.Rows = nil
			v.empty()
			return v
		}},
		{"deliveries", "none-match", func() framed {
			v := usual()
			v.Rows, v.To, v.Filtered, v.Short, v.Older = nil, "noor", true, true, "deliveries?before=17000&to=noor"
			v.empty()
			return v
		}},
		{"deliveries", "wrong", func() framed {
			v := usual()
			v.Rows, v.Incident, v.Filtered, v.Wrong = nil, "postgres", true, `"postgres" is not an incident; incidents are called INC-1, INC-2, …`
			return v
		}},
		{"deliveries", "many-and-odd", func() framed {
			v := usual()
			v.Rows[1].Who, v.Rows[1].Answer = "نور", strings.Repeat("Användaren är inte nåbar 📵. ", 7)
			for n := len(v.Rows); n < deliveriesPerPage; n++ {
				row := v.Rows[n%3]
				row.ID = fmt.Sprintf("row-%d", n)
				row.Incidents = []string{fmt.Sprintf("INC-%d", n*37)}
				v.Rows = append(v.Rows, row)
			}
			v.Older, v.Newest = "deliveries?before=17000", "deliveries"
			return v
		}},
		{"outbox", "usual", func() framed {
			v := letters()
			v.fill([]Message{
				{At: storyNow.Add(-90 * time.Second), To: "ana", Via: "email", Subject: "[sev2] Replica db-2 is 340 s behind", Body: "INC-12\nsince 03:13\n\nto acknowledge: http://127.0.0.1:9093/ack/x", Link: "http://127.0.0.1:9093/ack/x"},
				{At: storyNow.Add(-26 * time.Hour), To: "db-leads", Via: "slack", Body: oddArabic + "\n" + oddLong},
			})
			return v
		}},
		{"outbox", "empty", func() framed { return letters() }},
	}
}
