package config

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An emitter writes flat nodes as YAML for Alertmanager's loader, a value to a line, and remembers which node each
// line came from: what the loader says of a line can be said of the file.
type emitter struct {
	lines  []string
	keys   []*yaml.Node // the key on each line, or nil
	values []*yaml.Node // the value that stands or begins there, or nil
}

// write adds a line. Our own lines come from no node.
func (e *emitter) write(text string, key, value *yaml.Node) {
	e.lines = append(e.lines, text)
	e.keys, e.values = append(e.keys, key), append(e.values, value)
}

func (e *emitter) text() string { return strings.Join(e.lines, "\n") + "\n" }

// node writes a node in flow style after a prefix, such as its key, and before a suffix.
func (e *emitter) node(prefix string, key, n *yaml.Node, suffix string) {
	tag := ""
	if n.Style&yaml.TaggedStyle != 0 && strings.HasPrefix(n.Tag, "!") {
		tag = n.Tag + " "
	}
	switch n.Kind {
	case yaml.MappingNode:
		e.write(prefix+tag+"{", key, n)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Kind == yaml.ScalarNode {
				e.node(" "+scalarText(n.Content[i])+": ", n.Content[i], n.Content[i+1], ",")
			}
		}
		e.write(" }"+suffix, nil, nil)
	case yaml.SequenceNode:
		e.write(prefix+tag+"[", key, n)
		for _, item := range n.Content {
			e.node(" ", nil, item, ",")
		}
		e.write(" ]"+suffix, nil, nil)
	default:
		e.write(prefix+tag+scalarText(n)+suffix, key, n)
	}
}

// plainRE are the plain scalars that stay plain, because they may be no strings: numbers, dates, yes and no. All
// others are strings, and quoting does not change what they are.
var plainRE = regexp.MustCompile(`^([A-Za-z0-9_.~+]|-[0-9.])[A-Za-z0-9_.~+-]*$`)

func scalarText(n *yaml.Node) string {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		if n.Value == "" {
			return "~"
		}
		if plainRE.MatchString(n.Value) {
			return n.Value
		}
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range n.Value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ', r >= 0x7f && r < 0xa0, r == '\u2028', r == '\u2029', r == '\ufeff':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// place is where in the file a complaint of the loader about the written text belongs.
func (e *emitter) place(c loadError) *yaml.Node {
	if c.line < 1 || c.line > len(e.lines) {
		return nil
	}
	if key := e.keys[c.line-1]; key != nil && key.Value == c.keyOf() {
		return key
	}
	return e.values[c.line-1]
}
