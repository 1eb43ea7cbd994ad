package api

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/midwatch/midwatch/router"
)

// query is what GET /api/v2/alerts and /alerts/groups may be asked.
type query struct {
	active, silenced, inhibited, muted bool

	labels    *router.Filter // nil: any
	receiver  *regexp.Regexp // nil: any
	receivers *router.Filter // nil: any; asked of a receiver's labels
}

// query reads the parameters. What cannot be read is answered, and ok is false.
func (a *API) query(w http.ResponseWriter, r *http.Request) (q query, ok bool) {
	v := r.URL.Query()
	q = query{
		active: flag(v, "active"), silenced: flag(v, "silenced"), inhibited: flag(v, "inhibited"), muted: flag(v, "muted"),
	}
	refuse := func(message string) (query, bool) {
		sayBare(w, r, http.StatusBadRequest, message)
		return q, false
	}
	var err error
	if q.labels, err = parseFilter(v["filter"]); err != nil {
		return refuse(err.Error())
	}
	if text := last(v, "receiver"); text != "" {
		if len(text) > maxFilterText {
			return refuse(fmt.Sprintf("failed to parse receiver param: it has %d bytes; at most %d are taken", len(text), maxFilterText))
		}
		if q.receiver, err = regexp.Compile("^(?:" + text + ")$"); err != nil {
			return refuse("failed to parse receiver param: " + err.Error())
		}
	}
	if q.receivers, err = parseFilter(v["receiver_matchers"]); err != nil {
		return refuse("failed to parse receiver_matchers param: " + err.Error())
	}
	return q, true
}

// parseFilter reads a filter, by the matcher mode of the process. The error is shown to the client.
func parseFilter(expressions []string) (*router.Filter, error) {
	if err := checkFilter(expressions); err != nil {
		return nil, err
	}
	return router.ParseFilter(expressions, "api")
}

// checkFilter refuses more than anybody asks for in earnest.
func checkFilter(expressions []string) error {
	if len(expressions) > maxFilters {
		return fmt.Errorf("%d matchers; at most %d are taken", len(expressions), maxFilters)
	}
	for _, e := range expressions {
		if len(e) > maxFilterText {
			return fmt.Errorf("a matcher of %d bytes; at most %d are taken", len(e), maxFilterText)
		}
	}
	return nil
}

func last(v url.Values, name string) string {
	if all := v[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// flag reads a boolean that is true unless told otherwise. Whatever is not one of these words is false, as upstream has
// it: active=maybe is no error.
func flag(v url.Values, name string) bool {
	switch strings.ToLower(last(v, name)) {
	case "", "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled":
		return true
	}
	return false
}

// ask is the query in the router's words.
func (a *API) ask(q *query, now time.Time) router.Ask {
	ask := router.Ask{Now: now, Labels: q.labels}
	if q.receiver != nil {
		ask.Receivers = append(ask.Receivers, q.receiver.MatchString)
	}
	if q.receivers != nil {
		labels := a.receiverLabels()
		ask.Receivers = append(ask.Receivers, func(name string) bool { return q.labelled(labels, name) })
	}
	return ask
}

// labelled reports whether a receiver's labels are asked for. One that is not configured has none, and is not.
func (q *query) labelled(labels map[string]map[string]string, name string) bool {
	set, known := labels[name]
	return known && q.receivers.Matches(func(n string) (string, bool) { v, ok := set[n]; return v, ok })
}

// pass reports whether an alert in this standing is asked for. That its group is muted does not count here.
func (q *query) pass(s *router.Sight) bool {
	quiet := len(s.SilencedBy) > 0 || len(s.InhibitedBy) > 0
	return (q.active || quiet) && (q.silenced || len(s.SilencedBy) == 0) && (q.inhibited || len(s.InhibitedBy) == 0)
}
