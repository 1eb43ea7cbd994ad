//go:build linux

// Command bench compares Midwatch with the real Alertmanager: the same alerts under the same configuration, one server after
// the other, each alone on one core, while the load and the webhooks that are told are on another.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are how large the comparison is.
type options struct {
	midwatch, alertmanager string // the programs
	dir                    string // where the servers keep their state
	out                    string // the page to write; empty: none
	only                   []string
	quick                  bool

	series    int // alerts, unless said
	big       int // where many are asked for
	small     int // where few are
	rounds    int // lives of a server that are measured, where one is short
	repeats   int // within a life
	resends   int // alerts that are sent again for one figure, at least: CPU time is counted in hundredths of a second
	rate      float64
	probes    int // alerts whose way to the webhook is timed, in one run
	silences  int
	incidents int
	rest      time.Duration // how long a server at rest is looked at
	tick      time.Duration // how often alerts are sent again meanwhile, and groups look at themselves
	changes   int           // rounds in which all alerts change
	overload  time.Duration // how long there is more than a server can take
	look      time.Duration // how often it is looked at meanwhile
	profiles  string        // where profiles of ours go; empty: there are none
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (o options, err error) {
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.midwatch, "midwatch", "./midwatch", "our program, as make build makes it")
	f.StringVar(&o.alertmanager, "alertmanager", "integration_test/upstream/build/alertmanager", "the real one, as integration_test/upstream/build.sh makes it")
	f.StringVar(&o.dir, "dir", "", "where the servers keep their state, on a disk; default: the directory of temporary files")
	f.StringVar(&o.out, "out", "", "the page to write, beside what is printed; with -only it is not")
	f.StringVar(&only, "only", "", "what to measure, separated by commas: "+strings.Join(names(), ", ")+"; default: all")
	f.BoolVar(&o.quick, "quick", false, "a tenth of the sizes and one round, where the flags say nothing else: shows that the comparison works, not how fast anything is")
	f.IntVar(&o.series, "series", 100_000, "alerts, unless said")
	f.IntVar(&o.big, "big", 500_000, "alerts, where many are asked for")
	f.IntVar(&o.small, "small", 10_000, "alerts, where few are asked for")
	f.IntVar(&o.rounds, "rounds", 3, "lives of each server that are measured, where a life is short")
	f.Float64Var(&o.rate, "rate", 13_000, "alerts a second that are sent again while the way to the webhook is timed")
	f.IntVar(&o.probes, "probes", 200, "alerts whose way to the webhook is timed, in each of three runs")
	f.IntVar(&o.silences, "silences", 1000, "silences, where there are some")
	f.IntVar(&o.incidents, "incidents", 10_000, "incidents that are open at the kill")
	f.DurationVar(&o.rest, "rest", 3*time.Minute, "how long a server at rest is looked at")
	f.DurationVar(&o.overload, "overload", 2*time.Minute, "how long ours is sent more than it can take; make overload says an hour")
	f.StringVar(&o.profiles, "cpuprofile", "", "where profiles of ours are put, of the processor and of memory, while alerts are sent; that costs a little itself")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.repeats, o.resends, o.tick, o.changes, o.look = 2, 200_000, time.Minute, 10, time.Second
	if o.quick {
		o.repeats, o.resends, o.tick, o.changes, o.look = 1, 20_000, 5*time.Second, 3, 200*time.Millisecond
		said := map[string]bool{}
		f.Visit(func(g *flag.Flag) { said[g.Name] = true })
		for name, value := range quickly {
			if said[name] {
				continue
			}
			if err := f.Set(name, value); err != nil {
				return o, err
			}
		}
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	return o, o.check()
}

// quickly is what the flags say that are not given, with -quick.
var quickly = map[string]string{
	"series": "10000", "big": "20000", "small": "2000", "rounds": "1", "rate": "2000", "probes": "40", "silences": "200", "incidents": "200", "rest": "15s", "overload": "20s",
}

// names are what -only takes.
func names() (all []string) {
	for _, c := range chapters {
		all = append(all, c.name)
	}
	return all
}

func (o *options) check() error {
	for _, name := range o.only {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("-only %s: there are %s", name, strings.Join(names(), ", "))
		}
	}
	// Under this there are not enough groups for the routes and rules to mean anything.
	const fewest = 1000
	if o.series < fewest || o.big < fewest || o.small < fewest {
		return fmt.Errorf("-series, -big and -small must be at least %d", fewest)
	}
	if o.rounds < 1 || o.probes < 1 || o.silences < 1 || o.rate <= 0 || o.rest < 2*o.tick {
		return fmt.Errorf("-rounds, -probes, -silences and -rate must be positive, and -rest at least %s", 2*o.tick)
	}
	if o.incidents < 1 || o.incidents > o.big {
		return fmt.Errorf("-incidents must be from 1 to %d, as -big says", o.big)
	}
	if o.overload < fewestLooks*o.look {
		return fmt.Errorf("-overload must be at least %s", fewestLooks*o.look)
	}
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o755); err != nil {
			return err
		}
	}
	for _, program := range []*string{&o.midwatch, &o.alertmanager} {
		path, err := filepath.Abs(*program)
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w; `make bench` builds it", err)
		}
		*program = path
	}
	if o.dir == "" {
		o.dir = os.TempDir()
	}
	var err error
	if o.dir, err = filepath.Abs(o.dir); err != nil { // the servers run in directories of their own
		return err
	}
	if inMemory(o.dir) && !o.quick {
		return fmt.Errorf("%s is in memory, where nothing is durable; name a directory on a disk with -dir", o.dir)
	}
	return nil
}

// run measures, prints and writes. It returns 0, 1 if something could not be measured or was not as it must be, or 2 for
// flags that make no sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	r, err := compare(ctx, o, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	fmt.Fprint(stdout, r.table())
	if o.out != "" && len(o.only) == 0 {
		if err := os.WriteFile(o.out, []byte(r.page()), 0o644); err != nil {
			fmt.Fprintln(stderr, "bench:", err)
			return 1
		}
	}
	for _, fault := range r.faults {
		fmt.Fprintln(stderr, "bench: not as it must be:", fault)
	}
	if len(r.faults) > 0 {
		return 1
	}
	return 0
}
