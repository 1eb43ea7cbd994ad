package gossip

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"google.golang.org/protobuf/proto"

	"github.com/midwatch/midwatch/router"
)

// EncodeSilences writes silences as Alertmanager keeps and gossips them. The first matcher set stands in the place, too,
// where Alertmanagers before 0.32 look for the only one.
//
// What cannot be written is left out; the error names it.
func EncodeSilences(w io.Writer, all []router.Silence) error {
	return encode(w, all, func(s *router.Silence) proto.Message {
		m := meshSilence(s)
		if len(m.Silence.MatcherSets) > 0 {
			m.Silence.Matchers = m.Silence.MatcherSets[0].Matchers
		}
		return m
	})
}

// DecodeSilences reads silences, also those of old Alertmanagers, which have one set of matchers only, or a list of
// comments, of which the first counts.
//
// It returns what could be read; the error names what could not.
func DecodeSilences(r io.Reader) ([]router.Silence, error) {
	return decode(r, func(record []byte) (router.Silence, error) {
		var m silencepb.MeshSilence
		if err := proto.Unmarshal(record, &m); err != nil {
			return router.Silence{}, err
		}
		return silenceOf(&m)
	})
}

// SilenceSize is the size in bytes that Alertmanager's --silences.max-silence-size-bytes limits. The copy of the first
// matcher set, which is only there for old Alertmanagers, does not count.
func SilenceSize(s *router.Silence) int { return proto.Size(meshSilence(s)) }

// meshSilence is the silence on the wire, without the copy of its first matcher set.
func meshSilence(s *router.Silence) *silencepb.MeshSilence {
	return &silencepb.MeshSilence{
		ExpiresAt: stamp(s.ExpiresAt),
		Silence: &silencepb.Silence{
			Id:                  s.ID,
			MatcherSets:         wireSets(s.Matchers),
			ReceiverMatcherSets: wireSets(s.Receivers),
			StartsAt:            stamp(s.StartsAt),
			EndsAt:              stamp(s.EndsAt),
			UpdatedAt:           stamp(s.UpdatedAt),
			CreatedBy:           s.CreatedBy,
			Comment:             s.Comment,
			Annotations:         s.Annotations,
		},
	}
}

func silenceOf(m *silencepb.MeshSilence) (router.Silence, error) {
	w := m.GetSilence()
	if w.GetId() == "" {
		return router.Silence{}, errors.New("no silence with an ID")
	}
	s := router.Silence{ID: w.Id, CreatedBy: w.CreatedBy, Comment: w.Comment, Annotations: w.Annotations}
	if len(w.Comments) > 0 {
		s.CreatedBy, s.Comment = w.Comments[0].GetAuthor(), w.Comments[0].GetComment()
	}
	sets := w.MatcherSets
	if len(sets) == 0 && len(w.Matchers) > 0 {
		sets = []*silencepb.MatcherSet{{Matchers: w.Matchers}}
	}
	var errs [6]error
	s.Matchers, errs[0] = setsOf(sets)
	s.Receivers, errs[1] = setsOf(w.ReceiverMatcherSets)
	s.StartsAt, errs[2] = instant("start", w.StartsAt)
	s.EndsAt, errs[3] = instant("end", w.EndsAt)
	s.UpdatedAt, errs[4] = instant("update", w.UpdatedAt)
	s.ExpiresAt, errs[5] = instant("expiry", m.ExpiresAt)
	if err := cmp.Or(errs[:]...); err != nil {
		return router.Silence{}, fmt.Errorf("silence %q: %w", w.Id, err)
	}
	return s, nil
}

func wireSets(sets []router.MatcherSet) []*silencepb.MatcherSet {
	var wire []*silencepb.MatcherSet
	for _, set := range sets {
		w := &silencepb.MatcherSet{}
		for _, m := range set {
			w.Matchers = append(w.Matchers, &silencepb.Matcher{Type: wireType(m.Type), Name: m.Name, Pattern: m.Value})
		}
		wire = append(wire, w)
	}
	return wire
}

func setsOf(wire []*silencepb.MatcherSet) ([]router.MatcherSet, error) {
	var sets []router.MatcherSet
	for _, w := range wire {
		set := router.MatcherSet{}
		for _, m := range w.Matchers {
			kind, known := typeOf[m.Type]
			if !known {
				return nil, fmt.Errorf("its matcher of %q is of type %d, which this version does not know", m.Name, m.Type)
			}
			set = append(set, router.Matcher{Name: m.Name, Type: kind, Value: m.Pattern})
		}
		sets = append(sets, set)
	}
	return sets, nil
}

var typeOf = map[silencepb.Matcher_Type]labels.MatchType{
	silencepb.Matcher_EQUAL:      labels.MatchEqual,
	silencepb.Matcher_REGEXP:     labels.MatchRegexp,
	silencepb.Matcher_NOT_EQUAL:  labels.MatchNotEqual,
	silencepb.Matcher_NOT_REGEXP: labels.MatchNotRegexp,
}

// wireType panics for a type that is none: silences are checked when they are made.
func wireType(t labels.MatchType) silencepb.Matcher_Type {
	switch t {
	case labels.MatchEqual:
		return silencepb.Matcher_EQUAL
	case labels.MatchRegexp:
		return silencepb.Matcher_REGEXP
	case labels.MatchNotEqual:
		return silencepb.Matcher_NOT_EQUAL
	case labels.MatchNotRegexp:
		return silencepb.Matcher_NOT_REGEXP
	}
	panic(fmt.Sprintf("a matcher of type %d", t))
}
