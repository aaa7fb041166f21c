// Package guesttest plays boards' kernels in this process, for tests without any: they find
// their devices in the device tree, drive them over vhost-user, take the time from the
// board's clock, have an agent, and do what a test wants, also what no kernel should.
package guesttest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"backplane/guest"
	"backplane/periph/virtio"

	"golang.org/x/sys/unix"
)

// Kernels plays the kernels of an appliance. Its fields are set before the first starts.
type Kernels struct {
	// Boot, if set, is what each kernel does instead of [Kernel.Up]. It is a task.
	Boot func(*Kernel)
	// Programs are what agents run, by the first word of a command. Each is a task, and
	// returns its exit status.
	Programs map[string]func(*Program) int
	// Refuse, if set, is why a kernel cannot be started.
	Refuse func(guest.Config) error
	// Stopped, if set, is what [guest.Guest.Halted] says. Any goroutine may call it.
	Stopped func() string

	mu     sync.Mutex
	boots  map[string]int
	alive  sync.WaitGroup
	starts []guest.Config
}

// New makes kernels, all of which must have ended when the test does; t is nil in an example.
func New(t testing.TB) *Kernels {
	ks := &Kernels{boots: make(map[string]int), Programs: make(map[string]func(*Program) int)}
	if t != nil {
		t.Cleanup(ks.alive.Wait)
	}
	return ks
}

// Starts are those of all kernels so far.
func (ks *Kernels) Starts() []guest.Config {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return append([]guest.Config(nil), ks.starts...)
}

// Kernel is one that runs. All but the methods of [guest.Guest] is for its tasks.
type Kernel struct {
	Config guest.Config
	Number int // how many the board has had, with this one

	ks      *Kernels
	clock   clock
	places  []place
	devices []*Device
	done    map[back][]byte
	tasks   []*task
	task    *task // that runs
	agent   agent
	last    []string
	early   atomic.Bool // it has panicked on the host's side
	closed  atomic.Bool // by Wait

	kill int // an eventfd
	dead int // another
	over chan struct{}
	err  error
}

var _ guest.Guest = (*Kernel)(nil)

// Start starts a kernel: it stands for [guest.Start].
func (ks *Kernels) Start(c guest.Config) (guest.Guest, error) {
	ks.mu.Lock()
	ks.boots[c.Board]++
	ks.starts = append(ks.starts, c)
	k := &Kernel{Config: c, Number: ks.boots[c.Board], ks: ks, done: make(map[back][]byte), kill: -1, dead: -1, over: make(chan struct{})}
	ks.mu.Unlock()
	if ks.Refuse != nil {
		if err := ks.Refuse(c); err != nil {
			return nil, err
		}
	}
	tree, err := os.ReadFile(filepath.Join(c.Dir, c.Tree))
	if err != nil {
		return nil, err
	}
	if k.places, err = places(tree); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(c.Dir, c.Initrd)); err != nil {
		return nil, err
	}
	for _, fd := range []*int{&k.kill, &k.dead} {
		if *fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
			return nil, fmt.Errorf("start a kernel: %w", err)
		}
	}
	ks.alive.Add(1)
	go func() {
		defer ks.alive.Done()
		k.err = k.run()
		for _, d := range k.devices {
			d.close()
		}
		if k.clock != nil {
			k.clock.close()
		}
		ring(k.dead)
		close(k.over)
	}()
	return k, nil
}

func ring(fd int) { _, _ = unix.Write(fd, u64s(1)) } // it has room

// start finds the time and the devices.
func (k *Kernel) start() (err error) {
	k.clock = &hostClock{k: k, start: time.Now()}
	if c := k.Config.Clock; c != nil {
		if _, err := k.travel(c.Socket); err != nil {
			return fmt.Errorf("ask for the time: %w", err)
		}
	}
	for _, p := range k.places {
		if _, err := k.open(p); err != nil {
			return err
		}
	}
	k.Go(func() {
		for _, d := range k.devices {
			switch d.ID {
			case idConsole:
				d.listen(consoleBuffer, func(p []byte) { d.input = append(d.input, p...) })
			case virtio.IDUART:
				d.openUART()
			}
		}
		if k.ks.Boot != nil {
			k.ks.Boot(k)
		} else {
			k.Up()
		}
	})
	return nil
}

// dial connects to a socket of the run folder.
func (k *Kernel) dial(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(k.Config.Dir, name)}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect to %s: %w", name, err)
	}
	return fd, nil
}

// hear waits until fd can be read, and tells; it returns before that with an interrupt, or
// when d is over. A kernel that is killed goes no further.
func (k *Kernel) hear(fd int, d time.Duration) (readable bool) {
	fds := []unix.PollFd{{Fd: int32(k.kill), Events: unix.POLLIN}, {Fd: int32(fd), Events: unix.POLLIN}}
	for _, d := range k.devices {
		fds = append(fds, unix.PollFd{Fd: int32(d.back), Events: unix.POLLIN})
		for _, call := range d.calls {
			fds = append(fds, unix.PollFd{Fd: int32(call), Events: unix.POLLIN})
		}
	}
	var ts *unix.Timespec
	if d != never {
		t := unix.NsecToTimespec(int64(d))
		ts = &t
	}
	for {
		_, err := unix.Ppoll(fds, ts, nil)
		if err == unix.EINTR {
			continue
		}
		k.must(err)
		break
	}
	if fds[0].Revents != 0 {
		panic(ended{errKilled})
	}
	i := 2
	for _, d := range k.devices {
		if fds[i].Revents != 0 && !d.heard() {
			unix.Close(d.back) // the device has hung up
			d.back = -1
		}
		i++
		for _, call := range d.calls {
			if fds[i].Revents != 0 {
				var b [64]byte
				_, _ = unix.Read(call, b[:]) // how often does not matter
			}
			i++
		}
	}
	return fds[1].Revents != 0
}

// message reads a message's payload.
func (k *Kernel) message(fd int) ([]byte, error) {
	for !k.hear(fd, never) {
	}
	var b [headerSize + 1024]byte
	n, err := unix.Read(fd, b[:])
	switch {
	case err != nil:
		return nil, err
	case n < headerSize || n != headerSize+int(binary.NativeEndian.Uint32(b[8:])):
		k.Hang() // the device has hung up: the board is about to go
	}
	return append([]byte(nil), b[headerSize:n]...), nil
}

// must ends a kernel that cannot go on.
func (k *Kernel) must(err error) {
	if err != nil {
		panic(ended{err})
	}
}

var errKilled = errors.New("signal: killed")

// Done implements [guest.Guest].
func (k *Kernel) Done() (fd int) { return k.dead }

// Kill implements [guest.Guest].
func (k *Kernel) Kill() {
	if !k.closed.Load() {
		ring(k.kill)
	}
	<-k.over
}

// Wait implements [guest.Guest]. Like User Mode Linux, a kernel that has panicked where
// only the host's side hears it is killed.
func (k *Kernel) Wait() error {
	if k.early.Load() {
		k.Kill()
	}
	<-k.over
	if k.closed.CompareAndSwap(false, true) {
		unix.Close(k.kill)
		unix.Close(k.dead)
	}
	return k.err
}

// Halted implements [guest.Guest].
func (k *Kernel) Halted() string {
	if k.ks.Stopped == nil {
		return ""
	}
	return k.ks.Stopped()
}

// PID implements [guest.Guest]: this process makes the connections.
func (k *Kernel) PID() int { return os.Getpid() }

// LastWords implements [guest.Guest].
func (k *Kernel) LastWords() []string { return k.last }
