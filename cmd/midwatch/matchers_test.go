package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/common/promslog"
)

// TestMatchersAreSetOnce starts what a second midwatch of the process starts with, while the first one parses. The race detector
// looks on.
func TestMatchersAreSetOnce(t *testing.T) {
	var out, other strings.Builder
	level := promslog.NewLevel()
	if err := level.Set("debug"); err != nil {
		t.Fatal(err)
	}
	initMatchers(newLogging(&out, level, promslog.NewFormat()), featurecontrol.NoopFlags{})
	var both sync.WaitGroup
	both.Go(func() {
		for range 100 {
			if _, err := compat.Matcher(`team="db"`, "test"); err != nil || !compat.IsValidLabelName("team") {
				t.Error(err)
			}
		}
	})
	both.Go(func() { initMatchers(newLogging(&other, level, promslog.NewFormat()), featurecontrol.NoopFlags{}) })
	both.Wait()
	was := out.Len()
	if _, err := compat.Matcher(`service="web"`, "test"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(other.String(), "web") || out.Len() != was {
		t.Errorf("the first logs %q, the second %q", out.String()[was:], other.String())
	}

	// Another way of parsing is taken over all the same.
	classic, err := featurecontrol.NewFlags(promslog.NewNopLogger(), featurecontrol.FeatureClassicMode)
	if err != nil {
		t.Fatal(err)
	}
	defer initMatchers(logging{}, featurecontrol.NoopFlags{})
	initMatchers(logging{}, classic)
	if compat.IsValidLabelName("ü") {
		t.Error("classic mode takes ü for a label")
	}
	initMatchers(logging{}, featurecontrol.NoopFlags{})
	if !compat.IsValidLabelName("ü") {
		t.Error("the usual mode does not take ü for a label")
	}
}
