package w25q

import (
	"time"

	"backplane/simbus"
)

// work is what keeps the chip busy: one of the three.
type work struct {
	program *selection // a page
	from, n int        // sectors to be erased
	status  [3]uint8   // registers to be written
	begun   simbus.Time
	time    time.Duration
}

func (c *chip) begin(w *work) {
	w.begun = c.env.Clock.Now()
	c.work = w
	c.busy = simbus.After(c.env.Clock, w.time, c.finish)
}

// finish is called when the work is done. It resets the write-enable latch (section 7.1.2).
func (c *chip) finish() {
	w := c.work
	c.busy, c.work, c.wel = nil, nil, false
	switch {
	case w.program != nil:
		c.programPage(w.program, 0)
	case w.n > 0:
		c.array.erase(w.from, w.n)
	default:
		c.status = w.status
		c.kept = w.status
		c.kept[1] &^= srl // not kept without power
	}
	c.unsaved = c.array.save()
}

// program begins to program a page (section 8.2.13). A protected page is left alone.
func (c *chip) program() {
	s := c.now
	page := s.address &^ (pageSize - 1)
	if c.protected(page, pageSize) {
		return
	}
	n := min(s.data(), pageSize)
	c.count(&c.programs, "programs", c.programs+1)
	c.begin(&work{program: &s, time: min(firstByte+time.Duration(n-1)*nextByte, programTime)})
}

// programPage clears bits of a page, those of mask aside.
func (c *chip) programPage(s *selection, mask uint32) {
	page := s.address &^ (pageSize - 1)
	for i := range s.page {
		if s.used[i] {
			keep := byte(0)
			if mask != 0 {
				keep = byte(c.env.Rand.Uint32() & mask)
			}
			c.array.put(page+i, c.array.at(page+i)&(s.page[i]|keep))
		}
	}
}

// erase begins to erase (sections 8.2.14 to 8.2.17). If any of it is protected it is left alone.
func (c *chip) erase(from, n int, d time.Duration) {
	if c.protected(from, n) {
		return
	}
	c.count(&c.erases, "erases", c.erases+1)
	c.begin(&work{from: from, n: n, time: d})
}

// tear leaves what cells hold when the work on them ends too early: the data sheet promises
// nothing of them. Of a page some bits are programmed already and others are not; a sector
// or block under erase holds anything. All of the chip is taken to be erased block by
// block. Status registers stay as they were.
func (c *chip) tear() {
	w := c.work
	if !c.busy.Stop() {
		return
	}
	c.busy, c.work = nil, nil
	switch {
	case w.program != nil:
		c.programPage(w.program, 0xff)
	case w.n > blockSize:
		done := int(int64(c.env.Clock.Now().Sub(w.begun)) * int64(w.n/blockSize) / int64(w.time))
		c.array.erase(0, done*blockSize)
		c.array.scramble(done*blockSize, blockSize, c.env.Rand)
	case w.n > 0:
		c.array.scramble(w.from, w.n, c.env.Rand)
	}
	c.unsaved = c.array.save()
}
