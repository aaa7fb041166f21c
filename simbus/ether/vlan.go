package ether

import (
	"encoding/binary"
	"sync"
)

// tagSize is the size of a VLAN tag (IEEE 802.1Q clause 9), in bytes.
const tagSize = 4

// MaxVLAN is the highest number of a VLAN; the lowest is 1 (IEEE 802.1Q clause 9.6).
const MaxVLAN = 4094

// DefaultVLAN is the VLAN of a port that was given none.
const DefaultVLAN = 1

// Membership says which VLANs a port belongs to.
type Membership struct {
	// VLAN is the one of frames without a tag. On a trunk 0 stands for none.
	VLAN uint16
	// Trunk are the VLANs whose frames have a tag. A port without any is an
	// access port.
	Trunk []uint16
}

// members is a Membership made ready.
type members struct {
	Membership
	tagged [(MaxVLAN + 64) / 64]uint64
}

func (m *members) isTagged(vlan uint16) bool { return m.tagged[vlan/64]&(1<<(vlan%64)) != 0 }

func (m *members) has(vlan uint16) bool { return vlan == m.VLAN || m.isTagged(vlan) }

// Membership is which VLANs the port belongs to.
func (p *Port) Membership() Membership {
	if m := p.vlans.Load(); m != nil {
		return m.Membership
	}
	return Membership{VLAN: DefaultVLAN}
}

// SetMembership changes it. A segment on which no port was ever given one passes
// tags on as they are; from the first on all ports have one.
func (p *Port) SetMembership(m Membership) {
	ready := &members{Membership: m}
	for _, v := range m.Trunk {
		if v != m.VLAN {
			ready.tagged[v/64] |= 1 << (v % 64)
		}
	}
	p.vlans.Store(ready)
	for _, q := range p.seg.Ports() {
		if q.vlans.Load() == nil {
			q.vlans.Store(&members{Membership: Membership{VLAN: DefaultVLAN}})
		}
	}
	p.seg.aware.Store(true)
	p.seg.forget(nil)
}

// tag is what a frame says of its VLAN.
type tag struct {
	present bool
	control uint16 // priority and number (the TCI of IEEE 802.1Q clause 9.6)
}

const vlanMask = 0x0fff

// tagOf reads a frame's tag from its beginning.
func tagOf(head []byte) tag {
	if len(head) < minFrame+tagSize || binary.BigEndian.Uint16(head[12:]) != typeVLAN {
		return tag{}
	}
	return tag{true, binary.BigEndian.Uint16(head[14:])}
}

func (t tag) vlan() uint16 { return t.control & vlanMask }

func (t tag) size() int {
	if t.present {
		return tagSize
	}
	return 0
}

// classify finds the VLAN of a frame that comes in at the port, 0 on a segment
// without VLANs. It returns false for a frame that does not belong here.
func (p *Port) classify(t tag) (vlan uint16, ok bool) {
	if !p.seg.aware.Load() {
		return 0, true
	}
	m := p.vlans.Load()
	if vlan = t.vlan(); vlan == 0 { // without a tag, or with one that tells of priority only
		return m.VLAN, m.VLAN != 0
	}
	return vlan, vlan <= MaxVLAN && m.has(vlan)
}

// isMember tells whether frames of a VLAN go out at the port.
func (p *Port) isMember(vlan uint16) bool { return vlan == 0 || p.vlans.Load().has(vlan) }

// leaving is how a frame of that VLAN, which came in with tag t, leaves at the port.
func (p *Port) leaving(vlan uint16, t tag) tag {
	if vlan == 0 {
		return t
	}
	if !p.vlans.Load().isTagged(vlan) {
		return tag{}
	}
	return tag{true, t.control&^vlanMask | vlan}
}

// retagged is a frame with another tag, which shares the rest with the first.
type retagged struct {
	frame Frame
	head  [minFrame + tagSize]byte
}

// retaggings keeps them for the direct way, which allocates nothing.
var retaggings = sync.Pool{New: func() any { return new(retagged) }}

// retag makes r the frame f with tag to instead of from.
func (r *retagged) retag(f *Frame, from, to tag) {
	const addresses = 12
	head := append(f.head(r.head[:addresses]), 0, 0, 0, 0)[:addresses]
	if to.present {
		head = binary.BigEndian.AppendUint16(head, typeVLAN)
		head = binary.BigEndian.AppendUint16(head, to.control)
	}
	r.frame.Parts = append(r.frame.Parts[:0], head)
	skip := addresses + from.size()
	for _, p := range f.Parts {
		if skip < len(p) {
			r.frame.Parts = append(r.frame.Parts, p[skip:])
		}
		skip = max(0, skip-len(p))
	}
	if to.size() < from.size() && f.Len() >= shortest {
		r.frame.Pad() // without its tag it may be too short
	}
	r.frame.Offload, r.frame.Batch = f.Offload, f.Batch
	if o := &r.frame.Offload; *o != (Offload{}) {
		shift := uint16(to.size() - from.size())
		o.HeaderLen += shift
		o.ChecksumStart += shift
	}
}
