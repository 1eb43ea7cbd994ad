package router

import (
	"fmt"
	"strings"
	"testing"
)

// toldOf is a trace, a route a line.
func toldOf(visits []Visit) (lines []string) {
	for _, v := range visits {
		line := fmt.Sprintf("%d %s %s", v.Route.Depth, v.Route.Receiver, v.Verdict)
		switch v.Verdict {
		case Refuses:
			line += fmt.Sprintf(" %s has %q", v.Failed, v.Has)
		case Takes:
			line += fmt.Sprintf(" %s %v", v.Group.Key, v.There)
			if v.There {
				line += " " + v.Group.Next.Format("15:04:05")
			}
		}
		lines = append(lines, strings.TrimSpace(line+" "+string(v.Mute)))
	}
	return lines
}

func TestTraceSaysWhichRoutesTakeAnAlertAndWhyNotTheOthers(t *testing.T) {
	d := world(t, `{receiver: all, group_by: [alertname], routes: [
		{matchers: ['team="web"'], receiver: web},
		{matchers: ['team=~"db|dba"'], receiver: db, continue: true, routes: [
			{matchers: ['severity="page"'], receiver: pager, group_by: [alertname, host]},
			{matchers: ['severity!="page"'], receiver: quiet}]},
		{matchers: ['alertname="Lag"'], receiver: lag},
		{matchers: ['team="db"'], receiver: late, routes: [{matchers: ['a="b"'], receiver: web}]}]}`,
		map[string]string{"all": "webhook", "web": "", "db": "", "pager": "", "quiet": "", "lag": "", "late": ""})
	page := LabelsOf(map[string]string{"alertname": "Lag", "team": "db", "severity": "page", "host": "h1"})
	expect(t, toldOf(d.Trace(page, d.time(), 100)),
		`0 all passes`,
		`1 web refuses team="web" has "db"`,
		`1 db passes`,
		`2 pager takes {}/{team=~"db|dba"}/{severity="page"}:{alertname="Lag", host="h1"} false`,
		`2 quiet skipped`,
		`1 lag takes {}/{alertname="Lag"}:{alertname="Lag"} false`,
		`1 late skipped`)
	expect(t, toldOf(d.Trace(Labels{{"x", "y"}}, d.time(), 100)),
		`0 all takes {}:{} false`,
		`1 web refuses team="web" has ""`,
		`1 db refuses team=~"db|dba" has ""`,
		`1 lag refuses alertname="Lag" has ""`,
		`1 late refuses team="db" has ""`)

	// Of too many those go that have nothing to do with it.
	expect(t, toldOf(d.Trace(page, d.time(), 5)),
		`0 all passes`,
		`1 web refuses team="web" has "db"`,
		`1 db passes`,
		`2 pager takes {}/{team=~"db|dba"}/{severity="page"}:{alertname="Lag", host="h1"} false`,
		`1 lag takes {}/{alertname="Lag"}:{alertname="Lag"} false`)

	// A group that there is says when it speaks; and what a trace says is what happens.
	d.hear("00:00", "Lag", "00:00", "00:30")
	d.clock("00:01")
	lag := Labels{{"alertname", "Lag"}}
	visits := d.Trace(lag, d.time(), 100)
	expect(t, toldOf(visits)[3:4], `1 lag takes {}/{alertname="Lag"}:{alertname="Lag"} true 00:05:30`)
	if g := d.GroupsOf(lag); len(g) != 1 || g[0].ID != visits[3].Group.ID {
		t.Errorf("it is in %v, and the trace says %v", g, visits[3].Group)
	}
}

func TestRoutesShowTheTreeWithWhatGoesByIt(t *testing.T) {
	d := world(t, `{receiver: all, group_by: [alertname], routes: [
		{matchers: ['alertname=~"A|B"', 'x!="y"'], receiver: ab, continue: true, group_wait: 1s, routes: [{receiver: none, matchers: ['a="b"'], group_by: ['...']}]},
		{matchers: ['alertname="A"'], receiver: a}]}`, map[string]string{"all": "webhook", "ab": "", "none": "", "a": ""})
	d.hear("00:00", "A", "00:00", "00:30")
	d.hear("00:00", "B", "00:00", "00:01")
	d.hear("00:00", "C", "00:00", "00:30")
	d.clock("00:02")
	var lines []string
	for _, v := range d.Routes(d.time()) {
		lines = append(lines, fmt.Sprintf("%d %s %v %v %s %t: %d groups, %d fire", v.Depth, v.Receiver, v.Matchers, v.GroupBy, v.Wait, v.Continue, v.Groups, v.Firing))
	}
	expect(t, lines,
		`0 all [] [alertname] 30s false: 1 groups, 1 fire`,
		`1 ab [alertname=~"A|B" x!="y"] [alertname] 1s true: 2 groups, 1 fire`,
		`2 none [a="b"] [...] 1s false: 0 groups, 0 fire`,
		`1 a [alertname="A"] [alertname] 30s false: 1 groups, 1 fire`)
}

func TestWhatWouldInhibitAnAlertThatDoesNotFire(t *testing.T) {
	r := New(Options{Root: routeOf(t), Receivers: map[string][]Integration{}, Inhibit: rulesOf(t, `alertname="Down" > alertname="Slow" by host`)})
	r.Receive([]*Alert{{Labels: LabelsOf(map[string]string{"alertname": "Down", "host": "a"}), StartsAt: began, EndsAt: began.Add(1e12)}}, began)
	for host, want := range map[string]bool{"a": true, "b": false} {
		by, _ := r.WouldInhibit(LabelsOf(map[string]string{"alertname": "Slow", "host": host}), began)
		if got := by != nil && by.Name() == "Down"; got != want {
			t.Errorf("on host %s: %v", host, by)
		}
	}
	if by, _ := r.WouldInhibit(Labels{{"alertname", "Down"}}, began); by != nil {
		t.Errorf("the source is inhibited by %v", by)
	}
}
