package simbus

import (
	"sync/atomic"
	"time"
)

// Port is where a board's Ethernet port meets a segment.
type Port struct {
	name    string // board.port
	seg     *Segment
	domain  *Domain
	deliver func(*Frame) error
	taps    taps
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

// Domain is the time line of the port's board.
func (p *Port) Domain() *Domain { return p.domain }

// Name is the port's: board.port.
func (p *Port) Name() string { return p.name }

// SetCut cuts the port off its segment, or restores it.
func (p *Port) SetCut(cut bool) { p.cut.Store(cut) }

// Send takes a frame from the board's port, on its board's goroutine. The frame
// is the caller's again when it returns.
func (p *Port) Send(f *Frame) {
	n := f.Len()
	p.Stats.Sent.Add(1)
	p.Stats.SentBytes.Add(uint64(n))
	p.show(p, nil, f)
	if n < minFrame || n > maxFrame {
		p.drop(p.domain, "of a length that no frame has")
		return
	}
	s := p.seg
	if s.domain == nil {
		s.forward(p, f)
		return
	}
	in, _ := s.halves()
	copied := f.Copy()
	p.domain.Send(s.domain, in, func() { s.forward(p, copied) })
}

// receive gives a frame to the board.
func (p *Port) receive(from *Port, f *Frame) {
	p.show(from, p, f)
	if err := p.deliver(f); err != nil {
		p.drop(p.domain, err.Error())
		return
	}
	p.Stats.Received.Add(1)
	p.Stats.ReceivedBytes.Add(uint64(f.Len()))
}

// show shows a frame at the board's end to the port's taps.
func (p *Port) show(from, to *Port, f *Frame) {
	if len(p.taps.all()) > 0 {
		p.taps.show(p.domain.Now(), from, to, f)
	}
}

// drop counts a frame that was dropped in that domain: the switch's, or that of
// a sender or receiver. On the direct way nil stands for the switch.
func (p *Port) drop(where *Domain, why string) {
	p.Stats.Dropped.Add(1)
	if p.seg.cal.observed() {
		p.seg.emit(where, Event{Kind: KindFrameEnd, Attrs: []Attr{Text("port", p.name), Text("why", why)}})
	}
}

// maxQueue is how much a port of limited bandwidth keeps waiting.
const maxQueue = 100 * time.Millisecond

// out sends a frame out of the switch at a port.
func (p *Port) out(from *Port, f *Frame) {
	s := p.seg
	if p.cut.Load() {
		p.drop(s.domain, "cut")
		return
	}
	if s.domain == nil {
		p.receive(from, f)
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
	s.domain.Send(p.domain, delay, func() { p.receive(from, f) })
}
