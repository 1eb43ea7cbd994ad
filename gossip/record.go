// Package gossip speaks with Alertmanagers: its states on the wire, its files, its mesh.
package gossip

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxRecord is the longest record in bytes that Alertmanager reads. One that is longer makes it refuse all that is with it.
const maxRecord = 4 << 20

// encode writes each value as one record: its length, then the message. The bytes of equal values are equal.
//
// What cannot be written is left out, and the error names it.
func encode[V any](w io.Writer, all []V, message func(*V) proto.Message) error {
	var left faults
	deterministic := proto.MarshalOptions{Deterministic: true}
	for i := range all {
		m := message(&all[i])
		if size := proto.Size(m); size > maxRecord {
			left.add(i, fmt.Errorf("it has %d bytes, and Alertmanager reads at most %d", size, maxRecord))
			continue
		}
		switch _, err := (protodelim.MarshalOptions{MarshalOptions: deterministic}).MarshalTo(w, m); {
		case errors.Is(err, proto.Error):
			left.add(i, err)
		case err != nil:
			return err
		}
	}
	return left.err("written")
}

// decode reads records to the end and returns the values of those that could be read. The error names those that could
// not; what comes after a broken length is lost.
func decode[V any](r io.Reader, value func(record []byte) (V, error)) ([]V, error) {
	var all []V
	var lost faults
	in := bufio.NewReader(r)
	for i := 0; ; i++ {
		record, err := next(in)
		if err == io.EOF { //nolint:errorlint // the reader's own, at a record's start
			return all, lost.err("read")
		} else if err != nil {
			lost.add(i, fmt.Errorf("%w; what follows it is lost", err))
			return all, lost.err("read")
		}
		v, err := value(record)
		if err != nil {
			lost.add(i, err)
			continue
		}
		all = append(all, v)
	}
}

// next reads one record. io.EOF means that there is none, and no part of one.
func next(in *bufio.Reader) ([]byte, error) {
	size, err := binary.ReadUvarint(in)
	if err != nil {
		return nil, err
	}
	if size > maxRecord {
		return nil, fmt.Errorf("it has %d bytes, and no record has more than %d", size, maxRecord)
	}
	record := make([]byte, size)
	if _, err := io.ReadFull(in, record); err != nil {
		return nil, fmt.Errorf("it ends too soon: %w", err)
	}
	return record, nil
}

// faults counts what is wrong with records, and keeps the first of it. The zero value is none.
type faults struct {
	count int
	first error
}

func (f *faults) add(i int, err error) {
	if f.count++; f.count == 1 {
		f.first = fmt.Errorf("record %d: %w", i+1, err)
	}
}

func (f *faults) err(done string) error {
	switch f.count {
	case 0, 1:
		return f.first
	}
	return fmt.Errorf("%w (and %d more could not be %s)", f.first, f.count-1, done)
}

// stamp is the instant on the wire; a zero time is none.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// instant is what stamp was made from, in UTC. The error is about one that no calendar has, and that JSON could not hold.
func instant(name string, ts *timestamppb.Timestamp) (time.Time, error) {
	if ts == nil {
		return time.Time{}, nil
	}
	if err := ts.CheckValid(); err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", name, err)
	}
	return ts.AsTime(), nil
}
