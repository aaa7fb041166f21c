package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/control"
	"backplane/boards/record"
	"backplane/guest/agent"
	"backplane/scenarios"
	"backplane/simbus"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

func newUp(log *programLog) *cobra.Command {
	var o runOptions
	var name string
	var detach bool
	var report int
	cmd := &cobra.Command{
		Use:   "up FILE",
		Short: "Boot an appliance, or a single board, and keep it running",
		Long: `Boot an appliance or a single board and keep it running, until Ctrl-C or
'backplane down'. Other terminals reach it with ps, console, exec, get, set and events.
With a virtual clock its time goes no faster than the wall clock's.

With --detach it goes on in the background, in a session of its own, once all boards
are up; if a board fails, a message says so and the exit status is 1 (the others stay
up for inspection). Later messages go to a file, whose name is printed; the file is
removed when the appliance ends in order.`,
		Example: "  backplane up --detach plant.toml && backplane exec sensor dmesg && backplane down",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder, err := o.restrict.folder(args[0])
			if err != nil {
				return err
			}
			a, err := loadAppliance(folder, args[0])
			if err != nil && scenarios.IsScenario(args[0]) {
				err = fmt.Errorf("%s is a scenario: 'backplane run %s' plays it", args[0], args[0])
			}
			if err != nil {
				return badInput(err)
			}
			if name != "" {
				a.Name = name
			}
			if detach {
				return startDetached(cmd)
			}
			var parent *detached
			if cmd.Flags().Changed(reportFlag) {
				if parent, err = newDetached(report, a); err != nil {
					return badMachine(err)
				}
			}
			return parent.failed(up(cmd, a, &o, &session{parent: parent}, log.Logger))
		},
	}
	o.flags(cmd, "real")
	cmd.Flags().DurationVar(&o.stall, "stall-limit", 0, "in virtual time, how long a guest may be silent before it counts as hung, by this machine's clock (default: 1m, and 1s for each GiB that the largest board has)")
	cmd.Flags().BoolVar(&detach, "detach", false, "return when all boards are up, and go on in the background")
	cmd.Flags().IntVar(&report, reportFlag, 0, "the file descriptor on which --detach waits")
	_ = cmd.Flags().MarkHidden(reportFlag) // it is there
	cmd.Flags().StringVar(&name, "name", "", "name to reach it by (default: the appliance's name)")
	return cmd
}

// session is what is special about an appliance that is kept running.
type session struct {
	parent *detached // who waits until it is up, or nil
	// first is what happens before others reach it, as fast as it goes; nil: nothing.
	first  func(context.Context, *appliance.Running) error
	events func(*simbus.Event) // what it is told of
}

// up keeps an appliance running.
func up(cmd *cobra.Command, a *boards.Appliance, o *runOptions, s *session, log *zap.Logger) error {
	parent := s.parent
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	claim, err := control.NewClaim(a.Name) // before anything boots
	if err != nil {
		return badMachine(err)
	}
	release := sync.OnceFunc(claim.Release)
	defer release()
	if err := parent.open(); err != nil {
		return badMachine(err)
	}
	defer parent.close()
	var server *control.Server
	var listening atomic.Pointer[control.Server] // events come on other goroutines
	news := func(e *simbus.Event) {
		if s := listening.Load(); s != nil {
			s.Event(e)
		}
		if e.Kind == appliance.KindGuest {
			state, _ := e.Get("state")
			detail, _ := e.Get("detail")
			fmt.Fprintf(out, "%s %s: %s %s\n", e.Time, e.Board, stateWord(state), detail)
			parent.state(e.Board, state, detail)
		}
	}
	all := []func(*simbus.Event){news}
	if s.events != nil {
		all = append(all, s.events)
	}
	opts, err := o.options(a, cmd.ErrOrStderr(), log, all...)
	if err != nil {
		return err
	}
	opts.Paced = s.first == nil
	r, err := appliance.Start(ctx, a, opts)
	if err != nil {
		return badStart(err)
	}
	told := time.Now() // to end
	if s.first != nil {
		if err = s.first(ctx, r); err != nil {
			ended := badMachine(r.Close())
			if err == errOver {
				return ended
			}
			return errors.Join(err, ended)
		}
		r.Pace()
	}
	if server, err = claim.Listen(served{r}, log); err == nil {
		listening.Store(server)
		if s.first == nil {
			fmt.Fprintln(out, parent.started(a))
		}
		parent.listening()
		told, err = keep(ctx, r, server.Down())
	}
	r.ShutDown(context.Background(), told)
	if server != nil {
		server.Stop()
	}
	err = errors.Join(err, r.Close())
	parent.ended(err)
	release() // before anybody is told that it has ended, and wants the name
	if server != nil {
		server.Finish(err)
	}
	return badMachine(err)
}

// served is what the control socket's server needs of an appliance.
type served struct{ *appliance.Running }

func (s served) Start(j record.Job, o agent.Output) (control.Program, error) {
	p, err := s.Running.Start(j, o)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func stateWord(state string) string {
	if state == appliance.StateUp {
		return "up"
	}
	return state
}

// keep lets time go on until a request to end, and returns the time of that.
func keep(ctx context.Context, r *appliance.Running, down <-chan struct{}) (told time.Time, err error) {
	ctx, cancel := context.WithCancel(ctx)
	wanted := make(chan time.Time, 1)
	go func() {
		select {
		case <-down:
		case <-ctx.Done():
		}
		wanted <- time.Now()
		cancel()
	}()
	_, err = r.Advance(ctx, simbus.Never, nil)
	if ctx.Err() != nil {
		err = nil
	}
	cancel()
	return <-wanted, err
}
