package chat

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/excerpt"
)

// A Verb is what a person may ask for.
type Verb string

// The verbs. Each says which fields of a Command it reads.
const (
	Ack      Verb = "ack"      // Incident; Text is a note
	Resolve  Verb = "resolve"  // Incident; Text says how
	Escalate Verb = "escalate" // Incident; Text says why
	Snooze   Verb = "snooze"   // Incident, For; zero For is for the desk to choose or to refuse
	Note     Verb = "note"     // Incident, Text
	Undo     Verb = "undo"     // Incident: takes the last acknowledgement back
	Page     Verb = "page"     // User, Text; with Incident, the user is added to it
	OnCall   Verb = "oncall"   // Text: a schedule; empty is all
	Who      Verb = "who"      // Text: a schedule, policy, team or service; empty is all
	Show     Verb = "show"     // Incident; empty is every open one
	Help     Verb = "help"
)

// A Command is what somebody wrote, or a button stands for. The zero value is none.
type Command struct {
	Verb     Verb
	Incident string        // "INC-12"; empty is the only one it can be: the card's, or the person's only open one
	For      time.Duration // of a snooze; whole seconds
	User     string        // whom to page, as written; a mention of Slack's stays "<@U012ABC>"
	Text     string
}

// Limits of what is read. A command is a line; what follows it is a note that the timeline keeps.
const (
	textLimit    = 2000
	readLimit    = 16 << 10 // bytes of a message that are looked at
	snoozeLimit  = 365 * 24 * time.Hour
	incidentsMax = 9 // digits of an incident's number
)

// said maps what people write to what they mean. They write it half asleep, on a phone that likes to correct them. Words that
// begin ordinary sentences are not here: "next", "fixed", "got it".
var said = map[string]Verb{
	"ack": Ack, "acked": Ack, "acknowledge": Ack, "acknowledged": Ack, "👍": Ack, "✅": Ack, ":+1:": Ack,
	"resolve": Resolve, "resolved": Resolve, "escalate": Escalate,
	"snooze": Snooze, "note": Note, "comment": Note,
	"undo": Undo, "unack": Undo,
	"page": Page, "oncall": OnCall, "on-call": OnCall,
	"who": Who, "who's": Who, "whos": Who, "who’s": Who,
	"show": Show, "status": Show, "list": Show, "incidents": Show, "incident": Show,
	"help": Help, "?": Help, "commands": Help, "start": Help,
}

// phrases are verbs of two words.
var phrases = map[string]Verb{"on call": OnCall}

var (
	incidentText = regexp.MustCompile(`(?i)^#?(inc[-_]?)?(\d+)$`)
	durationText = regexp.MustCompile(`(?i)^(?:\d+(?:weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s))+$`)
	durationPart = regexp.MustCompile(`(?i)(\d+)([a-z]+)`)
	unitText     = regexp.MustCompile(`(?i)^(?:weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)$`)
	mention      = regexp.MustCompile(`^<@[^>\s]+>$`)
)

// fillers are words between "who" and what is asked about.
var fillers = map[string]bool{"is": true, "on": true, "call": true, "oncall": true, "on-call": true, "for": true}

// Parse reads a command: a verb, an incident where one is meant, and words, as in "ack 12", "/mw resolve INC-12 fixed it",
// "snooze 12 30m", "page ana the database is down". It is the same for every service. Case, quotes, politeness to the bot
// ("@midwatch, …"), quoted mail and signatures do not matter. ok is false where no verb leads the text; Text then holds what
// was written, without what was quoted.
func Parse(text string) (c Command, ok bool) {
	text = unquote(lines(text, readLimit))
	first, more, _ := strings.Cut(text, "\n")
	rest := strings.TrimSpace(first)

	// Whom it is said to is no part of what is said.
	for {
		word, after := next(rest)
		name := strings.TrimRight(word, ",:")
		slash := (strings.HasPrefix(name, "/") || strings.HasPrefix(name, "!")) && verbOf(name) == ""
		if !slash && !mention.MatchString(name) && !(strings.HasPrefix(name, "@") && len(name) > 1) && !isUs(name) {
			break
		}
		rest = after
	}

	verb, after := next(rest)
	c.Verb = verbOf(verb)
	if c.Verb == "" {
		second, later := next(after)
		switch id := incidentOf(verb); {
		case phrases[bare(verb)+" "+bare(second)] != "":
			c.Verb, after = phrases[bare(verb)+" "+bare(second)], later
		case id != "" && verbOf(second) != "":
			c.Verb, c.Incident, after = verbOf(second), id, later
		default:
			return Command{Text: excerpt.Bytes(strings.TrimSpace(text), textLimit)}, false
		}
	}
	c.arguments(strings.TrimSpace(after), more)
	return c, true
}

// arguments reads what follows the verb: on the same line, and below it.
func (c *Command) arguments(rest, below string) {
	switch c.Verb {
	case Help:
		return
	case OnCall, Who:
		for {
			word, after := next(rest)
			if !fillers[bare(word)] {
				break
			}
			rest = after
		}
		c.Text = line(strings.Trim(rest, " ?\"'.“”‘’"), valueLimit)
		return
	}
	if c.Incident == "" {
		c.Incident, rest = takeIncident(rest)
	}
	switch c.Verb {
	case Snooze:
		c.For, rest = takeDuration(rest, c.Incident != "")
	case Page:
		var word string
		word, rest = next(rest)
		c.User = word
		if !mention.MatchString(word) {
			c.User = strings.TrimLeft(trim(word), "@")
		}
		// "page bo 12" is as good as "page 12 bo". A number that more words follow may count disks; INC-12 is no number.
		if id, after := takeIncident(rest); c.Incident == "" && id != "" {
			if first, _ := next(rest); after == "" || strings.Trim(trim(first), "0123456789") != "" {
				c.Incident, rest = id, after
			}
		}
	}
	c.Text = excerpt.Bytes(strings.TrimSpace(strings.TrimLeft(rest+"\n"+below, " \n:,-–—")), textLimit)
}

// String writes the command so that Parse reads the same.
func (c Command) String() string {
	parts := []string{string(c.Verb)}
	for _, s := range []string{c.Incident, c.User} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if c.For > 0 {
		parts = append(parts, c.For.String())
	}
	s := strings.Join(parts, " ")
	switch {
	case c.Text == "":
		return s
	case c.Verb != Who && c.Verb != OnCall && c.ambiguous():
		return s + "\n" + c.Text
	}
	return s + " " + c.Text
}

// meant says whether a text can only be meant for us though it is addressed to nobody: in the thread below a card people talk
// with each other, and "resolve the DNS first?" must not end an incident.
func meant(text string, c Command) bool {
	head, _, _ := strings.Cut(unquote(lines(text, readLimit)), "\n")
	first, _ := next(head)
	if isUs(strings.TrimRight(first, ",:")) || strings.HasPrefix(first, "/") || strings.HasPrefix(first, "!") {
		return true
	}
	switch c.Verb {
	case Ack:
		return strings.HasPrefix(bare(first), "ack") || incidentOf(first) != "" // a thumb up may be for a colleague
	case Note:
		return c.Text != ""
	case Resolve, Escalate, Undo:
		return c.Text == ""
	case Snooze:
		return c.For > 0 && c.Text == ""
	}
	return false
}

// ambiguous says whether the text's first word would be taken for an argument if it followed on the same line.
func (c Command) ambiguous() bool {
	first, _, _ := strings.Cut(c.Text, "\n")
	id, _ := takeIncident(first)
	d, _ := takeDuration(first, c.Incident != "")
	return c.Incident == "" && id != "" || c.Verb == Snooze && c.For == 0 && d > 0 || c.Verb == Page && c.User == ""
}

// next takes the first word off a line.
func next(s string) (word, rest string) {
	s = strings.TrimSpace(s)
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return s[:i], strings.TrimSpace(s[i:])
	}
	return s, ""
}

// trim takes quotes, emphasis and punctuation off a word.
func trim(word string) string { return strings.Trim(word, "\"'“”‘’«»*_`()[].,;:!?") }

func bare(word string) string { return strings.ToLower(trim(word)) }

// verbOf knows "ACK!", "/ack" and Telegram's "/ack@our_bot".
func verbOf(word string) Verb {
	if name, ok := strings.CutPrefix(word, "/"); ok {
		word, _, _ = strings.Cut(name, "@")
	}
	word = strings.Map(func(r rune) rune {
		if r == '\uFE0F' || r >= 0x1F3FB && r <= 0x1F3FF { // an emoji's presentation and the colour of its skin
			return -1
		}
		return r
	}, word)
	if v, ok := said[strings.ToLower(word)]; ok { // as it is: an emoji's name has colons
		return v
	}
	return said[bare(word)]
}

// isUs says whether a word only calls us.
func isUs(word string) bool {
	switch strings.ToLower(word) {
	case "mw", "midwatch":
		return true
	}
	return false
}

// incidentOf reads "12", "#12", "INC-12" and "inc12" as INC-12; empty if it is none.
func incidentOf(word string) string {
	m := incidentText.FindStringSubmatch(trim(word))
	if m == nil {
		return ""
	}
	digits := strings.TrimLeft(m[2], "0")
	if digits == "" || len(digits) > incidentsMax {
		return ""
	}
	return "INC-" + digits
}

func takeIncident(s string) (id, rest string) {
	word, after := next(s)
	if bare(word) == "inc" || bare(word) == "incident" {
		number, later := next(after)
		if id := incidentOf(number); id != "" {
			return id, later
		}
	}
	if id := incidentOf(word); id != "" {
		return id, after
	}
	return "", s
}

// takeDuration reads "30m", "1h30m", "for 2 hours", and with bareNumber "30", which are minutes.
func takeDuration(s string, bareNumber bool) (time.Duration, string) {
	word, after := next(s)
	if bare(word) == "for" {
		word, after = next(after)
	}
	word = trim(word)
	if durationText.MatchString(word) {
		if d := sum(word); d > 0 {
			return d, after
		}
		return 0, s
	}
	n, err := strconv.ParseUint(word, 10, 31)
	if err != nil {
		return 0, s
	}
	if unit, later := next(after); unitText.MatchString(trim(unit)) {
		if d := sum(word + trim(unit)); d > 0 {
			return d, later
		}
		return 0, s
	}
	if d := sum(strconv.FormatUint(n, 10) + "m"); bareNumber && d > 0 {
		return d, after
	}
	return 0, s
}

// sum adds up "1h30m"; 0 if it is more than anybody snoozes.
func sum(s string) time.Duration {
	var total time.Duration
	for _, p := range durationPart.FindAllStringSubmatch(s, -1) {
		n, err := strconv.ParseUint(p[1], 10, 31)
		if err != nil {
			return 0
		}
		unit := time.Second
		switch strings.ToLower(p[2])[0] {
		case 'w':
			unit = 7 * 24 * time.Hour
		case 'd':
			unit = 24 * time.Hour
		case 'h':
			unit = time.Hour
		case 'm':
			unit = time.Minute
		}
		if time.Duration(n) > snoozeLimit/unit {
			return 0
		}
		if total += time.Duration(n) * unit; total > snoozeLimit {
			return 0
		}
	}
	return total
}
