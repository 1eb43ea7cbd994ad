package chat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ReplyLife is how long a reply to a page acts, as long as a link to acknowledge does (SPEC §8).
const ReplyLife = 72 * time.Hour

const (
	claimVersion = 1
	claimMAC     = 10 // bytes of HMAC-SHA256: 80 bits hold against guessing over SMTP, and an address has room for few
	keyLength    = 32
	claimLimit   = 200 // characters; longer ones are none of ours
	localLimit   = 64  // octets of an address before the @ (RFC 5321, 4.5.3.1.1)
)

// What a reply may be refused for. The texts go back to the sender's mail server.
var (
	ErrExpired = errors.New("this address has expired; open the incident to act on it")
	ErrClaim   = errors.New("this address was not made here; reply to the message that paged you")
)

// A Claim is what the address of a reply says: who may act on which incident, until when.
type Claim struct {
	Incident string // INC-12; no other form fits
	User     string
	Expires  time.Time // rounded up to the hour
}

// Signer makes and checks the claims in addresses. Mail servers change the case of addresses, so it has one case only, and
// RFC 5321 leaves them 64 characters: that is why these are not the tokens of links. It is safe for concurrent use.
type Signer struct{ key []byte }

// NewSigner takes a secret key of at least 32 random bytes. It may be the one of the links: what is signed says what for.
func NewSigner(key []byte) (*Signer, error) {
	if len(key) < keyLength {
		return nil, fmt.Errorf("the key of reply addresses has %d bytes; give it at least %d random ones", len(key), keyLength)
	}
	return &Signer{key: append([]byte(nil), key...)}, nil
}

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Sign makes a token of lower-case letters and digits.
//
// Its bytes are: version, expiry in hours since 1970 and the incident's number as varints, the user, and the MAC.
func (s *Signer) Sign(c Claim) (string, error) {
	digits, ok := strings.CutPrefix(c.Incident, "INC-")
	n, err := strconv.ParseUint(digits, 10, 63)
	if !ok || err != nil || c.Incident != "INC-"+strconv.FormatUint(n, 10) {
		return "", fmt.Errorf("incident %q has no number; it is named INC-1 and so on", c.Incident)
	}
	hours := (c.Expires.Unix() + 3599) / 3600
	if hours < 0 {
		return "", fmt.Errorf("a reply's expiry, %v, is before 1970", c.Expires)
	}
	b := []byte{claimVersion}
	b = binary.AppendUvarint(b, uint64(hours))
	b = binary.AppendUvarint(b, n)
	b = append(b, c.User...)
	return base32Lower.EncodeToString(append(b, s.mac(b)...)), nil
}

// Verify returns what a token claims. ErrClaim is for what was not signed with this key; ErrExpired comes with the claim.
func (s *Signer) Verify(token string, now time.Time) (Claim, error) {
	if len(token) > claimLimit {
		return Claim{}, ErrClaim
	}
	token = strings.ToLower(token)
	b, err := base32Lower.DecodeString(token)
	if err != nil || len(b) < 1+claimMAC || b[0] != claimVersion || base32Lower.EncodeToString(b) != token {
		return Claim{}, ErrClaim
	}
	signed, mac := b[:len(b)-claimMAC], b[len(b)-claimMAC:]
	if !hmac.Equal(mac, s.mac(signed)) {
		return Claim{}, ErrClaim
	}
	rest := signed[1:]
	hours, n := binary.Uvarint(rest)
	if n <= 0 || hours > 1<<40 {
		return Claim{}, ErrClaim
	}
	rest = rest[n:]
	number, n := binary.Uvarint(rest)
	if n <= 0 {
		return Claim{}, ErrClaim
	}
	c := Claim{
		Incident: "INC-" + strconv.FormatUint(number, 10),
		User:     string(rest[n:]),
		Expires:  time.Unix(int64(hours)*3600, 0).UTC(),
	}
	if !now.Before(c.Expires) {
		return c, ErrExpired
	}
	return c, nil
}

func (s *Signer) mac(b []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("midwatch reply address\x00"))
	h.Write(b)
	return h.Sum(nil)[:claimMAC]
}

// A Mailbox is where replies to pages go: Name@Domain, with what the sender may do after a plus sign.
type Mailbox struct {
	Name   string // before the plus: "ack"
	Domain string // "mw.example.org"
	Signer *Signer
}

// Address is what a page's Reply-To holds. It is empty where the claim does not fit into an address, as with a user's name of
// more than about twenty letters; a reply is then known by the page's Message-ID alone.
func (m Mailbox) Address(c Claim) string {
	token, err := m.Signer.Sign(c)
	if local := m.Name + "+" + token; err == nil && len(local) <= localLimit {
		return local + "@" + m.Domain
	}
	return ""
}

// MessageID is the Message-ID of a page, by which a reply is known through In-Reply-To and References. Unique tells the pages
// of one claim apart: the page's key. The error is for an incident that has no number.
func (m Mailbox) MessageID(c Claim, unique string) (string, error) {
	token, err := m.Signer.Sign(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(unique))
	return "<" + token + "." + hex.EncodeToString(sum[:6]) + "@" + m.Domain + ">", nil
}

// tokenOf finds the token in an address of this mailbox.
func (m Mailbox) tokenOf(address string) (string, bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || !strings.EqualFold(address[at+1:], m.Domain) {
		return "", false
	}
	name, token, ok := strings.Cut(address[:at], "+")
	return token, ok && strings.EqualFold(name, m.Name)
}

// tokenOfID finds the token in a Message-ID of this mailbox, given without its angle brackets.
func (m Mailbox) tokenOfID(id string) (string, bool) {
	at := strings.LastIndexByte(id, '@')
	if at < 0 || !strings.EqualFold(id[at+1:], m.Domain) {
		return "", false
	}
	token, _, ok := strings.Cut(id[:at], ".")
	return token, ok
}

// ours says whether mail to an address is for this mailbox at all.
func (m Mailbox) ours(address string) bool {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || !strings.EqualFold(address[at+1:], m.Domain) {
		return false
	}
	name, _, _ := strings.Cut(address[:at], "+")
	return strings.EqualFold(name, m.Name)
}
