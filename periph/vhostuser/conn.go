package vhostuser

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"backplane/periph/virtio"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// patience is how long a guest may take, in host time and unless Options say
// otherwise, to answer an interrupt. A kernel does so at once.
const patience = 10 * time.Second

// conn is one guest kernel's connection.
type conn struct {
	s        *Server
	dev      virtio.Device // nil: nothing is plugged, or was unplugged
	told     bool          // the guest knows that it is there: none other comes on this connection
	fd       int
	peer     int // the process that made it, 0 if that is not known
	backend  int // for our own requests, -1 until the guest gives it
	features uint64
	protocol uint64
	memory   virtio.Memory
	mapped   [][]byte
	rings    []ring
	queues   []*virtio.Queue // as the device has them; nil while it is stopped
	sparse   bool            // the driver does without some of the queues that are enabled
	enables  bool            // the front end says which are: virtio_uml does not of a driver that chooses its features twice (Linux drivers/virtio/virtio.c, virtio_dev_probe)
	failed   bool            // the device was stopped because of a mistake
	closed   bool
	lost     error // why the guest took no interrupt: it gets no more
	buf      [headerSize + maxPayload]byte
	got      int   // how much of a message is in buf
	fds      []int // that came with it
	out      []byte
}

// ring is what the driver has said of one virtqueue.
type ring struct {
	num               int
	base              uint16
	again             []uint16 // buffers before that which the driver waits for: the device was stopped in the middle of them
	desc, avail, used uint64
	addressed         bool
	enabled           bool
	kick, call        int
	callEvent         bool // call is an eventfd
	bell              int  // -1 unless notifications go that way
	more              bool // a kick has left buffers, and is to be gone on with
	early             bool // a kick came before the device had started
}

func newConn(s *Server, fd int) *conn {
	c := &conn{s: s, fd: fd, backend: -1}
	c.peer, _ = simbus.Peer(fd)
	if s.dev != nil {
		c.plug()
	}
	return c
}

// plug lets the connection be the server's device's.
func (c *conn) plug() {
	c.release()
	c.dev, c.rings = c.s.dev, make([]ring, c.s.dev.Queues())
	for i := range c.rings {
		c.rings[i].kick, c.rings[i].call, c.rings[i].bell = -1, -1, -1
	}
}

// unplug takes the device from the guest in the middle of all that it does, and tells it.
func (c *conn) unplug() {
	c.stop()
	c.dev = nil
	for i := range c.rings { // what we interrupt through stays open: its end would be one more interrupt
		_ = c.setKick(i, -1)
		c.setBell(i, -1)
	}
	c.unmap()
	if c.told {
		c.tellPlugged(false)
	}
}

// tellPlugged tells the guest that something has come, or has gone.
func (c *conn) tellPlugged(in bool) {
	if c.backend < 0 || c.protocol&protocolPlug == 0 {
		return
	}
	state := uint64(0)
	if in {
		state = 1
	}
	c.guard(func() error { return c.request(backendPlug, u64(state)) })
}

// errUnplugged answers a driver that notifies a device which is not there any more.
var errUnplugged = errors.New("nothing is plugged")

// ready handles one message, if it is whole, or the guest's going.
func (c *conn) ready() {
	if c.lost != nil {
		c.fail(c.lost)
		c.close()
		return
	}
	c.guard(func() error {
		m, err := c.receive()
		if m == nil || err != nil {
			return err
		}
		defer m.closeFDs()
		return c.handle(m)
	})
}

// guard runs f, which may touch guest memory, and stops the device if that goes wrong.
func (c *conn) guard(f func() error) {
	if err := virtio.Guard(f); err != nil {
		c.fail(err)
	}
}

// fail stops the device and says why, once.
func (c *conn) fail(err error) {
	c.stop()
	if !c.failed {
		c.failed = true
		c.s.report(err)
	}
}

// close ends the connection; the server waits for the next.
func (c *conn) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.stop()
	c.s.forget(c)
	c.s.opts.Poller.Unwatch(c.fd)
	unix.Close(c.fd)
	(&message{fds: c.fds}).closeFDs()
	c.fds = nil
	if c.backend >= 0 {
		unix.Close(c.backend)
	}
	c.release()
}

// release lets go of what the driver has given for its queues.
func (c *conn) release() {
	for i := range c.rings {
		_ = c.setKick(i, -1)
		_ = c.setCall(i, -1)
		c.setBell(i, -1)
	}
	c.unmap()
}

// receive reads one message. It returns nil without an error when the guest has
// gone, or has sent no more than a part yet: the rest is read when it is there,
// and the board goes on meanwhile.
func (c *conn) receive() (*message, error) {
	for {
		want, err := c.expected()
		if err == nil && c.got == want {
			m := &message{request: c.word(0), flags: c.word(4), payload: c.buf[headerSize:want], fds: c.fds}
			c.got, c.fds = 0, nil
			return m, nil
		}
		more := false
		if err == nil {
			more, err = c.read(want)
		}
		if err != nil {
			c.close() // what follows could be anything
		}
		if !more || err != nil {
			return nil, err
		}
	}
}

// expected is how long the message is that is being read, as far as is known.
func (c *conn) expected() (int, error) {
	if c.got < headerSize {
		return headerSize, nil
	}
	m := message{request: c.word(0), flags: c.word(4)}
	size := c.word(8)
	switch {
	case m.flags&versionMask != version || m.flags&flagReply != 0:
		return 0, fmt.Errorf("%w: message %s with flags %#x", errProtocol, m.name(), m.flags)
	case size > maxPayload:
		return 0, fmt.Errorf("%w: message %s of %d bytes", errProtocol, m.name(), size)
	}
	return headerSize + int(size), nil
}

func (c *conn) word(off int) uint32 { return binary.NativeEndian.Uint32(c.buf[off:]) }

// read takes what is there of the first want bytes of a message, with the file
// descriptors that come along. It returns false if there is nothing more now.
func (c *conn) read(want int) (more bool, err error) {
	var oob [oobSize]byte
	n, oobn, flags, _, err := unix.Recvmsg(c.fd, c.buf[c.got:want], oob[:], unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return false, nil
	case err == unix.ECONNRESET || err == nil && n == 0:
		if c.got > 0 {
			return false, fmt.Errorf("%w: half a message", errProtocol)
		}
		c.close()
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read from the guest: %w", err)
	}
	c.got += n
	if oobn > 0 {
		c.fds = append(c.fds, parseRights(oob[:oobn])...)
	}
	switch {
	case flags&unix.MSG_CTRUNC == 0 && len(c.fds) <= maxFDs:
		return true, nil
	case len(c.fds) >= maxFDs:
		return false, fmt.Errorf("%w: more than %d file descriptors", errProtocol, maxFDs)
	}
	return false, fmt.Errorf("%w: the file descriptors of its message", ErrRefused)
}

// oobSize has room for as many file descriptors as a message may bring, in bytes
// (CMSG_SPACE of cmsg(3)).
const oobSize = unix.SizeofCmsghdr + (4*maxFDs+7)&^7

// waitReadable waits for fd, or for other to hang up.
func waitReadable(fd, other int, d time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(other), Events: unix.POLLRDHUP}}
	for {
		n, err := unix.Poll(fds, max(0, int(d.Milliseconds())))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("wait for the guest: %w", err)
		case n == 0:
			return fmt.Errorf("%w: no answer for %s", errProtocol, patience)
		case fds[0].Revents != 0:
			return nil
		default:
			return fmt.Errorf("%w: it has closed the connection", errProtocol)
		}
	}
}

func parseRights(oob []byte) []int {
	var fds []int
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

func (m *message) closeFDs() {
	for i, fd := range m.fds {
		if fd >= 0 {
			unix.Close(fd)
			m.fds[i] = -1
		}
	}
}

func (m *message) name() string {
	if n, ok := requestNames[m.request]; ok {
		return n
	}
	return fmt.Sprintf("%d", m.request)
}

// send writes a message on a socket of the guest's.
func (c *conn) send(fd int, request, flags uint32, payload []byte) error {
	c.out = appendMessage(c.out[:0], request, flags, payload)
	if _, err := unix.SendmsgN(fd, c.out, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT); err != nil {
		return fmt.Errorf("write to the guest: %w", err)
	}
	return nil
}

// request sends a request of our own. In virtual time it waits for the guest's
// answer, which that gives from its signal handler even while it waits for one
// of ours. In real time it must not: the guest may be spinning with interrupts
// off until this goroutine takes its console's output.
func (c *conn) request(request uint32, payload []byte) error {
	if c.s.opts.BeforeCall != nil {
		c.s.opts.BeforeCall()
	}
	flags := uint32(version)
	if c.protocol&protocolReplyAck != 0 && c.s.opts.InBand {
		flags |= flagAck
	}
	if err := c.send(c.backend, request, flags, payload); err != nil {
		return err
	}
	if flags&flagAck == 0 {
		return nil
	}
	var reply [headerSize + 8]byte
	limit := time.Now().Add(c.s.opts.Patience)
	for n := 0; n < len(reply); {
		if err := waitReadable(c.backend, c.fd, time.Until(limit)); err != nil {
			return err
		}
		// The guest has the socket's other end, and may have this one: it may read as well.
		k, _, err := unix.Recvfrom(c.backend, reply[n:], unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err != nil:
			return fmt.Errorf("read the guest's answer: %w", err)
		case k == 0:
			return fmt.Errorf("%w: it has closed the connection", errProtocol)
		default:
			n += k
		}
	}
	if status := binary.NativeEndian.Uint64(reply[headerSize:]); status != 0 {
		return fmt.Errorf("%w: it refused request %d of ours", errProtocol, request)
	}
	return nil
}
