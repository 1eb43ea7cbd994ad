package engine

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/midwatch/midwatch/slo"
)

// A look is what became of a budget that looked at its SLO anew.
type look struct {
	budget  slo.Budget
	effects []slo.Effect
}

func (a *account) look(rule *SLO, now time.Time) *look {
	l := &look{}
	l.budget, l.effects = a.budget.Step(slo.Reloaded{}, now, rule.Objective)
	return l
}

// quiet says whether nothing came of it that must be written: time has passed, and what no window holds any more is
// forgotten. Both come about again whenever the budget is read.
func (l *look) quiet(was slo.Budget) bool {
	return len(l.effects) == 0 && slices.Equal(was.Crossed, l.budget.Crossed) && reflect.DeepEqual(was.Breach, l.budget.Breach)
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
	return r.restoreAccounts()
}

// restoreAccounts reads accounts as many at a time as there are processors: those of a large house are most of a start.
// Where the SLO is still there the budget looks at it at once, for that is as much work again; useSLOs does what follows.
func (r *restorer) restoreAccounts() error {
	type record struct {
		key   string
		value []byte
		into  *account
		err   error
	}
	var all []*record
	queue := make(chan *record, 64)
	var readers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		readers.Go(func() {
			for rec := range queue {
				rec.into, rec.err = r.c.readAccount(rec.key, rec.value)
				rec.value = nil
			}
		})
	}
	err := r.scan(prefSLO, func(key string, value []byte) error {
		rec := &record{key: key, value: value}
		all = append(all, rec)
		queue <- rec
		return nil
	})
	close(queue)
	readers.Wait()
	for _, rec := range all {
		if rec.err != nil {
			r.problem(prefSLO+rec.key, rec.err)
			continue
		}
		r.c.ledger.accounts[rec.key] = rec.into
	}
	return err
}

// readAccount reads one, and changes nothing: several may be read at once.
func (c *Core) readAccount(key string, value []byte) (*account, error) {
	var rec accountRecord
	if err := decode("slo", value, &rec); err != nil {
		return nil, err
	}
	if accountKey(rec.SLO, rec.By) != key {
		return nil, fmt.Errorf("it is that of %s%s", rec.SLO, rec.By)
	}
	a := &account{name: rec.SLO, by: rec.By, labels: rec.Labels, budget: rec.Budget, fires: make(map[string]bool, len(rec.Fires))}
	for _, id := range rec.Fires {
		a.fires[id] = true
	}
	if rule := c.ledger.rules[a.name]; rule != nil {
		a.looked = a.look(rule, c.now)
	}
	return a, nil
}
