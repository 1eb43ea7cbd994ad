package config

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"
)

// loadUpstream hands Alertmanager's loader its text. d is nil where our own parser could not read the file.
func (l *loader) loadUpstream(text []byte, d *document) {
	cfg, err := loadSafely(string(text), func(c *amconfig.Config) { resolvePaths(l.opts.Dir, c) })
	if err == nil {
		l.cfg.Upstream = cfg
		return
	}
	var root *yaml.Node
	var found Faults
	if d != nil && d.root != nil {
		root = d.root
		found = l.probe(root)
	}
	if !errors.Is(err, errGaveUp) || len(found) == 0 {
		all := splitError(err)
		for _, e := range all[:min(len(all), maxPlaced)] {
			l.faults = append(l.faults, l.placed(e, root, found))
		}
	}
	l.faults = append(l.faults, found...)
}

// loadSafely is Alertmanager's Load and what its LoadFile does then. Some files make them panic (slack_app_token
// beside slack_api_url_file), and a reload must not end the daemon.
func loadSafely(text string, resolve func(*amconfig.Config)) (cfg *amconfig.Config, err error) {
	defer func() {
		if r := recover(); r != nil {
			cfg, err = nil, errGaveUp
		}
	}()
	if cfg, err = amconfig.Load(text); err == nil {
		resolve(cfg)
	}
	return cfg, err
}

var errGaveUp = errors.New("alertmanager's loader breaks off at this combination of settings, and does not say why")

// A loadError is one complaint of Alertmanager's loader.
type loadError struct {
	line int    // 0: it did not say
	text string // without the line
}

var lineRE = regexp.MustCompile(`^line (\d+): `)

// splitError takes apart what the YAML library puts together.
func splitError(err error) (out []loadError) {
	text, many := strings.CutPrefix(err.Error(), "yaml: unmarshal errors:\n")
	lines := []string{strings.TrimPrefix(text, "yaml: ")}
	if many {
		lines = strings.Split(text, "\n  line ")
		for i := range lines[1:] {
			lines[i+1] = "line " + lines[i+1]
		}
	}
	for _, line := range lines {
		e := loadError{text: strings.TrimSpace(line)}
		if m := lineRE.FindStringSubmatch(e.text); m != nil {
			e.line, _ = strconv.Atoi(m[1])
			e.text = e.text[len(m[0]):]
		}
		out = append(out, e)
	}
	return out
}

var keyRE = regexp.MustCompile(`^(?:field (.+) (?:not found|already set) in type |key "(.*)" already set in map$)`)

var tagRE = regexp.MustCompile(`^cannot unmarshal (!![a-z]+)`)

// keyOf is the key that a complaint is about, if it is about one.
func (e loadError) keyOf() string {
	if m := keyRE.FindStringSubmatch(e.text); m != nil {
		return m[1] + m[2]
	}
	return ""
}

// placed makes a fault of a complaint: where the loader said, where a probe found the same, or where the thing it
// quotes is.
func (l *loader) placed(e loadError, root *yaml.Node, found Faults) Fault {
	f := Fault{File: l.file, Line: max(e.line, 1), Column: 1, Message: e.text}
	for _, p := range found {
		if p.Message == e.text && (e.line == 0 || e.line == p.Line) {
			return p
		}
	}
	if e.line == 0 {
		if m := quotedRE.FindStringSubmatch(e.text); m != nil && root != nil {
			if n := findScalar(root, m[1]); n != nil {
				f.Line, f.Column = n.Line, n.Column
			}
		}
		return f
	}
	key, tag := e.keyOf(), ""
	if m := tagRE.FindStringSubmatch(e.text); m != nil {
		tag = m[1]
	}
	spot(root, nil, func(n *yaml.Node, path []string, isKey bool) bool {
		switch {
		case n.Line != e.line, n == root,
			key != "" && (!isKey || n.Value != key),
			key == "" && (isKey || tag != "" && n.ShortTag() != tag):
			return true
		}
		f.Column = n.Column
		if key != "" && strings.Contains(e.text, "not found") {
			f.Hint = didYouMean(key, upstreamKeys(path))
		}
		return false
	})
	return f
}

var anchorRE = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// locate finds, in a text that is no YAML, the places of the faults that have none yet, and says what a tab does.
func (l *loader) locate(text []byte) {
	d := &document{}
	d.split(string(text))
	for i := range l.faults {
		f := &l.faults[i]
		if f.File != l.file || f.Line > len(d.lines) {
			continue
		}
		if m := anchorRE.FindStringSubmatch(f.Message); m != nil {
			f.Line, f.Column = d.find("*" + m[1])
			f.Hint = "define it as &" + m[1] + " before it is used"
			continue
		}
		line := d.lines[f.Line-1]
		if tab := strings.IndexByte(line, '\t'); tab >= 0 && strings.Contains(f.Message, "cannot start any token") {
			f.Column = utf8.RuneCountInString(line[:tab]) + 1
			f.Hint = "indent with blanks; YAML takes no tabs"
		} else if f.Column == 1 {
			f.Column = utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeft(line, " ")) + 1
		}
	}
}

// find is where a text is first, or the beginning.
func (d *document) find(what string) (line, column int) {
	for i, text := range d.lines {
		if before, _, ok := strings.Cut(text, what); ok {
			return i + 1, utf8.RuneCountInString(before) + 1
		}
	}
	return 1, 1
}

var quotedRE = regexp.MustCompile(`"((?:[^"\\]|\\.)+)"`)

func findScalar(root *yaml.Node, value string) (found *yaml.Node) {
	spot(root, nil, func(n *yaml.Node, _ []string, isKey bool) bool {
		if !isKey && n.Kind == yaml.ScalarNode && n.Value == value {
			found = n
		}
		return found == nil
	})
	return found
}

// spot visits all nodes in the order of the text until visit says no; path has the keys above a node.
func spot(n *yaml.Node, path []string, visit func(n *yaml.Node, path []string, isKey bool) bool) bool {
	if n == nil {
		return true
	}
	if !visit(n, path, false) {
		return false
	}
	for i, c := range n.Content {
		switch {
		case n.Kind != yaml.MappingNode:
			if !spot(c, path, visit) {
				return false
			}
		case i%2 == 0:
			if !visit(c, path, true) {
				return false
			}
		default:
			if !spot(c, append(path[:len(path):len(path)], n.Content[i-1].Value), visit) {
				return false
			}
		}
	}
	return true
}
