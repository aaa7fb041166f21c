package simbus

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
	"unsafe"

	"backplane/simbus/awake"

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
	cpu     int // its guests'
	away    away
	due     []*Domain
	next    int       // the first of them that has not had its turn in this window
	running []*Domain // of them, those with a guest that has the time
	polls   []unix.PollFd
	awake   awake.Clock
	leave   time.Time // awake: since when a window's guests are to come to an end
	err     error

	// How the first worker hands a window to the others. Odd: a window is to be
	// run; even: it has been.
	window atomic.Uint32
	asleep atomic.Int32 // how many wait for that in the host's kernel: one may still be waking up
	over   atomic.Bool
}

// run runs a window.
func (w *worker) run(ctx context.Context) error {
	w.next, w.running, w.leave = 0, w.running[:0], time.Time{}
	w.awake.Rest()
	for rounds := 1; ; rounds++ {
		for len(w.running) < maxRunning && w.next < len(w.due) {
			d := w.due[w.next]
			w.next++
			begun, err := d.proceed()
			if err != nil {
				return err
			}
			if begun {
				w.running = append(w.running, d)
			}
		}
		// A guest may be gone before it ran.
		still, err := w.yields()
		if err != nil {
			return err
		}
		if still && len(w.running) == 0 && w.next == len(w.due) {
			return nil
		}
		heard := still
		if !still {
			if heard, err = w.wait(); err != nil {
				return err
			}
		}
		if !heard || rounds%lookAround == 0 {
			w.lookAround(ctx)
		}
	}
}

// lookAround is how many rounds a worker makes at most, among guests that have
// something to say in each, until it looks at what else there is.
const lookAround = 256

// lookAround does what must not wait for the end of a window, which guests that
// never sleep may put off for as long as they like: somebody wants to see what
// they do, one holds time still, or it all is to end.
func (w *worker) lookAround(ctx context.Context) {
	if len(w.running) == 0 {
		return
	}
	w.running[0].cal.look(w)
	now := w.awake.Now(time.Now())
	for _, d := range w.running {
		d.holds(now)
	}
	if ctx.Err() == nil {
		return
	}
	if w.leave.IsZero() {
		w.leave, w.next = now, len(w.due)
	}
	for _, d := range w.running {
		d.halt(now.Sub(w.leave))
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
		if over {
			if over, err = d.proceed(); err != nil {
				return false, err
			}
			over = !over
		}
		if !over {
			kept = append(kept, d)
		}
	}
	w.running = kept
	return some, nil
}

// glance is how long a worker sleeps on a guest's turn before it looks at all
// sockets: a guest that has died does not end its turn.
const glance = awake.Tick

// wait waits until a running guest has said something, and hears it.
func (w *worker) wait() (bool, error) {
	for asleep := false; ; asleep = true {
		heard, messages := false, false
		for _, d := range w.running {
			messages = messages || !d.running.byTurn()
			h, err := d.running.look()
			if err != nil {
				return false, err
			}
			heard = heard || h
		}
		switch {
		case heard:
			return true, nil
		case messages:
			return w.poll(glance)
		case asleep:
			return w.poll(0)
		}
		// The guests of a worker share a CPU and ran in this order: when the
		// last has ended its turn, the others mostly have as well.
		w.sleep(w.running[len(w.running)-1].running)
	}
}

// poll waits at most d for something on the sockets of the running guests.
func (w *worker) poll(d time.Duration) (bool, error) {
	if len(w.running) == 1 {
		n, err := w.running[0].poll.wait(d)
		return n > 0, err
	}
	w.polls = w.polls[:0]
	for _, d := range w.running {
		w.polls = append(w.polls, unix.PollFd{Fd: int32(d.poll.fd), Events: unix.POLLIN})
	}
	n, err := ppoll(w.polls, d)
	if err != nil {
		return false, fmt.Errorf("wait for guests: %w", err)
	}
	for i, d := range w.running {
		if w.polls[i].Revents != 0 {
			if _, err := d.poll.wait(0); err != nil {
				return false, err
			}
		}
	}
	return n > 0, nil
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
	if w.asleep.Load() > 0 {
		futex((*uint32)(unsafe.Pointer(&w.window)), futexWake, 1, 0)
	}
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
			w.asleep.Add(1) // before the kernel compares the window
			futex((*uint32)(unsafe.Pointer(&w.window)), futexWait, now, 0)
			w.asleep.Add(-1)
		}
	}
}

// Operations of futex(2), which golang.org/x/sys does not name.
const (
	futexWait = 0
	futexWake = 1
)

// futex wakes v sleepers, or sleeps while the word is v, for as long as the
// timeout says if it is positive.
func futex(word *uint32, op int, v uint32, timeout time.Duration) {
	if op == futexWake { // does not block
		_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, uintptr(v), 0, 0, 0)
		return
	}
	var ts *unix.Timespec
	if timeout > 0 {
		t := unix.NsecToTimespec(int64(timeout))
		ts = &t
	}
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(v), uintptr(unsafe.Pointer(ts)), 0, 0)
}

// pin keeps the calling goroutine on the worker's CPU until the returned function is called.
func (w *worker) pin() (unpin func()) {
	if w.cpu < 0 {
		return func() {}
	}
	runtime.LockOSThread()
	var before unix.CPUSet
	if unix.SchedGetaffinity(0, &before) != nil || w.sit() != nil {
		return runtime.UnlockOSThread // slower, and right all the same
	}
	return func() {
		if unix.SchedSetaffinity(0, &before) == nil {
			runtime.UnlockOSThread() // else the thread ends with the goroutine
		}
	}
}
