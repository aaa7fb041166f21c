package appliance

import (
	"errors"
	"fmt"

	"backplane/boards"
	"backplane/simbus"
)

// Unplug takes a chip or a controller off its board, or a cable out of its port: nothing of it
// is on the bus or the lines any more, and it loses its power. The kernel finds that a
// controller has gone.
var Unplug = &ActionKind{
	Name:  "unplug",
	Title: "Unplug a part of a board, or the cable of a port",
	Place: plugPlace,
	do:    func(r *Running, x *Action) error { return r.plug(x.Place, false) },
	then:  func(a *boards.Appliance, x *Action) error { return notePlugged(a, x.Place, false) },
}

// Plug undoes Unplug, or puts parts onto a board that its file does not have, or without a board
// links between boards that the appliance's does not have: then there is a text, Data, from the
// file Value if that is not empty. A part begins in its power-on state.
var Plug = &ActionKind{
	Name:  "plug",
	Title: "Plug what was unplugged, new parts into a board, or new links between boards",
	Place: plugPlace,
	Text:  "FILE|TOML",
	Example: "  backplane plug sensor.temp0\n  backplane plug sensor spare.toml\n" +
		"  backplane plug sensor 'chip = [{ name = \"temp1\", on = \"i2c1\", model = \"tmp102\", address = 0x49 }]'\n" +
		"  backplane plug 'serial = [{ name = \"line\", ports = [\"sensor.uart1\", \"controller.uart1\"] }]'",
	Words: func(x *Action) string {
		switch {
		case len(x.Data) == 0:
			return "plug " + x.Place
		case x.Place == "":
			return "plug what is new into the appliance"
		}
		return "plug parts into " + x.Place
	},
	do: func(r *Running, x *Action) error {
		if len(x.Data) > 0 {
			return r.plugText(x.Place, boards.Text{File: x.Value, TOML: x.Data})
		}
		return r.plug(x.Place, true)
	},
	then: func(a *boards.Appliance, x *Action) error {
		if len(x.Data) == 0 {
			return notePlugged(a, x.Place, true)
		}
		return noteText(a, x.Place, boards.Text{File: x.Value, TOML: x.Data})
	},
}

// plugText plugs what a text says: parts of a board, or what is between boards.
func (r *Running) plugText(board string, text boards.Text) error {
	if board == "" {
		return r.joinText(text)
	}
	return r.fit(board, text)
}

// noteText notes in the description what a text plugs.
func noteText(a *boards.Appliance, board string, text boards.Text) error {
	if board == "" {
		j, err := a.Join(text)
		if err == nil {
			j.Apply()
		}
		return err
	}
	f, err := a.Fit(board, text)
	if err == nil {
		f.Apply()
	}
	return err
}

// notePlugged notes in the description what is plugged.
func notePlugged(a *boards.Appliance, place string, in bool) error {
	p, err := a.Plug(place)
	switch {
	case err != nil || p.Card:
	case p.Name != "":
		p.Member.Board.SetPlugged(p.Name, in)
	default:
		a.SetCable(p.Cable, in)
	}
	return err
}

var plugPlace = &PlaceKind{Name: "plug", Form: "PART|PORT|BOARD", Doc: "board.part, a board in a slot, board.port, segment:board.port or a serial link or wire", Check: (*boards.Appliance).CheckPlug}

// States of what can be plugged.
const (
	StatePlugged   = "plugged"
	StateUnplugged = "unplugged"
)

// plug plugs or unplugs what has that name.
func (r *Running) plug(place string, in bool) error {
	p, err := r.appliance.Plug(place)
	switch {
	case err != nil:
		return err
	case p.Card:
		return r.onMachine(p.Member.Name, func(m *Machine) error { return m.plugCard(in) })
	case p.Name == "":
		return r.plugCable(p.Cable, in)
	}
	return r.onMachine(p.Member.Name, func(m *Machine) error {
		seat := m.named[p.Name].seat
		if seat.Plugged() == in {
			return alreadyPlugged(place, in)
		}
		if err := seat.Plug(in); err != nil { // another part has its place
			return errors.Join(fmt.Errorf("%s: %w", place, err), seat.Plug(false))
		}
		p.Member.Board.SetPlugged(p.Name, in)
		m.emit(p.Name, KindPlug, plugState(in))
		return nil
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
		r.emitCable(at, in)
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
		return simbus.Text("state", StatePlugged)
	}
	return simbus.Text("state", StateUnplugged)
}
