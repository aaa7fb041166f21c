package net

import (
	"encoding/binary"
	"fmt"

	"backplane/periph/virtio"
	"backplane/simbus/ether"
)

// burst is how many frames a NIC sends before the board's other devices get
// their turn: a guest can fill its ring as fast as it is emptied.
const burst = virtio.MaxQueueSize

// transmitter is the sending half of a NIC, of its board's goroutine.
type transmitter struct {
	queue  *virtio.Queue
	header [headerSize]byte
	frame  ether.Frame // the one that is being sent; kept, like batch, to save allocations
	batch  ether.Batch
	more   bool // a burst has left frames, and goOn is posted
}

// transmit sends what the guest has queued. Nothing in it allocates.
//
// The guest does not kick before the ring is empty, and the receivers of what
// was sent are interrupted together.
func (n *NIC) transmit() error {
	t := &n.tx
	if t.more {
		return nil
	}
	for sent := 0; t.queue != nil; sent++ {
		if sent == burst && n.Port != nil {
			n.flush()
			t.more = true
			n.Port.Domain().Post(n.goOn)
			return nil
		}
		chain, err := t.queue.Next()
		if err != nil {
			return fmt.Errorf("%s: take a frame: %w", n.name, err)
		}
		if chain == nil {
			n.flush()
			return nil
		}
		if err := n.parse(chain); err != nil {
			return err
		}
		if n.Port != nil && n.Up() {
			n.Port.Send(&t.frame)
			t.batch.Next()
		}
		t.queue.Done(chain, 0)
	}
	return nil
}

// flush interrupts the receivers, then the guest whose frames have gone.
func (n *NIC) flush() {
	n.tx.batch.Flush()
	n.tx.queue.Notify()
}

// goOn is transmit for what a burst has left.
func (n *NIC) goOn() {
	n.tx.more = false
	queue := n.tx.queue
	if queue == nil {
		return // the driver has gone
	}
	if err := virtio.Guard(n.transmit); err != nil {
		queue.Fail(err)
	}
}

// stop forgets the queue.
func (t *transmitter) stop() { *t = transmitter{more: t.more} } // that call still comes

// parse takes the header off a chain: the frame is what is behind it.
func (n *NIC) parse(chain *virtio.Chain) error {
	f, h := &n.tx.frame, n.tx.header[:]
	f.Parts, f.Batch = f.Parts[:0], &n.tx.batch
	if chain.WriteLen() > 0 || chain.CopyOut(h, 0) < headerSize {
		return fmt.Errorf("%s: frame of %d bytes to read and %d to write: must be a header of %d and a frame, only to read",
			n.name, chain.ReadLen(), chain.WriteLen(), headerSize)
	}
	f.Offload = ether.Offload{
		Flags: h[0] & needsChecksum, GSOType: h[1],
		HeaderLen: binary.LittleEndian.Uint16(h[2:]), GSOSize: binary.LittleEndian.Uint16(h[4:]),
		ChecksumStart: binary.LittleEndian.Uint16(h[6:]), ChecksumOffs: binary.LittleEndian.Uint16(h[8:]),
	}
	if !n.Offload && (f.Offload.Flags != 0 || f.Offload.GSOType != gsoNone) {
		return fmt.Errorf("%s: frame with an offload that was not negotiated", n.name)
	}
	skip := headerSize
	for _, part := range chain.Readable {
		if skip >= len(part) {
			skip -= len(part)
			continue
		}
		f.Parts = append(f.Parts, part[skip:])
		skip = 0
	}
	f.Pad()
	return nil
}
