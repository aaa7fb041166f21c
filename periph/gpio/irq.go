package gpio

import (
	"encoding/binary"
	"fmt"

	"backplane/periph/virtio"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// interrupt is the state of a line's interrupt (section 5.18.6.6). It is enabled
// by a type other than none, and unmasked while the driver has a buffer queued
// for it. Delivery returns the buffer and so masks it again.
type interrupt struct {
	kind    uint8         // one of the irq types
	latched bool          // an edge came while it was masked; several are one
	missed  int           // how many more came since it was latched
	buffer  *virtio.Chain // queued by the driver, nil while masked
}

func (i *interrupt) enabled() bool { return i.kind != irqNone }

// levelled tells whether the interrupt is one of a level.
func (i *interrupt) levelled() bool { return i.kind == irqLevelHigh || i.kind == irqLevelLow }

// due tells whether the interrupt is to be delivered at this level of the line.
// A level interrupt is never latched: what counts is the level at unmasking.
func (i *interrupt) due(level wire.Level) bool {
	switch i.kind {
	case irqLevelHigh:
		return level == wire.High
	case irqLevelLow:
		return level == wire.Low
	}
	return i.latched
}

// sense is called after each change of a line's level.
func (c *Controller) sense(l *line, level wire.Level) {
	if level == wire.High && l.kind&irqEdgeRising != 0 || level == wire.Low && l.kind&irqEdgeFalling != 0 {
		if l.latched {
			l.missed++
		}
		l.latched = true
	}
	c.deliver(l)
}

// deliver returns the line's buffer to the driver if its interrupt is due and unmasked.
func (c *Controller) deliver(l *line) {
	if l.buffer != nil && l.due(l.wire.Level()) {
		l.latched = false
		if n := l.missed; n > 0 {
			l.missed = 0
			l.lost += uint64(n)
			if c.OnMissed != nil {
				c.OnMissed(l.index, n, l.lost)
			}
		}
		c.returnBuffer(l, irqStatusValid)
	}
}

// returnBuffer masks the line's interrupt.
func (c *Controller) returnBuffer(l *line, status uint8) {
	chain := l.buffer
	l.buffer = nil // first: the driver may act inside Notify
	c.events.Done(chain, chain.CopyIn(0, []byte{status}))
	c.events.Notify()
}

// setIRQType enables the line's interrupt, or disables it, which also discards
// a latched edge and returns an unused buffer. Linux changes the type of an
// enabled interrupt without disabling it first.
func (c *Controller) setIRQType(l *line, kind uint32) bool {
	switch kind {
	case irqNone:
		l.kind, l.latched, l.missed = irqNone, false, 0 // it wants to know of no more
		if l.buffer != nil {
			c.returnBuffer(l, irqStatusInvalid)
		}
	case irqEdgeRising, irqEdgeFalling, irqEdgeBoth, irqLevelHigh, irqLevelLow:
		if l.direction == directionOut {
			return false
		}
		if uint8(kind) != l.kind {
			l.kind, l.latched, l.missed = uint8(kind), false, 0
		}
		c.deliver(l)
	default:
		return false
	}
	return true
}

// takeEventBuffer takes one, with which the driver unmasks a line's interrupt.
func (c *Controller) takeEventBuffer(chain *virtio.Chain) (more bool, err error) {
	l, err := c.eventLine(chain)
	if err != nil {
		return false, err
	}
	l.buffer = chain
	switch {
	case !l.enabled():
		c.returnBuffer(l, irqStatusInvalid)
	case l.levelled() && c.Access > 0:
		// The handler has not changed the level: on hardware as well it is
		// called at once, again and again, and time goes on.
		simbus.After(c.Clock, c.Access, func() { c.deliver(l) })
	default:
		c.deliver(l)
	}
	return true, nil
}

// eventLine is the line that an eventq buffer (struct virtio_gpio_irq_request) is for.
func (c *Controller) eventLine(chain *virtio.Chain) (*line, error) {
	var b [irqRequestSize]byte
	if n := chain.ReadLen(); n != irqRequestSize {
		return nil, fmt.Errorf("event buffer with a request of %d bytes: must be %d", n, irqRequestSize)
	}
	if n := chain.WriteLen(); n < irqStatusSize {
		return nil, fmt.Errorf("event buffer with no room for its status")
	}
	chain.CopyOut(b[:], 0)
	i := int(binary.LittleEndian.Uint16(b[:]))
	if i >= len(c.lines) {
		return nil, fmt.Errorf("event buffer for line %d: there are %d", i, len(c.lines))
	}
	if c.lines[i].buffer != nil {
		return nil, fmt.Errorf("second event buffer for line %d: one may be queued", i)
	}
	return &c.lines[i], nil
}
