package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/notify"
)

const (
	incidentPrefix = "INC-"

	// maxLinked is how many incidents one link may acknowledge: it is done within one request.
	maxLinked = 500

	// maxLinkText is how long the incidents of a link may be written, in bytes. With the rest of the token it stays below 512
	// characters, the least that a service takes for an address (Pushover).
	maxLinkText = 200

	// testClaim is in the place of the incident in the link of a test page.
	testClaim = "TEST"
)

// joinIDs writes the incidents of a link as short as it can, in the order of their numbers: "INC-7-9,12". What is no number
// is written as it is.
func joinIDs(ids []string) string {
	var numbers []int
	var pieces []string
	for _, id := range ids {
		if n, err := strconv.Atoi(strings.TrimPrefix(id, incidentPrefix)); err == nil && n >= 0 {
			numbers = append(numbers, n)
		} else {
			pieces = append(pieces, strings.TrimPrefix(id, incidentPrefix))
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	for len(numbers) > 0 {
		run := 1
		for run < len(numbers) && numbers[run] == numbers[0]+run {
			run++
		}
		text := strconv.Itoa(numbers[0])
		if run > 2 {
			text += "-" + strconv.Itoa(numbers[run-1])
		} else {
			run = 1
		}
		pieces, numbers = append(pieces, text), numbers[run:]
	}
	return incidentPrefix + strings.Join(pieces, ",")
}

// splitIDs reads what joinIDs wrote. There are never more than maxLinked.
func splitIDs(text string) (ids []string) {
	for _, piece := range strings.Split(strings.TrimPrefix(text, incidentPrefix), ",") {
		from, to, isRun := strings.Cut(piece, "-")
		first, err := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if !isRun || err != nil || err2 != nil || last < first {
			ids = append(ids, incidentPrefix+piece)
			continue
		}
		for n := first; n <= last && len(ids) < maxLinked; n++ {
			ids = append(ids, incidentPrefix+strconv.Itoa(n))
		}
	}
	return ids[:min(len(ids), maxLinked)]
}

// linkable is how many of the incidents, from the first on, one link can name.
func linkable(ids []string) int {
	n := min(len(ids), maxLinked)
	for n > 1 && len(joinIDs(ids[:n])) > maxLinkText {
		n -= max(1, n/20)
	}
	return n
}

// summarize gives the summary of many pages its links: the worst of its incidents are acknowledged by it.
func (c *courier) summarize(p *notify.Page, key string, at time.Time) (named int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	ids := make([]string, 0, len(p.Incidents))
	for _, b := range p.Incidents {
		ids = append(ids, b.Incident)
	}
	named = linkable(ids)
	c.answerable(p, joinIDs(ids[:named]), engine.Delivery{Key: key, User: p.User, Created: at})
	p.IncidentURL = c.link()
	return named
}

// testPage is a page that is about nothing (SPEC §9). Its link shows that links work.
func (c *courier) testPage(d engine.Delivery) *notify.Page {
	c.mu.RLock()
	defer c.mu.RUnlock()
	u := c.users[d.User]
	return &notify.Page{
		Title: notify.TestTitle, User: d.User, FullName: u.FullName, TimeZone: u.TimeZone, Method: d.Via, Reason: d.Reason, OpenedAt: d.Created,
		IncidentURL: c.link(), ReplyTo: c.replyTo("", d),
		AckURL: c.link("ack", c.signer.Sign(notify.Claim{
			Incident: testClaim, User: d.User, Page: c.key(d.Key), Expires: d.Created.Add(notify.TokenLife),
		})),
	}
}
