package escalation

import (
	"fmt"
	"time"

	"pgregory.net/rapid"
)

// Random policies, worlds and nights for the property tests.

var (
	somebody   = rapid.SampledFrom([]string{"ana", "bo", "cy", "mute", ""})
	anyTarget  = rapid.Map(rapid.SampledFrom([]string{"ana", "bo", "cy", "mute", "@shift", "@team", "@nowhere", "#leads", "#ops"}), target)
	severities = rapid.SampledFrom([]string{"sev1", "sev2", "sev3", "sev4"})
	shortTime  = rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 17 * time.Minute})
)

var anyStep = rapid.Custom(func(t *rapid.T) Step {
	return Step{
		Notify:        rapid.SliceOfN(anyTarget, 0, 3).Draw(t, "notify"),
		EscalateAfter: rapid.SampledFrom([]time.Duration{0, time.Minute, 2 * time.Minute, 17 * time.Minute}).Draw(t, "escalate after"),
		Assign:        rapid.SampledFrom([]Assign{AssignAll, AssignAll, AssignRoundRobin}).Draw(t, "assign"),
		RequireAcks:   rapid.IntRange(AllAcks, 3).Draw(t, "require acks"),
	}
})

var anyPolicy = rapid.Custom(func(t *rapid.T) Policy {
	return Policy{
		Name:       rapid.SampledFrom([]string{"db", "net"}).Draw(t, "name"),
		Steps:      rapid.SliceOfN(anyStep, 0, 4).Draw(t, "steps"),
		Repeat:     rapid.IntRange(Forever, 3).Draw(t, "repeat"),
		RepeatFrom: rapid.IntRange(0, 5).Draw(t, "repeat from"),
		AckTimeout: map[string]time.Duration{
			"sev1": rapid.SampledFrom([]time.Duration{0, 3 * time.Minute, 10 * time.Minute, time.Hour}).Draw(t, "ack timeout"),
			"sev2": 20 * time.Minute,
		},
		Urgency:      rapid.SampledFrom([]Urgency{UrgencyAuto, UrgencyHigh, UrgencyLow, UrgencySupportHours}).Draw(t, "urgency"),
		SupportHours: rapid.SampledFrom([]*Hours{nil, {TimeZone: "UTC"}}).Draw(t, "hours"),
		LowUrgency:   rapid.SampledFrom([]LowUrgency{LowEscalate, LowNotifyOnly}).Draw(t, "low urgency"),
	}
})

var anyRules = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Rule {
	return Rule{
		Via:   rapid.SliceOfN(rapid.SampledFrom([]string{"chat", "phone", "email"}), 1, 2).Draw(t, "via"),
		After: shortTime.Draw(t, "after"),
	}
}), 1, 3)

// drawWorld has a schedule that changes and has gaps, one that is shared, methods that fail and methods that are slow.
func drawWorld(t *rapid.T) *world {
	w := newWorld()
	w.opens = "04:30-06:00"
	w.onCall["team"] = always("ana", "bo")
	w.onCall["shift"] = func(now time.Time) []string {
		turns := [][]string{{"ana"}, nil, {"bo", "cy"}, {"mute"}}
		return turns[now.Unix()/(13*60)%4]
	}
	w.rules["mute"] = nil
	for _, user := range []string{"ana", "bo", "cy", "cto"} {
		w.rules[user] = anyRules.Draw(t, "rules of "+user)
		for _, via := range []string{"chat", "phone", "email"} {
			w.fate(t, user+"."+via)
		}
	}
	w.fate(t, "leads")
	w.fate(t, "ops")
	return w
}

func (w *world) fate(t *rapid.T, address string) {
	switch rapid.IntRange(0, 3).Draw(t, "fate of "+address) {
	case 0:
		w.fails[address] = "404"
	case 1:
		w.slow[address] = true
	}
}

// A deed is one thing that happens in a night, so long after the one before.
type deed struct {
	after time.Duration
	sleep bool // nobody runs until then
	in    Input
	late  bool // in is the Outcome of the oldest message that has none
}

func (d deed) String() string { return fmt.Sprintf("%v(sleep %v) %T%+v", d.after, d.sleep, d.in, d.in) }

var anyDeed = rapid.Custom(func(t *rapid.T) deed {
	d := deed{
		after: rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 5 * time.Minute, 17 * time.Minute, 3 * time.Hour}).Draw(t, "after"),
		sleep: rapid.IntRange(0, 4).Draw(t, "sleep") == 0,
	}
	by := somebody.Draw(t, "by")
	switch rapid.IntRange(0, 20).Draw(t, "deed") {
	case 0, 1:
		d.in = Acked{By: by}
	case 2:
		d.in = Unacked{By: by}
	case 3:
		d.in = Resolved{}
	case 4, 5:
		d.in = Reopened{Severity: severities.Draw(t, "severity")}
	case 6:
		d.in = SeverityRaised{Severity: severities.Draw(t, "severity")}
	case 7:
		d.in = Escalate{By: by}
	case 8:
		p := anyPolicy.Draw(t, "policy")
		d.in = Reassign{By: by, Policy: &p}
	case 9:
		d.in = Reassign{By: by, Target: anyTarget.Draw(t, "target")}
	case 10:
		d.in = Replace{By: by, Policy: anyPolicy.Draw(t, "policy")}
	case 11:
		d.in = Snooze{By: by, For: shortTime.Draw(t, "for")}
	case 12:
		d.in = AddResponder{By: by, User: somebody.Draw(t, "user")}
	case 13:
		d.in = StopMine{By: by}
	case 14:
		d.in = Activity{By: by}
	case 15:
		d.in = Paused{}
	case 16:
		d.in = Resumed{}
	case 17, 18:
		d.late = true
		d.in = Outcome{OK: rapid.Bool().Draw(t, "delivered"), Reason: "gave up"}
	case 19:
		d.in = Begin{Incident: "INC-2"}
	default:
		d.in = Elapsed{}
	}
	return d
})

var anyNight = rapid.SliceOfN(anyDeed, 1, 25)

func drawBegin(t *rapid.T) Begin {
	return Begin{
		Incident: "INC-1", Severity: severities.Draw(t, "severity"), Policy: anyPolicy.Draw(t, "policy"),
		Paging: Paging{CatchAll: rapid.Map(rapid.SampledFrom([]string{"cto", "@shift", "#ops", "mute"}), target).Draw(t, "catch all")},
	}
}
