package ether

import (
	"errors"
	"sync/atomic"
)

// Counters count what went through one direction of a port. Frames and bytes
// are what the board sent, before anything happened to them, and what it was
// given, after all that did: the same as its own kernel counts. Bytes are
// without the check sequence. In real time a frame that a board has left to be
// cut up counts as one, and what comes of it counts where it arrives.
type Counters struct {
	Frames, Bytes                    atomic.Uint64
	Unicast, Multicast, Broadcast    atomic.Uint64
	Corrupted, Duplicated, Reordered atomic.Uint64
	Filtered                         atomic.Uint64 // rx: what the board's NIC has no use for ([ErrFiltered])
	QueueHigh                        Highest       // bytes that waited, at most
	Drops                            [drops]atomic.Uint64
}

// ErrFiltered is what a port's deliver returns for a frame that its board does
// not want, as NICs do with frames that are for others. It is no loss.
var ErrFiltered = errors.New("not for this board")

// Highest is the highest value that there was.
type Highest struct{ atomic.Uint64 }

func (h *Highest) raise(v uint64) {
	for old := h.Load(); v > old && !h.CompareAndSwap(old, v); old = h.Load() {
	}
}

// Drop is why a frame was dropped.
type Drop int

// The reasons. Each stands for the direction in which it counts: tx for a frame
// from the board.
const (
	DropCut       Drop = iota // tx, rx: the cable, or the whole segment, is cut
	DropLost                  // tx, rx: Loss
	DropQueue                 // tx, rx: the queue was full
	DropMalformed             // tx: of a length that no frame has, or with work left to others that makes no sense
	DropVLAN                  // tx: of a VLAN that the port does not belong to
	DropStorm                 // tx: over the port's storm limit
	DropReserved              // tx: to an address that switches pass nothing on for ([SegmentConfig])
	DropBoard                 // rx: the board did not take it: off, or too slow
	drops
)

var dropNames = [drops]string{"cut", "lost", "queue", "malformed", "vlan", "storm", "reserved", "board"}

// Drops are all reasons.
func Drops() []Drop {
	list := make([]Drop, drops)
	for i := range list {
		list[i] = Drop(i)
	}
	return list
}

// String is a short name: cut, lost, queue, malformed, vlan, storm, board.
func (d Drop) String() string { return dropNames[d] }

// Dropped is how many frames were dropped, for whatever reason.
func (c *Counters) Dropped() (n uint64) {
	for i := range c.Drops {
		n += c.Drops[i].Load()
	}
	return n
}

// count counts a frame.
func (c *Counters) count(f *Frame, n int) {
	c.Frames.Add(1)
	c.Bytes.Add(uint64(n))
	var dst address
	switch f.head(dst[:]); {
	case dst[0]&1 == 0:
		c.Unicast.Add(1)
	case dst == broadcast:
		c.Broadcast.Add(1)
	default:
		c.Multicast.Add(1)
	}
}
