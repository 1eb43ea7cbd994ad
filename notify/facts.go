package notify

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/excerpt"
)

// facts is what templates of contact methods find in .RouteLabels beside the route's own labels, each name after
// "midwatch_". The names are documented for users and do not change.
func facts(m Message) map[string]string {
	p, v := m.Page, viewOf(m)
	return map[string]string{
		"event":           m.Event,
		"incident":        p.Incident,
		"title":           oneLine(p.Title),
		"severity":        p.Severity,
		"status":          p.Status,
		"user":            p.User,
		"full_name":       p.FullName,
		"urgency":         cmp.Or(p.Urgency, "high"),
		"method":          p.Method,
		"policy":          p.Policy,
		"step":            strconv.Itoa(p.Step),
		"cycle":           strconv.Itoa(p.Cycle),
		"reason":          p.Reason,
		"runbook_url":     p.RunbookURL,
		"acknowledge_url": p.AckURL,
		"incident_url":    p.IncidentURL,
		"idempotency_key": m.Key,
		"reply_to":        p.ReplyTo,

		"subject":    v.Subject,
		"lead":       v.Lead,
		"text":       plain.write(v),
		"since":      v.Since,
		"also_paged": v.AlsoPaged,
		"next":       v.Next,
	}
}

// forms is facts and the built-in texts of every integration, finished, so that upstream's template engine has nothing
// left to do with them that could fail.
func forms(m Message, external *url.URL) (map[string]string, error) {
	p, v := m.Page, viewOf(m)
	page, err := mailHTML(m, v)
	if err != nil {
		return nil, err
	}
	thread := p.Incident
	switch {
	case thread == "": // bundles and digests of one person are a thread of their own
		thread = m.Event + "." + p.User
	case !p.OpenedAt.IsZero():
		thread += "." + strconv.FormatInt(p.OpenedAt.Unix(), 36) // a new store numbers its incidents anew
	}
	host := mailHost(external)
	f := facts(m)
	maps.Copy(f, map[string]string{
		"short":         brief.write(v),
		"markdown":      markdown.write(v, headline),
		"webex":         markdown.write(v),
		"slack":         mrkdwn.write(v, headline, fields),
		"telegram":      telegramHTML.write(v),
		"pushover":      brief.write(v, headline, action),
		"html":          page,
		"jira_doc":      jiraDocument(plain.write(v)),
		"subject_chat":  noPings(v.Subject),
		"subject_ascii": ascii(excerpt.Bytes(v.Subject, 90)),
		"badness":       v.Severity,
		"color":         v.Color,
		"action":        pick(v.ActionURL != "", v.Action, "Open"),
		"action_url":    cmp.Or(v.ActionURL, p.IncidentURL, external.String()),

		"importance": pick(v.Urgent, "high", "normal"),
		"x_priority": pick(v.Urgent, "1", "3"),
		"message_id": "<" + digest(m.Key) + "@" + host + ">",
		"thread_id":  "<" + mailAtom(thread) + ".thread@" + host + ">",

		"pagerduty_severity": level(m, "critical", "critical", "error", "warning", "info"),
		"opsgenie_priority":  level(m, "P1", "P2", "P3", "P4", "P5"),
		"victorops_type":     level(m, "CRITICAL", "CRITICAL", "WARNING", "INFO", "INFO"),
		"pushover_priority":  pushoverPriority(m),
	})
	return f, nil
}

// asLabels gives facts the form in which upstream's template data carries them.
func asLabels(facts map[string]string, into model.LabelSet) model.LabelSet {
	for k, s := range facts {
		into[model.LabelName("midwatch_"+k)] = model.LabelValue(strings.ToValidUTF8(s, "\uFFFD"))
	}
	return into
}

// level translates a severity into a provider's scale. A severity that is none of ours counts as sev2: better to wake
// somebody. What is no page never counts for more than the fourth.
func level(m Message, sev1, sev2, sev3, sev4, sev5 string) string {
	severity := m.Page.Severity
	if len(m.Page.Incidents) > 0 {
		severity = worstFirst(m.Page.Incidents)[0].Severity
	}
	if !pages(m.Event) && m.Event != EventAckExpiring {
		return sev4
	}
	switch severity {
	case "sev1":
		return sev1
	case "sev3":
		return sev3
	case "sev4":
		return sev4
	case "sev5":
		return sev5
	}
	return sev2
}

//go:embed templates/mail.html
var mailSource string

var mailTemplate = template.Must(template.New("mail").Parse(mailSource))

// mailHTML renders the mail's second half. html/template escapes by context, and turns a link that is none into "#".
func mailHTML(m Message, v view) (string, error) {
	var b strings.Builder
	err := mailTemplate.Execute(&b, struct {
		view
		Page *Page
	}{v, m.Page})
	if err != nil {
		return "", fmt.Errorf("the mail of %s: %w", m.Key, err)
	}
	return b.String(), nil
}

// Follow says whether a row's URL is a link.
func (r row) Follow() bool { return link(r.URL) }

// jiraDocument is text in Atlassian's document format, which version 3 of Jira's API demands: a paragraph a line.
func jiraDocument(text string) string {
	type node map[string]any
	doc := node{"type": "doc", "version": 1}
	var paragraphs []node
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		content := []node{{"type": "text", "text": line}}
		if label, u, ok := strings.Cut(line, ": http"); ok && link("http"+u) {
			content = []node{
				{"type": "text", "text": label + ": "},
				{"type": "text", "text": "http" + u, "marks": []node{{"type": "link", "attrs": node{"href": "http" + u}}}},
			}
		}
		paragraphs = append(paragraphs, node{"type": "paragraph", "content": content})
	}
	doc["content"] = paragraphs
	b, err := json.Marshal(doc)
	if err != nil { // strings and maps of strings always marshal
		panic(err)
	}
	return string(b)
}

func pick(c bool, yes, no string) string {
	if c {
		return yes
	}
	return no
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:12])
}

// mailHost is the right side of our Message-Ids: two installations that both have an INC-1 must not share a thread.
func mailHost(external *url.URL) string {
	if external != nil && external.Hostname() != "" && !strings.Contains(external.Hostname(), ":") {
		return external.Hostname()
	}
	return "midwatch.invalid"
}

// mailAtom makes s fit for the left side of a Message-Id.
func mailAtom(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, s)
}
