package engine

import (
	"cmp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// A CalendarFeed lets a calendar subscribe to the shifts of one user or of one schedule. Who has its secret address may
// read it, so the address can be taken back.
type CalendarFeed struct {
	Number    int           `json:"number"`
	User      string        `json:"user,omitempty"`     // whose shifts, in all schedules
	Schedule  string        `json:"schedule,omitempty"` // or the schedule whose shifts
	Hash      string        `json:"hash"`               // SHA-256 of the secret, in hex
	Alarm     time.Duration `json:"alarm,omitempty"`    // calendars remind so long before each shift; zero: they do not
	CreatedBy string        `json:"created_by"`
	CreatedAt time.Time     `json:"created_at"`
}

// ID names the feed: FEED-1.
func (f CalendarFeed) ID() string { return "FEED-" + strconv.Itoa(f.Number) }

const (
	maxFeeds = 10_000 // thousands of people, some calendars each
	maxAlarm = 30 * 24 * time.Hour
)

// addFeed takes in a feed. The secret is its maker's; only what proves it comes here.
func (c *Core) addFeed(in AddFeed) Answer {
	f := in.Feed
	_, knownUser := c.cfg.Users[f.User]
	switch {
	case (f.User == "") == (f.Schedule == ""):
		return Answer{Err: refuse("invalid", "", "a feed is of one user or of one schedule; name either")}
	case f.User != "" && !knownUser:
		return Answer{Err: c.noUser("user", f.User)}
	case f.Schedule != "" && c.schedules[f.Schedule] == nil:
		return Answer{Err: c.noSchedule(f.Schedule)}
	case f.Alarm < 0 || f.Alarm > maxAlarm:
		return Answer{Err: refuse("invalid", "alarm", "a reminder comes at most 30 days before the shift")}
	case utf8.RuneCountInString(f.CreatedBy) > maxName:
		return Answer{Err: refuse("invalid", "by", "\"by\" is longer than %d characters", maxName)}
	case len(c.feeds) >= maxFeeds:
		return Answer{Err: refuse("invalid", "", "there are %d feeds, the most there can be; revoke some", maxFeeds)}
	}
	c.lastFeed++
	f.Number, f.CreatedAt = c.lastFeed, c.now
	c.feeds[f.Number] = f
	c.put(feedKey(f.Number), encode("feed", f))
	return Answer{Feed: f}
}

// dropFeed takes a feed's address back, at once and for good.
func (c *Core) dropFeed(in DropFeed) Answer {
	f, known := c.feeds[in.Number]
	if !known {
		return Answer{Err: refuse("not_found", "id", "there is no feed FEED-%d", in.Number)}
	}
	delete(c.feeds, in.Number)
	if in.Number == c.lastFeed { // its number is not given again
		f.Hash = ""
		c.put(feedKey(in.Number), encode("feed", f))
	} else {
		c.put(feedKey(in.Number), nil)
	}
	return Answer{Feed: f}
}

func feedKey(n int) string { return prefFeed + num(n) }

func (r *restorer) restoreFeeds() error {
	return r.scan(prefFeed, func(rest string, value []byte) error {
		n, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		r.c.lastFeed = max(r.c.lastFeed, n)
		var f CalendarFeed
		if err = decode("feed", value, &f); err == nil && f.Hash != "" {
			r.c.feeds[n] = f
		}
		return err
	})
}

// Feeds are all of them, the oldest first.
func (e *Engine) Feeds() []CalendarFeed {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]CalendarFeed, 0, len(e.core.feeds))
	for _, f := range e.core.feeds {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b CalendarFeed) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// Feed is the one with this number.
func (e *Engine) Feed(n int) (f CalendarFeed, ok bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	f, ok = e.core.feeds[n]
	return f, ok
}
