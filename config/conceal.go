package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	"go.yaml.in/yaml/v3"
)

// A Shown is one file of a configuration, as anybody may see it.
type Shown struct {
	File string
	Text string // without secrets and comments, aliases written out; empty: it cannot be shown
}

// Shown are the file and those it includes, in the order of reading.
func (c *Config) Shown() []Shown {
	var out []Shown
	for i, file := range c.Files {
		text := c.texts.files[file]
		if i == 0 {
			text = c.texts.main
		}
		s := Shown{File: file}
		if hidden, err := Conceal(text); err == nil {
			s.Text = string(hidden)
		}
		out = append(out, s)
	}
	return out
}

// Conceal takes the secrets out of a file, and the comments: commented out is not forgotten. <secret> stands for each, as
// Alertmanager shows them. An error says that the text is no YAML that can be written out.
func Conceal(text []byte) ([]byte, error) {
	d, err := readDocument("", text)
	if err != nil {
		return nil, err
	}
	if d.root == nil || isNull(d.root) {
		return nil, nil
	}
	var flat flattener
	root := flat.flatten(d.root)
	if len(flat.faults) > 0 {
		return nil, fmt.Errorf("line %d: %s", flat.faults[0].node.Line, flat.faults[0].text)
	}
	if flat.nodes > maxShown {
		return nil, fmt.Errorf("the file has more than %d values when its aliases are written out", maxShown)
	}
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("the file is no mapping of sections")
	}
	var c concealer
	for i := 0; i+1 < len(root.Content); i += 2 {
		c.top(root.Content[i].Value, root.Content[i+1])
	}
	c.sweep(root, c.everywhere())
	var out bytes.Buffer
	for i := 0; i+1 < len(root.Content); i += 2 {
		if i > 0 {
			out.WriteByte('\n')
		}
		enc := yaml.NewEncoder(&out)
		enc.SetIndent(2)
		if err := enc.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: root.Content[i : i+2]}); err != nil {
			return nil, err
		}
		if err := enc.Close(); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// maxShown is how many values a file may have that is shown: a file of ten thousand lines has a third of them.
const maxShown = 100_000

// A concealer replaces secrets, and remembers them.
type concealer struct{ found []string }

func (c *concealer) hide(n *yaml.Node) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Value != "" && !isNull(n):
		c.found = append(c.found, n.Value)
		n.Value, n.Style, n.Tag = amcommoncfg.SecretToken, 0, "!!str"
	default:
		for i, v := range n.Content {
			if n.Kind != yaml.MappingNode || i%2 == 1 {
				c.hide(v)
			}
		}
	}
}

// top conceals one section of a file.
func (c *concealer) top(key string, n *yaml.Node) {
	if f := sectionForm(key); f != nil {
		c.form([]string{key}, n, f)
		return
	}
	if key == "receivers" {
		for _, r := range n.Content {
			for _, own := range receiverKeys {
				if v := lookup(r, own.key); v != nil {
					c.form([]string{own.key}, v, own.form)
				}
			}
		}
	}
	c.upstream([]string{key}, n)
}

// upstream conceals what Alertmanager treats as secret.
func (c *concealer) upstream(path []string, n *yaml.Node) {
	if isSecret(path) {
		c.hide(n)
		return
	}
	c.each(path, n, c.upstream)
}

func (c *concealer) each(path []string, n *yaml.Node, visit func([]string, *yaml.Node)) {
	for i, v := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			visit(path, v)
		case n.Kind == yaml.MappingNode && i%2 == 1:
			visit(append(path[:len(path):len(path)], n.Content[i-1].Value), v)
		}
	}
}

// isSecret says whether Alertmanager has a secret at a path, or a list of them.
func isSecret(path []string) bool {
	t := upstreamType(path)
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice) && !secretTypes[t] {
		t = t.Elem()
	}
	return secretTypes[t] || isSecretHeader(path)
}

var secretHeaderRE = regexp.MustCompile(`(?i)auth|key|token|secret|cookie|session`)

// isSecretHeader says it of headers, whose names are the file's own: …/http_headers/<name>/secrets, and the values of those
// whose name says that they are one.
func isSecretHeader(path []string) bool {
	n := len(path)
	if n < 3 || path[n-3] != "http_headers" {
		return false
	}
	return path[n-1] == "secrets" || path[n-1] == "values" && secretHeaderRE.MatchString(path[n-2])
}

// Further places of ours that hold secrets, by the ends of their paths.
var secretPaths = []string{"calendars/url", "dead_man/url", "ping_key"}

// form conceals what is ours. path has the keys from the section on.
func (c *concealer) form(path []string, n *yaml.Node, f *form) {
	where := strings.Join(path, "/")
	secret := f.scalar == secretText || f.scalar == signingSecret || slices.Contains(secretKeys, path[len(path)-1]) ||
		slices.ContainsFunc(secretPaths, func(p string) bool { return where == p || strings.HasSuffix(where, "/"+p) })
	switch {
	case secret:
		c.hide(n)
	case f.opaque:
		if f.upstream != nil {
			c.upstream(f.upstream, n)
		}
	case n.Kind == yaml.SequenceNode && f.list != nil:
		for _, item := range n.Content {
			c.form(path, item, f.list)
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			inner := f.table
			for _, one := range f.fields {
				if one.key == key {
					inner = one.form
				}
			}
			if inner != nil {
				c.form(append(path[:len(path):len(path)], key), n.Content[i+1], inner)
			}
		}
	}
}

// A secret that is at least so long is looked for elsewhere, too; a shorter one is in many a word.
const sweepFrom = 8

var passwordRE = regexp.MustCompile(`(://[^/@\s:]*):[^/@\s]+@`)

// everywhere replaces what was found, wherever it is.
func (c *concealer) everywhere() *strings.Replacer {
	slices.SortFunc(c.found, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) }) // one may be part of another
	var pairs []string
	for _, s := range slices.Compact(c.found) {
		if len(s) >= sweepFrom && s != amcommoncfg.SecretToken {
			pairs = append(pairs, s, amcommoncfg.SecretToken)
		}
	}
	return strings.NewReplacer(pairs...)
}

// sweep takes out what is left of secrets elsewhere: in an address, in a template, in a name.
func (c *concealer) sweep(n *yaml.Node, everywhere *strings.Replacer) {
	if n.Kind == yaml.ScalarNode {
		n.Value = passwordRE.ReplaceAllString(everywhere.Replace(n.Value), "$1:xxxxx@")
	}
	for _, v := range n.Content {
		c.sweep(v, everywhere)
	}
}
