package hostfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Keep opens a file that keeps what a part holds: size bytes, no more and no fewer. A
// missing one is made, with fill in each byte. Nobody else can have it until it is closed.
func Keep(name string, size int, fill byte) (f *os.File, contents []byte, err error) {
	f, err = OpenAlone(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := begin(name, bytes.Repeat([]byte{fill}, size)); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, nil, err
		}
		f, err = OpenAlone(name)
	}
	if err != nil {
		return nil, nil, err
	}
	contents = make([]byte, size)
	if info, e := f.Stat(); e != nil {
		err = e
	} else if info.Size() != int64(size) {
		err = fmt.Errorf("%s has %d bytes, and must have %d", name, info.Size(), size)
	} else {
		_, err = f.ReadAt(contents, 0)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, contents, nil
}

// begin makes a file as a whole, where none is.
func begin(name string, contents []byte) error { return write(name, contents, os.Link) }

// Replace writes a file as a whole.
func Replace(name string, contents []byte) error { return write(name, contents, os.Rename) }

// write makes a file that comes under its name in some way.
func write(name string, contents []byte, how func(from, to string) error) error {
	d, err := NewDraft(name)
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.Write(contents); err != nil {
		return err
	}
	return d.place(how)
}
