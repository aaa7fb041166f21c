package gateway

import (
	"net"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// SLAACBits is the length of a prefix on which a board makes itself an address: the
// rest is its interface identifier (RFC 2464 section 4).
const SLAACBits = 64

// SLAAC is the address that a board's kernel makes itself on a network, out of
// its hardware address (RFC 4862 section 5.5.3, RFC 4291 appendix A).
func SLAAC(network netip.Prefix, mac net.HardwareAddr) netip.Addr {
	a := network.Masked().Addr().As16()
	id := header.EthernetAddressToModifiedEUI64(tcpip.LinkAddress(mac))
	copy(a[SLAACBits/8:], id[:])
	return netip.AddrFrom16(a)
}

// asRouter makes of what the stack says to its neighbours what a router says. The
// stack has all addresses: it would answer for all of them, and ask as any of them.
// False is for an answer that is not to be given.
func (l *link) asRouter(p *stack.PacketBuffer) bool {
	if p.NetworkProtocolNumber == header.ARPProtocolNumber {
		a := header.ARP(p.NetworkHeader().Slice())
		if from := tcpip.AddrFrom4Slice(a.ProtocolAddressSender()); a.Op() == header.ARPRequest && !slices.Contains(l.own, from) {
			i := slices.IndexFunc(l.own, func(a tcpip.Address) bool { return a.BitLen() == header.IPv4AddressSizeBits })
			copy(a.ProtocolAddressSender(), l.own[i].AsSlice())
		}
		return true
	}
	if p.NetworkProtocolNumber != header.IPv6ProtocolNumber {
		return true
	}
	ip := header.IPv6(p.NetworkHeader().Slice())
	if ip.NextHeader() != uint8(header.ICMPv6ProtocolNumber) {
		return true
	}
	m := header.ICMPv6(p.TransportHeader().Slice())
	if len(m) == 0 { // the stack has put it all into what comes behind
		m, _ = p.Data().PullUp(min(p.Data().Size(), header.ICMPv6NeighborSolicitMinimumSize))
	}
	if len(m) < header.ICMPv6NeighborAdvertMinimumSize { // which is that of solicitations, too
		return true
	}
	switch m.Type() {
	case header.ICMPv6NeighborAdvert:
		return slices.Contains(l.own, header.NDPNeighborAdvert(m.MessageBody()).TargetAddress())
	case header.ICMPv6NeighborSolicit:
		if from := ip.SourceAddress(); !slices.Contains(l.own, from) {
			i := slices.IndexFunc(l.own, header.IsV6LinkLocalUnicastAddress)
			m.UpdateChecksumPseudoHeaderAddress(from, l.own[i])
			ip.SetSourceAddress(l.own[i])
		}
	}
	return true
}
