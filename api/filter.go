package api

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/midwatch/midwatch/router"
)

// A Matcher reports whether labels match; value looks one up. It is made once for a query, and asked from one goroutine.
type Matcher func(value func(name string) (string, bool)) bool

// matchAll is the Matcher of no filter.
func matchAll(func(string) (string, bool)) bool { return true }

// query is what GET /api/v2/alerts and /alerts/groups may be asked.
type query struct {
	active, silenced, inhibited, muted bool

	labels    Matcher
	receiver  *regexp.Regexp // nil: any
	receivers Matcher        // nil: any; asked of a receiver's labels
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
	if q.labels, err = a.matcher(v["filter"]); err != nil {
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
	if q.receivers, err = a.receiverMatcher(v); err != nil {
		return refuse("failed to parse receiver_matchers param: " + err.Error())
	}
	return q, true
}

func (a *API) receiverMatcher(v url.Values) (Matcher, error) {
	if len(v["receiver_matchers"]) == 0 {
		return nil, nil //nolint:nilnil // no such filter is not an error
	}
	return a.matcher(v["receiver_matchers"])
}

func (a *API) matcher(expressions []string) (Matcher, error) {
	if len(expressions) == 0 {
		return matchAll, nil
	}
	if err := checkFilter(expressions); err != nil {
		return nil, err
	}
	return a.o.ParseFilter(expressions)
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

// receiversPass reports whether one of the alert's receivers is asked for by name, and one by its labels.
func (q *query) receiversPass(names []string, labels map[string]map[string]string) bool {
	if q.receiver != nil && !slices.ContainsFunc(names, q.receiver.MatchString) {
		return false
	}
	return q.receivers == nil || slices.ContainsFunc(names, func(name string) bool { return q.labelled(labels, name) })
}

// labelled reports whether a receiver's labels are asked for. One that is not configured has none, and is not.
func (q *query) labelled(labels map[string]map[string]string, name string) bool {
	set, known := labels[name]
	return known && q.receivers(func(n string) (string, bool) { v, ok := set[n]; return v, ok })
}

// lookup lets a Matcher look at an alert's labels. No alert label is empty, so an empty one is absent.
func lookup(l *router.Labels) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v := l.Get(name)
		return v, v != ""
	}
}
