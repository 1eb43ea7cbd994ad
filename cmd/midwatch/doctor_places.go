package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify/email"
	commoncfg "github.com/prometheus/common/config"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/excerpt"
	"github.com/midwatch/midwatch/notify"
)

// A place is an address that messages go to. It is tried once for all who use it.
type place struct {
	kind string // mail, chat, channel
	what string // as people say it: "hooks.slack.com by slack"
	who  []string
	try  func(ctx context.Context) finding
}

// places are the checks of every address that the configuration has messages go to.
func (d *doctor) places() (checks []check) {
	if d.cfg == nil {
		return nil
	}
	a := atlas{known: map[string]*place{}}
	for _, r := range d.cfg.Upstream.Receivers {
		a.receiver("receiver "+r.Name, r)
	}
	for _, name := range d.cfg.UserOrder {
		for _, m := range d.cfg.Users[name].Methods {
			who := name + " by " + m.Name
			switch {
			case m.Own != nil:
				a.own(who, m.Own)
			case len(m.Receiver.PushoverConfigs) > 0:
				a.reach(who, "pushover", cmp.Or(m.APIURL, notify.DefaultPushoverURL), m.Receiver.PushoverConfigs[0].HTTPConfig)
			default:
				a.receiver(who, m.Receiver)
			}
		}
	}
	a.chat(d.cfg.Chat)
	if g := d.cfg.Upstream.Global; g != nil && g.SMTPSmarthost.Host != "" && len(a.mail) == 0 {
		requires := g.SMTPRequireTLS
		a.email("global", &amconfig.EmailConfig{
			Smarthost: g.SMTPSmarthost, Hello: g.SMTPHello, AuthUsername: g.SMTPAuthUsername, AuthPassword: g.SMTPAuthPassword,
			AuthPasswordFile: g.SMTPAuthPasswordFile, AuthSecret: g.SMTPAuthSecret, AuthSecretFile: g.SMTPAuthSecretFile, AuthIdentity: g.SMTPAuthIdentity,
			RequireTLS: &requires, TLSConfig: g.SMTPTLSConfig, ForceImplicitTLS: g.SMTPForceImplicitTLS,
		})
	}
	for i, p := range a.order {
		if i == maxPlaces {
			rest := len(a.order) - maxPlaces
			return append(checks, check{"channels", func(context.Context) []finding {
				return []finding{doubtful("channels", "midwatch test-page tries one", "%s more were not tried", count(rest, "address"))}
			}})
		}
		checks = append(checks, check{p.kind, func(ctx context.Context) []finding {
			f := p.try(ctx)
			f.Check = p.kind
			f.Text = p.what + " (" + fewNames(p.who, 3) + "): " + f.Text
			return []finding{f}
		}})
	}
	return checks
}

func fewNames(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// An atlas collects places, each once.
type atlas struct {
	known map[string]*place
	order []*place
	mail  []*place
}

func (a *atlas) add(key, who string, p place) *place {
	if known := a.known[key]; known != nil {
		if !slices.Contains(known.who, who) {
			known.who = append(known.who, who)
		}
		return known
	}
	p.who = []string{who}
	a.known[key] = &p
	a.order = append(a.order, &p)
	return &p
}

// addressFields are where Alertmanager's integrations have the address they post to.
var addressFields = []string{"URL", "APIURL", "APIUrl", "WebhookURL", "AppURL"}

// receiver adds the addresses of all integrations of a receiver.
func (a *atlas) receiver(who string, r amconfig.Receiver) {
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		list := v.Field(i)
		if list.Kind() != reflect.Slice {
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		name = strings.TrimSuffix(name, "_configs")
		for j := range list.Len() {
			one := list.Index(j).Interface()
			switch c := one.(type) {
			case *amconfig.EmailConfig:
				a.mail = append(a.mail, a.email(who, c))
			case *amconfig.PushoverConfig: // its URL is a link in the message
				a.reach(who, name, notify.DefaultPushoverURL, c.HTTPConfig)
			default:
				a.integration(who, name, one)
			}
		}
	}
}

// integration finds the address of one of Alertmanager's integrations, and asks the services that tell who one is.
func (a *atlas) integration(who, name string, c any) {
	v := reflect.Indirect(reflect.ValueOf(c))
	httpConfig, _ := fieldOf(v, "HTTPConfig").(*commoncfg.HTTPClientConfig)
	token := func(field string) notify.Secret {
		value, _ := fieldOf(v, field).(commoncfg.Secret)
		file, _ := fieldOf(v, field+"File").(string)
		return notify.Secret{Value: value, File: file}
	}
	switch name {
	case "telegram":
		a.ask(who, telegramMe(addressOf(v), token("BotToken")), httpConfig)
		return
	case "slack":
		if t := token("AppToken"); t.Set() {
			base := "https://slack.com/api/"
			if app := addressOf(v); app != "" { // …/chat.postMessage
				base = app[:strings.LastIndexByte(app, '/')+1]
			}
			a.ask(who, slackMe(base, t), httpConfig)
			return
		}
	}
	if address := addressOf(v); address != "" {
		a.reach(who, name, address, httpConfig)
	}
}

func fieldOf(v reflect.Value, name string) any {
	if f := v.FieldByName(name); f.IsValid() {
		return f.Interface()
	}
	return nil
}

// addressOf is the address that an integration posts to; empty where there is none, as with SNS in its own region.
func addressOf(v reflect.Value) string {
	for _, name := range addressFields {
		f := v.FieldByName(name)
		if !f.IsValid() || f.IsZero() {
			if file, _ := fieldOf(v, name+"File").(string); file != "" {
				text, err := os.ReadFile(file)
				if err != nil {
					return "file:" + file // told apart below
				}
				return strings.TrimSpace(string(text))
			}
			continue
		}
		if f.Kind() == reflect.String {
			return f.String()
		}
		if u, ok := reflect.Indirect(f).FieldByName("URL").Interface().(*url.URL); ok && u != nil { // also a secret one: its own String hides it
			return u.String()
		}
	}
	return ""
}

// own adds one of our own integrations.
func (a *atlas) own(who string, o notify.Own) {
	switch c := o.(type) {
	case *notify.Ntfy:
		a.reach(who, "ntfy", c.Server, c.HTTP)
	case *notify.Gotify:
		a.reach(who, "gotify", c.URL, c.HTTP)
	case *notify.Matrix:
		a.ask(who, matrixMe(c.Homeserver, c.Token), c.HTTP)
	case *notify.WebPush: // where it goes is known to the server alone, which asks no push service but with a page
	case *notify.SMS:
		a.ask(who, twilioMe(c.Twilio), c.HTTP)
	case *notify.Voice:
		a.ask(who, twilioMe(c.Twilio), c.HTTP)
	}
}

// chat adds the services by which people speak back.
func (a *atlas) chat(c config.Chat) {
	const who = "chat"
	if c.Slack != nil {
		a.ask(who, slackMe(strings.TrimSuffix(cmp.Or(c.Slack.APIURL, "https://slack.com/api"), "/")+"/", c.Slack.Bot), nil)
	}
	if c.Telegram != nil {
		a.ask(who, telegramMe(cmp.Or(c.Telegram.APIURL, "https://api.telegram.org"), c.Telegram.Token), nil)
	}
	if c.Matrix != nil {
		a.ask(who, matrixMe(c.Matrix.Homeserver, c.Matrix.Token), nil)
	}
}

// reach adds an address that is only to be reached: by name, TCP, TLS and whatever proxy there is. What stands behind it is
// asked for nothing, but for the head of its first page.
func (a *atlas) reach(who, integration, address string, conf *commoncfg.HTTPClientConfig) {
	u, err := url.Parse(address)
	if strings.Contains(address, "{{") || strings.HasPrefix(address, "file:") || err != nil || u.Host == "" {
		a.add("none "+who, who, place{kind: "channel", what: integration, try: func(context.Context) finding {
			switch {
			case strings.Contains(address, "{{"):
				return finding{State: fine, Text: "its address is a template; only a page tells: midwatch test-page"}
			case strings.HasPrefix(address, "file:"):
				return finding{State: broken, Text: "the file with its address cannot be read: " + strings.TrimPrefix(address, "file:"), Mend: "let the daemon's user read it"}
			}
			return finding{State: broken, Text: "its address cannot be read", Mend: "write it as https://host/path"}
		}})
		return
	}
	root := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	a.add("reach "+root.String()+confKey(conf), who, place{kind: "channel", what: u.Host + " by " + integration, try: func(ctx context.Context) finding {
		resp, err := knock(ctx, conf, http.MethodHead, root.String(), nil)
		switch {
		case err != nil:
			return finding{State: broken, Text: "it cannot be reached: " + plainError(err), Mend: "see to its name, the firewall, the certificate and proxy_url"}
		case resp.status >= 500:
			return finding{State: doubt, Text: fmt.Sprintf("it answers %d", resp.status), Mend: "see whether the service is well"}
		}
		return finding{State: fine, Text: "it can be reached"}
	}})
}

// A question is a request that tells whether a service knows us. It changes nothing there.
type question struct {
	kind, what  string
	method, url string
	secret      notify.Secret
	prepare     func(r *http.Request, secret string)              // puts the secret where the service wants it
	judge       func(status int, body []byte) (who, fault string) // who we are there, or why we are nobody
}

func (a *atlas) ask(who string, q question, conf *commoncfg.HTTPClientConfig) {
	secretKey := fmt.Sprintf("%x", digestOf(string(q.secret.Value)+"\x00"+q.secret.File))
	a.add("ask "+q.url+secretKey+confKey(conf), who, place{kind: q.kind, what: q.what, try: func(ctx context.Context) finding {
		secret, err := q.secret.Read("secret")
		if err != nil {
			return finding{State: broken, Text: plainError(err), Mend: "let the daemon's user read it"}
		}
		resp, err := knock(ctx, conf, q.method, q.url, func(r *http.Request) { q.prepare(r, secret) })
		if err != nil {
			return finding{State: broken, Text: "it cannot be reached: " + plainError(err), Mend: "see to its name, the firewall, the certificate and proxy_url"}
		}
		name, fault := q.judge(resp.status, resp.body)
		if fault != "" {
			return finding{State: broken, Text: "it does not know us: " + withoutSecret(fault, secret), Mend: "make a new token there, and write it into the configuration"}
		}
		return finding{State: fine, Text: "it knows us as " + name}
	}})
}

// withoutSecret is what a service said, short, and without what it was asked with.
func withoutSecret(said, secret string) string {
	if secret != "" {
		said = strings.ReplaceAll(said, secret, "…")
	}
	return excerpt.Letters(strings.Join(strings.Fields(said), " "), maxSaid)
}

const maxSaid = 200 // letters of a service's words

func bearerAuth(r *http.Request, secret string) { r.Header.Set("Authorization", "Bearer "+secret) }

// slackMe is auth.test of Slack's Web API. base ends in a slash.
func slackMe(base string, token notify.Secret) question {
	return question{"chat", hostOf(base) + " by slack", http.MethodPost, base + "auth.test", token, bearerAuth, func(status int, body []byte) (string, string) {
		var a struct {
			OK                bool
			Error, Team, User string
		}
		if json.Unmarshal(body, &a) != nil || !a.OK {
			return "", orElse(a.Error, fmt.Sprintf("it answers %d", status))
		}
		return a.User + " of " + a.Team, ""
	}}
}

// telegramMe is getMe of Telegram's Bot API, which wants the token in the path.
func telegramMe(base string, token notify.Secret) question {
	return question{"chat", hostOf(base) + " by telegram", http.MethodGet, strings.TrimSuffix(base, "/"), token, func(r *http.Request, secret string) {
		r.URL = r.URL.JoinPath("bot"+secret, "getMe")
	}, func(status int, body []byte) (string, string) {
		var a struct {
			OK          bool
			Description string
			Result      struct{ Username string }
		}
		if json.Unmarshal(body, &a) != nil || !a.OK {
			return "", orElse(a.Description, fmt.Sprintf("it answers %d", status))
		}
		return "@" + a.Result.Username, ""
	}}
}

// matrixMe is whoami of Matrix' client-server API.
func matrixMe(base string, token notify.Secret) question {
	return question{
		"chat", hostOf(base) + " by matrix", http.MethodGet, strings.TrimSuffix(base, "/") + "/_matrix/client/v3/account/whoami", token, bearerAuth,
		func(status int, body []byte) (string, string) {
			var a struct {
				UserID string `json:"user_id"`
				Error  string
			}
			if json.Unmarshal(body, &a) != nil || status != http.StatusOK || a.UserID == "" {
				return "", orElse(a.Error, fmt.Sprintf("it answers %d", status))
			}
			return a.UserID, ""
		},
	}
}

// twilioMe looks at the account itself.
func twilioMe(t notify.Twilio) question {
	user, secret := t.AccountSID, t.AuthToken
	if t.APIKeySID != "" {
		user, secret = t.APIKeySID, t.APIKeySecret
	}
	base := cmp.Or(t.APIURL, notify.DefaultTwilioURL)
	return question{
		"channel", hostOf(base) + " by twilio", http.MethodGet, strings.TrimSuffix(base, "/") + "/2010-04-01/Accounts/" + t.AccountSID + ".json", secret,
		func(r *http.Request, secret string) { r.SetBasicAuth(user, secret) },
		func(status int, body []byte) (string, string) {
			var a struct{ FriendlyName, Status, Message string }
			_ = json.Unmarshal(body, &a) // an error's status is a number
			switch {
			case status != http.StatusOK:
				return "", orElse(a.Message, fmt.Sprintf("it answers %d", status))
			case a.Status != "" && a.Status != "active":
				return "", "the account is " + a.Status
			}
			return orElse(a.FriendlyName, "the account"), ""
		},
	}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "its address"
	}
	return u.Host
}

// An echo is what an address answered.
type echo struct {
	status int
	body   []byte
}

const echoRead = 64 << 10

// knock makes one request, by the proxy and TLS of an http_config but without its credentials.
func knock(ctx context.Context, conf *commoncfg.HTTPClientConfig, method, address string, prepare func(*http.Request)) (echo, error) {
	plain := commoncfg.HTTPClientConfig{EnableHTTP2: true}
	if conf != nil {
		plain.TLSConfig, plain.ProxyConfig = conf.TLSConfig, conf.ProxyConfig
	}
	client, err := commoncfg.NewClientFromConfig(plain, "doctor", commoncfg.WithKeepAlivesDisabled())
	if err != nil {
		return echo{}, err
	}
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return echo{}, err
	}
	req.Header.Set("User-Agent", "midwatch/"+version)
	if prepare != nil {
		prepare(req)
	}
	resp, err := client.Do(req)
	if err != nil {
		return echo{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, echoRead))
	return echo{resp.StatusCode, body}, err
}

// plainError is an error without the address it is about, which may be a secret.
func plainError(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}

// confKey tells http_configs apart.
func confKey(conf *commoncfg.HTTPClientConfig) string {
	if conf == nil {
		return ""
	}
	return fmt.Sprintf(" %s %s %t", conf.ProxyURL.Redacted(), conf.TLSConfig.CAFile+conf.TLSConfig.CertFile+conf.TLSConfig.ServerName, conf.TLSConfig.InsecureSkipVerify)
}

// email adds a mail server. Who sends by the same account is told of together.
func (a *atlas) email(who string, c *amconfig.EmailConfig) *place {
	tlsKey := ""
	if c.TLSConfig != nil {
		tlsKey = fmt.Sprint(c.TLSConfig.CAFile, c.TLSConfig.ServerName, c.TLSConfig.InsecureSkipVerify)
	}
	key := fmt.Sprintf("mail %s %s %x %s", c.Smarthost, c.AuthUsername, digestOf(string(c.AuthPassword)+c.AuthPasswordFile+string(c.AuthSecret)+c.AuthSecretFile), tlsKey)
	return a.add(key, who, place{kind: "mail", what: c.Smarthost.String(), try: func(ctx context.Context) finding { return greet(ctx, c) }})
}

// greet goes as far with a mail server as one can without sending: connect, STARTTLS, AUTH, QUIT, in the way of
// Alertmanager's notifier.
func greet(ctx context.Context, c *amconfig.EmailConfig) finding {
	fail := func(mend, format string, args ...any) finding {
		return finding{State: broken, Text: fmt.Sprintf(format, args...), Mend: mend}
	}
	conf := c.TLSConfig
	if conf == nil {
		conf = &commoncfg.TLSConfig{}
	}
	tlsConf, err := commoncfg.NewTLSConfig(conf)
	if err != nil {
		return fail("correct tls_config", "its TLS cannot be set up: %s", err)
	}
	if tlsConf.ServerName == "" {
		tlsConf.ServerName = c.Smarthost.Host
	}
	implicit := c.Smarthost.Port == "465"
	if c.ForceImplicitTLS != nil {
		implicit = *c.ForceImplicitTLS
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.Smarthost.String())
	if err != nil {
		return fail("see to smtp_smarthost, its name and the firewall", "it cannot be reached: %s", plainError(err))
	}
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(until) // a TCP connection has one
	}
	if implicit {
		conn = tls.Client(conn, tlsConf)
	}
	client, err := smtp.NewClient(conn, c.Smarthost.Host)
	if err != nil {
		return fail("see whether the port is that of a mail server, and whether it wants TLS from the first byte (465)", "it does not greet: %s", plainError(err))
	}
	defer client.Quit() //nolint:errcheck // all was said
	if c.Hello != "" {
		if err := client.Hello(c.Hello); err != nil {
			return fail("correct smtp_hello", "it refuses %q: %s", c.Hello, err)
		}
	}
	secured := implicit
	if offered, _ := client.Extension("STARTTLS"); !implicit && c.RequireTLS != nil && *c.RequireTLS {
		if !offered {
			return fail("use a port with STARTTLS (587); or, within a network that you trust, smtp_require_tls: false", "it offers no STARTTLS, and smtp_require_tls is true")
		}
		if err := client.StartTLS(tlsConf); err != nil {
			return fail("see to its certificate, or to ca_file and server_name of tls_config", "STARTTLS does not work: %s", err)
		}
		secured = true
	}
	how := "without TLS"
	if secured {
		how = "with TLS"
	}
	if c.AuthUsername == "" {
		return finding{State: fine, Text: "it answers, " + how + "; no login is configured"}
	}
	offered, mechanisms := client.Extension("AUTH")
	if !offered {
		return finding{State: doubt, Text: "it answers, " + how + ", and wants no login: smtp_auth_username is not used", Mend: "use the port for submission (587), or remove smtp_auth_username"}
	}
	auth, err := mailLogin(c, mechanisms)
	if err != nil {
		return fail("see to smtp_auth_password, its file, and smtp_auth_secret", "%s", err)
	}
	if err := client.Auth(auth); err != nil {
		return fail("see to smtp_auth_username and its password", "it refuses the login of %s: %s", c.AuthUsername, err)
	}
	return finding{State: fine, Text: "it answers, " + how + ", and takes the login of " + c.AuthUsername}
}

// mailLogin chooses among what the server offers, as Alertmanager does: the first that there is a secret for.
func mailLogin(c *amconfig.EmailConfig, mechanisms string) (smtp.Auth, error) {
	password, err := notify.Secret{Value: c.AuthPassword, File: c.AuthPasswordFile}.Read("auth_password")
	if err != nil {
		return nil, err
	}
	secret, err := notify.Secret{Value: c.AuthSecret, File: c.AuthSecretFile}.Read("auth_secret")
	if err != nil {
		return nil, err
	}
	for m := range strings.FieldsSeq(mechanisms) {
		switch {
		case m == "CRAM-MD5" && secret != "":
			return smtp.CRAMMD5Auth(c.AuthUsername, secret), nil
		case m == "PLAIN" && password != "":
			return smtp.PlainAuth(c.AuthIdentity, c.AuthUsername, password, c.Smarthost.Host), nil
		case m == "LOGIN" && password != "":
			return email.LoginAuth(c.AuthUsername, password), nil
		}
	}
	return nil, fmt.Errorf("it offers the logins %s, and there is a key for none of them", mechanisms)
}

// digestOf tells secrets apart without keeping them.
func digestOf(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }
