package api

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// An inventor makes up bodies: most in the usual shape, with now and then something unusual.
type inventor struct {
	rand *rand.Rand
	out  []byte
	odd  bool // whether this body may hold anything unusual
}

func (v *inventor) IntN(n int) int { return v.rand.IntN(n) }

func (v *inventor) pick(from ...string) string { return from[v.IntN(len(from))] }

func (v *inventor) say(s string) { v.out = append(v.out, s...) }

func (v *inventor) strange(oneIn int) bool { return v.odd && v.IntN(oneIn) == 0 }

func (v *inventor) gap() {
	if v.strange(50) {
		v.say(v.pick(" ", "\n", "\t", "\r", "  \n  ", " \t\r\n", "\v", "\x00", "\u00a0", ","))
	} else if v.IntN(20) == 0 {
		v.say(v.pick(" ", "\n", "\t", "\r", "\n  "))
	}
}

func (v *inventor) body() []byte {
	v.out, v.odd = nil, v.IntN(2) == 0
	v.gap()
	v.list('[', ']', v.IntN(4), func(int) { v.alert() })
	v.gap()
	if v.strange(80) {
		v.say(v.pick("[]", "x", "{}", "]", strings.Repeat("[", 40)))
	}
	return v.out
}

func (v *inventor) list(open, end byte, n int, item func(i int)) {
	v.out = append(v.out, open)
	for i := range n {
		if i > 0 {
			v.out = append(v.out, ',')
		}
		v.gap()
		item(i)
		v.gap()
	}
	if v.strange(200) {
		v.out = append(v.out, ',')
	}
	v.out = append(v.out, end)
}

func (v *inventor) alert() {
	if v.strange(80) {
		v.say(v.pick("null", "1", `"x"`, "{}", "[]"))
		return
	}
	fields := []string{"labels", "annotations", "startsAt", "endsAt", "generatorURL", "x"}
	v.rand.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	if n := v.IntN(16); v.odd && n < len(fields) {
		fields = fields[n:]
	}
	if v.strange(40) {
		fields = append(fields, fields[0])
	}
	v.list('{', '}', len(fields), func(i int) { v.field(fields[i]) })
}

func (v *inventor) field(name string) {
	written := name
	switch {
	case name == "x":
		written = v.pick("status", "fingerprint", "updatedAt", "label", "labelss", "é", "", "startsat ")
	case v.strange(60):
		written = v.pick(strings.ToUpper(name), strings.ToLower(name), strings.ReplaceAll(name, "s", "\u017f"), name+" ")
	}
	v.string(written)
	v.gap()
	v.say(":")
	v.gap()
	if v.strange(50) {
		v.value(0)
		return
	}
	switch name {
	case "labels", "annotations":
		v.set()
	case "startsAt", "endsAt":
		v.string(v.time())
	case "generatorURL":
		v.string(v.url())
	default:
		v.value(0)
	}
}

// value is any JSON.
func (v *inventor) value(depth int) {
	switch n := v.IntN(8); {
	case n == 0 && v.odd && depth < 40:
		v.list('[', ']', v.IntN(3), func(int) { v.value(depth + 1) })
	case n == 1 && v.odd && depth < 40:
		v.list('{', '}', v.IntN(3), func(int) {
			v.string(v.text())
			v.say(":")
			v.value(depth + 1)
		})
	case n < 4 && v.odd:
		v.say(v.pick("-1", "-0", "1.5", "1e9", "01", "1e", "-", ".5", "+1", "1.", "NaN", "nul", "True", "truefalse", "12x"))
	case n < 6:
		v.say(v.pick("0", "1", "42", "9223372036854775808", "true", "false", "null"))
	default:
		v.string(v.text())
	}
}

func (v *inventor) set() {
	n := v.IntN(8)
	if v.IntN(50) == 0 {
		n = 40
	}
	v.list('{', '}', n, func(i int) {
		switch {
		case v.IntN(3) == 0:
			v.string(fmt.Sprintf("l%d", i))
		case v.strange(30):
			v.string(v.text())
		case v.strange(30):
			v.string(v.pick("alertname", "cluster"))
		default:
			v.string(v.pick("alertname", "cluster", "instance", "job", "severity", "team", "a", "b") + fmt.Sprint(i))
		}
		v.gap()
		v.say(":")
		v.gap()
		if v.strange(80) {
			v.value(0)
			return
		}
		v.string(v.text())
	})
}

func (v *inventor) text() string {
	var b strings.Builder
	for range v.IntN(5) {
		b.WriteString(v.pick("", "a", "eight888", "node-exporter", "10.0.0.1:9100", " ", "\"", "\\", "/", "\n", "\t", "\u0000", "\u001f", "\u007f",
			"\u0080", "<&>", "é", "日本語", "😀", "\u2028", "\ufffd", "\ufeff", "{{ $value }}", strings.Repeat("x", v.IntN(30))))
	}
	return b.String()
}

func (v *inventor) time() string {
	if v.strange(12) {
		return v.pick("", "2026-11-20", "2026-11-20T12:00", "2026-11-20T12:00Z", "2026-11-20T12:00:00", "2026-11-20 12:00:00", "2026-11-20T12:00:00+0200",
			"2026-11-20T12:00:00,5Z", "2026-11-20T12:00:00.Z", "2026-11-20T12:00:00.1234567890Z", "2026-11-20T12:00:00z", "2026-11-20t12:00:00Z",
			"2026-11-20T12:00:60Z", "2026-11-20T23:59:59.999999999-23:59", "2026-11-20T12:00:00+24:00", "2026-11-20T12:00:00+23:60", "0000-01-01T00:00:00Z",
			"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "2026-11-20T12:00:00.5", "2026-11-20T12:00:00 +02:00",
			"2026-1-2T3:4:5Z", "12026-11-20T12:00:00Z", "2026-11-20T12:00:00+02:00Z", "2026-11-20T12:00:00Z+02:00", "now")
	}
	month, day, hour := 1+v.IntN(12), 1+v.IntN(28), v.IntN(24)
	if v.strange(20) {
		month, day, hour = v.IntN(14), v.IntN(33), v.IntN(26)
	}
	fraction := ""
	if v.IntN(4) > 0 {
		fraction = "." + fmt.Sprintf("%09d", v.IntN(1_000_000_000))[:1+v.IntN(9)]
	}
	zone := "Z"
	if v.IntN(3) == 0 {
		zone = fmt.Sprintf("%s%02d:%02d", v.pick("+", "-"), v.IntN(16), 15*v.IntN(4))
	}
	return fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d%s%s", 1965+v.IntN(240), month, day, hour, v.IntN(60), v.IntN(60), fraction, zone)
}

func (v *inventor) url() string {
	if v.IntN(8) > 0 {
		return "http" + v.pick("", "s") + "://" + v.pick("vm", "prometheus.example.org", "10.0.0.1") + v.pick("", ":9090", ":") +
			v.pick("", "/", "/graph", "/prom/graph") + v.pick("", "?g0.expr=up+%3D%3D+0&g0.tab=1", "?", "?a=%zz")
	}
	var b strings.Builder
	for range v.IntN(9) {
		b.WriteString(v.pick("http", "https", "HTTP", "s", ":", "/", "//", "://", "?", "#", "%", "%41", "@", "[", "]", "::1", "a", "host", "9090", " ", "_", "-", ".",
			"é", "\x7f", "\n", "&", "=", ";", "*", "|", "\"", "<", "~"))
	}
	return b.String()
}

// string writes s as JSON: sometimes with escapes that it does not need.
func (v *inventor) string(s string) {
	v.say(`"`)
	eager := 0
	if v.IntN(4) == 0 {
		eager = 1 + v.IntN(5)
	}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '/' && eager > 0:
			v.say(`\` + string(r))
		case r == '\n' && v.IntN(2) == 0:
			v.say(`\n`)
		case r < ' ' || eager > 0 && v.IntN(eager) == 0:
			if r > 0xffff {
				r -= 0x10000
				v.say(fmt.Sprintf(v.pick(`\u%04x\u%04x`, `\u%04X\u%04X`), 0xd800+r>>10, 0xdc00+r&0x3ff))
				continue
			}
			v.say(fmt.Sprintf(v.pick(`\u%04x`, `\u%04X`), r))
		default:
			v.say(string(r))
		}
	}
	if v.strange(80) {
		v.say(v.pick(`\`, `\x`, `\u12g4`, `\ud800`, `\udc00\ud800`, `\ud800\u0041`, `\ud83d\`, `\'`, "\xff", "\xc3", "\xed\xa0\x80", "\n", "\x1f", `\u`, `\b\f\r\t`))
	}
	v.say(`"`)
}

// mutate breaks a body a little.
func (v *inventor) mutate(body []byte) []byte {
	for range 1 + v.IntN(2) {
		if len(body) == 0 {
			return body
		}
		at := v.IntN(len(body))
		switch v.IntN(7) {
		case 0: // a bit
			body[at] ^= 1 << v.IntN(8)
		case 1: // the end
			body = body[:at]
		case 2: // any byte
			body = append(body[:at:at], append([]byte{byte(v.IntN(256))}, body[at:]...)...)
		case 3: // a byte that means something
			body[at] = v.pick(`"`, `\`, `{`, `}`, `[`, `]`, `:`, `,`, ` `, "0", "u")[0]
		case 4: // a piece is gone
			end := min(len(body), at+1+v.IntN(8))
			body = append(body[:at:at], body[end:]...)
		case 5: // a piece twice
			end := min(len(body), at+1+v.IntN(60))
			body = append(body[:end:end], body[at:]...)
		case 6: // an escape
			body = append(body[:at:at], append([]byte(v.pick(`\u0022`, `\n`, `\ud83d\ude00`, `\\`, `\"`, "é", "\xe9")), body[at:]...)...)
		}
	}
	return body
}
