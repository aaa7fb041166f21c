package gateway

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"backplane/simbus"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// connectUDP takes the first packet of a flow; the stack gives the rest to the
// flow's endpoint. False is answered with "port unreachable". It is called on
// the goroutine that receives.
func (g *Gateway) connectUDP(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	from, to := ends(id)
	out, err := g.dialUDP(to)
	if err != nil {
		if !errors.Is(err, errNoHost) { // broadcasts of all sorts
			g.refuse("udp", from, to, err)
		}
		if noRoute(err) {
			g.reject(pkt, err)
		}
		return noRoute(err)
	}
	var wq waiter.Queue
	ep, terr := udp.NewForwarderRequest(g.stack, id, pkt.Clone()).CreateEndpoint(&wq)
	if terr != nil {
		out.Close()
		g.give(&g.flows)
		return false
	}
	board := gonet.NewUDPConn(&wq, ep)
	if !g.spawn(func() {
		defer g.give(&g.flows)
		defer g.track(board)()
		defer g.track(out)()
		g.tell(ActionOpen, connection("udp", from, to)...)
		g.relayPackets(board, out, from, to)
	}) {
		board.Close()
		out.Close()
		g.give(&g.flows)
	}
	return true
}

// dialUDP opens the outside's end of a flow, which waits for nobody.
func (g *Gateway) dialUDP(to netip.AddrPort) (net.Conn, error) {
	target, err := g.outside(to)
	if err != nil {
		return nil, err
	}
	if !g.take(&g.flows, maxFlows) {
		return nil, errTooMany
	}
	c, err := g.cfg.Dial(g.ctx, family("udp", target.Addr()), target)
	if err != nil {
		g.give(&g.flows)
	}
	return c, err
}

// maxDatagram is the longest payload of a UDP packet, in bytes.
const maxDatagram = 65507

// datagrams are buffers for one: each way of each flow holds one all the time.
var datagrams = sync.Pool{New: func() any { b := make([]byte, maxDatagram); return &b }}

// relayPackets passes packets on until neither side has sent any for a while, or
// the outside says that nobody listens.
func (g *Gateway) relayPackets(board, out net.Conn, from, to netip.AddrPort) {
	last := newActivity()
	var sent, received int64
	var ways sync.WaitGroup
	way := func(dst, src net.Conn, n *int64) {
		defer ways.Done()
		*n = pump(src, dst.Write, last)
		dst.Close()
		src.Close()
	}
	ways.Add(2)
	go way(out, board, &sent)
	way(board, out, &received)
	ways.Wait()
	g.closedUDP(from, to, sent, received)
}

func (g *Gateway) closedUDP(from, to netip.AddrPort, sent, received int64) {
	if g.ctx.Err() == nil {
		g.tell(ActionClosed, append(connection("udp", from, to), simbus.Int("sent", sent), simbus.Int("received", received))...)
	}
}

// activity is when a flow's last packet came by, either way.
type activity struct {
	begin time.Time
	last  atomic.Int64 // nanoseconds since then: the host's wall clock may jump
}

func newActivity() *activity { return &activity{begin: time.Now()} }

func (a *activity) now() { a.last.Store(int64(time.Since(a.begin))) }

// left is how long the flow may go on idling.
func (a *activity) left() time.Duration {
	return flowTimeout - (time.Since(a.begin) - time.Duration(a.last.Load()))
}

// pump passes packets on until the flow idles or src breaks, and counts their bytes.
func pump(src net.Conn, write func([]byte) (int, error), last *activity) (n int64) {
	buf := datagrams.Get().(*[]byte)
	defer datagrams.Put(buf)
	for left := last.left(); left > 0; left = last.left() {
		if src.SetReadDeadline(time.Now().Add(left)) != nil {
			return n
		}
		k, err := src.Read(*buf)
		if t, ok := err.(net.Error); ok && t.Timeout() {
			continue
		}
		if err != nil {
			return n
		}
		last.now()
		if _, err := write((*buf)[:k]); err == nil { // what one side does not take is lost
			n += int64(k)
		}
	}
	return n
}
