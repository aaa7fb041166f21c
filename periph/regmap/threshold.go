package regmap

import "backplane/simbus/wire"

// limits are those of one threshold, looked up.
type limits struct {
	property int
	field    *field
	above    func([]register) (float64, bool)
	below    func([]register) (float64, bool)
}

func (d *design) newLimits(t *Threshold) limits {
	p := d.m.propertyIndex(t.Property)
	l := limits{property: p, field: &d.fields[p]}
	l.above = d.limit(l.field, t.Above, t.AboveRegister)
	l.below = d.limit(l.field, t.Below, t.BelowRegister)
	return l
}

// limit is where a limit comes from: a value, a register, or nowhere.
func (d *design) limit(f *field, value *float64, name string) func([]register) (float64, bool) {
	if value != nil {
		return func([]register) (float64, bool) { return *value, true }
	}
	if i := d.m.registerIndex(name); i >= 0 {
		return func(r []register) (float64, bool) { return f.value(r[i].content), true }
	}
	return func([]register) (float64, bool) { return 0, false }
}

// beyond tells whether the property is outside, or, when it was outside before,
// not yet inside by the hysteresis.
func (l *limits) beyond(r []register, was bool, hysteresis float64) bool {
	if !was {
		hysteresis = 0
	}
	v := l.field.value(r[l.field.register].content)
	if limit, ok := l.above(r); ok && v > limit-hysteresis {
		return true
	}
	limit, ok := l.below(r)
	return ok && v < limit+hysteresis
}

// output is a pin and the thresholds that make it active.
type output struct {
	pin        *wire.Pin
	thresholds []int
	activeLow  bool
	openDrain  bool
}

func (o *output) drive(active bool) {
	switch level := wire.Level(active != o.activeLow); {
	case level == wire.High && o.openDrain:
		o.pin.Drive(wire.PullUp)
	default:
		o.pin.Drive(level.Strong())
	}
}
