// Package awake counts the host's time without that in which this program did not run:
// whoever stopped it, or the whole machine, has stopped the guests as well, or has kept
// them waiting. Neither they nor clients are to be found slow for that.
package awake

import (
	"sync"
	"time"
)

// Tick is how often who counts awake time looks at the host's clock.
const Tick = 100 * time.Millisecond

// longGap is a pause between two looks that is no wait: on a busy host they are somewhat
// more than a tick apart. A longer one counts as a tick.
const longGap = 10 * Tick

// Clock makes awake times of the host's. It has to be asked every [Tick].
type Clock struct {
	last time.Time     // of the host, when it was asked last; zero after Rest
	lost time.Duration // in which this program did not run
}

// Now is the awake time at a time of the host. It never goes back.
func (c *Clock) Now(host time.Time) time.Time {
	if gap := host.Sub(c.last); !c.last.IsZero() && gap > longGap {
		c.lost += gap - Tick
	}
	c.last = host
	return host.Add(-c.lost)
}

// Rest begins a time in which nobody asks, and that is no gap.
func (c *Clock) Rest() { c.last = time.Time{} }

// Watch is the awake time since some moment. It is right as long as it is asked every
// [Tick], as a call of AfterFunc does until it is over.
type Watch struct {
	mu    sync.Mutex
	clock Clock
	begin time.Time
	now   func() time.Time
	after func(time.Duration) <-chan time.Time
}

// Since counts from a moment of the host's time on, which may be one to come.
func Since(host time.Time) *Watch {
	w := &Watch{begin: host, now: time.Now, after: time.After}
	w.clock.Now(host)
	return w
}

// Elapsed is how much awake time has passed; less than nothing before the beginning.
func (w *Watch) Elapsed() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock.Now(w.now()).Sub(w.begin)
}

// AfterFunc calls f, on a goroutine of its own, when so much awake time has passed in
// all, unless stop is called before. When stop returns, f does not run, and will not.
func (w *Watch) AfterFunc(d time.Duration, f func()) (stop func()) {
	left := d - w.Elapsed()
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for left > 0 {
			select {
			case <-end:
				return
			case <-w.after(min(left, Tick)):
				left = d - w.Elapsed()
			}
		}
		f()
	}()
	return sync.OnceFunc(func() { close(end); <-done })
}

// AfterFunc is [time.AfterFunc] in awake time.
func AfterFunc(d time.Duration, f func()) (stop func()) { return Since(time.Now()).AfterFunc(d, f) }
