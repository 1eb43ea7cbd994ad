package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/slo"
)

// maxIntervalsFile is how large a file of intervals may be: as many as a replay takes, at 200 bytes each.
const maxIntervalsFile = 200 * slo.MaxIntervals

// sloVerbs add the commands under `midwatch slo`, in the order in which help lists them.
var sloVerbs = []func(*kingpin.CmdClause, *output) map[string]command{sloStatus, sloReplay, sloCorrect}

func sloCommands(app *kingpin.Application, out *output) map[string]command {
	top := app.Command("slo", "Service level objectives and their error budgets.")
	commands := map[string]command{}
	for _, add := range sloVerbs {
		maps.Copy(commands, add(top, out))
	}
	return commands
}

// replayArgs say what is replayed, and how it is shown.
type replayArgs struct {
	file, name, intervals, prometheus, span, step *string
	given                                         *bool // intervals are; the parser takes - for no text
	at                                            *[]string
	form                                          *string
	picture                                       budgetPictureArgs
}

func sloReplay(top *kingpin.CmdClause, out *output) map[string]command {
	cmd := top.Command("replay", "What an SLO would have done: how its budget stands, when its thresholds are active, and which incidents it opens. From firing intervals in a file, or from what a Prometheus remembers. No server is asked, and nobody is paged.")
	given := new(bool)
	a := replayArgs{
		given:      given,
		file:       cmd.Flag("config.file", "Configuration file.").String(),
		name:       cmd.Flag("slo", "Name of the SLO.").Required().String(),
		intervals:  cmd.Flag("intervals", `File of firing intervals: [{"start":"2026-11-22T12:00:00Z","end":"…","learned":"…"}]; learned may be absent. - is standard input.`).PlaceHolder("FILE").IsSetByUser(given).String(),
		prometheus: cmd.Flag("from-prometheus", "Or a Prometheus: the past of the SLO's alerts, or of its counts.").PlaceHolder("URL").String(),
		span:       cmd.Flag("range", "How far back, with --from-prometheus.").Default("30d").String(),
		step:       cmd.Flag("step", "How finely alerts are looked at, with --from-prometheus; each interval is right to within this.").Default("1m").String(),
		at:         cmd.Flag("at", "Say how the budget stands at this instant: 2026-11-22T12:10:00Z. Repeatable.").PlaceHolder("INSTANT").Strings(),
		form:       formFlag(cmd),
		picture:    budgetPictureFlags(cmd),
	}
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int { return a.run(ctx, out) }}
}

func (a replayArgs) run(ctx context.Context, out *output) int {
	at := make([]time.Time, len(*a.at))
	for i, text := range *a.at {
		t, err := instantFlag("at", text)
		if err != nil {
			return out.fail(exitUsage, err)
		}
		at[i] = t
	}
	if *a.given == (*a.prometheus != "") {
		return out.fail(exitUsage, errors.New("give --intervals FILE or --from-prometheus URL, one of them"))
	}
	if err := a.picture.check(*a.form); err != nil {
		return out.fail(exitUsage, err)
	}
	past, err := a.past()
	if err != nil {
		return out.fail(exitUsage, err)
	}
	cfg, ok := loadConfig(out, *a.file)
	if !ok {
		return exitFailed
	}
	s, known := cfg.SLOs[*a.name]
	if !known {
		return out.fail(exitNothing, unknownSLO(*a.name, cfg))
	}
	if *a.prometheus != "" {
		return a.fromPrometheus(ctx, out, s, past, at)
	}
	intervals, err := readIntervals(*a.intervals)
	if err != nil {
		return out.fail(exitFailed, err)
	}
	r := replayed{objective: s.Objective, intervals: intervals, from: earliest(intervals)}
	if err := r.run(at, a.picture.wanted()); err != nil {
		return out.fail(exitFailed, err)
	}
	if a.picture.wanted() {
		return a.picture.print(out, []replayed{r})
	}
	return out.print(*a.form, r.Result, func(w io.Writer) { replayTable(w, r) })
}

func unknownSLO(name string, cfg *config.Config) error {
	hint := config.DidYouMean(name, cfg.SLOOrder)
	if hint == "" {
		hint = "midwatch config check FILE says how many there are"
	}
	if len(cfg.SLOOrder) == 0 {
		hint = "the configuration has none; add one under slos"
	}
	return fmt.Errorf("there is no SLO %q; %s", name, hint)
}

// readIntervals reads a file as SPEC §9 has it.
func readIntervals(name string) ([]slo.Interval, error) {
	var from io.Reader = os.Stdin
	if name == "-" || name == "" {
		name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("--intervals: %w", err)
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, maxIntervalsFile+1))
	if err != nil {
		return nil, fmt.Errorf("--intervals: %w", err)
	}
	if len(data) > maxIntervalsFile {
		return nil, fmt.Errorf("--intervals: %s is larger than %d bytes; replay a part of it", name, maxIntervalsFile)
	}
	var raw []struct {
		Start   string `json:"start"`
		End     string `json:"end"`
		Learned string `json:"learned"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&raw); err != nil {
		return nil, notIntervals(name, data, dec.InputOffset(), err)
	}
	if raw == nil {
		return nil, notIntervals(name, data, 0, errors.New("null is no list"))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, notIntervals(name, data, dec.InputOffset(), errors.New("something follows the list"))
	}
	intervals := make([]slo.Interval, len(raw))
	for i, r := range raw {
		for _, f := range []struct {
			key, text string
			to        *time.Time
		}{{"start", r.Start, &intervals[i].Start}, {"end", r.End, &intervals[i].End}, {"learned", r.Learned, &intervals[i].Learned}} {
			if f.text == "" && f.key == "learned" {
				continue
			}
			if f.text == "" {
				return nil, fmt.Errorf("%s: interval %d has no %s; an open one is replayed up to an end that you give", name, i+1, f.key)
			}
			t, err := time.Parse(time.RFC3339Nano, f.text)
			if err != nil {
				return nil, fmt.Errorf("%s: interval %d: %s %q is not an instant; write 2026-11-22T12:00:00Z", name, i+1, f.key, f.text)
			}
			*f.to = t
		}
	}
	return intervals, nil
}

// notIntervals says where a file is not what it should be.
func notIntervals(name string, data []byte, offset int64, err error) error {
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = s.Offset - 1 // it is behind what it means
	} else if u, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = u.Offset - 1
		err = fmt.Errorf("unexpected %s", u.Value)
	} else if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		offset, err = int64(len(data)), errors.New("it ends too early")
	}
	err = errors.New(strings.TrimPrefix(err.Error(), "json: "))
	before := data[:min(max(offset, 0), int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf(`%s:%d:%d: %w; write [{"start":"2026-11-22T12:00:00Z","end":"2026-11-22T12:10:00Z"}]`, name, line, column, err)
}

func earliest(intervals []slo.Interval) (from time.Time) {
	for _, x := range intervals {
		if from.IsZero() || x.Start.Before(from) {
			from = x.Start
		}
	}
	return from
}
