package router

import (
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
)

// A node is a route with its groups, and with the routes below it.
type node struct {
	route   *dispatch.Route
	id, key string // Route.ID and Route.Key
	labels  Labels
	groups  map[string]*group // by the key of their labels

	by    []string // Route.RouteOpts.GroupBy, sorted
	conds []condition
	below []*node
	sieve sieve // of the conditions of those below
}

// plant makes the nodes of the routing tree, and shows each to visit, a parent before those below it.
func plant(route *dispatch.Route, visit func(*node)) *node {
	said := route.Matchers.String()
	return grow(route, said, said, visit)
}

func grow(route *dispatch.Route, id, key string, visit func(*node)) *node {
	n := &node{
		route:  route,
		id:     id,
		key:    key,
		labels: LabelsOf(route.RouteOpts.Labels),
		groups: map[string]*group{},
		conds:  conditionsOf(route.Matchers),
	}
	for name := range route.RouteOpts.GroupBy {
		n.by = append(n.by, string(name))
	}
	slices.Sort(n.by)
	visit(n)
	var sets [][]condition
	for i, r := range route.Routes {
		said := "/" + r.Matchers.String()
		child := grow(r, id+said+"/"+strconv.Itoa(i), key+said, visit)
		n.below = append(n.below, child)
		sets = append(sets, child.conds)
	}
	n.sieve = newSieve(sets)
	return n
}

// match appends the routes of an alert with these labels, in the order of the file. It is dispatch.Route.Match, but does not
// try every route: thousands below one, each for a team or service of its own, cost what a few do.
func (n *node) match(l Labels, to []*node) []*node {
	if !holdAll(n.conds, l) {
		return to
	}
	return n.descend(l, to)
}

// descend is match for a node whose own conditions hold.
func (n *node) descend(l Labels, to []*node) []*node {
	found := len(to)
	if len(n.below) > 0 {
		var room [fewDoors][]int
		for lists := n.sieve.open(l, room[:0]); len(lists) > 0; {
			var i int
			i, lists = next(lists)
			child := n.below[i]
			if !holdAll(child.conds, l) {
				continue
			}
			if to = child.descend(l, to); !child.route.Continue {
				break
			}
		}
	}
	if len(to) == found {
		to = append(to, n)
	}
	return to
}

// groupLabels appends those of the labels by which the route groups.
func (n *node) groupLabels(to, l Labels) Labels {
	if n.route.RouteOpts.GroupByAll {
		return append(to, l...)
	}
	for _, name := range n.by {
		if value, there := l.lookup(name); there {
			to = append(to, Label{name, value})
		}
	}
	return to
}

// A condition is a Matcher at work. Patterns that list values are compared with each; and most values do not begin as another
// pattern wants, and need not be put to it.
type condition struct {
	*labels.Matcher
	values    []string // those that a pattern matches, where they are few; nil: it is not known
	beginning string   // what every value begins with that a pattern matches
}

// mostValues is how many values a pattern lists at most. Past it, to compare with each is no faster than the pattern.
const mostValues = 64

func newCondition(m *labels.Matcher) condition {
	c := condition{Matcher: m}
	if m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp {
		c.values, c.beginning = listed(m.Value), beginning(m.Value)
	}
	return c
}

func conditionsOf(ms labels.Matchers) []condition {
	conds := make([]condition, len(ms))
	for i, m := range ms {
		conds[i] = newCondition(m)
	}
	return conds
}

// holds is Matcher.Matches.
func (c *condition) holds(value string) bool {
	switch c.Type {
	case labels.MatchEqual:
		return value == c.Value
	case labels.MatchNotEqual:
		return value != c.Value
	}
	matches := c.Type == labels.MatchRegexp
	switch {
	case c.values != nil:
		return slices.Contains(c.values, value) == matches
	case !strings.HasPrefix(value, c.beginning):
		return !matches
	}
	return c.Matches(value)
}

// wants are the values of which the label must have one, where they are few; nil: any other may do. An empty value is that of
// an absent label.
func (c *condition) wants() []string {
	switch c.Type {
	case labels.MatchEqual:
		return []string{c.Value}
	case labels.MatchRegexp:
		return c.values
	}
	return nil
}

func holdAll(conds []condition, l Labels) bool {
	for i := range conds {
		if c := &conds[i]; !c.holds(l.Get(c.Name)) {
			return false
		}
	}
	return true
}

// listed are the values that the pattern matches, if they are few and it does nothing but list them; else nil.
func listed(pattern string) []string {
	re, err := syntax.Parse("^(?:"+pattern+")$", syntax.Perl) // as labels.NewMatcher anchors it
	if err != nil || re.Op != syntax.OpConcat {
		return nil
	}
	last := len(re.Sub) - 1
	if re.Sub[0].Op != syntax.OpBeginText || re.Sub[last].Op != syntax.OpEndText {
		return nil
	}
	values := expand(re.Sub[1:last])
	slices.Sort(values)
	return slices.Compact(values)
}

// expand lists what the patterns match one after the other; nil: it is too much, or cannot be listed.
func expand(all []*syntax.Regexp) []string {
	values := []string{""}
	for _, re := range all {
		next := alternatives(re)
		if len(next) == 0 || len(values)*len(next) > mostValues {
			return nil
		}
		joined := make([]string, 0, len(values)*len(next))
		for _, head := range values {
			for _, tail := range next {
				joined = append(joined, head+tail)
			}
		}
		values = joined
	}
	return values
}

func alternatives(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}
	case syntax.OpLiteral:
		// A pattern takes bytes that are not UTF-8 for the replacement character, a comparison does not.
		if re.Flags&syntax.FoldCase != 0 || slices.Contains(re.Rune, utf8.RuneError) {
			return nil
		}
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		var values []string
		for i := 0; i < len(re.Rune); i += 2 {
			from, to := re.Rune[i], re.Rune[i+1]
			if int(to-from) >= mostValues || from <= utf8.RuneError && utf8.RuneError <= to {
				return nil
			}
			for r := from; r <= to; r++ {
				values = append(values, string(r))
			}
		}
		return values
	case syntax.OpCapture, syntax.OpConcat:
		return expand(re.Sub)
	case syntax.OpQuest:
		if values := expand(re.Sub); values != nil {
			return append(values, "")
		}
	case syntax.OpAlternate:
		var values []string
		for _, sub := range re.Sub {
			more := alternatives(sub)
			if len(more) == 0 || len(values)+len(more) > mostValues {
				return nil
			}
			values = append(values, more...)
		}
		return values
	}
	return nil
}

// A choice is sets of conditions, of which all are asked for that hold.
type choice struct {
	sets  [][]condition
	sieve sieve
}

func newChoice(sets [][]condition) choice { return choice{sets, newSieve(sets)} }

// match appends the numbers of the sets that hold for the labels, ascending.
func (c *choice) match(to []int, l Labels) []int {
	var room [fewDoors][]int
	for lists := c.sieve.open(l, room[:0]); len(lists) > 0; {
		var i int
		if i, lists = next(lists); holdAll(c.sets[i], l) {
			to = append(to, i)
		}
	}
	return to
}

// A sieve finds, of many sets of conditions, those that labels may meet. Each set lies behind the value of one label that it
// wants; sets that want none are always among those that are found.
type sieve struct {
	doors  []door
	rest   []int
	named  map[string]int // doors by their names; nil while there are few
	absent []int          // doors behind which something lies for an absent label; nil while there are few doors
}

// fewDoors are tried one after the other; of more, those that an alert's labels name.
const fewDoors = 8

// A door is the sets that lie behind the values of one label. An empty value is an absent label.
type door struct {
	name   string
	behind map[string][]int // ascending
}

// newSieve gives every set the door behind which the fewest others may lie.
func newSieve(sets [][]condition) sieve {
	crowds, users := map[pair]int{}, map[string]int{}
	for _, set := range sets {
		for i := range set {
			wants := set[i].wants()
			for _, value := range wants {
				crowds[pair{set[i].Name, value}]++
			}
			if len(wants) > 0 {
				users[set[i].Name]++
			}
		}
	}
	var s sieve
	at := map[string]int{} // of doors
	for n, set := range sets {
		var best *condition
		var least int
		for i := range set {
			c := &set[i]
			wants := c.wants()
			if len(wants) == 0 {
				continue
			}
			crowd := 0
			for _, value := range wants {
				if value == "" { // most alerts lack most labels
					crowd += len(sets)
				}
				crowd = max(crowd, crowds[pair{c.Name, value}])
			}
			// Of two that are as good, the one by which more sets can be found: the fewer doors the better.
			if best == nil || crowd < least || crowd == least && users[c.Name] > users[best.Name] {
				best, least = c, crowd
			}
		}
		if best == nil {
			s.rest = append(s.rest, n)
			continue
		}
		d, known := at[best.Name]
		if !known {
			d = len(s.doors)
			at[best.Name] = d
			s.doors = append(s.doors, door{best.Name, map[string][]int{}})
		}
		for _, value := range best.wants() {
			s.doors[d].behind[value] = append(s.doors[d].behind[value], n)
		}
	}
	if len(s.doors) > fewDoors {
		s.named = at
		for i, d := range s.doors {
			if len(d.behind[""]) > 0 {
				s.absent = append(s.absent, i)
			}
		}
	}
	return s
}

// open appends to lists what lies behind the doors that the labels open.
func (s *sieve) open(l Labels, lists [][]int) [][]int {
	lists = with(lists, s.rest)
	if s.named == nil {
		for i := range s.doors {
			lists = with(lists, s.doors[i].behind[l.Get(s.doors[i].name)])
		}
		return lists
	}
	for _, p := range l {
		if i, known := s.named[p.Name]; known {
			lists = with(lists, s.doors[i].behind[p.Value])
		}
	}
	for _, i := range s.absent {
		if _, there := l.lookup(s.doors[i].name); !there {
			lists = with(lists, s.doors[i].behind[""])
		}
	}
	return lists
}

func with(lists [][]int, list []int) [][]int {
	if len(list) == 0 {
		return lists
	}
	return append(lists, list)
}

// next takes the least number from the lists, which are ascending and not empty, and have none in common.
func next(lists [][]int) (least int, rest [][]int) {
	first := 0
	for i := 1; i < len(lists); i++ {
		if lists[i][0] < lists[first][0] {
			first = i
		}
	}
	list := lists[first]
	if len(list) > 1 {
		lists[first] = list[1:]
	} else {
		last := len(lists) - 1
		lists[first] = lists[last]
		lists = lists[:last]
	}
	return list[0], lists
}
