package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"go.uber.org/goleak"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update accepts it).\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// at is a moment of the night the tests tell of.
func at(clock string) time.Time {
	t, err := time.Parse("15:04:05", clock)
	if err != nil {
		panic(err)
	}
	return time.Date(2025, 11, 23, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// lag is the incident of that night: the second page, to Bo in Stockholm, because Ana did not answer.
func lag() Message {
	return Message{
		Key: "INC-1/2/bo-chat/1", Event: EventPage, Target: Target{User: "bo", Via: "chat"},
		GroupKey: `{}:{alertname="ReplicationLag"}`, GroupLabels: map[string]string{"alertname": "ReplicationLag"},
		At: at("03:05:30"),
		Alerts: []Alert{{
			Labels:       map[string]string{"alertname": "ReplicationLag", "severity": "critical", "service": "db", "instance": "db-2:9187"},
			Annotations:  map[string]string{"summary": "db-2 is 300 s behind", "runbook_url": "https://runbooks.example.org/lag"},
			StartsAt:     at("02:59:40"),
			GeneratorURL: "https://prometheus.example.org/graph?g0.expr=lag",
		}},
		Page: &Page{
			Incident: "INC-1", Title: "Replication lag", Severity: "sev2", Status: "triggered", OpenedAt: at("03:00:00"),
			User: "bo", FullName: "Bo Ek", TimeZone: "Europe/Stockholm", Method: "chat", Policy: "db", Step: 2, Cycle: 1,
			Reason: "no acknowledgement of step 1 in 5m", RunbookURL: "https://runbooks.example.org/lag",
			AlsoPaged: []string{"ana"}, NextAt: at("03:15:30"), NextWho: "receiver db-leads",
			Urgency: "high", CallURL: "https://midwatch.example.org/twilio/call/AQx5hT0",
			AckURL: "https://midwatch.example.org/ack/AQx5hT0", IncidentURL: "https://midwatch.example.org/incidents/INC-1",
		},
	}
}

// with returns m after change; the page is m's own afterwards.
func with(m Message, change func(m *Message)) Message {
	if m.Page != nil {
		p := *m.Page
		m.Page = &p
	}
	change(&m)
	return m
}

// stories are all kinds of messages a person gets.
func stories() map[string]Message {
	briefs := []Brief{
		{"INC-1", "Replication lag", "sev2", at("03:00:00")},
		{"INC-2", "Disk full on web-01", "sev3", at("02:10:00")},
		{"INC-3", "Checkout burns its budget", "sev1", at("03:04:00")},
		{"INC-4", "Backup överdue", "sev4", at("03:05:00")},
	}
	return map[string]Message{
		"page": lag(),
		"first": with(lag(), func(m *Message) {
			m.At, m.Page.Step, m.Page.Reason = at("03:00:00"), 1, "on call for db-primary"
			m.Page.AlsoPaged, m.Page.NextAt, m.Page.NextWho = nil, at("03:05:00"), "bo"
		}),
		"last_walk": with(lag(), func(m *Message) {
			m.Page.Cycle, m.Page.NextAt, m.Page.NextWho = 4, time.Time{}, ""
		}),
		"expiring": with(lag(), func(m *Message) {
			m.Event, m.At, m.Page.Status = EventAckExpiring, at("03:56:00"), "acknowledged"
			m.Page.NextAt, m.Page.NextWho, m.Page.Reason = at("04:01:00"), "ana", "you acknowledged 55m ago"
		}),
		"low": with(lag(), func(m *Message) { m.Page.Urgency, m.Page.Severity = "low", "sev4" }),
		"stand_down": with(lag(), func(m *Message) {
			m.Event, m.At, m.Page.Status, m.Page.Reason = EventStandDown, at("03:07:00"), "acknowledged", "acknowledged by ana"
		}),
		"resolved": with(lag(), func(m *Message) {
			m.Event, m.At, m.Page.Status, m.Page.ResolvedBy = EventResolved, at("03:42:00"), "resolved", "its source: the alert stopped firing"
			m.Page.AckURL, m.Page.NextAt = "", time.Time{}
			m.Alerts = slices.Clone(m.Alerts)
			m.Alerts[0].EndsAt = at("03:41:40")
		}),
		"bundle": with(lag(), func(m *Message) {
			m.Key = "bundle/bo-chat/7"
			m.Page.Incident, m.Page.Incidents, m.Page.Title, m.Page.Severity = "", briefs, "", ""
			m.Page.IncidentURL, m.Page.RunbookURL = "https://midwatch.example.org/incidents", ""
			m.Page.OpenedAt = time.Time{}
		}),
		"storm": with(lag(), func(m *Message) {
			m.Key, m.GroupKey, m.At = "storm/0123456789abcdef01234567", "midwatch/storm", at("03:06:00")
			m.Page.Incident, m.Page.Incidents, m.Page.Title, m.Page.Severity = "", briefs, "", ""
			m.Page.IncidentURL, m.Page.RunbookURL, m.Page.OpenedAt = "https://midwatch.example.org", "", time.Time{}
			m.Page.Policy, m.Page.Step, m.Page.Reason = "", 0, "37 pages waited and are one message"
			m.Page.Storm = &Storm{Count: 37, Worst: 1, From: at("03:04:00"), To: at("03:05:50"), Acks: 30, Keys: []string{"INC-1/1.1/bo.chat/1", "INC-2/1.1/bo.chat/1"}}
		}),
		"test": with(lag(), func(m *Message) {
			m.Event, m.Key, m.Alerts = EventTest, "test/7/bo/chat", nil
			*m.Page = Page{
				Title: TestTitle, User: "bo", FullName: "Bo Ek", TimeZone: "Europe/Stockholm", Method: "chat", Reason: "ana asked for it",
				AckURL: "https://midwatch.example.org/ack/AQx5hT0", IncidentURL: "https://midwatch.example.org",
			}
		}),
		"digest": with(lag(), func(m *Message) {
			m.Event, m.Key, m.Alerts = EventDigest, "digest/bo/1", nil
			*m.Page = Page{
				Incidents: briefs[:2], User: "bo", FullName: "Bo Ek", TimeZone: "Europe/Stockholm", Method: "chat",
				Reason: "your shift of db-primary began", IncidentURL: "https://midwatch.example.org/incidents",
				Duty: &Duty{Schedule: "db-primary", Start: at("03:00:00"), End: at("15:00:00")},
			}
		}),
		"on_call_soon": with(lag(), func(m *Message) {
			m.Event, m.Key, m.Alerts = EventOnCallSoon, "on_call_soon/db-primary/bo/1/chat", nil
			*m.Page = Page{
				User: "bo", FullName: "Bo Ek", TimeZone: "Europe/Stockholm", Method: "chat", IncidentURL: "https://midwatch.example.org",
				Duty: &Duty{Schedule: "db-primary", Start: at("08:00:00"), End: at("20:00:00"), With: []string{"ana"}},
			}
		}),
		"on_call_changed": with(lag(), func(m *Message) {
			m.Event, m.Key, m.Alerts = EventOnCallChanged, "on_call_changed/bo/1/chat", nil
			*m.Page = Page{
				User: "bo", FullName: "Bo Ek", TimeZone: "Europe/Stockholm", Method: "chat", IncidentURL: "https://midwatch.example.org",
				Duty: &Duty{Why: "override", By: "ana", Changes: []DutyChange{
					{Schedule: "db-primary", Start: at("08:00:00"), End: at("20:00:00"), On: true}, {Schedule: "web", Start: at("09:00:00"), End: at("10:00:00")},
				}},
			}
		}),
		"swap_requested": with(lag(), func(m *Message) {
			m.Event, m.Key, m.Alerts = EventSwapRequested, "swap_requested/SWAP-3/chat", nil
			*m.Page = Page{
				User: "bo", FullName: "Bo Ek", TimeZone: "Europe/Stockholm", Method: "chat",
				Duty: &Duty{Why: "SWAP-3", By: "ana", Changes: []DutyChange{
					{Schedule: "db-primary", Start: at("08:00:00"), End: at("20:00:00"), On: true}, {Schedule: "db-primary", Start: at("20:00:00"), End: at("23:00:00")},
				}},
			}
		}),
		"hundred": with(lag(), func(m *Message) {
			m.Alerts = nil
			for i := range 100 {
				m.Alerts = append(m.Alerts, Alert{
					Labels:      map[string]string{"alertname": "InstanceDown", "instance": fmt.Sprintf("web-%02d:9100", i), "job": "node"},
					Annotations: map[string]string{"summary": fmt.Sprintf("web-%02d does not answer", i)}, StartsAt: at("02:59:00"),
				})
			}
		}),
		"languages": with(lag(), func(m *Message) {
			m.Page.Title, m.Page.FullName, m.Page.AlsoPaged = "Störning i köhanteringen 🔥", "Åsa Öberg", []string{"ليلى"}
			m.Page.NextWho = "محمد"
			m.Alerts = []Alert{
				{Labels: map[string]string{"alertname": "قاعدة البيانات", "منطقة": "الرياض", "severity": "critical"}, Annotations: map[string]string{"summary": "توقفت قاعدة البيانات عن الاستجابة"}},
				{Labels: map[string]string{"alertname": "Kö🚦", "zone": "göteborg"}, Annotations: map[string]string{"description": "rad ett\nrad två\t<b>fet</b> & \"citat\""}},
			}
		}),
		"hostile": with(lag(), func(m *Message) {
			m.Page.Title = "</title><script>alert(1)</script> *bold* [x](http://evil) @everyone\r\nBcc: all@example.org"
			m.Page.RunbookURL = "javascript:alert(1)"
			m.Page.Reason = "{{ .Secret }} <img src=x onerror=alert(1)>"
			m.Alerts = []Alert{{Labels: map[string]string{"alertname": "a|b>c", "x": "\u202Egnp.exe\x00\xff"}}}
		}),
		"bare": {Key: "test/1", Event: EventPage, At: at("03:00:00"), Page: &Page{User: "bo"}},
	}
}

// A world is an HTTP server that every provider's notifier takes for its own.
type world struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	answer   func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
}

type request struct {
	Method, Path, Query string
	Header              http.Header
	Body                []byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.StartTLS()
	t.Cleanup(w.Close)
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	got := request{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Clone(), body}
	w.requests = append(w.requests, got)
	answer := w.answer
	w.mu.Unlock()
	if answer != nil && answer(rw, r) || judge(rw, got) {
		return
	}
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/slack"):
		io.WriteString(rw, "ok")
	case strings.HasSuffix(path, "/sendMessage"):
		io.WriteString(rw, `{"ok":true,"result":{"message_id":7,"chat":{"id":42}}}`)
	case strings.HasSuffix(path, "/gettoken"):
		io.WriteString(rw, `{"access_token":"wechat-access"}`)
	case strings.HasSuffix(path, "/message/send"):
		io.WriteString(rw, `{"errcode":0}`)
	case strings.HasSuffix(path, "/chat.postMessage"):
		io.WriteString(rw, `{"success":true}`)
	case strings.HasSuffix(path, "/search"):
		io.WriteString(rw, `{"issues":[]}`)
	case strings.HasPrefix(path, "/sns"):
		io.WriteString(rw, `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>`)
	default:
		io.WriteString(rw, "{}")
	}
}

// say replaces the answers; nil is the providers' own.
func (w *world) say(answer func(rw http.ResponseWriter, r *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

func (w *world) sayStatus(code int, words string) {
	w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
		http.Error(rw, words, code)
		return true
	})
}

func (w *world) got() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests)
}

func (w *world) last(t *testing.T) request {
	t.Helper()
	all := w.got()
	if len(all) == 0 {
		t.Fatal("nothing was sent")
	}
	return all[len(all)-1]
}

// script prints a request for a golden file: JSON indented, forms one value a line.
func (r request) script() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.Path)
	for _, h := range []string{"Content-Type", "Authorization", "X-Auth-Token", "X-Gotify-Key", "Idempotency-Key"} {
		if v := r.Header.Get(h); v != "" {
			if before, _, ok := strings.Cut(v, " Credential="); ok {
				v = before + " …" // a signature is another every time
			}
			fmt.Fprintf(&b, "%s: %s\n", h, v)
		}
	}
	for _, form := range []string{r.Query, string(r.Body)} {
		values, err := url.ParseQuery(form)
		if form == "" || err != nil || strings.HasPrefix(form, "{") {
			continue
		}
		var keys []string
		for k := range values {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			fmt.Fprintf(&b, "%s = %s\n", k, strings.Join(values[k], "|"))
		}
	}
	var indented bytes.Buffer
	if json.Indent(&indented, r.Body, "", "  ") == nil {
		b.WriteString(indented.String())
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// load has upstream's loader read one receiver of the given integration config, in YAML flow or block style.
func load(t *testing.T, integration, config string) amconfig.Receiver {
	t.Helper()
	text := fmt.Sprintf(`
global:
  smtp_smarthost: 127.0.0.1:1
  smtp_from: midwatch@example.org
  http_config: {tls_config: {insecure_skip_verify: true}}
route: {receiver: r}
receivers:
- name: r
  %s_configs:
  - %s
`, integration, strings.ReplaceAll(strings.TrimSpace(config), "\n", "\n    "))
	c, err := amconfig.Load(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return c.Receivers[0]
}

func options(t *testing.T, defines ...string) Options {
	t.Helper()
	var paths []string
	for i, d := range defines {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.tmpl", i))
		if err := os.WriteFile(path, []byte(d), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	tmpl, err := template.FromGlobs(paths)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.ExternalURL = &url.URL{Scheme: "https", Host: "midwatch.example.org"}
	return Options{Templates: tmpl}
}

func personal(t *testing.T, integration, config string, set ...string) Endpoint {
	t.Helper()
	e, err := Personal(Method{
		User: "bo", Via: "chat", Receiver: load(t, integration, config),
		SetByUser: func(field string) bool { return slices.Contains(set, field) },
	}, options(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// toWorld makes every connection of an HTTP client end in w, whatever its name.
func toWorld(w *world) []commoncfg.HTTPClientOption {
	return []commoncfg.HTTPClientOption{commoncfg.WithDialContextFunc(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, w.Listener.Addr().String())
	})}
}
