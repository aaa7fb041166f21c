package regmap

import (
	"fmt"
	"slices"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus/wire"
)

// part is one instance of a described part.
type part struct {
	*design
	env       *periph.Env
	powered   bool
	world     []*float64 // the properties that the outside has set, which outlast the registers
	registers []register
	at        cursor
	read      []bool    // registers that the transaction has read
	shown     []float64 // the properties as they were told last
	active    []bool    // the thresholds
	outputs   []output
}

// cursor is the register address that was sent last, and, where a register has
// one address, how far into it access has come.
type cursor struct{ address, byte int }

func newPart(d *design, env *periph.Env, o *periph.Options) *part {
	p := &part{
		design: d, env: env,
		world:  make([]*float64, len(d.specs)),
		read:   make([]bool, len(d.registers)),
		active: make([]bool, len(d.limits)),
	}
	for i, s := range d.specs {
		// What the board file does not change stays: another property may share its bits.
		if v, ok := o.Values[s.Name]; ok && !s.ReadOnly && v != s.Default {
			value := v.Float()
			p.world[i] = &value
		}
	}
	p.reset()
	for i := range d.fields {
		p.shown = append(p.shown, p.value(i))
	}
	for _, spec := range d.m.pins() {
		o := output{pin: env.Pin(spec.Name), openDrain: spec.OpenDrain}
		for i, t := range d.m.Threshold {
			if t.Pin == spec.Name {
				o.thresholds = append(o.thresholds, i)
				o.activeLow = t.ActiveLow
			}
		}
		p.outputs = append(p.outputs, o)
	}
	return p
}

// reset makes the registers what they are at power-on.
func (p *part) reset() {
	p.registers = slices.Clone(p.design.registers)
	for i, v := range p.world {
		if v != nil {
			p.put(i, *v)
		}
	}
	p.at = cursor{}
	clear(p.active)
	clear(p.read)
}

// Power switches the supply. Without it the registers show already what they will
// hold when it comes back.
func (p *part) Power(on bool) {
	p.powered = on
	p.reset()
	p.publish()
	p.compare()
}

// Transfer is one transaction. See the package's comment for what it means.
func (p *part) Transfer(msgs []i2c.Msg) error {
	clear(p.read)
	err := p.transfer(msgs)
	p.publish()
	p.compare()
	return err
}

func (p *part) transfer(msgs []i2c.Msg) error {
	for _, m := range msgs {
		if m.Read {
			for i := range m.Data {
				m.Data[i] = p.readByte()
			}
			continue
		}
		n := p.m.addressWidth() / 8
		if len(m.Data) < n {
			continue // a probe, or half an address
		}
		p.at = cursor{}
		for _, b := range m.Data[:n] {
			p.at.address = p.at.address<<8 | int(b)
		}
		for _, b := range m.Data[n:] {
			if !p.writeByte(b) {
				return i2c.ErrNoAck
			}
		}
	}
	return nil
}

// here is the byte that the cursor stands at.
func (p *part) here() (r *register, at place, ok bool) {
	at, ok = p.byAddress[p.at.address]
	if !ok {
		return nil, at, false
	}
	at.byte += p.at.byte
	return &p.registers[at.register], at, true
}

func (p *part) readByte() byte {
	b := byte(0xff)
	if r, at, ok := p.here(); ok {
		b = r.read(at.byte)
		p.read[at.register] = true
	}
	p.step()
	return b
}

func (p *part) writeByte(b byte) (ack bool) {
	r, at, ok := p.here()
	if !ok {
		return false
	}
	r.write(at.byte, b)
	p.step()
	return true
}

// step moves the cursor to the byte that sequential access reaches next.
func (p *part) step() {
	if p.m.Addressing == byByte {
		if p.m.autoIncrement() {
			p.at.address = (p.at.address + 1) & (1<<p.m.addressWidth() - 1)
		}
		return
	}
	r, _, ok := p.here()
	if !ok {
		return
	}
	if p.at.byte++; p.at.byte < r.bytes {
		return
	}
	p.at.byte = 0
	if !p.m.autoIncrement() {
		return
	}
	next, ok := p.next[p.at.address]
	if !ok {
		next = 1 << p.m.addressWidth() // past the last register: nowhere
	}
	p.at.address = next
}

func (p *part) value(property int) float64 {
	f := &p.fields[property]
	return f.value(p.registers[f.register].content)
}

func (p *part) put(property int, v float64) {
	f := &p.fields[property]
	r := &p.registers[f.register]
	r.content = f.put(r.content, v)
}

// publish tells of properties that have changed.
func (p *part) publish() {
	for i, s := range p.specs {
		if v := p.value(i); v != p.shown[i] {
			p.shown[i] = v
			p.env.Changed(s.Name, periph.Num(v))
		}
	}
}

// compare makes the pins follow the thresholds.
func (p *part) compare() {
	for i := range p.limits {
		l, t := &p.limits[i], &p.m.Threshold[i]
		latched := t.Latch && p.active[i] && !p.read[l.field.register]
		p.active[i] = latched || l.beyond(p.registers, p.active[i], t.Hysteresis)
	}
	for i := range p.outputs {
		o := &p.outputs[i]
		if !p.powered {
			o.pin.Drive(wire.Float)
			continue
		}
		o.drive(slices.ContainsFunc(o.thresholds, func(t int) bool { return p.active[t] }))
	}
}

func (p *part) Get(property string) periph.Value {
	i := p.m.propertyIndex(property)
	if i < 0 {
		return periph.Value{}
	}
	return periph.Num(p.value(i))
}

func (p *part) Set(property string, v periph.Value) error {
	i := p.m.propertyIndex(property)
	if i < 0 {
		return fmt.Errorf("set %q: the register map has no such property", property)
	}
	clear(p.read)
	value := v.Float()
	p.world[i] = &value
	p.put(i, value)
	p.shown[i] = p.value(i)
	p.publish() // others may share its bits
	p.compare()
	return nil
}

func (p *part) Close() error { return nil }
