package notify

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// Every kind of message, as it is read: in plain text, in a mail, and in the dialects of the chats.
func TestEveryMessageAsItIsRead(t *testing.T) {
	external := &url.URL{Scheme: "https", Host: "midwatch.example.org"}
	for name, m := range stories() {
		t.Run(name, func(t *testing.T) {
			f, err := forms(m, external)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "pages/"+name+".txt", "Subject: "+f["subject"]+"\n\n"+f["text"]+"\n")
			golden(t, "pages/"+name+".html", f["html"])
			var b strings.Builder
			for _, form := range []string{"short", "pushover", "slack", "telegram", "markdown", "subject_ascii"} {
				b.WriteString("--- " + form + "\n" + f[form] + "\n")
			}
			golden(t, "pages/"+name+".chat", b.String())
		})
	}
}

// A phone shows three lines: what is broken, how bad and since when, and the link.
func TestThreeLinesAreEnough(t *testing.T) {
	lines := strings.Split(Text(lag()), "\n")
	want := []string{
		"Replication lag",
		"INC-1, sev2, since Sun 23 Nov 04:00 CET (03:00 UTC), for 5m30s",
		"Acknowledge: https://midwatch.example.org/ack/AQx5hT0",
	}
	for i, w := range want {
		if lines[i] != w {
			t.Errorf("line %d is %q, want %q", i+1, lines[i], w)
		}
	}
}

func TestHundredAlertsAreTenAndNinetyMore(t *testing.T) {
	text := Text(stories()["hundred"])
	if n := strings.Count(text, "•"); n != 10 {
		t.Errorf("%d alerts shown, want 10", n)
	}
	if !strings.Contains(text, "100 alerts firing") || !strings.HasSuffix(text, "\nand 90 more") {
		t.Errorf("the rest is not counted:\n%s", text)
	}
}

// Whatever an alert says, no form outgrows its service, breaks its markup or loses its link.
func TestFormsKeepTheirLimits(t *testing.T) {
	long := strings.Repeat("ü & <b>*😀* ", 4000)
	m := with(stories()["hundred"], func(m *Message) {
		m.Page.Title, m.Page.Reason, m.Page.NextWho, m.Page.RunbookURL = long, long, long, "https://example.org/"+strings.Repeat("x", 5000)
		m.Page.AlsoPaged = []string{long, long, long, long, long, long, long, long}
		for i := range m.Alerts {
			m.Alerts[i].Annotations = map[string]string{"summary": long}
			m.Alerts[i].Labels = map[string]string{"alertname": long, "a": long, "b": long}
		}
	})
	f, err := forms(m, &url.URL{})
	if err != nil {
		t.Fatal(err)
	}
	for form, limit := range map[string]int{
		"telegram": 4096, "markdown": 4096, "webex": 7439, "slack": 3000, "short": 1600, "pushover": 1024, "text": 32_000,
		"subject_ascii": 99, "subject": 250, "html": 40_000,
	} {
		if len(f[form]) > limit || len(f[form]) < 50 {
			t.Errorf("%s has %d bytes, the limit is %d", form, len(f[form]), limit)
		}
		if !utf8.ValidString(f[form]) {
			t.Errorf("%s is not UTF-8", form)
		}
	}
	for _, form := range []string{"telegram", "markdown", "slack", "short", "text", "html"} {
		if !strings.Contains(f[form], m.Page.AckURL) {
			t.Errorf("%s lost the link to acknowledge", form)
		}
	}
	if open, closed := strings.Count(f["telegram"], "<b>"), strings.Count(f["telegram"], "</b>"); open != closed {
		t.Errorf("telegram: %d <b> and %d </b>", open, closed)
	}
}

// Labels come from whoever writes alerts. They may not become markup, links, headers or pings.
func TestLabelsStayText(t *testing.T) {
	f, err := forms(stories()["hostile"], &url.URL{})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(f["html"]))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "img") {
			t.Errorf("the mail has a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "href" && !strings.HasPrefix(a.Val, "https://midwatch.example.org/") {
				t.Errorf("the mail links to %q", a.Val)
			}
		}
	}
	for form, text := range f {
		if form == "html" || form == "title" || form == "reason" || form == "runbook_url" {
			continue
		}
		if strings.ContainsAny(text, "\x00\r\u202E") {
			t.Errorf("%s holds what cannot be seen: %q", form, text)
		}
	}
	for _, form := range []string{"slack", "markdown", "subject_chat"} {
		if strings.Contains(f[form], "@everyone") {
			t.Errorf("%s wakes everyone", form)
		}
	}
	if strings.Contains(f["subject"], "\n") {
		t.Errorf("the subject has two lines: %q", f["subject"])
	}
	if strings.Contains(f["markdown"], "[x](http://evil)") || strings.Contains(f["telegram"], "<script>") || strings.Contains(f["slack"], "<script>") {
		t.Error("a title became markup")
	}
}

func TestJiraDocumentIsJSONWithLinks(t *testing.T) {
	var doc struct {
		Type    string
		Content []struct {
			Content []struct {
				Text  string
				Marks []struct{ Attrs struct{ Href string } }
			}
		}
	}
	if err := json.Unmarshal([]byte(jiraDocument(Text(lag()))), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Type != "doc" || doc.Content[0].Content[0].Text != "Replication lag" {
		t.Errorf("not a document: %+v", doc)
	}
	if got := doc.Content[2].Content[1].Marks[0].Attrs.Href; got != lag().Page.AckURL {
		t.Errorf("links to %q", got)
	}
}

func TestTimesInThePersonsZoneAndInUTC(t *testing.T) {
	for _, c := range []struct{ zone, want string }{
		{"Europe/Stockholm", "Sun 23 Nov 01:30 CET (00:30 UTC)"},
		{"America/New_York", "Sat 22 Nov 19:30 EST (Sun 23 Nov 00:30 UTC)"},
		{"Asia/Kolkata", "Sun 23 Nov 06:00 IST (00:30 UTC)"},
		{"America/Sao_Paulo", "Sat 22 Nov 21:30 -03 (Sun 23 Nov 00:30 UTC)"},
		{"UTC", "Sun 23 Nov 00:30 UTC"},
		{"", "Sun 23 Nov 00:30 UTC"},
		{"Mars/Olympus", "Sun 23 Nov 00:30 UTC"},
	} {
		if got := instant(at("00:30:00"), zoneOf(c.zone)); got != c.want {
			t.Errorf("%s: %q, want %q", c.zone, got, c.want)
		}
	}
	stockholm := zoneOf("Europe/Stockholm")
	if got, want := clock(at("04:15:00"), at("03:00:00"), stockholm), "05:15 CET (04:15 UTC)"; got != want {
		t.Errorf("the same day: %q, want %q", got, want)
	}
	if got, want := clock(at("23:30:00"), at("03:00:00"), stockholm), "Mon 24 Nov 00:30 CET (Sun 23 Nov 23:30 UTC)"; got != want {
		t.Errorf("the next day: %q, want %q", got, want)
	}
}

func TestLasting(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", 999 * time.Millisecond: "", 45 * time.Second: "45s", 5*time.Minute + 30*time.Second: "5m30s", time.Hour: "1h",
		2*time.Hour + 5*time.Minute + 40*time.Second: "2h5m", 76 * time.Hour: "3d4h", -time.Hour: "",
	} {
		if got := lasting(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestEnumerate(t *testing.T) {
	for want, names := range map[string][]string{
		"": nil, "ana": {"ana"}, "ana and bo": {"ana", "bo"}, "ana, bo and cy": {"ana", "bo", "cy"},
		"ana, bo, cy and 2 more": {"ana", "bo", "cy", "di", "eva"},
	} {
		if got := enumerate(names, 3); got != want {
			t.Errorf("%v: %q, want %q", names, got, want)
		}
	}
}

// An unknown severity counts as sev2: better to wake somebody. What is no page wakes nobody.
func TestProvidersScales(t *testing.T) {
	for severity, want := range map[string]string{"sev1": "1", "sev2": "2", "sev3": "3", "sev4": "4", "sev5": "5", "": "2", "P1": "2"} {
		m := with(lag(), func(m *Message) { m.Page.Severity = severity })
		if got := level(m, "1", "2", "3", "4", "5"); got != want {
			t.Errorf("%q: %s, want %s", severity, got, want)
		}
	}
	if got := level(stories()["bundle"], "1", "2", "3", "4", "5"); got != "1" {
		t.Errorf("a bundle is as bad as its worst: %s", got)
	}
	if got := level(stories()["resolved"], "1", "2", "3", "4", "5"); got != "4" {
		t.Errorf("resolved: %s", got)
	}
}
