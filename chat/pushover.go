package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	pushoverURL = "https://api.pushover.net"

	// pushoverEvery is how often a receipt is asked after; Pushover allows it once in five seconds.
	pushoverEvery = 5 * time.Second

	// pushoverLife is how long a receipt is asked after at most. Pushover itself repeats a message for three hours.
	pushoverLife = 3*time.Hour + 5*time.Minute

	// pushoverLimit is how many receipts are watched. Past it the oldest goes: its person has the link.
	pushoverLimit = 1000
)

// PushoverOptions are how Pushover is asked.
type PushoverOptions struct {
	BaseURL string       // empty is https://api.pushover.net
	HTTP    *http.Client // nil is one that waits 15 s
	Logger  *slog.Logger
}

// A Receipt stands for an emergency message of Pushover's that somebody may acknowledge in its app.
type Receipt struct {
	ID       string // 30 letters and digits
	AppToken string // of the application that sent the message
	BaseURL  string // of the API that took it; empty is that of the options
	User     string // whom it was sent to, in our names: handed on as Person.Name
	Incident string
	Token    string    // handed on as Request.Token
	Until    time.Time // when to give up; zero, or later than three hours from now, is three hours from now
}

// Pushover asks after emergency messages until they are acknowledged.
type Pushover struct {
	o    PushoverOptions
	desk Desk
	log  *slog.Logger
	pulse

	mu    sync.Mutex
	all   map[string]Receipt
	added chan struct{}
}

// NewPushover checks the options.
func NewPushover(o PushoverOptions, desk Desk) (*Pushover, error) {
	o.BaseURL = strings.TrimSuffix(cmp.Or(o.BaseURL, pushoverURL), "/")
	if u, err := url.Parse(o.BaseURL); err != nil || u.Host == "" {
		return nil, fmt.Errorf("pushover: the base URL %q is none; the usual one is %s", o.BaseURL, pushoverURL)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: callTime}
	}
	return &Pushover{o: o, desk: desk, log: logger(o.Logger).With("service", ServicePushover), all: map[string]Receipt{}, added: make(chan struct{}, 1)}, nil
}

// Watch asks after a receipt from now on. What is watched is not kept over a restart: whoever stored the receipts gives them
// again. The error is for what is no receipt.
func (p *Pushover) Watch(r Receipt) error {
	if r.ID == "" || strings.Trim(r.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" || r.AppToken == "" {
		return errors.New("pushover: a receipt has letters and digits, and an application's token beside it")
	}
	if last := time.Now().Add(pushoverLife); r.Until.IsZero() || r.Until.After(last) {
		r.Until = last
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if old, ok := p.all[r.ID]; ok {
		r.Until = old.Until // given again, it lives no longer
	} else if len(p.all) >= pushoverLimit {
		oldest := r.ID
		for id, other := range p.all {
			if o, ok := p.all[oldest]; !ok || other.Until.Before(o.Until) {
				oldest = id
			}
		}
		delete(p.all, oldest)
	}
	p.all[r.ID] = r
	select {
	case p.added <- struct{}{}:
	default:
	}
	return nil
}

// Forget ends asking after a receipt: its incident is over.
func (p *Pushover) Forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, id)
}

// Run asks until ctx ends, and then returns nil. Trouble is in Health.
func (p *Pushover) Run(ctx context.Context) error {
	p.up()
	defer p.down(nil)
	var b backoff
	for ctx.Err() == nil {
		p.mu.Lock()
		all := slices.SortedFunc(maps.Values(p.all), func(a, b Receipt) int { return cmp.Compare(a.ID, b.ID) })
		p.mu.Unlock()
		if len(all) == 0 {
			select {
			case <-p.added:
			case <-ctx.Done():
			}
			continue
		}
		pause := pushoverEvery
		for _, r := range all {
			if err := p.poll(ctx, r); err != nil && ctx.Err() == nil {
				p.down(err)
				p.log.Warn("Pushover was not asked after its receipts", "err", err)
				pause = max(pause, b.next())
				break // the next would fail alike
			}
			p.up()
			b.reset()
		}
		wait(ctx, pause)
	}
	return nil
}

// poll asks after one receipt, and drops it when it is done with.
func (p *Pushover) poll(ctx context.Context, r Receipt) error {
	if !time.Now().Before(r.Until) {
		p.Forget(r.ID)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	fault := func(err error) error { return plain("pushover: asking after a receipt", err, r.AppToken) }
	to := strings.TrimSuffix(cmp.Or(r.BaseURL, p.o.BaseURL), "/") + "/1/receipts/" + r.ID + ".json?" + url.Values{"token": {r.AppToken}}.Encode()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return fault(err)
	}
	resp, err := p.o.HTTP.Do(q)
	if err != nil {
		return fault(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Status       int      `json:"status"`
		Acknowledged int      `json:"acknowledged"`
		By           string   `json:"acknowledged_by"`
		Device       string   `json:"acknowledged_by_device"`
		Expired      int      `json:"expired"`
		Errors       []string `json:"errors"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, answerLimit)).Decode(&answer)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 || err != nil:
		return fault(fmt.Errorf("answered %s", resp.Status))
	case answer.Status != 1:
		p.Forget(r.ID) // not found: nothing will come of it
		return fault(fmt.Errorf("answered %s: %s", resp.Status, strings.Join(answer.Errors, ", ")))
	case answer.Acknowledged == 1:
		reply := ask(ctx, p.desk, p.log, Request{
			Command: Command{Verb: Ack, Incident: r.Incident}, From: Person{ServicePushover, line(answer.By, valueLimit), r.User},
			Token: r.Token, ID: "pushover/" + r.ID,
		})
		if !reply.Again {
			p.Forget(r.ID)
		}
	case answer.Expired == 1:
		p.Forget(r.ID)
	}
	return nil
}
