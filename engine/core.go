// Package engine runs the loop that steps everything that waits, and lets nothing out before it is on disk.
package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
	"github.com/midwatch/midwatch/store"
)

// A Core is the engine without a clock, a disk or a network: Turn takes what arrived and the time, and returns what
// must be committed, answered and sent, in that order. The same turns give the same results, so the daemon, the
// scenario runner and the simulator drive one and the same thing. A Core is not safe for concurrent use, but for what
// its Router says.
type Core struct {
	cfg    *Config
	router *router.Router
	rand   *rand.Rand

	live       map[int]*live             // open incidents, and closed ones that may come back
	identities map[incident.Identity]int // the last incident of each identity among live
	membership map[uint64][]int          // fingerprint → live incidents it belongs to
	deliveries map[string]*Delivery
	families   map[string]*family
	turns      map[string]int // round robin pointers, by policy/step
	overrides  map[string]overrides
	plans      map[string]Plan             // by their keys
	schedules  map[string]*oncall.Schedule // the file's, with the overrides made at run time
	absences   map[string][]oncall.Absence // by user: those made at run time, in the order of their making
	swaps      map[int]*Swap
	bills      map[string]*bill // by schedule: who is on call, as it is recorded
	feeds      map[int]CalendarFeed
	ledger     ledger // the budgets of SLOs
	hearts     hearts
	memos      map[string]string
	ended      ended

	past func(n int) (incident.Incident, error)                // reads one that is not in memory any more; nil: nothing is
	told func(schedule string, line uint64) (w Watch, ok bool) // reads a line of history that is on disk; nil: none is

	agenda  *agenda
	journal journal
	groups  rows[string]        // by router.Group.ID
	logged  rows[router.LogKey] // what integrations were told
	last    int                 // number of the newest incident
	seq     uint64              // of the newest event
	number  uint64              // of the newest override or absence made at run time

	lastSwap int    // number of the newest
	lastFeed int    // likewise, also of one that was taken back
	changes  uint64 // notices of changed time on call so far, in this life
	refused  uint64 // alerts past the limit of their name
	records  uint64 // of the newest line of the delivery log or chunk of members

	clock  clock
	now    time.Time
	acting Action // the one being taken; zero between them

	cause cause                   // why schedules change, while they do
	moved map[string][]DutyChange // whose time on call that changes

	unweighed bool // restored, and not yet seen whose paging silences hold back

	// Of the turn under way, or of Restore until the first turn.
	units  []unit
	dirty  []*live // changed by the unit under way
	sends  []Send
	events []incident.Event
	routes []router.Effect
	gone   []string // deliveries that must not go out any more
	unkept []string // keys of values that no store takes
}

// live is an incident with all that waits on its behalf.
type live struct {
	incident incident.Incident
	ladder   escalation.Page
	members  map[uint64]router.Labels // every alert that ever belonged to it, by fingerprint
	order    []uint64                 // the members in the order in which they joined
	joined   []uint64                 // those that are not stored yet
	chunks   []uint64                 // the records that hold the others
	firing   map[uint64]bool          // the members that fire now
	sends    map[string]bool          // its deliveries without an outcome
	told     map[string]Notice        // seat → what reached them, for the all-clear
	moved    time.Duration            // by how much the clock was set since it was resolved
	policy   *escalation.Policy       // its ladder, where that is nobody's in the configuration; nil: it is
	dirty    bool
	stepped  bool // the incident itself is not stored as it is now
}

// A Notice is a page that reached somebody.
type Notice struct {
	User        string `json:"user,omitempty"` // empty: a channel
	Via         string `json:"via,omitempty"`
	Receiver    string `json:"receiver,omitempty"`
	Integration string `json:"integration,omitempty"`
	Index       int    `json:"index,omitempty"`
	Page        string `json:"page"` // the latest page's key

	State map[string]string `json:"state,omitempty"` // what the method needs to take its message back, or to change it
}

// seat is where the notice went: the next one there takes its place.
func (n Notice) seat() string {
	if n.Receiver == "" {
		return n.User + "/" + n.Via
	}
	return fmt.Sprintf("/%s/%s/%d", n.Receiver, n.Integration, n.Index)
}

// A family is the deliveries that stand for one send of the ladder: a receiver's integrations.
type family struct {
	pending int
	reached bool
	why     string
}

// A Send is a delivery to be attempted now, with what its message is made from.
type Send struct {
	Delivery Delivery
	Incident incident.Incident // zero for a group's notification
	Alerts   []*router.Alert   // firing ones first; at most maxAlertsInMessage for a page
	Over     map[uint64]bool   // which of Alerts are over, by fingerprint; a group's say it by their EndsAt
	Also     []string          // who else was paged so far
	NextAt   time.Time         // when the ladder goes on
	NextWho  []string
	Urgency  string              // the incident's: high or low; empty where there is none
	State    map[string]string   // what the last message there left to be known; nil: nothing
	Digest   []incident.Incident // what a digest lists
}

// Turn is what one call of Core.Turn led to.
type Turn struct {
	Batches []store.Batch    // to be committed first, in order
	Answers []Answer         // to be given then, one for each input
	Cancels []string         // keys of deliveries that must not be attempted any more
	Sends   []Send           // to be let out last, in order
	Events  []incident.Event // what happened, as it was recorded
	Router  []router.Effect  // what the router said, but for a peer's word that is not to go onward

	// Unkept are keys of values too large for any store: what they say is remembered until a restart, and no longer.
	// Only a group of some 45,000 alerts comes to that.
	Unkept []string
}

// Limits of one turn, so that no storm of due things keeps people's answers waiting: each group's flush is one of them.
const (
	maxDuePerTurn      = 256
	maxAlertsInMessage = 50
	forgetLater        = time.Minute
)

// New returns a Core that knows nothing yet. seed makes its jitter.
func New(cfg *Config, seed uint64) *Core {
	c := &Core{
		rand:       rand.New(rand.NewPCG(seed, 0x6d6964)), //nolint:gosec // jitter, not a secret
		live:       map[int]*live{},
		identities: map[incident.Identity]int{},
		membership: map[uint64][]int{},
		deliveries: map[string]*Delivery{},
		families:   map[string]*family{},
		turns:      map[string]int{},
		overrides:  map[string]overrides{},
		plans:      map[string]Plan{},
		absences:   map[string][]oncall.Absence{},
		swaps:      map[int]*Swap{},
		bills:      map[string]*bill{},
		feeds:      map[int]CalendarFeed{},
		ledger:     newLedger(),
		hearts:     hearts{pulses: map[string]*pulse{}},
		memos:      map[string]string{},
		agenda:     newAgenda(),
		groups:     newRows[string](prefGroup),
		logged:     newRows[router.LogKey](prefLog),
	}
	c.router = router.New(cfg.Routing)
	c.use(cfg)
	return c
}

// Committed says that the last turn is on disk. Its batches must not be used any more: their memory is needed again.
func (c *Core) Committed() {
	c.router.Committed()
	c.journal.written()
}

// Router is the alert side, for ingest's fast path and for reading.
func (c *Core) Router() *router.Router { return c.router }

// Due is when the next turn is wanted though nothing arrives; zero: never.
func (c *Core) Due() time.Time {
	due := c.router.Due()
	if at := c.agenda.due(); due.IsZero() || !at.IsZero() && at.Before(due) {
		due = at
	}
	return due
}

// Turn takes in the inputs, wakes what is due, and says what follows.
func (c *Core) Turn(at Instant, inputs []Input) Turn {
	c.begin(at)
	answers := make([]Answer, 0, len(inputs))
	for _, in := range inputs {
		c.unit()
		answers = append(answers, c.take(in))
		c.tellMoved()
	}
	if c.unweighed { // a crash may have come between a silence's turn and what was to follow
		c.unweighed = false
		for _, n := range c.liveNumbers() {
			c.weigh(c.live[n])
		}
	}
	c.wake()
	c.bundle()
	return c.finish(answers)
}

func (c *Core) begin(at Instant) {
	if len(c.journal.room) > 0 {
		c.journal.room = nil // the last turn waits in memory still
	}
	moved := c.clock.advance(at)
	c.now = at.Wall.Round(0)
	if moved != 0 {
		c.shift(moved)
	}
}

func (c *Core) take(in Input) Answer {
	switch in := in.(type) {
	case Alerts:
		c.routed(c.router.Receive(in.Alerts, c.now))
		return Answer{}
	case Action:
		return c.act(in)
	case Result:
		c.result(in)
		return Answer{}
	case Reload:
		c.reload(in.Config)
		return Answer{}
	case Override:
		return c.override(in)
	case Calendars:
		c.calendars(in.Config)
		return Answer{}
	case DropOverride:
		return c.dropOverride(in)
	case RequestSwap:
		return c.requestSwap(in)
	case SettleSwap:
		return c.settleSwap(in)
	case AddAbsence:
		return c.addAbsence(in)
	case DropAbsence:
		return c.dropAbsence(in)
	case TestPage:
		return c.testPage(in)
	case Trigger:
		return c.trigger(in)
	case Correct:
		return c.correct(in)
	case DropCorrection:
		return c.dropCorrection(in)
	case Counted:
		return c.counted(in)
	case Remember:
		return c.memo(in)
	case AddFeed:
		return c.addFeed(in)
	case DropFeed:
		return c.dropFeed(in)
	case SetSilence:
		return c.setSilence(in)
	case ExpireSilence:
		return c.expireSilence(in)
	case SetPlan:
		return c.setPlan(in)
	case DropPlan:
		return c.dropPlan(in)
	case Gossip:
		c.merge(in)
		return Answer{}
	case Hello:
		return Answer{}
	case Resumed:
		return c.resumed()
	case Ping:
		return c.ping(in)
	case Peers:
		c.router.Peered(in.Ready, in.Wait)
		return Answer{}
	default:
		panic(fmt.Sprintf("the engine knows no input %T", in))
	}
}

// wake steps what is due now, in the order of the due times, but that none who are many hold up the others (see agenda, and
// router.Router.ElapsedSome), nor the groups what else is due, nor the other way round. What falls due at this same instant
// because of it is woken too; the rest of a storm waits for the next turn, which is due at once.
func (c *Core) wake() {
	c.settle() // so that the agenda knows
	const half = maxDuePerTurn / 2
	for flushed, woken := 0, 0; flushed+woken < maxDuePerTurn; c.settle() {
		name, at, ok := c.agenda.next(c.now, c.crowdOf)
		groups := c.router.Overdue(c.now)
		speak := !groups.IsZero()
		if speak && ok {
			speak = flushed < half && (woken >= half || !at.Before(groups))
		}
		switch {
		case speak:
			flushed++
			c.unit()
			c.routed(c.router.ElapsedSome(c.now, 1))
		case ok:
			woken++
			c.unit()
			c.elapsed(name)
		default:
			return
		}
	}
}

// crowdOf is with whom something on the agenda has to share: the ladders of one policy, the deliveries to one person or
// receiver, and all else of its kind.
func (c *Core) crowdOf(name string) string {
	kind, rest, _ := strings.Cut(name, "/")
	switch kind {
	case "ladder":
		n, _ := strconv.Atoi(rest)
		if l := c.live[n]; l != nil {
			return "ladder/" + l.incident.Policy
		}
	case "delivery":
		if d := c.deliveries[rest]; d != nil {
			return "delivery/" + d.User + "/" + d.Receiver
		}
	}
	return kind
}

func (c *Core) elapsed(name string) {
	kind, rest, _ := strings.Cut(name, "/")
	switch kind {
	case "ladder":
		n, _ := strconv.Atoi(rest)
		l := c.live[n]
		if l == nil {
			c.agenda.set(name, time.Time{})
			return
		}
		c.climb(l, escalation.Elapsed{})
	case "delivery":
		d := c.deliveries[rest]
		if d == nil {
			c.agenda.set(name, time.Time{})
			return
		}
		if c.holdBack(d) {
			return
		}
		d.Next = time.Time{}
		c.agenda.set(name, time.Time{})
		c.letOut(d)
	case "fold":
		c.foldOn()
	case "plan":
		c.agenda.set(name, time.Time{})
		if p, ok := c.plans[rest]; ok {
			c.keepPlan(p)
		}
	case "watch", "remind":
		c.keepWatch(rest)
	case "slo":
		if a := c.ledger.accounts[rest]; a != nil && a.rule != nil {
			c.count(rest, a, slo.Tick{})
		} else {
			c.agenda.set(name, zeroTime)
		}
	case "swap":
		n, _ := strconv.Atoi(rest)
		c.expireSwap(n)
	case "heartbeat":
		c.listen(rest)
	case "gather":
		c.agenda.set(name, zeroTime)
		c.tellLate()
	case "forget":
		n, _ := strconv.Atoi(rest)
		if l := c.live[n]; l != nil && len(l.sends) > 0 {
			c.agenda.set(name, c.now.Add(forgetLater)) // the all-clear is still on its way
			return
		}
		c.forget(n)
	}
}

// unit begins what must be on disk together. What was changed before belongs to the one before.
func (c *Core) unit() {
	c.settle()
	if n := len(c.units); n == 0 || len(c.units[n-1].order) > 0 {
		c.units = append(c.units, unit{})
	}
}

func (c *Core) put(key string, value []byte) {
	if len(key)+len(value) > maxBytes {
		c.unkept = append(c.unkept, key)
		return
	}
	if len(c.units) == 0 {
		c.units = append(c.units, unit{})
	}
	c.units[len(c.units)-1].put(key, value)
}

func (c *Core) finish(answers []Answer) Turn {
	units := append(c.writeJournal(), c.units...)
	if slices.ContainsFunc(units, func(u unit) bool { return len(u.order) > 0 }) {
		var alive unit
		alive.put(keyAlive, encode("alive", c.now))
		units = append(append(units, alive), c.writePast()...)
	}
	t := Turn{
		Batches: batches(units), Answers: answers, Cancels: c.gone, Events: c.events, Router: c.routes, Unkept: c.unkept,
	}
	for _, s := range c.sends {
		// What ended within the turn never leaves: it opened and resolved before its first page.
		if d := c.deliveries[s.Delivery.Key]; d != nil && !d.Withdrawn {
			d.out = true
			for _, p := range c.parts(d) {
				p.out = true
			}
			t.Sends = append(t.Sends, s)
		}
	}
	c.units, c.sends, c.events, c.routes, c.gone, c.unkept = nil, nil, nil, nil, nil, nil
	return t
}

// happened gives the event its place in the history.
func (c *Core) happened(e incident.Event) {
	c.seq++
	e.Seq = c.seq
	if e.At.IsZero() {
		e.At = c.now
	}
	n := 0
	if e.Incident != "" {
		n, _ = incident.ParseID(e.Incident)
	}
	if n > 0 {
		c.put(timelineKey(n, e.Seq), []byte{}) // first: without the event it says nothing
	}
	for _, id := range e.Incidents {
		if m, err := incident.ParseID(id); err == nil && n == 0 {
			c.put(timelineKey(m, e.Seq), []byte{})
		}
	}
	c.put(eventKey(e.Seq, n), encode("event", e))
	c.events = append(c.events, e)
}

// OpenIncidents is how many incidents are open.
func (c *Core) OpenIncidents() int {
	n := 0
	for _, l := range c.live {
		if l.incident.Open() {
			n++
		}
	}
	return n
}
