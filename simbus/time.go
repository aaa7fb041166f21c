package simbus

import (
	"fmt"
	"math"
	"time"
)

// Time is a point on an appliance's time line: nanoseconds since it was
// switched on. In virtual time it moves only when every guest waits.
type Time int64

// Never is later than any time that can be reached.
const Never Time = math.MaxInt64

// Add returns the time d later, and Never rather than an overflow.
func (t Time) Add(d time.Duration) Time {
	if d > 0 && t > Never-Time(d) {
		return Never
	}
	return t + Time(d)
}

// Sub returns the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// String gives seconds with all nine decimals, so that times sort as text.
func (t Time) String() string {
	if t == Never {
		return "never"
	}
	if t < 0 {
		return "-" + (-t).String()
	}
	return fmt.Sprintf("%d.%09ds", int64(t)/1e9, int64(t)%1e9)
}

// Clock is what a model sees of time. Both clocks, and a test's, satisfy it.
// Its methods are called only on the goroutine that drives the model.
type Clock interface {
	// Now is the present time of the model's board.
	Now() Time
	// At calls f at time t, or as soon as it can if t is past. Calls for the
	// same time happen in the order in which they were asked for.
	At(t Time, f func()) *Timer
}

// After calls f when d has passed on the clock.
func After(c Clock, d time.Duration, f func()) *Timer { return c.At(c.Now().Add(d), f) }
