package lm75

import (
	"encoding/binary"
	"math"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
)

// TMP102 is the temperature sensor of TI SBOS397. A change of temperature is
// converted at once, whatever the conversion rate; the rate counts for the
// fault queue. The SMBus alert response and the general call are not answered.
var TMP102 = &periph.Model{
	Name:       "tmp102",
	Title:      "TI TMP102 digital temperature sensor",
	Source:     "TI SBOS397H, December 2018",
	On:         []*periph.Mount{i2c.AtRange(0x48, 0x4b)},
	Pins:       []periph.PinSpec{{Name: "alert", Output: true, OpenDrain: true, Doc: "ALERT: a limit was crossed; needs a pull-up, which the model includes"}},
	Properties: []periph.Spec{periph.TemperatureSpec(-55, 150)},
	Node: func(*periph.Options) periph.Node {
		return periph.Node{Name: "temperature-sensor", Compatible: []string{"ti,tmp102"}}
	},
	Kernel: []string{"CONFIG_HWMON", "CONFIG_SENSORS_TMP102"},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &tmp102Chip{temperature: o.Get("temperature").Float()}
		c.thermostat = thermostat{clock: env.Clock, out: env.Pin("alert")}
		c.Pointed = i2c.Pointed{Read: c.readRegister, Write: c.writeRegister}
		return c, nil
	},
}

// Limits at power-on.
const (
	tmp102LowReset  = 0x4b00 // 75 °C in 12 bits
	tmp102HighReset = 0x5000 // 80 °C
)

// Fields of the configuration register (SBOS397 table 11).
const (
	tmp102ConfigReset = 0x60a0
	tmp102OS          = 1 << 15 // one shot; reads 1 in shutdown, as it converts at once
	tmp102Resolution  = 3 << 13 // reads 11
	tmp102FaultShift  = 11
	tmp102POL         = 1 << 10
	tmp102TM          = 1 << 9
	tmp102SD          = 1 << 8
	tmp102RateShift   = 6
	tmp102AL          = 1 << 5
	tmp102EM          = 1 << 4 // 13 bits
	tmp102Writable    = 3<<tmp102FaultShift | tmp102POL | tmp102TM | tmp102SD | 3<<tmp102RateShift | tmp102EM
)

type tmp102Chip struct {
	i2c.Pointed
	thermostat
	temperature float64 // outside
	config      uint16
	// The limits as written: a change of format reads the same bits anew, so
	// that those of power-on stand for 150 and 160 °C in 13 bits.
	lowCode, highCode uint16
}

// configure makes the thermostat what the configuration says.
func (c *tmp102Chip) configure() {
	t := &c.thermostat
	t.faults = [...]int{1, 2, 4, 6}[c.config>>tmp102FaultShift&3]
	t.period = [...]time.Duration{4 * time.Second, time.Second, 250 * time.Millisecond, 125 * time.Millisecond}[c.config>>tmp102RateShift&3]
	t.activeHigh = c.config&tmp102POL != 0
	t.interrupt = c.config&tmp102TM != 0
	t.low, t.high = c.decode(c.lowCode), c.decode(c.highCode)
	t.shutdown(c.config&tmp102SD != 0)
	t.sample(c.decode(c.code(c.temperature)))
}

// code is a temperature as the part writes it, in its present format: 1/16 °C in
// the upper 12 or 13 bits.
func (c *tmp102Chip) code(temperature float64) uint16 {
	v, bits := int(math.Round(temperature*16)), 12
	if c.config&tmp102EM != 0 {
		bits = 13
	}
	top := 1<<(bits-1) - 1
	v = max(min(v, top), -top-1)
	return uint16(v << (16 - bits))
}

// decode is the temperature that a register's code stands for.
func (c *tmp102Chip) decode(code uint16) float64 {
	if c.config&tmp102EM != 0 {
		return float64(int16(code)>>3) / 16
	}
	return float64(int16(code)>>4) / 16
}

func (c *tmp102Chip) readRegister(r uint8) []byte {
	var v uint16
	switch r & 3 {
	case registerTemperature:
		v = c.code(c.thermostat.temperature)
		if c.config&tmp102EM != 0 {
			v |= 1 // tells the format
		}
	case registerConfig:
		v = c.config | tmp102Resolution
		if c.config&tmp102SD != 0 {
			v |= tmp102OS
		}
		if c.hot == c.activeHigh { // AL follows the comparator, with the pin's polarity
			v |= tmp102AL
		} else {
			v &^= tmp102AL
		}
	case registerLow:
		v = c.lowCode
	case registerHigh:
		v = c.highCode
	}
	c.thermostat.read()
	return binary.BigEndian.AppendUint16(nil, v)
}

// writeRegister writes a register, or its upper byte alone (SBOS397 section 7.3,
// Two-Wire Timing Diagrams, "Data Transfer").
func (c *tmp102Chip) writeRegister(r uint8, data []byte) {
	written := func(old uint16) uint16 {
		if len(data) < 2 {
			return uint16(data[0])<<8 | old&0xff
		}
		return binary.BigEndian.Uint16(data)
	}
	switch r & 3 {
	case registerConfig:
		v := written(c.config)
		c.config = v & tmp102Writable
		c.configure()
		if v&tmp102OS != 0 && c.config&tmp102SD != 0 {
			c.oneShot(c.decode(c.code(c.temperature)))
		}
	case registerLow:
		c.lowCode = c.code(c.decode(written(c.lowCode)))
		c.configure()
	case registerHigh:
		c.highCode = c.code(c.decode(written(c.highCode)))
		c.configure()
	}
}

func (c *tmp102Chip) Get(string) periph.Value { return periph.Num(c.temperature) }

func (c *tmp102Chip) Set(_ string, v periph.Value) error {
	c.temperature = v.Float()
	if c.on {
		c.configure()
	}
	return nil
}

// Power resets all registers (SBOS397 tables 8, 10 and 13) and the pointer.
func (c *tmp102Chip) Power(on bool) {
	if !on {
		c.off()
		return
	}
	c.config, c.lowCode, c.highCode, c.Pointer = tmp102ConfigReset, tmp102LowReset, tmp102HighReset, 0
	c.thermostat = thermostat{clock: c.clock, out: c.out, on: true, inclusive: true}
	c.configure()
}

func (c *tmp102Chip) Close() error { return nil }
