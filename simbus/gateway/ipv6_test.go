package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/dns/dnsmessage"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
)

// needIPv6 skips a test whose other end is this machine's ::1.
func needIPv6(t *testing.T) {
	t.Helper()
	c, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	c.Close()
}

// TestIPv6BothWays sends much by TCP to a server that returns its digest, with and without
// work left to the receiver, and by UDP.
func TestIPv6BothWays(t *testing.T) {
	needIPv6(t)
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload %t", offload), func(t *testing.T) {
			data := make([]byte, 8<<20)
			_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
			cfg := config6()
			cfg.Offload = offload
			toHost(&cfg, listenOn(t, "[::1]:0", func(c net.Conn) {
				h := sha256.New()
				if _, err := io.Copy(h, c); err == nil {
					_, _ = c.Write(h.Sum(nil))
					_, _ = c.Write(data)
				}
			}))
			s := newSite(t, cfg)
			c, err := s.dial(t, "[2001:db8::1]:80")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				_, _ = c.Write(data)
				_ = c.CloseWrite()
			}()
			got, err := io.ReadAll(c)
			digest := sha256.Sum256(data)
			if err != nil || !bytes.Equal(got, append(digest[:], data...)) {
				t.Errorf("%d bytes came back, %v; it must be the digest and what was sent, %d bytes", len(got), err, 32+len(data))
			}
			c.Close()
			s.event(t, "open tcp ["+boardAddress6.String()+"]:")
			s.event(t, fmt.Sprintf(" [2001:db8::1]:80 %d %d", len(data), 32+len(data)))
		})
	}
	t.Run("UDP", func(t *testing.T) {
		cfg := config6()
		toHost(&cfg, echoServer(t, "[::1]:0"))
		s := newSite(t, cfg)
		c := s.dialUDP(t, "[2001:db8::1]:7")
		for _, text := range []string{"one", strings.Repeat("long ", 1000)} { // one of them in fragments
			if _, err := c.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, maxDatagram)
			n, err := c.Read(buf)
			if err != nil || string(buf[:n]) != strings.ToUpper(text) {
				t.Fatalf("%d bytes came back for %d, %v", n, len(text), err)
			}
		}
		s.event(t, "open udp ["+boardAddress6.String()+"]:")
	})
}

// TestIPv6Refusals tries what does not get through, on a host without IPv6 too, and what
// the board is told.
func TestIPv6Refusals(t *testing.T) {
	cfg := config6()
	cfg.Allow = []Rule{{Prefix: netip.MustParsePrefix("2001:db8::/32")}}
	cfg.Dial = func(context.Context, string, netip.AddrPort) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}
	}
	s, frames := watchedSite(t, cfg)
	const prohibited, noRoute, noPort = 1, 0, 4
	unreachable := func(code uint8, of string) {
		t.Helper()
		p := want(t, frames, fmt.Sprintf("message that %s is unreachable", of), ofType(layers.ICMPv6TypeDestinationUnreachable))
		l := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
		if l.TypeCode.Code() != code || !bytes.Contains(l.Payload, netip.MustParseAddr(of).AsSlice()) {
			t.Errorf("the code is %d; it must be %d for %s", l.TypeCode.Code(), code, of)
		}
	}
	for to, why := range map[string]string{"[2001:db8::1]:80": "network is unreachable", "[2001:db9::1]:80": errNotAllowed.Error(), "[fd00::fe]:80": errHost.Error()} {
		if _, err := s.dial(t, to); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("a connection to %s ends with %v, want a refusal", to, err)
		}
		s.event(t, "refused tcp ["+boardAddress6.String()+"]:")
		s.event(t, to+" "+why)
	}
	_, _ = s.dialUDP(t, "[2001:db8::2]:7").Write([]byte("x"))
	unreachable(noRoute, "2001:db8::2")
	_, _ = s.dialUDP(t, "[2001:db9::2]:7").Write([]byte("x"))
	unreachable(noPort, "2001:db9::2")
	send(s, icmp6(boardAddress6, netip.MustParseAddr("2001:db9::3"), []byte{128, 0, 0, 0, 1, 2, 0, 1}))
	unreachable(prohibited, "2001:db9::3")
	s.event(t, "refused icmp ["+boardAddress6.String()+"]:0 [2001:db9::3]:0 "+errNotAllowed.Error())
}

// TestGatewayAnswersPings pings the gateway itself, by its addresses and as a router.
func TestGatewayAnswersPings(t *testing.T) {
	s, frames := watchedSite(t, config6())
	for _, to := range []netip.Addr{gatewayAddress6.Addr(), s.linkLocal(), allNodes, netip.MustParseAddr("ff02::2")} {
		send(s, icmp6(SLAAC(netip.MustParsePrefix("fe80::/64"), boardMAC), to, []byte{128, 0, 0, 0, 1, 2, 0, 1}))
		p := want(t, frames, "answer to a ping of "+to.String(), ofType(layers.ICMPv6TypeEchoReply))
		if src := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6).SrcIP.String(); src != to.String() && (!to.IsMulticast() || src != s.linkLocal().String()) {
			t.Errorf("%s answers to a ping of %s", src, to)
		}
	}
}

// TestForwards6 leads ports of the host's ::1 to a board.
func TestForwards6(t *testing.T) {
	needIPv6(t)
	cfg := config6()
	l, err := net.Listen("tcp", "[::1]:0") // a port that is free, probably for UDP too
	if err != nil {
		t.Fatal(err)
	}
	host := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	to := netip.AddrPortFrom(boardAddress6, 7)
	cfg.Forwards = []Forward{{"tcp", host, to}, {"udp", host, to}}
	s := newSite(t, cfg)
	server, err := gonet.ListenTCP(s.board, tcpip.FullAddress{Port: 7}, ipv6.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	u, err := gonet.DialUDP(s.board, &tcpip.FullAddress{Port: 7}, nil, ipv6.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	seen := make(chan string, 2)
	go func() {
		c, err := server.Accept()
		if err != nil {
			return
		}
		seen <- c.RemoteAddr().(*net.TCPAddr).IP.String()
		_, _ = io.Copy(c, c)
		c.Close()
	}()
	go func() {
		buf := make([]byte, 100)
		n, from, err := u.ReadFrom(buf)
		if err != nil {
			return
		}
		seen <- from.(*net.UDPAddr).IP.String()
		_, _ = u.WriteTo(buf[:n], from)
	}()
	for _, network := range []string{"tcp", "udp"} {
		c, err := net.Dial(network, host.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "hello" {
			t.Errorf("%s came back by %s, %v", buf[:n], network, err)
		}
		if from := <-seen; from != gatewayAddress6.Addr().String() {
			t.Errorf("by %s the board sees %s, and must see the gateway", network, from)
		}
		c.Close()
		s.event(t, "forward "+network+" "+c.LocalAddr().String()+" "+to.String())
	}
}

// TestDNS6 asks for IPv6 addresses, by IPv6, at a gateway of both and at one of IPv6 alone.
func TestDNS6(t *testing.T) {
	for name, cfg := range map[string]Config{"both": config6(), "IPv6 alone": config6()} {
		t.Run(name, func(t *testing.T) {
			if name != "both" {
				cfg.Address, cfg.DHCP, cfg.Hosts[0].Address = netip.Prefix{}, false, netip.Addr{}
			}
			s := newSite(t, cfg)
			for _, network := range []string{"udp", "tcp"} {
				r := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
					if network == "udp" {
						return s.dialUDP(t, "[fd00::fe]:53"), nil
					}
					return s.dial(t, "[fd00::fe]:53")
				}}
				for name, want := range map[string]netip.Addr{"sensor.": boardAddress6, "Sensor.site.": boardAddress6, "outside.site.": gatewayAddress6.Addr()} {
					got, err := r.LookupNetIP(t.Context(), "ip6", name)
					if err != nil || !slices.Equal(got, []netip.Addr{want}) {
						t.Errorf("by %s %s is %v, %v, want %s", network, name, got, err, want)
					}
				}
				if names, err := r.LookupAddr(t.Context(), boardAddress6.String()); err != nil || !slices.Equal(names, []string{"sensor.site."}) {
					t.Errorf("by %s %s is %v, %v", network, boardAddress6, names, err)
				}
				var e *net.DNSError
				if got, err := r.LookupAddr(t.Context(), "fd00::77"); !errors.As(err, &e) || !e.IsNotFound {
					t.Errorf("by %s fd00::77 is %v, %v, want that there is none", network, got, err)
				}
			}
			s.event(t, "sensor AAAA "+boardAddress6.String())
		})
	}
}

// TestReverse reads the names of addresses back, and names of none.
func TestReverse(t *testing.T) {
	for _, text := range []string{"10.0.0.254", "fd00::fe", "2001:db8:1:2:3:4:5:6f"} {
		a := netip.MustParseAddr(text)
		if got, ok := unreverse(reverse(a)); !ok || got != a {
			t.Errorf("%s is %s, which is %s, %t", a, reverse(a), got, ok)
		}
	}
	long := reverse(gatewayAddress6.Addr())
	for _, name := range []string{"", "arpa.", "0.0.10.in-addr.arpa.", "300.0.0.10.in-addr.arpa.", long[2:], "0." + long, "x" + long[1:], "ff" + long[1:], "." + long[1:]} {
		if got, ok := unreverse(name); ok {
			t.Errorf("%q is %s", name, got)
		}
	}
	// A name that nobody else can know is not asked of others.
	cfg := config6()
	z := newZone(&cfg)
	for name, own := range map[string]bool{reverse(netip.MustParseAddr("fd00::1")): true, reverse(netip.MustParseAddr("fd01::1")): false} {
		n := dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}
		if b, _ := z.answer(dnsmessage.Header{}, n); (b != nil) != own {
			t.Errorf("the zone answers to %s: %t", name, b != nil)
		}
	}
}

// TestPing6 pings this machine from the board's side.
func TestPing6(t *testing.T) {
	if err := CanPing(); err != nil {
		t.Skip(err)
	}
	needIPv6(t)
	s, frames := watchedSite(t, config6())
	key := pingKey{boardAddress6, netip.IPv6Loopback(), 0x1234}
	for seq := range uint16(2) {
		h := header.ICMPv4(append(make([]byte, header.ICMPv4MinimumSize), "payload"...))
		h.SetIdent(key.id)
		h.SetSequence(seq)
		if err := s.sendPing(key, tcpip.LinkAddress(boardMAC), h); err != nil {
			t.Fatal(err)
		}
		p := want(t, frames, "answer", ofType(layers.ICMPv6TypeEchoReply))
		ip := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
		m := header.ICMPv6(slices.Clone(ip.Payload))
		if ip.SrcIP.String() != "::1" || ip.DstIP.String() != boardAddress6.String() || m.Ident() != key.id || m.Sequence() != seq || string(m.Payload()) != "payload" ||
			m.Checksum() != header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: m, Src: address(key.to), Dst: address(key.from)}) {
			t.Errorf("the answer to ping %d is % x", seq, p.Data())
		}
	}
}

// TestConfigOfAddresses starts gateways whose addresses cannot be.
func TestConfigOfAddresses(t *testing.T) {
	for want, f := range map[string]func(*Config){
		"it has no address": func(c *Config) { c.Address, c.Address6 = netip.Prefix{}, netip.Prefix{} },
		"address fd00::fe/64: must be an IPv4 address with its prefix length":                           func(c *Config) { c.Address = gatewayAddress6 },
		"address 10.0.0.254/24: must be an IPv6 address with its prefix length":                         func(c *Config) { c.Address6 = gatewayAddress },
		"address fd00::fe/56: must have a prefix of 64 bits, from which boards make their addresses":    func(c *Config) { c.Address6 = netip.MustParsePrefix("fd00::fe/56") },
		"address invalid Prefix: must have a prefix of 64 bits, from which boards make their addresses": func(c *Config) { c.Address6 = netip.Prefix{} },
		"address ::ffff:10.0.0.1/120: must be an IPv6 address with its prefix length":                   func(c *Config) { c.Address6 = netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.1"), 120) },
	} {
		cfg := config6()
		f(&cfg)
		if _, err := New(cfg); err == nil || err.Error() != "gateway outside: "+want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}
