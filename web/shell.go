package web

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// A Shell is what every page has around its own part.
type Shell struct {
	Title string // of the window; the page's heading is its own
	Here  string // the entry of the menu that is this page, by its link; empty: none
	Root  string // what leads from this page to the first one: "", "../", "../../"
	Self  string // this page with its query, from the root: where an action leads back to

	Me       string   // who looks, as far as known; empty: nobody knows
	Known    bool     // Me was authenticated, and cannot be chosen
	Trouble  []string // why nobody should rely on what is here
	Said     *Said    // what the last action did; nil: nothing was done
	Live     string   // the topics of which the page wants news, separated by spaces; empty: it stays as it is
	Outbox   bool     // there is one
	Version  string
	Now      time.Time
	Zone     *time.Location // of whoever looks
	Building bool           // this is shown for whoever changes the pages
}

// A framed page has a Shell.
type framed interface{ shell() *Shell }

func (s *Shell) shell() *Shell { return s }

// Said is what an action did, in words, and the way back.
type Said struct {
	Text   string            `json:"text"`
	Wrong  bool              `json:"wrong,omitempty"`  // it was not done
	Undo   string            `json:"undo,omitempty"`   // where to post to undo it, from the root; empty: it cannot be undone
	Fields map[string]string `json:"fields,omitempty"` // what to post
}

// A Moment is an instant as a page shows it.
type Moment struct {
	At, now time.Time
	zone    *time.Location
}

// moment is the instant for this page's reader.
func (s *Shell) moment(t time.Time) Moment { return Moment{t, s.Now, s.Zone} }

// Moment is the instant for this page's reader, for templates.
func (s *Shell) Moment(t time.Time) Moment { return s.moment(t) }

// Stamp is the instant for programs.
func (m Moment) Stamp() string { return m.At.UTC().Format(time.RFC3339) }

// Clock is the instant on the reader's wall clock.
func (m Moment) Clock() string { return clock(m.At, m.now, m.zone) }

// Ago is how far away it is: "4 min ago", "in 4 min".
func (m Moment) Ago() string {
	if m.At.After(m.now) {
		return ahead(m.At, m.now)
	}
	return ago(m.At, m.now)
}

// IsZero reports whether there is no such instant.
func (m Moment) IsZero() bool { return m.At.IsZero() }

// A MenuEntry leads to one page.
type MenuEntry struct{ Link, Text, Key string } // Key: what is pressed after g

// Menu is the way to all pages, in parts.
func (s *Shell) Menu() [][]MenuEntry {
	menu := [][]MenuEntry{
		{{"./", "Now", "n"}, {"incidents", "Incidents", "i"}, {"alerts", "Alerts", "a"}, {"silences", "Silences", "s"}},
		{{"oncall", "On call", "o"}, {"policies", "Policies", "p"}, {"routes", "Routes", "r"}, {"slos", "SLOs", "l"}},
		{{"deliveries", "Deliveries", "d"}, {"config", "Configuration", "c"}, {"status", "Status", "t"}, {"docs", "Docs", "h"}},
	}
	if s.Outbox {
		menu[2] = append(menu[2], MenuEntry{"outbox", "Outbox", "x"})
	}
	return menu
}

// frame begins the shell of a page.
func (p *Pages) frame(r *http.Request, here, title string) Shell {
	me, known := p.me(r)
	s := Shell{
		Title: title, Here: here, Me: me, Known: known, Version: p.Version, Now: p.Now(), Zone: time.UTC,
		Outbox: p.Outbox != nil, Root: rootOf(r.URL.Path), Self: strings.TrimPrefix(r.URL.RequestURI(), "/"),
	}
	if zone, err := time.LoadLocation(p.Engine.Config().Users[me].TimeZone); err == nil {
		s.Zone = zone
	}
	if why := p.Engine.Trouble(); why != "" {
		s.Trouble = append(s.Trouble, "Nothing is being written to disk, and a restart would forget what happens meanwhile: "+why)
	}
	return s
}

// rootOf is the relative way from the path to the first page.
func rootOf(path string) string { return strings.Repeat("../", strings.Count(path, "/")-1) }

// sitePolicy is the Content-Security-Policy of all pages but those that a message leads to, which have less.
const sitePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// show answers with a page. What the last action said is shown once.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, name string, view framed) {
	s := view.shell()
	if s.Said == nil {
		if s.Said = said(r); s.Said != nil {
			http.SetCookie(w, &http.Cookie{Name: saidCookie, Path: p.path(), MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		}
	}
	page := render(name, view)
	w.Header().Set("Vary", "Accept-Encoding, HX-Request")
	if takesGzip(r) && len(page) > 1400 { // else it is one packet in any case
		page = compressed(page, gzip.BestSpeed)
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Referrer-Policy", "same-origin") // so that browsers say where a form comes from, see act
	writeUnder(sitePolicy, w, r, status, page)
}

// A Wrong is a page that could not be made, or an action that was not done: what is the matter, and what to do next.
type Wrong struct {
	Shell
	Heading string
	Told    []string
	Links   []MenuEntry // where to go on
}

// lost says that there is nothing here.
func (p *Pages) lost(w http.ResponseWriter, r *http.Request, heading string, told ...string) {
	v := &Wrong{Shell: p.frame(r, "", heading), Heading: heading, Told: told}
	p.show(w, r, http.StatusNotFound, "wrong", v)
}

// broken says that the page cannot be made now, and logs why.
func (p *Pages) broken(w http.ResponseWriter, r *http.Request, what string, err error) {
	if r.Context().Err() == nil {
		p.Log.Error("a page could not be made", zap.String("page", what), zap.Error(err))
	}
	v := &Wrong{Shell: p.frame(r, "", "Not now"), Heading: "This page cannot be shown now", Told: []string{
		"Midwatch is shutting down, or its disk is in trouble. Load this page again in a few seconds.",
		"If it stays so, look at the server's log, and call whoever else is on call.",
	}}
	p.show(w, r, http.StatusServiceUnavailable, "wrong", v)
}

// nothingDone says that an action was not taken, and why.
func (p *Pages) nothingDone(w http.ResponseWriter, r *http.Request, status int, why string) {
	const heading = "Nothing was done"
	p.show(w, r, status, "wrong", &Wrong{Shell: p.frame(r, "", heading), Heading: heading, Told: []string{why}})
}

const saidCookie = "midwatch_said"

// back leads to a page of ours, given from the root, after an action, and has it tell what was done. A program that asks
// with htmx is led there too.
func (p *Pages) back(w http.ResponseWriter, r *http.Request, to string, s Said) {
	s.Text = short(s.Text, 400)
	if text, err := json.Marshal(s); err == nil {
		http.SetCookie(w, &http.Cookie{
			Name: saidCookie, Value: base64.RawURLEncoding.EncodeToString(text), Path: p.path(), MaxAge: 60, HttpOnly: true,
			SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil,
		})
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", rootOf(r.URL.Path)+to) // relative: the route prefix is not ours to know
	w.WriteHeader(http.StatusSeeOther)
}

// returning is where the form that was posted wants to lead back to, or the place given: a page of ours, from the root.
func returning(r *http.Request, otherwise string) string {
	to := r.PostForm.Get("back")
	u, err := url.Parse(to)
	if to == "" || err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(to, "/") || strings.Contains(to, "\\") || strings.HasPrefix(u.Path, "..") {
		return otherwise
	}
	return to
}

// said reads what the last action said.
func said(r *http.Request) *Said {
	c, err := r.Cookie(saidCookie)
	if err != nil {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	s := new(Said)
	if err != nil || json.Unmarshal(text, s) != nil || s.Text == "" || strings.HasPrefix(s.Undo, "/") || strings.Contains(s.Undo, ":") {
		return nil
	}
	return s
}

// path is where our cookies belong.
func (p *Pages) path() string { return "/" + strings.Trim(p.Prefix, "/") }

// maxAction is how large a posted form may be: it holds a note or some matchers, and sometimes the configuration.
const maxAction = 1 << 20

// form reads what was posted; false: it has answered that this did not work.
func (p *Pages) form(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxAction)
	if err := r.ParseForm(); err != nil {
		p.nothingDone(w, r, http.StatusBadRequest, "The form did not arrive whole, or is larger than "+strconv.Itoa(maxAction>>20)+" MiB. Go back and press the button again.")
		return false
	}
	return true
}
