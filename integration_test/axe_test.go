//go:build linux

package integration_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// axe looks for what makes a page hard to use for whoever does not see, hear or move as most do.
//
//go:embed testdata/axe.min.js
var axe string

// rules are WCAG 2.2's levels A and AA, and what is good practice beside them.
const (
	rules   = `{runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}`
	colours = `{runOnly: {type: "rule", values: ["color-contrast", "link-in-text-block"]}, resultTypes: ["violations"]}` // all that darkness changes
)

// A barrier is one thing that is wrong with a page.
type barrier struct {
	Rule    string `json:"rule"`
	What    string `json:"what"`
	Element string `json:"element"`
	Mend    string `json:"mend"`
}

func (b barrier) String() string {
	return fmt.Sprintf("%s: %s\n      in   %s\n      mend %s", b.Rule, b.What, b.Element, strings.ReplaceAll(b.Mend, "\n", "\n           "))
}

// inspect runs axe on the page as it is now, and looks for what axe does not know: targets that are too small for a thumb, and
// pages that are wider than the window.
func (tb *tab) inspect(onlyColours bool) []barrier {
	tb.t.Helper()
	rules := rules
	if onlyColours {
		rules = colours
	}
	if !look[bool](tb, `typeof axe === "object"`) {
		look[bool](tb, axe+`;true`)
	}
	text := look[string](tb, `(async () => {
		const out = [], short = s => s.length > 300 ? s.slice(0, 300) + "…" : s;
		for (const v of (await axe.run(document, `+rules+`)).violations)
			for (const n of v.nodes) out.push({rule: v.id, what: v.help, element: short(n.html), mend: n.failureSummary});
		if (`+strconv.FormatBool(onlyColours)+`) return JSON.stringify(out);
		const root = document.documentElement;
		if (root.scrollWidth > root.clientWidth) {
			const held = e => { for (let p = e.parentElement; p && p !== root; p = p.parentElement) if (p !== document.body && getComputedStyle(p).overflowX !== "visible") return true; };
			const wide = [...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > root.clientWidth + 1 && !held(e));
			const deepest = wide.filter(e => !wide.some(o => o !== e && e.contains(o))).slice(0, 3);
			for (const e of deepest.length ? deepest : [document.body])
				out.push({rule: "wide", what: "the page is " + root.scrollWidth + " px wide in a window of " + root.clientWidth, element: short(e.outerHTML), mend: "let it wrap, or put it into .scroll"});
		}
		const inText = e => {
			if (!getComputedStyle(e).display.startsWith("inline")) return false;
			const block = e.closest("p,li,dd,dt,td,th,small,div,span:not(.chip),summary,label,h1,h2,h3,figcaption,pre,code");
			return !!block && block !== e && block.innerText.trim().length > e.innerText.trim().length && getComputedStyle(e).display === "inline";
		};
		for (const e of document.querySelectorAll("a[href],button,input:not([type=hidden]),select,textarea,summary,[role=button]")) {
			if (!e.getClientRects().length || e.closest("svg") || e.classList.contains("skip")) continue;
			let r = e.getBoundingClientRect();
			if (e.matches("input[type=checkbox],input[type=radio]")) {
				const l = e.labels && e.labels[0];
				if (l) { const b = l.getBoundingClientRect(); r = {height: Math.max(r.height, b.height), width: Math.max(r.width, b.width), right: b.right}; }
			}
			if (r.right <= 0 || inText(e)) continue;
			const least = root.clientWidth > 640 && e.matches("a.chip") ? 24 : 44; // labels stand close together, for a mouse
			if (r.height < least - 0.5 || r.width < 24) out.push({rule: "small", what: "a target of " + Math.round(r.width) + " × " + Math.round(r.height) + " px", element: short(e.outerHTML), mend: "at least 44 px high, or within a line of text"});
		}
		return JSON.stringify(out);
	})()`)
	var found []barrier
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		tb.t.Fatalf("%s: %s", text, err)
	}
	return found
}

// TestBarriersAreSeen shows that what the pages are looked at for would be found.
func TestBarriersAreSeen(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; connect-src 'none'")
		fmt.Fprint(w, `<!doctype html><html lang="en"><title>Barriers</title><meta name="viewport" content="width=device-width,initial-scale=1">
<style>button,a.big{min-height:44px;display:inline-block}.pale{color:#bbb;background:#fff}@media(prefers-color-scheme:dark){.night{color:#222;background:#000}}</style>
<main><h1>Barriers</h1><p class="pale">Hardly to be read.</p><p class="night">Not at night.</p><input id="nameless"><img src="data:," ><a class="big" href="/">Large enough</a>
<p>A link <a href="/">within a line</a> of text may be small.</p><div><a href="/">alone</a></div><div style="width:500px">Wider than a phone.</div>
<script>document.title = "blocked"</script></main>`)
	}))
	t.Cleanup(site.Close)
	tb := newBrowser(t).open(t, site.URL)
	tb.narrow()
	tb.goTo("/")
	found := func(onlyColours bool) string {
		var all []string
		for _, b := range tb.inspect(onlyColours) {
			all = append(all, b.Rule+" "+b.Element)
		}
		return strings.Join(all, "\n")
	}
	light := found(false)
	for _, want := range []string{`color-contrast <p class="pale">`, `label <input id="nameless">`, "image-alt <img", `small <input id="nameless">`, `small <a href="/">alone`, `wide <div style="width:500px">`} {
		if !strings.Contains(light, want) {
			t.Errorf("not seen: %s; seen:\n%s", want, light)
		}
	}
	for _, fine := range []string{"within a line", "Large enough", "Not at night"} {
		if strings.Contains(light, fine) {
			t.Errorf("%s is fine, and was taken for a barrier:\n%s", fine, light)
		}
	}
	tb.dark(true)
	if dark := found(true); !strings.Contains(dark, `color-contrast <p class="night">`) {
		t.Errorf("in the dark, seen:\n%s", dark)
	}
	if said := strings.Join(tb.complaints(), "\n"); !strings.Contains(said, "Content Security Policy") {
		t.Errorf("the blocked script is not told of: %q", said)
	}
}
