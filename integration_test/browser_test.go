//go:build linux

package integration_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A screen is what a browser without JavaScript and cookies shows.
type screen struct {
	m      *midwatch
	path   string
	status int
	html   string
	header http.Header
}

// browse opens a page, and goes where the answer sends it.
func (m *midwatch) browse(method, path string, form url.Values) screen {
	m.t.Helper()
	for range 5 {
		r, err := http.NewRequest(method, "http://"+m.addr+path, strings.NewReader(form.Encode()))
		if err != nil {
			m.t.Fatal(err)
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set("Accept", "text/html")
		res, text := m.open(r)
		if res.StatusCode != http.StatusSeeOther {
			return screen{m, path, res.StatusCode, text, res.Header}
		}
		to, err := r.URL.Parse(res.Header.Get("Location"))
		if err != nil {
			m.t.Fatal(err)
		}
		method, path, form = http.MethodGet, to.RequestURI(), nil
	}
	m.t.Fatalf("%s sends the browser round in circles", path)
	return screen{}
}

func (m *midwatch) open(r *http.Request) (*http.Response, string) {
	m.t.Helper()
	res, err := web.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return res, string(text)
}

var (
	formTag  = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	fieldTag = regexp.MustCompile(`(?is)<input\b([^>]*)>|<button\b([^>]*)>(.*?)</button>`)
	anyTag   = regexp.MustCompile(`(?s)<(style|script)\b.*?</(style|script)>|<[^>]*>`)
	spaces   = regexp.MustCompile(`\s+`)
)

// attribute is the value of an attribute of a tag; "" if it has none.
func attribute(tag, name string) string {
	m := regexp.MustCompile(`(?is)\b` + name + `\s*=\s*("([^"]*)"|'([^']*)'|([^\s"'>]+))`).FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[2] + m[3] + m[4])
}

// text is what can be read on the screen.
func (s screen) text() string {
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(anyTag.ReplaceAllString(s.html, " ")), " "))
}

// A button is one that sends a form.
type button struct {
	label, method, action string
	values                url.Values
}

func (s screen) buttons() []button {
	var all []button
	for _, f := range formTag.FindAllStringSubmatch(s.html, -1) {
		values := url.Values{}
		var here []button
		for _, tag := range fieldTag.FindAllStringSubmatch(f[2], -1) {
			attributes := tag[1] + tag[2]
			b := button{label: screen{html: tag[3]}.text(), method: strings.ToUpper(attribute(f[1], "method")), action: attribute(f[1], "action"), values: url.Values{}}
			if kind := strings.ToLower(attribute(attributes, "type")); tag[1] != "" && kind != "submit" {
				values.Set(attribute(attributes, "name"), attribute(attributes, "value"))
				continue
			} else if tag[1] != "" {
				b.label = attribute(attributes, "value")
			}
			if name := attribute(attributes, "name"); name != "" {
				b.values.Set(name, attribute(attributes, "value"))
			}
			here = append(here, b)
		}
		for _, b := range here {
			for name, v := range values {
				b.values[name] = v
			}
			all = append(all, b)
		}
	}
	return all
}

// press presses the button that has the word on it, and shows what comes.
func (s screen) press(word string) screen {
	s.m.t.Helper()
	all := s.buttons()
	i := slices.IndexFunc(all, func(b button) bool { return strings.Contains(b.label, word) })
	if i < 0 {
		s.m.t.Fatalf("there is no button %q on %s, only %v; it says: %s", word, s.path, all, s.text())
	}
	base, err := url.Parse(s.path)
	if err != nil {
		s.m.t.Fatal(err)
	}
	to, err := base.Parse(all[i].action)
	if err != nil {
		s.m.t.Fatal(err)
	}
	return s.m.browse(all[i].method, to.RequestURI(), all[i].values)
}

// shows reports an error for every word that cannot be read on the screen.
func (s screen) shows(t testing.TB, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(s.text(), w) {
			t.Errorf("%s does not say %q, but: %s", s.path, w, s.text())
		}
	}
}

func TestScreensAreReadAsABrowserDoes(t *testing.T) {
	t.Parallel()
	s := screen{html: `<style>p{color:red}</style><p>INC-1 &amp; more</p>
<form method="post" action="/ack/x?undo=1"><input type="hidden" name="who" value="ana"><button name="do" value="it">Un<b>do</b></button></form>
<form method=POST><input type=submit value="Go on"></form>`}
	if got, want := s.text(), "INC-1 & more Un do"; got != want {
		t.Errorf("it reads %q, want %q", got, want)
	}
	got := s.buttons()
	want := []button{
		{"Un do", "POST", "/ack/x?undo=1", url.Values{"who": {"ana"}, "do": {"it"}}},
		{"Go on", "POST", "", url.Values{}},
	}
	if pretty(got) != pretty(want) || len(got) != 2 || got[0].label != want[0].label || got[1].label != want[1].label {
		t.Errorf("buttons %v, want %v", got, want)
	}
}
