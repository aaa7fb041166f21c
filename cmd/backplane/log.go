package main

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"backplane/boards/record"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// programLog is what the program itself does, line by line, if a flag asks for it. It is
// beside what commands say, which stays as it is.
type programLog struct {
	level, format choice
	file          string

	*zap.Logger // never nil: without those flags it takes everything and keeps nothing
	sink        *logSink
	left        atomic.Int64 // lines that were too many of a kind
}

const (
	logLevelFlag  = "log-level"
	logFormatFlag = "log-format"
	logFileFlag   = "log-file"
)

// Of lines with one message that come within a second the first moreThanEnough are
// written, and then each sparse-th: guests make the program write some of them.
const moreThanEnough, sparse = 100, 1000

func newProgramLog() *programLog {
	return &programLog{
		level:  choice{"info", []string{"debug", "info", "warn", "error"}},
		format: choice{"console", []string{"console", "json"}},
		Logger: zap.NewNop(),
	}
}

// flags gives a command, and all below it, the log's flags.
func (l *programLog) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.Var(&l.level, logLevelFlag, "least level to log; each of these three flags turns the program's log on (docs/log.md)")
	f.Var(&l.format, logFormatFlag, "format of the log: text for people, or one JSON object per line")
	f.StringVar(&l.file, logFileFlag, "", "append the log to this `FILE` (default: standard error)")
	_ = root.RegisterFlagCompletionFunc(logLevelFlag, l.level.complete)   // the flags are there
	_ = root.RegisterFlagCompletionFunc(logFormatFlag, l.format.complete) //
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return l.open(cmd) }
}

// open begins the log, if a flag asks for one, before the command does anything.
func (l *programLog) open(cmd *cobra.Command) error {
	f := cmd.Flags()
	if !f.Changed(logLevelFlag) && !f.Changed(logFormatFlag) && !f.Changed(logFileFlag) {
		return nil
	}
	sink := &logSink{f: os.Stderr, name: "on standard error"}
	if f.Changed(logFileFlag) {
		var err error
		if sink, err = openLogFile(l.file); err != nil {
			return badInput(err)
		}
	}
	if err := l.begin(sink); err != nil {
		return badInput(err)
	}
	l.Info("begin", zap.String("command", cmd.CommandPath()), zap.String("version", record.Revision()))
	ctx := cmd.Context()
	context.AfterFunc(ctx, func() {
		var s *signalError
		if errors.As(context.Cause(ctx), &s) {
			l.Info("signal", zap.Stringer("signal", s.signal))
		}
	})
	return nil
}

// begin makes the logger, of the flags' values.
func (l *programLog) begin(sink *logSink) error {
	level, err := zapcore.ParseLevel(l.level.value)
	if err != nil {
		return err
	}
	core := zapcore.NewCore(logEncoder(l.format.value), sink, level)
	core = zapcore.NewSamplerWithOptions(core, time.Second, moreThanEnough, sparse, zapcore.SamplerHook(func(_ zapcore.Entry, d zapcore.SamplingDecision) {
		if d&zapcore.LogDropped != 0 {
			l.left.Add(1)
		}
	}))
	l.sink, l.Logger = sink, zap.New(core).With(zap.Int("pid", os.Getpid()))
	return nil
}

// end writes the last line, and says if the log is not whole. The status is the
// command's, and the error what it ended with.
func (l *programLog) end(status int, err error) error {
	if l.sink == nil {
		return nil
	}
	if n := l.left.Load(); n > 0 {
		l.Warn("lines were left out", zap.Int64("lines", n))
	}
	if err != nil && err.Error() != "" {
		l.Error("end", zap.Int("status", status), zap.Error(err))
	} else {
		l.Info("end", zap.Int("status", status))
	}
	return l.sink.close()
}

// logEncoder writes lines for people, or for programs: times of day in UTC; durations
// with a unit for people, and in nanoseconds, as events have them, for programs.
func logEncoder(format string) zapcore.Encoder {
	c := zapcore.EncoderConfig{
		TimeKey: "time", LevelKey: "level", NameKey: "logger", MessageKey: "message",
		EncodeTime:     func(t time.Time, to zapcore.PrimitiveArrayEncoder) { zapcore.RFC3339NanoTimeEncoder(t.UTC(), to) },
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.NanosDurationEncoder,
	}
	if format == "json" {
		return zapcore.NewJSONEncoder(c)
	}
	c.EncodeTime = func(t time.Time, to zapcore.PrimitiveArrayEncoder) {
		to.AppendString(t.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	}
	c.EncodeDuration, c.ConsoleSeparator = zapcore.StringDurationEncoder, " "
	return zapcore.NewConsoleEncoder(c)
}
