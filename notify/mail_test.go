package notify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A postOffice is an SMTP server that insists on STARTTLS and a password.
type postOffice struct {
	addr    string
	mu      sync.Mutex
	letters []posted
	refuse  error // of the recipient
	refused int
}

type posted struct {
	tls       bool
	user      string
	from      string
	to        []string
	subject   string
	header    mail.Header
	text      string
	html      string
	lineLimit int // the longest line
}

func newPostOffice(t *testing.T) *postOffice {
	t.Helper()
	o := &postOffice{}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		_, encrypted := c.TLSConnectionState()
		return &counter{office: o, letter: posted{tls: encrypted}}, nil
	}))
	s.Domain = "127.0.0.1"
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.addr = listener.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(listener)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return o
}

func (o *postOffice) last(t *testing.T) posted {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.letters) == 0 {
		t.Fatal("no mail came")
	}
	return o.letters[len(o.letters)-1]
}

func (o *postOffice) refuseWith(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuse = err
}

type counter struct {
	office *postOffice
	letter posted
}

func (c *counter) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *counter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "s3cret-mail" {
			return smtp.ErrAuthFailed
		}
		c.letter.user = user
		return nil
	}), nil
}

func (c *counter) Mail(from string, _ *smtp.MailOptions) error {
	if c.letter.user == "" {
		return smtp.ErrAuthRequired
	}
	c.letter.from = from
	return nil
}

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.letter.to = append(c.letter.to, to)
	if c.office.refuse != nil {
		c.office.refused++
	}
	return c.office.refuse
}

func (c *counter) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l := c.letter
	for line := range bytes.Lines(raw) {
		l.lineLimit = max(l.lineLimit, len(line))
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	l.header = m.Header
	if l.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return err
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return fmt.Errorf("%s: %w", kind, errors.Join(err, errors.ErrUnsupported))
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			return err
		}
		switch p.Header.Get("Content-Type") {
		case "text/plain; charset=UTF-8":
			l.text = string(body)
		case "text/html; charset=UTF-8":
			l.html = string(body)
		}
	}
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.letters = append(c.office.letters, l)
	return nil
}

func (c *counter) Reset()        {}
func (c *counter) Logout() error { return nil }

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (o *postOffice) method(extra string) string {
	return `{to: bo@example.org, smarthost: '` + o.addr + `', auth_username: midwatch, auth_password: s3cret-mail, tls_config: {insecure_skip_verify: true}` + extra + `}`
}

// The mail as it arrives: over TLS, after a log-in, in two parts that say the same.
func TestMailAsItArrives(t *testing.T) {
	office := newPostOffice(t)
	s := personal(t, "email", office.method("")).Sender
	for _, name := range []string{"page", "languages", "hostile", "hundred", "resolved", "bundle", "digest", "expiring", "bare"} {
		m := stories()[name]
		if v := s.Send(t.Context(), m); v.Outcome != Delivered {
			t.Fatalf("%s: %+v", name, v)
		}
		l := office.last(t)
		if !l.tls || l.user != "midwatch" || l.from != "midwatch@example.org" || len(l.to) != 1 || l.to[0] != "bo@example.org" {
			t.Errorf("%s: came as %+v", name, l)
		}
		if l.subject != Subject(m) {
			t.Errorf("%s: the subject is %q, want %q", name, l.subject, Subject(m))
		}
		if got := strings.ReplaceAll(l.text, "\r\n", "\n"); got != Text(m) {
			t.Errorf("%s: the text is\n%s\nwant\n%s", name, got, Text(m))
		}
		page, err := mailHTML(m, viewOf(m))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(l.html, "\r\n", "\n"); got != page {
			t.Errorf("%s: the HTML differs:\n%s", name, got)
		}
		if l.lineLimit > 998+2 {
			t.Errorf("%s: a line has %d bytes; RFC 5322 allows 998", name, l.lineLimit)
		}
		for _, h := range []string{"Bcc", "Cc"} {
			if v := l.header.Get(h); v != "" {
				t.Errorf("%s: a label wrote the header %s: %s", name, h, v)
			}
		}
	}
}

// What a mail says of itself, and in its text; the HTML is among testdata/pages.
func TestMailsOfEveryStory(t *testing.T) {
	office := newPostOffice(t)
	s := personal(t, "email", office.method("")).Sender
	var b strings.Builder
	for _, name := range toldStories {
		fmt.Fprintf(&b, "===== %s\n", name)
		v := s.Send(t.Context(), stories()[name])
		if name == "stand_down" {
			fmt.Fprintf(&b, "----- %s\n", v.Answer)
			continue
		}
		if v.Outcome != Delivered {
			t.Fatalf("%s: %+v", name, v)
		}
		l := office.last(t)
		for _, h := range slices.Sorted(maps.Keys(l.header)) {
			if h != "Date" && h != "Content-Type" {
				fmt.Fprintf(&b, "%s: %s\n", h, l.header.Get(h))
			}
		}
		fmt.Fprintf(&b, "\n%s\n", strings.ReplaceAll(l.text, "\r\n", "\n"))
	}
	golden(t, "requests/email.txt", b.String())
}

// All mails about an incident are one thread, marked important while it needs somebody, and no machine answers them.
func TestMailHeaders(t *testing.T) {
	office := newPostOffice(t)
	s := personal(t, "email", office.method("")).Sender
	send := func(m Message) mail.Header {
		t.Helper()
		if v := s.Send(t.Context(), m); v.Outcome != Delivered {
			t.Fatal(v)
		}
		return office.last(t).header
	}
	page, resolved := send(lag()), send(stories()["resolved"])
	for header, want := range map[string][2]string{
		"Auto-Submitted": {"auto-generated", "auto-generated"},

		"X-Auto-Response-Suppress": {"All", "All"},
		"Importance":               {"high", "normal"},
		"X-Priority":               {"1", "3"},
		"References":               {"<INC-1.t65sc0.thread@midwatch.example.org>", "<INC-1.t65sc0.thread@midwatch.example.org>"},
		"In-Reply-To":              {"<INC-1.t65sc0.thread@midwatch.example.org>", "<INC-1.t65sc0.thread@midwatch.example.org>"},
		"From":                     {"midwatch@example.org", "midwatch@example.org"},
		"To":                       {"bo@example.org", "bo@example.org"},
	} {
		if got := [2]string{page.Get(header), resolved.Get(header)}; got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	again := send(lag())
	if a, b := page.Get("Message-Id"), again.Get("Message-Id"); a == "" || a != b {
		t.Errorf("a repeated attempt has another Message-Id: %q, then %q", a, b)
	}
	other := send(with(lag(), func(m *Message) { m.Key = "INC-1/3/bo-chat/1" }))
	if a, b := page.Get("Message-Id"), other.Get("Message-Id"); a == b {
		t.Errorf("another page has the same Message-Id %q", a)
	}
	if got := send(stories()["bundle"]).Get("References"); got != "<page.bo.thread@midwatch.example.org>" {
		t.Errorf("a bundle's thread is %q", got)
	}
}

// Headers and texts of one's own stay; what is not given is ours.
func TestMailInOnesOwnWords(t *testing.T) {
	office := newPostOffice(t)
	config := office.method(`, headers: {subject: 'Hej: {{ .RouteLabels.midwatch_title }}', X-Team: db}, text: 'See {{ .RouteLabels.midwatch_incident_url }}'`)
	if v := personal(t, "email", config, "headers", "text").Sender.Send(t.Context(), lag()); v.Outcome != Delivered {
		t.Fatal(v)
	}
	l := office.last(t)
	if l.subject != "Hej: Replication lag" || l.header.Get("X-Team") != "db" || l.header.Get("Auto-Submitted") == "" {
		t.Errorf("headers %v", l.header)
	}
	if l.text != "See "+lag().Page.IncidentURL || !strings.Contains(l.html, ">Acknowledge</a>") {
		t.Errorf("text %q, html %q", l.text, l.html)
	}

	threaded := office.method(`, threading: {enabled: true, thread_by_date: none}`)
	if v := personal(t, "email", threaded, "threading").Sender.Send(t.Context(), lag()); v.Outcome != Delivered {
		t.Fatal(v)
	}
	if got := office.last(t).header["References"]; len(got) != 1 || !strings.HasSuffix(got[0], "@alertmanager>") {
		t.Errorf("threading as Alertmanager does it: %q", got)
	}

	broken := office.method(`, html: '{{ template "nowhere" . }}'`)
	v := personal(t, "email", broken, "html").Sender.Send(t.Context(), lag())
	if v.Outcome != Delivered || !strings.Contains(office.last(t).html, ">Acknowledge</a>") {
		t.Errorf("a failing template: %+v", v)
	}
}

func TestMailServerSaysNo(t *testing.T) {
	office := newPostOffice(t)
	s := personal(t, "email", office.method("")).Sender
	for _, c := range []struct {
		code int
		want Outcome
	}{{550, Failed}, {451, Retry}} {
		office.refuseWith(&smtp.SMTPError{Code: c.code, EnhancedCode: smtp.EnhancedCode{c.code / 100, 1, 1}, Message: "not s3cret-mail, not now"})
		v := s.Send(t.Context(), lag())
		if v.Outcome != c.want || !strings.Contains(v.Answer, fmt.Sprint(c.code)) || strings.Contains(v.Answer, "s3cret-mail") {
			t.Errorf("%d: %+v", c.code, v)
		}
	}
	office.refuseWith(nil)
	if office.refused != 2 {
		t.Errorf("refused %d times, want 2: our own words are not tried twice", office.refused)
	}

	wrong := strings.Replace(office.method(""), "s3cret-mail", "other-password", 1)
	if v := personal(t, "email", wrong).Sender.Send(t.Context(), lag()); v.Outcome != Failed || !strings.Contains(v.Answer, "535") {
		t.Errorf("a wrong password: %+v", v)
	}
	nobody := strings.Replace(office.method(""), office.addr, "127.0.0.1:1", 1)
	if v := personal(t, "email", nobody).Sender.Send(t.Context(), lag()); v.Outcome != Retry {
		t.Errorf("nobody listens: %+v", v)
	}
}

// A server that greets and then says nothing costs one attempt's time. Upstream would wait for ever.
func TestMailServerThatSaysNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	spoken := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		// A connection may be accepted before the one who dials knows that it stands, and a dialer heeds its context. That
		// the attempt is beyond dialing shows in what it says.
		io.WriteString(conn, "220 mx.example.org\r\n")
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		spoken <- conn
	}()
	s := personal(t, "email", "{to: bo@example.org, smarthost: '"+listener.Addr().String()+"'}").Sender
	ctx, cancel := context.WithCancel(t.Context())
	verdicts := make(chan Verdict)
	go func() { verdicts <- s.Send(ctx, lag()) }()
	conn := <-spoken
	cancel()
	if v := <-verdicts; v.Outcome != Retry || v.Answer != "no answer in the time given" {
		t.Errorf("got %+v", v)
	}
	listener.Close()
	conn.Close() // lets the forgotten attempt end
}
