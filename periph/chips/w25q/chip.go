package w25q

import (
	"time"

	"backplane/periph"
	"backplane/simbus"
)

// chip is one flash.
type chip struct {
	env    *periph.Env
	part   *part
	array  *array
	knows  map[uint8]*instruction
	unique [8]byte
	kept   [3]uint8 // the status registers' non-volatile bits

	status   [3]uint8 // without what busy and wel say
	wel      bool
	volatile bool // the next write of a status register is volatile
	down     bool // in power-down
	armed    bool // a reset has been enabled
	awake    simbus.Time
	writable simbus.Time // before these it takes no instructions, or none that write

	now      selection
	work     *work
	busy     *simbus.Timer
	programs int
	erases   int
	unsaved  error
}

// selection is what came since the chip was selected.
type selection struct {
	code    uint8
	known   *instruction // nil: what comes is ignored
	bytes   int
	odd     bool // it did not end with a whole byte
	address int
	page    [pageSize]byte // data of a program, by their place in the page
	used    [pageSize]bool
	value   [2]uint8 // data of a status register
}

// data is how many bytes of data have come, or gone.
func (s *selection) data() int { return max(0, s.bytes-1-s.known.before()) }

// instruction is what follows an instruction's code, and what it does.
type instruction struct {
	address bool // 3 bytes
	dummy   int  // bytes
	busy    bool // it is taken while the chip is busy
	writes  bool // it needs the write-enable latch
	least   int  // of data bytes, for run
	most    int
	out     func(c *chip, n int) byte // the n-th byte of data, from 0
	run     func(c *chip)             // when the chip is released after the last byte
}

func (i *instruction) before() int {
	if i.address {
		return 3 + i.dummy
	}
	return i.dummy
}

// anyLength of data.
const anyLength = 1 << 30

// instructions are those that the model knows.
func instructions() map[uint8]*instruction {
	status := func(n int) *instruction {
		return &instruction{busy: true, most: anyLength, out: func(c *chip, _ int) byte { return c.register(n) }}
	}
	writeStatus := func(n, most int) *instruction {
		return &instruction{least: 1, most: most, run: func(c *chip) { c.writeStatus(n) }}
	}
	erase := func(n int, d time.Duration) *instruction {
		return &instruction{address: true, writes: true, run: func(c *chip) { c.erase(c.now.address&^(n-1), n, d) }}
	}
	all := &instruction{writes: true, run: func(c *chip) { c.erase(0, c.part.size, c.part.chipErase) }}
	return map[uint8]*instruction{
		writeEnable:         {run: func(c *chip) { c.wel = c.env.Clock.Now() >= c.writable }},
		volatileWriteEnable: {run: func(c *chip) { c.volatile = true }},
		writeDisable:        {run: func(c *chip) { c.wel = false }},
		releasePowerDown: {dummy: 3, most: anyLength, out: func(c *chip, _ int) byte { return c.part.device },
			run: (*chip).release},
		manufacturer: {address: true, most: anyLength, out: func(c *chip, n int) byte {
			return [2]byte{winbond, c.part.device}[(n+c.now.address)%2]
		}},
		jedec: {most: anyLength, out: func(c *chip, n int) byte {
			return [4]byte{winbond, quadSPI, c.part.capacity}[min(n, 3)]
		}},
		uniqueID:     {dummy: 4, most: anyLength, out: func(c *chip, n int) byte { return c.unique[n%len(c.unique)] }},
		readData:     {address: true, most: anyLength, out: (*chip).cell},
		fastRead:     {address: true, dummy: 1, most: anyLength, out: (*chip).cell},
		pageProgram:  {address: true, writes: true, least: 1, most: anyLength, run: (*chip).program},
		sectorErase:  erase(sectorSize, sectorTime),
		halfErase:    erase(halfSize, halfTime),
		blockErase:   erase(blockSize, blockTime),
		chipErase:    all,
		chipErase2:   all,
		readStatus1:  status(0),
		readStatus2:  status(1),
		readStatus3:  status(2),
		writeStatus1: writeStatus(0, 2),
		writeStatus2: writeStatus(1, 1),
		writeStatus3: writeStatus(2, 1),
		readSFDP: {address: true, dummy: 1, most: anyLength, out: func(c *chip, n int) byte {
			table := c.part.sfdp()
			return table[(c.now.address+n)%len(table)]
		}},
		powerDown:   {run: func(c *chip) { c.down = true }},
		enableReset: {busy: true, run: func(c *chip) { c.armed = true }},
		reset:       {busy: true, run: (*chip).softReset},
	}
}

// Select begins with an instruction's code.
func (c *chip) Select() { c.now = selection{} }

// Exchange takes an instruction, byte by byte.
func (c *chip) Exchange(tx, rx []byte, bits int) {
	s := &c.now
	for i, b := range tx {
		if s.bytes > 0 && s.known == nil {
			return
		}
		if s.known != nil && s.known.out != nil && s.bytes > s.known.before() {
			if s.code == readData || s.code == fastRead { // much of it, at once
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
func (c *chip) take(b byte) {
	s := &c.now
	switch {
	case s.bytes == 0:
		s.code, s.known = b, c.understand(b)
	case s.known.address && s.bytes <= 3:
		s.address = (s.address<<8 | int(b)) % c.part.size
	case s.bytes <= s.known.before():
	case s.code == pageProgram: // what does not fit into the page begins it anew
		at := (s.address + s.data()) % pageSize
		s.page[at], s.used[at] = b, true
	case s.data() < len(s.value):
		s.value[s.data()] = b
	}
}

// understand is the instruction of a code, nil if it is ignored now.
func (c *chip) understand(code uint8) *instruction {
	i := c.knows[code]
	switch {
	case i == nil, c.env.Clock.Now() < c.awake:
	case c.busy != nil && !i.busy:
	case c.down && code != releasePowerDown:
	default:
		return i
	}
	return nil
}

// Deselect carries out the instruction, if all of it has come and no more.
func (c *chip) Deselect() {
	s := &c.now
	i := s.known
	if i == nil || s.odd {
		return
	}
	armed := c.armed
	if s.code != reset {
		c.armed = false
	}
	switch {
	case i.run == nil:
	case s.code == reset && !armed:
	case s.code == releasePowerDown: // with or without reading the identification
		i.run(c)
	case s.bytes < 1+i.before()+i.least || s.bytes > 1+i.before()+i.most:
	case i.writes && !c.wel:
	default:
		i.run(c)
	}
}

// cell is the n-th byte of a read.
func (c *chip) cell(n int) byte { return c.array.at((c.now.address + n) % c.part.size) }

// register is a status register as it is read.
func (c *chip) register(n int) uint8 {
	v := c.status[n]
	if n == 0 && c.busy != nil {
		v |= busy
	}
	if n == 0 && c.wel {
		v |= wel
	}
	return v
}

// writeStatus writes one status register, or the first two (section 8.2.5).
func (c *chip) writeStatus(first int) {
	volatile := c.volatile && !c.wel
	if c.volatile = false; !c.wel && !volatile || c.status[1]&srl != 0 {
		return
	}
	next := c.status
	for i := range c.now.data() {
		n := first + i
		next[n] = next[n]&^writable[n] | c.now.value[i]&writable[n]
	}
	next[1] |= c.kept[1] & lb // can only be set
	if volatile {
		c.status = next
		return
	}
	c.begin(&work{status: next, time: statusTime})
}

// release ends power-down.
func (c *chip) release() {
	if c.down {
		c.down = false
		c.awake = c.env.Clock.Now().Add(releaseTime)
	}
}

// softReset is as power-on, but that what is under way is torn, as when power is lost.
func (c *chip) softReset() {
	c.tear()
	c.reset()
	c.awake = c.env.Clock.Now().Add(resetTime)
}

// reset is the state after power-on and a reset. SRL ends with the supply (section 7.1.5);
// as a reset does not end that, it is kept where only reset comes.
func (c *chip) reset() {
	lock := c.status[1] & srl
	c.status = c.kept
	c.status[1] |= lock
	c.wel, c.volatile, c.down, c.armed, c.now = false, false, false, false, selection{}
}

// Power tears what is under way, and keeps the cells and the non-volatile status.
func (c *chip) Power(on bool) {
	if !on {
		c.tear()
		c.now = selection{}
		return
	}
	c.status = [3]uint8{}
	c.reset()
	c.awake, c.writable = c.env.Clock.Now().Add(powerUpRead), c.env.Clock.Now().Add(powerUpWrite)
	c.count(&c.programs, "programs", 0)
	c.count(&c.erases, "erases", 0)
}

func (c *chip) count(n *int, property string, v int) {
	if *n != v {
		*n = v
		c.env.Changed(property, periph.Num(float64(v)))
	}
}

// Get is how often the cells have been programmed or erased.
func (c *chip) Get(property string) periph.Value {
	if property == "programs" {
		return periph.Num(float64(c.programs))
	}
	return periph.Num(float64(c.erases))
}

// Set is never called: nothing can be set.
func (c *chip) Set(string, periph.Value) error { return nil }

// Close lets what is under way end: the end of the run is no loss of power.
func (c *chip) Close() error {
	if c.busy.Stop() {
		c.finish()
	}
	if err := c.array.close(); err != nil {
		return err
	}
	return c.unsaved
}
