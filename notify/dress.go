package notify

import (
	"maps"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify/discord"
	"github.com/prometheus/alertmanager/notify/jira"
	"github.com/prometheus/alertmanager/notify/mattermost"
	"github.com/prometheus/alertmanager/notify/msteams"
	"github.com/prometheus/alertmanager/notify/msteamsv2"
	"github.com/prometheus/alertmanager/notify/opsgenie"
	"github.com/prometheus/alertmanager/notify/pagerduty"
	"github.com/prometheus/alertmanager/notify/telegram"
)

// ApplyTemplates replaces what upstream would say by our words for one person (SPEC §3), in every field of r that its
// owner did not write himself: setByUser is asked with the field's YAML name ("title", "html", "headers"). It changes the
// configs r points to. webhook and incidentio have no templates: the one gets a body of its own, the other the facts in
// its routeLabels.
//
// Nil means that nothing was set. Headers of a mail are kept one by one.
func ApplyTemplates(r *amconfig.Receiver, setByUser func(field string) bool) {
	if setByUser == nil {
		setByUser = func(string) bool { return false }
	}
	w := wardrobe(setByUser)
	each(r.EmailConfigs, w.email)
	each(r.SlackConfigs, w.slack)
	each(r.TelegramConfigs, w.telegram)
	each(r.PushoverConfigs, w.pushover)
	each(r.PagerdutyConfigs, w.pagerduty)
	each(r.OpsGenieConfigs, w.opsgenie)
	each(r.VictorOpsConfigs, w.victorops)
	each(r.DiscordConfigs, w.discord)
	each(r.MSTeamsConfigs, w.msteams)
	each(r.MSTeamsV2Configs, w.msteamsv2)
	each(r.MattermostConfigs, w.mattermost)
	each(r.RocketchatConfigs, w.rocketchat)
	each(r.WebexConfigs, w.webex)
	each(r.SNSConfigs, w.sns)
	each(r.WechatConfigs, w.wechat)
	each(r.JiraConfigs, w.jira)
}

func each[T any](configs []T, do func(T)) {
	for _, c := range configs {
		do(c)
	}
}

// use is a template that says one of the forms.
func use(form string) string { return "{{ .RouteLabels.midwatch_" + form + " }}" }

// A wardrobe dresses integrations, except where the user did.
type wardrobe func(field string) bool

func (w wardrobe) put(field string, to *string, text string) {
	if !w(field) {
		*to = text
	}
}

// clear empties fields that have nothing to say in a page, though upstream's default or a failing template might.
func (w wardrobe) clear(fields map[string]*string) {
	for field, to := range fields {
		w.put(field, to, "")
	}
}

func (w wardrobe) email(c *amconfig.EmailConfig) {
	w.put("text", &c.Text, use("text"))
	if !w("html") {
		c.HTML = "{{ .RouteLabels.midwatch_html | safeHtml }}" // escaped when it was made
	}
	headers := map[string]string{
		"Subject":        use("subject"),
		"Message-Id":     use("message_id"), // the same in every attempt: what was sent twice is shown once
		"Auto-Submitted": "auto-generated",  // no out-of-office replies to the pager

		"X-Auto-Response-Suppress": "All", // Exchange goes by this instead
		"Importance":               use("importance"),
		"X-Priority":               use("x_priority"),
	}
	if !w("threading") {
		c.Threading = amconfig.ThreadingConfig{}
	}
	if !c.Threading.Enabled {
		headers["References"] = use("thread_id")
		headers["In-Reply-To"] = use("thread_id")
	}
	if w("headers") {
		maps.Copy(headers, c.Headers)
	}
	c.Headers = headers
}

// replyTo has mails say where a reply acts, except where their owner says another place.
func replyTo(configs []*amconfig.EmailConfig) {
	for _, c := range configs {
		for name := range c.Headers {
			if strings.EqualFold(name, "Reply-To") {
				return
			}
		}
		c.Headers = maps.Clone(c.Headers)
		c.Headers["Reply-To"] = use("reply_to")
	}
}

func (w wardrobe) slack(c *amconfig.SlackConfig) {
	w.put("title", &c.Title, use("subject_chat"))
	w.put("title_link", &c.TitleLink, use("incident_url"))
	w.put("text", &c.Text, use("slack"))
	w.put("fallback", &c.Fallback, use("subject_chat")+" | "+use("action")+": "+use("action_url"))
	w.put("color", &c.Color, use("color"))
	w.put("username", &c.Username, "Midwatch")
	w.clear(map[string]*string{
		"pretext": &c.Pretext, "message_text": &c.MessageText, "footer": &c.Footer, "callback_id": &c.CallbackID,
		"icon_emoji": &c.IconEmoji, "icon_url": &c.IconURL, "image_url": &c.ImageURL, "thumb_url": &c.ThumbURL,
	})
	short := true
	if !w("fields") {
		c.Fields = []*amconfig.SlackField{
			{Title: "Severity", Value: use("badness"), Short: &short},
			{Title: "Since", Value: use("since"), Short: &short},
			{Title: "Also paged", Value: use("also_paged"), Short: &short},
			{Title: "Goes on", Value: use("next"), Short: &short},
		}
	}
	if !w("actions") {
		c.Actions = []*amconfig.SlackAction{{Type: "button", Text: use("action"), URL: use("action_url"), Style: "primary"}}
	}
}

func (w wardrobe) telegram(c *telegram.TelegramConfig) {
	if !w("message") {
		c.Message = "{{ .RouteLabels.midwatch_telegram | safeHtml }}"
		c.ParseMode = "HTML"
	}
}

func (w wardrobe) pushover(c *amconfig.PushoverConfig) {
	w.put("title", &c.Title, use("subject"))
	w.put("message", &c.Message, use("pushover"))
	w.put("url", &c.URL, use("action_url"))
	w.put("url_title", &c.URLTitle, use("action"))
	w.put("priority", &c.Priority, use("pushover_priority"))
}

func (w wardrobe) pagerduty(c *pagerduty.PagerdutyConfig) {
	w.put("description", &c.Description, use("subject"))
	w.put("client", &c.Client, "Midwatch")
	w.put("client_url", &c.ClientURL, use("incident_url"))
	w.put("source", &c.Source, "Midwatch")
	w.put("severity", &c.Severity, use("pagerduty_severity"))
	w.clear(map[string]*string{"class": &c.Class, "component": &c.Component, "group": &c.Group})
	if !w("links") {
		c.Links = []pagerduty.PagerdutyLink{ // upstream leaves out those without href
			{Href: use("acknowledge_url"), Text: "Acknowledge in Midwatch"},
			{Href: use("incident_url"), Text: "Incident"},
			{Href: use("runbook_url"), Text: "Runbook"},
		}
	}
	if !w("images") {
		c.Images = nil
	}
	if !w("details") {
		c.Details = maps.Clone(pagerduty.DefaultPagerdutyDetails)
		// One fact each: upstream reads every detail as YAML, which a whole page might happen to be.
		for _, fact := range []string{"since", "reason", "also_paged", "next"} {
			c.Details[fact] = use(fact)
		}
	}
}

func (w wardrobe) opsgenie(c *opsgenie.OpsGenieConfig) {
	w.put("message", &c.Message, use("subject"))
	w.put("description", &c.Description, use("text"))
	w.put("source", &c.Source, use("incident_url"))
	w.put("priority", &c.Priority, use("opsgenie_priority"))
	w.clear(map[string]*string{"entity": &c.Entity, "actions": &c.Actions, "tags": &c.Tags, "note": &c.Note})
	if !w("details") {
		c.Details = map[string]string{"acknowledge": use("acknowledge_url")}
	}
}

func (w wardrobe) victorops(c *amconfig.VictorOpsConfig) {
	w.put("message_type", &c.MessageType, use("victorops_type"))
	w.put("state_message", &c.StateMessage, use("text"))
	w.put("entity_display_name", &c.EntityDisplayName, use("subject"))
	w.put("monitoring_tool", &c.MonitoringTool, "Midwatch")
	if !w("custom_fields") {
		c.CustomFields = nil
	}
}

func (w wardrobe) discord(c *discord.DiscordConfig) {
	w.put("content", &c.Content, use("subject_chat")) // an embed alone shows nothing on a locked phone
	w.put("title", &c.Title, use("subject"))
	w.put("message", &c.Message, use("markdown"))
}

func (w wardrobe) msteams(c *msteams.MSTeamsConfig) {
	w.put("title", &c.Title, use("subject"))
	w.put("summary", &c.Summary, use("subject"))
	w.put("text", &c.Text, use("markdown"))
}

func (w wardrobe) msteamsv2(c *msteamsv2.MSTeamsV2Config) {
	w.put("title", &c.Title, use("subject"))
	w.put("text", &c.Text, use("markdown"))
}

func (w wardrobe) mattermost(c *mattermost.MattermostConfig) {
	w.put("username", &c.Username, "Midwatch")
	w.put("title", &c.Title, use("subject_chat"))
	w.put("title_link", &c.TitleLink, use("incident_url"))
	w.put("text", &c.Text, use("markdown"))
	w.put("fallback", &c.Fallback, use("subject_chat"))
	w.put("color", &c.Color, use("color"))
	w.clear(map[string]*string{
		"pretext": &c.Pretext, "author_name": &c.AuthorName, "author_link": &c.AuthorLink, "author_icon": &c.AuthorIcon,
		"thumb_url": &c.ThumbURL, "footer": &c.Footer, "footer_icon": &c.FooterIcon, "image_url": &c.ImageURL,
		"icon_url": &c.IconURL, "icon_emoji": &c.IconEmoji, "type": &c.Type,
	})
	if !w("fields") {
		c.Fields = nil
	}
	if !w("attachments") {
		c.Attachments = nil
	}
	if !w("props") {
		c.Props = nil
	}
	if !w("priority") {
		c.Priority = nil
	}
}

func (w wardrobe) rocketchat(c *amconfig.RocketchatConfig) {
	w.put("title", &c.Title, use("subject_chat"))
	w.put("title_link", &c.TitleLink, use("incident_url"))
	w.put("text", &c.Text, use("markdown"))
	w.put("color", &c.Color, use("color"))
	w.clear(map[string]*string{"emoji": &c.Emoji, "icon_url": &c.IconURL, "image_url": &c.ImageURL, "thumb_url": &c.ThumbURL})
	if !w("fields") {
		c.Fields = nil
	}
	if !w("actions") {
		c.Actions = []*amconfig.RocketchatAttachmentAction{{Type: "button", Text: use("action"), URL: use("action_url")}}
	}
}

func (w wardrobe) webex(c *amconfig.WebexConfig) { w.put("message", &c.Message, use("webex")) }

func (w wardrobe) sns(c *amconfig.SNSConfig) {
	w.put("subject", &c.Subject, use("subject_ascii")) // SNS refuses any other letter
	text := use("text")
	if c.PhoneNumber != "" {
		text = use("short")
	}
	w.put("message", &c.Message, text)
	if !w("attributes") {
		c.Attributes = nil
	}
}

func (w wardrobe) wechat(c *amconfig.WechatConfig) {
	if !w("message") {
		c.Message, c.MessageType = use("short"), "text"
	}
}

func (w wardrobe) jira(c *jira.JiraConfig) {
	w.put("summary", &c.Summary.Template, use("subject"))
	text := use("text")
	if c.APIURL != nil && strings.HasSuffix(strings.TrimRight(c.APIURL.Path, "/"), "/3") {
		text = use("jira_doc")
	}
	w.put("description", &c.Description.Template, text)
	w.put("priority", &c.Priority, jira.DefaultJiraConfig.Priority)
	if !w("labels") {
		c.Labels = nil
	}
	if !w("fields") {
		c.Fields = nil
	}
}
