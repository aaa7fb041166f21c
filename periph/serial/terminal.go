package serial

import (
	"fmt"
	"time"

	"backplane/simbus"
	"backplane/simbus/serial"
)

// inputLimit is how many bytes that Input was given are kept until they go over the line.
const inputLimit = 1 << 20

// Output lets f have what has gone over the line from the guest.
func (c *Controller) Output(f func(p []byte)) { c.out = f }

// Input sends the guest bytes from a source that has no line of its own, such as a scenario
// or a terminal: they arrive in the guest's own format, at its rate. It takes all or nothing.
func (c *Controller) Input(p []byte) error {
	if len(p) > c.Room() {
		return fmt.Errorf("%s: send %d bytes: %d are still to go over the line, of at most %d", c.name, len(p), c.feed.waiting(), inputLimit)
	}
	c.feed.put(p)
	return nil
}

// Room is how many bytes Input takes.
func (c *Controller) Room() int { return inputLimit - c.feed.waiting() }

// charTime is how long n characters take on the line.
func (c *Controller) charTime(n int) time.Duration { return c.port.Format().Duration(n) }

// fed takes a piece of what Input was given, which has arrived.
func (c *Controller) fed(p []byte, at simbus.Time) {
	if c.off {
		c.lost(len(p), false)
		return
	}
	if mask := byte(1<<c.port.Format().Data - 1); mask != 0xff {
		for i := range p {
			p[i] &= mask
		}
	}
	c.receive(serial.Received{Data: p, End: at})
}
