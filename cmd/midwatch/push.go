package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/web"
)

// vapidFile is the secret key of web push, within --storage.path. Without it every subscription is void.
const vapidFile = "vapid.key"

// pushMemos begins the names of memos of subscriptions: push/<user>/<id>.
const pushMemos = "push/"

func pushMemo(user string) string { return pushMemos + user + "/" }

// A pusher keeps the browsers that people subscribed, and what it takes to page them.
type pusher struct {
	key      *notify.VAPID
	links    *notify.Signer
	link     func(parts ...string) string
	external *url.URL
	users    func() map[string]config.User
	log      *zap.Logger
	now      func() time.Time

	engine  atomic.Pointer[engine.Engine] // nil while the engine starts
	subject sync.Mutex                    // one subscription at a time, so that they can be counted
}

// newPusher reads the key, or makes it.
func (d *daemon) newPusher() (*pusher, error) {
	secret, err := notify.NewVAPIDKey()
	if err != nil {
		return nil, err
	}
	if !*d.flags.demo {
		kept, err := vapidAt(*d.flags.storage, secret)
		if err != nil {
			d.log.zap.Error("browsers that are subscribed from now on are paged only until the next restart", zap.Error(err))
		} else {
			secret = kept
		}
	}
	p := &pusher{
		links: d.signer.PushLinks(), external: d.external, log: d.log.zap, now: time.Now,
		link: func(parts ...string) string { return d.courier.link(parts...) },
		users: func() map[string]config.User {
			if now := d.current.Load(); now != nil {
				return now.cfg.Users
			}
			return nil
		},
	}
	p.key, err = notify.NewVAPID(secret)
	return p, err
}

// vapidAt reads the key, or keeps the fresh one.
func vapidAt(dir string, fresh []byte) ([]byte, error) {
	path := filepath.Join(dir, vapidFile)
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key = fresh
		err = writeSecret(path, key)
	}
	if err == nil {
		_, err = notify.NewVAPID(key)
	}
	if err != nil {
		return nil, fmt.Errorf("the key of web push, %s: %w", path, err)
	}
	return key, nil
}

// options are what the senders need.
func (p *pusher) options() *notify.Push {
	if p == nil {
		return nil
	}
	return &notify.Push{Key: p.key, Contact: p.contact(), Browsers: p.browsers, Forget: p.forgotten}
}

// contact is whom a push service can reach about what it is sent: whoever runs the address of this Midwatch.
func (p *pusher) contact() string {
	if p.external.Scheme == "https" {
		return p.external.String()
	}
	return "mailto:midwatch@" + p.external.Hostname()
}

// browsers are a user's, the longest subscribed first.
func (p *pusher) browsers(user string) ([]notify.Browser, error) {
	e := p.engine.Load()
	if e == nil {
		return nil, errors.New("midwatch is starting")
	}
	var out []notify.Browser
	for name, text := range e.Memos(pushMemo(user)) {
		var b notify.Browser
		if err := json.Unmarshal([]byte(text), &b); err != nil {
			return nil, fmt.Errorf("memo %s: %w", name, err)
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b notify.Browser) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID(), b.ID())) })
	return out, nil
}

// forgotten drops a browser that its push service knows no more.
func (p *pusher) forgotten(ctx context.Context, user string, b notify.Browser) error {
	return p.drop(ctx, user, "", b, "was dropped, because its push service knows it no more: ")
}

// drop forgets one; text begins the line of the audit log.
func (p *pusher) drop(ctx context.Context, user, by string, b notify.Browser, text string) error {
	err := p.engine.Load().Do(ctx, engine.Remember{
		Name: pushMemo(user) + b.ID(), User: user, By: by, Text: "a browser " + text + browserWords(b),
	}).Err
	if errors.Is(err, engine.ErrUnsaved) && by == "" {
		err = nil // it is forgotten again the next time
	}
	return err
}

// browserWords says which browser it is.
func browserWords(b notify.Browser) string {
	if b.Agent == "" {
		return "one of " + b.Service()
	}
	return b.Agent + ", " + b.Service()
}

// method is the first of a user's contact methods that pages browsers, and whether one of them reaches private networks; empty: there
// is none.
func (p *pusher) method(user string) (name string, private bool) {
	for _, m := range p.users()[user].Methods {
		if c, ok := m.Own.(*notify.WebPush); ok {
			name, private = cmp.Or(name, m.Name), private || c.PrivateServices
		}
	}
	return name, private
}

// redeem says whom a link is for.
func (p *pusher) redeem(token string, now time.Time) (user, by string, err error) {
	claim, err := p.links.Verify(token, now)
	if errors.Is(err, notify.ErrExpired) {
		return claim.User, claim.Page, fmt.Errorf("%w: %w", web.ErrExpired, err)
	}
	if _, known := p.users()[claim.User]; err == nil && !known {
		err = errors.New("its user is not in the configuration any more")
	}
	return claim.User, claim.Page, err
}

// pages are the pages that subscribe.
func (p *pusher) pages() *web.Push {
	return &web.Push{
		Redeem: p.redeem, Key: p.key.Public(),
		Method:    func(user string) string { name, _ := p.method(user); return name },
		Subscribe: p.subscribe,
		Unsubscribe: func(ctx context.Context, user, by, endpoint string) error {
			b := notify.Browser{Endpoint: endpoint}
			all, err := p.browsers(user)
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(all, func(known notify.Browser) bool { return known.ID() == b.ID() }); i >= 0 {
				return p.drop(ctx, user, by, all[i], "gets pages no more: ")
			}
			return nil // it is as it should be
		},
		Renew: p.renew,
	}
}

// renew puts what a browser has now in the place of a subscription that it had, for each user whose pages it gets: it may have been
// given to several. known says whether there was any.
func (p *pusher) renew(ctx context.Context, old, now web.Subscription) (known bool, err error) {
	e := p.engine.Load()
	if e == nil {
		return false, errors.New("midwatch is starting")
	}
	was, err := notify.NewBrowser(old.Endpoint, old.Keys.P256DH, old.Keys.Auth, true)
	if err != nil {
		return false, nil //nolint:nilerr // then it is none of ours
	}
	p.subject.Lock()
	defer p.subject.Unlock()
	for user := range p.users() {
		var kept notify.Browser
		text := e.Memo(pushMemo(user) + was.ID())
		if text == "" || json.Unmarshal([]byte(text), &kept) != nil {
			continue
		}
		if subtle.ConstantTimeCompare(kept.Auth, was.Auth) != 1 || !bytes.Equal(kept.Key, was.Key) || kept.Endpoint != was.Endpoint {
			continue
		}
		known = true
		if err := p.replace(ctx, user, kept, now); err != nil {
			return known, err
		}
	}
	return known, nil
}

// replace keeps the new subscription first: if we end in between, the old one is dropped when its push service knows it no more.
func (p *pusher) replace(ctx context.Context, user string, old notify.Browser, now web.Subscription) error {
	_, private := p.method(user)
	b, err := notify.NewBrowser(now.Endpoint, now.Keys.P256DH, now.Keys.Auth, private)
	if err != nil {
		return &engine.Error{Code: "invalid", Field: "endpoint", Message: err.Error()}
	}
	b.Agent, b.By, b.At = cmp.Or(now.Agent, old.Agent), old.By, old.At
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	err = p.engine.Load().Do(ctx, engine.Remember{
		Name: pushMemo(user) + b.ID(), Value: string(text), User: user, Text: "a browser gets pages under a new address: " + browserWords(b),
	}).Err
	if err != nil && !errors.Is(err, engine.ErrUnsaved) || b.ID() == old.ID() {
		return err
	}
	return cmp.Or(p.engine.Load().Do(ctx, engine.Remember{Name: pushMemo(user) + old.ID(), User: user}).Err, err)
}

// dropStrangers forgets the browsers of users that the configuration has no more: whoever gets their name one day must not be paged
// there, nor be heard from there.
func (p *pusher) dropStrangers(ctx context.Context) {
	if p == nil || p.engine.Load() == nil {
		return
	}
	users := p.users()
	for name, text := range p.engine.Load().Memos(pushMemos) {
		user, _, ok := cutLast(strings.TrimPrefix(name, pushMemos), "/")
		if _, known := users[user]; known || !ok {
			continue
		}
		var b notify.Browser
		_ = json.Unmarshal([]byte(text), &b) // what cannot be read goes too
		err := p.engine.Load().Do(ctx, engine.Remember{
			Name: name, User: user, Text: "a browser gets pages no more, because its user is not in the configuration: " + browserWords(b),
		}).Err
		if err != nil && !errors.Is(err, engine.ErrUnsaved) {
			p.log.Warn("a browser of somebody who is not in the configuration is still remembered; the next reload tries again", zap.String("user", user), zap.Error(err))
		}
	}
}

// cutLast cuts around the last of the separators.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// subscribe keeps a browser. One that is known is kept anew, because its keys may be others.
func (p *pusher) subscribe(ctx context.Context, user, by string, s web.Subscription) error {
	_, private := p.method(user)
	b, err := notify.NewBrowser(s.Endpoint, s.Keys.P256DH, s.Keys.Auth, private)
	if err != nil {
		return &engine.Error{Code: "invalid", Field: "endpoint", Message: err.Error()}
	}
	b.Agent, b.By, b.At = s.Agent, by, p.now().UTC().Truncate(time.Second)
	p.subject.Lock()
	defer p.subject.Unlock()
	all, err := p.browsers(user)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(all, func(o notify.Browser) bool { return o.ID() == b.ID() })
	if !known && len(all) >= notify.MaxBrowsers {
		return &engine.Error{Code: "conflict", Message: fmt.Sprintf("%d browsers get the pages of %s, the most there can be; press the third button in one that need not, or remove one: midwatch browsers remove %[2]s", len(all), user)}
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return p.engine.Load().Do(ctx, engine.Remember{
		Name: pushMemo(user) + b.ID(), Value: string(text), User: user, By: by, Text: "a browser gets pages: " + browserWords(b),
	}).Err
}

// admin is what the API can do about browsers.
func (p *pusher) admin() *api.Pushing {
	return &api.Pushing{
		Link: p.invite,
		Browsers: func(user string) ([]api.Browser, error) {
			all, err := p.browsers(user)
			var out []api.Browser
			for _, b := range all {
				out = append(out, showBrowser(user, b))
			}
			return out, err
		},
		Forget: func(ctx context.Context, user, id, by string) (api.Browser, error) {
			all, err := p.browsers(user)
			if err != nil {
				return api.Browser{}, err
			}
			i := slices.IndexFunc(all, func(b notify.Browser) bool { return b.ID() == id })
			if i < 0 {
				return api.Browser{}, &engine.Error{Code: "not_found", Field: "id", Message: "no such browser gets the pages of " + user + "; users/" + user + "/browsers lists those that do"}
			}
			return showBrowser(user, all[i]), p.drop(ctx, user, by, all[i], "gets pages no more: ")
		},
	}
}

func showBrowser(user string, b notify.Browser) api.Browser {
	return api.Browser{ID: b.ID(), User: user, Agent: b.Agent, Service: b.Service(), CreatedBy: b.By, CreatedAt: b.At.UTC()}
}

// maxAsker is how long the name in a link may be, in bytes: the link stays an address that a telephone's camera reads.
const maxAsker = 100

// invite makes a link.
func (p *pusher) invite(user, by string) (api.PushLink, error) {
	if name, _ := p.method(user); name == "" {
		return api.PushLink{}, &engine.Error{Code: "conflict", Field: "name", Message: user + " has no contact method web_push; add contact_methods: {browser: {web_push: {}}} to the user and reload"}
	}
	if len(by) > maxAsker {
		return api.PushLink{}, &engine.Error{Code: "invalid", Field: "by", Message: fmt.Sprintf("\"by\" is longer than %d bytes", maxAsker)}
	}
	expires := p.now().Add(notify.PushLinkLife).UTC().Truncate(time.Second)
	token := p.links.Sign(notify.Claim{User: user, Page: by, Expires: expires})
	p.log.Info("a link was made that subscribes browsers", zap.String("user", user), zap.String("by", by), zap.Time("expires", expires))
	return api.PushLink{User: user, URL: p.link("push", token), ExpiresAt: expires}, nil
}
