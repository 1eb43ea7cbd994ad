package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"
)

// What an alert may cost that was sent before, from the handler to the table: nine of ten alerts are such, and a step that is
// taken for each of them by mistake (a copy, a route, a group, a commit) shows here. The bounds are less than twice what it is.
const (
	mostAllocations = 1.0 // per alert
	mostTime        = 0.2 // of the processor time in which encoding/json reads the same body into maps
	mostTimeRacing  = 0.6 // the same under the race detector, to which code that works on single bytes is dearer
)

// A repeater sends the same alerts again and again, to end a little later each time, as Prometheus does.
type repeater struct {
	w    *world
	body []byte
	ends []int // where in the body the end of each alert is written
	turn int
}

const (
	repeatedAlerts = 64 // what a Prometheus sends at once
	endForm        = "2006-01-02T15:04:05.000Z"
)

func repeating(t *testing.T) *repeater {
	t.Helper()
	r := &repeater{w: start(t), body: []byte{'['}}
	began := time.Now().UTC().Add(-time.Minute).Format(endForm)
	for i := range repeatedAlerts {
		if i > 0 {
			r.body = append(r.body, ',')
		}
		r.body = fmt.Appendf(r.body, `{"labels":{"alertname":"ServiceBurnsBudget","cluster":"eu-west","env":"prod","instance":"10.0.0.%d:8443","job":"kubelet",`+
			`"namespace":"shop","pod":"cart-6b8f7c9d54-%05d","service":"cart","severity":"warning","team":"web"},"annotations":{"summary":"cart burns its error budget",`+
			`"description":"More than 5%% of the requests to cart were answered with an error in the last ten minutes.","runbook_url":"https://runbooks.example.com/cart"},`+
			`"startsAt":%q,"endsAt":"`, i, i, began)
		r.ends = append(r.ends, len(r.body))
		r.body = fmt.Appendf(r.body, `%s","generatorURL":"http://prometheus.example.com:9090/graph?g0.expr=up+%%3D%%3D+0&g0.tab=1"}`, began)
	}
	r.body = append(r.body, ']')
	return r
}

func (r *repeater) send() {
	r.turn++
	ends := time.Now().UTC().Add(4*time.Minute + time.Duration(r.turn)*time.Millisecond).Format(endForm)
	for _, at := range r.ends {
		copy(r.body[at:], ends)
	}
	request := httptest.NewRequest(http.MethodPost, "/api/v2/alerts", bytes.NewReader(r.body))
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	r.w.api.ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		r.w.Fatalf("%d %s", answer.Code, answer.Body)
	}
}

func TestARepeatAllocatesNextToNothing(t *testing.T) {
	r := repeating(t)
	r.send() // what is new costs more
	const times = 200
	if got := testing.AllocsPerRun(times, r.send) / repeatedAlerts; got > mostAllocations {
		t.Errorf("%.2f allocations per alert that was sent before; at most %.2f are expected", got, mostAllocations)
	} else {
		t.Logf("%.2f allocations per alert", got)
	}
	if n := len(r.shown()); n != repeatedAlerts {
		t.Errorf("there are %d alerts, want %d: others were counted than those that were meant", n, repeatedAlerts)
	}
}

func TestARepeatCostsLittleOfWhatReadingItsJSONDoes(t *testing.T) {
	r := repeating(t)
	r.send()
	read := func() {
		var list []map[string]any
		if err := json.Unmarshal(r.body, &list); err != nil || len(list) != repeatedAlerts {
			t.Fatal(len(list), err)
		}
	}
	// In turn, and the least of each: what else the machine does disturbs both, and never makes one cheaper.
	const rounds, times = 5, 40
	ours, library := time.Hour, time.Hour
	for range rounds {
		ours, library = min(ours, processorTime(t, times, r.send)), min(library, processorTime(t, times, read))
	}
	share := float64(ours) / float64(library)
	t.Logf("%s to take in %d alerts, %s to read them: %.2f", ours/times, repeatedAlerts, library/times, share)
	most := mostTime
	if racing() {
		most = mostTimeRacing
	}
	if share > most {
		t.Errorf("an alert that was sent before costs %.2f times what encoding/json takes to read it; at most %.2f is expected", share, most)
	}
}

// racing reports whether the race detector watches.
func racing() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// processorTime is what calling f so many times takes of processors, the collector's work included, and no other program's.
func processorTime(t *testing.T, times int, f func()) time.Duration {
	t.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	for range times {
		f()
	}
	return used() - before
}

// shown are the alerts that the API shows.
func (r *repeater) shown() (list []map[string]any) {
	r.w.want(http.StatusOK, http.MethodGet, "/api/v2/alerts", "", &list)
	return list
}
