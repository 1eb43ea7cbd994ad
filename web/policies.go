package web

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
)

// Policies lists the escalation policies.
type Policies struct {
	Shell
	Query    string
	All      int
	Policies []PolicyRow
	More     string // the next page, from the root; empty: there is none
}

// A PolicyRow is one policy: how long its ladder is, and who would be paged first.
type PolicyRow struct {
	Name  string
	Steps int
	First OnDuty
	Why   string // of nobody
	Used  string // how many receivers and SLOs page by it
}

// PolicyPage is one policy, and whom it would page and when.
type PolicyPage struct {
	Shell
	Name       string
	At         typedTime // when it fires
	Begins     Moment
	IsNow      bool
	Wrong      string // what is amiss with the address; empty: nothing
	ZoneName   string
	Severities []RotaChoice
	Auto       bool // the urgency depends on the severity

	Urgency string // in words
	Hours   string // support hours, in words; empty: it has none
	Rungs   []Rung // what happens, in order
	Cut     bool   // there is more that is alike
	Ends    string // how the ladder goes on or ends, in words
	Steps   []StepRow
	Facts   []Fact
	Uses    []Use
}

// A Rung is what happens at one instant while nobody answers.
type Rung struct {
	At     Moment
	Into   string // how long after the incident opened: "+5 min"
	Step   int    // 0: no step's
	Walk   int
	What   string // "step 2", "catch-all"
	Pages  []PageLine
	Gap    string // why nobody is paged; empty: somebody is
	Reason string
	Again  int // the walk that begins with it, of those that are not listed; 0: it is none
}

// A PageLine is one person or channel that is told.
type PageLine struct {
	Who      Person
	Channel  string // a receiver instead
	Via      []string
	Schedule string // where they are on call; empty: they are named
	OnCall   string // why, with the layer
}

// A StepRow is a step as the configuration has it.
type StepRow struct {
	Number  int
	Targets []TargetLine
	Waits   string
	Acks    string // how many must acknowledge; empty: one
	Turns   string // whose turn is next; empty: all are paged
}

// A TargetLine is whom a step names.
type TargetLine struct {
	Text string
	Link string // from the root; empty: there is no page about it
}

// A Use is something that pages by the policy.
type Use struct{ What, Name, Link string }

// Limits of the pages.
const (
	policiesOnPage = 40
	rungsOnPage    = 40  // messages at one instant and to the same people count as one
	ladderSteps    = 400 // of the ladder, looked at
	usesOnPage     = 60
	ladderAhead    = 100 * 24 * time.Hour // no ladder is looked at for longer
)

// severities are ours, the worst first.
var rotaSeverities = []string{"sev1", "sev2", "sev3", "sev4", "sev5"}

func (p *Pages) policies(w http.ResponseWriter, r *http.Request) {
	v := &Policies{Shell: p.frame(r, "policies", "Policies"), Query: r.URL.Query().Get("q")}
	cfg := p.Engine.Config()
	names := slices.Sorted(maps.Keys(cfg.Policies))
	v.All = len(names)
	if q := strings.ToLower(strings.TrimSpace(v.Query)); q != "" {
		names = slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(strings.ToLower(name), q) })
	}
	skip, _ := strconv.Atoi(r.URL.Query().Get("after"))
	skip = max(0, min(skip, len(names)))
	if names = names[skip:]; len(names) > policiesOnPage {
		names = names[:policiesOnPage]
		v.More = "policies?" + url.Values{"q": {v.Query}, "after": {strconv.Itoa(skip + policiesOnPage)}}.Encode()
	}
	for _, name := range names {
		row := PolicyRow{Name: name, Steps: len(cfg.Policies[name].Steps)}
		rungs, _, _ := p.foresee(&v.Shell, cfg, cfg.Policies[name], "sev2", v.Now, 1)
		for _, rung := range rungs {
			row.Why = rung.Gap
			for _, page := range rung.Pages {
				who := page.Who
				if page.Channel != "" {
					who = Person{Name: page.Channel}
				}
				row.First.Who = append(row.First.Who, who)
			}
		}
		receivers, slos := 0, 0
		for _, use := range uses(cfg, name) {
			if use.What == useSLO {
				slos++
			} else {
				receivers++
			}
		}
		row.Used = count(receivers, "receiver")
		if slos > 0 {
			row.Used += ", " + count(slos, "SLO")
		}
		v.Policies = append(v.Policies, row)
	}
	p.show(w, r, http.StatusOK, "policies", v)
}

func (p *Pages) policy(w http.ResponseWriter, r *http.Request) {
	cfg := p.Engine.Config()
	name := r.PathValue("name")
	policy, ok := cfg.Policies[name]
	if !ok {
		p.lost(w, r, "There is no such policy", "No escalation policy is called “"+short(name, 80)+"”. It may have been renamed in the configuration; incidents that opened under the old name keep its ladder.")
		return
	}
	v := &PolicyPage{Shell: p.frame(r, "policies", name), Name: name, IsNow: true}
	v.ZoneName = v.Zone.String()
	v.Live = OfDuties
	q, status, at := r.URL.Query(), http.StatusOK, v.Now
	if text := q.Get("at"); text != "" {
		then, err := typedAt(q, "at", v.Zone, false)
		switch {
		case err != nil:
			v.Wrong, status = "Write the time as a date and a time, such as 2026-03-01 09:00. This shows now.", http.StatusBadRequest
		case then.Sub(v.Now).Abs() > mostAway:
			v.Wrong, status = "That is further away than ten years. This shows now.", http.StatusBadRequest
		default:
			at, v.IsNow = then, false
		}
	}
	severity := q.Get("severity")
	if !slices.Contains(rotaSeverities, severity) {
		severity = "sev2"
	}
	for _, s := range rotaSeverities {
		v.Severities = append(v.Severities, RotaChoice{s, upperFirst(severityWords(s)), s == severity})
	}
	v.At, v.Begins = typed(at, v.Zone), v.moment(at)
	v.Auto = policy.Urgency == escalation.UrgencyAuto || len(policy.AckTimeout) > 0
	p.fillPolicy(v, cfg, policy, severity, at)
	p.show(w, r, status, "policy", v)
}

func (p *Pages) fillPolicy(v *PolicyPage, cfg *engine.Config, policy escalation.Policy, severity string, at time.Time) {
	high := p.urgency(v, cfg, policy, severity, at)
	v.Rungs, v.Ends, v.Cut = p.foresee(&v.Shell, cfg, policy, severity, at, rungsOnPage)
	for i, step := range policy.Steps {
		row := StepRow{Number: i + 1, Waits: spell(cmp.Or(step.EscalateAfter, 5*time.Minute))}
		for _, t := range step.Notify {
			row.Targets = append(row.Targets, target(t))
		}
		switch {
		case step.RequireAcks == escalation.AllAcks:
			row.Acks = "everybody paged must acknowledge"
		case step.RequireAcks > 1:
			row.Acks = strconv.Itoa(step.RequireAcks) + " people must acknowledge"
		}
		if n := len(step.Notify); step.Assign == escalation.AssignRoundRobin && n > 0 {
			row.Turns = "one of them for each incident; next is " + step.Notify[p.Engine.Turn(policy.Name, i+1)%n].String()
		}
		v.Steps = append(v.Steps, row)
	}
	repeat := "the ladder is walked once"
	switch {
	case policy.Repeat == escalation.Forever:
		repeat = "until somebody acknowledges"
	case policy.Repeat > 0:
		repeat = fmt.Sprintf("the ladder is walked up to %d times", policy.Repeat+1)
	}
	if policy.RepeatFrom > 1 {
		repeat += fmt.Sprintf(", again from step %d", policy.RepeatFrom)
	}
	v.Facts = []Fact{{Name: "Repeat", Text: repeat}}
	timeouts := []string{}
	for _, s := range slices.Sorted(maps.Keys(policy.AckTimeout)) {
		timeouts = append(timeouts, s+" after "+spell(policy.AckTimeout[s]))
	}
	v.Facts = append(v.Facts, Fact{Name: "Acknowledged, not resolved", Text: cmp.Or(strings.Join(timeouts, ", "), "stays acknowledged: there is no ack_timeout")})
	if len(timeouts) > 0 {
		v.Facts[len(v.Facts)-1].Text += ": then it is triggered again, and the ladder begins anew"
	}
	catchAll := target(cfg.Paging.CatchAll)
	every := spell(cmp.Or(cfg.Paging.CatchAllEvery, 4*time.Hour))
	v.Facts = append(v.Facts, Fact{Name: "When the ladder has ended", Text: cmp.Or(catchAll.Text, "nobody: paging.catch_all is absent") + " is paged, and again every " + every, Link: catchAll.Link})
	if policy.LowUrgency == escalation.LowNotifyOnly {
		text := "of low urgency, it ends after the first step that reaches somebody"
		if high {
			text += "; now it would be of high urgency and climb"
		}
		v.Facts = append(v.Facts, Fact{Name: "Low urgency", Text: text})
	}
	v.Uses = append(p.routesTo(cfg, policy.Name), uses(cfg, policy.Name)...)
	if len(v.Uses) > usesOnPage {
		v.Uses = append(v.Uses[:usesOnPage:usesOnPage], Use{What: "and", Name: count(len(v.Uses)-usesOnPage, "more use")})
	}
}

// urgency says how urgent it would be, and why.
func (p *Pages) urgency(v *PolicyPage, cfg *engine.Config, policy escalation.Policy, severity string, at time.Time) (high bool) {
	high = severity == "sev1" || severity == "sev2"
	switch policy.Urgency {
	case escalation.UrgencyHigh:
		v.Urgency, high = "high, whatever the severity", true
	case escalation.UrgencyLow:
		v.Urgency, high = "low, whatever the severity", false
	case escalation.UrgencySupportHours:
		if policy.SupportHours == nil {
			v.Urgency = "high: it has no support hours"
			return true
		}
		open, change := pageRoster{p, cfg}.Open(*policy.SupportHours, at)
		high = open
		word, next := "outside support hours, so it is low", "they begin"
		if open {
			word, next = "within support hours, so it is high", "they end"
		}
		v.Urgency = word
		if !change.IsZero() {
			v.Hours = next + " " + clock(change, v.Now, v.Zone)
			if !open {
				v.Hours += ": what is open then becomes high, and its ladder starts anew"
			}
		}
	default:
		v.Urgency = "low: sev1 and sev2 are high"
		if high {
			v.Urgency = "high: sev1 and sev2 are"
		}
	}
	return high
}

func target(t escalation.Target) TargetLine {
	line := TargetLine{Text: t.String()}
	if t.Schedule != "" {
		line.Link = "schedules/" + url.PathEscape(t.Schedule)
	}
	return line
}

// What pages by a policy.
const (
	useReceiver = "receiver"
	useSLO      = "SLO"
)

// routesTo are the routes whose alerts page by a policy, in the order of the tree.
func (p *Pages) routesTo(cfg *engine.Config, policy string) (all []Use) {
	for i, r := range p.Engine.Router().Tree() {
		if cfg.Incidents[r.Receiver].Policy != policy {
			continue
		}
		link := "routes#" + routeAnchor(r.ID)
		if from := i / routesPerPage * routesPerPage; from > 0 {
			link = fmt.Sprintf("routes?from=%d#%s", from, routeAnchor(r.ID))
		}
		all = append(all, Use{"route", cmp.Or(list(r.Matchers, 120), "all alerts"), link})
	}
	return all
}

// uses are what pages by a policy, by name.
func uses(cfg *engine.Config, policy string) (all []Use) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Incidents)) {
		if cfg.Incidents[name].Policy == policy {
			all = append(all, Use{useReceiver, name, alertsAsk{receiver: name, show: map[string]bool{"active": true}}.link()})
		}
	}
	for _, s := range cfg.SLOs {
		if s.Policy == policy {
			all = append(all, Use{useSLO, s.Objective.Name(), "slos/" + url.PathEscape(s.Objective.Name())})
		}
	}
	for _, h := range cfg.Heartbeats {
		if h.Policy == policy {
			all = append(all, Use{"heartbeat", h.Name, ""})
		}
	}
	return all
}

// A pageRoster is the world as a ladder may ask about it, seen from a page: the schedules as they stand, with the overrides.
type pageRoster struct {
	p   *Pages
	cfg *engine.Config
}

// OnCall says who is on call at the instant, and from which layers.
func (r pageRoster) OnCall(schedule string, at time.Time) (users []string, why string) {
	s := r.p.Engine.Schedule(schedule)
	if s == nil {
		return nil, ""
	}
	answer := s.At(at)
	layers := map[string]bool{}
	for _, person := range answer.People {
		for _, l := range person.Layers {
			layers[l] = true
		}
	}
	return answer.Users(), strings.Join(slices.Sorted(maps.Keys(layers)), ", ")
}

// Rules are the user's.
func (r pageRoster) Rules(user string, high bool) []escalation.Rule {
	if high {
		return r.cfg.Users[user].High
	}
	return r.cfg.Users[user].Low
}

// Open tells whether support hours are open, and when that changes.
func (r pageRoster) Open(h escalation.Hours, at time.Time) (open bool, next time.Time) {
	if r.cfg.Hours == nil {
		return true, time.Time{}
	}
	hours, err := r.cfg.Hours(h)
	if err != nil {
		return true, time.Time{} // as the engine has it: hours that cannot be read let no page wait
	}
	return hours.Open(at), hours.NextChange(at)
}

// Turn is how many turns of a step's round robin were taken.
func (r pageRoster) Turn(policy string, step int) int { return r.p.Engine.Turn(policy, step) }

// foresee walks the real ladder through time while nobody answers and every message arrives, until the ladder has ended and
// catch_all was paged, or so many rungs were seen. ends says in words how it goes on.
func (p *Pages) foresee(f *Shell, cfg *engine.Config, policy escalation.Policy, severity string, at time.Time, most int) (rungs []Rung, ends string, cut bool) {
	roster := pageRoster{p, cfg}
	page, effects := escalation.Open(escalation.Begin{Incident: "INC-0", Severity: severity, Policy: policy, Paging: cfg.Paging}, at, roster)
	now, walks, caught := at, 0, false
	for step := 0; ; step++ {
		var arrived []escalation.Input
		for _, e := range effects {
			switch e := e.(type) {
			case escalation.Send:
				if e.Origin == escalation.FromStep {
					walks = max(walks, e.Cycle)
				}
				if walks > 1 && e.Origin == escalation.FromStep { // alike, and said in words
					rungs, cut = again(f, rungs, e.Cycle, e.Step, at, now), true
				} else {
					rungs = p.addSend(f, rungs, e, at, now)
				}
				caught = caught || e.Origin == escalation.FromCatchAll
				arrived = append(arrived, escalation.Outcome{Key: e.Key, OK: true})
			case escalation.Happened:
				switch e.Kind {
				case escalation.KindSkipped:
					if walks = max(walks, e.Cycle); e.Cycle > 1 {
						rungs, cut = again(f, rungs, e.Cycle, e.Step, at, now), true
					} else {
						rungs = append(rungs, Rung{At: f.moment(now), Into: into(at, now), Step: e.Step, Walk: e.Cycle, What: fmt.Sprintf("Step %d", e.Step), Gap: e.Reason})
					}
				case escalation.KindExhausted:
					ends = e.Reason
				case escalation.KindCatchAll:
					caught = true
					if target(cfg.Paging.CatchAll).Text == "" || strings.Contains(e.Reason, ";") {
						rungs = append(rungs, Rung{At: f.moment(now), Into: into(at, now), What: "Catch-all", Gap: e.Reason})
					}
				}
			}
		}
		effects = nil
		for _, in := range arrived {
			var more []escalation.Effect
			page, more = page.Step(in, now, roster)
			effects = append(effects, more...)
		}
		if len(effects) > 0 {
			continue
		}
		due := page.Due()
		switch {
		case len(rungs) >= most:
			return rungs[:most], ends, true
		case caught:
			return rungs, "catch-all again, every " + spell(cmp.Or(cfg.Paging.CatchAllEvery, 4*time.Hour)) + ", until somebody acknowledges", cut
		case due.IsZero():
			return rungs, cmp.Or(ends, "nobody else is paged"), cut
		case step >= ladderSteps, due.Sub(at) > ladderAhead:
			return rungs, "it goes on like this until somebody acknowledges", true
		case policy.Repeat == escalation.Forever && walks > 1:
			return rungs, "the ladder is walked again and again until somebody acknowledges", true
		}
		if due.After(now) {
			now = due
		}
		page, effects = page.Step(escalation.Elapsed{}, now, roster)
	}
}

// again says when a further walk begins.
func again(f *Shell, rungs []Rung, walk, step int, at, now time.Time) []Rung {
	if n := len(rungs); n > 0 && rungs[n-1].Again == walk {
		return rungs
	}
	return append(rungs, Rung{At: f.moment(now), Into: into(at, now), Step: step, What: fmt.Sprintf("Step %d", step), Again: walk})
}

// addSend puts a message where it belongs: with those of the same instant and cause, and with the others to that person.
func (p *Pages) addSend(f *Shell, rungs []Rung, e escalation.Send, at, now time.Time) []Rung {
	what, reason := fmt.Sprintf("Step %d", e.Step), e.Reason
	if e.Step == 1 && now.Equal(at) {
		reason = "" // it says that it began
	}
	if e.Origin == escalation.FromCatchAll {
		what = "Catch-all"
	}
	n := len(rungs)
	if n == 0 || !rungs[n-1].At.At.Equal(now) || rungs[n-1].What != what || rungs[n-1].Gap != "" {
		rungs = append(rungs, Rung{At: f.moment(now), Into: into(at, now), Step: e.Step, Walk: e.Cycle, What: what, Reason: upperFirst(reason)})
		n++
	}
	rung := &rungs[n-1]
	for i := range rung.Pages {
		if known := &rung.Pages[i]; known.Who.Name == e.User && known.Channel == e.Receiver {
			known.Via = append(known.Via, e.Via)
			return rungs
		}
	}
	line := PageLine{Channel: e.Receiver, Schedule: e.Target.Schedule, OnCall: e.OnCall}
	if e.User != "" {
		line.Who, line.Via = p.person(e.User), []string{e.Via}
	}
	rung.Pages = append(rung.Pages, line)
	return rungs
}

// into is how long after the beginning.
func into(from, at time.Time) string {
	if !at.After(from) {
		return "at once"
	}
	return "+" + spell(at.Sub(from))
}
