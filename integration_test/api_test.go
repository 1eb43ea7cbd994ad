//go:build linux

package integration_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// web is the browser, and the program that asks. It follows no redirects: where an answer sends one is looked at.
var web = &http.Client{
	Timeout:       patience,
	Transport:     &http.Transport{},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask makes one request to the present life; err is of the network.
func (m *midwatch) ask(method, path, body string) (status int, answer string, err error) {
	r, err := http.NewRequest(method, "http://"+m.addr+m.prefix+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if m.user != "" {
		r.SetBasicAuth(m.user, mailPassword)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return do(r)
}

func do(r *http.Request) (status int, answer string, err error) {
	res, err := web.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// get fetches what must be there.
func (m *midwatch) get(path string) string {
	m.t.Helper()
	status, answer, err := m.ask(http.MethodGet, path, "")
	if err != nil || status != http.StatusOK {
		m.t.Fatalf("GET %s: %d %v\n%s", path, status, err, answer)
	}
	return answer
}

// read fetches a JSON document.
func (m *midwatch) read(path string, into any) {
	m.t.Helper()
	decode(m.t, m.get(path), into)
}

func decode(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s in:\n%s", err, text)
	}
}

// post sends what must be taken.
func (m *midwatch) post(path, body string) string {
	m.t.Helper()
	status, answer, err := m.ask(http.MethodPost, path, body)
	if err != nil || status != http.StatusOK {
		m.t.Fatalf("POST %s: %d %v\n%s", path, status, err, answer)
	}
	return answer
}

// An alert as it is posted and as it is listed.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    time.Time         `json:"startsAt,omitzero"`
	EndsAt      time.Time         `json:"endsAt,omitzero"`
	Fingerprint string            `json:"fingerprint,omitempty"`
	Status      any               `json:"status,omitempty"` // a word in a webhook, more in the API
}

func body(alerts ...alert) string {
	text, err := json.Marshal(alerts)
	if err != nil {
		panic(err) // they are maps of strings
	}
	return string(text)
}

// critical is an alert of that name.
func critical(name string) alert {
	return alert{
		Labels:      map[string]string{"alertname": name, "severity": "critical", "service": "db"},
		Annotations: map[string]string{"summary": name + " is wrong"},
	}
}

// over is the alert as its source sends it when it has ended.
func (a alert) over() alert {
	a.EndsAt = time.Now()
	return a
}

// fire posts alerts, which must be taken.
func (m *midwatch) fire(alerts ...alert) { m.t.Helper(); m.post("/api/v2/alerts", body(alerts...)) }

// An incident as the API shows it.
type incident struct {
	ID             string    `json:"id"`
	Title          string    `json:"title"`
	Status         string    `json:"status"`
	Severity       string    `json:"severity"`
	Urgency        string    `json:"urgency"`
	Policy         string    `json:"policy"`
	OpenedAt       time.Time `json:"opened_at"`
	AcknowledgedBy string    `json:"acknowledged_by"`
	ResolvedBy     string    `json:"resolved_by"`
	NextAt         time.Time `json:"next_at"` // when it pages on; zero: it does not
	Timeline       []event   `json:"timeline"`
}

// An event is one line of a timeline (SPEC §11).
type event struct {
	At        time.Time `json:"at"`
	Event     string    `json:"event"`
	Incident  string    `json:"incident"`
	Incidents []string  `json:"incidents"`
	User      string    `json:"user"`
	Via       string    `json:"via"`
	Receiver  string    `json:"receiver"`
	By        string    `json:"by"`
	Policy    string    `json:"policy"`
	Step      int       `json:"step"`
	Cycle     int       `json:"cycle"`
	Severity  string    `json:"severity"`
	Text      string    `json:"text"`
	Reason    string    `json:"reason"`
	Key       string    `json:"key"`
}

// String is the event on one line, without when it was: "page user=ana via=chat step=1 cycle=1: why".
func (e event) String() string {
	var b strings.Builder
	b.WriteString(e.Event)
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	for _, f := range [][2]string{
		{"by", e.By},
		{"user", e.User},
		{"receiver", e.Receiver},
		{"via", e.Via},
		{"severity", e.Severity},
		{"policy", e.Policy},
		{"step", number(e.Step)},
		{"cycle", number(e.Cycle)},
	} {
		if f[1] != "" {
			fmt.Fprintf(&b, " %s=%s", f[0], f[1])
		}
	}
	if e.Text != "" {
		fmt.Fprintf(&b, " %q", e.Text)
	}
	return b.String() + ": " + e.Reason
}

// trace is the timeline, an event a line. Notices that all is over go out together, and are sorted by whom they reach.
func (i incident) trace() string {
	events := slices.Clone(i.Timeline)
	slices.SortStableFunc(events, func(a, b event) int {
		if a.Event != "notification" || b.Event != "notification" {
			return 0
		}
		return cmp.Compare(a.User+a.Receiver, b.User+b.Receiver)
	})
	var b strings.Builder
	for _, e := range events {
		b.WriteString(e.String() + "\n")
	}
	return b.String()
}

// count is how many events of the kind the timeline has.
func (i incident) count(kind string) int {
	n := 0
	for _, e := range i.Timeline {
		if e.Event == kind {
			n++
		}
	}
	return n
}

// incident fetches one incident with its timeline.
func (m *midwatch) incident(id string) incident {
	m.t.Helper()
	var i incident
	m.read("/api/midwatch/v1/incidents/"+id, &i)
	return i
}

// incidents fetches all of them, in the order in which they opened.
func (m *midwatch) incidents() []incident {
	m.t.Helper()
	var all []incident
	for cursor := ""; ; {
		var page struct {
			Incidents []incident `json:"incidents"`
			Next      string     `json:"next"`
		}
		m.read("/api/midwatch/v1/incidents?cursor="+url.QueryEscape(cursor), &page)
		all = append(all, page.Incidents...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b incident) int { return cmp.Compare(number(a.ID), number(b.ID)) })
	return all
}

func number(id string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(id, "INC-"))
	return n
}

// awaitIncident waits until the incident is as wanted.
func (m *midwatch) awaitIncident(id, what string, wanted func(incident) bool) incident {
	m.t.Helper()
	var i incident
	await(m.t, id+": "+what, func() (string, bool) {
		status, answer, err := m.ask(http.MethodGet, "/api/midwatch/v1/incidents/"+id, "")
		if err != nil || status != http.StatusOK {
			return fmt.Sprint(status, err, answer), false
		}
		i = incident{}
		decode(m.t, answer, &i)
		return i.Status + ", its timeline:\n" + i.trace(), wanted(i)
	})
	return i
}

// A delivery is one attempt in the delivery log (SPEC §8).
type delivery struct {
	At        time.Time `json:"at"`
	Key       string    `json:"key"`
	Event     string    `json:"event"`
	Incident  string    `json:"incident"`
	User      string    `json:"user"`
	Receiver  string    `json:"receiver"`
	Via       string    `json:"via"`
	Attempt   int       `json:"attempt"`
	Outcome   string    `json:"outcome"`
	Answer    string    `json:"answer"`
	LatencyMS float64   `json:"latency_ms"`
}

// deliveries fetches the whole delivery log, in order of time.
func (m *midwatch) deliveries() []delivery {
	m.t.Helper()
	var all []delivery
	for cursor := ""; ; {
		var page struct {
			Deliveries []delivery `json:"deliveries"`
			Next       string     `json:"next"`
		}
		m.read("/api/midwatch/v1/deliveries?cursor="+url.QueryEscape(cursor), &page)
		all = append(all, page.Deliveries...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b delivery) int { return a.At.Compare(b.At) })
	return all
}
