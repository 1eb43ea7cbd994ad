package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/chat"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
)

// A shelf is where incidents have their cards: one message each in a channel, edited in place, its thread the timeline.
type shelf struct {
	service, place string
	board          chat.Board
}

// A cardMemo is what must not be forgotten of a card.
type cardMemo struct {
	Ref  chat.Ref `json:"ref"`
	Said uint64   `json:"said"` // the newest event that its thread has
}

// Cards keeps cards as the incidents are. It looks at what is on disk, and at nothing on the way of a page: a chat that is slow
// or away delays cards alone. A crash between a message and its record makes a second card, for chats know no idempotency keys.
type cards struct {
	engine *engine.Engine
	desk   *desk
	shelf  shelf
	log    *zap.Logger

	mu    sync.Mutex
	dirty map[int]bool
	wake  chan struct{}
}

const (
	cardPause  = time.Second      // between what is sent to one place: chats allow about one message a second
	cardRetry  = 15 * time.Second // after a failure
	cardTime   = 20 * time.Second // for one call
	threadMost = 12               // lines said at once; of more, the first are left to the incident's page
)

func newCards(e *engine.Engine, d *desk, s shelf, log *zap.Logger) *cards {
	return &cards{engine: e, desk: d, shelf: s, log: log, dirty: map[int]bool{}, wake: make(chan struct{}, 1)}
}

// happened notes incidents whose cards are out of date.
func (c *cards) happened(events []incident.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range events {
		for _, id := range append([]string{e.Incident}, e.Incidents...) {
			if n, err := incident.ParseID(id); err == nil {
				c.dirty[n] = true
			}
		}
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run keeps the cards until ctx ends. It begins with what is open and with what has a card.
func (c *cards) run(ctx context.Context) {
	list, _, err := c.engine.Incidents(ctx, engine.Filter{Status: []incident.Status{incident.Triggered, incident.Acked}}, 0, 10_000)
	if err != nil {
		c.log.Warn("cards of open incidents could not be looked at", zap.Error(err))
	}
	c.mu.Lock()
	for _, v := range list {
		c.dirty[v.Number] = true
	}
	for name := range c.engine.Memos("card/") {
		var n int
		if _, err := fmt.Sscanf(name, "card/%d/", &n); err == nil && strings.HasSuffix(name, "/"+c.shelf.service) {
			c.dirty[n] = true
		}
	}
	c.mu.Unlock()
	for ctx.Err() == nil {
		n, ok := c.next()
		if !ok {
			select {
			case <-ctx.Done():
			case <-c.wake:
			}
			continue
		}
		wait := cardPause
		if err := c.show(ctx, n); err != nil && ctx.Err() == nil {
			wait = cardRetry
			var soon *chat.TooSoon
			if errors.As(err, &soon) {
				wait = soon.After
			} else {
				c.log.Warn("a card could not be shown; it is tried again", zap.String("service", c.shelf.service), zap.String("incident", incident.ID(n)), zap.Error(err))
			}
			c.mu.Lock()
			c.dirty[n] = true
			c.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// next is the newest incident whose card is out of date: in a storm the latest matters most.
func (c *cards) next() (n int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.dirty) == 0 {
		return 0, false
	}
	n = slices.Max(slices.Collect(maps.Keys(c.dirty)))
	delete(c.dirty, n)
	return n, true
}

// show posts or edits the card of an incident, and says what is new below it.
func (c *cards) show(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, cardTime)
	defer cancel()
	v, err := c.engine.Incident(ctx, n)
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	events, err := c.engine.Timeline(ctx, n)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("card/%d/%s", n, c.shelf.service)
	var memo cardMemo
	_ = json.Unmarshal([]byte(c.engine.Memo(name)), &memo) // one that cannot be read is made anew
	newest := uint64(0)
	if len(events) > 0 {
		newest = events[len(events)-1].Seq
	}
	card := c.desk.card(v, events)
	if memo.Ref == (chat.Ref{}) || memo.Ref.Place != c.shelf.place {
		if !v.Open() {
			return nil // it was over before anybody saw it
		}
		if memo.Ref, err = c.shelf.board.Post(ctx, c.shelf.place, card); err != nil {
			return err
		}
		memo.Said = newest
		return c.keep(ctx, name, memo)
	}
	if newest == memo.Said {
		return nil
	}
	switch err := c.shelf.board.Edit(ctx, memo.Ref, card); {
	case errors.Is(err, chat.ErrGone):
		return c.keep(ctx, name, cardMemo{}) // somebody removed it; the next change makes a new one
	case err != nil:
		return err
	}
	if lines := newLines(events, memo.Said); len(lines) > 0 {
		if err := c.shelf.board.Say(ctx, memo.Ref, strings.Join(lines, "\n")); err != nil && !errors.Is(err, chat.ErrGone) {
			return err
		}
	}
	memo.Said = newest
	return c.keep(ctx, name, memo)
}

func newLines(events []incident.Event, after uint64) (lines []string) {
	for _, e := range events {
		if e.Seq > after {
			lines = append(lines, said(e))
		}
	}
	if more := len(lines) - threadMost; more > 0 {
		lines = append([]string{fmt.Sprintf("%d more before", more)}, lines[more:]...)
	}
	return lines
}

func (c *cards) keep(ctx context.Context, name string, m cardMemo) error {
	value := ""
	if m.Ref != (chat.Ref{}) {
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		value = string(text)
	}
	if err := c.engine.Do(ctx, engine.Remember{Name: name, Value: value}).Err; err != nil && !errors.Is(err, engine.ErrUnsaved) {
		return err
	}
	return nil
}
