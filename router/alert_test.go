package router

import (
	"reflect"
	"testing"
	"time"
	"unsafe"
)

// TestACloneHasMemoryOfItsOwn: what is news outlives the body that it was scanned from.
func TestACloneHasMemoryOfItsOwn(t *testing.T) {
	body := []byte("alertname|Disk|cluster|prod|summary|full|http://prom.test/graph")
	view := func(from, to int) string { return unsafe.String(&body[from], to-from) }
	a := &Alert{
		Labels:      Labels{{view(0, 9), view(10, 14)}, {view(15, 22), view(23, 27)}},
		Annotations: Labels{{view(28, 35), view(36, 40)}},
		StartsAt:    at("00:00"), EndsAt: at("00:05"), UpdatedAt: at("00:01"), Timeout: true,
		GeneratorURL: view(41, len(body)),
	}
	c := a.Clone()
	for i := range body {
		body[i] = 'Z'
	}
	a.Labels[0], a.Labels[1], a.Annotations[0] = Label{}, Label{}, Label{}
	want := &Alert{
		Labels:      Labels{{"alertname", "Disk"}, {"cluster", "prod"}},
		Annotations: Labels{{"summary", "full"}},
		StartsAt:    at("00:00"), EndsAt: at("00:05"), UpdatedAt: at("00:01"), Timeout: true,
		GeneratorURL: "http://prom.test/graph",
	}
	want.fingerprint = want.Labels.Fingerprint()
	if !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, want %+v", c, want)
	}
	if empty := new(Alert).Clone(); !empty.StartsAt.Equal(time.Time{}) || len(empty.Labels) != 0 || empty.GeneratorURL != "" {
		t.Errorf("%+v", empty)
	}
}
