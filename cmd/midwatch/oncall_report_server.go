package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// asked is what of a report only a server can say.
type asked struct {
	At time.Time `json:"asked_at"` // what is after it is as it stands, and not as it was
	// From when on the hours are what was recorded; absent: none of them are. What was before is computed.
	RecordedFrom time.Time `json:"recorded_from,omitzero"`
	// The oldest line of the delivery log, where the month begins before it: pages may be missing.
	PagesFrom time.Time `json:"pages_from,omitzero"`
	// Pages that reached users while they were on call in no schedule: in a step or catch_all by name, or added by hand.
	// Absent where one schedule was asked about.
	OffCall []pagesLine `json:"pages_off_call,omitempty"`
}

type pagesLine struct {
	User  string `json:"user"`
	Pages int    `json:"pages"`
}

// remark says what the numbers stand on; last is below the last table.
func (a *asked) remark(w io.Writer, last bool) {
	fmt.Fprintln(w)
	switch {
	case a.RecordedFrom.IsZero():
		fmt.Fprintln(w, "Nothing of it is recorded: these are the hours of the schedule as it stands.")
	default:
		fmt.Fprintf(w, "Recorded from %s to %s; the rest is the schedule as it stands.\n", localMinute(a.RecordedFrom), localMinute(a.At))
	}
	if !last {
		return
	}
	if !a.PagesFrom.IsZero() {
		fmt.Fprintf(w, "The delivery log begins at %s: what was sent before is not in PAGES.\n", localMinute(a.PagesFrom))
	}
	if len(a.OffCall) > 0 {
		var told []string
		for _, l := range a.OffCall {
			told = append(told, fmt.Sprintf("%s %d", l.User, l.Pages))
		}
		fmt.Fprintf(w, "Pages to people who were on call in no schedule: %s.\n", strings.Join(told, ", "))
	}
}

// A watched is a schedule in a month, as a server tells it.
type watched struct {
	name     string
	zone     *time.Location
	from, to time.Time
	shifts   []oncall.Shift
	recorded time.Time
}

// reportServer makes the reports of one schedule, or, by "", of all there are and were at the month's beginning.
func reportServer(ctx context.Context, c client, schedule string, first time.Time, zone string, k kinds) ([]monthReport, error) {
	now := time.Now().UTC().Truncate(time.Second)
	zones, err := scheduleZones(ctx, c, schedule, first, now)
	if err != nil {
		return nil, err
	}
	var all []watched
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		one, err := watch(ctx, c, name, orElse(zone, zones[name]), first)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return []monthReport{}, nil
	}
	earliest := slices.MinFunc(all, func(a, b watched) int { return a.from.Compare(b.from) }).from
	pages, oldest, err := pagesSince(ctx, c, earliest)
	if err != nil {
		return nil, err
	}
	reports := []monthReport{}
	for _, one := range all {
		r, err := reportShifts(one.name, first, one.zone, k, one.shifts)
		if err != nil {
			return nil, err
		}
		r.asked = &asked{At: now, RecordedFrom: one.recorded}
		if oldest.After(one.from) {
			r.PagesFrom = oldest
		}
		counts, off := map[string]int{}, map[string]int{}
		for _, p := range pages {
			switch {
			case p.At.Before(one.from) || !p.At.Before(one.to):
			case one.has(p.User, p.At):
				counts[p.User]++
			case !slices.ContainsFunc(all, func(w watched) bool { return w.has(p.User, p.At) }):
				off[p.User]++
			}
		}
		for i := range r.Users {
			n := counts[r.Users[i].User]
			r.Users[i].Pages = &n
		}
		if schedule == "" {
			for _, user := range slices.Sorted(maps.Keys(off)) {
				r.OffCall = append(r.OffCall, pagesLine{user, off[user]})
			}
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// has reports whether the user is on call here at the instant.
func (w watched) has(user string, at time.Time) bool {
	return slices.ContainsFunc(w.shifts, func(s oncall.Shift) bool {
		return !at.Before(s.Start) && at.Before(s.End) && slices.Contains(s.Users, user)
	})
}

// scheduleZones finds the schedules that are meant, with their zones; UTC for one that is no longer there.
func scheduleZones(ctx context.Context, c client, schedule string, instants ...time.Time) (map[string]string, error) {
	zones := map[string]string{}
	for _, at := range instants {
		query := url.Values{"at": {at.Format(time.RFC3339)}}
		var answer struct {
			OnCall []struct {
				Schedule string `json:"schedule"`
				Zone     string `json:"time_zone"`
			} `json:"oncall"`
		}
		if err := c.call(ctx, http.MethodGet, "oncall", query, nil, &answer); err != nil {
			return nil, err
		}
		for _, d := range answer.OnCall {
			if schedule == "" || schedule == d.Schedule {
				zones[d.Schedule] = orElse(d.Zone, "UTC")
			}
		}
	}
	if schedule != "" && len(zones) == 0 {
		zones[schedule] = "UTC" // the server says that it is unknown, and which are known
	}
	return zones, nil
}

// watch asks who was and will be on call in a schedule in a month.
func watch(ctx context.Context, c client, name, zone string, first time.Time) (w watched, err error) {
	w.name = name
	if w.zone, err = oncall.ParseZone(zone); err != nil {
		return w, fmt.Errorf("schedule %s: %w", name, err)
	}
	w.from, w.to = monthIn(first, w.zone)
	query := url.Values{"from": {w.from.UTC().Format(time.RFC3339)}, "to": {w.to.UTC().Format(time.RFC3339)}}
	var answer struct {
		Shifts       []oncall.Shift `json:"shifts"`
		RecordedFrom time.Time      `json:"recorded_from"`
	}
	err = c.call(ctx, http.MethodGet, "schedules/"+url.PathEscape(name)+"/shifts", query, nil, &answer)
	for _, s := range answer.Shifts { // seconds are what is added up
		s.Start, s.End = s.Start.Truncate(time.Second), s.End.Truncate(time.Second)
		if s.Start.Before(s.End) {
			w.shifts = append(w.shifts, s)
		}
	}
	w.recorded = answer.RecordedFrom.Truncate(time.Second)
	return w, err
}

// A sentPage is a page's message that reached somebody.
type sentPage struct {
	At   time.Time `json:"at"`
	User string    `json:"user"`
}

// Limits of reading the delivery log, which is read from its newest line on.
const (
	logPage  = "200"          // lines at once: what the server gives at most
	logSlack = 24 * time.Hour // lines are in the order of writing, and a clock may have been set
)

// pagesSince reads the log back to an instant. oldest is its first line, where it does not go back so far; zero: it does, or
// it has no lines.
func pagesSince(ctx context.Context, c client, from time.Time) (pages []sentPage, oldest time.Time, err error) {
	query := url.Values{"limit": {logPage}}
	for {
		var answer struct {
			Deliveries []struct {
				sentPage
				Event   string `json:"event"`
				Outcome string `json:"outcome"`
			} `json:"deliveries"`
			Next string `json:"next"`
		}
		if err := c.call(ctx, http.MethodGet, "deliveries", query, nil, &answer); err != nil {
			return nil, oldest, err
		}
		for _, d := range answer.Deliveries {
			oldest = d.At
			if d.At.Before(from.Add(-logSlack)) {
				return pages, time.Time{}, nil
			}
			if d.Event == "page" && d.Outcome == "delivered" && d.User != "" && !d.At.Before(from) {
				pages = append(pages, d.sentPage)
			}
		}
		if answer.Next == "" {
			return pages, oldest, nil
		}
		query.Set("cursor", answer.Next)
	}
}
