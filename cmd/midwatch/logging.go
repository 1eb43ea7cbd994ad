package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/prometheus/common/promslog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logging is the two loggers of the process. They write the same lines: ours are zap, those of Alertmanager's and
// Prometheus' packages are slog, and both come out in the form that Alertmanager's users parse.
type logging struct {
	zap  *zap.Logger
	slog *slog.Logger
}

// newLogging makes them.
func newLogging(w io.Writer, level *promslog.Level, format *promslog.Format) logging {
	s := promslog.New(&promslog.Config{Level: level, Format: format, Writer: w})
	// Every line counts: no sampling.
	return logging{zap: zap.New(slogCore{handler: s.Handler()}, zap.AddCaller()), slog: s}
}

// A slogCore writes zap's entries through a slog handler.
type slogCore struct {
	handler slog.Handler
	fields  []zapcore.Field
}

func (c slogCore) Enabled(l zapcore.Level) bool {
	return c.handler.Enabled(context.Background(), slogLevel(l))
}

func (c slogCore) With(fields []zapcore.Field) zapcore.Core {
	c.fields = append(c.fields[:len(c.fields):len(c.fields)], fields...)
	return c
}

func (c slogCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c slogCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	r := slog.NewRecord(e.Time, slogLevel(e.Level), e.Message, e.Caller.PC)
	for _, list := range [][]zapcore.Field{c.fields, fields} {
		for _, f := range list {
			if f.Type == zapcore.StringType { // as most are
				r.AddAttrs(slog.String(f.Key, f.String))
				continue
			}
			enc := zapcore.NewMapObjectEncoder()
			f.AddTo(enc)
			v, ok := enc.Fields[f.Key]
			if !ok {
				continue
			}
			key := f.Key
			if f.Type == zapcore.ErrorType && key == "error" {
				key = "err" // as in Alertmanager's lines
			}
			r.AddAttrs(slog.Any(key, v))
		}
	}
	return c.handler.Handle(context.Background(), r)
}

func (slogCore) Sync() error { return nil }

func slogLevel(l zapcore.Level) slog.Level {
	switch {
	case l < zapcore.InfoLevel:
		return slog.LevelDebug
	case l < zapcore.WarnLevel:
		return slog.LevelInfo
	case l < zapcore.ErrorLevel:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}
