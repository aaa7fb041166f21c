package boards

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/periph/regmap"
)

// chip checks one chip, and resolves its model, place, options and pins.
func (c *checker) chip(at string, ch *Chip, on socket) {
	c.part(at, ch.Name, "part")
	p := &Part{Chip: ch, doc: c.doc, at: at, beside: c.b.Beside, Provider: on.provider, Socket: on.name, Soldered: make(map[string]Line)}
	ch.Part = p
	if p.Model = c.model(at, ch, on.bus); p.Model == nil {
		return
	}
	p.Mount, _ = p.Model.Mount(on.bus)
	p.Options = periph.Options{Name: ch.Name, Values: make(map[string]periph.Value), Wired: make(map[string]bool)}
	c.values(at, p)
	c.pins(at, p, on.lines)
}

func (c *checker) model(at string, ch *Chip, bus string) *periph.Model {
	d := c.doc
	if ch.Model == regmap.Name {
		if bus != i2c.BusName {
			d.Add(at+".model", "a part with model %q hangs on an I2C bus", regmap.Name)
			return nil
		}
		if ch.Registers == nil {
			d.Add(at, "a part with model %q needs its register map in [i2c.chip.registers]", regmap.Name)
			return nil
		}
		problems := ch.Registers.Check()
		for _, p := range problems {
			path := at + ".registers"
			for _, k := range p.Key {
				if _, err := strconv.Atoi(k); err == nil {
					path += "[" + k + "]"
				} else {
					path += "." + k
				}
			}
			d.Add(path, "%s", p.Text)
		}
		if len(problems) > 0 {
			return nil
		}
		m, err := regmap.Model(ch.Registers)
		if err != nil {
			d.Add(at+".registers", "%v", err)
			return nil
		}
		return m
	}
	if ch.Registers != nil {
		d.Add(at+".registers", "only a part with model %q has a register map", regmap.Name)
	}
	m, ok := c.catalog.Lookup(ch.Model)
	switch {
	case ch.Model == "":
		d.Add(at, "part %q has no model: 'backplane parts' lists them", ch.Name)
		return nil
	case !ok:
		names := c.catalog.Names(bus)
		if bus == i2c.BusName {
			names = append(names, regmap.Name)
		}
		d.Add(at+".model", "unknown model %q%s", ch.Model, periph.Suggest(ch.Model, names))
		return nil
	}
	if _, fits := m.Mount(bus); !fits {
		d.Add(at+".model", "%s hangs on %s, not on %s", tomlfile.A(m.Name), strings.Join(m.Buses(), " or "), bus)
		return nil
	}
	return m
}

// values checks the options and initial properties that stand beside the fixed keys.
func (c *checker) values(at string, p *Part) {
	for _, specs := range [][]periph.Spec{p.Mount.Keys, p.Model.Options, p.Model.Properties} {
		for i := range specs {
			if s := &specs[i]; !s.Required {
				p.Options.Values[s.Name] = s.Default
			} else if _, given := p.Values[s.Name]; !given {
				c.doc.Add(at, "part %q has no %s%s", p.Name, s.Name, mustBe(s))
			}
		}
	}
	take := func(key string, raw any, complain func(format string, args ...any)) {
		spec, fixed := p.option(key)
		if !fixed {
			var ok bool
			if spec, ok = p.Model.Property(key); !ok {
				complain("unknown key %q of %s%s", key, tomlfile.A(p.Model.Name), periph.Suggest(key, c.chipKeys(p)))
				return
			}
			if spec.ReadOnly || spec.Kind == periph.Action {
				complain("%s of %s cannot be set in a board file", key, tomlfile.A(p.Model.Name))
				return
			}
			spec = spec.For(&p.Options)
		}
		v, err := fromTOML(spec, raw)
		if err != nil {
			complain("%v", err)
			return
		}
		p.Options.Values[key] = v
	}
	for _, options := range []bool{true, false} { // which properties' ranges may hang on
		mine := func(key string) bool {
			_, ok := p.option(key)
			return ok == options
		}
		for key, raw := range p.Values {
			if mine(key) {
				take(key, raw, func(format string, args ...any) { c.doc.Add(at+"."+key, format, args...) })
			}
		}
		c.overrides(p, mine, take)
	}
}

// overrides takes those of the values that the appliance gives this instance.
func (c *checker) overrides(p *Part, mine func(key string) bool, take func(string, any, func(string, ...any))) {
	for _, key := range c.setOf[p.Name] {
		_, property, _ := strings.Cut(key, ".")
		raw, left := c.set[key]
		if !left || !mine(property) {
			continue
		}
		ok := true
		take(property, raw, func(string, ...any) { ok = false })
		if ok {
			delete(c.set, key)
		}
	}
}

// mustBe is the end of a sentence that says which values there are, if they are few.
func mustBe(s *periph.Spec) string {
	if choice := s.Choice(); choice != "" {
		return ": it must be " + choice
	}
	return ""
}

// option is what the board file fixes: a key of the part's place, or an option.
func (p *Part) option(key string) (*periph.Spec, bool) {
	if s, ok := p.Mount.Key(key); ok {
		return s, true
	}
	return p.Model.Option(key)
}

func (c *checker) chipKeys(p *Part) []string {
	keys := []string{"name", "model", "pins"}
	for _, specs := range [][]periph.Spec{p.Mount.Keys, p.Model.Options} {
		for _, s := range specs {
			keys = append(keys, s.Name)
		}
	}
	for _, s := range p.Model.Properties {
		if !s.ReadOnly && s.Kind != periph.Action {
			keys = append(keys, s.Name)
		}
	}
	return keys
}

// fromTOML turns a value of a file into a spec's.
func fromTOML(s *periph.Spec, raw any) (periph.Value, error) {
	var v periph.Value
	switch x := raw.(type) {
	case int64:
		v = periph.Num(float64(x))
	case float64:
		v = periph.Num(x)
	case bool:
		v = periph.On(x)
	case string:
		v = periph.Str(x)
	}
	ok := false
	switch raw.(type) {
	case int64, float64:
		ok = s.Kind == periph.Number || s.Kind == periph.Whole
	case bool:
		ok = s.Kind == periph.Switch
	case string:
		ok = s.Kind == periph.Text
	}
	if !ok {
		return v, fmt.Errorf("%s must be a %s", s.Name, s.Kind)
	}
	return v, s.Check(v)
}

// pins resolves which lines a chip's pins are soldered to.
func (c *checker) pins(at string, p *Part, on string) {
	for _, name := range slices.Sorted(maps.Keys(p.Pins)) {
		at := at + ".pins." + name
		spec, ok := pin(p.Model, name)
		if !ok {
			var names []string
			for _, s := range p.Model.Pins {
				names = append(names, s.Name)
			}
			c.doc.Add(at, "%s has no pin %q%s", tomlfile.A(p.Model.Name), name, periph.Suggest(name, names))
			continue
		}
		ref, err := c.b.Line(p.Pins[name], on)
		if err != nil {
			c.doc.Add(at, "pin %s: %v", name, err)
			continue
		}
		p.Soldered[name] = ref
		p.Options.Wired[name] = true
		c.pinDrives(ref)
		if !spec.Output {
			continue
		}
		who := p.Name + "." + name
		if other, driven := c.drivers[ref]; driven && !(other.openDrain && p.openDrain(spec)) {
			c.doc.Add(at, "%s drives a line that %s drives already: two outputs on one line must both be open-drain", who, other.who)
		}
		c.drivers[ref] = driver{who, p.openDrain(spec)}
	}
	for _, spec := range p.Model.Pins {
		if _, ok := p.Pins[spec.Name]; spec.Required && !ok && len(p.Pins) == 0 {
			c.doc.Add(at, "pin %q of part %q is not connected: write pins = { %s = \"LINE\" }", spec.Name, p.Name, spec.Name)
		}
	}
}

// pinDrives notes that the pin of a part drives what is soldered to it.
func (c *checker) pinDrives(ref Line) {
	p := c.b.names().providers[ref.Provider]
	if p == nil || p.model == nil {
		return
	}
	spec := &p.model.Pins[ref.Offset]
	if _, driven := c.drivers[ref]; !driven && spec.Output {
		c.drivers[ref] = driver{ref.Provider + "." + spec.Name, spec.OpenDrain}
	}
}

// described finds pins that the kernel has to be told of and that are on no line that it knows.
func (c *checker) described() {
	for _, p := range c.b.Parts() {
		if p.Model.Node == nil || p.doc != c.doc {
			continue
		}
		desc := p.Model.Node(&p.Options)
		for _, pin := range desc.Pins() {
			ref, ok := p.Soldered[pin]
			if _, known := c.b.Offset(ref); ok && !known {
				c.doc.Add(p.at+".pins."+pin, "pin %s is on %s, which is not a GPIO line in the kernel, as its driver needs", pin, p.Pins[pin])
			}
		}
	}
}

// Offset is the number of a line among those of the gpiochip that the kernel has for its
// controller or part; false if it has none.
func (b *Board) Offset(ref Line) (offset int, ok bool) {
	p := b.names().providers[ref.Provider]
	if p == nil || p.model == nil {
		return ref.Offset, true
	}
	i := slices.Index(p.model.Lines, p.model.Pins[ref.Offset].Name)
	return i, i >= 0
}

// openDrain tells whether a pin only pulls its line low, or leaves it.
func (p *Part) openDrain(spec *periph.PinSpec) bool {
	if spec.PushPull != nil {
		return !spec.PushPull(&p.Options)
	}
	return spec.OpenDrain
}

func pin(m *periph.Model, name string) (*periph.PinSpec, bool) {
	if i := m.Pin(name); i >= 0 {
		return &m.Pins[i], true
	}
	return nil, false
}
