package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
)

// Swap is time on call that one user asks another to take, perhaps for some of theirs. Accepted, it becomes overrides.
type Swap struct {
	ID       string    `json:"id"` // SWAP-1
	Schedule string    `json:"schedule"`
	User     string    `json:"user"` // who asks; their time in [From, To) is to be With's
	With     string    `json:"with"` // who is asked; their time in [ForFrom, ForTo) is to be User's
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	ForFrom  time.Time `json:"for_from,omitzero"`
	ForTo    time.Time `json:"for_to,omitzero"`

	// When they are on call in these times, as it was when the swap was asked for.
	Gives []oncall.Stretch `json:"gives"`
	Takes []oncall.Stretch `json:"takes"`

	State     string    `json:"state"` // open, accepted, declined, cancelled or expired
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	ClosedBy  string    `json:"closed_by,omitempty"`
	ClosedAt  time.Time `json:"closed_at,omitzero"`
	Overrides []string  `json:"overrides,omitempty"` // what it became
	Warning   string    `json:"warning,omitempty"`   // it was done, but …
	Warnings  []string  `json:"warnings,omitempty"`  // what to think of again
}

// Swaps is the list, the newest first.
type Swaps struct {
	Swaps []Swap `json:"swaps"`
}

// Swapping is the body of POST swaps. From and To are both instants, or both wall times of the schedule's zone, and so
// are ForFrom and ForTo.
type Swapping struct {
	By       string `json:"by"`
	Schedule string `json:"schedule"`
	User     string `json:"user"`
	With     string `json:"with"`
	From     string `json:"from"`
	To       string `json:"to"`
	ForFrom  string `json:"for_from,omitempty"`
	ForTo    string `json:"for_to,omitempty"`
}

// Consent is the body of POST swaps/{id}/{accept|decline|cancel}.
type Consent struct {
	By string `json:"by"`
}

func showSwap(s engine.Swap) Swap {
	out := Swap{
		ID: s.ID(), Schedule: s.Schedule, User: s.User, With: s.With, From: s.From, To: s.To, ForFrom: s.ForFrom, ForTo: s.ForTo,
		Gives: s.Gives, Takes: s.Takes, State: string(s.State), CreatedBy: s.CreatedBy, CreatedAt: s.CreatedAt.UTC(),
		ClosedBy: s.ClosedBy, ClosedAt: s.ClosedAt.UTC(), Overrides: s.Overrides,
	}
	if out.Takes == nil {
		out.Takes = []oncall.Stretch{}
	}
	return out
}

// getSwaps lists swaps: all that are kept, or those in a state, of a schedule, or of a user on either side.
func (a *API) getSwaps(w http.ResponseWriter, r *http.Request) {
	v, err := params(r, "state", "schedule", "user")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	var states []string
	for _, state := range strings.FieldsFunc(strings.Join(v["state"], ","), func(c rune) bool { return c == ',' }) {
		if !slices.Contains(engine.SwapStates, engine.SwapState(state)) {
			a.fail(w, r, invalid("state", "state is open, accepted, declined, cancelled or expired, not %q", shorten(state)))
			return
		}
		states = append(states, state)
	}
	out := Swaps{Swaps: []Swap{}}
	for _, s := range a.o.Engine.Swaps() {
		switch user := v.Get("user"); {
		case len(states) > 0 && !slices.Contains(states, string(s.State)):
		case v.Get("schedule") != "" && s.Schedule != v.Get("schedule"):
		case user != "" && user != s.User && user != s.With:
		default:
			out.Swaps = append(out.Swaps, showSwap(s))
		}
	}
	answer(w, r, http.StatusOK, out)
}

func (a *API) postSwap(w http.ResponseWriter, r *http.Request) {
	var body Swapping
	if err := readAct(w, r, &body, []string{"by", "schedule", "user", "with", "from", "to", "for_from", "for_to"}); err != nil {
		a.fail(w, r, err)
		return
	}
	s, err := a.swap(body)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.swapped(w, r, http.StatusCreated, a.o.Engine.Do(r.Context(), engine.RequestSwap{Swap: s}))
}

func (a *API) swap(b Swapping) (s engine.Swap, err error) {
	s = engine.Swap{Schedule: b.Schedule, User: b.User, With: b.With, CreatedBy: b.By}
	if err := signed(b.By); err != nil {
		return s, err
	}
	schedule := a.o.Engine.Schedule(b.Schedule)
	if schedule == nil {
		p := a.noSchedule("schedule", b.Schedule)
		return s, invalid("schedule", "%s", p)
	}
	for _, one := range []struct{ field, name string }{{"user", b.User}, {"with", b.With}} {
		if err := a.checkUser(one.field, one.name); err != nil {
			return s, err
		}
	}
	zone := schedule.Spec().Zone
	given, err := readRange("from", b.From, "to", b.To, "the schedule")
	if err == nil {
		err = given.check(zone)
	}
	if err != nil {
		return s, err
	}
	s.From, s.To = given.in(zone)
	if b.ForFrom == "" && b.ForTo == "" {
		return s, nil
	}
	asked, err := readRange("for_from", b.ForFrom, "for_to", b.ForTo, "the schedule")
	s.ForFrom, s.ForTo = asked.in(zone)
	return s, err
}

// postConsent accepts, declines or cancels a swap.
func (a *API) postConsent(verb engine.SwapVerb) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body Consent
		if err := readAct(w, r, &body, []string{"by"}); err != nil {
			a.fail(w, r, err)
			return
		}
		if err := signed(body.By); err != nil {
			a.fail(w, r, err)
			return
		}
		a.swapped(w, r, http.StatusOK, a.o.Engine.Do(r.Context(), engine.SettleSwap{ID: r.PathValue("id"), Verb: verb, By: body.By}))
	}
}

// swapped answers what became of a swap.
func (a *API) swapped(w http.ResponseWriter, r *http.Request, status int, done engine.Answer) {
	out := showSwap(done.Swap)
	out.Warnings = done.Warnings
	a.changed(w, r, status, &out, &out.Warning, done.Err)
}
