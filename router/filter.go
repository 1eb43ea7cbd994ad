package router

import (
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
)

// A Filter asks for labels as Alertmanager's API does: with all its matchers, of which foo="" is true of what has no foo,
// and foo!="" of what has one. A nil Filter is true of everything.
type Filter struct{ conds []condition }

// ParseFilter reads a Filter, one matcher in each text, by the process's matcher mode. origin says in the log where they
// come from. No texts are a nil Filter.
func ParseFilter(texts []string, origin string) (*Filter, error) {
	if len(texts) == 0 {
		return nil, nil //nolint:nilnil // which is one that is true of everything
	}
	f := &Filter{}
	for _, text := range texts {
		m, err := compat.Matcher(text, origin)
		if err != nil {
			return nil, err
		}
		f.conds = append(f.conds, newCondition(m))
	}
	return f, nil
}

// Matches reports whether the filter is true of labels that may be empty; value looks one up, and says whether it is
// there.
func (f *Filter) Matches(value func(name string) (string, bool)) bool {
	if f == nil {
		return true
	}
	for i := range f.conds {
		c := &f.conds[i]
		v, present := value(c.Name)
		negative := c.Type == labels.MatchNotEqual || c.Type == labels.MatchNotRegexp
		if c.Value == "" && present == negative {
			continue
		}
		if !c.holds(v) {
			return false
		}
	}
	return true
}

// meets is Matches of an alert's labels, none of which is empty: an empty value is an absent label.
func (f *Filter) meets(p packed) bool { return f == nil || p.meets(f.conds) }
