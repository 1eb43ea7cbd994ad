package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// signingPrefix begins the secrets of Standard Webhooks (https://www.standardwebhooks.com).
	signingPrefix = "whsec_"

	// The lengths of a key that the specification allows, in bytes.
	leastSigningKey = 24
	mostSigningKey  = 64
)

// CheckSigningSecret says what is wrong with a secret of Standard Webhooks; the error never holds it.
func CheckSigningSecret(secret string) error {
	_, err := signingKey(secret)
	return err
}

// signingKey is the key in a secret: base64 after whsec_.
func signingKey(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, signingPrefix)
	if !ok {
		return nil, errors.New("a signing secret begins with whsec_; make one with: echo whsec_$(openssl rand -base64 32)")
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		if key, err = base64.RawStdEncoding.DecodeString(text); err != nil {
			return nil, errors.New("what follows whsec_ is not base64; make a secret with: echo whsec_$(openssl rand -base64 32)")
		}
	}
	if len(key) < leastSigningKey || len(key) > mostSigningKey {
		return nil, fmt.Errorf("a signing secret has %d to %d bytes, not %d; make one with: echo whsec_$(openssl rand -base64 32)", leastSigningKey, mostSigningKey, len(key))
	}
	return key, nil
}

// sign adds the headers of Standard Webhooks: who reads the body can know that it is ours, whole, and from now. With
// several secrets each signs, so that a secret can be replaced without a moment in which none fits.
//
// id is the idempotency key; a full stop in it would make it possible to take a part of the id for the time.
func sign(h http.Header, secrets []Secret, id string, body []byte, now time.Time) error {
	if len(secrets) == 0 {
		return nil
	}
	id = strings.ReplaceAll(id, ".", "_")
	at := strconv.FormatInt(now.Unix(), 10)
	var signatures []string
	for _, s := range secrets {
		text, err := s.read("signing_secret")
		if err != nil {
			return err
		}
		key, err := signingKey(text)
		if err != nil {
			return err
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + at + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", at)
	h.Set("webhook-signature", strings.Join(signatures, " "))
	return nil
}
