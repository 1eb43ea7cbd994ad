package web

import (
	"cmp"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/midwatch/midwatch/docs"
)

// DocList is the page of all documents, or of what was found in them.
type DocList struct {
	Shell
	Query string
	Found []DocHit // for a query
	More  int      // so many further places hold the words
	Parts []DocPart
}

// All is how many places hold the words.
func (d *DocList) All() int { return len(d.Found) + d.More }

// A DocPart is a group of documents.
type DocPart struct {
	Title string
	Docs  []DocEntry
}

// A DocEntry is one document in the list.
type DocEntry struct{ Link, Title, About string }

// A DocHit is one place in a document that holds what was searched for.
type DocHit struct{ Link, Doc, Heading, Text string }

// Doc is the page of one document.
type Doc struct {
	Shell
	Text     template.HTML // from our own files, and sanitized all the same
	Sections []DocSection  // what is on the page
}

// A DocSection is one heading of a document.
type DocSection struct {
	ID, Title string
	Level     int // 2 or 3
}

// The order in which somebody new would read; what is not named here comes after.
var docParts = []struct {
	title string
	names []string
}{
	{"To begin", []string{"quickstart", "a-day", "migration"}},
	{"To use it", []string{"configuration", "paging", "oncall", "calendars", "slo", "heartbeats", "chat", "scenarios"}},
	{"To run it", []string{"operations", "api", "benchmarks"}},
	{"To change it", []string{"house", "decisions/README"}},
}

// notShown are documents that are nothing without the files beside them.
var notShown = []string{"screens"}

// library are the documents, read once: they are part of the binary.
var library = sync.OnceValue(func() map[string]document {
	all := map[string]document{}
	err := fs.WalkDir(docs.Files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := docs.Files.ReadFile(name)
		if name = strings.TrimSuffix(name, ".md"); err == nil && !slices.Contains(notShown, name) {
			all[name] = readDocument(name, text)
		}
		return err
	})
	if err != nil {
		panic(err) // they are part of the binary
	}
	return all
})

func (p *Pages) docPaths() {
	p.read("/docs", p.docList)
	p.read("/docs/{name}", p.doc(""))
	p.read("/docs/decisions/{name}", p.doc("decisions/"))
}

// Limits of a search.
const (
	maxDocQuery = 200 // bytes
	maxDocHits  = 30
	hitLetters  = 180 // of the text around what was found
)

func (p *Pages) docList(w http.ResponseWriter, r *http.Request) {
	v := &DocList{Shell: p.frame(r, "docs", "Docs"), Query: short(strings.TrimSpace(r.URL.Query().Get("q")), maxDocQuery)}
	if v.Query != "" {
		v.Found, v.More = searchDocs(library(), v.Query)
	}
	v.Parts = docList(library())
	p.show(w, r, http.StatusOK, "docs", v)
}

func docList(all map[string]document) []DocPart {
	var parts []DocPart
	left := map[string]bool{}
	for name := range all {
		left[name] = !strings.Contains(name, "/")
	}
	entry := func(name string) DocEntry {
		return DocEntry{"docs/" + name, all[name].title, all[name].about}
	}
	for _, part := range docParts {
		one := DocPart{Title: part.title}
		for _, name := range part.names {
			if _, ok := all[name]; ok {
				one.Docs = append(one.Docs, entry(name))
				left[name] = false
			}
		}
		parts = append(parts, one)
	}
	last := &parts[len(parts)-1]
	var others []string
	for name, unread := range left {
		if unread {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	for _, name := range others {
		last.Docs = append(last.Docs, entry(name))
	}
	return parts
}

// doc shows the documents of a folder.
func (p *Pages) doc(folder string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { p.showDoc(w, r, folder+r.PathValue("name")) }
}

func (p *Pages) showDoc(w http.ResponseWriter, r *http.Request, name string) {
	d, ok := library()[name]
	if !ok {
		v := &Wrong{Shell: p.frame(r, "docs", "No such document"), Heading: "There is no such document", Told: []string{
			"It was renamed, or belongs to another version of Midwatch. The list has all that there are.",
		}, Links: []MenuEntry{{"docs", "All documents", ""}}}
		p.show(w, r, http.StatusNotFound, "wrong", v)
		return
	}
	v := &Doc{Shell: p.frame(r, "docs", d.title), Text: d.html, Sections: d.sections}
	p.show(w, r, http.StatusOK, "doc", v)
}

// searchDocs finds the sections that hold all the words, those with the words in their heading first.
func searchDocs(all map[string]document, query string) (hits []DocHit, more int) {
	words := strings.Fields(strings.ToLower(query))
	type ranked struct {
		DocHit
		rank int
		name string
		at   int
	}
	var found []ranked
	for name, d := range all {
		for i, s := range d.parts {
			rank := 0
			for _, w := range words {
				inTitle, inText := strings.Count(s.lowerTitle, w), strings.Count(s.lower, w)
				if inTitle+inText == 0 {
					rank = -1
					break
				}
				rank += 20*min(inTitle, 1) + min(inText, 5)
			}
			if rank < 0 {
				continue
			}
			link := "docs/" + name
			if s.id != "" {
				link += "#" + s.id
			}
			found = append(found, ranked{DocHit{link, d.title, s.title, around(s.text, words)}, rank, name, i})
		}
	}
	slices.SortFunc(found, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(a.name, b.name), cmp.Compare(a.at, b.at))
	})
	for i, f := range found {
		if i == maxDocHits {
			return hits, len(found) - maxDocHits
		}
		hits = append(hits, f.DocHit)
	}
	return hits, 0
}

// around is the text near the first of the words.
func around(text string, words []string) string {
	at := len(text)
	lower := strings.ToLower(text)
	for _, w := range words {
		if i := strings.Index(lower, w); i >= 0 {
			at = min(at, i)
		}
	}
	if at >= len(text) || at < hitLetters/2 {
		return short(text, hitLetters)
	}
	from := at - hitLetters/2
	if space := strings.IndexByte(text[from:], ' '); space >= 0 {
		from = min(at, from+space+1)
	}
	for from < len(text) && !utf8.RuneStart(text[from]) {
		from++
	}
	return "… " + short(text[from:], hitLetters)
}

func docStories() []Story {
	list := func(query string, hits []DocHit, more int) func() framed {
		return func() framed {
			return &DocList{
				Shell: storyShell("docs", "Docs"), Query: query, Found: hits, More: more,
				Parts: []DocPart{
					{"To begin", []DocEntry{{"docs/quickstart", "Quick start", "From nothing to the first page in five minutes."}, {"docs/migration", "Coming from Alertmanager", "Take the file as it is, and add to it."}}},
					{"To run it", []DocEntry{{"docs/operations", "Operations", "What to watch, what to back up, and what to do when it goes wrong."}}},
				},
			}
		}
	}
	const sample = "# On call\n\nWho is on call is a function of the file. See [overrides](paging.md#channels) and [an example](../examples/day.yml).\n\n## Layers\n\nLater layers win.\n\n```yaml\nschedules:\n  - name: db-primary\n    time_zone: Europe/Lisbon\n    layers: [{name: weekly, rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1w}}]\n```\n\n### Holes\n\n| layer | what it does |\n|---|---|\n| `add` | adds its people |\n| `uncovered` | nobody is on call, as planned |\n\n## When clocks are changed\n\n1. Days follow the wall clock.\n2. Hours do not.\n"
	read := readDocument("oncall", []byte(sample))
	return []Story{
		{"docs", "usual", list("", nil, 0)},
		{"docs", "found", list("gap", []DocHit{
			{"docs/oncall#gaps", "On call", "Gaps", "… a stretch in which nobody is on call, and which nobody declared. Midwatch warns of it …"},
			{"docs/configuration#schedules", "The configuration file", "schedules", "A schedule without a gap is one in which somebody is on call at every instant."},
		}, 3)},
		{"docs", "nothing-found", list("überlänge الليل 🌙 "+strings.Repeat("x", 80), nil, 0)},
		{"doc", "usual", func() framed {
			return &Doc{Shell: storyShell("docs", read.title), Text: read.html, Sections: read.sections}
		}},
	}
}
