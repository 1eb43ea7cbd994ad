package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
)

// asAna is a browser that has said who it is.
var asAna = []string{"Cookie", meCookie + "=ana"}

// press posts a form as ana does, and shows the page that it leads to, from where the form was.
func (w *world) press(path, form string) *httptest.ResponseRecorder {
	w.Helper()
	rec := w.do("POST", path, form, asAna...)
	if rec.Code != http.StatusSeeOther {
		w.Fatalf("POST %s: status %d\n%s", path, rec.Code, rec.Body)
	}
	base, err := url.Parse(path)
	if err != nil {
		w.Fatal(err)
	}
	to, err := base.Parse(rec.Header().Get("Location"))
	if err != nil {
		w.Fatal(err)
	}
	cookie := asAna[1]
	for _, c := range rec.Result().Cookies() {
		cookie += "; " + c.Name + "=" + c.Value
	}
	return w.do("GET", to.RequestURI(), "", "Cookie", cookie)
}

func TestTheFirstPageSaysWhatIsOpenAndWhoIsOnCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		channels := []Channel{{"ana", "chat", "connected", ""}, {"bo", "chat", "unknown", ""}}
		w := start(t, func(o *Options) {
			o.Outbox = func() []Message { return nil }
			o.Channels = func() []Channel { return channels }
		})
		page := w.get("/")
		w.shows(page, 200, "Nothing is open", `href="me">who you are`, `href="schedules/db-primary"`, ">ana</strong>", "01:00 UTC", `href="outbox"`,
			"none heard since the start", "1 works, 1 not tried yet", "gap in", "is being written")
		w.hides(page, "Your open incidents")
		page = w.do("GET", "/", "", asAna...)
		w.shows(page, 200, "You are <strong>on call</strong> for", "06:30 IST")
		w.shows(w.do("GET", "/", "", "Cookie", meCookie+"=bo"), 200, "You are not on call in the next four weeks.")

		w.fire(lag)
		page = w.do("GET", "/", "", asAna...)
		w.shows(page, 200, "1 incident waits for you", "Your open incidents", `action="incidents/INC-1/acknowledge"`, `<button class="large" data-key="a"`, "replica is behind", "next: <bdi>cy, bo</bdi>", "last heard")
		page = w.do("GET", "/", "", "Cookie", meCookie+"=bo")
		w.shows(page, 200, "1 open incident, not acknowledged", "<h2>Open incidents</h2>")
		w.hides(page, "Your open incidents")

		page = w.press("/incidents/INC-1/acknowledge", "back=./")
		w.shows(page, 200, "You have INC-1. Nobody else is paged for it.", `action="incidents/INC-1/unacknowledge"`, "1 open incident, acknowledged", "ana has it")
		channels[0].State = "failing"
		w.shows(w.get("/"), 200, "failing: ana chat", `href="deliveries?outcome=failed"`)
		w.store.full.Store(true)
		w.shows(w.press("/incidents/INC-1/note", "note=x&back=./"), 200, "It is done in memory only", "Nothing is being written to disk", "takes no writes")
		w.store.full.Store(false)
		w.pass(time.Hour)
		w.shows(w.get("/"), 200, "Nothing is open", "nobody, as planned")
	})
}

func TestTheFirstPageDoesNotGrowWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for i := range nowMine + nowOthers + 3 {
			w.fire(lag, "alertname", fmt.Sprintf("A%d", i))
		}
		page := w.do("GET", "/", "", asAna...)
		if n := strings.Count(page.Body.String(), `id="row-INC-`); n != nowMine {
			t.Errorf("%d incidents are listed", n)
		}
		w.shows(page, 200, "23 more open incidents")
	})
}

func TestTheListOfIncidents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.get("/incidents"), 200, "Nothing is open.", "Open (0)")
		for i := range incidentsPerPage + 1 {
			w.fire(lag, "alertname", fmt.Sprintf("A%d", i), "service", []string{"db", "shop"}[i%2])
		}
		page := w.get("/incidents")
		w.shows(page, 200, fmt.Sprintf("Open (%d)", incidentsPerPage+1), `href="incidents?before=2"`, `name="id" value="INC-51"`, "nobody has it", `class="sev sev2"`)
		w.hides(page, `id="row-INC-1"`)
		w.shows(w.get("/incidents?before=2"), 200, `id="row-INC-1"`, `href="incidents">Newest`)

		for filter, wanted := range map[string]int{
			`service="shop"`: 25, `{service="db",alertname=~"A1."}`: 5, `severity=~"sev[12]",id="INC-7"`: 1, `label_alertname="A3"`: 1, `policy="other"`: 0,
			`REPLICA a7`: 1, "nobody here": 0, `owner="ana"`: 0, `owner=""`: 50, `status="triggered",title=~"replica.*"`: 50, `receiver!="db"`: 0, "inc-13": 1,
		} {
			page := w.get("/incidents?" + url.Values{"filter": {filter}}.Encode())
			if n := strings.Count(page.Body.String(), `id="row-INC-`); n != wanted || page.Code != 200 {
				t.Errorf("%s: %d incidents, want %d (%d)", filter, n, wanted, page.Code)
			}
		}
		w.shows(w.get("/incidents?filter=policy%3D%22x%22"), 200, "None of the 51 open incidents matches.")
		for _, wrong := range []string{`service="db`, `=~"x"`, `service=~"("`, strings.Repeat("x=", 600)} {
			path := "/incidents?" + url.Values{"filter": {wrong}}.Encode()
			w.shows(w.get(path), 400, "The filter does not work:", "Write matchers")
			w.shows(w.do("GET", path, "", "HX-Request", "true"), 200, "The filter does not work:")
		}

		w.press("/incidents/INC-51/acknowledge", "")
		w.press("/incidents/INC-51/resolve", "sure=yes")
		w.shows(w.get("/incidents?show=resolved"), 200, `id="row-INC-51"`, "resolved by ana")
		w.hides(w.get("/incidents"), `id="row-INC-51"`)
		w.shows(w.get("/incidents?show=all"), 200, `id="row-INC-51"`, `id="row-INC-50"`)
	})
}

func TestSeveralIncidentsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for i := range 3 {
			w.fire(lag, "alertname", fmt.Sprintf("A%d", i))
		}
		status := func(id int) incident.Status {
			v, err := w.engine.Incident(context.Background(), id)
			if err != nil {
				t.Fatal(err)
			}
			return v.Status
		}
		page := w.press("/incidents", "do=acknowledge&id=INC-1&id=INC-2&id=INC-1&back=incidents")
		w.shows(page, 200, "You have INC-1, INC-2. Nobody else is paged", `name="ids" value="INC-1 INC-2"`, `name="do" value="unacknowledge"`)
		if status(1) != incident.Acked || status(2) != incident.Acked || status(3) != incident.Triggered {
			t.Error("not those two were acknowledged")
		}
		w.shows(w.press("/incidents", "do=unacknowledge&ids=INC-1+INC-2"), 200, "Undone: you do not have INC-1, INC-2 any more.")
		w.shows(w.press("/incidents", "only=INC-3&do=resolve"), 200, "You have INC-3.")
		w.shows(w.press("/incidents", "do=snooze&for=30m&id=INC-1"), 200, "Snoozed for 30 min: INC-1.", "snoozed, goes on")
		w.shows(w.press("/incidents", "do=snooze&for=ever&id=INC-1"), 200, "Nothing was done: say for how long to snooze")
		w.shows(w.press("/incidents", "do=snooze&for=1999-12-31T00:00:00Z&id=INC-1"), 200, "the time until which to snooze has passed")
		w.shows(w.press("/incidents", "do=acknowledge"), 200, "Nothing was done: no incident is ticked")
		w.shows(w.press("/incidents", "do=reassign&id=INC-1"), 200, "Nothing was done: there is no such button")
		w.shows(w.press("/incidents", "do=acknowledge&id=postgres"), 200, "is not an incident")
		w.shows(w.press("/incidents", "do=acknowledge&id=INC-99"), 200, "Not INC-99. Nothing was done: there is no incident INC-99.")
		many := "do=acknowledge"
		for i := range maxBulk + 2 {
			many += fmt.Sprintf("&id=INC-%d", i+1)
		}
		w.shows(w.press("/incidents", many), 200, "are too many at once")

		sure := w.do("POST", "/incidents", "do=resolve&id=INC-1&id=INC-2&back=incidents%3Fshow%3Dall", asAna...)
		w.shows(sure, 200, "Resolve 2 incidents while alerts fire?", `name="sure" value="yes"`, `name="id" value="INC-2"`, `href="incidents?show=all"`)
		if status(1) == incident.Resolved {
			t.Error("resolved without being asked")
		}
		w.shows(w.press("/incidents", "do=resolve&id=INC-1&id=INC-2&sure=yes"), 200, "Resolved: INC-1, INC-2.")
		w.shows(w.press("/incidents", "do=acknowledge&id=INC-1&id=INC-3"), 200, "You have INC-3.", "Resolved already: INC-1.")
		w.shows(w.do("POST", "/incidents", "do=acknowledge&id=INC-3", "Sec-Fetch-Site", "cross-site"), 403, "page of another site")
		w.shows(w.do("POST", "/incidents", "do=acknowledge&id=INC-3"), 200, "Who are you?", `name="id" value="INC-3"`, `action="incidents"`)
	})
}

func TestAnIncidentsPageTellsItsStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag, "instance", "db-2")
		page := w.do("GET", "/incidents/INC-1", "", asAna...)
		w.shows(page, 200, "replica is behind", "Next: <strong dir=\"auto\">cy, bo</strong>", "05:35 IST", `href="https://runbooks.example.org/lag?a=1&amp;b=2"`, "<p>lag is 300 s</p>",
			"Why <bdi>you</bdi> were paged", `href="../routes?trace=`, `href="../routes#r-`, "the first, which takes all", `href="../policies/db"`, `href="../policies/db#step-1"`, `href="../schedules/db-primary"`, ">weekly</a>", "turn 1 of 2, until",
			`href="../incidents?filter=service%3D%22db%22&amp;show=all"`, "Stop paging me", `data-live="incidents deliveries"`, `value="schedule:db-primary"`, `✓ delivered`)
		w.hides(page, "Undo my acknowledgement")

		w.press("/incidents/INC-1/acknowledge", "")
		if a := w.engine.Do(context.Background(), engine.Action{Verb: engine.AddNote, Incident: "INC-1", By: "bo", Via: "cli", Text: "restarting **<it>**"}); a.Err != nil {
			t.Fatal(a.Err)
		}
		page = w.do("GET", "/incidents/INC-1", "", asAna...)
		w.shows(page, 200, "Ana Duarte (ana) acknowledged INC-1 at 05:30 IST via the web.", "Escalation has stopped", "Undo my acknowledgement", "Note by bo via the command line", "<strong>&lt;it&gt;</strong>", "Paged Ana Duarte (ana) by chat")
		newest, oldest := page.Body.String(), w.get("/incidents/INC-1?order=oldest").Body.String()
		note, opening := "Note by bo via", "1 alert fires, routed"
		if strings.Index(newest, note) > strings.Index(newest, opening) || strings.Index(oldest, note) < strings.Index(oldest, opening) {
			t.Error("the lines are not in the order that was asked for")
		}
		w.shows(w.get("/incidents/inc-1"), 200, "replica is behind")
		for _, none := range []string{"/incidents/INC-2", "/incidents/postgres", "/incidents/"} {
			w.shows(w.get(none), 404)
		}
		w.shows(w.get("/incidents/INC-2"), 404, "There is no such incident", `href="../incidents"`)
		w.press("/incidents/INC-1/resolve", "sure=yes")
		page = w.do("GET", "/incidents/INC-1", "", asAna...)
		w.shows(page, 200, "INC-1 was resolved at")
		w.hides(page, "Snooze", "/resolve")
	})
}

func TestEveryActionAndItsRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		at := "/incidents/INC-1/"
		for _, c := range []struct{ verb, form, says string }{
			{"acknowledge", "", "You have INC-1. Nobody else is paged for it."},
			{"unacknowledge", "", "Undone: nobody has INC-1, and escalation goes on. Next: cy, bo at 05:35 IST."},
			{"unacknowledge", "", "Nothing was done: INC-1 is not acknowledged"},
			{"escalate", "", "The next step of INC-1 begins now."},
			{"acknowledge", "", "The policy asks for more than one person, so it goes on."},
			{"snooze", "for=1h", "INC-1 pages nobody until 06:30 IST."},
			{"snooze", "for=1000h", "Nothing was done: snooze for between"},
			{"snooze", "for=soon", "Nothing was done: say for how long to snooze"},
			{"snooze", "for=2000-01-01T02:30:00Z", "INC-1 pages nobody until 08:00 IST."},
			{"note", "note=looking%0D%0Aat+it", "Your note is with INC-1."},
			{"note", "note=+", "Nothing was done: the note is empty"},
			{"responders", "user=bo", "bo is paged for INC-1 too."},
			{"responders", "user=nobody", "Nothing was done: there is no user &#34;nobody&#34;"},
			{"reassign", "to=user:bo", "INC-1 goes to bo now."},
			{"reassign", "to=db-primary", "INC-1 goes to schedule db-primary now."},
			{"reassign", "to=policy:db", "INC-1 goes to db now."},
			{"reassign", "to=policy:none", "Nothing was done: there is no policy &#34;none&#34;"},
			{"reassign", "to=db2", "there is no user, schedule or policy &#34;db2&#34;"},
			{"reassign", "to=", "Nothing was done: choose to whom it goes."},
			{"stop", "", "You are not paged for INC-1 any more"},
			{"resolve", "sure=yes", "INC-1 is resolved."},
			{"resolve", "", "INC-1 was resolved already."},
			{"acknowledge", "", "INC-1 was resolved already. Your acknowledgement is kept as a note."},
			{"escalate", "", "Nothing was done: INC-1 is resolved;"},
		} {
			w.shows(w.press(at+c.verb, c.form), 200, c.says)
		}
		w.shows(w.do("POST", at+"delete", "", asAna...), 404, "There is no such button.")
		w.shows(w.do("POST", "/incidents/INC-9/note", "note=x", asAna...), 404, "There is no such incident")
		w.shows(w.do("POST", at+"note", "note=x", "Sec-Fetch-Site", "cross-site", "Cookie", asAna[1]), 403, "Nothing was done")
		asked := w.do("POST", at+"note", "note=x")
		w.shows(asked, 200, "Who are you?", `action="../../incidents/INC-1/note"`, `name="note" value="x"`)
		if rec := w.do("POST", at+"note", "note=said&as=bo"); rec.Code != 303 {
			t.Errorf("with an answer: %d", rec.Code)
		}
		page := w.get("/incidents/INC-1")
		w.shows(page, 200, "Note by bo via the web", "looking<br>\nat it")
	})
}

func TestWhoIsSignedInActs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *Options) { o.User = func(*http.Request) string { return "cy" } })
		w.fire(lag)
		w.do("POST", "/incidents/INC-1/acknowledge", "as=bo", asAna...)
		if by := w.incident().AckedBy; by != "cy" {
			t.Errorf("acknowledged by %q", by)
		}
	})
}

func TestResolvingWhatFiresIsAskedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		w.shows(w.do("POST", "/incidents/INC-1/resolve", "back=incidents", asAna...), 200, "Resolve INC-1 while its alerts fire?", `action="../../incidents/INC-1/resolve"`, `href="../../incidents"`, "It resolves by itself when its alerts end.")
		if s := w.incident().Status; s != incident.Triggered {
			t.Errorf("it is %s", s)
		}
		if a := w.engine.Do(context.Background(), engine.Trigger{Title: "the shop is down", Policy: "db", By: "bo"}); a.Err != nil {
			t.Fatal(a.Err)
		}
		w.shows(w.get("/incidents/INC-2"), 200, "the shop is down", "OpenedByHand")
		w.shows(w.press("/incidents/INC-2/resolve", ""), 200, "INC-2 is resolved.")
	})
}

func TestGETChangesNoIncident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		before, _ := w.engine.Audit(context.Background(), 0, 1000)
		for _, path := range []string{
			"/", "/incidents", "/incidents/INC-1", "/deliveries", "/incidents/INC-1/acknowledge", "/incidents/INC-1/resolve?sure=yes", "/incidents?do=acknowledge&id=INC-1",
		} {
			for _, method := range []string{"GET", "HEAD"} {
				w.do(method, path, "", asAna...)
			}
		}
		if after, _ := w.engine.Audit(context.Background(), 0, 1000); len(after) != len(before) {
			t.Errorf("%d events more", len(after)-len(before))
		}
		for _, path := range []string{"/", "/incidents/INC-1", "/deliveries"} {
			if rec := w.do("POST", path, ""); rec.Code != 405 || rec.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("POST %s: %d %v", path, rec.Code, rec.Header())
			}
		}
	})
}

func TestALongStoryIsTurnedPageByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		for i := range linesPerPage {
			w.engine.Do(context.Background(), engine.Action{Verb: engine.AddNote, Incident: "INC-1", By: "bo", Text: fmt.Sprintf("note %d. %s", i, strings.Repeat("blah ", 1900))})
		}
		page := w.do("GET", "/incidents/INC-1", "", "Accept-Encoding", "gzip")
		if n := page.Body.Len(); n > maxPage {
			t.Errorf("%d bytes compressed", n)
		}
		page = w.get("/incidents/INC-1")
		w.shows(page, 200, fmt.Sprintf("note %d.", linesPerPage-1), `href="../incidents/INC-1?lines=50#timeline"`)
		w.hides(page, "1 alert fires, routed")
		w.shows(w.get("/incidents/INC-1?lines=50"), 200, "1 alert fires, routed")
	})
}

func TestAlertsOfAnIncidentPageByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for i := range 3 {
			w.fire(map[string]string{"summary": "replica is behind"}, "instance", fmt.Sprintf("db-%d", i))
		}
		page := w.get("/incidents/INC-1")
		w.shows(page, 200, "3 alerts, firing", "instance=db-2")
		w.shows(w.get("/incidents/INC-1?alerts=2"), 200, "instance=db-2")
		w.hides(w.get("/incidents/INC-1?alerts=2"), `<span class="chip label" dir="auto">instance=db-1`)
		w.shows(w.get("/incidents/INC-1?alerts=x"), 200, "instance=db-1")
	})
}

func TestTheDeliveryLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.get("/deliveries"), 200, "Nothing was sent yet.")
		for i := range deliveriesPerPage + 1 {
			w.fire(lag, "alertname", fmt.Sprintf("A%d", i))
		}
		page := w.get("/deliveries")
		w.shows(page, 200, "✓ delivered", `href="incidents/INC-51"`, `href="deliveries?before=`, "by chat")
		for query, wanted := range map[string]int{"to=ana&incident=inc-3": 1, "to=zoe": 0, "via=phone": 0, "outcome=failed": 0, "via=chat&outcome=delivered": 50, "incident=99": 0} {
			if n := strings.Count(w.get("/deliveries?"+query).Body.String(), `id="row-`); n != wanted {
				t.Errorf("%s: %d lines, want %d", query, n, wanted)
			}
		}
		w.shows(w.get("/deliveries?incident=postgres"), 400, "is not an incident")
		w.shows(w.get("/deliveries?outcome=lost"), 400, "there is no outcome")
		w.shows(w.get("/deliveries?to=zoe"), 200, "No delivery matches.")
	})
}

func TestTheOutboxIsReadableOnAPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept []Message
		w := start(t, func(o *Options) { o.Outbox = func() []Message { return kept } })
		w.shows(w.get("/outbox"), 200, "Nothing was sent yet.", "api/v2/alerts")
		kept = []Message{
			{At: time.Now().Add(-90 * time.Second), To: "ana", Via: "email", Subject: "[sev2] replica is behind", Body: "INC-1\nsince 03:00", Link: "http://h/ack/ana"},
			{At: time.Now().Add(-26 * time.Hour), To: "db-leads", Body: "<b>not bold</b>"},
		}
		page := w.get("/outbox")
		w.shows(page, 200, "2 messages, the newest first", "[sev2] replica is behind", "23:58 UTC", "Thu 30 Dec 22:00 UTC", `<pre dir="auto">INC-1`, `href="http://h/ack/ana"`, "(no subject)", "&lt;b&gt;not bold&lt;/b&gt;")
		kept = kept[:1]
		w.shows(w.get("/outbox"), 200, "1 message, the newest")
		for range maxOutbox + 20 {
			kept = append(kept, Message{Body: strings.Repeat("x", 2*maxOutboxBody)})
		}
		page = w.get("/outbox")
		w.shows(page, 200, "40 of 61 messages")
		if n := page.Body.Len(); n > maxOutboxText+50_000 {
			t.Errorf("%d bytes", n)
		}
	})
}

func TestPagesThatAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for _, path := range []string{"/outbox", "/nope", "/favicon.ico", "/incidents/"} {
			if rec := w.get(path); rec.Code != 404 {
				t.Errorf("%s: %d", path, rec.Code)
			}
		}
		w.store.unreadable.Store(true)
		w.shows(w.get("/incidents/INC-1"), 503, "This page cannot be shown now")
	})
}
