package w25n

import (
	"time"

	"backplane/simbus"
)

// work is what keeps the chip busy.
type work struct {
	do     doing
	number int  // of the page, or of the first one of the block
	page   page // what it is programmed with
	time   time.Duration
}

type doing uint8

const (
	reading doing = iota
	writing
	erasing
	resting // after a reset
	failing // to program or erase what is protected, bad, or there once
)

func (c *chip) begin(w *work) {
	c.work = w
	c.busy = simbus.After(c.env.Clock, w.time, c.finish)
}

// finish is called when the work is done, and resets the write-enable latch.
func (c *chip) finish() {
	w := c.work
	c.busy, c.work, c.wel = nil, nil, false
	switch w.do {
	case reading:
		c.fetch(w.number)
	case writing:
		c.array.put(w.number, c.array.read(w.number).and(&w.page))
	case erasing:
		for i := range blockPages {
			c.array.put(w.number+i, erased)
		}
	}
}

// and is a page of which bits have been cleared: nothing else sets one than an erase.
func (p page) and(by *page) page {
	for i := range p {
		p[i] &= by[i]
	}
	return p
}

// read begins to fetch a page into the buffer.
func (c *chip) read() {
	rest := readTime
	if c.registers[configuration]&eccEnable != 0 {
		rest = correctTime
	}
	c.begin(&work{number: c.now.address, time: rest})
}

// fetch has a page in the buffer, corrected if that is wanted.
func (c *chip) fetch(number int) {
	c.registers[status] &^= eccCorrected | eccLost
	if c.registers[configuration]&otpAccess != 0 {
		c.buffer = c.once(number)
		return
	}
	c.buffer = c.array.read(number)
	if c.registers[configuration]&eccEnable == 0 || c.array.sound[number] {
		return
	}
	result := c.buffer.correct()
	c.array.sound[number] = result == 0
	c.registers[status] |= result
	switch result {
	case eccCorrected:
		c.count(&c.corrected, propertyCorrected, c.corrected+1)
	case eccLost:
		c.count(&c.lost, propertyLost, c.lost+1)
	}
}

// once is a page of those that are not in the array: the first one has the unique identification and its complement, 16 times.
func (c *chip) once(number int) page {
	p := erased
	if number == 0 {
		for i := range 512 {
			v := c.unique[i%16]
			if i/16%2 == 1 {
				v = ^v
			}
			p[i] = v
		}
	}
	return p
}

// program begins to write the buffer into a page.
func (c *chip) program() {
	number := c.now.address
	c.registers[status] &^= progFailed
	if c.registers[configuration]&otpAccess != 0 || c.protected(number/blockPages) || c.array.bad(number/blockPages) {
		c.registers[status] |= progFailed
		c.begin(&work{do: failing, time: resetTime})
		return
	}
	w := &work{do: writing, number: number, page: c.buffer, time: programTime}
	if c.registers[configuration]&eccEnable != 0 {
		w.page.encode()
	}
	c.count(&c.programs, propertyPrograms, c.programs+1)
	c.begin(w)
}

// erase begins to erase the block of a page.
func (c *chip) erase() {
	block := c.now.address / blockPages
	c.registers[status] &^= eraseFailed
	if c.registers[configuration]&otpAccess != 0 || c.protected(block) || c.array.bad(block) {
		c.registers[status] |= eraseFailed
		c.begin(&work{do: failing, time: resetTime})
		return
	}
	c.count(&c.erases, propertyErases, c.erases+1)
	c.begin(&work{do: erasing, number: block * blockPages, time: eraseTime})
}

// tear leaves what cells hold when the work on them ends too early: the data sheet promises nothing of them. Of a page some
// bits are programmed already and others are not; a block under erase holds anything.
func (c *chip) tear() {
	w := c.work
	if !c.busy.Stop() {
		return
	}
	c.busy, c.work = nil, nil
	switch w.do {
	case writing:
		p := c.array.read(w.number)
		for i := range p {
			p[i] &= w.page[i] | byte(c.env.Rand.Uint32())
		}
		c.array.put(w.number, p)
	case erasing:
		for i := range blockPages {
			var p page
			for k := range p {
				p[k] = byte(c.env.Rand.Uint32())
			}
			c.array.put(w.number+i, p)
		}
	}
}
