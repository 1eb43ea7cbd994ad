package config

import (
	"net/url"
	"reflect"
	"testing"

	amtemplate "github.com/prometheus/alertmanager/template"
)

func TestReceiversOpenIncidents(t *testing.T) {
	c := load(t, people+catchAll+`
escalation_policies: [{name: db, steps: [{notify: [{user: ana}]}]}]
route: {receiver: plain}
receivers:
  - name: plain
    webhook_configs: [{url: 'http://127.0.0.1/'}]
  - name: short
    incident_configs: [{escalation_policy: db}]
  - &whole
    name: whole
    incident_configs:
      - escalation_policy: db
        severity: '{{ .CommonLabels.priority }}'
        title: 'Look: {{ .CommonLabels.alertname | toUpper }}'
        scope: alert
        auto_resolve: no
  - <<: *whole
    name: same
`)
	whole := IncidentConfig{Policy: "db", Severity: "{{ .CommonLabels.priority }}", Title: "Look: {{ .CommonLabels.alertname | toUpper }}", Scope: ScopeAlert}
	want := map[string]IncidentConfig{
		"short": {Policy: "db", Title: DefaultTitle, Scope: ScopeGroup, AutoResolve: true},
		"whole": whole,
		"same":  whole,
	}
	if !reflect.DeepEqual(c.Incidents, want) {
		t.Errorf("got\n%+v\nwant\n%+v", c.Incidents, want)
	}
}

// The file replaces rows of the table; a row it does not name stays.
func TestSeverities(t *testing.T) {
	c := load(t, "severities: {critical: sev1, P1: sev1, default: sev3, 5: sev5}\n"+stock)
	for label, want := range map[string]string{
		"critical": "sev1", "P1": "sev1", "page": "sev2", "error": "sev3", "warning": "sev3", "info": "sev4", "5": "sev5",
		"": "sev3", "other": "sev3", "default": "sev3",
	} {
		if got := c.Severities.Of(label); got != want {
			t.Errorf("%q is %s, want %s", label, got, want)
		}
	}
	if got := load(t, stock).Severities.Of("unheard-of"); got != "sev2" {
		t.Errorf("by default what is unknown is %s, want sev2: better to wake somebody", got)
	}
}

// The default title says the summary; failing that, what the alerts have in common.
func TestDefaultTitle(t *testing.T) {
	tmpl, err := amtemplate.New()
	if err != nil {
		t.Fatal(err)
	}
	tmpl.ExternalURL = &url.URL{}
	for _, c := range []struct {
		data amtemplate.Data
		want string
	}{
		{amtemplate.Data{CommonAnnotations: amtemplate.KV{"summary": "db is down"}, CommonLabels: amtemplate.KV{"alertname": "Down"}}, "db is down"},
		{amtemplate.Data{CommonLabels: amtemplate.KV{"alertname": "Down"}, GroupLabels: amtemplate.KV{"cluster": "eu"}}, "Down"},
		{amtemplate.Data{GroupLabels: amtemplate.KV{"service": "db", "cluster": "eu"}}, "eu db"},
	} {
		got, err := tmpl.ExecuteTextString(DefaultTitle, c.data)
		if err != nil || got != c.want {
			t.Errorf("got %q, %v; want %q", got, err, c.want)
		}
	}
}
