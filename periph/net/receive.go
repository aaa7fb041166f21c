package net

import (
	"encoding/binary"
	"errors"
	"fmt"

	"backplane/periph/virtio"
	"backplane/simbus/ether"
)

var (
	errBacklog = errors.New("receiver too slow")
	errOff     = errors.New("receiver off")
	errOffload = errors.New("receiver does not take frames that still need segmentation")
)

// backlogLimit is how much a NIC keeps for a guest that has no buffer for it, in bytes.
const backlogLimit = 4 << 20

// backlog is frames that wait for buffers, oldest first.
type backlog struct {
	frames []*ether.Frame
	bytes  int
}

// frameCost is what a frame costs beside its bytes: small ones must not cost
// far more memory than the limit says.
const frameCost = 256

func (b *backlog) add(f *ether.Frame) error {
	n := f.Len() + frameCost
	if b.bytes+n > backlogLimit {
		return errBacklog
	}
	b.frames = append(b.frames, f.Copy())
	b.bytes += n
	return nil
}

// shift forgets the oldest.
func (b *backlog) shift() {
	b.bytes -= b.frames[0].Len() + frameCost
	b.frames[0] = nil
	if b.frames = b.frames[1:]; len(b.frames) == 0 {
		*b = backlog{}
	}
}

// Receive gives the guest a frame. It may be called on any goroutine on a direct
// segment. The error says why the frame was dropped.
func (n *NIC) Receive(f *ether.Frame) error {
	n.mu.Lock()
	defer n.unlock()
	if n.rx == nil || !n.Up() {
		return errOff
	}
	if !n.wants(f.Parts) {
		return ether.ErrFiltered
	}
	if !n.canTake(f.Offload) {
		return errOffload
	}
	if len(n.backlog.frames) > 0 {
		return n.backlog.add(f)
	}
	ok := false
	err := n.guard(func() (err error) {
		if ok, err = n.put(f); ok && f.Batch == nil {
			n.rx.Notify()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !ok:
		return n.backlog.add(f)
	case f.Batch != nil:
		f.Batch.Add(n, f.Len())
	}
	return nil
}

// guard runs f, which touches the memory of this guest on a sender's goroutine.
// If that has gone it is not the sender's fault.
func (n *NIC) guard(f func() error) error {
	err := virtio.Guard(f)
	if err != nil {
		n.broken(err)
	}
	return err
}

// broken takes the receiver away; unlock stops it.
func (n *NIC) broken(err error) {
	rx := n.rx
	n.rx = nil
	n.failure = func() { rx.Fail(err) }
}

// unlock ends what mu covers. Then it stops a receiver that was found broken, on its
// own board's goroutine: in virtual time that is this one, and Stop takes mu.
func (n *NIC) unlock() {
	failure, port := n.failure, n.Port
	n.failure = nil
	n.mu.Unlock()
	if failure != nil {
		port.Domain().Post(failure)
	}
}

// Flush interrupts the guest after a batch of frames. It is for package ether.
func (n *NIC) Flush() {
	n.mu.Lock()
	defer n.unlock()
	if n.rx != nil {
		_ = n.guard(func() error { n.rx.Notify(); return nil }) // it has been told its own board
	}
}

// canTake tells whether the guest has agreed to work that a sender left.
func (n *NIC) canTake(o ether.Offload) bool {
	need := uint64(0)
	if o.Flags&needsChecksum != 0 {
		need |= featureGuestChecksum
	}
	if o.GSOType&gsoECN != 0 {
		need |= featureGuestECN
	}
	switch o.GSOType &^ gsoECN {
	case gsoNone:
	case gsoTCP4:
		need |= featureGuestTSO4
	case gsoTCP6:
		need |= featureGuestTSO6
	default:
		return false
	}
	return n.features&need == need
}

// drain gives the guest what waited for buffers.
func (n *NIC) drain() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rx == nil {
		return nil
	}
	for len(n.backlog.frames) > 0 {
		ok, err := n.put(n.backlog.frames[0])
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		n.backlog.shift()
	}
	n.rx.Notify()
	return nil
}

// put copies a frame into as many buffers as it needs, false if there are too
// few. Buffers taken meanwhile are kept for the next attempt.
func (n *NIC) put(f *ether.Frame) (bool, error) {
	need, room := headerSize+f.Len(), 0
	count := 0
	for ; count < len(n.taken) && room < need; count++ {
		room += n.taken[count].WriteLen()
	}
	for room < need {
		chain, err := n.rx.Next()
		if err != nil {
			return false, fmt.Errorf("%s: take a receive buffer: %w", n.name, err)
		}
		if chain == nil {
			return false, nil
		}
		if chain.ReadLen() > 0 || chain.WriteLen() < headerSize {
			return false, fmt.Errorf("%s: receive buffer of %d bytes to read and %d to write: must be at least %d, only to write",
				n.name, chain.ReadLen(), chain.WriteLen(), headerSize)
		}
		n.taken = append(n.taken, chain)
		room += chain.WriteLen()
		count++
		if count > 1 && n.features&featureMergeBuffers == 0 {
			return false, fmt.Errorf("%s: receive buffer too small for a frame of %d bytes, and merging was not negotiated", n.name, f.Len())
		}
	}
	n.fill(n.taken[:count], f)
	n.taken = append(n.taken[:0], n.taken[count:]...)
	return true, nil
}

// fill copies a frame, with its header, over the buffers.
func (n *NIC) fill(chains []*virtio.Chain, f *ether.Frame) {
	var h [headerSize]byte
	o := &f.Offload
	h[0], h[1] = o.Flags, o.GSOType
	binary.LittleEndian.PutUint16(h[2:], o.HeaderLen)
	binary.LittleEndian.PutUint16(h[4:], o.GSOSize)
	binary.LittleEndian.PutUint16(h[6:], o.ChecksumStart)
	binary.LittleEndian.PutUint16(h[8:], o.ChecksumOffs)
	binary.LittleEndian.PutUint16(h[headerNumBuffers:], uint16(len(chains)))

	src := cursor{parts: f.Parts}
	for i, chain := range chains {
		written := 0
		for _, part := range chain.Writable {
			if i == 0 && written < headerSize {
				k := copy(part, h[written:])
				written += k
				part = part[k:]
			}
			written += src.copy(part)
		}
		n.rx.Use(chain, written)
	}
	n.rx.Publish()
}

// cursor reads a frame's parts one after another.
type cursor struct {
	parts  [][]byte
	offset int // in the first of them
}

func (c *cursor) copy(to []byte) int {
	n := 0
	for n < len(to) && len(c.parts) > 0 {
		k := copy(to[n:], c.parts[0][c.offset:])
		n += k
		if c.offset += k; c.offset == len(c.parts[0]) {
			c.parts, c.offset = c.parts[1:], 0
		}
	}
	return n
}
