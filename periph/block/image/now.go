package image

import "golang.org/x/sys/unix"

// What is done at once does not wait: neither for the host's disk nor for another
// goroutine. Whatever is not done so can be done in the usual way.

// mostNow is how much is written at once, in bytes: the largest request that Linux makes of
// pages that do not lie beside each other, 126 segments. Another goroutine would cost more
// than the copy, of new blocks as well (docs/benchmarks.md).
const mostNow = 512 << 10

// prompt is a source that can be read at once.
type prompt interface {
	readNow(parts [][]byte, off int64) bool
}

// ReadNow is ReadV at once, and tells whether it could be done.
func (o *Overlay) ReadNow(parts [][]byte, off int64) bool { return o.readNow(parts, off) }

func (o *Overlay) readNow(parts [][]byte, off int64) bool {
	if !o.mu.TryRLock() {
		return false
	}
	defer o.mu.RUnlock()
	n := length(parts)
	switch same, own := o.run(off, n); {
	case same < n:
		return false
	case own:
		return o.ownNow(parts, off)
	}
	below, ok := o.below.(prompt)
	return ok && off+int64(n) <= o.below.Size() && below.readNow(parts, off)
}

func (o *Overlay) ownNow(parts [][]byte, off int64) bool {
	f, ok := o.f.(hostFile)
	return ok && f.readNow(parts, o.start+off)
}

func (i *Image) readNow(parts [][]byte, off int64) bool {
	p, ok := i.Source.(prompt)
	return ok && p.readNow(parts, off)
}

func (r *raw) readNow(parts [][]byte, off int64) bool {
	f, ok := r.file.(hostFile)
	return ok && f.readNow(parts, off)
}

// readNow reads what the host has in its page cache.
func (h hostFile) readNow(parts [][]byte, off int64) bool {
	n, err := unix.Preadv2(int(h.Fd()), parts, off, unix.RWF_NOWAIT)
	return err == nil && n == length(parts)
}

// WriteNow is WriteV at once: of a few whole blocks, into the host's page cache. It tells
// whether it could be done; if not, nothing has changed. What the medium has at once need
// not be on the host's.
func (c *Cache) WriteNow(parts [][]byte, off int64, through bool) bool {
	n := int64(length(parts))
	if n > mostNow || off%BlockSize != 0 || n%BlockSize != 0 || !c.writing.TryLock() {
		return false
	}
	defer c.writing.Unlock()
	if !c.mu.TryLock() {
		return false
	}
	defer c.mu.Unlock()
	same, own := c.run(off, int(n))
	if int64(same) < n {
		return false
	}
	s := saved{block: off / BlockSize, n: n / BlockSize}
	through = through || n > c.limit
	if own && !through {
		s.data = c.buffer(n)
		if !c.ownNow([][]byte{s.data}, off) {
			return false
		}
	}
	if c.f.writev(parts, c.start+off) != nil { // the usual way says why
		return false
	}
	c.take(off, n)
	if through {
		c.settle()
	} else {
		c.keep(s)
	}
	return true
}
