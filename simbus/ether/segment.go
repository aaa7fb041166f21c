package ether

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"backplane/simbus"
)

// SegmentConfig is how a segment behaves.
type SegmentConfig struct {
	// Impairment is what happens to a frame between two ports: see [Impairment.Split].
	// In virtual time 0 stands for DefaultLatency and DefaultBandwidth.
	Impairment
	Seed uint64 // of chance
	// Cable makes the segment a cable between two ports: what one sends the other
	// gets, whatever it is.
	Cable bool
	// Reserved lets the switch pass on frames to 01:80:c2:00:00:00 to 0f too, which are
	// for the neighbour on the same cable (IEEE 802.1Q-2022 table 8-1): spanning trees,
	// LACP, LLDP, 802.1X. No bridge does of itself.
	Reserved bool
}

// Segment is an Ethernet broadcast domain: a switch that learns which address
// is behind which port.
//
// Where a frame meets an impairment at any port, and always in virtual time, the
// switch is a domain of its own that frames cross on their way, each as it would
// be on a wire. Otherwise a sender's goroutine hands a frame to the receiver
// directly. Settings may change at any time: they are for callers from outside,
// as [simbus.Domain.Do] is.
type Segment struct {
	name   string
	seed   uint64
	cal    *simbus.Calendar
	domain *simbus.Domain
	direct atomic.Bool
	taps   taps
	ports  atomic.Pointer[[]*Port]
	table  table
	groups groups
	down   atomic.Bool
	aware  atomic.Bool // of VLANs

	cable, reserved bool // see SegmentConfig

	mirrors atomic.Pointer[[]mirror]

	setting    sync.Mutex // held while one thing is being set
	config     sync.Mutex // what was set, for reading it back
	impairment Impairment
}

// NewSegment adds a segment to the appliance.
func NewSegment(c *simbus.Calendar, name string, cfg SegmentConfig) (*Segment, error) {
	if c.Virtual() && cfg.Latency == 0 {
		cfg.Latency = DefaultLatency
	}
	if c.Virtual() && cfg.Bandwidth == 0 {
		cfg.Bandwidth = DefaultBandwidth
	}
	s := &Segment{name: name, seed: cfg.Seed, cal: c, cable: cfg.Cable, reserved: cfg.Reserved, impairment: cfg.Impairment, table: table{entries: make(map[uint64]*entry)}}
	s.SetTable(DefaultAddresses, DefaultAgeing)
	s.direct.Store(!c.Virtual())
	var err error
	if s.domain, err = c.AddDomain(""); err != nil {
		return nil, fmt.Errorf("segment %s: %w", name, err)
	}
	return s, nil
}

// Name is the segment's name.
func (s *Segment) Name() string { return s.name }

// Ports are the segment's, in the order in which they were added.
func (s *Segment) Ports() []*Port {
	if list := s.ports.Load(); list != nil {
		return *list
	}
	return nil
}

// setPorts changes the list, which is not to be changed itself. The segment's config is locked.
func (s *Segment) setPorts(change func(list []*Port) []*Port) {
	list := change(slices.Clone(s.Ports()))
	s.ports.Store(&list)
}

// Remove takes a port off the segment for good. What is under way to it or from it is dropped.
// Like [simbus.Domain.Do] it is for callers from outside.
func (s *Segment) Remove(p *Port) {
	p.gone.Store(true)
	p.SetDown(true)
	s.config.Lock()
	s.setPorts(func(list []*Port) []*Port {
		return slices.DeleteFunc(list, func(q *Port) bool { return q == p })
	})
	mirrors := slices.DeleteFunc(s.allMirrors(), func(m mirror) bool { return m.of == p || m.to == p })
	s.mirrors.Store(&mirrors)
	s.config.Unlock()
	for _, l := range p.lanes {
		l.way.Close()
	}
	s.direct.Store(s.perfect())
}

// Direct tells whether frames go from sender to receiver without being stored.
func (s *Segment) Direct() bool { return s.direct.Load() }

// SetTable limits how many addresses the switch remembers, and for how long it
// does so for one that is not heard of (0: for ever). Frames to others are flooded.
func (s *Segment) SetTable(addresses int, ageing time.Duration) {
	s.table.limit.Store(int64(addresses))
	s.table.ageing.Store(int64(ageing))
}

// Table is what SetTable set, and how many addresses the switch knows.
func (s *Segment) Table() (limit int, ageing time.Duration, known int) {
	s.domain.Look(func() { known = s.table.count(s.domain.Now()) })
	return int(s.table.limit.Load()), time.Duration(s.table.ageing.Load()), known
}

// SetDown takes all cables of the segment down, or up again.
func (s *Segment) SetDown(down bool) {
	s.down.Store(down)
	if down {
		s.domain.Do(func() { s.forget(nil) })
	}
}

// Down tells whether SetDown has taken the cables down.
func (s *Segment) Down() bool { return s.down.Load() }

// SetDown takes the port's cable down, or up again.
func (p *Port) SetDown(down bool) {
	p.down.Store(down)
	if down {
		p.seg.domain.Do(func() { p.seg.forget(p) })
	}
}

// Flush lets the switch forget what is behind the port. Unlike settings it is
// called on the board's goroutine.
func (p *Port) Flush() {
	p.lanes[Tx].way.Send(p.domain.Now(), transit{from: p})
}

// forget forgets what is behind a port, or everything if p is nil.
func (s *Segment) forget(p *Port) {
	s.table.flush(p)
	s.groups.flush(p)
}

// Up tells whether frames can pass the port's cable.
func (p *Port) Up() bool { return !p.down.Load() && !p.seg.down.Load() }
