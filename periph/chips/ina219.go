package chips

import (
	"encoding/binary"
	"math"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus"
)

// ina219 is the current and power monitor of TI SBOS448. It converts without
// noise: the resolution that BADC and SADC select changes how long a conversion
// takes, not what it gives. The SMBus alert response and the general call are not
// answered.
var ina219 = &periph.Model{
	Name:   "ina219",
	Title:  "TI INA219 current and power monitor",
	Source: "TI SBOS448G, December 2015",
	On:     []*periph.Mount{i2c.AtRange(0x40, 0x4f)},
	Properties: []periph.Spec{
		{Name: "voltage", Kind: periph.Number, Unit: "V", Min: 0, Max: ina219MaxBus, Default: periph.Num(5), Doc: "bus voltage, from IN- to ground"},
		{Name: "current", Kind: periph.Number, Unit: "A", Default: periph.Num(0.1), Doc: "current through the shunt, from IN+ to IN-, at most 26 V over it; the part measures 320 mV",
			Min: -ina219MaxShunt / ina219Ohms, Max: ina219MaxShunt / ina219Ohms,
			Range: func(o *periph.Options) (low, high float64) {
				limit := ina219MaxShunt / o.Get("shunt_ohms").Float()
				return -limit, limit
			}},
	},
	Options: []periph.Spec{
		{Name: "shunt_ohms", Kind: periph.Number, Unit: "ohm", Min: 0.0001, Max: 10, Default: periph.Num(ina219Ohms), Doc: "resistance of the shunt"},
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
		return &ina219Chip{
			clock:   env.Clock,
			ohms:    o.Get("shunt_ohms").Float(),
			voltage: o.Get("voltage").Float(),
			current: o.Get("current").Float(),
		}, nil
	},
}

// Registers (SBOS448 table 2).
const (
	ina219Config       = 0x00
	ina219ShuntVoltage = 0x01
	ina219BusVoltage   = 0x02
	ina219Power        = 0x03
	ina219Current      = 0x04
	ina219Calibration  = 0x05
	ina219Registers    = 6
)

// Fields of the configuration register (SBOS448 figure 19) and flags of the bus
// voltage register (figure 24).
const (
	ina219ConfigReset = 0x399f
	ina219RST         = 1 << 15
	ina219BRNG        = 1 << 13
	ina219PGAShift    = 11 // two bits: gain /1, /2, /4, /8
	ina219BADCShift   = 7  // four bits
	ina219SADCShift   = 3  // four bits
	ina219Continuous  = 1 << 2
	ina219ModeBus     = 1 << 1
	ina219ModeShunt   = 1 << 0

	ina219BusShift = 3
	ina219CNVR     = 1 << 1
	ina219OVF      = 1 << 0
)

const (
	ina219Ohms       = 0.1
	ina219MaxBus     = 26.0  // V at IN- (SBOS448 section 7.1), whatever BRNG says
	ina219MaxShunt   = 26.0  // V between IN+ and IN-, the absolute maximum (section 7.1)
	ina219ShuntLSB   = 10e-6 // V (section 8.6.3.1)
	ina219BusLSB     = 4e-3  // V (section 8.6.3.2)
	ina219ShuntRange = 4000  // counts at gain /1: 40 mV
	ina219BusRange   = 4000  // counts with BRNG clear: 16 V; 8000 with it set
	ina219CalScale   = 4096  // equation 4
	ina219PowerScale = 5000  // equation 5
)

// ina219ADCTime is the conversion time by the ADC setting (SBOS448 table 5):
// 9 to 12 bits, whose bit 2 does not matter, and then averages of 1 to 128 samples.
var ina219ADCTime = [16]time.Duration{
	84 * time.Microsecond, 148 * time.Microsecond, 276 * time.Microsecond, 532 * time.Microsecond,
	84 * time.Microsecond, 148 * time.Microsecond, 276 * time.Microsecond, 532 * time.Microsecond,
	532 * time.Microsecond, 1060 * time.Microsecond, 2130 * time.Microsecond, 4260 * time.Microsecond,
	8510 * time.Microsecond, 17020 * time.Microsecond, 34050 * time.Microsecond, 68100 * time.Microsecond,
}

type ina219Chip struct {
	clock            simbus.Clock
	ohms             float64
	voltage, current float64 // at the pins

	regs    [ina219Registers]uint16
	pointer uint8

	// Conversions follow one another without a gap, so that the end of each is
	// known without a timer: convert catches up before anything looks or changes.
	started   simbus.Time
	converted int64 // conversions completed since then
}

func (c *ina219Chip) reset() {
	c.regs = [ina219Registers]uint16{ina219Config: ina219ConfigReset}
	c.started, c.converted = c.clock.Now(), 0
}

// Transfer reads and writes the register that the pointer selects. A register
// takes effect when both its bytes are there; past them a read finds the
// released bus.
func (c *ina219Chip) Transfer(msgs []i2c.Msg) error {
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

func (c *ina219Chip) read() uint16 {
	if c.pointer >= ina219Registers {
		return 0
	}
	if c.pointer == ina219Power {
		c.regs[ina219BusVoltage] &^= ina219CNVR
	}
	return c.regs[c.pointer]
}

func (c *ina219Chip) write(v uint16) {
	switch c.pointer {
	case ina219Config:
		if v&ina219RST != 0 {
			c.reset()
			return
		}
		c.regs[ina219Config] = v
		c.started, c.converted = c.clock.Now(), 0
		if v&(ina219ModeBus|ina219ModeShunt) != 0 { // power-down and ADC off leave it
			c.regs[ina219BusVoltage] &^= ina219CNVR
		}
	case ina219Calibration:
		c.regs[ina219Calibration] = v &^ 1 // FS0 is void
	}
}

// convert brings the result registers up to the last conversion that has ended.
func (c *ina219Chip) convert() {
	config := c.regs[ina219Config]
	var took time.Duration
	if config&ina219ModeShunt != 0 {
		took += ina219ADCTime[config>>ina219SADCShift&0xf]
	}
	if config&ina219ModeBus != 0 {
		took += ina219ADCTime[config>>ina219BADCShift&0xf]
	}
	if took == 0 {
		return
	}
	ended := int64(c.clock.Now().Sub(c.started) / took)
	if config&ina219Continuous == 0 {
		ended = min(ended, 1)
	}
	if ended == c.converted {
		return
	}
	c.converted = ended
	if config&ina219ModeShunt != 0 {
		limit := ina219ShuntRange << (config >> ina219PGAShift & 3)
		c.regs[ina219ShuntVoltage] = uint16(counts(c.current*c.ohms/ina219ShuntLSB, -limit, limit))
	}
	if config&ina219ModeBus != 0 {
		limit := ina219BusRange
		if config&ina219BRNG != 0 {
			limit *= 2
		}
		c.regs[ina219BusVoltage] = uint16(counts(c.voltage/ina219BusLSB, 0, limit) << ina219BusShift)
	}
	c.multiply()
}

// multiply calculates current and power (SBOS448 section 8.5.1). A result that
// is out of range is cut off and flagged; power has no sign.
func (c *ina219Chip) multiply() {
	shunt, bus := int(int16(c.regs[ina219ShuntVoltage])), int(c.regs[ina219BusVoltage]>>ina219BusShift)
	current := shunt * int(c.regs[ina219Calibration]) / ina219CalScale
	cut := max(math.MinInt16, min(current, math.MaxInt16))
	power := max(cut, -cut) * bus / ina219PowerScale

	c.regs[ina219Current] = uint16(cut)
	c.regs[ina219Power] = uint16(min(power, math.MaxUint16))
	flags := uint16(ina219CNVR)
	if current != cut || power > math.MaxUint16 {
		flags |= ina219OVF
	}
	c.regs[ina219BusVoltage] = c.regs[ina219BusVoltage]&^(ina219CNVR|ina219OVF) | flags
}

func (c *ina219Chip) Get(property string) periph.Value {
	if property == "voltage" {
		return periph.Num(c.voltage)
	}
	return periph.Num(c.current)
}

func (c *ina219Chip) Set(property string, v periph.Value) error {
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
func (c *ina219Chip) Power(on bool) {
	if on {
		c.reset()
		c.pointer = 0
	}
}

func (c *ina219Chip) Close() error { return nil }

// counts is what an ideal converter makes of a quantity in units of its step.
func counts(steps float64, low, high int) int {
	return int(math.Round(max(float64(low), min(steps, float64(high)))))
}
