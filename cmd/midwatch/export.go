package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/store"
	"github.com/midwatch/midwatch/store/bolt"
)

// exportStore writes what the store at path holds, a line each, of all kinds where none is named. What cannot be read is told,
// and the rest is written all the same.
func exportStore(out *output, path string, kinds []string) error {
	w := bufio.NewWriterSize(out.stdout, 1<<20)
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	unread := 0
	err := bolt.Read(path, func(item store.Item) error {
		all, err := engine.Export(item)
		if err != nil {
			unread++
			fmt.Fprintf(out.stderr, "%s: %v\n", item.Key, err)
		}
		for _, e := range all {
			if len(kinds) > 0 && !slices.Contains(kinds, e.Kind) {
				continue
			}
			if e.Kind == "memo" {
				e.Value = memoWithoutSecrets(e)
			}
			if err := lines.Encode(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, w.Flush()); err != nil {
		if errors.Is(err, bolt.ErrInUse) {
			err = fmt.Errorf("%w; or give the newest file of its snapshots/", err)
		}
		return err
	}
	if unread > 0 {
		return fmt.Errorf("%s could not be read; the rest is written", count(unread, "value"))
	}
	return nil
}

// memoWithoutSecrets is what may be known of a memo. With what a browser is subscribed by, anybody could write to it. What is
// not known to be harmless is left out.
func memoWithoutSecrets(e engine.Exported) any {
	name := strings.TrimPrefix(e.Key, "memo/")
	raw, _ := e.Value.(json.RawMessage)
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return engine.SecretText
	}
	switch {
	case strings.HasPrefix(name, pushMemos):
		var b notify.Browser
		if json.Unmarshal([]byte(text), &b) != nil {
			return engine.SecretText
		}
		return struct {
			Endpoint string    `json:"endpoint"`
			Agent    string    `json:"agent,omitempty"`
			By       string    `json:"by,omitempty"`
			At       time.Time `json:"at"`
		}{engine.SecretText, b.Agent, b.By, b.At}
	case strings.HasPrefix(name, "card/"):
		return text // where a message stands in a chat
	}
	return engine.SecretText
}
