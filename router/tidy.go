package router

// fewWords are so few that it does not matter of how much use they are.
const fewWords = 4096

// tidy looks through the dictionary when it has grown to twice what was of use in it, or is full, and begins another if more
// than a quarter of it is of no use. So it holds, through years of names that come and go, little more than twice what is
// needed, and what is needed finds room.
func (t *Table) tidy() {
	d := t.packer.words
	if d.size < max(fewWords, 2*t.useful) && !d.full() {
		return
	}
	uses := t.uses()
	t.useful = 0
	for _, n := range uses {
		if n > 1 {
			t.useful++
		}
	}
	if t.useful <= d.size/4*3 {
		t.reword(uses)
	}
}

// uses is how often each word of the dictionary is used.
func (t *Table) uses() []uint32 {
	d := t.packer.words
	uses := make([]uint32, d.size)
	for e := range t.entries() {
		packed{e.text, d}.count(uses) // the engine alone writes texts
	}
	return uses
}

// reword begins a dictionary of the words that are used more than once, and packs all texts anew. Each shard is locked while
// this is done for it: for a millisecond, where there are a million alerts. Who has a text from before goes on reading it.
func (t *Table) reword(uses []uint32) {
	d := t.packer.words
	kept, moved := d.without(uses)
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			for ; e != nil; e = e.next {
				t.packer.room = packed{e.text, d}.translate(t.packer.room[:0], moved)
				e.text = string(t.packer.room)
			}
		}
		s.words = kept
		s.mu.Unlock()
	}
	t.packer.words = kept
}
