package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/oncall"
)

// stock is Alertmanager's part of the tests' files.
const stock = "route: {receiver: none}\nreceivers: [{name: none}]\n"

// load reads a text that must be good.
func load(t *testing.T, text string) *Config {
	t.Helper()
	c, faults := Load([]byte(text), Options{File: "am.yml"})
	if c == nil {
		t.Fatalf("%s\n%v", text, faults)
	}
	return c
}

// A person without rules is reached by everything at once, in the order of the file.
func TestEveryContactMethodAtOnceIsTheDefault(t *testing.T) {
	c := load(t, `
global: {smtp_smarthost: localhost:25, smtp_from: midwatch@example.org}
users:
  - name: ana
    contact_methods:
      hook: {webhook: {url: 'http://127.0.0.1/'}}
      screen: {outbox: {}}
    email: ana@example.org
    notification_rules: {low: [{via: [screen]}]}
  - {name: guest, full_name: Nobody pages me}
`+stock)
	ana := c.Users["ana"]
	if got := methods(ana); !slices.Equal(got, []string{"hook webhook", "screen outbox", "email email"}) {
		t.Errorf("methods %v", got)
	}
	if want := []escalation.Rule{{Via: []string{"hook", "screen", "email"}}}; !reflect.DeepEqual(ana.High, want) {
		t.Errorf("high %v, want %v", ana.High, want)
	}
	if want := []escalation.Rule{{Via: []string{"screen"}}}; !reflect.DeepEqual(ana.Low, want) {
		t.Errorf("low %v, want %v", ana.Low, want)
	}
	if got := ana.Methods[2].Receiver.EmailConfigs[0].To; got != "ana@example.org" {
		t.Errorf("mail goes to %q", got)
	}
	if guest := c.Users["guest"]; guest.High != nil || guest.Low != nil || guest.Methods != nil {
		t.Errorf("guest %+v", guest)
	}
	if want := []string{"ana", "guest"}; !slices.Equal(c.UserOrder, want) {
		t.Errorf("order %v", c.UserOrder)
	}
}

func methods(u User) (out []string) {
	for _, m := range u.Methods {
		out = append(out, m.Name+" "+m.Integration)
	}
	return out
}

// Who writes both has written what they want: the address is then only an address.
func TestAMethodCalledEmailReplacesTheShorthand(t *testing.T) {
	c := load(t, `
users: [{name: ana, email: ana@example.org, contact_methods: {email: {log: {}}}}]
`+stock)
	if got := methods(c.Users["ana"]); !slices.Equal(got, []string{"email log"}) {
		t.Errorf("methods %v", got)
	}
	if c.Users["ana"].Email != "ana@example.org" {
		t.Errorf("address %q", c.Users["ana"].Email)
	}
}

func TestRulesAreReadInOrder(t *testing.T) {
	c := load(t, `
users:
  - name: ana
    contact_methods: {a: {log: {}}, b: {outbox: }}
    notification_rules:
      high: [{via: [a]}, {via: [b, a], after: 2m30s}, {via: [b], after: 1d}]
`+stock)
	want := []escalation.Rule{{Via: []string{"a"}}, {Via: []string{"b", "a"}, After: 150 * time.Second}, {Via: []string{"b"}, After: 24 * time.Hour}}
	if got := c.Users["ana"].High; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// bodies are good configs of all integrations.
var bodies = map[string]string{
	"email":      `{to: ana@example.org, headers: {subject: Hello}}`,
	"slack":      `{channel: '@ana', send_resolved: yes}`,
	"webhook":    `{url: 'http://127.0.0.1/', max_alerts: 0x10}`,
	"pagerduty":  `{routing_key_file: key}`,
	"opsgenie":   `{priority: P1}`,
	"victorops":  `{routing_key: ana}`,
	"pushover":   `{user_key_file: ana.key, token_file: app.key, retry: 1m}`,
	"telegram":   `{chat_id: -100123}`,
	"discord":    `{webhook_url: 'https://discord.example.org/'}`,
	"msteams":    `{webhook_url_file: teams}`,
	"msteamsv2":  `{webhook_url_file: teams}`,
	"mattermost": `{channel: town-square}`,
	"rocketchat": `{channel: '#general'}`,
	"webex":      `{room_id: 1, http_config: {authorization: {credentials: secret}}}`,
	"sns":        `{topic_arn: 'arn:aws:sns:us-east-2:123456789012:My-Topic', sigv4: {region: us-east-2}}`,
	"wechat":     `{to_user: ana}`,
	"jira":       `{project: OPS, issue_type: Bug, fields: {a: 1, b: [x, 2024-01-01, ~]}}`,
	"incidentio": `{url: 'https://api.incident.example.org/', alert_source_token: secret}`,
}

const fullGlobal = `
global:
  smtp_smarthost: localhost:25
  smtp_from: midwatch@example.org
  smtp_auth_password: "p: \"w\" \\ ✓ \u2028"
  slack_api_url: http://slack.example.org/
  opsgenie_api_key: 0123
  victorops_api_key: yes
  telegram_bot_token: 1e3
  mattermost_webhook_url: http://mm.example.org/
  rocketchat_token: t
  rocketchat_token_id: i
  wechat_api_secret: s
  wechat_api_corp_id: 007
  jira_api_url: http://jira.example.org/
  http_config:
    proxy_url: http://proxy.example.org/
    tls_config: {ca_file: ca.pem}
    follow_redirects: no
`

// A contact method is what the same config would be in one of Alertmanager's receivers.
func TestAContactMethodIsThatIntegrationsConfig(t *testing.T) {
	if len(bodies) != len(integrations) {
		t.Fatalf("%d bodies for %d integrations", len(bodies), len(integrations))
	}
	for _, kind := range integrations {
		t.Run(kind, func(t *testing.T) {
			receiver := fmt.Sprintf("midwatch/ana/%s", kind)
			want, err := amconfig.Load(fullGlobal + fmt.Sprintf("receivers: [{name: none}, {name: %q, %s_configs: [%s]}]\nroute: {receiver: none}\n", receiver, kind, bodies[kind]))
			if err != nil {
				t.Fatal(err)
			}
			resolveOnce("conf", want)
			c, faults := Load([]byte(fullGlobal+fmt.Sprintf("users: [{name: ana, contact_methods: {%s: {%s: %s}}}]\n", kind, kind, bodies[kind])+stock), Options{Dir: "conf"})
			if c == nil {
				t.Fatal(faults)
			}
			got := c.Users["ana"].Methods[0]
			if !reflect.DeepEqual(got.Receiver, want.Receivers[1]) {
				t.Errorf("got\n%+v\nwant\n%+v", got.Receiver, want.Receivers[1])
			}
			for name, list := range integrationLists(&got.Receiver) {
				if n := list.Len(); (name == kind) != (n == 1) {
					t.Errorf("%d of %s", n, name)
				}
			}
		})
	}
}

// The integrations with HTTP configs of their own have their paths resolved once, as the others.
func TestPathsOfContactMethodsAreResolvedOnce(t *testing.T) {
	c, faults := Load([]byte(fullGlobal+`
users:
  - name: ana
    contact_methods:
      a: {webhook: {url: 'http://127.0.0.1/'}}
      b: {slack: {channel: x}}
      c: {webex: {room_id: 1, http_config: {authorization: {credentials_file: webex.key}}}}
      d: {telegram: {chat_id: 1}}
`+stock), Options{Dir: "conf"})
	if c == nil {
		t.Fatal(faults)
	}
	m := c.Users["ana"].Methods
	for _, got := range []string{
		m[0].Receiver.WebhookConfigs[0].HTTPConfig.TLSConfig.CAFile,
		m[1].Receiver.SlackConfigs[0].HTTPConfig.TLSConfig.CAFile,
		m[3].Receiver.TelegramConfigs[0].HTTPConfig.TLSConfig.CAFile,
	} {
		if got != "conf/ca.pem" {
			t.Errorf("CA in %s", got)
		}
	}
	if got := m[2].Receiver.WebexConfigs[0].HTTPConfig.Authorization.CredentialsFile; got != "conf/webex.key" {
		t.Errorf("credentials in %s", got)
	}
}

// Templates for pages stand in for what the file does not say, so it is known what it says.
func TestWhatTheFileSetsIsKnown(t *testing.T) {
	c := load(t, `
global: {smtp_smarthost: localhost:25, smtp_from: midwatch@example.org}
users:
  - &ana
    name: ana
    contact_methods: &ways
      mail: {email: {to: ana@example.org, headers: {Subject: Hello}, html: ''}}
  - <<: *ana
    name: bo
  - {name: cy, email: cy@example.org}
`+stock)
	want := map[string]bool{"to": true, "headers": true, "headers.Subject": true, "html": true}
	for _, u := range []string{"ana", "bo"} {
		if got := c.Users[u].Methods[0].Set; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", u, got)
		}
	}
	if got := c.Users["cy"].Methods[0].Set; !reflect.DeepEqual(got, map[string]bool{"to": true}) {
		t.Errorf("cy: %v", got)
	}
}

// Absences are in the user's own time: of a wall time that comes twice the first is meant for a start, the last for an end.
func TestWhenAUserIsUnavailable(t *testing.T) {
	c := load(t, `
users:
  - name: ana
    time_zone: Europe/Lisbon
    unavailable:
      - {from: 2026-07-01 09:00, to: 2026-07-15 09:00, reason: holiday}
      - {from: 2026-10-25 01:30, to: 2026-10-25 01:45}
  - {name: bo, unavailable: [{from: 2026-07-01 09:00, to: 2026-07-01 10:00}]}
`+stock)
	at := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, time.UTC)
	}
	for user, want := range map[string][]oncall.Absence{
		"ana": {{Start: at(7, 1, 8, 0), End: at(7, 15, 8, 0), Reason: "holiday"}, {Start: at(10, 25, 0, 30), End: at(10, 25, 1, 45)}},
		"bo":  {{Start: at(7, 1, 9, 0), End: at(7, 1, 10, 0)}},
	} {
		if got := c.Users[user].Unavailable; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", user, got, want)
		}
	}
	_, faults := Load([]byte(`
users:
  - name: ana
    time_zone: Europe/Lisbn
    unavailable:
      - {from: 2026-07-15 09:00, to: 2026-07-15 09:00}
      - {from: tomorrow, too: 2026-07-15 09:00}
`+stock), Options{})
	got := faults.Error()
	for _, want := range []string{
		`6:38: user "ana": unavailable: absence 1: ends at 2026-07-15 09:00, not after it starts at 2026-07-15 09:00; write a later time`,
		`7:16: user "ana": unavailable: absence 2: from: `,
		`absence 2: unknown key "too"; did you mean "to"?`,
		`absence 2: has no to; add to: a local date and time such as 2026-01-05 09:00 or calendar: the name of a shared calendar`,
		`4:16: `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nis not in\n%s", want, got)
		}
	}
}

// Nobody is on call whom nothing can reach; it is said once, where the user is.
func TestAUserWhoIsPagedNeedsAContactMethod(t *testing.T) {
	for place, text := range map[string]string{
		`schedule "s": layer 1: rotation`:                 `schedules: [{name: s, time_zone: UTC, layers: [{rotation: {users: [[ok, mute], mute], start: 2026-01-01 00:00, every: 1d}}]}]`,
		`schedule "s": override 1`:                        `schedules: [{name: s, time_zone: UTC, overrides: [{take: mute, from: 2026-01-01 00:00, to: 2026-01-02 00:00}]}]`,
		`schedule "s": override 2`:                        `schedules: [{name: s, time_zone: UTC, overrides: [{remove: mute, from: 2026-01-01 00:00, to: 2026-01-02 00:00}, {replace: ok, with: mute, from: 2026-01-01 00:00, to: 2026-01-02 00:00}]}]`,
		`escalation policy "p": step 1: notify: target 1`: "paging: {catch_all: {user: ok}}\nescalation_policies: [{name: p, steps: [{notify: [{user: mute}]}]}]",
		`paging: catch_all`:                               "paging: {catch_all: {user: mute}}",
	} {
		_, faults := Load([]byte("users: [{name: mute}, {name: ok, contact_methods: {log: {log: {}}}}]\n"+text+"\n"+stock), Options{File: "am.yml"})
		want := fmt.Sprintf(`am.yml:1:16: user "mute" has no contact method, but %s pages them; add email or contact_methods, or take the user out there`, place)
		if got := faults.Errors().Error(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// A broken global is one fault, not one for each person; what is wrong with their methods anyway is still said.
func TestABrokenGlobalIsSaidOnce(t *testing.T) {
	_, faults := Load([]byte(`
global: {smtp_smarthost: localhost}
users:
  - {name: ana, email: ana@example.org}
  - {name: bo, email: bo@example.org, contact_methods: {chat: {slack: {chanel: x}}}}
`+stock), Options{})
	want := strings.Join([]string{
		`2:26: address localhost: missing port in address`,
		`5:72: user "bo": contact method "chat": field chanel not found in type config.plain; did you mean "channel"?`,
	}, "\n")
	if got := faults.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The names of Alertmanager's integrations are those of its receivers' keys, all of them.
func TestAllIntegrationsAreKnown(t *testing.T) {
	var want []string
	for name := range integrationLists(&amconfig.Receiver{}) {
		want = append(want, name)
	}
	got := slices.Sorted(slices.Values(integrations))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("we know %v, Alertmanager has %v", got, want)
	}
}
