package slo

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestAnObjectiveIsReadExactly(t *testing.T) {
	for _, c := range []struct{ text, budget string }{
		{"99.9", "1/1000"},
		{"99.90", "1/1000"},
		{"99", "1/100"},
		{"99.95", "1/2000"},
		{"50", "1/2"},
		{"0.1", "999/1000"},
		{"99.99999999999999", "1/10000000000000000"},
		{"33.3333", "666667/1000000"},
	} {
		got, err := parseObjective(c.text)
		want, _ := new(big.Rat).SetString(c.budget)
		if err != nil || got.Cmp(want) != 0 {
			t.Errorf("%s leaves %v, %v, want %s", c.text, got, err, c.budget)
		}
	}
	for text, want := range map[string]string{
		"":                      "absent; write a percentage such as 99.9",
		"100":                   "100 leaves no budget to burn; write a percentage below 100, such as 99.9",
		"100.0":                 "100.0 leaves no budget to burn; write a percentage below 100, such as 99.9",
		"250":                   "250 leaves no budget to burn; write a percentage below 100, such as 99.9",
		"0":                     "0 asks for nothing; write a percentage between 0 and 100, such as 99.9",
		"0.00":                  "0 asks for nothing; write a percentage between 0 and 100, such as 99.9",
		"99.9%":                 `"99.9%" is a percentage already; write 99.9`,
		"-1":                    `"-1" is not a decimal number such as 99.9`,
		"1e1":                   `"1e1" is not a decimal number such as 99.9`,
		"99,9":                  `"99,9" is not a decimal number such as 99.9`,
		"99.":                   `"99." is not a decimal number such as 99.9`,
		".9":                    `".9" is not a decimal number such as 99.9`,
		"1/2":                   `"1/2" is not a decimal number such as 99.9`,
		"0x10":                  `"0x10" is not a decimal number such as 99.9`,
		"nine":                  `"nine" is not a decimal number such as 99.9`,
		"99.999999999999999999": `"99.999999999999999999" has more than 18 digits`,
	} {
		if _, err := parseObjective(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestFaultsOfASpec(t *testing.T) {
	hour := time.Hour
	one := func(th Threshold) func(*Spec) { return func(s *Spec) { s.Thresholds = []Threshold{th} } }
	good := Threshold{Name: "page", BurnRate: "14.4", Long: hour, Short: 5 * time.Minute, Severity: "sev2"}
	with := func(change func(*Threshold)) func(*Spec) {
		th := good
		change(&th)
		return one(th)
	}
	for _, c := range []struct {
		name   string
		change func(*Spec)
		want   string
	}{
		{"no name", func(s *Spec) { s.Name = "" }, "name: absent"},
		{"a bad name", func(s *Spec) { s.Name = "a b" }, `name: "a b" is not a name; use letters, digits, _ . and -`},
		{"a long name", func(s *Spec) { s.Name = strings.Repeat("a", 101) }, `name: "` + strings.Repeat("a", 101) + `" is longer than 100 letters`},
		{"100 percent", func(s *Spec) { s.Objective = "100" }, "objective: 100 leaves no budget to burn; write a percentage below 100, such as 99.9"},
		{"no window", func(s *Spec) { s.Window = 0 }, "window: absent; write a duration such as 1h"},
		{"a negative window", func(s *Spec) { s.Window = -hour }, "window: -1h0m0s is negative"},
		{"a window of years", func(s *Spec) { s.Window = 401 * 24 * hour }, "window: 401d is longer than 400d, which is the most"},
		{"a negative clear_for", func(s *Spec) { s.ClearFor = -1 }, "clear_for: -1ns is negative"},
		{"a clear_for above the window", func(s *Spec) { s.ClearFor = 31 * 24 * hour }, "clear_for: 31d is longer than the window, 30d"},
		{"a negative reopen_window", func(s *Spec) { s.ReopenWindow = -1 }, "reopen_window: -1ns is negative"},
		{"an endless reopen_window", func(s *Spec) { s.ReopenWindow = 401 * 24 * hour }, "reopen_window: 401d is longer than 400d, which is the most"},
		{"no source", func(s *Spec) { s.Source = "x" }, `sli: "x" is no source; give alerts, burn_rate_alerts or prometheus`},
		{"a label twice", func(s *Spec) { s.By = []string{"a", "a", ""} }, "by[1]: \"a\" stands there twice\nby[2]: absent; name a label"},

		{"unreachable", with(func(th *Threshold) { th.BurnRate = "1000.1" }), `thresholds[0].burn_rate: threshold "page" can never be reached: with an objective of 99.9, the highest burn rate there can be is 1000`},
		{"just reachable", with(func(th *Threshold) { th.BurnRate = "1000" }), ""},
		{"unreachable with a long fraction", func(s *Spec) {
			s.Objective = "70"
			s.Thresholds = []Threshold{{Name: "page", BurnRate: "3.3334", Long: hour, Short: 1, Severity: "sev2"}}
		}, `thresholds[0].burn_rate: threshold "page" can never be reached: with an objective of 70, the highest burn rate there can be is 3.3333`},
		{"zero rate", with(func(th *Threshold) { th.BurnRate = "0" }), "thresholds[0].burn_rate: 0 is always reached; write a rate such as 14.4"},
		{"no number", with(func(th *Threshold) { th.BurnRate = "fast" }), `thresholds[0].burn_rate: "fast" is not a decimal number such as 99.9`},
		{"long is short", with(func(th *Threshold) { th.Short = hour }), "thresholds[0].long: 1h is not longer than short, 1h"},
		{"no long", with(func(th *Threshold) { th.Long = 0 }), "thresholds[0].long: absent; write a duration such as 1h"},
		{"negative short", with(func(th *Threshold) { th.Short = -hour }), "thresholds[0].short: -1h0m0s is negative"},
		{"longer than the window", with(func(th *Threshold) { th.Long = 31 * 24 * hour }), `thresholds[0].long: threshold "page" looks over 31d, longer than the objective's window, 30d`},
		{"as long as the window", with(func(th *Threshold) { th.Long = 30 * 24 * hour }), ""},
		{"no severity", with(func(th *Threshold) { th.Severity = "" }), `thresholds[0].severity: "" is no severity; write sev1 (the worst) to sev5`},
		{"unknown severity", with(func(th *Threshold) { th.Severity = "sev6" }), `thresholds[0].severity: "sev6" is no severity; write sev1 (the worst) to sev5`},
		{"of nothing", one(Threshold{Name: "page", Severity: "sev2"}), `thresholds[0]: threshold "page" says not what it is of; give burn_rate, long and short, or budget_consumed`},
		{"of both", with(func(th *Threshold) { th.BudgetConsumed = "50%" }), `thresholds[0]: threshold "page" is of a burn rate or of the budget, not of both`},
		{"half", one(Threshold{Name: "half", BudgetConsumed: "50", Severity: "sev4"}), `thresholds[0].budget_consumed: "50" is not a percentage; write it like 50%`},
		{"nothing consumed", one(Threshold{Name: "half", BudgetConsumed: "0%", Severity: "sev4"}), `thresholds[0].budget_consumed: 0% is always consumed; write a percentage such as 50%`},
		{"more than there is", one(Threshold{Name: "all", BudgetConsumed: "100001%", Severity: "sev4"}), `thresholds[0].budget_consumed: threshold "all" can never be reached: with an objective of 99.9, no more than 100000% of the budget can be consumed`},
		{"twice", func(s *Spec) { s.Thresholds = []Threshold{good, good} }, `thresholds[1].name: a second threshold named "page"`},
		{"too many", func(s *Spec) { s.Thresholds = make([]Threshold, 33) }, "thresholds: 33 are more than 32"},
		{"burn-rate alerts and thresholds", func(s *Spec) { s.Source, s.Thresholds = FromBurnRates, []Threshold{good} }, "thresholds: burn_rate_alerts are thresholds already; leave these out"},
		{"counts over seconds", func(s *Spec) {
			s.Source = FromRatio
			s.Thresholds = []Threshold{{Name: "page", BurnRate: "1", Long: hour, Short: 90 * time.Second, Severity: "sev2"}}
		}, "thresholds[0].short: 1m30s is not a number of whole minutes, in which counts come"},
		{"counts over months", func(s *Spec) { s.Source, s.Window = FromRatio, 90*24*hour }, "window: 90d is longer than 45d, which is the most"},
		{"all at once", func(s *Spec) {
			s.Name, s.Objective, s.ClearFor = "", "0", -hour
			s.Thresholds = []Threshold{{Name: "x", BurnRate: "x", Severity: "x"}}
		}, `name: absent
objective: 0 asks for nothing; write a percentage between 0 and 100, such as 99.9
thresholds[0].severity: "x" is no severity; write sev1 (the worst) to sev5
thresholds[0].burn_rate: "x" is not a decimal number such as 99.9
thresholds[0].long: absent; write a duration such as 1h
thresholds[0].short: absent; write a duration such as 1h
clear_for: -1h0m0s is negative`},
	} {
		s := checkout
		c.change(&s)
		_, err := New(s)
		got := ""
		if err != nil {
			var ps Problems
			if !errors.As(err, &ps) {
				t.Errorf("%s: the error is a %T", c.name, err)
			}
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestDefaultsThatDoNotFitAreLeftOut(t *testing.T) {
	for _, c := range []struct {
		objective  string
		window     time.Duration
		used, warn string
	}{
		{"99.9", 30 * 24 * time.Hour, "page-fast page-slow ticket-fast ticket-slow half-gone", ""},
		{
			"90", 30 * 24 * time.Hour, "page-slow ticket-fast ticket-slow half-gone",
			`thresholds: threshold "page-fast" can never be reached: with an objective of 90, the highest burn rate there can be is 10; of the default thresholds, this one is left out`,
		},
		{
			"99.9", 24 * time.Hour, "page-fast page-slow ticket-fast half-gone",
			`thresholds: threshold "ticket-slow" looks over 3d, longer than the objective's window, 1d; of the default thresholds, this one is left out`,
		},
	} {
		s := checkout
		s.Objective, s.Window = c.objective, c.window
		o, err := New(s)
		if err != nil {
			t.Error(err)
			continue
		}
		var used, warn []string
		for _, th := range o.Thresholds() {
			used = append(used, th.Name)
		}
		for _, w := range o.Warnings() {
			warn = append(warn, w.String())
		}
		if got := strings.Join(used, " "); got != c.used {
			t.Errorf("%s: in use are %s, want %s", c.objective, got, c.used)
		}
		if got := strings.Join(warn, "\n"); got != c.warn {
			t.Errorf("%s: warnings\n%s\nwant\n%s", c.objective, got, c.warn)
		}
	}
	s := checkout
	s.Thresholds = []Threshold{}
	o, err := New(s)
	if err != nil || len(o.Warnings()) != 1 || o.Warnings()[0].String() != "thresholds: none is left: nobody will hear of this objective" {
		t.Errorf("%v, %v", o.Warnings(), err)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Minute: "1h30m", 72 * time.Hour: "3d",
		30 * 24 * time.Hour: "30d", 1500 * time.Millisecond: "1s500ms", 1001: "1us1ns",
	} {
		if got := Short(d); got != want {
			t.Errorf("%d is %s, want %s", d, got, want)
		}
	}
}
