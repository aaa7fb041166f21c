// Command sensord is the firmware of the sensor board: it reads a TMP102 and an
// INA219, sends each reading over the network, and raises an alarm line when it
// is too hot.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"backplane/firmware/gpiodev"
	"backplane/firmware/i2cdev"
)

// Registers of the TMP102 (SBOS397) and the INA219 (SBOS448).
const (
	tmpTemperature = 0
	tmpConfig      = 1
	tmpLow         = 2
	tmpHigh        = 3
	tmpConfigEM    = 1 << 4 // 13 bits instead of 12

	inaBus         = 2
	inaCurrent     = 4
	inaCalibration = 5
	// With a shunt of 0.1 ohm this makes a bit of the current 0.1 mA.
	inaCalibration100uA = 4096
)

type options struct {
	bus      int
	tmp, ina uint
	period   time.Duration
	to       string
	limit    float64
}

// hysteresis is how far below the limit the alarm ends, in °C.
const hysteresis = 2

func main() {
	var o options
	flag.IntVar(&o.bus, "bus", 1, "I2C bus")
	flag.UintVar(&o.tmp, "tmp", 0x48, "address of the TMP102")
	flag.UintVar(&o.ina, "ina", 0x40, "address of the INA219")
	flag.DurationVar(&o.period, "period", time.Second, "time between readings")
	flag.StringVar(&o.to, "to", "10.0.0.2:5555", "where readings go")
	flag.Float64Var(&o.limit, "limit", 40, "temperature of the alarm in °C")
	flag.Parse()
	s, send, err := open(o)
	if err != nil {
		complain(err)
		os.Exit(1)
	}
	s.run(o, send)
}

// sensors are the two chips.
type sensors struct {
	tmp, ina *i2cdev.I2C
}

// reading is one measurement.
type reading struct {
	temperature, voltage, current float64 // °C, V, A
}

// open opens the chips' buses, and a socket to send from.
func open(o options) (s *sensors, send func(text string) error, err error) {
	s = new(sensors)
	if s.tmp, err = i2cdev.NewI2C(uint8(o.tmp), o.bus); err != nil {
		return nil, nil, err
	}
	if s.ina, err = i2cdev.NewI2C(uint8(o.ina), o.bus); err != nil {
		return nil, nil, err
	}
	to, err := net.ResolveUDPAddr("udp", o.to)
	if err != nil {
		return nil, nil, err
	}
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, nil, err
	}
	return s, func(text string) error {
		_, err := conn.WriteToUDP([]byte(text), to)
		return err
	}, nil
}

// run measures and reports for ever.
func (s *sensors) run(o options, send func(text string) error) {
	if err := s.setUp(o.limit); err != nil {
		complain(err) // it may answer later
	}
	alarm := output("alarm")
	led := output("led")
	pressed := presses("button")
	tick := time.NewTicker(o.period)
	hot, lit := false, false
	for seq := 1; ; seq++ {
		if r, err := s.read(); err != nil {
			complain(err)
		} else {
			text := fmt.Sprintf("seq=%d temp=%.2f volt=%.3f amp=%.3f", seq, r.temperature, r.voltage, r.current)
			fmt.Println(text)
			if err := send(text); err != nil {
				complain(err)
			}
			if r.temperature > o.limit && !hot || r.temperature < o.limit-hysteresis && hot {
				hot = !hot
				set(alarm, hot)
				fmt.Printf("alarm %t\n", hot)
			}
		}
		lit = !lit
		set(led, lit)
		select {
		case <-tick.C:
		case <-pressed:
			fmt.Println("button")
		}
	}
}

func complain(err error) { fmt.Fprintln(os.Stderr, "sensord:", err) }

// setUp gives the TMP102 its limits, so that its own ALERT pin works, and the
// INA219 its calibration.
func (s *sensors) setUp(limit float64) error {
	config, err := s.tmp.ReadRegU16BE(tmpConfig)
	if err != nil {
		return err
	}
	shift := 4
	if config&tmpConfigEM != 0 { // the kernel's driver, if it is there, wants it so
		shift = 3
	}
	degrees := func(t float64) int16 { return int16(t*16) << shift }
	return errors.Join(
		s.tmp.WriteRegS16BE(tmpHigh, degrees(limit)),
		s.tmp.WriteRegS16BE(tmpLow, degrees(limit-hysteresis)),
		s.ina.WriteRegU16BE(inaCalibration, inaCalibration100uA))
}

func (s *sensors) read() (r reading, err error) {
	t, err := s.tmp.ReadRegS16BE(tmpTemperature)
	if err != nil {
		return r, err
	}
	bus, err := s.ina.ReadRegU16BE(inaBus)
	if err != nil {
		return r, err
	}
	current, err := s.ina.ReadRegS16BE(inaCurrent)
	r.temperature = float64(t>>4) / 16
	if t&1 != 0 { // tells of 13 bits
		r.temperature = float64(t>>3) / 16
	}
	r.voltage = float64(bus>>3) * 0.004
	r.current = float64(current) * 0.0001
	return r, err
}

// output requests a line. A board without it works all the same.
func output(name string) *gpiodev.Line {
	l, err := gpiodev.Output(name, "sensord", false)
	if err != nil {
		complain(err)
	}
	return l
}

func set(l *gpiodev.Line, v bool) {
	if l == nil {
		return
	}
	if err := l.Set(v); err != nil {
		complain(err)
	}
}

// debounce is how long a button may bounce.
const debounce = 30 * time.Millisecond

// presses tells of each press of a button, which pulls its line low.
func presses(name string) <-chan struct{} {
	c := make(chan struct{})
	l, err := gpiodev.Edges(name, "sensord")
	if err != nil {
		complain(err)
		return c
	}
	go func() {
		var last time.Duration = -time.Hour
		for {
			e, err := l.Wait()
			if err != nil {
				complain(err)
				return
			}
			if !e.Rising && e.Time-last > debounce {
				c <- struct{}{}
			}
			last = e.Time
		}
	}()
	return c
}
