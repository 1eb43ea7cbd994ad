package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/midwatch/midwatch/router"
)

// encodeGroup is encode("group", g), but does not ask by reflection what a group is made of: of twenty alerts that a storm
// brings one begins a group. Its test holds it to what encode writes.
func encodeGroup(g *router.Group) []byte {
	b := make([]byte, 0, 512+2*len(g.Key))
	b = append(b, groupOpening...)
	b = append(b, `{"id":`...)
	b = appendJSON(b, g.ID)
	b = append(b, `,"route_id":`...)
	b = appendJSON(b, g.RouteID)
	b = append(b, `,"key":`...)
	b = appendJSON(b, g.Key)
	b = append(b, `,"receiver":`...)
	b = appendJSON(b, g.Receiver)
	if len(g.Labels) > 0 {
		b = append(b, `,"labels":{`...)
		for i, l := range g.Labels {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, l.Name)
			b = append(b, ':')
			b = appendJSON(b, l.Value)
		}
		b = append(b, '}')
	}
	b = append(b, `,"anchor":`...)
	b = appendTimeJSON(b, g.Anchor)
	b = append(b, `,"interval":`...)
	b = strconv.AppendInt(b, int64(g.Interval), 10)
	b = append(b, `,"cleared":`...)
	b = appendTimeJSON(b, g.Cleared)
	return append(b, "}}"...)
}

var groupOpening = opening("group")

// appendJSON appends the text as a JSON string.
func appendJSON(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return appendValueJSON(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendTimeJSON(b []byte, t time.Time) []byte {
	if year := t.Year(); year < 1 || year > 9999 {
		return appendValueJSON(b, t) // it says why not
	}
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

func appendValueJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("a group cannot be stored: %v", err)) // only our own types come here
	}
	return append(b, text...)
}
