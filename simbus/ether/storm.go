package ether

import (
	"sync/atomic"
	"time"

	"backplane/simbus"
)

// storm limits how many broadcast and multicast frames a port may send in a
// second. It belongs to the forwarder of the port's frames.
type storm struct {
	limit  atomic.Int64 // frames a second, 0 for none
	second int64        // of the appliance's time
	frames int64        // in that second
	storms atomic.Uint64
}

// SetStormLimit limits how many broadcast and multicast frames the board may
// send in each second of the appliance's time; 0 does not. What is over is dropped.
func (p *Port) SetStormLimit(frames int64) { p.storm.limit.Store(frames) }

// StormLimit is the limit, 0 for none.
func (p *Port) StormLimit() int64 { return p.storm.limit.Load() }

// Storms is in how many seconds the limit was passed.
func (p *Port) Storms() uint64 { return p.storm.storms.Load() }

// pass counts a broadcast or multicast frame, and tells whether it may pass.
func (s *storm) pass(now simbus.Time) bool {
	limit := s.limit.Load()
	if limit == 0 {
		return true
	}
	if second := int64(now) / int64(time.Second); second != s.second {
		s.second, s.frames = second, 0
	}
	s.frames++
	if s.frames == limit+1 {
		s.storms.Add(1)
	}
	return s.frames <= limit
}
