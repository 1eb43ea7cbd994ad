package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// meCookie names the user that a browser acts as, where nobody is authenticated. It is a name and not a proof: whoever can
// reach the page could as well name another. Behind web.config's authentication it is not looked at.
const meCookie = "midwatch_me"

// longestMe is how long a name may be that somebody types, in bytes.
const longestMe = 60

// me is who looks at the page, and whether that is known for certain.
func (p *Pages) me(r *http.Request) (name string, known bool) {
	if p.User != nil {
		if name = p.User(r); name != "" {
			return name, true
		}
	}
	if c, err := r.Cookie(meCookie); err == nil {
		if name, err := url.QueryUnescape(c.Value); err == nil && goodName(name) {
			return name, false
		}
	}
	return "", false
}

func goodName(name string) bool {
	return name != "" && len(name) <= longestMe && strings.TrimSpace(name) == name && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// Me is the page that asks who somebody is, once: before the first action of a browser, or when they want to change it.
type Me struct {
	Shell
	People []Person
	Post   string   // where the answer goes, from the root
	Keep   []Hidden // what was asked for already
	Doing  string   // what waits for the answer, in words; empty: nothing
}

// A Person is one user, to be chosen.
type Person struct{ Name, FullName string }

// Hidden is one field of a form that waits.
type Hidden struct{ Name, Value string }

// acting says who does what was posted. Where nobody knows it asks, keeps the form, and returns false; the answer comes
// as the same form with the field "as". The form must have been read.
func (p *Pages) acting(w http.ResponseWriter, r *http.Request) (by string, ok bool) {
	if by, known := p.me(r); known {
		return by, true
	}
	if as := strings.TrimSpace(r.PostForm.Get("as")); goodName(as) {
		p.remember(w, r, as)
		return as, true
	}
	if by, _ := p.me(r); by != "" {
		return by, true
	}
	v := p.asking(r, "Who are you?")
	v.Post = strings.TrimPrefix(r.URL.Path, "/")
	v.Doing = "What you asked for is done as soon as you say who you are."
	for _, name := range slices.Sorted(keysOf(r.PostForm)) {
		if name == "as" {
			continue
		}
		for _, value := range r.PostForm[name] {
			v.Keep = append(v.Keep, Hidden{name, value})
		}
	}
	p.show(w, r, http.StatusOK, "me", v)
	return "", false
}

func keysOf(v url.Values) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range v {
			if !yield(k) {
				return
			}
		}
	}
}

func (p *Pages) asking(r *http.Request, title string) *Me {
	v := &Me{Shell: p.frame(r, "", title), Post: "me"}
	for _, u := range p.Engine.Config().Users {
		v.People = append(v.People, Person{u.Name, u.FullName})
	}
	slices.SortFunc(v.People, func(a, b Person) int { return strings.Compare(a.Name, b.Name) })
	return v
}

func (p *Pages) remember(w http.ResponseWriter, r *http.Request, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: meCookie, Value: url.QueryEscape(name), Path: p.path(), MaxAge: int(365 * 24 * time.Hour / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil,
	})
}

// askMe shows the page, setMe takes its answer.
func (p *Pages) askMe(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, "me", p.asking(r, "Who are you?"))
}

func (p *Pages) setMe(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	name := strings.TrimSpace(r.PostForm.Get("as"))
	if !goodName(name) {
		v := p.asking(r, "Who are you?")
		v.Said = &Said{Wrong: true, Text: "A name has 1 to 60 letters."}
		p.show(w, r, http.StatusBadRequest, "me", v)
		return
	}
	p.remember(w, r, name)
	p.back(w, r, returning(r, "./"), Said{Text: "What you do here is done as " + name + " from now on."})
}
