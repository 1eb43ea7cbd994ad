package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// deskTime is how long a request may take the desk. It commits one batch; past this something is wrong, and the person
	// had better use the link.
	deskTime = 10 * time.Second

	// answerTime is how long the words that follow may take to be said, waits for a service's limits included.
	answerTime = time.Minute

	// lingerTime is how long what was done is still told after its caller has gone or the program was asked to end.
	lingerTime = 5 * time.Second

	// callTime is for one request to a service's API. Long polls take longer and say so.
	callTime = 15 * time.Second

	// answerLimit is the longest answer of a service's API that is read. Theirs are a few kilobytes; a batch of a hundred of
	// Telegram's updates, or Matrix' first sync, is larger.
	answerLimit = 8 << 20

	// crewSize is how many requests of one service are worked on at once. People type them; more than this is a flood, and
	// waits its turn.
	crewSize = 16

	// seenLimit is how many messages are remembered as done with. Services deliver twice within minutes.
	seenLimit = 4096

	firstWait = time.Second
	lastWait  = 2 * time.Minute // a service that is back after an hour is heard again soon

	// callTries and patience: how often a request is repeated that a service takes "too many", and how long it may ask us
	// to wait. Past that the caller, who has a queue, knows better what to do meanwhile.
	callTries = 3
	patience  = 30 * time.Second

	// errorLimit is the longest error text shown, in bytes.
	errorLimit = 300
)

// ErrGone says that a message, or the place it was in, is no more. Post anew, or leave it.
var ErrGone = errors.New("the message or its channel is gone")

// TooSoon says that a service takes no more now.
type TooSoon struct {
	Service string
	After   time.Duration // how long it asks us to wait
}

func (e *TooSoon) Error() string {
	return fmt.Sprintf("%s takes no more messages for %s; they are sent too fast", e.Service, e.After)
}

// pulse keeps a service's Health. The zero value is ready.
type pulse struct {
	mu sync.Mutex
	h  Health
}

// Health says how the service is. It may be called at any time.
func (p *pulse) Health() Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.h
}

func (p *pulse) up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.h.Since.IsZero() {
		p.h.Since = time.Now()
	}
}

// down ends a connection; err may be nil, then it ended as it should.
func (p *pulse) down(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.h.Since = time.Time{}
	if err != nil {
		p.h.LastError, p.h.LastErrorAt = err.Error(), time.Now()
	}
}

// trouble is an error that leaves the connection as it is.
func (p *pulse) trouble(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.h.LastError, p.h.LastErrorAt = err.Error(), time.Now()
}

// seen remembers which messages were taken, the latest seenLimit of them. The zero value is ready.
type seen struct {
	mu    sync.Mutex
	ids   map[string]bool
	order []string // a ring
	at    int
}

// first says whether an ID is new, and remembers it.
func (s *seen) first(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids[id] {
		return false
	}
	if s.ids == nil {
		s.ids = map[string]bool{}
	}
	if len(s.order) < seenLimit {
		s.order = append(s.order, id)
	} else {
		delete(s.ids, s.order[s.at])
		s.order[s.at] = id
		s.at = (s.at + 1) % seenLimit
	}
	s.ids[id] = true
	return true
}

// forget makes an ID new again: nothing was done, and it will come once more.
func (s *seen) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.order, id); i >= 0 {
		s.order[i] = ""
	}
	delete(s.ids, id)
}

// crew runs at most crewSize pieces of work at once.
type crew struct {
	wg    sync.WaitGroup
	berth chan struct{}
}

func newCrew() *crew { return &crew{berth: make(chan struct{}, crewSize)} }

// do starts work as soon as there is room; false if ctx ended first.
func (c *crew) do(ctx context.Context, work func()) bool {
	select {
	case c.berth <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	c.wg.Go(func() {
		defer func() { <-c.berth }()
		work()
	})
	return true
}

// ask puts one request to the desk. A panic of the desk is an answer too: one request must not end the process that pages.
func ask(ctx context.Context, desk Desk, log *slog.Logger, r Request) (reply Reply) {
	ctx, cancel := context.WithTimeout(ctx, deskTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			log.Error("a request from chat panicked", "from", r.From.String(), "verb", string(r.Verb), "panic", fmt.Sprint(p))
			reply = Reply{Text: "That went wrong in Midwatch itself and was not done; use the link, or the command line.", Err: true}
		}
	}()
	return desk.Handle(ctx, r)
}

// notUnderstood is what somebody hears who spoke to us and used no verb that we know.
const notUnderstood = "I did not understand that. Say `ack 12`, `resolve 12`, `escalate 12`, `snooze 12 30m`, `note 12 …`, `who`, `page ana …` or `help`."

// keep calls turn until ctx ends, after an error not before backoff and service allow it. Turn resets the backoff when it is well.
func (p *pulse) keep(ctx context.Context, name string, log *slog.Logger, turn func(context.Context, *backoff) error) {
	defer p.down(nil)
	var b backoff
	for ctx.Err() == nil {
		err := turn(ctx, &b)
		if err == nil || ctx.Err() != nil {
			continue
		}
		p.down(err)
		log.Warn(name+" is not connected", "err", err)
		pause := b.next()
		var soon *TooSoon
		if errors.As(err, &soon) {
			pause = min(max(pause, soon.After), lastWait)
		}
		wait(ctx, pause)
	}
}

// wait passes d; false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// linger returns a context for what follows a request that is done: it outlives ctx by lingerTime, and ends after answerTime.
func linger(ctx context.Context) (context.Context, context.CancelFunc) {
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	stop := context.AfterFunc(ctx, func() {
		if wait(after, lingerTime) {
			cancel()
		}
	})
	return after, func() { stop(); cancel() }
}

// backoff is how long to wait before the next attempt. The zero value is ready.
type backoff struct{ tries int }

// next doubles from firstWait to lastWait, less up to a quarter by chance, so that many do not come back at one instant.
func (b *backoff) next() time.Duration {
	d := min(firstWait<<min(b.tries, 20), lastWait)
	b.tries++
	return d - rand.N(d/4+1)
}

func (b *backoff) reset() { b.tries = 0 }

// insist calls a service, again where it says that it is too soon and asks for little patience.
func insist(ctx context.Context, call func() error) error {
	for try := 1; ; try++ {
		err := call()
		var soon *TooSoon
		if !errors.As(err, &soon) || try == callTries || soon.After > patience || !wait(ctx, max(soon.After, time.Second)) {
			return err
		}
	}
}

// plain makes an error fit to be shown: one line without the URL, which holds Telegram's token, and without the secrets given.
func plain(doing string, err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	var u *url.Error
	text := err.Error()
	if errors.As(err, &u) {
		text = u.Err.Error()
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "<secret>")
			text = strings.ReplaceAll(text, url.QueryEscape(s), "<secret>")
		}
	}
	shown := &shownError{text: doing + ": " + line(text, errorLimit)}
	for _, is := range []error{ErrGone, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, is) {
			shown.is = is
		}
	}
	var soon *TooSoon
	if errors.As(err, &soon) {
		shown.is = soon
	}
	return shown
}

// shownError is an error's text without what must not be shown, and what it was.
type shownError struct {
	text string
	is   error
}

func (e *shownError) Error() string { return e.text }
func (e *shownError) Unwrap() error { return e.is }

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
