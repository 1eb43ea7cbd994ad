package router

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/notify"
	"pgregory.net/rapid"
)

func TestTheReasonsAreAlertmanagersWords(t *testing.T) {
	for ours, theirs := range map[Reason]notify.NotifyReason{
		Nothing:        notify.ReasonDoNotNotify,
		First:          notify.ReasonFirstNotification,
		NewAlerts:      notify.ReasonNewAlertsInGroup,
		NewResolved:    notify.ReasonNewResolvedAlerts,
		AllResolved:    notify.ReasonAllAlertsResolved,
		RepeatInterval: notify.ReasonRepeatIntervalElapsed,
	} {
		if string(ours) != theirs.String() {
			t.Errorf("%q, want %q", ours, theirs)
		}
	}
}

func TestWhyAReceiverIsTold(t *testing.T) {
	set := func(hashes ...uint64) []uint64 { return hashes }
	told := func(firing, resolved []uint64) *LogEntry {
		return &LogEntry{Timestamp: at("00:10"), Firing: firing, Resolved: resolved}
	}
	for _, c := range []struct {
		what             string
		known            *LogEntry
		firing, resolved []uint64
		silent           bool // not told of resolved alerts
		now              string
		want             Reason
	}{
		{"something fires, of which it never heard", nil, set(1), nil, false, "00:11", First},
		{"something fired and ended, of which it never heard", nil, nil, set(1), false, "00:11", Nothing},
		{"the same still fires", told(set(1), nil), set(1), nil, false, "00:11", Nothing},
		{"one more fires", told(set(1), nil), set(1, 2), nil, false, "00:11", NewAlerts},
		{"another fires instead", told(set(1), nil), set(2), nil, false, "00:11", NewAlerts},
		{"it fires again after all was resolved", told(nil, set(1)), set(1), nil, false, "00:11", First},
		{"one of two left without a word", told(set(1, 2), nil), set(1), nil, false, "00:11", Nothing},
		{"one of two resolved", told(set(1, 2), nil), set(1), set(2), false, "00:11", NewResolved},
		{"one of two resolved, but it does not want to know", told(set(1, 2), nil), set(1), set(2), true, "00:11", Nothing},
		{"it was told that this one resolved", told(set(1), set(2)), set(1), set(2), false, "00:11", Nothing},
		{"all resolved", told(set(1), nil), nil, set(1), false, "00:11", AllResolved},
		{"all resolved, which clears what it believes", told(set(1), nil), nil, set(1), true, "00:11", AllResolved},
		{"all was resolved already", told(nil, set(1)), nil, set(1), false, "09:00", Nothing},
		{"the repeat interval is just over", told(set(1), nil), set(1), nil, false, "01:10", Nothing},
		{"the repeat interval is over", told(set(1), nil), set(1), nil, false, "01:10:01", RepeatInterval},
	} {
		if got := decide(c.known, c.firing, c.resolved, !c.silent, time.Hour, at(c.now)); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestSubset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hashes := rapid.SliceOf(rapid.Uint64Range(0, 6))
		a := slices.Sorted(slices.Values(hashes.Draw(t, "a")))
		b := slices.Sorted(slices.Values(hashes.Draw(t, "b")))
		want := !slices.ContainsFunc(a, func(h uint64) bool { return !slices.Contains(b, h) })
		if got := subset(a, b); got != want {
			t.Errorf("%v in %v: %v", a, b, got)
		}
	})
}

func TestTheLogKeepsTheNewest(t *testing.T) {
	var log logbook
	key := LogKey{`{}:{alertname="A"}`, "db", "webhook", 2}
	if key.String() != `{}:{alertname="A"}:db/webhook/2` {
		t.Errorf("known to peers as %s", key)
	}
	entry := func(clock string, firing ...uint64) LogEntry {
		return LogEntry{LogKey: key, Timestamp: at(clock), ExpiresAt: at(clock).Add(time.Hour), Firing: firing}
	}
	for _, c := range []struct {
		entry LogEntry
		now   string
		news  bool
	}{
		{entry("00:10", 3, 1, 2), "00:10", true}, // a peer's: in the order of its alerts
		{entry("00:10", 9), "00:10", false},      // of the same instant: the first stays
		{entry("00:09", 9), "00:10", false},
		{entry("00:11", 4), "02:00", false}, // expired on its way
	} {
		if got := log.merge(c.entry, at(c.now)); got != c.news {
			t.Errorf("an entry of %s was news: %v", c.entry.Timestamp, got)
		}
	}
	if got := log.get(key).Firing; !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("it says that %v fire", got)
	}
	if !log.merge(entry("00:12", 5), at("00:12")) || log.len() != 1 {
		t.Error("a newer entry did not replace the older")
	}
	if gone := log.gc(at("01:11:59")); len(gone) != 0 {
		t.Errorf("%v expired early", gone)
	}
	if gone := log.gc(at("01:12")); !reflect.DeepEqual(gone, []LogEntry{entry("00:12", 5)}) || log.len() != 0 {
		t.Errorf("%v expired", gone)
	}
}

func TestEntriesLiveTwiceTheRepeatInterval(t *testing.T) {
	for _, c := range []struct{ retention, repeat, want time.Duration }{
		{120 * time.Hour, 4 * time.Hour, 8 * time.Hour},
		{120 * time.Hour, 100 * time.Hour, 120 * time.Hour},
		{120 * time.Hour, 60 * time.Hour, 120 * time.Hour},
		{120 * time.Hour, 0, 120 * time.Hour},
	} {
		if got := expiry(began, c.retention, c.repeat).Sub(began); got != c.want {
			t.Errorf("retention %s, repeat %s: %s, want %s", c.retention, c.repeat, got, c.want)
		}
	}
}
