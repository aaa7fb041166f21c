package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Descriptors that a benchmark hands over: an eventfd and a socket in real time,
// memory with a futex in virtual time.
const (
	kickFD = 3
	callFD = 4
	turnFD = 3
)

// limit plays the part of a guest, without one: it kicks and waits for the call,
// as cheaply as a process can, and prints how many nanoseconds that took.
func limit(clock string, count int) error {
	var round func() error
	switch clock {
	case "real":
		signals, err := newSignals(callFD)
		if err != nil {
			return err
		}
		round = signals.kickEvent
	case "virtual":
		page, err := unix.Mmap(turnFD, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		round = func() error { return futexTurn((*uint32)(unsafe.Pointer(&page[0]))) }
	default:
		return fmt.Errorf("limit %q: say real or virtual", clock)
	}
	begin := time.Now()
	for range count {
		if err := round(); err != nil {
			return err
		}
	}
	fmt.Println(time.Since(begin).Nanoseconds())
	return nil
}

func transfer(call, fd uintptr, p []byte) error {
	n, _, errno := unix.RawSyscall(call, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return errno
	}
	if int(n) != len(p) {
		return fmt.Errorf("%d of %d bytes", n, len(p))
	}
	return nil
}

// signals is how User Mode Linux hears of a file: a signal, and then an epoll
// that says which (arch/um/kernel/irq.c).
type signals struct {
	epoll  int
	signal uint64 // a set
}

// owner is struct f_owner_ex of fcntl(2).
type owner struct{ kind, pid int32 }

func newSignals(fd int) (s signals, err error) {
	const setOwnerEx = 15 // F_SETOWN_EX, and F_OWNER_TID is 0
	s.signal = 1 << (unix.SIGIO - 1)
	if s.epoll, err = unix.EpollCreate1(0); err != nil {
		return s, err
	}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		return s, err
	}
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&s.signal)), 0, 8, 0, 0); errno != 0 {
		return s, errno
	}
	me := owner{pid: int32(unix.Gettid())}
	if _, _, errno := unix.RawSyscall(unix.SYS_FCNTL, uintptr(fd), setOwnerEx, uintptr(unsafe.Pointer(&me))); errno != 0 {
		return s, errno
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_ASYNC|unix.O_NONBLOCK)
	return s, err
}

// kickEvent is a kick through an eventfd, and a call through a socket that
// raises a signal.
func (s *signals) kickEvent() error {
	word := [8]byte{1}
	if err := transfer(unix.SYS_WRITE, kickFD, word[:]); err != nil {
		return err
	}
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&s.signal)), 0, 0, 8, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		var ev [4]unix.EpollEvent
		heard := false
		for {
			n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_WAIT, uintptr(s.epoll), uintptr(unsafe.Pointer(&ev[0])), 4, 0, 0, 0)
			if errno != 0 {
				return errno
			}
			if n == 0 {
				break
			}
			for transfer(unix.SYS_READ, callFD, word[:]) == nil {
				heard = true
			}
		}
		if heard {
			return nil
		}
	}
}

// futexTurn gives a turn and waits until it comes back.
func futexTurn(turn *uint32) error {
	atomic.StoreUint32(turn, 1)
	futex(turn, futexWake, 1)
	for atomic.LoadUint32(turn) == 1 {
		if errno := futex(turn, futexWait, 1); errno != 0 && errno != unix.EAGAIN && errno != unix.EINTR {
			return errno
		}
	}
	return nil
}

// Operations of futex(2), which golang.org/x/sys does not name.
const (
	futexWait = 0
	futexWake = 1
)

// futex is futex(2) on a word that processes share.
func futex(word *uint32, op int, v uint32) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), uintptr(op), uintptr(v), 0, 0, 0)
	return errno
}
