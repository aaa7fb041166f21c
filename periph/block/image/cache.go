package image

import (
	"math/rand/v2"
	"sync"
)

// Cache is the volatile write cache of a disk: what was written and not flushed is lost
// when the power goes. The overlay has it already; the cache keeps what was there before,
// to put it back. If more than its size is written without a flush, the oldest writes
// have reached the medium.
type Cache struct {
	*Overlay
	limit int64 // bytes; 0: what is written is on the medium at once

	writing sync.Mutex
	log     []saved // from the oldest on
	held    int64   // bytes of all
	spare   [][]byte
}

// saved are blocks as they were before a write.
type saved struct {
	block, n int64
	data     []byte // nil: they were the base's
	zeroed   bool   // by a discard or write-zeroes, which reach the medium whole or not at all
}

// NewCache is for a disk with a cache of so many bytes.
func NewCache(o *Overlay, limit int64) *Cache { return &Cache{Overlay: o, limit: limit} }

// Unflushed is how many bytes a power cut would take, in whole blocks: what is written
// twice counts twice.
func (c *Cache) Unflushed() int64 {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.held
}

// WriteV writes. If it is through, that is on the medium at once.
func (c *Cache) WriteV(parts [][]byte, off int64, through bool) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.save(off, int64(length(parts)), through, false); err != nil {
		return err
	}
	return c.Overlay.WriteV(parts, off)
}

// Zero makes zeros.
func (c *Cache) Zero(off, n int64, through bool) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.save(off, n, through, true); err != nil {
		return err
	}
	return c.Overlay.Zero(off, n)
}

// Settle lets all that was written be on the medium.
func (c *Cache) Settle() {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.settle()
}

func (c *Cache) settle() {
	for i := range c.log {
		c.reuse(&c.log[i])
	}
	c.log, c.held = c.log[:0], 0
}

// mostSpare is how many buffers are kept for what is saved next.
const mostSpare = 64

func (c *Cache) reuse(s *saved) {
	if s.data != nil && len(c.spare) < mostSpare {
		c.spare = append(c.spare, s.data)
	}
	s.data = nil
}

// buffer is one of n bytes.
func (c *Cache) buffer(n int64) []byte {
	if last := len(c.spare) - 1; last >= 0 {
		b := c.spare[last]
		c.spare = c.spare[:last]
		if int64(cap(b)) >= n {
			return b[:n]
		}
	}
	return make([]byte, n)
}

// save keeps what n bytes from off on are.
func (c *Cache) save(off, n int64, through, zeroed bool) error {
	if n == 0 {
		return nil
	}
	if through || n > c.limit { // a write through the cache writes what is in it as well
		c.settle()
		return nil
	}
	for at, end := off/BlockSize, (off+n-1)/BlockSize+1; at < end; {
		c.mu.RLock()
		run, own := c.has.run(at, end)
		c.mu.RUnlock()
		s := saved{block: at, n: run, zeroed: zeroed}
		if own {
			s.data = c.buffer(run * BlockSize)
			if err := c.f.readv([][]byte{s.data}, c.start+at*BlockSize); err != nil {
				return err
			}
		}
		c.log, c.held = append(c.log, s), c.held+run*BlockSize
		at += run
	}
	c.drop()
	return nil
}

// keep adds what was before one write.
func (c *Cache) keep(s saved) {
	c.log, c.held = append(c.log, s), c.held+s.n*BlockSize
	c.drop()
}

// drop forgets the oldest writes that the cache has no room for.
func (c *Cache) drop() {
	for c.held > c.limit && len(c.log) > 0 {
		c.held -= c.log[0].n * BlockSize
		c.reuse(&c.log[0])
		c.log = c.log[1:]
	}
}

// Cut is what happens when the power goes: it puts back what was there before the writes
// that were not flushed, and returns how many bytes of blocks these had. With a source of
// chance some of their blocks have reached the medium all the same, in no order, and each
// of them whole: the disk says that its physical blocks are as large, and those are written
// atomically (Linux Documentation/ABI/stable/sysfs-block, physical_block_size).
func (c *Cache) Cut(torn *rand.Rand) (lost int64, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	lost = c.held
	u := undo{o: c.Overlay, torn: torn, kept: make(map[int64]bool)}
	for i := len(c.log) - 1; i >= 0; i-- {
		if err := u.entry(&c.log[i]); err != nil {
			return lost, err
		}
	}
	c.settle()
	return lost, nil
}

// undo puts back what was there, from the newest to the oldest.
type undo struct {
	o    *Overlay
	torn *rand.Rand     // nil: all of it
	kept map[int64]bool // blocks that have reached the medium
}

func (u *undo) entry(s *saved) error {
	u.o.mu.Lock()
	defer u.o.mu.Unlock()
	if u.torn == nil {
		return u.back(s)
	}
	for i := range s.n {
		block := s.block + i
		if !u.kept[block] && !s.zeroed && u.torn.IntN(2) == 0 {
			u.kept[block] = true
		}
		if u.kept[block] {
			continue
		}
		one := saved{block: block, n: 1}
		if s.data != nil {
			one.data = s.data[i*BlockSize : (i+1)*BlockSize]
		}
		if err := u.back(&one); err != nil {
			return err
		}
	}
	return nil
}

// back puts back all of an entry.
func (u *undo) back(s *saved) error {
	if s.data == nil {
		u.o.has.set(s.block, s.n, false)
		return nil
	}
	return u.o.f.writev([][]byte{s.data}, u.o.start+s.block*BlockSize)
}
