package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Draft is a new file that is to take another's place as a whole: under that name there is
// never half of it. Until then it lies beside that one. Its errors name what it is to be, for
// that is what the user has named.
type Draft struct {
	*os.File        // Name is the one that it is to have
	beside   string // where it is; empty: it has been placed
	to       string // where links lead
}

// NewDraft makes an empty one, to be closed. It may be used as the file may that it replaces.
func NewDraft(name string) (*Draft, error) {
	d := &Draft{}
	var err error
	if d.to, err = Resolve(name); err != nil {
		return nil, err
	}
	for {
		d.beside = filepath.Join(filepath.Dir(d.to), fmt.Sprintf(".backplane-%08x", rand.Uint32()))
		d.File, err = openAs(d.beside, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o644)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: make a file beside it: %w", name, Cause(err))
	}
	if info, err := os.Stat(d.to); err == nil {
		if err := d.Chmod(info.Mode().Perm()); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

// Reopen opens it for reading, as [Open] would by its name.
func (d *Draft) Reopen() (*os.File, error) { return openAs(d.beside, d.Name(), unix.O_RDONLY, 0) }

// Place closes it, and puts it into its place.
func (d *Draft) Place() error { return d.place(os.Rename) }

func (d *Draft) place(how func(from, to string) error) error {
	if err := d.File.Close(); err != nil {
		return err
	}
	err := how(d.beside, d.to)
	if err == nil {
		_ = os.Remove(d.beside) // of a link
		d.beside = ""
		return nil
	}
	return &fs.PathError{Op: "replace", Path: d.Name(), Err: Cause(err)}
}

// Close throws it away, unless it has been placed.
func (d *Draft) Close() error {
	if d.beside == "" {
		return nil
	}
	_ = d.File.Close() // which an attempt to place it may have done
	err := os.Remove(d.beside)
	d.beside = ""
	return err
}

// openAs opens a file, and has errors name it otherwise.
func openAs(path, name string, flags int, mode uint32) (*os.File, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, mode)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), name), nil
	}
}

// Cause is an error without the names of files that it is about.
func Cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
