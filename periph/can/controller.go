package can

import (
	"encoding/binary"
	"fmt"
	"time"

	"backplane/periph/virtio"
	"backplane/simbus"
	"backplane/simbus/can"
)

// Controller is one CAN controller. It is a [virtio.Device].
type Controller struct {
	// ConfigChanged, if set, is called when the controller has become bus-off.
	ConfigChanged func()
	// OnState, if set, is called when the node is in another state.
	OnState func(can.State)
	// OnOverrun, if set, is called for a frame that the driver had no room for.
	OnOverrun func(lost int)

	virtio.Plain
	node    *can.Node
	clock   simbus.Clock
	timing  can.Timing
	space   [configSize]byte
	queues  []*virtio.Queue // nil while there is no driver
	has     uint64          // the features that were negotiated
	started bool            // by the driver
	sending *virtio.Chain   // the frame that the node has
	off     *simbus.Timer   // when the frames of a node that is bus-off come back
	lost    int
	message [headSize + can.MaxLengthFD]byte
}

var _ virtio.Device = (*Controller)(nil)

// NewController makes a controller whose node is on no bus.
func NewController(name string, t can.Timing, clock simbus.Clock) *Controller {
	c := &Controller{Plain: virtio.NewPlain(name, virtio.IDCAN, queueCount), clock: clock, timing: t}
	c.node = can.NewNode(name, clock, t, (*client)(c))
	return c
}

// Port is the controller's node of a bus.
func (c *Controller) Port() *can.Node { return c.node }

// Features are classic frames, remote ones too, and CAN FD if there is a data phase. A frame
// is given back when it has been sent, whether the driver asks for that or not.
func (c *Controller) Features() uint64 {
	f := uint64(featureClassic | featureRemote | featureLateTxAck)
	if c.timing.DataBitrate > 0 {
		f |= featureFD
	}
	return f
}

// Config tells whether the controller is bus-off.
func (c *Controller) Config() []byte { return c.space[:] }

// Start takes the queues. The node stays stopped until the driver starts it.
func (c *Controller) Start(features uint64, queues []*virtio.Queue) error {
	if err := c.Started(queues, queueCount); err != nil {
		return err
	}
	if features&(featureClassic|featureFD) == 0 {
		return fmt.Errorf("%s: the driver accepted neither classic frames nor CAN FD", c.node.Name())
	}
	c.queues, c.has = queues, features
	return nil
}

// Kick takes messages.
func (c *Controller) Kick(n int) error {
	if c.queues == nil {
		return nil
	}
	var err error
	switch n {
	case queueTx:
		err = c.transmit()
	case queueControl:
		err = c.queues[queueControl].Serve(c.control)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.node.Name(), err)
	}
	return nil
}

// Stop resets the node: a frame that it is sending breaks off.
func (c *Controller) Stop() {
	c.off.Stop()
	c.queues, c.sending, c.started = nil, nil, false
	clear(c.space[:])
	c.node.Reset()
}

// control starts or stops the node.
func (c *Controller) control(chain *virtio.Chain) (more bool, err error) {
	if n := chain.ReadLen(); n < controlSize || chain.WriteLen() < resultSize {
		return false, fmt.Errorf("control message of %d bytes, with room for %d: it has %d, and its result 1", n, chain.WriteLen(), controlSize)
	}
	var message [controlSize]byte
	chain.CopyOut(message[:], 0)
	if c.off.Stop() {
		if err := c.cancel(); err != nil {
			return false, err
		}
	}
	result := byte(resultOK)
	switch binary.LittleEndian.Uint16(message[:]) {
	case typeStart:
		// The answer does not wait for the bus, which may never be quiet.
		c.started = true
		clear(c.space[:])
		c.node.Start()
	case typeStop:
		c.started = false
		clear(c.space[:])
		c.node.Stop()
		if err := c.cancel(); err != nil {
			return false, err
		}
	default:
		result = resultNotOK
	}
	c.queues[queueControl].Done(chain, chain.CopyIn(0, []byte{result}))
	return true, nil
}

// transmit gives the node the next frame, if it has none.
func (c *Controller) transmit() error {
	if c.sending != nil {
		return nil // when that is sent it looks by itself
	}
	return c.queues[queueTx].Serve(c.take)
}

// take takes a frame from the driver, and refuses what is none.
func (c *Controller) take(chain *virtio.Chain) (more bool, err error) {
	if n := chain.ReadLen(); n < headSize || chain.WriteLen() < resultSize {
		return false, fmt.Errorf("frame of %d bytes, with room for %d: its head alone has %d, and its result 1", n, chain.WriteLen(), headSize)
	}
	var f can.Frame
	if c.started && c.parse(chain, &f) && c.node.Send(&f) == nil {
		c.sending = chain
		return false, nil
	}
	c.answer(chain, resultNotOK)
	return true, nil
}

// parse reads a frame, and tells whether it is one that was negotiated.
func (c *Controller) parse(chain *virtio.Chain, f *can.Frame) bool {
	message := c.message[:chain.CopyOut(c.message[:], 0)]
	length := int(binary.LittleEndian.Uint16(message[headLength:]))
	flags := binary.LittleEndian.Uint32(message[headFlags:])
	f.ID = binary.LittleEndian.Uint32(message[headID:])
	f.Extended, f.FD, f.Remote = flags&flagExtended != 0, flags&flagFD != 0, flags&flagRemote != 0
	if binary.LittleEndian.Uint16(message[headType:]) != typeTx || flags&^(flagExtended|flagFD|flagRemote) != 0 {
		return false
	}
	if !f.Remote {
		if length > can.MaxLengthFD || len(message) < headSize+length {
			return false
		}
		copy(f.Data[:], message[headSize:headSize+length])
	}
	if f.Length = length; f.FD {
		f.Length = can.Padded(length) // with zeros
		f.Switch = c.timing.DataBitrate != c.timing.Bitrate
	}
	return c.negotiated(f) && f.Check() == nil
}

// negotiated tells whether the driver has accepted frames of that kind.
func (c *Controller) negotiated(f *can.Frame) bool {
	switch {
	case f.FD:
		return c.has&featureFD != 0
	case f.Remote && c.has&featureRemote == 0:
		return false
	}
	return c.has&featureClassic != 0
}

func (c *Controller) answer(chain *virtio.Chain, result byte) {
	c.queues[queueTx].Done(chain, chain.CopyIn(0, []byte{result}))
}

// cancel gives back all frames that are not sent.
func (c *Controller) cancel() error {
	if c.sending != nil {
		c.answer(c.sending, resultNotOK)
		c.sending = nil
	}
	tx := c.queues[queueTx]
	defer tx.Notify()
	for range tx.Size() + 1 { // what can be there; no end of what a driver adds meanwhile
		chain, err := tx.Next()
		if chain == nil {
			return err
		}
		c.answer(chain, resultNotOK)
	}
	return nil
}

// client is the controller as its node calls it.
type client Controller

// Sent gives the frame back, and sends the next one.
func (l *client) Sent() {
	c := (*Controller)(l)
	c.answer(c.sending, resultOK)
	c.sending = nil
	queue := c.queues[queueTx]
	if err := c.transmit(); err != nil {
		queue.Fail(fmt.Errorf("%s: %w", c.node.Name(), err))
	}
}

// Changed says it to the driver if the node is bus-off.
func (l *client) Changed(s can.State) {
	c := (*Controller)(l)
	if c.OnState != nil {
		c.OnState(s)
	}
	if s != can.BusOff || c.queues == nil {
		return
	}
	c.started = false
	c.space[0] = statusBusOff
	if c.ConfigChanged != nil {
		c.ConfigChanged()
	}
	c.off = simbus.After(c.clock, busOffDelay, func() {
		queue := c.queues[queueTx]
		if err := c.cancel(); err != nil {
			queue.Fail(fmt.Errorf("%s: %w", c.node.Name(), err))
		}
	})
}

// busOffDelay is when the frames of a node come back that has become bus-off: a driver that
// does not know of that yet takes each for an error of its own. virtio_uml looks at a change
// of the configuration last, if there are interrupts of queues at the same moment.
const busOffDelay = 20 * time.Microsecond

// Receive gives a frame to the driver.
func (l *client) Receive(f *can.Frame) {
	c := (*Controller)(l)
	if c.queues == nil || !c.negotiated(f) {
		return
	}
	rx := c.queues[queueRx]
	chain, err := rx.Next()
	if err == nil && chain == nil {
		if c.lost++; c.OnOverrun != nil {
			c.OnOverrun(c.lost)
		}
		return
	}
	if err == nil && chain.WriteLen() < headSize+len(f.Payload()) {
		err = fmt.Errorf("room of %d bytes for a frame of %d", chain.WriteLen(), headSize+len(f.Payload()))
	}
	if err != nil {
		rx.Fail(fmt.Errorf("%s: %w", c.node.Name(), err))
		return
	}
	rx.Done(chain, chain.CopyIn(0, c.compose(f)))
	rx.Notify()
}

// compose writes a frame as the driver takes it.
func (c *Controller) compose(f *can.Frame) []byte {
	flags := uint32(0)
	for _, bit := range []struct {
		set  bool
		flag uint32
	}{{f.Extended, flagExtended}, {f.FD, flagFD}, {f.Remote, flagRemote}} {
		if bit.set {
			flags |= bit.flag
		}
	}
	b := c.message[:headSize]
	clear(b)
	binary.LittleEndian.PutUint16(b[headType:], typeRx)
	binary.LittleEndian.PutUint16(b[headLength:], uint16(f.Length))
	binary.LittleEndian.PutUint32(b[headFlags:], flags)
	binary.LittleEndian.PutUint32(b[headID:], f.ID)
	return append(b, f.Payload()...)
}
