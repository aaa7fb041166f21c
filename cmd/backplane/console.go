package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"backplane/boards/control"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// escape ends a console session at a terminal: Ctrl-].
const escape = 0x1d

func newConsole() *cobra.Command {
	cmd := clientCommand("console BOARD[:PART]", "Attach the terminal to a board's console or UART (Ctrl-] ends it)", cobra.ExactArgs(1),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			if err := c.Send(control.Request{Command: "console", Path: args[0]}); err != nil {
				return badMachine(err)
			}
			if _, err := c.Next(); err != nil {
				return badInput(err)
			}
			typed := term.IsTerminal(int(os.Stdin.Fd()))
			if typed {
				fmt.Fprintf(cmd.ErrOrStderr(), "Attached to %s. Ctrl-] ends this.\r\n", args[0])
				restore, err := rawTerminal()
				if err != nil {
					return badMachine(err)
				}
				defer restore()
			}
			return attach(c, os.Stdin, cmd.OutOrStdout(), cmd.ErrOrStderr(), typed)
		})
	completes(cmd, "console")
	cmd.Long = `Attach the terminal to a board's main console, or with :PART to another console or
a UART. Every key but Ctrl-] goes to the board; Ctrl-] ends the session. Input from
a file or a pipe is sent unchanged, as fast as the board takes it, and the session ends
with it. The board does not wait for the reader: if the reader falls 4 MiB behind, output
is dropped, a message says so, and the exit status is 1.`
	cmd.Example = `  backplane console sensor
  backplane console plc:uart1 < telegram.bin`
	return cmd
}

// attach passes bytes both ways until the input ends, or the escape is typed, or the
// appliance ends.
func attach(c *control.Conn, in io.Reader, out, notes io.Writer, typed bool) error {
	go give(c, in, typed)
	dropped := 0
	for {
		r, err := c.Next()
		switch {
		case typed && (errors.Is(err, net.ErrClosed) || errors.Is(err, control.ErrEnded)):
			return nil
		case err != nil:
			return badMachine(err)
		case r.Done && dropped > 0:
			return &statusError{status: exitFailed}
		case r.Done:
			return nil
		}
		if _, err := out.Write(r.Stdout); err != nil {
			return badMachine(err)
		}
		if dropped += r.Dropped; r.Dropped > 0 {
			fmt.Fprintf(notes, "backplane: %d bytes of output were dropped: the reader was too slow\n", r.Dropped)
		}
	}
}

// give sends what is typed, or comes from a pipe or a file. Who types ends it by closing
// the connection.
func give(c *control.Conn, in io.Reader, typed bool) {
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		p := buf[:n]
		i := bytes.IndexByte(p, escape)
		if i >= 0 && typed {
			p, err = p[:i], io.EOF
		}
		gone := c.Give(control.Input{Data: p, End: err != nil && !typed})
		if gone != nil || err != nil {
			if typed {
				c.Close()
			}
			return
		}
	}
}
