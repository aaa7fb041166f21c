package vhostuser

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"backplane/periph/virtio"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// ringMessage carries out the messages about one virtqueue.
func (c *conn) ringMessage(m *message) (reply []byte, err error) {
	if _, known := payloadSizes[m.request]; !known {
		return nil, fmt.Errorf("%w: unknown message %d", errProtocol, m.request)
	}
	index := m.u32(0)
	if m.request == setVringKick || m.request == setVringCall {
		index &= noFD - 1
	}
	if int(index) >= len(c.rings) {
		if m.request == getVringBase {
			reply = make([]byte, 8)
		}
		return reply, fmt.Errorf("%w: %s for queue %d of %d", errProtocol, m.name(), index, len(c.rings))
	}
	i, r := int(index), &c.rings[index]
	switch m.request {
	case setVringNum:
		c.stop()
		r.num, r.again = int(m.u32(4)), nil
	case setVringBase:
		c.stop()
		r.base, r.again = uint16(m.u32(4)), nil
	case setVringAddr:
		c.stop()
		r.desc, r.used, r.avail, r.addressed, r.again = m.u64(8), m.u64(16), m.u64(24), true, nil
	case getVringBase: // also says that the ring ends, with what is under way (vhost-user, "Ring states")
		c.drain()
		c.stop()
		r.addressed, r.again = false, nil
		reply = binary.NativeEndian.AppendUint32(nil, index)
		return binary.NativeEndian.AppendUint32(reply, uint32(r.base)), nil
	case setVringKick, setVringCall:
		fd := -1
		if m.u64(0)&noFD == 0 {
			if len(m.fds) != 1 {
				return nil, fmt.Errorf("%w: %s with %d file descriptors", errProtocol, m.name(), len(m.fds))
			}
			fd = m.takeFD(0)
		}
		if m.request == setVringKick && fd < 0 && c.protocol&protocolBells != 0 {
			bell := m.u64(0) >> bellShift
			if bell >= simbus.Bells {
				return nil, fmt.Errorf("%w: doorbell %d of %d", errProtocol, bell, simbus.Bells)
			}
			c.setBell(i, int(bell))
		}
		set := c.setKick
		if m.request == setVringCall {
			set = c.setCall
		}
		if err := set(i, fd); err != nil {
			return nil, err
		}
		if m.request == setVringKick && c.features&featureProtocol == 0 && !c.enables {
			r.enabled, c.sparse = true, true // nobody else will say so (vhost-user, "Ring states")
		}
		return nil, c.resume()
	case setVringEnable:
		c.enables = true
		if r.enabled = m.u32(4) != 0; !r.enabled {
			c.stop()
			return nil, nil
		}
		return nil, c.resume()
	case vringKick:
		return nil, c.kick(i)
	}
	return nil, nil
}

// setCall takes what queue i interrupts through. That is a socket, as virtio_uml
// has it (os_pipe in its vu_setup_vq_call_fd): a guest shares the flags of what it
// gives, so that a write to anything else could be made to wait for ever. QEMU has
// eventfds, and changes them while the device is at work (vhost_virtqueue_mask).
func (c *conn) setCall(i, fd int) error {
	r := &c.rings[i]
	event, err := c.callKind(fd)
	if err == nil && fd >= 0 && r.call >= 0 && event == r.callEvent {
		err := unix.Dup3(fd, r.call, unix.O_CLOEXEC) // another goroutine may interrupt through it at this moment
		unix.Close(fd)
		return err
	}
	c.stop()
	if r.call >= 0 {
		unix.Close(r.call)
	}
	r.call, r.callEvent = fd, event
	if err != nil {
		unix.Close(fd)
		r.call = -1
		return fmt.Errorf("%w: interrupts of queue %d through %w", errProtocol, i, err)
	}
	return nil
}

// callKind tells whether a file is an eventfd; else it is a socket, or none.
func (c *conn) callKind(fd int) (event bool, err error) {
	if fd < 0 {
		return false, nil
	}
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err == nil {
		return false, nil
	}
	if !c.s.opts.EventFD {
		return false, errors.New("a file that is not a socket")
	}
	if name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil || name != "anon_inode:[eventfd]" {
		return false, errors.New("a file that is neither a socket nor an eventfd")
	}
	return true, nil
}

// setBell lets notifications of queue i go by a doorbell, or no longer if it is -1.
func (c *conn) setBell(i, bell int) {
	r := &c.rings[i]
	if r.bell >= 0 {
		c.s.opts.Bells.Answer(r.bell, nil)
	}
	if r.bell = bell; bell >= 0 {
		c.s.opts.Bells.Answer(bell, func() { c.guard(func() error { return c.kick(i) }) })
	}
}

func (c *conn) setKick(i, fd int) error {
	r := &c.rings[i]
	if r.kick >= 0 {
		c.s.opts.Poller.Unwatch(r.kick)
		unix.Close(r.kick)
	}
	if r.kick = fd; fd < 0 {
		return nil
	}
	kick := &kick{fd: fd}
	kick.iov.Base = &kick.buf[0]
	kick.iov.SetLen(len(kick.buf))
	return c.s.opts.Poller.Watch(fd, func() {
		switch got, err := kick.read(); {
		case err == unix.EAGAIN || err == unix.EINTR:
		case err != nil:
			c.s.opts.Poller.Unwatch(fd)
			c.fail(fmt.Errorf("%w: kick of queue %d: %w", errProtocol, i, err))
		case !got: // nobody can kick any more, and it would be ready for ever
			c.s.opts.Poller.Unwatch(fd)
		default:
			c.guard(func() error { return c.kick(i) })
		}
	})
}

// kick reads what a guest kicks through.
type kick struct {
	fd  int
	buf [8]byte
	iov unix.Iovec
}

// rwfNoWait is RWF_NOWAIT of preadv2(2), which golang.org/x/sys does not name.
const rwfNoWait = 8

// read never waits. O_NONBLOCK would not do: the guest shares that flag.
func (k *kick) read() (got bool, err error) {
	n, _, errno := unix.Syscall6(unix.SYS_PREADV2, uintptr(k.fd), uintptr(unsafe.Pointer(&k.iov)), 1, ^uintptr(0), 0, rwfNoWait)
	if errno != 0 {
		return false, errno
	}
	return n > 0, nil
}

// resume starts the device once every queue that the driver has set up is enabled, and
// every one that is enabled is set up. virtio_uml sets up all its queues before it enables
// the first; QEMU's network ports are enabled before. QEMU also enables queues that its
// guest's driver never sets up: then the device starts with a kick (see kick).
func (c *conn) resume() error {
	some := false
	for i := range c.rings {
		r := &c.rings[i]
		if r.addressed != r.enabled && (r.addressed || !c.sparse) {
			return nil
		}
		some = some || r.addressed
	}
	if !some {
		return nil
	}
	return c.start()
}

func (c *conn) start() error {
	if c.queues != nil || c.failed {
		return nil
	}
	queues := make([]*virtio.Queue, len(c.rings))
	for i := range c.rings {
		r := &c.rings[i]
		if !r.addressed {
			continue
		}
		var err error
		queues[i], err = virtio.NewQueue(virtio.QueueConfig{
			Index: i, Size: r.num, Desc: r.desc, Avail: r.avail, Used: r.used, Base: r.base, Again: r.again,
			Features: c.features, Memory: &c.memory,
			Interrupt: func() { c.interrupt(i) },
			Fail:      c.fail,
		})
		if err != nil {
			return err
		}
	}
	c.queues = queues
	err := c.dev.Start(c.features&^featureProtocol, queues)
	if c.sparse && errors.Is(err, virtio.ErrLacking) {
		c.queues, c.sparse = nil, false // it was kicked before the driver had set up the others
		return nil
	}
	for i := range c.rings { // the driver has kicked for these already
		if r := &c.rings[i]; err == nil && (r.early || len(r.again) > 0) {
			err = c.kick(i)
		}
	}
	return err
}

// drain lets the device end what is under way: the driver does not ask for it again.
func (c *conn) drain() {
	if d, ok := c.dev.(virtio.Drainer); ok && c.queues != nil {
		d.Drain()
	}
}

// stop takes the queues from the device.
func (c *conn) stop() {
	if c.queues == nil {
		return
	}
	queues := c.queues
	c.queues = nil
	c.dev.Stop() // first: until then a device may be at work on another goroutine
	for i, q := range queues {
		if q != nil {
			c.rings[i].base, c.rings[i].again = q.Base(), q.Unfinished()
		}
	}
}

// kick has the device look at queue i. A kick also says that the queue is ready (vhost-user,
// "Ring states"): the device then starts with those that are, and does without the others.
func (c *conn) kick(i int) error {
	r := &c.rings[i]
	if c.queues == nil && r.addressed && r.enabled && !c.failed {
		r.early, c.sparse = true, true
		return c.resume()
	}
	if r.early = false; c.queues == nil || c.queues[i] == nil {
		return nil // a device that was stopped
	}
	q := c.queues[i]
	if r.more {
		return nil
	}
	q.Bound(kickBound)
	err := c.dev.Kick(i)
	if reached := q.Bound(-1); err != nil || !reached {
		return err
	}
	if c.s.opts.InBand {
		return fmt.Errorf("%w: queue %d: more than %d buffers while its kick is answered", virtio.ErrBroken, i, kickBound)
	}
	r.more = true
	c.s.opts.Poller.Post(func() {
		r.more = false
		c.guard(func() error { return c.kick(i) })
	})
	return nil
}

// kickBound is how many buffers of one kick a device takes before others have their
// turn. In virtual time a guest stands still meanwhile: a good one has no more than
// its ring holds, and what interrupts add to that.
const kickBound = 16 * virtio.MaxQueueSize

// interrupt tells the driver that queue i has used buffers. A device does not do
// so after Stop.
func (c *conn) interrupt(i int) {
	if bell := c.rings[i].bell; bell >= 0 {
		c.s.opts.Bells.Ring(bell)
		return
	}
	if c.s.opts.InBand {
		var state [8]byte
		binary.NativeEndian.PutUint32(state[:], uint32(i))
		if c.backend < 0 || c.lost != nil {
			return
		}
		if c.lost = c.request(backendVringCall, state[:]); c.lost != nil {
			_ = unix.Shutdown(c.fd, unix.SHUT_RDWR) // stops the device soon; it is in the middle of something now
		}
		return
	}
	if fd := c.rings[i].call; fd >= 0 {
		one := [8]byte{1}
		if c.rings[i].callEvent {
			_, _ = unix.Write(fd, one[:])
			return
		}
		// EAGAIN: one is pending. EPIPE: the guest goes, and the socket says so.
		_ = unix.Send(fd, one[:], unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	}
}
