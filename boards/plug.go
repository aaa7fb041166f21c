package boards

import (
	"fmt"
	"slices"
	"strings"
)

// Plug is what can be plugged and unplugged: a chip or a controller of a board, a board in a
// slot, or the cable at a place of a link.
type Plug struct {
	Member *Member
	Name   string // of the chip or controller, empty for a cable and a board
	Card   bool   // the board itself is
	Cable  Place
}

// Card follows the name of a controller, where that alone is the name of its cable:
// "sensor.eth0.card".
const Card = ".card"

// Plug finds what can be plugged: "sensor.temp0", "sensor.disk0", "sensor.eth0" (its cable),
// "sensor.eth0.card", "lan:sensor.eth0", "cable".
func (a *Appliance) Plug(place string) (*Plug, error) {
	if strings.Contains(place, ":") || slices.Contains(a.linkNames(), place) {
		at, err := a.LinkPlace(place)
		return &Plug{Cable: at}, err
	}
	board, name, ok := strings.Cut(place, ".")
	m, err := a.member(board)
	if err != nil {
		return nil, err
	}
	for _, p := range m.Board.Parts() {
		if p.Name == name {
			return &Plug{Member: m, Name: name}, nil
		}
	}
	if at, ok := a.cableAt(m, name); ok {
		return &Plug{Cable: at}, nil
	}
	if c := m.Board.controller(strings.TrimSuffix(name, Card)); c != nil && c.Kind.Always == "" {
		return &Plug{Member: m, Name: c.Name}, nil
	}
	switch {
	case !ok && a.movable(m):
		return &Plug{Member: m, Card: true}, nil
	case !ok:
		return nil, fmt.Errorf("%q is a board that is in no slot: write board.part or board.port; pull_plug, as a command power cut, cuts its power", place)
	case slices.Contains(m.Board.partNames(), name):
		return nil, fmt.Errorf("%s cannot be unplugged: every board has it", place)
	}
	return nil, fmt.Errorf("board %s: %w", board, Unknown("part or port", name, a.pluggable(m)))
}

// movable tells whether a board can be unplugged: one that takes turns in a slot, or was plugged.
func (a *Appliance) movable(m *Member) bool { return m.Slot != "" || m.doc != a.doc }

// cableAt is where the cable of a board's port can be cut; false if it is on no link.
func (a *Appliance) cableAt(m *Member, port string) (Place, bool) {
	if at, ok := a.Cable(m, port); ok {
		return at, true
	}
	for _, l := range a.Joined() {
		for _, e := range l.hosts() {
			switch {
			case port == "" || e.Port != port || !a.on(e, m):
			case l.apart():
				return Place{l, e.Name}, true
			default:
				return Place{Link: l}, true
			}
		}
	}
	return Place{}, false
}

// on tells whether an end of a link is at a board.
func (a *Appliance) on(e *End, m *Member) bool {
	_, i := a.memberIndex(m.Name)
	return e.On(i)
}

// pluggable names what of a board can be unplugged.
func (a *Appliance) pluggable(m *Member) []string {
	names := named(m.Board.Parts(), func(p **Part) string { return (*p).Name })
	for _, c := range m.Board.Controllers() {
		_, cable := a.cableAt(m, c.Name)
		switch {
		case c.Kind.Always != "":
		case cable:
			names = append(names, c.Name, c.Name+Card)
		default:
			names = append(names, c.Name)
		}
	}
	return names
}

// Plugs are the places of all that can be unplugged.
func (a *Appliance) Plugs() (list []string) {
	for _, m := range a.Members() {
		if a.movable(m) {
			list = append(list, m.Name)
		}
		for _, name := range a.pluggable(m) {
			list = append(list, m.Name+"."+name)
		}
	}
	for _, l := range a.Joined() {
		list = append(list, l.Name)
		for _, port := range l.portNames() {
			list = append(list, Place{l, port}.String())
		}
	}
	return list
}

// CheckPlug says what is wrong with the place of what is to be plugged or unplugged.
func (a *Appliance) CheckPlug(place string) error {
	_, err := a.Plug(place)
	return err
}
