package engine

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// A Plan is a silence known beforehand (SPEC §5): a maintenance window of the file, or a recurring silence made at run
// time. Each of its windows is a silence like any other, made when the one before is over, so that it is seen, ended and
// told to peers like any other; its ID follows from the plan and the window, so that peers with the same file make the
// same one.
type Plan struct {
	Name     string              `json:"name"`
	Matchers []router.MatcherSet `json:"matchers"` // exactly one set

	// Cron and For, in TimeZone, say when it recurs. A window of the file may be of another kind: then Text says when.
	Cron     string        `json:"cron,omitempty"`
	For      time.Duration `json:"for,omitempty"`
	TimeZone string        `json:"time_zone,omitempty"`
	Text     string        `json:"-"`

	Comment            string `json:"comment,omitempty"`
	CreatedBy          string `json:"created_by,omitempty"`
	ExpireWhenResolved bool   `json:"expire_when_resolved,omitempty"` // each window ends with the last of its alerts

	FromFile bool               `json:"-"` // it is changed there
	Windows  *oncall.Recurrence `json:"-"` // nil: made of Cron, For and TimeZone
}

// Limits of plans.
const (
	maxPlans    = 1000
	maxPlanName = 200 // bytes
)

// planAnnotation marks the silences of plans: "file/<name>" or "run/<name>".
const planAnnotation = "midwatch_plan"

var zeroTime time.Time

func (p Plan) key() string {
	if p.FromFile {
		return "file/" + p.Name
	}
	return "run/" + p.Name
}

// check completes a plan that was made at run time, or says what is wrong with it.
func (p *Plan) check() error {
	if p.Name == "" || len(p.Name) > maxPlanName {
		return refuse("invalid", "name", "a recurring silence needs a name of at most %d bytes", maxPlanName)
	}
	if len(p.Matchers) != 1 {
		return refuse("invalid", "matchers", "a recurring silence needs one set of matchers")
	}
	w, err := oncall.ParseRecurrence(p.Cron, p.For, p.TimeZone)
	if err != nil {
		return refuse("invalid", "cron", "%s", err)
	}
	p.Windows = w
	probe := p.silence(oncall.Occurrence{From: time.Unix(0, 0), To: time.Unix(1, 0)})
	if err := router.CheckSilence(&probe); err != nil {
		return refuse("invalid", "matchers", "%s", err)
	}
	return nil
}

// window is the one under way at t, or else the next; false: there is none any more.
func (p Plan) window(t time.Time) (oncall.Occurrence, bool) {
	if w, ok := p.Windows.At(t); ok {
		return w, true
	}
	return p.Windows.Next(t)
}

// silence is that of one window.
func (p Plan) silence(w oncall.Occurrence) router.Silence {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", p.key(), w.From.Unix()))
	s := router.Silence{
		ID: uuidText([16]byte(sum[:16]), 8), Matchers: p.Matchers, StartsAt: w.From.UTC(), EndsAt: w.To.UTC(),
		CreatedBy: orElse(p.CreatedBy, "midwatch"), Comment: orElse(p.Comment, p.what()),
		Annotations: map[string]string{planAnnotation: p.key()},
	}
	if p.ExpireWhenResolved {
		s.Annotations[router.ExpireWhenResolved] = "true"
	}
	return s
}

func (p Plan) what() string {
	if p.FromFile {
		return "maintenance: " + p.Name
	}
	return "recurring silence: " + p.Name
}

// sameSilence reports whether a silence is what its plan asks for.
func sameSilence(a, b router.Silence) bool {
	return a.StartsAt.Equal(b.StartsAt) && a.EndsAt.Equal(b.EndsAt) && a.CreatedBy == b.CreatedBy && a.Comment == b.Comment &&
		maps.Equal(a.Annotations, b.Annotations) &&
		slices.EqualFunc(a.Matchers, b.Matchers, func(x, y router.MatcherSet) bool { return slices.Equal(x, y) })
}

// A PlanView is a plan with its window that is under way or to come; a zero Next is that none is.
type PlanView struct {
	Plan
	Next    oncall.Occurrence
	Silence string // the ID of that window's silence
}

// Plans returns the maintenance windows and recurring silences, by their names.
func (e *Engine) Plans() []PlanView {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var views []PlanView
	for _, key := range slices.Sorted(maps.Keys(e.core.plans)) {
		v := PlanView{Plan: e.core.plans[key]}
		if w, ok := v.window(e.now().Wall); ok {
			v.Next, v.Silence = w, v.silence(w).ID
		}
		views = append(views, v)
	}
	return views
}
