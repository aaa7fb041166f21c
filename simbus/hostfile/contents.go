package hostfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Contents reads a file that keeps what a part holds: size bytes, no more and no fewer. A
// missing one is made, with fill in each byte.
func Contents(name string, size int, fill byte) ([]byte, error) {
	b, err := Read(name, int64(size))
	var long TooLongError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b = bytes.Repeat([]byte{fill}, size)
		return b, Replace(name, b)
	case errors.As(err, &long):
		return nil, fmt.Errorf("%s has more than %d bytes, and must have %d", name, size, size)
	case err != nil:
		return nil, err
	case len(b) != size:
		return nil, fmt.Errorf("%s has %d bytes, and must have %d", name, len(b), size)
	}
	return b, nil
}

// Replace writes a file as a whole: under its name there is never half of it.
func Replace(name string, contents []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		var at *os.PathError
		if errors.As(err, &at) { // of a name that nobody has asked for
			err = at.Err
		}
		return fmt.Errorf("make a file in %s: %w", filepath.Dir(name), err)
	}
	_, err = f.Write(contents)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
