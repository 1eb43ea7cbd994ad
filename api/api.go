// Package api answers HTTP for machines: Alertmanager's API version 2, and our own.
package api

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
)

// Options are what the API is made of.
type Options struct {
	Engine *engine.Engine // required

	// Alertmanager's side.
	ValidName func(name string) bool // of a label, by the matcher mode of the process; required
	Status    func() Status          // required
	Receivers func() []Receiver      // in the order of the configuration; required

	Muted       func(routeID, groupKey string) []string // the time intervals that mute a group; nil: none
	RouteLabels func(v router.View) map[string]string   // with templates rendered; nil: as configured

	// Our own side.
	Channels    func() []Channel                                           // in the order in which they are shown; nil: there are none
	Daemon      func() Daemon                                              // what the process knows of itself; nil: nothing
	Compact     func(by string) (Compacted, error)                         // writes the store anew; an *engine.Error is the caller's. nil: there is no file
	Unwell      func(ctx context.Context) []string                         // why nobody should rely on being paged; nil: the engine's word
	Heartbeat   func(key string) (name string, ok bool)                    // whose address ends with this secret; nil: nobody is pinged
	Counts      func(slo string) (why string)                              // the counts of an SLO do not come; empty: they do. nil: nobody knows
	IncidentURL func(id string) string                                     // the page of an incident; nil: there is none
	Link        func(parts ...string) string                               // the address of a path of ours, as people reach it; nil: the path
	Store       string                                                     // the store's name: a part of what identifies shifts in calendars
	Simulate    func(ctx context.Context, s Simulation) (Simulated, error) // nil: there is no POST simulate
	Push        *Pushing                                                   // nil: no browsers are paged
	Pages       http.Handler                                               // everything that is not an API: /, /ack/…; nil: 404

	Origins *regexp.Regexp // of pages that may use /api/v2 from a browser (--web.cors.origin), see Origins; nil: none

	Metrics     *Metrics         // nil: measured for nobody
	Log         *zap.Logger      // nil: silent
	Now         func() time.Time // nil: time.Now
	MaxBody     int64            // bytes of a posted body of alerts, after decompression; 0: 10 MiB
	Concurrency int              // GETs at once (--web.get-concurrency); 0: as many as processors, but at least 8
	Timeout     time.Duration    // of a request (--web.timeout); 0: none
}

// API is the handler. It wants requests without the route prefix.
type API struct {
	o          Options
	intake     intake
	simulating chan struct{}
	testing    chan struct{}
	handler    http.Handler
}

// root is where our own API begins.
const root = "/api/midwatch/v1/"

// New returns the API.
func New(o Options) *API {
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Link == nil {
		o.Link = func(parts ...string) string { return "/" + strings.Join(parts, "/") }
	}
	if o.MaxBody <= 0 {
		o.MaxBody = maxBody
	}
	if o.Concurrency <= 0 {
		o.Concurrency = max(runtime.GOMAXPROCS(0), 8)
	}
	a := &API{o: o, intake: intake{room: max(maxIncoming, 2*o.MaxBody)}, simulating: make(chan struct{}, maxSimulating), testing: make(chan struct{}, maxTesting)}
	mux := http.NewServeMux()
	mux.Handle("/api/v2/", a.v2())
	mux.Handle("/api/v1/", a.v1())
	mux.Handle(root, a.measured(root, http.HandlerFunc(a.notFound)))
	for _, rt := range a.routes() {
		mux.Handle(rt.pattern, a.measured(rt.pattern, sameOrigin(rt.verbs)))
	}
	mux.Handle(feedPath+"{feed}", a.measured(feedPath, verbs{http.MethodGet: a.getCalendar}))
	pinged := a.measured(pingPath, http.HandlerFunc(a.ping))
	mux.Handle(pingPath+"{key}", pinged)
	mux.Handle(pingPath+"{key}/{verdict}", pinged)
	if o.Pages != nil {
		mux.Handle("/", o.Pages)
		for _, p := range []string{"/{$}", "/outbox", "/incidents", "/incidents/", ackPath, pushPath} {
			mux.Handle(p, a.measured(strings.TrimSuffix(p, "{$}"), o.Pages))
		}
	}
	a.handler = a.guard(a.limit(mux))
	return a
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

func (a *API) measured(name string, h http.Handler) http.Handler {
	return a.o.Metrics.Instrument(name, h)
}

// v2 is Alertmanager's API: the path is looked up as its framework does, cleaned, and HEAD is no GET there.
func (a *API) v2() http.Handler {
	serve := func(path string, h http.Handler) http.Handler { return a.measured(path, a.cors(unstored(h))) }
	paths := map[string]http.Handler{}
	for name, verbs := range map[string]upstreamVerbs{
		"alerts":        {http.MethodGet: a.getAlerts, http.MethodPost: a.postAlerts},
		"alerts/groups": {http.MethodGet: a.getGroups},
		"receivers":     {http.MethodGet: a.getReceivers},
		"silences":      {http.MethodGet: a.getSilences, http.MethodPost: a.postSilence},
		"status":        {http.MethodGet: a.getStatus},
	} {
		paths["/api/v2/"+name] = serve("/api/v2/"+name, verbs)
	}
	const one = "/api/v2/silence/"
	silence := serve(one+"{silenceID}", upstreamVerbs{http.MethodGet: a.getSilence, http.MethodDelete: a.deleteSilence})
	unknown := serve("/api/v2/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := fault{http.StatusNotFound, "path " + r.URL.EscapedPath() + " was not found"}
		f.serve(w, r)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clean := path.Clean(r.URL.EscapedPath())
		h := paths[clean]
		id, isOne := strings.CutPrefix(clean, one)
		switch {
		case isOne && !strings.Contains(id, "/"):
			if plain, err := url.PathUnescape(id); err == nil {
				id = plain
			}
			r.SetPathValue("silenceID", id)
			h = silence
		case h == nil:
			h = unknown
		}
		h.ServeHTTP(w, r)
	})
}

// unstored tells caches to keep no answer of h.
func unstored(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
}

// upstreamVerbs are what can be done at one path of Alertmanager's API.
type upstreamVerbs map[string]http.HandlerFunc

func (v upstreamVerbs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := v[strings.ToUpper(r.Method)]
	if h == nil {
		refuseMethod(w, r, slices.Sorted(maps.Keys(v))...)
		return
	}
	if f := negotiate(r); f != nil {
		f.serve(w, r)
		return
	}
	h(w, r)
}

// v1 takes alerts as the API did that Alertmanager removed, and answers to all else of it that it is gone.
func (a *API) v1() http.Handler {
	alerts := a.measured("/api/v1/alerts", sameOrigin(http.HandlerFunc(a.postAlertsV1)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := strings.TrimPrefix(r.URL.Path, "/api/v1/"); {
		case p == "alerts" && r.Method == http.MethodPost:
			alerts.ServeHTTP(w, r)
		case p == "alerts" || p == "status" || p == "receivers" || p == "silences" || strings.HasPrefix(p, "silence/"):
			writeJSON(w, r, http.StatusGone, []byte(goneV1))
		default:
			http.NotFound(w, r)
		}
	})
}

const goneV1 = `{"status":"deprecated","error":"The Alertmanager v1 API was deprecated in version 0.16.0 and is removed ` +
	`as of version 0.27.0 - please use the equivalent route in the v2 API"}` + "\n"
