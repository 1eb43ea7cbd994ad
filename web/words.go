package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/midwatch/midwatch/excerpt"
	"github.com/midwatch/midwatch/incident"
)

// severityWords says how bad it is, so that nobody has to know our numbers or see colours.
func severityWords(severity string) string {
	words := map[string]string{"sev1": "critical", "sev2": "high", "sev3": "medium", "sev4": "low", "sev5": "notice"}
	if w, ok := words[severity]; ok {
		return fmt.Sprintf("%s severity (%s)", w, severity)
	}
	return "severity " + severity
}

func statusWords(s incident.Status) string {
	if s == incident.Triggered {
		return "triggered, nobody has it yet"
	}
	return string(s)
}

// standing is one line on how bad it is and where it stands.
func standing(i incident.Incident) string {
	s := upperFirst(severityWords(i.Severity)) + ", " + statusWords(i.Status)
	if i.Flapping {
		s += ", came back"
	}
	return s
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// viaWords says by what way somebody acted.
func viaWords(via string) string {
	switch via {
	case "":
		return ""
	case viaLink:
		return "the link in the page"
	case "api":
		return "the API"
	case viaWeb:
		return "the web"
	case "cli":
		return "the command line"
	}
	return via
}

// clock is an instant as the reader's wall clock shows it; the date is left out where it is today's.
func clock(t, now time.Time, zone *time.Location) string {
	t, now = t.In(zone), now.In(zone)
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04 MST")
	}
	return t.Format("Mon 2 Jan 15:04 MST")
}

// ago is how long since, in the two largest units that matter.
func ago(t, now time.Time) string {
	if t.After(now) {
		return "just now"
	}
	return length(now.Sub(t)) + " ago"
}

// ahead is how long until then.
func ahead(t, now time.Time) string { return "in " + length(t.Sub(now)) }

// length is a time span in the two largest units that matter.
func length(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// short is a text in so many letters.
func short(s string, most int) string { return excerpt.Letters(s, most) }

// list joins names, as far as they fit.
func list(names []string, most int) string { return short(strings.Join(names, ", "), most) }

// severityWord says how bad it is, in a word.
func severityWord(severity string) string {
	return map[string]string{"sev1": "critical", "sev2": "high", "sev3": "medium", "sev4": "low", "sev5": "notice"}[severity]
}
