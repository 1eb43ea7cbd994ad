package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A form says what may stand at a place of the file. The checker and the JSON Schema read the same forms, so they
// cannot disagree. A form with several members takes any of them.
type form struct {
	noun   string  // what an item of this form is called in messages: "user"
	doc    string  // one sentence for editors
	scalar *scalar // a single value
	list   *form   // a list of these
	limit  int     // items of the list at most; 0: no limit of its own
	full   string  // the list may not be empty; an item as an example
	fields []field // a mapping with these keys
	one    bool    // exactly one of the fields
	table  *form   // a mapping from any key of this syntax
	keys   *scalar
	opaque bool // anything; whoever reads it checks it

	beside   map[string]string // of the fields, those that do not count for one, and the key with which they go
	upstream []string          // where Alertmanager's config has the type of what is opaque
}

type field struct {
	key      string
	form     *form
	required bool
}

// A scalar is the syntax of single values. check is nil where every text will do; its error says what is wrong and,
// after a semicolon, how to mend it.
type scalar struct {
	what    string // "a duration such as 5m"
	check   func(string) error
	words   []string // the only values, where there are few
	pattern string   // for the schema
	json    []string // the schema's types; empty is string
}

func words(w ...string) *scalar {
	s := &scalar{what: "one of " + strings.Join(w, ", "), words: w}
	s.check = func(v string) error {
		if slices.Contains(w, v) {
			return nil
		}
		if near := nearest(v, w); near != "" {
			return fmt.Errorf("%q is not %s; did you mean %q?", v, s.what, near)
		}
		return fmt.Errorf("%q is not %s", v, s.what)
	}
	return s
}

func integer(what string, low, high int) *scalar {
	s := &scalar{what: fmt.Sprintf("%s from %d to %d", what, low, high), json: []string{"integer"}}
	s.check = func(v string) error {
		if n, err := strconv.Atoi(v); err != nil || n < low || n > high {
			return fmt.Errorf("%q is not %s", v, s.what)
		}
		return nil
	}
	return s
}

// or takes a word beside what s takes.
func (s *scalar) or(word string) *scalar {
	c := *s
	c.what = s.what + ", or " + word
	c.json = append([]string{"string"}, s.json...)
	c.check = func(v string) error {
		if v == word {
			return nil
		}
		if s.check(v) != nil {
			return fmt.Errorf("%q is not %s", v, c.what)
		}
		return nil
	}
	return &c
}

var boolean = &scalar{what: "true or false", json: []string{"boolean"}, check: func(v string) error {
	if _, ok := truth(v); !ok {
		return fmt.Errorf("%q is neither true nor false; write one of them", v)
	}
	return nil
}}

// truth reads the booleans of YAML 1.1, as Alertmanager does.
func truth(v string) (value, ok bool) {
	switch strings.ToLower(v) {
	case "true", "yes", "on", "y":
		return true, true
	case "false", "no", "off", "n":
		return false, true
	}
	return false, false
}

// check compares a value with its form. where names the value in words; key is its own name, empty for items.
func (l *loader) check(n *yaml.Node, f *form, where string) {
	if f.opaque {
		return
	}
	switch {
	case f.full != "" && (isNull(n) || n.Kind == yaml.SequenceNode && len(n.Content) == 0):
		l.fault(n, where+" is empty", "add an entry such as "+f.full)
	case isNull(n):
		if f.scalar != nil {
			l.fault(n, where+" is empty", "write "+f.wants()+" or remove the key")
		} else if len(f.fields) > 0 || f.table != nil {
			l.checkFields(&yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column}, f, where)
		}
	case n.Kind == yaml.ScalarNode && f.scalar != nil:
		if f.scalar.check == nil || l.veiled(n.Value) {
			return
		}
		if err := f.scalar.check(n.Value); err != nil {
			l.faultOf(n, where, err)
		}
	case n.Kind == yaml.SequenceNode && f.list != nil:
		if f.limit > 0 && len(n.Content) > f.limit {
			l.fault(n, fmt.Sprintf("%s has %d entries, more than %d", where, len(n.Content), f.limit), "remove some")
		}
		for i, item := range n.Content {
			l.check(item, f.list, f.list.itemIn(where, item, i))
		}
	case n.Kind == yaml.MappingNode && (f.fields != nil || f.table != nil):
		l.checkFields(n, f, where)
	default:
		l.fault(n, fmt.Sprintf("%s is %s", where, found(n)), "write "+f.wants())
	}
}

func (l *loader) checkFields(n *yaml.Node, f *form, where string) {
	known := f.known()
	var given []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			l.fault(key, where+" has a key that is "+found(key), "write a plain key")
			continue
		}
		if slices.Contains(given, key.Value) {
			l.fault(key, fmt.Sprintf("%s has the key %q twice", where, key.Value), "remove one")
			continue
		}
		given = append(given, key.Value)
		if f.table != nil {
			if f.keys != nil && f.keys.check != nil {
				if err := f.keys.check(key.Value); err != nil {
					l.faultOf(key, where, err)
				}
			}
			l.check(value, f.table, f.table.in(where, key.Value))
			continue
		}
		j := slices.Index(known, key.Value)
		if j < 0 {
			l.fault(key, fmt.Sprintf("%s: unknown key %q", where, key.Value), didYouMean(key.Value, known))
			continue
		}
		l.check(value, f.fields[j].form, join(where, key.Value))
	}
	for _, one := range f.fields {
		if one.required && !slices.Contains(given, one.key) {
			l.fault(n, fmt.Sprintf("%s has no %s", where, one.key), fmt.Sprintf("add %s: %s", one.key, one.form.wants()))
		}
	}
	if f.one {
		l.checkOne(n, f, where, given, known)
	}
}

// checkOne checks that one key is given, and with it only what goes with it.
func (l *loader) checkOne(n *yaml.Node, f *form, where string, given, known []string) {
	main := slices.DeleteFunc(slices.Clone(given), func(key string) bool { return f.beside[key] != "" })
	if len(main) != 1 {
		hint := "write exactly one of " + strings.Join(known, ", ")
		if len(known) > 8 {
			hint = "write exactly one, such as " + known[0]
		}
		l.fault(n, fmt.Sprintf("%s has %d keys", where, len(main)), hint)
	}
	for _, key := range given {
		if with := f.beside[key]; with != "" && !slices.Contains(main, with) {
			l.fault(keyNode(n, key), fmt.Sprintf("%s: %s goes with %s alone", where, key, with), "remove it")
		}
	}
}

func (f *form) known() (keys []string) {
	for _, one := range f.fields {
		keys = append(keys, one.key)
	}
	return keys
}

// wants says what a form takes, for hints.
func (f *form) wants() string {
	var w []string
	if f.scalar != nil {
		w = append(w, f.scalar.what)
	}
	if f.list != nil {
		w = append(w, "a list such as [ … ]")
	}
	if f.fields != nil || f.table != nil {
		w = append(w, "a mapping such as {key: value}")
	}
	return strings.Join(w, " or ")
}

// itemIn is how messages call an item of a list: by its name where it has one, else by its number.
func (f *form) itemIn(where string, item *yaml.Node, i int) string {
	if name := lookup(item, "name"); name != nil && name.Kind == yaml.ScalarNode && name.Value != "" {
		return f.in(where, name.Value)
	}
	noun := f.noun
	if noun == "" {
		noun = "entry"
	}
	return join(f.above(where), fmt.Sprintf("%s %d", noun, i+1))
}

// in is how messages call something that has a name.
func (f *form) in(where, name string) string {
	if f.noun != "" {
		return join(f.above(where), fmt.Sprintf("%s %q", f.noun, name))
	}
	if !nameRE.MatchString(name) {
		name = strconv.Quote(name)
	}
	return join(where, name)
}

// above drops the key of a list that only repeats its items' noun: in place of "steps: step 1", "step 1".
func (f *form) above(where string) string {
	i := strings.LastIndex(where, ": ")
	key := where
	if i >= 0 {
		key = where[i+2:]
	}
	if f.noun == "" || !strings.HasPrefix(strings.TrimSuffix(strings.ReplaceAll(key, "_", " "), "ies"), strings.TrimSuffix(f.noun, "y")) {
		return where
	}
	return where[:max(i, 0)]
}

func join(where, more string) string {
	if where == "" {
		return more
	}
	return where + ": " + more
}

func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

// splitHint cuts an error of a parser into what is wrong and how to mend it.
func splitHint(err error) (message, hint string) {
	message, hint, _ = strings.Cut(err.Error(), "; ")
	return message, hint
}
