package api

import (
	"bytes"
	"encoding/json"
	"errors"
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

// FuzzBodiesAreReadAsUpstreamReadsThem compares decodeAlerts with the generated models and their validation: the same
// bodies must be accepted, with the same alerts, and the same message must go with the others.
func FuzzBodiesAreReadAsUpstreamReadsThem(f *testing.F) {
	for _, q := range conversation() {
		if q.method == "POST" {
			f.Add([]byte(q.body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if checkDepth(body) != nil || bytes.Contains(body, []byte("null")) && upstreamPanics(body) {
			return
		}
		alerts, fault := decodeAlerts(body)
		list, err := upstreamDecode(body)
		if (fault == nil) != (err == nil) {
			t.Fatalf("%q: we say %v, upstream %v", body, fault, err)
		}
		if err != nil {
			want, got := httptest.NewRecorder(), httptest.NewRecorder()
			oaerrors.ServeError(want, nil, err)
			fault.serve(got, httptest.NewRequest("POST", "/", nil))
			if transcript(got) != transcript(want) {
				t.Fatalf("%q\n got: %s\nwant: %s", body, transcript(got), transcript(want))
			}
			return
		}
		if len(list) != len(alerts) {
			t.Fatalf("%q: %d alerts, want %d", body, len(alerts), len(list))
		}
		for i, want := range list {
			got := alerts[i]
			same := got.Labels.Equal(router.LabelsOf(want.Labels)) && got.Annotations.Equal(router.LabelsOf(want.Annotations)) &&
				written(got.StartsAt) == written(time.Time(want.StartsAt)) && written(got.EndsAt) == written(time.Time(want.EndsAt)) &&
				got.GeneratorURL == string(want.GeneratorURL)
			if !same {
				t.Fatalf("%q: alert %d is %+v, want %+v", body, i, got, want)
			}
		}
	})
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
