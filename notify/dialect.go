package notify

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/midwatch/midwatch/excerpt"
)

// A dialect is how one kind of service writes emphasis, links and what must be escaped. Limit is in bytes and safely
// below what the service takes: past it upstream cuts, or sends a sentence of its own instead of the page.
type dialect struct {
	escape func(string) string
	strong func(escaped string) string
	link   func(label, url string) string // both raw; url has passed link
	eol    string
	bullet string // before an item; "• " if empty
	limit  int
}

var (
	plain = dialect{escape: same, strong: same, link: plainLink, eol: "\n", limit: 30_000}

	// brief is plain for push and text messages. Pushover takes 1024 characters, WeChat 2048 bytes, SNS 1600 to a phone.
	// A hyphen is in a phone's small alphabet; a bullet would more than halve what fits into one text message.
	brief = dialect{escape: same, strong: same, link: plainLink, eol: "\n", bullet: "- ", limit: 1000}

	// markdown for Discord (4096), Webex (7439 bytes), Teams, Mattermost and Rocket.Chat. Two spaces break a line in all.
	markdown = dialect{
		escape: escapeMarkdown,
		strong: func(s string) string { return "**" + s + "**" },
		link:   func(label, url string) string { return "[" + escapeMarkdown(label) + "](" + url + ")" },
		eol:    "  \n", limit: 4000,
	}

	// mrkdwn is Slack's (3000 in a text).
	mrkdwn = dialect{
		escape: escapeSlack,
		strong: func(s string) string { return "*" + s + "*" },
		link:   func(label, url string) string { return "<" + url + "|" + escapeSlack(label) + ">" },
		eol:    "\n", limit: 3000,
	}

	// telegramHTML is Telegram's small set of tags (4096).
	telegramHTML = dialect{
		escape: html.EscapeString,
		strong: func(s string) string { return "<b>" + s + "</b>" },
		link: func(label, url string) string {
			return `<a href="` + html.EscapeString(url) + `">` + html.EscapeString(label) + "</a>"
		},
		eol: "\n", limit: 4000,
	}
)

func same(s string) string { return s }

func plainLink(label, url string) string { return label + ": " + url }

// A ping in an alert's label must not wake a whole channel, so these get an invisible joint.
var pings = []string{"@everyone", "@here", "@channel", "@all"}

func noPings(s string) string {
	for _, p := range pings {
		s = strings.ReplaceAll(s, p, "@\u200b"+p[1:])
	}
	return s
}

func escapeSlack(s string) string {
	return noPings(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s))
}

func escapeMarkdown(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_[]<>~|#", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return noPings(b.String())
}

// write puts a view into a dialect. The headline, the lead and the link to acknowledge come first and always: a phone
// shows three lines. What follows is added while it fits, and what does not fit is counted.
func (d dialect) write(v view, without ...part) string {
	keep := func(p part) bool { return !slices.Contains(without, p) }
	var must, more []string
	if keep(headline) {
		must = append(must, d.strong(d.escape(v.Headline)))
	}
	must = append(must, d.escape(v.Lead))
	if v.Notice != "" {
		must = append(must, d.escape(v.Notice))
	}
	if v.ActionURL != "" && keep(action) {
		must = append(must, d.to(v.Action, v.ActionURL))
	}
	for _, r := range v.Rows {
		switch {
		case r.Field && !keep(fields):
		case r.URL != "":
			more = append(more, d.to(r.Name, r.URL))
		default:
			more = append(more, d.strong(d.escape(r.Name))+": "+d.escape(r.Text))
		}
	}

	var b strings.Builder
	b.WriteString(strings.Join(must, d.eol))
	fits := func(s string) bool { return b.Len()+len(s)+len(d.eol) <= d.limit }
	if len(more) > 0 {
		b.WriteString(d.eol)
	}
	for _, line := range more {
		if fits(line) {
			b.WriteString(d.eol + line)
		}
	}
	d.items(&b, v)
	return b.String()
}

// items lists the alerts or incidents, whole ones only, and keeps room for the line that counts the rest.
func (d dialect) items(b *strings.Builder, v view) {
	const tail = len("and 100000 more")
	rest := len(v.Items) + v.More
	if rest == 0 {
		return
	}
	head := d.eol + d.eol + d.strong(d.escape(v.ItemsHead))
	if b.Len()+len(head)+len(d.eol)+tail > d.limit {
		return
	}
	b.WriteString(head)
	for _, it := range v.Items {
		line := d.eol + cmp.Or(d.bullet, "• ") + d.strong(d.escape(it.Name))
		if it.Note != "" {
			line += ": " + d.escape(it.Note)
		}
		if it.Details != "" {
			line += d.eol + "   " + d.escape(it.Details)
		}
		if b.Len()+len(line)+len(d.eol)+tail > d.limit {
			break
		}
		b.WriteString(line)
		rest--
	}
	if rest > 0 {
		b.WriteString(d.eol + fmt.Sprintf("and %d more", rest))
	}
}

// to writes a link, or the bare words where the URL is none that should be followed.
func (d dialect) to(label, url string) string {
	if link(url) {
		return d.link(label, url)
	}
	return d.escape(label + ": " + excerpt.Bytes(url, valueLength))
}

// A part is something a dialect leaves out where the service shows it in a place of its own.
type part int

const (
	headline part = iota // it has a title
	action               // it has a button, or a URL of its own
	fields               // it has fields for Since, Severity, Also paged and Goes on
)
