package notify

import "time"

// TestTitle is what every test page says first, whatever the channel.
const TestTitle = "Test page: nothing is wrong"

// testPage words a test page. It is as loud as a page, because that is what is tested.
func (v *view) testPage(m Message, loc *time.Location) {
	p := m.Page
	v.Color, v.Headline, v.Subject = indigo, TestTitle, "[test] "+TestTitle
	v.Lead = "This message shows that a page reaches you by " + said(p.Method, valueLength) + ". There is nothing to do."
	v.Severity, v.Next = "none", "to nobody; it is a test"
	v.Since = sinceWords(m.At, loc)
	v.AlsoPaged, v.Action = "nobody", "Try the link"
	if why := said(p.Reason, valueLength); why != "" {
		v.Rows = append(v.Rows, row{Name: "Why you", Text: why})
	}
	if link := oneLine(p.IncidentURL); link != "" {
		v.Rows = append(v.Rows, row{Name: "Midwatch", URL: link})
	}
}

// pages says whether a message is to make the noise of a page.
func pages(event string) bool { return event == EventPage || event == EventTest }
