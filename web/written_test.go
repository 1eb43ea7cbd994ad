package web

import (
	"strings"
	"testing"
)

func TestWhatPeopleWriteIsShownSafely(t *testing.T) {
	for text, want := range map[string]string{
		"restart **db-2**\nthen wait":                  "<p>restart <strong>db-2</strong><br>\nthen wait</p>",
		"# Runbook":                                    "<p><strong>Runbook</strong></p>",
		"see https://wiki.example.org/lag":             `<p>see <a href="https://wiki.example.org/lag" rel="nofollow noreferrer">https://wiki.example.org/lag</a></p>`,
		"![graph](https://evil.example/x.png)":         `<p><a href="https://evil.example/x.png" rel="nofollow noreferrer">graph</a></p>`,
		"[press](javascript:alert(1))":                 "<p>press</p>",
		"[home](../silences)":                          "<p>home</p>",
		"<script>alert(1)</script><b>bold</b>":         "<p>&lt;script&gt;alert(1)&lt;/script&gt;&lt;b&gt;bold&lt;/b&gt;</p>",
		"<img src=x onerror=alert(1)> & \n\n<div":      "<p>&lt;img src=x onerror=alert(1)&gt; &amp;</p>\n<p>&lt;div</p>",
		"`rm -rf`\n\n- one\n- two":                     "<p><code>rm -rf</code></p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>",
		"Röksignal på åäö, صباح الخير, 🔥 <3 \"x\" & y": "<p>Röksignal på åäö, صباح الخير, 🔥 &lt;3 &#34;x&#34; &amp; y</p>",
	} {
		if got := strings.TrimSpace(string(marked(text, 1000))); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	if got := string(marked(strings.Repeat("ä", 50), 10)); got != "<p>äääääääää…</p>\n" {
		t.Errorf("a long text is %q", got)
	}
}
