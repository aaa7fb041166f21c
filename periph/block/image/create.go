package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

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

// CreateRaw makes a raw image that is all zeros, and takes no room.
func CreateRaw(name string, size int64) error {
	if err := CheckSize(size); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	err = errors.Join(f.Truncate(size), f.Close())
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
