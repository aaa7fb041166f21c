package boards

import (
	"fmt"
	"slices"
	"strings"

	"backplane/periph/gpio"
)

// Plug is what can be plugged and unplugged: a part of a board, or the cable at a place
// of a link.
type Plug struct {
	Member *Member
	Part   *Part // nil for a cable
	Cable  Place
}

// Plug finds what can be plugged: "sensor.temp0", "sensor.eth0", "lan:sensor.eth0", "cable".
func (a *Appliance) Plug(place string) (*Plug, error) {
	if a.segment(place) != nil {
		return nil, fmt.Errorf("%s is a segment: name the cable of a port, such as %q, or cut it", place, place+":BOARD.PORT")
	}
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
			return &Plug{Member: m, Part: p}, nil
		}
	}
	if at, ok := a.cableAt(m, name); ok {
		return &Plug{Cable: at}, nil
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is a board: write board.part or board.port; pull_plug cuts its power", place)
	case slices.Contains(a.ports(m.Board), name):
		return nil, fmt.Errorf("the port %s has no cable: it is on no link", place)
	case slices.Contains(m.Board.partNames(), name):
		return nil, fmt.Errorf("%s cannot be unplugged: parts and cables of ports can", place)
	}
	return nil, fmt.Errorf("board %s: %w", board, Unknown("part or port", name, a.pluggable(m)))
}

// cableAt is where the cable of a board's port can be cut; false if it is on no link.
func (a *Appliance) cableAt(m *Member, port string) (Place, bool) {
	if at, ok := a.Cable(m, port); ok {
		return at, true
	}
	for _, l := range a.Links {
		for _, e := range l.hosts() {
			switch {
			case port == "" || e.Port != port || &a.Board[e.Member] != m:
			case l.apart():
				return Place{l, e.Name}, true
			default:
				return Place{Link: l}, true
			}
		}
	}
	return Place{}, false
}

// ports names the board's ports that a link can be joined to.
func (a *Appliance) ports(b *Board) (names []string) {
	for _, k := range a.catalog.Links {
		if k.Joins != gpio.BusName {
			_, ports := b.ports(a.catalog, k.Joins)
			names = append(names, named(ports, func(c **Controller) string { return (*c).Name })...)
		}
	}
	return names
}

// pluggable names what of a board can be unplugged.
func (a *Appliance) pluggable(m *Member) []string {
	names := named(m.Board.Parts(), func(p **Part) string { return (*p).Name })
	for _, port := range a.ports(m.Board) {
		if _, ok := a.cableAt(m, port); ok {
			names = append(names, port)
		}
	}
	return names
}

// Plugs are the places of all that can be unplugged.
func (a *Appliance) Plugs() (list []string) {
	for i := range a.Board {
		for _, name := range a.pluggable(&a.Board[i]) {
			list = append(list, a.Board[i].Name+"."+name)
		}
	}
	return list
}

// CheckPlug says what is wrong with the place of what is to be plugged or unplugged.
func (a *Appliance) CheckPlug(place string) error {
	_, err := a.Plug(place)
	return err
}
