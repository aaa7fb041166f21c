package chips

import (
	"fmt"

	"backplane/periph"
	"backplane/periph/gpio"
	"backplane/simbus/wire"
)

// led is an LED with its resistor. It has no device-tree node, so that no
// kernel driver claims its line: a program in the guest drives the line through
// the GPIO character device.
var led = &periph.Model{
	Name:       "led",
	Title:      "LED",
	Source:     "none: an ideal LED",
	On:         []*periph.Mount{gpio.Pins()},
	Pins:       []periph.PinSpec{{Name: "in", Required: true, Doc: "the line that drives it"}},
	Properties: []periph.Spec{{Name: "lit", Kind: periph.Switch, ReadOnly: true, Doc: "whether it is lit"}},
	Options: []periph.Spec{
		{Name: "active_low", Kind: periph.Switch, Doc: "lit while the line is low"},
		{Name: "label", Kind: periph.Text, Doc: "what is printed beside it"},
		{Name: "color", Kind: periph.Text, Default: periph.Str("red"), Doc: "of its light",
			Enum: []string{"white", "red", "green", "blue", "amber", "violet", "yellow"}},
	},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &ledChip{}
		c.in = newLoad(env.Pin("in"), o.Get("active_low").Bool(), func(on bool) {
			env.Changed("lit", periph.On(on))
		})
		return c, nil
	},
}

type ledChip struct{ in *load }

func (c *ledChip) Get(string) periph.Value { return periph.On(c.in.on) }

func (c *ledChip) Set(property string, _ periph.Value) error {
	return fmt.Errorf("%s follows the line: it cannot be set", property)
}

func (c *ledChip) Power(on bool) { c.in.power(on) }

func (c *ledChip) Close() error { return nil }

// load is what a line drives: an LED, the coil of a relay. One that is active
// low hangs between the supply and the line, and so pulls the line up.
type load struct {
	pin       *wire.Pin
	activeLow bool
	powered   bool
	on        bool // current flows
	switched  func(on bool)
}

// newLoad connects a load; switched is called when current begins or ends to flow.
func newLoad(pin *wire.Pin, activeLow bool, switched func(on bool)) *load {
	c := &load{pin: pin, activeLow: activeLow, switched: switched}
	pin.Watch(func(wire.Level) { c.follow() })
	return c
}

// power switches the supply, which only a load that is active low hangs on: any
// other has its current from the line.
func (c *load) power(on bool) {
	if !c.activeLow {
		return
	}
	if on {
		c.pin.Drive(wire.PullUp)
	}
	c.powered = on
	c.follow()
	if !on {
		c.pin.Drive(wire.Float)
	}
}

// follow switches it as the line and the supply are.
func (c *load) follow() {
	on := c.pin.Level() == wire.High
	if c.activeLow {
		on = c.powered && !on
	}
	if on != c.on {
		c.on = on
		c.switched(on)
	}
}
