package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
)

// bbolt trusts the pages it reads: a damaged one sends it out of the map, round in circles, or into a panic
// on a goroutine of its own, and the process is gone. So this reader, which trusts nothing, goes over the
// file first. It knows bbolt's layout, version 2, in the byte order of the machine.
const (
	pageHeader  = 16 // id 8, kind 2, count 2, overflow 4
	pageElement = 16 // branch: pos 4, key 4, page 8; leaf: kind 4, pos 4, key 4, value 4
	bucketHead  = 16 // root page 8, sequence 8; root 0: a leaf page follows
	metaSize    = 64

	kindBranch   = 0x01
	kindLeaf     = 0x02
	kindMeta     = 0x04
	kindFreelist = 0x10
	isBucket     = 0x01 // kind of a leaf element

	magic      = 0xED0CDAED
	version    = 2
	noFreelist = ^uint64(0)

	minPage, maxPage = 1 << 10, 1 << 24
	maxDepth         = 64 // of a tree; a sound one never comes near
	maxKey           = 32768
)

var native = binary.NativeEndian

// A meta is one of the two pages at the beginning, which commits write in turn.
type meta struct {
	pageSize uint64
	root     uint64 // page of the tree of buckets
	freelist uint64 // page, or noFreelist
	high     uint64 // pages in use lie below
	tx       uint64
}

// readMeta reports false where there is no sound meta page at off.
func readMeta(file []byte, off uint64) (m meta, ok bool) {
	if off+pageHeader+metaSize > uint64(len(file)) {
		return meta{}, false
	}
	b := file[off+pageHeader:][:metaSize]
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	if native.Uint32(b) != magic || native.Uint32(b[4:]) != version || native.Uint64(b[56:]) != sum.Sum64() {
		return meta{}, false
	}
	m = meta{
		pageSize: uint64(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]),
		high:     native.Uint64(b[40:]),
		tx:       native.Uint64(b[48:]),
	}
	p := m.pageSize
	return m, p >= minPage && p <= maxPage && p&(p-1) == 0
}

// findMeta returns the meta that bbolt will use: the newer one that is sound. The loss of the newer is what
// a crash while writing it leaves behind.
func findMeta(file []byte) (meta, error) {
	first, ok := readMeta(file, 0)
	size := first.pageSize
	for guess := uint64(minPage); !ok && guess <= maxPage; guess *= 2 {
		if m, found := readMeta(file, guess); found && m.pageSize == guess {
			size = guess
			break
		}
	}
	if size == 0 {
		return meta{}, errors.New("it does not begin like a database")
	}
	second, ok2 := readMeta(file, size)
	ok2 = ok2 && second.pageSize == size
	m := first
	if !ok || ok2 && second.tx > first.tx {
		m = second
	}
	if m.high > uint64(len(file))/size {
		return meta{}, fmt.Errorf("it is cut short: %d bytes, where %d pages of %d are in use", len(file), m.high, size)
	}
	return m, nil
}

// A reader goes over the pages of one file.
type reader struct {
	file []byte
	meta
	seen     []uint64 // one bit a page
	pages    uint64   // seen
	problems []string
	limit    int // of problems; past it the reader hurries to the end
}

// visit is told every element of the leaves, in order.
type visit func(key, value []byte, bucket bool)

func newReader(file []byte, limit int) (*reader, error) {
	m, err := findMeta(file)
	if err != nil {
		return nil, err
	}
	r := &reader{file: file, meta: m, limit: limit, seen: make([]uint64, m.high/64+1)}
	if m.freelist != noFreelist {
		r.freelistPage(m.freelist)
	}
	return r, nil
}

func (r *reader) problem(format string, args ...any) {
	if len(r.problems) < r.limit {
		r.problems = append(r.problems, fmt.Sprintf(format, args...))
	}
}

func (r *reader) done() bool { return len(r.problems) >= r.limit }

// take returns the page with its overflow, once: a page that is referred to twice, or from below itself,
// is a problem.
func (r *reader) take(id uint64) (p []byte, kind uint16, ok bool) {
	if id < 2 || id >= r.high {
		r.problem("page %d is referred to and is not in use", id)
		return nil, 0, false
	}
	head := r.file[id*r.pageSize:][:pageHeader]
	kind = native.Uint16(head[8:])
	over := uint64(native.Uint32(head[12:]))
	if own := native.Uint64(head); own != id {
		r.problem("page %d says it is page %d", id, own)
		return nil, 0, false
	}
	if id+over >= r.high {
		r.problem("page %d goes on for %d pages, past the end", id, over)
		return nil, 0, false
	}
	for i := id; i <= id+over; i++ {
		if r.seen[i/64]&(1<<(i%64)) != 0 {
			r.problem("page %d is referred to twice", i)
			return nil, 0, false
		}
		r.seen[i/64] |= 1 << (i % 64)
		r.pages++
	}
	return r.file[id*r.pageSize:][:(over+1)*r.pageSize], kind, true
}

// tree reads the pages from id down. All keys must be at least low and below high; nil is no bound.
func (r *reader) tree(id uint64, depth int, low, high []byte, v visit) {
	if r.done() {
		return
	}
	p, kind, ok := r.take(id)
	switch {
	case !ok:
	case depth > maxDepth:
		r.problem("page %d is more than %d levels down", id, maxDepth)
	case kind == kindLeaf:
		r.leaf(p, fmt.Sprint("page ", id), low, high, v)
	case kind == kindBranch:
		r.branch(p, id, depth, low, high, v)
	default:
		r.problem("page %d is of kind %#x, not a part of a tree", id, kind)
	}
}

func (r *reader) branch(p []byte, id uint64, depth int, low, high []byte, v visit) {
	count := int(native.Uint16(p[10:]))
	if count == 0 {
		r.problem("page %d is a branch without leaves", id)
		return
	}
	key, child, ok := branchElement(p, 0)
	for i := range count {
		if !ok {
			r.problem("page %d: element %d lies outside of it", id, i)
			return
		}
		if !inOrder(low, key, high, i == 0) {
			r.problem("page %d: key %d is out of order", id, i)
			return
		}
		nextKey, nextChild, nextOK := []byte(nil), uint64(0), true
		upper := high
		if i+1 < count {
			if nextKey, nextChild, nextOK = branchElement(p, i+1); nextOK {
				upper = nextKey
			}
		}
		r.tree(child, depth+1, key, upper, v)
		low, key, child, ok = key, nextKey, nextChild, nextOK
	}
}

func (r *reader) leaf(p []byte, name string, low, high []byte, v visit) {
	for i := range int(native.Uint16(p[10:])) {
		key, value, kind, ok := leafElement(p, i)
		if !ok {
			r.problem("%s: element %d lies outside of it", name, i)
			return
		}
		if !inOrder(low, key, high, i == 0) {
			r.problem("%s: key %d is out of order", name, i)
			return
		}
		if kind > isBucket {
			r.problem("%s: element %d is of kind %#x", name, i, kind)
			return
		}
		v(key, value, kind == isBucket)
		low = key
	}
}

// inOrder reports low < key < high; the first key of a page may equal low, which is then its branch's.
func inOrder(low, key, high []byte, first bool) bool {
	if high != nil && bytes.Compare(key, high) >= 0 {
		return false
	}
	c := bytes.Compare(low, key)
	return low == nil || c < 0 || first && c == 0
}

func branchElement(p []byte, i int) (key []byte, child uint64, ok bool) {
	at := pageHeader + i*pageElement
	if at+pageElement > len(p) {
		return nil, 0, false
	}
	e := p[at:]
	key, ok = cut(e, native.Uint32(e), native.Uint32(e[4:]))
	return key, native.Uint64(e[8:]), ok
}

func leafElement(p []byte, i int) (key, value []byte, kind uint32, ok bool) {
	at := pageHeader + i*pageElement
	if at+pageElement > len(p) {
		return nil, nil, 0, false
	}
	e := p[at:]
	kind, pos, ksize := native.Uint32(e), native.Uint32(e[4:]), native.Uint32(e[8:])
	if key, ok = cut(e, pos, ksize); !ok {
		return nil, nil, 0, false
	}
	value, ok = cut(e[int(pos)+len(key):], 0, native.Uint32(e[12:]))
	return key, value, kind, ok && len(key) > 0 && len(key) <= maxKey
}

func cut(b []byte, pos, n uint32) ([]byte, bool) {
	if uint64(pos)+uint64(n) > uint64(len(b)) {
		return nil, false
	}
	return b[pos:][:n], true
}

// bucket reads the tree of a bucket, or the leaf inside its value.
func (r *reader) bucket(name string, value []byte, v visit) {
	if len(value) < bucketHead {
		r.problem("bucket %q has no root", name)
		return
	}
	if root := native.Uint64(value); root != 0 {
		r.tree(root, 1, nil, nil, v)
		return
	}
	p := value[bucketHead:]
	if len(p) < pageHeader || native.Uint16(p[8:]) != kindLeaf {
		r.problem("bucket %q has no leaf", name)
		return
	}
	r.leaf(p, fmt.Sprintf("bucket %q", name), nil, nil, v)
}

// freelistPage reads the list of free pages, which a file of ours has only until its first commit.
func (r *reader) freelistPage(id uint64) {
	p, kind, ok := r.take(id)
	if !ok {
		return
	}
	if kind != kindFreelist {
		r.problem("page %d is of kind %#x, not the list of free pages", id, kind)
		return
	}
	count, ids := uint64(native.Uint16(p[10:])), p[pageHeader:]
	if count == 0xffff {
		count, ids = native.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		r.problem("page %d lists more free pages than it can hold", id)
		return
	}
	for i := range count {
		free := native.Uint64(ids[i*8:])
		if free < 2 || free >= r.high || r.seen[free/64]&(1<<(free%64)) != 0 {
			r.problem("page %d lists page %d as free, which it is not", id, free)
			return
		}
		r.seen[free/64] |= 1 << (free % 64)
	}
}
