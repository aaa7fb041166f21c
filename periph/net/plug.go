package net

import (
	"fmt"

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
	n.Port, n.Offload = p, offload
	n.SetSpeed(speed)
	n.SetLink(true)
}

// segment is a segment of an appliance that runs.
type segment struct {
	*ether.Segment
	ports map[string]*plug
	list  []*plug
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
	s := &segment{Segment: seg, ports: make(map[string]*plug)}
	for i := range ends {
		e := &ends[i]
		station, ok := e.Socket.(Station)
		if !ok {
			return nil, fmt.Errorf("%s: a %T is not an Ethernet port", e.Name, e.Socket)
		}
		p := &plug{seg.AddPort(e.Name, e.Domain, station.Receive), s, station}
		station.Plug(p.Port, c.speed(e.Name), !env.Calendar.Virtual())
		s.ports[e.Name] = p
		s.list = append(s.list, p)
	}
	for i := range c.Port {
		s.configure(&c.Port[i])
	}
	return s, nil
}

// configure does what the appliance file says of a port.
func (s *segment) configure(c *PortConfig) {
	p := s.ports[c.Name]
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
		list = append(list, s.ports[name].Port)
	}
	return list
}

// Cut takes cables down, or up again.
func (s *segment) Cut(port string, cut bool) {
	if port != "" {
		s.ports[port].SetDown(cut)
		s.ports[port].carry()
		return
	}
	s.SetDown(cut)
	for _, p := range s.list {
		p.carry()
	}
}

// carry lets the station see whether its cable carries anything.
func (p *plug) carry() {
	p.Domain().Do(func() { p.station.SetLink(p.Up()) })
}

// Forget lets the switch forget what is behind a port.
func (s *segment) Forget(port string) { s.ports[port].Flush() }

// Tap shows f what the switch takes, or what is at a port.
func (s *segment) Tap(port string, f simbus.TapFunc) (remove func()) {
	if port == "" {
		return s.Segment.Tap(f)
	}
	return s.ports[port].Tap(f)
}
