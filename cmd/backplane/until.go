package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/scenarios"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

// errOver ends a session that has nothing to go on with.
var errOver = errors.New("the session is over")

// runUntil plays a scenario up to a place, and keeps its appliance running.
func runUntil(cmd *cobra.Command, s *scenarios.Scenario, a *boards.Appliance, o *runOptions, text string, log *zap.Logger) error {
	until, err := s.ParseUntil(text)
	if err != nil {
		return badInput(fmt.Errorf("--until: %w", err))
	}
	if s.Stall > 0 {
		o.stall = time.Duration(s.Stall)
	}
	out := cmd.OutOrStdout()
	seen := s.Recorder()
	return up(cmd, a, o, &session{events: seen.Event, first: func(ctx context.Context, r *appliance.Running) error {
		report := scenarios.Run(ctx, r, s, scenarios.Options{Recorder: seen, Until: until, OnStep: func(r scenarios.StepResult) { printStep(out, r) }})
		failed := func() error {
			fmt.Fprintf(out, "FAILED: %s before the run came to %s\n", s.Name, text)
			return &statusError{status: exitFailed}
		}
		if !report.Passed() && text != "failure" {
			return failed()
		}
		if report.Passed() && text == "failure" {
			fmt.Fprintf(out, "PASSED: %s, so there is nothing to look at\n", s.Name)
			return errOver
		}
		switch _, err := r.Advance(ctx, until.Time(), nil); { // beyond the last step
		case ctx.Err() != nil:
			return failed()
		case err != nil:
			return badMachine(err)
		}
		fmt.Fprintf(out, "%[1]s is yours from %[2]s on: 'backplane ps --name %[1]s' shows it, Ctrl-C or 'backplane down %[1]s' ends it\n", a.Name, r.Now())
		return nil
	}}, log)
}
