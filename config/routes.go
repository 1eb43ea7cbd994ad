package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// route tries each route without its children, and without the names that are checked on their own.
func (p *prober) route(r *yaml.Node, path []string, root bool) {
	if isNull(r) && !root {
		p.found = append(p.found, Fault{File: p.l.file, Line: r.Line, Column: r.Column, Message: "a route is empty", Hint: "write its receiver, or remove it"})
	}
	if r.Kind != yaml.MappingNode {
		return // the loader said so
	}
	drop := func(key string) bool {
		list := lookup(r, key)
		switch key {
		case "routes":
			return list.Kind == yaml.SequenceNode
		case "receiver":
			return !isNull(list) && list.Kind == yaml.ScalarNode
		case "mute_time_intervals", "active_time_intervals":
			return !root && list.Kind == yaml.SequenceNode
		}
		return false
	}
	stub := pair{plain("receiver"), plain(stubName)}
	p.keys(path, without(r, drop), func(piece *yaml.Node) []pair {
		switch {
		case root && isNull(lookup(r, "receiver")):
			return []pair{{plain("route"), piece}}
		case root:
			return []pair{{plain("route"), without(piece, never, stub)}}
		}
		tree := without(&yaml.Node{}, never, stub, pair{plain("routes"), sequence(piece)})
		return []pair{{plain("route"), tree}}
	})
	if children := lookup(r, "routes"); children != nil && children.Kind == yaml.SequenceNode {
		for _, c := range children.Content {
			p.route(c, append(path[:len(path):len(path)], "routes"), false)
		}
	}
}

// unique checks the names of a list.
func (p *prober) unique(list *yaml.Node, message string) {
	if list == nil || list.Kind != yaml.SequenceNode {
		return
	}
	seen := map[string]int{}
	for _, item := range list.Content {
		name := lookup(item, "name")
		if isNull(name) || name.Kind != yaml.ScalarNode {
			continue
		}
		if line, again := seen[name.Value]; again {
			p.found = append(p.found, Fault{
				File: p.l.file, Line: name.Line, Column: name.Column,
				Message: fmt.Sprintf(message, name.Value), Hint: fmt.Sprintf("the first is in line %d", line),
			})
			continue
		}
		seen[name.Value] = name.Line
	}
}

// checkRoute looks up the names that a subtree of routes uses. The words are Alertmanager's.
func (l *loader) checkRoute(r *yaml.Node, found *Faults) {
	undefined := func(n *yaml.Node, message string, known []string) {
		*found = append(*found, Fault{
			File: l.file, Line: n.Line, Column: n.Column,
			Message: fmt.Sprintf(message, n.Value), Hint: didYouMean(n.Value, known),
		})
	}
	if n := lookup(r, "receiver"); !isNull(n) && n.Kind == yaml.ScalarNode && n.Value != "" && !l.receiver.has(n.Value) {
		undefined(n, "undefined receiver %q used in route", l.receiver.list)
	}
	for _, key := range []string{"active_time_intervals", "mute_time_intervals"} {
		if list := lookup(r, key); list != nil && list.Kind == yaml.SequenceNode {
			for _, n := range list.Content {
				if n.Kind == yaml.ScalarNode && !l.interval.has(n.Value) {
					undefined(n, "undefined time interval %q used in route", l.interval.list)
				}
			}
		}
	}
	if children := lookup(r, "routes"); children != nil && children.Kind == yaml.SequenceNode {
		for _, c := range children.Content {
			l.checkRoute(c, found)
		}
	}
}
