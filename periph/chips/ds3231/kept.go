package ds3231

import (
	"encoding/binary"
	"time"
)

// What the battery keeps between two runs is in a file: how the chip was at one moment, and
// when that was. Numbers are little-endian. As long as nothing is kept all is 0, which no
// clock has for a day of the week.
const (
	keptRegisters = 0    // as they are read
	keptStopped   = size // 1: the oscillator has stopped
	keptSubsecond = 20   // u32: of the time that they show, in ns
	keptAt        = 24   // s64: the appliance's time, in ns since 1970
	keptSize      = 32
)

// world is the appliance's time.
func (c *chip) world() time.Time {
	return c.env.Epoch.Add(time.Duration(c.env.Clock.Now()))
}

// restore takes what was kept. As much time has passed for the clock as from then to the
// start of this run; none if that comes before, as with runs in virtual time that begin at
// the same time each.
func (c *chip) restore(kept []byte) {
	r := [size]byte(kept[keptRegisters:])
	if r[day] == 0 {
		return
	}
	le := binary.LittleEndian
	copy(c.alarms[:], r[alarm1:])
	c.control, c.status, c.aging = r[control], r[status], r[aging]
	c.setFrom(&r, int(le.Uint32(kept[keptSubsecond:])))
	if c.stopped = kept[keptStopped] != 0; c.stopped {
		return
	}
	if c.control&eosc != 0 { // the program ended before it could say so
		c.stop()
		return
	}
	if passed := c.world().Sub(time.Unix(0, int64(le.Uint64(kept[keptAt:])))); passed > 0 {
		shown := c.base
		c.move(shown.Add(c.ran(passed)))
		c.looked = shown
		c.catchUp()
	}
}

// save puts what the battery keeps into the file.
func (c *chip) save() {
	if c.file == nil {
		return
	}
	var kept [keptSize]byte
	r, le := c.registers(), binary.LittleEndian
	copy(kept[keptRegisters:], r[:])
	if c.stopped {
		kept[keptStopped] = 1
	}
	le.PutUint32(kept[keptSubsecond:], uint32(c.now().Nanosecond()))
	le.PutUint64(kept[keptAt:], uint64(c.world().UnixNano()))
	_, c.unsaved = c.file.WriteAt(kept[:], 0)
}
