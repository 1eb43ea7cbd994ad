package engine

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
}

// accountRecord is its stored form.
type accountRecord struct {
	SLO    string            `json:"slo"`
	By     string            `json:"by"`
	Labels map[string]string `json:"labels,omitempty"`
	Budget slo.Budget        `json:"budget"`
	Fires  []string          `json:"fires,omitempty"`
}

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

// useSLOs counts for those of the configuration, and for no others.
func (c *Core) useSLOs() {
	g := &c.ledger
	for _, key := range slices.Sorted(maps.Keys(g.accounts)) {
		a := g.accounts[key]
		a.rule = g.rules[a.name]
		if a.rule != nil {
			c.unit()
			c.count(key, a, slo.Reloaded{})
			continue
		}
		c.unit()
		for _, l := range c.breaches(a) {
			c.overNow(l, "the SLO is no longer in the configuration")
		}
		delete(g.accounts, key)
		c.put(prefSLO+key, nil)
		c.agenda.set("slo/"+key, zeroTime)
	}
	c.auditSLOs()
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
	a.heard = nil
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
	a.kept = c.now
	c.put(prefSLO+key, encode("slo", accountRecord{a.name, a.by, a.labels, a.budget, slices.Sorted(maps.Keys(a.fires))}))
	c.agenda.set("slo/"+key, a.budget.Due())
}

// breached translates what a budget says into what becomes of its incidents.
func (c *Core) breached(a *account, e slo.Effect) {
	switch e := e.(type) {
	case slo.Opened:
		c.breach(a, "", e.Verdict)
	case slo.Reopened:
		c.breach(a, "", e.Verdict)
	case slo.Crossed:
		c.breach(a, e.Threshold, e.Verdict)
	case slo.Raised:
		if l := c.breachOf(a, ""); l != nil {
			c.saySLO(l, incident.SLOBreached, e.Severity, e.Reason)
			c.become(l, incident.Worsened{Severity: e.Severity, Reason: e.Reason})
		}
	case slo.Lowered:
		if l := c.breachOf(a, ""); l != nil {
			c.become(l, incident.Eased{Severity: e.To, Reason: e.Reason})
		}
	case slo.Cleared:
		if l := c.breachOf(a, ""); l != nil {
			c.saySLO(l, incident.SLOCleared, "", e.Reason)
			c.overNow(l, e.Reason)
		}
	case slo.Rearmed:
		if l := c.breachOf(a, e.Threshold); l != nil {
			c.saySLO(l, incident.SLOCleared, "", e.Reason)
			c.overNow(l, e.Reason)
		}
	case slo.Annotated:
		for _, l := range c.breaches(a) {
			if l.incident.Open() {
				c.happened(incident.Event{Kind: incident.Note, Incident: l.incident.ID(), Text: e.Reason, Reason: "what was known changed"})
			}
		}
	case slo.Refused:
		c.ledger.refused++
		c.happened(incident.Event{Kind: incident.Note, Text: fmt.Sprintf("slo %s%s: %s was not taken in", a.name, shownBy(a.by), e.What), Reason: e.Reason})
	}
}

// breachOf is the live incident of an account; of a budget threshold, if one is named. Nil: there is none.
func (c *Core) breachOf(a *account, threshold string) *live {
	return c.live[c.identities[a.identity(threshold)]]
}

func (a *account) identity(threshold string) incident.Identity {
	return incident.Identity{SLO: a.name, By: a.by, Threshold: threshold}
}

// breaches are all live incidents of an account.
func (c *Core) breaches(a *account) (all []*live) {
	names := []string{""}
	if a.rule != nil {
		for _, t := range a.rule.Objective.Thresholds() {
			names = append(names, t.Name)
		}
	} else {
		names = append(names, a.budget.Crossed...)
	}
	for _, name := range names {
		if l := c.breachOf(a, name); l != nil {
			all = append(all, l)
		}
	}
	return all
}

// breach opens the incident of a breach, or brings it back.
func (c *Core) breach(a *account, threshold string, v slo.Verdict) {
	title := a.name + shownBy(a.by) + ": the error budget burns too fast"
	if threshold != "" {
		title = fmt.Sprintf("%s%s: %s of the error budget is gone", a.name, shownBy(a.by), percent(v.Consumed))
	}
	labels := map[string]string{"alertname": alertBurn, labelSLO: a.name, "severity": v.Severity}
	if service := a.rule.Objective.Spec().Service; service != "" {
		labels["service"] = service
	}
	if threshold != "" {
		labels["threshold"] = threshold
	}
	maps.Copy(labels, a.labels)
	annotations := map[string]string{"summary": title, "description": v.Reason}
	if burn := budgetLeft(v); burn != "" {
		annotations["budget"] = burn
	}
	maps.Copy(annotations, a.rule.Annotations)
	id := a.identity(threshold)
	l := c.live[c.identities[id]]
	number := c.last + 1
	if l != nil && !l.incident.Open() {
		number = l.incident.Number
	}
	c.happened(incident.Event{
		Kind: incident.SLOBreached, Incident: incident.ID(number), Severity: v.Severity, Text: orElse(v.Threshold, threshold), Reason: v.Reason,
	})
	behind := c.behind(a)
	switch {
	case l != nil && !l.incident.Open():
		l.moved = 0
		l.standIn(true)
		c.adopt(l, behind)
		c.become(l, incident.Back{Severity: v.Severity, Reason: v.Reason})
	case l == nil:
		c.last++
		l = newLive()
		in := incident.Begun{
			Number: c.last, Identity: id, Title: shortened(title, maxTitle), Severity: v.Severity, Policy: a.rule.Policy, Labels: labels,
			Annotations: annotations, AutoResolve: true, Reason: v.Reason,
		}
		c.live[c.last], c.identities[id] = l, c.last
		l.incident.Number, l.incident.Labels = c.last, labels
		l.standIn(true)
		c.adopt(l, behind)
		c.become(l, in)
	}
	c.weigh(l)
}

// behind are the alerts that make the time bad now.
func (c *Core) behind(a *account) (alerts []*router.Alert) {
	if a.rule.Match == nil {
		return nil
	}
	for alert := range c.router.Alerts().All() {
		if !alert.Ended && a.fires[alertID(alert)] && len(alerts) < maxAlertsBehind {
			alerts = append(alerts, alert)
		}
	}
	slices.SortFunc(alerts, func(x, y *router.Alert) int {
		return cmp.Or(x.StartsAt.Compare(y.StartsAt), cmp.Compare(x.Labels.String(), y.Labels.String()))
	})
	return alerts
}

func (c *Core) saySLO(l *live, kind, severity, reason string) {
	c.happened(incident.Event{Kind: kind, Incident: l.incident.ID(), Severity: severity, Reason: reason})
}

// overNow ends an incident whose source says that it is over.
func (c *Core) overNow(l *live, reason string) {
	l.standIn(false)
	c.become(l, incident.Cleared{Reason: reason})
	if !l.incident.Open() {
		c.allClear(l) // it was resolved by hand before, and its channels have waited for this
	}
}

// resolvedByHand lets the budget know that a person resolved its incident.
func (c *Core) resolvedByHand(l *live) {
	id := l.incident.Identity
	if id.SLO == "" || id.Threshold != "" {
		return
	}
	key := accountKey(id.SLO, id.By)
	if a := c.ledger.accounts[key]; a != nil {
		c.count(key, a, slo.ResolvedByHand{})
	}
}

// shownBy is how texts name the values of an account: " (cluster="eu")"; empty: there are none.
func shownBy(by string) string {
	if by == "{}" || by == "" {
		return ""
	}
	return " (" + strings.Trim(by, "{}") + ")"
}

func percent(share float64) string { return fmt.Sprintf("%.4g%%", share*100) }

func budgetLeft(v slo.Verdict) string {
	if v.Long.Window == 0 {
		return ""
	}
	return fmt.Sprintf("%s consumed; burn %.4g over %s", percent(v.Consumed), v.Long.Burn, slo.Short(v.Long.Window))
}

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

// counted takes in counts of an SLO that looks at no alerts.
func (c *Core) counted(in Counted) Answer {
	s := c.ledger.rules[in.SLO]
	if s == nil || s.Match != nil {
		return Answer{Err: refuse("not_found", "slo", "there is no SLO %q that counts", cut(in.SLO, maxName))}
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

// restoreSLOs reads accounts and corrections. Those that the configuration no longer has go with its use.
func (r *restorer) restoreSLOs() error {
	if err := r.scan(prefCorrection, func(_ string, value []byte) error {
		var k Correction
		err := decode("correction", value, &k)
		if err == nil {
			r.c.ledger.corrections[k.Number] = k
			r.c.ledger.last = max(r.c.ledger.last, k.Number)
		}
		return err
	}); err != nil {
		return err
	}
	return r.scan(prefSLO, func(key string, value []byte) error {
		var rec accountRecord
		err := decode("slo", value, &rec)
		if err == nil && accountKey(rec.SLO, rec.By) != key {
			err = fmt.Errorf("it is that of %s%s", rec.SLO, rec.By)
		}
		if err != nil {
			return err
		}
		a := &account{name: rec.SLO, by: rec.By, labels: rec.Labels, budget: rec.Budget, fires: map[string]bool{}}
		for _, id := range rec.Fires {
			a.fires[id] = true
		}
		r.c.ledger.accounts[key] = a
		return nil
	})
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

// An SLOView is one budget of an SLO as it stands.
type SLOView struct {
	Rule      SLO
	By        string            // names the values; "{}": there are none
	Labels    map[string]string // the values
	Budget    slo.Budget
	Now       time.Time
	Incidents []string // open ones
}

// SLOs are all budgets, by the names of their SLOs. One of an SLO that has heard of no alert yet is there all the same, if
// it is not split.
func (e *Engine) SLOs() (views []SLOView) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.core.SLOs(e.now().Wall)
}

// SLOs is Engine.SLOs, for whoever drives the Core.
func (c *Core) SLOs(now time.Time) (views []SLOView) {
	g := &c.ledger
	heard := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(g.accounts)) {
		a := g.accounts[key]
		if a.rule == nil {
			continue
		}
		v := SLOView{Rule: *a.rule, By: a.by, Labels: a.labels, Budget: a.budget, Now: now}
		for _, l := range c.breaches(a) {
			if l.incident.Open() {
				v.Incidents = append(v.Incidents, l.incident.ID())
			}
		}
		heard[a.name] = true
		views = append(views, v)
	}
	for _, name := range slices.Sorted(maps.Keys(g.rules)) {
		if s := g.rules[name]; !heard[name] && len(s.Objective.Spec().By) == 0 && s.Read == nil {
			views = append(views, SLOView{Rule: *s, By: "{}", Now: now})
		}
	}
	slices.SortStableFunc(views, func(a, b SLOView) int { return cmp.Compare(a.Rule.Objective.Name(), b.Rule.Objective.Name()) })
	return views
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
