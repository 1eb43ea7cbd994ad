package gossip

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/midwatch/midwatch/router"
)

// patience is how long the machine may take for what it should do at once. What is awaited comes, or it does not.
const patience = time.Minute

// memberlist goes on after Leave, since Alertmanager's package cannot end it. All else must have ended.
var memberlist = []goleak.Option{
	leftBehind("streamListen"), leftBehind("packetListen"), leftBehind("packetHandler"), leftBehind("handleConn"),
	leftBehind("triggerFunc"), leftBehind("pushPullTrigger"), leftBehind("checkBroadcastQueueDepth"),
	goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*NetTransport).tcpListen"),
	goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*NetTransport).udpListen"),
	goleak.IgnoreAnyFunction("github.com/prometheus/alertmanager/cluster.(*TLSTransport).listen"),
	goleak.IgnoreAnyFunction("github.com/prometheus/alertmanager/cluster.(*TLSTransport).handle"),
}

func leftBehind(method string) goleak.Option {
	return goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist)." + method)
}

func TestMain(m *testing.M) {
	code := m.Run()
	err := goleak.Find(memberlist...)
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); {
		err = goleak.Find(memberlist...)
	}
	if err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// TestBesideAlertmanager has two of ours and an Alertmanager tell each other what they know.
func TestBesideAlertmanager(t *testing.T) {
	am := newAlertmanager(t)
	am.silence(t, "before we came")
	ana := join(t, "ana", am.address())
	bo := join(t, "bo", am.address(), ana.address())
	for _, n := range []*node{ana, bo} {
		await(t, "three members", func() int { return n.mesh.Peers() }, 3)
		await(t, "what was there before", n.comments, []string{"before we came"})
	}

	ours := silenceOf100Years("ours")
	ana.say(ours)
	await(t, "our silence at ours", bo.comments, []string{"before we came", "ours"})
	await(t, "our silence at Alertmanager", am.comments, []string{"before we came", "ours"})

	am.silence(t, "theirs")
	for _, n := range []*node{ana, bo} {
		await(t, "their silence", n.comments, []string{"before we came", "ours", "theirs"})
	}

	ours.EndsAt, ours.UpdatedAt = ours.StartsAt, ours.UpdatedAt.Add(time.Second)
	bo.say(ours)
	await(t, "the end that the other one made", func() time.Time { return ana.silence(ours.ID).EndsAt }, ours.EndsAt)
	await(t, "its end at Alertmanager", func() time.Time { return am.get(ours.ID).GetEndsAt().AsTime() }, ours.EndsAt)

	long := silenceOf100Years(strings.Repeat("over TCP ", 200))
	bo.say(long)
	await(t, "a long silence at ours", func() string { return ana.silence(long.ID).Comment }, long.Comment)
	await(t, "a long silence at Alertmanager", func() string { return am.get(long.ID).GetComment() }, long.Comment)
}

// TestNewsGoesOnwardOnce has each that hears of a silence for the first time pass it on, and nobody twice.
func TestNewsGoesOnwardOnce(t *testing.T) {
	ana := join(t, "ana")
	bo := join(t, "bo", ana.address())
	cy := join(t, "cy", ana.address(), bo.address())
	nodes := []*node{ana, bo, cy}
	for _, n := range nodes {
		await(t, "three members", func() int { return n.mesh.Peers() }, 3)
		await(t, "that joining is over", func() bool { return n.standing().ready }, true)
	}
	const passedOn = "alertmanager_silences_gossip_messages_propagated_total"
	check := func(passed ...float64) {
		t.Helper()
		for i, n := range nodes {
			await(t, "what was passed on", func() float64 { return counter(t, n.registry, passedOn) }, passed[i])
		}
	}
	ana.say(silenceOf100Years("short"))
	check(0, 1, 1)
	bo.say(silenceOf100Years(strings.Repeat("over TCP ", 200)))
	cy.say(silenceOf100Years("short, too"))
	for _, n := range nodes {
		await(t, "all three", func() int { return len(n.comments()) }, 3)
	}
	check(1, 2, 1)
}

func TestTheLogBesideAlertmanager(t *testing.T) {
	am := newAlertmanager(t)
	ana := join(t, "ana", am.address())
	bo := join(t, "bo", am.address(), ana.address())
	for _, n := range []*node{ana, bo} {
		await(t, "three members", func() int { return n.mesh.Peers() }, 3)
	}

	ana.told(oneEntry)
	await(t, "our entry at ours", func() router.LogEntry { return bo.entry(oneEntry.LogKey) }, oneEntry)
	await(t, "Slack's thread at Alertmanager", func() string {
		thread, _ := nflog.NewStore(upstreamEntry(am.log, oneEntry.LogKey)).GetStr("threadTs")
		return thread
	}, "1700000000.000100")

	key := router.LogKey{GroupKey: `{}:{alertname="Up"}`, Receiver: "team", Integration: "slack"}
	var firing []uint64 // so many that it goes over TCP
	for i := range uint64(300) {
		firing = append(firing, 1<<63+i)
	}
	store := nflog.NewStore(nil)
	store.SetStr("threadTs", "42.1")
	if err := am.log.Log(wireKey(key), key.GroupKey, firing, nil, store, time.Hour); err != nil {
		t.Fatal(err)
	}
	at := upstreamEntry(am.log, key).Timestamp.AsTime()
	for _, n := range []*node{ana, bo} {
		await(t, "their entry", func() router.LogEntry { return n.entry(key) }, router.LogEntry{
			LogKey: key, Timestamp: at, ExpiresAt: at.Add(time.Hour), Firing: firing, State: map[string]string{"threadTs": "42.1"},
		})
	}

	var burst []router.LogEntry
	for i := range 500 {
		e := oneEntry
		e.GroupKey = fmt.Sprintf(`{}:{alertname="Flood %d"}`, i)
		burst = append(burst, e)
	}
	bo.told(burst...)
	arrived := func(has func(router.LogKey) bool) func() int {
		return func() int {
			n := 0
			for _, e := range burst {
				if has(e.LogKey) {
					n++
				}
			}
			return n
		}
	}
	await(t, "a burst at ours", arrived(func(k router.LogKey) bool { return ana.entry(k).Receiver != "" }), len(burst))
	await(t, "a burst at Alertmanager", arrived(func(k router.LogKey) bool { return upstreamEntry(am.log, k) != nil }), len(burst))
}

func TestStatusTellsTheMembersByName(t *testing.T) {
	bo := join(t, "bo")
	ana := join(t, "ana", bo.address())
	members := []Peer{{"ana", ana.address()}, {"bo", bo.address()}}
	for _, n := range []*node{ana, bo} {
		await(t, "both members", func() []Peer { _, _, peers := n.mesh.Status(); return peers }, members)
	}
	name, _, _ := ana.mesh.Status()
	equal(t, name, "ana")
	await(t, "a settled mesh", func() string { _, status, _ := ana.mesh.Status(); return status }, "ready")
}

func TestTheWaitFollowsThePeersBeforeUs(t *testing.T) {
	bo := join(t, "bo")
	await(t, "to be ready and the first", bo.standing, standing{ready: true})
	ana := join(t, "ana", bo.address())
	await(t, "to be the second", bo.standing, standing{ready: true, wait: 15 * time.Second})
	if err := ana.mesh.Leave(patience); err != nil {
		t.Fatal(err)
	}
	await(t, "to be the first again", bo.standing, standing{ready: true})
}

func TestAfterLeavingNothingIsSaidAndHeard(t *testing.T) {
	am := newAlertmanager(t)
	ana := join(t, "ana", am.address())
	await(t, "both members", func() int { return ana.mesh.Peers() }, 2)
	if err := ana.mesh.Leave(patience); err != nil {
		t.Fatal(err)
	}
	if err := ana.mesh.Leave(patience); err != nil {
		t.Errorf("the second time: %v", err)
	}
	await(t, "to be alone", am.peer.ClusterSize, 1)

	if err := ana.mesh.silences.Merge(silenceBytes(t, []router.Silence{oneSilence})); err != nil {
		t.Error(err)
	}
	equal(t, ana.comments(), nil)
	heard := &wall{}
	ana.mesh.silences.channel = heard
	ana.say(oneSilence)
	equal(t, heard.messages, nil)
	state, err := ana.mesh.silences.MarshalBinary()
	if len(state) > 0 || err != nil {
		t.Errorf("the whole state is still told: %q, %v", state, err)
	}
}

// TestLeavingWaitsForChanged has Changed run until we leave, and then for a while in which Leave must not return.
func TestLeavingWaitsForChanged(t *testing.T) {
	joined, running, returned := make(chan *Mesh, 1), make(chan struct{}), make(chan struct{})
	o := options("ana")
	o.SettleTimeout = time.Hour
	o.GossipInterval = time.Hour
	o.Changed = func(bool, time.Duration) {
		m := <-joined
		close(running)
		await(t, "to leave", m.left.Load, true)
		select {
		case <-returned:
			t.Error("Leave returned while Changed ran")
		case <-time.After(50 * time.Millisecond):
		}
	}
	m, err := Join(o)
	if err != nil {
		t.Fatal(err)
	}
	joined <- m
	<-running
	if err := m.Leave(patience); err != nil {
		t.Error(err)
	}
	close(returned)
}

// TestASilentPeerDoesNotHoldUpTheStart has the peer take our call and say nothing, for longer than the test lasts.
func TestASilentPeerDoesNotHoldUpTheStart(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan net.Conn, 1)
	go func() {
		conn, err := silent.Accept()
		if err != nil {
			close(taken)
			return
		}
		taken <- conn
	}()
	o := options("ana", silent.Addr().String())
	o.TCPTimeout = time.Hour
	o.ReconnectInterval = 0
	n := joinWith(t, o)
	conn := <-taken
	defer conn.Close()
	defer silent.Close()
	if _, status, peers := n.mesh.Status(); status != "settling" || len(peers) != 1 {
		t.Errorf("got %q with %v, want settling with ourselves alone", status, peers)
	}
	if err := n.mesh.Leave(patience); err != nil {
		t.Error(err)
	}
	// It settles because it leaves, and that is not told.
	if n.standing().ready {
		t.Error("told to be ready while leaving")
	}
}

func TestWhyThereIsNoMesh(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"address": {func(o *Options) { o.ListenAddress = "nowhere" }, `cluster on "nowhere": invalid listen address: address nowhere: missing port in address (an empty --cluster.listen-address= runs without one)`},
		"TLS":     {func(o *Options) { o.TLSConfigFile = "absent.yml" }, "--cluster.tls-config=absent.yml: open absent.yml: no such file or directory"},
		"peer":    {func(o *Options) { o.Peers = []string{"bo"} }, "resolve peers: split host/port for peer bo"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options("ana")
			tt.change(&o)
			_, err := Join(o)
			faultIs(t, err, tt.want)
		})
	}
}

func TestTLS(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/alertmanager").Output()
	if err != nil {
		t.Fatal(err)
	}
	config := func(n int) string {
		return filepath.Join(strings.TrimSpace(string(out)), "cluster", "testdata", fmt.Sprintf("tls_config_node%d.yml", n))
	}
	first := options("ana")
	first.TLSConfigFile = config(1)
	ana := joinWith(t, first)
	second := options("bo", ana.address())
	second.TLSConfigFile = config(2)
	bo := joinWith(t, second)
	await(t, "both members", func() int { return ana.mesh.Peers() }, 2)
	bo.say(silenceOf100Years("in secret"))
	await(t, "the silence", ana.comments, []string{"in secret"})
}

// TestWatch has look answer from a script, in virtual time.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		settled := make(chan struct{})
		look := func() standing {
			switch since := time.Since(start); {
			case since < 1500*time.Millisecond:
				return standing{}
			case since < 2700*time.Millisecond:
				return standing{wait: 15 * time.Second}
			case since < 4*time.Second:
				return standing{ready: true, wait: 15 * time.Second}
			case since < time.Minute:
				return standing{ready: true, wait: 30 * time.Second}
			}
			stop() // we leave just as it looks
			return standing{ready: true}
		}
		time.AfterFunc(2700*time.Millisecond, func() { close(settled) })

		var got []string
		watch(ctx, settled, look, func(ready bool, wait time.Duration) {
			got = append(got, fmt.Sprint(time.Since(start), " ", ready, " ", wait))
		})
		equal(t, got, []string{"0s false 0s", "2s false 15s", "2.7s true 15s", "4s true 30s"})
	})
}

// A node is one of ours, with an engine that knows no more than that the later word counts.
type node struct {
	mesh     *Mesh
	registry *prometheus.Registry

	mu       sync.Mutex
	joined   bool
	silences map[string]router.Silence
	log      map[router.LogKey]router.LogEntry
	stands   standing
}

func join(t *testing.T, name string, peers ...string) *node {
	t.Helper()
	return joinWith(t, options(name, peers...))
}

// options make a mesh that settles soon, in which whole states are exchanged at joining only, and nobody is taken for dead
// because the machine is slow.
func options(name string, peers ...string) Options {
	o := Defaults()
	o.ListenAddress, o.PeerName, o.Peers = "127.0.0.1:0", name, peers
	o.GossipInterval, o.PushPullInterval = 10*time.Millisecond, time.Hour
	o.ProbeInterval, o.ProbeTimeout = time.Hour, time.Hour
	return o
}

func joinWith(t *testing.T, o Options) *node {
	t.Helper()
	n := &node{registry: prometheus.NewRegistry(), silences: map[string]router.Silence{}, log: map[router.LogKey]router.LogEntry{}}
	o.Registerer = n.registry
	o.Silences = func() (all []router.Silence) {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, s := range n.silences {
			all = append(all, s)
		}
		return all
	}
	o.Log = func() (all []router.LogEntry) {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, e := range n.log {
			all = append(all, e)
		}
		return all
	}
	o.MergeSilences = func(all []router.Silence, onward bool) {
		if news, joined := n.mergeSilences(all); onward && joined {
			n.mesh.SilencesChanged(news, true)
		}
	}
	o.MergeLog = func(all []router.LogEntry, onward bool) {
		if news, joined := n.mergeLog(all); onward && joined {
			n.mesh.LogChanged(news, true)
		}
	}
	o.Changed = func(ready bool, wait time.Duration) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.stands = standing{ready, wait}
	}
	mesh, err := Join(o)
	if err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	n.mesh, n.joined = mesh, true
	n.mu.Unlock()
	t.Cleanup(func() {
		if err := mesh.Leave(patience); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *node) mergeSilences(all []router.Silence) (news []router.Silence, joined bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range all {
		if s.UpdatedAt.After(n.silences[s.ID].UpdatedAt) {
			n.silences[s.ID] = s
			news = append(news, s)
		}
	}
	return news, n.joined
}

func (n *node) mergeLog(all []router.LogEntry) (news []router.LogEntry, joined bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range all {
		if e.Timestamp.After(n.log[e.LogKey].Timestamp) {
			n.log[e.LogKey] = e
			news = append(news, e)
		}
	}
	return news, n.joined
}

func (n *node) address() string { return n.mesh.peer.Self().Address() }

func (n *node) say(s router.Silence) {
	n.mu.Lock()
	n.silences[s.ID] = s
	n.mu.Unlock()
	n.mesh.SilencesChanged([]router.Silence{s}, false)
}

func (n *node) told(all ...router.LogEntry) {
	n.mu.Lock()
	for _, e := range all {
		n.log[e.LogKey] = e
	}
	n.mu.Unlock()
	n.mesh.LogChanged(all, false)
}

func (n *node) silence(id string) router.Silence {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.silences[id]
}

func (n *node) entry(k router.LogKey) router.LogEntry {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log[k]
}

func (n *node) standing() standing {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stands
}

func (n *node) comments() (all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.silences {
		all = append(all, s.Comment)
	}
	slices.Sort(all)
	return all
}

// An alertmanager is upstream's part of the mesh, put together as upstream does.
type alertmanager struct {
	peer     *cluster.Peer
	silences *silence.Silences
	log      *nflog.Log
}

func newAlertmanager(t *testing.T) *alertmanager {
	t.Helper()
	registry := prometheus.NewRegistry()
	o := options("alertmanager")
	peer, err := cluster.Create(slog.New(slog.NewTextHandler(io.Discard, nil)), registry, o.ListenAddress, "", nil, true,
		o.PushPullInterval, o.GossipInterval, o.TCPTimeout, o.ResolveTimeout, o.ProbeTimeout, o.ProbeInterval, nil, false, "", o.PeerName)
	if err != nil {
		t.Fatal(err)
	}
	am := &alertmanager{
		peer:     peer,
		silences: upstreamSilences(t, silence.Options{Retention: time.Hour}),
		log:      upstreamLog(t, nflog.Options{Retention: time.Hour}),
	}
	am.silences.SetBroadcast(peer.AddState("sil", am.silences, registry).Broadcast)
	am.log.SetBroadcast(peer.AddState("nfl", am.log, registry).Broadcast)
	if err := peer.Join(o.ReconnectInterval, o.ReconnectTimeout); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := peer.Leave(patience); err != nil {
			t.Error(err)
		}
	})
	return am
}

func (am *alertmanager) address() string { return am.peer.Self().Address() }

func (am *alertmanager) silence(t *testing.T, comment string) {
	t.Helper()
	err := am.silences.Set(t.Context(), &silencepb.Silence{
		MatcherSets: []*silencepb.MatcherSet{{Matchers: []*silencepb.Matcher{{Name: "job", Pattern: "db"}}}},
		EndsAt:      timestamppb.New(oneSilence.EndsAt), Comment: comment,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// get returns the silence, or nil.
func (am *alertmanager) get(id string) *silencepb.Silence {
	s, err := am.silences.QueryOne(context.Background(), silence.QIDs(id))
	if err != nil {
		return nil
	}
	return s
}

func (am *alertmanager) comments() (all []string) {
	silences, _, _ := am.silences.Query(context.Background())
	for _, s := range silences {
		all = append(all, s.Comment)
	}
	slices.Sort(all)
	return all
}

func silenceOf100Years(comment string) router.Silence {
	s := oneSilence
	s.ID, s.Comment = comment, comment
	return s
}

// await looks until it sees what is wanted.
func await[V any](t *testing.T, what string, look func() V, want V) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		seen := look()
		if reflect.DeepEqual(seen, want) {
			return
		}
		select {
		case <-again.C:
		case <-end.C:
			t.Fatalf("%s: not after %s; last seen: %v", what, patience, seen)
		}
	}
}
