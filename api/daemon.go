package api

import (
	"net/http"
	"time"
)

// Daemon is how the process fares, for midwatch doctor and for whoever watches from outside.
type Daemon struct {
	Time        time.Time     `json:"time"` // its wall clock
	Version     string        `json:"version"`
	StartedAt   time.Time     `json:"started_at"`
	ExternalURL string        `json:"external_url"`
	CatchAll    string        `json:"catch_all,omitempty"` // who is paged where nobody else answers: "user ana"
	Policies    int           `json:"policies"`            // escalation policies
	LastAlertAt time.Time     `json:"last_alert_at,omitzero"`
	Pending     int           `json:"pending_deliveries"` // messages without an outcome
	Store       DaemonStore   `json:"store"`
	Cluster     DaemonCluster `json:"cluster"`
}

// DaemonStore is how the store fares.
type DaemonStore struct {
	SizeBytes    int       `json:"size_bytes"` // of its file; 0: it has none
	FreeBytes    int       `json:"free_bytes"` // where it lies; 0: nobody knows
	LastCommitAt time.Time `json:"last_commit_at,omitzero"`
	BacklogBytes int       `json:"backlog_bytes"`     // what could not be written, and is held in memory
	Trouble      string    `json:"trouble,omitempty"` // why nothing is being written
}

// DaemonCluster is how the peers fare.
type DaemonCluster struct {
	Enabled bool     `json:"enabled"`
	Ready   bool     `json:"ready"`  // it has settled
	Peers   []string `json:"peers"`  // the addresses of those that are there, its own included
	Wanted  int      `json:"wanted"` // how many --cluster.peer name
}

func (a *API) getDaemon(w http.ResponseWriter, r *http.Request) {
	if _, err := params(r); err != nil {
		a.fail(w, r, err)
		return
	}
	var d Daemon
	if a.o.Daemon != nil {
		d = a.o.Daemon()
	}
	d.Time = a.o.Now().UTC()
	p := a.o.Engine.Pulse()
	d.LastAlertAt, d.Pending = p.Received.UTC(), p.Pending
	d.Store.LastCommitAt, d.Store.BacklogBytes, d.Store.Trouble = p.Committed.UTC(), p.Backlog, p.Trouble
	if d.Cluster.Peers == nil {
		d.Cluster.Peers = []string{}
	}
	answer(w, r, http.StatusOK, d)
}
