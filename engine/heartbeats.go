package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/excerpt"
	"github.com/midwatch/midwatch/heartbeat"
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
	whole   bool            // sources has all of them that fire
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
	if slices.ContainsFunc(h.order, func(name string) bool { p := h.pulses[name]; return p.rule.Match != nil && !p.whole }) {
		c.survey()
		for _, name := range h.order {
			c.unit()
			c.catchUp(h.pulses[name])
		}
	}
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

// shortened is a text in so many letters.
func shortened(text string, most int) string { return excerpt.Letters(text, most) }

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
		p.sources, p.whole = p.sources[1:], false
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

// survey looks for the alerts of all heartbeats among all there are: what began to fire before the heartbeat was watched
// is not known, nor which of too many were forgotten. It is a look at the whole table, and rare.
func (c *Core) survey() {
	h := &c.hearts
	found := map[*pulse][]*router.Alert{}
	for _, name := range h.order {
		h.pulses[name].whole = true
	}
	for a := range c.router.Alerts().All() {
		if a.Ended {
			continue
		}
		for _, list := range [][]*pulse{h.byAlert[a.Name()], h.anyAlert} {
			for _, p := range list {
				if p.rule.Match(a.Labels) {
					p.whole = p.whole && len(found[p]) < maxHeartSources
					found[p] = latest(found[p], a)
				}
			}
		}
	}
	for _, name := range h.order {
		p := h.pulses[name]
		p.sources = nil
		for _, a := range found[p] {
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
	if due := p.beat.Due(); p.rule.Match != nil && !p.whole && !due.IsZero() && !due.After(c.now) {
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

// shiftHeartbeats moves them along with a wall clock that was set.
func (c *Core) shiftHeartbeats(by time.Duration) {
	for _, name := range c.hearts.order {
		c.unit()
		c.stepHeart(c.hearts.pulses[name], heartbeat.Shifted{By: by})
	}
	c.tellLate()
}
