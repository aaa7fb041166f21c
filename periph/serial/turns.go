package serial

import (
	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/serial"
)

// slotPort is the end of a link at a slot, or a port of a bus: the port of whichever board is in the slot
// has it, and one without power while there is none.
type slotPort struct {
	open, present *serial.Port
	node          *node // on a bus
}

func newTurns(clock simbus.Clock) periph.Turns {
	open := serial.NewPort(clock)
	open.Power(false)
	return &slotPort{open: open, present: open}
}

// Socket is what the link is joined to at first.
func (s *slotPort) Socket() any { return s }

// portOf is the port that a socket is, or that it has at first.
func portOf(socket any) (*serial.Port, bool) {
	if s, ok := socket.(*slotPort); ok {
		return s.open, true
	}
	port, ok := socket.(*serial.Port)
	return port, ok
}

// Choose gives the end of the link to a port.
func (s *slotPort) Choose(socket any) {
	port, ok := socket.(*serial.Port)
	if !ok {
		port = s.open
	}
	if s.node != nil {
		s.node.become(port)
	} else {
		serial.Replace(s.present, port)
	}
	s.present = port
}
