package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/control"
	"backplane/boards/record"
	"backplane/simbus"

	"github.com/spf13/cobra"
)

// list is a command that shows a list, as people or as programs read it.
func list[T any](use, short string, request control.Request, show func(out io.Writer, list []T)) *cobra.Command {
	var asJSON bool
	cmd := clientCommand(use, short, cobra.NoArgs, func(c *control.Conn, cmd *cobra.Command, _ []string) error {
		var values []T
		if err := ask(c, request, &values); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), values)
		}
		show(cmd.OutOrStdout(), values)
		return nil
	})
	jsonFlag(cmd, &asJSON)
	return cmd
}

func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON")
}

func printJSON(out io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", b)
	return err
}

func newPs() *cobra.Command {
	return list("ps", "List the boards and their state", control.Request{Command: "ps"}, func(out io.Writer, list []appliance.BoardState) {
		fmt.Fprintf(out, "%-16s %-8s %5s %7s %10s %8s\n", "BOARD", "STATE", "CPUS", "MEMORY", "UP", "PID")
		for _, b := range list {
			up, pid := "-", "-"
			if b.PID != 0 {
				up, pid = time.Duration(b.Up*float64(time.Second)).Round(10*time.Millisecond).String(), fmt.Sprint(b.PID)
			}
			state := paint(out, stateColour(b.State), fmt.Sprintf("%-8s", b.State))
			fmt.Fprintf(out, "%-16s %s %5d %7s %10s %8s\n", b.Name, state, b.CPUs, boards.Size(b.Memory), up, pid)
		}
	})
}

func newNet() *cobra.Command {
	cmd := list("net", "Show the counters of network ports", control.Request{Command: "net"}, func(out io.Writer, list []appliance.PortCounts) {
		fmt.Fprint(out, appliance.CountsTable(list))
	})
	cmd.Long = `Show the counters of each port of each Ethernet segment: frames from the board (tx)
and to it (rx), what happened to them, the most bytes that its queue held, and how many
frames were dropped for which reason.`
	return cmd
}

func newGet() *cobra.Command {
	var asJSON bool
	cmd := clientCommand("get [PROPERTY|PLACE]", "Read a property, or list those of a board, part or link, or all", cobra.MaximumNArgs(1),
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			r := control.Request{Command: "list"}
			if len(args) == 1 {
				r = control.Request{Command: "get", Path: args[0]}
			}
			var all []appliance.Reading
			if err := ask(c, r, &all); err != nil {
				return err
			}
			if len(all) == 1 && all[0].Path == r.Path {
				if asJSON {
					return printJSON(out, all[0])
				}
				fmt.Fprintln(out, withUnit(all[0]))
				return nil
			}
			if asJSON {
				return printJSON(out, all)
			}
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			for _, r := range all {
				value := withUnit(r)
				if r.Unplugged {
					value += " (unplugged)"
				}
				fmt.Fprintf(w, "%s\t%s\n", r.Path, value)
			}
			return w.Flush()
		})
	cmd.Long = `Read a property: BOARD.PART.PROPERTY, BOARD.CONTROLLER.LINE, SEGMENT.SETTING or
SEGMENT:PORT.SETTING. Of a board, a part, a controller or a segment, list the properties;
without any of them, those of all.`
	cmd.Example = "  backplane get\n  backplane get sensor.temp0.temperature\n  backplane get sensor.temp0"
	jsonFlag(cmd, &asJSON)
	completes(cmd, "property")
	return cmd
}

func withUnit(r appliance.Reading) string {
	if r.Unit == "" {
		return r.Value
	}
	return r.Value + " " + r.Unit
}

func newEvents() *cobra.Command {
	r := control.Request{Command: "events"}
	cmd := clientCommand("events", "Show the latest events, one JSON object per line", cobra.NoArgs,
		func(c *control.Conn, cmd *cobra.Command, _ []string) error {
			return do(c, r, func(reply control.Reply) error {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", reply.Event)
				return err
			})
		})
	cmd.Flags().BoolVarP(&r.Follow, "follow", "f", false, "keep printing new events")
	cmd.Flags().IntVarP(&r.Lines, "lines", "n", 0, "how many of the latest events (default: 1000)")
	return cmd
}

func newLogs() *cobra.Command {
	r := control.Request{Command: "logs"}
	var times, asJSON bool
	cmd := clientCommand("logs [BOARD[:PART]...]", "Show the last lines of consoles and UARTs", cobra.ArbitraryArgs,
		func(c *control.Conn, cmd *cobra.Command, args []string) error {
			r.Args = args
			out := cmd.OutOrStdout()
			return do(c, r, func(reply control.Reply) error {
				if asJSON {
					_, err := fmt.Fprintf(out, "%s\n", reply.Event)
					return err
				}
				e, err := simbus.ParseEvent(reply.Event)
				if err == nil {
					_, err = fmt.Fprintln(out, logLine(&e, len(args) != 1, times))
				}
				return err
			})
		})
	cmd.Long = `Show the last lines of consoles and UARTs: those named, or the main consoles of all
boards. Each line begins with its board where there may be several.`
	cmd.Example = "  backplane logs sensor\n  backplane logs --time -f"
	cmd.Flags().BoolVarP(&r.Follow, "follow", "f", false, "keep printing new lines")
	cmd.Flags().IntVarP(&r.Lines, "lines", "n", 0, "how many of the last lines of each (default: 2000)")
	cmd.Flags().BoolVar(&times, "time", false, "show the appliance's time, in seconds")
	jsonFlag(cmd, &asJSON)
	completes(cmd, "console", "console")
	return cmd
}

// logLine is a console's line with what is to stand before it. A guest's escape
// sequences are for its own terminal, not for readers of a log.
func logLine(e *simbus.Event, named, timed bool) string {
	line, _ := e.Get("line")
	line = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, line)
	if named {
		name := e.Board
		if e.Part != boards.MainConsole {
			name += ":" + e.Part
		}
		line = fmt.Sprintf("%-12s | %s", name, line)
	}
	if timed {
		line = fmt.Sprintf("%12.6f %s", e.Time.Sub(0).Seconds(), line)
	}
	return line
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print what this program was built from", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), "backplane", record.Revision())
		},
	}
}
