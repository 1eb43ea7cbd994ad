//go:build linux

package integration_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Kill -9 at sixty bad moments. Nothing that was promised may be gone, nobody may be paged twice for one thing, but for
// a page that was on the wire and is repeated under its key.
func TestKillNine(t *testing.T) {
	rounds := 60
	if long() {
		rounds = 3000
	}
	from := seed(t)
	s := &siege{
		hook: chatter(t), team: chatter(t), chance: rand.New(rand.NewPCG(from, 0)),
		promises: map[string]*promise{}, known: map[string]*record{},
	}
	s.midwatch = prepare(t, t.TempDir(), fill(siegeConfig, "HOOK", s.hook.URL, "TEAM", s.team.URL))
	moments := map[string]int{}
	for round := range rounds {
		s.life = round
		if s.chance.IntN(10) == 0 { // while it starts
			s.launch()
			<-time.After(time.Duration(s.chance.IntN(120)) * time.Millisecond)
			moments["start"]++
		} else {
			s.start()
			s.check(false)
			moments[s.besiege(from+uint64(round))]++
		}
		s.kill()
		s.hook.be(answering(http.StatusOK, "ok"))
		s.hook.quiet(t)
		s.team.quiet(t)
		if long() && round%100 == 99 {
			fmt.Printf("%s: round %d of %d\n", t.Name(), round+1, rounds)
		}
		if t.Failed() {
			t.Fatalf("in round %d of MIDWATCH_SEED=%d", round, from)
		}
	}
	s.life = rounds
	s.start()
	untaken := s.settle()
	s.check(true)
	resent := s.checkPages(untaken)
	t.Logf("%d kills %v: %d alerts promised, %d incidents of which %d nobody took, %d messages, and %d were sent again under their key",
		rounds, moments, len(s.promises), len(s.known), len(untaken), len(s.hook.got())-resent, resent)
	t.Logf("%d notifications of the team, of which it heard %d again", len(s.team.got()), s.checkTeam())
	s.stop()
}

// shown takes in an incident as it was answered: what was shown before must be its beginning, and what was done to it
// before it was asked for must be there.
func (s *siege) shown(answer string, done acts, when string) {
	var i incident
	var raw struct {
		Timeline []json.RawMessage `json:"timeline"`
	}
	decode(s.t, answer, &i)
	decode(s.t, answer, &raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.known[i.ID]
	if r == nil {
		r = &record{id: i.ID, title: i.Title, life: s.life, since: map[string]int{}}
		s.known[i.ID] = r
	}
	if r.title != i.Title {
		s.t.Errorf("%s was %q and is now %q", i.ID, r.title, i.Title)
	}
	if p := s.promises[i.Title]; p == nil {
		s.t.Errorf("%s is about %q, which nobody posted", i.ID, i.Title)
	} else if p.incidentID = cmp.Or(p.incidentID, i.ID); p.incidentID != i.ID {
		s.t.Errorf("%s has two incidents, %s and %s", p.name, p.incidentID, i.ID)
	}
	var timeline []string
	for _, e := range raw.Timeline {
		timeline = append(timeline, string(e))
	}
	if len(timeline) < len(r.timeline) || !slices.Equal(timeline[:len(r.timeline)], r.timeline) {
		s.t.Errorf("the timeline of %s was\n%s\nand is now\n%s", r.id, pretty(r.timeline), pretty(timeline))
	}
	r.timeline = timeline
	r.resolved = i.Status == "resolved"
	r.climbed = slices.Equal(i.paged(), everybody)
	for _, e := range i.Timeline {
		if e.Key != "" && (e.Event == "page" || e.Event == "notification") {
			if _, ok := r.since[e.Key]; !ok {
				r.since[e.Key] = s.life
			}
		}
	}
	s.checkActs(i, done, fmt.Sprintf("life %d, %s", s.life, when))
}

// checkActs looks for everything that people did and were answered 200 for.
func (s *siege) checkActs(i incident, done acts, when string) {
	if done.acked != "" && !slices.ContainsFunc(i.Timeline, func(e event) bool {
		return e.By == done.acked && (e.Event == "acknowledged" || e.Event == "note" && e.Text == "acknowledged after it was resolved")
	}) {
		s.t.Errorf("%s: %s acknowledged %s and was answered 200, and it is gone:\n%s", when, done.acked, i.ID, i.trace())
	}
	if done.acked != "" && i.Status == "triggered" {
		s.t.Errorf("%s: %s was acknowledged and is triggered:\n%s", when, i.ID, i.trace())
	}
	for _, note := range done.notes {
		n := 0
		for _, e := range i.Timeline {
			if e.Text == note {
				n++
			}
		}
		if n != 1 {
			s.t.Errorf("%s: %s has the note %q %d times:\n%s", when, i.ID, note, n, i.trace())
		}
	}
}

// ids are the known incidents, in the order of their numbers. s.mu is held.
func (s *siege) ids() []string {
	return slices.SortedFunc(maps.Keys(s.known), func(a, b string) int { return cmp.Compare(number(a), number(b)) })
}

// check looks whether the daemon knows all that it promised before it was killed. Nothing else goes on meanwhile.
func (s *siege) check(everything bool) {
	s.t.Helper()
	var listed []alert
	s.read("/api/v2/alerts", &listed)
	firing := map[string]int{}
	for _, a := range listed {
		firing[a.Labels["alertname"]]++
	}
	for _, name := range slices.Sorted(maps.Keys(s.promises)) {
		switch p := s.promises[name]; {
		case !p.ending && firing[name] < p.instances:
			s.t.Errorf("%d alerts %s were answered 200 and %d are known", p.instances, name, firing[name])
		case p.ended && firing[name] > 0:
			s.t.Errorf("the end of %s was answered 200, and it fires", name)
		}
	}

	listedToo := s.newest
	if everything {
		listedToo = s.incidents
	}
	ids := s.ids()
	for _, i := range listedToo() {
		if s.known[i.ID] == nil {
			ids = append(ids, i.ID)
		}
	}
	if !everything {
		ids = s.some(ids)
	}
	for _, id := range ids {
		done := s.done(id)
		status, answer, err := s.ask(http.MethodGet, "/api/midwatch/v1/incidents/"+id, "")
		if err != nil || status != http.StatusOK {
			s.t.Errorf("%s is gone: %d %v %s", id, status, err, answer)
			continue
		}
		s.shown(answer, done, "after the start")
	}
}

// newest lists the incidents of late.
func (s *siege) newest() []incident {
	var page struct {
		Incidents []incident `json:"incidents"`
	}
	s.read("/api/midwatch/v1/incidents?limit=200", &page)
	return page.Incidents
}

// some are the incidents of late, and a few old ones.
func (s *siege) some(ids []string) []string {
	var late, old []string
	for _, id := range ids {
		if r := s.known[id]; r != nil && r.resolved && r.life+lately < s.life {
			old = append(old, id)
		} else {
			late = append(late, id)
		}
	}
	s.chance.Shuffle(len(old), func(i, j int) { old[i], old[j] = old[j], old[i] })
	return append(late, old[:min(len(old), oldies)]...)
}

// everybody is who is paged for an incident that nobody takes, each once.
var everybody = []string{"ana/first", "ana/second", "bo/hook", "cto/hook"}

// paged are those whom pages reached, in the order of their names, as often as they did.
func (i incident) paged() (who []string) {
	for _, e := range i.Timeline {
		if e.Event == "page" {
			who = append(who, e.User+"/"+e.Via)
		}
	}
	slices.Sort(who)
	return who
}

// settle waits until the ladder of every incident that nobody took has come to its end, and returns those incidents.
func (s *siege) settle() (untaken []string) {
	s.t.Helper()
	done := map[string]bool{}
	await(s.t, "a page to everybody for every incident", func() (string, bool) {
		for _, i := range s.incidents() {
			if p := s.promises[i.Title]; p != nil {
				p.incidentID = cmp.Or(p.incidentID, i.ID)
			}
			if i.Status != "triggered" || done[i.ID] {
				continue
			}
			whole := s.incident(i.ID)
			if !slices.Equal(whole.paged(), everybody) {
				return i.ID + ":\n" + whole.trace(), false
			}
			done[i.ID] = true
		}
		for _, name := range slices.Sorted(maps.Keys(s.promises)) {
			if p := s.promises[name]; !p.ending && p.instances > 0 && p.incidentID == "" {
				return name + " has no incident", false
			}
		}
		return "", true
	})
	return slices.Sorted(maps.Keys(done))
}

// checkPages looks at everything that anybody got, and returns how many pages came again. For the untaken incidents it
// must be a page to everybody.
func (s *siege) checkPages(untaken []string) (resent int) {
	s.t.Helper()
	keys := map[string]string{} // what for → its key
	lives := map[string][]int{} // key → the lives in which it came
	paged := map[string]bool{}  // "INC-1 ana/first"
	for _, h := range s.hook.got() {
		p := h.page(s.t)
		m := p.Midwatch
		if h.Key == "" || h.Key != m.IdempotencyKey {
			s.t.Errorf("the key of %s is %q in the header and %q in the body", p, h.Key, m.IdempotencyKey)
		}
		what := fmt.Sprintf("%s %v %s/%s step %d cycle %d", m.Event, p.about(), m.User, m.Method, m.Step, m.Cycle)
		if first, ok := keys[what]; ok && first != h.Key {
			s.t.Errorf("%s went out twice, as %s and as %s", what, first, h.Key)
		}
		keys[what] = h.Key
		if len(lives[h.Key]) > 0 {
			resent++
		}
		if slices.Contains(lives[h.Key], h.Life) {
			s.t.Errorf("%s went out twice in one life, and it was answered 200", what)
		}
		lives[h.Key] = append(lives[h.Key], h.Life)

		for _, id := range p.about() {
			s.checkPage(what, s.known[id], h, p)
			if m.Event == "page" {
				paged[id+" "+m.User+"/"+m.Method] = true
			}
		}
	}
	for _, id := range untaken {
		for _, who := range everybody {
			if !paged[id+" "+who] {
				s.t.Errorf("nobody took %s, and %s was not paged", id, who)
			}
		}
	}
	return resent
}

// checkPage holds one page against what was known of its incident when it was sent.
func (s *siege) checkPage(what string, r *record, h hit, p pageBody) {
	s.t.Helper()
	if r == nil {
		s.t.Errorf("%s: nobody knows of that incident", what)
		return
	}
	for _, key := range p.keys() {
		if since, ok := r.since[key]; ok && h.Life > since {
			s.t.Errorf("%s is in the timeline since life %d and was sent again in life %d", what, since, h.Life)
		}
	}
	if p.Midwatch.Event == "page" && r.acked != "" && h.Life > r.ackLife {
		s.t.Errorf("%s was sent in life %d; it was acknowledged in life %d", what, h.Life, r.ackLife)
	}
}

// checkTeam looks that the groups' receiver heard of everything that fires, and of nothing twice in one life: no alert
// comes back in this siege, and repeat_interval is longer than it. What it heard again in a later life was on the wire
// at a kill; it returns how often that was.
func (s *siege) checkTeam() (again int) {
	s.t.Helper()
	lives := map[string][]int{} // what it was told → in which lives
	told := map[string]bool{}
	for _, h := range s.team.got() {
		p := h.page(s.t)
		var alerts []string
		for _, a := range p.Alerts {
			alerts = append(alerts, fmt.Sprint(a.Labels["instance"], " ", a.Status))
		}
		slices.Sort(alerts)
		name := p.Alerts[0].Labels["alertname"]
		told[name] = true
		what := name + ": " + strings.Join(alerts, ", ")
		if slices.Contains(lives[what], h.Life) {
			s.t.Errorf("the team was told twice in life %d: %s", h.Life, what)
		} else if len(lives[what]) > 0 {
			again++
		}
		lives[what] = append(lives[what], h.Life)
	}
	delivered := 0
	for _, d := range s.deliveries() {
		if d.Receiver != "" && d.Outcome == "delivered" {
			delivered++
		}
	}
	if delivered > len(lives) {
		s.t.Errorf("the delivery log has %d notifications of the team; there was something to say %d times", delivered, len(lives))
	}
	for _, name := range slices.Sorted(maps.Keys(s.promises)) {
		if p := s.promises[name]; !p.ending && p.instances > 0 && !told[name] {
			s.t.Errorf("%s was answered 200, and the team was not told", name)
		}
	}
	return again
}
