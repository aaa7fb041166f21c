package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// limit is the cheapest round trip between two processes that the transport
// allows, in microseconds, with no guest and no device: what a register read
// cannot be faster than.
func (b *bench) limit(virtual bool) (float64, error) {
	if virtual {
		return b.limitVirtual()
	}
	return b.limitReal()
}

// limitReal is an eventfd from them to us and a socket back. Our side is a
// domain, as it drives boards, on one CPU with them.
func (b *bench) limitReal() (float64, error) {
	kick, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return 0, err
	}
	call, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(call[1])
	cal := simbus.NewReal()
	defer cal.Close()
	d, err := cal.AddDomain("limit")
	if err != nil {
		return 0, err
	}
	var word [8]byte
	d.Do(func() {
		if err = oneCPU(); err == nil {
			err = d.Watch(kick, func() {
				_, _ = unix.Read(kick, word[:])
				_, _ = unix.Write(call[1], word[:])
			})
		}
	})
	if err != nil {
		return 0, err
	}
	defer d.Do(func() { d.Unwatch(kick) }) // before the file is closed
	return b.rounds("real", kick, call[0])
}

// limitVirtual is a turn that is taken and given back: a futex in memory that both
// share, each asleep on it in turn, on one CPU as in virtual time.
func (b *bench) limitVirtual() (float64, error) {
	fd, err := unix.MemfdCreate("limit", unix.MFD_CLOEXEC)
	if err != nil {
		return 0, err
	}
	if err := unix.Ftruncate(fd, int64(os.Getpagesize())); err != nil {
		unix.Close(fd)
		return 0, err
	}
	page, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	defer func() { _ = unix.Munmap(page) }()
	turn := (*uint32)(unsafe.Pointer(&page[0]))
	var over atomic.Bool
	var other sync.WaitGroup
	other.Go(func() {
		runtime.LockOSThread() // and end with it: its CPU is not everybody's
		_ = oneCPU()
		for !over.Load() {
			if atomic.LoadUint32(turn) == 0 {
				futex(turn, futexWait, 0)
				continue
			}
			atomic.StoreUint32(turn, 0)
			futex(turn, futexWake, 1)
		}
	})
	v, err := b.rounds("virtual", fd)
	over.Store(true)
	atomic.StoreUint32(turn, 1)
	futex(turn, futexWake, 1)
	other.Wait()
	return v, err
}

// Operations of futex(2), which golang.org/x/sys does not name.
const (
	futexWait = 0
	futexWake = 1
)

// futex is futex(2) on a word that processes share.
func futex(word *uint32, op int, v uint32) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), uintptr(op), uintptr(v), 0, 0, 0)
}

// oneCPU keeps the calling thread on the first CPU that it may use.
func oneCPU() error {
	set, err := firstCPU()
	if err != nil {
		return err
	}
	return unix.SchedSetaffinity(0, &set)
}

// rounds lets load play the guest on the first CPU, and closes its descriptors.
func (b *bench) rounds(clock string, fds ...int) (float64, error) {
	const count = 20000
	cmd := exec.CommandContext(b.ctx, b.Load, "limit", clock, fmt.Sprint(count))
	cmd.Stderr = os.Stderr
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), "limit")
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	var out []byte
	var err error
	var starter sync.WaitGroup
	starter.Go(func() {
		runtime.LockOSThread() // and end with it: its CPU is not everybody's
		if err = oneCPU(); err == nil {
			out, err = cmd.Output() // what it starts is there too
		}
	})
	starter.Wait()
	if err != nil {
		return 0, fmt.Errorf("load limit: %w", err)
	}
	ns, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return ns / count / 1000, err
}
