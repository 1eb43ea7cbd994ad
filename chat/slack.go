package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const (
	// slackAck is how long Slack is left without an answer. After 3 s it tells the person that it did not work.
	slackAck = 2 * time.Second

	// slackFrame is the largest message taken from the socket. A button's holds the whole card, 50 blocks at most.
	slackFrame = 1 << 20

	// slackSilence is how long the socket may be without a ping before it counts as dead. Slack pings about every 10 s.
	slackSilence = 30 * time.Second

	// slackLived is for how long a connection must have held to be opened anew at once. Slack itself closes each after an hour
	// or so.
	slackLived = time.Minute

	slackHandshake = 20 * time.Second
)

// SlackOptions are how a Slack app is spoken with.
type SlackOptions struct {
	// BotToken ("xoxb-…") posts and edits. Required. Its scopes: chat:write, commands, app_mentions:read, im:history, and
	// channels:history or groups:history to understand "ack" in a card's thread without a mention.
	BotToken string
	// AppToken ("xapp-…", scope connections:write) opens Socket Mode: no URL of ours need be reachable. Empty: not used.
	AppToken string
	// SigningSecret verifies what Slack posts to ServeHTTP. Empty: nothing posted is taken.
	SigningSecret string

	BaseURL string       // of the Web API; empty is https://slack.com/api/
	HTTP    *http.Client // nil is one that waits 15 s; its transport's proxy, dialer and TLS serve the socket too
	Logger  *slog.Logger // nil logs nothing
}

// Slack is a Slack app: it hears buttons, slash commands, mentions and direct messages, and shows cards.
type Slack struct {
	o    SlackOptions
	desk Desk
	log  *slog.Logger
	api  *slack.Client
	http *http.Client
	crew *crew
	seen seen
	pulse

	mu   sync.Mutex
	self string // the app's own user, once Slack has said
}

// NewSlack checks the options; nothing is connected before Run. The error says which token is missing or is another's.
func NewSlack(o SlackOptions, desk Desk) (*Slack, error) {
	switch {
	case !strings.HasPrefix(o.BotToken, "xoxb-"):
		return nil, errors.New(`slack: the bot token begins with "xoxb-"; take it from the app's page "OAuth & Permissions"`)
	case o.AppToken != "" && !strings.HasPrefix(o.AppToken, "xapp-"):
		return nil, errors.New(`slack: the app token begins with "xapp-"; make one with the scope connections:write on the app's page "Basic Information"`)
	}
	o.BaseURL = strings.TrimSuffix(cmp.Or(o.BaseURL, slack.APIURL), "/") + "/"
	if u, err := url.Parse(o.BaseURL); err != nil || u.Host == "" {
		return nil, fmt.Errorf("slack: the base URL %q is none; the usual one is %s", o.BaseURL, slack.APIURL)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: callTime}
	}
	s := &Slack{o: o, desk: desk, log: logger(o.Logger).With("service", ServiceSlack), http: o.HTTP, crew: newCrew()}
	s.api = s.client(bounded{o.HTTP})
	return s, nil
}

type doer interface {
	Do(*http.Request) (*http.Response, error)
}

func (s *Slack) client(d doer) *slack.Client {
	return slack.New(s.o.BotToken, slack.OptionAPIURL(s.o.BaseURL), slack.OptionAppLevelToken(s.o.AppToken),
		slack.OptionHTTPClient(d), slack.OptionLog(log.New(io.Discard, "", 0)))
}

// bounded reads no answer past answerLimit.
type bounded struct{ doer }

func (b bounded) Do(r *http.Request) (*http.Response, error) {
	resp, err := b.doer.Do(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, answerLimit), resp.Body}
	}
	return resp, err
}

// Run speaks with Slack until ctx ends, and then returns nil when nothing of it runs any more. Without an app token it only
// sees to it that the bot token works: what people do arrives at ServeHTTP. Trouble is in Health.
func (s *Slack) Run(ctx context.Context) error {
	defer s.crew.wg.Wait()
	defer s.down(nil)
	var b backoff
	for {
		who, err := s.api.AuthTestContext(ctx)
		if err == nil {
			s.mu.Lock()
			s.self = who.UserID
			s.mu.Unlock()
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		s.failed(s.error("auth.test", "", err))
		if !wait(ctx, b.next()) {
			return nil
		}
	}
	if s.o.AppToken == "" {
		s.up()
		<-ctx.Done()
		return nil
	}
	paced := &paced{doer: bounded{s.o.HTTP}}
	for ctx.Err() == nil {
		s.socket(ctx, paced)
	}
	return nil
}

func (s *Slack) failed(err error) {
	s.down(err)
	s.log.Warn("Slack is not connected", "err", err)
}

// socket runs one client of Slack's until it gives up. The client opens a new connection where Slack asks for one.
func (s *Slack) socket(ctx context.Context, paced *paced) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := socketmode.New(s.client(paced), socketmode.OptionDialer(s.dialer()), socketmode.OptionReadLimit(slackFrame),
		socketmode.OptionPingInterval(slackSilence), socketmode.OptionLog(log.New(io.Discard, "", 0)))
	ended := make(chan error, 1)
	s.crew.wg.Go(func() { ended <- client.RunContext(ctx) })
	for {
		select {
		case err := <-ended:
			if ctx.Err() == nil {
				s.failed(s.error("the socket", "", err))
			}
			s.down(nil)
			return
		case e := <-client.Events:
			switch e.Type {
			case socketmode.EventTypeConnecting:
				s.down(nil)
			case socketmode.EventTypeHello:
				paced.held()
				s.up()
			case socketmode.EventTypeConnectionError:
				if c, ok := e.Data.(*slack.ConnectionErrorEvent); ok && ctx.Err() == nil {
					s.failed(s.error("apps.connections.open", "", c.ErrorObj))
				}
				cancel() // its own wait grows to five minutes; a page may not wait that long for its acknowledgement
			case socketmode.EventTypeErrorBadMessage:
				s.unreadable(ctx, client, e)
			case socketmode.EventTypeEventsAPI, socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive:
				r := e.Request
				s.crew.do(ctx, func() {
					s.serve(ctx, string(e.Type), r.Payload, func(done bool) {
						// What Slack will bring again is left without an answer.
						if done || e.Type != socketmode.EventTypeEventsAPI {
							_ = client.AckCtx(ctx, r.EnvelopeID, nil)
						}
					})
				})
			}
		}
	}
}

// unreadable acknowledges an envelope of a kind that is newer than the client: it is not for us, and Slack would repeat it.
func (s *Slack) unreadable(ctx context.Context, client *socketmode.Client, e socketmode.Event) {
	bad, ok := e.Data.(*socketmode.ErrorBadMessage)
	if !ok {
		return
	}
	if id := envelopeOf(bad.Message); id != "" {
		_ = client.AckCtx(ctx, id, nil)
	}
}

// dialer opens the socket the way the HTTP client opens connections.
func (s *Slack) dialer() *websocket.Dialer {
	d := &websocket.Dialer{
		Proxy:            http.ProxyFromEnvironment,
		HandshakeTimeout: slackHandshake,
		WriteBufferSize:  32 << 10, // Slack joins no fragments, and takes answers up to 20 kB
	}
	if t, ok := s.o.HTTP.Transport.(*http.Transport); ok {
		d.Proxy, d.NetDialContext = t.Proxy, t.DialContext
		if t.TLSClientConfig != nil {
			d.TLSClientConfig = t.TLSClientConfig.Clone()
			d.TLSClientConfig.NextProtos = []string{"http/1.1"} // the transport may have asked for HTTP/2, which has no sockets
		}
	}
	return d
}

// paced leaves time between one connection and the next, twice as much each time, unless the last one held. The client itself
// knows no pause when Slack closes a connection.
type paced struct {
	doer
	mu     sync.Mutex
	b      backoff
	opened time.Time // when the last connection was said hello to; zero: it was not
	used   bool
}

// held notes that Slack greets us.
func (p *paced) held() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened = time.Now()
}

func (p *paced) Do(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	if !p.opened.IsZero() && time.Since(p.opened) >= slackLived {
		p.b.reset()
		p.used = false
	}
	p.opened = time.Time{}
	var pause time.Duration
	if p.used {
		pause = p.b.next()
	}
	p.used = true
	p.mu.Unlock()
	if !wait(r.Context(), pause) {
		return nil, r.Context().Err()
	}
	return p.doer.Do(r)
}
