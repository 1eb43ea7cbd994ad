//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	perGroup    = 20 // alerts
	batchSize   = 64 // alerts a request: Prometheus' default is 64 in version 2
	connections = 4
	validity    = 2 * time.Hour // of an alert that is sent: longer than any run
	timeForm    = "2006-01-02T15:04:05.000Z07:00"

	probeName  = "BenchProbe"
	outageName = "BenchOutage"
	alertNames = 200 // so that one name is half a percent
)

func alertName(n int) string { return fmt.Sprintf("KubeServiceAlert%03d", n) }

// A load is alerts that fire since one instant: outages first, each a group of its own, and then groups of twenty.
type load struct {
	series  int
	outages int
	starts  time.Time
	round   int // annotations tell of it; 0: of none
}

func newLoad(series int) *load { return &load{series: series, starts: time.Now()} }

// appendAlert writes an alert as Prometheus does.
func (l *load) appendAlert(b []byte, i int, ends time.Time) []byte {
	if i < l.outages {
		b = fmt.Appendf(b, `{"labels":{"alertname":%q,"outage":"outage-%05d","severity":"critical"},"annotations":{"summary":"service %05d is down"}`, outageName, i, i)
		return l.appendTimes(b, ends)
	}
	i -= l.outages
	return l.appendMember(b, i/perGroup, i%perGroup, ends)
}

// appendMember writes one of a group: ten labels, three annotations. Two groups differ in name, cluster or service.
func (l *load) appendMember(b []byte, group, member int, ends time.Time) []byte {
	name, cluster := group%alertNames, group/alertNames%5
	service := group/(alertNames*5)*20 + name%20
	severity := [...]string{"critical", "warning", "info", "warning", "page"}[name/20%5]
	env := [...]string{"prod", "staging"}[cluster%2]
	b = fmt.Appendf(b, `{"labels":{"alertname":"%s","cluster":"eu-west-%d","env":"%s","instance":"10.%d.%d.%d:8443","job":"kube-state-metrics","namespace":"shop-%03d","pod":"svc-%03d-6b8f7c9d54-%06d-%02d","service":"svc-%03d","severity":"%s","team":"team-%d"}`,
		alertName(name), cluster, env, group>>8&255, group&255, member, service%100, service, group, member, service, severity, name%teams)
	news := ""
	if l.round > 0 {
		news = fmt.Sprintf(" It is looked at for the %dth time.", l.round)
	}
	b = fmt.Appendf(b, `,"annotations":{"summary":"svc-%03d burns its error budget in eu-west-%d","description":"More than 5%% of the requests to svc-%03d were answered with an error in the last ten minutes, and the budget of a month is gone in %d hours if that goes on. Pod %06d-%02d is one of those.%s","runbook_url":"https://runbooks.example.com/services/svc-%03d/errors#%03d"}`,
		service, cluster, service, member+2, group, member, news, service, name)
	return l.appendTimes(b, ends)
}

func (l *load) appendTimes(b []byte, ends time.Time) []byte {
	b = append(b, `,"startsAt":"`...)
	b = l.starts.UTC().AppendFormat(b, timeForm)
	b = append(b, `","endsAt":"`...)
	b = ends.UTC().AppendFormat(b, timeForm)
	return append(b, `","generatorURL":"http://prometheus.example.com:9090/graph?g0.expr=sum+by%28service%29+%28rate%28http_errors_total%5B10m%5D%29%29+%3E+0.05&g0.tab=1"}`...)
}

// batch writes the alerts [from, to) as one body.
func (l *load) batch(b []byte, from, to int, ends time.Time) []byte {
	b = append(b, '[')
	for i := from; i < to; i++ {
		if i > from {
			b = append(b, ',')
		}
		b = l.appendAlert(b, i, ends)
	}
	return append(b, ']')
}

// news writes one alert more for each of so many groups.
func (l *load) news(groups int) []byte {
	b := []byte{'['}
	for g := range groups {
		if g > 0 {
			b = append(b, ',')
		}
		b = l.appendMember(b, g, perGroup, time.Now().Add(validity))
	}
	return append(b, ']')
}

// A sent is what became of a load that was sent once.
type sent struct {
	accepted int           // alerts whose request was answered 200
	bytes    int64         // of these requests
	wall     time.Duration // until the last answer
}

// send posts all alerts once, over four connections, to end a while from now. At most rate alerts a second, 0: as many as are
// taken. Whatever is not answered 200 is an error.
func (s *server) send(ctx context.Context, l *load, rate float64) (sent, error) {
	began := time.Now()
	ends := began.Add(validity)
	var next, accepted, size atomic.Int64
	var workers sync.WaitGroup
	errs := make([]error, connections)
	for w := range connections {
		workers.Go(func() {
			var body []byte
			for errs[w] == nil {
				n := next.Add(1) - 1
				from := int(n) * batchSize
				if from >= l.series {
					return
				}
				if rate > 0 {
					errs[w] = sleep(ctx, time.Until(began.Add(time.Duration(float64(from)/rate*float64(time.Second)))))
				}
				if errs[w] != nil {
					return
				}
				to := min(from+batchSize, l.series)
				body = l.batch(body[:0], from, to, ends)
				if errs[w] = s.post(ctx, "/api/v2/alerts", bytes.NewReader(body)); errs[w] == nil {
					accepted.Add(int64(to - from))
					size.Add(int64(len(body)))
				}
			}
		})
	}
	workers.Wait()
	return sent{int(accepted.Load()), size.Load(), time.Since(began)}, errors.Join(errs...)
}

// sleep waits, or returns why nobody waits any longer.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
