package gossip

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/midwatch/midwatch/router"
)

// Options are what Alertmanager's flags of the same names say, and what the mesh is to work on.
type Options struct {
	ListenAddress    string   // --cluster.listen-address, host:port
	AdvertiseAddress string   // --cluster.advertise-address, ip:port; empty: found out
	PeerName         string   // --cluster.peer-name; empty: a new one at each start, which is written nowhere
	Peers            []string // --cluster.peer, each host:port

	PeerTimeout       time.Duration // --cluster.peer-timeout: how much longer each peer waits than the one before it
	ResolveTimeout    time.Duration // --cluster.peers-resolve-timeout
	GossipInterval    time.Duration // --cluster.gossip-interval; ten of it are a look at whether the mesh has settled
	PushPullInterval  time.Duration // --cluster.pushpull-interval
	TCPTimeout        time.Duration // --cluster.tcp-timeout
	ProbeTimeout      time.Duration // --cluster.probe-timeout
	ProbeInterval     time.Duration // --cluster.probe-interval
	SettleTimeout     time.Duration // --cluster.settle-timeout; zero: it is settled at once
	ReconnectInterval time.Duration // --cluster.reconnect-interval; zero: never
	ReconnectTimeout  time.Duration // --cluster.reconnect-timeout; zero: never given up

	TLSConfigFile          string // --cluster.tls-config; empty: no TLS
	AllowInsecureAdvertise bool   // --cluster.allow-insecure-public-advertise-address-discovery
	Label                  string // --cluster.label

	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // of Alertmanager's metrics; nil: none

	// Silences and Log return the whole states, as they are committed. They are called from memberlist's goroutines,
	// and may be before Join returns.
	Silences func() []router.Silence
	Log      func() []router.LogEntry

	// MergeSilences and MergeLog take in what a peer said, on memberlist's goroutines: they must return soon, and are
	// called concurrently, even before Join returns. What of it turns out to be news goes to SilencesChanged and
	// LogChanged, with merged set, if onward says so: not everybody got the message.
	MergeSilences func(all []router.Silence, onward bool)
	MergeLog      func(all []router.LogEntry, onward bool)

	// Changed says whether the mesh has settled, and how long to wait with each notification because of the peers that
	// come before us. It is called with the first of it, then when it changes, which is looked at each second, and at
	// once when the mesh settles. Calls do not overlap. Nil: nobody asks.
	Changed func(ready bool, wait time.Duration)
}

// Defaults are Alertmanager's.
func Defaults() Options {
	return Options{
		ListenAddress:     "0.0.0.0:9094",
		PeerTimeout:       15 * time.Second,
		ResolveTimeout:    cluster.DefaultResolvePeersTimeout,
		GossipInterval:    cluster.DefaultGossipInterval,
		PushPullInterval:  cluster.DefaultPushPullInterval,
		TCPTimeout:        cluster.DefaultTCPTimeout,
		ProbeTimeout:      cluster.DefaultProbeTimeout,
		ProbeInterval:     cluster.DefaultProbeInterval,
		SettleTimeout:     cluster.DefaultPushPullInterval,
		ReconnectInterval: cluster.DefaultReconnectInterval,
		ReconnectTimeout:  cluster.DefaultReconnectTimeout,
	}
}

// A Mesh is our membership in a cluster of Alertmanagers.
type Mesh struct {
	peer     *cluster.Peer
	silences *state[router.Silence]
	log      *state[router.LogEntry]

	left     atomic.Bool
	stop     context.CancelFunc
	watching sync.WaitGroup
}

// A Peer is a member of the cluster.
type Peer struct{ Name, Address string }

// Join becomes a member of the cluster. It returns when peers can reach us; that we reach them, and that the mesh
// settles, comes later, by Changed. A peer that does not answer is no error: it is tried again.
func Join(o Options) (*Mesh, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry() // without one, package cluster makes no channels
	}
	peer, err := listen(o)
	if err != nil {
		return nil, err
	}
	m := &Mesh{peer: peer}
	m.silences = &state[router.Silence]{
		all: o.Silences, merge: o.MergeSilences, encode: EncodeSilences, decode: DecodeSilences,
		passedOn: passedOn(o.Registerer, "silences"), left: &m.left, logger: o.Logger.With("state", "silences"),
	}
	m.log = &state[router.LogEntry]{
		all: o.Log, merge: o.MergeLog, encode: EncodeLog, decode: DecodeLog,
		passedOn: passedOn(o.Registerer, "nflog"), left: &m.left, logger: o.Logger.With("state", "nflog"),
	}
	m.silences.channel = peer.AddState("sil", m.silences, o.Registerer)
	m.log.channel = peer.AddState("nfl", m.log, o.Registerer)

	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		_ = peer.Join(o.ReconnectInterval, o.ReconnectTimeout) // it logs why it could not, and tries again
		ctx, cancel := context.WithTimeout(ctx, o.SettleTimeout)
		defer cancel()
		peer.Settle(ctx, 10*o.GossipInterval)
	}()
	if o.Changed != nil {
		m.watching.Go(func() {
			watch(ctx, settled, func() standing {
				return standing{peer.Ready(), time.Duration(peer.Position()) * o.PeerTimeout}
			}, o.Changed)
		})
	}
	return m, nil
}

func listen(o Options) (*cluster.Peer, error) {
	tls, err := cluster.GetTLSTransportConfig(o.TLSConfigFile)
	if err != nil {
		return nil, fmt.Errorf("--cluster.tls-config=%s: %w", o.TLSConfigFile, err)
	}
	const waitForPeers = true // until their names resolve to something, as Alertmanager does at its start
	peer, err := cluster.Create(o.Logger, o.Registerer, o.ListenAddress, o.AdvertiseAddress, o.Peers, waitForPeers,
		o.PushPullInterval, o.GossipInterval, o.TCPTimeout, o.ResolveTimeout, o.ProbeTimeout, o.ProbeInterval,
		tls, o.AllowInsecureAdvertise, o.Label, o.PeerName)
	if err != nil {
		return nil, fmt.Errorf("cluster on %q: %w (an empty --cluster.listen-address= runs without one)", o.ListenAddress, err)
	}
	return peer, nil
}

func passedOn(r prometheus.Registerer, state string) prometheus.Counter {
	return promauto.With(r).NewCounter(prometheus.CounterOpts{
		Name: "alertmanager_" + state + "_gossip_messages_propagated_total",
		Help: "Number of received gossip messages that have been further gossiped.",
	})
}

// A standing is where we are in the cluster.
type standing struct {
	ready bool
	wait  time.Duration
}

// watch tells of each standing that differs from the one before, until ctx is done.
func watch(ctx context.Context, settled <-chan struct{}, look func() standing, changed func(bool, time.Duration)) {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	told := standing{wait: -1}
	for ctx.Err() == nil {
		// Leaving ends the wait for the mesh to settle, which makes it look ready. That is not told.
		if now := look(); now != told && ctx.Err() == nil {
			told = now
			changed(now.ready, now.wait)
		}
		select {
		case <-settled:
			settled = nil
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

// SilencesChanged tells the peers of silences. merged says that they are a peer's word and news to us; the caller knows
// from MergeSilences whether these go onward.
func (m *Mesh) SilencesChanged(changed []router.Silence, merged bool) {
	m.silences.tell(changed, merged)
}

// LogChanged tells the peers of entries of the notification log. merged says that they are a peer's word and news to us;
// the caller knows from MergeLog whether these go onward.
func (m *Mesh) LogChanged(changed []router.LogEntry, merged bool) { m.log.tell(changed, merged) }

// Status is what Alertmanager's API says of a cluster: our name, "settling" or "ready", and its members by name, we
// among them.
func (m *Mesh) Status() (name, status string, peers []Peer) {
	for _, p := range m.peer.Peers() {
		peers = append(peers, Peer{p.Name(), p.Address()})
	}
	slices.SortFunc(peers, func(a, b Peer) int { return cmp.Compare(a.Name, b.Name) })
	return m.peer.Name(), m.peer.Status(), peers
}

// Attend tells r in which cluster we are: Alertmanager's event recorder writes our place in it with every event.
func (m *Mesh) Attend(r interface{ SetClusterPeer(p *cluster.Peer) }) { r.SetClusterPeer(m.peer) }

// Peers is how many members the cluster has, we among them.
func (m *Mesh) Peers() int { return m.peer.ClusterSize() }

// Leave says goodbye to the peers, for at most so long. From then on nothing is taken in from them and told to them, and
// nothing of the Options is called that is not running already; Changed is not. The second Leave does nothing. Changed
// must not call it.
//
// What memberlist itself has running, and its sockets, end with the process: Alertmanager's package cannot end them.
func (m *Mesh) Leave(timeout time.Duration) error {
	if m.left.Swap(true) {
		return nil
	}
	m.stop()
	m.watching.Wait()
	if err := m.peer.Leave(timeout); err != nil {
		return fmt.Errorf("leave the cluster: %w", err)
	}
	return nil
}
