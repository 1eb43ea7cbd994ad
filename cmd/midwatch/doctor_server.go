package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/api"
)

const (
	clockDoubt = 2 * time.Second  // by which two clocks may differ
	clockWrong = time.Minute      // silences and links go wrong
	quietFor   = 15 * time.Minute // without any alert; Prometheus repeats a firing one every minute
	manyWait   = 100              // deliveries without an outcome
)

// server asks a running midwatch how it fares.
func (d *doctor) server(ctx context.Context) []finding {
	var facts api.Daemon
	begun := d.now()
	err := d.client.call(ctx, http.MethodGet, "daemon", nil, nil, &facts)
	var refused *apiError
	switch {
	case errors.Is(err, errUnreachable) && !d.asked:
		return []finding{doubtful("server", "start it, or give --url", "no midwatch answers at %s; what only a running one knows is not looked at", *d.client.base)}
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
		return []finding{failing("server", "give the --url of a midwatch of this version", "what answers at %s is none", *d.client.base)}
	case err != nil:
		return []finding{failing("server", "see whether it runs, and whether --url is its address", "%s", err)}
	}
	middle := begun.Add(d.now().Sub(begun) / 2)
	all := []finding{good("server", "midwatch %s at %s, since %s", facts.Version, *d.client.base, facts.StartedAt.Format(time.RFC3339))}
	all = append(all, clockFinding(facts.Time.Sub(middle)))
	if d.cfg == nil {
		all = append(all, catchAllFinding(facts.Policies, facts.CatchAll))
	}
	all = append(all, storeFindings(facts)...)
	all = append(all, alertsFinding(facts))
	if facts.Pending > manyWait {
		all = append(all, doubtful("deliveries", "midwatch deliveries --failed says which channels are slow or dead", "%d messages have no outcome yet", facts.Pending))
	}
	all = append(all, clusterFinding(facts.Cluster)...)
	all = append(all, d.externalURL(ctx, facts.ExternalURL)...)
	all = append(all, d.onCall(ctx)...)
	return append(all, d.heartbeats(ctx)...)
}

// clockFinding compares the server's clock with ours.
func clockFinding(ahead time.Duration) finding {
	const mend = "run chrony, systemd-timesyncd or ntpd on both machines"
	off := ahead.Abs().Round(10 * time.Millisecond)
	switch {
	case off >= clockWrong:
		return failing("clock", mend, "the server's clock and this one differ by %s", off)
	case off >= clockDoubt:
		return doubtful("clock", mend, "the server's clock and this one differ by %s", off)
	}
	return good("clock", "the server's clock and this one agree to %s", clockDoubt)
}

func storeFindings(f api.Daemon) (all []finding) {
	s := f.Store
	if s.Trouble != "" {
		all = append(all, failing("store", "make room, or make the disk writable; until then a restart forgets "+bytesWords(uint64(s.BacklogBytes)), "nothing is being written: %s", s.Trouble))
	} else {
		last := "nothing was written yet"
		if !s.LastCommitAt.IsZero() {
			last = "last written " + agoWords(f.Time.Sub(s.LastCommitAt)) + " ago"
		}
		all = append(all, good("store", "%s; %s", bytesWords(uint64(s.SizeBytes)), last))
	}
	if s.FreeBytes > 0 {
		all = append(all, roomFinding("the server's disk", uint64(s.FreeBytes)))
	}
	return all
}

// alertsFinding says whether Prometheus sends alerts.
func alertsFinding(f api.Daemon) finding {
	const mend = "point Prometheus' alerting: at it, and let one alert always fire (a Watchdog), so that silence means trouble"
	since := f.Time.Sub(f.LastAlertAt)
	switch {
	case f.LastAlertAt.IsZero():
		return doubtful("alerts", mend, "none was received since the start, %s ago", agoWords(f.Time.Sub(f.StartedAt)))
	case since > quietFor:
		return doubtful("alerts", mend, "the last one was received %s ago", agoWords(since))
	}
	return good("alerts", "the last one was received %s ago", agoWords(since))
}

func clusterFinding(c api.DaemonCluster) []finding {
	switch {
	case !c.Enabled:
		return nil
	case len(c.Peers)-1 < c.Wanted:
		return []finding{doubtful("cluster", "see whether the others run, and whether TCP and UDP reach them at their cluster address",
			"%s of %s named with --cluster.peer are there", fmt.Sprint(max(0, len(c.Peers)-1)), fmt.Sprint(c.Wanted))}
	case !c.Ready:
		return []finding{doubtful("cluster", "wait a little; groups speak when it has settled", "it has not settled yet")}
	}
	return []finding{good("cluster", "%s, and it has settled", count(len(c.Peers), "member"))}
}

// externalURL looks at the address of which links are made.
func (d *doctor) externalURL(ctx context.Context, external string) (all []finding) {
	u, err := url.Parse(external)
	if err != nil || u.Hostname() == "" {
		return []finding{failing("external URL", "start midwatch with --web.external-url=https://…", "%q is no address", external)}
	}
	if why := nobodysPhone(u.Hostname()); why != "" {
		all = append(all, doubtful("external URL", "start midwatch with --web.external-url, the address under which people's phones reach it", "%s %s: the links in pages do not open on a phone", external, why))
	} else if u.Scheme == "http" {
		all = append(all, doubtful("external URL", "put it behind TLS (--web.config.file, or a proxy) and give --web.external-url with https", "%s is not encrypted: whoever sees a link go by can acknowledge", external))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("-/healthy").String(), nil)
	if err != nil {
		return append(all, failing("external URL", "correct --web.external-url", "%q is no address", external))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return append(all, failing("external URL", "see to its name, its certificate and the proxy before it; or run doctor where people's phones are", "%s does not answer from here: %s", external, plainError(err)))
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return append(all, failing("external URL", "let the proxy before midwatch pass everything below this address", "%s answers %s", external, resp.Status))
	}
	return append(all, good("external URL", "%s answers", external))
}

// nobodysPhone says why an address opens on no phone; empty: it may.
func nobodysPhone(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		switch {
		case addr.IsLoopback():
			return "is this machine alone"
		case addr.IsUnspecified():
			return "is no address at all"
		case addr.IsPrivate() || addr.IsLinkLocalUnicast():
			return "is in a private network"
		}
		return ""
	}
	switch {
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		return "is this machine alone"
	case !strings.Contains(host, "."):
		return "is a name within your network"
	}
	return ""
}

// onCall looks for people who are on call now and whom nothing reaches.
func (d *doctor) onCall(ctx context.Context) (all []finding) {
	var duty api.OnCall
	var channels api.Channels
	for path, into := range map[string]any{"oncall": &duty, "channels": &channels} {
		if err := d.client.call(ctx, http.MethodGet, path, nil, nil, into); err != nil {
			return []finding{failing("on call", "see the server's log", "who is on call cannot be asked: %s", err)}
		}
	}
	byUser := map[string][]api.Channel{}
	for _, c := range channels.Channels {
		if c.User != "" {
			byUser[c.User] = append(byUser[c.User], c)
			continue
		}
		if c.State == api.ChannelFailing {
			who := "receiver " + c.Receiver
			if c.Receiver == "" {
				who = "chat"
			}
			all = append(all, doubtful("channels", "midwatch deliveries --failed has the answers; the server's log, those of chat", "%s: the last attempt by %s failed: %s", who, c.Integration, c.LastError))
		}
	}
	where := map[string][]string{}
	var people []string
	for _, s := range duty.OnCall {
		if len(s.Users) == 0 && !s.DeclaredGap {
			all = append(all, doubtful("on call", "midwatch oncall override "+s.Schedule+" puts somebody there", "nobody is on call in %s", s.Schedule))
		}
		for _, u := range s.Users {
			if where[u] == nil {
				people = append(people, u)
			}
			where[u] = append(where[u], s.Schedule)
		}
	}
	slices.Sort(people)
	for _, u := range people {
		all = append(all, reachable(u, strings.Join(where[u], ", "), byUser[u]))
	}
	return all
}

// reachable says whether somebody on call can be reached, as far as earlier attempts tell.
func reachable(user, schedules string, channels []api.Channel) finding {
	var works, fails, unknown []string
	for _, c := range channels {
		switch c.State {
		case api.ChannelConnected:
			works = append(works, c.Via)
		case api.ChannelFailing:
			fails = append(fails, fmt.Sprintf("%s (%s)", c.Via, c.LastError))
		default:
			unknown = append(unknown, c.Via)
		}
	}
	tryIt := "midwatch test-page " + user
	switch {
	case len(fails) > 0 && len(works)+len(unknown) == 0:
		return failing("on call", "mend one of them, then: "+tryIt, "%s is on call in %s, and nothing reaches them: %s", user, schedules, strings.Join(fails, ", "))
	case len(fails) > 0:
		return doubtful("on call", "mend it, then: "+tryIt, "%s is on call in %s; what was last tried failed: %s", user, schedules, strings.Join(fails, ", "))
	case len(works) == 0 && len(unknown) == 0:
		return failing("on call", "add email or contact_methods", "%s is on call in %s and has no contact method", user, schedules)
	case len(works) == 0:
		return doubtful("on call", tryIt, "%s is on call in %s, and nothing was sent to them since the start", user, schedules)
	}
	return good("on call", "%s is on call in %s and was reached by %s", user, schedules, strings.Join(works, ", "))
}

// heartbeats says which of them are not heard.
func (d *doctor) heartbeats(ctx context.Context) (all []finding) {
	var list api.Heartbeats
	if err := d.client.call(ctx, http.MethodGet, "heartbeats", nil, nil, &list); err != nil {
		return nil // an earlier server has none
	}
	heard := 0
	for _, h := range list.Heartbeats {
		switch h.State {
		case "late":
			all = append(all, failing("heartbeats", "see to what should beat", "%s is late: %s", h.Name, orElse(h.Reason, "it was not heard")))
		case "new":
			all = append(all, doubtful("heartbeats", "let it beat once", "%s was never heard", h.Name))
		default:
			heard++
		}
	}
	if heard > 0 {
		all = append(all, good("heartbeats", "%s as it should", plural(heard, "beats", "beat")))
	}
	return all
}

// agoWords says how long something is ago, in one unit: "5m", "3h".
func agoWords(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
