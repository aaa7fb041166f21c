package gateway

import (
	"errors"
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
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
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
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
	own := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{
		Address: address(g.cfg.Address.Addr()), PrefixLen: g.cfg.Address.Bits()}}
	if err := s.CreateNIC(nicID, g.link); err != nil {
		return fmt.Errorf("set up the port: %s", err)
	}
	if err := s.AddProtocolAddress(nicID, own, stack.AddressProperties{}); err != nil {
		return fmt.Errorf("set up address %s: %s", g.cfg.Address, err)
	}
	// It takes packets for any address, and answers as any.
	if err := s.SetPromiscuousMode(nicID, true); err != nil {
		return errors.New(err.String())
	}
	if err := s.SetSpoofing(nicID, true); err != nil {
		return errors.New(err.String())
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nicID}})
	s.SetTransportProtocolHandler(tcp.ProtocolNumber, tcp.NewForwarder(s, 0, maxOpening, g.connectTCP).HandlePacket)
	s.SetTransportProtocolHandler(udp.ProtocolNumber, udp.NewForwarder(s, g.connectUDP).HandlePacket)
	s.SetTransportProtocolHandler(icmp.ProtocolNumber4, g.ping)
	var err error
	g.dns, err = gonet.DialUDP(s, &tcpip.FullAddress{NIC: nicID, Addr: own.AddressWithPrefix.Address, Port: dnsPort}, nil, ipv4.ProtocolNumber)
	return err
}

func address(a netip.Addr) tcpip.Address { return tcpip.AddrFrom4(a.As4()) }

// addrPort is an address of the stack's as the rest of Go has it.
func addrPort(a tcpip.Address, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(a.AsSlice())
	return netip.AddrPortFrom(addr, port)
}

func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nicID, Addr: address(a.Addr()), Port: a.Port()}
}

// ends are who wants to speak to whom, as a forwarder's request has it.
func ends(id stack.TransportEndpointID) (from, to netip.AddrPort) {
	return addrPort(id.RemoteAddress, id.RemotePort), addrPort(id.LocalAddress, id.LocalPort)
}
