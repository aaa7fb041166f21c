package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"backplane/simbus"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// connectTCP takes a connection that a board opens, once the outside has taken
// it: a board sees refusals as they are. It is called on a goroutine of its own.
func (g *Gateway) connectTCP(r *tcp.ForwarderRequest) {
	from, to := ends(r.ID())
	if !g.enter() {
		r.Complete(true)
		return
	}
	defer g.work.Done()
	if g.cfg.own(to.Addr()) && to.Port() == dnsPort {
		if !g.take(&g.tcp, maxConnections) {
			r.Complete(true)
			g.refuse("tcp", from, to, errTooMany)
			return
		}
		defer g.give(&g.tcp)
		if c := g.accept(r); c != nil {
			defer g.track(c)()
			g.serveDNSStream(c, from)
		}
		return
	}
	out, err := g.dialTCP(to)
	if err != nil {
		r.Complete(true)
		g.refuse("tcp", from, to, err)
		return
	}
	defer g.give(&g.tcp)
	defer g.track(out)()
	if c := g.accept(r); c != nil {
		defer g.track(c)()
		g.tell(ActionOpen, connection("tcp", from, to)...)
		g.relay(c, out, from, to)
	}
}

func (g *Gateway) dialTCP(to netip.AddrPort) (net.Conn, error) {
	target, err := g.outside(to)
	if err != nil {
		return nil, err
	}
	if !g.take(&g.tcp, maxConnections) {
		return nil, errTooMany
	}
	ctx, cancel := context.WithTimeout(g.ctx, dialTimeout)
	defer cancel()
	c, err := g.cfg.Dial(ctx, family("tcp", target.Addr()), target)
	if err != nil {
		g.give(&g.tcp)
	}
	return c, err
}

// accept ends the handshake with the board, nil if that has gone meanwhile.
func (g *Gateway) accept(r *tcp.ForwarderRequest) *gonet.TCPConn {
	var wq waiter.Queue
	ep, err := r.CreateEndpoint(&wq)
	r.Complete(err != nil)
	if err != nil {
		return nil
	}
	// A board whose plug is pulled leaves its connections as they are.
	idle, interval := tcpip.KeepaliveIdleOption(g.keepAlive.idle), tcpip.KeepaliveIntervalOption(g.keepAlive.interval)
	err = ep.SetSockOpt(&idle)
	if err == nil {
		err = ep.SetSockOpt(&interval)
	}
	if err == nil {
		err = ep.SetSockOptInt(tcpip.KeepaliveCountOption, g.keepAlive.count)
	}
	ep.SocketOptions().SetKeepAlive(err == nil)
	if g.busy() {
		ep.SocketOptions().SetReceiveBufferSize(smallTCPBuffer, true)
		ep.SocketOptions().SetSendBufferSize(smallTCPBuffer, true)
	}
	return gonet.NewTCPConn(&wq, ep)
}

// keepAlive is how long a board may say nothing on a connection before it is
// asked whether it is there, how often it is asked, and how many times in vain.
type keepAlive struct {
	idle, interval time.Duration
	count          int
}

var defaultKeepAlive = keepAlive{time.Minute, 15 * time.Second, 4}

func (g *Gateway) refuse(protocol string, from, to netip.AddrPort, err error) {
	if g.ctx.Err() == nil {
		g.tell(ActionRefused, append(connection(protocol, from, to), simbus.Text("detail", why(err)))...)
	}
}

// why is the reason at the end of an error's chain, which names no address.
func why(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return "timeout"
	}
	return err.Error()
}

// duplex is a connection whose ways can be closed one by one.
type duplex interface {
	net.Conn
	CloseWrite() error
}

// relayBuffer is how much is copied at once, in bytes: each way of each connection holds
// such a buffer. Where there are more than fewConnections it is smallRelayBuffer, and the
// stack's own buffers for it are smallTCPBuffer.
const (
	smallTCPBuffer   = 64 << 10
	relayBuffer      = 256 << 10
	smallRelayBuffer = 16 << 10
	fewConnections   = 64
)

var (
	relayBuffers      = sync.Pool{New: func() any { b := make([]byte, relayBuffer); return &b }}
	smallRelayBuffers = sync.Pool{New: func() any { b := make([]byte, smallRelayBuffer); return &b }}
)

// busy tells whether there are more connections than can have large buffers.
func (g *Gateway) busy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tcp > fewConnections
}

// relayBuffers are those for one more connection.
func (g *Gateway) relayBuffers() *sync.Pool {
	if g.busy() {
		return &smallRelayBuffers
	}
	return &relayBuffers
}

// relay passes bytes on until both ways have ended, or one has broken.
func (g *Gateway) relay(board, out net.Conn, from, to netip.AddrPort) {
	var sent, received int64
	var ways sync.WaitGroup
	buffers := g.relayBuffers()
	way := func(dst, src net.Conn, n *int64) {
		defer ways.Done()
		buf := buffers.Get().(*[]byte)
		defer buffers.Put(buf)
		var err error
		// The wrappers keep io.CopyBuffer from ways of its own, which have no buffer.
		*n, err = io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, *buf)
		if d, ok := dst.(duplex); ok && err == nil {
			err = d.CloseWrite()
		}
		if err != nil { // a broken way breaks the other
			dst.Close()
			src.Close()
		}
	}
	ways.Add(2)
	go way(out, board, &sent)
	way(board, out, &received)
	ways.Wait()
	if g.ctx.Err() == nil {
		g.tell(ActionClosed, append(connection("tcp", from, to), simbus.Int("sent", sent), simbus.Int("received", received))...)
	}
}
