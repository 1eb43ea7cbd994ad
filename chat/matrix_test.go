package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testMatrixToken = "syt_matrix_secret"
	testRoom        = "!db:example.org"
)

// matrixd is a homeserver as far as we use it. It refuses what one refuses.
type matrixd struct {
	tape
	mu     sync.Mutex
	events []string          // of the room, in order
	stored map[string]string // what was sent, by event ID
	txns   map[string]string // event ID by transaction
	more   chan struct{}
	synced chan string // the since of each sync that asked for what is new
	calls  chan string
	refuse []func(http.ResponseWriter)
	down   bool
}

func newMatrixd() *matrixd {
	return &matrixd{
		events: []string{`{"event_id":"$old","type":"m.room.message","sender":"@ana:example.org","content":{"msgtype":"m.text","body":"!ack 1"}}`},
		stored: map[string]string{}, txns: map[string]string{}, more: make(chan struct{}, 100), synced: make(chan string, 10_000), calls: make(chan string, 100),
	}
}

func (f *matrixd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := readAll(r.Body)
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/_matrix/client/v3/")
	answer := func(code int, v string) {
		if path != "sync" {
			f.add("→ %s %s\n%s\n← %d %s\n", r.Method, txnPart.ReplaceAllString(path, "/TXN"), pretty(body), code, v)
		}
		w.WriteHeader(code)
		fmt.Fprint(w, v)
	}
	if r.Header.Get("Authorization") != "Bearer "+testMatrixToken {
		answer(401, `{"errcode":"M_UNKNOWN_TOKEN","error":"Unrecognised access token"}`)
		return
	}
	f.mu.Lock()
	if f.down {
		f.mu.Unlock()
		answer(502, "bad gateway")
		return
	}
	if path != "sync" && len(f.refuse) > 0 {
		no := f.refuse[0]
		f.refuse = f.refuse[1:]
		f.mu.Unlock()
		no(w)
		return
	}
	f.mu.Unlock()
	room := "rooms/" + strings.NewReplacer("!", "%21", ":", "%3A").Replace(testRoom) + "/"
	path = strings.Replace(path, "rooms/"+"%21db:example.org/", room, 1)
	switch {
	case path == "account/whoami":
		answer(200, `{"user_id":"@midwatch:example.org"}`)
	case path == "sync":
		f.sync(r, answer)
	case strings.HasPrefix(path, room+"send/m.room.message/") && r.Method == http.MethodPut:
		var content struct {
			Body, Msgtype string
			Relates       struct {
				Type    string `json:"rel_type"`
				EventID string `json:"event_id"`
			} `json:"m.relates_to"`
		}
		if json.Unmarshal([]byte(body), &content) != nil || content.Body == "" || content.Msgtype == "" {
			answer(400, `{"errcode":"M_BAD_JSON","error":"no body"}`)
			return
		}
		if content.Relates.Type == "m.thread" && f.related(content.Relates.EventID) {
			answer(400, `{"errcode":"M_UNKNOWN","error":"Cannot start threads from an event with a relation"}`)
			return
		}
		f.mu.Lock()
		id := f.txns[path]
		if id == "" {
			id = fmt.Sprintf("$sent%d", len(f.txns)+1)
			f.txns[path] = id
			f.stored[id] = fmt.Sprintf(`{"event_id":"%s","type":"m.room.message","sender":"@midwatch:example.org","content":%s}`, id, body)
		}
		f.mu.Unlock()
		answer(200, fmt.Sprintf(`{"event_id":"%s"}`, id))
		f.calls <- "send"
	case strings.HasPrefix(path, room+"event/"):
		id := strings.NewReplacer("%24", "$").Replace(strings.TrimPrefix(path, room+"event/"))
		f.mu.Lock()
		e := f.stored[id]
		f.mu.Unlock()
		if e == "" {
			answer(404, `{"errcode":"M_NOT_FOUND","error":"Event not found."}`)
			return
		}
		answer(200, e)
	default:
		answer(404, `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}`)
	}
}

// related tells whether an event of the room has a relation to another, so that no thread begins with it.
func (f *matrixd) related(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.events, func(e string) bool {
		return strings.Contains(e, fmt.Sprintf(`"event_id":"%s","type"`, id)) && strings.Contains(e, `"rel_type"`)
	})
}

var txnPart = regexp.MustCompile(`/[A-Z2-7]{26}$`)

func (f *matrixd) sync(r *http.Request, answer func(int, string)) {
	q := r.URL.Query()
	since := 0
	fmt.Sscanf(q.Get("since"), "s%d", &since)
	var wait time.Duration
	if ms := q.Get("timeout"); ms != "" {
		wait, _ = time.ParseDuration(ms + "ms")
	}
	if q.Get("since") != "" {
		f.synced <- q.Get("since")
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		f.mu.Lock()
		news := f.events[since:]
		n := len(f.events)
		f.mu.Unlock()
		if len(news) > 0 {
			answer(200, fmt.Sprintf(`{"next_batch":"s%d","rooms":{"join":{"%s":{"timeline":{"events":[%s],"limited":false}},"!other:example.org":{"timeline":{"events":[%s]}}}}}`,
				n, testRoom, strings.Join(news, ","), strings.Join(news, ",")))
			return
		}
		select {
		case <-f.more:
		case <-over.C:
			answer(200, fmt.Sprintf(`{"next_batch":"s%d"}`, n))
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (f *matrixd) say(id, kind, content string) {
	f.mu.Lock()
	f.events = append(f.events, fmt.Sprintf(`{"event_id":"$%s","type":"%s","sender":"@ana:example.org","content":%s}`, id, kind, content))
	f.mu.Unlock()
	f.more <- struct{}{}
}

func TestMatrix(t *testing.T) {
	fake := newMatrixd()
	server := httptest.NewServer(fake)
	defer server.Close()
	acked := ackedCard()
	desk := newClerk(func(r Request) Reply {
		if r.Verb == Ack {
			return Reply{Card: &acked}
		}
		return Reply{Text: "Noted, @room."}
	})
	var saved []string
	m, err := NewMatrix(MatrixOptions{
		Homeserver: server.URL, Token: testMatrixToken, Rooms: []string{testRoom}, HTTP: server.Client(),
		Save: func(s string) error { saved = append(saved, s); return nil },
	}, desk)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, m.Run)
	waitFor(t, "a sync", fake.synced)
	at, err := m.Post(t.Context(), testRoom, lagCard())
	if want := (Ref{ServiceMatrix, testRoom, "$sent1"}); err != nil || at != want {
		t.Fatalf("%+v, %v", at, err)
	}
	waitFor(t, "the post", fake.calls)
	says := func(id, kind, content string, sends int) {
		t.Helper()
		fake.say(id, kind, content)
		for range sends {
			waitFor(t, "what follows "+id, fake.calls)
		}
		waitFor(t, "the next sync", fake.synced)
	}
	says("r1", "m.reaction", `{"m.relates_to":{"rel_type":"m.annotation","event_id":"$sent1","key":"👍️"}}`, 1)
	says("r2", "m.reaction", `{"m.relates_to":{"rel_type":"m.annotation","event_id":"$elsewhere","key":"👍"}}`, 0)
	fake.mu.Lock()
	fake.stored["$forged"] = `{"event_id":"$forged","type":"m.room.message","sender":"@eve:example.org","content":{"msgtype":"m.text","body":"cake?","org.midwatch.incident":"INC-12"}}`
	fake.mu.Unlock()
	says("r4", "m.reaction", `{"m.relates_to":{"rel_type":"m.annotation","event_id":"$forged","key":"👍"}}`, 0)
	says("r3", "m.reaction", `{"m.relates_to":{"rel_type":"m.annotation","event_id":"$sent1","key":"🎉"}}`, 0)
	says("t1", "m.room.message", `{"msgtype":"m.text","body":"note disks","m.relates_to":{"rel_type":"m.thread","event_id":"$sent1"}}`, 1)
	says("t2", "m.room.message", `{"msgtype":"m.text","body":"> <@midwatch:example.org> card\n\nsnooze 30m","m.relates_to":{"m.in_reply_to":{"event_id":"$sent1"}}}`, 1)
	says("t3", "m.room.message", `{"msgtype":"m.text","body":"ack, sure","m.relates_to":{"m.in_reply_to":{"event_id":"$t1"}}}`, 0)
	says("t4", "m.room.message", `{"msgtype":"m.text","body":"who broke it?"}`, 0)
	says("t5", "m.room.message", `{"msgtype":"m.text","body":"midwatch: who db"}`, 1)
	says("t6", "m.room.message", `{"msgtype":"m.text","body":"@midwatch:example.org good morning"}`, 1)
	says("t7", "m.room.message", `{"msgtype":"m.notice","body":"!ack 12"}`, 0)
	says("t8", "m.room.message", `{"msgtype":"m.text","body":"!undo 12","m.relates_to":{"rel_type":"m.replace","event_id":"$t7"}}`, 0)
	says("t9", "m.room.message", `{"msgtype":"m.text","body":"!undo 12"}`, 1)
	says("u1", "m.room.message", `{"msgtype":"m.text","body":"midwatch: who db","m.relates_to":{"rel_type":"m.thread","event_id":"$t4"}}`, 1)
	says("u2", "m.room.message", `{"msgtype":"m.text","body":"midwatch: good night","m.relates_to":{"rel_type":"m.thread","event_id":"$sent1"}}`, 1)
	if h := m.Health(); !h.Connected() || h.LastError != "" {
		t.Errorf("health %+v", h)
	}
	says("e1", "m.room.encrypted", `{}`, 0)
	if h := m.Health(); !strings.Contains(h.LastError, "is encrypted") {
		t.Errorf("health %+v", h)
	}
	if err := m.Say(t.Context(), at, "03:05 bo paged"); err != nil {
		t.Error(err)
	}
	stop()

	ana := Person{Service: ServiceMatrix, ID: "@ana:example.org"}
	id := "matrix/" + testRoom + "/$"
	want := []Request{
		{Command: Command{Verb: Ack, Incident: "INC-12"}, From: ana, Card: at, ID: id + "r1"},
		{Command: Command{Verb: Note, Incident: "INC-12", Text: "disks"}, From: ana, Card: at, ID: id + "t1"},
		{Command: Command{Verb: Snooze, Incident: "INC-12", For: 30 * time.Minute}, From: ana, Card: at, ID: id + "t2"},
		{Command: Command{Verb: Who, Text: "db"}, From: ana, ID: id + "t5"},
		{Command: Command{Verb: Undo, Incident: "INC-12"}, From: ana, ID: id + "t9"},
		{Command: Command{Verb: Who, Text: "db"}, From: ana, ID: id + "u1"},
	}
	if got := desk.requests(); !reflect.DeepEqual(got, want) {
		t.Errorf("the desk was asked\n%+v\nwant\n%+v", got, want)
	}
	if n := len(saved); n != 17 || saved[n-1] != "s17" {
		t.Errorf("saved %v", saved)
	}
	golden(t, "golden/matrix.txt", fake.String())
}

func TestMatrixTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, desk := newMatrixd(), newClerk(nil)
		client, end := inBubble(fake)
		m, err := NewMatrix(MatrixOptions{Homeserver: "http://matrix.test", Token: testMatrixToken, Rooms: []string{testRoom}, HTTP: client}, desk)
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, m.Run)
		synctest.Wait()

		limited := func(w http.ResponseWriter) {
			w.WriteHeader(429)
			fmt.Fprint(w, `{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":4000}`)
		}
		fake.mu.Lock()
		fake.refuse = append(fake.refuse, limited)
		fake.mu.Unlock()
		begin := time.Now()
		if _, err := m.Post(t.Context(), testRoom, lagCard()); err != nil || time.Since(begin) != 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if len(fake.txns) != 1 {
			t.Errorf("%d transactions", len(fake.txns))
		}
		if err := m.Say(t.Context(), Ref{ServiceMatrix, "!gone:example.org", "$x"}, "x"); err == nil || errors.Is(err, ErrGone) || !strings.HasPrefix(err.Error(), "matrix: rooms: answered 404 Not Found M_UNRECOGNIZED") {
			t.Errorf("got %v", err)
		}

		fake.mu.Lock()
		fake.down = true
		fake.mu.Unlock()
		time.Sleep(time.Hour)
		if h := m.Health(); h.Connected() || h.LastError != "matrix: sync: answered 502 Bad Gateway" {
			t.Errorf("health %+v", h)
		}
		fake.mu.Lock()
		fake.down = false
		fake.mu.Unlock()
		time.Sleep(lastWait + time.Second)
		if !m.Health().Connected() {
			t.Errorf("health %+v", m.Health())
		}
		if len(desk.requests()) != 0 {
			t.Error("acted on what was said before it came")
		}
		stop()
		end()
	})
	for _, o := range []MatrixOptions{{}, {Homeserver: "https://x"}, {Homeserver: "https://x", Token: "secret", Rooms: []string{"#name:x"}}} {
		if _, err := NewMatrix(o, newClerk(nil)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
