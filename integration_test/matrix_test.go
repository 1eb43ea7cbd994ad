//go:build linux

package integration_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	matrixToken = "syt_bWlkd2F0Y2g_chatSecret_0Vf4Qm"
	matrixSelf  = "@midwatch:example.org"
	matrixOps   = "!opsQhTyRfWbN:example.org" // where cards are
	matrixAna   = "!anaLkPwZxCvB:example.org" // where ana is paged
	matrixOther = "!cafXnMdGhJkL:example.org" // of which the account is a member, and which is none of its business
)

// A matrixd is a homeserver with one account for us: the part of the client-server API that is used, with what a homeserver
// refuses. Transactions are remembered, a sync stays open until there is something that its filter lets through, and what comes
// before its "since" is not told again.
type matrixd struct {
	URL string

	mu      sync.Mutex
	stream  []matrixEvent
	txns    map[string]string // event IDs, by the path of the request
	tries   map[string]int    // by the same
	sinces  []string          // that syncs began with
	refused []string
	mishaps map[string]string // what becomes of the next request to send to a room: "limited", or "lost", which is done without an answer
	news    chan struct{}
	closed  chan struct{}
}

// A matrixEvent is one of a room's timeline.
type matrixEvent struct {
	ID      string         `json:"event_id"`
	Type    string         `json:"type"`
	Sender  string         `json:"sender"`
	At      int64          `json:"origin_server_ts"`
	Content map[string]any `json:"content"`
	Room    string         `json:"-"`
}

// relation is to which event this one relates and how, and to which it replies.
func (e matrixEvent) relation() (kind, to, reply string) {
	r, _ := e.Content["m.relates_to"].(map[string]any)
	kind, _ = r["rel_type"].(string)
	to, _ = r["event_id"].(string)
	in, _ := r["m.in_reply_to"].(map[string]any)
	reply, _ = in["event_id"].(string)
	return kind, to, reply
}

// text is what is read, of an edit what is read after it.
func (e matrixEvent) text() string {
	content := e.Content
	if after, edited := content["m.new_content"].(map[string]any); edited {
		content = after
	}
	body, _ := content["body"].(string)
	return body
}

func newMatrixd(t testing.TB) *matrixd {
	t.Helper()
	d := &matrixd{txns: map[string]string{}, tries: map[string]int{}, news: make(chan struct{}), closed: make(chan struct{})}
	s := httptest.NewServer(d)
	d.URL = s.URL
	t.Cleanup(func() { close(d.closed); s.Close() })
	return d
}

// A matrixFault is an answer that refuses.
type matrixFault struct {
	status    int
	code, why string
}

func (d *matrixd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	out, fault := d.serve(r)
	if fault == nil {
		_ = json.NewEncoder(w).Encode(out)
		return
	}
	d.mu.Lock()
	d.refused = append(d.refused, fmt.Sprintf("%s %s: %s %s", r.Method, r.URL.Path, fault.code, fault.why))
	d.mu.Unlock()
	if fault.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(fault.status)
	fmt.Fprintf(w, `{"errcode":%q,"error":%q}`, fault.code, fault.why)
}

func (d *matrixd) serve(r *http.Request) (any, *matrixFault) {
	switch r.Header.Get("Authorization") {
	case "Bearer " + matrixToken:
	case "":
		return nil, &matrixFault{401, "M_MISSING_TOKEN", "Missing access token"}
	default:
		return nil, &matrixFault{401, "M_UNKNOWN_TOKEN", "Invalid access token passed."}
	}
	rest, known := strings.CutPrefix(r.URL.EscapedPath(), "/_matrix/client/v3/")
	parts := strings.Split(rest, "/")
	for i := range parts {
		var err error
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			known = false
		}
	}
	switch {
	case !known:
	case r.Method == http.MethodGet && rest == "account/whoami":
		return map[string]any{"user_id": matrixSelf, "device_id": "MIDWATCH01", "is_guest": false}, nil
	case r.Method == http.MethodGet && rest == "sync":
		return d.sync(r)
	case parts[0] != "rooms" || len(parts) < 4:
	case parts[1] != matrixOps && parts[1] != matrixAna && parts[1] != matrixOther:
		return nil, &matrixFault{403, "M_FORBIDDEN", "User " + matrixSelf + " not in room " + parts[1]}
	case r.Method == http.MethodGet && parts[2] == "event" && len(parts) == 4:
		d.mu.Lock()
		defer d.mu.Unlock()
		if e, there := d.event(parts[1], parts[3]); there {
			return e, nil
		}
		return nil, &matrixFault{404, "M_NOT_FOUND", "Event not found."}
	case r.Method == http.MethodPut && parts[2] == "send" && len(parts) == 5 && parts[4] != "":
		return d.send(r, parts[1], parts[3])
	}
	return nil, &matrixFault{404, "M_UNRECOGNIZED", "Unrecognized request"}
}

// event is one of a room. The caller holds the lock.
func (d *matrixd) event(room, id string) (matrixEvent, bool) {
	i := slices.IndexFunc(d.stream, func(e matrixEvent) bool { return e.Room == room && e.ID == id })
	if i < 0 {
		return matrixEvent{}, false
	}
	return d.stream[i], true
}

const matrixMaxEvent = 65_536 // bytes of an event, as federated

func (d *matrixd) send(r *http.Request, room, kind string) (any, *matrixFault) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, &matrixFault{400, "M_NOT_JSON", err.Error()}
	}
	e := matrixEvent{Type: kind, Sender: matrixSelf, Room: room}
	d.mu.Lock()
	defer d.mu.Unlock()
	txn := r.URL.EscapedPath()
	d.tries[txn]++
	mishap := d.mishaps[room]
	delete(d.mishaps, room)
	if mishap == "limited" {
		return nil, &matrixFault{http.StatusTooManyRequests, "M_LIMIT_EXCEEDED", "Too Many Requests"}
	}
	id, again := d.txns[txn]
	if !again {
		if json.Unmarshal(body, &e.Content) != nil || e.Content == nil {
			return nil, &matrixFault{400, "M_NOT_JSON", "Content not JSON."}
		}
		if fault := d.judge(e, len(body)); fault != nil {
			return nil, fault
		}
		id = d.append(e)
		d.txns[txn] = id
	}
	if mishap == "lost" {
		panic(http.ErrAbortHandler)
	}
	return map[string]string{"event_id": id}, nil
}

// judge says what a homeserver has against an event. The caller holds the lock.
func (d *matrixd) judge(e matrixEvent, size int) *matrixFault {
	if size > matrixMaxEvent {
		return &matrixFault{413, "M_TOO_LARGE", "event too large"}
	}
	if e.Type == "m.room.message" {
		for _, want := range []string{"msgtype", "body"} {
			if text, _ := e.Content[want].(string); text == "" {
				return &matrixFault{400, "M_BAD_JSON", "'" + want + "' not in content"}
			}
		}
	}
	kind, to, _ := e.relation()
	if kind == "" {
		return nil
	}
	parent, there := d.event(e.Room, to)
	if !there {
		return &matrixFault{400, "M_UNKNOWN", "Can't send relation to unknown event"}
	}
	if parentKind, _, _ := parent.relation(); kind == "m.thread" && parentKind != "" {
		return &matrixFault{400, "M_UNKNOWN", "Cannot start threads from an event with a relation"}
	}
	if after, ok := e.Content["m.new_content"].(map[string]any); kind == "m.replace" && (!ok || after["body"] == nil || parent.Sender != e.Sender) {
		return &matrixFault{400, "M_BAD_JSON", "an edit without m.new_content, or of what somebody else said"}
	}
	return nil
}

// append adds an event to the stream. The caller holds the lock.
func (d *matrixd) append(e matrixEvent) string {
	sum := sha256.Sum256([]byte(strconv.Itoa(len(d.stream))))
	e.ID, e.At = "$"+base64.RawURLEncoding.EncodeToString(sum[:]), 1_700_000_000_000+int64(len(d.stream))
	d.stream = append(d.stream, e)
	close(d.news)
	d.news = make(chan struct{})
	return e.ID
}

// says is a person who sends an event to a room.
func (d *matrixd) says(room, sender, kind string, content map[string]any) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.append(matrixEvent{Type: kind, Sender: sender, Content: content, Room: room})
}

// writes is a person who writes a message, with how it relates to others (nil: not at all).
func (d *matrixd) writes(sender, text string, relates map[string]any) string {
	content := map[string]any{"msgtype": "m.text", "body": text}
	if relates != nil {
		content["m.relates_to"] = relates
	}
	return d.says(matrixOps, sender, "m.room.message", content)
}

// reacts is a person who reacts to an event.
func (d *matrixd) reacts(room, sender, to, key string) string {
	return d.says(room, sender, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": to, "key": key}})
}

// A matrixFilter is what of a filter is used. A homeserver refuses members of the wrong kind.
type matrixFilter struct {
	Presence *struct{ Types []string }
	Room     struct {
		Rooms    []string
		Timeline struct {
			Limit      int
			Types      []string
			NotSenders []string `json:"not_senders"`
		}
	}
}

// sync answers with what happened since, at once or when something does, or with nothing when the time is over.
func (d *matrixd) sync(r *http.Request) (any, *matrixFault) {
	q := r.URL.Query()
	var f matrixFilter
	if text := q.Get("filter"); !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &f) != nil {
		return nil, &matrixFault{400, "M_NOT_JSON", "Invalid filter JSON"}
	}
	if p := q.Get("set_presence"); !slices.Contains([]string{"", "online", "offline", "unavailable"}, p) {
		return nil, &matrixFault{400, "M_INVALID_PARAM", "Query parameter 'set_presence' must be one of [online, offline, unavailable]"}
	}
	timeout, err := strconv.Atoi(q.Get("timeout"))
	if err != nil || timeout < 0 {
		return nil, &matrixFault{400, "M_INVALID_PARAM", "Query parameter 'timeout' must be an integer"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	from, since := 0, q.Get("since")
	if since != "" {
		n, ok := strings.CutPrefix(since, "s")
		n, _, ok2 := strings.Cut(n, "_")
		if from, err = strconv.Atoi(n); err != nil || !ok || !ok2 || from > len(d.stream) {
			return nil, &matrixFault{400, "M_UNKNOWN", "Invalid stream token"}
		}
	}
	d.sinces = append(d.sinces, since)
	end := time.NewTimer(time.Duration(timeout) * time.Millisecond)
	defer end.Stop()
	for over := false; ; {
		joined, some := d.timelines(f, from, since == "")
		if some || over || since == "" {
			return map[string]any{"next_batch": fmt.Sprintf("s%d_1_2", len(d.stream)), "rooms": map[string]any{"join": joined}}, nil
		}
		news := d.news
		d.mu.Unlock()
		select {
		case <-news:
		case <-end.C:
			over = true
		case <-r.Context().Done():
			over = true
		case <-d.closed:
			over = true
		}
		d.mu.Lock()
	}
}

// timelines are the rooms' events from a place in the stream on, as far as the filter lets them through. The caller holds the lock.
func (d *matrixd) timelines(f matrixFilter, from int, initial bool) (joined map[string]any, some bool) {
	joined = map[string]any{}
	for _, room := range []string{matrixOps, matrixAna, matrixOther} {
		if f.Room.Rooms != nil && !slices.Contains(f.Room.Rooms, room) {
			continue
		}
		t := f.Room.Timeline
		events := []matrixEvent{}
		for _, e := range d.stream[from:] {
			if e.Room == room && (t.Types == nil || slices.Contains(t.Types, e.Type)) && !slices.Contains(t.NotSenders, e.Sender) {
				events = append(events, e)
			}
		}
		limited := t.Limit > 0 && len(events) > t.Limit
		if limited {
			events = events[len(events)-t.Limit:]
		}
		if len(events) > 0 || initial {
			joined[room] = map[string]any{"timeline": map[string]any{"events": events, "limited": limited, "prev_batch": "p1"}}
		}
		some = some || len(events) > 0
	}
	return joined, some
}

// awaitEvent waits for something that we said in a room, and returns the first that is as wanted.
func (d *matrixd) awaitEvent(t testing.TB, room, what string, wanted func(matrixEvent) bool) (found matrixEvent) {
	t.Helper()
	await(t, what, func() (string, bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		var seen []string
		for _, e := range d.stream {
			if e.Room != room || e.Sender != matrixSelf {
				continue
			}
			if wanted(e) {
				found = e
				return "", true
			}
			kind, to, _ := e.relation()
			seen = append(seen, fmt.Sprintf("%s %s %s %q", e.ID, kind, to, e.text()))
		}
		return strings.Join(append(seen, d.refused...), "\n"), false
	})
	return found
}

// awaitSaid waits for words of ours that answer an event, in the thread of another.
func (d *matrixd) awaitSaid(t testing.TB, thread, to, words string) {
	t.Helper()
	d.awaitEvent(t, matrixOps, "an answer with "+words, func(e matrixEvent) bool {
		kind, root, reply := e.relation()
		return kind == "m.thread" && root == thread && reply == to && strings.Contains(e.text(), words)
	})
}

// awaitSync waits until everything that was said so far has been heard: until a sync begins after it.
func (d *matrixd) awaitSync(t testing.TB) {
	t.Helper()
	await(t, "a sync from the end", func() (string, bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		latest := 0 // of what others said in the room, past which the next sync begins
		for i, e := range d.stream {
			if e.Room == matrixOps && e.Sender != matrixSelf {
				latest = i + 1
			}
		}
		var at int
		if len(d.sinces) > 0 {
			fmt.Sscanf(d.sinces[len(d.sinces)-1], "s%d_", &at)
		}
		return fmt.Sprint(d.sinces), at >= latest && at > 0
	})
}

func saying(words string) func(matrixEvent) bool {
	return func(e matrixEvent) bool {
		kind, _, _ := e.relation()
		return kind == "" && strings.Contains(e.text(), words)
	}
}

func editing(id, words string) func(matrixEvent) bool {
	return func(e matrixEvent) bool {
		kind, to, _ := e.relation()
		return kind == "m.replace" && to == id && strings.Contains(e.text(), words)
	}
}

func thread(root string) map[string]any {
	return map[string]any{"rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": map[string]any{"event_id": root}}
}

// Matrix: the page, the card, a reaction, replies and commands, somebody whom nobody knows; and after kill -9 nothing is heard twice
// or missed.
func TestMatrixSpeaksBack(t *testing.T) {
	t.Parallel()
	d, hook := newMatrixd(t), chatter(t)
	d.writes("@ana:example.org", "!resolve 1", nil) // before we ever came; nobody's wish now
	d.mishaps = map[string]string{matrixAna: "lost", matrixOps: "limited"}
	account := fill(`homeserver: "URL", access_token: "TOKEN"`, "URL", d.URL, "TOKEN", matrixToken)
	m := serve(t, strings.Replace(fill(chatConfig, "ANA", `room: {matrix: {`+account+`, room: "`+matrixAna+`"}}`, "HOOK", hook.URL, "MAIL", ""),
		`telegram: "123456789"`, `matrix: "@ana:example.org"`, 1)+`
chat:
  matrix: {`+account+`, room: "`+matrixOps+`"}
`)
	d.awaitSync(t)
	m.fire(critical("Lag"))
	page := d.awaitEvent(t, matrixAna, "the page", saying("Lag is wrong"))
	if !strings.Contains(page.text(), publicURL+"/ack/") {
		t.Errorf("the page has no link: %s", page.text())
	}
	card := d.awaitEvent(t, matrixOps, "the card", saying("INC-1"))

	// Somebody unknown, a reaction that is no word, words among people, another room: nothing happens.
	evil := d.reacts(matrixOps, "@evil:example.net", card.ID, "👍")
	d.awaitSaid(t, card.ID, evil, "does not know you")
	d.reacts(matrixOps, "@ana:example.org", card.ID, "🎉")
	talk := d.writes("@ana:example.org", "ack, that is ours", nil)
	d.reacts(matrixOps, "@ana:example.org", talk, "👍")
	d.says(matrixOther, "@ana:example.org", "m.room.message", map[string]any{"msgtype": "m.text", "body": "!ack 1"})
	asked := d.writes("@ana:example.org", "midwatch: who db", thread(talk)) // within a thread of people's own
	d.awaitSaid(t, talk, asked, "db: ana")
	d.awaitSync(t)
	m.wantStatus("INC-1", "nobody said so", "triggered")

	d.reacts(matrixOps, "@ana:example.org", card.ID, "👍️")
	m.wantAck("INC-1", "ana via matrix")
	d.awaitEvent(t, matrixOps, "the card's edit", editing(card.ID, "acknowledged"))
	d.awaitEvent(t, matrixOps, "the line below the card", func(e matrixEvent) bool {
		kind, root, _ := e.relation()
		return kind == "m.thread" && root == card.ID && strings.Contains(e.text(), "ana acknowledged")
	})
	note := d.writes("@ana:example.org", "note the disk was full", thread(card.ID))
	m.awaitIncident("INC-1", "the note", func(i incident) bool { return i.count("note") == 1 })
	d.awaitSaid(t, card.ID, note, "INC-1")
	d.awaitSync(t)

	// What is said while we are away is heard afterwards, once; what was heard before is not heard again.
	m.kill()
	d.mu.Lock()
	syncs, place := len(d.sinces), d.sinces[len(d.sinces)-1]
	d.mu.Unlock()
	while := d.writes("@ana:example.org", "> <"+matrixSelf+"> INC-1\n\nresolve", map[string]any{"m.in_reply_to": map[string]any{"event_id": card.ID}})
	m.start()
	i := m.awaitIncident("INC-1", "what was said while Midwatch was away", func(i incident) bool { return i.Status == "resolved" })
	if i.ResolvedBy != "ana" || i.count("note") != 1 || i.count("acknowledged") != 1 {
		t.Errorf("resolved by %s:\n%s", i.ResolvedBy, i.trace())
	}
	d.awaitSaid(t, card.ID, while, "INC-1 resolved")
	d.awaitEvent(t, matrixOps, "the card of what is over", editing(card.ID, "resolved"))
	d.awaitEvent(t, matrixAna, "the page of what is over", editing(page.ID, "Resolved"))
	d.awaitSync(t)

	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sinces[syncs] != place {
		t.Errorf("after kill -9 it begins with %q, want %q", d.sinces[syncs], place)
	}
	cards, pages := 0, 0
	for _, e := range d.stream {
		if kind, _, _ := e.relation(); kind == "" && e.Sender == matrixSelf {
			cards += strings.Count(e.Room, matrixOps)
			pages += strings.Count(e.Room, matrixAna)
		}
	}
	if cards != 1 || pages != 1 {
		t.Errorf("%d cards and %d pages of one incident", cards, pages)
	}
	twice := 0
	for _, n := range d.tries {
		twice += n - 1
	}
	if twice != 2 || len(d.refused) != 1 || !strings.Contains(d.refused[0], "M_LIMIT_EXCEEDED") {
		t.Errorf("%d tries again, refused: %s", twice, strings.Join(d.refused, "\n"))
	}
	if log := m.process.log.tail(10_000) + m.before.log.tail(10_000); strings.Contains(log, matrixToken) {
		t.Error("the access token is in the log")
	}
}

// An account whose token was logged out is said to be so, and pages go out by the other ways.
func TestMatrixWithoutItsToken(t *testing.T) {
	t.Parallel()
	d, hook := newMatrixd(t), chatter(t)
	m := serve(t, strings.Replace(fill(chatConfig, "ANA", `hook: {webhook: {url: "`+hook.URL+`"}}`, "HOOK", hook.URL, "MAIL", ""),
		`telegram: "123456789"`, `matrix: "@ana:example.org"`, 1)+fill(`
chat:
  matrix: {homeserver: "URL", access_token: syt_logged_out, room: "ROOM"}
`, "URL", d.URL, "ROOM", matrixOps))
	m.fire(critical("Lag"))
	awaitPage(t, hook, "INC-1")
	await(t, "what is wrong with the account", func() (string, bool) {
		channels := m.get("/api/midwatch/v1/channels")
		return channels, strings.Contains(channels, "the access token is wrong or was logged out")
	})
	if strings.Contains(m.get("/api/midwatch/v1/channels")+m.process.log.tail(10_000), "syt_logged_out") {
		t.Error("the token is shown")
	}
}
