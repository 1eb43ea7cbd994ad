package engine

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// TestCrashAtEveryCommit plays random nights, and each of them again with a power failure at every one of its commits:
// right before it, when what was sent on account of the one before may be on the wire, and right after it, before an
// answer is given or a page let out. After a while the engine is started again on what the disk holds, some of these
// starts are cut short too, and the night goes on. MIDWATCH_LONG=1 plays many more nights; MIDWATCH_SEED=n plays one.
func TestCrashAtEveryCommit(t *testing.T) {
	first, nights := uint64(1), uint64(7)
	switch {
	case os.Getenv("MIDWATCH_LONG") != "":
		nights = 2000
	case raced:
		nights = 1
	}
	if seed := os.Getenv("MIDWATCH_SEED"); seed != "" {
		first, _ = strconv.ParseUint(seed, 10, 64)
		nights = 1
	}
	whole := maxOps
	defer func() { maxOps = whole }()
	for _, ops := range []int{whole, 6} {
		// With batches so small nearly every turn is several, and is cut within; even units are torn.
		maxOps = ops
		t.Run(fmt.Sprintf("batches of %d", ops), func(t *testing.T) { cutNights(t, first, nights) })
	}
}

func cutNights(t *testing.T, first, nights uint64) {
	var cuts atomic.Int64
	var workers sync.WaitGroup
	seeds := make(chan uint64)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := range seeds {
				commits := playNight(t, seed, 0, false)
				for cut := 1; cut <= commits && !t.Failed(); cut++ {
					playNight(t, seed, cut, true)
					playNight(t, seed, cut, false)
					cuts.Add(2)
				}
			}
		})
	}
	for seed := first; seed < first+nights && !t.Failed(); seed++ {
		seeds <- seed
	}
	close(seeds)
	workers.Wait()
	t.Logf("%d nights with a power failure", cuts.Load())
}

// replay tells how to see a night again.
type replay struct {
	*testing.T
	seed uint64
	what string
}

func (r replay) Helper() {}

func (r replay) Fatalf(format string, args ...any) {
	r.Errorf("night %d, %s: %s\nreplay: MIDWATCH_SEED=%d go test ./engine -run TestCrashAtEveryCommit",
		r.seed, r.what, fmt.Sprintf(format, args...), r.seed)
	runtime.Goexit()
}

// playNight plays one random night, with a power failure before or after a commit (0: none), and returns how many
// commits there were.
func playNight(t *testing.T, seed uint64, cut int, before bool) (commits int) {
	over := make(chan struct{})
	go func() { // so that a failure ends this night alone
		defer close(over)
		w := newWorld(replay{t, seed, fmt.Sprintf("cut at commit %d, before it: %v", cut, before)}, noticed(Notices{Before: []time.Duration{2 * time.Hour}, Handoff: HandoffAlways}, withDelays), seed)
		w.net.outcome = chance(seed)
		w.deeds = w.anyNight(40 * time.Minute)
		w.onStart = (*world).holdRestart
		if cut > 0 {
			w.failures = []failure{{cut, before}}
			if cut%3 == 0 {
				w.failures = append(w.failures, failure{1 + cut/3%4, !before})
			}
		}
		w.plan()
		start := w.disk.commits
		w.run(50 * time.Minute)
		commits = w.disk.commits - start
		w.endOfNight()
		if cut > 0 && w.crashes == 0 {
			w.t.Fatalf("the crash did not come")
		}
	}()
	<-over
	return commits
}

// withDelays makes acknowledgements expire and pages wait, so that a night has more to it.
func withDelays(cfg *Config) {
	two := cfg.Policies["two"]
	two.Repeat = 1
	cfg.Policies["two"] = two
}

// chance is a network on which the same attempt always goes the same way: most are delivered, some late, some fail and
// are tried again, some fail for good.
func chance(seed uint64) func(Send, int) (Verdict, time.Duration) {
	return func(s Send, attempt int) (Verdict, time.Duration) {
		r := rand.New(rand.NewPCG(seed, hash(s.Delivery.Key)+uint64(attempt)))
		late := time.Duration(r.IntN(4)/3) * time.Duration(r.IntN(90)) * time.Second
		switch p := r.IntN(20); {
		case p < 14:
			return Verdict{Outcome: Delivered, Answer: "ok"}, late
		case p < 18:
			return Verdict{Outcome: Retry, Answer: "busy"}, late
		default:
			return Verdict{Outcome: Failed, Answer: "no such number"}, late
		}
	}
}

func hash(s string) (h uint64) {
	for _, c := range []byte(s) {
		h = h*1099511628211 + uint64(c)
	}
	return h
}

// anyNight makes up what happens in a night.
func (w *world) anyNight(length time.Duration) []deed {
	r := w.rand
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	alert := func() []string {
		return []string{
			"alertname", one("Lag", "Disk"), "team", one("", "each", "manual", "crew", "plain", "both"),
			"host", one("a", "b"), "severity", one("warning", "critical", "critical", "page"),
		}
	}
	people := []string{"ana", "bo", "cy", "eva"}
	var fired [][]string
	var deeds []deed
	add := func(what string, do func(w *world)) {
		deeds = append(deeds, deed{time.Duration(r.Int64N(int64(length))).Truncate(time.Second), what, do})
	}
	for range 4 + r.IntN(6) {
		a := alert()
		fired = append(fired, a)
		add("fire", func(w *world) { w.fire(a...) })
	}
	for range r.IntN(8) {
		a := fired[r.IntN(len(fired))]
		add("resolve", func(w *world) { w.resolve(a...) })
	}
	for range r.IntN(12) {
		a := Action{
			Verb:     Verb(one(string(Acknowledge), string(Acknowledge), string(Acknowledge), string(Unacknowledge), string(Resolve), string(Escalate), string(Snooze), string(AddNote), string(AddResponder), string(StopMine), string(Reassign), string(Reassign))),
			Incident: incident.ID(1 + r.IntN(4)), By: one(people...), Via: "cli", Text: "well", For: time.Duration(1+r.IntN(10)) * time.Minute,
			User: one(people...), Policy: "crew",
		}
		if r.IntN(2) == 0 {
			a.To = &escalation.Target{User: one(people...)}
		}
		again := r.IntN(2) == 0
		add(string(a.Verb), func(w *world) {
			if w.act(a) == nil && again {
				w.deeds = slices.Insert(w.deeds, 0, deed{w.elapsed + time.Minute, "again", func(w *world) { w.act(a) }})
			}
		})
	}
	if r.IntN(3) == 0 {
		by := time.Duration(r.IntN(7200)-3600) * time.Second
		add("the clock is set", func(w *world) { w.jump(by) })
	}
	if r.IntN(3) == 0 {
		add("reload", func(w *world) { w.turn(Reload{Config: w.cfg}) })
	}
	if r.IntN(3) == 0 {
		o := oncall.Override{Kind: oncall.Take, User: "ana", Start: night, End: night.Add(time.Hour)}
		add("override", func(w *world) { w.turn(Override{Schedule: "weekly", Override: o, By: "ana"}) })
	}
	for range r.IntN(4) {
		name, value := one("alertname", "alertname", "host"), ""
		if value = one("a", "b"); name == "alertname" {
			value = one("Lag", "Disk")
		}
		length := time.Duration(1+r.IntN(15)) * time.Minute
		add("silence", func(w *world) {
			answers := w.turn(SetSilence{Silence: router.Silence{
				Matchers: []router.MatcherSet{{{Name: name, Value: value}}}, EndsAt: w.wall().Add(length), CreatedBy: "eva",
			}})
			if answers == nil {
				return
			}
			if w.made = append(w.made, answers[0].Silence.ID); answers[0].Err == nil {
				w.silences = append(w.silences, answers[0].Silence.ID)
			}
		})
	}
	if r.IntN(2) == 0 {
		add("a silence ends", func(w *world) {
			if len(w.made) > 0 {
				w.turn(ExpireSilence{ID: w.made[0]})
			}
		})
	}
	if r.IntN(2) == 0 {
		in := TestPage{User: one(people...), By: one(people...)}
		add("test page", func(w *world) { w.turn(in) })
	}
	slices.SortStableFunc(deeds, func(a, b deed) int { return int(a.at - b.at) })
	return deeds
}

// civil is about deeds that go by the wall clock: where that is set they come out differently.
func civil(d deed) bool { return d.what == "silence" || d.what == "a silence ends" }

// holdRestart holds what an engine knows after a start against what is on the disk, before its first turn.
func (w *world) holdRestart(problems []string) {
	w.t.Helper()
	if len(problems) > 0 {
		w.t.Fatalf("after a start: %s", problems[0])
	}
	c := w.e.core
	for key, value := range w.disk.all() {
		switch {
		case strings.HasPrefix(key, prefIncident):
			var i incident.Incident
			if err := decode("incident", []byte(value), &i); err != nil {
				w.t.Fatalf("%s: %v", key, err)
			}
			l := c.live[i.Number]
			if i.Open() && l == nil {
				w.t.Fatalf("%s is open and forgotten", i.ID())
			}
			if l != nil && l.incident.Identity != i.Identity {
				w.t.Fatalf("%s was %+v and is %+v", i.ID(), i.Identity, l.incident.Identity)
			}
			if i.Number > c.last {
				w.t.Fatalf("%s is there, and the last is said to be %d", i.ID(), c.last)
			}
		case strings.HasPrefix(key, prefLadder):
			var r ladderRecord
			if err := decode("ladder", []byte(value), &r); err != nil {
				w.t.Fatalf("%s: %v", key, err)
			}
			n, _ := strconv.Atoi(strings.TrimPrefix(key, prefLadder))
			l := c.live[n]
			if l == nil || !l.incident.Open() {
				continue
			}
			was, _ := json.Marshal(r.Ladder)
			is, _ := json.Marshal(l.ladder)
			if string(was) != string(is) || !l.ladder.Due().Equal(r.Ladder.Due()) {
				w.t.Fatalf("INC-%d's ladder was %s\nand is %s", n, was, is)
			}
		}
	}
}

// endOfNight holds what is left against what was promised.
func (w *world) endOfNight() {
	w.t.Helper()
	w.failures = nil
	w.plan()
	if w.e == nil {
		w.run(w.back)
	}
	w.run(w.elapsed + time.Minute)
	w.holdHistory()
	w.holdRecord()
	w.holdAwake()
	w.holdAlerts()
	w.holdSilences()
	w.holdKeys()
	for _, a := range w.acks {
		n, _ := incident.ParseID(a.incident)
		timeline, err := w.e.Timeline(ctx(), n)
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		if !slices.ContainsFunc(timeline, func(e incident.Event) bool {
			return e.By == a.by && (e.Kind == incident.Acknowledged || e.Kind == incident.Note)
		}) {
			w.t.Fatalf("%s acknowledged %s and was answered; the timeline knows nothing of it:\n%v", a.by, a.incident, timeline)
		}
	}
}

// holdHistory: the history has no gaps, and every line of it stands in its incident's timeline.
func (w *world) holdHistory() {
	w.t.Helper()
	events, err := w.e.Audit(ctx(), 0, 1<<30)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	attempts, _, err := w.e.Deliveries(ctx(), "", 0, 1<<30)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	tried := map[string]bool{}
	for _, a := range attempts {
		tried[a.Key] = true
	}
	own := map[int][]uint64{}
	for i, e := range events {
		if e.Key != "" && !tried[e.Key] {
			w.t.Fatalf("the history tells of %s, and the delivery log does not", e.Key)
		}
		if e.Seq != uint64(i+1) {
			w.t.Fatalf("line %d of the history is followed by %d", i, e.Seq)
		}
		if n, err := incident.ParseID(e.Incident); err == nil {
			own[n] = append(own[n], e.Seq)
			continue
		}
		for _, id := range e.Incidents {
			if n, err := incident.ParseID(id); err == nil {
				own[n] = append(own[n], e.Seq)
			}
		}
	}
	if w.e.core.seq != uint64(len(events)) {
		w.t.Fatalf("the history has %d lines, the engine thinks %d", len(events), w.e.core.seq)
	}
	for n := 1; n <= w.e.core.last; n++ {
		timeline, err := w.e.Timeline(ctx(), n)
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		var seqs []uint64
		for _, e := range timeline {
			seqs = append(seqs, e.Seq)
		}
		if !slices.Equal(seqs, own[n]) {
			w.t.Fatalf("the timeline of INC-%d has lines %v of the history, which has %v", n, seqs, own[n])
		}
	}
}

// holdAwake: whatever is open is waited for.
func (w *world) holdAwake() {
	w.t.Helper()
	c := w.e.core
	for n, l := range c.live {
		if !l.incident.Open() {
			continue
		}
		if l.incident.Status == incident.Triggered && l.ladder.Due().IsZero() && len(l.sends) == 0 && !l.ladder.IsPaused() {
			w.t.Fatalf("INC-%d is triggered, and nothing will ever happen to it", n)
		}
		if due := l.ladder.Due(); !due.IsZero() && c.agenda.index[ladderName(n)] == nil {
			w.t.Fatalf("INC-%d is due at %s, and nobody will wake it", n, due)
		}
		if (l.incident.Status == incident.Acked) != (l.ladder.State() == escalation.Acknowledged) {
			w.t.Fatalf("INC-%d is %s, its ladder %s", n, l.incident.Status, l.ladder.State())
		}
		if !w.paged[n] && w.wall().Sub(l.incident.OpenedAt) > 20*time.Minute && l.ladder.SnoozedUntil().IsZero() && l.incident.Status == incident.Triggered && len(w.silences) == 0 {
			w.t.Fatalf("INC-%d has been open since %s, and nobody was paged", n, l.incident.OpenedAt)
		}
	}
	for n, l := range c.live {
		if l.incident.Open() && l.incident.AutoResolve && len(l.firing) == 0 {
			w.t.Fatalf("INC-%d is open, and none of its alerts fires", n)
		}
		for fp := range l.firing {
			if a := c.router.Alerts().Get(l.members[fp]); a == nil || a.Ended {
				w.t.Fatalf("INC-%d believes that %v fires", n, l.members[fp])
			}
		}
	}
	for key, d := range c.deliveries {
		if !d.out && c.agenda.index["delivery/"+key] == nil {
			w.t.Fatalf("%s is neither let out nor due", key)
		}
	}
}

// holdAlerts: whatever has fired for long enough is somebody's.
func (w *world) holdAlerts() {
	w.t.Helper()
	c := w.e.core
	for _, s := range w.sources {
		team := s.labels.Get("team")
		if s.over || w.elapsed-s.born < 20*time.Minute || team == "plain" || c.router.IsSilenced(s.labels, w.wall()) {
			continue
		}
		a := c.router.Alerts().Get(s.labels)
		if a == nil {
			w.t.Fatalf("%v fires and is not known", s.labels)
		}
		if !slices.ContainsFunc(c.membership[a.Fingerprint()], func(n int) bool {
			l := c.live[n]
			return l.firing[a.Fingerprint()] && (l.incident.Open() || l.incident.Held)
		}) {
			w.t.Fatalf("%v has fired since %s, and no incident knows of it", s.labels, s.since)
		}
	}
}

// holdSilences: one that was answered for is there; and paging pauses for as long as all that fires is silenced.
func (w *world) holdSilences() {
	w.t.Helper()
	c := w.e.core
	for _, id := range w.silences {
		if _, known := c.router.Silence(id); !known {
			w.t.Fatalf("silence %s was answered for, and is forgotten", id)
		}
	}
	for n, l := range c.live {
		if !l.incident.Open() || len(l.firing) == 0 {
			continue
		}
		silenced := true
		for fp := range l.firing {
			silenced = silenced && c.router.IsSilenced(l.members[fp], w.wall())
		}
		if silenced != l.ladder.IsPaused() {
			w.t.Fatalf("INC-%d: all of it is silenced: %v, paging is paused: %v", n, silenced, l.ladder.IsPaused())
		}
	}
}

// holdKeys: nothing is on the disk that nobody will ever look at.
func (w *world) holdKeys() {
	w.t.Helper()
	c := w.e.core
	for key := range w.disk.all() {
		if n := owner(key); n > 0 && !strings.HasPrefix(key, prefIncident) && c.live[n] == nil {
			w.t.Fatalf("%s is left over: INC-%d is over and done with", key, n)
		}
		if rest, ok := strings.CutPrefix(key, prefDelivery); ok && c.deliveries[rest] == nil {
			w.t.Fatalf("%s is left over", key)
		}
	}
	for n, l := range c.live {
		for key := range l.sends {
			if c.deliveries[key] == nil {
				w.t.Fatalf("INC-%d waits for %s, which is gone", n, key)
			}
		}
	}
}
