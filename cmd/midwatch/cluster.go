package main

import (
	"fmt"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/gossip"
)

// clusterFlags are Alertmanager's flags of the gossip between peers.
type clusterFlags struct {
	listenAddress    *string // empty: no cluster
	chosen           *bool   // somebody gave the listen address
	advertiseAddress *string
	peerName         *string
	peers            *[]string

	peerTimeout       *time.Duration
	resolveTimeout    *time.Duration
	gossipInterval    *time.Duration
	pushPullInterval  *time.Duration
	tcpTimeout        *time.Duration
	probeTimeout      *time.Duration
	probeInterval     *time.Duration
	settleTimeout     *time.Duration
	reconnectInterval *time.Duration
	reconnectTimeout  *time.Duration

	tlsConfigFile          *string
	allowInsecureAdvertise *bool
	label                  *string
}

func newClusterFlags(cmd *kingpin.CmdClause) clusterFlags {
	like := gossip.Defaults()
	span := func(name, help string, otherwise time.Duration) *time.Duration {
		return cmd.Flag("cluster."+name, help).Default(otherwise.String()).Duration()
	}
	chosen := new(bool)
	return clusterFlags{
		listenAddress:    cmd.Flag("cluster.listen-address", "Where peers reach this node, TCP and UDP. Empty: no cluster.").Default(like.ListenAddress).IsSetByUser(chosen).String(),
		chosen:           chosen,
		advertiseAddress: cmd.Flag("cluster.advertise-address", "The address that peers are told of. Default: found out.").String(),
		peerName:         cmd.Flag("cluster.peer-name", "The name of this node among its peers. Default: a new one at each start.").Default("").String(),
		peers:            cmd.Flag("cluster.peer", "A node to join at the start, host:port. Repeatable.").Strings(),

		peerTimeout:       span("peer-timeout", "How much longer each node waits than the one before it, before it notifies.", like.PeerTimeout),
		resolveTimeout:    span("peers-resolve-timeout", "How long the names of peers may take to resolve.", like.ResolveTimeout),
		gossipInterval:    span("gossip-interval", "How often messages are passed on. Less is faster and costs more traffic.", like.GossipInterval),
		pushPullInterval:  span("pushpull-interval", "How often whole states are exchanged. Less is faster and costs more traffic.", like.PushPullInterval),
		tcpTimeout:        span("tcp-timeout", "How long a stream to a peer may take, to open and for each read and write.", like.TCPTimeout),
		probeTimeout:      span("probe-timeout", "How long a probed peer has to answer. Take the 99th percentile of your network's round trips.", like.ProbeTimeout),
		probeInterval:     span("probe-interval", "How often some peer is probed. Less finds lost ones sooner.", like.ProbeInterval),
		settleTimeout:     span("settle-timeout", "How long at most notifications wait for the cluster to settle after the start.", like.SettleTimeout),
		reconnectInterval: span("reconnect-interval", "How often lost peers are tried again.", like.ReconnectInterval),
		reconnectTimeout:  span("reconnect-timeout", "How long lost peers are tried again.", like.ReconnectTimeout),

		tlsConfigFile:          cmd.Flag("cluster.tls-config", "File that turns on mutual TLS between peers, as Alertmanager's.").Default("").String(),
		allowInsecureAdvertise: cmd.Flag("cluster.allow-insecure-public-advertise-address-discovery", "Let the advertised address be found out though it is a public one.").Bool(),
		label:                  cmd.Flag("cluster.label", "A name that all packets of the cluster carry, so that two clusters do not mix.").Default("").String(),
	}
}

// check refuses what Alertmanager refuses: where there is a cluster, all that is done every so often, or for so long, takes
// some time. To settle need not.
func (f clusterFlags) check() error {
	if *f.listenAddress == "" {
		return nil
	}
	return positive(
		interval{"cluster.peer-timeout", *f.peerTimeout},
		interval{"cluster.peers-resolve-timeout", *f.resolveTimeout},
		interval{"cluster.gossip-interval", *f.gossipInterval},
		interval{"cluster.pushpull-interval", *f.pushPullInterval},
		interval{"cluster.tcp-timeout", *f.tcpTimeout},
		interval{"cluster.probe-timeout", *f.probeTimeout},
		interval{"cluster.probe-interval", *f.probeInterval},
		interval{"cluster.reconnect-interval", *f.reconnectInterval},
		interval{"cluster.reconnect-timeout", *f.reconnectTimeout},
	)
}

// options are what the mesh is made of, but for what it works on.
func (f clusterFlags) options() gossip.Options {
	return gossip.Options{
		ListenAddress: *f.listenAddress, AdvertiseAddress: *f.advertiseAddress, PeerName: *f.peerName, Peers: *f.peers,

		PeerTimeout: *f.peerTimeout, ResolveTimeout: *f.resolveTimeout,
		GossipInterval: *f.gossipInterval, PushPullInterval: *f.pushPullInterval,
		TCPTimeout: *f.tcpTimeout, ProbeTimeout: *f.probeTimeout, ProbeInterval: *f.probeInterval, SettleTimeout: *f.settleTimeout,
		ReconnectInterval: *f.reconnectInterval, ReconnectTimeout: *f.reconnectTimeout,

		TLSConfigFile: *f.tlsConfigFile, AllowInsecureAdvertise: *f.allowInsecureAdvertise, Label: *f.label,
	}
}

// An interval is a flag that must be more than nothing.
type interval struct {
	flag string
	span time.Duration
}

func positive(all ...interval) error {
	for _, i := range all {
		if i.span <= 0 {
			return fmt.Errorf("--%s is %s; it must be more than nothing", i.flag, i.span)
		}
	}
	return nil
}
