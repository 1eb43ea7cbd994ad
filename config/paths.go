package config

import (
	"iter"
	"path/filepath"
	"reflect"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	commoncfg "github.com/prometheus/common/config"
)

// resolvePaths is what Alertmanager's LoadFile does after Load, to the letter: incidentio and the _file keys of
// receivers are left as they are, and an HTTP config that several receivers share is moved as many times.
func resolvePaths(dir string, cfg *amconfig.Config) {
	move := func(path string) string {
		if path != "" && !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return path
	}
	for i := range cfg.Templates {
		cfg.Templates[i] = move(cfg.Templates[i])
	}
	for _, h := range httpConfigs(cfg) {
		h.SetDirectory(dir)
	}
	for i := range cfg.EventRecorder.FileOutputs {
		cfg.EventRecorder.FileOutputs[i].Path = move(cfg.EventRecorder.FileOutputs[i].Path)
	}
	for _, out := range cfg.EventRecorder.WebhookOutputs {
		if out.HTTPConfig != nil {
			out.HTTPConfig.SetDirectory(dir)
		}
	}
	for _, out := range cfg.EventRecorder.KafkaOutputs {
		if out.TLSConfig != nil {
			out.TLSConfig.SetDirectory(dir)
		}
	}
}

// resolveOnce moves the paths of HTTP configs, each once, however many receivers share it.
func resolveOnce(dir string, cfg *amconfig.Config) {
	done := map[*commoncfg.HTTPClientConfig]bool{}
	for _, h := range httpConfigs(cfg) {
		if !done[h] {
			h.SetDirectory(dir)
		}
		done[h] = true
	}
}

// httpConfigs are the HTTP configs in which Alertmanager resolves paths.
func httpConfigs(cfg *amconfig.Config) []*commoncfg.HTTPClientConfig {
	out := []*commoncfg.HTTPClientConfig{cfg.Global.HTTPConfig}
	for _, r := range cfg.Receivers {
		for name, list := range integrationLists(&r) {
			if name == "incidentio" {
				continue // forgotten upstream
			}
			for i := range list.Len() {
				if h := list.Index(i).Elem().FieldByName("HTTPConfig"); h.IsValid() {
					out = append(out, h.Interface().(*commoncfg.HTTPClientConfig))
				}
			}
		}
	}
	return out
}

// integrationLists are the lists of a receiver's integrations, by their name in a contact method.
func integrationLists(r *amconfig.Receiver) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		for f, v := range reflect.ValueOf(r).Elem().Fields() {
			tag, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if name, ok := strings.CutSuffix(tag, "_configs"); ok && !yield(name, v) {
				return
			}
		}
	}
}
