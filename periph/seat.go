package periph

import (
	"slices"

	"backplane/simbus/wire"
)

// Seat is the place of a chip or a controller on its board, and its life there. It sits in the place
// while it is plugged, and what it is on does: then it is on its bus, its pins are on
// their lines, and it has power while its supply is on. Whatever takes its power does to it
// what [Chip.Power] says.
type Seat struct {
	chip   Powered
	pins   []*wire.Pin
	attach func() (detach func(), err error)
	on     *Seat   // the seat of the chip whose bus it is on, nil for a controller's
	riders []*Seat // of the chips that are on its own buses

	supplied, unplugged bool
	detach              func() // nil unless it sits there
}

// NewSeat makes the place of a chip, with its pins, or of a controller, and puts it there unless it is
// unplugged at first. attach joins it to what it is on.
func NewSeat(c Powered, pins []*wire.Pin, on *Seat, unplugged bool, attach func() (detach func(), err error)) (*Seat, error) {
	s := &Seat{chip: c, pins: pins, attach: attach, on: on, unplugged: unplugged}
	if on != nil {
		on.riders = append(on.riders, s)
	}
	if s.Sits() {
		return s, s.settle()
	}
	s.lift()
	return s, nil
}

// Supply switches what the place has of power.
func (s *Seat) Supply(on bool) {
	had := s.powered()
	if s.supplied = on; s.powered() != had {
		s.chip.Power(on)
	}
}

// Plugged tells whether the chip is plugged, wherever what it is on may be.
func (s *Seat) Plugged() bool { return !s.unplugged }

// Plug plugs the chip, or unplugs it. The chips on its buses come and go with it.
func (s *Seat) Plug(in bool) error {
	s.unplugged = !in
	return s.settle()
}

// Remove ends the place of a chip that is unplugged.
func (s *Seat) Remove() {
	if s.on != nil {
		s.on.riders = slices.DeleteFunc(s.on.riders, func(r *Seat) bool { return r == s })
	}
}

// Sits tells whether the chip is in its place: it is plugged, and so is what it is on.
func (s *Seat) Sits() bool { return !s.unplugged && (s.on == nil || s.on.Sits()) }

func (s *Seat) powered() bool { return s.supplied && s.detach != nil }

// settle puts the chip into its place, or takes it from there, and then those that it carries.
func (s *Seat) settle() error {
	switch sits := s.Sits(); {
	case sits && s.detach == nil:
		detach, err := s.attach()
		if err != nil {
			return err
		}
		s.detach = detach
		for _, p := range s.pins {
			p.Join()
		}
		if s.supplied {
			s.chip.Power(true)
		}
	case !sits && s.detach != nil:
		if s.supplied {
			s.chip.Power(false)
		}
		s.lift()
		s.detach()
		s.detach = nil
	}
	for _, r := range s.riders {
		if err := r.settle(); err != nil {
			return err
		}
	}
	return nil
}

// lift takes the pins off their lines.
func (s *Seat) lift() {
	for _, p := range s.pins {
		p.Lift()
	}
}
