package notify

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// VAPIDKeyLength is how many bytes NewVAPID takes: a private scalar of P-256.
const VAPIDKeyLength = 32

const (
	// vapidLife is how long a token holds. RFC 8292 allows 24 hours; half of it leaves room for clocks that differ.
	vapidLife = 12 * time.Hour

	pushRecord = 4096 // bytes of the one record, the most that every push service takes (RFC 8291 §4)
	pushSalt   = 16
	pushPoint  = 65 // bytes of an uncompressed point of P-256
	pushAuth   = 16 // bytes of a browser's secret
	pushEnd    = 2  // the octet that ends the last record (RFC 8188 §2)
)

// A VAPID is the key by which push services know that messages come from whom the browser subscribed to (RFC 8292).
type VAPID struct {
	key    *ecdsa.PrivateKey
	public string
}

// NewVAPID takes the secret key. A subscription made for another key does not hold for this one.
func NewVAPID(secret []byte) (*VAPID, error) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
	if err != nil {
		return nil, fmt.Errorf("it is no key of web push, which is a number of %d bytes below the order of P-256: %w", VAPIDKeyLength, err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	return &VAPID{key: key, public: base64.RawURLEncoding.EncodeToString(point)}, nil
}

// NewVAPIDKey makes a secret key.
func NewVAPIDKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return key.Bytes()
}

// Public is the public key as browsers take it: base64url of the uncompressed point.
func (v *VAPID) Public() string { return v.public }

// authorization is the header for one request to an endpoint, and the token in it. contact is whom the push service can reach if
// something is wrong, as mailto: or https:; empty: nobody.
func (v *VAPID) authorization(endpoint *url.URL, contact string, now time.Time) (header, token string, err error) {
	claims, err := json.Marshal(struct {
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
		Subject  string `json:"sub,omitempty"`
	}{endpoint.Scheme + "://" + endpoint.Host, now.Add(vapidLife).Unix(), contact})
	if err != nil {
		return "", "", err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + b64(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, v.key, sum[:])
	if err != nil {
		return "", "", err
	}
	signature := make([]byte, 64) // of JWS: both numbers, not ASN.1 (RFC 7518 §3.4)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	token = signed + "." + b64(signature)
	return "vapid t=" + token + ", k=" + v.public, token, nil
}

// seal encrypts a message for one browser by RFC 8291: the push service carries it and cannot read it.
func seal(plain []byte, b Browser) ([]byte, error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, pushSalt)
	_, _ = rand.Read(salt) // never fails
	return sealWith(plain, b, key, salt)
}

// sealWith is seal with what it does by chance.
func sealWith(plain []byte, b Browser, key *ecdh.PrivateKey, salt []byte) ([]byte, error) {
	theirs, err := ecdh.P256().NewPublicKey(b.Key)
	if err != nil {
		return nil, err
	}
	shared, err := key.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	ours := key.PublicKey().Bytes()
	input, err := hkdf.Key(sha256.New, shared, b.Auth, "WebPush: info\x00"+string(b.Key)+string(ours), 32)
	if err != nil {
		return nil, err
	}
	content, err := hkdf.Key(sha256.New, input, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, input, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(content)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), salt...)
	out = binary.BigEndian.AppendUint32(out, pushRecord)
	out = append(append(out, byte(len(ours))), ours...)
	record := append(append([]byte(nil), plain...), pushEnd)
	if len(record)+gcm.Overhead() > pushRecord-len(out) { // stricter than the record, since the header is not a part of it
		return nil, fmt.Errorf("the message has %d bytes, more than a push service takes", len(plain))
	}
	return gcm.Seal(out, nonce, record, nil), nil
}
