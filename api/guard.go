package api

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"
)

// guard answers a panic with 500 and a line in the log: one bad request must not look like a server that is gone. Where
// an answer was begun already, the connection is cut, so that nobody takes half of it for the whole.
func (a *API) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &tracked{ResponseWriter: w}
		defer func() {
			why := recover()
			if why == nil {
				return
			}
			if why == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				panic(why)
			}
			a.o.Log.Error("a request made the server panic", zap.String("method", r.Method), zap.String("path", loggable(r.URL.Path)),
				zap.Any("panic", why), zap.ByteString("stack", debug.Stack()))
			if t.begun {
				panic(http.ErrAbortHandler)
			}
			f := fault{http.StatusInternalServerError, "Midwatch has a fault, and the log of the server says which; please report it"}
			f.serve(w, r)
		}()
		h.ServeHTTP(t, r)
	})
}

// loggable is a path without the secret that an acknowledge link, or the address of a heartbeat, is.
func loggable(path string) string {
	if strings.HasPrefix(path, pingPath) {
		return pingPath + "{key}"
	}
	if strings.HasPrefix(path, ackPath) {
		return ackPath + "{token}"
	}
	if strings.HasPrefix(path, pushPath) {
		return pushPath + "{token}"
	}
	return path
}

const ackPath = "/ack/"

// tracked knows whether an answer was begun.
type tracked struct {
	http.ResponseWriter
	begun bool
}

func (t *tracked) WriteHeader(status int) {
	t.begun = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracked) Write(b []byte) (int, error) {
	t.begun = true
	return t.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// limit lets so many GETs run at once and no more, and no request longer than the timeout.
func (a *API) limit(h http.Handler) http.Handler {
	slots := make(chan struct{}, a.o.Concurrency)
	limited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			h.ServeHTTP(w, r)
			return
		}
		select {
		case slots <- struct{}{}:
			a.o.Metrics.inFlight.Inc()
			defer func() {
				<-slots
				a.o.Metrics.inFlight.Dec()
			}()
			h.ServeHTTP(w, r)
		default:
			a.o.Metrics.limited.Inc()
			if strings.HasPrefix(r.URL.Path, root) {
				problem(http.StatusServiceUnavailable, "overloaded", "", "too many requests run at once; try again in a few seconds").serve(w, r)
				return
			}
			http.Error(w, fmt.Sprintf("Limit of concurrent GET requests reached (%d), try again later.\n", cap(slots)), http.StatusServiceUnavailable)
		}
	})
	timed := http.Handler(limited)
	if a.o.Timeout > 0 {
		timed = http.TimeoutHandler(limited, a.o.Timeout, fmt.Sprintf("Exceeded configured timeout of %v.\n", a.o.Timeout.Round(time.Millisecond)))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == newsPath { // it lasts as long as the page is open, and has a limit of its own
			h.ServeHTTP(w, r)
			return
		}
		timed.ServeHTTP(w, r)
	})
}

// newsPath is where open pages hear of changes.
const newsPath = "/events"

// sameOrigin keeps other web sites from acting through the browser of somebody who may. Programs are not concerned: they
// send neither of the headers that it looks at.
func sameOrigin(h http.Handler) http.Handler {
	c := http.NewCrossOriginProtection()
	c.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem(http.StatusForbidden, "cross_origin", "", "this request came from a page of another site; open Midwatch's own address").serve(w, r)
	}))
	return c.Handler(h)
}
