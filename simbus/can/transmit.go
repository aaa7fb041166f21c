package can

import (
	"slices"

	"backplane/simbus"
)

// start is the start of frame.
func (b *Bus) start(sof simbus.Time) {
	b.busy, b.sof, b.ending = true, sof, false
	b.dominant(sof)
	for _, n := range b.nodes {
		n.hears = n.takesPart()
	}
	b.step = b.clock.At(sof.Add(b.timing.sample()), b.arbitrate)
}

// arbitrate finds who sends. Nodes that have a frame before they sample the start of frame
// of another take part.
func (b *Bus) arbitrate() {
	b.from = b.from[:0]
	limit, best := b.sof.Add(b.timing.sample()), ^uint64(0)
	for _, n := range b.nodes {
		if !n.pending || !n.hears || n.asked > limit || n.able > limit {
			continue
		}
		n.frame.Passive = n.frame.FD && n.state == ErrorPassive
		key := n.frame.priority()
		if key < best {
			best, b.from = key, b.from[:0]
		}
		if key == best {
			b.from = append(b.from, n)
		}
	}
	for _, n := range b.nodes {
		n.able = 0 // a suspended node is a receiver now, and suspended no longer
	}
	if len(b.from) == 0 { // who started has gone
		b.abandoned()
		return
	}
	b.now.encode(&b.from[0].frame)
	at, finders := b.collide()
	b.sender, b.frame = b.from[0], b.from[0].frame
	flipped := false
	if b.errorRate > 0 && b.rand.Float64() < b.errorRate {
		if i := b.now.arbitration + b.rand.IntN(b.now.stuffed-b.now.arbitration); at < 0 || i < at {
			at, finders, flipped = i, b.from, true
		}
	}
	toAcknowledge := func() { b.step = b.clock.At(b.at(b.now.total+crcDelimiter+ackSlot), b.acknowledge) }
	if at < 0 {
		toAcknowledge()
		return
	}
	finders = slices.Clone(finders)
	b.step = b.clock.At(b.at(at+1), func() {
		finders = slices.DeleteFunc(finders, func(n *Node) bool { return !slices.Contains(b.from, n) })
		if len(finders) == 0 { // those that would have seen it have gone
			toAcknowledge()
			return
		}
		level := b.now.level[at]
		if flipped {
			level = 1 - level
		}
		b.now.level = append(b.now.level[:at], level)
		b.fail(&Error{Kind: BitError, Bit: at}, finders)
	})
}

// priority orders frames as arbitration does: the least is sent. Identifier, RTR or SRR, IDE,
// and then the rest of an extended identifier, with its RTR.
func (f *Frame) priority() uint64 {
	if f.Extended {
		return uint64(f.ID>>18)<<21 | 3<<19 | uint64(f.ID&(1<<18-1))<<1 | uint64(one(f.Remote))
	}
	return uint64(f.ID)<<21 | uint64(one(f.Remote))<<20
}

// collide finds where transmitters that have the same identifier send something else: those
// that send a recessive bit where another's is dominant see a bit error. An error-passive one
// cannot tell the others, and drops out. What goes over the wires is in b.now.
func (b *Bus) collide() (at int, finders []*Node) {
	at = -1
	if len(b.from) == 1 {
		return at, nil
	}
	for _, n := range b.from[1:] {
		if b.other.encode(&n.frame); slices.Compare(b.other.level, b.now.level) < 0 {
			b.now, b.other = b.other, b.now
		}
	}
	var out []*Node
	for _, n := range b.from {
		b.other.encode(&n.frame)
		i := differ(b.other.level, b.now.level)
		switch {
		case i < 0:
		case n.state == ErrorPassive:
			out = append(out, n)
		case at < 0 || i < at:
			at, finders = i, []*Node{n}
		case i == at:
			finders = append(finders, n)
		}
	}
	for _, n := range out {
		b.from = slices.DeleteFunc(b.from, func(m *Node) bool { return m == n })
		n.count(8, 0)
		n.hears = false
		n.follow()
	}
	return at, finders
}

// differ is the first place where two frames' bits are not the same, -1 if there is none.
func differ(x, y []byte) int {
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return i
		}
	}
	return -1
}

// acknowledge is the end of the ACK slot: receivers that have read the frame have driven it.
func (b *Bus) acknowledge() {
	f := &b.frame
	acknowledged := false
	var wrong []*Node
	for _, n := range b.nodes {
		switch {
		case !b.receives(n, f):
		case n.errorRate > 0 && b.rand.Float64() < n.errorRate:
			wrong = append(wrong, n)
		default:
			acknowledged = true
		}
	}
	passive := true // those that have misread it cannot tell
	for _, n := range wrong {
		passive = passive && n.state == ErrorPassive
	}
	switch {
	case !acknowledged && (b.sender.state == ErrorActive || passive):
		if b.sender.state == ErrorPassive {
			b.misread(wrong)
		}
		b.now.level = append(b.now.level[:0], 1) // the ACK slot
		b.fail(&Error{Kind: AckError, Bit: b.now.total + crcDelimiter}, b.from)
	case !passive: // they tell after the ACK delimiter
		b.ending = true
		b.step = b.clock.At(b.at(b.now.total+crcDelimiter+ackSlot+ackDelimiter), func() {
			wrong = slices.DeleteFunc(wrong, func(n *Node) bool { return !n.hears })
			if len(wrong) == 0 { // those that would have told have gone
				b.valid()
				return
			}
			b.now.level = b.now.level[:0]
			b.fail(&Error{Kind: CRCError, Bit: b.now.total + crcDelimiter + ackSlot}, wrong)
		})
	default:
		b.misread(wrong)
		b.ending = true
		b.valid()
	}
}

// valid lets the frame become so for its receivers, which it is one bit before its end.
func (b *Bus) valid() {
	b.step = b.clock.At(b.at(b.now.total+crcDelimiter+ackSlot+ackDelimiter+endOfFrame-1), b.deliver)
}

// misread counts an error of error-passive receivers that nobody else sees.
func (b *Bus) misread(wrong []*Node) {
	for _, n := range wrong {
		n.hears = false
		n.count(0, 1)
		n.follow()
	}
}

// receives tells whether a node is a receiver of the frame under way.
func (b *Bus) receives(n *Node, f *Frame) bool {
	return n.hears && n.understands(f) && !slices.Contains(b.from, n)
}

// deliver gives the frame to its receivers.
func (b *Bus) deliver() {
	b.step = b.clock.At(b.at(b.now.total+crcDelimiter+ackSlot+ackDelimiter+endOfFrame), b.finish)
	for _, n := range slices.Clone(b.nodes) {
		if b.receives(n, &b.frame) {
			n.count(0, -1)
			n.follow()
			given := b.frame
			n.client.Receive(&given)
		}
	}
}

// finish is the end of the frame.
func (b *Bus) finish() {
	end := b.at(b.now.total + crcDelimiter + ackSlot + ackDelimiter + endOfFrame)
	silent, free := b.at(b.now.total+crcDelimiter+ackSlot), b.bitsAfter(end, intermission)
	sent := slices.Clone(b.from)
	b.from = b.from[:0]
	b.tell(end, b.sender, &b.frame, nil)
	for _, n := range sent {
		n.pending = false
		n.count(-1, 0)
		n.follow()
		b.suspend(n, free)
		if n.client.Sent(); n.pending {
			n.asked = end // in real time the clock is later
		}
	}
	b.quiet(silent, free)
}

// suspend lets a node that was a transmitter and is error-passive leave the bus to others
// for a while.
func (b *Bus) suspend(n *Node, free simbus.Time) {
	if n.state == ErrorPassive {
		n.able = b.bitsAfter(free, suspended)
	}
}

// lose takes a node out of the frame under way. A frame that nobody sends any more breaks
// off, unless nothing but recessive bits are left of it.
func (b *Bus) lose(n *Node) {
	n.hears = false
	if !b.busy || !slices.Contains(b.from, n) {
		return
	}
	b.from = slices.DeleteFunc(b.from, func(m *Node) bool { return m == n })
	switch {
	case b.ending:
	case len(b.from) == 0:
		b.abandoned()
	case b.sender == n:
		b.sender, b.frame = b.from[0], b.from[0].frame
	}
}
