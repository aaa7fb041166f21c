package gateway

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"backplane/simbus"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// leaseTime is how long an address is given for. A board always gets the same
// one, so nothing hangs on it.
const leaseTime = 24 * time.Hour

// leases are which addresses are whose: those of the boards are known before any
// asks, so that they depend on nothing else; others follow in the order in which
// they ask.
type leases struct {
	mu      sync.Mutex
	network netip.Prefix
	names   map[string]string     // by MAC
	given   map[string]netip.Addr // by MAC
	used    map[netip.Addr]bool
}

func newLeases(cfg *Config) *leases {
	l := &leases{network: cfg.Address.Masked(), names: make(map[string]string), given: make(map[string]netip.Addr),
		used: map[netip.Addr]bool{cfg.Address.Addr(): true}}
	for _, h := range cfg.Hosts {
		l.used[h.Address] = true
		l.names[h.MAC.String()] = h.Name
		if h.Lease {
			l.given[h.MAC.String()] = h.Address
		}
	}
	return l
}

// maxLeases bounds the addresses that are given: a board can ask in any number of names.
const maxLeases = 4096

// of is the address for a MAC, invalid if there is none left.
func (l *leases) of(mac net.HardwareAddr) (a netip.Addr, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name = l.names[mac.String()]
	if a, ok := l.given[mac.String()]; ok {
		return a, name
	}
	if name != "" {
		return netip.Addr{}, name // a board whose address stands in its file
	}
	if len(l.given) >= maxLeases {
		return netip.Addr{}, ""
	}
	a = FreeAddress(l.network, l.used)
	if a.IsValid() {
		l.given[mac.String()], l.used[a] = a, true
	}
	return a, name
}

// FreeAddress is the lowest address for a host on a network that is not in use;
// invalid if there is none.
func FreeAddress(network netip.Prefix, used map[netip.Addr]bool) netip.Addr {
	for a := network.Masked().Addr().Next(); network.Contains(a.Next()); a = a.Next() { // the last is for broadcasts
		if !used[a] {
			return a
		}
	}
	return netip.Addr{}
}

const (
	dhcpServerPort = 67
	dhcpClientPort = 68
)

// serveDHCP answers a frame if it is a DHCP client's, and tells whether it was.
func (g *Gateway) serveDHCP(frame []byte) bool {
	request := dhcpPayload(frame)
	if request == nil {
		return false
	}
	m, err := dhcpv4.FromBytes(request)
	if err != nil || m.OpCode != dhcpv4.OpcodeBootRequest || len(m.ClientHWAddr) != 6 {
		return true
	}
	reply := g.answerDHCP(m)
	if reply == nil {
		return true
	}
	to, mac := netip.AddrFrom4([4]byte{255, 255, 255, 255}), header.EthernetBroadcastAddress
	if !m.IsBroadcast() && reply.MessageType() != dhcpv4.MessageTypeNak {
		mac = tcpip.LinkAddress(m.ClientHWAddr)
		if a, ok := netip.AddrFromSlice(reply.YourIPAddr.To4()); ok && !a.IsUnspecified() {
			to = a
		} else if a, ok := netip.AddrFromSlice(m.ClientIPAddr.To4()); ok && !a.IsUnspecified() {
			to = a
		}
	}
	payload := reply.ToBytes()
	b := make([]byte, header.UDPMinimumSize+len(payload))
	u := header.UDP(b)
	u.Encode(&header.UDPFields{SrcPort: dhcpServerPort, DstPort: dhcpClientPort, Length: uint16(len(b))})
	copy(b[header.UDPMinimumSize:], payload)
	from := g.cfg.Address.Addr()
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, address(from), address(to), uint16(len(b)))
	u.SetChecksum(^checksum.Checksum(b, sum))
	g.sendIP(mac, from, to, header.UDPProtocolNumber, hopLimit, b)
	return true
}

// dhcpPayload is what a frame carries to the port of DHCP servers, nil if it is
// another. The checksum is not looked at: it may be open.
func dhcpPayload(frame []byte) []byte {
	const least = header.EthernetMinimumSize + header.IPv4MinimumSize + header.UDPMinimumSize
	if len(frame) < least || header.Ethernet(frame).Type() != header.IPv4ProtocolNumber {
		return nil
	}
	ip := header.IPv4(frame[header.EthernetMinimumSize:])
	if !ip.IsValid(len(ip)) || ip.TransportProtocol() != header.UDPProtocolNumber || ip.More() || ip.FragmentOffset() != 0 {
		return nil
	}
	u := header.UDP(ip.Payload())
	if len(u) < header.UDPMinimumSize || u.DestinationPort() != dhcpServerPort {
		return nil
	}
	if n := int(u.Length()); n >= header.UDPMinimumSize && n <= len(u) {
		return u[header.UDPMinimumSize:n]
	}
	return nil
}

// answerDHCP is what a server has to say (RFC 2131 section 4.3), nil for nothing.
func (g *Gateway) answerDHCP(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	own := net.IP(g.cfg.Address.Addr().AsSlice())
	options := []dhcpv4.Modifier{
		dhcpv4.WithServerIP(own),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(own)),
		dhcpv4.WithNetmask(net.CIDRMask(g.cfg.Address.Bits(), 32)),
		dhcpv4.WithRouter(own),
		dhcpv4.WithDNS(own),
	}
	if g.cfg.Domain != "" {
		options = append(options, dhcpv4.WithOption(dhcpv4.OptDomainName(g.cfg.Domain)))
	}
	kind := m.MessageType()
	if kind == dhcpv4.MessageTypeInform {
		return reply(m, dhcpv4.MessageTypeAck, options...)
	}
	if kind != dhcpv4.MessageTypeDiscover && kind != dhcpv4.MessageTypeRequest {
		return nil // a client that declines or releases its address will get the same again
	}
	if id := m.ServerIdentifier(); id != nil && !id.Equal(own) {
		return nil // it has chosen another server
	}
	a, name := g.leases.of(m.ClientHWAddr)
	if !a.IsValid() {
		return nil
	}
	ip := net.IP(a.AsSlice())
	options = append(options, dhcpv4.WithYourIP(ip), dhcpv4.WithLeaseTime(uint32(leaseTime/time.Second)))
	if name != "" {
		options = append(options, dhcpv4.WithOption(dhcpv4.OptHostName(name)))
	}
	if kind == dhcpv4.MessageTypeDiscover {
		return reply(m, dhcpv4.MessageTypeOffer, options...)
	}
	wanted := m.RequestedIPAddress()
	if wanted == nil || wanted.IsUnspecified() {
		wanted = m.ClientIPAddr
	}
	if !wanted.Equal(ip) {
		return reply(m, dhcpv4.MessageTypeNak, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(own)))
	}
	g.tell(ActionLease, simbus.Text("name", name), simbus.Text("address", a.String()), simbus.Text("mac", m.ClientHWAddr.String()))
	return reply(m, dhcpv4.MessageTypeAck, options...)
}

func reply(m *dhcpv4.DHCPv4, kind dhcpv4.MessageType, options ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	r, err := dhcpv4.NewReplyFromRequest(m, append(options, dhcpv4.WithMessageType(kind))...)
	if err != nil {
		return nil
	}
	return r
}
