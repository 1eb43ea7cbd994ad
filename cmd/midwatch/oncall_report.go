package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/calendar"
	"github.com/midwatch/midwatch/draw"
	"github.com/midwatch/midwatch/oncall"
)

// hours is time on call, each instant in one of the kinds.
type hours struct{ day, night, weekend, holiday time.Duration }

func (h hours) total() time.Duration { return h.day + h.night + h.weekend + h.holiday }

// A monthReport says how long everybody is on call in a month, in one schedule.
type monthReport struct {
	Schedule   string       `json:"schedule"`
	Month      string       `json:"month"`
	Zone       string       `json:"time_zone"`
	From       time.Time    `json:"from"`
	To         time.Time    `json:"to"`
	Elapsed    int64        `json:"elapsed_seconds"`
	Night      string       `json:"night"`    // which times count as it; empty: none
	Weekend    string       `json:"weekend"`  // these come before nights; empty: none
	Holidays   string       `json:"holidays"` // these come before all; empty: none
	Users      []hoursLine  `json:"users"`    // by name
	Unassigned hoursSeconds `json:"unassigned"`
	Clocks     []clockLine  `json:"clock_changes"`
	*asked
}

type hoursLine struct {
	User string `json:"user"`
	hoursSeconds
	Pages *int `json:"pages,omitempty"` // messages of pages that reached the user while on call here; absent: nobody was asked
}

// hoursSeconds is hours as JSON has them: without loss.
type hoursSeconds struct {
	Day     int64 `json:"day_seconds"`
	Night   int64 `json:"night_seconds"`
	Weekend int64 `json:"weekend_seconds"`
	Holiday int64 `json:"holiday_seconds"`
	Total   int64 `json:"total_seconds"`
}

func secondsOf(h hours) hoursSeconds {
	s := func(d time.Duration) int64 { return int64(d / time.Second) }
	return hoursSeconds{s(h.day), s(h.night), s(h.weekend), s(h.holiday), s(h.total())}
}

// cells are the hours for people, or with decimals for a spreadsheet.
func (h hoursSeconds) cells(write func(seconds int64) string) []string {
	return []string{write(h.Day), write(h.Night), write(h.Weekend), write(h.Holiday), write(h.Total)}
}

const unassigned = "(nobody)" // no name of a user has brackets

func oncallReport(top *kingpin.CmdClause, out *output) map[string]command {
	cmd := top.Command("report", "Hours on call in a month, by day, night, weekend and holiday, and pages received, for every user. As the server recorded it; what is still to come is as it stands. With --config.file from that file alone: it says what the schedules mean, without the record of what was, without overrides made at run time, and without pages.")
	server := serverFlags(cmd)
	month := cmd.Flag("month", "The month: 2026-11.").Required().String()
	file := cmd.Flag("config.file", "Configuration file, to be read in place of asking the server.").String()
	schedule := cmd.Flag("schedule", "Only this schedule.").String()
	zone := cmd.Flag("time-zone", "Zone of the month, the nights and the weekends. Default: the schedule's.").PlaceHolder("ZONE").String()
	night := cmd.Flag("night", "What counts as night, or none.").Default("22:00-06:00").String()
	weekend := cmd.Flag("weekend", "What counts as weekend and not as night: days, or such as 'fri 18:00-mon 06:00', or none.").Default("sat-sun").String()
	holidays := cmd.Flag("holidays", "Days that count as holiday, before all else, such as 2026-12-25,2026-12-26, or a calendar file (.ics). Repeatable.").PlaceHolder("DAYS").Strings()
	form := cmd.Flag("output", "How to print: table, json, yaml, or csv for a spreadsheet.").Short('o').Default("table").Enum("table", "json", "yaml", "csv")
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		first, err := time.Parse("2006-01", *month)
		if err != nil {
			return out.fail(exitUsage, fmt.Errorf("--month %q is not a month; write 2026-11", *month))
		}
		kinds, err := kindsOf(*night, *weekend, *holidays, first)
		if err != nil {
			return out.fail(exitUsage, err)
		}
		if *zone != "" {
			if _, err := oncall.ParseZone(*zone); err != nil {
				return out.fail(exitUsage, fmt.Errorf("--time-zone %w", err))
			}
		}
		reports := []monthReport{}
		if *file == "" {
			if reports, err = reportServer(ctx, server, *schedule, first, *zone, kinds); err != nil {
				return out.failCall(err)
			}
		} else {
			cfg, ok := loadConfig(out, *file)
			if !ok {
				return exitFailed
			}
			order, err := chosen(*schedule, cfg.ScheduleOrder)
			if err != nil {
				return out.fail(exitNothing, err)
			}
			for _, name := range order {
				where, err := zoneFlag(*zone, cfg.Schedules[name])
				if err != nil {
					return out.fail(exitUsage, err)
				}
				r, err := reportMonth(cfg.Schedules[name], first, where, kinds)
				if err != nil {
					return out.fail(exitFailed, err)
				}
				reports = append(reports, r)
			}
		}
		if *form == "csv" {
			if err := reportCSV(out.stdout, reports); err != nil {
				return out.fail(exitFailed, err)
			}
			return printed(exitOK, len(reports))
		}
		return printed(out.print(*form, reports, func(w io.Writer) { reportTable(w, reports) }), len(reports))
	}}
}

// kinds are the windows of night, weekend and holidays; none is never.
type kinds struct{ night, weekend, holiday []oncall.Window }

func kindsOf(night, weekend string, holidays []string, month time.Time) (k kinds, err error) {
	if k.holiday, err = holidayWindows(holidays, month); err != nil {
		return k, err
	}
	if night != "none" {
		from, to, ok := strings.Cut(night, "-")
		w, err := oncall.ParseWindow(nil, from, to)
		if err != nil || !ok || w.Week {
			return k, fmt.Errorf("--night %q is no time of the day; write 22:00-06:00, or none", night)
		}
		k.night = []oncall.Window{w}
	}
	if weekend == "none" {
		return k, nil
	}
	var w oncall.Window
	if strings.Contains(weekend, ":") {
		from, to, _ := strings.Cut(weekend, "-")
		if w, err = oncall.ParseWindow(nil, from, to); err == nil && !w.Week {
			err = errors.New("no weekday")
		}
	} else {
		w, err = oncall.ParseWindow(strings.Split(weekend, ","), "", "")
	}
	if err != nil {
		return k, fmt.Errorf("--weekend %q is no part of the week; write sat-sun, fri,sat, 'fri 18:00-mon 06:00' or none", weekend)
	}
	k.weekend = []oncall.Window{w}
	return k, nil
}

// holidayWindows are whole days, each in the zone of whoever asks, and the events of calendar files in and about a month.
func holidayWindows(lists []string, month time.Time) ([]oncall.Window, error) {
	c := &oncall.Calendar{Name: "holidays"}
	for _, list := range lists {
		if strings.HasSuffix(strings.ToLower(list), ".ics") {
			events, err := eventsIn(list, month.AddDate(0, 0, -7), month.AddDate(0, 1, 7))
			if err != nil {
				return nil, fmt.Errorf("--holidays: %w", err)
			}
			c.Name = filepath.Base(list)
			c.Events = append(c.Events, events...)
			continue
		}
		for _, text := range strings.Split(list, ",") {
			day, err := time.Parse(time.DateOnly, strings.TrimSpace(text))
			if err != nil {
				return nil, fmt.Errorf("--holidays %q is no day; write 2026-12-25, or several with commas", text)
			}
			c.Events = append(c.Events, oncall.Event{From: oncall.WallTime(day, time.UTC), To: oncall.WallTime(day.AddDate(0, 0, 1), time.UTC), Title: day.Format(time.DateOnly)})
		}
	}
	if len(c.Events) == 0 {
		return nil, nil
	}
	return []oncall.Window{{Calendar: c}}, nil
}

// eventsIn are the events of a calendar file.
func eventsIn(path string, from, to time.Time) (events []oncall.Event, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	read, _, err := calendar.Read(f, calendar.Options{From: from, To: to})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, e := range read {
		events = append(events, oncall.Event{From: oncall.WallTime(e.Start, time.UTC), To: oncall.WallTime(e.End, time.UTC), Instant: !e.Civil, Title: e.Summary})
	}
	return events, nil
}

// reportMonth counts the hours of the month that begins on a day, in a zone.
func reportMonth(s *oncall.Schedule, first time.Time, zone *time.Location, k kinds) (monthReport, error) {
	from, to := monthIn(first, zone)
	r, err := reportShifts(s.Name(), first, zone, k, s.Shifts(from, to))
	r.Clocks = clockLines(s, from, to)
	return r, err
}

// reportShifts counts those of the month, which are in order and cut to it.
func reportShifts(name string, first time.Time, zone *time.Location, k kinds, shifts []oncall.Shift) (monthReport, error) {
	from, to := monthIn(first, zone)
	of, err := k.in(zone)
	if err != nil {
		return monthReport{}, err
	}
	r := monthReport{
		Schedule: name, Month: first.Format("2006-01"), Zone: zone.String(), From: from, To: to,
		Elapsed: int64(to.Sub(from) / time.Second), Night: inWords(k.night), Weekend: inWords(k.weekend), Holidays: inWords(k.holiday),
		Users: []hoursLine{}, Clocks: []clockLine{},
	}
	perUser, nobody := tally(shifts, from, to, of)
	for user, h := range perUser {
		r.Users = append(r.Users, hoursLine{User: user, hoursSeconds: secondsOf(h)})
	}
	slices.SortFunc(r.Users, func(a, b hoursLine) int { return strings.Compare(a.User, b.User) })
	r.Unassigned = secondsOf(nobody)
	return r, nil
}

// monthIn is the month that begins on a day, in a zone.
func monthIn(first time.Time, zone *time.Location) (from, to time.Time) {
	return midnight(first, zone), midnight(first.AddDate(0, 1, 0), zone)
}

// midnight is the first instant of a day.
func midnight(day time.Time, zone *time.Location) time.Time {
	return oncall.WallTime(day, time.UTC).First(zone)
}

func inWords(windows []oncall.Window) string {
	var out []string
	for _, w := range windows {
		if w.Calendar != nil {
			for _, e := range w.Calendar.Events {
				out = append(out, e.Title)
			}
			continue
		}
		out = append(out, strings.TrimPrefix(strings.TrimSuffix(w.String(), " 00:00 to 24:00"), "every day "))
	}
	return strings.Join(out, ", ")
}

// A splitter tells the kinds of time apart.
type splitter struct{ night, weekend, holiday *oncall.Hours } // nil is never

func (k kinds) in(zone *time.Location) (s splitter, err error) {
	for _, one := range []struct {
		windows []oncall.Window
		hours   **oncall.Hours
	}{{k.night, &s.night}, {k.weekend, &s.weekend}, {k.holiday, &s.holiday}} {
		if len(one.windows) == 0 {
			continue
		}
		if *one.hours, err = oncall.NewHours(zone, one.windows); err != nil {
			return s, err
		}
	}
	return s, nil
}

// split says of which kinds a stretch of time is. What is weekend is not night, and what is holiday is neither.
func (s splitter) split(from, to time.Time) (h hours) {
	for from.Before(to) {
		end, kind := to, &h.day
		for _, k := range []struct {
			open *oncall.Hours
			kind *time.Duration
		}{{s.night, &h.night}, {s.weekend, &h.weekend}, {s.holiday, &h.holiday}} {
			if k.open == nil {
				continue
			}
			if next := k.open.NextChange(from); !next.IsZero() && next.Before(end) {
				end = next
			}
			if k.open.Open(from) {
				kind = k.kind
			}
		}
		*kind += end.Sub(from)
		from = end
	}
	return h
}

func (h hours) plus(o hours) hours {
	return hours{h.day + o.day, h.night + o.night, h.weekend + o.weekend, h.holiday + o.holiday}
}

// tally adds up the hours of [from, to), of which the shifts are all that somebody has. Whoever shares a turn has all of it.
func tally(shifts []oncall.Shift, from, to time.Time, of splitter) (perUser map[string]hours, nobody hours) {
	perUser = map[string]hours{}
	for _, shift := range shifts {
		h := of.split(shift.Start, shift.End)
		for _, u := range shift.Users {
			perUser[u] = perUser[u].plus(h)
		}
		nobody = nobody.plus(of.split(from, shift.Start))
		from = shift.End
	}
	return perUser, nobody.plus(of.split(from, to))
}

func reportTable(w io.Writer, reports []monthReport) {
	for i, r := range reports {
		if i > 0 {
			fmt.Fprintln(w)
		}
		holidays, head := "", []string{"USER", "DAY", "NIGHT", "WEEKEND", "HOLIDAY", "TOTAL"}
		if r.Holidays != "" {
			holidays = fmt.Sprintf(" Holidays are %s and come before both.", r.Holidays)
		}
		if r.asked != nil {
			head = append(head, "PAGES")
		}
		fmt.Fprintf(w, "Schedule %s, %s in %s, which has %s. Night is %s, weekend is %s and comes first.%s\n", r.Schedule, r.Month, r.Zone,
			draw.Length(time.Duration(r.Elapsed)*time.Second), orElse(r.Night, "never"), orElse(r.Weekend, "never"), holidays)
		rows := [][]string{head}
		length := func(seconds int64) string {
			return draw.Length((time.Duration(seconds) * time.Second).Round(time.Minute))
		}
		for _, u := range r.Users {
			row := append([]string{u.User}, u.cells(length)...)
			if u.Pages != nil {
				row = append(row, strconv.Itoa(*u.Pages))
			}
			rows = append(rows, row)
		}
		rows = append(rows, append([]string{unassigned}, r.Unassigned.cells(length)...))
		if r.asked != nil {
			rows[len(rows)-1] = append(rows[len(rows)-1], "-")
		}
		if r.Holidays == "" {
			for j := range rows {
				rows[j] = slices.Delete(rows[j], 4, 5)
			}
		}
		columns(w, rightAligned(rows))
		remarks(w, r.Clocks)
		if r.asked != nil {
			r.remark(w, i == len(reports)-1)
		}
	}
}

// rightAligned puts spaces before all cells but each row's first.
func rightAligned(rows [][]string) [][]string {
	for c := 1; c < len(rows[0]); c++ {
		width := 0
		for _, row := range rows {
			width = max(width, len(row[c]))
		}
		for _, row := range rows {
			row[c] = strings.Repeat(" ", width-len(row[c])) + row[c]
		}
	}
	return rows
}

// reportCSV writes hours with decimals, which a spreadsheet can add.
func reportCSV(w io.Writer, reports []monthReport) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	rows := [][]string{{"schedule", "month", "time_zone", "user", "day_hours", "night_hours", "weekend_hours", "holiday_hours", "total_hours", "pages"}}
	for _, r := range reports {
		for _, u := range append(slices.Clone(r.Users), hoursLine{User: unassigned, hoursSeconds: r.Unassigned}) {
			pages := "" // nobody was asked
			if u.Pages != nil {
				pages = strconv.Itoa(*u.Pages)
			}
			row := append([]string{inSpreadsheet(r.Schedule), r.Month, r.Zone, inSpreadsheet(u.User)}, u.cells(decimalHours)...)
			rows = append(rows, append(row, pages))
		}
	}
	return out.WriteAll(rows)
}

// decimalHours is exact where hours are quarters; a minute is a 60th, which has no end in decimals.
func decimalHours(seconds int64) string {
	text := strconv.FormatFloat(float64(seconds)/3600, 'f', 4, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// inSpreadsheet keeps a name that begins like a formula from being one.
func inSpreadsheet(name string) string {
	if name != "" && strings.ContainsAny(name[:1], "=+-@\t\r") {
		return "'" + name
	}
	return name
}
