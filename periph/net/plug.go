package net

import (
	"fmt"
	"slices"
	"sync"

	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/ether"
)

// Station is what has a port on a segment: a [NIC], or a gateway.
type Station interface {
	// Receive takes a frame: see [ether.Segment.AddPort].
	Receive(f *ether.Frame) error
	// Plug puts the cable in, which carries so many bits a second. With offload it may
	// leave checksums and segmentation to who receives its frames.
	Plug(p *ether.Port, speed int64, offload bool)
	// SetLink tells whether the cable carries anything.
	SetLink(up bool)
}

// Plug puts the NIC's cable in.
func (n *NIC) Plug(p *ether.Port, speed int64, offload bool) {
	n.mu.Lock() // for senders
	n.Port, n.Offload = p, offload
	n.mu.Unlock()
	n.SetSpeed(speed)
	n.SetLink(true)
}

// segment is a segment of an appliance that runs.
type segment struct {
	*ether.Segment
	mu    sync.Mutex
	ports map[string]*plug // those that have left, too, for who still looks at them
	list  []*plug
	// offloads tells whether boards leave checksums and segmentation to each other.
	offloads bool
}

// plug is where a station is on its segment.
type plug struct {
	*ether.Port
	seg     *segment
	station Station
}

// Build makes the segment.
func (c *SegmentConfig) Build(env *periph.LinkEnv, ends []periph.Joint) (periph.Link, error) {
	cfg := ether.SegmentConfig{Seed: env.Seed, Cable: c.Cable}
	lay(&cfg.Reserved, c.Reserved)
	c.Impairment.Over(&cfg.Impairment)
	seg, err := ether.NewSegment(env.Calendar, env.Name, cfg)
	if err != nil {
		return nil, err
	}
	limit, ageing, _ := seg.Table()
	lay(&limit, c.Addresses)
	lay((*periph.Duration)(&ageing), c.Ageing)
	seg.SetTable(limit, ageing)
	seg.SetSnooping(c.Snooping != nil && *c.Snooping)
	s := &segment{Segment: seg, ports: make(map[string]*plug), offloads: !env.Calendar.Virtual()}
	return s, s.Join(c, ends)
}

// Join joins ports, as a table says.
func (s *segment) Join(more periph.LinkConfig, ends []periph.Joint) error {
	c := more.(*SegmentConfig)
	for i := range ends {
		e := &ends[i]
		station, ok := e.Socket.(Station)
		if !ok {
			return fmt.Errorf("%s: a %T is not an Ethernet port", e.Name, e.Socket)
		}
		p := &plug{s.AddPort(e.Name, e.Domain, station.Receive), s, station}
		speed := s.speed(c.port(e.Name))
		e.Domain.Do(func() {
			station.Plug(p.Port, speed, s.offloads)
			if !p.Up() { // the whole segment is cut
				station.SetLink(false)
			}
		})
		s.mu.Lock()
		s.ports[e.Name] = p
		s.list = append(s.list, p)
		s.mu.Unlock()
	}
	for i := range c.Port {
		s.configure(&c.Port[i])
	}
	return nil
}

// speed is how fast a port's cable is, in bits a second. Where nothing holds frames
// up, it is what ports have in virtual time, so that a board sees the same in both.
func (s *segment) speed(c *PortConfig) int64 {
	i := s.Impairment()
	if i.Bandwidth == 0 {
		i.Bandwidth = ether.DefaultBandwidth
	}
	if c != nil {
		c.Impairment.Over(&i)
	}
	return i.Bandwidth
}

// port is the port of that name, nil if there never was one.
func (s *segment) port(name string) *plug {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ports[name]
}

// all are the ports that there are.
func (s *segment) all() []*plug {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// configure does what the appliance file says of a port.
func (s *segment) configure(c *PortConfig) {
	p := s.port(c.Name)
	for d, one := range []*Impairment{ether.Tx: c.Tx, ether.Rx: c.Rx} {
		i := p.Impairment(ether.Direction(d))
		c.Impairment.Over(&i)
		one.Over(&i)
		p.SetImpairment(ether.Direction(d), i)
	}
	if c.VLAN != nil || len(c.Trunk) > 0 {
		m, _ := c.membership() // it was checked
		p.SetMembership(m)
	}
	p.SetMirror(s.portsOf(c.Mirror))
	if c.StormLimit != nil {
		p.SetStormLimit(int64(*c.StormLimit))
	}
}

// portsOf are the ports of those names.
func (s *segment) portsOf(names []string) (list []*ether.Port) {
	for _, name := range names {
		if p := s.port(name); p != nil {
			list = append(list, p.Port)
		}
	}
	return list
}

// Cut takes cables down, or up again.
func (s *segment) Cut(port string, cut bool) {
	if port != "" {
		p := s.port(port)
		p.SetDown(cut)
		p.carry()
		return
	}
	s.SetDown(cut)
	for _, p := range s.all() {
		p.carry()
	}
}

// carry lets the station see whether its cable carries anything.
func (p *plug) carry() {
	p.Domain().Do(func() { p.station.SetLink(p.Up()) })
}

// Leave takes cables out for good.
func (s *segment) Leave(port string) {
	for _, p := range s.all() {
		if port == "" || p.Name() == port {
			s.Remove(p.Port)
			p.carry()
			s.mu.Lock()
			s.list = slices.DeleteFunc(s.list, func(q *plug) bool { return q == p })
			s.mu.Unlock()
		}
	}
}

// Forget lets the switch forget what is behind a port.
func (s *segment) Forget(port string) { s.port(port).Flush() }

// Tap shows f what the switch takes, or what is at a port.
func (s *segment) Tap(port string, f simbus.TapFunc) (remove func()) {
	if port == "" {
		return s.Segment.Tap(f)
	}
	return s.port(port).Tap(f)
}
