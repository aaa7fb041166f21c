package ether

import (
	"slices"

	"backplane/simbus"
)

// mirror has one port sent what passes at another.
type mirror struct{ of, to *Port }

// SetMirror has the port sent, beside what is for it, each frame that comes in
// or goes out at the others, as it came in.
func (p *Port) SetMirror(of []*Port) {
	s := p.seg
	s.config.Lock()
	defer s.config.Unlock()
	list := slices.DeleteFunc(s.allMirrors(), func(m mirror) bool { return m.to == p })
	for _, q := range of {
		list = append(list, mirror{q, p})
	}
	s.mirrors.Store(&list)
}

// Mirror is what SetMirror set.
func (p *Port) Mirror() (of []*Port) {
	for _, m := range p.seg.allMirrors() {
		if m.to == p {
			of = append(of, m.of)
		}
	}
	return of
}

func (s *Segment) allMirrors() []mirror {
	if list := s.mirrors.Load(); list != nil {
		return slices.Clone(*list)
	}
	return nil
}

// passage is a frame in the switch.
type passage struct {
	seg    *Segment
	from   *Port
	to     *Port // the only port that it is for; nil for all of its VLAN
	frame  *Frame
	tag    tag // as it came in
	vlan   uint16
	direct bool
	nobody bool // it is for no port, and at most for mirrors

	narrowed        bool // it is not for ports that want it in neither of these, now
	wanted, routers wanted
	now             simbus.Time
}

// forward is the switch: it takes a frame that has come in at a port.
func (s *Segment) forward(from *Port, f *Frame, direct bool) {
	now := s.domain.Now()
	s.observe(now, from, f)
	var header [minFrame + tagSize]byte
	head := f.head(header[:])
	dst, src := address(header[0:6]), address(header[6:12])
	w := passage{seg: s, from: from, frame: f, tag: tagOf(head), direct: direct}
	if s.cable && from.Up() {
		w.send()
		return
	}
	vlan, ok := from.classify(w.tag)
	switch w.vlan = vlan; {
	case !from.Up():
		from.drop(s.domain, Tx, f, DropCut, "")
		return
	case !ok:
		from.drop(s.domain, Tx, f, DropVLAN, "")
		return
	case dst[0]&1 != 0 && !from.storm.pass(now):
		from.drop(s.domain, Tx, f, DropStorm, "")
		return
	}
	if dst[0]&1 != 0 && !s.reserved && isReserved(dst) {
		from.drop(s.domain, Tx, f, DropReserved, "")
		w.nobody = true
		w.send()
		return
	}
	if w.to = s.table.find(w.vlan, dst, src, from, now); dst[0]&1 != 0 {
		w.to = nil
		if s.groups.on.Load() {
			w.snoop(dst, now)
		}
	}
	w.send()
}

// isReserved tells whether a group is that of the neighbours on a cable: see [SegmentConfig].
func isReserved(dst address) bool {
	return dst[0] == 0x01 && dst[1] == 0x80 && dst[2] == 0xc2 && dst[3] == 0 && dst[4] == 0 && dst[5]&0xf0 == 0
}

// send sends the frame out at the ports that it is for, and at their mirrors.
func (w *passage) send() {
	switch {
	case w.nobody:
	case w.to != nil:
		w.out(w.to)
	default:
		for _, p := range w.seg.Ports() {
			w.out(p)
		}
	}
	mirrors := w.seg.mirrors.Load()
	if mirrors == nil {
		return
	}
	var last *Port // a port's mirrors stand side by side: it gets a frame once
	for _, m := range *mirrors {
		if m.to != last && m.to != w.from && (m.of == w.from || w.reaches(m.of)) && !w.reaches(m.to) {
			m.to.out(w.from, w.frame, w.direct)
			last = m.to
		}
	}
}

// reaches tells whether the frame is for that port.
func (w *passage) reaches(p *Port) bool {
	return p != w.from && !w.nobody && (w.to == nil || w.to == p) && p.isMember(w.vlan) && w.wants(p)
}

// out sends the frame out at a port if it is for it, with the tag that it has there.
func (w *passage) out(p *Port) {
	if !w.reaches(p) {
		return
	}
	leaves := p.leaving(w.vlan, w.tag)
	if leaves == w.tag {
		p.out(w.from, w.frame, w.direct)
		return
	}
	if !w.direct {
		r := new(retagged)
		r.retag(w.frame, w.tag, leaves)
		p.out(w.from, &r.frame, false)
		return
	}
	r := retaggings.Get().(*retagged)
	r.retag(w.frame, w.tag, leaves)
	p.out(w.from, &r.frame, true)
	retaggings.Put(r)
}

// observe tells the taps and the event stream of a frame that the switch takes.
func (s *Segment) observe(now simbus.Time, from *Port, f *Frame) {
	s.taps.show(now, from, nil, f)
	if s.domain.Observed() {
		whole, done := f.whole()
		defer done()
		s.domain.Emit(simbus.Event{Part: s.name, Kind: KindFrame, Attrs: []simbus.Attr{simbus.Text("from", from.name), simbus.Int("length", len(whole)), simbus.Text("summary", Summary(whole))}})
	}
}
