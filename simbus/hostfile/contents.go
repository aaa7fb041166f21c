package hostfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Keep opens a file that keeps what a part holds, as [KeepFile] does, and reads it.
func Keep(name string, size int, fill byte) (f *os.File, contents []byte, err error) {
	if f, err = KeepFile(name, size, fill); err != nil {
		return nil, nil, err
	}
	contents = make([]byte, size)
	if _, err = f.ReadAt(contents, 0); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, contents, nil
}

// KeepFile opens a file that keeps what a part holds: size bytes, no more and no fewer. A
// missing one is made, with fill in each byte. Nobody else can have it until it is closed.
func KeepFile(name string, size int, fill byte) (*os.File, error) {
	f, err := OpenAlone(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := begin(name, size, fill); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		f, err = OpenAlone(name)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != int64(size) {
		err = fmt.Errorf("%s has %d bytes, and must have %d", name, info.Size(), size)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// piece is how much of a new file is written at once, in bytes.
const piece = 1 << 20

// begin makes a file as a whole, where none is.
func begin(name string, size int, fill byte) error {
	d, err := NewDraft(name)
	if err != nil {
		return err
	}
	defer d.Close()
	for b := bytes.Repeat([]byte{fill}, min(size, piece)); size > 0; size -= len(b) {
		if _, err := d.Write(b[:min(size, len(b))]); err != nil {
			return err
		}
	}
	return d.place(os.Link)
}

// Replace writes a file as a whole.
func Replace(name string, contents []byte) error {
	d, err := NewDraft(name)
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.Write(contents); err != nil {
		return err
	}
	return d.Place()
}
