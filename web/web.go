// Package web shows people what goes on, and lets them act on it: pages that need no JavaScript, but for the one that
// subscribes a browser.
package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
)

// A Grant is what an acknowledge link allows, and to whom.
type Grant struct {
	Incident string // "INC-1"
	User     string // in whose name it acts

	Incidents []string // those of a message about several, in place of Incident
	Test      bool     // the link of a test page: there is nothing to do
}

// ErrExpired is what Options.Redeem wraps for a link that was genuine but is too old. Every other error means that the
// link is not one of ours.
var ErrExpired = errors.New("the link has expired")

// A Message is one entry of the outbox.
type Message struct {
	At      time.Time
	To      string // a person or a receiver
	Via     string // contact method or integration
	Subject string
	Body    string
	Link    string // the acknowledge page; empty: none
}

// Options are what the pages are made of.
type Options struct {
	Engine   *engine.Engine                                   // required
	Redeem   func(token string, now time.Time) (Grant, error) // what a link allows; nil: no link is good
	Outbox   func() []Message                                 // newest first; nil: there is no outbox page
	Channels func() []Channel                                 // how every way out has fared; nil: nobody knows
	Push     *Push                                            // nil: no browser can be subscribed
	User     func(*http.Request) string                       // whom the server authenticated; empty: nobody. nil: it does not
	News     *News                                            // who tells that something changed; nil: nobody does
	// Subscribe makes a calendar feed, and its secret address; nil: none can be made from pages.
	Subscribe func(context.Context, engine.CalendarFeed) (address string, done engine.Answer)
	// Running is the configuration that runs, and Propose says what another text would do; nil: there is no such page.
	Running func() Running
	Propose func(ctx context.Context, text string) Proposal
	// What only the process knows; nil: nothing is shown of it.
	Muted    func(routeID string) []string                                                         // the time intervals that mute a route now
	Simulate func(ctx context.Context, labels map[string]string, at time.Time) ([]Foreseen, error) // who would be paged for such an alert
	Facts    func() Facts
	Ending   <-chan struct{}  // closed when the server goes down: what streams must end. nil: never
	Prefix   string           // of all routes, for cookies; it must have been stripped from requests
	Version  string           // at the foot of the menu
	Dev      bool             // show the stories at /dev, to whoever changes the pages
	Now      func() time.Time // nil: time.Now
	Log      *zap.Logger      // nil: silent
}

// Pages answers everything that people look at: the pages of Shell.Menu with what is below them, /ack/<token> and /push/<token>, and
// the assets and news that they need. Every link and form in the pages is relative, so that they work below any route prefix; the
// prefix itself must have been stripped from the request.
type Pages struct {
	Options
	mux         *http.ServeMux
	pushTesting chan struct{} // one test page at a time is sent from pages
	streams     chan struct{} // so many pages are told the news at once
	gaps        gapsKnown
	simulating  chan struct{} // so many alerts are traced at once
}

// New returns the pages.
func New(o Options) *Pages {
	if o.Redeem == nil {
		o.Redeem = func(string, time.Time) (Grant, error) { return Grant{}, errors.New("no links are given out") }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.News == nil {
		o.News = new(News)
	}
	p := &Pages{Options: o, mux: http.NewServeMux(), pushTesting: make(chan struct{}, 1), streams: make(chan struct{}, maxStreams), simulating: make(chan struct{}, maxSimulating)}
	p.read("/static/{file}", p.asset)
	p.read("/events", p.events)
	p.read("/me", p.askMe)
	p.act("/me", p.setMe)
	p.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
			p.lost(w, r, "There is no such page", "The address is misspelt, or what it was about is gone. The menu leads to all pages.")
			return
		}
		http.NotFound(w, r) // a program, to which Alertmanager says this
	})
	if o.Dev {
		p.read("/dev", p.dev)
		p.read("/dev/{page}/{state}", p.story)
	}
	p.docPaths()
	p.configPaths()
	p.rotaPaths()
	p.alertPaths()
	p.nightPaths()
	p.mux.HandleFunc("/ack/{token}", p.ack)
	p.mux.HandleFunc("/ack/", p.ack) // a link that was cut or mangled
	if o.Push != nil {
		p.pushPaths()
	}
	return p
}

// read answers GET and HEAD of a path. Neither changes anything, ever.
func (p *Pages) read(path string, h http.HandlerFunc) { p.mux.HandleFunc(path, reading(h)) }

// act answers POST of a path, from pages of this site alone: other sites may not act through somebody's browser.
func (p *Pages) act(path string, h http.HandlerFunc) {
	c := http.NewCrossOriginProtection()
	c.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.nothingDone(w, r, http.StatusForbidden, "This came from a page of another site. Open Midwatch's own address, and do it there.")
	}))
	p.mux.Handle("POST "+path, c.Handler(h))
}

// ServeHTTP answers one request.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// reading lets GET and HEAD through.
func reading(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			refuseMethod(w, "GET, HEAD")
			return
		}
		h(w, r)
	}
}

func refuseMethod(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	http.Error(w, "This page takes "+allow+".", http.StatusMethodNotAllowed)
}

//go:embed templates
var files embed.FS

var (
	style     = must(files.ReadFile("templates/style.css"))
	templates = template.Must(template.New("").Funcs(template.FuncMap{
		"asset": func(name string) string { return "static/" + assetNames[name] },
		"pair":  func(page, of any) Pair { return Pair{page, of} },
		"in":    func(root string, row IncidentRow) rooted { return rooted{root, row} },
		"style": func() template.CSS { return template.CSS(strings.TrimSpace(string(style))) }, //nolint:gosec // our own file
	}).ParseFS(files, "templates/*.html"))

	// policy forbids everything but our one style sheet, known by its hash, and forms that post to where the page came
	// from. A page that a mail scanner, an extension or an alert's text tries to change stays what it is.
	policy = "default-src 'none'; style-src 'sha256-" + hash(strings.TrimSpace(string(style))) +
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err) // the file is part of the binary
	}
	return b
}

// render is the page as HTML.
func render(name string, view any) []byte {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, view); err != nil {
		panic(err) // our own templates and views, and a buffer that takes all
	}
	return b.Bytes()
}

func write(w http.ResponseWriter, r *http.Request, status int, page []byte) {
	writeUnder(policy, w, r, status, page)
}

// writeUnder is write with a page's own Content-Security-Policy.
func writeUnder(policy string, w http.ResponseWriter, r *http.Request, status int, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	if h.Get("Referrer-Policy") == "" {
		h.Set("Referrer-Policy", "no-referrer") // the address of an acknowledge page is a secret
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page) // whoever asked has gone: nothing to mend
	}
}
