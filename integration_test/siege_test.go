//go:build linux

package integration_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
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
    webhook_configs: [{url: "TEAM"}]
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
	hook   *endpoint  // of all people
	team   *endpoint  // of the groups' receiver
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
	patient    bool // nobody takes its incident, and it does not end before everybody was paged
	name       string
	posted     int    // alerts of that name whose POST was begun: instances 0 to posted-1
	instances  int    // and how many of them got 200
	ending     bool   // its end was posted, whether or not it was answered
	ended      bool   // and that got 200
	life       int    // in which it was posted
	incidentID string // once one was seen
}

// A record is an incident as far as it was shown.
type record struct {
	id, title string
	life      int // in which it was first seen
	timeline  []string
	resolved  bool
	climbed   bool           // everybody was paged
	since     map[string]int // idempotency key of a page in the timeline → the life in which it was first seen there
	acts
	ackLife int
}

// A moment is when to kill: at the nth event of a kind, or after some time.
type moment struct {
	what string // "alert taken", "acknowledged", "page on the wire", "time"
	n    int
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
			for i := range p.posted {
				alerts = append(alerts, siegeAlert(p.name, i).over())
			}
			of = append(of, p)
		case !slices.Contains(of, p):
			alerts = append(alerts, siegeAlert(p.name, p.posted))
			p.posted++
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
		if i := slices.IndexFunc(s.alive, s.mayEnd); i >= 0 && chance.IntN(3) > 0 {
			oldest := s.alive[i]
			s.alive = slices.Delete(s.alive, i, i+1)
			oldest.ending = true
			return oldest
		}
		if newest := s.alive[n-1]; newest.life == s.life && newest.instances > 0 && chance.IntN(4) == 0 {
			return newest
		}
	}
	p := &promise{name: fmt.Sprintf("Alert-%05d", len(s.promises)), life: s.life, patient: chance.IntN(2) == 0}
	s.promises[p.name] = p
	s.alive = append(s.alive, p)
	return p
}

// mayEnd says whether the alert has fired for long enough. s.mu is held.
func (s *siege) mayEnd(p *promise) bool {
	r := s.known[p.incidentID]
	return p.life+lately < s.life && (!p.patient || r != nil && r.climbed || p.instances == 0)
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
		if r := s.known[id]; !r.resolved && r.life+lately > s.life && !s.promises[r.title].patient {
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
	done := s.done(i.ID)
	if status, answer, err := s.ask(http.MethodGet, "/api/midwatch/v1/incidents/"+i.ID, ""); err == nil && status == http.StatusOK {
		s.shown(answer, done, "under load")
	}
}

// acts are what people did to an incident and got 200 for.
type acts struct {
	acked string // who acknowledged
	notes []string
}

// done is what was done to the incident so far: all that is asked from now on must know of it.
func (s *siege) done(id string) acts {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.known[id]; r != nil {
		return acts{r.acked, slices.Clone(r.notes)}
	}
	return acts{}
}
