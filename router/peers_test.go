package router

import (
	"fmt"
	"testing"
	"time"
)

// peered returns a driver that is so long after the first of its peers, and hands over what is to be sent.
func peered(t *testing.T, route string, wait time.Duration, receivers map[string]string) *driver {
	t.Helper()
	d := world(t, route, receivers)
	d.Peered(true, wait)
	return d
}

// told is what a peer says to have told the webhook of the db.
func told(clock string, firing, resolved []string) LogEntry {
	e := LogEntry{LogKey: LogKey{"{}:{}", "db", "webhook", 0}, Timestamp: at(clock), ExpiresAt: at(clock).Add(8 * time.Hour)}
	for _, name := range firing {
		e.Firing = append(e.Firing, Labels{{"alertname", name}}.Hash())
	}
	for _, name := range resolved {
		e.Resolved = append(e.Resolved, Labels{{"alertname", name}}.Hash())
	}
	return e
}

func TestNoGroupSpeaksBeforeThePeersHaveMet(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	d.Peered(false, 0)
	d.hear("00:00", "A", "00:00", "02:00")
	d.hear("00:01", "B", "00:01", "00:04")
	d.trace()
	for clock := d.time(); clock.Before(at("00:20")); { // what else is due goes on, and nothing is overdue
		due := d.Due()
		if !due.After(clock) {
			t.Fatalf("at %s, due at %s", clock, due)
		}
		clock = due
		d.do(d.Elapsed(clock))
	}
	expect(t, d.trace(), "stored B expired", "left db B expired")

	d.now = 20*time.Minute + 7*time.Second
	d.Peered(true, 0)
	if due := d.Due(); !due.Equal(at("00:00:30")) {
		t.Errorf("due at %s, want at once", due)
	}
	d.until(d.now)
	expect(t, d.trace(), "flushed db 00:20:07 [A] [B]", "notify webhook/0 00:20:07 [A B]: first notification",
		"log webhook/0 1 1 deleted=false", "group db deleted=false")
	if due := d.Due(); !due.Equal(at("00:20:30")) { // its rhythm is what it was
		t.Errorf("due at %s", due)
	}
}

func TestPeersBeforeUsTellFirst(t *testing.T) {
	d := peered(t, plainRoute, 15*time.Second, map[string]string{"db": "webhook"})
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:00:40")
	expect(t, d.trace(), "stored A new", "group db deleted=false", "joined db A new", "flushed db 00:00:30 [A] []")
	if due := d.Due(); !due.Equal(at("00:00:45")) {
		t.Errorf("due at %s", due)
	}
	d.do(d.MergeLog([]LogEntry{told("00:00:31", []string{"A"}, nil)}, d.time()))
	d.clock("00:05")
	expect(t, d.trace(), "log webhook/0 1 0 deleted=false") // theirs

	// What they leave out we tell, as it stood when the group spoke. It has its whole time from then on.
	d.hear("00:05:10", "B", "00:05:10", "02:00")
	d.clock("00:05:31")
	d.hear("00:05:35", "C", "00:05:35", "02:00")
	d.trace()
	d.clock("00:06")
	expect(t, d.trace(), "notify webhook/0 00:05:30 [A B]: new alerts added", "log webhook/0 2 0 deleted=false")
	n := d.notifications()
	if len(n) != 0 {
		t.Errorf("%v", n)
	}
	d.clock("00:11")
	expect(t, d.trace(), "flushed db 00:10:30 [A B C] []", "notify webhook/0 00:10:30 [A B C]: new alerts added", "log webhook/0 3 0 deleted=false")
}

func TestTheDeadlineCountsFromOurTurn(t *testing.T) {
	for _, c := range []struct {
		interval string
		want     string
	}{{"5m", "00:05:45"}, {"5s", "00:00:55"}} {
		d := peered(t, fmt.Sprintf("{receiver: db, group_wait: 30s, group_interval: %s}", c.interval), 15*time.Second, map[string]string{"db": "webhook"})
		d.hear("00:00", "A", "00:00", "02:00")
		d.clock("00:00:45")
		n := d.notifications()
		if len(n) != 1 || !n[0].Deadline.Equal(at(c.want)) {
			t.Errorf("every %s: %v, want a deadline of %s", c.interval, n, c.want)
		}
	}
}

// A group that speaks oftener than its turn comes must have its turn all the same.
func TestAShortIntervalDoesNotPutTheTurnOff(t *testing.T) {
	d := peered(t, "{receiver: db, group_wait: 0s, group_interval: 5s}", 12*time.Second, map[string]string{"db": "webhook"})
	d.hear("00:00", "A", "00:00", "02:00")
	d.hear("00:00:07", "B", "00:00:07", "02:00")
	d.clock("00:00:11")
	if n := d.notifications(); len(n) != 0 {
		t.Errorf("told before its turn: %v", n)
	}
	d.hear("00:00:13", "C", "00:00:13", "02:00")
	d.clock("00:00:40")
	var got []string
	for _, n := range d.notifications() {
		got = append(got, fmt.Sprintf("%s %d", n.At.Format("15:04:05"), len(n.Alerts)))
	}
	expect(t, got, "00:00:10 2", "00:00:25 3")
}

func TestAWaitThatIsNoneIsNoWait(t *testing.T) {
	d := peered(t, plainRoute, 15*time.Second, map[string]string{"db": "webhook"})
	d.Peered(true, 0) // those before us are gone
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:00:30")
	if n := d.notifications(); len(n) != 1 {
		t.Errorf("told %v", n)
	}

	// Those who wait already wait on: peers are not gone because one of them was for a moment.
	d.Peered(true, 15*time.Second)
	d.hear("00:01", "B", "00:01", "02:00")
	d.clock("00:05:31")
	d.Peered(true, 0)
	d.clock("00:05:44")
	if n := d.notifications(); len(n) != 1 {
		t.Errorf("told %v", n)
	}
	d.clock("00:05:45")
	if n := d.notifications(); len(n) != 2 {
		t.Errorf("told %v", n)
	}
}

// While a group waits for its turn, the outcome of the time before may come: that does not make it its turn.
func TestAnOutcomeDuringTheWait(t *testing.T) {
	for _, c := range []struct {
		outcome string
		want    []string
	}{
		{"00:05:40", []string{"log webhook/0 1 0 deleted=false", "notify webhook/0 00:05:30 [A B]: new alerts added"}},
		{"00:05:50", []string{"log webhook/0 1 0 deleted=false", "notify webhook/0 00:05:30 [A B]: new alerts added"}}, // the turn has come
	} {
		d := peered(t, plainRoute, 15*time.Second, map[string]string{"db": "webhook"})
		var sent []Notify
		d.deliver = func(n Notify) { sent = append(sent, n) }
		d.hear("00:00", "A", "00:00", "02:00")
		d.hear("00:02", "B", "00:02", "02:00")
		d.clock(c.outcome)
		d.trace()
		d.do(d.Sent(sent[0].Ref, true, d.time(), nil))
		if turn := at("00:05:45"); d.time().Before(turn) {
			expect(t, d.trace(), c.want[0])
			d.clock("00:05:44")
			expect(t, d.trace())
			d.clock("00:05:45")
			expect(t, d.trace(), c.want[1])
		} else {
			expect(t, d.trace(), c.want...)
		}
		d.do(d.Sent(sent[1].Ref, true, d.time(), nil))
		expect(t, d.trace(), "log webhook/0 2 0 deleted=false")
		audit(t, d.Router)
	}
}

func TestTheClockIsSetDuringTheWait(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		d := peered(t, plainRoute, 15*time.Second, map[string]string{"db": "webhook"})
		d.hear("02:00", "A", "02:00", "04:00")
		d.clock("02:00:40")
		d.do(d.Shifted(by))
		d.now += by
		d.trace()
		if due := d.Due(); !due.Equal(at("02:00:45").Add(by)) {
			t.Errorf("by %s: due at %s", by, due)
		}
		d.until(d.now + 5*time.Second)
		if n := d.notifications(); len(n) != 1 {
			t.Errorf("by %s: told %v", by, n)
		}
		audit(t, d.Router)
	}
}

func TestARestartDuringTheWaitTellsAllTheSame(t *testing.T) {
	for _, c := range []struct {
		stopped string
		peer    bool // whether it has told meanwhile
		want    int
	}{
		{"00:00:40", false, 1},
		{"00:00:40", true, 0},
		{"00:00:50", false, 0}, // we had told
		{"00:01:10", false, 0}, // that it spoke is longer ago than any wait
	} {
		d := peered(t, plainRoute, 15*time.Second, map[string]string{"db": "webhook"})
		d.hear("00:00", "A", "00:00", "02:00")
		d.clock(c.stopped)
		d.trace()
		d.checkpoint()
		o := d.options()
		o.LongestWait = 30 * time.Second
		d.crash(t, o)
		if c.peer {
			d.do(d.MergeLog([]LogEntry{told("00:00:35", []string{"A"}, nil)}, d.time()))
		}
		d.until(d.now + time.Minute)
		if got := d.notifications(); len(got) != c.want {
			t.Errorf("stopped at %s, peer %v: told %d times, want %d", c.stopped, c.peer, len(got), c.want)
		}
		audit(t, d.Router)
	}
}

// A reload during the wait: who still is there is told in time; a group that is gone tells nobody.
func TestAReloadDuringTheWait(t *testing.T) {
	const split = `{receiver: dba, group_by: [job], group_wait: 30s, group_interval: 5m}`
	d := peered(t, plainRoute, 15*time.Second, map[string]string{"db": "webhook slack", "dba": "webhook"})
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:00:40")
	d.in.receivers = map[string][]Integration{"db": {{"slack", 0, true}}, "dba": d.in.receivers["dba"]}
	d.do(d.SetRoutes(d.options(), d.time()))
	d.trace()
	d.clock("00:01")
	expect(t, d.trace(), "notify slack/0 00:00:30 [A]: first notification", "log slack/0 1 0 deleted=false")

	d = peered(t, plainRoute, 15*time.Second, map[string]string{"db": "webhook", "dba": "webhook"})
	d.hear("00:00", "A", "00:00", "02:00")
	d.clock("00:00:40")
	d.in.root = loadRoute(t, split, "db", "dba")
	d.do(d.SetRoutes(d.options(), d.time()))
	d.clock("00:10")
	var got []string
	for _, n := range d.notifications() {
		got = append(got, n.Entry.Receiver)
	}
	expect(t, got, "dba")
	audit(t, d.Router)
}
