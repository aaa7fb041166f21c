// Package cantest drives a CAN controller as a guest's driver does, without a guest: a
// [Driver] starts it, sends frames and takes those that arrive. Frames are written as the
// can-utils write them: 123#DEADBEEF (see can.ParseFrame).
package cantest

import (
	"encoding/binary"
	"fmt"
	"testing"

	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus/can"
)

// Queues, types and flags of messages (Linux include/uapi/linux/virtio_can.h).
const (
	queueTx      = 0
	queueRx      = 1
	queueControl = 2

	typeTx    = 0x0001
	typeRx    = 0x0101
	typeStart = 0x0201
	typeStop  = 0x0202

	flagExtended = 0x8000
	flagFD       = 0x4000
	flagRemote   = 0x2000

	headSize  = 16
	queueSize = 64
)

// Driver is the driver of one controller. It gives it as many buffers for frames as fit.
type Driver struct {
	*virtiotest.Driver
	t     testing.TB
	texts map[uint16]string // of frames under way, by their buffers
}

// New makes a driver that has not started the controller.
func New(t testing.TB, dev virtio.Device) *Driver {
	t.Helper()
	d := &Driver{Driver: virtiotest.Start(t, dev, queueSize, virtio.FeatureEventIdx), t: t, texts: make(map[uint16]string)}
	for range queueSize {
		d.Rings[queueRx].Add(nil, []int{headSize + can.MaxLengthFD})
	}
	d.Kick(queueRx)
	return d
}

// Up starts the controller.
func (d *Driver) Up() { d.control(typeStart) }

// Down stops it.
func (d *Driver) Down() { d.control(typeStop) }

func (d *Driver) control(message uint16) {
	d.t.Helper()
	if answer := d.Do(d.t, queueControl, binary.LittleEndian.AppendUint16(nil, message), 1); len(answer) != 1 || answer[0] != 0 {
		d.t.Fatalf("control message %#x: answer % x", message, answer)
	}
}

// Send queues frames.
func (d *Driver) Send(texts ...string) {
	d.t.Helper()
	for _, text := range texts {
		f, err := can.ParseFrame(text)
		if err != nil {
			d.t.Fatal(err)
		}
		d.texts[d.Rings[queueTx].Add([][]byte{Message(&f)}, []int{1})] = text
	}
	if d.Rings[queueTx].KickWanted() {
		d.Kick(queueTx)
	}
}

// Message is a frame as the driver sends it.
func Message(f *can.Frame) []byte {
	flags := uint32(0)
	if f.Extended {
		flags |= flagExtended
	}
	if f.FD {
		flags |= flagFD
	}
	if f.Remote {
		flags |= flagRemote
	}
	b := make([]byte, headSize, headSize+can.MaxLengthFD)
	binary.LittleEndian.PutUint16(b, typeTx)
	binary.LittleEndian.PutUint16(b[2:], uint16(f.Length))
	binary.LittleEndian.PutUint32(b[8:], flags)
	binary.LittleEndian.PutUint32(b[12:], f.ID)
	return append(b, f.Payload()...)
}

// Sent are the frames that have come back since the last time: what failed has ! at its end.
func (d *Driver) Sent() (texts []string) {
	for _, u := range d.Rings[queueTx].Results() {
		text := d.texts[u.Head]
		if b := u.Bytes(); len(b) != 1 || b[0] != 0 {
			text += "!"
		}
		texts = append(texts, text)
	}
	return texts
}

// Received are the frames that have arrived since the last time. An FD frame's digit after
// ## is 0: the driver is not told of it.
func (d *Driver) Received() (texts []string) {
	for _, u := range d.Rings[queueRx].Results() {
		texts = append(texts, text(u.Bytes()))
		d.Rings[queueRx].Add(nil, []int{headSize + can.MaxLengthFD})
	}
	d.Kick(queueRx)
	return texts
}

func text(b []byte) string {
	if len(b) < headSize || binary.LittleEndian.Uint16(b) != typeRx {
		return fmt.Sprintf("% x", b)
	}
	flags := binary.LittleEndian.Uint32(b[8:])
	f := can.Frame{ID: binary.LittleEndian.Uint32(b[12:]), Length: int(binary.LittleEndian.Uint16(b[2:])),
		Extended: flags&flagExtended != 0, FD: flags&flagFD != 0, Remote: flags&flagRemote != 0}
	if n := copy(f.Data[:], b[headSize:]); f.Check() != nil || n != len(f.Payload()) {
		return fmt.Sprintf("% x", b)
	}
	return f.String()
}
