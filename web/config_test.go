package web

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// drafting gives the pages a configuration, and keeps what was proposed.
func drafting(asked *[]string, answer Proposal, running ...ConfigPart) func(*Options) {
	return func(o *Options) {
		o.Running = func() Running {
			return Running{File: "midwatch.yml", Since: time.Now().Add(-time.Hour), Parts: append([]ConfigPart{{"midwatch.yml", "route: {receiver: <db>}\n"}}, running...)}
		}
		o.Propose = func(_ context.Context, text string) Proposal {
			*asked = append(*asked, text)
			return answer
		}
	}
}

func TestTheRunningConfigurationIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		w := start(t, drafting(&asked, Proposal{}, ConfigPart{"teams/db.yml", "users: []\n"}, ConfigPart{"teams/large.yml", strings.Repeat("x", maxConfigShown)}))
		page := w.get("/config")
		w.shows(page, 200, "midwatch.yml", "1 h 0 min ago", "route: {receiver: &lt;db&gt;}", "Nothing is changed from here", `action="config"`, "teams/db.yml", "users: []", "too large")
		if len(asked) > 0 {
			t.Errorf("looking at the page proposes %q", asked)
		}
		w = start(t, drafting(&asked, Proposal{}), func(o *Options) {
			o.Running = func() Running {
				return Running{File: "midwatch.yml", Parts: []ConfigPart{{"midwatch.yml", strings.Repeat("x", maxConfigShown+1)}}}
			}
		})
		page = w.get("/config")
		w.shows(page, 200, "too large to be shown here")
		w.hides(page, "xxxx")
	})
}

func TestAProposedConfigurationIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		answer := Proposal{Faults: []ConfigFault{{Line: 2, Column: 3, What: "no <such> receiver", Mend: `did you mean "db"?`}, {Line: 99, What: "beyond", Warning: true}}}
		w := start(t, drafting(&asked, answer))
		form := url.Values{"text": {"route:\r\n  receiver: <script>\r\n"}}.Encode()
		page := w.do("POST", "/config", form)
		w.shows(page, 200, "This file would not be taken", "1 error.", "line 2, column 3", "no &lt;such&gt; receiver", "receiver: &lt;script&gt;</pre>", "did you mean &#34;db&#34;?", "beyond", "Warnings", "<textarea")
		if len(asked) != 1 || asked[0] != "route:\n  receiver: <script>\n" {
			t.Errorf("proposed %q", asked)
		}
		part := w.do("POST", "/config", form, "HX-Request", "true")
		w.shows(part, 200, `<section id="verdict"`, "line 2, column 3")
		w.hides(part, "<textarea", "<html", "<nav")

		if page = w.do("POST", "/config", "text=+%0A"); len(asked) != 2 {
			t.Errorf("no text is proposed: %q", asked)
		}
		w.shows(page, 200, "There is no text")
		w.shows(w.do("POST", "/config", form, "Sec-Fetch-Site", "cross-site"), 403, "another site")
		w.shows(w.do("POST", "/config", url.Values{"text": {strings.Repeat("x", maxConfigText+1)}}.Encode()), 413, "larger than 512 KiB", "midwatch config check")
		w.shows(w.do("POST", "/config", "text="+strings.Repeat("x", maxConfigForm)), 413, "larger than 512 KiB")
		if len(asked) != 2 {
			t.Errorf("%d texts were proposed, want 2", len(asked))
		}
	})
}

func TestAProposalSaysWhatItWouldDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lisbon, err := time.LoadLocation("Europe/Lisbon")
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
		var asked []string
		answer := Proposal{
			Good: true, Holds: "It has 1 receiver.", Changes: []ConfigChange{{"Users", []string{"added <cy>"}}}, From: at, To: at, Since: at, Looked: 7,
			Rota:  []RotaChange{{Said: "Schedule db: 9 stretches.", Zone: lisbon, Changes: []oncall.Change{{Start: at, End: at.Add(time.Hour), Was: []string{"ana", "bo"}}}, More: 8}},
			Moves: []Move{{Was: []string{"db"}, Alerts: 3, Examples: []string{`{alertname="A"}`}}},
		}
		w := start(t, drafting(&asked, answer))
		w.shows(w.do("POST", "/config", "text=x"), 200, "This file is good.", "It has 1 receiver.", "added &lt;cy&gt;", "Schedule db: 9 stretches.", "Wed 1 Jul 09:00", "ana, bo", "nobody", "8 more are not shown",
			"3 alerts", "{alertname=&#34;A&#34;}", "Of 7 alerts that fired")
		answer.Changes, answer.Moves, answer.Rota = nil, nil, nil
		w = start(t, drafting(&asked, answer))
		w.shows(w.do("POST", "/config", "text=x"), 200, "Nothing would change")
	})
}

func TestWithoutAConfigurationThereIsNoPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.get("/config"), 404)
	})
}
