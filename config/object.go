package config

import (
	"fmt"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// An object is a mapping of ours while it is made into a value. Its readers answer with the zero value, or the
// default they are given, where a key is absent or was found wrong: the checker has said so by then.
type object struct {
	l     *loader
	node  *yaml.Node
	form  *form
	where string // in words: `escalation policy "db": step 2`
	ok    bool   // the checker found nothing wrong in it
}

// object checks a mapping and makes it readable.
func (l *loader) object(n *yaml.Node, f *form, where string) object {
	before := l.errors
	l.check(n, f, where)
	return object{l, n, f, where, l.errors == before}
}

// each reads the items of a section, a list of things with names, in all files. It notes the names, and passes over
// what has none or one that was there before.
func (l *loader) each(key string, known *names, read func(o object, name string)) {
	f := sectionForm(key)
	for _, s := range l.sections {
		if s.name != key {
			continue
		}
		l.file = s.file
		if s.value.Kind != yaml.SequenceNode {
			l.check(s.value, f, key)
			known.vague = known.vague || !isNull(s.value)
			continue
		}
		for i, item := range s.value.Content {
			o := l.object(item, f.list, f.list.itemIn(key, item, i))
			name := o.get("name")
			if name == nil || name.Kind != yaml.ScalarNode {
				known.vague = true
				continue
			}
			if first, again := known.add(name.Value, l.place(name)); again {
				o.fault(name, fmt.Sprintf("a second %s of this name", f.list.noun),
					fmt.Sprintf("the first is at %s:%d:%d; rename or remove one", first.file, first.at.line, first.at.column))
				continue
			}
			read(o, name.Value)
		}
	}
	l.file = l.opts.File
}

// only reads a section that may be there once in all files.
func (l *loader) only(key string, read func(object)) {
	first := section{}
	for _, s := range l.sections {
		if s.name != key {
			continue
		}
		l.file = s.file
		switch {
		case first.name == "":
			first = s
			read(l.object(s.value, sectionForm(key), key))
		case first.file != s.file:
			l.fault(s.key, fmt.Sprintf("the section %s is there twice", key), fmt.Sprintf("join it with the one in %s:%d", first.file, first.key.Line))
		}
	}
	l.file = l.opts.File
}

// get is the value of a key, or nil where it is absent or null.
func (o object) get(key string) *yaml.Node {
	if v := lookup(o.node, key); !isNull(v) {
		return v
	}
	return nil
}

// here is the node of a key's value, or of the whole object where it has none.
func (o object) here(key string) *yaml.Node {
	if v := lookup(o.node, key); v != nil {
		return v
	}
	return o.node
}

func (o object) text(key string) string {
	if v := o.get(key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

func (o object) textOr(key, absent string) string {
	if v := o.get(key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return absent
}

func (o object) duration(key string, absent time.Duration) time.Duration {
	if v := o.get(key); v != nil {
		if d, err := parseDuration(v.Value); err == nil && v.Kind == yaml.ScalarNode {
			return d
		}
	}
	return absent
}

func (o object) number(key string, absent int) int {
	if n, err := strconv.Atoi(o.text(key)); err == nil {
		return n
	}
	return absent
}

func (o object) boolean(key string, absent bool) bool {
	if b, ok := truth(o.text(key)); ok {
		return b
	}
	return absent
}

// sub is the mapping under a key, checked already as part of the whole.
func (o object) sub(key string) object {
	f := o.form.of(key)
	return object{o.l, lookup(o.node, key), f, join(o.where, key), o.ok}
}

// items are the mappings of the list under a key.
func (o object) items(key string) (out []object) {
	f := o.form.of(key)
	list := o.get(key)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	for i, item := range list.Content {
		out = append(out, object{o.l, item, f.list, f.list.itemIn(join(o.where, key), item, i), o.ok})
	}
	return out
}

// texts are the single values of the list under a key.
func (o object) texts(key string) (out []*yaml.Node) {
	list := o.get(key)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range list.Content {
		if item.Kind == yaml.ScalarNode {
			out = append(out, item)
		}
	}
	return out
}

// of is the form of a key.
func (f *form) of(key string) *form {
	for _, one := range f.fields {
		if one.key == key {
			return one.form
		}
	}
	return &form{list: &form{}}
}

func (o object) fault(n *yaml.Node, message, hint string) { o.l.fault(n, join(o.where, message), hint) }

func (o object) warn(n *yaml.Node, message, hint string) { o.l.warn(n, join(o.where, message), hint) }

// refer checks that a name means something; kind is what such things are called, as in "user".
func (o object) refer(n *yaml.Node, kind string, known *names) bool {
	switch {
	case n == nil || n.Kind != yaml.ScalarNode || isNull(n):
		return false // the checker said so
	case known.has(n.Value):
		return true
	case known.vague:
		return false
	}
	hint := didYouMean(n.Value, known.list)
	if hint == "" {
		hint = fmt.Sprintf("define it, or name another %s", kind)
	}
	o.fault(n, fmt.Sprintf("%s %q does not exist", kind, n.Value), hint)
	return false
}
