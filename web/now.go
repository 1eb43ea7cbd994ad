package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/heartbeat"
	"github.com/midwatch/midwatch/incident"
)

// A Channel is one way out, and how it has fared since the start.
type Channel struct {
	To, Via string // a user and a contact method, or a receiver and an integration
	State   string // connected, failing, unknown
	Error   string // what was answered last, where it fails
}

// The states of a channel.
const (
	channelConnected = "connected"
	channelFailing   = "failing"
)

// Now is the first page: what is the matter, and what is mine.
type Now struct {
	Shell
	Headline string
	Duties   []NowDuty // mine
	NextDuty *NowDuty  // where there are none
	Mine     []IncidentRow
	Others   []IncidentRow
	More     string // how many are not shown; empty: none
	Teams    []NowTeam
	MoreDuty int // schedules that are not shown
	Health   []Sign
}

// NowDuty is my time on call in a schedule.
type NowDuty struct {
	Schedule     string
	Since, Until Moment // zero: without end
}

// NowTeam is who is on call in a schedule.
type NowTeam struct {
	Schedule string
	Who      []NowPerson
	Meant    bool // that nobody is
	Until    Moment
}

// A NowPerson is somebody who is on call.
type NowPerson struct{ Name, FullName string }

// A Sign is one line of the health strip.
type Sign struct {
	Name  string
	State string // good, warn, bad, or nothing to say of it: ""
	Text  string
	At    Moment // zero: it is about no instant
	Link  string
}

// Limits of the page.
const (
	nowMine    = 30                  // my open incidents that are shown
	nowOthers  = 20                  // and others'
	nowTeams   = 60                  // schedules
	dutyAhead  = 28 * 24 * time.Hour // how far my next time on call is looked for, and the end of this one
	gapAhead   = 14 * 24 * time.Hour // and a gap
	longestWho = 120                 // letters of a list of names
)

func (p *Pages) now(w http.ResponseWriter, r *http.Request) {
	v := &Now{Shell: p.frame(r, "./", "Now")}
	v.Live = OfIncidents + " " + OfDuties + " " + OfPages
	open := []incident.Status{incident.Triggered, incident.Acked}
	theirs := engine.Filter{Status: open, Others: v.Me}
	if v.Me != "" {
		mine, _, err := p.Engine.Incidents(r.Context(), engine.Filter{Status: open, User: v.Me}, 0, nowMine)
		if err != nil {
			p.broken(w, r, "the first page", err)
			return
		}
		slices.SortStableFunc(mine, moreUrgent)
		for _, i := range mine {
			v.Mine = append(v.Mine, p.row(&v.Shell, i))
		}
	}
	others, _, err := p.Engine.Incidents(r.Context(), theirs, 0, nowOthers)
	if err != nil {
		p.broken(w, r, "the first page", err)
		return
	}
	for _, i := range others {
		v.Others = append(v.Others, p.row(&v.Shell, i))
	}
	triggered, acked := p.Engine.OpenCount()
	v.headline(triggered, acked)
	if n := triggered + acked - len(v.Mine) - len(v.Others); n > 0 {
		v.More = count(n, "more open incident")
	}
	p.duties(v)
	v.Health = p.health(&v.Shell)
	p.show(w, r, http.StatusOK, "now", v)
}

// moreUrgent puts first what nobody has, then what is more severe, then what is newer.
func moreUrgent(a, b engine.View) int {
	rank := func(v engine.View) int {
		n := incident.Rank(v.Severity)
		if v.Status != incident.Triggered {
			n += 1000
		}
		return n
	}
	return rank(a) - rank(b)
}

func (v *Now) headline(triggered, acked int) {
	waiting := 0
	for _, i := range v.Mine {
		if i.CanAck {
			waiting++
		}
	}
	switch {
	case waiting == 1:
		v.Headline = "1 incident waits for you"
	case waiting > 1:
		v.Headline = fmt.Sprintf("%d incidents wait for you", waiting)
	case triggered > 0:
		v.Headline = fmt.Sprintf("%s, %d of them not acknowledged", count(triggered+acked, "open incident"), triggered)
		if triggered+acked == 1 {
			v.Headline = "1 open incident, not acknowledged"
		}
	case acked > 0:
		v.Headline = count(acked, "open incident") + ", all acknowledged"
		if acked == 1 {
			v.Headline = "1 open incident, acknowledged"
		}
	default:
		v.Headline = "Nothing is open"
	}
}

// duties are who is on call, and when I am.
func (p *Pages) duties(v *Now) {
	users := p.Engine.Config().Users
	duties := p.Engine.OnCall(v.Now)
	for _, d := range duties {
		if v.Me != "" {
			v.mine(p.Engine, d)
		}
		if len(v.Teams) == nowTeams {
			v.MoreDuty++
			continue
		}
		t := NowTeam{Schedule: d.Schedule, Meant: d.Answer.Declared, Until: v.moment(d.Until)}
		for _, name := range d.Answer.Users() {
			t.Who = append(t.Who, NowPerson{name, short(users[name].FullName, 60)})
		}
		v.Teams = append(v.Teams, t)
	}
	if len(v.Duties) > 0 {
		v.NextDuty = nil
	}
}

// mine notes when I am on call in that schedule: now, or else next.
func (v *Now) mine(e *engine.Engine, d engine.Duty) {
	now := slices.Contains(d.Answer.Users(), v.Me)
	s := e.Schedule(d.Schedule)
	if s == nil || !now && len(v.Duties) > 0 {
		return
	}
	times := s.Times(v.Me, v.Now, v.Now.Add(dutyAhead))
	if len(times) == 0 {
		return
	}
	duty := NowDuty{Schedule: d.Schedule, Since: v.moment(times[0].Start), Until: v.moment(times[0].End)}
	if !times[0].End.Before(v.Now.Add(dutyAhead)) {
		duty.Until = Moment{}
	}
	switch {
	case now:
		v.Duties = append(v.Duties, duty)
	case v.NextDuty == nil || duty.Since.At.Before(v.NextDuty.Since.At):
		v.NextDuty = &duty
	}
}

// health says in a few lines whether what should page works.
func (p *Pages) health(s *Shell) (signs []Sign) {
	pulse := p.Engine.Pulse()
	heard := Sign{Name: "Alerts", Text: "none heard since the start", Link: "alerts"}
	if !pulse.Received.IsZero() {
		heard = Sign{Name: "Alerts", State: "good", Text: "last heard", At: s.moment(pulse.Received), Link: "alerts"}
	}
	signs = append(signs, heard)
	if p.Channels != nil {
		signs = append(signs, channelSign(p.Channels()))
	}
	if beats := p.Engine.Heartbeats(); len(beats) > 0 {
		signs = append(signs, heartbeatSign(beats))
	}
	if sign, any := p.gapSign(s); any {
		signs = append(signs, sign)
	}
	store := Sign{Name: "Store", State: "good", Text: "is being written", Link: "status"}
	if pulse.Trouble != "" {
		store.State, store.Text = "bad", "takes no writes: "+short(pulse.Trouble, 120)
	}
	return append(signs, store)
}

func channelSign(channels []Channel) Sign {
	s := Sign{Name: "Channels", Link: "deliveries"}
	var fine int
	var failing []string
	for _, c := range channels {
		switch c.State {
		case channelConnected:
			fine++
		case channelFailing:
			failing = append(failing, strings.TrimSpace(c.To+" "+c.Via))
		}
	}
	switch {
	case len(failing) > 0:
		s.State, s.Text, s.Link = "bad", "failing: "+list(failing, longestWho), "deliveries?outcome=failed"
	case fine == 0:
		s.Text = "nothing was sent yet"
	default:
		s.State, s.Text = "good", fmt.Sprintf("%d work", fine)
		if fine == 1 {
			s.Text = "1 works"
		}
		if rest := len(channels) - fine; rest > 0 {
			s.Text += fmt.Sprintf(", %d not tried yet", rest)
		}
	}
	return s
}

func heartbeatSign(beats []engine.HeartbeatView) Sign {
	s := Sign{Name: "Heartbeats", State: "good", Link: "status"}
	var late []string
	fine, paused := 0, 0
	for _, b := range beats {
		switch b.State {
		case heartbeat.Late:
			late = append(late, b.Name)
		case heartbeat.Paused:
			paused++
		case heartbeat.Fine:
			fine++
		}
	}
	switch waiting := len(beats) - fine - paused - len(late); {
	case len(late) > 0:
		s.State, s.Text = "bad", "late: "+list(late, longestWho)
	case waiting > 0:
		s.State, s.Text = "", fmt.Sprintf("%d heard, %d not yet", fine, waiting)
	default:
		s.Text = fmt.Sprintf("%d of %d heard", fine, len(beats))
	}
	if paused > 0 {
		s.Text += fmt.Sprintf(", %d paused", paused)
	}
	return s
}

// gapSign tells of the next time at which nobody is on call and nobody said so; false: there are no schedules.
func (p *Pages) gapSign(s *Shell) (sign Sign, any bool) {
	names := p.Engine.ScheduleNames()
	if len(names) == 0 {
		return Sign{}, false
	}
	sign = Sign{Name: "Coverage", State: "good", Text: "no gap in the next 14 days", Link: "oncall"}
	var first time.Time
	for _, name := range names {
		gap := p.gaps.next(name, p.Engine.Schedule(name), s.Now)
		if gap.IsZero() || !first.IsZero() && !gap.Before(first) {
			continue
		}
		first = gap
		sign = Sign{Name: "Coverage", State: "warn", Text: "gap in " + name, At: s.moment(gap), Link: "schedules/" + name}
		if !gap.After(s.Now) {
			sign = Sign{Name: "Coverage", State: "bad", Text: "nobody is on call in " + name, Link: "schedules/" + name}
		}
	}
	return sign, true
}
