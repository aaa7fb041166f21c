package can

import (
	"slices"

	"backplane/simbus"
)

// ErrorKind is what a node has found (ISO 11898-1:2015 clause 10.11).
type ErrorKind int

// The kinds.
const (
	BitError   ErrorKind = iota // a transmitter reads another level than it sends
	StuffError                  // six equal bits
	CRCError                    // a receiver's checksum is another than the frame's
	AckError                    // no receiver has acknowledged the frame
)

var errorNames = [...]string{"bit", "stuff", "crc", "ack"}

// String is "bit" and so on.
func (k ErrorKind) String() string { return errorNames[k] }

// Error is an error on the bus.
type Error struct {
	Kind ErrorKind
	Bit  int // of the frame, stuff bits included, the start of frame being 0
	By   *Node
	// Again tells that nothing has changed by it: it is the error of an error-passive
	// transmitter that nobody acknowledges, which has no end.
	Again bool
}

// fail is an error that finders have found in the bit before the present one, with the bits
// up to there in b.now.level. Their flag, which begins now, violates the rule of stuff bits,
// or the form of the frame: so all others find an error too, and send a flag.
func (b *Bus) fail(e *Error, finders []*Node) {
	start := b.at(e.Bit + 1)
	finders = slices.Clone(finders)
	transmitters := slices.Clone(b.from)
	level := byte(1)
	for _, n := range finders {
		if n.state == ErrorActive {
			level = 0
		}
	}
	var others []*Node
	active := level == 0 // whether anybody's flag is dominant
	for _, n := range b.nodes {
		if n.hears && !slices.Contains(finders, n) && (slices.Contains(transmitters, n) || b.receives(n, &b.frame)) {
			others = append(others, n)
			active = active || n.state == ErrorActive
		}
	}
	flags := flagBits
	switch {
	case len(others) == 0:
	case e.Kind == CRCError: // the frame has no dominant bit in its end
		flags = flagBits + 1
	default: // when six bits are equal
		flags += max(0, flagBits-b.now.equal(len(b.now.level), level))
	}
	e.By = finders[0]
	e.Again = e.Kind == AckError && e.By.state == ErrorPassive && !active
	b.tell(start, b.sender, &b.frame, e)
	silent := start
	if active {
		silent = b.bitsAfter(start, flags)
	}
	free := b.bitsAfter(start, flags+errorDelimiter+intermission)
	for _, n := range transmitters {
		if !e.Again {
			n.count(8, 0)
		}
	}
	for _, n := range others {
		if !slices.Contains(transmitters, n) {
			n.count(0, 1)
		}
	}
	for _, n := range finders {
		if !slices.Contains(transmitters, n) {
			n.count(0, 1)
			if len(others) > 0 {
				n.count(0, 8) // a dominant bit follows its own flag
			}
		}
	}
	b.end(silent, free, transmitters)
}

// end ends a frame that has failed, and lets the states of nodes follow their counters.
func (b *Bus) end(silent, free simbus.Time, transmitters []*Node) {
	b.from = b.from[:0]
	for _, n := range slices.Clone(b.nodes) {
		n.follow()
	}
	for _, n := range transmitters {
		b.suspend(n, free)
	}
	b.quiet(silent, free)
}

// abandoned is a frame whose transmitter has gone in the middle of it: the bus is recessive,
// and the receivers find a stuff error in that, and send their flags.
func (b *Bus) abandoned() {
	b.step.Stop()
	now := b.clock.Now()
	silent, free := now, b.bitsAfter(now, quietBits)
	var receivers []*Node
	for _, n := range b.nodes {
		if n.hears {
			receivers = append(receivers, n)
			n.count(0, 1)
		}
	}
	if len(receivers) > 0 {
		start := b.bitsAfter(now, flagBits)
		b.tell(now, receivers[0], nil, &Error{Kind: StuffError, By: receivers[0]})
		silent = b.bitsAfter(start, flagBits)
		free = b.bitsAfter(silent, errorDelimiter+intermission)
	}
	b.end(silent, free, nil)
}
