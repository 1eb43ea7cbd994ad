package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/examples"
	"github.com/midwatch/midwatch/notify"
)

// channels are the contact methods of testdata/good/channels.yml by their names.
func channels(t *testing.T) map[string]Method {
	t.Helper()
	c, faults := LoadFile("testdata/good/channels.yml")
	if c == nil {
		t.Fatal(faults)
	}
	want := `testdata/good/channels.yml:26:29: warning: user "ana": contact method "clear": gotify: url: the secret goes to push.example.org unencrypted; use https`
	if got := faults.Error(); got != want {
		t.Errorf("warnings\n%s\nwant\n%s", got, want)
	}
	all := map[string]Method{}
	for _, m := range c.Users["ana"].Methods {
		all[m.Name] = m
	}
	return all
}

// What the file says is what the senders get, the defaults filled in.
func TestOwnChannelsAreRead(t *testing.T) {
	all := channels(t)
	secret := func(s commoncfg.Secret) notify.Secret { return notify.Secret{Value: s} }
	file := func(name string) notify.Secret { return notify.Secret{File: name} }
	const hidden = "not-to-be-seen"
	account := notify.Twilio{APIURL: notify.DefaultTwilioURL, AccountSID: "AC0123456789abcdef0123456789abcdef", To: "+46701234567"}
	of := func(change func(*notify.Twilio)) notify.Twilio {
		a := account
		change(&a)
		return a
	}
	for name, want := range map[string]notify.Own{
		"push":  &notify.Ntfy{Server: "http://ntfy.internal/", Topic: "ana-7Jx", Token: secret(hidden), Tags: []string{"ship", "fire"}, Title: "a", Message: "b"},
		"push2": &notify.Ntfy{Server: notify.DefaultNtfyServer, Topic: "ana", Token: file("a"), SendResolved: true},
		"push3": &notify.Ntfy{Server: notify.DefaultNtfyServer, Topic: "ana", Username: "ana", Password: secret(hidden), SendResolved: true},
		"push4": &notify.Ntfy{Server: notify.DefaultNtfyServer, Topic: "ana", Username: "ana", Password: file("b"), SendResolved: true},
		"bell":  &notify.Gotify{URL: "http://192.168.1.9:8080/gotify", Token: secret(hidden), Title: "a", Message: "b", SendResolved: true},
		"bell2": &notify.Gotify{URL: "https://push.example.org", Token: file("c"), SendResolved: true},
		"room":  &notify.Matrix{Homeserver: "https://matrix.example.org", Token: secret(hidden), Room: "!abc:example.org", Message: "a", SendResolved: true},
		"room2": &notify.Matrix{Homeserver: "https://matrix.example.org", Token: file("d"), Room: "!abc", SendResolved: true},
		"text": &notify.SMS{Twilio: of(func(a *notify.Twilio) {
			a.APIURL, a.AccountSID, a.AuthToken, a.From = "http://127.0.0.1:1", "AC0123456789abcdef0123456789ABCDEF", secret(hidden), "Midwatch"
		}), Message: "a"},
		"text2": &notify.SMS{Twilio: of(func(a *notify.Twilio) {
			a.APIKeySID, a.APIKeySecret = "SK0123456789abcdef0123456789abcdef", secret(hidden)
		}), MessagingServiceSID: "MG0123456789abcdef0123456789abcdef"},
		"call": &notify.Voice{Twilio: of(func(a *notify.Twilio) { a.AuthToken, a.From = file("e"), "+12025550123" }), Language: "sv-SE", Voice: "Polly.Astrid"},
		"call2": &notify.Voice{Twilio: of(func(a *notify.Twilio) {
			a.APIKeySID, a.APIKeySecret, a.From = "SK0123456789abcdef0123456789abcdef", file("f"), "+12025550123"
		})},
		"browser":  &notify.WebPush{TTL: time.Hour, SendResolved: true},
		"browser2": &notify.WebPush{TTL: 4 * time.Hour, Title: "a", Message: "b", PrivateServices: true},
	} {
		m := all[name]
		http := httpOf(m.Own)
		if *http == nil {
			t.Errorf("%s: global's http_config did not come through", name)
		} else if proxied := (*http).ProxyURL.URL != nil; proxied == (name == "push") {
			t.Errorf("%s: http_config %+v", name, *http)
		}
		*http = nil
		if !reflect.DeepEqual(m.Own, want) {
			t.Errorf("%s: got %+v, want %+v", name, m.Own, want)
		}
		if n := len(m.Receiver.WebhookConfigs); n != 0 || m.Signing != nil || m.APIURL != "" {
			t.Errorf("%s: has what is another's: %+v", name, m)
		}
	}
	if got := all["hook"]; len(got.Receiver.WebhookConfigs) != 1 || len(got.Signing) != 1 || !strings.HasPrefix(string(got.Signing[0].Value), "whsec_") {
		t.Errorf("hook: %+v", got)
	}
	if got := all["hook2"].Signing; !reflect.DeepEqual(got, []notify.Secret{file("g"), file("h")}) {
		t.Errorf("hook2: %+v", got)
	}
	if got := all["phone"]; got.APIURL != "http://127.0.0.1:1" || len(got.Receiver.PushoverConfigs) != 1 || got.Set["api_url"] {
		t.Errorf("phone: %+v", got)
	}
}

// httpOf is where one of ours has its http_config.
func httpOf(own notify.Own) **commoncfg.HTTPClientConfig {
	switch c := own.(type) {
	case *notify.Ntfy:
		return &c.HTTP
	case *notify.Gotify:
		return &c.HTTP
	case *notify.Matrix:
		return &c.HTTP
	case *notify.SMS:
		return &c.HTTP
	case *notify.Voice:
		return &c.HTTP
	case *notify.WebPush:
		return &c.HTTP
	}
	panic(fmt.Sprintf("%T", own))
}

// A secret that is printed by mistake shows nothing.
func TestPrintedChannelsHideTheirSecrets(t *testing.T) {
	for name, m := range channels(t) {
		text, err := yaml.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "not-to-be-seen") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// The example is what the documentation points to.
func TestTheExampleOfChannelsIsGood(t *testing.T) {
	c, faults := Load(examples.Channels, Options{File: "channels.yml"})
	if c == nil || len(faults) > 0 {
		t.Fatal(faults)
	}
	if got := methods(c.Users["ana"]); len(got) != 7 {
		t.Errorf("methods %v", got)
	}
	call := c.Users["ana"].Methods[5].Own.(*notify.Voice)
	if call.AuthToken.File != "/etc/midwatch/twilio" || call.To != "+351912345678" || call.Language != "pt-PT" {
		t.Errorf("what was merged in: %+v", call)
	}
}

// The example of speaking back is good, too.
func TestTheExampleOfChatIsGood(t *testing.T) {
	c, faults := Load(examples.Chat, Options{File: "chat.yml"})
	if c == nil || len(faults) > 0 {
		t.Fatal(faults)
	}
	s := c.Chat
	if s.Slack == nil || s.Telegram == nil || s.Matrix == nil || s.Mail == nil || s.Twilio == nil {
		t.Fatalf("a service is missing: %+v", s)
	}
	if s.Slack.App.File != "/etc/midwatch/slack-app" || s.Slack.Channel != "C024BE91L" || s.Mail.Mailbox != "ack" || s.Telegram.Chat != "-1001234567890" {
		t.Errorf("%+v %+v %+v", s.Slack, s.Mail, s.Telegram)
	}
	if got := c.Users["ana"].Chat; got["slack"] != "U024BE7LH" || got["matrix"] != "@ana:example.org" {
		t.Errorf("ana speaks as %v", got)
	}
}
