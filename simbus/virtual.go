package simbus

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// longWindow is how long domains may run between two looks at the context and
// two deliveries of events when nobody waits for one.
const longWindow = 100 * time.Millisecond

// advanceVirtual runs the appliance in windows. In each window a domain may run
// until the earliest time at which another could do something that reaches it
// (conservative lookahead), so the domains of a window do not depend on one
// another and the result is the same in whatever order they run.
func (c *Calendar) advanceVirtual(ctx context.Context, until Time, stop func(*Event) bool) (stopped bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.pin()()

	var matched bool
	if stop != nil {
		c.listened.Store(true)
		watch := func(e *Event) { matched = matched || stop(e) }
		c.subscribers = append(c.subscribers, watch)
		defer func() { c.subscribers = c.subscribers[:len(c.subscribers)-1] }()
	}
	next := make([]Time, len(c.domains))
	for c.now < until {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		first := Never
		for _, d := range c.domains {
			first = min(first, d.next())
		}
		cap := until
		if first < until {
			granule := longWindow
			if stop != nil {
				granule = Granule
			}
			cap = min(until, Time(int64(first)/int64(granule)+1)*Time(granule))
		}
		if err := c.runTo(ctx, cap, next); err != nil {
			return false, err
		}
		c.now = cap
		for _, d := range c.domains {
			d.now = max(d.now, cap)
		}
		if matched {
			return true, nil
		}
	}
	return false, nil
}

// runTo lets everything happen that is due before the time limit.
func (c *Calendar) runTo(ctx context.Context, limit Time, next []Time) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.exchange()
		first := limit
		for i, d := range c.domains {
			next[i] = d.next()
			first = min(first, next[i])
		}
		// A domain that was held back may still say something at its next time,
		// and so before what another, further ahead, has said already.
		c.flush(first)
		if first == limit {
			return nil
		}
		for i, d := range c.domains {
			d.limit = limit
			for j, other := range c.domains {
				if i != j {
					d.limit = min(d.limit, next[j].Add(c.delay(other, d)))
				}
			}
		}
		for i, d := range c.domains {
			if next[i] >= d.limit {
				continue
			}
			if err := d.run(ctx); err != nil {
				return err
			}
		}
	}
}

// pin keeps the calling goroutine on the calendar's CPU until the returned function is called.
func (c *Calendar) pin() (unpin func()) {
	if c.cpu < 0 {
		return func() {}
	}
	runtime.LockOSThread()
	var before, one unix.CPUSet
	one.Set(c.cpu)
	if unix.SchedGetaffinity(0, &before) != nil || unix.SchedSetaffinity(0, &one) != nil {
		return runtime.UnlockOSThread // slower, and right all the same
	}
	return func() {
		if unix.SchedSetaffinity(0, &before) == nil {
			runtime.UnlockOSThread() // else the thread ends with the goroutine
		}
	}
}
