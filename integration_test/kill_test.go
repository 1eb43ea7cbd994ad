//go:build linux

package integration_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

const siegeConfig = `
route:
  receiver: oncall
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 200ms
  repeat_interval: 4h
receivers:
  - name: oncall
    incident_configs: [{escalation_policy: two, title: '{{ .GroupLabels.alertname }}'}]
users:
  - name: ana
    contact_methods:
      first: {webhook: {url: "HOOK"}}
      second: {webhook: {url: "HOOK"}}
    notification_rules:
      high: [{via: [first]}, {via: [second], after: 400ms}]
  - {name: bo, contact_methods: {hook: {webhook: {url: "HOOK"}}}}
  - {name: cto, contact_methods: {hook: {webhook: {url: "HOOK"}}}}
escalation_policies:
  - name: two
    repeat: 0
    steps:
      - {notify: [{user: ana}], escalate_after: 1s}
      - {notify: [{user: bo}], escalate_after: 1s}
paging: {catch_all: {user: cto}, catch_all_every: 4h, reopen_window: 1s}
`

// How much of the siege is looked at after every kill: everything that happened lately, and so many of the old
// incidents, by chance. At the end it is everything.
const (
	lately = 4 // lives
	oldies = 20
)

// A siege is a daemon under load that is killed again and again, with all that it has promised.
type siege struct {
	*midwatch
	chance *rand.Rand // of the main line; the load has its own
	hook   *endpoint
	life   int

	mu       sync.Mutex
	promises map[string]*promise // by alertname
	alive    []*promise          // those whose end was not posted, the oldest first
	known    map[string]*record  // by id
	kills    chan string         // somebody saw the moment to kill, and says what it was
	at       moment
}

// A promise is an alert that was posted.
type promise struct {
	name       string
	instances  int    // alerts of that name whose POST got 200
	ending     bool   // its end was posted, whether or not it was answered
	ended      bool   // and that got 200
	life       int    // in which it was posted
	dbg string
	incidentID string // once one was seen
}

// A record is an incident as far as it was shown.
type record struct {
	id, title string
	life      int // in which it was first seen
	timeline  []string
	resolved  bool
	since     map[string]int // idempotency key of a page in the timeline → the life in which it was first seen there
	acked     string         // who acknowledged and got 200
	ackLife   int
	notes     []string // whose POST got 200
}

// A moment is when to kill: at the nth event of a kind, or after some time.
type moment struct {
	what string // "alert taken", "acknowledged", "page on the wire", "time"
	n    int
}

// Kill -9 at sixty bad moments. Nothing that was promised may be gone, nobody may be paged twice for one thing, but for
// a page that was on the wire and is repeated under its key.
func TestKillNine(t *testing.T) {
	rounds := 60
	if long() {
		rounds = 2000
	}
	from := seed(t)
	s := &siege{
		hook: chatter(t), chance: rand.New(rand.NewPCG(from, 0)),
		promises: map[string]*promise{}, known: map[string]*record{},
	}
	s.midwatch = prepare(t, t.TempDir(), fill(siegeConfig, "HOOK", s.hook.URL))
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
		if t.Failed() {
			os.CopyFS("/tmp/integration/failed", os.DirFS(s.dir))
			t.Fatalf("in round %d of MIDWATCH_SEED=%d", round, from)
		}
	}
	s.life = rounds
	s.start()
	s.settle()
	s.check(true)
	resent := s.checkPages()
	t.Logf("%d kills %v: %d alerts promised, %d incidents, %d pages, %d of them sent again under their key",
		rounds, moments, len(s.promises), len(s.known), len(s.hook.got())-resent, resent)
	s.stop()
}

// besiege loads the daemon until the moment to kill has come, kills it, and returns which moment it was.
func (s *siege) besiege(seed uint64) string {
	whats := []string{"time", "alert taken", "acknowledged", "page on the wire"}
	s.mu.Lock()
	s.at = moment{whats[s.chance.IntN(len(whats))], 1 + s.chance.IntN(6)}
	s.kills = make(chan string, 1)
	at := s.at
	s.mu.Unlock()
	if at.what == "page on the wire" {
		s.hook.be(s.onTheWire)
	}

	stop := make(chan struct{})
	var load sync.WaitGroup
	for i, work := range []func(*rand.Rand){s.post, s.act, s.look} {
		chance := rand.New(rand.NewPCG(seed, uint64(1+i)))
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(chance.IntN(50)) * time.Millisecond):
					work(chance)
				}
			}
		})
	}
	limit := 1500 * time.Millisecond
	if at.what == "time" {
		limit = time.Duration(s.chance.IntN(900)) * time.Millisecond
	}
	what := "time"
	select {
	case what = <-s.kills:
	case <-time.After(limit):
	}
	s.kill()
	close(stop)
	load.Wait()
	return what
}

// happened counts an event, and has the daemon killed if it was the one.
func (s *siege) happened(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.what != what {
		return
	}
	if s.at.n--; s.at.n == 0 {
		s.kills <- what
	}
}

// onTheWire answers pages, but the one at which the daemon is killed stays without an answer.
func (s *siege) onTheWire(_ hit, w http.ResponseWriter, r *http.Request) {
	s.happened("page on the wire")
	s.mu.Lock()
	dying := s.at.n <= 0
	s.mu.Unlock()
	if dying {
		<-r.Context().Done()
		return
	}
	io.WriteString(w, "ok")
}

// post sends one to three alerts: new ones, one more of the newest name, or the end of an old one.
func (s *siege) post(chance *rand.Rand) {
	var alerts []alert
	var of []*promise
	s.mu.Lock()
	for range 1 + chance.IntN(3) {
		switch p := s.pick(chance); {
		case p.ending:
			for i := range p.instances {
				alerts = append(alerts, siegeAlert(p.name, i).over())
			}
			of = append(of, p)
		case !slices.Contains(of, p):
			alerts = append(alerts, siegeAlert(p.name, p.instances))
			of = append(of, p)
		}
	}
	s.mu.Unlock()

	status, answer, err := s.ask(http.MethodPost, "/api/v2/alerts", body(alerts...))
	switch {
	case err != nil:
		return // nothing was promised
	case status != http.StatusOK:
		s.t.Errorf("POST of alerts: %d %s", status, answer)
		return
	}
	s.mu.Lock()
	for _, p := range of {
		if p.ending {
			p.ended = true
			p.dbg = fmt.Sprintf("end answered in life %d at %s, instances %d, posted in life %d", s.life, time.Now().UTC().Format("15:04:05.000"), p.instances, p.life)
		} else {
			p.instances++
		}
	}
	s.mu.Unlock()
	s.happened("alert taken")
}

// pick is the alert to post next. s.mu is held.
func (s *siege) pick(chance *rand.Rand) *promise {
	if n := len(s.alive); n > 0 {
		if oldest := s.alive[0]; oldest.life+lately < s.life && chance.IntN(3) > 0 {
			s.alive = s.alive[1:]
			oldest.ending = true
			return oldest
		}
		if newest := s.alive[n-1]; newest.life == s.life && newest.instances > 0 && chance.IntN(4) == 0 {
			return newest
		}
	}
	p := &promise{name: fmt.Sprintf("Alert-%05d", len(s.promises)), life: s.life}
	s.promises[p.name] = p
	s.alive = append(s.alive, p)
	return p
}

func siegeAlert(name string, instance int) alert {
	a := critical(name)
	a.Labels["instance"] = fmt.Sprint(instance)
	return a
}

// act acknowledges a recent incident or writes a note to it.
func (s *siege) act(chance *rand.Rand) {
	s.mu.Lock()
	var open []*record
	for _, id := range s.ids() {
		if r := s.known[id]; !r.resolved && r.life+lately > s.life {
			open = append(open, r)
		}
	}
	if len(open) == 0 {
		s.mu.Unlock()
		return
	}
	r := open[chance.IntN(len(open))]
	note := fmt.Sprintf("looking %d.%d", s.life, chance.Uint32())
	s.mu.Unlock()

	if chance.IntN(2) == 0 {
		status, answer, err := s.ask(http.MethodPost, "/api/midwatch/v1/incidents/"+r.id+"/note", `{"by":"bo","note":"`+note+`"}`)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil && status == http.StatusOK {
			r.notes = append(r.notes, note)
		} else if err == nil {
			s.t.Errorf("note to %s: %d %s", r.id, status, answer)
		}
		return
	}
	status, answer, err := s.ask(http.MethodPost, "/api/midwatch/v1/incidents/"+r.id+"/acknowledge", `{"by":"bo"}`)
	switch {
	case err != nil:
		return
	case status != http.StatusOK:
		s.t.Errorf("acknowledging %s: %d %s", r.id, status, answer)
		return
	}
	s.mu.Lock()
	if r.acked == "" {
		r.acked, r.ackLife = "bo", s.life
	}
	s.mu.Unlock()
	s.happened("acknowledged")
}

// look reads as the web page does: the newest incidents, and one of them closely.
func (s *siege) look(chance *rand.Rand) {
	status, answer, err := s.ask(http.MethodGet, "/api/midwatch/v1/incidents?limit=20", "")
	if err != nil || status != http.StatusOK {
		return
	}
	var page struct {
		Incidents []incident `json:"incidents"`
	}
	if err := json.Unmarshal([]byte(answer), &page); err != nil || len(page.Incidents) == 0 {
		return
	}
	i := page.Incidents[chance.IntN(len(page.Incidents))]
	if status, answer, err := s.ask(http.MethodGet, "/api/midwatch/v1/incidents/"+i.ID, ""); err == nil && status == http.StatusOK {
		s.shown(answer)
	}
}

// shown takes in an incident as it was answered: what was shown before must be its beginning.
func (s *siege) shown(answer string) {
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
	for _, e := range i.Timeline {
		if e.Key != "" && (e.Event == "page" || e.Event == "notification") {
			if _, ok := r.since[e.Key]; !ok {
				r.since[e.Key] = s.life
			}
		}
	}
	s.checkActs(r, i)
}

// checkActs looks for everything that people did and were answered 200 for.
func (s *siege) checkActs(r *record, i incident) {
	if r.acked != "" && !slices.ContainsFunc(i.Timeline, func(e event) bool {
		return e.By == r.acked && (e.Event == "acknowledged" || e.Event == "note" && e.Text == "acknowledged after it was resolved")
	}) {
		s.t.Errorf("%s acknowledged %s and was answered 200, and it is gone:\n%s", r.acked, r.id, i.trace())
	}
	if r.acked != "" && i.Status == "triggered" {
		s.t.Errorf("%s was acknowledged and is triggered:\n%s", r.id, i.trace())
	}
	for _, note := range r.notes {
		n := 0
		for _, e := range i.Timeline {
			if e.Text == note {
				n++
			}
		}
		if n != 1 {
			s.t.Errorf("%s has the note %q %d times:\n%s", r.id, note, n, i.trace())
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
			s.t.Errorf("the end of %s was answered 200, and it fires: %s; listed %s", name, p.dbg, pretty(listed))
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
		status, answer, err := s.ask(http.MethodGet, "/api/midwatch/v1/incidents/"+id, "")
		if err != nil || status != http.StatusOK {
			s.t.Errorf("%s is gone: %d %v %s", id, status, err, answer)
			continue
		}
		s.shown(answer)
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

// settle waits until the ladder of every incident that nobody took has come to its end: cto was paged.
func (s *siege) settle() {
	s.t.Helper()
	done := map[string]bool{}
	await(s.t, "the end of every ladder", func() (string, bool) {
		for _, i := range s.incidents() {
			if p := s.promises[i.Title]; p != nil {
				p.incidentID = cmp.Or(p.incidentID, i.ID)
			}
			if i.Status == "triggered" && !done[i.ID] {
				whole := s.incident(i.ID)
				done[i.ID] = slices.ContainsFunc(whole.Timeline, func(e event) bool { return e.Event == "page" && e.User == "cto" })
				if !done[i.ID] {
					return i.ID + ":\n" + whole.trace(), false
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.promises)) {
			if p := s.promises[name]; !p.ending && p.instances > 0 && p.incidentID == "" {
				return name + " has no incident", false
			}
		}
		return "", true
	})
}

// checkPages looks at everything that anybody got, and returns how many pages came again.
func (s *siege) checkPages() (resent int) {
	s.t.Helper()
	keys := map[string]string{} // what for → its key
	lives := map[string][]int{} // key → the lives in which it came
	paged := map[string]bool{}  // incidents whose first step paged ana
	for _, h := range s.hook.got() {
		p := h.page(s.t)
		m := p.Midwatch
		if h.Key == "" || h.Key != m.IdempotencyKey {
			s.t.Errorf("the key of %s is %q in the header and %q in the body", p, h.Key, m.IdempotencyKey)
		}
		what := fmt.Sprintf("%s %s%v %s/%s step %d cycle %d", m.Event, m.Incident, m.Incidents, m.User, m.Method, m.Step, m.Cycle)
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

		about := m.Incidents // of a bundle
		if len(about) == 0 {
			about = []string{m.Incident}
		}
		for _, id := range about {
			s.checkPage(what, s.known[id], h, m.Event == "page")
			if m.Event == "page" && m.User == "ana" {
				paged[id] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.promises)) {
		if p := s.promises[name]; !p.ending && p.instances > 0 && !paged[p.incidentID] {
			s.t.Errorf("%s was answered 200 and never paged anybody", name)
		}
	}
	return resent
}

// checkPage holds one page against what was known of its incident when it was sent.
func (s *siege) checkPage(what string, r *record, h hit, page bool) {
	s.t.Helper()
	if r == nil {
		s.t.Errorf("%s: nobody knows of that incident", what)
		return
	}
	if since, ok := r.since[h.Key]; ok && h.Life > since {
		s.t.Errorf("%s is in the timeline since life %d and was sent again in life %d", what, since, h.Life)
	}
	if page && r.acked != "" && h.Life > r.ackLife {
		s.t.Errorf("%s was sent in life %d; it was acknowledged in life %d", what, h.Life, r.ackLife)
	}
}
