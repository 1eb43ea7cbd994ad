package sim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// A violation is a promise that was broken.
type violation struct {
	rule string // the promise
	what string // how it was broken
	at   time.Duration
}

func (v violation) Error() string {
	return fmt.Sprintf("at %s: %s: %s", FormatElapsed(v.at), v.rule, v.what)
}

// A bpage is a page as it is seen to leave.
type bpage struct {
	key, parent, bundle string
	incident            int
	number              int // the incident's messages are numbered in the order of their making
	place               string
	user, via, receiver string
}

// A checker holds what leaves the engine against what was promised. What it knows it has from the history as the API
// tells it, from what is sent, from the answers, from the API's views and from the file.
type checker struct {
	w         *breaker
	seq       uint64 // of the newest line of the history that it has seen
	events    []incident.Event
	ladders   map[int]*bladder
	open      []*bladder          // those of them that are, by their numbers
	bundles   map[string][]string // the pages that a bundle stands for
	turns     map[string]int      // round robin's pointers, by policy and step
	modulo    map[string]int      // of what they are known only up to a multiple of this; 1: not at all
	ago       time.Duration       // so long ago is meant by who is on call; else now
	died      bool                // and was not started since
	left      []bpage             // the pages of the turn that is looked at
	crowd     bool                // several incidents paged in the turn that is looked at
	silences  []bsilence
	overrides []boverride
	asked     map[string][]engine.Action // what people did, by incident
	acked     []engine.Action            // acknowledgements that were answered
	looked    time.Duration
	highest   int // number of incidents
}

func newChecker(w *breaker) *checker {
	return &checker{
		w: w, ladders: map[int]*bladder{}, bundles: map[string][]string{}, turns: map[string]int{}, modulo: map[string]int{},
		asked: map[string][]engine.Action{},
	}
}

func (c *checker) fail(rule, format string, args ...any) {
	panic(violation{rule, fmt.Sprintf(format, args...), c.w.elapsed})
}

// seen takes in what one turn led to: lines of the history, then what left.
func (c *checker) seen(events []incident.Event, sends []engine.Send) {
	now := c.w.elapsed
	c.weigh()
	var pages []bpage
	for _, s := range sends {
		pages = append(pages, c.pagesOf(s)...)
	}
	slices.SortStableFunc(pages, func(a, b bpage) int { return cmp.Or(a.incident-b.incident, a.number-b.number) }) // a bundle leaves after the rest
	c.left = slices.Clone(pages)
	c.crowd = len(pages) > 0 && pages[0].incident != pages[len(pages)-1].incident
	// What was owed to people already goes out before the ladder moves on.
	pages = slices.DeleteFunc(pages, func(p bpage) bool {
		l := c.ladders[p.incident]
		has := func(which func(incident.Event) bool) bool {
			return slices.ContainsFunc(events, func(e incident.Event) bool { return e.Incident == incident.ID(p.incident) && which(e) })
		}
		moves := has(func(e incident.Event) bool {
			return slices.Contains([]string{incident.CatchAll, incident.StepSkipped, incident.PolicyExhausted}, e.Kind)
		})
		// A silence ended and let an overdue step go, and then what it had silenced made it worse.
		worse := has(func(e incident.Event) bool { return e.Kind == incident.SeverityChanged }) &&
			has(func(e incident.Event) bool { return strings.HasPrefix(e.Reason, "paging goes on") })
		if l == nil || !moves && !worse || has(func(e incident.Event) bool { return e.By != "" }) {
			return false
		}
		if step, cycle, more := l.following(); worse && more && !l.paused && l.status == incident.Triggered && l.next.set && l.next.lo <= now &&
			p.place == fmt.Sprintf("%d.%d", step, cycle) && slices.ContainsFunc(c.targetsOf(l, step), func(s seat) bool { return s.hears(p) }) {
			l.sent(p, now)
			return true
		}
		// The newest of the turn is that of the catch-all that comes now.
		fresh := p.place == incident.CatchAll && c.newest(p) && has(func(e incident.Event) bool { return e.Kind == incident.CatchAll }) &&
			slices.ContainsFunc(c.resolve(l.high, c.w.cfg.Paging.CatchAll), func(s seat) bool { return s.hears(p) })
		if m, _ := l.due(p, now); !moves || m == nil || l.keys[p.key] != nil || fresh {
			return false
		}
		l.sent(p, now)
		return true
	})
	for _, e := range events {
		if e.Seq != c.seq+1 {
			c.fail("the history has no gaps", "line %d is followed by line %d", c.seq, e.Seq)
		}
		c.seq = e.Seq
		c.events = append(c.events, e)
		t, ok := c.w.disk.written[e.Seq]
		if !ok {
			t = now // the disk is full
		}
		c.happened(e, t)
	}
	if slices.ContainsFunc(events, func(e incident.Event) bool {
		return e.Kind == incident.Opened || e.Kind == incident.Reopened || e.Kind == incident.ResolvedEvent
	}) {
		c.open = c.open[:0]
		for _, l := range c.ladders {
			if l.open() {
				c.open = append(c.open, l)
			}
		}
		slices.SortFunc(c.open, func(a, b *bladder) int { return a.n - b.n })
	}
	for _, p := range pages {
		c.w.counts.Pages++
		l := c.ladders[p.incident]
		if l == nil {
			c.fail("the timeline explains every page", "%s left, and the history knows no such incident", p.key)
		}
		l.sent(p, now)
	}
	if len(events) > 0 || len(sends) > 0 {
		c.weigh()
	}
	if c.w.e != nil {
		c.quietly()
	}
}

func (c *checker) quietly() {
	for _, l := range c.open { // in order, for those who take turns
		l.quietly(c.w.elapsed)
	}
}

func (c *checker) happened(e incident.Event, t time.Duration) {
	if e.Kind == incident.Opened {
		c.opened(e, t)
	}
	if e.Incident == "" {
		for _, id := range e.Incidents {
			if n, err := incident.ParseID(id); err == nil && c.ladders[n] != nil {
				c.ladders[n].happened(e, t)
			}
		}
		return
	}
	n, _ := incident.ParseID(e.Incident)
	l := c.ladders[n]
	if l == nil {
		c.fail("the timeline explains every page", "%s: %s, and it never opened", e.Incident, e.Kind)
	}
	why := ""
	if e.Kind == incident.Note {
		why = ": " + e.Reason
	}
	c.w.note("%s %s %s%s%s%s", e.Incident, e.Kind, e.By, e.User, e.Receiver, why)
	switch e.Kind {
	case incident.ResolvedEvent:
		c.resolved(l, e, t)
	case incident.Escalated, incident.Reassigned, incident.Snoozed:
		verbs := map[string]engine.Verb{incident.Escalated: engine.Escalate, incident.Reassigned: engine.Reassign, incident.Snoozed: engine.Snooze}
		c.explain(l, verbs[e.Kind], e.By)
	}
	l.happened(e, t)
}

// opened is about an incident that is new.
func (c *checker) opened(e incident.Event, t time.Duration) {
	n, err := incident.ParseID(e.Incident)
	if err != nil || n != c.highest+1 {
		c.fail("incidents are numbered in order", "%s opened after INC-%d", e.Incident, c.highest)
	}
	c.highest = n
	c.w.counts.Incidents++
	id := c.identityOf(n)
	for _, o := range c.ladders {
		if o.identity != id {
			continue
		}
		if o.open() {
			c.fail("there is at most one open incident per identity", "%s opened, and %s is %s", e.Incident, o.name(), o.status)
		}
		if t-o.resolvedAt < c.w.cfg.ReopenWindow {
			c.fail("within the reopen window the same incident reopens", "%s opened %s after %s was resolved", e.Incident, t-o.resolvedAt, o.name())
		}
	}
	l := &bladder{
		c: c, n: n, identity: id, policy: c.w.cfg.Policies[e.Policy], auto: c.w.cfg.Incidents[id.Receiver].AutoResolve,
		keys: map[string]*bkey{}, hoursSince: -1,
	}
	c.ladders[n] = l
	var posted []*bsource
	for _, s := range c.w.sources {
		if s.posted && c.belongs(s, id) {
			posted = append(posted, s)
		}
	}
	if len(posted) == 1 { // it is the incident's, though nobody may have answered for it
		posted[0].joined = n
	}
	firing, loud := c.firing(id)
	if firing == 0 && !c.anyTold(id) {
		c.fail("an incident opens for alerts that fire", "%s opened for %v, and none of its alerts fires", l.name(), id)
	}
	if loud == 0 && firing > 0 && !c.hazy(id) && !c.silenceEndsNow() {
		c.fail("a silence holds from its 200 on", "%s opened, and all its alerts are silenced", l.name())
	}
}

// identityOf asks the API, or the disk, what makes the incident.
func (c *checker) identityOf(n int) incident.Identity {
	if c.w.e != nil {
		if v, err := c.w.e.Incident(context.Background(), n); err == nil {
			return v.Identity
		}
	}
	return c.w.disk.identity(n)
}

// resolved holds that an incident ends by its source, by a person or by its own rule, never by a restart.
func (c *checker) resolved(l *bladder, e incident.Event, t time.Duration) {
	if e.By != "" {
		c.explain(l, engine.Resolve, e.By)
		return
	}
	if !l.auto {
		l.fail("an incident resolves only by its source, a person or its own rule", "it resolved by itself, and auto_resolve is off")
	}
	for _, s := range c.w.sources {
		if !s.over && s.accepted >= 0 && s.accepted < t && c.belongs(s, l.identity) && c.loudSince(s) {
			l.fail("an incident resolves only by its source, a person or its own rule", "it resolved (%s), and %v fires", e.Reason, s.labels)
		}
	}
}

// loudSince tells whether the engine has had a moment to hear of the alert unsilenced.
func (c *checker) loudSince(s *bsource) bool { return s.spoken >= 0 && s.spoken < c.w.elapsed }

// firing counts an identity's alerts that fire, and those that no silence covers.
func (c *checker) firing(id incident.Identity) (all, loud int) {
	for _, s := range c.w.sources {
		if s.over || s.accepted < 0 || !c.belongs(s, id) {
			continue
		}
		if all++; !c.silencedAlert(s.labels) {
			loud++
		}
	}
	return all, loud
}

// hazy tells whether nobody answered for the last that was said of one of an identity's alerts.
func (c *checker) hazy(id incident.Identity) bool {
	return slices.ContainsFunc(c.w.sources, func(s *bsource) bool {
		return s.resend != forever && c.belongs(s, id) && (s.over || s.accepted < 0) && (s.told || s.posted)
	})
}

// anyTold tells whether the engine may believe that an alert fires: one whose news may have been cut off.
func (c *checker) anyTold(id incident.Identity) bool {
	return slices.ContainsFunc(c.w.sources, func(s *bsource) bool { return c.belongs(s, id) })
}

// belongs tells whether the alert is one of the identity's.
func (c *checker) belongs(s *bsource, id incident.Identity) bool {
	if s.receiver == "" {
		var scope incident.Scope
		s.receiver, scope, s.group = c.place(s.labels)
		s.group = ":" + s.group
		if scope == incident.ScopeAlert {
			s.group, s.alert = "", fmt.Sprintf("%016x", (&router.Alert{Labels: s.labels}).Fingerprint())
		}
	}
	return s.receiver == id.Receiver && s.alert == id.Alert && (s.alert != "" || strings.HasSuffix(id.GroupKey, s.group))
}

// place is where the file's routes send an alert, and its group's labels.
func (c *checker) place(ls router.Labels) (receiver string, scope incident.Scope, group string) {
	set := model.LabelSet{}
	for _, l := range ls {
		set[model.LabelName(l.Name)] = model.LabelValue(l.Value)
	}
	route := c.w.cfg.Routing.Root.Match(set)[0]
	by := model.LabelSet{}
	for name := range route.RouteOpts.GroupBy {
		if v, ok := set[name]; ok {
			by[name] = v
		}
	}
	return route.RouteOpts.Receiver, c.w.cfg.Incidents[route.RouteOpts.Receiver].Scope, by.String()
}

// ---- what people do

func (c *checker) submitted(a engine.Action) { c.asked[a.Incident] = append(c.asked[a.Incident], a) }

// explain holds that somebody did what the history says they did.
func (c *checker) explain(l *bladder, v engine.Verb, by string) {
	if !slices.ContainsFunc(c.asked[l.name()], func(a engine.Action) bool { return a.Verb == v && a.By == by }) {
		l.fail("the timeline tells what happened", "%s by %q, who did no such thing", v, by)
	}
}

// lastAsked is the latest action of that kind.
func (c *checker) lastAsked(id string, v engine.Verb, by string) engine.Action {
	for _, a := range slices.Backward(c.asked[id]) {
		if a.Verb == v && a.By == by {
			return a
		}
	}
	panic(fmt.Sprintf("nobody did %s to %s", v, id))
}

func (c *checker) snoozedFor(e incident.Event) time.Duration {
	return c.lastAsked(e.Incident, engine.Snooze, e.By).For
}

func (c *checker) reassignedTo(e incident.Event) escalation.Target {
	return *c.lastAsked(e.Incident, engine.Reassign, e.By).To
}

// answered holds that what was answered for is in the history.
func (c *checker) answered(a engine.Action, answer engine.Answer) {
	if a.Verb != engine.Acknowledge {
		return
	}
	c.acked = append(c.acked, a)
	if !slices.ContainsFunc(c.events, func(e incident.Event) bool {
		return e.Incident == a.Incident && e.By == a.By && (e.Kind == incident.Acknowledged || e.Kind == incident.Note)
	}) {
		c.fail("no acknowledgement is lost", "%s acknowledged %s and was told so (%s), and the history knows nothing", a.By, a.Incident, answer.Incident.Status)
	}
}

func (c *checker) anyOpen() int {
	if len(c.open) == 0 {
		return 0
	}
	return c.open[c.w.rand.IntN(len(c.open))].n
}

// ---- what leaves

// pagesOf are the pages that a delivery is.
func (c *checker) pagesOf(s engine.Send) []bpage {
	d := s.Delivery
	if d.Event != "page" || d.Group != nil || d.Duty != nil {
		return nil
	}
	if len(d.Parts) == 0 {
		p := parsePage(d.Key)
		if d.Rung > 0 && p.place != fmt.Sprintf("%d.%d", d.Rung, d.Cycle) || p.user != d.User || p.incident != d.Incident {
			c.fail("a page is what its key says", "%s is of step %d, to %s", d.Key, d.Rung, d.User)
		}
		return []bpage{p}
	}
	c.bundles[d.Key] = d.Parts
	var pages []bpage
	named := map[int]bool{} // the incidents that the message is about, and whether somebody still wants it to be
	for _, i := range s.Digest {
		named[i.Number] = false
	}
	for _, key := range d.Parts {
		p := parsePage(key)
		p.bundle = d.Key
		if _, is := named[p.incident]; !is {
			continue
		}
		if l := c.ladders[p.incident]; l == nil || l.keys[key] == nil || l.keys[key].message.fate != dropped {
			named[p.incident] = true
			pages = append(pages, p)
		}
	}
	for n, wanted := range named {
		if !wanted {
			c.ladders[n].fail("no page starts after it was taken back", "%s left again and is about it", d.Key)
		}
	}
	return pages
}

// parsePage reads INC-1/2.1/bo.chat/4 and INC-1/2.1/channel/4/webhook/0.
func parsePage(key string) bpage {
	part := strings.Split(key, "/")
	if len(part) < 4 {
		return bpage{key: key}
	}
	n, _ := incident.ParseID(part[0])
	number, _ := strconv.Atoi(part[3])
	p := bpage{key: key, incident: n, number: number, place: part[1], parent: strings.Join(part[:4], "/")}
	if user, via, ok := strings.Cut(part[2], "."); ok {
		p.user, p.via = user, via
	} else {
		p.receiver = part[2]
	}
	return p
}

func (c *checker) partsOf(key string) []string {
	if parts := c.bundles[key]; parts != nil {
		return parts
	}
	return []string{key}
}

func (c *checker) keysOf(key string, do func(*bkey)) {
	for _, part := range c.partsOf(key) {
		n, _ := incident.ParseID(strings.Split(part, "/")[0])
		if l := c.ladders[n]; l != nil && l.keys[part] != nil {
			do(l.keys[part])
		}
	}
}

// verdict is what a sender says of an attempt.
func (c *checker) verdict(key string, v engine.Verdict) {
	c.keysOf(key, func(k *bkey) {
		if !k.riding {
			return // its bundle went on without it
		}
		k.riding, k.given, k.outcome = false, true, v.Outcome
		if v.Outcome == engine.Retry && k.message.fate == inFlight {
			k.again++
			k.retryBy = c.w.elapsed + retryWithin
		}
	})
}

// ---- crashes, restarts, reloads

// crashed lets what was on the wire go out once more, and takes in what the disk has.
func (c *checker) crashed(events []incident.Event, sends []engine.Send) {
	for _, l := range c.open {
		l.hide(c.w.elapsed)
	}
	c.seen(events, sends)
	c.died = true
	for _, l := range c.ladders {
		for _, k := range l.keys {
			if !k.final {
				k.again = 1
				k.retryBy = 0
			}
		}
	}
}

func (c *checker) booted() {
	if c.w.e != nil {
		c.reconcile()
	}
	c.weigh()
	if c.died { // before the first turn
		c.died = false
		for _, l := range c.open {
			l.awoke(c.w.crashed)
		}
	}
}

// says is what the API shows of an incident, for who reads of a violation.
func (c *checker) says(n int) string {
	if c.w.e == nil {
		return "the engine is down"
	}
	v, err := c.w.e.Incident(context.Background(), n)
	if err != nil {
		return err.Error()
	}
	at := "never"
	if d, ok := c.nextAt(n); ok {
		at = FormatElapsed(d)
	}
	return fmt.Sprintf("the API says that it is %s, %s, next %v at %s", v.Status, v.Urgency, v.NextWho, at)
}

// hasIt tells whether the API says that somebody has the incident.
func (c *checker) hasIt(n int) bool {
	v, err := c.w.e.Incident(context.Background(), n)
	return err == nil && v.Status == incident.Acked
}

// nextAt is when the API says that the incident's ladder goes on.
func (c *checker) nextAt(n int) (at time.Duration, ok bool) {
	if c.w.e == nil {
		return 0, false
	}
	v, err := c.w.e.Incident(context.Background(), n)
	if err != nil || v.NextAt.IsZero() {
		return 0, false
	}
	return v.NextAt.Sub(c.w.wall()) + c.w.elapsed, true
}

// look compares the API's views with what must be.
func (c *checker) look() {
	if c.w.e == nil || c.w.elapsed < c.w.asleep {
		return
	}
	c.looked = c.w.elapsed
	shown, _, err := c.w.e.Incidents(context.Background(), engine.Filter{Status: []incident.Status{incident.Triggered, incident.Acked}}, 0, 1<<20)
	if err != nil {
		c.fail("the API answers", "%v", err)
	}
	seen := map[int]bool{}
	ids := map[incident.Identity]int{}
	for _, v := range shown {
		l := c.ladders[v.Number]
		if l == nil {
			c.fail("the timeline tells what happened", "%s is open, and the history does not know it", v.ID())
		}
		if v.Status != l.status {
			l.fail("no acknowledgement is lost", "the API says that it is %s", v.Status)
		}
		if other := ids[v.Identity]; other > 0 {
			l.fail("there is at most one open incident per identity", "INC-%d has the same one", other)
		}
		if v.Identity != l.identity {
			l.fail("an incident keeps its identity", "it was %v and is %v", l.identity, v.Identity)
		}
		seen[v.Number], ids[v.Identity] = true, v.Number
	}
	for _, l := range c.open {
		if !seen[l.n] {
			l.fail("an incident resolves only by its source, a person or its own rule", "the API does not show it as open")
		}
	}
	c.bounded()
}

// absent holds, after every moment, that nothing that is due is missing.
func (c *checker) absent() {
	now := c.w.elapsed
	c.weigh()
	if c.w.e == nil || now < c.w.asleep {
		return
	}
	c.quietly()
	for _, l := range c.open {
		l.absent(now)
	}
	if now-c.looked >= 10*time.Minute {
		c.look()
		c.lost()
	}
}

func (c *checker) deadline() time.Duration {
	next := forever
	for _, l := range c.open {
		next = min(next, l.deadline(c.w.elapsed))
	}
	return next
}

// lost holds that every alert that was answered for and fires is an incident's.
func (c *checker) lost() {
	within := max(c.w.house.groupWait, c.w.house.groupTime) + c.w.house.groupTime + promptly
	for _, s := range c.w.sources {
		if s.over || s.spoken < 0 || c.w.elapsed-max(s.spoken, c.w.up) <= within {
			continue
		}
		found := false
		for _, l := range c.ladders {
			// One that was resolved by hand stays so until its alerts were clear once.
			found = found || c.belongs(s, l.identity) && (l.open() || l.resolvedBy != "")
		}
		if !found {
			c.fail("no accepted alert that opens an incident is lost", "%v fires since %s and is no incident's", s.labels, FormatElapsed(s.accepted))
		}
	}
}

// Limits of what an incident may leave waiting.
const (
	mostDeliveries = 24 // without an outcome, for each incident that is open or was lately
	mostKeys       = 40 // besides history, likewise
)

// bounded holds that queues do not grow.
func (c *checker) bounded() {
	lately := 0
	for _, l := range c.ladders {
		if l.open() || l.resolvedBy != "" || c.w.elapsed-l.resolvedAt < 2*time.Hour { // what was resolved by hand is held by its alerts
			lately++
		}
	}
	for prefix, most := range map[string]int{"delivery/": mostDeliveries * (lately + 1), "ladder/": lately + 1, "member/": mostKeys * (lately + 1)} {
		if n := c.w.disk.count(prefix); n > most && !c.w.unsaved() {
			c.fail("queues stay within their limits", "%d keys begin with %s, and %d incidents were open of late", n, prefix, lately)
		}
	}
}

// atTheEnd holds what is left against what was promised.
func (c *checker) atTheEnd() {
	if c.w.e == nil {
		return
	}
	all, err := c.w.e.Audit(context.Background(), 0, 1<<30)
	if err != nil || len(all) != len(c.events) {
		c.fail("the history is append-only", "it has %d lines, and had %d (%v)", len(all), len(c.events), err)
	}
	own := map[int][]uint64{}
	for i, e := range all {
		if was := c.events[i]; was.Kind != e.Kind || was.Incident != e.Incident || !was.At.Equal(e.At) || was.By != e.By || was.Key != e.Key {
			c.fail("the history is append-only", "line %d was %+v and is %+v", i, was, e)
		}
		ids := e.Incidents
		if e.Incident != "" {
			ids = []string{e.Incident}
		}
		for _, id := range ids {
			if n, err := incident.ParseID(id); err == nil {
				own[n] = append(own[n], e.Seq)
			}
		}
	}
	for n, l := range c.ladders {
		timeline, err := c.w.e.Timeline(context.Background(), n)
		if err != nil {
			c.fail("the timeline has no gaps", "%s: %v", l.name(), err)
		}
		var seqs []uint64
		for _, e := range timeline {
			seqs = append(seqs, e.Seq)
		}
		if !slices.Equal(seqs, own[n]) {
			c.fail("the timeline has no gaps", "%s has lines %v of the history, which has %v", l.name(), seqs, own[n])
		}
		for key, k := range l.keys {
			if k.given && k.outcome == engine.Delivered && !k.final && c.w.crashed < k.first {
				l.fail("the timeline explains every page", "%s came through, and the history does not say so", key)
			}
		}
	}
	for _, a := range c.acked {
		if !slices.ContainsFunc(all, func(e incident.Event) bool {
			return e.Incident == a.Incident && e.By == a.By && (e.Kind == incident.Acknowledged || e.Kind == incident.Note)
		}) {
			c.fail("no acknowledgement is lost", "%s acknowledged %s, and the history knows nothing", a.By, a.Incident)
		}
	}
}
