package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/notify"
)

// MaxSigningSecrets is how many secrets may sign a webhook at once: the old and the new one, and one more in an emergency.
const MaxSigningSecrets = 3

// minPushTTL is the shortest time that a push service is asked to keep a page: a telephone that sleeps is not reached at once.
const minPushTTL = time.Minute

// An ownMethod is an integration of contact methods that Alertmanager does not have.
type ownMethod struct {
	form *form
	read func(o object) (notify.Own, **commoncfg.HTTPClientConfig) // and where its http_config belongs
}

// Keys beside the integration in a contact method.
const (
	keySigning     = "signing_secret"
	keySigningFile = "signing_secret_file"
	keyAPIURL      = "api_url"
)

// secretKeys are those of our contact methods whose values nobody may see. Each has a twin that ends in _file.
var secretKeys = []string{"token", "password", "access_token", "auth_token", "api_key_secret", keySigning, "bot_token", "app_token"}

// Single values of our contact methods.
var (
	secretText = &scalar{what: "a secret"}

	webURL = &scalar{what: "a URL such as https://push.example.org", check: func(v string) error {
		u, err := url.Parse(v)
		switch {
		case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
			return fmt.Errorf("%s is not a URL; write one such as https://push.example.org", quoteURL(v))
		case u.User != nil:
			return fmt.Errorf("%s holds a password; write it under a key of its own", quoteURL(v))
		case u.RawQuery != "" || u.Fragment != "":
			return fmt.Errorf("%s has more than scheme, host and path; write the address without it", quoteURL(v))
		}
		return nil
	}}

	phoneNumber = matching("a telephone number such as +46701234567", `^\+[1-9][0-9]{6,14}$`,
		"write it in full, with + and the country's code, and without blanks: +46701234567")

	smsSender = matching("a telephone number, a short code, or a name of up to 11 letters and digits", `^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 ]{1,11})$`,
		"write a number such as +46701234567, a short code, or a name of up to 11 letters and digits")

	ntfyTopic = matching("a topic of up to 64 letters, digits, _ and -", `^[-_A-Za-z0-9]{1,64}$`, "write up to 64 of them")

	accountSID = matching("an account's SID, AC and 32 hexadecimal digits", `^AC[0-9a-fA-F]{32}$`, "copy it from Twilio's console")
	apiKeySID  = matching("a key's SID, SK and 32 hexadecimal digits", `^SK[0-9a-fA-F]{32}$`, "copy it from Twilio's console")
	serviceSID = matching("a messaging service's SID, MG and 32 hexadecimal digits", `^MG[0-9a-fA-F]{32}$`, "copy it from Twilio's console")

	matrixRoom = &scalar{what: "a room's id such as !abc:example.org", pattern: `^!`, check: func(v string) error {
		switch {
		case strings.HasPrefix(v, "#"):
			return fmt.Errorf("%q is an alias, which may come to mean another room; write the room's id, which begins with ! and is in the room's advanced settings", v)
		case !strings.HasPrefix(v, "!") || len(v) < 2:
			return fmt.Errorf("%q is not a room's id; write one such as !abc:example.org", v)
		}
		return nil
	}}

	signingSecret = &scalar{what: "a secret of Standard Webhooks (whsec_…)", check: notify.CheckSigningSecret}
)

// matching is the syntax of what fits a pattern; hint says how to write it.
func matching(what, pattern, hint string) *scalar {
	re := regexp.MustCompile(pattern)
	return &scalar{what: what, pattern: pattern, check: func(v string) error {
		if !re.MatchString(v) {
			return fmt.Errorf("%q is not %s; %s", v, what, hint)
		}
		return nil
	}}
}

// quoteURL shows an address without what may be a password in it.
func quoteURL(v string) string {
	if _, rest, ok := strings.Cut(v, "@"); ok {
		v = "…@" + rest
	}
	if before, _, ok := strings.Cut(v, "?"); ok {
		v = before + "?…"
	}
	return fmt.Sprintf("%q", v)
}

// withSecret is a key and its twin.
func withSecret(key, doc string) []field {
	return []field{may(key, single(doc, secretText)), may(key+"_file", single("A file with it, read at every attempt.", text))}
}

// ownForm has an integration's keys, and those that all of ours have.
func ownForm(doc string, resolved string, fields ...[]field) *form {
	f := &form{doc: doc}
	for _, fs := range fields {
		f.fields = append(f.fields, fs...)
	}
	f.fields = append(f.fields,
		may("send_resolved", single("Whether it says that it is over; default "+resolved+".", boolean)),
		may("http_config", &form{doc: "Alertmanager's http_config; default that of global.", opaque: true, upstream: []string{"global", "http_config"}}))
	return f
}

var twilioFields = slices.Concat(
	[]field{
		may("api_url", single("Twilio's REST API; default "+notify.DefaultTwilioURL+".", webURL)),
		need("account_sid", single("The account.", accountSID)),
	},
	withSecret("auth_token", "The account's token; or a key of it:"),
	[]field{may("api_key_sid", single("A key in place of the token: it can be taken back by itself.", apiKeySID))},
	withSecret("api_key_secret", "The key's secret."),
	[]field{need("to", single("The person's number.", phoneNumber))},
)

// ownMethods are by their names in a contact method.
var ownMethods = map[string]ownMethod{
	"ntfy": {ownForm("A notification by ntfy.", "true",
		[]field{
			may("server", single("The server; default "+notify.DefaultNtfyServer+".", webURL)),
			need("topic", single("Whoever knows it can read along, where the server asks for no login.", ntfyTopic)),
		},
		withSecret("token", "An access token; or a user's name and password:"),
		[]field{may("username", single("The user.", text))},
		withSecret("password", "The user's password."),
		[]field{
			may("tags", listOf("Tags in addition to ours; names of emoji are shown as such.", single("", text))),
			may("title", single("A template; default ours.", titleTemplate)),
			may("message", single("A template; default ours.", titleTemplate)),
		},
	), readNtfy},
	"gotify": {ownForm("A message by Gotify.", "true",
		[]field{need("url", single("The server.", webURL))},
		withSecret("token", "The token of an application of Gotify's."),
		[]field{
			may("title", single("A template; default ours.", titleTemplate)),
			may("message", single("A template, of Markdown; default ours.", titleTemplate)),
		},
	), readGotify},
	"matrix": {ownForm("A message in a room of Matrix.", "true",
		[]field{need("homeserver", single("The homeserver's address.", webURL))},
		withSecret("access_token", "The access token of the user that speaks."),
		[]field{
			need("room", single("The room's id; the user must be in it.", matrixRoom)),
			may("message", single("A template; default ours.", titleTemplate)),
		},
	), readMatrix},
	"sms": {ownForm("A text message by Twilio.", "false", twilioFields,
		[]field{
			may("from", single("The number or name it comes from; or a messaging service:", smsSender)),
			may("messaging_service_sid", single("A messaging service in place of from.", serviceSID)),
			may("message", single("A template; default ours. It is cut to two text messages.", titleTemplate)),
		},
	), readSMS},
	"voice": {ownForm("A call by Twilio that speaks.", "false", twilioFields,
		[]field{
			need("from", single("The number that calls.", phoneNumber)),
			may("language", single("The voice's language, such as en-GB; default Twilio's.", text)),
			may("voice", single("Twilio's name of a voice; default Twilio's.", text)),
		},
	), readVoice},
	"web_push": {ownForm("A notification in the browsers that the user subscribed: {}.", "true",
		[]field{
			may("ttl", single("How long a push service keeps it for a browser that it cannot reach; default 1h.", duration)),
			may("title", single("A template; default ours.", titleTemplate)),
			may("message", single("A template; default ours.", titleTemplate)),
			may("private_services", single("Whether push services may be in a private network; default false.", boolean)),
		},
	), readWebPush},
}

// ownNames are the names of ours, in the order of the documentation.
var ownNames = []string{"ntfy", "gotify", "matrix", "sms", "voice", "web_push"}

func readNtfy(o object) (notify.Own, **commoncfg.HTTPClientConfig) {
	c := &notify.Ntfy{
		Server: o.textOr("server", notify.DefaultNtfyServer), Topic: o.text("topic"), Username: o.text("username"),
		Token: o.secret("token"), Password: o.secret("password"), Title: o.text("title"), Message: o.text("message"),
		SendResolved: o.boolean("send_resolved", true),
	}
	for _, tag := range o.texts("tags") {
		c.Tags = append(c.Tags, tag.Value)
	}
	switch {
	case c.Token.Set() && c.Username != "":
		o.fault(o.here("username"), "has a token and a username", "remove one")
	case c.Username != "" && !c.Password.Set():
		o.fault(o.here("username"), "has a username and no password", "add password or password_file")
	case c.Username == "" && c.Password.Set():
		o.fault(o.here("password"), "has a password and no username", "add username")
	}
	o.inClear("server", c.Server, c.Token.Set() || c.Password.Set())
	return c, &c.HTTP
}

func readGotify(o object) (notify.Own, **commoncfg.HTTPClientConfig) {
	c := &notify.Gotify{
		URL: o.text("url"), Token: o.secretNeeded("token", "an application of Gotify's has one"), Title: o.text("title"), Message: o.text("message"),
		SendResolved: o.boolean("send_resolved", true),
	}
	o.inClear("url", c.URL, true)
	return c, &c.HTTP
}

func readMatrix(o object) (notify.Own, **commoncfg.HTTPClientConfig) {
	c := &notify.Matrix{
		Homeserver: o.text("homeserver"), Token: o.secretNeeded("access_token", "a client shows it among its settings"), Room: o.text("room"), Message: o.text("message"),
		SendResolved: o.boolean("send_resolved", true),
	}
	o.inClear("homeserver", c.Homeserver, true)
	return c, &c.HTTP
}

// readTwilio reads what text messages and calls have in common.
func readTwilio(o object) notify.Twilio {
	c := notify.Twilio{
		APIURL: o.textOr("api_url", notify.DefaultTwilioURL), AccountSID: o.text("account_sid"), AuthToken: o.secret("auth_token"),
		APIKeySID: o.text("api_key_sid"), APIKeySecret: o.secret("api_key_secret"), From: o.text("from"), To: o.text("to"),
		SendResolved: o.boolean("send_resolved", false),
	}
	key := c.APIKeySID != "" || c.APIKeySecret.Set()
	switch {
	case c.AuthToken.Set() && key:
		o.fault(o.node, "has an auth_token and an API key", "remove one")
	case c.APIKeySID != "" && !c.APIKeySecret.Set():
		o.fault(o.here("api_key_sid"), "has an api_key_sid and no secret", "add api_key_secret or api_key_secret_file")
	case c.APIKeySID == "" && key:
		o.fault(o.node, "has the secret of an API key and no api_key_sid", "add api_key_sid")
	case !c.AuthToken.Set() && !key:
		o.fault(o.node, "has no auth_token", "add auth_token, auth_token_file, or api_key_sid and api_key_secret")
	}
	o.inClear("api_url", c.APIURL, true)
	return c
}

func readSMS(o object) (notify.Own, **commoncfg.HTTPClientConfig) {
	c := &notify.SMS{Twilio: readTwilio(o), MessagingServiceSID: o.text("messaging_service_sid"), Message: o.text("message")}
	switch {
	case c.From == "" && c.MessagingServiceSID == "":
		o.fault(o.node, "has no from", "add from or messaging_service_sid")
	case c.From != "" && c.MessagingServiceSID != "":
		o.fault(o.here("messaging_service_sid"), "has from and messaging_service_sid", "remove one")
	}
	return c, &c.HTTP
}

func readVoice(o object) (notify.Own, **commoncfg.HTTPClientConfig) {
	c := &notify.Voice{Twilio: readTwilio(o), Language: o.text("language"), Voice: o.text("voice")}
	return c, &c.HTTP
}

func readWebPush(o object) (notify.Own, **commoncfg.HTTPClientConfig) {
	c := &notify.WebPush{
		TTL: o.duration("ttl", notify.DefaultPushTTL), Title: o.text("title"), Message: o.text("message"),
		PrivateServices: o.boolean("private_services", false), SendResolved: o.boolean("send_resolved", true),
	}
	if o.get("ttl") != nil && (c.TTL < minPushTTL || c.TTL > notify.MaxPushTTL) {
		o.fault(o.here("ttl"), "ttl is not between 1m and 4w", "write how long a page may come late, such as 1h")
	}
	return c, &c.HTTP
}

// secret reads a key or its twin; both are a fault.
func (o object) secret(key string) notify.Secret {
	s := notify.Secret{Value: commoncfg.Secret(o.text(key)), File: o.text(key + "_file")}
	if s.Value != "" && s.File != "" {
		o.fault(o.here(key+"_file"), fmt.Sprintf("has %s and %s_file", key, key), "remove one")
	}
	return s
}

func (o object) secretNeeded(key, where string) notify.Secret {
	s := o.secret(key)
	if !s.Set() {
		o.fault(o.node, "has no "+key, fmt.Sprintf("add %s or %s_file; %s", key, key, where))
	}
	return s
}

// inClear warns where a secret would cross the network for everybody to read.
func (o object) inClear(key, address string, secret bool) {
	u, err := url.Parse(address)
	if err != nil || !secret || u.Scheme != "http" || near(u.Hostname()) {
		return
	}
	o.warn(o.here(key), fmt.Sprintf("%s: the secret goes to %s unencrypted", key, u.Host), "use https")
}

// near says whether a host is this machine or in a private network.
func near(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()
	}
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".localhost")
}

// signing reads the secrets beside a webhook, the one that counts first.
func (o object) signing() (secrets []notify.Secret) {
	inline, files := o.oneOrMore(keySigning), o.oneOrMore(keySigningFile)
	for _, n := range inline {
		secrets = append(secrets, notify.Secret{Value: commoncfg.Secret(n.Value)})
	}
	for _, n := range files {
		secrets = append(secrets, notify.Secret{File: n.Value})
	}
	if len(secrets) > MaxSigningSecrets {
		o.fault(o.node, fmt.Sprintf("has %d signing secrets, more than %d", len(secrets), MaxSigningSecrets), "remove those that no receiver knows any more")
	}
	return secrets
}

// oneOrMore is a single value, or those of a list.
func (o object) oneOrMore(key string) []*yaml.Node {
	if n := o.get(key); n != nil && n.Kind == yaml.ScalarNode {
		return []*yaml.Node{n}
	}
	return o.texts(key)
}

// ownSecrets are the secret values in the body of one of our contact methods, and beside it.
func ownSecrets(n *yaml.Node) (out []string) {
	spot(n, nil, func(n *yaml.Node, path []string, isKey bool) bool {
		if !isKey && n.Kind == yaml.ScalarNode && n.Value != "" && len(path) > 0 && slices.Contains(secretKeys, path[len(path)-1]) {
			out = append(out, n.Value)
		}
		return true
	})
	return out
}
