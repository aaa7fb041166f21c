package block

import (
	"slices"
	"time"

	"backplane/simbus"
)

// Timing is how long a disk takes for requests, in virtual time. A request waits for one of
// Depth places, then takes its latency, then moves its data when the requests that came to
// that earlier have moved theirs.
type Timing struct {
	ReadLatency, WriteLatency, FlushLatency time.Duration
	ReadRate, WriteRate                     int64 // bytes a second
	Depth                                   int
}

// perSecond is the latency of a disk that has so many requests of 4 KiB a second, one
// after another, and moves data at a rate.
func perSecond(iops, rate int64) time.Duration {
	return time.Second/time.Duration(iops) - transfer(4096, rate)
}

// transfer is how long n bytes take at a rate.
func transfer(n, rate int64) time.Duration {
	return time.Duration(float64(n) / float64(rate) * float64(time.Second))
}

const mb = 1_000_000 // as data sheets count

// Types are the kinds of disks that have a name. No data sheet tells how long a flush
// takes: these are of the order that is measured.
var types = map[string]Timing{
	// SD Association, Physical Layer 5.1, Application Performance Class A1: at least 1500
	// random reads, 500 random writes a second, and 10 MB/s; the bus at High Speed, 25 MB/s.
	"sd": {ReadLatency: perSecond(1500, 25*mb), WriteLatency: perSecond(500, 10*mb), ReadRate: 25 * mb, WriteRate: 10 * mb, FlushLatency: 5 * time.Millisecond, Depth: 1},
	// Samsung's eMMC 5.1 of 64 GB, February 2015: 250 and 125 MB/s, 11,000 random reads and
	// 13,000 random writes a second.
	"emmc": {ReadLatency: perSecond(11_000, 250*mb), WriteLatency: perSecond(13_000, 125*mb), ReadRate: 250 * mb, WriteRate: 125 * mb, FlushLatency: 2 * time.Millisecond, Depth: 1},
	// Samsung SSD 870 EVO data sheet, January 2021: 560 and 530 MB/s, 13,000 random reads
	// and 36,000 random writes a second one after another; SATA has 32 places.
	"ssd": {ReadLatency: perSecond(13_000, 560*mb), WriteLatency: perSecond(36_000, 530*mb), ReadRate: 560 * mb, WriteRate: 530 * mb, FlushLatency: time.Millisecond, Depth: 32},
}

// defaultType is what most boards have.
const defaultType = "emmc"

// schedule is when what is under way will be done.
type schedule struct {
	Timing
	places []simbus.Time // when each is free
	data   simbus.Time   // when no more data moves
}

func newSchedule(t Timing) *schedule {
	return &schedule{Timing: t, places: make([]simbus.Time, t.Depth)}
}

// access is when a request will be done that comes now, has a latency, and moves n bytes.
func (s *schedule) access(now simbus.Time, latency time.Duration, n, rate int64) simbus.Time {
	place := 0
	for i, t := range s.places {
		if t < s.places[place] {
			place = i
		}
	}
	done := max(now, s.places[place]).Add(latency)
	if n > 0 {
		done = max(done, s.data).Add(transfer(n, rate))
		s.data = done
	}
	s.places[place] = done
	return done
}

// flush is when a flush will be done: after all that came before.
func (s *schedule) flush(now simbus.Time) simbus.Time {
	done := max(now, slices.Max(s.places)).Add(s.FlushLatency)
	for i := range s.places {
		s.places[i] = done
	}
	return done
}

// reset forgets what was under way.
func (s *schedule) reset() {
	clear(s.places)
	s.data = 0
}
