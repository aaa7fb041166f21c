package serial

import (
	"encoding/binary"
	"fmt"

	"backplane/periph/virtio"
	"backplane/simbus"
	"backplane/simbus/serial"
)

// receiver is the controller's FIFO of what has arrived. It holds what waits for the driver,
// and what the driver was given and has made no room for again.
type receiver struct {
	on      bool            // the driver has opened it
	data    []byte          // what waits
	marks   []mark          // characters of it with errors
	overrun bool            // characters were lost behind it
	free    []*virtio.Chain // buffers of the driver
	given   []int           // characters in each that the driver has, in order
	out     int             // all of them
	timer   *simbus.Timer   // when what waits is given below the trigger level
	timeout func()          // what it calls: made once
	batch   int             // of characters, as the port was told
	head    [rxHead]byte

	received, framing, parity, breaks, dropped uint64
}

// mark is an error of a character.
type mark struct {
	at     int // its place in data
	status uint16
}

// idle is how long, in characters, the line rests until less than the trigger level is
// given to the driver (16550A data sheet, TI SLLS057, "FIFO interrupt mode operation").
const idle = 4

func (r *receiver) reset() {
	r.on = false
	r.empty()
	r.free, r.given, r.out = r.free[:0], r.given[:0], 0
}

// empty forgets what waits.
func (r *receiver) empty() {
	r.timer.Stop()
	r.data, r.marks, r.overrun = r.data[:0], r.marks[:0], false
}

// level is how full the FIFO is.
func (r *receiver) level() int { return len(r.data) + r.out }

// receive takes what has arrived.
func (c *Controller) receive(x serial.Received) {
	r := &c.rx
	r.received += uint64(len(x.Data))
	switch {
	case x.Flags&serial.Break != 0:
		r.breaks++
	case x.Flags&serial.FramingError != 0:
		r.framing++
	case x.Flags&serial.ParityError != 0:
		r.parity++
	}
	if c.OnReceive != nil {
		c.OnReceive(x)
	}
	if !r.on || c.queues == nil {
		c.lost(len(x.Data), false)
		return
	}
	c.check(c.store(x))
}

// store puts what has arrived into the FIFO, and gives it to the driver when it is time.
func (c *Controller) store(x serial.Received) error {
	r := &c.rx
	n := len(x.Data)
	if c.config.room()-r.level() < n {
		if err := c.refill(); err != nil {
			return err
		}
		n = min(n, c.config.room()-r.level())
	}
	r.data = append(r.data, x.Data[:n]...)
	if n == len(x.Data) && x.Flags != 0 {
		r.marks = append(r.marks, mark{len(r.data) - 1, uint16(x.Flags)})
	}
	if n < len(x.Data) {
		c.lost(len(x.Data)-n, true)
	}
	r.timer.Stop()
	if t := c.config.Trigger; t > 0 && len(r.data) < t && len(r.marks) == 0 && !r.overrun {
		r.timer = c.clock.At(x.End.Add(c.port.Format().Duration(idle)), r.timeout)
		c.level()
		return nil
	}
	return c.deliver()
}

// lost says that characters which arrived are not kept; told: the driver sees that.
func (c *Controller) lost(n int, told bool) {
	if n == 0 {
		return
	}
	c.rx.overrun = c.rx.overrun || told
	c.rx.dropped += uint64(n)
	if c.OnOverrun != nil {
		c.OnOverrun(n)
	}
}

// refill takes the buffers that the driver has made available. Each but the first ones makes
// room for what the driver was given earliest.
func (c *Controller) refill() error {
	r := &c.rx
	for {
		chain, err := c.queues[queueRx].Next()
		if chain == nil {
			return err
		}
		if chain.ReadLen() > 0 || chain.WriteLen() <= rxHead {
			return fmt.Errorf("receive buffer of %d bytes to read and %d to write: must be only to write, and more than %d",
				chain.ReadLen(), chain.WriteLen(), rxHead)
		}
		r.free = append(r.free, chain)
		if len(r.given) > 0 {
			r.out -= r.given[0]
			r.given = r.given[:copy(r.given, r.given[1:])]
		}
	}
}

// deliver gives the driver what waits, as far as it has made buffers available.
func (c *Controller) deliver() error {
	r := &c.rx
	if c.queues == nil {
		return nil
	}
	some := false
	for len(r.data) > 0 || r.overrun {
		if len(r.free) == 0 {
			if err := c.refill(); err != nil {
				return err
			}
		}
		if len(r.free) == 0 {
			break
		}
		c.give()
		some = true
	}
	if some {
		r.timer.Stop()
		c.queues[queueRx].Notify()
	} else if c.modem.full {
		if err := c.refill(); err != nil { // what the driver has made room for
			return err
		}
	}
	c.level()
	return nil
}

// give fills the next buffer: up to the first error, which is its last character's.
func (c *Controller) give() {
	r := &c.rx
	chain := r.free[0]
	r.free = r.free[:copy(r.free, r.free[1:])]
	n := min(len(r.data), chain.WriteLen()-rxHead)
	var s uint16
	if len(r.marks) > 0 && r.marks[0].at < n {
		n, s = r.marks[0].at+1, r.marks[0].status
		r.marks = r.marks[:copy(r.marks, r.marks[1:])]
	}
	if r.overrun && n == len(r.data) {
		s |= statusOverrun
		r.overrun = false
	}
	binary.LittleEndian.PutUint16(r.head[:], s)
	chain.CopyIn(0, r.head[:])
	chain.CopyIn(rxHead, r.data[:n])
	r.data = r.data[:copy(r.data, r.data[n:])]
	for i := range r.marks {
		r.marks[i].at -= n
	}
	r.given = append(r.given, n)
	r.out += n
	c.queues[queueRx].Done(chain, rxHead+n)
}

// level does what follows from how full the FIFO is: whether others may send, and when the
// next characters are looked at.
func (c *Controller) level() {
	r, size := &c.rx, c.config.fifo()
	high := size * 3 / 4
	if c.modem.autoRTS && r.level() >= high && c.queues != nil {
		c.check(c.refill())
	}
	switch {
	case !c.modem.autoRTS || r.level() <= size/4:
		c.modem.full = false
	case r.level() >= high:
		c.modem.full = true
	}
	c.showOutputs()
	batch := 0
	if t := c.config.Trigger; t > 0 {
		batch = max(1, t-len(r.data))
	}
	if c.modem.autoRTS && !c.modem.full {
		if left := high - r.level(); batch == 0 || left < batch {
			batch = max(1, left)
		}
	}
	if batch != r.batch {
		r.batch = batch
		c.port.SetBatch(batch)
	}
}
