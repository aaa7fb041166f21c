// Package pca9685 models the PCA9685, a PWM controller on I2C.
package pca9685

import (
	"fmt"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus"
)

// Model is the LED and servo controller of NXP's data sheet revision 4. Duty
// is the part of a cycle in which a channel is on, before INVRT and the output
// stage. It answers at its own address only, not at the all-call, sub-call and
// software-reset addresses, and nothing is wired to EXTCLK.
var Model = &periph.Model{
	Name:       "pca9685",
	Title:      "NXP PCA9685 16-channel PWM controller",
	Source:     "NXP PCA9685 rev. 4, 16 April 2015",
	On:         []*periph.Mount{i2c.At(append(i2c.Addresses(0x40, 0x6f), i2c.Addresses(0x71, 0x77)...)...)}, // 0x70 is all-call, 0x78 and up are the bus's
	Properties: properties,
	Node: func(*periph.Options) periph.Node {
		return periph.Node{
			Name:       "pwm",
			Compatible: []string{"nxp,pca9685-pwm"},
			Properties: []periph.NodeProperty{{Name: "#pwm-cells", Value: uint32(2)}},
		}
	},
	Kernel: []string{"CONFIG_PWM", "CONFIG_PWM_PCA9685"},
	New: func(env *periph.Env, _ *periph.Options) (periph.Chip, error) {
		return &chip{clock: env.Clock, changed: env.Changed}, nil
	},
}

// Registers (section 7.3, table 4).
const (
	mode1      = 0x00
	mode2      = 0x01
	subAdr1    = 0x02
	subAdr2    = 0x03
	subAdr3    = 0x04
	allCallAdr = 0x05
	led0       = 0x06 // four registers a channel: ON_L, ON_H, OFF_L, OFF_H
	ledEnd     = 0x46
	allLED     = 0xfa // the same four for all channels, reading 0
	preScale   = 0xfe
	testMode   = 0xff
)

// Bits of MODE1 and MODE2 (tables 5 and 6), and bit 4 of LEDn_ON_H and LEDn_OFF_H.
const (
	restart = 1 << 7
	extClk  = 1 << 6
	ai      = 1 << 5
	sleep   = 1 << 4
	allCall = 1 << 0

	mode2Mask = 0x1f
	och       = 1 << 3
	outDrv    = 1 << 2

	full = 1 << 4
)

const (
	channels    = 16
	steps       = 4096
	oscillator  = 25e6 // Hz
	preScaleMin = 3    // the hardware forces it
	wake        = 500 * time.Microsecond
)

// properties are the frequency and then the duties of the channels.
var properties = func() []periph.Spec {
	specs := []periph.Spec{{
		Name: "frequency", Kind: periph.Number, Unit: "Hz", ReadOnly: true,
		Default: periph.Num(frequency(0x1e)), Doc: "of the PWM cycle, 0 without a clock or power",
	}}
	for n := range channels {
		specs = append(specs, periph.Spec{
			Name: fmt.Sprintf("duty%d", n), Kind: periph.Number, Max: 1, ReadOnly: true,
			Doc: fmt.Sprintf("part of the cycle in which LED%d is on", n),
		})
	}
	return specs
}()

func frequency(prescale byte) float64 {
	return oscillator / steps / (float64(prescale) + 1)
}

type chip struct {
	clock   simbus.Clock
	changed func(string, periph.Value)
	powered bool
	regs    [256]byte
	pointer uint8
	woken   simbus.Time // when SLEEP was cleared
	shown   [channels + 1]float64
}

// Power resets all registers (section 7.3, tables 4 to 8): outputs are off, and
// the oscillator sleeps. Without power nothing is put out.
func (c *chip) Power(on bool) {
	if c.powered = on; on {
		c.reset()
	}
	c.publish()
}

func (c *chip) reset() {
	c.pointer, c.woken = 0, 0
	c.regs = [256]byte{
		mode1: sleep | allCall, mode2: outDrv,
		subAdr1: 0xe2, subAdr2: 0xe4, subAdr3: 0xe8, allCallAdr: 0xe0,
		preScale: 0x1e,
	}
	for r := led0; r < ledEnd; r += 4 {
		c.regs[r+3] = full
	}
}

// Transfer reads and writes registers from the one that the first written byte
// selects. The outputs change at the STOP; with OCH set they would at the last
// acknowledge, which is the same instant here.
func (c *chip) Transfer(msgs []i2c.Msg) error {
	var written [channels]byte // registers of each channel, one bit each
	var err error
	for i := 0; i < len(msgs) && err == nil; i++ {
		err = c.message(msgs[i], &written)
	}
	c.stop(&written)
	c.publish()
	return err
}

// message carries out one message. The address of a reserved register is not
// acknowledged (section 7.3, table 4, its last row).
func (c *chip) message(m i2c.Msg, written *[channels]byte) error {
	if m.Read {
		for i := range m.Data {
			m.Data[i] = c.read()
			c.advance()
		}
		return nil
	}
	for i, b := range m.Data {
		switch {
		case i > 0:
			c.write(b, written)
			c.advance()
		case b >= ledEnd && b < allLED:
			return i2c.ErrNoAck
		default:
			c.pointer = b
		}
	}
	return nil
}

func (c *chip) read() byte {
	if c.pointer >= allLED && c.pointer < preScale {
		return 0
	}
	return c.regs[c.pointer]
}

// advance moves the pointer under auto-increment: from the last LED register
// and from PRE_SCALE on to MODE1.
func (c *chip) advance() {
	if c.regs[mode1]&ai == 0 {
		return
	}
	if c.pointer++; c.pointer == ledEnd || c.pointer == testMode {
		c.pointer = mode1
	}
}

func (c *chip) write(b byte, written *[channels]byte) {
	switch r := c.pointer; {
	case r == mode1:
		c.writeMode1(b)
	case r == mode2:
		c.regs[r] = b & mode2Mask
	case r <= allCallAdr:
		c.regs[r] = b &^ 1
	case r < ledEnd:
		c.writeLED(int(r-led0), b, written)
	case r >= allLED && r < preScale:
		for n := range channels {
			c.writeLED(n*4+int(r-allLED), b, written)
		}
	case r == preScale && c.regs[mode1]&sleep != 0:
		c.regs[r] = max(b, preScaleMin)
	}
}

// writeMode1 follows section 7.3.1: RESTART is set by putting running channels
// to sleep, cleared by writing 1 to it once the oscillator runs, and otherwise
// stays. EXTCLK can be set only in sleep, and then stays until power-off.
func (c *chip) writeMode1(b byte) {
	old := c.regs[mode1]
	restarts := old & restart
	asleep, sleep := old&sleep != 0, b&sleep != 0
	switch {
	case !asleep && sleep && c.running():
		restarts = restart
	case asleep && !sleep:
		c.woken = c.clock.Now()
	case !asleep && !sleep && b&restart != 0 && c.clock.Now() >= c.woken.Add(wake):
		restarts = 0
	}
	external := old & extClk
	if asleep {
		external |= b & extClk
	}
	c.regs[mode1] = b&^(restart|extClk) | restarts | external
}

func (c *chip) writeLED(i int, b byte, written *[channels]byte) {
	if i&1 != 0 {
		b &= 0x1f
	}
	c.regs[led0+i] = b
	written[i/4] |= 1 << (i % 4)
}

// stop clears RESTART after a transaction that wrote a PWM register (one, or
// with OCH set all four of a channel).
func (c *chip) stop(written *[channels]byte) {
	for _, w := range written {
		if w == 0xf || w != 0 && c.regs[mode2]&och == 0 {
			c.regs[mode1] &^= restart
		}
	}
}

// running tells whether any channel has not been shut down.
func (c *chip) running() bool {
	for r := led0; r < ledEnd; r += 4 {
		if c.regs[r+3]&full == 0 {
			return true
		}
	}
	return false
}

// value is that of the i-th property.
func (c *chip) value(i int) float64 {
	if !c.powered {
		return 0
	}
	mode := c.regs[mode1]
	if i == 0 {
		if mode&extClk != 0 {
			return 0
		}
		return frequency(c.regs[preScale])
	}
	led := c.regs[led0+4*(i-1):]
	switch {
	case mode&(sleep|restart|extClk) != 0, led[3]&full != 0:
		return 0
	case led[1]&full != 0:
		return 1
	}
	on, off := int(led[0])|int(led[1]&0xf)<<8, int(led[2])|int(led[3]&0xf)<<8
	return float64((off-on+steps)%steps) / steps
}

func (c *chip) publish() {
	for i, spec := range properties {
		if v := c.value(i); v != c.shown[i] {
			c.shown[i] = v
			c.changed(spec.Name, periph.Num(v))
		}
	}
}

func (c *chip) Get(property string) periph.Value {
	for i, spec := range properties {
		if spec.Name == property {
			return periph.Num(c.value(i))
		}
	}
	return periph.Value{}
}

func (c *chip) Set(property string, _ periph.Value) error {
	return fmt.Errorf("%s is what the guest programmed: it cannot be set", property)
}

func (c *chip) Close() error { return nil }
