package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/calendar"
	"github.com/midwatch/midwatch/engine"
)

// Feed lets a calendar subscribe to the shifts of one user or of one schedule.
type Feed struct {
	ID        string    `json:"id"` // FEED-1
	User      string    `json:"user,omitempty"`
	Schedule  string    `json:"schedule,omitempty"`
	Alarm     string    `json:"alarm,omitempty"` // calendars remind so long before each shift
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	URL       string    `json:"url,omitempty"`     // in the answer to POST, and never again: it is the secret
	Warning   string    `json:"warning,omitempty"` // it was done, but …
}

// Feeds is the list, the oldest first.
type Feeds struct {
	Feeds []Feed `json:"feeds"`
}

// Feeding is the body of POST feeds: of one user, or of one schedule.
type Feeding struct {
	By       string `json:"by"`
	User     string `json:"user,omitempty"`
	Schedule string `json:"schedule,omitempty"`
	Alarm    string `json:"alarm,omitempty"` // a duration such as 1h
}

// What a feed holds. Its range moves on with the months, so that a shift without a beginning or an end in sight changes
// once a month and not with every look.
const (
	feedPath    = "/calendar/"
	feedBack    = 2 // months before this one
	feedAhead   = 6 // months after it
	feedRefresh = time.Hour
	secretBytes = 20 // 160 bits: nobody guesses it
)

var secretText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func showFeed(f engine.CalendarFeed) Feed {
	out := Feed{ID: f.ID(), User: f.User, Schedule: f.Schedule, CreatedBy: f.CreatedBy, CreatedAt: f.CreatedAt.UTC()}
	if f.Alarm > 0 {
		out.Alarm = model.Duration(f.Alarm).String()
	}
	return out
}

func (a *API) getFeeds(w http.ResponseWriter, r *http.Request) {
	if _, err := params(r); err != nil {
		a.fail(w, r, err)
		return
	}
	out := Feeds{Feeds: []Feed{}}
	for _, f := range a.o.Engine.Feeds() {
		out.Feeds = append(out.Feeds, showFeed(f))
	}
	answer(w, r, http.StatusOK, out)
}

func (a *API) postFeed(w http.ResponseWriter, r *http.Request) {
	var body Feeding
	if err := readAct(w, r, &body, []string{"by", "user", "schedule", "alarm"}); err != nil {
		a.fail(w, r, err)
		return
	}
	if err := signed(body.By); err != nil {
		a.fail(w, r, err)
		return
	}
	f := engine.CalendarFeed{User: body.User, Schedule: body.Schedule, CreatedBy: body.By}
	if body.Alarm != "" {
		d, err := model.ParseDuration(body.Alarm)
		if err != nil {
			a.fail(w, r, invalid("alarm", "%q is not a duration; write one such as 30m or 1h", shorten(body.Alarm)))
			return
		}
		f.Alarm = time.Duration(d)
	}
	address, done := Subscribe(r.Context(), a.o.Engine, a.o.Link, f)
	out := showFeed(done.Feed)
	out.URL = address
	a.changed(w, r, http.StatusCreated, &out, &out.Warning, done.Err)
}

// Subscribe makes a feed, and its address, which nobody can tell later. The address is empty where none was made.
func Subscribe(ctx context.Context, e *engine.Engine, link func(parts ...string) string, f engine.CalendarFeed) (address string, done engine.Answer) {
	var random [secretBytes]byte
	_, _ = rand.Read(random[:]) // never fails
	secret := secretText.EncodeToString(random[:])
	f.Hash = hashOf(secret)
	if done = e.Do(ctx, engine.AddFeed{Feed: f}); done.Feed.Number > 0 {
		address = link(strings.Trim(feedPath, "/"), fmt.Sprintf("%d-%s.ics", done.Feed.Number, secret))
	}
	return address, done
}

func (a *API) deleteFeed(w http.ResponseWriter, r *http.Request) {
	by, err := who(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	id := r.PathValue("id")
	n, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(id), "FEED-"))
	if err != nil {
		a.fail(w, r, missing("id", "there is no feed %q; they are called FEED-1 and so on", shorten(id)))
		return
	}
	done := a.o.Engine.Do(r.Context(), engine.DropFeed{Number: n, By: by})
	out := showFeed(done.Feed)
	a.changed(w, r, http.StatusOK, &out, &out.Warning, done.Err)
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// getCalendar is a feed as calendars fetch it. A wrong address and one that was revoked look alike.
func (a *API) getCalendar(w http.ResponseWriter, r *http.Request) {
	number, secret, _ := strings.Cut(strings.TrimSuffix(r.PathValue("feed"), ".ics"), "-")
	n, _ := strconv.Atoi(number)
	f, ok := a.o.Engine.Feed(n)
	if !ok || subtle.ConstantTimeCompare([]byte(f.Hash), []byte(hashOf(secret))) != 1 {
		http.Error(w, "There is no such calendar, or its address was revoked. Ask for a new one: midwatch oncall feed create", http.StatusNotFound)
		return
	}
	text, err := a.feed(r, f)
	if err != nil {
		a.o.Log.Error("a calendar feed could not be made", zap.String("feed", f.ID()), zap.Error(err))
		http.Error(w, "The calendar could not be made; the log of Midwatch says why.", http.StatusInternalServerError)
		return
	}
	sum := sha256.Sum256(text)
	h := w.Header()
	h.Set("Content-Type", "text/calendar; charset=utf-8")
	h.Set("Content-Disposition", `inline; filename="`+orElse(f.User, f.Schedule)+`.ics"`)
	h.Set("Cache-Control", "private, max-age=300")
	h.Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	h.Set("X-Robots-Tag", "noindex")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// feed writes the shifts, those that have passed as they were recorded.
func (a *API) feed(r *http.Request, f engine.CalendarFeed) ([]byte, error) {
	now := a.o.Now().UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	from, to := month.AddDate(0, -feedBack, 0), month.AddDate(0, feedAhead+1, 0)
	out := calendar.Feed{Name: "On call: " + orElse(f.User, f.Schedule), Refresh: feedRefresh}
	out.Description = "Who is on call in " + f.Schedule + ", from Midwatch."
	schedules := []string{f.Schedule}
	if f.User != "" {
		out.Description = "When " + f.User + " is on call, from Midwatch."
		schedules = a.o.Engine.ScheduleNames()
	}
	for _, name := range schedules {
		shifts, _, _, err := a.o.Engine.Shifts(r.Context(), name, from, to)
		if err != nil {
			return nil, err
		}
		for _, s := range shifts {
			e := calendar.Entry{Start: s.Start, End: s.End, Stamp: f.CreatedAt.UTC(), Alarm: f.Alarm}
			e.UID = fmt.Sprintf("%s.%d@%s", name, s.Start.Unix(), a.o.Store)
			e.Summary = strings.Join(s.Users, ", ") + ": " + name
			e.Description = "From " + strings.Join(s.Layers, ", ") + "."
			if f.User != "" {
				others := withoutUser(s.Users, f.User)
				if len(others) == len(s.Users) {
					continue
				}
				e.UID = f.User + "." + e.UID
				e.Summary = "On call: " + name
				if len(others) > 0 {
					e.Description = "With " + strings.Join(others, ", ") + ". " + e.Description
				}
			}
			if !e.Start.Truncate(time.Second).Before(e.End.Truncate(time.Second)) {
				continue // a watch of less than a second, which only an override at that very instant makes
			}
			out.Entries = append(out.Entries, e)
		}
	}
	var b bytes.Buffer
	err := calendar.Write(&b, out)
	return b.Bytes(), err
}

func withoutUser(users []string, user string) (others []string) {
	for _, u := range users {
		if u != user {
			others = append(others, u)
		}
	}
	return others
}
