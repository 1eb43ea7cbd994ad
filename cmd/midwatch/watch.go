package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/excerpt"
	"github.com/midwatch/midwatch/router"
)

// watchFlags say which Midwatch is watched, and how.
type watchFlags struct {
	target *string
	every  *time.Duration
	after  *time.Duration
	client client // its token
}

const (
	watchTimeout    = 10 * time.Second // for one look
	minWatchEvery   = time.Second
	watchAnswer     = 64 << 10 // bytes of an answer that are read
	watchHeldFor    = 4        // the alert fires on for so many looks without news, as Prometheus' alerts do
	alertDown       = "MidwatchDown"
	watchStorage    = "watch-data/"
	watchListen     = "127.0.0.1:9095"
	watchedSeverity = "critical"
)

func watchCommand(app *kingpin.Application, out *output) map[string]command {
	cmd := app.Command("watch", "Watch another Midwatch, and page by a configuration of your own when it is not well: a whole second Midwatch that feeds itself one alert, MidwatchDown.")
	w := &watchFlags{
		target: cmd.Flag("target", "The Midwatch to watch: the URL under which it is reached.").Required().String(),
		every:  cmd.Flag("every", "How often to look.").Default("30s").Duration(),
		after:  cmd.Flag("for", "For how long it must not be well before the alert fires.").Default("2m").Duration(),
	}
	w.client = client{base: w.target, token: cmd.Flag("target.token-file", "File with a bearer token for the target. Also MIDWATCH_TOKEN holds a token.").PlaceHolder("FILE").String()}
	f := newServeFlags(cmd, serveDefaults{storage: watchStorage, listen: watchListen})
	f.watch = w
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		if err := w.check(); err != nil {
			return out.fail(exitUsage, err)
		}
		if *f.configFile == "" {
			return out.fail(exitUsage, errors.New("say whom to page: --config.file, a configuration of the watch alone (docs/operations.md)"))
		}
		if !*f.cluster.chosen {
			*f.cluster.listenAddress = "" // it has no peers, and the port is the target's
		}
		return serve(ctx, f, out)
	}}
}

func (f *watchFlags) check() error {
	u, err := url.Parse(*f.target)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("--target %q is not an address; write https://midwatch.example.org", *f.target)
	case *f.every < minWatchEvery:
		return fmt.Errorf("--every is %s; look at most once a second", *f.every)
	case *f.after < 0:
		return errors.New("--for is negative")
	}
	return nil
}

// A watcher looks at another Midwatch, and keeps one alert about it.
type watcher struct {
	flags  *watchFlags
	target *url.URL
	client *http.Client
	post   func(context.Context, []*router.Alert) error
	fires  func(router.Labels) bool // whether the engine knows an alert as firing
	log    *zap.Logger

	since time.Time // it is not well from then on, as far as was seen; zero: it is well
}

func (d *daemon) watcher() *watcher {
	u, err := url.Parse(*d.flags.watch.target)
	if err != nil {
		panic(err) // it was checked
	}
	return &watcher{
		flags: d.flags.watch, target: u, post: d.engine.Receive, log: d.log.zap.With(zap.String("component", "watch"), zap.String("target", u.Redacted())),
		fires: func(l router.Labels) bool {
			a := d.engine.Router().Alerts().Get(l)
			return a != nil && !a.Ended
		},
		client: &http.Client{Timeout: watchTimeout, Transport: http.DefaultTransport.(*http.Transport).Clone()},
	}
}

// run looks every so often until ctx is done. When it ends it says nothing: nothing is over because the watch is.
func (w *watcher) run(ctx context.Context) {
	defer w.client.CloseIdleConnections()
	w.log.Info("watching another midwatch", zap.Duration("every", *w.flags.every), zap.Duration("for", *w.flags.after))
	tick := time.NewTicker(*w.flags.every)
	defer tick.Stop()
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look looks once, and says what is to be said.
func (w *watcher) look(ctx context.Context) {
	err := w.unwell(ctx)
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	switch {
	case err == nil:
		if !w.since.IsZero() {
			w.log.Info("the watched midwatch is well again")
		}
		w.since = time.Time{}
		if a := w.alert(now, now, "It is well"); w.fires(a.Labels) { // also one of an earlier life of this watch
			w.say(ctx, a)
		}
		return
	case w.since.IsZero():
		w.since = now
		w.log.Warn("the watched midwatch is not well", zap.Error(err))
	}
	if now.Sub(w.since) >= *w.flags.after {
		w.say(ctx, w.alert(w.since, now.Add(watchHeldFor**w.flags.every+watchTimeout), err.Error()))
	}
}

func (w *watcher) say(ctx context.Context, a *router.Alert) {
	if err := w.post(ctx, []*router.Alert{a}); err != nil && ctx.Err() == nil {
		w.log.Error("the watch could not tell its own engine; it tries again", zap.Error(err))
	}
}

func (w *watcher) alert(since, until time.Time, why string) *router.Alert {
	host := w.target.Host
	return &router.Alert{
		Labels: router.LabelsOf(map[string]string{"alertname": alertDown, "target": host, "severity": watchedSeverity}),
		Annotations: router.LabelsOf(map[string]string{
			"summary":     fmt.Sprintf("Midwatch at %s is not well", host),
			"description": fmt.Sprintf("%s. While it is so, nobody may be paged about anything.", why),
		}),
		StartsAt: since, EndsAt: until, UpdatedAt: time.Now(), GeneratorURL: w.target.Redacted(),
	}
}

// unwell says what is wrong with the target: it does not answer, it has not begun, or it says so itself.
func (w *watcher) unwell(ctx context.Context) error {
	status, text, err := w.get(ctx, "-/ready")
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("it is not ready: %d %s", status, firstLine(text))
	}
	status, text, err = w.get(ctx, "api/midwatch/v1/health")
	if err != nil {
		return err
	}
	var health struct {
		Problems []string `json:"problems"`
	}
	switch {
	case status == http.StatusOK, status == http.StatusNotFound: // an older one does not know; that it is ready must do
		return nil
	case status == http.StatusServiceUnavailable && json.Unmarshal([]byte(text), &health) == nil && len(health.Problems) > 0:
		return fmt.Errorf("it says that it is not well: %s", strings.Join(health.Problems, "; "))
	}
	return fmt.Errorf("asked for its health, it answered %d %s", status, firstLine(text))
}

func (w *watcher) get(ctx context.Context, path string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.target.JoinPath(path).String(), nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("User-Agent", "midwatch-watch/"+version)
	token, err := w.flags.client.bearer()
	if err != nil {
		return 0, "", fmt.Errorf("--target.token-file: %w", err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return 0, "", fmt.Errorf("it does not answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, watchAnswer))
	if err != nil {
		return 0, "", fmt.Errorf("it breaks off its answer: %w", err)
	}
	return resp.StatusCode, string(body), nil
}

const maxFirstLine = 200 // bytes

// firstLine is what a program says, short enough for a page.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return excerpt.Bytes(line, maxFirstLine)
}
