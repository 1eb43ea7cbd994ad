package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/draw"
	"github.com/midwatch/midwatch/oncall"
)

const defaultWidth = 80 // of a terminal that does not say

// pictureArgs say whether and how a schedule is drawn.
type pictureArgs struct {
	draw, inSVG *bool
	svg, zone   *string // svg is empty for -, which the parser takes for no text
	width       *int
}

func pictureFlags(c *kingpin.CmdClause) pictureArgs {
	inSVG := new(bool)
	return pictureArgs{
		inSVG: inSVG,
		draw:  c.Flag("draw", "Draw a timeline for the terminal instead: a row for each layer, for the overrides, and for who is on call in the end. Gaps are hatched, declared ones dotted.").Bool(),
		svg:   c.Flag("svg", "Write the same drawing as SVG into this file; - is standard output.").PlaceHolder("FILE").IsSetByUser(inSVG).String(),
		width: c.Flag("width", "Width of the drawing in columns. Default: $COLUMNS, or 80.").PlaceHolder("COLUMNS").Int(),
		zone:  c.Flag("time-zone", "Zone whose days the drawing shows. Default: the schedule's.").PlaceHolder("ZONE").String(),
	}
}

func (a pictureArgs) wanted() bool { return *a.draw || *a.inSVG || *a.width != 0 || *a.zone != "" }

func (a pictureArgs) print(out *output, form string, s *oncall.Schedule, from, to time.Time) int {
	switch {
	case !*a.draw && !*a.inSVG:
		return out.fail(exitUsage, errors.New("--width and --time-zone are for a drawing; give --draw or --svg FILE too"))
	case form != "table":
		return out.fail(exitUsage, fmt.Errorf("a drawing is no %s; leave out -o, or --draw and --svg", form))
	case *a.width != 0 && *a.width < draw.MinWidth:
		return out.fail(exitUsage, fmt.Errorf("--width %d is too narrow; the least is %d", *a.width, draw.MinWidth))
	case *a.draw && *a.inSVG && (*a.svg == "" || *a.svg == "-"):
		return out.fail(exitUsage, errors.New("--draw and --svg - both write to standard output; name a file"))
	case !from.Before(to):
		return out.fail(exitUsage, errors.New("there is nothing to draw between --from and --to, which are the same"))
	}
	zone, err := zoneFlag(*a.zone, s)
	if err != nil {
		return out.fail(exitUsage, err)
	}
	picture := draw.Of(s, from, to, zone)
	if *a.draw {
		if _, err := io.WriteString(out.stdout, picture.Text(terminal(out.stdout, *a.width))); err != nil {
			return out.fail(exitFailed, err)
		}
	}
	if !*a.inSVG {
		return exitOK
	}
	svg := picture.SVG(s.Name())
	if *a.svg == "" || *a.svg == "-" {
		_, err = io.WriteString(out.stdout, svg)
	} else {
		err = os.WriteFile(*a.svg, []byte(svg), 0o644)
	}
	if err != nil {
		return out.fail(exitFailed, err)
	}
	return exitOK
}

// terminal is what a drawing can be drawn with: what --width says, the environment, and where it goes.
func terminal(w io.Writer, width int) draw.Terminal {
	t := draw.Terminal{Width: width, ASCII: !utf8Locale(), Colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)}
	if t.Width == 0 {
		t.Width, _ = strconv.Atoi(os.Getenv("COLUMNS"))
	}
	if t.Width <= 0 {
		t.Width = defaultWidth
	}
	return t
}

// utf8Locale says whether characters beyond ASCII are shown, as POSIX has it: the first of these that is set.
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(os.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
