package notify

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	amnotify "github.com/prometheus/alertmanager/notify"

	"github.com/prometheus/alertmanager/alert"
)

// maxHanging is how many attempts of one integration may hang beyond their context before we stop adding to them. Each
// holds a connection.
const maxHanging = 4

// deaf are the integrations whose notifiers do not end with their context: mail sets no deadline once it is connected,
// telebot makes its requests with a background context, and OpsGenie's update of a message carries none.
var deaf = map[string]bool{"email": true, "telegram": true, "opsgenie": true}

// An integration makes one of upstream's notifiers obey a Sender's contract: it ends with its context, panics do not
// escape, and calls do not overlap (some of upstream's write to themselves).
type integration struct {
	name    string // "slack", …
	build   func() (amnotify.Integration, error)
	secrets []string
	logger  *slog.Logger

	turn    chan struct{} // holds one token; whoever has it may touch current
	hanging chan struct{} // one element for each attempt that was given up
	current *amnotify.Integration
}

func newIntegration(first amnotify.Integration, build func() (amnotify.Integration, error), config any, logger *slog.Logger) *integration {
	i := &integration{
		name: first.Name(), build: build, secrets: secretsOf(config), logger: logger,
		turn: make(chan struct{}, 1), hanging: make(chan struct{}, maxHanging), current: &first,
	}
	i.turn <- struct{}{}
	return i
}

// send makes one attempt with a context that fill has filled.
func (i *integration) send(ctx context.Context, alerts []*alert.Alert) Verdict {
	select {
	case <-i.turn:
	case <-ctx.Done():
		return Verdict{Outcome: Retry, Answer: "waited for an earlier attempt until the time was over"}
	}
	defer func() { i.turn <- struct{}{} }()

	if i.current == nil {
		n, err := i.build()
		if err != nil {
			return Verdict{Outcome: Retry, Answer: answer(err.Error(), i.secrets)}
		}
		i.current = &n
	}
	if !deaf[i.name] {
		return i.attempt(ctx, i.current, alerts)
	}

	select {
	case i.hanging <- struct{}{}:
	default:
		return Verdict{Outcome: Retry, Answer: fmt.Sprintf("%d earlier attempts were accepted and never answered; not adding another", maxHanging)}
	}
	done := make(chan Verdict, 1)
	go func(n *amnotify.Integration) {
		defer func() { <-i.hanging }()
		done <- i.attempt(ctx, n, alerts)
	}(i.current)
	select {
	case v := <-done:
		return v
	case <-ctx.Done():
		// The notifier may still be writing to itself: the next attempt gets one of its own.
		i.current = nil
		return Verdict{Outcome: Retry, Answer: "no answer in the time given"}
	}
}

func (i *integration) attempt(ctx context.Context, n *amnotify.Integration, alerts []*alert.Alert) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			i.logger.Error("the notifier panicked", "integration", i.name, "panic", answer(fmt.Sprint(p), i.secrets), "stack", string(debug.Stack()))
			v = Verdict{Outcome: Failed, Answer: answer(fmt.Sprintf("the %s notifier panicked: %v", i.name, p), i.secrets)}
		}
	}()
	retry, err := n.Notify(ctx, alerts...)
	return verdict(ctx, i.name, retry, err, i.secrets)
}
