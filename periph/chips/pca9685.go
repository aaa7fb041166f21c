package chips

import (
	"fmt"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus"
)

// pca9685 is the LED and servo controller of NXP's data sheet revision 4. Duty
// is the part of a cycle in which a channel is on, before INVRT and the output
// stage. It answers at its own address only, not at the all-call, sub-call and
// software-reset addresses, and nothing is wired to EXTCLK.
var pca9685 = &periph.Model{
	Name:       "pca9685",
	Title:      "NXP PCA9685 16-channel PWM controller",
	Source:     "NXP PCA9685 rev. 4, 16 April 2015",
	On:         []*periph.Mount{i2c.At(append(addresses(0x40, 0x6f), addresses(0x71, 0x77)...)...)}, // 0x70 is all-call, 0x78 and up are the bus's
	Properties: pca9685Properties,
	Node: func(*periph.Options) periph.Node {
		return periph.Node{
			Name:       "pwm",
			Compatible: []string{"nxp,pca9685-pwm"},
			Properties: []periph.NodeProperty{{Name: "#pwm-cells", Value: uint32(2)}},
		}
	},
	Kernel: []string{"CONFIG_PWM", "CONFIG_PWM_PCA9685"},
	New: func(env *periph.Env, _ *periph.Options) (periph.Chip, error) {
		return &pca9685Chip{clock: env.Clock, changed: env.Changed}, nil
	},
}

// Registers (section 7.3, table 4).
const (
	pca9685Mode1      = 0x00
	pca9685Mode2      = 0x01
	pca9685SubAdr1    = 0x02
	pca9685SubAdr2    = 0x03
	pca9685SubAdr3    = 0x04
	pca9685AllCallAdr = 0x05
	pca9685LED0       = 0x06 // four registers a channel: ON_L, ON_H, OFF_L, OFF_H
	pca9685LEDEnd     = 0x46
	pca9685AllLED     = 0xfa // the same four for all channels, reading 0
	pca9685PreScale   = 0xfe
	pca9685TestMode   = 0xff
)

// Bits of MODE1 and MODE2 (tables 5 and 6), and bit 4 of LEDn_ON_H and LEDn_OFF_H.
const (
	pca9685Restart = 1 << 7
	pca9685ExtClk  = 1 << 6
	pca9685AI      = 1 << 5
	pca9685Sleep   = 1 << 4
	pca9685AllCall = 1 << 0

	pca9685Mode2Mask = 0x1f
	pca9685OCH       = 1 << 3
	pca9685OutDrv    = 1 << 2

	pca9685Full = 1 << 4
)

const (
	pca9685Channels    = 16
	pca9685Steps       = 4096
	pca9685Oscillator  = 25e6 // Hz
	pca9685PreScaleMin = 3    // the hardware forces it
	pca9685Wake        = 500 * time.Microsecond
)

// pca9685Properties are the frequency and then the duties of the channels.
var pca9685Properties = func() []periph.Spec {
	specs := []periph.Spec{{
		Name: "frequency", Kind: periph.Number, Unit: "Hz", ReadOnly: true,
		Default: periph.Num(pca9685Frequency(0x1e)), Doc: "of the PWM cycle, 0 without a clock or power",
	}}
	for n := range pca9685Channels {
		specs = append(specs, periph.Spec{
			Name: fmt.Sprintf("duty%d", n), Kind: periph.Number, Max: 1, ReadOnly: true,
			Doc: fmt.Sprintf("part of the cycle in which LED%d is on", n),
		})
	}
	return specs
}()

func pca9685Frequency(prescale byte) float64 {
	return pca9685Oscillator / pca9685Steps / (float64(prescale) + 1)
}

type pca9685Chip struct {
	clock   simbus.Clock
	changed func(string, periph.Value)
	powered bool
	regs    [256]byte
	pointer uint8
	woken   simbus.Time // when SLEEP was cleared
	shown   [pca9685Channels + 1]float64
}

// Power resets all registers (section 7.3, tables 4 to 8): outputs are off, and
// the oscillator sleeps. Without power nothing is put out.
func (c *pca9685Chip) Power(on bool) {
	if c.powered = on; on {
		c.reset()
	}
	c.publish()
}

func (c *pca9685Chip) reset() {
	c.pointer, c.woken = 0, 0
	c.regs = [256]byte{
		pca9685Mode1: pca9685Sleep | pca9685AllCall, pca9685Mode2: pca9685OutDrv,
		pca9685SubAdr1: 0xe2, pca9685SubAdr2: 0xe4, pca9685SubAdr3: 0xe8, pca9685AllCallAdr: 0xe0,
		pca9685PreScale: 0x1e,
	}
	for r := pca9685LED0; r < pca9685LEDEnd; r += 4 {
		c.regs[r+3] = pca9685Full
	}
}

// Transfer reads and writes registers from the one that the first written byte
// selects. The outputs change at the STOP; with OCH set they would at the last
// acknowledge, which is the same instant here.
func (c *pca9685Chip) Transfer(msgs []i2c.Msg) error {
	var written [pca9685Channels]byte // registers of each channel, one bit each
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
func (c *pca9685Chip) message(m i2c.Msg, written *[pca9685Channels]byte) error {
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
		case b >= pca9685LEDEnd && b < pca9685AllLED:
			return i2c.ErrNoAck
		default:
			c.pointer = b
		}
	}
	return nil
}

func (c *pca9685Chip) read() byte {
	if c.pointer >= pca9685AllLED && c.pointer < pca9685PreScale {
		return 0
	}
	return c.regs[c.pointer]
}

// advance moves the pointer under auto-increment: from the last LED register
// and from PRE_SCALE on to MODE1.
func (c *pca9685Chip) advance() {
	if c.regs[pca9685Mode1]&pca9685AI == 0 {
		return
	}
	if c.pointer++; c.pointer == pca9685LEDEnd || c.pointer == pca9685TestMode {
		c.pointer = pca9685Mode1
	}
}

func (c *pca9685Chip) write(b byte, written *[pca9685Channels]byte) {
	switch r := c.pointer; {
	case r == pca9685Mode1:
		c.writeMode1(b)
	case r == pca9685Mode2:
		c.regs[r] = b & pca9685Mode2Mask
	case r <= pca9685AllCallAdr:
		c.regs[r] = b &^ 1
	case r < pca9685LEDEnd:
		c.writeLED(int(r-pca9685LED0), b, written)
	case r >= pca9685AllLED && r < pca9685PreScale:
		for n := range pca9685Channels {
			c.writeLED(n*4+int(r-pca9685AllLED), b, written)
		}
	case r == pca9685PreScale && c.regs[pca9685Mode1]&pca9685Sleep != 0:
		c.regs[r] = max(b, pca9685PreScaleMin)
	}
}

// writeMode1 follows section 7.3.1: RESTART is set by putting running channels
// to sleep, cleared by writing 1 to it once the oscillator runs, and otherwise
// stays. EXTCLK can be set only in sleep, and then stays until power-off.
func (c *pca9685Chip) writeMode1(b byte) {
	old := c.regs[pca9685Mode1]
	restart := old & pca9685Restart
	asleep, sleep := old&pca9685Sleep != 0, b&pca9685Sleep != 0
	switch {
	case !asleep && sleep && c.running():
		restart = pca9685Restart
	case asleep && !sleep:
		c.woken = c.clock.Now()
	case !asleep && !sleep && b&pca9685Restart != 0 && c.clock.Now() >= c.woken.Add(pca9685Wake):
		restart = 0
	}
	external := old & pca9685ExtClk
	if asleep {
		external |= b & pca9685ExtClk
	}
	c.regs[pca9685Mode1] = b&^(pca9685Restart|pca9685ExtClk) | restart | external
}

func (c *pca9685Chip) writeLED(i int, b byte, written *[pca9685Channels]byte) {
	if i&1 != 0 {
		b &= 0x1f
	}
	c.regs[pca9685LED0+i] = b
	written[i/4] |= 1 << (i % 4)
}

// stop clears RESTART after a transaction that wrote a PWM register (one, or
// with OCH set all four of a channel).
func (c *pca9685Chip) stop(written *[pca9685Channels]byte) {
	for _, w := range written {
		if w == 0xf || w != 0 && c.regs[pca9685Mode2]&pca9685OCH == 0 {
			c.regs[pca9685Mode1] &^= pca9685Restart
		}
	}
}

// running tells whether any channel has not been shut down.
func (c *pca9685Chip) running() bool {
	for r := pca9685LED0; r < pca9685LEDEnd; r += 4 {
		if c.regs[r+3]&pca9685Full == 0 {
			return true
		}
	}
	return false
}

// value is that of the i-th property.
func (c *pca9685Chip) value(i int) float64 {
	if !c.powered {
		return 0
	}
	mode := c.regs[pca9685Mode1]
	if i == 0 {
		if mode&pca9685ExtClk != 0 {
			return 0
		}
		return pca9685Frequency(c.regs[pca9685PreScale])
	}
	led := c.regs[pca9685LED0+4*(i-1):]
	switch {
	case mode&(pca9685Sleep|pca9685Restart|pca9685ExtClk) != 0, led[3]&pca9685Full != 0:
		return 0
	case led[1]&pca9685Full != 0:
		return 1
	}
	on, off := int(led[0])|int(led[1]&0xf)<<8, int(led[2])|int(led[3]&0xf)<<8
	return float64((off-on+pca9685Steps)%pca9685Steps) / pca9685Steps
}

func (c *pca9685Chip) publish() {
	for i, spec := range pca9685Properties {
		if v := c.value(i); v != c.shown[i] {
			c.shown[i] = v
			c.changed(spec.Name, periph.Num(v))
		}
	}
}

func (c *pca9685Chip) Get(property string) periph.Value {
	for i, spec := range pca9685Properties {
		if spec.Name == property {
			return periph.Num(c.value(i))
		}
	}
	return periph.Value{}
}

func (c *pca9685Chip) Set(property string, _ periph.Value) error {
	return fmt.Errorf("%s is what the guest programmed: it cannot be set", property)
}

func (c *pca9685Chip) Close() error { return nil }
