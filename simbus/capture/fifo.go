package capture

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// FIFO is a named pipe through which readers, one after another, are handed
// what serve writes: `wireshark -k -i PATH`. It is its user's alone.
type FIFO struct {
	path  string
	made  bool // it was not there before
	serve func(io.Writer) (*Live, error)
	done  chan struct{}

	mu     sync.Mutex
	closed bool
	live   *Live
	w      *os.File // to the reader of the moment
}

// grace is how long, in host time, a reader may still read at the end.
const grace = time.Second

// NewFIFO makes the named pipe, unless it is there, and waits for readers. For
// each, serve begins a capture.
func NewFIFO(path string, serve func(io.Writer) (*Live, error)) (*FIFO, error) {
	f := &FIFO{path: path, serve: serve, done: make(chan struct{})}
	var err error
	if f.made, err = MakeFIFO(path); err != nil {
		return nil, err
	}
	go f.run()
	return f, nil
}

// MakeFIFO makes a named pipe that only its user can open. One that is there
// already will do, if it is such a one.
func MakeFIFO(path string) (made bool, err error) {
	switch err := unix.Mkfifo(path, 0o600); {
	case err == nil:
		return true, nil
	case !errors.Is(err, unix.EEXIST):
		return false, fmt.Errorf("make the named pipe %s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return false, fmt.Errorf("look at %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO || st.Uid != uint32(os.Getuid()) || st.Mode&0o077 != 0 {
		return false, fmt.Errorf("%s is there already, and no named pipe that only you can open", path)
	}
	return false, nil
}

// TakeFIFO is MakeFIFO for a program that removes the pipe at its end: one that is there
// was left behind by such a program that was killed, unless somebody writes to it.
func TakeFIFO(path string) error {
	made, err := MakeFIFO(path)
	if made || err != nil {
		return err
	}
	written, err := hasWriter(path)
	if err == nil && written {
		err = fmt.Errorf("%s has a writer already: another capture goes there", path)
	}
	return err
}

// hasWriter tells whether anybody has a named pipe open for writing, or waits for that
// (fifo(7): tee(2), which takes nothing out of it, is told the end of what has no writer).
func hasWriter(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false, fmt.Errorf("look who writes to %s: %w", path, err)
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
		return false, fmt.Errorf("look who writes to %s: %w", path, err)
	}
	return n > 0, nil
}

func (f *FIFO) run() {
	defer close(f.done)
	for {
		w, err := os.OpenFile(f.path, os.O_WRONLY|unix.O_NOFOLLOW, 0) // waits for a reader
		if err != nil {
			return // somebody has removed it
		}
		f.mu.Lock()
		if f.closed {
			f.mu.Unlock()
			w.Close()
			return
		}
		live, err := f.serve(w)
		f.live, f.w = live, w
		f.mu.Unlock()
		if err != nil {
			w.Close()
			return
		}
		<-live.Done()
		live.Close()
		w.Close()
	}
}

// Close ends what a reader is handed and removes the pipe if it was made here.
func (f *FIFO) Close() error {
	f.mu.Lock()
	f.closed = true
	if f.live != nil {
		f.live.Close()
		select {
		case <-f.live.Done():
		case <-time.After(grace):
		}
		f.w.Close() // a reader that does not read
	}
	f.mu.Unlock()
	// Be the reader that run may be waiting for.
	fd, err := unix.Open(f.path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
	}
	<-f.done
	if !f.made {
		return nil
	}
	if err := os.Remove(f.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
