package web

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/midwatch/midwatch/draw"
	"github.com/midwatch/midwatch/oncall"
)

// The stories of the pages about who is on call, whom a policy pages, and how budgets stand.

// storyZone is where these stories are told: its clocks were set back two hours ago.
var storyZone = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Lisbon")
	if err != nil {
		return time.UTC // a system without zones shows the stories all the same
	}
	return zone
}()

func rotaStory(here, title string) Shell {
	s := storyShell(here, title)
	s.Zone, s.Self = storyZone, here
	return s
}

func storyAt(d time.Duration) time.Time { return storyNow.Truncate(time.Hour).Add(d) }

const storyDay = 24 * time.Hour

var (
	ana  = Person{"ana", "Ana Duarte"}
	bo   = Person{"bo", ""}
	asa  = Person{"asa", "Åsa Öberg 🌙"}
	noor = Person{"noor", "نور الهدى"}
)

func on(who ...Person) OnDuty { return OnDuty{Who: who} }

const storyLong = "a reason that goes on and on, because whoever wrote it had a lot to explain about the flight, the connection in Frankfurt, the mountain without a network and the long way back down from it"

func rotaStories() []Story {
	return []Story{
		{"oncall", "empty", func() framed { return &OnCallPage{Shell: rotaStory("oncall", "On call")} }},
		{"oncall", "usual", func() framed { return storyOnCall() }},
		{"oncall", "nobody-known", func() framed {
			v := storyOnCall()
			v.Me, v.Mine, v.Feeds, v.CanFeed = "", nil, nil, false
			return v
		}},
		{"oncall", "many", func() framed {
			v := storyOnCall()
			v.All, v.Matching, v.More, v.MoreMine, v.MoreSwaps, v.MoreAway = 400, 400, "oncall?after=30", true, 7, 12
			row := v.Schedules[0]
			v.Schedules = nil
			for i := range schedulesOnPage {
				row.Name = fmt.Sprintf("team-%02d", i+1)
				v.Schedules = append(v.Schedules, row)
			}
			return v
		}},
		{"oncall", "nothing-found", func() framed {
			return &OnCallPage{Shell: rotaStory("oncall", "On call"), Query: "مرحبا", All: 12}
		}},
		{"oncall", "trouble", func() framed {
			v := storyOnCall()
			v.Trouble = []string{"Nothing is being written to disk, and a restart would forget what happens meanwhile: no space left on device"}
			v.Said = &Said{Wrong: true, Text: "Bo is the one who was asked in SWAP-3, not ana."}
			return v
		}},
		{"feed", "made", func() framed {
			return &FeedPage{Shell: rotaStory("oncall", "Calendar"), Of: "ana", Address: "https://midwatch.example.org/calendar/3-k5l2mn7qz4.ics", Back: "oncall"}
		}},
		{"schedule", "usual", func() framed { return storySchedule(storyRota(), 14) }},
		{"schedule", "four-weeks", func() framed { return storySchedule(storyRota(), 28) }},
		{"schedule", "crowded", func() framed { return storySchedule(storyHours(), 14) }},
		{"schedule", "too-crowded", func() framed { return storySchedule(storyHours(), 28) }},
		{"schedule", "no-layers", func() framed {
			return storySchedule(storyGood(oncall.New(oncall.Spec{Name: "empty", Zone: storyZone})), 7)
		}},
		{"schedule", "wrong-day", func() framed {
			v := storySchedule(storyRota(), 7)
			v.Wrong = "“tomorrow” is not a day; write one such as 2026-03-01. This shows today."
			return v
		}},
		{"override", "two-taps", func() framed { return storyOverriding() }},
		{"override", "doubts", func() framed {
			v := storyOverriding()
			v.Doubts = []string{"Ana is unavailable from Mon 2026-10-26 09:00 to Mon 2026-11-02 09:00 Europe/Lisbon (" + storyLong + ").", "It leaves nobody on call from Mon 2026-10-26 09:00 to Tue 2026-10-27 09:00 Europe/Lisbon."}
			v.Changes[0].Is = OnDuty{}
			v.More = 4
			v.Other = true
			return v
		}},
		{"override", "refused", func() framed {
			v := storyOverriding()
			v.Changes, v.Problem, v.Asker = nil, "It ends before it begins; change one of the times.", nil
			v.Said = &Said{Wrong: true, Text: "It ends at 2026-10-26 09:00, not after it starts at 2026-11-02 09:00."}
			return v
		}},
		{"policies", "empty", func() framed { return &Policies{Shell: rotaStory("policies", "Policies")} }},
		{"policies", "usual", func() framed {
			return &Policies{Shell: rotaStory("policies", "Policies"), All: 3, Policies: []PolicyRow{
				{Name: "db", Steps: 3, First: on(ana), Used: "2 receivers, 1 SLO"},
				{Name: "shop", Steps: 1, Why: "nobody on call in shop-days", Used: "1 receiver"},
				{Name: "a-policy-whose-name-goes-on-for-as-long-as-the-configuration-lets-it-go-on", Steps: 12, First: on(noor, asa, bo, ana), Used: "0 receivers"},
			}}
		}},
		{"policies", "nothing-found", func() framed { return &Policies{Shell: rotaStory("policies", "Policies"), Query: "xyz", All: 30} }},
		{"policy", "usual", func() framed { return storyPolicy() }},
		{"policy", "nobody", func() framed {
			v := storyPolicy()
			v.Rungs, v.Ends, v.Cut, v.Uses = nil, "", false, nil
			v.Wrong = "Write the time as a date and a time, such as 2026-03-01 09:00. This shows now."
			return v
		}},
		{"slos", "empty", func() framed { return &SLOs{Shell: rotaStory("slos", "SLOs")} }},
		{"slos", "usual", func() framed {
			return &SLOs{Shell: rotaStory("slos", "SLOs"), All: 4, Budgets: storyBudgets()}
		}},
		{"slos", "many", func() framed {
			v := &SLOs{Shell: rotaStory("slos", "SLOs"), All: 4000, More: "slos?after=40"}
			for i := range budgetsOnPage {
				b := storyBudgets()[i%4]
				b.Name = fmt.Sprintf("%s-%d", b.Name, i)
				v.Budgets = append(v.Budgets, b)
			}
			return v
		}},
		{"slo", "burning", func() framed { return storySLO(storyBudgets()[0]) }},
		{"slo", "spent", func() framed {
			v := storySLO(storyBudgets()[1])
			v.MoreOthers, v.MoreAlerts = 70, 12
			v.Corrections = append(v.Corrections, CorrectionRow{v.span(storyAt(-9*storyDay), storyAt(-8*storyDay)), 2, "CORR-2", storyLong, "noor"})
			return v
		}},
		{"slo", "burn-rate-alerts", func() framed {
			v := storySLO(storyBudgets()[3])
			v.Wide, v.Phone, v.Thresholds, v.Alerts, v.Corrections = "", "", nil, nil, nil
			v.Source = "nothing here: its alerts are burn-rate alerts already"
			return v
		}},
		{"slo", "nothing-heard", func() framed {
			v := storySLO(storyBudgets()[0])
			v.Budget, v.Others, v.Alerts, v.Corrections, v.Wide, v.Phone, v.Unlooked = nil, nil, nil, nil, "", "", true
			return v
		}},
	}
}

// storyGood is a schedule of ours, which is good.
func storyGood(s *oncall.Schedule, err error) *oncall.Schedule {
	if err != nil {
		panic(err)
	}
	return s
}

func wallTime(text string) oncall.Civil {
	c, err := oncall.ParseCivil(text)
	if err != nil {
		panic(err) // our own text
	}
	return c
}

// storyRota is a rota with a shared turn, a planned gap, a layer beside, and overrides that leave a gap.
func storyRota() *oncall.Schedule {
	night, err := oncall.ParseWindow([]string{"mon-fri"}, "22:00", "06:00")
	if err != nil {
		panic(err) // our own text
	}
	return storyGood(oncall.New(oncall.Spec{
		Name: "db-primary", Zone: storyZone,
		Layers: []oncall.Layer{
			{Name: "weekly", Rotation: oncall.Rotation{Turns: [][]string{{"ana"}, {"bo"}, {"asa", "noor"}, {oncall.Nobody}}, Start: wallTime("2026-01-05 09:00"), Every: oncall.Every{N: 1, Unit: oncall.Week}}},
			{Name: "night", Mode: oncall.ModeAdd, Rotation: oncall.Rotation{Turns: [][]string{{"eva"}}, Start: wallTime("2026-01-05 00:00"), Every: oncall.Every{N: 1, Unit: oncall.Week}}, Active: []oncall.Window{night}},
		},
		Overrides: []oncall.Override{
			{Kind: oncall.Take, User: "bo", From: wallTime("2026-10-27 09:00"), To: wallTime("2026-10-28 09:00")},
			{Kind: oncall.Remove, User: "ana", From: wallTime("2026-10-29 12:00"), To: wallTime("2026-10-29 20:00")},
			{Kind: oncall.Remove, User: "bo", From: wallTime("2026-11-04 12:00"), To: wallTime("2026-11-04 20:00")},
		},
	}))
}

// storyHours is a rota with a hand-off every hour.
func storyHours() *oncall.Schedule {
	return storyGood(oncall.New(oncall.Spec{
		Name: "hourly", Zone: storyZone,
		Layers: []oncall.Layer{{Name: "hours", Rotation: oncall.Rotation{Turns: [][]string{{"ana"}, {"bo"}, {"asa"}, {"noor"}}, Start: wallTime("2026-01-05 00:00"), Every: oncall.Every{N: 1, Unit: oncall.Hour}}}},
	}))
}

func storyOnCall() *OnCallPage {
	v := &OnCallPage{Shell: rotaStory("oncall", "On call"), All: 3, Matching: 3, CanFeed: true}
	v.Live = OfDuties
	s := &v.Shell
	v.Mine = []MyShift{
		{s.span(storyAt(-7*storyDay), storyAt(30*time.Hour)), "db-primary", true, "schedules/db-primary/override?from=a"},
		{s.span(storyAt(9*storyDay), storyAt(10*storyDay)), "shop-days", false, "schedules/shop-days/override?from=a"},
	}
	conflict := ConflictRow{s.span(storyAt(storyDay), storyAt(2*storyDay)), bo, storyLong, "ana", "schedules/office/override?from=b"}
	v.Schedules = []OnCallRow{
		{Name: "db-primary", Now: on(ana), Until: s.moment(storyAt(30 * time.Hour)), Then: on(asa, noor), ThenTo: s.moment(storyAt(9 * storyDay)), Gaps: []GapRow{
			{s.span(storyAt(9*storyDay), storyAt(16*storyDay)), true, ""}, {s.span(storyAt(20*storyDay), storyAt(20*storyDay+8*time.Hour)), false, "schedules/db-primary/override?from=c"},
		}, MoreGaps: 2},
		{Name: "office-hours-of-the-platform-team-in-stockholm", Until: s.moment(storyAt(5 * time.Hour)), Then: on(bo), Conflicts: []ConflictRow{conflict}},
		{Name: "shop-days", Now: OnDuty{Declared: true}, Until: s.moment(storyAt(29 * time.Hour)), Then: on(noor)},
		{Name: "for-ever", Now: on(noor)},
	}
	v.Swaps = []SwapRow{
		{ID: "SWAP-3", Schedule: "db-primary", User: noor, With: ana, Gives: []RotaSpan{s.span(storyAt(30*time.Hour), storyAt(9*storyDay))}, Takes: []RotaSpan{s.span(storyAt(23*storyDay), storyAt(30*storyDay))}, Until: s.moment(storyAt(30 * time.Hour)), Answer: true},
		{ID: "SWAP-2", Schedule: "shop-days", User: ana, With: asa, Gives: []RotaSpan{s.span(storyAt(9*storyDay), storyAt(10*storyDay))}, Until: s.moment(storyAt(9 * storyDay)), Recant: true},
		{ID: "SWAP-1", Schedule: "shop-days", User: bo, With: asa, Gives: []RotaSpan{s.span(storyAt(3*storyDay), storyAt(4*storyDay))}, Until: s.moment(storyAt(3 * storyDay))},
	}
	v.Away = []AwayRow{
		{s.span(storyAt(storyDay), storyAt(8*storyDay)), "bo-2", bo, storyLong, false, []string{"office-hours-of-the-platform-team-in-stockholm"}},
		{s.span(storyAt(3*storyDay), storyAt(5*storyDay)), "noor-f1", noor, "عطلة", true, nil},
	}
	v.Feeds = []FeedRow{{3, "ana", "FEED-3", s.moment(storyAt(-40 * storyDay)), "ana"}}
	v.AwayFrom, v.AwayTo = typed(storyAt(storyDay), storyZone), typed(storyAt(8*storyDay), storyZone)
	return v
}

func storySchedule(s *oncall.Schedule, days int) *SchedulePage {
	v := &SchedulePage{Shell: rotaStory("oncall", s.Name()), Name: s.Name(), ZoneName: storyZone.String(), CanFeed: true, Past: true}
	v.Live, v.Self = OfDuties, "schedules/"+s.Name()
	f := &v.Shell
	from := time.Date(2026, 10, 25, 0, 0, 0, 0, storyZone)
	to := from.AddDate(0, 0, days)
	v.OnNow, v.Until, v.Then, v.ThenTo = on(ana), f.moment(storyAt(30*time.Hour)), on(asa, noor), f.moment(storyAt(9*storyDay))
	v.From, v.To = from.Format("Mon 2 Jan"), to.AddDate(0, 0, -1).Format("Mon 2 Jan 2006")
	for _, l := range rotaLengths {
		v.Lengths = append(v.Lengths, RotaChoice{"schedules/" + s.Name() + "?for=" + l.value, l.text, l.weeks*7 == days})
	}
	v.Zones = []RotaChoice{{"schedules/db-primary?zone=mine", "mine: Asia/Kolkata", false}, {"schedules/db-primary?zone=schedule", "the schedule's: Europe/Lisbon", true}, {"schedules/db-primary?zone=utc", "UTC", false}}
	v.Earlier, v.Later = "schedules/db-primary?from=2026-10-11", "schedules/db-primary?from=2026-11-08"
	shifts, gaps := s.Shifts(from, to), s.Gaps(from, to)
	v.Recorded = f.moment(from)
	v.fillShifts(func(users []string, declared bool) OnDuty {
		d := OnDuty{Declared: declared}
		for _, u := range users {
			d.Who = append(d.Who, Person{u, map[string]string{"ana": ana.FullName, "asa": asa.FullName, "noor": noor.FullName}[u]})
		}
		return d
	}, shifts, gaps)
	v.paint(s, draw.Of(s, from, to, storyZone), shifts, gaps)
	for _, l := range s.Spec().Layers {
		v.Layers = append(v.Layers, LayerRow{l.Name, layerWords(l)})
	}
	if len(s.Spec().Overrides) > 0 {
		v.Overrides = []OverrideRow{
			{RotaSpan: f.span(storyAt(2*storyDay), storyAt(3*storyDay)), ID: "db-primary-4", Does: "bo takes over", By: "bo"},
			{RotaSpan: f.span(storyAt(4*storyDay), storyAt(4*storyDay+8*time.Hour)), ID: "db-primary-f1", Does: "ana is removed", FromFile: true},
			{RotaSpan: f.span(storyAt(10*storyDay), storyAt(11*storyDay)), ID: "db-primary-7", Does: "noor replaces bo", Layer: "weekend", By: "noor", Swap: "SWAP-3", Problem: "acts on layer \"weekend\", which does not exist; the schedule's layers are: weekly, night"},
		}
		v.Swaps = storyOnCall().Swaps
		v.Conflicts = storyOnCall().Schedules[1].Conflicts
	}
	return v
}

func storyOverriding() *Overriding {
	v := &Overriding{Shell: rotaStory("oncall", "Change db-primary"), Name: "db-primary", ZoneName: storyZone.String(), ZoneKind: zoneSchedule, Back: "schedules/db-primary"}
	v.Self = "schedules/db-primary/override?from=a"
	from, to := storyAt(30*time.Hour), storyAt(9*storyDay)
	v.From, v.To, v.Whole, v.Was = typed(from, storyZone), typed(to, storyZone), v.span(from, to), on(asa, noor)
	v.Who = []RotaChoice{{"ana", "me: ana (Ana Duarte)", true}, {"bo", "bo", false}, {"noor", "noor (نور الهدى)", false}, {"asa", "asa (Åsa Öberg 🌙)", false}}
	v.Place = []RotaChoice{{placeAll, "everybody: they take it alone", false}, {"asa", "asa, wherever that is on call", true}, {placeNone, "nobody: they join whoever is on call", false}}
	v.Changes = []ChangeLine{{v.span(from, from.Add(3*storyDay)), on(asa, noor), on(ana, noor)}, {v.span(from.Add(4*storyDay), to), on(asa), on(ana)}}
	v.Asker = []RotaChoice{{"asa", "asa", false}, {"noor", "noor", false}}
	v.Trades = []RotaChoice{{"bo|a|b", "bo, for Mon 9 Nov 09:00 to Mon 16 Nov 09:00", false}, {"bo||", "bo, for nothing in return", false}}
	return v
}

func storyPolicy() *PolicyPage {
	v := &PolicyPage{Shell: rotaStory("policies", "db"), Name: "db", IsNow: true, ZoneName: storyZone.String(), Auto: true, Urgency: "high: sev1 and sev2 are", Hours: "they begin Mon 26 Oct 09:00 WET: what is open then becomes high, and its ladder starts anew"}
	v.At, v.Begins, v.Live, v.Self = typed(storyNow, storyZone), v.moment(storyNow), OfDuties, "policies/db"
	for _, s := range rotaSeverities {
		v.Severities = append(v.Severities, RotaChoice{s, upperFirst(severityWords(s)), s == "sev2"})
	}
	at := func(m int) Moment { return v.moment(storyNow.Add(time.Duration(m) * time.Minute)) }
	v.Rungs = []Rung{
		{At: at(0), Into: "at once", Step: 1, Walk: 1, What: "Step 1", Reason: "Step 1 of policy db began", Pages: []PageLine{{Who: ana, Via: []string{"chat"}, Schedule: "db-primary", OnCall: "weekly"}, {Who: asa, Via: []string{"chat", "phone"}, Schedule: "db-primary", OnCall: "night"}}},
		{At: at(2), Into: "+2 min", Step: 1, Walk: 1, What: "Step 1", Reason: "No acknowledgement in 2m", Pages: []PageLine{{Who: ana, Via: []string{"phone"}, Schedule: "db-primary", OnCall: "weekly"}}},
		{At: at(5), Into: "+5 min", Step: 2, Walk: 1, What: "Step 2", Gap: "nobody on call in office"},
		{At: at(5), Into: "+5 min", Step: 3, Walk: 1, What: "Step 3", Reason: "Step 2 reached nobody: nobody on call in office", Pages: []PageLine{{Channel: "db-leads"}, {Who: noor, Via: []string{"chat"}}}},
		{At: at(180), Into: "+3 h", What: "Catch-all", Reason: "No acknowledgement in 3 walks of policy db", Pages: []PageLine{{Who: bo, Via: []string{"phone"}}}},
	}
	v.Cut, v.Ends = true, "no acknowledgement in 3 walks of policy db"
	v.Steps = []StepRow{
		{Number: 1, Targets: []TargetLine{{"schedule db-primary", "schedules/db-primary"}}, Waits: "5 min"},
		{Number: 2, Targets: []TargetLine{{"schedule office", "schedules/office"}, {"bo", ""}, {"asa", ""}}, Waits: "5 min", Turns: "one of them for each incident; next is bo", Acks: "2 people must acknowledge"},
		{Number: 3, Targets: []TargetLine{{"receiver db-leads", ""}}, Waits: "1 h 0 min", Acks: "everybody paged must acknowledge"},
	}
	v.Facts = []Fact{{Name: "Repeat", Text: "the ladder is walked up to 3 times, again from step 2"}, {Name: "Acknowledged, not resolved", Text: "sev1 after 1 h 0 min: then it is triggered again, and the ladder begins anew"}, {Name: "When the ladder has ended", Text: "schedule managers is paged, and again every 4 h 0 min", Link: "schedules/managers"}}
	v.Uses = []Use{{"route", `service="db", team="البيانات"`, "routes#r-1"}, {useReceiver, "db-oncall", "alerts?receiver=db-oncall"}, {useSLO, "db-up", "slos/db-up"}, {"heartbeat", "backup", ""}}
	return v
}

func storyBudgets() []BudgetRow {
	s := rotaStory("slos", "SLOs")
	return []BudgetRow{
		{Name: "checkout-availability", By: "cluster eu1", Link: "slos/checkout-availability?by=a", Service: "checkout", Objective: "99.9% over 30d", Counted: true, Left: "62.5%", Share: 63, Word: "burning", Tone: "warn", Bad: "16 min", Allowed: "43 min", Burns: []BurnLine{{"5m", "14.4", true}, {"1h", "3", true}, {"6h", "0.52", false}}, Out: s.moment(storyAt(50 * time.Hour)), Active: []string{"page-fast"}, Incidents: []string{"INC-12"}},
		{Name: "checkout-availability", By: "cluster البحرين", Link: "slos/checkout-availability?by=b", Service: "checkout", Objective: "99.9% over 30d", Counted: true, Left: "112.0%", Over: true, Word: "spent", Tone: "bad", Bad: "1 h 31 min", Allowed: "43 min", Burns: []BurnLine{{"5m", "0", false}, {"1h", "0", false}}, Active: []string{"half-gone"}, Incidents: []string{"INC-7", "INC-9"}, Held: true},
		{Name: "db-up", Link: "slos/db-up", Objective: "99.5% over 30d", Counted: true, Left: "100.0%", Share: 100, Word: "healthy", Tone: "good", Bad: "0 s", Allowed: "3 h 36 min", Burns: []BurnLine{{"5m", "0", false}}},
		{Name: "sloth", By: strings.Repeat("sloth_id a-very-long-name-", 6), Link: "slos/sloth?by=c", Doubts: []string{"an alert of it has no label cluster, by which the budget is split"}},
	}
}

func storySLO(b BudgetRow) *SLOPage {
	v := &SLOPage{Shell: rotaStory("slos", b.Name), Name: b.Name, Budget: &b, Source: "time in which its alerts fire", Policy: "shop", ZoneName: storyZone.String(), Others: storyBudgets()[1:3]}
	v.Live, v.Self = OfIncidents, "slos/"+b.Name
	from, to := storyNow.Add(-30*storyDay), storyNow.Add(7*storyDay)
	v.From, v.To = v.moment(from), v.moment(to)
	drawn := draw.Budget{
		Title: b.Name, Zone: storyZone, From: from, To: to, Now: storyNow,
		Left: []draw.Level{{At: from, Left: 1}, {At: from.Add(10 * storyDay), Left: 1}, {At: from.Add(10*storyDay + 6*time.Hour), Left: 0.8}, {At: storyNow.Add(-8 * time.Hour), Left: 0.8}, {At: storyNow, Left: float64(b.Share)/100 - 0.2}, {At: to, Left: float64(b.Share)/100 - 0.2}},
		Breaches: []draw.Breaches{
			{Name: "page-fast", Severity: "sev2", Times: []draw.Stretch{{From: storyNow.Add(-3 * time.Hour), To: storyNow.Add(20 * time.Minute)}}},
			{Name: "ticket-slow", Severity: "sev4", Times: []draw.Stretch{{From: from.Add(10 * storyDay), To: from.Add(12 * storyDay)}}},
			{Name: "half-gone", Severity: "sev4"},
		},
	}
	v.Wide, v.Phone = template.HTML(drawn.Figure("wide", wideFigure)), template.HTML(drawn.Figure("phone", phoneFigure)) //nolint:gosec // draw escapes what it writes
	v.Thresholds = []ThresholdRow{{"page-fast", "sev2", "burns 14.4 times as fast as it may, over 1h and 5m", true}, {"ticket-slow", "sev4", "burns 1 times as fast as it may, over 3d and 6h", false}, {"half-gone", "sev4", "50% of the budget is gone", false}}
	v.Alerts = []AlertLine{{`{alertname="CheckoutDown", cluster="eu1", region="سنغافورة", note="Räksmörgås 🦐"}`, v.moment(storyNow.Add(-3 * time.Hour))}}
	v.Corrections = []CorrectionRow{{v.span(storyAt(-20*storyDay), storyAt(-20*storyDay+2*time.Hour)), 1, "CORR-1", "planned move", "ana"}}
	v.CorrectFrom, v.CorrectTo = typed(storyAt(-time.Hour), storyZone), typed(storyAt(0), storyZone)
	return v
}
