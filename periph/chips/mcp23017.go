package chips

import (
	"fmt"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus/wire"
)

// mcp23017 is Microchip's 16-bit I/O expander. Its lines are lines like those of a GPIO
// controller: other parts can be soldered to them, and have their interrupts there.
var mcp23017 = &periph.Model{
	Name:   "mcp23017",
	Title:  "Microchip MCP23017 16-bit I/O expander",
	Source: "Microchip DS20001952C, 2016",
	On:     []*periph.Mount{i2c.AtRange(0x20, 0x27)},
	Pins: append(mcp23017Pins(),
		periph.PinSpec{Name: "inta", Output: true, Doc: "INTA: an input of port A has changed, and of port B if the two are mirrored"},
		periph.PinSpec{Name: "intb", Output: true, Doc: "INTB: an input of port B has changed, and of port A if the two are mirrored"},
		periph.PinSpec{Name: "reset", Doc: "RESET: low is the power-on state; unconnected it is high"}),
	Lines: mcp23017Lines(),
	Options: []periph.Spec{{Name: "mirror", Kind: periph.Switch, Default: periph.On(true),
		Doc: "the kernel has INTA and INTB tell of both ports (microchip,irq-mirror)"}},
	Node: func(o *periph.Options) periph.Node {
		return periph.Node{Name: "gpio", Compatible: []string{"microchip,mcp23017"}, Interrupt: "inta", InterruptType: 8, // level low
			Properties: []periph.NodeProperty{{Name: "gpio-controller", Value: true}, {Name: "#gpio-cells", Value: uint32(2)},
				{Name: "interrupt-controller", Value: true}, {Name: "#interrupt-cells", Value: uint32(2)},
				{Name: "microchip,irq-mirror", Value: o.Get("mirror").Bool()},
				{Name: "reset-gpios", Value: periph.PinRef{Pin: "reset", Flags: 1}}}} // active low
	},
	Kernel: []string{"CONFIG_GPIOLIB", "CONFIG_PINCTRL", "CONFIG_PINCTRL_MCP23S08"},
	New: func(env *periph.Env, _ *periph.Options) (periph.Chip, error) {
		c := &mcp23017Chip{reset: env.Pin("reset"), int: [2]*wire.Pin{env.Pin("inta"), env.Pin("intb")}}
		for i, name := range mcp23017Lines() {
			c.pins[i] = env.Pin(name)
			c.pins[i].Watch(func(wire.Level) { c.sense() })
		}
		c.reset.Watch(func(wire.Level) { c.clear() })
		c.clear()
		return c, nil
	},
}

func mcp23017Lines() (names []string) {
	for _, port := range "ab" {
		for i := range 8 {
			names = append(names, fmt.Sprintf("gp%c%d", port, i))
		}
	}
	return names
}

func mcp23017Pins() (pins []periph.PinSpec) {
	for _, name := range mcp23017Lines() {
		pins = append(pins, periph.PinSpec{Name: name, Doc: "input or output, as the guest has it"})
	}
	return pins
}

// The registers of each port (table 3-1), as they follow one another in a bank.
const (
	mcpIODIR = iota // 1 is an input
	mcpIPOL
	mcpGPINTEN
	mcpDEFVAL
	mcpINTCON // 1 compares with DEFVAL, 0 with what was before
	mcpIOCON  // one for both ports
	mcpGPPU
	mcpINTF
	mcpINTCAP
	mcpGPIO
	mcpOLAT
	mcpRegisters
)

// Bits of IOCON (register 3-6).
const (
	mcpBank   = 1 << 7 // the ports' registers are apart
	mcpMirror = 1 << 6
	mcpSeqOp  = 1 << 5 // the address does not count up
	mcpODR    = 1 << 2 // INT is open-drain
	mcpIntPol = 1 << 1 // INT is active high
	mcpBits   = 0xfe
)

type mcp23017Chip struct {
	pins    [16]*wire.Pin
	int     [2]*wire.Pin
	reset   *wire.Pin
	powered bool

	port    [2][mcpRegisters]uint8 // IOCON is that of port A
	address uint8
	level   uint16 // of the pins, when they were last looked at
}

// works tells whether the part has power and is not held in reset.
func (c *mcp23017Chip) works() bool { return c.powered && c.reset.Level() == wire.High }

// clear is the power-on state (table 3-5).
func (c *mcp23017Chip) clear() {
	c.port, c.address = [2][mcpRegisters]uint8{}, 0
	c.port[0][mcpIODIR], c.port[1][mcpIODIR] = 0xff, 0xff
	c.drive()
	c.level = c.levels()
}

// drive does to the pins what the registers say.
func (c *mcp23017Chip) drive() {
	for i, pin := range c.pins {
		p, bit := &c.port[i/8], uint8(1)<<(i%8)
		switch {
		case !c.works():
			pin.Drive(wire.Float)
		case p[mcpIODIR]&bit == 0:
			pin.Drive(wire.Level(p[mcpOLAT]&bit != 0).Strong())
		case p[mcpGPPU]&bit != 0:
			pin.Drive(wire.PullUp)
		default:
			pin.Drive(wire.Float)
		}
	}
	c.interrupt()
}

// interrupt drives INTA and INTB.
func (c *mcp23017Chip) interrupt() {
	con := c.port[0][mcpIOCON]
	for i, pin := range c.int {
		active := c.port[i][mcpINTF] != 0 || con&mcpMirror != 0 && c.port[1-i][mcpINTF] != 0
		switch {
		case !c.works():
			pin.Drive(wire.Float)
		case con&mcpODR != 0: // with the pull-up that no board file has to mention
			pin.Drive(openDrain(true, active))
		default:
			pin.Drive(wire.Level(active == (con&mcpIntPol != 0)).Strong())
		}
	}
}

// levels are those of the pins.
func (c *mcp23017Chip) levels() (all uint16) {
	for i, pin := range c.pins {
		if pin.Level() == wire.High {
			all |= 1 << i
		}
	}
	return all
}

// sense looks for what the pins have to interrupt for (section 3.6).
func (c *mcp23017Chip) sense() {
	now := c.levels()
	changed := now ^ c.level
	c.level = now
	if !c.works() {
		return
	}
	for i := range c.port {
		p, levels := &c.port[i], uint8(now>>(8*i))^c.port[i][mcpIPOL]
		if p[mcpINTF] != 0 {
			continue // until that is cleared by reading INTCAP or GPIO
		}
		differs := levels ^ p[mcpDEFVAL]
		cause := p[mcpGPINTEN] & (p[mcpINTCON]&differs | ^p[mcpINTCON]&uint8(changed>>(8*i)))
		if cause != 0 {
			p[mcpINTF], p[mcpINTCAP] = cause, levels
		}
	}
	c.interrupt()
}

// register is what an address leads to: a register of a port. There is none at some of
// the addresses in between.
func (c *mcp23017Chip) register(address uint8) (port, register int, ok bool) {
	if c.port[0][mcpIOCON]&mcpBank != 0 {
		port, register = int(address>>4), int(address&0x0f)
	} else {
		port, register = int(address&1), int(address>>1)
	}
	return port, register, port < 2 && register < mcpRegisters
}

// step is the address after a byte (section 3.2.1): the next one, from the last back to
// the first; or, if it does not count up, the other of a pair of registers.
func (c *mcp23017Chip) step() {
	con := c.port[0][mcpIOCON]
	switch {
	case con&mcpSeqOp != 0 && con&mcpBank == 0:
		c.address ^= 1
	case con&mcpSeqOp != 0:
	default:
		last := uint8(2*mcpRegisters - 1)
		if con&mcpBank != 0 {
			last = 0x10 + mcpRegisters - 1
		}
		if c.address++; c.address > last {
			c.address = 0
		}
	}
}

// Transfer takes an address and bytes that are written, or gives bytes from the address.
func (c *mcp23017Chip) Transfer(msgs []i2c.Msg) error {
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

func (c *mcp23017Chip) read() uint8 {
	i, r, ok := c.register(c.address)
	if !ok {
		return 0
	}
	p := &c.port[i]
	switch r {
	case mcpIOCON:
		return c.port[0][mcpIOCON]
	case mcpGPIO:
		levels := uint8(c.levels()>>(8*i)) ^ p[mcpIPOL]
		c.acknowledge(i)
		return levels
	case mcpINTCAP:
		captured := p[mcpINTCAP]
		c.acknowledge(i)
		return captured
	}
	return p[r]
}

// acknowledge ends a port's interrupt; where pins still differ from DEFVAL, the next begins.
func (c *mcp23017Chip) acknowledge(i int) {
	c.port[i][mcpINTF] = 0
	c.interrupt()
	c.sense()
}

func (c *mcp23017Chip) write(b uint8) {
	i, r, ok := c.register(c.address)
	if !ok {
		return
	}
	switch r {
	case mcpIOCON:
		c.port[0][mcpIOCON] = b & mcpBits
	case mcpGPIO: // writes the latch
		c.port[i][mcpOLAT] = b
	case mcpINTF, mcpINTCAP: // read only
		return
	default:
		c.port[i][r] = b
	}
	c.drive()
	c.sense()
}

// Power also switches the pull-up of RESET.
func (c *mcp23017Chip) Power(on bool) {
	c.powered = on
	if on {
		c.reset.Drive(wire.PullUp)
	} else {
		c.reset.Drive(wire.Float)
	}
	c.clear()
}

func (c *mcp23017Chip) Get(string) periph.Value { return periph.Value{} }

func (c *mcp23017Chip) Set(property string, _ periph.Value) error {
	return fmt.Errorf("there is no property %s", property)
}

func (c *mcp23017Chip) Close() error { return nil }
