package can

import (
	"slices"

	"backplane/simbus"
)

// short is what becomes of a bus that is held dominant: a short circuit, or a broken
// transceiver.
type short struct {
	on           bool
	transmitters []*Node // of the frame that it has ended
}

// Dominant tells whether the bus is held dominant.
func (b *Bus) Dominant() bool { return b.short.on }

// SetDominant holds the bus dominant, or lets it go. Nodes find an error at once, or take it
// for a start of frame and find one after six bits. From then on they count on, eight for
// eight bits (clause 12.1.4.2 f): a transmitter until it is bus-off, receivers until they are
// error-passive.
func (b *Bus) SetDominant(on bool) {
	now := b.clock.Now()
	switch {
	case on == b.short.on:
	case on:
		b.step.Stop()
		sending := b.busy && len(b.from) > 0
		b.short = short{on: true, transmitters: slices.Clone(b.from)}
		b.busy, b.from = false, b.from[:0]
		b.dominant(now)
		wait := stuffLimit + 1
		if sending {
			wait = 0
		}
		for _, n := range b.nodes {
			n.hears = n.takesPart()
		}
		b.step = b.clock.At(b.bitsAfter(now, wait), b.shorted)
	default:
		b.step.Stop()
		b.short = short{}
		b.quiet(now, b.bitsAfter(now, errorDelimiter+intermission))
	}
}

// shorted is when the nodes find an error, and begin their flags.
func (b *Bus) shorted() {
	flag := b.step.Time()
	by, kind := (*Node)(nil), StuffError
	if len(b.short.transmitters) > 0 {
		by, kind = b.short.transmitters[0], BitError
	}
	for _, n := range slices.Clone(b.nodes) {
		if !n.hears {
			continue
		}
		if by == nil {
			by = n
		}
		b.held(n, 1)
	}
	if by != nil {
		b.tell(flag, by, nil, &Error{Kind: kind, By: by})
	}
	// The bit after their flag is dominant: rule b, of receivers alone.
	b.step = b.clock.At(b.bitsAfter(flag, flagBits+1), func() {
		for _, n := range slices.Clone(b.nodes) {
			if n.hears && !slices.Contains(b.short.transmitters, n) {
				b.held(n, 8)
			}
		}
		b.more(b.bitsAfter(flag, flagBits+8))
	})
}

// more counts on, every eight bits, until no counter changes.
func (b *Bus) more(t simbus.Time) {
	b.step = b.clock.At(t, func() {
		open := false
		for _, n := range slices.Clone(b.nodes) {
			open = n.hears && b.held(n, 8) || open
		}
		if open {
			b.more(b.bitsAfter(t, 8))
		}
	})
}

// held counts an error of a node on a bus that is held dominant, and tells whether there is
// more to count.
func (b *Bus) held(n *Node, receiver int) bool {
	if slices.Contains(b.short.transmitters, n) {
		n.count(8, 0)
	} else if n.rec <= passiveLimit {
		n.count(0, receiver)
	} else {
		return false
	}
	n.follow()
	return n.hears
}
