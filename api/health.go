package api

import "net/http"

// Health is whether people can rely on being paged just now.
type Health struct {
	Well     bool     `json:"well"`
	Problems []string `json:"problems"` // what is not well, as sentences; none where all is
}

// getHealth answers 200 while all is well, and 503 otherwise: for whoever watches Midwatch. /-/ready says less: that it
// has begun.
func (a *API) getHealth(w http.ResponseWriter, r *http.Request) {
	if _, err := params(r); err != nil {
		a.fail(w, r, err)
		return
	}
	out := Health{Problems: []string{}}
	unwell := a.o.Engine.Unwell
	if a.o.Unwell != nil {
		unwell = a.o.Unwell
	}
	out.Problems = append(out.Problems, unwell(r.Context())...)
	out.Well = len(out.Problems) == 0
	status := http.StatusOK
	if !out.Well {
		status = http.StatusServiceUnavailable
	}
	answer(w, r, status, out)
}
