package ether

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"backplane/simbus"
)

// Port is where a board's Ethernet port meets a segment.
type Port struct {
	name        string // board.port
	seg         *Segment
	domain      *simbus.Domain
	deliver     func(*Frame) error
	taps        taps
	lanes       [2]*lane
	stats       [2]Counters
	impairments [2]Impairment // as the lanes have them, under the segment's config
	down        atomic.Bool
	gone        atomic.Bool             // it was removed
	vlans       atomic.Pointer[members] // nil on a segment without VLANs
	underway    atomic.Int64            // frames from here that are not on the direct way
	storm       storm
}

// AddPort connects a board's port: also while the appliance runs, as [simbus.NewCrossing] has it. deliver takes a frame for it, and says why
// it could not: on the board's goroutine, or on the direct way on any.
func (s *Segment) AddPort(name string, d *simbus.Domain, deliver func(*Frame) error) *Port {
	p := &Port{name: name, seg: s, domain: d, deliver: deliver}
	s.config.Lock()
	p.impairments = s.impairment.Split()
	s.config.Unlock()
	p.lanes[Tx] = &lane{from: d, way: simbus.NewCrossing(d, s.domain, p.least(Tx), p.forward)}
	p.lanes[Rx] = &lane{from: s.domain, way: simbus.NewCrossing(s.domain, d, p.least(Rx), p.arrive)}
	for i, l := range p.lanes {
		l.port, l.direction, l.stats, l.Impairment = p, Direction(i), &p.stats[i], p.impairments[i]
		l.free = -simbus.Never // the bucket is full
		stream := fnv.New64a()
		_, _ = stream.Write([]byte(name + " " + l.direction.String())) // it never fails
		l.rand = rand.New(rand.NewPCG(s.seed, stream.Sum64()))
	}
	if s.aware.Load() {
		p.vlans.Store(&members{Membership: Membership{VLAN: DefaultVLAN}})
	}
	s.config.Lock()
	s.setPorts(func(list []*Port) []*Port { return append(list, p) })
	s.config.Unlock()
	s.direct.Store(s.perfect())
	return p
}

// forward takes what has come to the switch.
func (p *Port) forward(x transit) {
	if x.frame == nil {
		p.seg.forget(p)
		return
	}
	defer p.underway.Add(-1)
	p.seg.forward(p, x.frame, false)
}

// arrive takes a frame that has come to the board.
func (p *Port) arrive(x transit) {
	defer x.from.underway.Add(-1)
	p.receive(x.from, x.frame)
}

// Domain is the time line of the port's board.
func (p *Port) Domain() *simbus.Domain { return p.domain }

// Name is the port's: board.port.
func (p *Port) Name() string { return p.name }

// Counters are what was counted in one direction.
func (p *Port) Counters(d Direction) *Counters { return &p.stats[d] }

// Send takes a frame from the board's port, on its board's goroutine. The frame
// is the caller's again when it returns.
func (p *Port) Send(f *Frame) {
	n := f.Len()
	p.stats[Tx].count(f, n)
	p.show(p, nil, f)
	if n < minFrame || n > maxFrame {
		p.drop(p.domain, Tx, f, DropMalformed, "of an invalid length")
		return
	}
	// What is still under way must not be overtaken.
	if p.seg.direct.Load() && p.underway.Load() == 0 {
		p.seg.forward(p, f, true)
		return
	}
	if !f.Wire(func(w *Frame) {
		if w == f {
			w = f.Copy()
		}
		p.lanes[Tx].take(transit{p, w})
	}) {
		p.drop(p.domain, Tx, f, DropMalformed, "with invalid offloads")
	}
}

// out sends a frame out of the switch at a port.
func (p *Port) out(from *Port, f *Frame, direct bool) {
	switch {
	case !p.Up():
		p.drop(p.seg.domain, Rx, f, DropCut, "")
	case direct:
		p.receive(from, f)
	default:
		p.lanes[Rx].take(transit{from, f})
	}
}

// receive gives a frame to the board.
func (p *Port) receive(from *Port, f *Frame) {
	if p.gone.Load() {
		p.drop(p.domain, Rx, f, DropCut, "")
		return
	}
	p.show(from, p, f)
	switch err := p.deliver(f); err {
	case nil:
		p.stats[Rx].count(f, f.Len())
	case ErrFiltered:
		p.stats[Rx].Filtered.Add(1)
	default:
		p.drop(p.domain, Rx, f, DropBoard, err.Error())
	}
}

// show shows a frame at the board's end to the port's taps.
func (p *Port) show(from, to *Port, f *Frame) {
	if len(p.taps.all()) > 0 {
		p.taps.show(p.domain.Now(), from, to, f)
	}
}

// drop counts a frame that was dropped in that domain: the switch's, or that of
// a sender or receiver.
func (p *Port) drop(where *simbus.Domain, d Direction, f *Frame, why Drop, detail string) {
	p.stats[d].Drops[why].Add(1)
	if !where.Observed() {
		return
	}
	whole, done := f.whole()
	defer done()
	attrs := []simbus.Attr{simbus.Text("port", p.name), simbus.Text("way", d.String()), simbus.Text("why", why.String()), simbus.Int("length", len(whole)), simbus.Text("summary", Summary(whole))}
	if detail != "" {
		attrs = append(attrs, simbus.Text("detail", detail))
	}
	board := ""
	if name, _, ok := strings.Cut(p.name, "."); ok && where == p.domain {
		board = name // its domain may be that of other boards, too
	}
	where.Emit(simbus.Event{Board: board, Part: p.seg.name, Kind: KindFrameEnd, Attrs: attrs})
}
