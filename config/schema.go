package config

import (
	"encoding/json"
	"reflect"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
)

// Schema is the JSON Schema (draft 7) of the configuration, from which editors complete. It is strict about our
// sections and knows the keys of Alertmanager's without insisting on them: what those may hold, its loader decides.
func Schema() []byte {
	b := schemaBuilder{definitions: map[string]any{}}
	root := b.upstreamStruct(reflect.TypeFor[amconfig.Config]())
	properties := root["properties"].(map[string]any)
	for _, s := range sections {
		properties[s.key] = b.form(s.form)
	}
	receiver := b.definitions[definitionName(reflect.TypeFor[amconfig.Receiver]())].(map[string]any)
	for _, r := range receiverKeys {
		receiver["properties"].(map[string]any)[r.key] = b.form(r.form)
	}
	properties["routes"] = map[string]any{
		"description": "Only in included files: routes to append under the root route.",
		"type":        "array",
		"items":       map[string]any{"$ref": "#/definitions/" + definitionName(reflect.TypeFor[amconfig.Route]())},
	}
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Midwatch configuration"
	root["additionalProperties"] = false
	root["definitions"] = b.definitions
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // strings, numbers, maps and lists
	}
	return append(out, '\n')
}

type schemaBuilder struct{ definitions map[string]any }

// form writes one of our forms.
func (b schemaBuilder) form(f *form) map[string]any {
	var ways []map[string]any
	if f.scalar != nil {
		ways = append(ways, f.scalar.schema())
	}
	if f.list != nil {
		list := map[string]any{"type": "array", "items": b.form(f.list)}
		if f.limit > 0 {
			list["maxItems"] = f.limit
		}
		if f.full != "" {
			list["minItems"] = 1
		}
		ways = append(ways, list)
	}
	if f.fields != nil {
		ways = append(ways, b.object(f))
	}
	if f.table != nil {
		table := map[string]any{"type": "object", "additionalProperties": b.form(f.table)}
		if f.keys != nil && f.keys.check != nil {
			table["propertyNames"] = f.keys.schema()
		}
		ways = append(ways, table)
	}
	out := map[string]any{}
	switch len(ways) {
	case 0: // opaque
	case 1:
		out = ways[0]
	default:
		out["anyOf"] = ways
	}
	if f.doc != "" {
		out["description"] = f.doc
	}
	return out
}

func (b schemaBuilder) object(f *form) map[string]any {
	properties := map[string]any{}
	required := []string{}
	for _, one := range f.fields {
		properties[one.key] = b.form(one.form)
		if one.form.opaque {
			t := upstreamType(one.form.upstream)
			if t.Kind() == reflect.Slice {
				t = t.Elem()
			}
			properties[one.key] = b.upstream(t)
		}
		if one.required {
			required = append(required, one.key)
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	if f.one {
		out["minProperties"], out["maxProperties"] = 1, 1+len(f.beside)
	}
	return out
}

func (s *scalar) schema() map[string]any {
	out := map[string]any{}
	switch {
	case s.words != nil:
		out["enum"] = s.words
	case len(s.json) == 1:
		out["type"] = s.json[0]
	case len(s.json) > 1:
		out["type"] = s.json
	default:
		out["type"] = "string"
	}
	if s.pattern != "" {
		out["pattern"] = s.pattern
	}
	return out
}

// upstream writes a type of Alertmanager's: the keys of structs, and nothing about single values.
func (b schemaBuilder) upstream(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return b.upstream(t.Elem())
	case reflect.Slice:
		if s := structOf(t); s != nil && len(yamlKeys(s)) > 0 {
			return map[string]any{"items": b.upstream(t.Elem())}
		}
	case reflect.Struct:
		if len(yamlKeys(t)) == 0 {
			break // a struct that is written as a single value, such as a URL
		}
		name := definitionName(t)
		if _, known := b.definitions[name]; !known {
			b.definitions[name] = nil // a route holds routes
			b.definitions[name] = b.upstreamStruct(t)
		}
		return map[string]any{"$ref": "#/definitions/" + name}
	}
	return map[string]any{}
}

func (b schemaBuilder) upstreamStruct(t reflect.Type) map[string]any {
	properties := map[string]any{}
	for _, key := range yamlKeys(t) {
		f, _ := yamlField(t, key)
		properties[key] = b.upstream(f.Type)
	}
	return map[string]any{"properties": properties}
}

func definitionName(t reflect.Type) string {
	return strings.ReplaceAll(strings.TrimPrefix(t.PkgPath(), "github.com/prometheus/"), "/", ".") + "." + t.Name()
}
