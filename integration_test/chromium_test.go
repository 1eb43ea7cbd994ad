//go:build linux

package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A browser is a Chromium of this test, which ends with it.
type browser struct {
	t   testing.TB
	ctx context.Context
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("there is no chromium; integration_test/setup.sh installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // the tests may run as root
		chromedp.DisableGPU,
		chromedp.Flag("lang", "en-GB"),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Env("TZ=UTC"), // what a page shows by the reader's zone
	)
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium does not start: %s", err)
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("chromium ended badly: %s", err)
		}
	})
	return &browser{t, ctx}
}

// A tab is one page that somebody looks at.
type tab struct {
	t    testing.TB
	ctx  context.Context
	base string // what paths are relative to: http://127.0.0.1:1234

	mu       sync.Mutex
	problems []string // what the browser complained of
}

// open opens an empty tab, with cookies of its own: that of another reader.
func (b *browser) open(t testing.TB, base string) *tab {
	t.Helper()
	tb := &tab{t: t, base: strings.TrimSuffix(base, "/")}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(tb.listen))
	tb.ctx = ctx
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("a tab: %s", err)
	}
	tb.wide()
	return tb
}

// listen keeps what the browser complains of: errors in the console, what the Content-Security-Policy blocked, files that
// are missing, and scripts that failed.
func (tb *tab) listen(event any) {
	var said string
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		if e.Entry.Level != cdplog.EntryLevelError && e.Entry.Level != cdplog.EntryLevelWarning {
			return
		}
		said = fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError && e.Type != runtime.ConsoleAPICalledTypeWarning {
			return
		}
		said = "console:"
		for _, a := range e.Args {
			said += " " + string(a.Value) + a.Description
		}
	case *runtime.EventExceptionThrown:
		said = "script: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			said += " " + x.Description
		}
	default:
		return
	}
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.problems = append(tb.problems, said)
}

// complaints returns what the browser complained of since it was asked last.
func (tb *tab) complaints() []string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	all := tb.problems
	tb.problems = nil
	return all
}

// do runs what must work, within the patience that all have here.
func (tb *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tb.t.Fatalf("%s: %s", what, err)
	}
}

// protocol is one command of the protocol.
func protocol[P, R any](c cdp.Command[P, R], p P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, p)
		return err
	})
}

// narrow is a phone, held upright; wide is a desktop.
func (tb *tab) narrow() { tb.t.Helper(); tb.size(360, 800, true) }
func (tb *tab) wide()   { tb.t.Helper(); tb.size(1280, 900, false) }

func (tb *tab) size(width, height int64, mobile bool) {
	tb.t.Helper()
	tb.do("a window's size", protocol(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: mobile,
	}))
}

// dark is what the system prefers.
func (tb *tab) dark(yes bool) {
	tb.t.Helper()
	scheme := "light"
	if yes {
		scheme = "dark"
	}
	tb.do("the colours", protocol(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}))
}

// withoutScripts turns JavaScript off.
func (tb *tab) withoutScripts() {
	tb.t.Helper()
	tb.do("no scripts", protocol(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
}

// goTo opens a page and waits until it is loaded.
func (tb *tab) goTo(path string) {
	tb.t.Helper()
	to := path
	if !strings.Contains(path, "://") {
		to = tb.base + path
	}
	tb.do("opening "+path, chromedp.Navigate(to))
}

// path is where the tab is, with its query.
func (tb *tab) path() string {
	tb.t.Helper()
	u, err := url.Parse(look[string](tb, `location.href`))
	if err != nil {
		tb.t.Fatal(err)
	}
	return u.RequestURI()
}

// look evaluates an expression in the page. What the page's own scripts may do does not matter to it.
func look[T any](tb *tab, script string) T {
	tb.t.Helper()
	v, err := tryLook[T](tb, script)
	if err != nil {
		tb.t.Fatalf("%s: %s", script, err)
	}
	return v
}

func tryLook[T any](tb *tab, script string) (T, error) {
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// comes waits until an expression is true; a page that is just being left is asked again.
func (tb *tab) comes(what, script string) {
	tb.t.Helper()
	await(tb.t, what, func() (string, bool) {
		there, err := tryLook[bool](tb, script)
		if err != nil {
			return err.Error(), false
		}
		if there {
			return "", true
		}
		at, _ := tryLook[string](tb, `location.pathname + location.search + ": " + document.body.innerText.slice(0, 4000)`)
		return at, false
	})
}

// shows waits until all the words can be read on the page.
func (tb *tab) shows(words ...string) {
	tb.t.Helper()
	for _, w := range words {
		tb.comes(fmt.Sprintf("%q on the page", w), `document.readyState === "complete" && document.body.innerText.includes(`+quoted(w)+`)`)
	}
}

// says reports whether the words can be read on the page now.
func (tb *tab) says(words string) bool {
	tb.t.Helper()
	return look[bool](tb, `!!document.body && document.body.innerText.includes(`+quoted(words)+`)`)
}

// at waits until the tab is on a page whose path begins so.
func (tb *tab) at(path string) {
	tb.t.Helper()
	tb.comes("the page "+path, `document.readyState === "complete" && (location.pathname + location.search).startsWith(`+quoted(path)+`)`)
}

// find is a script that finds the first visible element: by CSS, or by the words on a link or button, "text=Acknowledge".
func find(target string) string {
	words, byText := strings.CutPrefix(target, "text=")
	if !byText {
		return `[...document.querySelectorAll(` + quoted(target) + `)].find(e => e.getClientRects().length)`
	}
	return `[...document.querySelectorAll("a,button,summary,label")].find(e => e.getClientRects().length && e.innerText.includes(` + quoted(words) + `))`
}

// click presses the middle of what is found, as a finger does: what lies over it gets the press, so nothing may.
func (tb *tab) click(target string) {
	tb.t.Helper()
	tb.comes("what can be pressed: "+target, `document.readyState === "complete" && !!(`+find(target)+`)`)
	type point struct{ X, Y float64 }
	var at point
	await(tb.t, "nothing over "+target, func() (string, bool) {
		text, err := tryLook[string](tb, `(() => {
			const e = `+find(target)+`;
			if (!e) return JSON.stringify({over: "gone"});
			e.scrollIntoView({block: "center", behavior: "instant"});
			const r = e.getClientRects()[0], x = r.x + r.width / 2, y = r.y + r.height / 2, top = document.elementFromPoint(x, y);
			if (!top || !(e.contains(top) || top.contains(e))) return JSON.stringify({over: top ? top.outerHTML.slice(0, 200) : "outside"});
			return JSON.stringify({x, y});
		})()`)
		if err != nil {
			return err.Error(), false
		}
		var found struct {
			point
			Over string
		}
		if err := json.Unmarshal([]byte(text), &found); err != nil {
			return text, false
		}
		at = found.point
		return found.Over, found.Over == ""
	})
	mouse := func(kind input.DispatchMouseEventType) chromedp.Action[chromedp.Void] {
		return chromedp.MouseEvent(kind, at.X, at.Y, chromedp.ButtonLeft, chromedp.ClickCount(1))
	}
	tb.do("pressing "+target, mouse(input.DispatchMouseEventTypeMousePressed), mouse(input.DispatchMouseEventTypeMouseReleased))
}

// press presses keys, one after the other, on a page that is ready.
func (tb *tab) press(keys string, modifiers ...chromedp.Modifier) {
	tb.t.Helper()
	tb.comes("a page that is ready", `document.readyState === "complete"`)
	var held int64
	for _, m := range modifiers {
		held |= int64(m)
	}
	for _, key := range keys {
		// A key that a page takes for itself writes nothing: so what it would write goes with its press, as on a keyboard.
		events := kb.Encode(key)
		down, up := events[0], events[len(events)-1]
		if len(events) == 3 && held == 0 {
			down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		}
		for _, e := range []*input.DispatchKeyEventParams{down, up} {
			e.Modifiers |= held
			tb.do("the key "+string(key), protocol(input.DispatchKeyEvent, *e))
		}
	}
}

// write puts the text into a field, in place of what was there, as typing does.
func (tb *tab) write(field, text string) {
	tb.t.Helper()
	tb.comes("the field "+field, `!!(`+find(field)+`)`)
	look[bool](tb, `(() => { const e = `+find(field)+`; e.focus(); e.select && e.select(); return true; })()`)
	tb.do("writing into "+field, protocol(input.InsertText, input.InsertTextParams{Text: text}))
}

// choose sets a select, or a field of a kind that is not typed into, such as a date.
func (tb *tab) choose(field, value string) {
	tb.t.Helper()
	tb.comes("the field "+field, `!!(`+find(field)+`)`)
	look[bool](tb, `(() => {
		const e = `+find(field)+`;
		e.value = `+quoted(value)+`;
		e.dispatchEvent(new Event("input", {bubbles: true}));
		e.dispatchEvent(new Event("change", {bubbles: true}));
		return e.value === `+quoted(value)+`;
	})()`)
}

// picture is what can be seen, as WebP of at most so many bytes.
func (tb *tab) picture(most int) []byte {
	tb.t.Helper()
	var data []byte
	for quality := int64(80); quality > 0; quality -= 15 {
		tb.do("a picture", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			r, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
			data = r.Data
			return err
		}))
		if len(data) <= most {
			return data
		}
	}
	tb.t.Errorf("%s: a picture of it has %d bytes, more than %d", tb.path(), len(data), most)
	return data
}

// quoted is a text for a script.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is a string
	}
	return string(text)
}
