package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"
)

// Alertmanager's loader stops at the first thing that is wrong, and seldom says where. So a file that it refused is
// given to it again in pieces: what it says of a piece is said of the piece's place. Whether the file is good is
// never decided here, only by the loader and the whole.

// probe finds what is wrong with Alertmanager's part of a file.
func (l *loader) probe(root *yaml.Node) Faults {
	var flat flattener
	if root = flat.flatten(root); len(flat.faults) > 0 || root.Kind != yaml.MappingNode {
		return nil
	}
	p := &prober{l: l}
	p.top(root)
	return p.found
}

type prober struct {
	l      *loader
	global *yaml.Node // where it is good
	found  Faults
}

func (p *prober) top(root *yaml.Node) {
	sound := true
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch key.Value {
		case "global":
			sound = p.keys([]string{key.Value}, value, func(piece *yaml.Node) []pair { return []pair{{key, piece}} })
			p.global = value
		case "templates", "tracing", "event_recorder":
			p.try([]string{key.Value}, key, pair{key, value})
		case "inhibit_rules", "time_intervals", "mute_time_intervals":
			p.items([]string{key.Value}, key, value)
		case "route":
			p.route(value, []string{"route"}, true)
		default:
			if key.Kind == yaml.ScalarNode && !ours(key.Value) && key.Value != "receivers" {
				p.try(nil, key, pair{key, value})
			}
		}
	}
	if !sound {
		p.global = nil
	}
	receivers := lookup(root, "receivers")
	p.receivers(receivers, sound)
	p.unique(receivers, "notification config name %q is not unique")
	p.unique(lookup(root, "mute_time_intervals"), "mute time interval %q is not unique")
	p.unique(lookup(root, "time_intervals"), "time interval %q is not unique")
	if route := lookup(root, "route"); route != nil {
		p.l.checkRoute(route, &p.found)
	}
}

type pair struct{ key, value *yaml.Node }

func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// stubName is the receiver of the least config that a piece can be in. No file is refused for using it.
const stubName = "midwatch-probe"

// maxPlaced is how many faults of Alertmanager's part are looked for: each takes a look at the whole file, and nobody mends more at
// once.
const maxPlaced = 1000

// try loads a config that has these keys beside what every config needs; what is wrong is said of the nodes it came
// from, or else of the node at. path leads to the piece, for hints.
func (p *prober) try(path []string, at *yaml.Node, pairs ...pair) bool {
	if len(p.found) >= maxPlaced {
		return true // there is enough to mend
	}
	var e emitter
	hasRoute, hasReceivers := false, false
	for _, one := range pairs {
		hasRoute = hasRoute || one.key.Value == "route"
		hasReceivers = hasReceivers || one.key.Value == "receivers"
		e.node(scalarText(one.key)+": ", one.key, one.value, "")
	}
	if !hasRoute {
		e.write("route: {receiver: "+stubName+"}", nil, nil)
	}
	if !hasReceivers {
		e.write("receivers: [{name: "+stubName+"}]", nil, nil)
	}
	_, err := loadSafely(e.text(), func(*amconfig.Config) {})
	if err == nil {
		return true
	}
	for _, c := range splitError(err) {
		f := Fault{File: p.l.file, Line: at.Line, Column: at.Column, Message: c.text}
		if n := e.place(c); n != nil && n.Line > 0 {
			f.Line, f.Column = n.Line, n.Column
			if key := c.keyOf(); key != "" && strings.Contains(c.text, "not found") {
				f.Hint = didYouMean(key, upstreamKeys(path))
			}
		} else if n := named(c.text, pairs); n != nil {
			f.Line, f.Column = n.Line, n.Column
		}
		p.found = append(p.found, f)
	}
	return false
}

var keyNameRE = regexp.MustCompile(`[a-z]+(?:_[a-z]+)+`)

// named is the last key that a message speaks of, as in "at most one of api_key & api_key_file must be configured".
func named(message string, pairs []pair) (last *yaml.Node) {
	words := keyNameRE.FindAllString(message, -1)
	for _, one := range pairs {
		spot(one.value, nil, func(n *yaml.Node, _ []string, isKey bool) bool {
			if isKey && n.Line > 0 && slices.Contains(words, n.Value) && (last == nil || at(last).before(at(n))) {
				last = n
			}
			return true
		})
	}
	return last
}

// keys tries a mapping as a whole, and if that is refused, each of its keys on its own, which says better what is
// meant. wrap puts a mapping where it belongs.
func (p *prober) keys(path []string, n *yaml.Node, wrap func(*yaml.Node) []pair) bool {
	before := len(p.found)
	if p.try(path, n, wrap(n)...) {
		return true
	}
	if n.Kind != yaml.MappingNode {
		return false
	}
	whole := p.found[before:]
	p.found = p.found[:before:before]
	for i := 0; i+1 < len(n.Content); i += 2 {
		one := &yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column, Content: n.Content[i : i+2]}
		if one.Content[0].Line > 0 {
			p.try(path, n.Content[i+1], wrap(one)...)
		}
	}
	if len(p.found) == before {
		p.found = append(p.found, whole...)
	}
	return false
}

func (p *prober) items(path []string, key, list *yaml.Node) {
	if list.Kind != yaml.SequenceNode {
		p.try(path, key, pair{key, list})
		return
	}
	for _, item := range list.Content {
		p.try(path, item, pair{key, sequence(item)})
	}
}

func sequence(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

// without is a mapping without some keys, for which other pairs may stand in.
func without(n *yaml.Node, drop func(key string) bool, instead ...pair) *yaml.Node {
	c := &yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !drop(n.Content[i].Value) {
			c.Content = append(c.Content, n.Content[i], n.Content[i+1])
		}
	}
	for _, one := range instead {
		c.Content = append(c.Content, one.key, one.value)
	}
	return c
}

func never(string) bool { return false }

// receivers tries each integration on its own, then what is left of the receiver. Without a sound global only what
// does not depend on it can be said.
func (p *prober) receivers(list *yaml.Node, sound bool) {
	if list == nil || list.Kind != yaml.SequenceNode {
		return
	}
	for _, r := range list.Content {
		if r.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(r.Content); i += 2 {
			key, configs := r.Content[i], r.Content[i+1]
			if isIntegration(key.Value) && configs.Kind == yaml.SequenceNode {
				for _, c := range configs.Content {
					p.integration(key, c, sound)
				}
			}
		}
		bare := without(r, func(key string) bool {
			return isIntegration(key) && lookup(r, key).Kind == yaml.SequenceNode || isReceiverKey(key)
		})
		name := lookup(r, "name")
		if isNull(name) {
			name = plain(stubName)
		}
		p.try([]string{"receivers"}, r, pair{plain("receivers"), sequence(bare)},
			pair{plain("route"), &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{plain("receiver"), name}}})
	}
}

func (p *prober) integration(key, body *yaml.Node, sound bool) {
	before := len(p.found)
	if isNull(body) {
		kind := strings.TrimSuffix(key.Value, "_configs")
		f := Fault{File: p.l.file, Line: body.Line, Column: body.Column, Message: fmt.Sprintf("missing %s config", kind)}
		p.found = append(p.found, f)
		return
	}
	receiver := without(&yaml.Node{}, never, pair{plain("name"), plain(stubName)}, pair{key, sequence(body)})
	pairs := []pair{{plain("receivers"), sequence(receiver)}}
	if p.global != nil {
		pairs = append(pairs, pair{plain("global"), p.global})
	}
	p.try([]string{"receivers", key.Value}, body, pairs...)
	if !sound {
		p.found = dependent(p.found, before)
	}
}

// dependent drops, from the faults after the first ones, those that a missing global may have caused.
func dependent(found Faults, first int) Faults {
	kept := found[:first:first]
	for _, f := range found[first:] {
		if keyRE.MatchString(f.Message) || strings.HasPrefix(f.Message, "cannot unmarshal") {
			kept = append(kept, f)
		}
	}
	return kept
}

func isIntegration(key string) bool {
	name, ok := strings.CutSuffix(key, "_configs")
	return ok && slices.Contains(integrations, name)
}

func isReceiverKey(key string) bool {
	return slices.ContainsFunc(receiverKeys, func(f field) bool { return f.key == key })
}
