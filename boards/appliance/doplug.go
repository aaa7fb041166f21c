package appliance

import (
	"fmt"

	"backplane/boards"
	"backplane/simbus"
)

// Unplug takes a part off its board, or a cable out of its port: nothing of it is on the bus
// or the lines any more, and a part loses its power.
var Unplug = &ActionKind{
	Name:  "unplug",
	Title: "Unplug a part of a board, or the cable of a port",
	Place: plugPlace,
	do:    func(r *Running, x *Action) error { return r.plug(x.Place, false) },
}

// Plug undoes Unplug. A part begins in its power-on state.
var Plug = &ActionKind{
	Name:  "plug",
	Title: "Plug what was unplugged",
	Place: plugPlace,
	do:    func(r *Running, x *Action) error { return r.plug(x.Place, true) },
}

var plugPlace = &PlaceKind{Name: "plug", Form: "PART|PORT", Doc: "board.part, board.port, segment:board.port or a serial link or wire", Check: (*boards.Appliance).CheckPlug}

// States of what can be plugged.
const (
	statePlugged   = "plugged"
	stateUnplugged = "unplugged"
)

// plug plugs or unplugs what has that name.
func (r *Running) plug(place string, in bool) error {
	p, err := r.appliance.Plug(place)
	switch {
	case err != nil:
		return err
	case p.Part == nil:
		return r.plugCable(p.Cable, in)
	}
	return r.onMachine(p.Member.Name, func(m *Machine) error {
		seat := m.named[p.Part.Name].seat
		if seat.Plugged() == in {
			return alreadyPlugged(place, in)
		}
		err := seat.Plug(in)
		m.emit(p.Part.Name, KindPlug, plugState(in))
		return err
	})
}

// plugCable plugs or unplugs the cable at a place of a link.
func (r *Running) plugCable(at boards.Place, in bool) error {
	err := r.hold(at, func(h *held) error {
		if h.unplugged != in {
			return alreadyPlugged(at.String(), in)
		}
		h.unplugged = !in
		return nil
	})
	if err == nil {
		r.cal.Emit(simbus.Event{Part: at.String(), Kind: KindPlug, Attrs: []simbus.Attr{plugState(in)}})
	}
	return err
}

func alreadyPlugged(place string, in bool) error {
	if in {
		return fmt.Errorf("%s is already plugged", place)
	}
	return fmt.Errorf("%s is already unplugged", place)
}

func plugState(in bool) simbus.Attr {
	if in {
		return simbus.Text("state", statePlugged)
	}
	return simbus.Text("state", stateUnplugged)
}
