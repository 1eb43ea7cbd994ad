package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// An entry is one key of a mapping, with its value.
type entry struct {
	parent *yaml.Node
	index  int      // of the key in the parent's Content
	outer  position // where the parent ends at the latest
}

func (e entry) key() *yaml.Node   { return e.parent.Content[e.index] }
func (e entry) value() *yaml.Node { return e.parent.Content[e.index+1] }

// entries are those of a mapping whose keys are wanted.
func entries(parent *yaml.Node, outer position, wanted func(key string) bool) (out []entry) {
	if parent == nil || parent.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(parent.Content); i += 2 {
		if key := parent.Content[i]; key.Kind == yaml.ScalarNode && wanted(key.Value) {
			out = append(out, entry{parent, i, outer})
		}
	}
	return out
}

// rest is what a document says without some of its entries: a text whose other lines, and the columns on them, are
// where they were. A key that stood on lines of its own leaves a comment sign and empty lines, which end a block
// scalar before it where blanks would lengthen it; one that shares its line leaves blanks.
//
// YAML can be written in ways that this cannot cut. Then ok is false: the text was read again, and it did not say
// what it should.
func (d *document) rest(taken []entry) (text string, ok bool) {
	cut := document{file: d.file, lines: append([]string(nil), d.lines...), ends: d.ends, root: d.root, last: d.last}
	gone := map[*yaml.Node]bool{}
	for _, e := range taken {
		from, to, ok := d.extent(e)
		if !ok {
			return "", false
		}
		cut.blank(from, to)
		gone[e.key()] = true
	}
	text = cut.head() // all of the first document may be ours, and the second is nobody's
	var tree yaml.Node
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		return "", false
	}
	var left *yaml.Node
	if len(tree.Content) == 1 {
		left = tree.Content[0]
	}
	return text, same(d.root, left, gone)
}

// extent is where an entry begins and ends in the text.
func (d *document) extent(e entry) (from, to position, ok bool) {
	from = d.entryStart(e.key())
	switch {
	case e.index+2 < len(e.parent.Content):
		to = d.entryStart(e.parent.Content[e.index+2])
	case e.parent.Style&yaml.FlowStyle != 0:
		if to, ok = d.closing(from); !ok {
			return from, to, false
		}
	default:
		to = e.outer
	}
	return from, to, from.before(to)
}

// entryStart is where a key begins, the question mark of `? key` included.
func (d *document) entryStart(key *yaml.Node) position {
	p := at(key)
	if p.line < 1 || p.line > len(d.lines) {
		return p
	}
	line := []rune(d.lines[p.line-1])
	for i := p.column - 2; i >= 0 && i < len(line); i-- {
		if line[i] == '?' && (i == 0 || strings.ContainsRune(" \t{,[", line[i-1])) {
			return position{p.line, i + 1}
		}
		if line[i] != ' ' && line[i] != '\t' {
			break
		}
	}
	return p
}

// closing finds the bracket that closes the flow collection in which a key begins at from.
func (d *document) closing(from position) (position, bool) {
	depth, quote, plain, escaped := 0, rune(0), false, false
	for l := from.line; l <= len(d.lines); l++ {
		line := []rune(d.lines[l-1])
		start := 0
		if l == from.line {
			start = from.column - 1
		}
	scan:
		for i := start; i < len(line); i++ {
			c := line[i]
			switch {
			case escaped:
				escaped = false
			case quote == '"' && c == '\\':
				escaped = true
			case quote != 0:
				if c == quote {
					quote = 0 // a doubled '' closes and opens again
				}
			case c == ' ' || c == '\t':
			case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
				break scan
			case c == '{' || c == '[':
				depth, plain = depth+1, false
			case c == '}' || c == ']':
				if depth == 0 {
					return position{l, i + 1}, true
				}
				depth, plain = depth-1, false
			case c == ',':
				plain = false
			case c == ':' && (i+1 == len(line) || strings.ContainsRune(" \t,[]{}", line[i+1]) || !plain):
				plain = false
			case plain:
			case c == '"' || c == '\'':
				quote = c
			case c == '&' || c == '*' || c == '!': // an anchor, alias or tag; what follows may be quoted
				for i+1 < len(line) && !strings.ContainsRune(" \t,[]{}", line[i+1]) {
					i++
				}
			default:
				plain = true
			}
		}
		escaped = false // a backslash at the end of a line escapes the break
	}
	return position{}, false
}

// itemEnd is where the item i of a sequence ends at the latest: at the dash of the next, or where the sequence does.
func (d *document) itemEnd(seq *yaml.Node, i int, outer position) position {
	if i+1 >= len(seq.Content) {
		return outer
	}
	next := at(seq.Content[i+1])
	for l := min(next.line, len(d.lines)); l > 0; l-- {
		line := []rune(d.lines[l-1])
		if l == next.line {
			line = line[:min(next.column-1, len(line))]
		}
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "-") {
			return position{l, strings.IndexRune(string(line), '-') + 1} // only blanks stand before a dash
		}
	}
	return next
}

func (d *document) blank(from, to position) {
	for l := from.line; l <= to.line && l <= len(d.lines); l++ {
		line := []rune(d.lines[l-1])
		start, end := 0, len(line)
		if l == from.line {
			start = min(from.column-1, len(line))
		}
		if l == to.line {
			end = min(to.column-1, len(line))
		}
		for i := start; i < end; i++ {
			line[i] = ' '
		}
		text := string(line)
		if strings.TrimSpace(text) == "" && !(l == to.line && l != from.line && end < len(line)) {
			text = ""
			switch {
			case l == from.line:
				text = "#"
			case l > 1 && d.ends[l-2] == "\r" && d.ends[l-1] == "\n":
				text = " " // or the two breaks would be one
			}
		}
		d.lines[l-1] = text
	}
}

// same compares what is left of a tree with what was read again: the same values at the same places.
func same(was, is *yaml.Node, gone map[*yaml.Node]bool) bool {
	if was == nil || is == nil {
		return was == nil && is == nil || is == nil && emptied(was, gone) || was == nil && isNull(is)
	}
	if emptied(was, gone) && isNull(is) {
		return true // `- ` is all that is left of an item
	}
	if was.Kind != is.Kind || was.Value != is.Value || was.Anchor != is.Anchor || was.ShortTag() != is.ShortTag() {
		return false
	}
	if was.Kind == yaml.ScalarNode && (at(was) != at(is) && !isNull(was)) {
		return false
	}
	if was.Kind == yaml.AliasNode {
		return true // the names are equal
	}
	j := 0
	for i := 0; i < len(was.Content); i++ {
		if was.Kind == yaml.MappingNode && i%2 == 0 && gone[was.Content[i]] {
			i++
			continue
		}
		if j >= len(is.Content) || !same(was.Content[i], is.Content[j], gone) {
			return false
		}
		j++
	}
	return j == len(is.Content)
}

// emptied says whether nothing is left of a mapping.
func emptied(n *yaml.Node, gone map[*yaml.Node]bool) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		if !gone[n.Content[i]] {
			return false
		}
	}
	return true
}

// cutOff finds the aliases outside the taken entries whose anchors are inside: Alertmanager would not know them.
func cutOff(root *yaml.Node, taken []entry) (aliases []*yaml.Node) {
	inside, gone := map[*yaml.Node]bool{}, map[*yaml.Node]bool{}
	var mark func(*yaml.Node)
	mark = func(n *yaml.Node) {
		inside[n] = true
		for _, c := range n.Content {
			mark(c)
		}
	}
	for _, e := range taken {
		gone[e.key()] = true
		mark(e.key())
		mark(e.value())
	}
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.AliasNode && inside[n.Alias] {
			aliases = append(aliases, n)
		}
		for i := 0; i < len(n.Content); i++ {
			if n.Kind == yaml.MappingNode && i%2 == 0 && gone[n.Content[i]] {
				i++
				continue
			}
			walk(n.Content[i])
		}
	}
	if root != nil {
		walk(root)
	}
	return aliases
}
