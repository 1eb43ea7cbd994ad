package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/api"
)

// A mailServer greets, offers what it is told to, and takes one password. It takes no mail: whoever tries fails the test.
func mailServer(t *testing.T, offers ...string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveMail(t, conn, offers)
		}
	}()
	return l.Addr().String()
}

func serveMail(t *testing.T, conn net.Conn, offers []string) {
	defer conn.Close()
	say := func(lines ...string) { io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n") }
	say("220 mail.example.org ready")
	for in := bufio.NewScanner(conn); in.Scan(); {
		verb, rest, _ := strings.Cut(in.Text(), " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			say("250-mail.example.org")
			for _, o := range offers {
				say("250-" + o)
			}
			say("250 8BITMIME")
		case "AUTH":
			text, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			if string(text) == "\x00pager\x00right-secret" {
				say("235 welcome")
			} else {
				say("535 5.7.8 no such account")
			}
		case "QUIT":
			say("221 bye")
			return
		case "STARTTLS":
			say("454 no certificate today")
		case "*":
			say("501 as you wish")
		default:
			t.Errorf("the mail server is asked for more than a greeting: %s", in.Text())
			say("500 no")
		}
	}
}

// chatServer stands for Slack, Telegram, Matrix and Twilio, of which each knows one secret.
func chatServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pass, _ := r.BasicAuth()
		knows := r.Header.Get("Authorization") == "Bearer right-secret" || pass == "right-secret" || strings.Contains(r.URL.Path, "/botright-secret/")
		switch path := r.URL.Path; {
		case r.Method == http.MethodHead && path == "/":
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodPost && path == "/slack/auth.test" && knows:
			io.WriteString(w, `{"ok":true,"team":"Example","user":"midwatch"}`)
		case r.Method == http.MethodPost && path == "/slack/auth.test":
			io.WriteString(w, `{"ok":false,"error":"invalid_auth"}`)
		case r.Method == http.MethodGet && strings.HasSuffix(path, "/getMe") && knows:
			io.WriteString(w, `{"ok":true,"result":{"username":"midwatch_bot"}}`)
		case r.Method == http.MethodGet && strings.HasSuffix(path, "/getMe"):
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"ok":false,"error_code":401,"description":"Unauthorized: `+strings.Split(path, "/")[2]+`"}`)
		case r.Method == http.MethodGet && path == "/_matrix/client/v3/account/whoami" && knows:
			io.WriteString(w, `{"user_id":"@midwatch:example.org"}`)
		case r.Method == http.MethodGet && path == "/_matrix/client/v3/account/whoami":
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed."}`)
		case r.Method == http.MethodGet && strings.HasPrefix(path, "/2010-04-01/Accounts/") && knows:
			io.WriteString(w, `{"friendly_name":"Example","status":"active"}`)
		case r.Method == http.MethodGet && strings.HasPrefix(path, "/2010-04-01/Accounts/"):
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"code":20003,"message":"Authenticate","status":401}`)
		default:
			t.Errorf("a service is asked for %s %s", r.Method, r.URL.Path)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// examined is what the doctor finds about the channels of a configuration, a line for each, without its addresses.
func examined(t *testing.T, text string, hide ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "midwatch.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "http://127.0.0.1:1"
	token := ""
	d := &doctor{file: file, storage: "nowhere", client: client{base: &url, token: &token}, now: time.Now}
	var lines []string
	for _, f := range d.examine(context.Background()) {
		if f.Check == "config" && f.State == broken {
			t.Errorf("%+v", f)
		}
		if f.Check == "mail" || f.Check == "chat" || f.Check == "channel" {
			lines = append(lines, f.State+" "+f.Check+" "+f.Text)
			if (f.Mend == "") != (f.State == fine) {
				t.Errorf("how to mend it: %+v", f)
			}
		}
	}
	all := strings.Join(lines, "\n")
	for _, h := range hide {
		all = strings.ReplaceAll(all, h, "HOST")
	}
	if strings.Contains(all, "secret") {
		t.Errorf("a secret is shown:\n%s", all)
	}
	return all
}

const doctored = `
users:
  - name: ana
    contact_methods:
      mail: {email: {to: ana@example.org, from: m@example.org, smarthost: %[2]q, auth_username: pager, auth_password: %[3]s-secret, require_tls: false}}
      tls: {email: {to: ana@example.org, from: m@example.org, smarthost: %[2]q}}
      hook: {webhook: {url: "http://%[1]s/hook?key=very-secret"}}
      templated: {webhook: {url: "http://%[1]s/{{ .Receiver }}"}}
      push: {ntfy: {server: "http://%[1]s", topic: ana}}
      matrix: {matrix: {homeserver: "http://%[1]s", access_token: %[3]s-secret, room: "!r:example.org"}}
      text: {sms: {api_url: "http://%[1]s", account_sid: AC00000000000000000000000000000000, auth_token: %[3]s-secret, from: "+46701234567", to: "+46701234567"}}
      tg: {telegram: {api_url: "http://%[1]s/tg", bot_token: %[3]s-secret, chat_id: 1}}
  - name: bo
    contact_methods:
      hook: {webhook: {url: "http://%[1]s/other-secret"}}
route: {receiver: r}
receivers:
  - name: r
    slack_configs: [{app_token: %[3]s-secret, app_url: "http://%[1]s/slack/chat.postMessage", channel: "#x"}]
`

// The doctor goes as far as one can without sending: it logs in where that changes nothing, and says what each service said.
func TestTheDoctorAsksEveryService(t *testing.T) {
	chat, mail := chatServer(t), mailServer(t, "AUTH PLAIN", "SIZE")
	host := strings.TrimPrefix(chat.URL, "http://")
	got := examined(t, fmt.Sprintf(doctored, host, mail, "right"), host, mail)
	want := `ok chat HOST by slack (receiver r): it knows us as midwatch of Example
ok mail HOST (ana by mail): it answers, without TLS, and takes the login of pager
failed mail HOST (ana by tls): it offers no STARTTLS, and smtp_require_tls is true
ok channel HOST by webhook (ana by hook, ana by push, bo by hook): it can be reached
ok channel webhook (ana by templated): its address is a template; only a page tells: midwatch test-page
ok chat HOST by matrix (ana by matrix): it knows us as @midwatch:example.org
ok channel HOST by twilio (ana by text): it knows us as the account
ok chat HOST by telegram (ana by tg): it knows us as @midwatch_bot`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	got = examined(t, fmt.Sprintf(doctored, host, mail, "wrong"), host, mail)
	for _, want := range []string{
		"failed chat HOST by slack (receiver r): it does not know us: invalid_auth",
		"failed mail HOST (ana by mail): it refuses the login of pager: 535 \"5.7.8 no such account\"",
		"failed chat HOST by matrix (ana by matrix): it does not know us: Invalid access token passed.",
		"failed channel HOST by twilio (ana by text): it does not know us: Authenticate",
		"failed chat HOST by telegram (ana by tg): it does not know us: Unauthorized: bot…",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %s in\n%s", want, got)
		}
	}

	chat.Close()
	got = examined(t, fmt.Sprintf(doctored, host, "127.0.0.1:1", "right"), host)
	if n := strings.Count(got, "it cannot be reached"); n != 7 {
		t.Errorf("%d services cannot be reached:\n%s", n, got)
	}
}

// A mail server that offers STARTTLS and cannot, one that wants no login, and one that is none.
func TestTheDoctorGreetsMailServers(t *testing.T) {
	const one = `
users: [{name: ana, contact_methods: {mail: {email: {to: a@example.org, from: m@example.org, smarthost: %q%s}}}}]
route: {receiver: r}
receivers: [{name: r}]
`
	none, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	go func() {
		if conn, err := none.Accept(); err == nil {
			io.WriteString(conn, "SSH-2.0-OpenSSH_9.9\r\n")
			conn.Close()
		}
	}()
	for _, c := range []struct{ host, more, want string }{
		{mailServer(t, "STARTTLS"), "", "failed mail HOST (ana by mail): STARTTLS does not work: 454 \"no certificate today\""},
		{mailServer(t), ", require_tls: false", "ok mail HOST (ana by mail): it answers, without TLS; no login is configured"},
		{mailServer(t), ", require_tls: false, auth_username: pager, auth_password: x", "warning mail HOST (ana by mail): it answers, without TLS, and wants no login: smtp_auth_username is not used"},
		{mailServer(t, "AUTH GSSAPI"), ", require_tls: false, auth_username: pager, auth_password: x", "failed mail HOST (ana by mail): it offers the logins GSSAPI, and there is a key for none of them"},
		{none.Addr().String(), "", "failed mail HOST (ana by mail): it does not greet: "},
	} {
		if got := examined(t, fmt.Sprintf(one, c.host, c.more), c.host); !strings.HasPrefix(got, c.want) {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// What a running server says of itself, judged.
func TestTheDoctorJudges(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	chan1 := func(state, why string) api.Channel { return api.Channel{Via: "push", State: state, LastError: why} }
	for _, c := range []struct {
		got  finding
		want string
	}{
		{clockFinding(-time.Second), "ok the server's clock and this one agree to 2s"},
		{clockFinding(3 * time.Second), "warning the server's clock and this one differ by 3s"},
		{clockFinding(-2 * time.Minute), "failed the server's clock and this one differ by 2m0s"},
		{roomFinding("x", 5<<30), "ok 5.0 GiB are free on x"},
		{roomFinding("x", 500<<20), "warning 500.0 MiB are free on x"},
		{roomFinding("x", 1000), "failed only 1000 bytes are free on x"},
		{alertsFinding(api.Daemon{Time: now, StartedAt: now.Add(-3 * time.Hour)}), "warning none was received since the start, 3h ago"},
		{alertsFinding(api.Daemon{Time: now, LastAlertAt: now.Add(-time.Hour)}), "warning the last one was received 1h ago"},
		{alertsFinding(api.Daemon{Time: now, LastAlertAt: now.Add(-50 * time.Second)}), "ok the last one was received 50s ago"},
		{clusterFinding(api.DaemonCluster{Enabled: true, Ready: true, Wanted: 2, Peers: []string{"a", "b"}})[0], "warning 1 of 2 named with --cluster.peer are there"},
		{clusterFinding(api.DaemonCluster{Enabled: true, Ready: true, Wanted: 1, Peers: []string{"a", "b"}})[0], "ok 2 members, and it has settled"},
		{clusterFinding(api.DaemonCluster{Enabled: true, Peers: []string{"a"}})[0], "warning it has not settled yet"},
		{storeFindings(api.Daemon{Time: now, Store: api.DaemonStore{Trouble: "disk full", BacklogBytes: 2048}})[0], "failed nothing is being written: disk full"},
		{storeFindings(api.Daemon{Time: now, Store: api.DaemonStore{SizeBytes: 4096, LastCommitAt: now.Add(-5 * time.Second)}})[0], "ok 4.0 KiB; last written 5s ago"},
		{catchAllFinding(1, ""), "failed nobody is paged when a ladder ends without an answer"},
		{reachable("ana", "db", nil), "failed ana is on call in db and has no contact method"},
		{reachable("ana", "db", []api.Channel{chan1(api.ChannelUnknown, "")}), "warning ana is on call in db, and nothing was sent to them since the start"},
		{reachable("ana", "db", []api.Channel{chan1(api.ChannelFailing, "403")}), "failed ana is on call in db, and nothing reaches them: push (403)"},
		{reachable("ana", "db", []api.Channel{chan1(api.ChannelFailing, "403"), chan1(api.ChannelConnected, "")}), "warning ana is on call in db; what was last tried failed: push (403)"},
		{reachable("ana", "db", []api.Channel{chan1(api.ChannelConnected, "")}), "ok ana is on call in db and was reached by push"},
	} {
		if got := c.got.State + " " + c.got.Text; got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		if (c.got.Mend == "") != (c.got.State == fine) {
			t.Errorf("how to mend it: %+v", c.got)
		}
	}
	for host, why := range map[string]string{
		"localhost": "is this machine alone", "127.0.0.1": "is this machine alone", "::1": "is this machine alone", "0.0.0.0": "is no address at all",
		"10.1.2.3": "is in a private network", "monitor": "is a name within your network", "pager.example.org": "", "203.0.113.5": "",
	} {
		if got := nobodysPhone(host); got != why {
			t.Errorf("%s %q, want %q", host, got, why)
		}
	}
}

// A check that never ends is cut off, and the others are told of all the same.
func TestTheDoctorIsPatientForSoLong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	url, token := "http://"+l.Addr().String(), ""
	d := &doctor{storage: t.TempDir(), given: true, client: client{base: &url, token: &token}, asked: true, now: time.Now}
	if all := d.examine(ctx); len(all) == 0 || all[0].State != doubt || !strings.Contains(all[0].Text, "not looked at within") {
		t.Errorf("%+v", all)
	}
}

// The release of the system's time zones, as packages write it.
func TestTheReleaseOfTimeZones(t *testing.T) {
	debian, bsd := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(debian, "tzdata.zi"): "# version 2025b\n# This zic input file\n", filepath.Join(bsd, "+VERSION"): "2019c\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, dirs := range map[string][]string{
		debian + " 2025b": {"/nowhere", debian, bsd}, bsd + " 2019c": {bsd}, " ": {"/nowhere"},
	} {
		if dir, release := zoneRelease(dirs); dir+" "+release != want {
			t.Errorf("%q %q, want %q", dir, release, want)
		}
	}
}
