// Package gateway joins an Ethernet segment to the world outside, without
// rights: it is a port on the segment behind which a TCP/IP stack of its own
// (gVisor's) stands for every address that is not on the segment. What boards
// send there goes on through ordinary sockets of the host (NAT); the boards get
// their addresses (DHCP, RFC 2131; router advertisements, RFC 4861 and 4862) and
// names (DNS, RFC 1035) from it. A [Tap] is the other kind of gateway: a network
// interface of the host.
//
// A gateway lives in the host's time, on goroutines of its own. It touches the
// segment in two places only: [Gateway.Deliver] takes frames and returns at
// once, and the [Queue] holds what comes from outside until its owner lets it in.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"backplane/simbus"

	"go.uber.org/zap"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// Config is what a gateway does.
type Config struct {
	Name   string // it answers to it by DNS
	Domain string // the boards' domain: "sensor" is "sensor.Domain" too
	MAC    net.HardwareAddr
	// Address and Address6 are its own addresses and the segment's networks, of IPv4
	// and of IPv6. One of them may be missing.
	Address, Address6 netip.Prefix
	Hosts             []Host // the boards on the segment
	DHCP              bool   // give IPv4 addresses
	// Advertise sends router advertisements, from which boards make IPv6 addresses
	// of their own. The network of Address6 has 64 bits then.
	Advertise bool
	// Offload tells that checksums and segmentation may be left to the receiver
	// (ether.Offload), in both directions.
	Offload bool
	// Allow, if not nil, is all of the outside that boards may reach.
	Allow []Rule
	// HostAccess makes the gateway's own addresses mean the host's loopback, 127.0.0.1
	// and ::1, and lets boards reach the host's other addresses.
	HostAccess bool
	Forwards   []Forward
	// Resolvers answer what the gateway itself cannot; those of the host's
	// /etc/resolv.conf if there are none.
	Resolvers []netip.AddrPort
	// Dial opens a connection to the outside, a [net.Dialer] if nil.
	Dial func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error)
	// Log, if not nil, is told what the host does not let the gateway do.
	Log *zap.Logger
}

// Host is a board's port on the segment.
type Host struct {
	Name     string
	MAC      net.HardwareAddr
	Address  netip.Addr // of IPv4, if it has one
	Address6 netip.Addr // of IPv6, if it has one
	Lease    bool       // it is given Address by DHCP
}

// Limits of what is under way at a time. What goes beyond is refused, or dropped
// and counted.
const (
	maxConnections = 1024 // of TCP, with those that are being opened
	maxFlows       = 1024 // of UDP and of pings
	maxQueries     = 256  // of DNS that wait for a resolver
)

// How long things are waited for.
const (
	dialTimeout  = 20 * time.Second
	acceptAgain  = 100 * time.Millisecond // after a connection that could not be accepted
	flowTimeout  = 2 * time.Minute        // RFC 4787 REQ-5
	pingTimeout  = 10 * time.Second
	queryTimeout = 5 * time.Second
)

// Gateway is one that NATs.
type Gateway struct {
	cfg       Config
	out       *Queue
	link      *link
	stack     *stack.Stack
	in        *inbox
	leases    *leases
	zone      *zone
	pings     pings
	queries   chan struct{} // one for each under way
	solicited chan struct{} // a board without an address asks for an advertisement
	keepAlive keepAlive

	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup
	open   map[io.Closer]bool // connections and listeners
	tcp    int
	flows  int
}

// New starts a gateway. The error tells which host address cannot be listened on.
func New(cfg Config) (*Gateway, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", cfg.Name, err)
	}
	if cfg.Dial == nil {
		var d net.Dialer
		cfg.Dial = func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
			return d.DialContext(ctx, network, to.String())
		}
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if len(cfg.Resolvers) == 0 {
		cfg.Resolvers = hostResolvers()
	}
	g := &Gateway{cfg: cfg, out: newQueue(), leases: newLeases(&cfg), zone: newZone(&cfg),
		queries: make(chan struct{}, maxQueries), solicited: make(chan struct{}, 1), keepAlive: defaultKeepAlive, open: make(map[io.Closer]bool)}
	g.in = newInbox(func(lost uint64) { g.out.put(dropped("out", lost)) })
	g.ctx, g.cancel = context.WithCancel(context.Background())
	if err := g.startStack(); err != nil {
		g.Close()
		return nil, fmt.Errorf("gateway %s: %w", cfg.Name, err)
	}
	g.spawn(func() { g.in.serve(g.ctx, func(v *buffer.View, open bool) { g.link.receive(g, v, open) }) })
	if cfg.Advertise {
		g.spawn(g.advertise)
	}
	for _, f := range cfg.Forwards {
		if err := g.forward(f); err != nil {
			g.Close()
			return nil, fmt.Errorf("gateway %s: %w", cfg.Name, err)
		}
	}
	return g, nil
}

func (c *Config) check() error {
	a, b := c.Address, c.Address6
	switch {
	case !a.IsValid() && !b.IsValid():
		return errors.New("it has no address")
	case a.IsValid() && !a.Addr().Is4():
		return fmt.Errorf("address %s: must be an IPv4 address with its prefix length", a)
	case b.IsValid() && (!b.Addr().Is6() || b.Addr().Is4In6()):
		return fmt.Errorf("address %s: must be an IPv6 address with its prefix length", b)
	case c.Advertise && b.Bits() != SLAACBits:
		return fmt.Errorf("address %s: must have a prefix of %d bits, from which boards make their addresses", b, SLAACBits)
	}
	return nil
}

// addresses are the gateway's own on the segment, one of each family.
func (c *Config) addresses() (list []netip.Prefix) {
	for _, p := range []netip.Prefix{c.Address, c.Address6} {
		if p.IsValid() {
			list = append(list, p)
		}
	}
	return list
}

// own tells whether an address is one of those.
func (c *Config) own(a netip.Addr) bool { return a == c.Address.Addr() || a == c.Address6.Addr() }

// Out is what comes from outside.
func (g *Gateway) Out() *Queue { return g.out }

// Close ends all connections and waits for all that the gateway has started.
func (g *Gateway) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	open := g.open
	g.open = nil
	g.mu.Unlock()
	g.cancel()
	for c := range open {
		c.Close()
	}
	g.pings.close()
	g.out.close()
	if g.stack != nil {
		g.stack.Close()
		g.work.Wait()
		g.stack.Wait()
	}
	return nil
}

// spawn runs f on a goroutine that Close waits for; false if it is too late.
func (g *Gateway) spawn(f func()) bool {
	if !g.enter() {
		return false
	}
	go func() {
		defer g.work.Done()
		f()
	}()
	return true
}

func (g *Gateway) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.work.Add(1)
	return true
}

// track closes c when the gateway is closed; until then the returned function does.
func (g *Gateway) track(c io.Closer) (closeIt func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		c.Close()
		return func() {}
	}
	g.open[c] = true
	return func() {
		g.mu.Lock()
		delete(g.open, c)
		g.mu.Unlock()
		c.Close()
	}
}

var errTooMany = errors.New("too many connections at once")

// take counts one more connection, and give one less.
func (g *Gateway) take(n *int, most int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if *n >= most {
		return false
	}
	*n++
	return true
}

func (g *Gateway) give(n *int) {
	g.mu.Lock()
	*n--
	g.mu.Unlock()
}

// Actions of a gateway, as events of kind [KindGateway] have them.
const (
	ActionLease     = "lease"     // an address was given: name, address, mac
	ActionAdvertise = "advertise" // a router solicitation was answered: address, mac
	ActionOpen      = "open"      // a connection to the outside: protocol, from, to
	ActionRefused   = "refused"   // one that was not to be: protocol, from, to, detail
	ActionClosed    = "closed"    // the end of one: protocol, from, to, sent and received in bytes
	ActionForward   = "forward"   // a connection from outside to a board: protocol, from, to
	ActionDNS       = "dns"       // a question: from, name, type, result
	ActionDropped   = "dropped"   // what found a queue full: way (in or out), count
)

func (g *Gateway) tell(action string, attrs ...simbus.Attr) {
	g.out.put(Item{Event: append([]simbus.Attr{simbus.Text("action", action)}, attrs...)})
}

func connection(protocol string, from, to netip.AddrPort) []simbus.Attr {
	return []simbus.Attr{simbus.Text("protocol", protocol), simbus.Text("from", from.String()), simbus.Text("to", to.String())}
}
