package gpio

import (
	"time"

	"backplane/periph/virtio"
	"backplane/simbus"
)

// A driver that reads a line again and again, and does nothing else to the
// controller, waits for the line to change. Each reading that says what the one
// before said takes a part of the time that the row of them has taken, so that the
// wait ends with that part of an error, and does not take the host many times as
// long. It is what firmware/kernel/patches has for readings of the clock.
const (
	askPart = 64
	askMax  = 50 * time.Microsecond
)

// asking is a row of readings of one line.
type asking struct {
	since simbus.Time // when it began
	last  simbus.Time // when the last one was answered
	value uint8       // with that
}

// duration is how long a request takes.
func (c *Controller) duration(chain *virtio.Chain) time.Duration {
	var b [requestSize]byte
	chain.CopyOut(b[:], 0) // answer says what is wrong with a short one
	req := parseRequest(b)
	if req.kind != msgGetValue || int(req.line) >= len(c.lines) {
		return c.Access
	}
	row, now := &c.lines[req.line].asking, c.Clock.Now()
	if now.Sub(row.last) > askMax || c.acted > row.since {
		row.since = now
	}
	return max(c.Access, min(now.Sub(row.since)/askPart, askMax))
}

// asked notes what a reading of a line said.
func (c *Controller) asked(l *line, value uint8) {
	if c.Access == 0 {
		return
	}
	row := &l.asking
	row.last = c.Clock.Now()
	if value != row.value {
		row.value, row.since = value, row.last
	}
}
