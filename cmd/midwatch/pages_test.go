package main

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	webkit "github.com/prometheus/exporter-toolkit/web"
)

// TestANameProvesNothingUnlessItWasAsked: whoever acts is only known where the listener wanted a password or a certificate.
func TestANameProvesNothingUnlessItWasAsked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yml")
	changed := time.Now()
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		changed = changed.Add(time.Second) // the clock of files may be coarse
		if err := os.Chtimes(file, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	asked := func(file string) string {
		d := &daemon{}
		d.flags.web = &webkit.FlagConfig{WebConfigFile: &file}
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth("ana", "secret")
		return d.visitor()(r)
	}
	if got := asked(""); got != "" {
		t.Errorf("without a file it is %q", got)
	}
	write("tls_server_config: {}\n")
	if got := asked(file); got != "" {
		t.Errorf("with a file that asks for no password it is %q", got)
	}
	write("basic_auth_users: {ana: $2y$10$abcdefghijklmnopqrstuv}\n")
	if got := asked(file); got != "ana" {
		t.Errorf("with a password it is %q", got)
	}

	passwords := passwordsIn(file)
	if !passwords() {
		t.Error("it asks for passwords")
	}
	write("{}\n")
	if passwords() {
		t.Error("it asks for them no more")
	}

	d := &daemon{}
	d.flags.web = &webkit.FlagConfig{WebConfigFile: new(string)}
	r := httptest.NewRequest("GET", "/", nil)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "bo"}}}}
	if got := d.visitor()(r); got != "" {
		t.Errorf("with a certificate that nobody looked at it is %q", got)
	}
	r.TLS.VerifiedChains = [][]*x509.Certificate{r.TLS.PeerCertificates}
	if got := d.visitor()(r); got != "bo" {
		t.Errorf("with a certificate it is %q", got)
	}
}
