package control

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"backplane/simbus/hostfile"

	"golang.org/x/sys/unix"
)

// ErrBusy says that an appliance of that name is already running.
var ErrBusy = errors.New("already running")

// Claim is the right to be the appliance of a name, which one program has at a
// time. It is a lock that the host takes back when the program ends, however it ends.
type Claim struct {
	name, path string // of the socket
	lock       *os.File
	sweeper    *sweeper // of what this program leaves if it is killed
}

// NewClaim takes a name, before anything of the appliance is started.
func NewClaim(name string) (*Claim, error) {
	p, err := findPlace()
	if err == nil {
		err = p.make()
	}
	if err != nil {
		return nil, err
	}
	path := p.socket(name)
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket { // a socket that is left behind goes
		return nil, fmt.Errorf("cannot make the control socket %s: %s is in its place", path, hostfile.Kind(info.Mode()))
	}
	sweeper, err := newSweeper(path, lockOf(path)) // comes first, so that nothing is there without one
	if err != nil {
		return nil, err
	}
	lock, err := lockFile(lockOf(path))
	if err != nil {
		sweeper.release()
	}
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("an appliance named %s is %w: 'backplane down --name %s' ends it, --name gives this one another name", name, ErrBusy, name)
	}
	if err != nil {
		return nil, fmt.Errorf("claim the name %s: %w", name, err)
	}
	_ = os.Remove(path) // left behind by one that was killed
	return &Claim{name: name, path: path, lock: lock, sweeper: sweeper}, nil
}

// lockOf is the lock that a socket's server holds.
func lockOf(socket string) string { return strings.TrimSuffix(socket, suffix) + ".lock" }

// whole is a lock on all of a file that belongs to its open file description
// (fcntl_locking(2)): others can ask whether it is held, and need not try it.
func whole() *unix.Flock_t { return &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart} }

// held tells whether a socket has a server, or is about to. One that was killed
// leaves its files behind, until its sweeper has come, or the name is taken again.
func held(socket string) bool {
	f, err := os.Open(lockOf(socket))
	if err != nil {
		return false
	}
	defer f.Close()
	lock := whole()
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, lock) == nil && lock.Type != unix.F_UNLCK
}

// lockFile makes and locks a file that goes when its owner releases it: it may do
// so between our opening it and locking it.
func lockFile(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, whole()); err != nil {
			f.Close()
			return nil, err
		}
		if err := settle(f); err != nil {
			f.Close()
			return nil, err
		}
		ours, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		if there, err := os.Stat(path); err == nil && os.SameFile(ours, there) {
			return f, nil
		}
		f.Close()
	}
}

// Release gives the name back.
func (c *Claim) Release() {
	_ = os.Remove(c.lock.Name()) // while it is still locked
	c.lock.Close()
	c.sweeper.release()
}
