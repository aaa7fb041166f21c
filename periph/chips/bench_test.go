package chips

import (
	"math/rand/v2"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/periph/i2c/i2ctest"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// bench is one chip with power on, in virtual time.
type bench struct {
	t       *testing.T
	chip    periph.Chip
	clock   *simbus.Calendar
	domain  *simbus.Domain
	pins    map[string]*wire.Pin // the board's end of each of the chip's pins
	ends    map[string]*wire.Pin // the chip's
	edges   []edge               // of all pins
	changed []string             // "property=value"
}

// edge is a change of level at a pin of the chip.
type edge struct {
	After time.Duration
	Level wire.Level
}

// powerOn builds a chip with those options and initial properties, and
// otherwise the model's defaults.
func powerOn(t *testing.T, m *periph.Model, values map[string]periph.Value) *bench {
	t.Helper()
	b := &bench{t: t, clock: simbus.NewVirtual(), pins: make(map[string]*wire.Pin)}
	t.Cleanup(b.clock.Close)
	domain, err := b.clock.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	b.domain = domain
	chipPins := make(map[string]*wire.Pin)
	b.ends = chipPins
	for _, spec := range m.Pins {
		w := &wire.Wire{Name: spec.Name, OnChange: func(l wire.Level) {
			b.edges = append(b.edges, edge{domain.Now().Sub(0), l})
		}}
		b.pins[spec.Name], chipPins[spec.Name] = w.NewPin("board"), w.NewPin("chip")
	}
	o := &periph.Options{Name: "part", Values: make(map[string]periph.Value)}
	for _, specs := range [][]periph.Spec{m.Options, m.Properties} {
		for _, s := range specs {
			o.Values[s.Name] = s.Default
		}
	}
	for name, v := range values {
		o.Values[name] = v
	}
	env := &periph.Env{
		Clock: domain,
		Pin:   func(name string) *wire.Pin { return chipPins[name] },
		Changed: func(property string, v periph.Value) {
			spec, ok := m.Property(property)
			if !ok {
				t.Errorf("changed %q, which is no property", property)
				return
			}
			b.changed = append(b.changed, property+"="+spec.Format(v))
		},
		Rand: rand.New(rand.NewPCG(1, 2)),
		Path: func(name string) string { return name },
	}
	if b.chip, err = m.New(env, o); err != nil {
		t.Fatal(err)
	}
	b.power(true)
	b.changed = nil
	t.Cleanup(func() {
		if err := b.chip.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// wait lets that much time pass; what is due at its end has not happened yet.
func (b *bench) wait(d time.Duration) {
	b.t.Helper()
	if _, err := b.clock.Advance(b.t.Context(), b.clock.Now().Add(d), nil); err != nil {
		b.t.Fatal(err)
	}
}

// run plays I2C transactions as i2ctest.Run has them.
func (b *bench) run(transactions ...string) {
	b.t.Helper()
	target, err := i2c.TargetOf(b.chip)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := i2ctest.Run(target, transactions...); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) power(on bool) { b.domain.Do(func() { b.chip.Power(on) }) }

func (b *bench) set(property string, v periph.Value) {
	b.t.Helper()
	if err := b.chip.Set(property, v); err != nil {
		b.t.Error(err)
	}
}

// drive makes the board drive a pin of the chip.
func (b *bench) drive(pin string, l wire.Level) {
	b.domain.Do(func() { b.pins[pin].Drive(l.Strong()) })
}
