package vhostuser

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"backplane/periph/virtio"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// Poller tells when a file descriptor can be read, or its peer has hung up, on
// the goroutine that drives the board. *simbus.Domain is one.
type Poller interface {
	Watch(fd int, ready func()) error
	Unwatch(fd int)
	// Post calls f on that goroutine once others have had their turn. It is for
	// real time.
	Post(f func())
}

// Bells are doorbells that a guest's kernel shares with its clock: one for each
// virtqueue, in both directions (firmware/kernel/patches). *simbus.Guest has them.
type Bells interface {
	// Answer says what to do when the guest rings; nil ends that.
	Answer(bell int, f func())
	Ring(bell int)
}

// Options say how to serve a device.
type Options struct {
	Poller Poller
	// InBand carries notifications as messages that are answered: virtual time
	// needs that, and real time must not have it (a guest that waits for the
	// answer to its kick does not take our interrupt).
	InBand bool
	// Bells, if set, carry notifications instead of messages for guests that
	// know of it. They are virtual time's too.
	Bells Bells
	// BeforeCall, if set, is called before each interrupt: the guest's time is set there.
	BeforeCall func()
	// Patience is how long, in host time, a guest may take to answer an
	// interrupt; 10 s if it is 0. One that does not answer is cut off.
	Patience time.Duration
	// Peer, if set, tells whether a connection's peer may have the device.
	Peer func(fd int) bool
	// Memory is how much memory a guest may have mapped here, in bytes; any amount
	// if it is 0. All guests share this program's address space.
	Memory uint64
	// EventFD lets interrupts go through eventfds, as other front ends than guests' kernels
	// have them: QEMU's. A front end could make a write to one wait for ever, so that is
	// for those that are trusted.
	EventFD bool
	// OnError is told why a device was stopped. The connection stays open, and
	// the device answers no more, until the guest connects anew.
	OnError func(error)
}

// Server serves one device on a socket, to one guest kernel after another.
// Everything it does happens on the poller's goroutine; so must Close.
type Server struct {
	dev    virtio.Device // nil: nothing is plugged
	opts   Options
	listen int
	conn   *conn
	gone   []*conn // of devices that were unplugged: their drivers have not let go of them yet
}

// Listen makes the socket, which only its user can open, and waits for a guest there. The
// device is nil where nothing is plugged at first.
func Listen(path string, dev virtio.Device, opts Options) (*Server, error) {
	fd, err := simbus.Listen(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if opts.Patience <= 0 {
		opts.Patience = patience
	}
	s := &Server{dev: dev, opts: opts, listen: fd}
	if err := opts.Poller.Watch(fd, s.accept); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return s, nil
}

func (s *Server) accept() {
	fd, _, err := unix.Accept4(s.listen, unix.SOCK_CLOEXEC)
	if simbus.Gone(err) {
		return
	}
	if err != nil { // the guest still waits: whoever polls would be called again at once, for ever
		s.opts.Poller.Unwatch(s.listen)
		s.report(fmt.Errorf("%w: %w", ErrRefused, err))
		return
	}
	if s.opts.Peer != nil && !s.opts.Peer(fd) {
		unix.Close(fd)
		return
	}
	c := newConn(s, fd)
	switch {
	case s.conn == nil:
	case s.conn.peer == c.peer:
		unix.Close(fd) // the device is soldered to one kernel
		return
	default: // that has ended, and has given somebody the other end: us, as a descriptor of a message
		s.conn.close()
	}
	for _, old := range slices.Clone(s.gone) {
		if old.peer != c.peer || len(s.gone) > maxGone {
			old.close()
		}
	}
	if err := s.opts.Poller.Watch(fd, c.ready); err != nil {
		unix.Close(fd)
		s.report(err)
		return
	}
	s.conn = c
}

// maxGone is how many devices that were unplugged a guest may hold on to.
const maxGone = 8

// Plug lets the guest find a device where none was.
func (s *Server) Plug(dev virtio.Device) {
	s.dev = dev
	if c := s.conn; c != nil {
		c.plug()
		c.tellPlugged(true)
	}
}

// Unplug takes the device away: it is stopped, and the guest finds that it is not there.
func (s *Server) Unplug() {
	s.dev = nil
	c := s.conn
	if c == nil {
		return
	}
	told := c.told
	c.unplug()
	switch {
	case c.closed:
	case c.protocol&protocolPlug == 0: // it knows no other way
		c.close()
	case told:
		s.conn = nil
		s.gone = append(s.gone, c)
	}
}

// forget is called when a connection has ended.
func (s *Server) forget(c *conn) {
	if s.conn == c {
		s.conn = nil
	}
	s.gone = slices.DeleteFunc(s.gone, func(x *conn) bool { return x == c })
}

// ConfigChanged tells the guest that the device's configuration space has
// changed, if there is a guest that wants to know.
func (s *Server) ConfigChanged() {
	if s.conn != nil && s.conn.dev != nil && s.conn.backend >= 0 {
		s.conn.guard(func() error { return s.conn.request(backendConfigChange, nil) })
	}
}

// Maps tells whether an address of this program lies in the memory of the guest.
func (s *Server) Maps(addr uintptr) bool { return s.conn != nil && s.conn.memory.Maps(addr) }

// Close stops the device and removes the connection. The socket file goes with its folder.
func (s *Server) Close() {
	if s.conn != nil {
		s.conn.close()
	}
	for _, c := range slices.Clone(s.gone) {
		c.close()
	}
	if s.listen >= 0 {
		s.opts.Poller.Unwatch(s.listen)
		unix.Close(s.listen)
		s.listen = -1
	}
}

func (s *Server) report(err error) {
	if s.opts.OnError != nil {
		s.opts.OnError(err)
	}
}

// ErrRefused says that this program could not take a guest's connection, as when
// it is out of file descriptors. No guest can reach the device any more.
var ErrRefused = errors.New("cannot accept the guest's connection to the device")

// errProtocol wraps what a front end did wrong.
var errProtocol = errors.New("guest broke the vhost-user protocol")
