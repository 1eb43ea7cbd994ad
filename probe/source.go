// Package probe asks Prometheus for the counts of objectives, minute by minute, and for the past of alerts.
//
// A Probe asks each minute for one objective, and for all the minutes that it missed. What comes of it goes to its sink,
// as inputs for a slo.Budget. Counts and Firing ask for the past once.
//
// Times are those of our own clock: both queries of a minute are evaluated at its end, whatever the clock of the Prometheus
// says, so both see the same samples. The clocks should agree to within some seconds, as NTP has it.
package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// Limits of a conversation with a Prometheus.
const (
	// MaxPoints is how many points one range query asks for. Prometheus answers up to 11,000; a day of minutes is few
	// enough that its answer is small, and many enough that a month takes some thirty queries.
	MaxPoints = 1440

	// MaxSeries is how many series one answer may have: far more than an objective has values of `by`.
	MaxSeries = 10_000

	// maxAnswer is how many bytes one answer may have. A day of minutes of 100 series has about 4 MB.
	maxAnswer = 64 << 20

	// queryTimeout is how long one query may take. Two of them, one after the other, are to be over within the minute.
	queryTimeout = 25 * time.Second
)

// A Source is a Prometheus. Any number of goroutines may ask it.
type Source struct {
	api  v1.API
	name string // its address without secrets, for errors
}

// NewSource is the Prometheus at an address such as http://prometheus:9090. A nil transport is that of net/http.
func NewSource(address string, transport http.RoundTripper) (*Source, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the address of the Prometheus is none; write one such as http://prometheus:9090")
	}
	if transport == nil {
		transport = http.DefaultTransport
	}
	client, err := api.NewClient(api.Config{Address: address, RoundTripper: limited{transport}})
	if err != nil {
		return nil, errors.New("the address of the Prometheus is none; write one such as http://prometheus:9090")
	}
	return &Source{v1.NewAPI(client), u.Scheme + "://" + u.Host + u.EscapedPath()}, nil
}

// ErrUnreachable says that no answer came: the network's fault, or one of the address.
var ErrUnreachable = errors.New("the Prometheus cannot be reached")

// instant evaluates a query at one time.
func (s *Source) instant(ctx context.Context, query string, at time.Time) (model.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	v, _, err := s.api.Query(ctx, query, at, v1.WithTimeout(queryTimeout))
	return v, s.plain(err)
}

// between evaluates a query at each step from first to last.
func (s *Source) between(ctx context.Context, query string, first, last time.Time, step time.Duration) (model.Matrix, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	v, _, err := s.api.QueryRange(ctx, query, v1.Range{Start: first, End: last, Step: step}, v1.WithTimeout(queryTimeout))
	if err != nil {
		return nil, s.plain(err)
	}
	m, ok := v.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("%s: a range query gave a %s", s.name, v.Type())
	}
	if len(m) > MaxSeries {
		return nil, fmt.Errorf("%s: the query gives %d series, more than %d; sum them up", s.name, len(m), MaxSeries)
	}
	return m, nil
}

// plain is an error in words for people, without what an address may hide.
func (s *Source) plain(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*v1.Error](err); ok {
		switch e.Type {
		case v1.ErrBadData:
			return fmt.Errorf("%s does not take the query: %s", s.name, e.Msg)
		case v1.ErrTimeout:
			return fmt.Errorf("%s took longer than %s: %s", s.name, queryTimeout, e.Msg)
		}
		if said := saidIn(e.Detail); said != "" {
			return fmt.Errorf("%s: %s", s.name, said)
		}
		return fmt.Errorf("%s: %s: %s", s.name, e.Type, e.Msg)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %s gave no answer within %s", ErrUnreachable, s.name, queryTimeout)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, errTooLarge) {
		return fmt.Errorf("%s: %w", s.name, errTooLarge)
	}
	if e, ok := errors.AsType[*url.Error](err); ok { // the rest of it is the address
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, s.name, e.Err)
	}
	return fmt.Errorf("%s answers what no Prometheus does: %w", s.name, err)
}

// saidIn is what the body of an error says: Prometheus gives its reason with every status, and the client looks at some.
func saidIn(body string) string {
	var said struct{ ErrorType, Error string }
	if json.Unmarshal([]byte(body), &said) != nil || said.Error == "" {
		return ""
	}
	return said.ErrorType + ": " + said.Error
}

var errTooLarge = fmt.Errorf("the answer is larger than %d MiB; let the query give fewer series", maxAnswer>>20)

// limited bounds what is read of an answer.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &limitedBody{resp.Body, maxAnswer}
	return resp, nil
}

type limitedBody struct {
	io.ReadCloser
	left int
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLarge
	}
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return n, errTooLarge
	}
	return n, err
}
