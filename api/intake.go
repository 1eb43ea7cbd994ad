package api

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/midwatch/midwatch/engine"
)

// An intake is the room for posted alerts on their way from the network to the disk. Whoever finds it full is told so before
// anything of what they sent was taken in. Without it a server that gets more than it can do would hold all that its senders
// have patience for.
type intake struct {
	room  int64        // bytes of bodies, after decompression
	taken atomic.Int64 // of them
}

// errFull says that there is no room in the intake.
var errFull = errors.New("the intake is full")

// An arrival is one posted body. It counts as it arrives, and not before: who sends slowly holds no more than was sent. The zero
// arrival is in no intake.
type arrival struct {
	in   *intake
	held int64
	full bool // there was no room for all of it
	from io.Reader
}

// enter lets a body of so many bytes in, -1: nobody knows how many, and reports whether there is room for it.
func (a *arrival) enter(in *intake, length int64) bool {
	a.in = in
	a.full = in.taken.Load()+max(length, 0)+leastIncoming > in.room
	return !a.full && a.take(leastIncoming)
}

func (a *arrival) take(n int64) bool {
	if a.in.taken.Add(n) > a.in.room {
		a.in.taken.Add(-n)
		a.full = true
		return false
	}
	a.held += n
	return true
}

// leave gives back all that the arrival took, and makes it a zero one.
func (a *arrival) leave() {
	if a.in != nil {
		a.in.taken.Add(-a.held)
	}
	*a = arrival{}
}

// Read counts what is read.
func (a *arrival) Read(b []byte) (int, error) {
	n, err := a.from.Read(b)
	if !a.take(int64(n)) {
		return 0, errFull
	}
	return n, err
}

// overloaded is the answer where there is no room.
func (a *API) overloaded() *fault {
	a.o.Metrics.refused.Inc()
	return &fault{http.StatusServiceUnavailable, engine.ErrBusy.Error()}
}

// hurry gives the body of a request some time to arrive, and returns what ends that: what comes after the body may take
// longer. Some writers know no deadlines; then there is none.
func hurry(w http.ResponseWriter) (end func()) {
	c := http.NewResponseController(w)
	if c.SetReadDeadline(time.Now().Add(bodyTime)) != nil {
		return func() {}
	}
	return func() { _ = c.SetReadDeadline(time.Time{}) } // it could be set, so it can be taken back
}
