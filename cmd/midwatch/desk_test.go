package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/chat"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/notify"
)

// Who is known: by the section chat, by the numbers of their own contact methods unless somebody shares them, by a claim.
func TestWhoIsKnownAtTheDesk(t *testing.T) {
	atCounter(t, func(c *counter) {
		c.fire("Lag")
		token := func(user, page string, life time.Duration) func(*chat.Request) {
			return func(r *chat.Request) {
				r.Token = c.desk.signer.Sign(notify.Claim{Incident: "INC-1", User: user, Page: page, Expires: time.Now().Add(life)})
			}
		}
		page := "INC-1/1/" + counterStore
		for _, k := range []struct {
			service, id string
			change      func(*chat.Request)
			by          string // empty: refused,
			why         string // with these words
		}{
			{service: chat.ServiceSlack, id: "U0ANA01", by: "ana"},
			{service: chat.ServiceTelegram, id: "1001", by: "ana"},
			{service: chat.ServiceMatrix, id: "@bo:example.org", by: "bo"},
			{service: chat.ServiceSMS, id: "+351911", by: "ana"},
			{service: chat.ServiceVoice, id: "+351911", by: "ana"},
			{service: chat.ServiceSMS, id: "+46707", by: "bo"}, // cy's, too, but bo's section says that it is bo's
			{service: chat.ServiceSlack, id: "U0EVIL1", why: `chat: {slack: "U0EVIL1"}`},
			{service: chat.ServiceSlack, id: "1001", why: "does not know you"}, // another service's
			{service: chat.ServiceSlack, id: "", why: "does not know you"},
			{service: chat.ServiceSMS, id: "+351999", why: `chat: {phone: "+351999"}`}, // ana's and bo's
			{service: chat.ServiceVoice, id: "+351999", change: token("bo", page, time.Hour), by: "bo"},
			{service: chat.ServiceVoice, id: "+351911", change: token("bo", page, -time.Hour), by: "ana"}, // too late: the number counts
			{service: chat.ServiceVoice, id: "+351999", change: token("zoe", page, time.Hour), why: `User "zoe"`},
			{service: chat.ServiceVoice, id: "+351911", change: token("ana", "INC-1/1/another", time.Hour), why: "no longer knows"},
			{service: chat.ServicePushover, id: "uKey", change: func(r *chat.Request) { r.From.Name = "bo" }, by: "bo"},
			{service: chat.ServicePushover, id: "uKey", change: func(r *chat.Request) { r.From.Name = "zoe" }, why: `User "zoe"`},
			{service: chat.ServiceMail, id: "ana@example.org", why: "does not know you"}, // any sender can be written
			{service: chat.ServiceMail, id: "x@example.org", change: func(r *chat.Request) { r.Claim = &chat.Claim{Incident: "INC-1", User: "bo"} }, by: "bo"},
			{service: chat.ServiceMail, id: "x@example.org", change: func(r *chat.Request) { r.Claim = &chat.Claim{Incident: "INC-1", User: "zoe"} }, why: `User "zoe"`},
		} {
			changes := []func(*chat.Request){}
			if k.change != nil {
				changes = append(changes, k.change)
			}
			got := c.ask(k.service, k.id, "note 1 looking", changes...)
			switch {
			case k.by != "" && (got.Err || got.Text != "INC-1 noted by "+k.by):
				t.Errorf("%s %q: %q, want %s to be known", k.service, k.id, got.Text, k.by)
			case k.by == "" && (!got.Err || !got.Private || !strings.Contains(got.Text, k.why)):
				t.Errorf("%s %q: %+v, want a private refusal with %q", k.service, k.id, got, k.why)
			}
		}
		if help := c.ask(chat.ServiceSlack, "U0EVIL1", "help"); help.Err || !help.Private || !strings.Contains(help.Text, "ack 12") {
			t.Errorf("help is for everybody: %+v", help)
		}
		if who := c.ask(chat.ServiceSlack, "U0EVIL1", "who"); !who.Err {
			t.Errorf("who is on call was told to somebody unknown: %+v", who)
		}
	})
}

// Every verb, as it is typed, what is answered, and what the timeline has of it.
func TestVerbsAtTheDesk(t *testing.T) {
	for _, k := range []struct {
		words  string // several, separated by a bar
		bad    bool   // the last one is refused
		answer string // to the last one
		story  string
	}{
		{"ack 1", false, "INC-1 acknowledged by ana", "ana acknowledged slack"},
		{"ack 1 on it", false, "INC-1 acknowledged by ana", "ana acknowledged slack; ana note slack on it"},
		{"resolve 1 by hand", false, "INC-1 resolved by ana", "ana resolved slack"},
		{"escalate 1 too much for me", false, "INC-1 escalated by ana", "ana escalated slack; ana note slack too much for me"},
		{"snooze 1 90m", false, "INC-1 snoozed for 1h30m by ana", "ana snoozed slack"},
		{"snooze 1", true, "Snooze INC-1 for how long? Write: snooze 1 30m", ""},
		{"snooze 1 200d", true, "INC-1: snooze for between 1s and 720h0m0s, not 4800h0m0s", ""},
		{"note 1 disks are full", false, "INC-1 noted by ana", "ana note slack disks are full"},
		{"note 1", true, "INC-1: the note is empty; write what you found", ""},
		{"ack 1|undo 1", false, "INC-1 triggered again by ana", "ana acknowledged slack; ana note slack"},
		{"undo 1", true, "INC-1: INC-1 is not acknowledged; there is nothing to undo", ""},
		{"page <@U0CY001> 1", false, "INC-1 pages cy as well, as asked by ana", "ana note cy slack"},
		{"page cy 1", false, "INC-1 pages cy as well, as asked by ana", "ana note cy slack"},
		{"page 1 @CY we need you", false, "INC-1 pages cy as well, as asked by ana", "ana note cy slack; ana note slack we need you"},
		{"page zoe 1", true, `INC-1: there is no user "zoe"; known are: ana, bo, cy`, ""},
		{"page cy", true, "Page whom for what? Write: page bo 12, or: page bo the lights are out", ""},
		{"page cy the lights are out", false, "INC-2 opened by ana: cy is paged. https://mw.example/incidents/INC-2", ""},
		{"page db-primary 3 lights are out", false, "INC-2 opened by ana: whoever is on call in db-primary is paged. https://mw.example/incidents/INC-2", ""},
		{"ack 7", true, "INC-7: there is no incident INC-7", ""},
		{"resolve 1|snooze 1 1h", true, "INC-1: INC-1 is resolved; it opens again only if its alerts fire again", "ana resolved slack"},
		{"show 1", false, "INC-1 sev2 triggered: Lag is wrong\nbo at 00:05 UTC, unless somebody acknowledges\nhttps://mw.example/incidents/INC-1", ""},
		{"ack 1|status", false, "INC-1 sev2 acknowledged: Lag is wrong (ana)", "ana acknowledged slack"},
		{"resolve 1|status", false, "Nothing is open.", "ana resolved slack"},
		{"show 7", true, "There is no incident INC-7", ""},
		{"oncall", false, "db-primary: ana, until Sat 01:00 UTC", ""},
		{"who is on call for DB?", false, "db-primary: ana, until Sat 01:00 UTC\npolicy DB pages bo at any time", ""},
		{"who lone", false, "policy lone pages cy, bo at any time", ""},
		{"who kitchen", false, `There is no schedule or policy "kitchen". Write oncall for all of them.`, ""},
	} {
		t.Run(k.words, func(t *testing.T) {
			atCounter(t, func(c *counter) {
				c.fire("Lag")
				var got chat.Reply
				for words := range strings.SplitSeq(k.words, "|") {
					got = c.ana(words)
				}
				c.says(got, k.bad, k.answer)
				if got.Err && !got.Private {
					t.Error("a refusal is for who asked")
				}
				time.Sleep(time.Second)
				if story := c.story(1); story != k.story {
					t.Errorf("happened: %q, want %q", story, k.story)
				}
			})
		})
	}
}

// Which incident is meant when no number says it.
func TestWhichIncidentIsMeant(t *testing.T) {
	about := func(ids string) func(*chat.Request) {
		return func(r *chat.Request) { r.Claim = &chat.Claim{Incident: ids, User: "ana"} }
	}
	for _, k := range []struct {
		name   string
		open   int
		before string // what ana does first
		by     string // slack's name of who asks
		words  string
		change func(*chat.Request)
		bad    bool
		answer string
	}{
		{name: "the only one", open: 1, words: "ack", answer: "INC-1 acknowledged by ana"},
		{name: "none", words: "ack", bad: true, answer: "nothing is open"},
		{name: "several", open: 2, words: "ack", bad: true, answer: "several are open for you: INC-2, INC-1. Which one? Write: ack 2"},
		{name: "not paged", open: 1, by: "U0CY001", words: "ack", bad: true, answer: "none of the open incidents has paged you. Which one? Write: ack 1"},
		{name: "the one I do not have yet", open: 2, before: "ack 1", words: "ack", answer: "INC-2 acknowledged by ana"},
		{name: "the one I have", open: 2, before: "ack 1", words: "undo", answer: "INC-1 triggered again by ana"},
		{name: "resolve takes no guess", open: 2, before: "ack 1", words: "resolve", bad: true, answer: "several are open for you: INC-2, INC-1. Which one? Write: resolve 2"},
		{name: "what is over is not meant", open: 2, before: "resolve 2", words: "escalate", answer: "INC-1 escalated by ana"},
		{name: "of a claim", open: 2, words: "ack", change: about("INC-2"), answer: "INC-2 acknowledged by ana"},
		{name: "of a claim about several", open: 3, words: "ack 1", change: about("INC-1,3"), answer: "INC-1 acknowledged by ana\nINC-3 acknowledged by ana"},
		{name: "not of the claim", open: 2, words: "ack 1", change: about("INC-2"), bad: true, answer: "this answers a page about INC-2 only; INC-1 needs an answer of its own"},
	} {
		t.Run(k.name, func(t *testing.T) {
			atCounter(t, func(c *counter) {
				for i := range k.open {
					c.fire("Lag" + string(rune('A'+i)))
				}
				if k.before != "" {
					c.ana(k.before)
				}
				by := "U0ANA01"
				if k.by != "" {
					by = k.by
				}
				var changes []func(*chat.Request)
				if k.change != nil {
					changes = append(changes, k.change)
				}
				c.says(c.ask(chat.ServiceSlack, by, k.words, changes...), k.bad, k.answer)
			})
		})
	}
}

// A card says which incident is meant. Below a message that is no card people are left alone; a card of an earlier store is
// refused, for its number means another incident now.
func TestTheDeskKnowsItsCards(t *testing.T) {
	at := chat.Ref{Service: "slack", Place: "C1", ID: "17.1"}
	button := func(r *chat.Request) { r.Card, r.Token = at, counterStore }
	thread := func(r *chat.Request) { r.Card = at }
	other := func(r *chat.Request) { r.Card = chat.Ref{Service: "slack", Place: "C1", ID: "17.2"} }
	atCounter(t, func(c *counter) {
		c.fire("LagA")
		c.fire("LagB")
		shelf := &cards{engine: c.engine, shelf: shelf{service: "slack", place: "C1"}}
		if err := shelf.keep(context.Background(), 2, cardMemo{Ref: at, For: "C1"}); err != nil {
			t.Fatal(err)
		}
		got := c.ana("ack", thread)
		c.says(got, false, "INC-2 acknowledged by ana")
		if got.Card == nil || got.Card.Incident != "INC-2" || got.Card.Status != "acknowledged" || !got.Private {
			t.Errorf("the card as it is now comes along, and the words are for ana: %+v", got)
		}
		for _, a := range got.Card.Actions {
			if a.Token != counterStore {
				t.Errorf("the button %q does not say of which store it is", a.Label)
			}
		}
		c.says(c.ana("undo INC-2", button), false, "INC-2 triggered again by ana")
		c.says(c.ana("ack 1", thread), false, "INC-1 acknowledged by ana") // named: the number counts
		for _, words := range []string{"ack", "resolve", "note hm", "page bo", "escalate", "snooze 1h", "undo"} {
			for _, who := range []string{"U0ANA01", "U0EVIL1"} {
				if got := c.ask(chat.ServiceSlack, who, words, other); got != (chat.Reply{}) {
					t.Errorf("%q by %s below another message: %+v, want silence", words, who, got)
				}
			}
		}
		if got := c.ana("who", other); got.Text == "" {
			t.Error("who is on call can be asked anywhere")
		}
		if got := c.ask(chat.ServiceSlack, "U0EVIL1", "ack", thread); !got.Err || !got.Private {
			t.Errorf("somebody unknown below a card: %+v", got)
		}
		reacted := func(r *chat.Request) { r.Card = chat.Ref{Service: "matrix", Place: "!r:x", ID: "$1"} }
		if got := c.ask(chat.ServiceMatrix, "@bo:example.org", "resolve 1", reacted); !got.Err || c.status(1) == incident.Resolved {
			t.Errorf("a card of an earlier store in Matrix: %+v", got)
		}
		old := func(r *chat.Request) { r.Card, r.Token = at, "00000000000000bb" }
		if got := c.ana("resolve 1", old); !got.Err || !strings.Contains(got.Text, "no longer knows") || c.status(1) == incident.Resolved {
			t.Errorf("a card of an earlier store: %+v", got)
		}
	})
}

// What the engine cannot do, and what it cannot do now.
func TestWhatTheDeskSaysWhenThingsGoWrong(t *testing.T) {
	t.Run("the disk is full", func(t *testing.T) {
		atCounter(t, func(c *counter) {
			c.fire("Lag")
			c.store.full.Store(true)
			c.says(c.ana("ack 1 on it"), false, "INC-1 acknowledged in memory only (the disk of Midwatch takes no writes) by ana")
			c.store.full.Store(false)
			time.Sleep(time.Minute)
			if got, want := c.story(1), "ana acknowledged slack; ana note slack on it"; got != want {
				t.Errorf("when there is room again: %q, want %q", got, want)
			}
		})
	})
	t.Run("slow", func(t *testing.T) {
		atCounter(t, func(c *counter) {
			c.fire("Lag")
			c.store.slow.Store(int64(time.Minute))
			got := c.ana("ack 1")
			c.says(got, true, "INC-1: Midwatch is slow just now and has not answered yet; see what became of it before you try again: https://mw.example/incidents/INC-1")
			if got.Again {
				t.Error("it was accepted: asked again it would be done twice")
			}
			c.store.slow.Store(0)
			time.Sleep(2 * time.Minute)
			if c.status(1) != incident.Acked {
				t.Error("what was accepted was not done")
			}
		})
	})
	t.Run("ending", func(t *testing.T) {
		atCounter(t, func(c *counter) {
			c.fire("Lag")
			c.stop()
			if got := c.ana("ack 1"); !got.Again || !got.Err || !strings.Contains(got.Text, "not done") {
				t.Errorf("%+v", got)
			}
		})
	})
	t.Run("busy", func(t *testing.T) {
		atCounter(t, func(c *counter) {
			c.fire("Lag")
			c.stop()
			c.build() // an engine that does not run yet
			var busy bool
			for range 100_000 {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				if busy = errors.Is(c.engine.Do(ctx, engine.Remember{Name: "x", Value: "y"}).Err, engine.ErrBusy); busy {
					break
				}
			}
			if got := c.ana("ack 1"); !busy || !got.Again || !got.Err || !strings.Contains(got.Text, "not done") {
				t.Errorf("%v %+v", busy, got)
			}
			c.run()
			synctest.Wait()
			c.says(c.ana("ack 1"), false, "INC-1 acknowledged by ana")
		})
	})
}

// Whom a word means: a mention, a name, a full name that only one has.
func TestWhomTheDeskPages(t *testing.T) {
	atCounter(t, func(c *counter) {
		for text, want := range map[string]string{
			"<@U0BO001>": "bo", "<@U0BO001|bo.ek>": "bo", "@ana": "ana", "ANA": "ana", "Ana Duarte": "ana", "cy": "cy",
			"Bo Ek": "Bo Ek", "<@U0EVIL1>": "<@U0EVIL1>", "zoe": "zoe",
		} {
			if got := c.desk.userOf(chat.ServiceSlack, text); got != want {
				t.Errorf("%q is %q, want %q", text, got, want)
			}
		}
	})
}

func TestSpell(t *testing.T) {
	for d, want := range map[time.Duration]string{
		30 * time.Second: "30s", 90 * time.Second: "1m30s", time.Minute: "1m", 30 * time.Minute: "30m", time.Hour: "1h", 90 * time.Minute: "1h30m",
		10 * time.Hour: "10h", time.Hour + time.Second: "1h0m1s",
	} {
		if got := spell(d); got != want {
			t.Errorf("%v is spelled %q, want %q", d, got, want)
		}
	}
}
