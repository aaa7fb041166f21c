package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"backplane/simbus/hostfile"
)

// Medium is what a board file says of where a disk's contents are. Names of files are as
// they can be opened.
type Medium struct {
	Image string // what it has at first; empty: zeros
	Keep  string // the overlay that keeps what is written; empty: that is thrown away
	Size  int64  // of the disk, in bytes; 0: as large as its image, or DefaultSize without one

	ReadOnly bool // the guest cannot write
}

// DefaultSize is how large a disk is of which nothing is said.
const DefaultSize = 1 << 30

// Open makes the contents ready. With copies even a file that keeps what is written stays
// as it is, and what is written is thrown away.
func (m *Medium) Open(open Opener, copies bool) (o *Overlay, durable bool, err error) {
	below, err := m.image(open)
	if err != nil {
		return nil, false, err
	}
	_, missing := os.Stat(m.Keep)
	size := m.Size
	if size == 0 && below == nil {
		size = DefaultSize
	}
	switch {
	case m.Keep == "" || copies && missing != nil:
		o, err = Temporary(below, size)
	case copies:
		o, err = m.copy(below, open)
		below = nil
	default:
		o, err = m.keep(below, missing != nil, size, open)
		durable, below = true, nil
	}
	if err != nil && below != nil {
		below.Close()
	}
	return o, durable, err
}

// image opens the image, if there is one.
func (m *Medium) image(open Opener) (*Image, error) {
	if m.Image == "" {
		return nil, nil
	}
	i, err := Open(m.Image, open)
	if err == nil && m.Size != 0 && m.Size < i.Size() {
		i.Close()
		return nil, fmt.Errorf("%s: a disk of %d bytes with an image of %d: must be at least as large", m.Image, m.Size, i.Size())
	}
	return i, err
}

// keep opens the file that keeps what is written, and makes it if it is not there.
func (m *Medium) keep(below *Image, fresh bool, size int64, open Opener) (*Overlay, error) {
	if below != nil {
		defer below.Close() // the overlay opens it again
	}
	if fresh {
		if err := Create(m.Keep, below, size); err != nil {
			return nil, err
		}
	}
	o, over, err := OpenOverlay(m.Keep, open)
	if err != nil {
		return nil, err
	}
	if err := m.fits(o.Size(), over, below); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// copy makes a temporary overlay over the file that keeps what is written.
func (m *Medium) copy(below *Image, open Opener) (*Overlay, error) {
	if below != nil {
		defer below.Close()
	}
	kept, err := m.kept(below, open)
	if err != nil {
		return nil, err
	}
	o, err := Temporary(kept, 0)
	if err != nil {
		kept.Close()
	}
	return o, err
}

// kept opens that file for reading.
func (m *Medium) kept(below *Image, open Opener) (*Image, error) {
	kept, err := Open(m.Keep, open)
	if err != nil {
		return nil, err
	}
	if kept.Format != FormatOverlay {
		err = fmt.Errorf("%s is a %s file; what a disk keeps is in an overlay", m.Keep, kept.Format)
	} else {
		err = m.fits(kept.Size(), kept.Below, below)
	}
	if err != nil {
		kept.Close()
		return nil, err
	}
	return kept, nil
}

// fits tells whether an overlay is that of this disk.
func (m *Medium) fits(size int64, over, below *Image) error {
	switch {
	case m.Size != 0 && m.Size != size:
		return fmt.Errorf("%s has a disk of %d bytes, not of %d", m.Keep, size, m.Size)
	case below != nil && over == nil:
		return fmt.Errorf("%s is over no image, not over %s ('backplane disk rebase' puts it there)", m.Keep, m.Image)
	case below != nil && !sameFile(over.File, below.File):
		return fmt.Errorf("%s is over %s, not over %s ('backplane disk rebase' puts it there)", m.Keep, over.File, m.Image)
	}
	return nil
}

// sameFile tells whether two names lead to one file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, e := os.Stat(b)
	return err == nil && e == nil && os.SameFile(x, y)
}

// Check says what is wrong with the files, without making one. A file that a run has at the
// time is not looked at.
func (m *Medium) Check(open Opener) error {
	below, err := m.image(open)
	if below != nil {
		defer below.Close()
	}
	if err == nil && m.Keep != "" {
		var kept *Image
		switch kept, err = m.kept(below, open); {
		case err == nil:
			kept.Close()
		case errors.Is(err, fs.ErrNotExist):
			err = nil // the run makes it
		}
	}
	var used *hostfile.InUseError
	if errors.As(err, &used) {
		return nil
	}
	return err
}

// Look opens what the disk has at the start of a run, for reading: what it has kept, or its
// image. It is nil if the disk is empty.
func (m *Medium) Look(open Opener) (*Image, error) {
	if m.Keep != "" {
		if kept, err := Open(m.Keep, open); !errors.Is(err, fs.ErrNotExist) {
			return kept, err
		}
	}
	return m.image(open)
}

// ReadAt is that of [io.ReaderAt].
func (i *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > i.Size() {
		return 0, io.EOF
	}
	n := min(int64(len(p)), i.Size()-off)
	if err := i.ReadV([][]byte{p[:n]}, off); err != nil {
		return 0, err
	}
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// Files are the names of the image and those below it.
func (i *Image) Files() (names []string) {
	for ; i != nil; i = i.Below {
		names = append(names, i.File)
	}
	return names
}
