package web

import (
	"bytes"
	"html/template"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// What people and alerts write is Markdown: paragraphs, lists, code, emphasis and links. There are no pictures, which would
// tell whoever serves them who reads this and when, and no headings, which would break the order of the page's own.
var (
	writing = goldmark.New(
		goldmark.WithExtensions(extension.Strikethrough, extension.Linkify),
		goldmark.WithRendererOptions(html.WithHardWraps(), renderer.WithNodeRenderers(util.Prioritized(plainly{}, 1))),
	)
	scrubbed = scrubber()
)

func scrubber() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "em", "strong", "del", "code", "pre", "ul", "ol", "li", "blockquote")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowRelativeURLs(false) // ours are not theirs to name
	p.RequireParseableURLs(true)
	p.RequireNoReferrerOnLinks(true)
	p.RequireNoFollowOnLinks(true)
	return p
}

// marked is Markdown as HTML that is safe to show, whatever is in it. What is longer than so many letters is cut.
func marked(words string, most int) template.HTML {
	words = short(words, most)
	var b bytes.Buffer
	if err := writing.Convert([]byte(words), &b); err != nil {
		return template.HTML("<p>" + template.HTMLEscapeString(words) + "</p>") //nolint:gosec // escaped
	}
	return template.HTML(scrubbed.SanitizeBytes(b.Bytes())) //nolint:gosec // scrubbed
}

// plainly shows headings as strong lines, pictures as links, and what looks like HTML as it was written: it may be a line of
// a log.
type plainly struct{}

func (plainly) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, between("<p><strong>", "</strong></p>\n"))
	r.Register(ast.KindHTMLBlock, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		block, ok := n.(*ast.HTMLBlock)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		lines := block.Lines()
		if block.HasClosure() {
			lines.Append(block.ClosureLine)
		}
		_, _ = w.WriteString("<p>")
		asWritten(w, source, lines)
		_, err := w.WriteString("</p>\n")
		return ast.WalkContinue, err
	})
	r.Register(ast.KindRawHTML, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if raw, ok := n.(*ast.RawHTML); ok && entering {
			asWritten(w, source, raw.Segments)
		}
		return ast.WalkSkipChildren, nil
	})
	r.Register(ast.KindImage, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		image, ok := n.(*ast.Image)
		if !ok {
			return ast.WalkContinue, nil
		}
		begin := `<a href="` + string(util.EscapeHTML(util.URLEscape(image.Destination, true))) + `">`
		if !n.HasChildren() {
			begin += "picture"
		}
		return between(begin, "</a>")(w, source, n, entering)
	})
}

// between writes tags around what is in the node. Writers keep their first error until they are flushed.
func between(begin, end string) renderer.NodeRendererFunc {
	return func(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
		tags := end
		if entering {
			tags = begin
		}
		_, err := w.WriteString(tags)
		return ast.WalkContinue, err
	}
}

func asWritten(w util.BufWriter, source []byte, lines *text.Segments) {
	for i := range lines.Len() {
		line := lines.At(i)
		_, _ = w.Write(util.EscapeHTML(line.Value(source)))
	}
}
