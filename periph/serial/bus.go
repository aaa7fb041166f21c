package serial

import (
	"fmt"
	"slices"

	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/serial"
)

// Bus is the RS-485 bus of appliance files.
var Bus = &periph.LinkKind{
	Table:  "rs485",
	Name:   "RS-485 bus",
	Title:  "RS-485 bus of two wires, half duplex",
	Source: "TIA/EIA-485-A",
	Apart:  true,
	Slots:  true,
	Joins:  "serial",
	Config: func() periph.LinkConfig { return new(BusConfig) },
}

// BusConfig is one [[rs485]] table of an appliance file.
type BusConfig struct {
	Ports []string `toml:"ports" jsonschema:"description=Its ports: board.port"`
}

// Ends are the ports.
func (c *BusConfig) Ends() []periph.LinkEnd { return periph.Ports(c.Ports) }

// Check reports what is wrong.
func (c *BusConfig) Check(report periph.Report, ends []periph.LinkEnd) {
	for _, e := range ends {
		if p, ok := e.Config.(*Config); ok && p.DriverEnable == "" {
			report(e.Key, "%s has no transceiver for RS-485: write driver_enable = \"rts\", or a GPIO line, in its [[serial]]", e.Name)
		}
	}
}

// Note tells of ports that their boards' files set to different rates.
func (c *BusConfig) Note(ends []periph.LinkEnd) string { return differ(ends) }

// Grows are the keys of more ports.
func (c *BusConfig) Grows() []string { return []string{"ports"} }

// With is the table with more ports.
func (c *BusConfig) With(more periph.LinkConfig) (periph.LinkConfig, error) {
	return &BusConfig{Ports: slices.Concat(c.Ports, more.(*BusConfig).Ports)}, nil
}

// Without is the table without a port.
func (c *BusConfig) Without(port string) periph.GrowingConfig {
	return &BusConfig{Ports: slices.DeleteFunc(slices.Clone(c.Ports), func(name string) bool { return name == port })}
}

// Instant is true: all ports hear a driver at once.
func (c *BusConfig) Instant() bool { return true }

// bus is a bus of an appliance that runs. It belongs to the domain that its boards share.
type bus struct {
	*serial.Bus
	domain *simbus.Domain
	ports  []*node
	down   bool // the whole bus
}

// node is a board's port on the bus.
type node struct {
	*serial.Port
	bus     *bus
	name    string
	down    bool
	offline bool // it is off the bus, for one reason or both
}

// become gives the place on the bus to another port.
func (n *node) become(port *serial.Port) {
	if !n.offline {
		n.bus.Bus.Leave(n.Port)
		n.bus.Bus.Join(port)
	}
	n.Port = port
}

// Build makes the bus.
func (c *BusConfig) Build(_ *periph.LinkEnv, ends []periph.Joint) (periph.Link, error) {
	b := &bus{Bus: serial.NewBus(), domain: ends[0].Domain}
	return b, b.Join(c, ends)
}

// Join joins more ports to the bus.
func (b *bus) Join(_ periph.LinkConfig, ends []periph.Joint) error {
	for _, e := range ends {
		port, ok := portOf(e.Socket)
		if !ok {
			return fmt.Errorf("%s: a %T is not a serial port", e.Name, e.Socket)
		}
		b.domain.Do(func() {
			n := &node{Port: port, bus: b, name: e.Name, offline: b.down}
			if slot, ok := e.Socket.(*slotPort); ok {
				slot.node = n
			}
			b.ports = append(b.ports, n)
			if !b.down {
				b.Bus.Join(port)
			}
		})
	}
	return nil
}

// Leave takes a port off the bus for good, or all of them.
func (b *bus) Leave(name string) {
	b.domain.Do(func() {
		b.ports = slices.DeleteFunc(b.ports, func(p *node) bool {
			goes := name == "" || p.name == name
			if goes {
				b.Bus.Leave(p.Port)
			}
			return goes
		})
	})
}

// Cut takes a port off the bus, or all of them: each hears nothing then.
func (b *bus) Cut(name string, cut bool) {
	b.domain.Do(func() {
		if name == "" {
			b.down = cut
		}
		for _, p := range b.ports {
			if p.name == name {
				p.down = cut
			}
			switch off := p.down || b.down; {
			case off == p.offline:
			case off:
				b.Bus.Leave(p.Port)
				p.offline = true
			default:
				b.Bus.Join(p.Port)
				p.offline = false
			}
		}
	})
}
