package api

import "net/http"

// Compacting is the body of POST store/compact.
type Compacting struct {
	By string `json:"by"` // who asks
}

// Compacted is what became of it.
type Compacted struct {
	BeforeBytes int     `json:"before_bytes"` // of the file
	AfterBytes  int     `json:"after_bytes"`
	TookMS      float64 `json:"took_ms"`
	PauseMS     float64 `json:"pause_ms"` // of these, in which nothing was written
}

// postCompact has the store written anew without its free space. It goes on where whoever asked goes away: it is wanted all
// the same, and the log says how it ended.
func (a *API) postCompact(w http.ResponseWriter, r *http.Request) {
	var body Compacting
	if err := readAct(w, r, &body, []string{"by"}); err != nil {
		a.fail(w, r, err)
		return
	}
	if err := signed(body.By); err != nil {
		a.fail(w, r, err)
		return
	}
	if a.o.Compact == nil {
		a.fail(w, r, problem(http.StatusConflict, "conflict", "", "this Midwatch keeps its state in memory alone; there is no file to compact"))
		return
	}
	out, err := a.o.Compact(body.By)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, r, http.StatusOK, out)
}
