package engine

import (
	"reflect"
	"testing"
	"time"
)

func TestFeedsSurviveAndAreTakenBack(t *testing.T) {
	w := newWorld(t, house(), 1)
	add := func(f CalendarFeed) Answer { return w.turn(AddFeed{Feed: f})[0] }
	first := add(CalendarFeed{User: "ana", Hash: "1", Alarm: time.Hour, CreatedBy: "ana"}).Feed
	second := add(CalendarFeed{Schedule: "weekly", Hash: "2", CreatedBy: "bo"}).Feed
	want := []CalendarFeed{
		{Number: 1, User: "ana", Hash: "1", Alarm: time.Hour, CreatedBy: "ana", CreatedAt: night},
		{Number: 2, Schedule: "weekly", Hash: "2", CreatedBy: "bo", CreatedAt: night},
	}
	if !reflect.DeepEqual([]CalendarFeed{first, second}, want) {
		t.Fatalf("made are %+v, %+v", first, second)
	}
	w.crash(time.Minute)
	w.run(2 * time.Minute)
	if got := w.e.Feeds(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a crash: %+v", got)
	}
	if a := w.turn(DropFeed{Number: 2, By: "bo"})[0]; a.Err != nil {
		t.Fatal(a.Err)
	}
	w.crash(time.Minute)
	w.run(5 * time.Minute)
	if _, ok := w.e.Feed(2); ok {
		t.Error("a feed that was taken back is there again")
	}
	if f := add(CalendarFeed{User: "bo", Hash: "3", CreatedBy: "bo"}).Feed; f.ID() != "FEED-3" {
		t.Errorf("the number of one that was taken back is given again: %s", f.ID())
	}
	refusal(t, w.turn(DropFeed{Number: 2})[0], "not_found", "id", "there is no feed FEED-2")
	refusal(t, add(CalendarFeed{User: "nemo", Hash: "4"}), "invalid", "user", `no user "nemo"`)
	refusal(t, add(CalendarFeed{Schedule: "nemo", Hash: "4"}), "invalid", "schedule", `no schedule "nemo"`)
	refusal(t, add(CalendarFeed{User: "ana", Schedule: "weekly", Hash: "4"}), "invalid", "", "one user or of one schedule")
	refusal(t, add(CalendarFeed{User: "ana", Hash: "4", Alarm: -1}), "invalid", "alarm", "at most 30 days")
}
