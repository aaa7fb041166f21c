// Package mcp23017 models the MCP23017, an expander of 16 lines on I2C.
package mcp23017

import (
	"fmt"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus/wire"
)

// Model is Microchip's 16-bit I/O expander. Its lines are lines like those of a GPIO
// controller: other parts can be soldered to them, and have their interrupts there.
var Model = &periph.Model{
	Name:   "mcp23017",
	Title:  "Microchip MCP23017 16-bit I/O expander",
	Source: "Microchip DS20001952C, 2016",
	On:     []*periph.Mount{i2c.AtRange(0x20, 0x27)},
	Pins: append(pins(),
		periph.PinSpec{Name: "inta", Output: true, Doc: "INTA: an input of port A has changed, or of port B if the two are mirrored"},
		periph.PinSpec{Name: "intb", Output: true, Doc: "INTB: an input of port B has changed, or of port A if the two are mirrored"},
		periph.PinSpec{Name: "reset", Doc: "RESET: low is the power-on state; unconnected it is high"}),
	Lines: lines(),
	Options: []periph.Spec{{Name: "mirror", Kind: periph.Switch, Default: periph.On(true),
		Doc: "INTA and INTB each report both ports (microchip,irq-mirror)"}},
	Node: func(o *periph.Options) periph.Node {
		return periph.Node{Name: "gpio", Compatible: []string{"microchip,mcp23017"}, Interrupt: "inta", InterruptType: 8, // level low
			Properties: []periph.NodeProperty{{Name: "gpio-controller", Value: true}, {Name: "#gpio-cells", Value: uint32(2)},
				{Name: "interrupt-controller", Value: true}, {Name: "#interrupt-cells", Value: uint32(2)},
				{Name: "microchip,irq-mirror", Value: o.Get("mirror").Bool()},
				{Name: "reset-gpios", Value: periph.PinRef{Pin: "reset", Flags: 1}}}} // active low
	},
	Kernel: []string{"CONFIG_GPIOLIB", "CONFIG_PINCTRL", "CONFIG_PINCTRL_MCP23S08"},
	New: func(env *periph.Env, _ *periph.Options) (periph.Chip, error) {
		c := &chip{reset: env.Pin("reset"), int: [2]*wire.Pin{env.Pin("inta"), env.Pin("intb")}}
		for i, name := range lines() {
			c.pins[i] = env.Pin(name)
			c.pins[i].Watch(func(wire.Level) { c.sense() })
		}
		c.reset.Watch(func(wire.Level) { c.clear() })
		c.clear()
		return c, nil
	},
}

func lines() (names []string) {
	for _, port := range "ab" {
		for i := range 8 {
			names = append(names, fmt.Sprintf("gp%c%d", port, i))
		}
	}
	return names
}

func pins() (pins []periph.PinSpec) {
	for _, name := range lines() {
		pins = append(pins, periph.PinSpec{Name: name, Doc: "input or output, as the guest configured it"})
	}
	return pins
}

// The registers of each port (table 3-1), as they follow one another in a bank.
const (
	iodir = iota // 1 is an input
	ipol
	gpinten
	defval
	intcon // 1 compares with DEFVAL, 0 with what was before
	iocon  // one for both ports
	gppu
	intf
	intcap
	gpio
	olat
	registers
)

// Bits of IOCON (register 3-6).
const (
	bank   = 1 << 7 // the ports' registers are apart
	mirror = 1 << 6
	seqOp  = 1 << 5 // the address does not count up
	odr    = 1 << 2 // INT is open-drain
	intPol = 1 << 1 // INT is active high
	bits   = 0xfe
)

type chip struct {
	pins    [16]*wire.Pin
	int     [2]*wire.Pin
	reset   *wire.Pin
	powered bool

	port    [2][registers]uint8 // IOCON is that of port A
	address uint8
	level   uint16 // of the pins, when they were last looked at
}

// works tells whether the part has power and is not held in reset.
func (c *chip) works() bool { return c.powered && c.reset.Level() == wire.High }

// clear is the power-on state (table 3-5).
func (c *chip) clear() {
	c.port, c.address = [2][registers]uint8{}, 0
	c.port[0][iodir], c.port[1][iodir] = 0xff, 0xff
	c.drive()
	c.level = c.levels()
}

// drive does to the pins what the registers say.
func (c *chip) drive() {
	for i, pin := range c.pins {
		p, bit := &c.port[i/8], uint8(1)<<(i%8)
		switch {
		case !c.works():
			pin.Drive(wire.Float)
		case p[iodir]&bit == 0:
			pin.Drive(wire.Level(p[olat]&bit != 0).Strong())
		case p[gppu]&bit != 0:
			pin.Drive(wire.PullUp)
		default:
			pin.Drive(wire.Float)
		}
	}
	c.interrupt()
}

// interrupt drives INTA and INTB.
func (c *chip) interrupt() {
	con := c.port[0][iocon]
	for i, pin := range c.int {
		active := c.port[i][intf] != 0 || con&mirror != 0 && c.port[1-i][intf] != 0
		switch {
		case !c.works():
			pin.Drive(wire.Float)
		case con&odr != 0: // with the pull-up that no board file has to mention
			pin.Drive(wire.OpenDrain(true, active))
		default:
			pin.Drive(wire.Level(active == (con&intPol != 0)).Strong())
		}
	}
}

// levels are those of the pins.
func (c *chip) levels() (all uint16) {
	for i, pin := range c.pins {
		if pin.Level() == wire.High {
			all |= 1 << i
		}
	}
	return all
}

// sense looks for what the pins have to interrupt for (section 3.6).
func (c *chip) sense() {
	now := c.levels()
	changed := now ^ c.level
	c.level = now
	if !c.works() {
		return
	}
	for i := range c.port {
		p, levels := &c.port[i], uint8(now>>(8*i))^c.port[i][ipol]
		if p[intf] != 0 {
			continue // until that is cleared by reading INTCAP or GPIO
		}
		differs := levels ^ p[defval]
		cause := p[gpinten] & (p[intcon]&differs | ^p[intcon]&uint8(changed>>(8*i)))
		if cause != 0 {
			p[intf], p[intcap] = cause, levels
		}
	}
	c.interrupt()
}

// register is what an address leads to: a register of a port. There is none at some of
// the addresses in between.
func (c *chip) register(address uint8) (port, register int, ok bool) {
	if c.port[0][iocon]&bank != 0 {
		port, register = int(address>>4), int(address&0x0f)
	} else {
		port, register = int(address&1), int(address>>1)
	}
	return port, register, port < 2 && register < registers
}

// step is the address after a byte (section 3.2.1): the next one, from the last back to
// the first; or, if it does not count up, the other of a pair of registers.
func (c *chip) step() {
	con := c.port[0][iocon]
	switch {
	case con&seqOp != 0 && con&bank == 0:
		c.address ^= 1
	case con&seqOp != 0:
	default:
		last := uint8(2*registers - 1)
		if con&bank != 0 {
			last = 0x10 + registers - 1
		}
		if c.address++; c.address > last {
			c.address = 0
		}
	}
}

// Transfer takes an address and bytes that are written, or gives bytes from the address.
func (c *chip) Transfer(msgs []i2c.Msg) error {
	if !c.works() {
		return i2c.ErrNoAck
	}
	for _, m := range msgs {
		for i, b := range m.Data {
			switch {
			case m.Read:
				m.Data[i] = c.read()
				c.step()
			case i == 0:
				c.address = b
			default:
				c.write(b)
				c.step()
			}
		}
	}
	return nil
}

func (c *chip) read() uint8 {
	i, r, ok := c.register(c.address)
	if !ok {
		return 0
	}
	p := &c.port[i]
	switch r {
	case iocon:
		return c.port[0][iocon]
	case gpio:
		levels := uint8(c.levels()>>(8*i)) ^ p[ipol]
		c.acknowledge(i)
		return levels
	case intcap:
		captured := p[intcap]
		c.acknowledge(i)
		return captured
	}
	return p[r]
}

// acknowledge ends a port's interrupt; where pins still differ from DEFVAL, the next begins.
func (c *chip) acknowledge(i int) {
	c.port[i][intf] = 0
	c.interrupt()
	c.sense()
}

func (c *chip) write(b uint8) {
	i, r, ok := c.register(c.address)
	if !ok {
		return
	}
	switch r {
	case iocon:
		c.port[0][iocon] = b & bits
	case gpio: // writes the latch
		c.port[i][olat] = b
	case intf, intcap: // read only
		return
	default:
		c.port[i][r] = b
	}
	c.drive()
	c.sense()
}

// Power also switches the pull-up of RESET.
func (c *chip) Power(on bool) {
	c.powered = on
	if on {
		c.reset.Drive(wire.PullUp)
	} else {
		c.reset.Drive(wire.Float)
	}
	c.clear()
}

func (c *chip) Get(string) periph.Value { return periph.Value{} }

func (c *chip) Set(property string, _ periph.Value) error {
	return fmt.Errorf("there is no property %s", property)
}

func (c *chip) Close() error { return nil }
