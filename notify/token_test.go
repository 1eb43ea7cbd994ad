package notify

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var testKey = []byte("an acknowledge key of 32 bytes!!")

func signer(t interface{ Fatal(...any) }, key []byte) *Signer {
	s, err := NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestALinkIsWhatItClaims(t *testing.T) {
	s := signer(t, testKey)
	claim := Claim{Incident: "INC-1", User: "bo", Page: "INC-1/2/bo-chat/1", Expires: at("03:00:00").Add(TokenLife)}
	token := s.Sign(claim)
	if token != url.PathEscape(token) || len(token) > 80 {
		t.Errorf("not fit for a short URL: %q (%d)", token, len(token))
	}
	if got, err := s.Verify(token, at("03:00:00")); err != nil || got != claim {
		t.Errorf("got %+v, %v", got, err)
	}
	if again := s.Sign(claim); again != token {
		t.Error("a repeated page has another link")
	}
}

func TestLinksDie(t *testing.T) {
	s := signer(t, testKey)
	claim := Claim{Incident: "INC-1", User: "bo", Page: "p", Expires: at("03:00:00")}
	token := s.Sign(claim)
	if _, err := s.Verify(token, at("02:59:59")); err != nil {
		t.Errorf("a second before: %v", err)
	}
	got, err := s.Verify(token, at("03:00:00"))
	if !errors.Is(err, ErrExpired) || got != claim {
		t.Errorf("at its end: %+v, %v", got, err)
	}
}

// Change a letter, use another key, add or take something: none of it passes.
func TestForgedLinks(t *testing.T) {
	s := signer(t, testKey)
	token := s.Sign(Claim{Incident: "INC-1", User: "bo", Page: "p", Expires: at("03:00:00")})
	now := at("02:00:00")
	forged := []string{"", "A", token + "A", token + "=", token + "\n", "\r\n" + token, token[1:], token[:len(token)-1], strings.Repeat("A", 1<<20), "ÅÄÖ", token + token}
	for i := range token {
		for _, c := range []byte("AQgwx_-9 ") {
			if changed := token[:i] + string(c) + token[i+1:]; changed != token {
				forged = append(forged, changed)
			}
		}
	}
	for _, f := range forged {
		if c, err := s.Verify(f, now); !errors.Is(err, ErrToken) || c != (Claim{}) {
			t.Errorf("%.80q passes: %+v, %v", f, c, err)
		}
	}
	other := signer(t, bytes.Repeat([]byte{7}, 64))
	if _, err := other.Verify(token, now); !errors.Is(err, ErrToken) {
		t.Errorf("with another key: %v", err)
	}
}

func TestShortKeysAreRefused(t *testing.T) {
	if _, err := NewSigner(testKey[:31]); err == nil || strings.Contains(err.Error(), "acknowledge key") {
		t.Errorf("got %v", err)
	}
	key := bytes.Clone(testKey)
	s := signer(t, key)
	token := s.Sign(Claim{Incident: "INC-1", Expires: at("03:00:00")})
	key[0]++ // the caller wipes his copy
	if _, err := s.Verify(token, at("02:00:00")); err != nil {
		t.Errorf("the signer depends on the caller's slice: %v", err)
	}
}

func TestEveryClaimComesBack(t *testing.T) {
	s := signer(t, testKey)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 40, 120)
		c := Claim{
			Incident: text.Draw(t, "incident"), User: text.Draw(t, "user"), Page: text.Draw(t, "page"),
			Expires: time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "expires"), 0).UTC(),
		}
		got, err := s.Verify(s.Sign(c), c.Expires.Add(-time.Second))
		if err != nil || got != c {
			t.Fatalf("got %+v, %v, want %+v", got, err, c)
		}
	})
}

// Whatever comes, nothing panics, and only what was signed is accepted.
func FuzzVerify(f *testing.F) {
	s := signer(f, testKey)
	now := at("03:00:00")
	good := s.Sign(Claim{Incident: "INC-1", User: "bo", Page: "p", Expires: now.Add(TokenLife)})
	f.Add(good)
	f.Add(good[:20])
	f.Add("")
	f.Add("AQAAAA")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := s.Verify(token, now)
		if err == nil || errors.Is(err, ErrExpired) {
			if s.Sign(c) != token {
				t.Errorf("accepted %q, which was not signed", token)
			}
		}
		parseClaim([]byte(token)) // behind the signature, and still no panic
	})
}
