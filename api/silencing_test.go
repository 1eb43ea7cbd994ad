package api

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"
	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

const silences = "/api/midwatch/v1/silences"

// silence makes one by way of our API.
func (w *world) silence(body string) (made Silence) {
	w.Helper()
	w.want(201, "POST", silences, body, &made)
	return made
}

// TestASilenceFromBeginningToEnd follows one through our API: it is looked at before, made, seen to mute, made longer,
// and ended.
func TestASilenceFromBeginningToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		w.want(200, "POST", "/api/v2/alerts", `[{"labels":{"alertname":"Web","team":"web"},"endsAt":"2000-01-02T00:00:00Z"},{"labels":{"alertname":"Over","team":"db"},"startsAt":"1999-12-31T20:00:00Z","endsAt":"1999-12-31T23:00:00Z"}]`, nil)
		at := func(clock string) time.Time {
			got, err := time.Parse("15:04:05", clock)
			if err != nil {
				t.Fatal(err)
			}
			return time.Date(2000, 1, 1, got.Hour(), got.Minute(), got.Second(), 0, time.UTC)
		}
		var would, does Muted
		w.want(200, "POST", silences+"/preview", `{"matchers":["team=\"db\""]}`, &would)
		if would.Count != 1 || len(would.Alerts) != 1 || would.Alerts[0].Labels.Get("alertname") != "ReplicationLag" || would.Alerts[0].Status != "firing" {
			t.Errorf("it would mute %+v", would)
		}

		made := w.silence(`{"matchers":["team=\"db\"",{"name":"alertname","value":"Re.*","isRegex":true}],"for":"2h","by":"ana","comment":"moving","expire_when_resolved":true}`)
		want := Silence{
			ID: made.ID, State: "active", Matchers: []string{`team="db"`, `alertname=~"Re.*"`}, StartsAt: at("00:00:31"), EndsAt: at("02:00:31"),
			UpdatedAt: at("00:00:31"), CreatedBy: "ana", Comment: "moving", Annotations: map[string]string{"expire_when_resolved": "true"}, ExpireWhenResolved: true,
		}
		if !reflect.DeepEqual(made, want) {
			t.Errorf("made %+v\nwant %+v", made, want)
		}
		w.want(200, "GET", silences+"/"+made.ID+"/alerts", "", &does)
		if !reflect.DeepEqual(does, would) {
			t.Errorf("it mutes %+v, it was to mute %+v", does, would)
		}

		w.pass(time.Hour)
		var got Silence
		w.want(200, "POST", silences, `{"id":"`+made.ID+`","for":"3h","by":"bo"}`, &got)
		want.EndsAt, want.UpdatedAt = at("04:00:31"), at("01:00:31")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("longer %+v\nwant %+v", got, want)
		}
		w.want(200, "POST", silences, `{"id":"`+made.ID+`","by":"bo","comment":"still moving","annotations":{"a":"b"},"expire_when_resolved":false}`, &got)
		want.Comment, want.Annotations, want.ExpireWhenResolved = "still moving", map[string]string{"a": "b"}, false
		want.UpdatedAt = want.UpdatedAt.Add(1) // the later word of one instant is later
		if !reflect.DeepEqual(got, want) {
			t.Errorf("other words %+v\nwant %+v", got, want)
		}

		w.pass(time.Minute)
		w.want(200, "DELETE", silences+"/"+made.ID+"?by=ana", "", &got)
		want.State, want.EndsAt, want.UpdatedAt = "expired", at("01:01:31"), at("01:01:31")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("ended %+v\nwant %+v", got, want)
		}
		w.want(200, "GET", silences+"/"+made.ID, "", &got)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("seen %+v\nwant %+v", got, want)
		}
		w.want(200, "GET", silences+"/"+made.ID+"/alerts", "", &does)
		if does.Count != 0 || does.Alerts == nil {
			t.Errorf("one that is over mutes %+v", does)
		}

		w.pass(time.Minute)
		w.want(200, "POST", silences, `{"id":"`+made.ID+`","by":"bo","for":"1h"}`, &got)
		if got.ID == made.ID || got.State != "active" || !got.StartsAt.Equal(at("01:02:31")) || !got.EndsAt.Equal(at("02:02:31")) || got.CreatedBy != "ana" {
			t.Errorf("once more: %+v", got)
		}
	})
}

func TestSilencesAreListedAndFiltered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		names := map[string]string{}
		for _, s := range []struct{ name, body string }{
			{"long", `{"matchers":["team=db"],"for":"9h","by":"ana"}`},
			{"short", `{"matchers":["team=db","x=y"],"for":"30m","by":"ana"}`},
			{"later", `{"matchers":["team=~\"d.*\""],"starts_at":"2000-01-01T12:00:00Z","ends_at":"2000-01-01T15:00:00+02:00","created_by":"ana"}`},
			{"brief", `{"matchers":["a=b"],"for":"1s","by":"ana"}`},
			{"over", `{"matchers":["{team=\"db\",x!=\"y\"}"],"for":"5s","by":"ana"}`},
			{"ages", `{"matchers":["team=web"],"ends_at":"9999-12-31T23:59:59-12:00","by":"ana"}`},
		} {
			names[w.silence(s.body).ID] = s.name
		}
		w.pass(10 * time.Second)
		for query, want := range map[string]string{
			"":                                  "short long ages later over brief",
			"?state=active":                     "short long ages",
			"?state=expired,pending":            "later over brief",
			"?state=expired&state=active":       "short long ages over brief",
			"?matcher=team%3Ddb":                "short long over",
			"?matcher=team%3Ddb&matcher=x%3Dy":  "short",
			"?matcher=team%3D~%22d.*%22":        "later",
			"?matcher=team%3Dnone":              "",
			"?matcher=x!%3Dy&state=active":      "",
			"?state=pending&matcher=team%3Ddb":  "",
			"?matcher=team%3Ddb&state=,expired": "over",
		} {
			var list Silences
			w.want(200, "GET", silences+query, "", &list)
			var got []string
			for _, s := range list.Silences {
				got = append(got, names[s.ID])
			}
			if strings.Join(got, " ") != want || list.Silences == nil {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
	})
}

// TestBlanksAreNobodysName: where one name is of blanks, the other is whose the silence is.
func TestBlanksAreNobodysName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for body, want := range map[string]string{
			`{"matchers":["a=b"],"for":"1h","by":"ana","created_by":" "}`:   "ana",
			`{"matchers":["a=b"],"for":"1h","by":" ","created_by":"bo"}`:    "bo",
			`{"matchers":["a=b"],"for":"1h","by":"ana","created_by":"bo"}`:  "bo",
			`{"matchers":["a=b"],"for":"1h","by":" ana ","created_by":" "}`: " ana ", // a name is kept as it was sent
		} {
			if got := w.silence(body); got.CreatedBy != want {
				t.Errorf("%s is created by %q, want %q", body, got.CreatedBy, want)
			}
		}
		// Alertmanager's API takes any name, as Alertmanager does.
		var made struct{ SilenceID string }
		w.want(200, "POST", "/api/v2/silences", strings.Replace(someSilence, `"ana"`, `" "`, 1), &made)
		var got Silence
		w.want(200, "POST", silences, `{"id":"`+made.SilenceID+`","for":"3h","by":"bo"}`, &got)
		if got.CreatedBy != "bo" {
			t.Errorf("one of nobody, changed by bo, is created by %q", got.CreatedBy)
		}
	})
}

func TestSilencesThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(time.Minute)
		id := w.silence(`{"matchers":["a=b"],"for":"1h","by":"ana"}`).ID
		const nobody = "11111111-1111-4111-8111-111111111111"
		for _, c := range []struct {
			method, path, body  string
			status              int
			code, field, saying string
		}{
			{"POST", "", `{}`, 400, "invalid", "by", "say who you are"},
			{"POST", "", `{"matchers":["a=b"],"for":"1h","by":" \t"}`, 400, "invalid", "by", "say who you are"},
			{"POST", "", `{"matchers":["a=b"],"for":"1h","created_by":" "}`, 400, "invalid", "by", "say who you are"},
			{"POST", "", `{"id":"` + id + `","for":"2h","by":" "}`, 400, "invalid", "by", "say who you are"},
			{"POST", "", `{"by":"ana"}`, 400, "invalid", "matchers", "say which alerts"},
			{"POST", "", `{"by":"ana","matchers":[]}`, 400, "invalid", "matchers", "say which alerts"},
			{"POST", "", `{"by":"ana","matchers":["a"]}`, 400, "invalid", "matchers", `"a" cannot be read`},
			{"POST", "", `{"by":"ana","matchers":[""]}`, 400, "invalid", "matchers", `is no matcher; write`},
			{"POST", "", `{"by":"ana","matchers":[5]}`, 400, "invalid", "matchers", `5 is no matcher; write`},
			{"POST", "", `{"by":"ana","matchers":[{"name":"a","value":"b","is_regex":true}]}`, 400, "invalid", "matchers", `is no matcher; write`},
			{"POST", "", `{"by":"ana","matchers":"a=b"}`, 400, "invalid", "matchers", "an array"},
			{"POST", "", `{"by":"ana","matchers":["a=~\".*\""]}`, 400, "invalid", "matchers", "must not match the empty string"},
			{"POST", "", `{"by":"ana","matchers":["a=b"]}`, 400, "invalid", "for", `"for":"2h"`},
			{"POST", "", `{"by":"ana","matchers":["a=b"],"for":"2 hours"}`, 400, "invalid", "for", `not "2 hours"`},
			{"POST", "", `{"by":"ana","matchers":["a=b"],"for":"0"}`, 400, "invalid", "for", `not "0"`},
			{"POST", "", `{"by":"ana","matchers":["a=b"],"for":"1h","ends_at":"2000-01-02T00:00:00Z"}`, 400, "invalid", "for", "not both"},
			{"POST", "", `{"by":"ana","matchers":["a=b"],"ends_at":"1999-01-02T00:00:00Z"}`, 400, "invalid", "ends_at", "before it starts"},
			{"POST", "", `{"by":"ana","matchers":["a=b"],"starts_at":"1998-01-02T00:00:00Z","ends_at":"1999-01-02T00:00:00Z"}`, 400, "invalid", "ends_at", "has passed"},
			{"POST", "", `{"by":"ana","matchers":["a=b"],"starts_at":"noon","for":"1h"}`, 400, "invalid", "", "noon"},
			{"POST", "", `{"by":"ana","matchers":["a=b"],"for":"1h","comments":"c"}`, 400, "invalid", "comments", `did you mean "comment"?`},
			{"POST", "", `{"by":"ana","matchers":["a=b"],"for":"1h","annotations":{"a":5}}`, 400, "invalid", "annotations", "a string"},
			{"POST", "", `{"by":"ana","matchers":["a=b"],"for":"1h","comment":"` + strings.Repeat("c", maxActionBody) + `"}`, 413, "too_large", "", "larger than"},
			{"POST", "", `{"by":"ana","matchers":["a=\"` + strings.Repeat("b", maxLabelBytes) + `b\""],"for":"1h"}`, 400, "invalid", "", "16385 bytes"},
			{"POST", "", `{"by":"ana","id":"` + nobody + `","for":"1h"}`, 404, "not_found", "id", "there is no silence"},
			{"POST", "", `{"by":"ana","id":"` + id + `","matchers":[]}`, 400, "invalid", "matchers", "say which alerts"},
			{"GET", "?state=firing", "", 400, "invalid", "state", "known are: active, expired, pending"},
			{"GET", "?state=activ", "", 400, "invalid", "state", `did you mean "active"?`},
			{"GET", "?matcher=team", "", 400, "invalid", "matcher", "bad matcher format"},
			{"GET", "/" + nobody, "", 404, "not_found", "id", "there is no silence"},
			{"GET", "/" + nobody + "/alerts", "", 404, "not_found", "id", "there is no silence"},
			{"DELETE", "/" + nobody + "?by=ana", "", 404, "not_found", "id", "there is no silence"},
			{"DELETE", "/" + id, "", 400, "invalid", "by", "say who you are"},
			{"DELETE", "/" + id + "?by=%20", "", 400, "invalid", "by", "say who you are"},
			{"DELETE", "/" + id + "?who=ana", "", 400, "invalid", "who", "no parameter"},
			{"PUT", "/" + id, `{}`, 405, "method_not_allowed", "", "use DELETE or GET or HEAD"},
			{"GET", "/preview", "", 405, "method_not_allowed", "", "use POST"},
			{"POST", "/preview", `{"by":"ana"}`, 400, "invalid", "by", "is no member"},
			{"POST", "/preview", `{}`, 400, "invalid", "matchers", "say which alerts"},
		} {
			got := w.refused(c.status, c.method, silences+c.path, c.body)
			if got.Code != c.code || got.Field != c.field || !strings.Contains(got.Message, c.saying) {
				t.Errorf("%s %s %.120s:\n got %+v\nwant %s, field %q, saying %q", c.method, c.path, c.body, got, c.code, c.field, c.saying)
			}
		}
		var list Silences
		w.want(200, "GET", silences, "", &list)
		if len(list.Silences) != 1 || list.Silences[0].State != "active" {
			t.Errorf("after all that: %+v", list)
		}
	})
}

func TestAnUnwrittenSilenceIsAnsweredWithAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.store.full.Store(true)
		var got Silence
		w.want(202, "POST", silences, `{"matchers":["a=b"],"for":"1h","by":"ana"}`, &got)
		if got.ID == "" || got.State != "active" || !strings.Contains(got.Warning, "memory only") {
			t.Errorf("made: %+v", got)
		}
		w.pass(time.Second)
		w.want(202, "DELETE", silences+"/"+got.ID+"?by=ana", "", &got)
		if got.State != "expired" || got.Warning == "" {
			t.Errorf("ended: %+v", got)
		}
		var plan RecurringSilence
		w.want(202, "PUT", recurring+"/night", night, &plan)
		if plan.Name != "night" || plan.Warning == "" {
			t.Errorf("planned: %+v", plan)
		}
		w.want(202, "DELETE", recurring+"/night?by=ana", "", &plan)
		if plan.Name != "night" || plan.Warning == "" {
			t.Errorf("dropped: %+v", plan)
		}
		w.store.full.Store(false)
		w.pass(2 * time.Second)
	})
}

// TestAPeersSilenceOfSeveralSets is shown here, where Alertmanager's API cannot.
func TestAPeersSilenceOfSeveralSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		const id = "22222222-2222-4222-8222-222222222222"
		w.gossip(router.Silence{
			ID: id, Matchers: []router.MatcherSet{{{Name: "team", Value: "web"}}, {{Name: "team", Type: labels.MatchRegexp, Value: "d."}, {Name: "x", Value: ""}}},
			StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour), UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(2 * time.Hour),
		})
		var got Silence
		w.want(200, "GET", silences+"/"+id, "", &got)
		if !slices.Equal(got.Matchers, []string{`team="web"`}) || !reflect.DeepEqual(got.MatcherSets, [][]string{{`team="web"`}, {`team=~"d."`, `x=""`}}) {
			t.Errorf("shown: %+v", got)
		}
		var does Muted
		w.want(200, "GET", silences+"/"+id+"/alerts", "", &does)
		if does.Count != 1 {
			t.Errorf("it mutes %+v", does)
		}
		w.want(200, "POST", silences, `{"id":"`+id+`","for":"3h","by":"bo"}`, &got)
		if got.ID != id || len(got.MatcherSets) != 2 {
			t.Errorf("made longer: %+v", got)
		}
	})
}

func TestAtMostAHundredAlertsAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var alerts []string
		for i := range 120 {
			alerts = append(alerts, fmt.Sprintf(`{"labels":{"alertname":"A","n":"%03d"},"startsAt":"1999-12-31T%02d:00:00Z","endsAt":"2000-01-02T00:00:00Z"}`, i, i%24))
		}
		w.want(200, "POST", "/api/v2/alerts", "["+strings.Join(alerts, ",")+"]", nil)
		var got Muted
		w.want(200, "POST", silences+"/preview", `{"matchers":["alertname=A","n!=000"]}`, &got)
		if got.Count != 119 || len(got.Alerts) != 100 {
			t.Fatalf("%d alerts, %d shown", got.Count, len(got.Alerts))
		}
		if !slices.IsSortedFunc(got.Alerts, func(a, b Alert) int { return a.StartsAt.Compare(b.StartsAt) }) || got.Alerts[0].Labels.Get("n") != "024" {
			t.Errorf("they begin with %+v", got.Alerts[0])
		}
	})
}

// TestShownMatchersAreReadAgain: what a silence is shown to match makes the same silence.
func TestShownMatchersAreReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := router.Matcher{
			Name:  rapid.SampledFrom([]string{"service", "a_b", "with space", "ключ", "x.y"}).Draw(t, "name"),
			Type:  labels.MatchType(rapid.IntRange(0, 3).Draw(t, "type")),
			Value: rapid.OneOf(rapid.StringMatching(`[a-z|.*"\\{},=~! \n\t]*`), rapid.String()).Draw(t, "value"),
		}
		probe := router.Silence{Matchers: []router.MatcherSet{{m, {Name: "a", Value: "b"}}}, StartsAt: time.Unix(0, 0), EndsAt: time.Unix(1, 0)}
		if router.CheckSilence(&probe) != nil {
			t.Skip("nobody has such a silence")
		}
		read, err := readMatchers([]Condition{{text: m.String()}, {Name: "a", Value: "b"}})
		if err != nil || read[0][0] != m {
			t.Fatalf("%+v is shown as %s and read as %+v, %v", m, m, read, err)
		}
	})
}

const (
	recurring = "/api/midwatch/v1/recurring-silences"
	night     = `{"matchers":["team=db"],"cron":"0 22 * * *","for":"90m","time_zone":"Europe/Lisbon","comment":"backup","by":"ana","expire_when_resolved":true}`
)

func TestARecurringSilenceFromBeginningToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var list RecurringSilences
		w.want(200, "GET", recurring, "", &list)
		if len(list.RecurringSilences) != 0 || list.RecurringSilences == nil {
			t.Errorf("before there is any: %+v", list)
		}
		at := func(hour, minute int) time.Time { return time.Date(2000, 1, 1, hour, minute, 0, 0, time.UTC) }
		var got RecurringSilence
		w.want(201, "PUT", recurring+"/night%20shift", night, &got)
		want := RecurringSilence{
			Name: "night shift", Matchers: []string{`team="db"`}, Cron: "0 22 * * *", For: "1h30m", TimeZone: "Europe/Lisbon", Comment: "backup",
			CreatedBy: "ana", ExpireWhenResolved: true, Next: &Window{at(22, 0), at(23, 30)}, Silence: got.Silence,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("made %+v\nwant %+v", got, want)
		}
		var silence Silence
		w.want(200, "GET", silences+"/"+got.Silence, "", &silence)
		if silence.State != "pending" || !silence.StartsAt.Equal(at(22, 0)) || !silence.EndsAt.Equal(at(23, 30)) || silence.Comment != "backup" || !silence.ExpireWhenResolved {
			t.Errorf("its silence: %+v", silence)
		}

		w.pass(22*time.Hour + 10*time.Minute)
		w.want(200, "PUT", recurring+"/night%20shift", `{"matchers":["team=db"],"cron":"0 22 * * *","for":"2h","time_zone":"Europe/Lisbon","by":"bo"}`, &got)
		if got.For != "2h" || got.CreatedBy != "bo" || got.Comment != "" || got.ExpireWhenResolved || !got.Next.To.Equal(at(24, 0)) {
			t.Errorf("replaced: %+v", got)
		}
		w.want(200, "GET", recurring, "", &list)
		if len(list.RecurringSilences) != 1 || !reflect.DeepEqual(list.RecurringSilences[0], got) {
			t.Errorf("listed: %+v", list)
		}
		w.want(201, "PUT", recurring+"/a%20day%20shift", night, nil)
		w.want(200, "DELETE", recurring+"/night%20shift?by=cy", "", &got)
		if got.Name != "night shift" {
			t.Errorf("ended: %+v", got)
		}
		w.want(200, "GET", silences+"/"+got.Silence, "", &silence)
		if silence.State != "expired" {
			t.Errorf("its silence after that: %+v", silence)
		}
	})
}

func TestMaintenanceWindowsAreListedAndNotChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		windows, err := oncall.Once(civil(t, "2000-01-01 22:00"), civil(t, "2000-01-02 02:00"), "Europe/Lisbon")
		if err != nil {
			t.Fatal(err)
		}
		conf := *w.engine.Config()
		conf.Maintenance = []engine.Plan{{Name: "upgrade", Matchers: []router.MatcherSet{{{Name: "team", Value: "db"}}}, Windows: windows, Text: "once"}}
		if err := w.engine.Do(t.Context(), engine.Reload{Config: &conf}).Err; err != nil {
			t.Fatal(err)
		}
		w.want(201, "PUT", recurring+"/night", night, nil)
		var list RecurringSilences
		w.want(200, "GET", recurring, "", &list)
		if len(list.RecurringSilences) != 2 || list.RecurringSilences[0].Name != "night" {
			t.Fatalf("listed: %+v", list)
		}
		got := list.RecurringSilences[1]
		want := RecurringSilence{
			Name: "upgrade", Matchers: []string{`team="db"`}, When: "once", FromFile: true, Silence: got.Silence,
			Next: &Window{time.Date(2000, 1, 1, 22, 0, 0, 0, time.UTC), time.Date(2000, 1, 2, 2, 0, 0, 0, time.UTC)},
		}
		if !reflect.DeepEqual(got, want) || got.Silence == "" {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		if p := w.refused(409, "DELETE", recurring+"/upgrade?by=ana", ""); p.Code != "conflict" || p.Field != "name" {
			t.Errorf("deleting it: %+v", p)
		}
	})
}

func TestRecurringSilencesThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		with := func(member, value string) string {
			all := map[string]string{"matchers": `["a=b"]`, "cron": `"0 22 * * *"`, "for": `"1h"`, "time_zone": `"UTC"`, "by": `"ana"`}
			if all[member] = value; value == "" {
				delete(all, member)
			}
			var parts []string
			for _, name := range slices.Sorted(maps.Keys(all)) {
				parts = append(parts, fmt.Sprintf("%q:%s", name, all[name]))
			}
			return "{" + strings.Join(parts, ",") + "}"
		}
		for _, c := range []struct {
			method, path, body  string
			status              int
			code, field, saying string
		}{
			{"PUT", "/x", with("by", ""), 400, "invalid", "by", "say who you are"},
			{"PUT", "/x", with("matchers", ""), 400, "invalid", "matchers", "say which alerts"},
			{"PUT", "/x", with("matchers", `["a=~\"\""]`), 400, "invalid", "matchers", "empty string"},
			{"PUT", "/x", with("cron", ""), 400, "invalid", "cron", "cron"},
			{"PUT", "/x", with("cron", `"never"`), 400, "invalid", "cron", "never"},
			{"PUT", "/x", with("for", ""), 400, "invalid", "for", "it is absent"},
			{"PUT", "/x", with("for", `"1 h"`), 400, "invalid", "for", "no duration"},
			{"PUT", "/x", with("for", `"1s"`), 400, "invalid", "for", "at least 1m"},
			{"PUT", "/x", with("for", `"32d"`), 400, "invalid", "for", "at most 31d"},
			{"PUT", "/x", with("time_zone", ""), 400, "invalid", "time_zone", "IANA"},
			{"PUT", "/x", with("time_zone", `"Mars"`), 400, "invalid", "time_zone", `"Mars"`},
			{"PUT", "/x", with("zone", `"UTC"`), 400, "invalid", "zone", "no member"},
			{"PUT", "/x", with("comment", `"`+strings.Repeat("c", maxActionBody)+`"`), 413, "too_large", "", "larger than"},
			{"PUT", "/" + strings.Repeat("x", 201), with("", ""), 400, "invalid", "name", "at most 200 bytes"},
			{"DELETE", "/x", "", 400, "invalid", "by", "say who you are"},
			{"DELETE", "/x?by=ana", "", 404, "not_found", "name", `called "x"`},
			{"POST", "/x", "{}", 405, "method_not_allowed", "", "use DELETE or PUT"},
			{"POST", "", "{}", 405, "method_not_allowed", "", "use GET or HEAD"},
		} {
			got := w.refused(c.status, c.method, recurring+c.path, c.body)
			if got.Code != c.code || got.Field != c.field || !strings.Contains(got.Message, c.saying) {
				t.Errorf("%s %s %.200s:\n got %+v\nwant %s, field %q, saying %q", c.method, c.path, c.body, got, c.code, c.field, c.saying)
			}
		}
		var list RecurringSilences
		w.want(200, "GET", recurring, "", &list)
		if len(list.RecurringSilences) != 0 {
			t.Errorf("after all that: %+v", list)
		}
	})
}
