package router

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Due neither cries wolf nor sleeps in: before it nothing happens, calling too early moves nothing, and what was done is
// not due again, however late the engine is. So it is in random worlds, though notifications hang, peers come and go, and
// the clock is set.
func TestDueIsWhenSomethingHappens(t *testing.T) {
	early, late := 0, 0
	for seed := range uint64(120) {
		var (
			s       = newScenario(seed)
			r       = rand.New(rand.NewPCG(seed, 11))
			d       = newDriver(s)
			hanging []Notify
			moved   time.Duration // by which the clock was set
		)
		s.oblige()
		d.deliver = func(n Notify) {
			if chance(r, 20) {
				hanging = append(hanging, n)
				return
			}
			d.send(n)
		}
		pass := func(end time.Duration) {
			for due := d.Due(); !due.IsZero() && !due.After(began.Add(end)); due = d.Due() {
				if before := due.Add(-1); before.After(d.time()) {
					early++
					d.now = before.Sub(began)
					if fx := d.Elapsed(before); len(fx) > 0 {
						t.Fatalf("seed %d: due at %s, but before that came %#v", seed, due, fx[0])
					}
					if again := d.Due(); !again.Equal(due) {
						t.Fatalf("seed %d: due at %s, and when that was asked early, at %s", seed, due, again)
					}
				}
				d.now = max(d.now, due.Sub(began))
				if chance(r, 20) {
					late++
					d.now += time.Duration(r.IntN(90_000)) * time.Millisecond
				}
				d.do(d.Elapsed(d.time()))
				if again := d.Due(); !again.IsZero() && !again.After(d.time()) {
					t.Fatalf("seed %d: at %s due at %s", seed, d.time(), again)
				}
			}
			d.now = max(d.now, end)
		}
		for _, e := range s.events {
			pass(e.at + moved)
			switch r.IntN(25) {
			case 0:
				d.Peered(chance(r, 50), pick(r, 0, 7*time.Second, 15*time.Second))
			case 1:
				by := max(time.Duration(r.IntN(3600)-1800)*time.Second, -moved) // it is never before we began
				moved += by
				d.do(d.Shifted(by))
				d.now += by
			case 2:
				for _, n := range hanging {
					d.do(d.Sent(n.Ref, chance(r, 80), d.time(), nil))
				}
				hanging = nil
			case 3:
				d.crash(t, d.options(), hanging...)
			case 4:
				d.do(d.SetRoutes(d.options(), d.time()))
			}
			switch {
			case e.labels != nil:
				a := e.alert()
				if a.Complete(d.time(), 5*time.Minute); !d.Touch(a, d.time()) {
					d.do(d.Receive([]*Alert{a}, d.time()))
				}
				if chance(r, 80) {
					d.Committed()
				}
			case e.load != nil:
				d.in = s.loaded(e)
				d.do(d.SetRoutes(d.options(), d.time()))
			default:
				d.wished(e, d)
			}
		}
		d.Peered(true, 0)
		pass(s.end + moved)
		audit(t, d.Router)
	}
	if early < 1000 || late < 1000 {
		t.Errorf("asked early %d times and late %d times: that proves little", early, late)
	}
}
