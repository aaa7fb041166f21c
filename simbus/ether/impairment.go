package ether

import (
	"time"
)

// Impairment is what one direction of a port's cable does to the frames on it.
// The zero value is a perfect cable.
type Impairment struct {
	Latency   time.Duration // how long a frame is under way once it has been sent
	Jitter    time.Duration // by how much that varies up and down, evenly; frames keep their order
	Bandwidth int64         // bits a second, 0 for unlimited
	Burst     int64         // bytes that may go at once, before Bandwidth holds (the depth of its token bucket)
	Queue     int64         // bytes that may wait for Bandwidth; 0 stands for what it sends in 100 ms
	Loss      float64       // part of the frames that is lost, 0 to 1
	Duplicate float64       // part that arrives twice
	Reorder   float64       // part that the next frame overtakes
	Corrupt   float64       // part that arrives with one bit turned over
}

// least is the shortest time for which a frame that has left is under way.
func (i *Impairment) least() time.Duration { return max(0, i.Latency-i.Jitter) }

// soonest is the shortest time in which a frame can get through: with a limited
// bandwidth, that of the shortest frame on the wire comes on top of least.
func (i *Impairment) soonest() time.Duration {
	t := i.least()
	if i.Bandwidth > 0 {
		t += max(0, i.onWire(shortest+overhead)-i.onWire(i.Burst))
	}
	return t
}

// onWire is how long so many bytes take at the bandwidth.
func (i *Impairment) onWire(bytes int64) time.Duration {
	return time.Duration(float64(bytes) * 8e9 / float64(i.Bandwidth))
}

// queue is how many bytes may wait.
func (i *Impairment) queue() int64 {
	if i.Queue > 0 {
		return i.Queue
	}
	return i.Bandwidth / 8 / 10
}

// Direction is one of the two of a cable, as its board sees them.
type Direction int

// The directions.
const (
	Tx Direction = iota // from the board to the switch
	Rx                  // from the switch to the board
)

// Directions are both.
var Directions = [...]Direction{Tx, Rx}

// String is tx or rx.
func (d Direction) String() string { return [...]string{"tx", "rx"}[d] }

// Split shares out what a frame meets between two ports of a segment: latency
// and jitter in halves to both cables that it passes, the rest to the second.
func (i Impairment) Split() (both [2]Impairment) {
	tx := Impairment{Latency: i.Latency / 2, Jitter: i.Jitter / 2}
	i.Latency -= tx.Latency
	i.Jitter -= tx.Jitter
	return [2]Impairment{Tx: tx, Rx: i}
}

// DefaultLatency is a segment's latency in virtual time if its configuration
// says none: about that of a switch that stores a frame before it passes it on.
// DefaultBandwidth is that of gigabit Ethernet; without any limit a virtual
// second would carry as much as guests can copy in no time.
const (
	DefaultLatency   = 20 * time.Microsecond
	DefaultBandwidth = 1_000_000_000
)

// Impairment is what the segment as a whole was set to.
func (s *Segment) Impairment() Impairment {
	s.config.Lock()
	defer s.config.Unlock()
	return s.impairment
}

// SetImpairment sets all ports of the segment, and those that are added later,
// to the [Impairment.Split] of i. Like [simbus.Domain.Do] it is for callers from outside.
func (s *Segment) SetImpairment(i Impairment) {
	s.config.Lock()
	s.impairment = i
	s.config.Unlock()
	for _, p := range s.Ports() {
		for d, half := range i.Split() {
			p.SetImpairment(Direction(d), half)
		}
	}
}

// Impairment is what one direction of the port's cable does now.
func (p *Port) Impairment(d Direction) Impairment {
	p.seg.config.Lock()
	defer p.seg.config.Unlock()
	return p.impairments[d]
}

// SetImpairment changes it. Like [simbus.Domain.Do] it is for callers from outside.
func (p *Port) SetImpairment(d Direction, i Impairment) {
	s, l := p.seg, p.lanes[d]
	s.setting.Lock() // what holds is what was noted last
	defer s.setting.Unlock()
	s.config.Lock()
	p.impairments[d] = i
	s.config.Unlock()
	l.from.Do(func() {
		l.Impairment = i
		if s.cal.Virtual() {
			l.way.SetLeast(p.least(d))
		}
	})
	s.direct.Store(s.perfect())
}

// perfect tells whether nothing happens to frames that takes time or chance.
func (s *Segment) perfect() bool {
	s.config.Lock()
	defer s.config.Unlock()
	perfect := !s.cal.Virtual()
	for _, p := range s.Ports() {
		perfect = perfect && p.impairments == [2]Impairment{}
	}
	return perfect
}

// least is the shortest time in which a frame gets from the port's board to the switch
// or back. It is not 0, since the domains of virtual time need some time between them.
func (p *Port) least(d Direction) time.Duration {
	i := p.Impairment(d)
	return max(1, i.soonest())
}
