package notify

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"pgregory.net/rapid"
)

func b64(t interface{ Fatal(...any) }, text string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unseal is the receiving side, written down from RFC 8291 §3.4 and RFC 8188 §2 with HMAC alone, so that it shares nothing with seal.
func unseal(sealed []byte, private *ecdh.PrivateKey, auth []byte) ([]byte, error) {
	if len(sealed) < 21+65 || sealed[20] != 65 {
		return nil, errors.New("the header is short, or has no point in it")
	}
	mac := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	salt, size, sender, record := sealed[:16], binary.BigEndian.Uint32(sealed[16:20]), sealed[21:86], sealed[86:]
	if uint32(len(record)) > size {
		return nil, fmt.Errorf("the record has %d bytes of %d", len(record), size)
	}
	public, err := ecdh.P256().NewPublicKey(sender)
	if err != nil {
		return nil, err
	}
	shared, err := private.ECDH(public)
	if err != nil {
		return nil, err
	}
	one := []byte{1}
	keyPRK := mac(auth, shared)
	ikm := mac(keyPRK, []byte("WebPush: info\x00"), private.PublicKey().Bytes(), sender, one)
	prk := mac(salt, ikm)
	cek := mac(prk, []byte("Content-Encoding: aes128gcm\x00"), one)[:16]
	nonce := mac(prk, []byte("Content-Encoding: nonce\x00"), one)[:12]
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, record, nil)
	if err != nil {
		return nil, err
	}
	plain = bytes.TrimRight(plain, "\x00")
	if len(plain) == 0 || plain[len(plain)-1] != 2 {
		return nil, errors.New("the last record does not end with 2")
	}
	return plain[:len(plain)-1], nil
}

// The example of RFC 8291, appendix A.
func TestSealByTheRFCsExample(t *testing.T) {
	ours, err := ecdh.P256().NewPrivateKey(b64(t, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	b := Browser{
		Key:  b64(t, "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
		Auth: b64(t, "BTBZMqHH6r4Tts7J_aSIgg"),
	}
	const plain = "When I grow up, I want to be a watermelon"
	sealed, err := sealWith([]byte(plain), b, ours, b64(t, "DGv6ra1nlYgDCS1FRnbzlw"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_" +
		"yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	if got := base64.RawURLEncoding.EncodeToString(sealed); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	theirs, err := ecdh.P256().NewPrivateKey(b64(t, "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unseal(sealed, theirs, b.Auth); err != nil || string(got) != plain {
		t.Errorf("opened: %q %v", got, err)
	}
}

// Whatever is sealed is opened by whom it is for and by nobody else, and no two seals are alike.
func TestSealProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		theirs, b := browserOf(t, rapid.Uint8().Draw(t, "browser"))
		other, _ := browserOf(t, 255-rapid.Uint8Range(0, 100).Draw(t, "other")/2)
		plain := rapid.SliceOfN(rapid.Byte(), 0, maxPush).Draw(t, "plain")
		one, err := seal(plain, b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unseal(one, theirs, b.Auth); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %x, %v", got, err)
		}
		if len(one) > pushRecord {
			t.Fatalf("%d bytes", len(one))
		}
		if other.Equal(theirs) {
			return
		}
		if _, err := unseal(one, other, b.Auth); err == nil {
			t.Fatal("somebody else opened it")
		}
		if two, _ := seal(plain, b); bytes.Equal(one, two) {
			t.Fatal("the same twice")
		}
	})
	_, b := browserOf(t, 1)
	if _, err := seal(make([]byte, pushRecord), b); err == nil {
		t.Error("more than a record was sealed")
	}
}

// browserOf is a browser that a test can open messages of, and one other for each n.
func browserOf(t interface{ Fatal(...any) }, n uint8) (*ecdh.PrivateKey, Browser) {
	sum := sha256.Sum256([]byte{n})
	key, err := ecdh.P256().NewPrivateKey(sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBrowser(fmt.Sprintf("https://push%d.example.org/wpush/v2/secret%d", n, n),
		base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()), base64.RawURLEncoding.EncodeToString(sum[:16]), false)
	if err != nil {
		t.Fatal(err)
	}
	b.Agent, b.At = fmt.Sprintf("Browser %d", n), at("01:00:00")
	return key, b
}

func vapid(t *testing.T) *VAPID {
	t.Helper()
	secret, err := NewVAPIDKey()
	if err != nil || len(secret) != VAPIDKeyLength {
		t.Fatal(len(secret), err)
	}
	v, err := NewVAPID(secret)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// verified reads the header of RFC 8292 as a push service does: it takes the key from k and checks the signature of t.
func verified(t *testing.T, header string) (key string, claims map[string]any) {
	t.Helper()
	rest, ok := strings.CutPrefix(header, "vapid t=")
	token, key, ok2 := strings.Cut(rest, ", k=")
	parts := strings.Split(token, ".")
	if !ok || !ok2 || len(parts) != 3 {
		t.Fatalf("header %q", header)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b64(t, key))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature := b64(t, parts[2])
	if len(signature) != 64 || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Error("the signature does not hold")
	}
	if got := string(b64(t, parts[0])); got != `{"typ":"JWT","alg":"ES256"}` {
		t.Errorf("header %s", got)
	}
	if err := json.Unmarshal(b64(t, parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	return key, claims
}

func TestVAPID(t *testing.T) {
	v := vapid(t)
	u := mustParse(t, "https://push.example.org:8443/wpush/secret?x=1")
	for range 20 { // numbers with leading zeros come once in a while
		header, token, err := v.authorization(u, "mailto:ops@example.org", at("03:00:00"))
		if err != nil || !strings.Contains(header, token) {
			t.Fatal(header, err)
		}
		key, claims := verified(t, header)
		want := map[string]any{"aud": "https://push.example.org:8443", "exp": float64(at("15:00:00").Unix()), "sub": "mailto:ops@example.org"}
		if fmt.Sprint(claims) != fmt.Sprint(want) || key != v.Public() {
			t.Errorf("claims %v, key %s", claims, key)
		}
	}
	header, _, err := v.authorization(u, "", at("03:00:00"))
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := verified(t, header); claims["sub"] != nil {
		t.Errorf("claims %v", claims)
	}
	for _, bad := range [][]byte{nil, make([]byte, 32), make([]byte, 31), bytes.Repeat([]byte{255}, 32)} {
		if _, err := NewVAPID(bad); err == nil {
			t.Errorf("%x was taken", bad)
		}
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// subscriptions are those of every user, in memory.
type subscriptions struct {
	mu      sync.Mutex
	all     []Browser
	dropped []string
	err     error // of both
}

func (s *subscriptions) browsers(string) ([]Browser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all), s.err
}

func (s *subscriptions) forget(_ context.Context, user string, b Browser) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.dropped = append(s.dropped, user+" "+b.ID())
	s.all = slices.DeleteFunc(s.all, func(o Browser) bool { return o.ID() == b.ID() })
	return nil
}

func insecure() *commoncfg.HTTPClientConfig {
	conf := commoncfg.DefaultHTTPClientConfig
	conf.TLSConfig.InsecureSkipVerify = true
	return &conf
}

// pushWorld is a sender whose every push service is w, and the browsers with the given numbers.
func pushWorld(t *testing.T, w *world, c *WebPush, numbers ...uint8) (Endpoint, *subscriptions) {
	t.Helper()
	subs := &subscriptions{}
	for _, n := range numbers {
		_, b := browserOf(t, n)
		subs.all = append(subs.all, b)
	}
	c.HTTP = insecure()
	o := options(t)
	o.HTTP = toWorld(w)
	o.Push = &Push{Key: vapid(t), Contact: "https://midwatch.example.org", Browsers: subs.browsers, Forget: subs.forget}
	return ownEndpoint(t, c, o), subs
}

// What a push service is asked, and what the browser then reads.
func TestWebPushTellsEveryStory(t *testing.T) {
	w := newWorld(t)
	e, _ := pushWorld(t, w, &WebPush{SendResolved: true}, 7)
	key, b := browserOf(t, 7)
	if !e.TakesBack || !e.SendResolved || kindOf(e.Sender) != "web_push" {
		t.Errorf("%+v is a %s", e, kindOf(e.Sender))
	}
	var out strings.Builder
	var state map[string]string
	all := stories()
	for _, name := range append(slices.Clone(toldStories), "test", "storm", "hundred", "hostile") {
		m := all[name]
		m.State, m.Key = state, m.Key+"/"+name // of its own, as every delivery's is
		v := e.Sender.Send(t.Context(), m)
		if v.Outcome != Delivered {
			t.Errorf("%s: %+v", name, v)
		}
		if name == "page" {
			state = v.State
		}
		r := w.last(t)
		plain, err := unseal(r.Body, key, b.Auth)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(plain) > maxPush || len(r.Body) > pushRecord {
			t.Errorf("%s: %d bytes, %d sealed", name, len(plain), len(r.Body))
		}
		verified(t, r.Header.Get("Authorization"))
		fmt.Fprintf(&out, "===== %s\n%s %s\n", name, r.Method, r.Path)
		for _, h := range []string{"Content-Type", "Content-Encoding", "TTL", "Urgency", "Topic"} {
			fmt.Fprintf(&out, "%s: %s\n", h, r.Header.Get(h))
		}
		if topic := r.Header.Get("Topic"); len(topic) > 32 {
			t.Errorf("topic %q has %d characters", topic, len(topic))
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, plain, "", "  "); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n----- %s\n", indented.String(), v.Answer)
	}
	golden(t, "requests/web_push.txt", out.String())
}

// What becomes of a page by what becomes of it at each browser.
func TestWebPushVerdicts(t *testing.T) {
	type says struct {
		code  int
		after string
	}
	for name, c := range map[string]struct {
		browsers []says // what their push services say
		want     Outcome
		wait     time.Duration
		answer   string
		dropped  int
	}{
		"all took it":        {[]says{{201, ""}, {201, ""}}, Delivered, 0, "taken for 2 of 2 browsers", 0},
		"one took it":        {[]says{{500, ""}, {201, ""}, {400, ""}}, Delivered, 0, "taken for 1 of 3 browsers; Browser 0: 500", 0},
		"one is gone":        {[]says{{410, ""}, {201, ""}}, Delivered, 0, "taken for 1 of 2 browsers; Browser 0 is forgotten: 410 Gone", 1},
		"not found":          {[]says{{404, ""}, {201, ""}}, Delivered, 0, "Browser 0 is forgotten: 404 Not Found", 1},
		"all are gone":       {[]says{{410, ""}, {404, ""}}, Failed, 0, "no browser is subscribed any more: open the link of midwatch push-link bo", 2},
		"too many requests":  {[]says{{429, "7"}}, Retry, 7 * time.Second, "429", 0},
		"the first that may": {[]says{{429, "70"}, {429, "9"}, {410, ""}}, Retry, 9 * time.Second, "429", 1},
		"for ever":           {[]says{{429, "86400"}}, Retry, maxRetryAfter, "429", 0},
		"down":               {[]says{{503, ""}, {403, ""}}, Retry, 0, "503", 0},
		"refused":            {[]says{{403, ""}, {401, ""}}, Failed, 0, "Browser 0: 403 Forbidden", 0},
		"too large":          {[]says{{413, ""}}, Failed, 0, "413", 0},
		"elsewhere":          {[]says{{307, ""}}, Failed, 0, "307", 0},
		"nobody subscribed":  {nil, Failed, 0, "no browser is subscribed: open the link of midwatch push-link bo", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var numbers []uint8
			for n := range c.browsers {
				numbers = append(numbers, uint8(n))
			}
			e, subs := pushWorld(t, w, &WebPush{}, numbers...)
			w.say(func(rw http.ResponseWriter, r *http.Request) bool {
				for n, s := range c.browsers {
					if strings.HasSuffix(r.URL.Path, fmt.Sprintf("secret%d", n)) {
						rw.Header().Set("Retry-After", s.after)
						rw.Header().Set("Location", "https://127.0.0.1/elsewhere")
						rw.WriteHeader(s.code)
						fmt.Fprintf(rw, "about %s and %s", r.URL, r.Header.Get("Authorization"))
					}
				}
				return true
			})
			v := e.Sender.Send(t.Context(), lag())
			if v.Outcome != c.want || v.RetryAfter != c.wait || !strings.Contains(v.Answer, c.answer) || len(subs.dropped) != c.dropped {
				t.Errorf("%+v, dropped %v", v, subs.dropped)
			}
			if strings.Contains(v.Answer, "secret0") || strings.Contains(v.Answer, "secret1") {
				t.Errorf("a secret is in %q", v.Answer)
			}
			for _, r := range w.got() { // the token, and not any letters that are like its first ones: the key, which is no secret, has those by chance
				if token := strings.TrimPrefix(r.Header.Get("Authorization"), "vapid t="); strings.Contains(v.Answer, token[:12]) {
					t.Errorf("the token %s is in %q", token, v.Answer)
				}
			}
			if got := len(w.got()); got != len(c.browsers) {
				t.Errorf("%d requests", got)
			}
			if (v.State != nil) != (c.want == Delivered) {
				t.Errorf("state %v", v.State)
			}
		})
	}
}

func TestWebPushWithoutWhatItNeeds(t *testing.T) {
	w := newWorld(t)
	e, subs := pushWorld(t, w, &WebPush{}, 1)
	if v := e.Sender.Send(t.Context(), Message{}); v.Outcome != Failed || !strings.Contains(v.Answer, "without a page") {
		t.Errorf("%+v", v)
	}
	for _, name := range []string{"stand_down", "resolved"} {
		if v := e.Sender.Send(t.Context(), stories()[name]); v.Outcome != Delivered || v.Answer != "nothing to replace" || len(w.got()) != 0 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v := e.Sender.Send(ctx, lag()); v.Outcome != Retry {
		t.Errorf("no time left: %+v", v)
	}
	w.sayStatus(410, "gone")
	subs.err = errors.New("midwatch is starting")
	if v := e.Sender.Send(t.Context(), lag()); v.Outcome != Retry || !strings.Contains(v.Answer, "midwatch is starting") {
		t.Errorf("%+v", v)
	}
	_, one := browserOf(t, 1)
	o := options(t)
	o.HTTP = toWorld(w)
	o.Push = &Push{
		Key: vapid(t), Browsers: func(string) ([]Browser, error) { return []Browser{one}, nil },
		Forget: func(context.Context, string, Browser) error { return errors.New("the engine stopped") },
	}
	if v := ownEndpoint(t, &WebPush{HTTP: insecure()}, o).Sender.Send(t.Context(), lag()); v.Outcome != Failed || !strings.Contains(v.Answer, "it could not be forgotten: the engine stopped") {
		t.Errorf("%+v", v)
	}
	o.Push.Browsers = func(string) ([]Browser, error) { panic("a bug") }
	if v := ownEndpoint(t, &WebPush{}, o).Sender.Send(t.Context(), lag()); v.Outcome != Failed || !strings.Contains(v.Answer, "panicked") {
		t.Errorf("%+v", v)
	}
	o.Push = nil
	if v := ownEndpoint(t, &WebPush{}, o).Sender.Send(t.Context(), lag()); v.Outcome != Failed || !strings.Contains(v.Answer, "running midwatch") {
		t.Errorf("%+v", v)
	}
}

// No page is lost to one's own words, nor to a link that is too long.
func TestWebPushInOnesOwnWords(t *testing.T) {
	w := newWorld(t)
	key, b := browserOf(t, 3)
	read := func(c *WebPush, m Message) (p pushMessage, v Verdict) {
		t.Helper()
		e, _ := pushWorld(t, w, c, 3)
		v = e.Sender.Send(t.Context(), m)
		plain, err := unseal(w.last(t).Body, key, b.Auth)
		if err == nil {
			err = json.Unmarshal(plain, &p)
		}
		if err != nil {
			t.Fatal(err)
		}
		return p, v
	}
	if p, _ := read(&WebPush{Title: `{{ .RouteLabels.midwatch_incident }}!`, Message: "go", TTL: 30 * time.Minute}, lag()); p.Title != "INC-1!" || p.Body != "go" || w.last(t).Header.Get("TTL") != "1800" {
		t.Errorf("%+v", p)
	}
	if p, v := read(&WebPush{Message: `{{ .Nope }}`}, lag()); p.Body == "" || !strings.Contains(v.Answer, "in the built-in words") {
		t.Errorf("%+v %+v", p, v)
	}
	if p, _ := read(&WebPush{Message: strings.Repeat("\x01", 3000)}, lag()); p.Tag == "" {
		t.Errorf("%+v", p)
	}
	e, _ := pushWorld(t, w, &WebPush{}, 3)
	if v := e.Sender.Send(t.Context(), with(lag(), func(m *Message) { m.Page.AckURL = "https://a.example/" + strings.Repeat("a", maxPush) })); v.Outcome != Failed || !strings.Contains(v.Answer, "--web.external-url") {
		t.Errorf("%+v", v)
	}
}

func TestEndpoints(t *testing.T) {
	for endpoint, want := range map[string]string{ // empty: good; private: good in a private network
		"https://updates.push.services.mozilla.com/wpush/v2/gAAA": "", "https://fcm.googleapis.com/fcm/send/abc": "", "https://web.push.apple.com/QLj": "",
		"https://wns2-par02p.notify.windows.com/w/?token=BQY": "", "https://push.example.org:8443/": "", "https://9.9.9.9/": "", "https://[2620:fe::fe]/": "",
		"http://127.0.0.1:8080/x": "private", "http://localhost/x": "private", "http://[::1]/x": "private", "https://127.0.0.1/": "private",
		"https://10.1.2.3/": "private", "https://192.168.0.1/": "private", "https://172.16.9.9/": "private", "https://169.254.169.254/latest/meta-data": "private",
		"https://[fe80::1]/": "private", "https://[fd00::1]/": "private", "https://[::ffff:10.0.0.1]/": "private", "https://100.64.0.1/": "private",
		"https://0.0.0.0/": "private", "https://[::]/": "private", "https://224.0.0.1/": "private", "https://255.255.255.255/": "private",
		"https://[64:ff9b::a00:1]/": "private", "https://[2002:a00:1::]/": "private", "https://[::7f00:1]/": "private",
		"https://db/": "private", "https://push.local/": "private", "https://push.internal./": "private", "https://metadata.google.internal/": "private",
		"https://x.localhost/": "private", "https://nas.home.arpa/": "private",
		"http://push.example.org/": "https://", "http://10.0.0.1/": "https://", "ftp://push.example.org/": "https://", "javascript:alert(1)": "not a URL",
		"": "not a URL", "https:///x": "not a URL", "https://a:b@push.example.org/": "a password", "https://push.example.org/#x": "a fragment", "://": "not a URL",
		"https://push.example.org/" + strings.Repeat("a", maxEndpoint): "longer than",
	} {
		outer, inner := CheckEndpoint(endpoint, false), CheckEndpoint(endpoint, true)
		switch want {
		case "":
			if outer != nil || inner != nil {
				t.Errorf("%s: %v, %v", endpoint, outer, inner)
			}
		case "private":
			if outer == nil || !strings.Contains(outer.Error(), "private_services: true") || inner != nil {
				t.Errorf("%s: %v, %v", endpoint, outer, inner)
			}
		default:
			if outer == nil || inner == nil || !strings.Contains(outer.Error(), want) {
				t.Errorf("%s: %v, %v", endpoint, outer, inner)
			}
		}
	}
}

func TestNewBrowserRefuses(t *testing.T) {
	_, good := browserOf(t, 1)
	key, auth := base64.URLEncoding.EncodeToString(good.Key), base64.URLEncoding.EncodeToString(good.Auth) // padded: some write it so
	if b, err := NewBrowser(good.Endpoint, key, auth, false); err != nil || b.ID() != good.ID() || b.Service() != "push1.example.org" {
		t.Errorf("%+v, %v", b, err)
	}
	off := slices.Clone(good.Key)
	off[40] ^= 1
	for name, c := range map[string][3]string{
		"endpoint": {"http://push.example.org", key, auth},
		"p256dh":   {good.Endpoint, base64.RawURLEncoding.EncodeToString(off), auth},
		"p256dh ":  {good.Endpoint, "", auth},
		"p256dh  ": {good.Endpoint, "!", auth},
		"auth":     {good.Endpoint, key, "AAAA"},
		"auth ":    {good.Endpoint, key, ""},
	} {
		_, err := NewBrowser(c[0], c[1], c[2], false)
		if err == nil || name != "endpoint" && !strings.Contains(err.Error(), strings.TrimSpace(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A name that leads into our own network is not followed, whatever it meant when it was checked.
func TestWebPushDialsPublicAddressesOnly(t *testing.T) {
	w := newWorld(t)
	port := w.Listener.Addr().(*net.TCPAddr).Port
	if conn, err := pushDial(t.Context(), "tcp", fmt.Sprintf("localhost:%d", port)); !errors.Is(err, errPrivate) {
		if conn != nil {
			conn.Close()
		}
		t.Errorf("dialled: %v", err)
	}
	// By the sender too, as it is built without a dialer of the test's: the name passes the check, and leads home.
	_, b := browserOf(t, 1)
	b.Endpoint = fmt.Sprintf("https://127.0.0.1:%d/secret", port)
	for _, private := range []bool{false, true} {
		o := options(t)
		o.Push = &Push{Key: vapid(t), Browsers: func(string) ([]Browser, error) { return []Browser{b}, nil }}
		e := ownEndpoint(t, &WebPush{PrivateServices: private, HTTP: insecure()}, o)
		if v := e.Sender.Send(t.Context(), lag()); (v.Outcome == Delivered) != private || !private && !strings.Contains(v.Answer, "private network") {
			t.Errorf("private %v: %+v", private, v)
		}
		client := e.Sender.(*webPush).client
		resp, err := client.Get(fmt.Sprintf("https://localhost:%d/", port))
		if (err == nil) != private {
			t.Errorf("private %v: %v", private, err)
		}
		if err == nil {
			resp.Body.Close()
		}
		client.CloseIdleConnections()
	}
}

func TestPublicAddresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		four := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
		if public(four) != public(netip.AddrFrom16(four.As16())) {
			t.Fatalf("%s differs as an address of IPv6", four)
		}
		if public(four) && (four.IsPrivate() || four.IsLoopback() || four.IsLinkLocalUnicast() || four.IsMulticast() || four.IsUnspecified()) {
			t.Fatalf("%s is public", four)
		}
	})
}

// A link that subscribes does not acknowledge, nor the other way round.
func TestPushLinksAreOfTheirOwn(t *testing.T) {
	acks, err := NewSigner(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	links := acks.PushLinks()
	c := Claim{User: "ana", Page: "bo", Expires: at("03:00:00").Add(PushLinkLife)}
	if got, err := links.Verify(links.Sign(c), at("03:00:00")); err != nil || got != c {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := links.Verify(links.Sign(c), c.Expires); !errors.Is(err, ErrExpired) || got != c {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := acks.Verify(links.Sign(c), at("03:00:00")); !errors.Is(err, ErrToken) {
		t.Errorf("a link that subscribes acknowledges: %v", err)
	}
	if _, err := links.Verify(acks.Sign(c), at("03:00:00")); !errors.Is(err, ErrToken) {
		t.Errorf("a link that acknowledges subscribes: %v", err)
	}
}
