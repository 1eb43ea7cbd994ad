package main

import (
	_ "github.com/alecthomas/kingpin/v2"
	_ "github.com/emersion/go-smtp"
	_ "github.com/oklog/ulid/v2"
	_ "github.com/prometheus/alertmanager/cli"
	_ "github.com/prometheus/alertmanager/cluster"
	_ "github.com/prometheus/alertmanager/config"
	_ "github.com/prometheus/alertmanager/config/receiver"
	_ "github.com/prometheus/alertmanager/dispatch"
	_ "github.com/prometheus/alertmanager/featurecontrol"
	_ "github.com/prometheus/alertmanager/inhibit"
	_ "github.com/prometheus/alertmanager/matcher/compat"
	_ "github.com/prometheus/alertmanager/nflog"
	_ "github.com/prometheus/alertmanager/silence"
	_ "github.com/prometheus/alertmanager/provider/mem"
	_ "github.com/prometheus/alertmanager/timeinterval"
	_ "github.com/prometheus/alertmanager/api/v2/client"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/exporter-toolkit/web"
	_ "github.com/robfig/cron/v3"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "go.etcd.io/bbolt"
	_ "go.uber.org/goleak"
	_ "go.uber.org/zap"
	_ "go.uber.org/zap/exp/zapslog"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/sys/unix"
	_ "github.com/klauspost/compress/gzip"
	_ "pgregory.net/rapid"
)

func main() {}
