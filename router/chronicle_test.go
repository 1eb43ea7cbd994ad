package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
)

// A chronicle is what is written down of a world while it runs, by Alertmanager's side and ours alike.
type chronicle struct {
	s  *scenario
	in setup // the configuration by now

	mu    sync.Mutex // Alertmanager's integrations write at the same time
	lines []line
	heard map[ear][]string // the alerts that fired when the integration was last told of a group
	ids   map[int]string   // of the silence that a thread of wishes has come to
}

type line struct {
	at      time.Duration
	settled bool // whether it can be compared though groups speak at other times
	text    string
}

// An ear is an integration that hears of a group.
type ear struct {
	key, receiver, integration string
	index                      int
}

func newChronicle(s *scenario) chronicle {
	return chronicle{s: s, in: s.setup, heard: map[ear][]string{}, ids: map[int]string{}}
}

func (c *chronicle) write(at time.Duration, settled bool, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line{at, settled, fmt.Sprintf("%011.6f ", at.Seconds()) + fmt.Sprintf(format, args...)})
}

// texts returns the lines that can be compared.
func (c *chronicle) texts() []string {
	var texts []string
	changed := c.s.changed()
	for _, l := range c.lines {
		if l.settled || l.at < changed {
			texts = append(texts, l.text)
		}
	}
	return texts
}

// all returns all lines.
func (c *chronicle) all() []string {
	var texts []string
	for _, l := range c.lines {
		texts = append(texts, l.text)
	}
	return texts
}

// changed is when another configuration is loaded; after the end where it never is.
func (s *scenario) changed() time.Duration {
	i := slices.IndexFunc(s.events, func(e event) bool { return e.load != nil })
	if s.reload != changing || i < 0 {
		return s.end + 1
	}
	return s.events[i].at
}

// A sight is an alert as somebody is shown it.
type sight struct {
	labels, text string
	firing       bool
}

func sightOf(labels, annotations string, starts, ends, updated, now time.Time, timeout bool) sight {
	status := "until " + ends.UTC().Format("15:04:05.000")
	if ends.IsZero() {
		status = "firing"
	}
	return sight{labels, fmt.Sprintf("%s %s since %s %s, updated %s, timeout=%v", labels, annotations,
		starts.UTC().Format("01-02T15:04:05.000"), status, updated.UTC().Format("15:04:05.000"), timeout), ends.IsZero() || ends.After(now)}
}

func textsOf(alerts []sight) string {
	var texts []string
	for _, a := range alerts {
		texts = append(texts, "\n    "+a.text)
	}
	return strings.Join(texts, "")
}

// notified writes down what an integration was told, and whether it was reached.
func (c *chronicle) notified(at time.Duration, who ear, reason string, ok bool, alerts []sight) {
	c.write(at, false, "%s/%s/%d %s %q ok=%v%s", who.receiver, who.integration, who.index, who.key, reason, ok, textsOf(alerts))
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard[who] = nil
	for _, a := range alerts {
		if a.firing {
			c.heard[who] = append(c.heard[who], a.labels)
		}
	}
	slices.Sort(c.heard[who])
}

// A circle is a group as the API shows it.
type circle struct {
	routeID, key, receiver string
	alerts                 []sight
}

func (c *chronicle) grouped(at time.Duration, g circle) {
	c.write(at, false, "group %s %s %s%s", g.routeID, g.key, g.receiver, textsOf(g.alerts))
}

// silenced writes down how a silence stands.
func (c *chronicle) silenced(at time.Duration, s Silence, state string) {
	var sets strings.Builder
	for _, set := range s.Matchers {
		for _, m := range set {
			sets.WriteString(" " + m.Name + m.Type.String() + m.Value)
		}
		sets.WriteString(";")
	}
	c.write(at, true, "silence %s %s%s from %s until %s, updated %s, by %s: %q", s.ID, state, sets.String(),
		stamp(s.StartsAt), stamp(s.EndsAt), stamp(s.UpdatedAt), s.CreatedBy, s.Comment)
}

func stamp(t time.Time) string { return t.UTC().Format("01-02T15:04:05.000000000") }

// predicted writes down what the API predicts for an alert. Of several sources Alertmanager names any.
func (c *chronicle) predicted(at time.Duration, labels string, silencedBy []string, inhibited bool) {
	c.write(at, true, "%s silenced by %v, inhibited %v", labels, slices.Sorted(slices.Values(silencedBy)), inhibited)
}

// A keeper is where silences are kept.
type keeper interface {
	silence(id string) (Silence, bool)
	set(s Silence, fresh string) (id string, err error)
	expire(id string) error
}

// wished does what people wish for, and writes down what came of it.
func (c *chronicle) wished(e event, k keeper) (became []string) {
	if e.expire > 0 {
		id := c.ids[e.expire]
		err := k.expire(id)
		c.write(e.at, true, "ending silence %s: %v", id, err)
		return []string{outcome("ended", err)}
	}
	for _, w := range e.wishes {
		var id string
		switch {
		case w.unknown:
			id = silenceID(0)
		case w.edit:
			id = c.ids[w.thread]
		}
		now, err := k.set(w.silence(id, k.silence), w.fresh)
		c.write(e.at, true, "wish for silence %q: %q, %v", id, now, err)
		switch {
		case err != nil:
			became = append(became, outcome("", err))
			continue
		case id == "":
			became = append(became, "silence created")
		case id == now:
			became = append(became, "silence edited in place")
		default:
			became = append(became, "silence replaced")
		}
		c.ids[w.thread] = now
	}
	return became
}

func outcome(done string, err error) string {
	if err != nil {
		return "silence refused"
	}
	return "silence " + done
}

// What is said of integrations at the end: deaf must be said of none.
const (
	deaf     = "never heard that"
	believes = "believes that"
)

// beliefs writes down which alerts the integrations believe to fire, when all has been quiet for long; suppressed says
// of an alert whether it is silenced or inhibited.
//
// Of one that is not told of ends, and of what was muted at times, no more can be compared than what it believes of the
// alerts that do fire and are muted by nothing: what else it was told of depends on when its groups spoke. Nor can what
// it believes of alerts that the reload led elsewhere: nobody tells it more of those.
func (c *chronicle) beliefs(groups []circle, suppressed func(labels string) bool) {
	var (
		now    = began.Add(c.s.end)
		fire   = map[ear][]string{}
		routes = map[string]*dispatch.Route{}
		ears   = map[ear]bool{} // whether it is told of ends
	)
	dispatch.NewRoute(c.in.root, nil).Walk(func(r *dispatch.Route) { routes[r.ID()] = r })
	for _, g := range groups {
		for _, i := range c.in.receivers[g.receiver] {
			who := ear{g.key, g.receiver, i.Name, i.Index}
			ears[who] = i.SendResolved
			for _, a := range g.alerts {
				if a.firing && !suppressed(a.labels) && c.in.hours(routes[g.routeID], now) == "" {
					fire[who] = append(fire[who], a.labels)
				}
			}
		}
	}
	for who := range c.heard {
		for _, i := range c.in.receivers[who.receiver] {
			if i.Name == who.integration && i.Index == who.index {
				ears[who] = i.SendResolved
			}
		}
	}
	for _, who := range slices.SortedFunc(maps.Keys(ears), func(a, b ear) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }) {
		believed := slices.DeleteFunc(slices.Clone(c.heard[who]), func(l string) bool { return !c.leads(l, who) })
		for _, l := range fire[who] {
			if !slices.Contains(believed, l) {
				c.write(c.s.end, true, "%v "+deaf+" %s fires", who, l)
			}
		}
		if c.s.muted() || !ears[who] {
			believed = slices.DeleteFunc(believed, func(l string) bool { return !slices.Contains(fire[who], l) })
		}
		if len(believed) > 0 {
			c.write(c.s.end, true, "%v "+believes+" %v fire", who, believed)
		}
	}
}

// leads reports whether the alert is told to the integration, as the configuration is by now.
func (c *chronicle) leads(labels string, to ear) bool {
	l := c.s.labels(labels)
	return slices.ContainsFunc(dispatch.NewRoute(c.in.root, nil).Match(upstreamLabels(l)), func(r *dispatch.Route) bool {
		return r.RouteOpts.Receiver == to.receiver && r.Key()+":"+groupedBy(&r.RouteOpts, l).String() == to.key
	})
}

// groupedBy are the labels by which a route groups, as Alertmanager's dispatcher picks them.
func groupedBy(o *dispatch.RouteOpts, l Labels) Labels {
	return slices.DeleteFunc(slices.Clone(l), func(p Label) bool {
		_, named := o.GroupBy[model.LabelName(p.Name)]
		return !named && !o.GroupByAll
	})
}
