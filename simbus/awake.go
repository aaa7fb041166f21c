package simbus

import "time"

// awake is the host's time without that in which this program did not run: whoever
// stopped it, or the whole machine, has stopped the guests as well, or has kept them
// waiting. They are not to be found slow for that.
type awake struct {
	last time.Time     // of the host, when it was asked last; zero after rest
	lost time.Duration // in which this program did not run
}

// longGap is a pause between two looks that is no wait for a guest: a worker looks every
// [glance] then, on a busy host somewhat later. Only guests that answer each time, and
// slowly, make it look less often; these are given more time for it.
const longGap = 10 * glance

// now is the awake time at a time of the host. It never goes back.
func (a *awake) now(host time.Time) time.Time {
	if gap := host.Sub(a.last); !a.last.IsZero() && gap > longGap {
		a.lost += gap - glance
	}
	a.last = host
	return host.Add(-a.lost)
}

// rest begins a time in which nobody asks, and that is no gap.
func (a *awake) rest() { a.last = time.Time{} }
