package appliance

import (
	"fmt"

	"backplane/boards"
	"backplane/periph"
	"backplane/periph/block/image"
	"backplane/periph/gpio"
	"backplane/periph/virtio"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// part is one of what a board is made of: a controller or a chip. What it is besides, such
// as a [periph.Provider], it is asked by type assertion.
type part struct {
	name string
	is   any
	env  *periph.Env

	// Of a controller.
	dev      virtio.Device
	table    *boards.Controller
	own      *dock          // nil: it takes a spare one
	dock     *dock          // where it is, nil while it is unplugged
	terminal *terminal      // nil unless people type at it
	contents *image.Overlay // nil until they are opened, or if it has none

	// Of a chip.
	chip periph.Chip
	desc *boards.Part
	// instance is its name, with a number if another part had the name before.
	instance string

	seat *periph.Seat
}

// controllerPower is the power of a controller. What is under way in one that loses it ends.
type controllerPower struct{ *part }

func (p controllerPower) Power(on bool) {
	if !on {
		p.dev.Stop()
	}
	if powered, ok := p.is.(periph.Powered); ok {
		powered.Power(on)
	}
}

// attach puts a controller into its place: the kernel finds it. detach takes it from there.
func (m *Machine) attach(p *part) (detach func(), err error) {
	if err := m.settleIn(p); err != nil {
		return nil, err
	}
	if err := m.openStorage(p); err != nil {
		p.dock = nil
		return nil, err
	}
	p.dock.part = p
	if p.dock.server != nil { // else it is not soldered yet
		p.dock.server.Plug(p.dev)
	}
	m.tellInit(p)
	return func() {
		p.dock.server.Unplug()
		p.dock.part, p.dock = nil, nil
		if p.terminal != nil {
			p.terminal.lines.Flush()
		}
		m.forget(p.name)
		if err := m.closeStorage(p); err != nil {
			m.fault(p.name, err.Error())
		}
	}, nil
}

// add puts a part on the board.
func (m *Machine) add(p *part) {
	m.parts = append(m.parts, p)
	m.named[p.name] = p
}

// devices are the controllers, in the order in which the kernel finds them.
func (m *Machine) devices() (list []*part) {
	for _, p := range m.parts {
		if p.dev != nil {
			list = append(list, p)
		}
	}
	return list
}

// addChips makes the chips and joins them to what they are on.
func (m *Machine) addChips() error {
	_, err := m.makeParts(m.board.Parts())
	return err
}

func (m *Machine) makeChip(p *part) (err error) {
	desc := p.desc
	var noContents error
	var copied string // the file of its contents, if it has a copy
	var pins []*wire.Pin
	p.env.Pin = func(name string) *wire.Pin {
		pins = append(pins, m.pinWire(desc, name).NewPin(p.name+"."+name))
		return pins[len(pins)-1]
	}
	p.env.Changed = func(property string, v periph.Value) {
		if spec, ok := desc.Model.Property(property); ok {
			m.changed(p.name, spec, v)
		}
	}
	p.env.Path = func(name string) (path string) {
		file := desc.Beside(name)
		if path, noContents = m.contents(p.instance, file); path != file {
			copied = file
		}
		return path
	}
	chip, err := desc.Model.New(p.env, &desc.Options)
	if noContents != nil {
		return noContents
	}
	if err != nil && copied != "" {
		return fmt.Errorf("copy of %s: %w", copied, err)
	}
	if err != nil {
		return err
	}
	p.is, p.chip = chip, chip
	attach := func() (func(), error) { return func() {}, nil }
	if desc.Mount.Attach != nil {
		bus := m.socket(desc.Provider, desc.Socket)
		if bus == nil {
			return fmt.Errorf("%s has no socket %q", desc.Provider, desc.Socket)
		}
		attach = func() (func(), error) { return desc.Mount.Attach(bus, &desc.Options, chip) }
	}
	p.seat, err = periph.NewSeat(chip, pins, m.named[desc.Provider].seat, desc.Unplugged, attach)
	return err
}

func (m *Machine) changed(part string, spec *periph.Spec, v periph.Value) {
	m.emit(part, periph.KindProperty, simbus.Text("name", spec.Name), simbus.Text("value", spec.Format(v)))
}

// specs are the properties of a part.
func (p *part) specs() []periph.Spec {
	switch {
	case p.desc != nil:
		return p.desc.Model.Properties
	case p.table != nil:
		return p.table.Kind.Properties
	}
	return nil
}

// socket is a place of a part where something else can be joined; that of a controller
// has no name. It is nil if there is none.
func (m *Machine) socket(part, name string) any {
	if p := m.named[part]; p != nil {
		if provider, ok := p.is.(periph.Provider); ok {
			return provider.Socket(name)
		}
	}
	return nil
}

// pinWire is what a chip's pin is soldered to: a line, or nothing but itself.
func (m *Machine) pinWire(p *boards.Part, name string) *wire.Wire {
	if ref, ok := p.Soldered[name]; ok {
		return m.wire(ref)
	}
	return m.wire(boards.Line{Provider: p.Name, Offset: p.Model.Pin(name)})
}

// wire is that of a controller's line, or of a chip's pin.
func (m *Machine) wire(ref boards.Line) *wire.Wire {
	p := m.named[ref.Provider]
	if lines, ok := p.is.(periph.Lines); ok {
		return lines.Line(ref.Offset)
	}
	w := m.pins[ref]
	if w == nil {
		w = &wire.Wire{Name: ref.Provider + "." + p.desc.Model.Pins[ref.Offset].Name}
		m.pins[ref] = w
		if line, number, ok := m.board.PartLine(ref); ok {
			gpio.Tell(p.env, w, line, number)
		}
	}
	return w
}
