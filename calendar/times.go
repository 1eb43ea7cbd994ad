package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	day = 24 * 3600

	// maxLength bounds a DURATION, so that no time comes out that nobody can write. A century is longer than any absence.
	maxLength = 36525 * day
)

// A civil time is what a wall clock shows, in seconds: it counts as if the clock were in UTC, from 1970-01-01.
type civil int64

func (c civil) day() int64  { return floorDiv(int64(c), day) }
func (c civil) second() int { return int(int64(c) - c.day()*day) } // of the day

func (c civil) String() string { return time.Unix(int64(c), 0).UTC().Format("2006-01-02 15:04:05") }

// A stamp is a DATE or DATE-TIME of RFC 5545, 3.3.4 and 3.3.5.
type stamp struct {
	wall civil
	date bool // a whole day
	zone zone // nil for dates and floating times
}

// instant is the instant that a start at this time means. Of civil stamps it is the reading itself.
func (s stamp) instant() int64 {
	if s.zone == nil {
		return int64(s.wall)
	}
	return first(s.zone, s.wall)
}

// parseWall reads 20260105 and 20260105T090000, the latter with Z for UTC.
func parseWall(s string) (wall civil, date, utc bool, err error) {
	s = strings.TrimSpace(s)
	body, utc := strings.CutSuffix(s, "Z")
	layout := "20060102T150405"
	if len(body) == len("20060102") && !utc {
		layout, date = "20060102", true
	}
	// A leap second is read as the second before it, as 3.3.12 has it.
	if len(body) == len(layout) && strings.HasSuffix(body, "60") && !date {
		body = body[:len(body)-2] + "59"
	}
	t, err := time.Parse(layout, body)
	if err != nil || len(body) != len(layout) || t.Year() < 1 {
		return 0, false, false, fmt.Errorf("%s is no date or time; write 20260105, 20260105T090000 or 20260105T090000Z", quote(s))
	}
	return civil(t.Unix()), date, utc, nil
}

// parseDuration reads RFC 5545, 3.3.6. Days and weeks are nominal, so they come apart from hours, minutes and seconds.
func parseDuration(s string) (days, seconds int64, err error) {
	s = strings.TrimSpace(s)
	wrong := fmt.Errorf("%s is no length of time; write P1D, PT8H or PT90M", quote(s))
	rest := strings.TrimPrefix(s, "+")
	rest, negative := strings.CutPrefix(rest, "-")
	rest, ok := strings.CutPrefix(rest, "P")
	if !ok || rest == "" {
		return 0, 0, wrong
	}
	if negative {
		return 0, 0, fmt.Errorf("the length %s is negative; write the length from the start to the end", quote(s))
	}
	inTime, digits, n := false, 0, int64(0)
	for _, c := range []byte(rest) {
		switch {
		case '0' <= c && c <= '9':
			if digits++; digits > 8 { // 300,000 years, even in weeks
				return 0, 0, wrong
			}
			n = n*10 + int64(c-'0')
			continue
		case c == 'T' && !inTime && digits == 0:
			inTime = true
			continue
		case digits == 0:
			return 0, 0, wrong
		case c == 'W' && !inTime:
			days += 7 * n
		case c == 'D' && !inTime:
			days += n
		case c == 'H' && inTime:
			seconds += 3600 * n
		case c == 'M' && inTime:
			seconds += 60 * n
		case c == 'S' && inTime:
			seconds += n
		default:
			return 0, 0, wrong
		}
		digits, n = 0, 0
	}
	if digits > 0 || strings.HasSuffix(rest, "T") {
		return 0, 0, wrong
	}
	if days*day+seconds > maxLength {
		return 0, 0, fmt.Errorf("the length %s is more than a hundred years; mend it", quote(s))
	}
	return days, seconds, nil
}

// parseOffset reads +0100, -0330 and +012345: RFC 5545, 3.3.14. Seconds east of Greenwich.
func parseOffset(s string) (int64, error) {
	s = strings.TrimSpace(s)
	wrong := fmt.Errorf("%s is no offset from UTC; write +0100", quote(s))
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' {
		return 0, wrong
	}
	var parts [3]int64
	for i := range (len(s) - 1) / 2 {
		a, b := s[1+2*i]-'0', s[2+2*i]-'0'
		if a > 9 || b > 9 {
			return 0, wrong
		}
		parts[i] = int64(a)*10 + int64(b)
	}
	offset := parts[0]*3600 + parts[1]*60 + parts[2]
	if parts[1] > 59 || parts[2] > 59 || offset > maxOffset {
		return 0, wrong
	}
	if s[0] == '-' {
		offset = -offset
	}
	return offset, nil
}

var errMixed = errors.New("a date and a time are mixed; write both as dates or both as times")

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
