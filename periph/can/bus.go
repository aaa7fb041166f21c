package can

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/can"
)

// Bus is the CAN bus of appliance files.
var Bus = &periph.LinkKind{
	Table:    "can",
	Name:     "CAN bus",
	Title:    "CAN bus",
	Source:   "ISO 11898-1:2015",
	Events:   can.Events,
	LinkType: can.LinkType,
	Joins:    "can",
	Slots:    true,
	Config:   func() periph.LinkConfig { return new(BusConfig) },
}

// BusConfig is one [[can]] table of an appliance file.
type BusConfig struct {
	Ports     []string     `toml:"ports" jsonschema:"description=Its ports: board.port"`
	ErrorRate float64      `toml:"error_rate,omitempty" jsonschema:"minimum=0,maximum=1,description=Fraction of the frames in which a bit flips on the wires"`
	Port      []PortConfig `toml:"port,omitempty" jsonschema:"description=Settings of single ports"`
}

// PortConfig is what is particular to one port of a bus.
type PortConfig struct {
	Name      string  `toml:"name" jsonschema:"description=Which of the bus's ports: board.port"`
	ErrorRate float64 `toml:"error_rate,omitempty" jsonschema:"minimum=0,maximum=1,description=Fraction of the frames that the port misreads and that are sent again"`
}

// Ends are the boards' ports.
func (c *BusConfig) Ends() []periph.LinkEnd { return periph.Ports(c.Ports) }

// Grows are the keys of more ports.
func (c *BusConfig) Grows() []string { return []string{"ports", "port"} }

// With is the table with more ports.
func (c *BusConfig) With(more periph.LinkConfig) (periph.LinkConfig, error) {
	own, m := *c, more.(*BusConfig)
	own.Ports, own.Port = slices.Concat(c.Ports, m.Ports), slices.Concat(c.Port, m.Port)
	return &own, nil
}

// Without is the table without a port.
func (c *BusConfig) Without(port string) periph.GrowingConfig {
	own := *c
	own.Ports = slices.DeleteFunc(slices.Clone(c.Ports), func(name string) bool { return name == port })
	own.Port = slices.DeleteFunc(slices.Clone(c.Port), func(p PortConfig) bool { return p.Name == port })
	return &own
}

// Instant is true: all nodes agree on each bit.
func (c *BusConfig) Instant() bool { return true }

// Check reports what is wrong.
func (c *BusConfig) Check(report periph.Report, ends []periph.LinkEnd) {
	if len(ends) < 2 {
		report("ports", "a CAN bus with %d ports: it takes two for a frame to be acknowledged", len(ends))
	}
	var bus can.Timing
	var first, fast string // the ports that have it
	for _, e := range ends {
		port, ok := e.Config.(*Config)
		if !ok {
			continue // there is no such port, which has been said
		}
		t := port.Timing()
		if first == "" {
			first, bus.Bitrate = e.Name, t.Bitrate
		}
		if fast == "" && t.DataBitrate > 0 {
			fast, bus.DataBitrate = e.Name, t.DataBitrate
		}
		if t.Bitrate != bus.Bitrate {
			report(e.Key, "%s has %d bit/s and %s has %d: on one bus they must be the same", first, bus.Bitrate, e.Name, t.Bitrate)
		}
		if t.DataBitrate > 0 && t.DataBitrate != bus.DataBitrate {
			report(e.Key, "%s has a data phase of %d bit/s and %s one of %d: on one bus they must be the same", fast, bus.DataBitrate, e.Name, t.DataBitrate)
		}
	}
	checkRate("error_rate", c.ErrorRate, report)
	for i, p := range c.Port {
		at := fmt.Sprintf("port[%d].", i)
		if !slices.Contains(c.Ports, p.Name) {
			report(at+"name", "the bus has no port %q%s", p.Name, periph.Suggest(p.Name, c.Ports))
		}
		if slices.ContainsFunc(c.Port[:i], func(before PortConfig) bool { return before.Name == p.Name }) {
			report(at+"name", "%s already has a table", p.Name)
		}
		checkRate(at+"error_rate", p.ErrorRate, report)
	}
}

func checkRate(key string, part float64, report periph.Report) {
	if !(part >= 0 && part <= 1) {
		report(key, "error_rate is %g; it must be 0 to 1", part)
	}
}

// segment is a bus of an appliance that runs. It belongs to the domain that its boards share.
type segment struct {
	*can.Bus
	domain *simbus.Domain
	ports  []*port

	down           bool // the whole bus
	frames, errors int
}

// port is a board's port on the bus.
type port struct {
	*can.Node
	seg   *segment
	down  bool
	empty bool // it is at a slot in which there is no board
}

// settle puts the port's node onto the bus, or takes it off.
func (p *port) settle() {
	if p.down || p.seg.down || p.empty {
		p.seg.Bus.Leave(p.Node)
	} else {
		_ = p.seg.Bus.Join(p.Node) // its bit rates were looked at
	}
}

// Build makes the bus.
func (c *BusConfig) Build(env *periph.LinkEnv, ends []periph.Joint) (periph.Link, error) {
	s := &segment{domain: ends[0].Domain}
	s.Bus = can.NewBus(env.Name, s.domain, rand.New(rand.NewPCG(env.Seed, 0)))
	s.SetErrorRate(c.ErrorRate)
	if err := s.Join(c, ends); err != nil {
		return nil, err
	}
	s.Bus.Tap(func(_ simbus.Time, _ *can.Node, _ *can.Frame, e *can.Error) {
		if e != nil {
			s.errors++
		} else {
			s.frames++
		}
	})
	s.Describe(s.domain.Observed, func(kind string, attrs ...simbus.Attr) {
		s.domain.Emit(simbus.Event{Part: env.Name, Kind: kind, Attrs: attrs})
	})
	return s, nil
}

// Join joins more ports to the bus.
func (s *segment) Join(more periph.LinkConfig, ends []periph.Joint) (err error) {
	for _, e := range ends {
		node, ok := e.Socket.(*can.Node)
		slot, atSlot := e.Socket.(*slotNode)
		if atSlot {
			node = slot.open
		} else if !ok {
			return fmt.Errorf("%s: a %T is not a CAN port", e.Name, e.Socket)
		}
		s.domain.Do(func() {
			node.Rename(e.Name)
			node.SetErrorRate(0) // of another bus
			p := &port{Node: node, seg: s, empty: atSlot}
			if atSlot {
				slot.port = p
			} else if !s.down {
				err = s.Bus.Join(node)
			}
			s.ports = append(s.ports, p)
		})
		if err != nil {
			return err
		}
	}
	s.domain.Do(func() {
		for _, p := range more.(*BusConfig).Port {
			s.port(p.Name).SetErrorRate(p.ErrorRate)
		}
	})
	return nil
}

// Leave takes a port off the bus for good, or all of them.
func (s *segment) Leave(name string) {
	s.domain.Do(func() {
		s.ports = slices.DeleteFunc(slices.Clone(s.ports), func(p *port) bool {
			goes := name == "" || p.Name() == name
			if goes {
				s.Bus.Leave(p.Node)
			}
			return goes
		})
	})
}

// port is the port of that name, nil if there is none.
func (s *segment) port(name string) *port {
	for _, p := range s.ports {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// Cut takes a port off the bus, or all of them: each is alone then.
func (s *segment) Cut(name string, cut bool) {
	s.domain.Do(func() {
		if p := s.port(name); p != nil {
			p.down = cut
		} else {
			s.down = cut
		}
		for _, p := range s.ports {
			p.settle()
		}
	})
}

// Tap shows f the frames that are sent on the bus, or those that a port sends and receives,
// and the errors, as Linux has both in packet sockets.
func (s *segment) Tap(name string, f simbus.TapFunc) (remove func()) {
	p := s.port(name)
	return s.Bus.Tap(func(at simbus.Time, from *can.Node, frame *can.Frame, e *can.Error) {
		arrives := p != nil && p.Node != from
		if arrives && (!s.On(p.Node) || e == nil && !p.Hears(frame)) {
			return
		}
		var room [can.SocketCANSize]byte
		b := room[:0]
		if e != nil {
			b = e.AppendSocketCAN(b)
		} else {
			b = frame.AppendSocketCAN(b)
		}
		f(at, from.Name(), arrives, b, len(b))
	})
}

// Forget does nothing: there is nothing that a bus knows.
func (s *segment) Forget(string) {}
