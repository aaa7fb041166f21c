package lm75

import (
	"time"

	"backplane/simbus"
	"backplane/simbus/wire"
)

// Registers of the family (SNIS153 section 7.5, SBOS397 table 7).
const (
	registerTemperature = 0
	registerConfig      = 1
	registerLow         = 2 // T_HYST, T_LOW
	registerHigh        = 3 // T_OS, T_HIGH
)

// thermostat is what temperature sensors of the LM75 family have in common: an
// output that compares the temperature with two limits, after as many
// conversions in a row as the fault queue asks for.
type thermostat struct {
	clock simbus.Clock
	out   *wire.Pin
	on    bool // has power

	high, low  float64 // °C
	inclusive  bool    // at the upper limit itself counts as too hot
	interrupt  bool    // mode: each crossing is told once, until a register is read
	activeHigh bool
	faults     int           // conversions in a row
	period     time.Duration // of conversions
	stopped    bool          // in shutdown

	temperature float64 // as last converted, and as the register shows it
	hot         bool    // which limit is looked at: the lower one once the upper was crossed
	active      bool    // the output
	count       int     // conversions in a row so far
	next        *simbus.Timer
}

// sample shows a new temperature, or heeds new settings, unless the part is
// shut down. Changes are converted at once, but do not hurry the fault queue.
func (t *thermostat) sample(temperature float64) {
	if !t.stopped {
		t.convert(temperature)
	}
	t.drive()
}

// oneShot is a single conversion in shutdown. The next one goes on counting.
func (t *thermostat) oneShot(temperature float64) {
	t.convert(temperature)
	t.next.Stop()
	t.next = nil
	t.drive()
}

func (t *thermostat) convert(temperature float64) {
	t.temperature = temperature
	if !t.crossed() {
		t.next.Stop()
		t.next, t.count = nil, 0
	} else if t.next == nil {
		t.fault()
	}
}

// fault counts a conversion across the limit. Only while one is being counted
// do conversions have to happen in time.
func (t *thermostat) fault() {
	if t.count++; t.count < t.faults {
		t.next = simbus.After(t.clock, t.period, func() { t.next = nil; t.fault(); t.drive() })
		return
	}
	t.count = 0
	t.hot = !t.hot
	t.active = t.hot || t.interrupt
}

func (t *thermostat) crossed() bool {
	if t.hot {
		return t.temperature < t.low
	}
	return t.temperature > t.high || t.inclusive && t.temperature == t.high
}

// read tells that a register was read, which ends an interrupt.
func (t *thermostat) read() {
	if t.interrupt && t.active {
		t.active = false
		t.drive()
	}
}

// drive makes the pin what the output is: a comparator follows the limits.
func (t *thermostat) drive() {
	if !t.interrupt {
		t.active = t.hot
	}
	t.out.Drive(wire.OpenDrain(true, t.active != t.activeHigh))
}

// off takes its power: the output floats.
func (t *thermostat) off() {
	t.next.Stop()
	t.on = false
	t.out.Drive(wire.Float)
}

// shutdown stops and starts conversions. Stopping ends an interrupt.
func (t *thermostat) shutdown(on bool) {
	if on && !t.stopped {
		t.next.Stop()
		t.next = nil
		t.active = t.active && !t.interrupt
	}
	t.stopped = on
}
