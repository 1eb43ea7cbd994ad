package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/common/promslog"
	"go.uber.org/zap"
)

// TestTheLogSaysWhereItListens, in the words and the forms in which Alertmanager's acceptance tests and people's tools look
// for it.
func TestTheLogSaysWhereItListens(t *testing.T) {
	r := begin(t, plain)
	address := strings.TrimPrefix(r.url, "http://")
	if line := r.log.await(t, "Listening on"); !strings.Contains(line, ` level=INFO `) || !strings.HasSuffix(line, ` msg="Listening on" address=`+address+"\n") {
		t.Errorf("logfmt: %s", line)
	}
	r = begin(t, plain, "--log.format=json")
	address = strings.TrimPrefix(r.url, "http://")
	var line struct{ Level, Msg, Address string }
	if err := json.Unmarshal([]byte(r.log.await(t, "Listening on")), &line); err != nil {
		t.Fatal(err)
	}
	if line.Level != "INFO" || line.Msg != "Listening on" || line.Address != address {
		t.Errorf("json: %+v", line)
	}
}

// TestTheLogSaysWhatIsLoaded at the start and at each reload.
func TestTheLogSaysWhatIsLoaded(t *testing.T) {
	r := begin(t, plain)
	for range 2 {
		for _, want := range []string{"Loading configuration file", "Completed loading of configuration file"} {
			line := r.log.await(t, `msg="`+want)
			if !strings.HasSuffix(line, " component=configuration file="+r.file+"\n") {
				t.Errorf("%s", line)
			}
		}
		before := len(r.log.String())
		r.ask(http.MethodPost, "/-/reload")
		if after := r.log.String()[before:]; strings.Count(after, "oading") != 2 {
			t.Errorf("a reload said %s", after)
		}
	}
}

// TestOurLinesAndTheirsAreOfOneForm: an error has the key that Alertmanager gives it.
func TestOurLinesAndTheirsAreOfOneForm(t *testing.T) {
	j := newJournal()
	log := newLogging(j, promslog.NewLevel(), promslog.NewFormat())
	err := errors.New("no such thing")
	log.zap.With(zap.String("component", "x")).Warn("it failed", zap.Error(err), zap.Int("n", 3))
	log.slog.With("component", "x").Warn("it failed", "err", err, "n", 3)
	var tails []string
	for line := range strings.Lines(j.String()) {
		_, tail, _ := strings.Cut(line, " msg=")
		tails = append(tails, tail)
	}
	if len(tails) != 2 || tails[0] != tails[1] {
		t.Errorf("%q", tails)
	}
}
