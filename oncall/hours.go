package oncall

import "time"

// Hours are windows on their own: support hours, say.
type Hours struct {
	zones   []*time.Location
	windows windows
}

// NewHours readies the union of windows in a zone; no windows is always. The error is Problems.
func NewHours(zone *time.Location, ws []Window) (*Hours, error) {
	var ps Problems
	checkWindows(&ps, ws, "active")
	if len(ps) > 0 {
		return nil, ps
	}
	s := &Schedule{}
	h := &Hours{windows: windows{always: true}}
	if len(ws) > 0 {
		h.windows = newWindows(ws, zone, s.zoneIndex)
	}
	h.zones = s.zones
	return h, nil
}

// Open says whether t is within the hours.
func (h *Hours) Open(t time.Time) bool {
	n := h.now(t)
	return h.windows.hold(&n)
}

// NextChange is the first instant after t at which that may change; zero is never.
func (h *Hours) NextChange(t time.Time) time.Time {
	n := h.now(t)
	next := h.windows.next(&n, h.windows.hold(&n))
	if next == never {
		return time.Time{}
	}
	return stamp(next)
}

func (h *Hours) now(t time.Time) now {
	return now{t.Unix(), appendZones(nil, h.zones)}
}
