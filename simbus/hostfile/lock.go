package hostfile

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// InUseError says that somebody else has a file that cannot be shared.
type InUseError struct{ File string }

func (e *InUseError) Error() string {
	return e.File + " is in use by another run or command"
}

// Lock takes a file, alone or with others that only read it, until it is closed. The host
// ends a lock with the program that has it. The error is an [*InUseError] if somebody else
// has it.
func Lock(f *os.File, alone bool) error {
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return &InUseError{f.Name()}
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return nil
}

// OpenAlone opens a regular file for reading and writing, and locks it: nobody else can have
// it until it is closed.
func OpenAlone(name string) (*os.File, error) {
	if err := Check(name); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|atOnce, 0)
	if err != nil {
		return nil, err
	}
	err = Lock(f, true)
	if err == nil && !isAt(f, name) { // whoever had it has put another into its place
		err = &InUseError{name}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// isAt tells whether a file is the one that has a name.
func isAt(f *os.File, name string) bool {
	is, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(name)
	return err == nil && os.SameFile(is, there)
}

// OpenShared opens a file for reading, by a function such as [Open], and locks it: nobody can
// write to it until it is closed.
func OpenShared(name string, open func(name string) (*os.File, error)) (*os.File, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	if err := Lock(f, false); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
