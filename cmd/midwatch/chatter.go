package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/chat"
	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/notify"
)

// Paths at which services post to us, below the route prefix.
const (
	chatSlackPath = "/chat/slack"
	chatSMSPath   = "/chat/twilio/sms"
	chatVoicePath = "/chat/twilio/voice"
)

// A chatter is how people speak back: the services of the configuration that holds, each run until another configuration
// wants it otherwise.
type chatter struct {
	d    *daemon
	desk *desk
	log  *zap.Logger

	mu      sync.Mutex // use, one at a time
	conf    config.Chat
	secrets []string // as they were read: one that was replaced in its file counts as a change
	stop    func()   // ends the services and waits for them; nil: none run

	running atomic.Pointer[services]
}

// services are what runs.
type services struct {
	slack    *chat.Slack
	telegram *chat.Telegram
	matrix   *chat.Matrix
	mail     *chat.Mail
	twilio   *chat.Twilio
	pushover *chat.Pushover
	mailbox  *chat.Mailbox // nil: replies by mail are not taken
	cards    []*cards
	rang     chan struct{} // something may ring at Pushover, or ring no more
}

// serviceRetry is how long after its end a service is started again: a port that was taken may be free by then.
const serviceRetry = 30 * time.Second

// A healthy service says how it is.
type healthy interface{ Health() chat.Health }

func (s *services) all() map[string]healthy {
	all := map[string]healthy{}
	if s == nil {
		return all
	}
	add := func(name string, h healthy, there bool) {
		if there {
			all[name] = h
		}
	}
	add(chat.ServiceSlack, s.slack, s.slack != nil)
	add(chat.ServiceTelegram, s.telegram, s.telegram != nil)
	add(chat.ServiceMatrix, s.matrix, s.matrix != nil)
	add(chat.ServiceMail, s.mail, s.mail != nil)
	add("twilio", s.twilio, s.twilio != nil)
	return all
}

func newChatter(d *daemon) *chatter {
	c := &chatter{d: d, log: d.log.zap}
	c.desk = &desk{engine: d.engine, signer: d.signer, link: d.courier.link, store: d.courier.store, log: d.log.zap, now: time.Now}
	return c
}

// use takes a configuration. If its section chat is the same, secrets in files included, all services go on. With an error
// nothing has changed.
func (c *chatter) use(cfg *config.Config) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	secrets, err := secretsOf(cfg.Chat)
	if err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	if c.stop != nil && reflect.DeepEqual(c.conf, cfg.Chat) && slices.Equal(c.secrets, secrets) {
		c.desk.use(cfg)
		return nil
	}
	made, err := c.build(cfg.Chat)
	if err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	if c.stop != nil {
		c.stop()
	}
	c.desk.use(cfg)
	c.running.Store(made)
	c.conf, c.secrets, c.stop = cfg.Chat, secrets, c.start(made)
	c.d.courier.answering(made)
	return nil
}

// secretsOf reads every secret of the section.
func secretsOf(conf config.Chat) (all []string, err error) {
	add := func(name string, s notify.Secret) {
		text, e := s.Read(name)
		if e != nil && err == nil {
			err = e
		}
		all = append(all, text)
	}
	if f := conf.Slack; f != nil {
		add("slack: bot_token", f.Bot)
		add("slack: app_token", f.App)
		add("slack: signing_secret", f.Signing)
	}
	if f := conf.Telegram; f != nil {
		add("telegram: bot_token", f.Token)
	}
	if f := conf.Matrix; f != nil {
		add("matrix: access_token", f.Token)
	}
	if f := conf.Twilio; f != nil {
		add("twilio: auth_token", f.AuthToken)
	}
	return all, err
}

// end stops the services.
func (c *chatter) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
	c.running.Store(nil)
}

// build makes the services; nothing is connected yet.
func (c *chatter) build(conf config.Chat) (*services, error) {
	s := &services{rang: make(chan struct{}, 1)}
	var err error
	logger := c.d.log.slog
	if f := conf.Slack; f != nil {
		o := chat.SlackOptions{BaseURL: f.APIURL, Logger: logger}
		if err = read(&o.BotToken, f.Bot, "bot_token"); err == nil {
			err = errors.Join(read(&o.AppToken, f.App, "app_token"), read(&o.SigningSecret, f.Signing, "signing_secret"))
		}
		if err == nil {
			s.slack, err = chat.NewSlack(o, c.desk)
		}
		if err != nil {
			return nil, err
		}
		s.shelve(c, chat.ServiceSlack, f.Channel, s.slack)
	}
	if f := conf.Telegram; f != nil {
		const place = "telegram/offset"
		offset, _ := strconv.ParseInt(c.d.engine.Memo(place), 10, 64)
		o := chat.TelegramOptions{BaseURL: f.APIURL, Logger: logger, Offset: offset, Save: func(offset int64) error { return c.remember(place, strconv.FormatInt(offset, 10)) }}
		if err = read(&o.Token, f.Token, "bot_token"); err == nil {
			s.telegram, err = chat.NewTelegram(o, c.desk)
		}
		if err != nil {
			return nil, err
		}
		s.shelve(c, chat.ServiceTelegram, f.Chat, s.telegram)
	}
	if f := conf.Matrix; f != nil {
		const place = "matrix/since"
		o := chat.MatrixOptions{
			Homeserver: f.Homeserver, Rooms: []string{f.Room}, Logger: logger, Since: c.d.engine.Memo(place),
			Save: func(since string) error { return c.remember(place, since) },
		}
		if err = read(&o.Token, f.Token, "access_token"); err == nil {
			s.matrix, err = chat.NewMatrix(o, c.desk)
		}
		if err != nil {
			return nil, err
		}
		s.shelve(c, chat.ServiceMatrix, f.Room, s.matrix)
	}
	if f := conf.Mail; f != nil {
		if err := s.takeMail(c, f); err != nil {
			return nil, err
		}
	}
	if f := conf.Twilio; f != nil {
		o := chat.TwilioOptions{
			AuthTokens: make([]string, 1), AccountSID: f.AccountSID, Voice: f.Voice, Language: f.Language, Logger: logger,
			SMSURL: c.desk.link("chat", "twilio", "sms"), VoiceURL: c.desk.link("chat", "twilio", "voice"),
		}
		if err = read(&o.AuthTokens[0], f.AuthToken, "auth_token"); err == nil {
			s.twilio, err = chat.NewTwilio(o, c.desk)
		}
		if err != nil {
			return nil, err
		}
	}
	s.pushover, err = chat.NewPushover(chat.PushoverOptions{Logger: logger}, c.desk)
	return s, err
}

// read gets a secret.
func read(to *string, s notify.Secret, key string) (err error) {
	*to, err = s.Read(key)
	return err
}

func (s *services) takeMail(c *chatter, f *config.ChatMail) error {
	s.mailbox = &chat.Mailbox{Name: f.Mailbox, Domain: f.Domain, Signer: c.d.replies}
	o := chat.MailOptions{Addr: f.Listen, Mailbox: *s.mailbox, RequireTLS: f.RequireTLS, Logger: c.d.log.slog}
	if f.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
		if err != nil {
			return fmt.Errorf("mail: the certificate cannot be read: %w", err)
		}
		var last atomic.Pointer[tls.Certificate]
		last.Store(&pair)
		// Certificates are renewed every few weeks. Each connection gets the one that is there; half of a new one is none.
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile); err == nil {
				last.Store(&pair)
			}
			return last.Load(), nil
		}}
	}
	var err error
	s.mail, err = chat.NewMail(o, c.desk)
	return err
}

// shelve lets incidents have cards in a place; empty: they have none there.
func (s *services) shelve(c *chatter, service, place string, b chat.Board) {
	if place != "" {
		s.cards = append(s.cards, newCards(c.d.engine, c.desk, shelf{service, place, b}, c.log))
	}
}

func (c *chatter) remember(name, value string) error {
	ctx, cancel := context.WithTimeout(context.Background(), deskTime)
	defer cancel()
	return c.d.engine.Do(ctx, engine.Remember{Name: name, Value: value}).Err
}

// start runs the services, and returns how to end them.
func (c *chatter) start(s *services) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	runner := func(name string, run func(context.Context) error) {
		all.Go(func() {
			for {
				if err := run(ctx); err == nil || ctx.Err() != nil {
					return
				} else {
					c.log.Error("a chat service ended; nobody is heard there until it is started again",
						zap.String("service", name), zap.Duration("in", serviceRetry), zap.Error(err))
				}
				select {
				case <-ctx.Done():
				case <-time.After(serviceRetry):
				}
			}
		})
	}
	if s.slack != nil {
		runner(chat.ServiceSlack, s.slack.Run)
	}
	if s.telegram != nil {
		runner(chat.ServiceTelegram, s.telegram.Run)
	}
	if s.matrix != nil {
		runner(chat.ServiceMatrix, s.matrix.Run)
	}
	if s.mail != nil {
		runner(chat.ServiceMail, s.mail.Run)
	}
	runner(chat.ServicePushover, s.pushover.Run)
	all.Go(func() { c.follow(ctx, s) })
	for _, b := range s.cards {
		all.Go(func() { b.run(ctx) })
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// happened lets cards and receipts follow what happens.
func (c *chatter) happened(events []incident.Event) {
	s := c.running.Load()
	if s == nil {
		return
	}
	for _, b := range s.cards {
		b.happened(events)
	}
	if len(events) > 0 {
		select {
		case s.rang <- struct{}{}:
		default:
		}
	}
}

// follow keeps Pushover asked about exactly the alarms that ring. It reads what the engine holds, so it cannot be done where
// the engine tells what happened. It begins with what rang before a restart or reload.
func (c *chatter) follow(ctx context.Context, s *services) {
	asked := map[string]bool{}
	for {
		asked = c.receipts(s, asked)
		select {
		case <-ctx.Done():
			return
		case <-s.rang:
		}
	}
}

// receipts has Pushover asked about what rings, and no more about what was asked after and rings no more. It returns what is
// asked after now.
func (c *chatter) receipts(s *services, asked map[string]bool) map[string]bool {
	now := map[string]bool{}
	cfg := c.d.current.Load()
	if cfg == nil {
		return now
	}
	incidents := map[string][]string{} // by receipt: one alarm may be about several
	of := map[string]engine.Standing{}
	for _, standing := range c.d.engine.Standing() {
		for _, id := range notify.Receipts(standing.State) {
			incidents[id] = append(incidents[id], standing.Incident)
			of[id] = standing
		}
	}
	for id, standing := range of {
		token, base := pushoverAccess(cfg.cfg.Users[standing.User], standing.Via)
		if token == "" {
			continue
		}
		now[id] = true
		ids := joinIDs(incidents[id])
		err := s.pushover.Watch(chat.Receipt{
			ID: id, AppToken: token, BaseURL: base, User: standing.User, Incident: incidents[id][0],
			Token: c.d.signer.Sign(notify.Claim{
				Incident: ids, User: standing.User, Page: c.d.courier.key("pushover/" + id), Expires: time.Now().Add(notify.TokenLife),
			}),
		})
		if err != nil {
			c.log.Warn("whether an alarm was acknowledged cannot be asked", zap.String("incident", standing.Incident), zap.Error(err))
		}
	}
	for id := range asked {
		if !now[id] {
			s.pushover.Forget(id)
		}
	}
	return now
}

// pushoverAccess is the application's token of a contact method, and where Pushover is for it. An empty token: it is not
// Pushover's, or in a file that cannot be read.
func pushoverAccess(u config.User, via string) (token, base string) {
	for _, m := range u.Methods {
		if m.Name != via || len(m.Receiver.PushoverConfigs) != 1 {
			continue
		}
		p := m.Receiver.PushoverConfigs[0]
		secret := notify.Secret{Value: p.Token, File: p.TokenFile}
		if token, err := secret.Read("token"); err == nil {
			return token, m.APIURL
		}
	}
	return "", ""
}

// handlers are where services post to.
func (c *chatter) handlers() map[string]http.Handler {
	at := func(pick func(*services) http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := c.running.Load()
			var h http.Handler
			if s != nil {
				h = pick(s)
			}
			if h == nil {
				http.Error(w, "Nobody listens here: the configuration has no such section under chat.", http.StatusNotFound)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	return map[string]http.Handler{
		chatSlackPath: at(func(s *services) http.Handler {
			if s.slack == nil {
				return nil
			}
			return s.slack
		}),
		chatSMSPath: at(func(s *services) http.Handler {
			if s.twilio == nil {
				return nil
			}
			return s.twilio.SMS()
		}),
		chatVoicePath: at(func(s *services) http.Handler {
			if s.twilio == nil {
				return nil
			}
			return s.twilio.Voice()
		}),
	}
}

// Describe implements prometheus.Collector.
func (c *chatter) Describe(ch chan<- *prometheus.Desc) { ch <- chatConnected }

var chatConnected = prometheus.NewDesc("midwatch_chat_connected",
	"Whether people can be heard at a chat service: 1 while it is connected; absent while that was not tried.", []string{"service"}, nil)

// Collect implements prometheus.Collector.
func (c *chatter) Collect(ch chan<- prometheus.Metric) {
	for name, s := range c.running.Load().all() {
		switch state(s.Health()) {
		case api.ChannelConnected:
			ch <- prometheus.MustNewConstMetric(chatConnected, prometheus.GaugeValue, 1, name)
		case api.ChannelFailing:
			ch <- prometheus.MustNewConstMetric(chatConnected, prometheus.GaugeValue, 0, name)
		}
	}
}

// state is a service's as the API calls it. Twilio's is unknown until it first posts something.
func state(h chat.Health) string {
	switch {
	case h.Connected():
		return api.ChannelConnected
	case h.LastErrorAt.IsZero():
		return api.ChannelUnknown
	}
	return api.ChannelFailing
}

// channels is how the services fare, as the API shows it, by their names.
func (c *chatter) channels() (out []api.Channel) {
	all := c.running.Load().all()
	for _, name := range sortedKeys(all) {
		h := all[name].Health()
		out = append(out, api.Channel{
			Chat: name, Integration: name, State: state(h), LastSuccess: h.Since, LastFailure: h.LastErrorAt, LastError: h.LastError,
		})
	}
	return out
}
