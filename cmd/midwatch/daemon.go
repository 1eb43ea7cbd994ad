package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/alertmanager/tracing"
	"github.com/prometheus/client_golang/prometheus"
	webkit "github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/chat"
	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/gossip"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/store"
	"github.com/midwatch/midwatch/store/bolt"
	"github.com/midwatch/midwatch/web"
)

// A daemon is one running Midwatch.
type daemon struct {
	flags    serveFlags
	log      logging
	registry *prometheus.Registry
	features featurecontrol.Flagger
	origins  *regexp.Regexp // of --web.cors.origin; nil: none

	started  time.Time
	source   source
	external *url.URL
	prefix   string

	store     store.Store
	compactor *compactor // nil: there is no file
	outbox    *notify.Outbox
	signer    *notify.Signer
	replies   *chat.Signer // of addresses to reply to
	chatter   *chatter
	probes    *probes
	queues    *notify.Queues
	courier   *courier
	almanac   *almanac
	pusher    *pusher
	news      web.News      // of open pages
	ending    chan struct{} // closed when nobody is answered any more
	deadMan   *deadMan
	engine    *engine.Engine
	mesh      atomic.Pointer[gossip.Mesh] // nil: no cluster

	hup       chan os.Signal
	reloading sync.Mutex
	current   atomic.Pointer[present]
	refused   atomic.Pointer[string] // why the last reload was; nil: it was not
	stats     *daemonMetrics
	kept      *logMetrics
	tracing   *tracing.Manager
	events    *chronicler // nil: nobody wants to know
}

// run is the daemon's life. It ends when ctx is done or something breaks that cannot be gone on without.
func (d *daemon) run(ctx context.Context, out *output) error {
	d.started, d.ending = time.Now(), make(chan struct{})
	d.hup = make(chan os.Signal, 1) // from the very start: unheard it would end the process
	signal.Notify(d.hup, syscall.SIGHUP)
	defer signal.Stop(d.hup)
	d.log.zap.Info("starting midwatch", zap.String("version", version))
	d.stats = newDaemonMetrics(d.registry, func() bool { return d.mesh.Load() != nil })

	d.source = d.flags.source()
	d.almanac = newAlmanac(d.almanacDir(), d.log.zap)
	d.registry.MustRegister(d.almanac)
	cfg, err := d.load()
	if err != nil {
		return err
	}
	listeners, err := d.flags.listen()
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	address := (*d.flags.web.WebListenAddresses)[0]
	if len(listeners) > 0 {
		address = listeners[0].Addr().String()
	}
	external := *d.flags.externalURL
	if external == "" && d.showsOutbox() {
		external = firstURL(address)
	}
	if d.external, d.prefix, err = addresses(external, *d.flags.routePrefix, address); err != nil {
		return err
	}
	if err := d.open(); err != nil {
		return err
	}
	defer d.store.Close()
	if s, ok := d.store.(*bolt.Store); ok {
		d.compactor = newCompactor(s, d.log.zap, d.registry)
	}

	if d.pusher, err = d.newPusher(); err != nil {
		return err
	}
	d.outbox = &notify.Outbox{}
	built, err := d.build(cfg)
	if err != nil {
		return err
	}
	if d.features.EnableEventRecorder() {
		d.events = newChronicler(cfg.Upstream.EventRecorder, d.log, d.registry)
		defer d.events.close()
	}
	d.tracing = tracing.NewManager(d.log.slog.With("component", "tracing"))
	if err := d.tracing.ApplyConfig(cfg.Upstream.TracingConfig); err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	go d.tracing.Run()
	defer d.tracing.Stop()
	d.queues = notify.NewQueues(built.senders)
	d.registry.MustRegister(channelCollector{d.queues})
	name, err := nameOf(ctx, d.store)
	if err != nil {
		return err
	}
	d.courier = &courier{queues: d.queues, signer: d.signer, store: name, now: time.Now}
	d.courier.use(cfg, d.external)
	d.queues.Summarize(d.courier.summarize)
	d.engine, err = engine.Start(ctx, engine.Options{
		Store: d.store, Config: built.engine, Sender: d.events.watching(d.courier), Seed: seed(), Log: d.log.zap, Registerer: d.registry,
		Observe: d.observe, Happened: d.happened, Peered: d.awaitsPeers(), Inherited: d.inherit(),
	})
	if err != nil {
		return err
	}
	d.pusher.engine.Store(d.engine)
	d.measure()
	d.chatter = newChatter(d)
	d.registry.MustRegister(d.chatter)
	d.deadMan = newDeadMan(d.calls, d.unwell, d.log.zap, d.registry)
	d.hold(cfg, built)
	if err := d.chatter.use(cfg); err != nil {
		return err
	}
	defer d.chatter.end()
	d.probes = newProbes(d.engine, d.log.zap)
	d.registry.MustRegister(d.probes)
	if err := d.join(); err != nil {
		return err
	}
	defer d.leave()
	return d.serve(ctx, listeners, out)
}

// almanacDir is where copies of shared calendars are; the demo keeps nothing.
func (d *daemon) almanacDir() string {
	if *d.flags.demo {
		return ""
	}
	return filepath.Join(*d.flags.storage, almanacDir)
}

// serve runs the loop and the listeners until ctx is done, and then lets everything come to rest: no new requests, no
// new attempts, what is under way is waited for and recorded.
func (d *daemon) serve(ctx context.Context, listeners []net.Listener, out *output) error {
	loopCtx, stopLoop := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoop()
	loop := make(chan error, 1)
	go func() { loop <- d.engine.Run(loopCtx) }()

	server := &http.Server{Handler: d.handler(), ReadHeaderTimeout: 30 * time.Second}
	listening := make(chan error, 1)
	go func() {
		if len(listeners) == 0 {
			listening <- webkit.ListenAndServe(server, d.flags.web, d.log.slog)
			return
		}
		listening <- webkit.ServeMultiple(listeners, server, d.flags.web, d.log.slog)
	}()

	side, stopSide := context.WithCancel(ctx)
	var aside sync.WaitGroup
	if *d.flags.demo {
		aside.Go(func() { demo(side, d.engine, d.log.zap) })
	}
	aside.Go(func() { d.snapshots(side) })
	aside.Go(func() { thrift(side) })
	aside.Go(func() { d.compactor.run(side, d.quiet) })
	aside.Go(func() { d.bequeath(side) })
	aside.Go(func() { d.almanacs(side) })
	if err := d.probes.use(d.current.Load().cfg); err != nil {
		d.log.zap.Error("counts of SLOs are not asked for", zap.Error(err))
	}
	defer d.probes.end()
	aside.Go(func() { d.pusher.dropStrangers(side) })
	aside.Go(func() { d.deadMan.run(side) })
	if d.flags.watch != nil {
		aside.Go(func() { d.watcher().run(side) })
	}
	d.sayHello(out)

	var failed error
	ended := false
	for !ended {
		select {
		case <-d.hup:
			_ = d.reload() // the log has said what is wrong
		case <-ctx.Done():
			ended = true
		case err := <-loop:
			loop <- nil
			failed, ended = orError(err, "the loop ended"), true
		case err := <-listening:
			failed, ended = orError(err, "the listener ended"), true
		}
	}
	d.log.zap.Info("shutting down")
	stopSide()
	close(d.ending)
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(rest); err != nil {
		server.Close()
	}
	aside.Wait()
	d.chatter.end() // before the loop: what people say last is still done, and cards that were posted are remembered
	if err := d.queues.Close(rest); err != nil {
		d.log.zap.Warn("some attempts to send were cut off; they are repeated under the same keys at the next start", zap.Error(err))
	}
	stopLoop()
	err := <-loop
	d.writeFiles()
	if errors.Is(err, engine.ErrUnsaved) {
		d.log.zap.Error("midwatch ends while the disk takes no writes: what happened meanwhile is forgotten")
		err = nil
	}
	if failed == nil {
		failed = err
	}
	return failed
}

func orError(err error, what string) error {
	if err == nil || errors.Is(err, http.ErrServerClosed) {
		return errors.New(what)
	}
	return err
}

// load reads the configuration and logs every fault.
func (d *daemon) load() (*config.Config, error) {
	// The words that Alertmanager's users look for in its log.
	log := d.log.zap.With(zap.String("component", "configuration"), zap.String("file", d.source.title()))
	log.Info("Loading configuration file")
	cfg, faults := d.source.load(config.Options{Fetch: d.almanac.content})
	for _, f := range faults {
		if f.Warning {
			d.log.zap.Warn("configuration", zap.String("fault", f.String()))
		} else {
			d.log.zap.Error("configuration", zap.String("fault", f.String()))
		}
	}
	err := faults.Err()
	if err == nil {
		err = d.loneIncidents(cfg)
	}
	if err != nil {
		log.Error("Loading configuration file failed", zap.Error(err))
		return nil, err
	}
	log.Info("Completed loading of configuration file")
	return cfg, nil
}

// open opens the store and reads the secret of links.
func (d *daemon) open() error {
	if *d.flags.demo {
		d.store = store.NewMemory()
		return d.sign(randomKey())
	}
	var err error
	if d.store, err = openStore(filepath.Join(*d.flags.storage, storeFile), d.log.zap); err != nil {
		return err
	}
	key, err := keyAt(*d.flags.storage)
	if err == nil {
		err = d.sign(key)
	}
	if err != nil {
		d.log.zap.Error("links to acknowledge work only until the next restart", zap.Error(err))
		return d.sign(randomKey())
	}
	return nil
}

// sign makes what signs links, and addresses to reply to. Those have no room for the store's name, so it is a part of their
// key: a reply to a page of an earlier store must not act on the incident that has its number now.
func (d *daemon) sign(key []byte) (err error) {
	name, err := nameOf(context.Background(), d.store)
	if err != nil {
		return err
	}
	if d.signer, err = notify.NewSigner(key); err == nil {
		h := hmac.New(sha256.New, key)
		_, _ = io.WriteString(h, "midwatch replies to the pages of store "+name)
		d.replies, err = chat.NewSigner(h.Sum(nil))
	}
	return err
}

// built is what a configuration becomes.
type built struct {
	engine    *engine.Config
	senders   map[notify.Target]notify.Sender
	templates *template.Template
}

// present is the configuration that holds, as the HTTP side looks at it.
type present struct {
	cfg       *config.Config
	templates *template.Template
	routes    map[string]*dispatch.Route // by their IDs
	intervals *timeinterval.Intervener
	doorbell  doorbell
	since     time.Time // when it was loaded
}

// hold makes a configuration the present one, once the engine has taken it.
func (d *daemon) hold(cfg *config.Config, b built) {
	p := &present{cfg: cfg, templates: b.templates, routes: map[string]*dispatch.Route{}, intervals: intervener(cfg), since: time.Now()}
	b.engine.Routing.Root.Walk(func(r *dispatch.Route) { p.routes[r.ID()] = r })
	p.doorbell = newDoorbell(cfg.Heartbeats, d.signer)
	d.current.Store(p)
	d.deadMan.reloaded()
	d.almanac.read(cfg.Calendars)
	d.stats.loaded(b.engine.Routing, configHash(d.source, cfg.Files), time.Now())
	d.engine.MeasureReceivers(b.engine.Routing.Receivers)
	d.events.use(cfg, d.engine.Router(), b.engine.Routing)
}

// templates are Alertmanager's and the file's.
func templates(cfg *config.Config, external *url.URL) (*template.Template, error) {
	tmpl, err := template.FromGlobs(cfg.Upstream.Templates)
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	tmpl.ExternalURL = external
	return tmpl, nil
}

func (d *daemon) build(cfg *config.Config) (built, error) {
	tmpl, err := templates(cfg, d.external)
	if err != nil {
		return built{}, err
	}
	endpoints, err := senders(cfg, notify.Options{Templates: tmpl, Logger: d.log.slog, Replies: cfg.Chat.Mail != nil, Push: d.pusher.options()}, notify.Log(d.log.zap), d.outbox)
	if err != nil {
		return built{}, err
	}
	b := built{
		engine:    compile(cfg, tmpl, endpoints, d.flags.routerOptions(d.started)),
		senders:   map[notify.Target]notify.Sender{},
		templates: tmpl,
	}
	for _, e := range endpoints {
		s := e.Sender
		if *d.flags.demo {
			s = d.outbox // whatever the file says: nothing is sent
		}
		b.senders[e.Target] = s
	}
	return b, nil
}

// reload takes the configuration anew. A bad one changes nothing, and the error says why.
func (d *daemon) reload() error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	before := d.current.Load().cfg
	err := d.tryReload()
	if err != nil {
		d.stats.refused()
		why := err.Error()
		d.refused.Store(&why)
		d.log.zap.Error("the configuration was not reloaded; the old one holds", zap.Error(err))
		return err
	}
	for _, line := range config.Diff(before, d.current.Load().cfg) {
		d.log.zap.Info("the reload changes something", zap.String("what", line))
	}
	d.refused.Store(nil)
	d.log.zap.Info("the configuration was reloaded")
	return nil
}

func (d *daemon) tryReload() error {
	cfg, err := d.load()
	if err != nil {
		return err
	}
	b, err := d.build(cfg)
	if err != nil {
		return err
	}
	if err := d.tracing.ApplyConfig(cfg.Upstream.TracingConfig); err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	if err := d.chatter.use(cfg); err != nil {
		return err
	}
	// The new senders first, so that whatever the engine sends under the new configuration finds its way.
	d.queues.SetSenders(b.senders)
	d.courier.use(cfg, d.external)
	if a := d.engine.Do(context.Background(), engine.Reload{Config: b.engine}); a.Err != nil && !errors.Is(a.Err, engine.ErrUnsaved) {
		return a.Err
	}
	d.hold(cfg, b)
	d.pusher.dropStrangers(context.Background())
	return d.probes.use(cfg)
}

// happened is told what went into the history.
func (d *daemon) happened(events []incident.Event) {
	if c := d.chatter; c != nil {
		c.happened(events)
	}
	d.tellEvents(events)
}

// sayHello tells somebody who started Midwatch without a configuration what to do next.
func (d *daemon) sayHello(out *output) {
	base := d.external.String()
	switch {
	case *d.flags.demo:
		fmt.Fprintf(out.stdout, `
Midwatch runs a demo: a simulated cluster, people and incidents. Nothing is sent.

  Messages land here:    %[1]s/outbox
  What is open:          midwatch incidents --url %[1]s

`, base)
	case d.source.file == "":
		fmt.Fprintf(out.stdout, `
Midwatch runs with its quick start: every alert pages you, here in the log and at %[1]s/outbox

  1. Give it a first alert:
       curl -H 'Content-Type: application/json' %[1]s/api/v2/alerts -d '[{"labels":{"alertname":"FirstAlert","severity":"critical"},"annotations":{"summary":"It works"}}]'
  2. Five seconds later, look at %[1]s/outbox and acknowledge.
  3. Write midwatch.yml (docs/quickstart.md), check it with: midwatch config check midwatch.yml
  4. Tell Prometheus:  alerting: {alertmanagers: [{static_configs: [{targets: ["%[2]s"]}]}]}

`, base, d.external.Host)
	}
}

// calls is whom the daemon calls while it is well. The demo calls nobody.
func (d *daemon) calls() *config.DeadMan {
	if *d.flags.demo {
		return nil
	}
	return d.current.Load().cfg.DeadMan
}
