package net

import (
	"sync/atomic"

	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/ether"
)

// seated is the station that has the port.
type seated struct{ Station }

func newTurns(simbus.Clock) periph.Turns { return new(slotPort) }

// slotPort is the port of a slot on a segment: whichever board is in the slot has it.
type slotPort struct {
	present atomic.Pointer[seated] // frames may come on other goroutines in real time
	plug    func(Station)          // puts the cable into a board's port
	up      bool
}

// Socket is the port of the slot.
func (t *slotPort) Socket() any { return t }

// Choose lets a station have it.
func (t *slotPort) Choose(socket any) {
	if old := t.present.Load(); old != nil {
		old.SetLink(false)
	}
	station, ok := socket.(Station)
	if !ok {
		t.present.Store(nil)
		return
	}
	t.present.Store(&seated{station})
	if t.plug(station); !t.up {
		station.SetLink(false)
	}
}

// Plug keeps the cable for who will have the port.
func (t *slotPort) Plug(p *ether.Port, speed int64, offload bool) {
	t.plug = func(s Station) { s.Plug(p, speed, offload) }
	t.up = true
}

// SetLink tells the one that has the port whether the cable carries anything.
func (t *slotPort) SetLink(up bool) {
	if t.up = up; t.present.Load() != nil {
		t.present.Load().SetLink(up)
	}
}

// Receive hands a frame on, if anybody is there.
func (t *slotPort) Receive(f *ether.Frame) error {
	if s := t.present.Load(); s != nil {
		return s.Receive(f)
	}
	return nil
}
