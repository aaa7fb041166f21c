package bme280

import (
	"encoding/binary"
	"math"
	"sort"
	"time"
)

// What the data registers hold of a measurement that was skipped (DS002 sections 5.4.7 to 5.4.9).
const (
	skipped         = 0x80000
	skippedHumidity = 0x8000
)

// settled is after how many equal measurements the slowest filter shows no more
// change: 2^20 * (15/16)^256 is less than a tenth.
const settled = 256

// air is what is measured.
type air struct {
	temperature float64 // °C
	pressure    float64 // Pa
	humidity    float64 // % relative
}

// raw is what the data registers hold, before compensation.
type raw struct{ pressure, temperature, humidity int }

// registers are those from data on.
func (r raw) registers() (b [8]byte) {
	binary.BigEndian.PutUint32(b[0:], uint32(r.pressure)<<12) // the fourth byte is overwritten
	binary.BigEndian.PutUint32(b[3:], uint32(r.temperature)<<12)
	binary.BigEndian.PutUint16(b[6:], uint16(r.humidity))
	return b
}

// sampling is how often each is sampled in a measurement; 0: it is skipped.
type sampling struct{ temperature, pressure, humidity int }

// oversampling is how many samples a setting means (DS002 tables 20, 23 and 24).
func oversampling(setting uint8) int {
	if setting &= oversamplingMask; setting == 0 {
		return 0
	}
	return 1 << (min(setting, 5) - 1)
}

// duration is the typical time of a measurement (DS002 section 9.1).
func (s sampling) duration() time.Duration {
	d := time.Millisecond + time.Duration(s.temperature)*2*time.Millisecond
	for _, n := range []int{s.pressure, s.humidity} {
		if n > 0 {
			d += time.Duration(n)*2*time.Millisecond + 500*time.Microsecond
		}
	}
	return d
}

// resolve leaves the bits that so many samples give: 16, and one more with each doubling;
// all 20 with the filter on (DS002 section 3.4).
func resolve(raw, samples int, filter bool) int {
	lost := 4
	for ; samples > 1; samples /= 2 {
		lost--
	}
	if filter {
		lost = 0
	}
	half := 1 << lost >> 1
	return min(raw+half, 1<<20-1) >> lost << lost
}

// raw is what a measurement gives, so that the compensation of the data sheet makes the
// air's own values of it.
func (a *air) raw(s sampling, config uint8) raw {
	r := raw{skipped, skipped, skippedHumidity}
	k, filter := &calibration, filterSize(config) > 1
	t := nearest(1<<20-1, a.temperature*5120, k.fine)
	if s.temperature > 0 {
		t = resolve(t, s.temperature, filter)
		r.temperature = t
	}
	fine := k.fine(t)
	if s.pressure > 0 {
		p := nearest(1<<20-1, -a.pressure*256, func(raw int) int { return -k.pressure(raw, fine) })
		r.pressure = resolve(p, s.pressure, filter)
	}
	if s.humidity > 0 {
		r.humidity = nearest(1<<16-1, a.humidity*1024, func(raw int) int { return k.humidity(raw, fine) })
	}
	return r
}

// nearest is the raw value up to highest for which f, which grows, is nearest to want.
func nearest(highest int, want float64, f func(raw int) int) int {
	at := sort.Search(highest, func(raw int) bool { return float64(f(raw)) >= want })
	if at > 0 && want-float64(f(at-1)) < float64(f(at))-want {
		at--
	}
	return at
}

// filterSize is the coefficient of the IIR filter (DS002 table 28); 1 is none.
func filterSize(config uint8) int { return 1 << min(config>>filterShift&7, 4) }

// filter is the IIR filter of temperature and pressure (DS002 section 3.4.4). It
// begins anew with the first measurement after it was switched on.
type filter struct {
	size                  int
	pressure, temperature float64
}

// take is what the data registers hold after one more measurement.
func (f *filter) take(r raw, config uint8) raw {
	n := filterSize(config)
	if n == 1 || f.size != n {
		*f = filter{n, float64(r.pressure), float64(r.temperature)}
		return r
	}
	f.pressure += (float64(r.pressure) - f.pressure) / float64(n)
	f.temperature += (float64(r.temperature) - f.temperature) / float64(n)
	return raw{int(math.Round(f.pressure)), int(math.Round(f.temperature)), r.humidity}
}

// trim is the calibration of a chip (DS002 table 16). The data sheet's own example
// is of temperature and pressure; humidity is as of many parts.
type trim struct {
	t1                             uint16
	t2, t3                         int16
	p1                             uint16
	p2, p3, p4, p5, p6, p7, p8, p9 int16
	h1                             uint8
	h2                             int16
	h3                             uint8
	h4, h5                         int16 // 12 bits
	h6                             int8
}

var calibration = trim{
	t1: 27504, t2: 26435, t3: -1000,
	p1: 36477, p2: -10685, p3: 3024, p4: 2855, p5: 140, p6: -7, p7: 15500, p8: -14600, p9: 6000,
	h1: 75, h2: 362, h3: 0, h4: 313, h5: 50, h6: 30,
}

// register is one of the registers that hold the calibration, 0 of others.
func (k *trim) register(r uint8) uint8 {
	words := [...]uint16{k.t1, uint16(k.t2), uint16(k.t3), k.p1, uint16(k.p2), uint16(k.p3), uint16(k.p4), uint16(k.p5), uint16(k.p6),
		uint16(k.p7), uint16(k.p8), uint16(k.p9), uint16(k.h1) << 8} // byte 24 is not used
	last := [...]uint8{uint8(k.h2), uint8(uint16(k.h2) >> 8), k.h3, uint8(k.h4 >> 4), uint8(k.h4)&15 | uint8(k.h5)<<4, uint8(k.h5 >> 4), uint8(k.h6)}
	switch {
	case r >= calib00 && int(r-calib00) < 2*len(words):
		return uint8(words[(r-calib00)/2] >> (8 * ((r - calib00) % 2)))
	case r >= calib26 && int(r-calib26) < len(last):
		return last[r-calib26]
	}
	return 0
}

// The compensation of DS002 section 4.2.3, in the whole numbers that Linux and Bosch's
// driver calculate with: fine is in 1/5120 °C, pressure in 1/256 Pa, humidity in 1/1024 %.

func (k *trim) fine(raw int) int {
	t1 := int(k.t1)
	a := (raw>>3 - t1<<1) * int(k.t2) >> 11
	b := ((raw>>4 - t1) * (raw>>4 - t1) >> 12) * int(k.t3) >> 14
	return a + b
}

func (k *trim) pressure(raw, fine int) int {
	a := fine - 128000
	b := a*a*int(k.p6) + a*int(k.p5)<<17 + int(k.p4)<<35
	a = a*a*int(k.p3)>>8 + a*int(k.p2)<<12
	a = (1<<47 + a) * int(k.p1) >> 33
	p := ((1048576-raw)<<31 - b) * 3125 / a
	a = int(k.p9) * (p >> 13) * (p >> 13) >> 25
	b = int(k.p8) * p >> 19
	return (p+a+b)>>8 + int(k.p7)<<4
}

func (k *trim) humidity(raw, fine int) int {
	v := fine - 76800
	slope := ((v*int(k.h6)>>10)*(v*int(k.h3)>>11+32768)>>10+2097152)*int(k.h2) + 8192
	v = (raw<<14 - int(k.h4)<<20 - int(k.h5)*v + 16384) >> 15 * (slope >> 14)
	v -= ((v >> 15) * (v >> 15) >> 7) * int(k.h1) >> 4
	return min(max(v, 0), 100<<22) >> 12
}
