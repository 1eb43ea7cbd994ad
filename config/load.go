package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/calendar"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/oncall"
)

// Options say where a text comes from.
type Options struct {
	File string // its name in faults; empty: none is said
	Dir  string // what relative paths and includes are relative to; empty: the working directory

	Now   time.Time                        // around which shared calendars are read; zero: now
	Fetch func(c Calendar) ([]byte, error) // what is at a calendar's address; nil: those are not looked at

	texts  *texts  // of an earlier reading, to be read again; nil: the files
	beside *Config // the text is a proposal to change this one, see Propose; nil: it is none
}

// LoadFile reads a file and those it includes. Relative paths are taken as Alertmanager takes them: those of
// templates, http_config and event_recorder from the file's folder, all other _file keys from the working directory.
func LoadFile(path string) (*Config, Faults) { return LoadFileWith(path, Options{}) }

// LoadFileWith is LoadFile with options; File and Dir are set.
func LoadFileWith(path string, opts Options) (*Config, Faults) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, Faults{{File: path, Message: reason(err), Hint: "name a file that can be read"}}
	}
	opts.File, opts.Dir = path, filepath.Dir(path)
	return Load(text, opts)
}

// texts are the files of a configuration as they were read.
type texts struct {
	main  []byte
	files map[string][]byte
	globs map[string][]string
	named map[string]bool // the further files that were read: calendars, keys, addresses
}

// Again reads the same configuration again, as its files were then; shared calendars are read anew.
func (c *Config) Again(opts Options) (*Config, Faults) {
	read := *c.texts
	read.named = map[string]bool{} // it is written to
	opts.File, opts.Dir, opts.texts = c.Files[0], c.dir, &read
	return Load(c.texts.main, opts)
}

// read reads an included file.
func (l *loader) read(path string) ([]byte, error) {
	if l.opts.texts != nil {
		return l.cfg.texts.files[path], nil
	}
	if b := l.opts.beside; b != nil {
		return b.texts.files[path], nil // match let through what that one has read
	}
	text, err := readLimited(path)
	if err == nil {
		l.cfg.texts.files[path] = text
	}
	return text, err
}

// glob finds included files.
func (l *loader) glob(pattern string) ([]string, error) {
	if l.opts.texts != nil {
		return l.cfg.texts.globs[pattern], nil
	}
	if b := l.opts.beside; b != nil {
		all, known := b.texts.globs[pattern]
		if !known {
			return nil, errNotLookedAt
		}
		return all, nil
	}
	all, err := filepath.Glob(pattern)
	l.cfg.texts.globs[pattern] = all
	return all, err
}

// Load reads a configuration. Either Config is not nil, and the faults are warnings (which it holds too), or Config
// is nil and the faults say all that is wrong.
func Load(text []byte, opts Options) (*Config, Faults) {
	l := &loader{
		opts: opts, file: opts.File, cfg: newConfig(opts.File),
		events: map[string][]calendar.Event{}, zones: map[string]*time.Location{}, called: map[string]string{}, spoken: map[string]string{},
	}
	l.cfg.dir, l.cfg.texts = opts.Dir, opts.texts
	if l.cfg.texts == nil {
		l.cfg.texts = &texts{main: text, files: map[string][]byte{}, globs: map[string][]string{}, named: map[string]bool{}}
	}
	l.main(text)
	l.hide()
	l.faults = l.faults.sorted(l.cfg.Files)
	if l.faults.Err() != nil {
		return nil, l.faults
	}
	l.cfg.Warnings = l.faults
	return l.cfg, l.faults
}

func newConfig(file string) *Config {
	return &Config{
		Users:        map[string]User{},
		Schedules:    map[string]*oncall.Schedule{},
		Notices:      map[string]Notices{},
		SLOs:         map[string]SLO{},
		Policies:     map[string]escalation.Policy{},
		Paging:       escalation.Paging{CatchAllEvery: DefaultCatchAllEvery},
		ReopenWindow: DefaultReopenWindow,
		Severities:   DefaultSeverities(),
		Incidents:    map[string]IncidentConfig{},
		Files:        []string{file},
		marks:        map[string]mark{},
	}
}

// A loader reads one configuration.
type loader struct {
	opts   Options
	file   string // the one being read, for faults
	faults Faults
	errors int // how many fault was called for, to see whether something was found wrong meanwhile
	cfg    *Config
	flat   flattener

	sections  []section
	global    *yaml.Node // of the main file, flat; nil where it has none
	receiver  names      // the main file's
	interval  names
	user      names
	schedule  names
	policy    names
	objective names
	silent    map[string]place // users without contact methods; those who may be paged are faults
	methods   []pendingMethod
	calendar  map[string]*oncall.Calendar // time intervals and shared calendars, as windows
	shared    names                       // of shared calendars
	events    map[string][]calendar.Event
	zones     map[string]*time.Location // in which their whole days are read; nil: in that of whoever asks
	spoken    map[string]string         // users by "service ID"
	called    map[string]string         // how calendars may name users, in lower case
	root      *yaml.Node                // of the main file
}

// A section is one of ours in one of the files.
type section struct {
	file  string
	name  string
	key   *yaml.Node
	value *yaml.Node // flat
}

type place struct {
	file string
	at   position
}

func (l *loader) place(n *yaml.Node) place { return place{l.file, at(n)} }

func (l *loader) fault(n *yaml.Node, message, hint string) {
	l.errors++
	l.faults = append(l.faults, Fault{File: l.file, Line: n.Line, Column: n.Column, Message: message, Hint: hint})
}

func (l *loader) warn(n *yaml.Node, message, hint string) {
	l.fault(n, message, hint)
	l.faults[len(l.faults)-1].Warning = true
	l.errors--
}

// faultOf says an error of a parser.
func (l *loader) faultOf(n *yaml.Node, where string, err error) {
	message, hint := splitHint(err)
	l.fault(n, join(where, message), hint)
}

// main reads the main file and, through it, everything.
func (l *loader) main(text []byte) {
	d, err := readDocument(l.file, text)
	if err != nil {
		l.unreadable(text, err)
		l.finish(nil)
		return
	}
	if d.more.line > 0 {
		l.warn(&yaml.Node{Line: d.more.line, Column: d.more.column}, "the file goes on after its first YAML document, and only that one is read",
			"remove the --- or what follows it")
	}
	taken := l.take(d)
	l.root = d.root
	l.nameUpstream(d, len(taken) > 0)
	if len(taken) == 0 {
		l.loadUpstream(text, d)
	} else if rest, ok := l.cut(d, taken, text); ok {
		l.loadUpstream(rest, d)
	}
	routes := l.include()
	l.build()
	l.finish(routes)
}

// unreadable asks Alertmanager's parser, which is older and stops sooner, about a file that ours cannot read. Its
// word counts, unless it read so far as to miss our sections.
func (l *loader) unreadable(text []byte, err error) {
	l.loadUpstream(text, nil)
	if slices.ContainsFunc(l.faults, func(f Fault) bool { return ours(loadError{text: f.Message}.keyOf()) }) {
		l.faults = nil
		for _, e := range splitError(err) {
			l.faults = append(l.faults, l.placed(e, nil, nil))
		}
	}
	l.locate(text)
}

// take finds our entries in the main file and flattens them.
func (l *loader) take(d *document) (taken []entry) {
	taken = entries(d.root, d.last, ours)
	for _, e := range taken {
		l.addSection(e.key(), e.value())
	}
	for _, r := range entries(d.root, d.last, func(key string) bool { return key == "receivers" }) {
		if r.value().Kind != yaml.SequenceNode {
			continue
		}
		_, outer, _ := d.extent(r)
		for i, item := range r.value().Content {
			taken = append(taken, entries(item, d.itemEnd(r.value(), i, outer), isReceiverKey)...)
		}
	}
	return taken
}

func (l *loader) addSection(key, value *yaml.Node) {
	flat := l.flatten(value)
	for _, s := range l.sections {
		if s.name == key.Value && s.file == l.file {
			l.fault(key, fmt.Sprintf("the section %s is there twice", key.Value), fmt.Sprintf("join it with the one in line %d", s.key.Line))
		}
	}
	l.sections = append(l.sections, section{l.file, key.Value, key, flat})
}

// flatten writes out a value's aliases and says what cannot be.
func (l *loader) flatten(n *yaml.Node) *yaml.Node {
	l.flat.faults = nil
	c := l.flat.flatten(n)
	for _, f := range l.flat.faults {
		l.fault(f.node, f.text, "write it out")
	}
	return c
}

// cut makes the text that Alertmanager's loader may see.
func (l *loader) cut(d *document, taken []entry, text []byte) ([]byte, bool) {
	if isUTF16(text) {
		l.fault(taken[0].key(), "a file with sections of Midwatch cannot be in UTF-16", "save it as UTF-8")
		return nil, false
	}
	aliases := cutOff(d.root, taken)
	for _, a := range aliases {
		l.fault(a, fmt.Sprintf("anchor %q is defined inside a section of Midwatch, in line %d, and used in Alertmanager's part", a.Value, a.Alias.Line),
			"define it where it is first used outside, and use the alias inside")
	}
	if len(aliases) > 0 {
		return nil, false
	}
	rest, ok := d.rest(taken)
	if !ok {
		l.fault(taken[0].key(), fmt.Sprintf("the section %s cannot be told from Alertmanager's part as it is written", taken[0].key().Value),
			"write it on lines of its own, its key at their start")
		return nil, false
	}
	return []byte(rest), true
}

// nameUpstream learns the names that our sections may use. In a file without any, what is wrong is not ours to say.
func (l *loader) nameUpstream(d *document, mixed bool) {
	if d.root == nil || d.root.Kind != yaml.MappingNode {
		return
	}
	for _, key := range []string{"global", "receivers", "time_intervals", "mute_time_intervals"} {
		value := lookup(d.root, key)
		if value == nil {
			continue
		}
		flat := l.flat.flatten(value)
		if mixed {
			flat = l.flatten(value)
		}
		switch key {
		case "global":
			l.global = flat
		case "receivers":
			l.receiver.addAll(l, flat)
			l.sections = append(l.sections, section{l.file, key, value, flat})
		default:
			l.interval.addAll(l, flat)
		}
	}
}

// finish completes the Config, if nothing was wrong.
func (l *loader) finish(routes []*amconfig.Route) {
	if l.faults.Err() != nil {
		return
	}
	l.cfg.Upstream.Route.Routes = append(l.cfg.Upstream.Route.Routes, routes...)
	l.cfg.Original = l.cfg.Upstream.String()
	l.mark()
}

// reason is an error of the file system without the path, which the fault names already.
func reason(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// names are what things of one kind are called, and where.
type names struct {
	list  []string
	at    map[string]place
	vague bool // some could not be read: that a name is unknown says nothing
}

// add notes a name; it tells where the name was before.
func (n *names) add(name string, p place) (first place, again bool) {
	if n.at == nil {
		n.at = map[string]place{}
	}
	if first, again = n.at[name]; again {
		return first, true
	}
	n.list = append(n.list, name)
	n.at[name] = p
	return p, false
}

func (n *names) has(name string) bool {
	_, ok := n.at[name]
	return ok
}

// addAll notes the names of a list of mappings that is not ours to check.
func (n *names) addAll(l *loader, list *yaml.Node) {
	for _, item := range list.Content {
		if name := lookup(item, "name"); name != nil && name.Kind == yaml.ScalarNode {
			n.add(name.Value, l.place(name))
		}
	}
}
