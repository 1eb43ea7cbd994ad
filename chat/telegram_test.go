package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const testTelegramToken = "123456:telegram-secret"

// telegramd is Telegram's Bot API as far as we use it. It refuses what Telegram refuses.
type telegramd struct {
	tape
	mu      sync.Mutex
	updates []string // not yet confirmed by an offset
	first   int64    // the ID of the first of them
	more    chan struct{}
	polls   []time.Time
	sent    int
	refuse  []string // each answers one request that is no poll
	down    string   // answers every poll, if not empty
	calls   chan string
	done    chan int64 // the IDs of updates that an offset confirmed
}

func newTelegramd() *telegramd {
	return &telegramd{first: 1, more: make(chan struct{}, 100), calls: make(chan string, 1000), done: make(chan int64, 1000)}
}

// say queues an update; its ID is put in.
func (f *telegramd) say(update string) {
	f.mu.Lock()
	f.updates = append(f.updates, fmt.Sprintf(`{"update_id":%d,%s`, f.first+int64(len(f.updates)), update[1:]))
	f.mu.Unlock()
	f.more <- struct{}{}
}

func (f *telegramd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/bot"), "/")
	body := readAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	quiet := method == "getUpdates"
	if !quiet {
		f.add("→ %s %s\n%s", r.Method, method, pretty(body))
		defer func() { f.calls <- method }()
	}
	answer := func(code int, v string) {
		if !quiet || strings.Contains(v, "update_id") {
			f.add("← %s\n", pretty(v))
		}
		w.WriteHeader(code)
		fmt.Fprint(w, v)
	}
	var in struct {
		Offset      int64           `json:"offset"`
		Timeout     int             `json:"timeout"`
		ChatID      string          `json:"chat_id"`
		Text        string          `json:"text"`
		MessageID   int64           `json:"message_id"`
		ReplyMarkup json.RawMessage `json:"reply_markup"`
		QueryID     string          `json:"callback_query_id"`
	}
	_ = json.Unmarshal([]byte(body), &in)
	bad := func(code int, text string) {
		answer(code, fmt.Sprintf(`{"ok":false,"error_code":%d,"description":"%s"}`, code, text))
	}
	if token != testTelegramToken {
		bad(401, "Unauthorized")
		return
	}
	f.mu.Lock()
	if method != "getUpdates" && method != "getMe" && len(f.refuse) > 0 {
		v := f.refuse[0]
		f.refuse = f.refuse[1:]
		f.mu.Unlock()
		answer(400, v)
		return
	}
	f.mu.Unlock()
	switch method {
	case "getMe":
		answer(200, `{"ok":true,"result":{"id":999,"is_bot":true,"username":"midwatch_bot"}}`)
	case "getUpdates":
		f.mu.Lock()
		f.polls = append(f.polls, time.Now())
		if f.down != "" {
			defer f.mu.Unlock()
			answer(502, f.down)
			return
		}
		f.mu.Unlock()
		f.poll(r, in.Offset, in.Timeout, answer)
	case "sendMessage", "editMessageText":
		switch {
		case in.Text == "" || len([]rune(in.Text)) > 4096+2000: // the markup does not count
			bad(400, "Bad Request: message text is empty or too long")
		case in.ChatID == "":
			bad(400, "Bad Request: chat_id is empty")
		case tooLongData(in.ReplyMarkup):
			bad(400, "Bad Request: BUTTON_DATA_INVALID")
		default:
			f.mu.Lock()
			f.sent++
			n := f.sent
			f.mu.Unlock()
			answer(200, fmt.Sprintf(`{"ok":true,"result":{"message_id":%d,"chat":{"id":%s,"type":"group"}}}`, n, in.ChatID))
		}
	case "answerCallbackQuery":
		if in.QueryID == "" || len([]rune(in.Text)) > 200 {
			bad(400, "Bad Request: MESSAGE_TOO_LONG")
			return
		}
		answer(200, `{"ok":true,"result":true}`)
	default:
		bad(404, "Not Found")
	}
}

func (f *telegramd) poll(r *http.Request, offset int64, timeout int, answer func(int, string)) {
	over := time.NewTimer(time.Duration(timeout) * time.Second)
	defer over.Stop()
	for {
		f.mu.Lock()
		for offset > f.first && len(f.updates) > 0 { // what is below the offset is confirmed
			f.done <- f.first
			f.updates, f.first = f.updates[1:], f.first+1
		}
		all := slices.Clone(f.updates)
		f.mu.Unlock()
		if len(all) > 0 {
			answer(200, `{"ok":true,"result":[`+strings.Join(all, ",")+`]}`)
			return
		}
		select {
		case <-f.more:
		case <-over.C:
			answer(200, `{"ok":true,"result":[]}`)
			return
		case <-r.Context().Done():
			return
		}
	}
}

func tooLongData(markup json.RawMessage) bool {
	var m struct {
		Rows [][]struct {
			Data string `json:"callback_data"`
			Text string `json:"text"`
		} `json:"inline_keyboard"`
	}
	_ = json.Unmarshal(markup, &m)
	for _, row := range m.Rows {
		for _, b := range row {
			if len(b.Data) > 64 || len(b.Data) == 0 || b.Text == "" {
				return true
			}
		}
	}
	return false
}

const (
	anaOnTelegram   = `"from":{"id":77,"is_bot":false,"first_name":"Ana","username":"ana"}`
	telegramGroup   = `"chat":{"id":-1001,"type":"supergroup","title":"db"}`
	telegramPrivate = `"chat":{"id":77,"type":"private"}`
)

// A night over long polls on loopback.
func TestTelegram(t *testing.T) {
	fake := newTelegramd()
	server := httptest.NewServer(fake)
	defer server.Close()
	acked := ackedCard()
	desk := newClerk(func(r Request) Reply {
		switch r.Verb {
		case Ack:
			return Reply{Text: "INC-12 is yours.", Card: &acked, Private: true}
		case Resolve:
			return Reply{Text: "Its alerts still fire.", Err: true}
		}
		return Reply{Text: "Noted & <kept>."}
	})
	var saved []int64
	s, err := NewTelegram(TelegramOptions{
		Token: testTelegramToken, BaseURL: server.URL, HTTP: server.Client(),
		Save: func(n int64) error { saved = append(saved, n); return nil },
	}, desk)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, s.Run)
	if got := waitFor(t, "getMe", fake.calls); got != "getMe" {
		t.Fatal(got)
	}
	card := lagCard()
	card.Actions[0].Token = strings.Repeat("long", 20)
	at, err := s.Post(t.Context(), "-1001/5", card)
	if want := (Ref{ServiceTelegram, "-1001/5", "1"}); err != nil || at != want {
		t.Fatalf("%+v, %v", at, err)
	}
	waitFor(t, "the post", fake.calls)
	hears := func(update string, calls ...string) {
		t.Helper()
		fake.say(update)
		for _, want := range calls {
			if got := waitFor(t, want, fake.calls); got != want {
				t.Errorf("called %s, want %s", got, want)
			}
		}
		waitFor(t, "the next poll", fake.done)
	}
	onCard := `{"message_id":1,"date":1700,"message_thread_id":5,"is_topic_message":true,` + telegramGroup + `,"from":{"id":999,"is_bot":true}}`
	hears(`{"callback_query":{"id":"q1",`+anaOnTelegram+`,"message":`+onCard+`,"data":"ack INC-12"}}`, "answerCallbackQuery", "editMessageText")
	hears(`{"callback_query":{"id":"q2",`+anaOnTelegram+`,"message":`+onCard+`,"data":"resolve INC-12 ~tok"}}`, "answerCallbackQuery")
	hears(`{"callback_query":{"id":"q3",` + anaOnTelegram + `,"message":` + onCard + `,"data":"page cto now"}}`) // forged
	hears(`{"message":{"message_id":20,"date":1700,`+anaOnTelegram+`,`+telegramGroup+`,"text":"/ack@midwatch_bot 12"}}`, "sendMessage")
	hears(`{"message":{"message_id":21,"date":1700,` + anaOnTelegram + `,` + telegramGroup + `,"text":"/ack@other_bot 12"}}`)
	hears(`{"message":{"message_id":22,"date":1700,` + anaOnTelegram + `,` + telegramGroup + `,"text":"@bo ack this?"}}`)
	hears(`{"message":{"message_id":23,"date":1700,` + anaOnTelegram + `,` + telegramGroup + `,"text":"ack, I agree"}}`)
	hears(`{"message":{"message_id":24,"date":1700,`+anaOnTelegram+`,`+telegramGroup+`,"text":"note the disk","message_thread_id":5,"is_topic_message":true,"reply_to_message":`+onCard+`}}`, "sendMessage")
	hears(`{"message":{"message_id":25,"date":1700,"from":{"id":5,"is_bot":true},` + telegramGroup + `,"text":"/ack 12"}}`)
	hears(`{"message":{"message_id":26,"date":1700,"sender_chat":{"id":-1},` + anaOnTelegram + `,` + telegramGroup + `,"text":"/ack 12"}}`)
	hears(`{"message":{"message_id":30,"date":1700,`+anaOnTelegram+`,`+telegramPrivate+`,"text":"good morning"}}`, "sendMessage")
	hears(`{"message":{"message_id":31,"date":1700,`+anaOnTelegram+`,`+telegramPrivate+`,"text":"snooze 12 30m"}}`, "sendMessage")
	if err := s.Say(t.Context(), at, "03:05 bo paged"); err != nil {
		t.Error(err)
	}
	if h := s.Health(); !h.Connected() || h.LastError != "" {
		t.Errorf("health %+v", h)
	}
	stop()

	ana := Person{ServiceTelegram, "77", "ana"}
	want := []Request{
		{Command: Command{Verb: Ack, Incident: "INC-12"}, From: ana, Card: at, ID: "telegram/q1"},
		{Command: Command{Verb: Resolve, Incident: "INC-12"}, From: ana, Card: at, Token: "tok", ID: "telegram/q2"},
		{Command: Command{Verb: Ack, Incident: "INC-12"}, From: ana, ID: "telegram/-1001/20"},
		{Command: Command{Verb: Note, Text: "the disk"}, From: ana, Card: at, ID: "telegram/-1001/5/24"},
		{Command: Command{Verb: Snooze, Incident: "INC-12", For: 30 * time.Minute}, From: ana, ID: "telegram/77/31"},
	}
	if got := desk.requests(); !reflect.DeepEqual(got, want) {
		t.Errorf("the desk was asked\n%+v\nwant\n%+v", got, want)
	}
	if want := []int64{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}; !reflect.DeepEqual(saved, want) {
		t.Errorf("saved %v, want %v", saved, want)
	}
	golden(t, "golden/telegram.txt", fake.String())
}

func inTelegramBubble(t *testing.T, answer func(Request) Reply, change func(*TelegramOptions), f func(t *testing.T, fake *telegramd, s *Telegram, desk *clerk)) {
	synctest.Test(t, func(t *testing.T) {
		fake, desk := newTelegramd(), newClerk(answer)
		client, end := inBubble(fake)
		o := TelegramOptions{Token: testTelegramToken, BaseURL: "http://telegram.test", HTTP: client}
		if change != nil {
			change(&o)
		}
		s, err := NewTelegram(o, desk)
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, s.Run)
		synctest.Wait()
		f(t, fake, s, desk)
		stop()
		end()
	})
}

// What a desk cannot do now waits and is not lost, nor done twice; nor is what a desk never can in the way for ever.
func TestTelegramWaitsForTheDesk(t *testing.T) {
	n := 0
	answer := func(r Request) Reply { n++; return Reply{Again: r.Verb == Ack && n < 4 || r.Verb == Undo} }
	inTelegramBubble(t, answer, nil, func(t *testing.T, fake *telegramd, s *Telegram, desk *clerk) {
		fake.say(`{"message":{"message_id":1,` + anaOnTelegram + `,` + telegramPrivate + `,"text":"ack 12"}}`)
		fake.say(`{"message":{"message_id":2,` + anaOnTelegram + `,` + telegramPrivate + `,"text":"undo 12"}}`)
		fake.say(`{"message":{"message_id":3,` + anaOnTelegram + `,` + telegramPrivate + `,"text":"show"}}`)
		time.Sleep(10 * time.Minute)
		counts := map[Verb]int{}
		for _, r := range desk.requests() {
			counts[r.Verb]++
		}
		if want := map[Verb]int{Ack: 4, Undo: telegramTries, Show: 1}; !maps.Equal(counts, want) {
			t.Errorf("asked %v, want %v", counts, want)
		}
	})
}

// What was confirmed does not come again; what was not, comes again after a restart, under the same ID.
func TestTelegramAfterARestart(t *testing.T) {
	inTelegramBubble(t, nil, func(o *TelegramOptions) {
		o.Offset = 3
		o.Save = func(int64) error { return errors.New("disk full at /bot" + testTelegramToken + "/") }
	}, func(t *testing.T, fake *telegramd, s *Telegram, desk *clerk) {
		for i := range 4 {
			fake.say(fmt.Sprintf(`{"message":{"message_id":%d,%s,%s,"text":"ack 12"}}`, i+1, anaOnTelegram, telegramPrivate))
		}
		time.Sleep(time.Minute)
		got := desk.requests()
		if len(got) != 2 || got[0].ID != "telegram/77/3" {
			t.Errorf("got %+v", got)
		}
		if h := s.Health(); !h.Connected() || h.LastError != "telegram: keeping the offset: disk full at /bot<secret>/" {
			t.Errorf("health %+v", h)
		}
	})
}

func TestTelegramIsDown(t *testing.T) {
	inTelegramBubble(t, nil, nil, func(t *testing.T, fake *telegramd, s *Telegram, desk *clerk) {
		fake.mu.Lock()
		fake.down, fake.polls = "<html>bad gateway</html>", nil
		fake.mu.Unlock()
		time.Sleep(time.Hour)
		h := s.Health()
		if h.Connected() || h.LastError != "telegram: getUpdates: answered 502 Bad Gateway with what is no JSON" {
			t.Errorf("health %+v", h)
		}
		fake.mu.Lock()
		n := len(fake.polls)
		fake.down = ""
		fake.mu.Unlock()
		if n < 30 || n > 50 {
			t.Errorf("%d polls in an hour of trouble", n)
		}
		time.Sleep(lastWait + time.Minute)
		if h := s.Health(); !h.Connected() {
			t.Errorf("health %+v", h)
		}
	})
}

func TestTelegramFaults(t *testing.T) {
	inTelegramBubble(t, nil, nil, func(t *testing.T, fake *telegramd, s *Telegram, desk *clerk) {
		at := Ref{ServiceTelegram, "-1001", "1"}
		refuse := func(text string) { fake.mu.Lock(); fake.refuse = append(fake.refuse, text); fake.mu.Unlock() }

		refuse(`{"ok":false,"error_code":400,"description":"Bad Request: message is not modified"}`)
		if err := s.Edit(t.Context(), at, lagCard()); err != nil {
			t.Errorf("not modified: %v", err)
		}
		refuse(`{"ok":false,"error_code":400,"description":"Bad Request: message to edit not found"}`)
		if err := s.Edit(t.Context(), at, lagCard()); !errors.Is(err, ErrGone) {
			t.Errorf("gone: %v", err)
		}
		refuse(`{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":9}}`)
		begin := time.Now()
		if err := s.Edit(t.Context(), at, lagCard()); err != nil || time.Since(begin) != 9*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		refuse(`{"ok":false,"error_code":400,"description":"group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-100200}}`)
		if got, err := s.Post(t.Context(), "-7", lagCard()); err != nil || got.Place != "-100200" {
			t.Errorf("migrated: %+v %v", got, err)
		}
		refuse(`{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`)
		if _, err := s.Post(t.Context(), "-7", lagCard()); err == nil || !strings.Contains(err.Error(), "must write to the bot first") {
			t.Errorf("forbidden: %v", err)
		}
	})
}

func TestTelegramHidesItsToken(t *testing.T) {
	s, err := NewTelegram(TelegramOptions{Token: testTelegramToken, BaseURL: "http://127.0.0.1:1"}, newClerk(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Post(t.Context(), "1", lagCard()); err == nil || strings.Contains(err.Error(), "telegram-secret") {
		t.Errorf("got %v", err)
	}
	for _, o := range []TelegramOptions{{}, {Token: "nonsense"}, {Token: "1:a/b"}, {Token: testTelegramToken, BaseURL: "no"}} {
		if _, err := NewTelegram(o, newClerk(nil)); err == nil || strings.Contains(err.Error(), "nonsense") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestTelegramTakesEveryCard(t *testing.T) {
	inTelegramBubble(t, nil, nil, func(t *testing.T, fake *telegramd, s *Telegram, desk *clerk) {
		wild := lagCard()
		long := strings.Repeat("<&\u202e@here ö", 2000)
		wild.Title, wild.Next, wild.Team, wild.Status = long, long, long, long
		for range 100 {
			wild.Labels, wild.Lines, wild.Who = append(wild.Labels, [2]string{long, long}), append(wild.Lines, long), append(wild.Who, long)
			wild.Actions = append(wild.Actions, Action{Verb: Ack, Label: long, Token: long})
		}
		for _, c := range []Card{wild, {}, {Incident: "INC-1"}} {
			if _, err := s.Post(t.Context(), "1", c); err != nil {
				t.Error(err)
			}
		}
	})
}
