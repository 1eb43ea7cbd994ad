package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// PingKey is the secret in the address at which a heartbeat is pinged, where the configuration gives none. It follows
// from the key and the heartbeat's name, so that it is the same after every restart, and no other's.
func (s *Signer) PingKey(heartbeat string) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("midwatch heartbeat ping\x00"))
	h.Write([]byte(heartbeat))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:macLength])
}
