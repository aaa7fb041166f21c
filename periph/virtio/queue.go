package virtio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"
)

// ErrBroken wraps everything that a driver did wrong with a queue.
var ErrBroken = errors.New("driver broke the virtqueue")

// Sizes and offsets of a split virtqueue (virtio 1.2 section 2.7).
const (
	descSize      = 16
	availRing     = 4 // flags, idx, then the ring of uint16, then used_event
	usedRing      = 4 // flags, idx, then the ring of (uint32, uint32), then avail_event
	usedElemSize  = 8
	MaxQueueSize  = 1024 // more than any driver here asks for
	maxChainBytes = 1 << 30
)

// Flags of a descriptor and of the rings (sections 2.7.5 to 2.7.8).
const (
	descNext         = 1
	descWrite        = 2
	descIndirect     = 4
	usedNoNotify     = 1
	availNoInterrupt = 1
)

// Chain is one buffer that the driver made available: what the device may read,
// then what it may write, as slices of guest memory. The guest may change that
// memory at any moment: copy out what is looked at twice. A Chain is valid
// until it is given back with Queue.Done.
type Chain struct {
	Readable [][]byte
	Writable [][]byte
	head     uint16
}

// QueueConfig is what a transport knows of a queue once the driver has set it up.
type QueueConfig struct {
	Index             int // for messages
	Size              int // number of descriptors, a power of two
	Desc, Avail, Used uint64
	// Base is the index of the first buffer to take.
	Base uint16
	// Again are buffers that were taken before Base and not given back, by the same driver:
	// see [Queue.Unfinished].
	Again    []uint16
	Features uint64 // negotiated
	Memory   *Memory
	// Interrupt tells the driver that buffers have been used.
	Interrupt func()
	// Fail stops the device.
	Fail func(error)
}

// Queue is one split virtqueue, seen from the device. Nothing in it allocates
// once it has been through its first buffers.
type Queue struct {
	c        QueueConfig
	mask     uint16
	indirect bool
	eventIdx bool

	desc, avail, used []byte
	availHead         *uint32 // flags and idx, as one word
	usedHead          *uint32

	again    []uint16 // first descriptors of buffers that are to be taken before others
	out      []uint16 // those of the buffers that the device has, from the oldest on
	taken    uint16   // buffers taken from the available ring
	done     uint16   // buffers put into the used ring
	notified uint16   // value of done when the driver was last considered for an interrupt
	quiet    bool     // no kicks, please
	left     int      // how many buffers may still be taken; negative: any number
	spare    []*Chain
}

// NewQueue checks where the driver has put a queue and takes it over.
func NewQueue(c QueueConfig) (*Queue, error) {
	if c.Size < 1 || c.Size > MaxQueueSize || c.Size&(c.Size-1) != 0 {
		return nil, fmt.Errorf("%w: queue %d has %d descriptors: a power of two up to %d is needed", ErrBroken, c.Index, c.Size, MaxQueueSize)
	}
	n := uint64(c.Size)
	q := &Queue{c: c, mask: uint16(c.Size - 1), again: c.Again, taken: c.Base, done: c.Base - uint16(len(c.Again)), notified: c.Base - uint16(len(c.Again)), left: -1,
		indirect: c.Features&FeatureIndirectDesc != 0, eventIdx: c.Features&FeatureEventIdx != 0}
	for _, part := range []struct {
		name          string
		to            *[]byte
		addr          uint64
		length, align uint64
	}{
		{"descriptor table", &q.desc, c.Desc, descSize * n, 16},
		// 2 would do by the specification; 4 is what every driver has, and what
		// reading flags and index as one word takes.
		{"available ring", &q.avail, c.Avail, availRing + 2*n + 2, 4},
		{"used ring", &q.used, c.Used, usedRing + usedElemSize*n + 2, 4},
	} {
		b, err := c.Memory.User(part.addr, part.length)
		if err != nil {
			return nil, fmt.Errorf("queue %d: %s: %w", c.Index, part.name, err)
		}
		if part.addr%part.align != 0 || uintptr(unsafe.Pointer(&b[0]))%uintptr(part.align) != 0 {
			return nil, fmt.Errorf("%w: queue %d: %s at %#x is not aligned to %d", ErrBroken, c.Index, part.name, part.addr, part.align)
		}
		*part.to = b
	}
	q.availHead = (*uint32)(unsafe.Pointer(&q.avail[0]))
	q.usedHead = (*uint32)(unsafe.Pointer(&q.used[0]))
	return q, nil
}

// Size is the number of descriptors.
func (q *Queue) Size() int { return q.c.Size }

// Memory is the guest's at a guest-physical address, for buffers that have addresses in them.
func (q *Queue) Memory(addr, length uint64) ([]byte, error) { return q.c.Memory.Guest(addr, length) }

// Base is the index of the next buffer to take, for a queue that takes over from this one.
func (q *Queue) Base() uint16 { return q.taken }

// Unfinished are the first descriptors of the buffers that were taken and not given back, for
// a queue that takes over from this one while its driver waits for them.
func (q *Queue) Unfinished() []uint16 { return append(slices.Clone(q.out), q.again...) }

// Next takes the next buffer that the driver made available, nil if there is
// none; the driver then kicks when there is one. An error (ErrBroken) stops the
// device: return it from Kick or give it to Fail.
func (q *Queue) Next() (*Chain, error) {
	if q.left == 0 {
		return nil, nil
	}
	if len(q.again) > 0 {
		head := q.again[0]
		q.again = q.again[1:]
		return q.take(head)
	}
	pending, err := q.Pending()
	if err != nil {
		return nil, err
	}
	if pending == 0 {
		if q.quiet || !q.askForKick() {
			return nil, nil
		}
		if pending, err = q.Pending(); pending == 0 {
			return nil, err
		}
	}
	head := binary.LittleEndian.Uint16(q.avail[availRing+2*int(q.taken&q.mask):])
	q.taken++
	return q.take(head)
}

// take is the buffer that begins with a descriptor.
func (q *Queue) take(head uint16) (*Chain, error) {
	q.left--
	c := q.chain()
	c.head = head
	if err := q.walk(c, head); err != nil {
		return nil, err
	}
	q.out = append(q.out, head)
	return c, nil
}

// Bound lets Next take at most n more buffers, or any number if n is negative. It
// tells whether the bound before has been reached. A driver may add buffers as
// fast as a device takes them: who calls the device bounds what it does at once.
func (q *Queue) Bound(n int) (reached bool) {
	reached = q.left == 0
	q.left = n
	return reached
}

// Pending is how many buffers the driver has made available.
func (q *Queue) Pending() (int, error) {
	idx := uint16(atomic.LoadUint32(q.availHead) >> 16)
	n := int(idx - q.taken)
	if n > q.c.Size {
		return 0, fmt.Errorf("%w: queue %d: available index went from %d to %d with %d descriptors", ErrBroken, q.c.Index, q.taken, idx, q.c.Size)
	}
	return n, nil
}

// askForKick asks the driver to kick for the next buffer. It returns true if
// one may have come before the driver could see that, so that it must be looked
// for again.
func (q *Queue) askForKick() bool {
	if q.eventIdx {
		q.setAvailEvent(q.taken)
	}
	return uint16(atomic.LoadUint32(q.availHead)>>16) != q.taken
}

// setAvailEvent writes avail_event, behind the used ring, with the order that
// the driver's check needs: before any later look at the available index.
func (q *Queue) setAvailEvent(v uint16) {
	off := usedRing + usedElemSize*q.c.Size
	binary.LittleEndian.PutUint16(q.used[off:], v)
	atomic.StoreUint32(q.usedHead, atomic.LoadUint32(q.usedHead)) // a full barrier
}

// NotifyOff asks the driver not to kick, for a device that looks by itself.
func (q *Queue) NotifyOff() {
	q.quiet = true
	if !q.eventIdx {
		atomic.StoreUint32(q.usedHead, uint32(q.done)<<16|usedNoNotify)
	}
	// With the event index, not moving avail_event on is enough.
}

// NotifyOn asks the driver to kick again. It returns true if a buffer has come
// meanwhile.
func (q *Queue) NotifyOn() bool {
	q.quiet = false
	if !q.eventIdx {
		atomic.StoreUint32(q.usedHead, uint32(q.done)<<16)
	}
	return q.askForKick()
}

func (q *Queue) chain() *Chain {
	if n := len(q.spare); n > 0 {
		c := q.spare[n-1]
		q.spare = q.spare[:n-1]
		c.Readable, c.Writable = c.Readable[:0], c.Writable[:0]
		return c
	}
	return new(Chain)
}

// walk follows a chain of descriptors. Each is copied before it is looked at.
func (q *Queue) walk(c *Chain, head uint16) error {
	table, size := q.desc, q.c.Size
	inIndirect := false
	var total uint64
	for i, count := int(head), 0; ; count++ {
		if i >= size {
			return q.broken(c, "descriptor %d of %d", i, size)
		}
		if count >= size || count >= MaxQueueSize {
			return q.broken(c, "more than %d descriptors in one buffer, or a loop", count)
		}
		d := table[i*descSize : i*descSize+descSize]
		addr, rest := binary.LittleEndian.Uint64(d), binary.LittleEndian.Uint64(d[8:])
		length, flags, next := rest&0xffffffff, uint16(rest>>32), int(rest>>48)
		if flags&descIndirect != 0 {
			switch {
			case !q.indirect:
				return q.broken(c, "an indirect descriptor that was not negotiated")
			case inIndirect || count > 0 || flags&(descNext|descWrite) != 0:
				return q.broken(c, "a misplaced indirect descriptor")
			case length == 0 || length%descSize != 0 || length/descSize > MaxQueueSize:
				return q.broken(c, "an indirect table of %d bytes", length)
			}
			var err error
			if table, err = q.c.Memory.Guest(addr, length); err != nil {
				return fmt.Errorf("queue %d: indirect table: %w", q.c.Index, err)
			}
			size, i, count, inIndirect = int(length/descSize), 0, -1, true
			continue
		}
		if total += length; total > maxChainBytes {
			return q.broken(c, "more than %d bytes in one buffer", maxChainBytes)
		}
		b, err := q.c.Memory.Guest(addr, length)
		if err != nil {
			return fmt.Errorf("queue %d: descriptor %d: %w", q.c.Index, i, err)
		}
		switch {
		case flags&descWrite != 0:
			c.Writable = append(c.Writable, b)
		case len(c.Writable) > 0:
			return q.broken(c, "a readable descriptor after a writable one")
		default:
			c.Readable = append(c.Readable, b)
		}
		if flags&descNext == 0 {
			return nil
		}
		i = next
	}
}

func (q *Queue) broken(c *Chain, format string, args ...any) error {
	return fmt.Errorf("%w: queue %d, buffer at descriptor %d: %s", ErrBroken, q.c.Index, c.head, fmt.Sprintf(format, args...))
}

// Done gives a buffer back with the number of bytes written to it, without an
// interrupt. Buffers may be given back in any order.
func (q *Queue) Done(c *Chain, written int) {
	q.Use(c, written)
	q.Publish()
}

// Use is Done for one of several buffers that the driver must not see before
// all have been used, such as the parts of a frame (section 5.1.6.4): Publish
// then shows them to it together.
func (q *Queue) Use(c *Chain, written int) {
	e := q.used[usedRing+usedElemSize*int(q.done&q.mask):]
	binary.LittleEndian.PutUint32(e, uint32(c.head))
	binary.LittleEndian.PutUint32(e[4:], uint32(written))
	q.done++
	if i := slices.Index(q.out, c.head); i >= 0 {
		q.out = slices.Delete(q.out, i, i+1)
	}
	q.spare = append(q.spare, c)
}

// Publish shows the driver what was used.
func (q *Queue) Publish() {
	flags := uint32(0)
	if q.quiet && !q.eventIdx {
		flags = usedNoNotify
	}
	atomic.StoreUint32(q.usedHead, uint32(q.done)<<16|flags)
}

// Notify interrupts the driver if it wants to know of the buffers given back
// since the last Notify (event index or flags, sections 2.7.7 and 2.7.10).
func (q *Queue) Notify() {
	if q.done == q.notified {
		return
	}
	last := q.notified
	q.notified = q.done
	if q.eventIdx {
		event := binary.LittleEndian.Uint16(q.avail[availRing+2*q.c.Size:])
		if q.done-event-1 >= q.done-last {
			return
		}
	} else if atomic.LoadUint32(q.availHead)&availNoInterrupt != 0 {
		return
	}
	q.c.Interrupt()
}

// Fail stops the whole device because of err, for devices that find a mistake
// outside Kick.
func (q *Queue) Fail(err error) { q.c.Fail(err) }
