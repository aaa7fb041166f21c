package image

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// file is a file of the host, as far as images need it. Reads and writes are whole, or
// errors. Tests have one that loses what was not synced.
type file interface {
	readv(parts [][]byte, off int64) error
	writev(parts [][]byte, off int64) error
	// punch makes a stretch read as zeros, and takes no room for it where that can be.
	punch(off, n int64) error
	sync() error
	close() error
}

// hostFile is one that is open.
type hostFile struct{ *os.File }

func (h hostFile) readv(parts [][]byte, off int64) error {
	return h.all(parts, off, unix.Preadv, io.ErrUnexpectedEOF)
}

func (h hostFile) writev(parts [][]byte, off int64) error {
	return h.all(parts, off, unix.Pwritev, io.ErrShortWrite)
}

// all moves all of the parts; end is the error if nothing moves any more.
func (h hostFile) all(parts [][]byte, off int64, move func(fd int, parts [][]byte, off int64) (int, error), end error) error {
	for want := length(parts); want > 0; {
		n, err := move(int(h.Fd()), parts, off)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			err = end
		}
		if err != nil {
			return fmt.Errorf("%s: %w", h.Name(), err)
		}
		if want -= n; want > 0 {
			parts, off = cut(parts, n, want), off+int64(n)
		}
	}
	return nil
}

func (h hostFile) punch(off, n int64) error {
	err := unix.Fallocate(int(h.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	if err == nil {
		return nil
	}
	zeros := make([]byte, min(n, 1<<20))
	for ; n > 0; off, n = off+int64(len(zeros)), n-int64(len(zeros)) {
		zeros = zeros[:min(n, int64(len(zeros)))]
		if err := h.writev([][]byte{zeros}, off); err != nil {
			return err
		}
	}
	return nil
}

func (h hostFile) sync() error {
	if err := unix.Fdatasync(int(h.Fd())); err != nil {
		return fmt.Errorf("%s: %w", h.Name(), err)
	}
	return nil
}

func (h hostFile) close() error { return h.Close() }

func length(parts [][]byte) (n int) {
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// cut is the stretch of n bytes of the parts from off on.
func cut(parts [][]byte, off, n int) [][]byte {
	if off == 0 && n == length(parts) {
		return parts
	}
	list := make([][]byte, 0, len(parts))
	for _, p := range parts {
		if off >= len(p) {
			off -= len(p)
			continue
		}
		p = p[off:min(len(p), off+n)]
		off = 0
		if n -= len(p); len(p) > 0 {
			list = append(list, p)
		}
		if n == 0 {
			break
		}
	}
	return list
}
