package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	"go.yaml.in/yaml/v3"
)

// Propose reads a text as if it stood in the place of this configuration's file, for somebody whom the machine's files are
// none of their business: no file is read but those that this configuration has read, too, and no address is asked. What the
// text names beyond that is not looked at, and a warning says so. Where a secret belongs, <secret> will do.
func (c *Config) Propose(text []byte, opts Options) (*Config, Faults) {
	opts.File, opts.Dir, opts.beside = c.Files[0], c.dir, c
	if d, err := readDocument(opts.File, text); err == nil && d.root != nil {
		var flat flattener
		if root := flat.flatten(d.root); repetitions(root) > maxRepetitions {
			return nil, Faults{{File: opts.File, Message: "the regular expressions of this text repeat so much that they would take hundreds of megabytes", Hint: "write + or * in place of large counts such as {900}"}}
		}
	}
	return Load(text, opts)
}

// maxRepetitions bounds how large the regular expressions of a proposal may become: (a|b){900} is short, and a thousand of them
// take the memory of a small machine.
const maxRepetitions = 500_000

var countRE = regexp.MustCompile(`\{([0-9]{1,4})(?:,([0-9]{0,4}))?\}`)

// repetitions is about how many instructions the texts of a tree that count repetitions would be as regular expressions: rather
// too many than too few, as counts may be nested.
func repetitions(n *yaml.Node) (sum int) {
	if n.Kind == yaml.ScalarNode && strings.ContainsRune(n.Value, '{') {
		size := 0
		for _, m := range countRE.FindAllStringSubmatch(n.Value, -1) {
			times, _ := strconv.Atoi(m[1])
			if most, err := strconv.Atoi(m[2]); err == nil {
				times = max(times, most)
			}
			size = min(max(size, len(n.Value))*max(times, 1), maxRepetitions+1)
		}
		sum = size
	}
	for _, v := range n.Content {
		if sum > maxRepetitions {
			return sum
		}
		sum += repetitions(v)
	}
	return sum
}

// Main is the file as it was read. It holds secrets; see Conceal.
func (c *Config) Main() []byte { return c.texts.main }

// errNotLookedAt is why a proposal's file was not read.
var errNotLookedAt = errors.New("not looked at here")

const notLookedAt = "a page reads and asks nothing that the running configuration does not; run midwatch config check where the files are"

// readFile reads a file that the configuration names under a key. A proposal may read what the running configuration reads
// under the same key: what is wrong with a calendar may quote it, and what holds a secret must not be read as one.
func (l *loader) readFile(key, path string) ([]byte, error) {
	as := key + " " + path
	if b := l.opts.beside; b != nil && !b.texts.named[as] {
		return nil, errNotLookedAt
	}
	l.cfg.texts.named[as] = true
	return os.ReadFile(path)
}

// unseen warns of a file that was not looked at; false: that is not what is wrong.
func (l *loader) unseen(o object, key string, err error) bool {
	if !errors.Is(err, errNotLookedAt) {
		return false
	}
	o.warn(o.get(key), fmt.Sprintf("%s %s is not looked at", key, o.text(key)), notLookedAt)
	return true
}

// veiled says whether a value stands for a secret that a proposal does not show.
func (l *loader) veiled(value string) bool {
	return l.opts.beside != nil && value == amcommoncfg.SecretToken
}

// blur makes every name that is not known one that may be known: what would tell was not looked at.
func (l *loader) blur() {
	for _, n := range []*names{&l.receiver, &l.interval, &l.user, &l.schedule, &l.policy, &l.objective, &l.shared} {
		n.vague = true
	}
}
