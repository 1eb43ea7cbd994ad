package router

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anySentence draws texts of which parts come again in others, and some that are longer than any word.
func anySentence(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{
			"More than ", "% of the requests were answered with an error ", "in the last ten minutes", "Überlauf auf ", "磁盘空间不足，请尽快处理。", "7", "42", "\x00", " ",
			strings.Repeat("of no end ", 20), strings.Repeat("of no end at all ", 300),
		}),
		rapid.String(),
	), 0, 12).Draw(t, "sentence")
	return strings.Join(parts, "")
}

func anyPackedAlert(t *rapid.T) *Alert {
	a := anyAlert(t)
	for i := range a.Annotations {
		if rapid.Bool().Draw(t, "long") {
			a.Annotations[i].Value = anySentence(t)
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "own link") == 0 {
		a.GeneratorURL = "http://prometheus/" + anySentence(t)
	}
	a.StartsAt, a.EndsAt, a.UpdatedAt = oddTime(t, a.StartsAt), oddTime(t, a.EndsAt), oddTime(t, a.UpdatedAt)
	return &a
}

// oddTime draws times as nobody means them but everybody may write them, now and then.
func oddTime(t *rapid.T, usual time.Time) time.Time {
	at := rapid.SampledFrom([]time.Time{
		usual, usual, usual, usual.In(time.Local),
		{},
		time.Time{}.In(time.FixedZone("", 3600)), time.Unix(0, 0).UTC(),
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.FixedZone("", -86_399)),
		time.Date(1677, 9, 21, 0, 12, 43, 0, time.UTC), time.Date(2262, 4, 11, 23, 47, 17, 0, time.FixedZone("", 86_340)),
	}).Draw(t, "odd")
	if seconds := rapid.SampledFrom([]int{0, 0, 0, 1, -17, 20_700, -86_399}).Draw(t, "odd offset"); seconds != 0 {
		at = at.In(time.FixedZone("", seconds))
	}
	return at
}

// same compares all that an alert says, offsets included. No labels are the same as an empty set.
func same(a, b *Alert) bool {
	return a.Labels.Equal(b.Labels) && a.Annotations.Equal(b.Annotations) && a.GeneratorURL == b.GeneratorURL &&
		samePeriod(a, b) && sameTime(a.UpdatedAt, b.UpdatedAt) && a.Ended == b.Ended
}

// Alerts come out of the table as they went in, whatever they say, whatever became words meanwhile, when their text changed, and
// when the dictionary is another.
func TestWhatIsPackedIsUnpacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newTable(0, Labels.Hash)
		var all []*Alert
		check := func(when string) {
			for _, want := range all {
				got := table.Get(want.Labels)
				if got == nil || !same(got, want) {
					t.Fatalf("%s: %+v, want %+v", when, got, want)
				}
				if got.Fingerprint() != want.Labels.Fingerprint() || got.Hash() != want.Labels.Hash() {
					t.Fatalf("%s: identities of %s are wrong", when, want.Labels)
				}
				e := table.lookup(want.Labels)
				p := table.packed(e)
				for _, l := range append(slices.Clone(want.Labels), Label{Name: "none"}) {
					value, there := p.lookup(l.Name)
					if wanted, has := want.Labels.lookup(l.Name); value != wanted || there != has {
						t.Fatalf("%s: label %q is %q (%v), want %q (%v)", when, l.Name, value, there, wanted, has)
					}
				}
				tail, found := p.equalLabels(want.Labels)
				if !found || !p.equalRest(tail, want) {
					t.Fatalf("%s: %s is not equal to itself", when, want.Labels)
				}
				for _, other := range all {
					if otherTail, equal := p.equalLabels(other.Labels); equal != want.Labels.Equal(other.Labels) {
						t.Fatalf("%s: %s equals %s: %v", when, want.Labels, other.Labels, equal)
					} else if equal && !p.equalRest(otherTail, other) {
						t.Fatalf("%s: two texts of %s", when, want.Labels)
					}
					alike := want.Annotations.Equal(other.Annotations) && want.GeneratorURL == other.GeneratorURL
					if p.equalRest(tail, other) != alike {
						t.Fatalf("%s: the rest of %s equals that of %s: %v", when, want.Labels, other.Labels, !alike)
					}
				}
			}
		}
		for range rapid.IntRange(1, 8).Draw(t, "alerts") {
			a := anyPackedAlert(t)
			all = slices.DeleteFunc(all, func(o *Alert) bool { return o.Labels.Equal(a.Labels) })
			all = append(all, a)
			table.Load(a)
		}
		check("new")
		for i, a := range all {
			if rapid.Bool().Draw(t, "changes") {
				b := *a
				b.Annotations = slices.Clone(b.Annotations)
				if len(b.Annotations) > 0 && rapid.Bool().Draw(t, "one") {
					b.Annotations[0].Value = anySentence(t)
				} else {
					b.Annotations = anyLabels(t, "other annotations")
				}
				table.Load(&b)
				all[i] = &b
			}
		}
		check("changed")
		words := table.packer.words
		table.reword(table.uses())
		check("in other words")
		if n := table.packer.words.size; n > words.size {
			t.Fatalf("there were %d words, and are %d", words.size, n)
		}
		for _, a := range all {
			table.Load(a)
		}
		check("told again")
	})
}

func TestAMomentIsATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := oddTime(t, time.Unix(rapid.Int64Range(-1e14, 1e14).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")).UTC())
		m := momentOf(at)
		if got := m.time(); !sameTime(got, at) || got.IsZero() != at.IsZero() || m.zeroInstant() != at.IsZero() {
			t.Fatalf("%s came back as %s", at, got)
		}
		if got := m.time().Location() == time.Local; got != (at.Location() == time.Local) {
			t.Fatalf("%s came back in %s", at, m.time().Location())
		}
	})
	if (moment{}) != momentOf(time.Time{}) {
		t.Error("the zero moment is not the zero time")
	}
	for _, c := range []struct {
		at   time.Time
		want int64
	}{
		{time.Unix(1, 5), 1e9 + 5}, {time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), math.MaxInt64}, {time.Time{}, math.MinInt64},
	} {
		if got := nanosOf(c.at); got != c.want {
			t.Errorf("%s is %d, want %d", c.at, got, c.want)
		}
	}
}

// A queue keeps the order of an agenda, though its numbers begin anew.
func TestAQueueIsAnAgenda(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := queue{made: math.MaxUint32 - rapid.Uint32Range(0, 20).Draw(t, "made")}
		var g agenda[uint32]
		for slot := range rapid.Uint32Range(1, 60).Draw(t, "turns") {
			if len(q.heap) > 0 && rapid.IntRange(0, 2).Draw(t, "drop") == 0 {
				at, who, _ := g.first()
				if q.heap[0].slot != who || q.heap[0].at != at.UnixNano() {
					t.Fatalf("%+v is first, want %d at %s", q.heap[0], who, at)
				}
				q.drop()
				g.drop()
			}
			at := rapid.Int64Range(0, 5).Draw(t, "at")
			q.add(at, slot)
			g.add(time.Unix(0, at), slot)
		}
		for len(q.heap) > 0 {
			if _, who, _ := g.first(); q.heap[0].slot != who {
				t.Fatalf("%+v is first, want %d", q.heap[0], who)
			}
			q.drop()
			g.drop()
		}
	})
}

func TestWhatEndsInAnotherAgeDoesNotEnd(t *testing.T) {
	table := newTable(0, Labels.Hash)
	a := report("A", "00:00", "00:04", "x")
	a.EndsAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	table.Put(a, at("00:00"))
	table.committed()
	if got := table.nextExpiry(); !got.IsZero() {
		t.Errorf("next end at %s", got)
	}
	if !table.Touch(a, at("00:01")) || !table.Get(a.Labels).EndsAt.Equal(a.EndsAt) {
		t.Error("a repetition was not touched")
	}
	b := report("A", "00:00", "00:04", "x")
	b.StartsAt = at("00:03")
	table.Put(b, at("00:04")) // a source says that it ended
	if got := table.Get(a.Labels); !got.Ended {
		t.Errorf("holds %+v", got)
	}
}

// Texts that one alert has take no place in the dictionary, and those that many have are there once.
func TestOnlyWhatRepeatsIsAWord(t *testing.T) {
	table := newTable(0, Labels.Hash)
	for i := range 5000 {
		table.put(&Alert{
			Labels: Labels{{"alertname", fmt.Sprint("Alert", i%10)}, {"job", "node"}, {"pod", fmt.Sprint("pod-", i)}},
			Annotations: Labels{
				{"description", fmt.Sprintf("The pod pod-%d has been restarted %d times within the last hour.", i, i%7)},
				{"runbook", "https://runbooks.example.org/pods"},
			},
			EndsAt: began.Add(time.Hour),
		}, began)
	}
	d := table.packer.words
	// alertname, job, pod, description, runbook; ten names, a job, a book; "The pod pod-", " has been restarted " and the end.
	if want := 5 + 10 + 1 + 1 + 3; d.size != want {
		for n := range d.size {
			t.Logf("%q", d.word(uint(n)))
		}
		t.Errorf("%d words, want %d", d.size, want)
	}
	e := table.lookup(Labels{{"alertname", "Alert9"}, {"job", "node"}, {"pod", "pod-4999"}})
	if n := len(e.text); n > 48 {
		t.Errorf("an alert of a dozen texts has %d bytes: %q", n, e.text)
	}
}

// churned fills the dictionary with values that then go.
func churned(table *Table, generation, values int) {
	for i := range values {
		for copy := range 2 {
			table.put(&Alert{
				Labels: Labels{{"alertname", "A"}, {"copy", fmt.Sprint("c", copy)}, {"value", fmt.Sprintf("generation %d value %d", generation, i)}},
				EndsAt: began.Add(time.Hour),
			}, began)
		}
	}
}

// Through years of names that come and go the dictionary stays bounded, and goes on being of use.
func TestTheDictionaryForgetsWhatIsOfNoUse(t *testing.T) {
	table := newTable(0, Labels.Hash)
	keeper := &Alert{Labels: Labels{{"alertname", "Keeper"}, {"value", "generation 0 value 7"}}, EndsAt: began.Add(1000 * time.Hour)}
	table.put(keeper, began)
	now := began
	for generation := range 8 {
		churned(table, generation, 10_000)
		if n := table.packer.words.size; n < 10_000 || n > 4*10_000 {
			t.Fatalf("generation %d: %d words", generation, n)
		}
		if p := table.packed(table.lookup(Labels{
			{"alertname", "A"}, {"copy", "c1"}, {"value", fmt.Sprintf("generation %d value 9999", generation)},
		})); len(p.text) > 24 {
			t.Fatalf("generation %d: the last value is no word", generation)
		}
		now = now.Add(2 * time.Hour)
		table.expire(now)
		table.gc(now)
		if table.Len() != 1 || !same(table.Get(keeper.Labels), &Alert{Labels: keeper.Labels, EndsAt: keeper.EndsAt, UpdatedAt: began}) {
			t.Fatalf("%d alerts are left, and %+v", table.Len(), table.Get(keeper.Labels))
		}
		now = began // the next ones end in an hour again
		table.fresh = nil
	}
	table.tidy()
	if n := table.packer.words.size; n >= 10_000 {
		t.Errorf("%d words are left of nothing", n)
	}
}

// A dictionary that is full takes no more, and alerts are told from each other all the same.
func TestAFullDictionaryIsNotTheEnd(t *testing.T) {
	d := newDictionary()
	for i := range mostWords + 10 {
		word := fmt.Sprint("word ", i)
		d.number(word)
		n, known := d.number(word)
		if known != (i < mostWords) || known && d.word(uint(n)) != word {
			t.Fatalf("%s: number %d, known: %v", word, n, known)
		}
	}
	k := packer{words: d}
	a := &Alert{Labels: Labels{{"alertname", "new"}, {"job", "word 65535"}, {"pod", "word 65536"}}, Annotations: Labels{{"s", ""}}}
	for range 3 {
		var got Alert
		new(page).unpack(packed{k.pack(a), d}, &got)
		if !reflect.DeepEqual(got.Labels, a.Labels) || !reflect.DeepEqual(got.Annotations, a.Annotations) {
			t.Fatalf("%+v, want %+v", got, a)
		}
	}
	d = newDictionary()
	long := strings.Repeat("x", longestWord-8)
	for i := range 2 * mostWordBytes / longestWord {
		word := fmt.Sprint(long, i)
		d.number(word)
		d.number(word)
	}
	if d.bytes > mostWordBytes || d.bytes < mostWordBytes-longestWord || !d.full() {
		t.Errorf("%d bytes, at most %d should be", d.bytes, mostWordBytes)
	}
	if _, known := d.number(long + long); known {
		t.Error("a text that is too long is a word")
	}
}

// Run with -race: people read and senders touch while the words become others under them.
func TestTheDictionaryChangesUnderItsReaders(t *testing.T) {
	const n, rounds = 400, 30
	r := clusterRouter(t)
	alerts := clusterAlerts(n)
	for _, some := range chunked(clusterAlerts(n), 64) {
		r.Receive(some, began)
	}
	r.Committed()
	want := map[uint64]*Alert{}
	for _, a := range alerts {
		want[a.Labels.Fingerprint()] = a
	}
	var readers sync.WaitGroup
	stop := make(chan struct{})
	reading := func(read func()) {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					read()
				}
			}
		})
	}
	compare := func(a *Alert) {
		if w := want[a.Fingerprint()]; w == nil || !w.Labels.Equal(a.Labels) || !w.Annotations.Equal(a.Annotations) || w.GeneratorURL != a.GeneratorURL {
			t.Errorf("read %+v", a)
		}
	}
	ask := Ask{Now: began, Labels: filterOf(t, `job="kube-state-metrics"`, `pod=~".*-0[0-9]"`)}
	reading(func() {
		for s := range r.See(ask) {
			compare(&s.Alert)
		}
	})
	reading(func() {
		for _, seen := range r.SeeGroups(ask) {
			for s := range seen {
				compare(&s.Alert)
			}
		}
	})
	reading(func() {
		for _, a := range alerts {
			compare(r.Alerts().Get(a.Labels))
			r.Touch(a, began)
		}
		r.CountAlerts(began)
	})
	for range rounds {
		r.table.reword(r.table.uses())
		for _, a := range alerts[:50] {
			b := *a
			b.UpdatedAt = time.Time{}
			r.Receive([]*Alert{&b}, began)
		}
	}
	close(stop)
	readers.Wait()
}

// A sentence of many pieces equals itself alone, wherever another differs.
func TestASentenceEqualsNoOther(t *testing.T) {
	const sentence = "More than 17 of the requests to cart-42 were answered with an error, 3 of them twice"
	k := packer{words: newDictionary()}
	var p packed
	for i := range 3 { // what comes twice is a word
		p = packed{k.pack(&Alert{Annotations: Labels{{"n", fmt.Sprintf("%s, and %d at last", sentence, i)}}}), k.words}
	}
	want := sentence + ", and 2 at last"
	if n := len(p.text); n > 48 {
		t.Fatalf("the sentence is not in pieces: %d bytes", n)
	}
	rest := func(s string) bool {
		tail, _ := p.equalLabels(nil)
		return p.equalRest(tail, &Alert{Annotations: Labels{{"n", s}}})
	}
	if !rest(want) {
		t.Error("it is not itself")
	}
	for i := range want {
		for _, other := range []string{want[:i] + "#" + want[i+1:], want[:i], want[:i] + want[i+1:], want[:i] + "#" + want[i:]} {
			if rest(other) {
				t.Errorf("it equals %q", other)
			}
		}
	}
	if rest(want + "#") {
		t.Error("it equals a longer one")
	}
}
