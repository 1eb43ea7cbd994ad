package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Topics of the news, as pages name them.
const (
	OfIncidents = "incidents"
	OfAlerts    = "alerts"
	OfSilences  = "silences"
	OfDuties    = "oncall" // who is on call, overrides, swaps
	OfPages     = "deliveries"
)

// News tells open pages that something has changed; they then ask for what it is. The zero value is ready. Whoever tells
// waits for nobody.
type News struct {
	mu    sync.Mutex
	count map[string]uint64
	next  chan struct{} // closed with the next news; nil: nobody waits
}

// Tell says that something changed about these topics.
func (n *News) Tell(topics ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.count == nil {
		n.count = map[string]uint64{}
	}
	for _, t := range topics {
		n.count[t]++
	}
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}

// since returns the topics of which there is news since the counts in seen, brings those up to date, and says when to ask
// again.
func (n *News) since(seen map[string]uint64) (topics []string, next <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for t, c := range n.count {
		if seen[t] != c {
			topics = append(topics, t)
		}
	}
	maps.Copy(seen, n.count)
	if n.next == nil {
		n.next = make(chan struct{})
	}
	slices.Sort(topics)
	return topics, n.next
}

// Limits of the streams of news.
const (
	maxStreams = 256              // at once; a page without one asks now and then
	newsPace   = time.Second      // a stream tells at most so often, however much happens
	newsBeat   = 15 * time.Second // a stream says so often that it is alive: a page that hears nothing says that it is stale
)

// events streams the news to one page (server-sent events), until the page goes or the server ends.
func (p *Pages) events(w http.ResponseWriter, r *http.Request) {
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, fmt.Sprintf("%d pages are told of changes already; load this page again to see what is new.", maxStreams), http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would wait for more
	out := http.NewResponseController(w)
	say := func(event, data string) bool {
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	seen := map[string]uint64{}
	_, next := p.News.since(seen)
	if !say("beat", "") {
		return
	}
	beat := time.NewTicker(newsBeat)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-p.Ending:
			return
		case <-beat.C:
			if !say("beat", "") {
				return
			}
		case <-next:
			var topics []string
			if topics, next = p.News.since(seen); len(topics) > 0 && !say("change", strings.Join(topics, " ")) {
				return
			}
			select { // the first of many is told at once, and the others together
			case <-time.After(newsPace):
			case <-r.Context().Done():
				return
			case <-p.Ending:
				return
			}
		}
	}
}
