package rootfs

import (
	"archive/tar"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// xattrRecord is the prefix of a tar's records that have extended attributes.
const xattrRecord = "SCHILY.xattr."

// attributes are the extended attributes of a tar's entry.
func attributes(h *tar.Header) map[string]string {
	var list map[string]string
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, xattrRecord); ok {
			if list == nil {
				list = make(map[string]string)
			}
			list[name] = value
		}
	}
	return list
}

// Tar writes what the layers make as one tar: each file once, in the order of names, with its
// extended attributes and no date after last. The archive that was packed, which is
// closed, is what its data are read from.
func (p *Packer) Tar(to io.Writer, packed io.ReaderAt, last time.Time) error {
	t := &tarOf{w: tar.NewWriter(to), packed: packed, last: last, first: make(map[*inode]string)}
	if err := t.folder("", p.root); err != nil {
		return err
	}
	return t.w.Close()
}

// Latest is the latest date of what the layers have.
func (p *Packer) Latest() time.Time {
	latest := epoch
	var look func(n *node)
	look = func(n *node) {
		if n.written.mtime.After(latest) {
			latest = n.written.mtime
		}
		for _, child := range n.children {
			look(child)
		}
	}
	look(p.root)
	return latest
}

// tarOf writes a tree.
type tarOf struct {
	w      *tar.Writer
	packed io.ReaderAt
	last   time.Time
	first  map[*inode]string // the name that a file was written by
}

func (t *tarOf) folder(at string, n *node) error {
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		child := n.children[name]
		if err := t.node(at+name, child); err != nil {
			return err
		}
		if err := t.folder(at+name+"/", child); err != nil {
			return err
		}
	}
	return nil
}

// typeflags are those of tar, by the mode's type. A socket is not kept: whoever listens on it makes it.
var typeflags = map[uint32]byte{typeDir: tar.TypeDir, typeFile: tar.TypeReg, typeSymlink: tar.TypeSymlink, typeChar: tar.TypeChar, typeBlock: tar.TypeBlock, typeFifo: tar.TypeFifo}

func (t *tarOf) node(name string, n *node) error {
	e := &n.written
	flag, ok := typeflags[e.mode&typeMask]
	if !ok {
		return nil
	}
	h := &tar.Header{Typeflag: flag, Name: name, Mode: int64(e.mode & 0o7777), Uid: int(e.uid), Gid: int(e.gid), ModTime: e.mtime, Devmajor: int64(e.major), Devminor: int64(e.minor),
		Format: tar.FormatPAX}
	if h.ModTime.After(t.last) {
		h.ModTime = t.last
	}
	h.ModTime = h.ModTime.Truncate(time.Second)
	switch first := t.first[n.inode]; {
	case first != "":
		h.Typeflag, h.Linkname = tar.TypeLink, first
	case flag == tar.TypeDir:
		h.Name += "/"
	case flag == tar.TypeSymlink:
		h.Linkname = n.target
	case flag == tar.TypeReg:
		h.Size = e.size
		t.first[n.inode] = name
	}
	if h.Typeflag != tar.TypeLink && len(e.attrs) > 0 {
		h.PAXRecords = make(map[string]string)
		for key, value := range e.attrs {
			h.PAXRecords[xattrRecord+key] = value
		}
	}
	if err := t.w.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeReg {
		_, err := io.Copy(t.w, io.NewSectionReader(t.packed, e.dataAt, e.size))
		return err
	}
	return nil
}
