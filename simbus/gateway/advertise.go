package gateway

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"backplane/simbus"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// What a router says, and how often: the defaults of RFC 4861 sections 6.2.1 and
// 10. Lifetimes of name servers are those of the router (RFC 8106 section 5.1).
const (
	maxAdvertise     = 600 * time.Second // MaxRtrAdvInterval
	minAdvertise     = maxAdvertise / 3  // MinRtrAdvInterval
	firstAdvertise   = 16 * time.Second  // MAX_INITIAL_RTR_ADVERT_INTERVAL
	firstAdvertises  = 3                 // MAX_INITIAL_RTR_ADVERTISEMENTS
	betweenAdvertise = 3 * time.Second   // MIN_DELAY_BETWEEN_RAS
	routerLifetime   = 3 * maxAdvertise  // AdvDefaultLifetime
	validLifetime    = 30 * 24 * time.Hour
	preferLifetime   = 7 * 24 * time.Hour
)

// Options of neighbour discovery (RFC 4861 section 4.6, RFC 8106 section 5), and
// the flags of a prefix: on the link, and to make addresses of.
const (
	ndpSourceLink, ndpPrefix, ndpMTU = 1, 3, 5
	ndpServers, ndpSearch            = 25, 31
	prefixOnLink, prefixAutonomous   = 0x80, 0x40
)

var allNodes = netip.MustParseAddr("ff02::1")

// advertise sends advertisements to all boards, from time to time and when one
// that has no address yet asks.
func (g *Gateway) advertise() {
	for n := 1; ; n++ {
		g.sendAdvertisement(header.EthernetAddressFromMulticastIPv6Address(address(allNodes)), allNodes)
		sent := time.Now()
		pause := minAdvertise + rand.N(maxAdvertise-minAdvertise)
		if n <= firstAdvertises {
			pause = min(pause, firstAdvertise)
		}
		regular := time.NewTimer(pause)
		select {
		case <-regular.C:
			continue
		case <-g.solicited:
			regular.Stop()
		case <-g.ctx.Done():
			regular.Stop()
			return
		}
		select {
		case <-time.After(betweenAdvertise - time.Since(sent)):
		case <-g.ctx.Done():
			return
		}
	}
}

// answerSolicitation sends an advertisement to a board that asks for it: at once,
// which the random delay of RFC 4861 section 6.2.6 may be.
func (g *Gateway) answerSolicitation(frame []byte) {
	from, ok := routerSolicitation(frame)
	if !ok {
		return
	}
	if from.IsUnspecified() {
		select {
		case g.solicited <- struct{}{}:
		default: // one answer is for all
		}
		return
	}
	mac := header.Ethernet(frame).SourceAddress()
	g.sendAdvertisement(mac, from)
	g.tell(ActionAdvertise, simbus.Text("address", from.String()), simbus.Text("mac", net.HardwareAddr(mac).String()))
}

// routerSolicitation tells who solicits routers by a frame, if it does (RFC 4861
// section 6.1.1).
func routerSolicitation(frame []byte) (from netip.Addr, ok bool) {
	if len(frame) < header.EthernetMinimumSize+header.IPv6MinimumSize || header.Ethernet(frame).Type() != header.IPv6ProtocolNumber {
		return from, false
	}
	ip := header.IPv6(frame[header.EthernetMinimumSize:])
	if !ip.IsValid(len(ip)) || ip.NextHeader() != uint8(header.ICMPv6ProtocolNumber) || ip.HopLimit() != header.NDPHopLimit {
		return from, false
	}
	m := header.ICMPv6(ip.Payload())
	if len(m) < header.ICMPv6HeaderSize+header.NDPRSMinimumSize || m.Type() != header.ICMPv6RouterSolicit || m.Code() != 0 ||
		m.Checksum() != header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: m, Src: ip.SourceAddress(), Dst: ip.DestinationAddress()}) {
		return from, false
	}
	from = addrPort(ip.SourceAddress(), 0).Addr()
	options, err := header.NDPRouterSolicit(m.MessageBody()).Options().Iter(true)
	for err == nil {
		option, done, e := options.Next()
		if err = e; err != nil || done {
			break
		}
		if _, is := option.(header.NDPSourceLinkLayerAddressOption); is && from.IsUnspecified() {
			return from, false
		}
	}
	return from, err == nil && !from.IsMulticast()
}

func (g *Gateway) sendAdvertisement(mac tcpip.LinkAddress, to netip.Addr) {
	from := g.linkLocal()
	m := header.ICMPv6(g.advertisement())
	m.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: m, Src: address(from), Dst: address(to)}))
	g.sendIP(mac, from, to, header.ICMPv6ProtocolNumber, header.NDPHopLimit, m)
}

// advertisement is a router advertisement without its checksum (RFC 4861 section 4.2).
func (g *Gateway) advertisement() []byte {
	seconds := func(d time.Duration) uint32 { return uint32(d / time.Second) }
	network := g.cfg.Address6.Masked()
	b := []byte{byte(header.ICMPv6RouterAdvert), 0, 0, 0, hopLimit, 0} // no other configuration: there is no DHCPv6
	b = binary.BigEndian.AppendUint16(b, uint16(seconds(routerLifetime)))
	b = append(b, make([]byte, 8)...) // times of reachability and retransmission: the board's own
	b = append(append(b, ndpSourceLink, 1), g.link.mac...)
	b = binary.BigEndian.AppendUint32(append(b, ndpMTU, 1, 0, 0), mtu)
	b = append(b, ndpPrefix, 4, byte(network.Bits()), prefixOnLink|prefixAutonomous)
	b = binary.BigEndian.AppendUint32(b, seconds(validLifetime))
	b = binary.BigEndian.AppendUint32(b, seconds(preferLifetime))
	b = append(append(b, 0, 0, 0, 0), network.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint32(append(b, ndpServers, 3, 0, 0), seconds(routerLifetime))
	b = append(b, g.cfg.Address6.Addr().AsSlice()...)
	if name := searchName(g.cfg.Domain); name != nil {
		b = binary.BigEndian.AppendUint32(append(b, ndpSearch, byte(1+len(name)/8), 0, 0), seconds(routerLifetime))
		b = append(b, name...)
	}
	return b
}

// searchName is a domain as RFC 1035 section 3.1 writes it, filled up to eights;
// nil if there is none, or none that can be written.
func searchName(domain string) (b []byte) {
	if domain == "" || len(domain) > 253 {
		return nil
	}
	for _, label := range strings.Split(domain, ".") {
		if len(label) == 0 || len(label) > 63 {
			return nil
		}
		b = append(append(b, byte(len(label))), label...)
	}
	for b = append(b, 0); len(b)%8 != 0; {
		b = append(b, 0)
	}
	return b
}
