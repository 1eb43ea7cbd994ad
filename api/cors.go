package api

import (
	"net/http"
	"regexp"
	"slices"
)

// What pages of allowed origins may do, and for how many seconds their browsers need not ask again.
var (
	corsMethods = []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodOptions}
	corsMaxAge  = []string{"600"}
	corsVary    = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
)

// Origins compiles --web.cors.origin, which must match the whole of an origin. Empty is nil: none is allowed.
func Origins(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil
	}
	return regexp.Compile("^(?:" + pattern + ")$")
}

// cors lets browsers give the answers to pages of the allowed origins, and answers what browsers ask before. It says no by
// keeping silent. It never speaks of credentials: browsers send none then.
func (a *API) cors(h http.Handler) http.Handler {
	if a.o.Origins == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.Header["Access-Control-Request-Method"]
		if r.Method != http.MethodOptions || len(asked) == 0 || asked[0] == "" {
			w.Header().Add("Vary", "Origin")
			if a.allows(r, r.Method) {
				w.Header()["Access-Control-Allow-Origin"] = r.Header["Origin"]
			}
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", corsVary)
		if a.allows(r, asked[0]) {
			w.Header()["Access-Control-Allow-Origin"] = r.Header["Origin"]
			w.Header()["Access-Control-Allow-Methods"] = asked
			if names := r.Header["Access-Control-Request-Headers"]; len(names) > 0 && names[0] != "" {
				w.Header()["Access-Control-Allow-Headers"] = names
			}
			w.Header()["Access-Control-Max-Age"] = corsMaxAge
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func (a *API) allows(r *http.Request, method string) bool {
	origin := r.Header.Get("Origin")
	return origin != "" && a.o.Origins.MatchString(origin) && slices.Contains(corsMethods, method)
}
