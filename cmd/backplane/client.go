package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"backplane/boards/control"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// clientCommand is a command for an appliance that is up.
func clientCommand(use, short string, args cobra.PositionalArgs, run func(c *control.Conn, cmd *cobra.Command, args []string) error) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := control.Dial(name)
			if err != nil {
				return badInput(err)
			}
			defer c.Close()
			return run(c, cmd, args)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the appliance, if more than one is up")
	return cmd
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
	return clientCommand("set PROPERTY VALUE", "Set a property, drive a line, press a button, change a network", cobra.ExactArgs(2),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			return printText(c, cmd, control.Request{Command: "set", Path: args[0], Value: args[1]})
		})
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

func newExec() *cobra.Command {
	cmd := clientCommand("exec BOARD -- COMMAND [ARGUMENT...]", "Run a command on a board", cobra.MinimumNArgs(2),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			r := control.Request{Command: "exec", Path: args[0], Args: args[1:]}
			if !term.IsTerminal(int(os.Stdin.Fd())) {
				var err error
				if r.Stdin, err = io.ReadAll(io.LimitReader(os.Stdin, maxStdin+1)); err != nil {
					return badInput(err)
				}
				if len(r.Stdin) > maxStdin {
					return badInput(fmt.Errorf("more than %d bytes of input", maxStdin))
				}
			}
			last, err := c.Do(r, func(r control.Reply) error {
				if _, err := cmd.OutOrStdout().Write(r.Stdout); err != nil {
					return err
				}
				_, err := cmd.ErrOrStderr().Write(r.Stderr)
				return err
			})
			if err != nil {
				return &statusError{exitFailed, err}
			}
			if last.Status != 0 {
				return &statusError{status: last.Status}
			}
			return nil
		})
	cmd.Long = "Run a command on a board and end with its exit status. What stands on standard\ninput is its input, unless that is a terminal."
	return cmd
}

// maxStdin is how much input exec takes, in bytes.
const maxStdin = 32 << 20

// escape ends a console session: Ctrl-].
const escape = 0x1d

func newConsole() *cobra.Command {
	cmd := clientCommand("console BOARD[:PART]", "Attach the terminal to a board's console or UART (Ctrl-] ends it)", cobra.ExactArgs(1),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			if err := c.Send(control.Request{Command: "console", Path: args[0]}); err != nil {
				return err
			}
			if _, err := c.Next(); err != nil {
				return badInput(err)
			}
			if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
				fmt.Fprintf(cmd.ErrOrStderr(), "Attached to %s. Ctrl-] ends this.\r\n", args[0])
				before, err := term.MakeRaw(fd)
				if err != nil {
					return err
				}
				defer func() { _ = term.Restore(fd, before) }()
			}
			return attach(c, os.Stdin, cmd.OutOrStdout())
		})
	cmd.Long = `Attach the terminal to a board's main console, or with :PART to another console or
a UART. Every key goes to the board but Ctrl-], which ends the session. Input that
is no terminal is sent, and the session ends with it.`
	return cmd
}

// attach passes bytes both ways until either side ends, or the escape is typed.
func attach(c *control.Conn, in io.Reader, out io.Writer) error {
	typed := make(chan error, 1)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := in.Read(buf)
			p := buf[:n]
			if i := strings.IndexByte(string(p), escape); i >= 0 {
				p, err = p[:i], io.EOF
			}
			if len(p) > 0 {
				if _, err := c.Write(p); err != nil {
					typed <- err
					return
				}
			}
			if err != nil {
				typed <- err
				return
			}
		}
	}()
	shown := make(chan error, 1)
	go func() {
		_, err := io.Copy(out, c)
		shown <- err
	}()
	select {
	case err := <-typed:
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	case err := <-shown:
		return err
	}
}
