package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	webkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/examples"
	"github.com/midwatch/midwatch/gossip"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
	"github.com/midwatch/midwatch/store/bolt"
)

const (
	defaultRetention = 120 * time.Hour // of the notification log, as Alertmanager's --data.retention
	drainTime        = 10 * time.Second
	keyFile          = "token.key" // the secret of acknowledge links, within --storage.path
	keyBytes         = 32
	debugRate        = 20 // one of so many contended locks, and waits of so many nanoseconds, are profiled
)

// serveFlags are the daemon's flags: Alertmanager's, and a few of ours.
type serveFlags struct {
	configFile  *string
	storage     *string
	retention   *time.Duration
	maintenance *time.Duration

	maxSilences    *int // below 1: any number
	maxSilenceSize *int // bytes; below 1: any size
	logSilences    *bool
	gcInterval     *time.Duration
	perAlert       *int
	startDelay     *time.Duration
	tidying        *time.Duration // taken and not used: groups are tidied as they empty

	externalURL *string
	routePrefix *string
	corsOrigin  *string
	getLimit    *int
	timeout     *time.Duration
	web         *webkit.FlagConfig

	cluster     clusterFlags
	memoryRatio *float64
	features    *string
	logLevel    *promslog.Level
	logFormat   *promslog.Format
	demo        *bool
	dev         *bool

	watch *watchFlags // nil: it serves, and watches no other
}

// serveDefaults are those of the flags that differ where Midwatch only watches another.
type serveDefaults struct{ storage, listen string }

func serveCommand(app *kingpin.Application, out *output) map[string]command {
	cmd := app.Command("serve", "Run the daemon. This is what midwatch alone does.").Default()
	f := newServeFlags(cmd, serveDefaults{storage: "data/", listen: ":9093"})
	f.demo = cmd.Flag("demo", "Run with a simulated cluster, people and incidents. Messages land in /outbox; nothing is sent, and nothing is kept.").Bool()
	f.dev = cmd.Flag("dev", "Show every state of every page at /dev, for whoever changes the pages.").Bool()
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int { return serve(ctx, f, out) }}
}

func newServeFlags(cmd *kingpin.CmdClause, like serveDefaults) serveFlags {
	f := serveFlags{
		configFile:  cmd.Flag("config.file", "Configuration file. Default: midwatch.yml or alertmanager.yml in the working directory; without either, a built-in quick start.").String(),
		storage:     cmd.Flag("storage.path", "Where state is kept.").Default(like.storage).String(),
		retention:   cmd.Flag("data.retention", "How long the notification log and silences that are over are kept.").Default("120h").Duration(),
		maintenance: cmd.Flag("data.maintenance-interval", "How often expired state is dropped.").Default("15m").Duration(),

		maxSilences:    cmd.Flag("silences.max-silences", "How many silences there may be, those that are over included; 0 is any number.").Default("0").Int(),
		maxSilenceSize: cmd.Flag("silences.max-silence-size-bytes", "How large one silence may be; 0 is any size.").Default("0").Int(),
		logSilences:    cmd.Flag("log.silences", "Log what becomes of silences.").Bool(),
		gcInterval:     cmd.Flag("alerts.gc-interval", "How often ended alerts are forgotten.").Default("30m").Duration(),
		perAlert:       cmd.Flag("alerts.per-alertname-limit", "How many alerts of one name may fire; 0 is any number.").Default("0").Int(),
		startDelay:     cmd.Flag("dispatch.start-delay", "How long after the start no group is notified.").Default("0s").Duration(),
		tidying:        cmd.Flag("dispatch.maintenance-interval", "Taken for Alertmanager's sake: a group that is empty ends at once.").Default("30s").Duration(),

		externalURL: cmd.Flag("web.external-url", "The URL under which people reach Midwatch, for links. Its path becomes the route prefix. Default: http://<hostname>:<port>/.").String(),
		routePrefix: cmd.Flag("web.route-prefix", "Prefix of all HTTP routes. Default: the path of --web.external-url.").String(),
		corsOrigin:  cmd.Flag("web.cors.origin", `Regular expression for the origins of web pages that may use /api/v2, for the whole of the origin: 'https?://(one|two)\.example'. Default: none may.`).String(),
		getLimit:    cmd.Flag("web.get-concurrency", "How many GET requests are answered at once; 0 is GOMAXPROCS or 8, the larger.").Default("0").Int(),
		timeout:     cmd.Flag("web.timeout", "How long a request may take; 0 is any time.").Default("0").Duration(),

		cluster:     newClusterFlags(cmd),
		memoryRatio: cmd.Flag("auto-gomemlimit.ratio", "With the feature auto-gomemlimit: how much of the memory of the container or the machine Go may use, more than 0 and at most 1.").Default("0.9").Float64(),
		features:    cmd.Flag("enable-feature", "Alertmanager's feature flags, separated by commas: "+strings.Join(featurecontrol.AllowedFlags, ", ")+".").Default("").String(),
		logLevel:    promslog.NewLevel(),
		logFormat:   promslog.NewFormat(),
		demo:        new(bool),
		dev:         new(bool),
	}
	cmd.Flag("log.level", "Least severe lines to log: debug, info, warn, error.").Default("info").HintOptions(promslog.LevelFlagOptions...).SetValue(f.logLevel)
	cmd.Flag("log.format", "Form of the log: logfmt or json.").Default("logfmt").HintOptions(promslog.FormatFlagOptions...).SetValue(f.logFormat)
	f.web = kingpinflag.AddFlags(cmd, like.listen)
	return f
}

// serve runs the daemon until ctx is done.
func serve(ctx context.Context, f serveFlags, out *output) int {
	log := newLogging(out.stderr, f.logLevel, f.logFormat)
	features, err := featurecontrol.NewFlags(log.slog, *f.features)
	if err != nil {
		return out.fail(exitUsage, fmt.Errorf("--enable-feature: %w", err))
	}
	if err := f.check(); err != nil {
		return out.fail(exitUsage, err)
	}
	origins, err := api.Origins(*f.corsOrigin)
	if err != nil {
		return out.fail(exitUsage, fmt.Errorf("--web.cors.origin: %w", err))
	}
	initMatchers(log, features)
	if features.EnableAutoGOMEMLIMIT() {
		if err := limitMemory(log, *f.memoryRatio); err != nil {
			return out.fail(exitUsage, err)
		}
	}
	raiseProcs(os.Getenv("GOMAXPROCS"))
	if os.Getenv("DEBUG") != "" { // as Alertmanager: /debug/pprof/block and /debug/pprof/mutex then have something to show
		runtime.SetBlockProfileRate(debugRate)
		runtime.SetMutexProfileFraction(debugRate)
	}
	d := &daemon{flags: f, log: log, registry: prometheus.NewRegistry(), features: features, origins: origins}
	if err := d.run(ctx, out); err != nil {
		log.zap.Error("midwatch ends", zap.Error(err))
		return exitFailed
	}
	log.zap.Info("midwatch ends; what is on its way to people is recorded and goes on at the next start")
	return exitOK
}

// check refuses values that Alertmanager refuses.
func (f serveFlags) check() error {
	err := positive(
		interval{"data.retention", *f.retention}, interval{"data.maintenance-interval", *f.maintenance},
		interval{"alerts.gc-interval", *f.gcInterval}, interval{"dispatch.maintenance-interval", *f.tidying},
	)
	return errors.Join(err, f.cluster.check())
}

// limitMemory has Go keep within a part of what the container, or else the machine, has. GOMEMLIMIT goes before. The error
// is the ratio's; that there is no limit to be found is only logged.
func limitMemory(log logging, ratio float64) error {
	if ratio <= 0 || ratio > 1 {
		return fmt.Errorf("--auto-gomemlimit.ratio is %v; it must be more than 0 and at most 1", ratio)
	}
	_, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(ratio),
		memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
	if err != nil {
		log.zap.Warn("the memory that Go may use could not be limited (auto-gomemlimit)", zap.Error(err))
	}
	return nil
}

// source is where the daemon's configuration comes from.
type source struct {
	file string // empty: text
	text []byte
	name string
}

// title is what the log calls it.
func (s source) title() string { return orElse(s.file, s.name) }

func (s source) load(o config.Options) (*config.Config, config.Faults) {
	if s.file != "" {
		return config.LoadFileWith(s.file, o)
	}
	o.File = s.name
	return config.Load(s.text, o)
}

// source finds the configuration: what the flag says, what lies in the working directory, or what is built in.
func (f serveFlags) source() source {
	switch {
	case *f.demo:
		return source{text: examples.Demo, name: "the demo's configuration"}
	case *f.configFile != "":
		return source{file: *f.configFile}
	}
	if name := findConfig(); name != "" {
		return source{file: name}
	}
	return source{text: examples.QuickStart, name: "the quick start's configuration"}
}

// openStore opens the store. One that cannot be read is set aside, and one that cannot be opened at all is done without:
// a pager that does not start pages nobody.
func openStore(path string, log *zap.Logger) (store.Store, error) {
	s, aside, err := bolt.OpenOrSetAside(path, time.Now(), bolt.Options{})
	switch {
	case errors.Is(err, bolt.ErrInUse), errors.Is(err, bolt.ErrNewer):
		return nil, err
	case err != nil:
		log.Error("the store cannot be opened; midwatch pages from memory, and a restart will forget what happens meanwhile; mend it and restart", zap.Error(err))
		return unwritable{store.NewMemory(), err}, nil
	case aside != "":
		why := ""
		if _, err := bolt.Check(aside); err != nil {
			why = err.Error()
		}
		log.Error("the store could not be read and was set aside; midwatch starts with an empty one, knows no open incident, and is told what fires by the next alerts", zap.String("aside", aside), zap.String("why", why))
	}
	return s, nil
}

// unwritable is what the daemon has where no store can be opened: it takes nothing, so that nothing is claimed to be on
// disk, and the engine goes on from memory.
type unwritable struct {
	*store.Memory
	why error
}

// Commit refuses.
func (u unwritable) Commit(context.Context, store.Batch) error {
	return fmt.Errorf("%w: %w", store.ErrFull, u.why)
}

// keyID is where a store keeps its name.
const keyID = "meta/id"

// nameOf is the store's name, made at its first start. Incidents of every new store are numbered from 1; keys and links
// carry the name, so that those of a store that was lost do not mean the new one's.
func nameOf(ctx context.Context, s store.Store) (string, error) {
	item, err := s.Get(ctx, keyID)
	if err == nil {
		return string(item.Value), nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("reading the store: %w", err)
	}
	name := fmt.Sprintf("%016x", seed())
	err = s.Commit(ctx, store.Batch{If: []store.Condition{{Key: keyID}}, Put: []store.KeyValue{{Key: keyID, Value: []byte(name)}}})
	if errors.Is(err, store.ErrFull) {
		err = nil // a name for this life
	}
	return name, err
}

// listen opens the addresses before anything else is done, so that what is printed and linked to is where we are. Sockets
// of systemd and of virtual machines are opened by the toolkit itself: then there are none here.
func (f serveFlags) listen() ([]net.Listener, error) {
	if f.web.WebSystemdSocket != nil && *f.web.WebSystemdSocket {
		return nil, nil
	}
	var all []net.Listener
	for _, address := range *f.web.WebListenAddresses {
		if strings.HasPrefix(address, "vsock://") {
			closeAll(all)
			return nil, nil
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("--web.listen-address: %w", err)
		}
		all = append(all, l)
	}
	return all, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// keyAt reads the secret of links and of addresses to reply to, or makes it.
func keyAt(dir string) ([]byte, error) {
	path := filepath.Join(dir, keyFile)
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key = randomKey()
		err = writeSecret(path, key)
	}
	if err != nil {
		return nil, fmt.Errorf("the secret of acknowledge links: %w", err)
	}
	return key, nil
}

func randomKey() []byte {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	return key
}

func writeSecret(path string, key []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(key); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// seed is where the engine's jitter comes from.
func seed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// addresses says under which URL people reach us, and under which path routes lie, as Alertmanager does.
func addresses(external, prefix, listen string) (*url.URL, string, error) {
	if external == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, "", err
		}
		_, port, err := net.SplitHostPort(strings.TrimPrefix(listen, "vsock://"))
		if err != nil {
			return nil, "", fmt.Errorf("--web.listen-address %q: %w", listen, err)
		}
		external = fmt.Sprintf("http://%s:%s/", host, port)
	}
	u, err := url.Parse(external)
	if err != nil {
		return nil, "", fmt.Errorf("--web.external-url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, "", fmt.Errorf("--web.external-url %q: only http and https URLs can be linked to", external)
	}
	if path := strings.TrimRight(u.Path, "/"); path != "" && !strings.HasPrefix(path, "/") {
		u.Path = "/" + path
	} else {
		u.Path = path
	}
	if prefix == "" {
		prefix = u.Path
	}
	prefix = "/" + strings.Trim(prefix, "/")
	return u, prefix, nil
}

// firstURL is where somebody who just started the quick start or the demo finds it: the very address, if it listens at
// one alone. Empty: at all of them, and then the host's name will do.
func firstURL(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		return ""
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}

// mustURL is for addresses in this source.
func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// routerOptions are what the flags say about routing.
func (f serveFlags) routerOptions(start time.Time) router.Options {
	o := router.Options{
		Retention: *f.retention, ForgetEvery: *f.gcInterval, SweepEvery: *f.maintenance, AlertnameLimit: *f.perAlert,
		MaxSilences: *f.maxSilences, MaxSilenceSize: *f.maxSilenceSize, SilenceSize: gossip.SilenceSize,
		LongestWait: time.Duration(len(*f.cluster.peers)) * *f.cluster.peerTimeout,
	}
	if *f.startDelay > 0 {
		o.HoldUntil = start.Add(*f.startDelay)
	}
	return o
}
