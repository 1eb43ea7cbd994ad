package router

import (
	"strings"

	"github.com/cespare/xxhash/v2"
)

// A dictionary numbers the texts that many alerts have: names of labels, and most of their values. The engine alone looks texts
// up and adds them; a number that somebody got with an alert may be read by anybody at any time, without a lock. Nothing is
// ever taken out. When much of it has become useless, Table.tidy begins another.
type dictionary struct {
	shelves [mostWords / shelfWords]*[shelfWords]string // what was written here once is never written again
	size    int
	bytes   int
	numbers map[string]uint32
	seen    []uint32         // the doorkeeper: what is left of the hashes of texts that came once
	near    [mostNear]uint32 // by place in an alert, what stood there last: the next of a POST is often alike
}

const (
	// mostWords and mostWordBytes bound the dictionary, to twelve MiB all in. A site has a few thousand values that repeat.
	mostWords     = 1 << 16
	mostWordBytes = 4 << 20
	// longestWord is long enough for the link of a rule, which quotes its expression.
	longestWord = 4 << 10
	// shortestWord is the length from which a number is shorter than the text.
	shortestWord = 2
	// doorkeeperSize is how many texts can be remembered to have come once. One that repeats does so within a few hundred
	// alerts, or with the next alerts of its kind.
	doorkeeperSize = 1 << 15

	shelfWords = 256
	mostNear   = 64
)

func newDictionary() *dictionary {
	return &dictionary{numbers: map[string]uint32{}, seen: make([]uint32, doorkeeperSize)}
}

// word is the text with this number.
func (d *dictionary) word(n uint) string { return d.shelves[n/shelfWords][n%shelfWords] }

// number is that of the text, and whether it has one. A text gets one when it comes for the second time, so that pods and
// the like, of which each comes once, take no place.
func (d *dictionary) number(s string) (n uint32, known bool) {
	if len(s) < shortestWord || len(s) > longestWord {
		return 0, false
	}
	if n, known = d.numbers[s]; known {
		return n, true
	}
	if d.size == mostWords || d.bytes+len(s) > mostWordBytes {
		return 0, false
	}
	hash := xxhash.Sum64String(s)
	at, left := hash%doorkeeperSize, uint32(hash>>32)|1 // 0 is nothing
	if d.seen[at] != left {
		d.seen[at] = left
		return 0, false
	}
	return d.add(s), true
}

// full reports whether no text of usual length finds a place any more.
func (d *dictionary) full() bool { return d.size == mostWords || d.bytes+longestWord > mostWordBytes }

// add gives the text the next number. There must be room, and it must have none.
func (d *dictionary) add(s string) uint32 {
	n := uint32(d.size) //nolint:gosec // less than mostWords
	if d.shelves[n/shelfWords] == nil {
		d.shelves[n/shelfWords] = new([shelfWords]string)
	}
	s = strings.Clone(s)
	d.shelves[n/shelfWords][n%shelfWords] = s
	d.numbers[s] = n
	d.size++
	d.bytes += len(s)
	return n
}

// numberAt is number for what stands in such a place of an alert.
func (d *dictionary) numberAt(place int, s string) (n uint32, known bool) {
	place %= mostNear
	if n = d.near[place]; int(n) < d.size && d.word(uint(n)) == s {
		return n, true
	}
	if n, known = d.number(s); known {
		d.near[place] = n
	}
	return n, known
}

// own is the text in memory that holds no alert.
func (d *dictionary) own(s string) string {
	if n, known := d.numbers[s]; known {
		return d.word(uint(n))
	}
	return strings.Clone(s)
}
