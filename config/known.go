package config

import (
	"reflect"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
)

// upstreamKeys are the keys that Alertmanager's config knows below some keys, and ours there.
func upstreamKeys(path []string) (keys []string) {
	t := structOf(upstreamType(path))
	if t == nil {
		return nil
	}
	keys = yamlKeys(t)
	switch {
	case len(path) == 0:
		for _, s := range sections {
			keys = append(keys, s.key)
		}
	case len(path) == 1 && path[0] == "receivers":
		for _, r := range receiverKeys {
			keys = append(keys, r.key)
		}
	}
	return keys
}

// upstreamType is the type that Alertmanager's config has below some keys, or nil.
func upstreamType(path []string) reflect.Type {
	t := reflect.TypeFor[amconfig.Config]()
	for _, key := range path {
		in := structOf(t)
		if in == nil {
			return nil
		}
		f, ok := yamlField(in, key)
		if !ok {
			return nil
		}
		t = f.Type
	}
	return t
}

func structOf(t reflect.Type) reflect.Type {
	for t != nil {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			t = t.Elem()
		case reflect.Struct:
			return t
		default:
			return nil
		}
	}
	return nil
}

// yamlKeys are a struct's keys, those of structs written inline included.
func yamlKeys(t reflect.Type) (keys []string) {
	for f := range t.Fields() {
		tag, rest, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch inner := structOf(f.Type); {
		case strings.Contains(rest, "inline") && inner != nil:
			keys = append(keys, yamlKeys(inner)...)
		case tag != "" && tag != "-":
			keys = append(keys, tag)
		}
	}
	return keys
}

func yamlField(t reflect.Type, key string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		tag, rest, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if tag == key {
			return f, true
		}
		if inner := structOf(f.Type); strings.Contains(rest, "inline") && inner != nil {
			if g, ok := yamlField(inner, key); ok {
				return g, true
			}
		}
	}
	return reflect.StructField{}, false
}
