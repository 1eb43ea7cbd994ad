//go:build linux

package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A listedSilence is a silence as our API and -o json show it.
type listedSilence struct {
	ID                 string    `json:"id"`
	State              string    `json:"state"`
	Matchers           []string  `json:"matchers"`
	StartsAt           time.Time `json:"starts_at"`
	EndsAt             time.Time `json:"ends_at"`
	CreatedBy          string    `json:"created_by"`
	Comment            string    `json:"comment"`
	ExpireWhenResolved bool      `json:"expire_when_resolved"`
}

// wants runs a command and looks at its exit code; what it prints must hold all the words, and goes to stderr if it is an error.
func (m *midwatch) wants(code int, args []string, words ...string) ran {
	m.t.Helper()
	got := m.cli(args...)
	if got.code != code {
		m.t.Errorf("midwatch %s: %+v, want exit code %d", strings.Join(args, " "), got, code)
	}
	said := got.out
	if code != 0 {
		said = got.errors
	}
	for _, w := range words {
		if !strings.Contains(said, w) {
			m.t.Errorf("midwatch %s: %+v, want %q in it", strings.Join(args, " "), got, w)
		}
	}
	if code == 0 && got.errors != "" || code != 0 && got.out != "" {
		m.t.Errorf("midwatch %s: an error is for stderr, all else is not: %+v", strings.Join(args, " "), got)
	}
	return got
}

// line splits a command line.
func line(text string) []string { return strings.Fields(text) }

// A silence from its making to its end, at a terminal.
func TestSilenceCommands(t *testing.T) {
	t.Parallel()
	team := chatter(t)
	m := serve(t, fill(movingConfig, "TEAM", team.URL), "--cluster.listen-address=")
	m.wants(3, line("silence query"))
	m.wants(3, line("alerts"))
	m.wants(3, line("silence preview service=db"))
	net := critical("Net")
	net.Labels["service"] = "lan"
	m.fire(critical("Disk"), net)

	m.wants(0, line("silence preview service=db"), "1 firing alerts would be muted", `alertname="Disk"`)
	m.wants(0, line("silence preview service=~db|lan"), "2 firing alerts would be muted", `alertname="Disk"`, `alertname="Net"`)
	m.wants(3, line("silence query")) // a look makes nothing

	id := strings.TrimSpace(m.wants(0, line("silence add Disk severity=critical -a ana -d 2h -c upgrade")).out)
	if !uuid.MatchString(id) {
		t.Fatalf("silence add printed %q, want an ID", id)
	}
	var list struct {
		Silences []listedSilence `json:"silences"`
	}
	decode(t, m.wants(0, line("silence query -o json")).out, &list)
	if len(list.Silences) != 1 {
		t.Fatalf("silences: %+v", list)
	}
	s := list.Silences[0]
	if length := s.EndsAt.Sub(s.StartsAt).Round(time.Second); s.ID != id || s.State != "active" || s.CreatedBy != "ana" ||
		s.Comment != "upgrade" || length != 2*time.Hour || !slices.Equal(s.Matchers, []string{`alertname="Disk"`, `severity="critical"`}) {
		t.Errorf("the silence is %+v", s)
	}
	m.wants(0, line("silence query"), id, "active", "ana", "upgrade")
	m.wants(0, line("silence query alertname=Disk"), id)
	m.wants(3, line("silence query alertname=Net"))
	m.wants(3, line("silence query --state pending"))
	if got := m.wants(0, line("alerts"), `alertname="Net"`, "active", "team"); strings.Contains(got.out, "Disk") {
		t.Errorf("alerts shows what is silenced:\n%s", got.out)
	}
	m.wants(0, line("alerts --silenced"), `alertname="Net"`, `alertname="Disk"`, "suppressed")
	m.wants(3, line("alerts Disk"))
	m.wants(3, line("alerts -r nobody"))
	team.awaitTold(t, "what is not silenced", "Net:  firing")

	// A longer one is the same one; one of other alerts is not.
	if got := m.wants(0, append(line("silence update -a bo -d 5h -c"), "it takes longer", id)).out; strings.TrimSpace(got) != id {
		t.Errorf("the longer silence is %s, want %s", got, id)
	}
	m.wants(0, line("silence query"), id, "ana", "it takes longer")
	decode(t, m.wants(0, line("silence query -o json")).out, &list)
	if left := time.Until(list.Silences[0].EndsAt); left < 4*time.Hour || left > 5*time.Hour {
		t.Errorf("the longer silence goes on for %s, want 5h", left)
	}
	m.wants(0, append(line("silence add --expire-when-resolved -a ana Net --end"), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	m.wants(0, append(line("silence add Later -a ana --start"), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	m.wants(0, line("silence query --state pending"), "Later")
	m.fire(net.over())
	await(t, "the end of the silence with its alert", func() (string, bool) {
		got := m.cli("silence", "query", "--expired")
		return got.out, strings.Contains(got.out, "Net")
	})

	m.wants(0, append(line("silence expire -a ana"), id))
	m.wants(0, line("silence query --expired"), id, "expired")
	if got := m.wants(0, line("silence query")); strings.Contains(got.out, id) {
		t.Errorf("the silence has ended and is listed:\n%s", got.out)
	}
	team.awaitTold(t, "what is silenced no more", "Disk:  firing")

	// Whoever does not say who they are is whoever is logged in.
	if me, err := user.Current(); err == nil {
		decode(t, m.wants(0, line("silence add -o json Whose")).out, &s)
		if s.CreatedBy != me.Username {
			t.Errorf("the silence is %q's, want %q's", s.CreatedBy, me.Username)
		}
	}

	// What cannot be, and what it is called.
	m.wants(3, line("silence expire -a ana 11111111-1111-4111-8111-111111111111"), "there is no silence")
	m.wants(3, line("silence update -a ana -d 1h 11111111-1111-4111-8111-111111111111"), "there is no silence")
	m.wants(1, line("silence add --author= Disk"), "who you are")
	m.wants(1, line("silence add -a ana x=~["), "x=~")
	m.wants(1, line("silence add -a ana x=~.*"))
	m.wants(1, line("silence add -a ana -d never Disk"), "how long", "30m")
	m.wants(2, line("silence add -a ana"), "matcher")
	m.wants(2, line("silence add -a ana --start yesterday Disk"), "yesterday", "2026-11-22T03:00:00Z")
	m.wants(2, line("silence query --state sleeping"))
	m.stop()
	for _, args := range []string{
		"alerts", "silence query", "silence preview Disk", "silence add -a ana Disk",
		"silence expire -a ana " + id, "silence update -a ana -d 1h " + id,
		"silence recur list", "silence recur add -a ana x --cron * -d 1h Disk", "silence recur remove -a ana x",
	} {
		m.wants(4, line(args), "cannot be reached")
	}
}

// A recurring silence is made at a terminal, mutes, outlives a kill -9, and is removed.
func TestRecurringSilenceCommands(t *testing.T) {
	t.Parallel()
	team := chatter(t)
	m := serve(t, fill(movingConfig, "TEAM", team.URL), "--cluster.listen-address=")
	m.wants(3, line("silence recur list"))

	cron := fmt.Sprintf("0 %d * * *", time.Now().Add(-time.Hour).UTC().Hour()) // it has begun an hour ago, or two
	add := append(line("silence recur add nights service=db -d 12h -a ana -c backups --cron"), cron)
	m.wants(0, add, "nights", cron, "12h", "UTC", "next")
	listed := m.wants(0, line("silence recur list"), "nights", "service=\"db\"", "made at run time").out
	window := m.wants(0, line("silence query"), "active", `service="db"`, "ana").out
	net := critical("Net")
	net.Labels["service"] = "lan"
	m.fire(critical("Disk"))
	m.kill()
	m.start()
	if now := m.wants(0, line("silence recur list")).out; now != listed {
		t.Errorf("after the kill the list is\n%swant\n%s", now, listed)
	}
	if now := m.wants(0, line("silence query")).out; now != window {
		t.Errorf("after the kill the silences are\n%swant\n%s", now, window)
	}
	m.fire(critical("Disk"), net)
	team.awaitTold(t, "what is not silenced", "Net:  firing")
	m.wants(0, line("alerts -s Disk"), "suppressed")

	m.wants(1, append(line("silence recur add x Disk -d 1h -a ana --cron"), "every day"), "write five")
	m.wants(1, append(line("silence recur add x Disk -d 1h -a ana --time-zone Mars/Base --cron"), "0 0 * * *"), "Mars/Base")
	m.wants(2, line("silence recur add x Disk -d 1h -a ana"), "cron")
	m.wants(3, line("silence recur remove -a ana days"), "days")

	m.wants(0, line("silence recur remove -a ana nights"))
	m.wants(3, line("silence recur list"))
	m.wants(3, line("silence query"))
	team.awaitTold(t, "what is silenced no more", "Disk:  firing")
	if n := len(team.got()); n != 2 {
		t.Errorf("the team got %d notifications, want 2", n)
	}
}

// amtool is run as it is and as `midwatch amtool`: they do and say the same.
func TestAmtool(t *testing.T) {
	t.Parallel()
	team := chatter(t)
	m := serve(t, fill(movingConfig, "TEAM", team.URL), "--cluster.listen-address=127.0.0.1:0", "--cluster.settle-timeout=0s")
	own := func(args ...string) ran {
		t.Helper()
		got := command(t, m.dir, "", append([]string{"amtool", "--alertmanager.url=http://" + m.addr}, args...)...)
		got.errors = strings.Replace(got.errors, filepath.Base(binary)+": ", "amtool: ", 1) // it says what it was started as
		return got
	}
	real := func(args ...string) ran {
		t.Helper()
		var out, errors strings.Builder
		cmd := exec.CommandContext(t.Context(), upstream(t, "amtool"), append([]string{"--alertmanager.url=http://" + m.addr}, args...)...)
		cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = m.dir, &out, &errors, []string{"HOME=" + m.dir}
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return ran{cmd.ProcessState.ExitCode(), out.String(), errors.String()}
	}
	m.fire(critical("Disk"), critical("Net"))
	ids := map[string]string{}
	for name, amtool := range map[string]func(...string) ran{"midwatch amtool": own, "amtool": real} {
		got := amtool("silence", "add", "alertname=Disk", "instance=~"+strings.Fields(name)[0]+".*", "--author=ana", "--comment=why", "--duration=1h")
		if ids[name] = strings.TrimSpace(got.out); got.code != 0 || !uuid.MatchString(ids[name]) {
			t.Errorf("%s silence add: %+v", name, got)
		}
	}
	same := func(code int, args ...string) ran {
		t.Helper()
		ours, theirs := own(args...), real(args...)
		if ours != theirs || theirs.code != code {
			t.Errorf("amtool %s: want exit code %d\nmidwatch: %+v\n  amtool: %+v", strings.Join(args, " "), code, ours, theirs)
		}
		return theirs
	}
	for _, id := range ids {
		if got := same(0, "silence", "query"); !strings.Contains(got.out, id) {
			t.Errorf("amtool silence query: %s is not in\n%s", id, got.out)
		}
	}
	same(0, "silence", "query", "-o", "extended")
	same(0, "silence", "query", "-o", "json")
	same(0, "silence", "query", "--created-by=bo")
	same(0, "alert", "query", "-o", "extended")
	same(0, "alert", "query", "Disk")
	same(0, "alert", "query", "-o", "json", "alertname=~N.*")
	same(0, "cluster", "show")
	same(0, "config", "show")
	same(0, "config", "routes")
	same(0, "config", "routes", "test", "alertname=Disk")
	same(0, "check-config", m.configFile())
	same(1, "config", "routes", "test", "--verify.receivers=nobody", "alertname=Disk")
	same(1, "silence", "expire", "11111111-1111-4111-8111-111111111111")
	same(1, "silence", "add", "alertname=Disk", "--author=ana") // without a comment

	if got := own("silence", "expire", ids["amtool"]); got.code != 0 {
		t.Errorf("midwatch amtool silence expire: %+v", got)
	}
	if got := real("silence", "expire", ids["midwatch amtool"]); got.code != 0 {
		t.Errorf("amtool silence expire: %+v", got)
	}
	same(0, "silence", "query")
	if got := same(0, "silence", "query", "--expired", "-q"); len(line(got.out)) != 2 {
		t.Errorf("the silences that are over are\n%s", got.out)
	}
	m.stop()
	same(1, "alert", "query")
}

const maintenance = `
maintenance:
  - name: upgrade
    matchers: ['service="db"']
    time_zone: Asia/Kathmandu
    from: TODAY 00:00
    to: TOMORROW 24:00
    comment: new disks
`

// A maintenance window of the file holds now. A reload of a file without it ends that.
func TestMaintenanceWindow(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Asia/Kathmandu")
	if err != nil {
		t.Fatal(err)
	}
	team := chatter(t)
	plain := fill(movingConfig, "TEAM", team.URL)
	today := time.Now().In(zone)
	window := fill(maintenance, "TODAY", today.Format(time.DateOnly), "TOMORROW", today.AddDate(0, 0, 1).Format(time.DateOnly))
	m := serve(t, plain+window, "--cluster.listen-address=")
	m.wants(0, line("silence recur list"), "upgrade", "file")
	net := critical("Net")
	net.Labels["service"] = "lan"
	m.fire(critical("Disk"), net)
	team.awaitTold(t, "what is not silenced", "Net:  firing")

	// silencedBy are the silences of the alert.
	silencedBy := func(alertname string) []string {
		t.Helper()
		var alerts []struct {
			Status struct {
				State      string
				SilencedBy []string
			}
		}
		m.read("/api/v2/alerts?filter=alertname="+alertname, &alerts)
		if len(alerts) != 1 || (alerts[0].Status.State == "suppressed") != (len(alerts[0].Status.SilencedBy) > 0) {
			t.Fatalf("%s is %+v", alertname, alerts)
		}
		return alerts[0].Status.SilencedBy
	}
	by := silencedBy("Disk")
	if len(by) != 1 || len(silencedBy("Net")) != 0 {
		t.Fatalf("Disk is silenced by %q, and Net by %q", by, silencedBy("Net"))
	}
	var s struct {
		Comment          string
		StartsAt, EndsAt time.Time
		Matchers         json.RawMessage
	}
	m.read("/api/v2/silence/"+by[0], &s)
	midnight := time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, zone)
	if !s.EndsAt.Equal(midnight.AddDate(0, 0, 2)) || !strings.Contains(s.Comment, "new disks") {
		t.Errorf("the silence is %+v, want one until %s", s, midnight.AddDate(0, 0, 2))
	}

	m.post("/-/reload", "") // the same file
	if now := silencedBy("Disk"); !slices.Equal(now, by) {
		t.Errorf("after a reload of the same file Disk is silenced by %q, want %q", now, by)
	}
	m.configure(plain)
	m.post("/-/reload", "")
	if now := silencedBy("Disk"); len(now) != 0 {
		t.Errorf("after a reload without the window Disk is silenced by %q", now)
	}
	team.awaitTold(t, "what is silenced no more", "Disk:  firing")
	if n := len(team.got()); n != 2 {
		t.Errorf("the team got %d notifications, want 2", n)
	}
	if status, _, err := m.ask(http.MethodGet, "/api/v2/silence/"+by[0], ""); err != nil || status != http.StatusOK {
		t.Errorf("the silence that was is gone: %d %v", status, err)
	}
}
