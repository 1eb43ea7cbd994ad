package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/heartbeat"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// A Heartbeat is somebody who is to be heard of every so often: an alert that always fires, or whoever asks for an
// address of ours. Who is silent for longer than Every and Grace opens an incident, which ends when they are heard again.
type Heartbeat struct {
	Name         string
	Every, Grace time.Duration
	Policy       string
	Severity     string            // sev1 to sev5
	Labels       map[string]string // of its incident, beside ours
	Annotations  map[string]string // likewise; summary titles it
	Paused       bool
	Patient      bool // it is not late before it was heard once

	// Match says which alerts are its beats; nil: it is pinged. Source tells what it listens to apart from anything else.
	// Where Match holds for alerts of one name only, Alert is that name.
	Match  func(router.Labels) bool
	Source string
	Alert  string
}

// The names of the alerts by which incidents of heartbeats are shown, routed to channels and silenced.
const (
	alertHeartbeat = "HeartbeatLate"
	alertBlind     = "MonitoringBlind"
	labelHeartbeat = "heartbeat"
)

const (
	blindTitle    = "Monitoring is blind: no heartbeat arrives"
	blindSeverity = "sev1"

	maxHeartSources = 16              // alerts that are remembered as one heartbeat's; the table has the others
	maxSaid         = 1000            // characters of what a job says of its failure
	maxSaidTitle    = 150             // of these, in a title
	lookWhileLate   = 5 * time.Second // a repeat of an alert that fires is no input; so often it is looked for
	maxBlindNames   = 10              // heartbeats that a text names
)

// A Ping says that a heartbeat was heard by its address, or told of a failure.
type Ping struct {
	Name   string
	Failed bool
	Said   string // of the failure, in the words of its source
}

func (Ping) input() {}

// A pulse is a heartbeat as the engine keeps it.
type pulse struct {
	rule    Heartbeat
	beat    heartbeat.Heartbeat
	brief   string          // why it is Late, in a few words
	reason  string          // and in full
	blind   bool            // it is one of those of the incident that none is heard
	sources []router.Labels // alerts that are its beats, as far as is known
}

// heartbeatRecord is its stored form.
type heartbeatRecord struct {
	Beat   heartbeat.Heartbeat `json:"beat"`
	Source string              `json:"source,omitempty"` // what it listens to; empty: pings
	Brief  string              `json:"brief,omitempty"`
	Reason string              `json:"reason,omitempty"`
	Blind  bool                `json:"blind,omitempty"`
}

func heartbeatName(name string) string { return "heartbeat/" + name }

// hearts are all heartbeats, and how alerts find theirs.
type hearts struct {
	pulses   map[string]*pulse
	order    []string            // as in the configuration
	byAlert  map[string][]*pulse // by the alertname that Match asks for
	anyAlert []*pulse            // those that ask for no alertname
	surveyed time.Time           // when all alerts were last looked at
	stirred  bool                // some were heard in the call of the router under way
}

// useHeartbeats watches those of the configuration, and no others. tellLate is the caller's.
func (c *Core) useHeartbeats() {
	h := &c.hearts
	h.order, h.byAlert, h.anyAlert = nil, map[string][]*pulse{}, nil
	known := map[string]bool{}
	for _, rule := range c.cfg.Heartbeats {
		known[rule.Name] = true
		h.order = append(h.order, rule.Name)
		p := h.pulses[rule.Name]
		if p == nil || p.rule.Source != rule.Source {
			if p != nil { // what it listened to is no more
				c.unit()
				c.calm(p, "it listens to something else now, by the configuration")
			}
			p = &pulse{}
			h.pulses[rule.Name] = p
		}
		p.rule = rule
		switch {
		case rule.Match == nil:
		case rule.Alert != "":
			h.byAlert[rule.Alert] = append(h.byAlert[rule.Alert], p)
		default:
			h.anyAlert = append(h.anyAlert, p)
		}
		c.unit()
		c.stepHeart(p, heartbeat.Watch{Name: rule.Name, Every: rule.Every, Grace: rule.Grace, Paused: rule.Paused, Patient: rule.Patient})
	}
	for _, name := range slices.Sorted(maps.Keys(h.pulses)) {
		if p := h.pulses[name]; !known[name] {
			c.unit()
			c.calm(p, "it is no longer in the configuration")
			delete(h.pulses, name)
			c.put(prefHeartbeat+name, nil)
			c.agenda.set(heartbeatName(name), zeroTime)
		}
	}
	h.surveyed = zeroTime
}

// stepHeart steps the heartbeat, does what follows, and keeps it. The unit is the caller's.
func (c *Core) stepHeart(p *pulse, in heartbeat.Input) {
	was := p.beat
	var effects []heartbeat.Effect
	p.beat, effects = p.beat.Step(in, c.now)
	changed := p.beat != was
	for _, e := range effects {
		switch e := e.(type) {
		case heartbeat.FellLate:
			p.brief, p.reason = e.Brief, e.Reason
		case heartbeat.Worse:
			p.reason = e.Reason
			c.noteHeart(p, e.Reason)
		case heartbeat.Recovered:
			c.calm(p, e.Reason)
		}
	}
	if changed {
		c.keepHeart(p)
	}
	c.appointHeart(p)
}

func (c *Core) keepHeart(p *pulse) {
	c.put(prefHeartbeat+p.beat.Name, encode("heartbeat", heartbeatRecord{
		Beat: p.beat, Source: p.rule.Source, Brief: p.brief, Reason: p.reason, Blind: p.blind,
	}))
}

// appointHeart puts on the agenda when the heartbeat is next looked at. While it is Late, an alert that still counts as
// firing may be repeated, and nobody tells the engine of repeats.
func (c *Core) appointHeart(p *pulse) {
	due := p.beat.Due()
	if p.beat.State == heartbeat.Late && slices.ContainsFunc(p.sources, c.fires) {
		due = c.now.Add(lookWhileLate)
	}
	c.agenda.set(heartbeatName(p.beat.Name), due)
}

func (c *Core) fires(labels router.Labels) bool {
	a := c.router.Alerts().Get(labels)
	return a != nil && !a.Ended
}

// ping takes in what somebody says at a heartbeat's address.
func (c *Core) ping(in Ping) Answer {
	p := c.hearts.pulses[in.Name]
	if p == nil || p.rule.Match != nil {
		return Answer{Err: refuse("not_found", "name", "no heartbeat that is pinged is called %q", in.Name)}
	}
	if in.Failed {
		c.stepHeart(p, heartbeat.Fail{Said: printable(in.Said, maxSaid)})
	} else {
		c.stepHeart(p, heartbeat.Beat{At: c.now})
	}
	c.tellLate()
	return Answer{}
}

// printable is what a stranger said, as one line without control characters.
func printable(text string, most int) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	return shortened(text, most)
}

func shortened(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// hearkens is about an alert that began to fire, ended, or changed: repeats do not come here. When it ends it was heard
// for the last time: what fell silent meanwhile is known by when it was last heard.
func (c *Core) hearkens(e router.Stored) {
	if e.Alert.Ended && (e.Change == router.FirstSeen || e.Change == router.Changed) {
		return
	}
	h := &c.hearts
	for _, list := range [][]*pulse{h.byAlert[e.Alert.Name()], h.anyAlert} {
		for _, p := range list {
			if !p.rule.Match(e.Alert.Labels) {
				continue
			}
			if !e.Alert.Ended {
				p.remember(e.Alert.Labels)
			}
			c.unit()
			c.stepHeart(p, heartbeat.Beat{At: e.Alert.UpdatedAt})
			h.stirred = true
		}
	}
}

// remember notes an alert as one of the heartbeat's; of too many the oldest is forgotten.
func (p *pulse) remember(labels router.Labels) {
	if slices.ContainsFunc(p.sources, labels.Equal) {
		return
	}
	if len(p.sources) >= maxHeartSources {
		p.sources = p.sources[1:]
	}
	p.sources = append(p.sources, labels)
}

// heard is when one of its alerts that are known was last heard of while it fired; zero: never.
func (c *Core) heard(p *pulse) (last time.Time) {
	for _, labels := range p.sources {
		if a := c.router.Alerts().Get(labels); a != nil && !a.Ended && a.UpdatedAt.After(last) {
			last = a.UpdatedAt
		}
	}
	return last
}

// survey looks for the alerts of all heartbeats among all there are. Nobody tells the engine of repeats, and what began to
// fire before the heartbeat was watched, or is one of many, is not remembered.
func (c *Core) survey() {
	h := &c.hearts
	if h.surveyed.Equal(c.now) || len(h.byAlert)+len(h.anyAlert) == 0 {
		return
	}
	h.surveyed = c.now
	found := map[*pulse][]*router.Alert{}
	for a := range c.router.Alerts().All() {
		if a.Ended {
			continue
		}
		for _, list := range [][]*pulse{h.byAlert[a.Name()], h.anyAlert} {
			for _, p := range list {
				if p.rule.Match(a.Labels) {
					found[p] = latest(found[p], a)
				}
			}
		}
	}
	for p, alerts := range found {
		p.sources = p.sources[:0:0]
		for _, a := range alerts {
			p.sources = append(p.sources, a.Labels)
		}
	}
}

// latest keeps those that were heard last; the table yields them in no order.
func latest(alerts []*router.Alert, a *router.Alert) []*router.Alert {
	at, _ := slices.BinarySearchFunc(alerts, a, func(x, y *router.Alert) int {
		return cmp.Or(x.UpdatedAt.Compare(y.UpdatedAt), cmp.Compare(x.Labels.String(), y.Labels.String()))
	})
	alerts = slices.Insert(alerts, at, a)
	if len(alerts) > maxHeartSources {
		alerts = alerts[1:]
	}
	return alerts
}

// listen is when a heartbeat falls due: it may have been heard all the while.
func (c *Core) listen(name string) {
	p := c.hearts.pulses[name]
	if p == nil {
		c.agenda.set(heartbeatName(name), zeroTime)
		return
	}
	c.catchUp(p)
	if due := p.beat.Due(); p.rule.Match != nil && !due.IsZero() && !due.After(c.now) {
		c.survey()
		c.catchUp(p)
	}
	c.stepHeart(p, heartbeat.Elapsed{})
	c.tellLate()
}

// catchUp hears what the table of alerts has heard.
func (c *Core) catchUp(p *pulse) {
	if at := c.heard(p); !at.IsZero() {
		c.stepHeart(p, heartbeat.Beat{At: at})
	}
}

// tellLate opens the incidents of those that are late and of which nobody was told: one for each, or, where all that
// listen to alerts fell silent together, one for all.
func (c *Core) tellLate() {
	var again time.Time
	var all []heartbeat.Heartbeat // of those that listen to alerts; nil: not looked at yet
	for _, name := range c.hearts.order {
		p := c.hearts.pulses[name]
		switch {
		case p.beat.State != heartbeat.Late || c.isTold(p):
			continue
		case c.router.IsSilenced(p.labels(), c.now):
			continue // it opens when the silence ends (SPEC §5.10)
		case p.rule.Match == nil:
			c.openHeart(p)
			continue
		}
		if l := c.about(incident.AllHeartbeats); l != nil {
			c.joinBlind(l, p)
			continue
		}
		if all == nil {
			if all = c.listeners(); p.beat.State != heartbeat.Late {
				continue
			}
		}
		switch v, at := heartbeat.Together(p.beat, all, c.now); v {
		case heartbeat.Alone:
			c.openHeart(p)
		case heartbeat.All:
			c.openBlind(p, all)
		case heartbeat.Wait:
			if again.IsZero() || at.Before(again) {
				again = at
			}
		}
	}
	c.agenda.set("gather", again)
}

// listeners are the heartbeats that listen to alerts, with what was heard of them by now. One that is paused or silenced
// is not expected to be heard, and says nothing about the others.
func (c *Core) listeners() []heartbeat.Heartbeat {
	all := []heartbeat.Heartbeat{}
	for _, name := range c.hearts.order {
		p := c.hearts.pulses[name]
		if p.rule.Match == nil || p.beat.State == heartbeat.Paused || c.router.IsSilenced(p.labels(), c.now) {
			continue
		}
		c.unit()
		c.catchUp(p)
		all = append(all, p.beat)
	}
	return all
}

// about is the live incident of a heartbeat that is still silent; nil: there is none. Held ones count: somebody knows.
func (c *Core) about(name string) *live {
	l := c.live[c.identities[incident.Identity{Heartbeat: name}]]
	if l == nil || !l.incident.Firing || !l.incident.Open() && !l.incident.Held {
		return nil
	}
	return l
}

// isTold says whether an incident speaks of its being late.
func (c *Core) isTold(p *pulse) bool {
	return c.about(p.beat.Name) != nil || p.blind && c.about(incident.AllHeartbeats) != nil
}

// labels are those of its incident.
func (p *pulse) labels() router.Labels { return router.LabelsOf(p.labelMap()) }

func (p *pulse) labelMap() map[string]string {
	m := map[string]string{}
	maps.Copy(m, p.rule.Labels)
	m["alertname"], m[labelHeartbeat], m["severity"] = alertHeartbeat, p.rule.Name, p.rule.Severity
	return m
}

func (c *Core) openHeart(p *pulse) {
	c.unit()
	annotations := map[string]string{"summary": fmt.Sprintf("Heartbeat %s %s", p.rule.Name, shortened(p.brief, maxSaidTitle))}
	annotations["description"] = p.reason
	maps.Copy(annotations, p.rule.Annotations)
	c.occur(incident.Begun{
		Identity: incident.Identity{Heartbeat: p.rule.Name}, Title: shortened(annotations["summary"], maxTitle),
		Severity: p.rule.Severity, Policy: p.rule.Policy, Labels: p.labelMap(), Annotations: annotations,
		Reason: fmt.Sprintf("heartbeat %s: %s", p.rule.Name, p.reason),
	})
}

const maxTitle = 200 // characters

// openBlind opens the one incident of all. p is the one that made it so.
func (c *Core) openBlind(p *pulse, all []heartbeat.Heartbeat) {
	c.unit()
	first, names := all[0], []string{}
	for _, h := range all {
		if h.Since.Before(first.Since) {
			first = h
		}
		names = append(names, fmt.Sprintf("%s (%s)", h.Name, c.hearts.pulses[h.Name].brief))
		c.markBlind(c.hearts.pulses[h.Name], true)
	}
	reason := fmt.Sprintf("none of %d heartbeats is heard: %s", len(all), listed(names))
	c.occur(incident.Begun{
		Identity: incident.Identity{Heartbeat: incident.AllHeartbeats}, Title: blindTitle, Severity: blindSeverity,
		Policy: orElse(c.cfg.BlindPolicy, c.hearts.pulses[first.Name].rule.Policy),
		Labels: map[string]string{"alertname": alertBlind, "severity": blindSeverity},
		Annotations: map[string]string{
			"summary":     blindTitle,
			"description": reason + ". Alerts may fire of which nobody is told. Look at the network to Midwatch first, then at each Prometheus.",
		},
		Reason: reason,
	})
}

func listed(names []string) string {
	if more := len(names) - maxBlindNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxBlindNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

func (c *Core) markBlind(p *pulse, blind bool) {
	if p.blind != blind {
		p.blind = blind
		c.keepHeart(p)
	}
}

func (c *Core) joinBlind(l *live, p *pulse) {
	c.unit()
	c.markBlind(p, true)
	c.happened(incident.Event{
		Kind: incident.Note, Incident: l.incident.ID(), Reason: "joined", Text: fmt.Sprintf("heartbeat %s: %s", p.rule.Name, p.reason),
	})
}

// noteHeart writes what became of a heartbeat into the timeline of its incident.
func (c *Core) noteHeart(p *pulse, text string) {
	if l := c.about(p.beat.Name); l != nil {
		c.happened(incident.Event{Kind: incident.Note, Incident: l.incident.ID(), Text: fmt.Sprintf("heartbeat %s: %s", p.beat.Name, text)})
	}
}

// calm is when a heartbeat is late no more: its incident is over, and that of all of them with the last.
func (c *Core) calm(p *pulse, reason string) {
	p.brief, p.reason = "", ""
	if l := c.about(p.beat.Name); l != nil {
		c.heardAgain(l, fmt.Sprintf("heartbeat %s: %s", p.beat.Name, reason))
	}
	if !p.blind {
		return
	}
	c.markBlind(p, false)
	l := c.about(incident.AllHeartbeats)
	if l == nil {
		return
	}
	var silent []string
	for _, name := range slices.Sorted(maps.Keys(c.hearts.pulses)) {
		if c.hearts.pulses[name].blind {
			silent = append(silent, name)
		}
	}
	if len(silent) == 0 {
		c.heardAgain(l, fmt.Sprintf("heartbeat %s: %s; it was the last", p.beat.Name, reason))
		return
	}
	c.happened(incident.Event{
		Kind: incident.Note, Incident: l.incident.ID(),
		Text: fmt.Sprintf("heartbeat %s: %s; still silent: %s", p.beat.Name, reason, listed(silent)),
	})
}

// occur opens the incident, or brings it back within the reopen window.
func (c *Core) occur(in incident.Begun) {
	l := c.live[c.identities[in.Identity]]
	switch {
	case l != nil && (l.incident.Open() || l.incident.Held):
		return
	case l != nil && c.now.Before(c.closes(l)):
		reason := fmt.Sprintf("again %s after it was resolved: %s", c.now.Sub(l.incident.ResolvedAt.Add(l.moved)).Round(time.Second), in.Reason)
		l.moved = 0
		l.standIn(true)
		c.become(l, incident.Back{Severity: in.Severity, Reason: reason})
	default:
		c.last++
		l = newLive()
		in.Number, in.AutoResolve = c.last, true
		c.live[c.last], c.identities[in.Identity] = l, c.last
		l.incident.Number, l.incident.Labels = c.last, in.Labels
		l.standIn(true) // before the ladder begins: its pages name what they are about
		c.become(l, in)
	}
	c.weigh(l)
}

// heardAgain ends an incident.
func (c *Core) heardAgain(l *live, reason string) {
	l.standIn(false)
	c.become(l, incident.Cleared{Reason: reason})
	if !l.incident.Open() {
		c.allClear(l) // it was resolved by hand before, and its channels have waited for this
	}
}

// standIn gives the incident of a heartbeat an alert of its own, which is in no table: by it the incident is shown, told
// to channels, and silenced.
func (l *live) standIn(fires bool) {
	labels := router.LabelsOf(l.incident.Labels)
	fp := labels.Fingerprint()
	if _, known := l.members[fp]; !known {
		l.members[fp] = labels
		l.order = append(l.order, fp)
	}
	if fires {
		l.firing[fp] = true
	} else {
		delete(l.firing, fp)
	}
}

// signOf is that alert.
func signOf(i incident.Incident) *router.Alert {
	return &router.Alert{
		Labels: router.LabelsOf(i.Labels), Annotations: router.LabelsOf(i.Annotations),
		StartsAt: i.OpenedAt, EndsAt: i.ResolvedAt, UpdatedAt: i.OpenedAt,
	}
}

// shiftHeartbeats moves them along with a wall clock that was set.
func (c *Core) shiftHeartbeats(by time.Duration) {
	for _, name := range c.hearts.order {
		c.unit()
		c.stepHeart(c.hearts.pulses[name], heartbeat.Shifted{By: by})
	}
	c.hearts.surveyed = zeroTime
	c.tellLate()
}
