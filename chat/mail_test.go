package chat

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
	"pgregory.net/rapid"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

func testMailbox(t interface{ Fatal(...any) }) Mailbox {
	s, err := NewSigner(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return Mailbox{Name: "ack", Domain: "mw.example.org", Signer: s}
}

// lag12 is the claim of a page to ana; it lasts longer than these tests will.
var lag12 = Claim{Incident: "INC-12", User: "ana", Expires: time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// certificate is for 127.0.0.1, and what trusts it.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	c := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c.ServerName, c.NextProtos = "example.com", nil
	return &tls.Config{Certificates: s.TLS.Certificates}, c
}

var long = regexp.MustCompile(`(?:[xy]{100,}\n)+`)

type taped struct{ *tape }

func (t taped) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
	return len(b), nil
}

// Replies over SMTP with STARTTLS, and over TLS from the first byte, on loopback.
func TestMailReplies(t *testing.T) {
	serverTLS, clientTLS := certificate(t)
	for _, implicit := range []bool{false, true} {
		t.Run(fmt.Sprintf("implicit %v", implicit), func(t *testing.T) {
			desk := newClerk(func(r Request) Reply { return Reply{Text: "INC-12 is yours."} })
			var answers []MailAnswer
			box := testMailbox(t)
			m, err := NewMail(MailOptions{
				Mailbox: box, TLS: serverTLS, RequireTLS: true, ImplicitTLS: implicit,
				Reply: func(_ context.Context, a MailAnswer) error { answers = append(answers, a); return nil },
			}, desk)
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			stop := run(t, func(ctx context.Context) error { return m.Serve(ctx, l) })
			dial := func() *smtp.Client {
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				if implicit {
					conn = tls.Client(conn, clientTLS)
				}
				return smtp.NewClient(conn)
			}
			var tape tape
			c := dial()
			c.DebugWriter = taped{&tape}
			if err := c.Hello("mail.example.net"); err != nil {
				t.Fatal(err)
			}
			if !implicit {
				if err := c.Mail("ana@example.org", nil); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
					t.Errorf("mail in the clear: %v", err)
				}
				_ = c.Close()
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				if c, err = smtp.NewClientStartTLS(conn, clientTLS); err != nil {
					t.Fatal(err)
				}
				c.DebugWriter = taped{&tape}
			}
			send := func(from, to, text string) error {
				if err := c.Mail(from, nil); err != nil {
					return err
				}
				if err := c.Rcpt(to, nil); err != nil {
					_ = c.Reset()
					return err
				}
				w, err := c.Data()
				if err != nil {
					return err
				}
				if _, err := w.Write([]byte(crlf(text))); err != nil {
					return err
				}
				return w.Close()
			}
			address := box.Address(lag12)
			id, err := box.MessageID(lag12, "INC-12/1/ana/mail")
			if err != nil {
				t.Fatal(err)
			}
			const head = "From: Ana Duarte <ana@example.org>\nSubject: Re: [INC-12 sev2] Replication lag\nMessage-ID: <%s@example.org>\n"
			letter := func(id, more string) string { return fmt.Sprintf(head, id) + more }

			for _, mail := range []struct{ to, text, want string }{
				{strings.ToUpper(address), letter("m1", "\nAck\n\nOn Sun, Midwatch wrote:\n> Replication lag\n"), ""},
				{address, letter("m1", "\nAck\n"), ""}, // delivered twice
				{"ack@mw.example.org", letter("m2", "In-Reply-To: "+id+"\n\nsnooze 30m\n"), ""},
				{"ack@mw.example.org", letter("m3", "References: <x@y> "+id+" <z@y>\n\nlooking into it\n"), ""},
				{"ack@mw.example.org", letter("m4", "\nack 12\n"), "only a reply to a page acts"},
				{address, letter("m5", "\nack 13\n"), ""}, // another incident's
				{address, letter("m6", "Auto-Submitted: auto-replied\n\nack\n"), ""},
				{address, letter("m7", "\n\n"), ""},
				{address, letter("m8", "X: "+strings.Repeat("x", 900)+"\n\n"+strings.Repeat(strings.Repeat("y", 900)+"\n", mailSize/900)), "exceeded"},
				{"bo@mw.example.org", "", "no such address"},
				{"ack+x@mw.example.org", "", "not made here"},
				{"ack+x@elsewhere.example", "", "no such address"},
				{box.Address(Claim{Incident: "INC-12", User: "ana", Expires: time.Unix(3600, 0)}), "", "has expired"},
			} {
				tape.add("# to %s", mail.to)
				err := send("ana@example.org", mail.to, mail.text)
				if mail.want == "" && err != nil || mail.want != "" && (err == nil || !strings.Contains(err.Error(), mail.want)) {
					t.Errorf("to %s: %v, want %q", mail.to, err, mail.want)
				}
			}
			if err := send("", address, letter("m9", "\nack\n")); err != nil {
				t.Errorf("a bounce: %v", err)
			}
			if err := c.Quit(); err != nil {
				t.Error(err)
			}
			idle := dial() // somebody who keeps the line open when we end
			_ = idle.Hello("idle.example")
			if !m.Health().Connected() {
				t.Error("not connected")
			}
			stop()
			_ = idle.Close()

			ana, claim := Person{ServiceMail, "ana@example.org", "Ana Duarte"}, &lag12
			want := []Request{
				{Command: Command{Verb: Ack, Incident: "INC-12"}, From: ana, Claim: claim, ID: "mail/m1@example.org"},
				{Command: Command{Verb: Snooze, Incident: "INC-12", For: 30 * time.Minute}, From: ana, Claim: claim, ID: "mail/m2@example.org"},
				{Command: Command{Verb: Note, Incident: "INC-12", Text: "looking into it"}, From: ana, Claim: claim, ID: "mail/m3@example.org"},
			}
			if got := desk.requests(); !reflect.DeepEqual(got, want) {
				t.Errorf("the desk was asked\n%+v\nwant\n%+v", got, want)
			}
			var texts []string
			for _, a := range answers {
				texts = append(texts, a.InReplyTo+" "+a.Subject+" "+a.Text)
			}
			golden(t, "golden/mail-answers.txt", strings.Join(texts, "\n\n")+"\n")
			if implicit {
				golden(t, "golden/mail.txt", long.ReplaceAllString(tape.String(), "…\n"))
			}
		})
	}
}

// What mail programs send, and what is understood of it: testdata/letters/*.eml, each with its answer beside it.
func TestLetters(t *testing.T) {
	files, err := filepath.Glob("testdata/letters/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatal("no letters", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".eml")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			l, err := readLetter([]byte(crlf(string(raw))))
			if err != nil {
				t.Fatal(err)
			}
			c, ok := Parse(l.text)
			golden(t, "letters/"+name+".txt", fmt.Sprintf("from: %s (%s)\nsubject: %s\nid: %s\nreferences: %q\nautomatic: %s\nunderstood: %v\n%+v\n",
				l.from, l.name, l.subject, l.id, l.references, l.automatic("ana@example.org"), ok, c))
		})
	}
}

func TestMailAgain(t *testing.T) {
	desk := newClerk(func(Request) Reply { return Reply{Again: true} })
	m, err := NewMail(MailOptions{Mailbox: testMailbox(t)}, desk)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := m.take(t.Context(), "ana@example.org", &lag12, []byte("From: ana@example.org\r\nMessage-ID: <1@x>\r\n\r\nack\r\n"))
		var reply *smtp.SMTPError
		if !errors.As(err, &reply) || reply.Code != 451 {
			t.Errorf("got %v", err)
		}
	}
	if n := len(desk.requests()); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// A subject alone acts too: a link in the page can write it.
func TestMailBySubject(t *testing.T) {
	desk := newClerk(nil)
	m, err := NewMail(MailOptions{Mailbox: testMailbox(t)}, desk)
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"ack", "Re: ack", "Re: [INC-12] resolved"} {
		if err := m.take(t.Context(), "a@b", &lag12, []byte("From: a@b\r\nSubject: "+subject+"\r\n\r\n\r\n")); err != nil {
			t.Error(err)
		}
	}
	if got := desk.requests(); len(got) != 1 || got[0].Verb != Ack || got[0].Incident != "INC-12" {
		t.Errorf("got %+v", got)
	}
}

// When we are asked to end, who only keeps the line open is not waited for, and who is in the middle of a message not long.
func TestMailDoesNotWaitForEver(t *testing.T) {
	for name, want := range map[string]time.Duration{"idle": 0, "in a message": mailGrace} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipeNet()
				m, err := NewMail(MailOptions{Mailbox: testMailbox(t)}, newClerk(nil))
				if err != nil {
					t.Fatal(err)
				}
				stop := run(t, func(ctx context.Context) error { return m.Serve(ctx, l) })
				conn, err := l.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				c := smtp.NewClient(conn)
				if err := errors.Join(c.Hello("x.example"), c.Mail("a@b", nil), c.Rcpt("ack@mw.example.org", nil)); err != nil {
					t.Fatal(err)
				}
				if want > 0 {
					w, err := c.Data()
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprint(w, "Subject: x\r\n")
				}
				synctest.Wait()
				begin := time.Now()
				stop()
				if d := time.Since(begin); d != want {
					t.Errorf("ended after %v, want %v", d, want)
				}
				conn.Close()
			})
		})
	}
}

func TestMailOptions(t *testing.T) {
	box := testMailbox(t)
	for _, o := range []MailOptions{
		{},
		{Mailbox: Mailbox{Signer: box.Signer, Domain: "x"}},
		{Mailbox: Mailbox{Signer: box.Signer, Name: "a+b", Domain: "x"}},
		{Mailbox: Mailbox{Signer: box.Signer, Name: "ack"}},
		{Mailbox: box, RequireTLS: true},
	} {
		if _, err := NewMail(o, newClerk(nil)); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	m, err := NewMail(MailOptions{Addr: "127.0.0.1:-1", Mailbox: box}, newClerk(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); err == nil || m.Health().LastError == "" {
		t.Errorf("listens nowhere: %v", err)
	}
	if _, err := NewSigner(testKey[:31]); err == nil {
		t.Error("a short key is taken")
	}
}

// What was signed is read again, and nothing else is.
func TestClaims(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		box := testMailbox(t)
		c := Claim{
			Incident: fmt.Sprintf("INC-%d", rapid.Uint32().Draw(t, "incident")),
			User:     rapid.StringMatching(`[A-Za-z0-9_.-]{1,40}`).Draw(t, "user"),
			Expires:  time.Unix(int64(rapid.Uint32Range(1, 1<<20).Draw(t, "hours"))*3600, 0).UTC(),
		}
		token, err := box.Signer.Sign(c)
		if err != nil {
			t.Fatal(err)
		}
		before := c.Expires.Add(-time.Second)
		if got, err := box.Signer.Verify(strings.ToUpper(token), before); err != nil || got != c {
			t.Fatalf("%+v, %v; want %+v", got, err, c)
		}
		if got, err := box.Signer.Verify(token, c.Expires); !errors.Is(err, ErrExpired) || got != c {
			t.Fatalf("expired: %+v, %v", got, err)
		}
		i := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		other := token[:i] + string("abcdefghijklmnopqrstuvwxyz234567"[rapid.IntRange(0, 31).Draw(t, "letter")]) + token[i+1:]
		if _, err := box.Signer.Verify(other, before); other != token && !errors.Is(err, ErrClaim) {
			t.Fatalf("%s for %s: %v", other, token, err)
		}
		address := box.Address(c)
		if local, _, _ := strings.Cut(address, "@"); len(local) > localLimit || address == "" && len(c.User) <= 20 {
			t.Fatalf("address %q of %+v", address, c)
		}
		if got, ok := box.tokenOf(address); address != "" && (!ok || got != token) {
			t.Fatalf("token %q of %q", got, address)
		}
		id, err := box.MessageID(c, "x")
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := box.tokenOfID(strings.Trim(id, "<>")); !ok || got != token {
			t.Fatalf("token %q of %q", got, id)
		}
	})
	for _, incident := range []string{"", "INC-", "INC-x", "INC-01", "12"} {
		if _, err := testMailbox(t).Signer.Sign(Claim{Incident: incident, User: "ana", Expires: lag12.Expires}); err == nil {
			t.Errorf("%q is signed", incident)
		}
	}
}

func FuzzReadLetter(f *testing.F) {
	for _, name := range []string{"gmail", "outlook", "html-only", "base64"} {
		raw, err := os.ReadFile("testdata/letters/" + name + ".eml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := readLetter(raw)
		if err != nil {
			return
		}
		l.automatic("x")
		if c, ok := Parse(l.text); len(c.Text) > textLimit || ok && c.Verb == "" {
			t.Fatalf("%+v", c)
		}
	})
}
