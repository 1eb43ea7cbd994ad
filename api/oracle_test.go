package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	oaerrors "github.com/go-openapi/errors"
	"github.com/go-openapi/runtime"
	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/alert"
	v2 "github.com/prometheus/alertmanager/api/v2"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
)

// upstream is Alertmanager's own API over its own alert store and dispatcher: what ours must answer, to the byte.
func upstream(t *testing.T, w *world) http.Handler {
	t.Helper()
	log, reg := promslog.NewNopLogger(), prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(context.Background())
	alerts, err := mem.NewAlerts(ctx, 30*time.Minute, 0, nil, log, eventrecorder.Recorder{}, reg, featurecontrol.NoopFlags{})
	if err != nil {
		t.Fatal(err)
	}
	silences, err := silence.New(silence.Options{Metrics: reg, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.FromGlobs(nil)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.ExternalURL = &url.URL{Scheme: "http", Host: "alertmanager.test"}
	groups := marker.NewGroupMarker()
	quiet := notify.StageFunc(func(ctx context.Context, _ *slog.Logger, as ...*alert.Alert) (context.Context, []*alert.Alert, error) {
		return ctx, as, nil
	})
	d := dispatch.NewDispatcher(alerts, dispatch.NewRoute(w.conf.Route, nil), quiet, groups,
		func(d time.Duration) time.Duration { return d }, time.Minute, nil, log, eventrecorder.Recorder{}, nil, tmpl)
	go d.Run(time.Now())
	t.Cleanup(func() {
		d.Stop()
		alerts.Close()
		cancel()
		synctest.Wait()
	})
	api, err := v2.NewAPI(alerts, d.Groups, groups.Muted, silences, nil, log, reg)
	if err != nil {
		t.Fatal(err)
	}
	api.Update(w.conf, func(ctx context.Context, ls model.LabelSet) {
		if m, ok := marker.FromContext(ctx); ok {
			silencedBy, inhibitedBy := suppressed(setOf(ls), time.Now())
			m.SetSilenced(ls.Fingerprint(), silencedBy)
			m.SetInhibited(ls.Fingerprint(), inhibitedBy)
		}
	})
	return api.Handler
}

// TestWeAnswerAsAlertmanagerDoes asks both the same questions, in the same order, and compares status, headers and body.
func TestWeAnswerAsAlertmanagerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		theirs := upstream(t, w)
		w.pass(time.Second)
		for _, q := range conversation() {
			want, got := request(theirs, q.method, q.target, q.body, q.header...), w.do(q.method, q.target, q.body, q.header...)
			if a, b := transcript(got), transcript(want); a != b {
				t.Errorf("%s %s %s %v\n got: %s\nwant: %s", q.method, q.target, shorten(q.body), q.header, a, b)
			}
			w.pass(137 * time.Millisecond)
		}
	})
}

// transcript is an answer in one piece.
func transcript(rec *httptest.ResponseRecorder) string {
	var b strings.Builder
	fmt.Fprintln(&b, rec.Code)
	for _, name := range slices.Sorted(maps.Keys(rec.Header())) {
		values := slices.Clone(rec.Header()[name])
		if name == "Allow" { // upstream's order is that of a map
			values = strings.Split(strings.Join(values, ","), ",")
			slices.Sort(values)
		}
		fmt.Fprintln(&b, name+":", strings.Join(values, ","))
	}
	body := rec.Body.String()
	if rec.Code == http.StatusMethodNotAllowed {
		body = strings.Replace(body, "[POST,GET]", "[GET,POST]", 1)
	}
	return b.String() + body
}

type question struct {
	method, target, body string
	header               []string
}

// conversation is a long one: every kind of alert, of mistake and of filter.
func conversation() (all []question) {
	ask := func(method, target, body string, header ...string) {
		all = append(all, question{method, target, body, header})
	}
	see := func() {
		ask("GET", "/api/v2/alerts", "")
		ask("GET", "/api/v2/alerts/groups", "")
	}
	post := func(body string) { ask("POST", "/api/v2/alerts", body) }
	see()
	post(`[{"labels":{"alertname":"P1","a":"b","empty":""},"annotations":{"s":"x"},"startsAt":"1999-12-31T12:00:00.123456789+02:00","generatorURL":"http://g/x","zzz":1}]`)
	see()
	post(`[]`)
	post(`[{"labels":{}},{"labels":{"alertname":"ok2"}}]`)
	post(`[{"labels":{"alertname":"bad","":"x"}},{"labels":{"alertname":"t"},"startsAt":"2000-01-02T00:00:00Z","endsAt":"2000-01-01T00:00:00Z"},{"labels":{"alertname":"ok3"}}]`)
	post(`[{"labels":{"a":""}}]`)
	post(`[{"labels":{"alertname":"future"},"endsAt":"2000-01-01T06:00:00+01:00"}]`)
	post(`[{"labels":{"alertname":"late start"},"startsAt":"2000-01-01T06:00:00Z"}]`)
	post(`[{"labels":{"alertname":"epoch"},"startsAt":""}]`)
	post(`[{"labels":{"alertname":"over"},"startsAt":"1999-12-31T20:00:00Z","endsAt":"1999-12-31T23:00:00Z"}]`)
	post(`[{"labels":{"alertname":"<&>\u2028\u0007\"\\\b\f é \ud800"},"annotations":{"<":"&","empty":""},"generatorURL":"http://g/?a=1&b=<#x y"}]`)
	post(`[{"labels":{"alertname":"DB","team":"db","job":"j","instance":"2"}},{"labels":{"alertname":"DB","team":"db","job":"j","instance":"1"}},{"labels":{"alertname":"WEB","team":"web"}}]`)
	post(`[{"labels":{"alertname":"quiet","silenced_by":"e04c40f2"}},{"labels":{"alertname":"quiet","inhibited_by":"0c8dbb63282260e0"}}]`)
	post(`[{"labels":{"a_utf8.name":"x","ключ":"ü"}}]`)
	see()
	for _, body := range badBodies {
		post(body)
	}
	see()
	ask("POST", "/api/v2/alerts", "")
	ask("POST", "/api/v2/alerts", "", "Content-Type", "text/plain")
	ask("POST", "/api/v2/alerts", "", "Accept", "text/html")
	for _, media := range []string{"text/plain", "", "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json", ";", "application/json;;", "text", "/json", "application/json, text/plain"} {
		ask("POST", "/api/v2/alerts", `[]`, "Content-Type", media)
	}
	for _, wanted := range []string{"application/json", "*/*", "text/html", "application/*;q=0.5", "application/json;q=0", "application/json;q=0.000", "*/json", "text/html, */*;q=0.1", "nonsense", `application/json;v="a,b"`, "application/json;charset=utf-8"} {
		ask("GET", "/api/v2/alerts", "", "Accept", wanted)
		ask("POST", "/api/v2/alerts", `[]`, "Accept", wanted)
	}
	for _, path := range []string{"alerts", "alerts/groups"} {
		for _, q := range []string{
			"active=false", "active=maybe", "active=", "active=true&active=false", "silenced=false", "inhibited=no", "unprocessed=false",
			"silenced=false&inhibited=false", "muted=false", "active=ENABLED&silenced=0",
			"receiver=web", "receiver=we", "receiver=d.*", "receiver=%28", "receiver=", "receiver=nobody", "receiver=web&receiver=db",
			"filter=%7B", "filter=alertname%3D%22DB%22", "filter=team%3D~%22d.%7Cweb%22", "filter=team%3D%22%22", "filter=team!%3D%22%22",
			"filter=team%3D%22db%22&filter=instance!~%222%22", "filter=", "filter=alertname", "filter=foo%3Dbar%5Cn", "filter=%22ключ%22%3D%22ü%22",
			"receiver_matchers=tier%3D%22gold%22", "receiver_matchers=tier!%3D%22gold%22", "receiver_matchers=name%3D~%22.*b%22", "receiver_matchers=%7B",
			"receiver_matchers=tier%3D%22%22", "receiver=%28&filter=%7B",
		} {
			ask("GET", "/api/v2/"+path+"?"+q, "")
		}
	}
	for _, q := range []string{"", "?receiver_matchers=tier%3D%22gold%22", "?receiver_matchers=%7B", "?receiver_matchers=name%3D~%22web%7Cdb%22"} {
		ask("GET", "/api/v2/receivers"+q, "")
	}
	for _, path := range []string{"alerts", "alerts/", "alerts/groups", "receivers", "status", "nope", "alerts/nope", "swagger.json", "", "a%20b", "alerts/%67roups", "alerts//groups", "alerts/../receivers", "Alerts"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "get"} {
			if path == "status" && method == "GET" {
				continue // it tells when the process began; see TestStatus
			}
			ask(method, "/api/v2/"+path, "")
		}
		if path != "alerts" && path != "alerts/" {
			ask("POST", "/api/v2/"+path, `[]`)
		}
	}
	return all
}

// badBodies are refused, each for a reason of its own, or taken though one would not think so.
var badBodies = []string{
	`[{`, `{}`, `[`, `]`, ` `, "\n\n", `null`, `5`, `"x"`, `true`, `[5]`, `["x"]`, `[[]]`, `[{}]`, `[{"labels":null}]`, `nope`, `[nope]`, `[{]`, `[{"labels":{"a":"b"}},]`,
	`[] trailing`, `[]]`, `[]{`, `[{"labels":{"alertname":"trail"}}] {`, "\ufeff[]", `[{"labels":{"a":"b"}`,
	`[{"labels":{"alertname":5}}]`, `[{"labels":{"alertname":true}}]`, `[{"labels":{"alertname":{}}}]`, `[{"labels":{"alertname":null}}]`, `[{"labels":{"alertname":[]}}]`,
	`[{"labels":5}]`, `[{"labels":[]}]`, `[{"labels":"x"}]`, `[{"labels":{"a":"b"},"annotations":5}]`, `[{"labels":{"a":"b"},"annotations":{"a":1.5e3}}]`,
	`[{"annotations":{"a":"b"}}]`, `[{"labels":{"a":"b"},"annotations":null,"startsAt":null,"endsAt":null,"generatorURL":null}]`,
	`[{"labels":{"alertname":"x"},"startsAt":"nope"}]`, `[{"labels":{"alertname":"x"},"startsAt":5}]`, `[{"labels":{"alertname":"x"},"endsAt":{}}]`, `[{"labels":{"alertname":"x"},"endsAt":["a"]}]`,
	`[{"labels":{"alertname":"x"},"startsAt":"2026-13-01"}]`, `[{"labels":{"alertname":"x"},"startsAt":"2026-11-20T25:00:00Z"}]`,
	`[{"labels":{"alertname":"day"},"startsAt":"1999-12-31"}]`, `[{"labels":{"alertname":"minute"},"startsAt":"1999-12-31T10:00"}]`, `[{"labels":{"alertname":"space"},"startsAt":"1999-12-31 10:00:00"}]`,
	`[{"labels":{"alertname":"zone"},"startsAt":"1999-12-31T10:00:00.5+0530"}]`, `[{"labels":{"alertname":"comma"},"startsAt":"1999-12-31T10:00:00,25Z"}]`, `[{"labels":{"alertname":"year0"},"startsAt":"0000-01-01T00:00:00Z"}]`,
	`[{"labels":{"alertname":"year1"},"startsAt":"0001-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"}]`, `[{"labels":{"alertname":"y9999"},"endsAt":"9999-12-31T23:59:59.999999999-23:59"}]`,
	`[{"labels":{"alertname":"x"},"generatorURL":"not a url"}]`, `[{"labels":{"alertname":"x"},"generatorURL":5}]`, `[{"labels":{"alertname":"x"},"generatorURL":"<b>&"}]`, `[{"labels":{"alertname":"rel"},"generatorURL":"/a b"}]`,
	`[{"labels":{"alertname":"frag"},"generatorURL":"http://h#@x"}]`, `[{"labels":{"alertname":"x"},"generatorURL":"#only"}]`, `[{"generatorURL":"bad"}]`, `[{"labels":{"a":"b"}},{"generatorURL":"bad","labels":{"a":"b"}}]`,
	`[{"labels":{"a":"1"},"labels":{"b":"2"}}]`, `[{"LABELS":{"case":"folds"}}]`, `[{"labels":{"a":"1"},"labels":null}]`, `[{"labels":{"dup":"1","dup":"2"}}]`,
	`[{"labels":{"a":1},"startsAt":"nope"}]`, `[{"annotations":{"a":1},"labels":5}]`, `[{"startsAt":1,"endsAt":"nope"}]`, `[{"labels":{"a":"b"}}, 5, {"labels":7}]`,
	`[{"labels":{"a\u0000":"x"}}]`, `[{"labels":{"a":"b"},"annotations":{"":"x"}}]`, "[{\"labels\":{\"a\":\"\xff\"}}]", "[{\"labels\":{\"a\xff\":\"b\"}}]", "[{\"labels\":{\"a\":\"\x01\"}}]",
	`[{"labels":{"a":"b"},"annotations":{"x":"y"},"annotations":{"z":"w"}}]`, `[{"labels":{"a":"\ud83d\ude00"}}]`, `[{"labels":{"a":"\x"}}]`, `[{"labels":{"a":"b","silenced_by":""}}]`, `[{"unknown":[[[{"deep":1}]]],"labels":{"a":"c"}}]`,
	`[{"labels":{"a":"b"},"startsAt":"1999-12-31T23:00:00Z","endsAt":"1999-12-31T23:00:00Z"}]`,
}

// FuzzBodiesAreReadAsUpstreamReadsThem compares decodeAlerts with the generated models and their validation: the same
// bodies must be accepted, with the same alerts, and the same message must go with the others.
func FuzzBodiesAreReadAsUpstreamReadsThem(f *testing.F) {
	for _, q := range conversation() {
		if q.method == "POST" {
			f.Add([]byte(q.body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if checkDepth(body) != nil || bytes.Contains(body, []byte("null")) && upstreamPanics(body) {
			return
		}
		alerts, fault := decodeAlerts(body)
		list, err := upstreamDecode(body)
		if (fault == nil) != (err == nil) {
			t.Fatalf("%q: we say %v, upstream %v", body, fault, err)
		}
		if err != nil {
			want, got := httptest.NewRecorder(), httptest.NewRecorder()
			oaerrors.ServeError(want, nil, err)
			fault.serve(got, httptest.NewRequest("POST", "/", nil))
			if transcript(got) != transcript(want) {
				t.Fatalf("%q\n got: %s\nwant: %s", body, transcript(got), transcript(want))
			}
			return
		}
		theirs := v2.OpenAPIAlertsToAlerts(context.Background(), list)
		if len(theirs) != len(alerts) {
			t.Fatalf("%q: %d alerts, want %d", body, len(alerts), len(theirs))
		}
		for i, want := range theirs {
			got := alerts[i]
			same := got.Labels.Equal(setOf(want.Labels)) && got.Annotations.Equal(setOf(want.Annotations)) &&
				written(got.StartsAt) == written(want.StartsAt) && written(got.EndsAt) == written(want.EndsAt) && got.GeneratorURL == want.GeneratorURL
			if !same {
				t.Fatalf("%q: alert %d is %+v, want %+v", body, i, got, want)
			}
		}
	})
}

func written(t time.Time) string { return cmp.Or(t.Format(time.RFC3339Nano), "") }

// upstreamDecode is what the generated server does with a body.
func upstreamDecode(body []byte) (models.PostableAlerts, error) {
	var list models.PostableAlerts
	err := runtime.JSONConsumer().Consume(bytes.NewReader(body), &list)
	switch {
	case errors.Is(err, io.EOF):
		return nil, oaerrors.CompositeValidationError(oaerrors.Required("alerts", "body", ""))
	case err != nil:
		return nil, oaerrors.CompositeValidationError(oaerrors.NewParseError("alerts", "body", "", err))
	}
	if err := list.Validate(strfmt.Default); err != nil {
		return nil, oaerrors.CompositeValidationError(err)
	}
	return list, nil
}

// upstreamPanics reports whether a null stands where an alert should: upstream falls over that.
func upstreamPanics(body []byte) bool {
	var list []*json.RawMessage
	return json.NewDecoder(bytes.NewReader(body)).Decode(&list) == nil && slices.Contains(list, nil)
}

// FuzzStringsAreWrittenAsEncodingJSONDoes keeps our writer honest.
func FuzzStringsAreWrittenAsEncodingJSONDoes(f *testing.F) {
	for _, s := range []string{"", "a", "<&>", "\u2028\u2029", "\x00\x1f\x7f", "\xff\xc0\x80", "é\t\b\f\n\r\"\\/", "😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, escape := range []bool{true, false} {
			var want bytes.Buffer
			enc := json.NewEncoder(&want)
			enc.SetEscapeHTML(escape)
			if err := enc.Encode(s); err != nil {
				t.Fatal(err)
			}
			if got := appendString(nil, s, escape); string(got)+"\n" != want.String() {
				t.Fatalf("escape %v: got %s, want %s", escape, got, want.String())
			}
		}
	})
}
