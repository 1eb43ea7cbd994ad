package api

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
)

// getSilences answers GET /api/v2/silences: those that hold, by their end; those to come, by their start; those that are
// over, the latest first.
func (a *API) getSilences(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	wanted, err := silenceFilter(v["filter"])
	if err != nil {
		sayBare(w, r, http.StatusBadRequest, err.Error())
		return
	}
	states := map[router.SilenceState]bool{
		router.SilenceActive: flag(v, "active"), router.SilencePending: flag(v, "pending"), router.SilenceExpired: flag(v, "expired"),
	}
	now := a.o.Now()
	found := a.silences(states, wanted, now)
	if i := slices.IndexFunc(found, func(s router.Silence) bool { return len(s.Matchers) > 1 }); i >= 0 {
		sayBare(w, r, http.StatusInternalServerError, severalSets(found[i]))
		return
	}
	sortSilences(found, now)
	s := newStream(w)
	s.raw("[")
	for i := range found {
		if i > 0 {
			s.raw(",")
		}
		s.silence(&found[i], now)
		if s.lost() {
			return
		}
	}
	s.raw("]\n")
	s.end()
}

// silences are those in one of the states that have the wanted matchers, in the order in which we learned of them.
func (a *API) silences(states map[router.SilenceState]bool, wanted []router.Matcher, now time.Time) (found []router.Silence) {
	for _, s := range a.o.Engine.Router().Silences() {
		if states[s.State(now)] && has(s, wanted) {
			found = append(found, s)
		}
	}
	return found
}

// silenceFilter reads matchers that a silence must have. They are compared with its own, and with no labels.
func silenceFilter(expressions []string) ([]router.Matcher, error) {
	if err := checkFilter(expressions); err != nil {
		return nil, err
	}
	wanted := make([]router.Matcher, len(expressions))
	for i, e := range expressions {
		var err error
		if wanted[i], err = router.ParseMatcher(e, "api"); err != nil {
			return nil, err
		}
	}
	return wanted, nil
}

// has reports whether one of the silence's sets of matchers has all that are wanted.
func has(s router.Silence, wanted []router.Matcher) bool {
	return slices.ContainsFunc(s.Matchers, func(set router.MatcherSet) bool {
		return !slices.ContainsFunc(wanted, func(m router.Matcher) bool { return !slices.Contains(set, m) })
	})
}

// sortSilences puts them into Alertmanager's order. Where it has none they stay as they are.
func sortSilences(all []router.Silence, now time.Time) {
	rank := map[router.SilenceState]int{router.SilenceActive: 1, router.SilencePending: 2, router.SilenceExpired: 3}
	slices.SortStableFunc(all, func(x, y router.Silence) int {
		state := x.State(now)
		if c := cmp.Compare(rank[state], rank[y.State(now)]); c != 0 {
			return c
		}
		switch state {
		case router.SilenceActive:
			return x.EndsAt.Compare(y.EndsAt)
		case router.SilencePending:
			return x.StartsAt.Compare(y.StartsAt)
		default:
			return y.EndsAt.Compare(x.EndsAt)
		}
	})
}

// severalSets is what Alertmanager says of a silence that its API cannot show.
func severalSets(s router.Silence) string {
	return fmt.Sprintf("silence '%s' has multiple matcher sets which is not supported by this API version", s.ID)
}

// getSilence answers GET /api/v2/silence/{silenceID}.
func (a *API) getSilence(w http.ResponseWriter, r *http.Request) {
	id, f := silenceID(r)
	if f != nil {
		f.serve(w, r)
		return
	}
	found, ok := a.o.Engine.Router().Silence(id)
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case len(found.Matchers) > 1:
		sayBare(w, r, http.StatusInternalServerError, severalSets(found))
	default:
		s := newStream(w)
		s.silence(&found, a.o.Now())
		s.raw("\n")
		s.end()
	}
}

// deleteSilence answers DELETE /api/v2/silence/{silenceID}: the silence ends now, and is kept to be seen.
func (a *API) deleteSilence(w http.ResponseWriter, r *http.Request) {
	id, f := silenceID(r)
	if f != nil {
		f.serve(w, r)
		return
	}
	switch err := a.o.Engine.Do(r.Context(), engine.ExpireSilence{ID: id}).Err; {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, router.ErrNoSilence):
		w.WriteHeader(http.StatusNotFound)
	default:
		a.unwell(err, askAgain).serve(w, r)
	}
}

const askAgain = "the request ended before the silence was on disk; look whether it is there before you send it again"

// postSilence answers POST /api/v2/silences: a new silence, or a change of the one whose ID it has. The ID that is
// answered is another one where the change would rewrite history.
func (a *API) postSilence(w http.ResponseWriter, r *http.Request) {
	if !peekBody(r) {
		missingBody("silence").serve(w, r)
		return
	}
	var room arrival
	if !room.enter(&a.intake, r.ContentLength) {
		a.overloaded().serve(w, r)
		return
	}
	defer room.leave()
	end := hurry(w)
	body, f := readBodyInto(new(bytes.Buffer), &room, w, r, min(a.o.MaxBody, maxSilenceBody), "")
	end()
	if room.full {
		a.overloaded().serve(w, r)
		return
	}
	if f != nil {
		f.serve(w, r)
		return
	}
	s, f := decodeSilence(body)
	if f != nil {
		f.serve(w, r)
		return
	}
	if why := refusal(&s, a.o.Now()); why != "" {
		sayBare(w, r, http.StatusBadRequest, why)
		return
	}
	done := a.o.Engine.Do(r.Context(), engine.SetSilence{Silence: s, By: s.CreatedBy})
	var refused *engine.Error
	switch {
	case done.Err == nil:
		out := appendString([]byte(`{"silenceID":`), done.Silence.ID, true)
		writeJSON(w, r, http.StatusOK, append(out, "}\n"...))
	case errors.Is(done.Err, router.ErrNoSilence):
		sayBare(w, r, http.StatusNotFound, router.ErrNoSilence.Error())
	case errors.As(done.Err, &refused):
		sayBare(w, r, http.StatusBadRequest, refused.Message)
	default:
		a.unwell(done.Err, askAgain).serve(w, r)
	}
}

// refusal is why a silence is not taken: what Alertmanager's API says of its times, and then our limits. Empty: it may be.
func refusal(s *router.Silence, now time.Time) string {
	switch {
	case !s.StartsAt.Before(s.EndsAt):
		return "Failed to create silence: start time must be before end time"
	case s.EndsAt.Before(now):
		return "Failed to create silence: end time can't be in the past"
	}
	if err := checkSize(s); err != nil {
		return err.Error()
	}
	return ""
}

// checkSize keeps a silence within a record of the store, and its patterns within what may be compiled.
func checkSize(s *router.Silence) error {
	size := len(s.CreatedBy) + len(s.Comment)
	for name, value := range s.Annotations {
		size += len(name) + len(value)
	}
	for _, set := range s.Matchers {
		if len(set) > maxMatchers {
			return fmt.Errorf("the silence has %d matchers; at most %d are taken", len(set), maxMatchers)
		}
		for _, m := range set {
			if len(m.Value) > maxLabelBytes {
				return fmt.Errorf("the matcher of %q has a value of %d bytes; at most %d are taken", shorten(m.Name), len(m.Value), maxLabelBytes)
			}
			size += len(m.Name) + len(m.Value)
		}
	}
	if size > maxSilenceBytes {
		return fmt.Errorf("the silence has %d bytes of text; at most %d are taken", size, maxSilenceBytes)
	}
	return nil
}

// silenceID is the ID in the path. It must look like a UUID, in any of the forms that Alertmanager's framework takes
// for one.
func silenceID(r *http.Request) (string, *fault) {
	id := r.PathValue("silenceID")
	if !isUUID(id) {
		return id, &fault{codeInvalidType, fmt.Sprintf("silenceID in path must be of type uuid: %q", id)}
	}
	return id, nil
}

func isUUID(s string) bool {
	hex := func(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }
	const length = 36
	switch len(s) {
	case 32:
		return hex(s)
	case length + len("{}"): // what stands there is not looked at
		s = s[1 : len(s)-1]
	case length + len("urn:uuid:"):
		if !strings.EqualFold(s[:9], "urn:uuid:") {
			return false
		}
		s = s[9:]
	}
	return len(s) == length && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		hex(s[:8]) && hex(s[9:13]) && hex(s[14:18]) && hex(s[19:23]) && hex(s[24:])
}

// silence writes one silence, its members in the order of Alertmanager's generated code. Its times are in UTC.
func (s *stream) silence(x *router.Silence, now time.Time) {
	s.raw(`{"id":`)
	s.text(x.ID, true)
	s.raw(`,"status":{"state":"` + string(x.State(now)) + `"},"updatedAt":`)
	s.instant(x.UpdatedAt.UTC())
	if len(x.Annotations) > 0 {
		s.raw(`,"annotations":`)
		s.labels(router.LabelsOf(x.Annotations), true)
	}
	s.raw(`,"comment":`)
	s.text(x.Comment, true)
	s.raw(`,"createdBy":`)
	s.text(x.CreatedBy, true)
	s.raw(`,"endsAt":`)
	s.instant(x.EndsAt.UTC())
	s.raw(`,"matchers":[`)
	for i, m := range slices.Concat(x.Matchers...) {
		if i > 0 {
			s.raw(",")
		}
		s.matcher(m)
	}
	s.raw(`],"startsAt":`)
	s.instant(x.StartsAt.UTC())
	s.raw("}")
}

func (s *stream) matcher(m router.Matcher) {
	s.raw(fmt.Sprintf(`{"isEqual":%t,"isRegex":%t,"name":`,
		m.Type == matchEqual || m.Type == matchRegexp, m.Type == matchRegexp || m.Type == matchNotRegexp))
	s.text(m.Name, true)
	s.raw(`,"value":`)
	s.text(m.Value, true)
	s.raw("}")
}
