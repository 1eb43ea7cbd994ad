package notify

import (
	"slices"
	"strings"
	"testing"
)

// What its owner wrote is his: with every field his own, an integration stays as it is. Only a mail gets the headers he
// did not think of.
func TestOnesOwnFieldsStay(t *testing.T) {
	w := newWorld(t)
	for integration := range methods {
		r := load(t, integration, aimed(w, integration))
		before := textsOf(r)
		ApplyTemplates(&r, func(string) bool { return true })
		if !slices.Equal(textsOf(r), before) {
			t.Errorf("%s was changed", integration)
		}
	}
	mail := load(t, "email", "{to: bo@example.org, html: mine, headers: {Importance: low}}")
	ApplyTemplates(&mail, func(field string) bool { return field == "headers" || field == "html" })
	if c := mail.EmailConfigs[0]; c.HTML != "mine" || c.Headers["Importance"] != "low" || c.Headers["Auto-Submitted"] != "auto-generated" || c.Text == "" {
		t.Errorf("the mail became %+v", c)
	}
}

// With nothing of his own, nothing of Alertmanager's is left either, but Jira's priority, which must be one of the site's.
func TestNothingOfTheDefaultsIsLeft(t *testing.T) {
	w := newWorld(t)
	configs := map[string]string{"email": "{to: bo@example.org}"}
	for integration := range methods {
		configs[integration] = aimed(w, integration)
	}
	for integration, config := range configs {
		r := load(t, integration, config)
		ApplyTemplates(&r, nil)
		for _, f := range templatesOf(r) {
			if strings.Contains(f.text, ".default.") && f.name != "to_party" && f.name != "to_tag" && f.text != `{{ template "jira.default.priority" . }}` {
				t.Errorf("%s: %q is still %s", integration, f.name, f.text)
			}
		}
	}
}

// A field's YAML name is what a fault is reported by, and what SetByUser is asked with.
func TestTemplatesKnowTheirFields(t *testing.T) {
	r := load(t, "pushover", "{user_key: u, token: t, title: 'a {{ .Status }}', message: 'b {{ .Status }}', html: true}")
	found := map[string]templateField{}
	for _, f := range templatesOf(r) {
		found[f.name] = f
	}
	if found["title"].html || !found["message"].html || found["message"].text != "b {{ .Status }}" {
		t.Errorf("found %+v", found)
	}
}
