package spi

import (
	"bytes"
	"time"

	"backplane/simbus"
)

// A driver that asks a chip the same again and again, and does nothing else on the bus, waits for another answer: a flash's
// driver, until the chip has erased. Each question that was answered as the one before takes a part of the time that the row
// of them has taken, as readings of a GPIO line do: the wait ends with that part of an error, and does not take the host many times
// as long. Else an erase of 45 ms at 50 MHz would be 140,000 questions.
const (
	askPart = 64
	askMax  = 50 * time.Microsecond
	askSize = 8 // bytes of what is a question at most, and of an answer
)

// asking is a row of questions: of messages in which a few bytes are written, and then a few read.
type asking struct {
	cs               int
	question, answer []byte      // no question: there is no row
	since            simbus.Time // when it began
	last             simbus.Time // when the last one was answered
	said             []byte      // what has been written so far in the message under way
	other            bool        // that message is no question
	asked            bool        // the transfer under way brings an answer
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
		if a.cs != r.cs || !bytes.Equal(a.question, a.said) || now.Sub(a.last) > askMax {
			a.cs, a.question, a.answer, a.since = r.cs, append(a.question[:0], a.said...), a.answer[:0], now
		}
		return max(d, min(now.Sub(a.since)/askPart, askMax))
	}
	a.question, a.other = a.question[:0], true
	return d
}

// answered notes what a transfer has read.
func (a *asking) answered(read []byte, now simbus.Time) {
	if !a.asked {
		return
	}
	if a.last = now; !bytes.Equal(a.answer, read) {
		a.answer, a.since = append(a.answer[:0], read...), now
	}
}
