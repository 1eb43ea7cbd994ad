package config

import (
	"flag"
	"os"
	"testing"

	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/common/promslog"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	compat.InitFromFlags(promslog.NewNopLogger(), featurecontrol.NoopFlags{})
	flag.Parse()
	os.Exit(m.Run())
}
