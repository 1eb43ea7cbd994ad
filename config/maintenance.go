package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/oncall"
)

// A Maintenance is a silence known beforehand (SPEC §5).
type Maintenance struct {
	Name       string
	Matchers   labels.Matchers // an alert that all of them match is silenced
	TimeZone   string          // IANA name
	Recurrence *oncall.Recurrence
	Comment    string // empty: none
	Text       string // when, in words: `cron "0 22 * * SUN" for 2h, Europe/Lisbon`
}

// String says what is silenced, and when.
func (m Maintenance) String() string {
	return fmt.Sprintf("%s, %s", m.Matchers, m.Text)
}

// maintenance reads the section.
func (l *loader) maintenance() {
	var known names
	l.each("maintenance", &known, func(o object, name string) {
		m := Maintenance{Name: name, TimeZone: o.text("time_zone"), Comment: o.text("comment")}
		m.Matchers = l.readMatchers(o)
		m.Recurrence, m.Text = l.readRecurrence(o)
		l.cfg.Maintenance = append(l.cfg.Maintenance, m)
	})
}

// readMatchers reads what Alertmanager reads as `matchers:`, and checks it as that of a silence.
func (l *loader) readMatchers(o object) (all labels.Matchers) {
	before := l.errors
	entries := o.texts("matchers")
	for _, n := range entries {
		if isNull(n) {
			continue // the checker said so
		}
		ms, err := compat.Matchers(n.Value, "config")
		if err != nil {
			o.fault(n, "matchers: "+err.Error(), `write one as in a route, such as service="db"`)
		}
		all = append(all, ms...)
	}
	if len(entries) == 0 || !o.ok || l.errors > before {
		return all
	}
	for _, m := range all {
		if selects(m) {
			return all
		}
	}
	o.fault(o.get("matchers"), "matchers: each of them matches alerts without its label, so that all alerts might be silenced",
		`add one that does not, such as service="db"`)
	return all
}

// selects says whether a matcher asks for a label, by Alertmanager's rule for silences: negative ones are taken to, and
// patterns are not anchored.
func selects(m *labels.Matcher) bool {
	switch m.Type {
	case labels.MatchEqual:
		return m.Value != ""
	case labels.MatchRegexp:
		matched, err := regexp.MatchString(m.Value, "")
		return err == nil && !matched
	}
	return true
}

// readRecurrence reads when it is, and says it in words.
func (l *loader) readRecurrence(o object) (*oncall.Recurrence, string) {
	var keys []string
	for _, key := range []string{"from", "to", "cron", "for"} {
		if lookup(o.node, key) != nil {
			keys = append(keys, key)
		}
	}
	const hint = "write from and to for a single window, or cron and for for windows that recur"
	switch given := strings.Join(keys, " and "); {
	case given == "from and to":
		if o.ok {
			return l.readOnce(o)
		}
	case given == "cron and for":
		if o.ok {
			return l.readCron(o)
		}
	case given == "":
		o.fault(o.node, "does not say when", hint)
	case len(keys) == 1:
		o.fault(keyNode(o.node, given), "has only "+given, hint)
	default:
		o.fault(keyNode(o.node, keys[0]), "has "+given, hint)
	}
	return nil, ""
}

func (l *loader) readOnce(o object) (*oncall.Recurrence, string) {
	from, to, zone := civil(o.text("from")), civil(o.text("to")), o.text("time_zone")
	r, err := oncall.Once(from, to, zone)
	if err != nil {
		l.faultOf(o.get("to"), o.where, err)
		return nil, ""
	}
	w, _ := r.Next(time.Time{})
	if length := w.To.Sub(w.From); length > oncall.MaxOccurrence {
		o.warn(o.get("to"), fmt.Sprintf("nobody is told of what it matches for %d days", int(length.Hours()/24)), "check the dates, the year too")
	}
	return r, fmt.Sprintf("%s to %s, %s", from, to, zone)
}

func (l *loader) readCron(o object) (*oncall.Recurrence, string) {
	cron, length, zone := o.text("cron"), o.duration("for", 0), o.text("time_zone")
	r, err := oncall.ParseRecurrence(cron, length, zone)
	if err != nil {
		l.faultOf(o.get("for"), join(o.where, "for"), err)
		return nil, ""
	}
	return r, fmt.Sprintf("cron %q for %s, %s", strings.Join(strings.Fields(cron), " "), model.Duration(length), zone)
}

// dispatch reads the section.
func (l *loader) dispatch() {
	l.only("dispatch", func(o object) {
		l.cfg.ResolvedUnderSilence = o.text("resolved_under_silence") == "notify"
	})
}
