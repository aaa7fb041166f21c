package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"

	"backplane/boards/control"
	"backplane/firmware/agentproto"
	"backplane/guest/agent"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

func newExec() *cobra.Command {
	var onTerminal bool
	cmd := clientCommand("exec [-t] BOARD COMMAND [ARGUMENT...]", "Run a command on a board", cobra.MinimumNArgs(2),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			r := control.Request{Command: "exec", Path: args[0], Args: args[1:]}
			if onTerminal {
				restore, err := rawTerminal()
				if err != nil {
					return badMachine(err)
				}
				defer restore()
				size := terminalSize()
				r.Terminal = &size
				if t := os.Getenv("TERM"); t != "" {
					r.Env = []string{"TERM=" + t}
				}
			}
			if err := agent.Fits(agentproto.ExecRequest{Args: r.Args, Env: r.Env, Terminal: r.Terminal, Window: control.Window}); err != nil {
				return badInput(err)
			}
			if err := c.Send(r); err != nil {
				return badMachine(err)
			}
			j := newJob(c)
			if onTerminal {
				go j.follow()
			}
			if inForeground() {
				go func() {
					if j.give(os.Stdin) != nil {
						j.end()
					}
				}()
			} else {
				go j.end()
			}
			last, err := j.take(cmd.OutOrStdout(), cmd.ErrOrStderr())
			switch {
			case last.Status != 0: // with an error if it could not be started
				if err != nil {
					err = misplacedFlag(fmt.Errorf("board %s: %w", args[0], err), args)
				}
				return &statusError{last.Status, err}
			}
			return failed(err)
		})
	literally(cmd, 0)
	completes(cmd, "board")
	cmd.Flags().BoolVarP(&onTerminal, "terminal", "t", false, "give the command a terminal, of this one's size")
	cmd.Long = `Run a command on a board and end with its exit status: 127 if the board has no such
program, 126 if it cannot be started. While a board boots, it waits for the board's
agent, at most a minute. Standard input is passed on as it arrives. With -t the
command has a terminal, as a shell or an editor needs: it gets every key, Ctrl-C too. If
nobody reads its output, the command waits, as in a pipe. Flags come before BOARD:
everything after it is the command.`
	cmd.Example = `  backplane exec sensor ls -l /sys/bus/i2c/devices
  tar c -C app . | backplane exec sensor tar x -C /opt
  backplane exec -t sensor sh`
	return cmd
}

// misplacedFlag adds to the error of a command that could not be started that it looks
// like a flag.
func misplacedFlag(err error, args []string) error {
	if !strings.HasPrefix(args[1], "-") {
		return err
	}
	right := fmt.Sprintf("backplane exec %s %s %s", args[1], args[0], strings.Join(args[2:], " "))
	return fmt.Errorf("%w (flags come before BOARD, as in '%s': everything after it is the command)", err, strings.TrimSpace(right))
}

// job is this end of what a board does: its input, as fast as that is taken.
type job struct {
	c       *control.Conn
	mu      sync.Mutex // guards what is written to c, and room
	changed sync.Cond
	room    int
}

func newJob(c *control.Conn) *job {
	j := &job{c: c, room: control.Window}
	j.changed.L = &j.mu
	return j
}

// give passes on what it reads, and says so when there is no more; an error is up to
// the caller.
func (j *job) give(in io.Reader) error {
	buf := make([]byte, control.MaxInput)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			j.mu.Lock()
			for j.room < n {
				j.changed.Wait()
			}
			j.room -= n
			e := j.c.Give(control.Input{Data: buf[:n]})
			j.mu.Unlock()
			if e != nil {
				return e
			}
		}
		if err == io.EOF {
			j.end()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// end says that there is no more input.
func (j *job) end() { j.say(control.Input{End: true}) }

func (j *job) say(in control.Input) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.c.Give(in) // if it is lost, so is the job
}

// take writes out what comes, until the job has ended.
func (j *job) take(stdout, stderr io.Writer) (control.Reply, error) {
	for {
		r, err := j.c.Next()
		if err != nil || r.Done {
			return r, err
		}
		if r.Taken > 0 {
			j.mu.Lock()
			j.room += r.Taken
			j.changed.Signal()
			j.mu.Unlock()
		}
		if r.Note != "" {
			fmt.Fprintf(stderr, "backplane: %s\n", r.Note)
		}
		if err := pass(stdout, r.Stdout); err != nil {
			return r, err
		}
		if err := pass(stderr, r.Stderr); err != nil {
			return r, err
		}
	}
}

// pass writes what a board has said. Of nothing it makes no write(2), which fails on a
// full device all the same.
func pass(to io.Writer, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if _, err := to.Write(p); err != nil {
		return badMachine(err)
	}
	return nil
}

// follow tells of each new size of this terminal.
func (j *job) follow() {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	for range changed {
		size := terminalSize()
		j.say(control.Input{Terminal: &size})
	}
}

// terminalSize is that of the terminal that the user sees, as far as there is one.
func terminalSize() agentproto.Size {
	for _, f := range []*os.File{os.Stdout, os.Stdin, os.Stderr} {
		if cols, rows, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 && rows > 0 {
			return agentproto.Size{Cols: uint16(cols), Rows: uint16(rows)}
		}
	}
	return agentproto.Size{Cols: 80, Rows: 24}
}

// inForeground tells whether this program may read what stands on standard input:
// one in the background that reads the terminal is stopped.
func inForeground() bool {
	group, err := unix.IoctlGetInt(int(os.Stdin.Fd()), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp() // it is no terminal
}

// rawTerminal lets all keys come, Ctrl-C too, if standard input is a terminal.
func rawTerminal() (restore func(), err error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return func() {}, nil
	}
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return undoing(func() { _ = term.Restore(fd, before) }), nil
}
