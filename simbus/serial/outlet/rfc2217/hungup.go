package rfc2217

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// hungUp tells whether the client has closed its side of the connection, also where there
// is more to read.
func hungUp(c net.Conn) bool { return polls(c, unix.POLLRDHUP) }

// closed tells whether it has closed both ways, which TCP need not tell.
func closed(c net.Conn) bool { return polls(c, 0) }

// polls tells whether poll(2) has one of these events, or an error or a hangup.
func polls(c net.Conn, events int16) (is bool) {
	s, ok := c.(syscall.Conn)
	if !ok { // a pipe of a test
		return true
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true
	}
	if err := raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: events}}
		n, err := unix.Poll(p, 0)
		is = err == nil && n > 0
	}); err != nil {
		return true
	}
	return is
}
