// Package lm75 models the LM75 and its relatives: temperature sensors on I2C with an output
// that tells of limits. Their registers are the same ones; names of
// what one part has in them begin with the part.
package lm75

import (
	"encoding/binary"
	"math"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
)

// LM75 is the temperature sensor of TI SNIS153. A change of temperature is
// converted at once; the conversion time counts for the fault queue.
var LM75 = &periph.Model{
	Name:       "lm75",
	Title:      "TI/National LM75B digital temperature sensor and watchdog",
	Source:     "TI SNIS153D, January 2015",
	On:         []*periph.Mount{i2c.AtRange(0x48, 0x4f)},
	Pins:       []periph.PinSpec{{Name: "os", Output: true, OpenDrain: true, Doc: "O.S.: overtemperature; needs a pull-up, which the model includes"}},
	Properties: []periph.Spec{periph.TemperatureSpec(-55, 125)},
	Node: func(*periph.Options) periph.Node {
		return periph.Node{Name: "temperature-sensor", Compatible: []string{"national,lm75"}}
	},
	Kernel: []string{"CONFIG_HWMON", "CONFIG_SENSORS_LM75"},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &lm75Chip{temperature: o.Get("temperature").Float()}
		c.thermostat = thermostat{clock: env.Clock, out: env.Pin("os")}
		c.Pointed = i2c.Pointed{Read: c.readRegister, Write: c.writeRegister}
		return c, nil
	},
}

// Fields of the configuration (SNIS153 section 7.5).
const (
	lm75Shutdown   = 1 << 0
	lm75Interrupt  = 1 << 1
	lm75ActiveHigh = 1 << 2
	lm75FaultShift = 3
	lm75Writable   = 0x1f
)

type lm75Chip struct {
	i2c.Pointed
	thermostat
	temperature float64 // outside
	config      uint8
}

func (c *lm75Chip) configure() {
	t := &c.thermostat
	t.faults = [...]int{1, 2, 4, 6}[c.config>>lm75FaultShift&3]
	t.activeHigh = c.config&lm75ActiveHigh != 0
	t.interrupt = c.config&lm75Interrupt != 0
	t.shutdown(c.config&lm75Shutdown != 0)
	t.sample(lm75Decode(lm75Code(c.temperature)))
}

// lm75Code is a temperature in half degrees in the upper nine bits.
func lm75Code(temperature float64) uint16 {
	v := max(min(int(math.Floor(temperature*2+0.5)), 255), -256)
	return uint16(v << 7)
}

func lm75Decode(code uint16) float64 { return float64(int16(code)>>7) / 2 }

func (c *lm75Chip) readRegister(r uint8) []byte {
	defer c.thermostat.read()
	switch r & 3 {
	case registerConfig:
		return []byte{c.config}
	case registerLow:
		return binary.BigEndian.AppendUint16(nil, lm75Code(c.low))
	case registerHigh:
		return binary.BigEndian.AppendUint16(nil, lm75Code(c.high))
	}
	return binary.BigEndian.AppendUint16(nil, lm75Code(c.thermostat.temperature))
}

func (c *lm75Chip) writeRegister(r uint8, data []byte) {
	if r&3 == registerConfig {
		c.config = data[0] & lm75Writable
		c.configure()
		return
	}
	if len(data) < 2 {
		return // half a register is not taken
	}
	limit := lm75Decode(binary.BigEndian.Uint16(data))
	switch r & 3 {
	case registerLow:
		c.low = limit
	case registerHigh:
		c.high = limit
	}
	c.configure()
}

func (c *lm75Chip) Get(string) periph.Value { return periph.Num(c.temperature) }

func (c *lm75Chip) Set(_ string, v periph.Value) error {
	c.temperature = v.Float()
	if c.on {
		c.configure()
	}
	return nil
}

// Power resets all registers and the pointer: comparator mode, 80 °C and 75 °C
// (SNIS153 section 7.3.3).
func (c *lm75Chip) Power(on bool) {
	if !on {
		c.off()
		return
	}
	c.config, c.Pointer = 0, 0
	c.thermostat = thermostat{clock: c.clock, out: c.out, on: true, high: 80, low: 75, period: 100 * time.Millisecond}
	c.configure()
}

func (c *lm75Chip) Close() error { return nil }
