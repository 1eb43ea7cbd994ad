package router

import "unsafe"

// A Parcel holds copies of alerts, in memory that is used again for the next ones. The zero value is empty and ready.
type Parcel struct {
	alerts []*Alert
	room   []Alert
	pairs  Labels
	text   []byte
}

// mostParcel is how many bytes of text a Parcel keeps room for.
const mostParcel = 256 << 10

// Add copies the alert with all its text.
func (p *Parcel) Add(a *Alert) {
	p.room = append(p.room, *a)
	c := &p.room[len(p.room)-1]
	c.Labels, c.Annotations, c.GeneratorURL = p.set(a.Labels), p.set(a.Annotations), p.string(a.GeneratorURL)
	c.fingerprint, c.hash = a.Labels.Fingerprint(), a.Labels.Hash()
	p.alerts = append(p.alerts, c)
}

// Alerts are what was added, in order. They are gone with Empty.
func (p *Parcel) Alerts() []*Alert { return p.alerts }

// Empty takes everything out. Nobody may hold an alert of it by then, or a part of one.
func (p *Parcel) Empty() {
	if cap(p.text) > mostParcel {
		*p = Parcel{}
		return
	}
	p.alerts, p.room, p.pairs, p.text = p.alerts[:0], p.room[:0], p.pairs[:0], p.text[:0]
}

func (p *Parcel) set(l Labels) Labels {
	if len(l) == 0 {
		return nil
	}
	from := len(p.pairs)
	for i := range l {
		p.pairs = append(p.pairs, Label{p.string(l[i].Name), p.string(l[i].Value)})
	}
	return p.pairs[from:len(p.pairs):len(p.pairs)]
}

// string is the text in the parcel's memory. Where that grows, what was written before stays where it is.
func (p *Parcel) string(s string) string {
	if s == "" {
		return ""
	}
	from := len(p.text)
	p.text = append(p.text, s...)
	return unsafe.String(&p.text[from], len(s))
}
