package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/midwatch/midwatch/oncall"
)

// A Swap is time on call that one user asks another to take, perhaps for some of theirs. Accepted, it becomes overrides.
type Swap struct {
	Number   int       `json:"number"`
	Schedule string    `json:"schedule"`
	User     string    `json:"user"` // who asks, and whose time in [From, To) is to be With's
	With     string    `json:"with"` // who is asked, and whose time in [ForFrom, ForTo) is to be User's
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	ForFrom  time.Time `json:"for_from,omitzero"` // both zero: nothing is asked for in return
	ForTo    time.Time `json:"for_to,omitzero"`

	// Their time on call in these ranges, as it was when the swap was asked for.
	Gives []oncall.Stretch `json:"gives"`
	Takes []oncall.Stretch `json:"takes,omitempty"`

	State     SwapState `json:"state"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	ClosedBy  string    `json:"closed_by,omitempty"` // empty: nobody, it expired
	ClosedAt  time.Time `json:"closed_at,omitzero"`
	Overrides []string  `json:"overrides,omitempty"` // what it became
}

// SwapState is what became of a swap.
type SwapState string

const (
	SwapOpen      SwapState = "open"
	SwapAccepted  SwapState = "accepted"
	SwapDeclined  SwapState = "declined"
	SwapCancelled SwapState = "cancelled"
	SwapExpired   SwapState = "expired" // nobody answered before it began
)

// SwapStates are all of them.
var SwapStates = []SwapState{SwapOpen, SwapAccepted, SwapDeclined, SwapCancelled, SwapExpired}

// SwapVerb is what can be done about an open swap: With accepts or declines, User cancels.
type SwapVerb string

const (
	AcceptSwap  SwapVerb = "accept"
	DeclineSwap SwapVerb = "decline"
	CancelSwap  SwapVerb = "cancel"
)

// Limits of swaps.
const (
	maxOpenSwaps   = 1000
	maxClosedSwaps = 1000 // so many that are over are kept
	maxSwapSpan    = 366 * 24 * time.Hour
	maxStretches   = 40 // of one side, so that all that comes of a swap fits one unit
)

// ID is the swap's public name.
func (s Swap) ID() string { return "SWAP-" + strconv.Itoa(s.Number) }

// parseSwapID reads one; the letters' case does not matter. 0: it is none.
func parseSwapID(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(id), "SWAP-"))
	if err != nil || n < 1 {
		return 0
	}
	return n
}

// begins is when the first of the time to be swapped begins: from then on it is too late. Zero: a record without any.
func (s *Swap) begins() (first time.Time) {
	for _, side := range [][]oncall.Stretch{s.Gives, s.Takes} {
		if len(side) > 0 && (first.IsZero() || side[0].Start.Before(first)) {
			first = side[0].Start
		}
	}
	return first
}

// requestSwap takes in that a user asks another for a swap.
func (c *Core) requestSwap(in RequestSwap) Answer {
	s := in.Swap
	s.State, s.CreatedAt = SwapOpen, c.now
	s.From, s.To, s.ForFrom, s.ForTo = s.From.UTC(), s.To.UTC(), s.ForFrom.UTC(), s.ForTo.UTC()
	s.Gives, s.Takes, s.Overrides, s.ClosedBy, s.ClosedAt = nil, nil, nil, "", time.Time{}
	if err := c.checkSwap(&s); err != nil {
		return Answer{Err: err}
	}
	c.lastSwap++
	s.Number = c.lastSwap
	c.swaps[s.Number] = &s
	c.putSwap(&s)
	c.tellOfSwap(&s)
	return Answer{Swap: s, Warnings: c.swapDoubts(&s)}
}

// tellOfSwap lets who is asked know, and what it would mean for them.
func (c *Core) tellOfSwap(s *Swap) {
	n := DutyNote{Why: s.ID(), By: s.User}
	for _, side := range []struct {
		times []oncall.Stretch
		on    bool
	}{{s.Gives, true}, {s.Takes, false}} {
		for _, t := range side.times {
			if len(n.Changes) == maxDutyNotes {
				n.More++
				continue
			}
			n.Changes = append(n.Changes, DutyChange{Schedule: s.Schedule, Start: t.Start, End: t.End, On: side.on})
		}
	}
	c.notice(s.With, deliverSwap, s.ID(), n, earlier(s.begins(), c.now.Add(dutyRetryFor)))
}

// checkSwap says why a swap cannot be asked for; and else completes it with the users' times.
func (c *Core) checkSwap(s *Swap) error {
	if c.schedules[s.Schedule] == nil {
		return c.noSchedule(s.Schedule)
	}
	if _, known := c.cfg.Users[s.User]; !known {
		return c.noUser("user", s.User)
	}
	if _, known := c.cfg.Users[s.With]; !known {
		return c.noUser("with", s.With)
	}
	paid := !s.ForFrom.IsZero() || !s.ForTo.IsZero()
	switch {
	case s.User == s.With:
		return refuse("invalid", "with", "%s cannot swap with %s; name somebody else", s.User, s.With)
	case utf8.RuneCountInString(s.CreatedBy) > maxName:
		return refuse("invalid", "by", "\"by\" is longer than %d characters", maxName)
	case !s.To.After(s.From):
		return refuse("invalid", "to", "it ends at %s, not after it starts at %s", instantText(s.To), instantText(s.From))
	case paid && !s.ForTo.After(s.ForFrom):
		return refuse("invalid", "for_to", "what is asked for in return needs both ends, and must end after it starts")
	case s.To.Sub(s.From) > maxSwapSpan || s.ForTo.Sub(s.ForFrom) > maxSwapSpan:
		return refuse("invalid", "to", "one swap is about at most %d days on each side", int(maxSwapSpan.Hours())/24)
	case paid && s.From.Before(s.ForTo) && s.ForFrom.Before(s.To):
		return refuse("invalid", "for_from", "the time given and the time asked for overlap; name two that do not")
	}
	if err := c.fillSwap(s, paid); err != nil {
		return err
	}
	if !s.begins().After(c.now) {
		return refuse("invalid", "from", "the time to be swapped has begun; swap what is still to come")
	}
	if _, err := c.schedules[s.Schedule].Swap(s.trade()); err != nil {
		return refuse("conflict", "", "%s", err)
	}
	open := 0
	for _, other := range c.swaps {
		if other.State == SwapOpen {
			open++
		}
	}
	if open >= maxOpenSwaps {
		return refuse("conflict", "", "%d swaps wait for an answer, the most there can be; answer or cancel some", open)
	}
	return nil
}

// fillSwap finds the users' times on call.
func (c *Core) fillSwap(s *Swap, paid bool) error {
	var err error
	if s.Gives, err = c.swapTimes(s.Schedule, s.User, "from", s.From, s.To); err == nil && paid {
		s.Takes, err = c.swapTimes(s.Schedule, s.With, "for_from", s.ForFrom, s.ForTo)
	}
	return err
}

func (c *Core) swapTimes(schedule, user, field string, from, to time.Time) ([]oncall.Stretch, error) {
	times := c.schedules[schedule].Times(user, from, to)
	if len(times) == 0 {
		return nil, refuse("invalid", field, "%s is not on call in %s between %s and %s; midwatch oncall next --user %s shows when", user, schedule, instantText(from), instantText(to), user)
	}
	if len(times) > maxStretches {
		return nil, refuse("invalid", field, "that is %d shifts of %s, more than the %d of one swap; ask for less time", len(times), user, maxStretches)
	}
	return times, nil
}

func (s *Swap) trade() oncall.Trade {
	return oncall.Trade{User: s.User, With: s.With, Gives: s.Gives, Takes: s.Takes}
}

// swapDoubts says what both should think of before the swap is accepted.
func (c *Core) swapDoubts(s *Swap) (doubts []string) {
	for _, side := range []struct {
		who   string
		times []oncall.Stretch
	}{{s.With, s.Gives}, {s.User, s.Takes}} {
		for _, a := range c.allAbsences() {
			if a.User == side.who && slices.ContainsFunc(side.times, func(t oncall.Stretch) bool { return t.Start.Before(a.End) && a.Start.Before(t.End) }) {
				doubts = append(doubts, fmt.Sprintf("%s is unavailable from %s to %s", a.User, instantText(a.Start), instantText(a.End)))
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(c.swaps)) {
		o := c.swaps[n]
		if o.Number != s.Number && o.State == SwapOpen && o.Schedule == s.Schedule && o.User == s.User && o.From.Before(s.To) && s.From.Before(o.To) {
			doubts = append(doubts, fmt.Sprintf("%s asks %s for some of the same time; the first to be accepted counts", o.ID(), o.With))
		}
	}
	return doubts
}

// settleSwap accepts, declines or cancels a swap.
func (c *Core) settleSwap(in SettleSwap) Answer {
	s := c.swaps[parseSwapID(in.ID)]
	if s == nil {
		return Answer{Err: refuse("not_found", "id", "there is no swap %q", cut(in.ID, maxName))}
	}
	state, who := SwapAccepted, s.With
	switch in.Verb {
	case AcceptSwap:
	case DeclineSwap:
		state = SwapDeclined
	case CancelSwap:
		state, who = SwapCancelled, s.User
	default:
		return Answer{Swap: *s, Err: refuse("invalid", "verb", "nobody can %q a swap", in.Verb)}
	}
	switch {
	case s.State == SwapOpen && !s.begins().After(c.now):
		return Answer{Swap: *s, Err: refuse("conflict", "", "%s has expired: its time began at %s", s.ID(), instantText(s.begins()))}
	case s.State != SwapOpen:
		return Answer{Swap: *s, Err: refuse("conflict", "", "%s is not open any more: %s", s.ID(), s.fate())}
	case in.By != who && in.Verb == CancelSwap:
		return Answer{Swap: *s, Err: refuse("conflict", "by", "%s asked for %s and may cancel it, not %s", who, s.ID(), cut(in.By, maxName))}
	case in.By != who:
		return Answer{Swap: *s, Err: refuse("conflict", "by", "%s is the one who was asked in %s, not %s", who, s.ID(), cut(in.By, maxName))}
	}
	if state != SwapAccepted {
		c.closeSwap(s, state, in.By)
		return Answer{Swap: *s}
	}
	return c.acceptSwap(s)
}

// acceptSwap makes the overrides, all in one unit, if everything is still as it was when the swap was asked for.
func (c *Core) acceptSwap(s *Swap) Answer {
	schedule := c.schedules[s.Schedule]
	if schedule == nil {
		return Answer{Swap: *s, Err: refuse("conflict", "", "schedule %s is no longer in the configuration; cancel or decline %s", s.Schedule, s.ID())}
	}
	for _, user := range []string{s.User, s.With} {
		if _, known := c.cfg.Users[user]; !known {
			return Answer{Swap: *s, Err: refuse("conflict", "", "user %s is no longer in the configuration; cancel or decline %s", user, s.ID())}
		}
	}
	for _, side := range []struct {
		user     string
		from, to time.Time
		was      []oncall.Stretch
	}{{s.User, s.From, s.To, s.Gives}, {s.With, s.ForFrom, s.ForTo, s.Takes}} {
		if is := schedule.Times(side.user, side.from, side.to); !slices.EqualFunc(is, side.was, sameStretch) {
			return Answer{Swap: *s, Err: refuse("conflict", "", "the time of %s between %s and %s is no longer what it was when %s was asked for; ask again", side.user, instantText(side.from), instantText(side.to), s.ID())}
		}
	}
	overrides, err := schedule.Swap(s.trade())
	if err != nil {
		return Answer{Swap: *s, Err: refuse("conflict", "", "%s", err)}
	}
	if err := c.roomForOverrides(s.Schedule, len(overrides)); err != nil {
		return Answer{Swap: *s, Err: err}
	}
	c.cause = cause{s.With, s.ID() + " was accepted"}
	for i := range overrides {
		overrides[i].CreatedBy, overrides[i].CreatedAt, overrides[i].Swap = s.With, c.now, s.ID()
	}
	for _, o := range c.makeOverrides(s.Schedule, overrides...) {
		s.Overrides = append(s.Overrides, o.ID)
	}
	doubts := c.swapDoubts(s)
	c.closeSwap(s, SwapAccepted, s.With)
	return Answer{Swap: *s, Warnings: doubts}
}

func sameStretch(a, b oncall.Stretch) bool { return a.Start.Equal(b.Start) && a.End.Equal(b.End) }

// fate says what became of a swap that is not open.
func (s *Swap) fate() string {
	if s.ClosedBy == "" {
		return fmt.Sprintf("it expired at %s", instantText(s.ClosedAt))
	}
	return fmt.Sprintf("%s by %s at %s", s.State, s.ClosedBy, instantText(s.ClosedAt))
}

// expireSwap closes a swap that nobody answered in time.
func (c *Core) expireSwap(n int) {
	s := c.swaps[n]
	if s == nil || s.State != SwapOpen {
		c.agenda.set(fmt.Sprintf("swap/%d", n), zeroTime)
		return
	}
	c.closeSwap(s, SwapExpired, "")
}

func (c *Core) closeSwap(s *Swap, state SwapState, by string) {
	s.State, s.ClosedBy, s.ClosedAt = state, by, c.now
	c.putSwap(s)
	var closed []int
	for n, other := range c.swaps {
		if other.State != SwapOpen {
			closed = append(closed, n)
		}
	}
	slices.Sort(closed)
	for _, n := range closed[:max(0, len(closed)-maxClosedSwaps)] {
		delete(c.swaps, n)
		c.put(swapKey(n), nil)
	}
}

func (c *Core) putSwap(s *Swap) {
	c.put(swapKey(s.Number), encode("swap", s))
	c.awaitSwap(s)
}

// awaitSwap puts the end of an open swap on the agenda.
func (c *Core) awaitSwap(s *Swap) {
	due := zeroTime
	if s.State == SwapOpen {
		due = s.begins()
	}
	c.agenda.set(fmt.Sprintf("swap/%d", s.Number), due)
}

func swapKey(n int) string { return prefSwap + num(n) }

// Swaps are all that are kept, the newest first.
func (e *Engine) Swaps() []Swap {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]Swap, 0, len(e.core.swaps))
	for _, s := range e.core.swaps {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Swap) int { return cmp.Compare(b.Number, a.Number) })
	return all
}
