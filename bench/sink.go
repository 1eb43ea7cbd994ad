//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// Where webhooks go.
const (
	groupPath = "/group" // notifications of groups
	probePath = "/probe" // of the alerts whose way is timed
	pagePath  = "/page"  // messages to people
)

// Half a million alerts are told at once by 25,000 groups, each with a connection of its own. A process may have fewer files
// than that, so the sink takes in so many, and ends those that are idle for the others.
const (
	mostConnections = 5000
	longestIdle     = 5 * time.Second
)

// maxNotification is more than any notification has here: those of one group of twenty alerts have some 25 kB.
const maxNotification = 16 << 20

// A sink is everybody who is told anything.
type sink struct {
	url    string
	server *http.Server

	mu     sync.Mutex
	posts  map[string]int       // by path
	told   map[uint64]bool      // fingerprints of alerts that somebody was told of
	probes map[string]time.Time // when a probe first arrived
	pages  map[string]page      // the first of each outage
	last   time.Time            // when anything did
}

func newSink() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{url: "http://" + l.Addr().String()}
	s.reset()
	s.server = &http.Server{Handler: s, IdleTimeout: longestIdle}
	go func() { _ = s.server.Serve(netutil.LimitListener(l, mostConnections)) }() // until close
	return s, nil
}

func (s *sink) close() { _ = s.server.Close() }

// reset forgets what came.
func (s *sink) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts, s.told, s.probes, s.last = map[string]int{}, map[uint64]bool{}, map[string]time.Time{}, time.Now()
	s.pages = map[string]page{}
}

// A page is when somebody was told of an outage, and of which incident it is.
type page struct {
	at       time.Time
	incident string
}

func (s *sink) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxNotification))
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = now
	if err != nil {
		return
	}
	s.posts[r.URL.Path]++
	switch r.URL.Path {
	case groupPath:
		s.hear(body)
	case pagePath:
		s.turnOut(body, now)
	case probePath:
		s.hear(body)
		each(body, `"probe_id":"`, func(value []byte) {
			if _, known := s.probes[string(value)]; !known {
				s.probes[string(value)] = now
			}
		})
	}
}

// turnOut notes the outage that a page is about.
func (s *sink) turnOut(body []byte, now time.Time) {
	incident := ""
	each(body, `"incident":"`, func(value []byte) { incident = string(value) })
	each(body, `"outage":"`, func(value []byte) {
		if _, known := s.pages[string(value)]; !known {
			s.pages[string(value)] = page{now, incident}
		}
	})
}

// paged is the first page of an outage.
func (s *sink) paged(outage string) (page, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pages[outage]
	return p, ok
}

// hear notes the alerts that a notification tells of.
func (s *sink) hear(body []byte) {
	each(body, fingerprintKey, func(value []byte) {
		if fp, err := strconv.ParseUint(string(value), 16, 64); err == nil {
			s.told[fp] = true
		}
	})
}

// fingerprintKey comes before an alert's fingerprint, once in each, in notifications and in the API's answers alike.
const fingerprintKey = `"fingerprint":"`

// each calls f with every string that follows the key, and returns where the last whole one ended.
func each(b []byte, key string, f func(value []byte)) (end int) {
	for {
		_, rest, found := bytes.Cut(b[end:], []byte(key))
		if !found {
			return end
		}
		value, after, whole := bytes.Cut(rest, []byte{'"'})
		if !whole {
			return end
		}
		f(value)
		end = len(b) - len(after)
	}
}

// counts are the posts so far, by path, and when the last one came.
func (s *sink) counts() (map[string]int, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.posts), s.last
}

// untold counts the alerts of which nobody was told.
func (s *sink) untold(fingerprints map[uint64]bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for fp := range fingerprints {
		if !s.told[fp] {
			n++
		}
	}
	return n
}

// arrived is when a probe did.
func (s *sink) arrived(probe string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.probes[probe]
	return at, ok
}

// A scanner counts the alerts of an answer as it is read, which is too long to be kept.
type scanner struct {
	rest         []byte // what may be the beginning of the next fingerprint
	key          string
	count, bytes int
	fingerprints map[uint64]bool // of those that are active; nil: they are only counted
	last         uint64          // fingerprint that was read
	err          error
}

// stateKey comes before an alert's state, once in each, after the fingerprint.
const stateKey = `"state":"`

func (s *scanner) Write(p []byte) (int, error) {
	s.bytes += len(p)
	s.rest = append(s.rest, p...)
	end := 0
	for {
		key, value, after := s.next(s.rest[end:])
		if after == 0 {
			break
		}
		end += after
		if key == stateKey {
			if string(value) == "active" {
				s.fingerprints[s.last] = true
			}
			continue
		}
		s.count++
		if s.fingerprints == nil {
			continue
		}
		var err error
		if s.last, err = strconv.ParseUint(string(value), 16, 64); err != nil && s.err == nil {
			s.err = fmt.Errorf("a fingerprint %.40q in an answer: %w", value, err)
		}
	}
	const longest = 64 // bytes of a key and its value
	end = max(end, len(s.rest)-longest)
	s.rest = append(s.rest[:0], s.rest[end:]...)
	return len(p), nil
}

// next is the first key, its value, and where that ends; 0: there is no whole one.
func (s *scanner) next(b []byte) (key string, value []byte, after int) {
	key = s.key
	at := bytes.Index(b, []byte(key))
	if s.fingerprints != nil {
		until := b
		if at >= 0 {
			until = b[:at]
		}
		if state := bytes.Index(until, []byte(stateKey)); state >= 0 {
			key, at = stateKey, state
		}
	}
	if at < 0 {
		return "", nil, 0
	}
	value, _, whole := bytes.Cut(b[at+len(key):], []byte{'"'})
	if !whole {
		return "", nil, 0
	}
	return key, value, at + len(key) + len(value) + 1
}
