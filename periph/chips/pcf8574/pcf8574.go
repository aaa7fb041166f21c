// Package pcf8574 models the PCF8574, an expander of 8 lines on I2C.
package pcf8574

import (
	"fmt"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus/wire"
)

// Model is the I/O expander of NXP PCF8574/74A. Its pins are
// quasi-bidirectional: low is driven, high is a weak pull-up that the outside
// can overrule.
var Model = &periph.Model{
	Name:       "pcf8574",
	Title:      "NXP PCF8574 8-bit I/O expander",
	Source:     "NXP PCF8574/74A revision 5, May 2013",
	On:         []*periph.Mount{i2c.AtRange(0x20, 0x27)},
	Pins:       append(pins(), periph.PinSpec{Name: "int", Output: true, OpenDrain: true, Doc: "INT: an input has changed; needs a pull-up, which the model includes"}),
	Properties: append(properties(), periph.Spec{Name: "output", Kind: periph.Whole, Min: 0, Max: 255, ReadOnly: true, Default: periph.Num(255), Doc: "the byte written last"}),
	Node: func(*periph.Options) periph.Node {
		return periph.Node{Name: "gpio-expander", Compatible: []string{"nxp,pcf8574"}, Interrupt: "int", InterruptType: 2, // falling edge
			Properties: []periph.NodeProperty{{Name: "gpio-controller", Value: true}, {Name: "#gpio-cells", Value: uint32(2)},
				{Name: "interrupt-controller", Value: true}, {Name: "#interrupt-cells", Value: uint32(2)}}}
	},
	Lines:  lines(),
	Kernel: []string{"CONFIG_GPIOLIB", "CONFIG_GPIO_PCF857X"},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &chip{env: env, latch: reset, seen: reset, int: env.Pin("int")}
		for i := range c.pins {
			c.pins[i] = env.Pin(pin(i))
			c.released[i] = o.Get(pin(i)).Bool()
			c.drive(i)
		}
		for _, p := range c.pins {
			p.Watch(func(wire.Level) { c.sense() })
		}
		return c, nil
	},
}

// reset is the latch at power-on: all pins are inputs (revision 5, section 8.3).
const reset = 0xff

func pin(i int) string { return fmt.Sprintf("p%d", i) }

func lines() (names []string) {
	for i := range 8 {
		names = append(names, pin(i))
	}
	return names
}

func pins() (pins []periph.PinSpec) {
	for i := range 8 {
		pins = append(pins, periph.PinSpec{Name: pin(i), Output: true, OpenDrain: true, Doc: fmt.Sprintf("P%d", i)})
	}
	return pins
}

func properties() (specs []periph.Spec) {
	for i := range 8 {
		specs = append(specs, periph.Spec{Name: pin(i), Kind: periph.Switch, Default: periph.On(true),
			Doc: fmt.Sprintf("level of P%d; off: the outside pulls it low", i)})
	}
	return specs
}

type chip struct {
	env      *periph.Env
	powered  bool
	pins     [8]*wire.Pin
	released [8]bool // by the outside
	latch    uint8
	seen     uint8 // levels at the last read or write: INT tells of a difference
	writing  bool  // the write pulse, which holds INT off
	int      *wire.Pin
}

func (c *chip) drive(i int) {
	c.pins[i].Drive(wire.OpenDrain(c.powered, c.powered && c.latch>>i&1 == 0 || !c.released[i]))
}

// put drives all pins as the latch says, and tells of those that this moves.
func (c *chip) put(latch uint8) {
	if latch != c.latch {
		c.env.Changed("output", periph.Num(float64(latch)))
	}
	c.latch, c.writing = latch, true
	for i, p := range c.pins {
		before := p.Level()
		if c.drive(i); p.Level() != before {
			c.env.Changed(pin(i), periph.On(bool(p.Level())))
		}
	}
	c.writing = false
}

// Power sets the latch at power-on, and lets all pins go without power. A pin
// that the outside holds low at power-on is a change.
func (c *chip) Power(on bool) {
	c.powered = on
	c.put(reset)
	c.seen = reset
	c.sense()
}

// read is the levels of all pins.
func (c *chip) read() (v uint8) {
	for i, p := range c.pins {
		if p.Level() {
			v |= 1 << i
		}
	}
	return v
}

// sense tells of an input that has changed since it was last read.
func (c *chip) sense() {
	low := c.powered && !c.writing && (c.read()^c.seen)&c.latch != 0
	c.int.Drive(wire.OpenDrain(c.powered, low))
}

// Transfer writes bytes to the pins or reads their levels, one after another.
func (c *chip) Transfer(msgs []i2c.Msg) error {
	for _, m := range msgs {
		for i := range m.Data {
			if m.Read {
				c.seen = c.read()
				m.Data[i] = c.seen
			} else {
				c.write(m.Data[i])
			}
			c.sense()
		}
	}
	return nil
}

func (c *chip) write(v uint8) {
	c.put(v)
	c.seen = c.read()
}

func (c *chip) Get(property string) periph.Value {
	if property == "output" {
		return periph.Num(float64(c.latch))
	}
	return periph.On(bool(c.pins[property[1]-'0'].Level()))
}

func (c *chip) Set(property string, v periph.Value) error {
	i := int(property[1] - '0')
	c.released[i] = v.Bool()
	c.drive(i)
	return nil
}

func (c *chip) Close() error { return nil }
