package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// OpenSLO documents are written anew as entries of our section slos, each value at its own place in its file, and read as
// those are: so whatever is wrong with one is said with the same words, at the right line.

// Limits of OpenSLO documents.
const (
	maxDocuments    = 10_000 // of one file
	longToShort     = 12     // a burn rate's short window is this part of its long one, as 1h and 5m, 6h and 30m
	annotationStart = "midwatch/"
)

// openVersion is the only one that is read. v1alpha names the same things otherwise, v2alpha is not settled.
const openVersion = "openslo/v1"

// The kinds of OpenSLO.
const (
	kindSLO       = "SLO"
	kindSLI       = "SLI"
	kindPolicy    = "AlertPolicy"
	kindCondition = "AlertCondition"
	kindTarget    = "AlertNotificationTarget"
	kindService   = "Service"
	kindSource    = "DataSource"
)

var (
	anything = &form{opaque: true}

	openMetadata = mapping("metadata",
		need("name", single("", name)),
		may("displayName", single("", text)),
		may("labels", anything),
		may("annotations", &form{table: single("", text), keys: text}))

	openMetric = mapping("metric", need("metricSource", mapping("metric source",
		may("metricSourceRef", single("", text)),
		may("type", single("", text)),
		need("spec", anything))))

	openSLI = mapping("indicator",
		may("description", single("", text)),
		may("thresholdMetric", anything),
		may("ratioMetric", mapping("ratio metric",
			may("counter", single("", boolean)),
			may("good", openMetric), may("bad", openMetric), may("total", openMetric),
			may("rawType", anything), may("raw", anything))))

	openCondition = mapping("alert condition",
		may("description", single("", text)),
		need("severity", single("", text)),
		need("condition", mapping("condition",
			may("kind", single("", words("burnrate"))),
			may("op", single("", words("lte", "gte", "lt", "gt"))),
			need("threshold", single("", decimalNumber)),
			need("lookbackWindow", single("", duration)),
			may("alertAfter", single("", duration)))))

	openPolicy = mapping("alert policy",
		may("description", single("", text)),
		may("alertWhenNoData", single("", boolean)),
		may("alertWhenResolved", single("", boolean)),
		may("alertWhenBreaching", single("", boolean)),
		need("conditions", atLeastOne("", "{conditionRef: fast-burn}", mapping("condition",
			may("conditionRef", single("", text)),
			may("apiVersion", single("", text)), may("kind", single("", words(kindCondition))), may("metadata", openMetadata), may("spec", openCondition)))),
		may("notificationTargets", anything))

	openForms = map[string]*form{
		kindSLO: mapping("SLO",
			may("description", single("", text)),
			may("service", single("", text)),
			may("indicatorRef", single("", text)),
			may("indicator", mapping("indicator", may("metadata", openMetadata), need("spec", openSLI))),
			may("timeWindow", listOf("", mapping("time window",
				need("duration", single("", text)), may("isRolling", single("", boolean)), may("calendar", anything)))),
			need("budgetingMethod", single("", words("Occurrences", "Timeslices", "RatioTimeslices"))),
			need("objectives", atLeastOne("", "{target: 0.999}", mapping("objective",
				may("displayName", single("", text)), may("op", anything), may("value", anything),
				may("target", single("", text)), may("targetPercent", single("", decimalNumber)),
				may("timeSliceTarget", anything), may("timeSliceWindow", anything),
				may("indicator", anything), may("indicatorRef", anything), may("compositeWeight", anything)))),
			may("alertPolicies", listOf("", &form{
				noun: "alert policy", scalar: text, fields: []field{
					may("alertPolicyRef", single("", text)),
					may("apiVersion", single("", text)), may("kind", single("", words(kindPolicy))), may("metadata", openMetadata), may("spec", openPolicy),
				},
			}))),
		kindSLI:       openSLI,
		kindPolicy:    openPolicy,
		kindCondition: openCondition,
		kindTarget:    anything,
		kindService:   mapping("service", may("description", single("", text))),
		kindSource: mapping("data source",
			may("description", single("", text)),
			need("type", single("", text)),
			need("connectionDetails", anything)),
	}

	openAnnotations = []string{"escalation-policy", "by", "clear-for", "reopen-window", "runbook-url"}
)

// openDocument is the form of a document of some kind.
func openDocument(kind string) *form {
	return mapping(kind,
		need("apiVersion", single("", text)),
		need("kind", single("", text)),
		need("metadata", openMetadata),
		need("spec", openForms[kind]))
}

// An openObject is one document.
type openObject struct {
	object
	file string
	kind string
}

func (o openObject) annotation(key string) *yaml.Node {
	return lookup(lookup(lookup(o.node, "metadata"), "annotations"), annotationStart+key)
}

// An openReader reads documents, which may refer to each other in any order and across files.
type openReader struct {
	*loader
	objects []openObject
	names   map[string]*names                // by kind
	byName  map[string]map[string]openObject // by kind
}

// sloFiles reads the section.
func (l *loader) sloFiles() {
	r := &openReader{loader: l, names: map[string]*names{}, byName: map[string]map[string]openObject{}}
	for kind := range openForms {
		r.names[kind], r.byName[kind] = &names{}, map[string]openObject{}
	}
	for _, s := range l.sections {
		if s.name != "slo_files" {
			continue
		}
		l.file = s.file
		l.check(s.value, sectionForm(s.name), s.name)
		for _, pattern := range s.value.Content {
			if pattern.Kind != yaml.ScalarNode || isNull(pattern) {
				continue
			}
			for _, path := range l.match(pattern, s.name) {
				r.read(path, s.file, pattern)
			}
			l.file = s.file
		}
	}
	for _, o := range r.objects {
		if o.kind == kindSLO && o.ok {
			l.file = o.file
			r.slo(o)
		}
	}
	l.file = l.opts.File
}

// read reads the documents of one file.
func (r *openReader) read(path, from string, pattern *yaml.Node) {
	r.file = path
	data, err := r.loader.read(path)
	if err != nil {
		r.faults = append(r.faults, Fault{File: path, Message: reason(err), Hint: fmt.Sprintf("it is named by %s:%d", from, pattern.Line)})
		r.errors++
		return
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for n := 0; ; n++ {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.errors++
			for _, e := range splitError(err) {
				r.faults = append(r.faults, r.placed(e, nil, nil))
			}
			r.locate(data)
			return
		}
		if n == maxDocuments {
			r.fault(&doc, fmt.Sprintf("the file has more than %d documents", maxDocuments), "cut it in two")
			return
		}
		if len(doc.Content) == 1 && !isNull(doc.Content[0]) {
			r.documents(r.flatten(doc.Content[0]))
		}
	}
}

// documents are one, or a list of them, as some tools write them.
func (r *openReader) documents(n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		r.document(n)
		return
	}
	if len(n.Content) > maxDocuments {
		r.fault(n, fmt.Sprintf("the list has more than %d documents", maxDocuments), "cut it in two")
		return
	}
	for _, item := range n.Content {
		r.document(item)
	}
}

// document checks one, and notes its name.
func (r *openReader) document(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.fault(n, "an OpenSLO document is "+found(n), "write a mapping with apiVersion, kind, metadata and spec")
		return
	}
	version, kind := lookup(n, "apiVersion"), lookup(n, "kind")
	if version == nil || version.Value != openVersion {
		at, what := n, "has no apiVersion"
		if version != nil {
			at, what = version, fmt.Sprintf("apiVersion %q is not read", version.Value)
		}
		r.fault(at, "OpenSLO: "+what, "write apiVersion: "+openVersion)
		return
	}
	if kind == nil || openForms[kind.Value] == nil {
		at, hint := n, "write kind: SLO"
		what := "OpenSLO: the document has no kind"
		if kind != nil {
			at, what, hint = kind, fmt.Sprintf("OpenSLO: unknown kind %q", kind.Value), didYouMean(kind.Value, openKinds())
		}
		r.fault(at, what, hint)
		return
	}
	f := openDocument(kind.Value)
	where := "OpenSLO: " + kind.Value
	nameNode := lookup(lookup(n, "metadata"), "name")
	if nameNode != nil && nameNode.Kind == yaml.ScalarNode {
		where += fmt.Sprintf(" %q", nameNode.Value)
	}
	o := openObject{r.object(n, f, where), r.file, kind.Value}
	r.annotations(o)
	if nameNode == nil || nameNode.Kind != yaml.ScalarNode {
		r.names[o.kind].vague = true
		return
	}
	if first, again := r.names[o.kind].add(nameNode.Value, r.place(nameNode)); again {
		o.fault(nameNode, fmt.Sprintf("a second %s of this name", o.kind), fmt.Sprintf("the first is at %s:%d:%d; rename or remove one", first.file, first.at.line, first.at.column))
		return
	}
	r.byName[o.kind][nameNode.Value] = o
	r.objects = append(r.objects, o)
}

func openKinds() (kinds []string) {
	for kind := range openForms {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// annotations finds misspelt ones of ours. All others are somebody else's.
func (r *openReader) annotations(o openObject) {
	m := lookup(lookup(o.node, "metadata"), "annotations")
	if m == nil || m.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, ours := strings.CutPrefix(m.Content[i].Value, annotationStart)
		if ours && !slices.Contains(openAnnotations, key) {
			o.fault(m.Content[i], fmt.Sprintf("unknown annotation %q", m.Content[i].Value), didYouMean(key, openAnnotations))
		}
	}
}

// said is a value that stands at a place of a document.
func said(at *yaml.Node, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: at.Line, Column: at.Column}
}

func mappingAt(at *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Line: at.Line, Column: at.Column}
}

func listAt(at *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Line: at.Line, Column: at.Column}
}

func put(m *yaml.Node, key string, value *yaml.Node) {
	if value != nil {
		m.Content = append(m.Content, said(value, key), value)
	}
}

// slo writes an SLO as one of ours for each of its objectives, and reads them.
func (r *openReader) slo(o openObject) {
	before := r.errors
	spec := o.sub("spec")
	n := mappingAt(o.node)
	put(n, "service", spec.get("service"))
	put(n, "description", spec.get("description"))
	targets := r.targets(spec)
	put(n, "window", r.window(spec))
	put(n, "sli", r.indicator(o, spec))
	for key, annotation := range map[string]string{"clear_for": "clear-for", "reopen_window": "reopen-window", "runbook_url": "runbook-url"} {
		put(n, key, o.annotation(annotation))
	}
	if by := o.annotation("by"); by != nil {
		list := listAt(by)
		for label := range strings.SplitSeq(by.Value, ",") {
			list.Content = append(list.Content, said(by, strings.TrimSpace(label)))
		}
		put(n, "by", list)
	}
	policies := r.policies(o, spec)
	if spec.get("alertPolicies") != nil {
		put(n, "thresholds", r.thresholds(spec, policies))
	}
	put(n, "escalation_policy", r.ladder(o, spec, policies))
	if method := spec.get("budgetingMethod"); method != nil && method.Value != "Occurrences" {
		spec.fault(method, fmt.Sprintf("the budgeting method %s cannot be expressed: events are counted, not slices of time", method.Value), "write Occurrences, or an SLO with sli: {alerts: [...]} under slos")
	}
	if r.errors > before {
		r.objective.vague = true
		return
	}
	name := lookup(lookup(o.node, "metadata"), "name")
	for _, target := range targets {
		called := name
		if len(targets) > 1 {
			called = said(target, name.Value+"-"+target.Value)
		}
		one := mappingAt(o.node)
		put(one, "name", called)
		put(one, "objective", target)
		one.Content = append(one.Content, n.Content...)
		r.oneObjective(o, one, called)
	}
}

// oneObjective reads one that was written as one of ours.
func (r *openReader) oneObjective(o openObject, n, name *yaml.Node) {
	f := sectionForm("slos")
	where := f.list.itemIn("slos", n, 0)
	if first, again := r.loader.objective.add(name.Value, r.place(name)); again {
		o.fault(name, fmt.Sprintf("a second slo named %q", name.Value), fmt.Sprintf("the first is at %s:%d:%d; rename or remove one", first.file, first.at.line, first.at.column))
		return
	}
	r.oneSLO(r.object(n, f.list, where), name.Value)
}

// refused says that a part of a document cannot be expressed, if it is there.
func refused(o object, key, what, hint string) {
	if n := o.get(key); n != nil {
		o.fault(n, what, hint)
	}
}

// targets are the objectives in percent.
func (r *openReader) targets(spec object) (all []*yaml.Node) {
	for _, o := range spec.items("objectives") {
		if target := r.target(o); target != nil {
			all = append(all, target)
		}
	}
	return all
}

// target is what one objective asks for, in percent.
func (r *openReader) target(o object) *yaml.Node {
	for _, key := range []string{"timeSliceTarget", "timeSliceWindow", "indicator", "indicatorRef", "compositeWeight"} {
		refused(o, key, key+" cannot be expressed", "leave it out")
	}
	for _, key := range []string{"op", "value"} {
		if n := o.get(key); n != nil {
			o.warn(n, key+" is not used: it is for threshold metrics", "leave it out")
		}
	}
	share, percent := o.get("target"), o.get("targetPercent")
	switch {
	case share != nil && percent != nil:
		o.fault(percent, "has target and targetPercent", "write one of them")
	case percent != nil:
		return percent
	case share == nil:
		o.fault(o.node, "has neither target nor targetPercent", "add target: 0.999")
	default:
		text, ok := hundredfold(share.Value)
		if !ok {
			o.fault(share, fmt.Sprintf("target %q is not a share below 1, such as 0.999", share.Value), "or write targetPercent: 99.9")
			return nil
		}
		return said(share, text)
	}
	return nil
}

var shareRE = regexp.MustCompile(`^0?\.([0-9]+)$`)

// hundredfold writes a share below 1 in percent, without arithmetic that rounds: 0.9995 is 99.95.
func hundredfold(share string) (string, bool) {
	m := shareRE.FindStringSubmatch(share)
	if m == nil {
		return "", false
	}
	digits := m[1]
	for len(digits) < 2 {
		digits += "0"
	}
	whole, part := strings.TrimLeft(digits[:2], "0"), strings.TrimRight(digits[2:], "0")
	if whole == "" {
		whole = "0"
	}
	if part == "" {
		return whole, true
	}
	return whole + "." + part, true
}

// window is the one rolling window.
func (r *openReader) window(spec object) *yaml.Node {
	all := spec.items("timeWindow")
	if len(all) != 1 {
		at := spec.here("timeWindow")
		spec.fault(at, fmt.Sprintf("has %d time windows, not one", len(all)), "write timeWindow: [{duration: 30d, isRolling: true}]")
		return nil
	}
	o := all[0]
	if o.get("calendar") != nil || !o.boolean("isRolling", true) {
		o.fault(o.here("calendar"), "a window aligned with the calendar cannot be expressed: budgets roll", "write {duration: 30d, isRolling: true}")
		return nil
	}
	d := o.get("duration")
	if d != nil && strings.ContainsAny(d.Value, "MQY") {
		o.fault(d, fmt.Sprintf("%s is not the same length at all times, and a rolling window is", d.Value), "write days, such as 30d or 90d")
		return nil
	}
	return d
}

// indicator is the sli.
func (r *openReader) indicator(o openObject, spec object) *yaml.Node {
	at, inline := spec.get("indicatorRef"), spec.get("indicator")
	var s object
	switch {
	case (at == nil) == (inline == nil):
		spec.fault(o.node, "has not one of indicator and indicatorRef", "write one of them")
		return nil
	case inline != nil:
		s = spec.sub("indicator").sub("spec")
	default:
		if !spec.refer(at, kindSLI, r.names[kindSLI]) {
			return nil
		}
		sli := r.byName[kindSLI][at.Value]
		if !sli.ok {
			return nil
		}
		was := r.file
		r.file = sli.file
		defer func() { r.file = was }()
		s = sli.sub("spec")
	}
	if t := s.get("thresholdMetric"); t != nil {
		s.fault(t, "a thresholdMetric cannot be expressed: it says how large a value is, not how many events are bad", "write a ratioMetric whose bad counts the events beyond the threshold")
		return nil
	}
	if s.get("ratioMetric") == nil {
		s.fault(s.node, "has no ratioMetric", "add one with total, and good or bad")
		return nil
	}
	return r.ratio(s.sub("ratioMetric"))
}

// rateRE finds queries that are rates already.
var rateRE = regexp.MustCompile(`\b(rate|irate|increase)\s*\(`)

// ratio is our two queries. Where only good is counted, bad is what is left of all; where nothing was good there is no
// series of it, which then is 0.
func (r *openReader) ratio(o object) *yaml.Node {
	for _, key := range []string{"raw", "rawType"} {
		refused(o, key, key+" cannot be expressed: a ratio does not say of how many events", "write total, and good or bad")
	}
	counter := o.boolean("counter", false)
	queries, address := map[string]*yaml.Node{}, (*yaml.Node)(nil)
	before := r.errors
	for _, key := range []string{"total", "bad", "good"} {
		if o.get(key) == nil {
			continue
		}
		query, url := r.metric(o.sub(key).sub("metricSource"))
		if query == nil || url == nil {
			continue
		}
		if address != nil && address.Value != url.Value {
			o.fault(o.get(key), key+" is of another data source than total", "ask one Prometheus for both")
		}
		address = url
		text := strings.TrimSpace(query.Value)
		if counter {
			if rateRE.MatchString(text) {
				o.fault(query, key+" is a rate already, and the metric says counter: true", "write counter: false")
			}
			// Both are sampled at the same instants, so that what rate makes of the edges is the same for both.
			text = "rate((" + text + ")[2m:1m])"
		}
		queries[key] = said(query, text)
	}
	if r.errors > before {
		return nil
	}
	good, bad, total := queries["good"], queries["bad"], queries["total"]
	either := func(a, b *yaml.Node) string { return fmt.Sprintf("((%s) or 0 * (%s))", a.Value, b.Value) }
	switch {
	case total == nil && (good == nil || bad == nil):
		o.fault(o.node, "says not of how many events", "add total, and good or bad; or good and bad")
		return nil
	case total == nil:
		total = said(good, either(good, bad)+" + "+either(bad, good))
	case bad == nil && good == nil:
		o.fault(o.node, "has neither good nor bad", "add one of them")
		return nil
	case bad == nil:
		bad = said(good, fmt.Sprintf("(%s) - %s", total.Value, either(good, total)))
	}
	q := mappingAt(o.node)
	put(q, "url", address)
	put(q, "bad", bad)
	put(q, "total", total)
	sli := mappingAt(o.node)
	put(sli, "prometheus", q)
	return sli
}

// metric is a query, and the address of whom to ask.
func (r *openReader) metric(o object) (query, url *yaml.Node) {
	ref, kind := o.get("metricSourceRef"), o.get("type")
	if kind != nil && !strings.EqualFold(kind.Value, "prometheus") {
		o.fault(kind, fmt.Sprintf("a metric source of type %s cannot be asked", kind.Value), "write one of type Prometheus")
		return nil, nil
	}
	if ref == nil {
		o.fault(o.node, "has no metricSourceRef", "add a DataSource with the address of the Prometheus, and name it here")
		return nil, nil
	}
	if !o.refer(ref, kindSource, r.names[kindSource]) {
		return nil, nil
	}
	spec := o.get("spec")
	for _, key := range []string{"query", "promql"} {
		if q := lookup(spec, key); q != nil && q.Kind == yaml.ScalarNode && q.Value != "" {
			query = q
		}
	}
	if query == nil {
		o.fault(o.here("spec"), "has no query", "add query: sum(rate(http_requests_total[1m]))")
	}
	was := r.file
	defer func() { r.file = was }()
	source := r.byName[kindSource][ref.Value]
	r.file = source.file
	if !source.ok {
		return query, nil
	}
	s := source.sub("spec")
	if t := s.get("type"); t != nil && !strings.EqualFold(t.Value, "prometheus") {
		s.fault(t, fmt.Sprintf("a data source of type %s cannot be asked", t.Value), "write one of type Prometheus")
		return query, nil
	}
	url = lookup(s.get("connectionDetails"), "url")
	if url == nil || url.Kind != yaml.ScalarNode {
		s.fault(s.here("connectionDetails"), "has no url", "add url: http://prometheus:9090")
		return query, nil
	}
	if err := webURL.check(url.Value); err != nil {
		r.faultOf(url, join(s.where, "connectionDetails: url"), err)
		return query, nil
	}
	return query, url
}

// policies are the alert policies of an SLO, by name or written into it, without those that are wrong.
func (r *openReader) policies(o openObject, spec object) (all []openObject) {
	list := spec.get("alertPolicies")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	f := spec.form.of("alertPolicies").list
	for i, item := range list.Content {
		where := f.itemIn(join(spec.where, "alertPolicies"), item, i)
		p := openObject{object{r.loader, item, f, where, o.ok}, o.file, kindPolicy}
		ref := item
		if item.Kind == yaml.MappingNode {
			ref = p.get("alertPolicyRef")
			if ref == nil && p.get("spec") == nil {
				p.fault(item, "has neither alertPolicyRef nor spec", "name an AlertPolicy")
				continue
			}
		}
		if ref != nil {
			if !p.refer(ref, kindPolicy, r.names[kindPolicy]) {
				continue
			}
			p = r.byName[kindPolicy][ref.Value]
		}
		if p.ok {
			all = append(all, p)
		}
	}
	return all
}

// thresholds are the conditions of alert policies.
func (r *openReader) thresholds(spec object, policies []openObject) *yaml.Node {
	was := r.file
	defer func() { r.file = was }()
	list := listAt(spec.get("alertPolicies"))
	for _, p := range policies {
		r.file = p.file
		s := p.sub("spec")
		if n := s.get("alertWhenNoData"); s.boolean("alertWhenNoData", false) {
			s.fault(n, "alertWhenNoData: true cannot be expressed: time without data is good", "write false, and an alert of Prometheus with absent()")
		}
		if n := s.get("notificationTargets"); n != nil && len(n.Content) > 0 {
			s.warn(n, "notificationTargets are not used", "the annotation midwatch/escalation-policy says who is paged")
		}
		if n := s.get("alertWhenBreaching"); n != nil && !s.boolean("alertWhenBreaching", true) {
			s.warn(n, "alertWhenBreaching: false: its conditions are left out", "write true where somebody is to hear of them")
			continue
		}
		for _, c := range s.items("conditions") {
			r.file = p.file
			if t := r.condition(c, p); t != nil {
				list.Content = append(list.Content, t)
			}
		}
	}
	return list
}

// condition is one threshold, or nil.
func (r *openReader) condition(c object, p openObject) *yaml.Node {
	doc := openObject{c, p.file, kindCondition}
	if ref := c.get("conditionRef"); ref != nil {
		if !c.refer(ref, kindCondition, r.names[kindCondition]) {
			return nil
		}
		doc = r.byName[kindCondition][ref.Value]
		r.file = doc.file
	} else if c.get("spec") == nil {
		c.fault(c.node, "has neither conditionRef nor spec", "name an AlertCondition")
		return nil
	}
	if !doc.ok {
		return nil
	}
	name := lookup(lookup(doc.node, "metadata"), "name")
	if name == nil {
		name = lookup(lookup(p.node, "metadata"), "name")
	}
	s := doc.sub("spec")
	of := s.sub("condition")
	if op := of.get("op"); op != nil && strings.HasPrefix(op.Value, "lt") {
		of.fault(op, fmt.Sprintf("op: %s would alert while the budget does not burn", op.Value), "write op: gte")
		return nil
	}
	if n := of.get("alertAfter"); n != nil && of.duration("alertAfter", 0) > 0 {
		of.warn(n, fmt.Sprintf("alertAfter: %s is not waited for", n.Value), "a second, shorter window keeps what is over from paging; write 0m")
	}
	long := of.get("lookbackWindow")
	t := mappingAt(doc.node)
	put(t, "name", name)
	put(t, "burn_rate", of.get("threshold"))
	put(t, "long", long)
	put(t, "short", said(long, promDuration(of.duration("lookbackWindow", 0)/longToShort)))
	put(t, "severity", r.severity(s))
	return t
}

// promDuration writes a duration to the millisecond.
func promDuration(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

func (r *openReader) severity(s object) *yaml.Node {
	n := s.get("severity")
	word := n.Value
	if severity.check(word) == nil {
		return n
	}
	ours, known := r.cfg.Severities[strings.ToLower(word)]
	if strings.EqualFold(word, "ticket") && !known {
		ours, known = "sev4", true
	}
	if !known {
		s.fault(n, fmt.Sprintf("severity %q is not known", word), "write sev1 to sev5, or add it to severities")
		return nil
	}
	return said(n, ours)
}

// ladder is the escalation policy: the SLO's own word, that of its alert policies, or that of its service.
func (r *openReader) ladder(o openObject, spec object, policies []openObject) *yaml.Node {
	const key = "escalation-policy"
	if n := o.annotation(key); n != nil {
		return n
	}
	var first *yaml.Node
	for _, p := range policies {
		n := p.annotation(key)
		if n != nil && first != nil && n.Value != first.Value {
			o.fault(o.node, fmt.Sprintf("its alert policies name the escalation policies %q and %q", first.Value, n.Value), "an SLO has one; say which with its own annotation "+annotationStart+key)
			return nil
		}
		if n != nil {
			first = n
		}
	}
	if first == nil {
		first = r.byName[kindService][spec.text("service")].annotationOr(key)
	}
	if first == nil {
		o.fault(o.node, "nothing says who is paged", "add the annotation "+annotationStart+key+": the name of an escalation policy")
		return nil
	}
	// Said here, it may stand in another file; what is wrong with it is told at the SLO.
	return said(o.node, first.Value)
}

// annotationOr is annotation, for an object that may be absent.
func (o openObject) annotationOr(key string) *yaml.Node {
	if o.node == nil {
		return nil
	}
	return o.annotation(key)
}
