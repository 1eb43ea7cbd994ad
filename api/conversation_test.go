package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
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
		ours := side{handler: w.api}
		for i, q := range conversation() {
			if got := ours.ask(q); i >= len(scenes) || q.scene(got) != scenes[i] {
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
	return b.String() + strings.NewReplacer("[POST,GET] are", "[GET,POST] are", "[GET,DELETE] are", "[DELETE,GET] are").Replace(rec.Body.String())
}

// A side is one of the two that are asked the same. What is asked calls a silence {1}, {2}, … in the order in which they
// were made, and so do the answers: the IDs are random.
type side struct {
	handler http.Handler
	ids     []string
}

func (s *side) ask(q question) *httptest.ResponseRecorder {
	var names []string
	for i, id := range s.ids {
		names = append(names, fmt.Sprintf("{%d}", i+1), id)
	}
	ids := strings.NewReplacer(names...)
	rec := request(s.handler, q.method, ids.Replace(q.target), ids.Replace(q.body), q.header...)
	var made struct{ SilenceID string }
	if json.Unmarshal(rec.Body.Bytes(), &made) == nil && made.SilenceID != "" && !slices.Contains(s.ids, made.SilenceID) {
		s.ids = append(s.ids, made.SilenceID)
		names = append(names, fmt.Sprintf("{%d}", len(s.ids)), made.SilenceID)
	}
	slices.Reverse(names) // from ID to name
	rec.Body = bytes.NewBufferString(strings.NewReplacer(names...).Replace(rec.Body.String()))
	return rec
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
	post(`[{"labels":{"alertname":"quiet","cluster":"a"}},{"labels":{"alertname":"slow","severity":"slow","cluster":"a"}},{"labels":{"alertname":"down","severity":"down","cluster":"a"}}]`)
	ask("POST", "/api/v2/silences", `{"matchers":[{"name":"cluster","value":"a","isRegex":false}],"startsAt":"1999-12-01T00:00:00Z","endsAt":"2000-01-01T06:00:00+01:00","createdBy":"ana","comment":"moving"}`)
	ask("POST", "/api/v2/silences", `{"matchers":[{"name":"alertname","value":"quiet|nothing","isRegex":true}],"startsAt":"1999-12-01T00:00:00Z","endsAt":"2000-01-02T00:00:00Z","createdBy":"<bo>","comment":"& <more>","annotations":{"b":"<","a":"&"}}`)
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
	for _, body := range []string{`[]`, `{`} {
		ask("GET", "/api/v2/alerts", body)
		ask("GET", "/api/v2/alerts", body, "Content-Type", "text/plain")
	}
	return append(all, aboutSilences()...)
}

// aboutSilences is the rest of it.
func aboutSilences() (all []question) {
	ask := func(method, target, body string, header ...string) {
		all = append(all, question{method, target, body, header})
	}
	see := func() {
		ask("GET", "/api/v2/silences", "")
		ask("GET", "/api/v2/alerts", "")
	}
	ends := 0 // upstream's order of what ends at one instant is nobody's
	post := func(body string) {
		ends++
		ask("POST", "/api/v2/silences", strings.ReplaceAll(body, "2000-01-05T00:00:00Z", fmt.Sprintf("2000-01-05T00:%02d:%02dZ", ends/60, ends%60)))
	}
	see()
	post(`{"id":"","matchers":[{"name":"team","value":"db","isRegex":false,"isEqual":true},{"name":"instance","value":"1","isRegex":false,"isEqual":false}],"startsAt":"2000-01-02T00:00:00+01:00","endsAt":"2000-01-02T12:00:00.123456789Z","createdBy":"ana","comment":"to come"}`)
	post(`{"matchers":[{"name":"team","value":"w.b","isRegex":true},{"name":"x","value":"y.*","isRegex":true,"isEqual":false}],"startsAt":"2000-01-01T00:00:00Z","endsAt":"2000-01-02T12:00:00Z","createdBy":"","comment":""}`)
	see()
	// A change: of the words and the end it is one; of the rest it is a new silence.
	post(`{"id":"{4}","matchers":[{"name":"team","value":"w.b","isRegex":true},{"name":"x","value":"y.*","isRegex":true,"isEqual":false}],"startsAt":"2000-01-01T00:00:00Z","endsAt":"2000-01-03T12:00:00Z","createdBy":"bo","comment":"longer"}`)
	post(`{"id":"{3}","matchers":[{"name":"team","value":"db","isRegex":false,"isEqual":true},{"name":"instance","value":"1","isRegex":false,"isEqual":false}],"startsAt":"2000-01-02T01:00:00+01:00","endsAt":"2000-01-02T12:00:00Z","createdBy":"ana","comment":"later","annotations":{}}`)
	post(`{"id":"{1}","matchers":[{"name":"cluster","value":"a","isRegex":false}],"startsAt":"1999-12-01T00:00:00Z","endsAt":"2000-01-01T07:00:00Z","createdBy":"ana","comment":"another start"}`)
	post(`{"id":"{2}","matchers":[{"name":"alertname","value":"quiet","isRegex":false}],"startsAt":"1999-12-01T00:00:00Z","endsAt":"2000-01-02T00:00:00Z","createdBy":"bo","comment":"other matchers","annotations":{"":"","\u2028":"<"}}`)
	post(`{"id":"{1}","matchers":[{"name":"cluster","value":"a","isRegex":false}],"startsAt":"1999-12-01T00:00:00Z","endsAt":"2000-01-01T08:00:00Z","createdBy":"ana","comment":"it is over"}`)
	post(`{"id":"11111111-1111-4111-8111-111111111111","matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"1999-12-01T00:00:00Z","endsAt":"2000-01-01T07:00:00Z","createdBy":"ana","comment":"unknown"}`)
	post(`{"id":"nonsense <&>","matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"1999-12-01T00:00:00Z","endsAt":"2000-01-01T07:00:00Z","createdBy":"ana","comment":"unknown"}`)
	see()
	for _, matchers := range []string{
		`[]`, `null`, `{}`, `5`, `["a=b"]`, `[5]`, `[[]]`, `[{}]`, `[{"name":"a"}]`, `[{"name":"a","value":"b"}]`, `[{"name":"a","isRegex":false}]`, `[{"value":"b","isRegex":false}]`,
		`[{"name":"a","value":"b","isRegex":false},{}]`, `[{"name":"a","value":"b","isRegex":false},{"name":null,"value":"b","isRegex":false}]`,
		`[{"name":5,"value":"b","isRegex":false}]`, `[{"name":"a","value":true,"isRegex":false}]`, `[{"name":"a","value":"b","isRegex":"false"}]`, `[{"name":"a","value":"b","isRegex":false,"isEqual":1}]`,
		`[{"name":"","value":"b","isRegex":false}]`, `[{"name":"a b","value":"c","isRegex":false}]`, `[{"name":"ключ","value":"b","isRegex":false}]`,
		`[{"name":"a","value":"","isRegex":false}]`, `[{"name":"a","value":".*","isRegex":true}]`, `[{"name":"a","value":"(","isRegex":true}]`, `[{"name":"a","value":"b|","isRegex":true},{"name":"b","value":"","isRegex":false}]`,
		`[{"name":"a","value":"","isRegex":false,"isEqual":false}]`, `[{"name":"a","value":".+","isRegex":true,"isEqual":false}]`, "[{\"name\":\"a\",\"value\":\"\xff\",\"isRegex\":false}]",
		`[{"name":"a","value":"b","isRegex":false},{"name":"a","value":"b","isRegex":false}]`, `[{"NAME":"a","Value":"b","ISREGEX":false,"zzz":1}]`,
	} {
		post(`{"matchers":` + matchers + `,"startsAt":"2000-01-01T00:00:00Z","endsAt":"2000-01-05T00:00:00Z","createdBy":"ana","comment":"c"}`)
	}
	for _, times := range []string{
		`"startsAt":"2000-01-01T00:00:00Z"`, `"endsAt":"2000-01-05T00:00:00Z"`, `"startsAt":null,"endsAt":null`, `"startsAt":"","endsAt":""`, `"startsAt":"","endsAt":"2000-01-05"`,
		`"startsAt":"nope","endsAt":"2000-01-05"`, `"startsAt":"2000-01-01","endsAt":5`, `"startsAt":{},"endsAt":"2000-01-05"`, `"startsAt":["2000-01-01"],"endsAt":"2000-01-05"`,
		`"startsAt":"2000-01-05","endsAt":"2000-01-05"`, `"startsAt":"2000-01-06","endsAt":"2000-01-05"`, `"startsAt":"1999-01-06","endsAt":"1999-02-05"`, `"startsAt":"0001-01-01T00:00:00Z","endsAt":"2000-01-06"`,
		`"startsAt":"0001-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"`, `"startsAt":"0001-01-01T00:00:00Z","endsAt":"9999-12-31T23:59:59.999999999Z"`,
		`"startsAt":"2000-01-01 10:00:00","endsAt":"2000-01-05T10:00"`, `"startsAt":"2000-01-02T10:00:00.5+0530","endsAt":"2000-01-05T10:00:00,25Z"`,
	} {
		post(`{"matchers":[{"name":"a","value":"b","isRegex":false}],` + times + `,"createdBy":"ana","comment":"c"}`)
	}
	const rest = `"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"2000-01-01T00:00:00Z","endsAt":"2000-01-05T00:00:00Z"`
	for _, body := range []string{
		`{`, `{}`, `[`, `[]`, ` `, "\n", `null`, `5`, `"x"`, `true`, `nope`, `{"id":5}`, `{"id":null,"comment":5}`, `{"id":{}}`, `{` + rest + `}`, `{` + rest + `,"comment":"c"}`, `{` + rest + `,"createdBy":"c"}`,
		`{` + rest + `,"createdBy":null,"comment":null}`, `{` + rest + `,"createdBy":"a","comment":7}`, `{` + rest + `,"createdBy":[],"comment":"c"}`, `{` + rest + `,"createdBy":"a","comment":"c"`,
		`{` + rest + `,"createdBy":"a","comment":"c","annotations":5}`, `{` + rest + `,"createdBy":"a","comment":"c","annotations":{"a":5}}`, `{` + rest + `,"createdBy":"a","comment":"c","annotations":["a"]}`,
		`{` + rest + `,"createdBy":"a","comment":"c","annotations":null,"status":{"state":"expired"},"updatedAt":5} trailing`, `{` + rest + `,"createdBy":"a","COMMENT":"folds","comment":"twice","comment":"thrice"}`,
		`{` + rest + `,"createdBy":"a","comment":"c","matchers":[{"value":"merged"}]}`, "{" + rest + ",\"createdBy\":\"\xff\",\"comment\":\"\\ud800\"}",
	} {
		post(body)
	}
	ask("POST", "/api/v2/silences", "")
	ask("POST", "/api/v2/silences", "", "Accept", "text/html")
	ask("POST", "/api/v2/silences", "{}", "Content-Type", "text/plain")
	ask("POST", "/api/v2/silences", "{}", "Content-Type", "")
	ask("POST", "/api/v2/silences", "{}", "Accept", "text/html")
	see()
	for _, q := range []string{
		"active=false", "pending=false", "expired=false", "active=false&pending=0&expired=no", "expired=maybe", "active=", "active=true&active=false", "silenced=false",
		"filter=team%3D%22db%22", "filter=team%3D~%22w.b%22", "filter=team%3D~%22w.*%22", "filter=team%3D%22web%22", "filter=cluster%3Da&expired=false", "filter=instance!%3D%221%22&filter=team%3Ddb",
		"filter=x!~%22y.*%22", "filter=team%3Ddb&filter=cluster%3Da", "filter=", "filter=%7B", "filter=%7Bteam%3D%22db%22%7D", "filter=team%3Ddb,instance!%3D1", "filter=foo%3Dbar%5Cn", "filter=a%3D%22b%22",
	} {
		ask("GET", "/api/v2/silences?"+q, "")
	}
	for _, id := range []string{"{1}", "{2}", "{4}", "{9}", "xyz", "11111111-1111-4111-8111-111111111111", "11111111111141118111111111111111", "urn:uuid:11111111-1111-4111-8111-111111111111", "%7B11111111-1111-4111-8111-111111111111%7D", "11111111-1111-4111-8111-11111111111g", "a:b", "a%2Fb", "%00", "%FF%3Cb%3E", "x/y", "x/", ""} {
		ask("GET", "/api/v2/silence/"+id, "")
	}
	for _, id := range []string{"{4}", "{4}", "{3}", "{3}", "{1}", "xyz", "11111111-1111-4111-8111-111111111111"} {
		ask("DELETE", "/api/v2/silence/"+id, "")
		ask("GET", "/api/v2/silence/"+id, "")
	}
	see()
	for _, path := range []string{"silences", "silences/", "silence", "silence/", "silence/{2}", "silence/{2}/", "silence/xyz", "silence/x/y", "silences/x"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "OPTIONS", "POST", "DELETE", "delete"} {
			ask(method, "/api/v2/"+path, "")
		}
		ask("GET", "/api/v2/"+path, "", "Accept", "text/html")
	}
	ask("DELETE", "/api/v2/silence/{2}", "", "Accept", "text/html")
	ask("DELETE", "/api/v2/silence/{2}", "{}")
	ask("DELETE", "/api/v2/silence/{2}", "x", "Content-Type", "text/plain")
	ask("DELETE", "/api/v2/silence/{2}", "", "Content-Type", "text/plain")
	see()
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
	`[{"labels":{"a":"b"},"annotations":{"x":"y"},"annotations":{"z":"w"}}]`, `[{"labels":{"a":"\ud83d\ude00"}}]`, `[{"labels":{"a":"\x"}}]`, `[{"labels":{"a":"b","empty":""}}]`, `[{"unknown":[[[{"deep":1}]]],"labels":{"a":"c"}}]`,
	`[{"labels":{"a":"b"},"startsAt":"1999-12-31T23:00:00Z","endsAt":"1999-12-31T23:00:00Z"}]`,
}
