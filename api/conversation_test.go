package api

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const conversationFile = "testdata/conversation.txt"

// TestConversation asks what Alertmanager 0.34.2 was asked, and compares with what it answered. The file is written by
// TestWeAnswerAsAlertmanagerDoes, which asks the real one (go test -tags oracle).
func TestConversation(t *testing.T) {
	recorded, err := os.ReadFile(conversationFile)
	if err != nil {
		t.Fatal(err)
	}
	scenes := strings.SplitAfter(string(recorded), "\n\n")
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(time.Second)
		for i, q := range conversation() {
			if got := w.do(q.method, q.target, q.body, q.header...); i >= len(scenes) || q.scene(got) != scenes[i] {
				t.Fatalf("got:\n%s\nwant:\n%s\nin full:\n%s", q.scene(got), scenes[min(i, len(scenes)-1)], got.Body)
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
	return b.String() + strings.Replace(rec.Body.String(), "[POST,GET] are", "[GET,POST] are", 1)
}

type question struct {
	method, target, body string
	header               []string
}

func (q question) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", q.method, q.target, strings.Join(q.header, ": "), strconv.QuoteToGraphic(q.body)))
}

// scene is a question with its answer, as the file keeps it: long answers by their hash, and ↵ for a newline at the end.
func (q question) scene(rec *httptest.ResponseRecorder) string {
	answer := transcript(rec)
	if len(answer) > 3000 {
		answer = fmt.Sprintf("%s\n%d bytes, SHA-256 %x\n", strings.SplitN(answer, "\n[", 2)[0], len(answer), sha256.Sum256([]byte(answer)))
	}
	if strings.HasSuffix(answer, "\n") && rec.Body.Len() > 0 {
		answer = strings.TrimSuffix(answer, "\n") + "↵"
	}
	return "> " + q.String() + "\n" + strings.TrimRight(strings.ReplaceAll(answer, "\n\n", "\n"), "\n") + "\n\n"
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
	for _, path := range []string{"alerts", "alerts/", "alerts/groups", "receivers", "status", "nope", "alerts/nope", "swagger.json", "", "a%20b", "alerts/%67roups", "Alerts"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "get"} {
			if path == "status" && strings.EqualFold(method, "GET") {
				continue // it tells of the Go version; see TestStatus
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
