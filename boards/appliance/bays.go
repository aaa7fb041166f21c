package appliance

import (
	"fmt"
	"slices"

	"backplane/boards"
	"backplane/periph"
	"backplane/simbus"
)

// turn is an end of a link at a slot.
type turn struct {
	periph.Turns
	link, end string           // their names
	sockets   map[*Machine]any // of the boards that have one
}

// slotJoint is an end of a link at a slot, at first with no board in it.
func (r *Running) slotJoint(l *boards.Link, e *boards.End) periph.Joint {
	kind, _ := r.appliance.Catalog().Controller(l.Kind.Joins)
	first := r.machines()[e.Cards[0].Member]
	t := turn{link: l.Name, end: e.Name, sockets: make(map[*Machine]any)}
	var all []any
	for _, card := range e.Cards {
		m := r.machines()[card.Member]
		var socket any
		switch {
		case card.Line != nil:
			socket = m.wire(*card.Line)
		case card.Controller != nil:
			socket = m.socket(card.Controller.Name, "")
		default:
			continue
		}
		t.sockets[m] = socket
		all = append(all, socket)
	}
	t.Turns = kind.Turns(first.domain, all)
	r.join(func(b *between) { b.turns[e.Slot] = append(slices.Clip(b.turns[e.Slot]), t) })
	return periph.Joint{LinkEnd: e.LinkEnd, Domain: first.domain, Socket: t.Socket(), Fault: func(text string) {
		if m := r.present(e.Slot); m != nil {
			m.fault("", text)
		}
	}}
}

// fillSlots puts those boards into their slots that are there at the start.
func (r *Running) fillSlots() {
	for _, m := range r.machines() {
		if m.member.Slot != "" && !m.away {
			m.domain.Do(func() { r.choose(m.member.Slot, m) })
		}
	}
}

// choose joins the links of a slot to a board; nil leaves them open. It is called in the
// domain that all boards of the slot have.
func (r *Running) choose(slot string, m *Machine) {
	for _, t := range r.between.Load().turns[slot] {
		t.Choose(t.sockets[m])
	}
}

// present is the board in a slot, nil for none.
func (r *Running) present(slot string) *Machine {
	if slot == "" {
		return nil
	}
	for _, m := range r.machines() {
		if m.member.Slot == slot && !m.away {
			return m
		}
	}
	return nil
}

// plugCard puts a board into its slot, where it has power, or takes it out as it is. A board that the appliance's
// file does not have needs none.
func (m *Machine) plugCard(in bool) error {
	slot := m.member.Slot
	switch other := m.r.present(slot); {
	case m.away != in:
		return alreadyPlugged(m.name, in)
	case in && other != nil:
		return fmt.Errorf("%s is in slot %s: unplug it first", other.name, slot)
	}
	if !in && (m.proc != nil || m.powered && m.state != StateOff) {
		if err := m.pullPlug("unplugged"); err != nil {
			return err
		}
	}
	if !in && m.supply.Stop() { // it has been switched off just now
		m.powerParts(false)
	}
	m.away = !in
	if in {
		m.r.choose(slot, m)
	} else {
		m.r.choose(slot, nil)
	}
	if slot == "" {
		m.emit("", KindPlug, plugState(in))
	} else {
		m.emit("", KindPlug, plugState(in), simbus.Text("slot", slot))
	}
	if !in || m.member.Off {
		return nil
	}
	return m.powerOn()
}
