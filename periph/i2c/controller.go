package i2c

import (
	"errors"
	"fmt"
	"time"

	"backplane/periph/virtio"
	"backplane/simbus"
)

// Controller is one I2C controller and the bus behind it. It is a [virtio.Device].
type Controller struct {
	// Frequency is the bus clock in Hz. At 0 transactions take no time.
	// Otherwise one takes nine bit times a byte and one for each START and
	// STOP, and reaches its target when that is over.
	Frequency int
	// Clock is needed if Frequency is not 0.
	Clock simbus.Clock
	// OnTransfer, if set, is called after each transaction, or each part of one
	// that is for one address: the event stream hangs here. The messages are
	// the callee's only until it returns.
	OnTransfer func(addr uint8, msgs []Msg, err error)

	*Bus
	virtio.Plain
	queue *virtio.Queue
	group []request     // the transaction under way
	bytes int           // of its messages
	data  arena         // its messages' bytes
	msgs  []Msg         // its messages for one target; kept, like data, to save allocations
	busy  *simbus.Timer // when it is over; nil while the bus is free
}

var _ virtio.Device = (*Controller)(nil)

// NewController makes a controller with nothing on its bus, which takes no time.
func NewController(name string) *Controller {
	return &Controller{Bus: NewBus(name), Plain: virtio.NewPlain(name, virtio.IDI2C, 1)}
}

// Features offers zero-length requests, which every driver must accept.
func (c *Controller) Features() uint64 { return featureZeroLengthRequest }

// Start takes the queue. It refuses a driver without zero-length requests, as
// the specification demands.
func (c *Controller) Start(features uint64, queues []*virtio.Queue) error {
	if features&featureZeroLengthRequest == 0 {
		return errors.New(c.name + ": driver did not accept zero-length requests (VIRTIO_I2C_F_ZERO_LENGTH_REQUEST)")
	}
	if err := c.Started(queues, 1); err != nil {
		return err
	}
	c.queue = queues[0]
	return nil
}

// Kick carries out the transactions in the queue.
func (c *Controller) Kick(int) error {
	if c.queue == nil || c.busy != nil {
		return nil // when the bus is free again it looks by itself
	}
	return c.run()
}

// Stop ends the transaction under way: its targets do not see it.
func (c *Controller) Stop() {
	c.busy.Stop()
	c.busy, c.queue = nil, nil
	c.forget()
}

// run carries out transactions until the queue is empty or one takes time. One whose
// last request is missing is carried out as far as it goes: Linux queues what fits into
// the ring, and waits for that.
func (c *Controller) run() error {
	for {
		if err := c.queue.Serve(c.take); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if len(c.group) == 0 || c.busy != nil || !c.begin() {
			return nil
		}
	}
}

// finish is called when a transaction that takes time is over.
func (c *Controller) finish() {
	c.busy = nil
	queue := c.queue
	c.transfer()
	queue.Notify()
	if c.queue != queue {
		return // the driver went away meanwhile
	}
	if err := c.run(); err != nil {
		queue.Fail(err)
	}
}

// take adds a request to the transaction, which begins with its last one.
func (c *Controller) take(chain *virtio.Chain) (more bool, err error) {
	r, err := parse(chain, &c.data)
	if err != nil {
		return false, err
	}
	if c.bytes += len(r.msg.Data); c.bytes > maxGroup {
		return false, fmt.Errorf("transaction of over %d bytes", maxGroup)
	}
	if len(c.group) == c.queue.Size() { // the driver adds to it while it is taken
		return false, fmt.Errorf("transaction of more requests than the %d that its ring holds", c.queue.Size())
	}
	c.group = append(c.group, r)
	return r.linked || c.begin(), nil
}

// begin carries out the transaction, and tells whether it is over.
func (c *Controller) begin() (over bool) {
	if d := c.duration(); d > 0 {
		c.busy = simbus.After(c.Clock, d, c.finish)
		return false
	}
	c.transfer()
	return true
}

// transfer carries out the transaction and answers its requests in
// order. After a failure the rest fails unseen.
func (c *Controller) transfer() {
	failed := false
	for rest := c.group; len(rest) > 0; {
		n := sameAddress(rest)
		if !failed {
			failed = c.transferRun(rest[:n]) != nil
		}
		status := uint8(statusOK)
		if failed {
			status = statusErr
		}
		for i := range rest[:n] {
			c.queue.Done(rest[i].chain, rest[i].answer(status))
		}
		rest = rest[n:]
	}
	c.forget()
}

// forget makes room for the next transaction.
func (c *Controller) forget() {
	clear(c.group)
	c.group, c.bytes = c.group[:0], 0
	c.data.reset()
}

// transferRun hands messages for one address to its target.
func (c *Controller) transferRun(run []request) error {
	c.msgs = c.msgs[:0]
	for i := range run {
		c.msgs = append(c.msgs, run[i].msg)
	}
	err := ErrNoAck
	if t := c.target(&run[0]); t != nil {
		err = t.Transfer(c.msgs)
	}
	if c.OnTransfer != nil {
		c.OnTransfer(run[0].address(), c.msgs, err)
	}
	return err
}

// target is what the request addresses, nil for nothing.
func (c *Controller) target(r *request) Target {
	if r.addr>>8 != 0 || r.addr&1 != 0 {
		return nil
	}
	return c.Bus.Target(r.address())
}

// sameAddress is how many requests at the head of the group have one address.
func sameAddress(group []request) int {
	n := 1
	for n < len(group) && group[n].addr == group[0].addr {
		n++
	}
	return n
}

// duration is how long the transaction takes on the wire. One that
// nobody acknowledges ends after its address.
func (c *Controller) duration() time.Duration {
	if c.Frequency <= 0 {
		return 0
	}
	bits := bitsStop
	for i := range c.group {
		bits += bitsAddressed
		if c.target(&c.group[i]) == nil {
			break
		}
		bits += len(c.group[i].msg.Data) * bitsPerByte
	}
	return time.Duration(int64(bits) * int64(time.Second) / int64(c.Frequency))
}
