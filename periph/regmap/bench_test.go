package regmap

import (
	"testing"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/periph/i2c/i2ctest"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// bench is one part with power on, in virtual time.
type bench struct {
	t       testing.TB
	model   *periph.Model
	chip    periph.Chip
	wires   map[string]*wire.Wire
	changed []string // "property=value"
}

// powerOn builds a part with those initial properties.
func powerOn(t testing.TB, m *Map, values map[string]periph.Value) *bench {
	t.Helper()
	model, err := Model(m)
	if err != nil {
		t.Fatal(err)
	}
	calendar := simbus.NewVirtual()
	t.Cleanup(calendar.Close)
	domain, err := calendar.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, model: model, wires: make(map[string]*wire.Wire)}
	pins := make(map[string]*wire.Pin)
	for _, spec := range model.Pins {
		b.wires[spec.Name] = &wire.Wire{Name: spec.Name}
		pins[spec.Name] = b.wires[spec.Name].NewPin("part")
	}
	o := &periph.Options{Name: "part", Values: make(map[string]periph.Value)}
	for _, s := range model.Properties {
		o.Values[s.Name] = s.Default
	}
	for name, v := range values {
		o.Values[name] = v
	}
	env := &periph.Env{
		Clock: domain,
		Pin:   func(name string) *wire.Pin { return pins[name] },
		Changed: func(property string, v periph.Value) {
			spec, _ := model.Property(property)
			b.changed = append(b.changed, property+"="+spec.Format(v))
		},
	}
	if b.chip, err = model.New(env, o); err != nil {
		t.Fatal(err)
	}
	b.chip.Power(true)
	b.changed = nil
	return b
}

func (b *bench) target() i2c.Target {
	b.t.Helper()
	target, err := i2c.TargetOf(b.chip)
	if err != nil {
		b.t.Fatal(err)
	}
	return target
}

// run plays I2C transactions as i2ctest.Run has them.
func (b *bench) run(transactions ...string) {
	b.t.Helper()
	if err := i2ctest.Run(b.target(), transactions...); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) set(property string, v float64) {
	b.t.Helper()
	if err := b.chip.Set(property, periph.Num(v)); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) get(property string, want float64) {
	b.t.Helper()
	if got := b.chip.Get(property).Float(); got != want {
		b.t.Errorf("%s is %g, want %g", property, got, want)
	}
}
