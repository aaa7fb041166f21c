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

func (c *checker) i2c() {
	numbers := make(map[int]string)
	for i := range c.b.I2C {
		bus := &c.b.I2C[i]
		at := fmt.Sprintf("i2c[%d]", i)
		c.part(at, bus.Name, "I2C controller")
		if n := bus.Number; n != nil {
			first, taken := numbers[*n]
			switch {
			case *n < 0 || *n > 255:
				c.doc.Add(at+".number", "number is %d, and must be 0 to 255", *n)
			case taken:
				c.doc.Add(at+".number", "the bus number %d is taken, in %s", *n, c.doc.Where(first))
			}
			numbers[*n] = at + ".number"
		}
		if bus.Frequency < 0 || bus.Frequency > 5_000_000 {
			c.doc.Add(at+".frequency", "frequency is %d Hz, and must be 0 to 5000000", bus.Frequency)
		}
		used := make(map[int]string)
		for j := range bus.Chip {
			ch := &bus.Chip[j]
			at := fmt.Sprintf("i2c[%d].chip[%d]", i, j)
			c.chip(at, ch, periph.OnI2C, -1)
			if ch.Address == nil {
				continue
			}
			if first, taken := used[*ch.Address]; taken {
				c.doc.Add(at+".address", "address %#02x on %s is taken, in %s", *ch.Address, bus.Name, c.doc.Where(first))
			} else {
				used[*ch.Address] = at + ".address"
			}
		}
	}
	c.numberBuses(numbers)
}

// numberBuses gives the buses without a number the lowest free ones.
func (c *checker) numberBuses(taken map[int]string) {
	next := 0
	for i := range c.b.I2C {
		if bus := &c.b.I2C[i]; bus.Number == nil {
			for taken[next] != "" {
				next++
			}
			n := next
			bus.Number = &n
			next++
		}
	}
}

// chip checks one chip and resolves its model, options and pins.
func (c *checker) chip(at string, ch *Chip, bus periph.Bus, on int) {
	c.part(at, ch.Name, "part")
	p := &Part{Chip: ch, at: at, Soldered: make(map[string]Line)}
	ch.Part = p
	if p.Model = c.model(at, ch, bus); p.Model == nil {
		return
	}
	c.address(at, ch, p.Model, bus)
	p.Options = periph.Options{Name: ch.Name, Values: make(map[string]periph.Value), Wired: make(map[string]bool)}
	if ch.Address != nil {
		p.Options.Address = uint8(*ch.Address)
	}
	c.values(at, p)
	c.pins(at, p, on)
}

func (c *checker) model(at string, ch *Chip, bus periph.Bus) *periph.Model {
	d := c.doc
	if ch.Model == regmap.Name {
		if bus != periph.OnI2C {
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
		if bus == periph.OnI2C {
			names = append(names, regmap.Name)
		}
		d.Add(at+".model", "unknown model %q%s", ch.Model, tomlfile.Suggest(ch.Model, names))
		return nil
	case m.Bus != bus:
		d.Add(at+".model", "a %s hangs on %s, not on %s", m.Name, m.Bus, bus)
		return nil
	}
	return m
}

func (c *checker) address(at string, ch *Chip, m *periph.Model, bus periph.Bus) {
	d := c.doc
	switch a := ch.Address; {
	case bus != periph.OnI2C:
		if a != nil {
			d.Add(at+".address", "a %s has no address", m.Name)
		}
	case a == nil:
		d.Add(at, "part %q has no address%s", ch.Name, possible(m))
	case *a < i2c.MinAddress || *a > i2c.MaxAddress:
		d.Add(at+".address", "address %#02x is reserved, and must be %#02x to %#02x", *a, i2c.MinAddress, i2c.MaxAddress)
	case !strapped(m, uint8(*a)):
		d.Add(at+".address", "a %s cannot have the address %#02x%s", m.Name, *a, possible(m))
	}
}

func strapped(m *periph.Model, a uint8) bool {
	for _, possible := range m.Addresses {
		if a == possible {
			return true
		}
	}
	return len(m.Addresses) == 0
}

func possible(m *periph.Model) string {
	switch n := len(m.Addresses); n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(": it must be %#02x", m.Addresses[0])
	default:
		return fmt.Sprintf(": it must be one of %#02x to %#02x", m.Addresses[0], m.Addresses[n-1])
	}
}

// values checks the options and initial properties that stand beside the fixed keys.
func (c *checker) values(at string, p *Part) {
	for _, specs := range [][]periph.Spec{p.Model.Options, p.Model.Properties} {
		for i := range specs {
			p.Options.Values[specs[i].Name] = specs[i].Default
		}
	}
	take := func(key string, raw any, complain func(format string, args ...any)) {
		spec, isOption := p.Model.Option(key)
		if !isOption {
			var ok bool
			if spec, ok = p.Model.Property(key); !ok {
				complain("unknown key %q of a %s%s", key, p.Model.Name, tomlfile.Suggest(key, c.chipKeys(p.Model)))
				return
			}
			if spec.ReadOnly || spec.Kind == periph.Action {
				complain("%s of a %s cannot be set in a board file", key, p.Model.Name)
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
			_, ok := p.Model.Option(key)
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

func (c *checker) chipKeys(m *periph.Model) []string {
	keys := []string{"name", "model", "pins"}
	if m.Bus == periph.OnI2C {
		keys = append(keys, "address")
	}
	for _, s := range m.Options {
		keys = append(keys, s.Name)
	}
	for _, s := range m.Properties {
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
func (c *checker) pins(at string, p *Part, on int) {
	for _, name := range slices.Sorted(maps.Keys(p.Pins)) {
		at := at + ".pins." + name
		spec, ok := pin(p.Model, name)
		if !ok {
			var names []string
			for _, s := range p.Model.Pins {
				names = append(names, s.Name)
			}
			c.doc.Add(at, "a %s has no pin %q%s", p.Model.Name, name, tomlfile.Suggest(name, names))
			continue
		}
		ref, err := c.b.Line(p.Pins[name], on)
		if err != nil {
			c.doc.Add(at, "pin %s: %v", name, err)
			continue
		}
		p.Soldered[name] = ref
		p.Options.Wired[name] = true
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
			c.doc.Add(at, "pin %q of part %q is not connected: say pins = { %s = \"LINE\" }", spec.Name, p.Name, spec.Name)
		}
	}
}

// openDrain tells whether a pin only pulls its line low, or leaves it.
func (p *Part) openDrain(spec *periph.PinSpec) bool {
	if spec.PushPull != nil {
		return !spec.PushPull(&p.Options)
	}
	return spec.OpenDrain
}

func pin(m *periph.Model, name string) (*periph.PinSpec, bool) {
	for i := range m.Pins {
		if m.Pins[i].Name == name {
			return &m.Pins[i], true
		}
	}
	return nil, false
}
