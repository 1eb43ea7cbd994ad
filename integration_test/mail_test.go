//go:build linux

package integration_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// mailUser and mailPassword are what both mail servers ask for, with PLAIN or LOGIN, after STARTTLS.
const (
	mailUser     = "midwatch"
	mailPassword = "three-in-the-morning"
)

// mailConfig is the `global` section that makes midwatch use a mail server of these tests.
func mailConfig(addr string, c certificate) string {
	return fill(`global:
  smtp_smarthost: ADDR
  smtp_from: midwatch@example.org
  smtp_auth_username: USER
  smtp_auth_password: PASSWORD
  smtp_tls_config: {ca_file: CERTIFICATE}
`, "ADDR", addr, "USER", mailUser, "PASSWORD", mailPassword, "CERTIFICATE", c.certFile)
}

// A letter is a mail as it arrived, decoded.
type letter struct {
	To, Subject, MessageID string
	Header                 mail.Header
	Text, HTML             string
}

func parseLetter(t testing.TB, raw string) letter {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%s in the mail:\n%s", err, raw)
	}
	var l letter
	l.Header = m.Header
	l.To, l.MessageID = m.Header.Get("To"), m.Header.Get("Message-Id")
	if l.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("the mail is %s (%v), want multipart/alternative:\n%s", kind, err, raw)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return l
		}
		if err != nil {
			t.Fatalf("%s in the mail:\n%s", err, raw)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatalf("%s in the mail:\n%s", err, raw)
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			l.HTML = string(text)
		} else {
			l.Text = strings.ReplaceAll(string(text), "\r\n", "\n")
		}
	}
}

var ackLink = regexp.MustCompile(`https?://[^\s"<>]+/ack/[^\s"<>]+`)

// ackPath takes the link to acknowledge out of a text. It is for the people; the daemon is somewhere else in a test.
func ackPath(t testing.TB, text string) string {
	t.Helper()
	link := ackLink.FindString(text)
	u, err := url.Parse(link)
	if err != nil || link == "" {
		t.Fatalf("no link to acknowledge (%v) in:\n%s", err, text)
	}
	if got := u.Scheme + "://" + u.Host; got != publicURL {
		t.Errorf("the link to acknowledge goes to %s, want --web.external-url %s", got, publicURL)
	}
	return u.EscapedPath()
}

// A certificate is self-signed for 127.0.0.1, in two files.
type certificate struct {
	certFile, keyFile string
	pair              tls.Certificate
}

func newCertificate(t testing.TB) certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	public, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := certificate{certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem")}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	write(t, c.certFile, string(certPEM))
	write(t, c.keyFile, string(keyPEM))
	if c.pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return c
}
