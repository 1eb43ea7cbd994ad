package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// How lively the demo is.
const (
	demoFirst   = 2 * time.Second
	demoEvery   = 45 * time.Second // a problem begins about so often
	demoLasts   = 3 * time.Minute  // and is over after about so long
	demoResend  = 30 * time.Second
	demoAnswers = 40 * time.Second // people answer after about so long, if they do
)

// A trouble is something that the demo's cluster may have.
type trouble struct {
	labels, annotations map[string]string
}

var troubles = []trouble{
	{map[string]string{"alertname": "ReplicationLag", "service": "db", "severity": "critical", "instance": "db-2"}, map[string]string{"summary": "Replica db-2 is 340 s behind", "runbook_url": "https://runbooks.example.org/replication-lag"}},
	{map[string]string{"alertname": "DiskFillsUp", "service": "db", "severity": "warning", "instance": "db-1"}, map[string]string{"summary": "Disk of db-1 is full in 4 hours"}},
	{map[string]string{"alertname": "HighErrorRate", "service": "checkout", "severity": "page", "cluster": "eu1"}, map[string]string{"summary": "Checkout answers 4% with errors in eu1", "runbook_url": "https://runbooks.example.org/checkout-errors"}},
	{map[string]string{"alertname": "SlowPayments", "service": "checkout", "severity": "critical", "cluster": "us1"}, map[string]string{"summary": "Payments take 3.2 s at the median in us1"}},
	{map[string]string{"alertname": "NodeDown", "service": "platform", "severity": "critical", "instance": "node-17"}, map[string]string{"summary": "node-17 has not been heard of for 5 minutes"}},
	{map[string]string{"alertname": "CertificateExpires", "service": "platform", "severity": "info", "instance": "www"}, map[string]string{"summary": "The certificate of www expires in 6 days"}},
}

// demo is a cluster that has troubles, and people who answer their pages late or not at all.
func demo(ctx context.Context, e *engine.Engine, log *zap.Logger) {
	begin := time.NewTimer(demoFirst)
	resend := time.NewTicker(demoResend)
	answer := time.NewTicker(demoAnswers / 2)
	defer begin.Stop()
	defer resend.Stop()
	defer answer.Stop()
	type source struct {
		trouble
		since, until time.Time
	}
	var now []source
	next := rand.IntN(len(troubles))
	post := func(s source, ends time.Time) {
		a := &router.Alert{
			Labels: router.LabelsOf(s.labels), Annotations: router.LabelsOf(s.annotations),
			StartsAt: s.since, EndsAt: ends, UpdatedAt: time.Now(),
		}
		if err := e.Receive(ctx, []*router.Alert{a}); err != nil && ctx.Err() == nil {
			log.Warn("the demo's alert was not taken", zap.Error(err))
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-begin.C:
			s := source{troubles[next%len(troubles)], time.Now(), time.Now().Add(about(demoLasts))}
			next++
			now = append(now, s)
			post(s, time.Now().Add(4*demoResend))
			begin.Reset(about(demoEvery))
		case <-resend.C:
			kept := now[:0]
			for _, s := range now {
				if time.Now().After(s.until) {
					post(s, time.Now())
					continue
				}
				post(s, time.Now().Add(4*demoResend))
				kept = append(kept, s)
			}
			now = kept
		case <-answer.C:
			demoAnswer(ctx, e)
		}
	}
}

// demoAnswer lets somebody who was paged acknowledge, every second time.
func demoAnswer(ctx context.Context, e *engine.Engine) {
	open, _, err := e.Incidents(ctx, engine.Filter{Status: []incident.Status{incident.Triggered}}, 0, 50)
	if err != nil {
		return
	}
	for _, i := range open {
		if len(i.Paged) == 0 || rand.IntN(2) == 0 {
			continue
		}
		who := i.Paged[rand.IntN(len(i.Paged))]
		e.Do(ctx, engine.Action{Verb: engine.Acknowledge, Incident: i.ID(), By: who, Via: "demo"})
		e.Do(ctx, engine.Action{Verb: engine.AddNote, Incident: i.ID(), By: who, Via: "demo", Text: fmt.Sprintf("%s is on it", who)})
	}
}

// about is the duration, give or take a third.
func about(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (2.0/3 + rand.Float64()*2/3))
}
