package config

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/oncall"
)

// A pendingMethod waits for Alertmanager's loader.
type pendingMethod struct {
	file        string
	user, name  string
	index       int // in the user's Methods
	integration string
	where       string
	body        *yaml.Node // what Alertmanager's loader reads; of one of ours its http_config, or nil
	at          *yaml.Node // where it is in the file
	shorthand   bool       // made of `email:`
	secrets     []string   // of ours; no fault may show them

	own  notify.Own                   // one of ours
	http **commoncfg.HTTPClientConfig // where its http_config belongs

	signing []notify.Secret
	apiURL  string
	set     map[string]bool
}

// path is where Alertmanager's config has what the loader reads.
func (m pendingMethod) path() []string {
	if m.own != nil {
		return []string{"global", "http_config"}
	}
	return []string{"receivers", m.integration + "_configs"}
}

// users reads the section (SPEC §3).
func (l *loader) users() {
	l.silent = map[string]place{}
	l.each("users", &l.user, func(o object, name string) {
		if name == oncall.Nobody {
			o.fault(o.get("name"), "nobody is not a user: in a rotation it means an intended gap", "choose another name")
			return
		}
		l.cfg.UserOrder = append(l.cfg.UserOrder, name)
		u := User{Name: name, FullName: o.text("full_name"), Email: o.text("email"), TimeZone: o.text("time_zone")}
		l.aliases(o, &u)
		l.chatIDs(o, &u)
		u.Unavailable, u.entries = l.readUnavailable(o, u)
		given := l.readMethods(o, &u)
		l.noticeMethods(o, &u)
		if len(given) == 0 {
			l.silent[name] = l.place(o.get("name"))
		}
		rules := o.sub("notification_rules")
		u.High = readRules(rules, "high", given)
		u.Low = readRules(rules, "low", given)
		l.cfg.Users[name] = u
	})
	l.loadMethods()
}

// readUnavailable reads when a user cannot be on call, in local times of their zone.
func (l *loader) readUnavailable(o object, u User) (absences []oncall.Absence, entries []int) {
	where := location(u.TimeZone)
	if where == nil {
		where = time.UTC
	}
	for i, item := range o.items("unavailable") {
		if item.get("calendar") != nil {
			if item.get("from") != nil || item.get("to") != nil || item.get("reason") != nil {
				item.fault(item.node, "has a calendar, and from, to or reason", "make two entries")
			}
			for _, a := range l.absencesFrom(item, u) {
				absences, entries = append(absences, a), append(entries, i)
			}
			continue
		}
		for _, key := range []string{"from", "to"} {
			if lookup(item.node, key) == nil {
				item.fault(item.node, "has no "+key, "add "+key+": "+wallTime.what+" or calendar: the name of a shared calendar")
			}
		}
		from, to := civil(item.text("from")), civil(item.text("to"))
		if from == 0 || to == 0 {
			continue // the checker said why
		}
		if to <= from {
			item.fault(item.here("to"), fmt.Sprintf("ends at %s, not after it starts at %s", to, from), "write a later time")
			continue
		}
		absences = append(absences, oncall.Absence{Start: from.First(where), End: to.Last(where), Reason: item.text("reason")})
		entries = append(entries, i)
	}
	return absences, entries
}

// readMethods collects a user's contact methods in the order of the file, and the names of all that were given,
// those with faults included.
func (l *loader) readMethods(o object, u *User) (given []string) {
	type found struct {
		at     position
		name   string
		method pendingMethod
	}
	var all []found
	table := o.sub("contact_methods")
	if table.node != nil && table.node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(table.node.Content); i += 2 {
			key, value := table.node.Content[i], table.node.Content[i+1]
			where := methodForm.in(table.where, key.Value)
			m := pendingMethod{file: l.file, user: u.Name, name: key.Value, where: where}
			l.readMethod(object{l, value, methodForm, where, o.ok}, &m)
			all = append(all, found{at(key), key.Value, m})
		}
	}
	if email := keyNode(o.node, "email"); email != nil && u.Email != "" && lookup(table.node, "email") == nil {
		to := o.get("email")
		body := &yaml.Node{
			Kind: yaml.MappingNode, Line: to.Line, Column: to.Column,
			Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "to", Line: to.Line, Column: to.Column}, to},
		}
		m := pendingMethod{file: l.file, user: u.Name, name: "email", where: join(o.where, "email"), integration: "email", body: body, at: body, set: keysSet(body), shorthand: true}
		all = append(all, found{at(email), "email", m})
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].at.before(all[j].at) })
	for _, one := range all {
		if slices.Contains(given, one.name) {
			continue
		}
		given = append(given, one.name)
		m := one.method
		if m.integration == "" {
			continue // the checker said why
		}
		one.method.index = len(u.Methods)
		u.Methods = append(u.Methods, Method{
			Name: one.name, Integration: m.integration, Own: m.own, Signing: m.signing, APIURL: m.apiURL, Set: m.set,
		})
		l.methods = append(l.methods, one.method)
	}
	return given
}

// readMethod reads one contact method. Without an integration it is not usable, and the checker said why.
func (l *loader) readMethod(o object, m *pendingMethod) {
	if o.node.Kind != yaml.MappingNode {
		return
	}
	integration := ""
	for i := 0; i+1 < len(o.node.Content); i += 2 {
		if key := o.node.Content[i].Value; methodForm.beside[key] == "" {
			if integration != "" {
				return
			}
			integration, m.body = key, o.node.Content[i+1]
		}
	}
	if integration == "" {
		return
	}
	m.integration = integration
	if isNull(m.body) {
		m.body = &yaml.Node{Kind: yaml.MappingNode, Line: m.body.Line, Column: m.body.Column}
	}
	m.at, m.set = m.body, keysSet(m.body)
	m.signing, m.apiURL, m.secrets = o.signing(), o.text(keyAPIURL), ownSecrets(o.node)
	own, ok := ownMethods[integration]
	if ok && m.body.Kind != yaml.MappingNode {
		m.integration = "" // the checker said why
		return
	}
	if ok {
		body := object{l, m.body, own.form, join(o.where, integration), o.ok}
		m.own, m.http = own.read(body)
		m.body = body.get("http_config")
		if m.body != nil {
			m.at = m.body
		}
	}
}

// keysSet are the keys of a contact method's body, nested mappings' with dots.
func keysSet(body *yaml.Node) map[string]bool {
	set := map[string]bool{}
	var walk func(n *yaml.Node, prefix string)
	walk = func(n *yaml.Node, prefix string) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			set[prefix+n.Content[i].Value] = true
			walk(n.Content[i+1], prefix+n.Content[i].Value+".")
		}
	}
	walk(body, "")
	return set
}

// readRules reads one list of rules; absent, it is every method at once.
func readRules(o object, key string, methods []string) []escalation.Rule {
	if o.node == nil || lookup(o.node, key) == nil {
		if len(methods) == 0 {
			return nil
		}
		return []escalation.Rule{{Via: slices.Clone(methods)}}
	}
	known := &names{list: methods, at: map[string]place{}}
	for _, m := range methods {
		known.at[m] = place{}
	}
	var rules []escalation.Rule
	for _, item := range o.items(key) {
		r := escalation.Rule{After: item.duration("after", 0)}
		for _, via := range item.texts("via") {
			if !item.refer(via, "contact method", known) {
				continue
			}
			if slices.Contains(r.Via, via.Value) {
				item.fault(via, fmt.Sprintf("names contact method %q twice", via.Value), "remove one")
				continue
			}
			r.Via = append(r.Via, via.Value)
		}
		rules = append(rules, r)
	}
	return rules
}

// paged notes that somebody may be paged: without a contact method that is an error (SPEC §3).
func (l *loader) paged(user, where string) {
	p, silent := l.silent[user]
	if !silent {
		return
	}
	delete(l.silent, user) // said once
	l.faults = append(l.faults, Fault{
		File: p.file, Line: p.at.line, Column: p.at.column,
		Message: fmt.Sprintf("user %q has no contact method, but %s pages them", user, where),
		Hint:    "add email or contact_methods, or take the user out there",
	})
}

// loadMethods has Alertmanager's loader read all contact methods at once, and if it refuses, one by one.
func (l *loader) loadMethods() {
	var e emitter
	var loaded []pendingMethod
	sound := l.startMethods(&e)
	for _, m := range l.methods {
		if m.own != nil || slices.Contains(integrations, m.integration) {
			loaded = append(loaded, m)
		}
	}
	if len(loaded) == 0 {
		return
	}
	if sound {
		for _, m := range loaded {
			m.emit(&e)
		}
		e.write("]", nil, nil)
		if cfg, err := loadSafely(e.text(), func(c *amconfig.Config) { resolveOnce(l.opts.Dir, c) }); err == nil {
			for i, m := range loaded {
				if m.own != nil {
					*m.http = cfg.Receivers[i+1].WebhookConfigs[0].HTTPConfig
					continue
				}
				l.cfg.Users[m.user].Methods[m.index].Receiver = cfg.Receivers[i+1]
			}
			return
		}
	}
	for _, m := range loaded {
		l.refused(m, sound)
	}
}

const methodRoute = "route: {receiver: " + stubName + "}"

// startMethods writes the head of a config of contact methods, and says whether the file's global can be used.
func (l *loader) startMethods(e *emitter) (sound bool) {
	if l.global != nil {
		p := &prober{l: l}
		if sound = p.try(nil, l.global, pair{plain("global"), l.global}); sound {
			e.node("global: ", nil, l.global, "")
		}
	} else {
		sound = true
	}
	e.write(methodRoute, nil, nil)
	e.write("receivers: [{name: "+stubName+"},", nil, nil)
	return sound
}

// emit writes the receiver of a method. A slash is in neither name, so together they are unique. One of ours is a webhook to
// Alertmanager's loader, which so reads its http_config, or gives it that of global.
func (m pendingMethod) emit(e *emitter) {
	e.write(fmt.Sprintf(" {name: %q,", "midwatch/"+m.user+"/"+m.name), nil, nil)
	switch {
	case m.own != nil && m.body != nil:
		e.node(" webhook_configs: [{url: 'http://midwatch.invalid/', http_config: ", nil, m.body, "}]},")
		return
	case m.own != nil:
		e.write(" webhook_configs: [{url: 'http://midwatch.invalid/'}]},", nil, nil)
		return
	}
	e.node(" "+m.integration+"_configs: [", nil, m.body, "]},")
}

// refused says what the loader has against one method.
func (l *loader) refused(m pendingMethod, sound bool) {
	l.file = m.file
	defer func() { l.file = l.opts.File }()
	var e emitter
	l.startMethods(&e)
	m.emit(&e)
	e.write("]", nil, nil)
	_, err := loadSafely(e.text(), func(*amconfig.Config) {})
	if err == nil {
		return
	}
	var found Faults
	for _, c := range splitError(err) {
		f := Fault{File: l.file, Line: m.at.Line, Column: m.at.Column, Message: join(m.where, c.text), Hint: m.hint(c)}
		if n := e.place(c); n != nil && n.Line > 0 {
			f.Line, f.Column = n.Line, n.Column
		}
		if sound || keyRE.MatchString(c.text) || strings.HasPrefix(c.text, "cannot unmarshal") {
			found = append(found, f)
		}
	}
	l.faults = append(l.faults, found...)
}

func (m pendingMethod) hint(c loadError) string {
	key := c.keyOf()
	switch {
	case key != "" && strings.Contains(c.text, "not found"):
		return didYouMean(key, upstreamKeys(m.path()))
	case strings.HasPrefix(c.text, "no global SMTP") && m.shorthand:
		return "email is a contact method: set smtp_smarthost and smtp_from in global, or remove it"
	case strings.HasPrefix(c.text, "no global"):
		return "set it in the contact method or in global"
	}
	return ""
}
