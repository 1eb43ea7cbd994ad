package chat

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const testReceipt = "rLqVuqTRh62UzxtmqiaLzQmVcPgiCy"

// pushoverd answers as Pushover's document of receipts shows.
type pushoverd struct {
	tape
	mu    sync.Mutex
	state map[string]string // of a receipt: "waiting", "acknowledged", "expired"
	code  int               // of every answer, if not 0
	asked []time.Time
}

func (p *pushoverd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, time.Now())
	id, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/1/receipts/"), ".json")
	acked, expired, by := 0, 0, ""
	switch p.state[id] {
	case "acknowledged":
		acked, by = 1, "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
	case "expired":
		expired = 1
	}
	body := fmt.Sprintf(`{"status":1,"acknowledged":%d,"acknowledged_at":0,"acknowledged_by":"%s","acknowledged_by_device":"","last_delivered_at":1360001238,"expired":%d,"expires_at":1360019290,"called_back":0,"called_back_at":0,"request":"x"}`, acked, by, expired)
	code := http.StatusOK
	switch {
	case p.code != 0:
		code, body = p.code, "down"
	case !ok || r.Method != http.MethodGet || r.URL.Query().Get("token") != "app-secret":
		code, body = 400, `{"token":"invalid","errors":["application token is invalid"],"status":0,"request":"x"}`
	case p.state[id] == "":
		code, body = 404, `{"receipt":"not found","errors":["receipt not found; may be invalid or expired"],"status":0,"request":"x"}`
	}
	p.add("→ GET %s\n← %d %s\n", r.URL.Path, code, body)
	w.WriteHeader(code)
	fmt.Fprint(w, body)
}

func TestPushoverReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		fake, desk := &pushoverd{state: map[string]string{}}, newClerk(func(Request) Reply { n++; return Reply{Again: n == 1} })
		client, end := inBubble(fake)
		p, err := NewPushover(PushoverOptions{BaseURL: "http://pushover.test", HTTP: client}, desk)
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, p.Run)
		set := func(id, state string) { fake.mu.Lock(); fake.state[id] = state; fake.mu.Unlock() }
		asked := func() int { fake.mu.Lock(); defer fake.mu.Unlock(); return len(fake.asked) }
		time.Sleep(time.Hour)
		if asked() != 0 {
			t.Error("asks though there is nothing to ask after")
		}
		set(testReceipt, "waiting")
		if err := p.Watch(Receipt{ID: testReceipt, AppToken: "app-secret", User: "ana", Incident: "INC-12", Token: "tok"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(12 * time.Second)
		if asked() != 3 {
			t.Errorf("asked %d times in 12 s", asked())
		}
		set(testReceipt, "acknowledged")
		time.Sleep(time.Minute)
		ack := Request{
			Command: Command{Verb: Ack, Incident: "INC-12"}, From: Person{ServicePushover, "uQiRzpo4DXghDmr9QzzfQu27cmVRsG", "ana"},
			Token: "tok", ID: "pushover/" + testReceipt,
		}
		if got := desk.requests(); !reflect.DeepEqual(got, []Request{ack, ack}) || asked() != 5 { // the desk could not at first
			t.Errorf("asked %d times: %+v", asked(), got)
		}
		golden(t, "golden/pushover.txt", fake.String())

		set("expired1", "expired")
		set("never2", "waiting")
		for _, id := range []string{"expired1", "never2", "unknown3"} {
			if err := p.Watch(Receipt{ID: id, AppToken: "app-secret"}); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(4 * time.Hour)
		before := asked()
		time.Sleep(time.Hour)
		if asked() != before {
			t.Error("asks for ever")
		}
		if h := p.Health(); !h.Connected() || !strings.Contains(h.LastError, "receipt not found") {
			t.Errorf("health %+v", h)
		}

		fake.mu.Lock()
		fake.code = 503
		fake.mu.Unlock()
		_ = p.Watch(Receipt{ID: "never2", AppToken: "app-secret"})
		before = asked()
		time.Sleep(time.Hour)
		if got := asked() - before; got < 30 || got > 60 {
			t.Errorf("asked %d times in an hour of trouble", got)
		}
		if h := p.Health(); h.Connected() || h.LastError != "pushover: asking after a receipt: answered 503 Service Unavailable" {
			t.Errorf("health %+v", h)
		}
		stop()
		end()
	})
}

func TestPushoverIsBounded(t *testing.T) {
	p, err := NewPushover(PushoverOptions{BaseURL: "http://127.0.0.1:1"}, newClerk(nil))
	if err != nil {
		t.Fatal(err)
	}
	for i := range pushoverLimit + 10 {
		if err := p.Watch(Receipt{ID: fmt.Sprintf("r%d", i), AppToken: "app-secret", Until: time.Now().Add(time.Duration(i) * time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := p.all["r9"]; ok || len(p.all) != pushoverLimit {
		t.Errorf("%d receipts", len(p.all))
	}
	for _, r := range []Receipt{{}, {ID: "../x", AppToken: "a"}, {ID: "r1"}} {
		if p.Watch(r) == nil {
			t.Errorf("%+v is watched", r)
		}
	}
	if err := p.poll(t.Context(), Receipt{ID: "r1", AppToken: "app-secret", Until: time.Now().Add(time.Hour)}); err == nil || strings.Contains(err.Error(), "app-secret") {
		t.Errorf("got %v", err)
	}
	if _, err := NewPushover(PushoverOptions{BaseURL: "nowhere"}, newClerk(nil)); err == nil {
		t.Error("a base URL that is none is taken")
	}
}

// Messages of several accounts may have been sent by several APIs: each receipt is asked after where its message went. One
// that is given again, as after every reload, lives no longer for it.
func TestPushoverReceiptsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &pushoverd{state: map[string]string{testReceipt: "waiting"}}
		client, end := inBubble(fake)
		p, err := NewPushover(PushoverOptions{BaseURL: "http://nowhere.test:1", HTTP: client}, newClerk(nil))
		if err != nil {
			t.Fatal(err)
		}
		var hosts []string
		client.Transport = noting{client.Transport, &hosts}
		stop := run(t, p.Run)
		watch := func() {
			if err := p.Watch(Receipt{ID: testReceipt, AppToken: "app-secret", BaseURL: "http://elsewhere.test/"}); err != nil {
				t.Fatal(err)
			}
		}
		watch()
		time.Sleep(time.Minute)
		for range 6 {
			time.Sleep(30 * time.Minute)
			watch()
		}
		time.Sleep(4 * time.Hour)
		fake.mu.Lock()
		if d := fake.asked[len(fake.asked)-1].Sub(fake.asked[0]); d > pushoverLife {
			t.Errorf("asked for %s", d)
		}
		fake.mu.Unlock()
		stop()
		end()
		if len(hosts) == 0 || hosts[0] != "elsewhere.test" {
			t.Errorf("asked %q", hosts)
		}
	})
}

// noting notes which hosts are asked.
type noting struct {
	http.RoundTripper
	hosts *[]string
}

func (n noting) RoundTrip(r *http.Request) (*http.Response, error) {
	*n.hosts = append(*n.hosts, r.URL.Host)
	return n.RoundTripper.RoundTrip(r)
}
