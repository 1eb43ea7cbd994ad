package web

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// asAna does something as ana.
func (w *world) asAna(path, form string, header ...string) *httptest.ResponseRecorder {
	w.Helper()
	return w.do("POST", path, form, append([]string{"Cookie", "midwatch_me=ana"}, header...)...)
}

// toldBy is what the page after an action says, looked at as the browser would.
func (w *world) toldBy(done *httptest.ResponseRecorder) Said {
	w.Helper()
	if done.Code != 303 {
		w.Fatalf("%d:\n%s", done.Code, done.Body)
	}
	r := httptest.NewRequest("GET", "/", nil)
	for _, c := range done.Result().Cookies() {
		r.AddCookie(c)
	}
	s := said(r)
	if s == nil {
		w.Fatalf("nothing was said: %v", done.Header())
	}
	return *s
}

// takeBack presses the button of what was said.
func (w *world) takeBack(s Said) *httptest.ResponseRecorder {
	w.Helper()
	form := url.Values{}
	for name, value := range s.Fields {
		form.Set(name, value)
	}
	return w.asAna("/"+s.Undo, form.Encode())
}

func (w *world) silences() (all []router.Silence) { return w.engine.Router().Silences() }

// post lets alerts fire at once.
func (w *world) post(sets ...map[string]string) {
	w.Helper()
	var alerts []*router.Alert
	for _, set := range sets {
		alerts = append(alerts, &router.Alert{Labels: router.LabelsOf(set), EndsAt: time.Now().Add(time.Hour)})
	}
	if err := w.engine.Receive(context.Background(), alerts); err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
}

func qs(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

func TestAlertsInGroupsAndOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.get("/alerts"), 200, "Nothing fires.", `href="status"`)
		w.fire(lag, "host", "<b>h1</b>")
		w.fire(nil, "host", "h2")
		page := w.get("/alerts")
		w.shows(page, 200, "1 group", "2 alerts for", "replica is behind", `host=&#34;&lt;b&gt;h1&lt;/b&gt;&#34;`, `href="incidents/INC-1"`, `href="https://runbooks.example.org/lag?a=1&amp;b=2"`,
			"Silence the group", `href="routes?trace=`)
		w.hides(page, "<b>h1")
		flat := w.get("/alerts?view=flat")
		w.shows(flat, 200, "2 alerts</strong>", `data-key="s"`)

		// A tap on a label adds it to the filter.
		one := w.get("/alerts?" + qs("filter", `host="h2"`, "view", "flat"))
		w.shows(one, 200, "1 alert</strong>", "Silence what is asked for", `value="host=&#34;h2&#34;"`)
		w.hides(one, "replica is behind")
		w.shows(one, 200, strings.ReplaceAll(url.Values{"filter": {`host="h2", service="db"`}}.Encode(), "+", "&#43;"))
		w.shows(w.get("/alerts?"+qs("filter", `host="h3"`)), 200, "No alert that fires is asked for here.", "See where such an alert would go")
		w.shows(w.get("/alerts?"+qs("receiver", "db")), 200, "1 group", "<option selected>db")
		w.shows(w.get("/alerts?"+qs("receiver", "web", "view", "flat")), 200, "No alert that fires is asked for here.")
		w.shows(w.get("/alerts?"+qs("filter", "lag")), 400, "cannot be read", "Did you mean", `(?i).*lag.*`)
		w.shows(w.get("/alerts?"+qs("filter", `a="`+strings.Repeat("x", maxMatchersText)+`"`)), 400, "at most 8192 are read")
	})
}

func TestWhatIsKeptQuietIsHiddenAndShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mutes := false
		w := start(t, func(o *Options) {
			o.Muted = func(string) []string {
				if mutes {
					return []string{"weekends"}
				}
				return nil
			}
		})
		w.post(map[string]string{"alertname": "A", "host": "h1"}, map[string]string{"alertname": "B", "host": "h2"})
		w.asAna("/silences/make", qs("matchers", `alertname="A"`, "for", "1h"))
		for _, view := range []string{"", "flat"} {
			page := w.get("/alerts?" + qs("view", view))
			w.shows(page, 200, "1 alert is not shown", `filter=alertname%3D%22B%22`)
			w.hides(page, ">A</a>")
			w.shows(w.get("/alerts?"+qs("view", view, "show", "active", "show", "silenced")), 200, ">A</a>", "◌ Silenced", `href="silences/`+w.silences()[0].ID)
			only := w.get("/alerts?" + qs("view", view, "show", "silenced"))
			w.shows(only, 200, ">A</a>")
			w.hides(only, ">B</a>")
		}
		mutes = true
		w.shows(w.get("/alerts"), 200, "Nothing that is asked for fires, but for what is kept quiet.", "2 alerts are not shown")
		for _, view := range []string{"", "flat"} {
			w.shows(w.get("/alerts?"+qs("view", view, "show", "active", "show", "muted")), 200, ">B</a>", "Muted by time: weekends")
		}
	})
}

func TestAlertsArePaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var sets []map[string]string
		for i := range 130 {
			sets = append(sets, map[string]string{"alertname": fmt.Sprint("G", i%65), "i": fmt.Sprint(i)})
		}
		w.post(sets...)
		for _, view := range []string{"", "flat"} {
			seen, pages := map[string]bool{}, 0
			for next := "alerts?" + qs("view", view); next != "" && pages < 9; pages++ {
				page := w.get("/" + next).Body.String()
				for _, part := range strings.Split(page, `data-row`)[1:] {
					if _, label, ok := strings.Cut(part, `i=&#34;`); ok {
						label, _, _ = strings.Cut(label, "&")
						seen[label] = true
					}
				}
				_, link, _ := strings.Cut(page, `rel="next" href="`)
				next, _, _ = strings.Cut(link, `"`)
				next = strings.ReplaceAll(next, "&amp;", "&")
			}
			if len(seen) != 130 || pages != 2 {
				t.Errorf("view %q: %d alerts on %d pages", view, len(seen), pages)
			}
		}
	})
}

func TestAGroupOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var sets []map[string]string
		for i := range 600 {
			sets = append(sets, map[string]string{"alertname": "A", "i": fmt.Sprint(i)})
		}
		w.post(sets...)
		page := w.get("/alerts")
		w.shows(page, 200, "more than 500 alerts", "Show them all", "filter=alertname%3D%22A%22&amp;receiver=db&amp;view=flat")
		if n := strings.Count(page.Body.String(), "data-row"); n != alertsFewGroups {
			t.Errorf("%d are shown", n)
		}
	})
}

func TestASilenceIsForeseenMadeAndTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		w.fire(nil, "alertname", "Old", "service", "db")
		if err := w.engine.Receive(context.Background(), []*router.Alert{{Labels: router.LabelsOf(map[string]string{"alertname": "Old", "service": "db"}), EndsAt: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		w.pass(20 * time.Minute)
		w.shows(w.get("/silences/new"), 200, "Say which alerts")
		page := w.get("/silences/new?" + qs("matchers", `service="db"`, "for", "4h", "comment", "disks"))
		w.shows(page, 200, "Silence 1 alert", "until 04:21 UTC (4 h 0 min)", "Paging pauses for 1 open incident", "INC-1 replica is behind",
			"It would have muted 2 alerts that fired for", "2 incidents would have paged nobody", "<td dir=\"auto\">Old", `action="../silences/make"`, `name="comment" value="disks"`)
		if len(w.silences()) != 0 {
			t.Fatal("looking made a silence")
		}
		made := w.asAna("/silences/make", qs("matchers", "service=\"db\"\nalertname=~\"Repl.*\"", "for", "4h", "comment", "disks", "clears", "yes", "back", "silences/new?matchers=x"))
		s := w.toldBy(made)
		if made.Header().Get("Location") != "../silences" || !strings.Contains(s.Text, "The silence is made, until 09:51 IST") {
			t.Errorf("%v %+v", made.Header(), s)
		}
		sil := w.silences()[0]
		if sil.CreatedBy != "ana" || sil.Comment != "disks" || len(sil.Matchers[0]) != 2 || sil.Annotations[router.ExpireWhenResolved] != "true" || time.Until(sil.EndsAt) != 4*time.Hour {
			t.Errorf("%+v", sil)
		}
		list := w.get("/silences")
		w.shows(list, 200, "Active (1)", "Mutes 1 alert now", "ReplicationLag", "disks", "or when the last of its alerts ends", "silences/"+sil.ID+"/end")
		w.shows(w.get("/silences/"+sil.ID), 200, "What it mutes now", "ReplicationLag")
		w.shows(w.get("/incidents/INC-1"), 200)

		// It is extended, that is taken back, it is ended, and that is taken back too.
		s = w.toldBy(w.asAna("/silences/"+sil.ID+"/until", "for=1h"))
		if got, _ := w.engine.Router().Silence(sil.ID); !got.EndsAt.Equal(sil.EndsAt.Add(time.Hour)) {
			t.Errorf("extended until %s", got.EndsAt)
		}
		w.toldBy(w.takeBack(s))
		if got, _ := w.engine.Router().Silence(sil.ID); !got.EndsAt.Equal(sil.EndsAt) {
			t.Errorf("taken back until %s", got.EndsAt)
		}
		s = w.toldBy(w.asAna("/silences/"+sil.ID+"/end", "back=silences"))
		w.shows(w.get("/silences"), 200, "Nothing is silenced: every alert is told to somebody.", "Over (1)")
		if said := w.toldBy(w.asAna("/silences/"+sil.ID+"/end", "")); !said.Wrong || !strings.Contains(said.Text, "over already") {
			t.Errorf("ended twice: %+v", said)
		}
		w.shows(w.get("/silences?state=expired"), 200, "Make one like it")
		w.toldBy(w.takeBack(s))
		w.shows(w.get("/silences"), 200, "Active (1)", "disks", "or when the last of its alerts ends")
		last := w.silences()[1]
		if !last.EndsAt.Equal(sil.EndsAt) || last.ID == sil.ID {
			t.Errorf("made again: %+v", last)
		}
	})
}

func TestSilencesThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for form, want := range map[string]string{
			qs("matchers", ""):                                             "say which alerts",
			qs("matchers", "service"):                                      "cannot be read",
			qs("matchers", `a=~"("`):                                       "cannot be read",
			qs("matchers", `a="b"`, "for", "soon"):                         "say for how long",
			qs("matchers", `a="b"`, "until", "1999-12-31T00:00"):           "it would end before it begins",
			qs("matchers", `a="b"`, "until", "tomorrow"):                   "is no time",
			qs("matchers", `a="b"`, "from", "noon"):                        "is no time",
			qs("matchers", `a="b"`, "for", "400d"):                         "for more than a year",
			qs("matchers", `a="`+strings.Repeat("x", maxMatchersText)+`"`): "at most",
		} {
			w.shows(w.asAna("/silences/make", form), 400, "Nothing was done", want)
		}
		if said := w.toldBy(w.asAna("/silences/make", qs("matchers", `a=~".*"`))); !said.Wrong || !strings.Contains(said.Text, "Nothing was done: ") {
			t.Errorf("a silence of everything empty: %+v", said)
		}
		w.shows(w.get("/silences/new?"+qs("matchers", `a=~".*"`)), 400, "Such a silence cannot be made")
		hx := w.do("GET", "/silences/new?"+qs("matchers", `a`), "", "HX-Request", "true")
		w.shows(hx, 200, "cannot be read")
		for _, path := range []string{"/silences/nope", "/silences/6f2b1c1e-52a5-4d6e-8f7e-1a2b3c4d5e6f"} {
			w.shows(w.get(path), 404, "There is no such silence")
		}
		w.shows(w.asAna("/silences/nope/end", ""), 404, "There is no such silence")
		w.shows(w.asAna("/silences/nope/until", "for=1h"), 404, "There is no such silence")
		w.toldBy(w.asAna("/silences/make", qs("matchers", `a="b"`)))
		id := w.silences()[0].ID
		for form, want := range map[string]string{"for=x": "say by how long", "until=x": "cannot be read", qs("until", "1990-01-01T00:00:00Z"): "has passed"} {
			if said := w.toldBy(w.asAna("/silences/"+id+"/until", form)); !said.Wrong || !strings.Contains(said.Text, want) {
				t.Errorf("%s: %+v", form, said)
			}
		}
		w.toldBy(w.asAna("/silences/"+id+"/end", ""))
		if said := w.toldBy(w.asAna("/silences/"+id+"/until", "for=1h")); !said.Wrong {
			t.Errorf("one that is over was extended: %+v", said)
		}
		if len(w.silences()) != 1 {
			t.Errorf("%d silences", len(w.silences()))
		}
		w.store.full.Store(true)
		if said := w.toldBy(w.asAna("/silences/make", qs("matchers", `a="c"`))); said.Wrong || !strings.Contains(said.Text, "in memory only") {
			t.Errorf("on a full disk: %+v", said)
		}
		w.store.full.Store(false)
		w.pass(2 * time.Second)
	})
}

func TestSilencesToComeAndWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.get("/silences/new?"+qs("matchers", `a="b"`)), 200, "It matches no alert that fires or fired in the last seven days", "Make the silence")
		w.post(map[string]string{"alertname": "A", "a": "b"}, map[string]string{"alertname": "B", "a": "b"})
		w.shows(w.get("/silences/new?"+qs("matchers", `a="b"`, "for", "6w")), 200, "It matches every alert that fires", "more than 30 days")
		w.shows(w.get("/silences/new?"+qs("matchers", `alertname=~".+"`)), 200, "It would also match alerts that have none of these labels")
		// ana's zone is India's: 08:00 there is 02:30 UTC.
		s := w.toldBy(w.asAna("/silences/make", qs("matchers", `a="b"`, "for", "morning")))
		if got := w.silences()[0].EndsAt.UTC().Format("15:04"); got != "02:30" {
			t.Errorf("the morning is at %s: %s", got, s.Text)
		}
		to := w.asAna("/silences/make", qs("matchers", `a="c"`, "from", "2000-01-02T10:00", "for", "1h", "back", "silences/new"))
		if got := to.Header().Get("Location"); got != "../silences?state=pending" {
			t.Errorf("leads to %s", got)
		}
		if got := w.silences()[1].StartsAt.UTC().Format("15:04"); got != "04:30" {
			t.Errorf("begins at %s", got)
		}
		w.shows(w.get("/silences?state=pending"), 200, "To come (1)", "◷ to come")
		for range 60 {
			w.asAna("/silences/make", qs("matchers", `a="d"`))
		}
		w.shows(w.get("/silences"), 200, "1 to 50 of 61 silences", `rel="next" href="silences?state=active&amp;from=50"`)
		w.shows(w.get("/silences?state=active&from=50"), 200, "51 to 61 of 61 silences", "From the beginning")
		w.shows(w.get("/silences?state=active&from=900"), 200, "1 to 50")
		for range scansPerPage + 1 {
			w.asAna("/silences/make", qs("matchers", `a=~"b.*"`, "for", "30m"))
		}
		list := w.get("/silences")
		w.shows(list, 200, "Open it to see what it mutes")
		if n := strings.Count(list.Body.String(), "Mutes 2 alerts now"); n != scansPerPage {
			t.Errorf("all alerts were looked at for %d silences", n)
		}
	})
}

func TestRecurringSilencesAreMadeAndDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.get("/silences?state=recurring"), 200, "Nothing is silenced again and again.", `action="recurring/make"`)
		form := qs("name", "weekly <1>", "matchers", `service="batch"`, "cron", "0 22 * * SUN", "for", "2h", "zone", "Europe/Lisbon", "comment", "reindex", "clears", "yes")
		made := w.toldBy(w.asAna("/recurring/make", form))
		w.shows(w.get("/silences?state=recurring"), 200, "Recurring (1)", "weekly &lt;1&gt;", "0 22 * * SUN for 2 h 0 min, in Europe/Lisbon", "reindex", "with the last of its alerts")
		w.shows(w.get("/silences?state=pending"), 200, "Part of", "weekly &lt;1&gt;")
		if said := w.toldBy(w.asAna("/recurring/make", form)); said.Undo != "" || !strings.Contains(said.Text, "is changed") {
			t.Errorf("made twice: %+v", said)
		}
		dropped := w.toldBy(w.takeBack(made))
		if len(w.engine.Plans()) != 0 {
			t.Errorf("%v", w.engine.Plans())
		}
		w.toldBy(w.takeBack(dropped))
		if got := w.engine.Plans(); len(got) != 1 || got[0].For != 2*time.Hour || !got[0].ExpireWhenResolved || got[0].CreatedBy != "ana" {
			t.Errorf("%+v", got)
		}
		if said := w.toldBy(w.asAna("/recurring/drop", "name=none")); !said.Wrong || !strings.Contains(said.Text, "Nothing was done") {
			t.Errorf("%+v", said)
		}
		for change, want := range map[string]string{"cron=daily": "Nothing was done", "for=soon": "say how long", "matchers=": "say which alerts", "zone=Nowhere": "Nothing was done", "name=": "needs a name"} {
			v, _ := url.ParseQuery(form)
			name, value, _ := strings.Cut(change, "=")
			v.Set(name, value)
			w.shows(w.asAna("/recurring/make", v.Encode()), 400, want, `action="../recurring/make"`)
		}
	})
}

func TestChangesAreMadeByNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.toldBy(w.asAna("/silences/make", qs("matchers", `a="b"`)))
		id := w.silences()[0].ID
		for _, path := range []string{"/silences/make", "/silences/" + id + "/end", "/silences/" + id + "/until", "/recurring/make", "/recurring/drop"} {
			w.shows(w.asAna(path, qs("matchers", `a="c"`, "for", "1h"), "Sec-Fetch-Site", "cross-site"), 403, "Nothing was done")
			asked := w.do("POST", path, qs("matchers", `a="c"`, "for", "1h", "name", "x"))
			w.shows(asked, 200, "Who are you?", `action="`+strings.Repeat("../", strings.Count(path, "/")-1)+path[1:]+`"`)
			if path != "/silences/make" && path != "/recurring/make" && path != "/recurring/drop" {
				continue
			}
			if rec := w.get(path); rec.Code == 200 {
				t.Errorf("GET %s: %d", path, rec.Code)
			}
		}
		if all := w.silences(); len(all) != 1 || all[0].State(time.Now()) != router.SilenceActive || len(w.engine.Plans()) != 0 {
			t.Errorf("%v", all)
		}
	})
}

func TestAnAlertIsTraced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		w := start(t, func(o *Options) {
			o.Muted = func(string) []string { return []string{"weekends"} }
			o.Simulate = func(_ context.Context, labels map[string]string, at time.Time) ([]Foreseen, error) {
				if asked++; labels["alertname"] == "Broken" {
					return nil, errors.New("no such policy")
				}
				if labels["alertname"] == "Quiet" {
					return nil, nil
				}
				return []Foreseen{
					{"30s", at.Add(30 * time.Second), incident.Event{Kind: incident.Opened, Severity: "sev2", Reason: "1 alert fires"}},
					{"30s", at.Add(30 * time.Second), incident.Event{Kind: incident.Paged, User: "ana", Via: "chat", Reason: "step 1 of policy db began"}},
					{"31s", at.Add(31 * time.Second), incident.Event{Kind: incident.Note, Text: "nothing to see"}},
				}, nil
			}
		})
		w.shows(w.get("/routes"), 200, "The tree", "all alerts", "grouped by alertname", "waits 30s, then at least every 5m, repeats after 4h", `href="policies/db"`, "muted by time now: weekends")
		if asked != 0 {
			t.Error("it was simulated, and nobody asked")
		}
		for _, text := range []string{`{alertname="New", service="db"}`, "alertname=New\nservice=db", `{"alertname":"New","service":"db"}`, `[{"labels":{"alertname":"New","service":"db"}}]`, `New{service="db"}`} {
			w.shows(w.get("/routes?"+qs("trace", text)), 200, "It does not fire now.", "takes it", "No such group yet: it would speak after 30s", "Muted by time now: weekends", "Incident opens, sev2",
				"Pages Ana Duarte (ana) by chat", "step 1 of policy db began", "service=&#34;db&#34;</textarea>")
		}
		w.fire(lag, "host", "h1")
		w.toldBy(w.asAna("/silences/make", qs("matchers", `host="h1"`, "comment", "moving")))
		w.shows(w.get("/routes?"+qs("trace", `{alertname="ReplicationLag", service="db", host="h1"}`)), 200, "It fires now.", "The group is there, and speaks", "<strong>Silenced:</strong>", "by ana: moving")
		w.shows(w.get("/routes?"+qs("trace", "alertname=Broken")), 200, "Who would be paged cannot be told: no such policy.")
		w.shows(w.get("/routes?"+qs("trace", "alertname=Quiet")), 200, "Nobody hears of this alert")
		for text, want := range map[string]string{
			"nonsense": "is no label", "{}": "There are no labels in it", `a="b`: "has no end", `a=~"b"`: "is no label", `{"a":1}`: "is no label",
			strings.Repeat("x", maxTraceText+1): "at most 8192 are read",
		} {
			w.shows(w.get("/routes?"+qs("trace", text)), 400, want)
		}
		var many strings.Builder
		for i := range maxTraceSet + 1 {
			fmt.Fprintf(&many, "l%d=x\n", i)
		}
		w.shows(w.get("/routes?"+qs("trace", many.String())), 400, "at most 64 are read")
	})
}

func TestFewTraceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := make(chan struct{})
		w := start(t, func(o *Options) {
			o.Simulate = func(context.Context, map[string]string, time.Time) ([]Foreseen, error) { <-held; return nil, nil }
		})
		for range maxSimulating {
			go w.get("/routes?trace=a%3Db")
		}
		synctest.Wait()
		w.shows(w.get("/routes?trace=a%3Db"), 200, "Others trace alerts just now")
		close(held)
		synctest.Wait()
		w.shows(w.get("/routes?trace=a%3Db"), 200, "Nobody hears of this alert")
	})
}

func TestStatusSaysWhatIsTheMatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Facts
		w := start(t, func(o *Options) { o.Facts = func() Facts { return f } })
		w.shows(w.get("/status"), 200, "No alerts were posted since the start.", "Nobody can be reached", "No heartbeat is watched", `href="metrics"`, `href="api/midwatch/v1/openapi.json"`)
		w.fire(lag)
		f = Facts{Started: time.Now(), ConfigFile: "midwatch.yml", Config: "api_url: <secret>", Channels: []ChannelFacts{{Whose: "ana", By: "chat", State: "connected"}}}
		w.shows(w.get("/status"), 200, "All is well", "midwatch.yml", "api_url: &lt;secret&gt;", "✓ works", "nothing is late")
		w.store.full.Store(true)
		w.asAna("/silences/make", qs("matchers", `a="b"`))
		w.shows(w.get("/status"), 200, "The store takes no writes.", "wait in memory")
		w.store.full.Store(false)
		w.pass(2 * time.Second)
	})
}

func TestWordsOfAlerts(t *testing.T) {
	for d, want := range map[time.Duration]string{30 * time.Second: "30s", 5 * time.Minute: "5m", 90 * time.Second: "1m30s", 4 * time.Hour: "4h", 24 * time.Hour: "1d", 0: "0s", 20 * time.Minute: "20m", 90 * time.Minute: "1h30m", 10 * time.Hour: "10h"} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int]string{1: "1 alert", 0: "0 alerts", 999: "999 alerts", 1000: "1,000 alerts", 1234567: "1,234,567 alerts"} {
		if got := figure(n, "alert"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 21: "21st", 112: "112th"} {
		if got := ordinal(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for text, good := range map[string]bool{"https://a.example/": true, "http://a/b?c=d": true, "javascript:alert(1)": false, "data:text/html,x": false, "//a.example": false, "https:": false, "": false, "http://" + strings.Repeat("a", 3000): false} {
		if got := webLink(text) != ""; got != good {
			t.Errorf("%.40q: %v", text, got)
		}
	}
	if routeAnchor("{}/{a=\"b\"}/0") == routeAnchor("{}/{a=\"b\"}/1") {
		t.Error("two routes have one place")
	}
}

var _ = engine.KeepPast

func TestMatchersAreWrittenAsTheConfigurationHasThem(t *testing.T) {
	for _, name := range []string{"a", "_", "a9", "9a", "a b", "å", "a:b", ""} {
		for _, value := range []string{"", "x", `"`, "\\", "a\nb", "قاعدة", "a\tb"} {
			m := router.Matcher{Name: name, Value: value}
			if got := matcherText(m); got != m.String() {
				t.Errorf("%q=%q is %s, want %s", name, value, got, m.String())
			}
		}
	}
}
