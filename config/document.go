package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A position is a place in a text: line and column from 1, the column in characters, as yaml.Node has them.
type position struct{ line, column int }

func at(n *yaml.Node) position { return position{n.Line, n.Column} }

func (p position) before(q position) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// A document is one file, read to nodes. Only the first YAML document of the file counts, as for Alertmanager.
type document struct {
	file  string
	lines []string // without their breaks
	ends  []string // the break after each line; empty after the last
	last  position // where the first YAML document ends
	root  *yaml.Node
	more  position // the line of a further YAML document; zero: there is none
}

// readDocument parses a text. The error is the parser's.
func readDocument(file string, text []byte) (*document, error) {
	d := &document{file: file}
	d.split(string(bytes.TrimPrefix(text, []byte("\ufeff"))))
	d.last = position{len(d.lines) + 1, 1}
	if !isUTF16(text) {
		d.findEnd()
		text = []byte(d.head()) // our parser would look into what follows, and Alertmanager's does not
	}
	var tree yaml.Node
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	if tree.Kind == yaml.DocumentNode && len(tree.Content) == 1 {
		d.root = tree.Content[0]
	}
	return d, nil
}

func isUTF16(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))
}

// split cuts the text at what YAML takes for line breaks; its line numbers depend on all of them.
func (d *document) split(text string) {
	from := 0
	for i, r := range text {
		if i < from {
			continue // the second half of \r\n
		}
		size := 0
		switch r {
		case '\n':
			size = 1
		case '\r':
			size = 1
			if strings.HasPrefix(text[i:], "\r\n") {
				size = 2
			}
		case '\u0085', '\u2028', '\u2029':
			size = utf8.RuneLen(r)
		default:
			continue
		}
		d.lines = append(d.lines, text[from:i])
		d.ends = append(d.ends, text[i:i+size])
		from = i + size
	}
	d.lines = append(d.lines, text[from:])
	d.ends = append(d.ends, "")
}

// findEnd looks for the marker that ends the first document. At the start of a line it cannot be anything else, not
// even inside a text.
func (d *document) findEnd() {
	begun := false
	for i, line := range d.lines {
		start, end := isMarker(line, "---"), isMarker(line, "...")
		if begun && (start || end) {
			d.last = position{i + 1, 1}
			d.more = d.contentFrom(i)
			return
		}
		begun = begun || start || hasContent(line) && line[0] != '%' && !end
	}
}

// contentFrom is where something other than markers and comments stands, from a line on.
func (d *document) contentFrom(i int) position {
	for ; i < len(d.lines); i++ {
		if text := strings.TrimPrefix(strings.TrimPrefix(d.lines[i], "---"), "..."); hasContent(text) {
			return position{i + 1, 1}
		}
	}
	return position{}
}

func hasContent(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && line[0] != '#'
}

// head is the text up to the end of the first document.
func (d *document) head() string {
	first := *d
	first.lines = d.lines[:d.last.line-1]
	return first.text()
}

func isMarker(line, marker string) bool {
	rest, ok := strings.CutPrefix(line, marker)
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// text puts the lines together again.
func (d *document) text() string {
	var b strings.Builder
	for i := range d.lines {
		b.WriteString(d.lines[i])
		b.WriteString(d.ends[i])
	}
	return b.String()
}

// maxNodes bounds what a file may grow to when its aliases are written out: a thousand lines of aliases to aliases
// could otherwise ask for more memory than there is.
const maxNodes = 1 << 20

// maxDepth bounds how deep values may be nested, aliases written out; no hand-written file comes near it.
const maxDepth = 1000

// A flattener writes out aliases and merges, so that readers meet neither. What cannot be written out becomes null and
// is told in faults.
type flattener struct {
	nodes  int
	depth  int
	open   map[*yaml.Node]bool // the anchors we are inside of
	faults []nodeFault
}

type nodeFault struct {
	node *yaml.Node
	text string
}

// refuse notes a fault, and what stands for the node.
func (f *flattener) refuse(n *yaml.Node, format string, args ...any) *yaml.Node {
	f.faults = append(f.faults, nodeFault{n, fmt.Sprintf(format, args...)})
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
}

// flatten copies a node without aliases, merges and comments. Positions stay those of the text; a scalar that was an
// alias stands where the alias did.
func (f *flattener) flatten(n *yaml.Node) *yaml.Node {
	if f.nodes++; f.nodes >= maxNodes {
		if f.nodes == maxNodes { // said once
			return f.refuse(n, "the file grows beyond %d values when its aliases are written out", maxNodes)
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
	}
	if f.depth++; f.depth > maxDepth {
		f.depth--
		return f.refuse(n, "values are nested deeper than %d", maxDepth)
	}
	defer func() { f.depth-- }()
	if n.Kind == yaml.AliasNode {
		return f.alias(n)
	}
	c := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value, Line: n.Line, Column: n.Column}
	if n.Kind != yaml.MappingNode {
		for _, item := range n.Content {
			if f.nodes >= maxNodes {
				break
			}
			c.Content = append(c.Content, f.flatten(item))
		}
		return c
	}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content) && f.nodes < maxNodes; i += 2 {
		value := f.flatten(n.Content[i+1])
		if isMerge(n.Content[i]) {
			merges = append(merges, value)
			continue
		}
		c.Content = append(c.Content, f.flatten(n.Content[i]), value)
	}
	for _, m := range merges {
		f.merge(c, m)
	}
	return c
}

func (f *flattener) alias(n *yaml.Node) *yaml.Node {
	if n.Alias == nil || f.open[n.Alias] {
		return f.refuse(n, "anchor %q contains itself", n.Value)
	}
	if f.open == nil {
		f.open = map[*yaml.Node]bool{}
	}
	f.open[n.Alias] = true
	c := f.flatten(n.Alias)
	delete(f.open, n.Alias)
	if c.Kind == yaml.ScalarNode {
		c.Line, c.Column = n.Line, n.Column
	}
	return c
}

// merge adds what a mapping (or the first of several) has and the target has not.
func (f *flattener) merge(target, from *yaml.Node) {
	if from.Kind == yaml.SequenceNode {
		for _, m := range from.Content {
			if m.Kind == yaml.SequenceNode {
				f.refuse(m, "only mappings can be merged with <<")
				continue
			}
			f.merge(target, m)
		}
		return
	}
	if from.Kind != yaml.MappingNode {
		f.refuse(from, "only mappings can be merged with <<")
		return
	}
	has := map[string]bool{}
	for i := 0; i+1 < len(target.Content); i += 2 {
		has[target.Content[i].Value] = true
	}
	for i := 0; i+1 < len(from.Content); i += 2 {
		if !has[from.Content[i].Value] {
			target.Content = append(target.Content, from.Content[i], from.Content[i+1])
		}
	}
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0
}

// lookup is the value of a mapping's key, or nil.
func lookup(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// keyNode is the node of a mapping's key itself, or nil.
func keyNode(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}
