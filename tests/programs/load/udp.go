package main

import (
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of sendmmsg(2) and recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// datagrams is a batch of datagrams, all in one place and of one size.
type datagrams struct {
	messages []mmsghdr
	parts    []unix.Iovec
	pin      runtime.Pinner
}

func newDatagrams(n int, data []byte) *datagrams {
	d := &datagrams{messages: make([]mmsghdr, n), parts: make([]unix.Iovec, n)}
	d.pin.Pin(&data[0])
	for i := range d.messages {
		d.parts[i].Base = &data[0]
		d.parts[i].SetLen(len(data))
		d.messages[i].header.Iov = &d.parts[i]
		d.messages[i].header.SetIovlen(1)
	}
	return d
}

// batch is how many datagrams one system call sends or receives at most.
const batch = 32

// ends is how many empty datagrams say that there are no more: some may be lost.
const ends = 20

// send sends datagrams of a size to an address for some time, as fast as it can.
func send(to, size, duration string) error {
	addr, err := netip.ParseAddrPort(to)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(size)
	if err != nil || n < 1 || n > 65507 {
		return fmt.Errorf("size %s: must be 1 to 65507 bytes", size)
	}
	d, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	}
	if err != nil {
		return fmt.Errorf("connect to %s: %w", to, err)
	}
	messages := newDatagrams(batch, make([]byte, n)).messages
	for begin := time.Now(); time.Since(begin) < d; {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), batch, 0, 0, 0)
		if errno != 0 && errno != unix.ENOBUFS && errno != unix.EINTR {
			return fmt.Errorf("send to %s: %w", to, errno)
		}
	}
	for range ends {
		time.Sleep(20 * time.Millisecond)
		if _, err := unix.Write(fd, nil); err != nil && err != unix.ECONNREFUSED { // it has gone: it has seen one
			return fmt.Errorf("send to %s: %w", to, err)
		}
	}
	return nil
}

// silence is how long count waits for the next datagram: its end may be lost.
const silence = 5 * time.Second

// count receives datagrams until an empty one comes and prints how many there
// were, and in how many seconds.
func count(port string) error {
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(p)})
	}
	if err != nil {
		return fmt.Errorf("listen on port %d: %w", p, err)
	}
	messages := newDatagrams(batch, make([]byte, 2048)).messages
	const waitForOne = 0x10000 // MSG_WAITFORONE
	var begin, last time.Time
	total := 0
	for {
		// Not a raw call: it waits long, and Go's monitor is to sleep meanwhile.
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), batch, waitForOne, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 && errno != unix.EAGAIN {
			return fmt.Errorf("receive at port %d: %w", p, errno)
		}
		if errno == 0 && messages[n-1].length > 0 {
			if last = time.Now(); total == 0 {
				begin = last
				limit := unix.NsecToTimeval(int64(silence))
				if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
					return err
				}
			}
			total += int(n)
			continue
		}
		if total == 0 && errno == 0 {
			continue // the end of another's
		}
		fmt.Printf("datagrams %d seconds %.6f\n", total, last.Sub(begin).Seconds())
		return nil
	}
}
