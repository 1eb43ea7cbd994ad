package engine

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/router"
)

// TestAGroupIsStoredAsEver: what is written by hand is what reflection writes, but for how characters are escaped that need
// not be.
func TestAGroupIsStoredAsEver(t *testing.T) {
	if n := reflect.TypeFor[router.Group]().NumField(); n != 9 {
		t.Errorf("a group has %d fields; encodeGroup knows of 9, of which Next is not stored", n)
	}
	canonical := func(t *rapid.T, record []byte) []byte {
		var v any
		d := json.NewDecoder(bytes.NewReader(record))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", record, err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	text := rapid.OneOf(rapid.SampledFrom([]string{"", `{}/{team="db"}`, `a"b\c`, "<&>", "\x00\x1f\x7f", "\u2028é", "\xff"}), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()
		if rapid.Bool().Draw(t, "elsewhere") && at.Year() > 1 && at.Year() < 9999 {
			at = at.In(time.FixedZone("", 20700))
		}
		g := router.Group{
			ID: text.Draw(t, "id"), RouteID: text.Draw(t, "route"), Key: text.Draw(t, "key"), Receiver: text.Draw(t, "receiver"),
			Labels: router.LabelsOf(rapid.MapOfN(text, text, 0, 3).Draw(t, "labels")),
			Anchor: at, Interval: time.Duration(rapid.Int64().Draw(t, "interval")), Cleared: at.Add(time.Nanosecond),
		}
		if rapid.Bool().Draw(t, "never cleared") {
			g.Cleared = time.Time{}
		}
		if got, want := canonical(t, encodeGroup(&g)), canonical(t, encode("group", g)); !bytes.Equal(got, want) {
			t.Fatalf("it is\n%s\nwant\n%s", got, want)
		}
	})
}
