package config

// unapplied are what Alertmanager applies and this version does not: the file is good, and its owner must know.
var unapplied = map[string]string{
	"inhibit_rules":  "inhibit_rules are not applied by this version: inhibited alerts notify and page",
	"event_recorder": "event_recorder is not applied by this version: no events are recorded",
	"tracing":        "tracing is not applied by this version: no traces are sent",
}

// warnUnapplied warns of every part of the main file that is read and then left alone.
func (l *loader) warnUnapplied() {
	for _, key := range []string{"inhibit_rules", "event_recorder", "tracing"} {
		if value := lookup(l.root, key); !isNull(value) && len(value.Content) > 0 {
			l.warn(keyNode(l.root, key), unapplied[key], "keep Alertmanager for alerts that need it, or remove it to say that you know")
		}
	}
}
