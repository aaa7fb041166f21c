package rootfs

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// File types as mode bits (stat(2)); the kernel's initramfs takes no others.
const (
	typeMask    = 0o170000
	typeDir     = 0o040000
	typeFile    = 0o100000
	typeSymlink = 0o120000
	typeChar    = 0o020000
	typeBlock   = 0o060000
	typeFifo    = 0o010000
	typeSocket  = 0o140000
)

// Limits of what a kernel unpacks (init/initramfs.c): it passes over a longer name
// or link without a word.
const (
	maxName  = 4095 // PATH_MAX with its NUL
	maxPart  = 255  // NAME_MAX
	maxSize  = 1<<32 - 1
	maxMajor = 1<<12 - 1 // include/linux/kdev_t.h
	maxMinor = 1<<20 - 1
)

// kinds are those that a kernel makes of what it unpacks.
var kinds = map[uint32]string{typeDir: "folder", typeFile: "file", typeSymlink: "symbolic link", typeChar: "device", typeBlock: "device", typeFifo: "pipe", typeSocket: "socket"}

func longestPart(name string) (n int) {
	for len(name) > 0 {
		part, rest, _ := strings.Cut(name, "/")
		n, name = max(n, len(part)), rest
	}
	return n
}

// entry is one file of an archive.
type entry struct {
	name         string // without a leading slash
	mode         uint32 // type and permissions
	uid, gid     uint32
	mtime        time.Time
	size         int64 // bytes of data that follow
	major, minor uint32
	ino, nlink   uint32 // none of its own if 0

	attrs  map[string]string // extended attributes, which an initramfs does not have
	dataAt int64             // where its data begin, once it was written
}

// Archive is where an archive is written: what names later turn out to share a file
// is written into its header.
type Archive interface {
	io.Writer
	io.WriterAt
}

// newc writes an archive as Documentation/driver-api/early-userspace/
// buffer-format.rst describes it ("newc", magic 070701).
type newc struct {
	out   *sink
	w     *bufio.Writer
	pos   int64
	limit int64 // none if 0
	ino   uint32
	err   error
}

// sink remembers what went wrong with what is written to.
type sink struct {
	Archive
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.Archive.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

func newNewc(out Archive) *newc {
	s := &sink{Archive: out}
	return &newc{out: s, w: bufio.NewWriterSize(s, bufferSize)}
}

// bufferSize is what a CPU has near it: a larger buffer is memory that each board's host has to clear first.
const bufferSize = 64 << 10

// failed tells whether it cannot be written.
func (c *newc) failed() bool { return c.out.err != nil }

func (c *newc) write(p []byte) {
	if c.err == nil {
		var n int
		n, c.err = c.w.Write(p)
		c.pos += int64(n)
	}
}

func (c *newc) pad() {
	if n := int(-c.pos & 3); n > 0 {
		c.write(make([]byte, n))
	}
}

// number gives a new inode number.
func (c *newc) number() uint32 {
	c.ino++
	return c.ino
}

// add writes one file. Its data, size bytes, are read from data.
func (c *newc) add(e *entry, data io.Reader) error {
	switch kind := e.mode & typeMask; {
	case kinds[kind] == "" && e.ino != 0:
		return fmt.Errorf("%s has a file type that Linux does not have (mode %o)", e.name, e.mode)
	case strings.IndexByte(e.name, 0) >= 0:
		return fmt.Errorf("%q has a zero byte in its name", e.name)
	case longestPart(e.name) > maxPart:
		return fmt.Errorf("%.40s... has a name of %d bytes in it; Linux takes at most %d", e.name, longestPart(e.name), maxPart)
	case e.name == trailer && e.ino != 0:
		return fmt.Errorf("%s marks the end of an initramfs, and cannot be a file's name", e.name)
	case e.major > maxMajor || e.minor > maxMinor:
		return fmt.Errorf("%s is the device %d:%d; Linux has devices up to %d:%d", e.name, e.major, e.minor, maxMajor, maxMinor)
	case e.size > maxSize:
		return fmt.Errorf("%s is %d bytes long; an initramfs holds files of up to 4 GiB", e.name, e.size)
	case len(e.name) > maxName:
		return fmt.Errorf("%.40s... has a name of %d bytes; Linux takes at most %d", e.name, len(e.name), maxName)
	case e.mode&typeMask == typeSymlink && e.size > maxName:
		return fmt.Errorf("%s leads to a name of %d bytes; Linux takes at most %d", e.name, e.size, maxName)
	}
	if c.limit > 0 && c.pos+cpioHeader+e.size > c.limit {
		return fmt.Errorf("%s, of %d bytes: %w", e.name, e.size, ErrTooLarge)
	}
	c.write(fmt.Appendf(nil, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		e.ino, e.mode, e.uid, e.gid, e.nlink, uint32(e.mtime.Unix()), e.size, 0, 0, e.major, e.minor, len(e.name)+1, 0))
	c.write(append([]byte(e.name), 0))
	c.pad()
	e.dataAt = c.pos
	if c.err == nil && e.size > 0 {
		n, err := io.CopyN(c.w, data, e.size)
		c.pos += n
		if c.err = err; err == io.EOF {
			c.err = fmt.Errorf("%s is shorter than its %d bytes: %w", e.name, e.size, io.ErrUnexpectedEOF)
		}
	}
	c.pad()
	return c.err
}

// offsetNlink is where a header has how many names its file has.
const offsetNlink = 6 + 4*8

// end writes the trailer, and into the headers at those places that more names follow.
func (c *newc) end(linked []int64) error {
	if err := c.add(&entry{name: trailer, nlink: 1, mtime: epoch}, nil); err != nil {
		return err
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	for _, at := range linked {
		if _, err := c.out.WriteAt([]byte("00000002"), at+offsetNlink); err != nil {
			return err
		}
	}
	return nil
}

// epoch is the date of what is in no layer.
var epoch = time.Unix(0, 0)
