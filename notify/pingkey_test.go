package notify

import (
	"bytes"
	"testing"
	"time"
)

func TestPingKeysAreOneEach(t *testing.T) {
	signer := func(fill byte) *Signer {
		s, err := NewSigner(bytes.Repeat([]byte{fill}, keyLength))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := signer(1)
	key := s.PingKey("backup")
	if want := "Rv1_YbHa2_lFS1cDTutiSg"; key != want { // it is in people's crontabs
		t.Errorf("the key is %q, want %q", key, want)
	}
	if key == s.PingKey("backups") || key == signer(2).PingKey("backup") {
		t.Error("two heartbeats, or two servers, have one key")
	}
	if _, err := s.Verify(key, time.Now()); err == nil {
		t.Error("it acknowledges incidents")
	}
}
