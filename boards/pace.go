package boards

import (
	"context"
	"time"

	"backplane/simbus"
)

// pacer ties virtual time to the host's clock. It goes in slices: what comes in
// from outside waits for the next one.
type pacer struct {
	// A slice is at least as long as least, so that they do not cost more than
	// what happens in them, and at most as long as most. A host that is late by
	// more than that has lost the time for good: a burst that caught up with it
	// would let the boards' time race past a world outside that stands still.
	least, most time.Duration
	last        time.Time // of the host, up to which virtual time has come; zero before the first
}

func newPacer(gateways bool) *pacer {
	if gateways {
		return &pacer{least: time.Millisecond, most: 10 * time.Millisecond}
	}
	return &pacer{least: 10 * time.Millisecond, most: 100 * time.Millisecond}
}

// next waits for the next slice and says how long it is, at most left.
func (p *pacer) next(ctx context.Context, left time.Duration) (time.Duration, error) {
	now := time.Now()
	if p.last.IsZero() {
		p.last = now
	}
	if wait := min(p.least, left) - now.Sub(p.last); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		now = time.Now()
	}
	passed := now.Sub(p.last)
	if passed > p.most {
		passed, p.last = p.most, now.Add(-p.most)
	}
	slice := min(passed, left)
	p.last = p.last.Add(slice)
	return slice, ctx.Err()
}

// Advance lets everything happen that is due before the time until. It is
// [simbus.Calendar.Advance], but for a paced appliance: that never runs ahead
// of the host's clock, and stands still between two slices, which is when frames
// from outside come in. A stop function is heeded as ever; where ctx ends, so
// does the present slice first.
func (r *Running) Advance(ctx context.Context, until simbus.Time, stop func(*simbus.Event) bool) (bool, error) {
	if r.pace == nil {
		return r.slice(ctx, until, stop)
	}
	for now := r.cal.Now(); now < until; now = r.cal.Now() {
		slice, err := r.pace.next(ctx, until.Sub(now))
		if err != nil {
			return false, err
		}
		r.admit()
		stopped, err := r.slice(context.WithoutCancel(ctx), now.Add(slice), stop)
		if stopped || err != nil {
			return stopped, err
		}
	}
	return false, ctx.Err()
}

// slice lets time go on, and nobody outside do anything meanwhile.
func (r *Running) slice(ctx context.Context, until simbus.Time, stop func(*simbus.Event) bool) (bool, error) {
	if r.opts.Virtual {
		r.outside.Lock()
		defer r.outside.Unlock()
	}
	stopped, err := r.cal.Advance(ctx, until, stop)
	r.broken = r.broken || err != nil
	return stopped, err
}
