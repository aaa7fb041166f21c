// Command heartbeatd is the firmware of boards that watch over each other on a
// network. A member sends its name and a number once in a period to the hub,
// which sends it back; each notices when the other is silent. Now and then a
// member calls to all that can hear it.
//
// What it prints is one line for each change, so that a console tells the story.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// interfaces is a flag that may be given several times.
type interfaces []string

func (i *interfaces) String() string     { return strings.Join(*i, " ") }
func (i *interfaces) Set(s string) error { *i = append(*i, s); return nil }

func main() {
	var ifaces interfaces
	flag.Var(&ifaces, "if", "interface and its address: eth0=10.0.0.1/24; eth0.10 is VLAN 10 on eth0; a host part of 0 stands for the number at the end of the host name")
	listen := flag.String("listen", "", "run as the hub, at this address")
	to := flag.String("to", "", "run as a member of the hub at this address")
	period := flag.Duration("period", 100*time.Millisecond, "time between heartbeats")
	flag.Parse()
	err := run(ifaces, *listen, *to, *period)
	fmt.Fprintln(os.Stderr, "heartbeatd:", err)
	os.Exit(1)
}

// run goes on for ever, or says what it lacks.
func run(ifaces interfaces, listen, to string, period time.Duration) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	for _, i := range ifaces {
		if err := configure(i, name); err != nil {
			return fmt.Errorf("-if %s: %w", i, err)
		}
	}
	if listen != "" {
		return hub(listen, period)
	}
	return member(name, to, period)
}

// patience is the number of silent periods after which a member counts as lost.
const patience = 4
