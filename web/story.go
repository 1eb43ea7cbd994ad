package web

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Story is one state of one page, made up, for whoever changes the pages: `midwatch --dev` shows them at /dev, and each
// has a golden file.
type Story struct {
	Page  string // the template
	State string // in a few words joined by -, unique for the page
	View  func() framed
}

// storyNow is when all stories are told: in the night after the clocks of Lisbon were set back.
var storyNow = time.Date(2026, 10, 25, 3, 17, 0, 0, time.UTC)

// storyShell is the frame of a story.
func storyShell(here, title string) Shell {
	return Shell{Title: title, Here: here, Me: "ana", Version: "1.2.3", Now: storyNow, Zone: time.UTC, Outbox: true, Building: true}
}

// Stories are all of them, page by page.
func Stories() []Story {
	return slices.Concat(alertStories(), shellStories(), rotaStories(), nightStories(), docStories(), configStories())
}

func shellStories() []Story {
	return []Story{
		{"wrong", "lost", func() framed {
			return &Wrong{Shell: storyShell("", "Lost"), Heading: "There is no such page", Told: []string{"The address leads nowhere."}, Links: []MenuEntry{{"incidents", "All incidents", ""}}}
		}},
		{"wrong", "trouble", func() framed {
			v := &Wrong{Shell: storyShell("", "Not now"), Heading: "This page cannot be shown now", Told: []string{"Load this page again in a few seconds."}}
			v.Trouble = []string{"Nothing is being written to disk, and a restart would forget what happens meanwhile: no space left on device"}
			return v
		}},
		{"me", "asked", func() framed {
			v := &Me{Shell: storyShell("", "Who are you?"), People: []Person{{"ana", "Ana Duarte"}, {"bo", ""}, {"åsa", "Åsa Öberg"}, {"noor", "نور الهدى"}}, Post: "incidents/INC-1/acknowledge", Keep: []Hidden{{"back", "incidents"}}, Doing: "What you asked for is done as soon as you say who you are."}
			v.Me = ""
			return v
		}},
		{"me", "signed-in", func() framed {
			v := &Me{Shell: storyShell("", "Who are you?"), Post: "me"}
			v.Known = true
			return v
		}},
	}
}

// dev shows the stories.
func (p *Pages) dev(w http.ResponseWriter, r *http.Request) {
	v := &Dev{Shell: p.frame(r, "", "Stories")}
	for _, s := range Stories() {
		v.Stories = append(v.Stories, MenuEntry{"dev/" + s.Page + "/" + s.State, s.Page + ": " + strings.ReplaceAll(s.State, "-", " "), ""})
	}
	p.show(w, r, http.StatusOK, "dev", v)
}

// Dev lists the stories.
type Dev struct {
	Shell
	Stories []MenuEntry
}

func (p *Pages) story(w http.ResponseWriter, r *http.Request) {
	for _, s := range Stories() {
		if s.Page == r.PathValue("page") && s.State == r.PathValue("state") {
			v := s.View()
			v.shell().Root, v.shell().Self = rootOf(r.URL.Path), strings.TrimPrefix(r.URL.Path, "/")
			p.show(w, r, http.StatusOK, s.Page, v)
			return
		}
	}
	p.lost(w, r, "There is no such story", "The list at /dev has them all.")
}
