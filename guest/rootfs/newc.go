package rootfs

import (
	"fmt"
	"io"
	"time"
)

// File types as mode bits (stat(2)); the kernel's initramfs takes no others.
const (
	typeDir     = 0o040000
	typeFile    = 0o100000
	typeSymlink = 0o120000
	typeChar    = 0o020000
	typeBlock   = 0o060000
	typeFifo    = 0o010000
	typeSocket  = 0o140000
)

// entry is one file of an archive.
type entry struct {
	name         string // without a leading slash
	mode         uint32 // type and permissions
	uid, gid     uint32
	mtime        time.Time
	size         int64 // bytes of data that follow
	major, minor uint32
}

// newc writes an archive as Documentation/driver-api/early-userspace/
// buffer-format.rst describes it ("newc", magic 070701).
type newc struct {
	w   io.Writer
	pos int64
	ino uint32
	err error
}

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

// add writes one file. Its data, size bytes, are read from data.
func (c *newc) add(e entry, data io.Reader) error {
	if e.size >= 1<<32 {
		return fmt.Errorf("%s is %d bytes long, and an initial file system holds files of up to 4 GiB", e.name, e.size)
	}
	c.ino++ // each its own: none is a hard link of another
	c.write(fmt.Appendf(nil, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		c.ino, e.mode, e.uid, e.gid, 1, uint32(e.mtime.Unix()), e.size, 0, 0, e.major, e.minor, len(e.name)+1, 0))
	c.write(append([]byte(e.name), 0))
	c.pad()
	if c.err == nil && e.size > 0 {
		n, err := io.CopyN(c.w, data, e.size)
		c.pos += n
		if c.err = err; err == io.EOF {
			c.err = fmt.Errorf("%s became shorter while it was read", e.name)
		}
	}
	c.pad()
	return c.err
}

// end writes the trailer.
func (c *newc) end() error {
	c.ino = 0
	return c.add(entry{name: "TRAILER!!!"}, nil)
}
