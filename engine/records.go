package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Keys of the store. Numbers are of fixed width, so that their order is that of the bytes.
const (
	keyFormat      = "meta/format"   // the version of this layout
	keyAlive       = "meta/alive"    // when the last turn was written
	prefJournal    = "alert/j/"      // <seq>: the alerts that one turn changed
	prefSnapshot   = "alert/s/"      // <generation>/<chunk>: the whole table, folded
	keyGeneration  = "alert/current" // which snapshot is whole, and where the journal goes on
	prefGroup      = "group/"        // <seq>, or of earlier versions <id>
	prefLog        = "log/"          // <seq>, or of earlier versions <id>: what a receiver was last told of a group
	prefIncident   = "incident/"     // <number>
	prefLadder     = "ladder/"       // <number>: only of an incident that is not over and done with
	prefMember     = "member/"       // <number>/<seq>: fingerprints that joined; likewise
	prefDelivery   = "delivery/"     // <key>: sent, outcome not known
	prefEvent      = "event/"        // <seq>/<incident number>: history
	prefTimeline   = "timeline/"     // <number>/<seq>: which events are an incident's; empty
	prefAttempt    = "attempt/"      // <seq>: the delivery log
	prefTurn       = "turn/"         // <policy>/<step>: round robin
	prefOverride   = "override/"     // <schedule>/<seq>
	keyNumber      = "meta/number"   // of the newest override or absence made at run time
	prefSwap       = "swap/"         // <number>
	prefAbsence    = "absence/"      // <user>/<seq>
	prefMemo       = "memo/"         // <name>
	prefSLO        = "slo/"          // <name>/<hash of the values>
	prefCorrection = "correction/"   // <number>
	prefFeed       = "feed/"         // <number>
	prefBill       = "watch/"        // <schedule>: who is on call, and who is next
	prefWatch      = "oncall/"       // <schedule>/<seq>: who was on call from when on
	prefSilence    = "silence/"      // <id>
	prefPlan       = "plan/"         // <name>: a recurring silence
	prefHeartbeat  = "heartbeat/"    // <name>
	prefPast       = "past/"         // <seq>: alerts that ended
)

const layout = 1 // version of the keys above

func num(n int) string       { return padded(strconv.Itoa(n), 10) }
func seqKey(n uint64) string { return padded(strconv.FormatUint(n, 16), seqWidth) }

const seqWidth = 16

func padded(digits string, width int) string {
	const zeros = "0000000000000000"
	return zeros[:max(0, width-len(digits))] + digits
}

func memberKey(n int, seq uint64) string { return prefMember + num(n) + "/" + seqKey(seq) }

func timelineKey(n int, seq uint64) string { return prefTimeline + num(n) + "/" + seqKey(seq) }

// deliveryKey is where a delivery is stored. A receiver's name, and so its own key, may be longer than a store's.
func deliveryKey(key string) string {
	if len(key) <= maxDeliveryKey {
		return prefDelivery + key
	}
	sum := sha256.Sum256([]byte(key))
	return prefDelivery + strings.ToValidUTF8(key[:maxDeliveryKey/2], "") + "#" + hex.EncodeToString(sum[:])
}

const maxDeliveryKey = 500

func eventKey(seq uint64, incident int) string {
	return prefEvent + seqKey(seq) + "/" + strconv.Itoa(incident)
}

func parseEventKey(key string) (seq uint64, incident int, err error) {
	s, n, ok := strings.Cut(strings.TrimPrefix(key, prefEvent), "/")
	if !ok {
		return 0, 0, fmt.Errorf("key %q is not of the form %s<seq>/<incident>", key, prefEvent)
	}
	if seq, err = strconv.ParseUint(s, 16, 64); err != nil {
		return 0, 0, fmt.Errorf("key %q: %w", key, err)
	}
	if incident, err = strconv.Atoi(n); err != nil {
		return 0, 0, fmt.Errorf("key %q: %w", key, err)
	}
	return seq, incident, nil
}

// An envelope is the stored form of a value: what it is, in which version of its form, and the value.
type envelope struct {
	Kind    string          `json:"kind"`
	Version int             `json:"version"`
	Value   json.RawMessage `json:"value"`
}

// upgrades turn the stored value of one version into the next one's, by kind. The current version of a kind is the
// length of its list, plus one. Golden records of every version are in testdata.
var upgrades = map[string][]func(json.RawMessage) (json.RawMessage, error){
	"group":      {},
	"incident":   {unchanged}, // 2: of a heartbeat
	"ladder":     {},
	"member":     {},
	"delivery":   {unchanged, unchanged}, // 2: notices about time on call; 3: test pages
	"event":      {},
	"attempt":    {unchanged}, // 2: several incidents
	"turn":       {},
	"override":   {unchanged}, // 2: who made it, when, and by which swap
	"number":     {},
	"swap":       {},
	"absence":    {},
	"bill":       {},
	"feed":       {},
	"slo":        {},
	"correction": {},
	"memo":       {},
	"watch":      {},
	"silence":    {},
	"plan":       {},
	"heartbeat":  {},
	"past":       {},
	"format":     {},
	"alive":      {},
	"current":    {},
}

// unchanged is the upgrade to a version that only has more members.
func unchanged(value json.RawMessage) (json.RawMessage, error) { return value, nil }

func encode(kind string, v any) []byte {
	if _, known := upgrades[kind]; !known {
		panic("no stored kind is called " + kind)
	}
	var b bytes.Buffer
	b.Grow(512) // most take less
	b.WriteString(opening(kind))
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // nobody shows this in a page
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("a %s cannot be stored: %v", kind, err)) // only our own types come here
	}
	b.Truncate(b.Len() - 1) // the line's end
	b.WriteByte('}')
	return b.Bytes()
}

// opening is how a stored value of the kind begins, in the version of today.
func opening(kind string) string {
	return fmt.Sprintf(`{"kind":%q,"version":%d,"value":`, kind, len(upgrades[kind])+1)
}

// decode reads a stored value of the kind into v, upgrading it from older versions on the way.
func decode(kind string, data []byte, v any) error {
	// What needs no upgrade is read where it stands: the budgets of a large house are a hundred megabytes.
	if value, ok := bytes.CutPrefix(data, []byte(opening(kind))); ok && bytes.HasSuffix(value, []byte("}")) {
		if json.Unmarshal(value[:len(value)-1], v) == nil {
			return nil
		}
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("a stored %s cannot be read: %w", kind, err)
	}
	steps := upgrades[kind]
	switch {
	case e.Kind != kind:
		return fmt.Errorf("a %s is stored where a %s belongs", e.Kind, kind)
	case e.Version < 1:
		return fmt.Errorf("a stored %s has version %d", kind, e.Version)
	case e.Version > len(steps)+1:
		return fmt.Errorf("a stored %s has version %d, newer than this midwatch knows (%d); start the newer one again", kind, e.Version, len(steps)+1)
	}
	for _, up := range steps[e.Version-1:] {
		var err error
		if e.Value, err = up(e.Value); err != nil {
			return fmt.Errorf("a stored %s of version %d cannot be upgraded: %w", kind, e.Version, err)
		}
	}
	if err := json.Unmarshal(e.Value, v); err != nil {
		return fmt.Errorf("a stored %s cannot be read: %w", kind, err)
	}
	return nil
}
