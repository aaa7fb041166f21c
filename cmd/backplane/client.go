package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"backplane/boards/control"

	"github.com/spf13/cobra"
)

// clientCommand is a command for an appliance that is up. It ends at the first
// signal, whatever it waits for: its reader, its writer, or the appliance.
func clientCommand(use, short string, args cobra.PositionalArgs, run func(c *control.Conn, cmd *cobra.Command, args []string) error) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return untilSignal(cmd.Context(), func() error {
				c, err := dial(name)
				if err != nil {
					return err
				}
				defer c.Close()
				return run(c, cmd, args)
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the appliance, if more than one is up")
	_ = cmd.RegisterFlagCompletionFunc("name", completeName) // the flag is there
	return cmd
}

func dial(name string) (*control.Conn, error) {
	c, err := control.Dial(name)
	switch {
	case errors.Is(err, control.ErrPlace):
		return nil, badMachine(err)
	case err != nil:
		return nil, badInput(err)
	}
	return c, nil
}

// untilSignal does what a client does, which may go on in the dark, for the rest of
// the program's life, once a signal has ended it.
func untilSignal(ctx context.Context, run func() error) error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	undoAll()
	var s *signalError
	if errors.As(context.Cause(ctx), &s) {
		return &statusError{status: 128 + int(s.signal)}
	}
	return ctx.Err()
}

// literally lets what comes after a command's first argument be taken as it is, also
// where it looks like a flag, with a "--" before it or without: so many words of it,
// and all if that is 0. Flags may stand before, and after those words.
func literally(cmd *cobra.Command, words int) {
	cmd.Flags().SetInterspersed(false)
	split := func(args []string) (mine, flags []string) {
		if len(args) > 1 && args[1] == "--" {
			args = slices.Delete(slices.Clone(args), 1, 2)
		}
		if n := 1 + words; words > 0 && len(args) > n {
			return args[:n], args[n:]
		}
		return args, nil
	}
	valid, run := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		mine, flags := split(args)
		if err := cmd.Flags().Parse(flags); err != nil {
			return flagError(cmd, err)
		}
		return valid(cmd, append(slices.Clip(mine), cmd.Flags().Args()...))
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		mine, _ := split(args)
		return run(cmd, mine)
	}
}

// do does a command and hands on each answer.
func do(c *control.Conn, r control.Request, each func(control.Reply) error) error {
	if _, err := c.Do(r, each); err != nil {
		return badInput(err)
	}
	return nil
}

// ask does a command whose answer is one value.
func ask(c *control.Conn, r control.Request, value any) error {
	return do(c, r, func(reply control.Reply) error { return json.Unmarshal(reply.Data, value) })
}

func newDown() *cobra.Command {
	cmd := clientCommand("down [NAME]", "Shut an appliance down, and wait until its record is written", cobra.MaximumNArgs(1),
		func(c *control.Conn, _ *cobra.Command, _ []string) error {
			_, err := c.Do(control.Request{Command: "down"}, func(control.Reply) error { return nil })
			return badMachine(err)
		})
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return run(cmd, nil)
		}
		if cmd.Flags().Changed("name") {
			return badInput(errors.New("NAME and --name mean the same: give one of them"))
		}
		if err := cmd.Flags().Set("name", args[0]); err != nil {
			return badInput(err)
		}
		return run(cmd, nil)
	}
	cmd.ValidArgsFunction = completeName
	cmd.Long = `Shut down the named appliance, or the only one that is up. Boards are powered off in
order; a board that is not off within its [firmware] shutdown time (default 2 s, or 10 s with an init system) has its
plug pulled. The command returns when the record is written.`
	return cmd
}

func newWait() *cobra.Command {
	var limit time.Duration
	cmd := clientCommand("wait up|off|end [BOARD...]", "Wait until boards are up or off, or for the appliance's end", cobra.MinimumNArgs(1),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			r := control.Request{Command: "wait", Value: args[0], Args: args[1:]}
			switch {
			case r.Value != control.Up && r.Value != control.Off && r.Value != control.End:
				return badInput(fmt.Errorf("%q is not a state to wait for: use up, off or end", r.Value))
			case r.Value == control.End && len(r.Args) > 0:
				return badInput(errors.New("only the whole appliance ends: name no board"))
			}
			done := make(chan error, 1)
			go func() {
				_, err := c.Do(r, func(control.Reply) error { return nil })
				done <- err
			}()
			var late <-chan time.Time
			if limit > 0 {
				late = time.After(limit)
			}
			select {
			case err := <-done:
				return failed(err)
			case <-late:
				return &statusError{exitFailed, fmt.Errorf("not %s after %s", strings.Join(args, " "), limit)}
			}
		})
	cmd.Long = `Wait until boards are up (all, if none is named) or off, or until the appliance has
ended and its record is written. Exit status 1 if a board has failed, or when --limit
is over.`
	cmd.Flags().DurationVar(&limit, "limit", 0, "how long to wait, by this machine's clock (default: for ever)")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return []string{control.Up, control.Off, control.End}, cobra.ShellCompDirectiveNoFileComp
		}
		return places(cmd, "board", typed), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}
