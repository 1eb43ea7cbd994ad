//go:build linux

package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A node is midwatch or the real Alertmanager, through all its lives: they take turns with the same flags, file and
// storage path. It has an address of its own, so that it keeps its ports from one life to the next.
type node struct {
	t       testing.TB
	name    string // among its peers
	host    string
	dir     string // config.yml and data
	args    []string
	process *process // the present life
}

var hosts atomic.Int32

// newNode prepares a node and starts nothing.
func newNode(t testing.TB, name, config string, args ...string) *node {
	t.Helper()
	// All of 127.0.0.0/8 is this host. Where the number of the process is in the address, two runs do not meet.
	pid := os.Getpid()
	n := &node{t: t, name: name, host: fmt.Sprintf("127.%d.%d.%d", 1+pid>>8%250, pid%256, hosts.Add(1)), dir: t.TempDir()}
	n.configure(config)
	n.args = append([]string{
		"--config.file=" + filepath.Join(n.dir, "config.yml"),
		"--storage.path=" + filepath.Join(n.dir, "data"),
		"--web.listen-address=" + n.host + ":9093",
	}, args...)
	return n
}

func (n *node) configure(config string) {
	n.t.Helper()
	write(n.t, filepath.Join(n.dir, "config.yml"), config)
}

// run starts the program in the node's place and waits until it is ready.
func (n *node) run(program string) {
	n.t.Helper()
	n.launch(program)
	n.ready()
}

func (n *node) ready() {
	n.t.Helper()
	await(n.t, n.name+": readiness", func() (string, bool) {
		if n.process.ended() {
			n.t.Fatalf("%s ended with %d before it was ready", n.name, n.process.code)
		}
		status, _, err := n.ask(http.MethodGet, "/-/ready", "")
		return fmt.Sprint(status, err), status == http.StatusOK
	})
}

// launch starts the program and waits for nothing.
func (n *node) launch(program string) {
	n.t.Helper()
	cmd := exec.Command(program, n.args...)
	cmd.Dir = n.dir
	p := start(n.t, cmd)
	n.process = p
	n.t.Cleanup(func() {
		if n.t.Failed() {
			n.t.Logf("%s, %s, said:\n%s", n.name, filepath.Base(program), p.log.tail(25))
		}
	})
}

// stop ends the program as an operator does, and it must end well.
func (n *node) stop() {
	n.t.Helper()
	n.process.signal(n.t, syscall.SIGTERM)
	if code := n.process.wait(n.t); code != 0 {
		n.t.Errorf("%s ended with %d after SIGTERM, want 0", n.name, code)
	}
}

// kill is kill -9.
func (n *node) kill() { n.t.Helper(); n.process.kill(n.t) }

func (n *node) url() string { return "http://" + n.host + ":9093" }

// ask makes one request; err is of the network.
func (n *node) ask(method, path, body string) (status int, answer string, err error) {
	r, err := http.NewRequest(method, n.url()+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return do(r)
}

// must makes a request that is answered with 200.
func (n *node) must(method, path, body string) string {
	n.t.Helper()
	status, answer, err := n.ask(method, path, body)
	if err != nil || status != http.StatusOK {
		n.t.Fatalf("%s: %s %s: %d %v\n%s", n.name, method, path, status, err, answer)
	}
	return answer
}

func (n *node) fire(alerts ...alert) {
	n.t.Helper()
	n.must(http.MethodPost, "/api/v2/alerts", body(alerts...))
}

// silence makes a silence of all alerts with that name, from then until then, and returns its ID.
func (n *node) silence(alertname string, from, to time.Time) string {
	n.t.Helper()
	wish, err := json.Marshal(map[string]any{
		"matchers":  []any{map[string]any{"name": "alertname", "value": alertname, "isRegex": false, "isEqual": true}},
		"startsAt":  from,
		"endsAt":    to,
		"createdBy": "ana",
		"comment":   "made at " + n.name,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	var made struct {
		SilenceID string `json:"silenceID"`
	}
	decode(n.t, n.must(http.MethodPost, "/api/v2/silences", string(wish)), &made)
	return made.SilenceID
}

func (n *node) expire(silence string) {
	n.t.Helper()
	n.must(http.MethodDelete, "/api/v2/silence/"+silence, "")
}

// silences are those that the node has, a line each, without when they were changed last.
func (n *node) silences() []string {
	n.t.Helper()
	var all []struct {
		ID                 string    `json:"id"`
		Status             any       `json:"status"`
		StartsAt, EndsAt   time.Time // to the millisecond
		CreatedBy, Comment string
		Matchers           json.RawMessage
		Annotations        json.RawMessage
	}
	decode(n.t, n.must(http.MethodGet, "/api/v2/silences", ""), &all)
	var lines []string
	for _, s := range all {
		lines = append(lines, fmt.Sprint(s.ID, s.Status, s.StartsAt, s.EndsAt, s.CreatedBy, s.Comment, string(s.Matchers), string(s.Annotations)))
	}
	slices.Sort(lines)
	return lines
}

// state is that of a silence: active, pending, expired; "" if the node does not know of it.
func (n *node) state(silence string) string {
	n.t.Helper()
	status, answer, err := n.ask(http.MethodGet, "/api/v2/silence/"+silence, "")
	if err != nil || status != http.StatusOK {
		return ""
	}
	var s struct {
		Status struct{ State string }
	}
	decode(n.t, answer, &s)
	return s.Status.State
}

// A telling is what a webhook gets of a group.
type telling struct {
	Receiver string  `json:"receiver"`
	GroupKey string  `json:"groupKey"`
	Alerts   []alert `json:"alerts"`
	At       time.Time
}

// String is what was told of what, the same whoever told it and when.
func (n telling) String() string {
	var alerts []string
	for _, a := range n.Alerts {
		alerts = append(alerts, fmt.Sprint(a.Labels["instance"], " ", a.Status))
	}
	slices.Sort(alerts)
	return n.Receiver + " " + n.GroupKey + " " + strings.Join(alerts, ", ")
}

// tellings are all that the webhook got.
func (e *endpoint) tellings(t testing.TB) (all []telling) {
	t.Helper()
	for _, h := range e.got() {
		n := telling{At: h.At}
		decode(t, h.Body, &n)
		all = append(all, n)
	}
	return all
}

// repeated are how many of them had been told before.
func repeated(all []telling) (n int) {
	heard := map[string]bool{}
	for _, said := range all {
		if heard[said.String()] {
			n++
		}
		heard[said.String()] = true
	}
	return n
}

// awaitTold waits until everything of this has been told: group, then instances and their states, as in "G01: 1 firing".
func (e *endpoint) awaitTold(t testing.TB, what string, wanted ...string) {
	t.Helper()
	await(t, what, func() (string, bool) {
		missing := slices.Clone(wanted)
		for _, said := range e.tellings(t) {
			missing = slices.DeleteFunc(missing, func(w string) bool { return w == said.short() })
		}
		return fmt.Sprintf("missing are %d: %q", len(missing), missing[:min(len(missing), 5)]), len(missing) == 0
	})
}

// short names a telling by its group's alertname: "G01: 1 firing, 2 resolved".
func (n telling) short() string {
	_, states, _ := strings.Cut(n.String(), n.GroupKey+" ")
	return n.Alerts[0].Labels["alertname"] + ": " + states
}

// In the meshes of these tests the second of three nodes waits for turn before it tells, and the third for twice as long.
const turn = 2 * time.Second

const meshConfig = `
route:
  receiver: team
  group_by: [alertname]
  group_wait: 1s
  group_interval: INTERVAL
  repeat_interval: 4h
receivers:
  - name: team
    webhook_configs: [{url: "TEAM"}]
`

// A mesh is nodes that gossip, with one team that they tell.
type mesh struct {
	t     testing.TB
	name  string
	team  *endpoint
	nodes []*node
}

// A pace is how often a mesh does what it does.
type pace struct {
	interval time.Duration // in which a group speaks
	exchange time.Duration // in which two nodes tell one another all that they know; who joins does so too
}

// gossiping starts one node for each program, and does not wait until they have met. Their names, and so their turns, are in
// this order.
func gossiping(t testing.TB, name string, p pace, programs ...string) *mesh {
	t.Helper()
	m := &mesh{t: t, name: name, team: chatter(t)}
	for i := range programs {
		n := newNode(t, name+", "+string(rune('a'+i)), fill(meshConfig, "TEAM", m.team.URL, "INTERVAL", p.interval.String()),
			"--cluster.peer-name="+string(rune('a'+i)),
			"--cluster.peer-timeout="+turn.String(),
			"--cluster.gossip-interval=20ms", // ten of it are a look at whether the mesh has settled
			"--cluster.pushpull-interval="+p.exchange.String(),
			"--cluster.settle-timeout=5s",
			"--cluster.probe-interval=500ms",
			"--cluster.reconnect-interval=1s",
		)
		m.nodes = append(m.nodes, n)
	}
	for _, n := range m.nodes {
		n.args = append(n.args, "--cluster.listen-address="+n.host+":9094")
		for _, other := range m.nodes {
			if other != n {
				n.args = append(n.args, "--cluster.peer="+other.host+":9094")
			}
		}
	}
	for i, n := range m.nodes {
		n.launch(programs[i])
	}
	return m
}

// met waits until every node sees all of them, and has settled.
func (m *mesh) met() {
	m.t.Helper()
	for _, n := range m.nodes {
		n.ready()
		await(m.t, n.name+": its peers", func() (string, bool) {
			var s struct {
				Cluster struct {
					Status string
					Peers  []any
				}
			}
			decode(m.t, n.must(http.MethodGet, "/api/v2/status", ""), &s)
			return fmt.Sprint(s.Cluster), s.Cluster.Status == "ready" && len(s.Cluster.Peers) == len(m.nodes)
		})
	}
}

// fire tells every node of the alerts at once, as Prometheus does.
func (m *mesh) fire(alerts ...alert) {
	m.t.Helper()
	var all sync.WaitGroup
	for _, n := range m.nodes {
		all.Go(func() {
			if status, answer, err := n.ask(http.MethodPost, "/api/v2/alerts", body(alerts...)); err != nil || status != http.StatusOK {
				m.t.Errorf("%s: the alerts: %d %v %s", n.name, status, err, answer)
			}
		})
	}
	all.Wait()
}

// agree waits until every node says so of the silence.
func (m *mesh) agree(silence, state string) {
	m.t.Helper()
	for _, n := range m.nodes {
		await(m.t, n.name+": "+silence+" "+state, func() (string, bool) {
			now := n.state(silence)
			return now, now == state
		})
	}
}

// instance is one of the alerts of a group.
func instance(group string, n int, since time.Time) alert {
	a := critical(group)
	a.Labels["instance"] = fmt.Sprint(n)
	a.StartsAt = since
	return a
}

// instances are those alerts of so many groups, which are called G000 and so on, and what is to be told of each group.
func instances(groups int, since time.Time, state string, numbers ...int) (alerts []alert, wanted []string) {
	for g := range groups {
		name := fmt.Sprintf("G%03d", g)
		var states []string
		for _, n := range numbers {
			a := instance(name, n, since)
			if state == "resolved" {
				a = a.over()
			}
			alerts = append(alerts, a)
			states = append(states, fmt.Sprint(n, " ", state))
		}
		wanted = append(wanted, name+": "+strings.Join(states, ", "))
	}
	return alerts, wanted
}

// Three nodes of which one is a midwatch, at each of the three places, beside a mesh of three Alertmanagers. Silences reach everybody,
// no alert is lost, and nobody hears of anything oftener than from Alertmanagers alone.
func TestMeshWithAlertmanagers(t *testing.T) {
	const groups = 60
	// Everybody's turn has come before the group speaks again, as it is with the default flags: what changes while somebody
	// still waits is told twice, by Alertmanagers too. In that time no two nodes tell one another all that they know, either.
	p := pace{interval: 4 * turn, exchange: 10 * time.Minute}
	// When many groups speak at once, a twentieth of what Alertmanagers gossip does not get through to each of the others: it
	// is sent four times, and whom to is left to chance. So they tell 1 to 6 in 100 twice, and how many is chance.
	const slack = groups / 3

	am := upstream(t, "alertmanager")
	meshes := []*mesh{
		gossiping(t, "three Alertmanagers", p, am, am, am),
		gossiping(t, "midwatch first", p, binary, am, am),
		gossiping(t, "midwatch second", p, am, binary, am),
		gossiping(t, "midwatch third", p, am, am, binary),
	}
	everywhere := func(what string, alerts []alert, wanted []string) {
		t.Helper()
		for _, m := range meshes {
			m.fire(alerts...)
		}
		for _, m := range meshes {
			m.team.awaitTold(t, m.name+": "+what, wanted...)
		}
		<-time.After(2*turn + time.Second) // until it was everybody's turn
	}
	for i, m := range meshes {
		m.met()
		m.silenced(m.nodes[max(i-1, 0)]) // which is the midwatch, where there is one
	}
	since := time.Now() // what fires for longer than group_wait is told at once, a part of the group if need be
	alerts, wanted := instances(groups, since, "firing", 1, 2)
	everywhere("what fires", alerts, wanted)
	more, _ := instances(groups, since, "firing", 3)
	_, wanted = instances(groups, since, "firing", 1, 2, 3)
	everywhere("what fires too", append(alerts, more...), wanted)
	over, wanted := instances(groups, since, "resolved", 1, 2, 3)
	everywhere("what is over", over, wanted)

	theirs := repeated(meshes[0].team.tellings(t))
	for _, m := range meshes {
		said := m.team.tellings(t)
		twice := repeated(said)
		t.Logf("%s: %d notifications of %d, %d of them a second time", m.name, len(said), 3*groups, twice)
		if twice > theirs+slack {
			t.Errorf("%s told %d times what had been told; three Alertmanagers did so %d times", m.name, twice, theirs)
		}
		if others := len(said) - twice - 3*groups; others > slack {
			t.Errorf("%s told %d things that nobody asked for", m.name, others)
		}
		for _, s := range said {
			if strings.HasPrefix(s.short(), "Quiet") {
				t.Errorf("%s told what was silenced: %s", m.name, s)
			}
		}
	}
}

// silenced sends a silence each way, and its end the other way, and leaves two, of which each mutes an alert everywhere.
func (m *mesh) silenced(ours *node) {
	m.t.Helper()
	theirs := m.nodes[(slices.Index(m.nodes, ours)+1)%len(m.nodes)]
	from, to := time.Now(), time.Now().Add(time.Hour)
	made, heard := ours.silence("QuietByUs", from, to), theirs.silence("QuietByThem", from, to)
	brief, other := ours.silence("Brief", from, to), theirs.silence("Other", from, to)
	for _, s := range []string{made, heard, brief, other} {
		m.agree(s, "active")
	}
	ours.expire(other)
	theirs.expire(brief)
	m.agree(other, "expired")
	m.agree(brief, "expired")
	m.fire(critical("QuietByUs"), critical("QuietByThem"))
}

// The nodes of a cluster are replaced one at a time. Nobody hears of it, no silence is lost, and when one of the new nodes is
// killed the others go on.
func TestMeshReplacedNodeByNode(t *testing.T) {
	t.Parallel()
	const groups = 20
	am := upstream(t, "alertmanager")
	m := gossiping(t, "mesh", pace{interval: time.Second, exchange: time.Second}, am, am, am)
	m.met()
	since := time.Now()
	quiet := m.nodes[1].silence("Quiet", since, since.Add(time.Hour))
	m.agree(quiet, "active")
	alerts, wanted := instances(groups, since, "firing", 1)
	alerts = append(alerts, instance("Quiet", 1, since))
	m.fire(alerts...)
	m.team.awaitTold(t, "what fires", wanted...)

	before := m.nodes[0].silences()
	for _, i := range []int{2, 0, 1} {
		n := m.nodes[i]
		n.stop()
		n.run(binary)
		if now := n.silences(); !slices.Equal(now, before) {
			t.Errorf("%s has the silences\n%s\nwant\n%s", n.name, strings.Join(now, "\n"), strings.Join(before, "\n"))
		}
		m.met()
		m.fire(alerts...) // Prometheus does so every minute
	}
	// Everybody has flushed what it heard of, and it has been everybody's turn.
	turns := func() { <-time.After(1500*time.Millisecond + 2*turn) }
	turns()
	if n := len(m.team.got()); n != groups {
		t.Fatalf("the nodes were replaced, and the team has got %d notifications, want %d", n, groups)
	}
	m.agree(quiet, "active")

	// One has heard of an alert, and is killed before it told it.
	m.fire(instance("Orphan", 1, time.Now()))
	killed, all := m.nodes[0], m.nodes
	killed.kill()
	m.nodes = all[1:]
	more, _ := instances(groups, since, "firing", 2)
	_, wanted = instances(groups, since, "firing", 1, 2)
	m.fire(append(alerts, more...)...)
	m.team.awaitTold(t, "what fires too, from those who are left", append(wanted, "Orphan: 1 firing")...)
	m.nodes[1].expire(quiet)
	m.agree(quiet, "expired")
	m.team.awaitTold(t, "what was silenced", "Quiet: 1 firing")
	m.met() // they have found out that one is gone

	// The one that was killed comes back and believes what was when it was killed.
	m.nodes = all
	killed.run(binary)
	m.met()
	m.agree(quiet, "expired")
	m.fire(append(alerts, more...)...)
	turns()
	said := m.team.tellings(t)
	t.Logf("%d notifications of %d, %d of them a second time", len(said), 2*groups+2, repeated(said))
	if len(said) != 2*groups+2 {
		t.Errorf("the team got %d notifications, want %d: two of each group, one of what was silenced, and one of what the killed one knew",
			len(said), 2*groups+2)
	}
}

// Who pages must be alone: peers do not gossip incidents.
func TestMeshRefusesIncidents(t *testing.T) {
	t.Parallel()
	h := newHousehold(t)
	const sentence = "receivers with incident_configs and --cluster.peer exclude each other"
	peer := "--cluster.peer=127.0.0.1:1"

	m := prepare(t, t.TempDir(), h.config(smallConfig), peer)
	m.launch()
	if code := m.process.wait(t); code == 0 || !strings.Contains(m.process.log.tail(3), sentence) {
		t.Errorf("incidents and a peer: it ended with %d and said\n%s", code, m.process.log.tail(3))
	}

	plain := fill(meshConfig, "TEAM", h.ana.URL, "INTERVAL", "5m")
	m = serve(t, plain, peer, "--cluster.listen-address=127.0.0.1:0", "--cluster.settle-timeout=0s")
	before := m.get("/api/v2/receivers")
	m.configure(h.config(smallConfig))
	status, answer, err := m.ask(http.MethodPost, "/-/reload", "")
	if status != http.StatusInternalServerError || !strings.Contains(answer, sentence) {
		t.Errorf("the reload: %d %v %s", status, err, answer)
	}
	if now := m.get("/api/v2/receivers"); now != before || m.metric("alertmanager_config_last_reload_successful") != "0" {
		t.Errorf("after the refused reload the receivers are %s, want %s", now, before)
	}
	m.configure(plain)
	m.post("/-/reload", "")

	// Alone, with a cluster of one, which is what an Alertmanager is without flags.
	serve(t, h.config(smallConfig), "--cluster.listen-address=127.0.0.1:0").stop()
}
