package gateway

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"backplane/simbus"
	"backplane/simbus/ether"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
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

// CanPing tells whether boards can ping the outside from this host: if by IPv4,
// then by IPv6 too, where the host speaks it.
func CanPing() error {
	c, err := pingsOf(netip.IPv4Unspecified()).listen()
	if err != nil {
		return err
	}
	return c.Close()
}

// ping takes an ICMP packet that is not for the gateway itself. It is called on
// the goroutine that receives.
func (g *Gateway) ping(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	from, to := addrPort(id.RemoteAddress, 0), addrPort(id.LocalAddress, 0)
	if a := to.Addr(); g.cfg.own(a) || a.Is6() && (a.IsMulticast() || a == g.linkLocal()) {
		return false // the stack answers
	}
	payload := stack.PayloadSince(pkt.TransportHeader())
	defer payload.Release()
	h := header.ICMPv4(payload.AsSlice())
	eth := header.Ethernet(pkt.LinkHeader().Slice())
	if len(h) < header.ICMPv4MinimumSize || h.Type() != pingsOf(to.Addr()).request || len(eth) < header.EthernetMinimumSize {
		return true
	}
	_, err := g.outside(to)
	if err == nil {
		err = g.sendPing(pingKey{from.Addr(), to.Addr(), h.Ident()}, eth.SourceAddress(), h)
	}
	if err != nil {
		g.refuse("icmp", from, to, err)
		g.reject(pkt, err)
	}
	return true
}

// echo is how a family pings. Its messages, which are otherwise those of [header.ICMPv4],
// have types of their own.
type echo struct {
	network, any   string
	request, reply header.ICMPv4Type
	kind           icmp.Type // of the request
}

func pingsOf(a netip.Addr) echo {
	if a.Is4() {
		return echo{"udp4", "0.0.0.0", header.ICMPv4Echo, header.ICMPv4EchoReply, ipv4.ICMPTypeEcho}
	}
	return echo{"udp6", "::", header.ICMPv4Type(header.ICMPv6EchoRequest), header.ICMPv4Type(header.ICMPv6EchoReply), ipv6.ICMPTypeEchoRequest}
}

func (e echo) listen() (*icmp.PacketConn, error) {
	c, err := icmp.ListenPacket(e.network, e.any)
	if err != nil && !noRoute(err) {
		err = ErrNoPing
	}
	return c, err
}

func (g *Gateway) sendPing(key pingKey, mac tcpip.LinkAddress, h header.ICMPv4) error {
	p, e := &g.pings, pingsOf(key.to)
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.flows[key]
	if c == nil {
		if !g.take(&g.flows, maxFlows) {
			return errTooMany
		}
		var err error
		if c, err = e.listen(); err != nil {
			g.give(&g.flows)
			return err
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
	m := icmp.Message{Type: e.kind, Body: &icmp.Echo{Seq: int(h.Sequence()), Data: h.Payload()}}
	b, err := m.Marshal(nil)
	if err == nil {
		_, err = c.WriteTo(b, &net.UDPAddr{IP: key.to.AsSlice()})
	}
	return err
}

// receivePings gives a board the answers to its pings, until none has come for a while.
func (g *Gateway) receivePings(key pingKey, mac tcpip.LinkAddress, c *icmp.PacketConn) {
	received, e := 0, pingsOf(key.to)
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
		if n < header.ICMPv4MinimumSize || h.Type() != e.reply {
			continue
		}
		received++
		h.SetIdent(key.id)
		h.SetChecksum(0)
		if key.to.Is4() {
			h.SetChecksum(header.ICMPv4Checksum(h, 0))
			g.sendIP(mac, key.to, key.from, header.ICMPv4ProtocolNumber, hopLimit, buf[:n])
			continue
		}
		h.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: header.ICMPv6(h), Src: address(key.to), Dst: address(key.from)}))
		g.sendIP(mac, key.to, key.from, header.ICMPv6ProtocolNumber, hopLimit, buf[:n])
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

// hopLimit is that of what the gateway sends past the stack.
const hopLimit = 64

// sendIP sends a packet to a board past the stack.
func (g *Gateway) sendIP(mac tcpip.LinkAddress, from, to netip.Addr, protocol tcpip.TransportProtocolNumber, hops uint8, payload []byte) {
	ipSize, kind := header.IPv4MinimumSize, header.IPv4ProtocolNumber
	if to.Is6() {
		ipSize, kind = header.IPv6MinimumSize, header.IPv6ProtocolNumber
	}
	if len(payload) > mtu-ipSize {
		return // its answers would have to be cut up, and nobody pings like that
	}
	b := make([]byte, header.EthernetMinimumSize+ipSize+len(payload))
	header.Ethernet(b).Encode(&header.EthernetFields{SrcAddr: g.link.mac, DstAddr: mac, Type: kind})
	if ip := b[header.EthernetMinimumSize:]; to.Is4() {
		ip := header.IPv4(ip)
		ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(ip)), TTL: hops, Protocol: uint8(protocol), SrcAddr: address(from), DstAddr: address(to)})
		ip.SetChecksum(^ip.CalculateChecksum())
	} else {
		header.IPv6(ip).Encode(&header.IPv6Fields{PayloadLength: uint16(len(payload)), TransportProtocol: protocol, HopLimit: hops,
			SrcAddr: address(from), DstAddr: address(to)})
	}
	copy(b[header.EthernetMinimumSize+ipSize:], payload)
	g.out.put(Item{Frame: &ether.Frame{Parts: [][]byte{b}}})
}
