package gateway

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"backplane/simbus/ether"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// icmp6 is an ICMPv6 message in a frame from the board.
func icmp6(from, to netip.Addr, message []byte) []byte {
	const headers = header.EthernetMinimumSize + header.IPv6MinimumSize
	b := append(make([]byte, headers), message...)
	dst := tcpip.LinkAddress(config().MAC)
	if to.IsMulticast() {
		dst = header.EthernetAddressFromMulticastIPv6Address(address(to))
	}
	header.Ethernet(b).Encode(&header.EthernetFields{SrcAddr: tcpip.LinkAddress(boardMAC), DstAddr: dst, Type: header.IPv6ProtocolNumber})
	header.IPv6(b[header.EthernetMinimumSize:]).Encode(&header.IPv6Fields{PayloadLength: uint16(len(message)),
		TransportProtocol: header.ICMPv6ProtocolNumber, HopLimit: 255, SrcAddr: address(from), DstAddr: address(to)})
	m := header.ICMPv6(b[headers:])
	m.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: m, Src: address(from), Dst: address(to)}))
	return b
}

func sourceLink(kind byte) []byte { return append([]byte{kind, 1}, boardMAC...) }

// solicitation is a router solicitation.
func solicitation(from netip.Addr) []byte {
	m := []byte{133, 0, 0, 0, 0, 0, 0, 0}
	if !from.IsUnspecified() {
		m = append(m, sourceLink(ndpSourceLink)...)
	}
	return icmp6(from, netip.MustParseAddr("ff02::2"), m)
}

func neighbourSolicitation(from, target netip.Addr) []byte {
	m := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, target.AsSlice()...)
	if !from.IsUnspecified() {
		m = append(m, sourceLink(ndpSourceLink)...)
	}
	group := header.SolicitedNodeAddr(address(target))
	return icmp6(from, addrPort(group, 0).Addr(), m)
}

// watchedSite is a site, and all that the board is sent.
func watchedSite(t *testing.T, cfg Config) (*site, <-chan gopacket.Packet) {
	t.Helper()
	frames := make(chan gopacket.Packet, 1000)
	s := sniffedSite(t, cfg, func(frame []byte) {
		select {
		case frames <- gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default):
		default:
			t.Error("the board is sent more than a test looks at")
		}
	})
	return s, frames
}

// want waits for a packet for which f is true.
func want(t *testing.T, frames <-chan gopacket.Packet, what string, f func(gopacket.Packet) bool) gopacket.Packet {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case p := <-frames:
			if f(p) {
				return p
			}
		case <-limit:
			t.Fatalf("there comes no %s", what)
		}
	}
}

func ofType(kind uint8) func(gopacket.Packet) bool {
	return func(p gopacket.Packet) bool {
		l, ok := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
		return ok && l.TypeCode.Type() == kind
	}
}

func send(s *site, frame []byte) { _ = s.Deliver(&ether.Frame{Parts: [][]byte{frame}}) }

// TestAdvertisement solicits a router, with an address and without.
func TestAdvertisement(t *testing.T) {
	t.Parallel() // it mostly waits
	s, frames := watchedSite(t, config6())
	to := func(a string) func(gopacket.Packet) bool {
		return func(p gopacket.Packet) bool {
			return ofType(layers.ICMPv6TypeRouterAdvertisement)(p) && p.Layer(layers.LayerTypeIPv6).(*layers.IPv6).DstIP.String() == a
		}
	}
	want(t, frames, "first advertisement", to("ff02::1"))
	for _, from := range []netip.Addr{netip.MustParseAddr("fe80::1"), netip.IPv6Unspecified()} {
		who, mac := from.String(), boardMAC.String()
		if from.IsUnspecified() {
			who, mac = "ff02::1", "33:33:00:00:00:01"
		}
		send(s, solicitation(from))
		p := want(t, frames, "advertisement to "+who, to(who))
		eth, ip := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet), p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
		if ip.SrcIP.String() != "fe80::ff:fe00:fe" || eth.DstMAC.String() != mac || ip.HopLimit != 255 {
			t.Errorf("the advertisement goes from %s to %s with hop limit %d, and must go from the gateway's link-local address to %s with 255", ip.SrcIP, eth.DstMAC, ip.HopLimit, mac)
		}
		src, dst := netip.MustParseAddr(ip.SrcIP.String()), netip.MustParseAddr(ip.DstIP.String())
		if m := header.ICMPv6(slices.Clone(ip.Payload)); m.Checksum() != header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: m, Src: address(src), Dst: address(dst)}) {
			t.Error("the advertisement's checksum is wrong")
		}
		ra := p.Layer(layers.LayerTypeICMPv6RouterAdvertisement).(*layers.ICMPv6RouterAdvertisement)
		got := fmt.Sprint(ra.HopLimit, ra.Flags, ra.RouterLifetime, ra.ReachableTime, ra.RetransTimer)
		for _, o := range ra.Options {
			got += fmt.Sprintf("\n%d %x", o.Type, o.Data)
		}
		prefix := "fd00" + strings.Repeat("0", 28)
		if diff := cmp.Diff("64 0 1800 0 0\n1 0200000000fe\n5 0000000005dc\n3 40c0"+"00278d00"+"00093a80"+"00000000"+prefix+
			"\n25 000000000708"+prefix[:30]+"fe\n31 000000000708"+"0473697465000000", got); diff != "" {
			t.Errorf("the advertisement (-want +got):\n%s", diff)
		}
	}
	s.event(t, "advertise fe80::1 02:00:00:00:00:01")
}

// TestRouterSolicitation reads solicitations, and what RFC 4861 section 6.1.1 says is none.
func TestRouterSolicitation(t *testing.T) {
	from := netip.MustParseAddr("fe80::1")
	whole := solicitation(from)
	for name, f := range map[string]func(b []byte) []byte{
		"empty":              func([]byte) []byte { return nil },
		"cut in its headers": func(b []byte) []byte { return b[:40] },
		"cut in its message": func(b []byte) []byte { return b[:58] },
		"without an option":  func(b []byte) []byte { return b[:len(b)-1] },
		"from another link":  func(b []byte) []byte { b[21] = 254; return b },
		"wrong checksum":     func(b []byte) []byte { b[57]++; return b },
		"another code":       func([]byte) []byte { return icmp6(from, allNodes, []byte{133, 1, 0, 0, 0, 0, 0, 0}) },
		"another type":       func([]byte) []byte { return icmp6(from, allNodes, []byte{134, 0, 0, 0, 0, 0, 0, 0}) },
		"too short":          func([]byte) []byte { return icmp6(from, allNodes, []byte{133, 0, 0, 0, 0, 0, 0}) },
		"option without size": func([]byte) []byte {
			return icmp6(from, allNodes, []byte{133, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0})
		},
		"option beyond end": func([]byte) []byte {
			return icmp6(from, allNodes, []byte{133, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0})
		},
		"from a group": func([]byte) []byte { return icmp6(allNodes, allNodes, []byte{133, 0, 0, 0, 0, 0, 0, 0}) },
		"from nobody somewhere": func([]byte) []byte {
			return icmp6(netip.IPv6Unspecified(), allNodes, append([]byte{133, 0, 0, 0, 0, 0, 0, 0}, sourceLink(ndpSourceLink)...))
		},
		"IPv4": func([]byte) []byte { return frame(boardMAC, nil) },
	} {
		if got, ok := routerSolicitation(f(slices.Clone(whole))); ok {
			t.Errorf("%s: a solicitation of %s", name, got)
		}
	}
	if got, ok := routerSolicitation(whole); !ok || got != from {
		t.Errorf("a solicitation of %s is one of %s: %t", from, got, ok)
	}
}

// TestNeighbours asks for the gateway's hardware address by each of its own, and by
// others', and looks at whom the gateway says it is when it asks.
func TestNeighbours(t *testing.T) {
	t.Parallel() // it mostly waits
	cfg := config6()
	cfg.Dial = func(context.Context, string, netip.AddrPort) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
	s, frames := watchedSite(t, cfg)
	from := SLAAC(netip.MustParsePrefix("fe80::/64"), boardMAC)
	for _, other := range []netip.Addr{netip.MustParseAddr("fd00::77"), boardAddress6, netip.MustParseAddr("fe80::77"), netip.MustParseAddr("2001:db8::1")} {
		send(s, neighbourSolicitation(from, other))
		send(s, neighbourSolicitation(netip.IPv6Unspecified(), other)) // whether it is free
	}
	for _, own := range []netip.Addr{s.linkLocal(), gatewayAddress6.Addr()} {
		for _, asks := range []netip.Addr{from, netip.IPv6Unspecified()} {
			send(s, neighbourSolicitation(asks, own))
			p := want(t, frames, "advertisement of "+own.String(), ofType(layers.ICMPv6TypeNeighborAdvertisement)) // the first of all
			na := p.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement)
			to := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6).DstIP.String()
			if na.TargetAddress.String() != own.String() || !na.Router() || na.Solicited() == asks.IsUnspecified() || (to == "ff02::1") != asks.IsUnspecified() {
				t.Errorf("%s asks for %s, and %s is told %+v; it must be told that a router has it", asks, own, to, na)
			}
		}
	}
	// A connection to the outside, whose answer needs the board's hardware address.
	for _, to := range []string{"[2001:db8::1]:80", "192.0.2.1:80"} {
		if err := s.stack.ClearNeighbors(nicID, protocol(netip.MustParseAddrPort(to).Addr())); err != nil {
			t.Fatal(err)
		}
		if _, err := s.dial(t, to); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("a connection to %s: %v", to, err)
		}
	}
	want(t, frames, "question of the gateway for the board", func(p gopacket.Packet) bool {
		if !ofType(layers.ICMPv6TypeNeighborSolicitation)(p) {
			return false
		}
		ip := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
		src, dst := netip.MustParseAddr(ip.SrcIP.String()), netip.MustParseAddr(ip.DstIP.String())
		if m := header.ICMPv6(slices.Clone(ip.Payload)); src != s.linkLocal() ||
			m.Checksum() != header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: m, Src: address(src), Dst: address(dst)}) {
			t.Errorf("the gateway asks as %s, or with a wrong checksum", src)
		}
		return true
	})
	want(t, frames, "question of the gateway for the board, by ARP", func(p gopacket.Packet) bool {
		a, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP)
		if ok && a.Operation == layers.ARPRequest && !net.IP(a.SourceProtAddress).Equal(gatewayAddress.Addr().AsSlice()) {
			t.Errorf("the gateway asks as %s", net.IP(a.SourceProtAddress))
		}
		return ok && a.Operation == layers.ARPRequest
	})
}

// TestMemberOfGroups has the gateway tell switches that it belongs to the group of all routers.
func TestMemberOfGroups(t *testing.T) {
	g, err := New(config6())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var groups []string
	for deadline := time.Now().Add(20 * time.Second); !slices.Contains(groups, "ff02::2"); time.Sleep(10 * time.Millisecond) {
		for _, i := range g.out.Take() {
			if i.Frame == nil {
				continue
			}
			p := gopacket.NewPacket(flat(i.Frame), layers.LayerTypeEthernet, gopacket.Default)
			if r, ok := p.Layer(layers.LayerTypeMLDv2MulticastListenerReport).(*layers.MLDv2MulticastListenerReportMessage); ok {
				for _, one := range r.MulticastAddressRecords {
					groups = append(groups, one.MulticastAddress.String())
				}
			}
			i.Release()
		}
		if time.Now().After(deadline) {
			t.Fatalf("it tells of the groups %q", groups)
		}
	}
}
