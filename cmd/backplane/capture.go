package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"backplane/boards/control"
	"backplane/simbus/awake"
	"backplane/simbus/capture"

	"github.com/spf13/cobra"
)

func newCapture() *cobra.Command {
	r := control.Request{Command: "capture"}
	var file, fifo string
	cmd := clientCommand("capture PLACE... [-]", "Capture frames, live, for Wireshark or tcpdump", cobra.MinimumNArgs(1), nil)
	cmd.Long = `Capture frames as pcapng, until Ctrl-C or the appliance's end. A PLACE is a segment
("lan"), where each frame is seen once, at the switch, or a port of one
("lan:sensor.eth0"), which shows what the board sends and receives. The capture goes
to standard output, unless --write or --fifo says where:

  backplane capture lan - | wireshark -k -i -
  backplane capture lan:sensor.eth0 --filter "tcp port 80" --write web.pcapng

A filter is a tcpdump expression: arp, ip, ip6, tcp, udp, icmp, icmp6, broadcast,
multicast, [src|dst] host, net and port, ether, vlan, less, greater, and, or, not. A slow
reader does not slow the appliance down: it misses frames, and the capture says how many.`
	completes(cmd, "capture", "capture")
	name := cmd.Flags().Lookup("name")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if args[len(args)-1] == "-" {
			args = args[:len(args)-1]
		}
		r.Args = args
		switch {
		case len(args) == 0:
			return badInput(errors.New("name what to capture: SEGMENT, or SEGMENT:BOARD.PORT"))
		case file != "" && fifo != "":
			return badInput(errors.New("--write and --fifo exclude each other: use one of them"))
		case fifo != "":
			return captureFIFO(cmd.Context(), name.Value.String(), r, fifo)
		case file != "":
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
			if err != nil {
				return badMachine(err)
			}
			err = captureTo(cmd.Context(), name.Value.String(), r, f)
			return errors.Join(err, f.Close())
		}
		if terminal(cmd.OutOrStdout()) != nil {
			return badInput(errors.New("a capture is binary, not for a terminal: pipe it into wireshark -k -i - or tcpdump -r -, or use --write FILE"))
		}
		return captureTo(cmd.Context(), name.Value.String(), r, cmd.OutOrStdout())
	}
	cmd.Flags().StringVar(&r.Filter, "filter", "", "capture only the frames that match this tcpdump expression")
	cmd.Flags().IntVar(&r.Snap, "snap", 0, "bytes to capture of each frame; 0: the whole frame")
	cmd.Flags().StringVarP(&file, "write", "w", "", "write to a file")
	cmd.Flags().StringVar(&fifo, "fifo", "", "make a named pipe and write to its readers, one after another")
	return cmd
}

// captureTo copies a capture to w until ctx or the appliance ends.
func captureTo(ctx context.Context, name string, r control.Request, w io.Writer) error {
	c, err := dial(name)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Send(r); err != nil {
		return badMachine(err)
	}
	if _, err := c.Next(); err != nil {
		return badInput(err)
	}
	defer context.AfterFunc(ctx, func() { _ = c.CloseWrite() })()
	_, err = io.Copy(w, c)
	if errors.Is(err, syscall.EPIPE) {
		return nil // the reader has seen enough
	}
	return badMachine(err)
}

// readerGrace is how long the reader of a named pipe may still read at the end.
const readerGrace = time.Second

// captureFIFO hands a capture to those who open a named pipe, one after another.
func captureFIFO(ctx context.Context, name string, r control.Request, path string) error {
	pipe, err := capture.TakePipe(path)
	if err != nil {
		return badMachine(err)
	}
	defer pipe.Close()
	defer undoing(func() { _ = pipe.Remove() })()
	defer context.AfterFunc(ctx, func() { // be the reader that is waited for
		if r, err := pipe.Reader(); err == nil {
			r.Close()
		}
	})()
	for {
		w, err := pipe.Writer()
		if err != nil {
			return badMachine(fmt.Errorf("named pipe: %w", err))
		}
		if ctx.Err() != nil {
			w.Close()
			return nil
		}
		stop := context.AfterFunc(ctx, func() { awake.AfterFunc(readerGrace, func() { w.Close() }) })
		err = captureTo(ctx, name, r, w)
		stop()
		w.Close()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if c, err := control.Dial(name); err != nil {
			return nil // the appliance has ended
		} else {
			c.Close()
		}
	}
}
