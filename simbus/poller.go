package simbus

import (
	"fmt"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller waits for file descriptors with a blocking epoll of its own. The Go
// runtime's poller would wake another thread for each message of a guest,
// which costs more than the message.
type poller struct {
	fd    int
	ready map[int32]func()
	buf   [16]unix.EpollEvent
	doors []unix.PollFd // those that listen for connections
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	return &poller{fd: fd, ready: make(map[int32]func())}, nil
}

func (p *poller) watch(fd int, ready func()) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd)}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("watch file descriptor %d: %w", fd, err)
	}
	p.ready[int32(fd)] = ready
	if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listens != 0 {
		p.doors = append(p.doors, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	return nil
}

func (p *poller) unwatch(fd int) {
	if _, ok := p.ready[int32(fd)]; !ok {
		return
	}
	delete(p.ready, int32(fd))
	p.doors = slices.DeleteFunc(p.doors, func(door unix.PollFd) bool { return door.Fd == int32(fd) })
	// The descriptor may be closed already; the kernel has then removed it itself.
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil)
}

// wait waits at most d (forever if negative) and calls what is ready, in the
// order in which it became so. It returns how many that were.
func (p *poller) wait(d time.Duration) (int, error) {
	n, err := epollWait(p.fd, p.buf[:], d)
	if err != nil {
		return 0, fmt.Errorf("wait for guests: %w", err)
	}
	for _, ev := range p.buf[:n] {
		// An earlier callback may have unwatched this one.
		if f := p.ready[ev.Fd]; f != nil {
			f()
		}
	}
	return n, nil
}

// knocks calls what listens and has a connection to take, and nothing else.
func (p *poller) knocks() {
	if len(p.doors) == 0 {
		return
	}
	if n, err := ppoll(p.doors, 0); n == 0 || err != nil {
		return // it is heard another time
	}
	for _, door := range slices.Clone(p.doors) { // one may be unwatched by that
		if f := p.ready[door.Fd]; f != nil && door.Revents != 0 {
			f()
		}
	}
}

func (p *poller) close() { unix.Close(p.fd) }

// epollWait is epoll_pwait2(2), for its timeout in nanoseconds.
func epollWait(fd int, buf []unix.EpollEvent, d time.Duration) (int, error) {
	var ts *unix.Timespec
	if d >= 0 {
		t := unix.NsecToTimespec(int64(d))
		ts = &t
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])),
			uintptr(len(buf)), uintptr(unsafe.Pointer(ts)), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
