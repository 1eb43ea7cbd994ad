package web

import (
	"compress/gzip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
)

// TestDocsLeadSomewhere follows every link of every document, to the heading.
func TestDocsLeadSomewhere(t *testing.T) {
	all := library()
	if len(all) < 20 {
		t.Fatalf("only %d documents", len(all))
	}
	for name, d := range all {
		page := string(d.html)
		base := &url.URL{Path: "/docs/" + name}
		for _, m := range strings.Split(page, `href="`)[1:] {
			to, _, _ := strings.Cut(m, `"`)
			u, err := base.Parse(to)
			if err != nil {
				t.Errorf("%s: %s", name, err)
				continue
			}
			if u.Host != "" {
				continue
			}
			target, ok := all[strings.TrimPrefix(u.Path, "/docs/")]
			if !ok {
				t.Errorf("%s leads to %s, which is no document", name, to)
			} else if u.Fragment != "" && !strings.Contains(string(target.html), `id="`+u.Fragment+`"`) {
				t.Errorf("%s leads to %s, which has no such heading", name, to)
			}
		}
		if n := strings.Count(page, "<h1"); n != 1 {
			t.Errorf("%s has %d titles", name, n)
		}
		for _, bad := range []string{"<script", "<img", "style=", "javascript:"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s holds %s", name, bad)
			}
		}
		if n := len(compressed([]byte(page), gzip.BestSpeed)); n > maxPage-4<<10 {
			t.Errorf("%s has %d bytes compressed, which leaves no room for its frame in %d", name, n, maxPage)
		}
	}
}

func TestDocumentsAreMadeSafe(t *testing.T) {
	d := readDocument("x", []byte("# T <script>alert(1)</script>\n\n[a](javascript:alert(1)) [b](../../etc/passwd) [c](other.md#x) [d](https://example.org) ![pic](x.png)\n\n<b onclick=x>bold</b>\n\n```\nin <code>\n```\n"))
	page := string(d.html)
	for _, bad := range []string{"<script", "javascript", "onclick", "passwd\"", "<img"} {
		if strings.Contains(page, bad) {
			t.Errorf("%s is in %s", bad, page)
		}
	}
	for _, good := range []string{`href="other#x"`, `href="https://example.org"`, "noreferrer", "in &lt;code&gt;", `<pre class="code" tabindex="0">`} {
		if !strings.Contains(page, good) {
			t.Errorf("%s is not in %s", good, page)
		}
	}
}

func TestDocsAreReadAndSearched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.shows(w.get("/docs"), 200, `href="docs/quickstart"`, `href="docs/decisions/README"`, "To begin", "Midwatch 1.2.3")
		w.shows(w.get("/docs/oncall"), 200, `href="../docs"`, "On this page", `href="#`, `aria-current="page"`)
		w.shows(w.get("/docs/decisions/reload"), 200, `href="../../docs"`)
		for _, path := range []string{"/docs/none", "/docs/decisions/none", "/docs/docs.go", "/docs/screens", "/docs/decisions/..%2fquickstart"} {
			if rec := w.get(path); rec.Code != 404 {
				t.Errorf("%s answers %d", path, rec.Code)
			}
		}
		found := w.get("/docs?q=Layers+override")
		w.shows(found, 200, "with “Layers override”", `href="docs/oncall`)
		w.shows(w.get("/docs?q=zzyzx"), 200, "Nothing in the docs has all of these words", "zzyzx")
		w.shows(w.get("/docs?q=%3Cscript%3E"), 200, "&lt;script&gt;")
		w.shows(w.get("/docs?q=the"), 200, "more are not shown")
		w.shows(w.get("/docs?q=+"), 200, "To begin")
	})
}

func TestWhatIsFoundIsShownInPart(t *testing.T) {
	text := strings.Repeat("before ", 100) + "Überlänge" + strings.Repeat(" after", 100)
	got := around(text, []string{"überlänge"})
	if !strings.HasPrefix(got, "… before") || !strings.Contains(got, "Überlänge after") || len([]rune(got)) > hitLetters+2 {
		t.Errorf("%q", got)
	}
	if got := around("short", []string{"none"}); got != "short" {
		t.Errorf("%q", got)
	}
}
