package bolt

import (
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/midwatch/midwatch/store"
)

// On disk there is one bucket for each first segment of the keys: "alert/7/2" is "/7/2" in the bucket
// "alert/". The slash is kept on both sides. In the name, it makes the order of the buckets the order of
// the keys ("a-x/" < "a/", as "a-x/1" < "a/1"; "a-x" < "a" would be the other way round). In the key, it
// keeps "alert/" itself from being empty, which bbolt does not allow.
//
// Two buckets have names without a slash and so are never a segment's.
const (
	plainBucket = "plain"    // keys without any slash, whole
	ownBucket   = "midwatch" // what the file says about itself, as records:
	keyFormat   = "format"   // the version of this layout
	keyLast     = "last"     // the tally after the last commit, at its revision
)

// format is the layout that this package reads and writes.
const format = "1"

// place returns where key is on disk.
func place(key string) (bucket, rest string) {
	if i := strings.IndexByte(key, '/'); i >= 0 {
		return key[:i+1], key[i:]
	}
	return plainBucket, key
}

// prefix is what precedes the keys inside of bucket.
func prefix(bucket string) string {
	segment, found := strings.CutSuffix(bucket, "/")
	if !found {
		return ""
	}
	return segment
}

// A value on disk is preceded by its revision and a checksum over key, revision and value: bbolt notices
// a torn page, and not a flipped bit.
const recordHeader = 8 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is the disk form of value; it shares no memory with it.
func record(key string, revision int64, value []byte) []byte {
	return appendRecord(make([]byte, 0, recordHeader+len(value)), key, revision, value)
}

// appendRecord appends the record to b.
func appendRecord(b []byte, key string, revision int64, value []byte) []byte {
	from := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(revision))
	b = append(b, 0, 0, 0, 0)
	b = append(b, value...)
	r := b[from:]
	binary.BigEndian.PutUint32(r[8:], checksum(r, key))
	return b
}

// item is the one place where what bbolt lends us is copied out. ok is false if the record is damaged.
func item(key string, r []byte) (_ store.Item, ok bool) {
	if !intact(r, key) {
		return store.Item{}, false
	}
	return store.Item{
		Key:      key,
		Value:    append([]byte{}, r[recordHeader:]...),
		Revision: revisionOf(r),
	}, true
}

func intact(r []byte, key string) bool {
	return len(r) >= recordHeader && binary.BigEndian.Uint32(r[8:]) == checksum(r, key)
}

// revisionOf is 0 for no record.
func revisionOf(r []byte) int64 {
	if len(r) < recordHeader {
		return 0
	}
	return int64(binary.BigEndian.Uint64(r))
}

// checksumOf is the checksum that is written in r.
func checksumOf(r []byte) uint64 { return uint64(binary.BigEndian.Uint32(r[8:])) }

func checksum(r []byte, key string) uint32 {
	sum := crc32.Update(0, castagnoli, r[:8])
	sum = crc32.Update(sum, castagnoli, r[recordHeader:])
	return crc32.Update(sum, castagnoli, []byte(key))
}

// A tally is what all records together come to. A page that has lost some of its keys, or that refers to an
// older copy of another page, is sound by itself; only the tally tells.
type tally struct {
	keys uint64
	sum  uint64 // of the checksums
}

func (t *tally) add(r []byte) {
	t.keys++
	t.sum += checksumOf(r)
}

// remove takes out r, if there was one.
func (t *tally) remove(r []byte) {
	if len(r) >= recordHeader {
		t.keys--
		t.sum -= checksumOf(r)
	}
}

// record is the tally on disk, after the commit of this revision.
func (t tally) record(revision int64) []byte {
	value := binary.BigEndian.AppendUint64(nil, t.keys)
	return record(keyLast, revision, binary.BigEndian.AppendUint64(value, t.sum))
}

func tallyOf(r []byte) (t tally, ok bool) {
	if len(r) != recordHeader+16 {
		return tally{}, false
	}
	return tally{binary.BigEndian.Uint64(r[recordHeader:]), binary.BigEndian.Uint64(r[recordHeader+8:])}, true
}
