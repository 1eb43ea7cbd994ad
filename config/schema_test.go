package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A schemaCheck is as much of JSON Schema as Schema uses.
type schemaCheck struct{ root map[string]any }

func (s schemaCheck) faults(n *yaml.Node, schema map[string]any, path string) (out []string) {
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/definitions/")
		definition, ok := s.root["definitions"].(map[string]any)[name].(map[string]any)
		if !ok {
			return []string{path + ": no definition " + name}
		}
		return s.faults(n, definition, path)
	}
	if ways, ok := schema["anyOf"].([]any); ok {
		var all []string
		for _, way := range ways {
			faults := s.faults(n, way.(map[string]any), path)
			if len(faults) == 0 {
				return nil
			}
			all = append(all, faults...)
		}
		return all
	}
	if types, ok := schema["type"]; ok && !isType(n, types) {
		return []string{fmt.Sprintf("%s: not a %v", path, types)}
	}
	if words, ok := schema["enum"].([]any); ok && !slices.Contains(words, any(n.Value)) {
		out = append(out, fmt.Sprintf("%s: %q is not one of %v", path, n.Value, words))
	}
	if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(n.Value) {
		out = append(out, fmt.Sprintf("%s: %q does not match %s", path, n.Value, pattern))
	}
	switch n.Kind {
	case yaml.SequenceNode:
		if least, ok := schema["minItems"].(float64); ok && len(n.Content) < int(least) {
			out = append(out, path+": too few")
		}
		if most, ok := schema["maxItems"].(float64); ok && len(n.Content) > int(most) {
			out = append(out, path+": too many")
		}
		if items, ok := schema["items"].(map[string]any); ok {
			for i, item := range n.Content {
				out = append(out, s.faults(item, items, fmt.Sprintf("%s[%d]", path, i))...)
			}
		}
	case yaml.MappingNode:
		out = append(out, s.object(n, schema, path)...)
	}
	return out
}

func (s schemaCheck) object(n *yaml.Node, schema map[string]any, path string) (out []string) {
	properties, _ := schema["properties"].(map[string]any)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		if p, ok := properties[key].(map[string]any); ok {
			out = append(out, s.faults(value, p, path+"."+key)...)
			continue
		}
		if names, ok := schema["propertyNames"].(map[string]any); ok {
			out = append(out, s.faults(n.Content[i], names, path+" key")...)
		}
		switch more := schema["additionalProperties"].(type) {
		case map[string]any:
			out = append(out, s.faults(value, more, path+"."+key)...)
		case bool:
			out = append(out, path+": unknown key "+key)
		}
	}
	required, _ := schema["required"].([]any)
	for _, key := range required {
		if lookup(n, key.(string)) == nil {
			out = append(out, fmt.Sprintf("%s: no %s", path, key))
		}
	}
	least, ok := schema["minProperties"].(float64)
	most, _ := schema["maxProperties"].(float64)
	if n := len(n.Content) / 2; ok && (n < int(least) || n > int(most)) {
		out = append(out, fmt.Sprintf("%s: %d keys, not %v to %v", path, n, least, most))
	}
	return out
}

func isType(n *yaml.Node, types any) bool {
	list, ok := types.([]any)
	if !ok {
		list = []any{types}
	}
	for _, t := range list {
		switch t {
		case "object":
			ok = n.Kind == yaml.MappingNode
		case "array":
			ok = n.Kind == yaml.SequenceNode
		case "string":
			ok = n.Kind == yaml.ScalarNode
		case "integer":
			ok = n.ShortTag() == "!!int"
		case "boolean":
			_, ok = truth(n.Value)
		}
		if ok {
			return true
		}
	}
	return false
}

func schema(t *testing.T) schemaCheck {
	t.Helper()
	var s schemaCheck
	if err := json.Unmarshal(Schema(), &s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

func check(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := readDocument(path, text)
	if err != nil {
		t.Fatal(err)
	}
	var f flattener
	s := schema(t)
	return s.faults(f.flatten(d.root), s.root, "")
}

// An editor finds nothing wrong with what the loader takes.
func TestTheSchemaTakesGoodFiles(t *testing.T) {
	for _, path := range []string{"testdata/good/full.yml", "testdata/good/teams/shop.yml", "testdata/good/channels.yml", "../examples/channels.yml"} {
		if faults := check(t, path); len(faults) > 0 {
			t.Errorf("%s:\n%s", path, strings.Join(faults, "\n"))
		}
	}
	for _, path := range upstreamFiles(t) {
		if _, faults := LoadFile(path); faults.Err() != nil {
			continue
		}
		if faults := check(t, path); len(faults) > 0 {
			t.Errorf("%s:\n%s", path, strings.Join(faults, "\n"))
		}
	}
}

// And it finds the slips of the pen that need no knowledge of names.
func TestTheSchemaRefusesSlips(t *testing.T) {
	for file, want := range map[string][]string{
		"users.yml":     {".users[0]: unknown key fullname", ".users[0].contact_methods.hook: unknown key webhok", ".users[0].notification_rules.low: too few", ".users[4]: no name"},
		"policies.yml":  {".escalation_policies[0].steps[3]: unknown key escalate_afer", ".escalation_policies[0].steps[3]: no notify", `.escalation_policies[0].urgency: "medium" is not one of [high low auto support_hours]`, ".paging: unknown key catch_al"},
		"schedules.yml": {`.schedules[0].layers[0].rotation.every: "1 week" does not match ^[0-9]+(h|d|w|month)$`},
		"incidents.yml": {".receivers[1].incident_configs[0]: unknown key policy", `.severities.page: "high" is not one of [sev1 sev2 sev3 sev4 sev5]`},
		"crowded.yml":   {".escalation_policies[0].steps[0].notify: too many"},
		"maintenance.yml": {
			".maintenance[16].matchers: too few", ".maintenance[17]: no matchers", ".maintenance[18]: unknown key coment",
			`.maintenance[8].for: "two hours" does not match ^([0-9]+(ms|[smhdwy]))+$|^0$`, `.dispatch.resolved_under_silence: "notfy" is not one of [drop notify]`,
		},
		"upstream.yml":   {": unknown key user"},
		"heartbeats.yml": {".heartbeats[17]: unknown key evry", ".heartbeats[17]: no every", ".paging.dead_man: unknown key evry", ".heartbeats[5].alert: too few"},
		"channels.yml": {
			".users[0].contact_methods.a.ntfy: unknown key topik", ".users[0].contact_methods.a.ntfy: no topic",
			`.users[0].contact_methods.i.sms.to: "0046 70 123" does not match ^\+[1-9][0-9]{6,14}$`, ".users[0].contact_methods.w: unknown key gotfy",
		},
	} {
		faults := check(t, filepath.Join("testdata/bad", file))
		for _, w := range want {
			if !slices.Contains(faults, w) {
				t.Errorf("%s: nothing says %q:\n%s", file, w, strings.Join(faults, "\n"))
			}
		}
	}
}

// Editors complete Alertmanager's keys too, in receivers and in contact methods, and explain ours.
func TestTheSchemaCompletes(t *testing.T) {
	s := schema(t)
	at := func(path ...string) map[string]any {
		m := s.root
		for _, key := range path {
			if ref, ok := m["$ref"].(string); ok {
				m = s.root["definitions"].(map[string]any)[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
			}
			next, ok := m[key].(map[string]any)
			if !ok {
				t.Fatalf("nothing at %v", path)
			}
			m = next
		}
		return m
	}
	at("properties", "receivers", "items", "properties", "slack_configs", "items", "properties", "channel")
	at("properties", "users", "items", "properties", "contact_methods", "additionalProperties", "properties", "slack", "properties", "http_config", "properties", "proxy_url")
	at("properties", "route", "properties", "routes", "items", "properties", "group_wait")
	if got := at("properties", "paging", "properties", "catch_all_every")["description"]; got == nil {
		t.Error("catch_all_every is not explained")
	}
}

// Every key of ours is explained in the schema.
func TestEveryKeyIsExplained(t *testing.T) {
	seen := map[*form]bool{}
	var walk func(fs []field)
	var each func(f *form)
	each = func(f *form) {
		if f == nil || seen[f] {
			return
		}
		seen[f] = true
		walk(f.fields)
		each(f.list)
		each(f.table)
	}
	walk = func(fs []field) {
		for _, one := range fs {
			if one.form.doc == "" {
				t.Errorf("%s has no explanation", one.key)
			}
			each(one.form)
		}
	}
	walk(sections)
	walk(receiverKeys)
}
