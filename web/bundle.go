package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
)

// A sheaf is one request for the acknowledge page of a message about several incidents (SPEC §5.11): what its one button
// does, it does to all of them.
type sheaf struct {
	visit
	views []engine.View // those that there are, as the message had them
}

// several answers for a link to several incidents.
func (p *Pages) several(w http.ResponseWriter, r *http.Request, v visit) (int, Ack) {
	s := &sheaf{visit: v}
	if err := s.read(r.Context()); err != nil {
		p.Log.Error("an acknowledge page could not be made", zap.Strings("incidents", v.grant.Incidents), zap.Error(err))
		return http.StatusServiceUnavailable, unavailable()
	}
	if len(s.views) == 0 {
		return http.StatusNotFound, unknown()
	}
	if r.Method != http.MethodPost {
		return http.StatusOK, s.page(nil)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return http.StatusBadRequest, s.page([]string{"Nothing was done: the form did not arrive whole. Press the button again."})
	}
	return s.act(r.Context(), r.PostForm.Get("do"))
}

func (s *sheaf) read(ctx context.Context) error {
	s.views = nil
	for _, id := range s.grant.Incidents {
		switch err := s.load(ctx, id); {
		case errors.Is(err, engine.ErrNotFound):
		case err != nil:
			return err
		default:
			s.views = append(s.views, s.view)
		}
	}
	slices.SortStableFunc(s.views, func(a, b engine.View) int { return cmp.Compare(a.Severity, b.Severity) })
	return nil
}

// act does to each what can be done to it. What can no longer be done is no fault: the page shows how each stands.
func (s *sheaf) act(ctx context.Context, do string) (int, Ack) {
	verb, said := engine.Acknowledge, "acknowledged"
	wanted := func(i incident.Incident) bool {
		return i.Open() && (i.Status == incident.Triggered || i.AckedBy != s.grant.User)
	}
	switch do {
	case "", doAcknowledge:
	case doUndo:
		verb, said = engine.Unacknowledge, "triggered again"
		wanted = func(i incident.Incident) bool { return i.Status == incident.Acked && i.AckedBy == s.grant.User }
	default:
		return http.StatusBadRequest, s.page([]string{"Nothing was done: this page has no such button. Press the one below."})
	}
	done, unsaved := 0, false
	var failed []string
	for id, err := range s.each(ctx, verb, wanted) {
		switch {
		case errors.Is(err, engine.ErrUnsaved):
			unsaved = true
			done++
		case err != nil:
			failed = append(failed, id)
			s.Log.Warn("an acknowledge link could not act", zap.String("incident", id), zap.Error(err))
		default:
			done++
		}
	}
	if err := s.read(ctx); err != nil {
		return http.StatusServiceUnavailable, unavailable()
	}
	told := []string{fmt.Sprintf("%s: %d of %d, at %s via %s.", upperFirst(said), done, len(s.views), s.at(s.now), viaWords(viaLink))}
	if unsaved {
		told = append(told, "It is done, but in memory only: the disk of Midwatch takes no writes, and a restart would forget it. Tell whoever runs it.")
	}
	if len(failed) > 0 {
		told = append(told, "Not done for "+list(failed, 120)+": Midwatch is overloaded or shutting down. Press the button again in a few seconds.")
		return http.StatusServiceUnavailable, s.page(told)
	}
	return http.StatusOK, s.page(told)
}

// maxLines is how many incidents are listed at most: the page has 6 KiB, and each takes some 60 bytes and more.
const maxLines = 80

// atOnce is how many incidents of one link are acted on together: they share the engine's turns, and so its commits.
const atOnce = 32

// each acts on all that are wanted, and gives what came of it in the order of the page.
func (s *sheaf) each(ctx context.Context, verb engine.Verb, wanted func(incident.Incident) bool) iter.Seq2[string, error] {
	errs := make([]error, len(s.views))
	acted := make([]bool, len(s.views))
	var hands sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i, v := range s.views {
		if !wanted(v.Incident) {
			continue
		}
		acted[i] = true
		turn <- struct{}{}
		hands.Go(func() {
			defer func() { <-turn }()
			errs[i] = s.Engine.Do(ctx, engine.Action{Verb: verb, Incident: v.ID(), By: s.grant.User, Via: viaLink}).Err
		})
	}
	hands.Wait()
	return func(yield func(string, error) bool) {
		for i, v := range s.views {
			if acted[i] && !yield(v.ID(), errs[i]) {
				return
			}
		}
	}
}

// page shows how each of them stands, those first that nobody has.
func (s *sheaf) page(told []string) Ack {
	var waiting, mine, others, over int
	rank := map[incident.Status]int{incident.Triggered: 0, incident.Acked: 1, incident.Resolved: 2}
	facts := make([][]Fact, 3)
	for _, v := range s.views {
		i := v.Incident
		switch {
		case i.Status == incident.Triggered:
			waiting++
		case i.Status == incident.Resolved:
			over++
		case i.AckedBy == s.grant.User:
			mine++
		default:
			others++
		}
		text := short(i.Title, 120)
		if i.Status == incident.Acked {
			text += ": " + s.person(i.AckedBy) + " has it"
		} else if i.Status == incident.Resolved {
			text += ": resolved"
		}
		at := rank[i.Status]
		facts[at] = append(facts[at], Fact{Name: strings.TrimSpace(i.ID() + " " + i.Severity), Text: text})
	}
	lines := append(append(facts[0], facts[1]...), facts[2]...)
	p := Ack{
		Heading: count(len(s.views), "incident"), Told: told, Facts: lines[:min(len(lines), maxLines)],
		Standing: standings(waiting, mine+others, over), More: "../incidents",
	}
	switch {
	case waiting > 0:
		p.Button, p.Do = fmt.Sprintf("Acknowledge all as %s", s.person(s.grant.User)), doAcknowledge
		p.Hints = []string{"Acknowledging tells the others that you have them. Until somebody presses the button, nothing changes."}
	case mine > 0:
		p.Button, p.Do = "Undo the acknowledgements", doUndo
		p.Hints = []string{"Undo them if you cannot take care of these: then the others are paged again."}
	case others > 0:
		p.Button, p.Do = "Acknowledge too, as "+s.person(s.grant.User), doAcknowledge
	default:
		p.Hints = []string{"There is nothing to acknowledge any more. What comes back pages you again, with a new link."}
	}
	return p
}

func standings(waiting, acked, over int) string {
	var parts []string
	for _, c := range []struct {
		n    int
		what string
	}{{waiting, "triggered"}, {acked, "acknowledged"}, {over, "resolved"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(parts, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
