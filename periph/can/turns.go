package can

import (
	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/can"
)

// slotNode is the port of a bus at a slot: the node of whichever board is in the slot has it.
type slotNode struct {
	open *can.Node // in place of a board, on no bus
	port *port     // nil before there is a bus
}

func newTurns(clock simbus.Clock) periph.Turns {
	return &slotNode{open: can.NewNode("slot", clock, can.Timing{Bitrate: defaultBitrate}, nobody{})}
}

// Socket is what a bus takes.
func (s *slotNode) Socket() any { return s }

// Choose gives the port to a node, with what it was set to.
func (s *slotNode) Choose(socket any) {
	node, ok := socket.(*can.Node)
	if !ok {
		node = s.open
	}
	p := s.port
	p.seg.Bus.Leave(p.Node)
	node.Rename(p.Name())
	node.SetErrorRate(p.ErrorRate())
	if p.SetErrorRate(0); p.Node == s.open {
		p.Rename("slot")
	}
	p.Node, p.empty = node, !ok
	p.settle()
}

// nobody is what the node of an empty slot belongs to: it is never started.
type nobody struct{}

func (nobody) Sent()              {}
func (nobody) Receive(*can.Frame) {}
func (nobody) Changed(can.State)  {}
