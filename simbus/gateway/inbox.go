package gateway

import (
	"context"
	"sync/atomic"

	"backplane/simbus/ether"

	"gvisor.dev/gvisor/pkg/buffer"
)

// inbox holds frames from the segment until the gateway's own goroutine has time
// for them.
type inbox struct {
	frames  chan parcel
	waiting atomic.Int64 // bytes
	lost    atomic.Uint64
	onLoss  func(lost uint64) // told of the first, the second, the fourth, and so on
}

// parcel is a frame in an inbox.
type parcel struct {
	view *buffer.View
	open bool
}

// What an inbox holds at most, in frames and in bytes.
const (
	maxInboxFrames = 4096
	maxInboxBytes  = 8 << 20
)

func newInbox(onLoss func(lost uint64)) *inbox {
	return &inbox{frames: make(chan parcel, maxInboxFrames), onLoss: onLoss}
}

// put copies a frame behind some bytes of head, or counts it as lost.
func (b *inbox) put(head []byte, f *ether.Frame) {
	n := len(head) + f.Len()
	if b.waiting.Add(int64(n)) > maxInboxBytes {
		b.lose(n)
		return
	}
	v := buffer.NewViewSize(n)
	to := v.AsSlice()
	to = to[copy(to, head):]
	for _, p := range f.Parts {
		to = to[copy(to, p):]
	}
	select {
	case b.frames <- parcel{v, f.Offload.Flags&needsChecksum != 0}:
	default:
		v.Release()
		b.lose(n)
	}
}

func (b *inbox) lose(n int) {
	b.waiting.Add(-int64(n))
	if lost := b.lost.Add(1); lost&(lost-1) == 0 {
		b.onLoss(lost)
	}
}

// serve calls f with each frame, whose memory is then f's, until ctx ends. open
// tells that its checksum is still to be filled in.
func (b *inbox) serve(ctx context.Context, f func(v *buffer.View, open bool)) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-b.frames:
			b.waiting.Add(-int64(p.view.Size()))
			f(p.view, p.open)
		}
	}
}
