package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"
)

var secretTypes = map[reflect.Type]bool{
	reflect.TypeFor[commoncfg.Secret]():              true,
	reflect.TypeFor[amcommoncfg.SecretURL]():         true,
	reflect.TypeFor[amconfig.SecretTemplateURL]():    true,
	reflect.TypeFor[amcommoncfg.SecretTemplateURL](): true, // of webhooks
}

// secretsIn are the values that Alertmanager's config treats as secrets, in a tree that belongs below some keys of
// it. Its loader's errors may quote them: that of a URL which is none, for instance.
func secretsIn(root *yaml.Node, path []string) (out []string) {
	spot(root, path, func(n *yaml.Node, path []string, isKey bool) bool {
		if isKey || n.Kind != yaml.ScalarNode || n.Value == "" {
			return true
		}
		if isSecret(path) {
			out = append(out, n.Value)
		}
		return true
	})
	return out
}

// hide takes secrets out of what the faults say.
func (l *loader) hide() {
	if len(l.faults) == 0 {
		return
	}
	secrets := secretsIn(l.root, nil)
	for _, m := range l.methods {
		secrets = append(secrets, secretsIn(m.body, m.path())...)
		secrets = append(secrets, m.secrets...)
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may be part of another
	for _, s := range slices.Compact(secrets) {
		for i := range l.faults {
			f := &l.faults[i]
			f.Message = strings.ReplaceAll(f.Message, strconv.Quote(s), strconv.Quote(amcommoncfg.SecretToken))
			if len(s) > 3 { // a shorter one is in any message
				f.Message = strings.ReplaceAll(f.Message, s, amcommoncfg.SecretToken)
			}
		}
	}
}
