package main

import (
	_ "embed"
	"expvar"
	"fmt"
	"maps"
	"net/http"
	"net/http/pprof"
	"net/url"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/tracing"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/midwatch/midwatch/api"
)

//go:embed favicon.ico
var favicon []byte

// sidePaths adds what Alertmanager answers beside its API and its pages, by the same methods. Neither --web.timeout nor
// --web.get-concurrency holds for it: whoever asks whether we are well wants to know it most when we are busy.
func (d *daemon) sidePaths(mux *http.ServeMux, measured *api.Metrics) {
	// What is gathered from the default registry are Go's and the process' metrics, and those of libraries.
	metrics := promhttp.InstrumentMetricHandler(d.registry, promhttp.HandlerFor(
		prometheus.Gatherers{prometheus.DefaultGatherer, d.registry}, promhttp.HandlerOpts{}))
	debug := d.debug()
	for path, v := range map[string]verbs{
		"/metrics":     {http.MethodGet: metrics},
		"/-/healthy":   {http.MethodGet: http.HandlerFunc(ok), http.MethodHead: http.HandlerFunc(ok)},
		"/-/ready":     {http.MethodGet: http.HandlerFunc(d.ready), http.MethodHead: http.HandlerFunc(d.ready)},
		"/-/reload":    {http.MethodPost: http.HandlerFunc(d.reloadNow)},
		"/favicon.ico": {http.MethodGet: http.HandlerFunc(icon)},
	} {
		mux.Handle(path, v.measured(measured, path))
		mux.Handle(path+"/{$}", d.moved(path))
	}
	mux.Handle("/debug/", verbs{http.MethodGet: debug, http.MethodPost: debug}.measured(measured, "/debug/*subpath"))
}

// prefixed puts everything below the route prefix. The root leads there.
func (d *daemon) prefixed(h http.Handler, measured *api.Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(d.prefix+"/", http.StripPrefix(d.prefix, h))
	mux.Handle("GET "+d.prefix, http.RedirectHandler(d.prefix+"/", http.StatusMovedPermanently))
	home := http.RedirectHandler(d.prefix, http.StatusFound)
	mux.Handle("/{$}", verbs{http.MethodGet: home}.measured(measured, "/"))
	return mux
}

// traced has requests make spans while the configuration asks for tracing.
func (d *daemon) traced(h http.Handler) http.Handler {
	spans := tracing.Middleware(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.current.Load().cfg.Upstream.TracingConfig.Endpoint != "" {
			spans.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// verbs are what can be done at a path. To all else the answer is what can.
type verbs map[string]http.Handler

func (v verbs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := v[r.Method]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	allowed := append(slices.Collect(maps.Keys(v)), http.MethodOptions)
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	if r.Method != http.MethodOptions {
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	}
}

// measured counts what is done, and not what is refused.
func (v verbs) measured(m *api.Metrics, name string) verbs {
	all := verbs{}
	for method, h := range v {
		all[method] = m.Instrument(name, h)
	}
	return all
}

// moved leads to the path without the slash at its end.
func (d *daemon) moved(path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusMovedPermanently
		if r.Method != http.MethodGet {
			status = http.StatusTemporaryRedirect
		}
		to := url.URL{Path: strings.TrimSuffix(d.prefix, "/") + path, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, to.String(), status)
	})
}

// debug is what Go tells of the running program.
func (d *daemon) debug() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // go tool pprof posts addresses
	mux.Handle("GET /debug/pprof", http.RedirectHandler(strings.TrimSuffix(d.prefix, "/")+"/debug/pprof/", http.StatusTemporaryRedirect))
	mux.Handle("GET /debug/vars", expvar.Handler())
	return mux
}

func ok(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte("OK"))
	}
}

// ready is 503 until state is loaded and what was overdue is on its way (SPEC §10).
func (d *daemon) ready(w http.ResponseWriter, r *http.Request) {
	if !d.engine.Ready() {
		http.Error(w, "midwatch is reading its state", http.StatusServiceUnavailable)
		return
	}
	ok(w, r)
}

func (d *daemon) reloadNow(w http.ResponseWriter, _ *http.Request) {
	if err := d.reload(); err != nil {
		http.Error(w, fmt.Sprintf("failed to reload config: %s", err), http.StatusInternalServerError)
	}
}

func icon(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "image/vnd.microsoft.icon")
	w.Header().Set("Cache-Control", "max-age=86400")
	_, _ = w.Write(favicon)
}
