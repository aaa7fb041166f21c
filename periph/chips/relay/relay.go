// Package relay models a relay on a GPIO line.
package relay

import (
	"fmt"
	"time"

	"backplane/periph"
	"backplane/periph/gpio"
	"backplane/simbus"
)

// Model is a relay with one contact that is open at rest. The contact follows
// the coil after the operate time; a pulse that is shorter does not move it.
var Model = &periph.Model{
	Name:   "relay",
	Title:  "relay, normally open",
	Source: "none: an ideal relay that does not bounce",
	On:     []*periph.Mount{gpio.Pins()},
	Pins:   []periph.PinSpec{{Name: "in", Required: true, Doc: "the line that drives the coil"}},
	Properties: []periph.Spec{
		{Name: "closed", Kind: periph.Switch, ReadOnly: true, Doc: "whether the contact is closed"},
		{Name: "switched", Kind: periph.Whole, ReadOnly: true, Doc: "how often the contact has opened or closed"},
	},
	Options: []periph.Spec{
		{Name: "active_low", Kind: periph.Switch, Doc: "the coil is on while the line is low"},
		{Name: "delay", Kind: periph.Number, Unit: "ms", Min: 0, Max: 1000, Default: periph.Num(5), Doc: "operate and release time"},
	},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &chip{env: env, delay: periph.Milliseconds(o.Get("delay").Float())}
		c.coil = gpio.NewLoad(env.Pin("in"), o.Get("active_low").Bool(), c.energize)
		return c, nil
	},
}

type chip struct {
	env      *periph.Env
	coil     *gpio.Load
	delay    time.Duration
	moving   *simbus.Timer
	closed   bool
	switched int
}

func (c *chip) energize(on bool) {
	c.moving.Stop()
	if on == c.closed {
		return
	}
	c.moving = simbus.After(c.env.Clock, c.delay, func() {
		c.closed = on
		c.switched++
		c.env.Changed("closed", periph.On(c.closed))
		c.env.Changed("switched", periph.Num(float64(c.switched)))
	})
}

func (c *chip) Get(property string) periph.Value {
	if property == "closed" {
		return periph.On(c.closed)
	}
	return periph.Num(float64(c.switched))
}

func (c *chip) Set(property string, _ periph.Value) error {
	return fmt.Errorf("%s follows the coil: it cannot be set", property)
}

// Power switches the coil's supply. The contact follows as it does otherwise.
func (c *chip) Power(on bool) { c.coil.Power(on) }

func (c *chip) Close() error {
	c.moving.Stop()
	return nil
}
