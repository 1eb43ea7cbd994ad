package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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
	For  string   `json:"for"`  // the place of the configuration; a group that moved shows another one in Ref
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
	dirty map[int]chore
	wake  chan struct{}
}

// A chore is a card that is out of date.
type chore struct {
	due   time.Time // not before; zero: at once
	tries int       // that failed
}

const (
	cardPause  = time.Second      // between what is sent to one place: chats allow about one message a second
	cardRetry  = 15 * time.Second // after a failure, for every card of the place; the one that failed waits twice as long, and twice as long again
	cardLast   = 10 * time.Minute // the longest that one waits, whatever the service asks for
	cardTime   = 90 * time.Second // for one card: three calls, each of which may be told to wait
	cardsMost  = 10_000           // open incidents that are looked at when it begins
	threadMost = 12               // lines said at once; of more, the first are left to the incident's page
)

func newCards(e *engine.Engine, d *desk, s shelf, log *zap.Logger) *cards {
	return &cards{engine: e, desk: d, shelf: s, log: log, dirty: map[int]chore{}, wake: make(chan struct{}, 1)}
}

// happened notes incidents whose cards are out of date.
func (c *cards) happened(events []incident.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range events {
		for _, id := range append([]string{e.Incident}, e.Incidents...) {
			if n, err := incident.ParseID(id); err == nil {
				c.dirty[n] = chore{tries: c.dirty[n].tries}
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
	c.begin(ctx)
	for ctx.Err() == nil {
		n, due, ok := c.next(time.Now())
		if !ok {
			c.idle(ctx, due)
			continue
		}
		sent, err := c.show(ctx, n)
		var pause time.Duration
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = c.failed(n, err)
		default:
			c.mended(n)
			if sent {
				pause = cardPause
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// begin looks at what is open and at what has a card: what happened while nobody looked is shown now.
func (c *cards) begin(ctx context.Context) {
	list, _, err := c.engine.Incidents(ctx, openOnes, 0, cardsMost)
	if err != nil {
		c.log.Warn("cards of open incidents could not be looked at", zap.Error(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range list {
		c.dirty[v.Number] = chore{}
	}
	for name := range c.engine.Memos(cardsPrefix) {
		if n, ok := c.owns(name); ok {
			c.dirty[n] = chore{}
		}
	}
}

const cardsPrefix = "card/"

// name is that of the memo of an incident's card here. It goes with the incident.
func (c *cards) name(n int) string { return fmt.Sprintf("%s%d/%s", cardsPrefix, n, c.shelf.service) }

// owns reads name again; false: it is another shelf's.
func (c *cards) owns(name string) (n int, ok bool) {
	number, service, _ := strings.Cut(strings.TrimPrefix(name, cardsPrefix), "/")
	n, err := strconv.Atoi(number)
	return n, err == nil && service == c.shelf.service
}

// idle waits for something to happen, or until the next card is due.
func (c *cards) idle(ctx context.Context, due time.Time) {
	var later <-chan time.Time
	if !due.IsZero() {
		later = time.After(time.Until(due))
	}
	select {
	case <-ctx.Done():
	case <-c.wake:
	case <-later:
	}
}

// next is the newest incident whose card is out of date: in a storm the latest matters most. One that failed waits for its
// time, so that a card that can never be shown holds up no other. Without one, due is when the next will be; zero: never.
func (c *cards) next(now time.Time) (n int, due time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for number, todo := range c.dirty {
		switch {
		case !todo.due.After(now):
			n, ok = max(n, number), true
		case due.IsZero() || todo.due.Before(due):
			due = todo.due
		}
	}
	if ok {
		// What happens from here on makes it out of date again; how often it failed stays known.
		c.dirty[n] = chore{due: now.Add(cardLast), tries: c.dirty[n].tries}
	}
	return n, due, ok
}

// mended forgets a chore that is done, unless something happened meanwhile.
func (c *cards) mended(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty[n].due.IsZero() {
		delete(c.dirty, n)
	} else {
		c.dirty[n] = chore{}
	}
}

// failed has a card tried again later, and says how long nothing at all is sent to its place.
func (c *cards) failed(n int, err error) (pause time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	todo := c.dirty[n]
	pause = cardRetry
	wait := min(cardRetry<<min(todo.tries+1, 10), cardLast) // longer than the pause: others come first
	var soon *chat.TooSoon
	if errors.As(err, &soon) {
		pause = min(max(soon.After, cardPause), cardLast)
		wait = pause
	} else {
		todo.tries++
		c.log.Warn("a card could not be shown; it is tried again",
			zap.String("service", c.shelf.service), zap.String("incident", incident.ID(n)), zap.Duration("in", wait), zap.Error(err))
	}
	c.dirty[n] = chore{due: time.Now().Add(wait), tries: todo.tries}
	return pause
}

// show posts or edits the card of an incident, and says what is new below it. sent says whether anything was sent.
func (c *cards) show(ctx context.Context, n int) (sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cardTime)
	defer cancel()
	v, err := c.engine.Incident(ctx, n)
	if errors.Is(err, engine.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	events, err := c.engine.Timeline(ctx, n)
	if err != nil {
		return false, err
	}
	var memo cardMemo
	_ = json.Unmarshal([]byte(c.engine.Memo(c.name(n))), &memo) // one that cannot be read is made anew
	newest := uint64(0)
	if len(events) > 0 {
		newest = events[len(events)-1].Seq
	}
	card := c.desk.card(v, events)
	if memo.Ref == (chat.Ref{}) || memo.For != c.shelf.place {
		if !v.Open() {
			return false, nil // it was over before anybody saw it
		}
		at, err := c.shelf.board.Post(ctx, c.shelf.place, card)
		if err != nil {
			return true, err
		}
		return true, c.keep(ctx, n, cardMemo{Ref: at, For: c.shelf.place, Said: newest})
	}
	if newest == memo.Said {
		return false, nil
	}
	switch err := c.shelf.board.Edit(ctx, memo.Ref, card); {
	case errors.Is(err, chat.ErrGone):
		return true, c.keep(ctx, n, cardMemo{}) // somebody removed it; the next change makes a new one
	case err != nil:
		return true, err
	}
	if lines := newLines(events, memo.Said); len(lines) > 0 {
		if err := c.shelf.board.Say(ctx, memo.Ref, strings.Join(lines, "\n")); err != nil && !errors.Is(err, chat.ErrGone) {
			return true, err
		}
	}
	memo.Said = newest
	return true, c.keep(ctx, n, memo)
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

// keep remembers a card; the zero memo forgets it. What was sent is sent: its record is made though ctx ends.
func (c *cards) keep(ctx context.Context, n int, m cardMemo) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deskTime)
	defer cancel()
	value := ""
	if m.Ref != (chat.Ref{}) {
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		value = string(text)
	}
	if err := c.engine.Do(ctx, engine.Remember{Name: c.name(n), Value: value}).Err; err != nil && !errors.Is(err, engine.ErrUnsaved) {
		return fmt.Errorf("remembering where the card is: %w", err)
	}
	return nil
}
