package image

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"backplane/simbus/hostfile"
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
func Open(name string, open Opener) (*Image, error) {
	i, err := openImage(name, "", open, maxDepth)
	if errors.Is(err, errDeep) { // and not each of them again
		err = fmt.Errorf("%s: %w", name, errDeep)
	}
	return i, err
}

// errDeep says that images below one another do not end.
var errDeep = fmt.Errorf("more than %d images are below one another, or one is below itself", maxDepth)

// openImage opens one of a format; of the one that its first bytes say if that is empty.
func openImage(name, format string, open Opener, depth int) (*Image, error) {
	if depth == 0 {
		return nil, errDeep
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	i := &Image{File: name}
	if err = hostfile.Lock(f, false); err == nil {
		i.at, err = stateOf(f)
	}
	if err == nil {
		err = i.read(f, format, open, depth)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return i, nil
}

// read finds out what the file is.
func (i *Image) read(f *os.File, format string, open Opener, depth int) (err error) {
	if i.Format = format; format == "" {
		i.Format = probe(f)
	}
	switch i.Format {
	case FormatOverlay:
		var o *Overlay
		if o, i.Below, err = loadOverlay(i.File, hostFile{f}, open, depth); err == nil {
			i.Source = o
		}
	case FormatQCOW2:
		var q *qcow2
		if q, err = openQCOW2(hostFile{f}, i.at.size); err == nil {
			i.Source = q
			i.Below, err = q.openBacking(i.File, open, depth)
		}
	default:
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

// probe is the format that the first bytes of a file say.
func probe(f *os.File) string {
	first := make([]byte, headers*headerSize)
	n, _ := f.ReadAt(first, 0)
	first = first[:n]
	switch {
	case isOverlay(first):
		return FormatOverlay
	case bytes.HasPrefix(first, []byte(qcowMagic)):
		return FormatQCOW2
	}
	return FormatRaw
}

// openBacking opens the file below a qcow2 file of that name, if there is one.
func (q *qcow2) openBacking(name string, open Opener, depth int) (*Image, error) {
	if q.backing.name == "" {
		return nil, nil
	}
	b := base{name: q.backing.name}
	below, err := openImage(b.path(name), q.backing.format, open, depth-1)
	if err != nil {
		return nil, fmt.Errorf("its backing file: %w", err)
	}
	q.below = below
	return below, nil
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
		return nil, nil, interruptedError(name)
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
	below, err := openImage(h.path(name), "", open, depth-1)
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
	return withBlocks(f, h, source(below))
}

// withBlocks is an overlay that knows which blocks it has, all of which are there.
func withBlocks(f file, h *header, below Source) (*Overlay, error) {
	if err := reaches(f, h.dataStart()); err != nil { // before there is memory for all
		return nil, err
	}
	o := newOverlay(f, *h, below)
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
	if err != nil {
		f.Close()
		return nil, nil, overlayError(name, err)
	}
	return o, below, nil
}

// openHeader opens an overlay for writing, without what is below it.
func openHeader(name string) (hostFile, *header, error) {
	f, err := openAlone(name)
	if err != nil {
		return f, nil, err
	}
	h, err := headerOf(f)
	if err != nil {
		f.Close()
		return f, nil, overlayError(name, err)
	}
	return f, h, nil
}

func overlayError(name string, err error) error {
	if errors.Is(err, errNoHeader) {
		err = fmt.Errorf("%w ('backplane disk create' makes one over an image)", errNoHeader)
	}
	return fmt.Errorf("%s: %w", name, err)
}

func interruptedError(name string) error {
	return fmt.Errorf("a commit of %s was interrupted: 'backplane disk commit' ends it", name)
}

// openAlone opens a file for writing, and locks it.
func openAlone(name string) (hostFile, error) {
	f, err := hostfile.OpenAlone(name)
	return hostFile{f}, err
}
