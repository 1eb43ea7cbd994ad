package main

import (
	"net/http"
	"os"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/web"
)

// tellEvents has open pages look again at what the history tells of.
func (d *daemon) tellEvents(events []incident.Event) {
	var about, others bool
	for _, e := range events {
		about = about || e.Incident != ""
		others = others || e.Incident == ""
	}
	if about {
		d.news.Tell(web.OfIncidents, web.OfPages)
	}
	if others {
		d.news.Tell(web.OfDuties, web.OfIncidents)
	}
}

// tellEffects does it for alerts and silences.
func (d *daemon) tellEffects(effects []router.Effect) {
	var alerts, silences bool
	for _, e := range effects {
		switch e.(type) {
		case router.Stored, router.GroupChanged:
			alerts = true
		case router.SilenceChanged:
			silences = true
		}
		if alerts && silences {
			break
		}
	}
	if alerts {
		d.news.Tell(web.OfAlerts)
	}
	if silences {
		d.news.Tell(web.OfSilences, web.OfAlerts)
	}
}

// outlets is how every channel has fared, as the first page sums it up.
func (d *daemon) outlets() []web.Channel {
	var out []web.Channel
	for _, c := range d.channels() {
		out = append(out, web.Channel{To: orElse(c.User, orElse(c.Receiver, c.Chat)), Via: orElse(c.Via, c.Integration), State: c.State, Error: c.LastError})
	}
	return out
}

// visitor says whom the server authenticated. That is done before a request comes here, by --web.config.file: who has a
// client certificate is named by it, and who has a password by the user that it belongs to. Without such a file a name in a
// request proves nothing, and nobody is anybody.
func (d *daemon) visitor() func(*http.Request) string {
	passwords := passwordsIn(*d.flags.web.WebConfigFile)
	return func(r *http.Request) string {
		if passwords() {
			if name, _, ok := r.BasicAuth(); ok {
				return name
			}
		}
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
			return r.TLS.VerifiedChains[0][0].Subject.CommonName
		}
		return ""
	}
}

// passwordsIn says whether the file asks for passwords now. Like the listener's, its answer changes with the file.
func passwordsIn(file string) func() bool {
	if file == "" {
		return func() bool { return false }
	}
	var (
		mu   sync.Mutex
		read time.Time
		any  bool
	)
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		info, err := os.Stat(file)
		if err != nil || info.ModTime().Equal(read) {
			return any
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return any
		}
		var web struct {
			Users map[string]string `yaml:"basic_auth_users"`
		}
		if yaml.Unmarshal(text, &web) == nil {
			any, read = len(web.Users) > 0, info.ModTime()
		}
		return any
	}
}
