package serial

import (
	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/serial"
)

// slotPort is the end of a link at a slot: the port of whichever board is in the slot has it,
// and one without power while there is none.
type slotPort struct{ open, present *serial.Port }

func newTurns(clock simbus.Clock, _ []any) periph.Turns {
	open := serial.NewPort(clock)
	open.Power(false)
	return &slotPort{open, open}
}

// Socket is what the link is joined to at first.
func (s *slotPort) Socket() any { return s.open }

// Choose gives the end of the link to a port.
func (s *slotPort) Choose(socket any) {
	port, ok := socket.(*serial.Port)
	if !ok {
		port = s.open
	}
	serial.Replace(s.present, port)
	s.present = port
}
