//go:build linux

package integration_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// probed has everything in it that the API shows, and no integration: nothing is sent.
const probed = `
route:
  receiver: default
  group_by: [alertname]
  group_wait: 1h
  routes:
    - {receiver: web, matchers: ['team="web"'], labels: {tier: gold, book: 'https://wiki/{{ .CommonLabels.alertname }}'}}
    - {receiver: web, matchers: ['team=~"twice|web"'], continue: true}
    - {receiver: db, matchers: ['team=~"twice|db"'], group_by: [alertname, service]}
    - {receiver: db, matchers: ['team="night"'], group_wait: 0s, mute_time_intervals: [always]}
    - {receiver: db, matchers: ['team="past"'], group_wait: 0s, active_time_intervals: [past]}
inhibit_rules:
  - source_matchers: ['severity="critical"']
    target_matchers: ['severity="warning"']
    equal: [alertname]
receivers:
  - name: default
  - {name: web, labels: {owner: web-team, tier: gold}}
  - {name: db, labels: {owner: db-team}}
  - name: nobody's
time_intervals:
  - {name: always, time_intervals: [{times: [{start_time: "00:00", end_time: "24:00"}]}]}
  - {name: past, time_intervals: [{years: ['1999']}]}
`

// ask is a request without a body.
func ask(method, path string, header ...string) question {
	return question{method: method, path: path, header: header}
}

func get(path string) question { return ask(http.MethodGet, path) }

func post(path, body string, header ...string) question {
	return question{method: http.MethodPost, path: path, body: body, header: header}
}

func alerts(body string) question   { return post("/api/v2/alerts", body) }
func silences(body string) question { return post("/api/v2/silences", body) }

// edit posts a silence anew, as the peer shows it but for the changes.
func edit(silence int, changes map[string]any) question {
	return question{method: http.MethodPost, path: "/api/v2/silences", edit: silence, changes: changes}
}

// each is the same request with each of the queries.
func each(path string, queries ...string) (all []question) {
	for _, q := range queries {
		name, value, _ := strings.Cut(q, "=")
		all = append(all, get(path+"?"+name+"="+url.QueryEscape(value)))
	}
	return all
}

// TestProbeAlerts asks about alerts with every kind of body and filter.
func TestProbeAlerts(t *testing.T) {
	p := peers(t, probed)
	see := []question{get("/api/v2/alerts"), get("/api/v2/alerts/groups")}
	compare(t, p, see...)
	compare(
		t, p,
		alerts(`[{"labels":{"alertname":"P1","a":"b","empty":""},"annotations":{"s":"x"},"startsAt":"2026-11-20T12:00:00.123456789+02:00","generatorURL":"http://g/x","zzz":1}]`),
		get("/api/v2/alerts"),
		get("/api/v2/alerts/groups"),
		alerts(`[]`),
		alerts(`[{"labels":{}},{"labels":{"alertname":"ok2"}}]`),
		alerts(`[{"labels":{"alertname":"Unnamed","":"x"}},{"labels":{"alertname":"ok3"}}]`),
		alerts(`[{"annotations":{"a":"b"}}]`),
		alerts(`[{`),
		alerts(`{}`),
		alerts(`null`),
		alerts(``),
		alerts(`[{"labels":{"alertname":5}}]`),
		alerts(`[{"labels":{"alertname":"x"},"startsAt":"nope"}]`),
		alerts(`[{"labels":{"alertname":"x"},"startsAt":"2026-11-20T12:00:00Z","endsAt":"2026-11-20T11:00:00Z"}]`),
		alerts(`[{"labels":{"alertname":"x"},"generatorURL":"not a url"}]`),
		alerts(`[{"labels":{"alertname":"Ended"},"startsAt":"2026-11-20T11:00:00Z","endsAt":"2026-11-20T12:00:00Z"}]`),
		alerts(`[{"labels":{"alertname":"ToCome"},"endsAt":"2036-11-20T12:00:00+01:00"}]`),
		alerts(`[{"labels":{"alertname":"<&>\u2028"},"annotations":{"<":"&"}},{"labels":{"ключ.имя":"ü"}}]`),
		post("/api/v2/alerts", `[]`, "Content-Type", "text/plain"),
		post("/api/v2/alerts", `[]`, "Content-Type", ""),
		post("/api/v2/alerts", `[]`, "Content-Type", "application/json; charset=utf-8"),
		post("/api/v2/alerts", `[]`, "Content-Type", "application/json", "Accept", "text/html"),
		ask(http.MethodGet, "/api/v2/alerts", "Accept", "text/html"),
		ask(http.MethodGet, "/api/v2/alerts", "Accept-Encoding", "gzip"),
		ask(http.MethodGet, "/api/v2/alerts", "Origin", "http://x.example"),
	)
	compare(t, p, see...)

	// What muting, inhibiting, two routes and the labels of routes do.
	compare(
		t, p,
		alerts(`[{"labels":{"alertname":"Slow","team":"web","severity":"critical","instance":"2"}},{"labels":{"alertname":"Slow","team":"web","severity":"warning","instance":"1"}}]`),
		question{method: http.MethodGet, path: `/api/v2/alerts?filter=severity%3Dwarning`, once: `"inhibitedBy":["`},
		alerts(`[{"labels":{"alertname":"Lag","team":"twice","service":"a","severity":"info"}},{"labels":{"alertname":"Lag","team":"twice","service":"b"}},{"labels":{"alertname":"Lag","team":"db"}}]`),
		alerts(`[{"labels":{"alertname":"Dark","team":"night"}},{"labels":{"alertname":"Old","team":"past"}}]`),
		question{method: http.MethodGet, path: `/api/v2/alerts/groups?filter=team%3Dnight`, once: `"mutedBy":["`},
		question{method: http.MethodGet, path: `/api/v2/alerts/groups?filter=team%3Dpast`, once: `"mutedBy":["`},
	)
	compare(t, p, see...)
	for _, path := range []string{"/api/v2/alerts", "/api/v2/alerts/groups"} {
		compare(t, p, each(
			path,
			"active=false", "active=maybe", "silenced=false", "inhibited=false", "unprocessed=false", "muted=false", "muted=true",
			"receiver=web", "receiver=we", "receiver=w.*", "receiver=(", "receiver=", "receiver=nobody",
			`filter={`, `filter=`, `filter=alertname`, `filter=alertname="Slow"`, `filter=alertname!="Slow"`, `filter=alertname=~"S.*|L"`,
			`filter=alertname!~"S.*"`, `filter=team=""`, `filter=team!=""`, `filter=nothing=""`, `filter=nothing!=""`, `filter={alertname="Slow",severity="warning"}`,
			`filter="ключ.имя"="ü"`, `filter=ключ.имя=ü`, `filter=a=b\n`, `filter=a=~"("`,
			`receiver_matchers=tier="gold"`, `receiver_matchers=tier!="gold"`, `receiver_matchers=owner=~".*-team"`, `receiver_matchers=owner=""`,
			`receiver_matchers=name="web"`, `receiver_matchers={`,
		)...)
		compare(
			t, p,
			get(path+"?active=false&inhibited=false&silenced=false"),
			get(path+"?filter=team%3Dweb&filter=severity%3Dcritical"),
			get(path+"?receiver=web&receiver=db"),
			get(path+"?receiver_matchers=tier%3Dgold&receiver_matchers=owner%3Dweb-team&receiver=db"),
		)
	}
	compare(t, p, get("/api/v2/receivers"))
	compare(t, p, each("/api/v2/receivers", `receiver_matchers=tier="gold"`, `receiver_matchers=tier!="gold"`, `receiver_matchers=owner=~".*"`, `receiver_matchers={`)...)

	// An alert sent again: later and shorter annotations, the end, and a new beginning.
	compare(
		t, p,
		alerts(`[{"labels":{"alertname":"Again"},"annotations":{"a":"1"},"startsAt":"2026-11-20T12:00:00Z","endsAt":"2036-11-20T12:00:00Z"}]`),
		alerts(`[{"labels":{"alertname":"Again"},"annotations":{"b":"2"},"startsAt":"2026-11-20T11:00:00Z","endsAt":"2036-11-20T11:00:00Z"}]`),
		get("/api/v2/alerts?filter=alertname%3DAgain"),
		alerts(`[{"labels":{"alertname":"Again"},"startsAt":"2026-11-20T13:00:00Z","endsAt":"2026-11-20T14:00:00Z"}]`),
		get("/api/v2/alerts?filter=alertname%3DAgain"),
		get("/api/v2/alerts/groups?filter=alertname%3DAgain"),
		alerts(`[{"labels":{"alertname":"Again"},"annotations":{"c":"3"},"startsAt":"2026-11-20T15:00:00Z"}]`),
		get("/api/v2/alerts?filter=alertname%3DAgain"),
	)
}

// silenced is a silence as a body, with the members that a test is not about.
func silenced(matchers, starts, ends, comment string) string {
	return fmt.Sprintf(`{"matchers":[%s],"startsAt":%q,"endsAt":%q,"createdBy":"me","comment":%q}`, matchers, starts, ends, comment)
}

// matcher is one of a silence.
func matcher(name, value string, isRegex, isEqual bool) string {
	return fmt.Sprintf(`{"name":%q,"value":%q,"isRegex":%v,"isEqual":%v}`, name, value, isRegex, isEqual)
}

func TestProbeSilences(t *testing.T) {
	const past, soon, late = "2026-11-20T12:00:00Z", "2035-11-20T12:00:00Z", "2036-11-20T12:00:00.987654+02:00"
	var (
		p   = peers(t, probed)
		see = []question{get("/api/v2/silences"), get("/api/v2/alerts"), get("/api/v2/alerts/groups")}
		ab  = matcher("a", "b", false, true)
		set = func(comment, starts, ends, matchers string) question {
			return silences(silenced(matchers, starts, ends, comment))
		}
	)
	compare(t, p, alerts(`[{"labels":{"alertname":"One","a":"b"}},{"labels":{"alertname":"Two","a":"c"}},{"labels":{"alertname":"Three"}}]`))

	// Refused, all but few.
	compare(
		t, p,
		silences(``), silences(`{`), silences(`[]`), silences(`null`), silences(`{}`), silences(`{"matchers":5}`), silences(`{"matchers":[5]}`),
		silences(`{"matchers":[{}],"startsAt":"`+past+`","endsAt":"`+late+`","createdBy":"me","comment":"c"}`),
		silences(`{"matchers":[`+ab+`],"endsAt":"`+late+`","createdBy":"me","comment":"c"}`),
		silences(`{"matchers":[`+ab+`],"startsAt":"`+past+`","createdBy":"me","comment":"c"}`),
		silences(`{"matchers":[`+ab+`],"startsAt":"`+past+`","endsAt":"`+late+`","comment":"c"}`),
		silences(`{"matchers":[`+ab+`],"startsAt":"`+past+`","endsAt":"`+late+`","createdBy":"me"}`),
		silences(`{"matchers":[`+ab+`],"startsAt":"nope","endsAt":"`+late+`","createdBy":"me","comment":"c"}`),
		silences(`{"matchers":[{"name":"a","isRegex":false}],"startsAt":"`+past+`","endsAt":"`+late+`","createdBy":"me","comment":"c"}`),
		silences(`{"matchers":[{"name":"a","value":"b"}],"startsAt":"`+past+`","endsAt":"`+late+`","createdBy":"me","comment":"c"}`),
		silences(`{"matchers":[{"value":"b","isRegex":false}],"startsAt":"`+past+`","endsAt":"`+late+`","createdBy":"me","comment":"c"}`),
		set("no matchers", past, late, ``),
		set("matches nothing", past, late, matcher("a", ".*", true, true)),
		set("not equal to something", past, late, matcher("a", "b", false, false)),
		set("no expression", past, late, matcher("a", "(", true, true)),
		set("no name", past, late, matcher("", "b", false, true)),
		set("a bad one beside a good one", past, late, ab+","+matcher("b", "[", true, false)),
		set("over", past, past, ab),
		set("past", "2020-11-20T12:00:00Z", "2021-11-20T12:00:00Z", ab),
		set("upside down", late, soon, ab),
		set("", past, late, ab),
		silences(`{"id":"11111111-1111-4111-8111-111111111111","matchers":[`+ab+`],"startsAt":"`+past+`","endsAt":"`+late+`","createdBy":"me","comment":"c"}`),
		silences(`{"id":"xyz","matchers":[`+ab+`],"startsAt":"`+past+`","endsAt":"`+late+`","createdBy":"me","comment":"c"}`),
		post("/api/v2/silences", silenced(ab, past, late, "c"), "Content-Type", "text/plain"),
		post("/api/v2/silences", silenced(ab, past, late, "c"), "Content-Type", ""),
	)
	compare(t, p, see...)

	// Taken: of every kind of matcher and state.
	compare(
		t, p,
		set("1", past, "2036-01-01T00:00:00Z", ab),
		set("2 is to come", soon, late, ab),
		set("3 by expression", past, "2036-01-03T00:00:00+05:30", matcher("alertname", "T.*", true, true)+","+matcher("a", "x.*", true, false)),
		silences(`{"id":"","matchers":[{"name":"ключ.имя","value":"ü \"<&>","isRegex":false}],"startsAt":"`+past+`","endsAt":"2036-01-04T00:00:00Z","createdBy":"<me>","comment":"4: isEqual is true","zzz":1}`),
		silences(`{"matchers":[`+matcher("c", "d", false, true)+`],"startsAt":"0001-01-01T00:00:00Z","endsAt":"2036-01-05T00:00:00Z","createdBy":"","comment":"5","annotations":{"ticket":"T-1","":"x"}}`),
		set("6 once more the same", past, "2036-01-06T00:00:00Z", ab),
	)
	compare(t, p, see...)
	compare(t, p, each(
		"/api/v2/silences",
		"active=false", "expired=false", "pending=false", "active=maybe", "active=",
		`filter=a="b"`, `filter=a=b`, `filter=a=~"b"`, `filter=a!="b"`, `filter=alertname=~"T.*"`, `filter={alertname=~"T.*",a!~"x.*"}`, `filter={`, `filter=`, `filter=a`,
		`filter="ключ.имя"="ü \"<&>"`, `filter=nothing=""`,
	)...)
	compare(
		t, p,
		get("/api/v2/silences?active=false&pending=false"),
		get("/api/v2/silences?active=false&pending=false&expired=false"),
		get("/api/v2/silences?filter=alertname%3D~%22T.%2A%22&filter=a%21~%22x.%2A%22"),
		get("/api/v2/alerts?silenced=false"),
		get("/api/v2/alerts?silenced=true&active=false"),
		get("/api/v2/alerts/groups?silenced=false"),
		get("/api/v2/alerts/groups?active=false"),
	)

	// Edits: what keeps the id, and what ends the silence and makes another.
	compare(
		t, p,
		edit(1, map[string]any{"comment": "1 has another comment", "createdBy": "you"}), get("/api/v2/silence/<silence 1>"),
		edit(1, map[string]any{"endsAt": "2036-01-01T11:00:00Z"}), get("/api/v2/silence/<silence 1>"),
		edit(1, map[string]any{"endsAt": past}), get("/api/v2/silence/<silence 1>"),
		edit(1, map[string]any{"matchers": nil}), get("/api/v2/silence/<silence 1>"),
		edit(1, map[string]any{"startsAt": past}), get("/api/v2/silences"),
		edit(3, map[string]any{"matchers": []map[string]any{{"name": "alertname", "value": "T.*", "isRegex": true}}}), get("/api/v2/silences"),
		edit(2, map[string]any{"startsAt": "2035-11-21T12:00:00Z"}), get("/api/v2/silence/<silence 2>"),
		edit(2, map[string]any{"endsAt": "2035-11-20T12:00:00Z"}), get("/api/v2/silence/<silence 2>"),
		edit(2, map[string]any{"startsAt": past}), get("/api/v2/silences"),
		edit(1, map[string]any{"endsAt": "2036-01-01T12:00:00Z"}), get("/api/v2/silences"), // it has expired
		edit(5, map[string]any{"annotations": nil}), get("/api/v2/silence/<silence 5>"),
	)
	compare(t, p, see...)

	// Ends.
	unknown := "/api/v2/silence/11111111-1111-4111-8111-111111111111"
	compare(t, p, get("/api/v2/silence/xyz"), get(unknown), ask(http.MethodDelete, unknown), ask(http.MethodDelete, "/api/v2/silence/xyz"), get("/api/v2/silence/"), get("/api/v2/silence"))
	for i := range p[1].silences {
		one := fmt.Sprintf("/api/v2/silence/<silence %d>", i+1)
		compare(t, p, ask(http.MethodDelete, one), ask(http.MethodDelete, one), get(one))
	}
	compare(t, p, set("last, to come", soon, late, ab))
	last := fmt.Sprintf("/api/v2/silence/<silence %d>", len(p[1].silences))
	compare(t, p, ask(http.MethodDelete, last), get(last))
	compare(t, p, see...)
	compare(t, p, get("/api/v2/silences?expired=false"), get("/api/v2/silences?active=false&pending=false"))
	for _, path := range []string{"/api/v2/silences", last} {
		for _, verb := range []string{http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodPost} {
			if verb != http.MethodDelete || path != last {
				compare(t, p, ask(verb, path))
			}
		}
	}
}

// TestProbeSilencesBeginAndEnd has the clock do it. Both servers must know of a silence before it ends; where the machine
// is too slow for that, the test begins anew with a longer one.
func TestProbeSilencesBeginAndEnd(t *testing.T) {
	for length := time.Second; ; length *= 2 {
		p := peers(t, probed)
		now := time.Now().UTC()
		at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
		ends := silences(silenced(matcher("a", "b", false, true), at(0), at(length), "ends"))
		begins := silences(silenced(matcher("a", "b", false, true), at(length), at(time.Hour), "begins"))
		for _, p := range p {
			p.answer(t, ends)
			p.answer(t, begins)
		}
		if time.Since(now) > length {
			continue
		}
		compare(
			t, p,
			question{method: http.MethodGet, path: "/api/v2/silences?active=false&pending=false", once: `"state":"expired"`},
			question{method: http.MethodGet, path: "/api/v2/silences?expired=false&pending=false", once: `"state":"active"`},
			get("/api/v2/silences"),
		)
		return
	}
}

// TestProbeLimits is about the flags that bound what is taken.
func TestProbeLimits(t *testing.T) {
	p := peers(t, probed, "--alerts.per-alertname-limit=2", "--silences.max-silences=2", "--silences.max-silence-size-bytes=300")
	const from, to = "2026-11-20T12:00:00Z", "2036-11-20T12:00:00Z"
	ab := matcher("a", "b", false, true)
	compare(
		t, p,
		alerts(`[{"labels":{"alertname":"One","i":"1"}},{"labels":{"alertname":"One","i":"2"}},{"labels":{"alertname":"One","i":"3"}},{"labels":{"alertname":"Two"}}]`),
		get("/api/v2/alerts"),
		silences(silenced(ab, from, to, "1")),
		silences(silenced(ab, from, to, "2")),
		silences(silenced(ab, from, to, "3")),
		edit(1, map[string]any{"comment": "1 again"}),
		edit(1, map[string]any{"startsAt": from}),
		edit(1, map[string]any{"comment": strings.Repeat("long ", 100)}),
		ask(http.MethodDelete, "/api/v2/silence/<silence 1>"),
		silences(silenced(ab, from, to, "4: expired ones count")),
		get("/api/v2/silences"),
	)
}

// TestProbePages is about everything but /api/v2.
func TestProbePages(t *testing.T) {
	p := peers(t, probed)
	compare(
		t, p,
		get("/api/v2/status"),
		get("/-/ready"), ask(http.MethodHead, "/-/ready"), post("/-/ready", ""),
		get("/-/healthy"), ask(http.MethodHead, "/-/healthy"), ask(http.MethodPut, "/-/healthy"),
		post("/-/reload", ""), get("/-/reload"),
		question{method: http.MethodGet, path: "/metrics", onlyHead: true},
		question{method: http.MethodGet, path: "/debug/pprof/", onlyHead: true},
		question{method: http.MethodGet, path: "/debug/pprof/cmdline", onlyHead: true},
		get("/nope"), get("/api"), get("/api/v3/status"), get("/assets/nope.js"),
		question{method: http.MethodGet, path: "/", onlyHead: true, differs: "the pages are our own"},
		question{method: http.MethodPost, path: "/api/v1/alerts", body: "[]", differs: "v1 still takes alerts"},
		get("/api/v1/alerts"), get("/api/v1/status"), post("/api/v1/silences", "{}"),
	)
	for _, path := range []string{"alerts", "alerts/", "alerts/groups", "receivers", "status", "nope", "swagger.json", ""} {
		for _, verb := range []string{http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
			compare(t, p, ask(verb, "/api/v2/"+path, "Origin", "http://x.example", "Access-Control-Request-Method", "POST"))
		}
	}
	compare(t, p, get("/api/v2/nope"), get("/api/v2/swagger.json"), get("/api/v2/"), get("/api/v2"), get("/api/v2//alerts"), get("/api/v2/../v2/alerts"), get("/api/v2/%61lerts"))

	// A configuration that is not one, and the way back.
	for _, p := range p {
		p.configure(t, "route: {receiver: nowhere}\nreceivers: [{name: default}]\n")
	}
	compare(t, p, question{method: http.MethodPost, path: "/-/reload", differs: "we say where in the file"}, get("/api/v2/status"))
	for _, p := range p {
		p.configure(t, "route: {receiver: other}\nreceivers: [{name: other}]\n")
	}
	compare(t, p, post("/-/reload", ""), get("/api/v2/status"), get("/api/v2/receivers"))
}

// TestProbePrefix is about --web.route-prefix and the path of --web.external-url.
func TestProbePrefix(t *testing.T) {
	for _, args := range [][]string{
		{"--web.route-prefix=/foo"},
		{"--web.route-prefix=foo/"},
		{"--web.external-url=http://alerts.example/foo"},
		{"--web.external-url=http://alerts.example/foo/"},
		{"--web.external-url=http://alerts.example/am", "--web.route-prefix=/foo"},
		{"--web.external-url=http://alerts.example/foo", "--web.route-prefix=/"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			p := peers(t, probed, args...)
			for _, prefix := range []string{"", "/foo", "/am"} {
				compare(
					t, p,
					get(prefix+"/api/v2/status"), get(prefix+"/-/ready"), get(prefix+"/-/healthy"), post(prefix+"/-/reload", ""), get(prefix+"/api/v1/status"),
					question{method: http.MethodGet, path: prefix + "/metrics", onlyHead: true},
					question{method: http.MethodGet, path: prefix + "/debug/pprof/cmdline", onlyHead: true},
					alerts(`[{"labels":{"alertname":"One"}}]`), get(prefix+"/api/v2/alerts"),
				)
			}
			compare(t, p, get("/fooo"), get("/foo/nope"))
		})
	}
}

// TestProbeModes is about the two feature flags that say what a name is.
func TestProbeModes(t *testing.T) {
	for _, mode := range []string{"classic-mode", "utf8-strict-mode"} {
		t.Run(mode, func(t *testing.T) {
			p := peers(t, probed, "--enable-feature="+mode)
			compare(
				t, p,
				alerts(`[{"labels":{"ключ":"ü","a":"c"}},{"labels":{"alertname":"ü"}}]`),
				silences(silenced(matcher("ключ", "ü", false, true), "2026-11-20T12:00:00Z", "2036-11-20T12:00:00Z", "c")),
				get("/api/v2/alerts"), get("/api/v2/silences"), get("/api/v2/alerts/groups"),
			)
			for _, path := range []string{"/api/v2/alerts", "/api/v2/silences"} {
				compare(t, p, each(path, `filter="ключ"=ü`, `filter=ключ=ü`, `filter={a=b}`, `filter=a=b\n`, `filter=a=`, `filter=a="b`, `filter=a=b"`)...)
			}
		})
	}
}

// TestProbeOrigins is about --web.cors.origin.
func TestProbeOrigins(t *testing.T) {
	p := peers(t, probed, `--web.cors.origin=https?://(a|b)\.example`)
	for _, origin := range []string{"https://a.example", "https://a.example.evil", "http://b.example:80", ""} {
		for _, path := range []string{"/api/v2/alerts", "/api/v2/silences", "/api/v2/nope"} {
			compare(
				t, p,
				ask(http.MethodGet, path, "Origin", origin),
				ask(http.MethodOptions, path, "Origin", origin),
				ask(http.MethodOptions, path, "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type"),
				ask(http.MethodOptions, path, "Origin", origin, "Access-Control-Request-Method", "DELETE"),
				ask(http.MethodOptions, path, "Origin", origin, "Access-Control-Request-Method", "PATCH"),
			)
		}
		compare(t, p, ask(http.MethodGet, "/api/v1/status", "Origin", origin), ask(http.MethodGet, "/-/ready", "Origin", origin))
	}
	compare(t, p, post("/api/v2/alerts", `[{"labels":{"alertname":"One"}}]`, "Content-Type", "application/json", "Origin", "https://a.example"))
}

// TestProbeCluster is about a cluster of one, which is what an Alertmanager is without flags.
func TestProbeCluster(t *testing.T) {
	p := clustered(t, probed, "--cluster.listen-address=127.0.0.1:0", "--cluster.settle-timeout=0s")
	compare(t, p, question{method: http.MethodGet, path: "/api/v2/status", once: `"status":"ready"`})
}
