package router

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// A packed is all text of an alert in the table: labels, annotations and link. The collector has nothing to look for in it, and
// what other alerts say too is a number of the dictionary. It never changes, so it is read while nothing is locked.
//
//	fingerprint (8 bytes), how many labels, how many annotations, (name, value)*, (name, value)*, link
//
// Each text is one piece, or several that are put together. A piece begins with a number: whether more of the text follows,
// whether it is a word of the dictionary, and its number there; else its length, and then the bytes.
type packed struct {
	text  string
	words *dictionary
}

const (
	pieceMore    = 1 << iota // the text goes on with the next piece
	pieceLiteral             // the bytes follow
	pieceBits    = iota

	packedHead = 8 // of a packed, before its counts
)

const (
	// longSentence is how long an annotation is to be for its parts to be looked up.
	longSentence = 32
	// shortestRun is how many letters in a row make a part of a sentence. One rule's sentences differ in numbers and names, so a
	// sentence is cut where it has digits.
	shortestRun = 8
)

// A packer packs alerts. It is for the engine alone.
type packer struct {
	words *dictionary
	room  []byte
	place int
}

// pack returns the text of an alert in memory of its own.
func (k *packer) pack(a *Alert) string {
	k.begin()
	k.head(a.Fingerprint(), len(a.Labels), len(a.Annotations))
	k.labels(a.Labels)
	for _, p := range a.Annotations {
		k.value(p.Name)
		k.sentence(p.Value)
	}
	k.value(a.GeneratorURL)
	return string(k.room)
}

// repack is pack for an alert whose labels are those of p, up to tail. What is as it was stays as it is packed, so that it does
// not seem to have come twice.
func (k *packer) repack(p packed, tail int, a *Alert) string {
	k.begin()
	_, annotations, from := p.counts()
	k.head(p.fingerprint(), len(a.Labels), len(a.Annotations))
	k.room = append(k.room, p.text[from:tail]...)
	k.place = 2 * len(a.Labels)
	at := tail
	for i, l := range a.Annotations {
		if i < annotations {
			value, same := p.equal(at, l.Name)
			if !same {
				value = p.skip(at)
			}
			end := p.skip(value)
			if same {
				_, same = p.equal(value, l.Value)
			}
			if same {
				k.room = append(k.room, p.text[at:end]...)
				k.place += 2
				at = end
				continue
			}
			at = end
		}
		k.value(l.Name)
		k.sentence(l.Value)
	}
	for i := len(a.Annotations); i < annotations; i++ {
		at = p.skip(p.skip(at))
	}
	if _, same := p.equal(at, a.GeneratorURL); same {
		k.room = append(k.room, p.text[at:]...)
	} else {
		k.value(a.GeneratorURL)
	}
	return string(k.room)
}

// mostPackerRoom is how many bytes the packer keeps for the next alert.
const mostPackerRoom = 64 << 10

func (k *packer) begin() {
	if cap(k.room) > mostPackerRoom {
		k.room = nil
	}
	k.room, k.place = k.room[:0], 0
}

func (k *packer) head(fingerprint uint64, labels, annotations int) {
	k.room = binary.LittleEndian.AppendUint64(k.room, fingerprint)
	k.room = binary.AppendUvarint(k.room, uint64(labels))      //nolint:gosec // a length
	k.room = binary.AppendUvarint(k.room, uint64(annotations)) //nolint:gosec // a length
}

func (k *packer) labels(l Labels) {
	for i := range l {
		k.value(l[i].Name)
		k.value(l[i].Value)
	}
}

// value packs a text as one piece, so that reading it is looking at it.
func (k *packer) value(s string) {
	n, known := k.words.numberAt(k.place, s)
	k.place++
	if known {
		k.word(n, 0)
		return
	}
	k.literal(s, 0)
}

// sentence packs a text of which parts may be known.
func (k *packer) sentence(s string) {
	if len(s) < longSentence {
		k.value(s)
		return
	}
	n, known := k.words.numberAt(k.place, s)
	k.place++
	if known {
		k.word(n, 0)
		return
	}
	from := 0 // of what is not packed yet
	for at := 0; at < len(s); {
		end := runEnd(s, at)
		if end-at >= shortestRun {
			if n, known := k.words.number(s[at:end]); known {
				if from < at {
					k.literal(s[from:at], pieceMore)
				}
				if from = end; end == len(s) {
					k.word(n, 0)
					return
				}
				k.word(n, pieceMore)
			}
		}
		for at = end; at < len(s) && digit(s[at]); at++ {
		}
	}
	k.literal(s[from:], 0)
}

// runEnd is where the first digit from there on is.
func runEnd(s string, at int) int {
	for at < len(s) && !digit(s[at]) {
		at++
	}
	return at
}

func digit(b byte) bool { return b-'0' <= 9 }

func (k *packer) word(n uint32, more uint64) {
	k.room = binary.AppendUvarint(k.room, uint64(n)<<pieceBits|more)
}

func (k *packer) literal(s string, more uint64) {
	k.room = binary.AppendUvarint(k.room, uint64(len(s))<<pieceBits|pieceLiteral|more)
	k.room = append(k.room, s...)
}

func (p packed) fingerprint() uint64 {
	var b [packedHead]byte
	copy(b[:], p.text)
	return binary.LittleEndian.Uint64(b[:])
}

// number reads one number, and returns where the next thing begins. Nearly all have one byte or two.
func (p packed) number(at int) (n uint, next int) {
	n = uint(p.text[at])
	if n < 0x80 {
		return n, at + 1
	}
	if b := uint(p.text[at+1]); b < 0x80 {
		return n&0x7f | b<<7, at + 2
	}
	return p.longNumber(at)
}

func (p packed) longNumber(at int) (n uint, next int) {
	for shift := 0; ; shift += 7 {
		b := p.text[at]
		at++
		n |= uint(b&0x7f) << shift
		if b < 0x80 {
			return n, at
		}
	}
}

// counts returns how many labels and annotations there are, and where the labels begin.
func (p packed) counts() (labels, annotations, at int) {
	l, at := p.number(packedHead)
	a, at := p.number(at)
	return int(l), int(a), at //nolint:gosec // they were lengths
}

// piece is the piece at a place, whether its text goes on, and where the next piece begins.
func (p packed) piece(at int) (s string, more bool, next int) {
	h, at := p.number(at)
	n := h >> pieceBits
	if h&pieceLiteral == 0 {
		return p.words.word(n), h&pieceMore != 0, at
	}
	next = at + int(n) //nolint:gosec // it was a length
	return p.text[at:next], h&pieceMore != 0, next
}

// skip returns where the text ends.
func (p packed) skip(at int) int {
	for {
		h, next := p.number(at)
		if h&pieceLiteral != 0 {
			next += int(h >> pieceBits) //nolint:gosec // it was a length
		}
		if at = next; h&pieceMore == 0 {
			return at
		}
	}
}

// equal reports whether the text is s, and if so where it ends.
func (p packed) equal(at int, s string) (next int, same bool) {
	return p.equalAll(at, unsafe.Slice(&s, 1))
}

// equalSet reports whether the pairs are l, and if so where they end.
func (p packed) equalSet(at int, l Labels) (next int, same bool) {
	if len(l) == 0 {
		return at, true
	}
	return p.equalAll(at, unsafe.Slice(&l[0].Name, 2*len(l))) // a Label is two strings
}

// equalAll reports whether the texts are those, one after the other, and if so where they end. Touch spends its time here, and
// so it is one loop.
func (p packed) equalAll(at int, texts []string) (next int, same bool) {
	for _, s := range texts {
		for {
			h := uint(p.text[at]) // number, written out
			if at++; h >= 0x80 {
				b := uint(p.text[at])
				if at++; b < 0x80 {
					h = h&0x7f | b<<7
				} else {
					h, at = p.longNumber(at - 2)
				}
			}
			var piece string
			if n := h >> pieceBits; h&pieceLiteral == 0 {
				piece = p.words.word(n)
			} else {
				end := at + int(n) //nolint:gosec // it was a length
				piece, at = p.text[at:end], end
			}
			if h&pieceMore == 0 {
				if piece != s {
					return at, false
				}
				break
			}
			if len(s) < len(piece) || s[:len(piece)] != piece {
				return at, false
			}
			s = s[len(piece):]
		}
	}
	return at, true
}

// equalLabels reports whether the labels are l, and if so where they end.
func (p packed) equalLabels(l Labels) (tail int, same bool) {
	n, _, at := p.counts()
	if n != len(l) {
		return at, false
	}
	return p.equalSet(at, l)
}

// equalRest reports whether all that follows the labels is that of the alert.
func (p packed) equalRest(tail int, a *Alert) bool {
	_, n, _ := p.counts()
	if n != len(a.Annotations) {
		return false
	}
	at, same := p.equalSet(tail, a.Annotations)
	if !same {
		return false
	}
	_, same = p.equal(at, a.GeneratorURL)
	return same
}

// lookup returns the value of a label. It is a view.
func (p packed) lookup(name string) (value string, there bool) {
	n, _, at := p.counts()
	for range n {
		s, _, next := p.piece(at) // of labels every text is one piece
		if s == name {
			value, _, _ = p.piece(next)
			return value, true
		}
		at = p.skip(next)
	}
	return "", false
}

func (p packed) get(name string) string {
	value, _ := p.lookup(name)
	return value
}

// meets is holdAll of the labels.
func (p packed) meets(conds []condition) bool {
	for i := range conds {
		if c := &conds[i]; !c.holds(p.get(c.Name)) {
			return false
		}
	}
	return true
}

// labels appends the labels. They are views, and need no memory but that of to.
func (p packed) labels(to Labels) Labels {
	to, _ = p.labelsAndTail(to)
	return to
}

// labelsAndTail is labels, and says where they end.
func (p packed) labelsAndTail(to Labels) (_ Labels, tail int) {
	n, _, at := p.counts()
	for range n {
		var l Label
		l.Name, _, at = p.piece(at)
		l.Value, _, at = p.piece(at)
		to = append(to, l)
	}
	return to, at
}

// A page is memory for the text of alerts that are unpacked. What it gave out stays as it is until somebody empties it; nobody
// has to. The zero page is ready.
type page struct {
	pairs Labels
	text  []byte
}

// empty makes all that was given out free to be overwritten.
func (m *page) empty() { m.pairs, m.text = m.pairs[:0], m.text[:0] }

// unpack fills in the text of the alert, and its fingerprint.
func (m *page) unpack(p packed, a *Alert) {
	labels, annotations, at := p.counts()
	m.room(labels + annotations)
	a.Labels, at = m.set(p, at, labels)
	m.unpackRest(p, at, a)
}

// unpackRest is unpack but for the labels, of which the caller knows where they end.
func (m *page) unpackRest(p packed, tail int, a *Alert) {
	_, annotations, _ := p.counts()
	m.room(annotations)
	a.fingerprint = p.fingerprint()
	a.Annotations, tail = m.set(p, tail, annotations)
	m.texts(p, tail, unsafe.Slice(&a.GeneratorURL, 1))
}

func (m *page) room(pairs int) {
	if cap(m.pairs)-len(m.pairs) < pairs {
		m.pairs = make(Labels, 0, max(pairs, 2*cap(m.pairs)))
	}
}

// copies is memory for alerts that are given away. Those that are made of the same one live as long as any of them.
type copies struct {
	page
	alerts []Alert
}

// reserve makes room for so many alerts more, of so many labels and annotations in all, and about so much text.
func (c *copies) reserve(alerts, pairs, text int) {
	if cap(c.alerts)-len(c.alerts) < alerts {
		c.alerts = make([]Alert, 0, alerts)
	}
	if cap(c.pairs)-len(c.pairs) < pairs {
		c.pairs = make(Labels, 0, pairs)
	}
	if cap(c.text)-len(c.text) < text {
		c.text = make([]byte, 0, text)
	}
}

// next is the memory of one alert.
func (c *copies) next() *Alert {
	if len(c.alerts) == cap(c.alerts) {
		c.alerts = make([]Alert, 0, max(1, 2*cap(c.alerts)))
	}
	c.alerts = c.alerts[:len(c.alerts)+1]
	return &c.alerts[len(c.alerts)-1]
}

// set reads so many pairs, for which there is room, and returns where they end.
func (m *page) set(p packed, at, n int) (Labels, int) {
	if n == 0 {
		return nil, at
	}
	from := len(m.pairs)
	m.pairs = m.pairs[:from+n]
	l := m.pairs[from : from+n : from+n]
	return l, m.texts(p, at, unsafe.Slice(&l[0].Name, 2*n)) // a Label is two strings
}

// texts reads texts, and returns where they end. What is one piece stays where it is.
func (m *page) texts(p packed, at int, to []string) (next int) {
	for i := range to {
		var (
			s    string
			more bool
		)
		if s, more, at = p.piece(at); !more {
			to[i] = s
			continue
		}
		if cap(m.text) == 0 {
			m.text = make([]byte, 0, 256+len(p.text)) // enough for most, so that it need not grow
		}
		from := len(m.text)
		m.text = append(m.text, s...)
		for more {
			s, more, at = p.piece(at)
			m.text = append(m.text, s...) // where it moves, what was given out stays where it was
		}
		to[i] = unsafe.String(&m.text[from], len(m.text)-from)
	}
	return at
}

// count adds to counts how often each word of the dictionary is used.
func (p packed) count(counts []uint32) {
	_, _, at := p.counts()
	for at < len(p.text) {
		h, next := p.number(at)
		if h&pieceLiteral != 0 {
			next += int(h >> pieceBits) //nolint:gosec // it was a length
		} else {
			counts[h>>pieceBits]++
		}
		at = next
	}
}

// translate appends p in the words of another dictionary; moved gives their numbers there, noWord to those that it has not.
func (p packed) translate(to []byte, moved []uint32) []byte {
	_, _, at := p.counts()
	to = append(to, p.text[:at]...)
	for at < len(p.text) {
		h, next := p.number(at)
		n := h >> pieceBits
		switch {
		case h&pieceLiteral != 0:
			next += int(n) //nolint:gosec // it was a length
			to = append(to, p.text[at:next]...)
		case moved[n] != noWord:
			to = binary.AppendUvarint(to, uint64(moved[n])<<pieceBits|uint64(h&pieceMore))
		default:
			word := p.words.word(n)
			to = binary.AppendUvarint(to, uint64(len(word))<<pieceBits|pieceLiteral|uint64(h&pieceMore))
			to = append(to, word...)
		}
		at = next
	}
	return to
}

const noWord = ^uint32(0)

// without returns a dictionary that has only those words that are used at least twice, the most used first, and the numbers that
// they have there.
func (d *dictionary) without(counts []uint32) (_ *dictionary, moved []uint32) {
	kept := newDictionary()
	order := make([]uint32, 0, d.size)
	moved = make([]uint32, d.size)
	for n := range counts {
		moved[n] = noWord
		if counts[n] > 1 {
			order = append(order, uint32(n)) //nolint:gosec // less than mostWords
		}
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return int(counts[b]) - int(counts[a]) })
	for _, n := range order {
		moved[n] = kept.add(d.word(uint(n)))
	}
	return kept, moved
}
