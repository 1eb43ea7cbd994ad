package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/template"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
)

// Titles and severities read as upstream would render them, whether or not they are read once for all.
func TestWordsAreUpstreams(t *testing.T) {
	file := filepath.Join(t.TempDir(), "our.tmpl")
	if err := os.WriteFile(file, []byte(`{{ define "our.title" }}ours: {{ .CommonLabels.alertname }}{{ end }}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.FromGlobs([]string{file})
	if err != nil {
		t.Fatal(err)
	}
	tmpl.ExternalURL = mustURL("https://midwatch.example.org/")
	subjects := []engine.Subject{
		{Receiver: "ana", GroupLabels: map[string]string{"alertname": "Lag"}, Alerts: stormOf("a", 3)},
		{Receiver: "ana", Alerts: []*router.Alert{{
			Labels: router.LabelsOf(map[string]string{"alertname": "Lag", "job": "db-1"}), Annotations: router.LabelsOf(map[string]string{"summary": "  it <lags> "}),
		}}},
	}
	for _, c := range []struct {
		text string
		once bool
	}{
		{config.DefaultTitle, true},
		{"plain words", true},
		{`{{ .CommonLabels.job | toUpper | reReplaceAll "-.*" "" }}{{ .CommonLabels.nothing }}`, true},
		{`{{ range .Alerts.Firing }}{{ .Labels.alertname }} {{ end }}{{ len .Alerts }} {{ routeLabels "x" }} {{ .ExternalURL }}`, true},
		{`{{ index .Alerts 7 }}`, true}, // it fails
		{`{{ template "our.title" . }}`, false},
		{`{{ template "__subject" . }}`, false},
		{`{{ define "mine" }}{{ .Receiver }}{{ end }}{{ template "mine" . }}`, false},
		{`{{ block "our.title" . }}mine{{ end }}`, false},
		{`{{ not a template`, false},
		{`{{ nonsense }}`, false},
	} {
		if once := standalone(c.text) != nil; once != c.once {
			t.Errorf("%s: read once: %v", c.text, once)
		}
		made := words(tmpl, c.text)
		for range 2 { // nothing of the first is left in the second
			for _, s := range subjects {
				want, err := tmpl.ExecuteTextString(c.text, data(tmpl, s))
				if err != nil {
					want = ""
				}
				if got := made(s); got != strings.TrimSpace(want) {
					t.Errorf("%s: got %q, want %q", c.text, got, want)
				}
			}
		}
	}
}

func BenchmarkTitle(b *testing.B) {
	tmpl, err := template.FromGlobs(nil)
	if err != nil {
		b.Fatal(err)
	}
	tmpl.ExternalURL = mustURL("https://midwatch.example.org/")
	made := title(tmpl, config.DefaultTitle)
	s := engine.Subject{Receiver: "ana", GroupLabels: map[string]string{"alertname": "Storm"}, Alerts: stormOf("a", 1)}
	b.ReportAllocs()
	for b.Loop() {
		made(s)
	}
}
