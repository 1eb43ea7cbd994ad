package config

import (
	"strings"
	"testing"

	amconfig "github.com/prometheus/alertmanager/config"
	"pgregory.net/rapid"
)

// restOf is what Alertmanager's loader is given of a text.
func restOf(t *testing.T, text string) (string, Faults) {
	t.Helper()
	d, err := readDocument("am.yml", []byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	l := &loader{file: "am.yml", cfg: newConfig("am.yml")}
	rest, ok := l.cut(d, l.take(d), []byte(text))
	if ok == (l.faults.Err() != nil) {
		t.Errorf("cut %v with faults %v", ok, l.faults)
	}
	return string(rest), l.faults
}

// What is ours leaves comment signs, empty lines and blanks; what is not stays where it was.
func TestOurSectionsAreBlankedWhereTheyStand(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{
			"a section in the middle",
			"route:\n  receiver: a\nusers:\n  - name: ana\n    email: a@example.org\n# the receivers\nreceivers:\n- name: a\n",
			"route:\n  receiver: a\n#\n\n\n\nreceivers:\n- name: a\n",
		},
		{
			"at the end, without a last line break",
			"route: {receiver: a}\nreceivers: [{name: a}]\nusers:\n  - name: ana",
			"route: {receiver: a}\nreceivers: [{name: a}]\n#\n",
		},
		{
			"at the beginning, under a comment",
			"# ours\nusers: []\nroute: {receiver: a}\n",
			"# ours\n#\nroute: {receiver: a}\n",
		},
		{
			"a bracket at the margin",
			"users: [\n{name: ana}\n]\nroute: {receiver: a}\n",
			"#\n\n\nroute: {receiver: a}\n",
		},
		{
			"a block scalar before it is not lengthened",
			"templates:\n- |+\n  a\n\nusers: x\nroute: {receiver: a}\n",
			"templates:\n- |+\n  a\n\n#\nroute: {receiver: a}\n",
		},
		{
			"a block scalar inside it that looks like sections",
			"users: |\n  route: {receiver: b}\n\n  # no comment\nroute: {receiver: a}\n",
			"#\n\n\n\nroute: {receiver: a}\n",
		},
		{
			"line breaks of DOS",
			"route: {receiver: a}\r\nusers:\r\n  - name: ana\r\nreceivers: [{name: a}]\r\n",
			"route: {receiver: a}\r\n#\r\n\r\nreceivers: [{name: a}]\r\n",
		},
		{
			"breaks of all kinds",
			"{users: [a]\r,\n\u2028severities: {},\rroute: {receiver: a}}\n",
			"{          \r \n\u2028#\rroute: {receiver: a}}\n",
		},
		{
			"a byte order mark",
			"\ufeffusers: []\nroute: {receiver: a}\n",
			"#\nroute: {receiver: a}\n",
		},
		{
			"tabs",
			"users:\t[]\t# who\nroute:\t{receiver: a}\n",
			"#\nroute:\t{receiver: a}\n",
		},
		{
			"documents: the first counts",
			"%YAML 1.1\n--- # one\nusers: []\nroute: {receiver: a}\npaging: {}\n---\nusers: [two]\n",
			"%YAML 1.1\n--- # one\n#\nroute: {receiver: a}\n#\n",
		},
		{
			"a document that is all ours",
			"users: [one]\n---\nroute: {receiver: a}\n",
			"#\n",
		},
		{
			"a document's end",
			"route: {receiver: a}\nusers:\n- a\n...\nleft: alone\n",
			"route: {receiver: a}\n#\n\n",
		},
		{
			"quoted and tagged",
			"\"users\": !!seq [a]\n'paging': &p {}\nroute: {receiver: a}\n",
			"#\n#\nroute: {receiver: a}\n",
		},
		{
			"question marks",
			"? users\n: [a]\n? route\n: {receiver: a}\n",
			"#\n\n? route\n: {receiver: a}\n",
		},
		{
			"a mapping in braces",
			"{users: [a, {b: c}], route: {receiver: a}, \"paging\": {x: '}'}, receivers: [{name: a}], severities: {a: \"}\\\"\"}}\n",
			"{                    route: {receiver: a},                     receivers: [{name: a}],                       }\n",
		},
		{
			"braces over several lines",
			"{ users: [ # who }\n    it's, \"a }\\\n    b\" ],\n  route: {receiver: a},\n  paging: {a: b#c, d: !x '}', e: &f g}\n}\n",
			"{                 \n\n\n  route: {receiver: a},\n#\n}\n",
		},
		{
			"wide characters before it on the line",
			"{templates: ['äöü→'], users: [ñandú, \U0001f600], route: {receiver: a}}\n",
			"{templates: ['äöü→'],                    route: {receiver: a}}\n",
		},
		{
			"incident configs at the end of a receiver",
			"route: {receiver: a}\nreceivers:\n  - name: a\n    incident_configs:\n      - escalation_policy: db\n\n  # the next\n  - name: b\n",
			"route: {receiver: a}\nreceivers:\n  - name: a\n#\n\n\n\n  - name: b\n",
		},
		{
			"incident configs first, before the name",
			"receivers:\n- incident_configs:\n  - escalation_policy: db\n  name: a\nroute: {receiver: a}\n",
			"receivers:\n-                  \n\n  name: a\nroute: {receiver: a}\n",
		},
		{
			"incident configs alone",
			"receivers:\n- incident_configs: []\n- name: a\nroute: {receiver: a}\n",
			"receivers:\n-                     \n- name: a\nroute: {receiver: a}\n",
		},
		{
			"incident configs last of all",
			"route: {receiver: a}\nreceivers:\n-\n  name: a\n  incident_configs: []\n-\n  name: b\n  incident_configs:\n  - {}\n",
			"route: {receiver: a}\nreceivers:\n-\n  name: a\n#\n-\n  name: b\n#\n\n",
		},
		{
			"incident configs after a long text",
			"receivers:\n- name: a\n  slack_configs:\n  - text: |+\n      hello\n\n\n  incident_configs: []\nroute: {receiver: a}\n",
			"receivers:\n- name: a\n  slack_configs:\n  - text: |+\n      hello\n\n\n#\nroute: {receiver: a}\n",
		},
		{
			"incident configs in braces",
			"receivers: [{incident_configs: [{escalation_policy: db}], name: a}, {name: b, incident_configs: [{a: ']'}]}]\nroute: {receiver: a}\n",
			"receivers: [{                                             name: a}, {name: b,                             }]\nroute: {receiver: a}\n",
		},
		{
			"an anchor used only inside",
			"users:\n- &ana {name: ana}\n- *ana\nroute: {receiver: a}\n",
			"#\n\n\nroute: {receiver: a}\n",
		},
		{
			"an anchor from outside used inside",
			"global: {smtp_from: &me me@example.org}\nusers: [{email: *me}]\nroute: {receiver: a}\n",
			"global: {smtp_from: &me me@example.org}\n#\nroute: {receiver: a}\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, faults := restOf(t, c.text)
			if len(faults) > 0 || got != c.want {
				t.Errorf("got %v\n%q\nwant\n%q", faults, got, c.want)
			}
		})
	}
}

func TestWhatCannotBeCutSaysSo(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{
			"an anchor defined inside and used outside",
			"users:\n- &ana ana@example.org\nglobal: {smtp_from: *ana}\n",
			`am.yml:3:21: anchor "ana" is defined inside a section of Midwatch, in line 2, and used in Alertmanager's part; define it where it is first used outside, and use the alias inside`,
		},
		{
			"a pair without braces",
			"receivers: [incident_configs: [], name: b]\nroute: {receiver: a}\n",
			`am.yml:1:13: the section incident_configs cannot be told from Alertmanager's part as it is written; write it on lines of its own, its key at their start`,
		},
		{
			"UTF-16",
			utf16le("users: []\nroute: {receiver: a}\n"),
			`am.yml:1:1: a file with sections of Midwatch cannot be in UTF-16; save it as UTF-8`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, faults := restOf(t, c.text)
			if got := faults.Error(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func utf16le(text string) string {
	var b strings.Builder
	b.WriteString("\xff\xfe")
	for _, r := range text {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

// A stock file in UTF-16 is Alertmanager's business, and it reads it.
func TestAStockFileInUTF16IsRead(t *testing.T) {
	c, faults := Load([]byte(utf16le("route: {receiver: a}\nreceivers: [{name: a}]\n")), Options{})
	if c == nil {
		t.Error(faults)
	}
}

// Wherever our sections are put into a file, and however they are written, Alertmanager's part of it stays the same
// and its faults keep their lines.
func TestSectionsGoAnywhere(t *testing.T) {
	pieces := []string{
		"global: {smtp_from: me@example.org}\n",
		"templates:\n- |+\n  a\n\n\n",
		"templates: [\n'a', # }\n\"b\\\n c\"\n]\n",
		"# a comment\n",
		"time_intervals:\n- name: t\n  time_intervals:\n  - times:\n    - start_time: 09:00\n      end_time: \"17:00\"\n",
		"inhibit_rules:\n- source_matchers: [a=b]\n  target_matchers:\n  - c=d\n",
	}
	ours := []string{
		"users: []\n",
		"users:\n- name: ana\n  email: |\n    a\n\n   \n",
		"schedules: [\n]\n",
		"escalation_policies:\n\n  # none\n",
		"\"paging\": {catch_all: {user: '}'},\n  x: \"\\\"{\"}\n",
		"severities:\n    page: sev1 # ’\n\n\n",
		"paging: text that\n  goes on\n  and on\n",
		"include: >+\n  a\n\n\n",
	}
	last := []string{"route: {receiver: a}\nreceivers:\n- name: a\n", "receivers:\n  - name: a\nroute:\n  receiver: a\n"}
	incidents := []string{"", "  incident_configs: []\n", "  incident_configs:\n  - escalation_policy: |\n      x\n\n"}

	rapid.Check(t, func(t *rapid.T) {
		var mixed, pure strings.Builder
		used := map[string]bool{}
		put := func(text string, isOurs bool) {
			if key, _, ok := strings.Cut(strings.Trim(text, `"`), ":"); ok {
				key = strings.Trim(key, `"`)
				if used[key] {
					return
				}
				used[key] = true
			}
			mixed.WriteString(text)
			if !isOurs {
				pure.WriteString(text)
			}
		}
		for range rapid.IntRange(0, 8).Draw(t, "pieces") {
			if rapid.Bool().Draw(t, "ours") {
				put(rapid.SampledFrom(ours).Draw(t, "section"), true)
			} else {
				put(rapid.SampledFrom(pieces).Draw(t, "piece"), false)
			}
		}
		end := rapid.SampledFrom(last).Draw(t, "end")
		mixed.WriteString(end)
		pure.WriteString(end)
		if strings.HasSuffix(end, "- name: a\n") {
			mixed.WriteString(rapid.SampledFrom(incidents).Draw(t, "incidents"))
		}
		put(rapid.SampledFrom(ours).Draw(t, "last section"), true)
		mixed.WriteString("nonsense: 1\n")
		line := strings.Count(mixed.String(), "\n")
		pure.WriteString("nonsense: 1\n")

		text := mixed.String()
		d, err := readDocument("", []byte(text))
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		l := &loader{cfg: newConfig("")}
		taken := l.take(d)
		rest, ok := d.rest(taken)
		if !ok {
			t.Fatalf("cannot be cut:\n%s", text)
		}
		if strings.Count(rest, "\n") != strings.Count(text, "\n") {
			t.Fatalf("lines were lost:\n%s\n%s", text, rest)
		}
		_, err = amconfig.Load(rest)
		if err == nil || len(splitError(err)) != 1 || splitError(err)[0].line != line {
			t.Fatalf("%v, want a complaint of line %d:\n%s\n%s", err, line, text, rest)
		}
		got, gotErr := amconfig.Load(strings.ReplaceAll(rest, "nonsense: 1", ""))
		want, wantErr := amconfig.Load(strings.ReplaceAll(pure.String(), "nonsense: 1", ""))
		if gotErr != nil || wantErr != nil || got.String() != want.String() {
			t.Fatalf("%v %v: got\n%s\nwant\n%s", gotErr, wantErr, got, want)
		}
	})
}
