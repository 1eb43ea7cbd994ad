package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
)

// Silence is a silence as our API shows it. Times are UTC.
type Silence struct {
	ID                 string            `json:"id"`
	State              string            `json:"state"`                  // pending, active, expired
	Matchers           []string          `json:"matchers"`               // as in the configuration: service="db"; all must match
	MatcherSets        [][]string        `json:"matcher_sets,omitempty"` // where a peer's silence has several, one of which must match; Matchers is the first
	StartsAt           time.Time         `json:"starts_at"`
	EndsAt             time.Time         `json:"ends_at"`
	UpdatedAt          time.Time         `json:"updated_at"`
	CreatedBy          string            `json:"created_by"`
	Comment            string            `json:"comment"`
	Annotations        map[string]string `json:"annotations,omitempty"`
	ExpireWhenResolved bool              `json:"expire_when_resolved"` // it ends before its time with the last alert that it mutes
	Warning            string            `json:"warning,omitempty"`    // it was done, but …
}

// Silences is the list, in Alertmanager's order.
type Silences struct {
	Silences []Silence `json:"silences"`
}

// Silencing is the body of POST silences: a new silence or, with an ID, a change of one. What a change leaves out stays
// as it was.
type Silencing struct {
	ID                 string            `json:"id,omitempty"`
	Matchers           []Condition       `json:"matchers,omitempty"`
	StartsAt           time.Time         `json:"starts_at,omitzero"` // absent: now
	EndsAt             time.Time         `json:"ends_at,omitzero"`
	For                string            `json:"for,omitempty"` // in place of EndsAt: from the start on, or from now on if that has passed
	By                 string            `json:"by,omitempty"`  // who acts
	CreatedBy          string            `json:"created_by,omitempty"`
	Comment            string            `json:"comment,omitempty"`
	Annotations        map[string]string `json:"annotations,omitempty"`
	ExpireWhenResolved *bool             `json:"expire_when_resolved,omitempty"`
}

// Condition is one matcher in a body: a string as in the configuration, or an object as Alertmanager's API shows it.
type Condition struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex,omitempty"`
	IsEqual *bool  `json:"isEqual,omitempty"` // absent: true

	text string // the string
}

// UnmarshalJSON reads either form.
func (c *Condition) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &c.text) == nil && c.text != "" {
		return nil
	}
	type object Condition
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode((*object)(c)); err != nil || c.Name == "" {
		return invalid("matchers", `%s is no matcher; write "service=\"db\"", or {"name":"service","value":"db","isRegex":false,"isEqual":true}`, shorten(string(data)))
	}
	return nil
}

// readMatchers makes of the conditions what a silence has.
func readMatchers(all []Condition) ([]router.MatcherSet, error) {
	if len(all) == 0 {
		return nil, invalid("matchers", `say which alerts: {"matchers":["service=\"db\""]}`)
	}
	var out router.MatcherSet
	for _, c := range all {
		if c.text == "" {
			out = append(out, (&postedMatcher{c.IsEqual, &c.IsRegex, &c.Name, &c.Value}).matcher())
			continue
		}
		parsed, err := router.ParseMatchers([]string{c.text}, "api")
		if err != nil {
			return nil, invalid("matchers", "%q cannot be read: %s", shorten(c.text), err)
		}
		out = append(out, parsed...)
	}
	sets := []router.MatcherSet{out}
	probe := router.Silence{Matchers: sets, StartsAt: time.Unix(0, 0), EndsAt: time.Unix(1, 0)}
	if err := router.CheckSilence(&probe); err != nil {
		return nil, invalid("matchers", "%s", err)
	}
	return sets, nil
}

// expressions are matchers as they are written in the configuration.
func expressions(m router.MatcherSet) []string {
	out := make([]string, len(m))
	for i := range m {
		out[i] = m[i].String()
	}
	return out
}

func showSilence(s router.Silence, now time.Time) Silence {
	out := Silence{
		ID: s.ID, State: string(s.State(now)), Matchers: []string{}, StartsAt: s.StartsAt.UTC(), EndsAt: s.EndsAt.UTC(),
		UpdatedAt: s.UpdatedAt.UTC(), CreatedBy: s.CreatedBy, Comment: s.Comment, Annotations: s.Annotations,
		ExpireWhenResolved: s.Annotations[router.ExpireWhenResolved] == "true",
	}
	for i, m := range s.Matchers {
		if i == 0 {
			out.Matchers = expressions(m)
		}
		if len(s.Matchers) > 1 {
			out.MatcherSets = append(out.MatcherSets, expressions(m))
		}
	}
	return out
}

func (a *API) listSilences(w http.ResponseWriter, r *http.Request) {
	v, err := params(r, "state", "matcher")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	known := []string{string(router.SilenceActive), string(router.SilencePending), string(router.SilenceExpired)}
	wantedStates := split(v["state"])
	if len(wantedStates) == 0 {
		wantedStates = known
	}
	states := map[router.SilenceState]bool{}
	for _, s := range wantedStates {
		if !slices.Contains(known, s) {
			a.fail(w, r, invalid("state", "%q is no state of a silence%s", shorten(s), suggest(s, known)))
			return
		}
		states[router.SilenceState(s)] = true
	}
	wanted, err := silenceFilter(v["matcher"])
	if err != nil {
		a.fail(w, r, invalid("matcher", "%s", err))
		return
	}
	now := a.o.Now()
	found := a.silences(states, wanted, now)
	sortSilences(found, now)
	out := Silences{Silences: []Silence{}}
	for _, s := range found {
		out.Silences = append(out.Silences, showSilence(s, now))
	}
	answer(w, r, http.StatusOK, out)
}

// named is the silence in the path.
func (a *API) named(r *http.Request) (router.Silence, error) {
	id := r.PathValue("id")
	s, ok := a.o.Engine.Router().Silence(id)
	if !ok {
		return s, noSilence(id)
	}
	return s, nil
}

func noSilence(id string) error {
	return missing("id", "there is no silence %q; it may have been forgotten since it ended", shorten(id))
}

func (a *API) showOneSilence(w http.ResponseWriter, r *http.Request) {
	if _, err := params(r); err != nil {
		a.fail(w, r, err)
		return
	}
	s, err := a.named(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, r, http.StatusOK, showSilence(s, a.o.Now()))
}

func (a *API) makeSilence(w http.ResponseWriter, r *http.Request) {
	var body Silencing
	if err := readAct(w, r, &body, []string{
		"id", "matchers", "starts_at", "ends_at", "for", "by", "created_by", "comment", "annotations", "expire_when_resolved",
	}); err != nil {
		a.fail(w, r, err)
		return
	}
	s, err := a.silencing(body)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	status := http.StatusCreated
	if body.ID != "" {
		status = http.StatusOK
	}
	done := a.o.Engine.Do(r.Context(), engine.SetSilence{Silence: s, By: cmp.Or(somebody(body.By), somebody(body.CreatedBy))})
	a.silenced(w, r, status, s.ID, done)
}

// silenced answers what became of a silence.
func (a *API) silenced(w http.ResponseWriter, r *http.Request, status int, id string, done engine.Answer) {
	switch err := done.Err; {
	case errors.Is(err, router.ErrNoSilence):
		a.fail(w, r, noSilence(id))
	case errors.Is(err, engine.ErrUnsaved):
		out := showSilence(done.Silence, a.o.Now())
		out.Warning = err.Error()
		answer(w, r, http.StatusAccepted, out)
	case err != nil:
		a.fail(w, r, err)
	default:
		answer(w, r, status, showSilence(done.Silence, a.o.Now()))
	}
}

// silencing is the silence that a body asks for.
func (a *API) silencing(b Silencing) (s router.Silence, err error) {
	b.By, b.CreatedBy = somebody(b.By), somebody(b.CreatedBy)
	if err := signed(cmp.Or(b.By, b.CreatedBy)); err != nil {
		return s, err
	}
	if b.ID != "" {
		var known bool
		if s, known = a.o.Engine.Router().Silence(b.ID); !known {
			return s, noSilence(b.ID)
		}
	}
	if b.ID == "" || b.Matchers != nil {
		if s.Matchers, err = readMatchers(b.Matchers); err != nil {
			return s, err
		}
	}
	s.CreatedBy, s.Comment = cmp.Or(b.CreatedBy, somebody(s.CreatedBy), b.By), cmp.Or(b.Comment, s.Comment)
	s.Annotations = annotated(s.Annotations, b)
	if err = b.times(&s, a.o.Now()); err != nil {
		return s, err
	}
	if err := checkSize(&s); err != nil {
		return s, invalid("", "%s", err)
	}
	return s, nil
}

func annotated(before map[string]string, b Silencing) map[string]string {
	after := maps.Clone(before)
	if b.Annotations != nil {
		after = maps.Clone(b.Annotations)
	}
	switch {
	case b.ExpireWhenResolved == nil:
	case *b.ExpireWhenResolved && after == nil:
		after = map[string]string{router.ExpireWhenResolved: "true"}
	case *b.ExpireWhenResolved:
		after[router.ExpireWhenResolved] = "true"
	default:
		delete(after, router.ExpireWhenResolved)
	}
	return after
}

// times gives the silence its start and end.
func (b Silencing) times(s *router.Silence, now time.Time) error {
	switch {
	case !b.StartsAt.IsZero():
		s.StartsAt = b.StartsAt.UTC()
	case s.StartsAt.IsZero():
		s.StartsAt = now
	}
	switch {
	case b.For != "" && !b.EndsAt.IsZero():
		return invalid("for", "say until when or for how long, not both: leave out ends_at or for")
	case b.For != "":
		length, err := parseDuration(b.For)
		if err != nil || length <= 0 {
			return invalid("for", "for is how long to silence, such as 30m, 2h or 1d, not %q", shorten(b.For))
		}
		s.EndsAt = later(s.StartsAt, now).Add(length)
	case !b.EndsAt.IsZero():
		s.EndsAt = b.EndsAt.UTC()
	case s.EndsAt.IsZero():
		return invalid("for", `say for how long: "for":"2h", or until when: "ends_at":"2026-11-22T03:00:00Z"`)
	}
	if s.EndsAt.After(endOfTime) {
		s.EndsAt = endOfTime
	}
	switch {
	case !s.EndsAt.After(s.StartsAt):
		return invalid("ends_at", "it would end (%s) before it starts (%s)", s.EndsAt.Format(time.RFC3339), s.StartsAt.Format(time.RFC3339))
	case !s.EndsAt.After(now):
		return invalid("ends_at", "its end (%s) has passed; say a later one, or for how long", s.EndsAt.Format(time.RFC3339))
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// endSilence ends a silence now. Who asks is in the query, since a DELETE has no body.
func (a *API) endSilence(w http.ResponseWriter, r *http.Request) {
	by, err := who(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	id := r.PathValue("id")
	a.silenced(w, r, http.StatusOK, id, a.o.Engine.Do(r.Context(), engine.ExpireSilence{ID: id, By: by}))
}

// signed says who is missing where a body's "by" names nobody.
func signed(by string) error {
	if somebody(by) == "" {
		return invalid("by", `say who you are: "by" is empty`)
	}
	return nil
}

// somebody is a name as it was sent, and empty where it is of blanks: that is nobody.
func somebody(name string) string {
	if strings.TrimSpace(name) == "" {
		return ""
	}
	return name
}

// who is the one who asks, where the query says it.
func who(r *http.Request) (string, error) {
	v, err := params(r, "by")
	if err == nil && somebody(v.Get("by")) == "" {
		err = invalid("by", "say who you are: add ?by=<you>")
	}
	return v.Get("by"), err
}

// Muted is what a silence keeps quiet.
type Muted struct {
	Count  int     `json:"count"`
	Alerts []Alert `json:"alerts"` // at most 100, those that fire longest first
}

// Preview is the body of POST silences/preview.
type Preview struct {
	Matchers []Condition `json:"matchers"`
}

// getMuted answers which of the alerts that fire a silence mutes now: none unless it is active.
func (a *API) getMuted(w http.ResponseWriter, r *http.Request) {
	if _, err := params(r); err != nil {
		a.fail(w, r, err)
		return
	}
	s, err := a.named(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	now := a.o.Now()
	if s.State(now) != router.SilenceActive {
		answer(w, r, http.StatusOK, Muted{Alerts: []Alert{}})
		return
	}
	answer(w, r, http.StatusOK, a.muted(s, now))
}

// postPreview answers which of the alerts that fire a silence with these matchers would mute.
func (a *API) postPreview(w http.ResponseWriter, r *http.Request) {
	var body Preview
	if err := readAct(w, r, &body, []string{"matchers"}); err != nil {
		a.fail(w, r, err)
		return
	}
	sets, err := readMatchers(body.Matchers)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, r, http.StatusOK, a.muted(router.Silence{Matchers: sets}, a.o.Now()))
}

func (a *API) muted(s router.Silence, now time.Time) Muted {
	matches := s.Matching()
	var found []*router.Alert
	for al := range a.o.Engine.Router().Alerts().All() {
		if !al.Ended && !al.ResolvedAt(now) && matches(al.Labels) {
			found = append(found, al)
		}
	}
	slices.SortFunc(found, func(x, y *router.Alert) int {
		return cmp.Or(x.StartsAt.Compare(y.StartsAt), x.Labels.Compare(y.Labels))
	})
	out := Muted{Count: len(found), Alerts: []Alert{}}
	for _, al := range found[:min(len(found), maxMuted)] {
		out.Alerts = append(out.Alerts, showAlert(al, false))
	}
	return out
}
