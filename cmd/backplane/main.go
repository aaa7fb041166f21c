// Command backplane runs simulated boards: see `backplane help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"backplane/boards/tomlfile"
	"backplane/scenarios"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// Exit statuses.
const (
	exitPassed  = 0
	exitFailed  = 1 // a scenario failed, or a command in a guest did
	exitInput   = 2 // what the user gave is wrong
	exitMachine = 3 // this machine cannot do it
)

// statusError ends the program with a status. An empty message is not printed.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

func badInput(err error) error { return &statusError{exitInput, err} }
func badMachine(err error) error {
	if err == nil {
		return nil
	}
	return &statusError{exitMachine, err}
}

// badStart is for an appliance that could not be started: its file may be why.
func badStart(err error) error {
	var problems tomlfile.Problems
	if errors.As(err, &problems) {
		return badInput(err)
	}
	return badMachine(err)
}

func main() {
	ctx, end := context.WithCancelCause(context.Background())
	allowOwner()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, deadly()...)
	go func() {
		s, _ := (<-signals).(unix.Signal)
		end(&signalError{s})
		s, _ = (<-signals).(unix.Signal) // it does not end fast enough
		undoAll()
		signal.Reset()
		_ = unix.Kill(os.Getpid(), s)
	}()
	out := &output{f: os.Stdout}
	log := newProgramLog()
	root := newRoot(log)
	root.SetOut(out)
	err := addressSpace()
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	status := report(err)
	if lost := out.failed(); lost != nil && !errors.Is(err, out.err) {
		status = max(status, report(badMachine(lost)))
	}
	if lost := log.end(status, err); lost != nil {
		status = max(status, report(badMachine(lost)))
	}
	os.Exit(status)
}

// allowOwner lets this program use what it makes, whatever mask it was started with.
func allowOwner() {
	const owner = 0o700
	unix.Umask(unix.Umask(owner) &^ owner)
}

// deadly are the signals that end this program in order. Those that whoever started it
// has had ignored stay so: nohup(1) does it to SIGHUP, and shells do it to the SIGINT of
// what scripts run in the background.
func deadly() []os.Signal {
	list := []os.Signal{unix.SIGTERM}
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGHUP} {
		if !signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}

// minAddressSpace is what this program needs of addresses, in bytes, most of which it
// never uses: Go's runtime reserves them, and ends with a trace if it gets none.
const minAddressSpace = 2 << 30

// addressSpace says that this program may not have enough of it (ulimit -v).
func addressSpace() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &limit); err != nil || limit.Cur >= minAddressSpace {
		return nil
	}
	return badMachine(fmt.Errorf("the address-space limit is %d MiB; it must be at least %d MiB: ulimit -v %d", limit.Cur>>20, minAddressSpace>>20, minAddressSpace>>10))
}

// signalError is why the program's context ends.
type signalError struct{ signal unix.Signal }

func (e *signalError) Error() string { return e.signal.String() }

// report says what went wrong and returns the exit status.
func report(err error) int {
	if err == nil {
		return exitPassed
	}
	status := exitInput // cobra's own errors are about the command line
	var s *statusError
	var end *signalError
	var problems tomlfile.Problems
	switch {
	case errors.As(err, &end), errors.Is(err, context.Canceled): // neither the input's fault nor the machine's
		status = exitFailed
	case errors.As(err, &s):
		status = s.status
	}
	switch {
	case errors.As(err, &problems):
		fmt.Fprintln(os.Stderr, scenarios.PlainText(problems.Error()))
	case err.Error() != "":
		fmt.Fprintf(os.Stderr, "backplane: %s\n", scenarios.PlainText(err.Error()))
	}
	return status
}

func newRoot(log *programLog) *cobra.Command {
	root := &cobra.Command{
		Use:   "backplane",
		Short: "Boots an appliance of embedded Linux boards before its hardware exists",
		Long: `Backplane runs boards that are described in TOML: each boots a real Linux
kernel, whose own drivers bind to simulated parts. Boards that are wired together
make an appliance; a scenario plays with it and judges it.

Exit status: 0 success (a scenario passed), 1 failure, 2 wrong input, 3 this machine
cannot run it, or the output could not be written. 'exec' ends with the status of its
command; a command ended by signal N has status 128 + N.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddGroup(&cobra.Group{ID: "run", Title: "Run:"}, &cobra.Group{ID: "reach", Title: "Reach an appliance that is up:"},
		&cobra.Group{ID: "know", Title: "Know:"})
	for id, commands := range map[string][]*cobra.Command{
		"run": {newRun(log), newUp(log), newReplay(log), newCheck(), newBench(log)},
		"reach": append(newActions(), newPs(), newNet(), newConsole(), newSerial(), newLogs(), newExec(), newCp(), newGet(),
			newEvents(), newCapture(), newWait(), newDown()),
		"know": {newParts(), newDoctor(), newDisk(), newState(), newImage(), newKernel(log), newEmulator(log), newSchema(), newVersion()},
	} {
		for _, c := range commands {
			c.GroupID = id
			root.AddCommand(c)
			tellUsage(c)
		}
	}
	log.flags(root)
	root.SetFlagErrorFunc(flagError)
	return root
}
