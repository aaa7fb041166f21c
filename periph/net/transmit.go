package net

import (
	"encoding/binary"
	"fmt"

	"backplane/periph/virtio"
	"backplane/simbus"
)

// burst is how many frames a NIC sends before the board's other devices get
// their turn: a guest can fill its ring as fast as it is emptied.
const burst = virtio.MaxQueueSize

// transmit sends what the guest has queued. Nothing in it allocates.
func (n *NIC) transmit() error {
	for sent := 0; n.tx != nil; sent++ {
		if sent == burst {
			n.batch.Flush()
			n.tx.Notify()
			n.Port.Domain().Post(n.goOn)
			return nil
		}
		chain, err := n.tx.Next()
		if err != nil {
			return fmt.Errorf("%s: take a frame: %w", n.name, err)
		}
		if chain == nil {
			n.batch.Flush()
			n.tx.Notify()
			return nil
		}
		if err := n.parse(chain); err != nil {
			return err
		}
		if n.Port != nil && n.Up() {
			n.Port.Send(&n.frame)
			n.batch.Next()
		}
		n.tx.Done(chain, 0)
	}
	return nil
}

// goOn is transmit for what a burst has left.
func (n *NIC) goOn() {
	tx := n.tx
	if tx == nil {
		return // the driver has gone
	}
	if err := virtio.Guard(n.transmit); err != nil {
		tx.Fail(err)
	}
}

// parse takes the header off a chain: n.frame is what is behind it.
func (n *NIC) parse(chain *virtio.Chain) error {
	f := &n.frame
	f.Parts, f.Batch = f.Parts[:0], &n.batch
	h := n.header[:]
	if chain.WriteLen() > 0 || chain.CopyOut(h, 0) < headerSize {
		return fmt.Errorf("%s: frame of %d bytes to read and %d to write: must be a header of %d and a frame, only to read",
			n.name, chain.ReadLen(), chain.WriteLen(), headerSize)
	}
	f.Offload = simbus.Offload{
		Flags: h[0] & needsChecksum, GSOType: h[1],
		HeaderLen: binary.LittleEndian.Uint16(h[2:]), GSOSize: binary.LittleEndian.Uint16(h[4:]),
		ChecksumStart: binary.LittleEndian.Uint16(h[6:]), ChecksumOffs: binary.LittleEndian.Uint16(h[8:]),
	}
	if !n.Offload && (f.Offload.Flags != 0 || f.Offload.GSOType != gsoNone) {
		return fmt.Errorf("%s: frame with work left to the device, which was not negotiated", n.name)
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
	return nil
}
