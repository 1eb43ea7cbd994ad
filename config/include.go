package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"
	yamlv2 "gopkg.in/yaml.v2"
)

// Limits of includes: far above use, far below what a mistaken pattern such as /**/* might bring.
const (
	MaxIncludes     = 1000
	MaxIncludeBytes = 10 << 20 // of each file
)

// include reads the files that the main file names: our sections are added to ours, and their routes are returned,
// to be appended under the root route (SPEC §2).
func (l *loader) include() (routes []*amconfig.Route) {
	for _, s := range slices.Clone(l.sections) {
		if s.name != "include" || s.file != l.opts.File {
			continue
		}
		l.check(s.value, sectionForm("include"), "include")
		for _, pattern := range s.value.Content {
			if pattern.Kind != yaml.ScalarNode || isNull(pattern) {
				continue
			}
			for _, path := range l.match(pattern, "include") {
				l.file = path
				routes = append(routes, l.included(path, pattern)...)
				l.file = l.opts.File
			}
		}
	}
	return routes
}

// match lists the files of a pattern that were not read yet, in the order of their names. key is where the pattern stands.
func (l *loader) match(pattern *yaml.Node, key string) (paths []string) {
	full := pattern.Value
	if !filepath.IsAbs(full) {
		full = filepath.Join(l.opts.Dir, full)
	}
	all, err := l.glob(full)
	if errors.Is(err, errNotLookedAt) {
		l.warn(pattern, fmt.Sprintf("%s: %q is not looked at", key, pattern.Value), notLookedAt)
		l.blur()
		return nil
	}
	if err != nil {
		l.fault(pattern, fmt.Sprintf("%s: %q is not a pattern", key, pattern.Value), "write one such as teams/*.yml")
		return nil
	}
	if len(all) == 0 {
		l.warn(pattern, fmt.Sprintf("%s: no file matches %q", key, pattern.Value), "patterns are relative to the file's folder")
	}
	for _, path := range all {
		if slices.ContainsFunc(l.cfg.Files, func(f string) bool { return filepath.Clean(f) == path }) {
			continue
		}
		if len(l.cfg.Files) > MaxIncludes {
			l.fault(pattern, fmt.Sprintf("%s: more than %d files", key, MaxIncludes), "name fewer")
			break
		}
		l.cfg.Files = append(l.cfg.Files, path)
		paths = append(paths, path)
	}
	return paths
}

// included reads one included file.
func (l *loader) included(path string, pattern *yaml.Node) []*amconfig.Route {
	text, err := l.read(path)
	if err != nil {
		l.faults = append(l.faults, Fault{File: path, Message: reason(err), Hint: fmt.Sprintf("it is included by %s:%d", l.opts.File, pattern.Line)})
		return nil
	}
	d, err := readDocument(path, text)
	if err != nil {
		for _, e := range splitError(err) {
			l.faults = append(l.faults, l.placed(e, nil, nil))
		}
		l.locate(text)
		return nil
	}
	if d.root == nil || isNull(d.root) {
		return nil
	}
	if d.root.Kind != yaml.MappingNode {
		l.fault(d.root, "an included file is "+found(d.root), "write a mapping of sections")
		return nil
	}
	if d.more.line > 0 {
		l.warn(&yaml.Node{Line: d.more.line, Column: d.more.column}, "the file goes on after its first YAML document, and only that one is read",
			"remove the --- or what follows it")
	}
	var taken []entry
	for _, e := range entries(d.root, d.last, func(string) bool { return true }) {
		switch key := e.key(); {
		case key.Value == "routes":
			continue
		case key.Value == "include":
			l.fault(key, "an included file includes others", "name them in the main file")
		case ours(key.Value):
			l.addSection(key, e.value())
		case slices.Contains(upstreamKeys(nil), key.Value):
			l.fault(key, fmt.Sprintf("%s is not for included files", key.Value), "move it to the main file; an included file has sections of Midwatch and routes")
		default:
			l.fault(key, fmt.Sprintf("unknown key %q in an included file", key.Value), didYouMean(key.Value, includeKeys()))
		}
		taken = append(taken, e)
	}
	routes := keyNode(d.root, "routes")
	if routes == nil {
		return nil
	}
	rest := text
	if len(taken) > 0 {
		cut, ok := l.cut(d, taken, text)
		if !ok {
			return nil
		}
		rest = cut
	}
	return l.routes(d, rest)
}

func includeKeys() (keys []string) {
	for _, s := range sections {
		if s.key != "include" {
			keys = append(keys, s.key)
		}
	}
	return append(keys, "routes")
}

// routes reads a file's subtrees with Alertmanager's own types and YAML library, so that they mean what they would
// mean in the main file.
func (l *loader) routes(d *document, text []byte) []*amconfig.Route {
	tree := l.flatten(lookup(d.root, "routes"))
	if len(l.flat.faults) > 0 {
		return nil
	}
	var file struct {
		Routes []*amconfig.Route `yaml:"routes"`
	}
	err := yamlv2.UnmarshalStrict(text, &file)
	p := &prober{l: l}
	var found Faults
	if tree.Kind == yaml.SequenceNode {
		for _, r := range tree.Content {
			if err != nil || isNull(r) {
				p.route(r, []string{"route", "routes"}, false)
			}
			l.checkRoute(r, &found)
		}
	}
	if err != nil {
		for _, e := range splitError(err) {
			l.faults = append(l.faults, l.placed(e, d.root, p.found))
		}
	}
	l.faults = append(append(l.faults, p.found...), found...)
	return file.Routes
}

func readLimited(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxIncludeBytes {
		return nil, fmt.Errorf("the file is larger than %d bytes", MaxIncludeBytes)
	}
	return os.ReadFile(path)
}
