//go:build linux

package integration_test

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pictures has TestPagesAreAccessible write docs/screens and docs/screens.md anew, and do nothing else.
var pictures = flag.Bool("screens", false, "write pictures of the pages to docs/screens")

// onlyStories has it look at those whose name holds this.
var onlyStories = flag.String("stories", "", "only stories whose page/state holds this; none looks at none")

// demonstrate starts the demo with the stories of its pages.
func demonstrate(t *testing.T) *midwatch {
	t.Helper()
	m := &midwatch{t: t, dir: t.TempDir(), args: []string{"--demo", "--dev", "--web.listen-address=127.0.0.1:0", "--cluster.listen-address="}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", m.lastWords())
		}
	})
	m.start()
	return m
}

var linkRE = regexp.MustCompile(`(?is)<a\b[^>]*\bhref\s*=\s*"([^"]*)"`)

// links are where a page leads to.
func (s screen) links() []string {
	var all []string
	for _, l := range linkRE.FindAllStringSubmatch(s.html, -1) {
		all = append(all, attribute(`href="`+l[1]+`"`, "href"))
	}
	return all
}

// TestPagesAreAccessible looks at every state of every page in a real browser, in light and dark, on a phone and on a desktop:
// nothing that axe finds, no target too small for a thumb, no page wider than the phone, nothing in the console, and
// nothing that the pages' own policy blocks.
func TestPagesAreAccessible(t *testing.T) {
	m := demonstrate(t)
	b := newBrowser(t)

	var stories []string
	for _, to := range m.browse(http.MethodGet, "/dev", nil).links() {
		if story, ok := strings.CutPrefix(to, "dev/"); ok && *onlyStories != "none" && strings.Contains(story, *onlyStories) {
			stories = append(stories, story)
		}
	}
	if len(stories) == 0 && *onlyStories == "" {
		t.Fatal("there are no stories at /dev")
	}
	if *pictures {
		writeScreens(t, b.open(t, "http://"+m.addr), stories)
		return
	}
	pages := pagesOf(t, m)
	t.Logf("%d stories, %d pages of the demo", len(stories), len(pages))

	work := make(chan [2]string)
	go func() {
		defer close(work)
		for _, s := range stories {
			work <- [2]string{s, "/dev/" + s}
		}
		for _, p := range pages {
			work <- [2]string{"demo " + p, p}
		}
	}()
	t.Run("looked at", func(t *testing.T) {
		for range 2 {
			t.Run("tab", func(t *testing.T) {
				t.Parallel()
				tb := b.open(t, "http://"+m.addr)
				for w := range work {
					tb.examine(w[0], w[1])
				}
			})
		}
	})
}

// examine opens a page once and looks at it in all the ways.
func (tb *tab) examine(name, path string) {
	tb.complaints()
	tb.goTo(path)
	where := map[barrier][]string{}
	for _, dark := range []bool{false, true} {
		tb.dark(dark)
		for _, narrow := range []bool{true, false} {
			way := "light"
			if dark {
				way = "dark"
			}
			if narrow {
				tb.narrow()
				way += " phone"
			} else {
				tb.wide()
				way += " desktop"
			}
			for _, v := range tb.inspect(dark) {
				v.Mend = firstLines(v.Mend)
				where[v] = append(where[v], way)
			}
		}
	}
	var said []string
	alike := map[string]int{}
	for v, ways := range where {
		slices.Sort(ways)
		if alike[v.Rule]++; alike[v.Rule] <= shownAlike {
			said = append(said, fmt.Sprintf("  %s [%s]", v, strings.Join(slices.Compact(ways), ", ")))
		}
	}
	for rule, n := range alike {
		if n > shownAlike {
			said = append(said, fmt.Sprintf("  %s: %d more like that", rule, n-shownAlike))
		}
	}
	slices.Sort(said)
	for _, c := range tb.complaints() {
		said = append(said, "  the browser says: "+c)
	}
	if len(said) > 0 {
		tb.t.Errorf("%s\n%s", name, strings.Join(said, "\n"))
	}
}

// firstLines is how to mend it without the numbers that differ between light and dark.
func firstLines(s string) string {
	lines := strings.SplitN(s, "\n", 4)
	return strings.Join(lines[:min(3, len(lines))], "\n")
}

// shownAlike is how many barriers of one rule are told of one page.
const shownAlike = 3

// perKind is how many pages of one kind are looked at: one incident stands for all.
const perKind = 2

// kindOf is the page without what it is about.
func kindOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := range parts[1:] {
		parts[i+1] = "*"
	}
	return strings.Join(parts, "/")
}

// pagesOf follows the links of the demo from its first page, and wants every one of them to lead somewhere.
func pagesOf(t *testing.T, m *midwatch) []string {
	t.Helper()
	await(t, "an incident of the demo", func() (string, bool) {
		ids := m.incidents()
		return fmt.Sprint(len(ids)), len(ids) > 0
	})
	seen, kinds := map[string]bool{}, map[string]int{}
	queue, pages := []string{"/"}, []string{}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		u, err := url.Parse(path)
		if err != nil {
			t.Errorf("a link to %q: %s", path, err)
			continue
		}
		if seen[u.Path] || strings.HasPrefix(u.Path, "/dev") || kinds[kindOf(u.Path)] == perKind {
			continue
		}
		seen[u.Path] = true
		kinds[kindOf(u.Path)]++
		r, err := http.NewRequest(http.MethodGet, "http://"+m.addr+u.RequestURI(), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, html := m.open(r)
		if res.StatusCode >= 400 {
			t.Errorf("a link leads to %s, which answers %d", path, res.StatusCode)
			continue
		}
		if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			continue
		}
		pages = append(pages, u.RequestURI())
		base := &url.URL{Scheme: "http", Host: m.addr, Path: u.Path}
		for _, l := range (screen{html: html}).links() {
			to, err := base.Parse(l)
			if err != nil {
				t.Errorf("%s has the link %q: %s", path, l, err)
				continue
			}
			if to.Host == m.addr {
				queue = append(queue, to.RequestURI())
			}
		}
	}
	return pages
}

// The most that a picture may have, in bytes: they are looked at in the repository.
const maxPicture = 80 << 10

// writeScreens writes a picture of one usual state of each page.
func writeScreens(t *testing.T, tb *tab, stories []string) {
	dir := filepath.Join("..", "docs", "screens")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	// The state that tells most of the page, where none is called usual.
	usual := map[string]string{"alerts": "groups", "silences": "active", "now": "mine", "newsilence": "seen", "routes": "traced"}
	for _, s := range stories {
		page, state, _ := strings.Cut(s, "/")
		if old, ok := usual[page]; !ok || strings.HasPrefix(state, "usual") && !strings.HasPrefix(old, "usual") {
			usual[page] = state
		}
	}
	var index strings.Builder
	index.WriteString("# Screens\n\nOne usual state of each page, on a phone and on a desktop, in light and dark. `make screens` makes them anew, from the made-up\nstates that `midwatch --dev` shows at `/dev`.\n")
	for _, page := range slices.Sorted(maps.Keys(usual)) {
		if page == "wrong" {
			continue
		}
		fmt.Fprintf(&index, "\n## %s\n\n", page)
		for _, way := range []struct {
			name         string
			dark, narrow bool
		}{{"phone-light", false, true}, {"phone-dark", true, true}, {"desktop-light", false, false}, {"desktop-dark", true, false}} {
			tb.dark(way.dark)
			if way.narrow {
				tb.narrow()
			} else {
				tb.wide()
			}
			tb.goTo("/dev/" + page + "/" + usual[page])
			name := page + "-" + way.name + ".webp"
			publish(t, filepath.Join(dir, name), tb.picture(maxPicture))
			fmt.Fprintf(&index, "![%s, %s](screens/%s)\n", page, strings.ReplaceAll(way.name, "-", ", "), name)
		}
	}
	publish(t, filepath.Join("..", "docs", "screens.md"), []byte(index.String()))
}

// publish writes a file of the repository.
func publish(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
