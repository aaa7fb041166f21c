package w25n

import (
	"backplane/periph"
	"backplane/simbus"
)

// chip is one flash.
type chip struct {
	env       *periph.Env
	array     array
	registers [3]uint8 // without what busy and wel say
	unique    [16]byte
	buffer    page
	wel       bool
	awake     simbus.Time
	writable  simbus.Time // before these it takes no instructions, or none that write

	now  selection
	work *work
	busy *simbus.Timer

	programs, erases, corrected, lost int
}

// selection is what came since the chip was selected.
type selection struct {
	code    uint8
	known   *instruction // nil: what comes is ignored
	bytes   int
	odd     bool // it did not end with a whole byte
	address int
	value   uint8 // data of a register
}

// data is how many bytes of data have come, or gone.
func (s *selection) data() int { return max(0, s.bytes-1-s.known.before()) }

// column is where in a page the data begin: of their address 12 bits count.
func (s *selection) column() int { return s.address & 0xfff }

// instruction is what follows an instruction's code, and what it does.
type instruction struct {
	first   int  // bytes that say nothing
	address int  // bytes of it
	dummy   int  // bytes after that
	busy    bool // it is taken while the chip is busy
	writes  bool // it needs the write-enable latch
	data    bool // at least one byte comes
	out     func(c *chip, n int) byte
	in      func(c *chip, n int, v byte)
	run     func(c *chip) // when the chip is released after the last byte
}

func (i *instruction) before() int { return i.first + i.address + i.dummy }

var instructions = func() map[uint8]*instruction {
	get := &instruction{address: 1, busy: true, out: func(c *chip, _ int) byte { return c.register(c.now.address) }}
	set := &instruction{address: 1, data: true, in: func(c *chip, _ int, v byte) { c.now.value = v }, run: (*chip).setRegister}
	read := &instruction{address: 2, dummy: 1, out: func(c *chip, n int) byte { return c.cached(c.now.column() + n) }}
	fill := func(c *chip, n int, v byte) {
		if at := c.now.column() + n; at < pageSize {
			c.buffer[at] = v
		}
	}
	return map[uint8]*instruction{
		reset: {busy: true, run: (*chip).reset},
		jedec: {first: 1, busy: true, out: func(_ *chip, n int) byte {
			return [3]byte{winbond, deviceHigh, deviceLow}[n%3]
		}},
		readStatus: get, readStatus2: get, writeStatus: set, writeStatus2: set,
		writeEnable:  {run: func(c *chip) { c.wel = c.env.Clock.Now() >= c.writable }},
		writeDisable: {run: func(c *chip) { c.wel = false }},
		blockErase:   {first: 1, address: 2, writes: true, run: (*chip).erase},
		load: {address: 2, writes: true, data: true, in: func(c *chip, n int, v byte) {
			if n == 0 {
				c.buffer = erased
			}
			fill(c, n, v)
		}},
		randomLoad:  {address: 2, writes: true, data: true, in: fill},
		programPage: {first: 1, address: 2, writes: true, run: (*chip).program},
		pageRead:    {first: 1, address: 2, run: (*chip).read},
		readData:    read, fastRead: read,
	}
}()

// Select begins with an instruction's code.
func (c *chip) Select() { c.now = selection{} }

// Exchange takes an instruction, byte by byte.
func (c *chip) Exchange(tx, rx []byte, bits int) {
	s := &c.now
	for i, b := range tx {
		switch {
		case s.bytes == 0:
			s.code, s.known = b, c.understand(b)
		case s.known == nil:
			return
		case s.bytes <= s.known.first:
		case s.bytes <= s.known.first+s.known.address:
			s.address = s.address<<8 | int(b)
		case s.bytes <= s.known.before():
		case s.known.out != nil:
			rx[i] = s.known.out(c, s.data())
		case s.known.in != nil:
			s.known.in(c, s.data(), b)
		}
		s.bytes++
	}
	s.odd = s.odd || bits%8 != 0
}

// understand is the instruction of a code, nil if it is ignored now.
func (c *chip) understand(code uint8) *instruction {
	i := instructions[code]
	switch {
	case i == nil, c.env.Clock.Now() < c.awake, c.busy != nil && !i.busy, i.writes && !c.wel:
		return nil
	}
	return i
}

// Deselect carries out the instruction, if all of it has come.
func (c *chip) Deselect() {
	s := &c.now
	i := s.known
	if i == nil || i.run == nil || s.odd {
		return
	}
	if least := 1 + i.before(); s.bytes < least || i.data && s.bytes == least || i.out == nil && i.in == nil && s.bytes > least {
		return
	}
	i.run(c)
}

// cached is a byte of the buffer; after its end comes nothing.
func (c *chip) cached(at int) byte {
	if at < pageSize {
		return c.buffer[at]
	}
	return 0xff
}

// register is one as it is read, by its address.
func (c *chip) register(address int) uint8 {
	n := address>>4 - 0xa
	if n < protection || n > status {
		return 0
	}
	v := c.registers[n]
	if n == status && c.busy != nil {
		v |= busy
	}
	if n == status && c.wel {
		v |= wel
	}
	return v
}

// setRegister writes one. With SRP1 alone the protection register stays as it is before the next power-on.
func (c *chip) setRegister() {
	n := c.now.address>>4 - 0xa
	if n < protection || n > status || n == protection && c.registers[n]&(lockDown|lockPin) == lockDown {
		return
	}
	c.registers[n] = c.registers[n]&^writable[n] | c.now.value&writable[n]
}

// reset ends what is under way, which is torn as when power is lost. The buffer and what protects blocks stay.
func (c *chip) reset() {
	rest := resetTime
	if c.busy != nil && c.work.do == writing {
		rest = resetProgram
	}
	if c.busy != nil && c.work.do == erasing {
		rest = resetEraseTime
	}
	c.tear()
	c.wel = false
	c.registers[configuration] &^= otpAccess
	c.registers[status] = 0
	c.begin(&work{do: resting, time: rest})
}

// Power tears what is under way, and keeps the cells.
func (c *chip) Power(on bool) {
	if !on {
		c.tear()
		c.now = selection{}
		return
	}
	c.registers = [3]uint8{allBlocks, eccEnable | bufferMode, 0}
	c.wel, c.now, c.buffer = false, selection{}, erased
	c.awake, c.writable = c.env.Clock.Now().Add(powerUpRead), c.env.Clock.Now().Add(powerUpWrite)
	c.count(&c.programs, propertyPrograms, 0)
	c.count(&c.erases, propertyErases, 0)
	c.count(&c.corrected, propertyCorrected, 0)
	c.count(&c.lost, propertyLost, 0)
	c.fetch(0) // the first page is there at once
}

func (c *chip) count(n *int, property string, v int) {
	if *n != v {
		*n = v
		c.env.Changed(property, periph.Num(float64(v)))
	}
}

// Get is how often something has been done.
func (c *chip) Get(property string) periph.Value {
	return periph.Num(float64(map[string]int{propertyPrograms: c.programs, propertyErases: c.erases, propertyCorrected: c.corrected, propertyLost: c.lost}[property]))
}

// Set turns a bit of the cells over.
func (c *chip) Set(_ string, v periph.Value) error {
	number, bit, err := bitOf(v.Text())
	if err != nil {
		return err
	}
	p := c.array.read(number)
	p[bit/8] ^= 1 << (bit % 8)
	c.array.put(number, p)
	return nil
}

// Close lets what is under way end: the end of the run is no loss of power.
func (c *chip) Close() error {
	if c.busy.Stop() {
		c.finish()
	}
	return c.array.close()
}
