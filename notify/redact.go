package notify

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	commoncfg "github.com/prometheus/common/config"

	"github.com/midwatch/midwatch/excerpt"
)

// AnswerLimit is the longest Verdict.Answer, in bytes: it is shown on one line of the delivery log (SPEC §8).
const AnswerLimit = 200

// shortestSecret is what may be blotted out of an answer by its value. Blotting out "a" would leave nothing to read.
const shortestSecret = 6

var (
	// A chat's webhook URL is itself the password, and so is what stands before an @. Scheme and host are enough to
	// know whom we spoke to.
	anyURL = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/"'<>@]*@)?([^\s/"'<>?#]*)[^\s"'<>]*`)

	// "password=…", "api_key: …", "Authorization: Bearer …", in prose, JSON or a query.
	anyCredential = regexp.MustCompile(`(?i)((?:password|passwd|secret|token|api[_-]?key|routing[_-]?key|service[_-]?key|authorization|bearer|geniekey)"?\s*[=:]\s*"?)(?:(?:bearer|basic|geniekey)\s+)?[^\s"',;&]+`)
	anyBearer     = regexp.MustCompile(`(?i)\b((?:bearer|basic|geniekey)\s+)[A-Za-z0-9._~+/=-]{6,}`)
)

// answer makes a provider's words, or an error's, fit for the delivery log: one line, at most AnswerLimit bytes, valid
// UTF-8, without the given secrets, without credentials that look like some, and of URLs only scheme and host.
func answer(words string, secrets []string) string {
	for _, s := range secrets {
		words = strings.ReplaceAll(words, s, "<secret>")
	}
	words = anyURL.ReplaceAllString(words, "$1$2/…")
	words = anyCredential.ReplaceAllString(words, "$1<secret>")
	words = anyBearer.ReplaceAllString(words, "$1<secret>")
	return excerpt.Bytes(oneLine(words), AnswerLimit)
}

// oneLine joins s to a single line of valid UTF-8: runs of white space become one space, and what cannot be seen goes,
// the overrides of text direction too, by which a label could disguise what follows it. Joiners stay: Persian words and
// many emoji are made with them.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = true
			continue
		case unicode.IsControl(r), r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069':
			continue
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
	}
	return b.String()
}

// secretsOf collects the secret values an integration's config holds, longest first, so that none is left half visible.
// Those kept in files are not known here; they are blotted out by their looks only.
func secretsOf(config any) []string {
	var found []string
	visit(reflect.ValueOf(config), func(v reflect.Value) bool {
		var s string
		switch x := v.Interface().(type) {
		case commoncfg.Secret:
			s = string(x)
		case amcommoncfg.SecretTemplateURL:
			s = string(x)
		case amcommoncfg.SecretURL:
			if x.URL != nil {
				s = x.URL.String()
			}
		default:
			return true
		}
		if len(s) >= shortestSecret {
			found = append(found, s)
		}
		return false
	})
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(found)
}

// visit calls do for v and all that hangs on it, exported fields only, until do says not to go deeper.
func visit(v reflect.Value, do func(reflect.Value) bool) {
	if !v.IsValid() || !v.CanInterface() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			visit(v.Elem(), do)
		}
		return
	}
	if !do(v) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			visit(v.Field(i), do)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			visit(v.Index(i), do)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			visit(it.Key(), do)
			visit(it.Value(), do)
		}
	}
}
