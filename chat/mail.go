package chat

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"
)

const (
	mailSize       = 1 << 20 // a reply that quotes a page, with a logo or two; the answer is in its first line
	mailRecipients = 10
	mailConns      = 50 // one mail server uses a handful
	mailLine       = 2000
	mailRead       = 2 * time.Minute // for one command, and for one whole message
	mailWrite      = time.Minute
	mailGrace      = 5 * time.Second // for messages under way when we are asked to end
)

// MailOptions are how replies to pages are taken in.
type MailOptions struct {
	Addr    string  // to listen at, ":25" or "127.0.0.1:2525"; used by Run
	Mailbox Mailbox // Name, Domain and Signer are required

	// TLS offers STARTTLS, or with ImplicitTLS is spoken from the first byte. With RequireTLS nothing is taken in the clear,
	// which a mail server on the open Internet cannot ask of every other. Nil TLS takes mail in the clear.
	TLS         *tls.Config
	ImplicitTLS bool
	RequireTLS  bool

	// Reply sends an answer by mail to who wrote, below their message. Nil answers nothing: the page's own page tells what
	// became of it. It is called only for mail whose claim was good.
	Reply func(ctx context.Context, a MailAnswer) error

	Logger *slog.Logger
}

// A MailAnswer is what is to be sent back. It must say of itself that it is automatic (RFC 3834: Auto-Submitted: auto-replied).
type MailAnswer struct {
	To, Subject          string
	InReplyTo, Reference string // the Message-ID written to us, in angle brackets; may be empty
	Text                 string
}

// Mail is a mail server for one purpose: it takes replies to pages, and nothing else.
type Mail struct {
	o    MailOptions
	desk Desk
	log  *slog.Logger
	seen seen
	pulse
}

// NewMail checks the options; nothing listens before Run or Serve.
func NewMail(o MailOptions, desk Desk) (*Mail, error) {
	switch {
	case o.Mailbox.Signer == nil:
		return nil, errors.New("mail: replies need a key that signs their addresses")
	case o.Mailbox.Name == "" || strings.ContainsAny(o.Mailbox.Name, "+@<> "):
		return nil, fmt.Errorf("mail: the mailbox %q is none; give the part before the @, such as ack", o.Mailbox.Name)
	case o.Mailbox.Domain == "" || strings.ContainsAny(o.Mailbox.Domain, "@<> "):
		return nil, fmt.Errorf("mail: the domain %q is none; give the one whose mail comes here, such as mw.example.org", o.Mailbox.Domain)
	case o.TLS == nil && (o.RequireTLS || o.ImplicitTLS):
		return nil, errors.New("mail: TLS is required and has no certificate; give one, or take mail in the clear")
	}
	return &Mail{o: o, desk: desk, log: logger(o.Logger).With("service", ServiceMail)}, nil
}

// Run listens at Addr until ctx ends. The error is that it cannot.
func (m *Mail) Run(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", m.o.Addr)
	if err != nil {
		err = fmt.Errorf("mail: listening for replies: %w", err)
		m.down(err)
		return err
	}
	return m.Serve(ctx, l)
}

// Serve takes mail from l until ctx ends, and then returns nil. It closes l.
func (m *Mail) Serve(ctx context.Context, l net.Listener) error {
	conns := &openConns{Listener: netutil.LimitListener(l, mailConns), all: map[net.Conn]bool{}}
	var listener net.Listener = conns
	if m.o.ImplicitTLS {
		listener = tls.NewListener(conns, m.o.TLS)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{mail: m, ctx: ctx, conn: c}, nil
	}))
	server.Domain = m.o.Mailbox.Domain
	server.TLSConfig = m.o.TLS
	server.MaxMessageBytes = mailSize
	server.MaxRecipients = mailRecipients
	server.MaxLineLength = mailLine
	server.ReadTimeout, server.WriteTimeout = mailRead, mailWrite
	server.ErrorLog = smtpLog{m}

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	m.up()
	var err error
	select {
	case err = <-served:
		err = fmt.Errorf("mail: taking connections: %w", err)
		m.down(err)
	case <-ctx.Done():
		m.down(nil)
	}
	// Without cancelation: the grace begins now.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), mailGrace)
	defer cancel()
	stop := context.AfterFunc(grace, conns.closeAll)
	defer stop()
	conns.closeIdle()
	_ = server.Shutdown(context.WithoutCancel(ctx)) // waits for the last connection, which grace closes
	if err == nil {
		<-served
	}
	return err
}

// smtpLog takes what the server has to say. A handshake that failed or a client that went away is everyday on port 25.
type smtpLog struct{ m *Mail }

func (l smtpLog) Printf(format string, v ...any) {
	l.m.log.Debug("mail", "said", line(fmt.Sprintf(format, v...), errorLimit))
}

func (l smtpLog) Println(v ...any) { l.m.log.Debug("mail", "said", line(fmt.Sprint(v...), errorLimit)) }

// mailSession is one message after another from one mail server.
type mailSession struct {
	mail  *Mail
	ctx   context.Context
	conn  *smtp.Conn
	from  string
	claim *Claim // of a recipient's address
}

func refused(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if _, encrypted := s.conn.TLSConnectionState(); s.mail.o.RequireTLS && !encrypted {
		return refused(530, smtp.EnhancedCode{5, 7, 0}, "Must issue a STARTTLS command first")
	}
	s.from = from
	return nil
}

// Rcpt takes only addresses that page somebody's reply: what is not ours is refused before its text is read, and by the server
// that sends it, so that nobody innocent gets a bounce.
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	box := s.mail.o.Mailbox
	if !box.ours(to) {
		return refused(550, smtp.EnhancedCode{5, 1, 1}, "no such address here; this server takes replies to pages only")
	}
	if token, ok := box.tokenOf(to); ok {
		claim, err := box.Signer.Verify(token, time.Now())
		switch {
		case errors.Is(err, ErrExpired):
			return refused(550, smtp.EnhancedCode{5, 7, 1}, err.Error())
		case err != nil:
			return refused(550, smtp.EnhancedCode{5, 1, 1}, err.Error())
		case s.claim != nil && *s.claim != claim:
			return refused(452, smtp.EnhancedCode{4, 5, 3}, "one page at a time")
		}
		s.claim = &claim
	}
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	busy(s.conn.Conn(), true)
	defer busy(s.conn.Conn(), false)
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return s.mail.take(s.ctx, s.from, s.claim, body)
}

func (s *mailSession) Reset() { s.from, s.claim = "", nil }

func (s *mailSession) Logout() error { return nil }

// take acts on one message. Its error is what the sending server is told: nil takes the message, 4xx has it brought again.
func (m *Mail) take(ctx context.Context, from string, claim *Claim, body []byte) error {
	letter, err := readLetter(body)
	if err != nil {
		return refused(554, smtp.EnhancedCode{5, 6, 0}, "the message could not be read: "+line(err.Error(), errorLimit))
	}
	if why := letter.automatic(from); why != "" {
		m.log.Info("mail by a machine does nothing", "why", why)
		return nil
	}
	if claim == nil {
		claim, err = m.claimOf(letter.references)
	}
	switch {
	case errors.Is(err, ErrExpired):
		return refused(550, smtp.EnhancedCode{5, 7, 1}, err.Error())
	case claim == nil:
		// The sender may be anybody, whatever From says.
		return refused(550, smtp.EnhancedCode{5, 7, 1}, "only a reply to a page acts; reply to the message that paged you, or open its link")
	}
	sum := sha256.Sum256(body)
	id := "mail/" + cmp.Or(letter.id, hex.EncodeToString(sum[:12]))
	if !m.seen.first(id) {
		return nil
	}
	r := Request{From: Person{ServiceMail, letter.from, letter.name}, Claim: claim, ID: id}
	var ok bool
	r.Command, ok = Parse(letter.text)
	if !ok && strings.TrimSpace(r.Text) == "" && !strings.HasPrefix(strings.ToLower(letter.subject), "re:") {
		r.Command, ok = Parse(letter.subject) // a mailto: link of the page's, or a phone whose mail has a subject only
	}
	switch {
	case !ok && strings.TrimSpace(r.Text) == "":
		m.answer(ctx, letter, "Your reply is empty. To acknowledge, write ack as its first line.")
		return nil
	case !ok:
		// Words without a command are kept and acknowledge nothing: they may be an autoresponder's that does not say so.
		r.Verb = Note
	case r.Incident != "" && r.Incident != claim.Incident:
		m.answer(ctx, letter, fmt.Sprintf("This address is for %s only. To act on %s, reply to its own message.", claim.Incident, r.Incident))
		return nil
	}
	switch r.Verb {
	case Ack, Resolve, Escalate, Snooze, Note, Undo, Show, Page:
		r.Incident = claim.Incident
	}
	reply := ask(ctx, m.desk, m.log, r)
	if reply.Again {
		m.seen.forget(id)
		return refused(451, smtp.EnhancedCode{4, 3, 0}, "not now; try again in a minute")
	}
	text := reply.Text
	if !ok && !reply.Err {
		text = strings.TrimSpace(text + "\n\nYour words were kept as a note. They acknowledge nothing: to acknowledge, write ack as the first line.")
	}
	m.answer(ctx, letter, text)
	return nil
}

// claimOf finds a good claim among the messages that a letter answers. ErrExpired: there was one.
func (m *Mail) claimOf(references []string) (*Claim, error) {
	var late error
	for _, id := range references {
		if token, ok := m.o.Mailbox.tokenOfID(id); ok {
			c, err := m.o.Mailbox.Signer.Verify(token, time.Now())
			if err == nil {
				return &c, nil
			}
			if errors.Is(err, ErrExpired) {
				late = err
			}
		}
	}
	return nil, late
}

func (m *Mail) answer(ctx context.Context, to letter, text string) {
	if m.o.Reply == nil || text == "" || to.from == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	a := MailAnswer{To: to.from, Subject: to.subject, Text: lines(text, textLimit)}
	if !strings.HasPrefix(strings.ToLower(a.Subject), "re:") {
		a.Subject = "Re: " + a.Subject
	}
	if to.id != "" {
		a.InReplyTo = "<" + to.id + ">"
		a.Reference = a.InReplyTo
	}
	if err := m.o.Reply(ctx, a); err != nil {
		err = plain("mail: answering a reply", err)
		m.trouble(err)
		m.log.Warn("an answer by mail was not sent", "err", err)
	}
}
