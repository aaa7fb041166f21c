package image

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"backplane/simbus/hostfile"

	"golang.org/x/sys/unix"
)

// Opener opens a file of the host for reading: [hostfile.Open], or one that lets only some
// be opened.
type Opener func(name string) (*os.File, error)

// Formats of images.
const (
	FormatRaw     = "raw"
	FormatQCOW2   = "qcow2"
	FormatOverlay = "overlay"
)

// maxDepth is how many images may be below one another.
const maxDepth = 32

// Image is one that is open for reading, and those below it. Nobody can open any of them
// for writing meanwhile.
type Image struct {
	Source
	File   string
	Format string
	Below  *Image // nil for none
	at     base   // as an overlay over it knows it
}

// Open opens an image for reading. Its format is what its first bytes say.
func Open(name string, open Opener) (*Image, error) { return openImage(name, open, maxDepth) }

func openImage(name string, open Opener, depth int) (*Image, error) {
	if depth == 0 {
		return nil, fmt.Errorf("%s: more than %d images are below one another, or one is below itself", name, maxDepth)
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	i := &Image{File: name}
	if err = lock(f, false); err == nil {
		i.at, err = stateOf(f)
	}
	if err == nil {
		err = i.read(f, open, depth)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return i, nil
}

// read finds out what the file is.
func (i *Image) read(f *os.File, open Opener, depth int) (err error) {
	first := make([]byte, headers*headerSize)
	n, _ := f.ReadAt(first, 0)
	first = first[:n]
	switch {
	case isOverlay(first):
		var o *Overlay
		i.Format = FormatOverlay
		if o, i.Below, err = loadOverlay(i.File, hostFile{f}, open, depth); err == nil {
			i.Source = o
		}
	case bytes.HasPrefix(first, []byte(qcowMagic)):
		i.Format = FormatQCOW2
		i.Source, err = openQCOW2(hostFile{f}, i.at.size)
	default:
		i.Format = FormatRaw
		if i.at.size%SectorSize != 0 || i.at.size == 0 {
			return fmt.Errorf("%s has %d bytes: a raw image must have a multiple of %d", i.File, i.at.size, SectorSize)
		}
		i.Source = &raw{hostFile{f}, i.at.size}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", i.File, err)
	}
	return nil
}

// stateOf is what an overlay remembers of its base.
func stateOf(f *os.File) (base, error) {
	info, err := f.Stat()
	if err != nil {
		return base{}, err
	}
	return base{size: info.Size(), modified: info.ModTime().UnixNano()}, nil
}

// raw is a file that has the contents as they are.
type raw struct {
	file
	size int64
}

func (r *raw) Size() int64                           { return r.size }
func (r *raw) ReadV(parts [][]byte, off int64) error { return r.readv(parts, off) }
func (r *raw) Close() error                          { return r.close() }

// ChangedError says that an overlay's base is not what it was: blocks of the overlay and
// of its base would not fit together.
type ChangedError struct {
	Overlay, Base string
	Why           error
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("its image %s %v: the overlay fits only what the image was ('backplane disk reset %s' begins anew over what it is now; "+
		"'backplane disk rebase --same %s %s' says that its contents are the same)", e.Base, e.Why, e.Overlay, e.Overlay, e.Base)
}

// loadOverlay reads an overlay and opens what is below it.
func loadOverlay(name string, f file, open Opener, depth int) (*Overlay, *Image, error) {
	h, err := headerOf(f)
	if err != nil {
		return nil, nil, err
	}
	if h.committing {
		return nil, nil, fmt.Errorf("a commit of it was interrupted: 'backplane disk commit %s' ends it", name)
	}
	below, err := openBase(name, h, open, depth)
	if err != nil {
		return nil, nil, err
	}
	o, err := readOverlay(f, h, below)
	if err != nil && below != nil {
		below.Close()
	}
	return o, below, err
}

// openBase opens an overlay's base, which must be what it was.
func openBase(name string, h *header, open Opener, depth int) (*Image, error) {
	if h.name == "" {
		return nil, nil
	}
	below, err := openImage(h.path(name), open, depth-1)
	if err != nil {
		return nil, fmt.Errorf("its image: %w", err)
	}
	if why := h.base.differs(below.at); why != nil {
		below.Close()
		return nil, &ChangedError{name, h.path(name), why}
	}
	return below, nil
}

// readOverlay reads which blocks there are.
func readOverlay(f file, h *header, below *Image) (*Overlay, error) {
	if below != nil && below.Size() > h.disk {
		return nil, fmt.Errorf("its image has %d bytes, and the disk %d", below.Size(), h.disk)
	}
	if err := f.readv([][]byte{make([]byte, 1)}, h.dataStart()-1); err != nil { // before there is memory for all
		return nil, err
	}
	o := newOverlay(f, *h, source(below))
	if err := o.has.read(f); err != nil {
		return nil, err
	}
	return o, o.check()
}

// source is an image as what is below an overlay: nil for none.
func source(i *Image) Source {
	if i == nil {
		return nil
	}
	return i
}

// OpenOverlay opens an overlay for reading and writing. Nobody else can meanwhile.
func OpenOverlay(name string, open Opener) (*Overlay, *Image, error) {
	f, err := openAlone(name)
	if err != nil {
		return nil, nil, err
	}
	o, below, err := loadOverlay(name, f, open, maxDepth)
	if errors.Is(err, errNoHeader) {
		err = errors.New("it is not an overlay ('backplane disk create' makes one over an image)")
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return o, below, nil
}

// openAlone opens a file for writing, and locks it.
func openAlone(name string) (hostFile, error) {
	if err := hostfile.Check(name); err != nil {
		return hostFile{}, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return hostFile{}, err
	}
	if err := lock(f, true); err != nil {
		f.Close()
		return hostFile{}, err
	}
	return hostFile{f}, nil
}

// Create makes a new overlay of a disk of size bytes over an image, or over nothing if
// that is nil. A size of 0 is the image's.
func Create(name string, below *Image, size int64) error {
	h, err := newHeader(name, below, size)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	err = errors.Join(begin(hostFile{f}, h), f.Close())
	if err != nil {
		os.Remove(name)
	}
	return err
}

// begin writes a new overlay without blocks into an empty file.
func begin(f hostFile, h *header) error {
	if err := f.Truncate(h.fileSize()); err != nil {
		return err
	}
	for range headers {
		if err := h.put(f); err != nil {
			return err
		}
	}
	return nil
}

func newHeader(name string, below *Image, size int64) (*header, error) {
	h := &header{disk: size}
	if below != nil {
		if size == 0 {
			h.disk = below.Size()
		}
		if h.disk < below.Size() {
			return nil, fmt.Errorf("a disk of %d bytes over an image of %d: must be at least as large", size, below.Size())
		}
		h.base = below.at
		var err error
		if h.name, err = nameFrom(name, below.File); err != nil {
			return nil, err
		}
	}
	return h, CheckSize(h.disk)
}

// nameFrom is how an overlay names its base: relative if it is in the same folder or
// below, so that the folder can be moved.
func nameFrom(overlay, base string) (string, error) {
	to, err := filepath.Abs(base)
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(filepath.Dir(overlay))
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(dir, to); err == nil && filepath.IsLocal(rel) {
		return rel, nil
	}
	return to, nil
}

// Temporary makes an overlay that is gone when it is closed, or this program ends: its
// file has no name. Without an image, nil, all of it is zeros. A size of 0 is the image's.
// Closing it closes the image.
func Temporary(below *Image, size int64) (*Overlay, error) {
	h, err := newHeader("", below, size)
	if err != nil {
		return nil, err
	}
	f, err := unnamed()
	if err != nil {
		return nil, fmt.Errorf("make a file for what a disk has written: %w", err)
	}
	if err := f.Truncate(h.fileSize()); err != nil {
		f.Close()
		return nil, err
	}
	return newOverlay(hostFile{f}, *h, source(below)), nil
}

// unnamed makes a file without a name, where large files belong: /tmp may be in memory.
func unnamed() (*os.File, error) {
	dir := os.Getenv("TMPDIR")
	if dir == "" {
		dir = "/var/tmp"
	}
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE|os.O_EXCL, 0o600)
	if err == nil {
		return f, nil
	}
	if f, err = os.CreateTemp(dir, "backplane-disk-*"); err == nil {
		err = os.Remove(f.Name())
	}
	return f, err
}
