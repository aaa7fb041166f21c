package guesttest

import (
	"iter"
	"slices"
	"time"
)

// task is one of a kernel's, of which one runs at a time. Where it waits is where another
// may go on, and nowhere else: in virtual time what they do is repeatable.
type task struct {
	next  func() (wait, bool)
	stop  func()
	yield func(wait) bool
	wait  wait
}

// wait is what a task waits for: a time, or something else that comes before.
type wait struct {
	until time.Duration
	ready func() bool // may be nil
}

// stopped unwinds a task whose kernel has ended.
type stopped struct{}

// ended unwinds the kernel, from whichever task, when it ends so.
type ended struct{ err error }

// Go begins a task.
func (k *Kernel) Go(f func()) {
	t := &task{}
	t.next, t.stop = iter.Pull(func(yield func(wait) bool) {
		defer func() {
			if r := recover(); r != nil && r != any(stopped{}) {
				panic(r)
			}
		}()
		t.yield = yield
		f()
	})
	k.tasks = append(k.tasks, t)
}

// Sleep lets time go by, for the task that calls it.
func (k *Kernel) Sleep(d time.Duration) {
	k.pause(wait{until: k.clock.now() + d})
}

// Await waits until f is true. It is asked again when a device or a task may have changed
// something.
func (k *Kernel) Await(f func() bool) {
	if !f() {
		k.pause(wait{until: never, ready: f})
	}
}

func (k *Kernel) pause(w wait) {
	if t := k.task; !t.yield(w) {
		panic(stopped{})
	}
}

// run runs the tasks until the kernel ends.
func (k *Kernel) run() (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case ended:
			err = r.err
		default:
			panic(r)
		}
		for _, t := range k.tasks {
			t.stop()
		}
	}()
	if err := k.start(); err != nil {
		return err
	}
	for {
		some, until := false, never
		for _, d := range k.devices {
			d.poll()
		}
		for _, t := range slices.Clone(k.tasks) {
			if k.clock.now() < t.wait.until && (t.wait.ready == nil || !t.wait.ready()) {
				continue
			}
			some, k.task = true, t
			w, more := t.next()
			if t.wait = w; !more {
				k.tasks = slices.DeleteFunc(k.tasks, func(other *task) bool { return other == t })
			}
		}
		for _, t := range k.tasks {
			until = min(until, t.wait.until)
		}
		if !some {
			k.clock.sleep(until)
		}
	}
}
