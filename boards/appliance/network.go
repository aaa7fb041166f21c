package appliance

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"backplane/boards"
	"backplane/simbus/capture"
	"backplane/simbus/ether"
)

// addSegment makes a segment, with its ports.
func (r *Running) addSegment(s *boards.Segment) error {
	sum := sha256.Sum256(fmt.Appendf(nil, "backplane %d segment %s", r.opts.Seed, s.Name))
	cfg := ether.SegmentConfig{Seed: binary.LittleEndian.Uint64(sum[:]), Cable: s.Cable, Reserved: s.Reserved}
	s.Impairment.Over(&cfg.Impairment)
	seg, err := ether.NewSegment(r.cal, s.Name, cfg)
	if err != nil {
		return err
	}
	if err := r.recordCapture(s.Name, capture.Config{Epoch: r.epoch}, []*ether.Segment{seg}, nil); err != nil {
		return err
	}
	limit, ageing, _ := seg.Table()
	if s.Addresses != nil {
		limit = *s.Addresses
	}
	boards.Lay((*boards.Duration)(&ageing), s.Ageing)
	seg.SetTable(limit, ageing)
	seg.SetSnooping(s.Snooping)
	net := &network{segment: s, seg: seg, ports: make(map[string]*portLink)}
	for _, text := range s.Ports {
		m, name := r.place(text)
		nic := m.nics[name]
		nic.Offload = !r.opts.Virtual
		nic.Port = seg.AddPort(text, m.domain, nic.Receive)
		nic.SetSpeed(s.Speed(text))
		nic.SetLink(true)
		net.add(&portLink{net, nic.Port, m, name})
	}
	r.links[s.Name] = net
	r.networks = append(r.networks, net)
	return nil
}

// network is a segment with the boards on it.
type network struct {
	segment *boards.Segment // as the file has it
	seg     *ether.Segment
	ports   map[string]*portLink // by board.port
	list    []*portLink
}

// net finds a segment, which the appliance's check has found.
func (r *Running) net(name string) *network {
	for _, n := range r.networks {
		if n.seg.Name() == name {
			return n
		}
	}
	return nil
}

func (n *network) add(p *portLink) {
	n.ports[p.port.Name()] = p
	n.list = append(n.list, p)
}

// configure does what the appliance file says of a segment's ports.
func (r *Running) configure(s *boards.Segment) {
	n := r.net(s.Name)
	for i := range s.Port {
		n.configure(&s.Port[i])
	}
	for _, p := range n.list {
		r.links[s.Name+":"+p.port.Name()] = p
	}
}

// configure does what the appliance file says of a port.
func (n *network) configure(c *boards.SegmentPort) {
	p := n.ports[c.Name].port
	for d, one := range map[ether.Direction]*boards.Impairment{ether.Tx: c.Tx, ether.Rx: c.Rx} {
		i := p.Impairment(d)
		c.Impairment.Over(&i)
		one.Over(&i)
		p.SetImpairment(d, i)
	}
	if c.VLAN != nil || len(c.Trunk) > 0 {
		m, _ := c.Membership() // it was checked
		p.SetMembership(m)
	}
	var of []*ether.Port
	for _, name := range c.Mirror {
		of = append(of, n.ports[name].port)
	}
	p.SetMirror(of)
	p.SetStormLimit(int64(c.StormLimit))
}

func (n *network) setCut(cut bool) {
	n.seg.SetDown(cut)
	for _, p := range n.list {
		p.carry()
	}
}

// portLink is one cable to a segment.
type portLink struct {
	net  *network
	port *ether.Port
	m    *Machine // nil for a gateway's
	nic  string
}

func (l *portLink) setCut(cut bool) {
	l.port.SetDown(cut)
	l.carry()
}

// carry lets the board see whether its cable carries anything.
func (l *portLink) carry() {
	if l.m == nil {
		return
	}
	l.m.domain.Do(func() { l.m.nics[l.nic].SetLink(l.port.Up()) })
}

// cable is the link that a board's port is on, "lan:sensor.eth0"; empty if it is on
// no segment.
func (r *Running) cable(port string) (link string) {
	for _, n := range r.networks {
		if n.ports[port] != nil {
			return n.seg.Name() + ":" + port
		}
	}
	return ""
}

// forget lets the switches forget what was behind a board's ports.
func (m *Machine) forget() {
	for _, n := range m.r.networks {
		for _, p := range n.list {
			if p.m == m {
				p.port.Flush()
			}
		}
	}
}
