package api

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
)

// A route is one path of our own API and what can be done there.
type route struct {
	pattern string
	verbs   verbs
}

// routes are all of them. openapi.json describes the same.
func (a *API) routes() []route {
	get := func(h http.HandlerFunc) verbs { return verbs{http.MethodGet: h} }
	post := func(h http.HandlerFunc) verbs { return verbs{http.MethodPost: h} }
	routes := []route{
		{root + "incidents", verbs{http.MethodGet: a.getIncidents, http.MethodPost: a.postIncident}},
		{root + "incidents/{id}", get(a.getIncident)},
		{root + "oncall", get(a.getOnCall)},
		{root + "schedules/{name}/shifts", get(a.getShifts)},
		{root + "schedules/{name}/gaps", get(a.getGaps)},
		{root + "schedules/{name}/overrides", verbs{http.MethodGet: a.getOverrides, http.MethodPost: a.postOverride}},
		{root + "schedules/{name}/overrides/{id}", verbs{http.MethodDelete: a.deleteOverride}},
		{root + "schedules/{name}/conflicts", get(a.getConflicts)},
		{root + "swaps", verbs{http.MethodGet: a.getSwaps, http.MethodPost: a.postSwap}},
		{root + "swaps/{id}/accept", post(a.postConsent(engine.AcceptSwap))},
		{root + "swaps/{id}/decline", post(a.postConsent(engine.DeclineSwap))},
		{root + "swaps/{id}/cancel", post(a.postConsent(engine.CancelSwap))},
		{root + "absences", get(a.getAbsences)},
		{root + "users/{name}/absences", verbs{http.MethodGet: a.getAbsences, http.MethodPost: a.postAbsence}},
		{root + "users/{name}/absences/{id}", verbs{http.MethodDelete: a.deleteAbsence}},
		{root + "users/{name}/browsers", get(a.getBrowsers)},
		{root + "users/{name}/browsers/{id}", verbs{http.MethodDelete: a.deleteBrowser}},
		{root + "users/{name}/push-link", post(a.postPushLink)},
		{root + "slos", get(a.getSLOs)},
		{root + "slos/{name}/corrections", verbs{http.MethodGet: a.getCorrections, http.MethodPost: a.postCorrection}},
		{root + "slos/{name}/corrections/{id}", verbs{http.MethodDelete: a.deleteCorrection}},
		{root + "feeds", verbs{http.MethodGet: a.getFeeds, http.MethodPost: a.postFeed}},
		{root + "feeds/{id}", verbs{http.MethodDelete: a.deleteFeed}},
		{root + "heartbeats", get(a.getHeartbeats)},
		{root + "health", get(a.getHealth)},
		{root + "deliveries", get(a.getDeliveries)},
		{root + "channels", get(a.getChannels)},
		{root + "audit", get(a.getAudit)},
		{root + "silences", verbs{http.MethodGet: a.listSilences, http.MethodPost: a.makeSilence}},
		{root + "silences/{id}", verbs{http.MethodGet: a.showOneSilence, http.MethodDelete: a.endSilence}},
		{root + "silences/{id}/alerts", get(a.getMuted)},
		{root + "silences/preview", post(a.postPreview)},
		{root + "recurring-silences", get(a.getRecurring)},
		{root + "recurring-silences/{name}", verbs{http.MethodPut: a.putRecurring, http.MethodDelete: a.deleteRecurring}},
		{root + "test-page", post(a.postTestPage)},
		{root + "daemon", get(a.getDaemon)},
		{root + "store/compact", post(a.postCompact)},
		{root + "openapi.json", get(getOpenAPI)},
	}
	for verb := range actions {
		routes = append(routes, route{root + "incidents/{id}/" + string(verb), post(a.postAction(verb))})
	}
	if a.o.Simulate != nil {
		routes = append(routes, route{root + "simulate", post(a.postSimulate)})
	}
	return routes
}

// verbs are the methods of one path. HEAD is answered as GET, without the body.
type verbs map[string]http.HandlerFunc

func (v verbs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h := v[method]; h != nil {
		h(w, r)
		return
	}
	allowed := slices.Sorted(maps.Keys(v))
	if v[http.MethodGet] != nil {
		allowed = append(allowed, http.MethodHead)
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	problem(http.StatusMethodNotAllowed, "method_not_allowed", "", fmt.Sprintf("%s is not possible here; use %s", r.Method, strings.Join(allowed, " or "))).serve(w, r)
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	problem(http.StatusNotFound, "not_found", "", fmt.Sprintf("there is nothing at %s; %sopenapi.json lists what there is", r.URL.Path, root)).serve(w, r)
}

//go:embed openapi.json
var openAPI []byte

func getOpenAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	writeJSON(w, r, http.StatusOK, openAPI)
}

// fail answers what went wrong, with the status that goes with it. An ErrUnsaved does not come here: it was done.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *Problem
	var refused *engine.Error
	switch {
	case errors.As(err, &p):
	case errors.As(err, &refused):
		status := http.StatusBadRequest
		switch refused.Code {
		case "not_found":
			status = http.StatusNotFound
		case "conflict":
			status = http.StatusConflict
		case "no_room":
			status = http.StatusInsufficientStorage
		case "failed":
			status = http.StatusInternalServerError
		}
		p = problem(status, refused.Code, refused.Field, refused.Message)
	case errors.Is(err, engine.ErrBusy):
		p = problem(http.StatusServiceUnavailable, "overloaded", "", err.Error())
	case errors.Is(err, engine.ErrStopped):
		p = problem(http.StatusServiceUnavailable, "stopping", "", err.Error())
	case r.Context().Err() != nil:
		p = problem(http.StatusServiceUnavailable, "interrupted", "", "the request ended before the answer was there; look whether it was done before you ask again")
	default:
		a.o.Log.Error("a request could not be answered", zap.String("path", r.URL.Path), zap.Error(err))
		p = problem(http.StatusInternalServerError, "internal", "", "the server could not answer; its log says why")
	}
	p.serve(w, r)
}

func invalid(field, format string, args ...any) *Problem {
	return problem(http.StatusBadRequest, "invalid", field, fmt.Sprintf(format, args...))
}

func missing(field, format string, args ...any) *Problem {
	return problem(http.StatusNotFound, "not_found", field, fmt.Sprintf(format, args...))
}

// params reads the query, and refuses what the path does not know: a misspelt filter would otherwise show too much.
func params(r *http.Request, known ...string) (url.Values, error) {
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("", "the query cannot be read: %s", err)
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(known, name) {
			return nil, invalid(name, "%s is no parameter here%s", shorten(name), suggest(name, known))
		}
	}
	return v, nil
}

// page reads how many items are wanted, and from where on; 0: from the beginning.
func page(v url.Values) (limit int, cursor uint64, err error) {
	limit = defaultPage
	if text := v.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return 0, 0, invalid("limit", "limit is a number from 1 to %d, not %q", maxPage, shorten(text))
		}
	}
	if text := v.Get("cursor"); text != "" {
		if cursor, err = strconv.ParseUint(text, 10, 63); err != nil {
			return 0, 0, invalid("cursor", "a cursor is what an earlier answer gave as next, not %q", shorten(text))
		}
	}
	return limit, cursor, nil
}

// cursor writes where the next page begins; 0: there is none.
func cursor(next uint64) string {
	if next == 0 {
		return ""
	}
	return strconv.FormatUint(next, 10)
}

// instant reads a time; absent: zero.
func instant(v url.Values, name string) (time.Time, error) {
	text := v.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, invalid(name, "%s is an instant such as 2026-11-22T03:00:00Z, not %q (in a query + is written %%2B)", name, shorten(text))
	}
	return t, nil
}
