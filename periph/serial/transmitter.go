package serial

import (
	"fmt"

	"backplane/periph/virtio"
)

// transmitter is the controller's FIFO of what the guest sends: buffers of the driver, whose
// characters the port has. They go back when their last stop bit has gone over.
type transmitter struct {
	next  *virtio.Chain // the next one to take
	taken uint16        // how many were
	out   []buffer      // which the port has; the ones before head are done
	head  int
	bytes int // in them
	stray int // characters that the port has of a driver that is gone
	held  holds
}

// buffer is one of the driver's.
type buffer struct {
	chain *virtio.Chain
	left  int // characters that have not gone over yet
}

// holds are reasons to send nothing.
type holds uint8

const (
	heldByGuest holds = 1 << iota
	heldByCTS
	heldByRS485 // the transceiver is not on yet
)

// forget lets go of a driver's buffers, whose characters go over the line all the same.
func (t *transmitter) forget() {
	t.stray += t.bytes
	t.next, t.taken, t.out, t.head, t.bytes = nil, 0, t.out[:0], 0, 0
}

// transmit gives the port what is in the next buffer.
func (c *Controller) transmit() error {
	t := &c.tx
	chain := t.next
	t.next = nil
	t.taken++
	n := chain.ReadLen()
	if chain.WriteLen() > 0 || n == 0 {
		return fmt.Errorf("buffer to send of %d bytes to read and %d to write: must be only to read", n, chain.WriteLen())
	}
	if t.bytes+n > c.config.fifo() {
		return fmt.Errorf("%d bytes to send: the FIFO has room for %d of %d", n, c.config.fifo()-t.bytes, c.config.fifo())
	}
	data := make([]byte, n) // the port's to keep
	chain.CopyOut(data, 0)
	if t.head > len(t.out)/2 {
		t.out = append(t.out[:0], t.out[t.head:]...)
		t.head = 0
	}
	t.out = append(t.out, buffer{chain, n})
	t.bytes += n
	c.drive()
	c.port.Transmit(data)
	return nil
}

// gone gives back the buffers whose characters have gone over the line.
func (c *Controller) gone(p []byte) {
	c.over(p)
	n := len(p)
	if c.tx.stray > 0 {
		n = max(0, n-c.tx.stray)
		c.tx.stray = max(0, c.tx.stray-len(p))
	}
	c.complete(n)
	c.release()
}

// over tells of what has gone over the line.
func (c *Controller) over(p []byte) {
	c.sent += uint64(len(p))
	if c.OnSent != nil {
		c.OnSent(p)
	}
	if c.out != nil {
		c.out(p)
	}
}

// complete gives back buffers of which so many more characters are done.
func (c *Controller) complete(n int) {
	t := &c.tx
	some := false
	for t.head < len(t.out) {
		b := &t.out[t.head]
		k := min(n, b.left)
		b.left -= k
		n -= k
		t.bytes -= k
		if b.left > 0 {
			break
		}
		c.queues[queueTx].Done(b.chain, 0)
		t.head++
		some = true
	}
	if some {
		c.queues[queueTx].Notify()
	}
}

// flush forgets what has not begun to go over the line.
func (c *Controller) flush() {
	t := &c.tx
	waits := c.port.Flush()
	for i := len(t.out) - 1; i >= t.head && waits > 0; i-- {
		k := min(waits, t.out[i].left)
		t.out[i].left -= k
		t.bytes -= k
		waits -= k
	}
	c.complete(0)
	c.release()
}

// hold sends nothing while there is a reason.
func (c *Controller) hold(why holds, on bool) {
	before := c.tx.held
	if c.tx.held &^= why; on {
		c.tx.held |= why
	}
	if (before == 0) != (c.tx.held == 0) {
		c.port.Hold(c.tx.held != 0)
	}
}
