// Package led models an LED on a GPIO line.
package led

import (
	"fmt"

	"backplane/periph"
	"backplane/periph/gpio"
)

// Model is an LED with its resistor. It has no device-tree node, so that no
// kernel driver claims its line: a program in the guest drives the line through
// the GPIO character device.
var Model = &periph.Model{
	Name:       "led",
	Title:      "LED",
	Source:     "none: an ideal LED",
	On:         []*periph.Mount{gpio.Pins()},
	Pins:       []periph.PinSpec{{Name: "in", Required: true, Doc: "the line that drives the LED"}},
	Properties: []periph.Spec{{Name: "lit", Kind: periph.Switch, ReadOnly: true, Doc: "whether it is lit"}},
	Options: []periph.Spec{
		{Name: "active_low", Kind: periph.Switch, Doc: "lit while the line is low"},
		{Name: "label", Kind: periph.Text, Doc: "the text beside it on the board"},
		{Name: "color", Kind: periph.Text, Default: periph.Str("red"), Doc: "color of its light",
			Enum: []string{"white", "red", "green", "blue", "amber", "violet", "yellow"}},
	},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &chip{}
		c.in = gpio.NewLoad(env.Pin("in"), o.Get("active_low").Bool(), func(on bool) {
			env.Changed("lit", periph.On(on))
		})
		return c, nil
	},
}

type chip struct{ in *gpio.Load }

func (c *chip) Get(string) periph.Value { return periph.On(c.in.On()) }

func (c *chip) Set(property string, _ periph.Value) error {
	return fmt.Errorf("%s follows the line: it cannot be set", property)
}

func (c *chip) Power(on bool) { c.in.Power(on) }

func (c *chip) Close() error { return nil }
