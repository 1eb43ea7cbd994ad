package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// flood is n alerts of one group.
func flood(n int, pairs ...string) []*router.Alert {
	post := make([]*router.Alert, 0, n)
	for i := range n {
		post = append(post, alerts(append([]string{"alertname", "Flood", "instance", fmt.Sprintf("host-%05d.dc1.example.org:9100", i)}, pairs...)...)...)
	}
	return post
}

// inBounds makes the world check that every commit is one that every store takes.
func (w *world) inBounds() {
	w.disk.judge = func(_ int, b store.Batch) (before, after error) {
		if n := len(b.Put) + len(b.Delete); n > maxOps || b.Size() > maxBytes {
			w.t.Fatalf("a batch of %d operations and %d bytes", n, b.Size())
		}
		return nil, nil
	}
}

func ending(post []*router.Alert, at time.Time) []*router.Alert {
	var ended []*router.Alert
	for _, a := range post {
		b := *a
		b.EndsAt = at
		ended = append(ended, &b)
	}
	return ended
}

func TestTenThousandAlertsInOneGroup(t *testing.T) {
	const n = 10_000
	w := newWorld(t, house(), 1)
	w.inBounds()
	post := flood(n, "team", "both")
	w.post(post[:1]...)
	w.run(time.Minute)
	commits := w.disk.commits
	w.post(post...)
	w.settle()
	if got := len(w.e.core.live[1].firing); got != n {
		t.Fatalf("%d alerts fire in INC-1", got)
	}
	t.Logf("joining took %d commits", w.disk.commits-commits)
	w.run(6 * time.Minute)
	// One line says that they joined.
	same(t, w.story(incident.Note, incident.Notification), `
30s notification board plain
30s notification hook plain
1m0s note INC-1
5m30s notification board plain
5m30s notification hook plain`)
	if v := w.is(1); v.Status != incident.Triggered {
		t.Errorf("INC-1 is %s", v.Status)
	}
	w.onStart = (*world).holdRestart
	w.crash(0)
	w.inBounds()
	if got := len(w.e.core.live[1].firing); got != n {
		t.Errorf("%d alerts fire in INC-1 after a restart", got)
	}
	v, _ := w.e.Incident(ctx(), 1)
	if len(v.Alerts) != maxAlertsInMessage {
		t.Errorf("a view shows %d alerts", len(v.Alerts))
	}
	w.post(ending(post[:n-1], w.wall())...)
	w.settle()
	if !w.is(1).Open() {
		t.Error("INC-1 resolved with an alert firing")
	}
	w.post(ending(post[n-1:], w.wall())...)
	w.settle()
	if w.is(1).Open() {
		t.Error("INC-1 is open with no alert firing")
	}
	w.run(40 * time.Minute)
	w.holdKeys()
	if n := len(w.e.core.membership); n > 0 {
		t.Errorf("%d alerts are remembered as members of nothing", n)
	}
}

func TestTwoThousandIncidentsAtOnce(t *testing.T) {
	const n = 2000
	w := newWorld(t, house(), 1)
	w.inBounds()
	post := flood(n, "team", "each")
	w.post(post...)
	w.run(time.Minute)
	if got := w.e.core.OpenIncidents(); got != n {
		t.Fatalf("%d incidents are open", got)
	}
	w.run(6 * time.Minute) // and the second step of every ladder at one instant
	paged := 0
	events, _ := w.e.Audit(ctx(), 0, 1<<30)
	for _, e := range events {
		if e.Kind == incident.Paged && e.User == "bo" {
			paged += max(1, len(e.Incidents))
		}
	}
	if paged != n {
		t.Errorf("step 2 began for %d", paged)
	}
	w.post(ending(post, w.wall())...)
	w.settle()
	if got := w.e.core.OpenIncidents(); got != 0 {
		t.Errorf("%d incidents are open", got)
	}
	w.holdHistory()
	w.run(40 * time.Minute)
	w.holdKeys()
}

// TestAGroupTooLargeForARecord: some fifty thousand alerts in one group are more than a record takes. All goes on; what
// was sent of it may be sent again after a restart, and that is all.
func TestAGroupTooLargeForARecord(t *testing.T) {
	if raced {
		t.Skip("nothing here runs at once")
	}
	w := newWorld(t, house(), 1)
	w.inBounds()
	post := flood(60_000, "team", "both")
	w.post(post...)
	w.run(time.Minute)
	same(t, w.story(incident.Opened, incident.Notification, incident.Paged), `
30s incident_opened INC-1 sev2
30s notification board plain
30s notification hook plain
30s page INC-1 ana chat 1.1`)
	w.crash(0)
	if got := len(w.e.core.live[1].firing); got != 60_000 {
		t.Errorf("%d alerts fire in INC-1 after a restart", got)
	}
}

// TestWordsWithoutEnd: what incidents keep of their alerts' words is bounded.
func TestWordsWithoutEnd(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.inBounds()
	var pairs []string
	for i := range 40 {
		pairs = append(pairs, fmt.Sprintf("l%02d", i), string(make([]byte, 6000)))
	}
	a := alerts(append([]string{"alertname", "Long"}, pairs...)...)
	a[0].Annotations = set(pairs...)
	w.post(a...)
	w.run(time.Minute)
	i := w.is(1)
	size := 0
	for k, v := range i.Labels {
		size += len(k) + len(v)
	}
	for k, v := range i.Annotations {
		size += len(k) + len(v)
	}
	if size > maxCommon || i.Labels["alertname"] != "Long" || len(i.Labels) < 10 {
		t.Errorf("%d bytes in %d labels and %d annotations", size, len(i.Labels), len(i.Annotations))
	}
	if !w.e.core.live[1].firing[a[0].Fingerprint()] {
		t.Error("it does not fire")
	}
}

func BenchmarkTenThousandAlertsJoin(b *testing.B) {
	post := flood(10_000)
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, house(), 1)
		w.post(post[:1]...)
		w.run(time.Minute)
		b.StartTimer()
		w.post(post...)
	}
}

func BenchmarkOneAlertJoinsTenThousand(b *testing.B) {
	w := newWorld(b, house(), 1)
	w.post(flood(10_000)...)
	w.run(time.Minute)
	n := 0
	for b.Loop() {
		n++
		w.post(alerts("alertname", "Flood", "n", fmt.Sprint(n))...)
	}
}

func BenchmarkTwoThousandIncidentsOpen(b *testing.B) {
	post := flood(2000, "team", "each")
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, house(), 1)
		w.post(post...)
		b.StartTimer()
		w.run(31 * time.Second)
	}
}

func BenchmarkTwoThousandIncidentsEnd(b *testing.B) {
	post := flood(2000, "team", "each")
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, house(), 1)
		w.post(post...)
		w.run(time.Minute)
		b.StartTimer()
		w.post(ending(post, w.wall())...)
	}
}

func BenchmarkRestart(b *testing.B) {
	w := newWorld(b, house(), 1)
	w.post(flood(10_000)...)
	w.post(flood(2000, "team", "each")...)
	w.run(time.Minute)
	for b.Loop() {
		w.crash(0)
	}
}
