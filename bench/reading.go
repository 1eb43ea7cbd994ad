//go:build linux

package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// getting measures what is asked for.
func (b *bench) getting(ctx context.Context, which side) error {
	n := b.o.series
	l := newLoad(n)
	s, _, err := b.fill(ctx, which, setup{wait: b.o.groupWait(n), interval: still}, l)
	if err != nil {
		return err
	}
	defer s.remove()
	if err := b.check(ctx, s, n); err != nil {
		return err
	}
	before, _, err := memory(s.pid())
	if err != nil {
		return err
	}
	if err := forgetPeak(s.pid()); err != nil {
		return err
	}
	read := func(name, path string, times int) (found *scanner, err error) {
		w := row{name: name, unit: "ms"}
		var spent time.Duration
		for range times {
			if found != nil && spent > enough {
				break
			}
			var took time.Duration
			if found, took, err = s.read(ctx, path, fingerprintKey, nil); err != nil {
				return nil, err
			}
			spent += took
			b.add(w, which, millis(took))
		}
		return found, nil
	}
	alerts, err := read("GET alerts, "+many(n), "/api/v2/alerts", b.o.repeats)
	if err != nil {
		return err
	}
	b.must(alerts.count == n, "%s shows %d alerts of %d", which, alerts.count, n)
	b.count(bytesOfAlerts, which, alerts.bytes)
	groups, err := read("GET groups, "+many(n), "/api/v2/alerts/groups", b.o.repeats)
	if err != nil {
		return err
	}
	b.count("alerts in all groups", which, groups.count)
	b.count(bytesOfGroups, which, groups.bytes)
	_, peak, err := memory(s.pid())
	if err != nil {
		return err
	}
	b.add(row{name: "most memory during these GETs, over that before", unit: "%"}, which, 100*(peak-before)/before)

	filter := "/api/v2/alerts?filter=" + url.QueryEscape(fmt.Sprintf("alertname=%q", alertName(7)))
	found, err := read("GET alerts with a filter that half a percent match", filter, 3*b.o.repeats)
	if err != nil {
		return err
	}
	b.must(found.count > 0 && found.count < n/50, "%s shows %d alerts of %d of one name", which, found.count, n)
	b.count("alerts of one name", which, found.count)

	news, err := b.reload(ctx, s, l)
	if err != nil {
		return err
	}
	if err := b.silence(ctx, s, b.o.silences); err != nil {
		return err
	}
	alerts, err = read(fmt.Sprintf("first GET alerts after %d new silences", b.o.silences), "/api/v2/alerts", 1)
	if err != nil {
		return err
	}
	b.must(alerts.count == n+news, "%s shows %d alerts of %d after silences that mute none", which, alerts.count, n+news)
	kept, _, err := s.read(ctx, "/api/v2/silences", silenceKey, nil)
	if err != nil {
		return err
	}
	b.must(kept.count == b.o.silences, "%s has %d silences of %d", which, kept.count, b.o.silences)
	return nil
}

// enough is after how much time in one life nobody asks for the same again.
const enough = 10 * time.Second

// silenceKey comes before the id of a silence, once in each.
const silenceKey = `"id":"`

// reload measures a reload, and who hears of it: groups that have news wait for group_interval, and should go on waiting. It returns
// how many alerts it has sent as news.
func (b *bench) reload(ctx context.Context, s *server, l *load) (news int, err error) {
	news = l.series / perGroup / 10
	if err := s.post(ctx, "/api/v2/alerts", strings.NewReader(string(l.news(news)))); err != nil {
		return 0, err
	}
	if err := b.settle(ctx, s, 0); err != nil {
		return 0, err
	}
	before, _ := b.sink.counts()
	began := time.Now()
	if err := s.post(ctx, "/-/reload", nil); err != nil {
		return 0, err
	}
	b.add(row{name: "reload with " + many(l.series) + " alerts", unit: "ms"}, s.side, millis(time.Since(began)))
	if err := b.settle(ctx, s, 0); err != nil {
		return 0, err
	}
	after, _ := b.sink.counts()
	b.add(row{name: fmt.Sprintf("notifications that it sends before group_interval is over, %d groups having news", news)}, s.side, float64(after[groupPath]-before[groupPath]))
	return news, nil
}
