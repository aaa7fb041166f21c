package serial

import (
	"fmt"
	"time"

	"backplane/periph"
	"backplane/simbus/serial"
)

// Link is the serial link of appliance files: a cable between two UARTs, or from
// one to the host.
var Link = &periph.LinkKind{
	Table:  "serial",
	Name:   "serial link",
	Title:  "serial link from UART to UART",
	Source: "none: a null-modem cable",
	Joins:  "serial",
	Slots:  true,
	Config: func() periph.LinkConfig { return new(LinkConfig) },
}

// LinkConfig is one [[serial]] table of an appliance file.
type LinkConfig struct {
	Ports  []string        `toml:"ports" jsonschema:"description=Its two ends: board.port; one with pty or listen"`
	Wiring string          `toml:"wiring,omitempty" jsonschema:"enum=null-modem,enum=straight,enum=three-wire,default=null-modem,description=Where the modem lines go: RTS to CTS and DTR to DSR and DCD; or not DCD; or none"`
	Delay  periph.Duration `toml:"delay,omitempty" jsonschema:"description=How long everything takes from one end to the other"`
	toHost
}

// wirings are the words for them.
var wirings = map[string]serial.Wiring{"": serial.NullModem, "null-modem": serial.NullModem, "straight": serial.Straight, "three-wire": serial.ThreeWire}

// maxCable is the longest delay of a link: a satellite's, with room.
const maxCable = 10 * time.Second

// Ends are the two ports.
func (c *LinkConfig) Ends() []periph.LinkEnd { return periph.Ports(c.Ports) }

// Check reports what is wrong.
func (c *LinkConfig) Check(report periph.Report, ends []periph.LinkEnd) {
	c.check(report, len(ends))
	if _, ok := wirings[c.Wiring]; !ok {
		report("wiring", "wiring is %q; it must be \"null-modem\", \"straight\" or \"three-wire\"", c.Wiring)
	}
	if c.Delay < 0 || time.Duration(c.Delay) > maxCable {
		report("delay", "delay is %s; it must be 0s to %s", time.Duration(c.Delay), maxCable)
	}
}

// Note tells of ends that their boards' files set to different rates.
func (c *LinkConfig) Note(ends []periph.LinkEnd) string { return differ(ends) }

// differ says so if ports begin at different rates: they do not understand each other before
// a guest sets its own.
func differ(ends []periph.LinkEnd) string {
	var first *Config
	var name string
	for _, e := range ends {
		c, ok := e.Config.(*Config)
		switch {
		case !ok:
		case first == nil:
			first, name = c, e.Name
		case c.Baud != first.Baud:
			return fmt.Sprintf("%s begins at %d baud and %s at %d: they do not understand each other until their guests set the same rate",
				name, first.Baud, e.Name, c.Baud)
		}
	}
	return ""
}

// Instant is false: characters take their time.
func (c *LinkConfig) Instant() bool { return false }

// serialLink joins two UARTs.
type serialLink struct{ *serial.Link }

// Build makes the link.
func (c *LinkConfig) Build(_ *periph.LinkEnv, ends []periph.Joint) (periph.Link, error) {
	cable := serial.Cable{Delay: time.Duration(c.Delay), Wiring: wirings[c.Wiring]}
	if c.Outside() != "" {
		return c.build(ends[0], cable)
	}
	var joined [2]serial.End
	for i, e := range ends {
		port, ok := portOf(e.Socket)
		if !ok {
			return nil, fmt.Errorf("%s: a %T is not a serial port", e.Name, e.Socket)
		}
		joined[i] = serial.End{Port: port, Domain: e.Domain}
	}
	return &serialLink{serial.Join(joined[0], joined[1], cable)}, nil
}

// Cut takes the cable off: lines rest, and modem lines are inactive.
func (l *serialLink) Cut(_ string, cut bool) { l.Link.Cut(cut) }

// Leave takes the cable off for good.
func (l *serialLink) Leave(string) { l.Link.Leave() }
