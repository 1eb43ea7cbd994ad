package notify

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A service is what one provider demands of a request, after its documentation. What it would refuse, the world refuses.
type service struct {
	path   *regexp.Regexp
	method string
	kind   string // Content-Type, without parameters; empty: not looked at
	demand func(r request, f content) error
	answer func(r request, f content) string // nil: what the world says otherwise
	status int                               // 0: 200
}

// content is a request's JSON or form.
type content struct {
	json map[string]any
	form url.Values
}

// text is a member of the JSON, by its path.
func (f content) text(path string) string {
	s, _ := f.at(path).(string)
	return s
}

func (f content) at(path string) any {
	var v any = f.json
	for _, name := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// all joins complaints; each is nil, or a text that is not empty.
func all(complaints ...error) error { return errors.Join(complaints...) }

func must(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func atMost(what, s string, runes int) error {
	return must(s != "" && utf8.RuneCountInString(s) <= runes, "%s has %d letters; 1 to %d are taken", what, utf8.RuneCountInString(s), runes)
}

func bearer(r request, token string) error {
	return must(r.Header.Get("Authorization") == "Bearer "+token, "401: Authorization is %q", r.Header.Get("Authorization"))
}

func among(what, s string, words ...string) error {
	return must(slices.Contains(words, s), "%s is %q, not one of %q", what, s, words)
}

const (
	jsonKind = "application/json"
	formKind = "application/x-www-form-urlencoded"
	account  = "AC0123456789abcdef0123456789abcdef"
)

var (
	sequenceRE = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)
	phoneRE    = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

var services = []service{
	{path: regexp.MustCompile(`^/slack$`), method: "POST", kind: jsonKind, demand: func(_ request, f content) error {
		return all(must(f.at("attachments.0") != nil, "no attachment"), atMost("title", f.text("attachments.0.title"), 3000), atMost("text", f.text("attachments.0.text"), 3000),
			must(f.text("attachments.0.fallback") != "", "no fallback"))
	}},
	{path: regexp.MustCompile(`^/bot123:telegram-token/sendMessage$`), method: "POST", kind: jsonKind, demand: func(_ request, f content) error {
		return all(must(f.text("chat_id") == "42", "chat_id is %v", f.at("chat_id")), atMost("text", f.text("text"), 4096), among("parse_mode", f.text("parse_mode"), "HTML", "MarkdownV2"))
	}},
	{path: regexp.MustCompile(`^/v2/enqueue$`), method: "POST", kind: jsonKind, demand: func(_ request, f content) error {
		complaint := all(must(f.text("routing_key") == "pagerduty-key", "routing_key"), among("event_action", f.text("event_action"), "trigger", "acknowledge", "resolve"), atMost("dedup_key", f.text("dedup_key"), 255))
		return all(complaint, atMost("summary", f.text("payload.summary"), 1024), among("severity", f.text("payload.severity"), "critical", "error", "warning", "info"), must(f.text("payload.source") != "", "no source"))
	}},
	{path: regexp.MustCompile(`^/v2/alerts`), method: "POST", kind: jsonKind, status: 202, demand: func(r request, f content) error {
		auth := must(r.Header.Get("Authorization") == "GenieKey opsgenie-key", "401: Authorization is %q", r.Header.Get("Authorization"))
		if strings.HasSuffix(r.Path, "/close") {
			return all(auth, must(strings.Contains(r.Query, "identifierType=alias"), "no identifierType"))
		}
		return all(auth, atMost("message", f.text("message"), 130), atMost("alias", f.text("alias"), 512), atMost("description", f.text("description"), 15000), among("priority", f.text("priority"), "P1", "P2", "P3", "P4", "P5"))
	}},
	{path: regexp.MustCompile(`^/victorops-key/bo$`), method: "POST", kind: jsonKind, demand: func(_ request, f content) error {
		return all(among("message_type", f.text("message_type"), "CRITICAL", "WARNING", "INFO", "RECOVERY"), must(f.text("entity_id") != "", "no entity_id"), atMost("state_message", f.text("state_message"), 20480))
	}},
	{path: regexp.MustCompile(`^/discord$`), method: "POST", kind: jsonKind, status: 204, demand: func(_ request, f content) error {
		return all(atMost("content", f.text("content"), 2000), atMost("title", f.text("embeds.0.title"), 256), atMost("description", f.text("embeds.0.description"), 4096))
	}},
	{path: regexp.MustCompile(`^/teams$`), method: "POST", kind: jsonKind, demand: func(r request, f content) error {
		return all(among("type", f.text("type"), "MessageCard"), must(f.text("title") != "" && f.text("text") != "", "no title or text"), must(len(r.Body) < 28<<10, "%d bytes", len(r.Body)))
	}},
	{path: regexp.MustCompile(`^/teams2$`), method: "POST", kind: jsonKind, status: 202, demand: func(r request, f content) error {
		return all(among("type", f.text("type"), "message"), among("contentType", f.text("attachments.0.contentType"), "application/vnd.microsoft.card.adaptive"), must(len(r.Body) < 28<<10, "%d bytes", len(r.Body)))
	}},
	{path: regexp.MustCompile(`^/mattermost$`), method: "POST", kind: jsonKind, demand: func(_ request, f content) error {
		return all(must(f.at("attachments.0") != nil || f.text("text") != "", "no text"), must(utf8.RuneCountInString(f.text("attachments.0.text")) <= 16383, "too long"))
	}},
	{path: regexp.MustCompile(`^/api/v1/chat.postMessage$`), method: "POST", kind: jsonKind, demand: func(r request, f content) error {
		return all(must(r.Header.Get("X-Auth-Token") == "rocket-token" && r.Header.Get("X-User-Id") == "rocket-id", "401: no log-in"), must(f.text("channel") == "@bo", "channel is %q", f.text("channel")), must(f.at("attachments.0") != nil, "no attachment"))
	}},
	{path: regexp.MustCompile(`^/webex$`), method: "POST", kind: jsonKind, demand: func(r request, f content) error {
		return all(bearer(r, "webex-token"), must(f.text("roomId") == "room", "roomId"), must(f.text("markdown") != "" && len(f.text("markdown")) <= 7439, "markdown has %d bytes", len(f.text("markdown"))))
	}},
	{path: regexp.MustCompile(`^/sns`), method: "POST", kind: formKind, demand: func(r request, f content) error {
		subject := f.form.Get("Subject")
		return all(must(strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIA/"), "403: no signature"), among("Action", f.form.Get("Action"), "Publish"),
			must(len(f.form.Get("Message")) <= 256<<10 && f.form.Get("Message") != "", "message"), must(len(subject) <= 100 && subject == ascii(subject), "subject %q", subject))
	}},
	{path: regexp.MustCompile(`^/message/send$`), method: "POST", kind: jsonKind, demand: func(r request, f content) error {
		return all(must(strings.Contains(r.Query, "access_token=wechat-access"), "40014: no access_token"), among("msgtype", f.text("msgtype"), "text", "markdown"), must(len(f.text("text.content")) <= 2048 && f.text("text.content") != "", "content has %d bytes", len(f.text("text.content"))))
	}},
	{path: regexp.MustCompile(`^/rest/api/3/issue$`), method: "POST", kind: jsonKind, status: 201, demand: func(_ request, f content) error {
		return all(atMost("summary", f.text("fields.summary"), 255), among("project", f.text("fields.project.key"), "OPS"), among("type", f.text("fields.issuetype.name"), "Incident"), among("description", f.text("fields.description.type"), "doc"))
	}},
	{path: regexp.MustCompile(`^/incidentio$`), method: "POST", kind: jsonKind, status: 202, demand: func(r request, f content) error {
		return all(bearer(r, "incidentio-token"), among("version", f.text("version"), "1"), must(f.text("groupKey") != "", "no groupKey"))
	}},
	{path: regexp.MustCompile(`^/hook$`), method: "POST", kind: jsonKind, demand: func(r request, f content) error {
		key := f.text("midwatch.idempotency_key")
		return all(among("version", f.text("version"), "4"), must(r.Header.Get("Idempotency-Key") == key, "the keys are %q and %q", key, r.Header.Get("Idempotency-Key")))
	}},

	{path: regexp.MustCompile(`^/ntfy/$`), method: "POST", kind: jsonKind, demand: func(r request, f content) error {
		priority, _ := f.at("priority").(float64)
		actions, _ := f.at("actions").([]any)
		complaint := all(bearer(r, "ntfy-token"), must(sequenceRE.MatchString(f.text("topic")), "40009: topic %q", f.text("topic")), must(f.text("message") != "" && len(f.text("message")) <= 4096, "the message would become an attachment"),
			must(priority >= 1 && priority <= 5, "40007: priority %v", priority), must(len(actions) <= 3, "40018: %d actions", len(actions)), must(sequenceRE.MatchString(f.text("sequence_id")), "40049: sequence ID %q", f.text("sequence_id")))
		for i := range actions {
			at := fmt.Sprintf("actions.%d.", i)
			complaint = all(complaint, among("action", f.text(at+"action"), "view", "http", "broadcast"), must(f.text(at+"label") != "", "no label"), must(link(f.text(at+"url")), "url %q", f.text(at+"url")))
		}
		return complaint
	}, answer: func(request, content) string {
		return `{"id":"hwQ2YpKdmg2k","time":1763867130,"event":"message","topic":"bo"}`
	}},
	{path: regexp.MustCompile(`^/gotify/message$`), method: "POST", kind: jsonKind, demand: func(r request, f content) error {
		extras, _ := f.at("extras").(map[string]any)
		for name := range extras {
			if err := among("extra", name, "client::display", "client::notification"); err != nil {
				return err
			}
		}
		return all(must(r.Header.Get("X-Gotify-Key") == "gotify-token", "401: you need to provide a valid access token"), must(f.text("message") != "", "400: message is required"))
	}, answer: func(request, content) string { return `{"id":25,"appid":5,"date":"2025-11-23T03:05:30Z"}` }},
	{path: regexp.MustCompile(`^/matrix/_matrix/client/v3/rooms/!ops:example\.org/send/m\.room\.message/[A-Za-z0-9-]+$`), method: "PUT", kind: jsonKind, demand: func(r request, f content) error {
		complaint := all(bearer(r, "matrix-token"), among("msgtype", f.text("msgtype"), "m.text", "m.notice"), must(f.text("body") != "", "M_BAD_JSON: no body"), must(len(r.Body) < 60<<10, "M_TOO_LARGE"),
			must((f.text("format") == "org.matrix.custom.html") == (f.text("formatted_body") != ""), "format without formatted_body"))
		if f.at("m.relates_to") != nil || strings.Contains(string(r.Body), "m.relates_to") {
			relates, _ := f.json["m.relates_to"].(map[string]any)
			fresh, _ := f.json["m.new_content"].(map[string]any)
			complaint = all(complaint, must(relates["rel_type"] == "m.replace" && strings.HasPrefix(fmt.Sprint(relates["event_id"]), "$"), "m.relates_to %v", relates), must(fresh["body"] != nil && fresh["msgtype"] != nil, "no m.new_content"))
		}
		return complaint
	}, answer: func(r request, _ content) string { // the same transaction is the same event
		return fmt.Sprintf(`{"event_id":"$%s"}`, r.Path[strings.LastIndexByte(r.Path, '/')+1:])
	}},
	{path: regexp.MustCompile(`^/twilio/2010-04-01/Accounts/` + account + `/Messages\.json$`), method: "POST", kind: formKind, status: 201, demand: func(r request, f content) error {
		from := f.form.Get("From") + f.form.Get("MessagingServiceSid")
		return all(twilioLogin(r), must(phoneRE.MatchString(f.form.Get("To")), "21211: To %q", f.form.Get("To")), must(from != "", "21603: no From"), atMost("Body", f.form.Get("Body"), 320))
	}, answer: func(request, content) string {
		return `{"sid":"SM0123456789abcdef","status":"queued","error_code":null}`
	}},
	{path: regexp.MustCompile(`^/twilio/2010-04-01/Accounts/` + account + `/Calls\.json$`), method: "POST", kind: formKind, status: 201, demand: func(r request, f content) error {
		var doc struct {
			XMLName xml.Name `xml:"Response"`
			Gather  *struct {
				Action string `xml:"action,attr"`
				Method string `xml:"method,attr"`
			} `xml:"Gather"`
		}
		text := f.form.Get("Twiml")
		complaint := all(twilioLogin(r), must(phoneRE.MatchString(f.form.Get("To")) && phoneRE.MatchString(f.form.Get("From")), "21211: To or From"), must(len(text) <= 4000, "32018: %d letters", len(text)), xml.Unmarshal([]byte(text), &doc))
		if doc.Gather != nil {
			complaint = all(complaint, must(link(doc.Gather.Action) && doc.Gather.Method == "POST", "Gather %+v", doc.Gather))
		}
		return complaint
	}, answer: func(request, content) string { return `{"sid":"CA0123456789abcdef","status":"queued"}` }},
	{path: regexp.MustCompile(`^/pushover/1/messages\.json$`), method: "POST", kind: formKind, demand: func(_ request, f content) error {
		complaint := all(pushoverLogin(f), must(f.form.Get("user") == "pushover-user", "user identifier is not valid"), atMost("message", f.form.Get("message"), 1024), must(utf8.RuneCountInString(f.form.Get("title")) <= 250, "title"),
			must(len(f.form.Get("url")) <= 512, "url"), must(len(f.form.Get("url_title")) <= 100, "url_title"), among("priority", f.form.Get("priority"), "-2", "-1", "0", "1", "2"))
		retry, _ := strconv.Atoi(f.form.Get("retry"))
		expire, _ := strconv.Atoi(f.form.Get("expire"))
		if f.form.Get("priority") == "2" {
			complaint = all(complaint, must(retry >= 30, "retry must be at least 30"), must(expire > 0 && expire <= 10800, "expire must be at most 10800"))
		}
		return complaint
	}, answer: func(_ request, f content) string {
		if f.form.Get("priority") == "2" {
			return `{"status":1,"request":"5042853c-402d-4a18-abcb-168734a801de","receipt":"rLqVuqTRh62UzxtmqiaLzQmVcPgiCy"}`
		}
		return `{"status":1,"request":"5042853c-402d-4a18-abcb-168734a801de"}`
	}},
	{
		path: regexp.MustCompile(`^/pushover/1/receipts/([A-Za-z0-9]{30}/cancel|cancel_by_tag/midwatch_[0-9a-f]+)\.json$`), method: "POST", kind: formKind,
		demand: func(_ request, f content) error { return pushoverLogin(f) }, answer: func(request, content) string { return `{"status":1}` },
	},
}

func twilioLogin(r request) error {
	user, pass, _ := (&http.Request{Header: r.Header}).BasicAuth()
	return must(user == account && pass == "twilio-token" || user == "SK0123456789abcdef0123456789abcdef" && pass == "twilio-secret", "20003: %s", user)
}

func pushoverLogin(f content) error {
	return must(f.form.Get("token") == "pushover-token", "application token is invalid")
}

// judge answers as the provider whose request it is; false: it is nobody's.
func judge(w http.ResponseWriter, r request) bool {
	i := slices.IndexFunc(services, func(s service) bool { return s.path.MatchString(r.Path) })
	if i < 0 {
		return false
	}
	s := services[i]
	var f content
	_ = json.Unmarshal(r.Body, &f.json)
	f.form, _ = url.ParseQuery(string(r.Body))
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	complaint := all(must(r.Method == s.method, "405: %s", r.Method), must(s.kind == "" || kind == s.kind, "415: Content-Type is %q", kind))
	if complaint == nil {
		complaint = s.demand(r, f)
	}
	switch {
	case complaint != nil:
		http.Error(w, complaint.Error(), http.StatusBadRequest)
	case s.answer != nil:
		w.Header().Set("Content-Type", jsonKind)
		if s.status != 0 {
			w.WriteHeader(s.status)
		}
		io.WriteString(w, s.answer(r, f))
	case s.status != 0:
		w.WriteHeader(s.status)
		if s.status != http.StatusNoContent {
			io.WriteString(w, "{}")
		}
	default:
		return false
	}
	return true
}
