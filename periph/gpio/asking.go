package gpio

import (
	"time"

	"backplane/periph"
	"backplane/periph/virtio"
)

// asking is a row of readings of one line: its driver waits for the line to change.
type asking struct {
	periph.Asking
	value uint8 // of the last one
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
	if row.Over(now) || c.acted > row.Since {
		row.Since = now
	}
	return max(c.Access, row.Lasts(now))
}

// asked notes what a reading of a line said.
func (c *Controller) asked(l *line, value uint8) {
	if c.Access == 0 {
		return
	}
	row := &l.asking
	row.Answered(c.Clock.Now(), value != row.value)
	row.value = value
}
