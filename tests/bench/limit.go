package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

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
// domain, as it drives boards.
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
		err = d.Watch(kick, func() {
			_, _ = unix.Read(kick, word[:])
			_, _ = unix.Write(call[1], word[:])
		})
	})
	if err != nil {
		return 0, err
	}
	defer d.Do(func() { d.Unwatch(kick) }) // before the file is closed
	return b.rounds(kick, call[0], "real")
}

// limitVirtual is a message that is answered, with another in between that is
// answered too. Both processes are on one CPU, as in virtual time.
func (b *bench) limitVirtual() (float64, error) {
	kick, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	call, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	go func() {
		runtime.LockOSThread() // and end with it: its CPU is not everybody's
		_ = oneCPU()
		var m [20]byte
		for {
			if n, err := unix.Read(kick[1], m[:]); n == 0 || err != nil {
				break
			}
			_, _ = unix.Write(call[1], m[:])
			_, _ = unix.Read(call[1], m[:])
			_, _ = unix.Write(kick[1], m[:])
		}
		unix.Close(kick[1])
		unix.Close(call[1])
	}()
	type result struct {
		v   float64
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		err := oneCPU() // what it starts is there too
		var v float64
		if err == nil {
			v, err = b.rounds(kick[0], call[0], "virtual")
		}
		done <- result{v, err}
	}()
	r := <-done
	return r.v, r.err
}

// oneCPU keeps the calling thread on the first CPU that it may use.
func oneCPU() error {
	set, err := firstCPU()
	if err != nil {
		return err
	}
	return unix.SchedSetaffinity(0, &set)
}

// rounds lets load play the guest, and closes its descriptors.
func (b *bench) rounds(kick, call int, clock string) (float64, error) {
	const count = 20000
	files := []*os.File{os.NewFile(uintptr(kick), "kick"), os.NewFile(uintptr(call), "call")}
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	cmd := exec.CommandContext(b.ctx, b.Load, "limit", clock, fmt.Sprint(count))
	cmd.ExtraFiles, cmd.Stderr = files, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("load limit: %w", err)
	}
	ns, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return ns / count / 1000, err
}
