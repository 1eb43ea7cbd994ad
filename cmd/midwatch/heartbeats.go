package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/router"
)

// heartbeatsOf makes of the heartbeats of a configuration what the engine watches.
func heartbeatsOf(list []config.Heartbeat) (out []engine.Heartbeat) {
	for _, h := range list {
		e := engine.Heartbeat{
			Name: h.Name, Every: h.Every, Grace: h.Grace, Policy: h.Policy, Severity: h.Severity,
			Labels: h.Labels, Annotations: h.Annotations, Paused: h.Paused, Source: "ping",
		}
		if len(h.Matchers) > 0 {
			e.Match, e.Source, e.Alert = matchAll(h.Matchers), h.Matchers.String(), alertnameOf(h.Matchers)
		}
		out = append(out, e)
	}
	return out
}

// matchAll asks all matchers about an alert's labels, and makes nothing new on the way: it is asked of every alert.
func matchAll(all labels.Matchers) func(router.Labels) bool {
	return func(l router.Labels) bool {
		for _, m := range all {
			if !m.Matches(l.Get(m.Name)) {
				return false
			}
		}
		return true
	}
}

// alertnameOf is the only alertname that the matchers hold for; empty: several.
func alertnameOf(all labels.Matchers) string {
	for _, m := range all {
		if m.Name == "alertname" && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return ""
}

// pingKey is the secret in the address at which a heartbeat is pinged; empty: it listens to an alert.
func pingKey(h config.Heartbeat, s *notify.Signer) string {
	switch {
	case len(h.Matchers) > 0:
		return ""
	case h.Key != "":
		return h.Key
	}
	return s.PingKey(h.Name)
}

// A doorbell knows whose address ends with which secret. It keeps no secret, and how long it looks says nothing of one.
type doorbell map[[sha256.Size]byte]string

func newDoorbell(list []config.Heartbeat, s *notify.Signer) doorbell {
	d := doorbell{}
	for _, h := range list {
		if key := pingKey(h, s); key != "" {
			d[sha256.Sum256([]byte(key))] = h.Name
		}
	}
	return d
}

func (d doorbell) whose(key string) (name string, ok bool) {
	name, ok = d[sha256.Sum256([]byte(key))]
	return name, ok
}

// heartbeatRow is what of a heartbeat a table shows.
type heartbeatRow struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`
	Source   string    `json:"source"`
	Alert    string    `json:"alert"`
	Every    string    `json:"every"`
	Grace    string    `json:"grace"`
	Last     time.Time `json:"last_beat"`
	Due      time.Time `json:"due"`
	Incident string    `json:"incident"`
}

func heartbeatCommands(app *kingpin.Application, out *output) map[string]command {
	commands := map[string]command{}
	top := app.Command("heartbeats", "Who is to be heard of every so often: alerts that always fire, and jobs that call an address.")

	list := top.Command("list", "List them, and how each stands. Exits 3 if there is none.").Default()
	client, form := serverFlags(list), formFlag(list)
	state := list.Flag("state", "Only those in this state: new, fine, late or paused.").Default("").Enum("", "new", "fine", "late", "paused")
	commands[list.FullCommand()] = func(ctx context.Context) int {
		query := url.Values{}
		if *state != "" {
			query.Set("state", *state)
		}
		var raw json.RawMessage
		if err := client.call(ctx, http.MethodGet, "heartbeats", query, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var page struct {
			Heartbeats []heartbeatRow `json:"heartbeats"`
		}
		return out.list(*form, raw, &page, func() int { return len(page.Heartbeats) }, func(w io.Writer) {
			rows := [][]string{{"NAME", "STATE", "HEARD BY", "EVERY", "GRACE", "LAST HEARD", "LATE FROM", "INCIDENT"}}
			for _, h := range page.Heartbeats {
				rows = append(rows, []string{
					h.Name, h.State, orElse(h.Alert, h.Source), h.Every, h.Grace, momentOr(h.Last, "never"), momentOr(h.Due, "-"), orElse(h.Incident, "-"),
				})
			}
			columns(w, rows)
		})
	}

	urls := top.Command("urls", "Print the addresses at which heartbeats are pinged, from the configuration and the key below --storage.path. They are secrets: who has one can say that all is well.")
	file := urls.Flag("config.file", "Configuration file. Default: midwatch.yml or alertmanager.yml in the working directory.").String()
	storage := urls.Flag("storage.path", "Where the server keeps its state.").Default("data/").String()
	external := urls.Flag("web.external-url", "The URL under which jobs reach the server. Default: http://<hostname>:9093/.").String()
	urlForm := formFlag(urls)
	names := urls.Arg("name", "Only these heartbeats.").Strings()
	commands[urls.FullCommand()] = func(context.Context) int {
		initMatchers(logging{}, featurecontrol.NoopFlags{})
		cfg, ok := loadConfig(out, *file)
		if !ok {
			return exitFailed
		}
		pages, err := pingURLs(cfg.Heartbeats, *names, *storage, *external)
		if err != nil {
			return out.fail(exitFailed, err)
		}
		if len(pages) == 0 {
			return exitNothing
		}
		return out.print(*urlForm, pages, func(w io.Writer) {
			var rows [][]string
			for _, p := range pages {
				rows = append(rows, []string{p.Name, p.URL})
			}
			columns(w, rows)
		})
	}
	return commands
}

func momentOr(t time.Time, absent string) string {
	if t.IsZero() {
		return absent
	}
	return localMinute(t)
}

// pingAddress is where a heartbeat is pinged.
type pingAddress struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

func pingURLs(list []config.Heartbeat, names []string, storage, external string) ([]pingAddress, error) {
	for _, name := range names {
		i := slices.IndexFunc(list, func(h config.Heartbeat) bool { return h.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("the configuration has no heartbeat %q", name)
		}
		if len(list[i].Matchers) > 0 {
			return nil, fmt.Errorf("heartbeat %s is heard by an alert, %s, and has no address", name, list[i].Matchers)
		}
	}
	base, _, err := addresses(external, "", ":9093")
	if err != nil {
		return nil, err
	}
	var signer *notify.Signer
	pages := []pingAddress{}
	for _, h := range list {
		if len(h.Matchers) > 0 || len(names) > 0 && !slices.Contains(names, h.Name) {
			continue
		}
		if h.Key == "" && signer == nil { // one that is given needs no file
			if signer, err = storedSigner(storage); err != nil {
				return nil, err
			}
		}
		pages = append(pages, pingAddress{h.Name, base.JoinPath("heartbeat", pingKey(h, signer)).String()})
	}
	return pages, nil
}

// storedSigner reads the server's secret, and makes none: another one would make other addresses.
func storedSigner(dir string) (*notify.Signer, error) {
	path := filepath.Join(dir, keyFile)
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s; name the server's --storage.path, or start the server once, or give the heartbeats a ping_key", path)
	}
	if err != nil {
		return nil, fmt.Errorf("the key of addresses: %w", err)
	}
	return notify.NewSigner(key)
}
