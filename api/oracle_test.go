package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	oaerrors "github.com/go-openapi/errors"
	"github.com/go-openapi/runtime"
	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/api/v2/models"

	"github.com/midwatch/midwatch/router"
)

// FuzzBodiesAreReadAsUpstreamReadsThem compares what the API reads with the generated models and their validation: the
// same bodies must be accepted, with the same alerts, and the same message must go with the others.
func FuzzBodiesAreReadAsUpstreamReadsThem(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add(body)
	}
	for _, body := range []string{ // more than one fault: which is told
		`[{"labels":{"a":-1},"generatorURL":5}]`,
		`[{"labels":{"a":-1},"generatorURL":"x"}]`,
		`[{"generatorURL":{},"labels":[]}]`,
		`[{"labels":{"a":1},"endsAt":2}]`,
		`[{"annotations":{"a":1},"endsAt":"x","labels":{}}]`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := unlikeUpstream(body); err != nil {
			t.Fatal(err)
		}
	})
}

// unlikeUpstream says in what we read the body otherwise than upstream.
func unlikeUpstream(body []byte) error {
	if checkDepth(body) != nil || bytes.Contains(body, []byte("null")) && upstreamPanics(body) {
		return nil
	}
	alerts, fault := new(posting).decode(body)
	list, err := upstreamDecode(body)
	if (fault == nil) != (err == nil) {
		return fmt.Errorf("%q: we say %v, upstream %w", body, fault, err)
	}
	if err != nil {
		want, got := httptest.NewRecorder(), httptest.NewRecorder()
		oaerrors.ServeError(want, nil, err)
		fault.serve(got, httptest.NewRequest("POST", "/", nil))
		if transcript(got) != transcript(want) {
			return fmt.Errorf("%q\n got: %s\nwant: %s", body, transcript(got), transcript(want))
		}
		return nil
	}
	if len(list) != len(alerts) {
		return fmt.Errorf("%q: %d alerts, want %d", body, len(alerts), len(list))
	}
	for i, want := range list {
		got := alerts[i]
		same := got.Labels.Equal(router.LabelsOf(want.Labels)) && got.Annotations.Equal(router.LabelsOf(want.Annotations)) &&
			written(got.StartsAt) == written(time.Time(want.StartsAt)) && written(got.EndsAt) == written(time.Time(want.EndsAt)) &&
			got.GeneratorURL == string(want.GeneratorURL)
		if !same {
			return fmt.Errorf("%q: alert %d is %+v, want %+v", body, i, got, want)
		}
	}
	return nil
}

// written is a time with its offset, as Alertmanager would show it but whole.
func written(t time.Time) string { return t.Format(time.RFC3339Nano) }

// upstreamDecode is what the generated server does with a body.
func upstreamDecode(body []byte) (models.PostableAlerts, error) {
	var list models.PostableAlerts
	err := runtime.JSONConsumer().Consume(bytes.NewReader(body), &list)
	switch {
	case errors.Is(err, io.EOF):
		return nil, oaerrors.CompositeValidationError(oaerrors.Required("alerts", "body", ""))
	case err != nil:
		return nil, oaerrors.CompositeValidationError(oaerrors.NewParseError("alerts", "body", "", err))
	}
	if err := list.Validate(strfmt.Default); err != nil {
		return nil, oaerrors.CompositeValidationError(err)
	}
	return list, nil
}

// upstreamPanics reports whether a null stands where an alert should: upstream falls over that.
func upstreamPanics(body []byte) bool {
	var list []*json.RawMessage
	return json.NewDecoder(bytes.NewReader(body)).Decode(&list) == nil && slices.Contains(list, nil)
}

// FuzzStringsAreWrittenAsEncodingJSONDoes keeps our writer honest.
func FuzzStringsAreWrittenAsEncodingJSONDoes(f *testing.F) {
	for _, s := range []string{"", "a", "<&>", "\u2028\u2029", "\x00\x1f\x7f", "\xff\xc0\x80", "é\t\b\f\n\r\"\\/", "😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, escape := range []bool{true, false} {
			var want bytes.Buffer
			enc := json.NewEncoder(&want)
			enc.SetEscapeHTML(escape)
			if err := enc.Encode(s); err != nil {
				t.Fatal(err)
			}
			if got := appendString(nil, s, escape); string(got)+"\n" != want.String() {
				t.Fatalf("escape %v: got %s, want %s", escape, got, want.String())
			}
		}
	})
}
