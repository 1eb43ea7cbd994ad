package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/chat"
)

// A pinboard is a channel: it notes what is posted, and fails as it is told.
type pinboard struct {
	mu    sync.Mutex
	notes []string
	posts int
	moved string                             // where a group has gone that was named otherwise
	fail  func(doing, incident string) error // nil: nothing fails
}

func (b *pinboard) do(doing, id, words string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		if err := b.fail(doing, id); err != nil {
			words += " ✗"
			b.notes = append(b.notes, strings.TrimSpace(fmt.Sprintf("%s %s %s", doing, id, words)))
			return err
		}
	}
	b.notes = append(b.notes, strings.TrimSpace(fmt.Sprintf("%s %s %s", doing, id, words)))
	return nil
}

func (b *pinboard) Post(_ context.Context, place string, c chat.Card) (chat.Ref, error) {
	if err := b.do("post", c.Incident, c.Status); err != nil {
		return chat.Ref{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.posts++
	if b.moved != "" {
		place = b.moved
	}
	return chat.Ref{Service: "slack", Place: place, ID: fmt.Sprintf("%s.%d", c.Incident, b.posts)}, nil
}

func (b *pinboard) Edit(_ context.Context, at chat.Ref, c chat.Card) error {
	return b.do("edit", at.ID, c.Status)
}

func (b *pinboard) Say(_ context.Context, at chat.Ref, line string) error {
	var words []string
	for l := range strings.Lines(line) { // without the time
		_, rest, _ := strings.Cut(strings.TrimSpace(l), " ")
		words = append(words, rest)
	}
	return b.do("say", at.ID, strings.Join(words, "; "))
}

// failing makes it fail from now on; nil: no more.
func (b *pinboard) failing(f func(doing, incident string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = f
}

// took returns what was done since it was last asked.
func (b *pinboard) took() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := strings.Join(b.notes, "\n")
	b.notes = nil
	return all
}

// hang begins to keep cards on a board; the function returned ends it.
func (c *counter) hang(b *pinboard, place string) (end func()) {
	c.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	keeper := newCards(c.engine, c.desk, shelf{"slack", place, b}, zap.NewNop())
	c.cards.Store(keeper)
	var all sync.WaitGroup
	all.Go(func() { keeper.run(ctx) })
	return func() {
		cancel()
		all.Wait()
		c.cards.Store(nil)
	}
}

func (c *counter) took(b *pinboard, what, want string) {
	c.Helper()
	synctest.Wait()
	if got := b.took(); got != strings.TrimSpace(want) {
		c.Errorf("%s: the channel got\n%s\nwant\n%s", what, got, strings.TrimSpace(want))
	}
}

// An incident has one message. It is edited as things happen, each event is said below it once, over restarts of the cards
// and of the engine.
func TestAnIncidentHasOneCard(t *testing.T) {
	atCounter(t, func(c *counter) {
		b := &pinboard{}
		end := c.hang(b, "C1")
		c.fire("Lag")
		if got := b.took(); !strings.HasPrefix(got, "post INC-1 triggered") || strings.Count(got, "post") != 1 {
			t.Errorf("opened: the channel got %s", got) // that ana is paged is a part of it, or comes after it
		}
		c.ana("ack 1")
		time.Sleep(10 * time.Second)
		c.took(b, "acknowledged", "edit INC-1.1 acknowledged\nsay INC-1.1 ana acknowledged")
		c.ana("note 1 on it")
		time.Sleep(10 * time.Second)
		c.took(b, "noted", "edit INC-1.1 acknowledged\nsay INC-1.1 ana: on it")
		end()

		end = c.hang(b, "C1")
		time.Sleep(time.Minute)
		c.took(b, "begun again", "")
		end()
		c.ana("undo 1")
		end = c.hang(b, "C1")
		time.Sleep(10 * time.Second)
		if got := b.took(); !strings.HasPrefix(got, "edit INC-1.1 triggered\nsay INC-1.1 ana: ") {
			t.Errorf("what happened meanwhile is made up for: %s", got)
		}
		end()

		c.stop()
		c.build()
		c.run()
		end = c.hang(b, "C1")
		time.Sleep(time.Minute)
		c.took(b, "after a restart of the engine", "")
		c.over("Lag")
		c.took(b, "over", "edit INC-1.1 resolved\nsay INC-1.1 Midwatch resolved (its last firing alert ended)")
		time.Sleep(time.Hour)
		if memos := c.engine.Memos(cardsPrefix); len(memos) != 0 {
			t.Errorf("an hour after its end the card is still remembered: %v", memos)
		}
		end()
	})
}

// What was over before anybody saw it has no card.
func TestWhatIsOverHasNoCard(t *testing.T) {
	atCounter(t, func(c *counter) {
		c.fire("Lag")
		c.over("Lag")
		b := &pinboard{}
		end := c.hang(b, "C1")
		time.Sleep(time.Minute)
		c.took(b, "over", "")
		b.failing(func(string, string) error { return &chat.TooSoon{Service: "slack", After: time.Minute} })
		c.fire("Net")
		b.failing(nil)
		b.took()
		c.over("Net")
		time.Sleep(5 * time.Minute)
		c.took(b, "over while the chat took nothing", "")
		end()
	})
}

// In a storm the latest incident is shown first, and one message a second is enough for any chat.
func TestCardsInAStorm(t *testing.T) {
	atCounter(t, func(c *counter) {
		for i := range 5 {
			c.fire("Lag" + string(rune('A'+i)))
		}
		b := &pinboard{}
		began := time.Now()
		end := c.hang(b, "C1")
		for c.engine.Memo("card/1/slack") == "" {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(began); took < 4*cardPause {
			t.Errorf("five cards were posted in %s", took)
		}
		c.took(b, "a storm", "post INC-5 triggered\npost INC-4 triggered\npost INC-3 triggered\npost INC-2 triggered\npost INC-1 triggered")
		end()
	})
}

// A message that somebody removed is made anew with the next change, not before; a thread that is gone is no trouble.
func TestACardThatIsGone(t *testing.T) {
	atCounter(t, func(c *counter) {
		b := &pinboard{}
		end := c.hang(b, "C1")
		c.fire("Lag")
		b.took()
		b.failing(func(string, string) error { return fmt.Errorf("slack: %w", chat.ErrGone) })
		c.ana("ack 1")
		time.Sleep(time.Minute)
		c.took(b, "gone", "edit INC-1.1 acknowledged ✗")
		b.failing(nil)
		time.Sleep(time.Minute)
		c.took(b, "quiet", "")
		c.ana("undo 1")
		time.Sleep(10 * time.Second)
		if got := b.took(); !strings.HasPrefix(got, "post INC-1 triggered") {
			t.Errorf("the next change makes a new one: %s", got)
		}
		end()
	})
}

// A service that says how long it wants to be left alone is, and then everything is made up for.
func TestCardsTooSoon(t *testing.T) {
	atCounter(t, func(c *counter) {
		b := &pinboard{}
		end := c.hang(b, "C1")
		c.fire("LagA")
		b.took()
		b.failing(func(string, string) error { return &chat.TooSoon{Service: "slack", After: 2 * time.Minute} })
		c.ana("ack 1")
		time.Sleep(10 * time.Second)
		b.failing(nil)
		c.fire("LagB")
		time.Sleep(100 * time.Second)
		c.took(b, "while it wants to be left alone", "edit INC-1.1 acknowledged ✗")
		time.Sleep(time.Minute)
		c.took(b, "after it", "post INC-2 triggered\nedit INC-1.1 acknowledged\nsay INC-1.1 ana acknowledged")
		end()
	})
}

// A card that can never be shown is tried at longer and longer intervals and holds up no other.
func TestACardThatFailsHoldsUpNoOther(t *testing.T) {
	atCounter(t, func(c *counter) {
		c.fire("LagA")
		c.fire("LagB")
		b := &pinboard{fail: func(_, id string) error {
			if id == "INC-2" {
				return errors.New("slack: invalid_blocks")
			}
			return nil
		}}
		end := c.hang(b, "C1")
		time.Sleep(cardRetry + 2*time.Second)
		if got := b.took(); !strings.Contains(got, "post INC-1 triggered") {
			t.Errorf("INC-1 has no card: %s", got)
		}
		time.Sleep(5*time.Hour - cardRetry)
		b.mu.Lock()
		tries := strings.Count(strings.Join(b.notes, "\n"), "post INC-2")
		b.mu.Unlock()
		if tries < 20 || tries > 45 {
			t.Errorf("INC-2 was tried %d times in five hours", tries)
		}
		b.failing(nil)
		time.Sleep(cardLast + time.Minute)
		if c.engine.Memo("card/2/slack") == "" {
			t.Error("INC-2 has no card though nothing is wrong any more")
		}
		end()
	})
}

// A group that moved shows another place in the message; that is no other place. Another place in the configuration is.
func TestPlacesOfCards(t *testing.T) {
	atCounter(t, func(c *counter) {
		b := &pinboard{moved: "-1002"}
		end := c.hang(b, "-2")
		c.fire("Lag")
		b.took()
		c.ana("ack 1")
		time.Sleep(10 * time.Second)
		c.took(b, "moved", "edit INC-1.1 acknowledged\nsay INC-1.1 ana acknowledged")
		end()
		end = c.hang(b, "-3")
		time.Sleep(10 * time.Second)
		c.took(b, "another place", "post INC-1 acknowledged")
		end()
	})
}

// A card that was posted while Midwatch ends is remembered: there is no second one after the restart.
func TestACardPostedAtTheEndIsRemembered(t *testing.T) {
	atCounter(t, func(c *counter) {
		c.fire("Lag")
		b := &pinboard{}
		ctx, cancel := context.WithCancel(context.Background())
		keeper := newCards(c.engine, c.desk, shelf{"slack", "C1", b}, zap.NewNop())
		b.failing(func(string, string) error { cancel(); return nil })
		keeper.run(ctx)
		b.failing(nil)
		end := c.hang(b, "C1")
		time.Sleep(time.Minute)
		c.took(b, "posted", "post INC-1 triggered")
		end()
	})
}

// A line whose fate is unknown is said again rather than lost, and the card is not posted twice.
func TestALineThatFailed(t *testing.T) {
	atCounter(t, func(c *counter) {
		b := &pinboard{}
		end := c.hang(b, "C1")
		c.fire("Lag")
		b.took()
		b.failing(func(doing, _ string) error {
			if doing == "say" {
				return errors.New("slack: timeout")
			}
			return nil
		})
		c.ana("ack 1")
		time.Sleep(2 * time.Second)
		b.failing(nil)
		time.Sleep(time.Minute)
		c.took(b, "again", "edit INC-1.1 acknowledged\nsay INC-1.1 ana acknowledged ✗\nedit INC-1.1 acknowledged\nsay INC-1.1 ana acknowledged")
		end()
	})
}

// Many lines at once are cut from the front: the incident's page has them.
func TestManyLinesAtOnce(t *testing.T) {
	atCounter(t, func(c *counter) {
		b := &pinboard{}
		end := c.hang(b, "C1")
		c.fire("Lag")
		end()
		b.took()
		for i := range 20 {
			c.ana(fmt.Sprintf("note 1 number %d", i))
		}
		end = c.hang(b, "C1")
		time.Sleep(10 * time.Second)
		got := b.took()
		if strings.Count(got, "number") != threadMost || !strings.Contains(got, "more before") || !strings.Contains(got, "number 19") || strings.Contains(got, "number 7;") {
			t.Errorf("the thread got %s", got)
		}
		end()
	})
}
