package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

func ctx() context.Context { return context.Background() }

// A world is an Engine without its loop: turns are taken by hand, time passes when it is told to, the disk crashes and
// fills up on demand, the network answers late, badly or never. All its chance comes from one seed.
type world struct {
	t    fataler
	cfg  *Config
	disk *disk
	e    *Engine // nil while it is down
	rand *rand.Rand

	start   time.Time     // the wall clock when elapsed was 0
	elapsed time.Duration // since then; setting the clock does not move it
	jumped  time.Duration // by what the clock was set, in all

	net     network
	sources []*source
	deeds   []deed
	back    time.Duration // elapsed, when a process that is down is started again

	keys     map[string]string                 // what a page is → its key
	names    map[int]incident.Identity         // incidents that were let out
	acks     []ack                             // that were answered
	silences []string                          // likewise, by their IDs
	made     []string                          // silences, also those that only memory holds
	lastTold map[string]told                   // receiver's integration and group → what it heard last
	paged    map[int]bool                      // incidents of which somebody was told
	watch    func(w *world, s Send)            // looks at everything that is let out
	lossy    bool                              // the disk is full: a crash loses what was not answered for
	unsaved  bool                              // Prometheus is content with ErrUnsaved
	crashes  int                               // so far
	failures []failure                         // still to come
	onStart  func(w *world, problems []string) // looks at what a start found; nil: there must be no problems
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

type ack struct {
	incident string
	by       string
}

type told struct {
	key, what string
	at        time.Duration
}

// A source is an alert that Prometheus keeps sending.
type source struct {
	labels router.Labels
	since  time.Time
	resend time.Duration
	over   bool // it ended, and says so until somebody listens
	born   time.Duration
}

// A deed is something that happens to the world at a time of its own.
type deed struct {
	at   time.Duration
	what string
	do   func(w *world)
}

var night = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// newWorld starts an engine on an empty disk.
func newWorld(t fataler, cfg *Config, seed uint64) *world {
	w := &world{
		t: t, cfg: cfg, disk: newDisk(), rand: rand.New(rand.NewPCG(seed, 7)), start: night,
		keys: map[string]string{}, names: map[int]incident.Identity{}, lastTold: map[string]told{}, paged: map[int]bool{},
	}
	w.boot()
	return w
}

func (w *world) wall() time.Time { return w.start.Add(w.elapsed + w.jumped) }

func (w *world) instant() Instant { return Instant{Wall: w.wall(), Elapsed: w.elapsed} }

// A failure is a loss of power at the n-th commit from now.
type failure struct {
	commit int
	before bool // it is not done; else it is, and nothing that follows from it
}

// plan lets the next failure come.
func (w *world) plan() {
	w.disk.judge = nil
	if len(w.failures) == 0 {
		return
	}
	f, done := w.failures[0], w.disk.commits
	w.failures = w.failures[1:]
	w.disk.judge = func(n int, _ store.Batch) (before, after error) {
		switch {
		case n-done != f.commit:
			return nil, nil
		case f.before:
			return errCrash, nil
		}
		return nil, errCrash
	}
}

// boot starts an engine on what the disk holds, and gives it its first turn.
func (w *world) boot() {
	w.back = 0
	e, err := Start(ctx(), Options{Store: w.disk, Config: w.cfg, Sender: w, Seed: 1, Now: w.instant})
	if err != nil {
		w.t.Fatalf("start: %v", err)
	}
	w.e = e
	if w.onStart != nil {
		w.onStart(w, e.problems)
	} else if len(e.problems) > 0 {
		w.t.Fatalf("start: %v", e.problems)
	}
	w.turn()
}

// crash ends the process where it stands. What was on the wire may have arrived; nobody will hear of it.
func (w *world) crash(downFor time.Duration) {
	w.crashes++
	w.e = nil
	w.net.lose()
	w.plan()
	if w.lossy {
		w.forgetUnsaved()
	}
	w.back = w.elapsed + downFor
	if downFor <= 0 {
		w.boot()
	}
}

// turn is one turn of the engine. It reports the answers; none where the engine crashed meanwhile.
func (w *world) turn(inputs ...Input) []Answer {
	if w.e == nil {
		return nil
	}
	requests := make([]request, len(inputs))
	for i, in := range inputs {
		requests[i] = request{in: in, answer: make(chan Answer, 1)}
	}
	if !w.took(w.e.turn(requests)) {
		return nil
	}
	answers := make([]Answer, len(requests))
	for i, r := range requests {
		select {
		case answers[i] = <-r.answer:
		default:
			w.t.Fatalf("%T was never answered", inputs[i])
		}
	}
	w.results()
	return answers
}

// took reports whether the engine still runs after a turn.
func (w *world) took(err error) bool {
	if err == nil {
		if err = w.e.prune(); err == nil {
			return true
		}
	}
	if !errors.Is(err, errCrash) {
		w.t.Fatalf("at %s: %v", w.elapsed, err)
	}
	w.crash(time.Duration(w.rand.IntN(3)) * 4 * time.Minute)
	return false
}

// results takes in what the network has to say now.
func (w *world) results() {
	for w.e != nil {
		w.net.arrive(w.elapsed)
		var first request
		select {
		case first = <-w.e.queue:
		default:
			return
		}
		if !w.took(w.e.turn(w.e.take(first))) {
			return
		}
	}
}

// settle takes turns until nothing is due any more. That must come to an end.
func (w *world) settle() {
	for range 10_000 {
		w.results()
		if w.e == nil {
			return
		}
		due := w.e.core.Due()
		if due.IsZero() || due.After(w.wall()) {
			return
		}
		w.turn()
	}
	name, at, _ := w.e.core.agenda.next(w.wall(), w.e.core.crowdOf)
	w.t.Fatalf("the engine does not come to rest at %s: %s is due at %s, now is %s", w.elapsed, name, at, w.wall())
}

// run lets time pass until so much of it has passed since the start.
func (w *world) run(until time.Duration) {
	w.settle()
	for {
		next := w.next()
		if next > until {
			w.elapsed = max(w.elapsed, until)
			return
		}
		w.elapsed = max(w.elapsed, next)
		if w.e == nil && w.back <= w.elapsed {
			w.boot()
		}
		w.settle()
		for len(w.deeds) > 0 && w.deeds[0].at <= w.elapsed {
			d := w.deeds[0]
			w.deeds = w.deeds[1:]
			d.do(w)
			w.settle()
		}
		for _, s := range slices.Clone(w.sources) {
			if s.resend <= w.elapsed {
				w.send(s)
				w.settle()
			}
		}
	}
}

func (w *world) next() time.Duration {
	const never = 1 << 62
	next := time.Duration(never)
	if w.e == nil {
		next = w.back
	} else if due := w.e.core.Due(); !due.IsZero() {
		next = due.Sub(w.start) - w.jumped
	}
	for _, s := range w.sources {
		next = min(next, s.resend)
	}
	if len(w.deeds) > 0 {
		next = min(next, w.deeds[0].at)
	}
	if at, waits := w.net.next(); waits && w.e != nil {
		next = min(next, at)
	}
	return next
}

func set(pairs ...string) router.Labels {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return router.LabelsOf(m)
}

// alerts is one alert as it is posted.
func alerts(pairs ...string) []*router.Alert {
	return []*router.Alert{{Labels: set(pairs...), StartsAt: night, EndsAt: night.Add(time.Hour)}}
}

// fire makes Prometheus send an alert, now and every minute until resolve.
func (w *world) fire(pairs ...string) {
	w.t.Helper()
	ls := set(pairs...)
	i := w.find(ls)
	if i >= 0 && w.sources[i].over {
		w.sources = slices.Delete(w.sources, i, i+1)
		i = -1
	}
	if i < 0 {
		i = len(w.sources)
		w.sources = append(w.sources, &source{labels: ls, since: w.wall(), born: w.elapsed})
	}
	w.send(w.sources[i])
}

func (w *world) find(ls router.Labels) int {
	return slices.IndexFunc(w.sources, func(s *source) bool { return s.labels.Equal(ls) })
}

// resolve makes the source of an alert say that it is over.
func (w *world) resolve(pairs ...string) {
	w.t.Helper()
	if i := w.find(set(pairs...)); i >= 0 && !w.sources[i].over {
		w.sources[i].over = true
		w.send(w.sources[i])
	}
}

// send is what Prometheus posts about a source. That it is over need be heard once.
func (w *world) send(s *source) {
	s.resend = w.elapsed + time.Minute
	a := &router.Alert{Labels: s.labels, StartsAt: s.since, EndsAt: w.wall().Add(4 * time.Minute)}
	if s.over {
		a.EndsAt = w.wall()
	}
	if w.post(a) && s.over {
		w.sources = slices.DeleteFunc(w.sources, func(o *source) bool { return o == s })
	}
}

// post is Engine.Receive, and reports whether it answered 200.
func (w *world) post(alerts ...*router.Alert) bool {
	if w.e == nil {
		return false
	}
	news := w.e.news(alerts, w.wall())
	if news == nil {
		return true
	}
	answers := w.turn(Alerts{Alerts: news.Alerts()})
	if answers != nil && answers[0].Err == nil {
		news.Empty()
		parcels.Put(news) // the next post writes over it
	}
	return answers != nil && (answers[0].Err == nil || w.unsaved && errors.Is(answers[0].Err, ErrUnsaved))
}

// act does what a person does. It reports what they are told; nil where they hear nothing.
func (w *world) act(a Action) *Answer {
	w.t.Helper()
	if a.By == "" {
		a.By = "ana"
	}
	answers := w.turn(a)
	if answers == nil {
		return nil
	}
	answer := answers[0]
	if answer.Err == nil && a.Verb == Acknowledge {
		w.acks = append(w.acks, ack{answer.Incident.ID(), a.By})
	}
	return &answer
}

// must is act that has to work.
func (w *world) must(a Action) incident.Incident {
	w.t.Helper()
	answer := w.act(a)
	if answer == nil {
		w.t.Fatalf("%s: no answer", a.Verb)
	}
	if answer.Err != nil {
		w.t.Fatalf("%s: %v", a.Verb, answer.Err)
	}
	w.settle()
	return answer.Incident
}

func (w *world) jump(by time.Duration) {
	w.jumped += by
	w.turn()
	w.settle()
}

// story is the history on disk, an event a line; kinds, if given, are those that are wanted.
func (w *world) story(kinds ...string) string {
	var b strings.Builder
	events, err := w.e.Audit(ctx(), 0, 1<<30)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	for _, e := range events {
		if len(kinds) > 0 && !slices.Contains(kinds, e.Kind) {
			continue
		}
		words := []string{e.At.Sub(w.start).String(), e.Kind}
		about := e.Incident
		if about == "" && e.Kind != incident.Notification {
			about = strings.Join(e.Incidents, "+")
		}
		for _, word := range []string{about, e.User, e.Via, e.Receiver, e.By, e.Severity} {
			if word != "" {
				words = append(words, word)
			}
		}
		if e.Step > 0 {
			words = append(words, fmt.Sprintf("%d.%d", e.Step, e.Cycle))
		}
		b.WriteString(strings.Join(words, " ") + "\n")
	}
	return b.String()
}

func (w *world) is(n int) incident.Incident {
	w.t.Helper()
	v, err := w.e.Incident(ctx(), n)
	if err != nil {
		w.t.Fatalf("INC-%d: %v", n, err)
	}
	return v.Incident
}

func same(t testing.TB, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// disk is a store that can be made to fail. It outlives the engines.
type disk struct {
	*store.Memory
	commits int
	log     []store.Batch // all that were done; nil: nobody wants to know
	logging bool

	// judge is asked about every commit: what to say before it is done, and what to say after it was.
	judge func(n int, b store.Batch) (before, after error)
}

var errCrash = errors.New("the machine lost its power")

func newDisk() *disk { return &disk{Memory: store.NewMemory()} }

func (d *disk) Commit(ctx context.Context, b store.Batch) error {
	var after error
	if d.judge != nil {
		var before error
		if before, after = d.judge(d.commits+1, b); before != nil {
			return before
		}
	}
	if err := d.Memory.Commit(ctx, b); err != nil {
		return err
	}
	d.commits++
	if d.logging {
		d.log = append(d.log, b)
	}
	return after
}

// CommitAll is one commit after the other: whatever befalls one of them, those before it are done, and none behind it.
func (d *disk) CommitAll(ctx context.Context, bs []store.Batch) (done int, err error) {
	for _, b := range bs {
		if err := d.Commit(ctx, b); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

// all is the whole key space.
func (d *disk) all() map[string]string {
	m := map[string]string{}
	for item, err := range d.Scan(ctx(), "", "") {
		if err != nil {
			panic(err)
		}
		m[item.Key] = string(item.Value)
	}
	return m
}

// network is what is on the wire.
type network struct {
	mail []letter
	made int
	// outcome says what becomes of an attempt, and after how long; nil: it is delivered at once.
	outcome func(s Send, attempt int) (Verdict, time.Duration)
	deaf    bool // nothing is ever heard of what is sent
}

type letter struct {
	send  Send
	at    time.Duration
	order int
	v     Verdict
	done  func(Verdict)
}

func (n *network) lose() { n.mail = nil }

func (n *network) next() (at time.Duration, waits bool) {
	for _, l := range n.mail {
		if !waits || l.at < at {
			at, waits = l.at, true
		}
	}
	return at, waits
}

// arrive tells the outcomes that are known by now.
func (n *network) arrive(now time.Duration) {
	slices.SortStableFunc(n.mail, func(a, b letter) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
	for len(n.mail) > 0 && n.mail[0].at <= now {
		l := n.mail[0]
		n.mail = n.mail[1:]
		l.done(l.v)
	}
}

// Send is the engine's Sender.
func (w *world) Send(s Send, done func(Verdict)) {
	w.inspect(s)
	if w.watch != nil {
		w.watch(w, s)
	}
	if w.net.deaf {
		return
	}
	v, latency := w.verdict(s)
	w.net.made++
	w.net.mail = append(w.net.mail, letter{s, w.elapsed + latency, w.net.made, v, done})
}

func (w *world) verdict(s Send) (Verdict, time.Duration) {
	if w.net.outcome != nil {
		return w.net.outcome(s, s.Delivery.Attempts+1)
	}
	return Verdict{Outcome: Delivered, Answer: "ok"}, 0
}

// Cancel takes back what has not begun: here, what takes longest.
func (w *world) Cancel(key string) bool {
	i := slices.IndexFunc(w.net.mail, func(l letter) bool { return l.send.Delivery.Key == key && l.at > w.elapsed+20*time.Second })
	if i < 0 {
		return false
	}
	w.net.mail = slices.Delete(w.net.mail, i, i+1)
	return true
}

// inspect holds what is let out against what was let out before, and against what the engine believes.
func (w *world) inspect(s Send) {
	d := s.Delivery
	if d.Group != nil {
		w.inspectGroup(s)
		return
	}
	if len(d.Parts) > 0 {
		pages := w.e.core.parts(&d)
		if len(pages) == 0 || len(pages) > maxBundle {
			w.t.Fatalf("%s stands for %d pages", d.Key, len(pages))
		}
		for _, p := range pages {
			if !p.Withdrawn && p.User == d.User && p.Via == d.Via && p.Bundle == d.Key {
				w.inspect(Send{Delivery: *p, Incident: w.e.core.live[p.Incident].incident})
			} else if !p.Withdrawn {
				w.t.Fatalf("%s stands for %s", d.Key, p.Key)
			}
		}
		return
	}
	if s.Incident.Number != d.Incident {
		w.t.Fatalf("%s is about %s", d.Key, s.Incident.ID())
	}
	if known, ok := w.names[d.Incident]; ok && known != s.Incident.Identity {
		w.t.Fatalf("INC-%d was %+v, and is now %+v", d.Incident, known, s.Incident.Identity)
	}
	w.names[d.Incident] = s.Incident.Identity
	if d.Event != deliverPage {
		return
	}
	w.paged[d.Incident] = true
	if !strings.HasPrefix(d.Key, fmt.Sprintf("INC-%d/responder/", d.Incident)) && s.Incident.Status != incident.Triggered {
		w.t.Fatalf("%s is let out, and %s is %s", d.Key, s.Incident.ID(), s.Incident.Status)
	}
	if d.Rung == 0 {
		return
	}
	// The same step of the same walk pages the same person by the same method under one key, whatever crashes.
	walk := 0
	for _, run := range w.e.core.live[d.Incident].ladder.Runs {
		for _, m := range run.Messages {
			if m.Key == d.Key || d.Parent != "" && m.Key == d.Parent {
				walk = run.Walk
			}
		}
	}
	page := fmt.Sprintf("INC-%d walk %d step %d %s %s %s %s %d", d.Incident, walk, d.Rung, d.User, d.Via, d.Receiver, d.Integration, d.Index)
	if known, ok := w.keys[page]; ok && known != d.Key {
		w.t.Fatalf("%s goes out as %s, and went out as %s before", page, d.Key, known)
	}
	w.keys[page] = d.Key
}

// inspectGroup: no receiver hears the same twice because of a restart.
func (w *world) inspectGroup(s Send) {
	d := s.Delivery
	n := d.Group.Notify()
	if len(n.Alerts) == 0 {
		w.t.Fatalf("%s tells of no alerts", d.Key)
	}
	if d.Integration != "board" {
		return // it is not told of resolved alerts, and so may hear the same again
	}
	var what []string
	for _, a := range n.Alerts {
		what = append(what, fmt.Sprint(a.Labels, a.EndsAt.IsZero()))
	}
	slices.Sort(what)
	seat := fmt.Sprint(d.Receiver, d.Index, n.Entry.GroupKey)
	now := told{d.Key, fmt.Sprint(what), w.elapsed}
	if last, ok := w.lastTold[seat]; ok && last.key != now.key && last.what == now.what && now.at-last.at < n.RepeatInterval {
		w.t.Fatalf("%s heard %s at %s and again at %s as %s (%s)", seat, now.what, last.at, now.at, now.key, n.Reason)
	}
	if v, _ := w.verdict(s); v.Outcome == Delivered {
		w.lastTold[seat] = now
	}
}
