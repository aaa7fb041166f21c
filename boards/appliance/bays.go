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
	link, end string // their names
}

// slotJoint is an end of a link at a slot, at first with no board in it.
func (r *Running) slotJoint(l *boards.Link, e *boards.End) periph.Joint {
	kind, _ := r.appliance.Catalog().Controller(l.Kind.Joins)
	first := r.machines()[e.Cards[0].Member]
	t := turn{kind.Turns(first.domain), l.Name, e.Name}
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
		t.choose(m)
	}
}

// choose gives the end to a board; nil leaves it open, as a board does that has nothing for it.
func (t *turn) choose(m *Machine) {
	if m == nil {
		t.Choose(nil)
		return
	}
	switch card := m.r.appliance.Card(t.link, t.end, m.index); {
	case card.Line != nil:
		t.Choose(m.wire(*card.Line))
	case card.Controller != nil:
		t.Choose(m.socket(card.Controller.Name, ""))
	default:
		t.Choose(nil)
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

// empty says it if there is a board in a slot.
func (r *Running) empty(slot string) error {
	if m := r.present(slot); m != nil {
		return fmt.Errorf("%s is in slot %s: unplug it first", m.name, slot)
	}
	return nil
}

// tellPlug tells that a board was plugged or unplugged, and more of it.
func (m *Machine) tellPlug(more ...simbus.Attr) {
	attrs := []simbus.Attr{plugState(!m.away)}
	if slot := m.member.Slot; slot != "" {
		attrs = append(attrs, simbus.Text("slot", slot))
	}
	m.emit("", KindPlug, append(attrs, more...)...)
}

// plugCard puts a board into its slot, where it has power, or takes it out as it is. A board that the appliance's
// file does not have needs none.
func (m *Machine) plugCard(in bool) error {
	slot := m.member.Slot
	if m.away != in {
		return alreadyPlugged(m.name, in)
	}
	if in {
		if err := m.r.empty(slot); err != nil {
			return err
		}
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
	m.tellPlug()
	if !in || m.member.Off {
		return nil
	}
	return m.powerOn()
}
