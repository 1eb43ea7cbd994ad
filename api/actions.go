package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
)

// Act is the body of POST incidents/{id}/<verb>. Which members a verb takes is in actions.
type Act struct {
	By   string `json:"by"`             // who acts
	Note string `json:"note,omitempty"` // why, or what was found
	For  string `json:"for,omitempty"`  // how long to snooze, as 30m
	To   *To    `json:"to,omitempty"`   // whom to reassign to
	User string `json:"user,omitempty"` // whom to page as well
}

// To names one of the three.
type To struct {
	User     string `json:"user,omitempty"`
	Schedule string `json:"schedule,omitempty"`
	Policy   string `json:"policy,omitempty"`
}

// actions are what can be done to an incident, and the members of the body beside by and note.
var actions = map[engine.Verb][]string{
	engine.Acknowledge:   {},
	engine.Unacknowledge: {},
	engine.Resolve:       {},
	engine.Escalate:      {},
	engine.Reassign:      {"to"},
	engine.Snooze:        {"for"},
	engine.AddNote:       {},
	engine.AddResponder:  {"user"},
	engine.StopMine:      {},
}

// postAction does something to an incident and answers the incident as it is then. 202 means that it was done in memory
// only; the member warning says so.
func (a *API) postAction(verb engine.Verb) http.HandlerFunc {
	members := append([]string{"by", "note"}, actions[verb]...)
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := a.view(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		var body Act
		if err := readAct(w, r, &body, members); err != nil {
			a.fail(w, r, err)
			return
		}
		act, err := body.action(verb, v.ID())
		if err != nil {
			a.fail(w, r, err)
			return
		}
		act.Via = via(r)
		done := a.o.Engine.Do(r.Context(), act)
		if done.Err == nil && body.Note != "" && verb != engine.AddNote && verb != engine.Resolve {
			// The engine keeps words only where they are the point; here they go beside.
			done.Err = a.o.Engine.Do(r.Context(), engine.Action{Verb: engine.AddNote, Incident: act.Incident, By: act.By, Via: act.Via, Text: body.Note}).Err
			if done.Err != nil && !errors.Is(done.Err, engine.ErrUnsaved) {
				a.acted(w, r, http.StatusAccepted, engine.View{Incident: done.Incident}, "it is done, but the note was not kept: "+done.Err.Error())
				return
			}
		}
		a.done(w, r, http.StatusOK, done)
	}
}

// done answers what became of an incident by what was asked for: with status if it is done and on disk.
func (a *API) done(w http.ResponseWriter, r *http.Request, status int, done engine.Answer) {
	switch {
	case errors.Is(done.Err, engine.ErrUnsaved):
		a.acted(w, r, http.StatusAccepted, engine.View{Incident: done.Incident}, done.Err.Error())
	case done.Err != nil:
		a.fail(w, r, done.Err)
	default:
		a.acted(w, r, status, engine.View{Incident: done.Incident}, "")
	}
}

func (a *API) acted(w http.ResponseWriter, r *http.Request, status int, done engine.View, warning string) {
	if now, err := a.o.Engine.Incident(r.Context(), done.Number); err == nil {
		done = now
	}
	out := a.incident(done)
	out.Warning = warning
	answer(w, r, status, out)
}

// via is by what way somebody acts: our own command line says who it is.
func via(r *http.Request) string {
	if strings.HasPrefix(r.UserAgent(), "midwatch/") {
		return "cli"
	}
	return "api"
}

func (b Act) action(verb engine.Verb, id string) (engine.Action, error) {
	act := engine.Action{Verb: verb, Incident: id, By: b.By, Text: b.Note, User: b.User}
	switch verb {
	case engine.Snooze:
		var err error
		if act.For, err = parseDuration(b.For); err != nil {
			return act, invalid("for", "for is how long to snooze, such as 30m or 1h30m: %s", err)
		}
	case engine.Reassign:
		switch to := b.To; {
		case to == nil, *to == To{}:
			return act, invalid("to", `say to whom: {"to":{"user":"bo"}}, or a schedule, or a policy`)
		case *to == To{User: to.User}, *to == To{Schedule: to.Schedule}:
			act.To = &escalation.Target{User: to.User, Schedule: to.Schedule}
		case *to == To{Policy: to.Policy}:
			act.Policy = to.Policy
		default:
			return act, invalid("to", "an incident goes to one user, one schedule or one policy; name one of them")
		}
	}
	return act, nil
}

// readAct reads a JSON object into v, which holds no members but the known ones. What is misspelt is refused: somebody
// who writes "not" for "note" in the night should hear of it.
func readAct(w http.ResponseWriter, r *http.Request, v any, known []string) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && media != "application/json" {
		return problem(http.StatusUnsupportedMediaType, "unsupported_media_type", "", "send JSON, with Content-Type: application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxActionBody))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return problem(http.StatusRequestEntityTooLarge, "too_large", "", fmt.Sprintf("the body is larger than %d bytes", maxActionBody))
	case err != nil:
		return invalid("", "the body did not arrive whole: %s", err)
	}
	if f := checkDepth(body); f != nil {
		return invalid("", "%s", f.message)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return invalid("", "the body is no JSON object: %s", err)
	}
	if err := checkMembers("", members, known); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return mistyped(err, members)
	}
	return nil
}

// checkMembers refuses the first member, in order of name, that is not known.
func checkMembers(inside string, members map[string]json.RawMessage, known []string) error {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, name) {
			return invalid(inside+shorten(name), "%q is no member here%s", inside+shorten(name), suggest(name, known))
		}
	}
	return nil
}

// mistyped says which member has the wrong type, or that an inner one is not known.
func mistyped(err error, members map[string]json.RawMessage) error {
	var said *Problem
	if errors.As(err, &said) {
		return said
	}
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return invalid(mismatch.Field, "%s must be %s", mismatch.Field, article(mismatch.Type.Kind().String(), mismatch.Value))
	}
	var to map[string]json.RawMessage
	if json.Unmarshal(members["to"], &to) == nil {
		if err := checkMembers("to.", to, []string{"user", "schedule", "policy"}); err != nil {
			return err
		}
	}
	return invalid("", "the body cannot be read: %s", err)
}

func article(want, got string) string {
	words := map[string]string{"string": "a string", "struct": "an object", "map": "an object", "slice": "an array"}
	if w, ok := words[want]; ok {
		want = w
	}
	return want + ", not a " + got
}

// parseDuration reads a duration in Prometheus' form: 30s, 5m, 1h30m, 7d, 2w.
func parseDuration(s string) (time.Duration, error) {
	if s == "" {
		return 0, errors.New("it is absent")
	}
	if s == "0" {
		return 0, nil
	}
	units := []struct {
		name string
		span time.Duration
	}{
		{"y", 365 * 24 * time.Hour},
		{"w", 7 * 24 * time.Hour},
		{"d", 24 * time.Hour},
		{"h", time.Hour},
		{"ms", time.Millisecond},
		{"m", time.Minute},
		{"s", time.Second},
	}
	wrong := fmt.Errorf("%q is no duration", shorten(s))
	var total time.Duration
	smallest := time.Duration(math.MaxInt64)
	for rest := s; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, wrong
		}
		rest = rest[digits:]
		i := slices.IndexFunc(units, func(u struct {
			name string
			span time.Duration
		},
		) bool {
			return strings.HasPrefix(rest, u.name)
		})
		if i < 0 || units[i].span >= smallest { // each unit once, the largest first
			return 0, wrong
		}
		smallest = units[i].span
		if n > int64(math.MaxInt64/smallest) || total > math.MaxInt64-time.Duration(n)*smallest {
			return 0, fmt.Errorf("%q is too long", shorten(s))
		}
		total += time.Duration(n) * smallest
		rest = rest[len(units[i].name):]
	}
	return total, nil
}
