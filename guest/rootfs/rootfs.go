// Package rootfs packs the layers of a board's root file system, folders and
// archives, into the initial file system that a kernel unpacks at boot.
package rootfs

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// File is a file to add after all layers.
type File struct {
	Path string // in the guest
	Mode os.FileMode
	Data []byte
}

// Pack writes the layers, each over those before it, and then the files. What
// a layer holds belongs to root, unless an archive says otherwise.
func Pack(w io.Writer, layers []string, files []File) error {
	c := &newc{w: w}
	for _, l := range layers {
		if err := c.layer(l); err != nil {
			return fmt.Errorf("pack %s: %w", l, err)
		}
	}
	made := make(map[string]bool)
	for _, f := range files {
		name := strings.TrimPrefix(path.Clean(f.Path), "/")
		if err := c.parents(name, made); err != nil {
			return err
		}
		e := entry{name: name, mode: typeFile | uint32(f.Mode.Perm()), size: int64(len(f.Data)), mtime: epoch}
		if err := c.add(e, bytes.NewReader(f.Data)); err != nil {
			return fmt.Errorf("pack %s: %w", f.Path, err)
		}
	}
	return c.end()
}

// epoch is the date of what is in no layer.
var epoch = time.Unix(0, 0)

// parents makes the folders above a file: adding one that a layer has changes nothing.
func (c *newc) parents(name string, made map[string]bool) error {
	dir := path.Dir(name)
	if dir == "." || made[dir] {
		return nil
	}
	if err := c.parents(dir, made); err != nil {
		return err
	}
	made[dir] = true
	return c.add(entry{name: dir, mode: typeDir | 0o755, mtime: epoch}, nil)
}

func (c *newc) layer(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return c.folder(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r, closeIt, err := decompress(f)
	if err != nil {
		return err
	}
	if head, _ := r.Peek(6); string(head) == "070701" || string(head) == "070702" {
		err = c.cpio(r)
	} else {
		err = c.tar(r)
	}
	if e := closeIt(); err == nil {
		err = e
	}
	return err
}

// decompress tells by its first bytes how a file is compressed.
func decompress(f io.Reader) (*bufio.Reader, func() error, error) {
	r := bufio.NewReaderSize(f, 1<<16)
	none := func() error { return nil }
	head, err := r.Peek(6)
	if err != nil {
		return nil, nil, errors.New("is neither a tar nor a cpio archive: too short")
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, err
		}
		return bufio.NewReaderSize(z, 1<<16), none, nil
	case bytes.HasPrefix(head, []byte("BZh")):
		return bufio.NewReaderSize(bzip2.NewReader(r), 1<<16), none, nil
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return filter(r, "xz", "-dc")
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return filter(r, "zstd", "-dc")
	}
	return r, none, nil
}

func filter(r io.Reader, name string, args ...string) (*bufio.Reader, func() error, error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = r
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w (apt-get install %s)", err, name)
	}
	return bufio.NewReaderSize(out, 1<<16), func() error {
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}, nil
}

// cpio passes an archive on as it is; archives may follow each other.
func (c *newc) cpio(r io.Reader) error {
	c.pad()
	n, err := io.Copy(c.w, r)
	c.pos += n
	if err == nil {
		c.pad()
		err = c.err
	}
	return err
}

func (c *newc) tar(r io.Reader) error {
	t := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF && n > 0 {
			return nil
		}
		if err != nil {
			if n == 0 {
				err = errors.New("is neither a tar nor a cpio archive")
			}
			return err
		}
		e := entry{name: strings.Trim(path.Clean("/"+h.Name), "/"), uid: uint32(h.Uid), gid: uint32(h.Gid), mtime: h.ModTime}
		if e.name == "" {
			continue // the root itself
		}
		perm := uint32(h.Mode & 0o7777)
		var data io.Reader
		switch h.Typeflag {
		case tar.TypeReg:
			e.mode, e.size, data = typeFile|perm, h.Size, t
		case tar.TypeDir:
			e.mode = typeDir | perm
		case tar.TypeSymlink:
			e.mode, e.size, data = typeSymlink|0o777, int64(len(h.Linkname)), strings.NewReader(h.Linkname)
		case tar.TypeLink: // as a symbolic link: archives keep no data for it
			target := "/" + strings.Trim(path.Clean("/"+h.Linkname), "/")
			e.mode, e.size, data = typeSymlink|0o777, int64(len(target)), strings.NewReader(target)
		case tar.TypeChar, tar.TypeBlock:
			e.mode, e.major, e.minor = typeChar|perm, uint32(h.Devmajor), uint32(h.Devminor)
			if h.Typeflag == tar.TypeBlock {
				e.mode = typeBlock | perm
			}
		case tar.TypeFifo:
			e.mode = typeFifo | perm
		default:
			continue // headers that concern no file
		}
		if err := c.add(e, data); err != nil {
			return err
		}
	}
}

func (c *newc) folder(root string) error {
	return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return c.file(file, filepath.ToSlash(name), info)
	})
}

func (c *newc) file(file, name string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: its kind of file is not known here", file)
	}
	e := entry{name: name, mode: st.Mode, mtime: info.ModTime()}
	switch {
	case info.Mode().IsRegular():
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		e.size = info.Size()
		return c.add(e, f)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(file)
		if err != nil {
			return err
		}
		e.size = int64(len(target))
		return c.add(e, strings.NewReader(target))
	case info.Mode()&fs.ModeDevice != 0:
		e.major, e.minor = uint32(st.Rdev>>8&0xfff), uint32(st.Rdev&0xff|st.Rdev>>12&0xfff00)
	}
	return c.add(e, nil)
}
