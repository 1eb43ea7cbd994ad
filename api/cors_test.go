package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"testing/synctest"

	amapi "github.com/prometheus/alertmanager/api"
	"pgregory.net/rapid"
)

// TestBrowsersAreAnsweredAsUpstreamAnswersThem compares whole answers for all sorts of requests, with upstream's handler
// in our place.
func TestBrowsersAreAnsweredAsUpstreamAnswersThem(t *testing.T) {
	const pattern = `https?://(a|b)\.example(:\d+)?`
	origins, err := Origins(pattern)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := amapi.NewCORSHandler(pattern)
	if err != nil {
		t.Fatal(err)
	}
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, r.Method)
	})
	ours := (&API{o: Options{Origins: origins}}).cors(inner)
	rapid.Check(t, func(t *rapid.T) {
		headers := http.Header{}
		for name, values := range map[string][]string{
			"Origin":                                 {"", "https://a.example", "http://b.example:8080", "https://a.example.evil", "https://c.example", "HTTPS://A.EXAMPLE", "null"},
			"Access-Control-Request-Method":          {"", "GET", "POST", "DELETE", "PUT", "OPTIONS", "get"},
			"Access-Control-Request-Headers":         {"", "content-type", "content-type,x-a", "X-Anything"},
			"Access-Control-Request-Private-Network": {"true"},
		} {
			for _, v := range rapid.SliceOfN(rapid.SampledFrom(values), 0, 2).Draw(t, name) {
				headers.Add(name, v)
			}
		}
		method := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}).Draw(t, "method")
		answer := func(h http.Handler) *http.Response {
			r := httptest.NewRequest(method, "/api/v2/alerts", nil)
			r.Header = headers.Clone()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Result()
		}
		got, want := answer(ours), answer(theirs(inner))
		if got.StatusCode != want.StatusCode || !reflect.DeepEqual(got.Header, want.Header) {
			t.Fatalf("%s %v\n got: %d %v\nwant: %d %v", method, headers, got.StatusCode, got.Header, want.StatusCode, want.Header)
		}
	})
}

func TestAPatternOfOriginsIsAnchoredAndMayBeWrong(t *testing.T) {
	if o, err := Origins(""); o != nil || err != nil {
		t.Errorf("no pattern is %v, %v", o, err)
	}
	if _, err := Origins("("); err == nil {
		t.Error("a pattern that is none was taken")
	}
	o, err := Origins("https://a|https://b")
	if err != nil || o.MatchString("https://a.evil") || o.MatchString("evil.https://b") || !o.MatchString("https://b") {
		t.Errorf("%v is not anchored: %v", o, err)
	}
}

// TestOnlyAlertmanagersAPIIsOpenToOtherSites, and only to those that were named.
func TestOnlyAlertmanagersAPIIsOpenToOtherSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		origins, err := Origins(`https://a\.example`)
		if err != nil {
			t.Fatal(err)
		}
		w := start(t, func(o *Options) { o.Origins = origins })
		for _, c := range []struct {
			path, origin, allowed string
			status                int
		}{
			{"/api/v2/alerts", "https://a.example", "https://a.example", http.StatusNoContent},
			{"/api/v2/nope", "https://a.example", "https://a.example", http.StatusNoContent},
			{"/api/v2/alerts", "https://b.example", "", http.StatusNoContent},
			{"/api/midwatch/v1/incidents", "https://a.example", "", http.StatusMethodNotAllowed},
		} {
			r := httptest.NewRequest(http.MethodOptions, c.path, nil)
			r.Header.Set("Origin", c.origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
			rec := httptest.NewRecorder()
			w.api.ServeHTTP(rec, r)
			if got := rec.Header().Get("Access-Control-Allow-Origin"); got != c.allowed || rec.Code != c.status {
				t.Errorf("%s from %s: %d, allowed %q", c.path, c.origin, rec.Code, got)
			}
		}
	})
}
