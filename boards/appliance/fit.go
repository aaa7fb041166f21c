package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"backplane/boards"
	"backplane/periph"
	"backplane/simbus/wire"
)

// fit puts parts onto a running board, in place of those that are unplugged and have their
// names. Its kernel is not told: the device tree stays what it was.
func (r *Running) fit(board string, text boards.Text) error {
	return r.onMachine(board, func(m *Machine) error {
		f, err := r.appliance.Fit(board, text)
		if err != nil {
			return err
		}
		return m.fit(f)
	})
}

func (m *Machine) fit(f *boards.Fitting) error {
	f.Apply()
	before, docks := slices.Clone(m.parts), slices.Clone(m.docks)
	pins, probes := make(map[boards.Line]*wire.Wire), make(map[boards.Line]*wire.Pin)
	var old []*part
	for _, name := range f.Gone {
		old = append(old, m.named[name])
		m.drop(name, pins, probes)
	}
	made, err := m.make(f)
	if err != nil {
		for _, p := range slices.Backward(made) {
			m.drop(p.name, nil, nil)
			err = errors.Join(err, p.discard())
		}
		m.parts, m.docks = before, docks
		for _, p := range old {
			m.named[p.name] = p
			if p.terminal != nil {
				p.terminal.Terminal = p.is.(periph.Terminal)
			}
		}
		maps.Copy(m.pins, pins)
		maps.Copy(m.probes, probes)
		f.Undo()
		return err
	}
	for _, p := range made {
		p.seat.Supply(m.powered)
		m.emit(p.name, KindPlug, plugState(p.seat.Plugged()))
	}
	for _, p := range old {
		err = errors.Join(err, p.discard())
	}
	return err
}

// make makes what is new. If there is an error, those are part of the board that there are.
func (m *Machine) make(f *boards.Fitting) (made []*part, err error) {
	for _, c := range f.Controllers {
		p, err := m.addController(context.Background(), c)
		made = append(made, p)
		if err != nil {
			return made, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	parts, err := m.makeParts(f.Parts)
	return append(made, parts...), err
}

// makeParts makes chips, and puts them into their places: all of them first, since one may
// be soldered to a later one. If there is an error, those are part of the board that there are.
func (m *Machine) makeParts(list []*boards.Part) (made []*part, err error) {
	for _, desc := range list {
		name := m.instance(desc.Name)
		p := &part{name: desc.Name, desc: desc, env: m.env(desc.Name, name), instance: name}
		m.add(p)
		made = append(made, p)
	}
	for _, p := range made {
		if err := m.makeChip(p); err != nil {
			return made, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return made, nil
}

// drop takes a part that is unplugged off the board. What there was of its pins comes into
// pins and probes.
func (m *Machine) drop(name string, pins map[boards.Line]*wire.Wire, probes map[boards.Line]*wire.Pin) {
	m.parts = slices.DeleteFunc(slices.Clone(m.parts), func(p *part) bool { return p.name == name })
	delete(m.named, name)
	for ref, w := range m.pins {
		if ref.Provider == name {
			delete(m.pins, ref)
			if pins != nil {
				pins[ref] = w
			}
		}
	}
	for ref, p := range m.probes {
		if ref.Provider == name {
			delete(m.probes, ref)
			if probes != nil {
				probes[ref] = p
			}
		}
	}
}

// discard ends a chip or controller that is on the board no more.
func (p *part) discard() error {
	if p.seat != nil {
		_ = p.seat.Plug(false) // which takes it off, and cannot fail
		p.seat.Remove()
	}
	if closer, ok := p.is.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}
