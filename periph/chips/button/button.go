// Package button models a push-button on a GPIO line.
package button

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"backplane/periph"
	"backplane/periph/gpio"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// Model is a push-button. Active low, it closes its line to ground against a
// pull-up; active high, to the supply against a pull-down. It has no
// device-tree node: a program in the guest watches the line through the GPIO
// character device.
var Model = &periph.Model{
	Name:   "button",
	Title:  "push-button",
	Source: "none: contacts that bounce for a given time",
	On:     []*periph.Mount{gpio.Pins()},
	Pins: []periph.PinSpec{{Name: "out", Output: true, Required: true, Doc: "the line that it closes: to ground, as open drain does, or to the supply",
		OpenDrain: true, PushPull: func(o *periph.Options) bool { return !o.Get("active_low").Bool() }}},
	Properties: []periph.Spec{
		{Name: "pressed", Kind: periph.Switch, Doc: "whether it is held down"},
		{Name: "press", Kind: periph.Action, Unit: "ms", Default: periph.Str("100"), Doc: "press it and release it after that many milliseconds",
			Valid: func(v periph.Value) error { _, err := pressTime(v); return err }},
	},
	Options: []periph.Spec{
		{Name: "active_low", Kind: periph.Switch, Default: periph.On(true), Doc: "pressed makes the line low"},
		{Name: "bounce", Kind: periph.Number, Unit: "ms", Min: 0, Max: maxBounce, Doc: "how long the contacts bounce"},
	},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &chip{
			env:       env,
			out:       env.Pin("out"),
			bounce:    periph.Milliseconds(o.Get("bounce").Float()),
			activeLow: o.Get("active_low").Bool(),
			pressed:   o.Get("pressed").Bool(),
		}
		c.contact(c.pressed)
		return c, nil
	},
}

const (
	maxBounce = 50    // ms
	maxPress  = 3.6e6 // ms: an hour
	// bounces is the most often that the contacts open again, of which
	// there is no standard: what most switches stay below.
	bounces = 4
)

type chip struct {
	env       *periph.Env
	out       *wire.Pin
	bounce    time.Duration
	activeLow bool
	powered   bool
	pressed   bool
	closed    bool            // the contact, which bounces
	edges     []*simbus.Timer // of the bounce under way
	release   *simbus.Timer   // of the press under way
}

// contact closes or opens it. What hangs on the supply, the pull-up or the
// contact, does nothing without power.
func (c *chip) contact(closed bool) {
	c.closed = closed
	switch {
	case c.activeLow:
		c.out.Drive(wire.OpenDrain(c.powered, closed))
	case closed && c.powered:
		c.out.Drive(wire.DriveHigh)
	default:
		c.out.Drive(wire.PullDown)
	}
}

// Power switches the supply. Whoever holds the button down goes on doing so.
func (c *chip) Power(on bool) {
	c.powered = on
	c.contact(c.closed)
}

// move presses or releases the button: the contact moves at once, and again an
// even number of times within the bounce.
func (c *chip) move(pressed bool) {
	if pressed == c.pressed {
		return
	}
	c.stop()
	c.pressed = pressed
	c.contact(pressed)
	if c.bounce == 0 {
		return
	}
	times := make([]time.Duration, 2*(1+c.env.Rand.IntN(bounces)))
	for i := range times {
		times[i] = 1 + time.Duration(c.env.Rand.Int64N(int64(c.bounce)))
	}
	slices.Sort(times)
	for i, after := range times {
		closed := (i%2 == 0) != pressed
		c.edges = append(c.edges, simbus.After(c.env.Clock, after, func() { c.contact(closed) }))
	}
}

// stop ends the bounce under way.
func (c *chip) stop() {
	for _, t := range c.edges {
		t.Stop()
	}
	c.edges = c.edges[:0]
}

func (c *chip) press(duration time.Duration) {
	if !c.pressed {
		c.move(true)
		c.env.Changed("pressed", periph.On(true))
	}
	c.release = simbus.After(c.env.Clock, duration, func() {
		c.move(false)
		c.env.Changed("pressed", periph.On(false))
	})
}

func (c *chip) Get(property string) periph.Value {
	if property == "pressed" {
		return periph.On(c.pressed)
	}
	return periph.Value{}
}

// Set holds the button down or lets it go, or presses it for a time; either
// ends a press that is under way.
func (c *chip) Set(property string, v periph.Value) error {
	if property == "pressed" {
		c.release.Stop()
		c.move(v.Bool())
		return nil
	}
	d, err := pressTime(v)
	if err != nil {
		return err
	}
	c.release.Stop()
	c.press(d)
	return nil
}

// pressTime is how long a press is to be; 100 ms if nothing is said.
func pressTime(v periph.Value) (time.Duration, error) {
	text := v.Text()
	if text == "" {
		text = "100"
	}
	ms, err := strconv.ParseFloat(text, 64)
	if err != nil || !(ms > 0 && ms <= maxPress) {
		return 0, fmt.Errorf("press for %q: want a number of milliseconds, more than 0 and at most %d", text, int(maxPress))
	}
	return periph.Milliseconds(ms), nil
}

func (c *chip) Close() error {
	c.release.Stop()
	c.stop()
	return nil
}
