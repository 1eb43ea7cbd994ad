package web

import (
	"context"
	"fmt"
	"html"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
)

// The world begins on Sat 1 Jan 2000 00:00 UTC; db-primary has ana until 01:00, then nobody for a week, then ana again.

// as is a request of somebody who has said who they are.
func (w *world) as(me, method, path, form string) *httptest.ResponseRecorder {
	return w.do(method, path, form, "Cookie", meCookie+"="+me)
}

// after follows what an action answers: it wants a redirection, and returns the page that it leads to, with what was said.
func (w *world) after(me string, rec *httptest.ResponseRecorder, from string) *httptest.ResponseRecorder {
	w.Helper()
	if rec.Code != 303 {
		w.Fatalf("status %d, want 303:\n%s", rec.Code, rec.Body)
	}
	base, err := url.Parse("http://h" + from)
	if err != nil {
		w.Fatal(err)
	}
	to, err := base.Parse(rec.Header().Get("Location"))
	if err != nil {
		w.Fatal(err)
	}
	said := ""
	for _, c := range rec.Result().Cookies() {
		if c.Name == saidCookie {
			said = c.Name + "=" + c.Value
		}
	}
	return w.do("GET", to.RequestURI(), "", "Cookie", meCookie+"="+me+"; "+said)
}

// undo posts the form that a page offers to take back what was done.
func (w *world) undo(me string, page *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	w.Helper()
	form := regexp.MustCompile(`(?s)id="said".*?action="([^"]*)">(.*?)<button`).FindStringSubmatch(page.Body.String())
	if form == nil {
		w.Fatalf("no undo in\n%s", page.Body)
	}
	fields := url.Values{}
	for _, f := range regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(form[2], -1) {
		fields.Set(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	path := "/" + strings.TrimLeft(form[1], "./")
	return w.after(me, w.as(me, "POST", path, fields.Encode()), path)
}

func onCallAt(w *world, at time.Time) string {
	return strings.Join(w.engine.Schedule("db-primary").At(at).Users(), " ")
}

func TestOnCallSaysWhoNowAndThenAndWhatIsAmiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(time.Second)
		page := w.as("ana", "GET", "/oncall", "")
		w.shows(page, 200, "Your next shifts", `href="schedules/db-primary"`, "<bdi>ana</bdi>", "nobody, as planned", "planned gap", "Give away or swap", "Nobody has said that they will be away", "None. To ask for one, tap your shift.")
		w.hides(page, `href="/`, "style=")
		anonymous := w.get("/oncall")
		w.shows(anonymous, 200, "db-primary", "01:00 UTC")
		w.hides(anonymous, "Your next shifts")
		w.shows(w.get("/oncall?q=zzz"), 200, "No schedule has", "Show all 1")
		w.shows(w.get("/oncall?q=DB-&after=-4"), 200, `href="schedules/db-primary"`)
		w.shows(w.get("/oncall?after=x"), 200, "db-primary")
	})
}

// The way of somebody who plans the rota: a tap on a shift, a button, and back again.
func TestAnOverrideIsTwoTapsAndUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(time.Second)
		page := w.as("bo", "GET", "/schedules/db-primary?zone=utc", "")
		w.shows(page, 200, "Sat 1 Jan to Fri 14 Jan 2000", "● now", `<svg width="900"`, `<svg width="328"`, "weekly", "Take over or override", "aria-hidden")
		w.hides(page, "<style", "style=", `href="/`)
		tap := regexp.MustCompile(`<a class="tap" href="\.\./(schedules/db-primary/override\?[^"]*)">Change<span class="sr"> Sat 8 Jan 01:00`).FindStringSubmatch(page.Body.String())
		if tap == nil {
			t.Fatalf("the shift of the 8th cannot be tapped:\n%s", page.Body)
		}
		panel := w.as("bo", "GET", "/"+strings.ReplaceAll(tap[1], "&amp;", "&")+"&zone=utc", "")
		w.shows(panel, 200, `<option value="bo" selected>me: bo`, `value="2000-01-08T01:00"`, `value="2000-01-15T00:00"`, "What it changes", "<del><bdi>ana</bdi><small> <bdi>Ana Duarte</bdi></small></del> → <ins><bdi>bo</bdi></ins>")
		if got := onCallAt(w, date(8)); got != "ana" {
			t.Fatalf("a page that was only looked at put %q on call", got)
		}
		form := url.Values{"who": {"bo"}, "place": {""}, "from": {"2000-01-08T01:00"}, "to": {"2000-01-09T01:00"}, "zone": {"utc"}, "back": {"schedules/db-primary?for=1w"}}
		rec := w.as("bo", "POST", "/schedules/db-primary/override", form.Encode())
		if got := rec.Header().Get("Location"); got != "../../schedules/db-primary?for=1w" {
			t.Errorf("leads to %q", got)
		}
		done := w.after("bo", rec, "/schedules/db-primary/override")
		w.shows(done, 200, "bo takes over in db-primary, Sat 8 Jan 01:00 to Sun 9 Jan 01:00 (UTC).", ">Undo<", "Take back", "by <bdi>bo</bdi>")
		if got := onCallAt(w, date(8)); got != "bo" {
			t.Fatalf("%q is on call", got)
		}
		w.shows(w.undo("bo", done), 200, "The override is taken back", "None now or to come.")
		if got := onCallAt(w, date(8)); got != "ana" {
			t.Errorf("%q is on call after the undo", got)
		}
	})
}

// date is a day of that January, at 02:00.
func date(day int) time.Time { return time.Date(2000, 1, day, 2, 0, 0, 0, time.UTC) }

func TestOverridesThatAreRefusedSayWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(time.Hour * 3)
		for _, c := range []struct{ form, want string }{
			{"who=bo&from=2000-01-08T01:00&to=2000-01-07T01:00", "It ends before it begins"},
			{"who=bo&from=2000-01-01T00:00&to=2000-01-01T01:00", "what has been stays as it was recorded"},
			{"who=zoe&from=2000-01-08T01:00&to=2000-01-09T01:00", "There is no user “zoe”"},
			{"who=&from=2000-01-08T01:00&to=2000-01-09T01:00", "Choose who takes it"},
			{"who=bo&from=soon&to=2000-01-09T01:00", "Write both times as a date and a time"},
			{"who=bo&place=bo&from=2000-01-08T01:00&to=2000-01-09T01:00", "changes nothing"},
			{"who=bo&layer=gone&from=2000-01-08T01:00&to=2000-01-09T01:00", "Acts on layer &#34;gone&#34;, which does not exist"},
		} {
			rec := w.as("bo", "POST", "/schedules/db-primary/override", c.form+"&zone=utc")
			page := w.after("bo", rec, "/schedules/db-primary/override")
			w.shows(page, 200, `class="note bad"`, c.want, "Make this override")
		}
		if n := len(w.engine.Overrides("db-primary")); n != 0 {
			t.Errorf("%d overrides were made", n)
		}
		w.shows(w.as("bo", "POST", "/schedules/none/override", "who=bo"), 404, "There is no such schedule")
		w.shows(w.do("POST", "/schedules/db-primary/override", "who=bo", "Sec-Fetch-Site", "cross-site", "Cookie", "midwatch_me=bo"), 403, "another site")
		asked := w.do("POST", "/schedules/db-primary/override", "who=bo&from=2000-01-08T01:00&to=2000-01-09T01:00")
		w.shows(asked, 200, "Who are you?", `name="from" value="2000-01-08T01:00"`)
		w.shows(w.after("bo", w.as("bo", "POST", "/schedules/db-primary/drop", "id=db-primary-9"), "/schedules/db-primary/drop"), 200, "has no override")
		w.store.full.Store(true)
		page := w.after("bo", w.as("bo", "POST", "/schedules/db-primary/override", "who=bo&from=2000-01-08T01:00&to=2000-01-09T01:00&zone=utc"), "/schedules/db-primary/override")
		w.shows(page, 200, "Done in memory only")
		w.store.full.Store(false)
	})
}

func TestAnOverrideShowsWhatItWouldChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(time.Second)
		day := "from=2000-01-08T01:00:00Z&to=2000-01-09T01:00:00Z&zone=utc&"
		w.shows(w.as("bo", "GET", "/schedules/db-primary/override?"+day+"who=cy&place=ana", ""), 200, "<ins><bdi>cy</bdi></ins>", `<option value="ana" selected>`)
		w.shows(w.as("bo", "GET", "/schedules/db-primary/override?"+day+"who=cy&place=%2B", ""), 200, "<ins><bdi>ana</bdi><small> <bdi>Ana Duarte</bdi></small>, <bdi>cy</bdi></ins>")
		w.shows(w.as("bo", "GET", "/schedules/db-primary/override?"+day+"who=ana&place=-", ""), 200, "It leaves nobody on call", "▲ nobody")
		w.shows(w.as("bo", "GET", "/schedules/db-primary/override?"+day+"who=bo&place=cy", ""), 200, "It changes nothing: cy is not on call then")
		w.shows(w.as("bo", "GET", "/schedules/db-primary/override?from=x&to=y", ""), 200, "Write both times")
		w.shows(w.as("ana", "GET", "/schedules/db-primary/override", ""), 200, `<option value="bo" selected>`)
		w.shows(w.get("/schedules/none/override"), 404, "There is no such schedule")
		if n := len(w.engine.Overrides("db-primary")); n != 0 {
			t.Errorf("%d overrides were made by looking", n)
		}
	})
}

func TestWhatHasPassedIsWhatWasRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(10 * time.Minute)
		if a := w.engine.Do(context.Background(), engine.Override{Schedule: "db-primary", By: "cy", Override: oncall.Override{Kind: oncall.Take, User: "cy", Start: time.Now(), End: time.Now().Add(20 * time.Minute)}}); a.Err != nil {
			t.Fatal(a.Err)
		}
		w.pass(5 * time.Hour)
		page := w.get("/schedules/db-primary?for=1w&zone=utc")
		w.shows(page, 200, "Sat 1 Jan 00:10</time> to", ">00:30</time>", "is as it was recorded", "○ nobody, as planned")
		w.shows(w.get("/schedules/db-primary?from=1999-12-25&for=1w"), 200, "Sat 25 Dec to Fri 31 Dec 1999", "nothing was recorded then", ">Today<")
		w.shows(w.get("/schedules/db-primary?from=yesterday"), 400, "is not a day")
		w.shows(w.get("/schedules/db-primary?from=9999-01-01"), 400, "ten years")
		w.shows(w.get("/schedules/db-primary?for=9w&zone=Mars"), 200, "2 weeks")
	})
}

func TestSwapsAreAskedForAndAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(time.Second)
		panel := w.as("ana", "GET", "/schedules/db-primary/override?from=2000-01-08T01:00:00Z&to=2000-01-15T01:00:00Z", "")
		w.shows(panel, 200, "Or ask for a swap")
		ask := "user=ana&with=bo%7C%7C&from=2000-01-08T01:00:00Z&to=2000-01-15T01:00:00Z"
		asked := w.after("ana", w.as("ana", "POST", "/schedules/db-primary/swap", ask), "/schedules/db-primary/swap")
		w.shows(asked, 200, "SWAP-1: bo is asked.", "Cancel<span class=\"sr\"> SWAP-1")
		w.hides(asked, ">Accept<")
		w.shows(w.undo("ana", asked), 200, "SWAP-1 is cancelled.")

		w.as("ana", "POST", "/schedules/db-primary/swap", ask)
		w.shows(w.as("bo", "GET", "/oncall", ""), 200, "SWAP-2", "Accept<span", "Decline<span")
		refused := w.after("cy", w.as("cy", "POST", "/oncall/swaps/SWAP-2/accept", ""), "/oncall/swaps/SWAP-2/accept")
		w.shows(refused, 200, `class="note bad"`, "is the one who was asked")
		w.shows(w.do("POST", "/oncall/swaps/SWAP-2/accept", "", "Sec-Fetch-Site", "cross-site", "Cookie", "midwatch_me=bo"), 403)
		w.shows(w.after("bo", w.as("bo", "POST", "/oncall/swaps/SWAP-2/accept", ""), "/oncall/swaps/SWAP-2/accept"), 200, "SWAP-2 is accepted")
		if got := onCallAt(w, date(9)); got != "bo" {
			t.Errorf("%q is on call", got)
		}
		w.shows(w.after("bo", w.as("bo", "POST", "/oncall/swaps/SWAP-2/eat", ""), "/oncall/swaps/SWAP-2/eat"), 200, `class="note bad"`)
		w.shows(w.after("ana", w.as("ana", "POST", "/schedules/db-primary/swap", strings.Replace(ask, "bo", "ana", 1)), "/schedules/db-primary/swap"), 200, "cannot swap with ana")
		w.shows(w.after("ana", w.as("ana", "POST", "/schedules/db-primary/swap", "user=ana&with=bo&from=x"), "/schedules/db-primary/swap"), 200, "Write both times")
		w.shows(w.as("ana", "POST", "/schedules/none/swap", ask), 404)
	})
}

func TestAbsencesAreSaidAndClash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(time.Second)
		// ana lives in Kolkata, 5 h 30 min ahead.
		said := w.after("ana", w.as("ana", "POST", "/oncall/absences", "from=2000-01-08T09:30&to=2000-01-09T09:30&reason=%3Cskiing%3E"), "/oncall/absences")
		w.shows(said, 200, "ana is away from then on", "&lt;skiing&gt;", "◆ on call then", "Sat 8 Jan 09:30", "◆ away", "Find somebody")
		w.shows(w.as("ana", "GET", "/schedules/db-primary", ""), 200, "On call and away", "&lt;skiing&gt;")
		w.shows(w.as("bo", "GET", "/schedules/db-primary/override?from=2000-01-08T04:00:00Z&to=2000-01-09T04:00:00Z&who=ana&place=%2B", ""), 200, "It changes nothing")
		undone := w.undo("ana", said)
		w.shows(undone, 200, "The absence of ana is removed.", "Nobody has said")
		w.shows(w.undo("ana", undone), 200, "&lt;skiing&gt;")
		w.shows(w.after("ana", w.as("ana", "POST", "/oncall/absences", "from=2000-01-08T09:30&to=2000-01-07T09:30"), "/oncall/absences"), 200, `class="note bad"`, "not after it starts")
		w.shows(w.after("ana", w.as("ana", "POST", "/oncall/absences", "from=now"), "/oncall/absences"), 200, "Write both times")
		w.shows(w.after("ana", w.as("ana", "POST", "/oncall/absences/drop", "user=ana&id=ana-77"), "/oncall/absences/drop"), 200, "has no absence")
		w.shows(w.do("POST", "/oncall/absences/drop", "user=ana", "Sec-Fetch-Site", "cross-site"), 403)
	})
}

func TestCalendarAddressesAreShownOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.after("ana", w.as("ana", "POST", "/oncall/feeds", ""), "/oncall/feeds"), 200, "midwatch oncall feed create")
		var made engine.CalendarFeed
		w = start(t, func(o *Options) {
			o.Subscribe = func(ctx context.Context, f engine.CalendarFeed) (string, engine.Answer) {
				f.Hash = "x"
				made = f
				return "https://h/calendar/1-s.ics", o.Engine.Do(ctx, engine.AddFeed{Feed: f})
			}
		})
		page := w.as("ana", "POST", "/oncall/feeds", "remind=1&back=oncall")
		w.shows(page, 200, "https://h/calendar/1-s.ics", "shown only now", `href="../oncall"`)
		if made.User != "ana" || made.Schedule != "" || made.Alarm != feedAlarm || made.CreatedBy != "ana" {
			t.Errorf("made %+v", made)
		}
		list := w.as("ana", "GET", "/oncall", "")
		w.shows(list, 200, "FEED-1", "Revoke")
		w.hides(list, "1-s.ics")
		w.shows(w.as("ana", "POST", "/oncall/feeds", "schedule=db-primary"), 200, "The calendar of db-primary")
		w.shows(w.as("bo", "GET", "/schedules/db-primary", ""), 200, "FEED-2")
		w.shows(w.after("ana", w.as("ana", "POST", "/oncall/feeds", "schedule=nope"), "/oncall/feeds"), 200, `class="note bad"`)
		w.shows(w.after("ana", w.as("ana", "POST", "/oncall/feeds/drop", "number=1"), "/oncall/feeds/drop"), 200, "FEED-1 is revoked")
		w.shows(w.after("ana", w.as("ana", "POST", "/oncall/feeds/drop", "number=1"), "/oncall/feeds/drop"), 200, "There is no feed FEED-1")
	})
}

func TestAPolicySaysWhomItWouldPageAndWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(58 * time.Minute)
		w.shows(w.get("/policies"), 200, `href="policies/db"`, "2 steps; used by 1 receiver", "<bdi>ana</bdi>")
		page := w.get("/policies/db")
		w.shows(page, 200, "If it fired now", "00:58 UTC", "at once", "<bdi>ana</bdi>", `on call in <a href="../schedules/db-primary">`, "01:03 UTC", "&#43;5 min", "<bdi>cy</bdi>", "<bdi>bo</bdi>",
			"2 people must acknowledge", "Catch-all", "01:13 UTC", `id="step-2"`, "the ladder is walked once", `<small>route</small> <a class="grow" dir="auto" href="../routes#r-`, "again, every 4 h", "there is no ack_timeout")
		gap := w.get("/policies/db?at=2000-01-01T02:00&severity=sev4")
		w.shows(gap, 200, "If it fired", "nobody on call in db-primary", "▲ nobody", "low: sev1 and sev2 are high", "02:00 UTC")
		w.shows(w.get("/policies/db?at=never"), 400, "This shows now")
		w.shows(w.get("/policies/none"), 404, "There is no such policy")
		w.shows(w.get("/policies?q=zz"), 200, "No policy has")
		// What the page says is what happens.
		w.fire(lag)
		w.pass(6 * time.Minute)
		if got := strings.Join(w.incident().Paged, " "); got != "ana cy bo" {
			t.Errorf("paged %s", got)
		}
	})
}

// A policy of every kind: gaps, round robin, repeats, support hours.
func TestLaddersInWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(2 * time.Hour) // nobody is on call
		cfg := *w.engine.Config()
		hours, err := oncall.NewHours(time.UTC, []oncall.Window{storyWindow(t)})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Hours = func(escalation.Hours) (*oncall.Hours, error) { return hours, nil }
		turns := []escalation.Target{{User: "bo"}, {User: "cy"}}
		cfg.Policies = map[string]escalation.Policy{
			"round": {Name: "round", Repeat: 2, RepeatFrom: 2, AckTimeout: map[string]time.Duration{"sev1": time.Hour}, Steps: []escalation.Step{
				{Notify: []escalation.Target{{Schedule: "db-primary"}}}, {Notify: turns, Assign: escalation.AssignRoundRobin, RequireAcks: escalation.AllAcks}, {Notify: []escalation.Target{{Receiver: "leads"}}},
			}},
			"ever":   {Name: "ever", Repeat: escalation.Forever, Steps: []escalation.Step{{Notify: turns, EscalateAfter: time.Minute}}},
			"office": {Name: "office", Urgency: escalation.UrgencySupportHours, SupportHours: &escalation.Hours{}, LowUrgency: escalation.LowNotifyOnly, Steps: []escalation.Step{{Notify: turns}}},
			"empty":  {Name: "empty", Steps: []escalation.Step{{Notify: []escalation.Target{{Schedule: "db-primary"}}}}},
		}
		w.engine.Tell(engine.Reload{Config: &cfg})
		w.pass(time.Second)
		w.shows(w.get("/policies/round"), 200, "nobody on call in db-primary", "one of them for each incident; next is bo", "everybody paged must acknowledge", "again: walk 2 of the ladder begins", "again: walk 3",
			"up to 3 times, again from step 2", "sev1 after 1 h: then it is triggered again", `<span class="chip">channel</span> <bdi>leads</bdi>`)
		w.shows(w.get("/policies/ever"), 200, "until somebody acknowledges", "again: walk 2")
		w.shows(w.get("/policies/office"), 200, "outside support hours, so it is low", "they begin 09:00 UTC", "Support hours began", "ends after the first step that reaches somebody")
		w.shows(w.get("/policies/office?at=2000-01-01T10:00"), 200, "within support hours, so it is high", "Catch-all")
		w.shows(w.get("/policies/empty"), 200, "▲ nobody", "Catch-all", "Nothing: no receiver")
	})
}

func storyWindow(t *testing.T) oncall.Window {
	t.Helper()
	win, err := oncall.ParseWindow([]string{"mon-sun"}, "09:00", "17:00")
	if err != nil {
		t.Fatal(err)
	}
	return win
}

// withSLO gives the world an objective: 99.9% of a day, split by cluster, and one of burn-rate alerts.
func (w *world) withSLO() {
	w.Helper()
	o, err := slo.New(slo.Spec{Name: "up", Service: "db", Objective: "99", Window: 24 * time.Hour, By: []string{"cluster"}, Thresholds: []slo.Threshold{
		{Name: "page", BurnRate: "10", Long: time.Hour, Short: 5 * time.Minute, Severity: "sev2"}, {Name: "half-gone", BudgetConsumed: "50%", Severity: "sev4"},
	}})
	if err != nil {
		w.Fatal(err)
	}
	levels, err := slo.New(slo.Spec{Name: "sloth", Source: slo.FromBurnRates})
	if err != nil {
		w.Fatal(err)
	}
	cfg := *w.engine.Config()
	cfg.SLOs = []engine.SLO{
		{Objective: o, Policy: "db", Alert: "Down", Match: func(l router.Labels) bool { return l.Get("alertname") == "Down" }},
		{Objective: levels, Policy: "db", Read: func(map[string]string) (string, string, bool) { return "", "", false }},
	}
	w.engine.Tell(engine.Reload{Config: &cfg})
	w.pass(time.Second)
}

func TestSLOsSayWhatIsLeftAndHowFastItGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.get("/slos"), 200, "There are no SLOs")
		w.withSLO()
		w.shows(w.get("/slos"), 200, "none has heard of an alert yet")
		w.shows(w.get("/slos/up"), 200, "It has heard of nothing yet", "Corrections", "page", "burns 10 times as fast as it may, over 1h and 5m", "50% of the budget is gone")
		w.shows(w.get("/slos/sloth"), 200, "its alerts are burn-rate alerts already")
		w.shows(w.get("/slos/none"), 404, "There is no such SLO")

		w.fire(nil, "alertname", "Down", "cluster", "eu1", "region", "بحر")
		w.pass(9*time.Minute + 29*time.Second)
		page := w.get("/slos")
		w.shows(page, 200, "cluster eu1", "30.6%", "left", "burning", "10 min of 14 min are gone", "at this rate the rest is gone", "◆ reached</span> page, half-gone", `href="incidents/INC-`, "in 5m", `href="slos/up?by=`)
		w.shows(w.get("/slos?q=EU1"), 200, "cluster eu1")
		w.shows(w.get("/slos?q=us1"), 200, "No budget has")
		one := w.get("/slos/up")
		w.shows(one, 200, "up, <span dir=\"auto\">cluster eu1</span>", `<svg width="900"`, "mw-level", "◆ too fast to last", "◆ now", `href="../policies/db"`, "بحر", "Leave time out of the count")
		w.hides(one, "<style", `href="/`)
	})
}

func TestCorrectionsAreMadeAndTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.withSLO()
		w.fire(nil, "alertname", "Down", "cluster", "eu1")
		w.pass(10 * time.Minute)
		left := func() string {
			return regexp.MustCompile(`<strong>([^<]*%)</strong>`).FindStringSubmatch(w.get("/slos/up").Body.String())[1]
		}
		before := left()
		made := w.after("bo", w.as("bo", "POST", "/slos/up/corrections", "from=2000-01-01T00:00&to=2000-01-01T00:09&reason=%3Cmove%3E"), "/slos/up/corrections")
		w.shows(made, 200, "CORR-1 is made", "&lt;move&gt;", "Take back", "by <bdi>bo</bdi>")
		if now := left(); now == before {
			t.Errorf("%s are left before and after", now)
		}
		undone := w.undo("bo", made)
		w.shows(undone, 200, "CORR-1 is taken back")
		w.shows(w.undo("bo", undone), 200, "CORR-2")
		for form, want := range map[string]string{
			"from=2000-01-01T00:00&to=2000-01-01T00:09": "say why", "from=2000-01-01T00:09&to=2000-01-01T00:00&reason=x": "not after it starts", "from=x&to=y&reason=x": "Write both times",
		} {
			page := w.after("bo", w.as("bo", "POST", "/slos/up/corrections", form), "/slos/up/corrections")
			w.shows(page, 200, `class="note bad"`)
			if !strings.Contains(strings.ToLower(page.Body.String()), strings.ToLower(want)) {
				t.Errorf("%s: no %q", form, want)
			}
		}
		w.shows(w.after("bo", w.as("bo", "POST", "/slos/up/corrections/drop", "number=9"), "/slos/up/corrections/drop"), 200, "There is no correction")
		w.shows(w.do("POST", "/slos/up/corrections", "reason=x", "Sec-Fetch-Site", "cross-site"), 403)
	})
}

// The hour that clocks show twice is the one that was tapped, unless somebody writes another.
func TestTypedTimes(t *testing.T) {
	zone := storyZone
	second := time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC) // 01:30 for the second time
	kept := typed(second, zone)
	form := url.Values{"from": {kept.Text}, "from_kept": {kept.Kept}}
	if got, err := typedAt(form, "from", zone, false); err != nil || !got.Equal(second) {
		t.Errorf("kept: %s, %v", got, err)
	}
	form.Del("from_kept")
	if got, _ := typedAt(form, "from", zone, false); !got.Equal(second.Add(-time.Hour)) {
		t.Errorf("a start is the first: %s", got)
	}
	if got, _ := typedAt(form, "from", zone, true); !got.Equal(second) {
		t.Errorf("an end is the last: %s", got)
	}
	form.Set("from_kept", second.Add(24*time.Hour).Format(time.RFC3339))
	if got, _ := typedAt(form, "from", zone, false); !got.Equal(second.Add(-time.Hour)) {
		t.Errorf("what was written counts: %s", got)
	}
	for _, text := range []string{"", "tomorrow", "2026-13-01T00:00"} {
		if _, err := typedAt(url.Values{"from": {text}}, "from", zone, false); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// Nobody waits for a page about many schedules and budgets.
func TestManySchedulesArePaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		cfg := *w.engine.Config()
		schedules := map[string]*oncall.Schedule{}
		for i := range schedulesOnPage + 5 {
			spec := cfg.Schedules["db-primary"].Spec()
			spec.Name = fmt.Sprintf("team-%03d", i)
			s, err := oncall.New(spec)
			if err != nil {
				t.Fatal(err)
			}
			schedules[spec.Name] = s
		}
		cfg.Schedules = schedules
		w.engine.Tell(engine.Reload{Config: &cfg})
		w.pass(time.Second)
		first := w.as("ana", "GET", "/oncall", "")
		w.shows(first, 200, "team-029", "Next schedules", "More follow")
		w.hides(first, `id="on-team-030"`)
		w.shows(w.get("/oncall?after=30"), 200, `id="on-team-034"`)
		if n := len(compressed(first.Body.Bytes(), 1)); n > maxPage {
			t.Errorf("%d bytes", n)
		}
	})
}
