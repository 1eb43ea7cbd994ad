package engine

import (
	"strings"
	"testing"
	"time"
)

func TestMemosSurviveAndGoWithTheirIncident(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "A")
	w.run(time.Minute)
	for name, value := range map[string]string{"telegram/offset": "17", "card/1/slack": "ref", "card/10/slack": "other"} {
		if a := w.turn(Remember{Name: name, Value: value})[0]; a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	w.turn(Remember{Name: "telegram/offset", Value: "18"})
	w.crash(time.Second)
	w.run(2 * time.Minute)
	if w.e.Memo("telegram/offset") != "18" || len(w.e.Memos("card/1/")) != 1 {
		t.Errorf("after a crash: %v", w.e.Memos(""))
	}
	w.resolve("alertname", "A")
	w.run(time.Hour)
	w.crash(time.Second)
	w.run(time.Hour + time.Minute)
	if got := w.e.Memos("card/"); len(got) != 1 || got["card/10/slack"] != "other" {
		t.Errorf("after the incident was over: %v", got)
	}
	w.turn(Remember{Name: "telegram/offset"})
	if got := w.e.Memo("telegram/offset"); got != "" {
		t.Errorf("forgotten, and still %q", got)
	}
	w.turn(Remember{Name: "push/cy/1", Value: "a", User: "cy", By: "ana", Text: "a browser gets pages"}, Remember{Name: "quiet", Value: "b"})
	if got := w.story(); strings.Count(got, "note") != 1 || !strings.Contains(got, "note cy ana") {
		t.Errorf("the audit log: %s", got)
	}
	refusal(t, w.turn(Remember{Name: "x", Value: strings.Repeat("x", maxMemo+1)})[0], "invalid", "", "at most 4096 bytes")
}
