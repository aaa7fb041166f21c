package chips

import (
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/periph/spi"
	"backplane/simbus"
)

// bme280 is the sensor of Bosch BST-BME280-DS002. What it measures is converted at the end
// of each measurement; the IIR filter and the resolution of each oversampling are as
// documented, noise is none. Measurements take their typical time.
var bme280 = &periph.Model{
	Name:   "bme280",
	Title:  "Bosch BME280 humidity, pressure and temperature sensor",
	Source: "Bosch BST-BME280-DS002-15, version 1.6",
	On: []*periph.Mount{
		i2c.At(0x76, 0x77),
		spi.Select(spi.Limits{Modes: []spi.Mode{spi.Mode0, spi.Mode3}, MaxHz: 10_000_000}),
	},
	Properties: []periph.Spec{
		temperatureSpec(-40, 85),
		{Name: "pressure", Kind: periph.Number, Unit: "hPa", Min: 300, Max: 1100, Default: periph.Num(1013.25), Doc: "air pressure"},
		{Name: "humidity", Kind: periph.Number, Unit: "%", Min: 0, Max: 100, Default: periph.Num(50), Doc: "relative humidity of the air"},
	},
	Node: func(*periph.Options) periph.Node {
		return periph.Node{Name: "environment-sensor", Compatible: []string{"bosch,bme280"}}
	},
	Kernel: []string{"CONFIG_IIO", "CONFIG_BMP280"},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &bme280Chip{clock: env.Clock}
		c.air = bme280Air{o.Get("temperature").Float(), o.Get("pressure").Float() * 100, o.Get("humidity").Float()}
		return c, nil
	},
}

// Registers (DS002 table 18).
const (
	bme280Calib00  = 0x88 // to 0xa1
	bme280ID       = 0xd0
	bme280Reset    = 0xe0
	bme280Calib26  = 0xe1 // to 0xf0
	bme280CtrlHum  = 0xf2
	bme280Status   = 0xf3
	bme280CtrlMeas = 0xf4
	bme280Config   = 0xf5
	bme280Data     = 0xf7 // pressure, temperature, humidity, to 0xfe

	bme280IDValue   = 0x60
	bme280ResetWord = 0xb6
)

// Fields of the registers (DS002 sections 5.4.3 to 5.4.6).
const (
	bme280OversamplingMask = 7
	bme280Measuring        = 1 << 3
	bme280ImUpdate         = 1 << 0
	bme280TempShift        = 5
	bme280PressShift       = 2
	bme280ModeMask         = 3
	bme280StandbyShift     = 5
	bme280FilterShift      = 2
	bme280SPI3Wire         = 1 << 0
	bme280ConfigMask       = 0xfd // bit 1 is not there
)

// Modes (DS002 table 25); 2 is forced as well.
const (
	bme280Sleep  = 0
	bme280Forced = 1
	bme280Normal = 3
)

// bme280Startup is how long the calibration is copied after power-on or a reset; the data
// sheet has a maximum of 2 ms for the whole start-up (table 1).
const bme280Startup = time.Millisecond

// bme280Standby is the time between measurements in normal mode (DS002 table 27).
var bme280Standby = [...]time.Duration{500 * time.Microsecond, 62500 * time.Microsecond, 125 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 10 * time.Millisecond, 20 * time.Millisecond}

// bme280Chip keeps no timer: what it has measured is found out when somebody looks, or
// before the air changes.
type bme280Chip struct {
	clock   simbus.Clock
	powered bool
	air     bme280Air

	pointer uint8 // of I2C
	spi     bme280SPI

	ready    simbus.Time // when the calibration has been copied
	ctrlHum  uint8       // the registers as written
	ctrlMeas uint8
	config   uint8

	mode    uint8
	samples bme280Samples // of the measurement under way
	next    simbus.Time   // when that ends, or in normal mode the one to come
	waiting bool          // a mode has been written while one was under way
	data    bme280Raw
	filter  bme280Filter
}

// reset is the state after power-on and after the reset word (DS002 section 5.4.2).
func (c *bme280Chip) reset() {
	c.ready = c.clock.Now().Add(bme280Startup)
	c.ctrlHum, c.ctrlMeas, c.config, c.mode, c.waiting = 0, 0, 0, bme280Sleep, false
	c.data = bme280Raw{bme280Skipped, bme280Skipped, bme280SkippedHumidity}
	c.filter = bme280Filter{}
}

// begin brings the mode that was written into effect.
func (c *bme280Chip) begin(t simbus.Time) {
	c.mode, c.waiting = c.ctrlMeas&bme280ModeMask, false
	if c.mode == 2 {
		c.mode = bme280Forced
	}
	c.samples = bme280Samples{
		temperature: oversampling(c.ctrlMeas >> bme280TempShift),
		pressure:    oversampling(c.ctrlMeas >> bme280PressShift),
		humidity:    oversampling(c.ctrlHum),
	}
	c.next = t.Add(c.samples.duration())
}

// measuring tells whether a measurement is under way.
func (c *bme280Chip) measuring() bool {
	return c.mode == bme280Forced || c.mode == bme280Normal && c.next.Sub(c.clock.Now()) <= c.samples.duration()
}

// catchUp carries out the measurements that have ended since the last time, in air that
// has not changed meanwhile.
func (c *bme280Chip) catchUp() {
	now := c.clock.Now()
	for c.mode != bme280Sleep && now >= c.next {
		c.data = c.filter.take(c.air.raw(c.samples, c.config), c.config)
		switch cycle := c.samples.duration() + bme280Standby[c.config>>bme280StandbyShift]; {
		case c.waiting:
			c.begin(c.next)
		case c.mode == bme280Forced:
			c.mode = bme280Sleep
			c.ctrlMeas &^= bme280ModeMask
		default:
			if skip := now.Sub(c.next)/cycle - bme280Settled; skip > 0 {
				c.next = c.next.Add(skip * cycle)
			}
			c.next = c.next.Add(cycle)
		}
	}
}

func (c *bme280Chip) read(register uint8) uint8 {
	c.catchUp()
	switch {
	case register >= bme280Data && register < bme280Data+uint8(len(bme280Raw{}.registers())):
		r := c.data.registers()
		return r[register-bme280Data]
	case register == bme280ID:
		return bme280IDValue
	case register == bme280CtrlHum:
		return c.ctrlHum
	case register == bme280CtrlMeas:
		return c.ctrlMeas
	case register == bme280Config:
		return c.config
	case register == bme280Status:
		var v uint8
		if c.measuring() {
			v |= bme280Measuring
		}
		if c.clock.Now() < c.ready {
			v |= bme280ImUpdate
		}
		return v
	}
	return bme280Calibration.register(register)
}

func (c *bme280Chip) write(register, v uint8) {
	c.catchUp()
	switch register {
	case bme280Reset:
		if v == bme280ResetWord {
			c.reset()
		}
	case bme280CtrlHum: // counts when ctrl_meas is written (DS002 section 5.4.3)
		c.ctrlHum = v & bme280OversamplingMask
	case bme280CtrlMeas:
		switch {
		case c.waiting: // one change of mode at a time (DS002 section 3.3.1)
		case c.measuring():
			c.ctrlMeas, c.waiting = v, true
		default:
			c.ctrlMeas = v
			c.begin(c.clock.Now())
		}
	case bme280Config:
		if c.mode == bme280Normal { // may be ignored in normal mode (DS002 section 5.4.6): it is
			return
		}
		c.config = v & bme280ConfigMask
	}
}

// Transfer is the part on I2C (DS002 section 6.2): a write sets the register, and has
// more pairs of register and value after the first value; reads go on from the register.
func (c *bme280Chip) Transfer(msgs []i2c.Msg) error {
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

// bme280SPI is the part on SPI (DS002 section 6.3): a control byte whose bit 7 is for a
// read and stands for bit 7 of the register otherwise, then the data of a read, or the
// value and more pairs.
type bme280SPI struct {
	register         uint8
	addressed, reads bool
}

// Select begins with a control byte.
func (c *bme280Chip) Select() { c.spi = bme280SPI{} }

// Deselect ends what there is.
func (c *bme280Chip) Deselect() {}

// Exchange takes control bytes and values. With three wires nothing is on SDO.
func (c *bme280Chip) Exchange(tx, rx []byte, _ int) {
	s := &c.spi
	for i, b := range tx {
		switch {
		case !s.addressed:
			s.register, s.reads, s.addressed = b|0x80, b&0x80 != 0, true
		case s.reads:
			if c.config&bme280SPI3Wire == 0 {
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
func (c *bme280Chip) Get(property string) periph.Value {
	switch property {
	case "temperature":
		return periph.Num(c.air.temperature)
	case "pressure":
		return periph.Num(c.air.pressure / 100)
	}
	return periph.Num(c.air.humidity)
}

// Set changes the air.
func (c *bme280Chip) Set(property string, v periph.Value) error {
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
func (c *bme280Chip) Power(on bool) {
	if c.powered = on; on {
		c.pointer, c.spi = 0, bme280SPI{}
		c.reset()
	}
}

// Close has nothing to end.
func (c *bme280Chip) Close() error { return nil }
