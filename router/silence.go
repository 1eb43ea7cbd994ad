package router

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
)

// A Silence says from when until when alerts that match are told to nobody. It is a value: what changes is another one
// with the same ID and a later UpdatedAt, so that of two the later is right wherever they meet.
type Silence struct {
	ID string `json:"id"` // a UUID

	// Matchers are sets, one of which must match with all that is in it. Alertmanager's API knows exactly one.
	Matchers []MatcherSet `json:"matchers"`
	// Receivers is what peers may say about the labels of receivers. As in Alertmanager 0.34 it is kept and passed on,
	// and not heeded.
	Receivers []MatcherSet `json:"receivers,omitempty"`

	// It holds from StartsAt until EndsAt, which is not in it. These are instants of the wall clock and stay what they
	// are when that clock is set.
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`

	UpdatedAt   time.Time         `json:"updated_at"`
	ExpiresAt   time.Time         `json:"expires_at"` // when it is forgotten: the retention after its end
	CreatedBy   string            `json:"created_by"`
	Comment     string            `json:"comment"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ExpireWhenResolved is the annotation, of value "true", by which a silence ends before its time: as soon as it has
// matched firing alerts while it held, and the last of them has resolved. Being an annotation it survives peers and
// clients that know nothing of it.
const ExpireWhenResolved = "expire_when_resolved"

// A MatcherSet matches what all its matchers match.
type MatcherSet []Matcher

// A Matcher is one condition on one label.
type Matcher struct {
	Name  string
	Type  labels.MatchType
	Value string
}

// ParseMatcher reads one matcher, as ParseMatchers does.
func ParseMatcher(text, origin string) (Matcher, error) {
	m, err := compat.Matcher(text, origin)
	if err != nil {
		return Matcher{}, err
	}
	return Matcher{m.Name, m.Type, m.Value}, nil
}

// ParseMatchers reads matchers as they are written in the configuration and sent by amtool, one or several in each text, by
// the process's matcher mode. origin says in the log where they come from.
func ParseMatchers(texts []string, origin string) (MatcherSet, error) {
	var set MatcherSet
	for _, text := range texts {
		parsed, err := compat.Matchers(text, origin)
		if err != nil {
			return nil, err
		}
		for _, m := range parsed {
			set = append(set, Matcher{m.Name, m.Type, m.Value})
		}
	}
	return set, nil
}

// String is the matcher as it is written in the configuration.
func (m Matcher) String() string {
	return (&labels.Matcher{Type: m.Type, Name: m.Name, Value: m.Value}).String()
}

// matcherForm is a Matcher's stored form. Its type is an operator: = != =~ !~.
type matcherForm struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// MarshalJSON writes {"name":…,"type":"=~","value":…}.
func (m Matcher) MarshalJSON() ([]byte, error) {
	return json.Marshal(matcherForm{m.Name, m.Type.String(), m.Value})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Matcher) UnmarshalJSON(data []byte) error {
	var f matcherForm
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	for _, t := range [...]labels.MatchType{labels.MatchEqual, labels.MatchNotEqual, labels.MatchRegexp, labels.MatchNotRegexp} {
		if t.String() == f.Type {
			*m = Matcher{f.Name, t, f.Value}
			return nil
		}
	}
	return fmt.Errorf("a matcher's type is %q; it must be =, !=, =~ or !~", f.Type)
}

// A SilenceState is where a silence stands at an instant.
type SilenceState string

// The states, in Alertmanager's words.
const (
	SilencePending SilenceState = "pending"
	SilenceActive  SilenceState = "active"
	SilenceExpired SilenceState = "expired"
)

// State says where the silence stands at t.
func (s *Silence) State(t time.Time) SilenceState {
	switch {
	case t.Before(s.StartsAt):
		return SilencePending
	case t.Before(s.EndsAt):
		return SilenceActive
	}
	return SilenceExpired
}

// ErrNoSilence says that there is no silence with the ID.
var ErrNoSilence = errors.New("silence not found")

// Matching returns a function that reports whether the silence is about an alert with these labels, at whatever time.
// Nothing is meant by one that cannot be read.
func (s *Silence) Matching() func(Labels) bool {
	c, err := compile(s)
	if err != nil {
		return func(Labels) bool { return false }
	}
	return c.matches
}

// endOfTime is the last instant that RFC 3339 can write.
var endOfTime = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_999, time.UTC)

// expiresAt is when a silence that ends then is forgotten.
func (r *Router) expiresAt(ends time.Time) time.Time {
	if at := ends.Add(r.opts.Retention); at.Before(endOfTime) {
		return at
	}
	return endOfTime
}

// SilenceAction is what became of a silence.
type SilenceAction string

// What can become of a silence.
const (
	SilenceCreated SilenceAction = "create"
	SilenceUpdated SilenceAction = "update"
	SilenceEnded   SilenceAction = "expire"
	SilenceMerged  SilenceAction = "merge"  // a peer's word
	SilenceDropped SilenceAction = "forget" // its retention is over
)

// SilenceChanged says that the silence must be stored under its ID, or, if dropped, is gone. All but dropped ones are
// news to peers.
type SilenceChanged struct {
	Silence Silence
	Action  SilenceAction
}

// SilencesTurned says that some silence began or ended to hold, whether by the passing of time or by somebody's word.
// Ended are those that ended.
type SilencesTurned struct {
	At    time.Time
	Ended []Silence
}

func (SilenceChanged) effect() {}
func (SilencesTurned) effect() {}

// SetSilence makes a silence, or changes the one whose ID it has, by Alertmanager's rules: what would rewrite history
// (other matchers, another start, anything about one that is over) ends the old one and makes a new one, which gets
// the given fresh id. It returns what holds now. The error is a sentence for the client; ErrNoSilence where it names an
// ID that nobody knows.
func (r *Router) SetSilence(s Silence, fresh string, now time.Time) (Silence, []Effect, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = now.Round(0)
	if s.StartsAt.IsZero() {
		s.StartsAt = now
	}
	if err := CheckSilence(&s); err != nil {
		return s, nil, fmt.Errorf("invalid silence: %w", err)
	}
	known := r.silences.byID[s.ID]
	if s.ID != "" && known == nil {
		return s, nil, ErrNoSilence
	}
	action := SilenceUpdated
	if known == nil || !known.Silence.allows(&s, now) {
		action = SilenceCreated
		if most := r.opts.MaxSilences; most > 0 && len(r.silences.byID)+1 > most {
			return s, nil, fmt.Errorf("exceeded maximum number of silences: %d (limit: %d)", len(r.silences.byID), most)
		}
		s.ID = fresh
		if s.StartsAt.Before(now) {
			s.StartsAt = now
		}
	}
	s.UpdatedAt, s.ExpiresAt = now, r.expiresAt(s.EndsAt)
	if action == SilenceUpdated {
		s.UpdatedAt = known.next(now)
	}
	if most := r.opts.MaxSilenceSize; most > 0 && r.opts.SilenceSize != nil {
		if size := r.opts.SilenceSize(&s); size > most {
			return s, nil, fmt.Errorf("silence exceeded maximum size: %d bytes (limit: %d bytes)", size, most)
		}
	}
	if action == SilenceCreated && known != nil && known.State(now) != SilenceExpired {
		r.endSilence(known, now)
	}
	if err := r.keepSilence(s, action, now); err != nil {
		return s, nil, fmt.Errorf("invalid silence: %w", err)
	}
	r.turned(now)
	return s, r.effects(), nil
}

// PutSilence takes in a silence whose ID is made by a rule, as those of recurring windows are: it is created, or
// replaced by a later word. One that is over already, and was known, stays over.
func (r *Router) PutSilence(s Silence, now time.Time) ([]Effect, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = now.Round(0)
	if err := CheckSilence(&s); err != nil {
		return nil, fmt.Errorf("invalid silence: %w", err)
	}
	action := SilenceCreated
	s.UpdatedAt, s.ExpiresAt = now, r.expiresAt(s.EndsAt)
	if known := r.silences.byID[s.ID]; known != nil {
		if known.State(now) == SilenceExpired {
			return nil, nil
		}
		action, s.UpdatedAt = SilenceUpdated, known.next(now)
	}
	if err := r.keepSilence(s, action, now); err != nil {
		return nil, fmt.Errorf("invalid silence: %w", err)
	}
	r.turned(now)
	return r.effects(), nil
}

// ExpireSilence ends a silence now. One that is over already stays as it is; ErrNoSilence where nobody knows it.
func (r *Router) ExpireSilence(id string, now time.Time) ([]Effect, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = now.Round(0)
	known := r.silences.byID[id]
	if known == nil {
		return nil, ErrNoSilence
	}
	r.endSilence(known, now)
	r.turned(now)
	return r.effects(), nil
}

// MergeSilences takes in what peers say. The later word counts; what is forgotten by now is no news, nor is what has no
// start or no end.
func (r *Router) MergeSilences(all []Silence, now time.Time) []Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = now.Round(0)
	for _, s := range all {
		if s.ExpiresAt.Before(now) || s.StartsAt.IsZero() || s.EndsAt.IsZero() {
			continue
		}
		if known := r.silences.byID[s.ID]; known != nil && !known.UpdatedAt.Before(s.UpdatedAt) {
			continue
		}
		if s.EndsAt.After(endOfTime) {
			continue // it could not be stored
		}
		if s.ExpiresAt.After(endOfTime) {
			s.ExpiresAt = endOfTime
		}
		_ = r.keepSilence(s, SilenceMerged, now) // one that cannot be compiled mutes nothing, and is no news
	}
	r.turned(now)
	return r.effects()
}

// Silences returns all silences, in the order in which we learned of them.
func (r *Router) Silences() []Silence {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]Silence, 0, len(r.silences.byID))
	for _, s := range r.silences.inOrder() {
		all = append(all, s.Silence)
	}
	return all
}

// Silence returns the silence with this ID, and whether there is one.
func (r *Router) Silence(id string) (Silence, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if s := r.silences.byID[id]; s != nil {
		return s.Silence, true
	}
	return Silence{}, false
}

// allows reports whether the silence may become the other one without a change of what was: by Alertmanager's rules.
func (s *Silence) allows(o *Silence, now time.Time) bool {
	if !sameSets(s.Matchers, o.Matchers) {
		return false
	}
	switch s.State(now) {
	case SilenceActive:
		return s.StartsAt.Unix() == o.StartsAt.Unix() && !o.EndsAt.Before(now)
	case SilencePending:
		return !o.StartsAt.Before(now)
	}
	return false
}

func sameSets(a, b []MatcherSet) bool {
	return slices.EqualFunc(a, b, func(a, b MatcherSet) bool { return slices.Equal(a, b) })
}

// next is when a new word about the silence is said: after all that was said before, though the clock of the peer who
// said it may be ahead of ours.
func (s *Silence) next(now time.Time) time.Time {
	if now.After(s.UpdatedAt) {
		return now
	}
	return s.UpdatedAt.Add(1)
}

// endSilence ends what is not over.
func (r *Router) endSilence(s *silence, now time.Time) {
	ended := s.Silence
	switch s.State(now) {
	case SilenceExpired:
		return
	case SilencePending:
		ended.StartsAt = now
	}
	ended.EndsAt, ended.UpdatedAt, ended.ExpiresAt = now, s.next(now), r.expiresAt(now)
	_ = r.keepSilence(ended, SilenceEnded, now) // it was compiled before
}

// keepSilence gives the silence its place.
func (r *Router) keepSilence(s Silence, action SilenceAction, now time.Time) error {
	c, err := compile(&s)
	if err != nil {
		return err
	}
	s.Annotations = maps.Clone(s.Annotations)
	r.silences.put(c)
	if c.obliging() && s.State(now) != SilenceExpired {
		r.watch(c)
	}
	r.sweep.begin(now) // some day it is forgotten
	r.emit(SilenceChanged{s, action})
	return nil
}

// turned tells of silences that began or ended to hold since it last did.
func (r *Router) turned(now time.Time) {
	if turned, ended := r.silences.turn(now); turned {
		r.emit(SilencesTurned{now, ended})
	}
}

// Unsilenced returns the groups that speak already, of the receivers that are wanted, in which alerts fire that one of
// these silences was about and that nothing mutes now: each as if it spoke now, with all that fires in it and is not
// muted.
func (r *Router) Unsilenced(ended []Silence, wanted func(receiver string) bool, now time.Time) []Flushed {
	r.mu.RLock()
	defer r.mu.RUnlock()
	were := newSilences()
	for i := range ended {
		if c, err := compile(&ended[i]); err == nil {
			were.put(c)
		}
	}
	var out []Flushed
	for _, g := range slices.SortedFunc(maps.Values(r.groups), func(a, b *group) int { return cmp.Compare(a.ID, b.ID) }) {
		if g.Anchor.After(now) || !wanted(g.Receiver) {
			continue
		}
		f := Flushed{Group: g.Group, At: now}
		hours, news := r.hours(g.node, now), false
		for _, e := range g.members {
			a := r.read(e)
			if a.Ended || r.muted(hours, e, a.Labels, now) != "" {
				continue
			}
			f.Firing = append(f.Firing, a)
			news = news || were.mention(a.Labels)
		}
		if news {
			slices.SortFunc(f.Firing, compareAlerts)
			out = append(out, f)
		}
	}
	return out
}

// watch finds the firing alerts with the last of which a silence is to end.
func (r *Router) watch(s *silence) {
	s.awaited = map[*entry]struct{}{}
	var l Labels
	for e := range r.table.entries() {
		if e.forgotten || e.over {
			continue
		}
		if l = r.table.packedHere(e).labels(l[:0]); s.matches(l) {
			s.awaited[e] = struct{}{}
		}
	}
	r.silences.watched[s.ID] = s
}

// began notes for the silences that wait for alerts to resolve that one more fires.
func (r *Router) began(e *entry, l Labels) {
	for _, s := range r.silences.watched {
		if s.matches(l) {
			s.awaited[e] = struct{}{}
		}
	}
}

// ceased ends the silences that were waiting for this alert alone to resolve.
func (r *Router) ceased(e *entry, now time.Time) {
	if len(r.silences.watched) == 0 {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(r.silences.watched)) {
		s := r.silences.watched[id]
		if _, waits := s.awaited[e]; !waits {
			continue
		}
		if delete(s.awaited, e); len(s.awaited) == 0 && s.State(now) == SilenceActive {
			r.endSilence(s, now)
		}
	}
}

// CheckSilence says what is wrong with a silence, in Alertmanager's words.
func CheckSilence(s *Silence) error {
	if len(s.Matchers) == 0 {
		return errors.New("at least one matcher set required")
	}
	for i, set := range s.Matchers {
		if len(set) == 0 {
			return fmt.Errorf("matcher set %d is empty", i)
		}
		matchesEmpty := true
		for j, m := range set {
			if err := validMatcher(m); err != nil {
				return fmt.Errorf("invalid label matcher %d in set %d: %w", j, i, err)
			}
			matchesEmpty = matchesEmpty && m.matchesEmpty()
		}
		if matchesEmpty {
			return fmt.Errorf("matcher set %d: at least one matcher must not match the empty string", i)
		}
	}
	switch {
	case s.StartsAt.IsZero():
		return errors.New("invalid zero start timestamp")
	case s.EndsAt.IsZero():
		return errors.New("invalid zero end timestamp")
	case s.EndsAt.Before(s.StartsAt):
		return errors.New("end time must not be before start time")
	}
	return nil
}

func validMatcher(m Matcher) error {
	if !compat.IsValidLabelName(model.LabelName(m.Name)) {
		return fmt.Errorf("invalid label name %q", m.Name)
	}
	switch m.Type {
	case labels.MatchEqual, labels.MatchNotEqual:
		if !model.LabelValue(m.Value).IsValid() {
			return fmt.Errorf("invalid label value %q", m.Value)
		}
	case labels.MatchRegexp, labels.MatchNotRegexp:
		if _, err := regexp.Compile(m.Value); err != nil {
			return fmt.Errorf("invalid regular expression %q: %w", m.Value, err)
		}
	default:
		return fmt.Errorf("unknown matcher type %q", m.Type)
	}
	return nil
}

// matchesEmpty reports whether the matcher holds for what has no such label, as Alertmanager asks it of a new silence:
// negative ones are taken to be selective, and patterns are not anchored.
func (m Matcher) matchesEmpty() bool {
	switch m.Type {
	case labels.MatchEqual:
		return m.Value == ""
	case labels.MatchRegexp:
		matched, err := regexp.MatchString(m.Value, "")
		return err == nil && matched
	}
	return false
}

// A silence is a Silence at work.
type silence struct {
	Silence
	sets    [][]condition
	wants   [][]pair            // of each set: labels that an alert must have for it to match
	order   uint64              // in which we learned of it
	held    bool                // whether it held when somebody last looked
	keys    []pair              // under which it is found, one a set; a zero pair: only by looking at all
	awaited map[*entry]struct{} // firing alerts it matches, where it is to end with the last of them; else nil
}

// A pair is a label name and value; a zero value means any value of the name.
type pair struct{ name, value string }

func compile(s *Silence) (*silence, error) {
	c := &silence{Silence: *s}
	for _, set := range s.Matchers {
		var compiled []condition
		var wants []pair
		for _, m := range set {
			lm, err := labels.NewMatcher(m.Type, m.Name, m.Value)
			if err != nil {
				return nil, err
			}
			compiled = append(compiled, newCondition(lm))
			switch {
			case m.Type == labels.MatchEqual && m.Value != "":
				wants = append(wants, pair{m.Name, m.Value})
			case !lm.Matches(""):
				wants = append(wants, pair{name: m.Name})
			}
		}
		c.sets, c.wants = append(c.sets, compiled), append(c.wants, wants)
	}
	return c, nil
}

// obliging reports whether the silence is to end with the last of its alerts.
func (s *silence) obliging() bool { return s.Annotations[ExpireWhenResolved] == "true" }

func (s *silence) matches(l Labels) bool {
	return slices.ContainsFunc(s.sets, func(set []condition) bool { return holdAll(set, l) })
}

// beginning is what every value begins with that the pattern matches, as far as that is easily known.
func beginning(text string) string {
	pattern, err := regexp.Compile(text)
	if err != nil {
		return ""
	}
	prefix, _ := pattern.LiteralPrefix()
	return prefix
}

// silences holds all silences, and finds those that match an alert by one label that they ask for. Those that are over
// are kept aside until they are forgotten: only what may still hold is looked at.
type silences struct {
	byID    map[string]*silence
	found   map[pair][]*silence // not over when last looked at; under each of its keys
	names   map[string]int      // how many keys in found have the name
	watched map[string]*silence // with awaited
	turns   agenda[*silence]    // when one begins or ends to hold
	changed []Silence           // what held, and by somebody's word is about other alerts since
	looked  time.Time           // when somebody last asked who turned
	learned uint64
}

func newSilences() silences {
	return silences{byID: map[string]*silence{}, found: map[pair][]*silence{}, names: map[string]int{}, watched: map[string]*silence{}}
}

func (all *silences) inOrder() []*silence {
	return slices.SortedFunc(maps.Values(all.byID), func(a, b *silence) int { return cmp.Compare(a.order, b.order) })
}

// put takes the silence in, in the place of what had its ID.
func (all *silences) put(s *silence) {
	if old := all.byID[s.ID]; old != nil {
		s.order, s.held = old.order, old.held
		if s.held && !sameSets(s.Matchers, old.Matchers) {
			s.held = false
			all.changed = append(all.changed, old.Silence)
		}
		all.hide(old)
	} else {
		all.learned++
		s.order = all.learned
	}
	all.byID[s.ID] = s
	all.show(s)
}

// show lets the silence be found, of each set under the label that the fewest others want. One that may have turned is
// to be looked at at once.
func (all *silences) show(s *silence) {
	s.keys = s.keys[:0]
	for _, wants := range s.wants {
		var key pair
		for i, p := range wants {
			if i == 0 || key.value == "" && p.value != "" || p.value != "" && len(all.found[p]) < len(all.found[key]) {
				key = p
			}
		}
		s.keys = append(s.keys, key)
		if len(all.found[key]) == 0 {
			all.names[key.name]++
		}
		all.found[key] = append(all.found[key], s)
	}
	at := s.StartsAt
	if s.held || at.Before(all.looked) {
		at = all.looked
	}
	all.turns.add(at, s)
}

// again finds the place of every silence anew, after the clock was set by so much.
func (all *silences) again(by time.Duration) {
	all.turns = agenda[*silence]{}
	all.looked = all.looked.Add(by)
	clear(all.found)
	clear(all.names)
	for _, s := range all.inOrder() {
		all.show(s)
	}
}

// hide takes the silence out of what is looked at.
func (all *silences) hide(s *silence) {
	delete(all.watched, s.ID)
	for _, key := range s.keys {
		kept := slices.DeleteFunc(all.found[key], func(o *silence) bool { return o == s })
		if len(kept) > 0 {
			all.found[key] = kept
			continue
		}
		if _, there := all.found[key]; !there {
			continue
		}
		delete(all.found, key)
		if all.names[key.name]--; all.names[key.name] == 0 {
			delete(all.names, key.name)
		}
	}
}

// nextTurn is when the next silence begins or ends to hold; zero is never.
func (all *silences) nextTurn() time.Time {
	for {
		at, s, ok := all.turns.first()
		if !ok || all.byID[s.ID] == s {
			return at
		}
		all.turns.drop()
	}
}

// turn passes over the instants up to now, and reports whether any silence began or ended to hold, and which ended.
func (all *silences) turn(now time.Time) (turned bool, ended []Silence) {
	all.looked = now
	ended, all.changed = all.changed, nil
	turned = len(ended) > 0
	for at := all.nextTurn(); !at.IsZero() && !at.After(now); at = all.nextTurn() {
		_, s, _ := all.turns.first()
		all.turns.drop()
		state := s.State(now)
		holds := state == SilenceActive
		turned = turned || holds != s.held
		if s.held && !holds {
			ended = append(ended, s.Silence)
		}
		s.held = holds
		switch state {
		case SilencePending:
			all.turns.add(s.StartsAt, s)
		case SilenceActive:
			all.turns.add(s.EndsAt, s)
		case SilenceExpired:
			all.hide(s) // nothing of it is to come: it was put anew if it was changed
		}
	}
	return turned, ended
}

// matching calls yield with those that match and are not hidden, each once or oftener.
func (all *silences) matching(l Labels, yield func(*silence)) {
	look := func(key pair) {
		for _, s := range all.found[key] {
			if s.matches(l) {
				yield(s)
			}
		}
	}
	if len(all.found) <= len(l) { // few silences: rather ask the alert
		for key := range all.found {
			if value := l.Get(key.name); key.name == "" || value != "" && (key.value == "" || key.value == value) {
				look(key)
			}
		}
		return
	}
	look(pair{})
	for _, p := range l {
		if all.names[p.Name] == 0 {
			continue // most labels are asked for by nobody
		}
		look(pair{p.Name, p.Value})
		look(pair{name: p.Name})
	}
}

// silencedBy are the silences because of which an alert is told to nobody, in the order in which we learned of them.
func (all *silences) silencedBy(l Labels, now time.Time) []string {
	found := all.active(nil, l, now)
	ids := make([]string, len(found))
	for i, s := range found {
		ids[i] = s.ID
	}
	return ids
}

// active appends those silences.
func (all *silences) active(found []*silence, l Labels, now time.Time) []*silence {
	all.matching(l, func(s *silence) {
		if s.State(now) == SilenceActive && !slices.Contains(found, s) {
			found = append(found, s)
		}
	})
	if len(found) > 1 {
		slices.SortFunc(found, func(a, b *silence) int { return cmp.Compare(a.order, b.order) })
	}
	return found
}

// mute reports whether any silence mutes an alert.
func (all *silences) mute(l Labels, now time.Time) bool {
	muted := false
	all.matching(l, func(s *silence) { muted = muted || s.State(now) == SilenceActive })
	return muted
}

// mention reports whether any silence is about an alert, whether it holds or not.
func (all *silences) mention(l Labels) bool {
	found := false
	all.matching(l, func(*silence) { found = true })
	return found
}

// gc forgets the silences whose retention is over, and returns them.
func (all *silences) gc(now time.Time) []Silence {
	var gone []Silence
	for _, s := range all.inOrder() {
		if !s.ExpiresAt.After(now) {
			all.hide(s)
			delete(all.byID, s.ID)
			gone = append(gone, s.Silence)
		}
	}
	return gone
}
