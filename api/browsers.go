package api

import (
	"context"
	"net/http"
	"time"
)

// Browser is one that gets a user's pages by web push.
type Browser struct {
	ID        string    `json:"id"`
	User      string    `json:"user"`
	Agent     string    `json:"agent,omitempty"` // what it is, in words: Firefox on Android
	Service   string    `json:"service"`         // the host of its push service; the rest of the address is a secret
	CreatedBy string    `json:"created_by"`      // who made the link by which it was subscribed
	CreatedAt time.Time `json:"created_at"`
	Warning   string    `json:"warning,omitempty"` // it was done, but …
}

// Browsers is the list, by the time of subscription.
type Browsers struct {
	Browsers []Browser `json:"browsers"`
}

// Inviting is the body of POST users/{name}/push-link.
type Inviting struct {
	By string `json:"by"` // who asks
}

// PushLink is an address that subscribes browsers to a user's pages.
type PushLink struct {
	User      string    `json:"user"`
	URL       string    `json:"url"` // a secret: who opens it can get the user's pages
	ExpiresAt time.Time `json:"expires_at"`
}

// Pushing is what the API can do about browsers. Its errors are for the client; an *engine.Error says what went wrong.
type Pushing struct {
	Link     func(user, by string) (PushLink, error)
	Browsers func(user string) ([]Browser, error)
	Forget   func(ctx context.Context, user, id, by string) (Browser, error)
}

// pushPath is where the links lead that subscribe browsers.
const pushPath = "/push/"

// pushing answers where there is no web push, or no such user.
func (a *API) pushing(w http.ResponseWriter, r *http.Request) (user string, ok bool) {
	user = r.PathValue("name")
	if a.o.Push == nil {
		a.fail(w, r, missing("", "this Midwatch pages no browsers"))
		return "", false
	}
	if p := a.checkUser("name", user); p != nil {
		a.fail(w, r, missing("name", "%s", p))
		return "", false
	}
	return user, true
}

func (a *API) getBrowsers(w http.ResponseWriter, r *http.Request) {
	if _, err := params(r); err != nil {
		a.fail(w, r, err)
		return
	}
	user, ok := a.pushing(w, r)
	if !ok {
		return
	}
	all, err := a.o.Push.Browsers(user)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, r, http.StatusOK, Browsers{Browsers: append([]Browser{}, all...)})
}

func (a *API) deleteBrowser(w http.ResponseWriter, r *http.Request) {
	by, err := who(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	user, ok := a.pushing(w, r)
	if !ok {
		return
	}
	out, err := a.o.Push.Forget(r.Context(), user, r.PathValue("id"), by)
	a.changed(w, r, http.StatusOK, &out, &out.Warning, err)
}

func (a *API) postPushLink(w http.ResponseWriter, r *http.Request) {
	user, ok := a.pushing(w, r)
	if !ok {
		return
	}
	var body Inviting
	if err := readAct(w, r, &body, []string{"by"}); err != nil {
		a.fail(w, r, err)
		return
	}
	if err := signed(body.By); err != nil {
		a.fail(w, r, err)
		return
	}
	link, err := a.o.Push.Link(user, body.By)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, r, http.StatusCreated, link)
}
