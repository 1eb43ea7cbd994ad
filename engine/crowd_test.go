package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/store"
)

// slow is a store whose commits take their time, and are counted.
type slow struct {
	store.Store
	takes   time.Duration
	commits atomic.Int64
}

func (s *slow) Commit(ctx context.Context, b store.Batch) error {
	s.commits.Add(1)
	time.Sleep(s.takes)
	return s.Store.Commit(ctx, b)
}

// storming lets so many senders post one alert after the other, and says how many commits that took, and how long.
func storming(t *testing.T, senders, posts int, takes, think time.Duration) (commits int64, took time.Duration) {
	t.Helper()
	s := run(t)
	disk := &slow{Store: s.disk.Store, takes: takes}
	s.disk.Store = disk
	began := time.Now()
	var all sync.WaitGroup
	for n := range senders {
		all.Go(func() {
			for i := range posts {
				if err := s.fire("alertname", "Lag", "team", "plain", "n", fmt.Sprint(n, "/", i)); err != nil {
					t.Error(err)
				}
				// The first back is so early that without patience it would have a commit for itself.
				time.Sleep(time.Duration(1+n) * think)
			}
		})
	}
	all.Wait()
	return disk.commits.Load(), time.Since(began)
}

// TestACrowdSharesItsCommits: who sends again as soon as they are answered share a commit.
func TestACrowdSharesItsCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const posts = 50
		commits, took := storming(t, 4, posts, time.Millisecond, 50*time.Microsecond)
		// The four begin together, but for the first.
		if commits > posts+5 {
			t.Errorf("%d commits for %d rounds of four", commits, posts)
		}
		if took > (posts+5)*(time.Millisecond+250*time.Microsecond) {
			t.Errorf("%d rounds took %s", posts, took)
		}
	})
}

// TestNobodyWaitsForACrowdThatIsNotThere: a lone sender has nobody to wait for; and of a crowd that has gone, the one who is
// left waits once, for no longer than a commit takes.
func TestNobodyWaitsForACrowdThatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const posts = 50
		commits, took := storming(t, 1, posts, time.Millisecond, 100*time.Microsecond)
		if commits != posts || took != posts*1100*time.Microsecond {
			t.Errorf("%d commits in %s", commits, took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		s.disk.Store = &slow{Store: s.disk.Store, takes: 300 * time.Microsecond}
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() { _ = s.fire("alertname", "Lag", "team", "plain", "n", fmt.Sprint(n)) })
		}
		all.Wait()
		for i, want := range []time.Duration{600 * time.Microsecond, 300 * time.Microsecond, 300 * time.Microsecond} {
			began := time.Now()
			_ = s.fire("alertname", "Lag", "team", "plain", "late", fmt.Sprint(i))
			if got := time.Since(began); got > want {
				t.Errorf("the %d. that came alone took %s", i+1, got)
			}
		}
	})
}

// TestAPersonWaitsForNoCrowd: what somebody does is done at once, and takes along what had gathered.
func TestAPersonWaitsForNoCrowd(t *testing.T) {
	c := crowd{}
	c.served(3, 1, time.Second)
	c.committed(10 * time.Millisecond)
	if got := c.patience(1, time.Second); got != longestGather {
		t.Errorf("it waits %s, however slow commits are", got)
	}
	if got := c.patience(4, time.Second); got > 0 {
		t.Errorf("all are there, and it waits %s", got)
	}
	if got := c.patience(1, time.Second+longestGather); got > 0 {
		t.Errorf("the others should have come, and it waits %s", got)
	}
	alerts, result := request{in: Alerts{}}, request{in: Result{}}
	if !patient([]request{alerts, result}) {
		t.Error("alerts and outcomes may wait")
	}
	for _, in := range []Input{Action{}, SetSilence{}, Reload{}, Resumed{}, TestPage{}} {
		if patient([]request{alerts, {in: in}}) {
			t.Errorf("a %T waits", in)
		}
	}
}
