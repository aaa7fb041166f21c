package spi

import (
	"bytes"
	"time"

	"backplane/periph"
	"backplane/simbus"
)

// askSize is how many bytes are a question at most, and an answer.
const askSize = 8

// asking is a row of questions to a chip: of messages in which a few bytes are written, and then a few read. So a flash's
// driver waits until the chip has erased; an erase of 45 ms at 50 MHz would be 140,000 of them.
type asking struct {
	periph.Asking
	cs               int
	question, answer []byte // no question: there is no row
	said             []byte // what has been written so far in the message under way
	other            bool   // that message is no question
	asked            bool   // the transfer under way brings an answer
}

// lasts is how long a transfer takes that takes at least d on the wire. begins tells whether it is the first of a message.
func (a *asking) lasts(d time.Duration, r *request, written []byte, begins bool, now simbus.Time) time.Duration {
	if begins {
		a.said, a.other = a.said[:0], false
	}
	a.asked = false
	switch {
	case a.other:
	case r.write && !r.read && !r.release && len(a.said)+len(written) <= askSize:
		a.said = append(a.said, written...)
		return d
	case r.read && !r.write && r.release && r.size <= askSize && len(a.said) > 0:
		a.asked = true
		if a.cs != r.cs || !bytes.Equal(a.question, a.said) || a.Over(now) {
			a.cs, a.question, a.answer, a.Since = r.cs, append(a.question[:0], a.said...), a.answer[:0], now
		}
		return max(d, a.Lasts(now))
	}
	a.question, a.other = a.question[:0], true
	return d
}

// answered notes what a transfer has read.
func (a *asking) answered(read []byte, now simbus.Time) {
	if a.asked {
		a.Answered(now, !bytes.Equal(a.answer, read))
		a.answer = append(a.answer[:0], read...)
	}
}
