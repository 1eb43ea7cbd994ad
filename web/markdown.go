package web

import (
	"bytes"
	"html/template"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// A document is one file of docs/, ready to be shown and to be searched.
type document struct {
	title    string
	about    string // its first paragraph, shortened
	html     template.HTML
	sections []DocSection
	parts    []docText
}

// A docText is what stands below one heading, without marks.
type docText struct {
	id, title, text   string
	lowerTitle, lower string
}

var (
	markdown = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Linkify, extension.Strikethrough), goldmark.WithParserOptions(parser.WithAutoHeadingID()))

	// allowed is what a document may be made of. Our own files hold nothing else; a file that somebody puts in their place
	// cannot bring a script either.
	allowed = func() *bluemonday.Policy {
		p := bluemonday.NewPolicy()
		p.AllowElements("h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "strong", "em", "del", "code", "pre", "blockquote", "hr", "br", "table", "thead", "tbody", "tr", "th", "td", "a")
		p.AllowAttrs("id").Matching(regexp.MustCompile(`^[\pL\pN_-]+$`)).OnElements("h1", "h2", "h3", "h4")
		p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
		p.AllowAttrs("href").OnElements("a")
		p.AllowURLSchemes("http", "https")
		p.AllowRelativeURLs(true)
		p.RequireParseableURLs(true)
		p.RequireNoReferrerOnFullyQualifiedLinks(true)
		return p
	}()
)

// aboutLetters is how much of a document's first paragraph the list shows.
const aboutLetters = 160

// readDocument makes a document of a file. Links to other documents lead to their pages, which lie as the files do; what
// else they lead to in the repository is not here, and stays as text.
func readDocument(name string, source []byte) document {
	root := markdown.Parser().Parse(text.NewReader(source))
	d := document{title: name}
	var lost []*ast.Link
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			id, _ := n.AttributeString("id")
			raw, _ := id.([]byte)
			title := plain(n, source)
			if n.Level == 1 {
				d.title = title
			} else if n.Level <= 3 {
				d.sections = append(d.sections, DocSection{string(raw), title, n.Level})
			}
			d.parts = append(d.parts, docText{id: string(raw), title: title})
			return ast.WalkSkipChildren, nil
		case *ast.Link:
			to, ok := docLink(name, string(n.Destination))
			if !ok {
				lost = append(lost, n)
			}
			n.Destination = []byte(to)
		case *ast.Paragraph, *ast.TextBlock, *ast.CodeBlock, *ast.FencedCodeBlock, *extast.TableCell:
			said := plain(n, source)
			if _, isParagraph := n.(*ast.Paragraph); isParagraph && d.about == "" {
				d.about = short(said, aboutLetters)
			}
			if len(d.parts) == 0 {
				d.parts = append(d.parts, docText{})
			}
			last := &d.parts[len(d.parts)-1]
			last.text = strings.TrimSpace(last.text + " " + said)
		}
		return ast.WalkContinue, nil
	})
	for _, l := range lost {
		unlink(l)
	}
	for i := range d.parts {
		p := &d.parts[i]
		p.lowerTitle, p.lower = strings.ToLower(p.title), strings.ToLower(p.text)
	}
	var b bytes.Buffer
	if err := markdown.Renderer().Render(&b, source, root); err != nil {
		panic(err) // a Buffer takes all
	}
	safe := allowed.SanitizeBytes(b.Bytes())
	// What may be wider than a phone scrolls on its own, also by the keyboard.
	safe = bytes.ReplaceAll(safe, []byte("<pre>"), []byte(`<pre class="code" tabindex="0">`))
	safe = bytes.ReplaceAll(safe, []byte("<table>"), []byte(`<div class="scroll" tabindex="0"><table>`))
	safe = bytes.ReplaceAll(safe, []byte("</table>"), []byte("</table></div>"))
	d.html = template.HTML(safe) //nolint:gosec // it has just been sanitized
	return d
}

// plain is what a node says, without marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	if n.Type() == ast.TypeBlock {
		switch n.(type) {
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			return string(n.Lines().Value(source))
		}
	}
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Text:
			if entering {
				b.Write(n.Value(source))
				if n.SoftLineBreak() || n.HardLineBreak() {
					b.WriteByte(' ')
				}
			}
		case *ast.String:
			if entering {
				b.Write(n.Value)
			}
		case *ast.AutoLink:
			if entering {
				b.Write(n.Label(source))
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// docLink is where a link of a document leads here; false: to what is not here.
func docLink(from, to string) (string, bool) {
	u, err := url.Parse(to)
	if err != nil {
		return "", false
	}
	if u.Scheme != "" || u.Host != "" {
		return to, u.Scheme == "http" || u.Scheme == "https"
	}
	if u.Path == "" {
		return to, true // within the document
	}
	name, isDoc := strings.CutSuffix(u.Path, ".md")
	here := strings.Count(from, "/")
	if !isDoc || slices.Contains(notShown, path.Base(name)) || strings.Count(name, "../") > here || strings.HasPrefix(name, "/") {
		return "", false
	}
	u.Path = name
	return u.String(), true
}

// unlink leaves what a link says in its place.
func unlink(l *ast.Link) {
	parent := l.Parent()
	for l.HasChildren() {
		parent.InsertBefore(parent, l, l.FirstChild())
	}
	parent.RemoveChild(parent, l)
}
