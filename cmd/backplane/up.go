package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"backplane/boards"
	"backplane/boards/control"
	"backplane/guest/agent"
	"backplane/periph/chips"
	"backplane/simbus"

	"github.com/spf13/cobra"
)

func newUp() *cobra.Command {
	var o runOptions
	var name string
	cmd := &cobra.Command{
		Use:   "up FILE",
		Short: "Boot an appliance, or a single board, and keep it running",
		Long: `Boot an appliance or a single board and keep it running, until Ctrl-C or
'backplane down'. Other terminals reach it with ps, console, exec, get, set and events.
With a virtual clock its time goes no faster than the wall clock's.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := boards.Load(args[0], chips.All)
			if err != nil {
				return badInput(err)
			}
			if name != "" {
				a.Name = name
			}
			return up(cmd, a, &o)
		},
	}
	o.flags(cmd, "real")
	cmd.Flags().StringVar(&name, "name", "", "name to reach it by; the appliance's own if not given")
	return cmd
}

func up(cmd *cobra.Command, a *boards.Appliance, o *runOptions) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	claim, err := control.NewClaim(a.Name) // before anything boots
	if err != nil {
		return badMachine(err)
	}
	defer claim.Release()
	var server *control.Server
	news := func(e *simbus.Event) {
		if server != nil {
			server.Event(e)
		}
		if e.Kind == simbus.KindGuest {
			state, _ := e.Get("state")
			detail, _ := e.Get("detail")
			fmt.Fprintf(out, "%s %s: %s %s\n", e.Time, e.Board, stateWord(state), detail)
		}
	}
	opts, err := o.options(a, cmd.ErrOrStderr(), news)
	if err != nil {
		return err
	}
	opts.Paced = true
	r, err := boards.Start(ctx, a, opts)
	if err != nil {
		return badStart(err)
	}
	if server, err = claim.Listen(served{r}); err == nil {
		fmt.Fprintf(out, "%s is up: 'backplane console %s' attaches to a console, Ctrl-C or 'backplane down' ends it.\n", a.Name, a.Board[0].Name)
		err = keep(ctx, r, server.Down())
		server.Close()
	}
	end, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r.ShutDown(end, 5*time.Second)
	return badMachine(errors.Join(err, r.Close()))
}

// served is what the control socket's server needs of an appliance.
type served struct{ *boards.Running }

func (s served) Start(j boards.Job, o agent.Output) (control.Program, error) {
	p, err := s.Running.Start(j, o)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func stateWord(state string) string {
	if state == boards.StateUp {
		return "up"
	}
	return state
}

// keep lets time go on until somebody wants the end.
func keep(ctx context.Context, r *boards.Running, down <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-down:
			cancel()
		case <-ctx.Done():
		}
	}()
	_, err := r.Advance(ctx, simbus.Never, nil)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
