package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/midwatch/midwatch/draw"
)

// A character device stands for a terminal.
func TestADrawingSuitsItsTerminal(t *testing.T) {
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	for _, c := range []struct {
		what  string
		env   map[string]string
		width int
		want  draw.Terminal
	}{
		{"nothing is known", nil, 0, draw.Terminal{Width: 80, ASCII: true, Colour: true}},
		{"a terminal of today", map[string]string{"LANG": "pt_PT.UTF-8", "COLUMNS": "120"}, 0, draw.Terminal{Width: 120, Colour: true}},
		{"the width is given", map[string]string{"LANG": "C.utf8", "COLUMNS": "120"}, 60, draw.Terminal{Width: 60, Colour: true}},
		{"no colour", map[string]string{"LANG": "C.UTF-8", "NO_COLOR": "1"}, 0, draw.Terminal{Width: 80}},
		{"a dumb terminal", map[string]string{"LC_CTYPE": "C.UTF-8", "TERM": "dumb"}, 0, draw.Terminal{Width: 80}},
		{"LC_ALL is stronger", map[string]string{"LANG": "C.UTF-8", "LC_ALL": "C", "COLUMNS": "wide"}, 0, draw.Terminal{Width: 80, ASCII: true, Colour: true}},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG", "COLUMNS", "NO_COLOR", "TERM"} {
				t.Setenv(name, c.env[name])
			}
			if got := terminal(device, c.width); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			c.want.Colour = false
			if got := terminal(&bytes.Buffer{}, c.width); got != c.want {
				t.Errorf("into a buffer: got %+v, want %+v", got, c.want)
			}
		})
	}
}
