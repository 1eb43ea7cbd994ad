//go:build linux

package integration_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// as tells the browser who looks.
func (tb *tab) as(name string) {
	tb.t.Helper()
	tb.goTo("/me")
	tb.write("#as", name)
	tb.click("text=Go on")
	tb.shows("is done as " + name + " from now on")
}

// An incident that somebody else acknowledges moves on the screen of those who look at it.
func TestIncidentsMoveLive(t *testing.T) {
	t.Parallel()
	m, _ := pages(t)
	m.fire(critical("ReplicationLag"))
	m.awaitIncident("INC-1", "its opening", func(incident) bool { return true })
	b := newBrowser(t)
	ana, bo := b.open(t, "http://"+m.addr), b.open(t, "http://"+m.addr)
	ana.goTo("/incidents")
	ana.comes("the page live", `document.getElementById("live").dataset.state === "live"`)
	ana.shows("INC-1")
	look[bool](ana, `window.still = true`)

	bo.narrow()
	bo.as("bo")
	bo.goTo("/incidents/INC-1")
	bo.click("main button[data-key=a]")
	bo.shows("acknowledged")
	ana.comes("the row, acknowledged by bo", `document.getElementById("row-INC-1").innerText.includes("acknowledged") && document.getElementById("row-INC-1").innerText.includes("bo")`)
	if !look[bool](ana, `window.still === true`) {
		t.Error("ana's page was loaded anew")
	}

	// A new one does not push away what a thumb is about to press: it is offered.
	look[bool](ana, `document.querySelector("#row-INC-1 a").focus() || true`)
	ana.press("j")
	m.fire(critical("DiskFillsUp"))
	ana.comes("the offer", `[...document.querySelectorAll("button.news")].length === 1`)
	if look[bool](ana, `!!document.getElementById("row-INC-2")`) {
		t.Error("the list moved under the hand")
	}
	ana.click("button.news")
	ana.comes("the new row", `!!document.getElementById("row-INC-2")`)
	for _, tb := range []*tab{ana, bo} {
		if said := tb.complaints(); len(said) > 0 {
			t.Errorf("the browser says: %s", strings.Join(said, "\n"))
		}
	}

	// When the daemon goes, the page says that it is stale; when it is back, that it is live.
	m.kill()
	ana.comes("the page stale", `document.getElementById("live").dataset.state === "stale" && document.getElementById("live").innerText.includes("stale")`)
}

// All can be done by the keyboard.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	m, _ := pages(t)
	m.fire(critical("ReplicationLag"))
	m.awaitIncident("INC-1", "its opening", func(incident) bool { return true })
	m.fire(critical("DiskFillsUp"))
	m.awaitIncident("INC-2", "its opening", func(incident) bool { return true })
	tb := newBrowser(t).open(t, "http://"+m.addr)
	tb.as("ana")

	// The first Tab leads past the menu to the page.
	tb.goTo("/")
	tb.press(kb.Tab)
	tb.comes("the way to the page", `document.activeElement.classList.contains("skip")`)
	tb.press(kb.Enter)
	tb.comes("the page", `location.hash === "#main"`)

	tb.press("g")
	tb.press("i")
	tb.at("/incidents")
	row := `document.querySelector("[data-row].at")`
	tb.press("j")
	tb.comes("the first row", row+` && `+row+`.id === "row-INC-2"`)
	tb.press("j")
	tb.comes("the second row", row+`.id === "row-INC-1"`)
	tb.press("k")
	tb.comes("the first row again", row+`.id === "row-INC-2"`)
	tb.press("j")
	tb.press("a")
	m.awaitIncident("INC-1", "acknowledged", func(i incident) bool { return i.AcknowledgedBy == "ana" })
	tb.comes("what was done", `!!document.getElementById("said")`)

	tb.press("?")
	tb.comes("the help", `document.querySelector("dialog[open]").innerText.includes("next, previous row")`)
	tb.press(kb.Escape)
	tb.comes("no help", `!document.querySelector("dialog")`)

	tb.press("/")
	tb.comes("the filter", `document.activeElement.matches("[data-filter]")`)
	tb.press("Disk")
	tb.comes("the one that is meant", `!!document.getElementById("row-INC-2") && !document.getElementById("row-INC-1") && location.search.includes("Disk")`)
	tb.press(kb.Escape)

	tb.press("k", chromedp.ModifierCtrl)
	tb.comes("the palette", `document.activeElement.getAttribute("aria-label") === "Command"`)
	tb.press("inc-2")
	tb.press(kb.Enter)
	tb.at("/incidents/INC-2")
	tb.press("a")
	m.awaitIncident("INC-2", "acknowledged", func(i incident) bool { return i.AcknowledgedBy == "ana" })
	tb.comes("what was done", `!!document.getElementById("said")`)
	tb.press("r")
	m.awaitIncident("INC-2", "resolved, or asked for", func(i incident) bool { return i.Status == "resolved" || tb.says("No, go back") })
	if said := tb.complaints(); len(said) > 0 {
		t.Errorf("the browser says: %s", strings.Join(said, "\n"))
	}
}

// Labels are in whatever language their writers have.
func TestLabelsOfAllLanguages(t *testing.T) {
	t.Parallel()
	m, _ := pages(t)
	odd := critical("قاعدة البيانات بطيئة")
	odd.Labels["team"] = "Överlevnad 🔥"
	odd.Labels["نظام"] = "الإنتاج"
	odd.Annotations = map[string]string{"summary": "قاعدة البيانات بطيئة جدا في node-17 (db)", "description": "צוות הלילה: " + strings.Repeat("ארוך", 60)}
	m.fire(odd)
	m.awaitIncident("INC-1", "its opening", func(incident) bool { return true })
	tb := newBrowser(t).open(t, "http://"+m.addr)
	tb.narrow()
	for _, path := range []string{"/", "/incidents", "/incidents/INC-1", "/alerts"} {
		tb.goTo(path)
		tb.shows("قاعدة البيانات بطيئة")
		for _, dark := range []bool{false, true} {
			tb.dark(dark)
			for _, b := range tb.inspect(dark) {
				t.Errorf("%s: %s", path, b)
			}
		}
		// What is written from right to left is set so, and what surrounds it is not.
		if !look[bool](tb, `[...document.querySelectorAll("main *")].some(e => e.childElementCount === 0 && /^[\u0600-\u06ff]/.test(e.textContent.trim()) && getComputedStyle(e).direction === "rtl")`) {
			t.Errorf("%s: the Arabic text does not run from right to left", path)
		}
		if !look[bool](tb, `getComputedStyle(document.body).direction === "ltr"`) {
			t.Errorf("%s: the page itself runs from right to left", path)
		}
	}
}

// The system says whether it is dark, and the pages follow.
func TestDarkBySystem(t *testing.T) {
	t.Parallel()
	m, _ := pages(t)
	tb := newBrowser(t).open(t, "http://"+m.addr)
	ground := func() string { return look[string](tb, `getComputedStyle(document.body).backgroundColor`) }
	for _, path := range []string{"/", "/ack/none"} {
		tb.goTo(path)
		tb.dark(false)
		light := ground()
		tb.dark(true)
		if dark := ground(); light != "rgb(255, 255, 255)" || dark == light {
			t.Errorf("%s: the ground is %s in light and %s in dark", path, light, dark)
		}
	}
}

// Who plans the rota gives a shift away in two taps.
func TestOverrideAShift(t *testing.T) {
	t.Parallel()
	m, _ := pages(t)
	tb := newBrowser(t).open(t, "http://"+m.addr)
	tb.as("bo")
	tb.goTo("/schedules/db-primary")
	tb.shows("db-primary", "ana")
	tb.click("text=Take over or override")
	tb.shows("Who takes db-primary?")
	tb.choose("#who", "bo")
	tb.click("text=Make this override")
	tb.at("/schedules/db-primary")
	tb.comes("bo on call now", `document.getElementById("now").innerText.includes("bo")`)
	tb.click("#said button") // undo
	tb.comes("ana on call again", `document.getElementById("now").innerText.includes("ana")`)
	if said := tb.complaints(); len(said) > 0 {
		t.Errorf("the browser says: %s", strings.Join(said, "\n"))
	}
}

// Who changes the configuration sees what it would do, while they type.
func TestConfigurationIsTriedOut(t *testing.T) {
	t.Parallel()
	m, _ := pages(t)
	m.fire(alert{Labels: map[string]string{"alertname": "SlowPayments", "service": "checkout", "severity": "critical"}})
	m.awaitIncident("INC-1", "its opening", func(incident) bool { return true })
	tb := newBrowser(t).open(t, "http://"+m.addr)
	tb.goTo("/config")
	tb.shows("Nothing is changed from here")
	text := look[string](tb, `document.getElementById("text").value`)
	if strings.Contains(text, mailPassword) || !strings.Contains(text, "smtp_auth_password: <secret>") {
		t.Errorf("the secrets are not hidden in\n%s", text)
	}
	tb.write("#text", strings.Replace(text, "receiver: checkout", "receiver: chekout", 1))
	tb.comes("the fault", `document.getElementById("verdict").innerText.includes("This file would not be taken") && document.getElementById("verdict").innerText.includes("chekout")`)
	changed := strings.Replace(text, "receiver: checkout,", "receiver: db-oncall,", 1)
	changed = strings.Replace(changed, "users: [ana]", "users: [cy]", 1)
	if changed == text {
		t.Fatalf("the text is not as the test knows it:\n%s", text)
	}
	tb.write("#text", changed)
	for _, words := range []string{"This file is good", "What would change", "db-primary", "ana", "cy", "1 alert that went to checkout (pages by checkout) would go to db-oncall (pages by db)"} {
		tb.comes(words, `document.getElementById("verdict").innerText.includes(`+quoted(words)+`)`)
	}
	tb.write("#text", text)
	tb.comes("no difference", `document.getElementById("verdict").innerText.includes("Nothing would change")`)

	// Without scripts there is a button.
	plain := newBrowser(t).open(t, "http://"+m.addr)
	plain.withoutScripts()
	plain.goTo("/config")
	plain.click("text=Check it")
	plain.shows("This file is good", "Nothing would change")
	for _, one := range []*tab{tb, plain} {
		if said := one.complaints(); len(said) > 0 {
			t.Errorf("the browser says: %s", strings.Join(said, "\n"))
		}
	}
}

// Where an alert would go is traced, and what a silence would mute is shown before it is made.
func TestTraceAndSilence(t *testing.T) {
	t.Parallel()
	m, _ := pages(t)
	m.fire(critical("ReplicationLag"))
	m.awaitIncident("INC-1", "its opening", func(incident) bool { return true })
	tb := newBrowser(t).open(t, "http://"+m.addr)
	tb.as("bo")
	tb.goTo("/routes")
	tb.write("#labels", `{alertname="SlowPayments", service="checkout", cluster="eu1", severity="critical"}`)
	tb.click("text=Trace it")
	tb.shows("This alert", "It does not fire now", "checkout", "pages by", "cy")

	tb.goTo("/silences/new")
	tb.write("#matchers", `service="db"`)
	tb.comes("the preview", `document.querySelector("main").innerText.includes("ReplicationLag")`)
	if said := m.get("/api/v2/silences"); strings.Contains(said, `"active"`) {
		t.Fatalf("the preview made a silence: %s", said)
	}
	tb.write("#comment", "the replica is rebuilt")
	tb.click("text=Silence 1 alert")
	tb.at("/silences")
	tb.shows("the replica is rebuilt", "bo")
	await(t, "the alert silenced", func() (string, bool) {
		said := m.get("/api/v2/alerts")
		return said, strings.Contains(said, `"state":"suppressed"`)
	})
	tb.click("#said button") // undo
	await(t, "the alert heard again", func() (string, bool) {
		said := m.get("/api/v2/alerts")
		return said, strings.Contains(said, `"state":"active"`)
	})
	if said := tb.complaints(); len(said) > 0 {
		t.Errorf("the browser says: %s", strings.Join(said, "\n"))
	}
}
