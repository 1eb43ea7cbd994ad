package engine

import (
	"fmt"
	"maps"
	"strings"

	"github.com/midwatch/midwatch/incident"
)

// Memos are what parts of Midwatch outside of the engine must not forget over a restart, and nobody decides by: where a
// chat's stream of messages was left, which message shows an incident. They are small texts by names.

// Limits of memos.
const (
	maxMemo  = 4 << 10 // bytes of one
	maxMemos = 100_000 // some for each of tens of thousands of incidents that may still change
)

// cardMemo begins the names of memos about an incident; they go with it.
func cardMemo(n int) string { return fmt.Sprintf("card/%d/", n) }

// memo takes one in; an empty one is forgotten.
func (c *Core) memo(in Remember) Answer {
	_, known := c.memos[in.Name]
	switch {
	case in.Name == "" || len(in.Name) > maxName || len(in.Value) > maxMemo:
		return Answer{Err: refuse("invalid", "", "a memo has a name, and at most %d bytes", maxMemo)}
	case !known && len(c.memos) >= maxMemos && in.Value != "":
		return Answer{Err: refuse("invalid", "", "there are %d memos, the most there can be", maxMemos)}
	case in.Value == "":
		if known {
			delete(c.memos, in.Name)
			c.put(prefMemo+in.Name, nil)
		}
	default:
		c.memos[in.Name] = in.Value
		c.put(prefMemo+in.Name, encode("memo", in.Value))
	}
	if in.Text != "" {
		c.happened(incident.Event{Kind: incident.Note, User: in.User, By: cut(in.By, maxName), Text: in.Text})
	}
	return Answer{}
}

// dropMemos forgets those about an incident that cannot change any more.
func (c *Core) dropMemos(n int) {
	for name := range c.memos {
		if strings.HasPrefix(name, cardMemo(n)) {
			delete(c.memos, name)
			c.put(prefMemo+name, nil)
		}
	}
}

func (r *restorer) restoreMemos() error {
	return r.scan(prefMemo, func(name string, value []byte) error {
		var text string
		err := decode("memo", value, &text)
		if err == nil {
			r.c.memos[name] = text
		}
		return err
	})
}

// Memo is what was remembered under a name; empty: nothing.
func (e *Engine) Memo(name string) string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.core.memos[name]
}

// Memos are those whose names begin so.
func (e *Engine) Memos(prefix string) map[string]string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := maps.Clone(e.core.memos)
	maps.DeleteFunc(all, func(name, _ string) bool { return !strings.HasPrefix(name, prefix) })
	return all
}
