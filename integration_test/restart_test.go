//go:build linux

package integration_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A restart, by hand or by a crash, is nobody's news: not the team's, not that of those who were paged, and what
// Prometheus repeats afterwards is no news either. Ladders go on where they stood.
func TestRestart(t *testing.T) {
	t.Parallel()
	h, team := newHousehold(t), chatter(t)
	m := serve(t, fill(h.config(reloadConfig), "TEAM", team.URL, "CY", h.bo.URL, "SECOND", "bo"))
	m.fire(critical("Acknowledged"))
	awaitPage(t, h.ana, "INC-1")
	m.post("/api/midwatch/v1/incidents/INC-1/acknowledge", `{"by":"ana"}`)
	m.fire(critical("Climbing"))
	awaitPage(t, h.ana, "INC-2")
	await(t, "the team's notifications", func() (string, bool) {
		n := 0
		for _, d := range m.deliveries() {
			if d.Receiver == "oncall" && d.Outcome == "delivered" {
				n++
			}
		}
		return fmt.Sprint(n), n == 2
	})
	m.stop()
	m.start()
	m.kill()
	m.start()
	m.fire(critical("Acknowledged"), critical("Climbing"))
	awaitPage(t, h.bo, "INC-2")

	// Two flushes of a new group take longer than one of every old group.
	m.fire(critical("Later"))
	awaitPage(t, h.bo, "INC-3")
	again := critical("Later")
	again.Labels["instance"] = "2"
	m.fire(again)
	await(t, "the second flush of the new group", func() (string, bool) {
		got := team.got()
		return fmt.Sprint(len(got)), len(got[len(got)-1].page(t).Alerts) == 2
	})
	if n := len(team.got()); n != 4 {
		t.Errorf("the team got %d notifications, want 4: one each for three groups, and one when a second alert came", n)
	}
	for who, c := range map[string]struct {
		at   *endpoint
		want string
	}{
		"ana": {h.ana, "INC-1 INC-2 INC-3"},
		"bo":  {h.bo, "INC-2 INC-3"},
	} {
		var got []string
		for _, hit := range c.at.got() {
			got = append(got, hit.page(t).Midwatch.Incident)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s was paged for %s, want %s", who, got, c.want)
		}
	}
	if i := m.incident("INC-1"); i.Status != "acknowledged" || !i.NextAt.IsZero() {
		t.Errorf("INC-1 was acknowledged; it is %s and pages on at %s", i.Status, i.NextAt)
	}
}

// The daemon is stopped while a page hangs. It ends all the same, and the page goes out again under its key.
func TestStopWhileSending(t *testing.T) {
	t.Parallel()
	h := newHousehold(t)
	h.ana.be(h.ana.hanging())
	m := serve(t, h.config(smallConfig))
	m.fire(critical("Disk"))
	h.ana.awaitHits(t, "ana's page", 1)
	m.stop()
	h.ana.be(answering(http.StatusOK, "ok"))
	m.start()
	// The stop took longer than ana's step had: bo is paged at the start, and ana's page is still hers.
	m.awaitIncident("INC-1", "both pages", func(i incident) bool { return i.count("page") == 2 })
	got := h.ana.got()
	if len(got) != 2 || got[0].Key != got[1].Key || got[0].Key == "" {
		t.Errorf("ana was paged %d times: %s, want twice under one key", len(got), pretty(got))
	}
	h.checkOnce(t)
}
