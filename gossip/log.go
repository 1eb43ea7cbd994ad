package gossip

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"google.golang.org/protobuf/proto"

	"github.com/midwatch/midwatch/router"
)

// EncodeLog writes entries of the notification log as Alertmanager keeps and gossips them.
//
// What cannot be written is left out; the error names it.
func EncodeLog(w io.Writer, all []router.LogEntry) error {
	return encode(w, all, func(e *router.LogEntry) proto.Message { return meshEntry(e) })
}

// DecodeLog reads entries of the notification log. What an integration noted as a number becomes its text: no notifier
// of Alertmanager 0.34 notes any. The old fields of an entry, one hash of the whole group and whether it had resolved,
// are passed over: Alertmanager 0.34 neither writes nor heeds them.
//
// It returns what could be read; the error names what could not.
func DecodeLog(r io.Reader) ([]router.LogEntry, error) {
	return decode(r, func(record []byte) (router.LogEntry, error) {
		var m nflogpb.MeshEntry
		if err := proto.Unmarshal(record, &m); err != nil {
			return router.LogEntry{}, err
		}
		return entryOf(&m)
	})
}

func meshEntry(e *router.LogEntry) *nflogpb.MeshEntry {
	return &nflogpb.MeshEntry{
		ExpiresAt: stamp(e.ExpiresAt),
		Entry: &nflogpb.Entry{
			GroupKey:       []byte(e.GroupKey),
			Receiver:       &nflogpb.Receiver{GroupName: e.Receiver, Integration: e.Integration, Idx: uint32(e.Index)},
			Timestamp:      stamp(e.Timestamp),
			FiringAlerts:   e.Firing,
			ResolvedAlerts: e.Resolved,
			ReceiverData:   wireState(e.State),
		},
	}
}

func entryOf(m *nflogpb.MeshEntry) (router.LogEntry, error) {
	w := m.GetEntry()
	if w.GetReceiver() == nil {
		return router.LogEntry{}, errors.New("no entry that names a receiver")
	}
	e := router.LogEntry{
		LogKey: router.LogKey{
			GroupKey: string(w.GroupKey), Receiver: w.Receiver.GroupName,
			Integration: w.Receiver.Integration, Index: int(w.Receiver.Idx),
		},
		Firing: w.FiringAlerts, Resolved: w.ResolvedAlerts,
		State: stateOf(w.ReceiverData),
	}
	var errs [2]error
	e.Timestamp, errs[0] = instant("timestamp", w.Timestamp)
	e.ExpiresAt, errs[1] = instant("expiry", m.ExpiresAt)
	if err := cmp.Or(errs[:]...); err != nil {
		return router.LogEntry{}, fmt.Errorf("entry %q: %w", e.LogKey, err)
	}
	return e, nil
}

func wireState(state map[string]string) map[string]*nflogpb.ReceiverDataValue {
	if len(state) == 0 {
		return nil
	}
	wire := make(map[string]*nflogpb.ReceiverDataValue, len(state))
	for k, v := range state {
		wire[k] = &nflogpb.ReceiverDataValue{Value: &nflogpb.ReceiverDataValue_StrVal{StrVal: v}}
	}
	return wire
}

func stateOf(wire map[string]*nflogpb.ReceiverDataValue) map[string]string {
	state := make(map[string]string, len(wire))
	for k, w := range wire {
		switch v := w.GetValue().(type) {
		case *nflogpb.ReceiverDataValue_StrVal:
			state[k] = v.StrVal
		case *nflogpb.ReceiverDataValue_IntVal:
			state[k] = strconv.FormatInt(v.IntVal, 10)
		case *nflogpb.ReceiverDataValue_DoubleVal:
			state[k] = strconv.FormatFloat(v.DoubleVal, 'g', -1, 64)
		}
	}
	if len(state) == 0 {
		return nil
	}
	return state
}
