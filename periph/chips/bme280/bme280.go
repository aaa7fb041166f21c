// Package bme280 models the BME280, a sensor of temperature, pressure and humidity on
// I2C or SPI.
package bme280

import (
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/periph/spi"
	"backplane/simbus"
)

// Model is the sensor of Bosch BST-BME280-DS002. What it measures is converted at the end
// of each measurement; the IIR filter and the resolution of each oversampling are as
// documented, noise is none. Measurements take their typical time.
var Model = &periph.Model{
	Name:   "bme280",
	Title:  "Bosch BME280 humidity, pressure and temperature sensor",
	Source: "Bosch BST-BME280-DS002-15, version 1.6",
	On: []*periph.Mount{
		i2c.At(0x76, 0x77),
		spi.Select(spi.Limits{Modes: []spi.Mode{spi.Mode0, spi.Mode3}, MaxHz: 10_000_000}),
	},
	Properties: []periph.Spec{
		periph.TemperatureSpec(-40, 85),
		{Name: "pressure", Kind: periph.Number, Unit: "hPa", Min: 300, Max: 1100, Default: periph.Num(1013.25), Doc: "air pressure"},
		{Name: "humidity", Kind: periph.Number, Unit: "%", Min: 0, Max: 100, Default: periph.Num(50), Doc: "relative humidity of the air"},
	},
	Node: func(*periph.Options) periph.Node {
		return periph.Node{Name: "environment-sensor", Compatible: []string{"bosch,bme280"}}
	},
	Kernel: []string{"CONFIG_IIO", "CONFIG_BMP280"},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &chip{clock: env.Clock}
		c.air = air{o.Get("temperature").Float(), o.Get("pressure").Float() * 100, o.Get("humidity").Float()}
		return c, nil
	},
}

// Registers (DS002 table 18).
const (
	calib00  = 0x88 // to 0xa1
	id       = 0xd0
	reset    = 0xe0
	calib26  = 0xe1 // to 0xf0
	ctrlHum  = 0xf2
	status   = 0xf3
	ctrlMeas = 0xf4
	config   = 0xf5
	data     = 0xf7 // pressure, temperature, humidity, to 0xfe

	idValue   = 0x60
	resetWord = 0xb6
)

// Fields of the registers (DS002 sections 5.4.3 to 5.4.6).
const (
	oversamplingMask = 7
	measuring        = 1 << 3
	imUpdate         = 1 << 0
	tempShift        = 5
	pressShift       = 2
	modeMask         = 3
	standbyShift     = 5
	filterShift      = 2
	spi3Wire         = 1 << 0
	configMask       = 0xfd // bit 1 is not there
)

// Modes (DS002 table 25); 2 is forced as well.
const (
	sleep  = 0
	forced = 1
	normal = 3
)

// startup is how long the calibration is copied after power-on or a reset; the data
// sheet has a maximum of 2 ms for the whole start-up (table 1).
const startup = time.Millisecond

// standby is the time between measurements in normal mode (DS002 table 27).
var standby = [...]time.Duration{500 * time.Microsecond, 62500 * time.Microsecond, 125 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 10 * time.Millisecond, 20 * time.Millisecond}

// chip keeps no timer: what it has measured is found out when somebody looks, or
// before the air changes.
type chip struct {
	clock   simbus.Clock
	powered bool
	air     air

	pointer uint8 // of I2C
	spi     selection

	ready    simbus.Time // when the calibration has been copied
	ctrlHum  uint8       // the registers as written
	ctrlMeas uint8
	config   uint8

	mode    uint8
	samples sampling    // of the measurement under way
	next    simbus.Time // when that ends, or in normal mode the one to come
	waiting bool        // a mode has been written while one was under way
	data    raw
	filter  filter
}

// reset is the state after power-on and after the reset word (DS002 section 5.4.2).
func (c *chip) reset() {
	c.ready = c.clock.Now().Add(startup)
	c.ctrlHum, c.ctrlMeas, c.config, c.mode, c.waiting = 0, 0, 0, sleep, false
	c.data = raw{skipped, skipped, skippedHumidity}
	c.filter = filter{}
}

// begin brings the mode that was written into effect.
func (c *chip) begin(t simbus.Time) {
	c.mode, c.waiting = c.ctrlMeas&modeMask, false
	if c.mode == 2 {
		c.mode = forced
	}
	c.samples = sampling{
		temperature: oversampling(c.ctrlMeas >> tempShift),
		pressure:    oversampling(c.ctrlMeas >> pressShift),
		humidity:    oversampling(c.ctrlHum),
	}
	c.next = t.Add(c.samples.duration())
}

// measuring tells whether a measurement is under way.
func (c *chip) measuring() bool {
	return c.mode == forced || c.mode == normal && c.next.Sub(c.clock.Now()) <= c.samples.duration()
}

// catchUp carries out the measurements that have ended since the last time, in air that
// has not changed meanwhile.
func (c *chip) catchUp() {
	now := c.clock.Now()
	for c.mode != sleep && now >= c.next {
		c.data = c.filter.take(c.air.raw(c.samples, c.config), c.config)
		switch cycle := c.samples.duration() + standby[c.config>>standbyShift]; {
		case c.waiting:
			c.begin(c.next)
		case c.mode == forced:
			c.mode = sleep
			c.ctrlMeas &^= modeMask
		default:
			if skip := now.Sub(c.next)/cycle - settled; skip > 0 {
				c.next = c.next.Add(skip * cycle)
			}
			c.next = c.next.Add(cycle)
		}
	}
}

func (c *chip) read(register uint8) uint8 {
	c.catchUp()
	switch {
	case register >= data && register < data+uint8(len(raw{}.registers())):
		r := c.data.registers()
		return r[register-data]
	case register == id:
		return idValue
	case register == ctrlHum:
		return c.ctrlHum
	case register == ctrlMeas:
		return c.ctrlMeas
	case register == config:
		return c.config
	case register == status:
		var v uint8
		if c.measuring() {
			v |= measuring
		}
		if c.clock.Now() < c.ready {
			v |= imUpdate
		}
		return v
	}
	return calibration.register(register)
}

func (c *chip) write(register, v uint8) {
	c.catchUp()
	switch register {
	case reset:
		if v == resetWord {
			c.reset()
		}
	case ctrlHum: // counts when ctrl_meas is written (DS002 section 5.4.3)
		c.ctrlHum = v & oversamplingMask
	case ctrlMeas:
		switch {
		case c.waiting: // one change of mode at a time (DS002 section 3.3.1)
		case c.measuring():
			c.ctrlMeas, c.waiting = v, true
		default:
			c.ctrlMeas = v
			c.begin(c.clock.Now())
		}
	case config:
		if c.mode == normal { // may be ignored in normal mode (DS002 section 5.4.6): it is
			return
		}
		c.config = v & configMask
	}
}

// Transfer is the part on I2C (DS002 section 6.2): a write sets the register, and has
// more pairs of register and value after the first value; reads go on from the register.
func (c *chip) Transfer(msgs []i2c.Msg) error {
	for _, m := range msgs {
		for i := range m.Data {
			switch {
			case m.Read:
				m.Data[i] = c.read(c.pointer)
				c.pointer++
			case i%2 == 0:
				c.pointer = m.Data[i]
			default:
				c.write(c.pointer, m.Data[i])
			}
		}
	}
	return nil
}

// selection is the part on SPI (DS002 section 6.3): a control byte whose bit 7 is for a
// read and stands for bit 7 of the register otherwise, then the data of a read, or the
// value and more pairs.
type selection struct {
	register         uint8
	addressed, reads bool
}

// Select begins with a control byte.
func (c *chip) Select() { c.spi = selection{} }

// Deselect ends what there is.
func (c *chip) Deselect() {}

// Exchange takes control bytes and values. With three wires nothing is on SDO.
func (c *chip) Exchange(tx, rx []byte, _ int) {
	s := &c.spi
	for i, b := range tx {
		switch {
		case !s.addressed:
			s.register, s.reads, s.addressed = b|0x80, b&0x80 != 0, true
		case s.reads:
			if c.config&spi3Wire == 0 {
				rx[i] = c.read(s.register)
			}
			s.register++
		default:
			c.write(s.register, b)
			s.addressed = false
		}
	}
}

// Get is of the air, which the chip only measures.
func (c *chip) Get(property string) periph.Value {
	switch property {
	case "temperature":
		return periph.Num(c.air.temperature)
	case "pressure":
		return periph.Num(c.air.pressure / 100)
	}
	return periph.Num(c.air.humidity)
}

// Set changes the air.
func (c *chip) Set(property string, v periph.Value) error {
	if c.powered {
		c.catchUp()
	}
	switch property {
	case "temperature":
		c.air.temperature = v.Float()
	case "pressure":
		c.air.pressure = v.Float() * 100
	default:
		c.air.humidity = v.Float()
	}
	return nil
}

// Power resets all registers; the calibration stays.
func (c *chip) Power(on bool) {
	if c.powered = on; on {
		c.pointer, c.spi = 0, selection{}
		c.reset()
	}
}

// Close has nothing to end.
func (c *chip) Close() error { return nil }
