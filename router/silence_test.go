package router

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
	amsilence "github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"
)

// about makes a silence of the alerts of a name, or of those with a label written as name=value.
func about(what, from, until string) Silence {
	name, value, labelled := strings.Cut(what, "=")
	if !labelled {
		name, value = "alertname", what
	}
	return Silence{Matchers: []MatcherSet{{{Name: name, Value: value}}}, StartsAt: at(from), EndsAt: at(until)}
}

// wish has somebody ask for a silence, and returns what came of it. Fresh IDs count up.
func (d *driver) wish(t *testing.T, s Silence) Silence {
	t.Helper()
	s, effects, err := d.SetSilence(s, silenceID(len(d.Silences())+1), d.time())
	if err != nil {
		t.Fatal(err)
	}
	d.do(effects)
	return s
}

// silencing are the IDs of the silences that hold for the alerts of a name.
func (d *driver) silencing(name string) string {
	silencedBy, _ := d.Suppressed(Labels{{"alertname", name}}, d.time())
	for i, id := range silencedBy {
		silencedBy[i] = strings.TrimLeft(id, "0-")
	}
	return strings.Join(silencedBy, " ")
}

func TestASilencesStates(t *testing.T) {
	s := about("A", "00:10", "00:20")
	for clock, want := range map[string]SilenceState{
		"00:09": SilencePending, "00:10": SilenceActive, "00:19:59": SilenceActive, "00:20": SilenceExpired, "00:21": SilenceExpired,
	} {
		if got := s.State(at(clock)); got != want {
			t.Errorf("at %s it is %s, want %s", clock, got, want)
		}
	}
	if matches := s.Matching(); !matches(Labels{{"alertname", "A"}}) || matches(Labels{{"alertname", "B"}}) {
		t.Error("it is about others than A")
	}
	if broken := (&Silence{Matchers: []MatcherSet{{{"alertname", labels.MatchRegexp, "("}}}}); broken.Matching()(nil) {
		t.Error("what cannot be compiled matches")
	}
}

// What becomes of a silence that somebody changes: the ID that it then has (1 is the first), and what is told of it.
func TestWhoChangesASilence(t *testing.T) {
	type change func(*Silence)
	comment := func(s *Silence) { s.Comment = "new" }
	matchers := func(s *Silence) { s.Matchers = []MatcherSet{{{Name: "alertname", Value: "B"}}} }
	from := func(clock string) change { return func(s *Silence) { s.StartsAt = at(clock) } }
	until := func(clock string) change { return func(s *Silence) { s.EndsAt = at(clock) } }
	for _, c := range []struct {
		what, at string
		change   change
		want     []string
	}{
		{"pending: words", "00:05", comment, []string{"1 00:10-00:20", "silence 1 update"}},
		{"pending: a start to come", "00:05", from("00:07"), []string{"1 00:07-00:20", "silence 1 update"}},
		{"pending: a start now", "00:05", from("00:05"), []string{"1 00:05-00:20", "silence 1 update", "turned 00:05:00"}},
		{"pending: a start that was", "00:05", from("00:04"), []string{"2 00:05-00:20", "silence 1 expire", "silence 2 create", "turned 00:05:00"}},
		{"pending: no start", "00:05", func(s *Silence) { s.StartsAt = time.Time{} }, []string{"1 00:05-00:20", "silence 1 update", "turned 00:05:00"}},
		{"pending: other alerts", "00:05", matchers, []string{"2 00:10-00:20", "silence 1 expire", "silence 2 create"}},
		{"active: words", "00:15", comment, []string{"1 00:10-00:20", "silence 1 update"}},
		{"active: longer", "00:15", until("00:30"), []string{"1 00:10-00:30", "silence 1 update"}},
		{"active: until now", "00:15", until("00:15"), []string{"1 00:10-00:15", "silence 1 update", "turned 00:15:00 1"}},
		{"active: until what was", "00:15", until("00:14"), []string{"2 00:15-00:14", "silence 1 expire", "silence 2 create", "turned 00:15:00 1"}},
		{"active: another start", "00:15", from("00:11"), []string{"2 00:15-00:20", "silence 1 expire", "silence 2 create", "turned 00:15:00 1"}},
		{"active: the start without its fraction", "00:15", func(s *Silence) { s.StartsAt = s.StartsAt.Add(time.Second - 1) }, []string{"1 00:10-00:20", "silence 1 update"}},
		{"active: other alerts", "00:15", matchers, []string{"2 00:15-00:20", "silence 1 expire", "silence 2 create", "turned 00:15:00 1"}},
		{"over: words", "00:25", func(s *Silence) { s.Comment, s.EndsAt = "new", at("00:30") }, []string{"2 00:25-00:30", "silence 2 create", "turned 00:25:00"}},
	} {
		d := world(t, plainRoute, map[string]string{"db": ""})
		s := d.wish(t, about("A", "00:10", "00:20"))
		d.clock(c.at)
		d.trace()
		c.change(&s)
		now := d.wish(t, s)
		got := append([]string{fmt.Sprintf("%s %s-%s", idsOf([]Silence{now}), now.StartsAt.Format("15:04"), now.EndsAt.Format("15:04"))}, d.trace()...)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%q, want\n%q", c.what, got, c.want)
		}
		if held, _ := d.Silence(now.ID); !held.UpdatedAt.Equal(at(c.at)) || !held.ExpiresAt.Equal(held.EndsAt.Add(120*time.Hour)) {
			t.Errorf("%s: updated %s, forgotten %s", c.what, held.UpdatedAt, held.ExpiresAt)
		}
	}
}

func TestWhoEndsASilence(t *testing.T) {
	for _, c := range []struct{ at, from, until, turned string }{
		{"00:05", "00:05", "00:05", ""},
		{"00:15", "00:10", "00:15", "turned 00:15:00 1"},
		{"00:25", "00:10", "00:20", ""}, // it stays as it is
	} {
		d := world(t, plainRoute, map[string]string{"db": ""})
		id := d.wish(t, about("A", "00:10", "00:20")).ID
		d.clock(c.at)
		d.trace()
		if err := d.expire(id); err != nil {
			t.Fatal(err)
		}
		var want []string
		if c.at != "00:25" {
			want = append(want, "silence 1 expire")
		}
		if c.turned != "" {
			want = append(want, c.turned)
		}
		expect(t, d.trace(), want...)
		if s, _ := d.Silence(id); !s.StartsAt.Equal(at(c.from)) || !s.EndsAt.Equal(at(c.until)) {
			t.Errorf("ended at %s it holds from %s until %s", c.at, s.StartsAt, s.EndsAt)
		}
	}
	d := world(t, plainRoute, map[string]string{"db": ""})
	if err := d.expire("nobody's"); !errors.Is(err, ErrNoSilence) {
		t.Errorf("an unknown one: %v", err)
	}
}

func TestSilencesThatCannotBeHad(t *testing.T) {
	set := func(m ...Matcher) func(*Silence) { return func(s *Silence) { s.Matchers = []MatcherSet{m} } }
	for want, change := range map[string]func(*Silence){
		"silence not found": func(s *Silence) { s.ID = "nobody's" },
		"invalid silence: at least one matcher set required":                                                                                func(s *Silence) { s.Matchers = nil },
		"invalid silence: matcher set 0 is empty":                                                                                           set(),
		"invalid silence: matcher set 0: at least one matcher must not match the empty string":                                              set(Matcher{"a", labels.MatchRegexp, "x|"}),
		`invalid silence: invalid label matcher 0 in set 0: invalid label name ""`:                                                          set(Matcher{"", labels.MatchEqual, "x"}),
		`invalid silence: invalid label matcher 0 in set 0: invalid label value "\xff"`:                                                     set(Matcher{"a", labels.MatchEqual, "\xff"}),
		"invalid silence: invalid label matcher 0 in set 0: invalid regular expression \"(\": error parsing regexp: missing closing ): `(`": set(Matcher{"a", labels.MatchNotRegexp, "("}),
		"invalid silence: invalid zero end timestamp":                                                                                       func(s *Silence) { s.EndsAt = time.Time{} },
		"invalid silence: end time must not be before start time":                                                                           func(s *Silence) { s.StartsAt = s.EndsAt.Add(1) },
	} {
		d := world(t, plainRoute, map[string]string{"db": ""})
		s := about("A", "00:10", "00:20")
		change(&s)
		_, effects, err := d.SetSilence(s, silenceID(1), at("00:05"))
		if err == nil || err.Error() != want || len(effects) > 0 || len(d.Silences()) > 0 {
			t.Errorf("%v, with %v\nwant %s", err, effects, want)
		}
		if s.ID != "" {
			continue
		}
		if _, err := d.PutSilence(s, at("00:05")); err == nil || err.Error() != want {
			t.Errorf("put: %v\nwant %s", err, want)
		}
	}
}

func TestLimitsOfSilences(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": ""})
	d.s.maxSilences, d.s.silenceSize = 2, 200
	d.do(d.SetRoutes(d.options(), d.time()))
	first := d.wish(t, about("A", "00:10", "00:20"))
	d.wish(t, about("B", "00:10", "00:20"))
	d.clock("00:30")
	d.trace()
	refused := func(s Silence, want string) {
		t.Helper()
		if _, effects, err := d.SetSilence(s, silenceID(3), d.time()); err == nil || err.Error() != want || len(effects) > 0 {
			t.Errorf("%v, with %v; want %s", err, effects, want)
		}
	}
	const full = "exceeded maximum number of silences: 2 (limit: 2)"
	refused(about("C", "00:30", "00:40"), full) // though both are over
	first.EndsAt = at("00:40")
	refused(first, full) // it would be a third

	d.s.maxSilences = 0
	d.do(d.SetRoutes(d.options(), d.time()))
	long := about("C", "00:30", "00:40")
	long.Comment = strings.Repeat("x", 200)
	refused(long, "silence exceeded maximum size: 294 bytes (limit: 200 bytes)")
	c := d.wish(t, about("C", "00:30", "00:40"))
	d.clock("00:31")
	c.Comment = strings.Repeat("x", 200)
	refused(c, "silence exceeded maximum size: 294 bytes (limit: 200 bytes)")
	if got := d.silencing("C"); got != "3" {
		t.Errorf("silenced by %s: what was refused must change nothing", got)
	}
}

// turns are when silences begin and end to hold: then it is due, and says so; not when nothing changes.
func TestWhenSilencesTurn(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": ""})
	d.wish(t, about("A", "00:10", "00:20"))
	d.wish(t, about("B", "00:10", "00:15"))
	d.trace()
	for _, want := range []string{"turned 00:10:00", "turned 00:15:00 2", "turned 00:20:00 1"} {
		due := d.Due()
		d.do(d.Elapsed(due.Add(-1)))
		expect(t, d.trace())
		d.do(d.Elapsed(due))
		expect(t, d.trace(), want)
		d.do(d.Elapsed(due))
		expect(t, d.trace())
	}

	// One that began and was over before anybody looked, was never there.
	d.now = 30 * time.Minute
	d.wish(t, about("A", "00:40", "00:50"))
	d.trace()
	d.do(d.Elapsed(at("01:00")))
	expect(t, d.trace())
	if due := d.Due(); !due.Equal(at("01:15")) {
		t.Errorf("due at %s; only forgetting is left, each quarter of an hour", due)
	}
	for range 500 {
		d.do(d.Elapsed(d.Due()))
	}
	expect(t, d.trace(), "silence 2 forget", "silence 1 forget", "silence 3 forget")
	if due := d.Due(); !due.IsZero() || len(d.Silences()) != 0 {
		t.Errorf("due at %s, though all is forgotten", due)
	}
}

// Also what a peer tells of, and is over already, is forgotten some day, though nothing else is going on.
func TestWhatPeersSayIsForgottenToo(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": ""})
	s := about("A", "00:10", "00:20")
	s.ID, s.UpdatedAt, s.ExpiresAt = silenceID(7), at("00:10"), at("01:10")
	d.now = time.Hour
	d.do(d.MergeSilences([]Silence{s}, d.time()))
	d.clock("02:00")
	expect(t, d.trace(), "silence 7 merge", "silence 7 forget")
}

// The clock that people read is the one that silences go by.
func TestSilencesStayWhenTheClockIsSet(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": ""})
	d.wish(t, about("A", "02:00", "03:00"))
	d.clock("02:30")
	d.trace()
	set := func(by time.Duration, holds string, want ...string) {
		t.Helper()
		d.do(d.Shifted(by))
		d.now += by
		d.until(d.now)
		expect(t, d.trace(), want...)
		if got := d.silencing("A"); got != holds {
			t.Errorf("at %s A is silenced by %q, want %q", d.time().Format("15:04"), got, holds)
		}
	}
	set(time.Hour, "", "turned 03:30:00 1")
	set(-time.Hour, "1", "turned 02:30:00")
	set(-time.Hour, "", "turned 01:30:00 1")
	set(30*time.Minute, "1", "turned 02:00:00")
	if due := d.silences.nextTurn(); !due.Equal(at("03:00")) {
		t.Errorf("due at %s, want when it ends", due)
	}
}

// A silence whose ID is made by a rule is what the rule says by now.
func TestPutSilence(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": ""})
	put := func(s Silence, want ...string) {
		t.Helper()
		s.ID = silenceID(9)
		effects, err := d.PutSilence(s, d.time())
		if err != nil {
			t.Fatal(err)
		}
		d.do(effects)
		expect(t, d.trace(), want...)
	}
	put(about("A", "00:10", "00:20"), "silence 9 create")
	d.clock("00:12")
	d.trace()
	put(about("A", "00:05", "00:25"), "silence 9 update") // also a start that was
	put(about("B", "00:05", "00:25"), "silence 9 update", "turned 00:12:00 9")
	if a, b := d.silencing("A"), d.silencing("B"); a != "" || b != "9" {
		t.Errorf("A is silenced by %q, B by %q", a, b)
	}
	put(about("A", "00:13", "00:25"), "silence 9 update", "turned 00:12:00 9")
	put(about("A", "00:05", "00:25"), "silence 9 update", "turned 00:12:00")
	if err := d.expire(silenceID(9)); err != nil {
		t.Fatal(err)
	}
	d.trace()
	put(about("A", "00:05", "00:30")) // somebody ended it
	if got := d.silencing("A"); got != "" {
		t.Errorf("A is silenced by %q", got)
	}
}

func TestASilenceThatEndsWithItsAlerts(t *testing.T) {
	obliging := func(from, until string) Silence {
		s := about("job=j", from, until)
		s.Annotations = map[string]string{ExpireWhenResolved: "true"}
		return s
	}
	alert := func(d *driver, clock, name, until string) {
		d.clock(clock)
		d.do(d.Receive([]*Alert{{Labels: Labels{{"alertname", name}, {"job", "j"}}, StartsAt: at("00:00"), EndsAt: at(until)}}, d.time()))
		d.Committed()
	}
	for _, c := range []struct {
		what string
		tell func(*driver)
		ends string // of the silence
	}{
		{"nothing fires", func(*driver) {}, "01:00"},
		{"one fires on", func(d *driver) { alert(d, "00:11", "A", "02:00") }, "01:00"},
		{"its source says that it ended", func(d *driver) {
			alert(d, "00:11", "A", "02:00")
			alert(d, "00:20", "A", "00:19")
		}, "00:20"},
		{"it ended of itself", func(d *driver) { alert(d, "00:11", "A", "00:15") }, "00:15"},
		{"it fired before", func(d *driver) { alert(d, "00:05", "A", "00:15") }, "00:15"},
		{"it ended before", func(d *driver) { alert(d, "00:05", "A", "00:09") }, "01:00"},
		{"the last one counts", func(d *driver) {
			alert(d, "00:11", "A", "00:15")
			alert(d, "00:12", "B", "00:30")
			alert(d, "00:13", "C", "00:25")
		}, "00:30"},
		{"one comes after the first is gone", func(d *driver) {
			alert(d, "00:05", "A", "00:09")
			alert(d, "00:12", "B", "00:30")
		}, "00:30"},
		{"it fires again in between", func(d *driver) {
			alert(d, "00:05", "A", "00:09")
			alert(d, "00:12", "A", "00:40")
		}, "00:40"},
		{"others do not count", func(d *driver) { d.hear("00:11", "Z", "00:11", "00:15") }, "01:00"},
		{"what was over when first heard of", func(d *driver) { alert(d, "00:11", "A", "00:10") }, "01:00"},
		{"over a restart", func(d *driver) {
			alert(d, "00:11", "A", "00:30")
			alert(d, "00:11", "B", "00:12")
			d.clock("00:20")
			d.checkpoint()
			d.crash(t, d.options())
		}, "00:30"},
		{"over a restart before it begins", func(d *driver) {
			alert(d, "00:05", "A", "00:30")
			d.checkpoint()
			d.crash(t, d.options())
		}, "00:30"},
		{"over a reload", func(d *driver) {
			alert(d, "00:11", "A", "00:30")
			d.do(d.SetRoutes(d.options(), d.time()))
		}, "00:30"},
		{"a change that leaves it what it is", func(d *driver) {
			alert(d, "00:11", "A", "00:30")
			d.clock("00:15")
			s := d.Silences()[0]
			s.EndsAt = at("01:30")
			d.wish(t, s)
		}, "00:30"},
		{"no longer asked for", func(d *driver) {
			alert(d, "00:11", "A", "00:30")
			d.clock("00:15")
			s := d.Silences()[0]
			s.Annotations = nil
			d.wish(t, s)
		}, "01:00"},
		{"a peer's word", func(d *driver) {
			alert(d, "00:11", "A", "00:30")
			d.clock("00:15")
			s := d.Silences()[0]
			s.EndsAt, s.UpdatedAt = at("00:50"), d.time()
			d.do(d.MergeSilences([]Silence{s}, d.time()))
		}, "00:30"},
		{"over already, and back because the clock was set back", func(d *driver) {
			alert(d, "00:11", "A", "02:00")
			d.clock("01:01")
			d.do(d.Shifted(-30 * time.Minute)) // it is 00:31, and A fires until 01:30
			d.now -= 30 * time.Minute
			d.until(d.now)
			alert(d, "00:40", "A", "00:40")
		}, "00:40"},
	} {
		d := world(t, plainRoute, map[string]string{"db": "webhook"})
		d.wish(t, obliging("00:10", "01:00"))
		c.tell(d)
		d.until(max(d.now, 90*time.Minute))
		if s := d.Silences()[0]; !s.EndsAt.Equal(at(c.ends)) {
			t.Errorf("%s: it ended at %s, want %s", c.what, s.EndsAt.Format("15:04:05"), c.ends)
		}
		for _, s := range d.silences.byID {
			if s.awaited != nil && len(d.silences.watched) > 0 && s.State(d.time()) == SilenceExpired {
				t.Errorf("%s: a silence that is over is still watched", c.what)
			}
		}
	}

	// What came of it is said at once, in the order of cause.
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	d.wish(t, obliging("00:10", "01:00"))
	alert(d, "00:11", "A", "00:15")
	d.clock("00:14")
	d.trace()
	d.clock("00:15")
	expect(t, d.trace(), "stored A expired", "silence 1 expire", "left db A expired", "turned 00:15:00 1")
	d.wish(t, obliging("00:15", "01:00"))
	alert(d, "00:15:10", "A", "00:20")
	d.trace()
	alert(d, "00:15:20", "A", "00:15:20") // before any time passes
	expect(t, d.trace(), "stored A resolved", "silence 2 expire", "left db A resolved", "turned 00:15:20 2")
	alert(d, "00:16", "A", "00:20") // and does not come back
	if got := d.IsSilenced(Labels{{"alertname", "A"}, {"job", "j"}}, d.time()); got {
		t.Error("A is silenced again")
	}
}

// What resolves under a silence is told to those who believe that it fires, where that was asked for; see also
// TestWhatIsMutedCountsAsTold.
func TestResolvedUnderASilenceAndToldAllTheSame(t *testing.T) {
	begin := func(receivers string, names ...string) *driver {
		d := world(t, plainRoute, map[string]string{"db": receivers})
		o := d.options()
		o.TellResolvedSilenced = true
		d.Router = New(o)
		for _, name := range names {
			d.hear("00:00", name, "00:00", "02:00")
		}
		d.clock("00:01")
		d.trace()
		return d
	}
	d := begin("webhook webhook!", "A", "B")
	d.silenceFor("A", "00:02", "02:00")
	d.hear("00:03", "A", "00:00", "00:03")
	d.clock("00:06")
	d.trace()
	d.hear("00:07", "B", "00:00", "00:07")
	d.clock("00:11")
	expect(t, d.trace(), "stored B resolved", "left db B resolved", "flushed db 00:10:30 [] [B]",
		"notify webhook/0 00:10:30 [B]: all alerts resolved",
		"log webhook/1 0 1 deleted=false", // who is not told of ends forgets all the same
		"log webhook/0 0 1 deleted=false", "group db deleted=true")

	// Of what it believes to fire, and only once.
	d = begin("webhook", "A", "B")
	d.silenceFor("A", "00:02", "02:00")
	d.hear("00:03", "A", "00:00", "00:03")
	d.clock("00:11")
	expect(t, d.trace(), "silence 1 create", "turned 00:02:00", "stored A resolved", "left db A resolved", "flushed db 00:05:30 [B] []",
		"notify webhook/0 00:05:30 [A B]: some alerts resolved", "log webhook/0 1 1 deleted=false", "group db deleted=false",
		"flushed db 00:10:30 [B] []")
	d.hear("00:12", "A", "00:12", "00:14") // it comes and goes unheard
	d.clock("00:16")
	expect(t, d.trace(), "stored A refired", "joined db A refired silence", "stored A expired", "left db A expired",
		"flushed db 00:15:30 [B] []", "group db deleted=false")

	// Where nothing else is to be said, nothing is said: not even that all is over, of others that are silenced too.
	d = begin("webhook", "A")
	d.silenceFor("A", "00:02", "02:00")
	d.silenceFor("B", "00:02", "02:00")
	d.hear("00:03", "B", "00:03", "00:04")
	d.clock("00:11")
	for _, n := range d.notifications() {
		t.Errorf("told %v", n)
	}

	// A failure keeps it, until it is told.
	d = begin("webhook", "A")
	d.s.outages = []outage{{"db", "webhook", 0, 5 * time.Minute, 7 * time.Minute}}
	d.silenceFor("A", "00:02", "02:00")
	d.hear("00:03", "A", "00:00", "00:03")
	d.clock("00:11")
	var got []string
	for _, n := range d.notifications() {
		got = append(got, n.At.Format("15:04:05 ")+string(n.Reason))
	}
	expect(t, got, "00:05:30 all alerts resolved", "00:10:30 all alerts resolved")
}

// What a silence hid, and no longer hides, the groups that speak already are asked for.
func TestUnsilenced(t *testing.T) {
	d := world(t, `{receiver: db, group_by: [alertname], group_wait: 30s, routes: [{matchers: ['alertname="C"'], receiver: dba}]}`,
		map[string]string{"db": "", "dba": ""})
	for _, name := range []string{"A", "B", "C"} {
		d.hear("00:00", name, "00:00", "02:00")
	}
	d.hear("00:09:50", "D", "00:09:50", "02:00") // its group has not spoken
	ended := []Silence{about("A", "00:00", "00:10"), about("C", "00:00", "00:10"), about("D", "00:00", "00:10")}
	for n := range ended {
		ended[n].ID = silenceID(n)
	}
	got := func(wanted string, ended ...Silence) string {
		var keys []string
		for _, f := range d.Unsilenced(ended, func(r string) bool { return r == wanted }, at("00:10")) {
			keys = append(keys, fmt.Sprint(f.Group.Key, len(f.Firing)))
		}
		return strings.Join(keys, " ")
	}
	if got := got("db", ended...); got != `{}:{alertname="A"}1` {
		t.Errorf("db: %s", got)
	}
	if got := got("dba", ended...); got != `{}/{alertname="C"}:{}1` && !strings.HasPrefix(got, `{}/{alertname="C"}`) {
		t.Errorf("dba: %s", got)
	}
	if got := got("db"); got != "" {
		t.Errorf("of none: %s", got)
	}
	d.silenceFor("A", "00:09:50", "01:00")
	if got := got("db", ended...); got != "" {
		t.Errorf("another silence holds: %s", got)
	}
}

// randomSet makes the matchers of a silence, of all four types and with empty values; what must be refused among them.
func randomSet(t *rapid.T) MatcherSet {
	m := rapid.Custom(func(t *rapid.T) Matcher {
		return Matcher{
			Name:  rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"),
			Type:  labels.MatchType(rapid.IntRange(0, 3).Draw(t, "type")),
			Value: rapid.SampledFrom([]string{"x", "y", "", "x|y", ".+", "x|", ".*", "x.*", "xy?", "^x", "(?i)X", "x$"}).Draw(t, "value"),
		}
	})
	return rapid.SliceOfN(m, 1, 3).Draw(t, "set")
}

func randomLabels(t *rapid.T) Labels {
	m := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		if value := rapid.SampledFrom([]string{"", "x", "xy", "y", "z"}).Draw(t, name); value != "" {
			m[name] = value
		}
	}
	return LabelsOf(m)
}

// However silences are made, changed, ended and forgotten, and however the clock is set, those that hold for an alert are
// all those that hold now and match, in the order in which we learned of them.
func TestSilencesAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := New(Options{Root: dispatch.NewRoute(loadPlain, nil), Retention: time.Hour})
		now := began
		for step := range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "later")) * time.Second)
			ids := []string{""}
			for _, s := range r.Silences() {
				ids = append(ids, s.ID)
			}
			id := rapid.SampledFrom(ids).Draw(t, "id")
			s := Silence{
				ID: id, StartsAt: now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "from")) * time.Minute),
				Matchers: []MatcherSet{randomSet(t)},
			}
			if rapid.Bool().Draw(t, "two sets") {
				s.Matchers = append(s.Matchers, randomSet(t))
			}
			s.EndsAt = s.StartsAt.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "for")) * time.Minute)
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0, 1:
				_, _, _ = r.SetSilence(s, silenceID(step+1), now) // what is refused changes nothing
			case 2:
				_, _ = r.ExpireSilence(id, now)
			case 3: // peers may say what they like
				s.ID, s.UpdatedAt, s.ExpiresAt = silenceID(step/2+1), now, s.EndsAt.Add(time.Hour)
				r.MergeSilences([]Silence{s}, now)
			case 4:
				s.ID = silenceID(step/2 + 1)
				_, _ = r.PutSilence(s, now)
			case 5:
				r.Elapsed(now)
			case 6:
				by := time.Duration(rapid.IntRange(-30, 30).Draw(t, "by")) * time.Minute
				r.Shifted(by)
				now = now.Add(by)
				r.Elapsed(now)
			}
			l := randomLabels(t)
			var want []string
			for _, s := range r.Silences() {
				if s.State(now) == SilenceActive && matchesPlainly(s, l) {
					want = append(want, s.ID)
				}
			}
			if got, _ := r.Suppressed(l, now); !slices.Equal(got, want) {
				t.Fatalf("%s is silenced by %v, want %v of %+v", l, got, want, r.Silences())
			}
			if got := r.IsSilenced(l, now); got != (len(want) > 0) {
				t.Fatalf("%s is silenced: %v", l, got)
			}
		}
	})
}

func matchesPlainly(s Silence, l Labels) bool {
	return slices.ContainsFunc(s.Matchers, func(set MatcherSet) bool {
		return !slices.ContainsFunc(set, func(m Matcher) bool {
			lm, err := labels.NewMatcher(m.Type, m.Name, m.Value)
			return err != nil || !lm.Matches(l.Get(m.Name))
		})
	})
}

// A word is what is said about silences in one step of TestSilencesAreAlertmanagers.
type word struct {
	after time.Duration
	what  string // set, expire, merge, gc
	which int    // the silence that it is about; 0: a new one
	s     Silence
	ago   time.Duration // when a peer said it
}

// The same words to Alertmanager's silences and to ours: the same silences in the same states, the same errors, and the
// same alerts silenced. Peers neither change matchers nor bring back what is over, as Alertmanagers never do: it would
// not notice.
func TestSilencesAreAlertmanagers(t *testing.T) {
	words := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) word {
		w := word{
			after: time.Duration(rapid.IntRange(1, 200).Draw(t, "after"))*time.Second + time.Millisecond,
			what:  rapid.SampledFrom([]string{"set", "set", "set", "set", "expire", "merge", "merge", "gc"}).Draw(t, "what"),
			which: rapid.IntRange(0, 6).Draw(t, "which"),
		}
		w.s.Matchers = []MatcherSet{randomSet(t)}
		if rapid.IntRange(0, 3).Draw(t, "sets") == 0 {
			w.s.Matchers = append(w.s.Matchers, randomSet(t))
		}
		if rapid.Bool().Draw(t, "the same") {
			w.s.Matchers = nil // stands for those that it has
		}
		minutes := func(name string, from, to int) time.Time {
			n := rapid.IntRange(from, to).Draw(t, name)
			return began.Add(time.Duration(n)*time.Minute + 700*time.Microsecond)
		}
		if n := rapid.IntRange(0, 3).Draw(t, "start"); n > 0 {
			w.s.StartsAt = minutes("from", -1, 20)
		}
		if n := rapid.IntRange(0, 9).Draw(t, "end"); n > 0 {
			w.s.EndsAt = minutes("until", -1, 30)
		}
		w.s.Comment = rapid.SampledFrom([]string{"", "short", strings.Repeat("long ", 20)}).Draw(t, "comment")
		w.ago = time.Duration(rapid.IntRange(1, 600).Draw(t, "ago")) * time.Second
		return w
	}), 1, 25)
	rapid.Check(t, func(rt *rapid.T) {
		var (
			all  = words.Draw(rt, "words")
			s    = &scenario{setup: setup{root: loadPlain}, retention: 4 * time.Minute}
			look = randomLabels(rt)
			diff string
		)
		s.maxSilences = rapid.SampledFrom([]int{0, 0, 3}).Draw(rt, "most")
		s.silenceSize = rapid.SampledFrom([]int{0, 0, 200}).Draw(rt, "size")
		synctest.Test(t, func(t *testing.T) { diff = difference(saidUpstream(t, s, all, look), said(s, all, look)) })
		if diff != "" {
			rt.Fatalf("%s", diff)
		}
	})
}

var loadPlain = func() *scenario { return newScenario(0) }().root

// sayer is what both sides do with a word.
type sayer struct {
	keeper
	*chronicle
	merge func(Silence)
	gc    func() int
	ids   []string // in the order of being made
}

func (y *sayer) say(n int, w word, now time.Time) {
	id := ""
	if w.which > 0 && w.which <= len(y.ids) {
		id = y.ids[w.which-1]
	} else if w.which == 6 {
		id = silenceID(0) // which nobody knows
	}
	s := w.s
	s.ID = id
	if known, ok := y.silence(id); ok && s.Matchers == nil {
		s.Matchers = known.Matchers
		if w.s.StartsAt.Minute()%2 == 0 {
			s.StartsAt = known.StartsAt.Truncate(time.Second)
		}
	}
	at := now.Sub(began)
	switch w.what {
	case "set":
		if s.EndsAt.Before(now.Add(-3 * time.Minute)) {
			return // what is forgotten by now Alertmanager does not take in
		}
		became, err := y.set(s, silenceID(n+1))
		y.write(at, true, "set %q: %q, %v", id, became, err)
		if err == nil && !slices.Contains(y.ids, became) {
			y.ids = append(y.ids, became)
		}
	case "expire":
		y.write(at, true, "expire %q: %v", id, y.expire(id))
	case "merge":
		if known, ok := y.silence(id); ok && known.State(now) == SilenceExpired {
			return
		} else if ok {
			s.Matchers = known.Matchers
		} else if s.ID = silenceID(n + 1); CheckSilence(&s) != nil {
			return
		} else {
			y.ids = append(y.ids, s.ID)
		}
		if s.StartsAt.IsZero() || s.EndsAt.IsZero() {
			return
		}
		s.UpdatedAt, s.ExpiresAt = now.Add(-w.ago), s.EndsAt.Add(4*time.Minute)
		y.merge(s)
	case "gc":
		y.write(at, true, "forgotten: %d", y.gc())
	}
}

func saidUpstream(t *testing.T, s *scenario, all []word, l Labels) []string {
	am := &alertmanager{
		chronicle: newChronicle(s), t: t, seen: &tally{}, silences: upstreamSilences(t, s, prometheus.NewRegistry()),
		uuids: map[string]string{}, names: map[string]string{},
	}
	am.silencer = amsilence.NewSilencer(am.silences, slog.New(slog.DiscardHandler), recorder)
	y := &sayer{keeper: am, chronicle: &am.chronicle}
	y.merge = func(s Silence) {
		name := s.ID
		s.ID = am.uuid(s.ID)
		am.uuids[name], am.names[s.ID] = s.ID, name
		var b bytes.Buffer
		m := &silencepb.MeshSilence{Silence: upstreamSilence(s), ExpiresAt: timestamppb.New(s.ExpiresAt)}
		if _, err := protodelim.MarshalTo(&b, m); err != nil {
			t.Fatal(err)
		}
		if err := am.silences.Merge(b.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	y.gc = func() int {
		n, err := am.silences.GC()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for n, w := range all {
		time.Sleep(w.after)
		y.say(n, w, time.Now())
		time.Sleep(glance)
		am.lookAtSilences()
		am.lookAtAlert(l)
		time.Sleep(time.Millisecond - glance)
	}
	return am.texts()
}

func said(s *scenario, all []word, l Labels) []string {
	d := newDriver(s)
	y := &sayer{keeper: d, chronicle: &d.chronicle}
	y.merge = func(s Silence) { d.do(d.MergeSilences([]Silence{s}, d.time())) }
	y.gc = func() int { return len(d.silences.gc(d.time())) }
	for n, w := range all {
		d.now += w.after
		y.say(n, w, d.time())
		d.now += glance
		for _, s := range d.Silences() {
			d.silenced(d.now, s, string(s.State(d.time())))
		}
		silencedBy, _ := d.Suppressed(l, d.time())
		d.predicted(d.now, l.String(), silencedBy, false)
		d.now += time.Millisecond - glance
	}
	return d.texts()
}

// Merging is idempotent, and the order does not matter: the later word is right wherever they meet.
func TestTheLaterWordAboutASilenceIsRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := at("01:00")
		var words []Silence
		for n := range rapid.IntRange(1, 12).Draw(t, "words") {
			s := about(rapid.SampledFrom([]string{"A", "B"}).Draw(t, "about"), "00:30", "00:30")
			s.ID = silenceID(rapid.IntRange(1, 3).Draw(t, "id"))
			s.StartsAt = s.StartsAt.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "from")) * time.Minute)
			s.EndsAt = s.StartsAt.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "for")) * time.Minute)
			s.ExpiresAt = s.EndsAt.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "kept")) * time.Minute)
			s.UpdatedAt = at("00:30").Add(time.Duration(n) * time.Second)
			s.Comment = fmt.Sprint(n)
			words = append(words, s)
		}
		merge := func(words ...Silence) *Router {
			r := New(Options{Root: dispatch.NewRoute(loadPlain, nil)})
			for len(words) > 0 {
				n := rapid.IntRange(1, len(words)).Draw(t, "at once")
				r.MergeSilences(words[:n], now)
				words = words[n:]
			}
			return r
		}
		know := func(r *Router) string {
			all := r.Silences()
			slices.SortFunc(all, func(a, b Silence) int { return strings.Compare(a.ID, b.ID) })
			a, _ := r.Suppressed(Labels{{"alertname", "A"}}, now)
			b, _ := r.Suppressed(Labels{{"alertname", "B"}}, now)
			slices.Sort(a)
			slices.Sort(b)
			return fmt.Sprintf("%+v, A by %v, B by %v", all, a, b)
		}
		shuffled := rapid.Permutation(words).Draw(t, "another order")
		one, other := merge(words...), merge(shuffled...)
		if know(one) != know(other) {
			t.Fatalf("in one order\n%s\nin another\n%s", know(one), know(other))
		}
		for _, w := range words {
			s, known := one.Silence(w.ID)
			switch forgotten := w.ExpiresAt.Before(now); {
			case !forgotten && (!known || s.UpdatedAt.Before(w.UpdatedAt)):
				t.Fatalf("%v is not known, or as %v", w, s)
			case forgotten && known && s.Comment == w.Comment:
				t.Fatalf("%v was forgotten", w)
			}
		}
		if effects := one.MergeSilences(shuffled, now); len(effects) != 0 {
			t.Fatalf("what was known was news: %v", effects)
		}
	})
}

// What is said after a peer's word is the later word, though the peer's clock is ahead: else peers would not believe it,
// and we should not when they tell us of theirs again. Alertmanager leaves such a silence as it is, and says nothing.
func TestThePeersClockIsAhead(t *testing.T) {
	theirs := about("A", "00:00", "02:00")
	theirs.ID, theirs.UpdatedAt, theirs.ExpiresAt = silenceID(1), at("00:11"), at("03:00")
	for what, say := range map[string]func(*driver) error{
		"ended": func(d *driver) error { return d.expire(theirs.ID) },
		"set": func(d *driver) error {
			s := theirs
			s.EndsAt = at("00:10")
			_, err := d.set(s, "")
			return err
		},
		"put": func(d *driver) error {
			s := theirs
			s.EndsAt = at("00:10")
			effects, err := d.PutSilence(s, d.time())
			d.do(effects)
			return err
		},
	} {
		d := world(t, plainRoute, map[string]string{"db": ""})
		d.clock("00:10")
		d.do(d.MergeSilences([]Silence{theirs}, d.time()))
		if err := say(d); err != nil {
			t.Fatal(err)
		}
		ours, _ := d.Silence(theirs.ID)
		d.do(d.MergeSilences([]Silence{theirs}, d.time()))
		if now, _ := d.Silence(theirs.ID); now.State(d.time()) != SilenceExpired || !now.UpdatedAt.Equal(ours.UpdatedAt) {
			t.Errorf("%s: then it is %s, updated %s", what, now.State(d.time()), now.UpdatedAt)
		}
		other := world(t, plainRoute, map[string]string{"db": ""})
		other.MergeSilences([]Silence{theirs}, d.time())
		other.MergeSilences([]Silence{ours}, d.time())
		if now, _ := other.Silence(theirs.ID); now.State(d.time()) != SilenceExpired {
			t.Errorf("%s: the peer does not believe it", what)
		}
	}
}

// A peer's word that makes no sense changes nothing, and stands in nobody's way.
func TestAPeersNonsense(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": ""})
	nonsense := about("A", "00:00", "02:00")
	nonsense.ID, nonsense.ExpiresAt, nonsense.UpdatedAt = silenceID(1), at("03:00"), at("00:00")
	pattern, timeless := nonsense, nonsense
	pattern.Matchers = []MatcherSet{{{"a", labels.MatchRegexp, "("}}}
	timeless.StartsAt = time.Time{}
	d.do(d.MergeSilences([]Silence{pattern, timeless}, d.time()))
	expect(t, d.trace())
	d.wish(t, about("A", "00:10", "00:20"))
	d.trace()
	d.clock("00:30")
	expect(t, d.trace(), "turned 00:10:00", "turned 00:20:00 1")
}

func TestMatchersAsTheyAreStored(t *testing.T) {
	set, err := ParseMatchers([]string{`a="x"`, `b!=y`, `c=~"x|y"`, `d!~"z"`}, "test")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	var back MatcherSet
	if err := json.Unmarshal(b, &back); err != nil || !slices.Equal(set, back) {
		t.Errorf("%s came back as %v: %v", b, back, err)
	}
	var words []string
	for _, m := range back {
		words = append(words, m.String())
	}
	expect(t, words, `a="x"`, `b!="y"`, `c=~"x|y"`, `d!~"z"`)
	if err := json.Unmarshal([]byte(`{"name":"a","type":"==","value":"x"}`), &Matcher{}); err == nil || err.Error() != `a matcher's type is "=="; it must be =, !=, =~ or !~` {
		t.Errorf("%v", err)
	}
	if _, err := ParseMatchers([]string{`a=~"("`}, "test"); err == nil {
		t.Error("what cannot be compiled was read as a matcher")
	}
}

// What is stored of silences is what comes back, and they hold as before.
func TestSilencesOverARestart(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": ""})
	d.wish(t, about("A", "00:10", "00:20"))
	d.wish(t, about("A", "00:10", "01:00"))
	d.wish(t, about("B", "00:40", "01:00"))
	d.clock("00:15")
	before := d.Silences()
	d.trace()
	d.crash(t, d.options())
	expect(t, d.trace()) // what held holds on: that is no news
	if !slices.EqualFunc(before, d.Silences(), func(a, b Silence) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("%v came back as %v", before, d.Silences())
	}
	if got := d.silencing("A"); got != "1 2" {
		t.Errorf("A is silenced by %s", got)
	}
	d.clock("00:45")
	expect(t, d.trace(), "turned 00:20:00 1", "turned 00:40:00")

	// What turned while we were away is news.
	stored := slices.Collect(maps.Values(d.disk.silences))
	r := New(d.options())
	d.fx = r.Restore(State{Silences: stored, Stopped: d.time()}, at("01:30"))
	d.Router, d.now = r, 90*time.Minute
	d.until(d.now)
	turned := effectsOf[SilencesTurned](d.fx)
	if len(turned) != 1 || len(turned[0].Ended) != 2 {
		t.Errorf("%v", turned)
	}
}

// auditSilences checks that every silence that is not over is found, and waits for the alerts that it should.
func auditSilences(t failer, r *Router) {
	t.Helper()
	all := &r.silences
	scheduled := map[*silence]bool{}
	for _, a := range all.turns.heap {
		scheduled[a.who] = true
	}
	for id, s := range all.byID {
		shown := !slices.ContainsFunc(s.keys, func(key pair) bool { return !slices.Contains(all.found[key], s) })
		over := s.State(all.looked) == SilenceExpired
		switch {
		case id != s.ID:
			t.Errorf("%s is kept as %s", s.ID, id)
		case !over && (!shown || !scheduled[s]):
			t.Errorf("silence %s is not over, found %v, looked at again %v", id, shown, scheduled[s])
		case s.held != (s.State(all.looked) == SilenceActive):
			t.Errorf("silence %s is believed to hold: %v", id, s.held)
		case !over && s.obliging() != (all.watched[id] == s):
			t.Errorf("silence %s is watched: %v", id, all.watched[id] == s)
		}
	}
	for key, found := range all.found {
		for _, s := range found {
			if all.byID[s.ID] != s || !slices.Contains(s.keys, key) {
				t.Errorf("silence %s is found under %v", s.ID, key)
			}
		}
	}
	for id, s := range all.watched {
		if all.byID[id] != s {
			t.Errorf("silence %s is watched, and no more", id)
		}
		waits := 0
		for e := range r.table.entries() {
			if a, _ := r.table.read(e); !a.Ended && s.matches(a.Labels) {
				waits++
				if _, awaited := s.awaited[e]; !awaited {
					t.Errorf("silence %s does not wait for %s", id, a.Labels)
				}
			}
		}
		if waits != len(s.awaited) {
			t.Errorf("silence %s waits for %d, of which %d fire", id, len(s.awaited), waits)
		}
	}
}
