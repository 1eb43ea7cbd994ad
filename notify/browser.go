package notify

import (
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// MaxBrowsers is how many browsers one user may subscribe: some telephones and computers, and as many again that were
// replaced and whose push service has not said so yet.
const MaxBrowsers = 10

// maxEndpoint is how long the address of a subscription may be, in bytes. Those of the known push services have up to a
// thousand, and with its keys one must fit into a memo of 4 KiB.
const maxEndpoint = 2 << 10

// A Browser is one subscription to a user's pages: where the browser's push service takes messages for it, and for whose eyes
// they are sealed. The endpoint is a secret: who knows it and the keys can show the user anything.
type Browser struct {
	Endpoint string    `json:"endpoint"`
	Key      []byte    `json:"key"`             // the browser's public key, an uncompressed point of P-256
	Auth     []byte    `json:"auth"`            // the browser's secret
	Agent    string    `json:"agent,omitempty"` // what it is, in words: "Firefox on Android"
	By       string    `json:"by,omitempty"`    // who made the link by which it was subscribed
	At       time.Time `json:"at"`              // since when
}

// NewBrowser reads a subscription as a browser gives it (PushSubscription.toJSON). With private its push service may be in a
// private network. The error is for the person who looks at the browser.
func NewBrowser(endpoint, p256dh, auth string, private bool) (Browser, error) {
	if err := CheckEndpoint(endpoint, private); err != nil {
		return Browser{}, err
	}
	b := Browser{Endpoint: endpoint}
	var err error
	if b.Key, err = base64URL(p256dh); err == nil {
		_, err = ecdh.P256().NewPublicKey(b.Key)
	}
	if err != nil || len(b.Key) != pushPoint {
		return Browser{}, errors.New("the subscription's key p256dh is not a point of P-256; load the page again and subscribe anew")
	}
	if b.Auth, err = base64URL(auth); err != nil || len(b.Auth) != pushAuth {
		return Browser{}, fmt.Errorf("the subscription's key auth is not of %d bytes; load the page again and subscribe anew", pushAuth)
	}
	return b, nil
}

// base64URL reads base64url with or without padding: browsers write none, some libraries do.
func base64URL(text string) ([]byte, error) {
	return base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
}

// ID tells subscriptions apart, and tells nothing about them.
func (b Browser) ID() string {
	sum := sha256.Sum256([]byte(b.Endpoint))
	return hex.EncodeToString(sum[:8])
}

// Service is the host of the push service.
func (b Browser) Service() string {
	u, err := url.Parse(b.Endpoint)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// name is how answers call it.
func (b Browser) name() string {
	if b.Agent == "" {
		return b.Service()
	}
	return b.Agent
}

// CheckEndpoint says what is wrong with the address of a push service. It comes from a browser, that is, from outside, and
// requests are made to it: without private it must not lead into our own network. What its name leads to is looked at
// again when a connection is made.
func CheckEndpoint(endpoint string, private bool) error {
	u, err := url.Parse(endpoint)
	switch {
	case len(endpoint) > maxEndpoint:
		return fmt.Errorf("the push service's address is longer than %d bytes; subscribe with another browser", maxEndpoint)
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return errors.New("the push service's address is not a URL; load the page again and subscribe anew")
	case u.User != nil || u.Fragment != "":
		return errors.New("the push service's address has a name, a password or a fragment in it; load the page again and subscribe anew")
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	addr, err := netip.ParseAddr(host)
	isAddr := err == nil
	loopback := host == "localhost" || strings.HasSuffix(host, ".localhost") || isAddr && addr.Unmap().IsLoopback()
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback):
		return errors.New("the push service's address does not begin with https://; subscribe with another browser")
	case private:
		return nil
	case loopback, isAddr && !public(addr), !isAddr && inner(host):
		return fmt.Errorf("the push service %s is in a private network; if that is meant, set private_services: true in the contact method web_push", host)
	}
	return nil
}

// inner says whether a name has no meaning outside of one's own network.
func inner(host string) bool {
	if !strings.Contains(host, ".") {
		return true
	}
	for _, end := range []string{".local", ".internal", ".intranet", ".lan", ".home.arpa"} {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return false
}

// notPublic are the networks beside those that netip knows, from IANA's registries of special-purpose addresses: carriers' NAT,
// protocol assignments, benchmarks, reserved ones, and those of IPv6 that wrap an address of IPv4.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// public says whether an address is anybody's, and not of a network of one's own.
func public(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// errPrivate is why no connection is made.
var errPrivate = errors.New("the push service's name leads into a private network; if that is meant, set private_services: true in the contact method web_push")

// pushDial connects to public addresses only. It looks at the address that the connection goes to, so a name that means one thing
// when it is checked and another when it is used leads nowhere.
func pushDial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !public(at.Addr()) {
			return errPrivate
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}
