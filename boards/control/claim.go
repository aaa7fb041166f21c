package control

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrBusy says that an appliance of that name is already running.
var ErrBusy = errors.New("already running")

// Claim is the right to be the appliance of a name, which one program has at a
// time. It is a lock that the host takes back when the program ends, however it ends.
type Claim struct {
	name, path string // of the socket
	lock       *os.File
}

// NewClaim takes a name, before anything of the appliance is started.
func NewClaim(name string) (*Claim, error) {
	path, err := Path(name)
	if err != nil {
		return nil, err
	}
	lock, err := lockFile(strings.TrimSuffix(path, ".sock") + ".lock")
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("an appliance named %s is %w: 'backplane down --name %s' ends it, --name gives this one another name", name, ErrBusy, name)
	}
	if err != nil {
		return nil, fmt.Errorf("claim the name %s: %w", name, err)
	}
	return &Claim{name: name, path: path, lock: lock}, nil
}

// lockFile makes and locks a file that goes when its owner releases it: it may do
// so between our opening it and locking it.
func lockFile(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
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
}
