package serial

import (
	"fmt"
	"time"

	"backplane/periph"
	"backplane/simbus"
)

// Link is the serial link of appliance files: a null-modem cable between two UARTs.
var Link = &periph.LinkKind{
	Table:  "serial",
	Name:   "serial link",
	Title:  "serial link from UART to UART",
	Source: "none: a null-modem cable",
	Joins:  "serial",
	Config: func() periph.LinkConfig { return new(LinkConfig) },
}

// LinkConfig is one [[serial]] table of an appliance file.
type LinkConfig struct {
	Ports []string `toml:"ports" jsonschema:"description=Its two ends: board.port"`
}

// Ends are the two ports.
func (c *LinkConfig) Ends() []periph.LinkEnd { return periph.Ports(c.Ports) }

// Check reports what is wrong.
func (c *LinkConfig) Check(report periph.Report, ends []periph.LinkEnd) {
	if len(ends) != 2 {
		report("ports", "a serial link has two ends; this one has %d: write ports = [\"a.uart\", \"b.uart\"]", len(ends))
		return
	}
	a, known := ends[0].Config.(*Config)
	b, both := ends[1].Config.(*Config)
	if known && both && a.Baud != b.Baud {
		report("ports", "the ends run at %d and %d baud: they must be the same", a.Baud, b.Baud)
	}
}

// Instant is false: characters take their time.
func (c *LinkConfig) Instant() bool { return false }

// serialLink joins two UARTs.
type serialLink struct {
	cut  [2]bool // each side's own view
	ends []periph.Joint
}

// Build makes the link.
func (c *LinkConfig) Build(_ *periph.LinkEnv, ends []periph.Joint) (periph.Link, error) {
	l := &serialLink{ends: ends}
	var ports [2]*UART
	for i := range ends {
		var ok bool
		if ports[i], ok = ends[i].Socket.(*UART); !ok {
			return nil, fmt.Errorf("%s: a %T is not a serial port", ends[i].Name, ends[i].Socket)
		}
	}
	for i, port := range ports {
		there := ports[1-i]
		way := simbus.NewCrossing(ends[i].Domain, ends[1-i].Domain, bitsPerChar*time.Second/time.Duration(port.Baud()),
			func(p []byte) { _ = there.In(p) }) // OnOverrun tells
		port.OnSend = func(p []byte, at simbus.Time) {
			if !l.cut[i] {
				way.Send(at, p)
			}
		}
	}
	return l, nil
}

// Cut loses what either sends.
func (l *serialLink) Cut(_ string, cut bool) {
	for i := range l.ends {
		l.ends[i].Domain.Do(func() { l.cut[i] = cut })
	}
}
