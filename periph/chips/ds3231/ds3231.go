// Package ds3231 models the DS3231, a real-time clock on I2C.
package ds3231

import (
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus"
	"backplane/simbus/hostfile"
	"backplane/simbus/wire"
)

// Model is the real-time clock of Maxim 19-5170. It counts on the board's
// clock from the appliance's start time, on its battery too, with all registers; with a file
// it goes on from the run before.
// The square wave and the 32 kHz output are not made: with INTCN off the pin floats.
// It measures the temperature at once, where the part does so each 64 s and when CONV
// asks for it, for up to 200 ms: CONV and BSY are never seen set.
var Model = &periph.Model{
	Name:   "ds3231",
	Title:  "Maxim DS3231 real-time clock with temperature sensor",
	Source: "Maxim 19-5170 revision 10, March 2015",
	On:     []*periph.Mount{i2c.At(0x68)},
	Pins:   []periph.PinSpec{{Name: "int", Output: true, OpenDrain: true, Doc: "INT/SQW: an alarm; needs a pull-up, which the model includes"}},
	Properties: []periph.Spec{
		periph.TemperatureSpec(-40, 85),
		{Name: "time", Kind: periph.Text, ReadOnly: true, Doc: "the time that the clock shows (RFC 3339)"},
	},
	Options: []periph.Spec{
		{Name: "drift", Kind: periph.Number, Unit: "ppm", Min: -1000, Max: 1000, Doc: "how much too fast the clock runs"},
		{Name: "file", Kind: periph.Text, Doc: "file of 32 bytes that keeps what the battery does while the appliance is stopped, and when that was, made if missing; without it each run begins with the time of its start"},
		{Name: "lost_power", Kind: periph.Switch, Doc: "its battery has run down: without power it forgets all, and drivers do not trust the time"},
	},
	Node: func(*periph.Options) periph.Node {
		return periph.Node{Name: "rtc", Compatible: []string{"maxim,ds3231"}, Interrupt: "int", InterruptType: 8, WakeupSource: true} // level low
	},
	Kernel: []string{"CONFIG_RTC_CLASS", "CONFIG_RTC_DRV_DS1307"},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &chip{env: env, int: env.Pin("int"), temperature: o.Get("temperature").Float(),
			ppm: o.Get("drift").Float(), noBattery: o.Get("lost_power").Bool()}
		c.reset()
		if !c.noBattery {
			c.set(env.Epoch.UTC())
			c.weekday = 1 + int(c.base.Weekday())
			c.status &^= osf
		}
		if name := o.Get("file").Text(); name != "" {
			f, kept, err := hostfile.Keep(env.Path(name), keptSize, 0)
			if err != nil {
				return nil, err
			}
			if c.file = f; !c.noBattery {
				c.restore(kept)
			}
		}
		c.Pointed = i2c.Pointed{Read: c.readFrom, Write: c.writeFrom}
		return c, nil
	},
}

// Registers (19-5170 figure 1).
const (
	seconds = 0x00
	minutes = 0x01
	hours   = 0x02
	day     = 0x03
	date    = 0x04
	month   = 0x05
	year    = 0x06
	alarm1  = 0x07 // seconds, minutes, hours, day or date
	alarm2  = 0x0b // minutes, hours, day or date
	control = 0x0e
	status  = 0x0f
	aging   = 0x10
	temp    = 0x11
	size    = 0x13
)

// Bits of the hours, month, alarm, control and status registers.
const (
	hour12Bit = 1 << 6
	pm        = 1 << 5
	century   = 1 << 7
	mask      = 1 << 7 // of an alarm: this field does not matter
	dyDt      = 1 << 6 // of an alarm: a day of the week, not a date

	eosc  = 1 << 7 // the oscillator stops on the battery
	rs    = 3 << 3
	intcn = 1 << 2
	conv  = 1 << 5

	osf    = 1 << 7
	en32k  = 1 << 3
	alarms = 3 // A2F and A1F, and A2IE and A1IE in the control register
)

type chip struct {
	i2c.Pointed
	env *periph.Env
	int *wire.Pin
	ppm float64 // drift

	powered   bool
	noBattery bool
	stopped   bool // the oscillator

	base    time.Time   // what it showed
	at      simbus.Time // then
	weekday int         // on the day of base, 1 to 7
	hour12  bool

	alarms          [7]byte
	control, status byte
	aging           byte
	temperature     float64
	looked          time.Time     // up to when the flags tell of alarms
	wake            *simbus.Timer // the next alarm that will drive the pin

	file    *os.File // that keeps what the battery does; nil for none
	unsaved error    // why the file could not be written
}

// now is what it shows.
func (c *chip) now() time.Time {
	if c.stopped {
		return c.base
	}
	return c.base.Add(c.ran(c.env.Clock.Now().Sub(c.at)))
}

// ran is how far the clock goes while so much time passes.
func (c *chip) ran(d time.Duration) time.Duration { return d + time.Duration(float64(d)*c.ppm/1e6) }

func (c *chip) set(t time.Time) { c.base, c.at, c.looked = t, c.env.Clock.Now(), t }

// move is set for a time that it has come to by itself: the days of the week have gone on, too.
func (c *chip) move(t time.Time) {
	weekday := c.day(t)
	c.set(t)
	c.weekday = weekday
}

// stop is what EOSC does on the battery.
func (c *chip) stop() {
	c.move(c.now())
	c.stopped = true
	c.status |= osf
}

// reset is the first application of power (19-5170 pages 12 to 14): Saturday, as
// 1 January 2000 was, is day 1.
func (c *chip) reset() {
	c.control, c.status, c.aging = intcn|rs, osf|en32k, 0
	c.alarms, c.hour12 = [7]byte{}, false
	c.set(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC))
	c.weekday = 1
}

// Power switches between the supply and the battery, on which everything stays,
// an alarm pulls the pin low, and with EOSC set the clock stands still.
func (c *chip) Power(on bool) {
	c.catchUp()
	c.powered = on
	switch {
	case on && c.stopped:
		c.stopped = false
		c.set(c.base)
	case on:
		c.Pointer = 0
	default:
		c.toBattery()
	}
	c.update()
	c.save()
}

// toBattery is what happens inside the chip when its supply goes.
func (c *chip) toBattery() {
	switch {
	case c.noBattery:
		c.reset()
		c.stopped = true
	case c.control&eosc != 0:
		c.stop()
	}
}

// day is the day of the week at t, which counts on from what was set.
func (c *chip) day(t time.Time) int {
	days := int(midnight(t).Sub(midnight(c.base)) / (24 * time.Hour))
	return ((c.weekday-1+days)%7+7)%7 + 1
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func bcd(n int) byte     { return byte(n/10<<4 | n%10) }
func fromBCD(b byte) int { return int(b>>4)*10 + int(b&15) }
func hours24(b byte) int { // of an hours register in either form
	if b&hour12Bit == 0 {
		return fromBCD(b & 0x3f)
	}
	h := fromBCD(b&0x1f) % 12
	if b&pm != 0 {
		h += 12
	}
	return h
}

func hoursRegister(h int, hour12 bool) byte {
	if !hour12 {
		return bcd(h)
	}
	b := byte(hour12Bit)
	if h >= 12 {
		b |= pm
	}
	return b | bcd((h+11)%12+1)
}

// registers are all of them, as they are now.
func (c *chip) registers() (r [size]byte) {
	t := c.now()
	r[seconds], r[minutes], r[hours] = bcd(t.Second()), bcd(t.Minute()), hoursRegister(t.Hour(), c.hour12)
	r[day], r[date], r[month] = byte(c.day(t)), bcd(t.Day()), bcd(int(t.Month()))
	since2000 := t.Year() - 2000
	if since2000 >= 100 {
		r[month] |= century
	}
	r[year] = bcd(((since2000 % 100) + 100) % 100)
	copy(r[alarm1:], c.alarms[:])
	r[control], r[status], r[aging] = c.control, c.status, c.aging
	quarters := int16(math.Round(c.temperature*4)) << 6
	r[temp], r[temp+1] = byte(quarters>>8), byte(quarters)
	return r
}

// readFrom is the registers from r on, and around.
func (c *chip) readFrom(r uint8) []byte {
	c.catchUp()
	all := c.registers()
	i := int(r) % size
	return append(append([]byte(nil), all[i:]...), all[:i]...)
}

// writeFrom writes registers from r on, and around.
func (c *chip) writeFrom(r uint8, data []byte) {
	c.catchUp()
	all := c.registers()
	timeSet, subsecond := false, c.now().Nanosecond()
	for i, b := range data {
		at := (int(r) + i) % size
		all[at] = b
		switch {
		case at <= year:
			timeSet = true
			if at == seconds {
				subsecond = 0 // the countdown chain begins anew
			}
		case at < control:
			c.alarms[at-alarm1] = b
		case at == control:
			c.control = b &^ conv // a conversion takes no time
		case at == status: // flags can only be cleared
			c.status = b&en32k | c.status&b&(osf|alarms)
		case at == aging:
			c.aging = b
		}
	}
	if timeSet {
		c.setFrom(&all, subsecond)
	}
	c.update()
	c.save()
}

// setFrom takes the time from what was written.
func (c *chip) setFrom(r *[size]byte, subsecond int) {
	year := 2000 + fromBCD(r[year])
	if r[month]&century != 0 {
		year += 100
	}
	c.hour12 = r[hours]&hour12Bit != 0
	c.set(time.Date(year, time.Month(fromBCD(r[month]&0x1f)), fromBCD(r[date]&0x3f), hours24(r[hours]),
		fromBCD(r[minutes]&0x7f), fromBCD(r[seconds]&0x7f), subsecond, time.UTC))
	c.weekday = int(r[day]&7+6)%7 + 1
}

// update drives the pin, and waits for the next alarm that will: the flags of
// the others are seen to when somebody looks.
func (c *chip) update() {
	c.wake.Stop()
	c.wake = nil
	var enabled byte
	if c.control&intcn != 0 {
		enabled = c.control & alarms
	}
	c.int.Drive(wire.OpenDrain(c.powered, enabled&c.status != 0))
	var first time.Time
	for i := range 2 {
		if enabled&^c.status>>i&1 == 0 {
			continue
		}
		if t, ok := c.due(i, c.looked); ok && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if first.IsZero() || c.stopped {
		return
	}
	wait := float64(first.Sub(c.now())) / (1 + c.ppm/1e6)
	c.wake = simbus.After(c.env.Clock, time.Duration(max(1, math.Ceil(wait))), func() {
		c.catchUp()
		c.update()
	})
}

// catchUp sets the flags of the alarms that have come since it last looked.
func (c *chip) catchUp() {
	now := c.now()
	for i := range 2 {
		if t, ok := c.due(i, c.looked); ok && !t.After(now) {
			c.status |= 1 << i
		}
	}
	c.looked = now
}

// due is the first second after t that alarm i matches, 0 for alarm 1, and
// false if there is none.
func (c *chip) due(i int, t time.Time) (time.Time, bool) {
	second, a := 0, c.alarms[4:]
	if i == 0 {
		second, a = alarmField(c.alarms[0], fromBCD), c.alarms[1:4]
	}
	minute, hour := alarmField(a[0], fromBCD), alarmField(a[1], hours24)
	day, today := alarmField(a[2]&^dyDt, fromBCD), time.Time.Day
	last := 31
	if a[2]&dyDt != 0 {
		today, last = c.day, 7
	}
	if second > 59 || minute > 59 || hour > 23 || day == 0 || day > last {
		return time.Time{}, false
	}
	t = t.Truncate(time.Second).Add(time.Second)
	for {
		switch {
		case day >= 0 && day != today(t):
			t = midnight(t).AddDate(0, 0, 1)
		case hour >= 0 && hour != t.Hour():
			t = t.Truncate(time.Hour).Add(time.Hour)
		case minute >= 0 && minute != t.Minute():
			t = t.Truncate(time.Minute).Add(time.Minute)
		case second >= 0 && second != t.Second():
			t = t.Add(time.Second)
		default:
			return t, true
		}
	}
}

// alarmField is what an alarm's field has to be, and -1 if it does not matter.
func alarmField(b byte, decode func(byte) int) int {
	if b&mask != 0 {
		return -1
	}
	return decode(b)
}

func (c *chip) Get(property string) periph.Value {
	if property == "time" {
		return periph.Str(c.now().Format(time.RFC3339))
	}
	return periph.Num(c.temperature)
}

func (c *chip) Set(property string, v periph.Value) error {
	if property != "temperature" {
		return fmt.Errorf("%s is read-only", property)
	}
	c.temperature = v.Float()
	return nil
}

// Close saves how the clock goes on while the appliance is stopped: on its battery.
func (c *chip) Close() error {
	c.wake.Stop()
	if c.file == nil {
		return nil
	}
	c.catchUp()
	c.toBattery()
	c.save()
	err := errors.Join(c.unsaved, c.file.Close())
	c.file = nil
	return err
}
