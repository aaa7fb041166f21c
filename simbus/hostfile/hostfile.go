// Package hostfile reads files of the host whose names come from elsewhere: from a
// command line, or from another file. It takes regular files only, never waits for
// one, and reads no more than a limit: a name may lead to a pipe that nobody writes
// to, or to a device without an end. It also writes files that are one's alone, or as a whole.
package hostfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// atOnce lets nothing wait that takes a regular file's place between the look at it
// and its opening, and makes no terminal the program's own.
const atOnce = unix.O_NONBLOCK | unix.O_NOCTTY

// Open opens a regular file for reading. Errors are of type [*fs.PathError].
func Open(name string) (*os.File, error) {
	if err := Check(name); err != nil { // before it is opened, which does things to devices
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|atOnce, 0)
	if err != nil {
		return nil, err
	}
	return still(f, name)
}

// still looks again at what was opened: it may be another one by now.
func still(f *os.File, name string) (*os.File, error) {
	info, err := f.Stat()
	if err == nil {
		err = regular(name, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	_ = f.SetReadDeadline(time.Now().Add(patience)) // only the kernel's own have one
	return f, nil
}

// patience is for files that the host's kernel makes up: some are regular ones, and yet
// wait until there is something to read, as /proc/kmsg does.
const patience = time.Second

// Read reads a regular file of at most limit bytes.
func Read(name string, limit int64) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	return ReadFile(f, name, limit)
}

// ReadFile reads all of an open file, of at most limit bytes, and closes it. Errors call it name.
func ReadFile(f *os.File, name string, limit int64) ([]byte, error) {
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: TooLongError(limit)}
	}
	return data, nil
}

// TooLongError says that a file has more bytes than these.
type TooLongError int64

func (e TooLongError) Error() string { return fmt.Sprintf("is longer than %d bytes", int64(e)) }

// Check says why Open would refuse a name, without opening it.
func Check(name string) error {
	info, err := os.Stat(name)
	var why *fs.PathError
	if errors.As(err, &why) {
		why.Op = "open" // as Open has it
	}
	if err != nil {
		return err
	}
	return regular(name, info)
}

func regular(name string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: "open", Path: name, Err: errors.New("is " + Kind(info.Mode()) + "; it must be a file")}
}

// Kind says in words what a file of that mode is: "a folder".
func Kind(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "a file"
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "no file"
}
