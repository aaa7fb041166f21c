package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
				c, err := control.Dial(name)
				if err != nil {
					return badInput(err)
				}
				defer c.Close()
				return run(c, cmd, args)
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the appliance, if more than one is up")
	return cmd
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
	restoreTerminal()
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
			return err
		}
		return valid(cmd, append(slices.Clip(mine), cmd.Flags().Args()...))
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		mine, _ := split(args)
		return run(cmd, mine)
	}
}

// printText does a command and prints the text that comes.
func printText(c *control.Conn, cmd *cobra.Command, r control.Request) error {
	_, err := c.Do(r, func(reply control.Reply) error {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), reply.Text)
		return err
	})
	if err != nil {
		return badInput(err)
	}
	return nil
}

func newPs() *cobra.Command {
	return clientCommand("ps", "List the boards and their state", cobra.NoArgs,
		func(c *control.Conn, cmd *cobra.Command, _ []string) error {
			return printText(c, cmd, control.Request{Command: "ps"})
		})
}

func newNet() *cobra.Command {
	cmd := clientCommand("net", "Show what the ports of the networks have counted", cobra.NoArgs,
		func(c *control.Conn, cmd *cobra.Command, _ []string) error {
			return printText(c, cmd, control.Request{Command: "net"})
		})
	cmd.Long = `Show what each port of each Ethernet segment has counted: frames from the board
(tx) and to it (rx), what became of them, the most bytes that waited in its queue,
and what was dropped and why.`
	return cmd
}

func newGet() *cobra.Command {
	return clientCommand("get PROPERTY", "Read a property: BOARD.PART.PROPERTY, BOARD.CONTROLLER.LINE, SEGMENT.SETTING, SEGMENT:PORT.SETTING", cobra.ExactArgs(1),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			return printText(c, cmd, control.Request{Command: "get", Path: args[0]})
		})
}

func newSet() *cobra.Command {
	cmd := clientCommand("set PROPERTY VALUE", "Set a property, drive a line, press a button, change a network", cobra.ExactArgs(2),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			return printText(c, cmd, control.Request{Command: "set", Path: args[0], Value: args[1]})
		})
	literally(cmd, 1)
	return cmd
}

func newDown() *cobra.Command {
	return clientCommand("down", "Shut an appliance down", cobra.NoArgs,
		func(c *control.Conn, cmd *cobra.Command, _ []string) error {
			return printText(c, cmd, control.Request{Command: "down"})
		})
}

func newEvents() *cobra.Command {
	var follow bool
	cmd := clientCommand("events", "Show what happened last, a JSON object a line", cobra.NoArgs,
		func(c *control.Conn, cmd *cobra.Command, _ []string) error {
			_, err := c.Do(control.Request{Command: "events", Follow: follow}, func(r control.Reply) error {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", r.Event)
				return err
			})
			return err
		})
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as things happen")
	return cmd
}
