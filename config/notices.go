package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// Notices are what a schedule tells its people about their time on call.
type Notices struct {
	Before  []time.Duration // so long before a shift, the longest first
	Handoff string          // "open", "always" or "never"
	Changes bool            // whether those are told whose coming time on call changes
}

// maxLeads is how often somebody can be told of one shift beforehand.
const maxLeads = 4

// MaxLead is how long before a shift somebody can be told of it: what lies further ahead is not recorded as planned.
const MaxLead = 30 * 24 * time.Hour

// ticketing are the integrations by which no notice goes: each message of theirs opens an incident or a ticket.
var ticketing = []string{"pagerduty", "opsgenie", "victorops", "jira", "incidentio"}

// ringing are those by which none goes unless the user says so: nobody wants to be called for it.
var ringing = []string{"voice", "sms", "sns"}

func (l *loader) readNotices(o object) Notices {
	n := Notices{Handoff: "open", Changes: true}
	t := o.sub("notices")
	if t.node == nil {
		return n
	}
	n.Handoff = t.textOr("handoff", n.Handoff)
	n.Changes = t.boolean("changes", n.Changes)
	for _, lead := range t.texts("before") {
		d, err := parseDuration(lead.Value)
		switch {
		case err != nil: // the checker said so
		case d <= 0 || d > MaxLead:
			t.fault(lead, fmt.Sprintf("before: %s is not between 1s and 30d", lead.Value), "write such as 24h")
		case slices.Contains(n.Before, d):
			t.fault(lead, fmt.Sprintf("before has %s twice", lead.Value), "remove one")
		default:
			n.Before = append(n.Before, d)
		}
	}
	slices.SortFunc(n.Before, func(a, b time.Duration) int { return int(b - a) })
	return n
}

// noticeMethods are the contact methods by which a user takes notices: what they chose; else mail, or the first that
// rings nobody. A webhook is a program's: it is told only what it is promised, digests.
func (l *loader) noticeMethods(o object, u *User) {
	for _, n := range o.texts("notices") {
		i := slices.IndexFunc(u.Methods, func(m Method) bool { return m.Name == n.Value })
		switch {
		case i < 0:
			if o.ok {
				o.fault(n, fmt.Sprintf("notices: there is no contact method %q", n.Value), didYouMean(n.Value, methodNames(u.Methods)))
			}
		case slices.Contains(ticketing, u.Methods[i].Integration):
			o.fault(n, fmt.Sprintf("notices: %s would open an incident in %s", n.Value, u.Methods[i].Integration), "name mail or a chat")
		case slices.Contains(u.Notices, n.Value):
			o.fault(n, fmt.Sprintf("notices has %q twice", n.Value), "remove one")
		default:
			u.Notices = append(u.Notices, n.Value)
		}
	}
	if o.get("notices") != nil {
		u.Digests = u.Notices
		return
	}
	best := -1
	for i, m := range u.Methods {
		switch {
		case slices.Contains(ticketing, m.Integration), slices.Contains(ringing, m.Integration):
		case best < 0, m.Integration == "email" && u.Methods[best].Integration != "email":
			best = i
		}
	}
	if best < 0 {
		return
	}
	u.Digests = []string{u.Methods[best].Name}
	if u.Methods[best].Integration != "webhook" {
		u.Notices = u.Digests
	}
}

func methodNames(methods []Method) (names []string) {
	for _, m := range methods {
		names = append(names, m.Name)
	}
	return names
}

// aliases reads the names by which shared calendars know a user.
func (l *loader) aliases(o object, u *User) {
	for _, n := range o.texts("calendar_names") {
		u.CalendarNames = append(u.CalendarNames, n.Value)
	}
	for _, as := range append([]string{u.Name, u.FullName, u.Email}, u.CalendarNames...) {
		switch other, taken := l.called[strings.ToLower(as)]; {
		case as == "":
		case taken && other != u.Name && slices.Contains(u.CalendarNames, as):
			o.fault(o.here("calendar_names"), fmt.Sprintf("calendar_names: %q is what user %q is called, too", as, other), "choose another")
		case strings.ToLower(as) == oncall.Nobody:
			o.fault(o.here("calendar_names"), "calendar_names: nobody means an intended gap", "choose another")
		case !taken:
			l.called[strings.ToLower(as)] = u.Name
		}
	}
}
