package periph

import (
	"time"

	"backplane/simbus"
)

// Asking is a row of questions that a driver puts to a part again and again, and does nothing else there: it
// waits for another answer. Each that is answered as the one before takes a part of the time that the row of them
// has taken. So the wait ends with that part of an error, and does not take the host many times as long. It is what
// firmware/kernel/patches has for readings of the clock.
type Asking struct {
	Since simbus.Time // when the row began
	last  simbus.Time // when the last one was answered
}

const (
	askPart = 64
	askMax  = 50 * time.Microsecond
)

// Over tells whether a question of now comes too late for the row.
func (a *Asking) Over(now simbus.Time) bool { return now.Sub(a.last) > askMax }

// Lasts is how long a question of now takes at least.
func (a *Asking) Lasts(now simbus.Time) time.Duration {
	return min(now.Sub(a.Since)/askPart, askMax)
}

// Answered notes an answer of now, and whether it is another one than before.
func (a *Asking) Answered(now simbus.Time, other bool) {
	if a.last = now; other {
		a.Since = now
	}
}
