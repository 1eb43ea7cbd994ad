package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/midwatch/midwatch/slo"
)

// A Correction excludes bad time from an SLO's budgets: it was planned, or nobody's fault. The budget stays as large as it is.
type Correction struct {
	Number    int       `json:"number"`
	SLO       string    `json:"slo"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Reason    string    `json:"reason"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	Gone      bool      `json:"gone,omitempty"` // it was taken back; only its number is kept
}

// ID names it: CORR-1.
func (k Correction) ID() string { return fmt.Sprintf("CORR-%d", k.Number) }

func (k Correction) input() slo.Correction { return slo.Correction{ID: k.ID(), From: k.From, To: k.To} }

// correct takes in that some bad time is not to be counted.
func (c *Core) correct(in Correct) Answer {
	k := in.Correction
	switch {
	case c.ledger.rules[k.SLO] == nil:
		return Answer{Err: c.unknown("slo", "slo", cut(k.SLO, maxName), slices.Collect(maps.Keys(c.ledger.rules)))}
	case !k.To.After(k.From):
		return Answer{Err: refuse("invalid", "to", "it ends at %s, not after it starts at %s", instantText(k.To), instantText(k.From))}
	case k.To.Before(c.now.Add(-lateCorrection)):
		return Answer{Err: refuse("invalid", "to", "it ended at %s; no budget remembers that", instantText(k.To))}
	case strings.TrimSpace(k.Reason) == "":
		return Answer{Err: refuse("invalid", "reason", "say why: what is excluded from a budget needs a reason")}
	case utf8.RuneCountInString(k.Reason) > maxCorrectionText:
		return Answer{Err: refuse("invalid", "reason", "the reason is longer than %d characters", maxCorrectionText)}
	case utf8.RuneCountInString(k.CreatedBy) > maxName:
		return Answer{Err: refuse("invalid", "by", "\"by\" is longer than %d characters", maxName)}
	case len(c.correctionsOf(k.SLO)) >= maxCorrections:
		return Answer{Err: refuse("invalid", "slo", "%s has %d corrections, the most there can be; remove those that no window holds any more", k.SLO, maxCorrections)}
	}
	c.ledger.last++
	k.Number, k.CreatedAt = c.ledger.last, c.now
	c.keepCorrection(k)
	c.applyCorrection(k.SLO, k.input())
	return Answer{Correction: k}
}

// dropCorrection takes one back: what it excluded counts again.
func (c *Core) dropCorrection(in DropCorrection) Answer {
	k, known := c.ledger.corrections[in.Number]
	if !known || k.Gone {
		return Answer{Err: refuse("not_found", "id", "there is no correction CORR-%d", in.Number)}
	}
	k.Gone = true
	c.keepCorrection(k)
	c.applyCorrection(k.SLO, slo.Correction{ID: k.ID()})
	return Answer{Correction: k}
}

func (c *Core) keepCorrection(k Correction) {
	c.ledger.corrections[k.Number] = k
	c.put(prefCorrection+num(k.Number), encode("correction", k))
}

func (c *Core) applyCorrection(name string, in slo.Correction) {
	for _, key := range slices.Sorted(maps.Keys(c.ledger.accounts)) {
		if a := c.ledger.accounts[key]; a.name == name && a.rule != nil {
			c.unit()
			c.count(key, a, in)
		}
	}
}

// correctionsOf are those of an SLO, in the order of their making.
func (c *Core) correctionsOf(name string) (list []Correction) {
	for _, n := range slices.Sorted(maps.Keys(c.ledger.corrections)) {
		if k := c.ledger.corrections[n]; k.SLO == name && !k.Gone {
			list = append(list, k)
		}
	}
	return list
}

// Corrections are those of an SLO (empty: of all), the newest first.
func (e *Engine) Corrections(name string) (list []Correction) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(e.core.ledger.corrections))) {
		if k := e.core.ledger.corrections[n]; !k.Gone && (name == "" || k.SLO == name) {
			list = append(list, k)
		}
	}
	return list
}
