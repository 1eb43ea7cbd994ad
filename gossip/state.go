package gossip

import (
	"bytes"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/client_golang/prometheus"
)

// A burst of more values than singles goes in packed messages, each of about packed bytes. Alertmanagers read any number
// of values from a message. What is short goes through memberlist's queue, which drains at some seven of them a gossip
// interval and repeats each; what is long goes to every peer at once over TCP, but only 200 messages may wait for that,
// and more are dropped. A turn that tells hundreds of groups would be late or lost either way, and be told twice.
const (
	singles = 16
	packed  = 64 << 10
)

// A state is one of the two that peers share, as package cluster wants it.
type state[V any] struct {
	all    func() []V
	merge  func(all []V, onward bool)
	encode func(io.Writer, []V) error
	decode func(io.Reader) ([]V, error)

	channel  cluster.ClusterChannel
	passedOn prometheus.Counter
	left     *atomic.Bool
	logger   *slog.Logger
}

// MarshalBinary is the whole state, which one peer at a time asks for.
func (s *state[V]) MarshalBinary() ([]byte, error) {
	if s.left.Load() {
		return nil, nil
	}
	return s.bytes(s.all()), nil
}

// Merge hands on what a peer says. What cannot be read is logged only: an error would make package cluster drop the other
// state, where both come in one message.
func (s *state[V]) Merge(message []byte) error {
	if s.left.Load() {
		return nil
	}
	all, err := s.decode(bytes.NewReader(message))
	if err != nil {
		s.logger.Warn("a peer says what cannot be read", "err", err)
	}
	if len(all) > 0 {
		s.merge(all, !cluster.OversizedMessage(message))
	}
	return nil
}

// tell sends the values to the peers.
func (s *state[V]) tell(changed []V, merged bool) {
	if s.left.Load() {
		return
	}
	if merged {
		s.passedOn.Add(float64(len(changed)))
	}
	var pack []byte
	for i := range changed {
		pack = append(pack, s.bytes(changed[i:i+1])...)
		if last := i == len(changed)-1; last || len(changed) <= singles || len(pack) > packed {
			s.send(pack)
			pack = nil
		}
	}
}

func (s *state[V]) send(message []byte) {
	if len(message) > 0 {
		s.channel.Broadcast(message)
	}
}

func (s *state[V]) bytes(all []V) []byte {
	var out bytes.Buffer
	if err := s.encode(&out, all); err != nil {
		s.logger.Warn("peers are not told what cannot be written", "err", err)
	}
	return out.Bytes()
}
