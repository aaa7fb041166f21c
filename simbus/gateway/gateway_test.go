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
	"strings"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/ether"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// listen is a server on this machine that handles each connection with f.
func listen(t *testing.T, f func(net.Conn)) net.Addr { return listenOn(t, "127.0.0.1:0", f) }

func listenOn(t *testing.T, address string, f func(net.Conn)) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr()
}

// TestTCPBothWays sends much to a server that returns its digest once it has all
// of it, with and without work left to the receiver.
func TestTCPBothWays(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload %t", offload), func(t *testing.T) {
			data := make([]byte, 8<<20)
			_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
			cfg := config()
			cfg.Offload = offload
			toHost(&cfg, listen(t, func(c net.Conn) {
				h := sha256.New()
				if _, err := io.Copy(h, c); err == nil {
					_, _ = c.Write(h.Sum(nil))
					_, _ = c.Write(data)
				}
			}))
			s := newSite(t, cfg)
			c, err := s.dial(t, "192.0.2.1:80")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				_, _ = c.Write(data)
				_ = c.CloseWrite()
			}()
			got, err := io.ReadAll(c)
			want := sha256.Sum256(data)
			if err != nil || !bytes.Equal(got, append(want[:], data...)) {
				t.Errorf("%d bytes came back, %v; it must be the digest and what was sent, %d bytes", len(got), err, 32+len(data))
			}
			c.Close()
			s.event(t, "open tcp 10.0.0.1:")
			s.event(t, fmt.Sprintf(" 192.0.2.1:80 %d %d", len(data), 32+len(data)))
		})
	}
}

func TestTCPRefusals(t *testing.T) {
	t.Parallel() // it mostly waits
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	cfg := config()
	toHost(&cfg, closed.Addr())
	cfg.Allow = []Rule{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Port: 80}, {Prefix: netip.MustParsePrefix("127.0.0.0/8")}}
	s := newSite(t, cfg)
	for to, why := range map[string]string{
		"192.0.2.1:80":    "connection refused",
		"192.0.2.1:81":    errNotAllowed.Error(),
		"198.51.100.1:80": errNotAllowed.Error(),
		"10.0.0.254:80":   errHost.Error(),
		"127.0.0.1:80":    "",
	} {
		if _, err := s.dial(t, to); err == nil {
			t.Errorf("a connection to %s was taken", to)
		} else if why != "" {
			if !strings.Contains(err.Error(), "refused") {
				t.Errorf("a connection to %s ends with %v, want a refusal", to, err)
			}
			s.event(t, to+" "+why)
		}
	}
}

func TestOutside(t *testing.T) {
	own := "127.0.0.9"
	if list, err := net.InterfaceAddrs(); err == nil {
		for _, a := range list {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
				own = n.IP.String()
			}
		}
	}
	for _, tt := range []struct {
		name, to, want string
		access         bool
		allow          []Rule
		err            error
	}{
		{name: "anywhere", to: "192.0.2.1:80", want: "192.0.2.1:80"},
		{name: "the host", to: "10.0.0.254:80", err: errHost},
		{name: "the host, asked for", to: "10.0.0.254:80", access: true, want: "127.0.0.1:80"},
		{name: "the host's own address", to: own + ":80", err: errHost},
		{name: "loopback", to: "127.0.0.1:80", access: true, err: errHost},
		{name: "a group", to: "224.0.0.1:80", err: errNoHost},
		{name: "all", to: "255.255.255.255:80", err: errNoHost},
		{name: "none", to: "0.0.0.0:80", err: errNoHost},
		{name: "nobody on the segment", to: "10.0.0.77:80", err: errNoHost},
		{name: "one link's own", to: "169.254.169.254:80", access: true, err: errNoHost},
		{name: "IPv6", to: "[2001:db8::1]:80", want: "[2001:db8::1]:80"},
		{name: "a private network of IPv6", to: "[fd77::1]:80", want: "[fd77::1]:80"},
		{name: "the host by IPv6", to: "[fd00::fe]:80", err: errHost},
		{name: "the host by IPv6, asked for", to: "[fd00::fe]:80", access: true, want: "[::1]:80"},
		{name: "loopback of IPv6", to: "[::1]:80", access: true, err: errHost},
		{name: "loopback of IPv4 by IPv6", to: "[::ffff:127.0.0.1]:80", access: true, err: errNoHost},
		{name: "loopback of IPv4, the old way", to: "[::127.0.0.1]:80", access: true, err: errNoHost},
		{name: "a group of IPv6", to: "[ff0e::1]:80", err: errNoHost},
		{name: "one link's own of IPv6", to: "[fe80::1]:80", access: true, err: errNoHost},
		{name: "none of IPv6", to: "[::]:80", err: errNoHost},
		{name: "nobody on the segment by IPv6", to: "[fd00::77]:80", err: errNoHost},
		{name: "IPv4 alone allowed", to: "[2001:db8::1]:80", allow: []Rule{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}}, err: errNotAllowed},
		{name: "IPv6 allowed", to: "[2001:db8::1]:80", allow: []Rule{{Prefix: netip.MustParsePrefix("2001:db8::/32"), Port: 80}}, want: "[2001:db8::1]:80"},
		{name: "nothing allowed", to: "192.0.2.1:80", allow: []Rule{}, err: errNotAllowed},
		{name: "allowed", to: "192.0.2.1:80", allow: []Rule{{Prefix: netip.MustParsePrefix("192.0.2.0/24")}}, want: "192.0.2.1:80"},
		{name: "another port", to: "192.0.2.1:80", allow: []Rule{{netip.MustParsePrefix("192.0.2.0/24"), 443}}, err: errNotAllowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config6()
			cfg.HostAccess, cfg.Allow = tt.access, tt.allow
			g := &Gateway{cfg: cfg}
			got, err := g.outside(netip.MustParseAddrPort(tt.to))
			if !errors.Is(err, tt.err) || err == nil && got.String() != tt.want {
				t.Errorf("%s leads to %s, %v, want %s, %v", tt.to, got, err, tt.want, tt.err)
			}
		})
	}
}

// echoServer is a UDP server on this machine.
func echoServer(t *testing.T, address string) net.Addr {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, maxDatagram)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(bytes.ToUpper(buf[:n]), from)
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return c.LocalAddr()
}

func TestUDP(t *testing.T) {
	cfg := config()
	toHost(&cfg, echoServer(t, "127.0.0.1:0"))
	s := newSite(t, cfg)
	c := s.dialUDP(t, "192.0.2.1:7")
	for _, text := range []string{"one", strings.Repeat("long ", 1000), "three"} { // one of them in fragments
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, maxDatagram)
		n, err := c.Read(buf)
		if err != nil || string(buf[:n]) != strings.ToUpper(text) {
			t.Fatalf("%d bytes came back for %d, %v", n, len(text), err)
		}
	}
	s.event(t, "open udp 10.0.0.1:")
}

func TestForwards(t *testing.T) {
	cfg := config()
	host := netip.MustParseAddrPort("127.0.0.1:0")
	free := func(network string) netip.AddrPort { // that nobody listens on
		if network == "tcp" {
			l, err := net.Listen(network, host.String())
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			return netip.MustParseAddrPort(l.Addr().String())
		}
		c, err := net.ListenPacket(network, host.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return netip.MustParseAddrPort(c.LocalAddr().String())
	}
	cfg.Forwards = []Forward{{"tcp", free("tcp"), netip.AddrPortFrom(boardAddress, 7)}, {"udp", free("udp"), netip.AddrPortFrom(boardAddress, 7)},
		{"tcp", free("tcp"), netip.AddrPortFrom(boardAddress, 8)}}
	s := newSite(t, cfg)
	l, err := gonet.ListenTCP(s.board, tcpip.FullAddress{Port: 7}, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := gonet.DialUDP(s.board, &tcpip.FullAddress{Port: 7}, nil, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			c.Close()
		}
	}()
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = u.WriteTo(buf[:n], from)
		}
	}()
	for i, network := range []string{"tcp", "udp"} {
		for range 2 {
			c, err := net.Dial(network, cfg.Forwards[i].Host.String())
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
			c.Close()
			s.event(t, "forward "+network+" "+c.LocalAddr().String()+" 10.0.0.1:7")
		}
	}
	// Nobody listens on the board: what was taken here ends at once.
	c, err := net.Dial("tcp", cfg.Forwards[2].Host.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("a connection to a port that is shut brought %d bytes", n)
	}
	s.event(t, "refused tcp "+c.LocalAddr().String()+" 10.0.0.1:8")
	// A port that is taken is said at once.
	if _, err := New(Config{Name: "two", Address: gatewayAddress, MAC: cfg.MAC, Forwards: cfg.Forwards[:1]}); err == nil ||
		!strings.Contains(err.Error(), "gateway two: forward "+cfg.Forwards[0].Host.String()+"/tcp") {
		t.Errorf("a second gateway with the same port: %v", err)
	}
}

// TestCloseEndsConnections closes a gateway with much under way.
func TestCloseEndsConnections(t *testing.T) {
	ended := make(chan error, 2)
	cfg := config()
	toHost(&cfg, listen(t, func(c net.Conn) {
		_, err := io.Copy(io.Discard, c)
		ended <- err
	}))
	stuck := make(chan struct{})
	dial := cfg.Dial
	cfg.Dial = func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
		if to.Port() == 81 { // an outside that does not answer
			close(stuck)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return dial(ctx, network, to)
	}
	s := newSite(t, cfg)
	for range 2 {
		if c, err := s.dial(t, "192.0.2.1:80"); err != nil {
			t.Fatal(err)
		} else if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	hanging := make(chan error, 1)
	go func() {
		_, err := s.dial(t, "192.0.2.1:81")
		hanging <- err
	}()
	<-stuck
	_, _ = s.dialUDP(t, "192.0.2.1:9").Write([]byte("x"))
	s.event(t, "open udp")
	s.Close()
	for range 2 {
		<-ended
	}
	s.board.Close()
	<-hanging
}

// TestGoneBoardIsNoticed pulls the cable of a board that has a connection open.
func TestGoneBoardIsNoticed(t *testing.T) {
	ended := make(chan struct{})
	cfg := config()
	toHost(&cfg, listen(t, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
		close(ended)
	}))
	s := newSite(t, cfg)
	s.keepAlive = keepAlive{50 * time.Millisecond, 50 * time.Millisecond, 2}
	c, err := s.dial(t, "192.0.2.1:80")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	s.event(t, "open tcp")
	s.unplugged.Store(true)
	s.event(t, "closed tcp")
	<-ended
}

// TestQueueIsBounded gives a gateway no chance to get rid of what it has.
func TestQueueIsBounded(t *testing.T) {
	q := newQueue()
	released := 0
	frame := &ether.Frame{Parts: [][]byte{make([]byte, 1<<20)}}
	for range 10 {
		q.put(Item{Frame: frame, release: func() { released++ }})
	}
	if len(q.Take()) != 9 || released != 2 || q.Dropped() != 2 {
		t.Errorf("of ten frames of 1 MiB %d were released at once and %d dropped, want 2", released, q.Dropped())
	}
	for range maxQueuedEvents + 5 {
		q.put(Item{Event: []simbus.Attr{}})
	}
	if items := q.Take(); len(items) != maxQueuedEvents+1 || fmt.Sprint(items[maxQueuedEvents]) != fmt.Sprint(dropped("in", 7)) {
		t.Errorf("%d events wait, want %d and one that tells of all that was dropped", len(items), maxQueuedEvents)
	}
	told := []uint64{}
	b := newInbox(func(n uint64) { told = append(told, n) })
	for range 13 {
		b.put(nil, frame)
	}
	if b.lost.Load() != 5 || fmt.Sprint(told) != "[1 2 4]" {
		t.Errorf("%d of 13 frames of 1 MiB found the inbox full, want 5; told of were %d", b.lost.Load(), told)
	}
}

// TestOthersARP asks for another board's hardware address.
func TestOthersARP(t *testing.T) {
	s := newSite(t, config())
	for _, own := range []bool{false, true} {
		b := make([]byte, header.EthernetMinimumSize+header.ARPSize)
		header.Ethernet(b).Encode(&header.EthernetFields{SrcAddr: tcpip.LinkAddress(boardMAC), DstAddr: header.EthernetBroadcastAddress, Type: header.ARPProtocolNumber})
		a := header.ARP(b[header.EthernetMinimumSize:])
		a.SetIPv4OverEthernet()
		a.SetOp(header.ARPRequest)
		copy(a.HardwareAddressSender(), boardMAC)
		copy(a.ProtocolAddressSender(), boardAddress.AsSlice())
		copy(a.ProtocolAddressTarget(), []byte{10, 0, 0, 77})
		if own {
			copy(a.ProtocolAddressTarget(), gatewayAddress.Addr().AsSlice())
		}
		if got := s.othersARP(b); got == own {
			t.Errorf("othersARP is %t for a request that is for the gateway: %t", got, own)
		}
	}
}

func TestParseRule(t *testing.T) {
	const none = ` is not an IP address or network, such as "10.1.2.3:443", "10.1.0.0/16" or "[2001:db8::1]:443"`
	for text, want := range map[string]string{
		"10.1.2.3":       "10.1.2.3/32 0",
		"10.1.2.3/16":    "10.1.0.0/16 0",
		"10.1.2.3:443":   "10.1.2.3/32 443",
		"0.0.0.0/0:53":   "0.0.0.0/0 53",
		"10.1.2.3:0":     `"10.1.2.3:0" has no port from 1 to 65535 after the colon`,
		"10.1.2.3:70000": `"10.1.2.3:70000" has no port from 1 to 65535 after the colon`,
		"there":          `"there"` + none,
		"10.1.2.3/33":    `"10.1.2.3/33"` + none,
		"":               `""` + none,

		"2001:db8::1":          "2001:db8::1/128 0",
		"2001:db8::1/32":       "2001:db8::/32 0",
		"[2001:db8::1]":        "2001:db8::1/128 0",
		"[2001:db8::1]:443":    "2001:db8::1/128 443",
		"[2001:db8::1/32]:443": "2001:db8::/32 443",
		"[::/0]:53":            "::/0 53",
		"[10.1.2.3]:80":        "10.1.2.3/32 80",
		"[2001:db8::1]:0":      `"[2001:db8::1]:0" has no port from 1 to 65535 after the colon`,
		"[2001:db8::1]/32":     `"[2001:db8::1]/32" has "/32" after the address, where only a colon and a port may follow`,
		"[2001:db8::1":         `"[2001:db8::1" has no ] after the address`,
		"fe80::1%eth0":         `"fe80::1%eth0"` + none,
		"::ffff:10.1.2.3":      `"::ffff:10.1.2.3"` + none,
		"::ffff:10.1.2.3/112":  `"::ffff:10.1.2.3/112"` + none,
		"[]:80":                `"[]:80"` + none,
		"[":                    `"[" has no ] after the address`,
	} {
		r, err := ParseRule(text)
		got := fmt.Sprint(r.Prefix, " ", r.Port)
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// TestCorruptionIsSeen sends a datagram whose checksum is wrong: it is lost, and
// where the checksum is said to be open it goes through.
func TestCorruptionIsSeen(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	cfg := config()
	cfg.Offload = true
	toHost(&cfg, server.LocalAddr())
	s := newSite(t, cfg)
	send := func(payload string, o ether.Offload) {
		b := frame(boardMAC, []byte(payload))
		copy(b, cfg.MAC)
		ip := header.IPv4(b[header.EthernetMinimumSize:])
		ip.SetSourceAddress(address(boardAddress))
		ip.SetDestinationAddress(tcpip.AddrFrom4([4]byte{192, 0, 2, 1}))
		ip.SetChecksum(0)
		ip.SetChecksum(^ip.CalculateChecksum())
		u := header.UDP(ip.Payload())
		u.SetDestinationPort(7)
		u.SetChecksum(0xbad)
		_ = s.Deliver(&ether.Frame{Parts: [][]byte{b}, Offload: o})
	}
	send("wrong", ether.Offload{})
	send("open", ether.Offload{Flags: needsChecksum, ChecksumStart: 34, ChecksumOffs: 6})
	buf := make([]byte, 100)
	if n, _, err := server.ReadFrom(buf); err != nil || string(buf[:n]) != "open" {
		t.Errorf("the server gets %q, %v, and must get the datagram whose checksum is open", buf[:n], err)
	}
}
