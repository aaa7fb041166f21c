package gpio

import (
	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// slotLine is a line of a slot: the pins of links that are soldered to it are on the line of
// whichever board is in the slot, and on a wire of their own while there is none.
type slotLine struct {
	open wire.Wire
	pins []*wire.Pin
}

func newTurns(simbus.Clock) periph.Turns { return &slotLine{open: wire.Wire{Name: "slot"}} }

// Socket is what links are soldered to.
func (s *slotLine) Socket() any { return &s.open }

// Choose moves the links' pins.
func (s *slotLine) Choose(socket any) {
	if s.pins == nil {
		s.pins = s.open.Pins()
	}
	to, ok := socket.(*wire.Wire)
	if !ok {
		to = &s.open
	}
	for _, p := range s.pins {
		p.Move(to)
	}
}
