package ether

import (
	"math/rand/v2"
	"time"

	"backplane/simbus"
)

// lane is one direction of a port's cable. It belongs to the domain that frames
// come from: the board's, or the switch's.
type lane struct {
	Impairment
	port      *Port
	direction Direction
	from      *simbus.Domain
	way       *simbus.Crossing[transit]
	rand      *rand.Rand // its own, so that no other lane's traffic matters to it
	stats     *Counters

	free    simbus.Time // until when what was sent keeps the wire busy; Burst may run ahead of it
	last    simbus.Time // when the frame before arrives
	queue   backlog     // what waits for bandwidth
	flight  backlog     // what has not arrived
	held    *transit
	release *simbus.Timer
}

// transit is a frame that is on its way through a segment's domain. Without one it is the
// news that the port's board has lost its power.
type transit struct {
	from  *Port
	frame *Frame
}

const (
	// overhead is what a frame has on the wire beside its bytes: the preamble,
	// the check sequence and the gap to the next (IEEE 802.3 clause 4.4.2), in bytes.
	overhead = 8 + 4 + 12
	// shortest is what a shorter frame is padded to on the wire, in bytes (IEEE 802.3
	// clause 4.4.2, minFrameSize, less the check sequence).
	shortest = 60
	// maxFlight bounds the memory of frames under way in one lane, in bytes.
	maxFlight = 64 << 20
	// maxUnderway bounds how far a sender may run ahead of the switch's goroutine
	// and its receivers' in real time, in frames. In virtual time none does.
	maxUnderway = 1 << 16
	// maxHold is how long a frame is held back for the next to overtake it.
	maxHold = 10 * time.Millisecond
)

// hit is chance: true for that part of the calls.
func (l *lane) hit(part float64) bool { return part > 0 && l.rand.Float64() < part }

// take sends a frame along the lane.
func (l *lane) take(x transit) {
	if l.hit(l.Loss) {
		l.drop(x, DropLost)
		return
	}
	if l.hit(l.Corrupt) {
		x.frame = l.corrupt(x.frame)
	}
	if l.hit(l.Duplicate) {
		l.stats.Duplicated.Add(1)
		l.enqueue(x, false)
		l.enqueue(x, false)
		return
	}
	l.enqueue(x, l.hit(l.Reorder))
}

// enqueue finds when the frame leaves and when it arrives.
func (l *lane) enqueue(x transit, hold bool) {
	now, n := l.from.Now(), int64(x.frame.Len())
	leaves := now
	if l.Bandwidth > 0 {
		takes := l.onWire(max(n, shortest) + overhead)
		free := max(l.free, now.Add(-l.onWire(l.Burst))).Add(takes)
		leaves = max(now, free)
		if start := leaves.Add(-takes); start > now {
			if l.queue.at(now)+n > l.Impairment.queue() {
				l.drop(x, DropQueue)
				return
			}
			l.queue.add(start, n)
			l.stats.QueueHigh.raise(uint64(l.queue.bytes))
		}
		l.free = free
	}
	if l.flight.at(now)+n > maxFlight || !l.port.seg.cal.Virtual() && x.from.underway.Load() > maxUnderway {
		l.drop(x, DropQueue)
		return
	}
	delay := l.Latency
	if l.Jitter > 0 {
		delay = l.least() + time.Duration(l.rand.Int64N(int64(l.Latency+l.Jitter-l.least())+1))
	}
	if hold && l.held == nil {
		l.hold(x, leaves.Add(delay))
		return
	}
	l.send(x, leaves.Add(delay))
	if l.held != nil {
		l.stats.Reordered.Add(1)
		l.letGo()
	}
}

// hold keeps a frame until the next has overtaken it.
func (l *lane) hold(x transit, arrives simbus.Time) {
	l.held = &x
	x.from.underway.Add(1)
	l.release = l.from.At(l.from.Now().Add(maxHold), func() {
		l.last = max(l.last, arrives)
		l.letGo()
	})
}

// letGo sends the frame that was held, behind the one before.
func (l *lane) letGo() {
	x := *l.held
	l.release.Stop()
	l.held, l.release = nil, nil
	l.send(x, l.from.Now().Add(l.least()))
	x.from.underway.Add(-1)
}

// send has the frame arrive, but not before the one ahead of it.
func (l *lane) send(x transit, arrives simbus.Time) {
	if l.port.gone.Load() {
		l.drop(x, DropCut)
		return
	}
	l.last = max(l.last, arrives)
	l.flight.add(l.last, int64(x.frame.Len()))
	x.from.underway.Add(1)
	l.way.Send(l.last, x)
}

// corrupt turns a bit of a frame over, in a copy of it. Its addresses and its
// VLAN stay, so that it arrives for somebody to find out. The frame has no open
// checksum that a receiver would fill in and so hide it: see [Frame.Wire].
func (l *lane) corrupt(f *Frame) *Frame {
	c := f.Copy()
	b := c.Parts[0]
	if skip := tagOf(b).size(); len(b) > minFrame+skip {
		b = b[minFrame+skip:]
		bit := l.rand.IntN(len(b) * 8)
		b[bit/8] ^= 1 << (bit % 8)
		l.stats.Corrupted.Add(1)
	}
	return c
}

func (l *lane) drop(x transit, why Drop) { l.port.drop(l.from, l.direction, x.frame, why, "") }
