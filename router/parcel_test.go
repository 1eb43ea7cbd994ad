package router

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// What is in a parcel has memory of its own, however the parcel grew; emptied, it takes in the next without more of it.
func TestAParcelHasMemoryOfItsOwn(t *testing.T) {
	var p Parcel
	for round := range 3 {
		body := []byte(strings.Repeat("alertname|Disk|summary|full|http://prom.test/graph|", 64))
		var want []*Alert
		for i := range 64 {
			view := func(from, to int) string { return unsafe.String(&body[50*i+from], to-from) }
			a := &Alert{
				Labels: Labels{{view(0, 9), view(10, 14)}}, Annotations: Labels{{view(15, 22), view(23, 27)}},
				StartsAt: at("00:00"), EndsAt: at("00:05"), Timeout: true, GeneratorURL: view(28, 49),
			}
			p.Add(a)
			want = append(want, a.Clone())
			want[i].hash = want[i].Labels.Hash()
		}
		clear(body)
		if got := p.Alerts(); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: %+v, want %+v", round, got[0], want[0])
		}
		p.Empty()
	}
	a := benchAlerts(1)[0]
	if n := testing.AllocsPerRun(10, func() { p.Add(a); p.Empty() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for range 1000 {
		p.Add(a)
	}
	if p.Empty(); cap(p.text) != 0 {
		t.Errorf("%d bytes stay for what is rare", cap(p.text))
	}
}

// Nothing of a parcel stays with the router: its alerts, also those that are refused, are there after it was used again.
func TestTheRouterKeepsNothingOfAParcel(t *testing.T) {
	r := New(Options{Root: benchRouter(t).opts.Root, AlertnameLimit: 1})
	var p Parcel
	p.Add(&Alert{Labels: labelled("A n=1"), Annotations: Labels{{"note", "first"}}, EndsAt: at("01:00"), GeneratorURL: "http://one"})
	p.Add(&Alert{Labels: labelled("A n=2"), Annotations: Labels{{"note", "second"}}, EndsAt: at("01:00"), GeneratorURL: "http://two"})
	effects := r.Receive(p.Alerts(), at("00:01"))
	p.Empty()
	for range 2 {
		p.Add(&Alert{Labels: labelled("Z z=9"), Annotations: Labels{{"zzzz", "zzzzzz"}}, EndsAt: at("02:00"), GeneratorURL: "zzzzzzzzzz"})
	}
	stored, refused := effectsOf[Stored](effects), effectsOf[Refused](effects)
	if len(stored) != 1 || len(refused) != 1 {
		t.Fatalf("%d stored, %d refused", len(stored), len(refused))
	}
	for i, a := range []*Alert{stored[0].Alert, refused[0].Alert} {
		l, note, link := labelled([]string{"A n=1", "A n=2"}[i]), []string{"first", "second"}[i], []string{"http://one", "http://two"}[i]
		if !a.Labels.Equal(l) || a.Annotations.Get("note") != note || a.GeneratorURL != link {
			t.Errorf("%+v, want %v", a, l)
		}
	}
	if a := r.Alerts().Get(labelled("A n=1")); a == nil || a.Annotations.Get("note") != "first" {
		t.Errorf("%+v in the table", a)
	}
}
