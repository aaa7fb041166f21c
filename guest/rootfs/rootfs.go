// Package rootfs packs the layers of a board's root file system, folders and
// archives, into the initramfs that a kernel unpacks at boot.
//
// Layers lie over each other as one would copy them (rsync --keep-dirlinks): a folder
// over a symbolic link to a folder is that folder, so that a project's bin/ goes where
// the base's /bin leads, and the modes of folders that are there stay as they are,
// unless an archive says otherwise. What cannot be kept is an error.
package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"

	"backplane/simbus/hostfile"

	"golang.org/x/sys/unix"
)

// File is a file to add after all layers.
type File struct {
	Path string // in the guest
	Mode os.FileMode
	Data []byte
	Host string // the file of the host that has the data, if it is not empty
}

// Packer packs one file system: layers, then files, then Close.
type Packer struct {
	w      *newc
	root   *node
	linked []int64 // where the headers of files begin that have several names
	lost   losses  // of the layer that is being packed
	notes  []string
	limit  int64
	within *hostfile.Folder
}

// Pack packs layers, and then files.
func Pack(out Archive, layers []string, files []File) error {
	p := NewPacker(out)
	for _, l := range layers {
		if err := p.Layer(l); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := p.Add(f); err != nil {
			return err
		}
	}
	return p.Close()
}

// NewPacker packs into out, which is empty.
func NewPacker(out Archive) *Packer {
	return &Packer{w: newNewc(out), root: &node{inode: &inode{mode: typeDir | 0o755}, children: make(map[string]*node)}}
}

// Limit bounds the archive, in bytes: what would go beyond ends with an [ErrTooLarge].
func (p *Packer) Limit(bytes int64) { p.limit, p.w.limit = bytes, bytes }

// In has layers only of a folder: nil for all of the host.
func (p *Packer) In(folder *hostfile.Folder) { p.within = folder }

// ErrTooLarge is what an error wraps that comes of the limit.
var ErrTooLarge = errors.New("the packed files exceed the limit")

// ContentError says that what a layer holds is wrong, rather than this machine.
type ContentError struct {
	Layer string
	Err   error
}

func (e *ContentError) Error() string { return fmt.Sprintf("pack %s: %v", e.Layer, e.Err) }
func (e *ContentError) Unwrap() error { return e.Err }

// Layer adds a folder, or a tar or cpio archive, plain or compressed by gzip, bzip2,
// xz or zstd. What a layer holds belongs to root, unless an archive says otherwise.
// The error is a [ContentError] if the layer is at fault.
func (p *Packer) Layer(name string) error {
	p.lost = losses{}
	err := p.layer(name)
	switch {
	case err == nil:
		if note := p.lost.note(name); note != "" {
			p.notes = append(p.notes, note)
		}
		return nil
	case p.w.failed() || machineFault(err):
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return &ContentError{name, err}
}

// machineFault tells whether an error of reading is this machine's fault.
func machineFault(err error) bool {
	for _, fault := range []error{exec.ErrNotFound, unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EIO, unix.EAGAIN} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return false
}

// Add adds a file, over what layers have under its name.
func (p *Packer) Add(f File) error {
	e := &entry{name: strings.TrimPrefix(path.Clean("/"+f.Path), "/"), mode: typeFile | uint32(f.Mode.Perm()), size: int64(len(f.Data)), mtime: epoch}
	data := io.Reader(bytes.NewReader(f.Data))
	if f.Host != "" {
		host, err := os.Open(f.Host)
		if err != nil {
			return err
		}
		defer host.Close()
		info, err := host.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = &fs.PathError{Op: "open", Path: f.Host, Err: fmt.Errorf("is %s; it must be a file", hostfile.Kind(info.Mode()))}
		}
		if err != nil {
			return err
		}
		e.size, data = info.Size(), host
	}
	if _, err := p.add(e, data, keepFolders); err != nil {
		return fmt.Errorf("pack %s: %w", f.Path, err)
	}
	return nil
}

// Close ends the archive. The file is its maker's to close.
func (p *Packer) Close() error { return p.w.end(p.linked) }

// What a layer does to a folder that is there.
type folders bool

const (
	keepFolders   folders = false // its mode and owner stay
	changeFolders folders = true
)

// add writes an entry at its place among what is there, and returns what it is now.
func (p *Packer) add(e *entry, data io.Reader, over folders) (*node, error) {
	if err := p.place(e); err != nil {
		return nil, err
	}
	old := p.find(e.name)
	if e.mode&typeMask == typeDir {
		if old.is(typeSymlink) {
			if to, err := p.follow(e.name, true); err == nil && p.find(to).is(typeDir) {
				e.name, old = to, p.find(to)
			}
		}
		if old.is(typeDir) {
			if over == keepFolders {
				return old, nil
			}
			err := p.write(e, data, old.inode.ino)
			old.written = *e
			return old, err
		}
	}
	if err := p.clear(e, old); err != nil {
		return nil, err
	}
	n := &node{inode: &inode{mode: e.mode, ino: p.w.number(), size: e.size}}
	switch e.mode & typeMask {
	case typeDir:
		n.children = make(map[string]*node)
	case typeSymlink:
		target, err := io.ReadAll(io.LimitReader(data, maxName))
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(target, 0) >= 0 {
			return nil, fmt.Errorf("%s leads to a name with a zero byte in it", e.name)
		}
		n.target, data = string(target), bytes.NewReader(target)
	}
	n.program, data = peek(e, data)
	n.at = p.w.pos
	if err := p.write(e, data, n.ino); err != nil {
		return nil, err
	}
	n.written = *e
	p.put(e.name, n)
	return n, nil
}

// link gives a file another name. An archive may give it its data only now.
func (p *Packer) link(e *entry, to *node, data io.Reader) error {
	if err := p.place(e); err != nil {
		return err
	}
	old := p.find(e.name)
	if old != nil && old.inode == to.inode {
		return nil
	}
	if err := p.clear(e, old); err != nil {
		return err
	}
	e.nlink = 2
	if e.size > 0 {
		to.program, data = peek(e, data)
	}
	if err := p.write(e, data, to.ino); err != nil {
		return err
	}
	if !to.linked {
		to.linked = true
		p.linked = append(p.linked, to.at)
	}
	if e.size > 0 {
		to.written.size, to.written.dataAt = e.size, e.dataAt
	}
	to.size = max(to.size, e.size)
	p.put(e.name, &node{inode: to.inode})
	return nil
}

// write writes an entry, whose file has the inode of that number.
func (p *Packer) write(e *entry, data io.Reader, ino uint32) error {
	e.ino = ino
	if e.nlink == 0 {
		e.nlink = 1
	}
	return p.w.add(e, data)
}

// place makes an entry's name the one without links, and the folders above it.
func (p *Packer) place(e *entry) error {
	dir, err := p.follow(path.Dir("/"+e.name), true)
	if err != nil {
		return err
	}
	if n := p.find(dir); n != nil && !n.is(typeDir) {
		return fmt.Errorf("%s is below %s, which is not a folder", e.name, dir)
	}
	e.name = path.Join(dir, path.Base(e.name))
	return p.parents(dir)
}

// parents makes the folders that no layer has. No links are in the name.
func (p *Packer) parents(dir string) error {
	n, at := p.root, 0
	for _, part := range parts(dir) {
		at += len(part) + 1
		child := n.children[part]
		if child == nil {
			child = &node{inode: &inode{mode: typeDir | 0o755, ino: p.w.number(), names: 1, at: p.w.pos}, children: make(map[string]*node)}
			child.written = entry{name: dir[:at-1], mode: child.mode, mtime: epoch}
			if err := p.write(&child.written, nil, child.ino); err != nil {
				return err
			}
			n.children[part] = child
		}
		n = child
	}
	return nil
}

// clear makes room for an entry where an older one has its name. The kernel removes a
// file of another kind, and writes into one of the same kind.
func (p *Packer) clear(e *entry, old *node) error {
	switch {
	case old == nil:
		return nil
	case len(old.children) > 0:
		return fmt.Errorf("%s is a folder with files in an earlier layer, but not a folder here", e.name)
	case old.mode&typeMask != e.mode&typeMask || old.is(typeSymlink) || old.is(typeFile) && old.names == 1:
		return nil
	}
	const nowhere = "." // a link that stands there for the moment
	return p.w.add(&entry{name: e.name, mode: typeSymlink | 0o777, size: int64(len(nowhere)), mtime: epoch, ino: p.w.number(), nlink: 1}, strings.NewReader(nowhere))
}

// CheckLayer says why a folder or an archive cannot be a layer, without looking into it.
func CheckLayer(name string) error {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return checkFolder(name)
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("is %s; it must be a folder or an archive", hostfile.Kind(info.Mode()))}
	}
	return nil
}

func (p *Packer) layer(name string) error {
	if err := CheckLayer(name); err != nil {
		return err
	}
	if info, err := os.Stat(name); err != nil || info.IsDir() {
		return p.folder(name)
	}
	f, err := p.within.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return p.archive(f)
}

// archive adds what an archive holds.
func (p *Packer) archive(f io.Reader) error {
	s, err := decompress(f, p.limit)
	if err != nil {
		return err
	}
	if head, _ := s.Peek(len(cpioMagic)); isCPIO(head) {
		err = p.cpio(s.Reader)
	} else {
		err = p.tar(s.Reader)
	}
	return s.close(err)
}
