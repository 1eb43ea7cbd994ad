package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// A Heartbeat is somebody who is to be heard of every so often.
type Heartbeat struct {
	Name         string
	Matchers     labels.Matchers // it beats while an alert that all of them match fires; none: it is pinged
	Key          string          // a secret: the last part of the address at which it is pinged; empty: one is derived
	Every, Grace time.Duration
	Policy       string
	Severity     string
	Labels       map[string]string // of its incident; nil: none but ours
	Annotations  map[string]string // likewise
	Paused       bool              // nobody expects it for now
}

// A DeadMan is who is called for as long as Midwatch is well, so that they notice when it is not.
type DeadMan struct {
	URL    string // a secret
	Every  time.Duration
	Method string
}

// Limits of heartbeats.
const (
	MaxHeartbeats     = 500                  // far above the clusters and nightly jobs of one house
	MinHeartbeatEvery = 10 * time.Second     // below that, a network's hiccup wakes somebody
	MaxHeartbeatEvery = 400 * 24 * time.Hour // a yearly job
	DefaultGrace      = time.Hour            // where Every is longer; else as long as that
	shortestSilence   = 2 * time.Minute      // Prometheus repeats an alert about once a minute, so that one lost repeat makes two

	MinDeadManEvery     = 10 * time.Second
	MaxDeadManEvery     = 24 * time.Hour
	DefaultDeadManEvery = time.Minute

	maxHeartbeatText = 4096 // bytes of an annotation
)

const heartbeatSeverity = "sev2"

// pingKeyRE is what may stand in a path as it is, and is too long to be guessed.
var pingKeyRE = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)

var ownLabels = []string{"alertname", "heartbeat", "severity"}

// heartbeats reads the section.
func (l *loader) heartbeats() {
	var known names
	keys := map[string]string{} // ping_key → whose it is
	l.each("heartbeats", &known, func(o object, name string) {
		if len(l.cfg.Heartbeats) == MaxHeartbeats {
			o.fault(o.node, fmt.Sprintf("there are more than %d heartbeats", MaxHeartbeats), "watch the most important ones")
			return
		}
		h := Heartbeat{
			Name: name, Policy: o.text("escalation_policy"), Severity: o.textOr("severity", heartbeatSeverity), Paused: o.boolean("paused", false),
			Every:  o.duration("every", 0),
			Labels: l.readTexts(o, "labels"), Annotations: l.readTexts(o, "annotations"),
		}
		h.Grace = o.duration("grace", min(h.Every, DefaultGrace))
		o.refer(o.get("escalation_policy"), "escalation policy", &l.policy)
		l.readSource(o, &h)
		l.checkPace(o, h)
		if h.Key != "" {
			if other := keys[h.Key]; other != "" {
				o.fault(o.get("name"), fmt.Sprintf("has the same ping_key as heartbeat %q", other), "give each a key of its own, or none: then one is derived")
			}
			keys[h.Key] = name
		}
		l.cfg.Heartbeats = append(l.cfg.Heartbeats, h)
	})
}

// readSource reads by what it is heard: exactly one of an alert and pings.
func (l *loader) readSource(o object, h *Heartbeat) {
	const hint = `write alert: ['alertname="Watchdog"'] for an alert that always fires, or ping: true for an address that is called`
	alert, ping := lookup(o.node, "alert") != nil, lookup(o.node, "ping") != nil
	switch {
	case alert && ping:
		o.fault(keyNode(o.node, "ping"), "has both alert and ping", hint)
		return
	case !alert && !ping:
		o.fault(o.node, "does not say by what it is heard", hint)
		return
	case ping:
		if n := o.get("ping"); n != nil && n.Kind == yaml.ScalarNode {
			if yes, ok := truth(n.Value); ok && !yes {
				o.fault(n, "ping is false, and there is no alert", hint)
			}
		}
		h.Key = l.readPingKey(o)
		return
	}
	for _, key := range []string{"ping_key", "ping_key_file"} {
		if lookup(o.node, key) != nil {
			o.fault(keyNode(o.node, key), key+" is for heartbeats that are pinged, and this one has an alert", "remove it")
		}
	}
	before := l.errors
	for _, n := range o.texts("alert") {
		if isNull(n) {
			continue // the checker said so
		}
		ms, err := compat.Matchers(n.Value, "config")
		if err != nil {
			o.fault(n, "alert: "+err.Error(), `write a matcher as in a route, such as alertname="Watchdog"`)
		}
		h.Matchers = append(h.Matchers, ms...)
	}
	if !o.ok || l.errors > before {
		return
	}
	for _, m := range h.Matchers {
		if selects(m) {
			return
		}
	}
	o.fault(o.get("alert"), "alert: each of them matches alerts without its label, so that any alert would be a beat", `add one that does not, such as alertname="Watchdog"`)
}

func (l *loader) readPingKey(o object) string {
	n, file := o.get("ping_key"), o.get("ping_key_file")
	if n != nil && file != nil {
		o.fault(keyNode(o.node, "ping_key_file"), "has both ping_key and ping_key_file", "remove one")
		return ""
	}
	key, at := o.text("ping_key"), n
	if file != nil && file.Kind == yaml.ScalarNode {
		at = file
		text, err := l.readFile("ping_key_file", l.beside(file.Value))
		if l.unseen(o, "ping_key_file", err) {
			return ""
		}
		if err != nil {
			o.fault(file, fmt.Sprintf("ping_key_file %s cannot be read: %s", file.Value, reason(err)), "name a file that holds the key alone")
			return ""
		}
		key = strings.TrimSpace(string(text))
	}
	if at != nil && at.Kind == yaml.ScalarNode && !pingKeyRE.MatchString(key) && !l.veiled(key) {
		o.fault(at, "the ping_key is not of 16 to 128 letters, digits, _ and -", "make one with: openssl rand -hex 16; or leave it out, and one is derived")
		return ""
	}
	return key
}

func (l *loader) checkPace(o object, h Heartbeat) {
	if every := o.get("every"); every != nil && o.ok {
		switch {
		case h.Every < MinHeartbeatEvery:
			o.fault(every, fmt.Sprintf("every is %s, shorter than %s", every.Value, model.Duration(MinHeartbeatEvery)), "write at least 10s")
		case h.Every > MaxHeartbeatEvery:
			o.fault(every, fmt.Sprintf("every is %s, longer than %s", every.Value, model.Duration(MaxHeartbeatEvery)), "write at most 400d")
		case len(h.Matchers) > 0 && h.Every+h.Grace < shortestSilence:
			o.warn(every, fmt.Sprintf("every and grace are %s together, and Prometheus repeats an alert about once a minute: one repeat that is lost wakes somebody", model.Duration(h.Every+h.Grace)),
				"allow at least 2m")
		}
	}
	if grace := o.get("grace"); grace != nil && h.Grace > MaxHeartbeatEvery {
		o.fault(grace, fmt.Sprintf("grace is %s, longer than %s", grace.Value, model.Duration(MaxHeartbeatEvery)), "write at most 400d")
	}
}

// readTexts reads a table of texts. Those that are labels must not be ours.
func (l *loader) readTexts(o object, key string) map[string]string {
	table := o.get(key)
	if table == nil || table.Kind != yaml.MappingNode || len(table.Content) == 0 {
		return nil
	}
	out := map[string]string{}
	for i := 0; i+1 < len(table.Content); i += 2 {
		k, v := table.Content[i], table.Content[i+1]
		for _, own := range ownLabels {
			if key == "labels" && k.Value == own {
				o.fault(k, fmt.Sprintf("labels: %s is set by Midwatch", own), "remove it")
			}
		}
		if !compat.IsValidLabelName(model.LabelName(k.Value)) {
			o.fault(k, fmt.Sprintf("%s: %q is not a label name", key, k.Value), "write one such as runbook_url")
		}
		if len(v.Value) > maxHeartbeatText {
			o.fault(v, fmt.Sprintf("%s: %s has more than %d bytes", key, k.Value, maxHeartbeatText), "put a link into runbook_url instead")
		}
		out[k.Value] = v.Value
	}
	return out
}

// readBlind reads the policy of the incident that no heartbeat is heard.
func (l *loader) readBlind(o object) {
	blind := o.sub("blind")
	if isNull(blind.node) {
		return
	}
	if n := blind.get("escalation_policy"); blind.refer(n, "escalation policy", &l.policy) {
		l.cfg.BlindPolicy = n.Value
	}
}

// readDeadMan reads who is called while Midwatch is well. What is wrong with the address is said without showing it.
func (l *loader) readDeadMan(o object) {
	d := o.sub("dead_man")
	if isNull(d.node) {
		return
	}
	n, file := d.get("url"), d.get("url_file")
	if (n == nil) == (file == nil) {
		d.fault(d.node, "has neither or both of url and url_file", "write exactly one: the address that your dead man's switch gave you")
		return
	}
	man := &DeadMan{Every: d.duration("every", DefaultDeadManEvery), Method: d.textOr("method", "GET"), URL: d.text("url")}
	at := n
	if file != nil {
		at = file
		text, err := l.readFile("url_file", l.beside(file.Value))
		if l.unseen(d, "url_file", err) {
			return
		}
		if err != nil {
			d.fault(file, fmt.Sprintf("url_file %s cannot be read: %s", file.Value, reason(err)), "name a file that holds the address alone")
			return
		}
		man.URL = strings.TrimSpace(string(text))
	}
	if u, err := url.Parse(man.URL); !l.veiled(man.URL) && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		d.fault(at, "the address is none that can be called", "write one that begins with https://")
		return
	}
	if man.Every < MinDeadManEvery || man.Every > MaxDeadManEvery {
		d.fault(d.here("every"), fmt.Sprintf("every is not between %s and %s", model.Duration(MinDeadManEvery), model.Duration(MaxDeadManEvery)), "write such as 1m")
		return
	}
	l.cfg.DeadMan = man
}
