package escalation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A night drives a Page through random deeds as the engine does, and checks every promise at every step.
type night struct {
	t       *rapid.T
	w       *world
	p       Page
	now     time.Time
	trace   []string
	keys    map[string]bool // every Send there was
	unknown []string        // those without an outcome, oldest first
	status  State           // as the incident was told
	bump    time.Duration   // by how much the clock of this night is ahead, for the trace
	extra   []time.Duration // early wake-ups, so long after each event
}

func newNight(t *rapid.T, w *world, begin Begin) *night {
	n := &night{t: t, w: w, now: threeAM, keys: map[string]bool{}, status: Triggered}
	n.do(begin)
	n.settle()
	return n
}

func encode(t *rapid.T, p Page) []byte {
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatalf("%+v cannot be stored: %v", p, err)
	}
	return data
}

// do is one Step, and what must hold of every Step.
func (n *night) do(in Input) {
	before := encode(n.t, n.p)
	var stored Page
	if err := json.Unmarshal(before, &stored); err != nil {
		n.t.Fatal(err)
	}
	next, effects := n.p.Step(in, n.now, n.w)
	if !bytes.Equal(encode(n.t, n.p), before) {
		n.t.Fatalf("%T changed the page it was given", in)
	}
	twin, again := stored.Step(in, n.now, n.w)
	if !reflect.DeepEqual(again, effects) || !bytes.Equal(encode(n.t, twin), encode(n.t, next)) {
		n.t.Fatalf("%T after a restart: %v, without: %v", in, again, effects)
	}
	after := encode(n.t, next)
	n.p.Step(AddResponder{By: "another", User: "future"}, n.now, n.w)
	if !bytes.Equal(encode(n.t, next), after) {
		n.t.Fatalf("another future of the same page changed the one after %T", in)
	}
	n.p = next
	switch in.(type) {
	case Resolved:
		n.status = Closed
	case Reopened:
		if n.status == Closed {
			n.status = Triggered
		}
	}
	n.check(in, effects)
	for _, e := range effects {
		n.trace = append(n.trace, clock(n.now.Add(-n.bump))+" "+describe(e))
		if turn, ok := e.(TurnTaken); ok {
			n.w.turns[fmt.Sprint(turn.Policy, turn.Step)] += turn.Turns
		}
	}
	for _, e := range effects {
		if send, ok := e.(Send); ok {
			n.deliver(send)
		}
	}
}

func (n *night) check(in Input, effects []Effect) {
	fatal := func(format string, args ...any) {
		n.t.Helper()
		n.t.Fatalf("%T at %s: %s\n%v\n%s", in, clock(n.now), fmt.Sprintf(format, args...), effects, encode(n.t, n.p))
	}
	sends := 0
	to := map[Contact]bool{}
	for _, e := range effects {
		switch e := e.(type) {
		case Send:
			sends++
			contact := Contact{e.User, e.Via + string(e.Event), e.Receiver}
			switch {
			case n.keys[e.Key]:
				fatal("key %s twice", e.Key)
			case to[contact]:
				fatal("two messages to %+v", contact)
			case e.Reason == "" || e.Event == "" || e.Origin == "":
				fatal("unexplained %+v", e)
			case (e.User == "") == (e.Receiver == ""):
				fatal("to whom? %+v", e)
			case n.p.OnHold, n.p.Status == Closed:
				fatal("sent although %s, paused %v", n.p.Status, n.p.OnHold)
			case !n.p.climbing() && (e.Origin == FromStep || e.Origin == FromCatchAll):
				fatal("the ladder paged although %s, snoozed until %v", n.p.Status, n.p.SnoozeEnds)
			case (e.Origin == FromStep) != (e.Step > 0 && e.Cycle > 0):
				fatal("wrong place %+v", e)
			}
			to[contact] = true
			n.keys[e.Key] = true
			n.unknown = append(n.unknown, e.Key)
		case Cancel:
			i := slices.Index(n.unknown, e.Key)
			if i < 0 {
				fatal("took back %s, which was not under way", e.Key)
			}
			n.unknown = slices.Delete(n.unknown, i, i+1)
		case Status:
			if n.status == e.To {
				fatal("told %s twice", e.To)
			}
			n.status = e.To
		case Happened:
			if e.Reason == "" {
				fatal("no reason: %+v", e)
			}
		case TurnTaken:
			if e.Turns < 1 {
				fatal("%+v", e)
			}
		}
	}
	if sends > MaxSends {
		fatal("%d sends", sends)
	}
	if n.status != n.p.State() {
		fatal("the incident was told %s, the page is %s", n.status, n.p.State())
	}
	if n.status == Closed && len(n.unknown) > 0 {
		fatal("resolved, yet %v may still go out", n.unknown)
	}
}

func (n *night) deliver(send Send) {
	address := send.Receiver
	if send.User != "" {
		address = send.User + "." + send.Via
	}
	if n.w.slow[address] {
		return
	}
	reason, failed := n.w.fails[address]
	n.outcome(Outcome{Key: send.Key, OK: !failed, Reason: reason})
}

func (n *night) outcome(o Outcome) {
	if i := slices.Index(n.unknown, o.Key); i >= 0 {
		n.unknown = slices.Delete(n.unknown, i, i+1)
	}
	n.do(o)
}

// settle steps while something is due now; that must come to an end, and then waking early changes nothing.
func (n *night) settle() {
	n.t.Helper()
	for range 100 {
		if !isDue(n.p.Due(), n.now) {
			n.settled()
			return
		}
		n.do(Elapsed{})
	}
	n.t.Fatalf("still due after 100 steps at %s: %s", clock(n.now), encode(n.t, n.p))
}

func (n *night) settled() {
	again, effects := n.p.Step(Elapsed{}, n.now, n.w)
	if len(effects) > 0 || !reflect.DeepEqual(again, n.p) {
		n.t.Fatalf("woken early it did %v", effects)
	}
	quiet := !n.p.High && n.p.Policy.LowUrgency == LowNotifyOnly && !n.p.Ladder.Ended // told, and that is all
	if n.p.Status == Triggered && !n.p.OnHold && n.p.Due().IsZero() && !quiet {
		n.t.Fatalf("dead page: %s", encode(n.t, n.p))
	}
	if n.p.climbing() && !n.p.OnHold && n.p.Ladder.Next.IsZero() && !quiet {
		n.t.Fatalf("dead ladder: %s", encode(n.t, n.p))
	}
	if who := n.p.NextWho(n.w); len(who) > 0 && n.p.Status != Triggered {
		n.t.Fatalf("%s, yet %v are next", n.p.Status, who)
	}
}

// pass lets time go by, waking whenever something is due.
func (n *night) pass(end time.Time) {
	for range 5000 {
		due := n.p.Due()
		if len(n.extra) > 0 {
			if early := n.now.Add(n.extra[0]); early.Before(end) && (due.IsZero() || early.Before(due)) {
				n.extra = n.extra[1:]
				n.now = early
				n.do(Elapsed{})
				continue
			}
		}
		if due.IsZero() || !due.Before(end) {
			n.now = end
			return
		}
		n.now = due
		n.settle()
	}
	n.t.Fatalf("due 5000 times before %s", clock(end))
}

func (n *night) act(d deed) {
	end := n.now.Add(d.after)
	if d.sleep {
		n.now = end
	} else {
		n.pass(end)
	}
	in := d.in
	if o, ok := in.(Outcome); ok && d.late {
		if len(n.unknown) > 0 {
			o.Key = n.unknown[0]
		}
		n.outcome(o)
	} else {
		n.do(in)
	}
	n.settle()
}

func TestEveryNightKeepsThePromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNight(t, drawWorld(t), drawBegin(t))
		for _, d := range anyNight.Draw(t, "night") {
			n.act(d)
			if rapid.IntRange(0, 9).Draw(t, "clock set back") == 0 {
				n.now = n.now.Add(-20 * time.Minute)
				n.settle()
			}
		}
	})
}

// copyOf is a world of its own with the same people in it.
func copyOf(w *world) *world {
	c := *w
	c.turns = map[string]int{}
	return &c
}

func TestEarlyWakeUpsAreHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, begin := drawWorld(t), drawBegin(t)
		deeds := anyNight.Draw(t, "night")
		plain := newNight(t, w, begin)
		restless := newNight(t, copyOf(w), begin)
		restless.w.turns = map[string]int{}
		for k, v := range plain.w.turns {
			restless.w.turns[k] = v
		}
		for _, d := range deeds {
			restless.extra = rapid.SliceOfN(rapid.Map(rapid.Int64Range(1, int64(10*time.Minute)), func(i int64) time.Duration { return time.Duration(i) }), 0, 5).Draw(t, "extra")
			plain.act(d)
			restless.act(d)
		}
		if !slices.Equal(plain.trace, restless.trace) {
			t.Fatalf("woken when due\n%q\nand at other times too\n%q", plain.trace, restless.trace)
		}
	})
}

// A clock that jumps neither delays nor doubles: the same night, with every deadline moved, is the same night.
func TestAShiftedNightIsTheSameNight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, begin := drawWorld(t), drawBegin(t)
		// What follows the wall clock should not stay the same.
		delete(w.onCall, "shift")
		w.opens = ""
		jump := time.Duration(rapid.Int64Range(-int64(2*time.Hour), int64(2*time.Hour)).Draw(t, "jump"))
		deeds := anyNight.Draw(t, "night")
		when := rapid.IntRange(0, len(deeds)-1).Draw(t, "when")

		still := newNight(t, w, begin)
		moved := newNight(t, copyOf(w), begin)
		for i, d := range deeds {
			if i == when {
				moved.now = moved.now.Add(jump)
				moved.bump = jump
				moved.do(Shifted{By: jump})
			}
			still.act(d)
			moved.act(d)
		}
		if !slices.Equal(still.trace, moved.trace) {
			t.Fatalf("on a still clock\n%q\non one that jumped %v\n%q", still.trace, jump, moved.trace)
		}
	})
}

// Many people at once, all of whom fail at once: portions, and still an end.
func TestPortionsLoseNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := rapid.IntRange(0, 350).Draw(t, "people")
		p := Policy{Steps: []Step{{}}}
		for i := range people {
			p.Steps[0].Notify = append(p.Steps[0].Notify, Target{User: fmt.Sprint("u", i)})
		}
		w := newWorld()
		page, effects := Open(Begin{Incident: "INC-1", Policy: p, Paging: Paging{CatchAll: Target{User: "cto"}}}, threeAM, w)
		var got []string
		for steps := 0; ; steps++ {
			for _, e := range effects {
				if send, ok := e.(Send); ok {
					got = append(got, send.User)
				}
			}
			if len(effects) > MaxSends+2 || steps > people/MaxSends+1 {
				t.Fatalf("%d effects in step %d", len(effects), steps)
			}
			if !isDue(page.Due(), threeAM) {
				break
			}
			page, effects = page.Step(Elapsed{}, threeAM, w)
		}
		var want []string
		for i := range people {
			want = append(want, fmt.Sprint("u", i))
		}
		if people == 0 {
			want = []string{"cto"}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("paged %v", got)
		}
	})
}

// Whatever the input, at whatever time, in whatever state, nothing panics.
func TestEveryInputInEveryState(t *testing.T) {
	w := newWorld()
	pages := []Page{{}}
	for range 3 {
		for _, p := range slices.Clone(pages)[:min(len(pages), 40)] {
			for _, in := range everyInput() {
				for _, now := range []time.Time{{}, threeAM, threeAM.Add(-time.Hour), threeAM.AddDate(100, 0, 0)} {
					next, _ := p.Step(in, now, w)
					next.Due()
					next.NextWho(nobody{})
					if !reflect.DeepEqual(next, p) {
						pages = append(pages, next)
					}
				}
			}
		}
	}
	if len(pages) < 100 {
		t.Errorf("only %d states were seen", len(pages))
	}
}
