package spi

import (
	"errors"
	"fmt"
	"slices"
)

// MaxSelects is how many chip selects a bus has.
const MaxSelects = 16

// Why a chip did not take part in a transfer. Nobody tells the controller so: on
// SPI nothing is acknowledged.
var (
	ErrNoChip  = errors.New("no chip")
	ErrMode    = errors.New("wrong mode")
	ErrTooFast = errors.New("too fast")
)

// Limits are what a chip understands, by its data sheet.
type Limits struct {
	Modes []Mode
	MaxHz int // highest clock; 0: any
}

// check is why the chip does not understand such a transfer.
func (l *Limits) check(m Mode, hz int) error {
	switch {
	case !slices.Contains(l.Modes, m.line()):
		return ErrMode
	case l.MaxHz > 0 && hz > l.MaxHz:
		return ErrTooFast
	}
	return nil
}

// Bus is clock, data and chip selects, and the targets on them.
type Bus struct {
	name  string
	slots [MaxSelects]slot
	now   *slot // the one whose chip select is active
}

// slot is one chip select, and what hangs there.
type slot struct {
	target  Target
	limits  Limits
	noticed bool // the target knows that it is selected
}

// NewBus makes a bus with nothing on it.
func NewBus(name string) *Bus { return &Bus{name: name} }

// Name is what the bus is called.
func (b *Bus) Name() string { return b.name }

// Attach puts a target at a chip select. It is an error if that is taken or not there.
func (b *Bus) Attach(cs int, t Target, l Limits) error {
	switch {
	case cs < 0 || cs >= MaxSelects:
		return fmt.Errorf("attach to %s: chip select %d must be 0 to %d", b.name, cs, MaxSelects-1)
	case b.slots[cs].target != nil:
		return fmt.Errorf("attach to %s: chip select %d is taken", b.name, cs)
	case len(l.Modes) == 0:
		return fmt.Errorf("attach to %s: the chip supports no SPI mode", b.name)
	}
	b.slots[cs] = slot{target: t, limits: l}
	return nil
}

// Detach takes the target at a chip select off the bus.
func (b *Bus) Detach(cs int) {
	if cs < 0 || cs >= MaxSelects {
		return
	}
	if b.now == &b.slots[cs] {
		b.Release()
	}
	b.slots[cs] = slot{}
}

// Selected tells whether that chip select is active.
func (b *Bus) Selected(cs int) bool { return b.now != nil && b.now == &b.slots[cs] }

// Exchange makes a chip select active, unless it is already, and clocks bits both
// ways, as [Target.Exchange] has them; rx must be all ones. The chip select stays
// active: only one is at a time. A chip that does not understand the transfer does not
// take part in it. The error says why nobody heard it.
func (b *Bus) Exchange(cs int, m Mode, hz int, tx, rx []byte, bits int) error {
	s := &b.slots[cs]
	if b.now != s {
		b.Release()
		b.now = s
	}
	if s.target == nil {
		return ErrNoChip
	}
	if err := s.limits.check(m, hz); err != nil {
		return err
	}
	if !s.noticed {
		s.noticed = true
		s.target.Select()
	}
	s.target.Exchange(tx, rx, bits)
	return nil
}

// Release ends the selection, if there is one.
func (b *Bus) Release() {
	s := b.now
	b.now = nil
	if s != nil && s.noticed {
		s.noticed = false
		s.target.Deselect()
	}
}
