package router

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// An end of our own making may come nearer, when the resolve timeout was made shorter. That is for the agenda to know.
func TestTouchMovesNoEndNearer(t *testing.T) {
	table := newTable(0, Labels.Hash)
	ours := func(until string) *Alert {
		a := report("A", "00:00", until, "x")
		a.Timeout = true
		return a
	}
	table.Put(ours("00:50"), at("00:00"))
	table.committed()
	if table.Touch(ours("00:40"), at("00:01")) {
		t.Error("the end was moved nearer by a touch")
	}
	if _, change := table.Put(ours("00:40"), at("00:01")); change != Refreshed || !table.nextExpiry().Equal(at("00:40")) {
		t.Errorf("%s, next end at %s", change, table.nextExpiry())
	}
	if !table.Touch(ours("00:40"), at("00:02")) || !table.Touch(ours("00:41"), at("00:02")) {
		t.Error("an end that stays or moves away needs no more than a touch")
	}
}

func TestAnAlertExpiresOnceForEachTimeItFired(t *testing.T) {
	table := newTable(0, Labels.Hash)
	expired := func(now string) string {
		var names []string
		for _, a := range table.Expired(at(now)) {
			names = append(names, a.Name())
		}
		return strings.Join(names, " ")
	}
	next := func(want string) {
		t.Helper()
		if got := table.nextExpiry(); want == "never" && !got.IsZero() || want != "never" && !got.Equal(at(want)) {
			t.Errorf("next end at %s, want %s", got, want)
		}
	}
	next("never")
	table.Put(report("A", "00:00", "00:04", ""), at("00:00"))
	table.Put(report("B", "00:00", "00:03", ""), at("00:00"))
	table.committed()
	next("00:03")

	table.Touch(report("B", "00:00", "00:05", ""), at("00:01"))
	next("00:04")
	if got := expired("00:03"); got != "" {
		t.Errorf("%s ended, though it was heard of", got)
	}
	if got := expired("00:05"); got != "A B" {
		t.Errorf("%q ended, want A, then B", got)
	}
	if got := expired("00:06"); got != "" {
		t.Errorf("%s ended twice", got)
	}
	next("never")

	table.Put(report("B", "00:07", "00:20", ""), at("00:07"))
	table.Put(&Alert{Labels: Labels{{"alertname", "B"}}, StartsAt: at("00:07"), EndsAt: at("00:09")}, at("00:09"))
	if got := expired("00:30"); got != "" {
		t.Errorf("%s expired, though its source had resolved it", got)
	}

	// Where the source says just in time what we were about to notice, it is not noticed again.
	table.Put(report("D", "00:30", "00:31", ""), at("00:30"))
	if _, change := table.Put(report("D", "00:30", "00:31", ""), at("00:31")); change != Resolved {
		t.Errorf("D: %s, want resolved", change)
	}
	if got := expired("00:31"); got != "" {
		t.Errorf("%s expired, though its source had resolved it", got)
	}

	// An end of our own making may come nearer again; then the first appointment no longer counts.
	long := report("C", "00:30", "00:50", "")
	long.Timeout = true
	table.Put(long, at("00:30"))
	next("00:50")
	table.Put(report("C", "00:30", "00:40", ""), at("00:31"))
	next("00:40")
	if got := expired("00:40"); got != "C" {
		t.Errorf("%q ended, want C", got)
	}
	next("never")
}

func TestEndedAlertsAreForgotten(t *testing.T) {
	table := newTable(0, Labels.Hash)
	table.Put(report("A", "00:00", "00:04", "x"), at("00:00"))
	table.Put(report("B", "00:00", "00:09", "x"), at("00:00"))
	table.Expired(at("00:05"))
	if n := table.gc(at("00:05")); n != 1 {
		t.Errorf("%d forgotten, want 1", n)
	}
	var left []string
	for a := range table.All() {
		left = append(left, a.Name())
	}
	if !slices.Equal(left, []string{"B"}) || table.Len() != 1 {
		t.Errorf("%v are left, %d of them", left, table.Len())
	}
	// Who is forgotten comes as a stranger: nothing is merged.
	stored, change := table.Put(report("A", "00:02", "00:03", "y"), at("00:06"))
	if change != FirstSeen || !stored.StartsAt.Equal(at("00:02")) {
		t.Errorf("%s, holds %+v", change, stored)
	}
}

func TestNothingEndsBecauseWeWereAway(t *testing.T) {
	table := newTable(0, Labels.Hash)
	table.Load(report("A", "00:00", "00:04", ""))          // fired when we stopped
	table.Load(report("B", "00:00", "02:00", ""))          // fires for longer anyway
	ended := report("C", "00:00", "00:03", "")             // had ended before
	behind := report("D", "00:00", "03:00", "")            // had ended; but the clock came back behind that
	table.Load(&Alert{Labels: Labels{{"alertname", "E"}}}) // has no end
	ended.Ended, behind.Ended = true, true
	table.Load(ended)
	table.Load(behind)

	table.restored(at("01:00"), 5*time.Minute)
	for name, want := range map[string]time.Time{
		"A": at("01:05"), "B": at("02:00"), "C": at("00:03"), "D": at("01:00"), "E": {},
	} {
		if got := table.Get(Labels{{"alertname", name}}).EndsAt; !got.Equal(want) {
			t.Errorf("%s ends at %s, want %s", name, got, want)
		}
	}
	if got := table.nextExpiry(); !got.Equal(at("01:05")) {
		t.Errorf("next end at %s", got)
	}
}
