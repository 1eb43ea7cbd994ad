package notify

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

const (
	// AttemptTimeout bounds one attempt. A service that takes longer is as good as dead, and the next of the person's
	// methods is waiting.
	AttemptTimeout = 30 * time.Second

	// QueueLimit is how many messages may wait for one target. What is past it was never promised to anybody: its record
	// is in the store, and it can be queued again.
	QueueLimit = 10_000
)

// ErrQueueFull says that a target has QueueLimit messages waiting; ErrClosed, that nothing is sent any more. Neither
// message was taken, and done is not called for it.
var (
	ErrQueueFull = errors.New("too many messages wait for this target")
	ErrClosed    = errors.New("sending has ended")
)

// Queues gives every target a queue of its own (SPEC §8): messages to one target go out one at a time, in order but that pages
// go before words about other incidents, and a slow or dead target delays no other. It makes one attempt for each message; whether to try again is the caller's
// decision. Attempts at one target keep the distance that its service asks for (pace.go); the first of them never waits. Where
// many pages wait for a person they become one message (storm.go). It is safe for concurrent use.
type Queues struct {
	mu      sync.Mutex
	senders map[Target]Sender
	lines   map[Target]*line
	waiting map[string][]*list.Element // by Message.Key
	begun   map[Target]time.Time       // the last attempt's beginning, where the next must keep a distance
	health  map[Target]*Health         // of those that have a sender
	link    Linker                     // nil: every page goes out on its own
	closed  bool
	closing chan struct{} // closed by Close: nobody waits for a distance any more
	workers sync.WaitGroup

	ctx    context.Context // ends attempts that outlast Close
	cancel context.CancelFunc
}

// A line is the queue of one target. It exists while its worker does.
type line struct {
	letters list.List
	busy    bool // an attempt is under way
}

type letter struct {
	Message
	done func(Message, Verdict)
	line *line
}

// NewQueues returns queues that send with the given senders.
func NewQueues(senders map[Target]Sender) *Queues {
	q := &Queues{
		lines: map[Target]*line{}, waiting: map[string][]*list.Element{}, begun: map[Target]time.Time{},
		health: map[Target]*Health{}, closing: make(chan struct{}),
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	q.SetSenders(senders)
	return q
}

// SetSenders replaces all senders, after a reload. What waits stays, and goes out by the new ones; what is being sent is
// finished by the old.
func (q *Queues) SetSenders(senders map[Target]Sender) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.senders = maps.Clone(senders)
	gone := func(t Target) bool { return q.senders[t] == nil }
	maps.DeleteFunc(q.begun, func(t Target, _ time.Time) bool { return gone(t) })
	maps.DeleteFunc(q.health, func(t Target, _ *Health) bool { return gone(t) })
}

// Enqueue takes a message for its target and returns at once. done is called once, from another goroutine, when the
// attempt is over; it is not called for what Cancel or Close dropped. The error is ErrQueueFull or ErrClosed.
func (q *Queues) Enqueue(m Message, done func(Message, Verdict)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	l := q.lines[m.Target]
	if l == nil {
		l = &line{}
		q.lines[m.Target] = l
		q.workers.Add(1)
		go q.work(m.Target, l)
	}
	if l.letters.Len() >= QueueLimit {
		return fmt.Errorf("%s: %w", m.Target, ErrQueueFull)
	}
	q.waiting[m.Key] = append(q.waiting[m.Key], l.letters.PushBack(&letter{m, done, l}))
	return nil
}

// Cancel drops the messages with this key that have not been begun, and says how many. An attempt under way is not
// interrupted: the provider may have it already.
func (q *Queues) Cancel(key string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	elements := q.waiting[key]
	delete(q.waiting, key)
	for _, e := range elements {
		e.Value.(*letter).line.letters.Remove(e)
	}
	return len(elements)
}

// Waiting is how many messages have not been begun.
func (q *Queues) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, l := range q.lines {
		n += l.letters.Len()
	}
	return n
}

// Close takes no more messages, drops what has not been begun (its record is in the store), and waits for the attempts
// under way. When ctx ends it cuts these off and returns ctx's error; their done is called all the same.
func (q *Queues) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		close(q.closing)
	}
	q.closed = true
	for _, l := range q.lines {
		l.letters.Init()
	}
	clear(q.waiting)
	q.mu.Unlock()

	idle := make(chan struct{})
	go func() {
		q.workers.Wait()
		close(idle)
	}()
	defer q.cancel()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		q.cancel()
		<-idle
		return ctx.Err()
	}
}

// work sends what stands in a line, and ends with it.
func (q *Queues) work(t Target, l *line) {
	defer q.workers.Done()
	for {
		next, sender, wait := q.take(t, l)
		if wait > 0 {
			q.rest(wait)
			continue // what was first may be cancelled by now
		}
		if next == nil {
			return
		}
		v := q.attempt(sender, q.worded(next))
		q.ended(t, l, v)
		if len(next) > 1 {
			v = within(v, len(next))
		}
		for _, one := range next {
			if one.done != nil {
				one.done(one.Message, v)
			}
		}
	}
}

// worded is the message that stands for letters.
func (q *Queues) worded(letters []*letter) Message {
	if len(letters) == 1 {
		return letters[0].Message
	}
	return summary(letters, q.link)
}

// rest waits for so long, or until the queues close.
func (q *Queues) rest(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.closing:
	}
}

// ended notes what became of an attempt.
func (q *Queues) ended(t Target, l *line, v Verdict) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.busy = false
	if q.senders[t] == nil {
		return
	}
	if q.health[t] == nil {
		q.health[t] = &Health{}
	}
	q.health[t].record(v, time.Now())
}

// take removes from a line what goes out next, see choose, or says how long it must wait yet. An
// empty line is removed itself: the next Enqueue starts a new one.
func (q *Queues) take(t Target, l *line) ([]*letter, Sender, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.letters.Len() == 0 {
		delete(q.lines, t)
		return nil, nil, 0
	}
	now := time.Now()
	if pace := paces[kindOf(q.senders[t])]; pace > 0 {
		if begun, known := q.begun[t]; known && now.Sub(begun) < pace {
			return nil, nil, pace - now.Sub(begun)
		}
		q.begun[t] = now
	}
	l.busy = true
	next := l.choose(q.link != nil)
	letters := make([]*letter, len(next))
	for i, e := range next {
		letters[i] = q.remove(l, e)
	}
	return letters, q.senders[t], 0
}

// remove takes a letter out of its line.
func (q *Queues) remove(l *line, e *list.Element) *letter {
	gone := l.letters.Remove(e).(*letter)
	rest := q.waiting[gone.Key][:0]
	for _, other := range q.waiting[gone.Key] {
		if other != e {
			rest = append(rest, other)
		}
	}
	if len(rest) == 0 {
		delete(q.waiting, gone.Key)
	} else {
		q.waiting[gone.Key] = rest
	}
	return gone
}

func (q *Queues) attempt(sender Sender, m Message) (v Verdict) {
	if sender == nil {
		return Verdict{Outcome: Failed, Answer: m.Target.String() + " is not configured any more"}
	}
	defer func() {
		if p := recover(); p != nil {
			v = Verdict{Outcome: Failed, Answer: answer(fmt.Sprintf("the sender of %s panicked: %v", m.Target, p), nil)}
		}
	}()
	timeout := AttemptTimeout
	if m.Timeout > 0 {
		timeout = min(timeout, m.Timeout)
	}
	ctx, cancel := context.WithTimeout(q.ctx, timeout)
	defer cancel()
	begun := time.Now()
	defer func() { v.Latency = time.Since(begun) }()
	return sender.Send(ctx, m)
}

// String names a target for people: "db-leads/slack[0]", "ana by chat".
func (t Target) String() string {
	if t.User != "" {
		return t.User + " by " + t.Via
	}
	return fmt.Sprintf("%s/%s[%d]", t.Receiver, t.Integration, t.Index)
}
