package chips

import (
	"fmt"
	"math"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// ds3231 is the real-time clock of Maxim 19-5170. It counts on the board's
// clock from the appliance's start time, on its battery too, with all registers.
// The square wave and the 32 kHz output are not made: with INTCN off the pin floats.
// It measures the temperature at once, where the part does so each 64 s and when CONV
// asks for it, for up to 200 ms: CONV and BSY are never seen set.
var ds3231 = &periph.Model{
	Name:   "ds3231",
	Title:  "Maxim DS3231 real-time clock with temperature sensor",
	Source: "Maxim 19-5170 revision 10, March 2015",
	On:     []*periph.Mount{i2c.At(0x68)},
	Pins:   []periph.PinSpec{{Name: "int", Output: true, OpenDrain: true, Doc: "INT/SQW: an alarm; needs a pull-up, which it brings itself here"}},
	Properties: []periph.Spec{
		temperatureSpec(-40, 85),
		{Name: "time", Kind: periph.Text, ReadOnly: true, Doc: "the time that it shows (RFC 3339)"},
	},
	Options: []periph.Spec{
		{Name: "drift", Kind: periph.Number, Unit: "ppm", Min: -1000, Max: 1000, Doc: "how much too fast it runs"},
		{Name: "lost_power", Kind: periph.Switch, Doc: "its battery has run down: without power it forgets all, and drivers do not trust the time"},
	},
	Node: func(*periph.Options) periph.Node {
		return periph.Node{Name: "rtc", Compatible: []string{"maxim,ds3231"}, Interrupt: "int", InterruptType: 8, WakeupSource: true} // level low
	},
	Kernel: []string{"CONFIG_RTC_CLASS", "CONFIG_RTC_DRV_DS1307"},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &ds3231Chip{env: env, int: env.Pin("int"), temperature: o.Get("temperature").Float(),
			ppm: o.Get("drift").Float(), noBattery: o.Get("lost_power").Bool()}
		c.reset()
		if !c.noBattery {
			c.set(time.Unix(env.Epoch, 0).UTC())
			c.weekday = 1 + int(c.base.Weekday())
			c.status &^= ds3231OSF
		}
		c.pointed = pointed{read: c.readFrom, write: c.writeFrom}
		return c, nil
	},
}

// Registers (19-5170 figure 1).
const (
	ds3231Seconds = 0x00
	ds3231Minutes = 0x01
	ds3231Hours   = 0x02
	ds3231Day     = 0x03
	ds3231Date    = 0x04
	ds3231Month   = 0x05
	ds3231Year    = 0x06
	ds3231Alarm1  = 0x07 // seconds, minutes, hours, day or date
	ds3231Alarm2  = 0x0b // minutes, hours, day or date
	ds3231Control = 0x0e
	ds3231Status  = 0x0f
	ds3231Aging   = 0x10
	ds3231Temp    = 0x11
	ds3231Size    = 0x13
)

// Bits of the hours, month, alarm, control and status registers.
const (
	ds3231Hour12  = 1 << 6
	ds3231PM      = 1 << 5
	ds3231Century = 1 << 7
	ds3231Mask    = 1 << 7 // of an alarm: this field does not matter
	ds3231DyDt    = 1 << 6 // of an alarm: a day of the week, not a date

	ds3231EOSC  = 1 << 7 // the oscillator stops on the battery
	ds3231RS    = 3 << 3
	ds3231INTCN = 1 << 2
	ds3231CONV  = 1 << 5

	ds3231OSF    = 1 << 7
	ds3231EN32k  = 1 << 3
	ds3231Alarms = 3 // A2F and A1F, and A2IE and A1IE in the control register
)

type ds3231Chip struct {
	pointed
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
}

// now is what it shows.
func (c *ds3231Chip) now() time.Time {
	if c.stopped {
		return c.base
	}
	d := c.env.Clock.Now().Sub(c.at)
	return c.base.Add(d + time.Duration(float64(d)*c.ppm/1e6))
}

func (c *ds3231Chip) set(t time.Time) { c.base, c.at, c.looked = t, c.env.Clock.Now(), t }

// reset is the first application of power (19-5170 pages 12 to 14): Saturday, as
// 1 January 2000 was, is day 1.
func (c *ds3231Chip) reset() {
	c.control, c.status, c.aging = ds3231INTCN|ds3231RS, ds3231OSF|ds3231EN32k, 0
	c.alarms, c.hour12 = [7]byte{}, false
	c.set(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC))
	c.weekday = 1
}

// Power switches between the supply and the battery, on which everything stays,
// an alarm pulls the pin low, and with EOSC set the clock stands still.
func (c *ds3231Chip) Power(on bool) {
	c.catchUp()
	c.powered = on
	switch {
	case on && c.stopped:
		c.stopped = false
		c.set(c.base)
	case on:
		c.pointer = 0
	case c.noBattery:
		c.reset()
		c.stopped = true
	case c.control&ds3231EOSC != 0:
		c.set(c.now())
		c.stopped = true
		c.status |= ds3231OSF
	}
	c.update()
}

// day is the day of the week at t, which counts on from what was set.
func (c *ds3231Chip) day(t time.Time) int {
	days := int(midnight(t).Sub(midnight(c.base)) / (24 * time.Hour))
	return ((c.weekday-1+days)%7+7)%7 + 1
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func bcd(n int) byte     { return byte(n/10<<4 | n%10) }
func fromBCD(b byte) int { return int(b>>4)*10 + int(b&15) }
func hours24(b byte) int { // of an hours register in either form
	if b&ds3231Hour12 == 0 {
		return fromBCD(b & 0x3f)
	}
	h := fromBCD(b&0x1f) % 12
	if b&ds3231PM != 0 {
		h += 12
	}
	return h
}

func hoursRegister(h int, hour12 bool) byte {
	if !hour12 {
		return bcd(h)
	}
	b := byte(ds3231Hour12)
	if h >= 12 {
		b |= ds3231PM
	}
	return b | bcd((h+11)%12+1)
}

// registers are all of them, as they are now.
func (c *ds3231Chip) registers() (r [ds3231Size]byte) {
	t := c.now()
	r[ds3231Seconds], r[ds3231Minutes], r[ds3231Hours] = bcd(t.Second()), bcd(t.Minute()), hoursRegister(t.Hour(), c.hour12)
	r[ds3231Day], r[ds3231Date], r[ds3231Month] = byte(c.day(t)), bcd(t.Day()), bcd(int(t.Month()))
	year := t.Year() - 2000
	if year >= 100 {
		r[ds3231Month] |= ds3231Century
	}
	r[ds3231Year] = bcd(((year % 100) + 100) % 100)
	copy(r[ds3231Alarm1:], c.alarms[:])
	r[ds3231Control], r[ds3231Status], r[ds3231Aging] = c.control, c.status, c.aging
	quarters := int16(math.Round(c.temperature*4)) << 6
	r[ds3231Temp], r[ds3231Temp+1] = byte(quarters>>8), byte(quarters)
	return r
}

// readFrom is the registers from r on, and around.
func (c *ds3231Chip) readFrom(r uint8) []byte {
	c.catchUp()
	all := c.registers()
	i := int(r) % ds3231Size
	return append(append([]byte(nil), all[i:]...), all[:i]...)
}

// writeFrom writes registers from r on, and around.
func (c *ds3231Chip) writeFrom(r uint8, data []byte) {
	c.catchUp()
	all := c.registers()
	timeSet, subsecond := false, c.now().Nanosecond()
	for i, b := range data {
		at := (int(r) + i) % ds3231Size
		all[at] = b
		switch {
		case at <= ds3231Year:
			timeSet = true
			if at == ds3231Seconds {
				subsecond = 0 // the countdown chain begins anew
			}
		case at < ds3231Control:
			c.alarms[at-ds3231Alarm1] = b
		case at == ds3231Control:
			c.control = b &^ ds3231CONV // a conversion takes no time
		case at == ds3231Status: // flags can only be cleared
			c.status = b&ds3231EN32k | c.status&b&(ds3231OSF|ds3231Alarms)
		case at == ds3231Aging:
			c.aging = b
		}
	}
	if timeSet {
		c.setFrom(&all, subsecond)
	}
	c.update()
}

// setFrom takes the time from what was written.
func (c *ds3231Chip) setFrom(r *[ds3231Size]byte, subsecond int) {
	year := 2000 + fromBCD(r[ds3231Year])
	if r[ds3231Month]&ds3231Century != 0 {
		year += 100
	}
	c.hour12 = r[ds3231Hours]&ds3231Hour12 != 0
	c.set(time.Date(year, time.Month(fromBCD(r[ds3231Month]&0x1f)), fromBCD(r[ds3231Date]&0x3f), hours24(r[ds3231Hours]),
		fromBCD(r[ds3231Minutes]&0x7f), fromBCD(r[ds3231Seconds]&0x7f), subsecond, time.UTC))
	c.weekday = int(r[ds3231Day]&7+6)%7 + 1
}

// update drives the pin, and waits for the next alarm that will: the flags of
// the others are seen to when somebody looks.
func (c *ds3231Chip) update() {
	c.wake.Stop()
	c.wake = nil
	var enabled byte
	if c.control&ds3231INTCN != 0 {
		enabled = c.control & ds3231Alarms
	}
	c.int.Drive(openDrain(c.powered, enabled&c.status != 0))
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
func (c *ds3231Chip) catchUp() {
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
func (c *ds3231Chip) due(i int, t time.Time) (time.Time, bool) {
	second, a := 0, c.alarms[4:]
	if i == 0 {
		second, a = alarmField(c.alarms[0], fromBCD), c.alarms[1:4]
	}
	minute, hour := alarmField(a[0], fromBCD), alarmField(a[1], hours24)
	day, today := alarmField(a[2]&^ds3231DyDt, fromBCD), time.Time.Day
	last := 31
	if a[2]&ds3231DyDt != 0 {
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
	if b&ds3231Mask != 0 {
		return -1
	}
	return decode(b)
}

func (c *ds3231Chip) Get(property string) periph.Value {
	if property == "time" {
		return periph.Str(c.now().Format(time.RFC3339))
	}
	return periph.Num(c.temperature)
}

func (c *ds3231Chip) Set(property string, v periph.Value) error {
	if property != "temperature" {
		return fmt.Errorf("%s can only be read", property)
	}
	c.temperature = v.Float()
	return nil
}

func (c *ds3231Chip) Close() error { return nil }
