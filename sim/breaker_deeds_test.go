package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// fill plans what happens of itself: an amount for each hour, and floods, crashes and the rest now and then.
func (w *breaker) fill() {
	r, hours := w.rand, w.length.Hours()
	sometime := func() time.Duration { return time.Duration(r.Int64N(int64(w.length))).Truncate(time.Second) }
	often := func(perHour float64) int {
		n := perHour * hours
		k := int(n)
		if r.Float64() < n-float64(k) {
			k++
		}
		return k
	}
	alert := func(name, host, team string) router.Labels {
		return router.LabelsOf(map[string]string{
			"alertname": name, "host": host, "team": team, "severity": one(r, "warning", "critical", "critical", "info", "page"),
		})
	}
	for range often(0.4) { // a problem: a few alerts that have something to do with each other
		at, name, team := sometime(), one(r, "Lag", "Disk", "Down"), fmt.Sprintf("t%d", r.IntN(w.house.teams))
		length := time.Duration(30+r.IntN(one(r, 300, 3000, 3000, 15000))) * time.Second
		for range 1 + r.IntN(3) {
			ls := alert(name, one(r, "a", "b", "c"), team)
			begin := at + time.Duration(r.IntN(one(r, 1, 60, 900)))*time.Second
			end := begin + length + time.Duration(r.IntN(300))*time.Second
			w.at(begin, "", func(w *breaker) { w.fire(ls) })
			w.at(end, "", func(w *breaker) { w.resolve(ls) })
			if chance(r, 25) { // it flaps
				w.at(end+time.Duration(5+r.IntN(1500))*time.Second, "", func(w *breaker) { w.fire(ls) })
				w.at(end+time.Duration(1800+r.IntN(3600))*time.Second, "", func(w *breaker) { w.resolve(ls) })
			}
		}
	}
	for range often(0.01) { // a flood
		at, team := sometime(), fmt.Sprintf("t%d", r.IntN(w.house.teams))
		for i := range 4 + r.IntN(one(r, 4, 30)) {
			ls := router.LabelsOf(map[string]string{"alertname": "Flood", "host": fmt.Sprintf("f%d", i), "team": team, "severity": "critical"})
			end := at + time.Duration(300+r.IntN(2400))*time.Second
			w.at(at, "", func(w *breaker) { w.fire(ls) })
			w.at(end, "", func(w *breaker) { w.resolve(ls) })
		}
	}
	for range often(0.15) {
		w.at(sometime(), "", (*breaker).plot)
	}
	for range often(0.05) {
		w.at(sometime(), "", func(w *breaker) { // somebody looks in
			if n := w.check.anyOpen(); n > 0 {
				a := engine.Action{Verb: one(w.rand, engine.Acknowledge, engine.Escalate, engine.Snooze, engine.AddResponder, engine.Reassign, engine.Resolve, engine.AddNote), Incident: incident.ID(n), By: one(w.rand, breakerUsers...), Via: "cli"}
				w.garnish(&a)
				w.act(a, 1)
			}
		})
	}
	for range often(0.08) {
		w.at(sometime(), "", (*breaker).silence)
	}
	for range often(0.04) {
		w.at(sometime(), "", (*breaker).override)
	}
	for range often(0.02) {
		w.at(sometime(), "", (*breaker).swap)
	}
	for range often(0.02) {
		w.at(sometime(), "", (*breaker).setClock)
	}
	for range often(0.015) {
		w.at(sometime(), "", (*breaker).reload)
	}
	for range often(0.01) {
		w.at(sometime(), "the disk is full", func(w *breaker) {
			if w.disk.failIn > 0 || w.dying > 0 || w.e == nil {
				return
			}
			w.counts.Full++
			w.disk.full = true
			w.at(w.elapsed+time.Duration(5+w.rand.IntN(600))*time.Second, "the disk takes writes", func(w *breaker) {
				w.disk.full = false
				w.at(w.elapsed+3*time.Second, "", func(w *breaker) { w.step() })
			})
		})
	}
	for range often(0.02) {
		w.at(sometime(), "", func(w *breaker) {
			if w.e != nil && w.asleep == 0 && !w.unsaved() {
				w.counts.Suspended++
				w.dozed = w.elapsed
				w.asleep = w.elapsed + time.Duration(2+w.rand.IntN(one(w.rand, 100, 1000, 4*3600)))*time.Second
				w.note("suspended until %s", FormatElapsed(w.asleep))
			}
		})
	}
	for range often(0.01) {
		w.at(sometime(), "", (*breaker).outage)
	}
	w.deeds = slices.DeleteFunc(w.deeds, func(d bdeed) bool { return w.skip[d.order] })
}

// outage keeps Prometheus from posting for a while. Longer than its alerts last without being repeated, and nobody can say
// which of them fire.
func (w *breaker) outage() {
	length := time.Duration(w.rand.IntN(int(resendFor - resendEvery - 31*time.Second)))
	if long := chance(w.rand, 50); long {
		length = resendFor + time.Duration(w.rand.IntN(3600))*time.Second
		for _, s := range w.sources {
			s.accepted, s.spoken = -1, -1
		}
		w.check.weigh()
	}
	w.note("Prometheus posts nothing for %s", length)
	w.counts.Outages++
	for _, s := range w.sources { // what it would have sent, it sends when it is back
		if s.resend != forever {
			s.resend = max(s.resend, w.elapsed+length+time.Duration(w.rand.IntN(30))*time.Second)
		}
	}
	w.away = w.elapsed + length
}

// unsaved tells whether a crash would lose what was answered for in memory only.
func (w *breaker) unsaved() bool { return w.disk.full || w.e != nil && w.e.Trouble() != "" }

// plot prepares a failure of power.
func (w *breaker) plot() {
	if w.e == nil || w.unsaved() || w.asleep > 0 {
		return
	}
	switch w.rand.IntN(4) {
	case 0:
		w.crash(one(w.rand, 0, time.Second, 30*time.Second, 3*time.Minute, 40*time.Minute))
	case 1:
		w.disk.failIn, w.disk.before = 1+w.rand.IntN(4), true
	case 2:
		w.disk.failIn, w.disk.before = 1+w.rand.IntN(4), false
	default:
		w.dying = 1 + w.rand.IntN(3)
	}
}

func (w *breaker) setClock() {
	if w.e == nil || w.elapsed < w.asleep {
		return
	}
	by := time.Duration(w.rand.IntN(4*3600)-2*3600) * time.Second
	if chance(w.rand, 30) {
		by = time.Duration(w.rand.IntN(120)-60) * time.Second
	}
	// A process that dies before it has seen that the clock was set cannot know it afterwards.
	w.disk.failIn, w.dying = 0, 0
	w.counts.Jumps++
	w.note("the clock is set by %s", by)
	w.jumped += by
	w.step()
}

func (w *breaker) reload() {
	if w.e == nil || w.elapsed < w.asleep {
		return
	}
	next := 0
	if w.cfg == w.cfgs[0] {
		next = 1
		if w.cfgs[1] == nil {
			w.cfgs[1] = readHouse(w.t, w.house.text(true))
		}
	}
	w.counts.Reloads++
	w.note("reload")
	was := w.cfg
	w.cfg = w.cfgs[next]
	given := w.cfg
	if w.plant != nil && w.plant.reload != nil {
		given = w.plant.reload(w, was)
	}
	w.step(engine.Reload{Config: given})
}

func (w *breaker) silence() {
	r := w.rand
	name, value := "alertname", one(r, "Lag", "Disk", "Down", "Flood")
	if chance(r, 30) {
		name, value = "host", one(r, "a", "b", "c")
	}
	from := w.wall()
	if chance(r, 20) {
		from = from.Add(time.Duration(r.IntN(1800)) * time.Second)
	}
	s := router.Silence{
		Matchers: []router.MatcherSet{{{Name: name, Type: labels.MatchEqual, Value: value}}}, StartsAt: from,
		EndsAt: from.Add(time.Duration(60+r.IntN(7200)) * time.Second), CreatedBy: "eva", Comment: "breaker",
	}
	w.counts.Silences++
	w.note("silence %s=%s until %s", name, value, s.EndsAt.Format(time.TimeOnly))
	answers, ok := w.step(engine.SetSilence{Silence: s})
	if !ok {
		return // after the start it is seen whether it was made
	}
	if err := answers[0].Err; err != nil && !errors.Is(err, engine.ErrUnsaved) {
		return
	}
	w.check.silenced(answers[0].Silence)
	id := answers[0].Silence.ID
	if chance(r, 40) {
		w.at(w.elapsed+time.Duration(30+r.IntN(3600))*time.Second, "", func(w *breaker) {
			w.note("the silence is ended")
			w.check.ending(id)
			if answers, ok := w.step(engine.ExpireSilence{ID: id}); ok && answers[0].Err == nil {
				w.check.ended(id)
			}
		})
	}
}

func (w *breaker) override() {
	r := w.rand
	if w.e == nil || w.unsaved() {
		return
	}
	from := w.wall().Truncate(time.Second)
	if chance(r, 30) {
		from = from.Add(time.Duration(r.IntN(7200)) * time.Second)
	}
	o := oncall.Override{
		Kind: one(r, oncall.Take, oncall.Add, oncall.Remove, oncall.Replace), User: one(r, breakerUsers[:5]...),
		Start: from.UTC(), End: from.Add(time.Duration(300+r.IntN(6*3600)) * time.Second).UTC(),
	}
	if o.Kind == oncall.Replace {
		o.With = "fay"
	}
	schedule := fmt.Sprintf("s%d", r.IntN(4))
	w.counts.Overrides++
	w.note("override of %s: %s from %s to %s", schedule, o.String(), o.Start, o.End)
	w.check.overriding(schedule, o)
	if answers, ok := w.step(engine.Override{Schedule: schedule, Override: o, By: "cli"}); ok && answers[0].Err == nil {
		w.check.overridden(schedule, answers[0].Override.ID)
		if id := answers[0].Override.ID; chance(r, 30) {
			w.at(w.elapsed+time.Duration(60+r.IntN(7200))*time.Second, "", func(w *breaker) {
				w.note("override %s is taken back", id)
				w.check.dropping(id)
				if answers, ok := w.step(engine.DropOverride{Schedule: schedule, ID: id, By: "cli"}); ok {
					w.check.dropped(id, answers[0].Err == nil || errors.Is(answers[0].Err, engine.ErrUnsaved))
				}
			})
		}
	} else if ok {
		w.check.overridden(schedule, "")
	}
}

// swap lets two people swap the time until tomorrow, if it can be done.
func (w *breaker) swap() {
	r := w.rand
	if w.e == nil || w.elapsed < w.asleep || w.unsaved() {
		return
	}
	schedule := fmt.Sprintf("s%d", r.IntN(4))
	from := w.wall().Truncate(time.Minute).Add(time.Duration(1+r.IntN(120)) * time.Minute)
	on := w.check.onCall(schedule, from)
	if len(on) == 0 {
		return
	}
	s := engine.Swap{Schedule: schedule, User: on[0], With: "fay", From: from.UTC(), To: from.Add(time.Duration(1+r.IntN(10)) * time.Hour).UTC(), CreatedBy: on[0]}
	answers, ok := w.step(engine.RequestSwap{Swap: s})
	if !ok || answers[0].Err != nil {
		return
	}
	id := answers[0].Swap.ID()
	answers, ok = w.step(engine.SettleSwap{ID: id, Verb: engine.AcceptSwap, By: "fay"})
	w.note("swap in %s: %s has the time of %s from %s to %s, answered: %v", schedule, s.With, s.User, s.From, s.To, ok)
	if ok && answers[0].Err == nil {
		w.check.swapped(schedule, s, answers[0].Swap)
	}
}
