package notify

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// TokenLife is how long an acknowledge link works, if its incident lives as long (SPEC §8).
const TokenLife = 72 * time.Hour

// PushLinkLife is how long a link subscribes browsers: as long as it takes to have the telephone and the computer at hand.
const PushLinkLife = 24 * time.Hour

const (
	tokenVersion = 1
	macLength    = 16 // of HMAC-SHA256's 32 bytes: forging 128 bits is beyond reach, and the link stays short
	keyLength    = 32
	tokenLimit   = 1 << 10 // characters; none of ours comes near, and longer ones are not worth hashing
)

// What a token may be refused for. The texts are for the person who followed the link.
var (
	ErrExpired = errors.New("this link has expired; open the incident to acknowledge it")
	ErrToken   = errors.New("this link is damaged or was not made here; open it from the message again")
)

// A Claim is what an acknowledge link says: who may acknowledge what, because of which page, until when.
type Claim struct {
	Incident string
	User     string
	Page     string    // the page's key, so that the timeline knows which message was answered
	Expires  time.Time // to the second; the link works before it
}

// A Signer makes and checks the tokens of acknowledge links. It is safe for concurrent use.
type Signer struct {
	key     []byte
	purpose string // what its MACs begin with; empty: acknowledge links
}

// NewSigner takes the secret key, at least 32 random bytes. Links made with another key do not verify.
func NewSigner(key []byte) (*Signer, error) {
	if len(key) < keyLength {
		return nil, fmt.Errorf("the key of acknowledge links has %d bytes; give it at least %d random ones", len(key), keyLength)
	}
	return &Signer{key: append([]byte(nil), key...)}, nil
}

// PushLinks makes and checks the tokens of links by which a browser is subscribed to the pages of the claim's user, with the
// same key. They do not pass for those of acknowledge links, nor the other way round. They hold for PushLinkLife; the claim's
// Page is who made the link, and it has no Incident.
func (s *Signer) PushLinks() *Signer {
	return &Signer{key: s.key, purpose: "midwatch push link\x00"}
}

// Sign makes a token that is safe in a URL's path.
//
// Its bytes are: version, expiry in Unix seconds as a varint, the three texts each with its length, and the MAC.
func (s *Signer) Sign(c Claim) string {
	b := []byte{tokenVersion}
	b = binary.AppendVarint(b, c.Expires.Unix())
	for _, text := range []string{c.Incident, c.User, c.Page} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return base64.RawURLEncoding.EncodeToString(append(b, s.mac(b)...))
}

// Verify returns what a token claims. ErrToken is for what was not signed with this key. ErrExpired comes with the claim:
// what it says is true, it is only late.
func (s *Signer) Verify(token string, now time.Time) (Claim, error) {
	if len(token) > tokenLimit {
		return Claim{}, ErrToken
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 1+macLength || b[0] != tokenVersion {
		return Claim{}, ErrToken
	}
	if base64.RawURLEncoding.EncodeToString(b) != token { // the decoder overlooks line ends and stray bits
		return Claim{}, ErrToken
	}
	signed, mac := b[:len(b)-macLength], b[len(b)-macLength:]
	if !hmac.Equal(mac, s.mac(signed)) {
		return Claim{}, ErrToken
	}
	c, ok := parseClaim(signed[1:])
	if !ok {
		return Claim{}, ErrToken
	}
	if !now.Before(c.Expires) {
		return c, ErrExpired
	}
	return c, nil
}

func parseClaim(b []byte) (Claim, bool) {
	seconds, n := binary.Varint(b)
	if n <= 0 {
		return Claim{}, false
	}
	b = b[n:]
	var texts [3]string
	for i := range texts {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return Claim{}, false
		}
		b = b[n:]
		texts[i], b = string(b[:length]), b[length:]
	}
	return Claim{Incident: texts[0], User: texts[1], Page: texts[2], Expires: time.Unix(seconds, 0).UTC()}, len(b) == 0
}

// mac signs for this purpose alone: the same key may serve another without one passing for the other.
func (s *Signer) mac(b []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(cmp.Or(s.purpose, "midwatch acknowledge link\x00")))
	h.Write(b)
	return h.Sum(nil)[:macLength]
}
