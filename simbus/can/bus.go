package can

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"backplane/simbus"
)

// Bus is the wires between nodes.
type Bus struct {
	name   string
	clock  simbus.Clock
	rand   *rand.Rand
	timing Timing
	nodes  []*Node // in the order in which they joined
	taps   taps

	errorRate float64
	short     short

	busy   bool // a frame is under way
	sof    simbus.Time
	from   []*Node // its transmitters, once arbitration is over: nearly always one
	sender *Node   // the first of them, who may have gone when nothing but its end is left
	frame  Frame   // the sender's
	ending bool    // it has been acknowledged: all that its transmitters send is recessive
	now    bits
	other  bits        // of another transmitter, where there are several
	silent simbus.Time // when the last dominant bit ended
	free   simbus.Time // when intermission ends
	step   *simbus.Timer
}

// NewBus makes a bus without nodes. Chance, for error rates, comes from rand.
func NewBus(name string, clock simbus.Clock, rand *rand.Rand) *Bus {
	return &Bus{name: name, clock: clock, rand: rand}
}

// Name is what the bus is called.
func (b *Bus) Name() string { return b.name }

// Timing are the bit rates of the bus: those of its nodes.
func (b *Bus) Timing() Timing { return b.timing }

// Join puts a node on the bus. It is an error if its bit rates are others; one without a
// data phase fits any.
func (b *Bus) Join(n *Node) error {
	t := b.timing
	if t.Bitrate == 0 {
		t.Bitrate = n.timing.Bitrate
	}
	if t.DataBitrate == 0 {
		t.DataBitrate = n.timing.DataBitrate
	}
	if t.Bitrate != n.timing.Bitrate || n.timing.DataBitrate != 0 && t.DataBitrate != n.timing.DataBitrate {
		return fmt.Errorf("%s has %s, and %s has %s: %w", n.name, n.timing, b.name, b.timing, ErrTiming)
	}
	b.timing = t
	n.move(b)
	return nil
}

// Leave takes a node off the bus: it is alone then.
func (b *Bus) Leave(n *Node) {
	if n.bus == b && b != n.alone {
		n.move(n.alone)
	}
}

// On tells whether the node is on the bus.
func (b *Bus) On(n *Node) bool { return n.bus == b }

// move takes a node from one bus to another. What it has to send it begins anew there.
func (n *Node) move(to *Bus) {
	if n.bus == to {
		return
	}
	from := n.bus
	n.ready.Stop()
	from.nodes = slices.DeleteFunc(from.nodes, func(m *Node) bool { return m == n })
	from.lose(n)
	n.bus = to
	to.nodes = append(to.nodes, n)
	if n.state != Stopped && (n.state != BusOff || n.spells > 0) {
		n.spells, n.since = max(1, n.spells), to.clock.Now()
		to.await(n)
	}
}

// SetErrorRate makes the bus turn a bit over in that part, 0 to 1, of its frames.
func (b *Bus) SetErrorRate(part float64) { b.errorRate = part }

// ErrorRate is what SetErrorRate has set.
func (b *Bus) ErrorRate() float64 { return b.errorRate }

// bitsAfter is the time so many nominal bits later.
func (b *Bus) bitsAfter(t simbus.Time, n int) simbus.Time { return t.Add(b.timing.duration(n, 0)) }

// at is when so many of the frame's bits are over.
func (b *Bus) at(bits int) simbus.Time { return b.sof.Add(b.timing.duration(b.now.split(bits))) }

// await lets a node that has to see recessive bits take part when it has.
func (b *Bus) await(n *Node) {
	n.ready.Stop()
	if b.busy || b.short.on {
		return // looked at again when the bus is quiet
	}
	n.since = max(n.since, b.silent)
	n.ready = b.clock.At(b.due(n), func() {
		b.admit(n)
		b.next()
	})
}

// due is when a node has seen enough recessive bits if there are no others.
func (b *Bus) due(n *Node) simbus.Time { return b.bitsAfter(n.since, n.spells*quietBits) }

// admit lets a node take part.
func (b *Bus) admit(n *Node) {
	n.able = b.due(n)
	n.spells = 0
	if n.state == BusOff {
		n.tec, n.rec = 0, 0
		n.enter(ErrorActive)
	}
}

// dominant says that the bus is dominant from t on, for nodes that count recessive bits. In
// real time one may have seen enough of them, and not have been told yet.
func (b *Bus) dominant(t simbus.Time) {
	for _, n := range slices.Clone(b.nodes) {
		switch {
		case n.spells == 0 || !n.ready.Stop():
		case b.due(n) <= t:
			b.admit(n)
		case t > n.since:
			n.spells -= int(t.Sub(n.since) / b.timing.duration(quietBits, 0))
		}
	}
}

// quiet says when the last dominant bit ended, or will, and when intermission does. Nothing
// can happen before that.
func (b *Bus) quiet(silent, free simbus.Time) {
	b.busy, b.from, b.silent, b.free = false, b.from[:0], silent, free
	for _, n := range b.nodes {
		if n.spells > 0 {
			b.await(n)
		}
	}
	b.next()
}

// next starts a frame as soon as there is a node with one that may.
func (b *Bus) next() {
	if b.busy || b.short.on {
		return
	}
	b.step.Stop()
	sof := simbus.Never
	for _, n := range b.nodes {
		if n.pending && n.takesPart() {
			sof = min(sof, max(b.free, n.asked, n.able))
		}
	}
	switch {
	case sof == simbus.Never:
	case sof <= b.clock.Now():
		b.start(sof)
	default:
		b.step = b.clock.At(sof, func() { b.start(sof) })
	}
}
