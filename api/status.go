package api

import (
	"net/http"
	"runtime"
	"time"

	"github.com/midwatch/midwatch/router"
)

// Status is what GET /api/v2/status tells.
type Status struct {
	Config  string    // the Alertmanager part, marshalled again, secrets as <secret>
	Started time.Time // when the process began
	Version Version
	Cluster *Cluster // nil: disabled
}

// Version is what clients gate on. It names the Alertmanager that we are compatible with.
type Version struct {
	Version, Revision, Branch, BuildUser, BuildDate string
	GoVersion                                       string // empty: that of this binary
}

// Cluster is the gossip, where there is one.
type Cluster struct {
	Name, Status string
	Peers        []Peer // by name
}

// A Peer is a member of the cluster.
type Peer struct{ Name, Address string }

// A Receiver is one of the configuration.
type Receiver struct {
	Name   string
	Labels map[string]string
}

func (a *API) getStatus(w http.ResponseWriter, _ *http.Request) {
	st := a.o.Status()
	if st.Version.GoVersion == "" {
		st.Version.GoVersion = runtime.Version()
	}
	s := newStream(w)
	s.raw(`{"cluster":{`)
	if c := st.Cluster; c != nil {
		if c.Name != "" {
			s.raw(`"name":`)
			s.text(c.Name, false)
			s.raw(",")
		}
		s.raw(`"peers":[`)
		for i, p := range c.Peers {
			if i > 0 {
				s.raw(",")
			}
			s.object("address", p.Address, "name", p.Name)
		}
		s.raw(`],"status":`)
		s.text(c.Status, false)
	} else {
		s.raw(`"peers":[],"status":"disabled"`)
	}
	s.raw(`},"config":`)
	s.object("original", st.Config)
	s.raw(`,"uptime":`)
	s.instant(st.Started)
	s.raw(`,"versionInfo":`)
	v := st.Version
	s.object("branch", v.Branch, "buildDate", v.BuildDate, "buildUser", v.BuildUser, "goVersion", v.GoVersion,
		"revision", v.Revision, "version", v.Version)
	s.raw("}\n")
	s.end()
}

// object writes names and values in turn.
func (s *stream) object(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		s.raw([]string{"{", ","}[min(i, 1)])
		s.text(pairs[i], false)
		s.raw(":")
		s.text(pairs[i+1], false)
	}
	s.raw("}")
}

func (a *API) getReceivers(w http.ResponseWriter, r *http.Request) {
	wanted, err := parseFilter(r.URL.Query()["receiver_matchers"])
	if err != nil {
		sayBare(w, r, http.StatusBadRequest, "failed to parse receiver_matchers param: "+err.Error())
		return
	}
	q := query{receivers: wanted}
	byName := a.receiverLabels()
	s := newStream(w)
	s.raw("[")
	first := true
	for _, rc := range a.o.Receivers() {
		if wanted != nil && !q.labelled(byName, rc.Name) {
			continue
		}
		if !first {
			s.raw(",")
		}
		first = false
		s.raw(`{"labels":`)
		s.labels(router.LabelsOf(rc.Labels), false)
		s.raw(`,"name":`)
		s.text(rc.Name, false)
		s.raw("}")
	}
	s.raw("]\n")
	s.end()
}

func (a *API) receiverLabels() map[string]map[string]string {
	byName := map[string]map[string]string{}
	for _, rc := range a.o.Receivers() {
		byName[rc.Name] = rc.Labels
	}
	return byName
}
