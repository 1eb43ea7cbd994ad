package router

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// run has the world go on from report n to its end.
func (d *driver) run(n int) {
	for _, e := range d.s.events[n:] {
		d.happen(e)
	}
	d.until(d.s.end)
}

// crash throws the router away, and begins anew with what is on disk and the notifications that were on their way.
func (d *driver) crash(t *testing.T, o Options, inFlight ...Notify) {
	t.Helper()
	before := d.Router
	d.Router = New(o)
	d.Peered(!before.unready, before.wait)
	for _, r := range d.disk.journal {
		a, err := DecodeAlert(r)
		if err != nil {
			t.Fatal(err)
		}
		d.Alerts().Load(&a)
	}
	s := State{Stopped: d.time(), InFlight: stored(t, inFlight)}
	for _, g := range d.disk.groups {
		s.Groups = append(s.Groups, stored(t, g))
	}
	for _, silence := range d.disk.silences {
		s.Silences = append(s.Silences, stored(t, silence))
	}
	for _, b := range d.disk.log {
		e, err := DecodeLogEntry(b)
		if err != nil {
			t.Fatal(err)
		}
		s.Log = append(s.Log, e)
	}
	d.do(d.Restore(s, d.time()))
	d.until(d.now)
}

// stored is what comes back of a value that was written as JSON.
func stored[T any](t *testing.T, v T) T {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var back T
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// undisturbed checks that what happens at a random time in each of many worlds is not to be seen in what is delivered.
func undisturbed(t *testing.T, in func(*scenario) bool, happen func(*driver)) {
	for seed := range uint64(150) {
		s := newScenario(seed)
		if len(s.events) == 0 || !in(s) {
			continue
		}
		at := s.events[int(seed*7919)%len(s.events)].at
		s.oblige()
		s.hasty = false
		compare := func(s *scenario) string {
			calm, disturbed := newDriver(s), newDriver(s)
			calm.run(0)
			n := 0
			for ; n < len(s.events) && s.events[n].at <= at; n++ {
				disturbed.happen(s.events[n])
				if n%10 == 0 {
					disturbed.checkpoint()
				}
			}
			happen(disturbed)
			audit(t, disturbed.Router)
			disturbed.run(n)
			audit(t, disturbed.Router)
			return strings.ReplaceAll(difference(calm.all(), disturbed.all()), "Alertmanager", "without it")
		}
		if diff := compare(s); diff != "" {
			s, diff = shrink(s, diff, compare)
			t.Fatalf("disturbed at %s\n%s\n%s", at, s, diff)
		}
	}
}

// oblige lets every other silence end with the last of its alerts, which Alertmanager does not know.
func (s *scenario) oblige() {
	for _, e := range s.events {
		for n := range e.wishes {
			e.wishes[n].obliging = e.wishes[n].thread%2 == 0
		}
	}
}

func always(*scenario) bool { return true }

// A restart is not noticed: whatever was written down in time is enough for the same notifications to follow. Only who
// waits for peers to tell waits anew, see TestARestartDuringTheWaitTellsAllTheSame.
func TestARestartChangesNothing(t *testing.T) {
	alone := func(s *scenario) bool { return s.wait == 0 }
	undisturbed(t, alone, func(d *driver) {
		d.checkpoint()
		o := d.options()
		o.ResolveTimeout = 1 // nothing is prolonged, for we are away for no time at all
		d.crash(t, o)
	})
}

// audit checks that the parts of a router agree with each other.
func audit(t *testing.T, r *Router) {
	t.Helper()
	scheduled := map[*group]bool{}
	for _, a := range slices.Concat(r.agenda.heap, r.throng.due.heap) {
		if a.who.Next.Equal(a.at) {
			scheduled[a.who] = true
		}
	}
	for id, g := range r.groups {
		switch {
		case id != g.ID || id != groupID(g.RouteID, g.Receiver, g.Labels) || r.nodes[g.node.route] != g.node || g.node.id != g.RouteID:
			t.Errorf("%s is not where it belongs", g.Key)
		case g.node.groups[string(g.Labels.appendKey(nil))] != g:
			t.Errorf("%s is not known to its route", g.Key)
		case len(g.members) == 0:
			t.Errorf("%s is empty", g.Key)
		case !scheduled[g]:
			t.Errorf("%s will never speak", g.Key)
		case !g.Step(g.Next.Add(-1)).Next.Equal(g.Next):
			t.Errorf("%s speaks at %s, which its anchor %s does not tell", g.Key, g.Next, g.Anchor)
		}
		for i, e := range g.members {
			if at := e.place(g); at == nil || int(*at) != i {
				t.Errorf("member %d of %s does not know its place", i, g.Key)
			}
		}
	}
	fire := map[string]int{}
	for e := range r.table.entries() {
		a, _ := r.table.read(e)
		if e.forgotten && e.group == nil {
			t.Errorf("%s is forgotten, and yet here", a.Labels)
		}
		for m := range e.groups {
			if r.groups[m.group.ID] != m.group || m.group.members[m.at] != e {
				t.Errorf("%s believes to be in %s", a.Labels, m.group.Key)
			}
		}
		if a.Ended {
			continue
		}
		fire[a.Name()]++
		var want, got []string
		for _, n := range r.match(a.Labels) {
			want = append(want, n.id)
		}
		for m := range e.groups {
			got = append(got, m.group.RouteID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is in groups of %v, want %v", a.Labels, got, want)
		}
		if e.queued == notQueued && !a.EndsAt.IsZero() {
			t.Errorf("%s never expires", a.Labels)
		}
	}
	if r.table.limit > 0 && !maps.Equal(fire, r.table.named) {
		t.Errorf("the table counts %v, but %v fire", r.table.named, fire)
	}
	auditInhibition(t, r)
	auditSilences(t, r)
	for ref, f := range r.flights {
		if ref != f.Ref || r.busy[f.seat()] != f {
			t.Errorf("notification %s has lost its seat", ref)
		}
	}
}

func TestARestartRepeatsWhatWasOnItsWay(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	var sent Notify
	d.deliver = func(n Notify) { sent = n }
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:01")
	d.checkpoint()
	d.crash(t, d.s.options(), sent)
	d.trace()

	// The engine sends it again, under the same Ref. Meanwhile the group says no more to the webhook.
	d.hear("00:02", "B", "00:02", "02:00")
	d.clock("00:06")
	expect(t, d.trace(), "stored B new", "joined db B new", "flushed db 00:05:30 [A B] []")
	d.do(d.Sent(sent.Ref, true, at("00:06"), nil))
	expect(t, d.trace(), "log webhook/0 1 0 deleted=false", "notify webhook/0 00:05:30 [A B]: new alerts added")
	d.do(d.Sent(sent.Ref, true, at("00:06"), nil))
	expect(t, d.trace(), "log webhook/0 2 0 deleted=false")
}

func TestWhatIsOverdueAfterARestartHappensOnce(t *testing.T) {
	for _, c := range []struct {
		back string
		want []string
	}{
		{"00:04", []string{"00:05:30", "00:10:30", "00:15:30"}},    // in time
		{"00:06", []string{"00:06:00", "00:10:30", "00:15:30"}},    // the rhythm stays
		{"00:13", []string{"00:13:00", "00:15:30", "00:20:30"}},    // once, though twice were missed
		{"00:15:30", []string{"00:15:30", "00:20:30", "00:25:30"}}, // on time for a later one
		{"01:00", []string{"01:00:00", "01:00:30", "01:05:30"}},    // and however long we were away
	} {
		d := world(t, plainRoute, map[string]string{"db": "webhook"})
		d.hear("00:00", "A", "00:00", "00:04")
		d.clock("00:02")
		d.checkpoint()
		state := State{Stopped: d.time()}
		for _, g := range d.disk.groups {
			state.Groups = append(state.Groups, stored(t, g))
		}
		r := New(d.s.options())
		for _, rec := range d.disk.journal {
			a, err := DecodeAlert(rec)
			if err != nil {
				t.Fatal(err)
			}
			r.Alerts().Load(&a)
		}
		d.Router, d.fx = r, nil
		d.now = at(c.back).Sub(began)
		d.do(d.Restore(state, d.time()))
		d.do(d.Elapsed(d.time()))
		d.until(d.now + 11*time.Minute)
		var got []string
		for _, f := range effectsOf[Flushed](d.fx) {
			got = append(got, f.At.Format("15:04:05"))
			if c.back != "01:00" && len(got) == 1 && len(f.Firing) != 1 {
				t.Errorf("back at %s: nothing fires, though it is only we who were away", c.back)
			}
		}
		if len(got) > 3 {
			got = got[:3]
		}
		if !slices.Equal(got, c.want[:min(len(got), 3)]) || len(got) < 2 {
			t.Errorf("back at %s it spoke at %v, want %v", c.back, got, c.want)
		}
	}
}

// What was forgotten before a restart is not known after it, though the journal still has it.
func TestARestartKnowsWhatWasForgotten(t *testing.T) {
	for _, c := range []struct {
		stopped, heard string
		want           Change
	}{{"00:29", "00:29:30", Refired}, {"00:31", "00:31:30", FirstSeen}} {
		d := world(t, plainRoute, map[string]string{"db": "webhook"})
		d.hear("00:00", "A", "00:00", "00:04")
		d.clock(c.stopped)
		d.crash(t, d.s.options())
		d.trace()
		d.hear(c.heard, "A", "00:02", "00:40")
		if got := effectsOf[Stored](d.fx); len(got) != 1 || got[0].Change != c.want {
			t.Errorf("stopped at %s: %v, want %s", c.stopped, got, c.want)
		}
	}
}

func TestSettingTheClockMovesNoDeadline(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		d := world(t, plainRoute, map[string]string{"db": "webhook slack"})
		var hanging []Notify
		d.deliver = func(n Notify) {
			if n.Entry.Integration == "slack" {
				hanging = append(hanging, n)
				return
			}
			d.send(n)
		}
		d.hear("02:00", "A", "02:00", "02:07")
		d.hear("02:00:10", "B", "02:00", "02:40")
		d.hear("02:04", "B", "02:00", "02:04")
		d.clock("02:05")
		d.trace()

		d.do(d.Shifted(by))
		d.now += by
		expect(t, d.trace(), "group db deleted=false", "log webhook/0 2 0 deleted=false")
		later := func(clock string) {
			d.until(at(clock).Sub(began) + by)
		}
		later("02:05:29")
		expect(t, d.trace())
		later("02:06")
		stamp := func(clock string) string { return at(clock).Add(by).Format("15:04:05") }
		expect(t, d.trace(),
			fmt.Sprintf("flushed db %s [A] [B]", stamp("02:05:30")),
			fmt.Sprintf("notify webhook/0 %s [A B]: some alerts resolved", stamp("02:05:30")),
			"log webhook/0 1 1 deleted=false")
		d.do(d.Shifted(by)) // once more, while slack still hangs, and waits for its next turn
		d.now += by
		since := by
		by *= 2
		d.trace()
		d.do(d.Sent(hanging[0].Ref, true, d.time(), nil))
		d.do(d.Sent(hanging[1].Ref, true, d.time(), nil))
		expect(t, d.trace(), "log slack/0 2 0 deleted=false",
			fmt.Sprintf("notify slack/0 %s [A B]: some alerts resolved", stamp("02:05:30")),
			"log slack/0 1 1 deleted=false", "group db deleted=false")
		later("02:06:59")
		expect(t, d.trace())
		later("02:07")
		expect(t, d.trace(), "stored A expired", "left db A expired")
		if got := d.disk.groups; len(got) != 1 || !slices.Collect(maps.Values(got))[0].Cleared.Equal(at("02:05:30").Add(2*since)) {
			t.Errorf("the group let go of B at %v", got)
		}
		audit(t, d.Router)
	}
}
