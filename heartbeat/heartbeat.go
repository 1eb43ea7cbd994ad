// Package heartbeat says when somebody who was to be heard of every so often has been silent for too long.
package heartbeat

import "time"

// State is where a heartbeat stands.
type State string

const (
	New    State = "new"    // not heard yet since it is watched
	Fine   State = "fine"   // heard in time
	Late   State = "late"   // silent for longer than Every and Grace, or its source said that it failed
	Paused State = "paused" // not watched for now
)

// A Heartbeat is expected at least every so often. It is a value: Step returns the next one. The zero Heartbeat is
// watched by nobody; the input Watch makes one.
type Heartbeat struct {
	Name  string        `json:"name"`
	Every time.Duration `json:"every"` // it is expected at least so often
	Grace time.Duration `json:"grace"` // and may be late by so much; 0: not at all

	Patient bool `json:"patient,omitempty"` // it is not Late before it was heard once

	State State     `json:"state"`
	Since time.Time `json:"since"`         // it is in that State from then on
	Last  time.Time `json:"last,omitzero"` // when it was last heard; zero: never
	From  time.Time `json:"from"`          // its silence counts from here: when it was last heard, or watching began anew

	Failure string `json:"failure,omitempty"` // what its source said of its failure; empty: it is Late by silence, if it is
	Excused int    `json:"excused,omitempty"` // restarts that were taken for the reason of its silence, since it was last heard
}

// MaxExcused is how many restarts in a row excuse the same silence. What was sent while nobody listened is lost, so that
// a restart at the hour of a nightly job must not wake anybody; but one that comes every night at that hour must not
// hide for ever that the job is dead.
const MaxExcused = 3

// An Input is something that happens to a heartbeat.
type Input interface{ input() }

type (
	// Watch begins to watch it, or says by what rule it is watched from now on.
	Watch struct {
		Name         string
		Every, Grace time.Duration
		Patient      bool // it is not Late before it was heard once
		Paused       bool
	}
	// Beat says that it was heard At an instant that is not to come. One that is no news changes nothing.
	Beat struct{ At time.Time }
	// Fail says that its source tells of a failure, in the words of Said; it may be empty.
	Fail struct{ Said string }
	// Elapsed says that time has passed.
	Elapsed struct{}
	// Restarted says that nobody listened for a while, until now. Unsure says that it may have been heard before that
	// without our knowing.
	Restarted struct{ Unsure bool }
	// Shifted says that the clock was set by so much.
	Shifted struct{ By time.Duration }
)

func (Watch) input()     {}
func (Beat) input()      {}
func (Fail) input()      {}
func (Elapsed) input()   {}
func (Restarted) input() {}
func (Shifted) input()   {}

// An Effect is what has become true by a step.
type Effect interface{ effect() }

type (
	// FellLate says that it is Late from now on, and why: in a few words, and in full.
	FellLate struct{ Brief, Reason string }
	// Worse says that it was Late by silence, and now tells of a failure.
	Worse struct{ Reason string }
	// Recovered says that it is Late no more, or that it is not watched, and why.
	Recovered struct{ Reason string }
)

func (FellLate) effect()  {}
func (Worse) effect()     {}
func (Recovered) effect() {}

// Due is when it is Late unless it is heard before; zero: never, for it is so already, or is not watched, or is waited
// for patiently.
func (h Heartbeat) Due() time.Time {
	if h.State == New && h.Patient {
		return time.Time{}
	}
	if h.State == New || h.State == Fine {
		return h.From.Add(h.Every + h.Grace)
	}
	return time.Time{}
}
