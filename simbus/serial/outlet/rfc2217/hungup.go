package rfc2217

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// hungUp tells whether the client has closed its side of the connection, also where there
// is more to read.
func hungUp(c net.Conn) (is bool) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true
	}
	if err := raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(p, 0)
		is = err == nil && n > 0
	}); err != nil {
		return true
	}
	return is
}
