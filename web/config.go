package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// A Running is the configuration that runs, without its secrets.
type Running struct {
	File     string       // its name
	Parts    []ConfigPart // the file, then those it includes
	Warnings []ConfigFault
	Since    time.Time // when it was loaded
}

// A ConfigPart is one file of a configuration.
type ConfigPart struct {
	File string
	Text string // without secrets and comments; empty: it cannot be shown
}

// A ConfigFault is one thing that is wrong or doubtful in a configuration.
type ConfigFault struct {
	File         string // empty: the text that was proposed
	Line, Column int    // from 1; 0: the file itself
	What, Mend   string // Mend empty: nothing more can be said
	Warning      bool   // it is accepted all the same
	Source       string // the line it is on; empty: it is not shown
}

// Where says where the fault is.
func (f ConfigFault) Where() string {
	var parts []string
	if f.File != "" {
		parts = append(parts, f.File)
	}
	if f.Line > 0 {
		parts = append(parts, fmt.Sprintf("line %d, column %d", f.Line, f.Column))
	}
	return strings.Join(parts, ", ")
}

// A Proposal is what a changed configuration would do. Nothing is done.
type Proposal struct {
	Faults  []ConfigFault
	Good    bool   // it would be taken
	Holds   string // what is in it, in words
	Doubt   string // why it was not compared, or not wholly; empty: it was
	Changes []ConfigChange

	From, To time.Time // of what follows
	Rota     []RotaChange

	Since  time.Time // of what follows
	Looked int       // alerts that were routed both ways
	Moves  []Move    // those that most alerts make come first
}

// Errors are the faults for which it would not be taken.
func (p *Proposal) Errors() []ConfigFault { return p.only(false) }

// Warnings are the faults with which it would be taken.
func (p *Proposal) Warnings() []ConfigFault { return p.only(true) }

func (p *Proposal) only(warnings bool) (out []ConfigFault) {
	for _, f := range p.Faults {
		if f.Warning == warnings {
			out = append(out, f)
		}
	}
	return out
}

// A ConfigChange is what changed in one part of the configuration, in words.
type ConfigChange struct {
	Part  string
	Lines []string
}

// A RotaChange says who is on call differently in one schedule.
type RotaChange struct {
	Said    string // in a sentence
	Zone    *time.Location
	Changes []oncall.Change
	More    int // so many further stretches are not listed
}

// A Move is a way on which alerts would go that did not before.
type Move struct {
	Was, Is  []string // whom they reach; empty: nobody
	Alerts   int
	Examples []string // labels of some
}

// ConfigPage is the page of the configuration.
type ConfigPage struct {
	Shell
	Running  Running
	Included []ConfigPart
	Text     string // to be edited
	Large    bool   // the running text is too large to be shown
	Verdict  *Verdict
}

// A Verdict is what there is to say about a text that was proposed.
type Verdict struct {
	Shell
	*Proposal
	Empty bool // there was no text
	Same  bool // it changes nothing
	Rotas []RotaRows
}

// RotaRows is a RotaChange with its times as a page shows them.
type RotaRows struct {
	Said string
	Rows []RotaRow
	More int
}

// A RotaRow is one stretch with others on call.
type RotaRow struct {
	From, To string // in the schedule's zone
	Was, Is  string
}

// Limits of what is shown and taken.
const (
	maxConfigShown = 128 << 10 // bytes of the running text: compressed it is a tenth of that, and a page has 30 KB
	maxConfigText  = 512 << 10 // bytes of a text that is proposed, some 15,000 lines
	maxConfigForm  = 3*maxConfigText + 4<<10
	maxFaultsShown = 50
	maxSourceLine  = 160 // letters of a line that a fault is on
	configPatience = 20 * time.Second
)

func (p *Pages) configPaths() {
	if p.Running == nil || p.Propose == nil {
		return
	}
	p.read("/config", p.config)
	p.act("/config", p.proposeConfig)
}

func (p *Pages) configPage(r *http.Request) *ConfigPage {
	v := &ConfigPage{Shell: p.frame(r, "config", "Configuration"), Running: p.Running()}
	v.Self = "config" // what was posted cannot be led back to
	if parts := v.Running.Parts; len(parts) > 0 {
		v.Text, v.Included = parts[0].Text, parts[1:]
	}
	room := maxConfigShown
	if v.Large = len(v.Text) > room; v.Large {
		v.Text = ""
	}
	room -= len(v.Text)
	for i := range v.Included {
		if room -= len(v.Included[i].Text); room < 0 {
			v.Included[i].Text = ""
		}
	}
	return v
}

func (p *Pages) config(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, "config", p.configPage(r))
}

// proposeConfig says what the text that was posted would do. It changes nothing.
func (p *Pages) proposeConfig(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxConfigForm)
	v := p.configPage(r)
	if err := r.ParseForm(); err != nil || len(r.PostForm.Get("text")) > maxConfigText {
		v.Said = &Said{Wrong: true, Text: fmt.Sprintf("Nothing was looked at: the text did not arrive whole, or is larger than %d KiB. Check it where the file is: midwatch config check FILE.", maxConfigText>>10)}
		p.show(w, r, http.StatusRequestEntityTooLarge, "config", v)
		return
	}
	text := strings.ReplaceAll(r.PostForm.Get("text"), "\r\n", "\n")
	ctx, cancel := context.WithTimeout(r.Context(), configPatience)
	defer cancel()
	verdict := p.verdict(ctx, v.Shell, text)
	if r.Header.Get("HX-Request") == "true" { // the text is on the page already
		p.show(w, r, http.StatusOK, "config-verdict", verdict)
		return
	}
	v.Text, v.Large, v.Verdict = text, false, verdict
	p.show(w, r, http.StatusOK, "config", v)
}

func (p *Pages) verdict(ctx context.Context, s Shell, text string) *Verdict {
	v := &Verdict{Shell: s, Proposal: &Proposal{}, Empty: strings.TrimSpace(text) == ""}
	if v.Empty {
		return v
	}
	proposed := p.Propose(ctx, text)
	v.Proposal = &proposed
	lines := strings.Split(text, "\n")
	for i := range v.Faults {
		f := &v.Faults[i]
		if f.File == "" && f.Line > 0 && f.Line <= len(lines) {
			f.Source = short(strings.TrimRight(lines[f.Line-1], " \t"), maxSourceLine)
		}
	}
	v.rows()
	return v
}

// rows makes what is told of rotas ready to be read.
func (v *Verdict) rows() {
	v.Same = v.Good && v.Doubt == "" && len(v.Changes) == 0
	for _, change := range v.Rota {
		rows := RotaRows{Said: change.Said, More: change.More}
		for _, c := range change.Changes {
			rows.Rows = append(rows.Rows, RotaRow{
				From: c.Start.In(change.Zone).Format("Mon 2 Jan 15:04"), To: c.End.In(change.Zone).Format("Mon 2 Jan 15:04"),
				Was: onCallWords(c.Was), Is: onCallWords(c.Is),
			})
		}
		v.Rotas = append(v.Rotas, rows)
	}
}

func onCallWords(users []string) string {
	if len(users) == 0 {
		return "nobody"
	}
	return list(users, 200)
}

// Listed are the faults of a kind that are shown.
func (v *Verdict) Listed(faults []ConfigFault) []ConfigFault {
	return faults[:min(len(faults), maxFaultsShown)]
}

// Left is how many are not.
func (v *Verdict) Left(faults []ConfigFault) int { return max(0, len(faults)-maxFaultsShown) }

// Reaches says whom alerts reach.
func (v *Verdict) Reaches(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return list(names, 200)
}
