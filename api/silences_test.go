package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	v2 "github.com/prometheus/alertmanager/api/v2"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/alertmanager/pkg/labels"
	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
)

// A deed is one request about silences, or about what they are about. Its numbers choose from what the doing of it
// offers, so that any numbers are a deed.
type deed struct{ Kind, Which, Matchers, Start, End, Words, Pass int }

func drawDeed(t *rapid.T) deed {
	n := func(name string) int { return rapid.IntRange(0, 23).Draw(t, name) }
	return deed{n("kind"), n("which"), n("matchers"), n("start"), n("end"), n("words"), n("pass")}
}

// pick takes the nth of what there is, round and round.
func pick[T any](from []T, n int) T { return from[n%len(from)] }

var (
	someMatchers = []string{
		`[{"name":"team","value":"db","isRegex":false}]`,
		`[{"name":"team","value":"db|web","isRegex":true,"isEqual":true}]`,
		`[{"name":"team","value":"db","isRegex":false},{"name":"instance","value":"1","isRegex":false,"isEqual":false}]`,
		`[{"name":"instance","value":"1","isRegex":false,"isEqual":false},{"name":"team","value":"db","isRegex":false}]`,
		`[{"name":"alertname","value":".+","isRegex":true},{"name":"instance","value":"[12]","isRegex":true,"isEqual":false}]`,
		`[{"name":"team","value":".*","isRegex":true}]`,
		`[{"name":"team","value":"","isRegex":false,"isEqual":false}]`,
	}
	someFilters = []string{
		"", `team="db"`, `team=~"db|web"`, `instance!="1"`, `team="web"`, `instance!~"[12]"`, `team!=""`, `team`, `{team="db"}`,
	}
	someSpans = []time.Duration{
		-time.Hour, -time.Second, 0, time.Second, 30 * time.Second, 10 * time.Minute, 90 * time.Minute, 5 * time.Hour,
	}
	somePasses = []time.Duration{
		time.Millisecond, 999 * time.Millisecond, time.Second, 31 * time.Second, 10 * time.Minute, time.Hour,
	}
	someWords = []string{
		`"createdBy":"ana","comment":"c"`, `"createdBy":"","comment":"<b> & \u2028"`, `"createdBy":"bo","comment":"é","annotations":{"runbook":"http://r/?a&b","":""}`,
		`"createdBy":"bo","comment":"d","annotations":{}`, `"createdBy":" ","comment":" "`,
	}
)

// question is the deed as a request. What is written about times is about now, and no two ends are the same instant, nor
// does anything ever happen at one: Alertmanager's own parts disagree about the instant at which a silence ends.
func (d deed) question(n int, w *world, ids []string) question {
	now := time.Now()
	one := "11111111-1111-4111-8111-111111111111"
	name := one
	if d.Which < 20 && len(ids) > 0 {
		name, one = fmt.Sprintf("{%d}", d.Which%len(ids)+1), pick(ids, d.Which)
	}
	at := func(span int) string {
		return now.Add(pick(someSpans, span) + time.Duration(n)).Format(time.RFC3339Nano)
	}
	start, matchers := at(d.Start), pick(someMatchers, d.Matchers)
	switch {
	case d.Kind < 5:
		return question{"POST", "/api/v2/silences", fmt.Sprintf(`{"matchers":%s,"startsAt":"%s","endsAt":"%s",%s}`,
			matchers, start, at(d.End+2), pick(someWords, d.Words)), nil}
	case d.Kind < 10:
		if known, ok := w.engine.Router().Silence(one); ok && d.Kind < 9 { // as most clients edit: with what they were shown
			start = known.StartsAt.Format(timeFormat)
			if d.Kind < 8 {
				var shown struct{ Matchers json.RawMessage }
				w.want(200, "GET", "/api/v2/silence/"+one, "", &shown)
				matchers = string(shown.Matchers)
			}
		}
		return question{"POST", "/api/v2/silences", fmt.Sprintf(`{"id":"%s","matchers":%s,"startsAt":"%s","endsAt":"%s",%s}`,
			name, matchers, start, at(d.End+2), pick(someWords, d.Words)), nil}
	case d.Kind < 13:
		return question{"DELETE", "/api/v2/silence/" + name, "", nil}
	case d.Kind < 15:
		return question{"GET", "/api/v2/silence/" + name, "", nil}
	case d.Kind < 20:
		q := url.Values{"active": {fmt.Sprint(d.Start%3 > 0)}, "pending": {fmt.Sprint(d.End%3 > 0)}, "expired": {fmt.Sprint(d.Words%3 > 0)}}
		for _, f := range []int{d.Matchers, d.Which} {
			if text := pick(someFilters, f); text != "" {
				q.Add("filter", text)
			}
		}
		return question{"GET", "/api/v2/silences?" + q.Encode(), "", nil}
	default:
		return question{"GET", pick([]string{
			"/api/v2/silences", "/api/v2/alerts", "/api/v2/alerts?silenced=false", "/api/v2/alerts?active=false", "/api/v2/alerts/groups",
		}, d.Which), "", nil}
	}
}

// sameDays is how many of the random days are the same each time.
const sameDays = 12

// TestSilencesAreAsAlertmanagers lets people make, change, end and look at silences at random, and asks both sides. First come
// days that are the same each time: that everything comes about which can is not left to chance.
func TestSilencesAreAsAlertmanagers(t *testing.T) {
	day := rapid.SliceOfN(rapid.Custom(drawDeed), 1, 60)
	asked := map[string]int{}
	compare := func(deeds []deed) (differ string) {
		synctest.Test(t, func(t *testing.T) { differ = compareSilences(t, deeds, asked) })
		return differ
	}
	for seed := range sameDays {
		if differ := compare(day.Example(seed)); differ != "" {
			t.Fatalf("on day %d: %s", seed, differ)
		}
	}
	for _, often := range []string{"POST 200", "POST 400", "POST 404", "POST edit 200", "DELETE 200", "DELETE 404", "GET 200", "GET 404"} {
		if asked[often] == 0 {
			t.Errorf("never came about: %s (of %v)", often, asked)
		}
	}
	t.Logf("asked on the same days: %v", asked)
	rapid.Check(t, func(rt *rapid.T) {
		if differ := compare(day.Draw(rt, "deeds")); differ != "" {
			rt.Fatal(differ)
		}
	})
}

func compareSilences(t *testing.T, deeds []deed, asked map[string]int) string {
	w := start(t)
	ours, theirs := side{handler: w.api}, side{handler: upstream(t, w)}
	w.pass(time.Second)
	alerts := question{"POST", "/api/v2/alerts", `[{"labels":{"alertname":"DB","team":"db","instance":"1"},"endsAt":"2001-01-01T00:00:00Z"},
		{"labels":{"alertname":"DB","team":"db","instance":"2"},"endsAt":"2001-01-01T00:00:00Z"},
		{"labels":{"alertname":"WEB","team":"web","instance":"3"},"endsAt":"2001-01-01T00:00:00Z"},{"labels":{"alertname":"none"},"endsAt":"2001-01-01T00:00:00Z"}]`, nil}
	ours.ask(alerts)
	theirs.ask(alerts)
	for n, d := range deeds {
		w.pass(pick(somePasses, d.Pass))
		q := d.question(n+1, w, ours.ids)
		want, got := theirs.ask(q), ours.ask(q)
		kind := q.method
		if strings.Contains(q.body, `"id":"{`) {
			kind += " edit"
		}
		asked[fmt.Sprint(kind, " ", got.Code)]++
		if a, b := transcript(got), transcript(want); a != b {
			return fmt.Sprintf("%s at %s\n got: %s\nwant: %s", q, time.Now().Format(time.RFC3339Nano), a, b)
		}
		w.pass(time.Millisecond)
	}
	return ""
}

// TestSilencesOfEqualEndsStayInTheirOrder is about what Alertmanager shows in another order each time.
func TestSilencesOfEqualEndsStayInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var made, list []struct{ SilenceID, ID string }
		for i := range 60 { // they end in turn on the 5th, the 4th and the 3rd
			rec := w.do("POST", "/api/v2/silences", fmt.Sprintf(`{"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"2000-01-01","endsAt":"2000-01-0%d","createdBy":"","comment":""}`, 5-i%3))
			made = append(made, struct{ SilenceID, ID string }{})
			if err := json.Unmarshal(rec.Body.Bytes(), &made[i]); err != nil {
				t.Fatal(err)
			}
		}
		w.want(200, "GET", "/api/v2/silences", "", &list)
		for i, s := range list {
			if want := made[i%20*3+2-i/20].SilenceID; s.ID != want {
				t.Fatalf("silence %d of the list is %s, want %s", i, s.ID, want)
			}
		}
	})
}

func TestTimesOfSilencesAreInUTC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		there := time.Now().In(time.FixedZone("", 3600))
		w.gossip(router.Silence{
			ID: "22222222-2222-4222-8222-222222222222", Matchers: []router.MatcherSet{{{Name: "team", Value: "db"}}}, StartsAt: there.Add(1999999),
			EndsAt: there.Add(time.Hour), UpdatedAt: there, ExpiresAt: there.Add(2 * time.Hour), Annotations: map[string]string{"b": "<", "a": ""},
		})
		const want = `[{"id":"22222222-2222-4222-8222-222222222222","status":{"state":"pending"},"updatedAt":"2000-01-01T00:00:00.000Z","annotations":{"a":"","b":"\u003c"},"comment":"","createdBy":"","endsAt":"2000-01-01T01:00:00.000Z",` +
			`"matchers":[{"isEqual":true,"isRegex":false,"name":"team","value":"db"}],"startsAt":"2000-01-01T00:00:00.001Z"}]` + "\n"
		if got := w.do("GET", "/api/v2/silences", "").Body.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// TestASilenceOfSeveralSets cannot be made by way of this API, but peers may know one. The list then fails in both.
func TestASilenceOfSeveralSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		const id = "22222222-2222-4222-8222-222222222222"
		set := func(value string) router.MatcherSet { return router.MatcherSet{{Name: "team", Value: value}} }
		w.gossip(router.Silence{
			ID: id, Matchers: []router.MatcherSet{set("db"), set("web")}, StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour),
			UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(2 * time.Hour),
		})
		for path, want := range map[string]int{
			"silences": 500, "silence/" + id: 500, "silences?filter=team%3Dweb": 500, "silences?filter=team%3Dx": 200, "silences?active=false": 200,
		} {
			rec := w.do("GET", "/api/v2/"+path, "")
			if rec.Code != want {
				t.Errorf("%s: %d, want %d", path, rec.Code, want)
			}
			const message = `"silence '` + id + `' has multiple matcher sets which is not supported by this API version"` + "\n"
			if want == 500 && rec.Body.String() != message {
				t.Errorf("%s: %s", path, rec.Body)
			}
		}
	})
}

// gossip is what a peer says.
func (w *world) gossip(all ...router.Silence) {
	w.Helper()
	if got := w.engine.Do(w.Context(), engine.Gossip{Silences: all}); got.Err != nil {
		w.Fatal(got.Err)
	}
}

const someSilence = `{"matchers":[{"name":"team","value":"db","isRegex":false}],"startsAt":"2000-01-01T00:00:00Z","endsAt":"2000-01-02T00:00:00Z","createdBy":"ana","comment":"moving"}`

func TestASilenceThatIsNotWrittenDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.store.full.Store(true)
		rec := w.do("POST", "/api/v2/silences", someSilence)
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), "memory only") || rec.Header().Get("Retry-After") == "" {
			t.Errorf("with a full disk: %s", transcript(rec))
		}
		held := w.engine.Router().Silences()
		if len(held) != 1 {
			t.Fatalf("%d silences are held, want 1", len(held))
		}
		if rec := w.do("DELETE", "/api/v2/silence/"+held[0].ID, ""); rec.Code != 503 {
			t.Errorf("ending it: %s", transcript(rec))
		}
		w.store.full.Store(false)
		w.pass(2 * time.Second)
		if rec := w.do("DELETE", "/api/v2/silence/"+held[0].ID, ""); rec.Code != 200 {
			t.Errorf("ending it again: %s", transcript(rec))
		}
	})
}

func TestSilencesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		silence := func(value, comment string, more int) string {
			return fmt.Sprintf(`{"matchers":[{"name":"a","value":"%s","isRegex":false}%s],"startsAt":"2000-01-01","endsAt":"2000-01-05","createdBy":"a","comment":"%s"}`,
				value, strings.Repeat(`,{"name":"a","value":"b","isRegex":false}`, more), comment)
		}
		for _, c := range []struct {
			body   string
			status int
			says   string
		}{
			{silence("b", "c", 255), 200, "silenceID"},
			{silence("b", "c", 256), 400, "has 257 matchers; at most 256 are taken"},
			{silence(strings.Repeat("b", maxLabelBytes), "c", 0), 200, "silenceID"},
			{silence(strings.Repeat("b", maxLabelBytes+1), "c", 0), 400, "has a value of 16385 bytes"},
			{silence("b", strings.Repeat("c", maxSilenceBytes), 0), 400, "at most 262144 are taken"},
			{silence("b", strings.Repeat("c", 2<<20), 0), 413, "the body is larger than 2097152 bytes\""},
			{silence("b", strings.Repeat(`\u0063`, maxSilenceBytes-4096), 0), 200, "silenceID"},
			{`{"zzz":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, 400, "nests deeper"},
		} {
			if rec := w.do("POST", "/api/v2/silences", c.body); rec.Code != c.status || !strings.Contains(rec.Body.String(), c.says) {
				t.Errorf("%.80s…: %d %.200s, want %d and %q", c.body, rec.Code, rec.Body, c.status, c.says)
			}
		}
		rec := w.do("GET", "/api/v2/silences?"+strings.Repeat("filter=a%3Db&", maxFilters+1), "")
		if rec.Code != 400 || !strings.Contains(rec.Body.String(), "at most 64") {
			t.Errorf("many filters: %d %s", rec.Code, rec.Body)
		}
	})
}

// TestASilenceForEver: with a zone an end can lie beyond what can be written down.
func TestASilenceForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for _, end := range []string{"9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"} {
			w.want(200, "POST", "/api/v2/silences", strings.Replace(someSilence, "2000-01-02T00:00:00Z", end, 1), nil)
		}
		var list []struct{ EndsAt time.Time }
		w.want(200, "GET", "/api/v2/silences", "", &list)
		if len(list) != 2 || list[0].EndsAt.Year() != 9999 || list[1].EndsAt.Year() != 9999 {
			t.Errorf("they end at %v", list)
		}
	})
}

// TestNullForAMatcher is what Alertmanager falls over.
func TestNullForAMatcher(t *testing.T) {
	_, f := decodeSilence([]byte(`{"matchers":[{"name":"a","value":"b","isRegex":false},null],"startsAt":"2000-01-01","endsAt":"2000-01-05","createdBy":"a","comment":"c"}`))
	if f == nil || f.code != codeRequired || f.message != "matchers.1 in body is required" {
		t.Errorf("got %+v", f)
	}
}

func TestMatcherTypesAreUpstreams(t *testing.T) {
	for ours, theirs := range map[labels.MatchType]labels.MatchType{
		matchEqual: labels.MatchEqual, matchNotEqual: labels.MatchNotEqual, matchRegexp: labels.MatchRegexp, matchNotRegexp: labels.MatchNotRegexp,
	} {
		if ours != theirs {
			t.Errorf("our %s is their %s", ours, theirs)
		}
	}
}

// FuzzSilencesAreReadAsUpstreamReadsThem compares decodeSilence with the generated model, its validation, and what it is
// converted to.
func FuzzSilencesAreReadAsUpstreamReadsThem(f *testing.F) {
	for _, q := range conversation() {
		if q.method == "POST" && strings.HasSuffix(q.target, "silences") {
			f.Add([]byte(q.body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if checkDepth(body) != nil {
			return
		}
		got, fault := decodeSilence(body)
		want, err := upstreamSilence(body)
		if want != nil && slices.Contains(want.Matchers, nil) {
			if fault == nil {
				t.Fatalf("%q: taken, with a null", body)
			}
			return
		}
		if (fault == nil) != (err == nil) {
			t.Fatalf("%q: we say %v, upstream %v", body, fault, err)
		}
		if err != nil {
			theirs, ours := httptest.NewRecorder(), httptest.NewRecorder()
			oaerrors.ServeError(theirs, nil, err)
			fault.serve(ours, httptest.NewRequest("POST", "/", nil))
			if transcript(ours) != transcript(theirs) {
				t.Fatalf("%q\n got: %s\nwant: %s", body, transcript(ours), transcript(theirs))
			}
			return
		}
		s, err := v2.PostableSilenceToProto(want)
		if err != nil {
			t.Fatal(err)
		}
		end := s.EndsAt.AsTime()
		if end.After(endOfTime) {
			end = endOfTime
		}
		same := got.ID == s.Id && got.StartsAt.Equal(s.StartsAt.AsTime()) && got.EndsAt.Equal(end) && got.CreatedBy == s.CreatedBy &&
			got.Comment == s.Comment && router.LabelsOf(got.Annotations).Equal(router.LabelsOf(s.Annotations)) && len(got.Matchers[0]) == len(s.MatcherSets[0].Matchers)
		for i, m := range got.Matchers[0] {
			theirs := s.MatcherSets[0].Matchers[i]
			kind := map[string]labels.MatchType{
				"EQUAL": labels.MatchEqual, "NOT_EQUAL": labels.MatchNotEqual, "REGEXP": labels.MatchRegexp, "NOT_REGEXP": labels.MatchNotRegexp,
			}[theirs.Type.String()]
			same = same && m == router.Matcher{Name: theirs.Name, Value: theirs.Pattern, Type: kind}
		}
		if !same {
			t.Fatalf("%q: %+v, want %v", body, got, s)
		}
	})
}

// upstreamSilence is what the generated server does with a body.
func upstreamSilence(body []byte) (*models.PostableSilence, error) {
	var s models.PostableSilence
	err := runtime.JSONConsumer().Consume(bytes.NewReader(body), &s)
	switch {
	case errors.Is(err, io.EOF):
		return nil, oaerrors.CompositeValidationError(oaerrors.Required("silence", "body", ""))
	case err != nil:
		return nil, oaerrors.CompositeValidationError(oaerrors.NewParseError("silence", "body", "", err))
	}
	if err := s.Validate(strfmt.Default); err != nil {
		return nil, oaerrors.CompositeValidationError(err)
	}
	return &s, nil
}

// FuzzIDsAreWhatUpstreamTakesForUUIDs is about the path of one silence.
func FuzzIDsAreWhatUpstreamTakesForUUIDs(f *testing.F) {
	for _, id := range []string{
		"", "xyz", "11111111-1111-4111-8111-111111111111", "ABCDEFab-1111-0000-ffff-111111111111", "11111111111141118111111111111111",
		"uRn:uuid:11111111-1111-4111-8111-111111111111", "{11111111-1111-4111-8111-111111111111}", "x11111111-1111-4111-8111-111111111111\xff",
		"1111111-11111-4111-8111-111111111111", "urn-uuid:11111111-1111-4111-8111-111111111111",
	} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if got, want := isUUID(id), strfmt.Default.Validates("uuid", id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	})
}
