package web

import (
	"bytes"
	"compress/gzip"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
)

// What the Content-Security-Policy would not let work, and what makes two pages in one.
var (
	inlined = regexp.MustCompile(`(?i)<[^>]+\s(style|on[a-z]+)=|<style|<script(>| [^>]*[^r]>[^<])`)
	anID    = regexp.MustCompile(`\sid="([^"]*)"`)
)

// TestStories keeps a golden file for every state of every page.
func TestStories(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Stories() {
		name := s.Page + "_" + s.State
		if seen[name] {
			t.Errorf("story %s is told twice", name)
		}
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			page := string(render(s.Page, s.View()))
			golden(t, "story_"+name, page)
			if found := inlined.FindString(page); found != "" {
				t.Errorf("the policy forbids %s", found)
			}
			if n := strings.Count(page, "<h1"); n != 1 {
				t.Errorf("%d headings of the first rank", n)
			}
			ids := map[string]bool{}
			for _, m := range anID.FindAllStringSubmatch(page, -1) {
				if ids[m[1]] {
					t.Errorf("two elements are called %q", m[1])
				}
				ids[m[1]] = true
			}
			if n := len(compressed([]byte(page), gzip.BestSpeed)); n > maxPage {
				t.Errorf("%d bytes compressed, at most %d", n, maxPage)
			}
		})
	}
}

// maxPage is how large a page may be on the wire, in bytes, and maxScripts all scripts together: it loads on bad signal.
const (
	maxPage    = 30 << 10
	maxScripts = 40 << 10
)

func TestScriptsAreSmall(t *testing.T) {
	total := 0
	for name, a := range assets {
		if strings.HasSuffix(name, ".js") {
			total += len(a.gzip)
		}
	}
	if total > maxScripts {
		t.Errorf("%d bytes of scripts, at most %d", total, maxScripts)
	}
}

func TestStoriesAreForThoseWhoBuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.get("/dev"), 404, "404 page not found")
		w.shows(w.do("GET", "/dev", "", "Accept", "text/html,*/*"), 404, "There is no such page")
		w = start(t, func(o *Options) { o.Dev = true })
		w.shows(w.get("/dev"), 200, `href="dev/wrong/lost"`)
		w.shows(w.get("/dev/wrong/lost"), 200, "The address leads nowhere.", `href="../../incidents"`)
		w.shows(w.get("/dev/wrong/none"), 404, "There is no such story")
	})
}

func TestAssetsAreKeptForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		path := "/static/" + assetNames["app.css"]
		plain := w.get(path)
		w.shows(plain, 200, "--fg")
		if got := plain.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("Cache-Control is %q", got)
		}
		packed := w.do("GET", path, "", "Accept-Encoding", "br, gzip;q=0.5")
		z, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(z); err != nil || b.String() != plain.Body.String() {
			t.Errorf("the compressed file differs (%v)", err)
		}
		for _, refused := range []string{"gzip;q=0", "br", "gzip; q=0.000"} {
			if got := w.do("GET", path, "", "Accept-Encoding", refused).Header().Get("Content-Encoding"); got != "" {
				t.Errorf("%s gets %s", refused, got)
			}
		}
		w.shows(w.get("/static/app.css"), 404)
	})
}

func TestWhoActsIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.get("/me"), 200, `value="ana"`, "Ana Duarte")
		set := w.do("POST", "/me", "as=ana")
		if set.Code != 303 || set.Header().Get("Location") != "./" {
			t.Fatalf("%d %v", set.Code, set.Header())
		}
		cookies := set.Result().Cookies()
		next := w.do("GET", "/me", "", "Cookie", cookies[0].String()+"; "+cookies[1].String())
		w.shows(next, 200, "What you do here is done as ana from now on.")
		w.shows(w.do("POST", "/me", "as=%00"), 400, "A name has 1 to 60 letters.")
		w.shows(w.do("POST", "/me", "as=ana", "Sec-Fetch-Site", "cross-site"), 403, "This came from a page of another site.")
	})
}

func TestReturningStaysHere(t *testing.T) {
	for to, want := range map[string]string{
		"incidents?filter=a": "incidents?filter=a", "": "./", "//evil.example/": "./", "https://evil.example/": "./", "/x": "./", `\\evil`: "./", "../../x": "./", "javascript:alert(1)": "./",
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.PostForm = map[string][]string{"back": {to}}
		if got := returning(r, "./"); got != want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
	}
}
