package gpio

import "backplane/simbus/wire"

// Load is what a line drives: an LED, the coil of a relay. One that is active
// low hangs between the supply and the line, and so pulls the line up.
type Load struct {
	pin       *wire.Pin
	activeLow bool
	powered   bool
	on        bool // current flows
	switched  func(on bool)
}

// NewLoad connects a load; switched is called when current begins or ends to flow.
func NewLoad(pin *wire.Pin, activeLow bool, switched func(on bool)) *Load {
	c := &Load{pin: pin, activeLow: activeLow, switched: switched}
	pin.Watch(func(wire.Level) { c.follow() })
	return c
}

// Power switches the supply, which only a load that is active low hangs on: any
// other has its current from the line.
func (c *Load) Power(on bool) {
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

// On tells whether current flows.
func (c *Load) On() bool { return c.on }

// follow switches it as the line and the supply are.
func (c *Load) follow() {
	on := c.pin.Level() == wire.High
	if c.activeLow {
		on = c.powered && !on
	}
	if on != c.on {
		c.on = on
		c.switched(on)
	}
}
