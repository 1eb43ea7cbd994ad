package incident

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the tables in testdata anew")

var three = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func at(clock string) time.Time {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		panic(err)
	}
	return time.Date(2026, 11, 22, t.Hour(), t.Minute(), 0, 0, time.UTC)
}

// after steps a new incident through the inputs, one a minute from 03:00 on.
func after(inputs ...Input) Incident {
	var i Incident
	for n, in := range append([]Input{begun}, inputs...) {
		i, _ = i.Step(in, three.Add(time.Duration(n)*time.Minute))
	}
	return i
}

var begun = Begun{
	Number: 7, Identity: Identity{Receiver: "db-oncall", GroupKey: `{}:{alertname="Lag"}`}, Title: "replication lag",
	Severity: "sev2", Policy: "db", Labels: map[string]string{"service": "db"}, AutoResolve: true, Reason: "1 alert fires",
}

func sticky() Begun {
	b := begun
	b.AutoResolve = false
	return b
}

// The states an incident can be in, and how it came there.
var states = []struct {
	name string
	i    Incident
}{
	{"none", Incident{}},
	{"triggered", after()},
	{"triggered, cleared, auto_resolve off", func() Incident {
		i, _ := Incident{}.Step(sticky(), three)
		i, _ = i.Step(Cleared{}, at("03:01"))
		return i
	}()},
	{"acknowledged", after(AckedNow{By: "ana"})},
	{"reopened", after(Cleared{}, Back{Severity: "sev2"})},
	{"resolved by its source", after(Cleared{})},
	{"resolved by hand, firing", after(AckedNow{By: "ana"}, Ended{By: "ana", Via: "cli", Reason: "fixed"})},
	{"resolved by hand, then clear", after(Ended{By: "ana", Reason: "fixed"}, Cleared{})},
}

var inputs = []Input{
	begun,
	Joined{Severity: "sev3", Count: 1, Names: `{alertname="Disk"}`},
	Joined{Severity: "sev1", Count: 2, Names: `{alertname="Disk"}, {alertname="Down"}`},
	AckedNow{By: "bo"},
	TriggeredAgain{},
	Cleared{},
	Ended{Reason: "its source says so"},
	Ended{By: "bo", Via: "link", Reason: "fixed"},
	Back{Severity: "sev3", Reason: "fired again"},
	Renamed{Policy: "web"},
}

// TestEveryInputInEveryState writes out the whole machine: what each input makes of each state, and what follows.
func TestEveryInputInEveryState(t *testing.T) {
	var b strings.Builder
	b.WriteString("What every input makes of every state: at 04:00, of incidents that opened at 03:00.\n")
	b.WriteString("Each line says what the incident is then, and after the arrows what must be done.\n")
	for _, s := range states {
		fmt.Fprintf(&b, "\n%s\n    is: %s\n", strings.ToUpper(s.name), describe(s.i))
		for _, in := range inputs {
			next, effects := s.i.Step(in, at("04:00"))
			what := describe(next)
			if what == describe(s.i) {
				what = "unchanged"
			}
			fmt.Fprintf(&b, "  %s\n      %s\n", name(in), what)
			for _, e := range effects {
				fmt.Fprintf(&b, "      -> %s\n", tell(e))
			}
		}
	}
	golden(t, "testdata/machine.txt", b.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is out of date; go test ./incident -update writes it anew, and git diff shows what changed. Got:\n%s", file, got)
	}
}

func name(in Input) string { return strings.TrimPrefix(fmt.Sprintf("%+v", named{in}), "{Input:") }

type named struct{ Input Input }

func (n named) Format(f fmt.State, _ rune) {
	switch in := n.Input.(type) {
	case Begun:
		fmt.Fprint(f, "Begun")
	case Joined:
		fmt.Fprintf(f, "Joined by %d, %s", in.Count, in.Severity)
	case AckedNow:
		fmt.Fprintf(f, "AckedNow by %s", in.By)
	case Ended:
		who := in.By
		if who == "" {
			who = "its source"
		}
		fmt.Fprintf(f, "Ended by %s", who)
	case Back:
		fmt.Fprintf(f, "Back, %s", in.Severity)
	case Renamed:
		fmt.Fprintf(f, "Renamed to %s", in.Policy)
	default:
		fmt.Fprint(f, strings.TrimPrefix(fmt.Sprintf("%T", in), "incident."))
	}
}

func describe(i Incident) string {
	if i.Status == "" {
		return "nothing"
	}
	words := []string{i.ID(), string(i.Status), i.Severity, "policy " + i.Policy}
	for _, w := range []struct {
		holds bool
		word  string
	}{{i.Firing, "firing"}, {!i.Firing, "clear"}, {i.Held, "held"}, {i.Flapping, "flapping"}} {
		if w.holds {
			words = append(words, w.word)
		}
	}
	for _, w := range []struct {
		what string
		when time.Time
		by   string
	}{{"opened", i.OpenedAt, ""}, {"acknowledged", i.AckedAt, i.AckedBy}, {"resolved", i.ResolvedAt, i.ResolvedBy}, {"reopened", i.ReopenedAt, ""}} {
		if !w.when.IsZero() || w.by != "" {
			words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s", w.what, w.when.Format("15:04"), w.by)))
		}
	}
	return strings.Join(words, ", ")
}

func tell(e Effect) string {
	switch e := e.(type) {
	case Happened:
		ev := e.Event
		words := []string{ev.At.Format("15:04"), ev.Kind, ev.Incident}
		for _, w := range []struct{ name, value string }{
			{"by", ev.By}, {"via", ev.Via}, {"severity", ev.Severity}, {"policy", ev.Policy}, {"text", ev.Text}, {"reason", ev.Reason},
		} {
			if w.value != "" {
				words = append(words, fmt.Sprintf("%s=%q", w.name, w.value))
			}
		}
		return strings.Join(words, " ")
	case Rose:
		return "the ladder starts again: " + e.Severity
	case StartLadder:
		return "the ladder starts"
	case RestartLadder:
		return "the ladder starts again"
	case StopLadder:
		return "all paging ends"
	}
	return fmt.Sprintf("%T", e)
}

func TestJoiningPagesNobodyUnlessItIsWorse(t *testing.T) {
	i := after()
	for _, severity := range []string{"sev3", "sev2", "none of ours"} {
		next, effects := i.Step(Joined{Severity: severity, Count: 1, Names: "more"}, at("03:10"))
		if len(effects) != 1 || next.Severity != "sev2" {
			t.Errorf("%s joined: severity %s, %v", severity, next.Severity, effects)
		}
	}
	next, effects := i.Step(Joined{Severity: "sev1", Count: 1, Names: "more"}, at("03:10"))
	if next.Severity != "sev1" || len(effects) != 3 || effects[2] != (Rose{Severity: "sev1"}) {
		t.Errorf("sev1 joined: severity %s, %v", next.Severity, effects)
	}
}

func TestSeverityRisesAlsoWhileAcknowledged(t *testing.T) {
	i := after(AckedNow{By: "ana"})
	next, effects := i.Step(Joined{Severity: "sev1", Count: 1, Names: "more"}, at("03:10"))
	if next.Status != Acked || effects[len(effects)-1] != (Rose{Severity: "sev1"}) {
		t.Errorf("%s, %v; the ladder takes the acknowledgement back, not the incident", next.Status, effects)
	}
}

func TestResolvedByHandStaysSoUntilClear(t *testing.T) {
	i := after(Ended{By: "ana", Reason: "fixed"})
	if !i.Held {
		t.Fatal("not held though its alerts fire")
	}
	i, _ = i.Step(Joined{Severity: "sev3", Count: 1, Names: "more"}, at("03:10"))
	if !i.Held || !i.Firing || i.Status != Resolved {
		t.Errorf("one more alert: %s", describe(i))
	}
	i, effects := i.Step(Cleared{}, at("03:20"))
	if i.Held || i.Firing || len(effects) != 0 {
		t.Errorf("clear: %s, %v", describe(i), effects)
	}
}

func TestAValueOnceHandedOutNeverChanges(t *testing.T) {
	labels := map[string]string{"service": "db"}
	in := begun
	in.Labels = labels
	i, _ := Incident{}.Step(in, three)
	labels["service"] = "web"
	next, _ := i.Step(AckedNow{By: "ana"}, at("03:01"))
	next.Labels["service"] = "cache"
	if i.Labels["service"] != "db" || i.Status != Triggered {
		t.Errorf("labels %v, %s", i.Labels, i.Status)
	}
}

func TestIDs(t *testing.T) {
	for text, want := range map[string]int{
		"INC-1": 1, "inc-42": 42, "7": 7, "INC-0": 0, "INC--1": 0, "INC-+1": 0, "INC-": 0, "INC-1x": 0, "": 0, "-": 0,
		"INC-99999999999999999999": 0, "INC-INC-1": 0,
	} {
		n, err := ParseID(text)
		if n != want || (err != nil) != (want == 0) {
			t.Errorf("%q is %d, %v, want %d", text, n, err, want)
		}
		if err == nil && ID(n) != strings.ToUpper(ID(n)) {
			t.Errorf("INC-%d is written %s", n, ID(n))
		}
	}
	if _, err := ParseID("db"); err == nil || err.Error() != `"db" is not an incident; incidents are called INC-1, INC-2, …` {
		t.Errorf("%v", err)
	}
}

func TestRanks(t *testing.T) {
	order := []string{"sev1", "sev2", "sev3", "sev4", "sev5", "sev11"}
	for i, a := range order {
		for j, b := range order {
			if Higher(a, b) != (i < j) {
				t.Errorf("Higher(%s, %s) is %v", a, b, i >= j)
			}
		}
		for _, none := range []string{"", "sev", "sev0", "sev-1", "sev+1", "sev01", "SEV1", "critical", "sev1 "} {
			if !Higher(a, none) || Higher(none, a) {
				t.Errorf("%q is not below %s", none, a)
			}
		}
	}
}

func TestAnIncidentNeverWakesByItself(t *testing.T) {
	for _, s := range states {
		if !s.i.Due().IsZero() {
			t.Errorf("%s is due at %v", s.name, s.i.Due())
		}
	}
}
