package probe

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fake is a Prometheus without a network, so that virtual time goes on while it is asked.
type fake struct {
	mu     sync.Mutex
	asked  []string // what, with when
	fail   error    // no answer at all
	status int      // an error of its own
	body   string   // with it, or in place of any answer
	took   time.Duration

	value func(query string, at time.Time) map[string]float64 // by metric; nil: two events a second, half of them bad
}

func (f *fake) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.ParseForm(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	fail, status, body, took := f.fail, f.status, f.body, f.took
	f.mu.Unlock()
	if took > 0 {
		select {
		case <-time.After(took):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	query := req.Form.Get("query")
	switch {
	case strings.HasSuffix(req.URL.Path, "/query"):
		f.note("%s at %s", query, clock(instant(req.Form.Get("time"))))
	case strings.HasSuffix(req.URL.Path, "/query_range"):
		f.note("%s from %s to %s by %s", query, clock(instant(req.Form.Get("start"))), clock(instant(req.Form.Get("end"))), req.Form.Get("step"))
	}
	if fail != nil {
		return nil, fail
	}
	if status == 0 {
		status = http.StatusOK
	}
	if body == "" {
		body = f.answer(req, query)
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{"Content-Type": {"application/json"}}, Request: req}, nil
}

func (f *fake) answer(req *http.Request, query string) string {
	value := f.value
	if value == nil {
		value = func(query string, _ time.Time) map[string]float64 {
			return map[string]float64{"{}": map[string]float64{"bad": 1, "total": 2}[query]}
		}
	}
	if at := req.Form.Get("time"); at != "" {
		var all []string
		for metric, v := range value(query, instant(at)) {
			all = append(all, fmt.Sprintf(`{"metric":%s,"value":[%s,"%v"]}`, metric, at, v))
		}
		return fmt.Sprintf(`{"status":"success","data":{"resultType":"vector","result":[%s]}}`, strings.Join(all, ","))
	}
	step, _ := strconv.ParseFloat(req.Form.Get("step"), 64)
	values, order := map[string][]string{}, []string{}
	for at := instant(req.Form.Get("start")); !at.After(instant(req.Form.Get("end"))); at = at.Add(time.Duration(step * float64(time.Second))) {
		for metric, v := range value(query, at) {
			if values[metric] == nil {
				order = append(order, metric)
			}
			values[metric] = append(values[metric], fmt.Sprintf(`[%d,"%v"]`, at.Unix(), v))
		}
	}
	var all []string
	for _, metric := range order {
		all = append(all, fmt.Sprintf(`{"metric":%s,"values":[%s]}`, metric, strings.Join(values[metric], ",")))
	}
	return fmt.Sprintf(`{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, strings.Join(all, ","))
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

// heard is what it was asked since the last time.
func (f *fake) heard() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked = nil
	return slices.Clone(asked)
}

// set changes how it behaves.
func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func instant(text string) time.Time {
	v, _ := strconv.ParseFloat(text, 64)
	return time.UnixMilli(int64(math.Round(v * 1000))).UTC()
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

func source(t testing.TB, f *fake) *Source {
	t.Helper()
	s, err := NewSource("http://ana:not-to-be-seen@prometheus:9090/base", f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
