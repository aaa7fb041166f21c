package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"unicode/utf8"

	"backplane/simbus/hostfile"

	"golang.org/x/sys/unix"
)

// logSink is where a log goes. Each line is written at once, so that what ends this
// program takes none away. It never fails: what cannot be written is said at the end.
type logSink struct {
	f    *os.File
	name string // for people: where it is

	mu      sync.Mutex
	err     error // why nothing more is written
	missing int   // lines
}

// openLogFile opens a file to be appended to: runs that go on at once may share it.
func openLogFile(name string) (*logSink, error) {
	if name == "" {
		return nil, fmt.Errorf("--%s is empty; it must be a file", logFileFlag)
	}
	// With O_NONBLOCK a pipe that nobody reads is an error, and does not wait for one.
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o644)
	if errors.Is(err, unix.ENXIO) {
		if info, e := os.Stat(name); e == nil {
			err = fmt.Errorf("%s: is %s without a reader", name, hostfile.Kind(info.Mode()))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", logFileFlag, err)
	}
	return &logSink{f: f, name: "in " + name}, nil
}

// Write takes a line.
func (s *logSink) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		_, s.err = s.f.Write(harmless(line))
	}
	if s.err != nil {
		s.missing++
	}
	return len(line), nil
}

// Sync has nothing to do.
func (s *logSink) Sync() error { return nil }

// close ends the log: nothing comes into it after that. The error tells how much of it
// is missing.
func (s *logSink) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	why, missing := s.err, s.missing
	if s.f != os.Stderr {
		if err := s.f.Close(); why == nil {
			why = err
		}
	}
	s.err = os.ErrClosed
	switch {
	case why == nil:
		return nil
	case missing == 0:
		return fmt.Errorf("the log %s may be incomplete: %w", s.name, why)
	}
	return fmt.Errorf("the log %s is incomplete, %d lines are missing: %w", s.name, missing, why)
}

// harmless escapes the controls that JSON leaves as they are and terminals obey, DEL and
// those of 8 bits (ECMA-48 section 5.3, as UTF-8): what guests say comes into the log.
func harmless(line []byte) []byte {
	if !bytes.ContainsFunc(line, obeyed) {
		return line
	}
	var b []byte
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		if obeyed(r) {
			b = fmt.Appendf(b, `\u%04x`, r)
		} else {
			b = append(b, line[:n]...)
		}
		line = line[n:]
	}
	return b
}

func obeyed(r rune) bool { return 0x7f <= r && r < 0xa0 }
