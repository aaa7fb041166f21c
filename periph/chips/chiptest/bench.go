// Package chiptest has what tests of chips need: a [Bench] with one chip on it.
package chiptest

import (
	"math/rand/v2"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/periph/i2c/i2ctest"
	"backplane/periph/spi"
	"backplane/periph/spi/spitest"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// Bench is one chip with power on, in virtual time.
type Bench struct {
	T       *testing.T
	Chip    periph.Chip
	Clock   *simbus.Calendar
	Pins    map[string]*wire.Pin // the board's end of each of the chip's pins
	Ends    map[string]*wire.Pin // the chip's
	Edges   []Edge               // of all pins
	Changed []string             // "property=value", since power-on
	domain  *simbus.Domain
}

// Edge is a change of level at a pin of the chip.
type Edge struct {
	After time.Duration
	Level wire.Level
}

// Epoch is the wall-clock time at which a bench begins.
var Epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// PowerOn builds a chip with those options and initial properties, and
// otherwise the model's defaults.
func PowerOn(t *testing.T, m *periph.Model, values map[string]periph.Value) *Bench {
	t.Helper()
	return PowerOnAt(t, Epoch, m, values)
}

// PowerOnAt is PowerOn at another time.
func PowerOnAt(t *testing.T, epoch time.Time, m *periph.Model, values map[string]periph.Value) *Bench {
	t.Helper()
	b := &Bench{T: t, Clock: simbus.NewVirtual(), Pins: make(map[string]*wire.Pin)}
	t.Cleanup(b.Clock.Close)
	domain, err := b.Clock.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	b.domain = domain
	chipPins := make(map[string]*wire.Pin)
	b.Ends = chipPins
	for _, spec := range m.Pins {
		w := &wire.Wire{Name: spec.Name, OnChange: func(l wire.Level) {
			b.Edges = append(b.Edges, Edge{domain.Now().Sub(0), l})
		}}
		b.Pins[spec.Name], chipPins[spec.Name] = w.NewPin("board"), w.NewPin("chip")
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
		Epoch: epoch,
		Pin:   func(name string) *wire.Pin { return chipPins[name] },
		Changed: func(property string, v periph.Value) {
			spec, ok := m.Property(property)
			if !ok {
				t.Errorf("changed %q, which is no property", property)
				return
			}
			b.Changed = append(b.Changed, property+"="+spec.Format(v))
		},
		Rand: rand.New(rand.NewPCG(1, 2)),
		Path: func(name string) string { return name },
	}
	if b.Chip, err = m.New(env, o); err != nil {
		t.Fatal(err)
	}
	b.Power(true)
	b.Changed = nil
	t.Cleanup(func() {
		if err := b.Chip.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// Wait lets that much time pass; what is due at its end has not happened yet.
func (b *Bench) Wait(d time.Duration) {
	b.T.Helper()
	if _, err := b.Clock.Advance(b.T.Context(), b.Clock.Now().Add(d), nil); err != nil {
		b.T.Fatal(err)
	}
}

// Run plays I2C transactions as i2ctest.Run has them.
func (b *Bench) Run(transactions ...string) {
	b.T.Helper()
	target, err := i2c.TargetOf(b.Chip)
	if err != nil {
		b.T.Fatal(err)
	}
	if err := i2ctest.Run(target, transactions...); err != nil {
		b.T.Error(err)
	}
}

// Power switches the chip's supply.
func (b *Bench) Power(on bool) { b.domain.Do(func() { b.Chip.Power(on) }) }

// Set sets a property, which has to work.
func (b *Bench) Set(property string, v periph.Value) {
	b.T.Helper()
	if err := b.Chip.Set(property, v); err != nil {
		b.T.Error(err)
	}
}

// Drive makes the board drive a pin of the chip.
func (b *Bench) Drive(pin string, l wire.Level) {
	b.domain.Do(func() { b.Pins[pin].Drive(l.Strong()) })
}

// RunSPI plays selections as spitest.Run has them.
func (b *Bench) RunSPI(selections ...string) {
	b.T.Helper()
	target, err := spi.TargetOf(b.Chip)
	if err != nil {
		b.T.Fatal(err)
	}
	if err := spitest.Run(target, selections...); err != nil {
		b.T.Error(err)
	}
}
