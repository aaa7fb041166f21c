// Package ina219 models the INA219, a current and power monitor on I2C.
package ina219

import (
	"encoding/binary"
	"math"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus"
)

// Model is the current and power monitor of TI SBOS448. It converts without
// noise: the resolution that BADC and SADC select changes how long a conversion
// takes, not what it gives. The SMBus alert response and the general call are not
// answered.
var Model = &periph.Model{
	Name:   "ina219",
	Title:  "TI INA219 current and power monitor",
	Source: "TI SBOS448G, December 2015",
	On:     []*periph.Mount{i2c.AtRange(0x40, 0x4f)},
	Properties: []periph.Spec{
		{Name: "voltage", Kind: periph.Number, Unit: "V", Min: 0, Max: maxBus, Default: periph.Num(5), Doc: "bus voltage, from IN- to ground"},
		{Name: "current", Kind: periph.Number, Unit: "A", Default: periph.Num(0.1), Doc: "current through the shunt, from IN+ to IN-, at most 26 V over it; the part measures 320 mV",
			Min: -maxShunt / ohms, Max: maxShunt / ohms,
			Range: func(o *periph.Options) (low, high float64) {
				limit := maxShunt / o.Get("shunt_ohms").Float()
				return -limit, limit
			}},
	},
	Options: []periph.Spec{
		{Name: "shunt_ohms", Kind: periph.Number, Unit: "ohm", Min: 0.0001, Max: 10, Default: periph.Num(ohms), Doc: "resistance of the shunt"},
	},
	Node: func(o *periph.Options) periph.Node {
		return periph.Node{
			Name:       "power-sensor",
			Compatible: []string{"ti,ina219"},
			Properties: []periph.NodeProperty{
				{Name: "shunt-resistor", Value: uint32(math.Round(o.Get("shunt_ohms").Float() * 1e6))}, // in uOhm
			},
		}
	},
	Kernel: []string{"CONFIG_HWMON", "CONFIG_SENSORS_INA2XX"},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		return &chip{
			clock:   env.Clock,
			ohms:    o.Get("shunt_ohms").Float(),
			voltage: o.Get("voltage").Float(),
			current: o.Get("current").Float(),
		}, nil
	},
}

// Registers (SBOS448 table 2).
const (
	config       = 0x00
	shuntVoltage = 0x01
	busVoltage   = 0x02
	power        = 0x03
	current      = 0x04
	calibration  = 0x05
	registers    = 6
)

// Fields of the configuration register (SBOS448 figure 19) and flags of the bus
// voltage register (figure 24).
const (
	configReset = 0x399f
	rst         = 1 << 15
	brng        = 1 << 13
	pgaShift    = 11 // two bits: gain /1, /2, /4, /8
	badcShift   = 7  // four bits
	sadcShift   = 3  // four bits
	continuous  = 1 << 2
	modeBus     = 1 << 1
	modeShunt   = 1 << 0

	busShift = 3
	cnvr     = 1 << 1
	ovf      = 1 << 0
)

const (
	ohms       = 0.1
	maxBus     = 26.0  // V at IN- (SBOS448 section 7.1), whatever BRNG says
	maxShunt   = 26.0  // V between IN+ and IN-, the absolute maximum (section 7.1)
	shuntLSB   = 10e-6 // V (section 8.6.3.1)
	busLSB     = 4e-3  // V (section 8.6.3.2)
	shuntRange = 4000  // counts at gain /1: 40 mV
	busRange   = 4000  // counts with BRNG clear: 16 V; 8000 with it set
	calScale   = 4096  // equation 4
	powerScale = 5000  // equation 5
)

// adcTime is the conversion time by the ADC setting (SBOS448 table 5):
// 9 to 12 bits, whose bit 2 does not matter, and then averages of 1 to 128 samples.
var adcTime = [16]time.Duration{
	84 * time.Microsecond, 148 * time.Microsecond, 276 * time.Microsecond, 532 * time.Microsecond,
	84 * time.Microsecond, 148 * time.Microsecond, 276 * time.Microsecond, 532 * time.Microsecond,
	532 * time.Microsecond, 1060 * time.Microsecond, 2130 * time.Microsecond, 4260 * time.Microsecond,
	8510 * time.Microsecond, 17020 * time.Microsecond, 34050 * time.Microsecond, 68100 * time.Microsecond,
}

type chip struct {
	clock            simbus.Clock
	ohms             float64
	voltage, current float64 // at the pins

	regs    [registers]uint16
	pointer uint8

	// Conversions follow one another without a gap, so that the end of each is
	// known without a timer: convert catches up before anything looks or changes.
	started   simbus.Time
	converted int64 // conversions completed since then
}

func (c *chip) reset() {
	c.regs = [registers]uint16{config: configReset}
	c.started, c.converted = c.clock.Now(), 0
}

// Transfer reads and writes the register that the pointer selects. A register
// takes effect when both its bytes are there; past them a read finds the
// released bus.
func (c *chip) Transfer(msgs []i2c.Msg) error {
	c.convert()
	for _, m := range msgs {
		switch {
		case m.Read:
			word := c.read()
			for i := range m.Data {
				m.Data[i] = byte(word >> 8)
				word = word<<8 | 0xff
			}
		case len(m.Data) > 0:
			c.pointer = m.Data[0]
			if len(m.Data) >= 3 {
				c.write(binary.BigEndian.Uint16(m.Data[1:]))
			}
		}
	}
	return nil
}

func (c *chip) read() uint16 {
	if c.pointer >= registers {
		return 0
	}
	if c.pointer == power {
		c.regs[busVoltage] &^= cnvr
	}
	return c.regs[c.pointer]
}

func (c *chip) write(v uint16) {
	switch c.pointer {
	case config:
		if v&rst != 0 {
			c.reset()
			return
		}
		c.regs[config] = v
		c.started, c.converted = c.clock.Now(), 0
		if v&(modeBus|modeShunt) != 0 { // power-down and ADC off leave it
			c.regs[busVoltage] &^= cnvr
		}
	case calibration:
		c.regs[calibration] = v &^ 1 // FS0 is void
	}
}

// convert brings the result registers up to the last conversion that has ended.
func (c *chip) convert() {
	config := c.regs[config]
	var took time.Duration
	if config&modeShunt != 0 {
		took += adcTime[config>>sadcShift&0xf]
	}
	if config&modeBus != 0 {
		took += adcTime[config>>badcShift&0xf]
	}
	if took == 0 {
		return
	}
	ended := int64(c.clock.Now().Sub(c.started) / took)
	if config&continuous == 0 {
		ended = min(ended, 1)
	}
	if ended == c.converted {
		return
	}
	c.converted = ended
	if config&modeShunt != 0 {
		limit := shuntRange << (config >> pgaShift & 3)
		c.regs[shuntVoltage] = uint16(counts(c.current*c.ohms/shuntLSB, -limit, limit))
	}
	if config&modeBus != 0 {
		limit := busRange
		if config&brng != 0 {
			limit *= 2
		}
		c.regs[busVoltage] = uint16(counts(c.voltage/busLSB, 0, limit) << busShift)
	}
	c.multiply()
}

// multiply calculates current and power (SBOS448 section 8.5.1). A result that
// is out of range is cut off and flagged; power has no sign.
func (c *chip) multiply() {
	shunt, bus := int(int16(c.regs[shuntVoltage])), int(c.regs[busVoltage]>>busShift)
	uncut := shunt * int(c.regs[calibration]) / calScale
	cut := max(math.MinInt16, min(uncut, math.MaxInt16))
	product := max(cut, -cut) * bus / powerScale

	c.regs[current] = uint16(cut)
	c.regs[power] = uint16(min(product, math.MaxUint16))
	flags := uint16(cnvr)
	if uncut != cut || product > math.MaxUint16 {
		flags |= ovf
	}
	c.regs[busVoltage] = c.regs[busVoltage]&^(cnvr|ovf) | flags
}

func (c *chip) Get(property string) periph.Value {
	if property == "voltage" {
		return periph.Num(c.voltage)
	}
	return periph.Num(c.current)
}

func (c *chip) Set(property string, v periph.Value) error {
	c.convert() // what has ended saw the old value
	if property == "voltage" {
		c.voltage = v.Float()
	} else {
		c.current = v.Float()
	}
	return nil
}

// Power resets all registers, as RST does (SBOS448 table 2, section 8.5.6.2), and the
// pointer.
func (c *chip) Power(on bool) {
	if on {
		c.reset()
		c.pointer = 0
	}
}

func (c *chip) Close() error { return nil }

// counts is what an ideal converter makes of a quantity in units of its step.
func counts(steps float64, low, high int) int {
	return int(math.Round(max(float64(low), min(steps, float64(high)))))
}
