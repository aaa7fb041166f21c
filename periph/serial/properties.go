package serial

import (
	"fmt"
	"math"

	"backplane/periph"
	"backplane/simbus/serial"
)

// Names of properties. Modem lines have those of [serial.LineNames].
const (
	propertySent     = "sent"
	propertyReceived = "received"
	propertyOverrun  = "overrun"
	propertyFraming  = "framing"
	propertyParity   = "parity"
	propertyBreaks   = "breaks"
	propertyRate     = "rate"
	propertyFormat   = "format"
	propertyNoise    = "noise"
	propertyStuck    = "stuck"
	propertyClock    = "clock_error"
)

var properties = []periph.Spec{
	{Name: propertySent, Kind: periph.Whole, ReadOnly: true, Doc: "bytes that the guest has sent over the line"},
	{Name: propertyReceived, Kind: periph.Whole, ReadOnly: true, Doc: "bytes that have arrived over the line"},
	{Name: propertyOverrun, Kind: periph.Whole, ReadOnly: true, Doc: "bytes that arrived and were dropped"},
	{Name: propertyFraming, Kind: periph.Whole, ReadOnly: true, Doc: "characters that arrived with a framing error"},
	{Name: propertyParity, Kind: periph.Whole, ReadOnly: true, Doc: "characters that arrived with a parity error"},
	{Name: propertyBreaks, Kind: periph.Whole, ReadOnly: true, Doc: "breaks that have arrived"},
	{Name: propertyRate, Kind: periph.Number, Unit: "baud", ReadOnly: true, Doc: "the rate that the guest has set"},
	{Name: propertyFormat, Kind: periph.Text, ReadOnly: true, Doc: "the format that the guest has set, such as 8N1"},
	{Name: propertyNoise, Kind: periph.Number, Max: 1, Doc: "fraction of the bits of arriving characters that are turned over"},
	{Name: propertyStuck, Kind: periph.Switch, Doc: "whether what arrives is held low, as by a short circuit"},
	{Name: propertyClock, Kind: periph.Number, Unit: "ppm", Min: -serial.MaxClockError, Max: serial.MaxClockError, Doc: "how much too fast its clock is, and so its rate"},
	{Name: "rts", Kind: periph.Switch, ReadOnly: true, Doc: "request to send, an output"},
	{Name: "dtr", Kind: periph.Switch, ReadOnly: true, Doc: "data terminal ready, an output"},
	{Name: "cts", Kind: periph.Switch, Doc: "clear to send, an input"},
	{Name: "dsr", Kind: periph.Switch, Doc: "data set ready, an input"},
	{Name: "dcd", Kind: periph.Switch, Doc: "data carrier detected, an input"},
	{Name: "ri", Kind: periph.Switch, Doc: "ring indicator, an input"},
}

// modemLine is the modem line of that name, 0 if there is none.
func modemLine(name string) serial.Lines {
	for i, n := range serial.LineNames {
		if n == name {
			return 1 << i
		}
	}
	return 0
}

// Get reads a counter, a setting or a modem line.
func (c *Controller) Get(property string) periph.Value {
	if l := modemLine(property); l != 0 {
		return periph.On((c.port.Outputs()|c.port.Inputs())&l != 0)
	}
	r, f := &c.rx, c.port.Format()
	switch property {
	case propertyRate:
		return periph.Num(f.Rate.Float())
	case propertyFormat:
		return periph.Str(f.Frame())
	case propertyNoise:
		return periph.Num(c.noise)
	case propertyStuck:
		return periph.On(c.stuck)
	case propertyClock:
		return periph.Num(float64(c.port.ClockError()))
	}
	return periph.Num(float64(map[string]uint64{propertySent: c.sent, propertyReceived: r.received, propertyOverrun: r.dropped,
		propertyFraming: r.framing, propertyParity: r.parity, propertyBreaks: r.breaks}[property]))
}

// Set sets a fault, or a modem input, unless the other end of a link drives that.
func (c *Controller) Set(property string, v periph.Value) error {
	switch property {
	case propertyNoise:
		c.noise = v.Float()
		c.port.SetNoise(c.noise, c.rand)
		return nil
	case propertyStuck:
		c.stuck = v.Bool()
		c.port.SetStuck(c.stuck)
		return nil
	case propertyClock:
		c.port.SetClockError(int(math.Round(v.Float())))
		return nil
	}
	l := modemLine(property) & serial.Inputs
	if l == 0 {
		return fmt.Errorf("%s is read-only", property)
	}
	if c.port.Driven()&l != 0 {
		return fmt.Errorf("%s is driven by the port at the other end of the link", property)
	}
	set := serial.Lines(0)
	if v.Bool() {
		set = l
	}
	c.port.SetInputs(l, set)
	return nil
}
