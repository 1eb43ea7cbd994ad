package chat

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSeenRemembersTheLatest(t *testing.T) {
	var s seen
	for i := range seenLimit {
		if !s.first(fmt.Sprint(i)) {
			t.Fatalf("%d is not new", i)
		}
	}
	if s.first("0") || s.first(fmt.Sprint(seenLimit-1)) {
		t.Error("forgot what it should know")
	}
	s.forget("5")
	if !s.first("5") { // takes the place of "0"
		t.Error("remembers what it was told to forget")
	}
	if !s.first("0") || len(s.ids) > seenLimit {
		t.Errorf("remembers %d", len(s.ids))
	}
	s.forget("never seen")
}

func TestErrorsHideSecrets(t *testing.T) {
	inner := fmt.Errorf("dial %s: %w", "secret/1", context.DeadlineExceeded)
	err := plain("telegram: getMe", &url.Error{Op: "Post", URL: "https://api.telegram.org/botsecret/1/getMe", Err: inner}, "secret/1", "")
	if err.Error() != "telegram: getMe: dial <secret>: context deadline exceeded" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := plain("x", fmt.Errorf("token=%s", url.QueryEscape("a+b/c")), "a+b/c"); strings.Contains(err.Error(), "%2B") {
		t.Errorf("got %v", err)
	}
	if plain("x", nil) != nil {
		t.Error("nil is an error")
	}
	var soon *TooSoon
	if err := plain("x", &TooSoon{Service: "slack", After: time.Minute}); !errors.As(err, &soon) {
		t.Errorf("got %v", err)
	}
}

func TestBackoffGrowsAndStops(t *testing.T) {
	var b backoff
	for i := range 100 {
		want := min(firstWait<<min(i, 10), lastWait)
		if got := b.next(); got > want || got < want*3/4-1 {
			t.Errorf("%d: %v, want up to %v", i, got, want)
		}
	}
}

// What follows a request is said even if the program ends meanwhile, for a while.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, end := context.WithCancel(t.Context())
		begin := time.Now()
		ctx, cancel := linger(parent)
		time.Sleep(3 * time.Second)
		end()
		<-ctx.Done()
		if d := time.Since(begin); d != 3*time.Second+lingerTime {
			t.Errorf("ended after %v", d)
		}
		cancel()
		ctx, cancel = linger(t.Context())
		<-ctx.Done()
		cancel()
		if d := time.Since(begin); d != 3*time.Second+lingerTime+answerTime {
			t.Errorf("ended after %v", d)
		}
	})
}

// At most crewSize requests are worked on at once; the next waits, or gives up with its caller.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, hold := newCrew(), make(chan bool)
		for range crewSize {
			c.do(t.Context(), func() { <-hold })
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if c.do(ctx, func() {}) {
			t.Error("one more than there is room for")
		}
		close(hold)
		c.wg.Wait()
		if !c.do(t.Context(), func() {}) {
			t.Error("no room though all are done")
		}
		c.wg.Wait()
	})
}

func TestWords(t *testing.T) {
	for in, want := range map[string]string{
		"a\n b\tc": "a b c", " a ": "a", "a\u202eb\u2066c": "abc", "a\x00b": "ab", "\xff": "\uFFFD", strings.Repeat("ö", 10): "öööööö…",
	} {
		if got := line(in, 16); got != want {
			t.Errorf("line(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]bool{
		"https://a.example/x?y=1": true, "http://a": true, "": false, "javascript:alert(1)": false, "https://": false, "https://a/<b>": false, "https://a/x|y": false, "ftp://a": false,
	} {
		if got := web(in); got != want {
			t.Errorf("web(%q) = %v", in, got)
		}
	}
	if got := (Person{"slack", "U1", "ana"}).String() + " " + (Person{Service: "sms", ID: "+1"}).String(); got != "slack:U1 (ana) sms:+1" {
		t.Error(got)
	}
}
