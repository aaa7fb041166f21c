package gateway

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"backplane/simbus"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// pings are the echo requests that are under way to the outside, on the
// unprivileged sockets of icmp(7): one for each program that pings.
type pings struct {
	mu    sync.Mutex
	flows map[pingKey]*icmp.PacketConn
}

// pingKey is a program on a board that pings an address.
type pingKey struct {
	from, to netip.Addr
	id       uint16
}

func (p *pings) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.flows {
		c.Close()
	}
}

// ErrNoPing is why pings do not get out on this host.
var ErrNoPing = errors.New("this host has no ping sockets for ordinary users (sysctl net.ipv4.ping_group_range)")

// CanPing tells whether boards can ping the outside from this host.
func CanPing() error {
	c, err := icmp.ListenPacket("udp4", "0.0.0.0")
	if err != nil {
		return ErrNoPing
	}
	return c.Close()
}

// ping takes an ICMP packet that is not for the gateway itself. It is called on
// the goroutine that receives.
func (g *Gateway) ping(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	from, to := addrPort(id.RemoteAddress, 0), addrPort(id.LocalAddress, 0)
	if to.Addr() == g.cfg.Address.Addr() {
		return false // the stack answers
	}
	payload := stack.PayloadSince(pkt.TransportHeader())
	defer payload.Release()
	h := header.ICMPv4(payload.AsSlice())
	eth := header.Ethernet(pkt.LinkHeader().Slice())
	if len(h) < header.ICMPv4MinimumSize || h.Type() != header.ICMPv4Echo || len(eth) < header.EthernetMinimumSize {
		return true
	}
	if _, err := g.outside(to); err != nil {
		g.refuse("icmp", from, to, err)
		return true
	}
	if err := g.sendPing(pingKey{from.Addr(), to.Addr(), h.Ident()}, eth.SourceAddress(), h); err != nil {
		g.refuse("icmp", from, to, err)
	}
	return true
}

func (g *Gateway) sendPing(key pingKey, mac tcpip.LinkAddress, h header.ICMPv4) error {
	p := &g.pings
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.flows[key]
	if c == nil {
		if !g.take(&g.flows, maxFlows) {
			return errTooMany
		}
		var err error
		if c, err = icmp.ListenPacket("udp4", "0.0.0.0"); err != nil {
			g.give(&g.flows)
			return ErrNoPing
		}
		if p.flows == nil {
			p.flows = make(map[pingKey]*icmp.PacketConn)
		}
		p.flows[key] = c
		if !g.spawn(func() { g.receivePings(key, mac, c) }) {
			c.Close()
			return nil
		}
		g.tell(ActionOpen, connection("icmp", netip.AddrPortFrom(key.from, 0), netip.AddrPortFrom(key.to, 0))...)
	}
	// The kernel puts in an identifier of the socket's own.
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{Seq: int(h.Sequence()), Data: h.Payload()}}
	b, err := m.Marshal(nil)
	if err == nil {
		_, err = c.WriteTo(b, &net.UDPAddr{IP: key.to.AsSlice()})
	}
	return err
}

// receivePings gives a board the answers to its pings, until none has come for a while.
func (g *Gateway) receivePings(key pingKey, mac tcpip.LinkAddress, c *icmp.PacketConn) {
	received := 0
	buf := make([]byte, maxDatagram)
	for {
		if err := c.SetReadDeadline(time.Now().Add(pingTimeout)); err != nil {
			break
		}
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			break
		}
		h := header.ICMPv4(buf[:n])
		if n < header.ICMPv4MinimumSize || h.Type() != header.ICMPv4EchoReply {
			continue
		}
		received++
		h.SetIdent(key.id)
		h.SetChecksum(0)
		h.SetChecksum(header.ICMPv4Checksum(h, 0))
		g.sendIP(mac, key.to, key.from, header.ICMPv4ProtocolNumber, buf[:n])
	}
	g.pings.mu.Lock()
	delete(g.pings.flows, key)
	g.pings.mu.Unlock()
	c.Close()
	g.give(&g.flows)
	if g.ctx.Err() == nil {
		g.tell(ActionClosed, append(connection("icmp", netip.AddrPortFrom(key.from, 0), netip.AddrPortFrom(key.to, 0)),
			simbus.Int("received", received))...)
	}
}

// sendIP sends a packet to a board past the stack.
func (g *Gateway) sendIP(mac tcpip.LinkAddress, from, to netip.Addr, protocol tcpip.TransportProtocolNumber, payload []byte) {
	const headers = header.EthernetMinimumSize + header.IPv4MinimumSize
	if len(payload) > mtu-header.IPv4MinimumSize {
		return // its answers would have to be cut up, and nobody pings like that
	}
	b := make([]byte, headers+len(payload))
	header.Ethernet(b).Encode(&header.EthernetFields{SrcAddr: g.link.mac, DstAddr: mac, Type: header.IPv4ProtocolNumber})
	ip := header.IPv4(b[header.EthernetMinimumSize:])
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(header.IPv4MinimumSize + len(payload)), TTL: 64, Protocol: uint8(protocol),
		SrcAddr: address(from), DstAddr: address(to)})
	ip.SetChecksum(^ip.CalculateChecksum())
	copy(b[headers:], payload)
	g.out.put(Item{Frame: &simbus.Frame{Parts: [][]byte{b}}})
}
