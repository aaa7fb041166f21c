package image

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

// Source is contents that can be read. Several may read at once.
type Source interface {
	Size() int64
	// ReadV fills the parts with what is from off on, all of which must be within the size.
	ReadV(parts [][]byte, off int64) error
	Close() error
}

// Overlay is a disk's contents, of which the blocks that were written are in its own file
// and the others in its base, if there is one: else they are zeros. Beyond the end of the
// base there are zeros as well.
//
// What was written is in the file for good when Flush has returned. Whatever ends the
// program or the host earlier, each block is then as it was at some moment since.
type Overlay struct {
	f     file
	head  header
	start int64 // of block 0 in the file
	below Source

	mu  sync.RWMutex
	has *bitmap
	pad [BlockSize]byte

	flushing sync.Mutex
	lost     error // why no flush can succeed any more
}

// newOverlay is a new one in an empty file, which must have room for it.
func newOverlay(f file, h header, below Source) *Overlay {
	return &Overlay{f: f, head: h, start: h.dataStart(), below: below, has: newBitmap(h.blocks())}
}

// Size is the disk's.
func (o *Overlay) Size() int64 { return o.head.disk }

// Allocated is how many bytes it has of its own.
func (o *Overlay) Allocated() int64 {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.has.count() * BlockSize
}

// Holds tells whether all blocks of n bytes from off on are its own.
func (o *Overlay) Holds(off, n int64) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	same, own := o.run(off, int(n))
	return own && same == int(n)
}

// ReadV reads.
func (o *Overlay) ReadV(parts [][]byte, off int64) error {
	o.mu.RLock()
	defer o.mu.RUnlock()
	total := length(parts)
	for done := 0; done < total; {
		n, own := o.run(off+int64(done), total-done)
		piece := parts
		if n < total {
			piece = cut(parts, done, n)
		}
		var err error
		if own {
			err = o.f.readv(piece, o.start+off+int64(done))
		} else {
			err = readBelow(o.below, piece, off+int64(done))
		}
		if err != nil {
			return err
		}
		done += n
	}
	return nil
}

// run is how many of n bytes from off on are in the same file.
func (o *Overlay) run(off int64, n int) (same int, own bool) {
	first := off / BlockSize
	blocks, own := o.has.run(first, (off+int64(n)-1)/BlockSize+1)
	return int(min(int64(n), (first+blocks)*BlockSize-off)), own
}

// readBelow reads from a base, which may be nil. Behind its end there are zeros.
func readBelow(below Source, parts [][]byte, off int64) error {
	n, have := length(parts), 0
	if below != nil {
		have = int(max(0, min(int64(n), below.Size()-off)))
	}
	if have > 0 {
		if err := below.ReadV(cut(parts, 0, have), off); err != nil {
			return err
		}
	}
	if have < n {
		for _, p := range cut(parts, have, n-have) {
			clear(p)
		}
	}
	return nil
}

// WriteV writes.
func (o *Overlay) WriteV(parts [][]byte, off int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := int64(length(parts))
	if n == 0 {
		return nil
	}
	if err := o.fill(off, n); err != nil {
		return err
	}
	if err := o.f.writev(parts, o.start+off); err != nil {
		return err
	}
	o.take(off, n)
	return nil
}

// take marks the blocks of n bytes from off on as the overlay's own.
func (o *Overlay) take(off, n int64) {
	first := off / BlockSize
	o.has.set(first, (off+n-1)/BlockSize+1-first, true)
}

// fill completes the first and the last block of n bytes from off on, if they are not yet
// the overlay's own.
func (o *Overlay) fill(off, n int64) error {
	end := off + n
	if first := off / BlockSize; off%BlockSize != 0 && !o.has.has(first) {
		if err := o.copyUp(first*BlockSize, off); err != nil {
			return err
		}
	}
	if last := end / BlockSize; end%BlockSize != 0 && !o.has.has(last) {
		return o.copyUp(end, min((last+1)*BlockSize, o.head.disk))
	}
	return nil
}

// copyUp copies less than a block from the base.
func (o *Overlay) copyUp(from, to int64) error {
	if from == to {
		return nil
	}
	p := [][]byte{o.pad[:to-from]}
	if err := readBelow(o.below, p, from); err != nil {
		return err
	}
	return o.f.writev(p, o.start+from)
}

// Zero makes n bytes from off on zeros, which take no room where that can be.
func (o *Overlay) Zero(off, n int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.zero(off, n)
}

func (o *Overlay) zero(off, n int64) error {
	for n > 0 {
		first := off / BlockSize
		blocks, own := o.has.run(first, (off+n-1)/BlockSize+1)
		piece := min(n, (first+blocks)*BlockSize-off)
		if own || o.below != nil && off < o.below.Size() { // else they are zeros anyway
			if err := o.fill(off, piece); err != nil {
				return err
			}
			if err := o.f.punch(o.start+off, piece); err != nil {
				return err
			}
			o.take(off, piece)
		}
		off, n = off+piece, n-piece
	}
	return nil
}

// Flush puts what was written into the file for good. The blocks come first, then what
// says that they are there: a bit that is in the file is true. Reads and writes go on
// meanwhile; what is written then may be part of it.
func (o *Overlay) Flush() error {
	o.flushing.Lock()
	defer o.flushing.Unlock()
	if o.lost == nil {
		o.lost = o.flush() // what the host has lost once, no second try brings back
	}
	return o.lost
}

func (o *Overlay) flush() error {
	o.mu.Lock()
	pages := make(map[int64][]byte)
	for page := range o.has.dirty {
		pages[page] = o.has.page(page)
	}
	clear(o.has.dirty)
	o.mu.Unlock()
	if err := o.f.sync(); err != nil || len(pages) == 0 {
		return err
	}
	for _, page := range slices.Sorted(maps.Keys(pages)) {
		if err := o.f.writev([][]byte{pages[page]}, bitmapStart+page*BlockSize); err != nil {
			return err
		}
	}
	return o.f.sync()
}

// Close lets go of the files. What was not flushed may be lost.
func (o *Overlay) Close() error {
	var below error
	if o.below != nil {
		below = o.below.Close()
	}
	return errors.Join(o.f.close(), below)
}

// check says what of the file cannot be, or is not there.
func (o *Overlay) check() error {
	for i := o.head.blocks(); i < int64(len(o.has.words))*wordBits; i++ {
		if o.has.has(i) {
			return fmt.Errorf("it says that it has block %d of %d", i, o.head.blocks())
		}
	}
	end := min((o.has.last()+1)*BlockSize, o.head.disk)
	return reaches(o.f, o.start+end)
}

// reaches says that a file is shorter than n bytes.
func reaches(f file, n int64) error {
	err := f.readv([][]byte{make([]byte, 1)}, n-1)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("its end is missing: it must have %d bytes at least", n)
	}
	return err
}
