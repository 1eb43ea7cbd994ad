package notify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A witness keeps what it is given to send, and when, and says what it is told to.
type witness struct {
	mu    *sync.Mutex
	kind  string
	got   *[]sending
	takes func(n int) time.Duration
	says  func(n int) Verdict
}

type sending struct {
	at time.Time
	m  Message
}

func (w witness) Kind() string { return w.kind }

func (w witness) Send(ctx context.Context, m Message) Verdict {
	w.mu.Lock()
	n := len(*w.got)
	*w.got = append(*w.got, sending{time.Now(), m})
	w.mu.Unlock()
	if w.takes != nil {
		select {
		case <-time.After(w.takes(n)):
		case <-ctx.Done():
			return Verdict{Outcome: Retry, Answer: ctx.Err().Error()}
		}
	}
	if w.says != nil {
		return w.says(n)
	}
	return Verdict{Answer: "200 OK"}
}

func newWitness(kind string) witness {
	return witness{mu: &sync.Mutex{}, kind: kind, got: &[]sending{}}
}

// pageFor is a page about one incident.
func pageFor(target Target, n int, severity string, opened time.Time) Message {
	id := fmt.Sprintf("INC-%d", n)
	return Message{
		Key: id + "/1.1/" + target.User, Event: EventPage, Target: target, At: opened,
		Page: &Page{Incident: id, Title: fmt.Sprintf("Trouble %d", n), Severity: severity, OpenedAt: opened, User: target.User, Method: target.Via},
	}
}

func linking(named int) Linker {
	return func(p *Page, key string, _ time.Time) int {
		p.AckURL, p.IncidentURL = "https://m.example.org/ack/"+key, "https://m.example.org/"
		return min(named, len(p.Incidents))
	}
}

// Pages that wait because of a service's pace become one message; what is under way does not, and what is acknowledged
// meanwhile is not in it.
func TestPagesThatWaitAreOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, w := newBook(), newWitness("telegram")
		ana := Target{User: "ana", Via: "x"}
		q := NewQueues(map[Target]Sender{ana: w})
		q.Summarize(linking(500))
		start := time.Now()
		for n := range 38 {
			severity := "sev3"
			if n%15 == 7 { // 7, 22 and 37
				severity = "sev1"
			}
			enqueue(t, q, b, pageFor(ana, n, severity, start.Add(time.Duration(n-37)*3*time.Second)))
			if n == 0 {
				synctest.Wait() // it is under way
			}
		}
		if got := q.Cancel("INC-5/1.1/ana"); got != 1 {
			t.Errorf("cancelled %d", got)
		}
		pass(10 * time.Second)
		if len(*w.got) != 2 {
			t.Fatalf("%d messages", len(*w.got))
		}
		m := (*w.got)[1]
		if since := m.at.Sub(start); since != telegramPace {
			t.Errorf("the summary left after %s", since)
		}
		if got, want := Subject(m.m), "[36 incidents in 2 minutes] These 3 are sev1: Trouble 7, Trouble 22 and Trouble 37"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if !strings.HasPrefix(Text(m.m), "36 incidents in 2 minutes\nThese 3 are sev1: Trouble 7, Trouble 22 and Trouble 37. The oldest since ") {
			t.Error(Text(m.m))
		}
		if strings.Contains(Text(m.m), "Trouble 5\n") || !strings.Contains(Text(m.m), "Acknowledge all 36: https://m.example.org/ack/storm/") {
			t.Error(Text(m.m))
		}
		lines := strings.Split(b.read(), "\n")
		if len(lines) != 37 || lines[0] != "0s INC-0/1.1/ana to ana by x: 0 200 OK" || lines[1] != "1s INC-1/1.1/ana to ana by x: 0 200 OK (in one message with 35 others)" {
			t.Errorf("%d: %q", len(lines), lines[:2])
		}
		if len(q.waiting) != 0 || len(q.lines) != 0 {
			t.Errorf("remembers %v", q.waiting)
		}
	})
}

// Up to three are no storm, receivers' notifications never are one, and without a linker nothing is.
func TestWhatIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			link   Linker
			letter func(n int) Message
			count  int
			want   int
		}{
			"three":     {linking(9), func(n int) Message { return pageFor(Target{User: "ana", Via: "x"}, n, "sev2", time.Now()) }, 4, 4},
			"four":      {linking(9), func(n int) Message { return pageFor(Target{User: "ana", Via: "x"}, n, "sev2", time.Now()) }, 5, 2},
			"no linker": {nil, func(n int) Message { return pageFor(Target{User: "ana", Via: "x"}, n, "sev2", time.Now()) }, 9, 9},
			"a receiver": {linking(9), func(n int) Message {
				return Message{Key: fmt.Sprint(n), Event: EventReceiver, Target: Target{Receiver: "r", Integration: "slack"}}
			}, 9, 9},
			"resolves": {linking(9), func(n int) Message {
				m := pageFor(Target{User: "ana", Via: "x"}, n, "sev2", time.Now())
				m.Event = EventResolved
				return m
			}, 9, 9},
		} {
			b, w := newBook(), newWitness("slack")
			q := NewQueues(map[Target]Sender{c.letter(0).Target: w})
			if c.link != nil {
				q.Summarize(c.link)
			}
			enqueue(t, q, b, c.letter(0)) // under way
			synctest.Wait()
			for n := range c.count - 1 {
				enqueue(t, q, b, c.letter(n+1))
			}
			pass(time.Minute)
			if got := len(*w.got); got != c.want {
				t.Errorf("%s: %d messages, want %d", name, got, c.want)
			}
		}
	})
}

// A page that stands behind another word about its incident stays behind it.
func TestASummaryOvertakesNothingAboutTheSameIncident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, w := newBook(), newWitness("slack")
		ana := Target{User: "ana", Via: "x"}
		q := NewQueues(map[Target]Sender{ana: w})
		q.Summarize(linking(9))
		enqueue(t, q, b, pageFor(ana, 0, "sev2", time.Now()))
		synctest.Wait()
		over := pageFor(ana, 2, "sev2", time.Now())
		over.Key, over.Event = "INC-2/over", EventResolved
		again := pageFor(ana, 2, "sev2", time.Now())
		again.Key = "INC-2/again"
		for n := 1; n < 5; n++ {
			enqueue(t, q, b, pageFor(ana, n, "sev2", time.Now()))
		}
		enqueue(t, q, b, over, again, pageFor(ana, 5, "sev2", time.Now()))
		pass(time.Minute)
		var said []string
		for _, s := range *w.got {
			said = append(said, s.m.Event+" "+strings.Join(incidentsOf(s.m), " "))
		}
		want := []string{"page INC-0", "page INC-1 INC-2 INC-3 INC-4 INC-5", "resolved INC-2", "page INC-2"}
		if !slices.Equal(said, want) {
			t.Errorf("%q, want %q", said, want)
		}
	})
}

// A storm that is over does not hold up a new page with its all-clears; what is to be said of the page's own incident before
// it is.
func TestAPageOvertakesAllClears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, w := newBook(), newWitness("slack")
		ana := Target{User: "ana", Via: "x"}
		q := NewQueues(map[Target]Sender{ana: w})
		q.Summarize(linking(9))
		for n := range 5 {
			m := pageFor(ana, n, "sev2", time.Now())
			m.Key, m.Event = m.Key+"/over", EventResolved
			enqueue(t, q, b, m)
			if n == 0 {
				synctest.Wait()
			}
		}
		enqueue(t, q, b, pageFor(ana, 9, "sev1", time.Now()), pageFor(ana, 2, "sev1", time.Now()))
		pass(time.Minute)
		var said []string
		for _, s := range *w.got {
			said = append(said, s.m.Event+" "+s.m.Page.Incident)
		}
		want := []string{"resolved INC-0", "page INC-9", "resolved INC-1", "resolved INC-2", "page INC-2", "resolved INC-3", "resolved INC-4"}
		if !slices.Equal(said, want) {
			t.Errorf("%q, want %q", said, want)
		}
	})
}

// Bundles that wait are joined too; the summary counts all incidents, and lists and links the worst.
func TestASummaryOfBundles(t *testing.T) {
	var letters []*letter
	n := 0
	ana := Target{User: "ana", Via: "x"}
	for range 100 {
		m := Message{Key: fmt.Sprintf("bundle/%d", n), Event: EventPage, Target: ana, At: at("03:00:00"), Page: &Page{User: "ana", Method: "x", Urgency: "low"}}
		for range 40 {
			severity := "sev4"
			if n == 3999 {
				severity = "sev1"
			}
			m.Page.Incidents = append(m.Page.Incidents, Brief{fmt.Sprintf("INC-%d", n), "t", severity, at("03:00:00")})
			n++
		}
		letters = append(letters, &letter{Message: m})
	}
	m := summary(letters, linking(500))
	s := m.Page.Storm
	if s.Count != 4000 || s.Worst != 1 || len(m.Page.Incidents) != stormListed || m.Page.Incidents[0].Incident != "INC-3999" || s.Acks != 500 || m.Page.Urgency != "low" {
		t.Errorf("%+v, %d listed, first %+v, urgency %s", s.Count, len(m.Page.Incidents), m.Page.Incidents[0], m.Page.Urgency)
	}
	if got := viewOf(m); got.Notice != "The link acknowledges the worst 500 of them. The other 3500 are in the list and go on paging." || got.Action != "Acknowledge the worst 500" || got.More != 3990 {
		t.Errorf("%q %q %d", got.Notice, got.Action, got.More)
	}
	backward := slices.Clone(letters)
	slices.Reverse(backward)
	if again := summary(backward, linking(500)); again.Key != m.Key {
		t.Errorf("%s is %s in another order", m.Key, again.Key)
	}
	if other := summary(letters[1:], linking(500)); other.Key == m.Key {
		t.Error("other pages have the same key")
	}
}

// Whatever floods in and however the services fail: every letter that was not taken back has exactly one verdict, and was in
// a message that had this verdict; what is said of one incident to one target keeps its order; no target is spoken to more
// often than its service allows; and a key is never used for two different messages.
func TestFloods(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		plan := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) drop {
			d := drop{
				target: rapid.IntRange(0, len(floodKinds)-1).Draw(t, "target"), incident: rapid.IntRange(0, 30).Draw(t, "incident"),
				severity: rapid.SampledFrom([]string{"sev1", "sev2"}).Draw(t, "severity"), over: rapid.IntRange(0, 5).Draw(t, "event") == 0,
			}
			if rapid.IntRange(0, 9).Draw(t, "then") == 0 {
				d.pause = time.Duration(rapid.IntRange(0, 4000).Draw(t, "pause")) * time.Millisecond
			}
			if rapid.IntRange(0, 9).Draw(t, "take back") == 0 {
				d.cancel = rapid.IntRange(1, 50).Draw(t, "which")
			}
			return d
		}), 0, 150).Draw(rt, "flood")
		seed := rapid.Uint64().Draw(rt, "seed")
		var complaint string
		synctest.Test(t, func(t *testing.T) { complaint = flood(t.Context(), plan, seed) })
		if complaint != "" {
			rt.Fatal(complaint)
		}
	})
}

var floodKinds = []string{"telegram", "ntfy", "email"}

// A drop is one letter of a flood, what happens after it, and which of the letters so far (from 1) is taken back then.
type drop struct {
	target, incident int
	severity         string
	over             bool
	pause            time.Duration
	cancel           int
}

func flood(ctx context.Context, plan []drop, seed uint64) string {
	targets := make([]Target, len(floodKinds))
	witnesses, senders := make([]witness, len(floodKinds)), map[Target]Sender{}
	for i, kind := range floodKinds {
		targets[i] = Target{User: "u" + kind, Via: "x"}
		w := newWitness(kind)
		dice := rand.New(rand.NewPCG(seed, uint64(i)))
		var rolling sync.Mutex
		roll := func(n int) int {
			rolling.Lock()
			defer rolling.Unlock()
			return dice.IntN(n)
		}
		w.takes = func(int) time.Duration { return time.Duration(roll(3000)) * time.Millisecond }
		w.says = func(int) Verdict {
			return []Verdict{{Answer: "ok"}, {Answer: "ok"}, {Outcome: Retry, Answer: "busy"}, {Outcome: Failed, Answer: "no"}}[roll(4)]
		}
		witnesses[i], senders[targets[i]] = w, w
	}
	q := NewQueues(senders)
	q.Summarize(linking(stormListed))
	var mu sync.Mutex
	verdicts, answers := map[string]int{}, map[string]Verdict{}
	cancelled := map[string]bool{}
	var all []Message
	for i, d := range plan {
		m := pageFor(targets[d.target], d.incident, d.severity, time.Now())
		m.Key = fmt.Sprintf("INC-%d/%d/%s", d.incident, i, m.Target)
		if d.over {
			m.Event = EventResolved
		}
		all = append(all, m)
		if err := q.Enqueue(m, func(m Message, v Verdict) {
			mu.Lock()
			defer mu.Unlock()
			verdicts[m.Key]++
			answers[m.Key] = v
		}); err != nil {
			return err.Error()
		}
		if d.pause > 0 {
			pass(d.pause)
		}
		if d.cancel > 0 && d.cancel <= len(all) {
			if key := all[d.cancel-1].Key; q.Cancel(key) > 0 {
				cancelled[key] = true
			}
		}
	}
	pass(time.Hour)
	if err := q.Close(ctx); err != nil {
		return err.Error()
	}

	stood := map[string]Message{} // key of a letter → the message it was in
	content := map[string]string{}
	said := map[string][]string{}
	for i, w := range witnesses {
		var last time.Time
		for _, s := range *w.got {
			if pace := paces[floodKinds[i]]; !last.IsZero() && s.at.Sub(last) < pace {
				return fmt.Sprintf("%s: an attempt %s after the one before", floodKinds[i], s.at.Sub(last))
			}
			last = s.at
			keys := []string{s.m.Key}
			if s.m.Page.Storm != nil {
				if keys = s.m.Page.Storm.Keys; len(keys) <= fewLetters {
					return fmt.Sprintf("%d letters became one", len(keys))
				}
			}
			what := fmt.Sprint(keys)
			if was, known := content[s.m.Key]; known && was != what {
				return fmt.Sprintf("%s is of %s and of %s", s.m.Key, was, what)
			}
			content[s.m.Key] = what
			for _, key := range keys {
				if _, twice := stood[key]; twice {
					return key + " left twice"
				}
				stood[key] = s.m
			}
			for _, id := range incidentsOf(s.m) {
				seat := id + " " + s.m.Target.String()
				said[seat] = append(said[seat], s.m.Event)
			}
		}
	}
	wanted := map[string][]string{}
	for _, m := range all {
		in, left := stood[m.Key]
		if cancelled[m.Key] {
			if left || verdicts[m.Key] > 0 {
				return m.Key + " was taken back, and left"
			}
			continue
		}
		if verdicts[m.Key] != 1 {
			return fmt.Sprintf("%s has %d verdicts", m.Key, verdicts[m.Key])
		}
		if !left || !slices.Contains(incidentsOf(in), m.Page.Incident) || in.Target != m.Target {
			return fmt.Sprintf("%s left in %+v", m.Key, in)
		}
		if joint := strings.Contains(answers[m.Key].Answer, "in one message with"); joint != (in.Page.Storm != nil) {
			return fmt.Sprintf("%s: %q", m.Key, answers[m.Key].Answer)
		}
		seat := m.Page.Incident + " " + m.Target.String()
		wanted[seat] = append(wanted[seat], m.Event)
	}
	for seat, events := range wanted {
		// Pages that follow one another about one incident may be one.
		if got, want := slices.Compact(said[seat]), slices.Compact(events); !slices.Equal(got, want) {
			return fmt.Sprintf("%s heard %v, was to hear %v", seat, got, want)
		}
	}
	return ""
}
