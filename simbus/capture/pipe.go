package capture

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Pipe is a named pipe that only its user can open. It stays this one, whatever somebody
// puts in its place.
type Pipe struct {
	path string
	at   *os.File // O_PATH
	made bool     // it was not there before
}

// MakePipe makes a named pipe. One that is there already will do, if it is such a one.
func MakePipe(path string) (*Pipe, error) {
	err := unix.Mkfifo(path, 0o600)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("make the named pipe %s: %w", path, err)
	}
	fd, e := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if e != nil {
		return nil, fmt.Errorf("inspect %s: %w", path, e)
	}
	p := &Pipe{path, os.NewFile(uintptr(fd), path), err == nil}
	var st unix.Stat_t
	if e = unix.Fstat(fd, &st); e == nil && (st.Mode&unix.S_IFMT != unix.S_IFIFO || st.Uid != uint32(os.Getuid()) || st.Mode&0o077 != 0) {
		e = fmt.Errorf("%s exists, and is not a named pipe that only you can open", path)
	}
	if e != nil {
		p.at.Close()
		return nil, e
	}
	return p, nil
}

// TakePipe is MakePipe for a program that removes the pipe at its end: one that is there
// was left behind by such a program that was killed, unless somebody writes to it.
func TakePipe(path string) (*Pipe, error) {
	p, err := MakePipe(path)
	if err != nil || p.made {
		return p, err
	}
	written, err := p.hasWriter()
	if err == nil && written {
		err = fmt.Errorf("another capture already writes to %s", path)
	}
	if err != nil {
		p.at.Close()
		return nil, err
	}
	return p, nil
}

// hasWriter tells whether anybody has the pipe open for writing, or waits for that
// (fifo(7): tee(2), which takes nothing out of it, is told the end of what has no writer).
func (p *Pipe) hasWriter() (bool, error) {
	f, err := p.open(os.O_RDONLY | unix.O_NONBLOCK)
	if err != nil {
		return false, fmt.Errorf("find the writers of %s: %w", p.path, err)
	}
	defer f.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return false, err
	}
	defer out.Close()
	defer in.Close()
	n, err := unix.Tee(int(f.Fd()), int(in.Fd()), 1, unix.SPLICE_F_NONBLOCK)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("find the writers of %s: %w", p.path, err)
	}
	return n > 0, nil
}

func (p *Pipe) open(flags int) (*os.File, error) {
	return os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", p.at.Fd()), flags, 0)
}

// Writer waits for a reader, and is the way to it.
func (p *Pipe) Writer() (*os.File, error) { return p.open(os.O_WRONLY) }

// Reader is a reader that takes nothing: nobody who waits for one does so any longer.
func (p *Pipe) Reader() (*os.File, error) { return p.open(os.O_RDONLY | unix.O_NONBLOCK) }

// Close lets go of the pipe.
func (p *Pipe) Close() error { return p.at.Close() }

// Remove removes the pipe, unless something else has its name by now.
func (p *Pipe) Remove() error {
	there, err := os.Lstat(p.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	ours, e := p.at.Stat()
	if err = errors.Join(err, e); err != nil || !os.SameFile(there, ours) {
		return err
	}
	return os.Remove(p.path)
}
