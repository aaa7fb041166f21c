package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
)

// Forward is a port of the host that leads to a board.
type Forward struct {
	Protocol string // tcp or udp
	Host     netip.AddrPort
	To       netip.AddrPort // on the segment
}

// forward listens on the host.
func (g *Gateway) forward(f Forward) error {
	if f.Protocol == "udp" {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(f.Host))
		if err != nil {
			return fmt.Errorf("forward %s/udp: %w", f.Host, err)
		}
		closeIt := g.track(c)
		g.spawn(func() {
			defer closeIt()
			g.forwardUDP(c, f)
		})
		return nil
	}
	l, err := net.Listen("tcp", f.Host.String())
	if err != nil {
		return fmt.Errorf("forward %s/tcp: %w", f.Host, err)
	}
	closeIt := g.track(l)
	g.spawn(func() {
		defer closeIt()
		for failing := false; ; {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // out of file descriptors, for now: whoever connects waits
				if !failing {
					g.cfg.Log.Warn("cannot accept connections", zap.Stringer("host", f.Host), zap.Error(err))
				}
				failing = true
				select {
				case <-g.ctx.Done():
				case <-time.After(acceptAgain):
				}
				continue
			}
			failing = false
			closeConn := g.track(c)
			if !g.spawn(func() {
				defer closeConn()
				g.forwardTCP(c, f)
			}) {
				closeConn()
			}
		}
	})
	return nil
}

func (g *Gateway) forwardTCP(out net.Conn, f Forward) {
	from := netip.MustParseAddrPort(out.RemoteAddr().String())
	if !g.take(&g.tcp, maxConnections) {
		g.refuse("tcp", from, f.To, errTooMany)
		return
	}
	defer g.give(&g.tcp)
	ctx, cancel := context.WithTimeout(g.ctx, dialTimeout)
	defer cancel()
	own := fullAddress(netip.AddrPortFrom(g.towards(f.To.Addr()), 0))
	board, err := gonet.DialTCPWithBind(ctx, g.stack, own, fullAddress(f.To), protocol(f.To.Addr()))
	if err != nil {
		g.refuse("tcp", from, f.To, err)
		return
	}
	defer g.track(board)()
	g.tell(ActionForward, connection("tcp", from, f.To)...)
	g.relay(out, board, from, f.To)
}

// flow is one sender on the host that a forwarded UDP port knows.
type flow struct {
	board *gonet.UDPConn
	last  *activity
	sent  atomic.Int64
}

// forwardUDP gives each sender on the host a flow of its own.
func (g *Gateway) forwardUDP(c *net.UDPConn, f Forward) {
	var mu sync.Mutex
	flows := make(map[netip.AddrPort]*flow)
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		mu.Lock()
		one := flows[from]
		mu.Unlock()
		if one == nil {
			if one = g.newFlow(from, f); one == nil {
				continue
			}
			mu.Lock()
			flows[from] = one
			mu.Unlock()
			closeIt := g.track(one.board)
			end := func() {
				mu.Lock()
				delete(flows, from)
				mu.Unlock()
				closeIt()
				g.give(&g.flows)
			}
			if !g.spawn(func() {
				defer end()
				received := pump(one.board, func(p []byte) (int, error) { return c.WriteToUDPAddrPort(p, from) }, one.last)
				g.closedUDP(from, f.To, one.sent.Load(), received)
			}) {
				end()
				return
			}
		}
		one.last.now()
		if _, err := one.board.Write(buf[:n]); err == nil { // else the board takes nothing
			one.sent.Add(int64(n))
		}
	}
}

// newFlow opens the board's side of a flow, nil if that cannot be.
func (g *Gateway) newFlow(from netip.AddrPort, f Forward) *flow {
	if !g.take(&g.flows, maxFlows) {
		g.refuse("udp", from, f.To, errTooMany)
		return nil
	}
	own, to := fullAddress(netip.AddrPortFrom(g.towards(f.To.Addr()), 0)), fullAddress(f.To)
	board, err := gonet.DialUDP(g.stack, &own, &to, protocol(f.To.Addr()))
	if err != nil {
		g.give(&g.flows)
		g.refuse("udp", from, f.To, err)
		return nil
	}
	g.tell(ActionForward, connection("udp", from, f.To)...)
	return &flow{board: board, last: newActivity()}
}
