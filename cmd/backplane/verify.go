package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"backplane/boards"
	"backplane/scenarios"
	"backplane/scenarios/verify"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/term"
)

// verifyRuns runs a scenario several times and compares the runs.
func verifyRuns(cmd *cobra.Command, s *scenarios.Scenario, a *boards.Appliance, o *runOptions, times int, log *zap.Logger) error {
	if times < 2 {
		return badInput(fmt.Errorf("--verify is %d; it must be at least 2: it compares one run with another", times))
	}
	if o.clock == scenarios.Real {
		return badInput(errors.New("--verify needs the virtual clock: in real time no two runs are the same (--clock virtual)"))
	}
	if a.Paced {
		return badInput(errors.New("--verify cannot be used with paced = true: the run depends on the host's clock and on the world outside"))
	}
	out, tty := cmd.OutOrStdout(), terminal(cmd.ErrOrStderr())
	opts, err := o.options(a, cmd.ErrOrStderr(), log)
	if err != nil {
		return err
	}
	opts.Copies = true
	var first *scenarios.Report
	runs := verify.Runs{N: times, Start: opts.Start, Dir: o.out, Play: func(ctx context.Context, run int, record string) error {
		one := opts
		one.Out = record
		report, err := scenarios.Play(ctx, s, a, one, scenarios.Options{OnStep: func(r scenarios.StepResult) {
			if run == 1 {
				printStep(out, r)
			}
		}})
		if run == 1 && err == nil {
			first = report
			printReport(out, report)
		}
		if tty != nil {
			fmt.Fprintf(tty, "\r\x1b[K%d of %d runs", run, times)
		}
		return err
	}}
	result, err := runs.Run(cmd.Context())
	if tty != nil {
		fmt.Fprint(tty, "\r\x1b[K")
	}
	if err != nil {
		return badStart(err)
	}
	if d := result.Difference; d != nil {
		fmt.Fprintf(out, "DIFFERENT: run %d of %d differs from run 1\n%s\n", result.Runs, times, d.Text("run 1", fmt.Sprintf("run %d", result.Runs)))
		for _, dir := range result.Kept {
			fmt.Fprintln(out, "kept: "+dir)
		}
		return &statusError{status: exitFailed}
	}
	fmt.Fprintf(out, "SAME: %d runs, all of their events, consoles, captures and reports alike (digest %s)\n", result.Runs, result.Digest)
	if !first.Passed() {
		return &statusError{status: exitFailed}
	}
	return nil
}

// terminal is where progress goes that rewrites its line, nil if there is no such place.
func terminal(w io.Writer) io.Writer {
	if f := file(w); f != nil && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
