package spi

import (
	"encoding/binary"
	"fmt"

	"backplane/periph/virtio"
	"backplane/simbus"
)

// Transfer is what went over the bus in one transfer. Its bytes are the observer's only
// until it returns.
type Transfer struct {
	Select int
	Mode   Mode
	Hz     int
	Bits   int    // clocks
	Tx, Rx []byte // as on the wire; nil where the driver had no data, or no room
	Last   bool   // the chip select was released
	Err    error  // why no chip heard it, such as [ErrMode]
}

// Controller is one SPI controller and the bus behind it. It is a [virtio.Device].
type Controller struct {
	*Bus
	virtio.Plain
	config     Config
	clock      simbus.Clock
	onTransfer func(*Transfer)

	space [configSize]byte
	queue *virtio.Queue
	now   request // the transfer under way
	seen  Transfer
	mem   []byte // its data as they stand in the guest's memory
	tx    []byte // as on the wire; the same as mem if they do not differ
	rx    []byte
	back  []byte // what was read, as it is to stand in memory
	busy  *simbus.Timer
	row   asking
}

var _ virtio.Device = (*Controller)(nil)

// NewController makes a controller with nothing on its bus. A transfer takes its time on
// the clock, and reaches its target when that is over, and more in a row of the same questions; with a Frequency of 0 it takes
// none. onTransfer, if it is not nil, is called after each.
func NewController(name string, config Config, clock simbus.Clock, onTransfer func(*Transfer)) *Controller {
	c := &Controller{Bus: NewBus(name), Plain: virtio.NewPlain(name, virtio.IDSPI, 1), config: config, clock: clock, onTransfer: onTransfer}
	c.space[configSelects] = MaxSelects
	c.space[configCSChange] = configAllSelected
	binary.LittleEndian.PutUint32(c.space[configBits:], configAllBits)
	binary.LittleEndian.PutUint32(c.space[configModes:], configAllModes)
	binary.LittleEndian.PutUint32(c.space[configMaxHz:], uint32(config.Frequency))
	for i := range configDelays {
		binary.LittleEndian.PutUint32(c.space[configMaxDelay+4*i:], maxDelay)
	}
	return c
}

// Config says what the controller can do: all modes and word sizes, on one line each way.
func (c *Controller) Config() []byte { return c.space[:] }

// Start takes the queue.
func (c *Controller) Start(_ uint64, queues []*virtio.Queue) error {
	if err := c.Started(queues, 1); err != nil {
		return err
	}
	c.queue = queues[0]
	return nil
}

// Kick carries out the transfers in the queue.
func (c *Controller) Kick(int) error {
	if c.queue == nil || c.busy != nil {
		return nil // when the bus is free again it looks by itself
	}
	return c.run()
}

// Stop ends the transfer under way, which its target does not see, and releases the chip.
func (c *Controller) Stop() {
	c.busy.Stop()
	c.busy, c.queue = nil, nil
	c.now, c.row = request{}, asking{}
	c.Release()
}

// run carries out transfers until the queue is empty or one takes time.
func (c *Controller) run() error {
	if err := c.queue.Serve(c.begin); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// begin carries out a transfer, or lets it take its time.
func (c *Controller) begin(chain *virtio.Chain) (more bool, err error) {
	r, valid, err := c.parse(chain)
	if err != nil {
		return false, err
	}
	if !valid {
		c.Release() // what the driver makes of a message ends with it
		c.queue.Done(chain, r.answer(nil, resultParam))
		return true, nil
	}
	c.take(r)
	if c.config.Frequency == 0 {
		c.transfer()
		return true, nil
	}
	begins := !c.Selected(r.cs)
	c.busy = simbus.After(c.clock, c.row.lasts(r.duration(begins), &c.now, c.mem, begins, c.clock.Now()), c.finish)
	return false, nil
}

// finish is called when a transfer that takes time is over.
func (c *Controller) finish() {
	c.busy = nil
	queue := c.queue
	c.transfer()
	c.row.answered(c.rx, c.clock.Now())
	queue.Notify()
	if c.queue != queue {
		return // the driver went away meanwhile
	}
	if err := c.run(); err != nil {
		queue.Fail(err)
	}
}

// take copies what the transfer writes: the guest may change its memory while the
// transfer is under way. Without data, zeros are written.
func (c *Controller) take(r request) {
	c.now = r
	c.mem = fresh(c.mem, r.size, 0)
	if r.write {
		r.chain.CopyOut(c.mem, headSize)
	}
	c.rx = fresh(c.rx, r.words.wireLen(r.size), 0xff)
	if !r.words.plain() {
		c.tx = fresh(c.tx, len(c.rx), 0)
		r.words.toWire(c.tx, c.mem)
	}
}

// transfer carries out the transfer that was taken, and answers it.
func (c *Controller) transfer() {
	r, tx := &c.now, c.mem
	if !r.words.plain() {
		tx = c.tx
	}
	var err error
	if r.mode&Loop != 0 {
		c.Release()
		copy(c.rx, tx)
	} else {
		err = c.Exchange(r.cs, r.mode, r.hz, tx, c.rx, r.bits())
	}
	if r.release {
		c.Release()
	}
	data := c.rx
	switch {
	case !r.read:
		data = nil
	case !r.words.plain():
		c.back = fresh(c.back, r.size, 0)
		r.words.fromWire(c.back, c.rx)
		data = c.back
	}
	c.queue.Done(r.chain, r.answer(data, resultOK))
	c.tell(r, tx, err)
	c.now = request{}
	for _, b := range []*[]byte{&c.mem, &c.tx, &c.rx, &c.back} {
		if cap(*b) > maxKept {
			*b = nil
		}
	}
}

// tell shows the transfer to who looks.
func (c *Controller) tell(r *request, tx []byte, err error) {
	if c.onTransfer == nil {
		return
	}
	c.seen = Transfer{Select: r.cs, Mode: r.mode, Hz: r.hz, Bits: r.bits(), Last: r.release, Err: err}
	if r.write {
		c.seen.Tx = tx
	}
	if r.read {
		c.seen.Rx = c.rx
	}
	c.onTransfer(&c.seen)
	c.seen = Transfer{}
}

// fresh is n bytes, all of that value, in the same place if there is room.
func fresh(b []byte, n int, value byte) []byte {
	if cap(b) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	if value == 0 {
		clear(b)
		return b
	}
	for i := range b {
		b[i] = value
	}
	return b
}
