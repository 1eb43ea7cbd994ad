package api

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
)

func TestBrowsersAreListedInvitedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := Browser{ID: "a1", User: "ana", Agent: "Firefox on Android", Service: "push.example.org", CreatedBy: "bo", CreatedAt: time.Now().UTC()}
		var done []string
		w := start(t, func(o *Options) {
			o.Push = &Pushing{
				Link: func(user, by string) (PushLink, error) {
					if user == "cy" {
						return PushLink{}, &engine.Error{Code: "conflict", Field: "name", Message: "cy has no contact method web_push"}
					}
					return PushLink{User: user, URL: "https://m.example.org/push/" + by, ExpiresAt: time.Now().UTC()}, nil
				},
				Browsers: func(user string) ([]Browser, error) {
					if user == "ana" {
						return []Browser{one}, nil
					}
					return nil, nil
				},
				Forget: func(_ context.Context, user, id, by string) (Browser, error) {
					if id != "a1" {
						return Browser{}, &engine.Error{Code: "not_found", Field: "id", Message: "no such browser"}
					}
					done = append(done, user+" "+id+" "+by)
					return one, engine.ErrUnsaved
				},
			}
		})
		var all Browsers
		if w.want(200, "GET", own+"users/ana/browsers", "", &all); fmt.Sprint(all.Browsers) != fmt.Sprint([]Browser{one}) {
			t.Errorf("%+v", all)
		}
		if w.want(200, "GET", own+"users/bo/browsers", "", &all); all.Browsers == nil || len(all.Browsers) != 0 {
			t.Errorf("%+v", all)
		}
		var link PushLink
		if w.want(201, "POST", own+"users/ana/push-link", `{"by":"bo"}`, &link); link.URL != "https://m.example.org/push/bo" || link.User != "ana" {
			t.Errorf("%+v", link)
		}
		var gone Browser
		if w.want(202, "DELETE", own+"users/ana/browsers/a1?by=bo", "", &gone); gone.ID != "a1" || gone.Warning == "" || fmt.Sprint(done) != "[ana a1 bo]" {
			t.Errorf("%+v after %v", gone, done)
		}
		for _, c := range []struct {
			status             int
			method, path, body string
			field              string
		}{
			{404, "GET", "users/zoe/browsers", "", "name"},
			{400, "GET", "users/ana/browsers?x=1", "", "x"},
			{400, "DELETE", "users/ana/browsers/a1", "", "by"},
			{404, "DELETE", "users/ana/browsers/b2?by=bo", "", "id"},
			{404, "DELETE", "users/zoe/browsers/a1?by=bo", "", "name"},
			{400, "POST", "users/ana/push-link", "{}", "by"},
			{400, "POST", "users/ana/push-link", `{"by":"bo","for":"1h"}`, "for"},
			{404, "POST", "users/zoe/push-link", `{"by":"bo"}`, "name"},
			{409, "POST", "users/cy/push-link", `{"by":"bo"}`, "name"},
		} {
			if e := w.refused(c.status, c.method, own+c.path, c.body); e.Field != c.field {
				t.Errorf("%s %s %s: %+v", c.method, c.path, c.body, e)
			}
		}
		if got := loggable("/push/secret/test"); got != "/push/{token}" {
			t.Errorf("the log would have %s", got)
		}
	})
}

func TestWithoutWebPushThereAreNoBrowsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.refused(404, "GET", own+"users/ana/browsers", "")
		w.refused(404, "POST", own+"users/ana/push-link", `{"by":"bo"}`)
		w.refused(404, "DELETE", own+"users/ana/browsers/a1?by=bo", "")
	})
}
