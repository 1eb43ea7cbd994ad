package web

import (
	"cmp"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/heartbeat"
)

// Facts are what only the process knows of itself.
type Facts struct {
	Started      time.Time
	External     string // the address by which people reach it
	Upstream     string // the Alertmanager it is compatible with
	ConfigFile   string
	ConfigLoaded time.Time
	Refused      string // why the last reload was refused; empty: it was not
	Config       string // the Alertmanager part, secrets hidden
	StoreBytes   int    // of its file; 0: it has none
	FreeBytes    int    // where it lies; 0: nobody knows
	Cluster      *ClusterFacts
	Channels     []ChannelFacts
	Limits       []Fact
}

// ClusterFacts are how the peers fare.
type ClusterFacts struct {
	Name, Status string
	Wanted       int // how many were to be joined
	Peers        []Fact
}

// ChannelFacts are how one channel has fared since the start.
type ChannelFacts struct {
	Whose string // a user, a receiver or a service
	By    string // the contact method or integration
	State string // connected, failing, unknown

	LastSuccess, LastFailure time.Time
	Error                    string // what was answered last, where it fails
	Failures, Waiting        int
}

// StatusPage is the page of how Midwatch fares.
type StatusPage struct {
	Shell
	Signs      []StatusSign // what is the matter, the worst first
	Process    []StatusFact
	ConfigText string
	Cut        bool // the text is longer
	Store      []StatusFact
	Cluster    []StatusFact
	Peers      []Fact
	Channels   []ChannelRow
	Unlisted   string // channels that are not shown
	Beats      []BeatRow
	Limits     []Fact
	Links      []Link
}

// A StatusSign is one thing that somebody should see to.
type StatusSign struct{ Text, Next string }

// A StatusFact is a fact, with its time where it has one.
type StatusFact struct {
	Name, Text string
	At         Moment
	Bad        bool
}

// A ChannelRow is one channel.
type ChannelRow struct {
	Whose, By, State, Word string
	Success, Failure       Moment
	Error                  string
	Waiting                int
}

// A BeatRow is one heartbeat.
type BeatRow struct {
	Name, State, Word string
	Last              Moment
	Every, Reason     string
	Incident          string
}

// Limits of the page.
const (
	channelsShown = 150
	beatsShown    = 100
	configShown   = 48 << 10 // bytes of the configuration: they are compressed to a tenth
	lateLag       = time.Second
	fewFreeBytes  = 256 << 20
)

func (p *Pages) status(w http.ResponseWriter, r *http.Request) {
	v := &StatusPage{Shell: p.frame(r, "status", "Status")}
	var f Facts
	if p.Facts != nil {
		f = p.Facts()
	}
	v.fill(f, p.Engine.Pulse(), p.Engine.Heartbeats())
	p.show(w, r, http.StatusOK, "status", v)
}

func (v *StatusPage) fill(f Facts, pulse engine.Pulse, beats []engine.HeartbeatView) {
	v.process(f, pulse)
	v.store(f, pulse)
	v.cluster(f)
	v.channels(f)
	v.beats(beats)
	v.Limits = f.Limits
	if v.ConfigText = f.Config; len(v.ConfigText) > configShown {
		v.ConfigText, v.Cut = strings.ToValidUTF8(v.ConfigText[:configShown], ""), true
	}
	v.Links = []Link{
		{"Metrics", "metrics"},
		{"The API, described", "api/midwatch/v1/openapi.json"},
		{"Alertmanager's API: status", "api/v2/status"},
		{"Channels, as JSON", "api/midwatch/v1/channels"},
		{"Deliveries", "deliveries"},
		{"Docs", "docs"},
	}
}

func (v *StatusPage) fact(to *[]StatusFact, name, text string) {
	if text != "" {
		*to = append(*to, StatusFact{Name: name, Text: text})
	}
}

func (v *StatusPage) instant(to *[]StatusFact, name, text string, at time.Time) {
	if !at.IsZero() {
		*to = append(*to, StatusFact{Name: name, Text: text, At: v.moment(at)})
	}
}

func (v *StatusPage) process(f Facts, pulse engine.Pulse) {
	v.fact(&v.Process, "Version", "Midwatch "+v.Version+", "+runtime.Version())
	v.fact(&v.Process, "Compatible with", f.Upstream)
	v.instant(&v.Process, "Running since", "", f.Started)
	v.fact(&v.Process, "Reached as", f.External)
	v.fact(&v.Process, "Configuration", f.ConfigFile)
	v.instant(&v.Process, "Loaded", "", f.ConfigLoaded)
	if pulse.Received.IsZero() {
		v.fact(&v.Process, "Last alerts", "none were posted since the start")
		v.Signs = append(v.Signs, StatusSign{"No alerts were posted since the start.", "Give Prometheus this address under alerting: alertmanagers."})
	} else {
		v.instant(&v.Process, "Last alerts", "", pulse.Received)
	}
	v.fact(&v.Process, "Messages under way", grouped(pulse.Pending))
	lag := StatusFact{Name: "Behind its time", Text: "nothing is late"}
	if pulse.Lag > 0 {
		lag.Text = "the last turn was late by " + pulse.Lag.Round(time.Millisecond).String()
	}
	if pulse.Lag > lateLag {
		lag.Bad = true
		v.Signs = append(v.Signs, StatusSign{"What is due is done late, by " + pulse.Lag.Round(time.Millisecond).String() + ".", "The machine or its disk is overloaded: pages leave later than planned."})
	}
	v.Process = append(v.Process, lag)
	if f.Refused != "" {
		v.Signs = append(v.Signs, StatusSign{"The last reload was refused, and the configuration from before holds: " + short(f.Refused, 400), "Mend the file, check it with midwatch config check, and reload."})
	}
}

func (v *StatusPage) store(f Facts, pulse engine.Pulse) {
	switch {
	case f.StoreBytes > 0:
		v.fact(&v.Store, "Size", sizeWords(f.StoreBytes))
	default:
		v.fact(&v.Store, "Size", "in memory only")
	}
	if f.FreeBytes > 0 {
		few := f.FreeBytes < fewFreeBytes
		v.Store = append(v.Store, StatusFact{Name: "Free where it lies", Text: sizeWords(f.FreeBytes), Bad: few})
		if few {
			v.Signs = append(v.Signs, StatusSign{"There are " + sizeWords(f.FreeBytes) + " left on the disk of the store.", "Make room: a full disk would be paged from memory, and a restart would forget."})
		}
	}
	v.instant(&v.Store, "Last written", "", pulse.Committed)
	trouble := StatusFact{Name: "Trouble", Text: "none"}
	if pulse.Trouble != "" {
		trouble = StatusFact{Name: "Trouble", Text: short(pulse.Trouble, 300) + "; " + sizeWords(pulse.Backlog) + " wait in memory", Bad: true}
		v.Signs = append(v.Signs, StatusSign{"The store takes no writes.", "Make room on its disk. Until then, do not restart Midwatch."})
	}
	v.Store = append(v.Store, trouble)
}

// sizeWords is a number of bytes as people say it.
func sizeWords(n int) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

func (v *StatusPage) cluster(f Facts) {
	c := f.Cluster
	if c == nil {
		v.fact(&v.Cluster, "State", "there is none: this Midwatch stands alone")
		return
	}
	v.fact(&v.Cluster, "State", c.Status)
	v.fact(&v.Cluster, "This node", c.Name)
	v.fact(&v.Cluster, "Members", fmt.Sprintf("%d", len(c.Peers)))
	v.Peers = c.Peers
	if c.Wanted > 0 && len(c.Peers) < 2 {
		v.Signs = append(v.Signs, StatusSign{"This node has no peers, though it was to join " + figure(c.Wanted, "other") + ".", "See that their ports are open, TCP and UDP, and that all have the same cluster flags."})
	}
}

func (v *StatusPage) channels(f Facts) {
	rank := map[string]int{channelStateFailing: 0, channelStateUnknown: 1, channelStateConnected: 2}
	all := slices.Clone(f.Channels)
	slices.SortStableFunc(all, func(a, b ChannelFacts) int { return cmp.Compare(rank[a.State], rank[b.State]) })
	failing := 0
	for _, c := range all {
		if c.State == channelStateFailing {
			failing++
		}
	}
	for _, c := range all[:min(len(all), channelsShown)] {
		row := ChannelRow{
			Whose: short(c.Whose, 80), By: short(c.By, 80), State: c.State, Success: v.moment(c.LastSuccess), Failure: v.moment(c.LastFailure),
			Error: short(c.Error, 200), Waiting: c.Waiting,
		}
		switch c.State {
		case channelStateFailing:
			row.Word = "✗ fails"
		case channelStateConnected:
			row.Word = "✓ works"
		default:
			row.Word = "○ not used yet"
		}
		v.Channels = append(v.Channels, row)
	}
	if more := len(all) - len(v.Channels); more > 0 {
		v.Unlisted = figure(more, "more channel")
	}
	if failing > 0 {
		v.Signs = append(v.Signs, StatusSign{figure(failing, "channel") + " could not be sent by the last time.", "See below what was answered. What fails is tried by other ways."})
	}
}

// The states of a channel.
const (
	channelStateConnected = "connected"
	channelStateFailing   = "failing"
	channelStateUnknown   = "unknown"
)

func (v *StatusPage) beats(all []engine.HeartbeatView) {
	for _, b := range all[:min(len(all), beatsShown)] {
		row := BeatRow{Name: short(b.Name, 80), State: string(b.State), Last: v.moment(b.Last), Every: length(b.Every), Reason: short(b.Reason, 200), Incident: b.Incident}
		switch b.State {
		case heartbeat.Late:
			row.Word = "▲ late"
			v.Signs = append(v.Signs, StatusSign{"Heartbeat " + row.Name + " is late.", "Whoever sends it may have stopped: what it watches is not watched."})
		case heartbeat.Fine:
			row.Word = "✓ heard"
		case heartbeat.New:
			row.Word = "○ not heard yet"
		default:
			row.Word = "– " + string(b.State)
		}
		v.Beats = append(v.Beats, row)
	}
}
