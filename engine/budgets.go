package engine

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
)

// An SLO is an objective whose breaches open incidents (SPEC §7).
type SLO struct {
	Objective   *slo.Objective
	Policy      string
	Annotations map[string]string // of its incidents, beside ours

	// Of an objective that looks at alerts. Match says which; where it holds for alerts of one name only, Alert is that name.
	Match func(router.Labels) bool
	Alert string
	// Read is about burn-rate alerts: which objective one is of, and how severe it is; nil: they are none.
	Read func(labels map[string]string) (identity, severity string, ok bool)
}

// The names by which incidents of SLOs are shown, routed to channels and silenced.
const (
	alertBurn = "ErrorBudgetBurn"
	labelSLO  = "slo"
)

// Limits of SLOs.
const (
	maxAccounts       = 20_000           // budgets: SLOs times the values of their `by`
	maxCorrections    = 200              // of one SLO; a Budget remembers more
	maxAlertsBehind   = 20               // alerts that an SLO's incident names
	maxCorrectionText = 500              // characters of why
	keepCounts        = 10 * time.Minute // how often counts by the minute are written: a month of them is some hundred kilobytes
	lateCorrection    = 400 * 24 * time.Hour
)

// An account is the budget of one SLO for one set of its `by` values, as the engine keeps it.
type account struct {
	rule   *SLO
	name   string            // of the SLO
	by     string            // names the values; "{}": there are none
	labels map[string]string // the values
	budget slo.Budget
	fires  map[string]bool // its alerts that fire, as the Budget knows it
	kept   time.Time       // when it was last written
	heard  slo.All         // what is to be taken in before this call of the router is over
	looked *look           // at its SLO, when it was read; nil: not yet
}

// accountRecord is its stored form.
type accountRecord struct {
	SLO    string            `json:"slo"`
	By     string            `json:"by"`
	Labels map[string]string `json:"labels,omitempty"`
	Budget slo.Budget        `json:"budget"`
	Fires  []string          `json:"fires,omitempty"`
}

// ledger is all accounts, and how alerts find theirs.
type ledger struct {
	rules       map[string]*SLO // by name
	byAlert     map[string][]*SLO
	anyAlert    []*SLO
	accounts    map[string]*account // by their keys
	corrections map[int]Correction
	last        int      // number of the newest correction
	stirred     []string // keys of accounts that heard something in the call of the router under way
	refused     uint64
}

func newLedger() ledger {
	return ledger{accounts: map[string]*account{}, corrections: map[int]Correction{}}
}

// accountKey names an account in the store. What two budgets have in common is their SLO.
func accountKey(name, by string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(by)) // never fails
	return fmt.Sprintf("%s/%016x", name, h.Sum64())
}

// indexSLOs is how alerts find those of the configuration.
func (c *Core) indexSLOs() {
	g := &c.ledger
	g.rules, g.byAlert, g.anyAlert = map[string]*SLO{}, map[string][]*SLO{}, nil
	for i := range c.cfg.SLOs {
		s := &c.cfg.SLOs[i]
		g.rules[s.Objective.Name()] = s
		switch {
		case s.Match == nil:
		case s.Alert != "":
			g.byAlert[s.Alert] = append(g.byAlert[s.Alert], s)
		default:
			g.anyAlert = append(g.anyAlert, s)
		}
	}
}

// useSLOs counts for those of the configuration, and for no others. A budget of values by which its SLO is no longer split
// goes as if the SLO did: nothing that is counted now would ever reach it. One in which nothing is left goes quietly.
func (c *Core) useSLOs() {
	g := &c.ledger
	for _, key := range slices.Sorted(maps.Keys(g.accounts)) {
		a := g.accounts[key]
		a.rule = g.rules[a.name]
		c.unit()
		switch {
		case a.rule == nil:
			c.closeAccount(key, a, "the SLO is no longer in the configuration")
		case !splitBy(a.labels, a.rule.Objective.Spec().By):
			c.closeAccount(key, a, "the SLO is split otherwise now, so that this budget counts no more")
		default:
			c.lookAt(key, a)
			if len(a.fires) == 0 && len(a.heard) == 0 && a.budget.Idle(a.rule.Objective) {
				c.dropAccount(key)
			}
		}
	}
	c.auditSLOs()
}

// splitBy says whether there are values of these labels, and of no others.
func splitBy(labels map[string]string, by []string) bool {
	for _, label := range by {
		if _, has := labels[label]; !has {
			return false
		}
	}
	return len(labels) == len(by)
}

// closeAccount ends the incidents of an account, and drops it.
func (c *Core) closeAccount(key string, a *account, why string) {
	for _, l := range c.breaches(a) {
		c.overNow(l, why)
	}
	c.dropAccount(key)
}

func (c *Core) dropAccount(key string) {
	delete(c.ledger.accounts, key)
	c.put(prefSLO+key, nil)
	c.agenda.set("slo/"+key, zeroTime)
}

// lookAt lets a budget look at its SLO, which may be another one than before.
func (c *Core) lookAt(key string, a *account) {
	if len(a.heard) > 0 {
		c.count(key, a, slo.Reloaded{})
		return
	}
	l := a.looked
	if a.looked = nil; l == nil {
		l = a.look(a.rule, c.now)
	}
	was := a.budget
	a.budget = l.budget
	for _, e := range l.effects {
		c.breached(a, e)
	}
	if l.quiet(was) {
		c.agenda.set("slo/"+key, a.budget.Due())
		return
	}
	c.keepAccount(key, a)
}

// auditSLOs compares what accounts believe to fire with the table of alerts: after a start, a reload, or a crash between two
// records.
func (c *Core) auditSLOs() {
	g := &c.ledger
	if len(g.byAlert)+len(g.anyAlert) == 0 {
		return
	}
	fires := map[*account]map[string]bool{}
	for a := range c.router.Alerts().All() {
		if a.Ended {
			continue
		}
		for _, list := range [][]*SLO{g.byAlert[a.Name()], g.anyAlert} {
			for _, s := range list {
				if acc := c.spend(s, a, router.FirstSeen); acc != nil {
					if fires[acc] == nil {
						fires[acc] = map[string]bool{}
					}
					fires[acc][alertID(a)] = true
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(g.accounts)) {
		acc := g.accounts[key]
		for id := range acc.fires {
			if !fires[acc][id] {
				delete(acc.fires, id)
				c.heardOf(key, acc, slo.Expired{Alert: id, At: c.now, Received: c.now})
			}
		}
	}
	c.countStirred()
}

func alertID(a *router.Alert) string { return fmt.Sprintf("%016x", a.Fingerprint()) }

// spends is about an alert that began to fire, ended, or changed; repeats do not come here.
func (c *Core) spends(e router.Stored) {
	for _, list := range [][]*SLO{c.ledger.byAlert[e.Alert.Name()], c.ledger.anyAlert} {
		for _, s := range list {
			c.spend(s, e.Alert, e.Change)
		}
	}
}

// spend notes for the account what an alert says, if it is one of the SLO's.
func (c *Core) spend(s *SLO, a *router.Alert, change router.Change) *account {
	if !s.Match(a.Labels) {
		return nil
	}
	labels := labelMap(a.Labels)
	spec := s.Objective.Spec()
	by, severity := slo.Identity(labels, spec.By), ""
	if s.Read != nil {
		var ok bool
		if by, severity, ok = s.Read(labels); !ok {
			return nil
		}
	}
	acc := c.account(s, by, labels)
	if acc == nil {
		return nil
	}
	id, key := alertID(a), accountKey(acc.name, acc.by)
	switch {
	case !a.Ended:
		acc.fires[id] = true
		c.heardOf(key, acc, slo.Fired{Alert: id, StartsAt: a.StartsAt, Received: c.now, Severity: severity})
	case change == router.Expired:
		delete(acc.fires, id)
		c.heardOf(key, acc, slo.Expired{Alert: id, At: a.EndsAt, Received: c.now, Severity: severity})
	case acc.fires[id]:
		delete(acc.fires, id)
		c.heardOf(key, acc, slo.Resolved{Alert: id, EndsAt: a.EndsAt, Received: c.now, Severity: severity})
	default: // it is heard of when it is over already
		c.heardOf(key, acc, slo.Resolved{Alert: id, StartsAt: a.StartsAt, EndsAt: a.EndsAt, Received: c.now, Severity: severity})
	}
	return acc
}

// account is that of an SLO for some values; nil: there are too many.
func (c *Core) account(s *SLO, by string, labels map[string]string) *account {
	name := s.Objective.Name()
	key := accountKey(name, by)
	if a := c.ledger.accounts[key]; a != nil {
		return a
	}
	if len(c.ledger.accounts) >= maxAccounts {
		c.ledger.refused++
		return nil
	}
	a := &account{rule: s, name: name, by: by, labels: map[string]string{}, fires: map[string]bool{}}
	for _, l := range s.Objective.Spec().By {
		a.labels[l] = labels[l]
	}
	c.ledger.accounts[key] = a
	for _, k := range c.correctionsOf(name) {
		c.heardOf(key, a, k.input())
	}
	return a
}

// heardOf notes what an account is to take in before this call of the router is over.
func (c *Core) heardOf(key string, a *account, in slo.Input) {
	if len(a.heard) == 0 {
		c.ledger.stirred = append(c.ledger.stirred, key)
	}
	a.heard = append(a.heard, in)
}

// countStirred takes in what accounts heard, each in a unit of its own.
func (c *Core) countStirred() {
	stirred := c.ledger.stirred
	c.ledger.stirred = nil
	for _, key := range stirred {
		if a := c.ledger.accounts[key]; a != nil && len(a.heard) > 0 {
			c.unit()
			c.count(key, a)
		}
	}
}

// count steps a budget, does what follows, and keeps it.
func (c *Core) count(key string, a *account, more ...slo.Input) {
	in := append(a.heard, more...)
	a.heard, a.looked = nil, nil
	var effects []slo.Effect
	if len(in) == 1 {
		a.budget, effects = a.budget.Step(in[0], c.now, a.rule.Objective)
	} else {
		a.budget, effects = a.budget.Step(in, c.now, a.rule.Objective)
	}
	for _, e := range effects {
		c.breached(a, e)
	}
	if a.rule.Match == nil && len(effects) == 0 && c.now.Sub(a.kept) >= 0 && c.now.Sub(a.kept) < keepCounts {
		c.agenda.set("slo/"+key, a.budget.Due())
		return // minutes that are lost are asked for again
	}
	c.keepAccount(key, a)
}

func (c *Core) keepAccount(key string, a *account) {
	a.kept = c.now
	c.put(prefSLO+key, encode("slo", accountRecord{a.name, a.by, a.labels, a.budget, slices.Sorted(maps.Keys(a.fires))}))
	c.agenda.set("slo/"+key, a.budget.Due())
}

// counted takes in counts of an SLO that looks at no alerts.
func (c *Core) counted(in Counted) Answer {
	s := c.ledger.rules[in.SLO]
	if s == nil || s.Match != nil {
		return Answer{Err: refuse("not_found", "slo", "there is no SLO %q that counts", cut(in.SLO, maxName))}
	}
	if !splitBy(in.Labels, s.Objective.Spec().By) {
		// They were asked for before a reload that splits the SLO otherwise.
		return Answer{Err: refuse("invalid", "labels", "the counts are not split as the SLO %q is", cut(in.SLO, maxName))}
	}
	by := slo.Identity(in.Labels, s.Objective.Spec().By)
	a := c.account(s, by, in.Labels)
	if a == nil {
		return Answer{Err: refuse("invalid", "slo", "there are %d budgets, the most there can be", maxAccounts)}
	}
	for _, m := range in.Minutes {
		a.heard = append(a.heard, m)
	}
	c.count(accountKey(in.SLO, by), a)
	return Answer{}
}

// shiftSLOs moves what waits along with a wall clock that was set.
func (c *Core) shiftSLOs(by time.Duration) {
	for _, key := range slices.Sorted(maps.Keys(c.ledger.accounts)) {
		if a := c.ledger.accounts[key]; a.rule != nil {
			c.unit()
			c.count(key, a, slo.Shifted{By: by})
		}
	}
}

// hasSign says whether an incident of this identity has an alert of its own, which is in no table, see standIn.
func (l *live) hasSign(id incident.Identity) bool {
	return id.Heartbeat != "" || id.SLO != "" || id.Manual != ""
}
