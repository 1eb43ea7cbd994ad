package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/midwatch/midwatch/router"
)

// decodeAlerts reads a posted list of alerts as Alertmanager does: the same bodies are accepted, and refused with the
// same words. The alerts are as they were written: nothing is filled in, no label removed. What follows the list is
// ignored, and so are fields that nobody knows.
func decodeAlerts(body []byte) ([]*router.Alert, *fault) {
	if f := checkDepth(body); f != nil {
		return nil, f
	}
	var list []*posted
	switch err := json.NewDecoder(bytes.NewReader(body)).Decode(&list); {
	case errors.Is(err, io.EOF):
		return nil, missingBody("alerts")
	case err != nil:
		return nil, &fault{http.StatusBadRequest, fmt.Sprintf("parsing alerts body from %q failed, because %s", "", explain(body, err))}
	case len(list) > maxAlerts:
		return nil, &fault{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body holds %d alerts; at most %d are taken at once", len(list), maxAlerts)}
	}
	alerts := make([]*router.Alert, len(list))
	for i, p := range list {
		if f := p.check(i); f != nil {
			return nil, f
		}
		alerts[i] = &router.Alert{
			Labels: router.LabelsOf(p.Labels), Annotations: router.LabelsOf(p.Annotations),
			StartsAt: time.Time(p.StartsAt), EndsAt: time.Time(p.EndsAt), GeneratorURL: p.GeneratorURL,
		}
	}
	return alerts, nil
}

func missingBody(name string) *fault { return &fault{codeRequired, name + " in body is required"} }

// posted is an alert as it is written.
type posted struct {
	Annotations  map[string]string `json:"annotations"`
	EndsAt       dateTime          `json:"endsAt"`
	StartsAt     dateTime          `json:"startsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Labels       map[string]string `json:"labels"`
}

// check is what Alertmanager's schema wants of the alert at index i; one fault refuses the whole body.
func (p *posted) check(i int) *fault {
	if p == nil { // Alertmanager answers to a null by dropping the connection
		return &fault{codeRequired, fmt.Sprintf("%d in body is required", i)}
	}
	if p.GeneratorURL != "" && !validURL(p.GeneratorURL) {
		return &fault{codeInvalidType, fmt.Sprintf("%d.generatorURL in body must be of type uri: %q", i, p.GeneratorURL)}
	}
	if p.Labels == nil {
		return &fault{codeRequired, fmt.Sprintf("%d.labels in body is required", i)}
	}
	return nil
}

// validURL reports whether the text is what the schema takes for a URI.
func validURL(text string) bool {
	// A fragment is no part of a request URI and would be taken for something else.
	rest, _, _ := strings.Cut(text, "#")
	_, err := url.ParseRequestURI(rest)
	return err == nil
}

// A dateTime is a time in one of the forms that Alertmanager takes. The zone offset is kept.
type dateTime time.Time

var dateTimeForms = []string{
	"2006-01-02T15:04:05.000000Z07:00", "2006-01-02T15:04:05.000000Z0700",
	"2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.000Z0700",
	time.RFC3339, time.RFC3339Nano,
	"2006-01-02T15:04:05",
	"2006-01-02T15:04Z",
	"2006-01-02T15:04",
	"2006-01-02 15:04:05",
	"2006-01-02",
}

// UnmarshalJSON reads a string in one of the forms. null changes nothing, and "" is the Unix epoch, as upstream has it.
func (d *dateTime) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	t, err := parseDateTime(text)
	if err != nil {
		return err
	}
	*d = dateTime(t)
	return nil
}

func parseDateTime(text string) (t time.Time, err error) {
	if text == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	for _, form := range dateTimeForms {
		if t, err = time.ParseInLocation(form, text, time.UTC); err == nil {
			return t, nil
		}
	}
	return time.Time{}, err
}

// explain says why a body cannot be decoded in the very words of Alertmanager, which decodes each alert twice, into
// types that show in its messages. Only refused bodies come here.
func explain(body []byte, err error) string {
	var list upstreamAlerts
	if exact := json.NewDecoder(bytes.NewReader(body)).Decode(&list); exact != nil {
		err = exact
	}
	return inUpstreamWords(err)
}

// inUpstreamWords is why something cannot be decoded, with the types named as upstream names them.
func inUpstreamWords(err error) string {
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return err.Error()
	}
	name, ok := upstreamNames[mismatch.Type]
	if !ok {
		name = strings.Replace(mismatch.Type.String(), "api.", "models.", 1)
	}
	if mismatch.Struct != "" || mismatch.Field != "" {
		return "json: cannot unmarshal " + mismatch.Value + " into Go struct field " + mismatch.Struct + "." + mismatch.Field + " of type " + name
	}
	return "json: cannot unmarshal " + mismatch.Value + " into Go value of type " + name
}

type (
	upstreamAlerts []*upstreamAlert
	upstreamAlert  struct{}
	upstreamLabels map[string]string
	upstreamTimes  = struct {
		Annotations upstreamLabels `json:"annotations"`
		EndsAt      dateTime       `json:"endsAt"`
		StartsAt    dateTime       `json:"startsAt"`
	}
)

// UnmarshalJSON reads the alert in two goes.
func (*upstreamAlert) UnmarshalJSON(data []byte) error {
	var times upstreamTimes
	if err := json.Unmarshal(data, &times); err != nil {
		return err
	}
	type Alert struct { // messages about its fields name it
		GeneratorURL upstreamURI    `json:"generatorURL"`
		Labels       upstreamLabels `json:"labels"`
	}
	return json.Unmarshal(data, new(Alert))
}

// upstreamURI reads itself. What goes wrong there ends the decoding, and so comes before a wrong type that stands earlier.
type upstreamURI string

func (u *upstreamURI) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, (*string)(u)) }

// upstreamNames are what the types are called where the messages come from.
var upstreamNames = map[reflect.Type]string{
	reflect.TypeFor[upstreamAlerts](): "models.PostableAlerts",
	reflect.TypeFor[upstreamLabels](): "models.LabelSet",
	reflect.TypeFor[upstreamTimes](): `struct { Annotations models.LabelSet "json:\"annotations,omitempty\""; ` +
		`EndsAt strfmt.DateTime "json:\"endsAt,omitempty\""; StartsAt strfmt.DateTime "json:\"startsAt,omitempty\"" }`,
}
