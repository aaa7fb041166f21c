package regmap

import (
	"errors"
	"fmt"
	"slices"

	"backplane/periph"
	"backplane/periph/i2c"
)

// Interrupt types of dt-bindings/interrupt-controller/irq.h.
const (
	levelHigh = 4
	levelLow  = 8
)

// Maker makes parts on I2C out of their register maps.
var Maker = &periph.Maker{
	Name:   Name,
	Title:  "part with the registers that its board file lists",
	Source: "[i2c.chip.registers] of the board file (docs/formats.md)",
	On:     []string{i2c.BusName},
}

// Model makes a model of the part that m describes, which must not change from
// then on. The error joins what Check says.
func Model(m *Map) (*periph.Model, error) {
	if problems := m.Check(); len(problems) > 0 {
		var errs []error
		for _, p := range problems {
			errs = append(errs, errors.New(p.String()))
		}
		return nil, fmt.Errorf("register map: %w", errors.Join(errs...))
	}
	d := m.design()
	model := &periph.Model{
		Name:       Name,
		Title:      "part described by its registers",
		Source:     "the board file",
		On:         []*periph.Mount{i2c.At()},
		Pins:       m.pins(),
		Properties: d.specs,
		New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
			return newPart(d, env, o), nil
		},
	}
	if len(m.Compatible) > 0 {
		model.Node = func(*periph.Options) periph.Node { return m.node() }
	}
	return model, nil
}

func (m *Map) node() periph.Node {
	n := periph.Node{Name: m.Node, Compatible: m.Compatible, Interrupt: m.Interrupt}
	if n.Name == "" {
		n.Name = "device"
	}
	if i := slices.IndexFunc(m.Threshold, func(t Threshold) bool { return t.Pin == m.Interrupt }); i >= 0 {
		n.InterruptType = levelHigh
		if m.Threshold[i].ActiveLow {
			n.InterruptType = levelLow
		}
	}
	return n
}

// pins are those of the thresholds, each once.
func (m *Map) pins() []periph.PinSpec {
	var pins []periph.PinSpec
	for _, t := range m.Threshold {
		if slices.ContainsFunc(pins, func(p periph.PinSpec) bool { return p.Name == t.Pin }) {
			continue
		}
		pins = append(pins, periph.PinSpec{Name: t.Pin, Output: true, OpenDrain: t.OpenDrain, Doc: "follows " + t.Property})
	}
	return pins
}

func (m *Map) registerIndex(name string) int {
	return slices.IndexFunc(m.Register, func(r Register) bool { return r.Name == name })
}

func (m *Map) propertyIndex(name string) int {
	return slices.IndexFunc(m.Property, func(p Property) bool { return p.Name == name })
}

// field is where the property stands. Its register is there.
func (m *Map) field(p *Property) (field, error) {
	i := m.registerIndex(p.Register)
	shift, bits, err := parseBits(p.Bits, m.Register[i].width())
	return field{register: i, shift: shift, bits: bits, signed: p.Signed, scale: p.scale(), offset: p.Offset}, err
}

// design is a checked map, looked up once for all parts that are made of it.
type design struct {
	m         *Map
	registers []register // in their power-on state
	byAddress map[int]place
	next      map[int]int // the next higher register's address
	fields    []field     // of each property
	specs     []periph.Spec
	limits    []limits // of each threshold
}

// place is a byte of a register, counted as on the bus.
type place struct{ register, byte int }

func (m *Map) design() *design {
	d := &design{m: m, byAddress: make(map[int]place), next: make(map[int]int)}
	var starts []int
	for i := range m.Register {
		r := &m.Register[i]
		d.registers = append(d.registers, newRegister(m, r))
		for b := range m.span(r) {
			d.byAddress[r.Address+b] = place{i, b}
		}
		starts = append(starts, r.Address)
	}
	slices.Sort(starts)
	for i, a := range starts[1:] {
		d.next[starts[i]] = a
	}
	for i := range m.Property {
		f, _ := m.field(&m.Property[i]) // Check has seen that there is no error
		d.fields = append(d.fields, f)
		if v := m.Property[i].Default; v != nil {
			r := &d.registers[f.register]
			r.content = f.put(r.content, *v)
		}
	}
	for i := range m.Property {
		d.specs = append(d.specs, d.spec(&m.Property[i], &d.fields[i]))
	}
	for i := range m.Threshold {
		d.limits = append(d.limits, d.newLimits(&m.Threshold[i]))
	}
	return d
}

func (d *design) spec(p *Property, f *field) periph.Spec {
	s := periph.Spec{
		Name: p.Name, Unit: p.Unit, ReadOnly: p.ReadOnly, Doc: p.Doc,
		Default: periph.Num(f.value(d.registers[f.register].content)),
	}
	if f.whole() {
		s.Kind = periph.Whole
	}
	s.Min, s.Max = f.limits()
	if p.Min != nil {
		s.Min = *p.Min
	}
	if p.Max != nil {
		s.Max = *p.Max
	}
	return s
}
