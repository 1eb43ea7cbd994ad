//go:build linux

package integration_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/smtp"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	smtpd "github.com/emersion/go-smtp"
)

// A postbox is a mail server inside the test: STARTTLS, then AUTH, then it remembers. It can be told to refuse.
type postbox struct {
	addr string
	cert certificate

	mu      sync.Mutex
	letters []string
	refuse  error // what it answers to DATA; nil: it takes the mail
}

func newPostbox(t testing.TB) *postbox {
	t.Helper()
	p := &postbox{cert: newCertificate(t)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	s := smtpd.NewServer(smtpd.BackendFunc(func(*smtpd.Conn) (smtpd.Session, error) { return &session{box: p}, nil }))
	s.Domain = "mail.example"
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{p.cert.pair}}
	s.ErrorLog = log.New(io.Discard, "", 0)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-ended; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return p
}

// refusing makes it answer err to every mail from now on; nil makes it take them again.
func (p *postbox) refusing(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = err
}

func (p *postbox) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.letters)
}

// awaitLetters waits for n mails and returns all there are.
func (p *postbox) awaitLetters(t testing.TB, what string, n int) []letter {
	t.Helper()
	await(t, what, func() (string, bool) { return fmt.Sprintf("%d mails", len(p.got())), len(p.got()) >= n })
	var all []letter
	for _, raw := range p.got() {
		all = append(all, parseLetter(t, raw))
	}
	return all
}

// A session is one connection to a postbox.
type session struct {
	box    *postbox
	authed bool
	to     []string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (s *session) Auth(mech string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != mailUser || password != mailPassword {
			return smtpd.ErrAuthFailed
		}
		s.authed = true
		return nil
	}
	if mech == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

func (s *session) Mail(string, *smtpd.MailOptions) error {
	if !s.authed {
		return smtpd.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtpd.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	if s.box.refuse != nil {
		return s.box.refuse
	}
	s.box.letters = append(s.box.letters, string(text))
	return nil
}

func (s *session) Reset()        { s.to = nil }
func (s *session) Logout() error { return nil }

// A loginServer asks for the name, then for the password.
type loginServer struct {
	check func(user, password string) error
	user  string
	asked int
}

func (l *loginServer) Next(answer []byte) (challenge []byte, done bool, err error) {
	l.asked++
	switch {
	case l.asked == 1 && answer == nil:
		return []byte("Username:"), false, nil
	case l.user == "":
		l.user = string(answer)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(answer))
}

// Both mail servers must do what a real one does, or the stories below would prove nothing.
func TestMailServersAskForTLSAndAPassword(t *testing.T) {
	t.Parallel()
	box := newPostbox(t)
	exim := newExim(t)
	for _, s := range []struct {
		name, addr string
		cert       certificate
		arrived    func() int
	}{
		{"postbox", box.addr, box.cert, func() int { return len(box.got()) }},
		{"exim", exim.addr, exim.cert, func() int { return len(exim.got(t)) }},
	} {
		t.Run(s.name, func(t *testing.T) {
			plain := smtp.PlainAuth("", mailUser, mailPassword, "127.0.0.1")
			if err := mailTo(t, s.addr, nil, nil); err == nil {
				t.Error("it took a mail without TLS and without a password")
			}
			if err := mailTo(t, s.addr, &s.cert, nil); err == nil {
				t.Error("it took a mail without a password")
			}
			if err := mailTo(t, s.addr, &s.cert, smtp.PlainAuth("", mailUser, "guess", "127.0.0.1")); err == nil {
				t.Error("it took a wrong password")
			}
			if n := s.arrived(); n != 0 {
				t.Fatalf("%d mails arrived that were refused", n)
			}
			if err := mailTo(t, s.addr, &s.cert, plain); err != nil {
				t.Errorf("AUTH PLAIN: %s", err)
			}
			if err := mailTo(t, s.addr, &s.cert, loginClient{}); err != nil {
				t.Errorf("AUTH LOGIN: %s", err)
			}
			await(t, "both mails", func() (string, bool) { return fmt.Sprint(s.arrived()), s.arrived() == 2 })
		})
	}
}

const testMail = "From: <midwatch@example.org>\r\nTo: <ana@example.org>\r\nSubject: hello\r\n\r\nhello\r\n"

// mailTo sends one mail, with TLS if a certificate is to be trusted.
func mailTo(t *testing.T, addr string, trust *certificate, auth smtp.Auth) error {
	t.Helper()
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if trust != nil {
		roots := x509.NewCertPool()
		text, err := os.ReadFile(trust.certFile)
		if err != nil {
			return err
		}
		roots.AppendCertsFromPEM(text)
		if err := c.StartTLS(&tls.Config{ServerName: "127.0.0.1", RootCAs: roots}); err != nil {
			return err
		}
	}
	if auth != nil {
		if err := c.Auth(auth); err != nil {
			return err
		}
	}
	if err := errors.Join(c.Mail("midwatch@example.org"), c.Rcpt("ana@example.org")); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, strings.NewReader(testMail)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// loginClient is AUTH LOGIN, which net/smtp leaves out.
type loginClient struct{}

func (loginClient) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (loginClient) Next(question []byte, more bool) ([]byte, error) {
	switch {
	case !more:
		return nil, nil
	case strings.HasPrefix(string(question), "User"):
		return []byte(mailUser), nil
	}
	return []byte(mailPassword), nil
}
