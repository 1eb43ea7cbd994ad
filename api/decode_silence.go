package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/midwatch/midwatch/router"
)

// decodeSilence reads a posted silence as Alertmanager does: the same bodies are accepted, and refused with the same
// words. What follows the silence is ignored, and so are members that nobody knows.
func decodeSilence(body []byte) (s router.Silence, f *fault) {
	if f := checkDepth(body); f != nil {
		return s, f
	}
	var p postedSilence
	switch err := json.NewDecoder(bytes.NewReader(body)).Decode(&p); {
	case errors.Is(err, io.EOF):
		return s, missingBody("silence")
	case err != nil:
		return s, &fault{http.StatusBadRequest, fmt.Sprintf("parsing silence body from %q failed, because %s", "", inUpstreamWords(err))}
	}
	if f := p.check(); f != nil {
		return s, f
	}
	set := make(router.MatcherSet, len(p.matchers))
	for i, m := range p.matchers {
		set[i] = m.matcher()
	}
	s = router.Silence{
		ID: p.id, Matchers: []router.MatcherSet{set}, StartsAt: time.Time(*p.startsAt).UTC(), EndsAt: time.Time(*p.endsAt).UTC(),
		CreatedBy: *p.createdBy, Comment: *p.comment, Annotations: p.annotations,
	}
	if s.EndsAt.After(endOfTime) { // only by its zone: no JSON can hold it
		s.EndsAt = endOfTime
	}
	return s, nil
}

// endOfTime is the last instant that RFC 3339 can write.
var endOfTime = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_999, time.UTC)

// postedSilence is a silence as it is written. What is nil was not.
type postedSilence struct {
	id                 string
	annotations        map[string]string
	comment, createdBy *string
	startsAt, endsAt   *dateTime
	matchers           []*postedMatcher
}

// postedMatcher is one of its matchers.
type postedMatcher struct {
	IsEqual *bool   `json:"isEqual"`
	IsRegex *bool   `json:"isRegex"`
	Name    *string `json:"name"`
	Value   *string `json:"value"`
}

// UnmarshalJSON reads the silence in two goes, as upstream does, into types of upstream's names: messages have them.
func (p *postedSilence) UnmarshalJSON(data []byte) error {
	var named struct {
		ID string `json:"id,omitempty"`
	}
	if err := json.Unmarshal(data, &named); err != nil {
		return err
	}
	type (
		LabelSet map[string]string
		Matcher  postedMatcher
		Matchers []*Matcher
		Silence  struct {
			Annotations LabelSet  `json:"annotations"`
			Comment     *string   `json:"comment"`
			CreatedBy   *string   `json:"createdBy"`
			EndsAt      *dateTime `json:"endsAt"`
			Matchers    Matchers  `json:"matchers"`
			StartsAt    *dateTime `json:"startsAt"`
		}
	)
	var s Silence
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*p = postedSilence{
		id: named.ID, annotations: s.Annotations, comment: s.Comment, createdBy: s.CreatedBy, startsAt: s.StartsAt, endsAt: s.EndsAt,
	}
	if s.Matchers != nil {
		p.matchers = make([]*postedMatcher, len(s.Matchers))
	}
	for i, m := range s.Matchers {
		p.matchers[i] = (*postedMatcher)(m)
	}
	return nil
}

// check is what Alertmanager's schema wants, in the order in which it looks: the first fault is the answer.
func (p *postedSilence) check() *fault {
	required := func(name string) *fault { return &fault{codeRequired, name + " in body is required"} }
	switch {
	case p.comment == nil:
		return required("comment")
	case p.createdBy == nil:
		return required("createdBy")
	case p.endsAt == nil:
		return required("endsAt")
	case p.matchers == nil:
		return required("matchers")
	case len(p.matchers) == 0:
		return &fault{codeTooFew, "matchers in body should have at least 1 items"}
	}
	void := -1
	for i, m := range p.matchers {
		in := fmt.Sprintf("matchers.%d", i)
		switch {
		case m == nil:
			void = i
		case m.IsRegex == nil:
			return required(in + ".isRegex")
		case m.Name == nil:
			return required(in + ".name")
		case m.Value == nil:
			return required(in + ".value")
		}
	}
	switch {
	case p.startsAt == nil:
		return required("startsAt")
	case void >= 0: // Alertmanager answers to a null by dropping the connection
		return required(fmt.Sprintf("matchers.%d", void))
	}
	return nil
}

// The types of a router.Matcher, in the order of their numbers.
const (
	matchEqual = iota
	matchNotEqual
	matchRegexp
	matchNotRegexp
)

// matcher is the matcher, once it was checked. One that does not say is positive.
func (m *postedMatcher) matcher() router.Matcher {
	out := router.Matcher{Name: *m.Name, Value: *m.Value}
	switch equal := m.IsEqual == nil || *m.IsEqual; {
	case equal && *m.IsRegex:
		out.Type = matchRegexp
	case *m.IsRegex:
		out.Type = matchNotRegexp
	case equal:
		out.Type = matchEqual
	default:
		out.Type = matchNotEqual
	}
	return out
}
