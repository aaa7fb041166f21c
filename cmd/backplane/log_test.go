package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// logged is what comes into a log with those flags.
func logged(t *testing.T, level, format string, do func(*programLog)) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log")
	sink, err := openLogFile(file)
	if err != nil {
		t.Fatal(err)
	}
	l := newProgramLog()
	l.level.value, l.format.value = level, format
	if err := l.begin(sink); err != nil {
		t.Fatal(err)
	}
	do(l)
	if err := l.end(exitPassed, nil); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLogFormats: each has all fields, and no control that a guest has sent.
func TestLogFormats(t *testing.T) {
	do := func(l *programLog) {
		l.Named("board").Warn("state", zap.Duration("t", 1500*time.Microsecond), zap.String("detail", "\x1b[2J\u009b2J\x7f\xffä\n"))
	}
	line, _, _ := strings.Cut(logged(t, "info", "json", do), "\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(got["time"])); err != nil || at.Location() != time.UTC {
		t.Errorf("the time is %v", got["time"])
	}
	delete(got, "time")
	want := map[string]any{"level": "warn", "logger": "board", "message": "state", "pid": float64(os.Getpid()),
		"t": 1.5e6, "detail": "\x1b[2J\u009b2J\x7f\ufffdä\n"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	controls := regexp.MustCompile(`[\x00-\x1f\x7f\x{80}-\x{9f}]`)
	person, _, _ := strings.Cut(logged(t, "info", "console", do), "\n")
	for _, l := range []string{line, person} {
		if controls.MatchString(l) {
			t.Errorf("a terminal obeys %q", l)
		}
	}
	pattern := fmt.Sprintf(`^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warn board state {"pid": %d, "t": "1.5ms", "detail": ".*ä\\n"}$`, os.Getpid())
	if !regexp.MustCompile(pattern).MatchString(person) {
		t.Errorf("%s\ndoes not match %s", person, pattern)
	}
}

func TestLogLevels(t *testing.T) {
	for level, want := range map[string]string{"debug": "debug info warn error end", "info": "info warn error end", "warn": "warn error", "error": "error"} {
		text := logged(t, level, "json", func(l *programLog) {
			l.Debug("debug")
			l.Info("info")
			l.Warn("warn")
			l.Error("error")
		})
		var got []string
		for _, m := range regexp.MustCompile(`"message":"(\w+)"`).FindAllStringSubmatch(text, -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has %q, want %s", level, got, want)
		}
	}
}

// TestLogOfNobody: without flags there is no log, and nothing to be ended.
func TestLogOfNobody(t *testing.T) {
	l := newProgramLog()
	l.Error("nobody wants it")
	if err := l.end(exitFailed, errors.New("an error")); err != nil || l.sink != nil {
		t.Errorf("%v, %v", err, l.sink)
	}
}

// TestLogSaysAsMuch: what repeats is not all written, which is said.
func TestLogSaysAsMuch(t *testing.T) {
	const all = moreThanEnough + 50
	text := logged(t, "info", "json", func(l *programLog) {
		for range all {
			l.Info("again")
		}
		l.Info("other")
	})
	again := strings.Count(text, `"message":"again"`)
	if strings.Count(text, `"message":"other"`) != 1 || again < moreThanEnough || again == all {
		t.Errorf("%d of %d lines, and\n%s", again, all, text)
	}
	if want := fmt.Sprintf(`"lines":%d}`, all-again); !strings.Contains(text, want) {
		t.Errorf("not %s in\n%s", want, text[strings.LastIndex(text, "again"):])
	}
}

// TestLogOnAFullDisk: who logs is not told; who has asked for the log is.
func TestLogOnAFullDisk(t *testing.T) {
	sink, err := openLogFile("/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	l := newProgramLog()
	if err := l.begin(sink); err != nil {
		t.Fatal(err)
	}
	old := os.Stderr
	defer func() { os.Stderr = old }()
	said := filepath.Join(t.TempDir(), "stderr")
	if os.Stderr, err = os.Create(said); err != nil {
		t.Fatal(err)
	}
	l.Info("one")
	l.Info("two")
	err = l.end(exitPassed, nil)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "the log in /dev/full is incomplete, 3 lines are missing: ") {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(said); err != nil || len(text) > 0 {
		t.Errorf("standard error has %q, %v", text, err)
	}
	if n, err := sink.Write([]byte("late\n")); n != 5 || err != nil {
		t.Errorf("a line after the end: %d, %v", n, err)
	}
}

// TestLogFiles: what cannot be one says why, and what is one grows.
func TestLogFiles(t *testing.T) {
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"":                         "--log-file is empty; it must be a file",
		dir:                        "--log-file: open " + dir + ": is a directory",
		filepath.Join(dir, "no/x"): "--log-file: open " + dir + "/no/x: no such file or directory",
		pipe:                       "--log-file: " + pipe + ": is a pipe without a reader",
	} {
		if _, err := openLogFile(name); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
	for range 2 {
		sink, err := openLogFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write([]byte("a line\n")); err != nil {
			t.Error(err)
		}
		if err := sink.close(); err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "a line\na line\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestLogFlagsAreCompleted: a shell knows the words.
func TestLogFlagsAreCompleted(t *testing.T) {
	for line, want := range map[string]string{"ps --log-level ": "debug\ninfo\nwarn\nerror\n:4\n", "--log-format ": "console\njson\n:4\n"} {
		root := newRoot(newProgramLog())
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(new(bytes.Buffer))
		root.SetArgs(append([]string{"__complete"}, strings.Split(line, " ")...))
		if err := root.ExecuteContext(t.Context()); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v", line, &out, err)
		}
	}
}
