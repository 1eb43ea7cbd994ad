package web

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
)

// A Push lets browsers subscribe to a person's pages.
type Push struct {
	// Redeem says whom a link is for, and who made it. For one that is too old the error wraps ErrExpired.
	Redeem func(token string, now time.Time) (user, by string, err error)
	Key    string // by which push services know us, in base64url
	// Method is the contact method by which the user's browsers are paged; empty: there is none, and no sense in subscribing.
	Method func(user string) string
	// Subscribe and Unsubscribe act at once. An *engine.Error is for the person who looks at the browser.
	Subscribe   func(ctx context.Context, user, by string, s Subscription) error
	Unsubscribe func(ctx context.Context, user, by, endpoint string) error
	// Renew puts the subscription that a browser has now in the place of its old one, and says whether that was known. The old one's
	// secrets are what shows who asks: nobody but the browser and we have them.
	Renew func(ctx context.Context, old, now Subscription) (known bool, err error)
}

// A Subscription is what a browser gives out: PushSubscription.toJSON.
type Subscription struct {
	Endpoint string `json:"endpoint"`
	Keys     struct {
		P256DH string `json:"p256dh"`
		Auth   string `json:"auth"`
	} `json:"keys"`

	Agent string `json:"-"` // what the browser is, in words; empty: nobody knows
}

// PushPage is the page by which a browser is subscribed.
type PushPage struct {
	Heading string
	Told    []string
	Key     string // empty: there are no buttons
	Hints   []string
}

// maxSubscription is how large a posted subscription may be, in bytes: an address of 2 KiB and two keys. A renewal has two.
const maxSubscription = 4 << 10

// pushPolicy is for the page that subscribes: what policy allows, and our own script, its requests and its service worker.
var pushPolicy = strings.Replace(policy, "form-action 'self'", "script-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'none'", 1)

// workerPolicy is for the service worker: it runs on its own, and asks nobody but us.
const workerPolicy = "default-src 'none'; connect-src 'self'"

//go:embed scripts
var scripts embed.FS

// pushPaths are what belongs to the page that subscribes. The worker lies at the top, because it has a say only below itself.
func (p *Pages) pushPaths() {
	p.mux.HandleFunc("/push/{token}", p.push)
	p.mux.HandleFunc("/push/{token}/test", p.pushTest)
	p.mux.HandleFunc("/push/renew", p.renew)
	p.mux.HandleFunc("/push/key", reading(p.pushKey))
	p.mux.HandleFunc("/push/", p.push) // a link that was cut or mangled
	for _, f := range []struct{ path, kind, policy string }{
		{"push.js", "text/javascript; charset=utf-8", workerPolicy},
		{"sw.js", "text/javascript; charset=utf-8", workerPolicy},
		{"manifest.webmanifest", "application/manifest+json", workerPolicy},
	} {
		content := must(scripts.ReadFile("scripts/" + f.path))
		p.mux.HandleFunc("/"+f.path, reading(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", f.kind)
			h.Set("Cache-Control", "no-cache")
			h.Set("Content-Security-Policy", f.policy)
			h.Set("X-Content-Type-Options", "nosniff")
			if r.Method != http.MethodHead {
				_, _ = w.Write(content)
			}
		}))
	}
}

// push shows the page, or subscribes or forgets the browser that asks.
func (p *Pages) push(w http.ResponseWriter, r *http.Request) {
	looking := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !looking && r.Method != http.MethodPost && r.Method != http.MethodDelete {
		refuseMethod(w, "GET, HEAD, POST, DELETE")
		return
	}
	user, by, status, page := p.invited(r)
	switch {
	case looking:
		writeUnder(pushPolicy, w, r, status, render("push", page))
	case status != http.StatusOK:
		say(w, status, page.Heading+". "+strings.Join(page.Told, " "))
	default:
		p.subscribe(w, r, user, by)
	}
}

// invited says whom the link is for, and what the page shows.
func (p *Pages) invited(r *http.Request) (user, by string, status int, page PushPage) {
	user, by, err := p.Push.Redeem(r.PathValue("token"), p.Now())
	again := []string{"Make a new link, where you have the command line: midwatch push-link " + orYou(user)}
	switch {
	case errors.Is(err, ErrExpired):
		return user, by, http.StatusGone, PushPage{
			Heading: "This link has expired", Hints: again,
			Told: []string{"A link that subscribes browsers is good for 24 hours. Browsers that were subscribed by it stay so."},
		}
	case err != nil:
		return "", "", http.StatusNotFound, PushPage{
			Heading: "This link is not valid", Hints: again,
			Told: []string{"Midwatch did not give out this link, or it was cut short on its way."},
		}
	}
	v := &look{Pages: p}
	if p.Push.Method(user) == "" {
		return user, by, http.StatusConflict, PushPage{
			Heading: "Pages in this browser",
			Told:    []string{v.person(user) + " has no contact method web_push, so no browser would be paged."},
			Hints:   []string{"Add it in the configuration: contact_methods: {browser: {web_push: {}}}. Then load this page again."},
		}
	}
	return user, by, http.StatusOK, PushPage{
		Heading: "Pages in this browser", Key: p.Push.Key,
		Told: []string{"This browser can show the pages of " + v.person(user) + " as notifications, with a button that acknowledges. Whoever has the device can press it."},
	}
}

func orYou(user string) string {
	if user == "" {
		return "<you>"
	}
	return user
}

func (p *Pages) subscribe(w http.ResponseWriter, r *http.Request, user, by string) {
	var s Subscription
	if !readSubscription(w, r, &s, maxSubscription) {
		return
	}
	done := "This browser gets the pages of " + user + " from now on."
	var err error
	if r.Method == http.MethodDelete {
		done = "This browser gets no pages any more."
		err = p.Push.Unsubscribe(r.Context(), user, by, s.Endpoint)
	} else {
		s.Agent = agent(r.UserAgent())
		err = p.Push.Subscribe(r.Context(), user, by, s)
	}
	p.sayDone(w, done, err)
}

// renew is what a service worker asks for when the browser has replaced its subscription: nobody looks at a page then.
func (p *Pages) renew(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		refuseMethod(w, "POST")
		return
	}
	var s struct{ Old, Now Subscription }
	if !readSubscription(w, r, &s, 2*maxSubscription) {
		return
	}
	s.Now.Agent = agent(r.UserAgent())
	known, err := p.Push.Renew(r.Context(), s.Old, s.Now)
	if !known && err == nil {
		say(w, http.StatusNotFound, "Midwatch knows no such subscription. Open a new link: midwatch push-link <you>")
		return
	}
	p.sayDone(w, "This browser gets pages under its new address.", err)
}

// pushKey is what a browser subscribes with. It is public.
func (p *Pages) pushKey(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, p.Push.Key)
	}
}

// sayDone answers what came of it.
func (p *Pages) sayDone(w http.ResponseWriter, done string, err error) {
	var refused *engine.Error
	switch {
	case err == nil:
		say(w, http.StatusOK, done)
	case errors.Is(err, engine.ErrUnsaved):
		say(w, http.StatusAccepted, done+" But the disk of Midwatch takes no writes, and a restart would forget it. Tell whoever runs it.")
	case errors.As(err, &refused):
		status := http.StatusBadRequest
		if refused.Code == "conflict" {
			status = http.StatusConflict
		}
		say(w, status, "Nothing was done: "+refused.Message+".")
	default:
		p.Log.Warn("a browser could not be subscribed, or tested", zap.Error(err))
		say(w, http.StatusServiceUnavailable, "Nothing was done: Midwatch is overloaded or shutting down. Press the button again in a few seconds.")
	}
}

// pushTest sends a test page to the browsers of the link's user, and says what became of it.
func (p *Pages) pushTest(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		refuseMethod(w, "POST")
		return
	}
	user, _, status, page := p.invited(r)
	if status != http.StatusOK {
		say(w, status, page.Heading+". "+strings.Join(page.Told, " "))
		return
	}
	select {
	case p.pushTesting <- struct{}{}:
		defer func() { <-p.pushTesting }()
	default:
		say(w, http.StatusTooManyRequests, "A test page is under way already; try again in half a minute.")
		return
	}
	outcomes, err := p.Engine.TestPage(r.Context(), engine.TestPage{User: user, Via: p.Push.Method(user), By: user})
	told := "There is no outcome yet; the delivery log will have it."
	for _, o := range outcomes {
		switch {
		case !o.Ended:
		case o.Verdict.Outcome == engine.Delivered:
			told = "The test page is on its way: " + o.Verdict.Answer + "."
		default:
			told = "The test page was not delivered: " + o.Verdict.Answer + "."
		}
	}
	p.sayDone(w, told, err)
}

// readSubscription reads a body of at most so many bytes, and answers where it cannot.
func readSubscription(w http.ResponseWriter, r *http.Request, s any, most int64) bool {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		say(w, http.StatusUnsupportedMediaType, "Nothing was done: send JSON, with Content-Type: application/json.")
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		say(w, http.StatusRequestEntityTooLarge, "Nothing was done: the subscription is larger than any browser's.")
		return false
	case err != nil || json.Unmarshal(body, s) != nil:
		say(w, http.StatusBadRequest, "Nothing was done: the subscription did not arrive whole. Press the button again.")
		return false
	}
	return true
}

// say answers a script with one sentence for the person.
func say(w http.ResponseWriter, status int, message string) {
	body, err := json.Marshal(struct {
		Message string `json:"message"`
	}{message})
	if err != nil {
		panic(err) // a text can always be written
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// agent is what a browser calls itself, in words: "Firefox on Android". Many call themselves by the names of others too, so the
// order counts. Empty: it is none that we know.
func agent(header string) string {
	named := func(pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if strings.Contains(header, pairs[i]) {
				return pairs[i+1]
			}
		}
		return ""
	}
	browser := named("Edg", "Edge", "OPR/", "Opera", "SamsungBrowser/", "Samsung Internet", "Firefox/", "Firefox", "FxiOS/", "Firefox",
		"CriOS/", "Chrome", "Chrome/", "Chrome", "Safari/", "Safari", "AppleWebKit/", "Safari")
	system := named("iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "Mac OS X", "macOS", "CrOS", "ChromeOS", "Linux", "Linux")
	if browser == "" || system == "" {
		return browser + system
	}
	return browser + " on " + system
}
