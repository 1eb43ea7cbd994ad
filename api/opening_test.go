package api

import (
	"testing"
	"testing/synctest"
)

func TestAnIncidentIsOpenedByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var got Incident
		w.want(201, "POST", own+"incidents", `{"by":"ana","title":"the lights are out","severity":"sev1","to":{"user":"bo"}}`, &got)
		if got.ID != "INC-1" || got.Title != "the lights are out" || got.Severity != "sev1" || got.Status != "triggered" {
			t.Errorf("%+v", got)
		}
		w.want(200, "POST", own+"incidents/INC-1/resolve", `{"by":"bo"}`, &got)
		if got.Status != "resolved" {
			t.Errorf("%+v", got)
		}
		for field, body := range map[string]string{
			"to": `{"by":"ana","title":"x","to":{}}`, "title": `{"by":"ana","title":"","to":{"user":"bo"}}`, "by": `{"title":"x","to":{"user":"bo"}}`,
		} {
			if e := w.refused(400, "POST", own+"incidents", body); e.Field != field {
				t.Errorf("%s: %+v", body, e)
			}
		}
		if e := w.refused(400, "POST", own+"incidents", `{"by":"ana","title":"x","to":{"user":"bo","policy":"db"}}`); e.Field != "to" {
			t.Errorf("%+v", e)
		}
	})
}
