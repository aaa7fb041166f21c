package simbus

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// SegmentConfig is how a segment behaves.
type SegmentConfig struct {
	Latency   time.Duration // from port to port, beside what Bandwidth takes
	Bandwidth int64         // bits a second out of each port, 0 for unlimited
	Loss      float64       // part of the frames that is lost, 0 to 1
	Seed      uint64        // of that loss
}

// DefaultLatency is a segment's latency in virtual time if its configuration
// says none: about that of a switch that stores a frame before it passes it on.
// DefaultBandwidth is that of gigabit Ethernet; without any limit a virtual
// second would carry as much as guests can copy in no time.
const (
	DefaultLatency   = 20 * time.Microsecond
	DefaultBandwidth = 1_000_000_000
)

// Segment is an Ethernet broadcast domain: a switch that learns which address
// is behind which port.
//
// With latency, bandwidth or loss, and always in virtual time, the switch is a
// domain of its own that frames cross on their way. Otherwise a sender's
// goroutine hands a frame to the receiver directly.
type Segment struct {
	name   string
	cfg    SegmentConfig
	cal    *Calendar
	domain *Domain // nil on the direct way
	rand   *rand.Rand
	taps   taps
	ports  []*Port

	mu    sync.RWMutex
	table map[address]*Port
	cut   bool
}

type address [6]byte

// maxAddresses is how many the switch remembers; beyond that it floods.
const maxAddresses = 4096

// NewSegment adds a segment to the appliance.
func (c *Calendar) NewSegment(name string, cfg SegmentConfig) (*Segment, error) {
	s := &Segment{name: name, cfg: cfg, cal: c, table: make(map[address]*Port), rand: rand.New(rand.NewPCG(cfg.Seed, 0))}
	if c.virtual && s.cfg.Latency == 0 {
		s.cfg.Latency = DefaultLatency
	}
	if c.virtual && s.cfg.Bandwidth == 0 {
		s.cfg.Bandwidth = DefaultBandwidth
	}
	if !c.virtual && cfg.Latency == 0 && cfg.Bandwidth == 0 && cfg.Loss == 0 {
		return s, nil
	}
	var err error
	if s.domain, err = c.AddDomain(""); err != nil {
		return nil, fmt.Errorf("segment %s: %w", name, err)
	}
	return s, nil
}

// Name is the segment's name.
func (s *Segment) Name() string { return s.name }

// Direct tells whether frames go from sender to receiver without being stored,
// so that ports may leave work to each other (Offload).
func (s *Segment) Direct() bool { return s.domain == nil }

// halves are how long a frame is under way to the switch, and from it.
func (s *Segment) halves() (in, out time.Duration) {
	in = s.cfg.Latency / 2
	if s.cal.virtual {
		in = max(in, 1)
	}
	return in, max(s.cfg.Latency-in, in)
}

// Ports are the segment's, in the order in which they were added.
func (s *Segment) Ports() []*Port { return s.ports }

// SetCut cuts the whole segment, or restores it.
func (s *Segment) SetCut(cut bool) {
	s.mu.Lock()
	s.cut = cut
	s.mu.Unlock()
}

// forward is the switch: it takes a frame that has come in at a port.
func (s *Segment) forward(from *Port, f *Frame) {
	s.observe(from, f)
	var header [minFrame]byte
	f.head(header[:])
	dst, src := address(header[0:6]), address(header[6:12])

	s.mu.RLock()
	cut, to, known := s.cut, s.table[dst], s.table[src]
	s.mu.RUnlock()
	if known != from && src[0]&1 == 0 {
		s.learn(src, from)
	}
	switch {
	case cut || from.cut.Load():
		from.drop(s.domain, "cut")
	case s.cfg.Loss > 0 && s.rand.Float64() < s.cfg.Loss:
		from.drop(s.domain, "lost")
	case dst[0]&1 == 0 && to == from:
		// It is for something on the side where it came from.
	case dst[0]&1 == 0 && to != nil:
		to.out(from, f)
	default:
		for _, p := range s.ports {
			if p != from {
				p.out(from, f)
			}
		}
	}
}

func (s *Segment) learn(a address, p *Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.table[a]; ok || len(s.table) < maxAddresses {
		s.table[a] = p
	}
}

// emit puts an event of the segment's into the stream, in the domain where it
// happens; on the direct way that may be any.
func (s *Segment) emit(where *Domain, e Event) {
	e.Part = s.name
	if where != nil {
		where.Emit(e)
		return
	}
	e.Time = s.cal.hostTime()
	s.cal.publish(&e)
}

// observe tells the taps and the event stream of a frame that the switch takes.
func (s *Segment) observe(from *Port, f *Frame) {
	observed := s.cal.observed()
	if len(s.taps.all()) == 0 && !observed {
		return
	}
	at := s.cal.hostTime
	if s.domain != nil {
		at = s.domain.Now
	}
	s.taps.show(at(), from, nil, f)
	if observed {
		whole, done := f.whole()
		defer done()
		s.emit(s.domain, Event{Kind: KindFrame, Attrs: []Attr{Text("from", from.name), Int("length", len(whole)), Text("summary", Summary(whole))}})
	}
}
