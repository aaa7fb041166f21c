package guesttest

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// never is later than all times.
const never = time.Duration(1<<63 - 1)

// clock is a kernel's: its time counts from its start.
type clock interface {
	now() time.Duration
	// sleep lets time go on until then, or until an interrupt.
	sleep(until time.Duration)
	// interrupt is called with each.
	interrupt()
	close()
}

// hostClock is that of a kernel in real time.
type hostClock struct {
	k     *Kernel
	start time.Time
}

func (c *hostClock) now() time.Duration { return time.Since(c.start) }
func (c *hostClock) sleep(until time.Duration) {
	wait := never
	if until != never {
		wait = max(0, until-c.now())
	}
	c.k.hear(-1, wait)
}
func (c *hostClock) interrupt() {}
func (c *hostClock) close()     {}

// Operations of the time-travel protocol, and places in the page that is shared (Linux
// include/uapi/linux/um_timetravel.h).
const (
	ttStart, ttWait, ttRun = 1, 3, 6
	ttMessageSize          = 16

	shmSize    = 8192
	shmTime    = 16
	shmClient  = 4096 + 128 // the guest's
	shmFlags   = shmClient + 4
	shmReqTime = shmClient + 8
	flagReqRun = 1
)

// virtualClock is time travel, with the page but with messages for turns, as a kernel
// without Backplane's patches has it (arch/um/kernel/time.c).
type virtualClock struct {
	k        *Kernel
	fd       int
	page     []byte
	sleeping bool
}

// travel connects to the clock. It goes on when the kernel's first turn has come.
func (k *Kernel) travel(socket string) (*virtualClock, error) {
	fd, err := k.dial(socket)
	if err != nil {
		return nil, err
	}
	c := &virtualClock{k: k, fd: fd}
	k.clock = c // to be closed
	if err := c.send(ttStart); err != nil {
		return nil, err
	}
	k.hear(fd, never)
	var buf [ttMessageSize]byte
	oob := make([]byte, unix.CmsgSpace(2*4))
	_, n, _, _, err := unix.Recvmsg(fd, buf[:], oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("the clock's answer to the start has no descriptors: %v", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	c.page, err = unix.Mmap(fds[0], 0, shmSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	for _, fd := range fds {
		unix.Close(fd)
	}
	return c, err
}

func (c *virtualClock) send(op uint32) error {
	message := append(u32s(op, 0), u64s(^uint64(0))...)
	_, err := unix.SendmsgN(c.fd, message, nil, nil, unix.MSG_NOSIGNAL)
	return err
}

func (c *virtualClock) word(at int) *uint64 { return (*uint64)(unsafe.Pointer(&c.page[at])) }
func (c *virtualClock) flags() *uint32      { return (*uint32)(unsafe.Pointer(&c.page[shmFlags])) }

func (c *virtualClock) now() time.Duration { return time.Duration(atomic.LoadUint64(c.word(shmTime))) }

func (c *virtualClock) sleep(until time.Duration) {
	if until != never {
		c.request(until)
	}
	c.sleeping = true
	c.k.must(c.send(ttWait))
	for !c.k.hear(c.fd, never) {
	}
	c.sleeping = false
	var buf [ttMessageSize]byte
	n, err := unix.Read(c.fd, buf[:])
	if err != nil || n == 0 {
		c.k.Hang() // the clock has given this kernel up: it is about to be killed
	}
	if op := binary.NativeEndian.Uint32(buf[:]); op != ttRun {
		c.k.must(fmt.Errorf("the clock says %d to one that waits", op))
	}
	atomic.AndUint32(c.flags(), ^uint32(flagReqRun))
}

func (c *virtualClock) request(t time.Duration) {
	atomic.StoreUint64(c.word(shmReqTime), uint64(t))
	atomic.OrUint32(c.flags(), flagReqRun)
}

// interrupt wakes a kernel that sleeps at the present time.
func (c *virtualClock) interrupt() {
	if c.sleeping {
		c.request(c.now())
	}
}

func (c *virtualClock) close() {
	unix.Close(c.fd)
	if c.page != nil {
		_ = unix.Munmap(c.page)
	}
}
