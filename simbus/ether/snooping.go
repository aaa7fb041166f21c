package ether

import (
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"backplane/simbus"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// How long a switch remembers that a port wants a group (RFC 2236 section 8.4, RFC
// 2710 section 7.4), and that somebody behind it asks for members (sections 8.5 and 7.5).
const (
	groupInterval  = 260 * time.Second
	routerInterval = 255 * time.Second
)

// groups is which ports want the frames of which multicast groups: IGMP and MLD
// snooping (RFC 4541). On the direct way several goroutines use it at once.
type groups struct {
	on atomic.Bool

	mu      sync.RWMutex
	known   map[uint64]group // by VLAN and hardware address
	routers wanted           // ports with a querier
}

// group is a multicast group that a board has joined, or left: it may have no members.
type group struct {
	until simbus.Time // when it is forgotten, and its frames go everywhere again
	ports wanted
}

// wanted is until when ports want frames. A map that is in use never changes.
type wanted map[*Port]simbus.Time

func (w wanted) with(p *Port, until simbus.Time) wanted {
	c := maps.Clone(w)
	if c == nil {
		c = make(wanted)
	}
	c[p] = until
	return c
}

func (w wanted) without(p *Port) wanted {
	c := maps.Clone(w)
	delete(c, p)
	return c
}

// SetSnooping lets the switch send the frames of a multicast group that somebody
// has joined only to ports that have, and to those behind which somebody asks for
// members. What it knows of groups it forgets.
func (s *Segment) SetSnooping(on bool) {
	s.groups.on.Store(on)
	s.groups.flush(nil)
}

// Snooping is what SetSnooping set.
func (s *Segment) Snooping() bool { return s.groups.on.Load() }

// flush forgets what a port wants, or everything if p is nil.
func (g *groups) flush(p *Port) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p == nil {
		g.known, g.routers = nil, nil
		return
	}
	for k, was := range g.known {
		g.known[k] = group{was.until, was.ports.without(p)}
	}
	g.routers = g.routers.without(p)
}

// snoop finds the receivers of a multicast frame, and reads its group messages.
func (w *passage) snoop(dst address, now simbus.Time) {
	g := &w.seg.groups
	var local bool // groups to which everybody belongs, joined or not
	switch {
	case dst[0] == 0x01 && dst[1] == 0x00 && dst[2] == 0x5e: // RFC 1112 section 6.4
		local = dst[3] == 0 && dst[4] == 0 // RFC 4541 section 2.1.2
	case dst[0] == 0x33 && dst[1] == 0x33: // RFC 2464 section 7
		local = dst == address{0x33, 0x33, 0, 0, 0, 1}
	default:
		return
	}
	said := membership(w.frame)
	switch {
	case said.asks:
		g.mu.Lock()
		g.routers = g.routers.with(w.from, now.Add(routerInterval))
		g.mu.Unlock()
		return
	case len(said.changes) > 0:
		g.change(w, said.changes, now)
		g.mu.RLock()
		w.narrow(nil, g.routers, now)
		g.mu.RUnlock()
	case !local:
		g.mu.RLock()
		if known := g.known[key(w.vlan, dst)]; known.until > now {
			w.narrow(known.ports, g.routers, now)
			w.narrowed = true // even if nobody wants it
		}
		g.mu.RUnlock()
	}
}

// narrow lets the frame go only to those ports, if there are any.
func (w *passage) narrow(ports, routers wanted, now simbus.Time) {
	w.wanted, w.routers, w.now = ports, routers, now
	for _, until := range routers {
		w.narrowed = w.narrowed || until > now
	}
}

// wants tells whether the frame is of use behind a port.
func (w *passage) wants(p *Port) bool {
	return !w.narrowed || w.wanted[p] > w.now || w.routers[p] > w.now
}

// change brings groups up to date by what came in at a port.
func (g *groups) change(w *passage, changes []change, now simbus.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range changes {
		k := key(w.vlan, c.group)
		was, known := g.known[k]
		if !known && int64(len(g.known)) >= w.seg.table.limit.Load() {
			maps.DeleteFunc(g.known, func(_ uint64, old group) bool { return old.until <= now })
			if int64(len(g.known)) >= w.seg.table.limit.Load() {
				continue // its frames go everywhere
			}
		}
		if g.known == nil {
			g.known = make(map[uint64]group)
		}
		until := now.Add(groupInterval)
		if c.leave {
			g.known[k] = group{until, was.ports.without(w.from)}
		} else {
			g.known[k] = group{until, was.ports.with(w.from, until)}
		}
	}
}

// change is a board's joining or leaving of a group.
type change struct {
	group address
	leave bool
}

// message is what a frame says of groups.
type message struct {
	asks    bool // for members
	changes []change
}

// membership reads IGMP versions 1 to 3 and MLD versions 1 and 2. Only such frames
// are copied: the memory of others, which may be large and many, is the guest's.
func membership(f *Frame) (m message) {
	var buf [minFrame + tagSize + 20]byte // up to the end of IPv4's header
	head := f.head(buf[:])
	switch kind := head[12+tagOf(head).size():]; {
	case len(kind) < 2+20:
		return m
	case kind[0] == 0x08 && kind[1] == 0x00 && kind[2+9] == byte(layers.IPProtocolIGMP):
	case kind[0] == 0x86 && kind[1] == 0xdd && kind[2+6] == byte(layers.IPProtocolIPv6HopByHop): // for its router alert
	default:
		return m
	}
	p := gopacket.NewPacket(f.Copy().Parts[0], layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.IGMPv1or2:
			switch l.Type {
			case layers.IGMPMembershipQuery:
				m.asks = true
			case layers.IGMPMembershipReportV1, layers.IGMPMembershipReportV2, layers.IGMPLeaveGroup:
				m.add(l.GroupAddress, l.Type == layers.IGMPLeaveGroup)
			}
		case *layers.IGMP:
			m.asks = m.asks || l.Type == layers.IGMPMembershipQuery
			for _, r := range l.GroupRecords {
				m.record(r.MulticastAddress, uint8(r.Type), len(r.SourceAddresses))
			}
		case *layers.MLDv1MulticastListenerQueryMessage, *layers.MLDv2MulticastListenerQueryMessage:
			m.asks = true
		case *layers.MLDv1MulticastListenerReportMessage:
			m.add(l.MulticastAddress, false)
		case *layers.MLDv1MulticastListenerDoneMessage:
			m.add(l.MulticastAddress, true)
		case *layers.MLDv2MulticastListenerReportMessage:
			for _, r := range l.MulticastAddressRecords {
				m.record(r.MulticastAddress, uint8(r.RecordType), len(r.SourceAddresses))
			}
		}
	}
	return m
}

// record takes a record of IGMP version 3 (RFC 3376 section 4.2.12) or MLD version
// 2 (RFC 3810 section 5.2.12), which have the same types. Who wants some sources of
// a group is sent all of them.
func (m *message) record(ip net.IP, kind uint8, sources int) {
	const isIn, isEx, toIn, toEx, allow = 1, 2, 3, 4, 5
	switch {
	case kind == isEx || kind == toEx, (kind == isIn || kind == toIn || kind == allow) && sources > 0:
		m.add(ip, false)
	case kind == toIn:
		m.add(ip, true)
	}
}

func (m *message) add(ip net.IP, leave bool) {
	if !ip.IsMulticast() {
		return
	}
	a := address{0x33, 0x33}
	if v4 := ip.To4(); v4 != nil {
		a = address{0x01, 0x00, 0x5e, v4[1] & 0x7f, v4[2], v4[3]}
	} else {
		copy(a[2:], ip[12:])
	}
	m.changes = append(m.changes, change{a, leave})
}
