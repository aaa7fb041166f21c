package main

import (
	"errors"
	"fmt"
	"sync"

	"backplane/boards/control"
	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
	"backplane/simbus/serial/outlet/opening"

	"github.com/spf13/cobra"
)

func newSerial() *cobra.Command {
	var way outlet.Way
	var frame string
	cmd := clientCommand("serial BOARD.PORT", "Give a board's serial port to programs of this machine, until Ctrl-C", cobra.ExactArgs(1),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("pty") && cmd.Flags().Changed("listen") {
				return badInput(errors.New("--pty and --listen exclude each other"))
			}
			if err := c.Send(control.Request{Command: "serial", Path: args[0]}); err != nil {
				return badMachine(err)
			}
			first, err := c.Next()
			if err != nil {
				return badInput(err)
			}
			set, err := outlet.ParseSettings(first.Act)
			if err == nil && frame != "" {
				set.Format, err = withFrame(set.Rate, frame)
			}
			if err != nil {
				return badInput(err)
			}
			return giveLine(c, cmd, args[0], way, set)
		})
	completes(cmd, "serial")
	cmd.Long = `Give a board's serial port to programs of this machine, as if they had the other end of a
null-modem cable in a port of theirs. The port must be on no link.

With --pty, or without a flag, it is a pseudo terminal, whose name is printed; a PATH becomes
a link to it. With --listen it is RFC 2217 over TCP (ADDRESS:PORT) or a Unix socket
(unix:PATH), one client at a time, which also has parity, modem lines, breaks and errors
(docs/serial.md). Who sets another rate than the board reads garbage, as on a bench.`
	cmd.Example = `  backplane serial plc.uart1 --pty /tmp/plc
  backplane serial plc.uart1 --listen 2217`
	cmd.Flags().StringVar(&way.Pty, "pty", "", "make `PATH` a link to the pseudo terminal")
	cmd.Flags().StringVar(&way.Listen, "listen", "", "serve RFC 2217 on `ADDRESS`: ADDRESS:PORT, PORT, or unix:PATH")
	cmd.Flags().StringVar(&frame, "format", "", "data bits, parity and stop bits until a program sets others, such as 8E1 (default: the board's)")
	return cmd
}

func withFrame(rate serial.Rate, frame string) (serial.Format, error) {
	f, err := outlet.ParseFrame(frame)
	f.Rate = rate
	return f, err
}

// giveLine opens the way, and lets programs have the line until the appliance ends.
func giveLine(c *control.Conn, cmd *cobra.Command, path string, way outlet.Way, set outlet.Settings) error {
	o, err := opening.Open(way, set)
	if err != nil {
		return badInput(err)
	}
	closeIt := undoing(func() { _ = o.Close() })
	defer closeIt()
	line := &remoteLine{c: c}
	if err := o.Serve(line.attach); err != nil {
		return badInput(err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is %s\n", path, o.Name())
	for {
		r, err := c.Next()
		if err != nil {
			return badMachine(err)
		}
		line.tell(&r)
	}
}

// remoteLine is the end of a line that the appliance gives its client, for one program after
// another.
type remoteLine struct {
	c       *control.Conn
	mu      sync.Mutex
	program outlet.Program
}

func (l *remoteLine) attach(p outlet.Program) (outlet.Line, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.program = p
	return l, nil
}

// Do has the appliance do something.
func (l *remoteLine) Do(a outlet.Act) error {
	return l.c.Give(control.Input{Act: a.Text(), Data: a.Data})
}

// tell hands on what the appliance tells.
func (l *remoteLine) tell(r *control.Reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.program == nil {
		return
	}
	if r.Taken > 0 {
		l.program.Sent(r.Taken)
	}
	if r.Lines != nil {
		l.program.Lines(*r.Lines)
	}
	if len(r.Stdout) > 0 {
		l.program.Receive(r.Stdout, r.Flags)
	}
}
