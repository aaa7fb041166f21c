package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
			return attach(c, os.Stdin, cmd.OutOrStdout(), typed)
		})
	completes(cmd, "console")
	cmd.Long = `Attach the terminal to a board's main console, or with :PART to another console or
a UART. Every key goes to the board but Ctrl-], which ends the session. Input that
is no terminal is sent, every byte of it, and the session ends with it.`
	cmd.Example = `  backplane console sensor
  backplane console plc:uart1 < telegram.bin`
	return cmd
}

// attach passes bytes both ways until either side ends, or the escape is typed.
func attach(c *control.Conn, in io.Reader, out io.Writer, typed bool) error {
	sent := make(chan error, 1)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := in.Read(buf)
			p := buf[:n]
			if i := bytes.IndexByte(p, escape); i >= 0 && typed {
				p, err = p[:i], io.EOF
			}
			if len(p) > 0 {
				if _, err := c.Write(p); err != nil {
					sent <- err
					return
				}
			}
			if err != nil {
				sent <- err
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
	case err := <-sent:
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	case err := <-shown:
		return err
	}
}
