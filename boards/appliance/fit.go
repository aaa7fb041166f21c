package appliance

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"backplane/boards"
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
	before, pins, probes := slices.Clone(m.parts), make(map[boards.Line]*wire.Wire), make(map[boards.Line]*wire.Pin)
	var old []*part
	for _, desc := range f.Gone {
		old = append(old, m.named[desc.Name])
		m.drop(desc.Name, pins, probes)
	}
	made, err := m.makeParts(f.Parts)
	if err != nil {
		for _, p := range made {
			m.drop(p.name, nil, nil)
			err = errors.Join(err, p.discard())
		}
		m.parts = before
		for _, p := range old {
			m.named[p.name] = p
		}
		for ref, w := range pins {
			m.pins[ref] = w
		}
		for ref, p := range probes {
			m.probes[ref] = p
		}
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

// makeParts makes chips, and puts them into their places: all of them first, since one may
// be soldered to a later one. If there is an error, those are part of the board that there are.
func (m *Machine) makeParts(list []*boards.Part) (made []*part, err error) {
	for _, desc := range list {
		name := desc.Name
		if m.names[desc.Name]++; m.names[desc.Name] > 1 { // another part, with chance and contents of its own
			name += "." + strconv.Itoa(m.names[desc.Name])
		}
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

// discard ends a chip that is on the board no more.
func (p *part) discard() error {
	if p.seat != nil {
		_ = p.seat.Plug(false) // which takes it off, and cannot fail
		p.seat.Remove()
	}
	if p.chip == nil {
		return nil
	}
	return p.chip.Close()
}
