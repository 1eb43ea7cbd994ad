package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/incident"
)

// A Line is an event as `midwatch test` prints it (SPEC §11).
type Line struct {
	At        string    `json:"at"`   // since the start
	Time      time.Time `json:"time"` // by the wall clock
	Event     string    `json:"event"`
	Incident  string    `json:"incident,omitempty"`
	Incidents []string  `json:"incidents,omitempty"`
	User      string    `json:"user,omitempty"`
	Via       string    `json:"via,omitempty"`
	Receiver  string    `json:"receiver,omitempty"`
	By        string    `json:"by,omitempty"`
	Policy    string    `json:"policy,omitempty"`
	Step      int       `json:"step,omitempty"`
	Cycle     int       `json:"cycle,omitempty"`
	Severity  string    `json:"severity,omitempty"`
	Text      string    `json:"text,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

// Lines is what happened as it is printed.
func Lines(log []Entry) []Line {
	lines := make([]Line, 0, len(log))
	for _, e := range log {
		lines = append(lines, Line{
			At: FormatElapsed(e.At), Time: e.Event.At.UTC(), Event: e.Kind, Incident: e.Incident, Incidents: e.Incidents,
			User: e.User, Via: e.Via, Receiver: e.Receiver, By: e.By, Policy: e.Policy, Step: e.Step, Cycle: e.Cycle,
			Severity: e.Severity, Text: e.Text, Reason: e.Reason,
		})
	}
	return lines
}

// Compare holds what happened against what the scenario expects: exactly that, in that order, of the kinds it names.
// It returns the differences as sentences; none means that all is as expected.
func (s *Scenario) Compare(log []Entry) []string {
	if s.Expect == nil {
		return nil
	}
	var kinds []string
	for _, e := range s.Expect {
		kinds = append(kinds, e.Fields["event"])
	}
	var got []Entry
	for _, e := range log {
		if slices.Contains(kinds, e.Kind) || (len(s.Expect) == 0 && e.Kind == incident.Paged) {
			got = append(got, e)
		}
	}
	var diffs []string
	for i, want := range s.Expect {
		if i >= len(got) {
			diffs = append(diffs, fmt.Sprintf("line %d: expected %s, and it did not happen", want.Line, want))
			continue
		}
		if why := want.differs(got[i]); why != "" {
			diffs = append(diffs, fmt.Sprintf("line %d: expected %s, but got %s: %s", want.Line, want, describe(got[i]), why))
		}
	}
	for _, extra := range got[min(len(got), len(s.Expect)):] {
		diffs = append(diffs, fmt.Sprintf("not expected: %s", describe(extra)))
	}
	return diffs
}

func (x Expectation) differs(e Entry) string {
	// No duration can be written more finely, and some burn rates are left a nanosecond later.
	if x.At != nil && *x.At != e.At.Truncate(time.Millisecond) {
		return fmt.Sprintf("at %s", FormatElapsed(e.At))
	}
	have := e.fields()
	for _, name := range append([]string{"event"}, eventFields...) {
		if want, named := x.Fields[name]; named && want != have[name] {
			return fmt.Sprintf("%s is %q", name, have[name])
		}
	}
	return ""
}

func (e Entry) fields() map[string]string {
	f := map[string]string{
		"event": e.Kind, "incident": e.Incident, "user": e.User, "via": e.Via, "receiver": e.Receiver, "by": e.By,
		"policy": e.Policy, "severity": e.Severity, "text": e.Text, "reason": e.Reason,
	}
	if e.Step > 0 {
		f["step"] = strconv.Itoa(e.Step)
	}
	if e.Cycle > 0 {
		f["cycle"] = strconv.Itoa(e.Cycle)
	}
	return f
}

func (x Expectation) String() string {
	at := "any time"
	if x.At != nil {
		at = FormatElapsed(*x.At)
	}
	return phrase(at, x.Fields)
}

func describe(e Entry) string {
	f := e.fields()
	delete(f, "reason")
	delete(f, "text")
	return phrase(FormatElapsed(e.At), f)
}

func phrase(at string, fields map[string]string) string {
	parts := []string{at, fields["event"]}
	for _, name := range eventFields {
		if v := fields[name]; v != "" {
			parts = append(parts, name+"="+v)
		}
	}
	return strings.Join(parts, " ")
}

// JSON is the lines as an array, one event a line, never null.
func JSON(lines []Line) []byte {
	var b strings.Builder
	b.WriteString("[")
	for i, l := range lines {
		if i > 0 {
			b.WriteString(",")
		}
		text, err := json.Marshal(l)
		if err != nil {
			panic(err) // strings, numbers and times
		}
		b.WriteString("\n  ")
		b.Write(text)
	}
	if len(lines) > 0 {
		b.WriteString("\n")
	}
	b.WriteString("]\n")
	return []byte(b.String())
}
