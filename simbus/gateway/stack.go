package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// nicID is the stack's one network interface.
const nicID = 1

// Sizes of the stack's TCP buffers in bytes, to start with and at most.
const (
	tcpBuffer    = 1 << 20
	maxTCPBuffer = 4 << 20
)

// maxOpening is how many TCP connections may wait for the outside at once.
const maxOpening = 512

// startStack makes the TCP/IP stack that stands for all that is not on the segment.
func (g *Gateway) startStack() error {
	g.link = &link{mac: tcpip.LinkAddress(g.cfg.MAC), offload: g.cfg.Offload, out: g.out}
	var networks []stack.NetworkProtocolFactory
	var addresses []netip.Prefix
	var routes []tcpip.Route
	if p := g.cfg.Address; p.IsValid() {
		networks = append(networks, ipv4.NewProtocol, arp.NewProtocol)
		addresses = append(addresses, p)
		routes = append(routes, tcpip.Route{Destination: header.IPv4EmptySubnet, NIC: nicID})
	}
	if p := g.cfg.Address6; p.IsValid() {
		// Switches that snoop hear by MLD which groups it is in (RFC 4541 section 3).
		networks = append(networks, ipv6.NewProtocolWithOptions(ipv6.Options{MLD: ipv6.MLDOptions{Enabled: true}}))
		addresses = append(addresses, netip.PrefixFrom(g.linkLocal(), SLAACBits), p)
		routes = append(routes, tcpip.Route{Destination: header.IPv6EmptySubnet, NIC: nicID})
	}
	s := stack.New(stack.Options{
		NetworkProtocols:   networks,
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})
	g.stack = s
	sack, moderate := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true)
	send := tcpip.TCPSendBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: tcpBuffer, Max: maxTCPBuffer}
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: tcpBuffer, Max: maxTCPBuffer}
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &send, &receive} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("set up TCP: %s", err)
		}
	}
	if err := s.CreateNIC(nicID, g.link); err != nil {
		return fmt.Errorf("set up the port: %s", err)
	}
	for _, p := range addresses {
		g.link.own = append(g.link.own, address(p.Addr()))
		own := tcpip.ProtocolAddress{Protocol: protocol(p.Addr()), AddressWithPrefix: tcpip.AddressWithPrefix{Address: address(p.Addr()), PrefixLen: p.Bits()}}
		if err := s.AddProtocolAddress(nicID, own, stack.AddressProperties{}); err != nil {
			return fmt.Errorf("set up address %s: %s", p, err)
		}
	}
	if g.cfg.Address6.IsValid() {
		// It says of itself that it is a router, or boards would take it for one no more
		// (RFC 4861 section 7.2.5).
		if _, err := s.SetNICForwarding(nicID, ipv6.ProtocolNumber, true); err != nil {
			return fmt.Errorf("set up IPv6: %s", err)
		}
	}
	// It takes packets for any address, and answers as any.
	if err := s.SetPromiscuousMode(nicID, true); err != nil {
		return errors.New(err.String())
	}
	if err := s.SetSpoofing(nicID, true); err != nil {
		return errors.New(err.String())
	}
	s.SetRouteTable(routes)
	s.SetTransportProtocolHandler(tcp.ProtocolNumber, tcp.NewForwarder(s, 0, maxOpening, g.connectTCP).HandlePacket)
	s.SetTransportProtocolHandler(udp.ProtocolNumber, g.connectUDP)
	s.SetTransportProtocolHandler(icmp.ProtocolNumber4, g.ping)
	s.SetTransportProtocolHandler(icmp.ProtocolNumber6, g.ping)
	for _, p := range g.cfg.addresses() {
		own := fullAddress(netip.AddrPortFrom(p.Addr(), dnsPort))
		c, err := gonet.DialUDP(s, &own, nil, protocol(p.Addr()))
		if err != nil {
			return err
		}
		g.spawn(func() { g.serveDNS(c) })
	}
	return nil
}

// linkLocal is the gateway's address for the segment alone, from which it advertises.
func (g *Gateway) linkLocal() netip.Addr {
	return SLAAC(netip.MustParsePrefix("fe80::/64"), g.cfg.MAC)
}

// towards is the gateway's own address in another's family.
func (g *Gateway) towards(a netip.Addr) netip.Addr {
	if a.Is4() {
		return g.cfg.Address.Addr()
	}
	return g.cfg.Address6.Addr()
}

// reject tells the sender of a packet by ICMP why it does not get through (RFC 1812
// section 5.2.7.1, RFC 4443 section 3.1).
func (g *Gateway) reject(pkt *stack.PacketBuffer, why error) {
	v4, v6 := stack.RejectIPv4WithICMPAdminProhibited, stack.RejectIPv6WithICMPAdminProhibited
	switch {
	case noRoute(why):
		v4, v6 = stack.RejectIPv4WithICMPNetUnreachable, stack.RejectIPv6WithICMPNoRoute
	case errors.Is(why, errNoHost):
		v4, v6 = stack.RejectIPv4WithICMPHostUnreachable, stack.RejectIPv6WithICMPAddrUnreachable
	}
	switch p := g.stack.NetworkProtocolInstance(pkt.NetworkProtocolNumber).(type) { // what cannot be sent is lost
	case stack.RejectIPv4WithHandler:
		_ = p.SendRejectionError(pkt, v4, false)
	case stack.RejectIPv6WithHandler:
		_ = p.SendRejectionError(pkt, v6, false)
	}
}

// noRoute tells whether the host has no way to an address, such as one of IPv6
// where it speaks IPv4 only.
func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) ||
		errors.Is(err, syscall.EAFNOSUPPORT)
}

func address(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }

func protocol(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// family names a network of package net, such as "tcp4", that an address is on.
func family(network string, a netip.Addr) string {
	if a.Is4() {
		return network + "4"
	}
	return network + "6"
}

// addrPort is an address of the stack's as the rest of Go has it.
func addrPort(a tcpip.Address, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(a.AsSlice())
	return netip.AddrPortFrom(addr, port)
}

func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nicID, Addr: address(a.Addr()), Port: a.Port()}
}

// ends are the source and the destination of a forwarder's request.
func ends(id stack.TransportEndpointID) (from, to netip.AddrPort) {
	return addrPort(id.RemoteAddress, id.RemotePort), addrPort(id.LocalAddress, id.LocalPort)
}
