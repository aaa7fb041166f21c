package build

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Runner runs the steps of a build and keeps their log.
type Runner struct {
	Stdin io.Reader         // of the next step
	Line  func(line string) // is told each line of output, if set
	In    string            // the folder in which steps run; empty: the build's own

	ctx  context.Context
	work *work
	log  *os.File
}

// Dir is the build's own folder.
func (r *Runner) Dir() string { return r.work.Dir }

// Run runs one step. If it is interrupted, all that it has started ends with it.
func (r *Runner) Run(name string, args ...string) error {
	cmd := exec.CommandContext(r.ctx, name, args...)
	cmd.Dir, cmd.Stdin = cmp.Or(r.In, r.work.Dir), r.Stdin
	r.Stdin = nil
	cmd.Env = append(os.Environ(), "LC_ALL=C", "MAKEFLAGS=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: r.work.group()}
	var kill *time.Timer
	cmd.Cancel = func() error {
		kill = time.AfterFunc(killAfter, r.work.kill)
		return r.work.end()
	}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = in, in
	fmt.Fprintf(r.log, "+ %s %s\n", name, strings.Join(args, " "))
	err = cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return err
	}
	var last []string
	s := bufio.NewScanner(out)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		fmt.Fprintln(r.log, s.Text())
		if last = append(last, s.Text()); len(last) > lastLines {
			last = last[1:]
		}
		if r.Line != nil {
			r.Line(s.Text())
		}
	}
	out.Close()
	err = cmd.Wait()
	if kill != nil {
		kill.Stop()
	}
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	if err != nil {
		return &StepError{Step: filepath.Base(name), Err: err, Last: last, Log: r.log.Name()}
	}
	return nil
}

// killAfter is how long the processes of an interrupted step have to end.
const killAfter = 5 * time.Second

// lastLines is how much of the log an error shows.
const lastLines = 15

// StepError is a step of a build that failed.
type StepError struct {
	Step string
	Err  error
	Last []string // lines of its output
	Log  string   // where all of it is
}

func (e *StepError) Error() string {
	return fmt.Sprintf("%s: %v\n  %s\n(the whole log: %s)", e.Step, e.Err, strings.Join(e.Last, "\n  "), e.Log)
}

func (e *StepError) Unwrap() error { return e.Err }
