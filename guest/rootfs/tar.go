package rootfs

import (
	"archive/tar"
	"compress/bzip2"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
	"time"
)

// clean is a name of an archive's as one in the file system; nothing leads out of it.
func clean(name string) string { return strings.Trim(path.Clean("/"+name), "/") }

// blockSize is what a tar is made of. It ends with blocks of zeros (POSIX.1-2017, pax,
// "ustar Interchange Format"), and package tar does not ask for them.
const blockSize = 512

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (p *Packer) tar(r io.Reader) error {
	c := &counter{r: r}
	t := tar.NewReader(c)
	for n, last := 0, ""; ; n++ {
		before := c.n // all of the last file has been read
		h, err := t.Next()
		switch {
		case n == 0 && err != nil && !errors.Is(err, ErrTooLarge) && !unpacking(err):
			return errors.New("is neither a tar nor a cpio archive")
		case err == io.EOF && c.n-before < blockSize, errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("truncated tar archive: its end is missing, after %s", last)
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("tar archive, after %s: %w", last, err)
		}
		if err := p.tarEntry(h, t); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("truncated tar archive, in %s", h.Name)
			}
			return err
		}
		last = h.Name
	}
}

// unpacking tells whether an error is that of what an archive is compressed with.
func unpacking(err error) bool {
	var bzip bzip2.StructuralError
	var flate flate.CorruptInputError
	return errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &bzip) || errors.As(err, &flate)
}

// Kinds of tar entries that package tar leaves to its callers (GNU tar's manual, "The
// standard format").
const volumeName = 'V' // the archive's label: no file

func (p *Packer) tarEntry(h *tar.Header, data io.Reader) error {
	e := &entry{name: clean(h.Name), uid: uint32(h.Uid), gid: uint32(h.Gid), mtime: h.ModTime}
	perm := uint32(h.Mode & 0o7777)
	switch h.Typeflag {
	case tar.TypeXGlobalHeader, volumeName:
		return nil
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		e.mode, e.size = typeFile|perm, h.Size
	case tar.TypeDir:
		e.mode, data = typeDir|perm, nil
	case tar.TypeSymlink:
		e.mode, e.size, data = typeSymlink|0o777, int64(len(h.Linkname)), strings.NewReader(h.Linkname)
	case tar.TypeLink:
		return p.tarLink(e, clean(h.Linkname), perm)
	case tar.TypeChar, tar.TypeBlock:
		if h.Devmajor < 0 || h.Devminor < 0 || h.Devmajor > maxMajor || h.Devminor > maxMinor {
			return fmt.Errorf("%s is the device %d:%d; Linux has devices up to %d:%d", e.name, h.Devmajor, h.Devminor, maxMajor, maxMinor)
		}
		e.mode, e.major, e.minor = typeChar|perm, uint32(h.Devmajor), uint32(h.Devminor)
		if h.Typeflag == tar.TypeBlock {
			e.mode = typeBlock | perm
		}
	case tar.TypeFifo:
		e.mode = typeFifo | perm
	default:
		return fmt.Errorf("%s has a file type that cannot be kept (%q in its tar header)", h.Name, h.Typeflag)
	}
	if e.name == "" && h.Typeflag == tar.TypeDir {
		return nil // the root itself
	}
	if e.name == "" {
		return fmt.Errorf("%q is not a file name", h.Name)
	}
	if err := fits32(e, h); err != nil {
		return err
	}
	p.lost.add(e.name, h)
	e.attrs = attributes(h)
	_, err := p.add(e, data, changeFolders)
	return err
}

// tarLink adds a name of a file that stands before.
func (p *Packer) tarLink(e *entry, target string, perm uint32) error {
	to, err := p.follow(target, false)
	if err != nil {
		return err
	}
	switch file := p.find(to); {
	case file.is(typeFile):
		e.mode = typeFile | perm
		return p.link(e, file, nil)
	case file.is(typeSymlink): // a second one that leads to the same is as good
		e.mode, e.size = file.mode, int64(len(file.target))
		_, err := p.add(e, strings.NewReader(file.target), changeFolders)
		return err
	}
	return fmt.Errorf("%s is a hard link to %s, but no such file precedes it", e.name, target)
}

// fits32 finds an owner that an initramfs has no room for: another's file
// would become root's. A date that it has no room for becomes the nearest.
func fits32(e *entry, h *tar.Header) error {
	if int64(e.uid) != int64(h.Uid) || int64(e.gid) != int64(h.Gid) {
		return fmt.Errorf("%s belongs to %d:%d; Linux has users and groups up to %d", e.name, h.Uid, h.Gid, uint32(math.MaxUint32))
	}
	if e.mtime.Unix() < 0 {
		e.mtime = epoch
	} else if last := time.Unix(math.MaxUint32, 0); e.mtime.After(last) {
		e.mtime = last
	}
	return nil
}
