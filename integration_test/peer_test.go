//go:build linux

package integration_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// alertmanagers builds Alertmanager's own programs, where they are not there yet.
var alertmanagers = sync.OnceValue(func() error {
	out, err := exec.Command("upstream/build.sh").CombinedOutput()
	if err != nil {
		return fmt.Errorf("upstream/build.sh: %w\n%s", err, out)
	}
	return nil
})

// upstream is the path of one of Alertmanager's own programs: alertmanager or amtool.
func upstream(t testing.TB, program string) string {
	t.Helper()
	if err := alertmanagers(); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join("upstream/build", program))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A peer is a server that is asked what another one is asked as well.
type peer struct {
	name     string
	dir      string // config.yml and data
	addr     string
	born     time.Time // before the process was
	silences []string  // the ids it gave, in that order
}

// peers starts midwatch and the real Alertmanager with the same configuration and flags, each alone.
func peers(t *testing.T, config string, args ...string) [2]*peer {
	t.Helper()
	return clustered(t, config, append(args, "--cluster.listen-address=")...)
}

// clustered is peers without a word on the cluster.
func clustered(t *testing.T, config string, args ...string) [2]*peer {
	t.Helper()
	return [2]*peer{serves(t, "midwatch", binary, config, args), serves(t, "alertmanager", upstream(t, "alertmanager"), config, args)}
}

func serves(t *testing.T, name, path, config string, args []string) *peer {
	t.Helper()
	p := &peer{name: name, dir: t.TempDir(), born: time.Now()}
	p.configure(t, config)
	process := start(t, exec.Command(path, append([]string{
		"--config.file=" + filepath.Join(p.dir, "config.yml"),
		"--storage.path=" + filepath.Join(p.dir, "data"),
		"--web.listen-address=127.0.0.1:0",
	}, args...)...))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", name, process.log.tail(20))
		}
	})
	p.addr = field(process.saying(t, "Listening on", "address="), "address")
	return p
}

func (p *peer) configure(t *testing.T, config string) {
	t.Helper()
	write(t, filepath.Join(p.dir, "config.yml"), config)
}

// prober asks as a probe does: nothing is added to what it says, and nothing is taken from what it hears.
var prober = &http.Client{
	Timeout:       patience,
	Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// A question is one request. <silence 1> in its path or body is the id of the first silence that the peer was given.
type question struct {
	method, path, body string
	header             []string       // names and values in turn; without any, a body is JSON
	edit               int            // the body is this silence as the peer shows it, with these changes
	changes            map[string]any // nil is a member that is left out
	once               string         // it is asked until the answer holds this: Alertmanager does some things a moment later
	onlyHead           bool           // the body is the program's own affair
	differs            string         // why our answer is another one on purpose; "" it may not be
}

func (q question) String() string {
	s := q.method + " " + q.path
	if q.edit > 0 {
		s += fmt.Sprintf(" silence %d with %v", q.edit, q.changes)
	}
	return strings.TrimSpace(s + " " + strings.Join(q.header, " ") + " " + q.body)
}

// compare asks both peers and fails where they answer differently.
func compare(t *testing.T, peers [2]*peer, questions ...question) {
	t.Helper()
	for _, q := range questions {
		ours, theirs := peers[0].answer(t, q), peers[1].answer(t, q)
		switch same := ours == theirs; {
		case same && q.differs != "":
			t.Errorf("%s: both answer the same, so this is not so: %s", q, q.differs)
		case !same && q.differs == "":
			t.Errorf("%s\n--- alertmanager\n%s\n--- midwatch\n%s", q, theirs, ours)
		}
	}
}

// answer asks a question and returns the answer with everything masked that two runs of one program do not share.
func (p *peer) answer(t *testing.T, q question) string {
	t.Helper()
	body := q.body
	if q.edit > 0 {
		body = p.edited(t, q.edit, q.changes)
	}
	text := p.mask(p.exchange(t, q, body))
	if q.once != "" {
		await(t, fmt.Sprintf("%s: %s: %s", p.name, q, q.once), func() (string, bool) {
			text = p.mask(p.exchange(t, q, body))
			return text, strings.Contains(text, q.once)
		})
	}
	if taken := strings.HasPrefix(text, "200") || strings.HasPrefix(text, "400"); taken && q.method == http.MethodPost && strings.HasSuffix(q.path, "/v2/alerts") {
		p.settle(t, q.path)
	}
	return text
}

// exchange makes the request and returns what came over the wire, its headers in order.
func (p *peer) exchange(t *testing.T, q question, body string) string {
	t.Helper()
	r, err := http.NewRequest(q.method, "http://"+p.addr+p.unmask(q.path), strings.NewReader(p.unmask(body)))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" && len(q.header) == 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(q.header); i += 2 {
		r.Header.Add(q.header[i], q.header[i+1])
	}
	res, err := prober.Do(r)
	if err != nil {
		t.Fatalf("%s: %s: %s", p.name, q, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %s: %s", p.name, q, err)
	}
	p.learn(q, text)
	if q.onlyHead {
		text = []byte("<body>\n")
		res.Header.Del("Content-Length")
		res.TransferEncoding = nil
	}
	return transcript(res, text)
}

// transcript is an answer as text. A length is told only where it is not that of the body.
func transcript(res *http.Response, body []byte) string {
	var b strings.Builder
	fmt.Fprintln(&b, res.Status)
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		value := strings.Join(res.Header[name], ",")
		switch name {
		case "Date":
			continue
		case "Content-Length":
			if value == strconv.Itoa(len(body)) {
				value = "that of the body"
			}
		case "Allow":
			value = sorted(value)
		}
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	if len(res.TransferEncoding) > 0 {
		fmt.Fprintln(&b, "Transfer-Encoding:", res.TransferEncoding)
	}
	fmt.Fprintf(&b, "\n%s", body)
	return b.String()
}

// sorted is a list of verbs in order: Alertmanager's is that of a map.
func sorted(verbs string) string {
	all := strings.Split(strings.ReplaceAll(verbs, " ", ""), ",")
	slices.Sort(all)
	return strings.Join(all, ",")
}

// learn keeps the id of a silence that the peer has just been given.
func (p *peer) learn(q question, answer []byte) {
	var given struct {
		SilenceID string `json:"silenceID"`
	}
	if q.method != http.MethodPost || json.Unmarshal(answer, &given) != nil || !uuid.MatchString(given.SilenceID) {
		return
	}
	if !slices.Contains(p.silences, given.SilenceID) {
		p.silences = append(p.silences, given.SilenceID)
	}
}

// uuid is one made by chance, as Alertmanager's are.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// edited is a silence as the peer shows it, with changes, as a body to post.
func (p *peer) edited(t *testing.T, silence int, changes map[string]any) string {
	t.Helper()
	if silence > len(p.silences) {
		return "there is no such silence"
	}
	r, err := http.NewRequest(http.MethodGet, "http://"+p.addr+"/api/v2/silence/"+p.silences[silence-1], nil)
	if err != nil {
		t.Fatal(err)
	}
	_, answer, err := do(r)
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]any{}
	decode(t, answer, &members)
	for name, value := range changes {
		members[name] = value
		if value == nil {
			delete(members, name)
		}
	}
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// settle waits until the alerts are in their groups: Alertmanager answers before they are.
func (p *peer) settle(t *testing.T, path string) {
	t.Helper()
	type listed struct {
		Fingerprint string    `json:"fingerprint"`
		UpdatedAt   time.Time `json:"updatedAt"`
	}
	fetch := func(path string, into any) {
		r, err := http.NewRequest(http.MethodGet, "http://"+p.addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		status, answer, err := do(r)
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: GET %s: %d %v\n%s", p.name, path, status, err, answer)
		}
		decode(t, answer, into)
	}
	await(t, p.name+": the alerts in their groups", func() (string, bool) {
		var alerts []listed
		var groups []struct{ Alerts []listed }
		fetch(path, &alerts)
		fetch(path+"/groups", &groups)
		grouped := map[listed]bool{}
		for _, g := range groups {
			for _, a := range g.Alerts {
				grouped[a] = true
			}
		}
		for _, a := range alerts {
			if !grouped[a] {
				return fmt.Sprintf("%+v is in none", a), false
			}
		}
		return "", true
	})
}

var (
	timestamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)`)
	made      = regexp.MustCompile(`"(branch|buildDate|buildUser|goVersion|revision)":"[^"]*"`)
	peerName  = regexp.MustCompile(`"name":"[0-9A-HJKMNP-TV-Z]{26}"`)
	size      = regexp.MustCompile(`size: \d+ bytes`) // that of a silence depends on what the time is
	allowed   = regexp.MustCompile(`but \[[A-Z,]+\] are`)
	loopback  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// resolveTimeout is Alertmanager's default: how long an alert without an end fires.
const resolveTimeout = 5 * time.Minute

// mask puts words in the place of what differs between two runs: the ids of silences, addresses, how the program was
// built, and the times that the peer took from its own clock. Every other time was in a request, and stays.
func (p *peer) mask(text string) string {
	for i, id := range p.silences {
		text = strings.ReplaceAll(text, id, fmt.Sprintf("<silence %d>", i+1))
	}
	text = strings.ReplaceAll(text, p.dir, "<directory>")
	text = loopback.ReplaceAllString(text, "<address>")
	text = peerName.ReplaceAllString(text, `"name":"<peer>"`)
	text = made.ReplaceAllString(text, `"$1":"<build>"`)
	text = size.ReplaceAllString(text, "size: <some> bytes")
	text = allowed.ReplaceAllStringFunc(text, func(s string) string {
		return "but [" + sorted(s[len("but ["):len(s)-len("] are")]) + "] are"
	})
	from, to := p.born.Truncate(time.Millisecond), time.Now()
	return timestamp.ReplaceAllStringFunc(text, func(written string) string {
		at, err := time.Parse(time.RFC3339, written)
		if err != nil {
			return written
		}
		zone := written[len("2006-01-02T15:04:05.000"):]
		for name, ahead := range map[string]time.Duration{"<now>": 0, "<in 5m>": resolveTimeout} {
			if t := at.Add(-ahead); !t.Before(from) && !t.After(to) {
				return name + zone
			}
		}
		return written
	})
}

func (p *peer) unmask(text string) string {
	for i, id := range p.silences {
		text = strings.ReplaceAll(text, fmt.Sprintf("<silence %d>", i+1), id)
	}
	return text
}
