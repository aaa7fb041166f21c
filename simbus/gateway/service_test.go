package gateway

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"backplane/simbus/ether"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/net/dns/dnsmessage"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// frame is a UDP packet from a client that has no address yet.
func frame(from net.HardwareAddr, payload []byte) []byte {
	b := make([]byte, header.EthernetMinimumSize+header.IPv4MinimumSize+header.UDPMinimumSize+len(payload))
	header.Ethernet(b).Encode(&header.EthernetFields{SrcAddr: tcpip.LinkAddress(from), DstAddr: header.EthernetBroadcastAddress, Type: header.IPv4ProtocolNumber})
	ip := header.IPv4(b[header.EthernetMinimumSize:])
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(ip)), TTL: 64, Protocol: uint8(header.UDPProtocolNumber), DstAddr: header.IPv4Broadcast})
	ip.SetChecksum(^ip.CalculateChecksum())
	u := header.UDP(ip.Payload())
	u.Encode(&header.UDPFields{SrcPort: dhcpClientPort, DstPort: dhcpServerPort, Length: uint16(len(u))})
	copy(u.Payload(), payload)
	return b
}

// TestDHCP asks for addresses as clients do.
func TestDHCP(t *testing.T) {
	cfg := config()
	cfg.Hosts = append(cfg.Hosts, Host{Name: "fixed", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, Address: netip.MustParseAddr("10.0.0.2")})
	s := newSite(t, cfg)
	ask := func(mac byte, kind dhcpv4.MessageType, more ...dhcpv4.Modifier) string {
		t.Helper()
		m, err := dhcpv4.New(append(more, dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 0, mac}), dhcpv4.WithMessageType(kind))...)
		if err != nil {
			t.Fatal(err)
		}
		r := s.answerDHCP(m)
		if r == nil {
			return "nothing"
		}
		if r.TransactionID != m.TransactionID {
			t.Errorf("an answer to another transaction")
		}
		return fmt.Sprint(r.MessageType(), " ", r.YourIPAddr)
	}
	wanted := func(a ...byte) dhcpv4.Modifier { return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IP(a))) }
	server := func(a ...byte) dhcpv4.Modifier { return dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IP(a))) }
	for _, tt := range []struct {
		name, got, want string
	}{
		{"a board discovers", ask(1, dhcpv4.MessageTypeDiscover), "OFFER 10.0.0.1"},
		{"it requests", ask(1, dhcpv4.MessageTypeRequest, wanted(10, 0, 0, 1), server(10, 0, 0, 254)), "ACK 10.0.0.1"},
		{"it renews", ask(1, dhcpv4.MessageTypeRequest, dhcpv4.WithClientIP(net.IP{10, 0, 0, 1})), "ACK 10.0.0.1"},
		{"it requests another's address", ask(1, dhcpv4.MessageTypeRequest, wanted(10, 0, 0, 2)), "NAK 0.0.0.0"},
		{"it has chosen another server", ask(1, dhcpv4.MessageTypeRequest, wanted(10, 0, 0, 1), server(10, 0, 0, 3)), "nothing"},
		{"a board with an address in its file", ask(2, dhcpv4.MessageTypeDiscover), "nothing"},
		{"a stranger", ask(3, dhcpv4.MessageTypeDiscover), "OFFER 10.0.0.3"},
		{"another", ask(4, dhcpv4.MessageTypeDiscover), "OFFER 10.0.0.4"},
		{"the first again", ask(3, dhcpv4.MessageTypeDiscover), "OFFER 10.0.0.3"},
		{"it releases", ask(3, dhcpv4.MessageTypeRelease), "nothing"},
		{"it informs", ask(3, dhcpv4.MessageTypeInform, dhcpv4.WithClientIP(net.IP{10, 0, 0, 3})), "ACK 0.0.0.0"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.got, tt.want)
		}
	}
	s.event(t, "lease sensor 10.0.0.1 02:00:00:00:00:01")

	m, err := dhcpv4.NewDiscovery(boardMAC)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range [][]byte{frame(boardMAC, m.ToBytes()), frame(boardMAC, m.ToBytes())[:200], frame(boardMAC, nil), frame(boardMAC, []byte("junk"))} {
		if s.serveDHCP(f) != (len(f) != 200) {
			t.Errorf("serveDHCP took, or did not take, a frame of %d bytes", len(f))
		}
	}
}

func TestLeasesRunOut(t *testing.T) {
	cfg := config()
	cfg.Address = netip.MustParsePrefix("10.0.0.1/29")
	l := newLeases(&cfg)
	given := 0
	for i := range 20 {
		if a, _ := l.of(net.HardwareAddr{4, 0, 0, 0, 0, byte(i)}); a.IsValid() {
			given++
		}
	}
	if given != 5 { // of 1 to 6, one is the gateway's
		t.Errorf("a network of 6 addresses had %d for strangers, want 5", given)
	}
}

// resolver is a name server on this machine that knows one name.
func resolver(t *testing.T) netip.AddrPort {
	t.Helper()
	answer := func(q []byte) []byte {
		var m dnsmessage.Message
		if err := m.Unpack(q); err != nil {
			return nil
		}
		m.Response = true
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
			Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 9}}}}
		m.Additionals = nil
		b, err := m.Pack()
		if err != nil {
			return nil
		}
		return b
	}
	addr := listen(t, func(c net.Conn) {
		for {
			q, err := readDNS(c)
			if err != nil || writeDNS(c, answer(q)) != nil {
				return
			}
		}
	})
	u, err := net.ListenPacket("udp", addr.String())
	if err != nil {
		t.Skipf("the port of the TCP server is taken for UDP: %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, maxQuery)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = u.WriteTo(answer(buf[:n]), from)
		}
	}()
	t.Cleanup(func() { u.Close(); <-done })
	return netip.MustParseAddrPort(addr.String())
}

// TestDNS asks by the resolver of package net, over UDP and TCP.
func TestDNS(t *testing.T) {
	cfg := config()
	cfg.Resolvers = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1"), resolver(t)} // the first is not there
	s := newSite(t, cfg)
	for _, network := range []string{"udp", "tcp"} {
		r := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			if network == "udp" {
				return s.dialUDP(t, "10.0.0.254:53"), nil
			}
			return s.dial(t, "10.0.0.254:53")
		}}
		for name, want := range map[string]string{"sensor.": "10.0.0.1", "Sensor.site.": "10.0.0.1", "outside.site.": "10.0.0.254", "www.example.org.": "192.0.2.9"} {
			got, err := r.LookupNetIP(t.Context(), "ip4", name)
			if err != nil || fmt.Sprint(got) != "["+want+"]" {
				t.Errorf("by %s %s is %v, %v, want %s", network, name, got, err, want)
			}
		}
		if names, err := r.LookupAddr(t.Context(), "10.0.0.1"); err != nil || !slices.Equal(names, []string{"sensor.site."}) {
			t.Errorf("by %s 10.0.0.1 is %v, %v", network, names, err)
		}
		for _, name := range []string{"nobody.site."} {
			if got, err := r.LookupNetIP(t.Context(), "ip4", name); err == nil || !err.(*net.DNSError).IsNotFound {
				t.Errorf("by %s %s is %v, %v, want that there is none", network, name, got, err)
			}
		}
	}
	s.event(t, "nobody.site A no such name")
	s.event(t, "www.example.org A forwarded")
}

// TestDNSWithoutResolver asks for what nobody there knows.
func TestDNSWithoutResolver(t *testing.T) {
	s := newSite(t, config()) // whose resolver is not there
	q := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("www.example.org."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	b, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	c := s.dialUDP(t, "10.0.0.254:53")
	for _, junk := range []string{"", "x", strings.Repeat("\xff", 300), string(b[:len(b)-1])} {
		_, _ = c.Write([]byte(junk)) // which is passed over
	}
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 512)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(buf[:n]); err != nil || m.ID != 7 || m.RCode != dnsmessage.RCodeServerFailure || len(m.Questions) != 1 {
		t.Errorf("the answer is %+v, %v", m, err)
	}
	s.event(t, "www.example.org A connection refused")
}

func TestParseResolvers(t *testing.T) {
	got := parseResolvers("# none\nnameserver 10.0.0.1\nnameserver ::1\nsearch x\nnameserver\nnameserver there\n nameserver 10.0.0.2 # two\n")
	if fmt.Sprint(got) != "[10.0.0.1:53 [::1]:53 10.0.0.2:53]" {
		t.Errorf("name servers are %v", got)
	}
}

// TestPing pings this machine from the board's side.
func TestPing(t *testing.T) {
	if err := CanPing(); err != nil {
		t.Skip(err)
	}
	s := newSite(t, config())
	taken := make(chan []byte, 10)
	s.out.OnItem(func() {
		for _, i := range s.out.Take() {
			if i.Frame != nil {
				taken <- flat(i.Frame)
			}
		}
	})
	key := pingKey{boardAddress, netip.MustParseAddr("127.0.0.1"), 0x1234}
	for seq := range uint16(2) {
		h := header.ICMPv4(append(make([]byte, header.ICMPv4MinimumSize), "payload"...))
		h.SetType(header.ICMPv4Echo)
		h.SetIdent(key.id)
		h.SetSequence(seq)
		if err := s.sendPing(key, tcpip.LinkAddress(boardMAC), h); err != nil {
			t.Fatal(err)
		}
		b := <-taken
		ip := header.IPv4(b[header.EthernetMinimumSize:])
		r := header.ICMPv4(ip.Payload())
		if ip.SourceAddress() != address(key.to) || ip.DestinationAddress() != address(key.from) || !ip.IsChecksumValid() ||
			r.Type() != header.ICMPv4EchoReply || r.Ident() != key.id || r.Sequence() != seq || string(r.Payload()) != "payload" || header.ICMPv4Checksum(r, 0) != r.Checksum() {
			t.Errorf("the answer to ping %d is % x", seq, b)
		}
	}
}

// FuzzDeliver sends frames of all sorts to a gateway.
func FuzzDeliver(f *testing.F) {
	m, err := dhcpv4.NewDiscovery(boardMAC)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame(boardMAC, m.ToBytes()), uint8(0), uint16(0), uint16(0))
	f.Add(frame(boardMAC, make([]byte, 300)), uint8(1), uint16(34), uint16(6))
	arp := append([]byte{2, 0, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, make([]byte, 20)...)
	f.Add(arp, uint8(0), uint16(0), uint16(0))
	for _, protocol := range []byte{1, 6, 17, 2} { // to the outside, behind an IP header
		b := append([]byte{2, 0, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1}, make([]byte, 40)...)
		ip := header.IPv4(b[14:])
		ip.SetChecksum(^ip.CalculateChecksum())
		b[34], b[47] = 8, 2 // an echo request, or a SYN
		f.Add(b, uint8(1), uint16(34), uint16(16))
	}
	for _, protocol := range []byte{0, 6, 17, 44, 58} { // and behind an IPv6 header
		b := append(solicitation(boardAddress6), make([]byte, 24)...)
		ip := header.IPv6(b[14:])
		ip.SetNextHeader(protocol)
		ip.SetPayloadLength(uint16(len(ip) - header.IPv6MinimumSize))
		ip.SetDestinationAddress(address(netip.MustParseAddr("2001:db8::1")))
		f.Add(b, uint8(1), uint16(54), uint16(16))
	}
	f.Add(solicitation(boardAddress6), uint8(0), uint16(0), uint16(0))
	f.Add(neighbourSolicitation(netip.IPv6Unspecified(), gatewayAddress6.Addr()), uint8(0), uint16(0), uint16(0))
	cfg := config6()
	cfg.Dial = func(context.Context, string, netip.AddrPort) (net.Conn, error) { return nil, errNotAllowed }
	cfg.Allow = []Rule{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Port: 1}} // and so no pings
	g, err := New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { g.Close() })
	offloading := cfg
	offloading.Offload = true
	o, err := New(offloading)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { o.Close() })
	f.Fuzz(func(t *testing.T, frame []byte, flags uint8, start, offs uint16) {
		if len(frame) > 12 {
			copy(frame, g.cfg.MAC)
		}
		for _, g := range []*Gateway{g, o} {
			f := &ether.Frame{Parts: [][]byte{frame}, Offload: ether.Offload{Flags: flags & 1, ChecksumStart: start, ChecksumOffs: offs}}
			if f.Len() < header.EthernetMinimumSize {
				_ = g.Deliver(f)
				continue
			}
			// Not by way of the inbox: what happens is to hang on the frame alone.
			give := func(f *ether.Frame) { g.link.receive(g, buffer.NewViewWithData(flat(f)), f.Offload.Flags != 0) }
			if g.cfg.Offload {
				give(f)
			} else {
				f.Wire(give)
			}
			for _, i := range g.out.Take() {
				i.Release()
			}
		}
	})
}

// FuzzDNS asks all sorts of things.
func FuzzDNS(f *testing.F) {
	q := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("sensor.site."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	for _, name := range []string{"sensor.site.", "1.0.0.10.in-addr.arpa.", "x.site.", reverse(boardAddress6), "x" + reverse(boardAddress6)[1:]} {
		q.Questions[0].Name = dnsmessage.MustNewName(name)
		b, err := q.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	cfg := config6()
	z := newZone(&cfg)
	f.Fuzz(func(t *testing.T, message []byte) {
		var p dnsmessage.Parser
		h, err := p.Start(message)
		if err != nil {
			return
		}
		q, err := p.Question()
		if err != nil {
			return
		}
		answer, _ := z.answer(h, q)
		for _, b := range [][]byte{answer, failure(h, q)} {
			var m dnsmessage.Message
			if b != nil && m.Unpack(b) != nil {
				t.Errorf("an answer that cannot be read to %+v", q)
			}
		}
	})
}
