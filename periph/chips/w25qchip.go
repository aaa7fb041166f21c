package chips

import (
	"time"

	"backplane/periph"
	"backplane/simbus"
)

// w25qChip is one flash.
type w25qChip struct {
	env    *periph.Env
	part   *w25qPart
	array  *w25qArray
	knows  map[uint8]*w25qInstruction
	unique [8]byte
	kept   [3]uint8 // the status registers' non-volatile bits

	status   [3]uint8 // without what w25qBusy and w25qWEL say
	wel      bool
	volatile bool // the next write of a status register is volatile
	down     bool // in power-down
	armed    bool // a reset has been enabled
	awake    simbus.Time
	writable simbus.Time // before these it takes no instructions, or none that write

	now      w25qSelection
	work     *w25qWork
	busy     *simbus.Timer
	programs int
	erases   int
	unsaved  error
}

// w25qSelection is what came since the chip was selected.
type w25qSelection struct {
	code    uint8
	known   *w25qInstruction // nil: what comes is ignored
	bytes   int
	odd     bool // it did not end with a whole byte
	address int
	page    [w25qPage]byte // data of a program, by their place in the page
	used    [w25qPage]bool
	value   [2]uint8 // data of a status register
}

// data is how many bytes of data have come, or gone.
func (s *w25qSelection) data() int { return max(0, s.bytes-1-s.known.before()) }

// w25qInstruction is what follows an instruction's code, and what it does.
type w25qInstruction struct {
	address bool // 3 bytes
	dummy   int  // bytes
	busy    bool // it is taken while the chip is busy
	writes  bool // it needs the write-enable latch
	least   int  // of data bytes, for run
	most    int
	out     func(c *w25qChip, n int) byte // the n-th byte of data, from 0
	run     func(c *w25qChip)             // when the chip is released after the last byte
}

func (i *w25qInstruction) before() int {
	if i.address {
		return 3 + i.dummy
	}
	return i.dummy
}

// anyLength of data.
const anyLength = 1 << 30

// w25qInstructions are those that the model knows.
func w25qInstructions() map[uint8]*w25qInstruction {
	status := func(n int) *w25qInstruction {
		return &w25qInstruction{busy: true, most: anyLength, out: func(c *w25qChip, _ int) byte { return c.register(n) }}
	}
	writeStatus := func(n, most int) *w25qInstruction {
		return &w25qInstruction{least: 1, most: most, run: func(c *w25qChip) { c.writeStatus(n) }}
	}
	erase := func(n int, d time.Duration) *w25qInstruction {
		return &w25qInstruction{address: true, writes: true, run: func(c *w25qChip) { c.erase(c.now.address&^(n-1), n, d) }}
	}
	all := &w25qInstruction{writes: true, run: func(c *w25qChip) { c.erase(0, c.part.size, c.part.chipErase) }}
	return map[uint8]*w25qInstruction{
		w25qWriteEnable:         {run: func(c *w25qChip) { c.wel = c.env.Clock.Now() >= c.writable }},
		w25qVolatileWriteEnable: {run: func(c *w25qChip) { c.volatile = true }},
		w25qWriteDisable:        {run: func(c *w25qChip) { c.wel = false }},
		w25qReleasePowerDown: {dummy: 3, most: anyLength, out: func(c *w25qChip, _ int) byte { return c.part.device },
			run: (*w25qChip).release},
		w25qManufacturer: {address: true, most: anyLength, out: func(c *w25qChip, n int) byte {
			return [2]byte{w25qWinbond, c.part.device}[(n+c.now.address)%2]
		}},
		w25qJEDEC: {most: anyLength, out: func(c *w25qChip, n int) byte {
			return [4]byte{w25qWinbond, w25qQuadSPI, c.part.capacity}[min(n, 3)]
		}},
		w25qUniqueID:     {dummy: 4, most: anyLength, out: func(c *w25qChip, n int) byte { return c.unique[n%len(c.unique)] }},
		w25qReadData:     {address: true, most: anyLength, out: (*w25qChip).cell},
		w25qFastRead:     {address: true, dummy: 1, most: anyLength, out: (*w25qChip).cell},
		w25qPageProgram:  {address: true, writes: true, least: 1, most: anyLength, run: (*w25qChip).program},
		w25qSectorErase:  erase(w25qSector, w25qSectorTime),
		w25qHalfErase:    erase(w25qHalf, w25qHalfTime),
		w25qBlockErase:   erase(w25qBlock, w25qBlockTime),
		w25qChipErase:    all,
		w25qChipErase2:   all,
		w25qReadStatus1:  status(0),
		w25qReadStatus2:  status(1),
		w25qReadStatus3:  status(2),
		w25qWriteStatus1: writeStatus(0, 2),
		w25qWriteStatus2: writeStatus(1, 1),
		w25qWriteStatus3: writeStatus(2, 1),
		w25qReadSFDP: {address: true, dummy: 1, most: anyLength, out: func(c *w25qChip, n int) byte {
			table := c.part.sfdp()
			return table[(c.now.address+n)%len(table)]
		}},
		w25qPowerDown:   {run: func(c *w25qChip) { c.down = true }},
		w25qEnableReset: {busy: true, run: func(c *w25qChip) { c.armed = true }},
		w25qReset:       {busy: true, run: (*w25qChip).softReset},
	}
}

// Select begins with an instruction's code.
func (c *w25qChip) Select() { c.now = w25qSelection{} }

// Exchange takes an instruction, byte by byte.
func (c *w25qChip) Exchange(tx, rx []byte, bits int) {
	s := &c.now
	for i, b := range tx {
		if s.bytes > 0 && s.known == nil {
			return
		}
		if s.known != nil && s.known.out != nil && s.bytes > s.known.before() {
			if s.code == w25qReadData || s.code == w25qFastRead { // much of it, at once
				c.array.read(rx[i:], (s.address+s.data())%c.part.size)
				s.bytes += len(tx) - i
				break
			}
			rx[i] = s.known.out(c, s.data())
		} else {
			c.take(b)
		}
		s.bytes++
	}
	s.odd = s.odd || bits%8 != 0
}

// take is the next byte of the instruction under way, before the data that it gives.
func (c *w25qChip) take(b byte) {
	s := &c.now
	switch {
	case s.bytes == 0:
		s.code, s.known = b, c.understand(b)
	case s.known.address && s.bytes <= 3:
		s.address = (s.address<<8 | int(b)) % c.part.size
	case s.bytes <= s.known.before():
	case s.code == w25qPageProgram: // what does not fit into the page begins it anew
		at := (s.address + s.data()) % w25qPage
		s.page[at], s.used[at] = b, true
	case s.data() < len(s.value):
		s.value[s.data()] = b
	}
}

// understand is the instruction of a code, nil if it is ignored now.
func (c *w25qChip) understand(code uint8) *w25qInstruction {
	i := c.knows[code]
	switch {
	case i == nil, c.env.Clock.Now() < c.awake:
	case c.busy != nil && !i.busy:
	case c.down && code != w25qReleasePowerDown:
	default:
		return i
	}
	return nil
}

// Deselect carries out the instruction, if all of it has come and no more.
func (c *w25qChip) Deselect() {
	s := &c.now
	i := s.known
	if i == nil || s.odd {
		return
	}
	armed := c.armed
	if s.code != w25qReset {
		c.armed = false
	}
	switch {
	case i.run == nil:
	case s.code == w25qReset && !armed:
	case s.code == w25qReleasePowerDown: // with or without reading the identification
		i.run(c)
	case s.bytes < 1+i.before()+i.least || s.bytes > 1+i.before()+i.most:
	case i.writes && !c.wel:
	default:
		i.run(c)
	}
}

// cell is the n-th byte of a read.
func (c *w25qChip) cell(n int) byte { return c.array.at((c.now.address + n) % c.part.size) }

// register is a status register as it is read.
func (c *w25qChip) register(n int) uint8 {
	v := c.status[n]
	if n == 0 && c.busy != nil {
		v |= w25qBusy
	}
	if n == 0 && c.wel {
		v |= w25qWEL
	}
	return v
}

// writeStatus writes one status register, or the first two (section 8.2.5).
func (c *w25qChip) writeStatus(first int) {
	volatile := c.volatile && !c.wel
	if c.volatile = false; !c.wel && !volatile || c.status[1]&w25qSRL != 0 {
		return
	}
	next := c.status
	for i := range c.now.data() {
		n := first + i
		next[n] = next[n]&^w25qWritable[n] | c.now.value[i]&w25qWritable[n]
	}
	next[1] |= c.kept[1] & w25qLB // can only be set
	if volatile {
		c.status = next
		return
	}
	c.begin(&w25qWork{status: next, time: w25qStatusTime})
}

// release ends power-down.
func (c *w25qChip) release() {
	if c.down {
		c.down = false
		c.awake = c.env.Clock.Now().Add(w25qReleaseTime)
	}
}

// softReset is as power-on, but that what is under way is torn, as when power is lost.
func (c *w25qChip) softReset() {
	c.tear()
	c.reset()
	c.awake = c.env.Clock.Now().Add(w25qResetTime)
}

// reset is the state after power-on and a reset. SRL ends with the supply (section 7.1.5);
// as a reset does not end that, it is kept where only reset comes.
func (c *w25qChip) reset() {
	lock := c.status[1] & w25qSRL
	c.status = c.kept
	c.status[1] |= lock
	c.wel, c.volatile, c.down, c.armed, c.now = false, false, false, false, w25qSelection{}
}

// Power tears what is under way, and keeps the cells and the non-volatile status.
func (c *w25qChip) Power(on bool) {
	if !on {
		c.tear()
		c.now = w25qSelection{}
		return
	}
	c.status = [3]uint8{}
	c.reset()
	c.awake, c.writable = c.env.Clock.Now().Add(w25qPowerUpRead), c.env.Clock.Now().Add(w25qPowerUpWrite)
	c.count(&c.programs, "programs", 0)
	c.count(&c.erases, "erases", 0)
}

func (c *w25qChip) count(n *int, property string, v int) {
	if *n != v {
		*n = v
		c.env.Changed(property, periph.Num(float64(v)))
	}
}

// Get is how often the cells have been programmed or erased.
func (c *w25qChip) Get(property string) periph.Value {
	if property == "programs" {
		return periph.Num(float64(c.programs))
	}
	return periph.Num(float64(c.erases))
}

// Set is never called: nothing can be set.
func (c *w25qChip) Set(string, periph.Value) error { return nil }

// Close lets what is under way end: the end of the run is no loss of power.
func (c *w25qChip) Close() error {
	if c.busy.Stop() {
		c.finish()
	}
	if err := c.array.close(); err != nil {
		return err
	}
	return c.unsaved
}
