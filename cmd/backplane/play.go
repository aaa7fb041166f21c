package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/control"
	"backplane/scenarios"
	"backplane/simbus"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

// runPlayed plays a scenario whose player is somebody outside.
func runPlayed(cmd *cobra.Command, s *scenarios.Scenario, a *boards.Appliance, o *runOptions, log *zap.Logger) error {
	out := cmd.OutOrStdout()
	claim, err := control.NewClaim(a.Name) // before anything boots
	if err != nil {
		return badMachine(err)
	}
	release := sync.OnceFunc(claim.Release)
	defer release()
	var listening atomic.Pointer[control.Server] // events come on other goroutines
	opts, err := o.options(a, cmd.ErrOrStderr(), log, func(e *simbus.Event) {
		if s := listening.Load(); s != nil {
			s.Event(e)
		}
	})
	if err != nil {
		return err
	}
	opts.Paced = true
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	report, err := scenarios.Play(ctx, s, a, opts, scenarios.Options{
		Seated: true,
		OnStart: func(r *appliance.Running) (end func(), err error) {
			server, err := claim.Listen(served{r}, log)
			if err != nil {
				return nil, err
			}
			listening.Store(server)
			fmt.Fprintf(out, "%[1]s is yours to play: 'backplane ps --name %[1]s' shows it, Ctrl-C or 'backplane down %[1]s' gives up\n", a.Name)
			go func() {
				select {
				case <-server.Down():
					cancel(errors.New("the player has given up"))
				case <-ctx.Done():
				}
			}()
			return server.Stop, nil
		},
		OnBegin: func(r scenarios.StepResult) {
			fmt.Fprintf(out, "%12.6f  ...   %s\n", r.Start.Sub(0).Seconds(), r.Name)
		},
		OnStep: func(r scenarios.StepResult) { printStep(out, r) },
	})
	release() // before anybody is told that it has ended, and wants the name
	if server := listening.Load(); server != nil {
		server.Finish(err)
	}
	return judged(out, report, err)
}
