package serial

import (
	"backplane/simbus/serial"
	"backplane/simbus/wire"
)

// pins are the controller's pins on GPIO lines. Those of modem lines are active low.
type pins struct {
	outputs [2]*wire.Pin // RTS and DTR; nil where it is on no line
}

// solder finds the pins, and follows the inputs among them.
func (c *Controller) solder(pin func(key string) *wire.Pin) {
	for i, name := range serial.LineNames {
		if c.config.Pins[name] == "" {
			continue
		}
		p, l := pin("pins."+name), serial.Lines(1)<<i
		if l&serial.Outputs != 0 {
			c.pins.outputs[i] = p
			continue
		}
		follow := func(level wire.Level) {
			now := serial.Lines(0)
			if level == wire.Low {
				now = l
			}
			c.port.SetInputs(l, now)
		}
		p.Watch(follow)
		follow(p.Level())
	}
	if d := c.config.DriverEnable; d != "" && d != enabledByRTS {
		p := pin("driver_enable")
		p.Watch(func(level wire.Level) { c.enableDriver(bool(level)) })
		c.enableDriver(bool(p.Level()))
	}
}

// driveOutputs puts RTS and DTR on their pins.
func (c *Controller) driveOutputs() {
	for i, p := range c.pins.outputs {
		switch {
		case p == nil:
		case c.off:
			p.Drive(wire.Float)
		default:
			p.Drive(wire.Level(c.modem.shown>>i&1 == 0).Strong())
		}
	}
}
