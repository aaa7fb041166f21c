package simbus

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// spreadFrom is how many boards an appliance must have for a second worker to
// pay, and half of it how many each worker should have. Two boards that talk to
// each other are driven fastest from one CPU; docs/benchmarks.md has figures.
const spreadFrom = 4

// maxRunning is how many guests of one worker have the time at once. While more
// than one has, the host switches from one to the next without a switch to the
// worker in between.
const maxRunning = 16

// worker drives the guests of some domains, all on one CPU. In each window it
// gets those of its domains in which something is due.
type worker struct {
	cpu     int
	due     []*Domain
	running []*Domain // of them, those with a guest that has the time
	polls   []unix.PollFd
	err     error

	// How the first worker hands a window to the others. Odd: a window is to be
	// run; even: it has been.
	window atomic.Uint32
	over   atomic.Bool
}

// run runs a window.
func (w *worker) run(ctx context.Context) error {
	next := 0
	w.running = w.running[:0]
	quiet := time.Time{}
	for {
		for len(w.running) < maxRunning && next < len(w.due) {
			d := w.due[next]
			next++
			if d.proceed() {
				w.running = append(w.running, d)
			}
		}
		// A guest may be gone before it ran.
		still, err := w.yields()
		if err != nil {
			return err
		}
		if still {
			if len(w.running) == 0 && next == len(w.due) {
				return nil
			}
			continue
		}
		n, err := w.wait(100 * time.Millisecond)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err // with guests in mid-turn: the appliance can only be closed now
		}
		switch {
		case n > 0:
			quiet = time.Time{}
		case quiet.IsZero():
			quiet = time.Now().Add(-100 * time.Millisecond)
			fallthrough
		default:
			for _, d := range w.running {
				d.silent(time.Since(quiet))
			}
		}
	}
}

// yields ends the turns that are over and begins those that follow in the same
// domains. It tells whether there was any, or nothing to wait for.
func (w *worker) yields() (bool, error) {
	some := len(w.running) == 0
	kept := w.running[:0]
	for _, d := range w.running {
		over, err := d.yielded()
		if err != nil {
			return false, err
		}
		some = some || over
		if !over || d.proceed() {
			kept = append(kept, d)
		}
	}
	w.running = kept
	return some, nil
}

// wait waits until a running guest has said something, and hears it.
func (w *worker) wait(d time.Duration) (int, error) {
	if len(w.running) == 1 {
		return w.running[0].poll.wait(d)
	}
	w.polls = w.polls[:0]
	for _, d := range w.running {
		w.polls = append(w.polls, unix.PollFd{Fd: int32(d.poll.fd), Events: unix.POLLIN})
	}
	n, err := ppoll(w.polls, d)
	if err != nil {
		return 0, fmt.Errorf("wait for guests: %w", err)
	}
	for i, d := range w.running {
		if w.polls[i].Revents != 0 {
			if _, err := d.poll.wait(0); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func ppoll(fds []unix.PollFd, d time.Duration) (int, error) {
	for {
		ts := unix.NsecToTimespec(int64(d))
		n, err := unix.Ppoll(fds, &ts, nil)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// spin is how long a worker looks for its next window, and the first for the
// others' end, before it sleeps: less than it costs here to wake a thread on
// another CPU.
const spin = 100 * time.Microsecond

// serve runs windows until the worker is told that it is over.
func (w *worker) serve(ctx context.Context) {
	defer w.pin()()
	debug.SetPanicOnFault(true)
	for {
		w.await(0)
		if w.over.Load() {
			return
		}
		w.err = w.run(ctx)
		w.pass()
	}
}

// pass hands the window over: to the worker, or back.
func (w *worker) pass() {
	w.window.Add(1)
	futex(&w.window, futexWake, 1)
}

// await waits until the window is no longer at a number of that parity.
func (w *worker) await(parity uint32) {
	now := w.window.Load()
	if now&1 != parity {
		return
	}
	begin := time.Now()
	for i := 0; ; i++ {
		if now = w.window.Load(); now&1 != parity {
			return
		}
		if i&1023 == 1023 && time.Since(begin) > spin {
			futex(&w.window, futexWait, now)
		}
	}
}

// Operations of futex(2), which golang.org/x/sys does not name.
const (
	futexWait = 0
	futexWake = 1
)

func futex(word *atomic.Uint32, op int, v uint32) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), uintptr(op), uintptr(v), 0, 0, 0)
}

// pin keeps the calling goroutine on the worker's CPU until the returned function is called.
func (w *worker) pin() (unpin func()) {
	if w.cpu < 0 {
		return func() {}
	}
	runtime.LockOSThread()
	var before, one unix.CPUSet
	one.Set(w.cpu)
	if unix.SchedGetaffinity(0, &before) != nil || unix.SchedSetaffinity(0, &one) != nil {
		return runtime.UnlockOSThread // slower, and right all the same
	}
	return func() {
		if unix.SchedSetaffinity(0, &before) == nil {
			runtime.UnlockOSThread() // else the thread ends with the goroutine
		}
	}
}
