package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/notify"
)

// A pushService stands for a browser maker's, and for the browsers behind it: it opens what it is given.
type pushService struct {
	*httptest.Server
	key  *ecdh.PrivateKey
	auth []byte

	mu    sync.Mutex
	gone  map[string]bool // browsers that it knows no more
	shown chan shown
}

// A shown is a notification, and the browser that shows it.
type shown struct {
	Browser                           string
	Title, Body, Incident, Event, Tag string
	AckURL                            string `json:"ack_url"`
	IncidentURL                       string `json:"incident_url"`
}

func newPushService(t *testing.T) *pushService {
	t.Helper()
	s := &pushService{auth: bytes.Repeat([]byte{5}, 16), gone: map[string]bool{}, shown: make(chan shown, 100)}
	var err error
	if s.key, err = ecdh.P256().GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		browser := strings.TrimPrefix(r.URL.Path, "/secret-path/")
		s.mu.Lock()
		gone := s.gone[browser]
		s.mu.Unlock()
		if gone {
			w.WriteHeader(http.StatusGone)
			return
		}
		body, _ := io.ReadAll(r.Body)
		plain, err := s.open(body)
		n := shown{Browser: browser}
		if err == nil {
			err = json.Unmarshal(plain, &n)
		}
		if err != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "vapid t=") || r.Header.Get("TTL") != "3600" {
			t.Errorf("%v: %v", err, r.Header)
		}
		w.WriteHeader(http.StatusCreated)
		s.shown <- n
	}))
	t.Cleanup(s.Close)
	return s
}

// open is what a browser does with a message (RFC 8291).
func (s *pushService) open(sealed []byte) ([]byte, error) {
	salt, sender, record := sealed[:16], sealed[21:86], sealed[86:]
	public, err := ecdh.P256().NewPublicKey(sender)
	if err != nil {
		return nil, err
	}
	shared, err := s.key.ECDH(public)
	if err != nil {
		return nil, err
	}
	var keys [3][]byte
	input, info := shared, "WebPush: info\x00"+string(s.key.PublicKey().Bytes())+string(sender)
	for i, length := range []int{32, 16, 12} {
		from, with := input, salt
		if i == 0 {
			with = s.auth
		} else {
			from, info = keys[0], []string{"", "Content-Encoding: aes128gcm\x00", "Content-Encoding: nonce\x00"}[i]
		}
		if keys[i], err = hkdf.Key(sha256.New, from, with, info, length); err != nil {
			return nil, err
		}
	}
	block, err := aes.NewCipher(keys[1])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, keys[2], record, nil)
	return bytes.TrimSuffix(plain, []byte{2}), err
}

func (s *pushService) forget(browser string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone[browser] = true
}

// subscription is what a browser of this service posts.
func (s *pushService) subscription(browser string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"endpoint":%q,"expirationTime":null,"keys":{"p256dh":%q,"auth":%q}}`, s.URL+"/secret-path/"+browser, b64(s.key.PublicKey().Bytes()), b64(s.auth))
}

// next is what is shown next.
func (s *pushService) next(t *testing.T) shown {
	t.Helper()
	select {
	case n := <-s.shown:
		return n
	case <-time.After(time.Minute):
		t.Fatal("nothing is shown")
		return shown{}
	}
}

// From the link to the browser, from the alert to the notification, from its button back, and what becomes of a browser that is
// gone; below a route prefix, and over a restart.
func TestBrowsersFromLinkToResolve(t *testing.T) {
	s := newPushService(t)
	config := `
users:
  - name: ana
    contact_methods: {browser: {web_push: {private_services: true}}}
  - name: bo
    contact_methods: {browser: {web_push: {}}}
  - name: cy
    contact_methods: {screen: {log: {}}}
route: {receiver: oncall, group_wait: 0s}
receivers: [{name: oncall, incident_configs: [{escalation_policy: first}]}]
escalation_policies: [{name: first, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}}
`
	r := begin(t, config, "--web.external-url=http://127.0.0.1:9093/mw")
	const root = "/mw/api/midwatch/v1/"
	invite := func(user string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"push-link", user, "--by", "cy", "--url", r.url + "/mw", "-o", "json"}, &out, &errs); code != exitOK {
			t.Fatalf("%d: %s", code, errs.String())
		}
		var link api.PushLink
		if err := json.Unmarshal(out.Bytes(), &link); err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(link.URL)
		if err != nil || !strings.HasPrefix(u.Path, "/mw/push/") {
			t.Fatal(link.URL, err)
		}
		return u.Path
	}
	wants := func(status int, text, method, path string, body ...string) string {
		t.Helper()
		resp, got := r.ask(method, path, body...)
		if resp.StatusCode != status || !strings.Contains(got, text) {
			t.Errorf("%s %s: %s %s, want %d %q", method, path, resp.Status, got, status, text)
		}
		return got
	}
	browsers := func(user string) []api.Browser {
		t.Helper()
		var all api.Browsers
		if err := json.Unmarshal([]byte(wants(200, "", "GET", root+"users/"+user+"/browsers")), &all); err != nil {
			t.Fatal(err)
		}
		return all.Browsers
	}
	var errs bytes.Buffer
	for user, want := range map[string]int{"cy": exitFailed, "zoe": exitNothing} {
		if code := run(t.Context(), []string{"push-link", user, "--by", "cy", "--url", r.url + "/mw"}, io.Discard, &errs); code != want {
			t.Errorf("a link for %s: %d %s", user, code, errs.String())
		}
	}
	if !strings.Contains(errs.String(), "cy has no contact method web_push") {
		t.Errorf("%s", errs.String())
	}

	link := invite("ana")
	key := strings.TrimSuffix(strings.SplitN(strings.SplitN(wants(200, "Get pages in this browser", "GET", link), `data-key="`, 2)[1], `"`, 2)[0], `"`)
	wants(200, "pushManager", "GET", "/mw/push.js")
	wants(200, "showNotification", "GET", "/mw/sw.js")
	wants(200, "the pages of ana", "POST", link, s.subscription("phone"))
	wants(200, "the pages of ana", "POST", link, s.subscription("desk"))
	wants(200, "the pages of ana", "POST", link, s.subscription("desk")) // twice is once
	wants(400, "private network", "POST", invite("bo"), s.subscription("phone"))
	wants(404, "not valid", "GET", strings.Replace(link, "/push/", "/ack/", 1))
	if all := browsers("ana"); len(all) != 2 || all[0].CreatedBy != "cy" || all[0].Service != "127.0.0.1" || len(browsers("bo")) != 0 {
		t.Errorf("%+v", all)
	}
	for i := range notify.MaxBrowsers - 2 {
		wants(200, "", "POST", link, s.subscription(fmt.Sprint(i)))
	}
	wants(409, "10 browsers get the pages of ana", "POST", link, s.subscription("more"))
	for i := range notify.MaxBrowsers - 2 {
		wants(200, "no pages any more", "DELETE", link, s.subscription(fmt.Sprint(i)))
	}
	wants(200, "no pages any more", "DELETE", link, s.subscription("never"))

	wants(200, "taken for 2 of 2 browsers", "POST", link+"/test", "{}")
	for range 2 {
		if n := s.next(t); n.Event != "test" {
			t.Errorf("%+v", n)
		}
	}
	s.forget("desk")
	wants(200, "", "POST", "/mw/api/v2/alerts", `[{"labels":{"alertname":"Lag","severity":"critical"}}]`)
	page := s.next(t)
	if page.Title != "[INC-1 sev2] Lag" || page.Browser != "phone" || page.Incident != "INC-1" || page.Event != "page" {
		t.Fatalf("%+v", page)
	}
	ack, err := url.Parse(page.AckURL)
	if err != nil {
		t.Fatal(err)
	}
	wants(404, "not valid", "GET", strings.Replace(ack.Path, "/ack/", "/push/", 1))
	wants(200, "INC-1 is acknowledged", "POST", ack.Path)
	down := s.next(t)
	if down.Event != "stand_down" || down.Tag != page.Tag || down.AckURL != "" {
		t.Errorf("%+v", down)
	}
	if all := browsers("ana"); len(all) != 1 {
		t.Errorf("the one that is gone is still there: %+v", all)
	}
	wants(200, "a browser was dropped, because its push service knows it no more: one of 127.0.0.1", "GET", root+"audit")
	wants(200, "a browser gets pages: one of 127.0.0.1", "GET", root+"audit")
	wants(200, "taken for 1 of 2 browsers", "GET", root+"deliveries?user=ana")

	data := filepath.Join(filepath.Dir(r.file), "data")
	info, err := os.Stat(filepath.Join(data, vapidFile))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != notify.VAPIDKeyLength {
		t.Errorf("%v %v", info, err)
	}
	if code := r.stop(); code != exitOK {
		t.Fatalf("ended with %d", code)
	}
	if log := r.log.String(); strings.Contains(log, "secret-path") || strings.Contains(log, strings.TrimPrefix(link, "/mw/push/")) {
		t.Error("a secret is in the log")
	}
	r = beginIn(t, filepath.Dir(r.file), config, "--web.external-url=http://127.0.0.1:9093/mw")
	if got := wants(200, "", "GET", link); !strings.Contains(got, `data-key="`+key+`"`) {
		t.Error("the key is another after a restart")
	}
	wants(200, "", "POST", "/mw/api/v2/alerts", fmt.Sprintf(`[{"labels":{"alertname":"Lag","severity":"critical"},"endsAt":%q}]`, time.Now().UTC().Format(time.RFC3339Nano)))
	over := s.next(t)
	if over.Event != "resolved" || over.Tag != page.Tag || over.Browser != "phone" {
		t.Errorf("%+v", over)
	}
	all := browsers("ana")
	wants(404, "no such browser", "DELETE", root+"users/ana/browsers/x?by=ana")
	wants(200, "127.0.0.1", "DELETE", root+"users/ana/browsers/"+all[0].ID+"?by=ana")
	wants(200, "no browser is subscribed: open the link of midwatch push-link ana", "POST", root+"test-page", `{"by":"cy","user":"ana"}`)
}

// A key that cannot be read does not keep Midwatch from paging.
func TestVAPIDKeys(t *testing.T) {
	dir := t.TempDir()
	fresh, err := notify.NewVAPIDKey()
	if err != nil {
		t.Fatal(err)
	}
	first, err := vapidAt(dir, fresh)
	if err != nil || !bytes.Equal(first, fresh) {
		t.Fatal(err)
	}
	other, _ := notify.NewVAPIDKey()
	if again, err := vapidAt(dir, other); err != nil || !bytes.Equal(again, first) {
		t.Errorf("another key: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, vapidFile), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := vapidAt(dir, other); err == nil || !strings.Contains(err.Error(), vapidFile) {
		t.Errorf("a broken key: %v", err)
	}
	if _, err := vapidAt(filepath.Join(dir, "nowhere"), other); err == nil {
		t.Error("a key in no directory")
	}
}
