package hostpty

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"

	"golang.org/x/sys/unix"
)

const (
	// pollTime is how often it is looked whether a program has come, or has set something.
	pollTime = 10 * time.Millisecond
	// sendAhead is how many bytes a program can send before they have gone over the line;
	// the rest waits in the kernel, and then the program.
	sendAhead = 4096
	// linger is how long what a program has sent may take to go over the line after it has
	// closed the terminal, by the host's clock, where it does not move.
	linger = 30 * time.Second
)

// Pty is a pseudo terminal. It is a [outlet.Program].
type Pty struct {
	master int
	wake   int    // an eventfd
	slave  string // "/dev/pts/3"
	link   string // that leads to it; empty for none
	line   outlet.Line
	base   outlet.Settings
	credit outlet.Credit
	out    outbox
	over   sync.WaitGroup

	// Of the goroutine that serves it:
	open      bool // a program has it open
	set       outlet.Settings
	lines     serial.Lines // the outputs
	hungUp    bool         // the program has set the rate 0
	throttled bool         // RTS is off since the program does not read
	failed    error

	mu     sync.Mutex
	closed bool
}

// Open makes a pseudo terminal, set like that, and a link of that name which leads to it,
// unless that is empty. A link that led to a terminal which is no more is replaced.
func Open(link string, set outlet.Settings) (p *Pty, err error) {
	p = &Pty{base: set, set: set, link: link, wake: -1}
	p.credit.Limit = sendAhead
	if p.master, err = unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err != nil {
		return nil, fmt.Errorf("open a pseudo terminal: /dev/ptmx: %w", err)
	}
	if err = p.prepare(); err == nil {
		err = p.makeLink()
	}
	if err != nil {
		unix.Close(p.master)
		unix.Close(p.wake)
		return nil, err
	}
	return p, nil
}

// prepare makes the terminal ready to be opened.
func (p *Pty) prepare() (err error) {
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(p.master, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	n, err := unix.IoctlGetInt(p.master, unix.TIOCGPTN)
	if err != nil {
		return err
	}
	p.slave = fmt.Sprintf("/dev/pts/%d", n)
	if err := unix.IoctlSetPointerInt(p.master, unix.TIOCPKT, 1); err != nil {
		return err
	}
	// A terminal that was never open looks like one that is: open it, and close it.
	f, err := os.OpenFile(p.slave, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := unix.IoctlGetTermios(p.master, unix.TCGETS2)
	if err != nil {
		return err
	}
	raw(t, p.base)
	return unix.IoctlSetTermios(p.master, unix.TCSETS2, t)
}

const slaves = "/dev/pts/"

func (p *Pty) makeLink() error {
	if p.link == "" {
		return nil
	}
	path, err := filepath.Abs(p.link)
	if err != nil {
		return err
	}
	p.link = path
	to, err := os.Readlink(p.link)
	switch {
	case err == nil && strings.HasPrefix(to, slaves):
		if _, err := os.Stat(to); err == nil && to != p.slave {
			return fmt.Errorf("%s is in use: it leads to %s", p.link, to)
		}
		if err := os.Remove(p.link); err != nil {
			return err
		}
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s is there, and is no link to a terminal", p.link)
	}
	return os.Symlink(p.slave, p.link)
}

// Name is what a program opens: the link, or the terminal.
func (p *Pty) Name() string {
	if p.link != "" {
		return p.link
	}
	return p.slave
}

// Serve begins to give programs that open the terminal the line of attach.
func (p *Pty) Serve(attach outlet.Attach) (err error) {
	if p.line, err = attach(p); err == nil {
		p.over.Go(p.serve)
	}
	return err
}

// Close ends it: a program that has it open is hung up.
func (p *Pty) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.credit.Close()
	p.awake()
	p.over.Wait()
	var err error
	if to, e := os.Readlink(p.link); e == nil && to == p.slave {
		err = os.Remove(p.link)
	}
	return errors.Join(err, unix.Close(p.master), unix.Close(p.wake))
}

func (p *Pty) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// awake lets the goroutine that serves look again.
func (p *Pty) awake() { _, _ = unix.Write(p.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// Receive is told of bytes. What the program does not take in time is lost.
func (p *Pty) Receive(b []byte, _ serial.Flags) {
	if p.out.add(b) {
		p.awake()
	}
}

// Lines is told how the inputs are, which a pseudo terminal cannot tell.
func (p *Pty) Lines(serial.Lines) {}

// Sent is told how many bytes have gone.
func (p *Pty) Sent(n int) {
	p.credit.Sent(n)
	p.awake()
}
