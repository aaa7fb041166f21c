package simbus

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Frame is an Ethernet frame on its way. Its bytes are the callee's only until
// the call returns: on the direct way they are the sender's own memory.
type Frame struct {
	Parts   [][]byte // the frame from its destination address on, without the check sequence
	Offload Offload
}

// Offload is the work that a sender has left to whoever puts the frame on a
// real wire: a checksum, and the cutting into segments. The fields are those of
// virtio_net_hdr (virtio 1.2 section 5.1.6). The zero value leaves none.
type Offload struct {
	Flags, GSOType                                  uint8
	HeaderLen, GSOSize, ChecksumStart, ChecksumOffs uint16
}

// Len is how many bytes the frame has.
func (f *Frame) Len() int {
	n := 0
	for _, p := range f.Parts {
		n += len(p)
	}
	return n
}

// head copies the beginning of the frame into b.
func (f *Frame) head(b []byte) []byte {
	n := 0
	for _, p := range f.Parts {
		n += copy(b[n:], p)
	}
	return b[:n]
}

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
	taps   []func(at Time, from *Port, frame []byte, length int)
	ports  []*Port

	mu      sync.RWMutex
	table   map[address]*Port
	cut     bool
	scratch sync.Pool
}

type address [6]byte

// maxAddresses is how many the switch remembers; beyond that it floods.
const maxAddresses = 4096

// NewSegment adds a segment to the appliance.
func (c *Calendar) NewSegment(name string, cfg SegmentConfig) (*Segment, error) {
	s := &Segment{name: name, cfg: cfg, cal: c, table: make(map[address]*Port), rand: rand.New(rand.NewPCG(cfg.Seed, 0))}
	s.scratch.New = func() any { return new([]byte) }
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

// Tap calls f with each frame that the switch takes, in order: its beginning,
// as much as its caller keeps, and its length. Call it before anything is sent.
func (s *Segment) Tap(f func(at Time, from *Port, frame []byte, length int)) {
	s.taps = append(s.taps, f)
}

// Port is where a board's Ethernet port meets a segment.
type Port struct {
	name    string // board.port
	seg     *Segment
	domain  *Domain
	deliver func(*Frame) error
	cut     atomic.Bool
	busy    Time // until when frames go out to the port, in the segment's domain
	Stats   PortStats
}

// PortStats counts what went through a port.
type PortStats struct {
	Sent, Received, SentBytes, ReceivedBytes, Dropped atomic.Uint64
}

// AddPort connects a board's port. deliver takes a frame for it, and says why
// it could not: on the board's goroutine, or on the direct way on any.
func (s *Segment) AddPort(name string, d *Domain, deliver func(*Frame) error) *Port {
	p := &Port{name: name, seg: s, domain: d, deliver: deliver}
	s.ports = append(s.ports, p)
	if s.domain != nil {
		in, out := s.halves()
		s.cal.Connect(d, s.domain, in)
		s.cal.Connect(s.domain, d, out)
	}
	return p
}

// halves are how long a frame is under way to the switch, and from it.
func (s *Segment) halves() (in, out time.Duration) {
	in = s.cfg.Latency / 2
	if s.cal.virtual {
		in = max(in, 1)
	}
	return in, max(s.cfg.Latency-in, in)
}

// Domain is the time line of the port's board.
func (p *Port) Domain() *Domain { return p.domain }

// Name is the port's: board.port.
func (p *Port) Name() string { return p.name }

// Ports are the segment's, in the order in which they were added.
func (s *Segment) Ports() []*Port { return s.ports }

// SetCut cuts the whole segment, or restores it.
func (s *Segment) SetCut(cut bool) {
	s.mu.Lock()
	s.cut = cut
	s.mu.Unlock()
}

// SetCut cuts the port off its segment, or restores it.
func (p *Port) SetCut(cut bool) { p.cut.Store(cut) }

// Shortest and longest frames that a switch takes, without the check sequence.
// What a sender leaves to be cut up may be longer than any real frame.
const (
	minFrame = 14
	maxFrame = 64<<10 + 64
)

// Send takes a frame from the board's port, on its board's goroutine. The frame
// is the caller's again when it returns.
func (p *Port) Send(f *Frame) {
	n := f.Len()
	p.Stats.Sent.Add(1)
	p.Stats.SentBytes.Add(uint64(n))
	if n < minFrame || n > maxFrame {
		p.drop(p.domain, "of a length that no frame has")
		return
	}
	s := p.seg
	if s.domain == nil {
		s.forward(p, f)
		return
	}
	copied := &Frame{Parts: [][]byte{f.head(make([]byte, n))}, Offload: f.Offload}
	in, _ := s.halves()
	p.domain.Send(s.domain, in, func() { s.forward(p, copied) })
}

// drop counts a frame that was dropped in that domain: the switch's, or that of
// a sender or receiver. On the direct way nil stands for the switch.
func (p *Port) drop(where *Domain, why string) {
	p.Stats.Dropped.Add(1)
	if p.seg.cal.observed() {
		p.seg.emit(where, Event{Kind: KindFrameEnd, Attrs: []Attr{Text("port", p.name), Text("why", why)}})
	}
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
		s.out(to, f)
	default:
		for _, p := range s.ports {
			if p != from {
				s.out(p, f)
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

// out sends a frame out of the switch at a port.
func (s *Segment) out(p *Port, f *Frame) {
	if p.cut.Load() {
		p.drop(s.domain, "cut")
		return
	}
	if s.domain == nil {
		p.receive(f)
		return
	}
	_, delay := s.halves()
	if bits := s.cfg.Bandwidth; bits > 0 {
		const overhead = 8 + 4 + 12 // preamble, check sequence and gap between frames, in bytes
		start := max(p.busy, s.domain.Now())
		p.busy = start.Add(time.Duration(int64(f.Len()+overhead) * 8 * int64(time.Second) / bits))
		if start.Sub(s.domain.Now()) > maxQueue {
			p.busy = start
			p.drop(s.domain, "queue full")
			return
		}
		delay += p.busy.Sub(s.domain.Now())
	}
	s.domain.Send(p.domain, delay, func() { p.receive(f) })
}

// maxQueue is how much a port of limited bandwidth keeps waiting.
const maxQueue = 100 * time.Millisecond

func (p *Port) receive(f *Frame) {
	if err := p.deliver(f); err != nil {
		p.drop(p.domain, err.Error())
		return
	}
	p.Stats.Received.Add(1)
	p.Stats.ReceivedBytes.Add(uint64(f.Len()))
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

// observe tells the taps and the event stream of a frame.
func (s *Segment) observe(from *Port, f *Frame) {
	observed := s.cal.observed()
	if len(s.taps) == 0 && !observed {
		return
	}
	n := f.Len()
	whole := f.Parts[0]
	if len(f.Parts) > 1 {
		b := s.scratch.Get().(*[]byte)
		defer s.scratch.Put(b)
		if cap(*b) < n {
			*b = make([]byte, n)
		}
		whole = f.head((*b)[:n])
	}
	at := s.cal.hostTime
	if s.domain != nil {
		at = s.domain.Now
	}
	for _, tap := range s.taps {
		tap(at(), from, whole, n)
	}
	if observed {
		s.emit(s.domain, Event{Kind: KindFrame, Attrs: []Attr{Text("from", from.name), Int("length", n), Text("summary", Summary(whole))}})
	}
}
