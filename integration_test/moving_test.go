//go:build linux

package integration_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const movingConfig = `
route:
  receiver: team
  group_by: [alertname]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: team
    webhook_configs: [{url: "TEAM"}]
`

// A moved is a node that changes its program, with the team that must not hear of it.
type moved struct {
	*node
	team   *endpoint
	alerts []alert // what Prometheus sends
	told   int     // how often the team has been told of them
	trips  int
}

// arrive starts the program where another one was stopped or killed. Nothing may be forgotten, and when Prometheus has sent
// everything again nobody may have been told of it.
func (m *moved) arrive(program string, silences []string) {
	m.t.Helper()
	m.run(program)
	if now := m.silences(); !slices.Equal(now, silences) {
		m.t.Errorf("the silences are\n%s\nwant\n%s", strings.Join(now, "\n"), strings.Join(silences, "\n"))
	}
	m.fire(m.alerts...)

	// Two flushes of a new group take longer than one of every old group.
	m.trips++
	name, since := "Later-"+strings.Repeat("I", m.trips), time.Now()
	m.fire(instance(name, 1, since))
	m.team.awaitTold(m.t, "a new group", name+": 1 firing")
	m.fire(instance(name, 2, since))
	m.team.awaitTold(m.t, "its second flush", name+": 1 firing, 2 firing")
	m.alerts = append(m.alerts, instance(name, 1, since), instance(name, 2, since))
	m.told += 2
	m.check()
}

// check fails if the team was told anything more than it had to be.
func (m *moved) check() {
	m.t.Helper()
	if said := m.team.tellings(m.t); len(said) != m.told {
		var all []string
		for _, s := range said {
			all = append(all, s.short())
		}
		m.t.Errorf("the team has got %d notifications, want %d:\n%s", len(said), m.told, strings.Join(all, "\n"))
		m.told = len(said)
	}
}

// From Alertmanager to midwatch, through a kill -9, back to Alertmanager and to midwatch again, with one storage path and one file.
// Silences keep their IDs, and nobody is told twice.
func TestMovingThereAndBack(t *testing.T) {
	t.Parallel()
	const groups = 20
	am, team := upstream(t, "alertmanager"), chatter(t)
	m := &moved{node: newNode(t, "node", fill(movingConfig, "TEAM", team.URL), "--cluster.listen-address="), team: team}

	m.run(am)
	now := time.Now()
	m.silence("Quiet", now, now.Add(time.Hour))
	m.silence("NotYet", now.Add(time.Hour), now.Add(2*time.Hour))
	m.expire(m.silence("Over", now, now.Add(time.Hour)))
	alerts, wanted := instances(groups, now, "firing", 1)
	m.alerts = append(alerts, instance("Quiet", 1, now))
	m.fire(m.alerts...)
	team.awaitTold(t, "what fires", wanted...)
	m.told = groups
	silences := m.silences()
	m.stop()

	m.arrive(binary, silences)
	m.fire(m.alerts[0].over())
	team.awaitTold(t, "the end of one", "G000: 1 resolved")
	m.told++
	ended := m.alerts[0]
	m.alerts = m.alerts[1:]
	m.silence("QuietToo", now, now.Add(time.Hour))
	m.alerts = append(m.alerts, instance("QuietToo", 1, now))
	m.fire(m.alerts...)
	silences = m.silences()
	m.kill()

	m.arrive(binary, silences)
	m.stop()

	m.arrive(am, silences)
	m.fire(ended) // and fires again
	await(t, "one of which they know that it ended", func() (string, bool) { return "", len(team.got()) > m.told })
	m.told++
	m.check()
	m.alerts = append(m.alerts, ended)
	m.silence("QuietAtLast", now, now.Add(time.Hour))
	m.alerts = append(m.alerts, instance("QuietAtLast", 1, now))
	silences = m.silences()
	m.stop()

	m.arrive(binary, silences)
	for _, s := range team.tellings(t) {
		if strings.HasPrefix(s.short(), "Quiet") {
			t.Errorf("the team was told what is silenced: %s", s)
		}
	}
	m.stop()
}
