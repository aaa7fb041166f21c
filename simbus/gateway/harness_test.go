package gateway

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/ether"

	"go.uber.org/goleak"
	"gvisor.dev/gvisor/pkg/buffer"
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

// TestMain: a gateway that is closed leaves nothing behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	gatewayAddress = netip.MustParsePrefix("10.0.0.254/24")
	boardAddress   = netip.MustParseAddr("10.0.0.1")
	boardMAC       = net.HardwareAddr{2, 0, 0, 0, 0, 1}

	gatewayAddress6 = netip.MustParsePrefix("fd00::fe/64")
	boardAddress6   = SLAAC(gatewayAddress6, boardMAC)
)

// config is that of a gateway for one board.
func config() Config {
	return Config{Name: "outside", Domain: "site", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 0xfe}, Address: gatewayAddress, DHCP: true,
		Hosts:     []Host{{Name: "sensor", MAC: boardMAC, Address: boardAddress, Lease: true}},
		Resolvers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}}
}

// config6 is that of a gateway with IPv6 too.
func config6() Config {
	cfg := config()
	cfg.Address6, cfg.Advertise = gatewayAddress6, true
	cfg.Hosts[0].Address6 = boardAddress6
	return cfg
}

// site is a gateway and a board on a cable. The board is a stack of its own.
type site struct {
	*Gateway
	board *stack.Stack

	mu     sync.Mutex
	events [][]simbus.Attr
	news   chan struct{}

	unplugged atomic.Bool // the board's cable
}

// newSite starts both. Nothing of them may be left when the test ends.
func newSite(t testing.TB, cfg Config) *site { return sniffedSite(t, cfg, func([]byte) {}) }

// sniffedSite calls sniff with each frame that the board is sent.
func sniffedSite(t testing.TB, cfg Config, sniff func(frame []byte)) *site {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := &link{mac: tcpip.LinkAddress(boardMAC), offload: cfg.Offload, out: newQueue()}
	b := stack.New(stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6}})
	if err := b.CreateNIC(nicID, l); err != nil {
		t.Fatal(err)
	}
	linkLocal := netip.MustParsePrefix("fe80::/64")
	for _, p := range []netip.Prefix{netip.PrefixFrom(boardAddress, 24), netip.PrefixFrom(SLAAC(linkLocal, boardMAC), 64), netip.PrefixFrom(boardAddress6, 64)} {
		l.own = append(l.own, address(p.Addr()))
		if err := b.AddProtocolAddress(nicID, tcpip.ProtocolAddress{Protocol: protocol(p.Addr()),
			AddressWithPrefix: tcpip.AddressWithPrefix{Address: address(p.Addr()), PrefixLen: p.Bits()}}, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
	}
	subnet, _ := tcpip.NewSubnet(address(gatewayAddress.Masked().Addr()), tcpip.MaskFromBytes([]byte{255, 255, 255, 0}))
	b.SetRouteTable([]tcpip.Route{{Destination: subnet, NIC: nicID},
		{Destination: header.IPv4EmptySubnet, Gateway: address(gatewayAddress.Addr()), NIC: nicID},
		{Destination: header.IPv6EmptySubnet, Gateway: address(SLAAC(linkLocal, cfg.MAC)), NIC: nicID}})
	s := &site{Gateway: g, board: b, news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	var cables sync.WaitGroup
	cable := func(q *Queue, f func(*Item)) {
		woken := make(chan struct{}, 1)
		q.OnItem(func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		})
		cables.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-woken:
				}
				for _, i := range q.Take() {
					f(&i)
					i.Release()
				}
			}
		})
	}
	cable(g.Out(), func(i *Item) {
		if i.Frame == nil {
			s.note(i.Event)
			return
		}
		if s.unplugged.Load() {
			return
		}
		sniff(flat(i.Frame))
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(flat(i.Frame))})
		defer pkt.DecRef()
		l.ParseHeader(pkt)
		l.open.Store(i.Frame.Offload.Flags&needsChecksum != 0)
		l.dispatcher.DeliverNetworkPacket(header.Ethernet(flat(i.Frame)).Type(), pkt)
	})
	cable(l.out, func(i *Item) {
		if !s.unplugged.Load() {
			_ = g.Deliver(i.Frame)
		}
	})
	t.Cleanup(func() {
		begin := time.Now()
		g.Close()
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("the gateway took %s to close", d)
		}
		cancel()
		cables.Wait()
		b.Destroy()
	})
	return s
}

func flat(f *ether.Frame) []byte {
	b := make([]byte, 0, f.Len())
	for _, p := range f.Parts {
		b = append(b, p...)
	}
	return b
}

func (s *site) note(e []simbus.Attr) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// event waits for an event whose values, joined by spaces, contain the words.
func (s *site) event(t testing.TB, words string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		var all []string
		for _, e := range s.events {
			var values []string
			for _, a := range e {
				values = append(values, a.Value())
			}
			all = append(all, strings.Join(values, " "))
		}
		s.mu.Unlock()
		for _, one := range all {
			if strings.Contains(one, words) {
				return
			}
		}
		select {
		case <-s.news:
		case <-limit:
			t.Fatalf("no event says %q, only\n%s", words, strings.Join(all, "\n"))
		}
	}
}

// dial opens a TCP connection from the board.
func (s *site) dial(t testing.TB, to string) (*gonet.TCPConn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	remote := netip.MustParseAddrPort(to)
	c, err := gonet.DialContextTCP(ctx, s.board, fullAddress(remote), protocol(remote.Addr()))
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// dialUDP opens a flow from the board.
func (s *site) dialUDP(t testing.TB, to string) net.Conn {
	t.Helper()
	host := netip.MustParseAddrPort(to)
	remote := fullAddress(host)
	c, err := gonet.DialUDP(s.board, nil, &remote, protocol(host.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// toHost makes an address of the outside lead to one of this machine's.
func toHost(cfg *Config, host net.Addr) {
	cfg.Dial = func(ctx context.Context, network string, _ netip.AddrPort) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, host.String())
	}
}
