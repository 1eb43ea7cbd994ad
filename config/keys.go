package config

import (
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"time"

	amtemplate "github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/oncall"
)

// Limits of what a file may ask for. They are far above use, and keep a slip of the pen from paging for a year.
const (
	MaxTargets       = 32               // of one step
	MaxSteps         = 64               // of one policy
	MaxRepeat        = 100              // further walks of the ladder; forever has no limit
	MinEscalateAfter = time.Second      // a step is attempted within a second (SPEC §5.12)
	MinAckTimeout    = 10 * time.Minute // SPEC §5; the warning comes 5 minutes before
	MinCatchAllEvery = time.Minute
)

// DefaultEscalateAfter is how long a step has where it does not say (SPEC §5).
const DefaultEscalateAfter = 5 * time.Minute

// DefaultRepeat is how many times more a ladder is walked where it does not say (SPEC §5.1).
const DefaultRepeat = 3

// integrations are Alertmanager's, by their name in a contact method; a receiver's key is name_configs.
var integrations = []string{
	"email", "slack", "webhook", "pagerduty", "opsgenie", "victorops", "pushover", "telegram", "discord", "msteams",
	"msteamsv2", "mattermost", "rocketchat", "webex", "sns", "wechat", "jira", "incidentio",
}

const namePattern = `^[A-Za-z0-9_.-]+$`

var nameRE = regexp.MustCompile(namePattern)

// Single values.
var (
	text = &scalar{what: "a text"}

	name = &scalar{what: "a name", pattern: namePattern, check: func(v string) error {
		if !nameRE.MatchString(v) {
			return fmt.Errorf("%q is not a name; use letters, digits, _ . and -", v)
		}
		return nil
	}}

	duration = &scalar{what: "a duration such as 5m", pattern: `^([0-9]+(ms|[smhdwy]))+$|^0$`, check: func(v string) error {
		_, err := parseDuration(v)
		return err
	}}

	zone = &scalar{what: "a time zone such as Europe/Lisbon", check: parseZone}

	wallTime = &scalar{what: "a local date and time such as 2026-01-05 09:00", check: func(v string) error {
		_, err := oncall.ParseCivil(v)
		return err
	}}

	turnLength = &scalar{what: "a number of hours, days, weeks or months such as 12h, 7d, 1w or 1month", pattern: `^[0-9]+(h|d|w|month)$`, check: func(v string) error {
		_, err := oncall.ParseEvery(v)
		return err
	}}

	cron = &scalar{what: `a cron expression such as "0 9 * * MON"`, check: func(v string) error {
		_, err := oncall.ParseHandoff(v)
		return err
	}}

	matcher = &scalar{what: `a matcher such as service="db"`}

	severity = words("sev1", "sev2", "sev3", "sev4", "sev5")

	severityOrTemplate = &scalar{what: "sev1 to sev5 or a template", check: func(v string) error {
		if strings.Contains(v, "{{") {
			return parseTemplate(v)
		}
		return severity.check(v)
	}}

	titleTemplate = &scalar{what: "a text, which may be a template", check: parseTemplate}
)

var unnamedRE = regexp.MustCompile(`^template: (:\d+)+: `)

func parseDuration(v string) (time.Duration, error) {
	d, err := model.ParseDuration(v)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write one such as 30s, 5m, 1h30m, 7d or 2w", v)
	}
	return time.Duration(d), nil
}

// parseTemplate checks the syntax; templates that a template calls are known only when it is used.
func parseTemplate(v string) error {
	_, err := template.New("").Funcs(template.FuncMap(amtemplate.DefaultFuncs)).Parse(v)
	if err != nil {
		return fmt.Errorf("not a template: %s; write one as in Alertmanager's receivers", unnamedRE.ReplaceAllString(err.Error(), ""))
	}
	return nil
}

func single(doc string, s *scalar) *form     { return &form{doc: doc, scalar: s} }
func listOf(doc string, f *form) *form       { return &form{doc: doc, list: f} }
func mapping(noun string, fs ...field) *form { return &form{noun: noun, fields: fs} }
func need(key string, f *form) field         { return field{key, f, true} }
func may(key string, f *form) field          { return field{key, f, false} }
func (f form) described(doc string) *form    { f.doc = doc; return &f }

// atLeastOne is a list that may not be empty; hint shows an entry.
func atLeastOne(doc, hint string, f *form) *form { return &form{doc: doc, list: f, full: hint} }

func (f form) atMost(n int) *form { f.limit = n; return &f }

// The keys of our sections: SPEC §3 to §6.
var (
	methodForm = func() *form {
		f := &form{noun: "contact method", one: true, beside: map[string]string{
			keySigning: "webhook", keySigningFile: "webhook", keyAPIURL: "pushover",
		}}
		for _, i := range integrations {
			f.fields = append(f.fields, may(i, &form{doc: "Alertmanager's " + i + " config.", opaque: true, upstream: []string{"receivers", i + "_configs"}}))
		}
		for _, i := range ownNames {
			f.fields = append(f.fields, may(i, ownMethods[i].form))
		}
		f.fields = append(f.fields,
			may(IntegrationLog, &form{doc: "A line in Midwatch's log: {}.", fields: []field{}}),
			may(IntegrationOutbox, &form{doc: "The outbox page of the demo: {}.", fields: []field{}}),
			may(keySigning, &form{doc: "Signs a webhook's messages by Standard Webhooks; a list while a secret is replaced.", scalar: signingSecret, list: single("", signingSecret)}),
			may(keySigningFile, &form{doc: "A file with it, or a list of files.", scalar: text, list: single("", text)}),
			may(keyAPIURL, single("Pushover's API; default "+notify.DefaultPushoverURL+".", webURL)))
		return f
	}()

	ruleForm = mapping("rule",
		need("via", atLeastOne("Contact methods, all at once.", "email", &form{noun: "method", scalar: name})),
		may("after", single("How long after the page; default at once.", duration)))

	absenceForm = mapping("absence",
		may("from", single("When it begins: the user's local time, or UTC without a time_zone.", wallTime)),
		may("to", single("When it ends; exclusive.", wallTime)),
		may("calendar", single("Or a shared calendar: each of its events is an absence.", name)),
		may("only_mine", single("Of the calendar only the events that name this user; default false.", boolean)),
		may("reason", single("What for; it is shown where somebody should stand in.", text)))

	userForm = mapping("user",
		need("name", single("How schedules and steps call this user.", name)),
		may("full_name", single("The name as people say it.", text)),
		may("email", single("Shorthand for contact_methods: {email: {email: {to: …}}}.", text)),
		may("time_zone", single("The zone in which this user reads times; default UTC.", zone)),
		may("calendar_names", listOf("Further names by which shared calendars know this user.", single("", text))),
		may("notices", listOf("The contact methods for what is no page: digests, shifts that come or moved. Default: mail, or the first that rings nobody. An empty list: none.", single("", name))),
		may("chat", chatIDs.described("How chat services name this user, so that it is known who speaks.")),
		may("unavailable", listOf("When this user cannot be on call; it changes no schedule and warns where they are all the same.", absenceForm)),
		may("contact_methods", &form{doc: "Ways to reach this user: a name, an integration, its config.", table: methodForm, keys: name}),
		may("notification_rules", (&form{fields: []field{
			may("high", atLeastOne("At a page of high urgency; default every contact method at once.", "{via: [email]}", ruleForm)),
			may("low", atLeastOne("At a page of low urgency; default every contact method at once.", "{via: [email]}", ruleForm)),
		}}).described("When to use which contact method.")))

	windowForm = &form{noun: "window", scalar: &scalar{what: "the name of a time interval"}, fields: []field{
		may("days", listOf("Weekdays and ranges of them, such as mon-fri.", single("", text))),
		may("from", single("A time of day, or of the week such as fri 18:00.", text)),
		may("to", single("A time of day, or of the week such as mon 09:00.", text)),
	}}

	rotationForm = mapping("rotation",
		need("users", listOf("Turns in order; a list shares one turn, nobody is an intended gap.",
			&form{noun: "turn", scalar: name, list: single("", name)})),
		need("start", single("Local wall clock; the shift that begins then is the first turn's.", wallTime)),
		may("every", single("How long a turn is: Nh, Nd, Nw or Nmonth.", turnLength)),
		may("handoff", single("Or when turns change: a cron expression of five fields.", cron)),
		may("count", single("Whether turns of days count all days or active ones.", words("calendar", "active_days"))))

	layerForm = mapping("layer",
		may("name", single("How overrides and answers call this layer.", name)),
		may("mode", single("Whether it replaces what is below or adds to it; default replace.", words("replace", "add"))),
		may("rotation", rotationForm.described("Who takes turns, and when they change.")),
		may("calendar", single("Or a shared calendar whose events say who is on call.", name)),
		may("time_zone", single("Default: the schedule's.", zone)),
		may("effective_from", single("Nobody by this layer before.", wallTime)),
		may("effective_until", single("Nobody by this layer from then on.", wallTime)),
		may("active", listOf("The union of windows; default always.", windowForm)),
		may("except", listOf("Windows in which the layer has nobody, whatever active says: holidays, for instance.", windowForm)))

	overrideForm = mapping("override",
		may("layer", single("Only this layer; default the result.", name)),
		may("replace", single("Whom, where they would be on call.", name)),
		may("with", single("Who takes their place.", name)),
		may("take", single("Who alone is on call.", name)),
		may("add", single("Who is on call too.", name)),
		may("remove", single("Who is not on call.", name)),
		need("from", single("In the schedule's zone.", wallTime)),
		need("to", single("In the schedule's zone; exclusive.", wallTime)))

	scheduleForm = mapping("schedule",
		need("name", single("How steps call this schedule.", name)),
		need("time_zone", single("The layers' default.", zone)),
		may("layers", listOf("In order; later ones win.", layerForm)),
		may("overrides", listOf("Exceptions, in order.", overrideForm)),
		may("uncovered", listOf("Windows in which nobody is meant to be on call.", windowForm)),
		may("notices", noticesForm.described("What people are told about their time on call.")))

	noticesForm = mapping("notices",
		may("before", listOf("So long before a shift begins; default not at all.", single("", duration)).atMost(maxLeads)),
		may("handoff", single("When whoever comes on call is told: where incidents are open (the default), always or never.", words("open", "always", "never"))),
		may("changes", single("Whether those are told whose coming time on call changes; default true.", boolean)))

	calendarForm = mapping("calendar",
		need("name", single("How windows, layers and absences call this calendar.", name)),
		may("file", single("An iCalendar file (.ics), relative to this file.", text)),
		may("url", single("Or the address from which it is fetched: https:// or webcal://.", text)),
		may("url_file", single("Or a file that holds the address.", text)),
		may("refresh", single("How often an address is asked again; default 15m.", duration)),
		may("time_zone", single("The zone of whole days and of times without a zone; default that of the schedule or user.", zone)))

	targetForm = &form{noun: "target", one: true, fields: []field{
		may("user", single("A user.", name)),
		may("schedule", single("Whoever is on call.", name)),
		may("receiver", single("An Alertmanager receiver: a channel, not a person.", text)),
	}}

	stepForm = mapping("step",
		need("notify", atLeastOne("Who is paged, together.", "{user: ana}", targetForm).atMost(MaxTargets)),
		may("escalate_after", single("How long this step has before the next begins; default 5m.", duration)),
		may("assign", single("All targets, or one for each incident in turn; default all.", words("all", "round_robin"))),
		may("require_acks", single("How many people must acknowledge; default 1.", integer("a number", 1, MaxTargets).or("all"))))

	hoursForm = mapping("support hours",
		need("time_zone", single("The zone of the hours.", zone)),
		need("active", atLeastOne("The union of windows.", `{days: [mon-fri], from: "09:00", to: "18:00"}`, windowForm)))

	policyForm = mapping("escalation policy",
		need("name", single("How incident_configs call this policy.", name)),
		need("steps", atLeastOne("The ladder.", "{notify: [{user: ana}]}", stepForm).atMost(MaxSteps)),
		may("repeat", single("How many times more the ladder is walked; default 3.", integer("a number", 0, MaxRepeat).or("forever"))),
		may("repeat_from", single("The number of the step where it is walked again; default 1.", integer("a step's number", 1, MaxSteps))),
		may("ack_timeout", &form{doc: "By severity: how long an acknowledgement holds.", table: single("", duration), keys: severity}),
		may("urgency", single("Which of a user's rules apply; auto: sev1 and sev2 are high.", words("high", "low", "auto", "support_hours"))),
		may("support_hours", hoursForm.described("High urgency inside, low outside; for urgency: support_hours.")),
		may("low_urgency", single("What the ladder of a low incident does; default escalate.", words("escalate", "notify_only"))))

	pagingForm = mapping("paging",
		may("catch_all", targetForm.described("Who is paged when a ladder ends.")),
		may("catch_all_every", single("And again so often, until somebody acknowledges; default 4h.", duration)),
		may("reopen_window", single("How long a closed incident is reopened rather than opened anew; default 15m.", duration)),
		may("blind", mapping("blind",
			need("escalation_policy", single("The ladder of the incident that no heartbeat is heard any more; default that of the first that fell silent.", name))).described(
			"Who is paged when all heartbeats that listen to alerts are silent at once.")),
		may("dead_man", mapping("dead man",
			may("url", single("The address that is called for as long as Midwatch is well; whoever is behind it raises the alarm when nobody calls.", text)),
			may("url_file", single("Or a file that holds the address, relative to this file.", text)),
			may("every", single("How often it is called; default 1m.", duration)),
			may("method", single("How; default GET.", words("GET", "POST", "HEAD")))).described(
			"An outside watch over Midwatch itself.")))

	heartbeatForm = mapping("heartbeat",
		need("name", single("How incidents, lists and addresses call this heartbeat.", name)),
		may("alert", atLeastOne("It is heard while an alert that all of these matchers match fires: Prometheus repeats such an alert every minute.",
			`'alertname="Watchdog"'`, &form{noun: "matcher", scalar: matcher})),
		may("ping", single("Or it is heard when its address is called; `midwatch heartbeats urls` prints it.", boolean)),
		may("ping_key", single("The secret in that address: 16 to 128 letters, digits, _ and -; default one that is derived.", text)),
		may("ping_key_file", single("Or a file that holds it, relative to this file.", text)),
		need("every", single("How often it is expected, at least.", duration)),
		may("grace", single("How late it may be; default as long as every, at most 1h.", duration)),
		need("escalation_policy", single("The ladder of its incident.", name)),
		may("severity", single("Of its incident; default sev2.", severity)),
		may("labels", &form{doc: "Labels of its incident, beside alertname, heartbeat and severity.", table: single("", text), keys: text}),
		may("annotations", &form{doc: "Annotations of its incident: summary titles it, runbook_url is linked.", table: single("", text), keys: text}),
		may("paused", single("Nobody expects it for now; default false.", boolean)))

	maintenanceForm = mapping("maintenance",
		need("name", single("How timelines and logs call these windows.", name)),
		need("matchers", atLeastOne("Alerts that all of them match are silenced.", `'service="db"'`, &form{noun: "matcher", scalar: matcher})),
		need("time_zone", single("The zone of from and to, or of cron.", zone)),
		may("from", single("The local time at which a single window begins.", wallTime)),
		may("to", single("The local time at which it ends; exclusive.", wallTime)),
		may("cron", single("When windows that recur begin: a cron expression of five fields.", cron)),
		may("for", single("How long each of them lasts, in elapsed time: 1m to 31d.", duration)),
		may("comment", single("What it is for.", text)))

	dispatchForm = mapping("dispatch",
		may("resolved_under_silence", single("Whether those who were told of an alert that resolves while it is silenced are told; default drop, as Alertmanager does.",
			words("drop", "notify"))))

	incidentForm = mapping("incident config",
		need("escalation_policy", single("The ladder.", name)),
		may("severity", single("Default: the table of severities.", severityOrTemplate)),
		may("title", single("A template; default the summary.", titleTemplate)),
		may("scope", single("One incident for each group or for each alert; default group.", words("group", "alert"))),
		may("auto_resolve", single("Whether it ends with its last firing alert; default true.", boolean)))

	sections = []field{
		may("calendars", listOf("Calendars that are kept elsewhere: holidays, absences, a rota.", calendarForm)),
		may("users", listOf("People and how to reach them.", userForm)),
		may("schedules", listOf("Who is on call when.", scheduleForm)),
		may("escalation_policies", listOf("Whom to page next.", policyForm)),
		may("paging", pagingForm.described("What holds for every ladder.")),
		may("maintenance", listOf("Silences known beforehand.", maintenanceForm)),
		may("chat", chatForm.described("How people speak back: buttons, commands, replies.")),
		may("slos", listOf("Objectives whose breaches open incidents.", sloForm)),
		may("slo_files", listOf("Files with OpenSLO v1 documents, as patterns relative to the main file.", single("", text))),
		may("heartbeats", listOf("Who is to be heard of every so often: silence is an incident.", heartbeatForm)),
		may("dispatch", dispatchForm.described("How notifications of groups are sent.")),
		may("severities", &form{doc: "The severity label to ours; default is for any other.", table: single("", severity), keys: text}),
		may("include", listOf("Files with sections of Midwatch and routes, as patterns relative to this file.", single("", text))),
	}

	receiverKeys = []field{
		may("incident_configs", listOf("Makes the receiver open incidents.", incidentForm)),
	}
)

// ours says whether a top-level key is taken out before Alertmanager's loader sees the file.
func ours(key string) bool { return sectionForm(key) != nil }

func sectionForm(key string) *form {
	for _, s := range sections {
		if s.key == key {
			return s.form
		}
	}
	return nil
}
