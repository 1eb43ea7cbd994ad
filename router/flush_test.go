package router

import (
	"slices"
	"testing"
	"time"
)

func TestAHangingReceiverDelaysNoOther(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook slack"})
	var hanging []Notify
	d.deliver = func(n Notify) {
		if n.Entry.Integration == "webhook" {
			hanging = append(hanging, n)
			return
		}
		d.send(n)
	}
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:00:30")
	expect(t, d.trace()[3:],
		"flushed db 00:00:30 [A] []",
		"notify webhook/0 00:00:30 [A]: first notification",
		"notify slack/0 00:00:30 [A]: first notification",
		"log slack/0 1 0 deleted=false")

	// Slack is told of what follows at once; the webhook gets nothing new while it hangs.
	d.hear("00:02", "B", "00:02", "02:00")
	d.clock("00:06")
	d.hear("00:07", "B", "00:02", "00:07")
	d.clock("00:11")
	expect(t, d.trace(),
		"stored B new", "joined db B new",
		"flushed db 00:05:30 [A B] []",
		"notify slack/0 00:05:30 [A B]: new alerts added",
		"log slack/0 2 0 deleted=false",
		"stored B resolved", "left db B resolved",
		"flushed db 00:10:30 [A] [B]",
		"notify slack/0 00:10:30 [A B]: some alerts resolved",
		"log slack/0 1 1 deleted=false")

	// When the webhook gives up it hears of how things stood at the latest flush. B stays until it has.
	d.do(d.Sent(hanging[0].Ref, false, at("00:11"), nil))
	expect(t, d.trace(), "notify webhook/0 00:10:30 [A B]: first notification")
	d.clock("00:11:01")
	d.do(d.Sent(hanging[1].Ref, true, at("00:11:01"), nil))
	expect(t, d.trace(), "log webhook/0 1 1 deleted=false", "group db deleted=false")

	d.clock("00:16")
	expect(t, d.trace(), "flushed db 00:15:30 [A] []")

	// An outcome counts once; one of long ago, never.
	if fx := d.Sent(hanging[1].Ref, true, at("00:16"), nil); len(fx) != 0 {
		t.Errorf("an outcome counted twice: %v", fx)
	}
	if fx := d.Sent("nobody's", true, at("00:16"), nil); len(fx) != 0 {
		t.Errorf("an unknown outcome: %v", fx)
	}
}

func TestWhatResolvedStaysUntilAllHaveHeard(t *testing.T) {
	for _, c := range []struct{ receivers, fails, works string }{
		{"webhook slack", "slack", "webhook"},
		{"slack webhook", "slack", "webhook"}, // the failure is known first
	} {
		d := world(t, plainRoute, map[string]string{"db": c.receivers})
		d.s.outages = []outage{{"db", c.fails, 0, 5 * time.Minute, 11 * time.Minute}}
		d.hear("00:00", "A", "00:00", "02:00")
		d.hear("00:00:01", "B", "00:00", "02:00")
		d.clock("00:01")
		d.hear("00:02", "B", "00:00", "00:02")
		d.trace()
		d.clock("00:06")
		got := d.trace()
		slices.Sort(got)
		expect(t, got,
			"flushed db 00:05:30 [A] [B]",
			"log webhook/0 1 1 deleted=false",
			"notify slack/0 00:05:30 [A B]: some alerts resolved", // in vain
			"notify webhook/0 00:05:30 [A B]: some alerts resolved")
		d.clock("00:16")
		expect(t, d.trace(),
			"flushed db 00:10:30 [A] [B]", // the webhook has heard
			"notify slack/0 00:10:30 [A B]: some alerts resolved",
			"flushed db 00:15:30 [A] [B]",
			"notify slack/0 00:15:30 [A B]: some alerts resolved",
			"log slack/0 1 1 deleted=false",
			"group db deleted=false")
		d.clock("00:21")
		expect(t, d.trace(), "flushed db 00:20:30 [A] []")
	}
}

func TestWhatFiresAgainDuringANotificationStays(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	d.hear("00:00", "A", "00:00", "00:04")
	d.clock("00:05")
	var sent Notify
	d.deliver = func(n Notify) { sent = n }
	d.clock("00:05:30") // tells that A resolved
	d.hear("00:05:40", "A", "00:05:40", "00:20")
	d.trace()
	d.deliver = nil
	d.do(d.Sent(sent.Ref, true, at("00:05:45"), nil))
	d.clock("00:11")
	expect(t, d.trace(),
		"log webhook/0 0 1 deleted=false",
		"flushed db 00:10:30 [A] []",
		"notify webhook/0 00:10:30 [A]: first notification",
		"log webhook/0 1 0 deleted=false")
}

func TestWhoIsNotToldOfResolvedAlertsForgetsThemAllTheSame(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook!"})
	d.hear("00:00", "A", "00:00", "00:02")
	d.hear("00:00:01", "B", "00:00:01", "00:04")
	d.clock("00:01")
	d.trace()
	d.hear("00:02:30", "C", "00:02:30", "00:05:31")
	d.clock("00:10:30")
	expect(t, d.trace(),
		"stored A expired", "left db A expired", "stored C new", "joined db C new",
		"stored B expired", "left db B expired",
		"flushed db 00:05:30 [C] [A B]",
		"notify webhook/0 00:05:30 [C]: new alerts added", // not of A and B
		"log webhook/0 1 2 deleted=false",
		"group db deleted=false",
		"stored C expired", "left db C expired",
		"flushed db 00:10:30 [] [C]",
		"log webhook/0 0 1 deleted=false", // nothing was sent
		"group db deleted=true")
}

// Suppressed is as good as told. So what resolves under a mute is never told, and what then fires again is known
// already: parity, though it is not pretty.
func TestWhatIsMutedCountsAsTold(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	d.silenceFor("A", "00:02", "00:09")
	d.trace()
	d.hear("00:00", "A", "00:00", "00:03")
	d.clock("00:01")
	d.trace()
	d.clock("00:08")
	expect(t, d.trace(),
		"turned 00:02:00",
		"stored A expired", "left db A expired",
		"flushed db 00:05:30 [] []",
		"group db deleted=true")
	d.hear("00:08:30", "A", "00:08:30", "00:20")
	d.clock("00:15")
	expect(t, d.trace(),
		"stored A refired", "group db deleted=false", "joined db A refired silence",
		"turned 00:09:00 1", "flushed db 00:09:00 [A] []",
		"flushed db 00:14:00 [A] []")
}

func TestSiblingsWithOneKeyTellOnce(t *testing.T) {
	d := world(t, `{receiver: db, routes: [
		{matchers: ['alertname="A"'], continue: true, group_wait: 10s, repeat_interval: 1h},
		{matchers: ['alertname="A"'], group_wait: 20s, repeat_interval: 1h}]}`, map[string]string{"db": "webhook"})
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:04")
	if got := d.notifications(); len(got) != 1 {
		t.Errorf("told %d times", len(got))
	}
	var ids, keys []string
	for _, g := range d.GroupsOf(Labels{{"alertname", "A"}}) {
		ids, keys = append(ids, g.RouteID), append(keys, g.Key)
	}
	expect(t, ids, `{}/{alertname="A"}/0`, `{}/{alertname="A"}/1`)
	expect(t, keys, `{}/{alertname="A"}:{}`, `{}/{alertname="A"}:{}`)
}

func TestAnIntegrationsOwnMemoryComesBackToIt(t *testing.T) {
	d := world(t, "{receiver: db, group_wait: 0s, group_interval: 5s, labels: {tier: gold}}", map[string]string{"db": "slack"})
	var sent []Notify
	d.deliver = func(n Notify) { sent = append(sent, n) }
	outcome := func(state map[string]string) {
		n := sent[len(sent)-1]
		d.do(d.Sent(n.Ref, true, d.time(), state))
	}
	d.hear("00:00", "A", "00:00", "00:09")
	n := sent[0]
	if n.Entry.State != nil || n.Reason != First || n.Entry.Receiver != "db" {
		t.Errorf("the first was %+v", n)
	}
	if got := n.Deadline.Sub(n.At); got != 10*time.Second {
		t.Errorf("it has %s, want 10 s though the group speaks every 5", got)
	}
	if got := n.RouteLabels.String(); got != `{tier="gold"}` {
		t.Errorf("route labels %s", got)
	}
	outcome(map[string]string{"threadTs": "1.2"})
	d.hear("00:01", "B", "00:01", "00:09")
	d.clock("00:01:05")
	if got := sent[1].Entry.State["threadTs"]; got != "1.2" {
		t.Errorf("it remembers %q", got)
	}
	outcome(nil)
	d.clock("00:09:05")
	if got := sent[2].Entry.State["threadTs"]; got != "1.2" || sent[2].Reason != AllResolved {
		t.Errorf("%s: it remembers %q", sent[2].Reason, got)
	}
	outcome(nil)
	d.hear("00:20", "A", "00:20", "00:29")
	if got := sent[3]; got.Reason != First || got.Entry.State != nil {
		t.Errorf("%s begins with %v", got.Reason, got.Entry.State)
	}
}

func TestWhatAPeerHasToldNeedNotBeToldAgain(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	d.hear("00:00", "A", "00:00", "02:00")
	peers := LogEntry{
		LogKey:    LogKey{"{}:{}", "db", "webhook", 0},
		Timestamp: at("00:00:20"), ExpiresAt: at("08:00:20"),
		Firing: []uint64{Labels{{"alertname", "A"}}.Hash()},
	}
	d.trace()
	d.do(d.MergeLog([]LogEntry{peers}, at("00:00:21")))
	d.do(d.MergeLog([]LogEntry{peers}, at("00:00:22")))
	d.clock("00:01")
	expect(t, d.trace(), "log webhook/0 1 0 deleted=false", "flushed db 00:00:30 [A] []")

	// It may tell while our own notification is on its way; then what is newer stays.
	var sent Notify
	d.deliver = func(n Notify) { sent = n }
	d.hear("00:02", "B", "00:02", "02:00")
	d.clock("00:06")
	peers.Timestamp, peers.Firing = at("00:05:50"), append(peers.Firing, Labels{{"alertname", "B"}}.Hash())
	d.do(d.MergeLog([]LogEntry{peers}, at("00:05:51")))
	d.trace()
	d.do(d.Sent(sent.Ref, true, at("00:05:45"), nil))
	expect(t, d.trace())
}

func TestARefIsNeverUsedTwice(t *testing.T) {
	for seed := range uint64(30) {
		d := newDriver(newScenario(seed))
		d.run(0)
		seen := map[Ref]bool{}
		for _, n := range d.notifications() {
			if seen[n.Ref] {
				t.Fatalf("seed %d: %s twice", seed, n.Ref)
			}
			seen[n.Ref] = true
		}
	}
}
